//! Taking a day: locked, its record read again under the lock, and what an earlier go left weighed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use chrono::NaiveDate;

use super::{DayState, DayWork, EarlierLook, Opened, Owned, Prior, RetiredFiles, days};
use crate::archive::journal::{Journal, JournalEntry, JournalFile, JournalledAs, Worth};
use crate::archive::reader::record_of;
use crate::archive::record::{DayRecord, FileLine, RecordState, salvage};
use crate::archive::spec_family::SpecFamily;
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
        let day = DayToTake { series, date, spec, job, trust };
        let standing = match self.standing_record(day) {
            Ok(standing) => standing,
            Err(error) => {
                journal.remove_if_new()?;
                self.sweep(series, date);
                return Err(error);
            }
        };
        let is_done = |record: &&DayRecord| {
            trust == Trust::All && record.header.spec == spec && record.header.state == RecordState::Sealed
        };
        let Some(record) = standing.record.as_ref().filter(is_done).cloned() else {
            return Ok(Opened::Work(Box::new(self.begin(day, journal, standing)?)));
        };
        if journal.is_new() {
            journal.remove()?;
            self.sweep(series, date);
            return Ok(Opened::Done(Box::new(record)));
        }
        let work = self.begin(day, journal, standing)?;
        Ok(Opened::Done(Box::new(work.put_away(record)?)))
    }

    /// The record that stands, if it is one that this job may go on from.
    fn standing_record(&self, day: DayToTake<'_>) -> Result<StandingRecord, Error> {
        let DayToTake { series, date, spec, job, .. } = day;
        let relative = record_of(series, date);
        let (record, salvaged) = match DayRecord::read(&self.tree, &relative, series, date) {
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
        Ok(StandingRecord { record, salvaged })
    }

    fn begin(
        self: &Arc<Self>,
        day: DayToTake<'_>,
        journal: Journal,
        standing: StandingRecord,
    ) -> Result<DayWork, Error> {
        let DayToTake { series, date, spec, job, trust } = day;
        let StandingRecord { record: before, salvaged } = standing;
        let root = self.tree.root_anew()?;
        // Made now, so that the day's one sync covers it.
        self.tree.make(&days(series))?;
        let family = self.spec_family(series, spec);
        let replayed = journal.begin(&family, job)?;
        let mut earlier = EarlierFiles::of(replayed.ours, self.retired_lines(series, date, &family));
        if let Some(record) = &before {
            earlier.take_record(record, &family);
        }
        earlier.take_retired(replayed.retired, &replayed.files);
        for named in replayed.files {
            let weighed = self.weigh(&named)?;
            earlier.take_file(named, weighed, trust);
        }
        let EarlierFiles { owned, have, prior, retired, published, mut looked_at } = earlier;
        looked_at.extend(JournalEntry::published(published));
        journal.append(&looked_at)?;
        Ok(DayWork {
            archive: Arc::clone(self),
            series: series.clone(),
            date,
            journal,
            spec,
            job: job.to_owned(),
            root,
            before,
            prior,
            retired,
            state: Mutex::new(DayState { have, owned, remembered: replayed.remembered, ..DayState::default() }),
            salvaged,
            after_crash: replayed.crashed,
            empty_at: replayed.empty_at,
            doubted_at: replayed.doubted_at,
            spoilt: replayed.spoilt,
        })
    }

    /// Looks for a file that a journal names.
    fn weigh(&self, named: &JournalFile) -> Result<WeighedFile, Error> {
        let path = &named.line.path;
        let length = self.tree.length(path);
        if named.how == JournalledAs::Published && named.same_boot {
            // Line and file: have. Line without file: fetched again.
            return Ok(WeighedFile { is_there: length == named.line.bytes, is_ours: true });
        }
        let is_there = length == named.line.bytes && self.hash(path)? == named.line.sha256;
        let is_ours = match named.how {
            JournalledAs::Published => true,
            JournalledAs::Found => false,
            // Whoever put another file there, it was not us, unless the machine went down and lost what we wrote: that
            // leaves nothing, or the right length.
            JournalledAs::Meant => is_there || (!named.same_boot && (length == Some(0) || length == named.line.bytes)),
        };
        Ok(WeighedFile { is_there, is_ours })
    }

    /// Removes the folders of a day's work that are empty.
    pub(in crate::archive) fn sweep(&self, series: &SeriesId, date: NaiveDate) {
        sweep(&self.tree, series, date);
    }
}

/// A day that is to be taken, and for what.
#[derive(Clone, Copy)]
struct DayToTake<'a> {
    series: &'a SeriesId,
    date: NaiveDate,
    spec: Digest,
    job: &'a str,
    trust: Trust,
}

/// The record that stands.
struct StandingRecord {
    record: Option<DayRecord>,
    /// Where one that cannot be read says that files of ours are.
    salvaged: HashSet<String>,
}

/// A file that a journal names, looked for.
#[derive(Debug, Clone, Copy)]
struct WeighedFile {
    /// It is there with its bytes.
    is_there: bool,
    /// Its path is ours to displace.
    is_ours: bool,
}

/// What an earlier go left of a day.
struct EarlierFiles {
    owned: Owned,
    have: BTreeMap<String, FileLine>,
    prior: BTreeMap<String, Prior>,
    retired: RetiredFiles,
    /// Files that were found to have their names from us.
    published: Vec<FileLine>,
    /// What was looked at now is written down again, so that a next go need not look.
    looked_at: Vec<JournalEntry>,
}

impl EarlierFiles {
    fn of(ours: BTreeMap<String, Option<Digest>>, retired: RetiredFiles) -> EarlierFiles {
        EarlierFiles {
            owned: Owned { ours: ours.into_iter().collect(), ..Owned::default() },
            have: BTreeMap::new(),
            prior: BTreeMap::new(),
            retired,
            published: Vec::new(),
            looked_at: Vec::new(),
        }
    }

    /// Takes in the record that stands.
    fn take_record(&mut self, record: &DayRecord, family: &SpecFamily) {
        let is_this = record.header.spec == family.spec;
        let standing = match record.header.state {
            RecordState::Sealed if is_this => EarlierLook::Final,
            RecordState::Provisional if is_this => EarlierLook::Young,
            state => EarlierLook::OtherSpec(state),
        };
        for file in record.files.iter().filter(|f| f.sha256.is_some()) {
            let paths = if file.preexisting { &mut self.owned.found } else { &mut self.owned.ours };
            paths.insert(file.path.clone(), file.sha256);
            // Under the same key another source has another file.
            if family.has_files_of(&record.header.spec) {
                self.prior.insert(file.key.clone(), Prior { line: file.clone(), standing });
            }
        }
    }

    /// Takes in the files that a journal named until they were retired; it names these now.
    fn take_retired(&mut self, gone: Vec<JournalFile>, now: &[JournalFile]) {
        let now: HashMap<&str, Option<Digest>> =
            now.iter().map(|named| (named.line.key.as_str(), named.line.sha256)).collect();
        for file in gone {
            let is_superseded = now.get(file.line.key.as_str()).is_some_and(|sha256| *sha256 != file.line.sha256);
            self.retired.add_named(file, is_superseded);
        }
    }

    /// Takes in a file that a journal names.
    fn take_file(&mut self, named: JournalFile, weighed: WeighedFile, trust: Trust) {
        let (path, known) = (&named.line.path, named.line.sha256);
        if weighed.is_ours {
            self.owned.is_ours(path, known);
        } else if named.how == JournalledAs::Found && !self.owned.ours.contains_key(path) {
            self.owned.found.insert(path.clone(), known);
        }
        if !weighed.is_there {
            self.retired.add_named(named, false);
            return;
        }
        let JournalFile { line, worth, how, same_boot } = named;
        let standing = match worth {
            Worth::Nothing => return,
            Worth::Young => EarlierLook::Young,
            Worth::Other(state) => EarlierLook::OtherSpec(state),
            Worth::This => {
                match how {
                    JournalledAs::Published if same_boot => {}
                    JournalledAs::Published | JournalledAs::Meant => self.published.push(line.clone()),
                    JournalledAs::Found => self.looked_at.push(JournalEntry::Kept(Box::new(line.clone()))),
                }
                if trust != Trust::Nothing {
                    self.have.insert(line.key.clone(), line);
                    return;
                }
                EarlierLook::Young
            }
        };
        self.prior.insert(line.key.clone(), Prior { line, standing });
    }
}
