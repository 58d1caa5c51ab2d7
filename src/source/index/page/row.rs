//! What a listing says of a file beside its link: the version of the file, where it tells a time of day.
//!
//! Dates are not parsed: servers write them in many forms and zones, and only equal texts are taken for one version.

use super::CELL;

/// A row of a listing is no longer than this, in bytes; what is longer may be cut.
const LONGEST: usize = 150;

/// What stands beside a link, its spaces as one each, where a time of day is part of it: without one, a file that was changed
/// on the same day would look the same.
pub(super) fn version(text: &str) -> Option<Box<str>> {
    let words: Vec<&str> = text.split([CELL, ' ', '\n', '\r', '\u{a0}']).filter(|word| !word.is_empty()).collect();
    let is_row = text.len() <= LONGEST && words.iter().any(|word| has_time_of_day(word));
    is_row.then(|| words.join(" ").into())
}

/// True for `10:11`, `10:11:12` and `2026-11-27T10:11`.
fn has_time_of_day(word: &str) -> bool {
    word.as_bytes().windows(5).any(|part| {
        let is_digit = |at: usize| part[at].is_ascii_digit();
        is_digit(0) && is_digit(1) && part[2] == b':' && is_digit(3) && is_digit(4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_row_with_a_time_of_day_tells_a_version() {
        for (text, told) in [
            ("                27-Nov-2026 10:11    3.2M\n", Some("27-Nov-2026 10:11 3.2M")),
            ("\t2026-11-27 10:11:12\t3145728\t", Some("2026-11-27 10:11:12 3145728")),
            ("\t2026-11-27T10:11Z", Some("2026-11-27T10:11Z")),
            ("\t1.2M\t", None),
            ("27-Nov-2026  3.2M", None),
            ("", None),
            ("3 hours ago", None),
        ] {
            assert_eq!(version(text).as_deref(), told, "{text:?}");
        }
        assert_eq!(version(&format!("10:11 {}", "x".repeat(LONGEST))), None, "it may be cut");
    }
}
