//! Statuses, connections, listings and names that are wrong.

use std::net::TcpListener;

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
    let report = lab.report(1);
    let failures = report["failures"].as_array().expect("failures");
    assert_eq!(failures.iter().map(|f| &f["class"]).collect::<Vec<_>>(), ["collision", "collision"], "{report:#}");
    assert!(lab.days("data").is_empty());
}
