//! Text from outside, made safe to show: on a terminal, in a log, in a report.
//!
//! What it does not do: make a path of a name. Only the layout does that.

use std::borrow::Cow;
use std::fmt;

/// Text that a server, a file or a manifest sent. Its `Display` escapes whatever could act on the reader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Untrusted(pub String);

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

/// How much foreign text is shown at most, in characters.
const SHOWN: usize = 300;

/// Escapes C0 and C1 controls, newlines, bidirectional and invisible format characters, and cuts long text.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for (shown, c) in text.chars().enumerate() {
        if shown == SHOWN {
            out.push('…');
            break;
        }
        if acts(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// True for a character that moves a cursor, hides, or reorders what stands around it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_acts_on_a_terminal_and_leaves_the_rest() {
        assert_eq!(escape("Br.fits — é"), "Br.fits — é");
        assert_eq!(escape("a\u{1b}[2Jb\n\u{9b}c\u{202e}d"), "a\\u{1b}[2Jb\\u{a}\\u{9b}c\\u{202e}d");
    }

    #[test]
    fn cuts_endless_text() {
        assert_eq!(escape(&"x".repeat(5000)).chars().count(), SHOWN + 1);
    }
}
