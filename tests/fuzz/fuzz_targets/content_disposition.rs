//! `Content-Disposition`: whatever name comes out of it names one file below the archive's root, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sunhaul::archive::{Values, render, sanitise};
use sunhaul::fetch::content_disposition::file_name;
use sunhaul::manifest::Template;
use sunhaul_fuzz::{assert_safe_to_show, assert_stays_below_the_root};

std::thread_local! {
    static LAYOUT: Template = Template::default_of_kind();
}

fuzz_target!(|header: &[u8]| {
    // The header itself, and the same bytes as a name that a well-behaved server quotes.
    if let Some(name) = file_name(header) {
        assert!(name.len() <= 2 * header.len(), "longer than what it was read from");
        names_one_file(&name);
    }
    let Ok(name) = std::str::from_utf8(header) else { return };
    if name.is_empty() {
        return;
    }
    let quoted = format!("attachment; filename=\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(file_name(quoted.as_bytes()).as_deref(), Some(name));
    let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let extended = format!("attachment; filename=other; filename*=UTF-8'en'{encoded}");
    assert_eq!(file_name(extended.as_bytes()).as_deref(), Some(name));
});

fn names_one_file(name: &str) {
    if let Some(safe) = sanitise(name) {
        assert!(!safe.contains('/'));
        assert_stays_below_the_root(&safe);
    }
    let values = Values { series: "sharp_720s", file: name, ..Values::default() };
    match LAYOUT.with(|layout| render(layout, &values)) {
        Ok(path) => {
            assert_stays_below_the_root(path.as_str());
            assert_eq!(path.as_str().split('/').count(), 5, "{path}");
        }
        Err(failure) => assert_safe_to_show(&failure.message),
    }
}
