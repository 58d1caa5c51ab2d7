//! A cause that repeats over all days of a series: how much is asked for before the rest is given up.

use serde_json::Value;

use crate::lab::{Answer, Job, Lab, Server};

/// A job over two years of a template, with one file an hour.
fn job(server: &Server) -> Job {
    let source = format!("{{ template: {{ url: \"{}\", path: \"%Y/%m/%d/x_%H.dat\", cadence: 1h }} }}", server.url());
    Job::from_source(&source).range("2012-01-01", "2014-01-01").retry("{ attempts: 2, max_wait: 1s }")
}

fn lab(job: &Job) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    lab
}

fn days(report: &Value, state: &str) -> u64 {
    report["totals"]["days"][state].as_u64().expect("a count")
}

#[test]
fn a_series_that_its_service_refuses_day_by_day_is_given_up_after_a_few() {
    let server = Server::speaking(|_| Some(Answer::status(400)));
    let job = Job::at(&server.url()).series(&["{ name: shrap_720s }"]).range("2012-01-01", "2014-01-01");
    let lab = lab(&job.retry("{ attempts: 2, max_wait: 1s }"));
    let report = lab.report(1);
    assert_eq!((days(&report, "planned"), days(&report, "failed")), (731, 731));
    assert!(server.requests().len() < 60, "{} requests", server.requests().len());
    let failures = report["failures"].as_array().expect("failures");
    let not_begun = failures.iter().filter(|failure| failure["attempts"] == 0);
    let messages: Vec<&str> = not_begun.map(|failure| failure["message"].as_str().expect("a message")).collect();
    assert!(messages.len() > 700, "{}", messages.len());
    // Which of the days under way ends first is a matter of timing.
    let due = ["not begun: 5 days in a row failed as 2012-01-0", " did, and so did the last day and others between: "];
    assert!(messages[0].starts_with(due[0]) && messages[0].contains(due[1]), "{}", messages[0]);
}

#[test]
fn a_series_that_begins_within_its_range_is_not_given_up() {
    let server = Server::speaking(|request| {
        let start = request.parameter("start")?;
        Some(if start.as_str() < "2026-03-01" { Answer::status(400) } else { Answer::text("application/json", "[]") })
    });
    // So young that no empty day is looked at twice.
    let job = Job::at(&server.url()).range("2026-01-01", "2026-03-11").retry("{ attempts: 1 }").more("settle: 3650d");
    let report = lab(&job).report(1);
    assert_eq!((days(&report, "failed"), days(&report, "provisional")), (59, 10), "{report:#}");
}

#[test]
fn a_frozen_run_against_files_that_all_changed_ends_soon() {
    let server = Server::speaking(|request| Some(Answer::file(request.path.clone().into_bytes())));
    let lab = lab(&job(&server).range("2012-01-01", "2012-03-01"));
    lab.report(0);
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    let changed = Server::speaking(|request| Some(Answer::file([request.path.as_bytes(), b"2"].concat())));
    lab.write("job.yaml", job(&changed).range("2012-01-01", "2012-03-01").yaml());
    let report = lab.report_with(&["--frozen"], 3);
    assert_eq!((days(&report, "planned"), days(&report, "failed")), (60, 60));
    assert!(changed.requests().len() < 700, "{} requests of 1,440", changed.requests().len());
}

#[test]
fn a_series_that_can_be_read_in_the_middle_of_its_range_alone_is_not_given_up() {
    let server = Server::speaking(|request| {
        let start = request.parameter("start")?;
        let is_open = ("2026-02-10".."2026-02-20").contains(&start.as_str());
        Some(if is_open { Answer::text("application/json", "[]") } else { Answer::status(403) })
    });
    let job = Job::at(&server.url()).range("2026-01-01", "2026-03-11").retry("{ attempts: 1 }").more("settle: 3650d");
    let report = lab(&job).report(1);
    assert_eq!(days(&report, "provisional"), 10, "{report:#}");
}
