//! What a job asks for: the manifest's model, its parser, its diagnostics, its schema.

pub mod model;
pub mod template;

pub use model::{
    ArchiveSpec, Bandwidth, Bound, Embedded, Filters, Hmi, Limits, LockMode, Manifest, Quality, Range, Rate, Retry,
    Series, SeriesId, SourceSpec, Timeouts, Verify,
};
pub use template::Template;
