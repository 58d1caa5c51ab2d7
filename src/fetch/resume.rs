//! A part from before: whether it can be trusted, what to ask for, and whether the answer agrees with it.

use std::io::{Read as _, Seek as _};

use bytes::Bytes;
use http::header::{CONTENT_RANGE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::range::{Answer, ContentRange};
use super::receive::{finish, stream};
use super::sink::{Checks, Pipe, Sink};
use super::{Ask, Failed, Fetched, OVERLAP, is_multipart, name_of, range_headers, strong};
use crate::archive::{Error, Validators};
use crate::failure::{Class, Failure};
use crate::net::Response;

/// A part that may be gone on with.
pub(super) struct Kept {
    validators: Validators,
    validator: HeaderValue,
    length: u64,
    from: u64,
}

/// How going on went, when it did not fail.
pub(super) enum Went {
    Fetched(Box<Fetched>),
    Contradicted(String),
}

impl Kept {
    /// What is left of an earlier attempt, if it can be trusted. What cannot is removed.
    pub(super) fn of(part: &crate::archive::Part) -> Result<Option<Kept>, Error> {
        let Some((validators, length)) = part.left() else { return Ok(None) };
        let within = validators.total.is_none_or(|total| length <= total);
        match strong(&validators) {
            Some(validator) if length > OVERLAP && within => {
                Ok(Some(Kept { validators, validator, length, from: length - OVERLAP }))
            }
            _ => {
                part.discard()?;
                Ok(None)
            }
        }
    }

    /// The file's name by the answer that the part came with.
    pub(super) fn name(&self) -> Option<String> {
        self.validators.name.clone()
    }

    pub(super) fn headers(&self) -> HeaderMap {
        range_headers(self.from, self.validator.clone())
    }

    /// What the answer means for the part.
    pub(super) fn answer(&self, response: &Response) -> Answer {
        let text = |name| response.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let range = text(CONTENT_RANGE).and_then(ContentRange::parse);
        match response.status {
            StatusCode::OK => {
                let changed = text(ETAG) != self.validators.etag.as_deref();
                Answer::FromZero(if changed { "the file changed" } else { "the service does not resume" })
            }
            StatusCode::RANGE_NOT_SATISFIABLE => match range {
                Some(ContentRange::Unsatisfied { total }) if total == self.length => Answer::Whole,
                _ => Answer::Contradicts("416 for a part that does not fit".to_owned()),
            },
            StatusCode::PARTIAL_CONTENT if is_multipart(response) => {
                Answer::Contradicts("several ranges where one was asked for".to_owned())
            }
            StatusCode::PARTIAL_CONTENT => match range {
                Some(ContentRange::Bytes { start, total: Some(total), .. })
                    if start == self.from && self.validators.total.is_none_or(|t| t == total) =>
                {
                    match (text(ETAG), self.validators.etag.as_deref()) {
                        (Some(new), Some(old)) if new != old => Answer::Contradicts("another ETag".to_owned()),
                        _ if total < self.length => Answer::Contradicts("the file is shorter now".to_owned()),
                        _ => Answer::Continues { total },
                    }
                }
                _ => Answer::Contradicts("a Content-Range that does not fit".to_owned()),
            },
            other => Answer::Contradicts(format!("status {other}")),
        }
    }

    /// Reads the kept bytes again: the checks fed with them, the open part, and the overlap at its end.
    async fn read_again(&self, ask: &Ask<'_>) -> Result<(Sink, Vec<u8>), Failed> {
        let (part, length, from) = (ask.part.clone(), self.length, self.from);
        let mut checks = Checks::new(name_of(ask.file, self.validators.name.as_deref()), ask.verify, ask.identity);
        let read = move || -> Result<(Sink, Vec<u8>), Failure> {
            let failed = |e| Failure::from(Error::Storage { action: "read", path: part.path().to_owned(), source: e });
            let staged = part.append(length)?;
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
    pub(super) async fn go_on(self, ask: &Ask<'_>, mut response: Response, total: u64) -> Result<Went, Failed> {
        let (sink, overlap) = self.read_again(ask).await?;
        if sink.checks.is_bad() {
            return Ok(Went::Contradicted("the part fails the checks".to_owned()));
        }
        let mut compared = 0;
        let mut rest = Bytes::new();
        while compared < overlap.len() {
            let Some(mut bytes) = response.chunk().await? else {
                if response.is_framed() {
                    return Ok(Went::Contradicted("a part was asked for, and it ends before it begins".to_owned()));
                }
                let message = "the connection ended within the overlap";
                return Err(Failure::new(Class::Truncated, message).into());
            };
            (ask.received)(bytes.len() as u64);
            let same = bytes.len().min(overlap.len() - compared);
            if bytes[..same] != overlap[compared..compared + same] {
                return Ok(Went::Contradicted("the file holds other bytes under the same validator".to_owned()));
            }
            compared += same;
            rest = bytes.split_off(same);
        }
        let pipe = Pipe::new(sink);
        let mut validators = self.validators;
        validators.total = Some(total);
        stream(ask, response, pipe, validators, Some(total), (self.length, rest))
            .await
            .map(|f| Went::Fetched(Box::new(f)))
    }

    /// The service says that the part is all there is: true only if the checks pass.
    pub(super) async fn is_whole(&self, ask: &Ask<'_>) -> Result<Option<Fetched>, Failed> {
        let (sink, _) = self.read_again(ask).await?;
        // A length that only the 416 gave is no proof: size alone does not do here.
        let due = self.validators.total.or(ask.file.bytes);
        match finish(sink, due, false, self.validators.clone(), self.length) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(_) => Ok(None),
        }
    }
}
