//! `status --by harpnum`: the slots of each region, and why some are not there.

use serde_json::{Value, json};

use super::super::contract::Fake as _;
use super::{DISKS, Fake, Record, SERIES};
use crate::lab::{Job, Lab};

const BY: [&str; 4] = ["status", "job.yaml", "--by", "harpnum"];

fn at(recnum: i64, time: &str) -> Record {
    Record::new(recnum, &format!("2015-12-{time}"))
}

/// Of region 377, a record of poor quality, one that is not made, one without a file, and one on the next day; of 378, one.
fn two_regions() -> Fake {
    Fake::of(vec![
        at(1, "11T00:00:00"),
        Record { quality: 0x0001_0000, ..at(2, "11T00:12:00") },
        Record { quality: 0x8000_0000, unit: -1, ..at(3, "11T00:24:00") },
        Record { instead: Some("NoDataFile"), ..at(4, "11T00:48:00") },
        at(5, "11T01:00:00"),
        at(6, "12T00:00:00"),
        Record { harpnum: 378, ..at(7, "11T06:00:00") },
    ])
}

fn job(fake: &Fake, series: &[&str]) -> Job {
    let named: Vec<String> = series.iter().map(|keys| format!("{{ name: {SERIES}, {keys} }}")).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    Job::from_source(&fake.source()).range("2015-12-11", "2015-12-13").series(&named)
}

fn lab(job: &Job, status: i32) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    lab.report(status);
    lab
}

fn regions(lab: &Lab) -> Value {
    lab.sunhaul(&[&BY[..], &["--json"]].concat()).stdout_has("{").done().json()
}

fn counts(region: &Value) -> (u64, u64, Value) {
    let count = |key: &str| region[key].as_u64().expect("a count");
    (count("had"), count("expected"), region["lacking"].clone())
}

#[test]
fn each_region_has_its_slots_and_a_reason_for_each_gap() {
    let fake = two_regions();
    let lab = lab(&job(&fake, &["as: one, segments: [Br], fetch: files, quality: good"]), 0);
    let told = "one  2 regions, a slot every 720 s\n  \
                HARP 377: 3 of 121 slots; 2 quality, 1 no file, 115 absent  \
                (2015-12-11T00:00:00_TAI to 2015-12-12T00:00:00_TAI)\n  \
                HARP 378: 1 of 1 slot  (2015-12-11T06:00:00_TAI to 2015-12-11T06:00:00_TAI)\n";
    lab.sunhaul(&BY).stdout_has(told).stdout_has("quality        left out by `quality`").done();
    let all = regions(&lab);
    let region = &all["series"][0]["regions"][0];
    assert_eq!(counts(region), (3, 121, json!({ "quality": 2, "no-file": 1, "absent": 115 })));
    let gap = |first: &str, last: &str, slots: u64, reason: &str| {
        let label = |time: &str| format!("2015-12-11T{time}_TAI");
        json!({ "first": label(first), "last": label(last), "slots": slots, "reason": reason })
    };
    let gaps = json!([
        gap("00:12:00", "00:24:00", 2, "quality"),
        gap("00:36:00", "00:36:00", 1, "absent"),
        gap("00:48:00", "00:48:00", 1, "no-file"),
        gap("01:12:00", "23:48:00", 114, "absent"),
    ]);
    assert_eq!(region["gaps"], gaps);
    let csv = "series,harpnum,first,last,step_seconds,expected,had,quality,no_file,accepted,absent,provisional,\
               offline,failed,not_fetched,outside_range,not_known,not_requested\n\
               one,377,2015-12-11T00:00:00_TAI,2015-12-12T00:00:00_TAI,720,121,3,2,1,0,115,0,0,0,0,0,0,0\n\
               one,378,2015-12-11T06:00:00_TAI,2015-12-11T06:00:00_TAI,720,1,1,0,0,0,0,0,0,0,0,0,0,0\n";
    lab.sunhaul(&[&BY[..], &["--csv"]].concat()).stdout(csv).done();
}

#[test]
fn a_record_keeps_what_quality_left_out_and_nothing_where_it_leaves_out_nothing() {
    let fake = two_regions();
    let one = "as: one, segments: [Br], fetch: files";
    let lab = lab(&job(&fake, &[&format!("{one}, quality: good"), "as: all, segments: [Br], fetch: files"]), 0);
    let header = |series: &str, date: &str| lab.day("data", series, date).header;
    let spans = json!({ "quality": { "377": ["2015-12-11T00:12:00_TAI/2015-12-11T00:24:00_TAI"] } });
    assert_eq!(header("one", "2015-12-11")["left_out"], spans);
    assert_eq!(header("one", "2015-12-12")["left_out"], json!({ "quality": {} }));
    assert!(header("all", "2015-12-11").get("left_out").is_none());
}

#[test]
fn keyword_tables_count_and_a_series_of_another_range_is_held_to_the_whole_region() {
    let fake = two_regions();
    let keys = "as: short, fetch: keywords, keywords: [USFLUX], range: { start: 2015-12-11, end: 2015-12-11T00:30:00 }";
    let lab = lab(&job(&fake, &["as: table, fetch: keywords, harpnum: [377]", keys]), 0);
    let all = regions(&lab);
    assert_eq!(counts(&all["series"][0]["regions"][0]), (6, 121, json!({ "absent": 115 })));
    assert_eq!(counts(&all["series"][1]["regions"][0]), (3, 121, json!({ "outside-range": 118 })));
    let table = "data/table/2015/12/11/hmi.sharp_cea_720s.20151211.keywords.csv";
    lab.write(table, [&lab.read(table)[..], b"\n"].concat());
    let edited = regions(&lab);
    assert_eq!(counts(&edited["series"][0]["regions"][0]), (1, 121, json!({ "not-known": 120 })), "{edited:#}");
}

#[test]
fn a_day_that_failed_has_its_files_and_each_gap_its_own_reason() {
    let fake = two_regions();
    fake.state().records.push(Record { instead: Some("NoDataDirectory"), is_offline: true, ..at(8, "12T00:12:00") });
    // One that is not made, one of poor quality, one without a file, and one that is there.
    fake.state().records.push(Record { quality: 0x0001_0000, ..at(9, "12T00:36:00") });
    fake.state().records.push(Record { instead: Some("NoDataFile"), ..at(10, "12T00:48:00") });
    fake.state().records.push(at(11, "12T01:00:00"));
    let one = job(&fake, &["as: one, segments: [Br], fetch: files, quality: good, harpnum: [377]"]);
    let lab = lab(&one, 1);
    let region = regions(&lab)["series"][0]["regions"][0].clone();
    let reasons = json!({ "quality": 3, "no-file": 2, "absent": 116, "offline": 1 });
    assert_eq!(counts(&region), (4, 126, reasons), "{region:#}");
    let accept = "accept: [{ series: one, day: 2015-12-12, file: \"*001200*\", reason: \"on tape\" }]";
    lab.write("job.yaml", one.more(accept).yaml());
    lab.on_a_new_machine();
    lab.report(0);
    let region = regions(&lab)["series"][0]["regions"][0].clone();
    assert_eq!(counts(&region).2, json!({ "quality": 3, "no-file": 2, "absent": 116, "accepted": 1 }));
}

#[test]
fn what_is_not_final_or_left_out_by_a_filter_is_not_told_to_be_absent() {
    let young = Fake::of(vec![Record::new(1, "2025-12-11T00:00:00"), Record::new(2, "2025-12-11T01:00:00")]);
    let one = job(&young, &["as: one, segments: [Br], fetch: files"]).range("2025-12-11", "2025-12-12");
    let lab = lab(&one.more("settle: 3650d"), 0);
    let region = regions(&lab)["series"][0]["regions"][0].clone();
    assert_eq!(counts(&region), (2, 6, json!({ "provisional": 4 })), "{region:#}");
    let fake = two_regions();
    let filtered = job(&fake, &["as: one, segments: [Br], fetch: files, where: { USFLUX: \"0..1e23\" }"]);
    let lab = self::lab(&filtered, 0);
    let region = regions(&lab)["series"][0]["regions"][0].clone();
    assert_eq!(counts(&region).2, json!({ "no-file": 2, "not-requested": 115 }), "{region:#}");
    let words = "not requested  left out by the filters of the job, or the source has no such record\n";
    lab.sunhaul(&BY).stdout_has(words).done();
}

#[test]
fn a_job_without_regions_and_words_that_do_not_fit_are_refused() {
    let lab = Lab::new();
    let job = |name: &str| {
        Job::from_source("{ jsoc: { url: \"http://localhost:1\" } }")
            .series(&[&format!("{{ name: {name}, as: one }}")])
            .yaml()
    };
    lab.write("job.yaml", job(SERIES));
    lab.sunhaul(&BY).stdout_has("one  0 regions").done();
    lab.sunhaul(&["status", "job.yaml", "--by", "region"]).status(2).stderr_has("invalid value 'region'").done();
    lab.sunhaul(&["status", "job.yaml", "--csv"]).status(2).stderr_has("`--csv`").stderr_has("--by harpnum").done();
    lab.sunhaul(&[&BY[..], &["--csv", "--json"]].concat()).status(2).stderr_has("cannot be used with").done();
    lab.write("job.yaml", job("aia.lev1_euv_12s"));
    lab.sunhaul(&BY).status(2).stderr_has("the records of `one` have no HARPNUM").stderr_has("--by month").done();
}

/// A region of the report: `series harpnum had/expected lacking`.
fn told(region: &Value) -> String {
    let (had, expected, lacking) = counts(region);
    format!("{} {} {had}/{expected} {lacking}", region["series"].as_str().expect("an id"), region["harpnum"])
}

fn of_report(report: &Value) -> Vec<String> {
    assert_eq!(report["regions_omitted"], 0);
    report["regions"].as_array().expect("a list").iter().map(told).collect()
}

#[test]
fn a_report_counts_the_slots_of_regions_that_were_there_on_the_days_of_its_run() {
    let fake = two_regions();
    fake.state().records.push(Record { harpnum: 379, ..at(8, "12T06:00:00") });
    let files = "segments: [Br], fetch: files, quality: good";
    let job = job(&fake, &[&format!("as: one, {files}"), "as: table, fetch: keywords, harpnum: [377]"]);
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    let run = lab.run().chatty().done();
    let line = "\n  regions: 11 of 244 slots; 2 quality, 1 no file, 230 absent\n";
    assert!(run.stderr.contains(line), "{}", run.stderr);
    let report = lab.json("report.json");
    let one = [
        r#"one 377 3/121 {"absent":115,"no-file":1,"quality":2}"#,
        "one 378 1/1 {}",
        "one 379 1/1 {}",
        r#"table 377 6/121 {"absent":115}"#,
    ];
    assert_eq!(of_report(&report), one);
    // The same as `status` says, but for the gaps.
    let mut status = regions(&lab)["series"][0].clone();
    let mut region = status["regions"][0].take();
    region.as_object_mut().expect("an object").remove("gaps");
    let mut own = report["regions"][0].clone();
    let own_fields = own.as_object_mut().expect("an object");
    assert_eq!(own_fields.remove("series"), Some(json!("one")));
    assert_eq!(own_fields.remove("step_seconds"), Some(status["step_seconds"].take()));
    assert_eq!(own, region);
    // A run with nothing to do reads no records; one of the second day has the regions of that day.
    assert!(of_report(&lab.report(0)).is_empty());
    for series in ["one", "table"] {
        std::fs::remove_file(lab.path(&format!("data/.sunhaul/days/{series}/2015-12-12.jsonl"))).expect("a record");
    }
    assert_eq!(of_report(&lab.report(0)), [one[0], one[2], one[3]]);
}

#[test]
fn a_report_has_the_slots_of_failed_days_and_no_regions_of_other_series() {
    let fake = two_regions();
    fake.state().records.push(Record { instead: Some("NoDataDirectory"), is_offline: true, ..at(8, "12T00:12:00") });
    fake.state().records.push(at(9, "12T00:24:00"));
    let lab = Lab::new();
    lab.write("job.yaml", job(&fake, &["as: one, segments: [Br], fetch: files, quality: good, harpnum: [377]"]).yaml());
    let failed = r#"one 377 4/123 {"absent":115,"no-file":1,"offline":1,"quality":2}"#;
    assert_eq!(of_report(&lab.report(1)), [failed]);
    let disks = Fake::of(vec![Record { series: DISKS, ..Record::new(1, "2015-12-11T00:00:00") }]);
    let lab = Lab::new();
    let series = format!("{{ name: {DISKS}, as: one, segments: [Br], fetch: files }}");
    lab.write("job.yaml", Job::from_source(&disks.source()).series(&[&series]).yaml());
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["fetched"], 1);
    assert!(of_report(&report).is_empty());
}
