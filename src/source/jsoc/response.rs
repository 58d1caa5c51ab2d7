//! What `jsoc_info` answers to `rs_list`: columns, each with a value for every record, as texts or numbers.
//!
//! Source: `AjaxJsocConnect` of JSOC's wiki, and `jsoc_info` of its public code.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use crate::failure::{Class, Failure};
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// An answer to `rs_list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordList {
    /// 0, or why there is no answer.
    pub(super) status: Option<Loose>,
    error: Option<Loose>,
    count: Option<Loose>,
    keywords: Vec<RecordColumn>,
    segments: Vec<RecordColumn>,
    recinfo: Vec<SingleRecord>,
}

/// A record as it is asked for alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SingleRecord {
    name: Loose,
}

/// One keyword or segment of every record. Its texts lie side by side: a day may have a quarter of a million of them.
#[derive(Debug, Deserialize)]
pub(super) struct RecordColumn {
    /// Its name.
    pub(super) name: Loose,
    #[serde(default)]
    values: Values,
}

#[derive(Debug, Default)]
struct Values {
    text: String,
    ends: Vec<u32>,
}

/// A text, or a number or the like as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Loose(pub(super) String);

impl Loose {
    /// As a whole number.
    pub(super) fn whole(&self) -> Option<i64> {
        self.0.trim().parse().ok()
    }
}

impl RecordList {
    /// How many records it holds.
    ///
    /// # Errors
    /// `source-refused` or `server-error` with JSOC's own words where it is no answer; `listing-malformed` where its columns
    /// differ in length.
    pub(super) fn records(&self) -> Result<usize, Failure> {
        accepted(self.status.as_ref(), self.error.as_ref())?;
        let told = self.count.as_ref().map(|count| {
            let whole = count.whole().and_then(|count| usize::try_from(count).ok());
            whole.ok_or_else(|| malformed(&format!("`count` is `{}`, which is no number", escape(&count.0))))
        });
        let columns = || self.keywords.iter().chain(&self.segments);
        let count = match told.transpose()? {
            Some(count) => count,
            None => match columns().next() {
                Some(column) => column.len(),
                // The response does not say that there are no records.
                None => return Err(malformed("neither a `count` nor a keyword")),
            },
        };
        if let Some(odd) = columns().find(|column| column.len() != count) {
            let why = format!("`{}` has {} values for {count} records", escape(&odd.name.0), odd.len());
            return Err(malformed(&why));
        }
        if !self.recinfo.is_empty() && self.recinfo.len() != count {
            let why = format!("`recinfo` names {} records, where {count} are stated", self.recinfo.len());
            return Err(malformed(&why));
        }
        // Without records there are no columns.
        if count > 0 && self.keywords.is_empty() {
            return Err(malformed("records without a keyword"));
        }
        Ok(count)
    }

    /// The values of a keyword.
    ///
    /// # Errors
    /// `listing-malformed` when the answer does not have it.
    pub(super) fn keyword(&self, name: &str) -> Result<&RecordColumn, Failure> {
        self.known(name).ok_or_else(|| malformed(&format!("the answer lacks the keyword `{}`", escape(name))))
    }

    /// The values of a keyword that may not be there.
    pub(super) fn known(&self, name: &str) -> Option<&RecordColumn> {
        self.keywords.iter().find(|column| column.name.0.eq_ignore_ascii_case(name))
    }

    /// The paths of a segment.
    ///
    /// # Errors
    /// `listing-malformed` when the answer does not have it.
    pub(super) fn segment(&self, name: &str) -> Result<&RecordColumn, Failure> {
        let column = self.segments.iter().find(|column| column.name.0.eq_ignore_ascii_case(name));
        column.ok_or_else(|| malformed(&format!("the answer lacks the segment `{}`", escape(name))))
    }

    /// Every keyword.
    pub(super) fn keywords(&self) -> &[RecordColumn] {
        &self.keywords
    }

    /// How a record is asked for alone, such as `hmi.sharp_cea_720s[377][2011.02.15_00:00:00_TAI]`.
    pub(super) fn query(&self, record: usize) -> Option<&str> {
        self.recinfo.get(record).map(|record| record.name.0.as_str()).filter(|name| !name.is_empty())
    }
}

/// Checks the status of any answer of JSOC's.
///
/// # Errors
/// `source-refused` with JSOC's own words; `server-error` where they say that it was too busy.
pub(super) fn accepted(status: Option<&Loose>, error: Option<&Loose>) -> Result<(), Failure> {
    let Some(status) = status else { return Err(malformed("an answer without a status")) };
    match status.whole() {
        Some(0) => Ok(()),
        None => Err(malformed(&format!("the status `{}`, which is no number", escape(&status.0)))),
        Some(code) => {
            let words = error.map(|error| error.0.trim()).filter(|words| !words.is_empty());
            let words = words.map_or_else(|| format!("status {code}, and no word of why"), said);
            // A query that was cut off there may be answered tomorrow.
            let busy = ["timeout", "canceling statement", "could not connect", "too many connections"];
            let is_busy = code < 0 || busy.iter().any(|sign| words.contains(sign));
            let class = if is_busy { Class::ServerError } else { Class::SourceRefused };
            Err(Failure::new(class, format!("JSOC says: {words}")))
        }
    }
}

/// JSOC's words, on one line and safe to show.
pub(super) fn said(words: &str) -> String {
    escape(&words.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

impl RecordColumn {
    pub(super) fn len(&self) -> usize {
        self.values.ends.len()
    }

    /// The value of a record; empty beyond the last.
    pub(super) fn value(&self, record: usize) -> &str {
        let end = |nth: usize| self.values.ends.get(nth).map_or(0, |end| *end as usize);
        let start = record.checked_sub(1).map_or(0, end);
        self.values.text.get(start..end(record)).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Values, A::Error> {
                let mut all = Values::default();
                while values.next_element_seed(Onto(&mut all.text))?.is_some() {
                    let end = u32::try_from(all.text.len()).map_err(|_| A::Error::custom("too long a column"))?;
                    all.ends.push(end);
                }
                Ok(all)
            }
        }

        deserializer.deserialize_seq(All)
    }
}

/// Writes a value to the end of a text.
struct Onto<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Onto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Onto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.push_str(value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.visit_str(&value.to_string())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Loose, D::Error> {
        let mut text = String::new();
        Onto(&mut text).deserialize(deserializer)?;
        Ok(Loose(text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::parse;
    use super::*;

    fn read(answer: &str) -> RecordList {
        parse(answer.as_bytes()).unwrap()
    }

    #[test]
    fn columns_hold_texts_and_numbers_alike() {
        let answer = read(
            r#"{"keywords":[{"name":"HARPNUM","values":["6314",6315,""]},{"name":"*recnum*","values":[1,"2",3.0]}],
                "segments":[{"name":"Br","values":["/SUM1/a","NoDataFile",null],"dims":[]}],"links":[],"count":"3","status":0}"#,
        );
        assert_eq!(answer.records().unwrap(), 3);
        let harpnum = answer.keyword("harpnum").unwrap();
        assert_eq!([0, 1, 2, 3].map(|nth| harpnum.value(nth)), ["6314", "6315", "", ""]);
        assert_eq!(answer.known("*recnum*").unwrap().value(2), "3");
        assert_eq!(answer.segment("Br").unwrap().value(1), "NoDataFile");
        assert!(answer.keyword("T_REC").unwrap_err().message.contains("lacks the keyword `T_REC`"));
    }

    #[test]
    fn an_empty_record_set_has_no_columns() {
        assert_eq!(read(r#"{"count":0,"runtime":0.01,"status":0}"#).records().unwrap(), 0);
    }

    #[test]
    fn columns_of_different_length_are_malformed() {
        for answer in [
            r#"{"keywords":[{"name":"A","values":["1","2"]},{"name":"B","values":["1"]}],"status":0}"#,
            r#"{"keywords":[{"name":"A","values":["1","2"]}],"count":3,"status":0}"#,
            r#"{"keywords":[{"name":"A","values":["1"]}],"segments":[{"name":"Br","values":[]}],"count":1,"status":0}"#,
            r#"{"keywords":[{"name":"A","values":["1"]}],"recinfo":[{"name":"x"},{"name":"y"}],"count":1,"status":0}"#,
            r#"{"count":1,"status":0}"#,
            r#"{"status":0,"runtime":0.1}"#,
            r#"{"count":null,"keywords":[],"status":0}"#,
            r#"{"count":"many","status":0}"#,
            r#"{"count":-1,"status":0}"#,
            r#"{"count":0}"#,
            r#"{"status":"fine"}"#,
        ] {
            assert_eq!(read(answer).records().unwrap_err().class, Class::ListingMalformed, "{answer}");
        }
    }

    #[test]
    fn a_refusal_has_jsoc_s_own_words() {
        let refused = |answer: &str| read(answer).records().unwrap_err();
        let failure = refused(r#"{"status":1,"error":" jsoc_info: series not found."}"#);
        assert_eq!(failure.class, Class::SourceRefused);
        assert_eq!(failure.message, "JSOC says: jsoc_info: series not found.");
        let failure = refused(r#"{"status":"1","error":"ERROR:  canceling statement due to statement timeout\n"}"#);
        assert_eq!(failure.class, Class::ServerError);
        assert_eq!(refused(r#"{"status":-1}"#).class, Class::ServerError);
        assert!(refused(r#"{"status":1,"error":"a\u001b[2J::error::b"}"#).message.contains("a\\u{1b}[2J"));
    }
}
