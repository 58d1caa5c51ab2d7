//! Orders beside files that are not on JSOC's disks, and lists of files that contradict themselves.

use super::export::{all_three, at_once, lab, message, one, ordered};
use super::orders::EMAIL;
use super::{FETCH, Fake, Record};

const NOON: &str = "2015-12-11T12:00:00";

/// A day of three records, the second of which is not on the disks.
fn of_a_day(second: Record) -> Fake {
    Fake::of(vec![Record::new(1, "2015-12-11T00:00:00"), second, Record::new(3, "2015-12-11T18:00:00")])
}

fn gone() -> Record {
    Record { instead: Some("NoDataDirectory"), is_gone: true, ..Record::new(2, NOON) }
}

fn on_tape() -> Record {
    Record { instead: Some("NoDataDirectory"), ..Record::new(2, NOON) }
}

const OTHERS: [&str; 1] = ["hmi.sharp_cea_720s[:#1,#3]{Br}"];

#[test]
fn a_file_that_is_gone_is_absent_and_the_others_are_ordered() {
    for gone in [gone(), Record { instead: None, is_offline: true, ..gone() }] {
        let fake = of_a_day(gone);
        let lab = lab(&one(&fake));
        let report = lab.report(0);
        assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
        assert_eq!((fake.orders(), fake.given()), (OTHERS.map(str::to_owned).to_vec(), 1));
        assert_eq!((lab.proved("data").len(), lab.days("data").len()), (2, 1));
    }
}

#[test]
fn a_file_on_tape_fails_alone_and_can_be_accepted() {
    for offline in [on_tape(), Record { is_offline: true, ..Record::new(2, NOON) }] {
        let fake = of_a_day(offline);
        let job = one(&fake);
        let lab = lab(&job);
        let report = lab.report(1);
        assert_eq!(report["failures"].as_array().map(Vec::len), Some(1), "{report:#}");
        assert!(message(&report).contains("[2015.12.11_12:00:00_TAI]{Br}` is not on JSOC's disks"), "{report:#}");
        assert_eq!((fake.orders(), fake.given()), (OTHERS.map(str::to_owned).to_vec(), 1));
        assert!(lab.days("data").is_empty(), "its day is not sealed");
        let accept = "accept: [{ series: one, day: 2015-12-11, file: \"*_120000_TAI.*\", reason: \"on tape\" }]";
        // After the failed run, in which the others have come already, and in an archive of its own.
        lab.write("job.yaml", job.more(accept).yaml());
        for accepts in [lab, self::lab(&one(&fake).more(accept))] {
            accepts.report(0);
            assert_eq!((accepts.proved("data").len(), accepts.days("data").len()), (2, 1));
        }
    }
}

#[test]
fn a_file_that_leaves_the_disks_unchanged_after_it_was_fetched_is_kept_by_an_update() {
    for offline in [on_tape(), Record { is_offline: true, ..Record::new(2, NOON) }] {
        let fake = of_a_day(Record::new(2, NOON));
        let lab = lab(&one(&fake));
        lab.report(0);
        let before = lab.proved("data");
        fake.state().records[1] = offline;
        lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("nothing changed").done();
        assert_eq!((lab.proved("data"), lab.days("data").len()), (before, 1));
    }
}

#[test]
fn an_update_that_fails_for_a_file_on_tape_leaves_a_day_that_a_run_restores() {
    // Its record was computed anew, with other data, and so was the table of keywords.
    let fake = of_a_day(Record::new(2, NOON));
    let lab = lab(&fake.job("segments: [Br]"));
    lab.report(0);
    let before = lab.proved("data");
    let second = Record { is_offline: true, ..Record::new(90_002, NOON) };
    fake.state().records[1] = second;
    lab.sunhaul(&["update", "job.yaml"]).status(1).chatty().stdout_has("1 day not updated").done();
    assert!(lab.days("data").is_empty(), "the table was replaced");
    let asked = fake.server.requests().len();
    lab.report(0);
    assert_eq!((lab.proved("data"), fake.server.requests().len()), (before, asked));
}

#[test]
fn a_record_with_one_file_on_tape_is_not_ordered_for_the_other() {
    let fake = of_a_day(Record { offline_segment: Some("Bp"), ..Record::new(2, NOON) });
    let job = ordered(&fake, &format!("email: {EMAIL}"), "fetch: files", "2015-12-12")
        .series(&["{ name: hmi.sharp_cea_720s, as: one, segments: [Br, Bp], fetch: files }"]);
    let report = lab(&job).report(1);
    let failures = report["failures"].as_array().expect("failures");
    let said = |words: &str| failures.iter().filter(|failure| failure["message"].to_string().contains(words)).count();
    assert_eq!(
        (failures.len(), said("{Bp}` is not on JSOC's disks; ask"), said("cannot be ordered")),
        (2, 1, 1),
        "{report:#}"
    );
    assert_eq!(fake.orders(), ["hmi.sharp_cea_720s[:#1,#3]{Br,Bp}"]);
}

#[test]
fn a_day_whose_files_left_the_disks_unseen_does_not_fail_its_neighbours() {
    let fake = at_once();
    fake.state().desk.offline = vec![2];
    let lab = lab(&all_three(&fake));
    let report = lab.report(1);
    assert_eq!(report["failures"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert!(message(&report).contains("[2015.12.12_12:00:00_TAI]{Br}` is not on JSOC's disks"), "{report:#}");
    let given = (lab.days("data").len(), fake.orders().len(), fake.given());
    assert_eq!(given, (2, 2, 5), "together, then each alone, and the one record by its number");
    fake.state().desk.offline.clear();
    lab.report(0);
    assert_eq!((lab.days("data").len(), fake.given()), (3, 6));
}

/// A day of records that are listed as being on the disks, some of which are not.
fn of_many(count: i64, offline: Vec<i64>) -> Fake {
    let time = |nth: i64| format!("2015-12-11T{:02}:{:02}:00", nth / 60, nth % 60);
    let fake = Fake::of((0..count).map(|nth| Record::new(nth + 1, &time(12 * nth))).collect());
    fake.state().desk.offline = offline;
    fake
}

#[test]
fn files_that_left_the_disks_unseen_fail_alone() {
    let fake = of_many(24, vec![5, 17]);
    let lab = lab(&one(&fake));
    let report = lab.report(1);
    let failures = report["failures"].as_array().expect("failures");
    let of = |time: &str| failures.iter().filter(|failure| failure["message"].to_string().contains(time)).count();
    assert_eq!((failures.len(), of("_00:48:00_TAI]{Br}"), of("_03:12:00_TAI]{Br}")), (2, 1, 1), "{report:#}");
    assert_eq!(lab.files("data").len(), 22);
    let words =
        "(JSOC says: One or more data files are offline; please send a request for help to jsoc@sun.stanford.edu";
    assert!(message(&report).contains(words), "{report:#}");
    let sets = fake.asked(FETCH, "exp_request", "ds");
    assert!((10..=20).contains(&sets.len()), "{sets:?}");
    let all = (1..=24).map(|nth| format!("#{nth}")).collect::<Vec<_>>().join(",");
    assert!(sets.iter().all(|set| !set.contains(&all)), "refused whole, it is not ordered whole again: {sets:?}");
    let given = fake.given();
    // Only what is not here is ordered again.
    fake.state().desk.offline = vec![17];
    lab.report(1);
    assert_eq!(lab.files("data").len(), 23);
    assert!(fake.given() <= given + 4, "{} orders", fake.given());
    assert_eq!(fake.orders().last().map(String::as_str), Some("hmi.sharp_cea_720s[:#5]{Br}"));
    fake.state().desk.offline.clear();
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 24);
}

#[test]
fn a_day_none_of_which_is_on_the_disks_is_given_up_after_so_many_orders() {
    let fake = of_many(120, (1..=120).collect());
    let report = lab(&one(&fake)).report(1);
    assert!(fake.given() <= 65, "{} orders", fake.given());
    let failures = report["failures"].as_array().expect("failures");
    let said = |words: &str| failures.iter().filter(|failure| failure["message"].to_string().contains(words)).count();
    let (offline, left) = (said("is not on JSOC's disks"), said("is not ordered, since JSOC has refused 64 orders"));
    assert_eq!(said("(JSOC says: One or more data files are offline"), 120, "{report:#}");
    assert!(failures.len() == 120 && offline > 20 && offline + left == 120, "{offline} {left}");
}

#[test]
fn a_record_next_to_the_day_that_is_on_tape_does_not_fail_it() {
    let next = Record { is_offline: true, ..Record::new(2, "2015-12-12T00:00:00") };
    let fake = Fake::of(vec![Record::new(1, "2015-12-11T00:00:00"), next]);
    let lab = lab(&one(&fake));
    lab.report(0);
    assert_eq!(fake.orders(), ["hmi.sharp_cea_720s[:#1]{Br}"]);
}

#[test]
fn a_list_of_files_that_names_one_record_and_the_file_of_another_is_refused() {
    let fake = of_a_day(Record::new(2, NOON));
    fake.state().desk.swaps = true;
    let lab = lab(&one(&fake));
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(message(&report).contains("is no name of a file of that record"), "{report:#}");
    assert!(lab.days("data").is_empty());
    fake.state().desk.swaps = false;
    fake.state().desk.orders.clear();
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 3);
}

#[test]
fn a_file_without_a_place_is_on_tape_unless_its_record_has_no_image() {
    // As of a record whose files are those of another series: it has no storage unit of its own.
    let fake = Fake::of(vec![Record { unit: -1, ..Record::new(1, "2015-12-11T00:00:00") }]);
    let job = fake.job("segments: [Br], fetch: files");
    let report = lab(&job).report(1);
    assert!(message(&report).contains("is not on JSOC's disks"), "{report:#}");
    fake.state().records[0].quality = 0x8000_0000;
    let report = lab(&job).report(0);
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
}
