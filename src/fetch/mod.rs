//! One remote file into one staged body: resume, receive, check. One call is one attempt.
//!
//! What it does not do: try again, choose a path, or give a file its name.

pub mod condition;
pub mod disposition;
pub mod local;
mod made;
mod magic;
pub mod range;
mod receive;
mod resume;
pub mod sample;
mod sink;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::archive::{FileLine, Part, Staged, Validators};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::manifest::{Identity, Verify};
use crate::net::{Client, Response};
use crate::source::RemoteFile;
use resume::Kept;

/// Bodies of known length up to this many bytes are small: written where they are received, to a file without a name.
pub const SMALL: u64 = 1 << 20;

/// How many bytes before a part's end are asked for again, to compare.
pub const OVERLAP: u64 = 64 * 1024;

/// A body that is not whole after this long is kept as a part, so that a kill loses little.
const SLOW: Duration = Duration::from_millis(250);

/// What to fetch and how.
pub struct Ask<'a> {
    /// The door.
    pub client: &'a Client,
    /// The file.
    pub file: &'a RemoteFile,
    /// Where its part is or would be.
    pub part: &'a Part,
    /// The file as it is here already: it is asked for only if it changed.
    pub kept: Option<&'a FileLine>,
    /// Which checks the body must pass.
    pub verify: Verify,
    /// Whether its data units are hashed too.
    pub identity: Identity,
    /// Told of body bytes as they come.
    pub received: &'a (dyn Fn(u64) + Send + Sync),
}

/// What an attempt brought.
#[derive(Debug)]
pub enum Got {
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
    /// Its digest.
    pub sha256: Digest,
    /// Its length.
    pub bytes: u64,
    /// What was proved: `checksum`, `structure`, `magic` or `size`.
    pub checked: &'static str,
    /// The SHA-256 of the data unit of each HDU: of a FITS file whose identity is its data.
    pub data: Option<Vec<Digest>>,
    /// What the answer said of it.
    pub validators: Validators,
    /// Bytes that a part from before gave.
    pub resumed_bytes: u64,
    /// A part from before was contradicted and thrown away.
    pub restarted: bool,
}

/// An attempt that failed.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// The body that failed a check, for quarantine.
    pub body: Option<Staged>,
    /// A part from before was contradicted and thrown away.
    pub restarted: bool,
    /// The file's name, where an answer gave it.
    pub name: Option<String>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed { failure, body: None, restarted: false, name: None }
    }
}

impl From<crate::archive::Error> for Failed {
    fn from(error: crate::archive::Error) -> Failed {
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
/// [`Failed`]: what went wrong, and the body when a check refused it. A part is left for the next attempt where it may
/// help.
pub async fn attempt(ask: &Ask<'_>) -> Result<Got, Failed> {
    if let Some(bytes) = ask.file.made() {
        return made::body(ask, bytes).map(|fetched| Got::File(Box::new(fetched)));
    }
    let kept = Kept::of(ask.part)?;
    let name = kept.as_ref().and_then(Kept::name);
    go_on(ask, kept).await.map_err(|failed| Failed { name: failed.name.or(name), ..failed })
}

async fn go_on(ask: &Ask<'_>, kept: Option<Kept>) -> Result<Got, Failed> {
    let mut restarted = false;
    // A part was begun when the file had changed already: it is gone on with, and nothing else is asked.
    if let Some(kept) = kept {
        match ask.client.get(&ask.file.url, kept.headers()).await {
            // A part that came compressed, or framed in two ways: asked for again, it would come so again.
            Err(failure) if failure.class == Class::Protocol && failure.status == Some(206) => {
                tell_restart(ask, &failure.message);
            }
            Err(failure) => return Err(failure.into()),
            Ok(response) => match kept.answer(&response) {
                range::Answer::Continues { total } => match kept.go_on(ask, response, total).await? {
                    resume::Went::Fetched(fetched) => return Ok(Got::File(fetched)),
                    resume::Went::Contradicted(why) => tell_restart(ask, &why),
                },
                range::Answer::Whole => {
                    if let Some(fetched) = kept.is_whole(ask).await? {
                        return Ok(Got::File(Box::new(fetched)));
                    }
                    tell_restart(ask, "the service says that the part is all, but it fails the checks");
                }
                range::Answer::FromZero(why) => {
                    tell_restart(ask, why);
                    ask.part.discard()?;
                    return restart(receive::body(ask, response).await);
                }
                range::Answer::Contradicts(why) => tell_restart(ask, &why),
            },
        }
        ask.part.discard()?;
        restarted = true;
    }
    let condition = ask.kept.map(condition::headers).unwrap_or_default();
    let asked = ask.client.get(&ask.file.url, condition).await;
    let mut response = asked.map_err(|failure| Failed { restarted, ..failure.into() })?;
    if ask.kept.is_some_and(|kept| condition::is_unchanged(kept, &response)) {
        if response.status == StatusCode::NOT_MODIFIED {
            // Read to its end, which is at once: the connection is free again.
            response.chunk().await?;
        }
        return Ok(Got::Unchanged);
    }
    if response.status != StatusCode::OK {
        let failure = Failure::new(
            Class::Protocol,
            format!("`{}` answered {} to a plain request", shown(&response), response.status),
        );
        return Err(Failed { restarted, ..failure.into() });
    }
    let result = receive::body(ask, response).await;
    if restarted { restart(result) } else { result.map(|fetched| Got::File(Box::new(fetched))) }
}

fn restart(result: Result<Fetched, Failed>) -> Result<Got, Failed> {
    match result {
        Ok(fetched) => Ok(Got::File(Box::new(Fetched { restarted: true, ..fetched }))),
        Err(failed) => Err(Failed { restarted: true, ..failed }),
    }
}

fn tell_restart(ask: &Ask<'_>, why: &str) {
    tracing::info!(key = %crate::untrusted::escape(&ask.file.key), why, "restarted from zero");
}

fn shown(response: &Response) -> String {
    crate::untrusted::escape(response.url.path()).into_owned()
}

/// What an answer says of its body.
fn validators(response: &Response, total: Option<u64>) -> Validators {
    let text = |name| response.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).map(str::to_owned);
    let name = response.headers.get(CONTENT_DISPOSITION).and_then(|v| disposition::file_name(v.as_bytes()));
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED), date: text(DATE), total, name }
}

/// The validator that may go into `If-Range`: a strong `ETag`, or a Last-Modified at least 60 s older than the Date it
/// came with (RFC 9110, 8.8.2.2 and 13.1.5).
fn strong(validators: &Validators) -> Option<HeaderValue> {
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

fn range_headers(from: u64, validator: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    if let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-")) {
        headers.insert(RANGE, range);
        headers.insert(IF_RANGE, validator);
    }
    headers
}

fn is_multipart(response: &Response) -> bool {
    response.headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().to_ascii_lowercase().starts_with(b"multipart/"))
}
