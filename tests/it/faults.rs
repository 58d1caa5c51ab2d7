//! What a service does wrong: the right bytes, a retry that ends in them, or a classified failure. Never a bad file.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{Answer, Ending, Item, Job, Lab, Server, fits};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";

fn body() -> Vec<u8> {
    fits(1, 200, TIME)
}

fn honest() -> Answer {
    Answer::file(body()).named(&format!("{NAME}.fits"))
}

fn lab_for(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).timeouts("{ connect: 2s, stall: 1s }").yaml());
    lab
}

/// A job of one file whose path gives these answers in turn, after one run.
#[track_caller]
fn run_against(answers: impl IntoIterator<Item = Answer>, status: i32) -> (Lab, Value, Server) {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), answers);
    let lab = lab_for(&server);
    let report = lab.report(status);
    (lab, report, server)
}

/// The answers end in the right bytes, and the retries are counted.
#[track_caller]
fn recovers(answers: impl IntoIterator<Item = Answer>) -> Value {
    let (lab, report, server) = run_against(answers, 0);
    assert_eq!(lab.proved("data").into_values().collect::<Vec<_>>(), [sunhaul::digest::Digest::of(&body())]);
    let asked = server.requests().len();
    assert_eq!(report["totals"]["requests"]["sent"], asked, "{report:#}");
    assert_eq!(report["totals"]["requests"]["retried"], asked - 2, "a listing, a file, and the retries");
    report
}

/// The answer never gets better: one failure of this class after all attempts, and nothing under a final name.
#[track_caller]
fn fails(answer: Answer, status: i32, class: &str) {
    let (lab, report, server) = run_against([answer], status);
    let failures = report["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 1, "{report:#}");
    assert_eq!(failures[0]["class"], class, "{report:#}");
    assert_eq!(failures[0]["series"], "sharp_720s");
    assert_eq!(failures[0]["date"], "2015-12-11");
    assert_eq!(report["totals"]["days"]["failed"], 1);
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty(), "nothing has a final name");
    let asked = server.requests_for(&format!("/HMI/sharp_720s/{NAME}")).len();
    assert_eq!(failures[0]["attempts"], asked, "{report:#}");
}

#[test]
fn s_15_a_server_error_is_tried_again() {
    recovers([Answer::status(500), Answer::status(502), honest()]);
    fails(Answer::status(500), 4, "server-error");
}

#[test]
fn s_11_a_429_is_obeyed() {
    let server = Server::start();
    let busy = Answer::status(429).header("Retry-After", "1");
    server.script_file("sharp_720s", Item::new(NAME, TIME), [busy, honest()]);
    let lab = lab_for(&server);
    let report = lab.report(0);
    let asked = server.requests_for(&format!("/HMI/sharp_720s/{NAME}"));
    assert_eq!(asked.len(), 2);
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(1), "it waited for less than was asked");
    assert_eq!(report["totals"]["requests"]["throttled"], 1);
}

#[test]
fn s_13_a_retry_after_of_ages_waits_no_longer_than_the_manifest_allows() {
    let begun = Instant::now();
    recovers([Answer::status(503).header("Retry-After", "1000000000"), honest()]);
    assert!(begun.elapsed() < Duration::from_secs(20), "max_wait is 1s");
}

#[test]
fn s_17_a_404_is_tried_again_and_seals_as_absent_when_it_stays() {
    recovers([Answer::status(404), honest()]);
    let (lab, report, _server) = run_against([Answer::status(404)], 0);
    assert_eq!(report["totals"]["files"]["absent"], 1);
    let day = lab.day("data", "sharp_720s", "2015-12-11");
    assert_eq!(
        (&day.header["state"], &day.header["absent"], &day.header["files"]),
        (&"sealed".into(), &1.into(), &0.into())
    );
    assert_eq!(day.files[0]["absent"], "404");
    assert!(day.files[0].get("sha256").is_none());
}

#[test]
fn s_22_a_refusal_is_not_tried_again() {
    fails(Answer::status(403), 1, "forbidden");
}

#[test]
fn s_05_s_08_a_redirect_to_another_host_is_not_followed() {
    let foreign = Server::start().expect_silence();
    let away = Answer::status(302).header("Location", &format!("{}/stolen", foreign.url()));
    fails(away, 1, "redirect");
    assert!(foreign.requests().is_empty());
    fails(Answer::status(302).header("Location", "file:///etc/passwd"), 1, "redirect");
}

#[test]
fn s_01_a_redirect_on_the_same_host_is_followed_and_a_loop_is_ended() {
    let server = Server::start();
    let moved = Answer::status(307).header("Location", "/elsewhere");
    server.script_file("sharp_720s", Item::new(NAME, TIME), [moved]);
    server.script("/elsewhere", [honest()]);
    let lab = lab_for(&server);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
    fails(Answer::status(302).header("Location", &format!("/HMI/sharp_720s/{NAME}")), 1, "redirect");
}

#[test]
fn b_12_a_web_page_is_never_a_file() {
    recovers([Answer::html(), honest()]);
    fails(Answer::html(), 4, "html");
}

#[test]
fn b_01_a_body_shorter_than_declared_is_truncated() {
    recovers([honest().ending(Ending::Cut(20_000)), honest()]);
    recovers([honest().ending(Ending::Cut(0)), honest()]);
}

#[test]
fn b_02_b_03_a_body_without_its_end_is_no_file() {
    recovers([honest().chunked().ending(Ending::Cut(20_000)), honest()]);
    recovers([honest().until_close().ending(Ending::Cut(63_360)), honest()]);
    recovers([honest().chunked()]);
    recovers([honest().until_close()]);
}

#[test]
fn b_07_two_lengths_are_no_length() {
    let length = body().len().to_string();
    recovers([honest().framed_as(&[("Content-Length", &length), ("Content-Length", "2880")]), honest()]);
}

#[test]
fn b_15_a_flipped_bit_is_found_by_the_files_own_checksum() {
    let mut flipped = body();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let flipped = Answer::file(flipped).named(&format!("{NAME}.fits"));
    let report = recovers([flipped.clone(), honest()]);
    assert_eq!(report["totals"]["files"]["quarantined"], 1);
    fails(flipped, 1, "fits-checksum");
}

#[test]
fn b_13_junk_in_fits_clothing_is_no_file() {
    fails(Answer::file(vec![b'x'; 28_800]).named(&format!("{NAME}.fits")), 1, "magic");
    let mut cut = body();
    cut.truncate(cut.len() - 2880);
    fails(Answer::file(cut).named(&format!("{NAME}.fits")), 1, "fits-structure");
}

#[test]
fn b_18_a_stall_ends_within_the_time_allowed() {
    let begun = Instant::now();
    for byte in [0, 40_000, body().len() - 1] {
        recovers([honest().stall_at(byte), honest()]);
    }
    recovers([honest().ending(Ending::Silence), honest()]);
    assert!(begun.elapsed() < Duration::from_secs(40), "a stall is 1s");
    fails(honest().stall_at(40_000), 4, "stalled");
}

#[test]
fn n_01_n_02_a_reset_or_an_early_end_is_tried_again() {
    recovers([honest().ending(Ending::Reset(20_000)), honest()]);
    recovers([honest().ending(Ending::NoHeaders), honest()]);
}

#[test]
fn n_04_a_service_that_is_not_there_is_a_passing_failure() {
    // Bound and dropped: nobody listens there now.
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&format!("http://127.0.0.1:{port}")).yaml());
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["class"], "unreachable", "{report:#}");
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
}

#[test]
fn l_07_l_12_a_listing_that_is_none_fails_the_day() {
    let cut = Answer::text("application/json", "[{\"url\": \"http://x/HMI/s/a\", \"date_o");
    let deep = Answer::text("application/json", &"[".repeat(100_000));
    let other = Answer::text("application/json", "{\"error\": \"no\"}");
    for answer in [Answer::html(), cut, deep, other] {
        let server = Server::start();
        server.script("/HMI/sharp_720s", [answer]);
        let lab = lab_for(&server);
        let report = lab.report(1);
        assert_eq!(report["failures"][0]["class"], "listing-malformed", "{report:#}");
        assert!(lab.days("data").is_empty());
    }
}

#[test]
fn f_01_f_03_a_servers_name_is_data_and_never_a_path() {
    let names = [
        "../../../evil.fits",
        "/etc/evil.fits",
        "..\\evil.fits",
        "%2e%2e%2fevil.fits",
        "\u{1b}[2Jevil.fits",
        ".evil.fits",
        "-evil.fits",
        "evil.fits; ../evil.fits",
    ];
    for name in names {
        let server = Server::start();
        server.script_file("sharp_720s", Item::new(NAME, TIME), [Answer::file(body()).named(name)]);
        let lab = lab_for(&server);
        // Either it is made safe or it is refused; both say so without an escape sequence.
        let run = lab.run().start();
        run.done_any();
        for path in lab.tree("").keys().filter(|path| !path.starts_with("data/.sunhaul/")) {
            let is_expected = ["job.yaml", "report.json"].contains(&path.as_str());
            assert!(is_expected || path.starts_with("data/sharp_720s/2015/12/11/"), "{name:?} became {path:?}");
            let last = path.rsplit('/').next().expect("a name");
            assert!(!last.starts_with(['.', '-']) && !last.contains(['\\', '\u{1b}']), "{name:?} became {path:?}");
        }
    }
}

#[test]
fn f_06_two_files_of_one_name_fail_both_and_the_day_does_not_seal() {
    let server = Server::start();
    for (name, seed) in [("a_20151211_182208", 1), ("b_20151211_182208", 2)] {
        let answer = Answer::file(fits(seed, 60, TIME)).named("same.fits");
        server.script_file("sharp_720s", Item::new(name, TIME), [answer]);
    }
    let lab = lab_for(&server);
    // Another run may try again, and says so again.
    for _ in 0..2 {
        let report = lab.report(1);
        let failures = report["failures"].as_array().expect("failures");
        assert_eq!(failures.iter().map(|f| &f["class"]).collect::<Vec<_>>(), ["collision", "collision"], "{report:#}");
        for (failure, key) in failures.iter().zip(["a_20151211_182208", "b_20151211_182208"]) {
            assert_eq!(failure["key"], format!("/HMI/sharp_720s/{key}"));
            let message = failure["message"].as_str().expect("words");
            assert!(message.contains("/a_20151211_182208") && message.contains("/b_20151211_182208"), "{message}");
        }
        assert!(lab.days("data").is_empty() && lab.files("data").is_empty(), "a name that two keys hold is nobody's");
    }
    let mended = Answer::file(fits(2, 60, TIME)).named("other.fits");
    server.script("/HMI/sharp_720s/b_20151211_182208", [mended]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 2);
}
