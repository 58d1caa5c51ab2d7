//! The listing of a day: by its source, its record or the lock.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::downloads::MissingFile;
use super::file_task::line_of;
use super::known_files::{ListingLook, has};
use super::lock_view::LockView;
use super::narrowed;
use super::narrowed::RecordListing;
use super::open::OpenDay;
use super::path_of;
use super::renumbered::Renumbered;
use crate::archive::{AbsentReason, Archive, DayWork, FileLine, LeftOut};
use crate::failure::{Class, Failure};
use crate::fetch;
use crate::manifest::latency::{WITHOUT_FILES, by_name, has_ended};
use crate::net::Waits;
use crate::run::event::Event;
use crate::run::{OpenedSeries, RunContext, Todo};
use crate::source::{Body, Listed, Memory, RemoteFile};
use crate::untrusted::escape;

/// True when the day's end lies far enough back for its listing to be final, and its source does not say otherwise.
fn is_final(opened: &OpenedSeries, todo: &Todo, listed: &Listed, listed_at: DateTime<Utc>) -> bool {
    let settle = opened.series.settle;
    // Records that the filters leave out show that the day's data has come.
    let may_come = listed.files.is_empty() && listed.left_out == 0;
    let enough = if may_come { settle.max(WITHOUT_FILES) } else { settle };
    // However short `settle` is, a fallback's records may still give way.
    let has_fallbacks = listed.by_series.slots.values().any(|series| **series != *opened.series.name);
    let enough = if has_fallbacks { enough.max(by_name(&opened.series.name, true)) } else { enough };
    !listed.may_grow && is_older(opened, todo, listed_at, enough)
}

/// True when its end lies so far back that none of its files is late any more.
pub(in crate::run) fn is_final_without_files(opened: &OpenedSeries, todo: &Todo, listed_at: DateTime<Utc>) -> bool {
    is_older(opened, todo, listed_at, opened.series.settle.max(WITHOUT_FILES))
}

fn is_older(opened: &OpenedSeries, todo: &Todo, listed_at: DateTime<Utc>, than: Duration) -> bool {
    has_ended(&opened.series, todo.day.window, listed_at, than)
}

/// Takes the records out of a listing that the source has no file of: each gets its line.
pub(in crate::run) fn without_file(
    opened: &OpenedSeries,
    todo: &Todo,
    expected: &LockView,
    listed: &mut Listed,
) -> Result<Vec<FileLine>, Failure> {
    let scale = opened.series.source.scale();
    let mut lines = Vec::new();
    for file in listed.files.extract_if(.., |file| file.body == Body::None) {
        let gone = Failure::new(Class::NotFound, "the source has no file of this record any more");
        if let Some(failure) = expected.misses(&file.key, &gone) {
            return Err(failure);
        }
        let path = path_of(&opened.series, todo, &file, &fetch::name_of(&file, None))?;
        lines.push(FileLine { absent: Some(AbsentReason::NoFile), ..line_of(&todo.series, scale, &file, &path) });
    }
    Ok(lines)
}

/// Says before anything is fetched that the sizes listed are more than the disk has room for.
pub(in crate::run) fn warn_of_room(run: &RunContext, todo: &Todo, missing: &[MissingFile]) {
    let due: u64 = missing.iter().filter_map(|m| m.file.bytes).fold(0, u64::saturating_add);
    let root = run.archive.root();
    if let Ok(free) = Archive::free_bytes(root)
        && due > free
    {
        let root = root.to_string_lossy();
        let what = format!("{due} bytes are listed to be fetched, but only {free} are free in `{}`", escape(&root));
        run.note(&todo.id(), &what);
    }
}

/// What a day has, and who says so.
pub(in crate::run) struct DayListing {
    pub(in crate::run) listed: Listed,
    /// How final it is.
    pub(in crate::run) is_final: bool,
    pub(in crate::run) listed_by: ListedBy,
    /// The lines of files that upstream does not have, where the record that stands knows them.
    pub(in crate::run) absent: Vec<FileLine>,
    /// What `quality` left out.
    pub(in crate::run) left_out: Option<LeftOut>,
}

/// Who lists a day. The lock and the record that stands are no service that may be wrong today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum ListedBy {
    /// The job's lock.
    Lock,
    /// The record of the day, which is sealed.
    Record,
    /// The source, by a request.
    Source,
}

/// Lists a day without a request: by the lock where that alone counts, or by the record that stands where that tells all.
pub(in crate::run) fn by_lock_or_record(todo: &Todo, open: &OpenDay) -> Result<Option<DayListing>, Failure> {
    let OpenDay { series: opened, store, lock_view } = open;
    let base = opened.source.current().client().base();
    if let Some((listed, is_final)) = lock_view.listing(base, &opened.series.source)? {
        let listed_by = ListedBy::Lock;
        return Ok(Some(DayListing { listed, is_final, listed_by, absent: Vec::new(), left_out: None }));
    }
    let by_record = if todo.how.spec.is_some() { narrowed::as_recorded } else { narrowed::listing };
    Ok(by_record(opened, todo, store).map(|RecordListing { listed, absent, left_out }| {
        let listed_by = ListedBy::Record;
        DayListing { listed, is_final: true, listed_by, absent, left_out }
    }))
}

/// Lists a day by its source. `None` as for [`list`].
pub(in crate::run) async fn by_source(
    run: &Arc<RunContext>,
    todo: &Todo,
    open: &OpenDay,
    listed_at: DateTime<Utc>,
) -> Result<Option<DayListing>, Failure> {
    let OpenDay { series: opened, lock_view, .. } = open;
    if todo.how.spec.is_some() && !lock_view.binds() {
        let why = "the range has left this day behind, and the manifest requests something else now: neither its record nor the lock lists all of its files. `sunhaul forget` removes it; the earlier manifest requests it again";
        return Err(Failure::new(Class::LockMismatch, why));
    }
    let Some(mut listed) = list(run, todo, open).await? else { return Ok(None) };
    let is_final = is_final(opened, todo, &listed, listed_at);
    let slots = listed.left_out_by_quality.take();
    let left_out = slots.and_then(|slots| LeftOut::by_quality(&slots, opened.series.source.scale()));
    Ok(Some(DayListing { listed, is_final, listed_by: ListedBy::Source, absent: Vec::new(), left_out }))
}

/// Lists the day, trying again as the manifest allows. `None` when the run was stopped, or its time was up, before there
/// was a listing.
async fn list(run: &Arc<RunContext>, todo: &Todo, open: &OpenDay) -> Result<Option<Listed>, Failure> {
    let OpenDay { series: opened, store, lock_view } = open;
    let memory: Arc<dyn Memory> = Arc::new(Remembered {
        run: Arc::downgrade(run),
        work: Arc::downgrade(store),
        todo: todo.clone(),
        expected: Arc::clone(lock_view),
    });
    let mut waits = Waits::new(run.manifest.retry);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let replica = opened.source.current();
        let listing = replica.list(&opened.series, &todo.day, Some(&memory));
        let result = tokio::select! {
            result = listing => result,
            () = run.halt.cancelled() => return Ok(None),
        };
        let failure = match result {
            Ok(listed) => return Ok(Some(listed)),
            Err(failure) => failure.after(attempts),
        };
        let Some(wait) = waits.after(&failure) else {
            if opened.source.leave(replica, &failure) {
                (waits, attempts) = (Waits::new(run.manifest.retry), 0);
                continue;
            }
            return Err(failure);
        };
        if let Some(spent) = run.budget.too_late(wait) {
            run.refuse(spent);
            return Ok(None);
        }
        run.emit(Event::Retrying {
            day: todo.id(),
            key: None,
            failure: failure.clone(),
            wait_seconds: wait.as_secs_f64(),
        });
        tokio::select! {
            () = tokio::time::sleep(wait) => replica.client().note_retry(),
            () = run.halt.cancelled() => return Ok(None),
        }
    }
}

/// What a source keeps of a day, in the day's journal. Work that is over keeps nothing, and has nothing.
struct Remembered {
    run: Weak<RunContext>,
    work: Weak<DayWork>,
    todo: Todo,
    expected: Arc<LockView>,
}

impl Memory for Remembered {
    fn recall(&self) -> Option<String> {
        self.work.upgrade()?.remembered()
    }

    fn keep(&self, text: &str) -> Result<(), Failure> {
        self.work.upgrade().map_or(Ok(()), |work| work.remember(text).map_err(Into::into))
    }

    fn here(&self, files: &[RemoteFile]) -> HashSet<String> {
        let Some((run, work)) = self.run.upgrade().zip(self.work.upgrade()) else { return HashSet::new() };
        let Some(opened) = run.series.get(&self.todo.series) else { return HashSet::new() };
        let expected = Arc::clone(&self.expected).by_listed_keys(files, opened.series.source.scale());
        let renumbered = Renumbered::of(opened, &work, files);
        let look = ListingLook { todo: &self.todo, expected: &expected, renumbered: &renumbered, is_final: true };
        files.iter().filter(|file| has(opened, &work, file, look)).map(|file| file.key.clone()).collect()
    }

    fn may_order(&self) -> bool {
        // Nothing is ordered where the files are taken from a folder.
        self.run.upgrade().is_some_and(|run| run.import_folder.is_none())
    }

    fn fixed_series(&self) -> BTreeMap<NaiveDateTime, String> {
        let run = self.run.upgrade();
        let opened = run.as_ref().and_then(|run| run.series.get(&self.todo.series));
        opened.map(|opened| self.expected.series_by_slot(opened.series.source.scale())).unwrap_or_default()
    }
}
