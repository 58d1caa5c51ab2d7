//! SHA-256 digests: of one file, and of a set of files in the form that `sha256sum` prints.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 value; shown and stored as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// A digest of two texts, half and half: the first 16 bytes tell the first text, the others the second.
    #[must_use]
    pub fn of_two(first: &[u8], second: &[u8]) -> Digest {
        Digest::of_halves(&Digest::sha256(first), &Digest::sha256(second))
    }

    /// The same of two texts whose digests are known.
    #[must_use]
    pub fn of_halves(first: &Digest, second: &Digest) -> Digest {
        let mut bytes = first.0;
        bytes[16..].copy_from_slice(&second.0[..16]);
        Digest(bytes)
    }

    /// True when the first texts of two digests made by [`Digest::of_two`] are the same.
    #[must_use]
    pub fn has_first_of(&self, other: &Digest) -> bool {
        self.0[..16] == other.0[..16]
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A SHA-256 value that is stored with the name of its algorithm: `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefixedDigest(pub Digest);

/// What a [`PrefixedDigest`] begins with.
const PREFIX: &str = "sha256:";

/// A digest in the making, fed while bytes are written.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken in.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// The digest of a set of files: SHA-256 of the lines `<sha256>  <path>\n` in the order given.
///
/// Anyone can recompute it with `sha256sum FILES | sha256sum`.
#[must_use]
pub fn of_files<'a>(files: impl Iterator<Item = (&'a Digest, &'a str)>) -> Digest {
    let mut hasher = Hasher::default();
    for (sha256, path) in files {
        add_file(&mut hasher, sha256, path);
    }
    hasher.finish()
}

/// Takes the next file into the digest of a set, see [`of_files`].
pub fn add_file(hasher: &mut Hasher, sha256: &Digest, path: &str) {
    hasher.update(format!("{sha256}  {path}\n").as_bytes());
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hex digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Digest, NotADigest> {
        let mut bytes = [0; 32];
        // Upper case would make two spellings of one record: refused.
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(NotADigest);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PrefixedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl Serialize for PrefixedDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PrefixedDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PrefixedDigest, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digest = text.strip_prefix(PREFIX).and_then(|hex| hex.parse().ok()).map(PrefixedDigest);
        digest.ok_or_else(|| serde::de::Error::custom("expected `sha256:` and 64 lower-case hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(Digest::sha256(b"").to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn upper_case_and_short_texts_are_no_digests() {
        let good = Digest::sha256(b"sun").to_string();
        assert_eq!(good.parse::<Digest>(), Ok(Digest::sha256(b"sun")));
        assert_eq!(good.to_uppercase().parse::<Digest>(), Err(NotADigest));
        assert_eq!(good[1..].parse::<Digest>(), Err(NotADigest));
    }

    #[test]
    fn a_prefixed_digest_is_read_and_written_with_its_prefix() {
        let digest = Digest::sha256(b"sun");
        let text = format!("\"sha256:{digest}\"");
        assert_eq!(serde_json::to_string(&PrefixedDigest(digest)).unwrap(), text);
        assert_eq!(serde_json::from_str::<PrefixedDigest>(&text).unwrap(), PrefixedDigest(digest));
        for wrong in [format!("\"{digest}\""), text.replace(':', ":0"), text.to_uppercase()] {
            assert!(serde_json::from_str::<PrefixedDigest>(&wrong).is_err(), "{wrong}");
        }
    }
}
