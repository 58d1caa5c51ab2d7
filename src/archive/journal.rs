//! The write-ahead journal of a day in progress; the lock on it is the day's lock.
//!
//! It is only ever appended to. Each line has a check. A line that a crash has cut, or that was edited, ends the reading;
//! what it named, and what those after it did, is fetched again.

mod corrupt_download;
mod line_checksum;
mod replay;

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use corrupt_download::CorruptDownload;
use line_checksum::Chain;
use replay::ReplayFor;
pub(super) use replay::{JournalFile, JournalledAs, Replay, Worth};

use super::fsync::boot_id;
use super::regular_file::{is_no_file, must_be_regular};
use super::safe_dir::Tree;
use super::spec_family::SpecFamily;
use super::{Archive, Error, FileLine, MissingSlotReasons};
use crate::digest::Digest;
use crate::manifest::{LockMode, SeriesId};

/// One line of a journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JournalEntry {
    /// The lines that follow answer this spec and were written under this boot.
    Journal {
        format: String,
        boot_id: String,
        spec: Digest,
        /// Which job asked.
        #[serde(default)]
        job: String,
        /// Of which day it is. Journals of before do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        series: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        date: Option<NaiveDate>,
        /// They come from a listing that was not final yet: the files are asked about again by the next go.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        young: bool,
    },
    /// This file is about to get its name.
    File(Box<FileLine>),
    /// The files of these keys got their names from us: their paths are ours. Written with the next line.
    Published { keys: Vec<String> },
    /// This file was found at its path, and nothing says that it is ours.
    Kept(Box<FileLine>),
    /// The file of this key did not get its name, or lost it.
    Void { key: String },
    /// This path is ours, and what it holds, if it is what it is known to hold, is about to go to `retired/`.
    Retire {
        path: String,
        /// What it is known to hold. Journals of before do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Digest>,
    },
    /// It is gone from there: what the path holds from now on is somebody else's, until a line says otherwise.
    Retired { path: String },
    /// The machine went down since an earlier go, and the lines that would tell may be lost with what they named.
    Crashed {},
    /// A sync failed: nothing above may be trusted, though all of it is ours.
    Unsynced {},
    /// The listing was empty at this instant, past settle.
    Empty { at: DateTime<Utc> },
    /// Files were not to be had at this instant, past settle, and nothing showed that their host was well.
    Doubted { at: DateTime<Utc> },
    /// This file arrived corrupt, perhaps already at its source.
    Spoilt(Box<CorruptDownload>),
    /// The listing held files: that it was empty before says nothing any more.
    Listed {},
    /// What the source keeps of this day, for the same question: the last one counts.
    Remembered { text: String },
    /// The day was listed, and failed: what it lacks, and why.
    Missing(Box<MissingSlotReasons>),
    /// Written by `clean`: of the lines above, only those that say who owns a file still count.
    Cleaned {},
}

impl JournalEntry {
    /// These files have their names from us.
    pub(super) fn published(files: impl IntoIterator<Item = FileLine>) -> Vec<JournalEntry> {
        let mut entries: Vec<JournalEntry> = files.into_iter().map(|file| JournalEntry::File(Box::new(file))).collect();
        let keys = entries.iter().filter_map(|entry| match entry {
            JournalEntry::File(file) => Some(file.key.clone()),
            _ => None,
        });
        let keys: Vec<String> = keys.collect();
        if !keys.is_empty() {
            entries.push(JournalEntry::Published { keys });
        }
        entries
    }
}

/// The format this version writes and reads.
const FORMAT: &str = "journal/1";

/// The paths that a journal of these bytes gives to a go for `spec`: to trust, to hash, or to displace. All of them lie
/// below the root. None where the journal is refused. `path` is for messages only.
#[must_use]
pub fn paths(path: &Path, text: &[u8], spec: Digest) -> Vec<String> {
    let asked = ReplayFor { spec: &SpecFamily::alone(spec), job: "job", day: None };
    let Ok(replayed) = replay::replay(text, asked, boot_id(), path) else { return Vec::new() };
    replayed.files.into_iter().map(|named| named.line.path).chain(replayed.ours.into_keys()).collect()
}

/// The journal of these lines, each an object of JSON without its check: for tests, which write what this version would
/// not.
#[must_use]
pub fn journal_text<'a>(objects: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut chain = Chain::default();
    objects.into_iter().flat_map(|object| chain.line(object)).collect()
}

/// An open, locked journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    day: (SeriesId, NaiveDate),
    dir: Arc<OwnedFd>,
    name: String,
    /// It was not there before: nobody needs it when nothing comes of this go.
    is_new: bool,
    pen: Mutex<Pen>,
}

/// What is there of a day that was started and has no record yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Started {
    /// The job that started it; `None` where the journal does not say.
    pub job: Option<String>,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

#[derive(Debug)]
struct Pen {
    file: File,
    /// Of the lines that are there, and how long they are.
    chain: Chain,
    length: u64,
    /// Half a line may stand at the end: nobody would read past it.
    is_torn: bool,
    /// Published since the last line: told with the next one, which costs no write of its own. What a kill forgets is
    /// hashed by the next go.
    published: Vec<String>,
}

impl Journal {
    /// Opens and locks the journal of a day. `None` when another process holds it.
    pub(super) fn open(
        tree: &Tree,
        series: &SeriesId,
        date: NaiveDate,
        lock: LockMode,
    ) -> Result<Option<Journal>, Error> {
        let directory = Archive::work("journal", series);
        let name = format!("{date}.jsonl");
        let path = tree.path(&directory).join(&name);
        // A pipe in its place must not be waited for.
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        loop {
            let failed = |e: Errno| Error::storage("open the journal", &path, e.into());
            // Each time anew: the last holder of another day may just have removed the empty folder.
            let dir = tree.make(&directory)?;
            let open = |more| fs::openat(&*dir, &name, flags | more, Mode::from_raw_mode(0o666)).map(File::from);
            let (file, is_new) = match open(OFlags::CREATE | OFlags::EXCL) {
                Ok(file) => (file, true),
                Err(Errno::EXIST) => match open(OFlags::empty()) {
                    Ok(file) => (must_be_regular(file).map_err(|e| no_journal(&path, &e))?, false),
                    Err(Errno::NOENT) => continue,
                    Err(Errno::LOOP) => return Err(no_journal(&path, &is_no_file(FileType::Symlink))),
                    Err(Errno::ISDIR) => return Err(no_journal(&path, &is_no_file(FileType::Directory))),
                    Err(Errno::NXIO) => return Err(no_journal(&path, &is_no_file(FileType::Socket))),
                    Err(e) => return Err(failed(e)),
                },
                Err(Errno::NOENT) => continue,
                Err(e) => return Err(failed(e)),
            };
            if lock == LockMode::Flock {
                match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {}
                    Err(Errno::WOULDBLOCK) => return Ok(None),
                    Err(Errno::INTR) => continue,
                    Err(e @ (Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS | Errno::INVAL)) => {
                        return Err(Error::NoLocks { path, source: e.into() });
                    }
                    Err(e) => return Err(failed(e)),
                }
            }
            // The last holder unlinks the journal when it seals: a lock on a nameless file locks nobody out.
            let ours = fs::fstat(&file).map_err(failed)?;
            match fs::statat(&*dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(named) if named.st_ino == ours.st_ino && named.st_dev == ours.st_dev => {
                    let pen = Mutex::new(Pen::of(file));
                    let day = (series.clone(), date);
                    return Ok(Some(Journal { path, day, dir, name, is_new, pen }));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }

    /// Reads what an earlier go left, cuts off what cannot be read, and begins a go of its own.
    ///
    /// # Errors
    /// [`Error::Record`] when another job has files here that it asked for otherwise.
    pub(super) fn begin(&self, spec: &SpecFamily, job: &str) -> Result<Replay, Error> {
        let text = self.text()?;
        let mut replayed = self.go_on_from(&text, spec, job)?;
        // One that was begun and holds nothing has lost its lines.
        replayed.crashed |= !self.is_new && replayed.whole == 0 && !replayed.is_others;
        let mut entries = vec![self.head(spec.spec, job, false)];
        // A later go must know it too, though it finds lines of this boot alone.
        entries.extend(replayed.crashed.then_some(JournalEntry::Crashed {}));
        self.append(&entries)?;
        Ok(replayed)
    }

    fn text(&self) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        let read = self.pen().file.read_to_end(&mut text);
        read.map_err(|e| Error::storage("read the journal", &self.path, e))?;
        Ok(text)
    }

    /// Reads the text of this journal, and cuts off what cannot be read: the next lines go below the last good one.
    fn go_on_from(&self, text: &[u8], spec: &SpecFamily, job: &str) -> Result<Replay, Error> {
        let asked = ReplayFor { spec, job, day: Some((&self.day.0, self.day.1)) };
        let replayed = replay::replay(text, asked, boot_id(), &self.path)?;
        let mut pen = self.pen();
        if replayed.whole < text.len() {
            // Else the lines of this go would stand below what no later go reads past.
            pen.file.set_len(replayed.whole as u64).map_err(|e| Error::storage("mend the journal", &self.path, e))?;
        }
        pen.chain = replayed.chain.clone();
        pen.length = replayed.whole as u64;
        Ok(replayed)
    }

    /// Voids everything but who owns the files. False when it names no file that exists: then nobody needs it.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Storage`].
    pub(super) fn forget(&self, tree: &Tree) -> Result<bool, Error> {
        let text = self.text()?;
        let Some((spec, job)) = replay::asked_last(&text) else { return Ok(false) };
        let replayed = self.go_on_from(&text, &SpecFamily::alone(spec), &job)?;
        let mut paths = replayed.files.iter().map(|named| &named.line.path).chain(replayed.ours.keys());
        if !paths.any(|path| tree.length(path).is_some()) {
            return Ok(false);
        }
        let crashed = replayed.crashed.then_some(JournalEntry::Crashed {});
        self.append(&crashed.into_iter().chain([JournalEntry::Cleaned {}]).collect::<Vec<JournalEntry>>())?;
        Ok(true)
    }

    /// Lines that follow answer `spec` and are written now.
    pub(super) fn head(&self, spec: Digest, job: &str, young: bool) -> JournalEntry {
        let (format, boot_id, job) = (FORMAT.to_owned(), boot_id().to_owned(), job.to_owned());
        let (series, date) = (Some(self.day.0.0.clone()), Some(self.day.1));
        JournalEntry::Journal { format, boot_id, spec, job, series, date, young }
    }

    /// Appends entries in one write, after the mark of what was published since the last ones.
    pub(super) fn append(&self, entries: &[JournalEntry]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut pen = self.pen();
        let keys = std::mem::take(&mut pen.published);
        let published = (!keys.is_empty()).then_some(JournalEntry::Published { keys });
        pen.write(published.iter().chain(entries)).map_err(|e| Error::storage("write the journal", &self.path, e))
    }

    /// Notes that the file of a key has got its name from us.
    pub(super) fn published(&self, key: String) {
        self.pen().published.push(key);
    }

    /// Waits until all lines are on stable storage.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let synced = self.pen().file.sync_data();
        synced.map_err(|e| Error::storage("put on stable storage", &self.path, e))
    }

    /// Removes the journal's name; the lock goes with the file when it is dropped.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match fs::unlinkat(&*self.dir, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(Error::storage("remove the journal", &self.path, e.into())),
        }
    }

    /// True when this go made it.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Removes the journal when this go made it: nothing came of it.
    pub(super) fn remove_if_new(&self) -> Result<(), Error> {
        if self.is_new { self.remove() } else { Ok(()) }
    }

    fn pen(&self) -> MutexGuard<'_, Pen> {
        self.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_journal(path: &Path, why: &std::io::Error) -> Error {
    Error::record(path, 1, format!("{why}; move it away: the journal of an unfinished day is due here"))
}

impl Pen {
    fn of(file: File) -> Pen {
        Pen { file, chain: Chain::default(), length: 0, is_torn: false, published: Vec::new() }
    }

    /// Appends these entries in one write. What a failed one leaves is taken back.
    fn write<'a>(&mut self, entries: impl Iterator<Item = &'a JournalEntry>) -> std::io::Result<()> {
        if self.is_torn {
            return Err(std::io::Error::other("it ends in half a line of an earlier write"));
        }
        let mut chain = self.chain.clone();
        // Plain structs of texts and numbers: serde_json cannot fail on them.
        let object = |entry| serde_json::to_vec(entry).unwrap_or_default();
        let bytes: Vec<u8> = entries.flat_map(|entry| chain.line(&object(entry))).collect();
        if let Err(error) = self.file.write_all(&bytes) {
            self.is_torn = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.chain = chain;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// A day that was started, by its journal.
#[derive(Debug, Default)]
pub struct StartedDay {
    job: Option<String>,
    /// The files that are there.
    pub files: Vec<FileLine>,
    /// What it lacks, and why, where it was listed and failed.
    pub missing: Option<MissingSlotReasons>,
}

/// What the journal of a day says; `None` when there is no journal. It is neither locked nor changed: whoever works on the
/// day goes on.
pub(super) fn read_started(tree: &Tree, series: &SeriesId, date: NaiveDate) -> Result<Option<StartedDay>, Error> {
    let relative = path_of(series, date);
    let text = tree.read(&relative).map_err(|error| match error {
        Error::Storage { path, source, .. } if source.kind() == ErrorKind::InvalidInput => no_journal(&path, &source),
        other => other,
    });
    let Some(mut text) = text? else { return Ok(None) };
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    let Some((spec, job)) = replay::asked_last(&text) else {
        return Ok(Some(StartedDay::default()));
    };
    let asked = ReplayFor { spec: &SpecFamily::alone(spec), job: &job, day: Some((series, date)) };
    let replayed = replay::replay(&text, asked, boot_id(), &tree.path(&relative))?;
    let files = replayed.files.into_iter().filter(|file| file.worth != Worth::Nothing).map(|file| file.line).collect();
    Ok(Some(StartedDay { job: Some(job), files, missing: replayed.missing }))
}

/// The files that are there of a day that was started; `None` when it was not.
pub(super) fn started_files(tree: &Tree, series: &SeriesId, date: NaiveDate) -> Result<Option<Vec<FileLine>>, Error> {
    Ok(read_started(tree, series, date)?.map(|started| started.files))
}

/// How many they are, and who started it.
pub(super) fn started(tree: &Tree, series: &SeriesId, date: NaiveDate) -> Result<Option<Started>, Error> {
    Ok(read_started(tree, series, date)?.map(|StartedDay { job, files, .. }| Started {
        job,
        files: files.len() as u64,
        bytes: files.iter().filter_map(|file| file.bytes).sum(),
    }))
}

/// A path that a day in progress names.
#[derive(Debug)]
pub(super) struct ClaimedPath {
    pub(super) path: String,
    /// The bytes that are there by its word.
    pub(super) sha256: Option<Digest>,
    /// It has not put the file there.
    pub(super) is_found: bool,
}

/// What the journal at a path below the root claims, as its own day would read it. What cannot be read claims nothing.
pub(super) fn claims(tree: &Tree, relative: &str) -> Result<Vec<ClaimedPath>, Error> {
    let text = match tree.read(relative) {
        Ok(text) => text.unwrap_or_default(),
        Err(Error::Storage { source, .. }) if source.kind() == ErrorKind::InvalidInput => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let Some((spec, job)) = replay::asked_last(&text) else { return Ok(Vec::new()) };
    let asked = ReplayFor { spec: &SpecFamily::alone(spec), job: &job, day: None };
    let Ok(replayed) = replay::replay(&text, asked, boot_id(), &tree.path(relative)) else { return Ok(Vec::new()) };
    let claimed = replayed.files.into_iter().map(|JournalFile { line, how, .. }| ClaimedPath {
        path: line.path,
        sha256: line.sha256,
        is_found: how == JournalledAs::Found,
    });
    Ok(claimed.collect())
}

/// Where the journal of a day is, below the root.
pub(super) fn path_of(series: &SeriesId, date: NaiveDate) -> String {
    format!("{}/{date}.jsonl", Archive::work("journal", series))
}
