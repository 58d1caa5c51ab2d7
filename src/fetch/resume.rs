//! A part from before: whether it can be trusted, what to ask for, and whether the answer agrees with it.

use std::io::{Read as _, Seek as _};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::receive::{RemainingBody, finish, stream};
use super::verify::BodyClaims;
use super::writer::{Pipe, Sink};
use super::{Ask, FailedFetch, Fetched, OVERLAP, can_be_resumed, get, redirected, validators};
use crate::archive::{Error, Validators};
use crate::failure::{Class, Failure};
use crate::net::{ContentRange, Response};

/// A part that may be gone on with.
pub(super) struct PartialBody {
    validators: Validators,
    validator: HeaderValue,
    length: u64,
    from: u64,
}

/// How going on went, when it did not fail.
pub(super) enum Resumed {
    Fetched(Box<Fetched>),
    /// The part and the answer cannot both be right.
    Contradicted(String),
    /// An error, which may be of the range alone. Some services know no ranges, and answer so.
    Refused(Failure),
}

/// What the answer to a resumed request means for the part.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ResumeVerdict {
    /// It goes on from where it was asked to, up to `end`; the whole has `total` bytes.
    Continues { end: u64, total: u64 },
    /// There is nothing after the part.
    Whole,
    /// The part and the answer cannot both be right; ask again from zero.
    Contradicts(String),
}

/// As much of an answer to a resumed request as the decision needs.
#[derive(Debug, Clone)]
struct Head {
    status: StatusCode,
    range: Option<ContentRange>,
    content_length: Option<u64>,
    is_multipart: bool,
    validators: Validators,
}

impl Head {
    fn from_response(ask: &Ask<'_>, response: &Response) -> Head {
        Head {
            status: response.status,
            range: ContentRange::from_headers(&response.headers),
            content_length: response.content_length(),
            is_multipart: is_multipart(&response.headers),
            validators: validators::read_validators(ask.client, response, None),
        }
    }
}

impl PartialBody {
    /// What is left of an earlier attempt, if it can be trusted. What cannot is removed.
    pub(super) fn of(ask: &Ask<'_>) -> Result<Option<PartialBody>, Error> {
        let Some((validators, length)) = ask.part.left() else { return Ok(None) };
        let is_within = |total: Option<u64>| total.is_none_or(|total| length <= total);
        let is_listed = validators.total.zip(ask.file.bytes).is_none_or(|(total, listed)| total == listed);
        let is_trusted = is_within(validators.total) && is_within(ask.file.bytes) && is_listed;
        match validators::strong(&validators) {
            // A part of before that does not say where it came from may be another server's.
            Some(validator) if can_be_resumed(length) && is_trusted && validators.resource.is_some() => {
                Ok(Some(PartialBody { validators, validator, length, from: length - OVERLAP }))
            }
            _ => {
                ask.part.discard()?;
                Ok(None)
            }
        }
    }

    /// The file's name by the answer that the part came with.
    pub(super) fn name(&self) -> Option<String> {
        self.validators.name.clone()
    }

    /// Asks for the rest, and goes on where the answer agrees with the part.
    pub(super) async fn resume(self, ask: &Ask<'_>) -> Result<Resumed, FailedFetch> {
        let response = match get(ask.client, ask.file, self.headers()).await {
            // A part that came compressed, framed in two ways, under a wrong status, or as no valid HTTP: asked for again, it
            // would come so again.
            Err(failure) if failure.class == Class::Protocol => {
                return Ok(Resumed::Contradicted(failure.message));
            }
            Err(failure) if may_be_of_the_range(&failure) => return Ok(Resumed::Refused(failure)),
            answer => answer?,
        };
        let redirected = redirected(ask, &response);
        let resumed = self.resume_by(ask, response).await?;
        Ok(match resumed {
            Resumed::Fetched(fetched) => Resumed::Fetched(Box::new(Fetched { redirected, ..*fetched })),
            other => other,
        })
    }

    async fn resume_by(self, ask: &Ask<'_>, response: Response) -> Result<Resumed, FailedFetch> {
        let head = Head::from_response(ask, &response);
        match self.answer(&head, ask.file.bytes) {
            ResumeVerdict::Continues { end, total } => {
                let validators = validators::joined(self.validators, &head.validators);
                let validators = Validators { total: Some(total), ..validators };
                PartialBody { validators, ..self }.go_on(ask, response, end).await
            }
            ResumeVerdict::Whole => Ok(match self.verified_as_whole(ask).await? {
                Some(fetched) => Resumed::Fetched(Box::new(fetched)),
                None => {
                    Resumed::Contradicted("the service says that the part is all, but it fails the checks".to_owned())
                }
            }),
            ResumeVerdict::Contradicts(why) => Ok(Resumed::Contradicted(why)),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2);
        if let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.from)) {
            headers.insert(RANGE, range);
            headers.insert(IF_RANGE, self.validator.clone());
        }
        headers
    }

    /// What the answer means for the part.
    fn answer(&self, head: &Head, listed: Option<u64>) -> ResumeVerdict {
        let contradicts = |why: &str| ResumeVerdict::Contradicts(why.to_owned());
        let differs = validators::difference(&self.validators, &head.validators);
        match (head.status, head.range) {
            // Servers and proxies are known to send the slice under a 200 without its Content-Range, some even with the length
            // of the whole. One more request tells for sure.
            (StatusCode::OK, _) => match differs {
                Some(how) => ResumeVerdict::Contradicts(format!("the file changed: a 200 came {how}")),
                None => contradicts("the service does not resume: a 200 came, which may be the slice alone"),
            },
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(ContentRange::Unsatisfied { total })) => {
                // It describes no body, so that most of what describes one is missing.
                let is_same = self.validators.resource == head.validators.resource
                    && head.validators.etag.as_ref().is_none_or(|etag| self.validators.etag.as_ref() == Some(etag));
                let is_all = total == self.length && self.validators.total.or(listed).is_none_or(|due| due == total);
                if is_same && is_all { ResumeVerdict::Whole } else { contradicts("416 for a part that does not fit") }
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, _) => contradicts("416 for a part that does not fit"),
            (StatusCode::PARTIAL_CONTENT, _) if head.is_multipart => {
                contradicts("several ranges, where one was requested")
            }
            (StatusCode::PARTIAL_CONTENT, Some(ContentRange::Bytes { start, end, total: Some(total) }))
                if start == self.from && self.validators.total.is_none_or(|due| due == total) =>
            {
                if let Some(how) = differs {
                    ResumeVerdict::Contradicts(format!("the rest came {how}"))
                } else if total < self.length {
                    contradicts("the file is shorter now")
                } else if listed.is_some_and(|listed| listed != total) {
                    contradicts("the file is not as long as it is listed")
                } else if head.content_length.is_some_and(|length| length != end - start + 1) {
                    contradicts("a Content-Range that is not as long as its body")
                } else {
                    ResumeVerdict::Continues { end, total }
                }
            }
            (StatusCode::PARTIAL_CONTENT, _) => contradicts("a Content-Range that does not fit"),
            (other, _) => ResumeVerdict::Contradicts(format!("status {other}")),
        }
    }

    /// Reads the kept bytes again: the checks fed with them, the open part, and the overlap at its end.
    async fn read_again(&self, ask: &Ask<'_>) -> Result<(Sink, Vec<u8>), FailedFetch> {
        let (part, length, from, validators) = (ask.part.clone(), self.length, self.from, self.validators.clone());
        let mut checks = ask.checks(&self.validators);
        let read = move || -> Result<(Sink, Vec<u8>), Failure> {
            let failed = |e| Failure::from(Error::Storage { action: "read", path: part.path().to_owned(), source: e });
            let staged = part.append(length, &validators)?;
            let mut file = staged.file();
            file.rewind().map_err(failed)?;
            let mut buffer = vec![0; 256 * 1024];
            let mut left = from;
            while left > 0 {
                let want = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
                file.read_exact(&mut buffer[..want]).map_err(failed)?;
                checks.push(&buffer[..want]);
                left -= want as u64;
            }
            let mut overlap = vec![0; usize::try_from(length - from).unwrap_or_default()];
            file.read_exact(&mut overlap).map_err(failed)?;
            checks.push(&overlap);
            Ok((Sink { staged, checks }, overlap))
        };
        let done = tokio::task::spawn_blocking(read).await;
        Ok(done.map_err(|e| Failure::new(Class::Storage, format!("a reader died: {e}")))??)
    }

    /// Compares the overlap byte for byte, then receives the rest.
    async fn go_on(self, ask: &Ask<'_>, mut response: Response, end: u64) -> Result<Resumed, FailedFetch> {
        let (sink, overlap) = self.read_again(ask).await?;
        if sink.checks.is_bad() {
            return Ok(Resumed::Contradicted("the part fails the checks".to_owned()));
        }
        let mut compared = 0;
        let mut rest = Bytes::new();
        while compared < overlap.len() {
            let Some(mut bytes) = response.chunk().await? else {
                if response.is_framed() {
                    let why = "a partial response whose end is before its start";
                    return Ok(Resumed::Contradicted(why.to_owned()));
                }
                let message = "the connection ended within the overlap";
                return Err(Failure::new(Class::Truncated, message).into());
            };
            (ask.received)(bytes.len() as u64);
            let same = bytes.len().min(overlap.len() - compared);
            if bytes[..same] != overlap[compared..compared + same] {
                let why = "the file holds other bytes under the same validator";
                return Ok(Resumed::Contradicted(why.to_owned()));
            }
            compared += same;
            rest = bytes.split_off(same);
        }
        let rest = RemainingBody { kept: self.length, next: rest, end: Some(end + 1) };
        let fetched = stream(ask, response, Pipe::new(sink), self.validators, rest).await?;
        Ok(Resumed::Fetched(Box::new(fetched)))
    }

    /// The service says that the part is all there is: true only if the checks pass.
    async fn verified_as_whole(self, ask: &Ask<'_>) -> Result<Option<Fetched>, FailedFetch> {
        let (sink, _) = self.read_again(ask).await?;
        // A length that only the 416 gave is no proof: size alone does not do here.
        let claims = BodyClaims { answered: self.validators.total, is_ended: false, ..ask.claims() };
        Ok(finish(sink, claims, self.validators, self.length).ok())
    }
}

/// True for an error that a request without a range may not get. A host that asks to come back later is not asked at once.
fn may_be_of_the_range(failure: &Failure) -> bool {
    let asks_to_wait = failure.retry_after.is_some() || matches!(failure.class, Class::Throttled | Class::HostGivenUp);
    let is_passing = |status: u16| matches!(status, 408 | 425 | 429 | 503);
    // Some gateways send a request that they do not like to a page of theirs.
    let is_answer = failure.class == Class::Redirect || failure.status.is_some_and(|status| !is_passing(status));
    !asks_to_wait && is_answer
}

fn is_multipart(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().to_ascii_lowercase().starts_with(b"multipart/"))
}
