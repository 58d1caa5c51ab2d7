//! The synthetic holdings: sound, the same everywhere, and varied.

use std::collections::BTreeSet;

use super::*;
use crate::fits::{FitsCheck, FitsProof, Keywords};

fn day(text: &str) -> Window {
    Window::of_day(text.parse().expect("a date"))
}

fn bytes(synthetic: &Synthetic, series: &str, path: &str) -> Bytes {
    match synthetic.open(series, path).expect("no failure").expect("a file").content {
        FileContent::Held(bytes) => bytes,
        FileContent::File(_) => panic!("a synthetic file lies on no disk"),
    }
}

#[test]
fn every_segment_of_every_series_proves_its_sums() {
    let synthetic = Synthetic::new(1);
    for series in synthetic.series() {
        let items = synthetic.list(&series.name, day("2015-12-11")).expect("a series");
        let item = &items[items.len() / 2];
        for path in &item.paths {
            let file = bytes(&synthetic, &series.name, path);
            let mut check = FitsCheck::new();
            check.push(&file).expect("a sound file");
            assert_eq!(check.finish(), Ok(FitsProof::Checksum), "{} {path}", series.name);
            assert!((9_000..600_000).contains(&file.len()), "{} {path}: {} bytes", series.name, file.len());
            let keywords = Keywords::read(io::Cursor::new(&file)).expect("keywords");
            let record = item.record.as_ref().expect("a record");
            assert_eq!((keywords.recnum, keywords.harpnum), (Some(record.recnum), Some(record.harpnum)));
            assert_eq!(keywords.times.date_obs, Some(item.date_obs.format("%Y-%m-%dT%H:%M:%S%.3f").to_string()));
        }
    }
}

#[test]
fn bytes_are_the_same_on_every_machine_and_follow_the_seed() {
    let path = |synthetic: &Synthetic| {
        synthetic.list("hmi.sharp_cea_720s", day("2015-12-11")).expect("a series")[0].paths[6].clone()
    };
    let one = Synthetic::new(1);
    let file = bytes(&one, "hmi.sharp_cea_720s", &path(&one));
    // The digest was taken once; another one means that archives made of this seed no longer match their locks.
    insta::assert_snapshot!(Digest::sha256(&file), @"7dbca984f03a30079d5154cda4f52d587255b803673348e8d2b1118f90c6cc3e");
    assert_eq!(file, bytes(&Synthetic::new(1), "hmi.sharp_cea_720s", &path(&one)));
    let two = Synthetic::new(2);
    assert_ne!(file, bytes(&two, "hmi.sharp_cea_720s", &path(&two)));
}

#[test]
fn records_are_unique_and_found_again() {
    let synthetic = Synthetic::new(7);
    let window = Window { start: day("2014-02-27").start, end: day("2014-03-14").end };
    for series in synthetic.series() {
        let items = synthetic.list(&series.name, window).expect("a series");
        let paths: BTreeSet<&String> = items.iter().flat_map(|item| &item.paths).collect();
        assert_eq!(paths.len(), items.iter().map(|item| item.paths.len()).sum::<usize>(), "{}", series.name);
        for item in &items {
            let recnum = item.record.as_ref().expect("a record").recnum;
            assert_eq!(synthetic.records(&series.name, &[recnum]), vec![item.clone()]);
            let fields = item.record.iter().flat_map(|record| record.keywords.keys());
            assert!(fields.into_iter().all(|field| FIELDS.contains(field)));
        }
        for recnum in [i64::MIN, -1, 0, 999_999, 16_720_960, i64::MAX] {
            assert_eq!(synthetic.records(&series.name, &[recnum]), vec![], "{recnum}");
        }
        let path = &items[40].paths[0];
        assert!(synthetic.open(&series.name, path).expect("no failure").is_some());
        for wrong in [format!("{path}x"), format!("0{path}"), format!("./{path}"), String::new()] {
            assert!(synthetic.open(&series.name, &wrong).expect("no failure").is_none(), "{wrong}");
        }
    }
}

#[test]
fn days_have_gaps_doubtful_records_and_one_to_three_regions() {
    let synthetic = Synthetic::new(1);
    let mut regions = BTreeSet::new();
    let mut doubtful = 0;
    let whole = Window { start: day("2012-01-01").start, end: day("2012-12-31").end };
    for date in whole.days() {
        let items = synthetic.list("hmi.sharp_720s", date.window).expect("a series");
        let slots: BTreeSet<_> = items.iter().map(|item| item.date_obs).collect();
        assert!((100..=120).contains(&slots.len()), "{}: {} slots", date.date, slots.len());
        regions.extend(slots.iter().map(|at| items.iter().filter(|item| item.date_obs == *at).count()));
        doubtful += items.iter().filter(|item| item.record.as_ref().is_some_and(|r| r.quality != 0)).count();
    }
    assert_eq!(regions, BTreeSet::from([1, 2, 3]));
    assert!(doubtful > 100, "{doubtful} doubtful records");
}

#[test]
fn the_tutorials_file_is_where_the_tutorial_has_it() {
    let served =
        Synthetic::new(0).open("sharp_720s", "sharp_720s_20151211_182208").expect("no failure").expect("a file");
    assert_eq!(served.name, "sharp_720s_20151211_182208.fits");
}
