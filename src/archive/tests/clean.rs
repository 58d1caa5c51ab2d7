//! What `clean` leaves of an unfinished day.

use super::*;

const JOURNAL: &str = ".sunhaul/work/journal/s/2015-12-11.jsonl";

#[test]
fn clean_forgets_all_of_an_unfinished_day_but_whose_its_files_are() {
    let lab = Lab::new();
    std::fs::create_dir(lab.root().join("s")).unwrap();
    std::fs::write(lab.root().join("s/theirs"), "two").unwrap();
    let work = lab.work("a");
    publish(&work, "k1", "s/a", "one").unwrap();
    assert_eq!(publish(&work, "k2", "s/theirs", "two").unwrap(), Published::Kept);
    work.note_empty("2016-01-01T00:00:00Z".parse().unwrap()).unwrap();
    work.note_doubted("2016-01-01T00:00:00Z".parse().unwrap()).unwrap();
    work.remember("a text").unwrap();
    drop(work);
    for _ in 0..2 {
        lab.clean().unwrap();
    }
    let work = lab.work("a");
    assert_eq!((work.empty_at(), work.doubted_at(), work.remembered()), (None, None, None));
    assert!(work.have("k1").is_some() && work.have("k2").is_some(), "what is there is not fetched again");
    drop(work);
    lab.clean().unwrap();
    // Upstream has other bytes now.
    let work = lab.work("a");
    assert_eq!(publish(&work, "k1", "s/a", "changed").unwrap(), Published::Replaced);
    assert_eq!(publish(&work, "k2", "s/theirs", "changed").unwrap_err().class(), Class::Occupied);
    drop(work);
    // Another job, which asks otherwise, is let in, and displaces no file but those of the archive.
    let take = || lab.archive.take(&lab.series, lab.date, spec_of("b"), "other", Trust::All);
    assert!(take().is_err(), "unless it was cleaned");
    lab.clean().unwrap();
    let Ok(Opened::Work(work)) = take() else { panic!("it is let in") };
    assert!(work.have("k1").is_none() && work.prior("k1").is_none());
    assert_eq!(publish(&work, "k1", "s/a", "other").unwrap(), Published::Replaced);
    assert_eq!(publish(&work, "k2", "s/theirs", "other").unwrap_err().class(), Class::Occupied);
    drop(work);
    // When nothing of the day is there, nobody needs the journal.
    std::fs::remove_dir_all(lab.root().join("s")).unwrap();
    lab.clean().unwrap();
    assert!(!lab.root().join(JOURNAL).exists());
}
