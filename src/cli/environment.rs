//! What the environment says: colours, the log's filter, variables of manifests, the CI service. No other room asks it.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::ColorChoice;
use rustix::{process, termios};

use super::ci::Around;
use crate::report::terminal::TerminalSize;

/// A variable's value; `None` when it is unset, or is no UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the place that the environment lives in")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The CI service around this process. GitHub reads along on standard error, unless each line there is a record of the log.
pub(super) fn ci(is_log: bool) -> Around {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Around {
        annotates: !is_log && variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        workspace: path("GITHUB_WORKSPACE").or_else(|| path("CI_PROJECT_DIR")),
        output: path("GITHUB_OUTPUT"),
        summary: path("GITHUB_STEP_SUMMARY"),
    }
}

/// Where notes about this machine's archives are kept: below `$XDG_STATE_HOME`, or `~/.local/state`. `None` without a home.
pub(super) fn state_folder() -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("sunhaul/archives"))
}

/// This program, to be started again: the very one, also when its file has been replaced meanwhile.
pub(super) fn own_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { std::env::current_exe().unwrap_or(running) }
}

/// What standard error can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Someone looks at it, and its cursor can be moved.
    pub(super) bars: bool,
    /// It gets colours.
    pub(super) colour: bool,
}

/// What standard error can show, by its kind, the environment and what was asked for.
pub(super) fn terminal(choice: ColorChoice) -> Terminal {
    let dumb = variable("TERM").is_none_or(|term| term == "dumb");
    let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    decide(choice, std::io::stderr().is_terminal(), dumb, plain)
}

/// How data for people are shown on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutputPage {
    /// How wide it is.
    pub(super) columns: usize,
    /// It gets colours.
    pub(super) colour: bool,
}

/// The page that standard output is: as wide as `COLUMNS` says, else as its terminal, else 80 columns.
pub(super) fn page(choice: ColorChoice) -> OutputPage {
    let out = std::io::stdout();
    let dumb = variable("TERM").is_none_or(|term| term == "dumb");
    let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let Terminal { colour, .. } = decide(choice, out.is_terminal(), dumb, plain);
    let told = variable("COLUMNS").and_then(|columns| columns.parse().ok());
    let seen = || termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col));
    let columns = told.filter(|columns| *columns > 0).or_else(|| seen().filter(|columns| *columns > 0)).unwrap_or(80);
    OutputPage { columns: columns.max(NARROWEST), colour }
}

/// A program that shows text page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pager {
    /// A command for the shell.
    Shell(String),
    /// `less`, where it is there.
    Less,
}

/// The pager for standard output: `PAGER`, else `less`; `None` where nobody reads at a terminal, or `PAGER` is `cat` or
/// empty.
pub(super) fn pager() -> Option<Pager> {
    let dumb = variable("TERM").is_none_or(|term| term == "dumb");
    if dumb || !std::io::stdout().is_terminal() {
        return None;
    }
    match variable("PAGER") {
        None => Some(Pager::Less),
        Some(program) if program.is_empty() || program == "cat" => None,
        Some(program) => Some(Pager::Shell(program)),
    }
}

/// True when somebody can be asked: they see the question, and the answer comes from them.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// No page is made for less.
const NARROWEST: usize = 20;

/// True when a shell can give the terminal to another program and back.
pub(super) fn is_under_a_shell() -> bool {
    termios::tcgetpgrp(std::io::stderr()).is_ok()
}

/// The size of the terminal that standard error is; `None` while another program has it: this one is in the background.
pub(super) fn size() -> Option<TerminalSize> {
    let terminal = std::io::stderr();
    if termios::tcgetpgrp(&terminal).is_ok_and(|group| group != process::getpgrp()) {
        return None;
    }
    // A terminal that does not know its size is taken to be 80 by 24.
    let known = |length: u16, usual: usize| if length == 0 { usual } else { usize::from(length) };
    let size = termios::tcgetwinsize(&terminal).ok();
    Some(TerminalSize {
        columns: known(size.map_or(0, |size| size.ws_col), 80),
        rows: known(size.map_or(0, |size| size.ws_row), 24),
    })
}

fn decide(choice: ColorChoice, terminal: bool, dumb: bool, plain: bool) -> Terminal {
    let bars = terminal && !dumb;
    let colour = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => bars && !plain,
    };
    Terminal { bars, colour }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_terminal_unless_they_are_asked_for_or_refused() {
        let decide = |choice, terminal, dumb, plain| {
            let Terminal { bars, colour } = decide(choice, terminal, dumb, plain);
            (bars, colour)
        };
        assert_eq!(decide(ColorChoice::Auto, true, false, false), (true, true));
        assert_eq!(decide(ColorChoice::Auto, true, false, true), (true, false));
        assert_eq!(decide(ColorChoice::Auto, true, true, false), (false, false));
        assert_eq!(decide(ColorChoice::Auto, false, false, false), (false, false));
        assert_eq!(decide(ColorChoice::Always, false, true, true), (false, true));
        assert_eq!(decide(ColorChoice::Never, true, false, false), (true, false));
    }
}
