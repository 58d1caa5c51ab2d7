//! A day's keywords as two files: a table in CSV with a row a record, and beside it what its columns mean.
//!
//! Both are made of what a source answered, so the same answers give the same bytes. What it does not do: ask for
//! keywords, or read those of a file.

use std::borrow::Cow;

use chrono::NaiveDateTime;
use serde::Serialize;
use url::Url;

use super::RemoteFile;
use super::read::malformed;
use crate::day::{Day, Scale};
use crate::failure::Failure;
use crate::manifest::Series;

/// A day's keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// The keywords, in the table's order.
    pub(super) columns: Vec<Column>,
    /// The records, in any order.
    pub(super) rows: Vec<Row>,
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

/// The keywords of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// What identifies the record within its day.
    pub(super) record: String,
    /// Its time by the source's own key.
    pub(super) time: NaiveDateTime,
    /// The instant of the cadence that it is the nearest one to.
    pub(super) instant: Option<NaiveDateTime>,
    /// Its number.
    pub(super) recnum: Option<i64>,
    /// The active region.
    pub(super) harpnum: Option<i64>,
    /// False where its QUALITY says that nothing was observed.
    pub(super) has_data: Option<bool>,
    /// A value for each column, as [`cells`] writes them.
    pub(super) cells: String,
}

/// The sidecar: `keywords/2`.
#[derive(Debug, Serialize)]
struct Sidecar<'a> {
    sunhaul: &'static str,
    series: &'a str,
    scale: Scale,
    columns: Vec<Column>,
}

impl Table {
    /// The same with the rows of another table.
    ///
    /// # Errors
    /// `listing-malformed` where it has other columns.
    pub(super) fn and(mut self, other: Table) -> Result<Table, Failure> {
        if self.rows.is_empty() {
            return Ok(other);
        }
        if !other.rows.is_empty() && self.columns != other.columns {
            return Err(malformed("the keywords of one part of the day are not those of another"));
        }
        self.rows.extend(other.rows);
        Ok(self)
    }

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
        self.rename();
        let scale = series.source.scale();
        let stem = format!("{}.{}.keywords", series.name, day.date.format("%Y%m%d"));
        let file = |end: &str, bytes: Vec<u8>| {
            RemoteFile::of_answers(&format!("keywords.{end}"), format!("{stem}.{end}"), bytes, day, (asked, path))
        };
        vec![file("csv", self.csv(scale).into_bytes()), file("json", self.sidecar(series, scale))]
    }

    /// Renames keywords that have the name of a column of our own, however it is written: databases take both for one.
    fn rename(&mut self) {
        let others = [Own::Time, Own::Scale, Own::Instant, Own::Recnum, Own::HasData];
        for column in &mut self.columns {
            if others.iter().any(|own| column.name.eq_ignore_ascii_case(own.name())) {
                column.name.push('_');
            }
        }
    }

    /// The columns that are not keywords. Where a keyword is the number of the active region, it is there once.
    fn own(&self) -> Vec<Own> {
        let has_harpnum = self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(Own::Harpnum.name()));
        let is_told = |own: Own| match own {
            Own::Time | Own::Scale | Own::Recnum => true,
            Own::Instant => self.rows.iter().any(|row| row.instant.is_some()),
            Own::Harpnum => !has_harpnum && self.rows.iter().any(|row| row.harpnum.is_some()),
            Own::HasData => self.rows.iter().any(|row| row.has_data.is_some()),
        };
        Own::ALL.into_iter().filter(|own| is_told(*own)).collect()
    }

    /// The table, RFC 4180 with LF: columns of our own, then the keywords. What is missing is an empty cell.
    fn csv(&self, scale: Scale) -> String {
        let own = self.own();
        let names = own.iter().map(|own| own.name()).chain(self.columns.iter().map(|column| column.name.as_str()));
        let mut csv = names.map(cell).collect::<Vec<_>>().join(",");
        csv.push('\n');
        for row in &self.rows {
            csv.push_str(&own.iter().map(|own| own.value(row, scale)).collect::<Vec<_>>().join(","));
            csv.push_str(&row.cells);
            csv.push('\n');
        }
        csv
    }

    fn sidecar(&self, series: &Series, scale: Scale) -> Vec<u8> {
        let mut columns: Vec<Column> = self.own().into_iter().map(Own::meaning).collect();
        columns.extend(self.columns.iter().cloned());
        let sidecar = Sidecar { sunhaul: "keywords/2", series: &series.name, scale, columns };
        // It is made of strings alone: nothing in it can fail to be written.
        let mut json = serde_json::to_vec_pretty(&sidecar).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

/// A column that is no keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Time,
    Scale,
    Instant,
    Recnum,
    Harpnum,
    HasData,
}

impl Own {
    const ALL: [Own; 6] = [Own::Time, Own::Scale, Own::Instant, Own::Recnum, Own::Harpnum, Own::HasData];

    fn name(self) -> &'static str {
        match self {
            Own::Time => "time",
            Own::Scale => "scale",
            Own::Instant => "instant",
            Own::Recnum => "recnum",
            Own::Harpnum => "harpnum",
            Own::HasData => "has_data",
        }
    }

    fn value(self, row: &Row, scale: Scale) -> String {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        match self {
            Own::Time => iso(row.time),
            Own::Scale => scale.to_string(),
            Own::Instant => row.instant.map(iso).unwrap_or_default(),
            Own::Recnum => number(row.recnum),
            Own::Harpnum => number(row.harpnum),
            Own::HasData => row.has_data.map(|has_data| has_data.to_string()).unwrap_or_default(),
        }
    }

    fn meaning(self) -> Column {
        let (kind, note) = match self {
            Own::Time => ("time", "the record's time by the source's own key, ISO 8601 in the scale beside it"),
            Own::Scale => ("string", "the scale of that time"),
            Own::Instant => {
                ("time", "the instant of the cadence that the record is the nearest one to, in the same form")
            }
            Own::Recnum => ("longlong", "the record's number"),
            Own::Harpnum => ("int", "the number of the active region"),
            Own::HasData => ("boolean", "false where the record's QUALITY says that nothing was observed"),
        };
        Column {
            name: self.name().to_owned(),
            kind: Some(kind.to_owned()),
            missing: Some(String::new()),
            note: Some(note.to_owned()),
            ..Column::default()
        }
    }
}

fn iso(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

/// False where a record's QUALITY, as 32 bits, says that nothing was observed: of HMI, bits from 0x20000 on
/// (`doc/data/hmi/Quality_Bits/QUALITY.txt`), of all others the highest.
pub(super) fn has_data(series: &str, quality: u32) -> bool {
    let nothing = if series.starts_with("hmi.") || series.starts_with("sharp_") { 0xfffe_0000 } else { 0x8000_0000 };
    quality & nothing == 0
}

/// Values as they stand in a row, each after a comma; `None` where the source told none, or that it is missing.
pub(super) fn cells<'a>(values: impl Iterator<Item = Option<Cow<'a, str>>>) -> String {
    let mut cells = String::new();
    for value in values {
        cells.push(',');
        cells.push_str(&cell(value.as_deref().unwrap_or_default()));
    }
    cells
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
    fn only_what_has_no_data_is_marked_so() {
        for (series, quality, due) in [
            ("hmi.sharp_cea_720s", 0, true),
            ("hmi.sharp_cea_720s", 0x520, true),
            ("hmi.sharp_cea_720s", 0x1_0000, true),
            ("hmi.sharp_cea_720s", 0x2_0000, false),
            ("sharp_720s", 0x8000_0000, false),
            ("aia.lev1", 0x2_0000, true),
            ("aia.lev1", 0x8000_0000, false),
        ] {
            assert_eq!(has_data(series, quality), due, "{series} {quality:#x}");
        }
    }

    #[test]
    fn no_column_is_there_twice_however_its_name_is_written() {
        let names = |keywords: &[&str], harpnum: Option<i64>| {
            let column = |name: &&str| Column { name: (*name).to_owned(), ..Column::default() };
            let row = Row { harpnum, cells: cells(vec![None; keywords.len()].into_iter()), ..Row::default() };
            let mut table = Table { columns: keywords.iter().map(column).collect(), rows: vec![row] };
            table.rename();
            table.csv(Scale::Tai).lines().next().unwrap().to_owned()
        };
        assert_eq!(names(&["T_REC"], Some(377)), "time,scale,recnum,harpnum,T_REC");
        assert_eq!(names(&["HARPNUM", "T_REC"], Some(377)), "time,scale,recnum,HARPNUM,T_REC");
        assert_eq!(names(&["Time"], None), "time,scale,recnum,Time_");
    }

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
