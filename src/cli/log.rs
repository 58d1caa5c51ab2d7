//! The log: diagnostics for those who look into the program, on standard error beside what the user is told.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::LogFormat;
use crate::report::terminal::{Screen, TOLD};
use crate::untrusted;

/// Starts the log. `filter` is what `SUNHAUL_LOG` says; without it only warnings are logged.
pub(super) fn start(screen: &Arc<Screen>, format: LogFormat, colour: bool, filter: Option<&str>) {
    let text = filter.unwrap_or("warn");
    // A filter that does not parse must not silence the program: it falls back, and says so.
    let (mut filter, problem) = match EnvFilter::try_new(text) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("warn"), Some(error)),
    };
    if let Ok(told) = format!("{TOLD}=info").parse() {
        filter = filter.add_directive(told);
    }
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines { screen: screen.clone(), format });
    // Setting it twice in one process is possible in tests alone, and harmless.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colour).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Some(error) = problem {
        tracing::warn!("`SUNHAUL_LOG` is no filter, such as `info` or `sunhaul::net=debug`: {error}");
    }
}

/// Gives a writer for each record of the log.
struct Lines {
    screen: Arc<Screen>,
    format: LogFormat,
}

/// Collects one record, and shows it whole when it is dropped.
struct Line {
    screen: Arc<Screen>,
    format: LogFormat,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { screen: self.screen.clone(), format: self.format, bytes: Vec::new() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let record = String::from_utf8_lossy(&self.bytes);
        match self.format {
            LogFormat::Text => self.screen.write(untrusted::in_log(&record, self.screen.paint.0).as_bytes()),
            LogFormat::Json => self.screen.write(untrusted::in_json(&record).as_bytes()),
        }
    }
}
