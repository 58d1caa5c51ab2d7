//! Layouts that let days name one path: what another day names is neither retired nor displaced.

use super::*;
use crate::manifest::Template;

/// An archive whose days share ground, with a day of series `s` and one of another series.
struct Shared {
    lab: Lab,
    other: SeriesId,
}

impl Shared {
    fn new() -> Shared {
        let lab = Lab::new();
        lab.archive.use_layout(&lab.series, &Template::parse("flat/{file}").unwrap()).unwrap();
        Shared { lab, other: SeriesId("other".into()) }
    }

    fn work(&self, series: &SeriesId, spec: &str) -> DayWork {
        match self.lab.archive.take(series, self.lab.date, spec_of(spec), "job", Trust::All).unwrap() {
            Opened::Work(work) => *work,
            other => panic!("expected a day to work on, found {other:?}"),
        }
    }

    /// A sealed day of the other series, with this file.
    fn others(&self, body: &str) {
        let work = self.work(&self.other, "a");
        publish(&work, "k", "flat/a", body).unwrap();
        self.seal_other(work, "a", &["k"]);
    }

    fn seal_other(&self, work: DayWork, spec: &str, keys: &[&str]) -> u64 {
        let mut lasting = lasting(&self.lab, spec, RecordState::Sealed);
        lasting.series = self.other.0.clone();
        let keys = keys.iter().map(|k| (*k).to_owned()).collect();
        work.seal(SealAs { lasting, absent: Vec::new() }, &keys).unwrap().1
    }
}

#[test]
fn a_file_that_two_days_share_is_retired_by_neither_alone() {
    let shared = Shared::new();
    let Shared { lab, other } = &shared;
    shared.others("one");
    let work = lab.work("a");
    assert_eq!(publish(&work, "k", "flat/a", "one").unwrap(), Published::Kept);
    publish(&work, "k2", "flat/b", "two").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k", "k2"]);
    // It asks for neither any more.
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
    assert_eq!(lab.text("flat/a"), "one");
    assert_eq!(lab.text(".sunhaul/work/retired/s/2015-12-11/b"), "two", "its own alone is retired");
    // The last one that names it may let it go.
    assert_eq!(shared.seal_other(shared.work(other, "b"), "b", &[]), 1);
    assert!(!lab.root().join("flat/a").exists());
}

#[test]
fn a_file_that_another_day_put_there_is_not_the_users() {
    let shared = Shared::new();
    let Shared { lab, other } = &shared;
    // Sealed already, and in progress.
    shared.others("one");
    let unfinished = shared.work(other, "b");
    publish(&unfinished, "k2", "flat/b", "two").unwrap();
    lab.put("flat/own", "mine");
    let work = lab.work("a");
    for (key, path, body) in [("k", "flat/a", "one"), ("k2", "flat/b", "two"), ("k3", "flat/own", "mine")] {
        assert_eq!(publish(&work, key, path, body).unwrap(), Published::Kept);
    }
    let record = lab.seal(work, "a", RecordState::Sealed, &["k", "k2", "k3"]);
    let theirs: Vec<_> = record.files.iter().filter(|file| file.preexisting).map(|file| file.path.as_str()).collect();
    assert_eq!(theirs, ["flat/own"]);
}

#[test]
fn a_file_that_an_unfinished_day_names_stays_as_well() {
    let shared = Shared::new();
    let Shared { lab, other } = &shared;
    let work = lab.work("a");
    publish(&work, "k", "flat/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k"]);
    let unfinished = shared.work(other, "a");
    assert_eq!(publish(&unfinished, "k", "flat/a", "one").unwrap(), Published::Kept);
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
    assert_eq!(lab.text("flat/a"), "one");
}

#[test]
fn a_file_that_another_day_names_is_not_displaced_by_other_bytes() {
    let shared = Shared::new();
    let lab = &shared.lab;
    shared.others("one");
    let work = lab.work("a");
    publish(&work, "k", "flat/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Provisional, &["k"]);
    let work = lab.work("a");
    for again in [publish(&work, "k", "flat/a", "two"), by_part(&work, "k", "flat/a", "two")] {
        let error = again.unwrap_err();
        assert_eq!(error.class(), Class::Collision);
        assert!(error.to_string().contains("other 2015-12-11"), "{error}");
    }
    assert_eq!(lab.text("flat/a"), "one");
    // Changed, it is nobody's to displace; cut, the bytes that are due may take its place.
    std::fs::write(lab.root().join("flat/a"), "bad").unwrap();
    assert_eq!(publish(&work, "k", "flat/a", "one").unwrap_err().class(), Class::Occupied);
    std::fs::write(lab.root().join("flat/a"), "on").unwrap();
    assert_eq!(publish(&work, "k", "flat/a", "one").unwrap(), Published::Replaced);
    assert_eq!(lab.text("flat/a"), "one");
}

#[test]
fn where_two_keys_of_a_day_collide_another_days_file_stays() {
    let shared = Shared::new();
    shared.others("one");
    let work = shared.lab.work("a");
    publish(&work, "k", "flat/a", "one").unwrap();
    work.take_back(["k"]).unwrap();
    assert_eq!(shared.lab.text("flat/a"), "one");
}

#[test]
fn a_file_that_its_own_day_left_to_another_goes_with_the_last_day_that_names_it() {
    // The day that put the file there, and the one that found it, let go of it in either order.
    for owner_first in [true, false] {
        let shared = Shared::new();
        let Shared { lab, other } = &shared;
        shared.others("one");
        let work = lab.work("a");
        assert_eq!(publish(&work, "k", "flat/a", "one").unwrap(), Published::Kept);
        lab.seal(work, "a", RecordState::Sealed, &["k"]);
        let owner = || shared.seal_other(shared.work(other, "b"), "b", &[]);
        let finder = || lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
        if owner_first {
            assert_eq!(owner(), 0);
            assert_eq!(lab.text("flat/a"), "one");
            finder();
        } else {
            finder();
            assert_eq!(lab.text("flat/a"), "one");
            assert_eq!(owner(), 1);
        }
        assert!(!lab.root().join("flat/a").exists(), "nobody names it any more");
    }
}

#[test]
fn days_in_progress_that_let_go_of_one_file_do_not_leave_it_to_each_other() {
    let shared = Shared::new();
    let Shared { lab, other } = &shared;
    shared.others("one");
    let work = lab.work("a");
    publish(&work, "k", "flat/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k"]);
    // Both are open, and each has its journal when the other one looks around.
    let (mine, theirs) = (lab.work("b"), shared.work(other, "b"));
    mine.withdraw().unwrap();
    theirs.withdraw().unwrap();
    lab.seal(mine, "b", RecordState::Sealed, &[]);
    shared.seal_other(theirs, "b", &[]);
    assert!(!lab.root().join("flat/a").exists());
}

#[test]
fn a_users_file_that_two_days_found_goes_with_neither() {
    let shared = Shared::new();
    let Shared { lab, other } = &shared;
    std::fs::create_dir(lab.root().join("flat")).unwrap();
    std::fs::write(lab.root().join("flat/a"), "one").unwrap();
    shared.others("one");
    let work = lab.work("a");
    publish(&work, "k", "flat/a", "one").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k"]);
    lab.seal(lab.work("b"), "b", RecordState::Sealed, &[]);
    shared.seal_other(shared.work(other, "b"), "b", &[]);
    assert_eq!(lab.text("flat/a"), "one");
}

#[test]
fn layouts_share_paths_where_one_of_before_can_reach_those_of_another_day() {
    let use_layout = |lab: &Lab, layout: &str| {
        lab.archive.use_layout(&lab.series, &Template::parse(layout).unwrap()).unwrap();
        lab.root().join(".sunhaul/shared").exists()
    };
    let (days, swapped) = ("{series}/{date:%Y/%m/%d}/{file}", "{series}/{date:%Y/%d/%m}/{file}");
    let lab = Lab::new();
    assert!(!use_layout(&lab, days) && !use_layout(&lab, days), "one layout keeps its days apart");
    assert!(use_layout(&lab, swapped), "a second one may reach what the first one gave");
    assert!(use_layout(&Lab::new(), "{series}/{file}"));
    // An archive of before layouts were noted: what its records say counts.
    for (layout, is_shared) in [(days, false), (swapped, true)] {
        let lab = Lab::new();
        let work = lab.work("a");
        publish(&work, "k", "s/2015/12/11/a", "one").unwrap();
        lab.seal(work, "a", RecordState::Sealed, &["k"]);
        assert_eq!(use_layout(&lab, layout), is_shared, "{layout}");
    }
}

#[test]
fn a_file_that_another_day_names_with_these_bytes_is_not_moved_for_a_stale_record() {
    let shared = Shared::new();
    let lab = &shared.lab;
    let work = lab.work("a");
    publish(&work, "k", "flat/a", "old").unwrap();
    lab.seal(work, "a", RecordState::Sealed, &["k"]);
    std::fs::remove_file(lab.root().join("flat/a")).unwrap();
    shared.others("one");
    assert_eq!(lab.archive.retire_changed(&lab.series, lab.date, &["flat/a".into()]).unwrap(), Some(Vec::new()));
    assert_eq!(lab.text("flat/a"), "one");
}
