//! A series' filters, each applied to every file or refused, never passed over.

use std::collections::BTreeSet;

use super::slot::TaiSlot;
use crate::failure::{Class, Failure};
use crate::manifest::suggest_word::nearest;
use crate::manifest::{Filters, Quality, Series};
use crate::untrusted::escape;

/// What the filters can ask of one file; `None` where the answer does not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileFilterFacts<'a> {
    /// Its path.
    pub(super) file: &'a str,
    pub(super) segment: Option<&'a str>,
    pub(super) harpnum: Option<i64>,
    pub(super) quality: Option<i64>,
    pub(super) slot: Option<TaiSlot>,
    pub(super) wavelength: Option<i64>,
}

/// Lets through the files that are asked for, and notes why it cannot tell.
#[derive(Debug)]
pub(super) struct FileFilter<'a> {
    series: &'a str,
    filters: &'a Filters,
    cadence: Option<i64>,
    segments: BTreeSet<String>,
    /// The first filter that a file gave no answer to, what it asked, and the file.
    refusal: Option<(&'static str, &'static str, String)>,
}

impl<'a> FileFilter<'a> {
    /// The filters of `series`. That its cadence is a multiple of the grid's step, the manifest has made sure of.
    pub(super) fn of(series: &'a Series) -> FileFilter<'a> {
        let cadence = series.filters.cadence.map(|asked| i64::try_from(asked.as_secs()).unwrap_or(i64::MAX));
        FileFilter { series: &series.name, filters: &series.filters, cadence, segments: BTreeSet::new(), refusal: None }
    }

    /// True when the file is asked for.
    pub(super) fn keeps(&mut self, facts: FileFilterFacts<'_>) -> bool {
        // Every segment counts as present, whatever the other filters say about its record.
        if let Some(segment) = facts.segment
            && self.filters.segments.is_some()
            && !self.segments.contains(segment)
        {
            self.segments.insert(segment.to_owned());
        }
        let filters = self.filters;
        let segments = filters.segments.as_ref();
        let file = facts.file;
        let is_segment = |wanted: &Vec<String>, segment: &str| wanted.iter().any(|one| one == segment);
        self.asks("segments", "the segment", file, segments, facts.segment, is_segment) && self.keeps_record(facts)
    }

    /// True when the file's record is asked for, whatever its segments.
    pub(super) fn keeps_record(&mut self, facts: FileFilterFacts<'_>) -> bool {
        let FileFilterFacts { file, .. } = facts;
        let filters = self.filters;
        let (harpnum, wavelength) = (filters.harpnum.as_ref(), filters.wavelength.as_ref());
        let is_good = |wanted: Quality, quality| u64::from(bits(quality)) & wanted.none_of == 0;
        let is_one = |wanted: &Vec<i64>, one: i64| wanted.contains(&one);
        self.asks("harpnum", "the HARPNUM", file, harpnum, facts.harpnum, is_one)
            && self.asks("wavelength", "the WAVELNTH", file, wavelength, facts.wavelength, is_one)
            && self.asks("quality", "the QUALITY", file, filters.quality, facts.quality, is_good)
            && self.asks("cadence", "the slot", file, self.cadence, facts.slot, |cadence, slot| {
                slot.is_multiple_of(cadence)
            })
    }

    /// Puts one filter's question, when it is set; no answer is noted as a refusal.
    fn asks<F, T>(
        &mut self,
        filter: &'static str,
        what: &'static str,
        file: &str,
        wanted: Option<F>,
        told: Option<T>,
        fits: impl FnOnce(F, T) -> bool,
    ) -> bool {
        match (wanted, told) {
            (None, _) => true,
            (Some(wanted), Some(told)) => fits(wanted, told),
            (Some(_), None) => {
                self.refusal.get_or_insert_with(|| (filter, what, file.to_owned()));
                false
            }
        }
    }

    /// How the filters fared, once every file was seen.
    ///
    /// # Errors
    /// `source-refused` when one could not be applied, or when a segment is asked for that no file holds.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if let Some((filter, what, file)) = &self.refusal {
            let newer = if self.series.starts_with("hmi.") {
                String::new()
            } else {
                format!(", or ask for `hmi.{}` if the service has it", escape(self.series))
            };
            let why = format!(
                "filter `{filter}` cannot be applied: the service's answer does not state {what} of `{}`; \
                 leave the filter out{newer}; `sunhaul serve` reads it from headers (HARPNUM, QUALITY, T_REC) and names \
                 (`SERIES.HARPNUM.TIME.SEGMENT.fits`)",
                escape(file)
            );
            return Err(Failure::new(Class::SourceRefused, why));
        }
        let wanted = self.filters.segments.iter().flatten();
        if !self.segments.is_empty()
            && let Some(missing) = wanted.into_iter().find(|wanted| !self.segments.contains(*wanted))
        {
            let there: Vec<&str> = self.segments.iter().map(String::as_str).collect();
            let hint = nearest(missing, there.iter().copied())
                .map(|near| format!("; did you mean `{}`?", escape(near)))
                .unwrap_or_default();
            let why =
                format!("no file of segment `{}`: the day has {}{hint}", escape(missing), escape(&there.join(", ")));
            return Err(Failure::new(Class::SourceRefused, why));
        }
        Ok(())
    }
}

/// QUALITY as the 32 bits it is, though a service may print it with a sign.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 32 bits are all that it has")]
pub(super) fn bits(quality: i64) -> u32 {
    quality as u32
}
