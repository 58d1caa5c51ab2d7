//! One day being worked on: locked, journalled, published file by file, and sealed.

mod corrupt_downloads;
mod open;
mod owned;
mod path_obstacles;
mod rename;
mod retired;
mod seal;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use rustix::fs::{self, AtFlags, FileType};

pub use open::Trust;
use owned::Owned;
use rename::Elsewhere;
pub use rename::PlacedAs;
pub use retired::RetiredFile;
use retired::RetiredFiles;
pub(super) use retired::path_of as retired_lines_of;
pub use seal::{Retired, SealAs};

use super::journal::{CorruptDownload, Journal, JournalEntry};
use super::record::{DayRecord, FileLine, RecordState};
use super::regular_file::{kind_of, open_at};
use super::safe_dir::split;
use super::staged_file::Stamp;
use super::{Archive, Error, MissingSlotReasons, PartialFile, RelativePath, Staged};
use crate::digest::{Digest, Hasher, PrefixedDigest};
use crate::failure::Failure;
use crate::manifest::SeriesId;

/// What opening a day found.
#[derive(Debug)]
pub enum Opened {
    /// The day is ours to work on.
    Work(Box<DayWork>),
    /// Another process has it.
    Held,
    /// Another process sealed it meanwhile, as it was asked for.
    Done(Box<DayRecord>),
}

/// How a file got its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It was not there before.
    New,
    /// These very bytes had the name already.
    Kept,
    /// A file of ours had the name and went to `retired/`.
    Replaced,
}

/// A file that an earlier look at the day had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// Its line.
    pub line: FileLine,
    /// How much of it still holds.
    pub standing: EarlierLook,
}

/// How final an earlier look was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierLook {
    /// Sealed, as the day is asked for: nothing is asked about it.
    Final,
    /// As the day is asked for, but by a listing that was not final: it may have changed since.
    Young,
    /// By another query of the same source, which was final or not: the path may differ now.
    OtherSpec(RecordState),
}

/// A day that this process holds.
#[derive(Debug)]
pub struct DayWork {
    archive: std::sync::Arc<Archive>,
    series: SeriesId,
    date: NaiveDate,
    journal: Journal,
    spec: Digest,
    job: String,
    /// Opened before anything is written, so that its sync tells each failure since, whoever else was told of it.
    root: OwnedFd,
    /// The record that stood, if any: its spec is another one, or it is provisional, or files of it are missing.
    before: Option<DayRecord>,
    /// Files that a record names, or a journal of another spec or of a young day: by key.
    prior: BTreeMap<String, Prior>,
    /// What is known of retired files.
    retired: RetiredFiles,
    /// What changes while it is worked on.
    state: Mutex<DayState>,
    /// Paths at which a damaged record says that files of ours are.
    salvaged: HashSet<String>,
    /// The machine went down since an earlier go: a file of right or zero bytes may be a write that was lost.
    after_crash: bool,
    empty_at: Option<DateTime<Utc>>,
    doubted_at: Option<DateTime<Utc>>,
    /// Files that came wrong in earlier goes under this spec, by key.
    spoilt: BTreeMap<String, CorruptDownload>,
}

/// What changes while a day is worked on.
#[derive(Debug, Default)]
struct DayState {
    /// Files that are there under this spec, by key.
    have: BTreeMap<String, FileLine>,
    /// Whose the files at the day's paths are.
    owned: Owned,
    /// Files of the day that lie elsewhere than they are due.
    elsewhere: Elsewhere,
    /// What the source keeps.
    remembered: Option<String>,
    /// The record that stood was taken down.
    withdrawn: bool,
    /// The listing that is worked on is not final.
    young: bool,
}

impl Archive {
    /// The digest of a regular file below the root; `None` when there is none.
    pub(super) fn hash(&self, path: &str) -> Result<Option<Digest>, Error> {
        let digest = self.open_plain(path)?.map(|file| digest_of(file, &mut vec![0; 256 * 1024])).transpose();
        digest.map_err(|e| Error::storage("read", self.tree.path(path), e))
    }

    /// A regular file below the root; `None` when there is none.
    fn open_plain(&self, path: &str) -> Result<Option<File>, Error> {
        let (directory, name) = split(path);
        let Some(dir) = self.tree.find(directory)? else { return Ok(None) };
        match open_at(&dir, name) {
            Ok(file) => Ok(file),
            // Something else than a regular file.
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => Ok(None),
            Err(e) => Err(Error::storage("read", self.tree.path(path), e)),
        }
    }
}

/// The directory of a series' day records.
fn days(series: &SeriesId) -> String {
    format!("{}/days/{series}", super::STATE)
}

/// The digest of a file from where it stands, read in pieces as long as the buffer.
pub(super) fn digest_of(mut file: File, buffer: &mut [u8]) -> std::io::Result<Digest> {
    let mut hasher = Hasher::default();
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

impl DayWork {
    /// True when one of these keys is there already, under this spec.
    #[must_use]
    pub fn has_any<'k>(&self, mut keys: impl Iterator<Item = &'k str>) -> bool {
        let have = &self.state().have;
        keys.any(|key| have.contains_key(key))
    }

    /// The line of a key that is there already, under this spec.
    #[must_use]
    pub fn have(&self, key: &str) -> Option<FileLine> {
        self.state().have.get(key).cloned()
    }

    /// What an earlier record or spec had under a key.
    #[must_use]
    pub fn prior(&self, key: &str) -> Option<&Prior> {
        self.prior.get(key)
    }

    /// What earlier records or specs had.
    pub fn priors(&self) -> impl Iterator<Item = &Prior> {
        self.prior.values()
    }

    /// What is known of the files of the day, one line a key: what this go has comes before what was there earlier.
    #[must_use]
    pub fn lines(&self) -> Vec<FileLine> {
        let have = &self.state().have;
        let earlier = self.prior.values().map(|prior| &prior.line).filter(|line| !have.contains_key(&line.key));
        have.values().chain(earlier).cloned().collect()
    }

    /// Those of these files that lie at their paths with their bytes, which are read.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn as_recorded(&self, lines: Vec<FileLine>) -> Result<Vec<FileLine>, Error> {
        let mut there = Vec::new();
        for line in lines {
            if self.is_there(&line) && self.archive.hash(&line.path)? == line.sha256 {
                there.push(line);
            }
        }
        Ok(there)
    }

    /// The bytes at the path of a line; none where there is no such file.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn read(&self, line: &FileLine) -> Result<Option<Vec<u8>>, Error> {
        self.archive.tree.read(&line.path)
    }

    /// How many files of the day are in the archive, and their bytes: those that this go has, and what else the record
    /// that stands names.
    #[must_use]
    pub fn in_place(&self) -> (u64, u64) {
        let have = &self.state().have;
        let recorded = self.before.iter().flat_map(|record| &record.files);
        let there = recorded.filter(|file| file.sha256.is_some() && self.archive.tree.length(&file.path) == file.bytes);
        let files: BTreeMap<&str, u64> =
            there.chain(have.values()).map(|file| (file.path.as_str(), file.bytes.unwrap_or_default())).collect();
        (files.len() as u64, files.values().sum())
    }

    /// The digest that a record of these keys' files would have.
    #[must_use]
    pub fn digest(&self, keys: &HashSet<String>) -> PrefixedDigest {
        let have = &self.state().have;
        let mut files: Vec<(&str, &Digest)> = have
            .values()
            .filter(|line| keys.contains(&line.key))
            .filter_map(|line| Some((line.path.as_str(), line.sha256.as_ref()?)))
            .collect();
        files.sort_unstable();
        PrefixedDigest(crate::digest::of_files(files.into_iter().map(|(path, sha256)| (sha256, path))))
    }

    /// True when the file of a line is there with its length.
    #[must_use]
    pub fn is_there(&self, line: &FileLine) -> bool {
        self.archive.tree.length(&line.path) == line.bytes && line.sha256.is_some()
    }

    /// Notes that the listing is not final: what comes of it is asked about again by the next go.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_young(&self) -> Result<(), Error> {
        self.state().young = true;
        self.journal.append(&[self.journal.head(self.spec, &self.job, true)])
    }

    /// When an earlier go found the listing empty, past settle.
    #[must_use]
    pub fn empty_at(&self) -> Option<DateTime<Utc>> {
        self.empty_at
    }

    /// Notes that the listing is empty at `at`, for the second look.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_empty(&self, at: DateTime<Utc>) -> Result<(), Error> {
        self.journal.append(&[JournalEntry::Empty { at }])
    }

    /// When an earlier go could not have files of the day, and nothing showed that their host was well.
    #[must_use]
    pub fn doubted_at(&self) -> Option<DateTime<Utc>> {
        self.doubted_at
    }

    /// Notes the same of this go, for the second look.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_doubted(&self, at: DateTime<Utc>) -> Result<(), Error> {
        self.journal.append(&[JournalEntry::Doubted { at }])
    }

    /// Notes that the listing holds files, so that an empty one before it confirms nothing.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_listed(&self) -> Result<(), Error> {
        if self.empty_at.is_some() { self.journal.append(&[JournalEntry::Listed {}]) } else { Ok(()) }
    }

    /// Notes what a day lacks that was listed, and failed.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_missing(&self, missing: MissingSlotReasons) -> Result<(), Error> {
        self.journal.append(&[JournalEntry::Missing(Box::new(missing))])
    }

    /// What the source kept of this day last, for the same question.
    #[must_use]
    pub fn remembered(&self) -> Option<String> {
        self.state().remembered.clone()
    }

    /// Keeps a text of the source's; an empty one forgets the last.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn remember(&self, text: &str) -> Result<(), Error> {
        let mut state = self.state();
        self.journal.append(&[JournalEntry::Remembered { text: text.to_owned() }])?;
        state.remembered = Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(())
    }

    /// True when the day has files by its record or by an earlier go.
    #[must_use]
    pub fn had_files(&self) -> bool {
        let DayState { have, owned, .. } = &*self.state();
        !have.is_empty() || !owned.ours.is_empty() || !owned.found.is_empty()
    }

    /// True when it has files that, by their time, are still asked for. One of which nothing is known counts.
    #[must_use]
    pub fn had_files_at(&self, is_asked_for: impl Fn(&str) -> bool) -> bool {
        let DayState { have, owned, .. } = &*self.state();
        let recorded = self.before.iter().flat_map(|record| &record.files);
        let lines = recorded.chain(self.prior.values().map(|prior| &prior.line)).chain(have.values());
        let times: HashMap<&str, &str> = lines.map(|line| (line.path.as_str(), line.time.as_str())).collect();
        let paths = owned
            .ours
            .keys()
            .chain(owned.found.keys())
            .map(String::as_str)
            .chain(have.values().map(|line| line.path.as_str()));
        let mut paths = paths.map(|path| times.get(path));
        paths.any(|time| time.is_none_or(|time| is_asked_for(time)))
    }

    /// The record that stands.
    #[must_use]
    pub fn record(&self) -> Option<&DayRecord> {
        self.before.as_ref()
    }

    /// Takes over files that an earlier record or spec had and that are asked for again at the same path: those whose
    /// file is there with its length. Gives the keys taken.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn adopt(&self, lines: Vec<FileLine>) -> Result<HashSet<String>, Error> {
        let there: Vec<FileLine> = lines.into_iter().filter(|line| self.is_there(line)).collect();
        let taken = there.iter().map(|line| line.key.clone()).collect();
        self.keep(there)?;
        Ok(taken)
    }

    /// Where the part of a key is, whether it exists or not.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn part(&self, key: &str) -> Result<PartialFile, Error> {
        PartialFile::at(&self.archive.tree, &self.parts(), key)
    }

    fn parts(&self) -> String {
        format!("{}/{}", Archive::work("partial", &self.series), self.date)
    }

    /// True when a file may be published only after another process has let go of the paths that days share.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        self.archive.shares_paths().unwrap_or(true)
    }

    /// Gives a whole, checked body its final name in one atomic step. Where days share paths, this blocks the thread while
    /// another process holds them. The journal line goes first.
    ///
    /// # Errors
    /// [`Error::Occupied`] when the path holds other bytes that are not ours, and [`Error::InTheWay`] when it holds something
    /// else than a file; [`Error::Changed`] when it held ours and they were changed since, [`Error::Claimed`] when they are
    /// another day's as well; [`Error::Storage`].
    pub fn publish(&self, mut staged: Staged, path: &RelativePath, line: FileLine) -> Result<Published, Error> {
        let tree = &self.archive.tree;
        if self.is_blocked(path) {
            self.make_room([path])?;
            self.must_have_folders(path)?;
        }
        let (dir, name) = tree.place(path.as_str())?;
        let mut replaced = false;
        let stat = || fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW);
        // Looked at before the line is written, so that a line never names somebody else's file.
        if stat().is_ok() {
            let mut ground = self.archive.ground()?;
            // Another day may have moved it away before the paths were held.
            if let Ok(stat) = stat() {
                let kind = FileType::from_raw_mode(stat.st_mode);
                if kind != FileType::RegularFile {
                    return Err(Error::InTheWay { path: path.to_string(), what: kind_of(kind) });
                }
                let found = self.archive.hash(path.as_str())?;
                if found == line.sha256 {
                    self.state().owned.placed.insert(path.to_string(), Stamp::of(&stat));
                    self.keep(vec![line])?;
                    staged.discard()?;
                    return Ok(Published::Kept);
                }
                self.must_be_ours(path, found, ground.as_ref(), &staged)?;
                self.withdraw()?;
                replaced = self.retire(path.as_str(), ground.as_mut())?;
            }
        }
        let key = line.key.clone();
        self.journal.append(&[JournalEntry::File(Box::new(line.clone()))])?;
        match self.name(&mut staged, path)? {
            Ok(true) => {}
            Ok(false) => {
                self.journal.append(&[JournalEntry::Void { key }])?;
                return Err(Error::Shared { path: path.to_string() });
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                // Somebody took the name just now.
                let _ground = self.archive.ground()?;
                if self.archive.hash(path.as_str())? != line.sha256 {
                    self.journal.append(&[JournalEntry::Void { key }])?;
                    return Err(Error::Occupied { path: path.to_string() });
                }
                self.keep(vec![line])?;
                staged.discard()?;
                return Ok(Published::Kept);
            }
            Err(e) => {
                self.journal.append(&[JournalEntry::Void { key }]).ok();
                return Err(Error::storage("publish", tree.path(path.as_str()), e));
            }
        }
        self.journal.published(key.clone());
        {
            let owned = &mut self.state().owned;
            owned.is_ours(path.as_str(), line.sha256);
            // Of one that cannot be told, the bytes are read when the day is sealed.
            if let Ok(stamp) = staged.stamp() {
                owned.placed.insert(path.to_string(), stamp);
            }
        }
        self.state().have.insert(key, line);
        Ok(if replaced { Published::Replaced } else { Published::New })
    }

    /// Gives a body its name. Its folder is made again where another day has just removed it as empty.
    fn name(&self, staged: &mut Staged, path: &RelativePath) -> Result<std::io::Result<bool>, Error> {
        let tree = &self.archive.tree;
        let folder = split(path.as_str()).0;
        loop {
            let (dir, name) = tree.place(path.as_str())?;
            match staged.publish(&dir, name) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && !tree.is_still_at(&dir, folder) => {}
                named => return Ok(named),
            }
        }
    }

    /// Puts a body that failed a check into quarantine.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn quarantine(&self, staged: Staged, key: &str, url: &str, failure: &Failure) -> Result<(), Error> {
        super::quarantine::put(&self.archive, &self.series, self.date, staged, key, url, failure)
    }

    /// The state, locked. No method that locks it again may be called meanwhile.
    fn state(&self) -> MutexGuard<'_, DayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
