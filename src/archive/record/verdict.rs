//! What a day record says of a file in a word: how far its bytes were checked, or why it is absent.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What was proved of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Checked {
    /// The checksums in it are right.
    Checksum,
    /// Its structure is whole.
    Structure,
    /// It begins and ends as its type does.
    Magic,
    /// Its length is the one that was stated.
    Size,
}

/// Why a file is absent: stored as `accepted`, `no-file`, or an HTTP status such as `404`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentReason {
    /// The job accepts that it is bad at its source; then the line has a `reason`.
    Accepted,
    /// The source has its record, and no file of it.
    NoFile,
    /// The HTTP status of the response to its request.
    Status(u16),
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Checked::Checksum => "checksum",
            Checked::Structure => "structure",
            Checked::Magic => "magic",
            Checked::Size => "size",
        })
    }
}

impl fmt::Display for AbsentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AbsentReason::Accepted => f.write_str("accepted"),
            AbsentReason::NoFile => f.write_str("no-file"),
            AbsentReason::Status(status) => write!(f, "{status}"),
        }
    }
}

/// The text is not a reason for which a file is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `accepted`, `no-file` or an HTTP status such as `404`")]
pub struct NotAReason;

impl FromStr for AbsentReason {
    type Err = NotAReason;

    fn from_str(text: &str) -> Result<AbsentReason, NotAReason> {
        match text {
            "accepted" => Ok(AbsentReason::Accepted),
            "no-file" => Ok(AbsentReason::NoFile),
            // `+404` and `0404` would be other spellings of one record.
            _ if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') => {
                text.parse().map(AbsentReason::Status).map_err(|_| NotAReason)
            }
            _ => Err(NotAReason),
        }
    }
}

impl Serialize for AbsentReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AbsentReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AbsentReason, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_and_written_as_it_is() {
        for (word, reason) in [
            ("accepted", Ok(AbsentReason::Accepted)),
            ("no-file", Ok(AbsentReason::NoFile)),
            ("404", Ok(AbsentReason::Status(404))),
            ("410", Ok(AbsentReason::Status(410))),
            ("", Err(NotAReason)),
            ("0404", Err(NotAReason)),
            ("+40", Err(NotAReason)),
            ("040", Err(NotAReason)),
            ("Accepted", Err(NotAReason)),
        ] {
            assert_eq!(word.parse(), reason, "{word}");
            if let Ok(reason) = reason {
                assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{word}\""));
                assert_eq!(serde_json::from_str::<AbsentReason>(&format!("\"{word}\"")).unwrap(), reason);
            }
        }
        for checked in [Checked::Checksum, Checked::Structure, Checked::Magic, Checked::Size] {
            assert_eq!(serde_json::to_string(&checked).unwrap(), format!("\"{checked}\""));
        }
    }
}
