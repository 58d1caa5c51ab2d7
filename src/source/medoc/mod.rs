//! MEDOC at IAS: records of `SITools2` datasets, counted first and then read page by page.
//!
//! The protocol is that of `SITools2` (`DataSetExplorerResource`, `DBRecordSetRepresentation`) and of MEDOC's own
//! Python client, pySitools2. A service whose database fails within a page ends the page as if it were whole, so no
//! page is believed: rows must be as many as were counted, and no record may come again.

mod page;
mod query;
mod record;
mod row;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use url::Url;

use page::{read_items, read_page};
use record::{Items, MedocRecords};

use super::url_scope::UrlScope;
use super::{Listed, Listing, Memory, Source, launch_date, read_capped};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::{self, Series};
use crate::net::{Client, RefusedRequest, Response, shown};
use crate::untrusted::escape;
use query::DatasetQuery;

/// Rows of a page: what the service's own clients ask for.
pub const PAGE: u64 = 300;

/// The most records of a day that are read; the service's own clients have the same limit.
const RECORDS: u64 = 350_000;

/// Item listings that are under way at once, as far as the host's manners allow.
const AT_ONCE: usize = 8;

/// So often is the folder of a record asked for that is not there: a server may err once.
const LOOKS: u32 = 2;

/// The service at one base.
#[derive(Debug)]
pub struct MedocSource {
    base: Url,
    hosts: Vec<String>,
    dataset: Option<String>,
    client: Client,
}

impl MedocSource {
    /// The service at `base`, whose path ends in `/`.
    #[must_use]
    pub fn new(spec: &manifest::Medoc, base: Url, client: Client) -> MedocSource {
        MedocSource { base, hosts: spec.reach.hosts.clone(), dataset: spec.dataset.clone(), client }
    }

    async fn ask(&self, series: &Series, day: &Day) -> Result<Listed, Failure> {
        launch_date::begun(series, day)?;
        let question = DatasetQuery::for_day(&self.base, self.dataset.as_deref(), series, day);
        let places = UrlScope { base: &self.base, hosts: &self.hosts };
        let total = self.count(&question).await?;
        let mut records = MedocRecords::of(series, day, places);
        let mut before = HashSet::new();
        for start in (0..total).step_by(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
            let url = question.page(start);
            let page = self.get(&url, &question, read_page).await?;
            page.must_follow(start, total, &mut before).map_err(|failure| read_capped::about(shown(&url), failure))?;
            page.records(&mut records).map_err(|failure| read_capped::about(shown(&url), failure))?;
        }
        let told = |failure| read_capped::about(shown(&question.page(0)), failure);
        let mut items = self.items_of(records.without_items().map_err(told)?, &question).await?;
        let further = self.items_of(records.without_further(&items).map_err(told)?, &question).await?;
        items.extend(further);
        records.into_listed(items, &question.page(0)).map_err(told)
    }

    /// How many records the day has.
    async fn count(&self, question: &DatasetQuery) -> Result<u64, Failure> {
        let url = question.count();
        let total = self.get(&url, question, page::read_count).await?;
        if total > RECORDS {
            let why = format!("{}: {total} records, and at most {RECORDS} are read", shown(&url));
            let hint = "; ask for fewer of them: `cadence`, `wavelength`, or a shorter range";
            return Err(Failure::new(Class::ListingTooLarge, format!("{why}{hint}")));
        }
        Ok(total)
    }

    /// The names of the items of records, each at its folder.
    async fn items_of(&self, folders: Vec<(i64, Url)>, question: &DatasetQuery) -> Result<Vec<Items>, Failure> {
        let items = stream::iter(folders)
            .map(|(recnum, url)| async move { Ok((recnum, self.items(recnum, &url, question).await?)) });
        items.buffered(self.client.concurrency().clamp(1, AT_ONCE)).try_collect().await
    }

    /// The names of a record's items. It has none where its folder is not there: the rest of the day is as it is.
    async fn items(&self, recnum: i64, url: &Url, question: &DatasetQuery) -> Result<Vec<String>, Failure> {
        for look in 1..=LOOKS {
            if look > 1 {
                self.client.note_retry();
            }
            match self.client.get_told(url).await {
                Ok(response) => return self.read(url, response, read_items).await,
                Err(RefusedRequest { failure, .. }) if failure.class == Class::NotFound => {}
                Err(refused) => return Err(known(refused, question)),
            }
        }
        tracing::warn!(recnum, "{}: the record's folder is not there, so it has no files", shown(url));
        Ok(Vec::new())
    }

    async fn get<T>(
        &self,
        url: &Url,
        question: &DatasetQuery,
        read_as: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let response = self.client.get_told(url).await.map_err(|refused| known(refused, question))?;
        self.read(url, response, read_as).await
    }

    async fn read<T>(
        &self,
        url: &Url,
        mut response: Response,
        read_as: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let answer = read_capped::whole(&mut response, read_capped::CAP).await?;
        read_as(&answer).map_err(|failure| read_capped::about(shown(url), failure))
    }
}

/// Reads a day of one page: `items` is what each folder is said to hold that would be asked for.
///
/// # Errors
/// `html` and `listing-malformed` for what is no page, no row or no folder; `source-refused` for a filter that cannot be
/// applied and for a foreign host.
pub fn read_answer(page: &[u8], items: &[u8], base: &Url, series: &Series, day: &Day) -> Result<Listed, Failure> {
    let hosts = series.source.reach().map_or(&[][..], |reach| &reach.hosts);
    let question = DatasetQuery::for_day(base, None, series, day);
    let mut records = MedocRecords::of(series, day, UrlScope { base, hosts });
    let page = read_page(page)?;
    page.must_follow(0, page.rows(), &mut HashSet::new())?;
    page.records(&mut records)?;
    let read = |folders: Vec<(i64, Url)>| -> Result<Vec<Items>, Failure> {
        folders.into_iter().map(|(recnum, _)| Ok((recnum, read_items(items)?))).collect()
    };
    let mut items = read(records.without_items()?)?;
    items.extend(read(records.without_further(&items)?)?);
    records.into_listed(items, &question.page(0))
}

impl Source for MedocSource {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, _: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day))
    }
}

/// What a refusal means: a dataset that is not found is not known, and one whose database is off says so in a page.
fn known(RefusedRequest { failure, body }: RefusedRequest, question: &DatasetQuery) -> Failure {
    let dataset = escape(question.dataset());
    match failure.class {
        Class::NotFound => {
            let message = format!("{}; does the service have the dataset `{dataset}`?", failure.message);
            Failure { class: Class::SourceRefused, message, ..failure }
        }
        Class::ServerError if is_off(&body) => {
            let why = "the service says `Datasource not activated`: its database is off for now; run again later";
            let message = format!("{}; {why}, or write to medoc-contact@ias.u-psud.fr", failure.message);
            Failure { message, ..failure }
        }
        _ => failure,
    }
}

fn is_off(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("Datasource not activated")
}
