//! The Markdown of the pages of help, as text for a terminal and as roff for `man`.
//!
//! It does not read all of Markdown: the pages have headings, paragraphs, lists, links, and blocks of code.

use clap_mangen::roff::{Inline, Roff, bold, roman};
use unicode_width::UnicodeWidthStr as _;

use crate::report::terminal::Paint;

/// A page of help is never wider, however wide the terminal is.
const WIDEST: usize = 100;

/// How far a block of code is indented.
const INDENT: usize = 4;

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Block {
    /// `# name` has level 1.
    Heading { level: usize, text: String },
    /// One paragraph, its line breaks removed.
    Paragraph(String),
    /// An entry of a list, with its mark: `-`, or `1.`
    Item { mark: String, text: String },
    /// Lines to show as they are.
    Code(Vec<String>),
}

/// The blocks of a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            blocks.push(Block::Code(lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect()));
            is_open = false;
        } else if line.trim().is_empty() {
            is_open = false;
        } else if let Some((marks, text)) = line.split_once(' ').filter(|(marks, _)| is_heading(marks)) {
            blocks.push(Block::Heading { level: marks.len(), text: text.to_owned() });
            is_open = false;
        } else if let Some((mark, text)) = line.split_once(' ').filter(|(mark, _)| is_mark(mark)) {
            blocks.push(Block::Item { mark: mark.to_owned(), text: text.to_owned() });
            is_open = true;
        } else if let (true, Some(Block::Paragraph(text) | Block::Item { text, .. })) = (is_open, blocks.last_mut()) {
            text.push(' ');
            text.push_str(line.trim());
        } else {
            blocks.push(Block::Paragraph(line.trim().to_owned()));
            is_open = true;
        }
    }
    blocks
}

fn is_heading(marks: &str) -> bool {
    !marks.is_empty() && marks.bytes().all(|byte| byte == b'#')
}

fn is_mark(mark: &str) -> bool {
    mark == "-" || mark.strip_suffix('.').is_some_and(|number| number.parse::<u8>().is_ok())
}

/// A page for a terminal of so many columns.
pub(super) fn to_text(blocks: &[Block], columns: usize, paint: Paint) -> String {
    let columns = columns.min(WIDEST);
    let mut out = String::new();
    let mut before: Option<&Block> = None;
    for block in blocks {
        let is_next_item = matches!((before, block), (Some(Block::Item { .. }), Block::Item { .. }));
        if before.is_some() && !is_next_item {
            out.push('\n');
        }
        match block {
            Block::Heading { level: 1, text } => out.push_str(&paint.strong(&text.to_uppercase())),
            Block::Heading { text, .. } => out.push_str(&paint.strong(text)),
            Block::Paragraph(text) => out.push_str(&filled(&plain(text), columns, "", "")),
            Block::Item { mark, text } => {
                let indent = " ".repeat(mark.len() + 1);
                out.push_str(&filled(&plain(text), columns, &format!("{mark} "), &indent));
            }
            Block::Code(lines) => {
                let indented = lines.iter().map(|line| format!("{:INDENT$}{line}", ""));
                let indented: Vec<String> = indented.map(|line| line.trim_end().to_owned()).collect();
                out.push_str(&indented.join("\n"));
            }
        }
        out.push('\n');
        before = Some(block);
    }
    out
}

/// What keeps a short command on one line until the lines are made.
const NO_BREAK: char = '\u{a0}';

/// A span of code longer than this may be broken.
const LONGEST_SPAN: usize = 40;

/// The text without marks of emphasis, with a link to another topic as the command that shows it.
fn plain(text: &str) -> String {
    let linked = with_links(text, |topic| format!("`sunhaul help {topic}`")).replace("**", "");
    let spans = linked.split('`').enumerate().map(|(number, part)| {
        let is_kept = number % 2 == 1 && part.len() <= LONGEST_SPAN;
        if is_kept { part.replace(' ', &NO_BREAK.to_string()) } else { part.to_owned() }
    });
    spans.collect::<Vec<_>>().join("`")
}

/// The text with what stands for each link to another topic; of other links the text stays.
fn with_links(text: &str, topic: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link, after)) = next_link(rest) {
        out.push_str(before);
        let (shown, target) = link;
        out.push_str(&target.strip_suffix(".md").map_or_else(|| shown.to_owned(), &topic));
        rest = after;
    }
    out + rest
}

/// What is before the next link, its text and its target, and what is after it.
fn next_link(text: &str) -> Option<(&str, (&str, &str), &str)> {
    let middle = text.find("](")?;
    let start = text[..middle].rfind('[')?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], (&text[start + 1..middle], &text[middle + 2..end]), &text[end + 1..]))
}

/// A paragraph in lines of so many columns. A word that is longer has a line of its own.
fn filled(text: &str, columns: usize, first: &str, others: &str) -> String {
    let mut lines = vec![first.to_owned()];
    let mut is_empty = true;
    for word in text.split(' ') {
        let line = lines.last_mut().expect("a line");
        let space = usize::from(!is_empty);
        if is_empty || line.width() + space + word.width() <= columns {
            line.push_str(if is_empty { "" } else { " " });
            line.push_str(word);
        } else {
            lines.push(format!("{others}{word}"));
        }
        is_empty = false;
    }
    lines.join("\n").replace(NO_BREAK, " ")
}

/// A page of the manual, in section 7.
pub(super) fn to_roff(name: &str, about: &str, blocks: &[Block]) -> String {
    let version = concat!("sunhaul ", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::new();
    // An empty date would be left out, and the version would take its place.
    roff.control("TH", [name, "7", " ", version]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{name} - {about}"))]);
    roff.control("SH", ["DESCRIPTION"]);
    for block in blocks {
        match block {
            Block::Heading { level: 1, .. } => {}
            Block::Heading { text, .. } => {
                roff.control("SH", [text.to_uppercase().as_str()]);
            }
            Block::Paragraph(text) => {
                roff.control("PP", []).text(inlines(text));
            }
            Block::Item { mark, text } => {
                let mark = if mark == "-" { "\\(bu" } else { mark };
                roff.control("IP", [mark, "4"]).text(inlines(text));
            }
            Block::Code(lines) => {
                roff.control("PP", []).control("RS", ["4"]).control("nf", []);
                for line in lines {
                    roff.text([roman(if line.is_empty() { " " } else { line.as_str() })]);
                }
                roff.control("fi", []).control("RE", []);
            }
        }
    }
    roff.render()
}

/// A text with what stands between backticks in bold, as manuals do.
fn inlines(text: &str) -> Vec<Inline> {
    let linked = with_links(text, |topic| format!("`sunhaul-{topic}`(7)"));
    let linked = linked.replace("**", "");
    let parts = linked.split('`').enumerate();
    parts.map(|(number, part)| if number % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# page\n\nA paragraph of `two words` that\ngoes on; see [lock](lock.md).\n\n\
        - `a`: one\n  and more\n- **two**\n\n```yaml\nkey: 1\n\n  # x\n```\n\n## Next part\n\n1. See [here](../x.yaml)\n";

    #[test]
    fn a_page_becomes_text_that_fits_the_terminal() {
        let text = to_text(&blocks(PAGE), 40, Paint(false));
        let expected = "PAGE\n\nA paragraph of `two words` that goes on;\nsee `sunhaul help lock`.\n\n\
            - `a`: one and more\n- two\n\n    key: 1\n\n      # x\n\nNext part\n\n1. See here\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_page_becomes_a_page_of_the_manual() {
        let page = to_roff("sunhaul-page", "What it is about", &blocks(PAGE));
        for part in [
            ".TH sunhaul-page 7 \" \" \"sunhaul ",
            "sunhaul\\-page \\- What it is about",
            ".SH \"NEXT PART\"",
            "\\fBsunhaul\\-lock\\fR(7)",
            ".IP \\(bu 4",
            ".nf\nkey: 1\n",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
