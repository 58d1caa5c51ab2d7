//! A page that is nothing but a listing, and says so nowhere.

use percent_encoding::percent_decode_str;

/// A page that holds nothing but links to what is in a folder, each under its own name, within one `<pre>`: all that Go's
/// `http.FileServer` writes, which says nowhere what it is.
#[derive(Debug, Default)]
pub(super) struct Bare {
    is_open: bool,
    has_ended: bool,
    /// Something else stands there.
    is_other: bool,
}

impl Bare {
    pub(super) fn opens(&mut self, tag: &[u8]) {
        match tag {
            b"pre" => {
                self.is_other |= self.is_open || self.has_ended;
                self.is_open = true;
            }
            b"a" => self.is_other |= !self.is_open,
            b"meta" | b"html" | b"head" | b"body" => {}
            _ => self.is_other = true,
        }
    }

    pub(super) fn closes(&mut self, tag: &[u8]) {
        if tag == b"pre" && self.is_open {
            (self.is_open, self.has_ended) = (false, true);
        }
    }

    /// Text that is no link's.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.is_other |= !text.trim_ascii().is_empty();
    }

    pub(super) fn link(&mut self, href: &str, text: &str) {
        let href = href.strip_prefix("./").unwrap_or(href);
        self.is_other |= percent_decode_str(href).decode_utf8_lossy() != text.trim();
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn is_listing(&self) -> bool {
        self.has_ended && !self.is_other
    }
}
