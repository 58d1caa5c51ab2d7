//! The keywords of records, by the route that the newest service (v3) has for them.
//!
//! `GET {base}HMI/{series}/meta/{recnum},{recnum}?fields=area,cmask` answers an object by record number, each with its
//! keywords under `meta`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::filters::bits;
use super::response::ListedRecord;
use crate::failure::{Class, Failure};
use crate::manifest::Series;
use crate::manifest::suggest_word::nearest;
use crate::source::keywords::{KeywordColumn, KeywordRow, KeywordTable, cells, has_data};
use crate::source::read_capped;
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// Records a request: their numbers stand in the URL, which stays below 1,000 bytes.
pub(super) const AT_ONCE: usize = 50;

/// The question for the keywords of some records of a series.
pub(super) fn question(base: &Url, series: &Series, records: &[ListedRecord]) -> Url {
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

/// So many names of other keywords are kept, to find one that is near.
const NAMES: usize = 1_000;
/// Longer names are none that is near.
const LONGEST: usize = 100;

/// What the service told of each record.
#[derive(Debug)]
pub(super) struct RecordFacts<'a> {
    series: &'a Series,
    /// Of each record the keywords that are asked for; the service may well tell more.
    records: BTreeMap<i64, BTreeMap<String, Value>>,
    /// Names of keywords that records have.
    names: BTreeSet<String>,
    /// How many bytes the values have as text.
    bytes: u64,
}

/// A record's entry; what else stands in it is told by the listing.
#[derive(Debug, Deserialize)]
struct RecordEntry {
    meta: BTreeMap<String, Value>,
}

impl<'a> RecordFacts<'a> {
    pub(super) fn of(series: &'a Series) -> RecordFacts<'a> {
        RecordFacts { series, records: BTreeMap::new(), names: BTreeSet::new(), bytes: 0 }
    }

    /// Takes in an answer, which must tell of each record asked for.
    ///
    /// # Errors
    /// `html` for a web page, `listing-malformed` for what else is no answer, `listing-too-large` when a day has more than
    /// one answer may have.
    pub(super) fn read(&mut self, answer: &[u8], asked: &[ListedRecord]) -> Result<(), Failure> {
        read_capped::expect_json(answer, "{}")?;
        let mut told: BTreeMap<String, RecordEntry> =
            serde_json::from_slice(answer).map_err(|error| read_capped::no_json(answer, &error))?;
        for ListedRecord { recnum, .. } in asked {
            let Some(mut entry) = told.remove(&recnum.to_string()) else {
                return Err(malformed(&format!("the response lacks record {recnum}, which was asked for")));
            };
            for name in entry.meta.keys().take(NAMES.saturating_sub(self.names.len())) {
                if name.len() <= LONGEST && !self.names.contains(name) {
                    self.names.insert(name.clone());
                }
            }
            let wanted = self.series.keywords.as_ref();
            entry.meta.retain(|name, _| wanted.is_none_or(|wanted| wanted.contains(name)));
            self.bytes += entry.meta.values().map(length).sum::<u64>();
            if self.bytes > read_capped::CAP {
                let why = format!("the day's keywords have more than {} bytes; ask for fewer", read_capped::CAP);
                return Err(Failure::new(Class::ListingTooLarge, why));
            }
            self.records.insert(*recnum, entry.meta);
        }
        Ok(())
    }

    /// The table of `records`, whose keywords were all told.
    ///
    /// # Errors
    /// `source-refused` for a keyword that no record has.
    pub(super) fn table(&self, records: &[ListedRecord]) -> Result<KeywordTable, Failure> {
        let series = self.series;
        let there: BTreeSet<&str> = self.records.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
        let wanted: Vec<&str> = match &series.keywords {
            Some(keywords) => keywords.iter().map(String::as_str).collect(),
            None => there.iter().copied().collect(),
        };
        if let Some(unknown) = wanted.iter().find(|name| !records.is_empty() && !there.contains(*name)) {
            let hint = match nearest(unknown, self.names.iter().map(String::as_str)) {
                Some(near) => format!("; did you mean `{}`?", escape(near)),
                None => String::new(),
            };
            let why = format!("no record of `{}` has the keyword `{}`{hint}", escape(&series.name), escape(unknown));
            return Err(Failure::new(Class::SourceRefused, why));
        }
        let values = |name: &str| self.records.values().filter_map(|meta| meta.get(name)).collect::<Vec<_>>();
        let column = |name: &&str| KeywordColumn {
            name: (*name).to_owned(),
            kind: kind(&values(name)),
            missing: Some(String::new()),
            ..KeywordColumn::default()
        };
        let row = |record: &ListedRecord| {
            let meta = self.records.get(&record.recnum);
            let value = |name: &&str| meta.and_then(|meta| meta.get(*name)).and_then(text);
            KeywordRow {
                record: format!("{:020}", record.recnum),
                time: record.time,
                instant: None,
                source_series: None,
                recnum: Some(record.recnum),
                harpnum: record.harpnum,
                has_data: record.quality.map(|quality| has_data(&series.name, bits(quality))),
                cells: cells(wanted.iter().map(value)),
            }
        };
        Ok(KeywordTable { columns: wanted.iter().map(column).collect(), rows: records.iter().map(row).collect() })
    }
}

/// How long a value is as text, more or less: what stands around the parts of a list counts as one byte each.
fn length(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(|value| 1 + length(value)).sum(),
        Value::Object(values) => values.iter().map(|(name, value)| name.len() as u64 + 1 + length(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// A value as text; none where there is none.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
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

#[cfg(test)]
mod tests {
    use super::super::tests::series;
    use super::*;
    use crate::manifest::{Fetch, Filters};

    fn record(recnum: i64) -> ListedRecord {
        ListedRecord { recnum, time: chrono::NaiveDateTime::default(), harpnum: None, quality: None }
    }

    fn answer(recnum: i64, meta: &str) -> Vec<u8> {
        format!(r#"{{"{recnum}":{{"date__obs":"x","meta":{meta},"urls":[]}}}}"#).into_bytes()
    }

    fn asking(keyword: &str) -> Series {
        let keywords = Some(vec![keyword.to_owned()]);
        Series { fetch: Fetch::Keywords, keywords, ..series("hmi.sharp_720s", Filters::default()) }
    }

    #[test]
    fn what_nobody_asked_for_is_not_kept_but_known_by_its_name() {
        let series = asking("area");
        let mut told = RecordFacts::of(&series);
        told.read(&answer(1, r#"{"area":1.5,"cmask":{"deep":[1,2]},"t_obs":"x"}"#), &[record(1)]).unwrap();
        assert_eq!(told.records[&1].keys().collect::<Vec<_>>(), ["area"]);
        let series = asking("cmsk");
        let mut told = RecordFacts::of(&series);
        told.read(&answer(1, r#"{"cmask":1}"#), &[record(1)]).unwrap();
        let failure = told.table(&[record(1)]).unwrap_err();
        assert!(failure.message.ends_with("did you mean `cmask`?"), "{failure}");
    }

    #[test]
    fn l_08_the_keywords_of_a_day_are_bounded_whatever_each_answer_holds() {
        let series = asking("area");
        let mut told = RecordFacts::of(&series);
        let half = format!(r#"{{"area":"{}"}}"#, "x".repeat(40_000_000));
        told.read(&answer(1, &half), &[record(1)]).unwrap();
        assert_eq!(told.read(&answer(2, &half), &[record(2)]).unwrap_err().class, Class::ListingTooLarge);
    }
}
