//! Pages that are read as documented, and pages that no service should give.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::manifest::{Bound, Credentials, Fetch, Filters, Range, Reach, Regions, SeriesId, SourceSpec, Template};
use crate::source::{Body, RemoteFile};

fn base() -> Url {
    "https://idoc-medoc.ias.u-psud.fr/".parse().unwrap()
}

fn series(name: &str, filters: Filters) -> Series {
    let at = |text: &str| Bound::At(text.parse().unwrap());
    let reach = Reach { urls: vec![base()], hosts: Vec::new(), tunnel: None, credentials: Credentials::default() };
    Series {
        id: SeriesId(name.to_owned()),
        name: name.to_owned(),
        fallbacks: Vec::new(),
        source: Arc::new(SourceSpec::Medoc(manifest::Medoc { reach, dataset: None })),
        range: Range { start: at("2015-12-11T00:00:00"), end: at("2015-12-12T00:00:00") },
        regions: Regions::default(),
        layout: Template::default_of_kind(),
        filters,
        fetch: Fetch::Files,
        headers: manifest::Headers::AsIs,
        keywords: None,
        settle: Duration::from_hours(72),
    }
}

fn day() -> Day {
    Day::whole("2015-12-11".parse().unwrap())
}

/// A row as `SITools2` writes it: numbers as text.
fn row(recnum: i64, time: &str) -> Value {
    json!({
        "uri": format!("/webs_IAS_SDO_HMI_dataset/{recnum};hmi.sharp_720s"),
        "get": format!("http://idoc-medoc.ias.u-psud.fr/sdo/hmi.sharp_720s/{recnum}"),
        "recnum": recnum.to_string(), "sunum": "1", "series_name": "hmi.sharp_720s", "date__obs": time,
        "wavelnth": "6173.0", "ias_location": "/SUM01/D1", "exptime": "0", "t_rec_index": "1005598",
        "ias_path": format!("idoc-medoc.ias.u-psud.fr/SUM01/D1/{recnum}"), "harpnum": "6167",
    })
}

fn records(name: &str, filters: Filters, rows: &[Value], items: &[&str]) -> Result<Listed, Failure> {
    let (series, day, base) = (series(name, filters), day(), base());
    let places = UrlScope { base: &base, hosts: &[] };
    let mut records = MedocRecords::of(&series, &day, places);
    read_page(json!({ "success": true, "data": rows }).to_string().as_bytes())?.records(&mut records)?;
    let names: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    let answer = |(recnum, url): (i64, Url)| {
        assert_eq!(url.as_str(), format!("https://idoc-medoc.ias.u-psud.fr/SUM01/D1/{recnum}/?media=json"));
        (recnum, names.clone())
    };
    let mut items: Vec<Items> = records.without_items()?.into_iter().map(answer).collect();
    let further: Vec<Items> = records.without_further(&items)?.into_iter().map(answer).collect();
    items.extend(further);
    records.into_listed(items, &"https://idoc-medoc.ias.u-psud.fr/d/records".parse().unwrap())
}

fn refused(listed: Result<Listed, Failure>) -> String {
    let failure = listed.unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused, "{failure}");
    failure.message
}

const NOON: &str = "2015-12-11T12:00:00.000";

#[test]
fn the_question_is_the_documented_one() {
    let filters =
        Filters { wavelength: Some(vec![171, 193]), cadence: Some(Duration::from_mins(12)), ..Filters::default() };
    let of = |name: &str, filters: Filters| DatasetQuery::for_day(&base(), None, &series(name, filters), &day());
    let aia = of("aia.lev1", filters);
    let pairs: Vec<(String, String)> = aia.page(300).query_pairs().into_owned().collect();
    let has = |name: &str, value: &str| assert!(pairs.contains(&(name.into(), value.into())), "{name}: {pairs:?}");
    has("media", "json");
    has("start", "300");
    has("limit", "300");
    has("p[0]", "DATE_BETWEEN|date__obs|2015-12-11T00:00:00.000|2015-12-12T00:00:00.000");
    has("p[1]", "LISTBOXMULTIPLE|series_name|aia.lev1");
    has("p[2]", "LISTBOXMULTIPLE|wavelnth|171|193");
    has("p[3]", "CADENCE|mask_cadence|12 min");
    assert_eq!(aia.page(0).path(), "/webs_IAS_SDO_AIA_dataset/records");
    let hmi = of("hmi.sharp_720s", Filters::default());
    assert_eq!(hmi.count().path(), "/webs_IAS_SDO_HMI_dataset/count");
    assert!(!hmi.count().query().unwrap().contains("CADENCE"));
}

#[test]
fn a_cadence_is_asked_for_in_the_service_s_own_words() {
    for (seconds, word) in [
        (12, "12 sec"),
        (60, "1 min"),
        (720, "12 min"),
        (3600, "1 h"),
        (7200, "2 h"),
        (43_200, "12 h"),
        (86_400, "1 day"),
    ] {
        let filters = Filters { cadence: Some(Duration::from_secs(seconds)), ..Filters::default() };
        let url = DatasetQuery::for_day(&base(), Some("d"), &series("hmi.sharp_720s", filters), &day()).count();
        assert!(url.query_pairs().any(|(_, value)| value == format!("CADENCE|mask_cadence|{word}")), "{url}");
    }
}

#[test]
fn a_record_s_files_are_its_items_on_the_service_s_own_host() {
    let listed =
        records("hmi.sharp_720s", Filters::default(), &[row(7, NOON)], &["Br.fits", "Bp.fits", "index.html"]).unwrap();
    let [bp, br] = listed.files.as_slice() else { panic!("{listed:?}") };
    assert_eq!((bp.key.as_str(), br.key.as_str()), ("7/Bp", "7/Br"));
    assert_eq!(
        br.url.as_str(),
        "https://idoc-medoc.ias.u-psud.fr/sdo/hmi.sharp_720s/7/Br.fits",
        "by the base's scheme"
    );
    assert_eq!(br.path, "/sdo/hmi.sharp_720s/7/Br.fits");
    assert_eq!(br.name.as_deref(), Some("hmi.sharp_720s.7.Br.fits"));
    assert_eq!((br.recnum, br.harpnum, br.wavelength), (Some(7), Some(6167), Some(6173)));
    assert_eq!(br.t_rec, Some("2015-12-11T23:36:00".parse().unwrap()));
}

#[test]
fn l_01_a_record_that_is_listed_twice_is_the_same_both_times_or_the_listing_is_none() {
    let read = |change: &dyn Fn(&mut Value)| {
        let mut other = row(7, NOON);
        change(&mut other);
        records("hmi.sharp_720s", Filters::default(), &[row(7, NOON), other], &["Br.fits"])
    };
    let twice = read(&|_| {}).unwrap();
    assert_eq!((twice.files.len(), twice.duplicates), (1, 1));
    for (field, value) in [("get", "idoc-medoc.ias.u-psud.fr/sdo/other/7"), ("date__obs", "2015-12-11T13:00:00.000")] {
        let failure = read(&|row| row[field] = json!(value)).unwrap_err();
        assert_eq!(failure.class, Class::ListingMalformed, "{field}");
        assert!(failure.message.contains("record 7 is listed twice, and its two rows differ"), "{failure}");
    }
}

#[test]
fn l_15_a_row_without_a_location_is_a_record_without_a_file() {
    let without = |recnum, location: Value| {
        let mut row = row(recnum, NOON);
        row["ias_location"] = location;
        row
    };
    let mut absent = row(3, NOON);
    absent.as_object_mut().unwrap().remove("ias_location");
    let rows = [without(1, json!("")), without(2, Value::Null), absent, row(4, NOON)];
    let listed = records("hmi.sharp_720s", Filters::default(), &rows, &["Br.fits"]).unwrap();
    let is = |file: &RemoteFile| (file.key.clone(), file.name.clone().unwrap(), file.body == Body::None);
    let all: Vec<_> = listed.files.iter().map(is).collect();
    let of = |key: &str, name: &str, is_absent| (key.to_owned(), name.to_owned(), is_absent);
    assert_eq!(
        all,
        [
            of("1", "hmi.sharp_720s.1.fits", true),
            of("2", "hmi.sharp_720s.2.fits", true),
            of("3", "hmi.sharp_720s.3.fits", true),
            of("4/Br", "hmi.sharp_720s.4.Br.fits", false)
        ]
    );
}

#[test]
fn aia_has_one_file_a_record_and_its_segments_by_name() {
    let row = |recnum: i64| {
        let get = format!("https://idoc-medoc.ias.u-psud.fr/sdo/aia.lev1/{recnum}");
        json!({ "get": get, "recnum": recnum, "series_name": "aia.lev1", "date__obs": NOON, "wavelnth": 171,
                "ias_location": "x", "t_rec_index": 5 })
    };
    let listed = records("aia.lev1", Filters::default(), &[row(9)], &[]).unwrap();
    assert_eq!(listed.files[0].url.as_str(), "https://idoc-medoc.ias.u-psud.fr/sdo/aia.lev1/9;compress=rice");
    assert_eq!((listed.files[0].key.as_str(), listed.files[0].t_rec), ("9/image_lev1", None));
    let only = |segment: &str| Filters { segments: Some(vec![segment.to_owned()]), ..Filters::default() };
    let listed = records("aia.lev1", only("spikes"), &[row(9)], &[]).unwrap();
    assert_eq!(
        listed.files[0].url.as_str(),
        "https://idoc-medoc.ias.u-psud.fr/sdo/aia.lev1/9;segment=spikes;compress=rice"
    );
    assert!(refused(records("aia.lev1", only("image"), &[row(9)], &[])).contains("image_lev1, spikes"));
}

#[test]
fn filters_are_applied_or_refused() {
    let region = |harpnum| Filters { harpnum: Some(vec![harpnum]), ..Filters::default() };
    assert_eq!(records("hmi.sharp_720s", region(6167), &[row(7, NOON)], &["Br.fits"]).unwrap().files.len(), 1);
    let listed = records("hmi.sharp_720s", region(1), &[row(7, NOON)], &["Br.fits"]).unwrap();
    assert_eq!((listed.files.len(), listed.left_out), (0, 1));
    let mut nameless = row(7, NOON);
    nameless["harpnum"] = Value::Null;
    assert!(refused(records("hmi.sharp_720s", region(1), &[nameless], &[])).contains("`harpnum`"));
    let only = |segment: &str| Filters { segments: Some(vec![segment.to_owned()]), ..Filters::default() };
    let rows = [row(7, NOON), row(8, NOON)];
    let listed = records("hmi.sharp_720s", only("Br"), &rows, &["Br.fits", "Bp.fits"]).unwrap();
    assert_eq!(listed.files.iter().map(|file| file.key.as_str()).collect::<Vec<_>>(), ["7/Br", "8/Br"]);
    let message = refused(records("hmi.sharp_720s", only("Bq"), &rows, &["Br.fits", "Bp.fits"]));
    assert!(message.contains("2 records of the day have Bp, Br; did you mean"), "{message}");
}

#[test]
fn l_03_both_ends_are_counted_in_by_the_service_and_the_last_is_dropped() {
    let rows = [
        row(1, "2015-12-10T23:59:59.999"),
        row(2, "2015-12-11T00:00:00.000"),
        row(3, "2015-12-11T23:59:59.999Z"),
        row(4, "2015-12-12T00:00:00.000"),
    ];
    let listed = records("hmi.sharp_720s", Filters::default(), &rows, &["Br.fits"]).unwrap();
    assert_eq!((listed.files.len(), listed.outside_day), (2, 2));
}

#[test]
fn l_10_a_row_that_leads_to_another_host_is_refused() {
    let mut foreign = row(7, NOON);
    foreign["get"] = json!("http://evil.example/7");
    let message = refused(records("hmi.sharp_720s", Filters::default(), &[foreign], &["Br.fits"]));
    assert!(message.contains("evil.example") && message.contains("hosts:"), "{message}");
}

#[test]
fn rows_that_tell_no_places_are_no_absent_records() {
    let bare = json!({ "recnum": 7, "series_name": "aia.lev1", "date__obs": NOON, "wavelnth": 171 });
    assert!(refused(records("aia.lev1", Filters::default(), &[bare], &[])).contains("webs_IAS_SDO_AIA_dataset"));
}

#[test]
fn what_is_no_page_says_so() {
    let read = |answer: &str| read_page(answer.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(read(" <html>").class, Class::Html);
    assert_eq!(read("").class, Class::ListingMalformed);
    assert_eq!(read("[]").class, Class::ListingMalformed);
    assert_eq!(read(r#"{"data":[[]]}"#).class, Class::ListingMalformed);
    assert_eq!(read(r#"{"data":[{"recnum":[1]}]}"#).class, Class::ListingMalformed);
    let deep = format!(r#"{{"data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read_page(deep.as_bytes()).map(|_| ()).unwrap_err().class, Class::ListingMalformed);
    let failed = read(r#"{"success":false,"message":"Datasource not activated"}"#);
    assert_eq!(failed.class, Class::ServerError);
    assert!(failed.message.contains("Datasource not activated"), "{failed}");
    assert_eq!(page::read_count(br#"{"success":true,"total":"301"}"#).unwrap(), 301);
    assert!(page::read_count(br#"{"success":true}"#).is_err() && page::read_count(br#"{"total":-1}"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_a_real_page_its_listing_is_sorted_in_its_day_and_on_the_service_s_own_host(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(), of_aia in any::<bool>(),
    ) {
        let rows = json!({ "data": [row(7, NOON), row(8, NOON), row(9, "2015-12-12T00:00:00.000")] }).to_string();
        let mut page = if of_aia { rows.replace("hmi.sharp_720s", "aia.lev1") } else { rows }.into_bytes();
        let at = at.index(page.len());
        page[at] = byte;
        if cut {
            page.truncate(at);
        }
        let series = series(if of_aia { "aia.lev1" } else { "hmi.sharp_720s" }, Filters::default());
        if let Ok(listed) = read_answer(&page, br#"{"items":[{"name":"Br.fits"}]}"#, &base(), &series, &day()) {
            prop_assert!(listed.files.is_sorted_by(|a, b| a.key < b.key));
            prop_assert!(listed.files.iter().all(|file| day().window.contains(file.time)));
            prop_assert!(listed.files.iter().all(|file| file.url.origin() == base().origin()));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = (read_page(&bytes).map(|_| ()), read_items(&bytes), page::read_count(&bytes));
    }

    #[test]
    fn l_04_l_05_pages_are_taken_only_where_every_row_came_once(
        sizes in proptest::collection::vec(0u64..400, 1..4), total in 0u64..900, first in 0i64..2,
    ) {
        let (mut before, mut next, mut is_taken, mut start) = (HashSet::new(), first, true, 0);
        for size in sizes {
            let rows: Vec<Value> = (next..).take(usize::try_from(size).unwrap()).map(|recnum| json!({ "recnum": recnum })).collect();
            next += i64::try_from(size).unwrap();
            let page = read_page(json!({ "data": rows }).to_string().as_bytes()).unwrap();
            is_taken &= page.must_follow(start, total, &mut before).is_ok();
            start += PAGE;
            if !is_taken || start >= total {
                break;
            }
        }
        if is_taken && start >= total {
            prop_assert_eq!(before.len() as u64, total);
        }
    }
}
