//! The fake's `jsoc_info`: `series_struct` and `rs_list`.

use std::ops::Range;

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::super::contract::How;
use super::{DISKS, NRT, SERIES, State, said};
use crate::lab::{Answer, Ending, Request};

/// One record of one patch.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Record {
    pub(super) series: &'static str,
    pub(super) recnum: i64,
    /// The storage unit of its files: `update_sharp_keys.c` lets a new record point to that of the one before. -1 for none,
    /// as of a record without an image.
    pub(super) unit: i64,
    /// Its USFLUX, when not what its number gives: `drms_keyword_update.c` changes values in place.
    pub(super) flux: Option<&'static str>,
    pub(super) harpnum: i64,
    /// Its slot, as `2015-12-11T18:24:00` in TAI.
    pub(super) time: &'static str,
    pub(super) noaa: &'static str,
    pub(super) quality: u32,
    /// What stands for its files, when not their paths.
    pub(super) instead: Option<&'static str>,
    /// Its files are said to be on tape, and have their paths all the same.
    pub(super) is_offline: bool,
    /// This segment's files are of a record of another series, whose storage unit is not on the disks.
    pub(super) offline_segment: Option<&'static str>,
    /// They are on no tape either (`jsoc_info.c:3716-3742`).
    pub(super) is_gone: bool,
}

impl Record {
    pub(super) fn new(recnum: i64, time: &str) -> Record {
        let time: &'static str = Box::leak(time.to_owned().into_boxed_str());
        Record {
            series: SERIES,
            recnum,
            unit: recnum,
            flux: None,
            harpnum: 377,
            time,
            noaa: "11158",
            quality: 0,
            instead: None,
            is_offline: false,
            offline_segment: None,
            is_gone: false,
        }
    }

    pub(super) fn folder(&self) -> String {
        format!("/SUM58/D{}/S00008/", self.unit)
    }

    /// As it is asked for alone.
    pub(super) fn query(&self) -> String {
        format!("{}[{}][{}]", self.series, self.harpnum, self.slot())
    }

    fn slot(&self) -> String {
        self.at().format("%Y.%m.%d_%H:%M:%S_TAI").to_string()
    }

    fn at(&self) -> NaiveDateTime {
        self.time.parse().expect("a label")
    }

    pub(super) fn is_on_tape(&self) -> bool {
        self.is_offline || self.offline_segment.is_some() || self.instead == Some("NoDataDirectory")
    }

    fn has_unit(&self) -> bool {
        self.unit >= 0
    }

    /// A number is one of `*recnum*` alone: all else are texts (`jsoc_info.c:3609-3833`).
    fn value(&self, key: &str) -> Value {
        if key == "*recnum*" { self.recnum.into() } else { self.text(key).into() }
    }

    pub(super) fn text(&self, key: &str) -> String {
        match key {
            "*size*" => "1".to_owned(),
            "*online*" | "*archive*" if !self.has_unit() => "NA".to_owned(),
            "*online*" => if self.is_on_tape() && self.offline_segment.is_none() { "N" } else { "Y" }.to_owned(),
            "*archive*" => if self.is_gone { "N" } else { "Y" }.to_owned(),
            "HARPNUM" => self.harpnum.to_string(),
            "T_REC" => self.slot(),
            "NOAA_ARS" => self.noaa.to_owned(),
            "QUALITY" => format!("{:#010x}", self.quality),
            "USFLUX" => self.flux.map_or_else(|| format!("{}.5e+21", self.recnum), str::to_owned),
            "CRVAL1" if self.recnum % 2 == 0 => "MISSING".to_owned(),
            "CRVAL1" => "-12.25".to_owned(),
            "BUNIT_000" => "Gauss".to_owned(),
            "BUNIT_001" => "mT".to_owned(),
            _ => "Invalid KeyLink".to_owned(),
        }
    }

    pub(super) fn path(&self, segment: &str) -> String {
        match (self.instead, segment) {
            (_, segment) if !SEGMENTS.contains(&segment) => "InvalidSegName".to_owned(),
            (Some(instead), _) => instead.to_owned(),
            (None, segment) if self.offline_segment == Some(segment) => "NoDataDirectory".to_owned(),
            (None, _) if !self.has_unit() => "NoDataDirectory".to_owned(),
            (None, segment) => format!("{}{segment}.fits", self.folder()),
        }
    }
}

impl Record {
    /// JSOC's own name of a file.
    pub(super) fn file(&self, segment: &str) -> String {
        format!("{}.{}.{}.{segment}.fits", self.series, self.harpnum, self.at().format("%Y%m%d_%H%M%S_TAI"))
    }
}

/// Keywords with their types and units.
const KEYWORDS: [(&str, &str, &str); 6] = [
    ("HARPNUM", "int", "none"),
    ("T_REC", "time", "TAI"),
    ("NOAA_ARS", "string", "none"),
    ("QUALITY", "int", "none"),
    ("USFLUX", "double", "Mx"),
    ("CRVAL1", "double", "degree"),
];

/// The series with their first records.
const FIRST: [(&str, &str); 3] =
    [(SERIES, "2010.05.01_00:12:00_TAI"), (NRT, "2012.09.14_00:00:00_TAI"), (DISKS, "2010.05.01_00:12:00_TAI")];

pub(super) const SEGMENTS: [&str; 2] = ["Br", "Bp"];

pub(super) fn structure(request: &Request, state: &State) -> Answer {
    // drms asks in lower case: the database holds names so.
    let asked = request.parameter("ds").unwrap_or_default();
    let Some((name, first)) = FIRST.into_iter().find(|(name, _)| asked.eq_ignore_ascii_case(name)) else {
        return said(&json!({ "status": 1, "error": "series not found" }));
    };
    let keyword = |(name, kind, unit): &(&str, &str, &str)| {
        let note = if *name == "USFLUX" { "THE NOTE" } else { "" };
        json!({ "name": name, "type": kind, "recscope": "variable", "defval": "nan", "units": unit, "note": note })
    };
    let is_of_disks = name == DISKS;
    let of_regions = ["HARPNUM", "NOAA_ARS"];
    let own = KEYWORDS.iter().filter(|(name, ..)| !is_of_disks || !of_regions.contains(name));
    let mut keywords: Vec<Value> = own.map(keyword).collect();
    if state.has_linked_units {
        // Keywords that are linked to those of segments are told one by one.
        keywords.extend(["BUNIT_000", "BUNIT_001"].map(|name| keyword(&(name, "string", "none"))));
    } else if state.has_units {
        // Of the keywords of all segments, the first without its number.
        keywords.push(json!({ "name": "BUNIT", "type": "string", "recscope": "segment", "units": "none", "note": "[BUNIT] Unit" }));
    }
    let prime = [json!({ "name": "HARPNUM", "slotted": 0 }), json!({ "name": "T_REC", "slotted": 1, "step": "720.0" })];
    let prime = &prime[usize::from(is_of_disks)..];
    let prime_keys: Vec<&Value> = prime.iter().map(|key| &key["name"]).collect();
    let segment = |name: &&str| json!({ "name": name, "type": "int", "units": "Gauss", "protocol": "fits", "dims": "VARxVAR", "note": "" });
    let answer = said(&json!({
        "note": "SHARP", "primekeys": prime_keys, "primekeysinfo": prime, "keywords": keywords,
        "segments": SEGMENTS.iter().map(segment).collect::<Vec<_>>(), "links": [],
        "Interval": { "FirstRecord": format!("{name}[1][{first}]") }, "status": 0,
    }));
    let body = String::from_utf8(answer.body()).expect("UTF-8");
    let (before, after) = body.split_once("THE NOTE").expect("a note");
    let body = [before.as_bytes(), state.note, after.as_bytes()].concat();
    answer.with_body(body)
}

pub(super) fn list(request: &Request, state: &State) -> Answer {
    if state.bare {
        return said(&json!({ "runtime": 0.1, "status": 0 }));
    }
    let set = request.parameter("ds").expect("a record set");
    if state.broken.is_some_and(|series| set.starts_with(&format!("{series}["))) {
        return Answer::status(503);
    }
    let mut records = match select(&set, &state.records) {
        Ok(records) => records,
        Err(error) => return said(&json!({ "status": 1, "error": error })),
    };
    // The first ones, or the last ones (`jsoc_info.c:2743-2749`).
    match request.parameter("n").and_then(|count| count.parse::<isize>().ok()) {
        Some(count @ 1..) => records.truncate(count.unsigned_abs()),
        Some(count @ ..=-1) => drop(records.drain(..records.len().saturating_sub(count.unsigned_abs()))),
        Some(0) | None => {}
    }
    match &state.how {
        How::Honest | How::Cut | How::Abroad(_) => {}
        How::Backwards => records.reverse(),
        How::Twice => records.extend(records.clone()),
        How::Failing => return Answer::status(500),
        How::Page => return Answer::html(),
        How::Moved => return Answer::moved(),
    }
    if let How::Abroad(host) = &state.how {
        let path: &'static str = Box::leak(format!("http://{host}/SUM1/D999/S00000/Br.fits").into_boxed_str());
        records.push(Record { instead: Some(path), ..Record::new(999, "2015-12-11T06:00:00") });
    }
    if records.is_empty() {
        return said(&json!({ "count": 0, "runtime": 0.01, "status": 0 }));
    }
    let mut all = KEYWORDS.map(|(name, ..)| name).join(",");
    if state.has_units {
        all.push_str(",BUNIT_000,BUNIT_001");
    }
    let column = |key: &str| {
        let values: Vec<Value> = records.iter().map(|record| record.value(key)).collect();
        json!({ "name": key, "values": values })
    };
    let segment = |name: &str| {
        let values: Vec<String> = records.iter().map(|record| record.path(name)).collect();
        let dims = vec!["20x20"; records.len()];
        json!({ "name": name, "values": values, "dims": dims, "cparms": [], "bzeros": [], "bscales": [] })
    };
    let mut answer = json!({
        "keywords": names(request, "key", &all).iter().map(|name| column(name)).collect::<Vec<_>>(),
        "segments": names(request, "seg", &SEGMENTS.join(",")).iter().map(|name| segment(name)).collect::<Vec<_>>(),
        "links": [], "count": records.len(), "runtime": 0.029, "status": 0,
    });
    if request.parameter("R").as_deref() == Some("1") {
        answer["recinfo"] = records.iter().map(|record| json!({ "name": record.query(), "online": 1 })).collect();
    }
    let answer = said(&answer);
    if state.how == How::Cut {
        let half = answer.body().len() / 2;
        return answer.ending(Ending::Cut(half));
    }
    answer
}

/// The names that a list asks for. Where there is no list, it is none (`jsoc_info.c:893-895`).
fn names(request: &Request, list: &str, all: &str) -> Vec<String> {
    let list = request.parameter(list).unwrap_or_default().replace("**ALL**", all);
    list.split(',').filter(|name| !name.is_empty() && *name != "**NONE**").map(str::to_owned).collect()
}

/// How far apart slots are, in seconds.
const STEP: i64 = 720;

/// The slot that a time falls to, the nearest one: `CalcSlot` of `drms_keyword_priv.h:35` in `lm-jps/drms`.
fn slot(time: NaiveDateTime) -> i64 {
    let epoch: NaiveDateTime = "1993-01-01T00:00:00".parse().expect("a label");
    ((time - epoch).num_seconds() + STEP / 2).div_euclid(STEP)
}

fn time(text: &str) -> Result<NaiveDateTime, String> {
    NaiveDateTime::parse_from_str(text, "%Y.%m.%d_%H:%M:%S_TAI").map_err(|error| error.to_string())
}

/// The slots of a stretch of time. Of `start/span` these are the slots from that of its start, as many as lie in its span
/// whole (`drms_keyword.c:2908-2920`); of `start-end` those from the one to the other (`drms_names.c:631-636`, `1911`).
fn slots(stretch: &str) -> Result<Range<i64>, String> {
    if let Some((start, span)) = stretch.split_once('/') {
        let first = slot(time(start)?);
        return Ok(first..first + (seconds(span) / STEP).max(1));
    }
    let (start, end) = stretch.split_once('-').ok_or("no stretch of time")?;
    Ok(slot(time(start)?)..slot(time(end)?) + 1)
}

/// The records of a record set `series[harps][stretch@cadence][? ... ?]{segments}`, or why there are none.
pub(super) fn select(set: &str, records: &[Record]) -> Result<Vec<Record>, String> {
    let set = set.split('{').next().unwrap_or_default();
    let (series, rest) = set.split_once('[').ok_or("no record set")?;
    if !FIRST.iter().any(|(name, _)| *name == series) {
        return Err(" jsoc_info: series not found.".to_owned());
    }
    let mut parts: Vec<&str> = rest.trim_end_matches(']').split("][").collect();
    // By their numbers: `[:#1,#3]` (`drms_names.c`, `parse_record_list`).
    let numbers = parts[0].strip_prefix(":#").map(|numbers| numbers.split(",#").collect::<Vec<_>>());
    if numbers.is_some() {
        parts.splice(..1, ["", ""]);
    }
    if series == DISKS {
        parts.insert(0, "");
    }
    let harps: Vec<i64> = parts[0].split(',').filter_map(|harp| harp.parse().ok()).collect();
    // A prime key that is empty or left out at the end is no condition (`drms_names.c:168-181`).
    let time = parts.get(1).copied().filter(|part| !part.is_empty());
    let (stretch, cadence) = time.map_or(("", "1s"), |time| time.split_once('@').unwrap_or((time, "1s")));
    let slots = if time.is_some() { slots(stretch)? } else { i64::MIN..i64::MAX };
    let first = slots.start;
    let every = (seconds(cadence) / STEP).max(1);
    let condition = parts.get(2).copied().unwrap_or_default();
    if condition.contains("NOSUCH") {
        return Err("ERROR:  column \"nosuch\" does not exist".to_owned());
    }
    // `create_database_functions.sql:451`.
    let needs_image = parts.iter().any(|part| part.contains("drms.image_exists(quality)"));
    let number = |after: &'static str| {
        condition.split(after).skip(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
    };
    let noaa = condition.split("NOAA_ARS ~ '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default();
    let noaa: Vec<&str> = noaa.split('|').filter(|number| !number.is_empty()).collect();
    let mask: u32 = number("QUALITY & ").next().and_then(|mask| mask.parse().ok()).unwrap_or_default();
    let is_asked = |record: &&Record| {
        let at = slot(record.at());
        record.series == series
            && numbers.as_ref().is_none_or(|numbers| numbers.contains(&record.recnum.to_string().as_str()))
            && (harps.is_empty() || harps.contains(&record.harpnum))
            && slots.contains(&at)
            && (every == 1 || (at - first) % every == 0)
            && (noaa.is_empty() || noaa.iter().any(|number| record.noaa.contains(number)))
            && record.quality & mask == 0
            && (!needs_image || record.quality & 0x8000_0000 == 0)
    };
    Ok(records.iter().filter(is_asked).cloned().collect())
}

pub(super) fn seconds(span: &str) -> i64 {
    let (number, unit) = span.split_at(span.len() - 1);
    let unit = match unit {
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        _ => 1,
    };
    number.parse::<i64>().expect("a number") * unit
}
