//! Text from outside, made safe to show: on a terminal, in a log, in a report.
//!
//! Foreign text is shown as [`Untrusted`], which `escape` makes where the text goes into a message. What finally goes
//! out passes [`on_terminal`] or [`in_json`], so that a text that was forgotten does no harm either. What it does not
//! do: make a path of a name. Only the layout does that.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

/// Text that a server, a file or a manifest sent, in the one form in which it is shown. Only [`escape`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted<'a>(Cow<'a, str>);

/// How much foreign text is shown at most, in characters.
const SHOWN: usize = 300;

/// Escapes C0 and C1 controls, newlines, bidirectional and invisible format characters, and cuts long text.
///
/// CI services take `::` at the start of a line, and `##[` or `##vso[` anywhere, for commands; what follows `; hint: ` in
/// a message is shown as our own advice. A text from outside can do neither.
#[must_use]
pub fn escape(text: &str) -> Untrusted<'_> {
    if text.len() <= SHOWN && !text.char_indices().any(|(at, c)| acts(c) || speaks(text, at)) {
        return Untrusted(Cow::Borrowed(text));
    }
    let mut out = String::new();
    for (shown, (at, _)) in text.char_indices().enumerate() {
        if shown == SHOWN {
            out.push('…');
            break;
        }
        out.push_str(&escape_at(text, at));
    }
    Untrusted(Cow::Owned(out))
}

/// The text with `0` for each number, so that texts that differ in dates and counts alone are equal.
#[must_use]
pub fn with_numbers_alike(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            other => out.push(other),
        }
    }
    out
}

/// The character that begins at `at`, as [`escape`] shows it in its text: what stands around it counts. Nothing where
/// none begins.
#[must_use]
pub fn escape_at(text: &str, at: usize) -> Untrusted<'_> {
    let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { return escape("") };
    let is_safe = !acts(c) && !speaks(text, at);
    Untrusted(if is_safe { Cow::Borrowed(&text[at..at + c.len_utf8()]) } else { c.escape_unicode().to_string().into() })
}

/// A word as it stands in a command line to be pasted into a shell.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// True where a command of a CI service, or advice in our name, begins.
fn speaks(text: &str, at: usize) -> bool {
    match text.as_bytes()[at] {
        b'#' => text[..at].ends_with('#'),
        b':' => at == 0 && text.starts_with("::"),
        b';' => text[at..].starts_with("; hint: "),
        _ => false,
    }
}

/// True for a character that moves a cursor, hides, or reorders what stands around it.
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Lines about to be written where somebody may look: whatever acts is escaped, but for line breaks, tabs and, where
/// there is `colour`, the codes for it.
#[must_use]
pub fn on_terminal(text: &str, colour: bool) -> Cow<'_, str> {
    if !text.chars().any(|c| acts(c) && !is_layout(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = if colour { colour_code(rest) } else { 0 };
        if code == 0 && acts(c) && !is_layout(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push_str(&rest[..code.max(c.len_utf8())]);
        }
        rest = &rest[code.max(c.len_utf8())..];
    }
    Cow::Owned(out)
}

fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

/// One record of a log as it goes out: as [`on_terminal`], and a line break within it would forge a second record.
#[must_use]
pub fn in_log(record: &str, colour: bool) -> String {
    let body = record.strip_suffix('\n').unwrap_or(record).replace('\n', "\\u{a}");
    format!("{}\n", on_terminal(&body, colour))
}

/// A JSON text with the characters that JSON itself would leave raw in a string: C1, DEL, bidirectional and the like, and
/// what would be a command of a CI service.
#[must_use]
pub fn in_json(text: &str) -> Cow<'_, str> {
    // Outside of strings JSON has nothing of the kind but line breaks.
    if !text.chars().any(|c| c != '\n' && acts(c)) && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    for c in text.chars() {
        if (c != '\n' && acts(c)) || (c == '#' && before == Some('#')) {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    Cow::Owned(out)
}

/// The length of the colour code (`ESC [ ... m`) that a text begins with; 0 where it begins with none.
fn colour_code(text: &str) -> usize {
    let Some(after) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = after.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if after.as_bytes().get(digits) == Some(&b'm') { "\u{1b}[m".len() + digits } else { 0 }
}

impl Untrusted<'_> {
    /// The escaped text.
    #[must_use]
    pub fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Deref for Untrusted<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Untrusted<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<Untrusted<'_>> for String {
    fn from(text: Untrusted<'_>) -> String {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn f_03_c_04_what_acts_on_a_terminal_is_escaped_and_the_rest_left() {
        assert_eq!(&*escape("Br.fits — é"), "Br.fits — é");
        assert_eq!(&*escape("a\u{1b}[2Jb\n\u{9b}c\u{202e}d"), "a\\u{1b}[2Jb\\u{a}\\u{9b}c\\u{202e}d");
        assert_eq!(&*escape("\u{7f}\u{7}\u{200b}\u{2028}\u{e0041}"), "\\u{7f}\\u{7}\\u{200b}\\u{2028}\\u{e0041}");
    }

    #[test]
    fn c_01_no_foreign_text_is_a_command_of_a_ci_service_or_advice_in_our_name() {
        assert_eq!(&*escape("::set-env name=A::b"), "\\u{3a}:set-env name=A::b");
        assert_eq!(&*escape("\n::error::x"), "\\u{a}::error::x");
        assert_eq!(&*escape("a ##[error]b ###vso[x]"), "a #\\u{23}[error]b #\\u{23}\\u{23}vso[x]");
        assert_eq!(&*escape("[::1]:80#x;y"), "[::1]:80#x;y");
        assert_eq!(&*escape("no; hint: run this"), "no\\u{3b} hint: run this");
    }

    #[test]
    fn cuts_endless_text() {
        assert_eq!(escape(&"x".repeat(5000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn what_goes_out_keeps_our_lines_and_colours_alone() {
        let text = "\u{1b}[1;31merror\u{1b}[0m:\ta\u{1b}[2Jb\u{202e}\n\u{9b}31mc\r\n";
        assert_eq!(on_terminal(text, true), "\u{1b}[1;31merror\u{1b}[0m:\ta\\u{1b}[2Jb\\u{202e}\n\\u{9b}31mc\\u{d}\n");
        assert!(!on_terminal(text, false).contains('\u{1b}'));
        assert_eq!(in_log("WARN a\nERROR b\n", false), "WARN a\\u{a}ERROR b\n");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_gets_through(text in ".{0,60}|[\u{1b}\\[0-9;m\u{80}-\u{9f}\n\u{202e}a#:]{0,30}") {
            prop_assert!(!escape(&text).chars().any(acts));
            let one_by_one: String = text.char_indices().map(|(at, _)| escape_at(&text, at).into_owned()).collect();
            prop_assert_eq!(&one_by_one, &*escape(&text));
            prop_assert!(!on_terminal(&text, false).chars().any(|c| acts(c) && c != '\n' && c != '\t'));
            let coloured = on_terminal(&text, true);
            for (at, _) in coloured.match_indices('\u{1b}') {
                prop_assert!(colour_code(&coloured[at..]) > 0);
            }
            prop_assert_eq!(in_log(&text, true).matches('\n').count(), 1);
        }

        #[test]
        fn json_means_the_same_and_holds_nothing_that_acts(text in ".{0,60}|[\u{7f}-\u{9f}\u{e0041}\u{202e}#a\"]{0,30}") {
            let plain = serde_json::to_string_pretty(&serde_json::json!({ "key": text })).unwrap();
            let safe = in_json(&plain);
            prop_assert!(!safe.chars().any(|c| acts(c) && c != '\n') && !safe.contains("##"));
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&safe).unwrap()["key"], &text);
        }
    }
}
