//! One remote file into one staged body: resume, receive, check. One call is one attempt.
//!
//! What it does not do: try again, choose a path, or give a file its name.

pub mod conditional_get;
mod constant_etag;
mod content;
pub mod content_disposition;
mod embedded;
mod error_page;
mod file_end;
mod generated;
pub mod local_copy;
mod magic;
mod packed;
pub mod probe;
mod receive;
pub mod resource;
mod resume;
mod stated_digest;
mod stated_length;
mod stored_encoding;
mod tar;
#[cfg(test)]
mod tests;
mod validators;
mod verify;
mod writer;

use std::time::Duration;

use http::header::CONTENT_DISPOSITION;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::archive::{FileLine, PartialFile, Staged, Validators};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::manifest::{Identity, Verify};
use crate::net::{Client, Response};
use crate::source::RemoteFile;
use conditional_get::Word;
use resume::{PartialBody, Resumed};
use verify::BodyClaims;
pub use verify::{LockedBody, Verified};
use writer::Checks;

/// Bodies of known length up to this many bytes are small: written where they are received, to a file without a name.
pub const SMALL: u64 = 1 << 20;

/// How many bytes before the end of a partial file are requested again, to compare them with what it has.
const OVERLAP: u64 = 64 * 1024;

/// True for a partial file that can be resumed: it has more than the bytes that are requested again.
fn can_be_resumed(length: u64) -> bool {
    length > OVERLAP
}

/// A body that is not whole after this long is kept as a part, so that a kill loses little.
const SLOW: Duration = Duration::from_millis(250);

/// What to fetch and how.
pub struct Ask<'a> {
    /// The door.
    pub client: &'a Client,
    /// The file.
    pub file: &'a RemoteFile,
    /// Where its part is or would be.
    pub part: &'a PartialFile,
    /// Where its copy with the keywords of its record would be, where it gets one.
    pub copy: Option<&'a PartialFile>,
    /// The file as it is here already: it is asked for only if it changed.
    pub kept: Option<&'a FileLine>,
    /// What the lock has for it.
    pub locked: Option<&'a LockedBody>,
    /// Which checks the body must pass.
    pub verify: Verify,
    /// Whether its data units are hashed too.
    pub identity: Identity,
    /// Whether the whole may be asked for where the rest of a part was refused twice, by what elsewhere passes.
    pub may_restart: bool,
    /// Told of body bytes as they come.
    pub received: &'a (dyn Fn(u64) + Send + Sync),
}

/// What an attempt brought.
#[derive(Debug)]
pub enum FetchOutcome {
    /// The file.
    File(Box<Fetched>),
    /// The word that the file here is still the right one.
    Unchanged,
}

/// A body that is whole and passed every check.
#[derive(Debug)]
pub struct Fetched {
    /// The body.
    pub staged: Staged,
    /// What was found out about it.
    pub body: Verified,
    /// The SHA-256 of the body as it came, where this is a copy of it.
    pub origin: Option<Digest>,
    /// What the answer said of it.
    pub validators: Validators,
    /// Where redirects led to; `None` when the file's own URL answered.
    pub redirected: Option<Url>,
    /// Bytes that a part from before gave.
    pub resumed_bytes: u64,
    /// A part from before was contradicted and thrown away.
    pub restarted: bool,
}

/// An attempt that failed.
#[derive(Debug)]
pub struct FailedFetch {
    /// Why.
    pub failure: Failure,
    /// The body that failed a check, for quarantine.
    pub body: Option<Staged>,
    /// A part from before was contradicted and thrown away.
    pub restarted: bool,
    /// The file's name, where an answer gave it.
    pub name: Option<String>,
    /// An answer began to bring the file, now or when its part was written: a 404 does not make it absent.
    pub was_there: bool,
}

impl Ask<'_> {
    /// The checks of a body that this answer brings, or began to bring.
    fn checks(&self, answer: &Validators) -> Checks {
        let checks = Checks::new(name_of(self.file, answer.name.as_deref()), self.verify, self.identity);
        checks.held_to(stated_digest::all(answer))
    }

    /// What is claimed of the body before anybody answers.
    fn claims(&self) -> BodyClaims<'_> {
        let here = self.kept.and_then(|line| line.bytes);
        let (listed, rounded) = (self.file.bytes, self.file.rounded);
        BodyClaims { listed, rounded, locked: self.locked, here, ..BodyClaims::default() }
    }
}

impl From<Failure> for FailedFetch {
    fn from(failure: Failure) -> FailedFetch {
        FailedFetch { failure, body: None, restarted: false, name: None, was_there: false }
    }
}

impl From<crate::archive::Error> for FailedFetch {
    fn from(error: crate::archive::Error) -> FailedFetch {
        Failure::from(error).into()
    }
}

/// The name of a file: the listing's, else the answer's, else the URL's last part.
#[must_use]
pub fn name_of(file: &RemoteFile, answered: Option<&str>) -> String {
    file.name.clone().or_else(|| answered.map(str::to_owned)).unwrap_or_else(|| file.last_part())
}

/// Fetches a file once: resumes its part where that can be trusted, receives the rest, checks the whole. A file that is
/// here already comes only if it changed.
///
/// # Errors
/// [`FailedFetch`]: what went wrong, and the body when a check refused it. A part is left for the next attempt where it may
/// help.
pub async fn attempt(ask: &Ask<'_>) -> Result<FetchOutcome, FailedFetch> {
    if let Some(bytes) = ask.file.made() {
        return generated::body(ask, bytes).map(|fetched| FetchOutcome::File(Box::new(fetched)));
    }
    let Some((cards, copy)) = ask.file.cards.as_ref().zip(ask.copy) else { return as_listed(ask).await };
    // What is here, and what the lock has, are copies: the file as it comes is neither.
    match as_listed(&Ask { kept: None, locked: None, ..*ask }).await? {
        FetchOutcome::File(came) => {
            embedded::body(ask, *came, cards, copy).await.map(|made| FetchOutcome::File(Box::new(made)))
        }
        FetchOutcome::Unchanged => Ok(FetchOutcome::Unchanged),
    }
}

/// Fetches a file as its source has it.
async fn as_listed(ask: &Ask<'_>) -> Result<FetchOutcome, FailedFetch> {
    let has_part = ask.part.left().is_some();
    let kept = PartialBody::of(ask)?;
    let name = kept.as_ref().and_then(PartialBody::name);
    let got = match go_on(ask, kept).await {
        Ok(FetchOutcome::File(fetched)) => constant_etag::consistent(ask, fetched).await.map(FetchOutcome::File),
        other => other,
    };
    got.map_err(|failed| FailedFetch { name: failed.name.or(name), was_there: failed.was_there || has_part, ..failed })
}

async fn go_on(ask: &Ask<'_>, kept: Option<PartialBody>) -> Result<FetchOutcome, FailedFetch> {
    // A part was begun when the file had changed already: it is gone on with, and nothing else is asked.
    let Some(kept) = kept else { return fresh(ask).await };
    let resumed = match kept.resume(ask).await {
        Err(failed) if is_refused_for_good(ask, &failed)? => Resumed::Refused(failed.failure),
        resumed => resumed?,
    };
    match resumed {
        Resumed::Fetched(fetched) => Ok(FetchOutcome::File(fetched)),
        Resumed::Refused(refusal) => whole_in_place_of_part(ask, &refusal).await,
        Resumed::Contradicted(why) => {
            tell_restart(ask, &why);
            ask.part.discard()?;
            restart(fresh(ask).await)
        }
    }
}

/// True where the request for the rest brought nothing, nor did the one before it, and it is time to try without a range.
/// Some gateways answer every range as if the service were overloaded, or not at all.
fn is_refused_for_good(ask: &Ask<'_>, failed: &FailedFetch) -> Result<bool, FailedFetch> {
    let may_pass = failed.body.is_none() && failed.failure.class.is_retried();
    Ok(may_pass && ask.part.note_refusal()? && ask.may_restart)
}

/// Fetches the whole file where the service answers the request for its rest with an error.
async fn whole_in_place_of_part(ask: &Ask<'_>, refusal: &Failure) -> Result<FetchOutcome, FailedFetch> {
    let answer = changed(ask).await;
    // A server that is down refuses the whole as well: the part is still good then. By a 404 its file is gone, and once the
    // part is gone, too, a later 404 contradicts nothing.
    if answer.as_ref().err().is_none_or(|failure| failure.class == Class::NotFound) {
        tell_restart(ask, &refusal.message);
        ask.part.discard()?;
    }
    restart(received(ask, answer?).await)
}

/// Fetches the file from its first byte, or learns that it did not change.
async fn fresh(ask: &Ask<'_>) -> Result<FetchOutcome, FailedFetch> {
    received(ask, changed(ask).await?).await
}

/// Asks for the whole file; `None` where it did not change.
async fn changed(ask: &Ask<'_>) -> Result<Option<Response>, Failure> {
    let condition = ask.kept.map(conditional_get::headers).unwrap_or_default();
    let mut response = get(ask.client, ask.file, condition).await?;
    match ask.kept.map(|kept| conditional_get::word(kept, &response)) {
        Some(Word::Contradicts(why)) => {
            tell_restart(ask, why);
            response = again(ask, response).await?;
        }
        // Read to its end, which is at once: the connection is free again.
        Some(Word::Unchanged) if response.status == StatusCode::NOT_MODIFIED => {
            response.chunk().await?;
            return Ok(None);
        }
        Some(Word::Unchanged) => return Ok(None),
        Some(Word::Changed) | None => {}
    }
    whole(&response)?;
    Ok(Some(response))
}

/// Receives the file, if there is an answer that brings it.
async fn received(ask: &Ask<'_>, answer: Option<Response>) -> Result<FetchOutcome, FailedFetch> {
    match answer {
        Some(response) => receive(ask, response).await.map(FetchOutcome::File),
        None => Ok(FetchOutcome::Unchanged),
    }
}

/// Receives the whole file.
async fn receive(ask: &Ask<'_>, response: Response) -> Result<Box<Fetched>, FailedFetch> {
    receive::body(ask, response).await.map(Box::new).map_err(|failed| {
        // A service that fails may say so in a page with status 200, which is no sign of a file.
        let was_there = failed.failure.class != Class::Html;
        FailedFetch { was_there, ..failed }
    })
}

/// Asks for the file once more, whatever is here.
async fn again(ask: &Ask<'_>, mut before: Response) -> Result<Response, Failure> {
    if before.status == StatusCode::NOT_MODIFIED {
        // Read to its end, which is at once: the connection is free again.
        before.chunk().await?;
    }
    drop(before);
    get(ask.client, ask.file, HeaderMap::new()).await
}

/// One GET of a file.
async fn get(client: &Client, file: &RemoteFile, headers: HeaderMap) -> Result<Response, Failure> {
    let is_stored =
        |headers: &HeaderMap| stored_encoding::is_of(&name_of(file, answered_name(headers).as_deref()), headers);
    client.get_file(&file.url, headers, &is_stored).await
}

/// The file name that an answer gives.
fn answered_name(headers: &HeaderMap) -> Option<String> {
    headers.get(CONTENT_DISPOSITION).and_then(|value| content_disposition::file_name(value.as_bytes()))
}

/// Checks that an answer brings the whole file.
fn whole(response: &Response) -> Result<(), Failure> {
    if response.status == StatusCode::OK {
        return Ok(());
    }
    let why = format!("`{}`: unexpected status {} for an unconditional GET", shown(response), response.status);
    Err(Failure::new(Class::Protocol, why))
}

fn restart(result: Result<FetchOutcome, FailedFetch>) -> Result<FetchOutcome, FailedFetch> {
    match result {
        Ok(FetchOutcome::File(fetched)) => Ok(FetchOutcome::File(Box::new(Fetched { restarted: true, ..*fetched }))),
        Ok(FetchOutcome::Unchanged) => Ok(FetchOutcome::Unchanged),
        Err(failed) => Err(FailedFetch { restarted: true, ..failed }),
    }
}

fn tell_restart(ask: &Ask<'_>, why: &str) {
    tracing::info!(key = %crate::untrusted::escape(&ask.file.key), why, "restarted from zero");
}

/// Where redirects led to, if to another URL than the file's own.
fn redirected(ask: &Ask<'_>, response: &Response) -> Option<Url> {
    (response.url != ask.file.url).then(|| response.url.clone())
}

fn shown(response: &Response) -> String {
    crate::untrusted::escape(response.url.path()).into_owned()
}
