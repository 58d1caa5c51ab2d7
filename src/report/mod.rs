//! What a run tells: the report, its schema, and the same facts for a person at a terminal and for the log.
//!
//! Everything here is folded from the events of `run`, which knows nothing of it. What it does not do: write files.
//! `archive` and `cli` do.

pub mod collector;
pub mod html;
pub mod human;
mod log;
pub mod model;
pub mod terminal;
mod timeline;

pub use collector::{Collector, Ends};
pub use log::Log;
pub use model::Report;
