//! A whole body, from its first byte: to a file without a name while it is small and quick, else to a part.

use std::time::Instant;

use bytes::Bytes;

use super::sink::{Checks, Pipe, Proved, Sink};
use super::{Ask, Failed, Fetched, OVERLAP, SLOW, SMALL, name_of, shown, validators};
use crate::archive::{Archive, Validators};
use crate::failure::{Class, Failure};
use crate::net::Response;

/// A body without a declared length may have this many bytes at most.
const ENDLESS: u64 = 64 << 30;

/// Receives a whole body.
pub(super) async fn body(ask: &Ask<'_>, response: Response) -> Result<Fetched, Failed> {
    let validators = validators(&response, response.content_length());
    let name = validators.name.clone();
    whole(ask, response, validators).await.map_err(|failed| Failed { name, ..failed })
}

async fn whole(ask: &Ask<'_>, mut response: Response, validators: Validators) -> Result<Fetched, Failed> {
    let declared = response.content_length();
    let due = declared.or(ask.file.bytes);
    if let (Some(declared), Some(listed)) = (declared, ask.file.bytes)
        && declared != listed
    {
        return Err(Failure::new(
            Class::Size,
            format!("`{}` has {declared} bytes, but the listing says {listed}", shown(&response)),
        )
        .into());
    }
    let checks = Checks::new(name_of(ask.file, validators.name.as_deref()), ask.verify, ask.identity);
    let small = declared.filter(|length| *length <= SMALL);
    let unnamed = if small.is_some() { ask.part.unnamed()? } else { None };
    let (Some(length), Some(staged)) = (small, unnamed) else {
        // A length beyond all reason is a lie about one file, and no reason to stop the run.
        if let Some(declared) = declared.filter(|length| *length <= ENDLESS) {
            has_room(ask, declared, &response)?;
        }
        let sink = Sink { staged: ask.part.create(&validators)?, checks };
        return stream(ask, response, Pipe::new(sink), validators, due, (0, Bytes::new())).await;
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
                    return stream(ask, response, Pipe::new(sink), validators, due, (0, Bytes::new())).await;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                if sink.checks.length() > OVERLAP {
                    // The next attempt goes on from here.
                    sink.staged.keep(&validators)?;
                }
                return Err(failure.into());
            }
        }
    }
    drop(response);
    finish(sink, due, true, validators, 0)
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

/// Receives the rest of a body into a part that holds `kept` bytes already; `next` has come, and is told of.
pub(super) async fn stream(
    ask: &Ask<'_>,
    mut response: Response,
    mut pipe: Pipe,
    validators: Validators,
    due: Option<u64>,
    (kept, next): (u64, Bytes),
) -> Result<Fetched, Failed> {
    let most = due.unwrap_or(ENDLESS);
    let framed = response.is_framed();
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
            Ok(None) => break,
            Err(failure) => {
                // What came is kept for the next attempt.
                let _ = pipe.close().await?;
                return Err(failure.into());
            }
        }
    }
    drop(response);
    finish(pipe.close().await?, due, framed, validators, kept)
}

/// Judges a body that has ended.
pub(super) fn finish(
    Sink { staged, checks }: Sink,
    due: Option<u64>,
    framed: bool,
    validators: Validators,
    resumed_bytes: u64,
) -> Result<Fetched, Failed> {
    let length = checks.length();
    let bad = checks.is_bad();
    if let Some(due) = due.filter(|due| !bad && *due != length) {
        let class = if length < due { Class::Truncated } else { Class::TooLong };
        let failure = Failure::new(class, format!("the body ended after {length} of {due} bytes"));
        // A short part is for the next attempt to go on with; nothing is quarantined.
        return Err(failure.into());
    }
    match checks.finish() {
        Ok(Proved { checked: "size" | "magic", .. }) if due.is_none() && !framed => {
            let message = "the answer had no length and no proper end, and nothing else proves that it is whole";
            Err(Failed { body: Some(staged), ..Failure::new(Class::Truncated, message).into() })
        }
        Ok(Proved { sha256, bytes, checked, data }) => {
            Ok(Fetched { staged, sha256, bytes, checked, data, validators, resumed_bytes, restarted: false })
        }
        Err(failure) => Err(Failed { body: Some(staged), ..failure.into() }),
    }
}
