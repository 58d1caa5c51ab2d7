//! A run that was broken off goes on: by signal, by kill, by the network, with an upstream that changed meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::Signal;
use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Ending, Item, Job, Lab, Ranges, Server, fits};

const SMALL: (&str, &str) = ("sharp_720s_20151211_182208", "2015-12-11T18:22:08.799999Z");
const LARGE: (&str, &str) = ("sharp_720s_20151212_182208", "2015-12-12T18:22:08.799999Z");
/// Where the answer for the large file breaks off; more than is held in memory.
const BREAK: usize = 1_500_000;

/// The large file's path on the server.
fn large() -> String {
    format!("/HMI/sharp_720s/{}", LARGE.0)
}

/// About 2 MiB, so that it is no body to hold in memory.
fn large_body() -> Vec<u8> {
    fits(2, 1024, LARGE.1)
}

fn large_answer(body: Vec<u8>) -> Answer {
    Answer::file(body).named(&format!("{}.fits", LARGE.0))
}

/// A service with a small file on the first day, and answers for a large one on the second.
fn service(answers: impl IntoIterator<Item = Answer>) -> Server {
    let server = Server::start();
    server.file("sharp_720s", Item::new(SMALL.0, SMALL.1), fits(1, 60, SMALL.1));
    server.script_file("sharp_720s", Item::new(LARGE.0, LARGE.1), answers);
    server
}

/// A lab with a job over both days.
fn lab_for(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml());
    lab
}

/// What a run that nothing disturbs makes of the same upstream.
fn unbroken() -> (BTreeMap<String, Digest>, Vec<Value>) {
    let server = service([large_answer(large_body())]);
    let lab = lab_for(&server);
    lab.report(0);
    (lab.proved("data"), digests(&lab))
}

fn digests(lab: &Lab) -> Vec<Value> {
    ["2015-12-11", "2015-12-12"].map(|date| lab.day("data", "sharp_720s", date).header["digest"].clone()).to_vec()
}

/// What tells that a file was written again: its inode and its time.
fn identity(lab: &Lab, path: &str) -> (u64, i64, i64) {
    let data = fs::metadata(lab.path(path)).expect("a file");
    (data.ino(), data.mtime(), data.mtime_nsec())
}

/// Lets a run go until the first day is sealed and a part of the large file is on disk.
fn wait_for_the_middle(lab: &Lab, server: &Server) {
    server.wait_for_pauses(1);
    lab.until("the first day is sealed", |lab| lab.path(FIRST_DAY).exists());
    lab.until("a part is on disk", |lab| {
        let parts = lab.tree("data/.sunhaul/work/partial");
        let length =
            |name: &String| fs::metadata(lab.path("data/.sunhaul/work/partial").join(name)).map_or(0, |m| m.len());
        parts.keys().map(length).sum::<u64>() >= 1 << 20
    });
}

const FIRST_DAY: &str = "data/.sunhaul/days/sharp_720s/2015-12-11.jsonl";
const FIRST_FILE: &str = "data/sharp_720s/2015/12/11/sharp_720s_20151211_182208.fits";

#[test]
fn d_08_an_interrupted_run_ends_with_130_and_the_same_command_goes_on() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = service([large_answer(large_body()).stall_at(BREAK), large_answer(large_body())]);
        let lab = lab_for(&server);
        let run = lab.run().status(130).start();
        wait_for_the_middle(&lab, &server);
        run.signal(signal);
        run.done();
        assert_eq!(lab.json("report.json")["run"]["exit_code"], 130);
        assert_eq!(lab.files("data").len(), 1, "nothing half has a final name");
        let sealed = (identity(&lab, FIRST_DAY), identity(&lab, FIRST_FILE));
        let told = "2015-12-12  started: not finished, no file is complete yet";
        lab.sunhaul(&["plan", "job.yaml"]).stdout_has(told).done();
        let told = "2015-12-12  0 files so far, 0 B";
        lab.sunhaul(&["status", "job.yaml"]).stdout_has("started").stdout_has(told).done();

        let report = lab.report(0);
        assert_eq!((lab.proved("data"), digests(&lab)), unbroken());
        assert_eq!((identity(&lab, FIRST_DAY), identity(&lab, FIRST_FILE)), sealed, "sealed days are not touched");
        assert_eq!(report["totals"]["files"]["resumed"], 1);
        assert_eq!(report["totals"]["files"]["restarted"], 0);
        let asked = server.requests_for(&large());
        let range = asked.last().and_then(|request| request.header("range")).expect("a Range");
        let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().expect("a start");
        assert!(((1 << 20) - (64 << 10)..BREAK).contains(&from), "{range}");
    }
}

#[test]
fn d_07_a_killed_run_is_gone_on_with_and_gives_the_same_digests() {
    let server = service([large_answer(large_body()).stall_at(BREAK), large_answer(large_body())]);
    let lab = lab_for(&server);
    let run = lab.run().start();
    wait_for_the_middle(&lab, &server);
    run.kill();
    assert_eq!(lab.files("data").len(), 1, "nothing half has a final name");
    let sealed = (identity(&lab, FIRST_DAY), identity(&lab, FIRST_FILE));

    let report = lab.report(0);
    assert_eq!((lab.proved("data"), digests(&lab)), unbroken());
    assert_eq!((identity(&lab, FIRST_DAY), identity(&lab, FIRST_FILE)), sealed, "sealed days are not touched");
    assert_eq!(report["totals"]["files"]["resumed"], 1, "{report:#}");
    assert!(report["totals"]["bytes"]["resumed"].as_u64().expect("bytes") >= 1 << 19, "{report:#}");
    assert_eq!(report["totals"]["days"]["already_sealed"], 1);
}

#[test]
fn a_dropped_connection_goes_on_within_the_run() {
    for ending in [Ending::Cut(BREAK), Ending::Reset(BREAK)] {
        let server = service([large_answer(large_body()).ending(ending), large_answer(large_body())]);
        let lab = lab_for(&server);
        let report = lab.report(0);
        assert_eq!((lab.proved("data"), digests(&lab)), unbroken(), "{ending:?}");
        assert_eq!(report["totals"]["requests"]["retried"], 1, "{ending:?}");
        assert_eq!(report["totals"]["files"]["restarted"], 0, "{ending:?}");
        assert_eq!(server.requests_for(&large()).len(), 2, "{ending:?}");
    }
}

#[test]
fn a_restart_counts_though_the_request_after_it_failed() {
    let refused = large_answer(large_body()).ranges(Ranges::Refused(None));
    let cut = large_answer(large_body()).ending(Ending::Cut(BREAK));
    let server = service([cut, refused, Answer::status(500), large_answer(large_body())]);
    let lab = lab_for(&server);
    let report = lab.report(0);
    assert_eq!((lab.proved("data"), digests(&lab)), unbroken());
    assert_eq!(report["totals"]["files"]["restarted"], 1, "{report:#}");
}

#[test]
fn a_service_that_answers_a_range_with_an_error_is_asked_for_the_whole_file() {
    for status in [400, 403, 404, 405, 410, 412, 500, 501, 502] {
        let cut = large_answer(large_body()).ending(Ending::Cut(BREAK));
        let server = service([cut, Answer::status(status), large_answer(large_body())]);
        let lab = lab_for(&server);
        let report = lab.report(0);
        assert_eq!(digests(&lab), unbroken().1, "{status}");
        assert_eq!(report["totals"]["files"]["restarted"], 1, "{status}");
        let ranges: Vec<_> =
            server.requests_for(&large()).iter().map(|request| request.header("range").is_some()).collect();
        assert_eq!(ranges, [false, true, false], "{status}");
    }
}

#[test]
fn a_file_that_a_server_began_to_send_is_not_absent_by_the_404_after_it() {
    for (status, etag, attempts) in [(404, true, 3), (410, true, 1), (404, false, 3)] {
        let cut = large_answer(large_body()).ending(Ending::Cut(BREAK));
        let cut = if etag { cut } else { cut.etag(None).last_modified(None) };
        let server = service([cut, Answer::status(status)]);
        server.file("sharp_720s", Item::new("other", LARGE.1), fits(3, 60, LARGE.1));
        let lab = Lab::new();
        let job = |from: &str| {
            let retry = format!("{{ attempts: {attempts}, max_wait: 1s }}");
            Job::at(&server.url()).range(from, "2015-12-13").retry(&retry).yaml()
        };
        lab.write("job.yaml", job("2015-12-11"));
        let mut report = lab.report(4);
        if attempts == 1 {
            // What the first run left says so to the second one.
            report = lab.report(4);
        }
        assert_eq!(report["failures"][0]["class"], "not-found", "{report:#}");
        assert!(report["failures"][0]["message"].as_str().expect("a message").contains("sent a part of it before"));
        assert_eq!(report["totals"]["files"]["absent"], 0, "{report:#}");
        assert!(!lab.path("data/.sunhaul/days/sharp_720s/2015-12-12.jsonl").exists(), "nothing is sealed");

        // Nothing is left that contradicts the 404 of a later run, in which another file comes well.
        lab.forget_the_lock();
        server.file("sharp_720s", Item::new("before", "2015-12-10T12:00:00Z"), fits(4, 60, LARGE.1));
        lab.write("job.yaml", job("2015-12-10"));
        let report = lab.report(0);
        assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
    }
}

#[test]
fn a_service_that_gives_the_rest_piece_by_piece_is_gone_on_with() {
    let piece = large_answer(large_body()).ranges(Ranges::Short(400_000));
    let server = service([large_answer(large_body()).ending(Ending::Cut(BREAK)), piece]);
    let lab = lab_for(&server);
    let report = lab.report(0);
    assert_eq!((lab.proved("data"), digests(&lab)), unbroken());
    assert_eq!(
        (&report["totals"]["files"]["resumed"], &report["totals"]["files"]["restarted"]),
        (&1.into(), &0.into())
    );
}

/// Two versions of one length that differ before and after what a resumed request compares.
fn versions() -> (Vec<u8>, Vec<u8>) {
    let body = |first: u8| {
        let mut body: Vec<u8> = (0..BREAK * 2).map(|at| (at / 251).to_le_bytes()[0]).collect();
        body[..1000].fill(first);
        body.extend([first; 1000]);
        body
    };
    (body(b'a'), body(b'b'))
}

#[test]
fn r_11_a_part_of_one_server_is_not_gone_on_with_from_another_under_the_same_etag() {
    let (old, new) = versions();
    let answer = |body: &Vec<u8>| Answer::file(body.clone()).named("large.dat").etag(Some("\"1\""));
    let serving = |answers: Vec<Answer>| {
        let server = Server::start();
        server.script_file("sharp_720s", Item::new(LARGE.0, LARGE.1), answers);
        server
    };
    let path = "data/sharp_720s/2015/12/12/large.dat";
    let job =
        |urls: &str| Job::from_source(&format!("{{ hmi: {{ url: [{urls}] }} }}")).range("2015-12-12", "2015-12-13");

    // The next replica is asked in the same run.
    let second = serving(vec![answer(&new)]);
    let first = serving(vec![answer(&old).ending(Ending::Cut(BREAK)), Answer::status(500)]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&format!("\"{}\", \"{}\"", first.url(), second.url())).yaml());
    let report = lab.report(0);
    assert!(lab.read(path) == new, "the bytes of the second alone");
    assert_eq!(report["totals"]["files"]["restarted"], 1, "{report:#}");

    // The manifest names another server when the run goes on.
    let first = serving(vec![answer(&old).ending(Ending::Cut(BREAK))]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&format!("\"{}\"", first.url())).retry("{ attempts: 1 }").yaml());
    lab.report(4);
    let second = serving(vec![answer(&new)]);
    lab.write("job.yaml", job(&format!("\"{}\"", second.url())).yaml());
    lab.report(0);
    assert!(lab.read(path) == new, "the bytes of the second alone");

    // One server redirects to another place on each request.
    let first = serving(vec![
        Answer::status(302).header("Location", "/old/large.dat"),
        Answer::status(302).header("Location", "/new/large.dat"),
    ]);
    first.script("/old/large.dat", [answer(&old).ending(Ending::Cut(BREAK))]);
    first.script("/new/large.dat", [answer(&new)]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&format!("\"{}\"", first.url())).yaml());
    lab.report(0);
    assert!(lab.read(path) == new, "the bytes of the second place alone");
}

#[test]
fn r_11_a_part_is_gone_on_with_from_another_query_only_where_that_is_a_signature() {
    let (old, new) = versions();
    for (queries, is_same) in [(["v=1", "v=2"], false), (["Expires=1&Signature=a", "Expires=2&Signature=b"], true)] {
        let second = if is_same { &old } else { &new };
        let answer = |body: &Vec<u8>| Answer::file(body.clone()).named("large.dat").etag(Some("\"1\""));
        let server = Server::start();
        let moved = queries.map(|query| Answer::status(302).header("Location", &format!("/place/large.dat?{query}")));
        server.script_file("sharp_720s", Item::new(LARGE.0, LARGE.1), moved);
        server.script("/place/large.dat", [answer(&old).ending(Ending::Cut(BREAK)), answer(second)]);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).range("2015-12-12", "2015-12-13").yaml());
        let report = lab.report(0);
        assert!(lab.read("data/sharp_720s/2015/12/12/large.dat") == *second, "{queries:?}");
        assert_eq!(report["totals"]["files"]["resumed"], u64::from(is_same), "{report:#}");
    }
}

#[test]
fn l_09_the_listed_size_holds_for_a_resumed_file_too() {
    let body = large_body();
    let shorter = body[..body.len() - 2880].to_vec();
    let begun = |body: &Vec<u8>| large_answer(body.clone()).etag(Some("\"1\"")).chunked().ending(Ending::Cut(BREAK));
    let rest = |body: &Vec<u8>| large_answer(body.clone()).etag(Some("\"1\""));
    let server = Server::start();
    let item = || Item::new(LARGE.0, LARGE.1).sized(body.len() as u64);
    server.script_file("sharp_720s", item(), [begun(&body), rest(&shorter)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-12", "2015-12-13").yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "size", "{report:#}");
    assert!(lab.files("data").is_empty());
    server.script(&large(), [rest(&body)]);
    lab.report_with(&["--retry-failed"], 0);
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn d_06_a_day_that_another_process_has_is_held() {
    let server = service([large_answer(large_body()).stall_at(BREAK), large_answer(large_body())]);
    let lab = lab_for(&server);
    let first = lab.sunhaul(&["run", "job.yaml"]).chatty().start();
    wait_for_the_middle(&lab, &server);
    let report = lab.report(4);
    assert_eq!(report["totals"]["days"]["held"], 1, "{report:#}");
    assert_eq!(report["days"][0]["state"], "held", "{report:#}");
    first.kill();
    lab.report(0);
    assert_eq!((lab.proved("data"), digests(&lab)), unbroken());
}
