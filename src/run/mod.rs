//! A run: days in flight, each listed, fetched, sealed. Emits events and knows no reporter.

pub mod event;
