//! Text for people on standard output, through a pager where somebody reads at a terminal.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::fs::{MemfdFlags, memfd_create};

use super::environment::Pager;
use super::{Result, environment, stdout};

/// What git gives to `less` unless the user says otherwise: no pager for a short text, colours, and no clearing.
const LESS: &str = "FRX";

/// Shows a text. With `colour`, codes for it may be in it.
///
/// On a terminal this does not return where a pager can be started: this process becomes the pager, so that signals and
/// keys go to nothing else.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn show(text: &str, colour: bool) -> Result<()> {
    if let Some(pager) = environment::pager() {
        // Without a pager the text is shown all the same.
        let _ = become_pager(&pager, text);
    }
    stdout::print_painted(text, colour)
}

/// Replaces this process by the pager; returns only where that fails.
fn become_pager(pager: &Pager, text: &str) -> io::Error {
    let text = match in_memory(text) {
        Ok(text) => text,
        Err(error) => return error,
    };
    let mut command = match pager {
        // As git does: the variable may have options and quotes.
        Pager::Shell(command) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", command]);
            shell
        }
        Pager::Less => Command::new("less"),
    };
    if environment::variable("LESS").is_none() {
        command.env("LESS", LESS);
    }
    command.stdin(text).exec()
}

/// A file without a name that holds a text, to be read from its beginning. A pipe would have to be fed.
fn in_memory(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("sunhaul-help", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}
