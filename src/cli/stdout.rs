//! Standard output: data alone, and a reader who went away is no failure.

use std::io::{ErrorKind, Write as _};

use super::problem::Problem;
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
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Problem::new(Exit::Storage, format!("could not write to standard output: {error}")).into()),
    }
}

/// Writes a value as indented JSON.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    print(&format!("{}\n", untrusted::in_json(&text)))
}
