//! The lab tried on itself: a lab that cannot fail proves nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::process::Signal;

use super::server::{Ending, Ranges};
use super::{Answer, Call, DayRecord, Item, Job, Lab, Server};

/// What a raw client got: the head, the body's bytes and how the connection ended.
#[derive(Debug)]
struct Got {
    head: String,
    body: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    Open,
}

/// One request with `Connection: close` left out: reads until the server ends the connection or is silent.
fn ask(server: &Server, target: &str, headers: &[&str]) -> Got {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).expect("a connection");
    // An honest answer leaves the connection open: its silence is the end then.
    stream.set_read_timeout(Some(Duration::from_millis(700))).expect("a socket");
    let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: lab\r\n{headers}\r\n").expect("a sent request");
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break End::Closed,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break End::Open,
            Err(error) => panic!("{error}"),
        }
        if bytes.len() > 1 << 22 {
            break End::Open;
        }
    };
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    Got { head: String::from_utf8_lossy(&bytes[..at]).into_owned(), body: bytes[at..].to_vec(), end }
}

fn body() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn an_honest_file_comes_whole_and_in_parts() {
    let server = Server::start();
    server.file("sharp_720s", Item::new("a", "2015-12-11T18:22:08.799999Z"), body());
    let whole = ask(&server, "/HMI/sharp_720s/a", &[]);
    assert!(whole.head.starts_with("HTTP/1.1 200 "), "{}", whole.head);
    assert!(whole.head.contains("Content-Disposition: attachment; filename=a.fits\r\n"), "{}", whole.head);
    assert!(whole.body == body() && whole.end == End::Open);
    let etag = whole.head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("an ETag").to_owned();
    let part = ask(&server, "/HMI/sharp_720s/a", &["Range: bytes=100-", &format!("If-Range: {etag}")]);
    assert!(part.head.starts_with("HTTP/1.1 206 ") && part.head.contains("bytes 100-799999/800000"), "{}", part.head);
    assert_eq!(part.body, body()[100..]);
    let stale = ask(&server, "/HMI/sharp_720s/a", &["Range: bytes=100-", "If-Range: \"other\""]);
    assert!(stale.head.starts_with("HTTP/1.1 200 ") && stale.body == body());
    let beyond = ask(&server, "/HMI/sharp_720s/a", &["Range: bytes=800000-"]);
    assert!(beyond.head.starts_with("HTTP/1.1 416 ") && beyond.head.contains("bytes */800000"), "{}", beyond.head);
    for (condition, status) in [
        (format!("If-None-Match: W/{etag}"), "304"),
        ("If-Modified-Since: Fri, 11 Dec 2015 20:00:00 GMT".to_owned(), "304"),
        ("If-None-Match: \"other\"".to_owned(), "200"),
    ] {
        let got = ask(&server, "/HMI/sharp_720s/a", &[&condition]);
        assert!(got.head.starts_with(&format!("HTTP/1.1 {status} ")), "{condition}: {}", got.head);
        assert_eq!(got.body.is_empty(), status == "304", "{condition}");
    }
    let requests = server.requests_for("/HMI/sharp_720s/a");
    assert_eq!(requests.len(), 7);
    assert_eq!(requests[1].header("range"), Some("bytes=100-"));
    assert!(requests[0].at <= requests[1].at && requests[0].method == "GET");
}

#[test]
fn the_listing_is_that_of_the_old_service_for_the_days_asked_for() {
    let server = Server::start();
    server.file("s", Item::new("a", "2015-12-11T23:58:08.799999Z"), body());
    server.file("s", Item::new("b", "2015-12-12T00:10:08.799999Z"), body());
    let got = ask(&server, "/HMI/s?start=2015-12-11T00%3A00%3A00Z&end=2015-12-12T00:00:00Z", &[]);
    let listed: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    let expected = serde_json::json!([
        { "url": "http://cluster-r730-1:8001/HMI/s/a", "date_obs": "2015-12-11T23:58:08.799999Z" }
    ]);
    assert_eq!(listed, expected);
    assert!(ask(&server, "/HMI/unknown", &[]).head.starts_with("HTTP/1.1 404 "));
}

#[test]
fn answers_end_at_the_scripted_byte() {
    let server = Server::start();
    let cases = [
        (Ending::Cut(1000), 1000, End::Closed),
        (Ending::Stall(70_000), 70_000, End::Open),
        (Ending::NoHeaders, 0, End::Closed),
        (Ending::Silence, 0, End::Open),
        (Ending::Whole, 800_000, End::Open),
    ];
    server.script("/x", cases.iter().map(|(ending, _, _)| Answer::file(body()).ending(*ending)));
    for (ending, bytes, end) in cases {
        let got = ask(&server, "/x", &[]);
        assert_eq!((got.body.len(), got.end), (bytes, end), "{ending:?}");
        assert_eq!(got.head.is_empty(), matches!(ending, Ending::NoHeaders | Ending::Silence), "{ending:?}");
    }
    server.wait_for_pauses(2);
    server.script("/reset", [Answer::file(body()).ending(Ending::Reset(1000))]);
    assert_eq!(ask(&server, "/reset", &[]).end, End::Reset);
    server.script("/endless", [Answer::file(body()).until_close().ending(Ending::Endless)]);
    assert!(ask(&server, "/endless", &[]).body.len() > body().len());
}

#[test]
fn lengths_and_ranges_lie_as_scripted() {
    let server = Server::start();
    let range = &["Range: bytes=1000-"][..];
    let head_of = |answer: Answer, headers: &[&str]| {
        server.script("/x", [answer]);
        ask(&server, "/x", headers)
    };
    let file = || Answer::file(body());
    let two = head_of(file().framed_as(&[("Content-Length", "5"), ("Content-Length", "6")]), &[]);
    assert!(two.head.contains("Content-Length: 5\r\nContent-Length: 6\r\n") && two.end == End::Closed, "{}", two.head);
    let chunked = head_of(file().chunked(), &[]);
    assert!(chunked.body.starts_with(b"10000\r\n") && chunked.body.ends_with(b"\r\n0\r\n\r\n"));
    let cut = head_of(file().chunked().ending(Ending::Cut(70_000)), &[]);
    assert!(!cut.body.ends_with(b"0\r\n\r\n") && cut.end == End::Closed);
    assert!(!head_of(file().until_close(), &[]).head.contains("Content-Length"));
    let ignored = head_of(file().ranges(Ranges::Ignored), range);
    assert!(ignored.head.starts_with("HTTP/1.1 200 ") && !ignored.head.contains("Accept-Ranges"), "{}", ignored.head);
    let shifted = head_of(file().ranges(Ranges::Shifted(-10)), range);
    assert!(shifted.head.contains("bytes 990-799999/800000") && shifted.body == body()[990..], "{}", shifted.head);
    let bare = head_of(file().ranges(Ranges::Claimed(None)), range);
    assert!(bare.head.starts_with("HTTP/1.1 206 ") && !bare.head.contains("Content-Range"), "{}", bare.head);
    let refused = head_of(file().ranges(Ranges::Refused(Some("bytes */7".to_owned()))), range);
    assert!(refused.head.starts_with("HTTP/1.1 416 ") && refused.head.contains("bytes */7"), "{}", refused.head);
    let moved = file().ranges(Ranges::Unconditional).etag(Some("\"new\"")).last_modified(None);
    let moved = head_of(moved, &["Range: bytes=1000-", "If-Range: \"old\""]);
    assert!(moved.head.starts_with("HTTP/1.1 206 ") && moved.head.contains("ETag: \"new\""), "{}", moved.head);
    assert!(!moved.head.contains("Last-Modified"), "{}", moved.head);
    let page = head_of(Answer::html(), &[]);
    assert!(page.head.contains("text/html") && page.body.starts_with(b"<!DOCTYPE html>"));
    let busy = head_of(Answer::status(429).header("Retry-After", "1"), &[]);
    assert!(busy.head.starts_with("HTTP/1.1 429 ") && busy.head.contains("Retry-After: 1\r\n"), "{}", busy.head);
}

#[test]
fn a_server_that_was_never_called_fails_the_test() {
    assert!(catch_unwind(|| drop(Server::start())).is_err());
    drop(Server::start().expect_silence());
}

/// True when the call is found to be other than expected.
fn fails(call: Call) -> bool {
    catch_unwind(AssertUnwindSafe(|| drop(call.done()))).is_err()
}

#[test]
fn a_call_checks_status_stdout_and_stderr_every_time() {
    let lab = Lab::new();
    let shell = |script: &str| Call::of(&lab, "/bin/sh", &["-c", script]);
    assert!(!fails(shell("true")));
    assert!(fails(shell("exit 3")) && !fails(shell("exit 3").status(3)));
    assert!(fails(shell("echo a")) && !fails(shell("echo a").stdout("a\n")) && fails(shell("echo a").stdout("b\n")));
    assert!(fails(shell("echo a >&2")) && !fails(shell("echo a b >&2").stderr_has("a").stderr_has("b")));
    assert!(fails(shell("echo a >&2").stderr_has("a").stderr_has("b")));
    assert!(!fails(shell("echo a >&2").stderr("a\n")) && fails(shell("echo a >&2").stdout_has("a")));
    assert!(fails(shell("printf '\\033[2J'").stdout_has("")), "no escape sequence reaches a pipe");
    assert!(fails(shell("echo thread panicked at 3 >&2").stderr_has("thread")));
    assert!(fails(shell("kill -9 $$")), "a killed program has no status");
}

#[test]
fn a_call_sees_nothing_of_this_machine() {
    let lab = Lab::new();
    let seen = Call::of(&lab, "/usr/bin/env", &[]).env("EXTRA", "1").stdout_has("EXTRA=1").done();
    let names: Vec<&str> = seen.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(names, ["EXTRA", "HOME", "PATH", "TMPDIR"]);
    lab.write("deep/here.json", "{\"a\":1}");
    assert_eq!(Call::of(&lab, "/bin/ls", &[]).within("deep").stdout("here.json\n").done().stderr, "");
    assert_eq!(
        Call::of(&lab, "/bin/cat", &["deep/here.json"]).stdout_has("a").done().json(),
        lab.json("deep/here.json")
    );
}

#[test]
fn a_call_under_way_takes_signals() {
    let lab = Lab::new();
    let script = "trap 'exit 130' INT; echo ready >&2; while :; do sleep 0.01; done";
    let running = Call::of(&lab, "/bin/sh", &["-c", script]).status(130).stderr("ready\n").start();
    lab.until("it is ready", |_| running.stderr_so_far().contains("ready"));
    running.signal(Signal::INT);
    running.done();
    let endless = Call::of(&lab, "/bin/sh", &["-c", "while :; do :; done"]).start();
    endless.kill();
}

#[test]
fn a_service_is_waited_for() {
    let lab = Lab::new();
    let script = "sleep 0.1; echo listening at http://127.0.0.1:4711/ >&2; while :; do sleep 0.01; done";
    let mut service = Call::of(&lab, "/bin/sh", &["-c", script]).start();
    service.wait_for_url();
    assert_eq!(service.url(), "http://127.0.0.1:4711");
}

#[test]
fn a_tree_tells_the_users_files_from_the_archives_own() {
    let lab = Lab::new();
    lab.write("data/s/a.fits", "a");
    lab.write("data/.sunhaul/days/s/2015-12-11.jsonl", "{}");
    assert_eq!(lab.tree("data").len(), 2);
    assert_eq!(lab.files("data").into_keys().collect::<Vec<_>>(), ["s/a.fits"]);
    assert!(lab.tree("absent").is_empty());
}

#[test]
fn a_record_that_contradicts_itself_is_found() {
    let line = "{\"series\":\"s\",\"path\":\"s/a.fits\",\"bytes\":1,\"sha256\":\"aa\"}\n";
    let digest = sunhaul::digest::Digest::sha256(b"aa  s/a.fits\n");
    let record = |files: usize, body: usize, digest: &str| {
        let header =
            serde_json::json!({ "day": { "format": "day/1", "files": files, "digest": digest, "body": body } });
        format!("{header}\n{line}")
    };
    let good = format!("sha256:{digest}");
    assert_eq!(DayRecord::read(record(1, line.len(), &good).as_bytes()).files.len(), 1);
    for bad in [record(2, line.len(), &good), record(1, 3, &good), record(1, line.len(), "sha256:0")] {
        assert!(catch_unwind(|| DayRecord::read(bad.as_bytes())).is_err(), "{bad}");
    }
}

#[test]
fn a_labs_job_is_plain_yaml() {
    let job = Job::at("http://127.0.0.1:1").range("2015-12-11", "2015-12-14").series(&["{ name: a }", "{ name: b }"]);
    let job = job.limits("{ concurrency: 1 }").retry("{ attempts: 1 }").timeouts("{ stall: 1s }").more("settle: 1d");
    let expected = "version: 1\nname: lab\nsource: { hmi: { url: \"http://127.0.0.1:1\" } }\n\
                    range: { start: 2015-12-11, end: 2015-12-14 }\nseries:\n  - { name: a }\n  - { name: b }\n\
                    archive: { root: data }\nlimits: { concurrency: 1 }\nretry: { attempts: 1 }\n\
                    timeouts: { stall: 1s }\nsettle: 1d\n";
    assert_eq!(job.yaml(), expected);
    assert!(Job::embedded().yaml().contains("source: { embedded: {} }"));
}
