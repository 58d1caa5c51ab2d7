//! The instant of a lock, `as_of`: what `today` is where nothing may move, and when it moves itself.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use super::{LOCK, job, lines, locked_lab, rest, service};
use crate::lab::{Item, Job, Lab, fits};

fn as_of(lab: &Lab) -> DateTime<Utc> {
    lines(lab)[0]["lock"]["as_of"].as_str().expect("a text").parse().expect("an instant")
}

/// As if the lock had been written at another instant.
fn set_as_of(lab: &Lab, at: DateTime<Utc>) {
    let label = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let text = String::from_utf8(lab.read(LOCK)).expect("text");
    assert!(text.contains(&label(as_of(lab))), "{text}");
    lab.write(LOCK, text.replace(&label(as_of(lab)), &label(at)));
}

/// A date as it is written on a day that means another one by it tomorrow.
fn rolling(date: &str, on: DateTime<Utc>) -> String {
    format!("today-{}d", (on.date_naive() - date.parse::<NaiveDate>().expect("a date")).num_days())
}

#[test]
fn today_is_the_day_of_the_lock_where_nothing_may_move() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).range("2015-12-12", "2015-12-13").yaml());
    lab.report(0);
    set_as_of(&lab, "2015-12-13T06:00:00Z".parse().expect("an instant"));
    lab.write("job.yaml", job(&server).range("2015-12-12", "today").yaml());
    lab.run_with(&["--locked"]).done();
    assert_eq!(lab.json("report.json")["totals"]["days"]["already_sealed"], 1);
}

#[test]
fn a_lock_that_a_clock_ahead_has_emptied_is_mended_by_the_lock_command() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (locked, now) = (rest(&lab.read(LOCK)), as_of(&lab));
    // A day more on either side, for a test that runs over midnight.
    let range = ["2015-12-10", "2015-12-14"].map(|date| rolling(date, now));
    lab.write("job.yaml", job(&server).range(&range[0], &range[1]).yaml());
    set_as_of(&lab, "2999-01-01T00:00:00Z".parse().expect("an instant"));
    let text = String::from_utf8(lab.read(LOCK)).expect("text");
    lab.write(LOCK, text.split_inclusive('\n').next().expect("a header"));
    lab.run_with(&["--range", "2015-12-11..2015-12-12"])
        .stderr_has("0 files (as before); it is of 2999-01-01, which is in the future: `sunhaul lock`")
        .done();
    for state in ["changed", "as before"] {
        let told = format!("job.lock, 2 days, 3 files ({state})\n");
        lab.sunhaul(&["lock", "job.yaml"]).stdout(&told).stderr_has("still to do").done();
        assert_eq!(rest(&lab.read(LOCK)), locked);
    }
    assert!((now..now + TimeDelta::hours(1)).contains(&as_of(&lab)), "{}", as_of(&lab));
}

#[test]
fn a_lock_of_an_instant_to_come_loses_no_day_and_binds_no_command_that_follows_the_clock() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let range = ["2015-12-10", "2015-12-14"].map(|date| rolling(date, as_of(&lab)));
    let rolling = job(&server).range(&range[0], &range[1]).yaml();
    set_as_of(&lab, "9926-01-01T00:00:00Z".parse().expect("an instant"));
    let lock = lab.read(LOCK);
    // Whose days do not follow the clock, has no use for the instant.
    lab.run_with(&["--locked"]).done();
    for yaml in [rolling, job(&server).range("2015-12-11", "today").yaml()] {
        lab.write("job.yaml", yaml);
        for command in [&["run", "job.yaml", "--locked"][..], &["run", "job.yaml", "--frozen"], &["update", "job.yaml"]]
        {
            lab.sunhaul(command)
                .status(3)
                .stderr_has("the lock `job.lock` is of 9926-01-01, which is still to come")
                .stderr_has("`sunhaul lock` writes a new lock")
                .done();
        }
        lab.run_with(&["--range", "2015-12-11..2015-12-12"]).stderr_has("it is of 9926-01-01").done();
        assert_eq!(lab.read(LOCK), lock);
    }
}

#[test]
fn a_run_that_reaches_nobody_begins_no_lock() {
    let lab = Lab::new();
    let down = Job::at("http://127.0.0.1:1").retry("{ attempts: 1 }");
    lab.write("job.yaml", down.range("2015-12-11", "2015-12-13").yaml());
    let report = lab.report(4);
    assert_eq!((&report["job"]["lock_changed"], &report["job"]["lock_sha256"]), (&false.into(), &Value::Null));
    lab.sunhaul(&["lock", "job.yaml"])
        .stdout("job.lock, 0 days, 0 files (not written: no day has a record)\n")
        .stderr_has("2 days of the job are still to do")
        .done();
    assert!(!lab.path(LOCK).exists());
}

#[test]
fn a_lock_stays_of_its_day_until_a_day_of_today_has_come() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let now = as_of(&lab);
    let before = now - TimeDelta::days(7);
    set_as_of(&lab, before);
    let lock = lab.read(LOCK);
    let range = ["2015-12-11", "2015-12-13"].map(|date| rolling(date, before));
    let rolling = |job: Job| job.range(&range[0], &range[1]);
    lab.write("job.yaml", rolling(Job::at("http://127.0.0.1:1").retry("{ attempts: 1 }")).yaml());
    let report = lab.report(4);
    assert_eq!((&report["job"]["lock_changed"], &report["totals"]["days"]["failed"]), (&false.into(), &2.into()));
    lab.sunhaul(&["update", "job.yaml"]).status(4).chatty().stdout_has("nothing changed").done();
    assert_eq!(lab.read(LOCK), lock);
    lab.run_with(&["--locked"]).done();

    // Two days of these, also for a test that runs over midnight.
    for day in [18, 19, 20] {
        let time = format!("2015-12-{day}T12:00:00Z");
        server.file("sharp_720s", Item::new(&format!("sharp_720s_201512{day}_120000"), &time), fits(day, 60, &time));
    }
    lab.write("job.yaml", rolling(job(&server)).yaml());
    assert_eq!(lab.report(0)["job"]["lock_changed"], true);
    assert!((now..now + TimeDelta::hours(1)).contains(&as_of(&lab)), "{}", as_of(&lab));
    assert_eq!(lines(&lab).len(), 1 + 2 + 3 + 2 + 2, "the days of before, and two more of a file each");
}

#[test]
fn an_update_moves_days_and_not_the_instant() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let before = as_of(&lab) - TimeDelta::days(1);
    set_as_of(&lab, before);
    let range = ["2015-12-11", "2015-12-13"].map(|date| rolling(date, before));
    let other = service([1, 2, 4]);
    lab.write("job.yaml", job(&other).range(&range[0], &range[1]).yaml());
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("0 added, 0 removed, 1 changed").done();
    assert_eq!((as_of(&lab), lines(&lab).len()), (before, 1 + 2 + 3), "what was updated does not leave the lock");
    lab.run_with(&["--locked"]).done();
}

#[test]
fn a_provisional_day_that_is_as_the_lock_says_is_not_called_sealed() {
    let lab = Lab::new();
    let series = "{ name: hmi.sharp_720s, segments: [bitmap], cadence: 6h }";
    let young = Job::embedded().range("today-2d", "today").series(&[series]).more("settle: 10d");
    lab.write("job.yaml", young.yaml());
    assert_eq!(lab.report(0)["totals"]["days"]["provisional"], 2);
    for flag in ["--locked", "--frozen"] {
        let told = lab.run_with(&[flag]).stderr_has("nothing to do, all 2 days are as the lock says").done().stderr;
        assert!(!told.contains("sealed"), "{told}");
    }
    std::fs::remove_file(lab.path(&format!("data/.sunhaul/days/{}.jsonl", lab.days("data")[1]))).expect("a record");
    lab.run_with(&["--locked"]).stderr_has("1 day planned: 1 provisional; 1 as the lock says").done();
}
