//! Questions about regions, and answers to them.

use serde_json::{Value, json};

use super::*;
use crate::failure::Class;
use crate::source::jsoc::structure::tests::{DISKS, SHARP};

fn sharp() -> Structure {
    Structure::read(SHARP.as_bytes()).unwrap()
}

fn answer(columns: &[(&str, &[&str])]) -> RecordList {
    let column = |(name, values): &(&str, &[&str])| json!({ "name": name, "values": values });
    let keywords: Vec<Value> = columns.iter().map(column).collect();
    let count = columns.first().map_or(0, |(_, values)| values.len());
    parse(json!({ "keywords": keywords, "count": count, "status": 0 }).to_string().as_bytes()).unwrap()
}

#[test]
fn the_questions_are_short_and_in_jsoc_s_words() {
    let set = holders_set("hmi.sharp_cea_720s", &sharp(), "NOAA_ARS", &[11158, 11166]);
    let right = "hmi.sharp_cea_720s[][1993.01.01_00:00:00_TAI/40000d@12h][? NOAA_ARS ~ '11158|11166' ?]";
    assert_eq!(set, right);
    let all: Vec<i64> = (10_000..).take(NOAA_AT_ONCE).collect();
    for keyword in ["NOAA_ARS", "NOAA_AR"] {
        let set = holders_set("hmi.sharp_cea_720s", &sharp(), keyword, &all);
        assert!(set.contains("10099") && set.len() < 4096, "{set}");
    }
    assert_eq!(patches_set("hmi.sharp_cea_720s", &sharp(), &[377, 394]), "hmi.sharp_cea_720s[377,394]");
    let mut plain = Structure::read(DISKS.as_bytes()).unwrap();
    plain.step = None;
    assert_eq!(holders_set("s", &plain, "NOAA_AR", &[11158]), "s[1993.01.01_00:00:00_TAI/40000d][? NOAA_AR = 11158 ?]");
}

#[test]
fn a_patch_holds_the_whole_numbers_that_its_records_tell() {
    let columns = answer(&[
        ("HARPNUM", &["377", "377", "378", "379", "401"]),
        ("NOAA_ARS", &["11158,11162", "11158", "111580", "MISSING", "11166, 11158"]),
    ]);
    let holders = read_holders(&columns, "NOAA_ARS", &[11158, 11166]).unwrap();
    let right = BTreeMap::from([(11158, BTreeSet::from([377, 401])), (11166, BTreeSet::from([401]))]);
    assert_eq!(holders, right);
    assert!(read_holders(&answer(&[]), "NOAA_ARS", &[11158]).unwrap().is_empty());
}

#[test]
fn a_window_begins_with_the_first_slot_and_ends_a_step_after_the_last_in_any_order() {
    let columns = answer(&[
        ("HARPNUM", &["377", "378", "377", "377", "9"]),
        (
            "T_REC",
            &[
                "2011.02.15_00:00:00_TAI",
                "2011.02.12_00:00:00_TAI",
                "2011.02.10_21:48:00_TAI",
                "2011.02.14_00:12:00_TAI",
                "2011.02.10_21:48:00_TAI",
            ],
        ),
    ]);
    let windows = read_windows(&columns, "hmi.sharp_cea_720s", &sharp(), &[377, 378, 380]).unwrap();
    let window = |start: &str, end: &str| Window { start: start.parse().unwrap(), end: end.parse().unwrap() };
    let right = BTreeMap::from([
        (377, window("2011-02-10T21:48:00", "2011-02-15T00:12:00")),
        (378, window("2011-02-12T00:00:00", "2011-02-12T00:12:00")),
    ]);
    assert_eq!(windows, right);
    let found = [RegionNumber::Harp(377), RegionNumber::Harp(380)]
        .map(|number| region(number, &Holders::new(), &windows, true));
    assert_eq!(found[0].patches, [Patch { harpnum: 377, window: windows.get(&377).copied() }]);
    assert!(found[1].patches.is_empty(), "no record, no patch");
}

#[test]
fn an_answer_that_tells_no_numbers_or_no_times_is_malformed() {
    let structure = sharp();
    let windows = |columns: &[(&str, &[&str])]| read_windows(&answer(columns), "s", &structure, &[377]).unwrap_err();
    for failure in [
        windows(&[("HARPNUM", &["377"])]),
        windows(&[("HARPNUM", &["377"]), ("T_REC", &["MISSING"])]),
        windows(&[("HARPNUM", &["Invalid KeyLink"]), ("T_REC", &["2011.02.15_00:00:00_TAI"])]),
        read_holders(&answer(&[("HARPNUM", &["x"]), ("NOAA_ARS", &["11158"])]), "NOAA_ARS", &[11158]).unwrap_err(),
        read_holders(&answer(&[("HARPNUM", &["377"])]), "NOAA_ARS", &[11158]).unwrap_err(),
    ] {
        assert_eq!(failure.class, Class::ListingMalformed, "{failure}");
    }
}
