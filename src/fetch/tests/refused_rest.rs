//! A server that answers the request for the rest of a file with an error: whether it has the file is decided by a request
//! without a range.

use super::*;

/// A refusal of every request for a range; one without it is answered by `plain`.
fn refusing(status: &'static str, headers: &'static [(&str, &str)], plain: Vec<u8>) -> Lab {
    let refuse =
        move |head: &str| Some(if head.contains("range:") { answer(status, headers, b"") } else { plain.clone() });
    Lab::answering(Box::new(refuse))
}

#[tokio::test]
async fn a_server_that_refuses_the_rest_is_asked_for_the_whole_in_the_same_attempt() {
    let body = bytes(300_000);
    for status in [
        "204 No Content",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "410 Gone",
        "412 Precondition Failed",
        "416 Range Not Satisfiable",
        "418 Odd",
        "500 Internal Server Error",
        "501 Not Implemented",
        "502 Bad Gateway",
        "504 Gateway Timeout",
    ] {
        let lab = refusing(status, &[], whole(&body));
        lab.left(&body[..LEFT], TAG, Some(body.len()));
        let fetched = lab.brings(&body).await;
        assert_eq!((fetched.resumed_bytes, fetched.restarted), (0, true), "{status}");
        let asked = lab.asked();
        assert_eq!(asked.len(), 2, "{status}: {asked:?}");
        assert!(asked[0].contains("range:") && !asked[1].contains("range:"), "{status}: {asked:?}");
        assert!(lab.part().left().is_none(), "{status}");
    }
}

#[tokio::test]
async fn a_server_that_asks_to_come_back_later_keeps_its_part_and_gets_no_second_request() {
    let body = bytes(300_000);
    let soon: &[_] = &[("Retry-After", "1")];
    for (status, headers) in [
        ("408 Request Timeout", &[][..]),
        ("425 Too Early", &[]),
        ("429 Too Many Requests", &[]),
        ("503 Service Unavailable", &[]),
        ("403 Forbidden", soon),
        ("500 Internal Server Error", soon),
    ] {
        let lab = refusing(status, headers, whole(&body));
        lab.left(&body[..LEFT], TAG, Some(body.len()));
        let failed = lab.attempt().await.unwrap_err();
        assert!(!failed.restarted, "{status}");
        assert_eq!(lab.asked().len(), 1, "{status}");
        assert_eq!(lab.part().left().map(|(_, length)| length), Some(LEFT as u64), "{status}");
    }
}

#[tokio::test]
async fn a_part_stays_until_the_whole_comes_in_its_place() {
    let body = bytes(300_000);
    let lab = refusing("502 Bad Gateway", &[], answer("500 Internal Server Error", &[], b""));
    lab.left(&body[..LEFT], TAG, Some(body.len()));
    let failed = lab.attempt().await.unwrap_err();
    assert_eq!((failed.failure.class, failed.restarted), (Class::ServerError, false));
    let served = body.clone();
    *lab.handler.lock().unwrap() = Box::new(move |_| Some(rest(&served, FROM, served.len())));
    assert_eq!(lab.brings(&body).await.resumed_bytes, LEFT as u64);
}

#[tokio::test]
async fn a_404_after_a_200_is_known_as_a_contradiction_once() {
    let body = bytes(300_000);
    for status in ["404 Not Found", "410 Gone"] {
        // By a part that could be resumed, and by one that could not.
        for etag in [TAG, "W/\"one\""] {
            let lab = refusing(status, &[], answer(status, &[], b""));
            lab.left(&body[..LEFT], etag, Some(body.len()));
            let failed = lab.attempt().await.unwrap_err();
            assert_eq!((failed.failure.class, failed.was_there), (Class::NotFound, true), "{status} {etag}");
            assert!(!lab.part().path().exists(), "{status} {etag}");
            assert!(!lab.asked().last().unwrap().contains("range:"), "{status} {etag}");
            let failed = lab.attempt().await.unwrap_err();
            assert_eq!((failed.failure.class, failed.was_there), (Class::NotFound, false), "{status} {etag}");
        }
    }
}

#[tokio::test]
async fn a_200_that_breaks_off_shows_that_the_file_is_there_and_a_web_page_does_not() {
    let body = bytes(300_000);
    for (came, is_small) in [(200_000, false), (10, true)] {
        let mut broken = whole(&body);
        broken.truncate(broken.len() - body.len() + came);
        let lab = Lab::new(vec![broken, answer("404 Not Found", &[], b"")]);
        assert!(lab.attempt().await.unwrap_err().was_there);
        assert_eq!(lab.part().left().is_none(), is_small);
    }
    let page = answer("200 OK", &[("Content-Type", "text/html")], b"<!DOCTYPE html><html><h1>no such file</h1>");
    let failed = Lab::new(vec![page]).attempt().await.unwrap_err();
    assert_eq!((failed.failure.class, failed.was_there), (Class::Html, false));
    let failed = Lab::new(vec![answer("404 Not Found", &[], b"")]).attempt().await.unwrap_err();
    assert_eq!((failed.failure.class, failed.was_there), (Class::NotFound, false));
}
