//! Locks of other processes: whoever holds the manifest holds nobody up, and what is waited for is said, and ended.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::{LOCK, job, lines, locked_lab, rest, service};
use crate::lab::{Call, Lab, Running, Server};

/// The file that is locked while the lock is written.
const TURN: &str = ".job.lock.flock";
const LAYOUTS: &str = "data/.sunhaul/layouts";
const SHARED: &str = "data/.sunhaul/shared";

/// Locks a file as another process would; makes it where it is missing.
fn hold(lab: &Lab, path: &str) -> File {
    std::fs::create_dir_all(lab.path(path).parent().expect("a folder")).expect("folders");
    let file = File::options().append(true).create(true).open(lab.path(path)).expect("a file");
    flock(&file, FlockOperation::NonBlockingLockExclusive).expect("a free lock");
    file
}

/// Starts a command and waits until it says what it waits for, and for whom.
#[track_caller]
fn waiting(lab: &Lab, call: Call<'_>, path: &str) -> Running {
    let run = call.start();
    let line = format!("waiting: process {} holds a lock on `", std::process::id());
    lab.until("it says what it waits for", |_| {
        let said = run.stderr_so_far();
        said.contains(&line) && said.contains(&format!("{path}`\n"))
    });
    run
}

/// Every command that may move the lock.
const COMMANDS: [&[&str]; 5] = [
    &["run", "job.yaml"],
    &["lock", "job.yaml"],
    &["adopt", "job.yaml", "mine"],
    &["verify", "job.yaml", "--repair"],
    &["update", "job.yaml"],
];

/// A whole archive, and a lock that each of these commands brings up to date: it has the days as provisional.
fn behind(server: &Server) -> (Lab, Vec<u8>) {
    let lab = locked_lab(server);
    lab.write("mine/notes.txt", "mine");
    let whole = lab.read(LOCK);
    fall_behind(&lab, &whole);
    (lab, whole)
}

fn fall_behind(lab: &Lab, whole: &[u8]) {
    let text = String::from_utf8(whole.to_vec()).expect("text");
    lab.write(LOCK, text.replace("\"sealed\"", "\"provisional\""));
    // For `verify`, which mends the lock of days that it mends.
    for path in lab.files("data").keys() {
        std::fs::remove_file(lab.path("data").join(path)).expect("removed");
    }
}

/// Nothing of ours is left beside the manifest.
#[track_caller]
fn is_tidy(lab: &Lab) {
    let names: Vec<String> = lab.tree("").into_keys().filter(|path| path.starts_with('.')).collect();
    assert_eq!(names, [""; 0]);
}

#[test]
fn a_manifest_that_its_user_has_locked_holds_nobody_up() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    lab.program("flock", &["job.yaml", env!("CARGO_BIN_EXE_sunhaul"), "run", "job.yaml"]).chatty().done();
    assert_eq!(lines(&lab).len(), 6);
    let (lab, whole) = behind(&server);
    let _held = hold(&lab, "job.yaml");
    for command in COMMANDS {
        fall_behind(&lab, &whole);
        let said = lab.sunhaul(command).stdout_has("").chatty().done();
        assert!(!said.stderr.contains("waiting"), "{command:?}: {}", said.stderr);
        assert_eq!(rest(&lab.read(LOCK)), rest(&whole), "{command:?}");
    }
    is_tidy(&lab);
}

#[test]
fn a_wait_for_another_writer_of_the_lock_is_said_and_ended_by_a_signal() {
    let server = service([1, 2, 3]);
    let (lab, whole) = behind(&server);
    for (nth, command) in COMMANDS.into_iter().enumerate() {
        fall_behind(&lab, &whole);
        let before = lab.read(LOCK);
        let held = hold(&lab, TURN);
        let run = waiting(&lab, lab.sunhaul(command).status(130).stdout_has("").chatty(), TURN);
        run.signal([Signal::TERM, Signal::INT][nth % 2]);
        let said = run.done().stderr;
        assert!(said.contains("could not write the lock `job.lock`: process "), "{command:?}: {said}");
        assert_eq!(lab.read(LOCK), before, "{command:?}");
        drop(held);
        std::fs::remove_file(lab.path(TURN)).expect("the holder's own");
        lab.sunhaul(command).stdout_has("").chatty().done();
        if command[0] == "verify" {
            lab.report(0);
        }
        assert_eq!(rest(&lab.read(LOCK)), rest(&whole), "{command:?}");
        is_tidy(&lab);
    }
}

#[test]
fn a_wait_for_another_writer_of_the_lock_ends_with_the_time_and_the_next_run_adds_what_was_done() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    let held = hold(&lab, TURN);
    let begun = Instant::now();
    let run = waiting(&lab, lab.run_with(&["--max-time", "2s"]).status(4), TURN);
    let said = run.done().stderr;
    assert!(said.contains("could not write the lock `job.lock`: process "), "{said}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "it has waited as long as it may");
    let report = lab.json("report.json");
    assert_eq!((&report["run"]["exit_code"], &report["totals"]["days"]["sealed"]), (&4.into(), &2.into()));
    assert!(report["run"]["error"].as_str().is_some_and(|why| why.contains(TURN)), "{report:#}");
    assert!(!lab.path(LOCK).exists());
    drop(held);
    let report = lab.report(0);
    assert_eq!((&report["totals"]["requests"]["sent"], &report["job"]["lock_changed"]), (&0.into(), &true.into()));
    assert_eq!(lines(&lab).len(), 6);
}

#[test]
fn d_06_writers_that_wait_together_lose_no_line_of_the_lock() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    let held = hold(&lab, TURN);
    let runs = ["2015-12-11..2015-12-12", "2015-12-12..2015-12-13"].map(|range| {
        // Not even their archives need be the same.
        let archive = format!("data-{}", &range[..10]);
        let call = lab.sunhaul(&["run", "job.yaml", "--range", range, "--archive", &archive]);
        waiting(&lab, call.chatty(), TURN)
    });
    drop(held);
    for run in runs {
        run.done();
    }
    assert_eq!(lines(&lab).len(), 6, "both days");
    lab.sunhaul(&["run", "job.yaml", "--locked"]).chatty().done();
}

#[test]
fn a_lock_that_needs_no_change_is_not_waited_for() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let _held = hold(&lab, TURN);
    lab.report(0);
    lab.sunhaul(&["lock", "job.yaml"]).stdout_has("as before").done();
}

#[test]
fn a_wait_for_a_file_of_the_archive_is_said_and_ended_by_a_signal_or_the_time() {
    // In one folder, days share paths.
    let flat = "archive: { root: data, layout: \"{series}/{file}\" }";
    for path in [LAYOUTS, SHARED] {
        let server = service([1, 2, 3]);
        let lab = Lab::new();
        lab.write("job.yaml", job(&server).yaml().replace("archive: { root: data }", flat));
        let held = hold(&lab, path);
        let run = waiting(&lab, lab.run().status(130), path);
        run.signal(Signal::TERM);
        assert!(run.done().stderr.contains(&format!("{path}`")));
        assert_eq!(lab.json("report.json")["run"]["exit_code"], 130, "{path}");
        let run = waiting(&lab, lab.run_with(&["--max-time", "2s"]).status(4), path);
        run.done();
        assert_eq!(lab.json("report.json")["run"]["exit_code"], 4, "{path}");
        drop(held);
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 3, "{path}");
        // What moves a file away asks who else names it.
        let (changed, good) = lab.files("data").pop_first().expect("a file");
        for command in [&["run", "job.yaml", "--check"], &["verify", "job.yaml", "--repair"]] {
            let whole = lab.read(&format!("data/{changed}"));
            lab.write(&format!("data/{changed}"), &whole[..whole.len() / 2]);
            let held = hold(&lab, SHARED);
            let run = waiting(&lab, lab.sunhaul(command).status(130).stdout_has("").chatty(), SHARED);
            run.signal(Signal::INT);
            run.done();
            drop(held);
            lab.sunhaul(command).stdout_has("").chatty().done();
            assert_eq!(lab.proved("data")[&changed], good, "{command:?}");
        }
    }
}
