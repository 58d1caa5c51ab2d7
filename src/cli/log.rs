//! The log: diagnostics for those who look into the program, on standard error beside what the user is told.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;

use super::options::LogFormat;
use crate::report::terminal::{Screen, TOLD};
use crate::untrusted;

/// What is logged unless the filter says otherwise: warnings, and what is told to the user; where a machine reads along,
/// also which run, day and file each record is about.
const STANDING: &str = "warn,sunhaul::told=info";
const SPANS: &str = "sunhaul::run=info";

/// Starts the log. `filter` is what `SUNHAUL_LOG` says, as in `RUST_LOG`.
pub(super) fn start(screen: &Arc<Screen>, format: LogFormat, colour: bool, filter: Option<&str>) {
    let (filter, problem) = filter_of(format, filter.unwrap_or_default());
    let lines = LogWriter { screen: screen.clone(), format };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    // Setting it twice in one process is possible in tests alone, and harmless.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colour).try_init(),
        LogFormat::Json => {
            // A panic is a bug, and is still logged in the machine-readable form.
            std::panic::set_hook(Box::new(|panic| tracing::error!(target: TOLD, "{panic}")));
            builder.json().flatten_event(true).with_current_span(false).try_init()
        }
    };
    if let Some(error) = problem {
        tracing::warn!("`SUNHAUL_LOG` is no filter, such as `info` or `sunhaul::net=debug`: {error}");
    }
}

/// The filter by what the user says. A bare level holds for all; anything else is added to what is logged anyway.
fn filter_of(format: LogFormat, said: &str) -> (EnvFilter, Option<ParseError>) {
    let standing = match format {
        LogFormat::Text => STANDING.to_owned(),
        LogFormat::Json => format!("{STANDING},{SPANS}"),
    };
    let is_whole = said.split(',').map(str::trim).any(|part| !part.is_empty() && part.parse::<LevelFilter>().is_ok());
    // Of two directives for one target the later holds.
    let all = if is_whole { said.to_owned() } else { format!("{standing},{said}") };
    match EnvFilter::try_new(all) {
        Ok(filter) => (filter, None),
        // A filter that does not parse must not silence the program: it falls back, and says so.
        Err(error) => (EnvFilter::new(standing), Some(error)),
    }
}

/// Gives a writer for each record of the log.
struct LogWriter {
    screen: Arc<Screen>,
    format: LogFormat,
}

/// Collects one record, and shows it whole when it is dropped.
struct LogLine {
    screen: Arc<Screen>,
    format: LogFormat,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { screen: self.screen.clone(), format: self.format, bytes: Vec::new() }
    }
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let record = String::from_utf8_lossy(&self.bytes);
        match self.format {
            LogFormat::Text => self.screen.write(untrusted::in_log(&record, self.screen.paint.0).as_bytes()),
            LogFormat::Json => self.screen.write(untrusted::in_json(&record).as_bytes()),
        }
    }
}
