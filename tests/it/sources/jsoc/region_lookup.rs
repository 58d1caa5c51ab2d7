//! Ranges and filters that follow active regions: looked up once, kept in the lock.

use std::fs;

use serde_json::{Value, json};

use super::super::contract::Fake as _;
use super::{DISKS, Fake, INFO, Record};
use crate::lab::{Job, Lab};

/// NOAA 11158 in two patches over three days, and another region in a third one.
fn service() -> Fake {
    let record = |recnum, harpnum, time, noaa| Record { harpnum, noaa, ..Record::new(recnum, time) };
    Fake::of(vec![
        record(1, 377, "2011-02-14T23:48:00", "11158"),
        record(2, 377, "2011-02-15T00:00:00", "11158"),
        record(3, 377, "2011-02-15T12:00:00", "11158"),
        record(4, 394, "2011-02-16T00:00:00", "11158,11162"),
        record(5, 394, "2011-02-16T00:12:00", "11158,11162"),
        record(6, 401, "2011-02-15T12:00:00", "11166"),
        record(7, 402, "2011-02-15T12:00:00", "111580"),
    ])
}

const FILES: &str = "segments: [Br], fetch: files";

/// The question for the patches that have these NOAA numbers.
fn holders(numbers: &str) -> String {
    format!("hmi.sharp_cea_720s[][1993.01.01_00:00:00_TAI/40000d@12h][? NOAA_ARS ~ '{numbers}' ?]")
}

fn lab(job: &Job) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    lab
}

/// The keys of all files of all days.
fn keys(lab: &Lab) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for date in ["2011-02-13", "2011-02-14", "2011-02-15", "2011-02-16", "2011-02-17"] {
        if lab.path(&format!("data/.sunhaul/days/one/{date}.jsonl")).exists() {
            keys.extend(
                lab.day("data", "one", date).files.iter().map(|file| file["key"].as_str().expect("a key").to_owned()),
            );
        }
    }
    keys
}

fn region_lines(lab: &Lab) -> Vec<Value> {
    let lock = String::from_utf8(lab.read("job.lock")).expect("text");
    let lines = lock.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| line.get("region").cloned()).collect()
}

/// The requests of a run's report.
fn sent(report: &Value) -> u64 {
    report["totals"]["requests"]["sent"].as_u64().expect("a count")
}

/// How many requests the service has had.
fn had(fake: &Fake) -> u64 {
    fake.server().requests().len() as u64
}

fn windows(report: &Value) -> Vec<String> {
    let days = report["days"].as_array().expect("days");
    days.iter().map(|day| day["date"].as_str().expect("a date").to_owned()).collect()
}

#[test]
fn a_range_by_noaa_number_is_looked_up_once_and_holds_all_records_of_its_patches_and_no_others() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ noaa: 11158 }"));
    let report = lab.report(0);
    assert_eq!(windows(&report), ["2011-02-14", "2011-02-15", "2011-02-16"]);
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br", "4/Br", "5/Br"]);
    let listed = fake.listed();
    assert_eq!(listed[..2], [holders("11158"), "hmi.sharp_cea_720s[377,394]".to_owned()]);
    assert!(listed[2..].iter().all(|set| set.starts_with("hmi.sharp_cea_720s[377,394][2011.02.1")), "{listed:?}");
    assert_eq!(listed.len(), 2 + 3);
    let window = |day: &str| lab.day("data", "one", day).header["window"].clone();
    assert_eq!(window("2011-02-14"), json!(["2011-02-14T23:48:00_TAI", "2011-02-15T00:00:00_TAI"]));
    assert_eq!(window("2011-02-16"), json!(["2011-02-16T00:00:00_TAI", "2011-02-16T00:24:00_TAI"]));
    let region = |harpnum: i64, window: [&str; 2]| json!({ "series": "one", "name": "hmi.sharp_cea_720s", "noaa": 11158, "harpnum": harpnum, "window": window });
    let lines = [
        region(377, ["2011-02-14T23:48:00_TAI", "2011-02-15T12:12:00_TAI"]),
        region(394, ["2011-02-16T00:00:00_TAI", "2011-02-16T00:24:00_TAI"]),
    ];
    assert_eq!(region_lines(&lab), lines);
    let schema: Value = lab.sunhaul(&["schema", "lock"]).stdout_has("{").done().json();
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(lines.iter().all(|line| schema.is_valid(&json!({ "region": line }))));
}

#[test]
fn the_same_lock_gives_the_same_days_without_a_question_to_every_command() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ noaa: 11158 }"));
    lab.report(0);
    let (lock, asked) = (lab.read("job.lock"), fake.server().requests().len());
    // The patch has grown meanwhile: only `update` looks.
    fake.state().records.push(Record { harpnum: 394, ..Record::new(8, "2011-02-17T00:00:00") });
    assert_eq!(lab.report(0)["totals"]["days"]["already_sealed"], 3);
    for command in
        [&["plan"][..], &["status"], &["verify"], &["lock"], &["run", "--locked"], &["run", "--frozen"], &["check"]]
    {
        lab.sunhaul(&[command, &["job.yaml"]].concat()).chatty().stdout_has("").done();
    }
    let plan = lab.sunhaul(&["plan", "job.yaml"]).stdout_has("all 3 days are sealed").done().stdout;
    let told = "  NOAA 11158: HARP 377 from 2011-02-14T23:48:00_TAI to 2011-02-15T12:12:00_TAI, \
                HARP 394 from 2011-02-16 TAI to 2011-02-16T00:24:00_TAI\n";
    assert!(plan.contains(told), "{plan}");
    assert_eq!(fake.server().requests().len(), asked);
    assert_eq!(lab.read("job.lock"), lock);
    // Elsewhere, the very files.
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.sunhaul(&["run", "job.yaml", "--locked"]).chatty().done();
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br", "4/Br", "5/Br"]);
    assert!(!fake.listed()[5..].contains(&holders("11158")));
}

#[test]
fn a_range_by_harp_number_has_its_margin_and_asks_for_that_patch_alone() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ harpnum: [377], margin: 12h }"));
    let report = lab.report(0);
    assert_eq!(windows(&report), ["2011-02-14", "2011-02-15", "2011-02-16"]);
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br"]);
    assert_eq!(lab.day("data", "one", "2011-02-14").header["window"][0], "2011-02-14T11:48:00_TAI");
    assert_eq!(lab.day("data", "one", "2011-02-16").header["window"][1], "2011-02-16T00:12:00_TAI");
    assert_eq!(fake.listed()[0], "hmi.sharp_cea_720s[377]");
    // A series that names its patches itself keeps them.
    let own = fake.job(&format!("harpnum: [377, 401], {FILES}")).following("{ harpnum: 377 }");
    let lab = self::lab(&own);
    lab.report(0);
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br", "6/Br"]);
}

#[test]
fn a_region_is_expected_for_as_long_as_its_source_told_whatever_days_are_there() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ harpnum: 377 }"));
    lab.report_with(&["--range", "2011-02-14..2011-02-15"], 0);
    let status = lab.sunhaul(&["status", "job.yaml", "--by", "harpnum", "--json"]).stdout_has("").done().json();
    let region = &status["series"][0]["regions"][0];
    assert_eq!((&region["harpnum"], &region["had"], &region["expected"]), (&json!(377), &json!(1), &json!(62)));
    assert_eq!(region["lacking"], json!({ "not-fetched": 61 }), "{status:#}");
    assert_eq!(
        (&region["first"], &region["last"]),
        (&json!("2011-02-14T23:48:00_TAI"), &json!("2011-02-15T12:00:00_TAI"))
    );
}

#[test]
fn update_looks_up_regions_again_and_says_what_changed() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ harpnum: 377 }"));
    lab.report(0);
    lab.sunhaul(&["update", "job.yaml", "--dry-run"])
        .stdout("2 days compared: nothing changed; 3 files: compared 3 by record number\n")
        .done();
    let grown = Record::new(9, "2011-02-16T00:00:00");
    fake.state().records.push(grown);
    let lock = lab.read("job.lock");
    let told = "one HARP 377\n  old HARP 377 from 2011-02-14T23:48:00_TAI to 2011-02-15T12:12:00_TAI\n  \
                new HARP 377 from 2011-02-14T23:48:00_TAI to 2011-02-16T00:12:00_TAI\n";
    let dry = lab.sunhaul(&["update", "job.yaml", "--dry-run"]).status(3).stdout_has(told).done().stdout;
    let told_last =
        "0 added, 0 removed, 0 changed, 1 region with other patches; 3 files: compared 3 by record number\n";
    assert!(dry.ends_with(told_last), "{dry}");
    assert_eq!(lab.read("job.lock"), lock);
    let json = lab.sunhaul(&["update", "job.yaml", "--dry-run", "--json"]).status(3).stdout_has("{").done().json();
    assert_eq!((&json["regions"][0]["region"], &json["regions"][0]["series"]), (&json!("HARP 377"), &json!("one")));
    lab.sunhaul(&["update", "job.yaml"]).stdout_has(told).chatty().done();
    assert_eq!(region_lines(&lab)[0]["window"][1], "2011-02-16T00:12:00_TAI");
    // The day that the range has now is for a run, which asks for no region.
    let before = fake.listed().len();
    lab.report(0);
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br", "9/Br"]);
    assert!(fake.listed()[before..].iter().all(|set| set.contains("[377][2011.02.1")));
}

#[test]
fn plan_asks_for_a_range_that_the_lock_does_not_know_and_check_never_does() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ noaa: [11158, 12345] }"));
    lab.sunhaul(&["check", "job.yaml"]).chatty().done();
    assert_eq!(fake.server().requests().len(), 0);
    let plan = lab.sunhaul(&["plan", "job.yaml"]).stdout_has("to do").chatty().done();
    assert!(plan.stdout.contains("\n  NOAA 12345: no HARP\n"), "{}", plan.stdout);
    assert!(plan.stderr.contains("warning: NOAA 12345: no HARP in hmi.sharp_cea_720s"), "{}", plan.stderr);
    assert_eq!(fake.listed(), [holders("11158|12345"), "hmi.sharp_cea_720s[377,394]".to_owned()]);
    assert!(!lab.path("data").exists() && !lab.path("job.lock").exists());
    let json = lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("{").chatty().done().json();
    let regions = &json["series"][0]["regions"];
    assert_eq!(
        (&regions[0]["patches"][1]["harpnum"], &regions[1]),
        (&json!(394), &json!({ "patches": [], "region": "NOAA 12345" }))
    );
    // Commands that ask nobody say who does.
    for command in ["lock", "verify", "export"] {
        let more: &[&str] = if command == "export" { &["--format", "csv"] } else { &[] };
        let said = "the range of series `one` follows NOAA 11158, and the lock does not say when it was seen";
        lab.sunhaul(&[&[command, "job.yaml"], more].concat()).status(2).stderr_has(said).done();
    }
    let told = "warning: the range of series `one` follows NOAA 11158, and the lock does not say when it was seen";
    lab.sunhaul(&["status", "job.yaml"]).stdout_has("").stderr_has(told).done();
    lab.sunhaul(&["run", "job.yaml", "--locked"]).status(3).stderr_has("does not exist").done();
    assert_eq!(fake.listed().len(), 4);
}

#[test]
fn a_region_without_a_patch_is_a_warning_beside_others_and_refused_alone() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ noaa: [11158, 12345] }"));
    let told = "warning: NOAA 12345: no HARP in hmi.sharp_cea_720s; `sunhaul update` asks again";
    lab.sunhaul(&["run", "job.yaml"]).stderr_has(told).chatty().done();
    let absent = json!({ "series": "one", "name": "hmi.sharp_cea_720s", "noaa": 12345, "absent": true });
    assert_eq!(region_lines(&lab)[2], absent);
    for (series, range) in [
        (FILES.to_owned(), "{ noaa: 12345 }"),
        (format!("noaa: [12345], {FILES}"), "{ start: 2011-02-15, end: 2011-02-16 }"),
    ] {
        let lab = self::lab(&fake.job(&series).following(range));
        let report = lab.report(1);
        let message = report["run"]["error"].as_str().expect("an error");
        assert!(message.contains("NOAA 12345: no HARP in hmi.sharp_cea_720s"), "{report:#}");
        assert_eq!(report["run"]["exit_code"], 1);
        assert!(!lab.path("job.lock").exists() && keys(&lab).is_empty());
    }
    let lab = self::lab(&fake.job(FILES).following("{ harpnum: 99999 }"));
    lab.sunhaul(&["run", "job.yaml"]).status(1).stderr_has("HARP 99999: no record in hmi.sharp_cea_720s").done();
}

#[test]
fn a_filter_by_noaa_number_is_looked_up_once_a_run_and_each_day_is_asked_for_by_harp_number() {
    let fake = service();
    let job = fake.job(&format!("noaa: [11158], {FILES}")).range("2011-02-14", "2011-02-16");
    let lab = lab(&job);
    lab.report(0);
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br"]);
    let listed = fake.listed();
    assert_eq!(listed[0], holders("11158"));
    assert!(
        listed.len() == 3 && listed[1..].iter().all(|set| set.starts_with("hmi.sharp_cea_720s[377,394][")),
        "{listed:?}"
    );
    assert_eq!(fake.asked(INFO, "rs_list", "key")[0], "HARPNUM,NOAA_ARS");
    assert_eq!(region_lines(&lab)[0]["harpnum"], 377);
    // More days are asked for by what the lock has.
    lab.write("job.yaml", job.range("2011-02-14", "2011-02-17").yaml());
    lab.report(0);
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br", "4/Br", "5/Br"]);
    assert_eq!(fake.listed().len(), 4);
}

#[test]
fn a_lock_of_an_earlier_version_that_knows_no_region_is_held_to_with_each_record_s_numbers() {
    let fake = service();
    let lab = lab(&fake.job(&format!("noaa: [11158], {FILES}")).range("2011-02-14", "2011-02-17"));
    lab.report(0);
    let lock = String::from_utf8(lab.read("job.lock")).expect("text");
    let old: String = lock.split_inclusive('\n').filter(|line| !line.starts_with("{\"region\"")).collect();
    lab.write("job.lock", &old);
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.sunhaul(&["run", "job.yaml", "--locked"]).chatty().done();
    assert_eq!(keys(&lab), ["1/Br", "2/Br", "3/Br", "4/Br", "5/Br"]);
    assert!(fake.listed()[4..].iter().all(|set| set.contains("[? NOAA_ARS ~ '11158' ?]") && !set.contains("40000d")));
    assert_eq!(String::from_utf8(lab.read("job.lock")).expect("text"), old);
    // A run that may move it adds the regions when it asks for days again.
    lab.on_a_new_machine();
    lab.report(0);
    assert_eq!(String::from_utf8(lab.read("job.lock")).expect("text"), lock);
}

#[test]
fn a_source_that_does_not_answer_a_question_about_regions_ends_its_job_and_not_the_others() {
    let fake = service();
    let lab = lab(&fake.job(FILES).following("{ noaa: 11158 }").retry("{ attempts: 1, max_wait: 1s }"));
    let other = Job::embedded().yaml().replace("name: lab", "name: other").replace("root: data", "root: other");
    lab.write("other.yaml", other);
    fake.list(super::super::contract::How::Failing);
    lab.sunhaul(&["run", "job.yaml", "other.yaml"]).status(4).stderr_has("500").chatty().done();
    assert!(!lab.path("data/one").exists() && lab.path("other/.sunhaul/days").exists());
}

#[test]
fn the_requests_that_look_up_regions_are_in_the_report_of_their_job() {
    let filter = format!("noaa: [11158], {FILES}");
    let dates = "{ start: 2011-02-14, end: 2011-02-17 }";
    for (keys, range) in [(FILES, "{ noaa: 11158 }"), (&filter, dates)] {
        let (fake, other) = (service(), service());
        let lab = lab(&fake.job(keys).following(range));
        let second = other.job(keys).following(range).yaml();
        lab.write("other.yaml", second.replace("name: lab", "name: other").replace("root: data", "root: other"));
        lab.sunhaul(&["run", "job.yaml", "other.yaml"]).chatty().done();
        for (fake, archive) in [(&fake, "data"), (&other, "other")] {
            let runs = lab.tree(&format!("{archive}/.sunhaul/runs"));
            let report = lab.json(&format!("{archive}/.sunhaul/runs/{}", runs.keys().next().expect("one")));
            assert_eq!((sent(&report), &report["hosts"][0]["requests"]), (had(fake), &json!(had(fake))), "{keys}");
        }
        // So are those of `update`, and of a run that ends with them.
        let before = had(&fake);
        lab.sunhaul(&["update", "job.yaml", "--report", "report.json"]).stdout_has("").chatty().done();
        assert_eq!(sent(&lab.json("report.json")), had(&fake) - before, "{keys}");
        let lab = self::lab(&fake.job(&keys.replace("11158", "12345")).following(&range.replace("11158", "12345")));
        let before = had(&fake);
        assert_eq!(sent(&lab.report(1)), had(&fake) - before, "{keys}");
    }
}

#[test]
fn a_series_without_patches_is_refused_with_its_name_and_a_way_out() {
    let fake = service();
    let lab_of = |series: &str, range: &str| {
        let series = format!("{{ name: {DISKS}, as: one{series} }}");
        lab(&Job::from_source(&fake.source()).series(&[&series]).following(range))
    };
    let dates = "{ start: 2011-02-15, end: 2011-02-16 }";
    let no_keyword = |filter: &str, keyword: &str| {
        format!(
            "filter `{filter}` cannot be applied: by JSOC's `series_struct`, `{DISKS}` has no `{keyword}`; leave the \
             filter out, or use `where`"
        )
    };
    let no_patches = |number: &str| {
        format!("the range of `one` follows {number}, and `{DISKS}` has no HARPNUM among its prime keys")
    };
    for (series, range, told) in [
        ("", "{ harpnum: 377 }", no_patches("HARP 377")),
        ("", "{ noaa: 11158, margin: 12h }", no_patches("NOAA 11158")),
        (", noaa: [11158]", dates, no_keyword("noaa", "NOAA_ARS")),
        (", harpnum: [377]", dates, no_keyword("harpnum", "HARPNUM")),
    ] {
        let lab = lab_of(series, range);
        // Which keywords a series has, JSOC alone knows, and `check` asks nobody.
        lab.sunhaul(&["check", "job.yaml"]).chatty().done();
        lab.sunhaul(&["run", "job.yaml"]).status(1).chatty().stderr_has(&told).done();
        assert!(!lab.path("job.lock").exists() && keys(&lab).is_empty());
        if range != dates {
            let hint = "hint: write `start` and `end`";
            lab.sunhaul(&["plan", "job.yaml"]).status(1).stderr_has(&told).stderr_has(hint).done();
        }
    }
    // Of other services it is known that they cannot be asked for a region.
    let told = "a range that follows regions cannot be asked of `embedded`";
    for range in ["{ harpnum: 377 }", "{ noaa: 11158 }"] {
        let lab = lab(&Job::embedded().following(range));
        lab.sunhaul(&["check", "job.yaml"]).status(2).stderr_has(told).stderr_has("write `start` and `end`").done();
    }
    let lab = lab(&Job::embedded().series(&["{ name: sharp_720s, as: one, noaa: [11158] }"]));
    lab.sunhaul(&["check", "job.yaml"]).status(2).stderr_has("`noaa` cannot be asked of `embedded`").done();
}
