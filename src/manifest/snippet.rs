//! One line of the manifest as it is shown: escaped, cut around the place that is meant, logins hidden.

use std::fmt;

use crate::untrusted::{escape, escape_at};

/// A stretch of the manifest's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

/// How many characters of a line are shown, and how many of them stand before the underlined part.
const SHOWN: usize = 110;
const LEAD: usize = 40;

/// How many bytes before and after a place are looked at.
const NEAR: usize = 4096;

/// A line of the file, and which of its characters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line in the file, from 1.
    pub(super) line: usize,
    /// The column in characters, from 1.
    pub(super) column: usize,
    text: String,
    /// How many characters stand before the underline.
    before: usize,
    /// How many are underlined, at least one.
    marked: usize,
}

/// Counts lines and columns while going forward through the text, so that many places cost one pass.
pub(super) struct LineColumns<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    column: usize,
}

impl<'a> LineColumns<'a> {
    pub(super) fn new(text: &'a str) -> LineColumns<'a> {
        LineColumns { text, at: 0, line: 1, line_start: 0, column: 1 }
    }

    /// Goes to a place, from the beginning when it lies behind.
    fn go(&mut self, to: usize) {
        if to < self.at {
            *self = LineColumns::new(self.text);
        }
        let passed = &self.text[self.at..to];
        if let Some(newline) = passed.rfind('\n') {
            self.line += passed.matches('\n').count();
            self.line_start = self.at + newline + 1;
            self.column = 1;
        }
        self.column += self.text[self.at.max(self.line_start)..to].chars().count();
        self.at = to;
    }
}

impl Excerpt {
    pub(super) fn new(places: &mut LineColumns<'_>, span: Span) -> Excerpt {
        let text = places.text;
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(span.start));
        places.go(start);
        let mut excerpt =
            Excerpt { line: places.line, column: places.column, text: String::new(), before: 0, marked: 0 };

        // A line may be a megabyte long: it is cut around the place, and looked at only near it.
        let near = floor(text, start.saturating_sub(NEAR)).max(places.line_start);
        let far = floor(text, start.saturating_add(NEAR));
        let line = text[near..far].split_at(start - near);
        let rest = line.1.find('\n').map_or(line.1, |newline| &line.1[..newline]);
        let line = text[near..start + rest.len()].trim_end_matches('\r');
        let before = text[near..start].chars().count();
        let skip = if before + 20 > SHOWN { before.saturating_sub(LEAD) } else { 0 };
        if skip > 0 || near > places.line_start {
            excerpt.text.push('…');
            excerpt.before = 1;
        }
        let secret = logins(line);
        for (shown, (at, _)) in line.char_indices().skip(skip).enumerate() {
            if shown == SHOWN {
                excerpt.text.push('…');
                break;
            }
            let hidden = secret.iter().any(|range| range.contains(&at));
            let written = if hidden { escape("*") } else { escape_at(line, at) };
            let width = written.chars().count();
            if near + at < start {
                excerpt.before += width;
            } else if near + at < end {
                excerpt.marked += width;
            }
            excerpt.text.push_str(&written);
        }
        excerpt.marked = excerpt.marked.max(1);
        excerpt
    }

    /// Writes the line under its number and the mark under the line.
    pub(super) fn render(
        &self,
        f: &mut fmt::Formatter<'_>,
        paint: SnippetPaint,
        margin: usize,
        mark: char,
        label: &str,
    ) -> fmt::Result {
        let gap = " ".repeat(margin);
        let bar = paint.blue("|");
        let number = paint.blue(&format!("{:>margin$}", self.line));
        let under: String = std::iter::repeat_n(mark, self.marked).collect();
        let under = if mark == '^' { paint.red(&under) } else { paint.blue(&under) };
        writeln!(f, "{gap} {bar}\n{number} {bar} {}", self.text)?;
        let line = format!("{gap} {bar} {}{under} {label}", " ".repeat(self.before));
        writeln!(f, "{}", line.trim_end())
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where a line holds the login part of a URL: what stands between `://` and `@`.
fn logins(line: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = line[from..].find("://") {
        let start = from + at + 3;
        let rest = &line[start..];
        let end = rest.find(['/', '?', '#', ' ', '"', '\'']).unwrap_or(rest.len());
        // A password may hold an `@` itself: the last one ends the login.
        if let Some(at) = rest[..end].rfind('@') {
            found.push(start..start + at);
        }
        from = start;
    }
    found
}

/// Colours, or none.
#[derive(Clone, Copy)]
pub(super) struct SnippetPaint {
    /// True for escape codes.
    pub(super) colour: bool,
}

impl SnippetPaint {
    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// An error.
    pub(super) fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// What belongs to the frame.
    pub(super) fn blue(self, text: &str) -> String {
        self.with("1;34", text)
    }

    /// What matters.
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}
