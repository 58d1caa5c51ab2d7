//! The text that a body begins with.

/// How much text is kept, in bytes: more than the comments before a page and the stack trace in an error message take.
const ENOUGH: usize = 64 * 1024;

/// The text that a body begins with, gathered as it comes: without a byte order mark and the white space before it, and
/// without the zeros of UTF-16.
#[derive(Debug, Default)]
pub(in crate::fetch) struct Start {
    /// The first bytes, until they tell the encoding.
    first: Vec<u8>,
    is_utf16: bool,
    pub(super) text: Vec<u8>,
    /// There is more than is kept.
    pub(super) is_cut: bool,
}

impl Start {
    /// Takes in the next bytes.
    pub(in crate::fetch) fn push(&mut self, mut bytes: &[u8]) {
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
    pub(in crate::fetch) fn end(&mut self) {
        if self.first.len() < 3 {
            let first = self.first.clone();
            self.begin(&first);
        }
    }

    /// True where no text is: bytes that the standard (3.1) calls binary.
    pub(super) fn is_binary(&self) -> bool {
        self.text.iter().any(|byte| matches!(byte, 0..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f))
    }
}
