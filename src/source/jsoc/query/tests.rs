//! Filters, times and keywords in JSOC's words.

use std::time::Duration;

use crate::day::Day;
use crate::manifest::{Fetch, Filters, Quality};
use crate::source::jsoc::query::*;
use crate::source::jsoc::structure::tests::{DISKS, SHARP};
use crate::source::jsoc::tests::series;

fn sharp() -> Structure {
    Structure::read(SHARP.as_bytes()).unwrap()
}

fn day() -> Window {
    Day::whole("2011-02-15".parse().unwrap()).window
}

fn asked(filters: Filters) -> String {
    let structure = sharp();
    let series = series("hmi.sharp_cea_720s", filters);
    let question = RecordQuery::of(&series, &structure).unwrap();
    question.record_set(day()).unwrap()
}

fn refused(filters: Filters) -> String {
    let structure = sharp();
    let series = series("hmi.sharp_cea_720s", filters);
    let failure = RecordQuery::of(&series, &structure).unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused);
    failure.message
}

/// A record to order, so many minutes after the day's start.
fn listed(recnum: i64, harpnum: Option<i64>) -> Ordered {
    let time = day().start + TimeDelta::minutes(recnum);
    Ordered {
        record: String::new(),
        recnum,
        time,
        harpnum,
        segment: String::new(),
        place: None,
        file: None,
        is_available: true,
        time_slack: TimeDelta::zero(),
    }
}

fn conditions(all: &[(&str, Condition)]) -> Filters {
    let conditions = all.iter().map(|(keyword, condition)| ((*keyword).to_owned(), condition.clone())).collect();
    Filters { conditions, ..Filters::default() }
}

#[test]
fn the_documented_record_set_is_asked_for() {
    let all = Filters::default();
    assert_eq!(asked(all), "hmi.sharp_cea_720s[][2011.02.14_23:54:00_TAI/1464m]");
    let one = Filters { harpnum: Some(vec![377, 378]), ..Filters::default() };
    assert_eq!(asked(one), "hmi.sharp_cea_720s[377,378][2011.02.14_23:54:00_TAI/1464m]");
    let hourly = Filters { cadence: Some(Duration::from_hours(1)), ..Filters::default() };
    assert_eq!(asked(hourly), "hmi.sharp_cea_720s[][2011.02.15_00:00:00_TAI/1458m@1h]");
}

#[test]
fn a_series_without_segments_has_no_files_to_fetch() {
    let structure = Structure::read(DISKS.replace(r#"{"name":"image","units":null}"#, "").as_bytes()).unwrap();
    let series = series("aia.lev1_euv_12s", Filters::default());
    let failure = RecordQuery::of(&series, &structure).unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused);
    assert!(failure.message.contains("has no segments"), "{failure}");
    let with_table = Series { fetch: Fetch::Both, ..series };
    assert!(RecordQuery::of(&with_table, &structure).unwrap().segments.is_empty());
}

#[test]
fn the_order_of_the_prime_keys_is_the_series_own() {
    let structure = Structure::read(DISKS.as_bytes()).unwrap();
    let set = |filters| {
        let series = series("aia.lev1_euv_12s", filters);
        RecordQuery::of(&series, &structure).unwrap().record_set(day()).unwrap()
    };
    assert_eq!(set(Filters::default()), "aia.lev1_euv_12s[2011.02.14_23:59:54_TAI/86424s]");
    let wavelength = Filters { wavelength: Some(vec![171]), ..Filters::default() };
    assert_eq!(set(wavelength), "aia.lev1_euv_12s[2011.02.14_23:59:54_TAI/86424s][171]");
    let series = series("aia.lev1_euv_12s", Filters { harpnum: Some(vec![1]), ..Filters::default() });
    let message = RecordQuery::of(&series, &structure).unwrap_err().message;
    assert!(message.contains("filter `harpnum` cannot be applied"), "{message}");
}

#[test]
fn more_regions_than_a_query_holds_are_left_to_the_listing_and_ordered_as_listed() {
    let structure = sharp();
    let series = |harpnum| series("hmi.sharp_cea_720s", Filters { harpnum: Some(harpnum), ..Filters::default() });
    let (few, many) = (series((1..=100).collect()), series((1..=101).collect()));
    let (few, many) = [&few, &many].map(|series| RecordQuery::of(series, &structure).unwrap()).into();
    assert!(few.record_set(day()).unwrap().starts_with("hmi.sharp_cea_720s[1,2,3,"));
    assert!(many.record_set(day()).unwrap().starts_with("hmi.sharp_cea_720s[][2011"));
    let listed = [listed(1, Some(9)), listed(2, Some(7))];
    let set = |question: &RecordQuery<'_>| match question.order_set(
        day(),
        &listed.iter().collect::<Vec<_>>(),
        &BTreeSet::new(),
    ) {
        OrderSet::Records(set) => set,
        other => panic!("{other:?}"),
    };
    assert!(set(&many).starts_with("hmi.sharp_cea_720s[7,9][2011"));
    assert!(set(&few).starts_with("hmi.sharp_cea_720s[1,2,3,"));
    let noaa = |count: i64| asked(Filters { noaa: Some((11_000..11_000 + count).collect()), ..Filters::default() });
    assert!(noaa(500).contains("[? NOAA_ARS ~ '11000|11001|") && noaa(500).len() < 4_000);
    assert!(!noaa(501).contains("NOAA_ARS"));
}

#[test]
fn a_part_of_a_day_is_asked_for_in_the_largest_whole_unit() {
    let structure = sharp();
    let set = |start: &str, end: &str, hours: Option<u64>| {
        let filters = Filters { cadence: hours.map(Duration::from_hours), ..Filters::default() };
        let series = series("hmi.sharp_cea_720s", filters);
        let window = Window { start: start.parse().unwrap(), end: end.parse().unwrap() };
        let set = RecordQuery::of(&series, &structure).unwrap().record_set(window);
        set.map(|set| set.trim_start_matches("hmi.sharp_cea_720s[]").to_owned())
    };
    let of = |start, end| set(start, end, None).unwrap();
    assert_eq!(of("2011-02-15T18:00:00", "2011-02-16T00:00:00"), "[2011.02.15_17:54:00_TAI/384m]");
    assert_eq!(of("2011-02-15T00:00:01", "2011-02-15T00:00:30.5"), "[2011.02.15_00:00:01_TAI/30s]");
    let hourly = set("2011-02-15T00:12:00", "2011-02-15T02:12:00", Some(1)).unwrap();
    assert_eq!(hourly, "[2011.02.15_01:00:00_TAI/90m@1h]");
    assert_eq!(set("2011-02-15T00:12:00", "2011-02-15T00:36:00", Some(1)), None);
}

#[test]
fn a_cadence_is_left_to_jsoc_where_the_slots_are_as_far_apart_as_the_name_says() {
    let of_slots = |slots: &str| DISKS.replace(r#""slotted":1,"step":"12.0""#, slots);
    let asked = |name: &str, slots: &str, seconds: u64| {
        let structure = Structure::read(of_slots(slots).as_bytes()).unwrap();
        let cadence = Some(Duration::from_secs(seconds));
        let series = series(name, Filters { cadence, ..Filters::default() });
        RecordQuery::of(&series, &structure).unwrap().record_set(day()).map(|set| set.replace(name, ""))
    };
    let (spaced, seconds_apart, plain) =
        (r#""slotted":1,"step":"12.0""#, r#""slotted":1,"step":"1.000000""#, r#""slotted":0"#);
    for (name, slots, set) in [
        ("aia.lev1_euv_12s", spaced, "[2011.02.15_00:00:00_TAI/86418s@1h]"),
        ("aia.lev1_euv_12s", seconds_apart, "[2011.02.14_23:29:58_TAI/90005s]"),
        ("aia.lev1", seconds_apart, "[2011.02.14_23:29:58_TAI/90005s]"),
        ("aia.lev1_euv_12s", plain, "[2011.02.14_23:29:58_TAI/90005s]"),
        ("aia.lev1", spaced, "[2011.02.14_23:29:36_TAI/90049s]"),
    ] {
        assert_eq!(asked(name, slots, 3600).as_deref(), Some(set), "{name} {slots}");
    }
    assert_eq!(asked("aia.lev1", seconds_apart, 7 * 86_400), None, "no instant near");
    assert!(asked("aia.lev1", plain, 7).is_some(), "any cadence");
}

#[test]
fn records_that_are_chosen_here_are_ordered_by_their_numbers() {
    let structure = Structure::read(DISKS.as_bytes()).unwrap();
    let filters = Filters { cadence: Some(Duration::from_hours(1)), ..Filters::default() };
    let series = series("aia.lev1", filters);
    let question = RecordQuery::of(&series, &structure).unwrap();
    let set = |window: Window, count: i64| {
        let listed: Vec<Ordered> = (1..=count).map(|recnum| listed(recnum, None)).collect();
        question.order_set(window, &listed.iter().collect::<Vec<_>>(), &BTreeSet::new())
    };
    let hour = Window { end: day().start + TimeDelta::minutes(3), ..day() };
    assert_eq!(set(hour, 9), OrderSet::Records("aia.lev1[:#1,#2]".to_owned()));
    assert_eq!((set(day(), 0), set(day(), 301)), (OrderSet::Nothing, OrderSet::TooLong));
    assert!(matches!(set(day(), 300), OrderSet::Records(set) if set.len() < 1_600));
}

#[test]
fn where_a_record_cannot_be_ordered_the_others_are_by_their_numbers() {
    let structure = sharp();
    let series = series("hmi.sharp_cea_720s", Filters::default());
    let question = RecordQuery::of(&series, &structure).unwrap();
    let all: Vec<Ordered> = (1..=3).map(|nth| Ordered { is_available: nth != 2, ..listed(nth, None) }).collect();
    let set = |missing: &str, count: usize| {
        let missing = BTreeSet::from([missing.parse().unwrap()]);
        question.order_set(day(), &all.iter().take(count).collect::<Vec<_>>(), &missing)
    };
    let numbers = OrderSet::Records("hmi.sharp_cea_720s[:#1,#3]".to_owned());
    assert_eq!(set("2011-02-15T00:02:00", 3), numbers);
    // The order of a day reaches beyond it.
    for beside in ["2011-02-14T23:48:00", "2011-02-16T00:00:00", "2011-02-16T00:12:00"] {
        assert_eq!(set(beside, 3), numbers, "{beside}");
    }
    assert!(matches!(set("2011-02-16T02:00:00", 3), OrderSet::Records(set) if set.contains("/1464m]")));
    assert_eq!(set("2011-02-15T00:02:00", 0), OrderSet::Nothing);
}

#[test]
fn filters_are_one_condition() {
    let noaa = Filters { noaa: Some(vec![11158, 11159]), ..Filters::default() };
    let tail = |filters| asked(filters).split_once("/1464m]").unwrap().1.to_owned();
    assert_eq!(tail(noaa), "[? NOAA_ARS ~ '11158|11159' ?]");
    let both = Filters {
        noaa: Some(vec![11158]),
        quality: Some(Quality { none_of: 0xf_0001_0000 }),
        ..conditions(&[("LON_FWT", Condition::Within("-70".into(), "70".into()))])
    };
    // A listing has the records that `quality` leaves out, which are a region's gaps; an order has not.
    assert_eq!(tail(both.clone()), "[? (NOAA_ARS ~ '11158') AND (LON_FWT >= -70 AND LON_FWT <= 70) ?]");
    let structure = sharp();
    let series = series("hmi.sharp_cea_720s", both);
    let question = RecordQuery::of(&series, &structure).unwrap();
    let OrderSet::Records(ordered) = question.order_set(day(), &[], &BTreeSet::new()) else {
        panic!("nothing to order")
    };
    let due = "[? (NOAA_ARS ~ '11158') AND ((QUALITY & 65536) = 0) AND (LON_FWT >= -70 AND LON_FWT <= 70) ?]";
    assert!(ordered.ends_with(due), "{ordered}");
    let is = |keyword, value: &str| tail(conditions(&[(keyword, Condition::Is(value.into()))]));
    assert_eq!(is("USFLUX", "1e22"), "[? USFLUX = 1e22 ?]");
    assert_eq!(is("CAMERA", "front 2"), "[? CAMERA = 'front 2' ?]");
    assert_eq!(is("T_OBS", "2011.02.15_TAI"), "[? T_OBS = $(2011.02.15_TAI) ?]");
    assert_eq!(tail(conditions(&[("QUALITY", Condition::NoneOf(65536))])), "[? (QUALITY & 65536) = 0 ?]");
}

#[test]
fn raw_words_go_along() {
    let raw = |raw: &str, noaa| {
        let noaa: Option<i64> = noaa;
        asked(Filters { raw: Some(raw.into()), noaa: noaa.map(|noaa| vec![noaa]), ..Filters::default() })
    };
    assert!(raw("[? USFLUX > 1e22 ?]", None).ends_with("/1464m][? USFLUX > 1e22 ?]"));
    assert!(raw("[! USFLUX > 1e22 !]", None).ends_with("/1464m][! USFLUX > 1e22 !]"));
    assert!(raw("[? A OR B ?]", Some(1)).ends_with("[? (NOAA_ARS ~ '1') AND (A OR B) ?]"));
}

#[test]
fn what_a_series_does_not_have_is_not_asked_for() {
    assert!(refused(conditions(&[("LON_FWD", Condition::Is("1".into()))])).contains("did you mean `LON_FWT`?"));
    assert!(refused(conditions(&[("USFLUX", Condition::Is("much".into()))])).contains("asks a text of `USFLUX`"));
    let within = Condition::Within("1".into(), "2".into());
    assert!(refused(conditions(&[("CAMERA", within)])).contains("asks a range of numbers of `CAMERA`"));
    assert!(refused(conditions(&[("NOAA_ARS", Condition::NoneOf(1))])).contains("asks bits of `NOAA_ARS`"));
    assert!(refused(Filters { segments: Some(vec!["Bz".into()]), ..Filters::default() }).contains("no segment `Bz`"));
    let odd = Filters { cadence: Some(Duration::from_secs(1000)), ..Filters::default() };
    assert!(refused(odd).contains("a record every 720 s"));
}

#[test]
fn an_export_is_named_as_jsoc_names_it() {
    let (structure, series) = (sharp(), series("hmi.sharp_cea_720s", Filters::default()));
    let names = RecordQuery::of(&series, &structure).unwrap().names();
    assert_eq!(names, "hmi.sharp_cea_720s.{HARPNUM}.{T_REC:A}.{segment}");
}

#[test]
fn only_what_is_needed_is_asked_for() {
    let base: Url = "http://jsoc.stanford.edu/".parse().unwrap();
    let structure = sharp();
    let asked = |fetch, keywords: Option<&[&str]>| {
        let keywords = keywords.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        let segments = Some(vec!["Br".to_owned(), "Bp".to_owned()]);
        let own = series("hmi.sharp_cea_720s", Filters { segments, ..Filters::default() });
        let series = Series { fetch, keywords, ..own };
        let url = RecordQuery::of(&series, &structure).unwrap().url(&base, "s[]");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(url.path(), "/cgi-bin/ajax/jsoc_info");
        assert_eq!((pairs[0].1.as_str(), pairs[1].1.as_str(), pairs[4].1.as_str()), ("rs_list", "s[]", "1"));
        format!("{} {}", pairs[2].1, pairs[3].1)
    };
    assert_eq!(asked(Fetch::Files, None), "*recnum*,*online*,*archive*,HARPNUM,T_REC,QUALITY Bp,Br");
    assert_eq!(asked(Fetch::Both, None), "*recnum*,*online*,*archive*,**ALL** Bp,Br");
    assert_eq!(asked(Fetch::Keywords, None), "*recnum*,**ALL** **NONE**");
    assert_eq!(asked(Fetch::Keywords, Some(&["USFLUX", "T_REC"])), "*recnum*,HARPNUM,T_REC,QUALITY,USFLUX **NONE**");
}
