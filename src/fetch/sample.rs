//! A body fetched only to be looked at: hashed and checked as it comes, and kept nowhere.

use super::sink::Checks;
use super::{name_of, shown, validators};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::manifest::{Identity, Verify};
use crate::net::Client;
use crate::source::RemoteFile;

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// The SHA-256 of each HDU's data unit, with `identity: fits-data`.
    pub data: Option<Vec<Digest>>,
}

/// Fetches a file once and tells what it is. One call is one attempt.
///
/// # Errors
/// As [`super::attempt`]: a body that is cut, too long or fails its checks is none.
pub async fn look(client: &Client, file: &RemoteFile, verify: Verify, identity: Identity) -> Result<Seen, Failure> {
    if let Some(bytes) = file.made() {
        return Ok(Seen { sha256: Digest::of(bytes), data: None });
    }
    let mut response = client.get(&file.url, http::HeaderMap::new()).await?;
    if response.status != http::StatusCode::OK {
        let message = format!("`{}` answered {} to a plain request", shown(&response), response.status);
        return Err(Failure::new(Class::Protocol, message));
    }
    let declared = response.content_length();
    let answered = validators(&response, declared);
    let mut checks = Checks::new(name_of(file, answered.name.as_deref()), verify, identity);
    while let Some(bytes) = response.chunk().await? {
        checks.push(&bytes);
        if declared.is_some_and(|declared| checks.length() > declared) {
            return Err(Failure::new(Class::TooLong, format!("`{}` sent more than it declared", shown(&response))));
        }
        if checks.is_bad() {
            break;
        }
    }
    if let Some(due) = declared.filter(|due| checks.length() < *due && !checks.is_bad()) {
        let message = format!("`{}`: the body ended after {} of {due} bytes", shown(&response), checks.length());
        return Err(Failure::new(Class::Truncated, message));
    }
    let proved = checks.finish()?;
    Ok(Seen { sha256: proved.sha256, data: proved.data })
}
