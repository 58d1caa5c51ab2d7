//! `prefer`: the near-real-time records of a day until the definitive ones come.

use std::fs;

use serde_json::{Value, json};

use super::super::contract::{Fake as _, How};
use super::{Fake, NRT, Record, SERIES};
use crate::lab::{Answer, Job, Lab, fits};

/// A day that is final for any `settle`, and one that is not for ten years.
const DAY: &str = "2015-12-11";
const YOUNG: &str = "2025-12-11";
const FILES: &str = "segments: [Br], fetch: files";
const BOTH: &str = "segments: [Br]";

/// A slot of a young day.
fn young(time: &str) -> String {
    format!("{YOUNG}T{time}:00")
}

/// A definitive record.
fn definitive(recnum: i64, time: &str) -> Record {
    Record { harpnum: 377, ..Record::new(recnum, time) }
}

/// A near-real-time one: its patch has another number, and its files lie in other storage units.
fn nrt(recnum: i64, time: &str) -> Record {
    Record { series: NRT, harpnum: 9012, unit: 70_000 + recnum, ..Record::new(recnum, time) }
}

/// A job that prefers definitive records.
fn job(fake: &Fake, keys: &str) -> Job {
    let series = format!("{{ prefer: [{SERIES}, {NRT}], as: one, {keys} }}");
    Job::from_source(&fake.source()).series(&[&series])
}

/// The same over a young day.
fn young_job(fake: &Fake, keys: &str) -> Job {
    job(fake, keys).range(YOUNG, "2025-12-12").more("settle: 3650d")
}

fn run(job: &Job, status: i32) -> (Lab, Value) {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    let report = lab.report(status);
    (lab, report)
}

/// The slots of the files in a day's record, with the series and the key of each.
fn slots(lab: &Lab, day: &str) -> Vec<String> {
    let files = lab.day("data", "one", day).files;
    let mut slots: Vec<String> = files
        .iter()
        .filter(|file| file["recnum"].is_i64())
        .map(|file| {
            let text = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", &text("time")[11..16], text("source_series"), text("key"))
        })
        .collect();
    slots.sort_unstable();
    slots
}

fn definitive_slot(time: &str, recnum: i64) -> String {
    format!("{time} {SERIES} {recnum}/Br")
}

fn nrt_slot(time: &str, recnum: i64) -> String {
    format!("{time} {NRT} {NRT}/{recnum}/Br")
}

/// The names of retired files.
fn retired(lab: &Lab) -> Vec<String> {
    let tree = lab.tree("data/.sunhaul/work/retired");
    tree.into_keys().filter_map(|path| path.rsplit('/').next().map(str::to_owned)).collect()
}

#[test]
fn near_real_time_records_give_way_as_the_definitive_ones_come() {
    let times = ["00:00", "00:12", "00:24"].map(young);
    let fake = Fake::of((8..).zip(&times).map(|(recnum, time)| nrt(recnum, time)).collect());
    let (lab, report) = run(&young_job(&fake, BOTH), 0);
    let day = &report["days"][0];
    assert_eq!(
        (&day["state"], &day["records"], &day["replaced"]),
        (&json!("provisional"), &json!({ NRT: 3 }), &json!({}))
    );
    assert_eq!(slots(&lab, YOUNG), [nrt_slot("00:00", 8), nrt_slot("00:12", 9), nrt_slot("00:24", 10)]);
    // The numbers of records are unique within a series alone.
    fake.state().records.extend([definitive(8, &times[0]), definitive(9, &times[2])]);
    let words = "one 2025-12-11: 2 records of hmi.sharp_cea_720s_nrt replaced by definitive ones; 2 files moved to";
    let summary = "  2 records of hmi.sharp_cea_720s_nrt replaced by definitive ones\n";
    lab.run().chatty().stdout_has("").stderr_has(words).stderr_has(summary).done();
    let day = &lab.json("report.json")["days"][0];
    assert_eq!((&day["records"], &day["replaced"]), (&json!({ SERIES: 2, NRT: 1 }), &json!({ NRT: 2 })));
    assert_eq!(slots(&lab, YOUNG), [definitive_slot("00:00", 8), nrt_slot("00:12", 9), definitive_slot("00:24", 9)]);
    assert_eq!(lab.proved("data").len(), 5);
    assert_eq!(retired(&lab).len(), 3, "two files and the table of before: {:?}", retired(&lab));
    let table = "data/one/2025/12/11/hmi.sharp_cea_720s.20251211.keywords.csv";
    let table = String::from_utf8(lab.read(table)).expect("UTF-8");
    let rows: Vec<String> = table.lines().map(|row| row.split(',').take(6).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(
        rows,
        [
            "time,scale,source_series,recnum,has_data,HARPNUM",
            "2025-12-11T00:00:00,TAI,hmi.sharp_cea_720s,8,true,377",
            "2025-12-11T00:12:00,TAI,hmi.sharp_cea_720s_nrt,9,true,9012",
            "2025-12-11T00:24:00,TAI,hmi.sharp_cea_720s,9,true,377",
        ]
    );
    fake.state().records.push(definitive(10, &times[1]));
    let report = lab.report(0);
    assert_eq!(
        (&report["days"][0]["records"], &report["days"][0]["replaced"]),
        (&json!({ SERIES: 3 }), &json!({ NRT: 1 }))
    );
    let report = lab.report(0);
    assert_eq!(report["days"][0]["replaced"], json!({}), "each is counted once");
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn a_day_is_sealed_with_its_near_real_time_records_and_every_page_says_which_they_are() {
    let time = |slot: &str| format!("{DAY}T{slot}:00");
    let fake = Fake::of(vec![definitive(8, &time("00:00")), nrt(8, &time("00:00")), nrt(9, &time("00:12"))]);
    let (lab, report) = run(&job(&fake, FILES), 0);
    assert_eq!(report["days"][0]["state"], "sealed", "{report:#}");
    assert_eq!(slots(&lab, DAY), [definitive_slot("00:00", 8), nrt_slot("00:12", 9)]);
    let records = json!({ SERIES: 1, NRT: 1 });
    assert_eq!(lab.day("data", "one", DAY).header["records"], records);
    let lock = String::from_utf8(lab.read("job.lock")).expect("UTF-8");
    assert!(lock.contains("\"source_series\":\"hmi.sharp_cea_720s_nrt\",\"recnum\":9,"), "{lock}");
    let status = lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("{").done().json();
    assert_eq!(status["series"][0]["records"], records);
    let words = "records: 1 of hmi.sharp_cea_720s, 1 of hmi.sharp_cea_720s_nrt\n";
    lab.sunhaul(&["status", "job.yaml"]).stdout_has(words).done();
    let export =
        lab.sunhaul(&["export", "job.yaml", "--format", "csv"]).stdout_has("\"series\",source_series,date,").done();
    assert!(export.stdout.contains("one,hmi.sharp_cea_720s_nrt,2015-12-11,"), "{}", export.stdout);
    let asked = fake.listed().len();
    fake.state().records.push(definitive(9, &time("00:12")));
    lab.report(0);
    assert_eq!(fake.listed().len(), asked, "a sealed day stays as it is");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test needs days that are as old as it says")]
fn a_short_settle_seals_no_day_whose_records_may_still_give_way() {
    let day = chrono::Utc::now().date_naive() - chrono::TimeDelta::days(20);
    let next = day.succ_opt().expect("a day").to_string();
    let fake = Fake::of(vec![nrt(8, &format!("{day}T00:00:00"))]);
    let job = job(&fake, FILES).range(&day.to_string(), &next).more("settle: 1d");
    let (lab, report) = run(&job, 0);
    assert_eq!(report["days"][0]["state"], "provisional", "{report:#}");
    fake.state().records.push(definitive(8, &format!("{day}T00:00:00")));
    assert_eq!(lab.report(0)["days"][0]["state"], "sealed");
}

#[test]
fn a_series_that_fails_or_lists_nothing_any_more_loses_nothing() {
    let fake = Fake::of(vec![definitive(8, &young("00:00")), nrt(9, &young("00:12"))]);
    let (lab, _) = run(&young_job(&fake, BOTH), 0);
    let files = lab.proved("data");
    fake.state().records.push(nrt(8, &young("00:00")));
    fake.state().broken = Some(SERIES);
    let report = lab.report(4);
    assert_eq!(
        (&report["failures"][0]["class"], &report["days"][0]["state"]),
        (&json!("server-error"), &json!("failed"))
    );
    assert_eq!(lab.proved("data"), files);
    fake.state().broken = Some(NRT);
    assert_eq!(lab.report(4)["failures"][0]["class"], "server-error");
    assert_eq!(lab.proved("data"), files);
    fake.state().broken = None;
    let definitive = fake.state().records.remove(0);
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "vanished", "{report:#}");
    let message = report["failures"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("`hmi.sharp_cea_720s` lists nothing of this day any more, but the archive has 1 record"),
        "{message}"
    );
    assert!(message.contains("if that is right, remove `"), "{message}");
    assert_eq!(lab.proved("data"), files);
    fake.state().records.push(definitive);
    lab.report(0);
    assert_eq!(lab.proved("data"), files);
}

#[test]
fn a_record_that_its_series_does_not_list_any_more_does_not_give_way_to_a_fallback() {
    let fake = Fake::of(vec![definitive(8, &young("00:00")), definitive(9, &young("00:12"))]);
    let (lab, _) = run(&young_job(&fake, BOTH), 0);
    let files = lab.proved("data");
    fake.state().records.remove(1);
    fake.state().records.push(nrt(9, &young("00:12")));
    let report = lab.report(1);
    let (class, message) = (&report["failures"][0]["class"], report["failures"][0]["message"].as_str());
    assert_eq!(class, "vanished", "{report:#}");
    assert!(message.is_some_and(|message| message.contains("does not list all of this day any more")), "{message:?}");
    assert_eq!(lab.proved("data"), files);
}

#[test]
fn a_record_that_the_filters_leave_out_is_no_gap() {
    let bad = Record { quality: 0x0002_0000, ..definitive(8, &young("00:00")) };
    let fake = Fake::of(vec![bad, nrt(8, &young("00:00")), nrt(9, &young("00:12")), nrt(10, &young("01:00"))]);
    let (lab, _) = run(&young_job(&fake, &format!("{FILES}, quality: good")), 0);
    assert_eq!(slots(&lab, YOUNG), [nrt_slot("00:12", 9), nrt_slot("01:00", 10)]);
    let every_hour = format!("{FILES}, quality: good, cadence: 1h, where: {{ USFLUX: \"0..1e30\" }}");
    let (lab, _) = run(&young_job(&fake, &every_hour), 0);
    assert_eq!(slots(&lab, YOUNG), [nrt_slot("01:00", 10)]);
}

#[test]
fn the_regions_of_a_fallback_are_none_of_the_preferred_series() {
    let bad = |record: Record| Record { quality: 0x0002_0000, ..record };
    let records = vec![
        definitive(8, &young("00:00")),
        nrt(9, &young("00:12")),
        bad(definitive(10, &young("00:24"))),
        bad(nrt(11, &young("00:36"))),
        definitive(12, &young("00:48")),
    ];
    let fake = Fake::of(records);
    for fetch in ["fetch: files, segments: [Br]", "fetch: keywords"] {
        let (lab, _) = run(&young_job(&fake, &format!("{fetch}, quality: good")), 0);
        let page = lab.sunhaul(&["status", "job.yaml", "--by", "harpnum", "--json"]).stdout_has("{").done().json();
        let [region] = page["series"][0]["regions"].as_array().expect("regions").as_slice() else { panic!("{page:#}") };
        assert_eq!((&region["harpnum"], &region["expected"], &region["had"]), (&json!(377), &json!(5), &json!(2)));
        assert_eq!(region["lacking"], json!({ "quality": 1, "provisional": 2 }), "{page:#}");
    }
}

#[test]
fn a_fallback_is_not_asked_where_every_slot_has_its_record() {
    let slot = |nth: u32| format!("{DAY}T{:02}:{:02}:00", nth / 5, nth % 5 * 12);
    let fake = Fake::of((0..120).map(|nth| definitive(i64::from(nth) + 1, &slot(nth))).collect());
    run(&job(&fake, "fetch: keywords"), 0);
    assert_eq!(fake.listed().len(), 1, "{:?}", fake.listed());
    let removed = fake.state().records.remove(7);
    assert_eq!(removed.recnum, 8);
    run(&job(&fake, "fetch: keywords"), 0);
    assert!(fake.listed()[2].starts_with("hmi.sharp_cea_720s_nrt["), "{:?}", fake.listed());
    run(&job(&fake, "fetch: keywords, cadence: 6h"), 0);
    assert_eq!(fake.listed().len(), 4, "no slot of the cadence is missing: {:?}", fake.listed());
}

#[test]
fn a_day_before_a_fallback_begins_is_of_the_preferred_series_alone() {
    let fake = Fake::of(vec![definitive(8, "2011-02-15T00:00:00")]);
    let (lab, _) = run(&job(&fake, FILES).range("2011-02-15", "2011-02-16"), 0);
    assert_eq!(slots(&lab, "2011-02-15"), [definitive_slot("00:00", 8)]);
    let (_, report) = run(&job(&fake, FILES).range("2009-02-15", "2009-02-16"), 1);
    let message = report["failures"][0]["message"].as_str().expect("a message");
    assert!(message.contains("the series begins with `hmi.sharp_cea_720s[1]"), "{message}");
}

#[test]
fn a_definitive_file_takes_the_path_of_the_near_real_time_one() {
    let fake = Fake::of(vec![nrt(8, &young("00:00")), nrt(9, &young("00:12"))]);
    let keys = format!("{FILES}, layout: \"{{series}}/{{t_rec}}.{{segment}}.fits\"");
    let (lab, _) = run(&young_job(&fake, &keys), 0);
    let before = lab.proved("data");
    fake.state().records.push(definitive(8, &young("00:00")));
    let report = lab.report(0);
    assert_eq!(
        (&report["totals"]["files"]["replaced"], &report["days"][0]["replaced"]),
        (&json!(1), &json!({ NRT: 1 }))
    );
    let now = lab.proved("data");
    assert!(now.keys().eq(before.keys()), "the same paths");
    let path = "one/20251211_000000_TAI.Br.fits";
    assert_ne!(now[path], before[path]);
    assert_eq!(now["one/20251211_001200_TAI.Br.fits"], before["one/20251211_001200_TAI.Br.fits"]);
    assert_eq!(retired(&lab), ["20251211_000000_TAI.Br.fits"]);
}

#[test]
fn a_run_that_is_killed_between_two_replacements_ends_as_an_unbroken_one() {
    let times = ["00:00", "00:12", "00:24"].map(young);
    for keys in [FILES.to_owned(), format!("{FILES}, layout: \"{{series}}/{{t_rec}}.{{segment}}.fits\"")] {
        let before = (8..).zip(&times).map(|(recnum, time)| nrt(recnum, time));
        let after = (8..).zip(&times).map(|(recnum, time)| definitive(recnum, time));
        let fake = Fake::of(before.clone().collect());
        let (lab, _) = run(&young_job(&fake, &keys), 0);
        fake.state().records.extend(after.clone());
        let last = fits(10, 20, &times[2]);
        fake.server()
            .script("/SUM58/D10/S00008/Br.fits", [Answer::file(last.clone()).stall_at(100), Answer::file(last)]);
        let running = lab.run().chatty().start();
        fake.server().wait_for_pauses(1);
        lab.until("two have come", |lab| replaced_so_far(lab) >= 2);
        running.kill();
        lab.report(0);
        let unbroken = Fake::of(before.chain(after).collect());
        let (other, _) = run(&young_job(&unbroken, &keys), 0);
        assert_eq!(lab.proved("data"), other.proved("data"), "{keys}");
        assert_eq!(slots(&lab, YOUNG), slots(&other, YOUNG));
        assert_eq!(retired(&lab).len(), 3, "{:?}", retired(&lab));
    }
}

/// How many definitive files the journal of the day names.
fn replaced_so_far(lab: &Lab) -> usize {
    let journal = fs::read_to_string(lab.path("data/.sunhaul/work/journal/one/2025-12-11.jsonl")).unwrap_or_default();
    journal.lines().filter(|line| line.contains("\"source_series\":\"hmi.sharp_cea_720s\"")).count()
}

#[test]
fn a_table_alone_says_what_has_been_replaced() {
    let fake = Fake::of(vec![nrt(8, &young("00:00")), nrt(9, &young("00:12"))]);
    let (lab, report) = run(&young_job(&fake, "fetch: keywords, keywords: [USFLUX]"), 0);
    assert_eq!(report["days"][0]["records"], json!({ NRT: 2 }));
    fake.state().records.push(definitive(9, &young("00:00")));
    let report = lab.report(0);
    let day = &report["days"][0];
    assert_eq!((&day["records"], &day["replaced"]), (&json!({ SERIES: 1, NRT: 1 }), &json!({ NRT: 1 })));
    let table = String::from_utf8(lab.read("data/one/2025/12/11/hmi.sharp_cea_720s.20251211.keywords.csv"));
    assert_eq!(
        table.expect("UTF-8"),
        "time,scale,source_series,recnum,harpnum,has_data,USFLUX\n\
         2025-12-11T00:00:00,TAI,hmi.sharp_cea_720s,9,377,true,9.5e+21\n\
         2025-12-11T00:12:00,TAI,hmi.sharp_cea_720s_nrt,9,9012,true,9.5e+21\n"
    );
    let table = lab
        .sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords-table"])
        .stdout_has("\"series\",time")
        .chatty()
        .done();
    assert!(table.stdout.contains("one,2025-12-11T00:12:00,TAI,hmi.sharp_cea_720s_nrt,9,"), "{}", table.stdout);
}

#[test]
fn update_counts_the_records_that_a_table_alone_has_replaced() {
    let time = |slot: &str| format!("{DAY}T{slot}:00");
    for detail in ["files", "day"] {
        let fake = Fake::of(vec![definitive(8, &time("00:00")), nrt(9, &time("00:12")), nrt(10, &time("00:24"))]);
        let keys = "fetch: keywords, keywords: [USFLUX]";
        let (lab, _) = run(&job(&fake, keys).more(&format!("lock: {{ detail: {detail} }}")), 0);
        fake.state().records.push(definitive(9, &time("00:24")));
        let words = "  1 record of hmi.sharp_cea_720s_nrt replaced by definitive ones\n";
        lab.sunhaul(&["update", "job.yaml", "--dry-run"]).status(3).chatty().stdout_has(words).done();
        let told = lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has(words).done().stdout;
        assert_eq!(told.matches("replaced").count(), 1, "{told}");
        lab.sunhaul(&["update", "job.yaml", "--dry-run"])
            .stdout("1 day compared: nothing changed; 2 files: compared 2 by hash\n")
            .done();
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
    }
}

#[test]
fn a_lock_holds_a_day_to_the_series_that_it_was_sealed_with() {
    let time = |slot: &str| format!("{DAY}T{slot}:00");
    let fake = Fake::of(vec![definitive(8, &time("00:00")), nrt(9, &time("00:12"))]);
    let (lab, _) = run(&job(&fake, BOTH), 0);
    let files = lab.proved("data");
    fake.state().records.push(definitive(9, &time("00:12")));
    for grip in ["--locked", "--frozen"] {
        fs::remove_dir_all(lab.path("data")).expect("an archive");
        lab.run_with(&[grip]).chatty().stdout_has("").start().done_any();
        assert_eq!(lab.proved("data"), files, "{grip}");
    }
    let told =
        lab.sunhaul(&["update", "job.yaml", "--dry-run", "--json"]).status(3).chatty().stdout_has("{").done().json();
    assert_eq!(told["days"][0]["replaced"], json!({ NRT: 1 }), "{told:#}");
    let words = "  1 record of hmi.sharp_cea_720s_nrt replaced by definitive ones\n";
    lab.sunhaul(&["update", "job.yaml", "--dry-run"]).status(3).chatty().stdout_has(words).done();
    // What is not listed any more cannot be had, and that is drift.
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    let gone = fake.state().records.remove(1);
    lab.run_with(&["--locked"]).status(3).chatty().stderr_has("the source does not list it any more").done();
    fake.state().records.push(gone);
    lab.run_with(&["--locked"]).chatty().stdout_has("").start().done_any();
    assert_eq!(lab.proved("data"), files);
    let told = lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has(words).done();
    assert!(told.stderr.contains("1 record of hmi.sharp_cea_720s_nrt replaced by definitive ones"), "{}", told.stderr);
    assert_eq!(slots(&lab, DAY), [definitive_slot("00:00", 8), definitive_slot("00:12", 9)]);
    lab.run_with(&["--locked"]).done();
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn an_exact_lock_holds_a_provisional_day_to_its_series_too() {
    let fake = Fake::of(vec![definitive(8, &young("00:00")), nrt(9, &young("00:12"))]);
    let (lab, _) = run(&young_job(&fake, BOTH), 0);
    let files = lab.proved("data");
    fake.state().records.push(definitive(9, &young("00:12")));
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.run_with(&["--locked"]).chatty().stdout_has("").start().done_any();
    assert_eq!(lab.proved("data"), files);
    let report = lab.report(0);
    assert_eq!(report["days"][0]["replaced"], json!({ NRT: 1 }), "without it the definitive records come");
    assert_eq!(slots(&lab, YOUNG), [definitive_slot("00:00", 8), definitive_slot("00:12", 9)]);
}

#[test]
fn a_mended_day_has_each_slot_of_one_series() {
    let time = |slot: &str| format!("{DAY}T{slot}:00");
    let fake = Fake::of(vec![nrt(8, &time("00:00")), nrt(9, &time("00:12"))]);
    let (lab, _) = run(&job(&fake, FILES), 0);
    lab.forget_the_lock();
    fake.state().records.extend([definitive(8, &time("00:00"))]);
    let lost = lab.proved("data").into_keys().next().expect("a file");
    fs::remove_file(lab.path(&format!("data/{lost}"))).expect("a file");
    lab.run_with(&["--check"]).chatty().stdout_has("").start().done_any();
    assert_eq!(slots(&lab, DAY), [definitive_slot("00:00", 8), nrt_slot("00:12", 9)]);
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn files_of_a_job_with_a_name_stay_when_it_prefers_that_series() {
    let fake = Fake::of(vec![definitive(8, &young("00:00")), nrt(9, &young("00:12"))]);
    let lab = Lab::new();
    lab.write("job.yaml", fake.job(FILES).range(YOUNG, "2025-12-12").more("settle: 3650d").yaml());
    lab.report(0);
    assert!(!lab.day("data", "one", YOUNG).files[0].as_object().expect("a line").contains_key("source_series"));
    lab.write("job.yaml", young_job(&fake, FILES).yaml());
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["have"], &report["totals"]["files"]["fetched"]), (&json!(1), &json!(1)));
    assert_eq!(slots(&lab, YOUNG), [definitive_slot("00:00", 8), nrt_slot("00:12", 9)]);
}

#[test]
fn the_order_of_an_answer_does_not_matter() {
    let records = || vec![definitive(8, &young("00:00")), definitive(9, &young("00:24")), nrt(10, &young("00:12"))];
    let (one, other) = (Fake::of(records()), Fake::of(records()));
    other.list(How::Backwards);
    let keys = "segments: [Br, Bp], fetch: files";
    let [(one, _), (other, _)] = [one, other].map(|fake| run(&young_job(&fake, keys), 0));
    assert_eq!(one.proved("data"), other.proved("data"));
    assert_eq!(slots(&one, YOUNG), slots(&other, YOUNG));
}

#[test]
fn wrong_lists_are_errors_of_the_manifest() {
    let jsoc = "{ jsoc: { url: \"http://127.0.0.1:9\" } }";
    let lab = Lab::new();
    for (keys, told) in [
        ("prefer: [hmi.sharp_cea_720s], as: one", "fewer than two series"),
        ("prefer: [hmi.sharp_cea_720s, hmi.sharp_cea_720s], as: one", "is named twice"),
        ("name: hmi.sharp_cea_720s, prefer: [hmi.sharp_cea_720s, hmi.sharp_cea_720s_nrt]", "`prefer` beside `name`"),
        ("prefer: [hmi.sharp_cea_720s, sharp], as: one", "not the name of a JSOC series"),
        ("prefer: [hmi.sharp_cea_720s, hmi.sharp_cea_720s_nrt], harpnum: [377]", "number them differently"),
    ] {
        lab.write("job.yaml", Job::from_source(jsoc).series(&[&format!("{{ {keys} }}")]).yaml());
        lab.sunhaul(&["check", "job.yaml"]).status(2).chatty().stderr_has(told).done();
    }
    let embedded = Job::embedded().series(&["{ prefer: [hmi.sharp_cea_720s, hmi.sharp_cea_720s_nrt] }"]);
    lab.write("job.yaml", embedded.yaml());
    lab.sunhaul(&["check", "job.yaml"]).status(2).chatty().stderr_has("only `jsoc` has `prefer`").done();
}
