//! A listing of the HMI service in any of its shapes: what is read is sorted, in its day, and on the source's own host.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sunhaul::manifest::{Filters, Hmi, Quality, Series, SourceSpec};
use sunhaul::source::hmi::read_answer;
use sunhaul_fuzz::{BASE, DAY, assert_a_listing, reach, series};

static SERIES: LazyLock<Vec<Series>> = LazyLock::new(|| {
    let all = [
        Filters::default(),
        Filters { segments: Some(vec!["magnetogram".into(), "Br".into()]), ..Filters::default() },
        Filters { harpnum: Some(vec![6167, -1]), ..Filters::default() },
        Filters { quality: Some(Quality { none_of: 0x8000_0000 }), ..Filters::default() },
        Filters { cadence: Some(Duration::from_secs(3600)), ..Filters::default() },
    ];
    let of = |(name, filters): (&str, Filters)| series(name, SourceSpec::Hmi(Hmi { reach: reach() }), filters);
    ["sharp_720s", "hmi.M_45s"].iter().flat_map(|name| all.iter().map(|f| (*name, f.clone()))).map(of).collect()
});

// The first byte chooses a series and its filters, the others are the answer.
fuzz_target!(|data: &[u8]| {
    let [choice, answer @ ..] = data else { return };
    let series = &SERIES[usize::from(*choice) % SERIES.len()];
    let read = read_answer(answer, &BASE, series, &DAY);
    assert_a_listing(&read, series);
    if let Ok(listed) = read {
        let told = listed.files.len() as u64 + listed.duplicates + listed.outside_day;
        assert!(told <= answer.len() as u64, "more files than there is text for");
        let is_below = |url: &url::Url| url.path().starts_with(BASE.path());
        assert!(listed.files.iter().all(|file| is_below(&file.url) && file.path.starts_with('/')), "{listed:?}");
        assert_eq!(read_answer(answer, &BASE, series, &DAY).ok(), Some(listed));
    }
});
