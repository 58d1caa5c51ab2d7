//! `sunhaul man`: the manual: a page for each command from what `--help` says, and one for each topic of `sunhaul help`.

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use super::help::Topic;
use super::problem::{CliError, unknown_name};
use super::{Exit, Result, stdout};
use crate::untrusted::escape;

/// Print a page of the manual, or write all of them.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print a page of the manual, or write all of them.\n\n\
        There is a page for sunhaul and one for each command in section 1, and one for each topic of `sunhaul help` in \
        section 7. If a topic and a command have the same name, `lock` is the command and `lock.7` the topic.",
    after_help = "Examples:\n  sunhaul man run | man -l -\n  sunhaul man lock.7 | man -l -\n  \
        sunhaul man --output ~/.local/share/man/man1    then: man sunhaul-run; man sunhaul-jsoc"
)]
pub(super) struct Args {
    /// A command or a topic. Default: sunhaul itself.
    #[arg(conflicts_with = "output")]
    name: Option<String>,
    /// Write all pages into this directory, which is created if it does not exist. Earlier pages are replaced. If its
    /// name is `man1`, the pages of section 7 go to `man7` beside it.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// A page of the manual.
struct ManPage {
    /// Such as `sunhaul-run.1`.
    file: String,
    text: String,
}

impl ManPage {
    /// The section that the page belongs to.
    fn section(&self) -> &str {
        self.file.rsplit_once('.').map_or("", |(_, section)| section)
    }
}

pub(super) fn run(args: &Args, command: Command) -> Result<Exit> {
    let pages = pages(command)?;
    if let Some(folder) = &args.output {
        for page in &pages {
            write(&folder_of(folder, page.section()), page)?;
        }
        return Ok(Exit::Complete);
    }
    let Some(name) = &args.name else {
        stdout::print(&pages[0].text)?;
        return Ok(Exit::Complete);
    };
    // Pages of commands come first: where a topic has the same name, the command is meant.
    let file = format!("sunhaul-{name}");
    let is_wanted =
        |page: &&ManPage| page.file == file || page.file.rsplit_once('.').is_some_and(|(stem, _)| stem == file);
    let Some(page) = pages.iter().find(is_wanted) else {
        let known = pages.iter().filter_map(|page| page.file.strip_prefix("sunhaul-")?.rsplit_once('.'));
        let message = format!("there is no command or topic `{}`", escape(name));
        return Err(unknown_name(message, name, known.map(|(name, _)| name), "`sunhaul help` lists them").into());
    };
    stdout::print(&page.text)?;
    Ok(Exit::Complete)
}

/// The pages: sunhaul's own first, then those of commands, then those of topics.
fn pages(mut command: Command) -> Result<Vec<ManPage>> {
    command.build();
    let mut pages = Vec::new();
    let subcommands = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let subcommands: Vec<_> = subcommands.collect();
    for command in std::iter::once(command).chain(subcommands) {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let mut page = Vec::new();
        let man = Man::new(command).source(concat!("sunhaul ", env!("CARGO_PKG_VERSION")));
        man.render(&mut page)?;
        pages.push(ManPage { file: format!("{name}.1"), text: String::from_utf8_lossy(&page).into_owned() });
    }
    let topics = Topic::all().iter();
    pages.extend(topics.map(|topic| ManPage { file: format!("sunhaul-{}.7", topic.name), text: topic.manual() }));
    Ok(pages)
}

/// Where pages of a section go: `man` looks for those of section 7 in `man7`.
fn folder_of(folder: &Path, section: &str) -> PathBuf {
    if folder.ends_with("man1") { folder.with_file_name(format!("man{section}")) } else { folder.to_owned() }
}

fn write(folder: &Path, page: &ManPage) -> Result<()> {
    let path = folder.join(&page.file);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &page.text));
    Ok(written.map_err(|error| {
        CliError::new(Exit::Storage, format!("could not write `{}`: {error}", escape(&path.to_string_lossy())))
            .hint("name another folder with `--output`")
    })?)
}
