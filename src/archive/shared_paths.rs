//! Paths that several days can have: where layouts, this one and one of before, let two days name one path.
//!
//! A file that another day names is nobody's to displace. Only an archive that such layouts were used in is asked for
//! it: every record and journal is read then, which is slow, and seldom: when a file is about to be moved away.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::{MutexGuard, PoisonError};

use chrono::NaiveDate;
use rustix::fs::{self, Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::journal::{self, ClaimedPath};
use super::layout::{can_give, folded, keeps_days_apart};
use super::record::line;
use super::regular_file::must_be_regular;
use super::safe_dir::Tree;
use super::{Archive, Error, NotLocked, STATE, lock};
use crate::digest::Digest;
use crate::manifest::{LockMode, SeriesId, Template};
use crate::untrusted::escape;

/// Says that days share paths here, and is locked while one of them looks around. Its lines tell of files that a day put
/// at their paths and then left to other days, which had only found them.
const MARK: &str = "shared";

/// The layouts that were used in this archive, a line each.
const LAYOUTS: &str = "layouts";

/// The shared paths held still: no other day moves a file, or takes one over, meanwhile.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    /// Held for its lock, and written to.
    mark: File,
    /// What is there ends in the middle of a line: a write was cut.
    is_torn: bool,
    /// Files that are ours, whichever day names them last.
    released: HashSet<String>,
    /// For the days of this very process, where files have no locks.
    _alone: MutexGuard<'a, ()>,
}

/// A line of the mark.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Note {
    /// A day that had put a file here names it no more, and others do.
    Released { path: String },
    /// It is gone from there.
    Retired { path: String },
}

/// A line of the layouts.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    series: String,
    layout: String,
}

/// What else names a path.
#[derive(Debug)]
pub(super) struct Owner {
    /// The series and the day; safe to show.
    pub(super) day: String,
    /// The bytes that it names.
    pub(super) sha256: Option<Digest>,
    /// It has not put the file there.
    pub(super) is_found: bool,
}

/// As much of a record's or journal's line as is looked at.
#[derive(Deserialize)]
struct PathLine<'a> {
    #[serde(borrow)]
    path: Option<Cow<'a, str>>,
    sha256: Option<Digest>,
    #[serde(default)]
    preexisting: bool,
    #[serde(borrow)]
    file: Option<Box<PathLine<'a>>>,
    #[serde(borrow)]
    kept: Option<Box<PathLine<'a>>>,
    #[serde(borrow)]
    retire: Option<Box<PathLine<'a>>>,
}

impl Archive {
    /// Notes that a series uses a layout. To be called before it is used: where another day could have, or have had, a path
    /// that it gives, days share paths from now on. Gives the layouts that the series used before.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::NoLocks`].
    pub fn use_layout(&self, series: &SeriesId, layout: &Template) -> Result<Vec<String>, Error> {
        let mut file = self.own_file(LAYOUTS)?;
        let path = || self.tree.path(STATE).join(LAYOUTS);
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|e| Error::storage("read", path(), e))?;
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Used>(line).ok());
        let before: Vec<String> = lines.filter(|used| used.series == series.0).map(|used| used.layout).collect();
        if before.iter().any(|before| before == layout.text()) {
            return Ok(before);
        }
        let is_shared = !keeps_days_apart(layout) || !before.is_empty() || self.is_laid_otherwise(series, layout)?;
        if is_shared {
            self.own_file(MARK)?;
        }
        let used = line(&Used { series: series.0.clone(), layout: layout.text().to_owned() });
        append(&mut file, !matches!(text.last(), None | Some(b'\n')), &used)
            .map_err(|e| Error::storage("write", path(), e))?;
        Ok(before)
    }

    /// True when a record or journal of a series names a path that this layout cannot have given: another one was used
    /// before layouts were noted.
    fn is_laid_otherwise(&self, series: &SeriesId, layout: &Template) -> Result<bool, Error> {
        let mut is_otherwise = false;
        for kind in KINDS {
            for (id, name) in days(&self.tree, kind)?.into_iter().filter(|(id, _)| *id == series.0) {
                let date = name.strip_suffix(".jsonl").and_then(|date| date.parse().ok());
                names(&self.tree, &format!("{STATE}/{kind}/{id}/{name}"), |path, _| {
                    is_otherwise |= date.is_none_or(|date| !can_give(layout, &id, date, path));
                })?;
            }
        }
        Ok(is_otherwise)
    }

    /// True when days share paths here.
    pub(super) fn shares_paths(&self) -> Result<bool, Error> {
        self.tree.exists(&format!("{STATE}/{MARK}"))
    }

    /// Holds the paths that days share; `None` where they share none. Blocks the thread while another process holds them.
    pub(super) fn ground(&self) -> Result<Option<Ground<'_>>, Error> {
        if !self.shares_paths()? {
            return Ok(None);
        }
        let alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mark = self.own_file(MARK)?;
        let mut text = Vec::new();
        mark.read_to_end(&mut text).map_err(|e| Error::storage("read", self.tree.path(STATE).join(MARK), e))?;
        let is_torn = !matches!(text.last(), None | Some(b'\n'));
        Ok(Some(Ground { mark, is_torn, released: released(&text), _alone: alone }))
    }

    /// Opens a small file of the state for reading and appending, and locks it; makes it where it is missing. Blocks the
    /// thread while another process holds it.
    pub(super) fn own_file(&self, name: &str) -> Result<File, Error> {
        let dir = self.tree.make(STATE)?;
        let path = || self.tree.path(STATE).join(name);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&*dir, name, flags, Mode::from_raw_mode(0o666))
            .map_err(std::io::Error::from)
            .and_then(|file| must_be_regular(File::from(file)))
            .map_err(|e| Error::storage("open", path(), e))?;
        if self.lock == LockMode::Flock {
            lock(&file, &path(), &*self.lock_wait).map_err(|error| match error {
                NotLocked::Held(held) => Error::Locked(held),
                NotLocked::System(e) => Error::NoLocks { path: path(), source: e.into() },
            })?;
        }
        Ok(file)
    }
}

/// Where what days name stands. In this order: a day that is sealed meanwhile has its record before its journal goes. The
/// other way, a record taken down for its journal, needs the ground.
const KINDS: [&str; 2] = ["work/journal", "days"];

/// What the lines of the mark come to. One that cannot be read says nothing.
fn released(text: &[u8]) -> HashSet<String> {
    let mut released = HashSet::new();
    for note in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()) {
        match note {
            Note::Released { path } => released.insert(path),
            Note::Retired { path } => released.remove(&path),
        };
    }
    released
}

/// Appends a line, in one write.
pub(super) fn append(file: &mut File, is_torn: bool, line: &[u8]) -> std::io::Result<()> {
    let gap: &[u8] = if is_torn { b"\n" } else { b"" };
    file.write_all(&[gap, line].concat())
}

impl Ground<'_> {
    /// True when the file at a path was put there by a day that left it to the others.
    pub(super) fn is_released(&self, path: &str) -> bool {
        self.released.contains(path)
    }

    /// Notes that a file that we put at a path is left to days that only found it there.
    pub(super) fn release(&mut self, archive: &Archive, path: &str) -> Result<(), Error> {
        if self.released.insert(path.to_owned()) {
            self.note(archive, &Note::Released { path: path.to_owned() })?;
        }
        Ok(())
    }

    /// Notes that a file is about to go from its path: what is there from then on is somebody else's.
    pub(super) fn retired(&mut self, archive: &Archive, path: &str) -> Result<(), Error> {
        if self.released.remove(path) {
            self.note(archive, &Note::Retired { path: path.to_owned() })?;
        }
        Ok(())
    }

    fn note(&mut self, archive: &Archive, note: &Note) -> Result<(), Error> {
        let is_torn = std::mem::take(&mut self.is_torn);
        append(&mut self.mark, is_torn, &line(note))
            .map_err(|e| Error::storage("write", archive.tree.path(STATE).join(MARK), e))
    }

    /// What of these paths the records and journals of other days name.
    #[expect(clippy::unused_self, reason = "the answer holds only as long as the paths are held")]
    pub(super) fn owners(
        &self,
        archive: &Archive,
        series: &SeriesId,
        date: NaiveDate,
        paths: &[String],
    ) -> Result<HashMap<String, Vec<Owner>>, Error> {
        let asked: HashMap<String, &String> = paths.iter().map(|path| (folded(path), path)).collect();
        let mut owners: HashMap<String, Vec<Owner>> = HashMap::new();
        for kind in KINDS {
            for (id, file) in days(&archive.tree, kind)? {
                let Some(stem) = file.strip_suffix(".jsonl") else { continue };
                if id == series.0 && stem == date.to_string() {
                    continue;
                }
                let (day, relative) =
                    (format!("{} {}", escape(&id), escape(stem)), format!("{STATE}/{kind}/{id}/{file}"));
                let mut named = |path: &str, sha256: Option<Digest>, is_found: bool| {
                    // A line without a hash claims no bytes.
                    if let Some(path) = asked.get(&folded(path)).filter(|_| sha256.is_some()) {
                        let owner = Owner { day: day.clone(), sha256, is_found };
                        owners.entry((*path).clone()).or_default().push(owner);
                    }
                };
                if kind == "days" {
                    lines(&archive.tree, &relative, |line| {
                        if let Some(path) = &line.path {
                            named(path, line.sha256, line.preexisting);
                        }
                    })?;
                } else {
                    for ClaimedPath { path, sha256, is_found } in journal::claims(&archive.tree, &relative)? {
                        named(&path, sha256, is_found);
                    }
                }
            }
        }
        Ok(owners)
    }
}

/// Every path that a line of a record or journal names, with the bytes that it says are there. What cannot be read names
/// nothing, and neither does a file that is gone: a journal whose day was sealed meanwhile. True when every line could be
/// read.
pub(super) fn names(tree: &Tree, relative: &str, mut told: impl FnMut(&str, Option<Digest>)) -> Result<bool, Error> {
    lines(tree, relative, |line| {
        let line = line.file.as_deref().or(line.kept.as_deref()).or(line.retire.as_deref()).unwrap_or(line);
        if let Some(path) = &line.path {
            told(path, line.sha256);
        }
    })
}

/// The lines of a record or journal. True when every one could be read.
fn lines(tree: &Tree, relative: &str, mut told: impl FnMut(&PathLine<'_>)) -> Result<bool, Error> {
    let failed = |e| Error::storage("read", tree.path(relative), e);
    let mut lines = match tree.open_file(relative) {
        Ok(Some(file)) => BufReader::with_capacity(64 * 1024, file),
        Ok(None) => return Ok(true),
        // Something that is no file has no lines.
        Err(Error::Storage { source, .. }) if source.kind() == std::io::ErrorKind::InvalidInput => return Ok(false),
        Err(e) => return Err(e),
    };
    let mut is_whole = true;
    let mut raw = Vec::new();
    loop {
        raw.clear();
        if lines.read_until(b'\n', &mut raw).map_err(failed)? == 0 {
            return Ok(is_whole);
        }
        match serde_json::from_slice(&raw) {
            Ok(line) => told(&line),
            Err(_) => is_whole = false,
        }
    }
}

/// The records, or journals, of all days: each as the name of its series' folder and its own.
pub(super) fn days(tree: &Tree, kind: &str) -> Result<Vec<(String, String)>, Error> {
    let mut days = Vec::new();
    for series in tree.entries(&format!("{STATE}/{kind}"))? {
        let Some(id) = series.text().filter(|_| series.is_dir()) else { continue };
        let entries = tree.entries(&format!("{STATE}/{kind}/{id}"))?;
        days.extend(entries.iter().filter_map(|day| Some((id.to_owned(), day.text()?.to_owned()))));
    }
    Ok(days)
}
