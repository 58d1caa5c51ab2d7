//! A manifest: whatever is written in it, it is either read into something that holds, or explained safely.
#![no_main]

use std::collections::BTreeSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sunhaul::archive::{Values, render};
use sunhaul::manifest::{Manifest, parse};
use sunhaul_fuzz::{assert_safe_to_show, assert_stays_below_the_root};

fuzz_target!(|data: &[u8]| {
    let environment = |name: &str| (name == "HOME").then(|| "/home/jane".to_owned());
    match parse(Path::new("jobs/j.yaml"), data, &environment) {
        Ok(manifest) => holds(&manifest),
        Err(diagnostics) => {
            assert!(!diagnostics.list().is_empty() && diagnostics.list().len() <= 100);
            let shown = diagnostics.to_string();
            assert_safe_to_show(&shown);
            assert!(shown.len() <= 100 * 4096, "{} bytes of diagnostics", shown.len());
        }
    }
});

fn holds(manifest: &Manifest) {
    assert!(!manifest.series.is_empty());
    let ids: BTreeSet<&str> = manifest.series.iter().map(|series| series.id.0.as_str()).collect();
    assert_eq!(ids.len(), manifest.series.len(), "an id twice");
    let now = chrono::DateTime::from_timestamp(1_450_000_000, 0).expect("an instant");
    for series in &manifest.series {
        assert_stays_below_the_root(&series.id.0);
        let window = series.range.resolve(now, series.source.scale());
        for day in window.days().take(3) {
            let _ = series.spec(&day);
            let values = Values {
                series: &series.id.0,
                date: day.date,
                time: day.window.start,
                file: "../\u{202e}a.fits",
                recnum: Some(-1),
                harpnum: Some(377),
                t_rec: Some(day.window.start),
                segment: Some("-/.."),
                wavelength: Some(6173),
            };
            match render(&series.layout, &values) {
                Ok(path) => assert_stays_below_the_root(path.as_str()),
                Err(failure) => assert_safe_to_show(&failure.message),
            }
        }
    }
    manifest.warnings(chrono::DateTime::UNIX_EPOCH).iter().for_each(|warning| assert_safe_to_show(warning));
}
