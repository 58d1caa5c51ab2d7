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

/// Compares a generated schema with its committed file; `SUNHAUL_UPDATE_SCHEMAS=1` rewrites the file.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a switch for the developer, in tests alone")]
fn assert_schema(path: &str, schema: &serde_json::Value) {
    let mut text = serde_json::to_string_pretty(schema).unwrap();
    text.push('\n');
    if std::env::var("SUNHAUL_UPDATE_SCHEMAS").is_ok_and(|value| value == "1") {
        std::fs::write(path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == text, "{path} is not what the types say: run the tests with SUNHAUL_UPDATE_SCHEMAS=1");
}
