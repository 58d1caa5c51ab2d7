//! The day record, `day/1`: the sealed, sorted, canonical form of a finished day.
//!
//! One serializer, keys always in one order: the same day gives the same bytes. What it does not do: put it in place.

mod salvage;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write};
use std::path::Path;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use salvage::salvage;
pub use verdict::{AbsentReason, Checked};

use super::safe_dir::Tree;
use super::{Error, LeftOut, RelativePath};
use crate::day::{Scale, Window};
use crate::digest::{self, Digest, Hasher, PrefixedDigest};
use crate::manifest::SeriesId;
use crate::untrusted::escape;

/// The format this version writes and reads.
const FORMAT: &str = "day/1";

/// What the keys of files begin with that a source made of its answers, such as a table of keywords. No other key does.
pub const MADE: &str = "made:";

/// How final a day record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    /// Final: the day is not asked for again.
    Sealed,
    /// Whole, but listed too early to be final.
    Provisional,
}

/// The first line of a day record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DayHeader {
    /// Always `day/1`.
    pub format: String,
    /// The job that made it.
    pub job: String,
    /// The series' id.
    pub series: String,
    /// The calendar date, in the source's scale.
    pub date: NaiveDate,
    /// The scale of the dates and times.
    #[schemars(with = "String", regex(pattern = "^(UTC|TAI)$"))]
    pub scale: Scale,
    /// What of the day was asked for: first label, first label after.
    pub window: [String; 2],
    /// SHA-256 of what the day was asked for.
    #[schemars(with = "String")]
    pub spec: Digest,
    /// How final it is.
    pub state: RecordState,
    /// Files, without the absent ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that upstream does not have.
    pub absent: u64,
    /// Records by the source's names of their series, where the job prefers one of several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub records: Option<BTreeMap<String, u64>>,
    /// `sha256:` and the SHA-256 of the lines `<sha256>  <path>\n`.
    #[schemars(with = "String")]
    pub digest: PrefixedDigest,
    /// The byte length of the lines after this one.
    pub body: u64,
    /// Records of regions that filters left out. Only of days whose source lists them all the same, and only where a filter may
    /// leave any out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Shows a change of any byte: the first half is that of the SHA-256 of this line up to this key, the second half
    /// that of the SHA-256 of the lines after it. A record that another program made may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub check: Option<Digest>,
}

/// One file of a day, one line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// The series' id.
    pub series: String,
    /// True of a file that was at its path already when it was due there: it is the user's own, and is neither moved nor
    /// deleted.
    // Before the path, so that what is left of a damaged line tells it of each path that can be read.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub preexisting: bool,
    /// The path below the root.
    pub path: String,
    /// The length; none when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
    /// The SHA-256 of its bytes; none when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub sha256: Option<Digest>,
    /// The SHA-256 of the file as it came, where it is a copy with the keywords of its record in the header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub origin: Option<Digest>,
    /// The SHA-256 of the header cards that were made of those keywords, each 80 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub cards: Option<Digest>,
    /// Its time by the source's own key, in the record's scale.
    pub time: String,
    /// The instant of the cadence that it stands for, in the record's scale, where records have no slots and the nearest one to
    /// each instant is taken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instant: Option<String>,
    /// What identifies it at the source, within its day.
    pub key: String,
    /// Where it was, relative to the source's base; the whole URL on one of its further hosts.
    pub url: String,
    /// The storage unit, the slot and the file's name at JSOC, such as `D803708321/S00008/Br.fits`, where `url` is an order of
    /// the file as it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub storage: Option<String>,
    /// The source's name for the series that it is of, where the job prefers one of several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_series: Option<String>,
    /// The record's number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recnum: Option<i64>,
    /// The active region.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub harpnum: Option<i64>,
    /// The segment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
    /// What was proved of the bytes: `checksum`, `structure`, `magic` or `size`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub checked: Option<Checked>,
    /// Why upstream does not have it, such as `404`; `accepted` when the job takes it for bad at its source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub absent: Option<AbsentReason>,
    /// Why the job accepts that it is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The SHA-256 of the header cards that count, of all HDUs, each 80 bytes, each header with its END. `DATE`, `CHECKSUM`,
    /// `DATASUM`, `ZHECKSUM`, `ZDATASUM`, `HEADSUM`, `PRIMARYK`, `LICENSE`, `LONGSTRN`, `HISTORY`, `COMMENT` and blank
    /// keywords do not count. Only of FITS files that were fetched with `identity: fits-data`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub header: Option<Digest>,
    /// The SHA-256 of each HDU's data unit with its fill, by the HDU's number; that of an HDU without data is the digest
    /// of nothing. Only of FITS files that were fetched with `identity: fits-data`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub data: Option<Vec<Digest>>,
    /// What the listing said of its date and size; volatile, and only of days that are provisional.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub listed: Option<String>,
    /// The validator it came with; volatile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub etag: Option<String>,
    /// The date it came with; volatile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_modified: Option<String>,
    /// The SHA-256 of the address that redirects led to, without its query; volatile. None when the
    /// file's own address answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub redirected: Option<Digest>,
}

/// A whole day record, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRecord {
    /// The first line.
    pub header: DayHeader,
    /// The files, sorted by path, bytewise.
    pub files: Vec<FileLine>,
}

/// What a new record says besides its files.
#[derive(Debug, Clone)]
pub struct RecordBasis {
    /// The job.
    pub job: String,
    /// The series' id.
    pub series: String,
    /// The date.
    pub date: NaiveDate,
    /// The scale.
    pub scale: Scale,
    /// First label, first label after.
    pub window: [String; 2],
    /// What the day was asked for.
    pub spec: Digest,
    /// How final it is.
    pub state: RecordState,
    /// Records by their series, where the job prefers one of several.
    pub records: Option<BTreeMap<String, u64>>,
    /// What filters left out of it.
    pub left_out: Option<LeftOut>,
}

#[derive(Serialize)]
struct RecordHeaderLine<'a> {
    day: &'a DayHeader,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnedHeaderLine {
    /// The header of the day.
    day: DayHeader,
}

impl DayRecord {
    /// Sorts the files and works out counts and digest.
    #[must_use]
    pub fn new(lasting: RecordBasis, mut files: Vec<FileLine>) -> DayRecord {
        files.sort_unstable_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()).then_with(|| a.key.cmp(&b.key)));
        let RecordBasis { job, series, date, scale, window, spec, state, records, left_out } = lasting;
        if state == RecordState::Sealed {
            // It says which files of a provisional day to ask about again. A sealed day is not asked about.
            for file in &mut files {
                file.listed = None;
            }
        }
        let (mut body, mut hasher) = (0, Hasher::default());
        for file in &files {
            let line = line(file);
            body += line.len() as u64;
            hasher.update(&line);
        }
        let lines = hasher.finish();
        let mut header = DayHeader {
            format: FORMAT.to_owned(),
            job,
            series,
            date,
            scale,
            window,
            spec,
            state,
            files: files.iter().filter(|f| f.sha256.is_some()).count() as u64,
            // A line that was edited by hand may say anything.
            bytes: files.iter().filter_map(|f| f.bytes).fold(0, u64::saturating_add),
            absent: files.iter().filter(|f| f.absent.is_some()).count() as u64,
            records,
            digest: PrefixedDigest(digest_of(&files)),
            body,
            left_out,
            check: Some(lines),
        };
        let own = Digest::sha256(vouched_for(&line(&RecordHeaderLine { day: &header })));
        header.check = Some(Digest::of_halves(&own, &lines));
        DayRecord { header, files }
    }

    /// The keys of its absent files.
    pub fn absent(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter(|file| file.absent.is_some()).map(|file| file.key.as_str())
    }

    /// Writes the record's bytes.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        out.write_all(&line(&RecordHeaderLine { day: &self.header }))?;
        self.files.iter().try_for_each(|file| out.write_all(&line(file)))
    }

    /// The record's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Memory takes everything.
        let _ = self.write(&mut bytes);
        bytes
    }

    /// Reads and checks the whole record of a day at a path below the root. `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Storage`]; those of [`DayRecord::parse`]; [`Error::Record`] when it is another day's.
    pub(super) fn read(
        tree: &Tree,
        relative: &str,
        series: &SeriesId,
        date: NaiveDate,
    ) -> Result<Option<DayRecord>, Error> {
        Ok(DayRecord::read_with_bytes(tree, relative, series, date)?.map(|(record, _)| record))
    }

    pub(super) fn read_with_bytes(
        tree: &Tree,
        relative: &str,
        series: &SeriesId,
        date: NaiveDate,
    ) -> Result<Option<(DayRecord, Vec<u8>)>, Error> {
        let Some(bytes) = tree.read(relative).map_err(no_record)? else { return Ok(None) };
        let path = tree.path(relative);
        let record = DayRecord::parse(&path, &bytes)?;
        record.header.must_be_of(&path, series, date)?;
        Ok(Some((record, bytes)))
    }

    /// Reads a record's bytes; `path` is for messages only.
    ///
    /// # Errors
    /// [`Error::Record`] when it is cut, corrupt, edited by hand, or of a newer version.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<DayRecord, Error> {
        let cut = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| Error::record(path, 1, CUT))?;
        let header = parse_header(path, &bytes[..cut])?;
        let body = &bytes[cut + 1..];
        if body.len() as u64 != header.body {
            return Err(Error::record(
                path,
                1,
                format!("the header says {} bytes follow, but {} do; {MEND}", header.body, body.len()),
            ));
        }
        let edited = |line| Error::record(path, line, format!("it is not as sunhaul wrote it; {MEND}"));
        let mut files = Vec::new();
        for (index, text) in body.split_inclusive(|b| *b == b'\n').enumerate() {
            let file: FileLine = serde_json::from_slice(text)
                .map_err(|e| Error::record(path, index + 2, format!("no file line: {}; {MEND}", said(&e))))?;
            if RelativePath::from_record(&file.path).is_none() {
                return Err(Error::record(path, index + 2, format!("a path that leaves the archive; {MEND}")));
            }
            if file.sha256.is_some() == file.absent.is_some() || file.sha256.is_some() != file.bytes.is_some() {
                return Err(Error::record(path, index + 2, format!("neither a file nor an absent one; {MEND}")));
            }
            if file.reason.is_some() != (file.absent == Some(AbsentReason::Accepted)) {
                return Err(Error::record(path, index + 2, format!("accepted, and no reason, or the reverse; {MEND}")));
            }
            if (file.data.is_some() || file.header.is_some()) && file.sha256.is_none() {
                return Err(Error::record(path, index + 2, format!("the data of an absent file; {MEND}")));
            }
            if header.check.is_some() && line(&file) != text {
                return Err(edited(index + 2));
            }
            files.push(file);
        }
        if !files.is_sorted_by(|a, b| a.path.as_bytes() <= b.path.as_bytes()) {
            return Err(Error::record(path, 2, format!("the lines are out of order; {MEND}")));
        }
        if PrefixedDigest(digest_of(&files)) != header.digest {
            return Err(Error::record(path, 1, format!("the digest does not match the lines; {MEND}")));
        }
        let DayHeader { job, series, date, scale, window, spec, state, records, left_out, .. } = header.clone();
        let lasting = RecordBasis { job, series, date, scale, window, spec, state, records, left_out };
        let mut record = DayRecord::new(lasting, files);
        if header.check.is_none() {
            // Made by another program, in its own spelling: what it counts must be right all the same.
            (record.header.check, record.header.body) = (None, header.body);
        } else if line(&RecordHeaderLine { day: &header }) != bytes[..=cut] {
            return Err(edited(1));
        }
        if record.header != header {
            return Err(edited(1));
        }
        Ok(record)
    }
}

impl DayHeader {
    /// The labels that the day was asked for; those of the whole day where they cannot be read.
    #[must_use]
    pub fn asked_window(&self) -> Window {
        Window::from_labels(&self.window, self.scale).unwrap_or_else(|| Window::of_day(self.date))
    }

    /// Refuses the record of another day: it was copied or moved to where this day's record is due, and names files that
    /// are not this day's.
    fn must_be_of(&self, path: &Path, series: &SeriesId, date: NaiveDate) -> Result<(), Error> {
        if self.series == series.0 && self.date == date {
            return Ok(());
        }
        let own = format!("{} {}", escape(&self.series), self.date);
        Err(Error::record(path, 1, format!("it is the record of {own}, under the name of another day; {MEND}")))
    }
}

/// What is no regular file is no record: the day is done again, and what stands there replaced.
fn no_record(error: Error) -> Error {
    match error {
        Error::Storage { path, source, .. } if source.kind() == ErrorKind::InvalidInput => {
            Error::record(&path, 1, source.to_string())
        }
        other => other,
    }
}

const CUT: &str = "it is cut short; `sunhaul run` does the day again and keeps what is there";
const MEND: &str = "`sunhaul run --check` does the day again and keeps what is there";

fn parse_header(path: &Path, text: &[u8]) -> Result<DayHeader, Error> {
    // The format is looked at before the rest, so that a newer version is told as such.
    let value: serde_json::Value = serde_json::from_slice(text)
        .map_err(|e| Error::record(path, 1, format!("no day header: {}; {MEND}", said(&e))))?;
    match value.pointer("/day/format").and_then(serde_json::Value::as_str) {
        Some(FORMAT) => {}
        Some(other) => {
            let format = escape(other).into_owned();
            return Err(Error::Newer { path: path.to_owned(), format });
        }
        None => return Err(Error::record(path, 1, format!("no day header; {MEND}"))),
    }
    let OwnedHeaderLine { day } = serde_json::from_value(value)
        .map_err(|e| Error::record(path, 1, format!("no day header: {}; {MEND}", said(&e))))?;
    Ok(day)
}

/// What the JSON library says, which may repeat names out of the file.
fn said(error: &serde_json::Error) -> String {
    escape(&error.to_string()).into_owned()
}

/// What follows the part of a header line that the first half of `check` vouches for: the key, the value, the end.
const CHECK: usize = r#","check":""}}"#.len() + 64;

fn vouched_for(header: &[u8]) -> &[u8] {
    let text = header.strip_suffix(b"\n").unwrap_or(header);
    &text[..text.len().saturating_sub(CHECK)]
}

fn digest_of(files: &[FileLine]) -> Digest {
    digest::of_files(files.iter().filter_map(|f| Some((f.sha256.as_ref()?, f.path.as_str()))))
}

/// One value as one line of JSON: the form of every line of records, journals and locks.
pub(crate) fn line<T: Serialize>(value: &T) -> Vec<u8> {
    // Plain structs of texts and numbers: serde_json cannot fail on them.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A header line is far shorter; what is longer is none.
const LONGEST_HEADER: u64 = 64 * 1024;

/// Reads the header of a day's record at a path below the root. `None` when there is none.
pub(super) fn read_header(
    tree: &Tree,
    relative: &str,
    series: &SeriesId,
    date: NaiveDate,
) -> Result<Option<DayHeader>, Error> {
    let Some(file) = tree.open_file(relative).map_err(no_record)? else { return Ok(None) };
    let path = &tree.path(relative);
    let length = file.metadata().map_err(|e| Error::storage("read", path, e))?.len();
    let mut text = Vec::with_capacity(512);
    BufReader::with_capacity(1024, file)
        .take(LONGEST_HEADER)
        .read_until(b'\n', &mut text)
        .map_err(|e| Error::storage("read", path, e))?;
    if text.last() != Some(&b'\n') {
        return Err(Error::record(path, 1, CUT));
    }
    let header = parse_header(path, &text)?;
    if length - text.len() as u64 != header.body {
        return Err(Error::record(path, 1, CUT));
    }
    if header.check.is_some_and(|check| !check.has_first_of(&Digest::sha256(vouched_for(&text)))) {
        return Err(Error::record(path, 1, format!("it is not as sunhaul wrote it; {MEND}")));
    }
    header.must_be_of(path, series, date)?;
    Ok(Some(header))
}

/// The JSON Schema of a day record's lines: the first is a header, the others are files.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut generator = schemars::SchemaGenerator::default();
    let header = generator.subschema_for::<OwnedHeaderLine>();
    let file = generator.subschema_for::<FileLine>();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a sunhaul day record, day/1",
        "description": "The first line is the header, each other line is one file, sorted by path.",
        "oneOf": [header, file],
        "$defs": generator.take_definitions(true),
    })
}
