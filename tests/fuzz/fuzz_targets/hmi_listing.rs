//! A listing of the HMI service in any of its shapes: what is read is sorted, in its day, and on the source's own host.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sunhaul::archive::{Values, render};
use sunhaul::day::Day;
use sunhaul::fetch::name_of;
use sunhaul::manifest::{Bound, Credentials, Filters, Hmi, Quality, Range, Series, SeriesId, SourceSpec, Template};
use sunhaul::source::hmi::read_answer;
use sunhaul_fuzz::{assert_safe_to_show, assert_stays_below_the_root};
use url::Url;

static BASE: LazyLock<Url> = LazyLock::new(|| Url::parse("http://h.example:81/p/").expect("a URL"));
static DAY: LazyLock<Day> = LazyLock::new(|| Day::whole("2015-12-11".parse().expect("a date")));
static SERIES: LazyLock<Vec<Series>> = LazyLock::new(|| {
    let all = [
        Filters::default(),
        Filters { segments: Some(vec!["magnetogram".into(), "Br".into()]), ..Filters::default() },
        Filters { harpnum: Some(vec![6167, -1]), ..Filters::default() },
        Filters { quality: Some(Quality { none_of: 0x8000_0000 }), ..Filters::default() },
        Filters { cadence: Some(Duration::from_secs(3600)), ..Filters::default() },
    ];
    let of = |(name, filters): (&str, Filters)| series(name, filters);
    ["sharp_720s", "hmi.M_45s"].iter().flat_map(|name| all.iter().map(|f| (*name, f.clone()))).map(of).collect()
});

fn series(name: &str, filters: Filters) -> Series {
    let at = |text: &str| Bound::At(text.parse().expect("a label"));
    Series {
        id: SeriesId(name.to_owned()),
        name: name.to_owned(),
        source: Arc::new(SourceSpec::Hmi(Hmi { url: BASE.clone(), credentials: Credentials::default() })),
        range: Range { start: at("2015-12-11T00:00:00"), end: at("2015-12-12T00:00:00") },
        layout: Template::default_of_kind(),
        filters,
    }
}

// The first byte chooses a series and its filters, the others are the answer.
fuzz_target!(|data: &[u8]| {
    let [choice, answer @ ..] = data else { return };
    let series = &SERIES[usize::from(*choice) % SERIES.len()];
    let listed = match read_answer(answer, &BASE, series, &DAY) {
        Ok(listed) => listed,
        Err(failure) => {
            assert!(failure.message.len() < 8192, "{} bytes of message", failure.message.len());
            return assert_safe_to_show(&failure.message);
        }
    };
    let told = listed.files.len() as u64 + listed.duplicates + listed.outside_day + listed.without_file;
    assert!(told <= answer.len() as u64, "more files than there is text for");
    assert!(listed.files.is_sorted_by(|a, b| a.key < b.key), "out of order, or a key twice");
    for file in &listed.files {
        assert!(DAY.window.contains(file.time), "{file:?}");
        assert_eq!(file.url.origin(), BASE.origin());
        assert!(file.url.path().starts_with(BASE.path()) && file.path.starts_with('/'), "{file:?}");
        assert!(file.url.username().is_empty() && file.url.password().is_none(), "{file:?}");
        let name = name_of(file, None);
        let values = Values { series: &series.id.0, date: DAY.date, time: file.time, file: &name, ..Values::default() };
        match render(&series.layout, &values) {
            Ok(path) => assert_stays_below_the_root(path.as_str()),
            Err(failure) => assert_safe_to_show(&failure.message),
        }
    }
    assert_eq!(read_answer(answer, &BASE, series, &DAY).ok(), Some(listed));
});
