//! A service's answer, read as far as a cap, and the words for one that is no listing.

use std::fmt::Display;

use url::Url;

use crate::failure::{Class, Failure};
use crate::net::{Response, shown};
use crate::untrusted::escape;

/// The largest response that is read, in bytes: a listing or a page.
pub(super) const CAP: u64 = 64 * 1024 * 1024;

/// No day has more files than this: each is held in memory, in some 1.5 kB.
const MOST: usize = 500_000;

/// Checks that so many files are no more than a day may have.
///
/// # Errors
/// `listing-too-large`.
pub(super) fn room(files: usize) -> Result<(), Failure> {
    if files <= MOST {
        return Ok(());
    }
    let why = format!("the day has more than {MOST} files; request fewer, by segments, a cadence or other filters");
    Err(Failure::new(Class::ListingTooLarge, why))
}

/// The same failure, with what it is about before its words: a question's address, an order's number.
pub(super) fn about(what: impl Display, mut failure: Failure) -> Failure {
    failure.message = format!("{what}: {}", failure.message);
    failure
}

/// How many bytes of a malformed answer are shown on either side of the place.
const AROUND: usize = 40;

/// Reads a whole answer of at most `cap` bytes.
///
/// # Errors
/// `listing-too-large`, and what the connection fails with.
pub(super) async fn whole(response: &mut Response, cap: u64) -> Result<Vec<u8>, Failure> {
    let too_large = |url: &Url| {
        let cap = if cap < 1 << 20 { format!("{cap} bytes") } else { format!("{} MiB", cap >> 20) };
        let why = format!("{}: the listing is larger than {cap}; use a shorter range", shown(url));
        Failure::new(Class::ListingTooLarge, why)
    };
    if response.content_length().is_some_and(|length| length > cap) {
        return Err(too_large(&response.url));
    }
    let mut answer = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        if (answer.len() + bytes.len()) as u64 > cap {
            return Err(too_large(&response.url));
        }
        answer.extend_from_slice(&bytes);
    }
    Ok(answer)
}

/// Looks at an answer that should be JSON. `due` is what an empty one would look like.
///
/// # Errors
/// `html` for a web page, `listing-malformed` where there is nothing at all.
pub(super) fn expect_json(answer: &[u8], due: &str) -> Result<(), Failure> {
    match first_byte(answer) {
        None => Err(malformed(&format!("the answer is empty, where at least `{due}` is due"))),
        Some(b'<') => Err(page(answer, "JSON")),
        Some(_) => Ok(()),
    }
}

/// The first byte that is no white space.
pub(super) fn first_byte(answer: &[u8]) -> Option<u8> {
    answer.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// What is said of a web page where something else is due.
pub(super) fn page(answer: &[u8], due: &str) -> Failure {
    Failure::new(Class::Html, format!("a web page arrived where {due} was expected: `{}`", excerpt(answer, 0)))
}

/// What is said of an answer that is no listing.
pub(super) fn malformed(why: &str) -> Failure {
    Failure::new(Class::ListingMalformed, why)
}

/// What is said of an answer that is no JSON, or JSON of another shape: the reason, and the place in bytes.
pub(super) fn no_json(answer: &[u8], error: &serde_json::Error) -> Failure {
    let at = offset(answer, error);
    malformed(&format!("{} (byte {at}, near `{}`)", escape(&reason(error)), excerpt(answer, at)))
}

/// What the error says, without the place that serde adds: that is told in bytes.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned()
}

/// The byte that an error's line and column mean.
fn offset(answer: &[u8], error: &serde_json::Error) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let line = match lines_before.checked_sub(1) {
        None => 0,
        Some(nth) => {
            let breaks = answer.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            breaks.map(|(at, _)| at + 1).nth(nth).unwrap_or(answer.len())
        }
    };
    (line + error.column().saturating_sub(1)).min(answer.len())
}

/// What stands around a place of an answer, safe to show, with a mark where it is cut: half a secret is known by that.
pub(super) fn excerpt(answer: &[u8], at: usize) -> String {
    let (start, end) = (at.saturating_sub(AROUND), (at + AROUND).min(answer.len()));
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    let part = String::from_utf8_lossy(&answer[start..end]);
    format!("{}{}{}", mark(start > 0), escape(&part), mark(end < answer.len()))
}
