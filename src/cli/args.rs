//! The table of commands, and the command line as typed. Options that commands share are in `options`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{FromArgMatches as _, Parser, Subcommand};

use super::options::Global;
use super::{
    adopt, check, clean, completions, explain, export, forget, help, init, lock, man, mistyped, ping, plan, report,
    run, schema, serve, status, update, verify,
};
use crate::manifest::{NAME_ONE, suggest_word};

/// Turns job manifests into verified archives of solar data.
#[derive(Debug, Parser)]
#[command(
    name = "sunhaul",
    version,
    long_about = "Turns job manifests into verified archives of solar data.\n\n\
        A manifest is a YAML file, kept in git, that says which series over which dates. `sunhaul run` fetches what \
        is missing, checks every file, and seals each finished day into a small record. Run it again at any time: it \
        goes on where it stopped and fetches nothing twice.",
    after_help = "Start here:\n  \
        sunhaul init                         a manifest of your own\n  \
        sunhaul check jobs/quickstart.yaml   is the manifest right?\n  \
        sunhaul plan jobs/quickstart.yaml    what is there to do?\n  \
        sunhaul run jobs/quickstart.yaml     do it\n  \
        sunhaul status jobs/quickstart.yaml  what is there now?\n\n\
        Exit codes: 0 complete, 1 incomplete and a retry will not help by itself, 2 usage or manifest, 3 the \
        lock does not match, 4 incomplete for a temporary reason (run the same command again), 5 local storage, 130 \
        interrupted.\n\n\
        Data goes to standard output, everything else to standard error.",
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// Parses a command line, the program's name first.
    ///
    /// # Errors
    /// A usage error, or the help that was asked for.
    pub(super) fn parse_checked(
        mut command: clap::Command,
        words: impl IntoIterator<Item = OsString>,
    ) -> Result<Cli, clap::Error> {
        let matches = command.try_get_matches_from_mut(words).map_err(|error| with_advice(error, &command))?;
        let cli = Cli::from_arg_matches(&matches)?;
        // Conflicts of options that stand before and after a command's name are not seen by the parser itself.
        if cli.global.quiet && cli.global.verbose {
            return Err(command.error(ErrorKind::ArgumentConflict, "`--quiet` and `--verbose` exclude each other"));
        }
        Ok(cli)
    }
}

/// Adds what was probably meant, where the parser itself has no idea.
fn with_advice(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        _ => None,
    };
    if let Some(advice) = advice_on_other_words(&error, told) {
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
        // The parser's usage names the option that it takes for the nearest.
        if error.kind() == ErrorKind::UnknownArgument {
            error.remove(ContextKind::Usage);
        }
        return error;
    }
    match error.kind() {
        ErrorKind::InvalidSubcommand if told(ContextKind::SuggestedSubcommand).is_none() => {
            let typed = told(ContextKind::InvalidSubcommand).unwrap_or_default();
            let names = command.get_subcommands().map(clap::Command::get_name);
            if let Some(near) = suggest_word::nearest(&typed, names) {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near.to_owned()]));
            }
        }
        ErrorKind::MissingRequiredArgument if told(ContextKind::InvalidArg).is_some_and(|arg| arg.contains("JOB")) => {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![NAME_ONE.into()]));
        }
        _ => {}
    }
    error
}

/// What to do in place of a command or an option of other programs.
fn advice_on_other_words(error: &clap::Error, told: impl Fn(ContextKind) -> Option<String>) -> Option<String> {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let own = mistyped::command(&told(ContextKind::InvalidSubcommand)?)?;
            Some(format!("the command here is `{own}`"))
        }
        ErrorKind::UnknownArgument => {
            let is_run = told(ContextKind::Usage).is_some_and(|usage| usage.contains("sunhaul run"));
            let typed = told(ContextKind::InvalidArg).filter(|_| is_run)?;
            mistyped::option_of_run(&typed).map(str::to_owned)
        }
        _ => None,
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(init::Args),
    Check(check::Args),
    Plan(plan::Args),
    Run(run::Args),
    Ping(ping::Args),
    Status(status::Args),
    Report(report::Args),
    Update(update::Args),
    Lock(lock::Args),
    Export(export::Args),
    Verify(verify::Args),
    Adopt(adopt::Args),
    Serve(serve::Args),
    Forget(forget::Args),
    Clean(clean::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    Explain(explain::Args),
    Help(help::Args),
}

#[cfg(test)]
mod tests {
    use clap::{ColorChoice, CommandFactory as _};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_teaches() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut text = command.render_long_help().to_string();
        for sub in command.get_subcommands_mut() {
            assert!(sub.get_about().is_some(), "{} has no line of its own", sub.get_name());
            assert!(sub.get_after_help().is_some(), "{} shows no example", sub.get_name());
            let name = sub.get_name().to_owned();
            text.extend([format!("\n──────── {name} ────────\n"), sub.render_long_help().to_string()]);
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn every_command_and_every_option_says_what_it_is_for() {
        let mut command = Cli::command();
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }

    /// The calls of the program in a script, without what a shell makes of the rest of their lines.
    fn calls(script: &str) -> Vec<Vec<String>> {
        let mut calls = Vec::new();
        for line in script.replace("\\\n", " ").lines() {
            let (command, _comment) = line.split_once(" #").unwrap_or((line, ""));
            for part in command.split(['|', '&', ';', '>', '(', ')']) {
                let words: Vec<&str> = part.split_whitespace().map(|word| word.trim_matches('"')).collect();
                let own = words.iter().position(|word| *word == "sunhaul").filter(|_| !words.contains(&"git"));
                calls.extend(own.map(|at| words[at..].iter().map(|word| (*word).to_owned()).collect()));
            }
        }
        calls
    }

    #[test]
    fn every_command_that_the_documentation_shows_is_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/help");
        let pages = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let others =
            ["README.md", "tests/README.md"].map(|path| format!("{}/{path}", env!("CARGO_MANIFEST_DIR")).into());
        let mut seen = 0;
        for path in pages.chain(others).filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let page = std::fs::read_to_string(&path).unwrap();
            let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
            let blocks = blocks.filter(|(language, _)| ["sh", "yaml"].contains(language));
            for call in blocks.flat_map(|(_, block)| calls(block)) {
                let parsed = Cli::try_parse_from(&call);
                let is_help = parsed.as_ref().is_err_and(|error| !error.use_stderr());
                assert!(parsed.is_ok() || is_help, "{}: {call:?}: {}", path.display(), parsed.unwrap_err());
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen} commands");
    }

    /// A line that ends by itself, and is longer than the terminal, breaks in the middle of a thought.
    #[test]
    fn exit_codes_are_one_paragraph_which_folds_at_any_width() {
        let command = Cli::command();
        let mut told = 0;
        for help in std::iter::once(&command).chain(command.get_subcommands()).filter_map(clap::Command::get_after_help)
        {
            for paragraph in help.to_string().split("\n\n").filter(|text| text.starts_with("Exit codes: ")) {
                told += 1;
                assert!(!paragraph.contains('\n'), "{paragraph}");
            }
        }
        assert!(told >= 5, "{told} commands tell their exit codes");
    }

    #[test]
    fn options_of_later_days_are_refused() {
        for line in ["mirror job.yaml", "fetch job.yaml"] {
            let words = std::iter::once("sunhaul").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn quiet_and_verbose_exclude_each_other_and_stand_anywhere() {
        let parse = |line: &str| Cli::parse_checked(Cli::command(), line.split(' ').map(OsString::from));
        assert_eq!(parse("sunhaul -q check -v a.yaml").unwrap_err().kind(), ErrorKind::ArgumentConflict);
        let cli = parse("sunhaul check a.yaml -q --color never").unwrap();
        assert!(cli.global.quiet && cli.global.color == ColorChoice::Never);
    }
}
