//! A row of a page of records, as it stands.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A row as it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordRow {
    pub(super) get: Option<Scalar>,
    pub(super) recnum: Option<Scalar>,
    pub(super) series_name: Option<Scalar>,
    #[serde(rename = "date__obs")]
    pub(super) observed: Option<Scalar>,
    pub(super) wavelnth: Option<Scalar>,
    pub(super) ias_location: Option<Scalar>,
    pub(super) t_rec_index: Option<Scalar>,
    pub(super) ias_path: Option<Scalar>,
    pub(super) harpnum: Option<Scalar>,
}

/// A string, or a number as its text.
#[derive(Debug, Clone)]
pub(super) struct Scalar(pub(super) String);

impl Scalar {
    /// The whole number that it is; `6173.0` is one too.
    pub(super) fn whole(&self) -> Option<i64> {
        let text = self.0.trim();
        let text =
            text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map_or(text, |(whole, _)| whole);
        text.parse().ok()
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        struct Plain;

        impl Visitor<'_> for Plain {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
        }

        deserializer.deserialize_any(Plain)
    }
}
