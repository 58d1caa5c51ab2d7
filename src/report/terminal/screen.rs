//! Standard error, shared by lines, logs and bars so that none garbles another.

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bars::TerminalSize;
use super::redraw::LiveBars;

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
pub enum Mode {
    /// Plain lines.
    Lines,
    /// Lines above bars that move: a terminal. It is asked for its size each time; `None` when the program may not
    /// draw now, since another one has the terminal.
    Bars(Box<dyn Fn() -> Option<TerminalSize> + Send + Sync>),
    /// Every line is a record of the log: a machine reads along.
    Log,
}

/// Where lines go, and the bars that stand below them.
pub struct Screen {
    out: Mutex<ScreenOutput>,
    mode: Mode,
    /// The colours of this screen.
    pub paint: Paint,
}

struct ScreenOutput {
    to: Box<dyn Write + Send>,
    bars: LiveBars,
}

impl Screen {
    /// What is told goes to `to`, and so do bars, where the mode has them.
    #[must_use]
    pub fn new(to: Box<dyn Write + Send>, mode: Mode, paint: Paint) -> Screen {
        Screen { out: Mutex::new(ScreenOutput { to, bars: LiveBars::default() }), mode, paint }
    }

    /// Tells one text above the bars. A closed standard error is nobody's failure.
    pub fn line(&self, text: &str) {
        match self.mode {
            Mode::Log => tracing::info!(target: TOLD, "{text}"),
            Mode::Lines | Mode::Bars(_) => self.write(format!("{text}\n").as_bytes()),
        }
    }

    /// Tells what made a command fail.
    pub fn error(&self, text: &str) {
        match self.mode {
            Mode::Log => tracing::error!(target: TOLD, "{text}"),
            Mode::Lines | Mode::Bars(_) => self.write(format!("{} {text}\n", self.paint.bad("error:")).as_bytes()),
        }
    }

    /// True where every line is a record of the log.
    #[must_use]
    pub fn is_log(&self) -> bool {
        matches!(self.mode, Mode::Log)
    }

    /// Writes whole lines above the bars. Whatever was not made safe before is made so here.
    pub fn write(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = untrusted::on_terminal(&text, self.paint.0);
        let size = self.size();
        self.out().put(|bars| bars.with_lines_above(text.as_bytes(), size));
    }

    /// Draws bars, in place of those that stand there. `draw` is asked for lines that fit a size.
    pub fn draw(&self, draw: impl FnOnce(TerminalSize) -> Vec<String>) {
        let safe = |line: String| untrusted::on_terminal(&line, self.paint.0).into_owned();
        match self.size() {
            Some(size) => {
                let lines = draw(size).into_iter().map(safe).collect();
                self.out().put(|bars| bars.replaced(lines, size));
            }
            None => self.let_go(),
        }
    }

    /// Leaves the bars where they stand: who knows what was written there meanwhile.
    pub fn let_go(&self) {
        self.out().bars = LiveBars::default();
    }

    /// Takes the bars away, does something, and lets nothing be written meanwhile.
    pub fn without_bars<T>(&self, act: impl FnOnce() -> T) -> T {
        let size = self.size();
        let mut out = self.out();
        out.put(|bars| size.map_or_else(Vec::new, |size| bars.replaced(Vec::new(), size)));
        act()
    }

    /// True where there can be bars.
    #[must_use]
    pub fn has_bars(&self) -> bool {
        matches!(self.mode, Mode::Bars(_))
    }

    fn size(&self) -> Option<TerminalSize> {
        match &self.mode {
            Mode::Bars(size) => size(),
            Mode::Lines | Mode::Log => None,
        }
    }

    fn out(&self) -> MutexGuard<'_, ScreenOutput> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScreenOutput {
    /// Writes in one go, so that no half of it is ever seen.
    fn put(&mut self, text: impl FnOnce(&mut LiveBars) -> Vec<u8>) {
        let bytes = text(&mut self.bars);
        if !bytes.is_empty() {
            let _ = self.to.write_all(&bytes).and_then(|()| self.to.flush());
        }
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("paint", &self.paint).finish_non_exhaustive()
    }
}
