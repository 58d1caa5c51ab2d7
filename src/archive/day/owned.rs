//! Whose the files at a day's paths are, and so which of them may be moved away: one that we put there, and that still
//! holds what we put there.

use std::collections::HashMap;

use super::DayWork;
use crate::archive::journal::JournalEntry;
use crate::archive::layout::folded;
use crate::archive::shared_paths::{Ground, Owner};
use crate::archive::staged_file::Stamp;
use crate::archive::{Error, FileLine, RelativePath, Staged};
use crate::digest::Digest;

/// Whose the files at a day's paths are.
#[derive(Debug, Default)]
pub(super) struct Owned {
    /// Paths that got their file from us, with the digest of what was put there: while it holds that, it may be displaced.
    /// None where a journal of an earlier version names the path alone.
    pub(super) ours: HashMap<String, Option<Digest>>,
    /// Paths at which a file was found that is not known to be ours, and its digest.
    pub(super) found: HashMap<String, Option<Digest>>,
    /// Which file was put, or found, at a path by this go.
    pub(super) placed: HashMap<String, Stamp>,
}

/// The digest of what was put at a path; none where a journal of an earlier version names the path alone.
#[derive(Debug, Clone, Copy)]
struct Put(Option<Digest>);

impl Put {
    /// True for a file that holds it, as far as is known.
    fn is(self, found: Digest) -> bool {
        self.0.is_none_or(|put| put == found)
    }
}

impl Owned {
    pub(super) fn is_ours(&mut self, path: &str, sha256: Option<Digest>) {
        self.found.remove(path);
        self.ours.insert(path.to_owned(), sha256);
    }
}

impl DayWork {
    /// Refuses to displace what is not this day's own, what was changed since we put it there, and what another day names
    /// with the bytes that are there.
    pub(super) fn must_be_ours(
        &self,
        path: &RelativePath,
        found: Option<Digest>,
        ground: Option<&Ground<'_>>,
        staged: &Staged,
    ) -> Result<(), Error> {
        let mut shared = None;
        if let Some(ground) = ground {
            let others = ground.owners(&self.archive, &self.series, self.date, &[path.to_string()])?;
            let others: Vec<Owner> = others.into_values().flatten().collect();
            if let Some(other) = others.iter().find(|other| other.sha256 == found) {
                return Err(Error::Claimed { path: path.to_string(), by: other.day.clone() });
            }
            // Another day has put a file there, which this one shares.
            let is_put = others.iter().any(|other| !other.is_found);
            shared = self.state().owned.found.get(path.as_str()).copied().filter(|_| is_put).map(Put);
        }
        let ours = shared.or_else(|| self.put_at(path.as_str(), ground));
        let refused = || match ours {
            Some(_) => Error::Changed { path: path.to_string() },
            None => Error::Occupied { path: path.to_string() },
        };
        // What is no plain file was never ours.
        let found = found.ok_or_else(refused)?;
        let is_as_put = ours.is_some_and(|put| put.is(found));
        let may_be_left = self.after_crash || ours.is_some();
        if is_as_put || (may_be_left && self.is_left_of(path, staged)?) { Ok(()) } else { Err(refused()) }
    }

    /// What was put at a path, if its file is ours: under this spelling or another one that the filesystem
    /// takes for it.
    fn put_at(&self, path: &str, ground: Option<&Ground<'_>>) -> Option<Put> {
        let owned = &self.state().owned;
        let left_to_us = || owned.found.get(path).filter(|_| ground.is_some_and(|ground| ground.is_released(path)));
        let spelt_otherwise = || {
            let due = folded(path);
            let mut others = owned.ours.iter().filter(|(ours, _)| folded(ours) == due);
            others.find(|(ours, _)| self.archive.tree.is_one_entry(ours, path)).map(|(_, put)| put)
        };
        owned.ours.get(path).or_else(left_to_us).or_else(spelt_otherwise).copied().map(Put)
    }

    /// True when a path holds what may be left of these very bytes: of a write that was lost, or of a file that was cut.
    fn is_left_of(&self, path: &RelativePath, staged: &Staged) -> Result<bool, Error> {
        let found = self.archive.open_plain(path.as_str())?;
        let is_left = found.map_or(Ok(false), |found| staged.may_have_left(&found));
        is_left.map_err(|e| Error::storage("read", self.archive.tree.path(path.as_str()), e))
    }

    /// True when nothing at a path would be lost to its user if it were moved away: a plain file there is as it was put.
    pub(super) fn is_as_put(&self, path: &str, put: Option<Digest>) -> Result<bool, Error> {
        let Some(stat) = self.archive.tree.stat(path)? else { return Ok(true) };
        let is_placed = self.state().owned.placed.get(path) == Some(&Stamp::of(&stat));
        let Some(put) = put.filter(|_| !is_placed && stat.st_size > 0) else { return Ok(true) };
        match self.digest_once(path) {
            Some(found) => Ok(found == put),
            None => Ok(self.archive.hash(path)?.is_none_or(|found| found == put)),
        }
    }

    /// Takes over files that were found at their paths with their bytes. Whose they are does not change.
    pub(super) fn keep(&self, lines: Vec<FileLine>) -> Result<(), Error> {
        let (ours, found): (Vec<&FileLine>, Vec<&FileLine>) = {
            let owned = &mut self.state().owned;
            lines.iter().partition(|line| {
                let (path, sha256) = (&line.path, line.sha256);
                // Other bytes than were put there are somebody else's.
                let is_as_put = |put: &Option<Digest>| put.is_none() || *put == sha256;
                let is_ours = self.salvaged.contains(path) || owned.ours.get(path).is_some_and(is_as_put);
                if is_ours {
                    owned.is_ours(path, sha256);
                } else {
                    owned.ours.remove(path);
                    owned.found.insert(path.clone(), sha256);
                }
                is_ours
            })
        };
        let mut entries = JournalEntry::published(ours.into_iter().cloned());
        entries.extend(found.into_iter().map(|line| JournalEntry::Kept(Box::new(line.clone()))));
        self.journal.append(&entries)?;
        self.state().have.extend(lines.into_iter().map(|line| (line.key.clone(), line)));
        Ok(())
    }
}
