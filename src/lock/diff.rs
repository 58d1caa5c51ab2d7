//! What moved between two locks, day by day and file by file.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use serde::Serialize;

use super::format::{DayRow, Detail, LockedFile};
use super::{Error, Lock};
use crate::archive::DayRecord;
use crate::digest::Digest;
use crate::manifest::SeriesId;

/// What is different about one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DayChange {
    /// The series' id.
    pub series: String,
    /// The day.
    pub date: NaiveDate,
    /// Files that were not there before.
    pub added: Vec<ChangedFile>,
    /// Files that are not there any more.
    pub removed: Vec<ChangedFile>,
    /// Files whose bytes are others now.
    pub changed: Vec<Replaced>,
    /// Files with the same bytes whose records have another number now: JSOC computed their keywords anew.
    pub keywords_changed: u64,
    /// Records of a series that gave way to those of a preferred one, by their series.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<String, u64>,
    /// The day's digests, where the files of either side are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<[String; 2]>,
}

/// A file that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedFile {
    /// The path below the root; empty where only a listing was asked, and the file's own answer names it.
    pub path: String,
    /// What identifies it at the source.
    pub key: String,
    /// The SHA-256 of its bytes, when known; none for an absent one.
    pub sha256: Option<Digest>,
}

/// A file whose bytes are others now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// The path below the root.
    pub path: String,
    /// What identifies it at the source.
    pub key: String,
    /// The SHA-256 before; none when it was absent.
    pub old: Option<Digest>,
    /// The SHA-256 now; none when it is absent, or when only its size, key, storage or keywords are known to differ.
    pub new: Option<Digest>,
}

impl LockedFile {
    /// True when its record has another number now.
    #[must_use]
    pub fn is_renumbered(&self, recnum: Option<i64>) -> bool {
        self.recnum.zip(recnum).is_some_and(|(before, now)| before != now)
    }
}

impl From<LockedFile> for ChangedFile {
    fn from(file: LockedFile) -> ChangedFile {
        ChangedFile { path: file.path, key: file.key, sha256: file.sha256 }
    }
}

impl DayChange {
    /// Nothing yet, of one day.
    #[must_use]
    pub fn of(series: &SeriesId, date: NaiveDate) -> DayChange {
        DayChange { series: series.0.clone(), date, ..DayChange::default() }
    }

    /// True when nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.keywords_changed == 0
            && self.digest.is_none()
    }

    /// What is different about a day in `new`.
    ///
    /// # Errors
    /// As [`Lock::files`].
    pub fn between(old: Option<&Lock>, new: &Lock, series: &SeriesId, date: NaiveDate) -> Result<DayChange, Error> {
        let mut change = DayChange::of(series, date);
        let (before, after) = (old.and_then(|old| old.day(series, date)), new.day(series, date));
        let days_alone = |lock: &Lock| lock.detail() == Detail::Day;
        if old.is_some_and(days_alone) || days_alone(new) {
            let is_same =
                before.zip(after).map_or(before.is_none() && after.is_none(), |(one, other)| one.has_files_of(other));
            if !is_same {
                change.digest = Some([before, after].map(|row| row.map(shown).unwrap_or_default()));
            }
            return Ok(change);
        }
        let files = |lock: &Lock| lock.files(series, date).map(Option::unwrap_or_default);
        let (old, new) = (old.map_or(Ok(Vec::new()), files)?, files(new)?);
        let now = new.iter().filter_map(|file| Some((file.time.as_str(), file.source_series.as_deref()?)));
        change.replaced = replaced(&old, &now.collect());
        let (removed, added) = change.take_changed(old, new);
        change.take_moved(removed, added);
        Ok(change)
    }

    /// What a day's record says otherwise than the lock.
    ///
    /// # Errors
    /// As [`Lock::files`].
    pub fn of_record(lock: &Lock, record: DayRecord, series: &SeriesId, date: NaiveDate) -> Result<DayChange, Error> {
        let mut change = DayChange::of(series, date);
        if let Some(locked) = lock.files(series, date)? {
            change.compare(locked, record.files.into_iter().map(LockedFile::from_line).collect());
        } else {
            let due = lock.day(series, date).map(shown).unwrap_or_default();
            change.digest = Some([due, shown(&DayRow::from_header(&record.header).alone(record.absent()))]);
        }
        Ok(change)
    }

    /// The same with files that came and went at one path as changed ones.
    #[must_use]
    pub fn with_replaced(mut self) -> DayChange {
        let mut gone: BTreeMap<String, ChangedFile> =
            self.removed.into_iter().map(|file| (file.path.clone(), file)).collect();
        let mut added = Vec::new();
        for file in self.added {
            match gone.remove(&file.path) {
                Some(before) => {
                    self.changed.push(Replaced {
                        path: file.path,
                        key: file.key,
                        old: before.sha256,
                        new: file.sha256,
                    });
                }
                None => added.push(file),
            }
        }
        DayChange { added, removed: gone.into_values().collect(), ..self }
    }

    /// Takes in both sides' files, each sorted by path.
    pub fn compare(&mut self, old: Vec<LockedFile>, new: Vec<LockedFile>) {
        let (removed, added) = self.take_changed(old, new);
        self.removed.extend(removed.into_iter().map(ChangedFile::from));
        self.added.extend(added.into_iter().map(ChangedFile::from));
    }

    /// Takes in the files at paths that both sides have. Gives those that one side alone has: the old, and the new.
    fn take_changed(&mut self, old: Vec<LockedFile>, new: Vec<LockedFile>) -> (Vec<LockedFile>, Vec<LockedFile>) {
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.path.as_bytes().cmp(new.path.as_bytes()),
            };
            match order {
                Ordering::Less => removed.extend(old.next()),
                Ordering::Greater => added.extend(new.next()),
                Ordering::Equal => {
                    let (Some(old), Some(new)) = (old.next(), new.next()) else { break };
                    if old.sha256 != new.sha256 {
                        self.changed.push(Replaced { path: new.path, key: new.key, old: old.sha256, new: new.sha256 });
                    } else if old.is_renumbered(new.recnum) {
                        self.keywords_changed += 1;
                    }
                }
            }
        }
        (removed, added)
    }

    /// Takes in files that left their paths and files that came to theirs. Where the path holds the number of a record that has
    /// another one now, it is one file.
    fn take_moved(&mut self, removed: Vec<LockedFile>, added: Vec<LockedFile>) {
        let mut by_bytes: HashMap<_, Vec<LockedFile>> = HashMap::new();
        for file in removed {
            by_bytes.entry((file.sha256, file.time.clone(), file.segment.clone())).or_default().push(file);
        }
        for file in added {
            let alike = by_bytes.get_mut(&(file.sha256, file.time.clone(), file.segment.clone()));
            let is_same = |before: &LockedFile| file.sha256.is_some() && before.is_renumbered(file.recnum);
            let former = alike.and_then(|alike| Some(alike.swap_remove(alike.iter().position(is_same)?)));
            match former {
                Some(_) => self.keywords_changed += 1,
                None => self.added.push(ChangedFile::from(file)),
            }
        }
        self.removed.extend(by_bytes.into_values().flatten().map(ChangedFile::from));
        self.removed.sort_unstable_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    }
}

/// How many records of fallbacks are locked at times that other series have now, by their series. The key of a fallback's file
/// begins with the name of its series.
#[must_use]
pub fn replaced(locked: &[LockedFile], now: &BTreeMap<&str, &str>) -> BTreeMap<String, u64> {
    let of_fallbacks = locked.iter().filter_map(|file| {
        let series = file.source_series.as_deref()?;
        let is_fallback = file.key.strip_prefix(series).is_some_and(|rest| rest.starts_with('/'));
        is_fallback.then_some((series, file.time.as_str(), file.recnum))
    });
    let records: BTreeSet<(&str, &str, Option<i64>)> = of_fallbacks.collect();
    let mut replaced = BTreeMap::new();
    for (series, ..) in records.into_iter().filter(|(series, time, _)| now.get(time).is_some_and(|now| now != series)) {
        *replaced.entry(series.to_owned()).or_default() += 1;
    }
    replaced
}

/// What stands for the files of a day: its digest, and what is absent.
fn shown(row: &DayRow) -> String {
    match (row.absent, &row.absent_digest) {
        (0, _) => row.digest.to_string(),
        (absent, None) => format!("{}, {absent} absent", row.digest),
        (absent, Some(which)) => format!("{}, {absent} absent ({which})", row.digest),
    }
}
