//! The digests that an answer states for its body, and whether the body has them. Each header says it in its own words:
//! `Repr-Digest` and `Content-Digest` (RFC 9530), `Digest` (RFC 3230), `Content-MD5` (RFC 1864), `x-goog-hash` (Google Cloud
//! Storage), `x-amz-checksum-sha256` (Amazon S3), `X-Checksum-Sha256` (Artifactory).
//!
//! Not held: SHA-1, and CRC-32C, the one digest that Google has of an object composed of others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha512};

use crate::archive::Validators;
use crate::digest::Digest;

/// A digest that an answer states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedDigest {
    /// The header that states it.
    header: String,
    algorithm: Algorithm,
    /// Its value.
    value: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// By its name in `Digest` and its successors.
    fn named(name: &str) -> Option<Algorithm> {
        match name.trim().to_ascii_lowercase().as_str() {
            "md5" => Some(Algorithm::Md5),
            "sha-256" => Some(Algorithm::Sha256),
            "sha-512" => Some(Algorithm::Sha512),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
        }
    }

    /// The length of its values in bytes.
    fn length(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }
}

/// What the answer that brings a whole body states of it. What cannot be read states nothing.
pub(super) fn all(answer: &Validators) -> Vec<StatedDigest> {
    let is_of_body = |header: &str| header != "x-goog-hash" || is_sent_as_stored(answer);
    let headers = answer.further.iter().filter(|(header, _)| is_of_body(header));
    headers
        .flat_map(|(header, value)| {
            let found = read(header, value).into_iter();
            found.map(|(algorithm, value)| StatedDigest { header: header.clone(), algorithm, value })
        })
        .collect()
}

/// False for a body that Google Cloud Storage unpacked on its way: its `x-goog-hash` is that of the packed object.
fn is_sent_as_stored(answer: &Validators) -> bool {
    let stored = answer.further.get("x-goog-stored-content-encoding").map_or("identity", String::as_str);
    stored == answer.content_encoding.as_deref().unwrap_or("identity")
}

fn read(header: &str, value: &str) -> Vec<(Algorithm, Vec<u8>)> {
    let one = |algorithm: Algorithm, value: Option<Vec<u8>>| {
        let value = value.filter(|value| value.len() == algorithm.length());
        value.map(|value| (algorithm, value)).into_iter().collect()
    };
    match header {
        // A dictionary of byte sequences, which stand between colons and may have parameters behind them (RFC 9651).
        "repr-digest" | "content-digest" => named(value, |sum| {
            let bytes = sum.split(';').next()?.trim_end();
            base64(bytes.strip_prefix(':')?.strip_suffix(':')?)
        }),
        "digest" | "x-goog-hash" => named(value, base64),
        "content-md5" => one(Algorithm::Md5, base64(value)),
        // Of a file uploaded in pieces it is no SHA-256 of the file: `-` and their count stand behind it.
        "x-amz-checksum-sha256" => one(Algorithm::Sha256, base64(value)),
        "x-checksum-sha256" => one(Algorithm::Sha256, hex::decode(value.trim()).ok()),
        _ => Vec::new(),
    }
}

/// The members of a list whose algorithms are known.
fn named(list: &str, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<(Algorithm, Vec<u8>)> {
    let members = list.split(',').filter_map(|member| member.split_once('='));
    let known = members.filter_map(|(name, sum)| Some((Algorithm::named(name)?, read(sum.trim())?)));
    known.filter(|(algorithm, value)| value.len() == algorithm.length()).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

/// Holds a body to the digests that its answer states, while it comes. SHA-256 is computed anyway; the others are only
/// where they are stated.
#[derive(Default)]
pub(super) struct StatedDigests {
    stated: Vec<StatedDigest>,
    md5: Option<Md5>,
    sha512: Option<Sha512>,
}

impl StatedDigests {
    pub(super) fn to(stated: Vec<StatedDigest>) -> StatedDigests {
        let is_stated = |algorithm| stated.iter().any(|stated| stated.algorithm == algorithm);
        let md5 = is_stated(Algorithm::Md5).then(Md5::new);
        let sha512 = is_stated(Algorithm::Sha512).then(Sha512::new);
        StatedDigests { stated, md5, sha512 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// How a whole body with this SHA-256 contradicts what its answer states.
    pub(super) fn objection(self, sha256: Digest) -> Option<String> {
        let StatedDigests { stated, md5, sha512 } = self;
        let (md5, sha512) = (md5.map(|md5| md5.finalize().to_vec()), sha512.map(|sha512| sha512.finalize().to_vec()));
        let computed = |algorithm| match algorithm {
            Algorithm::Md5 => md5.clone(),
            Algorithm::Sha256 => Some(sha256.bytes().to_vec()),
            Algorithm::Sha512 => sha512.clone(),
        };
        stated.into_iter().find_map(|StatedDigest { header, algorithm, value }| {
            let found = computed(algorithm).filter(|found| *found != value)?;
            let (name, found, due) = (algorithm.name(), hex::encode(found), hex::encode(value));
            Some(format!("the body has the {name} {found}, but its own `{header}` says {due}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Md5, Sha256, Sha512};
    use super::*;

    // Of `hello`.
    const MD5: &str = "XUFAKrxLKna5cZ2REBfFkg==";
    const SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    const SHA256_HEX: &str = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";
    const SHA512: &str = "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==";

    #[test]
    fn a_digest_is_read_from_each_header_that_states_one_and_from_nothing_else() {
        for (header, value, stated) in [
            ("repr-digest", format!("sha-256=:{SHA256}:"), &[Sha256][..]),
            ("repr-digest", format!("sha-512=:AAAA:, sha-256=:{SHA256}:;x=1"), &[Sha256]),
            ("repr-digest", format!("sha-512=:{SHA512}:, md5=:{MD5}:"), &[Sha512, Md5]),
            ("repr-digest", format!("sha-256={SHA256}"), &[]),
            ("repr-digest", "sha-256=:AAAA:".to_owned(), &[]),
            ("repr-digest", format!("sha-512=:{SHA256}:"), &[]),
            ("content-digest", format!("sha-256=:{SHA256}:"), &[Sha256]),
            ("digest", format!("SHA-256={SHA256}"), &[Sha256]),
            ("digest", format!("md5=AAAA,sha-256={SHA256}"), &[Sha256]),
            ("digest", format!("MD5={MD5},SHA-512={SHA512}"), &[Md5, Sha512]),
            ("digest", format!("id-sha-256={SHA256}"), &[]),
            ("digest", format!("sha-256={SHA256_HEX}"), &[]),
            ("digest", "md5=5d41402abc4b2a76b9719d911017c592".to_owned(), &[]),
            ("content-md5", MD5.to_owned(), &[Md5]),
            ("content-md5", "5d41402abc4b2a76b9719d911017c592".to_owned(), &[]),
            ("content-md5", format!("{MD5}, {MD5}"), &[]),
            ("x-goog-hash", format!("crc32c=mnG7TA==, md5={MD5}"), &[Md5]),
            ("x-goog-hash", "crc32c=mnG7TA==".to_owned(), &[]),
            ("x-amz-checksum-sha256", SHA256.to_owned(), &[Sha256]),
            ("x-amz-checksum-sha256", format!("{SHA256}-3"), &[]),
            ("x-checksum-sha256", SHA256_HEX.to_owned(), &[Sha256]),
            ("x-checksum-sha256", SHA256.to_owned(), &[]),
            ("etag", SHA256.to_owned(), &[]),
            ("digest", String::new(), &[]),
        ] {
            let further = [(header.to_owned(), value.clone())].into();
            let found = all(&Validators { further, ..Validators::default() });
            let algorithms: Vec<Algorithm> = found.iter().map(|stated| stated.algorithm).collect();
            assert_eq!(algorithms, stated, "{header}: {value}");
            for (body, is_right) in [(&b"hello"[..], true), (b"hallo", stated.is_empty())] {
                let mut held = StatedDigests::to(found.clone());
                held.push(&body[..2]);
                held.push(&body[2..]);
                let objection = held.objection(Digest::sha256(body));
                assert_eq!(objection.is_none(), is_right, "{header}: {value}: {objection:?}");
            }
        }
    }

    #[test]
    fn the_hash_of_a_packed_object_is_not_that_of_its_unpacked_body() {
        for (stored, sent, is_held) in [
            (None, None, true),
            (Some("identity"), None, true),
            (Some("gzip"), None, false),
            (Some("gzip"), Some("gzip"), true),
        ] {
            let stored = stored.map(|stored| ("x-goog-stored-content-encoding".to_owned(), stored.to_owned()));
            let hash = Some(("x-goog-hash".to_owned(), format!("md5={MD5}")));
            let further = [stored, hash].into_iter().flatten().collect();
            let answer = Validators { further, content_encoding: sent.map(str::to_owned), ..Validators::default() };
            assert_eq!(!all(&answer).is_empty(), is_held, "{answer:?}");
        }
    }
}
