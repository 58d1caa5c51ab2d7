//! Directory listings of a web server: the folders of a day are asked for, and their links read.
//!
//! It does not follow links to further folders: the path says which folders there are.

mod find;
mod folders;
pub(super) mod link;
mod newest;
mod other_files;
mod page;
mod size;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use reqwest::header::LINK;
use tokio::sync::Mutex;
use url::Url;

use self::find::DayFileSet;
use self::folders::DatedFolder;
use self::other_files::OtherFiles;
use self::page::FolderPage;
use super::read_capped::{CAP, whole};
use super::{Listed, Listing, Memory, Source};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::{Index as Spec, Series};
use crate::net::{Client, shown};
use crate::untrusted::escape;

/// How long a page may stand for the folder, for another day of the same folder.
const FRESH: Duration = Duration::from_mins(1);

/// Dated folders below one base.
#[derive(Debug)]
pub struct IndexSource {
    spec: Spec,
    base: Url,
    client: Client,
    /// Something of it was there.
    is_there: AtomicBool,
    /// Something odd was told of a day.
    has_remarked: AtomicBool,
    /// What else lies in the folders.
    other_files: OtherFiles,
    /// The last page of a folder that holds several days.
    recent: Mutex<Option<Recent>>,
}

/// A page, and where it answered from.
#[derive(Debug)]
struct FetchedPage {
    url: Url,
    page: FolderPage,
}

#[derive(Debug)]
struct Recent {
    folder: String,
    /// None for a folder that is not there.
    answer: Option<Arc<FetchedPage>>,
    at: Instant,
    /// The days that it served. One that asks again, to be sure or after a failure, gets a page of its own.
    days: HashSet<NaiveDate>,
}

impl IndexSource {
    /// The folders that `spec` names below `base`, whose path ends in `/`.
    #[must_use]
    pub fn new(spec: Spec, base: Url, client: Client) -> IndexSource {
        let (is_there, has_remarked) = (AtomicBool::new(false), AtomicBool::new(false));
        let other_files = OtherFiles::default();
        IndexSource { spec, base, client, is_there, has_remarked, other_files, recent: Mutex::new(None) }
    }

    async fn ask(&self, series: &Series, day: &Day) -> Result<Listed, Failure> {
        let mut found = DayFileSet::new(&self.spec, &self.base, series, day, &self.other_files);
        let folders = folders::of_day(self.spec.path.as_ref(), day);
        let count = folders.len();
        let mut missing = Vec::new();
        for folder in folders {
            match self.page(&folder, day).await? {
                None => missing.push(folder),
                Some(answer) => {
                    self.is_there.store(true, Ordering::Relaxed);
                    found.take(&answer.url, &answer.page, folder.told)?;
                }
            }
        }
        if missing.len() < count {
            self.look_again(missing, &mut found).await?;
        } else if !self.is_there.load(Ordering::Relaxed) {
            self.look_above().await?;
        }
        let (listed, remarks) = found.listed()?;
        // A warning about one day usually holds for all days: it is shown once.
        if !remarks.is_empty() && !self.has_remarked.swap(true, Ordering::Relaxed) {
            for remark in remarks {
                tracing::warn!("{}", self.client.veil(remark));
            }
        }
        let urls: Vec<&Url> = listed.files.iter().map(|file| &file.url).collect();
        self.client.permit(&urls).await?;
        Ok(listed)
    }

    /// Asks once more for folders that are not there though others of the day are: a server may err once. A day of which
    /// nothing is there is looked at again as a whole.
    async fn look_again(&self, missing: Vec<DatedFolder>, found: &mut DayFileSet<'_>) -> Result<(), Failure> {
        for folder in missing {
            self.client.note_retry();
            if let Some(answer) = self.fetch(&folder).await? {
                found.take(&answer.url, &answer.page, folder.told)?;
            } else {
                tracing::debug!(folder = %escape(&folder.path), "is not there");
            }
        }
        Ok(())
    }

    /// The page of a folder; `None` when it is not there.
    async fn page(&self, folder: &DatedFolder, day: &Day) -> Result<Option<Arc<FetchedPage>>, Failure> {
        if !folders::is_shared(self.spec.path.as_ref()) {
            return self.fetch(folder).await;
        }
        let mut recent = self.recent.lock().await;
        if let Some(recent) = recent.as_mut()
            && recent.folder == folder.path
            && recent.at.elapsed() < FRESH
            && recent.days.insert(day.date)
        {
            return Ok(recent.answer.clone());
        }
        let at = Instant::now();
        let answer = self.fetch(folder).await?;
        let days = HashSet::from([day.date]);
        *recent = Some(Recent { folder: folder.path.clone(), answer: answer.clone(), at, days });
        Ok(answer)
    }

    async fn fetch(&self, folder: &DatedFolder) -> Result<Option<Arc<FetchedPage>>, Failure> {
        let url = self.below(&folder.path)?;
        let mut response = match self.client.get_listing(&url).await {
            Ok(response) => response,
            Err(failure) if failure.class == Class::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let html = whole(&mut response, CAP).await?;
        let mut page = page::read(&html);
        let headers = response.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        page.next.extend(headers.flat_map(page::next_in_header));
        Ok(Some(Arc::new(FetchedPage { url: response.url.clone(), page })))
    }

    /// Nothing of the day is there: is that so of the folder above all days too? Then the address is wrong, and its days
    /// are not empty.
    async fn look_above(&self) -> Result<(), Failure> {
        let url = self.below(folders::above_all(self.spec.path.as_ref()))?;
        match self.client.permit(&[&url]).await {
            // `robots.txt` may forbid the folder above and allow the folders of the day.
            Err(failure) if failure.class == Class::SourceRefused => return Ok(()),
            permitted => permitted?,
        }
        match self.client.get_listing(&url).await {
            Err(failure) if failure.class == Class::NotFound => {
                let message = format!(
                    "{}; nor does it have a folder of this day below it: is the address right, and `path`?",
                    failure.message
                );
                Err(Failure { class: Class::SourceRefused, message, ..failure })
            }
            // Even an unusable answer shows that the folder exists.
            Err(failure) if failure.status.is_none_or(|status| status >= 500) => Err(failure),
            Err(failure) if matches!(failure.class, Class::Throttled | Class::HostGivenUp | Class::Redirect) => {
                Err(failure)
            }
            _ => {
                self.is_there.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// A folder's URL.
    fn below(&self, path: &str) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        if link::below(&self.base, &url).is_none() {
            let message = format!("`path` leads out of {}: to {}", shown(&self.base), shown(&url));
            return Err(Failure::new(Class::SourceRefused, message));
        }
        Ok(url)
    }
}

impl Source for IndexSource {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, _: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day))
    }
}
