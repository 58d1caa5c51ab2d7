//! `sunhaul schema`: the formats, for editors and scripts.

use clap::ValueEnum;

use super::{Exit, Result, stdout};
use crate::report::Report;
use crate::{archive, manifest};

/// Print the JSON Schema of a format.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print the JSON Schema of a format (draft 2020-12).\n\n\
        `job` is the manifest: editors complete and check with it. `report` is the file that each run writes to \
        `.sunhaul/runs/`. `day` is one line of a day record in `.sunhaul/days/`.",
    after_help = "Examples:\n  sunhaul schema job > job.schema.json\n  sunhaul schema report | jq .properties.totals"
)]
pub(super) struct Args {
    /// Which format.
    format: Format,
}

/// The formats that have a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The manifest.
    Job,
    /// The report of a run.
    Report,
    /// A line of a day record.
    Day,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let schema = match args.format {
        Format::Job => manifest::schema::job(),
        Format::Report => Report::schema(),
        Format::Day => archive::day_schema(),
    };
    stdout::print_json(&schema)?;
    Ok(Exit::Complete)
}
