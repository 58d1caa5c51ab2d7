//! A web page read as a directory listing: its links, and whether it is a listing at all.
//!
//! Known are the listings of Apache (`mod_autoindex`, plain, fancy and as a table), nginx (autoindex), lighttpd
//! (`mod_dirlisting`) and what looks like them. What it does not do: know which links are files of a series.

use std::borrow::Cow;
use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// How much text of a title, a heading or a link is looked at, in bytes.
const TEXT: usize = 200;

/// More links than these are no folder of a day.
const LINKS: usize = 1_000_000;

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four findings about one text, each free of the others")]
pub(super) struct Page {
    /// Its links, as they stand there.
    pub(super) links: Vec<Link>,
    /// It says of itself that it lists a folder, by its title, a heading, or the link to the folder above.
    pub(super) says_listing: bool,
    /// Something after the last link says that the list is at its end.
    pub(super) is_whole: bool,
    /// It is a web page, and no other text.
    pub(super) is_html: bool,
    /// Its title, or else its first heading.
    pub(super) title: String,
    /// It has more links than are kept.
    pub(super) is_too_long: bool,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Where to.
    pub(super) href: String,
    /// The size in bytes that stands beside it, where it is told to the byte.
    pub(super) bytes: Option<u64>,
}

/// What the text that comes belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Within {
    #[default]
    Nothing,
    /// A title or a heading.
    Title,
    /// A link.
    Link,
    /// What follows a link.
    After,
}

#[derive(Debug, Default)]
struct Reading {
    page: Page,
    within: Within,
    text: Vec<u8>,
    is_link: bool,
    is_href: bool,
    href: Option<String>,
}

/// Reads a page. Never fails: what is no page has no links.
pub(super) fn read(html: &[u8]) -> Page {
    let mut reading = Reading::default();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        reading.take(&event);
        None
    });
    // What stands within scripts and styles is no link.
    emitter.naively_switch_states(true);
    if let Some(Ok(never)) = Tokenizer::new_with_emitter(html, emitter).next() {
        match never {}
    }
    reading.text_ends();
    reading.page
}

impl Reading {
    fn take(&mut self, event: &CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => self.opens(name),
            CallbackEvent::AttributeName { name } => self.is_href = self.is_link && *name == b"href",
            CallbackEvent::AttributeValue { value } if std::mem::take(&mut self.is_href) => {
                self.href.get_or_insert_with(|| String::from_utf8_lossy(value).into_owned());
            }
            CallbackEvent::CloseStartTag { .. } if self.is_link => {
                self.is_link = false;
                let Some(href) = self.href.take() else { return };
                self.page.is_whole = false;
                self.page.is_too_long |= self.page.links.len() == LINKS;
                if !self.page.is_too_long {
                    self.page.links.push(Link { href, bytes: None });
                    self.within = Within::Link;
                }
            }
            CallbackEvent::EndTag { name } => self.closes(name),
            CallbackEvent::String { value } if self.within != Within::Nothing => {
                let room = TEXT.saturating_sub(self.text.len());
                self.text.extend_from_slice(&value[..value.len().min(room)]);
            }
            CallbackEvent::Doctype { .. } => self.page.is_html = true,
            _ => {}
        }
    }

    fn opens(&mut self, tag: &[u8]) {
        self.text_ends();
        self.page.is_html = true;
        self.is_href = false;
        self.href = None;
        self.is_link = tag == b"a";
        if is_title(tag) {
            self.within = Within::Title;
        }
    }

    fn closes(&mut self, tag: &[u8]) {
        let was_link = self.within == Within::Link;
        self.text_ends();
        self.page.is_html = true;
        if tag == b"a" && was_link {
            self.within = Within::After;
        }
        self.page.is_whole |= matches!(tag, b"html" | b"body" | b"pre" | b"table" | b"ul");
    }

    /// Looks at the text that has come to its end.
    fn text_ends(&mut self) {
        let within = std::mem::take(&mut self.within);
        let text = String::from_utf8_lossy(&self.text);
        match within {
            Within::Nothing => return,
            Within::Title => {
                self.page.says_listing |= names_a_listing(&text);
                if self.page.title.is_empty() {
                    text.trim().clone_into(&mut self.page.title);
                }
            }
            Within::Link => {
                let href = self.page.links.last().map_or("", |link| link.href.as_str());
                self.page.says_listing |= leads_up(href, &text);
            }
            Within::After => {
                if let Some(link) = self.page.links.last_mut() {
                    link.bytes = exact_size(&text);
                }
            }
        }
        self.text.clear();
    }
}

fn is_title(tag: &[u8]) -> bool {
    matches!(tag, b"title" | b"h1" | b"h2" | b"h3")
}

/// True for `Index of /data`, as Apache, nginx and lighttpd say it, and `Directory listing for /data`, as others do.
fn names_a_listing(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    ["index of ", "directory listing ", "listing of "].iter().any(|start| text.starts_with(start))
}

/// True for the link to the folder above.
fn leads_up(href: &str, text: &str) -> bool {
    let text: Cow<'_, str> = text.trim().to_ascii_lowercase().into();
    matches!(href, ".." | "../") || matches!(&*text, ".." | "../") || text.contains("parent directory")
}

/// The size in what nginx writes after a link: `27-Nov-2026 01:39  5760`. Above 9,999 bytes it may be told to write `27M`,
/// and others always round; that is no size to hold a file against.
fn exact_size(text: &str) -> Option<u64> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, size) = (words.next()?, words.next()?, words.next()?);
    let is_like = |word: &str, form: &str| {
        word.len() == form.len()
            && word.bytes().zip(form.bytes()).all(|(byte, of)| match of {
                b'0' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_alphabetic(),
                other => byte == other,
            })
    };
    let is_known = is_like(date, "00-aaa-0000") && is_like(time, "00:00") && words.next().is_none();
    size.parse().ok().filter(|_| is_known && size.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hrefs(page: &Page) -> Vec<&str> {
        page.links.iter().map(|link| link.href.as_str()).collect()
    }

    #[test]
    fn links_are_read_however_they_are_written() {
        let page = read(
            b"<!DOCTYPE html><A HREF=a.fits>a</A><a class='x' href='b&amp;c.fits'>b</a><a href = \"d&#x27;e.fits\" href=no>\
              <a name=f><!-- <a href=g> --><script>var s = '<a href=\"h\">';</script><style>a{}</style><a href=''>i</a>\
              <a\nhref=\n\"j%20k\">j",
        );
        assert_eq!(hrefs(&page), ["a.fits", "b&c.fits", "d'e.fits", "j%20k"]);
        assert!(page.is_html && !page.is_whole && !page.says_listing);
    }

    #[test]
    fn a_page_is_a_listing_when_it_says_so() {
        for html in [
            "<title>Index of /data</title>",
            "<h1>\n Index of /data</h1>",
            "<h1>Directory listing for /x/</h1>",
            "<a href=../>up</a>",
            "<a href=\"/data/\"> Parent Directory</a>",
            "<a href=\"/data/\">..</a>",
        ] {
            assert!(read(html.as_bytes()).says_listing, "{html}");
        }
        for html in [
            "<h1>Please log in</h1><a href=\"/\">Home</a>",
            "<title>Reindex of x</title>",
            "<p>Index of </p>",
            "",
            "{}",
        ] {
            assert!(!read(html.as_bytes()).says_listing, "{html}");
        }
        assert_eq!(read(b"<title> Log in </title><h1>Welcome</h1>").title, "Log in");
        assert!(!read(b"[{\"name\":\"a\"}]").is_html && !read(b"").is_html);
    }

    #[test]
    fn a_page_is_whole_when_its_list_ends() {
        for (html, is_whole) in [
            ("<pre><a href=a>a</a>\n</pre>", true),
            ("<table></table><ul><li><a href=a>a</a></ul>", true),
            ("<table></table><a href=a>a</a>", false),
            ("<pre><a href=a>a</a>\n<a href=\"b", false),
            ("<body></body>", true),
            ("<body>", false),
        ] {
            assert_eq!(read(html.as_bytes()).is_whole, is_whole, "{html}");
        }
    }

    #[test]
    fn only_sizes_told_to_the_byte_are_taken() {
        let bytes = |after: &str| read(format!("<pre><a href=a>a</a>{after}\n</pre>").as_bytes()).links[0].bytes;
        assert_eq!(bytes("   27-Nov-2026 01:39            28800000"), Some(28_800_000));
        for after in [
            "  27-Nov-2026 01:39  27M",
            "  2026-11-27 01:39  0",
            "  27-Nov-2026 01:39  -",
            " 7",
            "",
            "  27-Nov-2026 01:39 1 2",
        ] {
            assert_eq!(bytes(after), None, "{after}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_page_is_read(html in "(<a href=|<pre>|</a>|[<>\"'&/ a;#]){0,30}|.{0,100}") {
            let _ = read(html.as_bytes());
        }
    }
}
