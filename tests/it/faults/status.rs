//! Statuses: which are tried again, and which are obeyed.

mod placeholder;
mod redirect;

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::{Ended, Fault, SERIES, fails, is_harmless, recovers, trial};
use crate::lab::{Answer, Item, Job, Lab, Request, Server, fits};

/// A redirect.
fn to(status: u16, location: &str) -> Answer {
    Answer::status(status).header("Location", location)
}

/// A service with one file on each of these days, each with its answers in turn.
fn service<const N: usize>(files: [Vec<Answer>; N]) -> Server {
    let server = Server::start();
    for (day, answers) in (11..).zip(files) {
        let item = Item::new(&name(day), &format!("2015-12-{day}T18:22:08.8Z"));
        server.script_file(SERIES, item, answers);
    }
    server
}

fn name(day: u32) -> String {
    format!("on_{day}")
}

fn url(day: u32) -> String {
    format!("/HMI/{SERIES}/{}", name(day))
}

/// A whole file of that day.
fn honest(day: u32) -> Answer {
    Answer::file(fits(day, 60, &format!("2015-12-{day}T18:22:08.8Z"))).named(&format!("{}.fits", name(day)))
}

/// A job over the days of such a service, by one connection.
fn lab_for(server: &Server, days: u32, retry: &str) -> Lab {
    let lab = Lab::new();
    let job = Job::at(&server.url()).range("2015-12-11", &format!("2015-12-{}", 11 + days));
    let job = job.limits("{ requests: unlimited, concurrency: 1 }").retry(retry).more("contact: jane@example.org");
    lab.write("job.yaml", job.yaml());
    lab
}

/// The failure of the only file of a run that ended with 1.
#[track_caller]
fn refused(answers: Vec<Answer>) -> Value {
    let server = service([answers]);
    let lab = lab_for(&server, 1, "{ attempts: 3, max_wait: 1s }");
    let report = lab.report(1);
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    assert_eq!(report["failures"].as_array().expect("failures").len(), 1, "{report:#}");
    report["failures"][0].clone()
}

/// Nothing at all was asked within `pause` of the first request for the first day's file.
#[track_caller]
fn paused_for(server: &Server, pause: Duration) {
    let requests = server.requests();
    let is_first = |request: &Request| request.path == url(11);
    let first = requests.iter().position(is_first).expect("a request");
    let next = requests.get(first + 1).expect("a request after the pause");
    let waited = next.at - requests[first].at;
    assert!(waited >= pause, "{} was asked for after {waited:?}", next.path);
}

/// The first day's file is throttled once; four days are worked on at once, and none goes on within the pause.
#[track_caller]
fn holds_everyone(answer: Answer, pause: Duration) -> Value {
    let server = service([vec![answer, honest(11)], vec![honest(12)], vec![honest(13)], vec![honest(14)]]);
    let lab = lab_for(&server, 4, "{ attempts: 2, max_wait: 3s }");
    let report = lab.report(0);
    assert_eq!(lab.proved("data").len(), 4);
    paused_for(&server, pause);
    assert_eq!(report["totals"]["requests"]["throttled"], 1, "{report:#}");
    assert!(report["hosts"][0]["paused_seconds"].as_f64().is_some_and(|told| told > 0.0), "{report:#}");
    report
}

#[test]
fn s_11_a_429_with_seconds_is_obeyed_by_every_worker_of_the_host() {
    holds_everyone(Answer::status(429).header("Retry-After", "1"), Duration::from_secs(1));
    fails(&[("429", |_| Answer::status(429).header("Retry-After", "1"))], 4, "throttled");
}

#[test]
fn s_12_a_429_with_a_date_is_obeyed() {
    let date = |later: u64| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(later));
    // The wait is between the two dates, whatever this machine's own clock says.
    let answer = Answer::raw(format!(
        "HTTP/1.1 429 Slow Down\r\nDate: {}\r\nRetry-After: {}\r\nContent-Length: 0\r\n\r\n",
        date(1000),
        date(1001)
    ));
    holds_everyone(answer, Duration::from_secs(1));
}

#[test]
fn s_13_odd_values_of_retry_after_wait_no_longer_than_the_manifest_allows() {
    const BUSY: fn(&str) -> Answer = |value| Answer::status(503).header("Retry-After", value);
    let begun = Instant::now();
    recovers(&[
        ("past", |_| BUSY("Sun, 06 Nov 1994 08:49:37 GMT")),
        ("none", |_| BUSY("0")),
        ("no number", |_| BUSY("abc")),
        ("negative", |_| BUSY("-5")),
        ("twice", |_| BUSY("0").header("Retry-After", "1")),
    ]);
    assert!(begun.elapsed() < Duration::from_secs(30), "max_wait is 1s");
}

/// One connection is told to wait longer than the job allows: nothing more is sent, neither to this file nor another.
#[track_caller]
fn ends_the_host_s_work(answer: Answer, told: &str) {
    let server = service([vec![answer, honest(11)], vec![honest(12)], vec![honest(13)]]);
    let lab = lab_for(&server, 3, "{ attempts: 4, max_wait: 1s }");
    let begun = Instant::now();
    let report = lab.report(4);
    assert!(begun.elapsed() < Duration::from_secs(20), "the wait was waited for");
    let last = server.requests().pop().expect("a request");
    assert_eq!((last.path, server.requests_for(&url(11)).len()), (url(11), 1), "nothing was asked afterwards");
    assert!(report["totals"]["days"]["failed"].as_u64() >= Some(1), "{report:#}");
    for failure in report["failures"].as_array().expect("failures") {
        let message = failure["message"].as_str().expect("a message");
        assert_eq!(failure["class"], "host-given-up", "{failure:#}");
        assert!(message.contains(told) && message.contains("`retry.max_wait` (1 s)"), "{message}");
    }
    // The next run asks again.
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 3);
}

#[test]
fn s_11_s_12_s_13_s_14_s_16_s_23_a_wait_longer_than_max_wait_ends_the_host_s_work_for_this_run() {
    let in_an_hour = SystemTime::now() + Duration::from_hours(1);
    let date = |at| httpdate::fmt_http_date(at);
    let until: String = chrono::DateTime::<chrono::Utc>::from(in_an_hour).format("%Y-%m-%dT").to_string();
    for status in [403, 429, 500, 503] {
        ends_the_host_s_work(Answer::status(status).header("Retry-After", "3600"), &until);
    }
    ends_the_host_s_work(Answer::status(404).header("Retry-After", "3600"), &until);
    ends_the_host_s_work(Answer::status(429).header("Retry-After", &date(in_an_hour)), &until);
    ends_the_host_s_work(Answer::status(429).header("X-RateLimit-Reset", "3600"), &until);
    ends_the_host_s_work(Answer::status(503).header("Retry-After", "99999999999999999999999"), "to wait for ");
    ends_the_host_s_work(
        Answer::status(429).header("Retry-After", "1").header("Retry-After", "1000000000"),
        "(1000000000 s)",
    );
}

#[test]
fn s_14_a_listing_that_asks_for_a_long_wait_ends_the_host_s_work_too() {
    let server = service([vec![honest(11)], vec![honest(12)]]);
    server.script("/HMI/sharp_720s", [Answer::status(503).header("Retry-After", "3600")]);
    let lab = lab_for(&server, 2, "{ attempts: 4, max_wait: 1s }");
    let report = lab.report(4);
    assert_eq!(server.requests().len(), 1, "{:?}", server.requests());
    assert_eq!(report["totals"]["days"]["failed"], 2, "{report:#}");
}

#[test]
fn s_14_a_503_holds_everyone_when_it_says_how_long() {
    holds_everyone(Answer::status(503).header("Retry-After", "1"), Duration::from_secs(1));
    fails(&[("with", |_| Answer::status(503).header("Retry-After", "1"))], 4, "throttled");
    fails(&[("without", |_| Answer::status(503))], 4, "server-error");
}

#[test]
fn s_15_a_server_error_is_tried_again() {
    recovers(&[
        ("500", |_| Answer::status(500)),
        ("502", |_| Answer::status(502)),
        ("504", |_| Answer::status(504)),
        ("520", |_| Answer::status(520)),
        ("522", |_| Answer::status(522)),
    ]);
    fails(&[("500", |_| Answer::status(500)), ("529", |_| Answer::status(529))], 4, "server-error");
    // As often as the job allows, and each time in a new request.
    let server = service([vec![Answer::status(500)]]);
    let lab = lab_for(&server, 1, "{ attempts: 3, max_wait: 1s }");
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["attempts"], 3, "{report:#}");
    assert_eq!(server.requests_for(&url(11)).len(), 3);
    assert_eq!(report["totals"]["requests"]["retried"], 2, "{report:#}");
}

#[test]
fn s_16_a_403_that_says_when_to_come_back_is_a_limit_and_any_other_a_refusal() {
    holds_everyone(Answer::status(403).header("Retry-After", "1"), Duration::from_secs(1));
    fails(&[("bare", |_| Answer::status(403))], 1, "forbidden");
    assert_eq!(refused(vec![Answer::status(403)])["attempts"], 1, "a refusal is not tried again");
}

/// A file that upstream never has is in the record as absent, with the status; one that it has later is fetched.
#[track_caller]
fn is_absent(status: u16) {
    let server = service([vec![Answer::status(status)], vec![Answer::status(status), honest(12)]]);
    let lab = lab_for(&server, 2, "{ attempts: 2, max_wait: 1s }");
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
    assert_eq!(server.requests_for(&url(11)).len(), 2 * 2, "tried again before it is believed, in each of two looks");
    assert_eq!(lab.proved("data").len(), 1);
    let day = lab.day("data", SERIES, "2015-12-11");
    assert_eq!((&day.header["state"], &day.header["absent"]), (&"sealed".into(), &1.into()));
    assert_eq!(day.files[0]["absent"], status.to_string());
    assert!(day.files[0].get("sha256").is_none());
}

#[test]
fn s_17_a_404_is_tried_again_and_sealed_as_absent_when_it_stays() {
    is_absent(404);
}

#[test]
fn s_18_a_410_is_treated_like_a_404() {
    is_absent(410);
}

#[test]
fn s_19_a_451_is_a_refusal() {
    fails(&[("451", |_| Answer::status(451))], 1, "forbidden");
    assert_eq!(refused(vec![Answer::status(451)])["attempts"], 1);
}

#[test]
fn s_20_an_answer_without_content_is_no_file() {
    const NONE: Fault = |_| Answer::raw("HTTP/1.1 204 No Content\r\n\r\n");
    recovers(&[("204", NONE)]);
    fails(
        &[
            ("204", NONE),
            ("205", |_| Answer::raw("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")),
            ("299", |_| Answer::status(299)),
        ],
        1,
        "unexpected-status",
    );
    fails(&[("304, unasked", |_| Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n"))], 1, "protocol");
}

#[test]
fn s_22_a_401_in_mid_run_ends_its_file_and_no_other() {
    let server = service([vec![honest(11)], vec![Answer::status(401)], vec![honest(13)]]);
    let lab = lab_for(&server, 3, "{ attempts: 3, max_wait: 1s }");
    let report = lab.report(1);
    assert_eq!(report["failures"].as_array().expect("failures").len(), 1, "{report:#}");
    let failure = &report["failures"][0];
    assert_eq!((&failure["class"], &failure["status"]), (&"forbidden".into(), &401.into()), "{failure:#}");
    assert_eq!(failure["attempts"], 1, "a refusal is not tried again");
    assert_eq!(lab.proved("data").len(), 2, "the other days are whole");
    server.script(&url(12), [honest(12)]);
    assert_eq!(lab.report(0)["totals"]["files"]["fetched"], 1);
    assert_eq!(lab.proved("data").len(), 3);
}

#[test]
fn s_23_headers_about_rates_in_good_answers_change_nothing() {
    let ended: Ended = is_harmless(&[
        ("used up", |file| file.header("RateLimit-Limit", "1").header("RateLimit-Remaining", "0")),
        ("for ages", |file| file.header("RateLimit-Reset", "1000000000").header("X-RateLimit-Remaining", "0")),
        ("as drafted", |file| file.header("RateLimit", "\"default\";r=0;t=99999999999999999999")),
        ("nonsense", |file| file.header("RateLimit", "\u{1f4a9};;;=").header("RateLimit-Policy", "-1")),
    ]);
    assert_eq!(ended.total("requests/throttled"), 0, "{:#}", ended.report);
}

#[test]
fn an_error_has_the_class_of_its_status_whatever_its_page_comes_in() {
    let framings: [Fault; 5] = [
        |page| page.header("Content-Encoding", "gzip"),
        |page| page.header("Content-Encoding", "br"),
        |page| page.header("Content-Encoding", "x-own"),
        |page| page.chunked().header("Content-Length", "5"),
        |page| page.framed_as(&[("Transfer-Encoding", "gzip, chunked")]).with_body(b"0\r\n\r\n".to_vec()),
    ];
    for (status, exit, class) in [
        (400, 1, Some("source-refused")),
        (401, 1, Some("forbidden")),
        (403, 1, Some("forbidden")),
        (404, 0, None),
        (410, 0, None),
        (500, 4, Some("server-error")),
        (503, 4, Some("server-error")),
    ] {
        // A file that is there keeps the day from a second look.
        let server = service([vec![honest(11)]]);
        for (nth, dress) in framings.iter().enumerate() {
            let item = Item::new(&format!("error_{nth}"), "2015-12-11T18:22:08.8Z");
            server.script_file(SERIES, item, [dress(Answer::status(status))]);
        }
        // A connection that the server closes after odd framing may be lost to the next request.
        let lab = lab_for(&server, 1, "{ attempts: 3, max_wait: 1s }");
        let report = lab.report(exit);
        let failures = report["failures"].as_array().expect("failures");
        let classes: Vec<_> = failures.iter().map(|failure| failure["class"].as_str()).collect();
        let (failed, absent) = if class.is_some() { (framings.len(), 0) } else { (0, framings.len()) };
        assert_eq!(classes, vec![class; failed], "{report:#}");
        assert_eq!(report["totals"]["files"]["absent"], absent, "{report:#}");
    }
}

#[test]
fn s_11_a_pause_is_kept_whatever_the_page_that_asks_for_it_comes_in() {
    let busy = |status: u16| {
        let page = Answer::status(status).header("Retry-After", "1");
        vec![page.clone().header("Content-Encoding", "gzip"), page.chunked().header("Content-Length", "5"), honest(11)]
    };
    for status in [403, 429, 503] {
        let server = service([busy(status)]);
        let report = lab_for(&server, 1, "{ attempts: 3, max_wait: 3s }").report(0);
        assert_eq!(report["totals"]["requests"]["throttled"], 2, "{report:#}");
        let asked = server.requests_for(&url(11));
        assert!(asked.windows(2).all(|two| two[1].at - two[0].at >= Duration::from_millis(950)), "{status}");
    }
}
