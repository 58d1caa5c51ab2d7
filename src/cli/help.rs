//! `sunhaul help`: a page of text, or what `--help` says of a command.

use clap::CommandFactory as _;

use super::args::Cli;
use super::problem::unknown_name;
use super::{Exit, Result, stdout};
use crate::untrusted::escape;

/// Pages of text: the name, a line of what it holds, and the page.
const PAGES: [Page; 1] = [Page {
    name: "recipes",
    about: "Only at night, another disk, another user, delete a series, the newest data each hour",
    text: include_str!("help/recipes.md"),
}];

struct Page {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

/// Show help on a command or a topic.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show help on a command or a topic.\n\n\
        Without a name it lists the topics. `sunhaul help run` shows what `sunhaul run --help` does.",
    after_help = "Examples:\n  sunhaul help\n  sunhaul help recipes\n  sunhaul help run"
)]
pub(super) struct Args {
    /// A command, or a topic.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let Some(name) = &args.name else {
        let topics = PAGES.iter().map(|page| format!("  {:<12}{}\n", page.name, page.about));
        let topics: String = topics.collect();
        stdout::print(&format!("{}\nTopics of `sunhaul help NAME`:\n{topics}", command.render_help()))?;
        return Ok(Exit::Complete);
    };
    if let Some(page) = PAGES.iter().find(|page| page.name == name) {
        stdout::print(page.text)?;
        return Ok(Exit::Complete);
    }
    if let Some(command) = command.find_subcommand_mut(name) {
        stdout::print(&command.render_long_help().to_string())?;
        return Ok(Exit::Complete);
    }
    let known = PAGES.iter().map(|page| page.name).chain(command.get_subcommands().map(clap::Command::get_name));
    let message = format!("there is no command or topic `{}`", escape(name));
    Err(unknown_name(message, name, known, "`sunhaul help` names them").into())
}
