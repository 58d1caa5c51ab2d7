//! sunhaul: manifests in git become verified, reproducible archives of solar data.
//!
//! (the map of the house comes here)

pub mod archive;
pub mod day;
pub mod digest;
pub mod failure;
pub mod fetch;
pub mod fits;
pub mod manifest;
pub mod net;
pub mod report;
pub mod run;
pub mod source;
pub mod untrusted;
