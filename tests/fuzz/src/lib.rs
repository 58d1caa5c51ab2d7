//! What several fuzz targets hold to: foreign text is safe to show, a path stays where it was put, and a listing is sorted,
//! in its day and on the source's own host.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sunhaul::archive::{RelativePath, Values, render, sanitise};
use sunhaul::day::Day;
use sunhaul::failure::Failure;
use sunhaul::fetch::name_of;
use sunhaul::manifest::{
    Bound, Credentials, Fetch, Filters, Headers, Range, Reach, Regions, Series, SeriesId, SourceSpec, Template,
};
use sunhaul::source::Listed;
use url::Url;

/// The base that every listing is read at.
pub static BASE: LazyLock<Url> = LazyLock::new(|| Url::parse("http://h.example:81/p/").expect("a URL"));
/// The day that every listing is read for.
pub static DAY: LazyLock<Day> = LazyLock::new(|| Day::whole("2015-12-11".parse().expect("a date")));

/// How the source at `BASE` is reached.
pub fn reach() -> Reach {
    Reach { urls: vec![BASE.clone()], hosts: Vec::new(), tunnel: None, credentials: Credentials::default() }
}

/// A series of a source.
pub fn series(name: &str, source: SourceSpec, filters: Filters) -> Series {
    let at = |text: &str| Bound::At(text.parse().expect("a label"));
    Series {
        id: SeriesId("one".to_owned()),
        name: name.to_owned(),
        fallbacks: Vec::new(),
        source: Arc::new(source),
        range: Range { start: at("2015-12-11T00:00:00"), end: at("2015-12-12T00:00:00") },
        regions: Regions::default(),
        layout: Template::default_of_kind(),
        filters,
        fetch: Fetch::Files,
        headers: Headers::AsIs,
        keywords: None,
        settle: Duration::from_hours(72),
    }
}

/// Fails when a listing is not what every source promises, or when a failure cannot be shown.
pub fn assert_a_listing(read: &Result<Listed, Failure>, series: &Series) {
    let listed = match read {
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
        // A path may look like a host, but none stands where a URL has one.
        let is_relative = |text: &str| text.starts_with('/') || text.starts_with("../");
        let is_key = !file.key.is_empty() && (is_relative(&file.key) || !file.key.contains("://"));
        assert!(is_key && is_relative(&file.path), "{file:?}");
        assert!(file.url.username().is_empty() && file.url.password().is_none(), "{file:?}");
        let name = name_of(file, None);
        let values = Values { series: &series.id.0, date: DAY.date, time: file.time, file: &name, ..Values::default() };
        match render(&series.layout, &values) {
            Ok(path) => assert_stays_below_the_root(path.as_str()),
            Err(failure) => assert_safe_to_show(&failure.message),
        }
    }
}

/// Fails when a text for a person holds what acts on a terminal. Newlines are ours where a message has lines.
pub fn assert_safe_to_show(text: &str) {
    for line in text.lines() {
        let shown = sunhaul::untrusted::escape(line);
        let is_cut_only = line.len() > 300 && line.starts_with(shown.trim_end_matches('…'));
        assert!(*shown == *line || is_cut_only, "acts on a terminal: {line:?}");
    }
}

/// Fails when a path below an archive's root could leave it, or hide in it.
pub fn assert_stays_below_the_root(path: &str) {
    assert!(RelativePath::from_record(path).is_some(), "no path of an archive: {path:?}");
    assert!(!path.starts_with('/') && path.len() <= 2000, "{path:?}");
    for part in path.split('/') {
        assert!(!part.is_empty() && part.len() <= 255 && !part.starts_with(['.', '-']), "{path:?}");
        assert!(!part.contains(['\\', '\0', '\r', '\n', ':']), "{path:?}");
        assert_eq!(sanitise(part).as_deref(), Some(part));
    }
}
