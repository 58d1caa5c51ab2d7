//! Taking a day: locked, its record read again under the lock, and what an earlier go left weighed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use chrono::NaiveDate;

use super::{DayWork, EarlierLook, Opened, Owned, Prior, days};
use crate::archive::journal::{Journal, JournalEntry, JournalFile, JournalledAs, Worth};
use crate::archive::reader::record_of;
use crate::archive::record::{DayRecord, FileLine, RecordState, salvage};
use crate::archive::work_folders::sweep;
use crate::archive::{Archive, Error};
use crate::digest::Digest;
use crate::manifest::SeriesId;

/// What is believed of what an earlier go left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// All of it: a sealed record ends the day.
    All,
    /// A sealed record only as far as its files are there.
    Files,
    /// Nothing: each file is asked for again, even one that an unfinished go put in place.
    Nothing,
}

impl Archive {
    /// Takes a day: locks it, reads the record again under the lock, and what an earlier go left.
    ///
    /// # Errors
    /// [`Error::Record`] when the day belongs to another job that asked for something else, [`Error::Newer`] when a
    /// newer version wrote it or the journal; [`Error::NoLocks`] and [`Error::Storage`].
    pub fn take(
        self: &Arc<Self>,
        series: &SeriesId,
        date: NaiveDate,
        spec: Digest,
        job: &str,
        trust: Trust,
    ) -> Result<Opened, Error> {
        let Some(journal) = Journal::open(&self.tree, series, date, self.lock)? else {
            return Ok(Opened::Held);
        };
        let (before, salvaged) = match self.record_for(series, date, spec, job) {
            Ok(found) => found,
            Err(error) => {
                journal.remove_if_new()?;
                self.sweep(series, date);
                return Err(error);
            }
        };
        let is_this = before.as_ref().is_some_and(|record| record.header.spec == spec);
        match before {
            Some(record) if is_this && record.header.state == RecordState::Sealed && trust == Trust::All => {
                if journal.is_new() {
                    journal.remove()?;
                    self.sweep(series, date);
                    return Ok(Opened::Done(Box::new(record)));
                }
                let work =
                    self.begin((series, date), (spec, job), (journal, trust), (Some(record.clone()), salvaged))?;
                Ok(Opened::Done(Box::new(work.put_away(record)?)))
            }
            before => {
                let work = self.begin((series, date), (spec, job), (journal, trust), (before, salvaged))?;
                Ok(Opened::Work(Box::new(work)))
            }
        }
    }

    /// The record that stands, if it is one that this job may go on from; of one that cannot be read, the paths at which it
    /// says that files of ours are.
    fn record_for(
        &self,
        series: &SeriesId,
        date: NaiveDate,
        spec: Digest,
        job: &str,
    ) -> Result<(Option<DayRecord>, HashSet<String>), Error> {
        let relative = record_of(series, date);
        let (record, salvaged) = match DayRecord::read(&self.tree, &relative, (series, date)) {
            Ok(record) => (record, HashSet::new()),
            // A record that cannot be read proves nothing; the day is done again and the record replaced.
            Err(error @ Error::Record { .. }) => {
                tracing::warn!(
                    %error,
                    "the day is done again; if its files were at other paths, `sunhaul verify` reports them as extra"
                );
                let left = self.tree.read(&relative).ok().flatten();
                (None, left.map(|left| salvage(&left)).unwrap_or_default())
            }
            Err(error) => return Err(error),
        };
        if let Some(record) = &record
            && record.header.spec != spec
            && record.header.job != job
        {
            return Err(Error::record(
                &Archive::record_path(&self.root, series, date),
                1,
                format!(
                    "the job `{}` requested something else under this id; give the series another id with `as:`, \
                     or the job another root",
                    crate::untrusted::escape(&record.header.job)
                ),
            ));
        }
        Ok((record, salvaged))
    }

    fn begin(
        self: &Arc<Self>,
        (series, date): (&SeriesId, NaiveDate),
        (spec, job): (Digest, &str),
        (journal, trust): (Journal, Trust),
        (before, salvaged): (Option<DayRecord>, HashSet<String>),
    ) -> Result<DayWork, Error> {
        let root = self.tree.root_anew()?;
        // Made now, so that the day's one sync covers it.
        self.tree.make(&days(series))?;
        let replayed = journal.begin(spec, job)?;
        let mut owned = Owned { ours: replayed.ours.into_iter().collect(), ..Owned::default() };
        let mut have = BTreeMap::new();
        let mut prior = BTreeMap::new();
        if let Some(record) = &before {
            let standing = match record.header.state {
                RecordState::Sealed if record.header.spec == spec => EarlierLook::Final,
                RecordState::Provisional if record.header.spec == spec => EarlierLook::Young,
                state => EarlierLook::OtherSpec(state),
            };
            for file in record.files.iter().filter(|f| f.sha256.is_some()) {
                let paths = if file.preexisting { &mut owned.found } else { &mut owned.ours };
                paths.insert(file.path.clone(), file.sha256);
                // Under the same key another source has another file.
                if record.header.spec.has_first_of(&spec) {
                    prior.insert(file.key.clone(), Prior { line: file.clone(), standing });
                }
            }
        }
        let mut retired = self.retired_lines(series, date, spec);
        let named: HashMap<String, Option<Digest>> =
            replayed.files.iter().map(|named| (named.line.key.clone(), named.line.sha256)).collect();
        let is_superseded = |line: &FileLine| named.get(&line.key).is_some_and(|sha256| *sha256 != line.sha256);
        for gone in replayed.retired {
            let is_superseded = is_superseded(&gone.line);
            retired.add_named(gone, is_superseded);
        }
        // What was looked at now is written down again, so that a next go need not look.
        let (mut published, mut entries) = (Vec::new(), Vec::new());
        for named in replayed.files {
            let (is_there, is_ours) = self.weigh(&named)?;
            let (path, known) = (&named.line.path, named.line.sha256);
            if is_ours {
                owned.is_ours(path, known);
            } else if named.how == JournalledAs::Found && !owned.ours.contains_key(path) {
                owned.found.insert(path.clone(), known);
            }
            if !is_there {
                retired.add_named(named, false);
                continue;
            }
            let JournalFile { line, worth, how, same_boot } = named;
            let standing = match worth {
                Worth::Nothing => continue,
                Worth::Young => EarlierLook::Young,
                Worth::Other(state) => EarlierLook::OtherSpec(state),
                Worth::This => {
                    match how {
                        JournalledAs::Published if same_boot => {}
                        JournalledAs::Published | JournalledAs::Meant => published.push(line.clone()),
                        JournalledAs::Found => entries.push(JournalEntry::Kept(Box::new(line.clone()))),
                    }
                    if trust != Trust::Nothing {
                        have.insert(line.key.clone(), line);
                        continue;
                    }
                    EarlierLook::Young
                }
            };
            prior.insert(line.key.clone(), Prior { line, standing });
        }
        entries.extend(JournalEntry::published(published));
        journal.append(&entries)?;
        Ok(DayWork {
            archive: Arc::clone(self),
            series: series.clone(),
            date,
            journal,
            spec,
            job: job.to_owned(),
            young: AtomicBool::new(false),
            root,
            before,
            withdrawn: Mutex::new(false),
            have: Mutex::new(have),
            prior,
            retired,
            owned: Mutex::new(owned),
            elsewhere: Mutex::default(),
            salvaged,
            after_crash: replayed.crashed,
            empty_at: replayed.empty_at,
            doubted_at: replayed.doubted_at,
            remembered: Mutex::new(replayed.remembered),
            spoilt: replayed.spoilt,
        })
    }

    /// Whether a file that a journal names is there with its bytes, and whether its path is ours to displace.
    fn weigh(&self, named: &JournalFile) -> Result<(bool, bool), Error> {
        let path = &named.line.path;
        let length = self.tree.length(path);
        if named.how == JournalledAs::Published && named.same_boot {
            // Line and file: have. Line without file: fetched again.
            return Ok((length == named.line.bytes, true));
        }
        let is_there = length == named.line.bytes && self.hash(path)? == named.line.sha256;
        let is_ours = match named.how {
            JournalledAs::Published => true,
            JournalledAs::Found => false,
            // Whoever put another file there, it was not us, unless the machine went down and lost what we wrote: that
            // leaves nothing, or the right length.
            JournalledAs::Meant => is_there || (!named.same_boot && (length == Some(0) || length == named.line.bytes)),
        };
        Ok((is_there, is_ours))
    }

    /// Removes the folders of a day's work that are empty.
    pub(in crate::archive) fn sweep(&self, series: &SeriesId, date: NaiveDate) {
        sweep(&self.tree, series, date);
    }
}
