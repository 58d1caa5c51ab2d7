//! `Content-Range`: what is read is in order, and reads back as it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sunhaul::net::ContentRange;

fuzz_target!(|header: &str| {
    let Some(range) = ContentRange::parse(header) else { return };
    let written = match range {
        ContentRange::Bytes { start, end, total } => {
            assert!(start <= end && total.is_none_or(|total| end < total), "{range:?}");
            let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
            format!("bytes {start}-{end}/{total}")
        }
        ContentRange::Unsatisfied { total } => format!("bytes */{total}"),
    };
    assert_eq!(ContentRange::parse(&written), Some(range));
});
