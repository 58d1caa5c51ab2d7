//! Paths and names with times in them, as `index` and `template` have them: strftime, wildcards, values.
//!
//! Parsed once, when the manifest is checked, so that what follows cannot fail. What it does not do: ask for anything.

mod told;

use std::fmt;

use chrono::NaiveDateTime;

use super::yaml_tree::Wrong;
use crate::untrusted::escape;
pub use told::PathTime;

/// A text such as `%Y/%m/%d/H%H00/AIA%Y%m%d_%H%M_{wavelength:04}.fits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    text: String,
    parts: Vec<Piece>,
}

/// A piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// A field of the time.
    Time(TimeField),
    /// `*`: any number of characters but `/`.
    Any,
    /// `?`: one character but `/`.
    One,
    /// `{name}` or `{name:04}`: a value that a template varies, with leading zeros to that width.
    Value {
        /// Its name.
        name: String,
        /// The least width.
        width: usize,
    },
}

/// A field of a time, and its strftime letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeField {
    /// `%Y`: four digits.
    Year,
    /// `%y`: the year's last two digits; of which century, the day says that they are read for.
    YearOfCentury,
    /// `%m`: two digits.
    Month,
    /// `%b`: `Jan` to `Dec`.
    MonthName,
    /// `%d`: two digits.
    Day,
    /// `%j`: the day of the year, three digits.
    DayOfYear,
    /// `%H`: two digits.
    Hour,
    /// `%M`: two digits.
    Minute,
    /// `%S`: two digits.
    Second,
    /// `%f`: a fraction of a second in as many digits as there are; six are written.
    Fraction,
}

/// Every field with its letter.
const FIELDS: [(char, TimeField); 10] = [
    ('Y', TimeField::Year),
    ('y', TimeField::YearOfCentury),
    ('m', TimeField::Month),
    ('b', TimeField::MonthName),
    ('d', TimeField::Day),
    ('j', TimeField::DayOfYear),
    ('H', TimeField::Hour),
    ('M', TimeField::Minute),
    ('S', TimeField::Second),
    ('f', TimeField::Fraction),
];

/// The names of values that a template can vary.
const VALUES: [&str; 2] = ["wavelength", "segment"];

/// What a text may hold besides times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Wildcards,
    Values,
}

impl Timed {
    /// Reads the folders of a day.
    pub(crate) fn path(text: &str) -> Result<Timed, Wrong> {
        Timed::parse(text, Holds::Nothing)
    }

    /// Reads the name of a file.
    pub(crate) fn name(text: &str) -> Result<Timed, Wrong> {
        if text.contains('/') {
            return Err(Wrong::new("a name cannot contain `/`").hint("folders go into `path`"));
        }
        Timed::parse(text, Holds::Wildcards)
    }

    /// Reads the path of a template's file.
    pub(crate) fn template(text: &str) -> Result<Timed, Wrong> {
        Timed::parse(text, Holds::Values)
    }

    fn parse(text: &str, holds: Holds) -> Result<Timed, Wrong> {
        let mut parts: Vec<Piece> = Vec::new();
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            let piece = match next {
                '%' => match rest.next() {
                    Some('%') => Piece::Text("%".to_owned()),
                    Some(letter) => Piece::Time(field(letter)?),
                    None => return Err(Wrong::new("a `%` without its letter").hint("a plain `%` is written `%%`")),
                },
                '*' if holds == Holds::Wildcards => Piece::Any,
                '?' if holds == Holds::Wildcards => Piece::One,
                '{' if holds == Holds::Values => {
                    let Some((inside, after)) = rest.as_str().split_once('}') else {
                        return Err(Wrong::new("a `{` without its `}`").hint("close the variable with `}`"));
                    };
                    rest = after.chars();
                    varied(inside)?
                }
                '{' | '}' | '*' | '?' | '#' | '\\' => {
                    return Err(Wrong::new(format!("`{next}` is not allowed here")).hint(hint(holds)));
                }
                c if c.is_whitespace() => return Err(Wrong::new("a space").hint("write `%20` as `%%20` in a path")),
                other => Piece::Text(other.to_string()),
            };
            match (parts.last_mut(), piece) {
                (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
                (_, piece) => parts.push(piece),
            }
        }
        let climbs = text.split('/').any(|part| matches!(part, "." | ".."));
        if text.is_empty() || text.len() > 500 || text.starts_with('/') || text.contains("//") || climbs {
            let wrong = Wrong::new("no path below the source's URL: empty, absolute, with `//` or with `..`");
            return Err(wrong.hint("write for example `%Y/%m/%d/`"));
        }
        Ok(Timed { text: text.to_owned(), parts })
    }

    /// Its pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[Piece] {
        &self.parts
    }

    /// The text as typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when a field of the time stands in it.
    #[must_use]
    pub fn has(&self, field: TimeField) -> bool {
        self.parts.contains(&Piece::Time(field))
    }

    /// True when it tells the whole date.
    #[must_use]
    pub fn tells_date(&self) -> bool {
        let has_month = self.has(TimeField::Month) || self.has(TimeField::MonthName);
        (self.has(TimeField::Year) || self.has(TimeField::YearOfCentury))
            && (self.has(TimeField::DayOfYear) || (has_month && self.has(TimeField::Day)))
    }

    /// The names of the values in it.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|piece| match piece {
            Piece::Value { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text for a time, with `value` for what else stands in it. Wildcards are written as they are.
    #[must_use]
    pub fn fill(&self, at: NaiveDateTime, value: impl Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(self.text.len());
        for piece in &self.parts {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Time(field) => field.write(at, &mut out),
                Piece::Any => out.push('*'),
                Piece::One => out.push('?'),
                Piece::Value { name, width } => {
                    let value = value(name);
                    out.extend(std::iter::repeat_n('0', width.saturating_sub(value.len())));
                    out.push_str(&value);
                }
            }
        }
        out
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TimeField {
    fn write(self, at: NaiveDateTime, out: &mut String) {
        let format = match self {
            TimeField::Year => "%Y",
            TimeField::YearOfCentury => "%y",
            TimeField::Month => "%m",
            TimeField::MonthName => "%b",
            TimeField::Day => "%d",
            TimeField::DayOfYear => "%j",
            TimeField::Hour => "%H",
            TimeField::Minute => "%M",
            TimeField::Second => "%S",
            TimeField::Fraction => "%6f",
        };
        out.push_str(&at.format(format).to_string());
    }
}

fn field(letter: char) -> Result<TimeField, Wrong> {
    let known = FIELDS.iter().find(|(known, _)| *known == letter);
    known.map(|(_, field)| *field).ok_or_else(|| {
        let letters: Vec<String> = FIELDS.iter().map(|(letter, _)| format!("`%{letter}`")).collect();
        Wrong::new(format!("`%{}` is not known here", escape(&letter.to_string())))
            .hint(format!("there are {}, and `%%` for a plain `%`", letters.join(" ")))
    })
}

fn varied(inside: &str) -> Result<Piece, Wrong> {
    let (name, width) = inside.split_once(':').map_or((inside, None), |(name, width)| (name, Some(width)));
    let known = VALUES.iter().find(|known| **known == name);
    let width = width.map_or(Some(0), |width| width.parse().ok().filter(|width| (1..=20).contains(width)));
    match (known, width) {
        (Some(name), Some(width)) => Ok(Piece::Value { name: (*name).to_owned(), width }),
        _ => Err(Wrong::new(format!("`{{{}}}` is no value that `each` varies", escape(inside)))
            .hint("there are `{wavelength}`, with leading zeros `{wavelength:04}`, and `{segment}`")),
    }
}

fn hint(holds: Holds) -> &'static str {
    match holds {
        Holds::Nothing => "the folders of a day hold text and times alone, such as `%Y/%m/%d/`",
        Holds::Wildcards => "a name holds text, times, `*` and `?`, such as `AIA%Y%m%d_%H%M_0171.fits`",
        Holds::Values => "a template holds text, times, `{wavelength}` and `{segment}`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn a_template_is_filled_with_a_time_and_values() {
        let timed = Timed::template("%Y/%j/%b/H%H00/AIA%y%m%d_%H%M%S_{wavelength:04}.100%%.fits").unwrap();
        let at = NaiveDate::from_ymd_opt(2011, 2, 15).unwrap().and_hms_opt(1, 2, 3).unwrap();
        assert_eq!(timed.fill(at, |_| "94".to_owned()), "2011/046/Feb/H0100/AIA110215_010203_0094.100%.fits");
        assert!(timed.tells_date());
        assert_eq!(timed.values().collect::<Vec<_>>(), ["wavelength"]);
    }

    #[test]
    fn what_could_lead_out_or_means_nothing_is_refused() {
        for path in ["", "/a", "a//b", "../a", "a/..", "%Q", "%", "a b", "a*", "a?x=1", "{wavelength}", "a#b", "a\\b"] {
            assert!(Timed::path(path).is_err(), "{path}");
        }
        for name in ["a/b", "{x}", "%Y/%m"] {
            assert!(Timed::name(name).is_err(), "{name}");
        }
        for template in ["{x}", "{wavelength:0}", "{wavelength", "*", "{wavelength:99}"] {
            assert!(Timed::template(template).is_err(), "{template}");
        }
        assert!(Timed::name("a*%Y?.fits").is_ok() && Timed::path("%Y/%m/").is_ok());
    }
}
