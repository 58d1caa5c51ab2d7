//! A file name that a server gave, made into a safe path component.

use crate::manifest::is_device;

/// The longest component that common filesystems take, in bytes.
pub(super) const LONGEST: usize = 255;

/// The beginning of a name, at most so many bytes long.
pub(super) fn cut(name: &str, bytes: usize) -> &str {
    &name[..name.floor_char_boundary(bytes)]
}

/// Makes one safe path component of foreign text; `None` when nothing is left that could name a file.
///
/// Separators, controls, invisible and reserved characters become `_`, as do a leading dot or dash and a trailing dot
/// or space; a Windows device name gets a `_` before it. Percent signs stay as they are: nothing is decoded.
#[must_use]
pub fn sanitise(name: &str) -> Option<String> {
    let mut safe: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if safe.starts_with(['.', '-', ' ']) {
        safe.replace_range(..1, "_");
    }
    if safe.ends_with(['.', ' ']) {
        safe.pop();
        safe.push('_');
    }
    if safe.chars().all(|c| matches!(c, '.' | '_' | ' ')) {
        return None;
    }
    if is_device(&safe) {
        safe.insert(0, '_');
    }
    (safe.len() <= LONGEST).then_some(safe)
}

/// True for a name that [`sanitise`] leaves as it is. Most names are plain at a glance: a lock has a million of them.
pub(super) fn is_safe(name: &str) -> bool {
    let bytes = name.as_bytes();
    let is_simple = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let stem = bytes.iter().position(|byte| *byte == b'.').unwrap_or(bytes.len());
    // The names of devices have letters first, and four characters at most.
    let is_no_device = |first: u8| first.is_ascii_digit() || (first.is_ascii_alphabetic() && stem > 4);
    let at_a_glance = bytes.len() <= LONGEST
        && bytes.first().copied().is_some_and(is_no_device)
        && bytes.last() != Some(&b'.')
        && bytes.iter().all(is_simple);
    at_a_glance || sanitise(name).as_deref() == Some(name)
}

fn is_plain(c: char) -> bool {
    !matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{fffd}') && !crate::untrusted::acts(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["sharp_720s_20151211_182208.fits", "5605571.magnetogram.fits", "Überblick.fits", "a b.fits"] {
            assert_eq!(sanitise(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn names_that_leave_hide_or_act_are_defused() {
        assert_eq!(sanitise("../../etc/passwd").as_deref(), Some("_._.._etc_passwd"));
        assert_eq!(sanitise("..\\x").as_deref(), Some("_._x"));
        assert_eq!(sanitise("-rf").as_deref(), Some("_rf"));
        assert_eq!(sanitise(".sunhaul").as_deref(), Some("_sunhaul"));
        assert_eq!(sanitise("C:\\x").as_deref(), Some("C__x"));
        assert_eq!(sanitise("%2e%2e%2fx").as_deref(), Some("%2e%2e%2fx"));
        assert_eq!(sanitise("a\u{1b}[2J\u{202e}\n\0b").as_deref(), Some("a_[2J___b"));
        assert_eq!(sanitise("con.fits").as_deref(), Some("_con.fits"));
        assert_eq!(sanitise("x. ").as_deref(), Some("x._"));
    }

    #[test]
    fn nothing_nameable_is_nothing() {
        for name in ["", ".", "..", "/", "...", "-", "-_", "-\u{13}\u{13}", "- .", &"x".repeat(256)] {
            assert_eq!(sanitise(name), None, "{name:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_out_is_one_safe_component(name in ".*|[-._ \\x13/a]{0,6}") {
            if let Some(safe) = sanitise(&name) {
                proptest::prop_assert!(!safe.contains(['/', '\\', '\0', '\n', '\r']));
                proptest::prop_assert!(!safe.starts_with(['.', '-']));
                proptest::prop_assert!(safe.len() <= 255 && !safe.is_empty());
                proptest::prop_assert_eq!(sanitise(&safe), Some(safe.clone()));
            }
        }

        #[test]
        fn what_is_safe_at_a_glance_is_safe_by_the_rules(name in "[a-zA-Z0-9_.\\-]{0,6}|(con|COM1|aux|lpt9)[.0-9a-z]{0,3}|.*") {
            proptest::prop_assert_eq!(is_safe(&name), sanitise(&name).as_deref() == Some(&*name));
        }
    }
}
