//! A run as a person follows it: bars on a terminal, plain lines elsewhere, and a summary at the end.
//!
//! Everything goes to standard error. It reads no clock: the caller says how much time has passed.

mod bars;
mod messages;
mod progress;
mod rate;
mod redraw;
mod screen;
mod summary;
mod width;

pub use bars::TerminalSize;
pub(super) use messages::{host, safe, why};
pub use progress::Progress;
pub use screen::{Mode, Paint, Screen, TOLD};
pub(super) use summary::folded;
pub use summary::{Summary, summary};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors, and what is missing at the end.
    Quiet,
    /// Each finished day, or bars in their place.
    Normal,
    /// Each retry too.
    Verbose,
}
