//! Files that were edited, replaced, damaged or moved after they were put at their paths: none is sealed as it was, and
//! none is moved away.

use super::*;

impl Lab {
    fn write(&self, at: &str, bytes: &str) {
        std::fs::write(self.root().join(at), bytes).unwrap();
    }

    /// What it is to end a day as sealed.
    fn sealing(&self, work: DayWork, keys: &[&str]) -> Result<(DayRecord, u64), Error> {
        let seal = SealAs { lasting: lasting(self, "a", RecordState::Sealed), absent: Vec::new() };
        work.seal(seal, &keys.iter().map(|key| (*key).to_owned()).collect())
    }

    fn retired(&self) -> usize {
        std::fs::read_dir(self.root().join(".sunhaul/work/retired/s/2015-12-11")).map_or(0, Iterator::count)
    }
}

/// A file of three bytes that is edited, or replaced by another one, of the same length and with its old time.
fn become_other(lab: &Lab, at: &str, is_edited: bool) {
    use std::os::unix::fs::MetadataExt as _;
    let at = lab.root().join(at);
    let status = || std::fs::metadata(&at).map(|meta| (meta.ctime(), meta.ctime_nsec())).unwrap();
    let (before, modified) = (status(), std::fs::metadata(&at).unwrap().modified().unwrap());
    if !is_edited {
        std::fs::remove_file(&at).unwrap();
    }
    // The clock of a filesystem is coarse: written until it has gone on.
    loop {
        std::fs::write(&at, "own").unwrap();
        std::fs::File::options().write(true).open(&at).unwrap().set_modified(modified).unwrap();
        if status() != before {
            return;
        }
    }
}

fn move_folder(lab: &Lab) {
    std::fs::rename(lab.root().join("s"), lab.root().join("mine")).unwrap();
}

#[test]
fn a_day_is_not_sealed_when_a_file_is_not_where_the_record_would_say() {
    type Move = fn(&Lab);
    let moves: [(&str, Move, Class); 5] = [
        ("its folder was moved", move_folder, Class::Held),
        ("it was removed", |lab| std::fs::remove_file(lab.root().join("s/a")).unwrap(), Class::Held),
        ("it was replaced", |lab| become_other(lab, "s/a", false), Class::Occupied),
        ("it was edited", |lab| become_other(lab, "s/a", true), Class::Occupied),
        ("it was cut", |lab| lab.write("s/a", "o"), Class::Occupied),
    ];
    for (what, moved, class) in moves {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k1", "s/a", "one").unwrap();
        moved(&lab);
        let error = lab.sealing(work, &["k1"]).unwrap_err();
        assert_eq!(error.class(), class, "{what}: {error}");
        assert_eq!(Archive::record(lab.root(), &lab.series, lab.date).unwrap(), None, "{what}");
        let again = lab.sealing(lab.work("a"), &["k1"]);
        assert!(again.map_or(true, |(record, _)| record.files.is_empty()), "{what}: nor by the next go");
    }
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    move_folder(&lab);
    std::os::unix::fs::symlink("mine", lab.root().join("s")).unwrap();
    assert_eq!(lab.sealing(work, &["k1"]).unwrap_err().class(), Class::Held, "a link leads to its folder");
    // The same bytes under another inode are as good.
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    std::fs::remove_file(lab.root().join("s/a")).unwrap();
    lab.write("s/a", "one");
    lab.seal(work, "a", RecordState::Sealed, &["k1"]);
}

#[test]
fn a_provisional_file_that_was_changed_is_not_sealed_with_its_old_digest() {
    for is_edited in [true, false] {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k1", "s/a", "one").unwrap();
        let record = lab.seal(work, "a", RecordState::Provisional, &["k1"]);
        become_other(&lab, "s/a", is_edited);
        // Looked at again and again, until its owner moves it away or puts it back.
        for _ in 0..2 {
            let work = lab.work("a");
            work.adopt(vec![line("k1", "s/a", "one")]).unwrap();
            let error = lab.sealing(work, &["k1"]).unwrap_err();
            assert_eq!(error.class(), Class::Occupied);
            assert!(error.to_string().contains("`s/a` does not hold what sunhaul put there"), "{error}");
            assert_eq!((lab.text("s/a"), lab.retired()), ("own".into(), 0));
        }
        assert_eq!(Archive::record(lab.root(), &lab.series, lab.date).unwrap(), Some(record));
        lab.write("s/a", "one");
        assert_eq!(lab.sealing(lab.work("a"), &["k1"]).unwrap().0.files.len(), 1);
    }
}

#[test]
fn a_file_that_was_changed_is_displaced_by_nothing() {
    for (what, own) in [("of the same length", "own"), ("longer", "my notes"), ("shorter", "my")] {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k1", "s/a", "one").unwrap();
        publish(&work, "k2", "s/b", "two").unwrap();
        lab.seal(work, "a", RecordState::Provisional, &["k1", "k2"]);
        lab.write("s/a", own);
        let is_kept = || {
            lab.clean().unwrap();
            assert_eq!(lab.text("s/a"), own, "{what}");
        };
        // By what is due, whether it changed upstream or not.
        for body in ["one", "new"] {
            let work = lab.work("a");
            let error = publish(&work, "k1", "s/a", body).unwrap_err();
            assert!(matches!(error, Error::Changed { .. }), "{what}: {error}");
            work.take_back(["k1"]).unwrap();
        }
        is_kept();
        // Where it is no longer requested, it stays, and what was not changed goes.
        let work = lab.work("b");
        publish(&work, "k1", "other/a", "one").unwrap();
        let record = lab.seal(work, "b", RecordState::Sealed, &["k1"]);
        assert_eq!(record.files.len(), 1);
        assert!(!lab.root().join("s/b").exists());
        assert_eq!(lab.retired(), 1);
        is_kept();
        let error = publish(&lab.work("c"), "k1", "s/a", "one").unwrap_err();
        assert!(matches!(error, Error::Occupied { .. }), "from now on it is the user's: {error}");
    }
}

#[test]
fn a_file_of_an_unfinished_day_is_displaced_while_it_is_as_it_was_put_or_was_cut() {
    for (left, is_displaced) in [("one", true), ("on", true), ("", true), ("own", false), ("one more", false)] {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k1", "s/a", "one").unwrap();
        publish(&work, "k2", "s/b", "two").unwrap();
        drop(work);
        lab.write("s/a", left);
        let published = publish(&lab.work("a"), "k1", "s/a", "one").ok();
        let due = if left == "one" { Published::Kept } else { Published::Replaced };
        assert_eq!(published, is_displaced.then_some(due), "{left:?}");
        if !is_displaced {
            lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
            assert_eq!(lab.text("s/a"), left);
        }
    }
}

#[test]
fn a_go_that_another_version_began_to_retire_is_finished_without_what_was_known() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    drop(lab.work("b"));
    let journal = ".sunhaul/work/journal/s/2015-12-11.jsonl";
    let mut lines: Vec<String> = lab.text(journal).lines().map(str::to_owned).collect();
    for line in &mut lines {
        *line = line.split(",\"check\":").next().unwrap().to_owned() + "}";
    }
    lines.push("{\"retire\":{\"path\":\"s/a\"}}".to_owned());
    lab.write(journal, std::str::from_utf8(&journal_of(lines.iter().map(String::as_bytes))).unwrap());
    std::fs::remove_file(Archive::record_path(lab.root(), &lab.series, lab.date)).unwrap();
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
    assert_eq!(lab.retired(), 1);
}
