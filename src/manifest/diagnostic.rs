//! What is wrong with a manifest: every error with its place, the line underlined, and a hint.
//!
//! What it does not do: find errors. It never shows the value of a variable or the login of a URL.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::untrusted::escape;

/// How many errors of one file are kept; a hostile file could hold half a million.
const KEPT: usize = 100;

/// How many characters of a line are shown, and how many of them stand before the underlined part.
const SHOWN: usize = 110;
const LEAD: usize = 40;

/// How many bytes before and after a place are looked at.
const NEAR: usize = 4096;

/// A stretch of the manifest's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

/// An error found, before it is put beside the text it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Where; none for the file as a whole.
    pub(super) at: Option<Span>,
    /// What is wrong; safe to show.
    pub(super) message: String,
    /// What to write instead.
    pub(super) hint: Option<String>,
    /// Another place that belongs to it, and what is there.
    pub(super) also: Option<(Span, String)>,
}

impl Finding {
    /// An error at a place. `message` must be safe to show.
    pub(super) fn new(at: Span, message: impl Into<String>) -> Finding {
        Finding { at: Some(at), message: message.into(), hint: None, also: None }
    }

    /// An error of the file as a whole.
    pub(super) fn whole(message: impl Into<String>) -> Finding {
        Finding { at: None, message: message.into(), hint: None, also: None }
    }

    /// Adds what to write instead.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(hint.into());
        self
    }

    /// Adds another place.
    pub(super) fn also(mut self, at: Span, label: impl Into<String>) -> Finding {
        self.also = Some((at, label.into()));
        self
    }
}

/// All errors of one manifest, in the order of their places. Its `Display` is the plain text for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    path: PathBuf,
    list: Vec<Diagnostic>,
    omitted: usize,
}

/// One error of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The manifest, as given on the command line.
    pub path: PathBuf,
    /// The line, from 1; 0 when the error is the file's as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 likewise.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line of the file, escaped and cut, and which of its characters are meant.
    #[serde(skip)]
    excerpt: Option<Excerpt>,
    /// Another place that belongs to it.
    #[serde(skip)]
    also: Option<(Excerpt, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: usize,
    column: usize,
    text: String,
    /// How many characters stand before the underline.
    before: usize,
    /// How many are underlined, at least one.
    marked: usize,
}

impl Diagnostics {
    /// Puts findings beside the text they are about.
    pub(super) fn new(path: &Path, text: &str, mut findings: Vec<Finding>) -> Diagnostics {
        findings.sort_by_key(|finding| finding.at);
        // One value may serve several series: what is wrong with it is told once.
        findings.dedup();
        let omitted = findings.len().saturating_sub(KEPT);
        findings.truncate(KEPT);
        let (mut places, mut others) = (Places::new(text), Places::new(text));
        let list = findings
            .into_iter()
            .map(|finding| {
                let excerpt = finding.at.map(|span| Excerpt::new(&mut places, span));
                Diagnostic {
                    path: path.to_owned(),
                    line: excerpt.as_ref().map_or(0, |e| e.line),
                    column: excerpt.as_ref().map_or(0, |e| e.column),
                    message: finding.message,
                    hint: finding.hint,
                    excerpt,
                    also: finding.also.map(|(span, label)| (Excerpt::new(&mut others, span), label)),
                }
            })
            .collect();
        Diagnostics { path: path.to_owned(), list, omitted }
    }

    /// The errors, by place; at most 100.
    #[must_use]
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// How many errors there are, those left out included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// The text for a reader: each error with its line underlined, and a last line that counts them.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = Paint { colour };
        let mut out = String::new();
        for diagnostic in &self.list {
            diagnostic.render(&mut out, paint);
            out.push('\n');
        }
        let errors = if self.count() == 1 { "1 error".to_owned() } else { format!("{} errors", self.count()) };
        let shown = if self.omitted == 0 { String::new() } else { format!(", of which the first {KEPT} are shown") };
        out.push_str(&paint.red("error"));
        out.push_str(&format!(": {}: {errors}{shown}\n", escape(&self.path.to_string_lossy())));
        out
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn blue(self, text: &str) -> String {
        self.with("1;34", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

impl Diagnostic {
    fn render(&self, out: &mut String, paint: Paint) {
        let path = self.path.to_string_lossy();
        let path = escape(&path);
        let line = self.line.max(self.also.as_ref().map_or(0, |(excerpt, _)| excerpt.line));
        let margin = line.to_string().len();
        let gap = " ".repeat(margin);
        out.push_str(&format!("{}{}\n", paint.red("error"), paint.bold(&format!(": {}", self.message))));
        match &self.excerpt {
            Some(excerpt) => {
                out.push_str(&format!("{gap}{} {path}:{}:{}\n", paint.blue("-->"), self.line, self.column));
                excerpt.render(out, paint, margin, '^', "");
            }
            None => out.push_str(&format!("{gap}{} {path}\n", paint.blue("-->"))),
        }
        if let Some((excerpt, label)) = &self.also {
            out.push_str(&format!("{gap}{} {path}:{}:{}\n", paint.blue(":::"), excerpt.line, excerpt.column));
            excerpt.render(out, paint, margin, '-', label);
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("{gap} {} {}\n", paint.blue("="), paint.bold("hint: ") + hint));
        }
    }
}

/// Counts lines and columns while going forward through the text, so that many places cost one pass.
struct Places<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    column: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Places<'a> {
        Places { text, at: 0, line: 1, line_start: 0, column: 1 }
    }

    /// Goes to a place, from the beginning when it lies behind.
    fn go(&mut self, to: usize) {
        if to < self.at {
            *self = Places::new(self.text);
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
    fn new(places: &mut Places<'_>, span: Span) -> Excerpt {
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
        for (shown, (at, c)) in line.char_indices().skip(skip).enumerate() {
            if shown == SHOWN {
                excerpt.text.push('…');
                break;
            }
            let hidden = secret.iter().any(|range| range.contains(&at));
            let mut buffer = [0; 4];
            let written = if hidden { "*".into() } else { escape(c.encode_utf8(&mut buffer)) };
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

    fn render(&self, out: &mut String, paint: Paint, margin: usize, mark: char, label: &str) {
        let gap = " ".repeat(margin);
        let bar = paint.blue("|");
        let number = paint.blue(&format!("{:>margin$}", self.line));
        let under: String = std::iter::repeat_n(mark, self.marked).collect();
        let under = if mark == '^' { paint.red(&under) } else { paint.blue(&under) };
        out.push_str(&format!("{gap} {bar}\n{number} {bar} {}\n", self.text));
        let line = format!("{gap} {bar} {}{under} {label}", " ".repeat(self.before));
        out.push_str(line.trim_end());
        out.push('\n');
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

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, finding: Finding) -> String {
        Diagnostics::new(Path::new("job.yaml"), text, vec![finding]).to_string()
    }

    #[test]
    fn the_place_is_underlined_and_the_hint_follows() {
        let text = "version: 1\nsegmets: [Br]\n";
        let finding = Finding::new(Span { start: 11, end: 18 }, "unknown key").hint("did you mean `segments`?");
        insta::assert_snapshot!(render(text, finding), @r"
        error: unknown key
         --> job.yaml:2:1
          |
        2 | segmets: [Br]
          | ^^^^^^^
          = hint: did you mean `segments`?

        error: job.yaml: 1 error
        ");
    }

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_still_underlined_right() {
        let text = "a\u{1b}[2J: \u{202e}x\n";
        let at = text.find('\u{202e}').unwrap();
        let shown = render(text, Finding::new(Span { start: at, end: at + 4 }, "odd"));
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
        assert!(shown.contains("a\\u{1b}[2J: \\u{202e}x"), "{shown}");
        assert!(shown.contains(&format!("| {}{}\n", " ".repeat("a\\u{1b}[2J: ".len()), "^".repeat(9))), "{shown}");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}HERE{}", "a".repeat(5000), "b".repeat(1_000_000));
        let shown = render(&text, Finding::new(Span { start: 5000, end: 5004 }, "long"));
        assert!(shown.len() < 1000, "{}", shown.len());
        assert!(shown.contains("aHEREb"), "{shown}");
        assert!(shown.contains("job.yaml:1:5001"));
    }

    #[test]
    fn logins_in_urls_are_never_shown() {
        let text = "url: http://jane:se@cret@host/x and https://plain/y@z\n";
        let shown = render(text, Finding::new(Span { start: 5, end: 30 }, "no login, please"));
        assert!(!shown.contains("cret") && !shown.contains("jane"), "{shown}");
        assert!(shown.contains("@host/x and https://plain/y@z"), "{shown}");
    }

    #[test]
    fn colour_only_adds_escape_codes() {
        let diagnostics =
            Diagnostics::new(Path::new("j"), "x: 1", vec![Finding::new(Span { start: 0, end: 1 }, "bad").hint("good")]);
        let coloured = diagnostics.render(true);
        assert!(coloured.contains("\u{1b}[1;31merror\u{1b}[0m"));
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some(at) = rest.find('\u{1b}') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..][rest[at..].find('m').unwrap() + 1..];
        }
        plain.push_str(rest);
        assert_eq!(plain, diagnostics.render(false));
    }
}
