//! The single values of a form, each with a grammar of its own: how it is asked for, how it is read, and its schema.
//!
//! What it does not do: know the keys that hold them; the form does.

use std::time::Duration;

use chrono::NaiveDate;
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;
use url::Url;

use crate::manifest::glob::Glob;
use crate::manifest::model;
use crate::manifest::name_rules;
use crate::manifest::path_pattern::Timed;
use crate::manifest::units::{self, Instant};
use crate::manifest::yaml_tree::Wrong;
use crate::secret::Secret;
use crate::untrusted::escape;

/// Declares a value with a grammar of its own: how the reader asks for it, how it is read, and its schema.
macro_rules! scalar {
    ($($(#[doc = $doc:literal])+ $name:ident($inner:ty) as $ask:ident($asked:ty) = $read:expr, $schema:tt;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub(in crate::manifest) struct $name(pub(in crate::manifest) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let read: fn(&$asked) -> Result<$inner, Wrong> = $read;
                let raw = $ask::deserialize(deserializer)?;
                read(&raw.0).map($name).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                json_schema!($schema)
            }
        }
    )+};
}

scalar! {
    /// The version of the form: 1.
    Version(u64) as Whole(i128) = version, { "type": "integer", "const": 1 };
    /// Text.
    Text(String) as Strict(String) = |text| Ok(text.clone()), { "type": "string" };
    /// The name of an HTTP header.
    HeaderName(String) as Raw(String) = |text| Ok(text.clone()),
        { "type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" };
    /// Text with a secret in it; read so that no error repeats it.
    Sensitive(Secret) as Raw(String) = |text| Ok(Secret::new(text)),
        { "type": "string", "pattern": "\\$\\{SUNHAUL_[A-Za-z0-9_]+\\}" };
    /// Yes or no.
    Switch(bool) as Raw(String) = |text| switch(text), { "type": "boolean" };
    /// A name that becomes a file or folder name.
    Component(String) as Strict(String) = |text| name_rules::component(text),
        { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$" };
    /// A source's own name for something.
    RemoteName(String) as Strict(String) = |text| name_rules::remote_name(text),
        { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$" };
    /// A source's own name for a series.
    SeriesName(String) as Strict(String) = |text| name_rules::series_name(text),
        { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/@:+-]{0,99}$" };
    /// A source's own name for something that may hold more than letters.
    Parameter(String) as Strict(String) = |text| name_rules::series_name(text),
        { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/@:+-]{0,99}$" };
    /// The name of a keyword.
    Keyword(String) as Strict(String) = |text| name_rules::keyword(text),
        { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,39}$" };
    /// An e-mail address.
    Email(String) as Strict(String) = |text| name_rules::contact(text), { "type": "string", "pattern": "^[^@ ]+@[^@ ]+$" };
    /// A host, with its port where that is not the usual one.
    Host(String) as Strict(String) = |text| name_rules::host(text),
        { "type": "string", "pattern": "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9_.-]+)(:[0-9]+)?$" };
    /// A path with times in it.
    TimedPath(Timed) as Strict(String) = |text| Timed::path(text), { "type": "string", "minLength": 1, "maxLength": 500 };
    /// The name of a file with times in it.
    TimedName(Timed) as Strict(String) = |text| Timed::name(text), { "type": "string", "minLength": 1, "maxLength": 500 };
    /// A path with times and other values in it.
    TimedTemplate(Timed) as Strict(String) = |text| Timed::template(text),
        { "type": "string", "minLength": 1, "maxLength": 500 };
    /// Where a service listens.
    BaseUrl(Url) as Strict(String) = |text| name_rules::base_url(text),
        { "type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]" };
    /// One end of a range.
    Date(Instant) as Raw(String) = |text| units::instant(text), {
        "type": "string",
        "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?|now|today(-[0-9]+d|\\+1d)?)$",
    };
    /// A day of the calendar.
    Day(NaiveDate) as Raw(String) = |text| units::day(text),
        { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" };
    /// A pattern for the names or paths of files.
    Pattern(Glob) as Strict(String) = |text| Glob::parse(text),
        { "type": "string", "minLength": 1, "maxLength": 500, "pattern": "^[^/\\[\\]{}\\\\]+(/[^/\\[\\]{}\\\\]+)*$" };
    /// Why something is as it is, in one line.
    Reason(String) as Strict(String) = |text| units::reason(text),
        { "type": "string", "minLength": 1, "maxLength": 500, "pattern": "[^ ]" };
    /// A stretch of time.
    Span(Duration) as Raw(String) = |text| units::duration(text),
        { "type": "string", "pattern": "^[0-9]+ *[smhd]$" };
    /// A stretch of time above zero.
    PositiveSpan(Duration) as Raw(String) = |text| units::positive_duration(text),
        { "type": "string", "pattern": "^[0-9]+ *[smhd]$" };
    /// Requests per time.
    Rate(model::Rate) as Raw(String) = |text| units::rate(text),
        { "type": "string", "pattern": "^(unlimited|[0-9.]+ */ *(s|m|min|h))$" };
    /// Bytes per second.
    Bandwidth(model::Bandwidth) as Raw(String) = |text| units::bandwidth(text),
        { "type": "string", "pattern": "^(unlimited|[0-9.]+ *(B|kB|MB|GB|KiB|MiB|GiB) */s)$" };
    /// What synthetic data are made from.
    Seed(u64) as Whole(i128) = |number| within(*number, 0, u64::MAX), { "type": "integer", "minimum": 0 };
    /// The number of an active region.
    Harpnum(i64) as Whole(i128) = |number| within(*number, 1, 9_999_999),
        { "type": "integer", "minimum": 1, "maximum": 9_999_999 };
    /// The NOAA number of an active region.
    Noaa(i64) as Whole(i128) = |number| within(*number, 1, 99_999),
        { "type": "integer", "minimum": 1, "maximum": 99_999 };
    /// A wavelength in Angstrom.
    Wavelength(i64) as Whole(i128) = |number| within(*number, 1, 99_999),
        { "type": "integer", "minimum": 1, "maximum": 99_999 };
    /// A TCP port.
    Port(u16) as Whole(i128) = |number| within(*number, 1, u16::MAX),
        { "type": "integer", "minimum": 1, "maximum": u16::MAX };
    /// Bits of QUALITY.
    Mask(u64) as Whole(i128) = |number| within(*number, 1, u64::from(u32::MAX)),
        { "type": "integer", "minimum": 1, "maximum": u32::MAX };
    /// A number of connections.
    Concurrency(u32) as Whole(i128) = |number| within(*number, 1, 256),
        { "type": "integer", "minimum": 1, "maximum": 256 };
    /// A number of attempts.
    Attempts(u32) as Whole(i128) = |number| within(*number, 1, 100),
        { "type": "integer", "minimum": 1, "maximum": 100 };
}

fn version(number: &i128) -> Result<u64, Wrong> {
    match number {
        1 => Ok(1),
        other => Err(Wrong::new(format!("version {other} of the form is not known")).hint("write `version: 1`")),
    }
}

fn switch(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::new("neither `true` nor `false`")),
    }
}

fn within<T: TryFrom<i128> + Copy + Into<i128>>(number: i128, least: T, most: T) -> Result<T, Wrong> {
    let fits = (least.into()..=most.into()).contains(&number);
    match T::try_from(number) {
        Ok(value) if fits => Ok(value),
        _ => Err(Wrong::new(format!("{number} is out of range: from {} to {}", least.into(), most.into()))),
    }
}

/// Text that YAML reads as text.
struct Strict(String);
/// The text of any single value, as typed.
struct Raw(String);
/// A whole number.
struct Whole(i128);

macro_rules! asked {
    ($name:ident, $method:ident, $visit:ident($given:ty) = $keep:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a single value")
                    }

                    fn $visit<E: serde::de::Error>(self, value: $given) -> Result<$name, E> {
                        $keep(value)
                    }
                }
                deserializer.$method(Visitor)
            }
        }
    };
}

asked!(Strict, deserialize_string, visit_str(&str) = |text: &str| fair(text).map(Strict).map_err(E::custom));
asked!(Raw, deserialize_str, visit_str(&str) = |text: &str| fair(text).map(Raw).map_err(E::custom));
asked!(Whole, deserialize_i128, visit_i128(i128) = |number: i128| Ok(Whole(number)));

/// What is said of a control character, wherever it stands.
pub(in crate::manifest) fn control(odd: char) -> Wrong {
    Wrong::new(format!("a control character, `{}`", escape(&odd.to_string())))
        .hint("take it out: a manifest is plain text")
}

/// Refuses control characters: no key of the form has use for one.
fn fair(text: &str) -> Result<String, Wrong> {
    match text.chars().find(|c| c.is_control()) {
        Some(odd) => Err(control(odd)),
        None => Ok(text.to_owned()),
    }
}
