//! What JSOC is asked for a stretch of time: a record set, and which keywords and segments of its records.
//!
//! Source: `RecordSetHelp` of JSOC. It does not trust that JSOC applied all of it: the listing applies again what it
//! can.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, TimeDelta};
use url::Url;

use super::instants::Instants;
use super::record::Ordered;
use super::slot::{first_multiple, label};
use super::structure::Structure;
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::manifest::units::span;
use crate::manifest::{Condition, Headers, Quality, Series, cadence};
use crate::untrusted::escape;

/// Where listings are asked for, below the source's base.
pub(super) const INFO: &str = "cgi-bin/ajax/jsoc_info";
/// The keyword of an active region's number.
pub(super) const HARPNUM: &str = "HARPNUM";
/// The keyword of a wavelength.
pub(super) const WAVELNTH: &str = "WAVELNTH";
/// The keyword of the numbers that NOAA gave to a patch, with commas between them; and of the first of them.
pub(super) const NOAA: [&str; 2] = ["NOAA_ARS", "NOAA_AR"];
/// The prime key that numbers the images of an instrument.
const FSN: &str = "FSN";
/// The keyword of a record's quality.
pub(super) const QUALITY: &str = "QUALITY";

/// So many active regions are asked for by their numbers: JSOC writes each with some 20 bytes into a query of 8,192 bytes
/// (`DRMS_MAXQUERYLEN`). Of more, all regions are asked for, and the listing leaves out the others.
const REGIONS: usize = 100;
/// The same of NOAA's numbers in one alternation, with 6 bytes each.
const NOAA_NUMBERS: usize = 500;

/// The same of records by their numbers: JSOC writes each with 24 bytes.
const RECORDS: usize = 300;

/// What is asked of one series, whatever the time.
#[derive(Debug)]
pub(super) struct RecordQuery<'a> {
    pub(super) series: &'a Series,
    pub(super) structure: &'a Structure,
    /// The segments whose files are wanted; none where no files are.
    pub(super) segments: Vec<&'a str>,
    /// Only these patches; those of the filter `noaa` too, where they are known.
    pub(super) harps: Option<Vec<i64>>,
    /// The keyword that tells the NOAA numbers, where they are asked of each record.
    pub(super) noaa: Option<&'static str>,
    /// What follows the prime keys of an order: nothing, or one `[? ... ?]` or `[! ... !]`.
    conditions: String,
    /// The same of a listing.
    listed_conditions: String,
}

/// What to order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OrderSet {
    /// This record set.
    Records(String),
    /// It is longer than a query may be.
    TooLong,
    Nothing,
}

impl OrderSet {
    fn of_records(series: &str, records: &BTreeSet<i64>) -> OrderSet {
        let numbers = records.iter().map(|recnum| format!("#{recnum}")).collect::<Vec<_>>().join(",");
        match records.len() {
            0 => OrderSet::Nothing,
            1..=RECORDS => OrderSet::Records(format!("{series}[:{numbers}]")),
            _ => OrderSet::TooLong,
        }
    }
}

impl<'a> RecordQuery<'a> {
    /// Puts the filters of a series into JSOC's words.
    ///
    /// # Errors
    /// `source-refused` for a keyword, segment or cadence that the series does not have.
    pub(super) fn of(series: &'a Series, structure: &'a Structure) -> Result<RecordQuery<'a>, Failure> {
        let filters = &series.filters;
        let name = &series.name;
        let mut segments: Vec<&str> = structure.segments.iter().map(String::as_str).collect();
        if let Some(wanted) = &filters.segments {
            wanted.iter().try_for_each(|segment| structure.require_segment(name, segment))?;
            segments.retain(|segment| wanted.iter().any(|wanted| wanted == segment));
        }
        if structure.segments.is_empty() && !series.fetch.has_keywords() {
            let why = format!(
                "by JSOC's `series_struct`, `{}` has no segments, so there are no files; ask for `fetch: keywords`",
                escape(name)
            );
            return Err(Failure::new(Class::SourceRefused, why));
        }
        if !series.fetch.has_files() {
            segments.clear();
        }
        for keyword in series.keywords.iter().flatten() {
            structure.require(name, keyword)?;
        }
        if let Some(asked) = filters.cadence.filter(|_| has_known_spacing(name, structure)) {
            let own = structure.step.and_then(|step| u64::try_from(step).ok()).unwrap_or_else(|| cadence::step(name));
            if !asked.as_secs().is_multiple_of(own) {
                let why = format!(
                    "by JSOC's `series_struct`, `{}` has a record every {own} s, and the cadence of {} s is no multiple of \
                     that; nothing is interpolated",
                    escape(name),
                    asked.as_secs()
                );
                return Err(Failure::new(Class::SourceRefused, why));
            }
        }
        let by_record = filters.noaa.is_some() && series.harps_of_filter().is_none();
        let noaa = if by_record { Some(noaa_keyword(name, structure)?) } else { None };
        let (harps, conditions, listed_conditions) = (series.harps(), String::new(), String::new());
        let mut question = RecordQuery { series, structure, segments, harps, noaa, conditions, listed_conditions };
        question.conditions = question.conditions(filters.quality)?;
        let listed = filters.quality.filter(|_| !question.lists_every_quality());
        question.listed_conditions = question.conditions(listed)?;
        Ok(question)
    }

    /// True where the listing has the records that `quality` leaves out as well, so that a region's gaps have their reason.
    pub(super) fn lists_every_quality(&self) -> bool {
        let is_of_regions = self.structure.prime.iter().any(|key| key == HARPNUM);
        self.series.filters.quality.is_some() && is_of_regions && self.instants().is_none()
    }

    /// What is asked of records besides their prime keys, with this condition on QUALITY.
    fn conditions(&self, quality: Option<Quality>) -> Result<String, Failure> {
        let (filters, name) = (&self.series.filters, &self.series.name);
        let mut all = Vec::new();
        for (filter, keyword, numbers) in
            [("harpnum", HARPNUM, &self.harps), ("wavelength", WAVELNTH, &filters.wavelength)]
        {
            let Some(numbers) = numbers else { continue };
            // A prime key has its own place in the record set.
            if self.structure.prime.iter().any(|key| key == keyword) {
                continue;
            }
            if !self.structure.has(keyword) {
                return Err(no_keyword(name, filter, keyword));
            }
            if numbers.len() <= REGIONS {
                all.push(either(numbers.iter().map(|number| format!("{keyword} = {number}"))));
            }
        }
        if let (Some(keyword), Some(numbers)) = (self.noaa, &filters.noaa) {
            all.extend(has_one_of(keyword, numbers));
        }
        if filters.quality.is_some() && !self.structure.has(QUALITY) {
            return Err(no_keyword(name, "quality", QUALITY));
        }
        if let Some(quality) = quality {
            // QUALITY has 32 bits; no record can match the bits of a mask beyond them.
            all.push(format!("({QUALITY} & {}) = 0", quality.none_of & 0xffff_ffff));
        }
        for (keyword, condition) in &filters.conditions {
            let kind = self.structure.require(name, keyword)?.kind.as_str();
            all.push(said(name, keyword, kind, condition)?);
        }
        let raw = filters.raw.as_deref().unwrap_or_default();
        // `[! ... !]` asks for every version of a record, `[? ... ?]` for the newest.
        let (open, close) = if raw.starts_with("[!") { ("[! ", " !]") } else { ("[? ", " ?]") };
        if let Some(inside) = raw.get(2..raw.len().saturating_sub(2)) {
            all.push(inside.trim().to_owned());
        }
        Ok(match all.as_slice() {
            [] => String::new(),
            [one] => format!("{open}{one}{close}"),
            many => format!("{open}({}){close}", many.join(") AND (")),
        })
    }

    /// The records of a stretch of time, such as `hmi.sharp_cea_720s[377][2011.02.15_00:00:00_TAI/1d@1h]`; none when no
    /// multiple of the cadence lies inside.
    pub(super) fn record_set(&self, window: Window) -> Option<String> {
        self.record_set_of(window, self.harps.as_deref(), &self.listed_conditions)
    }

    /// The same to order: of more regions than can be asked for, those that are listed, and where records are chosen here,
    /// or some cannot be ordered, those that can by their numbers.
    pub(super) fn order_set(
        &self,
        window: Window,
        listed: &[&Ordered],
        not_orderable: &BTreeSet<NaiveDateTime>,
    ) -> OrderSet {
        // An order of a stretch of time reaches beyond both ends, and one file that is offline has all of it refused.
        let reach = (window.start - self.margin())..=(window.end + self.margin());
        if self.instants().is_some() || not_orderable.range(reach).next().is_some() {
            let is_due = |ordered: &&&Ordered| ordered.is_available && window.contains(ordered.time);
            let records: BTreeSet<i64> = listed.iter().filter(is_due).map(|ordered| ordered.recnum).collect();
            return OrderSet::of_records(&self.series.name, &records);
        }
        let set = match self.harps.as_deref() {
            Some(all) if all.len() > REGIONS => {
                let regions: BTreeSet<i64> = listed.iter().filter_map(|ordered| ordered.harpnum).collect();
                self.record_set_of(window, Some(&regions.into_iter().collect::<Vec<_>>()), &self.conditions)
            }
            harpnum => self.record_set_of(window, harpnum, &self.conditions),
        };
        set.map_or(OrderSet::Nothing, OrderSet::Records)
    }

    /// These records to order.
    pub(super) fn order_set_of(&self, records: &[i64]) -> OrderSet {
        OrderSet::of_records(&self.series.name, &records.iter().copied().collect())
    }

    /// All records of a stretch of time, whatever the filters say of them, on the slots of the cadence.
    pub(super) fn unfiltered_set(&self, window: Window) -> Option<String> {
        let time = self.stretch(window)?;
        let keys = self.structure.prime.iter().map(|key| if *key == self.structure.time { time.as_str() } else { "" });
        let keys: String = keys.flat_map(|key| ["[", key, "]"]).collect();
        Some(format!("{}{keys}", self.series.name))
    }

    fn record_set_of(&self, window: Window, harpnum: Option<&[i64]>, conditions: &str) -> Option<String> {
        if harpnum.is_some_and(<[i64]>::is_empty) {
            return None;
        }
        let time = self.stretch(window)?;
        let keys = self.structure.keys(|key| self.value(key, &time, harpnum));
        Some(format!("{}{keys}{conditions}", self.series.name))
    }

    fn value(&self, key: &str, time: &str, harpnum: Option<&[i64]>) -> String {
        let list = |numbers: Option<&[i64]>| listed(numbers.filter(|few| few.len() <= REGIONS).unwrap_or_default());
        match key {
            _ if key == self.structure.time => time.to_owned(),
            HARPNUM => list(harpnum),
            WAVELNTH => list(self.series.filters.wavelength.as_deref()),
            _ => String::new(),
        }
    }

    /// A stretch of time that holds every slot of the window, and at most two beyond each end: JSOC takes the slot nearest to
    /// the start, and of the span as many slots as lie in it whole (`CalcSlot` in `drms_keyword_priv.h`,
    /// `drms_keyword.c:2908`). With a cadence of slots the start is a multiple of it, since JSOC counts from there; with one
    /// of instants, all that competes with the window's records is asked for.
    fn stretch(&self, window: Window) -> Option<String> {
        let step = self.step().num_seconds();
        let half = TimeDelta::seconds(step.div_euclid(2) + step.rem_euclid(2));
        let (from, until) = (window.start - half, window.end + half);
        if let Some(instants) = self.instants() {
            let reach = instants.reach(window)?;
            let (from, until) = (reach.start - self.margin(), reach.end + self.margin());
            return Some(format!("{}/{}", label(from), span(seconds_until(from, until).unsigned_abs())));
        }
        let cadence = self.every_slots();
        if cadence.is_none() && (window.end - window.start) * 2 <= self.step() {
            // The slot nearest to the start is the only one that can lie in it, and one slot is the least that JSOC takes.
            return Some(format!(
                "{}/{}",
                label(window.start),
                span(seconds_until(window.start, window.end).unsigned_abs())
            ));
        }
        let start = match cadence {
            Some(cadence) => first_multiple(from, cadence),
            None => from,
        };
        if start >= until {
            return None;
        }
        let span_asked = span(seconds_until(start, until + self.step()).unsigned_abs());
        let every = cadence.map(|cadence| format!("@{}", span(cadence.unsigned_abs()))).unwrap_or_default();
        Some(format!("{}/{span_asked}{every}", label(start)))
    }

    /// The cadence in seconds, where it is one of whole slots, which JSOC counts out.
    pub(super) fn every_slots(&self) -> Option<i64> {
        self.cadence().filter(|_| has_known_spacing(&self.series.name, self.structure))
    }

    /// The instants of the cadence, where the records nearest to them are chosen here.
    pub(super) fn instants(&self) -> Option<Instants> {
        self.cadence().filter(|_| !has_known_spacing(&self.series.name, self.structure)).map(Instants::every)
    }

    /// The slots of the cadence, where each of them is due to have a record. Regions come and go.
    pub(super) fn slots_of_cadence(&self) -> Option<Instants> {
        let is_of_regions = self.structure.prime.iter().any(|key| key == HARPNUM);
        self.every_slots().filter(|_| !is_of_regions).map(Instants::every)
    }

    fn cadence(&self) -> Option<i64> {
        self.series.filters.cadence.map(|cadence| i64::try_from(cadence.as_secs()).unwrap_or(i64::MAX))
    }

    /// The time that JSOC is asked for may reach so far beyond what is wanted: two slots, which its rounding takes.
    pub(super) fn margin(&self) -> TimeDelta {
        let step =
            if self.instants().is_some() { TimeDelta::seconds(self.structure.step.unwrap_or(1)) } else { self.step() };
        step * 2
    }

    /// The prime keys that set records of one time apart, such as a wavelength. The number of an image sets it apart from
    /// every other one, and says nothing of what it shows.
    pub(super) fn kind_keys(&self) -> impl Iterator<Item = &str> {
        let structure = self.structure;
        let own = structure.prime.iter().map(String::as_str).filter(|key| *key != FSN && !structure.is_time(key));
        let others = [HARPNUM, WAVELNTH].into_iter().filter(|key| structure.has(key));
        own.chain(others.filter(|key| !structure.prime.iter().any(|prime| prime == key)))
    }

    /// How far apart records are.
    pub(super) fn step(&self) -> TimeDelta {
        self.structure.spacing(&self.series.name)
    }

    /// The keywords that are asked for.
    fn keys(&self) -> Vec<&str> {
        let mut keys = vec!["*recnum*"];
        if !self.segments.is_empty() {
            keys.extend(["*online*", "*archive*"]);
        }
        if self.export().is_some() {
            keys.push("*size*");
        }
        if self.is_whole() {
            keys.push("**ALL**");
            return keys;
        }
        keys.extend(self.structure.prime.iter().map(String::as_str));
        keys.extend([HARPNUM, WAVELNTH].into_iter().filter(|key| self.structure.has(key)));
        keys.extend(self.noaa);
        // QUALITY says whether a record has an image at all.
        keys.extend(Some(QUALITY).filter(|key| self.structure.has(key)));
        keys.extend(self.table().flatten().map(String::as_str));
        let mut seen = Vec::with_capacity(keys.len());
        keys.retain(|key| {
            let is_new = !seen.contains(key);
            seen.push(*key);
            is_new
        });
        keys
    }

    /// How the export system is to name files: `hmi.sharp_cea_720s.{HARPNUM}.{T_REC:A}.{segment}`.
    pub(super) fn names(&self) -> String {
        let mut names = self.series.name.clone();
        for key in &self.structure.prime {
            let letter = if self.structure.is_time(key) { ":A" } else { "" };
            names.extend([".{", key, letter, "}"]);
        }
        names + ".{segment}"
    }

    /// True when every keyword of the series goes into a table, or into headers.
    fn is_whole(&self) -> bool {
        let has_whole_table = self.series.fetch.has_keywords() && self.series.keywords.is_none();
        has_whole_table || self.series.headers == Headers::Embed
    }

    fn table(&self) -> impl Iterator<Item = &Vec<String>> {
        self.series.keywords.iter().filter(|_| self.series.fetch.has_keywords())
    }

    /// Where to ask for the times of the records of a record set.
    pub(super) fn url_of_times(&self, base: &Url, record_set: &str) -> Url {
        let mut url = below(base, INFO);
        url.query_pairs_mut()
            .append_pair("op", "rs_list")
            .append_pair("ds", record_set)
            .append_pair("key", &self.structure.time)
            .append_pair("seg", "**NONE**");
        url
    }

    /// Where to ask for the records of a record set.
    pub(super) fn url(&self, base: &Url, record_set: &str) -> Url {
        let segments = if self.segments.is_empty() { "**NONE**".to_owned() } else { self.segments.join(",") };
        let mut url = rs_list(base, record_set, &self.keys().join(","), &segments);
        url.query_pairs_mut().append_pair("R", "1");
        url
    }
}

/// Where to ask for keywords and segments of the records of a record set.
pub(super) fn rs_list(base: &Url, record_set: &str, keys: &str, segments: &str) -> Url {
    let mut url = below(base, INFO);
    url.query_pairs_mut()
        .append_pair("op", "rs_list")
        .append_pair("ds", record_set)
        .append_pair("key", keys)
        .append_pair("seg", segments);
    url
}

/// True when each slot has its record, as far as JSOC tells: the slots are as far apart as the series' name says that its
/// records are. Of `aia.lev1` each second is a slot, with a record in some of them.
fn has_known_spacing(name: &str, structure: &Structure) -> bool {
    let slots = structure.step.and_then(|step| u64::try_from(step).ok());
    slots.is_some() && slots == cadence::named(name)
}

/// The keyword of NOAA's numbers that a series has.
///
/// # Errors
/// `source-refused` where it has none.
pub(super) fn noaa_keyword(series: &str, structure: &Structure) -> Result<&'static str, Failure> {
    let keyword = NOAA.into_iter().find(|keyword| structure.has(keyword));
    keyword.ok_or_else(|| no_keyword(series, "noaa", NOAA[0]))
}

/// The condition that a record has one of these NOAA numbers; none where a query has no room for them.
pub(super) fn has_one_of(keyword: &str, numbers: &[i64]) -> Option<String> {
    let texts = numbers.iter().map(i64::to_string);
    match keyword {
        // A text of several numbers: which of them it is, who asks looks at.
        "NOAA_ARS" if numbers.len() <= NOAA_NUMBERS => {
            Some(format!("{keyword} ~ '{}'", texts.collect::<Vec<_>>().join("|")))
        }
        "NOAA_AR" if numbers.len() <= REGIONS => Some(either(texts.map(|number| format!("{keyword} = {number}")))),
        _ => None,
    }
}

/// Numbers as a prime key takes them.
pub(super) fn listed(numbers: &[i64]) -> String {
    numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// A path below the source's base.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path()));
    url
}

/// Whole seconds to the end; a part of one counts.
fn seconds_until(start: NaiveDateTime, end: NaiveDateTime) -> i64 {
    let span = end - start;
    span.num_seconds() + i64::from(span > TimeDelta::seconds(span.num_seconds()))
}

fn either(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join(" OR ")
}

/// A condition in the words of the database behind.
fn said(series: &str, keyword: &str, kind: &str, condition: &Condition) -> Result<String, Failure> {
    let is_number = matches!(kind, "char" | "short" | "int" | "longlong" | "float" | "double");
    let refused = |what: &str| {
        let why = format!(
            "`where` asks {what} of `{}`, which by JSOC's `series_struct` is a {} of `{}`; the way out is one text, \
             `where: \"[? ... ?]\"`",
            escape(keyword),
            escape(kind),
            escape(series)
        );
        Err(Failure::new(Class::SourceRefused, why))
    };
    match condition {
        Condition::Is(value) if kind == "time" => Ok(format!("{keyword} = $({value})")),
        Condition::Is(value) if kind == "string" => Ok(format!("{keyword} = '{value}'")),
        Condition::Is(value) if value.trim().parse::<f64>().is_ok_and(f64::is_finite) && is_number => {
            Ok(format!("{keyword} = {}", value.trim()))
        }
        Condition::Is(_) => refused("a text"),
        Condition::Within(least, most) if is_number => Ok(format!("{keyword} >= {least} AND {keyword} <= {most}")),
        Condition::Within(..) => refused("a range of numbers"),
        Condition::NoneOf(mask) if is_number => Ok(format!("({keyword} & {mask}) = 0")),
        Condition::NoneOf(_) => refused("bits"),
    }
}

fn no_keyword(series: &str, filter: &str, keyword: &str) -> Failure {
    let why = format!(
        "filter `{filter}` cannot be applied: by JSOC's `series_struct`, `{}` has no `{keyword}`; leave the filter out, or \
         use `where`",
        escape(series)
    );
    Failure::new(Class::SourceRefused, why)
}

#[cfg(test)]
mod tests;
