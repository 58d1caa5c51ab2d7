//! Manners over real sockets: what the report says of its pace is what the server saw.
//!
//! What it does not do: prove the limits over a long time; `src/net/politeness.rs` does, under a clock of its own.

use std::time::{Duration, Instant};

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const TIME: &str = "2015-12-11T18:22:08.799999Z";

/// A server that lists so many files, and answers for each honestly.
fn with_files(series: &[&str], count: usize) -> Server {
    let server = Server::start();
    for (nth, name) in (0..count).flat_map(|nth| series.iter().map(move |name| (nth, *name))) {
        server.file(name, Item::new(&format!("{name}_{nth:03}"), TIME), fits(1, 20, TIME));
    }
    server
}

/// The most requests that came within any such time.
fn fullest(requests: &[Instant], window: Duration) -> usize {
    let from_each = requests.iter().map(|first| requests.iter().filter(|at| **at >= *first && **at - *first < window));
    from_each.map(Iterator::count).max().unwrap_or_default()
}

#[test]
fn the_reports_requests_per_second_agree_with_the_servers_own_log() {
    for (limits, files, limit) in
        [("requests: 4/s, concurrency: 4", 11, Some(4)), ("requests: unlimited, concurrency: 4", 40, None)]
    {
        let server = with_files(&["sharp_720s"], files);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).limits(&format!("{{ {limits} }}")).yaml());
        let report = lab.report(0);
        let host = &report["hosts"][0];
        let log: Vec<Instant> = server.requests().iter().map(|request| request.at).collect();
        assert_eq!(host["requests"], log.len(), "{host:#}");
        let told = usize::try_from(host["peak_requests_per_second"].as_u64().expect("a count")).expect("a count");
        // The way from us to the server takes its time, now more, now less: a quarter of a second is allowed for it.
        let (least, most) = (fullest(&log, Duration::from_millis(750)), fullest(&log, Duration::from_millis(1250)));
        assert!((least..=most).contains(&told), "told {told}, seen between {least} and {most}: {host:#}");
        assert!(limit.is_none_or(|limit| told <= limit), "{host:#}");
    }
}

#[test]
fn s_11_one_retry_after_stops_all_workers_of_the_host() {
    let server = with_files(&["sharp_720s", "other"], 15);
    let busy = Answer::status(429).header("Retry-After", "2");
    let honest = Answer::file(fits(1, 20, TIME)).named("sharp_720s_007.fits");
    server.script("/HMI/sharp_720s/sharp_720s_007", [busy, honest]);
    let lab = Lab::new();
    let job = Job::at(&server.url()).series(&["{ name: sharp_720s }", "{ name: other }"]);
    let job = job.limits("{ requests: 20/s, concurrency: 4 }").retry("{ attempts: 3, max_wait: 10s }");
    lab.write("job.yaml", job.yaml());
    let report = lab.report(0);
    assert_eq!(lab.proved("data").len(), 30);

    let complaint = server.requests_for("/HMI/sharp_720s/sharp_720s_007")[0].at;
    // What was on its way already may still come.
    let quiet = complaint + Duration::from_millis(500)..complaint + Duration::from_secs(2);
    let (mut before, mut after) = (0, 0);
    for request in server.requests() {
        assert!(!quiet.contains(&request.at), "{} came {:?} after the 429", request.path, request.at - complaint);
        before += usize::from(request.at <= complaint);
        after += usize::from(request.at >= quiet.end);
    }
    assert!(before > 2 && after > 2, "{before} requests before it, {after} after it");
    assert_eq!(report["totals"]["requests"]["throttled"], 1);
    let paused = report["hosts"][0]["paused_seconds"].as_f64().expect("seconds");
    assert!((1.9..=2.0).contains(&paused), "{paused} s");
}

#[test]
fn the_names_of_one_server_share_one_pace_and_its_strictest_limit() {
    let server = with_files(&["sharp_720s", "other"], 8);
    let lab = Lab::new();
    let alias = server.url().replace("127.0.0.1", "localhost");
    let other = format!("{{ name: other, source: {{ hmi: {{ url: \"{alias}\" }} }} }}");
    let job = Job::at(&server.url()).series(&["{ name: sharp_720s }", &other]);
    lab.write("job.yaml", job.limits("{ requests: 10/s, concurrency: 1 }").yaml());
    let report = lab.report(0);
    assert_eq!(report["hosts"].as_array().map(Vec::len), Some(2), "{report:#}");
    let requests = server.requests();
    let times: Vec<Instant> = requests.iter().map(|request| request.at).collect();
    // The way from us to the server takes its time, now more, now less: a quarter of a second is allowed for it.
    assert!(fullest(&times, Duration::from_millis(750)) <= 10, "{report:#}");
}
