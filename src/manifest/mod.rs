//! What a job asks for: the manifest's model, its parser, its diagnostics, its schema.

mod accept;
mod apart;
pub mod cadence;
mod credentials;
mod diagnostic;
mod example;
mod excerpt;
mod form;
mod glob;
mod invisible;
mod kinds;
pub(crate) mod latency;
mod limits;
pub mod manners;
mod misplaced;
pub mod model;
mod names;
mod nearby;
pub(crate) mod nearest;
mod node;
mod parse;
mod prefer;
mod query;
mod resolve;
mod root;
pub mod schema;
mod syntax;
pub mod template;
#[cfg(test)]
mod tests;
pub mod timed;
mod typed;
pub(crate) mod units;
mod variable;
mod veil;

pub use accept::Accept;
pub use credentials::{Credentials, Login, Netrc, NoLogin};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use glob::Glob;
pub(crate) use kinds::{MEDOC_CADENCES, is_aia};
pub use model::{
    ArchiveSpec, Bandwidth, Bound, Condition, Embedded, Export, Fetch, Filters, Hapi, Headers, Hmi, Identity, Index,
    Jsoc, Limits, LockDetail, LockMode, LockSpec, Manifest, Medoc, Method, Passage, Patch, Protocol, Quality, Range,
    Rate, Reach, Region, RegionNumber, Regions, Retry, Series, SeriesId, SourceSpec, Timeouts, Timetable, Tunnel,
    Verify, Way, is_on_one_of,
};
pub(crate) use nearby::{NAME_ONE, folder_of, is_yaml};
pub use parse::{Environment, load, load_with_secrets, parse};
pub use query::Query;
pub use template::Template;
pub use timed::Timed;
