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
use crate::failure::{Class, Failure};
use crate::lock::LockedFile;
use crate::manifest::latency::has_ended;
use crate::run::RunContext;
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

/// The files of the lock, if the archive knows each of them and has its bytes; they are read. `None` as well where the run is
/// stopped meanwhile.
fn local_files(run: &RunContext, store: &DayWork, lock_view: &LockView) -> Result<Option<Vec<LocalFile>>, Failure> {
    let now = store.lines();
    let by_path: HashMap<&str, &FileLine> = now.iter().map(|line| (line.path.as_str(), line)).collect();
    let mut known = Vec::new();
    for locked in lock_view.whole_files() {
        let Some(path) = RelativePath::from_record(&locked.path) else { return Ok(None) };
        let renumbered = || under_locked_key(by_path.get(path.as_str())?, locked);
        let Some(line) = known_line(store, locked).or_else(renumbered) else { return Ok(None) };
        known.push((line, path));
    }
    let mut files = Vec::with_capacity(known.len());
    for (line, path) in known {
        let is_in_place = line.path == path.as_str() && !store.as_recorded(vec![line.clone()])?.is_empty();
        if run.halt.is_cancelled() || !(is_in_place || store.has_bytes_of(&line)?) {
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

/// A file of a record of JSOC that a later listing had under another number, under that of the lock.
fn under_locked_key(line: &FileLine, locked: &LockedFile) -> Option<FileLine> {
    let (number, file) = locked.key.split_once('/')?;
    let is_number = locked.recnum.is_some_and(|recnum| recnum.to_string() == number) && line.recnum.is_some();
    let is_file = line.key.split_once('/').is_some_and(|(_, other)| other == file);
    let is_place = line.url == locked.url || (line.storage.is_some() && line.storage == locked.storage);
    let is_same = line.sha256.is_some() && line.sha256 == locked.sha256 && line.time == locked.time;
    let is_it = is_number && is_file && is_place && is_same;
    is_it.then(|| FileLine { key: locked.key.clone(), recnum: locked.recnum, ..line.clone() })
}

impl DayProcess<'_> {
    /// Gives the files of the lock their paths, where all of them are here; `None` where the day is to be listed.
    pub(super) async fn as_locked(&self, open: &OpenDay) -> Result<Option<Reconciled>, Early> {
        let (run, todo) = (self.run, self.todo);
        // How many records of each of several series a day has, its files do not tell.
        let prefers = !open.series.series.fallbacks.is_empty();
        let is_young = !has_ended(&open.series.series, todo.day.window, (run.now)(), open.series.series.settle);
        if todo.how.afresh || run.import_folder.is_some() || prefers || is_young {
            return Ok(None);
        }
        let (shared, store, lock_view) = (Arc::clone(run), Arc::clone(&open.store), Arc::clone(&open.lock_view));
        let Some(files) = blocking(move || local_files(&shared, &store, &lock_view)).await? else { return Ok(None) };
        let keys: HashSet<String> = files.iter().map(|file| file.line.key.clone()).collect();
        let settled: Vec<FileLine> = open.lock_view.absent(&todo.series.0).collect();
        let (total, bytes) = (files.len() + settled.len(), files.iter().map(|file| file.line.bytes).sum());
        let have = files.iter().filter(|file| file.is_in_place).count();
        let day = self.context(open.clone(), Arc::clone(&open.lock_view), true);
        run.emit(Event::DayListed { day: day.id.clone(), files: total as u64, have: have as u64, bytes });
        let Some(failed) = self.place_all(&day.store, files).await? else { return Ok(None) };
        day.known_bad.need(&settled, &day.store);
        self.report_absent(&settled);
        let rest = DayRest {
            keys,
            failed,
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

    /// Gives the files their paths; those that cannot have them fail. `None` where a file went meanwhile, or the run is stopped.
    async fn place_all(&self, store: &Arc<DayWork>, files: Vec<LocalFile>) -> Result<Option<Failures>, Failure> {
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
        let mut failed = Failures::new();
        for LocalFile { line, path, .. } in elsewhere {
            if self.run.halt.is_cancelled() {
                return Ok(None);
            }
            let key = line.key.clone();
            match place_one(store, line, &path).await {
                Ok(Some(end)) => self.emit_done(key, path.to_string(), end),
                Ok(None) => return Ok(None),
                Err(failure) if failure.class == Class::Storage => return Err(failure),
                Err(failure) => {
                    failed.insert(key, (Some(path.to_string()), failure));
                }
            }
        }
        Ok(Some(failed))
    }

    fn emit_done(&self, key: String, path: String, end: FileEnd) {
        self.run.emit(Event::FileDone { day: self.done.day.clone(), key, path: Some(path), end });
    }
}
