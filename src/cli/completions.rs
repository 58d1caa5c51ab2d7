//! `sunhaul completions`: the command line, for shells.

use clap::Command;
use clap_complete::Shell;

use super::{Exit, Result, stdout};

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sunhaul completions bash > ~/.local/share/bash-completion/completions/sunhaul\n  \
    sunhaul completions zsh > ~/.zfunc/_sunhaul\n  \
    sunhaul completions fish > ~/.config/fish/completions/sunhaul.fish")]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(args: &Args, mut command: Command) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "sunhaul", &mut script);
    stdout::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Complete)
}
