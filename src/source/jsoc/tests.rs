//! Days read from answers as JSOC writes them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::structure::tests::{DISKS, SHARP};
use super::*;
use crate::manifest::{
    Bound, Condition, Credentials, Fetch, Filters, Method, Quality, Range, Reach, Regions, SeriesId, Template,
};
use crate::source::{Body, RemoteFile};

fn base() -> Url {
    "http://jsoc.stanford.edu/".parse().unwrap()
}

/// A series that is listed as it is.
pub(super) fn series(name: &str, filters: Filters) -> Series {
    let at = |text: &str| Bound::At(text.parse().unwrap());
    let reach = Reach { urls: vec![base()], hosts: Vec::new(), tunnel: None, credentials: Credentials::default() };
    Series {
        id: SeriesId(name.to_owned()),
        name: name.to_owned(),
        fallbacks: Vec::new(),
        source: Arc::new(SourceSpec::Jsoc(Spec { reach, export: None })),
        range: Range { start: at("2011-02-15T00:00:00"), end: at("2011-02-16T00:00:00") },
        regions: Regions::default(),
        layout: Template::default_of_kind(),
        filters,
        fetch: Fetch::Files,
        headers: crate::manifest::Headers::AsIs,
        keywords: None,
        settle: Duration::from_hours(72),
    }
}

/// The same, ordered from the export system.
pub(super) fn ordered(name: &str, protocol: Protocol) -> Series {
    let own = series(name, Filters::default());
    let SourceSpec::Jsoc(spec) = &*own.source else { panic!("another kind") };
    let export = Export { email: "jane@example.org".into(), protocol, method: Method::Url, process: None };
    Series { source: Arc::new(SourceSpec::Jsoc(Spec { export: Some(export), ..spec.clone() })), ..own }
}

fn day() -> Day {
    Day::whole("2011-02-15".parse().unwrap())
}

/// An answer: rows of keywords, then the path of `Br`.
fn answer(names: &[&str], rows: &[(&[&str], &str)]) -> Value {
    let column = |nth: usize| rows.iter().map(|(values, _)| values[nth]).collect::<Vec<_>>();
    let keywords: Vec<Value> =
        names.iter().enumerate().map(|(nth, name)| json!({ "name": name, "values": column(nth) })).collect();
    let paths: Vec<&str> = rows.iter().map(|(_, path)| *path).collect();
    json!({ "keywords": keywords, "segments": [{ "name": "Br", "values": paths, "dims": [] }], "links": [],
            "count": rows.len(), "runtime": 0.029, "status": 0 })
}

const NAMES: [&str; 4] = ["*recnum*", "*online*", "HARPNUM", "T_REC"];

fn only_br() -> Filters {
    Filters { segments: Some(vec!["Br".into()]), ..Filters::default() }
}

fn read_as(series: &Series, answer: &Value) -> Result<Listed, Failure> {
    read_answers(SHARP.as_bytes(), answer.to_string().as_bytes(), &base(), series, &day())
}

fn read_sharp(filters: Filters, answer: &Value) -> Result<Listed, Failure> {
    read_as(&series("hmi.sharp_cea_720s", filters), answer)
}

#[test]
fn a_record_s_file_has_jsoc_s_own_name_and_lies_on_the_base() {
    let row: &[&str] = &["7", "Y", "377", "2011.02.15_02:00:00_TAI"];
    let listed = read_sharp(only_br(), &answer(&NAMES, &[(row, "/SUM58/D1/S00008/Br.fits")])).unwrap();
    let time = "2011-02-15T02:00:00".parse().unwrap();
    let file = RemoteFile {
        key: "7/Br".into(),
        url: "http://jsoc.stanford.edu/SUM58/D1/S00008/Br.fits".parse().unwrap(),
        path: "/SUM58/D1/S00008/Br.fits".into(),
        name: Some("hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits".into()),
        time,
        t_rec: Some(time),
        instant: None,
        source_series: None,
        recnum: Some(7),
        harpnum: Some(377),
        segment: Some("Br".into()),
        wavelength: None,
        bytes: None,
        listed: None,
        rounded: None,
        cards: None,
        storage: None,
        body: Body::Remote,
    };
    assert_eq!(listed, Listed { files: vec![file], ..Listed::default() });
}

#[test]
fn l_01_l_02_l_03_order_repeats_and_other_days_change_nothing() {
    let rows: [(&[&str], &str); 6] = [
        (&["10", "Y", "377", "2011.02.15_00:00:00_TAI"], "/SUM1/D10/Br.fits"),
        (&["9", "Y", "377", "2011.02.15_23:48:00_TAI"], "/SUM1/D9/Br.fits"),
        (&["10", "Y", "377", "2011.02.15_00:00:00_TAI"], "/SUM1/D10/Br.fits"),
        (&["11", "Y", "377", "2011.02.16_00:24:00_TAI"], "/SUM1/D11/Br.fits"),
        (&["12", "Y", "377", "2011.02.14_23:24:00_TAI"], "/SUM1/D12/Br.fits"),
        // So near to the day's end that it was asked for.
        (&["13", "Y", "377", "2011.02.16_00:12:00_TAI"], "/SUM1/D13/Br.fits"),
    ];
    let mut back = rows;
    back.reverse();
    let forth = read_sharp(only_br(), &answer(&NAMES, &rows)).unwrap();
    assert_eq!(forth, read_sharp(only_br(), &answer(&NAMES, &back)).unwrap());
    let keys: Vec<&str> = forth.files.iter().map(|file| file.key.as_str()).collect();
    assert_eq!((keys.as_slice(), forth.outside_day, forth.duplicates), (["10/Br", "9/Br"].as_slice(), 2, 1));
    let elsewhere = rows.map(|(row, path)| (row, path.replace("SUM1/D10/", "SUM1/D20/")));
    let two = [(rows[0].0, rows[0].1), (elsewhere[0].0, elsewhere[0].1.as_str())];
    let failure = read_sharp(only_br(), &answer(&NAMES, &two)).unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused);
    assert!(failure.message.contains("are listed as one file"), "one record, and two files: {failure}");
}

#[test]
fn l_15_a_record_without_a_file_is_absent_and_one_off_the_disks_cannot_be_fetched() {
    let row: &[&str] = &["7", "Y", "377", "2011.02.15_02:00:00_TAI"];
    let listed = read_sharp(only_br(), &answer(&NAMES, &[(row, "NoDataFile")])).unwrap();
    let file = &listed.files[0];
    assert_eq!((file.key.as_str(), &file.body), ("7/Br", &Body::None));
    assert_eq!(file.path, "/cgi-bin/ajax/jsoc_info?op=rs_list&ds=hmi.sharp_cea_720s%5B%3A%237%5D&seg=Br");
    assert_eq!(file.name.as_deref(), Some("hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits"));
    let row: &[&str] = &["7", "N", "377", "2011.02.15_02:00:00_TAI"];
    let offline = answer(&NAMES, &[(row, "NoDataDirectory")]);
    let is_offline = |answer: &Value| match &read_sharp(only_br(), answer).unwrap().files[0].body {
        Body::Offline(why) => why.contains("is not on JSOC's disks"),
        _ => false,
    };
    assert!(is_offline(&offline));
    let series = Series { filters: only_br(), ..ordered("hmi.sharp_cea_720s", Protocol::AsIs) };
    assert!(matches!(read_as(&series, &offline).unwrap().files[0].body, Body::Offline(_)), "nor can it be ordered");
    let with_path = answer(&NAMES, &[(row, "/SUM58/D1/S00008/Br.jpg")]);
    assert!(is_offline(&with_path));
    // Records without a storage unit of their own may link to others; that one has no image, its QUALITY says.
    let row: &[&str] = &["7", "NA", "377", "2011.02.15_02:00:00_TAI"];
    let other: &[&str] = &["8", "NA", "377", "2011.02.15_02:12:00_TAI"];
    assert!(is_offline(&answer(&NAMES, &[(row, "NoDataDirectory")])));
    let names = [&NAMES[..], &["QUALITY"]].concat();
    let no_image = [row, &["0x80000000"]].concat();
    assert!(!is_offline(&answer(&names, &[(no_image.as_slice(), "NoDataDirectory")])), "it has no data");
    assert!(is_offline(&answer(&NAMES, &[(row, "NoDataDirectory"), (other, "/SUM58/D1/S00008/Br.fits")])));
    let name = read_as(&series, &with_path).unwrap().files[0].name.clone().unwrap();
    assert!(name.ends_with(".Br.jpg"), "{name}");
}

#[test]
fn an_ordered_file_is_known_by_what_to_order() {
    let row: &[&str] = &["7", "Y", "377", "2011.02.15_02:00:00_TAI"];
    let answer = answer(&NAMES, &[(row, "/SUM58/D1/S00008/Br.fits")]);
    let series = Series { filters: only_br(), ..ordered("hmi.sharp_cea_720s", Protocol::Fits) };
    let file = &read_as(&series, &answer).unwrap().files[0];
    assert_eq!(
        file.path,
        "/cgi-bin/ajax/jsoc_fetch?ds=hmi.sharp_cea_720s%5B377%5D%5B2011.02.15_02%3A00%3A00_TAI%5D%7BBr%7D&protocol=fits"
    );
    assert_eq!((file.key.as_str(), file.bytes), ("7/Br", None));
}

#[test]
fn what_a_server_passes_over_is_looked_at_again() {
    let names = ["*recnum*", "*online*", "HARPNUM", "T_REC", "NOAA_ARS", "QUALITY"];
    let row =
        |recnum: &'static str, harpnum: &'static str, time: &'static str, noaa: &'static str, quality: &'static str| {
            ([recnum, "Y", harpnum, time, noaa, quality], "/SUM1/Br.fits")
        };
    let rows = [
        row("1", "377", "2011.02.15_02:00:00_TAI", "11158,11162", "0x00000000"),
        row("2", "377", "2011.02.15_02:12:00_TAI", "11158", "0x00010000"),
        row("3", "378", "2011.02.15_03:00:00_TAI", "111580", "0x00000400"),
        row("4", "379", "2011.02.15_03:00:00_TAI", "MISSING", "0x80000000"),
        row("5", "380", "2011.02.15_03:12:00_TAI", "MISSING", "0x00020000"),
    ];
    let rows: Vec<(&[&str], &str)> = rows.iter().map(|(values, path)| (values.as_slice(), *path)).collect();
    let kept = |filters: Filters| {
        let listed = read_sharp(Filters { segments: only_br().segments, ..filters }, &answer(&names, &rows)).unwrap();
        let keys: Vec<String> = listed.files.iter().map(|file| file.key.replace("/Br", "")).collect();
        assert_eq!(keys.len() as u64 + listed.left_out, 5);
        keys.join(",")
    };
    assert_eq!(kept(Filters { harpnum: Some(vec![377, 379]), ..Filters::default() }), "1,2,4");
    assert_eq!(kept(Filters { noaa: Some(vec![11158]), ..Filters::default() }), "1,2");
    assert_eq!(kept(Filters { noaa: Some(vec![11162]), ..Filters::default() }), "1");
    assert_eq!(kept(Filters { quality: Some(Quality { none_of: 0x0001_0000 }), ..Filters::default() }), "1,3,4,5");
    assert_eq!(kept(Filters { quality: Some(Quality { none_of: 0x8000_0000 }), ..Filters::default() }), "1,2,3,5");
    assert_eq!(kept(Filters { quality: Some(Quality::GOOD), ..Filters::default() }), "1,3");
    assert_eq!(kept(Filters { cadence: Some(Duration::from_hours(1)), ..Filters::default() }), "1,3,4");
}

#[test]
fn the_other_order_of_prime_keys_and_times_in_utc_are_understood() {
    let names = ["*recnum*", "*online*", "T_REC", "WAVELNTH"];
    let column = |nth: usize, value: &str| json!({ "name": names[nth], "values": [value] });
    let answer = json!({
        "keywords": [column(0, "5"), column(1, "Y"), column(2, "2011-02-15T00:00:13Z"), column(3, "171")],
        "segments": [{ "name": "image", "values": ["/SUM1/D5/image_lev1.fits"], "dims": ["4096x4096"] }],
        "recinfo": [{ "name": "aia.lev1_euv_12s[2011-02-15T00:00:13Z][171]", "online": 1 }],
        "count": 1, "status": 0,
    });
    let series = series("aia.lev1_euv_12s", Filters::default());
    let listed = read_answers(DISKS.as_bytes(), answer.to_string().as_bytes(), &base(), &series, &day()).unwrap();
    let file = &listed.files[0];
    assert_eq!(file.name.as_deref(), Some("aia.lev1_euv_12s.2011-02-15T000013Z.171.image.fits"));
    assert_eq!((file.wavelength, file.harpnum), (Some(171), None));
    assert_eq!(file.time, "2011-02-15T00:00:47".parse().unwrap());
}

#[test]
fn answers_that_contradict_themselves_are_told() {
    let row: &[&str] = &["7", "Y", "377", "2011.02.15_02:00:00_TAI"];
    let class = |names: &[&str], values: &[&str], path: &str| {
        let failure = read_sharp(only_br(), &answer(names, &[(values, path)])).unwrap_err();
        (failure.class, failure.message)
    };
    let path = "/SUM1/Br.fits";
    let malformed = |got: (Class, String), said: &str| {
        assert_eq!(got.0, Class::ListingMalformed);
        assert!(got.1.contains(said), "{}", got.1);
    };
    malformed(class(&NAMES, &["x", "Y", "377", "2011.02.15_02:00:00_TAI"], path), "record 0: `*recnum*` is `x`");
    malformed(class(&NAMES, &["7", "Y", "377", "MISSING"], path), "`T_REC` is `MISSING`");
    malformed(class(&NAMES, row, "http://evil.example/x"), "which is no path");
    malformed(class(&NAMES, row, "/../etc/passwd"), "the path of `Br`");
    malformed(class(&["*recnum*", "*online*", "HARPNUM", "T_OBS"], row, path), "lacks the keyword `T_REC`");
    let got = class(&NAMES, row, "InvalidSegName");
    assert_eq!(
        (got.0, got.1.as_str()),
        (Class::SourceRefused, "JSOC says `InvalidSegName` of the segment `Br` of `hmi.sharp_cea_720s`")
    );
    let got = class(&NAMES, &["7", "Y", "Invalid KeyLink", "2011.02.15_02:00:00_TAI"], path);
    assert_eq!(got.0, Class::SourceRefused);
    assert!(got.1.contains("`Invalid KeyLink` of the keyword `HARPNUM`"), "{}", got.1);
}

#[test]
fn l_08_names_are_bounded_and_made_for_orders_alone() {
    let row: &[&str] = &["7", "Y", "377", "2011.02.15_02:00:00_TAI"];
    let mut told = answer(&NAMES, &[(row, "/SUM1/Br.fits")]);
    let names = |series: &Series| {
        let structure = Structure::read(SHARP.as_bytes()).unwrap();
        let question = RecordQuery::of(series, &structure).unwrap();
        let answer = told.to_string().into_bytes();
        JsocDayListing::read(&answer, &question, &base(), &day()).unwrap().end(&question, &day(), &base()).1.names
    };
    let ordered = Series { filters: only_br(), ..ordered("hmi.sharp_cea_720s", Protocol::Fits) };
    assert_eq!(names(&ordered)["7/Br"].shown(), "hmi.sharp_cea_720s[377][2011.02.15_02:00:00_TAI]{Br}");
    assert!(names(&series("hmi.sharp_cea_720s", only_br())).is_empty());
    told["recinfo"] = json!([{ "name": "x".repeat(501) }]);
    let failure = read_as(&ordered, &told).unwrap_err();
    assert_eq!(failure.class, Class::ListingMalformed);
    assert!(failure.message.contains("xxx...` is longer than 500 bytes"), "{failure}");
    let long = "3".repeat(600);
    let row: &[&str] = &["7", "Y", &long, "2011.02.15_02:00:00_TAI"];
    let failure = read_sharp(only_br(), &answer(&NAMES, &[(row, "/SUM1/Br.fits")])).unwrap_err();
    assert_eq!(failure.class, Class::ListingMalformed);
}

#[test]
fn a_day_before_the_series_is_refused_and_one_within_is_empty() {
    let empty = json!({ "count": 0, "runtime": 0.01, "status": 0 });
    let series = series("hmi.sharp_cea_720s", Filters::default());
    let read = |date: &str| {
        let day = Day::whole(date.parse().unwrap());
        read_answers(SHARP.as_bytes(), empty.to_string().as_bytes(), &base(), &series, &day)
    };
    let failure = read("2010-04-30").unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused);
    assert!(failure.message.contains("begins with `hmi.sharp_cea_720s[1][2010.05.01_00:12:00_TAI]`"), "{failure}");
    assert_eq!(read("2010-05-01").unwrap(), Listed::default());
}

#[test]
fn a_table_has_a_row_a_record_and_a_sidecar_what_its_columns_mean() {
    let names = ["*recnum*", "*online*", "USFLUX", "NOAA_ARS", "QUALITY", "CAMERA", "T_REC", "HARPNUM", "DATAMEAN_001"];
    let rows: [(&[&str], &str); 3] = [
        (
            &[
                "9",
                "Y",
                "2.5e22",
                "11158,11162",
                "0x00020000",
                "Invalid KeyLink",
                "2011.02.15_02:12:00_TAI",
                "377",
                "1",
            ],
            "/SUM1/b.fits",
        ),
        (
            &["8", "Y", "MISSING", "MISSING", "0x00000400", "front", "2011.02.15_02:00:00_TAI", "378", "nan"],
            "NoDataFile",
        ),
        (&["7", "Y", "1", "", "0x00000000", "front", "2011.02.16_00:00:00_TAI", "378", "2"], "/SUM1/a.fits"),
    ];
    let series = Series { fetch: Fetch::Both, ..series("hmi.sharp_cea_720s", only_br()) };
    let listed = read_as(&series, &answer(&names, &rows)).unwrap();
    let keys: Vec<&str> = listed.files.iter().map(|file| file.key.as_str()).collect();
    assert_eq!(keys, ["8/Br", "9/Br", "made:keywords.csv", "made:keywords.json"]);
    let text = |nth: usize| String::from_utf8(listed.files[nth].made().unwrap().to_vec()).unwrap();
    assert_eq!(
        text(2),
        "time,scale,recnum,has_data,HARPNUM,T_REC,QUALITY,NOAA_ARS,USFLUX,CAMERA,DATAMEAN_001\n\
         2011-02-15T02:00:00,TAI,8,true,378,2011.02.15_02:00:00_TAI,1024,,,front,\n\
         2011-02-15T02:12:00,TAI,9,false,377,2011.02.15_02:12:00_TAI,131072,\"11158,11162\",2.5e22,,1\n"
    );
    let sidecar: Value = serde_json::from_str(&text(3)).unwrap();
    let column = |name: &str| {
        sidecar["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap().clone()
    };
    assert_eq!(
        column("USFLUX"),
        json!({ "name": "USFLUX", "type": "double", "unit": "Mx", "missing": "", "invalid_link": "", "default": "nan",
                "note": "Total unsigned flux" })
    );
    assert_eq!((&column("QUALITY")["missing"], &column("QUALITY")["default"]), (&json!(""), &json!("0x80000000")));
    assert_eq!(column("DATAMEAN_001")["note"], "of each segment");
    assert!(
        listed.files[2].path.starts_with("/cgi-bin/ajax/jsoc_info?op=rs_list&ds=hmi.sharp_cea_720s%5B%5D%5B2011.02.14")
    );
}

#[test]
fn a_table_of_named_keywords_has_these_in_their_order_and_no_files_beside_it() {
    let names = ["*recnum*", "HARPNUM", "T_REC", "USFLUX", "LON_FWT", "T_OBS"];
    let unset = "-4712.01.01_11:59:28_TAI";
    let rows: [(&[&str], &str); 1] = [(&["9", "377", "2011.02.15_02:12:00_TAI", "2.5e22", "-12.5", unset], "")];
    let mut told = answer(&names, &rows);
    told["segments"] = json!([]);
    let keywords = Some(["LON_FWT", "USFLUX", "T_OBS"].map(str::to_owned).to_vec());
    let own = series("hmi.sharp_cea_720s", Filters::default());
    let series = Series { fetch: Fetch::Keywords, keywords, ..own };
    let listed = read_as(&series, &told).unwrap();
    assert_eq!(listed.files.len(), 2);
    let table = String::from_utf8(listed.files[0].made().unwrap().to_vec()).unwrap();
    let head = "time,scale,recnum,harpnum,LON_FWT,USFLUX,T_OBS";
    assert_eq!(table, format!("{head}\n2011-02-15T02:12:00,TAI,9,377,-12.5,2.5e22,\n"), "no time was set");
    let unknown = Series { keywords: Some(vec!["USFLX".to_owned()]), ..series };
    assert!(read_as(&unknown, &told).unwrap_err().message.contains("no keyword `USFLX`; did you mean `USFLUX`?"));
}

#[test]
fn conditions_that_jsoc_refuses_are_told_in_its_own_words() {
    let refused = json!({ "status": 1, "error": "ERROR:  operator does not exist: text & integer\nLINE 1" });
    let conditions = vec![("USFLUX".to_owned(), Condition::Within("1".into(), "2".into()))];
    let failure = read_sharp(Filters { conditions, ..only_br() }, &refused).unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused);
    assert_eq!(failure.message, "JSOC says: ERROR: operator does not exist: text & integer LINE 1");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_is_answered_is_sorted_in_its_day_and_on_the_base_or_told(
        cuts in proptest::collection::vec((0usize..900, 0usize..20, "[\"\\[\\]{},:/.0-9A-Za-z_\u{1}]{0,8}"), 0..4),
        is_ordered in proptest::bool::ANY,
    ) {
        let rows: [(&[&str], &str); 3] = [
            (&["7", "Y", "377", "2011.02.15_02:00:00_TAI"], "/SUM58/D1/S00008/Br.fits"),
            (&["8", "N", "378", "2011.02.15_02:12:00_TAI"], "NoDataFile"),
            (&["9", "Y", "378", "2011.02.16_02:12:00_TAI"], "/SUM58/D1/S00009/Br.fits"),
        ];
        let mut bytes = answer(&NAMES, &rows).to_string().into_bytes();
        for (at, length, with) in cuts {
            let at = at.min(bytes.len());
            bytes.splice(at..(at + length).min(bytes.len()), with.into_bytes());
        }
        let own = if is_ordered { ordered("hmi.sharp_cea_720s", Protocol::Fits) } else { series("hmi.sharp_cea_720s", only_br()) };
        let series = Series { filters: only_br(), fetch: Fetch::Both, ..own };
        match read_answers(SHARP.as_bytes(), &bytes, &base(), &series, &day()) {
            Err(failure) => proptest::prop_assert!(!failure.message.chars().any(crate::untrusted::acts), "{failure}"),
            Ok(listed) => {
                proptest::prop_assert!(listed.files.is_sorted_by(|a, b| a.key < b.key));
                for file in &listed.files {
                    proptest::prop_assert!(day().window.contains(file.time));
                    proptest::prop_assert!(file.url.origin() == base().origin() && file.path.starts_with('/'));
                }
            }
        }
    }
}
