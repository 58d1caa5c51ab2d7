//! A whole body, from its first byte: to a file without a name while it is small and quick, else to a part.

use std::time::Instant;

use bytes::Bytes;

use super::verify::{BodyClaims, verify_body};
use super::writer::{Pipe, Sink};
use super::{Ask, FailedFetch, Fetched, SLOW, SMALL, can_be_resumed, redirected, shown, validators};
use crate::archive::{Archive, Validators};
use crate::failure::{Class, Failure};
use crate::net::Response;

/// A body without a declared length may have this many bytes at most.
pub(super) const ENDLESS: u64 = 64 << 30;

/// A message in place of a file is no longer than this, in bytes.
const LONGEST_MESSAGE: u64 = 64 * 1024;

/// Receives a whole body.
pub(super) async fn body(ask: &Ask<'_>, response: Response) -> Result<Fetched, FailedFetch> {
    let validators = validators::read_validators(ask.client, &response, response.content_length());
    let name = validators.name.clone();
    let redirected = redirected(ask, &response);
    let received = whole(ask, response, validators).await;
    received.map(|fetched| Fetched { redirected, ..fetched }).map_err(|failed| FailedFetch { name, ..failed })
}

async fn whole(ask: &Ask<'_>, mut response: Response, validators: Validators) -> Result<Fetched, FailedFetch> {
    let declared = response.content_length();
    let claims = BodyClaims { answered: declared, ..ask.claims() };
    // What contradicts the listing is not even written down.
    if let Err(failure) = claims.length() {
        let failure = about(&response, &failure);
        return Err(page_instead(ask, response, &validators).await.unwrap_or(failure).into());
    }
    let checks = ask.checks(&validators);
    let small = declared.filter(|length| *length <= SMALL);
    let unnamed = if small.is_some() { ask.part.unnamed()? } else { None };
    let (Some(length), Some(staged)) = (small, unnamed) else {
        // A length beyond all reason is a lie about one file, and no reason to stop the run.
        if let Some(declared) = declared.filter(|length| *length <= ENDLESS) {
            has_room(ask, declared, &response)?;
        }
        let sink = Sink { staged: ask.part.create(&validators)?, checks };
        return stream(ask, response, Pipe::new(sink), validators, RemainingBody::default()).await;
    };
    let mut sink = Sink { staged, checks };
    let begun = Instant::now();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => {
                (ask.received)(bytes.len() as u64);
                // A write this small is done before another thread is awake.
                sink.push(&bytes)?;
                if sink.checks.is_bad() {
                    break;
                }
                if begun.elapsed() >= SLOW && sink.checks.length() < length {
                    sink.staged.keep(&validators)?;
                    return stream(ask, response, Pipe::new(sink), validators, RemainingBody::default()).await;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                if can_be_resumed(sink.checks.length()) {
                    // The next attempt goes on from here.
                    sink.staged.keep(&validators)?;
                }
                return Err(failure.into());
            }
        }
    }
    drop(response);
    finish(sink, BodyClaims { is_ended: true, ..claims }, validators, 0)
}

/// How a body fails that is short, and a page or a message in place of the file: it says why its length is another one.
async fn page_instead(ask: &Ask<'_>, mut response: Response, validators: &Validators) -> Option<Failure> {
    response.content_length().filter(|length| *length <= LONGEST_MESSAGE)?;
    let mut checks = ask.checks(validators);
    while let Some(bytes) = response.chunk().await.ok()? {
        (ask.received)(bytes.len() as u64);
        checks.push(&bytes);
    }
    let claims = BodyClaims { is_ended: true, ..BodyClaims::default() };
    verify_body(checks, &claims.with_answer(validators)).err().filter(|failure| failure.class == Class::Html)
}

/// The same failure, with the file's address before its words.
fn about(response: &Response, failure: &Failure) -> Failure {
    Failure::new(failure.class, format!("`{}`: {}", shown(response), failure.message))
}

/// A body that cannot fit is not begun: filling the disk would harm others, and the file would not come.
fn has_room(ask: &Ask<'_>, declared: u64, response: &Response) -> Result<(), Failure> {
    let folder = ask.part.path().parent().unwrap_or(ask.part.path());
    let free = Archive::free_bytes(folder)?;
    if declared <= free {
        return Ok(());
    }
    let (file, folder) = (shown(response), folder.to_string_lossy());
    let folder = crate::untrusted::escape(&folder);
    let message = format!("no space: `{file}` has {declared} bytes, but only {free} are free in `{folder}`");
    Err(Failure::new(Class::Storage, message))
}

/// What of a body is there already, or comes.
#[derive(Debug, Default)]
pub(super) struct RemainingBody {
    /// Bytes from before.
    pub(super) kept: u64,
    /// Bytes that have come, and were told of.
    pub(super) next: Bytes,
    /// The place after the last byte of the range that the answer brings.
    pub(super) end: Option<u64>,
}

/// Receives the rest of a body into a part.
pub(super) async fn stream(
    ask: &Ask<'_>,
    mut response: Response,
    mut pipe: Pipe,
    validators: Validators,
    RemainingBody { kept, next, end }: RemainingBody,
) -> Result<Fetched, FailedFetch> {
    let claims = BodyClaims { answered: validators.total, is_ended: response.is_framed(), ..ask.claims() };
    let most = end.or(claims.length()?).unwrap_or(ENDLESS);
    let mut came = kept;
    let mut next = Some(next).filter(|bytes| !bytes.is_empty());
    loop {
        let piece = match next.take() {
            Some(bytes) => Ok(Some(bytes)),
            None => response.chunk().await.inspect(|piece| {
                if let Some(bytes) = piece {
                    (ask.received)(bytes.len() as u64);
                }
            }),
        };
        match piece {
            Ok(Some(bytes)) => {
                came += bytes.len() as u64;
                if came > most {
                    let _ = pipe.close().await?;
                    ask.part.discard()?;
                    let message = format!("`{}` sent more than the {most} bytes due", shown(&response));
                    return Err(Failure::new(Class::TooLong, message).into());
                }
                let more = pipe.push(bytes).await?;
                if !more {
                    break;
                }
            }
            Ok(None) => {
                if end.is_some_and(|end| came < end) && response.is_framed() {
                    // An answer that is whole and shorter than its own Content-Range contradicts itself.
                    let _ = pipe.close().await?;
                    ask.part.discard()?;
                    let message = format!("`{}` sent less than its Content-Range says", shown(&response));
                    return Err(Failure::new(Class::Truncated, message).into());
                }
                break;
            }
            Err(failure) => {
                // What came is kept for the next attempt.
                let _ = pipe.close().await?;
                return Err(failure.into());
            }
        }
    }
    drop(response);
    finish(pipe.close().await?, claims, validators, kept)
}

/// Judges a body that has ended.
pub(super) fn finish(
    Sink { staged, checks }: Sink,
    claims: BodyClaims<'_>,
    validators: Validators,
    resumed_bytes: u64,
) -> Result<Fetched, FailedFetch> {
    let answered = validators.clone();
    let claims = claims.with_answer(&answered);
    let proves_nothing = !claims.is_ended && claims.length()?.is_none();
    match verify_body(checks, &claims) {
        Ok(body) => {
            Ok(Fetched { staged, body, origin: None, validators, redirected: None, resumed_bytes, restarted: false })
        }
        // A short part is for the next attempt to go on with.
        Err(failure) if failure.class == Class::Truncated && !proves_nothing => Err(failure.into()),
        Err(failure) => Err(FailedFetch { body: Some(staged), ..failure.into() }),
    }
}
