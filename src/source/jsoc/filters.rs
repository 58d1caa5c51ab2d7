//! The filters that an answer can be held against once more: regions, wavelengths, quality, cadence.
//!
//! JSOC applies all of them, and those by keyword it alone can.

use chrono::NaiveDateTime;

use super::query::{QUALITY, RecordQuery};
use super::response::{RecordColumn, RecordList};
use super::slot::is_nearest;
use super::values::{NO_KEYWORD, bits, whole};
use crate::failure::Failure;
use crate::manifest::Filters;
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// What the filters can ask of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordFilterFacts {
    /// Its place in the answer.
    pub(super) at: usize,
    pub(super) recnum: i64,
    pub(super) time: NaiveDateTime,
    pub(super) harpnum: Option<i64>,
    pub(super) wavelength: Option<i64>,
}

/// Lets through the records that are asked for.
#[derive(Debug)]
pub(super) struct RecordFilter<'a> {
    filters: &'a Filters,
    harps: Option<&'a [i64]>,
    noaa: Option<&'a RecordColumn>,
    quality: Option<&'a RecordColumn>,
    /// The cadence, where it is one of whole slots.
    cadence: Option<i64>,
    step: i64,
}

impl<'a> RecordFilter<'a> {
    /// The filters of a question, with the keywords that the answer tells for them.
    ///
    /// # Errors
    /// `listing-malformed` when the answer lacks one of those.
    pub(super) fn of(question: &'a RecordQuery<'_>, answer: &'a RecordList) -> Result<RecordFilter<'a>, Failure> {
        let filters = &question.series.filters;
        let told = |keyword: Option<&str>| keyword.map(|keyword| answer.keyword(keyword)).transpose();
        let sieve = RecordFilter {
            filters,
            harps: question.harps.as_deref(),
            noaa: told(question.noaa)?,
            quality: told(filters.quality.map(|_| QUALITY))?,
            cadence: question.every_slots(),
            step: question.step().num_seconds(),
        };
        for (column, name) in [(sieve.noaa, "NOAA_ARS"), (sieve.quality, QUALITY)] {
            if column.is_some_and(|column| column.value(0) == NO_KEYWORD) {
                return Err(malformed(&format!("`{name}`, which a filter needs, is `{}`", escape(NO_KEYWORD))));
            }
        }
        Ok(sieve)
    }

    /// True when the record is asked for.
    pub(super) fn keeps(&self, facts: RecordFilterFacts) -> bool {
        self.is_good(facts) && self.is_asked_for_if_good(facts)
    }

    /// True when `quality` leaves the record out, and no other filter does.
    pub(super) fn lacks_quality_alone(&self, facts: RecordFilterFacts) -> bool {
        !self.is_good(facts) && self.is_asked_for_if_good(facts)
    }

    fn is_good(&self, facts: RecordFilterFacts) -> bool {
        let value = self.quality.map_or("", |column| column.value(facts.at));
        let quality = self.filters.quality;
        quality.is_none_or(|quality| bits(value).is_some_and(|told| u64::from(told) & quality.none_of == 0))
    }

    fn is_asked_for_if_good(&self, facts: RecordFilterFacts) -> bool {
        let Filters { wavelength, noaa, .. } = self.filters;
        let is_one = |wanted: Option<&[i64]>, told: Option<i64>| {
            wanted.is_none_or(|wanted| told.is_some_and(|told| wanted.contains(&told)))
        };
        let is_noaa = self
            .noaa
            .zip(noaa.as_ref())
            .is_none_or(|(column, wanted)| numbers(column.value(facts.at)).any(|told| wanted.contains(&told)));
        is_one(self.harps, facts.harpnum)
            && is_one(wavelength.as_deref(), facts.wavelength)
            && is_noaa
            && self.cadence.is_none_or(|cadence| is_nearest(facts.time, cadence, self.step))
    }
}

/// The NOAA numbers of a patch, with commas between them.
pub(super) fn numbers(noaa: &str) -> impl Iterator<Item = i64> + '_ {
    noaa.split(',').filter_map(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_32_bits_however_it_is_printed() {
        let told = ["0x00000000", "0x80000000", "-2147483648", "65536", "MISSING", ""].map(bits);
        assert_eq!(told, [Some(0), Some(0x8000_0000), Some(0x8000_0000), Some(65536), None, None]);
    }
}
