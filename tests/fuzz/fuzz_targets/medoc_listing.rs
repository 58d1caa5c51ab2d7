//! A page of MEDOC's records and a folder's items: what is read is sorted, in its day, and on the source's own host.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sunhaul::manifest::{Filters, Medoc, Series, SourceSpec};
use sunhaul::source::medoc::read_answer;
use sunhaul_fuzz::{BASE, DAY, assert_a_listing, reach, series};

static SERIES: LazyLock<Vec<Series>> = LazyLock::new(|| {
    let all = [
        Filters::default(),
        Filters { segments: Some(vec!["Br".into()]), ..Filters::default() },
        Filters { harpnum: Some(vec![377, -1]), wavelength: Some(vec![171, 6173]), ..Filters::default() },
    ];
    let source = || SourceSpec::Medoc(Medoc { reach: reach(), dataset: None });
    let of = |(name, filters): (&str, Filters)| series(name, source(), filters);
    ["hmi.sharp_720s", "aia.lev1"].iter().flat_map(|name| all.iter().map(|f| (*name, f.clone()))).map(of).collect()
});

// The first byte chooses a series and its filters; up to a NUL it is the page, then the items of every folder.
fuzz_target!(|data: &[u8]| {
    let [choice, answers @ ..] = data else { return };
    let series = &SERIES[usize::from(*choice) % SERIES.len()];
    let (page, items) = answers.split_at(answers.iter().position(|byte| *byte == 0).unwrap_or(answers.len()));
    let items = items.strip_prefix(&[0]).unwrap_or(br#"{"items":[{"name":"Br.fits"}]}"#);
    let read = read_answer(page, items, &BASE, series, &DAY);
    assert_a_listing(&read, series);
    if let Ok(listed) = read {
        assert_eq!(read_answer(page, items, &BASE, series, &DAY).ok(), Some(listed));
    }
});
