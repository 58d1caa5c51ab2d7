//! The day record, `day/1`: the sealed, sorted, canonical form of a finished day.
//!
//! One serializer, keys always in one order: the same day gives the same bytes. What it does not do: put it in place.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write};
use std::path::Path;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, RelativePath};
use crate::day::Scale;
use crate::digest::{self, Digest, Hasher};

/// The format this version writes and reads.
const FORMAT: &str = "day/1";

/// How final a day record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
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
    pub state: State,
    /// Files, without the absent ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that upstream does not have.
    pub absent: u64,
    /// `sha256:` and the SHA-256 of the lines `<sha256>  <path>\n`.
    pub digest: String,
    /// The byte length of the lines after this one.
    pub body: u64,
    /// Shows a change of any byte: the first half is that of the SHA-256 of this line up to this key, the second half
    /// that of the SHA-256 of the lines after it.
    #[schemars(with = "String")]
    pub check: Digest,
}

/// One file of a day, one line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// The series' id.
    pub series: String,
    /// The path below the root.
    pub path: String,
    /// The length; none when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
    /// The SHA-256 of its bytes; none when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub sha256: Option<Digest>,
    /// Its time by the source's own key, in the record's scale.
    pub time: String,
    /// What identifies it at the source, within its day.
    pub key: String,
    /// Where it was, relative to the source's base.
    pub url: String,
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
    pub checked: Option<String>,
    /// Why upstream does not have it, such as `404`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absent: Option<String>,
    /// The validator it came with; volatile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub etag: Option<String>,
    /// The date it came with; volatile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_modified: Option<String>,
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
pub struct Lasting {
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
    pub state: State,
}

#[derive(Serialize)]
struct HeaderLine<'a> {
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
    pub fn new(lasting: Lasting, mut files: Vec<FileLine>) -> DayRecord {
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()).then_with(|| a.key.cmp(&b.key)));
        let Lasting { job, series, date, scale, window, spec, state } = lasting;
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
            digest: format!("sha256:{}", digest_of(&files)),
            body,
            check: lines,
        };
        header.check = Digest::of_halves(&Digest::of(vouched_for(&line(&HeaderLine { day: &header }))), &lines);
        DayRecord { header, files }
    }

    /// Writes the record's bytes.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        out.write_all(&line(&HeaderLine { day: &self.header }))?;
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
            if line(&file) != text {
                return Err(edited(index + 2));
            }
            files.push(file);
        }
        if !files.is_sorted_by(|a, b| a.path.as_bytes() <= b.path.as_bytes()) {
            return Err(Error::record(path, 2, format!("the lines are out of order; {MEND}")));
        }
        if format!("sha256:{}", digest_of(&files)) != header.digest {
            return Err(Error::record(path, 1, format!("the digest does not match the lines; {MEND}")));
        }
        let DayHeader { job, series, date, scale, window, spec, state, .. } = header.clone();
        let record = DayRecord::new(Lasting { job, series, date, scale, window, spec, state }, files);
        if record.header != header || line(&HeaderLine { day: &header })[..cut] != bytes[..cut] {
            return Err(edited(1));
        }
        Ok(record)
    }
}

const CUT: &str = "it is cut short; `sunhaul run` does the day again and keeps what is there";
const MEND: &str = "`sunhaul run` does the day again and keeps what is there";

fn parse_header(path: &Path, text: &[u8]) -> Result<DayHeader, Error> {
    // The format is looked at before the rest, so that a newer version is told as such.
    let value: serde_json::Value = serde_json::from_slice(text)
        .map_err(|e| Error::record(path, 1, format!("no day header: {}; {MEND}", said(&e))))?;
    match value.pointer("/day/format").and_then(serde_json::Value::as_str) {
        Some(FORMAT) => {}
        Some(other) => {
            let format = crate::untrusted::escape(other).into_owned();
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
    crate::untrusted::escape(&error.to_string()).into_owned()
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

/// One value as one line of JSON: the form of every line this archive writes.
pub(super) fn line<T: Serialize>(value: &T) -> Vec<u8> {
    // Plain structs of texts and numbers: serde_json cannot fail on them.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A header line is far shorter; what is longer is none.
const LONGEST_HEADER: u64 = 64 * 1024;

pub(super) fn read_header(path: &Path) -> Result<Option<DayHeader>, Error> {
    let Some(file) = open(path)? else { return Ok(None) };
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
    if !header.check.has_first_of(&Digest::of(vouched_for(&text))) {
        return Err(Error::record(path, 1, format!("it is not as sunhaul wrote it; {MEND}")));
    }
    Ok(Some(header))
}

pub(super) fn read(path: &Path) -> Result<Option<DayRecord>, Error> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| Error::storage("read", path, e))?;
    DayRecord::parse(path, &bytes).map(Some)
}

fn open(path: &Path) -> Result<Option<File>, Error> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::storage("read", path, e)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileLine {
        FileLine {
            series: "s".into(),
            path: path.into(),
            bytes: Some(3),
            sha256: Some(Digest::of(path.as_bytes())),
            time: "2015-12-11T18:22:08Z".into(),
            key: format!("/HMI/s/{path}"),
            url: format!("/HMI/s/{path}"),
            recnum: None,
            harpnum: None,
            segment: None,
            checked: Some("size".into()),
            absent: None,
            etag: None,
            last_modified: None,
        }
    }

    fn record(paths: &[&str]) -> DayRecord {
        let lasting = Lasting {
            job: "j".into(),
            series: "s".into(),
            date: "2015-12-11".parse().unwrap(),
            scale: Scale::Utc,
            window: ["2015-12-11T00:00:00Z".into(), "2015-12-12T00:00:00Z".into()],
            spec: Digest::of(b"spec"),
            state: State::Sealed,
        };
        DayRecord::new(lasting, paths.iter().map(|p| file(p)).collect())
    }

    #[test]
    fn a_record_reads_back_as_written_whatever_order_its_files_came_in() {
        let bytes = record(&["s/b", "s/a", "s/B"]).to_bytes();
        assert_eq!(bytes, record(&["s/B", "s/b", "s/a"]).to_bytes());
        let read = DayRecord::parse(Path::new("r"), &bytes).unwrap();
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(read.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["s/B", "s/a", "s/b"]);
        assert!(bytes.starts_with(br#"{"day":{"format":"day/1","job":"j","series":"s","date":"2015-12-11","#));
    }

    #[test]
    fn a_record_cut_at_any_byte_is_told_from_a_whole_one() {
        let bytes = record(&["s/a", "s/b"]).to_bytes();
        for end in 0..bytes.len() {
            let error = DayRecord::parse(Path::new("r"), &bytes[..end]).unwrap_err();
            assert!(matches!(error, Error::Record { .. }), "{end}: {error}");
        }
    }

    #[test]
    fn no_changed_bit_of_a_record_goes_unseen() {
        let mut bytes = record(&["s/a", "s/b"]).to_bytes();
        let end_of_header = bytes.iter().position(|b| *b == b'\n').unwrap();
        // The second half of `check` is about the lines, which a reader of the header alone does not look at.
        let of_lines = end_of_header - 35..end_of_header - 3;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let read = DayRecord::parse(Path::new("r"), &bytes);
                assert!(read.is_err(), "byte {at}, bit {bit}: {read:?}");
                if at <= end_of_header && !of_lines.contains(&at) {
                    std::fs::write(&file, &bytes).unwrap();
                    assert!(read_header(&file).is_err(), "header byte {at}, bit {bit}");
                }
                bytes[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn a_record_spelt_another_way_is_none_though_its_sums_are_right() {
        let spell = |lines: &str, header: &dyn Fn(String) -> String| {
            let text = String::from_utf8(record(&["s/a"]).to_bytes()).unwrap();
            let header = header(text[..text.find(r#","body""#).unwrap()].to_owned());
            let header = format!(r#"{header},"body":{}"#, lines.len());
            let check = Digest::of_two(header.as_bytes(), lines.as_bytes());
            DayRecord::parse(Path::new("r"), format!("{header},\"check\":\"{check}\"}}}}\n{lines}").as_bytes())
        };
        let lines = String::from_utf8(line(&file("s/a"))).unwrap();
        assert!(spell(&lines, &|header| header).is_ok());
        assert!(spell(&lines.replace(",\"time", ", \"time"), &|header| header).is_err());
        assert!(spell(&lines, &|header| header.replace("\"job\":", "\"job\": ")).is_err());
        assert!(spell(&lines, &|header| header.replace("\"files\":1", "\"files\":2")).is_err());
        assert!(spell(&lines, &|header| header.replace("\"bytes\":3", "\"bytes\":4")).is_err());
        let most = lines.replace("\"bytes\":3", "\"bytes\":18446744073709551615");
        assert!(spell(&most.replace("s/a", "s/").repeat(2), &|header| header).is_err());
    }

    #[test]
    fn what_a_record_says_cannot_act_on_a_terminal() {
        for text in ["{\"day\":{\"format\":\"day/1\",\"\\u001b[2J\":1}}\n", "{\"\\u001b[2J\":1}\n"] {
            let error = DayRecord::parse(Path::new("r"), text.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_record_of_any_texts_reads_back_and_a_changed_byte_shows(
            texts in proptest::collection::vec("(?s).{0,12}", 8), at in proptest::num::usize::ANY, to in 1u8..,
        ) {
            let texts: [String; 8] = texts.try_into().unwrap();
            let [job, series, time, key, url, segment, etag, absent] = texts;
            let mut files = vec![file("s/a"), file("s/b")];
            files[0] = FileLine { time, key, url, segment: Some(segment), etag: Some(etag), ..files[0].clone() };
            files[1] = FileLine { absent: Some(absent), sha256: None, bytes: None, ..files[1].clone() };
            let DayHeader { date, scale, window, spec, state, .. } = record(&[]).header;
            let written = DayRecord::new(Lasting { job, series, date, scale, window, spec, state }, files);
            let mut bytes = written.to_bytes();
            proptest::prop_assert_eq!(&DayRecord::parse(Path::new("r"), &bytes).unwrap(), &written);
            let at = at % bytes.len();
            bytes[at] ^= to;
            proptest::prop_assert!(DayRecord::parse(Path::new("r"), &bytes).is_err(), "byte {}", at);
        }
    }

    #[test]
    fn an_edited_line_a_leaving_path_and_a_newer_version_are_told() {
        let text = String::from_utf8(record(&["s/a", "s/b"]).to_bytes()).unwrap();
        let parse = |text: &str| DayRecord::parse(Path::new("r"), text.as_bytes()).unwrap_err().to_string();
        let swapped = text.replace(&Digest::of(b"s/a").to_string(), &Digest::of(b"other").to_string());
        assert!(parse(&swapped).contains("digest does not match"), "{}", parse(&swapped));
        assert!(parse(&text.replace("\"path\":\"s/a\"", "\"path\":\"../\"")).contains("leaves the archive"));
        assert!(parse(&text.replace("day/1", "day/9")).contains("newer sunhaul"));
    }
}
