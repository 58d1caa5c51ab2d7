//! Standard error, shared by lines, logs and bars so that none garbles another.
//!
//! What it does not do: decide what to say.

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use indicatif::MultiProgress;

use crate::untrusted;

/// The log's target for what is told to the user.
pub const TOLD: &str = "sunhaul::told";

/// Colours, when they are wanted. Every text is understandable without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(
    /// True to colour.
    pub bool,
);

impl Paint {
    /// For what went well.
    #[must_use]
    pub fn good(self, text: &str) -> Cow<'_, str> {
        self.with("32", text)
    }

    /// For what needs an eye.
    #[must_use]
    pub fn care(self, text: &str) -> Cow<'_, str> {
        self.with("33", text)
    }

    /// For what failed.
    #[must_use]
    pub fn bad(self, text: &str) -> Cow<'_, str> {
        self.with("31", text)
    }

    /// For headings.
    #[must_use]
    pub fn strong(self, text: &str) -> Cow<'_, str> {
        self.with("1", text)
    }

    fn with<'a>(self, code: &str, text: &'a str) -> Cow<'a, str> {
        if self.0 { Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m")) } else { Cow::Borrowed(text) }
    }
}

/// How a screen shows what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plain lines.
    Lines,
    /// Lines above bars that move: a terminal.
    Bars,
    /// Every line is a record of the log: a machine reads along.
    Log,
}

/// Where lines go, and the bars that stand below them.
pub struct Screen {
    out: Mutex<Box<dyn Write + Send>>,
    bars: Option<MultiProgress>,
    mode: Mode,
    /// The colours of this screen.
    pub paint: Paint,
}

impl Screen {
    /// What is told goes to `out`; bars, where the mode has them, to standard error.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, mode: Mode, paint: Paint) -> Screen {
        let bars = (mode == Mode::Bars).then(MultiProgress::new);
        Screen { out: Mutex::new(out), bars, mode, paint }
    }

    /// Tells one text above the bars. A closed standard error is nobody's failure.
    pub fn line(&self, text: &str) {
        match self.mode {
            Mode::Log => tracing::info!(target: TOLD, "{text}"),
            Mode::Lines | Mode::Bars => self.write(format!("{text}\n").as_bytes()),
        }
    }

    /// Tells what made a command fail.
    pub fn error(&self, text: &str) {
        match self.mode {
            Mode::Log => tracing::error!(target: TOLD, "{text}"),
            Mode::Lines | Mode::Bars => self.write(format!("{} {text}\n", self.paint.bad("error:")).as_bytes()),
        }
    }

    /// Writes whole lines above the bars. Whatever was not made safe before is made so here.
    pub fn write(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = untrusted::on_terminal(&text, self.paint.0);
        let bytes = text.as_bytes();
        let write = || {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = out.write_all(bytes).and_then(|()| out.flush());
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// The bars, on a terminal.
    pub(super) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("mode", &self.mode).field("paint", &self.paint).finish_non_exhaustive()
    }
}
