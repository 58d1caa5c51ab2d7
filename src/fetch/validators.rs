//! What an answer says of its body, as far as it may be kept: by a part, a journal and a record. And whether two answers
//! speak of the same body.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{answered_name, resource};
use crate::archive::Validators;
use crate::net::{Client, Response};

/// The longest header value that is kept, in bytes. A longer one is not cut: what is left of it would be another value.
const LONGEST: usize = 1024;

/// A Last-Modified this long before the Date of its answer is strong (RFC 9110, 8.8.2.2).
const OLD_ENOUGH: Duration = Duration::from_mins(1);

/// What an answer says of its body; `total` is the length of the whole.
pub(super) fn read_validators(client: &Client, response: &Response, total: Option<u64>) -> Validators {
    let is_secret = |text: &str| client.has_secret(text);
    read(&response.headers, &response.url, total, &is_secret)
}

fn read(headers: &HeaderMap, url: &Url, total: Option<u64>, is_secret: &dyn Fn(&str) -> bool) -> Validators {
    let name = answered_name(headers).filter(|name| name.len() <= LONGEST && !is_secret(name));
    // These two say what the body is, and no request is made by them.
    let described = |name| value(headers, name, is_secret).ok().flatten();
    let (content_type, content_encoding) = (described(&CONTENT_TYPE), described(&CONTENT_ENCODING));
    let resource = Some(resource::exact(url));
    let bare = Validators { total, name, content_type, content_encoding, resource, ..Validators::default() };
    let read = || -> Result<Validators, Unusable> {
        let etag = value(headers, &ETAG, is_secret)?;
        // Two signatures of one path are two resources where only a date says that they are the same.
        let resource = if etag.is_some() { resource::unsigned(url) } else { resource::exact(url) };
        Ok(Validators {
            etag,
            resource: Some(resource),
            further: further(headers, is_secret)?,
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

/// Headers that tell one version of a whole file from another: in a 206 they are those of the whole as well.
const OF_THE_WHOLE: &[&str] = &[
    "repr-digest",
    "digest",
    "content-location",
    "x-amz-version-id",
    "x-goog-generation",
    "x-goog-hash",
    "x-goog-stored-content-encoding",
    "x-ms-version-id",
    "x-ms-blob-content-md5",
    "x-checksum-sha256",
];

/// Headers that are about the body of one answer, which of a 206 may be the slice.
const OF_THE_BODY: &[&str] = &["content-digest", "content-md5", "x-amz-checksum-sha256"];

/// The headers of both kinds that an answer has. One sent several times is a list.
fn further(headers: &HeaderMap, is_secret: &dyn Fn(&str) -> bool) -> Result<BTreeMap<String, String>, Unusable> {
    let mut found = BTreeMap::new();
    for name in OF_THE_WHOLE.iter().chain(OF_THE_BODY) {
        let values: Result<Vec<&str>, _> = headers.get_all(*name).iter().map(HeaderValue::to_str).collect();
        let list = values.map_err(|_| Unusable)?.join(", ");
        if list.len() > LONGEST || is_secret(&list) {
            return Err(Unusable);
        }
        if !list.is_empty() {
            found.insert((*name).to_owned(), list);
        }
    }
    Ok(found)
}

/// The first of [`OF_THE_WHOLE`] that two answers have with different values. Many services send these with the whole
/// alone, so that one that is missing says nothing.
fn differing(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<&'static str> {
    let differs = |name: &&&str| before.get(**name).zip(now.get(**name)).is_some_and(|(before, now)| before != now);
    OF_THE_WHOLE.iter().find(differs).copied()
}

/// What two answers that do not differ say of the whole together. The second may be the first to state a digest of it.
pub(super) fn joined(first: Validators, rest: &Validators) -> Validators {
    let stated = |name: &&str| Some(((*name).to_owned(), rest.further.get(*name)?.clone()));
    let mut further: BTreeMap<String, String> = OF_THE_WHOLE.iter().filter_map(stated).collect();
    further.extend(first.further);
    Validators { further, ..first }
}

/// How the answer to a resumed request contradicts the one that the part came with; `None` when both are of the same body.
/// A value that is missing, or there for the first time, is as much a difference as another one: a proxy, or a second
/// server behind the same name, may hold an older file.
pub(super) fn difference(before: &Validators, now: &Validators) -> Option<String> {
    let differs = [
        (before.resource != now.resource, "from another address"),
        (before.etag != now.etag, "with another ETag"),
        (before.last_modified != now.last_modified, "with another Last-Modified"),
        (before.content_type != now.content_type, "with another Content-Type"),
        (before.content_encoding != now.content_encoding, "with another Content-Encoding"),
        (before.name != now.name, "under another file name"),
    ];
    let named = differs.into_iter().find_map(|(differs, how)| differs.then(|| how.to_owned()));
    named.or_else(|| differing(&before.further, &now.further).map(|name| format!("with another `{name}`")))
}

/// The validator that may go into `If-Range`: a strong `ETag`, or a Last-Modified at least [`OLD_ENOUGH`] before the
/// Date it came with (RFC 9110, 13.1.5).
pub(super) fn strong(validators: &Validators) -> Option<HeaderValue> {
    if let Some(etag) = &validators.etag {
        // With an ETag, even a weak one, the date says nothing more.
        return (etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2)
            .then(|| HeaderValue::from_str(etag).ok())?;
    }
    let modified = httpdate::parse_http_date(validators.last_modified.as_deref()?).ok()?;
    let date = httpdate::parse_http_date(validators.date.as_deref()?).ok()?;
    let old_enough = date.duration_since(modified).is_ok_and(|age| age >= OLD_ENOUGH);
    old_enough.then(|| HeaderValue::from_str(validators.last_modified.as_deref()?).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

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
            Validators { resource: Some(Digest::sha256(b"other")), ..before.clone() },
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
    fn a_signature_may_change_where_an_etag_says_that_the_file_is_the_same() {
        let at = |url: &str, lines: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            read(&headers, &url.parse().unwrap(), None, &|_| false)
        };
        let (one, two) = ("http://h.example/a?Signature=1", "http://h.example/a?Signature=2");
        let tagged: &[_] = &[("etag", "\"a\"")];
        let dated: &[_] = &[("last-modified", "Fri, 11 Dec 2015 20:00:00 GMT")];
        for (lines, other, is_same) in [
            (tagged, one, true),
            (tagged, two, true),
            (tagged, "http://h.example/a?Signature=1&v=2", false),
            (tagged, "http://h.example/b?Signature=1", false),
            (dated, one, true),
            (dated, two, false),
        ] {
            let differs = difference(&at(one, lines), &at(other, lines));
            assert_eq!(differs.is_none(), is_same, "{lines:?} {other}");
        }
    }

    #[test]
    fn what_tells_the_version_of_the_whole_must_not_differ_and_may_be_missing() {
        let bare = read_from(&[("etag", "\"a\"")]);
        for name in OF_THE_WHOLE {
            let with = |value: &str| read_from(&[("etag", "\"a\""), (name, value)]);
            assert_eq!(difference(&with("1"), &with("1")), None, "{name}");
            assert_eq!(difference(&with("1"), &with("2")), Some(format!("with another `{name}`")));
            assert_eq!((difference(&with("1"), &bare), difference(&bare, &with("1"))), (None, None), "{name}");
            assert_eq!((joined(bare.clone(), &with("1")), joined(with("1"), &bare)), (with("1"), with("1")));
        }
        for name in OF_THE_BODY {
            let with = |value: &str| read_from(&[("etag", "\"a\""), (name, value)]);
            assert_eq!(difference(&with("1"), &with("2")), None, "{name}: a slice has its own");
            assert_eq!((joined(with("1"), &with("2")), joined(bare.clone(), &with("2"))), (with("1"), bare.clone()));
        }
        let twice = read_from(&[("etag", "\"a\""), ("x-goog-hash", "crc32c=1"), ("x-goog-hash", "md5=2")]);
        assert_eq!(twice.further["x-goog-hash"], "crc32c=1, md5=2");
        assert!(read_from(&[("etag", "\"a\""), ("digest", "hunter2")]).etag.is_none());
    }
}
