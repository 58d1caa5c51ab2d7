//! Folders that files of ours were moved from, and that stand where a file is due; those of the work, which days make and remove.

use super::*;

impl Lab {
    fn is_dir(&self, at: &str) -> bool {
        self.root().join(at).is_dir()
    }

    /// A day whose file lies in a folder that the next layout needs as a file.
    fn nested() -> Lab {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k1", "s/x/x", "one").unwrap();
        lab.seal(work, "a", RecordState::Sealed, &["k1"]);
        lab
    }
}

#[test]
fn an_interrupted_go_leaves_at_worst_an_empty_folder_and_the_next_one_takes_its_place() {
    for left in [&[][..], &["s/x"], &["s/x/y"]] {
        let lab = Lab::nested();
        let work = lab.work("b");
        work.make_room([&path("s/x")]).unwrap();
        drop(work);
        assert!(!lab.is_dir("s"), "nothing else was in it");
        for folder in left {
            std::fs::create_dir_all(lab.root().join(folder)).unwrap();
        }
        let work = lab.work("b");
        let placed = work.place(&line("k1", "s/x/x", "one"), &path("s/x"));
        if left.contains(&"s/x/y") {
            assert_eq!(placed.unwrap_err().class(), Class::Occupied, "no file of ours was in `y`");
            assert!(lab.is_dir("s/x/y"));
            continue;
        }
        assert_eq!(placed.unwrap(), Some(PlacedAs::Restored), "{left:?}");
        let record = lab.seal(work, "b", RecordState::Sealed, &["k1"]);
        assert_eq!((record.files[0].path.as_str(), lab.text("s/x")), ("s/x", "one".to_owned()));
        assert!(!lab.is_dir(".sunhaul/work/retired/s"), "one name is enough");
    }
}

#[test]
fn a_folder_with_anything_that_is_not_the_days_own_stays_as_it_is() {
    for own in ["s/x/notes", "s/x/y/", "s/x/x"] {
        let lab = Lab::nested();
        match own.strip_suffix('/') {
            Some(folder) => std::fs::create_dir(lab.root().join(folder)).unwrap(),
            None => std::fs::write(lab.root().join(own), "mine").unwrap(),
        }
        let work = lab.work("b");
        let error = publish(&work, "k2", "s/x", "two").unwrap_err();
        assert!(matches!(&error, Error::InTheWay { what: "a folder", .. }), "{error}");
        drop(work);
        assert_eq!(lab.text("s/x/x"), if own == "s/x/x" { "mine" } else { "one" }, "{own}");
        assert!(lab.root().join(own).exists());
    }
}

#[test]
fn a_file_of_another_day_stays_where_a_folder_is_due() {
    let lab = Lab::new();
    lab.archive.use_layout(&lab.series, &crate::manifest::Template::parse("{file}").unwrap()).unwrap();
    let other: NaiveDate = "2015-12-12".parse().unwrap();
    let Opened::Work(work) = lab.archive.take(&lab.series, other, spec_of("a"), "job", Trust::All).unwrap() else {
        panic!("nobody holds it")
    };
    publish(&work, "k1", "x", "one").unwrap();
    let sealed =
        SealAs { lasting: RecordBasis { date: other, ..lasting(&lab, "a", RecordState::Sealed) }, absent: Vec::new() };
    work.seal(sealed, &["k1".to_owned()].into()).unwrap();
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "x/x", "one").unwrap_err().class(), Class::Occupied);
    assert_eq!(lab.text("x"), "one");
}

#[test]
fn days_that_fill_and_empty_one_folder_at_once_lose_no_file() {
    let lab = Lab::new();
    std::thread::scope(|scope| {
        for nth in 1..=4u32 {
            let lab = &lab;
            scope.spawn(move || {
                let date = NaiveDate::from_ymd_opt(2016, 1, nth).unwrap();
                let at = format!("s/x/{nth}");
                for spec in ["a", "b"].into_iter().cycle().take(100) {
                    let taken = lab.archive.take(&lab.series, date, spec_of(spec), "job", Trust::All).unwrap();
                    let Opened::Work(work) = taken else { panic!("nobody holds it") };
                    let keys: HashSet<String> = if spec == "a" { ["k".to_owned()].into() } else { HashSet::new() };
                    if spec == "a" {
                        publish(&work, "k", &at, "one").unwrap();
                    }
                    let lasting = RecordBasis { date, ..lasting(lab, spec, RecordState::Sealed) };
                    work.seal(SealAs { lasting, absent: Vec::new() }, &keys).unwrap();
                    assert_eq!(lab.root().join(&at).exists(), spec == "a");
                }
            });
        }
    });
    assert!(!lab.is_dir("s"));
}

#[test]
fn a_file_is_written_though_other_days_remove_its_empty_folder_again_and_again() {
    let lab = Lab::new();
    let (folder, is_over) = (".sunhaul/work/retired_lines/s", std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                lab.archive.tree.prune(folder);
            }
        });
        let write = |_| -> Result<(), Error> {
            lab.archive.tree.replace(folder, "2015-12-11.jsonl", b"x", false)?;
            lab.archive.tree.remove(&format!("{folder}/2015-12-11.jsonl")).map(drop)
        };
        let written = (0..500).try_for_each(write);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        written.unwrap();
    });
}

#[test]
fn a_day_leaves_no_empty_folder_in_the_work() {
    let kinds = || ["journal", "partial", "quarantine", "retired"].map(|kind| format!(".sunhaul/work/{kind}/s"));
    let lab = Lab::new();
    let work = lab.work("a");
    by_part(&work, "k1", "s/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k1"]);
    assert!(!kinds().iter().any(|folder| lab.exists(folder)));
    // Nothing was there to retire.
    std::fs::remove_file(lab.root().join("s/a")).unwrap();
    let work = lab.work("b");
    work.part("k1").unwrap();
    drop(work);
    assert_eq!(kinds().map(|folder| lab.exists(&folder)), [true, false, false, false], "an unfinished day's journal");
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
    assert!(!kinds().iter().any(|folder| lab.exists(folder)));
    // Cleaning takes the folders, too.
    let work = lab.work("c");
    drop(work.part("k").unwrap().create(&Validators::default()).unwrap());
    drop(work);
    lab.clean().unwrap();
    assert!(!kinds().iter().any(|folder| lab.exists(folder)));
}

#[test]
fn a_folder_that_goes_while_another_day_enters_it_is_made_again() {
    let lab = Lab::new();
    std::thread::scope(|scope| {
        for nth in 1..=4 {
            let lab = &lab;
            scope.spawn(move || {
                let date = NaiveDate::from_ymd_opt(2016, 1, nth).unwrap();
                for _ in 0..200 {
                    match lab.archive.take(&lab.series, date, spec_of("a"), "job", Trust::All).unwrap() {
                        Opened::Work(work) => {
                            drop(work.part("k").unwrap().create(&Validators::default()).unwrap());
                            work.part("k").unwrap().discard().unwrap();
                        }
                        other => panic!("{other:?}"),
                    }
                    let path = lab.root().join(format!(".sunhaul/work/journal/s/{date}.jsonl"));
                    std::fs::remove_file(path).unwrap();
                }
            });
        }
    });
}
