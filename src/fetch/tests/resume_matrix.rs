//! Every way in which the answer to a resumed request can agree with its part or contradict it, in all combinations. A file
//! of two versions is never the result.

use super::*;

/// How the answer's `ETag` relates to the one of the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validator {
    Same,
    Changed,
    Missing,
    /// The part came with a Last-Modified alone.
    Added,
    /// The same, but another digest of the whole.
    OtherDigest,
}

/// How the total relates to the one that the part was begun with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Total {
    Same,
    Changed,
    Unknown,
}

/// Which range comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    AsAsked,
    Earlier,
    Later,
    Shorter,
    /// As asked, and without a Content-Range.
    Untold,
}

/// Where the part came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartOrigin {
    Same,
    OtherQuery,
    OtherOrigin,
}

#[derive(Debug, Clone, Copy)]
struct Combination {
    validator: Validator,
    total: Total,
    status: u16,
    range: Comes,
    overlap_is_same: bool,
    place: PartOrigin,
}

const LENGTH: usize = 300_000;

/// Errors as answers to the request for the rest, of which none says to come back later.
const REFUSALS: [u16; 12] = [204, 400, 403, 404, 405, 410, 412, 500, 501, 502, 504, 505];
const THEN: &str = "Fri, 11 Dec 2015 20:00:00 GMT";

impl Combination {
    fn all() -> Vec<Combination> {
        let validators =
            [Validator::Same, Validator::Changed, Validator::Missing, Validator::Added, Validator::OtherDigest];
        let ranges = [Comes::AsAsked, Comes::Earlier, Comes::Later, Comes::Shorter, Comes::Untold];
        let mut all = Vec::new();
        for validator in validators {
            // An answer without a body or a range says the same however these would be.
            for status in REFUSALS {
                for place in [PartOrigin::Same, PartOrigin::OtherQuery, PartOrigin::OtherOrigin] {
                    let (total, range, overlap_is_same) = (Total::Same, Comes::Untold, true);
                    all.push(Combination { validator, total, status, range, overlap_is_same, place });
                }
            }
            for total in [Total::Same, Total::Changed, Total::Unknown] {
                for status in [200, 206, 416] {
                    for range in ranges {
                        for overlap_is_same in [true, false] {
                            for place in [PartOrigin::Same, PartOrigin::OtherQuery, PartOrigin::OtherOrigin] {
                                all.push(Combination { validator, total, status, range, overlap_is_same, place });
                            }
                        }
                    }
                }
            }
        }
        all
    }

    /// Nothing in the answer contradicts the part: only then it may be gone on with.
    fn agrees(self) -> bool {
        self.validator == Validator::Same
            && self.total == Total::Same
            && self.status == 206
            && matches!(self.range, Comes::AsAsked | Comes::Shorter)
            && self.overlap_is_same
            && self.place == PartOrigin::Same
    }

    /// What the server has: the part's own version where nothing contradicts it, else another one. That differs from it before
    /// and after the overlap, and within it where that is to differ.
    fn served(self, old: &[u8]) -> Vec<u8> {
        let mut body = old.to_vec();
        if self.agrees() {
            return body;
        }
        body[..1000].fill(0xee);
        body[LEFT..].fill(0xee);
        if !self.overlap_is_same {
            body[LEFT - 1000..].fill(0xee);
        }
        if self.total == Total::Changed {
            body.extend([0xee; 10]);
        }
        body
    }

    /// What came with the part.
    fn begun_with(self, lab: &Lab) -> Validators {
        let here = lab.resource_only();
        let resource = match self.place {
            PartOrigin::Same => here.resource,
            PartOrigin::OtherQuery => Some(Digest::sha256(format!("{}?v=2", lab.file.url).as_bytes())),
            PartOrigin::OtherOrigin => Some(Digest::sha256(b"http://other.example/a.dat")),
        };
        let further = [("digest".to_owned(), "md5=one".to_owned())].into();
        let etag = (self.validator != Validator::Added).then(|| TAG.to_owned());
        let (last_modified, date) = (Some(THEN.to_owned()), Some("Sat, 12 Dec 2015 20:00:00 GMT".to_owned()));
        Validators { etag, last_modified, date, total: Some(LENGTH as u64), resource, further, ..Validators::default() }
    }

    /// The answer to the resumed request.
    fn answer(self, served: &[u8]) -> Vec<u8> {
        let asked = usize::try_from(FROM).unwrap();
        let (start, end) = match self.range {
            Comes::AsAsked | Comes::Untold => (asked, served.len()),
            Comes::Earlier => (asked - 100, served.len()),
            Comes::Later => (asked + 100, served.len()),
            Comes::Shorter => (asked, served.len() - 100_000),
        };
        let total = match self.total {
            Total::Unknown => "*".to_owned(),
            Total::Same | Total::Changed => served.len().to_string(),
        };
        let range = match self.status {
            416 => format!("bytes */{total}"),
            _ => format!("bytes {start}-{}/{total}", end - 1),
        };
        let mut headers = vec![("Last-Modified", THEN)];
        if self.range != Comes::Untold {
            headers.push(("Content-Range", range.as_str()));
        }
        match self.validator {
            Validator::Same | Validator::Added => headers.push(("ETag", TAG)),
            Validator::Changed => headers.push(("ETag", "\"two\"")),
            Validator::Missing => {}
            Validator::OtherDigest => headers.extend([("ETag", TAG), ("Digest", "md5=two")]),
        }
        let body = if matches!(self.status, 200 | 206) { &served[start..end] } else { &[] };
        answer(&format!("{} Scripted", self.status), &headers, body)
    }
}

/// The rest of a body from the range that a request asks for, honestly.
fn honest_rest(head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let from = head.split("range: bytes=").nth(1)?.split('-').next()?.parse().ok()?;
    let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
    let headers = [("ETag", TAG), ("Last-Modified", THEN), ("Content-Range", range.as_str())];
    Some(answer("206 Partial Content", &headers, &body[from..]))
}

#[tokio::test]
async fn r_11_whatever_an_answer_contradicts_the_file_is_of_one_version() {
    let old = bytes(LENGTH);
    let lab = Lab::answering(Box::new(|_| None));
    let all = Combination::all();
    assert_eq!(all.len(), 5 * 3 * 3 * 5 * 2 * 3 + 5 * REFUSALS.len() * 3);
    let mut resumed = 0;
    for combination in all {
        let served = combination.served(&old);
        lab.part().create(&combination.begun_with(&lab)).unwrap().write(&old[..LEFT]).unwrap();
        let (mut first, body) = (Some(combination.answer(&served)), served.clone());
        *lab.handler.lock().unwrap() = Box::new(move |head: &str| {
            if !head.contains("range: bytes=") {
                return Some(answer("200 OK", &[("ETag", "\"now\""), ("Last-Modified", THEN)], &body));
            }
            first.take().or_else(|| honest_rest(head, &body))
        });
        let mut attempts = 0;
        let fetched = loop {
            attempts += 1;
            match lab.attempt().await {
                Ok(FetchOutcome::File(fetched)) => break *fetched,
                Err(failed) if attempts < 3 => {
                    assert_eq!(failed.failure.class, Class::Truncated, "{combination:?}");
                }
                other => panic!("{combination:?}: {other:?}"),
            }
        };
        assert_eq!(fetched.body.sha256, Digest::sha256(&served), "{combination:?}");
        assert_eq!(fetched.resumed_bytes > 0, combination.agrees(), "{combination:?}");
        assert_eq!(attempts, if combination.agrees() && combination.range == Comes::Shorter { 2 } else { 1 });
        resumed += u32::from(combination.agrees());
        drop(fetched);
        lab.part().discard().unwrap();
    }
    assert_eq!(resumed, 2, "as asked, and shorter than asked");
}
