//! JSON as JSOC writes it, made JSON: Latin-1, and control characters as they are within strings.
//!
//! Nothing else is repaired: what is no JSON then is malformed.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::source::read_capped::{excerpt, expect_json, first_byte, malformed, no_json};

/// Reads an answer.
///
/// # Errors
/// `html` for a web page, `listing-malformed` with the place for what else is no answer of that form.
pub(super) fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
    let text = mended(answer);
    expect_json(text.as_bytes(), "{}")?;
    // serde would accept a JSON array in place of an object.
    if first_byte(answer) != Some(b'{') {
        return Err(malformed(&format!("no object in JSON (near `{}`)", excerpt(text.as_bytes(), 0))));
    }
    serde_json::from_str(&text).map_err(|error| no_json(text.as_bytes(), &error))
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::failure::Class;

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
