//! Replicas of one service: the next is asked when one cannot be had through all attempts.

use serde_json::{Value, json};

use super::contract::Fake as _;
use super::hapi;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const SERIES: &str = "sharp_720s";
const NAMES: [(&str, &str); 3] = [
    ("sharp_720s_20151211_182208", "2015-12-11T18:22:08.799999Z"),
    ("sharp_720s_20151211_183408", "2015-12-11T18:34:08.799999Z"),
    ("sharp_720s_20151211_184608", "2015-12-11T18:46:08.799999Z"),
];

fn service() -> Server {
    let server = Server::start();
    for (nth, (name, time)) in (0..).zip(NAMES) {
        server.file(SERIES, Item::new(name, time), fits(nth, 20, time));
    }
    server
}

/// A job of replicas, with one attempt more than a first one.
fn lab(urls: &[&str]) -> Lab {
    let urls: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    let job = Job::from_source(&format!("{{ hmi: {{ url: [{}] }} }}", urls.join(", ")));
    let lab = Lab::new();
    lab.write("job.yaml", job.retry("{ attempts: 2, max_wait: 1s }").yaml());
    lab
}

/// Where nobody listens: a port that was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn served(report: &Value) -> &Value {
    &report["days"][0]["served"]
}

fn host(server: &Server) -> String {
    server.plain_url().trim_start_matches("http://").to_owned()
}

#[test]
fn the_first_replica_serves_all_while_it_can() {
    let (first, second) = (service(), service().expect_silence());
    let report = lab(&[&first.url(), &second.url()]).report(0);
    assert_eq!(served(&report), &json!({ host(&first): 3 }));
    assert!(second.requests().is_empty());
}

#[test]
fn one_that_cannot_be_reached_gives_way_and_the_archive_is_the_same() {
    let alone = service();
    let plain = Lab::new();
    plain.write("job.yaml", Job::at(&alone.url()).yaml());
    let before = plain.report(0);

    let second = service();
    let lab = lab(&[&nobody(), &second.url()]);
    let report = lab.report(0);
    assert_eq!(served(&report), &json!({ host(&second): 3 }));
    assert_eq!(report["days"][0]["digest"], before["days"][0]["digest"], "who served it is no part of it");
    assert_eq!(lab.files("data"), plain.files("data"));
    let spec = |lab: &Lab| lab.day("data", SERIES, "2015-12-11").header["spec"].clone();
    assert_eq!(spec(&lab), spec(&plain), "nor of what was asked");
}

#[test]
fn one_that_lists_and_then_fails_gives_way_in_mid_day() {
    let (first, second) = (service(), service());
    first.script(&format!("/HMI/{SERIES}/{}", NAMES[1].0), [Answer::status(503)]);
    let lab = lab(&[&first.url(), &second.url()]);
    let report = lab.report(0);
    let by_second = served(&report)[host(&second)].as_u64().expect("files of the second");
    assert!(by_second >= 1, "{report:#}");
    assert_eq!(lab.proved("data").len(), 3);
    assert!(first.requests_for(&format!("/HMI/{SERIES}/{}", NAMES[1].0)).len() == 2, "all attempts come first");
}

#[test]
fn one_that_is_down_and_says_when_to_come_back_gives_way_and_one_that_is_asked_too_much_does_not() {
    for (status, code, asked) in [(503, 0, 4), (429, 4, 0)] {
        let (first, second) = (service(), service());
        second.may_be_silent();
        first.script(&format!("/HMI/{SERIES}"), [Answer::status(status).header("Retry-After", "1")]);
        let report = lab(&[&first.url(), &second.url()]).report(code);
        assert_eq!((first.requests().len(), second.requests().len()), (2, asked), "{status}: {report:#}");
    }
}

#[test]
fn one_that_asks_for_a_long_wait_is_asked_nothing_more_and_gives_way() {
    for path in [format!("/HMI/{SERIES}"), format!("/HMI/{SERIES}/{}", NAMES[1].0)] {
        let (first, second) = (service(), service());
        first.script(&path, [Answer::status(429).header("Retry-After", "3600")]);
        let lab = lab(&[&first.url(), &second.url()]);
        let report = lab.report(0);
        assert_eq!(first.requests_for(&path).len(), 1, "{report:#}");
        assert!(served(&report)[host(&second)].as_u64() >= Some(1), "{report:#}");
        assert_eq!(lab.proved("data").len(), 3);
    }
}

#[test]
fn a_file_that_is_not_there_is_no_reason_to_ask_another() {
    let (first, second) = (service(), service().expect_silence());
    first.script(&format!("/HMI/{SERIES}/{}", NAMES[1].0), [Answer::status(404)]);
    let report = lab(&[&first.url(), &second.url()]).report(0);
    assert_eq!(report["totals"]["files"]["absent"], 1);
    assert!(second.requests().is_empty());
}

#[test]
fn when_none_can_be_had_the_last_one_s_failure_is_told() {
    let second = service();
    second.script(&format!("/HMI/{SERIES}"), [Answer::status(502)]);
    let report = lab(&[&nobody(), &second.url()]).report(4);
    assert_eq!(report["failures"][0]["class"], "server-error", "{report:#}");
    assert!(report["failures"][0]["message"].as_str().expect("a message").contains(&host(&second)));
}

#[test]
fn replicas_may_lie_under_other_paths_and_the_first_one_stands_for_all() {
    let second = service();
    for (nth, (name, time)) in (0..).zip(NAMES) {
        let answer = Answer::file(fits(nth, 20, time)).named(&format!("{name}.fits"));
        second.script(&format!("/copy/HMI/{SERIES}/{name}"), [answer]);
    }
    let items: Vec<Value> = NAMES
        .iter()
        .map(|(name, time)| json!({ "url": format!("http://old:8001/HMI/{SERIES}/{name}"), "date_obs": time }))
        .collect();
    second.script(&format!("/copy/HMI/{SERIES}"), [Answer::json(&items.into())]);
    let lab = lab(&[&nobody(), &format!("{}/copy", second.url())]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 3);
    let record = lab.day("data", SERIES, "2015-12-11");
    assert_eq!(record.files[0]["url"], format!("/HMI/{SERIES}/{}", NAMES[0].0));
}

/// A job of a HAPI dataset that lists files, at replicas of its server.
fn hapi_lab(urls: &[String]) -> Lab {
    let job = Job::from_source(&format!("{{ hapi: {{ url: [{}] }} }}", urls.join(", ")));
    let lab = Lab::new();
    lab.write("job.yaml", job.series(&[hapi::Fake::series()]).retry("{ attempts: 2, max_wait: 1s }").yaml());
    lab
}

const TIMES: [&str; 2] = ["2015-12-11T00:00:00", "2015-12-11T12:00:00"];

#[test]
fn files_beside_a_hapi_folder_are_had_from_the_next_replica_too() {
    let (first, second) = (hapi::Fake::with(&TIMES), hapi::Fake::with(&TIMES));
    let at = |fake: &hapi::Fake, above: &str| format!("{}{above}/hapi", fake.server().url());
    first.server().script("/a/pub/image1.fits", [Answer::status(503)]);
    let lab = hapi_lab(&[at(&first, "/a"), at(&second, "/b")]);
    lab.report(0);
    assert_eq!(second.server().requests_for("/b/pub/image1.fits").len(), 1);
    assert_eq!(lab.proved("data").len(), 2);
    // Whoever lists and serves them, the record is the same, and enough for a run that lists nothing.
    let other = hapi_lab(&[nobody(), at(&second, "/b")]);
    other.report(0);
    let record = |lab: &Lab| lab.day("data", "one", "2015-12-11");
    let told =
        |lab: &Lab| record(lab).files.iter().map(|file| (file["key"].clone(), file["url"].clone())).collect::<Vec<_>>();
    assert_eq!(told(&lab), told(&other));
    assert_eq!(record(&lab).header["digest"], record(&other).header["digest"]);
    let asked = second.server().requests().len();
    other.sunhaul(&["run", "job.yaml", "--frozen", "--archive", "again"]).chatty().done();
    assert_eq!(other.proved("again"), other.proved("data"));
    assert_eq!(second.server().requests().len(), asked + 2, "no list is asked for");
}
