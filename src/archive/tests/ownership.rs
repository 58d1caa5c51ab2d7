//! What is whose: files that were only meant to be published, found, taken back, or lost in a crash; and what a day
//! leaves behind.

use super::*;

const JOURNAL: &str = ".sunhaul/work/journal/s/2015-12-11.jsonl";

impl Lab {
    pub(super) fn put(&self, at: &str, bytes: &str) {
        let at = self.root().join(at);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, bytes).unwrap();
    }

    /// As if the machine had been started anew since the journal was written.
    fn boot(&self) {
        self.put(JOURNAL, &written_otherwise(&self.text(JOURNAL), "\"boot_id\":\"", "\"boot_id\":\"another-"));
    }

    pub(super) fn exists(&self, at: &str) -> bool {
        self.root().join(at).exists()
    }
}

#[test]
fn a_users_file_where_one_was_only_meant_to_be_is_never_taken_for_ours() {
    // What a kill between the journal line and the name leaves: nothing says that the file got its name.
    for (theirs, is_kept) in [("own", false), ("longer", false), ("", false), ("one", true)] {
        let lab = Lab::new();
        publish(&lab.work("a"), "k1", "s/a", "one").unwrap();
        lab.put("s/a", theirs);
        let work = lab.work("a");
        assert_eq!(work.have("k1").is_some(), is_kept, "{theirs}");
        let again = publish(&work, "k1", "s/a", "one");
        assert_eq!(again.map_err(|e| e.class()).ok(), is_kept.then_some(Published::Kept), "{theirs}");
        lab.seal(work, "a", RecordState::Sealed, &[]);
        assert_eq!(lab.exists("s/a"), !is_kept, "only what is ours is retired");
        if !is_kept {
            assert_eq!(lab.text("s/a"), theirs);
        }
    }
}

#[test]
fn a_file_that_was_found_stays_the_users_whatever_names_it() {
    let lab = Lab::new();
    lab.put("s/a", "one");
    assert_eq!(publish(&lab.work("a"), "k1", "s/a", "one").unwrap(), Published::Kept);
    lab.put("s/a", "my notes");
    let work = lab.work("a");
    assert_eq!(work.have("k1"), None);
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap_err().class(), Class::Occupied);
    lab.put("s/a", "one");
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Kept);
    let record = lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    assert!(record.files[0].preexisting, "{record:?}");
    // Upstream has other bytes now; the record is taken down for another file in between, and a kill comes.
    for _ in 0..2 {
        let work = lab.work("a");
        assert_eq!(publish(&work, "k1", "s/a", "two").unwrap_err().class(), Class::Occupied);
        work.withdraw().unwrap();
    }
    let work = lab.work("a");
    work.adopt(vec![line("k1", "s/a", "one")]).unwrap();
    assert!(lab.seal(work, "a", RecordState::Sealed, &["k1"]).files[0].preexisting);
    // A record that can be read in part still says whose it is, and one that says nothing claims nothing.
    let at = Archive::record_path(lab.root(), &lab.series, lab.date);
    let whole = std::fs::read(&at).unwrap();
    for left in [&whole[..whole.len() - 20], &whole[..whole.len() / 2], b""] {
        std::fs::write(&at, left).unwrap();
        let work = lab.work("a");
        assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Kept);
        assert!(lab.seal(work, "a", RecordState::Sealed, &["k1"]).files[0].preexisting);
    }
    // Edited by its owner, it is no file of ours that went bad.
    lab.put("s/a", "my notes");
    assert_eq!(lab.archive.retire_changed(&lab.series, lab.date, &["s/a".into()]).unwrap(), Some(Vec::new()));
    lab.put("s/a", "one");
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
    assert_eq!(lab.text("s/a"), "one", "another question does not ask for it, and it is not ours to retire");
    lab.clean().unwrap();
    assert_eq!(lab.text("s/a"), "one");
}

#[test]
fn a_file_of_ours_stays_ours_though_its_record_is_damaged() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    let record = lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    let at = Archive::record_path(lab.root(), &lab.series, lab.date);
    let whole = std::fs::read(&at).unwrap();
    std::fs::write(&at, &whole[..whole.len() - 20]).unwrap();
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Kept);
    assert_eq!(lab.seal(work, "a", RecordState::Provisional, &["k1"]), record);
    assert_eq!(publish(&lab.work("a"), "k1", "s/a", "two").unwrap(), Published::Replaced);
}

#[test]
fn a_file_that_its_owner_removed_and_we_fetched_is_ours() {
    let lab = Lab::new();
    lab.put("s/a", "one");
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    std::fs::remove_file(lab.root().join("s/a")).unwrap();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    assert!(!lab.seal(work, "a", RecordState::Provisional, &["k1"]).files[0].preexisting);
}

#[test]
fn what_is_published_after_its_folder_was_moved_lies_where_the_record_says() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/2015/a", "one").unwrap();
    std::fs::rename(lab.root().join("s"), lab.root().join("mine")).unwrap();
    publish(&work, "k2", "s/2015/b", "two").unwrap();
    assert_eq!(lab.text("s/2015/b"), "two");
}

#[test]
fn d_10_a_journal_under_another_days_name_claims_nothing() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    publish(&work, "k2", "s/b", "two").unwrap();
    drop(work);
    let other: NaiveDate = "2015-12-12".parse().unwrap();
    lab.put(".sunhaul/work/journal/s/2015-12-12.jsonl", &lab.text(JOURNAL));
    let Opened::Work(work) = lab.archive.take(&lab.series, other, spec_of("a"), "job", Trust::All).unwrap() else {
        panic!("nobody holds it")
    };
    assert_eq!((work.have("k1"), work.had_files()), (None, false));
    work.seal(
        SealAs { lasting: RecordBasis { date: other, ..lasting(&lab, "a", RecordState::Sealed) }, absent: Vec::new() },
        &HashSet::new(),
    )
    .unwrap();
    assert_eq!((lab.text("s/a"), lab.text("s/b")), ("one".into(), "two".into()));
    assert!(lab.work("a").have("k1").is_some(), "its own day goes on");
}

#[test]
fn f_04_a_name_of_the_longest_kind_is_retired_again_and_again() {
    let lab = Lab::new();
    let long = format!("s/{}", "\u{e9}".repeat(127));
    for body in ["one", "two", "three", "four"] {
        let work = lab.work("a");
        publish(&work, "k1", &long, body).unwrap();
        lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    }
    let retired = std::fs::read_dir(lab.root().join(".sunhaul/work/retired/s/2015-12-11")).unwrap();
    assert_eq!(retired.count(), 3);
}

#[test]
fn a_file_that_is_retired_again_with_the_same_bytes_is_kept_once() {
    let lab = Lab::new();
    // Whatever its path is called, as after a change of layout.
    let paths = ["s/a", "s/a", "s/b", "s/b", "s/c", "s/b", "s/a"];
    for (at, body) in paths.into_iter().zip(["one", "two"].into_iter().cycle()) {
        let work = lab.work("a");
        publish(&work, "k1", at, body).unwrap();
        lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    }
    let retired = std::fs::read_dir(lab.root().join(".sunhaul/work/retired/s/2015-12-11")).unwrap();
    let mut bodies: Vec<_> = retired.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    bodies.sort();
    assert_eq!((bodies, lab.text("s/a")), (vec!["one".to_owned(), "two".to_owned()], "one".to_owned()));
}

#[test]
fn a_file_with_a_second_name_among_the_retired_leaves_its_path() {
    // As a kill leaves it between a rename and the removal of the old name: as one file, and as two equal files where the
    // filesystem gives each name an inode number of its own.
    for is_one_file in [true, false] {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k1", "s/a", "one").unwrap();
        lab.seal(work, "a", RecordState::Provisional, &["k1"]);
        lab.put(".sunhaul/work/retired/s/2015-12-11/first", "one");
        if is_one_file {
            std::fs::remove_file(lab.root().join(".sunhaul/work/retired/s/2015-12-11/first")).unwrap();
            std::fs::hard_link(lab.root().join("s/a"), lab.root().join(".sunhaul/work/retired/s/2015-12-11/first"))
                .unwrap();
        }
        let work = lab.work("a");
        assert_eq!(publish(&work, "k1", "s/a", "two").unwrap(), Published::Replaced);
        lab.seal(work, "a", RecordState::Provisional, &["k1"]);
        let retired = std::fs::read_dir(lab.root().join(".sunhaul/work/retired/s/2015-12-11")).unwrap();
        let bodies: Vec<_> = retired.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
        assert_eq!((bodies, lab.text("s/a")), (vec!["one".to_owned()], "two".to_owned()), "{is_one_file}");
    }
}

#[test]
fn a_file_that_two_keys_want_is_taken_back_and_nobodys() {
    let lab = Lab::new();
    lab.put("s/own", "mine");
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    publish(&work, "k2", "s/own", "mine").unwrap();
    work.take_back(["k1", "k2", "k3"]).unwrap();
    assert_eq!((work.have("k1"), work.have("k2")), (None, None));
    drop(work);
    assert!(!lab.exists("s/a"));
    assert_eq!(lab.text(".sunhaul/work/retired/s/2015-12-11/a"), "one");
    assert_eq!(lab.text("s/own"), "mine", "the user's own file stays");
    // What somebody puts there from now on is theirs.
    lab.put("s/a", "their");
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap_err().class(), Class::Occupied);
    lab.seal(work, "a", RecordState::Sealed, &[]);
    assert_eq!((lab.text("s/a"), lab.text("s/own")), ("their".into(), "mine".into()));
}

#[test]
fn what_a_standing_record_names_is_not_taken_back() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    let work = lab.work("a");
    work.adopt(vec![line("k1", "s/a", "one")]).unwrap();
    work.take_back(["k1"]).unwrap();
    assert_eq!(lab.text("s/a"), "one");
    let record = Archive::record(lab.root(), &lab.series, lab.date).unwrap().expect("it stands");
    assert!(Reader::open(lab.root()).unwrap().missing(&record).is_empty());
}

#[test]
fn only_what_a_lost_write_can_leave_is_displaced_after_a_crash() {
    let lab = Lab::new();
    publish(&lab.work("a"), "k1", "s/a", "one").unwrap();
    lab.boot();
    lab.put("s/a", "\0\0\0");
    lab.put("s/b", "");
    lab.put("s/c", "my notes");
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "s/a", "one").unwrap(), Published::Replaced);
    assert_eq!(publish(&work, "k2", "s/b", "two").unwrap(), Published::Replaced, "its line was lost with it");
    assert_eq!(publish(&work, "k3", "s/c", "three").unwrap_err().class(), Class::Occupied);
    // Without a crash an empty file is as much the user's as any other.
    let lab = Lab::new();
    lab.put("s/b", "");
    assert_eq!(publish(&lab.work("a"), "k2", "s/b", "two").unwrap_err().class(), Class::Occupied);
    // A journal that lost all its lines tells of one too, and later goes know it.
    lab.put(JOURNAL, "");
    drop(lab.work("a"));
    assert_eq!(publish(&lab.work("a"), "k2", "s/b", "two").unwrap(), Published::Replaced);
}

#[test]
fn d_09_a_lost_write_leaves_no_more_bytes_than_were_written_each_right_or_zero() {
    let lab = Lab::new();
    lab.put(JOURNAL, "");
    let work = lab.work("a");
    for (nth, left) in ["", "t", "tw", "t\0o", "\0\0o", "\0"].into_iter().enumerate() {
        let path = format!("s/{nth}");
        lab.put(&path, left);
        assert_eq!(publish(&work, &path, &path, "two").unwrap(), Published::Replaced, "{left:?}");
    }
    for (nth, other) in ["two ", "to", "\0\0\0\0", "TWO"].into_iter().enumerate() {
        let path = format!("s/other{nth}");
        lab.put(&path, other);
        assert_eq!(publish(&work, &path, &path, "two").unwrap_err().class(), Class::Occupied, "{other:?}");
        assert_eq!(lab.text(&path), other);
    }
}

#[test]
fn what_a_kill_left_of_a_day_that_its_record_answers_is_put_away() {
    let lab = Lab::new();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    let record = lab.seal(work, "a", RecordState::Sealed, &["k1"]);
    let is_done = || {
        let Opened::Done(done) = lab.open("a") else { panic!("it is sealed") };
        assert_eq!((&*done, lab.text("s/a")), (&record, "one".into()));
        assert!(!lab.exists(".sunhaul/work/journal/s") && !lab.exists(".sunhaul/work/partial/s"));
    };
    // The kill came after the record had its name.
    let (journal, part) = ([&b"{\"listed\":{}}"[..]], ".sunhaul/work/partial/s/2015-12-11/record.1");
    lab.put(JOURNAL, &String::from_utf8(journal_of(journal)).unwrap());
    lab.put(part, "half");
    is_done();
    // Two kills while the day was asked for otherwise, and then as before.
    for (key, path) in [("k2", "s/b"), ("k3", "s/c")] {
        let work = lab.work("b");
        publish(&work, key, path, "two").unwrap();
        if key == "k3" {
            publish(&work, "k1", "s/a", "one").unwrap();
        }
    }
    lab.put("s/e", "found");
    publish(&lab.work("b"), "k5", "s/e", "found").unwrap();
    is_done();
    assert_eq!([lab.exists("s/b"), lab.exists("s/c")], [false, false]);
    assert_eq!(lab.text(".sunhaul/work/retired/s/2015-12-11/c"), "two");
    assert!(!lab.exists(".sunhaul/work/retired/s/2015-12-11/b"), "of equal files, one is kept");
    assert_eq!((lab.text("s/e"), lab.exists(".sunhaul/work/retired/s/2015-12-11/e")), ("found".into(), false));
}

#[test]
fn d_10_a_journal_is_cut_where_it_cannot_be_read_so_that_later_lines_count() {
    let lab = Lab::new();
    publish(&lab.work("a"), "k1", "s/a", "one").unwrap();
    lab.put(JOURNAL, &format!("{}\0\0\0\n{{\"void\":{{\"key\":\"k1\"}}}}\n", lab.text(JOURNAL)));
    let work = lab.work("a");
    assert!(work.have("k1").is_some());
    publish(&work, "k2", "s/b", "two").unwrap();
    drop(work);
    let work = lab.work("a");
    assert!(work.have("k1").is_some() && work.have("k2").is_some());
}

#[test]
fn d_10_a_journal_of_a_newer_version_is_refused_and_left_alone() {
    let lab = Lab::new();
    publish(&lab.work("a"), "k1", "s/a", "one").unwrap();
    let text = lab.text(JOURNAL);
    // Another version may check its lines otherwise, or as this one does.
    for newer in [text.replace("journal/1", "journal/2"), written_otherwise(&text, "journal/1", "journal/2")] {
        lab.put(JOURNAL, &newer);
        let error = lab.archive.take(&lab.series, lab.date, spec_of("a"), "job", Trust::All).unwrap_err();
        assert!(matches!(error, Error::Newer { .. }), "{error}");
        assert_eq!(lab.text(JOURNAL), newer);
    }
}

#[test]
fn d_10_a_journal_whose_lines_were_edited_or_moved_is_believed_up_to_there() {
    let lab = Lab::new();
    let work = lab.work("a");
    for (key, path) in [("k1", "s/a"), ("k2", "s/b"), ("k3", "s/c")] {
        publish(&work, key, path, "one").unwrap();
    }
    drop(work);
    let whole = lab.text(JOURNAL);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let second = lines.iter().position(|line| line.contains("\"k2\"")).unwrap();
    let hash = Digest::sha256(b"one").to_string();
    let without_check = lines[second].split(",\"check\":").next().unwrap().to_owned() + "}\n";
    let edits = [
        lines[second].replace(&hash, &Digest::sha256(b"two").to_string()),
        lines[second].replace("s/b", "s/x"),
        without_check,
        String::new(),
        lines[0].to_owned(),
    ];
    for edited in edits {
        lab.put(JOURNAL, &(lines[..second].concat() + &edited + &lines[second + 1..].concat()));
        let work = lab.work("a");
        assert_eq!(work.have("k1"), Some(line("k1", "s/a", "one")), "{edited}");
        assert_eq!((work.have("k2"), work.have("k3")), (None, None), "{edited}");
        // What is there all the same is found, and whose it is is not known any more.
        assert_eq!(publish(&work, "k2", "s/b", "one").unwrap(), Published::Kept);
        assert_eq!(publish(&work, "k3", "s/c", "two").unwrap_err().class(), Class::Occupied);
        drop(work);
        assert!(lab.work("a").have("k2").is_some(), "the lines after count again");
    }
}

#[test]
fn what_a_young_day_had_is_asked_about_again_and_what_an_old_one_had_is_not() {
    let lab = Lab::new();
    let work = lab.work("a");
    work.note_young().unwrap();
    publish(&work, "k1", "s/a", "one").unwrap();
    drop(work);
    let work = lab.work("a");
    assert_eq!((work.have("k1"), work.prior("k1").unwrap().standing), (None, EarlierLook::Young));
    work.adopt(vec![line("k1", "s/a", "one")]).unwrap();
    drop(work);
    let work = lab.work("a");
    assert_eq!(work.have("k1"), Some(line("k1", "s/a", "one")));
    lab.seal(work, "a", RecordState::Provisional, &["k1"]);
    let work = lab.work("a");
    assert_eq!(work.prior("k1").unwrap().standing, EarlierLook::Young);
    // The record is taken down for another file: what it knew is no surer for that.
    publish(&work, "k2", "s/a", "two").unwrap();
    drop(work);
    let work = lab.work("a");
    assert_eq!((work.have("k1"), work.have("k2").is_some()), (None, true));
}

#[test]
fn a_day_that_may_not_be_taken_leaves_no_journal_behind() {
    let lab = Lab::new();
    lab.seal(lab.work("a"), "a", RecordState::Sealed, &[]);
    let take = || lab.archive.take(&lab.series, lab.date, spec_of("b"), "other", Trust::All);
    take().unwrap_err();
    assert!(!lab.exists(JOURNAL) && !lab.exists(".sunhaul/work/journal/s"));
    lab.put(JOURNAL, "{\"listed\":{}}\n");
    take().unwrap_err();
    assert!(lab.exists(JOURNAL), "what was there before stays");
}

#[test]
fn a_day_that_another_job_began_otherwise_is_that_jobs() {
    let lab = Lab::new();
    publish(&lab.work("a"), "k1", "s/a", "one").unwrap();
    let journal = lab.text(JOURNAL);
    let take = |spec: &str, job: &str| lab.archive.take(&lab.series, lab.date, spec_of(spec), job, Trust::All);
    let error = take("b", "other").unwrap_err();
    assert_eq!(error.class(), Class::Record);
    assert!(error.to_string().contains("`job`") && error.to_string().contains("`as:`"), "{error}");
    assert_eq!((lab.text(JOURNAL), lab.text("s/a")), (journal, "one".into()));
    assert!(matches!(take("b", "job").unwrap(), Opened::Work(_)), "a job may ask otherwise");
    assert!(matches!(take("a", "other").unwrap(), Opened::Work(_)), "the same question is shared");
    // What holds no files keeps nobody out.
    let lab = Lab::new();
    drop(lab.work("a"));
    assert!(matches!(
        lab.archive.take(&lab.series, lab.date, spec_of("b"), "other", Trust::All).unwrap(),
        Opened::Work(_)
    ));
}

#[test]
fn a_record_in_the_making_lies_in_the_days_own_work() {
    let lab = Lab::new();
    lab.put(".sunhaul/work/partial/s/2015-12-11/record.4711", "what a kill left");
    let work = lab.work("a");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(lab.root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let days = ".sunhaul/days/s";
    let staging = ".sunhaul/work/partial/s/2015-12-11";
    let written = lab.archive.tree.replace_with(
        Place { directory: staging, name: "record.1" },
        Place { directory: days, name: "x.jsonl" },
        true,
        |out| {
            assert_eq!(names(days), Vec::<String>::new(), "nothing half is among the records");
            out.write_all(b"x")
        },
    );
    written.unwrap();
    std::fs::remove_file(lab.root().join(days).join("x.jsonl")).unwrap();
    lab.seal(work, "a", RecordState::Sealed, &[]);
    assert_eq!(names(days), ["2015-12-11.jsonl"]);
    assert!(!lab.exists(".sunhaul/work/partial/s"));
}
