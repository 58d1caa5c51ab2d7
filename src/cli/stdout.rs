//! Standard output: data alone, and a reader who went away is no failure.

use std::io::{self, BufWriter, ErrorKind, Write};

use super::problem::CliError;
use super::{Exit, Result};
use crate::untrusted;

/// Writes data to standard output. Somebody may look at it: nothing in it acts on a terminal.
///
/// # Errors
/// When it cannot be written, unless the reader closed it: `sunhaul plan | head` is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    print_painted(text, false)
}

/// The same; with `colour`, codes for it may be in the text.
///
/// # Errors
/// As [`print`].
pub(super) fn print_painted(text: &str, colour: bool) -> Result<()> {
    let text = untrusted::on_terminal(text, colour);
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes a value as indented JSON, while it is made: no text of the whole is kept.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    let mut out = SafeJson(BufWriter::with_capacity(64 * 1024, io::stdout().lock()));
    let made = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    written(made.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

fn written(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(CliError::new(Exit::Storage, format!("could not write to standard output: {error}")).into()),
    }
}

/// Makes JSON safe to look at. Whoever writes to it writes no part of a character: a serializer does not.
struct SafeJson<W>(W);

impl<W: Write> Write for SafeJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        self.0.write_all(untrusted::in_json(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_written_piece_by_piece_is_as_safe_as_a_whole_text() {
        let value = serde_json::json!({ "a\"##": ["\u{9b}31m", "é\n\u{202e}x", 7], "b": {} });
        let mut out = SafeJson(Vec::new());
        serde_json::to_writer_pretty(&mut out, &value).unwrap();
        let whole = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), untrusted::in_json(&whole));
    }
}
