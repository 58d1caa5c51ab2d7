//! Bodies that lie about their length, their end or their bytes. Each fault meets a file from its first byte on, and
//! one of which a part lies on disk.

use std::time::Duration;

use super::{
    BEGUN, FROM, KEPT, SERIES, fails, fails_in_two_ways, is_harmless, is_seen_through, recovers, recovers_in_time,
    trial, trial_after,
};
use crate::lab::{Answer, Ending, Item, Job, Lab, Server, fits, gzip};

#[test]
fn b_01_a_body_shorter_than_its_length_is_gone_on_with() {
    recovers(&[
        ("at once", |file| file.ending(Ending::Cut(0))),
        ("early", |file| file.ending(Ending::Cut(20_000))),
        ("late", |file| file.ending(Ending::Cut(90_000))),
    ]);
    fails(&[("early", |file| file.ending(Ending::Cut(20_000)))], 4, "truncated");
}

#[test]
fn b_02_chunks_without_their_terminator_are_no_body() {
    recovers(&[
        ("early", |file| file.chunked().ending(Ending::Cut(20_000))),
        ("after the last chunk", |file| {
            let all = file.body().len();
            file.chunked().ending(Ending::Cut(all))
        }),
    ]);
    is_harmless(&[("with it", Answer::chunked)]);
    fails(&[("early", |file| file.chunked().ending(Ending::Cut(20_000)))], 4, "truncated");
}

#[test]
fn b_03_a_body_that_ends_with_its_connection_must_prove_that_it_is_whole() {
    is_harmless(&[("whole, by its structure", Answer::until_close)]);
    recovers(&[("cut", |file| file.until_close().ending(Ending::Cut(90_000)))]);
    fails_in_two_ways(
        &[("cut", |file| file.until_close().ending(Ending::Cut(90_000)))],
        1,
        "fits-structure",
        "truncated", // its length is known from the answer's Content-Range
    );
}

#[test]
fn b_03_where_nothing_proves_it_a_body_without_length_is_no_file() {
    let server = Server::start();
    let notes = || Answer::text("text/plain", "two lines\nof notes\n").named("notes.txt");
    server.script_file(SERIES, Item::new("notes", "2015-12-11T00:00:08.8Z"), [notes().until_close()]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["class"], "truncated", "{report:#}");
    assert!(lab.files("data").is_empty());
    server.script("/HMI/sharp_720s/notes", [notes()]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn b_04_what_comes_after_the_length_is_not_taken_for_the_file() {
    is_seen_through(&[
        ("text after the length", |file| file.tail("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyou")),
        ("chunks after the last", |file| file.chunked().ending(Ending::Closed).tail("X: y\r\n\r\n5\r\nagain\r\n")),
    ]);
    recovers(&[
        ("a length of less than all", |file| {
            let less = (file.body().len() - 2880).to_string();
            file.framed_as(&[("Content-Length", &less)]).ending(Ending::Closed)
        }),
        ("more until the connection ends", |file| file.until_close().tail("more")),
    ]);
    fails_in_two_ways(
        &[("more until the connection ends", |file| file.until_close().tail("more"))],
        1,
        "fits-structure",
        "too-long",
    );
}

#[test]
fn b_05_zero_bytes_where_some_are_due_are_no_file() {
    recovers(&[
        ("by length", |file| file.with_body(Vec::new())),
        ("by chunks", |file| file.with_body(Vec::new()).chunked()),
        ("by the connection's end", |file| file.with_body(Vec::new()).until_close()),
    ]);
    fails(&[("by length", |file| file.with_body(Vec::new()))], 1, "fits-structure");
}

#[test]
fn b_06_a_file_that_truly_is_empty_is_a_file() {
    let server = Server::start();
    let empty = || Answer::file(Vec::new()).named("notes.txt");
    let long = || Answer::file(vec![b'x'; 200_000]).named("notes.txt");
    server.script_file(SERIES, Item::new("fresh", "2015-12-12T00:00:08.8Z"), [empty()]);
    // This one was long once, and lies here in part.
    server.script_file(SERIES, Item::new("begun", "2015-12-11T00:00:08.8Z"), [long().ending(Ending::Cut(KEPT))]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range(BEGUN, "2015-12-13").retry("{ attempts: 1 }").yaml());
    lab.report(4);
    assert_eq!(lab.files("data").len(), 1);
    server.script("/HMI/sharp_720s/begun", [empty()]);
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["restarted"], 1, "{report:#}");
    assert_eq!(lab.proved("data").len(), 2);
    for date in [BEGUN, "2015-12-12"] {
        let line = &lab.day("data", SERIES, date).files[0];
        assert_eq!((&line["bytes"], &line["checked"]), (&0.into(), &"size".into()), "{line}");
    }
}

#[test]
fn b_07_two_lengths_are_no_length() {
    const TWO: super::Fault = |file| {
        let length = file.body().len().to_string();
        file.framed_as(&[("Content-Length", &length), ("Content-Length", "2880")])
    };
    recovers(&[("two lengths", TWO)]);
    fails(&[("two lengths", TWO)], 1, "protocol");
}

#[test]
fn b_08_a_length_and_chunks_are_no_framing() {
    const BOTH: super::Fault = |file| {
        let length = file.body().len().to_string();
        file.framed_as(&[("Content-Length", &length), ("Transfer-Encoding", "chunked")])
    };
    recovers(&[("both", BOTH)]);
    fails(&[("both", BOTH)], 1, "protocol");
}

#[test]
fn b_08_no_transfer_coding_but_chunks_is_a_framing() {
    fails(
        &[
            ("gzip below chunks", |file| file.framed_as(&[("Transfer-Encoding", "gzip, chunked")])),
            ("gzip over chunks", |file| file.framed_as(&[("Transfer-Encoding", "chunked, gzip")])),
            ("in two lines", |file| file.framed_as(&[("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked")])),
            ("chunks twice", |file| file.framed_as(&[("Transfer-Encoding", "chunked, chunked")])),
            ("identity", |file| file.framed_as(&[("Transfer-Encoding", "identity")]).ending(Ending::Closed)),
            ("unknown", |file| file.framed_as(&[("Transfer-Encoding", "x")]).ending(Ending::Closed)),
        ],
        1,
        "protocol",
    );
}

#[test]
fn b_09_lengths_that_are_no_lengths_end_at_once_and_huge_ones_when_the_body_does() {
    const HUGE: super::Fault =
        |file| file.framed_as(&[("Content-Length", "1000000000000000000")]).ending(Ending::Closed);
    fails(
        &[
            ("negative", |file| file.framed_as(&[("Content-Length", "-1")])),
            ("beyond 64 bits", |file| file.framed_as(&[("Content-Length", "99999999999999999999999")])),
            ("no number", |file| file.framed_as(&[("Content-Length", "0x10")])),
        ],
        1,
        "protocol",
    );
    recovers(&[("huge", HUGE)]);
    fails(&[("huge", HUGE)], 4, "truncated");
}

#[test]
fn b_10_a_body_compressed_unasked_is_no_file() {
    let ended = fails(
        &[
            ("gzip", |file| file.header("Content-Encoding", "gzip")),
            ("br", |file| file.header("Content-Encoding", "br")),
            ("zstd", |file| file.header("Content-Encoding", "zstd")),
        ],
        1,
        "protocol",
    );
    for request in ended.trial.server.requests() {
        assert_eq!(request.header("accept-encoding"), Some("identity"), "{request:?}");
    }
    recovers(&[("gzip", |file| file.header("Content-Encoding", "gzip"))]);
    // Compressed without a word: not the first bytes of its type.
    fails(&[("gzip untold", |file| file.with_body(begins(b"\x1f\x8b\x08")))], 1, "magic");
}

#[test]
fn b_10_a_file_that_is_stored_compressed_is_fetched_as_it_is_and_resumed() {
    const NAME: &str = "sharp.fits.gz";
    let body = gzip(&fits(1, 300, "2015-12-11T00:00:08.8Z"));
    let answer = |encoding: &str| {
        Answer::file(body.clone()).named(NAME).header("Content-Encoding", encoding).header("Accept-Ranges", "bytes")
    };
    let run = |answers: Vec<Answer>, status: i32| {
        let server = Server::start();
        server.script_file(SERIES, Item::new("sharp", "2015-12-11T00:00:08.8Z"), answers);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 2, max_wait: 1s }").yaml());
        let report = lab.report(status);
        (lab, report)
    };
    for encoding in ["gzip", "x-gzip"] {
        let (lab, report) = run(vec![answer(encoding).ending(Ending::Cut(KEPT)), answer(encoding)], 0);
        assert_eq!(report["totals"]["files"]["resumed"], 1, "{encoding}: {report:#}");
        assert_eq!(lab.read(&format!("data/{SERIES}/2015/12/11/{NAME}")), body, "{encoding}");
    }
    // The rest came compressed once more, or the first bytes are no gzip: not the stored bytes.
    let (_lab, report) = run(vec![answer("gzip").ending(Ending::Cut(KEPT)), answer("x-gzip")], 0);
    assert_eq!(report["totals"]["files"]["restarted"], 1, "{report:#}");
    for (bad, encoding) in
        [(fits(1, 20, "2015-12-11T00:00:08.8Z"), "gzip"), (body.clone(), "compress"), (body.clone(), "br")]
    {
        let (lab, report) = run(vec![answer(encoding).with_body(bad)], 1);
        assert_eq!(report["failures"][0]["class"], "protocol", "{encoding}: {report:#}");
        assert!(lab.files("data").is_empty(), "{encoding}");
    }
}

/// As long as a file, with these first bytes.
fn begins(head: &[u8]) -> Vec<u8> {
    let mut body = head.to_vec();
    body.resize(200_000, 7);
    body
}

#[test]
fn b_11_a_listing_that_would_unpack_to_gigabytes_is_not_unpacked() {
    let trial = trial(&[("none", |file| file)]);
    let bomb = Answer::text("application/json", "\u{1f}\u{8b}\u{8}bomb").header("Content-Encoding", "gzip");
    trial.server.script("/HMI/sharp_720s", [bomb]);
    let report = trial.lab.report(1);
    for failure in report["failures"].as_array().expect("failures") {
        assert_eq!(failure["class"], "protocol", "{report:#}");
    }
    assert_eq!(report["totals"]["days"]["failed"], 2, "the begun day and the fresh one");
    trial.nothing_has_a_name();
}

#[test]
fn b_12_a_web_page_is_never_a_file() {
    recovers(&[("instead of the file", |file| file.ranges(crate::lab::Ranges::Ignored).with_body(page()))]);
    fails(
        &[
            ("instead of the file", |_| Answer::html()),
            ("under the file's own name", |file| file.ranges(crate::lab::Ranges::Ignored).with_body(page())),
        ],
        4,
        "html",
    );
}

fn page() -> Vec<u8> {
    Answer::html().body()
}

/// A day whose one file comes with this answer under this name.
pub(super) fn one_file(name: &str, answer: Answer) -> (Lab, Server) {
    let server = Server::start();
    server.script(&format!("/data/20151211/{name}"), [answer]);
    let lab = Lab::new();
    let source = format!("{{ template: {{ url: \"{}/data/\", path: \"%Y%m%d/{name}\", cadence: 1d }} }}", server.url());
    lab.write("job.yaml", Job::from_source(&source).retry("{ attempts: 2, max_wait: 1s }").yaml());
    (lab, server)
}

#[test]
fn b_12_what_comes_for_a_text_must_not_be_called_a_page_or_be_an_error_message() {
    let json = "application/json";
    for (name, content_type, body) in [
        ("a.dat", "text/html", "<!-- x --><html><body>back</body></html>"),
        ("a.txt", "application/octet-stream", "<h1>Service Unavailable</h1>"),
        ("a.csv", "text/html; charset=utf-8", "Service temporarily unavailable\n"),
        ("a.dat", "application/xml", "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code></Error>"),
        ("a.txt", json, "{\"error\":\"try later\"}"),
        ("a.csv", "text/plain", "{\"status\":500,\"message\":\"no\"}"),
        ("a.xml", "text/xml", "<soap:Envelope><soap:Body><soap:Fault/></soap:Body></soap:Envelope>"),
        ("a.csv", "text/csv", "a,b\n1,2\n<br />\n<b>Fatal error</b>: no in <b>/x.php</b> on line <b>3</b><br />\n"),
        ("a.dat", "text/plain", "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\n\r\n<p>no"),
        ("a.json", "application/problem+json", "{\"title\":\"down\"}"),
        ("a.json", json, "{\"message\":\"Internal Server Error\"}"),
        ("a.dat", "text/html", ""),
    ] {
        let (lab, _server) = one_file(name, Answer::file(body.as_bytes().to_vec()).called(content_type));
        let report = lab.report(4);
        assert_eq!(report["failures"][0]["class"], "html", "{name} {body}: {report:#}");
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty(), "{name} {body}");
    }
    for (name, content_type, body) in [
        ("a.json", json, "{\"error\":\"of a fit\",\"flux\":1}"),
        ("run.log", "text/plain", "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: x\n"),
        ("README.md", "text/plain", "<p align=\"center\">Title</p>\n"),
        ("a.txt", "text/plain", "{\"a\":1}"),
        ("a.html", "text/html", "x"),
        ("a.dat", json, "{\"a\":1}"),
        ("a.dat", "text/html", "1 2\n3 4\n5 6\n"),
        ("a.csv", "text/csv", "<a>,<b>\n1,2\n"),
    ] {
        let (lab, _server) = one_file(name, Answer::file(body.as_bytes().to_vec()).called(content_type));
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 1, "{name}");
    }
    for encoding in ["aws-chunked", "UTF-8", "binary", "none", ""] {
        let (lab, _server) = one_file("a.txt", Answer::file(b"1 2\n".to_vec()).header("Content-Encoding", encoding));
        lab.report(0);
    }
    // A file with a format of its own is known by that, whatever it is called.
    let (lab, _server) = one_file("a.fits", Answer::file(fits(1, 20, "2015-12-11T00:00:00")).called("text/html"));
    lab.report(0);
}

#[test]
fn b_05_an_empty_body_is_a_file_only_where_something_shows_that_there_is_one() {
    let (lab, server) = one_file("a.txt", Answer::text("text/plain", ""));
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["class"], "truncated", "{report:#}");
    assert!(lab.files("data").is_empty());
    server.script("/data/20151211/a.txt", [Answer::file(Vec::new())]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn b_13_the_right_type_over_other_first_bytes_is_no_file() {
    recovers(&[("junk", |file| file.with_body(vec![b'x'; 201_600]))]);
    fails(
        &[
            ("junk", |file| file.with_body(vec![b'x'; 201_600])),
            ("another type", |file| file.with_body(begins(b"\x89PNG\r\n\x1a\n"))),
        ],
        1,
        "magic",
    );
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn b_13_a_file_that_was_cut_at_its_source_is_found_whatever_its_name() {
    let whole = fits(7, 100, "2015-12-11T18:22:08.8Z");
    let (cut, packed) = (whole[..12_000].to_vec(), gzip(&whole));
    let hdf5 = [&b"\x89HDF\r\n\x1a\n\x02\x08\x08"[..], &[0; 17], &4096_u64.to_le_bytes(), &[0; 400]].concat();
    let bad = [
        ("h_alpha.fits.fz", cut.clone(), "fits-structure"),
        ("efz20151211.182208", cut.clone(), "fits-structure"),
        ("image_lev1_fits", cut.clone(), "fits-structure"),
        ("inner.fits.gz", gzip(&cut), "fits-structure"),
        ("outer.fits.gz", packed[..packed.len() - 9].to_vec(), "file-structure"),
        ("more.csv.gz", [&packed[..], b"more"].concat(), "file-structure"),
        ("outer.dat", packed[..packed.len() - 9].to_vec(), "file-structure"),
        ("inner", gzip(&cut), "fits-structure"),
        ("inner.fits.bz2", bzip2(&cut), "fits-structure"),
        ("inner.csv.gz", gzip(&packed[..packed.len() - 9]), "file-structure"),
        ("page.dat.gz", gzip(b"<h1>503</h1>"), "html"),
        ("head.h5", hdf5[..30].to_vec(), "file-structure"),
        ("flare.h5", hdf5, "file-structure"),
        ("flare.nc", b"CDF\x01\0\0\0\0\0\0\0\x0a\0\0\0\x01".to_vec(), "file-structure"),
        ("all.zip", b"PK\x03\x04 and nothing behind it".to_vec(), "file-structure"),
        ("particles.cdf", b"not a CDF file".to_vec(), "magic"),
    ];
    let good = [
        ("whole.fits.gz", packed.clone()),
        ("tape.fits.gz", [packed, vec![0; 1000]].concat()),
        ("whole.fits.bz2", bzip2(&whole)),
        ("whole", whole),
        ("notes.txt", b"SIMPLE notes".to_vec()),
        (
            "cards.hdr",
            format!("{:80}\n{:80}\n", "SIMPLE  =                    T", "BITPIX  =                   16").into(),
        ),
    ];
    let server = Server::start();
    let files = bad.iter().map(|(name, body, _)| (*name, body)).chain(good.iter().map(|(name, body)| (*name, body)));
    for (nth, (name, body)) in files.enumerate() {
        let item = Item::new(&format!("item{nth}"), "2015-12-11T18:22:08.8Z");
        server.script_file(SERIES, item, [Answer::file(body.clone()).named(name)]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    let report = lab.report(1);
    let failures = report["failures"].as_array().expect("failures");
    let failure = |name: &str| {
        let failure = failures.iter().find(|failure| failure["path"].as_str().is_some_and(|path| path.ends_with(name)));
        failure.unwrap_or_else(|| panic!("{name} was taken\n{report:#}"))
    };
    for (name, _, due) in &bad {
        assert_eq!(failure(name)["class"], *due, "{name}\n{report:#}");
    }
    assert!(failure("more.csv.gz")["message"].to_string().contains(": other bytes follow its end"), "{report:#}");
    assert_eq!(failures.len(), bad.len(), "{report:#}");
    assert_eq!(lab.files("data").len(), good.len());
}

/// The file with other bytes from one place on, and no more of them.
fn spliced(file: Answer, at: usize, text: &[u8]) -> Answer {
    let mut body = file.body();
    body[at..at + text.len()].copy_from_slice(text);
    file.with_body(body)
}

#[test]
fn b_14_an_errors_text_within_the_body_does_not_stay_in_it() {
    const ERROR: &str = "\n<b>Fatal error</b>: Allowed memory size of 134217728 bytes exhausted\n";
    recovers(&[
        ("then the end", |file| file.ending(Ending::Cut(90_000)).tail(ERROR)),
        ("then the rest", |file| spliced(file, 160_000, ERROR.as_bytes())),
    ]);
    // The part on disk ends in the error's text.
    let spoilt = trial_after(&[("none", |file| file)], |file| {
        spliced(file, KEPT - 100, ERROR.as_bytes()).ending(Ending::Cut(KEPT))
    });
    let ended = spoilt.ends_well(|file| vec![file.honest()]);
    assert_eq!(ended.total("files/restarted"), 1, "{:#}", ended.report);
    fails(&[("then the rest", |file| spliced(file, 160_000, ERROR.as_bytes()))], 1, "fits-checksum");
}

/// The file with one bit of this byte turned.
fn flipped(file: Answer, at: usize) -> Answer {
    let byte = file.body()[at] ^ 4;
    spliced(file, at, &[byte])
}

#[test]
fn b_15_a_flipped_bit_is_found_by_the_files_own_checksum() {
    let ended = recovers(&[("in the rest", |file| flipped(file, 170_000))]);
    assert_eq!(ended.total("files/quarantined"), 2, "{:#}", ended.report);
    fails(&[("in the rest", |file| flipped(file, 170_000))], 1, "fits-checksum");
    // In the part on disk: before what is compared, the checksum finds it; within, the comparison does.
    let told = |first: super::Fault| {
        let ended = trial_after(&[("none", |file| file)], first).ends_well(|file| vec![file.honest()]);
        (ended.total("files/quarantined"), ended.total("files/restarted"))
    };
    assert_eq!(told(|file| flipped(file, 20_000).ending(Ending::Cut(KEPT))), (1, 0));
    assert_eq!(told(|file| flipped(file, FROM + 1000).ending(Ending::Cut(KEPT))), (0, 1));
}

#[test]
fn b_16_an_endless_body_ends() {
    const CHUNKS: super::Fault = |file| file.chunked().ending(Ending::Endless);
    is_seen_through(&[("beyond its length", |file| file.ending(Ending::Endless))]);
    recovers(&[("in chunks", CHUNKS), ("until close", |file| file.until_close().ending(Ending::Endless))]);
    fails_in_two_ways(&[("in chunks", CHUNKS)], 1, "fits-structure", "too-long");
}

#[test]
fn b_17_a_body_that_crawls_is_given_up_like_a_silent_one() {
    const CRAWL: super::Fault = |file| file.ending(Ending::Drip(20_000, Duration::from_millis(100)));
    recovers_in_time(&[
        ("from the middle", CRAWL),
        ("from the start", |file| file.ending(Ending::Drip(0, Duration::from_millis(300)))),
    ]);
    fails(&[("from the middle", CRAWL)], 4, "stalled");
}

#[test]
fn b_18_a_stall_ends_within_the_time_allowed() {
    recovers_in_time(&[
        ("before the headers", |file| file.ending(Ending::Silence)),
        ("in a header", |_| Answer::raw("HTTP/1.1 200 OK\r\nConten").ending(Ending::Stall(usize::MAX))),
        ("at no byte", |file| file.stall_at(0)),
        ("at half", |file| file.stall_at(90_000)),
        ("at the last byte", |file| file.stall_at(usize::MAX)),
    ]);
    fails(
        &[
            ("before the headers", |file| file.ending(Ending::Silence)),
            ("in a header", |_| Answer::raw("HTTP/1.1 200 OK\r\nConten").ending(Ending::Stall(usize::MAX))),
            ("at half", |file| file.stall_at(90_000)),
        ],
        4,
        "stalled",
    );
}

#[test]
fn b_19_trailers_do_no_harm() {
    is_harmless(&[
        ("a sum", |file| file.chunked().tail("X-Checksum: 7\r\n")),
        ("framing", |file| file.chunked().tail("Content-Length: 3\r\nTransfer-Encoding: identity\r\n")),
        ("many", |file| file.chunked().tail(&"X: y\r\n".repeat(50))),
    ]);
    recovers(&[("no end of them", |file| file.chunked().tail(&"X: y\r\n".repeat(100_000)))]);
}

#[test]
fn b_20_early_answers_do_no_harm() {
    is_harmless(&[
        ("hints", |file| file.lead("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")),
        ("continue, unasked", |file| file.lead("HTTP/1.1 100 Continue\r\n\r\n")),
        ("several", |file| file.lead(&"HTTP/1.1 102 Processing\r\n\r\n".repeat(5))),
    ]);
    fails(
        &[("and nothing more", |file| file.lead("HTTP/1.1 102 Processing\r\n\r\n").ending(Ending::Silence))],
        4,
        "stalled",
    );
}
