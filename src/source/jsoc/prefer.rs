//! Several series of one JSOC in order of preference: each slot of a day is taken from the first one that has a record for it.
//!
//! Slots are matched by time alone (`T_REC`, or the instant of the cadence): definitive and near-real-time SHARPs number their
//! patches differently. A series that fails to answer fails the day, so that an outage never makes a day worse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDateTime;
use url::Url;

use super::day_listing::JsocDayListing;
use super::query::RecordQuery;
use super::response::RecordList;
use super::{JsocSource, asked_for, slot, text};
use crate::day::{Day, Window};
use crate::failure::Failure;
use crate::manifest::{Jsoc as Spec, Series};
use crate::net::Client;
use crate::source::read_capped;
use crate::source::read_capped::malformed;
use crate::source::{BySeries, Listed, Listing, Memory, Source};
use crate::untrusted::escape;

/// The series of one job's series, the preferred one first.
#[derive(Debug)]
pub struct Preferred {
    members: Vec<(Arc<str>, JsocSource)>,
}

/// The slots of a day that have their records.
#[derive(Debug, Default)]
struct Taken {
    listing: JsocDayListing,
    by_series: BySeries,
    /// Slots for which a series has a record, whether it is asked for or not.
    covered: BTreeSet<NaiveDateTime>,
    /// Series that were asked for all of their slots.
    complete: usize,
}

impl Preferred {
    /// JSOC at `base`, whose path ends in `/`, for a series with fallbacks.
    #[must_use]
    pub fn new(spec: &Spec, series: &Series, base: &Url, client: &Client) -> Preferred {
        let names = std::iter::once(&series.name).chain(&series.fallbacks);
        let member = |name: &String| (Arc::from(name.as_str()), JsocSource::new(spec, base.clone(), client.clone()));
        Preferred { members: names.map(member).collect() }
    }

    async fn ask(&self, series: &Series, day: &Day, memory: Option<&Arc<dyn Memory>>) -> Result<Listed, Failure> {
        let fixed = memory.map(|memory| memory.fixed_series()).unwrap_or_default();
        let mut taken = Taken::default();
        let mut not_begun = Vec::new();
        for (nth, (name, _)) in self.members.iter().enumerate() {
            if nth > 0 && !self.is_needed(nth, series, day, &taken, &fixed).await? {
                continue;
            }
            not_begun.extend(self.take(nth, series, day, &mut taken, &fixed).await?);
            tracing::debug!(series = %escape(name), slots = taken.by_series.slots.len(), "slots have their records");
        }
        if not_begun.len() == self.members.len() {
            return Err(not_begun.swap_remove(0));
        }
        let (name, first) = &self.members[0];
        let own = series.of_source(name);
        let question = RecordQuery::of(&own, first.structure(&own).await?)?;
        let Some(record_set) = question.record_set(day.window) else { return Ok(Listed::default()) };
        let (listed, _) = taken.listing.end(&question, day, &question.url(&first.base, &record_set));
        Ok(Listed { by_series: taken.by_series, ..listed })
    }

    /// Takes the slots of one series that no series before it has. Gives what is to be said where the day lies before its first
    /// record.
    async fn take(
        &self,
        nth: usize,
        series: &Series,
        day: &Day,
        taken: &mut Taken,
        fixed: &BTreeMap<NaiveDateTime, String>,
    ) -> Result<Option<Failure>, Failure> {
        let (name, jsoc) = &self.members[nth];
        let own = series.of_source(name);
        let question = RecordQuery::of(&own, jsoc.structure(&own).await?)?;
        let mut listing = jsoc.listing(&question, day).await?;
        let not_begun = listing.must_have_begun(&question, day).err();
        let slots = listing.slots();
        let is_filtered = series.filters.has_conditions();
        if nth > 0 && is_filtered && slots.iter().any(|slot| !taken.covered.contains(slot)) {
            self.cover_all_before(nth, series, day, taken).await?;
        }
        let covered = &taken.covered;
        let is_ours = |slot: NaiveDateTime| match fixed.get(&slot) {
            Some(due) => **due == **name,
            None => !covered.contains(&slot),
        };
        listing.of_series(name, nth > 0, is_ours);
        if listing.count() > 0 {
            taken.by_series.records.insert(name.to_string(), listing.count());
        }
        let kept = listing.slots();
        let filled = kept.iter().filter(|slot| !covered.contains(slot)).count() as u64;
        let (cadence_slots, without_record) = match nth {
            0 => (listing.cadence_slots(), listing.without_record()),
            _ => (taken.listing.cadence_slots(), taken.listing.without_record().saturating_sub(filled)),
        };
        taken.by_series.slots.extend(kept.into_iter().map(|slot| (slot, Arc::clone(name))));
        taken.covered.extend(slots);
        let before = std::mem::take(&mut taken.listing);
        taken.listing = if nth == 0 { listing } else { before.with_other_series(listing)? };
        taken.listing.set_cadence_slots(cadence_slots, without_record);
        Ok(not_begun.map(|failure| read_capped::about(escape(name).into_owned(), failure)))
    }

    /// True when slots are left that a series may have, or must have.
    async fn is_needed(
        &self,
        nth: usize,
        series: &Series,
        day: &Day,
        taken: &Taken,
        fixed: &BTreeMap<NaiveDateTime, String>,
    ) -> Result<bool, Failure> {
        let (name, first) = &self.members[0];
        let own = series.of_source(name);
        let question = RecordQuery::of(&own, first.structure(&own).await?)?;
        let is_due = fixed.values().any(|due| **due == *self.members[nth].0);
        let slots = taken.covered.iter().filter(|slot| day.window.contains(**slot)).count();
        Ok(is_due || !is_full(slots, &question, day.window, taken.listing.without_record()))
    }

    /// Adds the slots for which the series before one have a record that the job's filters leave out.
    async fn cover_all_before(&self, nth: usize, series: &Series, day: &Day, taken: &mut Taken) -> Result<(), Failure> {
        for (name, jsoc) in &self.members[taken.complete..nth] {
            let own = series.of_source(name);
            let question = RecordQuery::of(&own, jsoc.structure(&own).await?)?;
            taken.covered.extend(jsoc.all_slots(&question, day).await?);
        }
        taken.complete = nth;
        Ok(())
    }
}

impl Source for Preferred {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, memory: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day, memory))
    }
}

impl JsocSource {
    /// The slots of a day for which the series has a record, whatever the job's filters say of it.
    async fn all_slots(&self, question: &RecordQuery<'_>, day: &Day) -> Result<Vec<NaiveDateTime>, Failure> {
        let Some(record_set) = question.unfiltered_set(day.window) else { return Ok(Vec::new()) };
        let url = question.url_of_times(&self.base, &record_set);
        let told = |failure| read_capped::about(asked_for(&url, &record_set), failure);
        let answer: RecordList = text::parse(&self.get(&url).await?).map_err(told)?;
        slots_of(&answer, question).map_err(told)
    }
}

/// The slots of the records in an answer.
fn slots_of(answer: &RecordList, question: &RecordQuery<'_>) -> Result<Vec<NaiveDateTime>, Failure> {
    let count = answer.records()?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let times = answer.keyword(&question.structure.time)?;
    let slot = |at: usize| {
        let label = times.value(at);
        let time = slot::time(label);
        let time = time.ok_or_else(|| malformed(&format!("record {at}: its time is `{}`", escape(label))))?;
        Ok(question.instants().map_or(Some(time), |instants| instants.of(time)))
    };
    (0..count).map(slot).filter_map(Result::transpose).collect()
}

/// True when so many slots are all that a window has.
fn is_full(slots: usize, question: &RecordQuery<'_>, window: Window, without_record: u64) -> bool {
    if question.instants().is_some() {
        return slots > 0 && without_record == 0;
    }
    let step = question.every_slots().unwrap_or_else(|| question.step().num_seconds()).max(1);
    let seconds = (window.end - window.start).num_seconds();
    // A window that is not a multiple of the step may hold one slot more.
    i64::try_from(slots).is_ok_and(|slots| slots > 0 && slots.saturating_mul(step) >= seconds)
}
