//! JSOC at Stanford: one listing a day by `rs_list`, in parts where one answer would be too large, with the keywords that its files do not hold.
//!
//! It lists files, and orders those that the export system is to make.

mod address;
mod columns;
mod day_listing;
mod export;
mod filters;
mod header_cards;
mod instants;
mod known_series;
mod listing;
mod prefer;
mod query;
mod record;
mod record_files;
mod regions;
mod renumbered;
mod response;
#[cfg(test)]
mod selection_tests;
mod slot;
mod storage;
mod structure;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;
use url::Url;

use super::{Listed, Listing, Memory, RegionLookup, Source, read_capped};
use crate::day::{Day, Window};
use crate::failure::{Class, Failure};
use crate::manifest::{Export, Jsoc as Spec, Protocol, RegionNumber, Series, SourceSpec};
use crate::net::{Client, shown};
use crate::untrusted::escape;
pub use address::with_segments;
use day_listing::{JsocDayListing, MOST_CUTS, halves, parts};
use export::{DayOrder, Desk};
use listing::JsocRecords;
pub use prefer::Preferred;
use query::{INFO, RecordQuery, below};
pub use renumbered::{KnownFileKey, former_keys, is_stored_elsewhere};
use structure::Structure;

/// JSOC at one base, for one series.
#[derive(Debug)]
pub struct JsocSource {
    base: Url,
    client: Client,
    /// Where files are ordered.
    desk: Option<Desk>,
    /// What the series consists of, or why JSOC does not say: asked once, whatever the answer.
    structure: OnceCell<Result<Structure, Failure>>,
    /// How often a day is cut in halves, so that the answer for each part can be read.
    cuts: AtomicU32,
}

impl JsocSource {
    /// JSOC at `base`, whose path ends in `/`.
    #[must_use]
    pub fn new(spec: &Spec, base: Url, client: Client) -> JsocSource {
        let desk = spec.export.clone().map(|export| Desk::new(base.clone(), client.clone(), export));
        JsocSource { base, client, desk, structure: OnceCell::new(), cuts: AtomicU32::new(0) }
    }

    async fn ask(&self, series: &Series, day: &Day, memory: Option<&Arc<dyn Memory>>) -> Result<Listed, Failure> {
        // Without a journal nothing is ordered: the order's number could not be kept.
        let order = match self.desk.as_ref().zip(memory.filter(|memory| memory.may_order())) {
            Some((desk, memory)) => Some((desk, memory, desk.coming().await)),
            None => None,
        };
        let structure = self.structure(series).await?;
        let question = RecordQuery::of(series, structure)?;
        // No slot of the cadence lies in this part of a day: there is nothing to request.
        let Some(record_set) = question.record_set(day.window) else { return Ok(Listed::default()) };
        let listing = self.listing(&question, day).await?;
        let url = question.url(&self.base, &record_set);
        let told = |failure| read_capped::about(asked_for(&url, &record_set), failure);
        listing.must_have_begun(&question, day).map_err(told)?;
        let (mut listed, records) = listing.end(&question, day, &url);
        if let Some((desk, memory, coming)) = order {
            let JsocRecords { names, size, not_orderable, .. } = records;
            let window = day.window;
            let wanted = DayOrder { window, files: &mut listed.files, names, size, not_orderable, memory };
            desk.fill(&question, wanted, coming).await?;
        }
        Ok(listed)
    }

    /// Lists a day in as many parts as its answers need to be small enough, which later days begin with.
    async fn listing(&self, question: &RecordQuery<'_>, day: &Day) -> Result<JsocDayListing, Failure> {
        let cuts = self.cuts.load(Ordering::Relaxed);
        let mut todo: Vec<(Window, u32)> = parts(day.window, cuts).into_iter().map(|part| (part, cuts)).rev().collect();
        let mut all = JsocDayListing::default();
        while let Some((window, cuts)) = todo.pop() {
            let Some(record_set) = question.record_set(window) else { continue };
            let url = question.url(&self.base, &record_set);
            // All records that compete for an instant are in one response: a shorter window would not make it smaller.
            let is_smaller = |half: &Window| question.record_set(*half).as_ref() != Some(&record_set);
            let halves = halves(window).filter(|halves| cuts < MOST_CUTS && halves.iter().all(is_smaller));
            let answer = match (self.get(&url).await, halves) {
                (Err(failure), Some([before, after])) if failure.class == Class::ListingTooLarge => {
                    self.cuts.fetch_max(cuts + 1, Ordering::Relaxed);
                    todo.extend([(after, cuts + 1), (before, cuts + 1)]);
                    continue;
                }
                (answer, _) => answer?,
            };
            let told = |failure| read_capped::about(asked_for(&url, &record_set), failure);
            let part = JsocDayListing::read(&answer, question, &self.base, &Day { window, ..*day }).map_err(told)?;
            all = all.and(part).map_err(told)?;
        }
        Ok(all)
    }

    /// What the series consists of. A refusal stays; after any other failure JSOC is asked again.
    async fn structure(&self, series: &Series) -> Result<&Structure, Failure> {
        let known = self.structure.get_or_try_init(|| async {
            match self.ask_structure(series).await {
                Ok(structure) => Ok(Ok(structure)),
                Err(failure) if failure.class == Class::SourceRefused => Ok(Err(failure)),
                Err(failure) => Err(failure),
            }
        });
        known.await?.as_ref().map_err(Clone::clone)
    }

    async fn ask_structure(&self, series: &Series) -> Result<Structure, Failure> {
        let mut url = below(&self.base, INFO);
        url.query_pairs_mut().append_pair("op", "series_struct").append_pair("ds", &series.name);
        let answer = self.get(&url).await?;
        let structure = Structure::of_series(&series.name, &answer);
        structure.map_err(|failure| read_capped::about(asked_for(&url, &series.name), failure))
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, Failure> {
        let mut response = self.client.get_listing(url).await.map_err(known)?;
        // A day of patches with all their keywords is 4 MB.
        read_capped::whole(&mut response, read_capped::CAP).await
    }
}

impl Source for JsocSource {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, memory: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day, memory))
    }

    fn regions<'a>(&'a self, series: &'a Series, wanted: &'a [RegionNumber], with_windows: bool) -> RegionLookup<'a> {
        Box::pin(self.find_regions(series, wanted, with_windows))
    }
}

/// Reads the answers to `series_struct` and to `rs_list` for `series` on `day`, from JSOC at `base`.
///
/// # Errors
/// `source-refused` for what JSOC refuses or does not have, `html` and `listing-malformed` for what is no answer.
pub fn read_answers(
    structure: &[u8],
    answer: &[u8],
    base: &Url,
    series: &Series,
    day: &Day,
) -> Result<Listed, Failure> {
    let structure = Structure::of_series(&series.name, structure)?;
    let question = RecordQuery::of(series, &structure)?;
    let Some(record_set) = question.record_set(day.window) else { return Ok(Listed::default()) };
    let listing = JsocDayListing::read(answer, &question, base, day)?;
    listing.must_have_begun(&question, day)?;
    Ok(listing.end(&question, day, &question.url(base, &record_set)).0)
}

/// Refuses a day without records that lies before the first record of its series.
fn begun(question: &RecordQuery<'_>, day: &Day) -> Result<(), Failure> {
    let (Some(begins), Some(first)) = (question.structure.begins(), question.structure.first.as_deref()) else {
        return Ok(());
    };
    if day.window.end > begins {
        return Ok(());
    }
    let why =
        format!("JSOC has nothing of this day: the series begins with `{}`; begin the range there", escape(first));
    Err(Failure::new(Class::SourceRefused, why))
}

impl RecordQuery<'_> {
    /// The order that its files are to be made by.
    fn export(&self) -> Option<&Export> {
        match &*self.series.source {
            SourceSpec::Jsoc(spec) => spec.export.as_ref(),
            _ => None,
        }
    }

    /// True when the files that are ordered are those on JSOC's disks, as they are.
    fn is_as_stored(&self) -> bool {
        self.export().is_some_and(|export| export.protocol == Protocol::AsIs && export.process.is_none())
    }

    /// True when the files are made anew, as FITS.
    fn is_made_anew(&self) -> bool {
        self.export().is_some_and(|export| export.protocol == Protocol::Fits)
    }
}

/// Where nobody answers for JSOC's programs, there is no JSOC.
fn known(failure: Failure) -> Failure {
    if failure.class == Class::NotFound {
        return refused(&failure, "does `url` point to JSOC?");
    }
    not_too_long(failure)
}

/// A request that is too long for the server, or for a proxy before it, is so the next time, too.
fn not_too_long(failure: Failure) -> Failure {
    match failure.status {
        Some(413 | 414 | 431) => {
            refused(&failure, "the request is too long for it: name fewer segments, keywords, regions or conditions")
        }
        _ => failure,
    }
}

fn refused(failure: &Failure, hint: &str) -> Failure {
    let message = format!("{}; {hint}", failure.message);
    Failure { class: Class::SourceRefused, message, ..failure.clone() }
}

/// A question with the record set, or the series, that it is about.
fn asked_for(url: &Url, what: &str) -> String {
    format!("{}, asked for `{}`", shown(url), escape(what))
}
