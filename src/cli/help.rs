//! `sunhaul help`: a page of text, or what `--help` says of a command.

use clap::CommandFactory as _;

use super::args::Cli;
use super::problem::unknown_name;
use super::{Exit, Result, stdout};
use crate::untrusted::escape;

/// Pages of text: the name, a line of what it holds, and the page.
const PAGES: [Page; 3] = [
    Page {
        name: "manifest",
        about: "The keys of a manifest and their defaults, and the variables of a layout",
        text: include_str!("help/manifest.md"),
    },
    Page {
        name: "recipes",
        about: "Only at night, another disk, another user, delete a series, the newest data each hour",
        text: include_str!("help/recipes.md"),
    },
    Page {
        name: "words",
        about: "What sealed, provisional, lock, slot, spec and other words mean here",
        text: include_str!("help/words.md"),
    },
];

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words of a page, as keys are written.
    fn words_of(name: &str) -> BTreeSet<&'static str> {
        let page = PAGES.iter().find(|page| page.name == name).unwrap();
        page.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect()
    }

    #[test]
    fn the_page_of_manifests_has_the_keys_of_a_job_of_its_series_and_of_what_a_layout_may_hold() {
        let schema = crate::manifest::schema::job();
        let keys = |of: &serde_json::Value| of["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let part = |name: &str| &schema["properties"][name];
        let objects =
            [&schema, &part("series")["items"], part("archive"), part("limits"), part("retry"), part("timeouts")];
        let words = words_of("manifest");
        for key in objects.into_iter().flat_map(keys) {
            assert!(words.contains(key.as_str()), "`sunhaul help manifest` lacks `{key}`");
        }
        for variable in ["series", "date", "time", "file", "recnum", "harpnum", "t_rec", "segment", "wavelength"] {
            assert!(words.contains(variable), "`sunhaul help manifest` lacks `{{{variable}}}`");
        }
    }

    #[test]
    fn the_page_of_words_explains_those_that_commands_print() {
        let words = words_of("words");
        for word in
            ["sealed", "provisional", "stale", "journal", "part", "quarantine", "retired", "preset", "slot", "spec"]
        {
            assert!(words.contains(word), "`sunhaul help words` lacks `{word}`");
        }
    }

    #[test]
    fn no_line_of_a_page_is_wider_than_a_wide_terminal() {
        for page in &PAGES {
            let long = page.text.lines().find(|line| line.chars().count() > 130);
            assert_eq!(long, None, "{}", page.name);
        }
    }
}
