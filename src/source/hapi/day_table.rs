//! A day's rows, in the making of its listing: the files that they name, or one table of them.
//!
//! The table has the bytes of the server's own rows under one line of names, so that the same rows give the same table in
//! however many pieces they came. What it does not do: ask for rows.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use url::Url;

use super::info::{Info, Parameter};
use super::rows::{End, Row, cell, read_rows};
use crate::day::{Day, Window};
use crate::failure::Failure;
use crate::manifest::Series;
use crate::source::place::{Place, Places, question};
use crate::source::{Listed, RemoteFile, read};

/// A day in the making.
#[derive(Debug)]
pub(super) struct DayTable<'a> {
    chosen: &'a [Parameter],
    day: &'a Day,
    places: Places<'a>,
    /// The names of all columns.
    columns: Vec<String>,
    has_files: bool,
    /// The rows of a table, each with its line break.
    rows: String,
    last: Option<(NaiveDateTime, String)>,
    /// What was read so far.
    bytes: u64,
    listed: Listed,
}

impl<'a> DayTable<'a> {
    /// Nothing yet, of the parameters that are asked for.
    pub(super) fn of(chosen: &'a [Parameter], day: &'a Day, places: Places<'a>) -> DayTable<'a> {
        DayTable {
            chosen,
            day,
            places,
            columns: chosen.iter().flat_map(Parameter::columns).collect(),
            has_files: chosen.iter().any(|parameter| parameter.uri.is_some()),
            rows: String::new(),
            last: None,
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
    /// As [`read_rows`]; `listing-malformed` for rows out of order, `source-refused` for a file on a foreign host.
    pub(super) fn take(&mut self, answer: &[u8], piece: Window, end: End) -> Result<(), Failure> {
        self.bytes += answer.len() as u64;
        let (columns, has_files) = (self.columns.len(), self.has_files);
        let take = |row: Row<'_>| if has_files { self.take_files(&row) } else { self.take_row(&row) };
        let elsewhere = read_rows(answer, columns, piece, end, take)?;
        // What another piece has comes with it.
        let far = elsewhere.into_iter().filter(|time| !self.day.window.contains(*time));
        self.listed.outside_day += far.count() as u64;
        Ok(())
    }

    fn take_row(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        if let Some((time, text)) = &self.last {
            if *time > row.time {
                let near = read::excerpt(row.text.as_bytes(), 0);
                return Err(read::malformed(&format!("rows are not in the order of their times (near `{near}`)")));
            }
            if *text == row.text {
                self.listed.duplicates += 1;
                return Ok(());
            }
        }
        self.rows.push_str(row.text);
        self.rows.push('\n');
        self.last = Some((row.time, row.text.to_owned()));
        Ok(())
    }

    fn take_files(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        for (parameter, address) in self.chosen.iter().zip(&row.cells) {
            let Some(uri) = &parameter.uri else { continue };
            let address = address.trim();
            if address.is_empty() || parameter.fill.as_deref() == Some(address) {
                self.listed.without_file += 1;
                continue;
            }
            let Place { url, path, on_host } = self.places.resolve(&absolute(address, uri.base.as_deref()))?;
            self.listed.files.push(RemoteFile::new(on_host, url, path, row.time));
        }
        Ok(())
    }

    /// The listing. `asked` is the question for the whole day.
    pub(super) fn into_listed(mut self, series: &Series, info: &Info, asked: &Url) -> Listed {
        if self.has_files {
            let mut listed = self.listed.folded();
            name_apart(&mut listed.files);
            return listed;
        }
        if self.rows.is_empty() {
            return self.listed;
        }
        let names: Vec<_> = self.columns.iter().map(|name| cell(name)).collect();
        let table = format!("{}\n{}", names.join(","), self.rows);
        let stem = format!("{}.{}", series.name.replace('/', "_"), self.day.date.format("%Y%m%d"));
        let path = question(self.places.base, asked);
        let file = |what: &str, end: &str, bytes: Vec<u8>| {
            let (key, name) = (format!("{what}.{end}"), format!("{stem}.{end}"));
            RemoteFile::of_answers(&key, name, bytes, self.day, (asked, &path))
        };
        let sidecar = info.sidecar(&series.name, self.chosen);
        self.listed.files = vec![file("data", "csv", table.into_bytes()), file("info", "json", sidecar)];
        self.listed
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

/// Names the files by the last parts of their paths; those that have one in common by their whole paths.
fn name_apart(files: &mut [RemoteFile]) {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for file in files.iter() {
        *counts.entry(file.last_part()).or_default() += 1;
    }
    for file in files {
        let name = file.last_part();
        let is_alone = counts.get(&name) == Some(&1);
        file.name = Some(if is_alone { name } else { file.url.path().trim_matches('/').replace('/', ".") });
    }
}
