//! The conditions of `where` as typed: by keyword, or as one text in the source's own words.
//!
//! What it does not do: put them into a question; the source does.

use std::fmt;

use schemars::{JsonSchema, json_schema};
use serde::de::{self, Error as _, MapAccess};
use serde::{Deserialize, Deserializer};

use crate::manifest::name_rules;
use crate::manifest::raw::{Keyword, Mask};
use crate::manifest::spanned::Typed;
use crate::manifest::yaml_tree::Wrong;

/// Which records are asked for by their keywords.
#[derive(Debug)]
pub(in crate::manifest) enum Conditions {
    /// Each of these must hold.
    ByKeyword(Vec<(Typed<Keyword>, Typed<Condition>)>),
    /// As one text.
    Raw(String),
}

/// What a keyword must be.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::manifest) enum Condition {
    /// This value.
    Is(String),
    /// A number from the first to the second, both included; as typed.
    Within(String, String),
    /// No bit of this mask is set.
    NoneOf(u64),
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Conditions, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Conditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("conditions by keyword, or one text `[? ... ?]`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Conditions::ByKeyword(all))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Conditions, E> {
                name_rules::raw_where(text).map(Conditions::Raw).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a range `a..b`, or `{ none_of: MASK }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Condition, A::Error> {
                none_of(map, || {
                    let wrong = Wrong::new("expected a value, a range `a..b`, or `none_of` alone");
                    wrong.hint("write for example `{ none_of: 0x10000 }`")
                })
                .map(Condition::NoneOf)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
                condition(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The mask of `{ none_of: MASK }`; any other map is `wrong`.
pub(super) fn none_of<'de, A: MapAccess<'de>>(mut map: A, wrong: impl Fn() -> Wrong) -> Result<u64, A::Error> {
    if map.next_key::<Key>()?.is_none_or(|Key(key)| key != "none_of") {
        return Err(A::Error::custom(wrong()));
    }
    let mask: Mask = map.next_value()?;
    match map.next_key::<Key>()? {
        None => Ok(mask.0),
        Some(_) => Err(A::Error::custom(wrong())),
    }
}

/// A key, whatever it looks like.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

fn condition(text: &str) -> Result<Condition, Wrong> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some((least, most)) = text.split_once("..") {
        let (least, most) = (least.trim(), most.trim());
        return match (number(least), number(most)) {
            (Some(a), Some(b)) if a <= b => Ok(Condition::Within(least.to_owned(), most.to_owned())),
            (Some(_), Some(_)) => Err(Wrong::new("a range whose end is below its start").hint("swap the two")),
            _ => Err(Wrong::new("no range of numbers").hint("write for example `\"-70..70\"`")),
        };
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:+- /".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(is_plain) {
        let wrong = Wrong::new("a value that cannot be requested: 1 to 100 letters, digits, spaces and `_.:+-/`");
        return Err(wrong.hint("write it as one text in the source's own words: `where: \"[? ... ?]\"`"));
    }
    Ok(Condition::Is(text.to_owned()))
}

impl JsonSchema for Conditions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Conditions".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut mask = Mask::json_schema(generator);
        mask.insert("description".to_owned(), "No bit of this mask may be set.".into());
        mask.insert("examples".to_owned(), serde_json::json!([0x0001_0000]));
        json_schema!({ "anyOf": [
            { "type": "string", "pattern": "^\\[[?!].*[?!]\\]$" },
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": Keyword::json_schema(generator),
                "additionalProperties": { "anyOf": [
                    { "type": ["number", "boolean"] },
                    { "type": "string", "minLength": 1, "maxLength": 100 },
                    {
                        "type": "object",
                        "properties": { "none_of": mask },
                        "required": ["none_of"],
                        "additionalProperties": false,
                    },
                ] },
            },
        ] })
    }
}
