//! A value of a form with its place in the file: given, given wrong, or missing.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::diagnostic::{Finding, Span};

/// The name under which a [`Typed`] asks the reader for a value with its place.
pub(super) const MARK: &str = "$typed";
/// What it then asks for, in this order.
pub(super) const FIELDS: &[&str] = &["start", "end", "value"];

/// A value as typed. A field of this type is a required key; with `#[serde(default)]` it is an optional one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Typed<T> {
    /// The key is not there.
    #[default]
    Missing,
    /// It is there, and what is wrong with it has been noted down.
    Invalid,
    /// It is there.
    Given(Span, T),
}

impl<T> Typed<T> {
    /// The value, when it is there and right.
    pub(super) fn value(&self) -> Option<&T> {
        match self {
            Typed::Given(_, value) => Some(value),
            Typed::Missing | Typed::Invalid => None,
        }
    }

    /// True when the key is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Typed::Missing)
    }

    /// A required key's value with its place; its absence is noted at its parent.
    pub(super) fn required(
        &self,
        name: &str,
        parent: Span,
        hint: &str,
        findings: &mut Vec<Finding>,
    ) -> Option<(Span, &T)> {
        if self.is_missing() {
            findings.push(Finding::new(parent, format!("the key `{name}` is missing")).hint(hint));
        }
        self.given()
    }

    /// The value with its place.
    pub(super) fn given(&self) -> Option<(Span, &T)> {
        match self {
            Typed::Given(span, value) => Some((*span, value)),
            Typed::Missing | Typed::Invalid => None,
        }
    }
}

impl<T> Typed<Vec<Typed<T>>> {
    /// The entries of a list that are right.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.value().into_iter().flatten().filter_map(Typed::value)
    }

    /// Notes a list without entries, which would ask for nothing at all.
    pub(super) fn must_ask(&self, findings: &mut Vec<Finding>) {
        if let Typed::Given(at, list) = self
            && list.is_empty()
        {
            let finding = Finding::new(*at, "an empty list, which requests nothing");
            findings.push(finding.hint("name at least one, or remove the key"));
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Typed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Typed<T>, D::Error> {
        // An absent field is asked for as an option by derived code, which then answers `none`.
        deserializer.deserialize_option(Presence(PhantomData))
    }
}

struct Presence<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Presence<T> {
    type Value = Typed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<Typed<T>, E> {
        Ok(Typed::Missing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Typed<T>, D::Error> {
        deserializer.deserialize_struct(MARK, FIELDS, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Typed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Typed<T>, A::Error> {
        let mut place = [0; 2];
        for slot in &mut place {
            map.next_key::<IgnoredAny>()?;
            *slot = map.next_value()?;
        }
        map.next_key::<IgnoredAny>()?;
        let [start, end] = place;
        match map.next_value() {
            Ok(value) => Ok(Typed::Given(Span { start, end }, value)),
            // The reader noted the error down where it arose.
            Err(_) => Ok(Typed::Invalid),
        }
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Typed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}
