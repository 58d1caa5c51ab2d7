//! The lock moved on: from the old one, the manifest, the day records and an instant, in one atomic step.
//!
//! What it does not do: decide whether a run may move it; `cli` does.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, NaiveDate, SubsecRound as _, Utc};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::form::{DayLine, DayRow, Detail, FORMAT, Header, HeaderLine, LockedFile};
use super::{Error, Lock, path_of};
use crate::archive::{self, Archive, DayHeader, State, line};
use crate::digest::{Digest, Hasher};
use crate::manifest::{LockDetail, LockMode, Manifest, SeriesId};

/// With `detail: auto`, a lock of more files than this holds days alone.
const MANY: u64 = 50_000;

/// Which day records a lock is moved to.
pub enum Takes<'a> {
    /// Those of days that it does not hold as sealed under the same question: what a run adds.
    Missing,
    /// Those of all these days: what the user asked to be moved.
    Chosen(&'a dyn Fn(&SeriesId, NaiveDate) -> bool),
    /// Those of all days, as of now: what mends a lock that was written by a clock that was ahead.
    All,
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
enum Row {
    /// As it stands in the old lock.
    Kept(DayRow),
    /// As its record says.
    Recorded(DayRow),
}

impl Row {
    fn row(&self) -> &DayRow {
        let (Row::Kept(row) | Row::Recorded(row)) = self;
        row
    }

    fn is_kept(&self) -> bool {
        matches!(self, Row::Kept(_))
    }
}

/// Moves the lock of a job on. Days that the manifest asks for no more leave it; a day without a record of its own stays
/// as it was. Nothing is written when nothing is different, and no lock is begun without a day. Processes that write one
/// lock take turns.
///
/// # Errors
/// Those of [`Lock::read`]; [`Error::NoLocks`], [`Error::Storage`], and [`Error::Record`] for a record that is to be
/// taken and cannot be read.
pub fn write(manifest: &Manifest, now: DateTime<Utc>, takes: &Takes<'_>) -> Result<Moved, Error> {
    let path = path_of(&manifest.path);
    let turn = turn(&manifest.path, manifest.archive.lock)?;
    let old = Lock::read(&path, &manifest.name)?;
    // A link is the user's: what it leads to is written, whether it is there yet or not.
    let path = archive::link_target(&path).map_err(|e| Error::storage("write the lock", &path, e))?;
    let staged = path.with_file_name(staged(&path, turn.is_some()));
    // What a kill left: nobody else has the turn.
    let _ = turn.as_ref().map(|_| std::fs::remove_file(&staged));
    let (as_of, mut rows) = decide(manifest, old.as_ref(), now, takes)?;
    let files = rows.iter().map(|row| row.row().files + row.row().absent).sum();
    let (detail, lacks_files) = detail(manifest, old.as_ref(), &mut rows, files)?;
    let header = Header {
        format: FORMAT.to_owned(),
        job: manifest.name.clone(),
        as_of,
        detail,
        about: detail.about().to_owned(),
    };
    let moved = |changed, sha256| Moved { changed, sha256, as_of, days: rows.len() as u64, files, detail, lacks_files };
    if let Some(old) = &old
        && old.is_headed(&header)
        && old.days().count() == rows.len()
        && rows.iter().all(Row::is_kept)
    {
        return Ok(moved(false, Some(old.sha256())));
    }
    if old.is_none() && rows.is_empty() {
        return Ok(moved(false, None));
    }
    let written = (|| {
        let mut out = Out::to(&staged)?;
        out.put(&line(&HeaderLine { lock: header }));
        for row in &rows {
            out.row(manifest, old.as_ref(), row, detail)?;
        }
        let sha256 = out.finish()?;
        if old.as_ref().is_some_and(|old| old.sha256() == sha256) {
            return Ok(moved(false, Some(sha256)));
        }
        let named = std::fs::rename(&staged, &path).and_then(|()| sync_folder(&path));
        named.map_err(|e| Error::storage("write the lock", &path, e))?;
        Ok(moved(true, Some(sha256)))
    })();
    if !matches!(&written, Ok(moved) if moved.changed) {
        // Ours alone, and of no use.
        let _ = std::fs::remove_file(&staged);
    }
    written
}

/// Whether a lock could be written at `path`, before anything depends on it.
///
/// # Errors
/// [`Error::Storage`].
pub fn may_write(path: &Path) -> Result<(), Error> {
    let folder = folder(path);
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| Error::storage("write the lock", path, e.into()))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits for the turn to write: a lock on the manifest, which no writer replaces.
fn turn(manifest: &Path, mode: LockMode) -> Result<Option<File>, Error> {
    if mode == LockMode::None {
        return Ok(None);
    }
    let failed = |e| Error::storage("open the manifest", manifest, e);
    let mut file = File::open(manifest).map_err(failed)?;
    let mut is_writable = false;
    loop {
        match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::INTR) => {}
            Err(Errno::BADF) if !is_writable => {
                // NFS locks only what is open for writing.
                file = File::options().read(true).write(true).open(manifest).map_err(failed)?;
                is_writable = true;
            }
            Err(e @ (Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS | Errno::INVAL | Errno::BADF)) => {
                return Err(Error::NoLocks { path: manifest.to_owned(), source: e.into() });
            }
            Err(e) => return Err(Error::storage("lock", manifest, e.into())),
        }
    }
}

/// The instant that ranges are resolved at: the old lock's, unless the ranges have moved since and days are added. It goes
/// back only where all is taken anew: two clocks that differ a little must not move a lock to and fro.
fn as_of(manifest: &Manifest, old: Option<&Lock>, now: DateTime<Utc>, takes: &Takes<'_>) -> DateTime<Utc> {
    let now = now.trunc_subsecs(0);
    let Some(before) = old.map(Lock::as_of) else { return now };
    let before = match takes {
        Takes::Chosen(_) => return before,
        Takes::All => before.min(now),
        Takes::Missing => before,
    };
    let is_still = |series: &crate::manifest::Series| {
        let scale = series.source.scale();
        series.range.resolve(before, scale) == series.range.resolve(now, scale)
    };
    if manifest.series.iter().all(is_still) { before } else { before.max(now) }
}

/// The instant that ranges are resolved at, and the days of the lock. When the clock has moved a range, and none of the
/// days that it added has come, the old instant stays: else the lock would lack days that nobody could fetch yet.
fn decide(
    manifest: &Manifest,
    old: Option<&Lock>,
    now: DateTime<Utc>,
    takes: &Takes<'_>,
) -> Result<(DateTime<Utc>, Vec<Row>), Error> {
    let as_of = as_of(manifest, old, now, takes);
    let rows = rows(manifest, old, as_of, takes)?;
    let before = old.map_or(as_of, Lock::as_of);
    let is_moved = before != as_of && !matches!(takes, Takes::All);
    if is_moved && rows.iter().all(Row::is_kept) && rows.len() < days(manifest, as_of) {
        return Ok((before, self::rows(manifest, old, before, takes)?));
    }
    Ok((as_of, rows))
}

/// How many days the manifest asks for at an instant.
fn days(manifest: &Manifest, as_of: DateTime<Utc>) -> usize {
    manifest.series.iter().map(|series| series.range.resolve(as_of, series.source.scale()).days().count()).sum()
}

/// Which days the lock is to hold at an instant, and whence each comes, sorted by series and date.
fn rows(manifest: &Manifest, old: Option<&Lock>, as_of: DateTime<Utc>, takes: &Takes<'_>) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut series: Vec<_> = manifest.series.iter().collect();
    series.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for series in series {
        for day in series.range.resolve(as_of, series.source.scale()).days() {
            let before = old.and_then(|old| old.day(&series.id, day.date));
            let spec = series.spec(&day);
            let is_bound = before.is_some_and(|row| row.spec == spec && row.state == State::Sealed);
            let is_wanted = match takes {
                Takes::Missing => !is_bound,
                Takes::Chosen(is_chosen) => is_chosen(&series.id, day.date),
                Takes::All => true,
            };
            let recorded = if is_wanted { header(manifest, &series.id, day.date, takes)? } else { None };
            let recorded = recorded.filter(|header| header.spec == spec).map(|header| DayRow::of(&header));
            match (recorded, before) {
                (Some(row), Some(before)) if row == *before => rows.push(Row::Kept(row)),
                (Some(row), _) => rows.push(Row::Recorded(row)),
                (None, Some(before)) => rows.push(Row::Kept(before.clone())),
                (None, None) => {}
            }
        }
    }
    Ok(rows)
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
fn detail(manifest: &Manifest, old: Option<&Lock>, rows: &mut [Row], files: u64) -> Result<(Detail, bool), Error> {
    let wanted = match manifest.lock.detail {
        LockDetail::Day => Detail::Day,
        LockDetail::Auto if files > MANY => Detail::Day,
        LockDetail::Auto | LockDetail::Files => Detail::Files,
    };
    if wanted == Detail::Day || old.is_none_or(|old| old.detail() == Detail::Files) {
        return Ok((wanted, false));
    }
    for one in rows {
        let Row::Kept(row) = one else { continue };
        if row.files + row.absent == 0 {
            continue;
        }
        let id = SeriesId(row.series.clone());
        let recorded = header(manifest, &id, row.date, &Takes::Missing)?.map(|header| DayRow::of(&header));
        match recorded.filter(|recorded| recorded.has_files_of(row) && recorded.spec == row.spec) {
            Some(recorded) => *one = Row::Recorded(recorded),
            None => return Ok((Detail::Day, true)),
        }
    }
    Ok((Detail::Files, false))
}

/// A lock on its way to its name.
struct Out<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    hasher: Hasher,
    failed: Option<std::io::Error>,
}

impl<'a> Out<'a> {
    fn to(path: &'a Path) -> Result<Out<'a>, Error> {
        let file = File::create(path).map_err(|e| Error::storage("write the lock", path, e))?;
        Ok(Out { path, file: BufWriter::with_capacity(256 * 1024, file), hasher: Hasher::default(), failed: None })
    }

    fn put(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if self.failed.is_none() {
            self.failed = self.file.write_all(bytes).err();
        }
    }

    fn row(&mut self, manifest: &Manifest, old: Option<&Lock>, row: &Row, detail: Detail) -> Result<(), Error> {
        let (row, lines) = match row {
            Row::Kept(row) if detail == Detail::Files => {
                let lines = old.map_or(Ok(Vec::new()), |old| old.lines(&row.series, row.date))?;
                (DayRow { absent_digest: None, ..row.clone() }, lines)
            }
            Row::Recorded(row) if detail == Detail::Files => {
                let id = SeriesId(row.series.clone());
                // Sealed anew meanwhile, it is the newer record that counts.
                let Some(record) = Archive::record(&manifest.archive.root, &id, row.date)? else { return Ok(()) };
                let files = record.files.into_iter().map(LockedFile::of);
                (DayRow::of(&record.header), files.flat_map(|file| line(&file)).collect())
            }
            Row::Kept(row) if row.absent == 0 || row.absent_digest.is_some() => (row.clone(), Vec::new()),
            Row::Kept(row) => {
                let files = old.map_or(Ok(None), |old| old.files(&SeriesId(row.series.clone()), row.date))?;
                // One that held days alone before cannot tell.
                let absent = files.as_ref().map(|files| files.iter().filter(|file| file.absent.is_some()));
                let keys = absent.map(|files| files.map(|file| file.key.as_str()));
                (keys.map_or_else(|| row.clone(), |keys| row.clone().alone(keys)), Vec::new())
            }
            Row::Recorded(row) if row.absent == 0 => (row.clone(), Vec::new()),
            Row::Recorded(row) => {
                let id = SeriesId(row.series.clone());
                let Some(record) = Archive::record(&manifest.archive.root, &id, row.date)? else { return Ok(()) };
                (DayRow::of(&record.header).alone(record.absent()), Vec::new())
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

/// What a lock is called until it is whole. Where nobody has the turn, each process has a name of its own.
fn staged(path: &Path, has_turn: bool) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if has_turn { format!(".{name}.new") } else { format!(".{name}.{}", std::process::id()) }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder(path))?.sync_all()
}
