//! The layout as typed: text with variables, parsed and found unable to leave the root.
//!
//! What it does not do: fill in values. `archive::layout` does.

use std::fmt;

/// A parsed layout such as `{series}/{date:%Y/%m/%d}/{file}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

/// A piece of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself; may hold `/`.
    Text(String),
    /// A variable, with its strftime format where it takes one.
    Variable(Variable),
}

/// What a layout can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// The series' id.
    Series,
    /// The day, by strftime.
    Date(String),
    /// The file's own time, by strftime.
    Time(String),
    /// The file's name.
    File,
    /// The record number.
    Recnum,
    /// The active region's number.
    Harpnum,
    /// The slot, as `YYYYmmdd_HHMMSS_TAI`.
    TRec,
    /// The segment's name.
    Segment,
    /// The wavelength in Angstrom.
    Wavelength,
}

/// Why a text is no layout: a message and a hint, and the byte range in the text that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Where in the text.
    pub at: std::ops::Range<usize>,
}

impl Template {
    /// Parses a layout and proves what can be proved without values: it is relative, has no `..`, no backslash, no
    /// control character, no component that starts with a dot or a dash, and tells files apart.
    ///
    /// # Errors
    /// The first [`Problem`] found.
    pub fn parse(text: &str) -> Result<Template, Problem> {
        let _ = text;
        Err(Problem { message: "not written yet".into(), hint: None, at: 0..0 })
    }

    /// The layout as typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
