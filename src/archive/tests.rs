//! The archive through its own door: a day is taken, filled, sealed, taken again.

mod changed;
mod clean;
mod folders;
mod ownership;
mod shared_paths;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::day::Scale;
use crate::digest::Digest;
use crate::failure::{Class, Failure};

struct Lab {
    folder: tempfile::TempDir,
    archive: Arc<Archive>,
    series: SeriesId,
    date: NaiveDate,
}

impl Lab {
    fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let archive = Arc::new(Archive::open(folder.path(), LockMode::Flock).unwrap());
        Lab { folder, archive, series: SeriesId("s".into()), date: "2015-12-11".parse().unwrap() }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self, spec: &str) -> Opened {
        self.archive.take(&self.series, self.date, spec_of(spec), "job", Trust::All).unwrap()
    }

    fn work(&self, spec: &str) -> DayWork {
        match self.open(spec) {
            Opened::Work(work) => *work,
            other => panic!("expected a day to work on, found {other:?}"),
        }
    }

    fn seal(&self, work: DayWork, spec: &str, state: RecordState, keys: &[&str]) -> DayRecord {
        let lasting = lasting(self, spec, state);
        let keys: HashSet<String> = keys.iter().map(|k| (*k).to_owned()).collect();
        work.seal(SealAs { lasting, absent: Vec::new() }, &keys).unwrap().0
    }

    fn clean(&self) -> Result<Cleaned, Error> {
        Archive::clean(self.root(), LockMode::Flock)
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }
}

/// A journal that was written otherwise, with the checks that belong to it.
fn written_otherwise(journal: &str, from: &str, to: &str) -> String {
    let objects = journal.lines().map(|line| line.split(",\"check\":").next().unwrap().to_owned() + "}");
    let objects: Vec<String> = objects.map(|object| object.replace(from, to)).collect();
    String::from_utf8(journal_of(objects.iter().map(String::as_bytes))).unwrap()
}

fn lasting(lab: &Lab, spec: &str, state: RecordState) -> RecordBasis {
    RecordBasis {
        job: "job".into(),
        series: "s".into(),
        date: lab.date,
        scale: Scale::Utc,
        window: ["2015-12-11T00:00:00Z".into(), "2015-12-12T00:00:00Z".into()],
        spec: spec_of(spec),
        state,
        records: None,
        left_out: None,
    }
}

/// What one source is asked for.
fn spec_of(asked: &str) -> Digest {
    Digest::of_two(b"source", asked.as_bytes())
}

fn path(text: &str) -> RelativePath {
    RelativePath::from_record(text).unwrap()
}

fn line(key: &str, at: &str, body: &str) -> FileLine {
    FileLine {
        series: "s".into(),
        preexisting: false,
        path: at.into(),
        bytes: Some(body.len() as u64),
        sha256: Some(Digest::sha256(body.as_bytes())),
        time: "2015-12-11T00:00:00Z".into(),
        key: key.into(),
        url: format!("/{key}"),
        source_series: None,
        recnum: None,
        harpnum: None,
        segment: None,
        checked: Some(Checked::Size),
        absent: None,
        reason: None,
        header: None,
        data: None,
        listed: None,
        etag: None,
        last_modified: None,
        redirected: None,
        instant: None,
        origin: None,
        cards: None,
        storage: None,
    }
}

fn publish(work: &DayWork, key: &str, at: &str, body: &str) -> Result<Published, Error> {
    work.publish(unnamed(work, key, body), &path(at), line(key, at, body))
}

fn unnamed(work: &DayWork, key: &str, body: &str) -> Staged {
    let mut staged = work.part(key).unwrap().unnamed().unwrap().unwrap();
    staged.write(body.as_bytes()).unwrap();
    staged
}

fn by_part(work: &DayWork, key: &str, at: &str, body: &str) -> Result<Published, Error> {
    let mut writer = work.part(key).unwrap().create(&Validators::default()).unwrap();
    writer.write(body.as_bytes()).unwrap();
    work.publish(writer, &path(at), line(key, at, body))
}

#[test]
fn a_day_that_was_started_tells_what_is_there_until_it_is_sealed() {
    let lab = Lab::new();
    let started = || Reader::open(lab.root()).unwrap().started(&lab.series, lab.date).unwrap();
    assert_eq!(started(), None);
    let work = lab.work("a");
    assert_eq!(started(), Some(Started { job: Some("job".into()), files: 0, bytes: 0 }));
    publish(&work, "k1", "s/2015/a.dat", "one").unwrap();
    by_part(&work, "k2", "s/2015/b.dat", "three").unwrap();
    assert_eq!(started(), Some(Started { job: Some("job".into()), files: 2, bytes: 8 }));
    drop(work);
    // Another go, and a line that a crash has cut.
    let journal = lab.root().join(".sunhaul/work/journal/s/2015-12-11.jsonl");
    let text = lab.text(".sunhaul/work/journal/s/2015-12-11.jsonl");
    std::fs::write(&journal, format!("{text}{{\"file\":{{")).unwrap();
    assert_eq!(started(), Some(Started { job: Some("job".into()), files: 2, bytes: 8 }));
    let work = lab.work("a");
    assert_eq!(started(), Some(Started { job: Some("job".into()), files: 2, bytes: 8 }));
    lab.seal(work, "a", RecordState::Sealed, &["k1", "k2"]);
    assert_eq!(started(), None);
}

#[test]
fn a_day_is_filled_sealed_and_then_done() {
    let lab = Lab::new();
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "s/2015/a.dat", "one").unwrap(), Published::New);
    assert_eq!(by_part(&work, "k2", "s/2015/b.dat", "two").unwrap(), Published::New);
    let record = lab.seal(work, "a", RecordState::Sealed, &["k1", "k2"]);
    assert_eq!((record.header.files, record.header.bytes), (2, 6));
    assert_eq!((lab.text("s/2015/a.dat"), lab.text("s/2015/b.dat")), ("one".into(), "two".into()));
    assert_eq!(Archive::record(lab.root(), &lab.series, lab.date).unwrap(), Some(record.clone()));
    assert_eq!(Archive::header(lab.root(), &lab.series, lab.date).unwrap(), Some(record.header));
    assert!(matches!(lab.open("a"), Opened::Done(_)));
    assert!(!lab.root().join(".sunhaul/work/journal/s/2015-12-11.jsonl").exists());
}

#[test]
fn an_interrupted_day_has_what_it_journalled_and_nothing_else() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    publish(&work, "k2", "s/b", "two").unwrap();
    drop(work);
    std::fs::remove_file(lab.root().join("s/b")).unwrap();
    let journal = lab.root().join(".sunhaul/work/journal/s/2015-12-11.jsonl");
    let mut torn = std::fs::read(&journal).unwrap();
    torn.extend_from_slice(br#"{"file":{"series":"s","path":"s/c","#);
    std::fs::write(&journal, torn).unwrap();
    let work = lab.work("a");
    assert_eq!(work.have("k1"), Some(line("k1", "s/a", "one")));
    assert_eq!(work.have("k2"), None, "a line without a file is fetched again");
    assert_eq!(publish(&work, "k2", "s/b", "two").unwrap(), Published::New);
    assert_eq!(lab.seal(work, "a", RecordState::Sealed, &["k1", "k2"]).header.files, 2);
}

#[test]
fn a_journal_of_another_boot_is_hashed_before_it_is_believed() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    publish(&work, "k2", "s/b", "two").unwrap();
    drop(work);
    let journal = lab.root().join(".sunhaul/work/journal/s/2015-12-11.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, written_otherwise(&text, "\"boot_id\":\"", "\"boot_id\":\"another-")).unwrap();
    // What a power cut leaves: the length, not the bytes.
    std::fs::write(lab.root().join("s/b"), "\0\0\0").unwrap();
    let work = lab.work("a");
    assert_eq!(work.have("k1"), Some(line("k1", "s/a", "one")));
    assert_eq!((work.have("k2"), work.prior("k2")), (None, None));
    assert_eq!(publish(&work, "k2", "s/b", "two").unwrap(), Published::Replaced);
    assert_eq!(lab.text("s/b"), "two");
    assert_eq!(lab.text(".sunhaul/work/retired/s/2015-12-11/b"), "\0\0\0");
}

#[test]
fn an_occupied_path_is_kept_when_equal_and_never_replaced_when_not() {
    let lab = Lab::new();
    std::fs::create_dir(lab.root().join("s")).unwrap();
    std::fs::write(lab.root().join("s/a"), "one").unwrap();
    std::fs::write(lab.root().join("s/b"), "mine").unwrap();
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Kept);
    for again in [publish(&work, "k2", "s/b", "two"), by_part(&work, "k2", "s/b", "two")] {
        assert_eq!(again.unwrap_err().class(), Class::Occupied);
    }
    assert_eq!(lab.text("s/b"), "mine");
    assert_eq!(work.have("k2"), None);
    drop(work);
    assert_eq!(lab.work("a").have("k2"), None, "the journal does not name the user's file");
}

#[test]
fn symlinks_and_pipes_on_the_way_are_not_written_through() {
    let lab = Lab::new();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), lab.root().join("s")).unwrap();
    let work = lab.work("a");
    assert_eq!(publish(&work, "k", "s/a", "one").unwrap_err().class(), Class::Storage);
    std::fs::create_dir(lab.root().join("t")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("x"), lab.root().join("t/a")).unwrap();
    assert_eq!(publish(&work, "k", "t/a", "one").unwrap_err().class(), Class::Occupied);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        lab.root().join("t/b"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(publish(&work, "k", "t/b", "one").unwrap_err().class(), Class::Occupied);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn another_spec_keeps_what_is_asked_again_and_retires_the_rest() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    publish(&work, "k2", "s/b", "two").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k1", "k2"]);
    let work = lab.work("b");
    let prior = work.prior("k1").cloned().unwrap();
    assert_eq!(work.adopt(vec![prior.line]).unwrap(), HashSet::from(["k1".to_owned()]));
    publish(&work, "k3", "s/c", "three").unwrap();
    let record = lab.seal(work, "b", RecordState::Sealed, &["k1", "k3"]);
    assert_eq!(record.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["s/a", "s/c"]);
    assert!(!lab.root().join("s/b").exists());
    assert_eq!(lab.text(".sunhaul/work/retired/s/2015-12-11/b"), "two");
}

#[test]
fn nothing_is_kept_of_another_source_though_its_keys_and_paths_are_the_same() {
    let lab = Lab::new();
    let spec = |source: &str| Digest::of_two(source.as_bytes(), b"asked");
    let take = |source: &str| match lab.archive.take(&lab.series, lab.date, spec(source), "job", Trust::All).unwrap() {
        Opened::Work(work) => *work,
        other => panic!("expected a day to work on, found {other:?}"),
    };
    // One file journalled only, one in a record that another spec of the same source then asks for again.
    let work = take("one");
    publish(&work, "k1", "s/a", "one").unwrap();
    drop(work);
    let work = take("two");
    assert_eq!((work.have("k1"), work.prior("k1")), (None, None));
    assert_eq!(publish(&work, "k1", "s/a", "two").unwrap(), Published::Replaced);
    assert_eq!(lab.text("s/a"), "two");
    assert_eq!(lab.text(".sunhaul/work/retired/s/2015-12-11/a"), "one");
    lab.seal(work, "irrelevant", RecordState::Sealed, &["k1"]);
    let work = take("three");
    assert_eq!(work.prior("k1"), None);
}

#[test]
fn a_record_of_a_newer_version_is_refused_and_left_alone() {
    let lab = Lab::new();
    lab.seal(lab.work("a"), "a", RecordState::Sealed, &[]);
    let at = Archive::record_path(lab.root(), &lab.series, lab.date);
    let newer = std::fs::read_to_string(&at).unwrap().replace("day/1", "day/2");
    std::fs::write(&at, &newer).unwrap();
    let error = lab.archive.take(&lab.series, lab.date, spec_of("a"), "job", Trust::All).unwrap_err();
    assert!(matches!(error, Error::Newer { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&at).unwrap(), newer);
}

#[test]
fn a_day_that_someone_else_holds_is_held_and_a_clean_waits_for_it() {
    let lab = Lab::new();
    let work = lab.work("a");
    assert!(matches!(lab.open("a"), Opened::Held));
    assert_eq!(lab.clean().unwrap().held, [("s".to_owned(), lab.date)]);
    drop(work);
    let cleaned = lab.clean().unwrap();
    assert_eq!((cleaned.held.len(), cleaned.files), (0, 1));
    assert!(matches!(lab.open("a"), Opened::Work(_)));
}

#[test]
fn another_job_that_asked_for_something_else_is_an_error_with_a_way_out() {
    let lab = Lab::new();
    let work = lab.work("a");
    lab.seal(work, "a", RecordState::Sealed, &[]);
    let take = |spec: &str| lab.archive.take(&lab.series, lab.date, spec_of(spec), "other", Trust::All);
    let error = take("b").unwrap_err();
    assert_eq!(error.class(), Class::Record);
    assert!(error.to_string().contains("`as:`"), "{error}");
    assert!(matches!(take("a").unwrap(), Opened::Done(_)), "the same spec is shared");
}

#[test]
fn a_part_is_trusted_only_with_its_sidecar_its_key_and_its_boot() {
    let lab = Lab::new();
    let work = lab.work("a");
    let part = work.part("k").unwrap();
    assert_eq!(part.left(), None);
    let validators = Validators { etag: Some("\"e\"".into()), total: Some(9), ..Validators::default() };
    let mut writer = part.create(&validators).unwrap();
    writer.write(b"four").unwrap();
    assert_eq!(part.left(), Some((validators, 4)));
    let sidecar = part.path().with_extension("json");
    let text = std::fs::read_to_string(&sidecar).unwrap();
    std::fs::write(&sidecar, text.replace("\"boot_id\":\"", "\"boot_id\":\"another-")).unwrap();
    assert_eq!(part.left(), None);
    std::fs::write(&sidecar, &text[..text.len() / 2]).unwrap();
    assert_eq!(part.left(), None);
}

#[test]
fn a_bad_body_lies_in_quarantine_with_its_reason() {
    let lab = Lab::new();
    let work = lab.work("a");
    let why = Failure::new(Class::FitsChecksum, "the sum is wrong");
    work.quarantine(unnamed(&work, "k", "bad"), "k", "/HMI/s/a.fits", &why).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(lab.root().join(".sunhaul/work/quarantine/s/2015-12-11"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    assert_eq!(std::fs::read(&names[0]).unwrap(), b"bad");
    assert!(std::fs::read_to_string(&names[1]).unwrap().contains("fits-checksum"));
}

#[test]
fn a_journalled_file_that_another_spec_displaced_is_not_believed_again() {
    let lab = Lab::new();
    publish(&lab.work("a"), "k1", "s/a", "one").unwrap();
    assert_eq!(publish(&lab.work("b"), "k2", "s/a", "two").unwrap(), Published::Replaced);
    let work = lab.work("a");
    assert_eq!(work.have("k1"), None, "the path holds other bytes of the same length");
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Replaced);
    lab.seal(work, "a", RecordState::Sealed, &["k1"]);
    assert_eq!(lab.text("s/a"), "one");
}

#[test]
fn a_file_that_another_layout_left_behind_is_retired() {
    let lab = Lab::new();
    publish(&lab.work("a"), "k1", "s/old", "one").unwrap();
    let work = lab.work("b");
    publish(&work, "k1", "s/new", "one").unwrap();
    drop(work);
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &["k1"]);
    assert!(lab.root().join("s/new").exists() && !lab.root().join("s/old").exists());
}

#[test]
fn an_empty_listing_counts_for_its_own_spec_and_until_a_fuller_one() {
    let lab = Lab::new();
    let at = "2016-01-01T00:00:00Z".parse().unwrap();
    lab.work("a").note_empty(at).unwrap();
    assert_eq!(lab.work("a").empty_at(), Some(at));
    assert_eq!(lab.work("b").empty_at(), None, "another question was asked");
    assert_eq!(lab.work("b").empty_at(), None);
    lab.work("b").note_empty(at).unwrap();
    lab.work("b").note_listed().unwrap();
    assert_eq!(lab.work("b").empty_at(), None, "it held files in between");
}

#[test]
fn without_locks_a_day_done_twice_at_once_publishes_no_half_file() {
    let mut lab = Lab::new();
    lab.archive = Arc::new(Archive::open(lab.root(), LockMode::None).unwrap());
    let (one, two) = (lab.work("a"), lab.work("a"));
    let mut first = one.part("k").unwrap().create(&Validators::default()).unwrap();
    first.write(b"whole").unwrap();
    let mut second = two.part("k").unwrap().create(&Validators::default()).unwrap();
    second.write(b"wh").unwrap();
    let error = one.publish(first, &path("s/a"), line("k", "s/a", "whole")).unwrap_err();
    assert_eq!(error.class(), Class::Held);
    assert!(!lab.root().join("s/a").exists());
    // Both go on with one part: each byte has one place.
    let mut third = one.part("k").unwrap().append(2, &Validators::default()).unwrap();
    third.write(b"ole").unwrap();
    second.write(b"ole").unwrap();
    two.publish(second, &path("s/a"), line("k", "s/a", "whole")).unwrap();
    assert_eq!(lab.text("s/a"), "whole");
}

#[test]
fn a_small_body_leaves_nothing_unless_it_is_kept() {
    let lab = Lab::new();
    let work = lab.work("a");
    let part = work.part("k").unwrap();
    drop(unnamed(&work, "k", "dropped"));
    assert_eq!(part.left(), None);
    let validators = Validators { etag: Some("\"1\"".into()), ..Validators::default() };
    let mut staged = unnamed(&work, "k", "half");
    staged.keep(&validators).unwrap();
    drop(staged);
    assert_eq!(part.left(), Some((validators, 4)));
}

#[test]
fn a_record_is_taken_down_before_a_file_of_it_is_displaced() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    publish(&work, "k2", "s/b", "bee").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k1", "k2"]);
    let work = lab.work("b");
    assert_eq!(publish(&work, "other", "s/a", "two").unwrap(), Published::Replaced);
    drop(work);
    // Back to what the record answered: it would have vouched for `one`.
    let work = lab.work("a");
    assert_eq!((work.have("k1"), work.have("k2")), (None, Some(line("k2", "s/b", "bee"))));
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Replaced);
    lab.seal(work, "a", RecordState::Sealed, &["k1", "k2"]);
    assert_eq!((lab.text("s/a"), lab.text("s/b")), ("one".into(), "bee".into()));
}

proptest::proptest! {
    #[test]
    fn no_journal_leads_out_of_the_archive(
        lines in proptest::collection::vec("(?s).{0,30}|[fvrsjel]", 0..12), path in "[./a]{0,6}", cut in 0usize..20,
    ) {
        let spec = spec_of("a");
        let file = serde_json::to_string(&line("k", &path, "x")).unwrap();
        let lines: Vec<String> = lines
            .into_iter()
            .map(|line| match line.as_str() {
                "f" => format!("{{\"file\":{file}}}"),
                "v" => "{\"void\":{\"key\":\"k\"}}".to_owned(),
                "r" => format!("{{\"retire\":{{\"path\":\"{path}\"}}}}"),
                "s" => "{\"unsynced\":{}}".to_owned(),
                "j" => format!("{{\"journal\":{{\"format\":\"journal/1\",\"boot_id\":\"b\",\"spec\":\"{spec}\"}}}}"),
                _ => line,
            })
            .collect();
        let journal = journal_of(lines.iter().map(String::as_bytes));
        let left = &journal[..journal.len().saturating_sub(cut)];
        for path in journal_paths(Path::new("j"), left, spec) {
            proptest::prop_assert!(RelativePath::from_record(&path).is_some(), "{path:?}");
        }
    }
}
