//! The HMI service (FLARECAST) and what speaks like it: one question a day, answered in any of three shapes.

pub(in crate::source) mod address;
mod filters;
mod item;
mod meta;
mod response;
pub(in crate::source) mod slot;
#[cfg(test)]
pub(in crate::source) mod tests;

use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;
use url::Url;

use meta::RecordFacts;
pub use response::read_answer;
use response::{ListedRecord, read_records};

use super::{Asked, Listed, Listing, Memory, Source, launch_date, read_capped, url_scope};
use crate::day::{Day, Scale};
use crate::failure::{Class, Failure};
use crate::manifest::{Series, SourceSpec};
use crate::net::{Client, Response, shown};
use crate::untrusted::escape;

/// The service at one base.
#[derive(Debug)]
pub struct HmiSource {
    base: Url,
    client: Client,
    /// The service has the route for keywords, or why not: as its first answer there tells.
    route: OnceLock<Result<(), Failure>>,
    /// Held by the one question that finds it out.
    first: Mutex<()>,
}

impl HmiSource {
    /// The service at `base`, whose path ends in `/`.
    #[must_use]
    pub fn new(base: Url, client: Client) -> HmiSource {
        HmiSource { base, client, route: OnceLock::new(), first: Mutex::default() }
    }

    async fn ask(&self, series: &Series, day: &Day) -> Result<Listed, Failure> {
        // The built-in service generates its data: an early day of it is empty.
        if matches!(*series.source, SourceSpec::Hmi(_)) {
            launch_date::begun(series, day)?;
        }
        if let Some(Err(failure)) = self.route.get().filter(|_| series.fetch.has_keywords()) {
            return Err(failure.clone());
        }
        let question = question(&self.base, &series.name, day);
        let mut response = self.client.get_listing(&question).await.map_err(|failure| known(failure, series))?;
        let answer = read_capped::whole(&mut response, read_capped::CAP).await?;
        let told = |failure| read_capped::about(shown(&question), failure);
        let (mut listed, records) = read_records(&answer, &self.base, series, day).map_err(told)?;
        drop(answer);
        if series.fetch.has_keywords() {
            let told = self.keywords(series, &records).await?;
            let table = told.table(&records)?;
            if !series.fetch.has_files() {
                listed.files.clear();
            }
            let url = meta::question(&self.base, series, &[]);
            let path = url_scope::question(&self.base, &url);
            listed.files.extend(table.files(series, day, Asked { url: &url, path: &path }));
            listed.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        }
        Ok(listed)
    }

    /// The keywords of these records, some of them a request.
    async fn keywords<'a>(&self, series: &'a Series, records: &[ListedRecord]) -> Result<RecordFacts<'a>, Failure> {
        let mut told = RecordFacts::of(series);
        for some in records.chunks(meta::AT_ONCE) {
            let question = meta::question(&self.base, series, some);
            let mut response = self.ask_route(&question, series).await?;
            let answer = read_capped::whole(&mut response, read_capped::CAP).await?;
            told.read(&answer, some).map_err(|failure| read_capped::about(shown(&question), failure))?;
        }
        Ok(told)
    }

    /// Puts a question for keywords. Until the first is answered, the others wait: where there is no such route, one
    /// question is enough.
    async fn ask_route(&self, question: &Url, series: &Series) -> Result<Response, Failure> {
        let _first = if self.route.get().is_none() { Some(self.first.lock().await) } else { None };
        if let Some(Err(failure)) = self.route.get() {
            return Err(failure.clone());
        }
        let response = self.client.get_listing(question).await;
        let response = response.map_err(|failure| self.without_route(failure, series))?;
        // Only the first answer counts; a record may well be gone later.
        let _ = self.route.set(Ok(()));
        Ok(response)
    }

    /// A service that has never answered by the route for keywords, and does not find it, has none: it is of the second
    /// kind, and asking again does not help.
    fn without_route(&self, failure: Failure, series: &Series) -> Failure {
        if failure.class != Class::NotFound || matches!(self.route.get(), Some(Ok(()))) {
            return failure;
        }
        let message = format!(
            "{}; this service has no route for keywords, as the newest kind does (`/HMI/{}/meta/...`): ask for `fetch: \
             files`, or take the keywords from `jsoc`",
            failure.message,
            escape(&series.name)
        );
        let refused = Failure { class: Class::SourceRefused, message, ..failure };
        let _ = self.route.set(Err(refused.clone()));
        refused
    }
}

impl Source for HmiSource {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, _: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day))
    }
}

/// `GET {base}HMI/{series}?start=..Z&end=..Z`, for the newer names also `meta=false`.
fn question(base: &Url, series: &str, day: &Day) -> Url {
    let mut url = place_of(base, series);
    let (start, end) = (Scale::Utc.label(day.window.start), Scale::Utc.label(day.window.end));
    // The older services document no other parameter, and may refuse what they do not know.
    let meta = if series.starts_with("hmi.") { "&meta=false" } else { "" };
    url.set_query(Some(&format!("start={start}&end={end}{meta}")));
    url
}

/// Where a series is listed: `{base}HMI/{series}`.
fn place_of(base: &Url, series: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["HMI", series]);
    }
    url
}

/// A listing that is not found is a series that is not known: asking again does not make it so.
fn known(failure: Failure, series: &Series) -> Failure {
    if failure.class != Class::NotFound {
        return failure;
    }
    let message = format!("{}; does the service have the series `{}`?", failure.message, escape(&series.name));
    Failure { class: Class::SourceRefused, message, ..failure }
}
