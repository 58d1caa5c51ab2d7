//! Files that cannot be written, and readers that went away: a warning, and the run ends as it would.

use super::{faulty, lab_for, text};
use crate::lab::{Job, Lab};

#[test]
fn a_summary_or_outputs_that_cannot_be_written_are_a_warning_and_nothing_else() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    lab.write("folder/file", "");
    // Not even the superuser makes a file there; a folder; a folder that is not there; a pipe that nobody reads.
    lab.program("/usr/bin/mkfifo", &["pipe"]).done();
    for path in ["/proc/version", "/proc/none.md", "folder", "no/such.md", "pipe"] {
        let warning = format!("warning: the summary could not be written to `{path}`: ");
        lab.run_with(&["--summary", path]).stderr_has(&warning).done();
        lab.run().env("GITHUB_STEP_SUMMARY", path).stderr_has(&warning).done();
        let warning = format!("warning: the outputs could not be written to `{path}`: ");
        lab.run().env("GITHUB_OUTPUT", path).stderr_has(&warning).done();
        assert_eq!(lab.json("report.json")["run"]["exit_code"], 0);
    }
    lab.run().env("GITHUB_STEP_SUMMARY", "").env("GITHUB_OUTPUT", "").done();
}

#[test]
fn a_failure_keeps_its_exit_code_when_the_summary_cannot_be_written() {
    let server = faulty();
    let lab = lab_for(&server);
    let run = ["run", "jobs/job.yaml", "--summary", "no/such.md"];
    lab.sunhaul(&run).stderr_has("warning: the summary could not be written").status(1).done();
}

#[test]
fn a_junit_file_that_cannot_be_written_is_told_before_any_work() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    for (path, status) in [("no/such.xml", 2), ("/proc/junit.xml", 5)] {
        let told = "name another file with `--report-junit`";
        lab.sunhaul(&["run", "job.yaml", "--report-junit", path]).status(status).stderr_has(told).done();
    }
    assert!(!lab.path("data").exists(), "work was begun");
    let told = "add `--repair`";
    lab.sunhaul(&["verify", "job.yaml", "--report-junit", "x.xml"]).status(2).stderr_has(told).done();
}

#[test]
fn readers_that_went_away_do_no_harm() {
    let lab = Lab::new();
    lab.write("small.yaml", Job::embedded().yaml());
    lab.sunhaul(&["run", "small.yaml"]).chatty().done();
    let sunhaul = env!("CARGO_BIN_EXE_sunhaul");
    for command in [
        "\"$0\" report small.yaml | true; exit ${PIPESTATUS[0]}",
        "\"$0\" report small.yaml --hosts | true; exit ${PIPESTATUS[0]}",
        "\"$0\" run small.yaml -q --summary - | true; exit ${PIPESTATUS[0]}",
        "\"$0\" run small.yaml -q --report-junit - | true; exit ${PIPESTATUS[0]}",
        "GITHUB_ACTIONS=true \"$0\" run small.yaml --summary x.md 2>&1 | true; exit ${PIPESTATUS[0]}",
    ] {
        lab.program("/bin/bash", &["-c", command, sunhaul]).done();
    }
    assert!(text(&lab, "x.md").contains("`lab` complete"));
}

#[test]
fn repairs_and_adoptions_have_the_same_reports() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    lab.run().done();
    let file = lab.files("data").into_keys().next().expect("a file");
    std::fs::remove_file(lab.path(&format!("data/{file}"))).expect("removed");
    let forms = ["--report", "r.json", "--report-junit", "r.xml", "--summary", "r.md"];
    lab.sunhaul(&[&["verify", "job.yaml", "--repair"], &forms[..]].concat()).chatty().stdout_has("missing").done();
    assert!(text(&lab, "r.md").contains("`lab` complete") && text(&lab, "r.xml").contains("name=\"2015-12-11\""));
    std::fs::rename(lab.path("data"), lab.path("old")).expect("moved");
    lab.sunhaul(&[&["adopt", "job.yaml", "old"], &forms[..]].concat()).chatty().done();
    assert!(text(&lab, "r.md").contains("| adopted |"), "{}", text(&lab, "r.md"));
    assert!(lab.json("r.json")["totals"]["files"]["adopted"].as_u64() > Some(0));
    lab.sunhaul(&[&["update", "job.yaml"], &forms[..]].concat()).chatty().stdout_has("updated").done();
    assert!(text(&lab, "r.md").contains("`lab` complete"));
}
