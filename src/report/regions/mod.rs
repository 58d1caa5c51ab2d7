//! How complete active regions are: the slots of each in each series, and why some are not there.
//!
//! Day records, journals and tables of keywords tell it; one day at a time is in memory. No source is asked.

mod days;
mod of_run;
mod slots;
mod table;

pub use super::gap_reason::GapReason;
pub use days::{SeriesDays, are_of_regions};
pub use of_run::{ReportRegions, of_run};
pub use slots::{Family, MissingSlots, SeriesSlots, SlotsOfRegion, Spans, reasons};
