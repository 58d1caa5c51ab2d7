//! A run: days in flight, each listed, fetched, sealed. Emits events and knows no reporter.
//!
//! What it does not do: read the clock or the environment, print, or choose an exit code.

mod blocking;
pub mod budget;
mod day;
mod day_queue;
pub mod event;
mod file_address;
mod import;
mod redirects;
mod reopen;
mod repeated_failure;
mod scheduler;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use url::Url;

pub use day::known_files::{is_as_listed, needs_no_request};
pub use day::narrowed::{Narrowed, passes_filters};

use crate::archive::{self, Archive, Reader};
use crate::failure::{Class, Failure, Remedy};
use crate::manifest::{Manifest, Query, Series, SeriesId, Template};
use crate::net::Net;
use crate::source::{RemoteFile, Replicas};
use crate::untrusted::escape;
use budget::{Budget, Spent};
pub use day::lock_view::{LockBinding, LockPolicy};
pub(crate) use day::path_of;
pub use day::preferred::Before;
use event::{DayId, DayState, Event, Observer};
use redirects::Redirects;
use repeated_failure::RepeatedFailure;

pub use day_queue::{Backlog, How, Todo};
pub use import::index::ImportFolder;

/// What to run, and what it runs with.
pub struct RunOrder {
    /// The job.
    pub manifest: Arc<Manifest>,
    /// The days, in the order to begin them.
    pub days: Backlog,
    /// Days that a record seals already: told in the report.
    pub already_sealed: u64,
    /// Where the files go.
    pub archive: Arc<Archive>,
    /// The lock that the files are held to.
    pub locked: Option<LockPolicy>,
    /// The network.
    pub net: Net,
    /// Where the source of each series listens: its replicas.
    pub bases: BTreeMap<SeriesId, Vec<Url>>,
    /// The run's id.
    pub run: String,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Ends the run when cancelled.
    pub stop: CancellationToken,
    /// What the run and those before it may use up together.
    pub budget: Arc<Budget>,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
    /// How long after an empty listing the second look is taken; 30 s for users.
    pub second_look: Duration,
    /// Retry files that arrived corrupt in earlier runs now, although they are not due.
    pub retry_failed: bool,
    /// Files are taken from here, and none is fetched.
    pub import_folder: Option<Arc<ImportFolder>>,
}

/// How a run ended, in what an exit code needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// Days by how they ended.
    pub days: BTreeMap<DayState, u64>,
    /// The classes of what failed.
    pub classes: BTreeSet<Class>,
    /// The run was told to stop.
    pub interrupted: bool,
    /// What was spent when there was more to do.
    pub spent: Option<Spent>,
}

impl RunOutcome {
    /// True when every day to do is sealed or provisional.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.interrupted
            && self.spent.is_none()
            && self.classes.is_empty()
            && !self.days.contains_key(&DayState::Failed)
            && !self.days.contains_key(&DayState::Held)
    }

    /// A day that had ended so lacks files after all.
    fn reopened(&mut self, ended: DayState) {
        if let Some(count) = self.days.get_mut(&ended) {
            *count = count.saturating_sub(1);
        }
        *self.days.entry(DayState::Failed).or_default() += 1;
        self.classes.insert(Class::Redirect);
    }

    /// What can be done about what is missing.
    #[must_use]
    pub fn remedies(&self) -> Vec<Remedy> {
        self.classes.iter().map(|c| c.remedy()).collect()
    }
}

/// One series, opened.
struct OpenedSeries {
    series: Series,
    /// The layouts that it was given in this archive, the one of now among them.
    layouts: Vec<Template>,
    /// What it was asked for in this archive before.
    queries: Vec<Query>,
    source: Replicas,
    repeated_failure: RepeatedFailure,
}

impl OpenedSeries {
    /// Why no more of it is asked for, where that is so.
    fn given_up(&self) -> Option<Failure> {
        self.source.given_up().or_else(|| self.repeated_failure.given_up())
    }

    /// How many requests may be under way at once.
    fn width(&self) -> usize {
        self.source.current().client().concurrency().max(1)
    }

    /// A file as the replica that is asked now has it.
    fn on_current<'f>(&self, file: &'f RemoteFile) -> Cow<'f, RemoteFile> {
        self.source.on(self.source.current(), file)
    }
}

/// What all tasks of a run share.
struct RunContext {
    manifest: Arc<Manifest>,
    archive: Arc<Archive>,
    locked: Option<LockPolicy>,
    series: BTreeMap<SeriesId, Arc<OpenedSeries>>,
    observer: Arc<dyn Observer>,
    now: fn() -> DateTime<Utc>,
    second_look: Duration,
    retry_failed: bool,
    import_folder: Option<Arc<ImportFolder>>,
    budget: Arc<Budget>,
    /// What of the budget was spent when there was more to do: nothing more is begun.
    spent: OnceLock<Spent>,
    /// Origins that a file came well from in this run.
    well: Mutex<BTreeSet<String>>,
    /// Where redirects led to.
    redirects: Redirects,
    /// Cancelled by the user's stop, by a failure of this machine's storage, and when the time is up.
    halt: CancellationToken,
}

impl RunContext {
    fn emit(&self, event: Event) {
        self.observer.on(event);
    }

    /// Shows a note about a day.
    fn note(&self, day: &DayId, what: &str) {
        self.emit(Event::Note(format!("{} {}: {what}", day.series, day.date)));
    }

    /// Something is not begun, since the budget is spent. Told once.
    fn refuse(&self, spent: Spent) {
        if self.spent.set(spent).is_ok() {
            let option = spent.option();
            self.emit(Event::Note(format!(
                "{option}: limit reached: no new downloads will start; running ones will finish"
            )));
        }
    }

    /// A file came well from here.
    fn note_well(&self, url: &Url) {
        self.well.lock().unwrap_or_else(PoisonError::into_inner).insert(url.origin().ascii_serialization());
    }

    /// True when the origin of this URL gave a file in this run that passed its checks.
    fn is_well(&self, url: &Url) -> bool {
        self.well.lock().unwrap_or_else(PoisonError::into_inner).contains(&url.origin().ascii_serialization())
    }

    /// The budget is spent, as something that was to be begun has shown.
    fn is_spent(&self) -> bool {
        self.spent.get().is_some()
    }
}

/// Runs an order to its end.
///
/// # Errors
/// A [`Failure`] when a source or the archive cannot be opened at all; nothing was asked for then.
pub async fn execute(order: RunOrder) -> Result<RunOutcome, Failure> {
    let RunOrder { manifest, days, already_sealed, archive, locked, net, bases, run, observer, stop, .. } = order;
    let RunOrder { now, second_look, retry_failed, import_folder, budget, .. } = order;
    // Told first: whatever happens now, the days are counted.
    observer.on(Event::Planned { planned: days.day_count(), already_sealed });
    let mut series = BTreeMap::new();
    let mut widest = 1;
    for one in &manifest.series {
        let Some(bases) = bases.get(&one.id) else { continue };
        let (noted, id, layout, query) = (archive.clone(), one.id.clone(), one.layout.clone(), Query::of(one));
        let looked = blocking::blocking(move || {
            let layouts = noted.use_layout(&id, &layout)?;
            let queries = noted.use_query(&id, &query)?;
            Ok::<_, archive::Error>((!Reader::open(noted.root())?.recorded(&id)?.is_empty(), layouts, queries))
        });
        let (has_days, before, queries) = looked.await?;
        let before = before.iter().filter_map(|layout| Template::parse(layout).ok());
        let layouts = before.chain([one.layout.clone()]).collect();
        let source = Replicas::open(&net, &manifest, one, bases, &run)?;
        let is_frozen = locked.as_ref().is_some_and(|locked| locked.grip == LockBinding::Frozen);
        let source = if is_frozen { source.for_locked_files() } else { source };
        let repeated_failure = RepeatedFailure::of(has_days);
        let opened = OpenedSeries { series: one.clone(), layouts, queries, source, repeated_failure };
        widest = widest.max(opened.width());
        series.insert(one.id.clone(), Arc::new(opened));
    }
    let halt = stop.child_token();
    let observer_of_all = Arc::clone(&observer);
    let shared = RunContext {
        manifest,
        archive,
        locked,
        series,
        observer: observer_of_all,
        now,
        second_look,
        retry_failed,
        import_folder,
        budget,
        spent: OnceLock::new(),
        well: Mutex::default(),
        redirects: Redirects::default(),
        halt,
    };
    let shared = Arc::new(shared);
    let span = tracing::info_span!("run", run = %run, job = %escape(&shared.manifest.name));
    let mut outcome = scheduler::run(&shared, days, widest, &net).instrument(span).await;
    outcome.interrupted = stop.is_cancelled();
    outcome.spent = shared.spent.get().copied();
    observer.on(Event::Hosts(net.hosts()));
    Ok(outcome)
}
