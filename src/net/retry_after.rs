//! How long a refused request's host asks to be left alone: `Retry-After`, and the rate limit headers where that is absent.
//!
//! The wait is not capped here; a host may ask for years.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

/// A reset time larger than this is no number of seconds to wait, but a Unix time (2001-09-09 and later).
const LEAST_UNIX_TIME: u64 = 1_000_000_000;

/// What a server says of a quota of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Quota {
    is_used_up: Option<bool>,
    /// Seconds, or a Unix time.
    reset: u64,
}

/// The wait that a refusal with this `status` asks for; `Retry-After` goes before the rate limit headers, as their draft
/// says. `None` when the headers name no wait.
#[must_use]
pub fn of_refusal(status: StatusCode, headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Option<Duration> {
    asked(headers, &now).or_else(|| {
        // Gateways put these headers on every answer: only a 429 is surely about them.
        let is_about = |quota: &Quota| quota.is_used_up.unwrap_or(status == StatusCode::TOO_MANY_REQUESTS);
        let reset = quotas(headers).into_iter().filter(is_about).map(|quota| quota.reset).max()?;
        if reset < LEAST_UNIX_TIME {
            return Some(Duration::from_secs(reset));
        }
        let now = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(Duration::from_secs(reset).saturating_sub(now))
    })
}

/// The quotas that the headers tell of: `RateLimit: "default";r=0;t=30` (draft-ietf-httpapi-ratelimit-headers), its
/// earlier form `limit=9, remaining=0, reset=30`, and `RateLimit-Remaining` with `RateLimit-Reset`, both with or without
/// `X-`.
fn quotas(headers: &HeaderMap) -> Vec<Quota> {
    let texts = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let parameter = |item: &str, names: [&str; 2]| {
        let pairs = item.split([';', ',']).filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| names.contains(&name.trim())).find_map(|(_, value)| number(value))
    };
    let of =
        |left: Option<u64>, reset: Option<u64>| Some(Quota { is_used_up: left.map(|left| left == 0), reset: reset? });
    let drafted = texts("ratelimit").flat_map(|text| {
        // A comma stands between quotas, and in the earlier form between the parameters of the only one.
        let items = if text.contains("reset=") { vec![text] } else { text.split(',').collect() };
        items.into_iter().filter_map(|item| of(parameter(item, ["r", "remaining"]), parameter(item, ["t", "reset"])))
    });
    let plain = ["ratelimit", "x-ratelimit"].into_iter().filter_map(|prefix| {
        let field = |suffix: &str| texts(&format!("{prefix}-{suffix}")).find_map(number);
        of(field("remaining"), field("reset"))
    });
    drafted.chain(plain).collect()
}

/// The wait of `Retry-After`: the longest one that can be read, zero for a date that is past, `None` when nothing can be
/// read. A date counts from the answer's own `Date`, else from `now`.
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

    #[test]
    fn s_23_a_refusal_without_retry_after_waits_for_the_reset_of_its_quota() {
        let now = || SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        for (status, headers, want) in [
            (429, &[("ratelimit-reset", "30")][..], Some(30)),
            (429, &[("x-ratelimit-reset", "1800000060"), ("x-ratelimit-remaining", "0")], Some(60)),
            (429, &[("x-ratelimit-reset", "1700000000")], Some(0)),
            (429, &[("ratelimit", "\"default\";r=0;t=7")], Some(7)),
            (429, &[("ratelimit", "\"minute\";r=3;t=50, \"burst\";r=0;t=2")], Some(2)),
            (429, &[("ratelimit", "limit=100, remaining=0, reset=5")], Some(5)),
            (429, &[("ratelimit-remaining", "4"), ("ratelimit-reset", "30")], None),
            (429, &[("ratelimit-reset", "30"), ("retry-after", "2")], Some(2)),
            (429, &[("ratelimit-reset", "-1")], None),
            (429, &[("ratelimit", ";;;=")], None),
            (403, &[("x-ratelimit-reset", "30"), ("x-ratelimit-remaining", "0")], Some(30)),
            (403, &[("x-ratelimit-reset", "30")], None),
            (503, &[("ratelimit-reset", "30"), ("ratelimit-remaining", "9")], None),
            (503, &[], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let wait = of_refusal(StatusCode::from_u16(status).unwrap(), &map, now);
            assert_eq!(wait.map(|wait| wait.as_secs()), want, "{status} {headers:?}");
        }
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
