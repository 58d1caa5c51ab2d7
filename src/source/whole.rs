//! An answer's body read into memory, as far as a cap.
//!
//! What it does not do: read what it means.

use url::Url;

use crate::failure::{Class, Failure};
use crate::net::{Response, shown};

/// Reads the whole answer.
///
/// # Errors
/// `listing-too-large` beyond `cap` bytes, or what breaks the answer off.
pub(super) async fn whole(response: &mut Response, cap: u64) -> Result<Vec<u8>, Failure> {
    let too_large = |url: &Url| {
        let why = format!("{}: the listing is larger than {} MiB; ask for a shorter range", shown(url), cap >> 20);
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

/// Reads the start of an answer, `cap` bytes of it, and lets the rest go.
///
/// # Errors
/// What breaks the answer off.
pub(super) async fn start(response: &mut Response, cap: usize) -> Result<Vec<u8>, Failure> {
    let mut answer = Vec::new();
    while answer.len() < cap
        && let Some(bytes) = response.chunk().await?
    {
        answer.extend_from_slice(&bytes[..bytes.len().min(cap - answer.len())]);
    }
    Ok(answer)
}
