//! Jobs whose range follows the clock, on ten successive days: no day is ever dropped, each is sealed in time, and a night
//! costs what is new.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chrono::{Days, NaiveDate};
use serde_json::Value;

use crate::lab::{Answer, Job, Lab, Request, Server, fits};

/// The first night; by then the days before it are complete.
const FIRST: &str = "2015-12-11";
const NIGHTS: u64 = 10;

/// The names of a service's files.
type Names = Arc<Mutex<BTreeSet<String>>>;

/// A web server with a folder for each day.
struct Folders {
    server: Server,
    names: Names,
}

impl Folders {
    /// It has all of the days before the first night, but for the second file of the last one.
    fn new() -> Folders {
        let names = Names::default();
        let shown = Arc::clone(&names);
        let server = Server::speaking(move |request| answer(request, &shown.lock().expect("a lock")));
        let folders = Folders { server, names };
        for day in (1..=6).map(|days| first() - Days::new(days)) {
            folders.publish(day, 6);
            if day != first() - Days::new(1) {
                folders.publish(day, 12);
            }
        }
        folders
    }

    /// One of the two files of a day. That of 12:00 comes a night later than that of 06:00.
    fn publish(&self, day: NaiveDate, hour: u32) {
        self.names.lock().expect("a lock").insert(format!("x_{}_{hour:02}0000.fits", day.format("%Y%m%d")));
    }

    fn job(&self, reach: u64, settle: u64) -> String {
        let url = self.server.url();
        let source =
            format!("{{ index: {{ url: \"{url}/data/\", path: \"%Y%m%d/\", files: \"x_%Y%m%d_%H%M%S.fits\" }} }}");
        let job = Job::from_source(&source).series(&["{ name: x }"]).range(&format!("today-{reach}d"), "today");
        job.more(&format!("settle: {settle}d")).yaml()
    }

    /// How many requests there were so far, without those for `robots.txt`.
    fn asked(&self) -> u64 {
        self.server.requests().iter().filter(|request| request.path.starts_with("/data/")).count() as u64
    }
}

fn first() -> NaiveDate {
    FIRST.parse().expect("a date")
}

/// The listing of a day, or a file.
fn answer(request: &Request, names: &BTreeSet<String>) -> Option<Answer> {
    let path = request.path.strip_prefix("/data/")?;
    let (day, name) = path.split_once('/')?;
    if let Some(name) = names.get(name) {
        let seed = name.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 1_000;
        return Some(Answer::file(fits(seed, 20, "2015-12-11T00:00:00")));
    }
    let row = |name: &String| format!("<a href=\"{name}\">{name}</a>   05-Jan-2016 {}:10   5760\n", &name[11..13]);
    let rows: String = names.iter().filter(|name| name.contains(day)).map(row).collect();
    let title = format!("Index of /data/{day}/");
    let page = format!(
        "<html><head><title>{title}</title></head><body><h1>{title}</h1><hr><pre><a href=\"../\">../</a>\n\
         {rows}</pre><hr></body></html>"
    );
    Some(Answer::text("text/html", &page))
}

/// The days of the lock with their states.
fn locked(lab: &Lab) -> Vec<(NaiveDate, String)> {
    let text = String::from_utf8(lab.read("job.lock")).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let day = |line: Value| {
        let date = line["day"]["date"].as_str()?.parse().expect("a date");
        Some((date, line["day"]["state"].as_str().expect("a state").to_owned()))
    };
    lines.filter_map(day).collect()
}

/// What must hold after a night: the lock has each day since the first night's range began, sealed where it is old enough,
/// and so do status, verify and export.
fn must_have_all(lab: &Lab, clock: &str, from: NaiveDate, night: NaiveDate, settle: u64) {
    let is_final = |day: NaiveDate| day + Days::new(1 + settle) <= night;
    let state = |day| if is_final(day) { "sealed" } else { "provisional" }.to_owned();
    let due: Vec<_> = from.iter_days().take_while(|day| *day < night).map(|day| (day, state(day))).collect();
    assert_eq!(locked(lab), due, "{night}");
    let call = |args: &[&str]| lab.sunhaul(args).with_clock(clock).stdout_has("").chatty().done();
    let status = call(&["status", "job.yaml", "--json"]).json();
    let days = status["series"][0]["days"].as_array().expect("days");
    let shown = |day: &Value| (day["date"].as_str().expect("a date").parse().expect("a date"), word(&day["state"]));
    assert_eq!(days.iter().map(shown).collect::<Vec<(NaiveDate, String)>>(), due, "{night}");
    call(&["verify", "job.yaml"]);
    let sums = call(&["export", "job.yaml", "--format", "sha256sums"]).stdout;
    // Of yesterday one file is there.
    assert_eq!(sums.lines().count(), 2 * due.len() - 1, "{night}");
}

fn word(value: &Value) -> String {
    value.as_str().expect("a word").to_owned()
}

/// Runs the job on ten successive mornings, or on every `step`th of them.
fn run_every_night(reach: u64, settle: u64, step: usize) {
    let folders = Folders::new();
    let lab = Lab::new();
    lab.write("job.yaml", folders.job(reach, settle));
    let from = first() - Days::new(reach);
    for (nth, night) in (0..NIGHTS).map(|days| first() + Days::new(days)).enumerate() {
        folders.publish(night - Days::new(1), 6);
        folders.publish(night - Days::new(2), 12);
        if !nth.is_multiple_of(step) {
            continue;
        }
        let clock = format!("@{night} 06:00:00");
        let before = folders.asked();
        lab.run().with_clock(&clock).done();
        must_have_all(&lab, &clock, from, night, settle);

        let totals = &lab.json("report.json")["totals"];
        let count = |of: &str, which: &str| totals[of][which].as_u64().expect("a number");
        let (planned, fetched) = (count("days", "planned"), count("files", "fetched"));
        // A listing of each day that was not final, the new files, and the files of a day before it is sealed, unless they
        // came in this run.
        let most = planned + fetched + 2 * count("days", "sealed");
        let asked = folders.asked() - before;
        assert!(asked <= most, "{night}: {asked} requests, {totals:#}");
        if nth > 0 && step == 1 {
            assert_eq!((fetched, planned <= settle + 1), (2, true), "{night}: {totals:#}");
        }
    }
}

#[test]
#[ignore = "needs faketime: tests/run.sh installs it"]
fn a_range_longer_than_settle_has_each_of_its_days_sealed_within_it() {
    run_every_night(5, 2, 1);
}

#[test]
#[ignore = "needs faketime: tests/run.sh installs it"]
fn days_that_leave_a_range_shorter_than_settle_are_sealed_all_the_same() {
    run_every_night(3, 5, 1);
}

#[test]
#[ignore = "needs faketime: tests/run.sh installs it"]
fn nights_that_are_left_out_cost_no_day_that_the_range_reaches() {
    run_every_night(5, 2, 3);
}
