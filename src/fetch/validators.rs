//! What an answer says of its body, as far as it may be kept: by a part, a journal and a record. And whether two answers
//! speak of the same body.

use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::answered_name;
use crate::archive::Validators;
use crate::digest::Digest;
use crate::net::{Client, Response};

/// The longest header value that is kept, in bytes. A longer one is not cut: what is left of it would be another value.
const LONGEST: usize = 1024;

/// What an answer says of its body; `total` is the length of the whole.
pub(super) fn of(client: &Client, response: &Response, total: Option<u64>) -> Validators {
    let is_secret = |text: &str| client.has_secret(text);
    read(&response.headers, &response.url, total, &is_secret)
}

fn read(headers: &HeaderMap, url: &Url, total: Option<u64>, is_secret: &dyn Fn(&str) -> bool) -> Validators {
    let resource = Digest::of(format!("{}{}", url.origin().ascii_serialization(), url.path()).as_bytes());
    let name = answered_name(headers).filter(|name| name.len() <= LONGEST && !is_secret(name));
    let bare = Validators { total, name, resource: Some(resource), ..Validators::default() };
    let read = || -> Result<Validators, Unusable> {
        Ok(Validators {
            etag: value(headers, &ETAG, is_secret)?,
            last_modified: value(headers, &LAST_MODIFIED, is_secret)?,
            date: value(headers, &DATE, is_secret)?,
            content_type: value(headers, &CONTENT_TYPE, is_secret)?,
            content_encoding: value(headers, &CONTENT_ENCODING, is_secret)?,
            ..bare.clone()
        })
    };
    // A value that is not kept cannot be compared later, and a change of it would go unseen. So none is kept then: there is
    // nothing to resume or to ask by.
    read().unwrap_or(bare)
}

/// A header that cannot be kept: too long, no text, sent twice with different values, or with a secret in it.
struct Unusable;

fn value(headers: &HeaderMap, name: &HeaderName, is_secret: &dyn Fn(&str) -> bool) -> Result<Option<String>, Unusable> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let is_one = values.all(|other| other == first);
    let text = first.to_str().ok().filter(|text| is_one && text.len() <= LONGEST && !is_secret(text));
    text.map(|text| Some(text.to_owned())).ok_or(Unusable)
}

/// How the answer to a resumed request contradicts the one that the part came with; `None` when both are of the same body.
/// A value that is missing, or there for the first time, is as much a difference as another one: a proxy, or a second
/// server behind the same name, may hold an older file.
pub(super) fn difference(before: &Validators, now: &Validators) -> Option<&'static str> {
    let differs = [
        (before.resource != now.resource, "from another address"),
        (before.etag != now.etag, "with another ETag"),
        (before.last_modified != now.last_modified, "with another Last-Modified"),
        (before.content_type != now.content_type, "with another Content-Type"),
        (before.content_encoding != now.content_encoding, "with another Content-Encoding"),
        (before.name != now.name, "under another file name"),
    ];
    differs.into_iter().find_map(|(differs, how)| differs.then_some(how))
}

/// The validator that may go into `If-Range`: a strong `ETag`, or a Last-Modified at least 60 s older than the Date it
/// came with (RFC 9110, 8.8.2.2 and 13.1.5).
pub(super) fn strong(validators: &Validators) -> Option<HeaderValue> {
    if let Some(etag) = &validators.etag {
        // With an ETag, even a weak one, the date says nothing more.
        return (etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2)
            .then(|| HeaderValue::from_str(etag).ok())?;
    }
    let modified = httpdate::parse_http_date(validators.last_modified.as_deref()?).ok()?;
    let date = httpdate::parse_http_date(validators.date.as_deref()?).ok()?;
    let old_enough = date.duration_since(modified).is_ok_and(|age| age >= Duration::from_mins(1));
    old_enough.then(|| HeaderValue::from_str(validators.last_modified.as_deref()?).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(lines: &[(&'static str, &str)]) -> Validators {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let url = "http://h.example/a?token=t".parse().unwrap();
        read(&headers, &url, Some(9), &|text| text.contains("hunter2"))
    }

    #[test]
    fn values_too_long_to_keep_are_not_kept_and_nothing_is_asked_by_the_others() {
        const THEN: &str = "Fri, 11 Dec 2015 20:00:00 GMT";
        const LATER: &str = "Sat, 12 Dec 2015 20:00:00 GMT";
        let longest = format!("\"{}\"", "e".repeat(LONGEST - 2));
        let too_long = format!("\"{}\"", "e".repeat(LONGEST - 1));
        let kept = read_from(&[("etag", &longest), ("last-modified", THEN), ("date", LATER)]);
        assert_eq!((kept.etag.as_deref(), kept.last_modified.as_deref()), (Some(longest.as_str()), Some(THEN)));
        for unusable in [
            &[("etag", too_long.as_str())][..],
            &[("etag", "\"hunter2\"")],
            &[("etag", "\"a\""), ("etag", "\"b\"")],
            &[("etag", "\"\u{e9}\"")],
            &[("content-type", too_long.as_str())],
        ] {
            let bare = read_from(&[unusable, &[("last-modified", THEN), ("date", LATER)]].concat());
            assert_eq!((&bare.etag, &bare.last_modified, &bare.date), (&None, &None, &None), "{unusable:?}");
            assert!(strong(&bare).is_none() && bare.total == Some(9) && bare.resource.is_some());
        }
        let name = |name: &str| read_from(&[("content-disposition", &format!("attachment; filename={name}"))]).name;
        assert_eq!(name("a.fits").as_deref(), Some("a.fits"));
        assert_eq!((name(&"n".repeat(LONGEST + 1)), name("hunter2.fits")), (None, None));
    }

    #[test]
    fn whatever_one_answer_has_and_the_other_not_is_a_difference() {
        let before = read_from(&[("etag", "\"a\""), ("content-type", "image/fits")]);
        assert_eq!(difference(&before, &before), None);
        let date = Validators { date: Some("another".into()), total: None, ..before.clone() };
        assert_eq!(difference(&before, &date), None, "these change by themselves, or are looked at elsewhere");
        let other = || Some("other".to_owned());
        for now in [
            Validators { resource: Some(Digest::of(b"other")), ..before.clone() },
            Validators { etag: other(), ..before.clone() },
            Validators { etag: None, ..before.clone() },
            Validators { last_modified: other(), ..before.clone() },
            Validators { content_type: other(), ..before.clone() },
            Validators { content_type: None, ..before.clone() },
            Validators { content_encoding: other(), ..before.clone() },
            Validators { name: other(), ..before.clone() },
        ] {
            assert!(difference(&before, &now).is_some() && difference(&now, &before).is_some(), "{now:?}");
        }
    }

    #[test]
    fn a_resource_is_the_same_whatever_its_query_and_another_on_another_port() {
        let at = |url: &str| read(&HeaderMap::new(), &url.parse().unwrap(), None, &|_| false).resource;
        assert_eq!(at("http://h.example/a?signature=1"), at("http://h.example:80/a?signature=2"));
        for other in ["https://h.example/a", "http://h.example:81/a", "http://i.example/a", "http://h.example/b"] {
            assert_ne!(at("http://h.example/a"), at(other), "{other}");
        }
    }
}
