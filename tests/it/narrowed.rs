//! A manifest that asks for less than before: the records tell which files stay, and nobody is asked.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const SEGMENTS: [&str; 3] = ["Bp", "Br", "Bt"];
const HOURS: [&str; 4] = ["01", "02", "13", "14"];

/// Four records a day on two days, of three segments and two regions.
fn service() -> Server {
    let server = Server::start();
    for day in ["2015-12-11", "2015-12-12"] {
        for (nth, hour) in HOURS.iter().enumerate() {
            // Their slot is the full hour.
            let time = format!("{day}T{:02}:58:08.8Z", hour.parse::<u8>().expect("an hour") - 1);
            let harpnum = if nth % 2 == 0 { 377 } else { 392 };
            for (seed, segment) in (1..).zip(SEGMENTS) {
                let name = format!("hmi.sharp_720s.{harpnum}.{}_{hour}0000_TAI.{segment}", day.replace('-', ""));
                let told = json!({ "harpnum": harpnum, "segment": segment, "t_rec_index": slot(day, hour) });
                server.file("hmi.sharp_720s", Item::new(&name, &time).telling(&told), fits(seed, 20 + nth, &time));
            }
        }
    }
    server
}

/// The number of the slot at a full hour of TAI.
fn slot(day: &str, hour: &str) -> i64 {
    let at: NaiveDateTime = format!("{day}T{hour}:00:00").parse().expect("a time");
    let epoch: NaiveDateTime = "1993-01-01T00:00:00".parse().expect("a time");
    (at - epoch).num_seconds() / 720
}

fn ask(lab: &Lab, server: &Server, keys: &str) {
    let series = format!("{{ name: hmi.sharp_720s{keys} }}");
    lab.write("job.yaml", Job::at(&server.url()).series(&[&series]).range("2015-12-11", "2015-12-13").yaml());
}

fn files(report: &Value) -> BTreeMap<String, u64> {
    let files = report["totals"]["files"].as_object().expect("figures");
    files.iter().map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).filter(|(_, n)| *n > 0).collect()
}

fn planned(lab: &Lab) -> Value {
    lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("").done().json()
}

#[test]
fn a_narrower_filter_asks_nobody_and_the_plan_says_so() {
    for (keys, reason, kept) in [
        (", segments: [Bp, Br]", "segments: only Bp, Br", 16),
        (", harpnum: [377]", "harpnum: only 377", 12),
        (", cadence: 2h", "cadence none to 2h", 12),
        (", layout: \"{series}/{file}\"", "layout `{series}/{date:%Y/%m/%d}/{file}` to `{series}/{file}`", 24),
        (
            ", segments: [Bt], layout: \"{series}/{file}\"",
            "segments: only Bt; layout `{series}/{date:%Y/%m/%d}/{file}` to `{series}/{file}`",
            8,
        ),
    ] {
        let (server, lab) = (service(), Lab::new());
        ask(&lab, &server, "");
        assert_eq!(files(&lab.report(0))["fetched"], 24);
        // As a run that asks would have it.
        let asked = Lab::new();
        ask(&asked, &server, keys);
        asked.report(0);
        let requests = server.requests().len();

        ask(&lab, &server, keys);
        let plan = planned(&lab);
        assert!(plan["days"].as_array().expect("days").iter().all(|day| day["reason"] == reason), "{plan:#}");
        let consequences = &plan["consequences"];
        let has_moved = keys.contains("layout");
        assert_eq!(consequences["from_records"], 2, "{plan:#}");
        assert_eq!(consequences[if has_moved { "renamed" } else { "stay" }]["files"], kept, "{plan:#}");
        assert_eq!(consequences["retired"]["files"], 24 - kept, "{plan:#}");
        let report = lab.report(0);
        assert_eq!(server.requests().len(), requests, "{keys}: nobody is asked");
        assert_eq!(files(&report)[if has_moved { "renamed" } else { "have" }], kept, "{report:#}");
        assert_eq!(lab.proved("data"), asked.proved("data"), "{keys}");
        assert_eq!(lab.tree("data/.sunhaul/work/retired").len() as u64, 24 - kept);
        for day in ["2015-12-11", "2015-12-12"] {
            let record = |lab: &Lab| lab.day("data", "hmi.sharp_720s", day);
            assert_eq!(record(&lab), record(&asked), "{keys}");
        }
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
        lab.run().stderr_has("nothing to do").done();
    }
}

#[test]
fn what_is_not_told_by_the_records_is_asked_for() {
    for keys in [", segments: [Bp, Bt]", ", cadence: 3h", ", segments: [Br, Bt], quality: good"] {
        let (server, lab) = (service(), Lab::new());
        ask(&lab, &server, ", segments: [Br, Bt], cadence: 2h");
        lab.report(0);
        let requests = server.requests().len();
        ask(&lab, &server, keys);
        let consequences = planned(&lab)["consequences"].clone();
        assert_eq!((&consequences["from_records"], &consequences["asked"]), (&json!(0), &json!(2)), "{keys}");
        lab.run().status(i32::from(keys.contains("quality"))).chatty().done();
        assert!(server.requests().len() > requests, "{keys}");
    }
}

#[test]
fn a_file_that_is_gone_is_asked_for_though_its_record_tells_it() {
    let (server, lab) = (service(), Lab::new());
    ask(&lab, &server, "");
    lab.report(0);
    let before = lab.proved("data");
    let path = before.keys().find(|path| path.ends_with(".Bp.fits")).expect("a file");
    std::fs::remove_file(lab.path(&format!("data/{path}"))).expect("a file");
    ask(&lab, &server, ", segments: [Bp]");
    let report = lab.report(0);
    assert_eq!((files(&report)["have"], files(&report)["fetched"]), (7, 1), "{report:#}");
    assert_eq!(lab.proved("data")[path], before[path]);
}

#[test]
fn a_file_that_upstream_does_not_have_stays_absent_and_is_not_asked_for() {
    let (server, lab) = (service(), Lab::new());
    let told = json!({ "harpnum": 377, "segment": "Bp", "t_rec_index": slot("2015-12-11", "03") });
    let item = Item::new("hmi.sharp_720s.377.20151211_030000_TAI.Bp", "2015-12-11T02:58:08.8Z").telling(&told);
    server.script_file("hmi.sharp_720s", item, [Answer::status(404)]);
    ask(&lab, &server, "");
    let report = lab.report(0);
    assert_eq!(files(&report)["absent"], 1, "{report:#}");
    let requests = server.requests().len();
    ask(&lab, &server, ", segments: [Bp]");
    let report = lab.report(0);
    assert_eq!(files(&report), BTreeMap::from([("listed".into(), 9), ("have".into(), 8), ("absent".into(), 1)]));
    assert_eq!(server.requests().len(), requests);
    assert_eq!(lab.day("data", "hmi.sharp_720s", "2015-12-11").header["absent"], 1);
}

#[test]
fn a_layout_that_keeps_no_names_tells_none_to_the_next_one() {
    let (server, lab) = (service(), Lab::new());
    for layout in ["{series}/{date:%F}/{time:%H}_{segment}.fits", "{series}/{date:%F}/{file}"] {
        ask(&lab, &server, &format!(", layout: \"{layout}\""));
        lab.report(0);
    }
    let fresh = Lab::new();
    ask(&fresh, &server, ", layout: \"{series}/{date:%F}/{file}\"");
    fresh.report(0);
    assert_eq!(lab.proved("data"), fresh.proved("data"));
}

/// A job whose range has left a day of two segments behind, and that asks for one of them now.
fn left_behind() -> (Server, Lab) {
    let (server, lab) = (service(), Lab::new());
    ask(&lab, &server, ", segments: [Bp, Br]");
    lab.report(0);
    ask(&lab, &server, ", segments: [Br]");
    let yaml = String::from_utf8(lab.read("job.yaml")).expect("text");
    lab.write("job.yaml", yaml.replace("start: 2015-12-11", "start: 2015-12-12"));
    lab.report(0);
    (server, lab)
}

#[test]
fn a_day_left_behind_is_done_again_as_it_was_asked_for_whatever_the_manifest_asks_now() {
    for command in [
        &["run", "job.yaml", "--check"][..],
        &["run", "job.yaml", "--locked", "--check"],
        &["run", "job.yaml", "--frozen", "--check"],
        &["run", "job.yaml", "--retry-absent", "--check"],
        &["verify", "job.yaml", "--repair"],
    ] {
        for is_damaged in [false, true] {
            let (_server, lab) = left_behind();
            let (files, lock) = (lab.proved("data"), lab.read("job.lock"));
            assert_eq!(files.len(), 12);
            let gone = files.keys().find(|path| path.contains("/11/") && path.ends_with(".Bp.fits")).expect("a file");
            std::fs::remove_file(lab.path(&format!("data/{gone}"))).expect("a file");
            if is_damaged {
                let record = "data/.sunhaul/days/hmi.sharp_720s/2015-12-11.jsonl";
                let text = lab.read(record);
                lab.write(record, &text[..text.len() / 2]);
            }
            lab.sunhaul(command).stdout_has("").chatty().done();
            assert_eq!(lab.proved("data"), files, "{command:?}, damaged {is_damaged}");
            assert_eq!(lab.read("job.lock"), lock, "{command:?}, damaged {is_damaged}");
        }
    }
}

#[test]
fn a_new_lock_has_the_days_that_the_range_has_left_behind() {
    let (_server, lab) = left_behind();
    // But for the head, which tells when it was written.
    let rows = || lab.read("job.lock").split(|byte| *byte == b'\n').skip(1).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let before = rows();
    lab.sunhaul(&["update", "job.yaml", "--range", "..2015-12-12"])
        .status(2)
        .stderr_has("these days are outside the range, and the manifest requested something else of them then")
        .done();
    lab.forget_the_lock();
    lab.report(0);
    assert_eq!(rows(), before);
}

#[test]
fn a_drift_check_tells_what_the_manifest_no_longer_asks_for_from_what_upstream_has_lost() {
    let (server, lab) = (service(), Lab::new());
    ask(&lab, &server, "");
    lab.report(0);
    ask(&lab, &server, ", segments: [Bp, Br], harpnum: [377]");
    let dry = || lab.sunhaul(&["update", "job.yaml", "--dry-run"]).status(3);
    dry().stdout_has("16 removed").stdout_has("; the manifest no longer asks for 16 of the removed ones").done();
    let told = lab.sunhaul(&["update", "job.yaml", "--dry-run", "--json"]).status(3).stdout_has("").done().json();
    assert_eq!([&told["removed"], &told["not_asked_for"]], [16, 16], "{told:#}");
}
