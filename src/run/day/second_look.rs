//! Whether a listing is believed at once. One that would seal a day as empty, or take files away, is looked at once more.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::listing::{DayListing, ListedBy};
use super::lock_view::LockView;
use super::open::OpenDay;
use super::preferred::Before;
use crate::archive::{self, Archive, DayWork};
use crate::failure::{Class, Failure};
use crate::run::blocking::on_day;
use crate::run::{OpenedSeries, RunContext, Todo};
use crate::source::Listed;
use crate::untrusted::escape;

/// Whether the listing of a day is believed.
pub(in crate::run) enum Belief {
    /// It is. These are the records that the day had before.
    Believed(Before),
    /// It is empty, and has not been empty for long: the day is listed again later.
    LookAgain,
}

/// Holds a listing against what the day had before.
///
/// # Errors
/// `vanished` where it does not know what the archive has, and those of the journal.
pub(in crate::run) fn believe(
    run: &RunContext,
    todo: &Todo,
    open: &OpenDay,
    listing: &DayListing,
    listed_at: DateTime<Utc>,
) -> Result<Belief, Failure> {
    let OpenDay { series, store, lock_view } = open;
    let DayListing { listed, is_final, listed_by, .. } = listing;
    if !is_final {
        store.note_young()?;
    }
    if *listed_by != ListedBy::Source {
        // No service has answered that may be wrong today.
    } else if !listed.files.is_empty() {
        store.note_listed()?;
    } else if (*is_final || store.had_files()) && !seen_empty_before(run, store, listed_at)? {
        // Final, or about to retire what an earlier listing had: neither happens on the word of one answer.
        let again = run.second_look.as_secs();
        run.note(&todo.id(), &format!("the listing is empty; checking again in {again} s"));
        return Ok(Belief::LookAgain);
    } else if listed.left_out == 0 && lost_its_files(series, todo, store) {
        return Err(vanished(&way_out(run, todo, store, lock_view)));
    }
    let before = Before::of(series, todo, store)?;
    must_keep_preferred(series, &before, listed, || way_out(run, todo, store, lock_view))?;
    Ok(Belief::Believed(before))
}

/// What a day lacks of the files that are listed, and what speaks for that being so.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Lacking {
    /// Records of which the source says that there is no file.
    pub(in crate::run) without_file: usize,
    /// Files that were asked for and are not there.
    pub(in crate::run) gone: usize,
    /// Others of the day are in the archive.
    pub(in crate::run) has_files: bool,
    /// Others of their hosts came well in this run.
    pub(in crate::run) host_is_well: bool,
}

impl Lacking {
    /// True when it may as well be a storage that is not mounted for a moment.
    pub(in crate::run) fn is_doubtful(self) -> bool {
        let lacks_all = !self.has_files && self.without_file + self.gone > 0;
        lacks_all || (self.gone > 0 && !self.host_is_well)
    }
}

/// An empty day seals only when a second look, long enough after the first, finds it empty too.
fn seen_empty_before(run: &RunContext, work: &DayWork, now: DateTime<Utc>) -> Result<bool, Failure> {
    Ok(seen_before(run.second_look, work.empty_at(), now, || work.note_empty(now))?)
}

/// So does a day whose absent files are in doubt.
pub(in crate::run) async fn seen_doubted_before(
    run: &RunContext,
    work: &Arc<DayWork>,
    now: DateTime<Utc>,
) -> Result<bool, Failure> {
    let second_look = run.second_look;
    on_day(work, move |work| seen_before(second_look, work.doubted_at(), now, || work.note_doubted(now))).await
}

/// True when a look at `before` saw the same, long enough ago; else this one is noted, unless one is that counts.
fn seen_before(
    second_look: Duration,
    before: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    note: impl FnOnce() -> Result<(), archive::Error>,
) -> Result<bool, archive::Error> {
    let second_look = chrono::TimeDelta::from_std(second_look).unwrap_or(chrono::TimeDelta::MAX);
    match before {
        Some(at) if now.signed_duration_since(at) >= second_look => Ok(true),
        Some(at) if at <= now => Ok(false),
        // None yet, or one by a clock that went wrong: waiting for that hour could take for ever.
        _ => {
            note()?;
            Ok(false)
        }
    }
}

/// True when files of the day that are still asked for are missing from an empty listing.
fn lost_its_files(opened: &OpenedSeries, todo: &Todo, work: &DayWork) -> bool {
    let scale = opened.series.source.scale();
    work.had_files_at(|time| scale.read(time).is_none_or(|time| todo.day.window.contains(time)))
}

/// How to go on where the archive has what a listing does not know any more.
fn way_out(run: &RunContext, todo: &Todo, work: &DayWork, lock_view: &LockView) -> String {
    let forget = if work.record().is_some() {
        let record = Archive::record_path(run.archive.root(), &todo.series, todo.day.date);
        format!("remove `{}`", escape(&record.to_string_lossy()))
    } else {
        "run `sunhaul clean`".to_owned()
    };
    // The lock would not let another run seal it as empty.
    let again = if lock_view.binds() { "let `sunhaul update` do the day" } else { "give the same command again" };
    format!("if that is right, {forget} and {again}")
}

/// What becomes of a day whose files a listing does not know any more: nothing.
fn vanished(way_out: &str) -> Failure {
    Failure::new(
        Class::Vanished,
        format!(
            "the service lists nothing for this day, but the archive has files of it, which stay as they are; {way_out}: \
             the day is then sealed as empty, and its files are nobody's"
        ),
    )
}

/// Refuses a listing in which a series that the day has records of has none any more, and a fallback has: an outage of one
/// series is no reason to give up what is there.
///
/// # Errors
/// `vanished`.
fn must_keep_preferred(
    opened: &OpenedSeries,
    before: &Before,
    listed: &Listed,
    way_out: impl FnOnce() -> String,
) -> Result<(), Failure> {
    match before.objection(&opened.series, &listed.by_series) {
        None => Ok(()),
        Some(why) => Err(Failure::new(Class::Vanished, format!("{why}; {}", way_out()))),
    }
}
