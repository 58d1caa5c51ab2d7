//! One item of the service's answer, in any of its three shapes, as it stands in the JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};

/// An item of v1 (`url`, `date_obs`), or of v2 and v3 (`urls`, `date__obs` and more). Other fields are passed over.
///
/// `sunhaul serve` adds to v1 what the files of a folder tell: the fields of v3, `segment`, and `size` in bytes.
#[derive(Debug, Default)]
pub(super) struct HmiItem<'a> {
    pub(super) url: Option<Text<'a>>,
    pub(super) date_obs: Option<Text<'a>>,
    pub(super) urls: Option<Vec<Text<'a>>>,
    pub(super) observed: Option<Text<'a>>,
    pub(super) recnum: Option<WholeNumber>,
    pub(super) t_rec_index: Option<WholeNumber>,
    pub(super) harpnum: Option<WholeNumber>,
    pub(super) quality: Option<WholeNumber>,
    pub(super) wavelnth: Option<WholeNumber>,
    pub(super) segment: Option<Text<'a>>,
    pub(super) size: Option<WholeNumber>,
}

/// A string, borrowed where the JSON allows it.
#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A whole number; `6173.0` is one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WholeNumber(pub(super) i64);

// Written out, since a derived one would take a JSON array for an item as well.
impl<'de: 'a, 'a> Deserialize<'de> for HmiItem<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HmiItem<'a>, D::Error> {
        deserializer.deserialize_map(Fields).map(|item: HmiItem<'de>| item)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = HmiItem<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object for each record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HmiItem<'de>, A::Error> {
        let mut item = HmiItem::default();
        while let Some(Text(field)) = map.next_key()? {
            match &*field {
                "url" => once("url", &mut item.url, &mut map)?,
                "date_obs" => once("date_obs", &mut item.date_obs, &mut map)?,
                "urls" => once("urls", &mut item.urls, &mut map)?,
                "date__obs" => once("date__obs", &mut item.observed, &mut map)?,
                "recnum" => once("recnum", &mut item.recnum, &mut map)?,
                "t_rec_index" => once("t_rec_index", &mut item.t_rec_index, &mut map)?,
                "harpnum" => once("harpnum", &mut item.harpnum, &mut map)?,
                "quality" => once("quality", &mut item.quality, &mut map)?,
                "wavelnth" => once("wavelnth", &mut item.wavelnth, &mut map)?,
                "segment" => once("segment", &mut item.segment, &mut map)?,
                "size" => once("size", &mut item.size, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(item)
    }
}

/// Reads a field that may stand once; `null` is as good as absent.
fn once<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    name: &'static str,
    field: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(Error::duplicate_field(name));
    }
    *field = map.next_value()?;
    Ok(())
}

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WholeNumber, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = WholeNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<WholeNumber, E> {
                i64::try_from(value).map(WholeNumber).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<WholeNumber, E> {
                // Up to 2^53 a float holds every whole number as it is.
                if value.fract() != 0.0 || value.abs() > 9_007_199_254_740_992.0 {
                    return Err(E::invalid_value(Unexpected::Float(value), &self));
                }
                #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
                Ok(WholeNumber(value as i64))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_an_object_whose_known_fields_stand_once() {
        let item: HmiItem<'_> =
            serde_json::from_str(r#"{"urls":["a","\u0062"],"recnum":7.0,"harpnum":null,"meta":{"urls":[[1]]}}"#)
                .unwrap();
        assert_eq!(item.recnum, Some(WholeNumber(7)));
        assert_eq!(item.harpnum, None);
        assert_eq!(item.urls.unwrap().iter().map(|url| url.0.to_string()).collect::<Vec<_>>(), ["a", "b"]);
        for wrong in
            ["[]", "1", "null", r#"{"url":1}"#, r#"{"url":"a","url":"b"}"#, r#"{"recnum":1.5}"#, r#"{"recnum":"1"}"#]
        {
            assert!(serde_json::from_str::<HmiItem<'_>>(wrong).is_err(), "{wrong}");
        }
    }
}
