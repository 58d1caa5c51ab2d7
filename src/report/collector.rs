//! Folds the events of a run into its report.
//!
//! Its memory follows the days that the run touched, and the files of those in flight. It reads no clock and writes
//! nothing.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::model::{
    DayRange, DayTotals, FileTotals, Report, ReportDay, ReportFailure, ReportHost, ReportJob, ReportRun, ReportVersion,
    RequestTotals, Rest, RunResult, Totals, stretches,
};
use super::timeline::{RetryWaits, Sizes, Timeline};
use crate::day::Window;
use crate::failure;
use crate::failure::Class;
use crate::manifest::SeriesId;
use crate::net::{HostStats, user_agent};
use crate::run::event::{DayDone, DayId, DayState, Event, FileEnd, Observer, TakenBack};

/// How many failures a report lists.
const LISTED_FAILURES: usize = 1000;

/// Takes in the events of one run over one job and gives its report at any time.
#[derive(Debug)]
pub struct Collector {
    run: ReportRun,
    job: ReportJob,
    facts: Mutex<CollectedFacts>,
}

/// What the events told so far.
#[derive(Debug, Default)]
struct CollectedFacts {
    totals: Totals,
    hosts: Vec<HostStats>,
    days: BTreeMap<DayId, ReportDay>,
    /// Days that are to be done, whether they have an end by now or not.
    expected: Vec<DayRange>,
    /// Days that were sealed before.
    sealed_before: Vec<DayRange>,
    failures: BTreeMap<(DayId, Option<String>), ReportFailure>,
    failures_omitted: u64,
    classes: BTreeSet<Class>,
    open: HashMap<DayId, OpenDayFiles>,
    timeline: Timeline,
    sizes: Sizes,
    waits: RetryWaits,
}

/// The files of a day in flight.
#[derive(Debug, Default)]
struct OpenDayFiles {
    /// How each ended. It is told anew when two keys turn out to want one path: each file has one end in the report.
    ends: HashMap<String, FileEnd>,
    /// How many files its listing had.
    listed: u64,
    /// Keys with a body in quarantine.
    quarantined: BTreeSet<String>,
    /// Files by the host that served them.
    served: BTreeMap<Arc<str>, u64>,
}

/// What is left undone at the end of a run: all that an exit code depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// The classes of everything that is missing.
    pub classes: BTreeSet<Class>,
    /// Days with something missing.
    pub failed: u64,
    /// Days that another process holds.
    pub held: u64,
    /// Days that were planned and never ended.
    pub unfinished: u64,
}

impl Collector {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(run_id: String, started: DateTime<Utc>, job: ReportJob) -> Collector {
        let run = ReportRun {
            started,
            finished: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            result: RunResult::Running,
            exit_code: None,
            ended_by: None,
            error: None,
            again: None,
            is_adoption: false,
            user_agent: user_agent(&job.name, &run_id),
            id: run_id,
        };
        Collector { run, job, facts: Mutex::default() }
    }

    /// Takes in which days the run is to do, and which were sealed before it, as windows of each series.
    pub fn expect<'a>(
        &self,
        days: impl IntoIterator<Item = (&'a SeriesId, Window)>,
        sealed: impl IntoIterator<Item = (&'a SeriesId, Window)>,
    ) {
        let mut facts = self.facts();
        facts.expected = stretches(days, Rest::Unfinished);
        facts.sealed_before = stretches(sealed, Rest::AlreadySealed);
    }

    /// Takes in one event.
    pub fn fold(&self, event: &Event) {
        self.facts().fold(event);
    }

    /// Takes in how the hosts stand `at` after the first day was begun, with at most so many requests `under_way` at once
    /// since the look before; the `last` look is kept in any case.
    pub fn look(&self, at: Duration, hosts: &[HostStats], under_way: u64, last: bool) {
        let facts = &mut *self.facts();
        let FileTotals { fetched, adopted, kept, .. } = facts.totals.files;
        facts.timeline.look(at, hosts, under_way, fetched + adopted + kept, last);
    }

    /// The report as it stands, still `running`.
    #[must_use]
    pub fn snapshot(&self) -> Report {
        let facts = self.facts();
        let asked = facts.hosts.iter().filter(|host| host.requests > 0);
        Report {
            sunhaul: ReportVersion::V1,
            run: self.run.clone(),
            job: self.job.clone(),
            totals: facts.totals(),
            hosts: asked.map(host).collect(),
            days: facts.days.values().cloned().collect(),
            other_days: facts.other_days(),
            drift: None,
            failures: facts.failures.values().cloned().collect(),
            failures_omitted: facts.failures_omitted,
            regions: Vec::new(),
            regions_omitted: 0,
            timeline: facts.timeline.samples().to_vec(),
            sizes: facts.sizes.counts(),
            waits: facts.waits.sums(),
        }
    }

    /// The report of a run that has ended.
    #[must_use]
    pub fn finish(&self, result: RunResult, exit_code: u8, at: DateTime<Utc>) -> Report {
        let mut report = self.snapshot();
        report.run.result = result;
        report.run.exit_code = Some(exit_code);
        report.run.finished = Some(at);
        report
    }

    /// What is left undone.
    #[must_use]
    pub fn ends(&self) -> Ends {
        let facts = self.facts();
        let DayTotals { failed, held, unfinished, .. } = facts.totals().days;
        Ends { classes: facts.classes.clone(), failed, held, unfinished }
    }

    fn facts(&self) -> MutexGuard<'_, CollectedFacts> {
        // Counters stay true whatever panicked beside them.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Collector {
    fn on(&self, event: Event) {
        self.fold(&event);
    }
}

impl CollectedFacts {
    fn fold(&mut self, event: &Event) {
        match event {
            Event::Planned { planned, already_sealed } => {
                self.totals.days.planned += planned;
                self.totals.days.already_sealed += already_sealed;
            }
            Event::DayListed { day, files, .. } => {
                self.totals.files.listed += files;
                self.open(day).listed += files;
                self.open(day).ends.reserve(usize::try_from(*files).unwrap_or_default());
            }
            Event::FileDone { day, key, path, end } => {
                if let Some(before) = self.open(day).ends.insert(key.clone(), end.clone()) {
                    self.count(&before, u64::saturating_sub);
                }
                self.count(end, u64::saturating_add);
                if let FileEnd::Fetched { from: Some(host), .. } = end {
                    *self.open(day).served.entry(Arc::clone(host)).or_default() += 1;
                }
                if let FileEnd::Failed(failure) = end {
                    self.missing(day, Some(key), path.as_deref(), failure);
                }
            }
            Event::Quarantined { day, key, .. } => {
                // Only one body per file is kept, however often it arrived corrupt.
                let is_first = self.open(day).quarantined.insert(key.clone());
                self.totals.files.quarantined += u64::from(is_first);
            }
            Event::DayAgain(day) => self.forget(day),
            Event::DayDone(done) => self.day(done),
            Event::DayReopened { day, files, bytes, taken } => self.reopened(day, *files, *bytes, taken),
            Event::DayLeft { day, .. } => {
                self.open.remove(day);
            }
            Event::Hosts(hosts) => self.hosts.clone_from(hosts),
            Event::Retrying { failure, wait_seconds, .. } => self.waits.count(failure.class, *wait_seconds),
            Event::DayBegun(_) | Event::Received { .. } | Event::Note(_) => {}
        }
    }

    /// Takes back what a day has counted so far.
    fn forget(&mut self, day: &DayId) {
        let OpenDayFiles { ends, listed, .. } = self.open.remove(day).unwrap_or_default();
        self.totals.files.listed = self.totals.files.listed.saturating_sub(listed);
        for end in ends.values() {
            self.count(end, u64::saturating_sub);
        }
    }

    /// Counts the end of a file; with subtraction, takes the count back.
    fn count(&mut self, end: &FileEnd, add: fn(u64, u64) -> u64) {
        self.totals.count(end, add);
        if let FileEnd::Fetched { bytes, .. } | FileEnd::Kept { bytes } | FileEnd::Adopted { bytes } = end {
            self.sizes.count(*bytes, add);
        }
    }

    fn open(&mut self, day: &DayId) -> &mut OpenDayFiles {
        self.open.entry(day.clone()).or_default()
    }

    /// The sums, with what has no end yet.
    fn totals(&self) -> Totals {
        let Totals { days, files, bytes, .. } = self.totals.clone();
        let sum = |of: fn(&HostStats) -> u64| self.hosts.iter().map(of).sum();
        let requests = RequestTotals {
            sent: sum(|host| host.requests),
            retried: sum(|host| host.retried),
            throttled: sum(|host| host.throttled),
        };
        let ended_days = days.sealed + days.provisional + days.failed + days.held;
        let here_before = files.have + files.renamed + files.restored + files.kept;
        let ended_files = here_before + files.fetched + files.adopted + files.absent + files.failed;
        Totals {
            days: DayTotals { unfinished: days.planned.saturating_sub(ended_days), ..days },
            files: FileTotals { unfinished: files.listed.saturating_sub(ended_files), ..files },
            bytes,
            requests,
        }
    }

    fn other_days(&self) -> Vec<DayRange> {
        let mut all = self.sealed_before.clone();
        for stretch in &self.expected {
            let id = |date| DayId { series: SeriesId(stretch.series.clone()), date };
            let ended = self.days.range(id(stretch.start)..id(stretch.end)).map(|(day, _)| day.date);
            all.extend(stretch.without(ended));
        }
        all.sort_unstable();
        all
    }

    fn day(&mut self, done: &DayDone) {
        let OpenDayFiles { served, ends, .. } = self.open.remove(&done.day).unwrap_or_default();
        *days_in(&mut self.totals.days, done.state) += 1;
        // Another process has the day, so nothing is known to be missing: it is reported, but not as a failure.
        if let (DayState::Failed, Some(failure)) = (done.state, &done.error) {
            self.missing(&done.day, None, None, failure);
        }
        let day = ReportDay {
            series: done.day.series.to_string(),
            date: done.day.date,
            state: done.state,
            files: done.files,
            bytes: done.bytes,
            absent: done.absent,
            accepted: done.accepted,
            records: done.records.clone(),
            replaced: done.replaced.clone(),
            digest: done.digest.map(|digest| format!("sha256:{digest}")),
            outside_day: done.outside_day,
            duplicates: done.duplicates,
            cadence_slots: done.cadence_slots,
            without_record: done.without_record,
            error: done.error.as_ref().map(|failure| failure.message.clone()),
            error_class: done.error.as_ref().map(|failure| failure.class),
            failed: failed_files(ends.values()),
            served: served.into_iter().map(|(host, files)| (host.to_string(), files)).collect(),
            seconds: Some((done.took.as_secs_f64() * 1000.0).round() / 1000.0),
        };
        self.days.insert(done.day.clone(), day);
    }

    /// Takes the end of a day back, and that of files.
    fn reopened(&mut self, day: &DayId, files: u64, bytes: u64, taken: &[TakenBack]) {
        let mut lost: BTreeMap<Class, u64> = BTreeMap::new();
        for TakenBack { key, path, was_here, failure } in taken {
            let FileTotals { have, renamed, restored, fetched, failed, .. } = &mut self.totals.files;
            let here_before = [have, renamed, restored].into_iter().find(|count| **count > 0);
            let before = here_before.filter(|_| *was_here).unwrap_or(fetched);
            (*before, *failed) = (before.saturating_sub(1), *failed + 1);
            self.missing(day, Some(key), Some(path), failure);
            *lost.entry(failure.class).or_default() += 1;
        }
        let Some(ended) = self.days.get_mut(day) else { return };
        let days = &mut self.totals.days;
        let before = days_in(days, ended.state);
        *before = before.saturating_sub(1);
        days.failed += 1;
        (ended.state, ended.files, ended.bytes, ended.digest) = (DayState::Failed, files, bytes, None);
        for (class, count) in lost {
            *ended.failed.entry(class).or_default() += count;
        }
    }

    fn missing(&mut self, day: &DayId, key: Option<&String>, path: Option<&str>, failure: &failure::Failure) {
        self.classes.insert(failure.class);
        if self.failures.len() >= LISTED_FAILURES {
            self.failures_omitted += 1;
            return;
        }
        let entry = ReportFailure {
            series: day.series.to_string(),
            date: day.date,
            key: key.cloned(),
            path: path.map(str::to_owned),
            class: failure.class,
            attempts: failure.attempts,
            status: failure.status,
            message: failure.message.clone(),
        };
        self.failures.insert((day.clone(), key.cloned()), entry);
    }
}

impl Totals {
    fn count(&mut self, end: &FileEnd, add: fn(u64, u64) -> u64) {
        let Totals { files, bytes, .. } = self;
        let step = |sum: &mut u64, by| *sum = add(*sum, by);
        match end {
            FileEnd::Fetched { bytes: length, resumed_bytes, restarted, replaced, restamped, from: _ } => {
                step(&mut files.fetched, 1);
                step(&mut files.resumed, u64::from(*resumed_bytes > 0));
                step(&mut files.restarted, u64::from(*restarted));
                step(&mut files.replaced, u64::from(*replaced));
                step(&mut files.restamped, u64::from(*restamped));
                step(&mut bytes.resumed, *resumed_bytes);
                step(&mut bytes.fetched, length.saturating_sub(*resumed_bytes));
            }
            FileEnd::Kept { bytes: length } => {
                step(&mut files.kept, 1);
                step(&mut bytes.kept, *length);
            }
            FileEnd::Adopted { bytes: length } => {
                step(&mut files.adopted, 1);
                step(&mut bytes.adopted, *length);
            }
            FileEnd::Have => step(&mut files.have, 1),
            FileEnd::Renamed { .. } => step(&mut files.renamed, 1),
            FileEnd::Restored { .. } => step(&mut files.restored, 1),
            FileEnd::Absent => step(&mut files.absent, 1),
            FileEnd::Failed(_) => step(&mut files.failed, 1),
        }
    }
}

/// How many of these files failed, by the kind of failure.
fn failed_files<'a>(ends: impl Iterator<Item = &'a FileEnd>) -> BTreeMap<Class, u64> {
    let mut failed = BTreeMap::new();
    for end in ends {
        if let FileEnd::Failed(failure) = end {
            *failed.entry(failure.class).or_default() += 1;
        }
    }
    failed
}

/// How many days ended in a state.
fn days_in(days: &mut DayTotals, state: DayState) -> &mut u64 {
    match state {
        DayState::Sealed => &mut days.sealed,
        DayState::Provisional => &mut days.provisional,
        DayState::Failed => &mut days.failed,
        DayState::Held => &mut days.held,
    }
}

fn host(stats: &HostStats) -> ReportHost {
    ReportHost {
        host: stats.host.clone(),
        preset: stats.preset.clone(),
        limit: stats.limit.clone(),
        agreed_with: stats.agreed_with.clone(),
        contact: stats.contact.clone(),
        peak_connections: stats.peak_connections,
        peak_requests_per_second: stats.peak_requests_per_second,
        requests: stats.requests,
        bytes: stats.bytes,
        status_counts: stats.status_counts.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
        paused_seconds: stats.paused_seconds,
        tunnel_restarts: stats.tunnel_restarts,
    }
}
