//! `--max-time`, `--max-bytes`, `--max-files`: what a command may use up, as typed.
//!
//! It does not enforce them; `run` does.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::manifest::units::{self, Wrong};
use crate::run::budget::{Budget, Caps};

/// A budget of the whole command, over all its jobs.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Budget")]
#[expect(clippy::struct_field_names, reason = "the options are called so")]
pub(super) struct BudgetArgs {
    /// Stop within this time, such as `50m`, with exit code 4 if anything is left. In the last tenth of it, at most a
    /// minute, no new download starts; partial files are kept.
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_time: Option<Duration>,
    /// Do not start a file that would push the total downloaded above this, such as `20GiB`. If no size is listed, the size
    /// of the largest file so far is assumed. A file larger than the limit is downloaded alone.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_bytes: Option<u64>,
    /// Download at most this many files.
    #[arg(long, value_name = "N", value_parser = files)]
    max_files: Option<u64>,
}

impl BudgetArgs {
    /// The budget, whose time runs from now on.
    pub(super) fn begin(&self) -> Arc<Budget> {
        let caps = Caps { time: self.max_time, bytes: self.max_bytes, files: self.max_files };
        Arc::new(Budget::new(caps, Instant::now()))
    }
}

fn time(text: &str) -> Result<Duration, String> {
    units::positive_duration(text).map_err(|wrong| explain(&wrong))
}

fn files(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|files| *files > 0).ok_or_else(|| "no number of files\nhint: write 1 or more".to_owned())
}

fn bytes(text: &str) -> Result<u64, String> {
    units::bytes(text).map_err(|wrong| explain(&wrong))
}

/// What is wrong, with the hint on a line of its own: a usage error is one text.
fn explain(wrong: &Wrong) -> String {
    match wrong.to_do() {
        Some(hint) => format!("{}\nhint: {hint}", wrong.message()),
        None => wrong.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_a_manifest_has_them() {
        assert_eq!(time("50m"), Ok(Duration::from_mins(50)));
        assert_eq!(bytes("20GiB"), Ok(20 << 30));
        assert_eq!(files("7"), Ok(7));
        assert!(["0", "-1", "7.5", "many"].iter().all(|wrong| files(wrong).is_err()));
        assert_eq!(bytes("1.5 TB"), Ok(1_500_000_000_000));
        for wrong in ["50", "0s", "-1m", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["50", "0 B", "-1 GB", "much", "1e9 GiB", "0.1 B"] {
            assert!(bytes(wrong).unwrap_err().contains("hint: write"), "{wrong}");
        }
    }
}
