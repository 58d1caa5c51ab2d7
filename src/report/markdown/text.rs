//! Foreign text in GitHub's Markdown: it is shown as it is, and is never markup.
//!
//! A code span is what nothing within can leave: there, GitHub makes no link, no mention and no picture of anything. It
//! does not bound a text; its callers do.

use crate::report::terminal::safe;
use crate::untrusted::escape;

/// How much of a message is shown, in characters.
const SHOWN: usize = 600;

/// A name from outside, as a code span that may stand in a cell of a table.
pub(super) fn name(text: &str) -> String {
    code(&escape(text))
}

/// A message, as a code span that may stand in a cell of a table.
pub(super) fn message(text: &str) -> String {
    code(&cut(&safe(text)))
}

/// Text that is several lines long, as a block of code.
pub(super) fn block(text: &str, language: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| cut(&safe(line))).collect();
    let fence = "`".repeat(lines.iter().map(|line| longest_run(line)).max().unwrap_or(0).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// One line of text without anything that acts, as code.
fn code(text: &str) -> String {
    // A bar would end the cell, whatever span it stands in.
    if text.contains('|') || text.trim().is_empty() {
        let plain = |c: char| c.is_alphanumeric() || c == ' ';
        let shown = |c: char| if plain(c) { c.to_string() } else { format!("&#{};", u32::from(c)) };
        return format!("<code>{}</code>", text.chars().map(shown).collect::<String>());
    }
    let fence = "`".repeat(longest_run(text) + 1);
    let is_ambiguous = text.starts_with([' ', '`']) || text.ends_with([' ', '`']);
    let pad = if is_ambiguous { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;

    /// What a reader of GitHub's Markdown sees in the second cell of a table's row, and which tags are about it.
    fn seen(cell: &str) -> (String, Vec<String>) {
        let page = format!("| a | b | c |\n|---|---|---|\n| one | {cell} | three |\n");
        let (mut cells, mut tags) = (Vec::new(), Vec::new());
        for event in Parser::new_ext(&page, Options::all()) {
            match event {
                Event::Start(Tag::TableCell) => cells.push(String::new()),
                Event::Start(tag) => tags.push(format!("{tag:?}")),
                Event::Code(text) | Event::Text(text) => {
                    if let Some(cell) = cells.last_mut() {
                        cell.push_str(&text);
                    }
                }
                Event::InlineHtml(tag) if ["<code>", "</code>"].contains(&&*tag) => {}
                Event::End(_) => {}
                other => tags.push(format!("{other:?}")),
            }
        }
        assert_eq!(cells.len(), 6, "{page}");
        tags.retain(|tag| !["Table", "TableHead", "TableRow"].iter().any(|own| tag.starts_with(own)));
        (cells.remove(4), tags)
    }

    #[test]
    fn c_03_markdown_in_a_name_is_shown_as_it_is() {
        for text in [
            "a|b",
            "a\\|b",
            "`x`",
            "``",
            "| x | y |",
            "[x](javascript:y)",
            "<script>alert(1)</script>",
            "<!-- ",
            "@user #1 :tada: www.example.org",
            "a\\",
            "![x](http://example.org/x.png)",
            "|`|``|\\`",
            "&amp;&#124;",
            "---",
        ] {
            let (shown, tags) = seen(&name(text));
            assert_eq!((shown.as_str(), tags), (text, Vec::new()), "{}", name(text));
        }
    }

    #[test]
    fn c_03_a_block_is_left_by_nothing_in_it() {
        let text = "first\n```\n# title\n````\n</code>\r\n\u{1b}[2Jlast";
        let page = block(text, "text");
        let inner: String = Parser::new_ext(&page, Options::all())
            .filter_map(|event| match event {
                Event::Text(text) => Some(text.to_string()),
                Event::Start(Tag::CodeBlock(_)) | Event::End(_) => None,
                other => panic!("{other:?}\n{page}"),
            })
            .collect();
        assert_eq!(inner, "first\n```\n# title\n````\n</code>\n\\u{1b}[2Jlast\n");
    }

    proptest! {
        #[test]
        fn c_03_no_text_is_markup(text in "[ -~]{1,40}|[|`\\\\*_<>!\\[\\]() a]{1,20}|\\PC{1,30}") {
            let expected = escape(&text).into_owned();
            let (shown, tags) = seen(&name(&text));
            prop_assert_eq!((shown.trim(), tags), (expected.trim(), Vec::<String>::new()), "{}", name(&text));
            let page = format!("{}after\n", block(&text, "sh"));
            let is_whole = Parser::new_ext(&page, Options::all())
                .any(|event| matches!(event, Event::Text(text) if &*text == "after"));
            prop_assert!(is_whole, "{}", page);
        }
    }
}
