//! A day that the lock names whole, and whose files are all here: after an update that failed half-way, say, or under a lock
//! that was checked out. It is sealed as the lock has it, and nobody is asked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::downloads::Failures;
use super::lock_view::LockView;
use super::missing_slots::ListedSlots;
use super::open::OpenDay;
use super::preferred::Before;
use super::reconcile::{DayRest, Reconciled};
use super::rename::place_one;
use super::{DayProcess, Early, listing::ListedBy};
use crate::archive::{DayWork, FileLine, RelativePath};
use crate::failure::Failure;
use crate::lock::LockedFile;
use crate::run::blocking::blocking;
use crate::run::event::{Event, FileEnd};
use crate::source::BySeries;

/// A file of the lock whose bytes are here.
struct LocalFile {
    /// What the archive knows of it, with the path where it was.
    line: FileLine,
    /// Where the lock has it.
    path: RelativePath,
    is_in_place: bool,
}

/// The files of the lock, if the archive knows each of them and has its bytes; they are read.
fn local_files(store: &DayWork, lock_view: &LockView, series: &str) -> Result<Option<Vec<LocalFile>>, Failure> {
    let now = store.lines();
    let by_path: HashMap<&str, &FileLine> = now.iter().map(|line| (line.path.as_str(), line)).collect();
    let mut files = Vec::new();
    for locked in lock_view.whole_files() {
        let Some(path) = RelativePath::from_record(&locked.path) else { return Ok(None) };
        let renumbered = by_path.get(path.as_str()).map(|line| under_locked_key(line, locked, series));
        let Some(line) = known_line(store, locked).or(renumbered.filter(|line| line.sha256 == locked.sha256)) else {
            return Ok(None);
        };
        let is_in_place = line.path == path.as_str() && !store.as_recorded(vec![line.clone()])?.is_empty();
        if !is_in_place && !store.has_bytes_of(&line)? {
            return Ok(None);
        }
        files.push(LocalFile { line, path, is_in_place });
    }
    Ok(Some(files).filter(|files| !files.is_empty()))
}

/// What the archive knows of a file under the key that the lock has.
fn known_line(store: &DayWork, locked: &LockedFile) -> Option<FileLine> {
    let earlier = store.prior(&locked.key).map(|prior| prior.line.clone());
    let retired = store.retired_files(&locked.key).map(|retired| retired.line.clone());
    let mut known = store.have(&locked.key).into_iter().chain(earlier).chain(retired);
    known.find(|line| line.sha256.is_some() && line.sha256 == locked.sha256)
}

/// A file that a later listing had under another key, as the lock has it.
fn under_locked_key(line: &FileLine, locked: &LockedFile, series: &str) -> FileLine {
    let FileLine { sha256, checked, origin, instant, .. } = line.clone();
    FileLine { sha256, origin, instant, checked, ..locked.clone().into_line(series) }
}

impl DayProcess<'_> {
    /// Gives the files of the lock their paths, where all of them are here; `None` where the day is to be listed.
    pub(super) async fn as_locked(&self, open: &OpenDay) -> Result<Option<Reconciled>, Early> {
        let (run, todo) = (self.run, self.todo);
        // How many records of each of several series a day has, its files do not tell.
        let prefers = !open.series.series.fallbacks.is_empty();
        if todo.how.afresh || run.import_folder.is_some() || prefers {
            return Ok(None);
        }
        let (store, lock_view, series) = (Arc::clone(&open.store), Arc::clone(&open.lock_view), todo.series.0.clone());
        let Some(files) = blocking(move || local_files(&store, &lock_view, &series)).await? else { return Ok(None) };
        let keys: HashSet<String> = files.iter().map(|file| file.line.key.clone()).collect();
        let settled: Vec<FileLine> = open.lock_view.absent(&todo.series.0).collect();
        let (total, bytes) = (files.len() + settled.len(), files.iter().map(|file| file.line.bytes).sum());
        let have = files.iter().filter(|file| file.is_in_place).count();
        let day = self.context(open.clone(), Arc::clone(&open.lock_view), true);
        run.emit(Event::DayListed { day: day.id.clone(), files: total as u64, have: have as u64, bytes });
        if !self.place_all(&day.store, files).await? {
            return Ok(None);
        }
        day.known_bad.need(&settled, &day.store);
        self.report_absent(&settled);
        let rest = DayRest {
            keys,
            failed: Failures::default(),
            settled,
            without_file: Vec::new(),
            left_out: open.store.record().and_then(|record| record.header.left_out.clone()),
            listed_slots: ListedSlots::default(),
            by_series: BySeries::default(),
            before: Before::default(),
            listed_by: ListedBy::Lock,
            listed_at: (run.now)(),
        };
        Ok(Some(Reconciled { day, missing: Vec::new(), rest }))
    }

    /// False where a file went meanwhile.
    async fn place_all(&self, store: &Arc<DayWork>, files: Vec<LocalFile>) -> Result<bool, Failure> {
        let (in_place, elsewhere): (Vec<LocalFile>, Vec<LocalFile>) =
            files.into_iter().partition(|file| file.is_in_place);
        let (work, paths) = (Arc::clone(store), elsewhere.iter().map(|file| file.path.clone()).collect::<Vec<_>>());
        let lines: Vec<FileLine> = in_place.into_iter().map(|file| file.line).collect();
        let adopted = lines.clone();
        blocking(move || {
            work.adopt(adopted)?;
            work.make_room(&paths)
        })
        .await?;
        for FileLine { key, path, .. } in lines {
            self.emit_done(key, path, FileEnd::Have);
        }
        for LocalFile { line, path, .. } in elsewhere {
            let key = line.key.clone();
            let Some(end) = place_one(store, line, &path).await? else { return Ok(false) };
            self.emit_done(key, path.to_string(), end);
        }
        Ok(true)
    }

    fn emit_done(&self, key: String, path: String, end: FileEnd) {
        self.run.emit(Event::FileDone { day: self.done.day.clone(), key, path: Some(path), end });
    }
}
