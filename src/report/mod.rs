//! What a run tells: the report, its schema, and the same facts for a person at a terminal.
//!
//! Everything here is folded from the events of `run`, which knows nothing of it. What it does not do: write files.
//! `archive` and `cli` do.

pub mod collector;
pub mod human;
pub mod model;
pub mod terminal;

pub use collector::{Collector, Ends};
pub use model::Report;
