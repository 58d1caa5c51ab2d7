//! Options that all commands, or several, take.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{ColorChoice, ValueEnum};

use super::environment;
use crate::net::Net;
use crate::net::tunnel::Ssh;

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Show only errors and what is missing.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Show each retry as well.
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// When to colour standard error: `auto`, `always` or `never`.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value_t = ColorChoice::Auto,
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) color: ColorChoice,
    /// Format of standard error: `text`, or `json` with one record per line. `SUNHAUL_LOG` selects what else is logged.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) log_format: LogFormat,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON record a line.
    Json,
}

/// Where the archive is, when not where the manifest says.
#[derive(Debug, clap::Args)]
pub(super) struct ArchiveArg {
    /// Use this archive instead of the manifest's `archive.root`. Relative to the current directory.
    #[arg(long = "archive", value_name = "DIR", value_parser = PathBufValueParser::new().try_map(folder))]
    pub(super) archive: Option<PathBuf>,
}

/// How an SSH gateway is reached, where a manifest names one.
#[derive(Debug, clap::Args)]
pub(super) struct SshArg {
    /// Let `ssh` read this file instead of `~/.ssh/config` for sources with a `tunnel`. A manifest cannot name it,
    /// because such a file can start any program.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(file))]
    ssh_config: Option<PathBuf>,
}

impl SshArg {
    /// A network with its way through gateways; nothing is started.
    pub(super) fn net(&self) -> Net {
        Net::with_ssh(Ssh { program: environment::own_program(), config: self.ssh_config.clone() })
    }
}

/// A file that is there, by a path that no word of `ssh` can be mixed up with.
fn file(path: PathBuf) -> Result<PathBuf, String> {
    if !path.is_file() {
        return Err("no such file\nhint: name a file in the form of `~/.ssh/config`".to_owned());
    }
    std::path::absolute(path).map_err(|error| error.to_string())
}

/// A folder, or what can become one.
fn folder(path: PathBuf) -> Result<PathBuf, &'static str> {
    if path.is_file() { Err("this is a file\nhint: name a folder, or one that can be made") } else { Ok(path) }
}
