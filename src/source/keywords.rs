//! A day's keywords as two files: a table in CSV with a row a record, and beside it what its columns mean.
//!
//! Both are made of what a source answered, so the same answers give the same bytes.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::NaiveDateTime;
use serde::Serialize;

use super::read_capped::malformed;
use super::{Asked, MADE, RemoteFile};
use crate::day::{Day, Scale};
use crate::failure::Failure;
use crate::manifest::Series;

/// A day's keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeywordTable {
    /// The keywords, in the table's order.
    pub(super) columns: Vec<KeywordColumn>,
    /// The records, in any order.
    pub(super) rows: Vec<KeywordRow>,
}

/// What one keyword means; `None` where the source does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct KeywordColumn {
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
pub(super) struct KeywordRow {
    /// What identifies the record within its day.
    pub(super) record: String,
    /// Its time by the source's own key.
    pub(super) time: NaiveDateTime,
    /// The instant of the cadence that it is the nearest one to.
    pub(super) instant: Option<NaiveDateTime>,
    /// The source's name for its series, where the job prefers one of several.
    pub(super) source_series: Option<Arc<str>>,
    /// Its number.
    pub(super) recnum: Option<i64>,
    /// The active region.
    pub(super) harpnum: Option<i64>,
    /// False where its QUALITY says that nothing was observed.
    pub(super) has_data: Option<bool>,
    /// A value for each column, as [`cells`] writes them.
    pub(super) cells: String,
}

/// JSOC's types of numbers, each of which holds the values of those before it.
const NUMBERS: [&str; 6] = ["char", "short", "int", "longlong", "float", "double"];

/// The type of a column that is of one type in one table and of another one in the next: the wider one of two numbers, and none
/// of what have nothing in common.
#[must_use]
pub fn common_kind(one: Option<&str>, other: Option<&str>) -> Option<String> {
    let (one, other) = (one?, other?);
    if one == other {
        return Some(one.to_owned());
    }
    let place = |kind: &str| NUMBERS.iter().position(|number| *number == kind);
    let wider = place(one)?.max(place(other)?);
    NUMBERS.get(wider).map(|&kind| kind.to_owned())
}

/// The column that says which series a record is of.
const SOURCE_SERIES: &str = "source_series";

impl KeywordRow {
    /// The slot that the record stands for.
    pub(super) fn slot(&self) -> NaiveDateTime {
        self.instant.unwrap_or(self.time)
    }
}

/// The sidecar: `keywords/2`.
#[derive(Debug, Serialize)]
struct KeywordsSidecar<'a> {
    sunhaul: &'static str,
    series: &'a str,
    scale: Scale,
    columns: Vec<KeywordColumn>,
}

impl KeywordTable {
    /// The same with the rows of another table.
    ///
    /// # Errors
    /// `listing-malformed` where it has other columns.
    pub(super) fn and(mut self, other: KeywordTable) -> Result<KeywordTable, Failure> {
        if self.rows.is_empty() {
            return Ok(other);
        }
        if !other.rows.is_empty() && self.columns != other.columns {
            return Err(malformed("the keywords of one part of the day are not those of another"));
        }
        self.rows.extend(other.rows);
        Ok(self)
    }

    /// The same with the rows of a table of another series. A column that one of the two does not have is empty there; what
    /// it means, the first one says, and its type is one for the values of both.
    pub(super) fn with_other_series(mut self, other: KeywordTable) -> KeywordTable {
        if self.rows.is_empty() || other.rows.is_empty() {
            return if self.rows.is_empty() { other } else { self };
        }
        let is_known = |columns: &[KeywordColumn], name: &str| columns.iter().any(|column| column.name == name);
        let new: Vec<KeywordColumn> =
            other.columns.iter().filter(|column| !is_known(&self.columns, &column.name)).cloned().collect();
        let empty = ",".repeat(new.len());
        self.rows.iter_mut().for_each(|row| row.cells.push_str(&empty));
        for column in &mut self.columns {
            if let Some(known) = other.columns.iter().find(|known| known.name == column.name) {
                column.kind = common_kind(column.kind.as_deref(), known.kind.as_deref());
            }
        }
        self.columns.extend(new);
        let place = |column: &KeywordColumn| other.columns.iter().position(|own| own.name == column.name);
        let places: Vec<Option<usize>> = self.columns.iter().map(place).collect();
        self.rows.extend(other.rows.into_iter().map(|row| {
            let own = split(&row.cells);
            let cell = |place: &Option<usize>| place.and_then(|place| own.get(place).copied()).unwrap_or_default();
            let cells = places.iter().flat_map(|place| [",", cell(place)]).collect();
            KeywordRow { cells, ..row }
        }));
        self
    }

    /// The table and its sidecar, of a day of `series`; none of a day without records. `asked` is the question that the
    /// answers were given to.
    ///
    /// Rows are sorted by time, those of one time by record; a record that comes again is folded.
    pub(super) fn files(mut self, series: &Series, day: &Day, asked: Asked<'_>) -> Vec<RemoteFile> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        self.rows.sort_by(|a, b| (a.time, &a.record).cmp(&(b.time, &b.record)));
        self.rows.dedup_by(|later, first| later.record == first.record);
        self.rename();
        let scale = series.source.scale();
        let file = |end: &str, bytes: Vec<u8>| {
            RemoteFile::of_answers(&format!("keywords.{end}"), name(series, day, end), bytes, day, asked)
        };
        vec![file("csv", self.csv(scale).into_bytes()), file("json", self.sidecar(series, scale))]
    }

    /// Renames keywords that have the name of a column of our own, however it is written: databases take both for one.
    fn rename(&mut self) {
        let others = [Own::Time, Own::Scale, Own::Instant, Own::SourceSeries, Own::Recnum, Own::HasData];
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
            Own::SourceSeries => self.rows.iter().any(|row| row.source_series.is_some()),
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
        let mut columns: Vec<KeywordColumn> = self.own().into_iter().map(Own::meaning).collect();
        columns.extend(self.columns.iter().cloned());
        let sidecar = KeywordsSidecar { sunhaul: "keywords/2", series: &series.name, scale, columns };
        // Strings always serialise.
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
    SourceSeries,
    Recnum,
    Harpnum,
    HasData,
}

impl Own {
    const ALL: [Own; 7] =
        [Own::Time, Own::Scale, Own::Instant, Own::SourceSeries, Own::Recnum, Own::Harpnum, Own::HasData];

    fn name(self) -> &'static str {
        match self {
            Own::Time => "time",
            Own::Scale => "scale",
            Own::Instant => "instant",
            Own::SourceSeries => SOURCE_SERIES,
            Own::Recnum => "recnum",
            Own::Harpnum => "harpnum",
            Own::HasData => "has_data",
        }
    }

    fn value(self, row: &KeywordRow, scale: Scale) -> String {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        match self {
            Own::Time => iso(row.time),
            Own::Scale => scale.to_string(),
            Own::Instant => row.instant.map(iso).unwrap_or_default(),
            Own::SourceSeries => row.source_series.as_deref().unwrap_or_default().to_owned(),
            Own::Recnum => number(row.recnum),
            Own::Harpnum => number(row.harpnum),
            Own::HasData => row.has_data.map(|has_data| has_data.to_string()).unwrap_or_default(),
        }
    }

    fn meaning(self) -> KeywordColumn {
        let (kind, note) = match self {
            Own::Time => ("time", "the record's time by the source's own key, ISO 8601 in the scale beside it"),
            Own::Scale => ("string", "the scale of that time"),
            Own::Instant => {
                ("time", "the instant of the cadence that the record is the nearest one to, in the same form")
            }
            Own::SourceSeries => ("string", "the series that the record is of"),
            Own::Recnum => ("longlong", "the record's number"),
            Own::Harpnum => ("int", "the number of the active region"),
            Own::HasData => ("boolean", "false where the record's QUALITY says that nothing was observed"),
        };
        KeywordColumn {
            name: self.name().to_owned(),
            kind: Some(kind.to_owned()),
            missing: Some(String::new()),
            note: Some(note.to_owned()),
            ..KeywordColumn::default()
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

/// The key of a day's table.
pub const KEYWORDS_TABLE: &str = "made:keywords.csv";

/// What one of the two files of a day is called.
fn name(series: &Series, day: &Day, end: &str) -> String {
    format!("{}.{}.keywords.{end}", series.name, day.date.format("%Y%m%d"))
}

/// One of the two files of a day as it was made before; `None` for a key of another file.
#[must_use]
pub fn recorded_table(series: &Series, day: &Day, key: &str, bytes: Vec<u8>, asked: Asked<'_>) -> Option<RemoteFile> {
    let what = key.strip_prefix(MADE)?;
    let end = what.strip_prefix("keywords.")?;
    Some(RemoteFile::of_answers(what, name(series, day, end), bytes, day, asked))
}

/// The records of a day's table: the slot, the series and the number of each. None where it does not say of which series
/// they are.
#[must_use]
pub fn table_records(table: &[u8]) -> Vec<(NaiveDateTime, String, i64)> {
    let mut rows = csv::Reader::from_reader(table);
    let head = rows.headers().cloned().unwrap_or_default();
    let place = |own: Own| head.iter().position(|name| name == own.name());
    let (Some(time), Some(series), Some(recnum)) = (place(Own::Time), place(Own::SourceSeries), place(Own::Recnum))
    else {
        return Vec::new();
    };
    let instant = place(Own::Instant);
    let read = |row: csv::StringRecord| {
        let instant = instant.and_then(|instant| row.get(instant)).filter(|instant| !instant.is_empty());
        let slot = instant.or_else(|| row.get(time))?.parse().ok()?;
        Some((slot, row.get(series)?.to_owned(), row.get(recnum)?.parse().ok()?))
    };
    rows.records().filter_map(Result::ok).filter_map(read).collect()
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

/// The cells of a row as [`cells`] wrote them: each after a comma, quoted where they hold one.
fn split(cells: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let ends_a_cell = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    cells.split(ends_a_cell).skip(1).collect()
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
            let column = |name: &&str| KeywordColumn { name: (*name).to_owned(), ..KeywordColumn::default() };
            let row =
                KeywordRow { harpnum, cells: cells(vec![None; keywords.len()].into_iter()), ..KeywordRow::default() };
            let mut table = KeywordTable { columns: keywords.iter().map(column).collect(), rows: vec![row] };
            table.rename();
            table.csv(Scale::Tai).lines().next().unwrap().to_owned()
        };
        assert_eq!(names(&["T_REC"], Some(377)), "time,scale,recnum,harpnum,T_REC");
        assert_eq!(names(&["HARPNUM", "T_REC"], Some(377)), "time,scale,recnum,HARPNUM,T_REC");
        assert_eq!(names(&["Time"], None), "time,scale,recnum,Time_");
    }

    #[test]
    fn a_table_that_names_series_says_which_records_it_has() {
        let at = |time: &str| -> NaiveDateTime { time.parse().unwrap() };
        let row = |time: &str, series: Option<&str>, recnum: i64, note: &str| KeywordRow {
            record: recnum.to_string(),
            time: at(time),
            source_series: series.map(Arc::from),
            recnum: Some(recnum),
            cells: cells([Some(Cow::Borrowed(note))].into_iter()),
            ..KeywordRow::default()
        };
        let table = |series: Option<&str>| {
            let rows =
                vec![row("2015-12-11T00:00:00", series, 8, "a\n\"b"), row("2015-12-11T00:12:00", series, 9, "c")];
            KeywordTable { columns: vec![KeywordColumn { name: "NOTE".to_owned(), ..KeywordColumn::default() }], rows }
                .csv(Scale::Tai)
        };
        let records = table_records(table(Some("hmi.x_nrt")).as_bytes());
        let due = [("2015-12-11T00:00:00", 8), ("2015-12-11T00:12:00", 9)];
        assert_eq!(records, due.map(|(time, recnum)| (at(time), "hmi.x_nrt".to_owned(), recnum)));
        assert_eq!(table_records(table(None).as_bytes()), []);
        assert_eq!(table_records(b""), []);
    }

    #[test]
    fn rows_of_another_series_get_the_columns_of_both_tables() {
        let table = |names: &[&str], record: &str, values: &[&str]| {
            let column = |name: &&str| KeywordColumn { name: (*name).to_owned(), ..KeywordColumn::default() };
            let values = values.iter().map(|value| Some(Cow::Borrowed(*value)));
            let row = KeywordRow {
                record: record.to_owned(),
                recnum: Some(7),
                cells: cells(values),
                ..KeywordRow::default()
            };
            KeywordTable { columns: names.iter().map(column).collect(), rows: vec![row] }
        };
        let told = |a: KeywordTable, b: KeywordTable| {
            a.with_other_series(b).csv(Scale::Tai).lines().collect::<Vec<_>>().join("|")
        };
        let (one, other) = (["A", "B"], ["C", "B"]);
        let first = || table(&one, "1", &["x,\"1", "2"]);
        assert_eq!(
            told(first(), table(&other, "2", &["3", "y,\"4"])),
            "time,scale,recnum,A,B,C|1970-01-01T00:00:00,TAI,7,\"x,\"\"1\",2,|\
             1970-01-01T00:00:00,TAI,7,,\"y,\"\"4\",3"
        );
        assert_eq!(told(first(), KeywordTable::default()), told(KeywordTable::default(), first()));
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
