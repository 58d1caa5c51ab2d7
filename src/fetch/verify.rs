//! The one door for bytes: every body passes [`verify_body`] before it can be published, whichever way it came: fetched
//! whole, resumed, restarted, answered with 416, imported from a folder, or made of a listing.
//!
//! Only this file makes a [`Verified`], and nothing is published without one.

use super::stored_encoding;
use super::writer::{Checks, Proved};
use crate::archive::{Checked, Validators};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fits;
use crate::source::Rounded;

/// Everything that is claimed of a body besides its bytes. Claims that are not made are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BodyClaims<'a> {
    /// Its length by the listing.
    pub(super) listed: Option<u64>,
    /// What its length may be, by a listing that rounds.
    pub(super) rounded: Option<Rounded>,
    /// Its length by the answers: the Content-Length of a 200, or the total of a Content-Range.
    pub(super) answered: Option<u64>,
    /// Its end is known to be its end: by the framing of the answer, or as the end of a file of this machine.
    pub(super) is_ended: bool,
    /// The Content-Encoding that it came with.
    pub(super) encoding: Option<&'a str>,
    /// The Content-Type that it came with.
    pub(super) content_type: Option<&'a str>,
    /// Something shows that there is a file, besides the status of an answer: an `ETag` or a `Last-Modified`, the listed size,
    /// the filesystem.
    pub(super) is_vouched_for: bool,
    /// The length of the file that is here already.
    pub(super) here: Option<u64>,
    /// What the lock has for it.
    pub(super) locked: Option<&'a LockedBody>,
}

/// A body as the lock has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedBody {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length.
    pub bytes: Option<u64>,
    /// The digests of its headers and data, where a file that has the same ones is the same file.
    pub digests: Option<fits::Digests>,
}

/// What was found out about a body that passed every check.
#[derive(Debug)]
#[expect(clippy::manual_non_exhaustive, reason = "within this crate, too, no other module may make one")]
pub struct Verified {
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its length.
    pub bytes: u64,
    /// What was proved: `checksum`, `structure`, `magic` or `size`.
    pub checked: Checked,
    /// The digests of headers and data: of a FITS file whose identity they are.
    pub digests: Option<fits::Digests>,
    /// Keeps other modules from making one.
    _door: (),
}

impl<'a> BodyClaims<'a> {
    /// The same, with what the answer says of the body.
    pub(super) fn with_answer(self, answered: &'a Validators) -> BodyClaims<'a> {
        BodyClaims {
            encoding: answered.content_encoding.as_deref(),
            content_type: answered.content_type.as_deref(),
            is_vouched_for: self.is_vouched_for || answered.etag.is_some() || answered.last_modified.is_some(),
            ..self
        }
    }

    /// The length that the body must have, by all that claim one; known before it has come.
    ///
    /// # Errors
    /// `size` where listing and answer contradict each other.
    pub(super) fn length(&self) -> Result<Option<u64>, Failure> {
        match (self.answered, self.listed) {
            (Some(answered), Some(listed)) if answered != listed => {
                let why = format!("it has {answered} bytes, but the listing says {listed}");
                Err(Failure::new(Class::Size, why))
            }
            (answered, listed) => {
                answered.map_or(Ok(()), |bytes| self.object_to_rounding(bytes))?;
                Ok(answered.or(listed))
            }
        }
    }

    /// What is wrong with a length that no rounding makes the listed one.
    fn object_to_rounding(&self, bytes: u64) -> Result<(), Failure> {
        let Some(Rounded { least, most }) = self.rounded.filter(|rounded| !rounded.holds(bytes)) else { return Ok(()) };
        let why = format!("it has {bytes} bytes, but the listing says between {least} and {most}, rounded");
        Err(Failure::new(Class::Size, why))
    }

    /// What is wrong with a body of `came` bytes.
    fn object_to_length(&self, came: u64) -> Result<(), Failure> {
        let due = self.length()?;
        let Some(due) = due else { return self.object_to_rounding(came) };
        if due == came {
            return Ok(());
        }
        if self.answered.is_none() && self.is_ended {
            return Err(Failure::new(Class::Size, format!("it has {came} bytes, but the listing says {due}")));
        }
        let class = if came < due { Class::Truncated } else { Class::TooLong };
        Err(Failure::new(class, format!("the body ended after {came} of {due} bytes")))
    }

    /// What is wrong with a body of no bytes. There are files that are empty; and there are servers that answer 200 with
    /// nothing when they fail.
    fn object_to_nothing(&self) -> Result<(), Failure> {
        // The lock knows.
        if self.locked.is_some() {
            return Ok(());
        }
        if let Some(here) = self.here.filter(|bytes| *bytes > 0) {
            let why = format!(
                "the body is empty, where the file has had {here} bytes: the earlier one is kept. Hint: if \
                 upstream is right, move the file away, and run again"
            );
            return Err(Failure::new(Class::Truncated, why));
        }
        if self.is_vouched_for || self.listed == Some(0) {
            return Ok(());
        }
        let why = "the body is empty, and neither an ETag nor a Last-Modified shows that there is such a file";
        Err(Failure::new(Class::Truncated, why))
    }

    fn object_to_lock(&self, sha256: Digest, bytes: u64, digests: Option<&fits::Digests>) -> Result<(), Failure> {
        let Some(locked) = self.locked else { return Ok(()) };
        if sha256 == locked.sha256 || (locked.digests.is_some() && locked.digests.as_ref() == digests) {
            return Ok(());
        }
        let due = locked.bytes.map_or_else(String::new, |bytes| format!("{bytes} bytes with "));
        let why = format!("{bytes} bytes with SHA-256 {sha256}, but the lock says {due}SHA-256 {}", locked.sha256);
        Err(Failure::new(Class::LockMismatch, why))
    }
}

/// Judges a body whose bytes are all in: by its length, its encoding, its own structure and checksums, and the lock.
///
/// # Errors
/// `truncated`, `too-long`, `size`, `protocol`, `lock-mismatch`, and the classes of the checks.
pub(super) fn verify_body(checks: Checks, claims: &BodyClaims<'_>) -> Result<Verified, Failure> {
    // What is known to be bad was not read to its end, so that its length says nothing.
    if !checks.is_bad() {
        if let Err(failure) = claims.object_to_length(checks.length()) {
            // A page or a message that came in the file's place says why it is not as long as it is listed.
            let is_page = |fault: &Failure| failure.class == Class::Size && fault.class == Class::Html;
            return Err(checks.finish(claims.content_type).err().filter(is_page).unwrap_or(failure));
        }
        if claims.encoding.is_some_and(|encoding| !stored_encoding::agrees(checks.name(), encoding, checks.head())) {
            let why = "the body arrived compressed, although no compression was requested: its first bytes are not those of its \
                       Content-Encoding";
            return Err(Failure::new(Class::Protocol, why));
        }
    }
    let Proved { sha256, bytes, checked, digests, digest_objection } = checks.finish(claims.content_type)?;
    if bytes == 0 {
        claims.object_to_nothing()?;
    }
    let is_proved = claims.is_ended || claims.length()?.is_some() || !matches!(checked, Checked::Size | Checked::Magic);
    if !is_proved {
        let why = "no Content-Length and no clean end of body, so completeness cannot be verified";
        return Err(Failure::new(Class::Truncated, why));
    }
    if let Some(why) = digest_objection {
        return Err(Failure::new(Class::Protocol, why));
    }
    claims.object_to_lock(sha256, bytes, digests.as_ref())?;
    Ok(Verified { sha256, bytes, checked, digests, _door: () })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Identity, Verify};

    fn checks(name: &str, body: &[u8]) -> Checks {
        let mut checks = Checks::new(name.to_owned(), Verify { fits: true, magic: true }, Identity::Bytes);
        checks.push(body);
        checks
    }

    #[test]
    fn every_claim_that_a_body_contradicts_has_its_class() {
        // `gzip -n` of nothing.
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
        let own = LockedBody { sha256: Digest::sha256(b"0123456789"), bytes: Some(10), digests: None };
        let other = LockedBody { sha256: Digest::sha256(b"x"), bytes: Some(10), digests: None };
        let nothing = LockedBody { sha256: Digest::sha256(b""), bytes: Some(0), digests: None };
        let none = BodyClaims::default();
        let about = |least, most| Some(Rounded { least, most });
        let ended = BodyClaims { is_ended: true, ..none };
        for (name, body, claims, expected) in [
            ("a.dat", &b"0123456789"[..], ended, Ok(Checked::Size)),
            ("a.dat", b"0123456789", none, Err(Class::Truncated)),
            ("a.dat", b"0123456789", BodyClaims { answered: Some(10), ..none }, Ok(Checked::Size)),
            ("a.dat", b"0123456789", BodyClaims { answered: Some(11), ..none }, Err(Class::Truncated)),
            ("a.dat", b"0123456789", BodyClaims { answered: Some(9), ..none }, Err(Class::TooLong)),
            ("a.dat", b"0123456789", BodyClaims { listed: Some(10), ..none }, Ok(Checked::Size)),
            ("a.dat", b"0123456789", BodyClaims { listed: Some(11), ..none }, Err(Class::Truncated)),
            ("a.dat", b"0123456789", BodyClaims { listed: Some(11), ..ended }, Err(Class::Size)),
            ("a.dat", b"0123456789", BodyClaims { listed: Some(9), ..ended }, Err(Class::Size)),
            ("a.dat", b"<html>sorry</html>", BodyClaims { listed: Some(9), ..ended }, Err(Class::Html)),
            (
                "a.dat",
                b"<html>sorry</html>",
                BodyClaims { listed: Some(9), answered: Some(18), ..ended },
                Err(Class::Html),
            ),
            ("a.dat", b"<html>sorry</html>", BodyClaims { answered: Some(19), ..ended }, Err(Class::Truncated)),
            ("a.dat", b"0123456789", BodyClaims { listed: Some(11), answered: Some(10), ..ended }, Err(Class::Size)),
            ("a.dat", b"0123456789", BodyClaims { listed: Some(10), answered: Some(11), ..ended }, Err(Class::Size)),
            ("a.dat", b"0123456789", BodyClaims { rounded: about(10, 12), ..ended }, Ok(Checked::Size)),
            ("a.dat", b"0123456789", BodyClaims { rounded: about(12, 13), ..ended }, Ok(Checked::Size)),
            ("a.dat", b"0123456789", BodyClaims { rounded: about(14, 15), ..ended }, Err(Class::Size)),
            (
                "a.dat",
                b"0123456789",
                BodyClaims { rounded: about(7, 8), answered: Some(10), ..ended },
                Err(Class::Size),
            ),
            ("a.dat", b"", BodyClaims { answered: Some(0), ..ended }, Err(Class::Truncated)),
            ("a.dat", b"", BodyClaims { answered: Some(0), is_vouched_for: true, ..ended }, Ok(Checked::Size)),
            ("a.dat", b"", BodyClaims { listed: Some(0), ..ended }, Ok(Checked::Size)),
            ("a.dat", b"", BodyClaims { locked: Some(&nothing), ..ended }, Ok(Checked::Size)),
            ("a.dat", b"", BodyClaims { here: Some(0), is_vouched_for: true, ..ended }, Ok(Checked::Size)),
            ("a.dat", b"", BodyClaims { here: Some(9), is_vouched_for: true, ..ended }, Err(Class::Truncated)),
            ("a.dat", b"0123456789", BodyClaims { content_type: Some("text/html"), ..ended }, Err(Class::Html)),
            ("a.dat", b"0123456789", BodyClaims { locked: Some(&own), ..ended }, Ok(Checked::Size)),
            ("a.dat", b"0123456789", BodyClaims { locked: Some(&other), ..ended }, Err(Class::LockMismatch)),
            ("a.dat.gz", gzip, BodyClaims { encoding: Some("x-gzip"), ..ended }, Ok(Checked::Structure)),
            ("a.dat.gz", gzip, BodyClaims { encoding: Some("br"), ..ended }, Err(Class::Protocol)),
            ("a.fits.gz", b"SIMPLE", BodyClaims { encoding: Some("gzip"), ..ended }, Err(Class::Protocol)),
            ("a.fits.gz", b"SIMPLE", ended, Err(Class::Magic)),
            ("a.dat", b"<html>", ended, Err(Class::Html)),
            ("a.fits", b"SIMPLE", ended, Err(Class::FitsStructure)),
        ] {
            let found = verify_body(checks(name, body), &claims);
            let found = found.map(|verified| verified.checked).map_err(|failure| failure.class);
            assert_eq!(found, expected, "{name} {claims:?}");
        }
    }
}
