//! What is asked for: the window of a listing, the records and fields of a question for keywords; read strictly.
//!
//! What it does not do: guess. A parameter that is unknown, twice there or no date is an error that says so.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::problem::HttpProblem;
use crate::day::Window;
use crate::untrusted::escape;

/// The longest window of one listing, in days.
const LONGEST: i64 = 31;

/// What a listing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListingRequest {
    /// The `date_obs` asked for, half-open, in UTC.
    pub(super) window: Window,
    /// True when the records' keywords are wanted, too.
    pub(super) meta: bool,
}

/// How many records may be asked for at once.
const RECORDS: usize = 1000;

/// What a question for keywords asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeywordRequest {
    /// The records' numbers.
    pub(super) recnums: Vec<i64>,
    /// The fields, lower case; none of them means all.
    pub(super) fields: Vec<String>,
}

/// Reads a question for keywords of a series whose records may have the `known` ones.
///
/// # Errors
/// A 400 that names what is wrong.
pub(super) fn keywords(recnums: &str, raw: &str, known: &[&str]) -> Result<KeywordRequest, HttpProblem> {
    let numbers: Result<Vec<i64>, _> = recnums.split(',').map(|number| number.trim().parse()).collect();
    let Ok(numbers) = numbers else {
        let detail = format!("`{}` is no list of record numbers, such as 5601499,5605571", escape(recnums));
        return Err(HttpProblem::bad_request(detail));
    };
    if numbers.len() > RECORDS {
        return Err(HttpProblem::bad_request(format!("more than {RECORDS} records: request them in parts")));
    }
    let mut fields = Vec::new();
    for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
        if name != "fields" {
            return Err(HttpProblem::bad_request(format!("unknown parameter `{}`: there is `fields`", escape(&name))));
        }
        fields
            .extend(value.split(',').map(|field| field.trim().to_ascii_lowercase()).filter(|field| !field.is_empty()));
    }
    if let Some(unknown) = fields.iter().find(|field| !known.contains(&field.as_str())) {
        let detail = format!("unknown field `{}`: there are {}", escape(unknown), known.join(", "));
        return Err(HttpProblem::bad_request(detail));
    }
    Ok(KeywordRequest { recnums: numbers, fields })
}

/// Reads the query of a listing.
///
/// # Errors
/// A 400 that names the parameter.
pub(super) fn read(raw: &str) -> Result<ListingRequest, HttpProblem> {
    let (mut start, mut end, mut meta) = (None, None, None);
    for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
        let slot = match &*name {
            "start" => &mut start,
            "end" => &mut end,
            "meta" => &mut meta,
            _ => {
                let detail = format!("unknown parameter `{}`: there are `start`, `end` and `meta`", escape(&name));
                return Err(HttpProblem::bad_request(detail));
            }
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(HttpProblem::bad_request(format!("`{name}` is given twice")));
        }
    }
    let meta = match meta.as_deref() {
        None | Some("" | "false" | "0") => false,
        Some("true" | "1") => true,
        Some(other) => {
            return Err(HttpProblem::bad_request(format!("`meta` is `{}`: say true or false", escape(other))));
        }
    };
    let window = Window { start: instant("start", start)?, end: instant("end", end)? };
    if window.end < window.start {
        return Err(HttpProblem::bad_request("`end` is before `start`"));
    }
    if window.end - window.start > TimeDelta::days(LONGEST) {
        let detail = format!("the window is longer than {LONGEST} days: request it in parts");
        return Err(HttpProblem::bad_request(detail));
    }
    Ok(ListingRequest { window, meta })
}

/// An instant in UTC: ISO 8601 with `Z`, with an offset, or without either; a bare date is its midnight.
fn instant(name: &str, value: Option<String>) -> Result<NaiveDateTime, HttpProblem> {
    let text = value.ok_or_else(|| {
        HttpProblem::bad_request(format!(
            "`{name}` is missing: give both, as start=2015-12-11T00:00:00Z&end=2015-12-12T00:00:00Z"
        ))
    })?;
    // In a query a `+` that is not encoded means a space; within an instant it can only have been an offset.
    let written = text.replace(' ', "+");
    let with_offset = DateTime::parse_from_rfc3339(&written).ok().map(|at| at.naive_utc());
    let instant =
        with_offset.or_else(|| NaiveDateTime::parse_from_str(&written, "%Y-%m-%dT%H:%M:%S%.f").ok()).or_else(|| {
            let date = NaiveDate::parse_from_str(&written, "%Y-%m-%d").ok()?;
            Some(date.and_time(NaiveTime::MIN))
        });
    // Years beyond these overflow further on, and hold no data.
    instant.filter(|at| (1900..3000).contains(&chrono::Datelike::year(at))).ok_or_else(|| {
        let shown = escape(&text);
        HttpProblem::bad_request(format!("`{name}` is `{shown}`, which is no date: write it as 2015-12-11T00:00:00Z"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(raw: &str) -> Option<String> {
        let window = read(raw).ok()?.window;
        Some(format!("{} {}", window.start, window.end))
    }

    #[test]
    fn instants_are_read_in_all_their_clothes() {
        for raw in [
            "start=2015-12-11T00:00:00Z&end=2015-12-12T00:00:00Z",
            "start=2015-12-11T00%3A00%3A00Z&end=2015-12-12T00%3A00%3A00Z",
            "start=2015-12-11&end=2015-12-12",
            "end=2015-12-12T00:00:00.000&start=2015-12-11T00:00:00&meta=false",
            "start=2015-12-11T00:00:00+00:00&end=2015-12-12T02:00:00%2B02:00",
        ] {
            assert_eq!(window(raw).as_deref(), Some("2015-12-11 00:00:00 2015-12-12 00:00:00"), "{raw}");
        }
        assert!(read("start=2015-12-11&end=2015-12-11&meta=true").is_ok_and(|query| query.meta));
    }

    #[test]
    fn records_and_fields_are_read_or_refused() {
        let read = |recnums: &str, raw: &str| keywords(recnums, raw, &["area", "cmask"]);
        let asked = read("7, 8", "fields=area,CMASK,&fields=area").expect("a question");
        assert_eq!((asked.recnums, asked.fields.join(" ")), (vec![7, 8], "area cmask area".to_owned()));
        assert_eq!(read("7", "").expect("a question").fields, Vec::<String>::new());
        for (recnums, raw, said) in [
            ("7,x", "", "no list of record numbers"),
            ("", "", "no list of record numbers"),
            ("99999999999999999999", "", "no list of record numbers"),
            ("7", "fields=area,colour", "unknown field `colour`: there are area, cmask"),
            ("7", "field=area", "unknown parameter `field`"),
            (&"7,".repeat(1001)[..2001], "", "more than 1000 records"),
        ] {
            let detail = serde_json::json!(read(recnums, raw).expect_err("a refusal"))["detail"].to_string();
            assert!(detail.contains(said), "{recnums} {raw}: {detail}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for raw in [
            "",
            "start=2015-12-11",
            "start=2015-02-30&end=2015-03-02",
            "start=yesterday&end=2015-03-02",
            "start=2015-12-12&end=2015-12-11",
            "start=2015-12-01&end=2016-01-01T00:00:01Z",
            "start=2015-12-11&end=2015-12-12&segment=Br",
            "start=2015-12-11&start=2015-12-11&end=2015-12-12",
            "start=2015-12-11&end=2015-12-12&meta=perhaps",
            "start=-262143-01-01&end=-262143-01-02",
            "start=+262142-12-31&end=+262142-12-31",
        ] {
            assert!(read(raw).is_err(), "{raw}");
        }
    }
}
