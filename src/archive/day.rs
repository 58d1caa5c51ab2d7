//! One day being worked on: locked, journalled, published file by file, and sealed.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::durable::settle;
use super::journal::{Entry, Journal};
use super::record::{DayRecord, FileLine, Lasting, State};
use super::{Archive, Error, Part, RelativePath, Staged};
use crate::digest::{Digest, Hasher};
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

/// How a day is sealed.
#[derive(Debug, Clone)]
pub struct SealAs {
    /// The record, but for its files.
    pub lasting: Lasting,
    /// What is listed and not there: the lines with `absent`.
    pub absent: Vec<FileLine>,
}

/// A day that this process holds.
#[derive(Debug)]
pub struct DayWork {
    archive: std::sync::Arc<Archive>,
    series: SeriesId,
    date: NaiveDate,
    journal: Journal,
    spec: Digest,
    /// Opened before anything is written, so that its sync tells each failure since, whoever else was told of it.
    root: OwnedFd,
    /// The record that stood, if any: its spec is another one, or it is provisional, or files of it are missing.
    before: Option<DayRecord>,
    /// It was taken down.
    withdrawn: Mutex<bool>,
    /// Files that are there under this spec, by key.
    have: Mutex<BTreeMap<String, FileLine>>,
    /// Files that a record or journal of another spec, or a provisional record, names: by key.
    prior: BTreeMap<String, FileLine>,
    /// Paths that our own records name: they may be displaced.
    ours: HashSet<String>,
    empty_at: Option<DateTime<Utc>>,
}

impl Archive {
    /// Takes a day: locks it, reads the record again under the lock, and what an earlier go left. Without `trust`, a
    /// sealed record counts only as far as its files are there.
    ///
    /// # Errors
    /// [`Error::Record`] when the record belongs to another job that asked for something else;
    /// [`Error::NoLocks`] and [`Error::Storage`].
    pub fn take(
        self: &std::sync::Arc<Self>,
        series: &SeriesId,
        date: NaiveDate,
        spec: Digest,
        job: &str,
        trust: bool,
    ) -> Result<Opened, Error> {
        let Some(journal) = Journal::open(&self.tree, series, date, self.lock)? else {
            return Ok(Opened::Held);
        };
        let before = match Archive::record(&self.root, series, date) {
            Ok(before) => before,
            // A record that cannot be read proves nothing; the day is done again and the record replaced.
            Err(error @ Error::Record { .. }) => {
                tracing::warn!(%error, "the day is done again");
                None
            }
            Err(error) => return Err(error),
        };
        match &before {
            Some(record) if record.header.spec == spec && record.header.state == State::Sealed && trust => {
                journal.remove()?;
                return Ok(Opened::Done(Box::new(record.clone())));
            }
            Some(record) if record.header.spec != spec && record.header.job != job => {
                return Err(Error::record(
                    &Archive::record_path(&self.root, series, date),
                    1,
                    format!(
                        "the job `{}` asked for something else under this id; give the series another id with `as:`, \
                         or the job another root",
                        crate::untrusted::escape(&record.header.job)
                    ),
                ));
            }
            _ => {}
        }
        let root = self.tree.root_anew()?;
        // Made now, so that the day's one sync covers it.
        self.tree.make(&days(series))?;
        let told = journal.begin(spec)?;
        let mut ours: HashSet<String> = told.ours.into_iter().collect();
        let mut have = BTreeMap::new();
        let mut prior = BTreeMap::new();
        for file in before.iter().flat_map(|r| &r.files).filter(|f| f.sha256.is_some()) {
            ours.insert(file.path.clone());
            // Under the same key another source has another file.
            if before.as_ref().is_some_and(|r| r.header.spec.has_first_of(&spec)) {
                prior.insert(file.key.clone(), file.clone());
            }
        }
        for file in told.trusted {
            ours.insert(file.path.clone());
            // Line and file: have. Line without file: fetched again.
            if self.tree.length(&file.path) == file.bytes {
                have.insert(file.key.clone(), file);
            }
        }
        for file in told.suspect {
            ours.insert(file.path.clone());
            if self.hash(&file.path)? == file.sha256 {
                prior.insert(file.key.clone(), file);
            }
        }
        Ok(Opened::Work(Box::new(DayWork {
            archive: std::sync::Arc::clone(self),
            series: series.clone(),
            date,
            journal,
            spec,
            root,
            before,
            withdrawn: Mutex::new(false),
            have: Mutex::new(have),
            prior,
            ours,
            empty_at: told.empty_at,
        })))
    }

    /// The digest of a regular file below the root; `None` when there is none.
    fn hash(&self, path: &str) -> Result<Option<Digest>, Error> {
        let (dir, name) = self.tree.place(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match fs::openat(&*dir, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(e) => return Err(Error::storage("read", self.tree.path(path), e.into())),
        };
        let failed = |e| Error::storage("read", self.tree.path(path), e);
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(None);
        }
        digest_of(file).map(Some).map_err(failed)
    }

    /// Moves a file of ours out of the way, to `retired/`. Its absence is fine.
    fn retire(&self, series: &SeriesId, date: NaiveDate, path: &str) -> Result<bool, Error> {
        let (dir, name) = self.tree.place(path)?;
        let to = self.tree.make(&format!("{}/{date}", Archive::work("retired", series)))?;
        for attempt in 0u32.. {
            let target = if attempt == 0 { name.to_owned() } else { format!("{name}.{attempt}") };
            match fs::renameat_with(&*dir, name, &*to, &target, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(true),
                Err(Errno::NOENT) => return Ok(false),
                Err(Errno::EXIST) => {}
                Err(e) => return Err(Error::storage("retire", self.tree.path(path), e.into())),
            }
        }
        Ok(false)
    }
}

/// The directory of a series' day records.
fn days(series: &SeriesId) -> String {
    format!("{}/days/{series}", super::STATE)
}

fn digest_of(mut file: File) -> std::io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

impl DayWork {
    /// The line of a key that is there already, under this spec.
    #[must_use]
    pub fn have(&self, key: &str) -> Option<FileLine> {
        self.lock_have().get(key).cloned()
    }

    /// The line of a key that an earlier record or spec had.
    #[must_use]
    pub fn prior(&self, key: &str) -> Option<&FileLine> {
        self.prior.get(key)
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
        self.journal.append(&[Entry::Empty { at }])
    }

    /// Notes that the listing holds files, so that an empty one before it confirms nothing.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_listed(&self) -> Result<(), Error> {
        if self.empty_at.is_some() { self.journal.append(&[Entry::Listed {}]) } else { Ok(()) }
    }

    /// True when the record that stands names files.
    #[must_use]
    pub fn had_files(&self) -> bool {
        self.before.as_ref().is_some_and(|record| record.header.files > 0)
    }

    /// Takes over files that an earlier record or spec had and that are asked for again at the same path: those whose
    /// file is there with its length. Gives the keys taken.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn adopt(&self, lines: Vec<FileLine>) -> Result<HashSet<String>, Error> {
        let mut entries = Vec::new();
        let mut taken = HashSet::new();
        let mut have = self.lock_have();
        for line in lines {
            if self.archive.tree.length(&line.path) == line.bytes && line.sha256.is_some() {
                entries.push(Entry::File(Box::new(line.clone())));
                taken.insert(line.key.clone());
                have.insert(line.key.clone(), line);
            }
        }
        drop(have);
        self.journal.append(&entries)?;
        Ok(taken)
    }

    /// Where the part of a key is, whether it exists or not.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn part(&self, key: &str) -> Result<Part, Error> {
        Part::at(&self.archive.tree, &self.parts(), key)
    }

    fn parts(&self) -> String {
        format!("{}/{}", Archive::work("partial", &self.series), self.date)
    }

    /// Gives a whole, checked body its final name in one atomic step. The journal line goes first.
    ///
    /// # Errors
    /// [`Error::Occupied`] when the path holds other bytes that are not ours; [`Error::Storage`].
    pub fn publish(&self, mut staged: Staged, path: &RelativePath, line: FileLine) -> Result<Published, Error> {
        let tree = &self.archive.tree;
        let (dir, name) = tree.place(path.as_str())?;
        let mut replaced = false;
        // Looked at before the line is written, so that a line never names somebody else's file.
        if fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            if self.archive.hash(path.as_str())? == line.sha256 {
                self.record(line)?;
                staged.discard()?;
                return Ok(Published::Kept);
            }
            if !self.ours.contains(path.as_str()) {
                return Err(Error::Occupied { path: path.to_string() });
            }
            self.withdraw()?;
            replaced = self.archive.retire(&self.series, self.date, path.as_str())?;
        }
        let key = line.key.clone();
        self.journal.append(&[Entry::File(Box::new(line.clone()))])?;
        match staged.publish(&dir, name) {
            Ok(true) => {}
            Ok(false) => {
                self.journal.append(&[Entry::Void { key }])?;
                return Err(Error::Shared { path: path.to_string() });
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                // Somebody took the name just now.
                if self.archive.hash(path.as_str())? != line.sha256 {
                    self.journal.append(&[Entry::Void { key }])?;
                    return Err(Error::Occupied { path: path.to_string() });
                }
                self.lock_have().insert(key, line);
                staged.discard()?;
                return Ok(Published::Kept);
            }
            Err(e) => {
                self.journal.append(&[Entry::Void { key }]).ok();
                return Err(Error::storage("publish", tree.path(path.as_str()), e));
            }
        }
        self.lock_have().insert(key, line);
        Ok(if replaced { Published::Replaced } else { Published::New })
    }

    fn record(&self, line: FileLine) -> Result<(), Error> {
        self.journal.append(&[Entry::File(Box::new(line.clone()))])?;
        self.lock_have().insert(line.key.clone(), line);
        Ok(())
    }

    /// Puts a body that failed a check into quarantine.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn quarantine(&self, staged: Staged, key: &str, url: &str, failure: &Failure) -> Result<(), Error> {
        super::quarantine::put(&self.archive.tree, &self.series, self.date, staged, (key, url), failure)
    }

    /// Ends the day: `keys` are its files; their data and names reach stable storage, then the record gets its name,
    /// then the journal goes. What the day no longer asks for is retired; the number of those files comes with the record.
    ///
    /// # Errors
    /// [`Error::Storage`]; then nothing of this go is trusted by the next one.
    pub fn seal(self, seal: SealAs, keys: &HashSet<String>) -> Result<(DayRecord, u64), Error> {
        let have = std::mem::take(&mut *self.lock_have());
        let mut files: Vec<FileLine> = have.into_values().filter(|f| keys.contains(&f.key)).collect();
        if let Err(error) =
            settle(&self.archive.tree, &self.root, files.iter().map(|f| f.path.as_str()), &days(&self.series))
        {
            // On a disk that takes no more lines: no journal is as good, and only forgets whose the files are.
            self.journal.append(&[Entry::Unsynced {}]).or_else(|_| self.journal.remove())?;
            return Err(error);
        }
        let wanted: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
        let mut leaving: Vec<String> = self.ours.iter().filter(|p| !wanted.contains(p.as_str())).cloned().collect();
        leaving.sort_unstable();
        let days = days(&self.series);
        let name = format!("{}.jsonl", self.date);
        let mut retired = 0;
        if !leaving.is_empty() {
            // From here on an interrupted go is finished by the next one.
            let entries: Vec<Entry> = leaving.iter().map(|path| Entry::Retire { path: path.clone() }).collect();
            self.journal.append(&entries)?;
            self.withdraw()?;
            for path in &leaving {
                retired += u64::from(self.archive.retire(&self.series, self.date, path)?);
            }
        }
        files.extend(seal.absent);
        let record = DayRecord::new(seal.lasting, files);
        self.archive.tree.replace_with(&days, &name, true, |out| record.write(out))?;
        self.forget_parts();
        self.journal.remove()?;
        Ok((record, retired))
    }

    /// Takes the old record down, once: it no longer vouches for what is about to move. What it knew goes to the
    /// journal, under its own spec.
    fn withdraw(&self) -> Result<(), Error> {
        let mut withdrawn = self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = self.before.as_ref().filter(|_| !*withdrawn) else { return Ok(()) };
        let mut entries = vec![Entry::head(record.header.spec)];
        {
            let have = self.lock_have();
            for file in record.files.iter().filter(|f| f.sha256.is_some()) {
                match have.get(&file.key) {
                    None => entries.push(Entry::File(Box::new(file.clone()))),
                    // It is elsewhere now; what lies here is still ours.
                    Some(now) if now.path != file.path => entries.push(Entry::Retire { path: file.path.clone() }),
                    Some(_) => {}
                }
            }
        }
        entries.push(Entry::head(self.spec));
        self.journal.append(&entries)?;
        let (days, name) = (days(&self.series), format!("{}.jsonl", self.date));
        match fs::unlinkat(&*self.archive.tree.make(&days)?, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(Error::storage("replace", self.archive.tree.path(&days).join(&name), e.into())),
        }
        *withdrawn = true;
        Ok(())
    }

    /// Parts of a sealed day are of no use to anyone.
    fn forget_parts(&self) {
        let folder = self.archive.tree.path(&self.parts());
        let Ok(entries) = std::fs::read_dir(&folder) else { return };
        for entry in entries.flatten() {
            let _ = std::fs::remove_file(entry.path());
        }
        let _ = std::fs::remove_dir(&folder);
    }

    fn lock_have(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, FileLine>> {
        self.have.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
