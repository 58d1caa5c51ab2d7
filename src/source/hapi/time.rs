//! Times as HAPI writes them: UTC, by month and day or by day of the year, cut off anywhere behind the year.
//!
//! HAPI 3.1, "Representation of Time". Other time zones are not guessed.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// Reads `2015-12-11T18:22:08.8Z`, `2015-345T18:22Z`, `2015-12Z` and the like. What is left out has its least value, a
/// missing `Z` means the same, and digits beyond nanoseconds are dropped.
pub(super) fn parse(text: &str) -> Option<NaiveDateTime> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let date = self::date(date)?;
    let Some(time) = time else { return Some(date.and_time(NaiveTime::MIN)) };
    let (clock, fraction) = time.split_once('.').map_or((time, None), |(clock, fraction)| (clock, Some(fraction)));
    let parts: Vec<&str> = clock.split(':').collect();
    let part = |nth: usize| parts.get(nth).map_or(Some(0), |text| number(text, 2));
    let (hour, minute, second) = (part(0)?, part(1)?, part(2)?);
    if parts.len() > 3 || (fraction.is_some() && parts.len() != 3) {
        return None;
    }
    let nanos = fraction.map_or(Some(0), nanoseconds)?;
    if hour == 24 {
        let is_midnight = (minute, second, nanos) == (0, 0, 0);
        return is_midnight.then(|| date.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::days(1)))?;
    }
    // A leap second runs on within the second before it.
    let (second, nanos) = if second == 60 { (59, nanos + 1_000_000_000) } else { (second, nanos) };
    date.and_hms_nano_opt(hour, minute, second, nanos)
}

fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let year = i32::try_from(number(parts.next()?, 4)?).ok()?;
    match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => NaiveDate::from_ymd_opt(year, 1, 1),
        (Some(day), None, None) if day.len() == 3 => NaiveDate::from_yo_opt(year, number(day, 3)?),
        (Some(month), None, None) => NaiveDate::from_ymd_opt(year, number(month, 2)?, 1),
        (Some(month), Some(day), None) => NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?),
        _ => None,
    }
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.bytes().any(|byte| !byte.is_ascii_digit()) || fraction.len() > 40 {
        return None;
    }
    format!("{:0<9}", &fraction[..fraction.len().min(9)]).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_read_and_nothing_else() {
        for (text, is) in [
            ("2015-12-11T18:22:08.799999Z", "2015-12-11T18:22:08.799999"),
            ("2015-12-11T18:22:08.799999", "2015-12-11T18:22:08.799999"),
            ("2015-345T18:22:08.123456789012Z", "2015-12-11T18:22:08.123456789"),
            ("2015-345T18:22Z", "2015-12-11T18:22:00"),
            ("2015-12-11T18Z", "2015-12-11T18:00:00"),
            ("2015-12-11Z", "2015-12-11T00:00:00"),
            ("2015-345Z", "2015-12-11T00:00:00"),
            ("2015-12Z", "2015-12-01T00:00:00"),
            ("2015Z", "2015-01-01T00:00:00"),
            ("2016-01-31T24:00:00.000Z", "2016-02-01T00:00:00"),
            ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:60.5"),
        ] {
            assert_eq!(parse(text), Some(is.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            "Z",
            "15Z",
            "2015-1Z",
            "2015-13Z",
            "2015-366Z",
            "2015-12-11TZ",
            "2015-12-11T1Z",
            "2015-12-11T18:22:08.xZ",
            "2015-12-11T18.5Z",
            "2015-12-11T18:22:08+01:00",
            "2015-12-11T24:00:01Z",
            "2015-12-11T25Z",
            "-2015Z",
            "2015-12-11 18:22Z",
            "２０１５Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
