//! What follows from what is known of regions.

use std::path::Path;

use super::*;
use crate::manifest::parse;

fn series(keys: &str, range: &str) -> Series {
    let text = format!(
        "version: 1\nname: job\ncontact: a@b.example\nsource: {{ jsoc: {{}} }}\nrange: {range}\n\
         series: [{{ name: hmi.sharp_cea_720s{keys} }}]\narchive: {{ root: data }}\n"
    );
    parse(Path::new("job.yaml"), text.as_bytes(), &|_| None).unwrap().series.remove(0)
}

fn at(label: &str) -> NaiveDateTime {
    label.parse().unwrap()
}

fn patch(harpnum: i64, window: Option<[&str; 2]>) -> Patch {
    Patch { harpnum, window: window.map(|[start, end]| Window { start: at(start), end: at(end) }) }
}

const FIRST: [&str; 2] = ["2011-02-10T22:00:00", "2011-02-19T10:12:00"];
const SECOND: [&str; 2] = ["2011-02-12T00:00:00", "2011-02-21T00:00:00"];

fn bounds(series: &Series) -> [String; 2] {
    [series.range.start, series.range.end].map(|bound| match bound {
        Bound::At(at) => at.to_string(),
        Bound::Today { .. } => panic!("a range that follows the clock"),
    })
}

#[test]
fn a_range_reaches_from_the_first_record_of_all_patches_to_the_last_with_its_margin_and_asks_for_them_alone() {
    for (range, number, margin) in [
        ("{ noaa: 11158 }", RegionNumber::Noaa(11158), ["2011-02-10 22:00:00", "2011-02-21 00:00:00"]),
        ("{ noaa: 11158, margin: 12h }", RegionNumber::Noaa(11158), ["2011-02-10 10:00:00", "2011-02-21 12:00:00"]),
        ("{ harpnum: 377, margin: 1d }", RegionNumber::Harp(377), ["2011-02-09 22:00:00", "2011-02-22 00:00:00"]),
    ] {
        let mut series = series("", range);
        assert!(series.lacks_dates() && series.filters.harpnum.is_none());
        let patches = vec![patch(394, Some(SECOND)), patch(377, Some(FIRST))];
        series.learn([Region { number, patches }]);
        assert_eq!(bounds(&series), margin, "{range}");
        assert_eq!(series.filters.harpnum, Some(vec![377, 394]));
    }
}

#[test]
fn a_range_is_unknown_until_all_its_regions_are_known_and_where_none_has_a_patch() {
    let known = |number, patches| Region { number: RegionNumber::Noaa(number), patches };
    for (regions, is_known) in [
        (vec![], false),
        (vec![known(11158, vec![patch(377, Some(FIRST))])], false),
        (vec![known(11158, vec![patch(377, None)]), known(11166, vec![])], false),
        (vec![known(11158, vec![]), known(11166, vec![])], false),
        (vec![known(11158, vec![patch(377, Some(FIRST))]), known(11166, vec![])], true),
        (vec![known(11158, vec![]), known(11166, vec![patch(401, Some(SECOND))]), known(9, vec![])], true),
    ] {
        let mut series = series("", "{ noaa: [11158, 11166] }");
        series.learn(regions.clone());
        assert_eq!(series.lacks_dates(), !is_known, "{regions:?}");
        assert!(series.regions.region(RegionNumber::Noaa(9)).is_none(), "a region that nobody asked for");
    }
}

#[test]
fn what_is_learned_later_replaces_what_was_known() {
    let mut series = series("", "{ harpnum: 377 }");
    let region = |window| Region { number: RegionNumber::Harp(377), patches: vec![patch(377, Some(window))] };
    series.learn([region(FIRST)]);
    series.learn([region(SECOND)]);
    assert_eq!(bounds(&series), ["2011-02-12 00:00:00", "2011-02-21 00:00:00"]);
    assert_eq!(series.regions.known, [region(SECOND)]);
}

#[test]
fn a_series_that_names_regions_itself_keeps_them_whatever_its_range_follows() {
    let mut own = series(", harpnum: [377, 401]", "{ noaa: 11158 }");
    let found = Region { number: RegionNumber::Noaa(11158), patches: vec![patch(377, Some(FIRST))] };
    own.learn([found.clone()]);
    assert_eq!((own.harps(), own.lacks_dates()), (Some(vec![377, 401]), false));
    let mut filtered = series(", noaa: [11158]", "{ harpnum: 400 }");
    let harp = Region { number: RegionNumber::Harp(400), patches: vec![patch(400, Some(SECOND))] };
    filtered.learn([found, harp]);
    assert_eq!((filtered.harps(), filtered.filters.harpnum.clone()), (Some(vec![377]), None));
}

#[test]
fn records_are_asked_for_by_harp_number_once_the_patches_of_all_noaa_numbers_are_known() {
    let range = "{ start: 2011-02-15, end: 2011-02-16 }";
    let region = |number, harps: &[i64]| {
        let patches = harps.iter().map(|harp| patch(*harp, None)).collect();
        Region { number: RegionNumber::Noaa(number), patches }
    };
    for (keys, regions, harps) in [
        ("", vec![], None),
        (", harpnum: [9]", vec![], Some(vec![9])),
        (", noaa: [11158]", vec![], None),
        (", noaa: [11158]", vec![region(11158, &[394, 377])], Some(vec![377, 394])),
        (", noaa: [11158, 11166]", vec![region(11158, &[377])], None),
        (", noaa: [11158], harpnum: [377, 9]", vec![region(11158, &[394, 377])], Some(vec![377])),
        (", noaa: [11158]", vec![region(11158, &[])], Some(vec![])),
    ] {
        let mut series = series(keys, range);
        let spec = series.spec(&crate::day::Day::whole("2011-02-15".parse().unwrap()));
        series.learn(regions);
        assert_eq!(series.harps(), harps, "{keys}");
        let now = series.spec(&crate::day::Day::whole("2011-02-15".parse().unwrap()));
        assert_eq!(spec, now, "the filter is asked as typed, and records of before stay");
    }
}

#[test]
fn a_series_with_fallbacks_asks_each_record_for_its_noaa_numbers() {
    let text = "version: 1\nname: job\ncontact: a@b.example\nsource: { jsoc: {} }\n\
                range: { start: 2011-02-15, end: 2011-02-16 }\n\
                series: [{ prefer: [hmi.sharp_cea_720s, hmi.sharp_cea_720s_nrt], as: cea, noaa: [11158] }]\n\
                archive: { root: data }\n";
    let series = parse(Path::new("job.yaml"), text.as_bytes(), &|_| None).unwrap().series.remove(0);
    assert!(series.region_numbers().is_empty() && series.harps().is_none());
}
