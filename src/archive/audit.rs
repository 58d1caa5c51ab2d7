//! The files of an archive held against its day records: hashed on all cores, each record's lines one by one.
//!
//! It reads alone: it makes no folder, takes no lock and follows no link. Its memory follows the records being read, and
//! what is wrong. What it does not do: find files that no record names (`untracked` does), or mend anything (`repair` does).

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chrono::NaiveDate;
use rustix::fs::{self, Advice, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::day::digest_of;
use super::regular_file::kind_of;
use super::safe_dir::Tree;
use super::{Archive, DayHeader, DayRecord, Error, FileLine};
use crate::digest::Digest;
use crate::manifest::SeriesId;

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Each is hashed.
    Whole,
    /// Sizes are compared; only a file that changed after its day was recorded is hashed.
    Quick,
}

/// Something that is not as a day record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditFinding {
    /// The series of the day.
    pub series: SeriesId,
    /// Its date.
    pub date: NaiveDate,
    /// The path below the root.
    pub path: String,
    /// What is wrong.
    pub fault: AuditFault,
}

/// What is wrong with a file, or with a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditFault {
    /// The record names it, and it is not there.
    Missing(ExpectedFile),
    /// It holds other bytes, or is no plain file.
    Changed(ExpectedFile, FoundInPlace),
    /// It cannot be read; why.
    Unreadable(String),
    /// The day record itself cannot be read; why. Nothing is known of the day's files.
    Damaged(String),
}

/// What a record says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpectedFile {
    /// Its length.
    pub bytes: u64,
    /// Its bytes.
    pub sha256: Digest,
    /// It was there before sunhaul: it is the user's, and is never moved.
    pub preexisting: bool,
}

/// What lies in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundInPlace {
    /// A file of another length, which was not hashed.
    Length(u64),
    /// A file of other bytes.
    Bytes(Digest),
    /// No plain file; what it is, in a word or two.
    Other(&'static str),
}

/// How many lines may wait for a free core: enough that none waits, few enough that they take no memory.
const WAITING: usize = 256;

/// How much is read at a time: little enough to stay in the core's own cache until it is hashed.
const PIECE: usize = 256 * 1024;

/// From this length on the kernel is told that a file is read from end to end.
const LARGE: u64 = 1 << 20;

/// A day whose lines are looked at.
struct AuditedDay {
    series: SeriesId,
    date: NaiveDate,
    header: DayHeader,
    /// When its record was written.
    recorded: SystemTime,
}

/// A file to look at.
struct AuditedFile {
    day: Arc<AuditedDay>,
    path: String,
    expected: ExpectedFile,
}

/// What one pass over days found.
#[derive(Default)]
struct Pass {
    findings: Vec<AuditFinding>,
    /// The days that something was found of, by the header that was read.
    suspects: BTreeMap<(SeriesId, NaiveDate), DayHeader>,
}

impl Archive {
    /// Holds the files of these days against their records. `told` gets each record as it is read. Days without a record
    /// are passed over. What was found comes sorted by series, date and path.
    ///
    /// A day that a run changes meanwhile is looked at a second time.
    ///
    /// # Errors
    /// [`Error::Storage`] when the root or a record cannot be read.
    pub fn audit(
        root: &Path,
        days: impl Iterator<Item = (SeriesId, NaiveDate)>,
        depth: Depth,
        told: impl FnMut(&DayRecord),
    ) -> Result<Vec<AuditFinding>, Error> {
        let tree = Tree::open(root)?;
        let Pass { mut findings, suspects } = pass(root, &tree, days, depth, told)?;
        let mut moved = Vec::new();
        for ((series, date), header) in suspects {
            // One that cannot be read now was read before: somebody writes it.
            if Archive::header(root, &series, date).ok().flatten().as_ref() != Some(&header) {
                moved.push((series, date));
            }
        }
        if !moved.is_empty() {
            findings.retain(|finding| !moved.iter().any(|(s, d)| (s, d) == (&finding.series, &finding.date)));
            findings.extend(pass(root, &tree, moved.into_iter(), depth, |_| {})?.findings);
        }
        findings.sort_unstable();
        Ok(findings)
    }
}

fn pass(
    root: &Path,
    tree: &Tree,
    days: impl Iterator<Item = (SeriesId, NaiveDate)>,
    depth: Depth,
    mut told: impl FnMut(&DayRecord),
) -> Result<Pass, Error> {
    let found = Mutex::new(Pass::default());
    let tell = |finding, header: Option<&DayHeader>| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let AuditFinding { series, date, .. } = &finding;
        if let Some(header) = header {
            found.suspects.entry((series.clone(), *date)).or_insert_with(|| header.clone());
        }
        found.findings.push(finding);
    };
    let (send, receive) = sync_channel(WAITING);
    let receive = Mutex::new(receive);
    let read = std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        for started in 0..cores {
            let worker = std::thread::Builder::new().spawn_scoped(scope, || work(tree, depth, &receive, &tell));
            match worker {
                Ok(_) => {}
                Err(error) if started == 0 => return Err(Error::storage("start a thread that checks", root, error)),
                Err(_) => break,
            }
        }
        // Moved in, so that the others end when it is dropped.
        let send = send;
        for (series, date) in days {
            match Archive::record(root, &series, date) {
                Ok(Some(record)) => {
                    told(&record);
                    let recorded = modified(&Archive::record_path(root, &series, date))?;
                    let DayRecord { header, files } = record;
                    let day = Arc::new(AuditedDay { series, date, header, recorded });
                    for item in files.into_iter().filter_map(|line| item(&day, line)) {
                        // Nobody takes it only when every worker has died; that is told when they are waited for.
                        let _ = send.send(item);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let why = match error {
                        Error::Record { line, why, .. } => format!("line {line}: {why}"),
                        Error::Newer { .. } => error.to_string(),
                        other => return Err(other),
                    };
                    let path = Archive::record_path(Path::new(""), &series, date).to_string_lossy().into_owned();
                    tell(AuditFinding { series, date, path, fault: AuditFault::Damaged(why) }, None);
                }
            }
        }
        Ok(())
    });
    read.map(|()| found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A line of a record as something to look at; nothing for an absent file.
fn item(day: &Arc<AuditedDay>, line: FileLine) -> Option<AuditedFile> {
    let expected = ExpectedFile { bytes: line.bytes?, sha256: line.sha256?, preexisting: line.preexisting };
    Some(AuditedFile { day: Arc::clone(day), path: line.path, expected })
}

/// When a record was written. One that is gone by now vouches for nothing: everything is looked at.
fn modified(record: &Path) -> Result<SystemTime, Error> {
    match std::fs::metadata(record).and_then(|meta| meta.modified()) {
        Ok(at) => Ok(at),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(SystemTime::UNIX_EPOCH),
        Err(e) => Err(Error::storage("look at", record, e)),
    }
}

/// The work of one core: takes items until there are no more.
fn work(
    tree: &Tree,
    depth: Depth,
    items: &Mutex<Receiver<AuditedFile>>,
    tell: &impl Fn(AuditFinding, Option<&DayHeader>),
) {
    let mut eye = Eye { tree, depth, folder: None, buffer: vec![0; PIECE] };
    loop {
        let next = items.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(AuditedFile { day, path, expected }) = next else { return };
        let fault = match eye.look(&path, expected, day.recorded) {
            Ok(None) => continue,
            Ok(Some(fault)) => fault,
            Err(error) => AuditFault::Unreadable(error.to_string()),
        };
        let AuditedDay { series, date, header, .. } = &*day;
        tell(AuditFinding { series: series.clone(), date: *date, path, fault }, Some(header));
    }
}

/// What looks at files, one after another.
struct Eye<'a> {
    tree: &'a Tree,
    depth: Depth,
    /// The folder that the last file lay in: the next one mostly lies there too.
    folder: Option<(String, Option<OwnedFd>)>,
    buffer: Vec<u8>,
}

impl Eye<'_> {
    /// What is wrong with a file, if anything.
    fn look(&mut self, path: &str, expected: ExpectedFile, recorded: SystemTime) -> Result<Option<AuditFault>, Error> {
        let failed = |e: std::io::Error| Error::storage("read", self.tree.path(path), e);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if self.folder.as_ref().is_none_or(|(known, _)| known != folder) {
            self.folder = Some((folder.to_owned(), self.tree.find(folder)?));
        }
        let Some((_, Some(dir))) = &self.folder else { return Ok(Some(AuditFault::Missing(expected))) };
        let stat = match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Some(AuditFault::Missing(expected))),
            Err(e) => return Err(failed(e.into())),
        };
        let changed = |found| Ok(Some(AuditFault::Changed(expected, found)));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            other => return changed(FoundInPlace::Other(kind_of(other))),
        }
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        if length != expected.bytes {
            return changed(FoundInPlace::Length(length));
        }
        // Between the two calls anything may have taken its place: nothing is followed, and nothing waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if self.depth == Depth::Quick && !is_later(&stat, recorded) {
            return Ok(None);
        }
        let file = match fs::openat(dir, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Some(AuditFault::Missing(expected))),
            Err(Errno::LOOP) => return changed(FoundInPlace::Other(kind_of(FileType::Symlink))),
            Err(e) => return Err(failed(e.into())),
        };
        if length >= LARGE {
            // Advice that is not taken costs nothing.
            let _ = fs::fadvise(&file, 0, None, Advice::Sequential);
        }
        let sha256 = digest_of(file, &mut self.buffer).map_err(failed)?;
        if sha256 == expected.sha256 { Ok(None) } else { changed(FoundInPlace::Bytes(sha256)) }
    }
}

/// True when a file changed after this instant.
fn is_later(stat: &fs::Stat, instant: SystemTime) -> bool {
    let instant = instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanos) = (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec));
    seconds * 1_000_000_000 + nanos > i128::try_from(instant.as_nanos()).unwrap_or(i128::MAX)
}
