//! Rows of an answer of `data` in CSV: each checked before any counts.
//!
//! RFC 4180, as HAPI takes it: no line of names, and a record may hold line breaks within quotes. No value is changed.

use std::borrow::Cow;

use chrono::NaiveDateTime;

use super::status::{self, Meaning};
use super::time;
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::source::read_capped;
use crate::untrusted::escape;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataRow<'a> {
    /// As it came, without its line break.
    pub(super) text: &'a str,
    /// Its first cell.
    pub(super) time: NaiveDateTime,
    /// All its cells, without quotes.
    pub(super) cells: Vec<Cow<'a, str>>,
}

/// How an answer's end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseEnd {
    /// By its length, by chunks, or by HTTP/2. A server that fails, or one before it that holds what came so far, can end it
    /// as if it were whole.
    Framed,
    /// The connection ended: nobody knows.
    Close,
}

/// Reads the rows of an answer, `columns` cells each, hands those within `asked` to `take`, and returns the times of the
/// others.
///
/// # Errors
/// `listing-malformed` with the row for what is no table of that width, `truncated` for one that may have been cut, and
/// what `take` says.
pub(super) fn read_rows<'a>(
    answer: &'a [u8],
    columns: usize,
    asked: Window,
    end: ResponseEnd,
    mut take: impl FnMut(DataRow<'a>) -> Result<(), Failure>,
) -> Result<Vec<NaiveDateTime>, Failure> {
    if end == ResponseEnd::Close {
        let why = "the answer has neither a length nor chunks: so it is not known whether it is complete";
        return Err(Failure::new(Class::Truncated, why));
    }
    let text = std::str::from_utf8(answer)
        .map_err(|error| read_capped::malformed(&format!("no UTF-8 (byte {})", error.valid_up_to())))?;
    let mut elsewhere = Vec::new();
    let mut rest = text;
    let mut nth = 0_u64;
    while !rest.is_empty() {
        nth += 1;
        let wrong = |why: &str, at: &str| {
            read_capped::malformed(&format!("row {nth}: {why} (near `{}`)", read_capped::excerpt(at.as_bytes(), 0)))
        };
        let (line, is_ended, after) =
            first_record(rest).ok_or_else(|| wrong("a quoted string that is not terminated", rest))?;
        rest = after;
        // RFC 4180 lets the last record go without one; but then a number that is cut looks like a whole one.
        if !is_ended {
            let why = format!(
                "row {nth} has no line break, so the answer may be cut: `{}`",
                read_capped::excerpt(line.as_bytes(), 0)
            );
            return Err(Failure::new(Class::Truncated, why));
        }
        if let Some(words) = failure_in_comment(line) {
            let why = format!("row {nth} is the message of a server that failed: `{}`", escape(words));
            return Err(Failure::new(Class::Truncated, why));
        }
        // A server may send its header although it was not requested.
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells = cells(line);
        if cells.len() != columns {
            return Err(wrong(&format!("{} columns, where `info` tells {columns}", cells.len()), line));
        }
        let told = cells[0].trim();
        let time = time::parse(told).ok_or_else(|| wrong(&format!("`{}` is no time", escape(told)), line))?;
        if asked.contains(time) {
            take(DataRow { text: line, time, cells })?;
        } else {
            elsewhere.push(time);
        }
    }
    Ok(elsewhere)
}

/// What a comment says that a server wrote where it failed: words, or a status of HAPI.
fn failure_in_comment(line: &str) -> Option<&str> {
    let text = line.strip_prefix('#')?.trim_matches(|c: char| c.is_whitespace() || c == '#');
    let lower = text.to_ascii_lowercase();
    let after = |start: &str| lower.strip_prefix(start).map(str::trim_start);
    let is_code = |rest: &str| ["14", "15"].iter().any(|code| rest.starts_with(code));
    let starts = ["error", "fatal", "exception", "internal server error", "traceback"];
    let is_failure = starts.iter().any(|start| lower.starts_with(start))
        || after("hapi").is_some_and(|rest| rest.starts_with("error") || is_code(rest))
        || status::read_status(text.as_bytes())
            .is_some_and(|status| !matches!(status.meaning(), Meaning::Ok | Meaning::NoData));
    is_failure.then_some(text)
}

/// The last row of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastRow<'a> {
    pub(super) time: NaiveDateTime,
    /// Without its line break.
    pub(super) text: &'a str,
    /// It has a line break.
    pub(super) is_ended: bool,
}

/// The last row of an answer, if it has all its columns, and something in the last of them: a server that fails at a cell ends
/// the row before it, each time.
pub(super) fn last_row(answer: &[u8], columns: usize) -> Option<LastRow<'_>> {
    let mut rest = std::str::from_utf8(answer).ok()?;
    let mut last = None;
    while !rest.is_empty() {
        let (line, is_ended, after) = first_record(rest)?;
        last = Some((line, is_ended));
        rest = after;
    }
    let (text, is_ended) = last?;
    let cells = cells(text);
    let time =
        time::parse(cells.first()?.trim()).filter(|_| cells.len() == columns && !cells[columns - 1].is_empty())?;
    Some(LastRow { time, text, is_ended })
}

/// The first record without its line break, whether it had one, and what comes after. `None` for a quote without end.
fn first_record(text: &str) -> Option<(&str, bool, &str)> {
    let mut is_quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => {
                let line = &text[..at];
                return Some((line.strip_suffix('\r').unwrap_or(line), true, &text[at + 1..]));
            }
            _ => {}
        }
    }
    (!is_quoted).then_some((text, false, ""))
}

fn cells(line: &str) -> Vec<Cow<'_, str>> {
    let mut cells = Vec::new();
    let (mut is_quoted, mut start) = (false, 0);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                cells.push(unquoted(&line[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    cells.push(unquoted(&line[start..]));
    cells
}

fn unquoted(cell: &str) -> Cow<'_, str> {
    match cell.trim().strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inner) if inner.contains('"') => Cow::Owned(inner.replace("\"\"", "\"")),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(cell),
    }
}

/// A name as a cell of the table's first line.
pub(super) fn cell(name: &str) -> Cow<'_, str> {
    if name.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(name)
    }
}
