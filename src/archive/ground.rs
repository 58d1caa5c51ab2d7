//! Ground that days share: where layouts without series or date let two days name one path.
//!
//! A file that another day names is nobody's to displace. Only an archive that such a layout was used in is asked for
//! it: every record and journal is read then, which is slow, and seldom: when a file is about to be moved away.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use chrono::NaiveDate;
use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::Deserialize;

use super::layout::folded;
use super::tree::Tree;
use super::{Archive, Error, STATE};
use crate::digest::Digest;
use crate::manifest::{LockMode, SeriesId};
use crate::untrusted::escape;

/// Says that days share ground here, and is locked while one of them looks around.
const MARK: &str = "shared";

/// The ground held still: no other day moves a file, or takes one over, meanwhile.
#[derive(Debug)]
pub(super) struct Ground {
    /// Held for its lock.
    _mark: File,
}

/// What else names a path.
#[derive(Debug)]
pub(super) struct Owner {
    /// The series and the day; safe to show.
    pub(super) day: String,
    /// The bytes that it names.
    pub(super) sha256: Option<Digest>,
}

/// As much of a record's or journal's line as is looked at.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    path: Option<Cow<'a, str>>,
    sha256: Option<Digest>,
    #[serde(borrow)]
    file: Option<Box<Line<'a>>>,
    #[serde(borrow)]
    kept: Option<Box<Line<'a>>>,
    #[serde(borrow)]
    retire: Option<Box<Line<'a>>>,
}

impl Archive {
    /// Notes that a layout of this archive lets days share paths. To be called before such a layout is used.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn share_ground(&self) -> Result<(), Error> {
        let dir = self.tree.make(STATE)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&*dir, MARK, flags, Mode::from_raw_mode(0o666)) {
            Ok(_) => Ok(()),
            Err(e) => Err(Error::storage("make", self.tree.path(STATE).join(MARK), e.into())),
        }
    }

    /// Holds the ground that days share; `None` where they share none.
    pub(super) fn ground(&self) -> Result<Option<Ground>, Error> {
        let dir = self.tree.make(STATE)?;
        let path = || self.tree.path(STATE).join(MARK);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mark = match fs::openat(&*dir, MARK, flags, Mode::empty()) {
            Ok(mark) => File::from(mark),
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(Error::storage("open", path(), e.into())),
        };
        if self.lock == LockMode::Flock {
            lock(&mark).map_err(|e| Error::NoLocks { path: path(), source: e.into() })?;
        }
        Ok(Some(Ground { _mark: mark }))
    }
}

/// Waits for the lock; the one who has it does not hold it for long.
fn lock(mark: &File) -> Result<(), Errno> {
    loop {
        match fs::flock(mark, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

impl Ground {
    /// Which of these paths the records and journals of other days name.
    #[expect(clippy::unused_self, reason = "the answer holds only as long as the ground is held")]
    pub(super) fn owners(
        &self,
        archive: &Archive,
        (series, date): (&SeriesId, NaiveDate),
        paths: &[String],
    ) -> Result<HashMap<String, Owner>, Error> {
        let asked: HashMap<String, &String> = paths.iter().map(|path| (folded(path), path)).collect();
        let mut owners = HashMap::new();
        // In this order: a day that is sealed meanwhile has its record before its journal goes. The other way, a record
        // taken down for its journal, needs the ground.
        for kind in ["work/journal", "days"] {
            for (id, file) in days(&archive.tree, kind)? {
                let own = id == series.0 && file == format!("{date}.jsonl");
                if !own && let Some(stem) = file.strip_suffix(".jsonl") {
                    let day = format!("{} {}", escape(&id), escape(stem));
                    look_into(&archive.tree, &format!("{STATE}/{kind}/{id}/{file}"), &day, &asked, &mut owners)?;
                }
            }
        }
        Ok(owners)
    }
}

/// Looks for the paths in the lines of one record or journal.
fn look_into(
    tree: &Tree,
    relative: &str,
    day: &str,
    asked: &HashMap<String, &String>,
    owners: &mut HashMap<String, Owner>,
) -> Result<(), Error> {
    names(tree, relative, |named, sha256| {
        // A line without a hash claims no bytes.
        if sha256.is_some()
            && let Some(path) = asked.get(&folded(named))
        {
            owners.insert((*path).clone(), Owner { day: day.to_owned(), sha256 });
        }
    })?;
    Ok(())
}

/// Every path that a line of a record or journal names, with the bytes that it says are there. What cannot be read names
/// nothing, and neither does a file that is gone: a journal whose day was sealed meanwhile. True when every line could be
/// read.
pub(super) fn names(tree: &Tree, relative: &str, mut told: impl FnMut(&str, Option<Digest>)) -> Result<bool, Error> {
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
        let Ok(line) = serde_json::from_slice::<Line<'_>>(&raw) else {
            is_whole = false;
            continue;
        };
        let line = match line {
            Line { file: Some(inner), .. } | Line { kept: Some(inner), .. } | Line { retire: Some(inner), .. } => {
                *inner
            }
            own => own,
        };
        if let Some(named) = line.path {
            told(&named, line.sha256);
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
