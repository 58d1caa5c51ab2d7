//! What a run tells: the report, its schema, and the same facts in other forms: for a person at a terminal, for the log,
//! for CI services, for a mail.
//!
//! The report is folded from the events of `run`, which knows nothing of it; every form of a finished run is made from
//! the report alone, so that it can be made again later. It writes no files; `archive` and `cli` do.

mod advice;
pub mod annotations;
pub mod calendar;
pub mod code_quality;
pub mod collector;
mod gap_reason;
pub mod github_output;
pub mod hosts;
pub mod html;
pub mod human;
pub mod junit;
mod log;
pub mod markdown;
pub mod model;
pub mod regions;
pub mod terminal;
mod timeline;

pub use advice::is_left_to_the_source;
pub use collector::{Collector, Ends};
pub use log::Log;
pub use model::Report;
