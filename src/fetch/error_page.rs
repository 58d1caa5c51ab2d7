//! What a server sends with status 200 in place of a file: a web page, or an error message in XML, in JSON or in
//! plain text.
//!
//! Web pages are known as browsers know them (WHATWG MIME Sniffing, 7.1), behind any white space, in UTF-8 and UTF-16, and
//! behind comments. A name that promises a page or XML may hold one.

mod json;
mod markup;
mod plain_text;
mod printed_head;
mod script;
mod start;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod votable;

use super::magic;
use markup::Markup;
pub(super) use start::Start;

const PAGE: &str = "a web page arrived where data was due; the service may be down";
const ERROR: &str = "an error message came where data was due; the service may be down";
const SCRIPT: &str = "the text holds the error message of a program: the service failed while it wrote the file";
const LABEL: &str = "text came that the service calls a web page (Content-Type), where data was due; the service may be \
                     down; if it is the file, `sunhaul adopt` takes a copy of it that came by other means";
const JSON: &str = "JSON came, by its Content-Type too, where other data was due; the service may be down; if it is the \
                    file, `sunhaul adopt` takes a copy of it that came by other means";

/// What the name of a file says that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Page,
    Xml,
    Json,
    Text,
    /// A table in plain text.
    Table,
    /// A log or a source, which may quote the messages of programs.
    Source,
    /// A text in which HTML may stand.
    Markdown,
    /// It does not say.
    Any,
    Other,
}

impl Due {
    fn of(name: &str) -> Due {
        match magic::extension(name).as_str() {
            "html" | "htm" | "xhtml" | "xht" | "shtml" | "php" => Due::Page,
            "xml" | "svg" | "vot" | "votable" | "rdf" | "kml" | "gml" | "gpx" | "xsd" | "xsl" | "atom" | "rss" => {
                Due::Xml
            }
            "json" | "jsonl" | "ndjson" | "geojson" | "jsonld" | "ipynb" => Due::Json,
            "txt" | "text" | "dat" | "hdr" | "meta" => Due::Text,
            "csv" | "asc" | "tab" | "lst" => Due::Table,
            "md" | "markdown" | "rst" => Due::Markdown,
            "log" | "out" | "err" | "py" | "pro" | "sh" | "pl" | "m" | "r" | "c" | "h" | "cpp" | "f" | "f90"
            | "for" | "java" | "js" | "tex" => Due::Source,
            // A number is no type, and neither is nothing.
            other if other.bytes().all(|byte| byte.is_ascii_digit()) => Due::Any,
            _ => Due::Other,
        }
    }
}

/// What a Content-Type says, as far as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Page,
    Json,
    /// An error message, by RFC 9457.
    Problem,
    Other,
}

impl Label {
    fn of(content_type: Option<&str>) -> Label {
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => Label::Page,
            "application/problem+json" | "application/problem+xml" => Label::Problem,
            "application/json" | "text/json" => Label::Json,
            _ => Label::Other,
        }
    }
}

/// A body as far as it is looked at here.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageBody<'a> {
    /// Its file's name.
    pub(super) name: &'a str,
    /// The Content-Type that it came with.
    pub(super) content_type: Option<&'a str>,
    /// Its first bytes.
    pub(super) head: &'a [u8],
    /// Its first text.
    pub(super) start: &'a Start,
    /// Its last bytes.
    pub(super) tail: &'a [u8],
}

/// Why a body is no file's; `None` where it may be one.
pub(super) fn objection(PageBody { name, content_type, head, start, tail }: PageBody<'_>) -> Option<&'static str> {
    let (due, label) = (Due::of(name), Label::of(content_type));
    if label == Label::Problem {
        return Some(ERROR);
    }
    if due == Due::Page || magic::agrees(name, head) == Some(true) || head.starts_with(magic::FITS) {
        return None;
    }
    let printed = printed_head::read(&start.text);
    if printed.as_ref().and_then(|printed| printed.status).is_some_and(|status| status >= 400) {
        return Some(ERROR);
    }
    let text = printed.map_or(start.text.as_slice(), |printed| printed.body);
    let markup = if table::has_bracketed_header(text) { Markup::default() } else { Markup::read(text) };
    if markup.is_page(due) {
        return Some(PAGE);
    }
    // Under a name of FITS it fails as something that is no FITS file.
    let is_whole = !start.is_cut && !magic::is_fits(name);
    if markup.is_error(due) || (markup.is_votable() && votable::breaks_off(tail)) || (is_whole && json::is_error(text))
    {
        return Some(ERROR);
    }
    if is_whole && !matches!(due, Due::Source | Due::Markdown) && plain_text::is_message(text) {
        return Some(ERROR);
    }
    if start.is_binary() {
        return None;
    }
    if !matches!(due, Due::Xml | Due::Source | Due::Markdown) {
        if script::has_failed(&start.text, tail) {
            return Some(SCRIPT);
        }
        if ends_as_page(tail) && (opens_page(tail) || opens_page(&start.text)) {
            return Some(PAGE);
        }
    }
    match label {
        Label::Page if due == Due::Xml && markup.has_root() => None,
        Label::Page if matches!(due, Due::Text | Due::Table) && table::is_numbers(&start.text, start.is_cut) => None,
        Label::Page => Some(LABEL),
        Label::Json if matches!(due, Due::Table | Due::Other) && matches!(start.text.first(), Some(b'{' | b'[')) => {
            Some(JSON)
        }
        _ => None,
    }
}

/// True where a page was written behind the data that came before it.
fn ends_as_page(tail: &[u8]) -> bool {
    let end = tail.trim_ascii_end();
    let last = |length: usize| &end[end.len().saturating_sub(length)..];
    last(7).eq_ignore_ascii_case(b"</html>") || last(7).eq_ignore_ascii_case(b"</body>")
}

fn opens_page(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    [&b"<html"[..], b"<!doctype html"].iter().any(|tag| text.windows(tag.len()).any(|bytes| bytes == *tag))
}
