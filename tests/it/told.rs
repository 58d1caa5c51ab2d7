//! Errors as people read them, beside those of manifests: of the command line, of the lock, of the plan, of the archive.
//! Each says what is wrong, on what, and what to do.

use std::fmt::Write as _;
use std::fs;

use crate::lab::{Job, Lab};

/// Three jobs of one day that is sealed, and what surrounds them.
fn lab() -> Lab {
    let lab = Lab::new();
    let job = Job::embedded().series(&["{ name: sharp_720s, cadence: 12h }"]).yaml();
    fs::create_dir(lab.path("jobs")).expect("a folder");
    lab.write("jobs/nightly.yaml", job.replace("root: data", "root: ../data"));
    lab.sunhaul(&["run", "jobs/nightly.yaml"]).chatty().done();
    // The same archive, asked for something else by another job.
    let other = job.replace("root: data", "root: ../data").replace("name: lab", "name: other");
    lab.write("jobs/other.yaml", other.replace("cadence: 12h", "cadence: 6h"));
    lab.write("jobs/wrong.yaml", "version: 1\nnmae: wrong\n");
    lab.write("in-the-way", "a file");
    lab
}

/// What a call says on standard error, and how it ends, with nothing in it that differs from lab to lab.
fn said(lab: &Lab, line: &str) -> String {
    let args: Vec<&str> = line.split_whitespace().collect();
    let spoken = lab.sunhaul(&args).env("COLUMNS", "100").stdout_has("").chatty().start().done_any();
    assert_ne!(spoken.code, 0, "{line}");
    let said = spoken.stderr.replace(lab.path("").to_str().expect("a path"), "LAB/");
    format!("$ sunhaul {line}\n{said}[{}]\n\n", spoken.code)
}

fn all(lab: &Lab, lines: &[&str]) -> String {
    lines.iter().map(|line| said(lab, line)).collect()
}

#[test]
fn what_is_wrong_with_a_command_line_is_told_with_what_was_meant() {
    insta::assert_snapshot!(all(
        &lab(),
        &[
            "rnu jobs/nightly.yaml",
            "validate jobs/nightly.yaml",
            "run",
            "run nightly",
            "run jobs/nigthly.yaml",
            "run jobs/nightly.yaml --lockd",
            "run jobs/nightly.yaml --locked --frozen",
            "run jobs/nightly.yaml --max-time 90",
            "run jobs/nightly.yaml --max-bytes lots",
            "run jobs/nightly.yaml --max-files 0",
            "run jobs/nightly.yaml jobs/other.yaml --report r.json",
            "run jobs/nightly.yaml --report nowhere/r.json",
            "run jobs/nightly.yaml --archive in-the-way",
            "run jobs/nightly.yaml --report jobs/nightly.lock",
            "run jobs/nightly.yaml --report - --report-html -",
            "run jobs/nightly.lock",
            "report nowhere.json",
            "run jobs/nightly.yaml --summary jobs/other.yaml",
            "check --report-codequality jobs/nightly.yaml jobs/other.yaml",
            "report jobs/nightly.yaml --output jobs/other.yaml",
            "check jobs/nightly.yaml jobs/wrong.yaml jobs/absent.yaml",
            "status jobs/nightly.yaml --by hour",
            "update jobs/nightly.yaml --sample 5%",
            "export jobs/nightly.yaml --format tar",
            "completions tcsh",
            "man rum",
            "init --source jsok",
            "schema jobs",
        ]
    ));
}

#[test]
fn what_is_wrong_with_a_plan_or_an_archive_is_told_with_what_to_do() {
    insta::assert_snapshot!(all(
        &lab(),
        &[
            "plan jobs/nightly.yaml --series shrap_720s",
            "plan jobs/nightly.yaml --series goes",
            "plan jobs/nightly.yaml --range 2015-12-11",
            "plan jobs/nightly.yaml --range 2015-02-30..",
            "plan jobs/nightly.yaml --range 2015-12-14..2015-12-11",
            "plan jobs/nightly.yaml --range 2016-01-01..2016-02-01",
            "run jobs/other.yaml",
            "verify jobs/nightly.yaml --archive elsewhere",
            "adopt jobs/nightly.yaml elsewhere",
        ]
    ));
}

#[test]
fn what_is_wrong_with_a_lock_is_told_with_its_line() {
    let lab = lab();
    let written = String::from_utf8(lab.read("jobs/nightly.lock")).expect("text");
    let (before, after) = written.split_once("\"as_of\":\"").expect("an instant");
    // The instant of the run is another each time.
    let whole = format!("{before}\"as_of\":\"2026-01-02T03:04:05Z\"{}", &after["2026-01-02T03:04:05Z\"".len()..]);
    let lines: Vec<&str> = whole.lines().collect();
    let of = |text: String| {
        lab.write("jobs/nightly.lock", text);
        said(&lab, "run jobs/nightly.yaml --locked")
    };
    let mut told = String::new();
    for (what, text) in [
        ("a merge conflict", format!("{}\n<<<<<<< ours\n{}\n", lines[0], lines[1])),
        ("a line that was cut", whole[..whole.len() - 20].to_owned()),
        ("another job's", whole.replacen("\"job\":\"lab\"", "\"job\":\"mine\"", 1)),
        ("of a later version", whole.replacen("lock/1", "lock/2", 1)),
        ("no lock at all", "# nothing yet\n".to_owned()),
        ("a day without one of its files", format!("{}\n{}\n", lines[0], lines[1])),
        ("an empty one", format!("{}\n", lines[0])),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(told, "{what}\n{}", of(text));
    }
    fs::remove_file(lab.path("jobs/nightly.lock")).expect("a lock");
    told += &all(&lab, &["run jobs/nightly.yaml --frozen", "update jobs/nightly.yaml"]);
    insta::assert_snapshot!(told);
}
