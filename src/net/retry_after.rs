//! `Retry-After`: how long a host asks to be left alone.
//!
//! What it does not do: cap the wait; a host may ask for years.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The wait that the headers ask for: the longest one that can be read, zero for a date that is past, `None` when
/// nothing can be read. A date counts from the answer's own `Date`, else from `now`.
#[must_use]
pub fn asked(headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let wait = |text: &str| {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
        }
        let until = date(text)?;
        let from = headers.get(DATE).and_then(|sent| date(sent.to_str().ok()?)).unwrap_or_else(&now);
        Some(until.duration_since(from).unwrap_or_default())
    };
    headers.get_all(RETRY_AFTER).iter().filter_map(|value| wait(value.to_str().ok()?.trim())).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn read(values: &[&str], date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(RETRY_AFTER, value.parse().unwrap());
        }
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        asked(&headers, || httpdate::parse_http_date(SUN).unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn s_11_s_12_s_13_every_form_gives_a_sane_wait() {
        assert_eq!(read(&["7"], None), Some(7));
        assert_eq!(read(&["0"], None), Some(0));
        assert_eq!(read(&["1000000000"], None), Some(1_000_000_000));
        assert_eq!(read(&["99999999999999999999999"], None), Some(u64::MAX));
        assert_eq!(read(&["abc"], None), None);
        assert_eq!(read(&["-5"], None), None);
        assert_eq!(read(&[""], None), None);
        assert_eq!(read(&[], None), None);
        assert_eq!(read(&["3", "9"], None), Some(9));
        assert_eq!(read(&["abc", "9"], None), Some(9));
        assert_eq!(read(&["Sun, 06 Nov 1994 08:50:37 GMT"], None), Some(60));
        assert_eq!(read(&["Sun, 06 Nov 1994 08:50:37 GMT"], Some("Sun, 06 Nov 1994 08:50:07 GMT")), Some(30));
        assert_eq!(read(&["Sun, 06 Nov 1994 08:50:37 GMT"], Some("nonsense")), Some(60));
        assert_eq!(read(&["Sun, 06 Nov 1994 08:00:00 GMT"], None), Some(0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_wait_reads_back_in_either_form(seconds in 0u64..4_000_000_000) {
            prop_assert_eq!(read(&[&seconds.to_string()], None), Some(seconds));
            let until = httpdate::parse_http_date(SUN).unwrap() + Duration::from_secs(seconds);
            prop_assert_eq!(read(&[&httpdate::fmt_http_date(until)], None), Some(seconds));
        }

        #[test]
        fn no_value_panics(value in "\\PC*") {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(RETRY_AFTER, value.clone());
                headers.insert(DATE, value);
                let _ = asked(&headers, || SystemTime::UNIX_EPOCH);
            }
        }
    }
}
