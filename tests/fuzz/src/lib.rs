//! What several fuzz targets hold to: foreign text is safe to show, and a path stays where it was put.

use sunhaul::archive::{RelativePath, sanitise};

/// Fails when a text for a person holds what acts on a terminal. Newlines are ours where a message has lines.
pub fn assert_safe_to_show(text: &str) {
    for line in text.lines() {
        let shown = sunhaul::untrusted::escape(line);
        let is_cut_only = line.len() > 300 && line.starts_with(shown.trim_end_matches('…'));
        assert!(&*shown == line || is_cut_only, "acts on a terminal: {line:?}");
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
