//! An answer of JSOC to `rs_list`: what is read is sorted, in its day, and on the source's own host.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sunhaul::manifest::{Export, Fetch, Filters, Jsoc, Method, Protocol, Quality, Series, SourceSpec};
use sunhaul::source::jsoc::read_answers;
use sunhaul_fuzz::{BASE, DAY, assert_a_listing, reach};

/// What the series consists of.
const STRUCTURE: &[u8] = br#"{"primekeys":["HARPNUM","T_REC"],"primekeysinfo":[{"name":"T_REC","step":"720.0"}],
"keywords":[{"name":"HARPNUM","type":"int"},{"name":"T_REC","type":"time"},{"name":"QUALITY","type":"int"},
{"name":"NOAA_ARS","type":"string"},{"name":"USFLUX","type":"double","units":"Mx","note":"flux"}],
"segments":[{"name":"Br"},{"name":"Bp"}],"Interval":{"FirstRecord":"s[1][2010.05.01_00:12:00_TAI]"},"status":0}"#;

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
    let source = SourceSpec::Jsoc(Jsoc { reach: reach(), export });
    Series { fetch, ..sunhaul_fuzz::series("hmi.sharp_cea_720s", source, filters) }
}

// The first byte chooses a series and its filters, the others are the answer.
fuzz_target!(|data: &[u8]| {
    let [choice, answer @ ..] = data else { return };
    let series = &SERIES[usize::from(*choice) % SERIES.len()];
    let read = || read_answers(STRUCTURE, answer, &BASE, series, &DAY);
    let listed = read();
    assert_a_listing(&listed, series);
    if let Ok(listed) = listed {
        for file in &listed.files {
            assert!(file.url.path().starts_with(BASE.path()) && file.path.starts_with('/'), "{file:?}");
        }
        assert_eq!(read().ok(), Some(listed));
    }
});
