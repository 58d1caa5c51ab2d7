//! Keys and values that were typed in a wrong form or at a wrong place: what was meant.

use super::suggest_word::{listed, nearest};
use crate::untrusted::escape;

/// Keys that people look for elsewhere, and the key that they stand under.
const STAND_UNDER: [(&str, &str); 14] = [
    ("attempts", "retry"),
    ("bandwidth", "limits"),
    ("cadence", "series"),
    ("concurrency", "limits"),
    ("end", "range"),
    ("harpnum", "series"),
    ("layout", "archive"),
    ("max_wait", "retry"),
    ("noaa", "series"),
    ("quality", "series"),
    ("requests", "limits"),
    ("root", "archive"),
    ("segments", "series"),
    ("start", "range"),
];

/// What to do about a key that is none of the `known` ones.
pub(super) fn hint_for_key(typed: &str, known: &[&str]) -> String {
    if let Some((key, value)) = typed.split_once(':')
        && known.contains(&key)
    {
        return format!("put a space behind the `:`, as in `{key}: {}`", escape(value));
    }
    let elsewhere = STAND_UNDER.iter().find(|(key, under)| *key == typed && known.contains(under));
    if let Some((key, under)) = elsewhere {
        return match *under {
            "series" => format!("`{key}` belongs to an entry of `series`, below its `name`"),
            under => format!("`{key}` stands under `{under}`, as in `{under}: {{ {key}: ... }}`"),
        };
    }
    match nearest(typed, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", listed(known)),
    }
}

/// What to do about a single value where a list is due.
pub(super) fn hint_for_list(typed: Option<&str>) -> String {
    let Some(typed) = typed.map(str::trim).filter(|typed| !typed.is_empty() && typed.len() <= 100) else {
        return "a list is written `[a, b]`, or as lines that begin with `- `".to_owned();
    };
    let is_number = |part: &str| !part.trim().is_empty() && part.trim().bytes().all(|byte| byte.is_ascii_digit());
    let ends = typed.split_once("..").or_else(|| typed.split_once('-'));
    if ends.is_some_and(|(first, last)| is_number(first) && is_number(last)) {
        return "numbers from one to another cannot be given: write each of them, such as `[377, 378, 379]`".to_owned();
    }
    format!("write `[{}]`", escape(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_by_an_unknown_key() {
        let known = ["version", "range", "series", "archive", "limits", "retry", "start"];
        for (typed, hint) in [
            ("retries", "did you mean `retry`?"),
            ("serie", "did you mean `series`?"),
            ("start:2015-12-01", "put a space behind the `:`, as in `start: 2015-12-01`"),
            ("layout", "`layout` stands under `archive`, as in `archive: { layout: ... }`"),
            ("segments", "`segments` belongs to an entry of `series`, below its `name`"),
        ] {
            assert_eq!(hint_for_key(typed, &known), hint);
        }
        assert!(hint_for_key("colour", &known).starts_with("known here: `version`, "));
        assert!(hint_for_key("layout", &["root", "lock"]).starts_with("known here"), "not where `archive` is unknown");
    }

    #[test]
    fn what_was_meant_by_a_value_where_a_list_is_due() {
        for (typed, hint) in [
            (Some("Br"), "write `[Br]`"),
            (Some("377, 378"), "write `[377, 378]`"),
            (
                Some("377-400"),
                "numbers from one to another cannot be given: write each of them, such as `[377, 378, 379]`",
            ),
            (
                Some("377..400"),
                "numbers from one to another cannot be given: write each of them, such as `[377, 378, 379]`",
            ),
            (None, "a list is written `[a, b]`, or as lines that begin with `- `"),
        ] {
            assert_eq!(hint_for_list(typed), hint);
        }
    }
}
