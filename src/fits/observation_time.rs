//! When a file was observed, by the keywords in which headers say so.
//!
//! FITS has DATE-OBS; older headers split it over DATE-OBS and TIME-OBS, or write `DATE_OBS`; JSOC has `T_OBS` and `T_REC`.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::name;

/// How headers write a date alone. With days first as in the `DD/MM/YY` of early FITS, but with the century.
const DATES: [&str; 4] = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y"];

/// How headers write date and time, besides the forms that file names have too.
const INSTANTS: [&str; 4] = ["%Y-%m-%dT%H:%M", "%Y/%m/%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d %H:%M"];

/// How headers write a time of day alone.
const TIMES: [&str; 2] = ["%H:%M:%S%.f", "%H:%M"];

/// What the headers of a file say of its time, as written; of a keyword the first value that can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// DATE-OBS, such as `2011-02-15T01:58:12.30`.
    pub date_obs: Option<String>,
    /// `DATE_OBS`, the same in other headers.
    pub date_obs_with_underscore: Option<String>,
    /// TIME-OBS or `TIME_OBS`, the time of day to a DATE-OBS without one.
    pub time_obs: Option<String>,
    /// `T_OBS`, JSOC's time of observation.
    pub t_obs: Option<String>,
    /// `T_REC`, JSOC's slot, such as `2011.02.15_02:00:00_TAI`.
    pub t_rec: Option<String>,
}

/// A header's text as a time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderTime {
    Instant(NaiveDateTime),
    Date(NaiveDate),
}

impl Times {
    /// Takes in what a keyword states.
    pub(super) fn take(&mut self, keyword: [u8; 8], text: &str) {
        let (kept, is_read): (_, fn(&str) -> bool) = match &keyword {
            b"DATE-OBS" => (&mut self.date_obs, |text| read(text).is_some()),
            b"DATE_OBS" => (&mut self.date_obs_with_underscore, |text| read(text).is_some()),
            b"TIME-OBS" | b"TIME_OBS" => (&mut self.time_obs, |text| time_of_day(text).is_some()),
            b"T_OBS   " => (&mut self.t_obs, |text| read(text).is_some()),
            b"T_REC   " => (&mut self.t_rec, |text| read(text).is_some()),
            _ => return,
        };
        if !kept.as_deref().is_some_and(is_read) {
            *kept = Some(text.trim().to_owned());
        }
    }

    /// The start of exposure, else the time of the slot; `named` is the time that the file's name tells.
    ///
    /// A keyword that cannot be read hides no other one. A date without a time of day is taken with TIME-OBS, else with a
    /// further keyword of that date, and only then as midnight; not so where a TIME-OBS stands beside it that cannot be read.
    #[must_use]
    pub fn observed(&self, named: Option<NaiveDateTime>) -> Option<NaiveDateTime> {
        let dates = [&self.date_obs, &self.date_obs_with_underscore].map(|text| text.as_deref().and_then(read));
        let further = [&self.t_obs, &self.t_rec].map(|text| text.as_deref().and_then(read).and_then(instant));
        let mut further = further.into_iter().chain([named]).flatten();
        let of_dates = dates.into_iter().flatten().find_map(instant);
        of_dates.or_else(|| {
            let Some(date) = dates.into_iter().flatten().find_map(date) else { return further.next() };
            let time_of_day = self.time_obs.as_deref().and_then(time_of_day).map(|time| date.and_time(time));
            let has_time = self.time_obs.as_deref().is_some_and(|text| !text.trim().is_empty());
            let midnight = (!has_time).then(|| date.and_time(NaiveTime::MIN));
            time_of_day.or_else(|| further.find(|time| time.date() == date)).or(midnight)
        })
    }
}

fn instant(reading: HeaderTime) -> Option<NaiveDateTime> {
    if let HeaderTime::Instant(time) = reading { Some(time) } else { None }
}

fn date(reading: HeaderTime) -> Option<NaiveDate> {
    if let HeaderTime::Date(date) = reading { Some(date) } else { None }
}

/// A text as a time; none for JSOC's "missing", which is a day in the year -4712.
fn read(text: &str) -> Option<HeaderTime> {
    let text = text.trim();
    let date = DATES.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    if let Some(date) = date.filter(|date| name::is_plausible(*date)) {
        return Some(HeaderTime::Date(date));
    }
    let bare = text.strip_suffix('Z').unwrap_or(text);
    let further = || INSTANTS.iter().find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok());
    let time = name::instant(text).or_else(further)?;
    name::is_plausible(time.date()).then_some(HeaderTime::Instant(time))
}

fn time_of_day(text: &str) -> Option<NaiveTime> {
    let text = text.trim();
    let text = text.strip_suffix('Z').unwrap_or(text);
    TIMES.iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(cards: &[(&[u8; 8], &str)], named: Option<&str>) -> Option<String> {
        let mut times = Times::default();
        for (keyword, text) in cards {
            times.take(**keyword, text);
        }
        let time = times.observed(named.map(|named| named.parse().unwrap()))?;
        Some(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
    }

    #[test]
    fn the_time_is_the_best_that_the_headers_tell() {
        const DATE: &[u8; 8] = b"DATE-OBS";
        const UNDERSCORE: &[u8; 8] = b"DATE_OBS";
        const TIME: &[u8; 8] = b"TIME-OBS";
        const T_OBS: &[u8; 8] = b"T_OBS   ";
        const T_REC: &[u8; 8] = b"T_REC   ";
        let missing = "-4712.01.01_11:59:28_TAI";
        for (cards, expected) in [
            (&[(DATE, "2011-02-15T01:58:12.30")][..], "2011-02-15T01:58:12.300"),
            (&[(DATE, "2011-02-15T01:58:12.30Z"), (T_REC, "2011.02.15_02:00:00_TAI")], "2011-02-15T01:58:12.300"),
            (&[(T_REC, missing), (T_OBS, "2010.07.27_00:09:05_TAI")], "2010-07-27T00:08:31"),
            (
                &[(DATE, "11-DEC-96"), (UNDERSCORE, "1996-12-11T19:00:14.254Z"), (TIME, "19:00:14")],
                "1996-12-11T19:00:14.254",
            ),
            (&[(DATE, "junk"), (T_REC, "2011.02.15_02:00:00_TAI")], "2011-02-15T01:59:26"),
            (&[(DATE, "2012-07-01"), (UNDERSCORE, "2012-07-01T09:10:58.200Z")], "2012-07-01T09:10:58.200"),
            (&[(DATE, "2023-09-30"), (TIME, "06:44")], "2023-09-30T06:44:00"),
            (&[(TIME, "06:51:26"), (DATE, "2005-03-07")], "2005-03-07T06:51:26"),
            (&[(DATE, "2005-03-07"), (b"TIME_OBS", "06:51:26.5")], "2005-03-07T06:51:26.500"),
            (&[(DATE, "2005-03-07"), (TIME, "junk"), (T_OBS, "2005-03-07T01:02:03")], "2005-03-07T01:02:03"),
            (&[(DATE, "2005-03-07"), (T_OBS, "2005-03-08T01:02:03")], "2005-03-07T00:00:00"),
            (&[(DATE, "2005-03-07"), (TIME, " ")], "2005-03-07T00:00:00"),
            (&[(DATE, "2005-03-07")], "2005-03-07T00:00:00"),
            (&[(DATE, "2002/05/21"), (TIME, "00:18:06.516")], "2002-05-21T00:18:06.516"),
            (&[(DATE, "07/06/2011"), (TIME, "00:00:00.000")], "2011-06-07T00:00:00"),
            (&[(DATE, "2002/05/21 00:18:06.516")], "2002-05-21T00:18:06.516"),
            (&[(DATE, "2002-05-21T00:18")], "2002-05-21T00:18:00"),
            (&[(DATE, "junk"), (DATE, "2005-03-07T01:02:03")], "2005-03-07T01:02:03"),
            (&[(DATE, "2005-03-07T01:02:03"), (DATE, "2006-03-07T01:02:03")], "2005-03-07T01:02:03"),
        ] {
            assert_eq!(observed(cards, None).as_deref(), Some(expected), "{cards:?}");
        }
        for unreadable in ["25:00:00", "12345.0"] {
            let cards: &[(&[u8; 8], &str)] = &[(DATE, "2005-03-07"), (TIME, unreadable)];
            assert_eq!(observed(cards, None), None, "no midnight is made up beside {unreadable}");
            assert_eq!(observed(cards, Some("2005-03-07T04:05:06")).as_deref(), Some("2005-03-07T04:05:06"));
        }
        let others = ["1858-11-17T00:00:00", "9999-12-31T23:59:59", "2200-01-01"];
        let unreadable = [missing, "15/02/11", "-4712-01-01", "0000-00-00T00:00:00", "2015-13-01", "11-DEC-96", ""];
        for unknown in unreadable.into_iter().chain(others) {
            assert_eq!(observed(&[(DATE, unknown), (TIME, "01:02:03")], None), None, "{unknown}");
        }
        assert_eq!(observed(&[(T_REC, missing)], Some("2015-12-11T18:22:08")).as_deref(), Some("2015-12-11T18:22:08"));
        let of_its_day = observed(&[(DATE, "2015-12-11")], Some("2015-12-11T18:22:08"));
        assert_eq!(of_its_day.as_deref(), Some("2015-12-11T18:22:08"));
    }
}
