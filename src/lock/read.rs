//! A lock read and proved: its order, its counts, its digests. Days are held; files are read again when asked for.
//!
//! What it does not do: keep a million files in memory.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Deserialize;

use super::Error;
use super::error::{BEGIN, LinePart, MERGE};
use super::format::{DayLine, DayRow, Detail, FORMAT, LockHeader, LockHeaderLine, LockedFile};
use super::regions::{RegionLine, RegionRow};
use crate::archive::{AbsentReason, RelativePath, open_regular};
use crate::digest::{Digest, Hasher, PrefixedDigest};
use crate::manifest::SeriesId;
use crate::untrusted::escape;

/// What an editor may have put before a text: a byte order mark, in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// No line is longer: a file that is no lock must not fill the memory.
const LONGEST_LINE: u64 = 16 << 20;

/// Nor is a header.
const LONGEST_HEADER: u64 = 4096;

/// A lock as it stood when it was read: a later one in its place changes nothing here.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    header: LockHeader,
    sha256: Digest,
    regions: Vec<RegionRow>,
    days: Vec<LockDay>,
    has_crlf: bool,
}

/// One day and where its file lines are.
#[derive(Debug)]
struct LockDay {
    row: DayRow,
    at: u64,
    length: u64,
    line: usize,
}

/// A file line as far as the proof needs it; its other fields must be of their types.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(default)]
    bytes: Option<u64>,
    #[serde(default)]
    sha256: Option<Digest>,
    #[serde(default, rename = "cards")]
    _cards: Option<Digest>,
    #[serde(borrow, rename = "time")]
    _time: Cow<'a, str>,
    #[serde(borrow, rename = "key")]
    _key: Cow<'a, str>,
    #[serde(borrow, rename = "url")]
    _url: Cow<'a, str>,
    #[serde(borrow, default, rename = "storage")]
    _storage: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "source_series")]
    _source_series: Option<Cow<'a, str>>,
    #[serde(default, rename = "recnum")]
    _recnum: Option<i64>,
    #[serde(default, rename = "harpnum")]
    _harpnum: Option<i64>,
    #[serde(borrow, default, rename = "segment")]
    _segment: Option<Cow<'a, str>>,
    #[serde(default)]
    absent: Option<AbsentReason>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
    #[serde(default)]
    header: Option<Digest>,
    #[serde(default)]
    data: Option<Vec<Digest>>,
}

/// The job that a lock says it is of; `None` for a file that does not begin as a lock does.
#[must_use]
pub fn job_of(path: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(open_regular(path).ok()?).take(LONGEST_HEADER).read_until(b'\n', &mut line).ok()?;
    let line = line.strip_prefix(BOM).unwrap_or(&line);
    Some(serde_json::from_slice::<LockHeaderLine>(line).ok()?.lock.job)
}

impl Lock {
    /// Reads and proves the lock of a job. `None` when there is no file at `path`. Its lines may end as they do on Windows
    /// (git's `core.autocrlf`), and a byte order mark may stand before them.
    ///
    /// # Errors
    /// [`Error::Line`] for what is cut, out of order, of another job or of a newer version, holds a merge conflict, a
    /// path that leaves the root, or a digest that does not match; [`Error::Storage`].
    pub fn read(path: &Path, job: &str) -> Result<Option<Lock>, Error> {
        let failed = |e| Error::storage("read the lock", path, e);
        let file = match open_regular(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let mut lines = BufReader::with_capacity(256 * 1024, &file);
        let (mut raw, mut whole) = (Vec::new(), Hasher::default());
        let mut reading: Option<LockReader<'_>> = None;
        let mut has_crlf = true;
        let mut number = 0;
        loop {
            raw.clear();
            let length = (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut raw).map_err(failed)?;
            if length == 0 {
                break;
            }
            number += 1;
            whole.update(&raw);
            has_crlf &= raw.ends_with(b"\r\n");
            let text = raw.strip_prefix(BOM).filter(|_| number == 1).unwrap_or(&raw);
            let text = one_line(path, text, number)?;
            let taken = match &mut reading {
                None => LockReader::read_header(path, text, length as u64, job).map(|begun| reading = Some(begun)),
                Some(reading) => reading.take(text, number, length as u64),
            };
            taken.map_err(|wrong| wrong.in_line(text))?;
        }
        let Some(mut reading) = reading else { return Err(Error::line(path, 1, "the lock is empty").with_hint(BEGIN)) };
        reading.close()?;
        let LockReader { header, regions, days, .. } = reading;
        Ok(Some(Lock { path: path.to_owned(), file, header, sha256: whole.finish(), regions, days, has_crlf }))
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The instant that relative ranges were resolved at.
    #[must_use]
    pub fn as_of(&self) -> DateTime<Utc> {
        self.header.as_of
    }

    /// Whether the files of its days follow them.
    #[must_use]
    pub fn detail(&self) -> Detail {
        self.header.detail
    }

    pub(super) fn header(&self) -> &LockHeader {
        &self.header
    }

    /// True when it begins with this header.
    pub(super) fn is_headed(&self, header: &LockHeader) -> bool {
        self.header == *header
    }

    /// True when each of its lines ends with a carriage return and a line feed.
    pub(super) fn has_crlf(&self) -> bool {
        self.has_crlf
    }

    /// The SHA-256 of its bytes.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// What it says of active regions, sorted by series and number. A lock that an earlier version wrote says nothing.
    #[must_use]
    pub fn regions(&self) -> &[RegionRow] {
        &self.regions
    }

    /// True for a lock without a day.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Its days, sorted by series and date.
    pub fn days(&self) -> impl Iterator<Item = &DayRow> {
        self.days.iter().map(|day| &day.row)
    }

    /// Its days of one series, in order.
    pub fn dates(&self, series: &SeriesId) -> impl Iterator<Item = NaiveDate> {
        let from = self.days.partition_point(|day| day.row.series < series.0);
        let rows = self.days[from..].iter().map(|day| &day.row);
        rows.take_while(|row| row.series == series.0).map(|row| row.date)
    }

    /// What it says of one day.
    #[must_use]
    pub fn day(&self, series: &SeriesId, date: NaiveDate) -> Option<&DayRow> {
        self.find(&series.0, date).map(|day| &day.row)
    }

    fn find(&self, series: &str, date: NaiveDate) -> Option<&LockDay> {
        let at = self.days.binary_search_by(|day| (day.row.series.as_str(), day.row.date).cmp(&(series, date)));
        at.ok().and_then(|at| self.days.get(at))
    }

    /// The files of one day, sorted by path. `None` when the lock has no such day, or holds days alone.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::Line`] when the file was changed in place since it was read.
    pub fn files(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<Vec<LockedFile>>, Error> {
        let Some(day) = self.find(&series.0, date) else { return Ok(None) };
        if self.header.detail == Detail::Day {
            return Ok(None);
        }
        let mut files = Vec::new();
        for (index, text) in self.lines_of(day)?.split_inclusive(|byte| *byte == b'\n').enumerate() {
            files.push(serde_json::from_slice(text).map_err(|_| {
                Error::line(&self.path, day.line + 1 + index, "the lock was changed while it was in use; run again")
            })?);
        }
        Ok(Some(files))
    }

    /// The bytes of a day's file lines as they stand in the lock.
    pub(super) fn lines(&self, series: &str, date: NaiveDate) -> Result<Vec<u8>, Error> {
        self.find(series, date).map_or(Ok(Vec::new()), |day| self.lines_of(day))
    }

    fn lines_of(&self, day: &LockDay) -> Result<Vec<u8>, Error> {
        let length = usize::try_from(day.length).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, day.at);
        read.map_err(|e| Error::storage("read the lock", &self.path, e))?;
        Ok(bytes)
    }
}

/// A lock while it is read, line by line.
struct LockReader<'p> {
    path: &'p Path,
    header: LockHeader,
    regions: Vec<RegionRow>,
    days: Vec<LockDay>,
    open: Option<OpenLockDay>,
    /// Files of all days, the absent ones too, as told.
    files: u64,
    /// Where the next line begins.
    at: u64,
}

/// The day whose files are being read.
#[derive(Default)]
struct OpenLockDay {
    files: u64,
    bytes: u64,
    absent: u64,
    last: String,
    hasher: Hasher,
    /// The day's own line.
    text: Vec<u8>,
}

impl<'p> LockReader<'p> {
    fn read_header(path: &'p Path, text: &[u8], length: u64, job: &str) -> Result<LockReader<'p>, Error> {
        let value: serde_json::Value =
            serde_json::from_slice(text).map_err(|e| Error::json(path, 1, "this is no header of a lock", &e))?;
        // The format is looked at before the rest, so that a newer version is told as such.
        match value.pointer("/lock/format").and_then(serde_json::Value::as_str) {
            Some(FORMAT) => {}
            Some(other) => {
                let why = format!("it is written as `{}`, which this version does not know", escape(other));
                let wrong = Error::line(path, 1, why).with_hint("use a newer sunhaul");
                return Err(wrong.at(LinePart::Text(other.to_owned())));
            }
            None => return Err(Error::line(path, 1, "this is no header of a lock")),
        }
        let LockHeaderLine { lock: header } =
            serde_json::from_value(value).map_err(|e| Error::json(path, 1, "this is no header of a lock", &e))?;
        if header.job != job {
            let why = format!("it is the lock of the job `{}`, not of `{}`", escape(&header.job), escape(job));
            return Err(Error::line(path, 1, why).at(LinePart::Text(header.job)));
        }
        if !has_four_digits(header.as_of.year()) {
            return Err(Error::line(path, 1, "the year of its `as_of` has no four digits"));
        }
        Ok(LockReader { path, header, regions: Vec::new(), days: Vec::new(), open: None, files: 0, at: length })
    }

    fn take(&mut self, text: &[u8], number: usize, length: u64) -> Result<(), Error> {
        let begins = self.at;
        self.at += length;
        if text.starts_with(b"{\"region\":") {
            return self.take_region(text, number);
        }
        if !text.starts_with(b"{\"day\":") {
            return self.take_file(text, number, length);
        }
        self.close()?;
        let wrong = |why: String| Error::line(self.path, number, why);
        let DayLine { day: row } =
            serde_json::from_slice(text).map_err(|e| Error::json(self.path, number, "this is no line of a day", &e))?;
        if !has_four_digits(row.date.year()) {
            return Err(wrong(format!("the year of {} has no four digits", row.date)));
        }
        let files = self.files.checked_add(row.files).and_then(|files| files.checked_add(row.absent));
        self.files = files.ok_or_else(|| wrong("it states more files than can be counted".to_owned()))?;
        let place = (row.series.as_str(), row.date);
        if let Some(LockDay { row: before, .. }) = self.days.last()
            && (before.series.as_str(), before.date) >= place
        {
            let why = if (before.series.as_str(), before.date) == place { "stands twice" } else { "is out of order" };
            let date = row.date.to_string();
            return Err(wrong(format!("{} {date} {why}", escape(&row.series))).at(LinePart::Text(date)));
        }
        self.days.push(LockDay { row, at: begins + length, length: 0, line: number });
        self.open = Some(OpenLockDay { text: text.to_owned(), ..OpenLockDay::default() });
        Ok(())
    }

    fn take_region(&mut self, text: &[u8], number: usize) -> Result<(), Error> {
        let RegionLine { region } = serde_json::from_slice(text)
            .map_err(|e| Error::json(self.path, number, "this is no line of a region", &e))?;
        let is_after = self.regions.last().is_none_or(|before| *before < region);
        let why = match region.wrong() {
            None if !self.days.is_empty() => "a region after a day",
            None if !is_after => "a region that appears twice or is out of order",
            None => {
                self.regions.push(region);
                return Ok(());
            }
            Some(why) => why,
        };
        Err(Error::line(self.path, number, why))
    }

    fn take_file(&mut self, text: &[u8], number: usize, length: u64) -> Result<(), Error> {
        let wrong = |why: String| Error::line(self.path, number, why);
        let (Some(day), Some(open)) = (self.days.last_mut(), &mut self.open) else {
            return Err(wrong("a file without its day".to_owned()));
        };
        if self.header.detail == Detail::Day {
            return Err(wrong("a file, in a lock of days alone".to_owned()));
        }
        let file: Seen<'_> = serde_json::from_slice(text)
            .map_err(|e| Error::json(self.path, number, "this is no line of a file", &e))?;
        if !RelativePath::is_one(&file.path) {
            let why = format!("the path `{}` leaves the archive or is not safe", escape(&file.path));
            return Err(wrong(why).at(LinePart::Text(file.path.into_owned())));
        }
        if open.last.as_bytes() > file.path.as_bytes() {
            let why = format!("`{}` is out of order", escape(&file.path));
            return Err(wrong(why).at(LinePart::Text(file.path.into_owned())));
        }
        match (file.sha256, file.bytes, &file.absent) {
            (Some(sha256), Some(bytes), None) => {
                open.files += 1;
                open.bytes = open.bytes.saturating_add(bytes);
                crate::digest::add_file(&mut open.hasher, &sha256, &file.path);
            }
            (None, None, Some(_)) => open.absent += 1,
            _ => return Err(wrong("neither a file nor an absent one".to_owned())),
        }
        // As in day records, which are made from these lines.
        if file.reason.is_some() != (file.absent == Some(AbsentReason::Accepted)) {
            return Err(wrong("accepted, and no reason, or the reverse".to_owned()));
        }
        if (file.data.is_some() || file.header.is_some()) && file.sha256.is_none() {
            return Err(wrong("the data of an absent file".to_owned()));
        }
        open.last.clear();
        open.last.push_str(&file.path);
        day.length += length;
        Ok(())
    }

    /// Proves the day whose last line was read.
    fn close(&mut self) -> Result<(), Error> {
        let (Some(LockDay { row, line, .. }), Some(open)) = (self.days.last(), self.open.take()) else { return Ok(()) };
        if self.header.detail == Detail::Day {
            return Ok(());
        }
        let here = |part: String, why: String| {
            let why = format!("{} {}: {why}", escape(&row.series), row.date);
            Error::line(self.path, *line, why).at(LinePart::Text(part)).in_line(&open.text)
        };
        let (due, found) = ((row.files, row.absent), (open.files, open.absent));
        if due != found {
            let [told, follow] = [due, found].map(|(files, absent)| format!("{files} files and {absent} absent ones"));
            let part = format!("\"files\":{}", row.files);
            return Err(here(part, format!("{told} are stated, but {follow} follow")));
        }
        if row.bytes != open.bytes {
            let why = format!("{} bytes are stated, but its files have {}", row.bytes, open.bytes);
            return Err(here(format!("\"bytes\":{}", row.bytes), why));
        }
        if row.digest != PrefixedDigest(open.hasher.finish()) {
            return Err(here(row.digest.to_string(), "its digest does not match its files".to_owned()));
        }
        Ok(())
    }
}

/// A line without its end, where it can be one of a lock.
fn one_line<'a>(path: &Path, raw: &'a [u8], number: usize) -> Result<&'a [u8], Error> {
    let wrong = |why: &str| Error::line(path, number, why);
    if is_conflict(raw) {
        return Err(wrong("this line is part of a merge conflict").with_hint(MERGE).in_line(raw));
    }
    let Some(text) = raw.strip_suffix(b"\n") else {
        if raw.len() as u64 >= LONGEST_LINE {
            return Err(wrong("this line is longer than any line of a lock"));
        }
        let last = raw.len().saturating_sub(1);
        return Err(wrong("the lock is cut short in this line").at(LinePart::Byte(last)).in_line(raw));
    };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.is_empty() { Err(wrong("this line is empty")) } else { Ok(text) }
}

/// True for the years that labels and names of files are made for; those beyond may have no day after them.
fn has_four_digits(year: i32) -> bool {
    (0..=9999).contains(&year)
}

/// True for the lines that an unfinished merge leaves.
fn is_conflict(line: &[u8]) -> bool {
    [&b"<<<<<<<"[..], b"=======", b">>>>>>>", b"|||||||"].iter().any(|mark| line.starts_with(mark))
}
