//! An answer of JSOC to `rs_list`: what is read is sorted, in its day, and on the source's own host.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sunhaul::archive::{Values, render};
use sunhaul::day::Day;
use sunhaul::fetch::name_of;
use sunhaul::manifest::{
    Bound, Credentials, Export, Fetch, Filters, Jsoc, Method, Protocol, Quality, Range, Reach, Series, SeriesId,
    SourceSpec, Template,
};
use sunhaul::source::jsoc::read_answers;
use sunhaul_fuzz::{assert_safe_to_show, assert_stays_below_the_root};
use url::Url;

/// What the series consists of.
const STRUCTURE: &[u8] = br#"{"primekeys":["HARPNUM","T_REC"],"primekeysinfo":[{"name":"T_REC","step":"720.0"}],
"keywords":[{"name":"HARPNUM","type":"int"},{"name":"T_REC","type":"time"},{"name":"QUALITY","type":"int"},
{"name":"NOAA_ARS","type":"string"},{"name":"USFLUX","type":"double","units":"Mx","note":"flux"}],
"segments":[{"name":"Br"},{"name":"Bp"}],"Interval":{"FirstRecord":"s[1][2010.05.01_00:12:00_TAI]"},"status":0}"#;

static BASE: LazyLock<Url> = LazyLock::new(|| Url::parse("http://h.example:81/p/").expect("a URL"));
static DAY: LazyLock<Day> = LazyLock::new(|| Day::whole("2015-12-11".parse().expect("a date")));
static SERIES: LazyLock<Vec<Series>> = LazyLock::new(|| {
    let br = || Some(vec!["Br".to_owned()]);
    let plain = series(Fetch::Files, Filters { segments: br(), ..Filters::default() }, None);
    let export = Export { email: "a@b".into(), protocol: Protocol::Fits, method: Method::Url, process: None };
    vec![
        plain.clone(),
        series(Fetch::Both, Filters { segments: br(), ..Filters::default() }, None),
        series(Fetch::Both, Filters { segments: br(), ..Filters::default() }, Some(export)),
        series(Fetch::Files, Filters { harpnum: Some(vec![377]), noaa: Some(vec![11158]), ..Filters::default() }, None),
        series(
            Fetch::Keywords,
            Filters {
                quality: Some(Quality { none_of: 0x8000_0000 }),
                cadence: Some(Duration::from_secs(3600)),
                ..Filters::default()
            },
            None,
        ),
        Series { keywords: Some(vec!["USFLUX".to_owned()]), fetch: Fetch::Keywords, ..plain },
    ]
});

fn series(fetch: Fetch, filters: Filters, export: Option<Export>) -> Series {
    let at = |text: &str| Bound::At(text.parse().expect("a label"));
    let reach = Reach { urls: vec![BASE.clone()], hosts: Vec::new(), tunnel: None, credentials: Credentials::default() };
    Series {
        id: SeriesId("hmi.sharp_cea_720s".to_owned()),
        name: "hmi.sharp_cea_720s".to_owned(),
        source: Arc::new(SourceSpec::Jsoc(Jsoc { reach, export })),
        range: Range { start: at("2015-12-11T00:00:00"), end: at("2015-12-12T00:00:00") },
        layout: Template::default_of_kind(),
        filters,
        fetch,
        keywords: None,
        settle: Duration::from_secs(3600),
    }
}

// The first byte chooses a series and its filters, the others are the answer.
fuzz_target!(|data: &[u8]| {
    let [choice, answer @ ..] = data else { return };
    let series = &SERIES[usize::from(*choice) % SERIES.len()];
    let read = || read_answers(STRUCTURE, answer, &BASE, series, &DAY);
    let listed = match read() {
        Ok(listed) => listed,
        Err(failure) => {
            assert!(failure.message.len() < 8192, "{} bytes of message", failure.message.len());
            return assert_safe_to_show(&failure.message);
        }
    };
    assert!(listed.files.is_sorted_by(|a, b| a.key < b.key), "out of order, or a key twice");
    for file in &listed.files {
        assert!(DAY.window.contains(file.time), "{file:?}");
        assert_eq!(file.url.origin(), BASE.origin());
        assert!(file.url.path().starts_with(BASE.path()) && file.path.starts_with('/'), "{file:?}");
        let name = name_of(file, None);
        let values = Values { series: &series.id.0, date: DAY.date, time: file.time, file: &name, ..Values::default() };
        match render(&series.layout, &values) {
            Ok(path) => assert_stays_below_the_root(path.as_str()),
            Err(failure) => assert_safe_to_show(&failure.message),
        }
    }
    assert_eq!(read().ok(), Some(listed));
});
