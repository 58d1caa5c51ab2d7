//! What is wrong with a manifest: every error with its place, the line underlined, and a hint.
//!
//! What it does not do: find errors. It never shows the value of a variable or the login of a URL.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub(super) use super::snippet::Span;
use super::snippet::{Excerpt, LineColumns, SnippetPaint};
use crate::untrusted::escape;

/// How many errors of one file are kept; a hostile file could hold half a million.
const KEPT: usize = 100;

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

impl Diagnostics {
    /// Puts findings beside the text they are about.
    pub(super) fn new(path: &Path, text: &str, mut findings: Vec<Finding>) -> Diagnostics {
        findings.sort_by_key(|finding| finding.at);
        // One value may serve several series: what is wrong with it is told once.
        findings.dedup();
        let omitted = findings.len().saturating_sub(KEPT);
        findings.truncate(KEPT);
        let (mut places, mut others) = (LineColumns::new(text), LineColumns::new(text));
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

    /// The one error of a file that is read line by line: `line` is its number from 1, `at` are bytes of its text.
    #[must_use]
    pub fn of_line(path: &Path, line: usize, text: &str, at: Range<usize>, message: &str, hint: &str) -> Diagnostics {
        let finding = Finding::new(Span { start: at.start, end: at.end }, message).hint(hint);
        let mut one = Diagnostics::new(path, text, vec![finding]);
        for diagnostic in &mut one.list {
            diagnostic.line = line;
            if let Some(excerpt) = &mut diagnostic.excerpt {
                excerpt.line = line;
            }
        }
        one
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
        Rendered { diagnostics: self, paint: SnippetPaint { colour } }.to_string()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

struct Rendered<'a> {
    diagnostics: &'a Diagnostics,
    paint: SnippetPaint,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics.list {
            diagnostic.render(f, self.paint)?;
            writeln!(f)?;
        }
        write!(f, "{}: {}: ", self.paint.red("error"), escape(&self.diagnostics.path.to_string_lossy()))?;
        match self.diagnostics.count() {
            1 => write!(f, "1 error")?,
            more => write!(f, "{more} errors")?,
        }
        if self.diagnostics.omitted > 0 {
            write!(f, ", of which the first {KEPT} are shown")?;
        }
        writeln!(f)
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostic {
    fn render(&self, f: &mut fmt::Formatter<'_>, paint: SnippetPaint) -> fmt::Result {
        let path = self.path.to_string_lossy();
        let path = escape(&path);
        let line = self.line.max(self.also.as_ref().map_or(0, |(excerpt, _)| excerpt.line));
        let margin = line.to_string().len();
        let gap = " ".repeat(margin);
        writeln!(f, "{}{}", paint.red("error"), paint.bold(&format!(": {}", self.message)))?;
        match &self.excerpt {
            Some(excerpt) => {
                writeln!(f, "{gap}{} {path}:{}:{}", paint.blue("-->"), self.line, self.column)?;
                excerpt.render(f, paint, margin, '^', "")?;
            }
            None => writeln!(f, "{gap}{} {path}", paint.blue("-->"))?,
        }
        if let Some((excerpt, label)) = &self.also {
            writeln!(f, "{gap}{} {path}:{}:{}", paint.blue(":::"), excerpt.line, excerpt.column)?;
            excerpt.render(f, paint, margin, '-', label)?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "{gap} {} {}{hint}", paint.blue("="), paint.bold("hint: ")),
            None => Ok(()),
        }
    }
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
