//! What a lock must be to be believed.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::archive::{RecordState, RelativePath, line};
use crate::day::Scale;
use crate::digest::{Digest, PrefixedDigest, of_files};
use crate::manifest::SeriesId;
use format::{DayLine, FORMAT, LockHeaderLine};

fn header(detail: Detail) -> Vec<u8> {
    let as_of = "2026-11-25T03:00:00Z".parse().unwrap();
    let (format, job, about) = (FORMAT.to_owned(), "december".to_owned(), detail.about().to_owned());
    line(&LockHeaderLine { lock: LockHeader { format, job, as_of, detail, about } })
}

fn file(path: &str) -> LockedFile {
    LockedFile {
        path: path.into(),
        bytes: Some(9),
        sha256: Some(Digest::sha256(path.as_bytes())),
        time: "2015-12-11T18:22:08Z".into(),
        key: format!("/HMI/{path}"),
        url: format!("/HMI/{path}"),
        source_series: None,
        recnum: None,
        harpnum: None,
        segment: None,
        cards: None,
        storage: None,
        absent: None,
        reason: None,
        header: None,
        data: None,
    }
}

fn day(series: &str, date: &str, paths: &[&str]) -> Vec<u8> {
    let files: Vec<LockedFile> = paths.iter().map(|path| file(path)).collect();
    let row = DayRow {
        series: series.into(),
        date: date.parse().unwrap(),
        scale: Scale::Utc,
        window: ["2015-12-11T00:00:00Z".into(), "2015-12-12T00:00:00Z".into()],
        spec: Digest::sha256(b"spec"),
        state: RecordState::Sealed,
        files: paths.len() as u64,
        bytes: 9 * paths.len() as u64,
        absent: 0,
        digest: PrefixedDigest(of_files(files.iter().filter_map(|f| Some((f.sha256.as_ref()?, f.path.as_str()))))),
        absent_digest: None,
    };
    let mut bytes = line(&DayLine { day: row });
    bytes.extend(files.iter().flat_map(line));
    bytes
}

fn whole() -> Vec<u8> {
    let parts = [header(Detail::Files), day("a", "2015-12-11", &["a/1", "a/2"]), day("b", "2015-12-11", &["b/1"])];
    parts.concat()
}

fn read(bytes: &[u8]) -> Result<Option<Lock>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("december.lock");
    std::fs::write(&path, bytes).unwrap();
    Lock::read(&path, "december")
}

/// The line and the words of the refusal.
fn refusal(bytes: &[u8]) -> (usize, String) {
    match read(bytes) {
        Err(Error::Line { line, why, .. }) => (line, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_lock_lies_beside_the_manifest() {
    let of = |manifest: &str| path_of(Path::new(manifest));
    assert_eq!(of("jobs/december.yaml"), PathBuf::from("jobs/december.lock"));
    assert_eq!(of("december.yml"), PathBuf::from("december.lock"));
    assert_eq!(of("jobs/v1.2"), PathBuf::from("jobs/v1.2.lock"));
}

#[test]
fn a_lock_gives_its_days_and_their_files() {
    let lock = read(&whole()).unwrap().unwrap();
    assert_eq!(lock.days().map(|row| row.series.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let (a, date) = (SeriesId("a".into()), "2015-12-11".parse().unwrap());
    assert_eq!(lock.files(&a, date).unwrap().unwrap(), [file("a/1"), file("a/2")]);
    assert_eq!(lock.files(&a, "2015-12-12".parse().unwrap()).unwrap(), None);
    assert_eq!(lock.sha256(), Digest::sha256(&whole()));
}

#[test]
fn a_lock_of_days_alone_is_read_and_a_missing_one_is_none() {
    let mut bytes = header(Detail::Day);
    let row = day("a", "2015-12-11", &["a/1", "a/2"]);
    bytes.extend_from_slice(row.split_inclusive(|byte| *byte == b'\n').next().unwrap());
    let lock = read(&bytes).unwrap().unwrap();
    assert_eq!((lock.detail(), lock.days().count()), (Detail::Day, 1));
    assert!(Lock::read(Path::new("/nowhere/december.lock"), "december").unwrap().is_none());
}

#[test]
fn other_ends_of_lines_and_a_byte_order_mark_say_the_same() {
    let plain = String::from_utf8(whole()).unwrap();
    let with_crlf = plain.replace('\n', "\r\n");
    for (text, has_crlf) in [
        (plain.clone(), false),
        (with_crlf.clone(), true),
        (format!("\u{feff}{plain}"), false),
        (format!("\u{feff}{with_crlf}"), true),
        (plain.replacen('\n', "\r\n", 2), false),
    ] {
        let lock = read(text.as_bytes()).unwrap().unwrap();
        assert_eq!((lock.has_crlf(), lock.sha256()), (has_crlf, Digest::sha256(text.as_bytes())));
        let (a, b, date) = (SeriesId("a".into()), SeriesId("b".into()), "2015-12-11".parse().unwrap());
        assert_eq!(lock.files(&a, date).unwrap().unwrap(), [file("a/1"), file("a/2")], "{text}");
        assert_eq!(lock.files(&b, date).unwrap().unwrap(), [file("b/1")], "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let text = String::from_utf8(whole()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        format!("{}\n", lines.join("\n"))
    };
    let swapped = |a: usize, b: usize| {
        let mut lines = lines.clone();
        lines.swap(a, b);
        format!("{}\n", lines.join("\n"))
    };
    for (bytes, line, why) in [
        (String::new(), 1, "the lock is empty"),
        (text[..text.len() - 5].to_owned(), 6, "cut short in this line"),
        (lines[..3].join("\n") + "\n", 2, "2 files and 0 absent ones are stated, but 1 files and 0 absent ones follow"),
        (with(0, &lines[0].replace("lock/1", "lock/2")), 1, "`lock/2`, which this version does not know"),
        (with(0, &lines[0].replace("december", "january")), 1, "the lock of the job `january`, not of `december`"),
        (with(0, "{}"), 1, "this is no header of a lock"),
        (with(3, "<<<<<<< ours"), 4, "this line is part of a merge conflict"),
        (with(3, "======="), 4, "this line is part of a merge conflict"),
        (with(3, ""), 4, "this line is empty"),
        (format!("{text}\r\n"), 7, "this line is empty"),
        (with(3, &format!("\u{feff}{}", lines[3])), 4, "this is no line of a file: expected value"),
        (text.clone() + &"x".repeat(17 << 20), 7, "this line is longer than any line of a lock"),
        (with(2, &lines[2].replace("\"a/1", "\"../1")), 3, "leaves the archive"),
        (with(2, &lines[2].replace("\"bytes\":9", "\"bytes\":8")), 2, "18 bytes are stated, but its files have 17"),
        (with(2, &lines[2].replace("\"bytes\"", "\"byte\"")), 3, "this is no line of a file: unknown field `byte`"),
        (with(1, &lines[1].replace("sha256:", "sha256:0")), 2, "expected `sha256:` and 64 lower-case hex digits"),
        (with(1, &lines[1].replace("\"sha256:", "\"::error::")), 2, "expected `sha256:`"),
        (with(3, &lines[3].replace("a/2\",\"bytes", "a/3\",\"bytes")), 2, "its digest does not match its files"),
        (with(0, &lines[0].replace("\"2026", "\"+262142")), 1, "the year of its `as_of` has no four digits"),
        (with(1, &lines[1].replace("\"2015-12-11\"", "\"+262142-12-31\"")), 2, "the year of +262142-12-31"),
        (with(4, &lines[4].replace("\"absent\":0", "\"absent\":18446744073709551615")), 5, "than can be counted"),
        (with(3, &lines[3].replace('}', ",\"reason\":\"gone\"}")), 4, "accepted, and no reason, or the reverse"),
        (
            with(3, "{\"path\":\"a/2\",\"time\":\"t\",\"key\":\"k\",\"url\":\"/\",\"absent\":\"404\",\"data\":[]}"),
            4,
            "the data of an absent file",
        ),
        (swapped(2, 3), 4, "`a/1` is out of order"),
        ([&lines[..1], &lines[4..], &lines[1..4]].concat().join("\n") + "\n", 4, "a 2015-12-11 is out of order"),
        ([&lines[..4], &lines[1..]].concat().join("\n") + "\n", 5, "a 2015-12-11 stands twice"),
        ([&lines[..1], &lines[2..]].concat().join("\n") + "\n", 2, "a file without its day"),
    ] {
        let (at, said) = refusal(bytes.as_bytes());
        assert!(said.contains(why), "{why:?} is due, but {said:?} was said");
        assert_eq!(at, line, "{said}");
    }
}

/// What holds of every lock that is believed.
fn holds(lock: &Lock, bytes: &[u8]) {
    assert_eq!(lock.sha256(), Digest::sha256(bytes));
    assert!(lock.days().is_sorted_by(|a, b| (&a.series, a.date) < (&b.series, b.date)));
    let (as_of, detail, about) = (lock.as_of(), lock.detail(), String::new());
    let (format, job) = (FORMAT.to_owned(), "december".to_owned());
    let mut written = line(&LockHeaderLine { lock: LockHeader { format, job, as_of, detail, about } });
    let files_of = |lock: &Lock, row: &DayRow| lock.files(&SeriesId(row.series.clone()), row.date).unwrap();
    for row in lock.days() {
        let files = files_of(lock, row).unwrap_or_default();
        if detail == Detail::Files {
            let lines = files.iter().filter_map(|file| Some((file.sha256.as_ref()?, file.path.as_str())));
            assert_eq!(row.digest, PrefixedDigest(of_files(lines)));
        }
        assert!(files.iter().all(|file| RelativePath::is_one(&file.path)));
        written.extend(line(&DayLine { day: row.clone() }));
        written.extend(files.iter().flat_map(line));
    }
    let again = read(&written).unwrap().unwrap();
    assert!(again.days().eq(lock.days()));
    assert!(lock.days().all(|row| files_of(&again, row) == files_of(lock, row)));
}

/// What holds of every refusal.
fn is_told(error: &Error, bytes: &[u8]) {
    let Error::Line { line, why, .. } = error else { panic!("{error}") };
    assert!((1..=bytes.split_inclusive(|byte| *byte == b'\n').count() + 1).contains(line), "line {line}");
    assert!(!why.chars().any(crate::untrusted::acts), "{why:?}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic_and_what_is_believed_holds(
        at in 0usize..4000, byte: u8, noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = whole();
        let at = at % bytes.len();
        bytes[at] = byte;
        for bytes in [noise, bytes] {
            match read(&bytes) {
                Ok(lock) => holds(&lock.unwrap(), &bytes),
                Err(error) => is_told(&error, &bytes),
            }
        }
    }
}

fn region(noaa: Option<i64>, harpnum: Option<i64>, window: Option<[&str; 2]>) -> RegionRow {
    let window = window.map(|ends| ends.map(str::to_owned));
    let (series, name) = ("a".to_owned(), "hmi.sharp_cea_720s".to_owned());
    RegionRow { series, name, noaa, harpnum, absent: harpnum.is_none(), window }
}

#[test]
fn regions_stand_between_the_header_and_the_days_and_are_read_as_they_were_written() {
    let windows = ["2011-02-10T21:48:00_TAI", "2011-02-19T00:00:00_TAI"];
    let rows = [
        region(None, Some(377), Some(windows)),
        region(Some(11_158), Some(377), None),
        region(Some(11_158), Some(394), None),
        region(Some(12_345), None, None),
    ];
    let lines: Vec<u8> = rows.iter().flat_map(|region| line(&regions::RegionLine { region: region.clone() })).collect();
    let (head, days) = (header(Detail::Files), day("a", "2015-12-11", &["a/1"]));
    let lock = read(&[&head[..], &lines, &days].concat()).unwrap().unwrap();
    assert_eq!(lock.regions(), rows);
    assert_eq!((lock.days().count(), read(&[&head[..], &days].concat()).unwrap().unwrap().regions().len()), (1, 0));
    let text = String::from_utf8(lines).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[3], r#"{"region":{"series":"a","name":"hmi.sharp_cea_720s","noaa":12345,"absent":true}}"#);
    let with = |line: &str| [&head[..], line.as_bytes(), b"\n"].concat();
    for (bytes, number, why) in [
        (with(&format!("{}\n{}", lines[1], lines[0])), 3, "out of order"),
        (with(&format!("{}\n{}", lines[1], lines[1])), 3, "appears twice"),
        ([&head[..], &days, lines[0].as_bytes(), b"\n"].concat(), 4, "after a day"),
        (with(&lines[0].replace(r#""harpnum":377,"#, "")), 2, "without a number"),
        (with(&lines[3].replace(r#","absent":true"#, "")), 2, "neither a patch"),
        (with(&lines[2].replace("394", "394,\"absent\":true")), 2, "`absent`"),
        (with(&lines[0].replace("2011-02-19", "2011-02-09")), 2, "without a label inside"),
        (with(&lines[0].replace("2011-02-19", "Feb")), 2, "without a label inside"),
        (with(&lines[0].replace("harpnum", "harp")), 2, "no line of a region"),
    ] {
        let (line, words) = refusal(&bytes);
        assert_eq!(line, number, "{words}");
        assert!(words.contains(why), "{words}");
    }
}
