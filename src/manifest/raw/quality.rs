//! What a record's QUALITY must be, as typed: a word, or a mask of bits.
//!
//! What it does not do: know what the bits mean.

use std::fmt;

use schemars::{JsonSchema, json_schema};
use serde::de::{self, MapAccess};
use serde::{Deserialize, Deserializer};

use crate::manifest::raw::Mask;
use crate::manifest::raw::conditions::none_of;
use crate::manifest::yaml_tree::Wrong;

/// A condition on a record's QUALITY.
#[derive(Debug)]
pub(in crate::manifest) enum Quality {
    /// As the field has it: below 65536.
    Good,
    /// Whatever it is.
    Any,
    /// None of these bits.
    NoneOf(u64),
}

impl<'de> Deserialize<'de> for Quality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quality, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Quality;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`good`, `any`, or `{ none_of: MASK }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Quality, A::Error> {
                none_of(map, wrong).map(Quality::NoneOf)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quality, E> {
                match text {
                    "good" => Ok(Quality::Good),
                    "any" => Ok(Quality::Any),
                    _ => Err(E::custom(wrong())),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn wrong() -> Wrong {
    let wrong = Wrong::new("expected `good`, `any`, or `none_of` alone, with a mask of bits");
    wrong.hint("write `quality: good` for QUALITY below 65536")
}

impl JsonSchema for Quality {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quality".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut mask = Mask::json_schema(generator);
        mask.insert("description".to_owned(), "No bit of this mask may be set.".into());
        mask.insert("examples".to_owned(), serde_json::json!([0xffff_0000_u32]));
        json_schema!({ "anyOf": [
            { "enum": ["good", "any"] },
            {
                "type": "object",
                "properties": { "none_of": mask },
                "required": ["none_of"],
                "additionalProperties": false,
            },
        ] })
    }
}
