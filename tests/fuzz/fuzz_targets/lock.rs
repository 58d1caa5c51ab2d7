//! A job's lock: what is believed holds together, means the same when it is written again, and cannot be cut unseen.
#![no_main]

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use sunhaul::archive::{DayRecord, Lasting};
use sunhaul::day::{Day, Scale};
use sunhaul::digest::{Digest, of_files};
use sunhaul::lock::{DayChange, DayRow, Detail, Error, Header, Lock, LockedFile};
use sunhaul::manifest::{Bound, Range, SeriesId};
use sunhaul_fuzz::{assert_safe_to_show, assert_stays_below_the_root};

/// Files in memory, so that locks come in by the door that all come in by.
static FIRST: LazyLock<File> = LazyLock::new(in_memory);
static AGAIN: LazyLock<File> = LazyLock::new(in_memory);

fn in_memory() -> File {
    memfd_create("lock", MemfdFlags::CLOEXEC).expect("a file in memory").into()
}

fn lock_of(file: &File, bytes: &[u8]) -> Result<Lock, Error> {
    file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).expect("a file in memory is written");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Lock::read(&path, "j").map(|lock| lock.expect("the file is there"))
}

// Bytes that begin with `{` are read as they are. Others are lines under a header: of files, after a `%` of days alone,
// after a `&` of files at the end of all time. Lines that begin with `D`, `F` or `A` stand for days, files and absent
// files, and a day tells what is so of the lines under it; what follows is another digest, or further fields. After a NUL
// come three bytes each for a byte to be changed: where, and how.
fuzz_target!(|data: &[u8]| match data {
    [b'{', ..] => read(data),
    [kind, rest @ ..] => {
        let (lines, damage) =
            rest.iter().position(|byte| *byte == 0).map_or((rest, &rest[..0]), |at| (&rest[..at], &rest[at + 1..]));
        let mut bytes = under_a_header(*kind, lines);
        for one in damage.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([one[0], one[1]])) % bytes.len();
            bytes[at] ^= one[2];
        }
        read(&bytes);
    }
    [] => read(data),
});

const DATES: [&str; 4] = ["2015-12-11", "2015-12-12", "2015-12-13", "+262142-12-31"];

fn under_a_header(kind: u8, lines: &[u8]) -> Vec<u8> {
    let detail = if kind == b'%' { Detail::Day } else { Detail::Files };
    let as_of = if kind == b'&' { "+262142-12-31T23:59:59Z" } else { "2026-11-25T03:00:00Z" };
    let as_of = as_of.parse().expect("an instant");
    let mut out = header(&Header { format: "lock/1".into(), job: "j".into(), as_of, detail, about: String::new() });
    let mut lines = lines.split(|byte| *byte == b'\n').peekable();
    while let Some(text) = lines.next() {
        let [b'D', series, date, other @ ..] = text else {
            out.extend(file(text));
            out.push(b'\n');
            continue;
        };
        let mut below = Vec::new();
        while let Some(text) = lines.next_if(|text| !text.starts_with(b"D") && !text.starts_with(b"{\"day\":")) {
            below.extend(file(text));
            below.push(b'\n');
        }
        let texts = below.split_inclusive(|byte| *byte == b'\n');
        let files: Vec<LockedFile> = texts.filter_map(|text| serde_json::from_slice(text).ok()).collect();
        out.extend(day(&DayRow {
            series: char::from(b'a' + series % 4).to_string(),
            date: DATES[usize::from(*date) % DATES.len()].parse().expect("a date"),
            scale: Scale::Utc,
            window: ["a".into(), "b".into()],
            spec: Digest::of(b"spec"),
            state: sunhaul::archive::State::Sealed,
            files: match detail {
                Detail::Files => files.iter().filter(|file| file.sha256.is_some()).count() as u64,
                Detail::Day => u64::MAX.checked_shr(u32::from(*date)).unwrap_or(0),
            },
            bytes: files.iter().filter_map(|file| file.bytes).fold(0, u64::saturating_add),
            absent: files.iter().filter(|file| file.absent.is_some()).count() as u64,
            digest: if other.is_empty() { digest(&files) } else { String::from_utf8_lossy(other).into_owned() },
            absent_digest: None,
        }));
        out.extend(below);
    }
    out.truncate(out.len() - usize::from(out.ends_with(b"\n\n")));
    out
}

/// A file's line: as it stands, or the one that it stands for.
fn file(text: &[u8]) -> Vec<u8> {
    let [kind @ (b'F' | b'A'), path, more @ ..] = text else { return text.to_vec() };
    let path = char::from(b'a' + path % 16);
    let what = match kind {
        b'F' => format!(r#","bytes":3,"sha256":"{}""#, Digest::of(b"abc")),
        _ if more.is_empty() => r#","absent":"404""#.to_owned(),
        _ => String::new(),
    };
    let line = format!(r#"{{"path":"s/{path}","time":"t","key":"{path}","url":"/"{what}"#).into_bytes();
    [&line, more, b"}"].concat()
}

fn header(header: &Header) -> Vec<u8> {
    format!("{{\"lock\":{}}}\n", serde_json::to_string(header).expect("a header can be written")).into_bytes()
}

fn day(row: &DayRow) -> Vec<u8> {
    format!("{{\"day\":{}}}\n", serde_json::to_string(row).expect("a day can be written")).into_bytes()
}

fn line(file: &LockedFile) -> Vec<u8> {
    format!("{}\n", serde_json::to_string(file).expect("a file can be written")).into_bytes()
}

fn digest(files: &[LockedFile]) -> String {
    format!("sha256:{}", of_files(files.iter().filter_map(|file| Some((file.sha256.as_ref()?, file.path.as_str())))))
}

fn read(bytes: &[u8]) {
    match lock_of(&FIRST, bytes) {
        Ok(lock) => {
            assert_eq!(lock.sha256(), Digest::of(bytes));
            holds(&lock);
            is_the_same_again(&lock);
            is_seen_when_cut(bytes);
        }
        Err(error) => is_told(&error, bytes),
    }
}

/// An error names a line that there is, or that is missing, and is safe to show.
fn is_told(error: &Error, bytes: &[u8]) {
    let Error::Line { line, why, hint, .. } = error else { panic!("{error}") };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
    assert!((1..=lines + 1).contains(line), "line {line} of {lines}");
    assert!(why.len() < 4096, "{} bytes of message", why.len());
    let shown = error.to_string();
    assert_safe_to_show(shown.strip_suffix(&format!("; hint: {hint}")).expect("a hint at the end"));
}

/// All that the planner and a run take from a lock is there, and in order.
fn holds(lock: &Lock) {
    let today = Bound::Today { minus_days: 0 };
    let range = Range { start: today, end: today };
    let _ = (range.resolve(lock.as_of(), Scale::Utc), range.resolve(lock.as_of(), Scale::Tai));
    assert!(lock.days().is_sorted_by(|a, b| (&a.series, a.date) < (&b.series, b.date)), "out of order, or twice");
    let total: Option<u64> = lock.days().flat_map(|row| [row.files, row.absent]).try_fold(0, u64::checked_add);
    assert!(total.is_some(), "more files than can be counted");
    for row in lock.days() {
        let id = SeriesId(row.series.clone());
        assert_eq!(lock.day(&id, row.date), Some(row));
        assert!(!Day::whole(row.date).window.is_empty());
        assert_safe_to_show(&row.digest);
        let files = lock.files(&id, row.date).expect("files that were read can be read again");
        let Some(files) = files else {
            assert_eq!(lock.detail(), Detail::Day);
            continue;
        };
        assert_eq!(row.digest, digest(&files));
        assert!(files.is_sorted_by(|a, b| a.path.as_bytes() <= b.path.as_bytes()), "out of order");
        files.iter().for_each(|file| assert_stays_below_the_root(&file.path));
        makes_a_record(row, files);
    }
}

/// What is sealed by a lock alone can be read by everybody.
fn makes_a_record(row: &DayRow, files: Vec<LockedFile>) {
    let DayRow { series, date, scale, window, spec, state, .. } = row.clone();
    let files = files.into_iter().map(|file| file.into_line(&series)).collect();
    let record = DayRecord::new(Lasting { job: "j".into(), series, date, scale, window, spec, state, records: None, left_out: None }, files);
    assert_eq!(DayRow::of(&record.header), *row);
    let path = std::path::Path::new("r");
    assert_eq!(DayRecord::parse(path, &record.to_bytes()).expect("a record of a lock's day reads back"), record);
}

/// Written again, it is read as the same; and once more, it has the same bytes.
fn is_the_same_again(lock: &Lock) {
    let written = written(lock);
    let again = lock_of(&AGAIN, &written).expect("what was written can be read");
    assert_eq!((again.detail(), again.as_of().timestamp()), (lock.detail(), lock.as_of().timestamp()));
    assert!(again.days().eq(lock.days()));
    for row in lock.days() {
        let id = SeriesId(row.series.clone());
        let files = |lock: &Lock| lock.files(&id, row.date).expect("files that were read can be read again");
        assert_eq!(files(&again), files(lock));
        assert!(DayChange::between(Some(lock), &again, &id, row.date).expect("both can be read").is_empty());
    }
    assert_eq!(self::written(&again), written);
}

fn written(lock: &Lock) -> Vec<u8> {
    let (as_of, detail) = (lock.as_of(), lock.detail());
    let mut out = header(&Header { format: "lock/1".into(), job: "j".into(), as_of, detail, about: String::new() });
    for row in lock.days() {
        out.extend(day(row));
        let files = lock.files(&SeriesId(row.series.clone()), row.date).expect("files that were read can be read again");
        out.extend(files.unwrap_or_default().iter().flat_map(line));
    }
    out
}

/// Of a lock that was cut, nothing is believed but whole days.
fn is_seen_when_cut(bytes: &[u8]) {
    let at = bytes.len() - 1 - usize::from(bytes[bytes.len() / 2]) % bytes.len();
    let is_between_days = bytes[..at].ends_with(b"\n") && (at == 0 || bytes[at..].starts_with(b"{\"day\":"));
    let is_of_days_alone = bytes[..at].ends_with(b"\n") && lock_of(&FIRST, bytes).is_ok_and(|lock| lock.detail() == Detail::Day);
    let cut = lock_of(&FIRST, &bytes[..at]);
    assert_eq!(cut.is_ok(), is_between_days || is_of_days_alone, "cut at {at}");
}
