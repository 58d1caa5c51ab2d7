//! The command line: one file a command, and the clock, the environment, standard output and exit codes.
//!
//! The work is done below: this layer opens what it needs, hands it in, and reports what came out.

mod adopt;
mod args;
mod budget;
mod check;
mod ci;
mod clean;
mod clock;
mod completions;
mod environment;
mod exit;
mod explain;
mod export;
mod forget;
mod gitignore;
mod halt;
mod help;
mod init;
mod job_lock;
mod known_archive;
mod limits;
mod load_manifest;
mod lock;
mod lock_owner;
mod lock_wait;
mod log;
mod man;
mod mistyped;
mod netrc;
mod options;
mod output_guard;
mod pager;
mod ping;
mod plan;
mod plan_job;
mod problem;
mod query_retry;
mod regions;
mod removed_series;
mod report;
mod report_file;
mod run;
mod same_job;
mod schema;
mod selection;
mod serve;
mod signals;
mod sources;
mod status;
mod stdout;
mod table;
mod update;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ColorChoice, CommandFactory as _};

use crate::net::tunnel;
use crate::report::terminal::{Mode, Paint, Screen, Verbosity};
use args::{Cli, Command};
use ci::Ci;
pub use exit::Exit;
use options::LogFormat;

/// What every command gives: how it ended, or why it failed.
type Result<T, E = anyhow::Error> = anyhow::Result<T, E>;

/// What every command gets.
struct Shell {
    screen: Arc<Screen>,
    /// Standard output, for what people read there.
    page: environment::OutputPage,
    verbosity: Verbosity,
    /// Who reads along, where that is a CI service.
    ci: Ci,
    /// The words of the command line, the program's name first.
    words: Vec<OsString>,
}

impl Shell {
    /// Warns where a command that only looks is given a job that a run refuses: what it shows is true all the same.
    fn warn_of_refusal(&self, error: &anyhow::Error) {
        let (_, message, hint) = problem::explain(error);
        let hint = hint.map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        let word = self.screen.paint.care("warning:");
        self.screen.line(&format!("{word} `sunhaul run` refuses this job: {message}{hint}"));
    }
}

/// Runs the program over the process' own command line.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    // Not for users: the program starts itself with this command to watch an `ssh` process.
    if words.get(1).is_some_and(|word| word == tunnel::KEEP)
        && let Some(code) = tunnel::keep(&words[2..])
    {
        return code;
    }
    let command = Cli::command().color(colour_of(&words));
    let cli = match Cli::parse_checked(command, words.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and ends well; a reader who went away is no failure.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Complete.into() };
        }
    };
    let shell = shell(&cli, words);
    limits::catch_large_files();
    let exit = execute(cli.command, &shell).unwrap_or_else(|error| problem::report(&error, &shell));
    shell.ci.ended(exit, &shell.screen);
    exit.into()
}

fn execute(command: Command, shell: &Shell) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(&args, shell),
        Command::Check(args) => check::run(&args, shell),
        Command::Plan(args) => plan::run(&args, shell),
        Command::Run(args) => run::run(&args, shell),
        Command::Ping(args) => ping::run(&args, shell),
        Command::Status(args) => status::run(&args, shell),
        Command::Report(args) => report::run(&args, shell),
        Command::Update(args) => update::run(&args, shell),
        Command::Lock(args) => lock::run(&args, shell),
        Command::Export(args) => export::run(&args, shell),
        Command::Verify(args) => verify::run(&args, shell),
        Command::Adopt(args) => adopt::run(&args, shell),
        Command::Serve(args) => serve::run(&args, shell),
        Command::Forget(args) => forget::run(&args, shell),
        Command::Clean(args) => clean::run(&args, shell),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
        Command::Explain(args) => explain::run(&args, shell),
        Command::Help(args) => help::run(&args, Cli::command(), shell),
    }
}

/// `--color` as far as it can be known before parsing: help and usage errors obey it too.
fn colour_of(words: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let apart = words.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
    apart.chain(joined).find_map(|value| value.parse().ok()).unwrap_or(ColorChoice::Auto)
}

fn shell(cli: &Cli, words: Vec<OsString>) -> Shell {
    let global = &cli.global;
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let terminal = environment::terminal(global.color);
    let (mode, colour) = match global.log_format {
        LogFormat::Json => (Mode::Log, false),
        LogFormat::Text if terminal.bars => (Mode::Bars(Box::new(environment::size)), terminal.colour),
        LogFormat::Text => (Mode::Lines, terminal.colour),
    };
    let screen = Arc::new(Screen::new(Box::new(std::io::stderr()), mode, Paint(colour)));
    log::start(&screen, global.log_format, colour, environment::variable("SUNHAUL_LOG").as_deref());
    let ci = Ci::new(environment::ci(screen.is_log()));
    Shell { screen, page: environment::page(global.color), verbosity, ci, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_known_before_the_command_line_is_parsed() {
        let of = |line: &str| colour_of(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("sunhaul --color never --help"), ColorChoice::Never);
        assert_eq!(of("sunhaul run --color=always"), ColorChoice::Always);
        assert_eq!(of("sunhaul run -- --color=always"), ColorChoice::Auto);
        assert_eq!(of("sunhaul --color mauve"), ColorChoice::Auto);
    }
}
