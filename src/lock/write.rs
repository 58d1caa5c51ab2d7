//! The lock moved on: from the old one, the manifest, the day records and an instant, in one atomic step.
//!
//! What it does not do: decide whether a run may move it; `cli` does.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, SubsecRound as _, TimeDelta, Utc};
use tempfile::NamedTempFile;

use super::format::{DayLine, DayRow, Detail, FORMAT, LockHeader, LockHeaderLine, LockedFile};
use super::regions::{RegionLine, RegionRow, rows_of};
use super::writer_lock::{STAGED, WriterLock};
use super::{Error, Lock, path_of};
use crate::archive::{self, Archive, DayHeader, LockWait, RecordState, line};
use crate::digest::{Digest, Hasher};
use crate::manifest::{LockDetail, LockMode, Manifest, SeriesId, folder_of};
use crate::untrusted::escape;

/// With `detail: auto`, a lock of more files than this holds days alone.
const MANY: u64 = 50_000;

/// So far ahead of this clock a lock's instant is a mistake of one of two clocks.
pub const AHEAD: TimeDelta = TimeDelta::days(1);

/// Which day records a lock is moved to.
pub enum Takes<'a> {
    /// Those of days that it does not hold as sealed under the same question: what a run adds.
    Missing,
    /// Those of all these days: what the user asked to be moved.
    Chosen(&'a dyn Fn(&SeriesId, NaiveDate) -> bool),
    /// None: the lock keeps what it says, but for these days, which leave it.
    Without(&'a dyn Fn(&SeriesId, NaiveDate) -> bool),
    /// Those of all days, as of now: what mends a lock that was written by a clock that was ahead.
    All,
}

impl Takes<'_> {
    /// True when the record of a day is to be taken; `lacks` says whether the lock lacks it as final.
    fn wants(&self, series: &SeriesId, date: NaiveDate, lacks: bool) -> bool {
        match self {
            Takes::Missing => lacks,
            Takes::Chosen(is_chosen) => is_chosen(series, date),
            Takes::Without(_) => false,
            Takes::All => true,
        }
    }
}

/// What became of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its bytes are others now.
    pub changed: bool,
    /// The SHA-256 of its bytes; none where there is no lock.
    pub sha256: Option<Digest>,
    /// The instant that its ranges are resolved at.
    pub as_of: DateTime<Utc>,
    /// Days in it.
    pub days: u64,
    /// Files in those days, the absent ones too.
    pub files: u64,
    /// Whether the files stand in it.
    pub detail: Detail,
    /// The manifest asks for the files, but those of some days are not known here.
    pub lacks_files: bool,
}

/// One day of the lock to be.
enum NextDay {
    /// As it stands in the old lock.
    Kept(DayRow),
    /// As its record says.
    Recorded(DayRow),
}

impl NextDay {
    fn row(&self) -> &DayRow {
        let (NextDay::Kept(row) | NextDay::Recorded(row)) = self;
        row
    }

    fn is_kept(&self) -> bool {
        matches!(self, NextDay::Kept(_))
    }
}

/// What a lock is to be.
struct NextLock {
    old: Option<Lock>,
    header: LockHeader,
    regions: Vec<RegionRow>,
    rows: Vec<NextDay>,
    lacks_files: bool,
}

impl NextLock {
    fn decide(manifest: &Manifest, path: &Path, now: DateTime<Utc>, takes: &Takes<'_>) -> Result<NextLock, Error> {
        let old = Lock::read(path, &manifest.name)?;
        let old = match old {
            Some(old) if !matches!(takes, Takes::All) && is_ahead(&old, manifest, now) => {
                // Which of the two clocks is wrong cannot be known from here, and days would leave the lock.
                let (header, rows) = (old.header().clone(), old.days().cloned().map(NextDay::Kept).collect());
                let regions = old.regions().to_vec();
                return Ok(NextLock { old: Some(old), header, regions, rows, lacks_files: false });
            }
            old => old,
        };
        let (as_of, mut rows) = decide(manifest, old.as_ref(), now, takes)?;
        let files = rows.iter().map(|row| row.row().files + row.row().absent).sum();
        let (detail, lacks_files) = detail(manifest, old.as_ref(), &mut rows, files)?;
        let about = detail.about().to_owned();
        let header = LockHeader { format: FORMAT.to_owned(), job: manifest.name.clone(), as_of, detail, about };
        Ok(NextLock { old, header, regions: rows_of(manifest), rows, lacks_files })
    }

    /// True when the lock is just so already, or none is begun.
    fn is_there(&self) -> bool {
        match &self.old {
            None => self.rows.is_empty(),
            Some(old) => {
                old.is_headed(&self.header)
                    && old.regions() == self.regions
                    && old.days().count() == self.rows.len()
                    && self.rows.iter().all(NextDay::is_kept)
            }
        }
    }

    /// What became of the lock, whose bytes are these now.
    fn moved(&self, sha256: Option<Digest>) -> Moved {
        let before = self.old.as_ref().map(Lock::sha256);
        Moved {
            changed: before != sha256,
            sha256,
            as_of: self.header.as_of,
            days: self.rows.len() as u64,
            files: self.rows.iter().map(|row| row.row().files + row.row().absent).sum(),
            detail: self.header.detail,
            lacks_files: self.lacks_files,
        }
    }

    /// Writes the lock to a file beside its name, and gives it the name when its bytes are other ones.
    fn write(&self, manifest: &Manifest, path: &Path, writer_lock: Option<&mut WriterLock>) -> Result<Moved, Error> {
        let failed = |e| Error::storage("write the lock", path, e);
        let staged = staged(path).map_err(failed)?;
        if let Some(writer_lock) = writer_lock {
            writer_lock.note(staged.path()).map_err(failed)?;
        }
        let mut out = LockFile::to(path, staged.as_file(), self.old.as_ref().is_some_and(Lock::has_crlf));
        out.put(&line(&LockHeaderLine { lock: self.header.clone() }));
        for region in &self.regions {
            out.put(&line(&RegionLine { region: region.clone() }));
        }
        for row in &self.rows {
            out.row(manifest, self.old.as_ref(), row, self.header.detail)?;
        }
        let moved = self.moved(Some(out.finish()?));
        if moved.changed {
            // Who made a lock private wants the next one to be so.
            if let Ok(before) = std::fs::metadata(path) {
                staged.as_file().set_permissions(before.permissions()).map_err(failed)?;
            }
            staged.persist(path).map_err(|e| failed(e.error))?;
            sync_folder(path).map_err(failed)?;
        }
        Ok(moved)
    }
}

/// Moves the lock of a job on. Days of series that the manifest does not have any more leave it; those outside of a series' range
/// stay, and so does a day without a record of its own. Nothing is written when nothing is different, and no lock is begun without a day. One that [`is_ahead`] stays
/// as it is, unless all is taken. Processes that write one
/// lock wait for each other: this blocks the thread meanwhile.
///
/// # Errors
/// Those of [`Lock::read`]; [`Error::Held`], [`Error::NoLocks`], [`Error::Storage`], and [`Error::Record`] for a record that
/// is to be taken and cannot be read.
pub fn write(
    manifest: &Manifest,
    now: DateTime<Utc>,
    takes: &Takes<'_>,
    lock_wait: &dyn LockWait,
) -> Result<Moved, Error> {
    let path = path_of(&manifest.path);
    let decide = || NextLock::decide(manifest, &path, now, takes);
    let next = decide()?;
    let is_locked = manifest.archive.lock == LockMode::Flock;
    if next.is_there() {
        if let (true, Ok(target)) = (is_locked, target(&path)) {
            WriterLock::clear(&target);
        }
        return Ok(next.moved(next.old.as_ref().map(Lock::sha256)));
    }
    let target = target(&path)?;
    if !is_locked {
        return next.write(manifest, &target, None);
    }
    let mut writer_lock = WriterLock::wait(&target, lock_wait)?;
    // Another process may have written it meanwhile.
    let next = decide()?;
    if next.is_there() {
        Ok(next.moved(next.old.as_ref().map(Lock::sha256)))
    } else {
        next.write(manifest, &target, Some(&mut writer_lock))
    }
}

/// Whether a lock could be written at `path`, before anything depends on it.
///
/// # Errors
/// [`Error::Storage`].
pub fn may_write(path: &Path) -> Result<(), Error> {
    let target = target(path)?;
    rustix::fs::access(folder_of(&target), rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| Error::storage("write the lock", &target, e.into()))
}

/// Where the lock lies. A link is the user's: what it leads to is written, whether it is there yet or not.
fn target(path: &Path) -> Result<PathBuf, Error> {
    let failed = |e| Error::storage("write the lock", path, e);
    let target = archive::link_target(path).map_err(failed)?;
    if target != path && !folder_of(&target).is_dir() {
        let why = format!("it is a link to `{}`, whose folder does not exist", escape(&target.to_string_lossy()));
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, why)));
    }
    Ok(target)
}

/// A file beside the lock that nobody else can have made, gone when it is dropped. It is private by default; a lock is as
/// readable as any file (the umask holds).
fn staged(path: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(STAGED).suffix(".lock").rand_bytes(16).permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// The instant that ranges are resolved at: the old lock's, unless the ranges have moved since and days are added. It goes
/// back only where all is taken anew: two clocks that differ a little must not move a lock to and fro.
fn as_of(manifest: &Manifest, old: Option<&Lock>, now: DateTime<Utc>, takes: &Takes<'_>) -> DateTime<Utc> {
    let now = now.trunc_subsecs(0);
    let Some(before) = old.map(Lock::as_of) else { return now };
    let before = match takes {
        Takes::Chosen(_) | Takes::Without(_) => return before,
        Takes::All => before.min(now),
        Takes::Missing => before,
    };
    if has_moved(manifest, before, now) { before.max(now) } else { before }
}

/// True when a range of the manifest is another one at another instant.
fn has_moved(manifest: &Manifest, before: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    manifest.series.iter().any(|series| {
        let scale = series.source.scale();
        series.range.resolve(before, scale) != series.range.resolve(now, scale)
    })
}

/// True when the instant of a lock is so far ahead of this clock that one of two clocks is wrong, and that makes a difference
/// to the manifest's ranges.
#[must_use]
pub fn is_ahead(lock: &Lock, manifest: &Manifest, now: DateTime<Utc>) -> bool {
    lock.as_of().signed_duration_since(now) > AHEAD && has_moved(manifest, lock.as_of(), now)
}

/// The instant that ranges are resolved at, and the days of the lock. When the clock has moved a range, and none of the
/// days that it added has come, the old instant stays: else the lock would lack days that nobody could fetch yet.
fn decide(
    manifest: &Manifest,
    old: Option<&Lock>,
    now: DateTime<Utc>,
    takes: &Takes<'_>,
) -> Result<(DateTime<Utc>, Vec<NextDay>), Error> {
    let as_of = as_of(manifest, old, now, takes);
    let rows = rows(manifest, old, as_of, takes)?;
    let before = old.map_or(as_of, Lock::as_of);
    let is_moved = before != as_of && !matches!(takes, Takes::All);
    if is_moved && rows.iter().all(NextDay::is_kept) && lacks_days(manifest, as_of, &rows) {
        return Ok((before, crate::lock::write::rows(manifest, old, before, takes)?));
    }
    Ok((as_of, rows))
}

/// True when the manifest asks at an instant for days that are not among these.
fn lacks_days(manifest: &Manifest, as_of: DateTime<Utc>, rows: &[NextDay]) -> bool {
    manifest.series.iter().any(|series| {
        let range = series.range.resolve(as_of, series.source.scale());
        let is_within =
            |row: &&NextDay| row.row().series == series.id.0 && !range.day(row.row().date).window.is_empty();
        (rows.iter().filter(is_within).count() as u64) < range.day_count()
    })
}

/// Which days the lock is to hold at an instant, and whence each comes, sorted by series and date.
fn rows(
    manifest: &Manifest,
    old: Option<&Lock>,
    as_of: DateTime<Utc>,
    takes: &Takes<'_>,
) -> Result<Vec<NextDay>, Error> {
    let records = archive::Reader::open(&manifest.archive.root)?;
    let mut rows = Vec::new();
    let mut series: Vec<_> = manifest.series.iter().collect();
    series.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for series in series {
        let range = series.range.resolve(as_of, series.source.scale());
        // Of every other day there is nothing to hold.
        let mut known = records.recorded(&series.id)?;
        known.extend(old.into_iter().flat_map(|old| old.dates(&series.id)));
        if let Takes::Without(is_left_out) = takes {
            known.retain(|date| !is_left_out(&series.id, *date));
        }
        for day in known.into_iter().map(|date| range.day(date)) {
            let before = old.and_then(|old| old.day(&series.id, day.date));
            if day.window.is_empty() {
                rows.extend(kept_row(manifest, &series.id, day.date, old, before, takes)?);
                continue;
            }
            let spec = series.spec(&day);
            let is_bound = before.is_some_and(|row| row.spec == spec && row.state == RecordState::Sealed);
            let is_wanted = takes.wants(&series.id, day.date, !is_bound);
            let recorded = if is_wanted { header(manifest, &series.id, day.date, takes)? } else { None };
            let recorded = recorded.filter(|header| header.spec == spec).map(|header| DayRow::from_header(&header));
            match (recorded, before) {
                (Some(row), Some(before))
                    if row == *before && (matches!(takes, Takes::Missing) || has_lines(old, &records, before)?) =>
                {
                    rows.push(NextDay::Kept(row));
                }
                (Some(row), _) => rows.push(NextDay::Recorded(row)),
                (None, Some(before)) => rows.push(NextDay::Kept(before.clone())),
                (None, None) => {}
            }
        }
    }
    Ok(rows)
}

/// The row of a day outside of its series' range, which stays until it is forgotten: that of its record, where this job made
/// it, or else as it was. What a run adds to a lock are days of the range alone: the archive may be ahead of one of before.
fn kept_row(
    manifest: &Manifest,
    series: &SeriesId,
    date: NaiveDate,
    old: Option<&Lock>,
    before: Option<&DayRow>,
    takes: &Takes<'_>,
) -> Result<Option<NextDay>, Error> {
    let is_final = before.is_some_and(|row| row.state == RecordState::Sealed);
    let is_wanted = takes.wants(series, date, old.is_none() || (before.is_some() && !is_final));
    let recorded = if is_wanted { header(manifest, series, date, takes)? } else { None };
    let is_own = |header: &DayHeader| header.job == manifest.name || before.is_some_and(|row| row.spec == header.spec);
    let recorded = recorded.filter(is_own).map(|header| DayRow::from_header(&header));
    Ok(match (recorded, before) {
        (Some(row), Some(before)) if row == *before && matches!(takes, Takes::Missing) => Some(NextDay::Kept(row)),
        (Some(row), _) => Some(NextDay::Recorded(row)),
        (None, before) => before.cloned().map(NextDay::Kept),
    })
}

/// True unless the record of a day says something else of the same files than the lock: a row does not tell their keys. A
/// record that cannot be read says nothing.
fn has_lines(old: Option<&Lock>, records: &archive::Reader, row: &DayRow) -> Result<bool, Error> {
    let id = SeriesId(row.series.clone());
    let locked = old.map_or(Ok(None), |old| old.files(&id, row.date))?;
    let recorded = records.record(&id, row.date).ok().flatten();
    Ok(locked
        .zip(recorded)
        .is_none_or(|(locked, record)| locked.into_iter().eq(record.files.into_iter().map(LockedFile::from_line))))
}

/// The header of a day's record. Where a run adds what it did, a record that cannot be read adds nothing.
fn header(
    manifest: &Manifest,
    series: &SeriesId,
    date: NaiveDate,
    takes: &Takes<'_>,
) -> Result<Option<DayHeader>, Error> {
    match (Archive::header(&manifest.archive.root, series, date), takes) {
        (Err(archive::Error::Record { .. } | archive::Error::Newer { .. }), Takes::Missing) => Ok(None),
        (result, _) => Ok(result?),
    }
}

/// How much the lock is to hold. Where it held days alone before and the files are wanted now, they come from the
/// records; where those are not at hand, it holds days alone as before.
fn detail(manifest: &Manifest, old: Option<&Lock>, rows: &mut [NextDay], files: u64) -> Result<(Detail, bool), Error> {
    let wanted = match manifest.lock.detail {
        LockDetail::Day => Detail::Day,
        LockDetail::Auto if files > MANY => Detail::Day,
        LockDetail::Auto | LockDetail::Files => Detail::Files,
    };
    if wanted == Detail::Day || old.is_none_or(|old| old.detail() == Detail::Files) {
        return Ok((wanted, false));
    }
    for one in rows {
        let NextDay::Kept(row) = one else { continue };
        if row.files + row.absent == 0 {
            continue;
        }
        let id = SeriesId(row.series.clone());
        let recorded = header(manifest, &id, row.date, &Takes::Missing)?.map(|header| DayRow::from_header(&header));
        match recorded.filter(|recorded| recorded.has_files_of(row) && recorded.spec == row.spec) {
            Some(recorded) => *one = NextDay::Recorded(recorded),
            None => return Ok((Detail::Day, true)),
        }
    }
    Ok((Detail::Files, false))
}

/// A lock on its way to its name.
struct LockFile<'a> {
    path: &'a Path,
    file: BufWriter<&'a File>,
    /// Each line ends as it does on Windows. Git makes the same bytes of both ends where it is set up so.
    has_crlf: bool,
    hasher: Hasher,
    failed: Option<std::io::Error>,
}

impl<'a> LockFile<'a> {
    /// The lock at `path`, written to this file.
    fn to(path: &'a Path, file: &'a File, has_crlf: bool) -> LockFile<'a> {
        let file = BufWriter::with_capacity(256 * 1024, file);
        LockFile { path, file, has_crlf, hasher: Hasher::default(), failed: None }
    }

    /// Writes lines, whichever way they end, so that all of the lock end alike.
    fn put(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            self.put_bytes(text.strip_suffix(b"\r").unwrap_or(text));
            self.put_bytes(if self.has_crlf { b"\r\n" } else { b"\n" });
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if self.failed.is_none() {
            self.failed = self.file.write_all(bytes).err();
        }
    }

    fn row(&mut self, manifest: &Manifest, old: Option<&Lock>, row: &NextDay, detail: Detail) -> Result<(), Error> {
        let (row, lines) = match row {
            NextDay::Kept(row) if detail == Detail::Files => {
                let lines = old.map_or(Ok(Vec::new()), |old| old.lines(&row.series, row.date))?;
                (DayRow { absent_digest: None, ..row.clone() }, lines)
            }
            NextDay::Recorded(row) if detail == Detail::Files => {
                let id = SeriesId(row.series.clone());
                // Sealed anew meanwhile, it is the newer record that counts.
                let Some(record) = Archive::record(&manifest.archive.root, &id, row.date)? else { return Ok(()) };
                let files = record.files.into_iter().map(LockedFile::from_line);
                (DayRow::from_header(&record.header), files.flat_map(|file| line(&file)).collect())
            }
            NextDay::Kept(row) if row.absent == 0 || row.absent_digest.is_some() => (row.clone(), Vec::new()),
            NextDay::Kept(row) => {
                let files = old.map_or(Ok(None), |old| old.files(&SeriesId(row.series.clone()), row.date))?;
                // One that held days alone before cannot tell.
                let absent = files.as_ref().map(|files| files.iter().filter(|file| file.absent.is_some()));
                let keys = absent.map(|files| files.map(|file| file.key.as_str()));
                (keys.map_or_else(|| row.clone(), |keys| row.clone().alone(keys)), Vec::new())
            }
            NextDay::Recorded(row) if row.absent == 0 => (row.clone(), Vec::new()),
            NextDay::Recorded(row) => {
                let id = SeriesId(row.series.clone());
                let Some(record) = Archive::record(&manifest.archive.root, &id, row.date)? else { return Ok(()) };
                (DayRow::from_header(&record.header).alone(record.absent()), Vec::new())
            }
        };
        self.put(&line(&DayLine { day: row }));
        self.put(&lines);
        Ok(())
    }

    fn finish(self) -> Result<Digest, Error> {
        let failed = |e| Error::storage("write the lock", self.path, e);
        if let Some(e) = self.failed {
            return Err(failed(e));
        }
        let file = self.file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.sync_all().map_err(failed)?;
        Ok(self.hasher.finish())
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
