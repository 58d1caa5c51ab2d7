//! Retired files are a store: what is asked for again, or what a lock of before has, is taken back before anything is fetched.

use std::collections::BTreeMap;

use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08Z";
const FILE: &str = "/HMI/sharp_720s/sharp_720s_20151211_182208";
const PLACE: &str = "data/sharp_720s/2015/12/11/sharp_720s_20151211_182208.fits";
const RETIRED: &str = "data/.sunhaul/work/retired/sharp_720s/2015-12-11";

fn ask(lab: &Lab, cadence: &str) {
    let series = format!("{{ name: sharp_720s, cadence: {cadence} }}");
    lab.write("job.yaml", Job::embedded().series(&[&series]).range("2015-12-11", "2015-12-13").yaml());
}

fn files(report: &Value) -> BTreeMap<String, u64> {
    let files = report["totals"]["files"].as_object().expect("figures");
    files.iter().map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).filter(|(_, n)| *n > 0).collect()
}

fn counted(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// An archive of which a filter was narrowed: what it was before, and how many files were retired.
fn narrowed() -> (Lab, BTreeMap<String, Digest>, u64) {
    let lab = Lab::new();
    ask(&lab, "4h");
    lab.report(0);
    let before = lab.proved("data");
    ask(&lab, "12h");
    let report = lab.report(0);
    assert!(!files(&report).contains_key("fetched"), "{report:#}");
    let gone = (before.len() - lab.proved("data").len()) as u64;
    assert!(gone > 0);
    (lab, before, gone)
}

#[test]
fn a_filter_that_is_widened_again_takes_its_files_back() {
    let (lab, before, gone) = narrowed();
    for _ in 0..2 {
        ask(&lab, "4h");
        lab.run().stderr_has(&format!("{gone} files taken back, 0 files fetched")).done();
        let report = lab.json("report.json");
        let all = before.len() as u64;
        assert_eq!(files(&report), counted(&[("listed", all), ("have", all - gone), ("restored", gone)]), "{report:#}");
        assert_eq!(lab.proved("data"), before);
        assert!(lab.tree("data/.sunhaul/work/retired").is_empty());
        assert!(lab.tree("data/.sunhaul/work/retired_lines").is_empty());
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
        ask(&lab, "12h");
        lab.report(0);
    }
    // Another layout does not matter, and neither do two narrower filters in a row.
    ask(&lab, "24h");
    lab.report(0);
    ask(&lab, "4h");
    let yaml = String::from_utf8(lab.read("job.yaml")).expect("text");
    lab.write("job.yaml", yaml.replace("root: data", "root: data, layout: \"{series}/{date:%Y%m%d}_{file}\""));
    let report = lab.report(0);
    assert!(!files(&report).contains_key("fetched"), "{report:#}");
    let digests = |files: BTreeMap<String, Digest>| {
        let mut digests: Vec<Digest> = files.into_values().collect();
        digests.sort_unstable();
        digests
    };
    assert_eq!(digests(lab.proved("data")), digests(before));
}

#[test]
fn a_retired_file_that_was_damaged_or_cleaned_away_is_fetched() {
    for what in ["damaged", "cleaned", "cut note"] {
        let (lab, before, gone) = narrowed();
        match what {
            "damaged" => {
                for path in lab.tree("data/.sunhaul/work/retired").into_keys() {
                    let path = format!("data/.sunhaul/work/retired/{path}");
                    let mut bytes = lab.read(&path);
                    bytes[100] ^= 1;
                    lab.write(&path, bytes);
                }
            }
            "cleaned" => {
                let says = format!("{gone} files");
                lab.sunhaul(&["clean", "job.yaml"]).stderr_has(&says).chatty().done();
                assert!(lab.tree("data/.sunhaul/work/retired").is_empty());
                assert!(lab.tree("data/.sunhaul/work/retired_lines").is_empty());
            }
            _ => {
                for day in ["2015-12-11", "2015-12-12"] {
                    let note = format!("data/.sunhaul/work/retired_lines/sharp_720s/{day}.jsonl");
                    let text = lab.read(&note);
                    lab.write(&note, &text[..20]);
                }
            }
        }
        ask(&lab, "4h");
        let report = lab.report(0);
        assert_eq!(files(&report)["fetched"], gone, "{what}: {report:#}");
        assert_eq!(lab.proved("data"), before, "{what}");
    }
}

#[test]
fn a_lock_that_is_checked_out_again_takes_back_what_it_has() {
    let answer = |seed, side| Answer::file(fits(seed, side, TIME)).named(&format!("{NAME}.fits"));
    // Of the same length, and of another one.
    for side in [20, 90] {
        let server = Server::start();
        server.script_file("sharp_720s", Item::new(NAME, TIME), [answer(1, 20), answer(2, side)]);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).yaml());
        lab.report(0);
        let first = (lab.read(PLACE), lab.read("job.lock"));
        lab.sunhaul(&["update", "job.yaml"]).stdout_has("").chatty().done();
        let second = (lab.read(PLACE), lab.read("job.lock"));
        assert_ne!(first, second);
        let asked = server.requests_for(FILE).len();
        for (bytes, lock) in [&first, &second, &first] {
            lab.write("job.lock", lock);
            let report = lab.report(0);
            assert_eq!(files(&report), counted(&[("listed", 1), ("restored", 1)]), "{report:#}");
            assert_eq!((&lab.read(PLACE), &lab.read("job.lock")), (bytes, lock));
            lab.proved("data");
            assert_eq!(lab.tree(RETIRED).len(), 1, "the other one");
        }
        assert_eq!(server.requests_for(FILE).len(), asked, "nothing was asked for");
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
    }
}

#[test]
fn a_link_in_place_of_the_retired_files_leads_to_nothing() {
    let server = Server::start();
    let answer = |seed| Answer::file(fits(seed, 20, TIME)).named(&format!("{NAME}.fits"));
    server.script_file("sharp_720s", Item::new(NAME, TIME), [answer(1), answer(2), answer(1)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.report(0);
    let lock = lab.read("job.lock");
    lab.sunhaul(&["update", "job.yaml"]).stdout_has("").chatty().done();
    std::fs::rename(lab.path(RETIRED), lab.path("elsewhere")).expect("a folder");
    std::os::unix::fs::symlink(lab.path("elsewhere"), lab.path(RETIRED)).expect("a link");
    lab.write("job.lock", lock);
    let before = lab.tree("elsewhere");
    // What is displaced has nowhere to go.
    lab.run().status(5).stderr_has("it is a symlink").done();
    assert_eq!(lab.tree("elsewhere"), before);
    assert_eq!(lab.read(PLACE), fits(2, 20, TIME));
    std::fs::remove_file(lab.path(RETIRED)).expect("a link");
    let report = lab.report(0);
    assert_eq!(files(&report)["fetched"], 1, "{report:#}");
    assert_eq!(lab.read(PLACE), fits(1, 20, TIME));
}

#[test]
fn a_version_that_another_one_took_the_place_of_comes_back_by_a_lock_alone() {
    let server = Server::start();
    let answer = |seed| Answer::file(fits(seed, 20, TIME)).named(&format!("{NAME}.fits"));
    server.script_file("sharp_720s", Item::new(NAME, TIME), [answer(1), answer(2)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.report(0);
    lab.sunhaul(&["update", "job.yaml"]).stdout_has("").chatty().done();
    let second = fits(2, 20, TIME);
    assert_eq!(lab.read(PLACE), second);
    assert_eq!(lab.tree(RETIRED).len(), 1);
    std::fs::remove_file(lab.path(PLACE)).expect("the later version");
    lab.forget_the_lock();
    lab.run_with(&["--check"]).done();
    assert_eq!(files(&lab.json("report.json")), counted(&[("listed", 1), ("fetched", 1)]));
    assert_eq!(lab.read(PLACE), second);
}

#[test]
fn a_series_that_was_forgotten_and_is_put_back_takes_its_files_back() {
    let lab = Lab::new();
    ask(&lab, "4h");
    lab.report(0);
    let before = lab.proved("data");
    for delete in [false, true] {
        let mut forget = vec!["forget", "job.yaml", "--series", "sharp_720s"];
        forget.extend(delete.then_some("--delete"));
        let says = if delete { "which the next run fetches again" } else { "which the next run takes back" };
        lab.sunhaul(&forget).stderr_has(says).done();
        assert!(lab.files("data").is_empty());
        let report = lab.report(0);
        let all = before.len() as u64;
        assert_eq!(files(&report), counted(&[("listed", all), (if delete { "fetched" } else { "restored" }, all)]));
        assert_eq!(lab.proved("data"), before);
        assert!(lab.tree("data/.sunhaul/work/retired_lines").is_empty());
    }
}
