//! An SSH gateway on the way to a source.
//!
//! Here `ssh` is a script that a test wrote: what it is started with, and what becomes of a run when it fails. The
//! service behind a real gateway is in `through_a_gateway`.

mod through_a_gateway;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use rustix::process::Signal;

use crate::lab::{Call, Job, Lab, PATIENCE, descendants, is_alive};

/// A lab with a job over a month, whose `ssh` is this script; each start leaves a line in `started`.
fn lab_with(script: &str) -> Lab {
    let lab = Lab::new();
    let started = lab.path("started");
    lab.write("bin/ssh", format!("#!/bin/sh\necho \"$@\" >> {}\n{script}\n", started.display()));
    std::fs::set_permissions(lab.path("bin/ssh"), std::fs::Permissions::from_mode(0o755)).expect("a program");
    let tunnel = "tunnel: { ssh: jane@gateway.example.org, port: 2222 }";
    let job = Job::at("http://cluster-r730-1:8001").credentials(tunnel).range("2015-12-01", "2016-01-01");
    lab.write("job.yaml", job.yaml());
    lab
}

/// With the lab's own `ssh`, where it has one.
fn own<'a>(lab: &'a Lab, call: Call<'a>) -> Call<'a> {
    call.env("PATH", &format!("{}:/usr/bin:/bin", lab.path("bin").display()))
}

fn starts(lab: &Lab) -> Vec<String> {
    let lines = std::fs::read_to_string(lab.path("started")).unwrap_or_default();
    lines.lines().map(str::to_owned).collect()
}

/// No folder of a socket is left.
#[track_caller]
fn is_clean(lab: &Lab) {
    let left: Vec<_> =
        std::fs::read_dir(lab.path("tmp")).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    let left: Vec<_> = left.iter().filter(|path| path.extension().is_none_or(|e| e != "pem")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn looking_at_a_manifest_and_planning_start_no_ssh() {
    let lab = lab_with("exit 255");
    own(&lab, lab.sunhaul(&["check", "job.yaml"])).chatty().stdout_has("").done();
    own(&lab, lab.sunhaul(&["plan", "job.yaml"])).chatty().stdout_has("31").done();
    assert_eq!(starts(&lab), [""; 0]);
}

#[test]
fn a_gateway_that_says_no_is_asked_once_and_its_words_do_nothing_to_the_reader() {
    let script = "printf 'jane\\033[2J@gw: Permission denied (publickey).\\r\\n::error::x\\n' >&2; exit 255";
    let lab = lab_with(script);
    let spoken = own(&lab, lab.run()).status(1).done();
    let report = lab.json("report.json");
    let failure = &report["failures"][0];
    assert_eq!((&failure["class"], report["totals"]["days"]["failed"].as_u64()), (&"forbidden".into(), Some(31)));
    let message = failure["message"].as_str().expect("a message");
    let words = "no tunnel through gateway.example.org:2222: ssh says: jane\\u{1b}[2J@gw: Permission denied (publickey).; \
                 \\u{3a}:error::x; hint: `ssh -v -p 2222 jane@gateway.example.org` must get in without a question";
    assert!(message.contains(words), "{message}");
    assert_eq!(spoken.stderr.matches("hint: `ssh -v -p 2222").count(), 1, "{}", spoken.stderr);
    assert_eq!(report["totals"]["requests"]["sent"], 0, "nothing was sent to the service");
    let starts = starts(&lab);
    assert_eq!(starts.len(), 1, "{starts:#?}");
    let folder = lab.path("tmp").display().to_string();
    assert!(starts[0].starts_with("-N -T -o BatchMode=yes "), "{}", starts[0]);
    assert!(starts[0].contains(&format!(" -p 2222 -L {folder}/sunhaul-")), "{}", starts[0]);
    assert!(starts[0].ends_with("/s.sock:cluster-r730-1:8001 -- jane@gateway.example.org"), "{}", starts[0]);
    is_clean(&lab);
}

#[test]
fn trouble_on_the_way_is_tried_again_within_the_attempts_and_more_and_more_slowly() {
    let lab = lab_with("echo 'ssh: connect to host gw port 22: Connection refused' >&2; exit 255");
    let job = std::fs::read_to_string(lab.path("job.yaml")).expect("a job").replace("2016-01-01", "2015-12-02");
    lab.write("job.yaml", job);
    let begun = Instant::now();
    own(&lab, lab.run()).status(4).done();
    let failure = lab.json("report.json")["failures"][0].clone();
    assert_eq!((&failure["class"], &failure["attempts"]), (&"unreachable".into(), &3.into()), "{failure:#}");
    assert_eq!(starts(&lab).len(), 3);
    assert!(begun.elapsed().as_secs_f64() >= 1.5, "0.5 s and 1 s between them: {:?}", begun.elapsed());
    is_clean(&lab);
}

#[test]
fn an_ssh_that_is_not_there_is_told_as_such() {
    let lab = lab_with("");
    lab.run().env("PATH", "/nonexistent").status(1).done();
    let message = lab.json("report.json")["failures"][0]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("`ssh` could not be started: No such file or directory"), "{message}");
    assert!(message.contains("install OpenSSH's client"), "{message}");
    is_clean(&lab);
}

#[test]
fn an_ssh_that_is_still_logging_in_ends_with_the_program_however_that_ends() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let lab = lab_with("exec sleep 1000");
        let mut running = own(&lab, lab.run()).status(130).start();
        lab.until("ssh is started", |lab| !starts(lab).is_empty());
        let started = descendants(running.pid());
        assert_eq!(started.len(), 2, "a keeper and its ssh");
        running.signal(signal);
        lab.until("all have ended", |_| !started.iter().any(|process| is_alive(*process)));
        lab.until("nothing is left", |lab| std::fs::read_dir(lab.path("tmp")).expect("a folder").next().is_none());
        assert!(running.ends_before(Instant::now() + PATIENCE));
    }
}

#[test]
fn a_configuration_that_is_not_there_is_a_wrong_command_line() {
    let lab = lab_with("exit 255");
    lab.sunhaul(&["run", "job.yaml", "--ssh-config", "nowhere"]).status(2).stderr_has("no such file").done();
}

#[test]
fn d_02_too_few_descriptors_for_a_tunnel_are_a_failure_of_this_machine() {
    // From so many on that `ssh` is started, it is what fails.
    for descriptors in 8..64 {
        let lab = lab_with("printf 'jane@gw: Permission denied (publickey).\r\n' >&2; exit 255");
        let command = format!("ulimit -n {descriptors} && exec '{}' run job.yaml", env!("CARGO_BIN_EXE_sunhaul"));
        let said = own(&lab, lab.program("sh", &["-c", &command])).chatty().start().done_any();
        if !starts(&lab).is_empty() {
            return;
        }
        assert_eq!(said.code, 5, "{descriptors}: {}", said.stderr);
        assert!(said.stderr.contains("`ulimit -n 1024`"), "{descriptors}: {}", said.stderr);
    }
    panic!("no limit is enough");
}
