//! The files that a job takes for bad at their source: `accept`.
//!
//! What it does not do: decide that a file is bad. A file that comes well is taken, whatever is accepted.

use chrono::NaiveDate;

use super::diagnostic::Finding;
use super::glob::Glob;
use super::model::{Bound, Range, SeriesId};
use super::raw;
use super::spanned::Typed;
use super::suggest_word::nearest;
use crate::untrusted::escape;

/// Files of one day that may be missing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// Of which series.
    pub series: SeriesId,
    /// Of which day.
    pub day: NaiveDate,
    /// Which files.
    pub file: Glob,
    /// Why, in one line.
    pub reason: String,
}

impl Accept {
    /// True for a day that is in its series' range at no time.
    pub(super) fn is_beside(&self, range: &Range) -> bool {
        let before = matches!(range.start, Bound::At(start) if self.day < start.date());
        let after = matches!(range.end, Bound::At(end) if self.day.and_time(chrono::NaiveTime::MIN) >= end);
        before || after
    }
}

/// Reads the entries; what is wrong with them goes to `findings`.
pub(super) fn read(job: &raw::Job, findings: &mut Vec<Finding>) -> Vec<Accept> {
    let ids = ids(job);
    let entries = job.accept.value().into_iter().flatten().filter_map(Typed::given);
    let mut accepted = Vec::new();
    for (at, entry) in entries {
        entry.series.required("series", at, "say of which series, by its id", findings);
        entry.day.required("day", at, "say of which day, such as `day: 2015-12-12`", findings);
        entry.file.required("file", at, "say which file, such as `file: \"*.Bt.fits\"`", findings);
        entry.reason.required("reason", at, "say why it may be missing: whoever uses the archive will ask", findings);
        if let (Some((at, id)), Some(ids)) = (entry.series.given(), &ids)
            && !ids.contains(&id.0.as_str())
        {
            let finding = Finding::new(at, format!("the job has no series `{}`", escape(&id.0)));
            findings.push(match nearest(&id.0, ids.iter().copied()) {
                Some(near) => finding.hint(format!("did you mean `{}`?", escape(near))),
                None => finding.hint(format!("its series are {}", listed(ids))),
            });
        }
        let (Some(series), Some(day), Some(file), Some(reason)) =
            (entry.series.value(), entry.day.value(), entry.file.value(), entry.reason.value())
        else {
            continue;
        };
        accepted.push(Accept {
            series: SeriesId(series.0.clone()),
            day: day.0,
            file: file.0.clone(),
            reason: reason.0.clone(),
        });
    }
    accepted
}

/// The ids of all series; `None` where one of them is wrong, so that nothing is told twice.
fn ids(job: &raw::Job) -> Option<Vec<&str>> {
    let series = job.series.value()?.iter().map(|series| {
        let series = series.value()?;
        match &series.id {
            Typed::Given(_, id) => Some(id.0.as_str()),
            Typed::Missing => series.source_name().map(|(_, name)| name.0.as_str()),
            Typed::Invalid => None,
        }
    });
    series.collect()
}

fn listed(ids: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(|id| format!("`{}`", escape(id))).collect();
    let more = if ids.len() > SHOWN { " and others" } else { "" };
    format!("{}{more}", shown.join(", "))
}
