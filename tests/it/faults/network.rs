//! Connections that cannot be made, cannot be trusted, or end where they should not.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Fault, KEPT, SERIES, fails, fails_in_two_ways, recovers, trial_at};
use crate::lab::{Answer, Call, Certificate, Ending, Item, Job, Lab, Server, Speaks, fits};

const TIME: &str = "2015-12-11T18:22:08.8Z";

/// A lab with a job of one day at `url`, one attempt, a second for everything.
fn lab_at(url: &str) -> Lab {
    let lab = Lab::new();
    lab.trust_the_root();
    lab.write("job.yaml", Job::at(url).retry("{ attempts: 1 }").timeouts("{ connect: 1s, stall: 1s }").yaml());
    lab
}

fn honest() -> Answer {
    Answer::file(fits(1, 60, TIME)).named("a.fits")
}

/// Serves one file.
fn with_a_file(server: Server) -> Server {
    server.script_file(SERIES, Item::new("a", TIME), [honest()]);
    server
}

/// The one day of the job cannot even be listed: a passing failure of this class, and nothing is there.
#[track_caller]
fn is_out_of_reach(lab: &Lab, class: &str) -> String {
    let report = lab.report(4);
    assert_eq!(report["failures"].as_array().expect("failures").len(), 1, "{report:#}");
    let failure = &report["failures"][0];
    assert_eq!(failure["class"], class, "{failure:#}");
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    failure["message"].as_str().expect("a message").to_owned()
}

#[test]
fn b_21_http_2_streams_and_connections_that_are_ended_are_gone_on_with() {
    let http_2 = || Server::secure(Certificate::Good, Speaks::Http2);
    let broken: Fault = |file| file.ending(Ending::Cut(KEPT));
    let faults: [(&str, Fault); 6] = [
        ("RST_STREAM in the body", |file| file.ending(Ending::Cut(90_000))),
        ("RST_STREAM with NO_ERROR in the body", |file| file.ending(Ending::Abandoned(90_000))),
        ("RST_STREAM before the headers", |file| file.ending(Ending::NoHeaders)),
        ("GOAWAY in the body", |file| file.ending(Ending::Reset(90_000))),
        ("GOAWAY before the body", |file| file.ending(Ending::Reset(0))),
        ("GOAWAY in good order", |file| file.ending(Ending::Closed)),
    ];
    trial_at(http_2(), &faults, broken).ends_well(|file| {
        // One connection carries all files: where it ends, others meet that as well.
        vec![(file.fault)(file.honest()), file.honest()]
    });
    let ended = trial_at(http_2(), &faults[..2], broken).ends_badly(4, |_| "truncated");
    assert!(ended.requests.iter().all(|request| request.header("host").is_none()), "{:#?}", ended.requests);
}

#[test]
fn n_01_a_reset_at_any_byte_is_gone_on_with() {
    recovers(&[
        ("in the status line", |_| Answer::raw("HTTP/1.1 2").ending(Ending::Reset(10))),
        ("in a header", |_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Le").ending(Ending::Reset(27))),
        ("before the body", |file| file.ending(Ending::Reset(0))),
        ("at byte 1", |file| file.ending(Ending::Reset(1))),
        ("at byte 12,345", |file| file.ending(Ending::Reset(12_345))),
        ("at byte 65,537", |file| file.ending(Ending::Reset(65_537))),
        ("at byte 99,000", |file| file.ending(Ending::Reset(99_000))),
    ]);
    fails_in_two_ways(&[("at byte 12,345", |file| file.ending(Ending::Reset(12_345)))], 4, "truncated", "truncated");
    fails(&[("in the status line", |_| Answer::raw("HTTP/1.1 2").ending(Ending::Reset(10)))], 4, "unreachable");
}

#[test]
fn n_02_an_end_before_the_headers_is_tried_again() {
    recovers(&[
        ("before a byte", |file| file.ending(Ending::NoHeaders)),
        ("in the headers", |_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Le").ending(Ending::Cut(27))),
    ]);
    fails(&[("before a byte", |file| file.ending(Ending::NoHeaders))], 4, "unreachable");
}

#[test]
fn n_03_a_name_that_is_not_found_is_a_passing_failure_and_of_many_addresses_one_is_enough() {
    let message = is_out_of_reach(&lab_at("http://no-such-host.internal:8001"), "unreachable");
    assert!(message.contains("no-such-host.internal"), "{message}");
    // Where this machine knows `localhost` by ::1 as well, nobody listens there.
    let server = with_a_file(Server::start());
    let lab = lab_at(&server.url().replace("127.0.0.1", "localhost"));
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
}

/// A run of the lab's job that knows names by the lab's `hosts` alone, and prefers the addresses of its `gai.conf`.
fn with_names_of_its_own(lab: &Lab) -> Call<'_> {
    let script = "mount --bind hosts /etc/hosts && mount --bind gai.conf /etc/gai.conf \
                  && exec \"$0\" run job.yaml --report report.json -v";
    lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script, env!("CARGO_BIN_EXE_sunhaul")]).chatty()
}

#[test]
#[ignore = "needs a mount namespace: tests/run.sh says when it can be had"]
fn n_03_a_name_that_is_found_only_later_and_one_whose_first_address_is_dead_end_well() {
    let server = with_a_file(Server::start());
    let job = Job::at(&server.url().replace("127.0.0.1", "sun.internal")).retry("{ attempts: 9, max_wait: 1s }");
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    lab.write("hosts", "");
    lab.write("gai.conf", "precedence ::ffff:127.0.0.2/128 100\n");
    let running = with_names_of_its_own(&lab).start();
    lab.until("the name is not found", |_| running.stderr_so_far().contains("unreachable"));
    assert!(server.requests().is_empty());
    // The one name has two addresses, and nobody listens at the first. Written into the file that is mounted.
    lab.write("hosts", "127.0.0.2 sun.internal\n127.0.0.1 sun.internal\n");
    running.done();
    let report = lab.json("report.json");
    assert!(report["totals"]["requests"]["retried"].as_u64().expect("a number") > 0, "{report:#}");
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn n_04_a_connection_that_is_refused_or_never_made_is_a_passing_failure() {
    let begun = Instant::now();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port");
    let message = is_out_of_reach(&lab_at(&format!("http://{closed}")), "unreachable");
    assert!(message.contains("refused"), "{message}");
    // A queue of one that is full: whoever comes now gets no answer at all.
    let full = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    rustix::net::listen(full.as_fd(), 0).expect("a shorter queue");
    let address = full.local_addr().expect("an address");
    let waiting: Vec<_> = (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200))).collect();
    assert!(waiting.iter().any(Result::is_err), "the queue takes all of them");
    let message = is_out_of_reach(&lab_at(&format!("http://{address}")), "unreachable");
    assert!(message.contains("within the time allowed"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(30), "the time for a connection is 1s");
}

#[test]
fn n_05_a_certificate_that_is_wrong_ends_the_connection_before_anything_is_asked() {
    for (certificate, words) in
        [(Certificate::Expired, "expired"), (Certificate::OtherHost, "name"), (Certificate::SelfSigned, "issuer")]
    {
        let server = with_a_file(Server::secure(certificate, Speaks::Http1)).expect_silence();
        let message = is_out_of_reach(&lab_at(&server.url()), "unreachable");
        assert!(message.to_lowercase().contains(words), "{certificate:?}: {message}");
        assert!(server.requests().is_empty(), "{certificate:?}");
    }
    let server = with_a_file(Server::secure(Certificate::Good, Speaks::Http1));
    let lab = lab_at(&server.url());
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1, "with the right one it goes");
}

#[test]
fn n_05_a_handshake_that_stalls_ends_within_the_time_for_a_connection() {
    // The kernel takes the connection, and nobody ever answers it.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let message = is_out_of_reach(&lab_at(&format!("https://localhost:{port}")), "unreachable");
    assert!(message.contains("within the time allowed"), "{message}");
}

#[test]
fn s_06_a_redirect_from_https_to_http_is_not_followed() {
    let server = with_a_file(Server::secure(Certificate::Good, Speaks::Http1));
    let plain = server.plain_url().replace("127.0.0.1", "localhost");
    server.script("/HMI/sharp_720s/a", [Answer::status(302).header("Location", &format!("{plain}/plain"))]);
    let lab = lab_at(&server.url());
    let report = lab.report(1);
    let failure = &report["failures"][0];
    assert_eq!(failure["class"], "redirect", "{failure:#}");
    assert!(failure["message"].as_str().is_some_and(|told| told.contains("from https to plain http")), "{failure:#}");
    assert!(server.requests_for("/plain").is_empty());
    assert!(lab.files("data").is_empty());
}

#[test]
fn n_06_a_kept_connection_that_closes_just_as_it_is_used_again_does_no_harm() {
    let server = Server::start();
    for nth in 0..8 {
        let time = format!("2015-12-11T00:{nth:02}:08.8Z");
        let file = || Answer::file(fits(nth + 1, 60, &time)).named(&format!("f{nth}.fits"));
        // Every answer is whole, none says that it is the connection's last.
        let first = if nth % 2 == 0 { file().ending(Ending::Closed) } else { file().ending(Ending::NoHeaders) };
        server.script_file(SERIES, Item::new(&format!("f{nth}"), &time), [first, file().ending(Ending::Closed)]);
    }
    let lab = Lab::new();
    let job = Job::at(&server.url()).limits("{ requests: unlimited, concurrency: 1 }");
    lab.write("job.yaml", job.yaml());
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 8);
}

/// A job of a host that is reached by a proxy alone, and the run against it.
fn by_proxy(url: &str, proxy: &str, status: i32) -> (Lab, Value) {
    let lab = lab_at(url);
    lab.run().env("http_proxy", proxy).env("https_proxy", proxy).status(status).done();
    let report = lab.json("report.json");
    (lab, report)
}

#[test]
fn n_08_a_proxy_that_answers_for_itself_is_told_from_the_service() {
    const BEHIND: &str = "http://10.255.255.1:8001";
    let server = with_a_file(Server::start());
    let (lab, report) = by_proxy(BEHIND, &server.url(), 0);
    assert_eq!(lab.proved("data").len(), 1, "the proxy is used: {report:#}");
    server.script("/HMI/sharp_720s", [Answer::status(407).header("Proxy-Authenticate", "Basic")]);
    let (lab, report) = by_proxy(BEHIND, &server.url(), 1);
    assert_eq!(report["failures"][0]["class"], "forbidden", "{report:#}");
    assert!(report["failures"][0]["message"].as_str().is_some_and(|told| told.contains("proxy")), "{report:#}");
    assert!(lab.files("data").is_empty());
    server.script("/HMI/sharp_720s", [Answer::status(502)]);
    assert_eq!(by_proxy(BEHIND, &server.url(), 4).1["failures"][0]["class"], "server-error");
    // Where a tunnel through it is asked for, and where there is no proxy at all.
    for status in [407, 502] {
        server.script("10.255.255.1:8001", [Answer::status(status)]);
        let report = by_proxy("https://10.255.255.1:8001", &server.url(), 4).1;
        assert_eq!(report["failures"][0]["class"], "unreachable", "{report:#}");
    }
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port");
    assert_eq!(by_proxy(BEHIND, &format!("http://{closed}"), 4).1["failures"][0]["class"], "unreachable");
}

#[test]
fn n_12_headers_over_256_kb_are_no_answer() {
    const BIG: Fault = |file| file.header("X-Big", &"x".repeat(300_000));
    recovers(&[("one", BIG)]);
    fails(
        &[("one", BIG), ("many", |file| (0..200).fold(file, |file, nth| file.header(&format!("X-{nth}"), "y")))],
        1,
        "protocol",
    );
}
