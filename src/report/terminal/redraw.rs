//! The bars that stand on a terminal, and what to write so that others, or none, stand there instead.
//!
//! The cursor rests at the start of the last bar. A terminal that was made narrower has folded each bar into as many
//! rows as it needs, and one that was made wider has unfolded it: so the rows above the cursor are counted at the width
//! of now.

use unicode_width::UnicodeWidthChar as _;

use super::bars::TerminalSize;

/// Erases from the cursor to the end of the screen, and of the line.
const ERASE_BELOW: &str = "\u{1b}[J";
const ERASE_RIGHT: &str = "\u{1b}[K";
/// Erases the cursor's line and all below. Not from its first column on: in the first row of the screen that is
/// clearing the screen, and some terminals then keep what was there to scroll back to.
const ERASE_ALL: &str = " \u{1b}[J\r\u{1b}[K";

/// The bars on the terminal.
#[derive(Debug, Default)]
pub(super) struct LiveBars {
    lines: Vec<String>,
    /// The width that they were drawn for.
    columns: usize,
}

impl LiveBars {
    /// What puts `lines` in the place of those that stand.
    pub(super) fn replaced(&mut self, lines: Vec<String>, size: TerminalSize) -> Vec<u8> {
        if self.lines.is_empty() && lines.is_empty() {
            return Vec::new();
        }
        let mut out = self.home(size);
        if size.columns != self.columns || lines.is_empty() {
            // Overwriting a folded line would leave it folded.
            out.push_str(ERASE_ALL);
        }
        self.lines = lines;
        self.columns = size.columns;
        self.put(&mut out);
        out.into_bytes()
    }

    /// What puts whole lines above the bars; without a size there are no bars any more.
    pub(super) fn with_lines_above(&mut self, text: &[u8], size: Option<TerminalSize>) -> Vec<u8> {
        let Some(size) = size.filter(|_| !self.lines.is_empty()) else {
            self.lines.clear();
            return text.to_owned();
        };
        let mut before = self.home(size);
        before.push_str(ERASE_ALL);
        let mut after = String::new();
        if size.columns == self.columns {
            self.put(&mut after);
        } else {
            // They would not fit; the next redraw comes soon.
            self.lines.clear();
        }
        [before.as_bytes(), text, after.as_bytes()].concat()
    }

    /// Moves the cursor to the start of the first bar.
    fn home(&self, size: TerminalSize) -> String {
        let above: usize = self.lines.iter().rev().skip(1).map(|line| rows(line, size.columns)).sum();
        if above == 0 { "\r".to_owned() } else { format!("\r\u{1b}[{above}A") }
    }

    /// Writes the bars, erases what is left of others, and leaves the cursor where it rests.
    fn put(&self, out: &mut String) {
        let Some((last, others)) = self.lines.split_last() else { return };
        for line in others {
            out.extend([line.as_str(), ERASE_RIGHT, "\r\n"]);
        }
        out.extend([last.as_str(), ERASE_BELOW, "\r"]);
    }
}

/// How many rows a line takes where `columns` characters fit into one. A wide character is never split.
fn rows(line: &str, columns: usize) -> usize {
    let (mut rows, mut used) = (1, 0);
    for width in line.chars().filter_map(char::width) {
        used += width;
        if used > columns {
            rows += 1;
            used = width;
        }
    }
    rows
}
