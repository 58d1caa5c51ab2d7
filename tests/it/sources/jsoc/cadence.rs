//! Images such as those of AIA: cadences where slots do not say how far apart records are, and days too large for one answer.

use chrono::{NaiveDateTime, TimeDelta};
use serde_json::{Value, json};

use super::info::seconds;
use super::{FETCH, INFO, said};
use crate::lab::{Answer, Job, Lab, Request, Server, fits};

/// A series of images such as `aia.lev1`.
#[derive(Clone)]
struct Images {
    name: &'static str,
    /// Seconds from one slot of `T_OBS` to the next; none where it is a plain time.
    slot: Option<i64>,
    records: Vec<Image>,
}

#[derive(Clone)]
struct Image {
    recnum: i64,
    time: NaiveDateTime,
    wavelength: i64,
}

fn at(text: &str) -> NaiveDateTime {
    text.parse().expect("a time")
}

/// An image every so many seconds from an hour before the day to an hour after it, of one wavelength after the other.
fn every(seconds: i64, wavelengths: &[i64]) -> Vec<Image> {
    let times = (1..26 * 3600).step_by(usize::try_from(seconds).expect("a step")).zip(wavelengths.iter().cycle());
    let image = |(recnum, (second, wavelength)): (i64, (i64, &i64))| Image {
        recnum,
        time: at("2011-02-14T23:00:00") + TimeDelta::seconds(second),
        wavelength: *wavelength,
    };
    (1..).zip(times).map(image).collect()
}

impl Image {
    fn slot(&self) -> String {
        self.time.format("%Y.%m.%d_%H:%M:%S_TAI").to_string()
    }

    fn path(&self) -> String {
        format!("/SUM1/D{}/S00000/image_lev1.fits", self.recnum)
    }

    fn value(&self, key: &str) -> String {
        match key {
            "*recnum*" | "FSN" => self.recnum.to_string(),
            "*online*" | "*archive*" => "Y".to_owned(),
            "*size*" => "1".to_owned(),
            "T_OBS" => self.slot(),
            "WAVELNTH" => self.wavelength.to_string(),
            _ => "Invalid KeyLink".to_owned(),
        }
    }
}

/// Seconds since `1977.01.01_TAI`, which the server counts times in.
fn seconds_since_1977(time: NaiveDateTime) -> i64 {
    (time - at("1977-01-01T00:00:00")).num_seconds()
}

/// A number as `%g` prints it: with six digits.
#[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
fn g(number: i64) -> f64 {
    format!("{:.5e}", number as f64).parse().expect("a number")
}

impl Images {
    fn query(&self, image: &Image) -> String {
        format!("{}[{}][{}]", self.name, image.slot(), image.recnum)
    }

    fn structure(&self) -> Answer {
        let mut time = json!({ "name": "T_OBS", "slotted": u8::from(self.slot.is_some()) });
        if let Some(slot) = self.slot {
            time["step"] = format!("{slot}.000000").into();
        }
        let keywords = [("T_OBS", "time"), ("FSN", "int"), ("WAVELNTH", "int")];
        said(&json!({
            "primekeys": ["T_OBS", "FSN"], "primekeysinfo": [time, { "name": "FSN", "slotted": 0 }],
            "keywords": keywords.map(|(name, kind)| json!({ "name": name, "type": kind, "recscope": "variable" })),
            "segments": [{ "name": "image_lev1", "protocol": "fits" }], "status": 0,
        }))
    }

    /// The records of a record set, as `lm-jps/drms` selects them.
    fn select(&self, set: &str) -> Vec<&Image> {
        let inside = set.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('[')).expect("a record set");
        let inside = inside.split(']').next().expect("a key");
        if let Some(numbers) = inside.strip_prefix(':') {
            // `parse_index_set`, `drms_names.c:664`.
            let numbers: Vec<i64> = numbers
                .split(',')
                .map(|number| number.strip_prefix('#').expect("a #").parse().expect("a number"))
                .collect();
            return self.records.iter().filter(|image| numbers.contains(&image.recnum)).collect();
        }
        let (start, span) = inside.split_once('/').expect("a span");
        let (span, skip) = span.split_once('@').map_or((span, None), |(span, skip)| (span, Some(seconds(skip))));
        let start = NaiveDateTime::parse_from_str(start, "%Y.%m.%d_%H:%M:%S_TAI").expect("a start");
        let (start, span) = (seconds_since_1977(start), seconds(span));
        let is_asked = |time: i64| match self.slot {
            // `CalcSlot` of `ts_slot` keywords does not round (`drms_keyword_priv.h:35`).
            Some(slot) => {
                let (nth, first) = (time.div_euclid(slot), start.div_euclid(slot));
                (first..first + (span / slot).max(1)).contains(&nth)
                    && skip.is_none_or(|skip| (nth - first) % (skip / slot) == 0)
            }
            // `drms_names.c:2180-2222`.
            None => (start..start + span).contains(&time) && skip.is_none_or(|skip| is_multiple(time, start, skip)),
        };
        self.records.iter().filter(|image| is_asked(seconds_since_1977(image.time))).collect()
    }

    fn list(&self, request: &Request) -> Answer {
        let records = self.select(&request.parameter("ds").expect("a record set"));
        if records.is_empty() {
            return said(&json!({ "count": 0, "status": 0 }));
        }
        let keys = request.parameter("key").expect("keys");
        let column = |key: &str| {
            let values: Vec<String> = records.iter().map(|image| image.value(key)).collect();
            json!({ "name": key, "values": values })
        };
        let paths: Vec<String> = records.iter().map(|image| image.path()).collect();
        said(&json!({
            "keywords": keys.replace("**ALL**", "T_OBS,FSN,WAVELNTH").split(',').map(column).collect::<Vec<_>>(),
            "segments": [{ "name": "image_lev1", "values": paths, "dims": [] }], "count": records.len(), "status": 0,
            "recinfo": records.iter().map(|image| json!({ "name": self.query(image) })).collect::<Vec<_>>(),
        }))
    }

    /// An order at once of files that are on disk.
    fn order(&self, request: &Request) -> Answer {
        let set = request.parameter("ds").expect("a record set");
        let row = |image: &&Image| json!({ "record": format!("{}{{image_lev1}}", self.query(image)), "filename": image.path() });
        let data: Vec<Value> = self.select(&set).iter().map(row).collect();
        said(&json!({ "status": 0, "requestid": "", "dir": "", "wait": 0, "count": data.len(), "data": data }))
    }

    fn answer(&self, request: &Request) -> Option<Answer> {
        match (request.path.as_str(), request.parameter("op").as_deref()) {
            (INFO, Some("series_struct")) => Some(self.structure()),
            (INFO, Some("rs_list")) => Some(self.list(request)),
            (FETCH, Some("exp_request")) => Some(self.order(request)),
            (path, _) => {
                let image = self.records.iter().find(|image| image.path() == path)?;
                Some(Answer::file(fits(u32::try_from(image.recnum).ok()?, 1, "image")))
            }
        }
    }

    fn serve(self) -> Server {
        Server::speaking(move |request| self.answer(request))
    }

    /// The same, whose listing of more than so many records is larger than is read.
    fn serve_large(self, most: usize) -> Server {
        Server::speaking(move |request| {
            let answer = self.answer(request)?;
            let set = request.parameter("ds").filter(|_| request.parameter("op").as_deref() == Some("rs_list"));
            let is_large = set.is_some_and(|set| self.select(&set).len() > most);
            Some(if is_large { answer.with_body(vec![b' '; 65 << 20]) } else { answer })
        })
    }
}

/// `(abs(((time - start) / skip) - (round((time - start) / skip))) < tolerance)`, `drms_names.c:2213-2221`.
#[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
fn is_multiple(time: i64, start: i64, skip: i64) -> bool {
    let multiples = (time as f64 - g(start)) / g(skip);
    (multiples - multiples.round()).abs() < 2e-11 * start as f64
}

/// A job over the day, and its report. The run's words hold a text.
fn run(images: Images, export: &str, keys: &str, words: &str) -> (Lab, Value, Server) {
    let name = images.name;
    run_at(images.serve(), name, (export, keys, words))
}

fn run_at(server: Server, name: &str, (export, keys, words): (&str, &str, &str)) -> (Lab, Value, Server) {
    let source = format!("{{ jsoc: {{ url: \"{}\"{export} }} }}", server.url());
    let series = format!("{{ name: {name}, as: one, {keys} }}");
    let lab = Lab::new();
    lab.write("job.yaml", Job::from_source(&source).series(&[&series]).range("2011-02-15", "2011-02-16").yaml());
    lab.run().stderr_has(words).done();
    let report = lab.json("report.json");
    (lab, report, server)
}

fn recnums(lab: &Lab) -> Vec<i64> {
    let day = lab.day("data", "one", "2011-02-15");
    let mut all: Vec<i64> = day.files.iter().filter_map(|file| file["recnum"].as_i64()).collect();
    all.sort_unstable();
    all
}

#[test]
fn each_instant_has_the_record_nearest_to_it_where_times_have_no_slots() {
    // One every 100 s: of each hour, that of one second after.
    let images = Images { name: "iris.lev1", slot: None, records: every(100, &[1]) };
    let (lab, report, _server) = run(images, "", "fetch: files, cadence: 1h", "24 files");
    assert_eq!(recnums(&lab), (0..24).map(|hour| 37 + 36 * hour).collect::<Vec<_>>());
    assert_eq!((&report["days"][0]["without_record"], &report["days"][0]["state"]), (&json!(0), &json!("sealed")));
}

#[test]
fn a_record_and_the_table_say_which_instant_they_stand_for() {
    let images = Images { name: "iris.lev1", slot: None, records: every(100, &[1]) };
    let (lab, ..) = run(images, "", "fetch: both, keywords: [T_OBS], cadence: 1h", "26 files");
    let day = lab.day("data", "one", "2011-02-15");
    let files = day.files.iter().filter(|file| file["recnum"].is_i64());
    let told: Vec<(&Value, &Value)> = files.map(|file| (&file["time"], &file["instant"])).collect();
    assert_eq!(told.len(), 24);
    assert_eq!(told[1], (&json!("2011-02-15T01:00:01_TAI"), &json!("2011-02-15T01:00:00_TAI")));
    let table = day.files.iter().find(|file| file["key"] == "made:keywords.csv").expect("a table");
    assert_eq!(table.get("instant"), None);
    let table = lab.read(&format!("data/{}", table["path"].as_str().expect("a path")));
    let table = String::from_utf8(table).expect("UTF-8");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("time,scale,instant,recnum,"), "{table}");
    assert!(lines[2].starts_with("2011-02-15T01:00:01,TAI,2011-02-15T01:00:00,"), "{table}");
}

#[test]
fn a_record_is_of_the_day_that_its_time_lies_in_whatever_instant_it_stands_for() {
    // One 5 s before each hour: that of the midnight before lies on the day before, and that of the midnight after on this day.
    let image = |hour: i64| Image {
        recnum: hour,
        time: at("2011-02-15T00:00:00") + TimeDelta::hours(hour) - TimeDelta::seconds(5),
        wavelength: 1,
    };
    let images = Images { name: "iris.lev1", slot: None, records: (0..=24).map(image).collect() };
    let (lab, report, _server) = run(images, "", "fetch: files, cadence: 1h", "24 files");
    assert_eq!((recnums(&lab), &report["days"][0]["without_record"]), ((1..=24).collect(), &json!(0)));
    let files = lab.day("data", "one", "2011-02-15").files;
    let mut instants: Vec<&str> = files.iter().filter_map(|file| file["instant"].as_str()).collect();
    instants.sort_unstable();
    assert_eq!((instants[0], instants[23]), ("2011-02-15T01:00:00_TAI", "2011-02-16T00:00:00_TAI"));
}

#[test]
fn slots_that_are_mostly_empty_do_not_hide_a_record_and_an_instant_without_one_is_reported() {
    let mut records = every(13, &[171, 193]);
    let whole = Images { name: "aia.lev1", slot: Some(1), records: records.clone() };
    let (lab, report, server) = run(whole, "", "fetch: files, cadence: 12m", "240 files");
    assert_eq!((recnums(&lab).len(), &report["days"][0]["without_record"]), (2 * 120, &json!(0)));
    let sets: Vec<String> = server.requests_for(INFO).iter().filter_map(|request| request.parameter("ds")).collect();
    assert_eq!(sets[1..], ["aia.lev1[2011.02.14_23:53:58_TAI/87125s]"], "one question, without `@`");

    // Nothing between 02:00 and 03:00, and of one wavelength for 20 minutes more: 02:12, 02:24, 02:36, 02:48; 03:00, 03:12.
    let is_left = |image: &Image| {
        let time = image.time.format("%H:%M").to_string();
        !("02:00".."03:00").contains(&time.as_str())
            && (image.wavelength == 193 || !("03:00".."03:20").contains(&time.as_str()))
    };
    records.retain(is_left);
    let gap = Images { name: "aia.lev1", slot: Some(1), records };
    let (lab, report, _server) = run(
        gap,
        "",
        "fetch: files, cadence: 12m",
        "warning: 6 of 120 slots of the cadence on 1 day have no record, such as on one 2011-02-15",
    );
    assert_eq!(report["days"][0]["without_record"], 6, "{report:#}");
    assert!(recnums(&lab).len() < 240);
}

#[test]
fn a_wavelength_that_a_whole_day_lacks_leaves_every_instant_without_a_record() {
    let images = Images { name: "aia.lev1", slot: Some(1), records: every(13, &[171]) };
    let (_lab, report, _server) = run(
        images,
        "",
        "fetch: files, cadence: 6h, wavelength: [171, 193]",
        "warning: 4 of 4 slots of the cadence on 1 day have no record, such as on one 2011-02-15",
    );
    assert_eq!(report["days"][0]["without_record"], 4, "{report:#}");
}

#[test]
fn a_day_that_lacks_slots_of_its_cadence_says_how_many() {
    let image = |(recnum, hour): (i64, i64)| Image {
        recnum,
        time: at("2011-02-15T00:00:00") + TimeDelta::hours(hour),
        wavelength: 6173,
    };
    let of = |hours: Vec<i64>| {
        let images = Images { name: "hmi.m_720s", slot: Some(720), records: (1..).zip(hours).map(image).collect() };
        let words = "12 of 24 slots of the cadence on 1 day have no record, such as on one 2011-02-15";
        let words = if images.records.len() == 12 { words } else { "24 files" };
        let (_lab, report, _server) = run(images, "", "fetch: files, cadence: 1h", words);
        ["without_record", "cadence_slots"].map(|count| report["days"][0][count].clone())
    };
    assert_eq!(of((0..24).step_by(2).collect()), [json!(12), json!(24)]);
    assert_eq!(of((0..24).collect()), [json!(0), json!(24)]);
}

#[test]
fn the_chosen_records_alone_are_ordered() {
    let images = Images { name: "aia.lev1", slot: Some(1), records: every(13, &[171]) };
    let export = ", export: { email: jane@example.org, protocol: as-is, method: url_quick }";
    let (lab, _, server) = run(images, export, "fetch: files, cadence: 6h", "4 files");
    let chosen = recnums(&lab);
    assert_eq!(chosen.len(), 4);
    let orders: Vec<String> = server.requests_for(FETCH).iter().filter_map(|request| request.parameter("ds")).collect();
    let numbers = chosen.iter().map(|recnum| format!("#{recnum}")).collect::<Vec<_>>().join(",");
    assert_eq!(orders, [format!("aia.lev1[:{numbers}]{{image_lev1}}")]);
}

#[test]
fn a_day_that_is_too_large_for_one_answer_is_listed_in_parts() {
    let images = || Images { name: "aia.lev1", slot: Some(1), records: every(100, &[171]) };
    for keys in ["fetch: both, keywords: [T_OBS]", "fetch: both, keywords: [T_OBS], cadence: 30m"] {
        let (whole, ..) = run(images(), "", keys, "");
        let server = images().serve_large(300);
        let (parts, _, server) = run_at(server, "aia.lev1", ("", keys, ""));
        assert_eq!(recnums(&whole), recnums(&parts));
        assert_eq!(whole.proved("data"), parts.proved("data"), "files and table are the same");
        let asked = server.requests_for(INFO).len();
        assert_eq!(asked, 1 + 7, "the series; the day, its halves and its quarters");
    }
}
