//! `Retry-After` and `Date`: whatever a host asks for, the wait is capped, and so is the sum of all waits.
#![no_main]

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use sunhaul::failure::{Class, Failure};
use sunhaul::manifest::Retry;
use sunhaul::net::{Waits, retry_after};

// The first line is `Date`, each other line is one `Retry-After`.
fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for (nth, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(if nth == 0 { DATE } else { RETRY_AFTER }, value);
        }
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_450_000_000);
    let asked = retry_after::asked(&headers, || now);

    let max_wait = Duration::from_secs(u64::from(data.first().copied().unwrap_or(1)));
    let mut failure = Failure::new(Class::Throttled, "x");
    failure.retry_after = asked;
    let mut waits = Waits::new(Retry { attempts: 40, max_wait });
    let mut sum = Duration::ZERO;
    while let Some(wait) = waits.after(&failure) {
        assert!(wait <= max_wait, "{wait:?} of {max_wait:?}");
        assert!(wait >= asked.unwrap_or_default().min(max_wait), "{wait:?} where {asked:?} was asked for");
        sum += wait;
    }
    assert!(sum <= max_wait * 30, "{sum:?} of {max_wait:?}");

    // A wait that is written in either form is read as the same wait.
    let Some(seconds) = asked.map(|wait| wait.as_secs()).filter(|seconds| *seconds < 1 << 32) else { return };
    let forms = [seconds.to_string(), httpdate::fmt_http_date(now + Duration::from_secs(seconds))];
    for form in forms {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(&form).expect("a header value"));
        assert_eq!(retry_after::asked(&headers, || now), Some(Duration::from_secs(seconds)), "{form}");
    }
});
