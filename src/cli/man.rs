//! `sunhaul man`: the manual's pages, from what `--help` says.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::args::Cli;
use super::problem::{Problem, unknown_name};
use super::{Exit, Result, stdout};
use crate::untrusted::escape;

/// Print a page of the manual, or write all of them.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print a page of the manual, or write all of them.\n\n\
        There is a page for sunhaul and one for each command, in section 1.",
    after_help = "Examples:\n  sunhaul man run | man -l -\n  \
        sunhaul man --output ~/.local/share/man/man1    then: man sunhaul-run"
)]
pub(super) struct Args {
    /// The command. Default: sunhaul itself.
    #[arg(conflicts_with = "output")]
    command: Option<String>,
    /// Write all pages into this folder, which is made where it is missing; pages of before are replaced.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let pages = pages()?;
    if let Some(folder) = &args.output {
        for (name, page) in &pages {
            write(folder, name, page)?;
        }
        return Ok(Exit::Complete);
    }
    let wanted = args.command.as_ref().map_or_else(|| "sunhaul".to_owned(), |name| format!("sunhaul-{name}"));
    let Some((_, page)) = pages.iter().find(|(name, _)| *name == wanted) else {
        let named = args.command.as_deref().unwrap_or_default();
        let known = pages.iter().filter_map(|(name, _)| name.strip_prefix("sunhaul-"));
        let message = format!("there is no command `{}`", escape(named));
        return Err(unknown_name(message, named, known, "`sunhaul --help` names them").into());
    };
    stdout::print(page)?;
    Ok(Exit::Complete)
}

/// The pages by their names.
fn pages() -> Result<Vec<(String, String)>> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    let subcommands = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let subcommands: Vec<_> = subcommands.collect();
    for command in std::iter::once(command).chain(subcommands) {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let mut page = Vec::new();
        let man = Man::new(command).source(concat!("sunhaul ", env!("CARGO_PKG_VERSION")));
        man.render(&mut page)?;
        pages.push((name, String::from_utf8_lossy(&page).into_owned()));
    }
    Ok(pages)
}

fn write(folder: &Path, name: &str, page: &str) -> Result<()> {
    let path = folder.join(format!("{name}.1"));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, page));
    Ok(written.map_err(|error| {
        Problem::new(Exit::Storage, format!("could not write `{}`: {error}", escape(&path.to_string_lossy())))
            .hint("name another folder with `--output`")
    })?)
}
