//! A body fetched only to be looked at: hashed and checked as it comes, and kept nowhere.

use std::fs::File;
use std::io::Write as _;

use super::receive::ENDLESS;
use super::verify::{BodyClaims, Verified, verify_body};
use super::writer::Checks;
use super::{embedded, get, name_of, shown, stated_digest, validators, whole};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fits;
use crate::manifest::{Identity, Verify};
use crate::net::Client;
use crate::source::RemoteFile;

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedBody {
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// The digests of its headers and data, with `identity: fits-data`.
    pub digests: Option<fits::Digests>,
}

/// Fetches a file once and tells what it is. One call is one attempt.
///
/// # Errors
/// As [`super::attempt`]: a body that is cut, too long or fails its checks is none.
pub async fn look(
    client: &Client,
    file: &RemoteFile,
    verify: Verify,
    identity: Identity,
) -> Result<ProbedBody, Failure> {
    let claims = BodyClaims { listed: file.bytes, rounded: file.rounded, ..BodyClaims::default() };
    if let Some(bytes) = file.made() {
        let mut checks = Checks::new(name_of(file, None), verify, identity);
        checks.push(bytes);
        return verify_body(checks, &BodyClaims { is_ended: true, is_vouched_for: true, ..claims })
            .map(ProbedBody::from);
    }
    let mut response = get(client, file, http::HeaderMap::new()).await?;
    whole(&response)?;
    let answered = validators::read_validators(client, &response, response.content_length());
    let claims =
        BodyClaims { answered: answered.total, is_ended: response.is_framed(), ..claims.with_answer(&answered) };
    let most = claims.length()?.unwrap_or(ENDLESS);
    let checks = Checks::new(name_of(file, answered.name.as_deref()), verify, identity);
    let mut checks = checks.held_to(stated_digest::all(&answered));
    // A copy is made of it, which is what counts.
    let mut kept = file.cards.as_ref().map(|cards| scratch().map(|kept| (cards, kept))).transpose()?;
    while let Some(bytes) = response.chunk().await? {
        checks.push(&bytes);
        if let Some((_, kept)) = &mut kept {
            kept.write_all(&bytes).map_err(|error| unwritten(&error))?;
        }
        if checks.length() > most {
            return Err(Failure::new(
                Class::TooLong,
                format!("`{}` sent more than the {most} bytes due", shown(&response)),
            ));
        }
        if checks.is_bad() {
            break;
        }
    }
    let body = verify_body(checks, &claims)?;
    match kept {
        None => Ok(ProbedBody::from(body)),
        Some((cards, kept)) => {
            embedded::look(kept, body.sha256, cards, name_of(file, None), verify, identity).map(ProbedBody::from)
        }
    }
}

/// A file without a name, in the folder for temporary files.
fn scratch() -> Result<File, Failure> {
    tempfile::tempfile().map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::new(Class::Storage, format!("could not write a temporary file: {error}"))
}

impl From<Verified> for ProbedBody {
    fn from(body: Verified) -> ProbedBody {
        ProbedBody { sha256: body.sha256, digests: body.digests }
    }
}
