//! The manifest as a tree of values with their places, and a deserializer over it that goes on after an error.
//!
//! A derived `Deserialize` stops at the first error. Here every value of a form stands in a [`Typed`](super::spanned),
//! which asks for its place and swallows a failure that this deserializer has noted down already; unknown and repeated
//! keys are noted and skipped. So one pass finds all errors. What it does not do: know YAML.

use std::cell::RefCell;

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::diagnostic::{Finding, Span};
use super::misplaced::{hint_for_key, hint_for_list};
use super::spanned;
use super::suggest_word::{listed, nearest};
use crate::untrusted::escape;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Where.
    pub(super) span: Span,
    /// What.
    pub(super) value: NodeValue,
}

/// What a node holds. Scalars keep the text as typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(String),
    /// A whole number.
    Int(i128, String),
    /// Another number.
    Float(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in order, repeated keys included.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar as typed, without quotes.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Bool(text) | NodeValue::Int(_, text) | NodeValue::Float(text) | NodeValue::Text(text) => {
                Some(text)
            }
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => None,
        }
    }

    /// The node in a reader's words, such as "the number `4`".
    fn described(&self) -> String {
        let kind = match &self.value {
            NodeValue::Null => return "nothing".to_owned(),
            NodeValue::List(_) => return "a list".to_owned(),
            NodeValue::Map(_) => return "a mapping".to_owned(),
            NodeValue::Bool(_) => "the boolean",
            NodeValue::Int(..) | NodeValue::Float(_) => "the number",
            NodeValue::Text(_) => "the text",
        };
        format!("{kind} `{}`", escape(self.text().unwrap_or_default()))
    }
}

/// Why a value is not what was expected. Its message may carry a hint after a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    message: String,
    hint: Option<String>,
    /// Where, when it is not the whole value.
    at: Option<Span>,
}

impl Wrong {
    /// A reason; `message` must be safe to show.
    pub(super) fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), hint: None, at: None }
    }

    /// Adds what to write instead.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Wrong {
        self.hint = Some(hint.into());
        self
    }

    fn expected(what: &str, node: &Node) -> Wrong {
        Wrong::new(format!("expected {what}, found {}", node.described()))
    }

    /// Narrows it to a place inside the value, when it has none yet.
    fn inside(mut self, span: Span) -> Wrong {
        self.at = self.at.or(Some(span));
        self
    }

    /// What is wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    pub(crate) fn to_do(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same at a place.
    pub(super) fn at(self, span: Span) -> Finding {
        Finding { at: Some(self.at.unwrap_or(span)), message: self.message, hint: self.hint, also: None }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        // serde passes an error on as one text; `custom` takes it apart again.
        if let Some(hint) = &self.hint {
            write!(f, "\n{hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: std::fmt::Display>(message: T) -> Wrong {
        let text = message.to_string();
        match text.split_once('\n') {
            Some((message, hint)) => Wrong::new(message).hint(hint),
            None => Wrong::new(text),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        Wrong::new(escape(&format!("expected {expected}, found {unexpected}")))
    }
}

/// When so many errors are noted, reading stops: a hostile file could hold half a million.
const ENOUGH: usize = 1000;

/// A deserializer at one node. Errors inside values go to `findings`.
#[derive(Clone, Copy)]
pub(super) struct NodeReader<'a> {
    /// The node to read.
    pub(super) node: &'a Node,
    /// Where errors are noted down.
    pub(super) findings: &'a RefCell<Vec<Finding>>,
}

impl<'a> NodeReader<'a> {
    fn to(self, node: &'a Node) -> NodeReader<'a> {
        NodeReader { node, ..self }
    }

    fn note(self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    fn has_enough(self) -> bool {
        self.findings.borrow().len() >= ENOUGH
    }

    fn wrong(self, what: &str) -> Wrong {
        Wrong::expected(what, self.node)
    }

    /// The entries whose keys the form knows, each once; the others are noted.
    fn known_entries(
        self,
        form: &str,
        fields: &'static [&'static str],
    ) -> Result<Vec<(&'static str, &'a Node)>, Wrong> {
        let NodeValue::Map(entries) = &self.node.value else {
            let wrong = Wrong::expected("a mapping (`key: value` lines)", self.node);
            return Err(match self.node.value {
                NodeValue::Null => wrong.hint("an empty mapping is written `{}`"),
                NodeValue::Text(ref text) if form == "JobLock" && matches!(text.as_str(), "none" | "flock") => {
                    wrong.hint(format!("how days are locked against other processes is `archive: {{ lock: {text} }}`"))
                }
                _ => wrong,
            });
        };
        let mut known: Vec<(&'static str, &Node, &Node)> = Vec::new();
        for (key, value) in entries {
            if self.has_enough() {
                break;
            }
            let text = key.text().unwrap_or_default();
            let Some(field) = fields.iter().find(|field| **field == text) else {
                self.note(unknown_key(key, fields));
                continue;
            };
            if let Some((_, first, _)) = known.iter().find(|(known, ..)| known == field) {
                let finding = Finding::new(key.span, format!("the key `{field}` appears a second time"))
                    .hint("keep one of them")
                    .also(first.span, "first here");
                self.note(finding);
                continue;
            }
            known.push((field, key, value));
        }
        Ok(known.into_iter().map(|(field, _, value)| (field, value)).collect())
    }
}

fn unknown_key(key: &Node, fields: &[&str]) -> Finding {
    let Some(text) = key.text() else {
        let known = format!("known here: {}", listed(fields));
        return Finding::new(key.span, format!("expected a key, found {}", key.described())).hint(known);
    };
    Finding::new(key.span, format!("unknown key `{}`", escape(text))).hint(hint_for_key(text, fields))
}

impl<'de> de::Deserializer<'de> for NodeReader<'de> {
    type Error = Wrong;

    /// Gives a scalar's text as typed, whatever it looks like: for values with a grammar of their own.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.text() {
            Some(text) => visitor.visit_str(text),
            None => Err(self.wrong("a single value")),
        }
    }

    /// Gives text; what YAML reads as a number or a boolean is refused.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            NodeValue::Text(text) => visitor.visit_str(text),
            NodeValue::Bool(text) | NodeValue::Int(_, text) | NodeValue::Float(text) => {
                Err(self.wrong("text").hint(format!("put it in quotes: \"{}\"", escape(text))))
            }
            _ => Err(self.wrong("text")),
        }
    }

    /// Gives a whole number.
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            NodeValue::Int(number, _) => visitor.visit_i128(*number),
            NodeValue::Text(text) if text.parse::<i64>().is_ok() => {
                Err(self.wrong("a whole number").hint(format!("without quotes: {text}")))
            }
            _ => Err(self.wrong("a whole number")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            NodeValue::List(items) => visitor.visit_seq(Items { at: self, rest: items.iter() }),
            _ => Err(self.wrong("a list").hint(hint_for_list(self.node.text()))),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if name == spanned::MARK {
            return visitor.visit_map(SpannedValue { at: self, step: 0 });
        }
        let entries = self.known_entries(name, fields)?;
        visitor.visit_map(Entries { at: self, rest: entries.into_iter(), value: None })
    }

    /// Gives every entry of a mapping whose keys no form knows beforehand.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            NodeValue::Map(entries) => visitor.visit_map(Pairs { at: self, rest: entries.iter(), value: None }),
            _ => Err(self.wrong("a mapping (`key: value` lines)")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let (tag, content) = match &self.node.value {
            NodeValue::Map(entries) => match entries.as_slice() {
                [(key, value)] => (key, Some(value)),
                _ => return Err(Wrong::new(format!("expected exactly one key, one of {}", listed(variants)))),
            },
            NodeValue::Text(_) => (self.node, None),
            _ => return Err(self.wrong(&format!("one of {}", listed(variants)))),
        };
        let text = tag.text().unwrap_or_default();
        let Some(variant) = variants.iter().find(|variant| **variant == text) else {
            let wrong = Wrong::expected(&format!("one of {}", listed(variants)), tag).inside(tag.span);
            return Err(match nearest(text, variants.iter().copied()) {
                Some(near) => wrong.hint(format!("did you mean `{near}`?")),
                None => wrong,
            });
        };
        visitor.visit_enum(Choice { at: self, variant, content })
    }

    /// Gives a list as it is; anything else is the one entry of it.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            NodeValue::List(items) => visitor.visit_seq(Items { at: self, rest: items.iter() }),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    /// Gives a mapping as its entries, and any single value as the text that was typed: for keys that take both.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match (&self.node.value, self.node.text()) {
            (NodeValue::Map(entries), _) => visitor.visit_map(Pairs { at: self, rest: entries.iter(), value: None }),
            (_, Some(text)) => visitor.visit_str(text),
            (_, None) => Err(self.wrong("a single value, or a mapping")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// The entries of a list.
struct Items<'a> {
    at: NodeReader<'a>,
    rest: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        if self.at.has_enough() {
            return Ok(None);
        }
        self.rest.next().map(|node| seed.deserialize(self.at.to(node))).transpose()
    }
}

/// The known entries of a mapping.
struct Entries<'a> {
    at: NodeReader<'a>,
    rest: std::vec::IntoIter<(&'static str, &'a Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        match self.value.take() {
            Some(node) => seed.deserialize(self.at.to(node)),
            None => Err(Wrong::new("a value precedes its key")),
        }
    }
}

/// All entries of a mapping, repeated keys included.
struct Pairs<'a> {
    at: NodeReader<'a>,
    rest: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.rest.next().filter(|_| !self.at.has_enough()) else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(self.at.to(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        match self.value.take() {
            Some(node) => seed.deserialize(self.at.to(node)),
            None => Err(Wrong::new("a value precedes its key")),
        }
    }
}

/// A value together with its place: what [`spanned::Typed`] asks for.
struct SpannedValue<'a> {
    at: NodeReader<'a>,
    step: usize,
}

impl<'de> MapAccess<'de> for SpannedValue<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        match spanned::FIELDS.get(self.step) {
            Some(field) => seed.deserialize((*field).into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        self.step += 1;
        let span = self.at.node.span;
        match self.step {
            1 => seed.deserialize(span.start.into_deserializer()),
            2 => seed.deserialize(span.end.into_deserializer()),
            // The error is noted down here, where the place is known; `Typed` takes it as "told already".
            _ => seed.deserialize(self.at).inspect_err(|wrong: &Wrong| self.at.note(wrong.clone().at(span))),
        }
    }
}

/// A variant of an enumeration: `name` alone, or `{ name: content }`.
struct Choice<'a> {
    at: NodeReader<'a>,
    variant: &'static str,
    content: Option<&'a Node>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Wrong;
    type Variant = Choice<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Choice<'de>), Wrong> {
        let variant: de::value::StrDeserializer<'_, Wrong> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Wrong::new(format!("`{}` stands alone, without a `:`", self.variant))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        match self.content {
            Some(node) => seed.deserialize(self.at.to(node)).map_err(|wrong: Wrong| wrong.inside(node.span)),
            None => Err(Wrong::new(format!("`{}` needs its settings, even if there are none", self.variant))
                .hint(format!("write `{{ {}: {{}} }}`, with the settings between the inner braces", self.variant))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Wrong> {
        Err(Wrong::new(format!("`{}` cannot be read", self.variant)))
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], _visitor: V) -> Result<V::Value, Wrong> {
        Err(Wrong::new(format!("`{}` cannot be read", self.variant)))
    }
}
