//! Files that came wrong: not asked for in every run, but after days, or when the user says so.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sunhaul::failure::{Class, Failure};
use sunhaul::run::event::{Event, FileEnd};

use crate::lab::{Answer, Ending, Item, Job, Lab, Server, carry_out, fits};

const TIME: &str = "2015-12-11T01:00:00.000000Z";
const BAD: &str = "/HMI/sharp_720s/bad";
const DAY: i64 = 86_400;
/// 2016-01-01 in seconds: the day is long final.
const BEGIN: i64 = 1_451_606_400;

fn honest() -> Answer {
    Answer::file(fits(2, 60, TIME)).named("bad.fits")
}

/// With a flipped bit.
fn damaged() -> Answer {
    let mut body = honest().body();
    let middle = body.len() / 2;
    body[middle] ^= 1;
    Answer::file(body).named("bad.fits")
}

/// A service with a good file and these answers for a bad one, and a job of one attempt.
fn start(answers: impl IntoIterator<Item = Answer>) -> (Lab, Server) {
    let server = Server::start();
    server.file("sharp_720s", Item::new("good", "2015-12-11T00:00:00.000000Z"), fits(1, 60, TIME));
    server.script_file("sharp_720s", Item::new("bad", TIME), answers);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server, ""));
    (lab, server)
}

fn job(server: &Server, more: &str) -> String {
    Job::at(&server.url()).retry("{ attempts: 1 }").more(more).yaml()
}

fn asked(server: &Server) -> usize {
    server.requests_for(BAD).len()
}

/// A run through the library's door, in which the bad file fails; gives its failure.
#[track_caller]
fn fails(lab: &Lab, server: &Server, now: fn() -> DateTime<Utc>) -> Failure {
    let (order, told) = lab.order(server, now);
    let outcome = carry_out(order);
    assert!(outcome.classes.contains(&Class::FitsChecksum), "{outcome:?}");
    let failed = told.events().into_iter().find_map(|event| match event {
        Event::FileDone { end: FileEnd::Failed(failure), key, path, .. } => {
            assert_eq!((key.as_str(), path.as_deref()), (BAD, Some("sharp_720s/2015/12/11/bad.fits")));
            Some(*failure)
        }
        _ => None,
    });
    failed.expect("a failure")
}

#[test]
fn it_is_asked_for_again_after_1_2_4_8_16_30_30_days() {
    static CLOCK: AtomicI64 = AtomicI64::new(BEGIN);
    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(CLOCK.load(Ordering::SeqCst), 0).expect("an instant")
    }
    let (lab, server) = start([damaged()]);
    fails(&lab, &server, now);
    let mut last = BEGIN;
    for (times, days) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
        assert_eq!(asked(&server), times + 1);
        for early in [last + 1, last + days * DAY - 1] {
            CLOCK.store(early, Ordering::SeqCst);
            let failure = fails(&lab, &server, now);
            assert_eq!(failure.attempts, 0);
            assert!(failure.message.contains("job.yaml --retry-failed` asks now"), "{}", failure.message);
            assert_eq!(asked(&server), times + 1, "too early, {days} days");
        }
        last += days * DAY;
        CLOCK.store(last, Ordering::SeqCst);
        assert_eq!(fails(&lab, &server, now).attempts, 1);
    }
    CLOCK.store(last + 1, Ordering::SeqCst);
    let told = fails(&lab, &server, now).message;
    assert!(told.contains("same result 8 times from 2016-01-01 00:00 UTC to 2016-04-01 00:00 UTC"), "{told}");
    assert!(told.contains("requested again from 2016-05-01 00:00 UTC on"), "{told}");
}

#[test]
fn a_clock_that_went_backwards_puts_nothing_off() {
    static CLOCK: AtomicI64 = AtomicI64::new(BEGIN + 3650 * DAY);
    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(CLOCK.load(Ordering::SeqCst), 0).expect("an instant")
    }
    let (lab, server) = start([damaged()]);
    fails(&lab, &server, now);
    CLOCK.store(BEGIN, Ordering::SeqCst);
    assert_eq!(fails(&lab, &server, now).attempts, 1);
    CLOCK.store(BEGIN + 3600, Ordering::SeqCst);
    let failure = fails(&lab, &server, now);
    assert_eq!(failure.attempts, 0);
    assert!(failure.message.contains("same result on 2016-01-01 00:00 UTC"), "{}", failure.message);
    assert_eq!(asked(&server), 2);
}

/// A run of the program in which the bad file fails.
#[track_caller]
fn report(lab: &Lab) -> Value {
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "fits-checksum", "{report:#}");
    assert_eq!(report["totals"]["files"]["failed"], 1, "{report:#}");
    report
}

#[test]
fn the_next_run_fails_at_once_with_the_same_class_and_says_how_to_ask() {
    let (lab, server) = start([damaged(), honest()]);
    assert_eq!(report(&lab)["failures"][0]["attempts"], 1);
    let told = lab.run().status(1).stderr_has("same result on 20").done().stderr;
    let last =
        told.lines().rfind(|line| line.contains("only their source can correct these files")).unwrap_or_default();
    assert!(last.ends_with(" --retry-failed"), "{told}");
    let report = report(&lab);
    assert_eq!(report["failures"][0]["attempts"], 0);
    assert_eq!(report["failures"][0]["path"], "sharp_720s/2015/12/11/bad.fits", "no answer was needed for its name");
    assert_eq!(report["totals"]["files"]["have"], 1);
    assert_eq!(asked(&server), 1);
    let report = lab.report_with(&["--retry-failed"], 0);
    assert_eq!((&report["totals"]["files"]["fetched"], &report["days"][0]["state"]), (&json!(1), &json!("sealed")));
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn a_new_file_of_the_day_is_taken_meanwhile() {
    let (lab, server) = start([damaged()]);
    report(&lab);
    server.file("sharp_720s", Item::new("new", "2015-12-11T02:00:00.000000Z"), fits(3, 60, TIME));
    assert_eq!(report(&lab)["totals"]["files"]["fetched"], 1);
    assert_eq!(asked(&server), 1);
}

#[test]
fn what_passes_or_can_be_mended_here_is_asked_for_in_every_run() {
    for (answer, status) in [
        (Answer::status(500), 4),
        (Answer::status(403), 1),
        (Answer::status(400), 1),
        (Answer::html(), 4),
        (honest().framed_as(&[("Content-Length", "5"), ("Content-Length", "6")]), 1),
    ] {
        let (lab, server) = start([answer, honest()]);
        lab.report(status);
        lab.report(0);
        assert_eq!(asked(&server), 2);
    }
}

#[test]
fn a_change_of_the_manifest_asks_at_once() {
    for change in ["verify: [size]", "archive: { root: data, layout: \"{series}/{file}\" }"] {
        let (lab, server) = start([damaged()]);
        report(&lab);
        let yaml = job(&server, change);
        // The archive of the lab's job stands there already.
        let yaml = if change.starts_with("archive") { yaml.replace("archive: { root: data }\n", "") } else { yaml };
        lab.write("job.yaml", yaml);
        lab.run().status(i32::from(change.starts_with("archive"))).done();
        assert_eq!(asked(&server), 2, "{change}");
    }
    // One that changes nothing of the question does not.
    let (lab, server) = start([damaged()]);
    report(&lab);
    lab.write(
        "job.yaml",
        job(&server, "timeouts: { connect: 3s }").replacen("timeouts: { connect: 5s, stall: 5s }\n", "", 1),
    );
    report(&lab);
    assert_eq!(asked(&server), 1);
}

#[test]
fn another_size_in_the_listing_asks_at_once() {
    let (lab, server) = start([damaged()]);
    let right = damaged().body().len();
    let list = |size: usize| {
        let item = json!({ "url": format!("http://cluster-r730-1:8001{BAD}"), "date_obs": TIME, "size": size });
        server.script("/HMI/sharp_720s", [Answer::json(&json!([item]))]);
    };
    // The class may be another one then; the waits begin anew.
    for (size, class, times) in [(right - 1, "size", 1), (right, "fits-checksum", 2), (right + 1, "size", 3)] {
        list(size);
        for attempts in [1, 0] {
            let report = lab.report(1);
            assert_eq!(report["failures"][0]["class"], class, "{report:#}");
            assert_eq!((&report["failures"][0]["attempts"], asked(&server)), (&json!(attempts), times), "{size}");
        }
    }
    server.script(BAD, [honest()]);
    lab.report(1);
    list(honest().body().len());
    lab.report(0);
}

#[test]
fn clean_forgets_it() {
    let (lab, server) = start([damaged(), honest()]);
    report(&lab);
    lab.sunhaul(&["clean", "job.yaml"]).chatty().done();
    lab.report(0);
    assert_eq!(asked(&server), 2);
}

#[test]
fn a_kill_does_not_forget_it() {
    let (lab, server) = start([damaged()]);
    server.script_file(
        "sharp_720s",
        Item::new("slow", "2015-12-11T02:00:00.000000Z"),
        [
            Answer::file(fits(3, 60, TIME)).named("slow.fits").ending(Ending::Stall(3000)),
            Answer::file(fits(3, 60, TIME)).named("slow.fits"),
        ],
    );
    let run = lab.run().start();
    server.wait_for_pauses(1);
    lab.until("the failure is noted", |lab| {
        let journal = "data/.sunhaul/work/journal/sharp_720s/2015-12-11.jsonl";
        std::fs::read_to_string(lab.path(journal)).is_ok_and(|text| text.contains("{\"spoilt\":"))
    });
    run.kill();
    assert_eq!(report(&lab)["failures"][0]["attempts"], 0);
    assert_eq!(asked(&server), 1);
}
