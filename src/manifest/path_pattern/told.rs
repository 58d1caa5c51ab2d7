//! The other way round: what a name tells of a time.
//!
//! What it does not do: guess. A field that stands nowhere stays open, and what contradicts itself tells nothing.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::manifest::path_pattern::{Piece, TimeField, Timed};

/// How many fields there are once a month is a month, however it was written.
const SLOTS: usize = 9;

/// A second of the fraction.
const SECOND: u32 = 1_000_000_000;

/// The fields of a time that a text tells, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct PathTime {
    fields: [Option<u32>; SLOTS],
}

impl Timed {
    /// Reads a text that was made by this pattern; `None` for any other. A `*` takes as little as it can, and neither it
    /// nor `?` takes a slash, a backslash, a control character or what is no Unicode.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<PathTime> {
        let (mut nth, mut at, mut told) = (0, 0, PathTime::default());
        // After the last `*`: its next piece, how far it reaches, and what was told before. Earlier ones need no second look.
        let mut star: Option<(usize, usize, PathTime)> = None;
        loop {
            let taken = match self.parts.get(nth) {
                None if at == text.len() => return Some(told),
                None => None,
                Some(Piece::Any) => {
                    star = Some((nth + 1, at, told));
                    Some(0)
                }
                Some(piece) => take(piece, &text[at..], &mut told),
            };
            if let Some(length) = taken {
                (nth, at) = (nth + 1, at + length);
                continue;
            }
            let (next, reached, before) = star?;
            let reached = reached + plain(&text[reached..])?;
            star = Some((next, reached, before));
            (nth, at, told) = (next, reached, before);
        }
    }

    /// What a text that was filled with this time tells of it.
    #[must_use]
    pub fn fields_at(&self, at: NaiveDateTime) -> PathTime {
        let mut told = PathTime::default();
        for piece in &self.parts {
            if let Piece::Time(field) = piece {
                told.fields[field.slot()] = Some(field.of(at));
            }
        }
        told
    }
}

impl PathTime {
    /// The fields of both; `None` where they differ in one that both tell.
    #[must_use]
    pub fn and(mut self, other: PathTime) -> Option<PathTime> {
        for (slot, value) in other.fields.into_iter().enumerate() {
            if let Some(value) = value {
                self.set_field(slot, value).then_some(())?;
            }
        }
        Some(self)
    }

    /// These fields, and those of another where these tell nothing.
    #[must_use]
    pub fn or(mut self, other: PathTime) -> PathTime {
        for (slot, value) in other.fields.into_iter().enumerate() {
            self.fields[slot] = self.fields[slot].or(value);
        }
        self
    }

    /// The time, when the date is told; of the day's time, what is not told is zero. Of a year's last two digits, the
    /// century is that which brings the year closest to the one of `near`.
    #[must_use]
    pub fn time(&self, near: NaiveDate) -> Option<NaiveDateTime> {
        let [year, month, day, of_year, hour, minute, second, fraction, of_century] = self.fields;
        let of_century = of_century.map(|digits| i32::try_from(digits).unwrap_or_default());
        let year = match (year, of_century) {
            (None, digits) => closest(digits?, near.year()),
            (Some(year), digits) => {
                let year = i32::try_from(year).ok()?;
                digits.is_none_or(|digits| year % 100 == digits).then_some(year)?
            }
        };
        let by_month = month.zip(day).map(|(month, day)| NaiveDate::from_ymd_opt(year, month, day));
        let by_day = of_year.map(|day| NaiveDate::from_yo_opt(year, day));
        let date = match (by_month, by_day) {
            (Some(one), Some(other)) => one.filter(|one| other == Some(*one)),
            (one, other) => one.or(other).flatten(),
        }?;
        let (second, fraction) = (second.unwrap_or_default(), fraction.unwrap_or_default());
        // A leap second is the one before it, gone on with.
        let (second, fraction) = if second == 60 { (59, fraction + SECOND) } else { (second, fraction) };
        let time =
            NaiveTime::from_hms_nano_opt(hour.unwrap_or_default(), minute.unwrap_or_default(), second, fraction)?;
        Some(date.and_time(time))
    }

    /// Notes a field; false when it was told before, and otherwise.
    fn set_field(&mut self, slot: usize, value: u32) -> bool {
        *self.fields[slot].get_or_insert(value) == value
    }
}

/// The year with these last two digits that is closest to another; of two as close, the earlier.
fn closest(digits: i32, near: i32) -> i32 {
    let before = near - (near - digits).rem_euclid(100);
    if near - before <= 50 { before } else { before + 100 }
}

/// How many bytes of a text's start a piece takes, noting what they tell; `None` where it does not fit.
fn take(piece: &Piece, text: &str, told: &mut PathTime) -> Option<usize> {
    match piece {
        Piece::Text(own) => text.starts_with(own.as_str()).then_some(own.len()),
        Piece::One => plain(text),
        Piece::Time(field) => {
            let (value, length) = field.read(text)?;
            told.set_field(field.slot(), value).then_some(length)
        }
        // Neither stands in a name that is read.
        Piece::Any | Piece::Value { .. } => None,
    }
}

/// The length of a text's first character, when a wildcard may take it.
fn plain(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let is_plain = !matches!(first, '/' | '\\' | char::REPLACEMENT_CHARACTER) && !first.is_control();
    is_plain.then_some(first.len_utf8())
}

impl TimeField {
    fn slot(self) -> usize {
        match self {
            TimeField::Year => 0,
            TimeField::YearOfCentury => 8,
            TimeField::Month | TimeField::MonthName => 1,
            TimeField::Day => 2,
            TimeField::DayOfYear => 3,
            TimeField::Hour => 4,
            TimeField::Minute => 5,
            TimeField::Second => 6,
            TimeField::Fraction => 7,
        }
    }

    /// Its value in a time, in the unit of its slot.
    fn of(self, at: NaiveDateTime) -> u32 {
        match self {
            TimeField::Year => at.year().unsigned_abs(),
            TimeField::YearOfCentury => at.year().unsigned_abs() % 100,
            TimeField::Month | TimeField::MonthName => at.month(),
            TimeField::Day => at.day(),
            TimeField::DayOfYear => at.ordinal(),
            TimeField::Hour => at.hour(),
            TimeField::Minute => at.minute(),
            TimeField::Second => at.second(),
            TimeField::Fraction => at.nanosecond() % SECOND,
        }
    }

    /// Its value at the start of a text, in the unit of its slot, and how many bytes that takes.
    fn read(self, text: &str) -> Option<(u32, usize)> {
        let (width, least, most) = match self {
            TimeField::Year => (4, 0, 9999),
            TimeField::YearOfCentury => (2, 0, 99),
            TimeField::Month => (2, 1, 12),
            TimeField::Day => (2, 1, 31),
            TimeField::DayOfYear => (3, 1, 366),
            TimeField::Hour => (2, 0, 23),
            TimeField::Minute => (2, 0, 59),
            TimeField::Second => (2, 0, 60),
            TimeField::MonthName => {
                let name = text.get(..3)?;
                let nth = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
                return Some((u32::try_from(nth).ok()? + 1, 3));
            }
            TimeField::Fraction => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                // Beyond a nanosecond nothing is told.
                let known = text.get(..digits.min(9)).filter(|known| !known.is_empty())?;
                return Some((format!("{known:0<9}").parse().ok()?, digits));
            }
        };
        let digits = text.get(..width).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let value: u32 = digits.parse().ok()?;
        Some((value, width)).filter(|(value, _)| (least..=most).contains(value))
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::manifest::path_pattern::told::*;

    fn read(pattern: &str, name: &str) -> Option<String> {
        let near = "2015-12-11".parse().unwrap();
        Timed::name(pattern).unwrap().read(name)?.time(near).map(|time| time.format("%FT%T%.f").to_string())
    }

    #[test]
    fn two_digits_of_a_year_are_of_the_century_of_the_day() {
        let read = |name: &str, near: &str| {
            let told = Timed::name("dr%y%m%d.dat").unwrap().read(name).unwrap();
            told.time(near.parse().unwrap()).map(|time| time.date().to_string())
        };
        for (name, near, date) in [
            ("dr570704.dat", "1957-07-04", "1957-07-04"),
            ("dr570704.dat", "2057-07-04", "2057-07-04"),
            ("dr991231.dat", "2000-01-01", "1999-12-31"),
            ("dr000101.dat", "1999-12-31", "2000-01-01"),
            ("dr690101.dat", "1969-01-01", "1969-01-01"),
            ("dr650101.dat", "2015-01-01", "1965-01-01"),
            ("dr640101.dat", "2015-01-01", "2064-01-01"),
        ] {
            assert_eq!(read(name, near).as_deref(), Some(date), "{name} near {near}");
        }
        let both = Timed::name("%Y_%y%m%d").unwrap();
        let time = |name: &str| both.read(name).unwrap().time("1957-07-04".parse().unwrap());
        assert!(time("1957_570704").is_some());
        assert_eq!(time("1957_580704"), None, "it contradicts itself");
    }

    #[test]
    fn a_name_tells_its_time() {
        for (pattern, name, time) in [
            ("AIA%Y%m%d_%H%M_0171.fits", "AIA20151211_0002_0171.fits", "2015-12-11T00:02:00"),
            ("x%y%j%H%M%S%f.dat", "x153450102031250.dat", "2015-12-11T01:02:03.125"),
            ("%d-%b-%Y.txt", "11-dec-2015.txt", "2015-12-11T00:00:00"),
            ("%y%m%d", "991231", "1999-12-31T00:00:00"),
            ("g16_s%Y%j%H%M%S?_e*_v*.fits", "g16_s20153450002004_e20153450002104_v1-0-2.fits", "2015-12-11T00:02:00"),
            ("*_%Y%m%d.fits", "a_1_20151211.fits", "2015-12-11T00:00:00"),
            ("*%Y%m%d*", "99999920151211x", "2015-12-11T00:00:00"),
            ("%Y%m%d_%Y%j.fits", "20151211_2015345.fits", "2015-12-11T00:00:00"),
            ("%Y%m%d_%H%M%S", "20161231_235960", "2016-12-31T23:59:60"),
            ("%Y%m%d?", "20151211ü", "2015-12-11T00:00:00"),
        ] {
            assert_eq!(read(pattern, name).as_deref(), Some(time), "{pattern} {name}");
        }
    }

    #[test]
    fn another_name_tells_nothing() {
        for (pattern, name) in [
            ("AIA%Y%m%d.fits", "aia20151211.fits"),
            ("AIA%Y%m%d.fits", "AIA20151211.fits.gz"),
            ("AIA%Y%m%d.fits", "AIA2015121.fits"),
            ("AIA%Y%m%d.fits", "AIA20151311.fits"),
            ("AIA%Y%m%d.fits", "AIA+0151211.fits"),
            ("%Y%m%d", "20150230"),
            ("%Y%m%d_%Y", "20151211_2016"),
            ("%Y%m%d_%j", "20151211_344"),
            ("%Y%m%d*", "20151211/x"),
            ("%Y%m%d*", "20151211\\x"),
            ("%Y%m%d*", "20151211\u{1b}x"),
            ("%Y%m%d*", "20151211\u{fffd}x"),
            ("%Y%m%d%f", "20151211"),
            ("%Y%m%d?", "20151211"),
        ] {
            assert_eq!(read(pattern, name), None, "{pattern} {name}");
        }
    }

    #[test]
    fn a_folder_and_a_name_agree_or_tell_nothing() {
        let folder = Timed::path("%Y/%m/%d/H%H00").unwrap();
        let at: NaiveDateTime = "2015-12-11T05:00:00".parse().unwrap();
        let named = |name: &str| Timed::name("x_%H%M.fits").unwrap().read(name).unwrap();
        let both = folder.fields_at(at).and(named("x_0512.fits")).and_then(|told| told.time(at.date()));
        assert_eq!(both, Some("2015-12-11T05:12:00".parse().unwrap()));
        assert_eq!(folder.fields_at(at).and(named("x_0612.fits")), None);
        assert_eq!(named("x_0512.fits").time(at.date()), None, "without a date");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_filled_is_read_again(seconds in 0i64..3_000_000_000, micros in 0u32..1_000_000) {
            let at = chrono::DateTime::from_timestamp(seconds, micros * 1000).unwrap().naive_utc();
            for pattern in ["a%Y-%j_%H%M%S.%f.fits", "%y%b%d%H%M%S%f", "?*%Y%m%d%H%M%S_%f"] {
                let timed = Timed::name(pattern).unwrap();
                let name = timed.fill(at, |_| String::new());
                prop_assert_eq!(timed.read(&name).unwrap().time(at.date()), Some(at));
                prop_assert_eq!(timed.read(&name), Some(timed.fields_at(at)));
            }
        }

        #[test]
        fn any_text_is_read_or_not(text in ".{0,40}|[0-9a*_]{0,40}", pattern in "[a*?_]{0,8}(%[YmdHMSjbf]){0,5}[a*?_]{1,8}") {
            let _ = Timed::name(&pattern).unwrap().read(&text);
        }
    }
}
