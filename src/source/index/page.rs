//! A web page read as a directory listing: its links, and whether it is a listing at all.
//!
//! Known are the listings of Apache (`mod_autoindex`, plain, fancy and as a table), nginx (autoindex), lighttpd
//! (`mod_dirlisting`), Jetty, Caddy, Go's `http.FileServer` and what looks like them.

use std::borrow::Cow;
use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use url::Url;

use super::link::below;
use super::size::{self, CELL, ListedSize};
use bare::Bare;
pub(super) use other::Other;
use paging::Where;
pub(super) use paging::next_in_header;
use paging::{leads_to_more, leads_to_next};
pub(super) use texts::is_of_listing;
pub(super) use title::{Titled, ends_in_folder, has_folder, names_a_listing, titled};
use words::PASSAGE;
pub(super) use words::{Kind, Objection};

mod bare;
mod layout;
mod other;
mod paging;
mod row;
mod texts;
mod title;
mod words;

/// How much text of a title, a heading or a link is looked at, in bytes.
const TEXT: usize = 200;

/// More links than these are no folder of a day.
const LINKS: usize = 1_000_000;

/// So many objections are kept, and the first of each kind.
const OBJECTIONS: usize = 50;

/// So many links with sentences are kept.
const SENTENCES: usize = 100;

/// So many heads of columns are looked at.
const COLUMNS: usize = 20;

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "six findings about one text, each free of the others")]
pub(super) struct FolderPage {
    /// Its links, as they stand there.
    pub(super) links: Vec<Link>,
    /// It says of itself that it lists a folder, by its title or a heading.
    pub(super) says_listing: bool,
    /// It has a link to the folder above, as many a page has that is no listing.
    pub(super) leads_up: bool,
    /// That link stands in a `<pre>`, where entries do.
    pub(super) leads_up_from_pre: bool,
    /// What stands over the columns of its tables, in lower case.
    pub(super) columns: Vec<String>,
    /// What its words say against it, each once.
    pub(super) objections: Vec<Objection>,
    /// What it says in words of its own, each once.
    pub(super) texts: Vec<String>,
    /// Links whose text is a sentence.
    pub(super) sentences: Vec<Sentence>,
    /// Links that call themselves those to the next page.
    pub(super) next: Vec<String>,
    /// Links that call themselves those to more.
    pub(super) more: Vec<String>,
    /// Something after the last link says that the list is at its end.
    pub(super) is_whole: bool,
    /// It is a web page, and no other text.
    pub(super) is_html: bool,
    /// Its title, or else its first heading.
    pub(super) title: String,
    /// What its links are relative to, where it says so.
    pub(super) base: Option<String>,
    /// It has more links than are kept.
    pub(super) is_too_long: bool,
    /// It is a listing in a form that is not read here.
    pub(super) other: Option<Other>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Where to.
    pub(super) href: String,
    /// The size that stands beside it.
    pub(super) size: Option<ListedSize>,
    /// What stands beside it, where that tells one version of the file from another.
    pub(super) version: Option<Box<str>>,
}

/// A link whose text is a sentence, and so may be no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Where to.
    pub(super) href: String,
    /// What it says.
    pub(super) text: String,
}

impl FolderPage {
    /// What the page says against itself, of this kind.
    pub(super) fn says(&self, kind: Kind) -> Option<&str> {
        self.objections.iter().find(|objection| objection.kind == kind).map(|objection| objection.words.as_str())
    }

    fn object(&mut self, objection: Option<Objection>) {
        let has_room = |objection: &Objection| {
            self.says(objection.kind).is_none()
                || (self.objections.len() < OBJECTIONS && !self.objections.contains(objection))
        };
        if let Some(objection) = objection.filter(has_room) {
            self.objections.push(objection);
        }
    }

    /// What it says that pages of errors say.
    pub(super) fn errors(&self) -> impl Iterator<Item = &str> {
        self.objections
            .iter()
            .filter(|objection| objection.kind == Kind::Error)
            .map(|objection| objection.words.as_str())
    }

    /// True when the page, which came from `url`, leads to something below its folder.
    pub(super) fn links_below(&self, url: &Url) -> bool {
        self.links.iter().any(|link| within(url, &link.href).is_some_and(|target| target.path() != url.path()))
    }
}

/// Where a link of the page at `url` leads, where that is the page itself or below its folder.
fn within(url: &Url, href: &str) -> Option<Url> {
    let target = url.join(href).ok()?;
    (target.origin() == url.origin() && below(url, &target).is_some()).then_some(target)
}

/// What the text that comes belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum TextOwner {
    #[default]
    Nothing,
    /// A title or a heading.
    Title,
    /// A link.
    Link,
    /// What follows a link.
    After,
}

/// The tag whose attributes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Opening {
    Link,
    Base,
    /// A link of the page as a whole.
    Relation,
    Input,
    Meta,
    Script,
    Image,
    #[default]
    Other,
}

/// The attribute whose value comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Attribute {
    Href,
    Rel,
    HttpEquiv,
    Src,
    Type,
    /// What a link or an image in one says of itself.
    Label,
    Disabled,
    #[default]
    Other,
}

impl Attribute {
    fn of(name: &[u8]) -> Attribute {
        match name {
            b"href" => Attribute::Href,
            b"rel" => Attribute::Rel,
            b"http-equiv" => Attribute::HttpEquiv,
            b"src" => Attribute::Src,
            b"type" => Attribute::Type,
            b"title" | b"aria-label" | b"alt" => Attribute::Label,
            b"disabled" | b"aria-disabled" => Attribute::Disabled,
            _ => Attribute::Other,
        }
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "where the reading is, each free of the others")]
struct PageReader {
    page: FolderPage,
    bare: Bare,
    has_root: bool,
    within: TextOwner,
    text: Vec<u8>,
    opening: Opening,
    is_in_link: bool,
    attribute: Attribute,
    href: Option<String>,
    /// The link says that it leads to the next page.
    is_next: bool,
    /// Text outside of links, up to the next tag that ends it.
    passage: Vec<u8>,
    is_script: bool,
    /// Within a button that can be pressed.
    is_button: bool,
}

/// Reads a page. Never fails: what is no page has no links.
pub(super) fn read(html: &[u8]) -> FolderPage {
    let mut reading = PageReader::default();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        reading.take(&event);
        None
    });
    // Text within scripts and styles is not a link.
    emitter.naively_switch_states(true);
    if let Some(Ok(never)) = Tokenizer::new_with_emitter(html, emitter).next() {
        match never {}
    }
    reading.text_ends();
    reading.passage_ends(Where::Elsewhere);
    let mut page = reading.page;
    page.says_listing |= reading.bare.is_listing();
    if !page.says_listing {
        page.other = page.other.or_else(|| Other::of_title(&page.title));
    }
    if !page.is_html && matches!(html.trim_ascii_start().first(), Some(b'[' | b'{')) {
        page.other = Some(Other::Json);
    }
    page
}

impl PageReader {
    fn take(&mut self, event: &CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => self.opens(name),
            CallbackEvent::AttributeName { name } => {
                self.attribute = Attribute::of(name);
                self.is_button &= self.attribute != Attribute::Disabled;
            }
            CallbackEvent::AttributeValue { value } => self.takes_value(value),
            CallbackEvent::CloseStartTag { .. } if self.opening == Opening::Base => {
                self.opening = Opening::Other;
                // The first one counts.
                self.page.base = self.page.base.take().or(self.href.take());
            }
            CallbackEvent::CloseStartTag { .. } if self.opening == Opening::Relation => {
                self.opening = Opening::Other;
                self.page.next.extend(self.href.take().filter(|_| self.is_next));
            }
            CallbackEvent::CloseStartTag { .. } if self.opening == Opening::Link => {
                self.opening = Opening::Other;
                let Some(href) = self.href.take() else { return };
                self.page.next.extend(self.is_next.then(|| href.clone()));
                self.page.is_whole = false;
                self.page.is_too_long |= self.page.links.len() == LINKS;
                if !self.page.is_too_long {
                    self.page.links.push(Link { href, size: None, version: None });
                    self.within = TextOwner::Link;
                    self.is_in_link = true;
                }
            }
            CallbackEvent::EndTag { name } => self.closes(name),
            CallbackEvent::String { value } => {
                if self.within != TextOwner::Link {
                    self.bare.text(value);
                    self.take_passage(value);
                }
                if self.within == TextOwner::Nothing {
                    return;
                }
                self.take_text(value);
            }
            CallbackEvent::Doctype { .. } => self.page.is_html = true,
            _ => {}
        }
    }

    fn takes_value(&mut self, value: &[u8]) {
        match (std::mem::take(&mut self.attribute), self.opening) {
            (Attribute::Href, Opening::Link | Opening::Base | Opening::Relation) => {
                self.href.get_or_insert_with(|| String::from_utf8_lossy(value).into_owned());
            }
            (Attribute::Rel, Opening::Link | Opening::Relation) => {
                self.is_next |= value.split(u8::is_ascii_whitespace).any(|word| word.eq_ignore_ascii_case(b"next"));
            }
            (Attribute::Label, Opening::Link) => self.is_next |= leads_to_next(&String::from_utf8_lossy(value)),
            (Attribute::Label, Opening::Image) if leads_to_next(&String::from_utf8_lossy(value)) => {
                self.next_from_link();
            }
            (Attribute::Label, Opening::Image) => {
                let label = String::from_utf8_lossy(value);
                if texts::is_sentence(&label) {
                    texts::keep(&mut self.page.texts, &label);
                }
            }
            (Attribute::Type, Opening::Input) if value.eq_ignore_ascii_case(b"password") => {
                self.is_no_listing("a field for a password");
            }
            // A script may write the listing itself.
            (Attribute::Src, Opening::Script) => self.is_no_listing("a script that is loaded"),
            (Attribute::HttpEquiv, Opening::Meta) if value.eq_ignore_ascii_case(b"refresh") => {
                self.is_no_listing("a meta element that leads elsewhere");
            }
            _ => {}
        }
    }

    fn opens(&mut self, tag: &[u8]) {
        self.tag_within_text(tag);
        self.is_script = matches!(tag, b"script" | b"style");
        if !std::mem::replace(&mut self.has_root, true) {
            self.page.other = Other::of_root(tag);
        }
        self.bare.opens(tag);
        self.page.is_html = true;
        (self.attribute, self.is_next) = (Attribute::Other, false);
        self.href = None;
        self.opening = match tag {
            b"a" => Opening::Link,
            b"base" => Opening::Base,
            b"link" => Opening::Relation,
            b"input" => Opening::Input,
            b"meta" => Opening::Meta,
            b"script" => Opening::Script,
            b"img" => Opening::Image,
            _ => Opening::Other,
        };
        self.is_button = tag == b"button" || (self.is_button && is_inline(tag));
        if is_title(tag) {
            self.within = TextOwner::Title;
        }
        if matches!(tag, b"frame" | b"iframe" | b"object" | b"embed") {
            self.is_no_listing("a page in a frame");
        }
    }

    /// Notes what a plain listing does not have.
    fn is_no_listing(&mut self, words: &str) {
        self.page.object(Some(Objection { kind: Kind::Error, words: words.to_owned() }));
    }

    fn closes(&mut self, tag: &[u8]) {
        if tag == b"th" && self.page.columns.len() < COLUMNS {
            let column = String::from_utf8_lossy(&self.passage).trim().to_ascii_lowercase();
            self.page.columns.push(column);
        }
        if tag == b"button" && std::mem::take(&mut self.is_button) {
            self.button_ends();
        }
        let was_link = self.within == TextOwner::Link || (self.is_in_link && tag == b"a");
        self.tag_within_text(tag);
        self.is_script = false;
        self.bare.closes(tag);
        self.page.is_html = true;
        if tag == b"a" {
            self.is_in_link = false;
            if was_link {
                self.within = TextOwner::After;
            }
        }
        self.page.is_whole |= matches!(tag, b"html" | b"body" | b"pre" | b"table" | b"ul");
    }

    /// Meets a tag: what stands beside a link goes on in the next cells of its row.
    fn tag_within_text(&mut self, tag: &[u8]) {
        if !is_inline(tag) {
            self.passage_ends(match self.within {
                TextOwner::Title => Where::Heading,
                TextOwner::After => Where::BehindLink,
                TextOwner::Nothing | TextOwner::Link => Where::Elsewhere,
            });
        }
        if self.within == TextOwner::After && !ends_row(tag) {
            self.take_text(CELL.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            self.text_ends();
        }
    }

    /// The link that is open says that it leads to the next page.
    fn next_from_link(&mut self) {
        let link = self.page.links.last().filter(|_| self.is_in_link);
        self.page.next.extend(link.map(|link| link.href.clone()));
    }

    fn button_ends(&mut self) {
        let words = String::from_utf8_lossy(&self.passage).trim().to_owned();
        if !leads_to_next(&words) {
            return;
        }
        if self.is_in_link {
            self.next_from_link();
        } else {
            self.page.object(Some(Objection { kind: Kind::Part, words }));
        }
    }

    fn take_passage(&mut self, text: &[u8]) {
        let room = PASSAGE.saturating_sub(self.passage.len());
        if !self.is_script {
            self.passage.extend_from_slice(&text[..text.len().min(room)]);
        } else if ["location.", "location="]
            .iter()
            .any(|word| text.windows(word.len()).any(|part| part == word.as_bytes()))
        {
            self.is_no_listing("a script that leads elsewhere");
        }
    }

    fn passage_ends(&mut self, place: Where) {
        let passage = String::from_utf8_lossy(&self.passage);
        texts::keep(&mut self.page.texts, &passage);
        self.page.object(words::objection(&passage, place));
        self.passage.clear();
    }

    fn take_text(&mut self, text: &[u8]) {
        let room = TEXT.saturating_sub(self.text.len());
        self.text.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// Looks at the text that has come to its end.
    fn text_ends(&mut self) {
        let within = std::mem::take(&mut self.within);
        let text = String::from_utf8_lossy(&self.text);
        match within {
            TextOwner::Nothing => return,
            TextOwner::Title => {
                self.page.says_listing |= names_a_listing(&text);
                if self.page.title.is_empty() {
                    text.trim().clone_into(&mut self.page.title);
                }
            }
            TextOwner::Link => {
                let href = self.page.links.last().map_or("", |link| link.href.as_str());
                let leads_up = leads_up(href, &text);
                self.page.leads_up |= leads_up;
                self.page.leads_up_from_pre |= leads_up && self.bare.is_open();
                self.bare.link(href, &text);
                if self.page.sentences.len() < SENTENCES && texts::is_sentence(&text) {
                    let href = href.to_owned();
                    self.page.sentences.push(Sentence { href, text: text.trim().to_owned() });
                }
                self.page.next.extend(leads_to_next(&text).then(|| href.to_owned()));
                self.page.more.extend(leads_to_more(&text).then(|| href.to_owned()));
            }
            TextOwner::After => {
                if let Some(link) = self.page.links.last_mut() {
                    link.size = size::read_size(&text);
                    link.version = row::version(&text);
                }
            }
        }
        self.text.clear();
    }
}

/// True for tags within a passage of text.
fn is_inline(tag: &[u8]) -> bool {
    matches!(tag, b"b" | b"i" | b"em" | b"strong" | b"span" | b"code" | b"tt" | b"font" | b"small")
}

/// True for tags behind which nothing more stands of what is beside a link.
fn ends_row(tag: &[u8]) -> bool {
    let ends = matches!(tag, b"a" | b"tr" | b"li" | b"ul" | b"hr" | b"pre" | b"table" | b"tbody" | b"body" | b"html");
    ends || is_title(tag) || tag == b"script" || tag == b"br"
}

fn is_title(tag: &[u8]) -> bool {
    matches!(tag, b"title" | b"h1" | b"h2" | b"h3")
}

/// True for the link to the folder above.
fn leads_up(href: &str, text: &str) -> bool {
    let text: Cow<'_, str> = text.trim().to_ascii_lowercase().into();
    matches!(href, ".." | "../") || matches!(&*text, ".." | "../") || text.contains("parent directory")
}

#[cfg(test)]
mod tests;
