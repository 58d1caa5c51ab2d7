//! Values with a unit or a grammar of their own: durations, rates, dates, names, URLs.
//!
//! Each function takes the text as typed and answers with the value, or with what is wrong and what to write. What it
//! does not do: know which key the text stands under.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::model::{Bandwidth, Bound, Rate};
pub(crate) use super::time_span::span;
pub(crate) use super::yaml_tree::Wrong;
use crate::day::Scale;
use crate::untrusted::escape;

/// Ten years: whatever is longer is a slip of the finger.
const LONGEST: u64 = 10 * 366 * 86_400;
/// The years that dates may lie in; solar records on the net do not reach further.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;
/// How far back `today-Nd` may reach, in days.
const FURTHEST: i32 = 36_600;

/// Reads `30s`, `2m`, `1h` or `3d`.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim_start() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "" if digits > 0 => {
            let hint = format!("add a unit: `{number}s`, `{number}m`, `{number}h` or `{number}d`");
            return Err(Wrong::new("a duration without a unit").hint(hint));
        }
        _ => {
            let wrong = Wrong::new(format!("`{}` is no duration", escape(text)));
            return Err(wrong.hint("write a whole number and s, m, h or d, such as `30s`, `2m`, `1h`, `3d`"));
        }
    };
    if digits == 0 {
        return Err(Wrong::new(format!("`{}` is no duration", escape(text))).hint("write for example `30s`"));
    }
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds)) {
        Some(seconds) if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        _ => Err(Wrong::new(format!("`{}` is longer than ten years", escape(text)))
            .hint(format!("write `{}d` at most", LONGEST / 86_400))),
    }
}

/// Reads a duration above zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, Wrong> {
    match duration(text)? {
        Duration::ZERO => Err(Wrong::new("must be longer than zero")),
        more => Ok(more),
    }
}

/// Reads a number of bytes such as `20 MiB`.
fn size(text: &str) -> Option<f64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.trim_start() {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// Reads a number of whole bytes, at least one.
pub(crate) fn bytes(text: &str) -> Result<u64, Wrong> {
    const HINT: &str = "write a number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as `20GiB`";
    match size(text) {
        None => Err(Wrong::new(format!("`{}` is no number of bytes", escape(text))).hint(HINT)),
        Some(bytes) if bytes < 1.0 => Err(Wrong::new("must be at least one byte").hint(HINT)),
        Some(bytes) if bytes > 1e18 => Err(Wrong::new("more than an exabyte limits nothing").hint(HINT)),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 1e18, checked above"
        )]
        Some(bytes) => Ok(bytes as u64),
    }
}

/// Reads `20 MiB/s` or `unlimited`.
pub(super) fn bandwidth(text: &str) -> Result<Bandwidth, Wrong> {
    const HINT: &str = "write bytes per second, such as `20 MiB/s` or `500 kB/s`, or `unlimited`";
    if text == "unlimited" {
        return Ok(Bandwidth::Unlimited);
    }
    if text.starts_with('-') {
        return Err(Wrong::new("a bandwidth must be above zero").hint(HINT));
    }
    let Some(bytes) = text.strip_suffix("/s").and_then(|size_text| size(size_text.trim_end())) else {
        return Err(Wrong::new(format!("`{}` is no bandwidth", escape(text))).hint(HINT));
    };
    if bytes < 1.0 {
        return Err(Wrong::new("a bandwidth must be above zero").hint(HINT));
    }
    if bytes > 1e12 {
        return Err(Wrong::new("a bandwidth above 1 TB/s limits nothing").hint("write `unlimited`"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1e12, checked above")]
    let bytes = bytes as u64;
    Ok(Bandwidth::BytesPerSecond(bytes))
}

/// Reads `4/s`, `200/min`, `1000/h` or `unlimited`.
pub(super) fn rate(text: &str) -> Result<Rate, Wrong> {
    const HINT: &str = "write requests per time, such as `4/s`, `0.5/s` or `200/min`, or `unlimited`";
    if text == "unlimited" {
        return Ok(Rate::Unlimited);
    }
    let no_rate = || Wrong::new(format!("`{}` is no rate of requests", escape(text))).hint(HINT);
    let (number, unit) = text.split_once('/').ok_or_else(no_rate)?;
    let seconds = match unit.trim_start() {
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(no_rate()),
    };
    let number = number.trim_end();
    if !number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')) {
        return Err(no_rate());
    }
    let number: f64 = number.parse().map_err(|_| no_rate())?;
    let per_second = number / seconds;
    if number <= 0.0 {
        return Err(Wrong::new("a rate must be above zero").hint(HINT));
    }
    if per_second < 1.0 / 86_400.0 {
        return Err(Wrong::new("less than one request a day is no use").hint(HINT));
    }
    if per_second > 10_000.0 {
        return Err(Wrong::new("more than 10000 requests a second limit nothing").hint("write `unlimited`"));
    }
    Ok(Rate::PerSecond(per_second))
}

/// One end of a range as typed, before it is known in which scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instant {
    /// A date or an instant without an offset: a label in the source's scale.
    Label(NaiveDateTime),
    /// An instant with an offset, in UTC.
    Utc(DateTime<Utc>),
    /// The start of the current day less these days; -1 for the day after it.
    Today(i32),
}

impl Instant {
    /// The end in a source's scale.
    ///
    /// # Errors
    /// An instant with an offset in a scale that offsets do not belong to.
    pub(crate) fn bound(self, scale: Scale) -> Result<Bound, Wrong> {
        match (self, scale) {
            (Instant::Label(at), _) => Ok(Bound::At(at)),
            (Instant::Today(minus_days), _) => Ok(Bound::Today { minus_days }),
            (Instant::Utc(at), Scale::Utc) => Ok(Bound::At(at.naive_utc())),
            (Instant::Utc(_), Scale::Tai) => {
                Err(Wrong::new("an instant with an offset, but the source's labels are in TAI")
                    .hint("write the label as the source has it, without `Z` or an offset"))
            }
        }
    }
}

const DATES: &str = "write a date such as 2015-12-11, an instant such as 2015-12-11T18:00:00Z, or `today-3d`";

/// Reads a date, an instant, `today` or `today-3d`.
pub(crate) fn instant(text: &str) -> Result<Instant, Wrong> {
    if let Some(rest) = text.strip_prefix("today") {
        return today(rest);
    }
    if text == "now" {
        // The current day is in the range, as far as it has come.
        return today("+1d");
    }
    if text.starts_with("now-") || text.starts_with("now+") {
        let why =
            format!("`{}` would give every run another window, so that no day could ever be called done", escape(text));
        return Err(
            Wrong::new(why).hint("write `today` or `today-3d`: the start of the day; `end: now` has the current day")
        );
    }
    let no_date = || Wrong::new(format!("`{}` is no date", escape(text))).hint(DATES);
    let (date_text, time_text) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let date = date(date_text)?;
    let Some(time_text) = time_text else { return Ok(Instant::Label(date.and_time(NaiveTime::MIN))) };
    if time_text.ends_with("_TAI") {
        return Err(Wrong::new("a label in TAI").hint("write it without `_TAI`: labels are in the source's own scale"));
    }
    let offset_at = time_text.find(['Z', '+', '-']);
    let (clock, offset) = offset_at.map_or((time_text, None), |at| (&time_text[..at], Some(&time_text[at..])));
    let time = ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(clock, format).ok())
        .ok_or_else(no_date)?;
    // A leap second has no label of its own in any source.
    if chrono::Timelike::nanosecond(&time) >= 1_000_000_000 {
        return Err(no_date());
    }
    match offset {
        None => Ok(Instant::Label(date.and_time(time))),
        Some(offset) => {
            let whole = format!("{date}T{}{offset}", time.format("%H:%M:%S%.f"));
            let at = DateTime::parse_from_rfc3339(&whole).map_err(|_| no_date())?;
            Ok(Instant::Utc(at.with_timezone(&Utc)))
        }
    }
}

/// Reads a day of the calendar, such as 2015-12-11.
pub(super) fn day(text: &str) -> Result<NaiveDate, Wrong> {
    match date(text) {
        Err(wrong) if wrong.to_do() == Some(DATES) => Err(wrong.hint("write a day such as 2015-12-11")),
        other => other,
    }
}

/// Reads the reason for something: one line that says something.
pub(super) fn reason(text: &str) -> Result<String, Wrong> {
    const MOST: usize = 500;
    match text.trim() {
        "" => Err(Wrong::new("an empty reason").hint("say what is wrong with the file, and who says so")),
        long if long.chars().count() > MOST => {
            Err(Wrong::new("a reason longer than 500 characters").hint("shorten it, and say where to read more"))
        }
        reason => Ok(reason.to_owned()),
    }
}

fn date(text: &str) -> Result<NaiveDate, Wrong> {
    let no_date = || Wrong::new(format!("`{}` is no date", escape(text))).hint(DATES);
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return Err(no_date()) };
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return Err(no_date());
    }
    let (year, month, day): (i32, u32, u32) = match (year.parse(), month.parse(), day.parse()) {
        (Ok(year), Ok(month), Ok(day)) => (year, month, day),
        _ => return Err(no_date()),
    };
    if !YEARS.contains(&year) {
        let hint = "for a range without an end, write `end: today`";
        return Err(Wrong::new(format!("the year {year} is out of reach")).hint(hint));
    }
    NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| {
        let last = (28..=31).rev().find(|day| NaiveDate::from_ymd_opt(year, month, *day).is_some());
        let wrong = Wrong::new(format!("{year:04}-{month:02}-{day:02} is not a valid date"));
        match last {
            Some(last) => wrong.hint(format!("the last day of that month is {year:04}-{month:02}-{last:02}")),
            None => wrong.hint("months go from 01 to 12"),
        }
    })
}

fn today(rest: &str) -> Result<Instant, Wrong> {
    if rest.is_empty() {
        return Ok(Instant::Today(0));
    }
    if rest == "+1d" {
        return Ok(Instant::Today(-1));
    }
    if rest.starts_with('+') {
        let hint = "`today+1d` is the latest possible end: a range that ends there has the current day";
        return Err(Wrong::new("a day that has not started").hint(hint));
    }
    let days = rest.strip_prefix('-').and_then(|rest| rest.strip_suffix('d'));
    match days.filter(|days| !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit())) {
        Some(days) => match days.parse() {
            Ok(days) if days <= FURTHEST => Ok(Instant::Today(days)),
            _ => Err(Wrong::new(format!("more than {FURTHEST} days back")).hint(DATES)),
        },
        None => Err(Wrong::new(format!("`{}` is no day", escape(&format!("today{rest}"))))
            .hint("write `today`, or whole days before it, such as `today-3d`, without spaces")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(duration("3 d"), Ok(Duration::from_hours(72)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["", "3", "s", "-3s", "1.5h", "3 days", "4000d", "99999999999999999999s", "3s4m", "٣s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(positive_duration("0s").is_err());
    }

    #[test]
    fn rates_and_bandwidths_are_above_zero_and_in_their_units() {
        assert_eq!(rate("4/s"), Ok(Rate::PerSecond(4.0)));
        assert_eq!(rate("120/min"), Ok(Rate::PerSecond(2.0)));
        assert_eq!(rate("0.5 / s"), Ok(Rate::PerSecond(0.5)));
        assert_eq!(rate("unlimited"), Ok(Rate::Unlimited));
        for bad in ["4", "-4/s", "0/s", "4/day", "20 MiB/s", "inf/s", "nan/s", "1e9/s", "99999/s", "/s", "0.0001/h"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        assert_eq!(bandwidth("20 MiB/s"), Ok(Bandwidth::BytesPerSecond(20 << 20)));
        assert_eq!(bandwidth("1.5MB/s"), Ok(Bandwidth::BytesPerSecond(1_500_000)));
        assert_eq!(bandwidth("unlimited"), Ok(Bandwidth::Unlimited));
        for bad in ["20 MiB", "20/s", "-1 B/s", "0 B/s", "1 mb/s", "1e3 B/s", "99999 GB/s", "/s", ".B/s", "é/s"] {
            assert!(bandwidth(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_instants_and_today_are_read() {
        let label = |text: &str| Instant::Label(text.parse().unwrap());
        assert_eq!(instant("2015-12-11"), Ok(label("2015-12-11T00:00:00")));
        assert_eq!(instant("2015-12-11T18:30"), Ok(label("2015-12-11T18:30:00")));
        assert_eq!(instant("2015-12-11 18:30:00.5"), Ok(label("2015-12-11T18:30:00.5")));
        assert_eq!(instant("2015-12-11T18:30:00Z"), Ok(Instant::Utc("2015-12-11T18:30:00Z".parse().unwrap())));
        assert_eq!(instant("2015-12-11T18:30:00+02:00"), Ok(Instant::Utc("2015-12-11T16:30:00Z".parse().unwrap())));
        assert_eq!(instant("today"), Ok(Instant::Today(0)));
        assert_eq!(instant("today-3d"), Ok(Instant::Today(3)));
        assert_eq!([instant("today+1d"), instant("now")], [Ok(Instant::Today(-1)), Ok(Instant::Today(-1))]);
        for bad in [
            "2015-02-30",
            "2015-13-01",
            "2015-1-1",
            "11.12.2015",
            "20151211",
            "2015-12-11T25:00:00",
            "now-3h",
            "today-3",
            "today - 3d",
            "today+2d",
            "todayish",
            "today-99999d",
            "2015-12-11T18:00:00_TAI",
            "9999-01-01",
            "2015-12-11T",
            "2015-12-11T23:59:60",
            "",
            "²015-12-11",
            "2015-12-11T18:00:00+99:00",
            "é",
        ] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instant_with_an_offset_is_an_error_for_a_source_in_tai() {
        let at = instant("2015-12-11T18:00:00Z").unwrap();
        assert!(at.bound(Scale::Utc).is_ok());
        assert!(at.bound(Scale::Tai).is_err());
        assert!(instant("2015-12-11T18:00:00").unwrap().bound(Scale::Tai).is_ok());
    }
}
