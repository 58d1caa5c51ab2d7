//! When a mission began: no day before it has anything, and nobody need be asked.
//!
//! When a series began is later, and not known here. `jsoc` and `hapi` are told that by their services.

use chrono::NaiveDate;

use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::Series;
use crate::untrusted::escape;

/// What the names of the series of SDO, the Solar Dynamics Observatory, begin with.
const SDO: [&str; 3] = ["hmi.", "aia.", "sharp_"];

/// When it was launched.
const LAUNCH: Option<NaiveDate> = NaiveDate::from_ymd_opt(2010, 2, 11);

/// Refuses a day of a series of SDO that lies before its launch.
///
/// # Errors
/// `source-refused`.
pub(super) fn begun(series: &Series, day: &Day) -> Result<(), Failure> {
    let is_of_sdo = SDO.iter().any(|begin| series.name.starts_with(begin));
    let Some(launch) = LAUNCH.filter(|launch| is_of_sdo && day.date < *launch) else { return Ok(()) };
    let why = format!(
        "nobody has anything of this day: `{}` is a series of SDO, which was launched on {launch}; begin the `range` later",
        escape(&series.name)
    );
    Err(Failure::new(Class::SourceRefused, why))
}
