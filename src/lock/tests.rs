//! What a lock must be to be believed.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::archive::{State, line};
use crate::day::Scale;
use crate::digest::{Digest, of_files};
use form::{DayLine, FORMAT, HeaderLine};

fn header(detail: Detail) -> Vec<u8> {
    let as_of = "2026-11-25T03:00:00Z".parse().unwrap();
    let (format, job, about) = (FORMAT.to_owned(), "december".to_owned(), detail.about().to_owned());
    line(&HeaderLine { lock: Header { format, job, as_of, detail, about } })
}

fn file(path: &str) -> LockedFile {
    LockedFile {
        path: path.into(),
        bytes: Some(9),
        sha256: Some(Digest::of(path.as_bytes())),
        time: "2015-12-11T18:22:08Z".into(),
        key: format!("/HMI/{path}"),
        url: format!("/HMI/{path}"),
        recnum: None,
        harpnum: None,
        segment: None,
        absent: None,
        reason: None,
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
        spec: Digest::of(b"spec"),
        state: State::Sealed,
        files: paths.len() as u64,
        bytes: 9 * paths.len() as u64,
        absent: 0,
        digest: format!(
            "sha256:{}",
            of_files(files.iter().filter_map(|f| Some((f.sha256.as_ref()?, f.path.as_str()))))
        ),
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
    let (a, date) = (crate::manifest::SeriesId("a".into()), "2015-12-11".parse().unwrap());
    assert_eq!(lock.files(&a, date).unwrap().unwrap(), [file("a/1"), file("a/2")]);
    assert_eq!(lock.files(&a, "2015-12-12".parse().unwrap()).unwrap(), None);
    assert_eq!(lock.sha256(), Digest::of(&whole()));
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
        (lines[..3].join("\n") + "\n", 2, "2 files and 0 absent ones are told, but 1 files and 0 absent ones follow"),
        (with(0, &lines[0].replace("lock/1", "lock/2")), 1, "`lock/2`, which this version does not know"),
        (with(0, &lines[0].replace("december", "january")), 1, "the lock of the job `january`, not of `december`"),
        (with(0, "{}"), 1, "no header of a lock"),
        (with(3, "<<<<<<< ours"), 4, "a merge conflict stands here"),
        (with(3, "======="), 4, "a merge conflict stands here"),
        (with(2, &lines[2].replace("\"a/1", "\"../1")), 3, "leaves the archive"),
        (with(2, &lines[2].replace("\"bytes\":9", "\"bytes\":8")), 2, "18 bytes are told, but its files have 17"),
        (with(2, &lines[2].replace("\"bytes\"", "\"byte\"")), 3, "no file: unknown field `byte`"),
        (with(1, &lines[1].replace("sha256:", "sha256:0")), 2, "its digest does not match its files"),
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

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic_and_no_changed_hash_or_path_is_believed(
        at in 0usize..4000, byte: u8, noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read(&noise);
        let mut bytes = whole();
        let at = at % bytes.len();
        bytes[at] = byte;
        let before = read(&whole()).unwrap().unwrap();
        if let Ok(Some(lock)) = read(&bytes) {
            for (old, new) in before.days().zip(lock.days()) {
                if old.digest == new.digest && (&old.series, old.date) == (&new.series, new.date) {
                    let id = crate::manifest::SeriesId(new.series.clone());
                    for (old, new) in before.files(&id, old.date).unwrap().unwrap().iter().zip(lock.files(&id, new.date).unwrap().unwrap()) {
                        prop_assert_eq!((&old.path, old.sha256), (&new.path, new.sha256));
                    }
                }
            }
        }
    }
}
