//! The documented answers, word for word, and answers that no service should give.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::manifest::{
    Bound, Credentials, Fetch, Filters, HostAccess, Limits, Quality, Range, Reach, Regions, Retry, SeriesId,
    SourceSpec, Template, Timeouts,
};
use crate::net::{Net, Policy};
use crate::source::read_capped::CAP;
use crate::source::{Body, RemoteFile, open};

/// The first form, as the service's own tutorial shows it.
const V1: &str = r#"[ { "url": "http://cluster-r730-1:8001/HMI/sharp_720s/sharp_720s_20151211_182208", "date_obs": "2015-12-11T18:22:08.799999Z" }, { "url": "http://cluster-r730-1:8001/HMI/sharp_720s/sharp_720s_20151211_183408", "date_obs": "2015-12-11T18:34:08.799999Z" }, { "url": "http://cluster-r730-1:8001/HMI/sharp_720s/sharp_720s_20151211_184608", "date_obs": "2015-12-11T18:46:08.799999Z" }, { "url": "http://cluster-r730-1:8001/HMI/sharp_720s/sharp_720s_20151211_185808", "date_obs": "2015-12-11T18:58:08.799999Z" }, { "url": "http://cluster-r730-1:8001/HMI/sharp_720s/sharp_720s_20151211_191008", "date_obs": "2015-12-11T19:10:08.799999Z" } ]"#;

/// The second form: file names that begin with the record's number, segments that hold underscores.
const V2: &str = r#"[{"date__obs":"2016-01-19T01:10:08.700000Z","download_time":"2016-01-19T03:00:00Z","exptime":null,
"mask_cadence":1,"nbr_update":0,"quality":0,"recnum":1958485,"recnum_init":1958485,"series_name":"hmi.sharp_cea_720s_nrt",
"t_rec_index":1010166,"time":"2016-01-19T01:10:08Z","type":"image",
"urls":["http://cluster-r730-1:8001/HMI/sharp_cea_720s_nrt/1958485_20160119011008_Br.fits",
"http://cluster-r730-1:8001/HMI/sharp_cea_720s_nrt/1958485_20160119011008_conf_disambig.fits"]}]"#;

/// The third form: a folder for each record, and the active region.
const V3: &str = r#"[
{"date__obs":"2015-12-11T23:34:08.800000Z","harpnum":6167,"quality":0,"recnum":5601499,"t_rec_index":1005598,"wavelnth":6173,
 "urls":["http://cluster-r730-1:8001/HMI/hmi.sharp_720s/5601499/magnetogram.fits","http://cluster-r730-1:8001/HMI/hmi.sharp_720s/5601499/bitmap.fits"]},
{"date__obs":"2015-12-11T22:58:08.800000Z","harpnum":6171,"quality":-2147483648,"recnum":5601001,"t_rec_index":1005595,"wavelnth":6173.0,
 "urls":["http://cluster-r730-1:8001/HMI/hmi.sharp_720s/5601001/magnetogram.fits"]}]"#;

fn base() -> Url {
    "http://localhost:8001/".parse().unwrap()
}

pub(super) fn series(name: &str, filters: Filters) -> Series {
    let at = |text: &str| Bound::At(text.parse().unwrap());
    Series {
        id: SeriesId(name.to_owned()),
        name: name.to_owned(),
        fallbacks: Vec::new(),
        source: Arc::new(SourceSpec::Hmi(crate::manifest::Hmi {
            reach: Reach { urls: vec![base()], hosts: Vec::new(), tunnel: None, credentials: Credentials::default() },
        })),
        range: Range { start: at("2015-12-11T00:00:00"), end: at("2015-12-12T00:00:00") },
        regions: Regions::default(),
        layout: Template::parse("{series}/{date:%Y/%m/%d}/{file}").unwrap(),
        filters,
        fetch: Fetch::Files,
        headers: crate::manifest::Headers::AsIs,
        keywords: None,
        settle: Duration::from_hours(72),
    }
}

fn day(date: &str) -> Day {
    Day::whole(date.parse().unwrap())
}

fn read_as(name: &str, answer: &str, date: &str, filters: Filters) -> Result<Listed, Failure> {
    read_answer(answer.as_bytes(), &base(), &series(name, filters), &day(date))
}

fn v1(filters: Filters) -> Result<Listed, Failure> {
    read_as("sharp_720s", V1, "2015-12-11", filters)
}

fn v2(filters: Filters) -> Result<Listed, Failure> {
    read_as("sharp_cea_720s_nrt", V2, "2016-01-19", filters)
}

fn v3(filters: Filters) -> Result<Listed, Failure> {
    read_as("hmi.sharp_720s", V3, "2015-12-11", filters)
}

fn keys(listed: Result<Listed, Failure>) -> Vec<String> {
    listed.unwrap().files.into_iter().map(|file| file.key).collect()
}

fn refused(listed: Result<Listed, Failure>) -> String {
    let failure = listed.unwrap_err();
    assert_eq!(failure.class, Class::SourceRefused, "{failure}");
    failure.message
}

fn malformed(answer: &str) -> String {
    let failure = read_as("hmi.sharp_720s", answer, "2015-12-11", Filters::default()).unwrap_err();
    assert_eq!(failure.class, Class::ListingMalformed, "{failure}");
    failure.message
}

#[test]
fn the_first_form_is_keyed_by_path_and_named_by_the_answer() {
    let listed = v1(Filters::default()).unwrap();
    assert_eq!(listed.files.len(), 5);
    assert_eq!(
        listed.files[0],
        RemoteFile {
            key: "/HMI/sharp_720s/sharp_720s_20151211_182208".into(),
            url: "http://localhost:8001/HMI/sharp_720s/sharp_720s_20151211_182208".parse().unwrap(),
            path: "/HMI/sharp_720s/sharp_720s_20151211_182208".into(),
            name: None,
            time: "2015-12-11T18:22:08.799999".parse().unwrap(),
            t_rec: Some("2015-12-11T18:24:00".parse().unwrap()),
            instant: None,
            source_series: None,
            recnum: None,
            harpnum: None,
            segment: None,
            wavelength: None,
            bytes: None,
            listed: None,
            rounded: None,
            cards: None,
            storage: None,
            body: Body::Remote,
        }
    );
}

#[test]
fn the_second_form_is_keyed_by_record_and_segment() {
    let listed = v2(Filters::default()).unwrap();
    let file = &listed.files[1];
    assert_eq!(listed.files[0].key, "1958485/Br");
    assert_eq!((file.key.as_str(), file.segment.as_deref()), ("1958485/conf_disambig", Some("conf_disambig")));
    assert_eq!((file.name.as_deref(), file.recnum, file.harpnum), (None, Some(1_958_485), None));
    assert_eq!(file.t_rec, Some("2016-01-19T01:12:00".parse().unwrap()));
}

#[test]
fn the_third_form_gives_names_that_never_collide() {
    let listed = v3(Filters::default()).unwrap();
    let names: Vec<_> = listed.files.iter().map(|file| file.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["5601001.magnetogram.fits", "5601499.bitmap.fits", "5601499.magnetogram.fits"]);
    let file = &listed.files[2];
    assert_eq!(file.key, "5601499/magnetogram");
    assert_eq!(file.t_rec, Some("2015-12-11T23:36:00".parse().unwrap()));
    assert_eq!((file.harpnum, file.wavelength), (Some(6167), Some(6173)));
    assert_eq!(file.url.as_str(), "http://localhost:8001/HMI/hmi.sharp_720s/5601499/magnetogram.fits");
}

#[test]
fn l_01_l_02_l_03_l_11_order_repeats_and_other_days_change_nothing() {
    let item = |url: &str, time: &str| format!(r#"{{"url":"{url}","date_obs":"{time}"}}"#);
    let twice = [
        item("http://a/HMI/s/y", "2015-12-11T02:00:00Z"),
        item("http://a/HMI/s/x?token=1", "2015-12-11T01:00:00Z"),
        item("http://b/HMI/s/x?token=1", "2015-12-11T01:00:00Z"),
        item("http://a/HMI/s/late", "2015-12-12T00:00:00Z"),
        item("http://a/HMI/s/early", "2015-12-10T23:59:59.999Z"),
    ];
    let forth = read_as("s", &format!("[{}]", twice.join(",")), "2015-12-11", Filters::default()).unwrap();
    let mut back = twice.clone();
    back.reverse();
    let back = read_as("s", &format!("[{}]", back.join(",")), "2015-12-11", Filters::default()).unwrap();
    assert_eq!(forth, back);
    assert_eq!((forth.outside_day, forth.duplicates), (2, 1));
    let paths: Vec<_> = forth.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["/HMI/s/x", "/HMI/s/y"]);
    assert_eq!(forth.files[0].url.query(), Some("token=1"));
    assert_eq!(forth.files[0].key, "/HMI/s/x");
}

#[test]
fn files_of_one_path_are_told_apart_by_their_queries_and_refused_where_only_a_secret_does() {
    let read = |query: &str| {
        let item =
            |nth| format!(r#"{{"url":"http://a/HMI/file?{query}={nth}","date_obs":"2015-12-11T0{nth}:00:00Z"}}"#);
        read_as("s", &format!("[{},{}]", item(0), item(1)), "2015-12-11", Filters::default())
    };
    assert_eq!(keys(read("id")), ["/HMI/file?id=0", "/HMI/file?id=1"]);
    assert!(refused(read("access_token")).contains("differ by `access_token` alone, which looks like a secret"));
}

#[test]
fn l_01_a_record_s_file_at_two_addresses_is_refused_unless_they_differ_by_a_secret() {
    let read = |urls: [&str; 2]| {
        let item = |url: &str| format!(r#"{{"urls":["{url}"],"date__obs":"2015-12-11T01:00:00Z","recnum":5}}"#);
        let items = urls.map(|url| item(&format!("http://a/HMI/hmi.sharp_720s/{url}"))).join(",");
        read_as("hmi.sharp_720s", &format!("[{items}]"), "2015-12-11", Filters::default())
    };
    for same in [["5/Br.fits", "5/Br.fits"], ["5/Br.fits?token=1", "5/Br.fits?token=2"]] {
        assert_eq!(read(same).map(|listed| (listed.files.len(), listed.duplicates)).unwrap(), (1, 1), "{same:?}");
    }
    for other in
        [["5/Br.fits", "old/5/Br.fits"], ["5/Br.fits", "5/Br.fits?version=2"], ["5/Br.fits", "5_20151211_Br.fits"]]
    {
        assert!(refused(read(other)).contains("so they cannot be told apart"), "{other:?}");
    }
}

#[test]
fn l_09_a_size_is_taken_where_a_file_alone_has_one_and_must_be_a_length() {
    let one = |size: &str| {
        let item = format!(r#"[{{"url":"http://a/HMI/s/x","date_obs":"2015-12-11T01:00:00Z","size":{size}}}]"#);
        read_as("s", &item, "2015-12-11", Filters::default()).map(|listed| listed.files[0].bytes)
    };
    for (size, bytes) in [("0", Some(0)), ("576000", Some(576_000)), ("2880.0", Some(2880)), ("null", None)] {
        assert_eq!(one(size).unwrap(), bytes, "{size}");
    }
    for wrong in ["-1", "1.5", "\"576000\"", "[1]", "18446744073709551615"] {
        assert_eq!(one(wrong).unwrap_err().class, Class::ListingMalformed, "{wrong}");
    }
    let record = r#"[{"urls":["http://a/HMI/hmi.s/1/Br.fits","http://a/HMI/hmi.s/1/Bp.fits"],
                      "date__obs":"2015-12-11T01:00:00Z","size":576000}]"#;
    let listed = read_as("hmi.s", record, "2015-12-11", Filters::default()).unwrap();
    assert!(listed.files.len() == 2 && listed.files.iter().all(|file| file.bytes.is_none()), "a record's is no file's");
}

#[test]
fn a_partial_day_s_window_cuts_half_open() {
    let at = |text: &str| text.parse().unwrap();
    let window = crate::day::Window { start: at("2015-12-11T18:22:08.799999"), end: at("2015-12-11T18:46:08.799999") };
    let day = Day { date: "2015-12-11".parse().unwrap(), window };
    let listed = read_answer(V1.as_bytes(), &base(), &series("sharp_720s", Filters::default()), &day).unwrap();
    assert_eq!((listed.files.len(), listed.outside_day), (2, 3));
}

#[test]
fn l_15_a_record_without_a_file_is_absent_and_an_empty_list_is_empty() {
    let answer = r#"[{"date__obs":"2015-12-11T23:34:08.8Z","harpnum":6167,"quality":1,"recnum":1,"urls":[]}]"#;
    let absent = |answer: &str, filters| {
        let listed = read_as("hmi.sharp_720s", answer, "2015-12-11", filters).unwrap();
        let of = |file: RemoteFile| (file.key, file.name.unwrap(), file.path, file.body);
        listed.files.into_iter().map(of).collect::<Vec<_>>()
    };
    let due = |key: &str, name: &str| (key.to_owned(), name.to_owned(), "/HMI/hmi.sharp_720s".to_owned(), Body::None);
    assert_eq!(absent(answer, Filters::default()), [due("1", "1.fits")]);
    let two = Filters { segments: Some(vec!["Br".into(), "Bp".into()]), ..Filters::default() };
    assert_eq!(absent(answer, two), [due("1/Bp", "1.Bp.fits"), due("1/Br", "1.Br.fits")]);
    let other = Filters { harpnum: Some(vec![1]), ..Filters::default() };
    let left_out = read_as("hmi.sharp_720s", answer, "2015-12-11", other).unwrap();
    assert_eq!((left_out.files.len(), left_out.left_out), (0, 1));
    let unknown = Filters { wavelength: Some(vec![171]), ..Filters::default() };
    assert!(refused(read_as("hmi.sharp_720s", answer, "2015-12-11", unknown)).contains("`wavelength`"));
    assert!(malformed(r#"[{"date__obs":"2015-12-11T23:34:08.8Z","urls":[]}]"#).contains("neither a file nor"));
    assert_eq!(read_as("s", " [] ", "2015-12-11", Filters::default()).unwrap(), Listed::default());
}

#[test]
fn l_16_a_record_within_a_leap_second_has_its_day() {
    let answer = r#"[{"url":"http://a/HMI/s/x","date_obs":"2016-12-31T23:59:60.5Z"}]"#;
    assert_eq!(keys(read_as("s", answer, "2016-12-31", Filters::default())), ["/HMI/s/x"]);
}

#[test]
fn segments_are_applied_or_refused() {
    let only = |names: &[&str]| Filters {
        segments: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Filters::default()
    };
    assert_eq!(keys(v3(only(&["bitmap"]))), ["5601499/bitmap"]);
    assert_eq!(keys(v2(only(&["conf_disambig"]))), ["1958485/conf_disambig"]);
    assert!(refused(v1(only(&["Br"]))).contains("`segments`"));
    let message = refused(v3(only(&["bitmap", "magnetgram"])));
    assert!(message.contains("the day has bitmap, magnetogram; did you mean `magnetogram`?"), "{message}");
}

#[test]
fn harpnum_is_applied_or_refused() {
    let only = || Filters { harpnum: Some(vec![6171, 1]), ..Filters::default() };
    assert_eq!(keys(v3(only())), ["5601001/magnetogram"]);
    assert!(refused(v2(only())).contains("HARPNUM"));
    assert!(refused(v1(only())).contains("`harpnum`"));
}

#[test]
fn quality_is_applied_as_bits_or_refused() {
    let none_of = |mask| Filters { quality: Some(Quality { none_of: mask }), ..Filters::default() };
    assert_eq!(keys(v3(none_of(0x8000_0000))), ["5601499/bitmap", "5601499/magnetogram"]);
    assert_eq!(keys(v3(none_of(1))).len(), 3);
    assert!(refused(v1(none_of(1))).contains("QUALITY"));
}

#[test]
fn cadence_keeps_whole_multiples_and_is_refused_where_no_slot_is_known() {
    let every = |seconds| Filters { cadence: Some(Duration::from_secs(seconds)), ..Filters::default() };
    assert_eq!(keys(v3(every(3600))), ["5601001/magnetogram"], "23:00:00_TAI");
    assert_eq!(keys(v3(every(720))).len(), 3);
    assert_eq!(
        keys(v1(every(1440))),
        [
            "/HMI/sharp_720s/sharp_720s_20151211_182208",
            "/HMI/sharp_720s/sharp_720s_20151211_184608",
            "/HMI/sharp_720s/sharp_720s_20151211_191008"
        ]
    );
    let off = r#"[{"url":"http://a/HMI/s/x","date_obs":"2015-12-11T18:28:08Z"}]"#;
    assert!(refused(read_as("sharp_720s", off, "2015-12-11", every(720))).contains("slot"));
}

#[test]
fn l_07_l_12_l_13_what_is_no_listing_says_where_it_goes_wrong() {
    let page = read_as("s", " <!DOCTYPE html><title>Log in</title>", "2015-12-11", Filters::default()).unwrap_err();
    assert_eq!(page.class, Class::Html, "{page}");
    assert!(malformed("").contains("empty"));
    let cut = malformed(&V3[..200]);
    assert!(cut.contains("(byte 199, near `"), "{cut}");
    let deep = |field: &str| format!(r#"[{{"{field}":{}{}}}]"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(malformed(&deep("urls")).contains("expected a string"));
    assert!(malformed(&deep("meta")).contains("has neither"), "an unknown field is passed over, however deep");
    assert!(malformed(r#"{"detail":"no"}"#).contains("expected a list of records"));
    assert!(malformed("[] []").contains("trailing"));
    assert!(malformed("[[]]").contains("expected an object"));
    assert!(malformed("[{}]").contains("record 1: has neither `url` nor `urls`"));
    assert!(malformed(r#"[{"url":"http://a/HMI/x","date_obs":"2015-12-11"}]"#).contains("no time such as"));
    assert!(malformed(r#"[{"url":"http://a/HMI/x"}]"#).contains("has no `date_obs`"));
    assert!(malformed(r#"[{"url":"http://a/HMI/../x","date_obs":"2015-12-11T00:00:00Z"}]"#).contains("climbs"));
    let other = r#"[{"urls":["http://a/HMI/s/7/Br.fits"],"recnum":8,"date__obs":"2015-12-11T00:00:00Z"}]"#;
    assert!(malformed(other).contains("another record"));
    let nameless = r#"[{"urls":["http://a/HMI/s/Br.fits"],"date__obs":"2015-12-11T00:00:00Z"}]"#;
    assert!(malformed(nameless).contains("names no record"));
    let far = r#"[{"urls":[],"t_rec_index":9000000000000000,"date__obs":"2015-12-11T00:00:00Z"}]"#;
    assert!(malformed(far).contains("beyond any date"));
}

#[test]
fn f_03_text_from_an_answer_cannot_act_on_a_terminal() {
    let answer = "[{\"url\":\"http://a/HMI/\u{202e}x\\u001b[2J\",\"date_obs\":\"2015-12-11T00:00:00Z\"}]";
    let message = malformed(answer);
    assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_answer(&bytes, &base(), &series("hmi.sharp_720s", Filters::default()), &day("2015-12-11"));
    }

    #[test]
    fn no_change_to_a_real_answer_panics(at in 0usize..900, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = V3.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let _ = read_answer(&bytes, &base(), &series("hmi.sharp_720s", Filters::default()), &day("2015-12-11"));
    }

    #[test]
    fn no_value_in_a_known_field_panics(
        field in "url|date_obs|urls|date__obs|recnum|t_rec_index|harpnum|quality|wavelnth",
        value in "-?[0-9]{1,20}(\\.[0-9])?(e[0-9]{1,3})?|\"[ -~]{0,20}\"|null|\\[\"http://a/HMI/s/[0-9]{1,20}/Br.fits\"\\]",
    ) {
        let answer = format!(
            r#"[{{"urls":["http://a/HMI/s/1/Br.fits"],"date__obs":"2015-12-11T00:00:00Z"}},{{"date__obs":"2015-12-11T00:00:00Z","{field}":{value}}}]"#
        );
        let _ = read_answer(answer.as_bytes(), &base(), &series("s", Filters::default()), &day("2015-12-11"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_listed_is_sorted_in_its_day_and_on_the_source_s_own_host(
        records in proptest::collection::vec(("[0-9]{1,3}", "(Br|a\\.b|_|-x|%2e%2e){1,2}", 0u32..48, any::<bool>()), 0..8),
    ) {
        let items: Vec<String> = records
            .iter()
            .map(|(recnum, segment, hour, is_first)| {
                let time = format!("2015-12-1{}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
                if *is_first {
                    format!(r#"{{"url":"http://other/HMI/s/{segment}","date_obs":"{time}"}}"#)
                } else {
                    format!(r#"{{"urls":["http://u/HMI/s/{recnum}/{segment}.fits"],"date__obs":"{time}"}}"#)
                }
            })
            .collect();
        let answer = format!("[{}]", items.join(","));
        let listed = match read_as("s", &answer, "2015-12-11", Filters::default()) {
            Ok(listed) => listed,
            Err(failure) => {
                prop_assert!(answer.contains("%2e"), "{failure}: {answer}");
                return Ok(());
            }
        };
        prop_assert!(listed.files.is_sorted_by(|a, b| a.key < b.key));
        prop_assert_eq!(listed.files.len() as u64 + listed.duplicates + listed.outside_day, records.len() as u64);
        for file in &listed.files {
            prop_assert!(day("2015-12-11").window.contains(file.time));
            prop_assert_eq!(file.url.origin(), base().origin());
            let name = crate::archive::sanitise(file.name.as_ref().unwrap_or(&file.key));
            prop_assert!(name.is_none_or(|name| crate::archive::RelativePath::from_record(&name).is_some()));
        }
    }
}

/// A service that gives every question the same answer and keeps the first line of each.
pub(in crate::source) async fn service(answer: Vec<u8>) -> (Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && socket.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            seen.lock().unwrap().push(line);
            // A client that has seen enough may be gone before all is sent.
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        }
    });
    (base, asked)
}

/// A client that asks it without a pace.
pub(in crate::source) fn client(base: &Url) -> Client {
    let policy = Policy {
        job: "job".into(),
        run: "run".into(),
        contact: None,
        limits: Limits::default(),
        timeouts: Timeouts { connect: Duration::from_secs(2), stall: Duration::from_secs(2) },
        retry: Retry { attempts: 2, max_wait: Duration::from_secs(1) },
        way: HostAccess::Embedded,
    };
    Net::new().client(base, policy).unwrap()
}

async fn list(answer: Vec<u8>, series: &Series) -> (Result<Listed, Failure>, Vec<String>) {
    let (base, asked) = service(answer).await;
    let listed = open(series, &base, client(&base)).list(series, &day("2015-12-11"), None).await;
    let asked = asked.lock().unwrap().clone();
    (listed, asked)
}

pub(in crate::source) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn the_question_is_the_documented_one_for_each_form() {
    let (listed, asked) = list(ok(V1), &series("sharp_720s", Filters::default())).await;
    assert_eq!(listed.unwrap().files.len(), 5);
    assert_eq!(asked, ["GET /HMI/sharp_720s?start=2015-12-11T00:00:00Z&end=2015-12-12T00:00:00Z HTTP/1.1"]);
    let (listed, asked) = list(ok(V3), &series("hmi.sharp_720s", Filters::default())).await;
    assert_eq!(listed.unwrap().files.len(), 3);
    assert_eq!(
        asked,
        ["GET /HMI/hmi.sharp_720s?start=2015-12-11T00:00:00Z&end=2015-12-12T00:00:00Z&meta=false HTTP/1.1"]
    );
}

#[test]
fn l_08_a_day_of_more_files_than_there_can_be_is_told() {
    let urls = vec!["\"\""; 500_001].join(",");
    let answer = format!(r#"[{{"date__obs":"2015-12-11T00:00:00Z","urls":[{urls}]}}]"#);
    let failure = read_as("hmi.s", &answer, "2015-12-11", Filters::default()).unwrap_err();
    assert_eq!(failure.class, Class::ListingTooLarge, "{failure}");
}

#[tokio::test]
async fn l_08_a_listing_over_the_cap_is_left_unread() {
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n[", CAP + 1).into_bytes();
    let (listed, _) = list(large, &series("s", Filters::default())).await;
    assert_eq!(listed.unwrap_err().class, Class::ListingTooLarge);
}

#[tokio::test]
async fn b_16_an_endless_listing_ends_at_the_cap() {
    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[".to_vec();
    endless.resize(usize::try_from(CAP).unwrap() + 4096, b' ');
    let (listed, _) = list(endless, &series("s", Filters::default())).await;
    assert_eq!(listed.unwrap_err().class, Class::ListingTooLarge);
}

#[tokio::test]
async fn an_unknown_series_is_refused_in_the_service_s_words() {
    let body = r#"{"status":404,"detail":"no series `sharp_721s`"}"#;
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (listed, _) = list(answer.into_bytes(), &series("sharp_721s", Filters::default())).await;
    let message = refused(listed);
    assert!(message.contains("no series `sharp_721s`"), "{message}");
}

#[tokio::test]
async fn a_malformed_answer_names_its_question() {
    let (listed, _) = list(ok("<html>"), &series("s", Filters::default())).await;
    let failure = listed.unwrap_err();
    assert!(failure.message.contains("/HMI/s?start=2015-12-11T00:00:00Z"), "{failure}");
}
