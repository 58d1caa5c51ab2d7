//! The dates of a series as typed: its ends, or the active regions that it follows.

use std::fmt;

use schemars::{JsonSchema, json_schema};
use serde::de::{self, SeqAccess};
use serde::{Deserialize, Deserializer};

use crate::manifest::raw::{Date, Harpnum, Noaa, Span};
use crate::manifest::spanned::Typed;

/// Dates, half-open: the start is inside, the end is not. Or the time in which JSOC has records of active regions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline, transform = one_form)]
pub(in crate::manifest) struct Range {
    /// The first instant: a date, an instant, `today` or `today-3d`.
    #[schemars(example = "2015-12-11")]
    #[serde(default)]
    pub(in crate::manifest) start: Typed<Date>,
    /// The first instant after the range: a date, an instant, `today`, `today-3d`, or `now` for the current day as far as it
    /// has come. Days that have not begun are not asked for, so that a far end takes days as they come.
    #[schemars(example = "2015-12-14", example = "today-3d", example = &"now")]
    #[serde(default)]
    pub(in crate::manifest) end: Typed<Date>,
    /// In place of the ends: from the first record of a patch (HARP number), or of several, to the last one. Only these
    /// patches are asked for, unless the series has `harpnum` or `noaa`. JSOC alone.
    #[schemars(example = 377)]
    #[serde(default)]
    pub(in crate::manifest) harpnum: Typed<OneOrMore<Harpnum>>,
    /// In place of the ends: the same of all patches that have an active region, or one of several, by NOAA number. JSOC
    /// alone.
    #[schemars(example = 11158)]
    #[serde(default)]
    pub(in crate::manifest) noaa: Typed<OneOrMore<Noaa>>,
    /// How far the range reaches beyond the first record and the last one. Default: 0s.
    #[schemars(example = "12h")]
    #[serde(default)]
    pub(in crate::manifest) margin: Typed<Span>,
}

/// Says which keys go together.
fn one_form(schema: &mut schemars::Schema) {
    let forms = serde_json::json!([
        { "required": ["start", "end"], "not": { "required": ["margin"] } },
        { "required": ["harpnum"] },
        { "required": ["noaa"] },
    ]);
    schema.insert("oneOf".to_owned(), forms);
}

/// One value, or a list of them.
#[derive(Debug)]
pub(in crate::manifest) struct OneOrMore<T>(pub(in crate::manifest) Vec<Typed<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMore<T>, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or a list of them")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<OneOrMore<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(value) = values.next_element()? {
                    all.push(value);
                }
                Ok(OneOrMore(all))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, one: D) -> Result<OneOrMore<T>, D::Error> {
                Typed::deserialize(one).map(|value| OneOrMore(vec![value]))
            }
        }
        deserializer.deserialize_newtype_struct("OneOrMore", Visitor(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = T::json_schema(generator);
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}
