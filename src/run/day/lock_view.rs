//! What the lock says of the files of one day, as the work at that day needs it.
//!
//! What it does not do: read the lock, or move it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDateTime;
use url::Url;

use crate::archive::{FileLine, RecordState, RelativePath};
use crate::day::Scale;
use crate::digest::{Digest, PrefixedDigest};
use crate::failure::{Class, Failure};
use crate::fetch::LockedBody;
use crate::lock::{DayRow, LockWithRecords, LockedFile};
use crate::manifest::{Identity, SourceSpec};
use crate::run::Todo;
use crate::run::file_address::address;
use crate::source::jsoc::{KnownFileKey, former_keys};
use crate::source::{Listed, MADE, RemoteFile};
use crate::untrusted::escape;

/// How firmly a run is held to a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockBinding {
    /// Its sealed days bind; what it does not have yet is added afterwards.
    Honoured,
    /// Each of its days binds, and nothing is added.
    Exact,
    /// Nobody is asked for a listing either: the files are those of the lock.
    Frozen,
}

/// A lock that a run is held to.
#[derive(Debug, Clone)]
pub struct LockPolicy {
    /// The lock, and the archive that it is held against.
    pub held: Arc<LockWithRecords>,
    /// How firmly.
    pub grip: LockBinding,
}

/// The files that a day must have.
#[derive(Debug, Default, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what the lock, the question and the command each say, free of the others"
)]
pub(in crate::run) struct LockView {
    /// By key.
    files: HashMap<String, LockedFile>,
    /// They are all that the day may have, at these very paths.
    is_whole: bool,
    /// What they must come to; none where other bytes may count as the same file.
    row: Option<DayRow>,
    /// What counts as the same file.
    identity: Identity,
    /// They stand in for the listing.
    is_frozen: bool,
    /// How final the day was.
    is_final: bool,
    /// What it has as absent may come.
    lets_absent_come: bool,
}

/// Files that end without being asked for.
#[derive(Debug, Default)]
pub(in crate::run) struct Settled {
    /// The lock says that upstream does not have them.
    pub(in crate::run) absent: Vec<FileLine>,
    /// They are not what the lock says: by key, with the path.
    pub(in crate::run) failed: Vec<(String, Option<String>, Failure)>,
}

impl LockView {
    /// What a lock says of a day; nothing binds where it says nothing.
    pub(in crate::run) fn of(locked: Option<&LockPolicy>, todo: &Todo) -> Result<LockView, Failure> {
        let unbound = LockView::default();
        let Some(LockPolicy { held, grip }) = locked else { return Ok(unbound) };
        let Some(row) = held.lock().day(&todo.series, todo.day.date) else { return Ok(unbound) };
        let is_final = row.state == RecordState::Sealed;
        let is_whole = row.spec == todo.spec;
        // Of another question to the same source, the files that are still asked for are the same files.
        let binds = (is_final || *grip != LockBinding::Honoured) && row.spec.has_first_of(&todo.spec);
        if !binds {
            return Ok(unbound);
        }
        let files = held.files(&todo.series, todo.day.date).map_err(|e| Failure::new(Class::Storage, e.to_string()))?;
        let is_frozen = *grip == LockBinding::Frozen || (todo.how.spec.is_some() && is_whole && files.is_some());
        let (identity, is_known) = (held.identity(), files.is_some());
        let has_digest = is_whole && !todo.how.retry_absent && (!is_known || identity == Identity::Bytes);
        let row = has_digest.then(|| row.clone());
        if *grip == LockBinding::Frozen && (files.is_none() || !is_whole) {
            let why = "the lock does not say which files this day has; run without `--frozen`, or with `--records DIR`";
            return Err(Failure::unasked(Class::LockMismatch, why));
        }
        let listed = files.unwrap_or_default();
        // What was made of the answers to another question is another file.
        let listed: Vec<LockedFile> =
            listed.into_iter().filter(|file| is_whole || !file.key.starts_with(MADE)).collect();
        let count = listed.len();
        let files: HashMap<_, _> = listed.into_iter().map(|file| (file.key.clone(), file)).collect();
        if files.len() != count {
            let why = "the lock has two files of this day under one key; take the lock back from git";
            return Err(Failure::unasked(Class::LockMismatch, why));
        }
        let (is_whole, lets_absent_come) = (is_whole && is_known, todo.how.retry_absent);
        Ok(LockView { files, is_whole, row, identity, is_frozen, is_final, lets_absent_come })
    }

    /// The listing that the lock stands for, where nobody is asked; and whether the day is final. None where the lock has
    /// no address of a file that could be asked for: then the source is, and the lock holds all the same.
    pub(in crate::run) fn listing(&self, base: &Url, source: &SourceSpec) -> Result<Option<(Listed, bool)>, Failure> {
        let has_made = || self.files.keys().any(|key| key.starts_with(MADE));
        if !self.is_frozen || !source.has_lasting_addresses() || has_made() {
            return Ok(None);
        }
        let scale = source.scale();
        let mut files = Vec::with_capacity(self.files.len());
        for file in self.files.values() {
            let wrong = |what: &str| {
                let path = escape(&file.path);
                let abroad = Url::parse(&file.url).ok().filter(|_| what == "url");
                let message = match abroad.as_ref().and_then(Url::host_str) {
                    None => format!("the lock's {what} of `{path}` is none; take the lock back from git"),
                    Some(host) => {
                        let host = escape(host);
                        format!("the lock has `{path}` on `{host}`, which the source's `hosts` do not name")
                    }
                };
                Failure::unasked(Class::LockMismatch, message)
            };
            let url = address(base, source, &file.url).ok_or_else(|| wrong("url"))?;
            let time = scale.read(&file.time).ok_or_else(|| wrong("time"))?;
            files.push(RemoteFile {
                source_series: file.source_series.as_deref().map(Arc::from),
                recnum: file.recnum,
                harpnum: file.harpnum,
                segment: file.segment.clone(),
                ..RemoteFile::new(file.key.clone(), url, file.url.clone(), time)
            });
        }
        files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(Some((Listed { files, ..Listed::default() }, self.is_final)))
    }

    /// The same with files under the keys that they are listed by now, where their records have other numbers than before.
    pub(in crate::run) fn by_listed_keys(self: Arc<Self>, listed: &[RemoteFile], scale: Scale) -> Arc<LockView> {
        let former = former_keys(listed, self.files.values().map(known), scale);
        if former.is_empty() {
            return self;
        }
        let mut own = Arc::unwrap_or_clone(self);
        let renamed: Vec<(String, LockedFile)> = former
            .into_iter()
            .filter_map(|(key, old)| Some((key.clone(), LockedFile { key, ..own.files.remove(&old)? })))
            .collect();
        own.files.extend(renamed);
        Arc::new(own)
    }

    /// Holds a listing against the lock: what the lock settles leaves the listing.
    pub(in crate::run) fn settle(&self, listed: &mut Listed, series: &str) -> Settled {
        let mut settled = Settled::default();
        if !self.is_whole {
            return settled;
        }
        let keys: HashSet<&str> = listed.files.iter().map(|file| file.key.as_str()).collect();
        let is_due = |file: &&LockedFile| !(self.lets_absent_come && file.absent.is_some());
        for file in self.files.values().filter(|file| !keys.contains(file.key.as_str())).filter(is_due) {
            let why =
                "the lock has this file, but the source does not list it any more; `sunhaul update` moves the lock";
            settled.failed.push((file.key.clone(), Some(file.path.clone()), mismatch(why)));
        }
        listed.files.retain(|file| match self.files.get(&file.key) {
            None if self.lets_absent_come && self.files.is_empty() => true,
            Some(locked) if self.lets_absent_come && locked.absent.is_some() => true,
            None => {
                let why = "the source lists this file, but the lock does not have it; `sunhaul update` moves the lock";
                settled.failed.push((file.key.clone(), None, mismatch(why)));
                false
            }
            Some(locked) if locked.absent.is_some() => {
                settled.absent.push(locked.clone().into_line(series));
                false
            }
            Some(_) => true,
        });
        settled
    }

    /// The series that the lock has each slot of, where the job prefers one of several.
    pub(in crate::run) fn series_by_slot(&self, scale: Scale) -> BTreeMap<NaiveDateTime, String> {
        let slots = self.files.values().filter(|_| self.is_whole);
        slots.filter_map(|file| Some((scale.read(&file.time)?, file.source_series.clone()?))).collect()
    }

    /// True when the lock says which files the day has.
    pub(in crate::run) fn binds(&self) -> bool {
        self.is_whole || self.row.is_some()
    }

    /// The files that the day has by its lock, and that upstream does not have.
    pub(in crate::run) fn absent(&self, series: &str) -> impl Iterator<Item = FileLine> {
        let absent =
            self.files.values().filter(|file| self.is_whole && !self.lets_absent_come && file.absent.is_some());
        absent.map(move |file| file.clone().into_line(series))
    }

    /// The files of a final day that the lock names whole, but for the absent ones; none where other files may come.
    pub(in crate::run) fn whole_files(&self) -> impl Iterator<Item = &LockedFile> {
        let is_whole = self.is_whole && self.is_final && !self.lets_absent_come;
        self.files.values().filter(move |file| is_whole && file.absent.is_none())
    }

    /// The path that the lock gives a key.
    pub(in crate::run) fn path(&self, key: &str) -> Option<RelativePath> {
        // Of an absent one that may come, the path was a guess where only its answer names it.
        let is_due = |file: &&LockedFile| self.is_whole && !(self.lets_absent_come && file.absent.is_some());
        let file = self.files.get(key).filter(is_due)?;
        RelativePath::from_record(&file.path)
    }

    /// What a file is told that cannot be had for good, though the lock has it; none where it may be absent.
    pub(in crate::run) fn misses(&self, key: &str, why: &Failure) -> Option<Failure> {
        let locked = self.files.get(key)?;
        let due = locked.sha256?;
        let message = format!(
            "the lock has `{}` with SHA-256 {due}, but it cannot be downloaded: {}; `sunhaul update` updates the lock if that is right",
            escape(&locked.path),
            why.message,
        );
        Some(Failure { status: why.status, attempts: why.attempts, ..mismatch(&message) })
    }

    /// The bytes, or the data, that the lock has for a file.
    pub(in crate::run) fn body(&self, file: &RemoteFile) -> Option<LockedBody> {
        let locked = self.files.get(&file.key)?;
        let counts_data = self.identity == Identity::FitsData && locked.recnum == file.recnum;
        let digests = locked.digests().filter(|_| counts_data);
        Some(LockedBody { sha256: locked.sha256?, bytes: locked.bytes, digests })
    }

    /// True when the lock has these very bytes under a key.
    pub(in crate::run) fn has(&self, key: &str, sha256: Digest) -> bool {
        self.files.get(key).is_some_and(|file| file.sha256 == Some(sha256))
    }

    /// True unless the lock has other bytes, or data, under the key of a file that is here already.
    pub(in crate::run) fn allows(&self, line: &FileLine) -> bool {
        self.files.get(&line.key).is_none_or(|file| file.sha256.is_none() || file.is(line, self.identity))
    }

    /// True when the lock has other bytes under the line's key, which count as the same file.
    pub(in crate::run) fn is_restamped(&self, line: &FileLine) -> bool {
        let locked = self.files.get(&line.key).and_then(|file| file.sha256);
        locked.is_some_and(|locked| Some(locked) != line.sha256)
    }

    /// What is wrong with a day that comes to another digest than the lock's, or lacks other files.
    pub(in crate::run) fn objects_to(
        &self,
        digest: impl FnOnce() -> PrefixedDigest,
        absent: &[FileLine],
    ) -> Option<Failure> {
        let (row, digest) = (self.row.as_ref()?, digest());
        let due = &row.digest;
        let to_do = "`sunhaul update` moves the lock if upstream is right";
        if *due != digest {
            let why = format!("the files of the day have the digest {digest}, but the lock says {due}; {to_do}");
            return Some(mismatch(&why));
        }
        let keys: Vec<&str> = absent.iter().map(|line| line.key.as_str()).collect();
        if row.has_absent(&keys) {
            return None;
        }
        let (now, due) = (keys.len(), row.absent);
        let what = if now as u64 == due { ", and now others are" } else { "" };
        let which = keys.iter().min().map(|key| format!(", such as `{}`", escape(key))).unwrap_or_default();
        let are = if now == 1 { "1 file of the day is".to_owned() } else { format!("{now} files of the day are") };
        let why = format!("{are} absent upstream{which}, where the lock has {due} as absent{what}; {to_do}");
        Some(mismatch(&why))
    }
}

/// What tells whether a file is listed under another key.
fn known(file: &LockedFile) -> KnownFileKey<'_> {
    KnownFileKey { key: &file.key, url: &file.url, storage: file.storage.as_deref(), time: &file.time }
}

fn mismatch(why: &str) -> Failure {
    Failure::new(Class::LockMismatch, why)
}
