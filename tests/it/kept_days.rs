//! Days that a range has left behind: they stay in the archive and the lock, and leave them by `forget` alone.

use serde_json::Value;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const DAYS: [&str; 4] = ["2026-01-11", "2026-01-12", "2026-01-13", "2026-01-14"];

/// A service with a file on each of the days.
fn service() -> Server {
    let server = Server::start();
    for (seed, day) in (1..).zip(DAYS) {
        let time = format!("{day}T18:22:08Z");
        server.file("sharp_720s", Item::new(&name(day), &time), fits(seed, 20, &time));
    }
    server
}

fn name(day: &str) -> String {
    format!("sharp_720s_{}_182208", day.replace('-', ""))
}

fn ask(lab: &Lab, server: &Server, start: &str, end: &str, more: &str) {
    lab.write("job.yaml", Job::at(&server.url()).range(start, end).more(more).yaml());
}

/// The dates of the days in the lock.
fn locked(lab: &Lab) -> Vec<String> {
    let text = String::from_utf8(lab.read("job.lock")).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| Some(line["day"]["date"].as_str()?.to_owned())).collect()
}

#[test]
fn a_frozen_run_elsewhere_has_days_left_behind_as_they_were_asked_for() {
    let server = service();
    let lab = Lab::new();
    // A day in part, and a layout of before.
    let start = format!("{}T12:00:00", DAYS[0]);
    ask(&lab, &server, &start, DAYS[3], "settle: 1d");
    lab.report(0);
    let job = Job::at(&server.url()).range(DAYS[2], "2026-01-15").more("settle: 1d").yaml();
    lab.write("job.yaml", job.replace("root: data", "root: data, layout: \"{series}/{file}\""));
    lab.report(0);
    let (files, lock) = (lab.proved("data"), lab.read("job.lock"));
    assert_eq!(files.keys().filter(|path| path.contains("/2026/")).count(), 2, "days left behind stay as they are");
    for held in ["--frozen", "--locked"] {
        lab.on_a_new_machine();
        lab.report_with(&[held], 0);
        assert_eq!((lab.proved("data"), lab.read("job.lock")), (files.clone(), lock.clone()), "{held}");
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
    }
}

#[test]
fn days_that_a_range_leaves_behind_stay_in_lock_status_verify_and_export() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[2], "settle: 1d");
    lab.report(0);
    ask(&lab, &server, DAYS[2], "2026-01-15", "settle: 1d");
    lab.run()
        .stderr_has(
            "note: 2 days of `sharp_720s` outside of its range, from before; `sunhaul forget` takes such days out",
        )
        .done();
    assert_eq!(lab.json("report.json")["totals"]["days"]["sealed"], 2);
    assert_eq!(locked(&lab), DAYS);
    lab.sunhaul(&["plan", "job.yaml"])
        .stdout_has("sharp_720s: 2 days outside of the range, from before, which `sunhaul forget` takes out")
        .stdout_has("all 4 days are sealed")
        .done();
    let status = lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("").done().json();
    assert_eq!(
        (&status["series"][0]["files"], status["series"][0]["days"].as_array().map(Vec::len)),
        (&4.into(), Some(4))
    );
    let sums = lab.sunhaul(&["export", "job.yaml", "--format", "sha256sums"]).stdout_has("").chatty().done();
    assert_eq!(sums.stdout.lines().count(), 4);
    // Nothing is to be done, and nobody is asked.
    let asked = server.requests().len();
    lab.report(0);
    lab.report_with(&["--locked"], 0);
    assert_eq!(server.requests().len(), asked);
    assert_eq!(locked(&lab), DAYS);

    // A file of a day from before is missed and fetched again.
    let path = lab.files("data").keys().find(|path| path.contains("20260111")).expect("a file").clone();
    std::fs::remove_file(lab.path("data").join(&path)).expect("a file");
    lab.sunhaul(&["verify", "job.yaml"]).status(1).stdout_has("").chatty().done();
    lab.run_with(&["--check", "--range", "2026-01-11..2026-01-12"]).chatty().done();
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn a_provisional_day_that_a_range_leaves_behind_is_looked_at_until_it_is_final() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[1], "settle: 3650d");
    assert_eq!(lab.report(0)["totals"]["days"]["provisional"], 1);
    ask(&lab, &server, DAYS[1], DAYS[2], "settle: 3650d");
    assert_eq!(lab.report(0)["totals"]["days"]["provisional"], 2);
    ask(&lab, &server, DAYS[1], DAYS[2], "settle: 1d");
    let report = lab.report(0);
    assert_eq!((&report["totals"]["days"]["sealed"], &report["totals"]["days"]["planned"]), (&2.into(), &2.into()));
    assert_eq!(lab.day("data", "sharp_720s", DAYS[0]).header["state"], "sealed");
}

#[test]
fn a_frozen_run_elsewhere_has_the_days_that_the_range_left_behind() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[2], "settle: 1d");
    lab.report(0);
    ask(&lab, &server, DAYS[2], "2026-01-15", "settle: 1d");
    lab.report(0);
    let before = lab.proved("data");
    lab.on_a_new_machine();
    assert_eq!(lab.report_with(&["--frozen"], 0)["totals"]["days"]["sealed"], 4);
    assert_eq!(lab.proved("data"), before);
    // A run that may add to the lock fetches what it asks for, and the lock keeps the rest.
    lab.on_a_new_machine();
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 2);
    assert_eq!(locked(&lab), DAYS);
}

#[test]
fn update_looks_at_the_days_that_a_range_left_behind() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[1], "settle: 1d");
    lab.report(0);
    ask(&lab, &server, DAYS[1], DAYS[2], "settle: 1d");
    lab.report(0);
    let path = format!("/HMI/sharp_720s/{}", name(DAYS[0]));
    server.script(&path, [Answer::file(fits(77, 20, "2026-01-11T18:22:08Z"))]);
    let told = lab.sunhaul(&["update", "job.yaml", "--json"]).stdout_has("").chatty().done().json();
    assert_eq!((&told["added"], &told["days"][0]["date"]), (&1.into(), &DAYS[0].into()), "{told:#}");
    assert_eq!(locked(&lab), DAYS[..2]);
}

#[test]
fn forget_takes_days_out_of_the_archive_and_the_lock() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[3], "settle: 1d");
    lab.report(0);
    ask(&lab, &server, DAYS[2], DAYS[3], "settle: 1d");
    let before = lab.proved("data");
    let forget = |more: &[&str]| lab.sunhaul(&[&["forget", "job.yaml"], more].concat());

    forget(&["--range", "..2026-01-12", "--dry-run"])
        .stderr_has("sharp_720s: 1 day, 1 file, 5.6 KiB would be taken out")
        .done();
    assert_eq!((lab.proved("data"), locked(&lab)), (before, DAYS[..3].iter().map(|day| (*day).to_owned()).collect()));

    forget(&["--range", "..2026-01-12"]).stderr_has("1 day taken out, 1 file moved to `.sunhaul/work/retired`").done();
    assert_eq!(locked(&lab), DAYS[1..3]);
    assert_eq!(lab.days("data"), ["sharp_720s/2026-01-12", "sharp_720s/2026-01-13"]);
    assert_eq!(lab.proved("data").len(), 2);
    let retired = |lab: &Lab| lab.tree("data/.sunhaul/work/retired").len();
    assert_eq!(retired(&lab), 1);
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();

    forget(&["--range", "..2026-01-13", "--delete"]).stderr_has("1 day taken out, 1 file deleted").done();
    assert_eq!((locked(&lab), retired(&lab)), (vec![DAYS[2].to_owned()], 1));
    // A day that is still asked for comes back.
    forget(&["--series", "sharp_720s"]).stderr_has("the manifest still asks for 1 day of sharp_720s").done();
    assert!(locked(&lab).is_empty() && lab.days("data").is_empty());
    lab.report(0);
    assert_eq!(locked(&lab), [DAYS[2]]);
}

#[test]
fn forget_leaves_what_is_not_its_own() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[1], "settle: 1d");
    lab.report(0);
    let path = lab.files("data").keys().next().expect("a file").clone();
    lab.write(&format!("data/{path}"), "mine now");
    lab.sunhaul(&["forget", "job.yaml", "--range", "2026-01-11..2026-01-12", "--delete"])
        .stderr_has("1 day taken out, 0 files deleted\n  1 file of these days stay")
        .done();
    assert_eq!(lab.read(&format!("data/{path}")), b"mine now");
    assert!(lab.days("data").is_empty());

    for (args, says) in [
        (&[][..], "no days are selected"),
        (&["--range", "2020-01-01..2020-02-01"], "neither the archive nor the lock has any of these days"),
        (&["--series", "../x"], "`../x` is no id of a series"),
        (&["--series", "none"], "neither the archive nor the lock"),
        (&["--range", "..2026-01-11T06:00"], "has a part of a day, and days are forgotten whole"),
    ] {
        lab.sunhaul(&[&["forget", "job.yaml"], args].concat()).status(2).stderr_has(says).done();
    }
}

#[test]
fn forget_is_refused_where_the_archive_is_missing_or_another_job_has_the_series() {
    let server = service();
    let lab = Lab::new();
    ask(&lab, &server, DAYS[0], DAYS[1], "settle: 1d");
    lab.report(0);
    let other = String::from_utf8(lab.read("job.yaml")).expect("text").replace("name: lab", "name: other");
    lab.write("other.yaml", &other);
    lab.sunhaul(&["run", "other.yaml"]).chatty().done();
    let (before, locks) = (lab.proved("data"), lab.read("job.lock"));
    let forget = || lab.sunhaul(&["forget", "job.yaml", "--series", "sharp_720s", "--delete"]);
    forget()
        .status(2)
        .stderr_has("is the job `other` in the same archive, and has a series `sharp_720s` as well")
        .done();
    assert_eq!(lab.proved("data"), before);
    lab.write("other.yaml", other.replace("{ name: sharp_720s }", "{ name: sharp_720s, as: another }"));
    std::fs::rename(lab.path("data"), lab.path("elsewhere")).expect("a folder");
    forget().status(5).stderr_has("no archive at `data`").done();
    assert_eq!(lab.read("job.lock"), locks);
    std::fs::rename(lab.path("elsewhere"), lab.path("data")).expect("a folder");
    forget().chatty().done();
    assert!(lab.days("data").is_empty());
}
