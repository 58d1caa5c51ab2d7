//! TAI labels of the past as UTC labels, and back: what names and headers write in one scale and listings in the other.
//!
//! What it does not do: relabel data. A day keeps the scale of its source.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// How far TAI is ahead of UTC, in seconds, from each UTC date on (IERS Bulletin C).
const AHEAD: [(NaiveDateTime, i64); 11] = [
    (midnight(1992, 7, 1), 27),
    (midnight(1993, 7, 1), 28),
    (midnight(1994, 7, 1), 29),
    (midnight(1996, 1, 1), 30),
    (midnight(1997, 7, 1), 31),
    (midnight(1999, 1, 1), 32),
    (midnight(2006, 1, 1), 33),
    (midnight(2009, 1, 1), 34),
    (midnight(2012, 7, 1), 35),
    (midnight(2015, 7, 1), 36),
    (midnight(2017, 1, 1), 37),
];

const fn midnight(year: i32, month: u32, day: u32) -> NaiveDateTime {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date.and_time(NaiveTime::MIN),
        None => NaiveDateTime::MIN,
    }
}

/// A TAI instant as a UTC label. Within a leap second it is the last label before it, once more.
#[must_use]
pub fn utc(tai: NaiveDateTime) -> NaiveDateTime {
    let ahead = AHEAD
        .iter()
        .rev()
        .find(|(from, ahead)| tai - TimeDelta::seconds(*ahead) >= *from)
        .map_or(AHEAD[0].1, |(_, ahead)| *ahead);
    tai - TimeDelta::seconds(ahead)
}

/// A UTC label as a TAI instant.
#[must_use]
pub fn from_utc(utc: NaiveDateTime) -> NaiveDateTime {
    utc + TimeDelta::seconds(ahead_at(utc).unwrap_or(AHEAD[0].1))
}

/// How far TAI is ahead at a UTC label, in seconds; `None` before 1992-07-01, where the table begins.
#[must_use]
pub fn ahead_at(utc: NaiveDateTime) -> Option<i64> {
    AHEAD.iter().rev().find(|(from, _)| utc >= *from).map(|(_, ahead)| *ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().expect("a label")
    }

    #[test]
    fn leap_seconds_shift_utc_from_their_date_on() {
        assert_eq!(utc(at("2012-07-01T00:00:33")), at("2012-06-30T23:59:59"));
        assert_eq!(utc(at("2012-07-01T00:00:35")), at("2012-07-01T00:00:00"));
        assert_eq!(utc(at("2011-02-15T02:00:00")), at("2011-02-15T01:59:26"));
        assert_eq!(from_utc(at("2011-02-15T01:59:26")), at("2011-02-15T02:00:00"));
        assert_eq!(from_utc(at("2012-07-01T00:00:00")), at("2012-07-01T00:00:35"));
    }
}
