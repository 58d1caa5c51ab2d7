//! JSON as JSOC writes it, made JSON: Latin-1, and control characters as they are within strings.
//!
//! What it does not do: mend anything else. What is no JSON then is malformed.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::de::DeserializeOwned;

use crate::failure::{Class, Failure};
use crate::untrusted::escape;

/// How many bytes of a malformed answer are shown on either side of the place.
const AROUND: usize = 40;

/// Reads an answer.
///
/// # Errors
/// `html` for a web page, `listing-malformed` with the place for what else is no answer of that form.
pub(super) fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
    match answer.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(malformed("the answer is empty, where JSON is due")),
        Some(b'<') => {
            let page = format!("a web page came where JSON is due: `{}`", excerpt(&mended(answer), 0));
            return Err(Failure::new(Class::Html, page));
        }
        Some(b'{') => {}
        // The form would be read from a list as well.
        Some(_) => {
            return Err(malformed(&format!("no object in JSON (near `{}`)", excerpt(&mended(answer), 0))));
        }
    }
    let text = mended(answer);
    serde_json::from_str(&text).map_err(|error| {
        let at = offset(&text, &error);
        let reason = error.to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        malformed(&format!("{} (byte {at}, near `{}`)", escape(reason), excerpt(&text, at)))
    })
}

/// A malformed answer.
pub(super) fn malformed(why: &str) -> Failure {
    Failure::new(Class::ListingMalformed, why)
}

/// The answer in UTF-8, with control characters within strings escaped.
fn mended(answer: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(answer)
        && text.is_ascii()
        && !text.bytes().any(|byte| byte < b' ' && byte != b'\n')
        && !text.trim_end().contains('\n')
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(answer.len() + answer.len() / 16);
    let (mut within, mut escaped) = (false, false);
    for byte in answer {
        let c = char::from(*byte);
        if within && *byte < b' ' {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{:04x}", *byte);
            escaped = false;
            continue;
        }
        text.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' if within => escaped = true,
            '"' => within = !within,
            _ => {}
        }
    }
    Cow::Owned(text)
}

/// The byte that an error's line and column mean.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let line: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (line + error.column().saturating_sub(1)).min(text.len())
}

fn excerpt(text: &str, at: usize) -> String {
    let part = &text.as_bytes()[at.saturating_sub(AROUND)..(at + AROUND).min(text.len())];
    escape(&String::from_utf8_lossy(part)).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(answer: &[u8]) -> Value {
        parse(answer).unwrap()
    }

    #[test]
    fn latin_1_and_raw_control_characters_are_read() {
        assert_eq!(read(b"{\"note\":\"20 \xb5m \xe9\"}")["note"], "20 \u{b5}m \u{e9}");
        assert_eq!(read(b"{\"a\":\"x\ny\tz\\\"\x01\"}\n")["a"], "x\ny\tz\"\u{1}");
        assert_eq!(read(b"{\n\t\"a\" : [1,\n2]\r\n}")["a"][1], 2);
        assert_eq!(read(b"{\"a\":\"plain\"}\n\n")["a"], "plain");
    }

    #[test]
    fn l_06_l_07_what_is_no_answer_is_told_with_its_place() {
        let refused = |answer: &[u8]| parse::<Value>(answer).unwrap_err();
        assert_eq!(refused(b" \n").class, Class::ListingMalformed);
        assert_eq!(refused(b"\n<!DOCTYPE html><html>").class, Class::Html);
        assert!(refused(b"[{}]").message.contains("no object"));
        let cut = refused(b"{\"a\":\"\xe9\",\n\"b\":[1,2");
        assert!(cut.message.contains("EOF") && cut.message.contains("byte 18"), "{}", cut.message);
        assert!(refused(b"{\"a\":1}x").message.contains("trailing characters (byte 7"));
    }

    proptest::proptest! {
        #[test]
        fn json_that_was_right_stays_as_it_is(text in "[ -~]{0,40}") {
            let json = serde_json::json!({ "a": text, "b": [text, 1] }).to_string();
            proptest::prop_assert_eq!(read(json.as_bytes()), serde_json::from_str::<Value>(&json).unwrap());
        }

        #[test]
        fn whatever_comes_is_mended_or_told(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            if let Err(failure) = parse::<Value>(&bytes) {
                proptest::prop_assert!(!failure.message.chars().any(crate::untrusted::acts));
            }
        }
    }
}
