//! Records whose keywords were computed anew: each has another number, and points to the storage unit of the one before.

use std::fs;

use serde_json::{Value, json};

use super::super::contract::Fake as _;
use super::export::ordered;
use super::orders::EMAIL;
use super::{Fake, Record};
use crate::lab::Lab;

const DAY: &str = "2015-12-11";
const BOTH: &str = "segments: [Br]";
const FILES: &str = "segments: [Br], fetch: files";

/// Two records of a day in an archive and its lock.
fn locked(keys: &str) -> (Fake, Lab) {
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), Record::new(9, "2015-12-11T12:12:00")]);
    let lab = Lab::new();
    lab.write("job.yaml", fake.job(keys).yaml());
    lab.report(0);
    (fake, lab)
}

/// As `update_sharp_keys.c` leaves them.
fn renumber(fake: &Fake) {
    fake.state().records.iter_mut().for_each(|record| record.recnum += 90_000);
}

/// How many files were asked for so far.
fn asked(fake: &Fake) -> usize {
    fake.server().requests().iter().filter(|request| request.path.starts_with("/SUM")).count()
}

fn update(lab: &Lab, args: &[&str], status: i32) -> Value {
    let all = [&["update", "job.yaml", "--json"], args].concat();
    lab.sunhaul(&all).status(status).chatty().stdout_has("{").done().json()
}

/// Added, removed, changed, and those that have other keywords alone.
fn counts(told: &Value) -> [u64; 4] {
    ["added", "removed", "changed", "keywords_changed"].map(|count| told[count].as_u64().expect("a count"))
}

/// The keys of the files in the day's record, and in the lock.
fn keys(lab: &Lab) -> [Vec<String>; 2] {
    let lock = String::from_utf8(lab.read("job.lock")).expect("text");
    let lines = lock.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line"));
    let locked: Vec<Value> = lines.filter(|line| line["key"].is_string()).collect();
    [lab.day("data", "one", DAY).files, locked].map(|files| {
        let files = files.iter().filter(|file| file["recnum"].is_i64());
        files.map(|file| file["key"].as_str().expect("a key").to_owned()).collect()
    })
}

#[test]
fn new_keywords_of_a_record_are_drift_of_its_table_and_not_of_its_files() {
    let (fake, lab) = locked(BOTH);
    let (files, before) = (lab.proved("data"), asked(&fake));
    renumber(&fake);
    let told = update(&lab, &["--dry-run"], 3);
    assert_eq!(counts(&told), [0, 0, 1, 2], "{told:#}");
    assert_eq!((&told["days"][0]["keywords_changed"], asked(&fake)), (&json!(2), before));
    let words = "  2 files: keywords changed, data the same\n\
                 1 day compared: 0 added, 0 removed, 1 changed, 2 with other keywords and the same data; 4 files: compared 2 by \
                 hash, 2 by record number\n";
    lab.sunhaul(&["update", "job.yaml", "--dry-run", "--files"]).status(3).chatty().stdout_has(words).done();
    let told = update(&lab, &[], 0);
    assert_eq!((counts(&told), asked(&fake)), ([0, 0, 1, 2], before), "{told:#}");
    let now = lab.proved("data");
    let table = "one/2015/12/11/hmi.sharp_cea_720s.20151211.keywords.csv";
    let differ: Vec<&String> = files.keys().filter(|path| files[*path] != now[*path]).collect();
    assert_eq!((files.len(), differ), (now.len(), vec![&table.to_owned()]));
    let due = || ["90008/Br", "90009/Br"].map(str::to_owned).to_vec();
    assert_eq!(keys(&lab), [due(), due()]);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
    lab.run_with(&["--locked"]).done();
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn files_without_a_table_get_the_number_of_their_record_and_are_not_asked_for() {
    let (fake, lab) = locked(FILES);
    let (files, before) = (lab.proved("data"), asked(&fake));
    renumber(&fake);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 3)), [0, 0, 0, 2]);
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 0, 2]);
    assert_eq!((lab.proved("data"), asked(&fake)), (files, before));
    assert_eq!(keys(&lab)[0], keys(&lab)[1]);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
}

#[test]
fn files_with_keywords_in_their_headers_are_made_anew() {
    let (fake, lab) = locked("segments: [Br], fetch: files, headers: embed");
    let before = asked(&fake);
    renumber(&fake);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 3)), [0, 0, 2, 0]);
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 2, 0]);
    assert_eq!(asked(&fake), before + 2);
    let due = || ["90008/Br/headers", "90009/Br/headers"].map(str::to_owned).to_vec();
    assert_eq!(keys(&lab), [due(), due()]);
    let path = "data/one/2015/12/11/hmi.sharp_cea_720s.377.20151211_000000_TAI.Br.fits";
    let header = String::from_utf8_lossy(&lab.read(path)).into_owned();
    let cards: Vec<&str> = (0..header.len() / 80).filter_map(|nth| header.get(80 * nth..80 * (nth + 1))).collect();
    let card = cards.iter().find(|card| card.starts_with("RECNUM  =")).expect("a card");
    assert!(card.contains(" 90008"), "{card}");
    assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
    lab.run_with(&["--locked"]).done();
}

#[test]
fn keywords_that_were_changed_in_place_are_noticed_by_their_table() {
    let (fake, lab) = locked(BOTH);
    fake.state().records[1].flux = Some("7.25e+22");
    let told = update(&lab, &["--dry-run"], 3);
    assert_eq!(counts(&told), [0, 0, 1, 0], "{told:#}");
    let path = told["days"][0]["changed"][0]["path"].as_str().expect("a path");
    assert!(path.ends_with(".keywords.csv"), "{path}");
}

#[test]
fn a_record_with_another_storage_unit_has_another_file() {
    let (fake, lab) = locked(FILES);
    let (files, before) = (lab.proved("data"), asked(&fake));
    renumber(&fake);
    fake.state().records[1].unit = 77;
    let told = update(&lab, &["--dry-run"], 3);
    assert_eq!(counts(&told), [0, 0, 1, 1], "{told:#}");
    let changed = &told["days"][0]["changed"][0];
    let path = "one/2015/12/11/hmi.sharp_cea_720s.377.20151211_121200_TAI.Br.fits";
    assert_eq!((&changed["path"], &changed["key"], &changed["new"]), (&json!(path), &json!("90009/Br"), &Value::Null));
    let told = update(&lab, &[], 0);
    assert_eq!((counts(&told), asked(&fake)), ([0, 0, 1, 1], before + 1), "{told:#}");
    assert_ne!(lab.proved("data"), files);
}

#[test]
fn a_young_day_that_is_listed_again_keeps_the_files_of_renumbered_records() {
    let fake = Fake::of(vec![Record::new(8, "2025-12-11T00:00:00"), Record::new(9, "2025-12-11T12:12:00")]);
    let lab = Lab::new();
    lab.write("job.yaml", fake.job(BOTH).range("2025-12-11", "2025-12-12").more("settle: 3650d").yaml());
    lab.report(0);
    let before = asked(&fake);
    renumber(&fake);
    let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("{").chatty().done().json();
    assert_eq!(plan["listing"]["days"][0]["files_here"], 3, "two files, and what the columns mean: {plan:#}");
    lab.report(0);
    let day = lab.day("data", "one", "2025-12-11");
    assert!(day.files.iter().any(|file| file["key"] == "90009/Br"), "{:?}", day.files);
    assert_eq!(asked(&fake), before);
    // What is not as it came is fetched.
    let path = "data/one/2025/12/11/hmi.sharp_cea_720s.377.20251211_000000_TAI.Br.fits";
    fs::remove_file(lab.path(path)).expect("a file");
    renumber(&fake);
    lab.report(0);
    assert_eq!((asked(&fake), lab.proved("data").len()), (before + 1, 4));
}

#[test]
fn a_lock_holds_the_files_of_renumbered_records_to_their_bytes() {
    let (fake, lab) = locked(FILES);
    let files = lab.proved("data");
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    renumber(&fake);
    lab.run_with(&["--locked"]).done();
    assert_eq!(lab.proved("data"), files, "in an archive that is begun anew");
    // Its day is done again from the numbers of before.
    let path = "data/one/2015/12/11/hmi.sharp_cea_720s.377.20151211_000000_TAI.Br.fits";
    fs::remove_file(lab.path(path)).expect("a file");
    renumber(&fake);
    let before = asked(&fake);
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).chatty().stdout_has("").start().done_any();
    assert_eq!((lab.proved("data"), asked(&fake)), (files, before + 1));
}

#[test]
fn keywords_that_were_changed_in_place_are_noticed_by_the_headers_they_are_in() {
    let (fake, lab) = locked("segments: [Br], fetch: files, headers: embed");
    let before = asked(&fake);
    let told = update(&lab, &["--dry-run"], 0);
    assert_eq!((counts(&told), &told["by"]["keywords"]), ([0; 4], &json!(2)), "{told:#}");
    fake.state().records[1].flux = Some("7.25e+22");
    let told = update(&lab, &["--dry-run"], 3);
    assert_eq!((counts(&told), asked(&fake)), ([0, 0, 1, 0], before), "{told:#}");
    assert_eq!(told["days"][0]["changed"][0]["key"], "9/Br/headers");
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 1, 0]);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
}

#[test]
fn a_record_that_got_another_storage_unit_has_another_file() {
    for keys in [FILES, "segments: [Br], fetch: files, headers: embed"] {
        let (fake, lab) = locked(keys);
        let files = lab.proved("data");
        fake.state().records[1].unit = 77;
        let told = update(&lab, &["--dry-run"], 3);
        assert_eq!(counts(&told), [0, 0, 1, 0], "{told:#}");
        assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 1, 0]);
        assert_ne!(lab.proved("data"), files);
        assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
    }
}

#[test]
fn a_young_day_takes_a_file_anew_that_is_stored_elsewhere_or_has_other_keywords_in_its_header() {
    for keys in [FILES, "segments: [Br], fetch: files, headers: embed"] {
        let fake = Fake::of(vec![Record::new(8, "2025-12-11T00:00:00"), Record::new(9, "2025-12-11T12:12:00")]);
        let lab = Lab::new();
        lab.write("job.yaml", fake.job(keys).range("2025-12-11", "2025-12-12").more("settle: 3650d").yaml());
        lab.report(0);
        let before = asked(&fake);
        lab.report(0);
        assert_eq!(asked(&fake), before);
        fake.state().records[1].unit = 77;
        lab.report(0);
        assert_eq!(asked(&fake), before + 1, "{keys}");
        fake.state().records[0].flux = Some("7.25e+22");
        lab.report(0);
        assert_eq!(asked(&fake), before + 1 + usize::from(keys != FILES), "{keys}");
    }
}

#[test]
fn files_that_are_ordered_as_they_are_are_neither_ordered_nor_fetched_again() {
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), Record::new(9, "2015-12-11T12:12:00")]);
    let lab = Lab::new();
    let how = format!("email: {EMAIL}, protocol: as-is");
    lab.write("job.yaml", ordered(&fake, &how, "fetch: files", "2015-12-12").yaml());
    lab.report(0);
    let (files, before) = (lab.proved("data"), (asked(&fake), fake.given()));
    renumber(&fake);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 3)), [0, 0, 0, 2]);
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 0, 2]);
    assert_eq!((lab.proved("data"), (asked(&fake), fake.given())), (files, before));
    assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
    // One has another storage unit: its bytes are not known.
    renumber(&fake);
    fake.state().records[1].unit = 77;
    assert_eq!(counts(&update(&lab, &["--dry-run"], 3)), [0, 0, 1, 1]);
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 1, 1]);
    assert_eq!((asked(&fake), fake.given()), (before.0 + 1, before.1 + 1));
}

#[test]
fn files_that_are_ordered_with_keywords_are_others_once_these_are_computed_again() {
    for identity in ["identity: bytes", "identity: fits-data"] {
        let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), Record::new(9, "2015-12-11T12:12:00")]);
        let lab = Lab::new();
        let job = ordered(&fake, &format!("email: {EMAIL}"), "fetch: files", "2015-12-12").more(identity);
        lab.write("job.yaml", job.yaml());
        lab.report(0);
        let files = lab.proved("data");
        renumber(&fake);
        let given = fake.given();
        assert_eq!(counts(&update(&lab, &["--dry-run"], 3)), [0, 0, 2, 0], "{identity}");
        assert_eq!(fake.given(), given, "looking orders nothing");
        assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 2, 0], "{identity}");
        assert_eq!(fake.given(), given + 1);
        let now = lab.proved("data");
        assert!(files.keys().eq(now.keys()) && files.iter().all(|(path, bytes)| now[path] != *bytes), "{identity}");
        assert_eq!(keys(&lab), [["90008/Br", "90009/Br"]; 2].map(|keys| keys.map(str::to_owned).to_vec()));
        assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4], "{identity}");
        lab.run_with(&["--locked"]).done();
        // What is changed in place makes no new record: only another order shows it.
        fake.state().records[1].flux = Some("7.25e+22");
        assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4], "{identity}");
        fake.state().desk.orders.clear();
        assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 1, 0], "{identity}");
    }
}

#[test]
fn files_whose_path_has_the_number_of_their_record_are_renamed() {
    let fake = Fake::of(vec![Record::new(8, "2015-12-11T00:00:00"), Record::new(9, "2015-12-11T12:12:00")]);
    let lab = Lab::new();
    let layout = "archive: { root: data, layout: \"{series}/{recnum}.{segment}.fits\" }";
    let job = fake.job(FILES).yaml().replace("archive: { root: data }", layout);
    lab.write("job.yaml", job);
    lab.report(0);
    let (files, before) = (lab.proved("data"), asked(&fake));
    renumber(&fake);
    assert_eq!(counts(&update(&lab, &["--dry-run"], 3)), [0, 0, 0, 2]);
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 0, 2]);
    let now = lab.proved("data");
    assert_eq!(asked(&fake), before);
    assert_eq!(now.keys().collect::<Vec<_>>(), ["one/90008.Br.fits", "one/90009.Br.fits"]);
    assert!(now.values().eq(files.values()), "{now:?}");
    assert_eq!(counts(&update(&lab, &["--dry-run"], 0)), [0; 4]);
    // A file that is not there is fetched.
    fs::remove_file(lab.path("data/one/90008.Br.fits")).expect("a file");
    renumber(&fake);
    assert_eq!(counts(&update(&lab, &[], 0)), [0, 0, 0, 2]);
    assert!(lab.proved("data").values().eq(files.values()));
    assert_eq!(asked(&fake), before + 1);
}
