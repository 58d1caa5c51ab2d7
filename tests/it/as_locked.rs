//! Days whose locked files are all here: what is sealed without a request, and what is not.

use serde_json::Value;

use crate::lab::{Item, Job, Lab, Server, fits};

const LOCK: &str = "job.lock";
const SERIES: &str = "sharp_720s";
const TIMES: [&str; 2] = ["10:00:00", "20:00:00"];

/// A service with two files of a day, from this seed on.
fn service(seed: u32) -> Server {
    let server = Server::start();
    for (nth, time) in (0..).zip(TIMES) {
        let date_obs = format!("2015-12-11T{time}Z");
        server.file(SERIES, Item::new(&format!("file{nth}"), &date_obs), fits(seed + nth, 30, &date_obs));
    }
    server
}

fn job(server: &Server, more: &str) -> String {
    Job::at(&server.url()).range("2015-12-11", "2015-12-12").more(more).yaml()
}

/// An archive of the second version, and the lock of the first.
fn behind_its_lock() -> (Lab, Server) {
    let (first, second) = (service(1), service(5));
    let lab = Lab::new();
    lab.write("job.yaml", job(&first, ""));
    lab.report(0);
    let lock = lab.read(LOCK);
    lab.write("job.yaml", job(&second, ""));
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("2 changed").done();
    lab.write(LOCK, lock);
    (lab, second)
}

fn lines(lab: &Lab) -> Vec<Value> {
    lab.day("data", SERIES, "2015-12-11").files
}

#[test]
fn a_lock_that_was_edited_is_held_against_the_listing() {
    let (lab, _server) = behind_its_lock();
    let lock = String::from_utf8(lab.read(LOCK)).expect("text");
    let edited = lock.replace("\"key\":\"/HMI/sharp_720s/file0\"", "\"key\":\"/HMI/sharp_720s/other\"");
    assert_ne!(edited, lock);
    lab.write(LOCK, edited);
    let report = lab.report(3);
    assert_eq!(report["failures"][0]["class"], "lock-mismatch", "{report:#}");
    // What it says of times and addresses is not taken over.
    for (from, to) in
        [("\"time\":\"2015-12-11T", "\"time\":\"1999-12-11T"), ("\"url\":\"/HMI", "\"url\":\"//evil.example")]
    {
        let (lab, _server) = behind_its_lock();
        let lock = String::from_utf8(lab.read(LOCK)).expect("text");
        lab.write(LOCK, lock.replace(from, to));
        lab.report(0);
        let shown = format!("{:?}", lines(&lab));
        assert!(!shown.contains("1999") && !shown.contains("evil"), "{shown}");
    }
}

#[test]
fn what_stands_in_the_way_of_each_file_is_named_and_the_others_are_restored() {
    let (lab, server) = behind_its_lock();
    let asked = server.requests().len();
    let paths: Vec<String> = lab.proved("data").into_keys().collect();
    lab.write(&format!("data/{}", paths[0]), "mine");
    let report = lab.report(1);
    assert_eq!(report["failures"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert_eq!((&report["failures"][0]["path"], server.requests().len()), (&paths[0].clone().into(), asked));
    assert_eq!(report["totals"]["files"]["restored"], 1);
    assert_eq!(lab.read(&format!("data/{}", paths[0])), b"mine");
    std::fs::remove_file(lab.path(&format!("data/{}", paths[0]))).expect("remove");
    lab.report(0);
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").done();
}

#[test]
fn a_lock_of_another_layout_binds_the_files_that_both_ask_for() {
    let (first, second) = (service(1), service(5));
    let lab = Lab::new();
    lab.write("job.yaml", job(&first, ""));
    lab.report(0);
    let (lock, before) = (lab.read(LOCK), lab.proved("data"));
    let other = job(&second, "").replace("root: data", "root: data, layout: \"{series}/{file}\"");
    lab.write("job.yaml", &other);
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("").done();
    lab.write(LOCK, lock);
    lab.sunhaul(&["verify", "job.yaml"]).status(1).stdout_has("differs").chatty().done();
    lab.report(0);
    let digests = |files: std::collections::BTreeMap<String, _>| files.into_values().collect::<Vec<_>>();
    assert_eq!(digests(lab.proved("data")), digests(before));
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").done();
    let report = lab.report(0);
    assert_eq!(report["totals"]["days"]["already_sealed"], 1, "{report:#}");
}

#[test]
fn a_file_whose_time_is_corrected_moves_where_its_layout_has_times() {
    let server = service(1);
    let lab = Lab::new();
    let layout = "root: data, layout: \"{series}/{time:%H%M}.fits\"";
    lab.write("job.yaml", job(&server, "").replace("root: data", layout));
    lab.report(0);
    server.list_anew(SERIES, Item::new("file0", "2015-12-11T12:00:00Z"));
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("").done();
    let paths: Vec<String> = lab.proved("data").into_keys().collect();
    assert_eq!(paths, ["sharp_720s/1200.fits", "sharp_720s/2000.fits"]);
    assert_eq!(lines(&lab)[0]["time"], "2015-12-11T12:00:00Z");
}

#[test]
fn a_file_that_the_user_put_in_place_of_ours_is_the_users() {
    let (lab, server) = behind_its_lock();
    let now = lab.read(LOCK);
    drop(server);
    let retired = lab.tree("data").into_keys().find(|path| path.contains("work/retired/")).expect("a retired file");
    let name = retired.rsplit('/').next().expect("a name");
    let path = lab.proved("data").into_keys().find(|path| path.ends_with(name)).expect("its path");
    // The very bytes that the lock asks for, from the user's own copy.
    let own = lab.read(&format!("data/{retired}"));
    std::fs::remove_file(lab.path(&format!("data/{path}"))).expect("remove");
    lab.write(&format!("data/{path}"), &own);
    lab.write(LOCK, now);
    lab.report(0);
    let line = lines(&lab).into_iter().find(|line| line["path"] == path.as_str()).expect("its line");
    assert_eq!(line["preexisting"], true, "{line:#}");
}

#[test]
fn a_report_does_not_go_through_a_link_to_what_would_be_lost() {
    let server = service(1);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server, ""));
    lab.report(0);
    let file = lab.proved("data").into_keys().next().expect("a file");
    for target in ["job.yaml", LOCK, &format!("data/{file}"), "data/.sunhaul/days/sharp_720s/2015-12-11.jsonl"] {
        let before = lab.read(target);
        std::os::unix::fs::symlink(target, lab.path("link.json")).expect("a link");
        for option in ["--report", "--report-html", "--report-junit", "--summary"] {
            lab.sunhaul(&["run", "job.yaml", option, "link.json"]).status(2).stderr_has("would be lost").done();
        }
        lab.sunhaul(&["run", "job.yaml"])
            .env("GITHUB_STEP_SUMMARY", lab.path("link.json").to_str().expect("text"))
            .chatty()
            .stderr_has("the summary could not be written")
            .done();
        assert_eq!(lab.read(target), before, "{target}");
        std::fs::remove_file(lab.path("link.json")).expect("remove");
    }
}
