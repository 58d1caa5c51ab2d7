//! The write-ahead journal of a day in progress; the lock on it is the day's lock.
//!
//! It is only ever appended to. A line cut by a crash ends the reading; what it named is fetched again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::durable::boot_id;
use super::record::line;
use super::tree::Tree;
use super::{Archive, Error, FileLine, RelativePath};
use crate::digest::Digest;
use crate::manifest::{LockMode, SeriesId};

/// One line of a journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// Work begins: the lines that follow answer this spec and were written under this boot.
    Journal { format: String, boot_id: String, spec: Digest },
    /// This file is about to get its name, or was found to have it.
    File(Box<FileLine>),
    /// The file of this key did not get its name.
    Void { key: String },
    /// The record named this path and the next one will not: it goes to `retired/`.
    Retire { path: String },
    /// A sync failed: nothing above may be trusted, though all of it is ours.
    Unsynced {},
    /// The listing was empty at this instant, past settle.
    Empty { at: DateTime<Utc> },
    /// The listing held files: that it was empty before says nothing any more.
    Listed {},
}

impl Entry {
    /// Lines that follow answer `spec` and are written now.
    pub(super) fn head(spec: Digest) -> Entry {
        Entry::Journal { format: FORMAT.to_owned(), boot_id: boot_id().to_owned(), spec }
    }
}

/// The format this version writes and reads.
const FORMAT: &str = "journal/1";

/// The paths that a journal of these bytes gives to a go for `spec`: to trust, to hash, or to displace. All of them lie
/// below the root. `path` is for messages only.
#[must_use]
pub fn paths(path: &std::path::Path, text: &[u8], spec: Digest) -> Vec<String> {
    let told = tell(text, spec, boot_id(), path);
    told.trusted.into_iter().chain(told.suspect).map(|file| file.path).chain(told.ours).collect()
}

/// An open, locked journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    dir: Arc<OwnedFd>,
    name: String,
    file: Mutex<File>,
}

/// What a journal told of an earlier go at the same day.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// File lines of the same spec and boot.
    pub(super) trusted: Vec<FileLine>,
    /// File lines of another spec or boot: the files must be hashed before they count.
    pub(super) suspect: Vec<FileLine>,
    /// Paths that are ours to displace, though nothing is known of their bytes. A day sealed without them retires them.
    pub(super) ours: Vec<String>,
    /// When the listing was last found empty, by a look for the same spec that no fuller one followed.
    pub(super) empty_at: Option<DateTime<Utc>>,
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
        let dir = tree.make(&directory)?;
        let name = format!("{date}.jsonl");
        let path = tree.path(&directory).join(&name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let failed = |e: Errno| Error::storage("open the journal", &path, e.into());
            let file = File::from(fs::openat(&*dir, &name, flags, Mode::from_raw_mode(0o666)).map_err(failed)?);
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
                    return Ok(Some(Journal { path, dir, name, file: Mutex::new(file) }));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }

    /// Reads what an earlier go left, cuts off a torn last line, and begins a go of its own.
    pub(super) fn begin(&self, spec: Digest) -> Result<Told, Error> {
        let mut text = Vec::new();
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.read_to_end(&mut text).map_err(|e| Error::storage("read the journal", &self.path, e))?;
            let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
            if whole < text.len() {
                text.truncate(whole);
                file.set_len(whole as u64).map_err(|e| Error::storage("mend the journal", &self.path, e))?;
            }
        }
        let told = tell(&text, spec, boot_id(), &self.path);
        self.append(&[Entry::head(spec)])?;
        Ok(told)
    }

    /// Appends entries in one write.
    pub(super) fn append(&self, entries: &[Entry]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = entries.iter().flat_map(line).collect();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&bytes).map_err(|e| Error::storage("write the journal", &self.path, e))
    }

    /// Removes the journal's name; the lock goes with the file when it is dropped.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match fs::unlinkat(&*self.dir, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(Error::storage("remove the journal", &self.path, e.into())),
        }
    }
}

/// What a file line is worth to this go.
#[derive(Debug, Clone, Copy)]
enum Worth {
    /// The same spec under the same boot: the file is there if its length is.
    Trust,
    /// Another spec of the same source, or another boot: its bytes must be hashed.
    Look,
    /// Another source: the path is ours to displace, and that is all.
    Path,
}

/// Folds a journal's lines.
fn tell(text: &[u8], spec: Digest, boot_id: &str, path: &std::path::Path) -> Told {
    let mut told = Told::default();
    let mut files: BTreeMap<String, (FileLine, Worth)> = BTreeMap::new();
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    let (mut worth, mut is_same) = (Worth::Path, false);
    for (index, raw) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        let entry = match serde_json::from_slice::<Entry>(raw) {
            Ok(entry) => entry,
            Err(error) => {
                // What stands below was written by a program that knew more, or by nobody we know.
                tracing::warn!(journal = %path.display(), line = index + 1, %error, "the journal is not read further");
                break;
            }
        };
        match entry {
            Entry::Journal { format, boot_id: boot, spec: asked } => {
                if format != FORMAT {
                    tracing::warn!(journal = %path.display(), line = index + 1, "a journal of another version");
                    break;
                }
                is_same = asked == spec;
                worth = match () {
                    () if is_same && boot == boot_id => Worth::Trust,
                    () if asked.has_first_of(&spec) => Worth::Look,
                    // Under the same key another source has another file.
                    () => Worth::Path,
                };
                if !is_same {
                    told.empty_at = None;
                }
            }
            Entry::File(file) if RelativePath::from_record(&file.path).is_some() => {
                // A later line on the same path has displaced what an earlier one put there, under whatever key.
                if let Some(other) = holders.insert(file.path.clone(), file.key.clone()).filter(|k| *k != file.key) {
                    files.remove(&other);
                }
                if let Some((earlier, _)) = files.insert(file.key.clone(), ((*file).clone(), worth))
                    && earlier.path != file.path
                {
                    holders.remove(&earlier.path);
                    told.ours.push(earlier.path);
                }
            }
            Entry::File(_) => {}
            Entry::Void { key } => {
                if let Some((file, _)) = files.remove(&key) {
                    holders.remove(&file.path);
                }
            }
            Entry::Retire { path } => {
                if RelativePath::from_record(&path).is_some() {
                    told.ours.push(path);
                }
            }
            Entry::Unsynced {} => {
                holders.clear();
                told.ours.extend(std::mem::take(&mut files).into_values().map(|(f, _)| f.path));
            }
            Entry::Empty { at } => told.empty_at = is_same.then_some(at),
            Entry::Listed {} => told.empty_at = None,
        }
    }
    for (file, worth) in files.into_values() {
        match worth {
            Worth::Trust => told.trusted.push(file),
            Worth::Look => told.suspect.push(file),
            Worth::Path => told.ours.push(file.path),
        }
    }
    told
}
