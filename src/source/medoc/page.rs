//! The service's answers as they stand: a count, a page of rows, a folder's items.
//!
//! `SITools2` writes numbers as text as well as bare, and leaves out what is null.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::PAGE;
use super::record::{MedocRecord, MedocRecords};
use super::row::{RecordRow, Scalar};
use crate::failure::{Class, Failure};
use crate::source::read_capped;
use crate::untrusted::escape;

/// A page of records.
#[derive(Debug, Deserialize)]
pub(super) struct RecordPage {
    success: Option<bool>,
    message: Option<Scalar>,
    total: Option<Scalar>,
    data: Option<Vec<Object<RecordRow>>>,
}

#[derive(Debug, Deserialize)]
struct Items {
    items: Vec<Object<FolderItem>>,
}

#[derive(Debug, Deserialize)]
struct FolderItem {
    name: Scalar,
}

/// Reads the answer to `count`.
pub(super) fn read_count(answer: &[u8]) -> Result<u64, Failure> {
    let page = parsed(answer, r#"{"total":0}"#)?;
    let total = page.total.as_ref().ok_or_else(|| read_capped::malformed("the answer has no `total`"))?;
    let total = total.whole().and_then(|total| u64::try_from(total).ok());
    total.ok_or_else(|| read_capped::malformed("`total` is no number of records"))
}

/// Reads a page of records.
///
/// # Errors
/// `html`, `listing-malformed` with the place, and `server-error` for an answer that says that it failed.
pub(super) fn read_page(answer: &[u8]) -> Result<RecordPage, Failure> {
    parsed(answer, r#"{"data":[]}"#)
}

/// Reads the names of a folder's files.
///
/// # Errors
/// `html`, and `listing-malformed` with the place.
pub(super) fn read_items(answer: &[u8]) -> Result<Vec<String>, Failure> {
    read_capped::expect_json(answer, r#"{"items":[]}"#)?;
    let items: Object<Items> = serde_json::from_slice(answer).map_err(|error| read_capped::no_json(answer, &error))?;
    Ok(items.0.items.into_iter().map(|item| item.0.name.0).collect())
}

fn parsed(answer: &[u8], due: &str) -> Result<RecordPage, Failure> {
    read_capped::expect_json(answer, due)?;
    let page: Object<RecordPage> =
        serde_json::from_slice(answer).map_err(|error| read_capped::no_json(answer, &error))?;
    if page.0.success == Some(false) {
        let said = page.0.message.as_ref().map_or("nothing more", |message| message.0.as_str());
        let why = format!("the service says that it failed: `{}`", escape(said));
        return Err(Failure::new(Class::ServerError, why));
    }
    Ok(page.0)
}

impl RecordPage {
    /// How many rows it has.
    pub(super) fn rows(&self) -> u64 {
        self.data.as_ref().map_or(0, Vec::len) as u64
    }

    /// Checks that this page is the one from row `start` on of `total` rows, and has no record of the pages before.
    ///
    /// # Errors
    /// `listing-malformed`: rows are lost, too many, or come again.
    pub(super) fn must_follow(&self, start: u64, total: u64, before: &mut HashSet<i64>) -> Result<(), Failure> {
        let rows = self.data.as_deref().ok_or_else(|| read_capped::malformed("the answer has no `data`"))?;
        let due = PAGE.min(total - start.min(total));
        let said = self.total.as_ref().map(Scalar::whole);
        if let Some(said) = said.filter(|said| said.and_then(|said| u64::try_from(said).ok()) != Some(total)) {
            let said = said.map_or("something else".to_owned(), |said| said.to_string());
            let why = format!("the page from row {start} says that there are {said} records, but {total} were counted");
            return Err(read_capped::malformed(&why));
        }
        if rows.len() as u64 != due {
            let why = format!("the page from row {start} has {} rows, where {due} of {total} are due", rows.len());
            return Err(read_capped::malformed(&why));
        }
        let mut own = HashSet::new();
        for (nth, row) in (start + 1..).zip(rows) {
            let recnum = row.0.recnum(nth)?;
            if before.contains(&recnum) {
                let why = format!(
                    "row {nth} is record {recnum} again, which an earlier page had: records in between may be missing"
                );
                return Err(read_capped::malformed(&why));
            }
            own.insert(recnum);
        }
        before.extend(own);
        Ok(())
    }

    /// Hands its rows on.
    ///
    /// # Errors
    /// As [`MedocRecords::take`].
    pub(super) fn records(&self, records: &mut MedocRecords<'_>) -> Result<(), Failure> {
        self.data.iter().flatten().try_for_each(|row| {
            let record = MedocRecord::from_row(&row.0)?;
            records.take(record)
        })
    }
}

impl RecordRow {
    fn recnum(&self, nth: u64) -> Result<i64, Failure> {
        let recnum = self.recnum.as_ref().and_then(Scalar::whole);
        recnum.ok_or_else(|| read_capped::malformed(&format!("row {nth} has no `recnum` that is a number")))
    }
}

/// What a JSON object says. A derived reader alone would take an array for one as well.
#[derive(Debug)]
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}
