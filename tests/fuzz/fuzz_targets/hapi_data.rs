//! A dataset of HAPI and its data: files that are sorted, in their day and on the server's own host, or a table whose rows
//! are the server's own.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sunhaul::manifest::{Filters, Hapi, Series, SourceSpec};
use sunhaul::source::hapi::read_answer;
use sunhaul_fuzz::{BASE, DAY, assert_a_listing, reach, series};

static SERIES: LazyLock<Series> = LazyLock::new(|| {
    series("a/b@0", SourceSpec::Hapi(Hapi { reach: reach(), parameters: None }), Filters::default())
});

/// Datasets to read data for, where the input brings none of its own.
const INFOS: [&str; 2] = [
    r#"{"startDate":"2010Z","stopDate":"2030Z","parameters":[{"name":"Time","type":"isotime"},{"name":"B","type":"double","size":[2]}]}"#,
    r#"{"startDate":"2010Z","stopDate":"2030Z","parameters":[{"name":"Time","type":"isotime"},
       {"name":"f","type":"string","fill":"x","stringType":{"uri":{"base":"http://h.example:81/d"}}}]}"#,
];

// The first byte chooses a dataset; 2 is the input's own, up to a NUL. What follows are the data.
fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let (info, data) = match INFOS.get(usize::from(choice % 3)) {
        Some(info) => (info.as_bytes(), rest),
        None => {
            let (info, data) = rest.split_at(rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len()));
            (info, data.strip_prefix(&[0]).unwrap_or(data))
        }
    };
    let read = read_answer(info, data, &BASE, &SERIES, &DAY);
    assert_a_listing(&read, &SERIES);
    let Ok(listed) = read else { return };
    if let Some(table) = listed.files.first().and_then(|file| file.made()) {
        let table = std::str::from_utf8(table).expect("UTF-8, as it came");
        let sent = std::str::from_utf8(data).expect("UTF-8, as it came").replace("\r\n", "\n");
        assert!(table.ends_with('\n') && table.len() > 1);
        let rows = table.split_once('\n').expect("a line of names").1;
        for row in rows.lines() {
            assert!(sent.contains(row.trim_end_matches('\r')), "a row that nobody sent: {row:?}");
        }
    }
    assert_eq!(read_answer(info, data, &BASE, &SERIES, &DAY).ok(), Some(listed));
});
