//! Text in XML 1.0.

use std::fmt::Write as _;

use crate::untrusted::acts;

/// Text as it may stand in an element or in an attribute's value: markup is text, and what XML 1.0 forbids, or what acts
/// on a terminal, is written out. Line breaks stay, as references.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // An attribute's value would have a blank in its place.
            '\n' => out.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c if acts(c) => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> [String; 2] {
        let page = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"{value}\">{value}</a>");
        let document = roxmltree::Document::parse(&page).unwrap_or_else(|error| panic!("{error}\n{page}"));
        let root = document.root_element();
        assert_eq!(root.children().filter(roxmltree::Node::is_element).count(), 0, "{page}");
        assert_eq!(root.attributes().len(), 1, "{page}");
        [root.attribute("b").unwrap_or_default().to_owned(), root.text().unwrap_or_default().to_owned()]
    }

    #[test]
    fn c_03_markup_and_forbidden_characters_are_text() {
        let hostile = "</testcase><failure a='b\"]]>&amp;<!-- \n\u{0}\u{1b}\u{fffe}\u{202e}é";
        let shown = "</testcase><failure a='b\"]]>&amp;<!-- \n\\u{0}\\u{1b}\\u{fffe}\\u{202e}é";
        assert_eq!(read(&text(hostile)), [shown, shown]);
    }

    proptest! {
        #[test]
        fn c_03_any_text_reads_back_but_for_what_acts(hostile in proptest::collection::vec(proptest::char::any(), 0..60)) {
            let hostile: String = hostile.into_iter().collect();
            let gone = |c: char| (c != '\n' && acts(c)) || matches!(c, '\u{fffe}' | '\u{ffff}');
            let shown: String = hostile
                .chars()
                .map(|c| if gone(c) { c.escape_unicode().to_string() } else { c.to_string() })
                .collect();
            prop_assert_eq!(read(&text(&hostile)), [shown.clone(), shown]);
        }
    }
}
