//! What a job asks for: the manifest's model, its parser, its diagnostics, its schema.

mod accept;
pub mod cadence;
mod credentials;
mod diagnostic;
mod example;
mod given;
mod glob;
pub mod host_presets;
mod invisible;
pub(crate) mod latency;
mod limits;
mod misplaced;
pub mod model;
mod name_rules;
mod parse;
pub mod path_pattern;
mod path_uniqueness;
mod prefer;
mod query;
mod raw;
mod redact;
mod resolve;
mod root;
pub mod schema;
mod snippet;
mod spanned;
mod suggest_path;
pub(crate) mod suggest_word;
mod syntax;
pub mod template;
#[cfg(test)]
mod tests;
mod time_span;
pub(crate) mod units;
mod variable;
mod warnings;
mod yaml_tree;

pub use accept::Accept;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use given::{Environment, Netrc, NoLogin};
pub use glob::Glob;
pub use model::{
    ArchiveSpec, Bandwidth, Bound, Condition, Credentials, Embedded, Export, Fetch, Filters, Hapi, Headers, Hmi,
    HostAccess, Identity, Index, Jsoc, Limits, LockDetail, LockMode, LockSpec, Login, Manifest, Medoc, Method, Passage,
    Patch, Protocol, Quality, Range, Rate, Reach, Region, RegionNumber, Regions, Retry, Series, SeriesId, SourceSpec,
    Timeouts, Timetable, Tunnel, Verify, is_on_one_of,
};
pub(crate) use name_rules::is_device;
pub use parse::{load, load_with_secrets, parse};
pub use path_pattern::Timed;
pub use query::Query;
pub(crate) use resolve::source::{MEDOC_CADENCES, is_aia};
pub(crate) use suggest_path::{NAME_ONE, folder_of, is_yaml};
pub use template::Template;
