//! A day's rows, in the making of its listing: the files that they name, or one table of them.
//!
//! The table has the bytes of the server's own rows under one line of names, so that the same rows give the same table
//! in however many pieces they came.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use percent_encoding::percent_decode_str;
use url::Url;

use super::info::{Info, Parameter};
use super::rows::{DataRow, ResponseEnd, cell, read_rows};
use crate::day::{Day, Window};
use crate::failure::Failure;
use crate::manifest::Series;
use crate::source::url_scope::{ScopedUrl, UrlScope, question};
use crate::source::{Asked, BORDER, Body, Listed, RemoteFile};

/// A day in the making.
#[derive(Debug)]
pub(super) struct DayTable<'a> {
    chosen: &'a [Parameter],
    day: &'a Day,
    places: UrlScope<'a>,
    /// The names of all columns, each with its parameter.
    columns: Vec<(String, &'a Parameter)>,
    has_files: bool,
    /// The rows of a table, each with its line break.
    rows: String,
    last: Option<(NaiveDateTime, String)>,
    /// Its rows are not in the order of their times; they are kept as they were sent.
    is_unordered: bool,
    /// A column of a table that holds addresses of files.
    addresses: Option<String>,
    /// What was read so far.
    bytes: u64,
    listed: Listed,
}

impl<'a> DayTable<'a> {
    /// Nothing yet, of the parameters that are asked for.
    pub(super) fn of(chosen: &'a [Parameter], day: &'a Day, places: UrlScope<'a>) -> DayTable<'a> {
        DayTable {
            chosen,
            day,
            places,
            columns: chosen.iter().flat_map(|one| one.columns().into_iter().map(move |name| (name, one))).collect(),
            addresses: None,
            has_files: chosen.iter().any(|parameter| parameter.uri.is_some()),
            rows: String::new(),
            last: None,
            is_unordered: false,
            bytes: 0,
            listed: Listed::default(),
        }
    }

    /// How many bytes of answers it has taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the answer for a piece of the day; pieces come in order.
    ///
    /// # Errors
    /// As [`read_rows`]; `source-refused` for a file on a foreign host.
    pub(super) fn take(&mut self, answer: &[u8], piece: Window, end: ResponseEnd) -> Result<(), Failure> {
        self.bytes += answer.len() as u64;
        let (columns, has_files) = (self.columns.len(), self.has_files);
        let take = |row: DataRow<'_>| {
            if has_files {
                return self.take_files(&row);
            }
            self.take_row(&row);
            Ok(())
        };
        let elsewhere = read_rows(answer, columns, piece, end, take)?;
        // Rows of another piece come with that piece.
        for time in elsewhere.into_iter().filter(|time| !self.day.window.contains(*time)) {
            self.listed.note_outside(time, self.day, BORDER);
        }
        Ok(())
    }

    fn take_row(&mut self, row: &DataRow<'_>) {
        if let Some((time, text)) = &self.last {
            self.is_unordered |= *time > row.time;
            if *text == row.text {
                self.listed.duplicates += 1;
                return;
            }
        }
        self.note_addresses(row);
        self.rows.push_str(row.text);
        self.rows.push('\n');
        self.last = Some((row.time, row.text.to_owned()));
    }

    /// Notes a column that holds addresses by its values, or says so of itself.
    fn note_addresses(&mut self, row: &DataRow<'_>) {
        if self.addresses.is_some() {
            return;
        }
        let is_address = |parameter: &Parameter, cell: &str| {
            parameter.is_text && (parameter.is_like_uri || (cell.contains("://") && Url::parse(cell.trim()).is_ok()))
        };
        let mut columns = self.columns.iter().zip(&row.cells);
        let found = columns.find(|((_, parameter), cell)| is_address(parameter, cell));
        self.addresses = found.map(|((name, _), _)| name.clone());
    }

    /// True when its rows are not in the order of their times.
    pub(super) fn is_unordered(&self) -> bool {
        self.is_unordered
    }

    /// The name of a column of its table that holds addresses of files, which stay there.
    pub(super) fn addresses(&self) -> Option<&str> {
        self.addresses.as_deref()
    }

    fn take_files(&mut self, row: &DataRow<'_>) -> Result<(), Failure> {
        for ((column, parameter), address) in self.columns.iter().zip(&row.cells) {
            let Some(uri) = &parameter.uri else { continue };
            let address = address.trim();
            if address.is_empty() || parameter.fill.as_deref() == Some(address) {
                // The server has a row for the time, but no file: the file is absent.
                let column = if parameter.is_scalar() { &parameter.name } else { column };
                let what = format!("{column}.{}", row.time.format("%Y%m%dT%H%M%S%.f"));
                let (url, path) = (self.places.base.clone(), "/".to_owned());
                let file = RemoteFile::new(what.clone(), url, path, row.time);
                self.listed.files.push(RemoteFile { name: Some(what), body: Body::None, ..file });
                continue;
            }
            let ScopedUrl { url, path, key } = self.places.resolve(&absolute(address, uri.base.as_deref()))?;
            self.listed.files.push(RemoteFile::new(key, url, path, row.time));
        }
        Ok(())
    }

    /// The listing. `asked` is the question for the whole day.
    ///
    /// # Errors
    /// `source-refused` for files that cannot be told apart.
    pub(super) fn into_listed(mut self, series: &Series, info: &Info, asked: &Url) -> Result<Listed, Failure> {
        if self.has_files {
            let mut listed = self.listed.folded()?;
            name_apart(&mut listed.files);
            return Ok(listed);
        }
        if self.rows.is_empty() {
            return Ok(self.listed);
        }
        let names: Vec<_> = self.columns.iter().map(|(name, _)| cell(name)).collect();
        let table = format!("{}\n{}", names.join(","), self.rows);
        let stem = format!("{}.{}", series.name.replace('/', "_"), self.day.date.format("%Y%m%d"));
        let path = question(self.places.base, asked);
        let asked = Asked { url: asked, path: &path };
        let file = |what: &str, end: &str, bytes: Vec<u8>| {
            let (key, name) = (format!("{what}.{end}"), format!("{stem}.{end}"));
            RemoteFile::of_answers(&key, name, bytes, self.day, asked)
        };
        let sidecar = info.sidecar(&series.name, self.chosen);
        self.listed.files = vec![file("data", "csv", table.into_bytes()), file("info", "json", sidecar)];
        Ok(self.listed)
    }
}

/// An address in full: HAPI does not encode them, and a dataset may give them relative to a base.
fn absolute(address: &str, base: Option<&str>) -> String {
    let full = match base {
        Some(base) if !address.contains("://") => match address.strip_prefix('/') {
            None => format!("{}/{address}", base.trim_end_matches('/')),
            Some(below) => {
                let host = base.find("://").map_or(0, |at| at + 3);
                let root = base[host..].find('/').map_or(base, |at| &base[..host + at]);
                format!("{root}/{below}")
            }
        },
        _ => address.to_owned(),
    };
    full.replace(' ', "%20")
}

/// Names the files by the last parts of their paths; those that have one in common by their whole paths, and those of one
/// path by their queries as well.
fn name_apart(files: &mut [RemoteFile]) {
    let is_alone = |names: &[String]| {
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        names.iter().map(|name| counts.get(name.as_str()) == Some(&1)).collect::<Vec<bool>>()
    };
    let lasts: Vec<String> = files.iter().map(RemoteFile::last_part).collect();
    // By keys, not by URLs: the folders above the base differ between replicas.
    let paths: Vec<String> = files.iter().map(|file| dotted(file.key.split('?').next().unwrap_or_default())).collect();
    let (is_last_alone, is_path_alone) = (is_alone(&lasts), is_alone(&paths));
    for (at, (last, path)) in lasts.into_iter().zip(paths).enumerate() {
        if files[at].body == Body::None {
            continue;
        }
        let query = files[at].key.split_once('?').map(|(_, query)| query);
        files[at].name = Some(match query {
            _ if is_last_alone[at] => last,
            Some(query) if !is_path_alone[at] => with_query(&path, query),
            _ => path,
        });
    }
}

/// A path as one name, without the steps up before it.
fn dotted(path: &str) -> String {
    path.trim_start_matches("../").trim_matches('/').replace('/', ".")
}

/// A name with a query in it, so that it keeps the ending of a file's name: the query's, else its own.
fn with_query(name: &str, query: &str) -> String {
    let query = dotted(&percent_decode_str(query).decode_utf8_lossy());
    match (ending(&query), ending(name)) {
        (None, Some(own)) => format!("{}{query}.{own}", &name[..name.len() - own.len()]),
        _ => format!("{name}.{query}"),
    }
}

/// What comes after the last dot, where that is a short word as an ending is.
fn ending(name: &str) -> Option<&str> {
    let (_, ending) = name.rsplit_once('.')?;
    let is_word =
        ending.starts_with(|c: char| c.is_ascii_alphabetic()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_word && ending.len() <= 5).then_some(ending)
}
