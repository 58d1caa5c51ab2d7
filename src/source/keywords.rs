//! A day's keywords as two files: a table in CSV with a row a record, and beside it what its columns mean.
//!
//! Both are made of what a source answered, so the same answers give the same bytes. What it does not do: ask for
//! keywords, or read those of a file.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::NaiveDateTime;
use serde::Serialize;
use url::Url;

use super::RemoteFile;
use crate::day::{Day, Scale};
use crate::manifest::Series;

/// A day's keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table<'a> {
    /// The keywords, in the table's order.
    pub(super) columns: Vec<Column>,
    /// The records, in any order.
    pub(super) rows: Vec<Row<'a>>,
}

/// What one keyword means; `None` where the source does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its type, in the source's own word, such as `int`, `double`, `string`, `time`.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// Its unit.
    pub(super) unit: Option<String>,
    /// What stands for a missing value.
    pub(super) missing: Option<String>,
    /// What stands where the keyword is that of another record, and this one is not there.
    pub(super) invalid_link: Option<String>,
    /// What a record has where nobody set a value.
    pub(super) default: Option<String>,
    /// What the source says of it.
    pub(super) note: Option<String>,
}

/// The keywords of one record, as they lie in an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// What identifies the record within its day.
    pub(super) record: String,
    /// Its time by the source's own key.
    pub(super) time: NaiveDateTime,
    /// Its number.
    pub(super) recnum: Option<i64>,
    /// The active region.
    pub(super) harpnum: Option<i64>,
    /// A value for each column, as the source wrote it; `None` where it told none.
    pub(super) values: Vec<Option<Cow<'a, str>>>,
}

/// The sidecar: `keywords/1`.
#[derive(Debug, Serialize)]
struct Sidecar<'a> {
    sunhaul: &'static str,
    series: &'a str,
    scale: Scale,
    columns: Vec<Column>,
}

impl Table<'_> {
    /// The table and its sidecar, of a day of `series`; none of a day without records. `asked` is the question that the
    /// answers were given to, and `path` the same below the source's base.
    ///
    /// Rows are sorted by time, those of one time by record; a record that comes again is folded.
    pub(super) fn files(mut self, series: &Series, day: &Day, asked: &Url, path: &str) -> Vec<RemoteFile> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        self.rows.sort_by(|a, b| (a.time, &a.record).cmp(&(b.time, &b.record)));
        self.rows.dedup_by(|later, first| later.record == first.record);
        let scale = series.source.scale();
        let stem = format!("{}.{}.keywords", series.name, day.date.format("%Y%m%d"));
        let file = |end: &str, bytes: Vec<u8>| {
            RemoteFile::of_answers(&format!("keywords.{end}"), format!("{stem}.{end}"), bytes, day, (asked, path))
        };
        vec![file("csv", self.csv(scale).into_bytes()), file("json", self.sidecar(series, scale))]
    }

    /// The table, RFC 4180 with LF: `time,recnum,harpnum`, then the keywords.
    fn csv(&self, scale: Scale) -> String {
        let mut csv = String::from("time,recnum,harpnum");
        for column in &self.columns {
            let _ = write!(csv, ",{}", cell(&column.name));
        }
        csv.push('\n');
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        for row in &self.rows {
            let _ = write!(csv, "{},{},{}", scale.label(row.time), number(row.recnum), number(row.harpnum));
            for value in &row.values {
                let _ = write!(csv, ",{}", cell(value.as_deref().unwrap_or_default()));
            }
            csv.push('\n');
        }
        csv
    }

    fn sidecar(&self, series: &Series, scale: Scale) -> Vec<u8> {
        let own = |name: &str, kind: &str, note: &str| Column {
            name: name.to_owned(),
            kind: Some(kind.to_owned()),
            missing: Some(String::new()),
            note: Some(note.to_owned()),
            ..Column::default()
        };
        let mut columns = vec![
            own("time", "time", "the record's time by the source's own key, in the scale that stands above"),
            own("recnum", "longlong", "the record's number"),
            own("harpnum", "int", "the number of the active region"),
        ];
        columns.extend(self.columns.iter().cloned());
        let sidecar = Sidecar { sunhaul: "keywords/1", series: &series.name, scale, columns };
        // It is made of strings alone: nothing in it can fail to be written.
        let mut json = serde_json::to_vec_pretty(&sidecar).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// A value as a cell: as it is, and no formula where a spreadsheet would take it for one. Numbers and times stay as they
/// are, signs and all.
fn cell(value: &str) -> String {
    let mut text = value.to_owned();
    if text.starts_with(['=', '+', '-', '@']) && !is_number_or_time(&text) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        text = format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

/// True for `-70`, `+1.5e-3`, `-nan` and `-4712.01.01_11:59:28_TAI`.
fn is_number_or_time(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:+-".contains(&byte);
    let is_time = unsigned.starts_with(|c: char| c.is_ascii_digit()) && unsigned.bytes().all(is_plain);
    is_time || text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_text_and_are_no_formulas() {
        for (value, shown) in [
            ("1.5e-3", "1.5e-3"),
            ("-70", "-70"),
            ("-nan", "-nan"),
            ("-4712.01.01_11:59:28_TAI", "-4712.01.01_11:59:28_TAI"),
            ("+2011-02-15T00:00:13Z", "+2011-02-15T00:00:13Z"),
            ("-1+cmd|'/c calc'!A1", "'-1+cmd|'/c calc'!A1"),
            ("-A1", "'-A1"),
            ("--1", "'--1"),
            ("11158,11162", "\"11158,11162\""),
            ("a \"b\"\n c", "\"a \"\"b\"\"\n c\""),
            ("a\tb ##[c]", "a\tb ##[c]"),
            ("=1+1", "'=1+1"),
            ("@sum", "'@sum"),
            ("", ""),
        ] {
            assert_eq!(cell(value), shown, "{value:?}");
        }
    }
}
