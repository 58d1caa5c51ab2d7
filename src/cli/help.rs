//! `sunhaul help`: a topic, or what `--help` says about a command.

mod markdown;

use clap::Command;

use super::problem::unknown_name;
use super::{Exit, Result, Shell, pager, stdout};
use crate::report::terminal::Paint;
use crate::untrusted::escape;
pub(super) use markdown::Block;

/// Declares a topic: its name, which is that of its file, and one line about it.
macro_rules! topic {
    ($name:literal, $about:literal) => {
        Topic { name: $name, about: $about, page: include_str!(concat!("help/", $name, ".md")) }
    };
}

/// The topics, in the order in which they are listed.
const TOPICS: [Topic; 26] = [
    topic!("manifest", "All keys of a manifest and their defaults, and the variables of a layout"),
    topic!("sources", "The kinds of sources, replicas, links to other hosts, tables of keywords"),
    topic!("hmi", "The HMI service of FLARECAST, or `sunhaul serve`"),
    topic!("jsoc", "JSOC: SHARPs and all other series of SDO, active regions, orders, maps"),
    topic!("medoc", "MEDOC, the copy of SDO's data in France"),
    topic!("hapi", "HAPI servers: one table per day, or files"),
    topic!("index", "Web servers that list their folders"),
    topic!("template", "URLs that follow from the time"),
    topic!("embedded", "The built-in service with synthetic data"),
    topic!("tunnel", "A service behind an SSH gateway"),
    topic!("credentials", "A service that requires a login"),
    topic!("host-limits", "How many requests each host gets, and when a run pauses"),
    topic!("mirror", "Copy a large part of a public archive"),
    topic!("lock", "Reproduce a dataset, and notice when upstream changes"),
    topic!("ci", "GitHub, GitLab, Jenkins, and budgets of time and bytes"),
    topic!("reports", "The report of a run in all its forms, and the log"),
    topic!("archive", "What is in an archive, who owns which file, and the formats"),
    topic!("verification", "How files are checked, repaired, and accepted if they are bad"),
    topic!("export", "Checksums, BagIt, RO-Crate, CSV; pandas, DuckDB, Snakemake"),
    topic!("serve", "Serve files with the API of the HMI service, and simulate faults"),
    topic!("recipes", "Only at night, each hour, import files, another disk, another user"),
    topic!("exit-codes", "What each exit code means"),
    topic!("failures", "What each failure class means, its causes, and what to do"),
    topic!("words", "What sealed, provisional, lock, slot, spec and other words mean"),
    topic!("performance", "Measured times and memory"),
    topic!("limits", "What sunhaul cannot do, and what has not been tested"),
];

/// A page of help.
pub(super) struct Topic {
    pub(super) name: &'static str,
    about: &'static str,
    /// In Markdown.
    page: &'static str,
}

impl Topic {
    /// All topics.
    pub(super) fn all() -> &'static [Topic] {
        &TOPICS
    }

    /// The page of the manual, `sunhaul-NAME(7)`.
    pub(super) fn manual(&self) -> String {
        markdown::to_roff(&format!("sunhaul-{}", self.name), self.about, &markdown::blocks(self.page))
    }
}

/// The page of a topic.
///
/// # Panics
/// When there is no such topic.
pub(super) fn blocks_of(name: &str) -> Vec<Block> {
    let topic = TOPICS.iter().find(|topic| topic.name == name).expect("a topic");
    markdown::blocks(topic.page)
}

/// Blocks as text for standard output.
pub(super) fn text(blocks: &[Block], shell: &Shell) -> String {
    markdown::to_text(blocks, shell.page.columns, Paint(shell.page.colour))
}

/// Show help on a topic or a command.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show help on a topic or a command.\n\n\
        Without a name it lists both. `sunhaul help run` shows the same as `sunhaul run --help`. If a topic and a command \
        have the same name, it shows the topic. On a terminal the text is shown with `$PAGER`, or else with `less`.",
    after_help = "Examples:\n  sunhaul help\n  sunhaul help jsoc\n  sunhaul help recipes\n  sunhaul help run"
)]
pub(super) struct Args {
    /// A topic, or a command.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(args: &Args, mut command: Command, shell: &Shell) -> Result<Exit> {
    command.build();
    let Some(name) = &args.name else {
        let topics = TOPICS.iter().map(|topic| format!("  {:<14}{}\n", topic.name, topic.about));
        let topics: String = topics.collect();
        stdout::print(&format!("{}\nTopics of `sunhaul help NAME`:\n{topics}", command.render_help()))?;
        return Ok(Exit::Complete);
    };
    let of_command = command.find_subcommand_mut(name).map(|command| command.render_long_help().to_string());
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        let mut blocks = markdown::blocks(topic.page);
        if of_command.is_some() {
            blocks.push(Block::Paragraph(format!("`sunhaul {name} --help` shows the options of the command.")));
        }
        pager::show(&text(&blocks, shell), shell.page.colour)?;
        return Ok(Exit::Complete);
    }
    if let Some(help) = of_command {
        pager::show(&help, false)?;
        return Ok(Exit::Complete);
    }
    let known = TOPICS.iter().map(|topic| topic.name).chain(command.get_subcommands().map(Command::get_name));
    let message = format!("there is no command or topic `{}`", escape(name));
    Err(unknown_name(message, name, known, "`sunhaul help` lists them").into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words of a page, as keys are written.
    fn words_of(name: &str) -> BTreeSet<&'static str> {
        let topic = TOPICS.iter().find(|topic| topic.name == name).unwrap();
        topic.page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect()
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
    fn each_page_is_a_topic_and_begins_with_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/help");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<String> = files.filter_map(|file| file.strip_suffix(".md").map(str::to_owned)).collect();
        assert_eq!(files, TOPICS.iter().map(|topic| topic.name.to_owned()).collect());
        for topic in &TOPICS {
            assert!(topic.page.starts_with(&format!("# {}\n\n", topic.name)), "{}", topic.name);
        }
    }

    #[test]
    fn no_line_of_a_page_is_wider_than_a_wide_terminal() {
        for topic in &TOPICS {
            for columns in [80, 100, 300] {
                let text = markdown::to_text(&markdown::blocks(topic.page), columns, Paint(false));
                let is_prose = |line: &&str| !line.starts_with("    ");
                let widest = |line: &&str| line.chars().count() > if is_prose(line) { columns.min(100) } else { 100 };
                assert_eq!(text.lines().find(widest), None, "{} at {columns}", topic.name);
            }
        }
    }
}
