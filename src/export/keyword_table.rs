//! One table of the keywords of all records: the days' own tables one after another, and what its columns mean as metadata
//! of CSV on the Web (<https://www.w3.org/TR/tabular-metadata/>).
//!
//! The days are read twice, for the columns and for the rows, so that memory follows the row and not the archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Dataset, Error, Present, present};
use crate::archive::{DayRecord, FileLine, open_regular};
use crate::digest::{Digest, Hasher};
use crate::source::{MADE, common_kind};

/// The column of the series that a row is of.
const SERIES: &str = "series";

/// Sidecars are far shorter.
const LONGEST_SIDECAR: u64 = 16 * 1024 * 1024;

/// The columns of the table.
#[derive(Debug)]
pub struct TableColumns<'a> {
    all: Vec<TableColumn>,
    /// What stands for a number that is missing.
    missing: &'a str,
}

/// What the sidecar of a day's table says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct TableSidecar {
    columns: Vec<TableColumn>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct TableColumn {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    unit: Option<String>,
    note: Option<String>,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows: one a record.
    pub rows: u64,
    /// Days that have a table.
    pub days: u64,
}

impl<'a> TableColumns<'a> {
    /// The columns of all days' tables, each where it came first. `missing` is what a number that is missing is written as;
    /// a missing text is an empty cell.
    ///
    /// # Errors
    /// A damaged record, a sidecar that is not as its record says, [`Error::NoKeywords`] where no day has a table.
    pub fn from_dataset(dataset: &Dataset<'_>, missing: &'a str) -> Result<TableColumns<'a>, Error> {
        let mut columns = TableColumns { all: Vec::new(), missing };
        for read in dataset.read() {
            let record = read?.record;
            let Some(mut file) = RecordedFile::made(dataset, &record, "keywords.json")? else { continue };
            let line = file.line;
            let mut text = Vec::new();
            (&mut file).take(LONGEST_SIDECAR).read_to_end(&mut text).map_err(|e| unread(line, e))?;
            file.end()?;
            let differs =
                |why| Error::Differs { path: line.path.clone(), why: format!("is no sidecar of keywords: {why}") };
            let sidecar: TableSidecar = serde_json::from_slice(&text).map_err(differs)?;
            sidecar.columns.into_iter().for_each(|column| columns.add(column));
        }
        if columns.all.is_empty() { Err(Error::NoKeywords) } else { Ok(columns) }
    }

    /// Adds a column that is not there yet. What days or series say of one in different words is not said.
    fn add(&mut self, column: TableColumn) {
        let Some(known) = self.all.iter_mut().find(|known| known.name == column.name) else {
            self.all.push(column);
            return;
        };
        let same = |known: &mut Option<String>, other: Option<String>| {
            if *known != other {
                *known = None;
            }
        };
        known.kind = common_kind(known.kind.as_deref(), column.kind.as_deref());
        same(&mut known.unit, column.unit);
        same(&mut known.note, column.note);
    }

    /// Writes the table: `series`, then the columns. Where a day does not have one, its cells are empty.
    ///
    /// # Errors
    /// A damaged record, a table that is not as its record says, an output that cannot be written.
    pub fn write(&self, dataset: &Dataset<'_>, out: &mut dyn Write) -> Result<Written, Error> {
        let head = super::csv::head(self.titles());
        out.write_all(head.as_bytes()).map_err(|e| Error::storage("write", "the export", e))?;
        let mut out = csv::Writer::from_writer(out);
        let mut written = Written::default();
        for read in dataset.read() {
            let read = read?;
            if let Some(table) = RecordedFile::made(dataset, &read.record, "keywords.csv")? {
                written.rows += self.copy(table, &read.series.id.0, &mut out)?;
                written.days += 1;
            }
        }
        out.flush().map_err(|e| Error::storage("write", "the export", e))?;
        Ok(written)
    }

    /// Copies the rows of a day's table; gives how many.
    fn copy(
        &self,
        mut table: RecordedFile<'_>,
        series: &str,
        out: &mut csv::Writer<&mut dyn Write>,
    ) -> Result<u64, Error> {
        let line = table.line;
        let failed = |e: csv::Error| unread(line, io::Error::other(e));
        let mut reader = csv::Reader::from_reader(&mut table);
        let head = reader.headers().map_err(failed)?;
        let places: HashMap<&str, usize> = head.iter().zip(0..).collect();
        let place = |column: &TableColumn| places.get(column.name.as_str()).copied();
        let places: Vec<(Option<usize>, &str)> =
            self.all.iter().map(|column| (place(column), self.missing(column))).collect();
        let (mut row, mut rows) = (csv::StringRecord::new(), 0);
        while reader.read_record(&mut row).map_err(failed)? {
            let filled = |place: usize| row.get(place).filter(|cell| !cell.is_empty());
            let cells = places.iter().map(|(place, missing)| place.and_then(filled).unwrap_or(missing));
            out.write_record(std::iter::once(series).chain(cells)).map_err(unwritten)?;
            rows += 1;
        }
        drop(reader);
        table.end()?;
        Ok(rows)
    }

    /// What stands in a column for a missing value.
    fn missing(&self, column: &TableColumn) -> &'a str {
        let is_number = matches!(datatype(&column.name, column.kind.as_deref()), Some("integer" | "double"));
        if is_number { self.missing } else { "" }
    }

    /// The names of all columns. One that is called as ours gets a `_`.
    fn titles(&self) -> impl Iterator<Item = String> {
        let title = |column: &TableColumn| {
            let is_taken = column.name.eq_ignore_ascii_case(SERIES);
            if is_taken { format!("{}_", column.name) } else { column.name.clone() }
        };
        std::iter::once(SERIES.to_owned()).chain(self.all.iter().map(title))
    }

    /// Writes the metadata of the table that has this file name: for each column its type, what stands for a missing value, its
    /// unit and what the source says of it.
    ///
    /// # Errors
    /// An output that cannot be written.
    pub fn write_metadata(&self, table: &str, out: &mut dyn Write) -> Result<(), Error> {
        writeln!(out, "{:#}", self.metadata(table)).map_err(|e| Error::storage("write", "the export", e))
    }

    fn metadata(&self, table: &str) -> Value {
        let series = TableColumn { kind: Some("string".to_owned()), ..TableColumn::default() };
        let meanings = std::iter::once(&series).chain(&self.all);
        let column = |(title, column): (String, &TableColumn)| {
            let mut told = json!({ "titles": title, "null": self.missing(column) });
            let kind = datatype(&column.name, column.kind.as_deref());
            for (key, value) in [
                ("datatype", kind),
                ("schema:unitText", column.unit.as_deref()),
                ("dc:description", column.note.as_deref()),
            ] {
                if let Some(value) = value {
                    told[key] = value.into();
                }
            }
            told
        };
        let columns: Vec<Value> = self.titles().zip(meanings).map(column).collect();
        json!({ "@context": "http://www.w3.org/ns/csvw", "url": table, "tableSchema": { "columns": columns } })
    }
}

/// A type of a source as one of XML Schema; none where the cells may be anything.
fn datatype(name: &str, kind: Option<&str>) -> Option<&'static str> {
    Some(match kind? {
        "time" if name == "time" => "dateTime",
        "char" | "short" | "int" | "longlong" => "integer",
        "float" | "double" => "double",
        "boolean" => "boolean",
        "string" | "time" => "string",
        _ => return None,
    })
}

/// A file that is held to its record while it is read.
struct RecordedFile<'a> {
    line: &'a FileLine,
    sha256: Digest,
    file: File,
    hasher: Hasher,
}

impl<'a> RecordedFile<'a> {
    /// The file that was made of the keywords of a day, under this name; none of a day without any.
    fn made(dataset: &Dataset<'_>, record: &'a DayRecord, name: &str) -> Result<Option<RecordedFile<'a>>, Error> {
        let made = present(record).find(|(line, _)| line.key.strip_prefix(MADE) == Some(name));
        let Some((line, Present { sha256, .. })) = made else { return Ok(None) };
        let file = open_regular(&dataset.root().join(&line.path));
        let file = file.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::Differs { path: line.path.clone(), why: "is not there".to_owned() },
            _ => Error::storage("read", dataset.root().join(&line.path), e),
        })?;
        Ok(Some(RecordedFile { line, sha256, file, hasher: Hasher::default() }))
    }

    /// Reads what is left, and compares all of it with the record.
    fn end(mut self) -> Result<(), Error> {
        io::copy(&mut self, &mut io::sink()).map_err(|e| unread(self.line, e))?;
        let RecordedFile { line, sha256, hasher, .. } = self;
        let found: Digest = hasher.finish();
        if found == sha256 {
            return Ok(());
        }
        let why = format!("has the SHA-256 {found}, and its record says {sha256}");
        Err(Error::Differs { path: line.path.clone(), why })
    }
}

impl Read for RecordedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

fn unread(line: &FileLine, error: io::Error) -> Error {
    Error::storage("read", &line.path, error)
}

fn unwritten(error: csv::Error) -> Error {
    Error::storage("write", "the export", io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str, unit: &str) -> TableColumn {
        let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        TableColumn { name: name.to_owned(), kind: told(kind), unit: told(unit), note: None }
    }

    #[test]
    fn a_column_stands_where_it_came_first_and_says_what_all_days_say_of_it() {
        let mut columns = TableColumns { all: Vec::new(), missing: "NaN" };
        for told in [
            column("time", "time", ""),
            column("USFLUX", "double", "Mx"),
            column("Series", "string", ""),
            column("USFLUX", "double", "maxwell"),
            column("QUALITY", "int", "none"),
            column("QUALITY", "string", "none"),
            column("T_OBS", "time", ""),
            column("LON_FWT", "float", "degree"),
            column("LON_FWT", "double", "degree"),
            column("LON_FWT", "int", "degree"),
        ] {
            columns.add(told);
        }
        let titles: Vec<String> = columns.titles().collect();
        assert_eq!(titles, ["series", "time", "USFLUX", "Series_", "QUALITY", "T_OBS", "LON_FWT"]);
        let metadata = columns.metadata("keywords.csv");
        assert_eq!(
            (&metadata["@context"], &metadata["url"]),
            (&json!("http://www.w3.org/ns/csvw"), &json!("keywords.csv"))
        );
        let told = |nth: usize| metadata["tableSchema"]["columns"][nth].clone();
        assert_eq!(told(0), json!({ "titles": "series", "null": "", "datatype": "string" }));
        assert_eq!(told(1), json!({ "titles": "time", "null": "", "datatype": "dateTime" }));
        assert_eq!(told(2), json!({ "titles": "USFLUX", "null": "NaN", "datatype": "double" }), "two units are none");
        assert_eq!(
            told(4),
            json!({ "titles": "QUALITY", "null": "", "schema:unitText": "none" }),
            "two types are none"
        );
        assert_eq!(told(5)["datatype"], "string", "of JSOC's own form");
        let widest = json!({ "titles": "LON_FWT", "null": "NaN", "datatype": "double", "schema:unitText": "degree" });
        assert_eq!(told(6), widest);
    }
}
