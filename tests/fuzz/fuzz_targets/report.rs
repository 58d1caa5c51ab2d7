//! A run's report: what is read is written and read again as the same, and a cut one is none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sunhaul::report::Report;

fuzz_target!(|data: &[u8]| {
    let Ok(report) = serde_json::from_slice::<Report>(data) else { return };
    let written = report.to_json().expect("a report can be written");
    let read: Report = serde_json::from_slice(&written).expect("a report reads back");
    assert_eq!(read, report);
    assert_eq!(read.to_json().expect("a report can be written"), written);
    // All but the newline at the end is needed.
    let at = data.len() % (written.len() - 1);
    assert!(serde_json::from_slice::<Report>(&written[..at]).is_err(), "cut at {at}");
});
