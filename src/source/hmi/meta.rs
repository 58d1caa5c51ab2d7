//! The keywords of records, by the route that the newest service (v3) has for them.
//!
//! `GET {base}HMI/{series}/meta/{recnum},{recnum}?fields=area,cmask` answers an object by record number, each with its
//! keywords under `meta`. What it does not do: choose the records.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::answer::Record;
use crate::failure::{Class, Failure};
use crate::manifest::Series;
use crate::manifest::nearest::nearest;
use crate::source::keywords::{Column, Row, Table};
use crate::source::read::{self, malformed};
use crate::untrusted::escape;

/// Records a request: their numbers stand in the URL, which stays below 1,000 bytes.
pub(super) const AT_ONCE: usize = 50;

/// The question for the keywords of some records of a series.
pub(super) fn question(base: &Url, series: &Series, records: &[Record]) -> Url {
    let numbers: Vec<String> = records.iter().map(|record| record.recnum.to_string()).collect();
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["HMI", &series.name, "meta"]);
        if !numbers.is_empty() {
            path.push(&numbers.join(","));
        }
    }
    let fields = series.keywords.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(",");
    url.set_query(Some(&format!("fields={fields}")));
    url
}

/// What the service told of each record.
#[derive(Debug, Default)]
pub(super) struct Told {
    records: BTreeMap<i64, BTreeMap<String, Value>>,
}

/// A record's entry; what else stands in it is told by the listing.
#[derive(Debug, Deserialize)]
struct Entry {
    meta: BTreeMap<String, Value>,
}

impl Told {
    /// Takes in an answer, which must tell of each record asked for.
    ///
    /// # Errors
    /// `html` for a web page, `listing-malformed` for what else is no answer.
    pub(super) fn read(&mut self, answer: &[u8], asked: &[Record]) -> Result<(), Failure> {
        read::expect_json(answer, "{}")?;
        let mut told: BTreeMap<String, Entry> =
            serde_json::from_slice(answer).map_err(|error| read::no_json(answer, &error))?;
        for Record { recnum, .. } in asked {
            let Some(entry) = told.remove(&recnum.to_string()) else {
                return Err(malformed(&format!("the answer leaves out record {recnum}, which was asked for")));
            };
            self.records.insert(*recnum, entry.meta);
        }
        Ok(())
    }

    /// The table of `records`, whose keywords were all told.
    ///
    /// # Errors
    /// `source-refused` for a keyword that no record has.
    pub(super) fn table(&self, series: &Series, records: &[Record]) -> Result<Table, Failure> {
        let there: BTreeSet<&str> = self.records.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
        let wanted: Vec<&str> = match &series.keywords {
            Some(keywords) => keywords.iter().map(String::as_str).collect(),
            None => there.iter().copied().collect(),
        };
        if let Some(unknown) = wanted.iter().find(|name| !records.is_empty() && !there.contains(*name)) {
            let hint = match nearest(unknown, there.iter().copied()) {
                Some(near) => format!("; did you mean `{}`?", escape(near)),
                None => String::new(),
            };
            let why = format!("no record of `{}` has the keyword `{}`{hint}", escape(&series.name), escape(unknown));
            return Err(Failure::new(Class::SourceRefused, why));
        }
        let values = |name: &str| self.records.values().filter_map(|meta| meta.get(name)).collect::<Vec<_>>();
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            kind: kind(&values(name)),
            missing: Some(String::new()),
            ..Column::default()
        };
        let row = |record: &Record| {
            let meta = self.records.get(&record.recnum);
            let value = |name: &&str| meta.and_then(|meta| meta.get(*name)).and_then(text);
            Row {
                record: format!("{:020}", record.recnum),
                time: record.time,
                recnum: Some(record.recnum),
                harpnum: record.harpnum,
                values: wanted.iter().map(value).collect(),
            }
        };
        Ok(Table { columns: wanted.iter().map(column).collect(), rows: records.iter().map(row).collect() })
    }
}

/// A value as text; none where there is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The service names no types: what all values of a keyword have in common, in the words of JSOC.
fn kind(values: &[&Value]) -> Option<String> {
    let given: Vec<&&Value> = values.iter().filter(|value| !value.is_null()).collect();
    let kind = match given.as_slice() {
        [] => return None,
        all if all.iter().all(|value| value.is_i64()) => "longlong",
        all if all.iter().all(|value| value.is_number()) => "double",
        _ => "string",
    };
    Some(kind.to_owned())
}
