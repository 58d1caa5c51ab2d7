//! Web pages and error messages in XML, by the tags that a text begins with.

use super::{Due, votable};

/// The tags that a page may begin with. The standard's list, and what the error pages of nginx, proxies and scripts begin
/// with besides.
const TAGS: [&str; 58] = [
    "html",
    "head",
    "script",
    "iframe",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "div",
    "font",
    "table",
    "a",
    "style",
    "title",
    "b",
    "body",
    "br",
    "p",
    "center",
    "meta",
    "link",
    "base",
    "pre",
    "hr",
    "img",
    "span",
    "form",
    "ul",
    "noscript",
    "frameset",
    "main",
    "section",
    "header",
    "strong",
    "article",
    "nav",
    "footer",
    "aside",
    "small",
    "big",
    "i",
    "em",
    "u",
    "tt",
    "ol",
    "dl",
    "li",
    "tr",
    "td",
    "blockquote",
    "basefont",
    "nobr",
    "marquee",
    "fieldset",
    "textarea",
    "button",
];

/// Those of them that mean nothing but HTML behind an XML declaration, too.
const PAGE_ROOTS: [&str; 16] = [
    "head", "body", "h1", "h2", "h3", "h4", "h5", "h6", "center", "font", "br", "hr", "p", "div", "script", "noscript",
];

/// Outermost elements that are error messages whatever the name of the file: of OGC services and of AWS.
const ERROR_ROOTS: [&str; 4] = ["exceptionreport", "serviceexceptionreport", "serviceexception", "errorresponse"];

/// Outermost elements that are error messages where no XML is due.
const LIKELY_ERROR_ROOTS: [&str; 8] =
    ["error", "errors", "problem", "fault", "exception", "errormessage", "servererror", "apierror"];

/// What stands in an `Error` of an object store (S3, Azure, GCS) first.
const ERROR_MEMBERS: [&str; 4] = ["code", "message", "errorcode", "status"];

/// Outermost elements that hold data, or an error in its place.
const RESPONSES: [&str; 4] = ["response", "result", "results", "oai-pmh"];

/// How many tags are looked at: more than stand before the fault in a SOAP envelope with headers.
const MOST_TAGS: usize = 32;

/// The longest name of a tag, in bytes. A text of nothing but `<` is not searched to its end for that of each.
const LONGEST_NAME: usize = 64;

/// What a text begins with, behind declarations and comments.
#[derive(Debug, Default)]
pub(super) struct Markup {
    /// What stands before the first element.
    prologues: Vec<Prologue>,
    /// The first tags that open an element, in lower case and without prefix. Empty where text stands before them.
    tags: Vec<String>,
    /// The second of them holds nothing: no error.
    is_child_empty: bool,
    /// Text stands where the first element would, and no element ends behind it.
    has_plain_text: bool,
    /// A `VOTable` whose service says that the query failed.
    is_failed_query: bool,
}

/// What may stand before the first element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prologue {
    Comment,
    XmlDeclaration,
    /// The source of a script that its server should have run.
    Script,
    Instruction,
    HtmlDoctype,
    OtherDoctype,
}

impl Prologue {
    fn of(text: &[u8]) -> Option<Prologue> {
        if text.starts_with(b"<!--") {
            return Some(Prologue::Comment);
        }
        if text.starts_with(b"<?") {
            return Some(match text {
                _ if starts_with(text, b"<?xml") => Prologue::XmlDeclaration,
                _ if starts_with(text, b"<?php") => Prologue::Script,
                _ => Prologue::Instruction,
            });
        }
        if !starts_with(text, b"<!doctype") {
            return None;
        }
        let declared = text[9..].trim_ascii_start();
        let is_html = starts_with(declared, b"html") && ends_word(declared.get(4));
        Some(if is_html { Prologue::HtmlDoctype } else { Prologue::OtherDoctype })
    }

    /// The text behind it; `None` where it does not end.
    fn behind(self, text: &[u8]) -> Option<&[u8]> {
        let after = |end: &[u8]| {
            let at = text.windows(end.len()).position(|bytes| bytes == end)?;
            Some(text[at + end.len()..].trim_ascii_start())
        };
        match self {
            Prologue::Comment => after(b"-->"),
            Prologue::XmlDeclaration | Prologue::Script | Prologue::Instruction => after(b"?>"),
            Prologue::HtmlDoctype | Prologue::OtherDoctype => {
                let has_subset = text.iter().find(|byte| matches!(byte, b'[' | b'>')) == Some(&b'[');
                let rest = after(if has_subset { b"]" } else { b">" })?;
                Some(rest.strip_prefix(b">").filter(|_| has_subset).unwrap_or(rest).trim_ascii_start())
            }
        }
    }
}

impl Markup {
    pub(super) fn read(text: &[u8]) -> Markup {
        let mut markup = Markup::default();
        let mut rest = text.trim_ascii_start();
        while let Some(prologue) = Prologue::of(rest) {
            markup.prologues.push(prologue);
            let Some(behind) = prologue.behind(rest) else { return markup };
            rest = behind;
        }
        if tag(rest).is_some() && rest.contains(&b'>') {
            let opens = (0..rest.len()).filter(|at| rest[*at] == b'<').map(|at| &rest[at..]);
            let elements: Vec<&[u8]> = opens.filter(|element| tag(element).is_some()).take(MOST_TAGS).collect();
            markup.tags = elements.iter().filter_map(|element| tag(element)).collect();
            markup.is_child_empty = elements.get(1).is_some_and(|element| holds_nothing(element));
            markup.is_failed_query = markup.is_votable() && votable::has_failed(rest);
        } else {
            markup.has_plain_text = !rest.is_empty() && !rest.windows(2).any(|bytes| bytes == b"</");
        }
        markup
    }

    fn root(&self) -> &str {
        self.tags.first().map_or("", String::as_str)
    }

    fn child(&self) -> &str {
        self.tags.get(1).map_or("", String::as_str)
    }

    fn holds(&self, names: &[&str]) -> bool {
        self.tags.iter().skip(1).any(|tag| names.contains(&tag.as_str()))
    }

    /// True where the text begins with an element.
    pub(super) fn has_root(&self) -> bool {
        !self.tags.is_empty()
    }

    pub(super) fn is_votable(&self) -> bool {
        self.root() == "votable"
    }

    pub(super) fn is_page(&self, due: Due) -> bool {
        let has = |prologue| self.prologues.contains(&prologue);
        if has(Prologue::HtmlDoctype) || has(Prologue::Script) || self.root() == "html" {
            return true;
        }
        if matches!(due, Due::Xml | Due::Markdown) {
            return false;
        }
        if has(Prologue::XmlDeclaration) {
            return PAGE_ROOTS.contains(&self.root());
        }
        // A comment is markup: what stands behind it is no data, unless it is another element, or the text of a text.
        let is_text = self.has_plain_text && matches!(due, Due::Text | Due::Source);
        let is_comment = has(Prologue::Comment) && !self.has_root() && !is_text;
        is_comment || TAGS.contains(&self.root())
    }

    pub(super) fn is_error(&self, due: Due) -> bool {
        let root = self.root();
        let is_told = match root {
            "error" => ERROR_MEMBERS.contains(&self.child()),
            "envelope" => self.holds(&["fault"]),
            _ => ERROR_ROOTS.contains(&root) || self.is_failed_query,
        };
        let is_likely = LIKELY_ERROR_ROOTS.contains(&root)
            || (RESPONSES.contains(&root)
                && matches!(self.child(), "error" | "errors" | "fault")
                && !self.is_child_empty);
        is_told || (due != Due::Xml && is_likely)
    }
}

/// True for an element without attributes that holds no more than a zero, such as `<errors>0</errors>`.
fn holds_nothing(element: &[u8]) -> bool {
    let text = String::from_utf8_lossy(element);
    let Some((open, behind)) = text.split_once('>') else { return false };
    let name = open.trim_end_matches('/').trim_end();
    let held = behind.split_once("</").map(|(held, _)| held.trim());
    let is_empty = open.ends_with('/') || held.is_some_and(|held| ["", "0", "none", "false"].contains(&held));
    is_empty && !name.contains(char::is_whitespace)
}

/// The name of the tag that a text begins with, in lower case and without prefix.
fn tag(text: &[u8]) -> Option<String> {
    let name = text.strip_prefix(b"<")?;
    let length = name.iter().take(LONGEST_NAME + 1).position(|byte| ends_word(Some(byte)))?;
    let (name, after) = name.split_at(length);
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.'));
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
    (is_name && !after.is_empty()).then(|| String::from_utf8_lossy(local).to_ascii_lowercase())
}

fn ends_word(byte: Option<&u8>) -> bool {
    byte.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'['))
}

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}
