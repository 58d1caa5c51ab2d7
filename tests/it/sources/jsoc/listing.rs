//! Direct listings: what is asked for, the table of keywords, what JSOC refuses.

use std::fs;

use serde_json::{Value, json};

use super::super::contract::Fake as _;
use super::{Fake, INFO, Record};
use crate::lab::{Answer, Job, Lab, fits};

fn two() -> Fake {
    Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), Record::new(9, "2015-12-11T12:12:00")])
}

fn run(job: &Job, status: i32) -> (Lab, Value) {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    let report = lab.report(status);
    (lab, report)
}

fn refused(job: &Job) -> String {
    let (lab, report) = run(job, 1);
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    report["failures"][0]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn by_default_a_day_has_its_files_and_a_table_of_their_keywords() {
    let fake = two();
    let (lab, report) = run(&fake.job(""), 0);
    let folder = "one/2015/12/11";
    let stem = format!("{folder}/hmi.sharp_cea_720s");
    let files: Vec<String> = lab.proved("data").into_keys().collect();
    assert_eq!(
        files,
        [
            format!("{stem}.20151211.keywords.csv"),
            format!("{stem}.20151211.keywords.json"),
            format!("{stem}.377.20151211_000000_TAI.Bp.fits"),
            format!("{stem}.377.20151211_000000_TAI.Br.fits"),
            format!("{stem}.377.20151211_121200_TAI.Bp.fits"),
            format!("{stem}.377.20151211_121200_TAI.Br.fits"),
        ]
    );
    let table = String::from_utf8(lab.read(&format!("data/{stem}.20151211.keywords.csv"))).expect("UTF-8");
    assert_eq!(
        table,
        "time,scale,recnum,has_data,HARPNUM,T_REC,NOAA_ARS,QUALITY,USFLUX,CRVAL1\n\
         2015-12-11T00:00:00,TAI,8,true,377,2015.12.11_00:00:00_TAI,11158,0,8.5e+21,\n\
         2015-12-11T12:12:00,TAI,9,true,377,2015.12.11_12:12:00_TAI,11158,0,9.5e+21,-12.25\n"
    );
    let sidecar = lab.json(&format!("data/{stem}.20151211.keywords.json"));
    assert_eq!((&sidecar["sunhaul"], &sidecar["scale"]), (&json!("keywords/2"), &json!("TAI")));
    let flux = json!({ "name": "USFLUX", "type": "double", "unit": "Mx", "missing": "", "invalid_link": "",
        "default": "nan", "note": "Total unsigned flux" });
    assert!(sidecar["columns"].as_array().expect("columns").contains(&flux), "{sidecar:#}");
    let record = lab.day("data", "one", "2015-12-11");
    let line = record.files.iter().find(|file| file["key"] == "9/Br").expect("a line");
    assert_eq!(
        (&line["url"], &line["time"], &line["recnum"], &line["harpnum"], &line["segment"], &line["checked"]),
        (
            &json!("/SUM58/D9/S00008/Br.fits"),
            &json!("2015-12-11T12:12:00_TAI"),
            &json!(9),
            &json!(377),
            &json!("Br"),
            &json!("checksum")
        )
    );
    assert_eq!(report["totals"]["files"]["fetched"], 6);
    // One question for the series, one for the day, one for each file.
    assert_eq!(fake.server().requests().len(), 2 + 4);
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn keywords_alone_ask_for_no_file() {
    let fake = two();
    let (lab, _) = run(&fake.job("fetch: keywords, keywords: [CRVAL1]"), 0);
    let files: Vec<String> = lab.proved("data").into_keys().collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let table = String::from_utf8(lab.read(&format!("data/{}", files[0]))).expect("UTF-8");
    assert!(table.starts_with("time,scale,recnum,harpnum,has_data,CRVAL1\n") && table.lines().count() == 3, "{table}");
    assert_eq!(fake.asked(INFO, "rs_list", "seg"), ["**NONE**"]);
    assert_eq!(fake.asked(INFO, "rs_list", "key"), ["*recnum*,HARPNUM,T_REC,QUALITY,CRVAL1"]);
}

#[test]
fn filters_go_into_the_record_set_and_are_looked_at_again() {
    let record = |recnum, harpnum, time, noaa, quality| Record { harpnum, noaa, quality, ..Record::new(recnum, time) };
    let fake = Fake::of(vec![
        record(1, 377, "2015-12-11T00:00:00", "11158,11162", 0),
        record(2, 377, "2015-12-11T00:12:00", "11158", 0),
        record(3, 377, "2015-12-11T01:00:00", "11158", 0x0001_0000),
        record(4, 378, "2015-12-11T02:00:00", "111580", 0),
    ]);
    let keys = "fetch: files, segments: [Br], noaa: [11158], cadence: 1h, where: { QUALITY: { none_of: 0x10000 }, USFLUX: \"0..1e23\" }";
    let (lab, _) = run(&fake.job(keys), 0);
    let set = "hmi.sharp_cea_720s[377][2015.12.11_00:00:00_TAI/1458m@1h]\
               [? ((QUALITY & 65536) = 0) AND (USFLUX >= 0 AND USFLUX <= 1e23) ?]";
    assert_eq!(fake.listed()[1..], [set], "the first question is for the patches of the region");
    let day = lab.day("data", "one", "2015-12-11");
    let keys: Vec<&str> = day.files.iter().map(|file| file["key"].as_str().expect("a key")).collect();
    assert_eq!(keys, ["1/Br"], "of 111580 only the digits fit");
    let (_, _) = run(&fake.job("fetch: files, harpnum: [378, 377], where: \"[? USFLUX > 0 ?]\""), 0);
    assert_eq!(fake.listed()[2], "hmi.sharp_cea_720s[378,377][2015.12.10_23:54:00_TAI/1464m][? USFLUX > 0 ?]");
}

#[test]
fn a_range_that_ends_within_a_day_is_asked_for_in_part() {
    let fake = two();
    let (lab, report) = run(&fake.job("segments: [Br], fetch: files").range("2015-12-11", "2015-12-11T12:12:00"), 0);
    assert_eq!(fake.listed(), ["hmi.sharp_cea_720s[][2015.12.10_23:54:00_TAI/756m]"]);
    assert_eq!((lab.proved("data").len(), &report["days"][0]["outside_day"]), (1, &json!(0)));
}

#[test]
fn l_15_a_record_without_a_file_is_absent() {
    let gone = Record { instead: Some("NoDataFile"), ..Record::new(9, "2015-12-11T12:12:00") };
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), gone]);
    let (lab, report) = run(&fake.job("segments: [Br]"), 0);
    assert_eq!((&report["totals"]["files"]["absent"], &report["days"][0]["state"]), (&json!(1), &json!("sealed")));
    let day = lab.day("data", "one", "2015-12-11");
    let line = day.files.iter().find(|file| file["key"] == "9/Br").expect("a line");
    assert_eq!(line["absent"], "no-file");
    let table = String::from_utf8(lab.read("data/one/2015/12/11/hmi.sharp_cea_720s.20151211.keywords.csv"));
    assert_eq!(table.expect("UTF-8").lines().count(), 3, "its keywords are there all the same");
}

#[test]
fn a_file_that_is_not_on_the_disks_fails_alone_with_the_way_out() {
    let at = || Record::new(9, "2015-12-11T12:12:00");
    for offline in [Record { instead: Some("NoDataDirectory"), ..at() }, Record { is_offline: true, ..at() }] {
        let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), offline]);
        let (lab, report) = run(&fake.job("segments: [Br], fetch: files"), 1);
        let [failure] = report["failures"].as_array().expect("failures").as_slice() else { panic!("{report:#}") };
        assert_eq!((&failure["class"], &failure["key"]), (&json!("source-refused"), &json!("9/Br")));
        let message = failure["message"].as_str().expect("a message");
        let told =
            "`hmi.sharp_cea_720s[377][2015.12.11_12:12:00_TAI]{Br}` is not on JSOC's disks; ask jsoc@sun.stanford.edu";
        assert!(message.contains(told), "{message}");
        assert_eq!(lab.files("data").len(), 1, "the other one is there");
        assert!(lab.days("data").is_empty());
        // The job may do without it.
        let accept =
            "accept: [{ series: one, day: 2015-12-11, file: \"*.Br.fits\", reason: \"on tape, asked 2016-01-01\" }]";
        lab.write("job.yaml", fake.job("segments: [Br], fetch: files").more(accept).yaml());
        fs::remove_dir_all(lab.path("data")).expect("an archive");
        lab.report(0);
        let line = lab.day("data", "one", "2015-12-11").files[1].clone();
        assert_eq!((&line["key"], &line["absent"]), (&json!("9/Br"), &json!("accepted")), "{line:#}");
    }
}

#[test]
fn a_file_that_is_neither_on_disk_nor_on_tape_is_absent() {
    let gone = Record { instead: Some("NoDataDirectory"), is_gone: true, ..Record::new(9, "2015-12-11T12:12:00") };
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), gone]);
    let (lab, report) = run(&fake.job("segments: [Br], fetch: files"), 0);
    assert_eq!((&report["totals"]["files"]["absent"], &report["days"][0]["state"]), (&json!(1), &json!("sealed")));
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn a_file_that_leaves_the_disks_later_is_kept_as_it_came() {
    let fake = two();
    let lab = Lab::new();
    lab.write("job.yaml", fake.job("segments: [Br], fetch: files").yaml());
    lab.report(0);
    let files = lab.proved("data");
    fake.state().records[1].instead = Some("NoDataDirectory");
    lab.write("job.yaml", fake.job("segments: [Br], fetch: files, harpnum: [377]").yaml());
    lab.report(0);
    assert_eq!(lab.proved("data"), files);
}

#[test]
fn what_jsoc_does_not_have_is_refused_in_its_own_words_and_asked_once() {
    let fake = two();
    let asked = || fake.server().requests().len();
    let message = refused(&fake.job("segments: [Bz]").range("2015-12-11", "2015-12-14"));
    assert!(message.contains("has no segment `Bz`") && message.contains("Br"), "{message}");
    assert_eq!(asked(), 1, "three days, one question");
    let message = refused(&fake.job("keywords: [USFLX]"));
    assert!(message.contains("has no keyword `USFLX`; did you mean `USFLUX`?"), "{message}");
    let message = refused(&fake.job("where: { CRVAL2: \"0..1\" }"));
    assert!(message.contains("has no keyword `CRVAL2`; did you mean `CRVAL1`?"), "{message}");
    let unknown = Job::from_source(&fake.source()).series(&["{ name: hmi.sharp_cea_720, as: one }"]);
    let before = asked();
    let message = refused(&unknown.range("2015-12-11", "2015-12-14"));
    let words = "asked for `hmi.sharp_cea_720`: JSOC says: series not found; did you mean `hmi.sharp_cea_720s`? \
                 http://jsoc.stanford.edu/ajax/lookdata.html lists the series of JSOC";
    assert!(message.contains(words), "{message}");
    assert_eq!(asked() - before, 1);
    let before = asked();
    let message = refused(&fake.job("where: \"[? NOSUCH > 1 ?]\""));
    assert!(message.contains("JSOC says: ERROR: column \"nosuch\" does not exist"), "{message}");
    assert_eq!(asked() - before, 2);
    let message = refused(&fake.job("").range("2009-12-11", "2009-12-12"));
    assert!(message.contains("the series begins with `hmi.sharp_cea_720s[1][2010.05.01_00:12:00_TAI]`"), "{message}");
}

#[test]
fn a_young_day_that_is_listed_again_fetches_new_records_alone() {
    let fake = Fake::of(vec![Record::new(8, "2025-12-11T00:00:00"), Record::new(9, "2025-12-11T12:12:00")]);
    let lab = Lab::new();
    lab.write("job.yaml", fake.job("segments: [Br]").range("2025-12-11", "2025-12-12").more("settle: 3650d").yaml());
    lab.report(0);
    let files = || fake.server().requests().iter().filter(|request| request.path.starts_with("/SUM58")).count();
    assert_eq!(files(), 2);
    let table = "data/one/2025/12/11/hmi.sharp_cea_720s.20251211.keywords.csv";
    let before = lab.read(table);
    // The record and its files are made anew, and the old one is listed no more.
    fake.state().records[1] = Record::new(10, "2025-12-11T12:12:00");
    lab.report(0);
    assert_eq!(files(), 3, "a record never changes, so nothing is asked about those that are here");
    assert_ne!(lab.read(table), before);
    let day = lab.day("data", "one", "2025-12-11");
    assert!(day.files.iter().any(|file| file["key"] == "10/Br"), "{:?}", day.files);
}

#[test]
fn latin_1_and_raw_control_characters_do_no_harm() {
    let fake = two();
    fake.state().note = b"flux in \xb5Mx,\n \x1b[2Jraw";
    let (lab, _) = run(&fake.job("fetch: keywords, keywords: [USFLUX]"), 0);
    let sidecar = lab.json("data/one/2015/12/11/hmi.sharp_cea_720s.20151211.keywords.json");
    assert_eq!(sidecar["columns"][5]["note"], "flux in \u{b5}Mx,\n \u{1b}[2Jraw");
}

#[test]
fn plan_counts_what_a_day_has() {
    let fake = two();
    let lab = Lab::new();
    lab.write("job.yaml", fake.job("").yaml());
    let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
    let day = &plan["listing"]["days"][0];
    assert_eq!((&day["files"], &day["error"]), (&json!(6), &Value::Null), "{plan:#}");
}

#[test]
fn a_file_that_jsoc_has_moved_meanwhile_is_not_absent() {
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00")]);
    fake.server.script("/SUM58/D8/S00008/Br.fits", [Answer::status(404)]);
    let (lab, report) = run(&fake.job("segments: [Br], fetch: files"), 4);
    assert_eq!(report["failures"][0]["class"], "not-found", "{report:#}");
    assert!(lab.days("data").is_empty(), "the day is not sealed on it");
    let moved = "/SUM59/D8/S00008/Br.fits";
    fake.state().records[0].instead = Some(moved);
    fake.server.script(moved, [Answer::file(fits(8, 20, "x"))]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1, "the next run lists it again, and has it");
}

#[test]
fn an_answer_that_says_nothing_is_no_empty_day() {
    let fake = two();
    fake.state().bare = true;
    let (lab, report) = run(&fake.job("segments: [Br], fetch: files"), 1);
    assert_eq!(report["failures"][0]["class"], "listing-malformed", "{report:#}");
    assert!(lab.days("data").is_empty());
}

#[test]
fn a_range_that_begins_and_ends_between_slots_has_every_slot_that_lies_in_it() {
    let times: Vec<String> =
        (0..=6).flat_map(|hour| (0..5).map(move |slot| format!("2015-12-11T{hour:02}:{:02}:00", slot * 12))).collect();
    for (start, end, cadence, due) in [
        ("2015-12-11T00:05:00", "2015-12-11T06:05:00", "", 30),
        ("2015-12-11", "2015-12-11T06:05:00", "", 31),
        ("2015-12-11", "2015-12-11T06:05:00", ", cadence: 1h", 7),
        ("2015-12-11T00:00:01", "2015-12-11T06:00:00", ", cadence: 1h", 5),
        ("2015-12-11T00:07:00", "2015-12-11T00:12:00", "", 0),
        ("2015-12-11T00:12:00", "2015-12-11T00:12:01", "", 1),
    ] {
        let fake = Fake::of((1..).zip(&times).map(|(recnum, time)| Record::new(recnum, time)).collect());
        let job = fake.job(&format!("segments: [Br], fetch: files{cadence}")).range(start, end);
        let lab = Lab::new();
        lab.write("job.yaml", job.yaml());
        lab.run().chatty().stdout_has("").start().done_any();
        assert_eq!(lab.proved("data").len(), due, "{start} to {end}{cadence}");
        let report = lab.json("report.json");
        assert_eq!(report["days"][0]["outside_day"], 0, "{report:#}");
    }
}

/// Each column of a table of keywords with its type, by pandas, by `DuckDB` and by polars, asked without any option.
const TYPES: &str = "import sys, pandas, duckdb, polars\n\
                     path = sys.argv[1]\n\
                     print({name: str(kind) for name, kind in pandas.read_csv(path).dtypes.items()})\n\
                     print({row[0]: row[1] for row in duckdb.sql(f\"describe from '{path}'\").fetchall()})\n\
                     print({name: str(kind) for name, kind in polars.read_csv(path).schema.items()})\n";

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn a_table_of_keywords_opens_with_its_types_in_pandas_duckdb_and_polars_without_options() {
    let tools = std::env::var("SUNHAUL_TEST_TOOLS").expect("SUNHAUL_TEST_TOOLS: tests/run.sh sets it");
    let (lab, _) = run(&two().job(""), 0);
    let table = "data/one/2015/12/11/hmi.sharp_cea_720s.20151211.keywords.csv";
    let python = format!("{tools}/python");
    let said = lab.program(&python, &["-c", TYPES, table]).chatty().stdout_has("").done().stdout;
    let [pandas, duckdb, polars] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    for (column, in_pandas, in_duckdb, in_polars) in [
        ("time", "str", "TIMESTAMP", "String"),
        ("scale", "str", "VARCHAR", "String"),
        ("recnum", "int64", "BIGINT", "Int64"),
        ("has_data", "bool", "BOOLEAN", "Boolean"),
        ("HARPNUM", "int64", "BIGINT", "Int64"),
        ("QUALITY", "int64", "BIGINT", "Int64"),
        ("USFLUX", "float64", "DOUBLE", "Float64"),
        ("CRVAL1", "float64", "DOUBLE", "Float64"),
    ] {
        for (told, kind) in [(pandas, in_pandas), (duckdb, in_duckdb), (polars, in_polars)] {
            assert!(told.contains(&format!("'{column}': '{kind}'")), "{column}: {told}");
        }
    }
}

#[test]
fn the_tables_of_all_days_are_exported_as_one_that_says_what_its_columns_mean() {
    let times = ["2015-12-11T00:00:00", "2015-12-11T12:12:00", "2015-12-13T06:00:00"];
    let fake = Fake::of((8..).zip(times).map(|(recnum, time)| Record::new(recnum, time)).collect());
    let job = fake.job("fetch: keywords").range("2015-12-11", "2015-12-14").series(&[
        "{ name: hmi.sharp_cea_720s, as: one, fetch: keywords, keywords: [USFLUX] }",
        "{ name: hmi.sharp_cea_720s, as: two, fetch: keywords, keywords: [CRVAL1, USFLUX] }",
    ]);
    let (lab, _) = run(&job, 0);
    let export = ["export", "job.yaml", "--format", "csv", "--keywords-table"];
    let table = "\"series\",time,scale,recnum,harpnum,has_data,USFLUX,CRVAL1\n\
                 one,2015-12-11T00:00:00,TAI,8,377,true,8.5e+21,\n\
                 one,2015-12-11T12:12:00,TAI,9,377,true,9.5e+21,\n\
                 one,2015-12-13T06:00:00,TAI,10,377,true,10.5e+21,\n\
                 two,2015-12-11T00:00:00,TAI,8,377,true,8.5e+21,\n\
                 two,2015-12-11T12:12:00,TAI,9,377,true,9.5e+21,-12.25\n\
                 two,2015-12-13T06:00:00,TAI,10,377,true,10.5e+21,\n";
    lab.sunhaul(&export).stdout(table).done();
    let as_nan = [&export[..], &["--missing", "NaN"]].concat();
    lab.sunhaul(&as_nan).stdout(&table.replace("21,\n", "21,NaN\n")).done();
    let to_file = [&export[..], &["--output", "keywords.csv"]].concat();
    lab.sunhaul(&to_file).stderr("keywords.csv: 6 records of 4 days\n").done();
    assert_eq!(String::from_utf8(lab.read("keywords.csv")).expect("UTF-8"), table);
    let metadata = lab.json("keywords.csv-metadata.json");
    assert_eq!(metadata["url"], "keywords.csv");
    let flux = json!({ "titles": "USFLUX", "null": "", "datatype": "double", "schema:unitText": "Mx",
        "dc:description": "Total unsigned flux" });
    assert_eq!(metadata["tableSchema"]["columns"][6], flux);
    // Neither of the two is replaced.
    fs::remove_file(lab.path("keywords.csv")).expect("removed");
    lab.sunhaul(&to_file).status(2).stderr_has("`keywords.csv-metadata.json` exists already").done();
    assert!(!lab.path("keywords.csv").exists());
    let day = "data/two/2015/12/13/hmi.sharp_cea_720s.20151213.keywords.csv";
    lab.write(day, String::from_utf8(lab.read(day)).expect("UTF-8").replace("10.5e+21", "11.5e+21"));
    lab.sunhaul(&export).status(1).stdout("").stderr_has("keywords.csv` has the SHA-256").done();
    fs::remove_file(lab.path(day)).expect("removed");
    lab.sunhaul(&export)
        .status(1)
        .stdout("")
        .stderr_has("keywords.csv` is not there")
        .stderr_has("sunhaul verify")
        .done();
}

#[test]
fn no_table_of_keywords_is_exported_where_no_day_has_one() {
    let (lab, _) = run(&two().job("fetch: files"), 0);
    lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords-table"])
        .status(2)
        .stderr_has("no day has a table of keywords")
        .stderr_has("`fetch: keywords`")
        .done();
    for wrong in [&["csv", "--keywords-table", "--by", "HARPNUM"][..], &["bagit", "--keywords-table"]] {
        let arguments = [&["export", "job.yaml", "--output", "out", "--format"][..], wrong].concat();
        lab.sunhaul(&arguments).status(2).stderr_has("--keywords-table").done();
    }
}
