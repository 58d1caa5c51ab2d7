//! A file that is here already: when it is asked for again, and what becomes of it.

use super::*;

/// The line of a file that is here, under these validators.
fn line(body: &[u8], etag: Option<&str>, last_modified: Option<&str>) -> FileLine {
    let line = serde_json::json!({
        "series": "s", "path": "s/a.dat", "bytes": body.len(), "sha256": Digest::sha256(body), "time": "", "key": "k",
        "url": "/a.dat", "etag": etag, "last_modified": last_modified,
    });
    serde_json::from_value(line).unwrap()
}

#[tokio::test]
async fn a_file_that_is_here_comes_only_when_it_changed() {
    const THEN: &str = "Fri, 11 Dec 2015 20:00:00 GMT";
    const LATER: &str = "Fri, 11 Dec 2015 20:00:01 GMT";
    let body = bytes(1000);
    let not_modified = || b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n".to_vec();
    let ok = |headers: &[(&str, &str)]| answer("200 OK", headers, &body);
    let (tagged, dated) = (line(&body, Some(TAG), None), line(&body, None, Some(THEN)));
    let both = line(&body, Some(TAG), Some(THEN));
    let longer = line(&bytes(1001), Some(TAG), None);
    for (nth, (line, answer, is_unchanged)) in [
        (&tagged, not_modified(), true),
        (&dated, not_modified(), true),
        // A service that asks no conditions: its validators are as good a word.
        (&tagged, ok(&[("ETag", TAG)]), true),
        (&tagged, ok(&[("ETag", "W/\"one\"")]), true),
        (&dated, ok(&[("Last-Modified", THEN)]), true),
        (&both, ok(&[("ETag", TAG), ("Last-Modified", LATER)]), true),
        (&tagged, ok(&[("ETag", "\"two\"")]), false),
        (&both, ok(&[("ETag", "\"two\""), ("Last-Modified", THEN)]), false),
        (&both, ok(&[("Last-Modified", THEN)]), false),
        (&dated, ok(&[("Last-Modified", LATER)]), false),
        (&dated, ok(&[]), false),
        (&longer, ok(&[("ETag", "W/\"one\"")]), false),
    ]
    .into_iter()
    .enumerate()
    {
        let lab = Lab::new(vec![answer]);
        let got = lab.attempt_with(Some(line)).await.unwrap();
        assert_eq!(matches!(got, FetchOutcome::Unchanged), is_unchanged, "{nth}: {line:?}");
        let asked = &lab.asked()[0];
        assert_eq!(asked.contains("\nif-none-match: \"one\""), line.etag.is_some(), "{asked}");
        assert_eq!(asked.contains("\nif-modified-since: fri, 11 dec"), line.last_modified.is_some(), "{asked}");
    }
}

#[tokio::test]
async fn a_part_of_the_changed_file_is_gone_on_with_and_no_condition_asked() {
    let body = bytes(300_000);
    let lab = Lab::new(vec![rest(&body, FROM, body.len())]);
    lab.left(&body[..LEFT], TAG, Some(body.len()));
    let got = lab.attempt_with(Some(&line(&bytes(10), Some("\"old\""), None))).await.unwrap();
    assert!(matches!(got, FetchOutcome::File(fetched) if fetched.resumed_bytes == LEFT as u64));
    assert!(!lab.asked()[0].contains("if-none-match"));
}

#[test]
fn only_what_is_a_validator_is_asked_by() {
    let can = |etag, modified| conditional_get::can_be_asked(&line(b"x", etag, modified));
    assert!(can(Some("\"a\""), None) && can(Some("W/\"a\""), None) && can(Some("\"\""), None));
    assert!(can(None, Some("Fri, 11 Dec 2015 20:00:00 GMT")));
    for etag in ["*", "a", "\"", "", "W/", "\"a\", \"b\"", "\"a\u{1b}\""] {
        assert!(!can(Some(etag), Some("yesterday")), "{etag}");
    }
}

#[tokio::test]
async fn b_03_each_end_of_a_body_over_http_1_is_its_end_or_not() {
    let head = |version: &str, framing: &str| format!("HTTP/{version} 200 OK\r\n{framing}Connection: close\r\n\r\n");
    let length = "Content-Length: 10\r\n";
    let chunks = "Transfer-Encoding: chunked\r\n";
    for version in ["1.0", "1.1"] {
        let is_old = version == "1.0";
        for (framing, body, listed, expected) in [
            (length, "0123456789", None, Ok(10)),
            (length, "012345678", None, Err(Class::Truncated)),
            (length, "", None, Err(Class::Truncated)),
            (length, "0123456789", Some(11), Err(Class::Size)),
            // RFC 9112, 6.1: in HTTP/1.0 it is a faulty framing.
            (chunks, "a\r\n0123456789\r\n0\r\n\r\n", None, if is_old { Err(Class::Protocol) } else { Ok(10) }),
            (chunks, "a\r\n0123456789\r\n0\r\n", None, Err(if is_old { Class::Protocol } else { Class::Truncated })),
            (chunks, "a\r\n0123456789\r\n", None, Err(if is_old { Class::Protocol } else { Class::Truncated })),
            (chunks, "a\r\n0123", None, Err(if is_old { Class::Protocol } else { Class::Truncated })),
            ("", "0123456789", None, Err(Class::Truncated)),
            ("", "0123456789", Some(10), Ok(10)),
            ("", "0123456789", Some(11), Err(Class::Truncated)),
            ("", "0123456789", Some(9), Err(Class::TooLong)),
        ] {
            let mut lab = Lab::new(vec![[head(version, framing).as_bytes(), body.as_bytes()].concat()]);
            lab.file.bytes = listed;
            let found = match lab.attempt().await {
                Ok(FetchOutcome::File(fetched)) => Ok(fetched.body.bytes),
                Ok(FetchOutcome::Unchanged) => panic!("nothing was asked by"),
                Err(failed) => Err(failed.failure.class),
            };
            assert_eq!(found, expected, "HTTP/{version} {framing:?} {body:?} {listed:?}");
        }
    }
}

/// Answers of a server that contradict the file that is here.
struct Contradiction {
    what: &'static str,
    /// The file that is here.
    line: FileLine,
    answers: Vec<Vec<u8>>,
    /// What becomes of it.
    expected: Result<Digest, Class>,
}

fn contradictions() -> Vec<Contradiction> {
    const THEN: &str = "Fri, 11 Dec 2015 20:00:00 GMT";
    const LATER: &str = "Sat, 12 Dec 2015 20:00:00 GMT";
    let (here, body, other, message) = (bytes(10), bytes(1000), bytes(11), b"Sorry, too many users".to_vec());
    let not_modified =
        |header: &str| format!("HTTP/1.1 304 Not Modified\r\n{header}\r\nConnection: close\r\n\r\n").into_bytes();
    let ok = |name: &str, value: &str, body: &[u8]| answer("200 OK", &[(name, value)], body);
    let (tagged, dated) = (line(&here, Some(TAG), None), line(&here, None, Some(THEN)));
    let weak = line(&here, Some("W/\"one\""), None);
    let two = ok("ETag", "\"two\"", &body);
    let mut cut = ok("ETag", TAG, &other);
    cut.pop();
    let same_length: Vec<u8> = here.iter().map(|byte| byte ^ 1).collect();
    let brought = Ok(Digest::sha256(&body));
    let row = |what, line: &FileLine, answers, expected| Contradiction { what, line: line.clone(), answers, expected };
    vec![
        row("304 with another ETag", &tagged, vec![not_modified("ETag: \"two\""), two.clone()], brought),
        row(
            "304 with another date",
            &dated,
            vec![not_modified(&format!("Last-Modified: {LATER}")), two.clone()],
            brought,
        ),
        row("200 of another length", &tagged, vec![ok("ETag", TAG, &other), two.clone()], brought),
        row("200 of nothing", &tagged, vec![ok("ETag", TAG, b""), two], brought),
        row(
            "twice, of less",
            &tagged,
            vec![ok("ETag", TAG, &here[..9]), ok("ETag", TAG, &here[..9])],
            Err(Class::Protocol),
        ),
        row("always the same", &tagged, vec![ok("ETag", TAG, &other); 3], Ok(Digest::sha256(&other))),
        // Such as a message of an error: what nothing proves goes on where the file here ends, or is refused.
        row(
            "always the same, another from its start",
            &tagged,
            vec![ok("ETag", TAG, &message), ok("ETag", TAG, &message)],
            Err(Class::Protocol),
        ),
        row(
            "always another",
            &tagged,
            vec![ok("ETag", TAG, &other), ok("ETag", TAG, &other), ok("ETag", TAG, &bytes(12))],
            Err(Class::Protocol),
        ),
        row(
            "twice, and then as before",
            &tagged,
            vec![ok("ETag", TAG, &other), ok("ETag", TAG, &other), whole(&here)],
            Ok(Digest::sha256(&here)),
        ),
        row(
            "twice, and then cut",
            &tagged,
            vec![ok("ETag", TAG, &other), ok("ETag", TAG, &other), cut],
            Err(Class::Truncated),
        ),
        row("twice, of nothing", &tagged, vec![ok("ETag", TAG, b""), ok("ETag", TAG, b"")], Err(Class::Truncated)),
        row(
            "other bytes of the same length",
            &tagged,
            vec![not_modified("ETag: \"two\""), ok("ETag", TAG, &same_length)],
            Err(Class::Protocol),
        ),
        row("then as before", &tagged, vec![ok("ETag", TAG, b""), whole(&here)], Ok(Digest::sha256(&here))),
        // A file may be written twice within a second.
        row(
            "under one date",
            &dated,
            vec![ok("Last-Modified", THEN, &body), ok("Last-Modified", THEN, &body)],
            brought,
        ),
        row("under a weak ETag", &weak, vec![ok("ETag", "W/\"one\"", &body)], brought),
    ]
}

#[tokio::test]
async fn what_contradicts_the_file_that_is_here_is_asked_again_and_a_strong_etag_is_held_to_its_bytes() {
    for Contradiction { what, line, answers, expected } in contradictions() {
        let requests = answers.len();
        let lab = Lab::new(answers);
        let found = match lab.attempt_with(Some(&line)).await {
            Ok(FetchOutcome::File(fetched)) => Ok(fetched.body.sha256),
            Ok(FetchOutcome::Unchanged) => panic!("{what}: believed"),
            Err(failed) => Err(failed.failure.class),
        };
        assert_eq!(found, expected, "{what}");
        let asked = lab.asked();
        assert_eq!(asked.len(), requests, "{what}");
        assert!(asked[1..].iter().all(|head| !head.contains("\nif-")), "{what}: {asked:?}");
    }
}

#[tokio::test]
async fn b_15_a_body_is_held_to_the_digest_that_its_answer_states() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let body = bytes(300_000);
    let (small, other) = (&body[..1000], &body[..999]);
    let encode = |sum: &[u8]| base64::engine::general_purpose::STANDARD.encode(sum);
    let base64 = |body: &[u8]| encode(Digest::sha256(body).bytes());
    let md5 = |body: &[u8]| encode(&md5::Md5::digest(body));
    let sha512 = |body: &[u8]| encode(&sha2::Sha512::digest(body));
    for (of, expected) in [(small, Ok(())), (other, Err(Class::Protocol))] {
        for (name, value) in [
            ("Repr-Digest", format!("sha-256=:{}:", base64(of))),
            ("Content-Digest", format!("sha-256=:{}:", base64(of))),
            ("Digest", format!("SHA-256={}", base64(of))),
            ("x-amz-checksum-sha256", base64(of)),
            ("X-Checksum-Sha256", Digest::sha256(of).to_string()),
            ("Digest", format!("MD5={}", md5(of))),
            ("Digest", format!("SHA-512={}", sha512(of))),
            ("Repr-Digest", format!("md5=:{}:", md5(of))),
            ("Repr-Digest", format!("sha-512=:{}:", sha512(of))),
            ("Content-MD5", md5(of)),
            ("x-goog-hash", format!("crc32c=AAAAAA==, md5={}", md5(of))),
        ] {
            let lab = Lab::new(vec![answer("200 OK", &[("ETag", TAG), (name, &value)], small)]);
            let found = lab.attempt().await.map(|_| ()).map_err(|failed| failed.failure.class);
            assert_eq!(found, expected, "{name}: {value}");
        }
    }
    // What the first answer stated holds for what is put together of two.
    for (of, expected) in [(&body[..], Ok(())), (other, Err(Class::Protocol))] {
        for (name, value) in [
            ("Digest", format!("sha-256={}", base64(of))),
            ("Digest", format!("sha-512={}", sha512(of))),
            ("Content-MD5", md5(of)),
        ] {
            let mut broken = answer("200 OK", &[("ETag", TAG), (name, &value)], &body);
            broken.truncate(broken.len() - 100_000);
            // What a 206 states may be the digest of its slice.
            let from = usize::try_from(200_000 - OVERLAP).unwrap();
            let range = format!("bytes {from}-299999/300000");
            let headers = [("ETag", TAG), ("Content-Range", &range), ("Content-MD5", &md5(&body[from..]))];
            let lab = Lab::new(vec![broken, answer("206 Partial Content", &headers, &body[from..])]);
            assert_eq!(lab.attempt().await.unwrap_err().failure.class, Class::Truncated);
            let found = lab.attempt().await.map(|_| ()).map_err(|failed| failed.failure.class);
            assert_eq!(found, expected, "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_digest_that_only_the_rest_came_with_holds_for_the_whole() {
    use base64::Engine as _;
    let (body, other) = (bytes(400_000), bytes(399_999));
    let digest = |body: &[u8]| {
        let sum = base64::engine::general_purpose::STANDARD.encode(Digest::sha256(body).bytes());
        format!("sha-256=:{sum}:")
    };
    let cut = |mut answer: Vec<u8>| {
        answer.truncate(answer.len() - 100_000);
        answer
    };
    let rest = |from: u64, headers: &[(&str, &str)]| {
        let from = from - OVERLAP;
        let range = format!("bytes {from}-399999/400000");
        let headers = [headers, &[("ETag", TAG), ("Content-Range", &range)]].concat();
        answer("206 Partial Content", &headers, &body[usize::try_from(from).unwrap()..])
    };
    for (of, expected) in [(&body, Ok(())), (&other, Err(Class::Protocol))] {
        let stated = digest(of);
        let stated = [("Repr-Digest", stated.as_str())];
        let begun = cut(answer("200 OK", &[("ETag", TAG)], &body));
        for answers in [
            vec![begun.clone(), rest(300_000, &stated)],
            // Of three answers the second alone states it.
            vec![cut(begun.clone()), cut(rest(200_000, &stated)), rest(300_000, &[])],
        ] {
            let (last, lab) = (answers.len() - 1, Lab::new(answers));
            for _ in 0..last {
                assert_eq!(lab.attempt().await.unwrap_err().failure.class, Class::Truncated);
            }
            let found = lab.attempt().await.map(|_| ()).map_err(|failed| failed.failure.class);
            assert_eq!(found, expected, "{last} answers before the last: {:?}", lab.asked());
        }
    }
}

#[tokio::test]
async fn a_page_in_place_of_a_file_is_known_though_the_listing_says_another_length() {
    let page = b"<html>sorry</html>".to_vec();
    for (answer, listed, due) in [
        (answer("200 OK", &[], &page), Some(492_480), Class::Html),
        (answer("200 OK", &[], b"404 Not Found\n"), Some(492_480), Class::Html),
        (answer("200 OK", &[], &bytes(300)), Some(492_480), Class::Size),
        (answer("200 OK", &[], &bytes(100_000)), Some(492_480), Class::Size),
    ] {
        let mut lab = Lab::new(vec![answer]);
        lab.file.bytes = listed;
        assert_eq!(lab.attempt().await.unwrap_err().failure.class, due);
    }
}

#[tokio::test]
async fn a_part_that_does_not_say_where_it_came_from_is_not_gone_on_with() {
    let body = bytes(300_000);
    let lab = Lab::new(vec![whole(&body)]);
    let validators = Validators { etag: Some(TAG.to_owned()), ..Validators::default() };
    lab.part().create(&validators).unwrap().write(&body[..LEFT]).unwrap();
    assert_eq!(lab.brings(&body).await.resumed_bytes, 0);
    assert!(!lab.asked()[0].contains("range:"), "{:?}", lab.asked());
}
