//! Jobs of millions of days: commands take the memory of what they do, and not of what there is to do.
//!
//! What it does not do: measure. A limit on the address space is far above what a command needs, and far below what all the
//! days would take.

use std::net::{Ipv4Addr, TcpListener};

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::lab::{Answer, Call, Job, Lab, Server};

/// With 46,021 days each.
const SERIES: usize = 72;

/// Their days: of each, more than 100 bytes were kept once.
const ALL: u64 = 3_313_512;

/// A job of 126 years in so many series. In a fake autoindex every day has one file.
fn job(url: &str, series: usize) -> String {
    let source = format!("{{ index: {{ url: \"{url}\", path: \"%Y/%m/%d/\", files: \"x%Y%m%d.txt\" }} }}");
    let series: Vec<String> = (0..series).map(|nth| format!("{{ name: s{nth:02} }}")).collect();
    let series: Vec<&str> = series.iter().map(String::as_str).collect();
    Job::from_source(&source).range("1900-01-01", "2026-01-01").series(&series).more("verify: [size, magic]").yaml()
}

fn autoindex() -> Server {
    Server::speaking(|request| {
        let path = request.path.strip_prefix('/')?;
        let folder = path.strip_suffix('/').map(|day| day.replace('/', ""));
        Some(match folder {
            Some(day) if day.len() == 8 => {
                let name = format!("x{day}.txt");
                let title = format!("Index of /{path}");
                let page = format!(
                    "<html><head><title>{title}</title></head><body><h1>{title}</h1><pre><a href=\"../\">../</a>\n\
                     <a href=\"{name}\">{name}</a>  11-Dec-2015 10:00  5\n</pre></body></html>"
                );
                Answer::text("text/html", &page)
            }
            Some(_) => Answer::status(404),
            None if path == "robots.txt" => Answer::status(404),
            None => Answer::text("text/plain", "hello"),
        })
    })
}

/// A command in an address space of so many MiB. What it prints goes to `out`.
fn within<'a>(lab: &'a Lab, mib: u64, command: &str) -> Call<'a> {
    let program = env!("CARGO_BIN_EXE_sunhaul");
    let command = format!("ulimit -v {} && exec '{program}' {command} > out", mib << 10);
    // One arena for all threads: each of its own would take 64 MiB of addresses.
    lab.program("sh", &["-c", &command]).env("MALLOC_ARENA_MAX", "1").chatty()
}

#[test]
fn commands_that_ask_nobody_take_the_memory_of_a_few_days_for_millions() {
    let lab = Lab::new();
    lab.write("job.yaml", job("http://localhost:1/", SERIES));
    within(&lab, 300, "plan job.yaml").done();
    let plan = String::from_utf8(lab.read("out")).expect("UTF-8");
    assert!(plan.contains("s71     1900-01-01 UTC  2026-01-01 UTC     46,021  46,021  46,021     0\n"), "{plan}");
    let end = "to do: 3,313,512 days, from s00 1900-01-01 to s71 2025-12-31; --days shows each\n\n\
               the lock does not say what the 3,313,512 days to do have; --list asks the sources\n\
               localhost:1: about 3,313,512 requests, as fast as it can (private: unlimited, 4 connections), and the files\n";
    assert!(plan.ends_with(end), "{plan}");
    within(&lab, 300, "lock job.yaml").stderr_has("3,313,512 days of the job are still to do").done();
    within(&lab, 300, "export job.yaml --format csv").status(1).stderr_has("no day of `lab` has a record").done();
    within(&lab, 300, "status job.yaml").done();
    within(&lab, 300, "verify job.yaml").status(1).stderr_has("no archive at").done();
}

#[test]
fn days_to_do_are_counted_by_month_or_year_and_shown_each_on_demand() {
    let lab = Lab::new();
    let shown = |start: &str, options: &[&str]| {
        lab.write("job.yaml", job("http://localhost:1/", 1).replace("1900-01-01", start));
        lab.sunhaul(&[&["plan", "job.yaml"], options].concat()).stdout_has("to do").done().stdout
    };
    let months = shown("2025-10-31", &[]);
    let rows = "series  to do in  days  new\ns00     2025-10      1    1\ns00     2025-11     30   30\ns00     2025-12     31   31\n";
    assert!(months.contains(rows), "{months}");
    let years = shown("1990-06-01", &[]);
    let row = "series  to do in  days  new\ns00     1990       214  214\ns00     1991       365  365\n";
    assert!(years.contains(row), "{years}");
    let each = shown("2000-01-01", &["--days"]);
    assert_eq!(each.lines().filter(|line| line.ends_with("new: not fetched yet")).count(), 9497, "{each}");
    assert!(!each.contains("to do in"), "{each}");
}

#[test]
fn a_plan_as_json_is_written_while_it_is_made() {
    let lab = Lab::new();
    lab.write("job.yaml", job("http://localhost:1/", 5));
    within(&lab, 256, "plan job.yaml --json").done();
    let plan = lab.json("out");
    let days = plan["days"].as_array().expect("days");
    assert_eq!(days.len(), 230_105);
    assert_eq!((&days[0]["date"], &days[230_104]["date"]), (&"1900-01-01".into(), &"2025-12-31".into()));
    assert_eq!(plan["series"][1]["days"]["new"], 46_021);
}

#[test]
fn a_run_over_millions_of_days_begins_at_once_and_accounts_for_all_of_them() {
    let server = autoindex();
    let lab = Lab::new();
    lab.write("job.yaml", job(&server.url(), SERIES));
    let run = |sealed_before: u64| {
        within(&lab, 1024, "run job.yaml --max-files 3 --report report.json").status(4).done();
        let report = lab.json("report.json");
        let days = &report["totals"]["days"];
        assert_eq!((&report["totals"]["files"]["fetched"], &days["sealed"]), (&json!(3), &json!(3)));
        assert_eq!(days["planned"], ALL - sealed_before, "{days}");
        assert_eq!(days["already_sealed"], sealed_before, "{days}");
        assert_eq!(days["unfinished"], ALL - sealed_before - 3, "{days}");
        assert_eq!(report["days"].as_array().map(Vec::len), Some(3));
        let stretches = report["other_days"].as_array().expect("stretches");
        let date = |stretch: &Value, end: &str| -> NaiveDate {
            stretch[end].as_str().and_then(|date| date.parse().ok()).expect("a date")
        };
        let length = |stretch: &&Value| (date(stretch, "end") - date(stretch, "start")).num_days();
        let of = |state| stretches.iter().filter(|stretch| stretch["state"] == state).map(|one| length(&one)).sum();
        let (sealed, unfinished): (i64, i64) = (of("already_sealed"), of("unfinished"));
        assert_eq!(
            (u64::try_from(sealed), u64::try_from(unfinished)),
            (Ok(sealed_before), Ok(ALL - sealed_before - 3))
        );
    };
    run(0);
    run(3);
    assert_eq!(lab.days("data").len(), 6);
}

#[test]
fn a_host_given_up_early_leaves_millions_of_days_for_the_next_run_and_says_so() {
    // Bound and dropped: nobody listens there now.
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port");
    let lab = Lab::new();
    lab.write("job.yaml", job(&format!("http://{closed}/"), SERIES));
    let spoken = within(&lab, 1024, "run job.yaml --report report.json")
        .status(4)
        .stderr_has("more days were not started: 127.0.0.1:")
        .done();
    assert!(spoken.stderr.lines().count() < 1200, "{}", spoken.stderr);
    let report = lab.json("report.json");
    let days = &report["totals"]["days"];
    let [failed, unfinished] = ["failed", "unfinished"].map(|state| days[state].as_u64().expect("a count"));
    assert_eq!((&days["planned"], failed + unfinished), (&json!(ALL), ALL), "{days}");
    assert!((1001..1100).contains(&failed), "{days}");
    let failures = report["failures"].as_array().expect("failures");
    assert!(failures.iter().any(|failure| failure["class"] == "host-given-up"));
}
