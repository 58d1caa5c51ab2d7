//! What a server sends with status 200 in place of a file: a web page, or an error message in XML or JSON.
//!
//! Web pages are known as browsers know them (WHATWG MIME Sniffing, 7.1), behind any white space, in UTF-8 and UTF-16, and
//! behind comments. Error messages are those of object stores (`<Error><Code>`), of OGC services, and of RFC 9457. What it
//! does not do: judge data. A name that promises a page, XML or JSON may hold one.

use super::magic;

/// How much text is looked at, in bytes: more than the comments and declarations before a page take.
const ENOUGH: usize = 8 * 1024;

/// The tags that a page may begin with. The standard's list, and what the error pages of nginx, proxies and scripts begin
/// with besides.
const TAGS: [&str; 36] = [
    "html", "head", "script", "iframe", "h1", "h2", "h3", "h4", "h5", "h6", "div", "font", "table", "a", "style",
    "title", "b", "body", "br", "p", "center", "meta", "link", "base", "pre", "hr", "img", "span", "form", "ul",
    "noscript", "frameset", "main", "section", "header", "strong",
];

/// Outermost elements of error messages in XML, in lower case and without their prefix.
const ERROR_ROOTS: [&str; 4] = ["error", "exceptionreport", "serviceexceptionreport", "problem"];

/// Members by which an object in JSON says that it is an error message, in lower case.
const ERROR_MEMBERS: [&str; 8] =
    ["error", "errors", "message", "detail", "fault", "exception", "error_description", "errormessage"];

/// Members that hold a status of HTTP.
const STATUS_MEMBERS: [&str; 3] = ["status", "code", "statuscode"];

/// The text that a body begins with, gathered as it comes: without a byte order mark and the white space before it, and
/// without the zeros of UTF-16.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// The first bytes, until they tell the encoding.
    first: Vec<u8>,
    is_utf16: bool,
    text: Vec<u8>,
    /// There is more than is kept.
    is_cut: bool,
}

impl Start {
    /// Takes in the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        if self.is_cut {
            return;
        }
        if self.first.len() < 3 {
            let (first, rest) = bytes.split_at(bytes.len().min(3 - self.first.len()));
            self.first.extend_from_slice(first);
            bytes = rest;
            if self.first.len() < 3 {
                return;
            }
            let first = self.first.clone();
            self.begin(&first);
        }
        self.gather(bytes);
    }

    /// Finds out the encoding by the first bytes.
    fn begin(&mut self, first: &[u8]) {
        let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        let rest = match first {
            [0xef, 0xbb, 0xbf, rest @ ..] => rest,
            [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] => {
                self.is_utf16 = true;
                rest
            }
            [a, 0, ..] | [0, a, ..] if is_text(*a) => {
                self.is_utf16 = true;
                first
            }
            _ => first,
        };
        self.gather(rest);
    }

    fn gather(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if (self.is_utf16 && *byte == 0) || (self.text.is_empty() && byte.is_ascii_whitespace()) {
                continue;
            }
            if self.text.len() == ENOUGH {
                self.is_cut = true;
                return;
            }
            self.text.push(*byte);
        }
    }

    /// The end of the body.
    pub(super) fn end(&mut self) {
        if self.first.len() < 3 {
            let first = self.first.clone();
            self.begin(&first);
        }
    }

    /// True where no text is: bytes that the standard (3.1) calls binary.
    fn is_binary(&self) -> bool {
        self.text.iter().any(|byte| matches!(byte, 0..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f))
    }
}

/// What the name of a file says that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Page,
    Xml,
    Json,
    /// Any text.
    Text,
    Other,
}

impl Due {
    fn of(name: &str) -> Due {
        match magic::extension(name).as_str() {
            "html" | "htm" | "xhtml" | "xht" | "shtml" => Due::Page,
            "xml" | "svg" | "vot" | "votable" | "rdf" | "kml" | "gml" | "gpx" | "xsd" | "xsl" | "atom" | "rss" => {
                Due::Xml
            }
            "json" | "jsonl" | "ndjson" | "geojson" | "jsonld" | "ipynb" => Due::Json,
            "txt" | "text" | "" => Due::Text,
            // A number is no type.
            other if other.bytes().all(|byte| byte.is_ascii_digit()) => Due::Text,
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
pub(super) struct Body<'a> {
    /// Its file's name.
    pub(super) name: &'a str,
    /// The Content-Type that it came with.
    pub(super) content_type: Option<&'a str>,
    /// Its first bytes.
    pub(super) head: &'a [u8],
    /// Its first text.
    pub(super) start: &'a Start,
}

/// Why a body is no file's; `None` where it may be one.
pub(super) fn objection(Body { name, content_type, head, start }: Body<'_>) -> Option<&'static str> {
    const PAGE: &str = "a web page came where data was due; the service may be down";
    const ERROR: &str = "an error message came where data was due; the service may be down";
    const LABEL: &str = "text came that the service calls a web page (Content-Type), where data was due; the service may be \
                         down; if it is the file, `sunhaul adopt` takes a copy of it that came by other means";
    const JSON: &str = "JSON came, by its Content-Type too, where other data was due; the service may be down; if it is the \
                        file, `sunhaul adopt` takes a copy of it that came by other means";
    let (due, label) = (Due::of(name), Label::of(content_type));
    if label == Label::Problem {
        return Some(ERROR);
    }
    if due == Due::Page || magic::agrees(name, head) == Some(true) || head.starts_with(magic::FITS) {
        return None;
    }
    let markup = Markup::read(&start.text);
    if markup.is_page(due) {
        return Some(PAGE);
    }
    if markup.is_error(due) || (label == Label::Json && due != Due::Json && is_error_object(start)) {
        return Some(ERROR);
    }
    match label {
        _ if start.is_binary() => None,
        Label::Page if due != Due::Xml || !markup.has_root() => Some(LABEL),
        Label::Json if due == Due::Other && matches!(start.text.first(), Some(b'{' | b'[')) => Some(JSON),
        _ => None,
    }
}

/// True for what a gzip stream under this name holds in place of data.
pub(super) fn is_within(name: &str, start: &Start) -> bool {
    let markup = Markup::read(&start.text);
    let due = Due::of(name);
    due != Due::Page && (markup.is_page(due) || markup.is_error(due))
}

/// What a text begins with, behind declarations and comments.
#[derive(Debug, Default)]
struct Markup {
    /// It declares that it is HTML.
    has_doctype: bool,
    has_comment: bool,
    is_xml: bool,
    /// The first tag, in lower case.
    tag: Option<String>,
    /// The tag right behind it.
    child: Option<String>,
}

impl Markup {
    fn read(text: &[u8]) -> Markup {
        let mut markup = Markup::default();
        let mut rest = text.trim_ascii_start();
        loop {
            let (end, kind): (&[u8], _) = if rest.starts_with(b"<!--") {
                (b"-->", &mut markup.has_comment)
            } else if rest.starts_with(b"<?") {
                markup.is_xml |= starts_with(rest, b"<?xml");
                (b"?>", &mut false)
            } else if starts_with(rest, b"<!doctype") {
                let declared = rest[9..].trim_ascii_start();
                markup.has_doctype |= starts_with(declared, b"html") && ends_word(declared.get(4));
                let has_subset = rest.iter().find(|byte| matches!(byte, b'[' | b'>')) == Some(&b'[');
                (if has_subset { b"]" } else { b">" }, &mut false)
            } else {
                break;
            };
            *kind = true;
            let Some(at) = rest.windows(end.len()).position(|bytes| bytes == end) else { return markup };
            rest = rest[at + end.len()..].trim_ascii_start();
            rest = rest.strip_prefix(b">").filter(|_| end == b"]").unwrap_or(rest).trim_ascii_start();
        }
        markup.tag = tag(rest);
        let behind = rest.iter().position(|byte| *byte == b'>').map(|at| rest[at + 1..].trim_ascii_start());
        markup.child = behind.and_then(tag);
        markup
    }

    fn root(&self) -> &str {
        let tag = self.tag.as_deref().unwrap_or_default();
        tag.rsplit(':').next().unwrap_or_default()
    }

    /// True where an element begins that is no page's.
    fn has_root(&self) -> bool {
        self.tag.is_some()
    }

    fn is_page(&self, due: Due) -> bool {
        if self.has_doctype || self.root() == "html" {
            return true;
        }
        if due == Due::Xml || self.is_xml {
            return false;
        }
        // A comment is markup: what stands behind it is no data, unless it is another element.
        let is_comment = self.has_comment && self.tag.is_none();
        is_comment || self.tag.as_deref().is_some_and(|tag| TAGS.contains(&tag))
    }

    fn is_error(&self, due: Due) -> bool {
        let is_store = self.root() == "error" && self.child.as_deref() == Some("code");
        is_store || (due != Due::Xml && ERROR_ROOTS.contains(&self.root()))
    }
}

/// The name of the tag that a text begins with, in lower case.
fn tag(text: &[u8]) -> Option<String> {
    let name = text.strip_prefix(b"<")?;
    let length = name.iter().position(|byte| ends_word(Some(byte))).unwrap_or(name.len());
    let (name, after) = name.split_at(length);
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.'));
    (is_name && !after.is_empty()).then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

fn ends_word(byte: Option<&u8>) -> bool {
    byte.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'['))
}

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

/// True for an object in JSON that says of itself that it is an error message.
fn is_error_object(start: &Start) -> bool {
    use serde_json::Value;
    if start.is_cut {
        return false;
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(&start.text) else { return false };
    members.iter().any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let is_told = match value {
            Value::String(text) => !text.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Array(values) => values.iter().any(|value| value.is_string() || value.is_object()),
            Value::Bool(is_error) => *is_error,
            Value::Null | Value::Number(_) => false,
        };
        let is_status = || value.as_u64().is_some_and(|status| (400..600).contains(&status));
        (is_told && ERROR_MEMBERS.contains(&name.as_str())) || (STATUS_MEMBERS.contains(&name.as_str()) && is_status())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a body is refused, which must not depend on how it is cut.
    fn refused(name: &str, content_type: &str, body: &[u8]) -> bool {
        let content_type = Some(content_type).filter(|text| !text.is_empty());
        let verdicts = [1, 2, 5, usize::MAX].map(|piece| {
            let mut start = Start::default();
            body.chunks(piece.min(body.len().max(1))).for_each(|bytes| start.push(bytes));
            start.end();
            let head = &body[..body.len().min(magic::ENOUGH)];
            objection(Body { name, content_type, head, start: &start }).is_some()
        });
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{name} {content_type:?}");
        verdicts[0]
    }

    fn utf16(text: &str, mark: &[u8], encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(encode)).collect()
    }

    #[test]
    fn b_12_a_page_is_known_by_its_first_tag_whatever_stands_before_it() {
        let pages = [
            "<!DOCTYPE html><html><body>back at 10:00</body></html>",
            "<!doctype HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">",
            "<html>",
            "<HTML lang=en>",
            "<head><title>503</title></head>",
            "<!-- served by x --><html><body>back</body></html>",
            "<!-- a --> \n <!-- b -->back soon",
            "<!-- never closed",
            "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"x\"><html xmlns=\"x\">",
            "<?xml version='1.0'?><!-- x --><h:html xmlns:h='x'>",
            "<h1>Service Unavailable</h1>",
            "<center><h1>502 Bad Gateway</h1></center>",
            "<meta http-equiv=\"refresh\" content=\"0; url=/login\">",
            "<script>location=\"/login\"</script>",
            "<br />\n<b>Fatal error</b>: Out of memory",
            "<title>Sign in</title>",
        ];
        for page in pages {
            for name in ["a.dat", "a.txt", "a.csv", "a.cdf", "a.sav", "sharp_720s_20151211_182208", "a.fits"] {
                assert!(refused(name, "", page.as_bytes()), "{name} {page}");
                assert!(refused(name, "application/octet-stream", page.as_bytes()), "{name} {page}");
            }
            for body in [
                ["\u{feff}", page].concat().into_bytes(),
                ["\n".repeat(20_000).as_str(), page].concat().into_bytes(),
                ["\u{feff}\r\n\t ", page].concat().into_bytes(),
                utf16(page, b"\xff\xfe", u16::to_le_bytes),
                utf16(page, b"\xfe\xff", u16::to_be_bytes),
                utf16(page, b"", u16::to_le_bytes),
                utf16(page, b"", u16::to_be_bytes),
                utf16(&["\n ", page].concat(), b"\xff\xfe", u16::to_le_bytes),
            ] {
                assert!(refused("a.dat", "", &body), "{page} {:?}", &body[..8]);
            }
            assert!(!refused("a.html", "text/html", page.as_bytes()), "{page}");
        }
        assert!(refused("a.xml", "", b"<!DOCTYPE html><html>") && refused("a.svg", "", b"<html>"));
    }

    #[test]
    fn b_14_an_error_message_in_xml_or_json_is_no_data() {
        let store = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SlowDown</Code></Error>";
        for name in ["a.dat", "a.txt", "a.csv", "a.xml", "a"] {
            for content_type in ["application/xml", "", "text/plain"] {
                assert!(refused(name, content_type, store.as_bytes()), "{name}");
            }
        }
        assert!(refused("a.dat", "", b"<ows:ExceptionReport xmlns:ows='x'/>"));
        for error in [
            "{\"error\":\"try later\"}",
            "{\"message\":\"Service Unavailable\"}",
            "{\"status\":503}",
            "{\"Error\":{\"Code\":\"x\"}}",
            "{\"errors\":[{\"title\":\"x\"}]}",
            " {\"detail\":\"Not authenticated\"}\n",
        ] {
            for name in ["a.dat", "a.txt", "a.csv", "download", "efz20040301.000010"] {
                assert!(refused(name, "application/json; charset=utf-8", error.as_bytes()), "{name} {error}");
                assert!(!refused(name, "text/plain", error.as_bytes()), "{name} {error}");
            }
            assert!(refused("a.json", "application/problem+json", error.as_bytes()));
            assert!(!refused("a.json", "application/json", error.as_bytes()));
        }
    }

    #[test]
    fn a_content_type_that_contradicts_the_name_counts_for_text_alone() {
        for (name, content_type, body, is_refused) in [
            ("a.dat", "text/html", &b"Service temporarily unavailable\n"[..], true),
            ("a.csv", "Text/HTML ; charset=utf-8", b"1,2,3\n", true),
            ("a.txt", "application/xhtml+xml", b"1,2,3\n", true),
            ("a.dat", "text/html", b"", true),
            ("a.png", "text/html", b"Service temporarily unavailable\n", true),
            ("a.dat", "text/html", b"\x01\x02\x03data", false),
            ("a.fits", "text/html", b"SIMPLE  =                    T", false),
            ("a", "text/html", b"SIMPLE  =                    T", false),
            ("a.cdf", "text/html", b"\xcd\xf3\x00\x01\x00\x00\xff\xff", false),
            ("a.xml", "text/html", b"<?xml version='1.0'?><VOTABLE>", false),
            ("a.html", "text/html", b"Service temporarily unavailable\n", false),
            ("a.dat", "application/json", b"{\"data\":[1,2]}", true),
            ("a.csv", "application/json", b"[1,2]", true),
            ("a.txt", "application/json", b"{\"data\":[1,2]}", false),
            ("a.dat", "application/json", b"1,2,3\n", false),
            ("a.dat", "text/plain", b"Service temporarily unavailable\n", false),
            ("a.dat", "", b"", false),
        ] {
            assert_eq!(refused(name, content_type, body), is_refused, "{name} {content_type} {body:?}");
        }
    }

    #[test]
    fn data_that_looks_like_markup_is_data() {
        for (name, body) in [
            ("a.dat", &b"<1 2 3"[..]),
            ("a.dat", b"<bcd 1"),
            ("a.dat", b"<a"),
            ("a.txt", b"{\"error\":0.5}"),
            ("a.dat", b"<?xml version='1.0'?><table><row/></table>"),
            ("a.xml", b"<!-- a table --><table/>"),
            ("a.xml", b"<error>0.5</error>"),
            ("a.vot", b"<!-- x --><!DOCTYPE VOTABLE SYSTEM 'x' [<!ENTITY a 'b'>]><VOTABLE>"),
            ("a.dat", b"<!-- x --><VOTABLE>"),
            ("a.dat", b"<!DOCTYPE VOTABLE SYSTEM 'html'><VOTABLE>"),
            ("a.dat", b"\0\0\xff\xff<html>"),
        ] {
            assert!(!refused(name, "", body), "{name} {}", String::from_utf8_lossy(body));
        }
        assert!(!refused("a.txt", "application/json", b"{\"error\":0.5,\"status\":1}"));
    }
}
