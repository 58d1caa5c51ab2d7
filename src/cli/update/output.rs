//! What moved, or drifted, in words and in JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::regions::RegionChange;
use crate::cli::clock::now;
use crate::cli::{Exit, Result, stdout};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::lock::{self, DayChange};
use crate::manifest::Manifest;
use crate::net::HostStats;
use crate::report::model::{ComparedBy, Drift, DriftedDay, Rest, RunResult, stretches};
use crate::report::{Collector, Report, human};
use crate::run::Todo;
use crate::run::event::{DayDone, DayId, Event, FileEnd};
use crate::untrusted::escape;

/// How many days a report lists.
const LISTED: usize = 1000;

/// Everything that is different, by day.
#[derive(Debug, Serialize)]
pub(super) struct UpdateResult {
    sunhaul: &'static str,
    job: String,
    lock: String,
    dry_run: bool,
    /// Days that were compared.
    compared: u64,
    /// Days that could not be brought up to date: the lock keeps what it has of them.
    not_updated: u64,
    /// Files whose hashes were compared, where a sample was fetched.
    sampled: u64,
    added: u64,
    removed: u64,
    /// Of the removed ones: those that the manifest does not ask for any more.
    #[serde(skip_serializing_if = "is_zero")]
    not_asked_for: u64,
    changed: u64,
    /// Files whose bytes are the same, of records with other keywords.
    keywords_changed: u64,
    /// By what files were compared, of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<ComparedBy>,
    /// Days that could not be compared, and why.
    failed: Vec<IncomparableDay>,
    /// Active regions that the source has otherwise now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<RegionChange>,
    /// Days with something different.
    days: Vec<ToldDay>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A day with something different.
#[derive(Debug, Serialize)]
struct ToldDay {
    #[serde(flatten)]
    change: DayChange,
    /// By what its files were compared, of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<ComparedBy>,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpdateForm {
    /// As JSON, with all files.
    Json,
    /// A line for each day.
    Days,
    /// Each file with its hashes.
    Files,
}

/// The same as its report has it.
pub(super) struct Lost {
    pub(super) day: DayId,
    pub(super) path: Option<String>,
    pub(super) failure: Failure,
}

/// A day that could not be compared.
#[derive(Debug, Serialize)]
pub(super) struct IncomparableDay {
    pub(super) series: String,
    pub(super) date: chrono::NaiveDate,
    /// The file, when it was the sample that failed.
    pub(super) path: Option<String>,
    pub(super) class: &'static str,
    pub(super) message: String,
}

impl UpdateResult {
    pub(super) fn of(job: &Manifest, dry_run: bool) -> UpdateResult {
        UpdateResult {
            sunhaul: "update/1",
            job: job.name.clone(),
            lock: lock::path_of(&job.path).to_string_lossy().into_owned(),
            dry_run,
            compared: 0,
            not_updated: 0,
            sampled: 0,
            not_asked_for: 0,
            added: 0,
            removed: 0,
            changed: 0,
            keywords_changed: 0,
            by: dry_run.then(ComparedBy::default),
            failed: Vec::new(),
            regions: Vec::new(),
            days: Vec::new(),
        }
    }

    /// The same with regions that have changed.
    pub(super) fn with_regions(self, regions: Vec<RegionChange>) -> UpdateResult {
        UpdateResult { regions, ..self }
    }

    /// Takes in one day that was only compared.
    pub(super) fn add_compared(&mut self, change: DayChange, by: ComparedBy) {
        self.by.get_or_insert_default().add(by);
        self.take(change, Some(by));
    }

    /// Takes in one day that was updated.
    pub(super) fn add(&mut self, change: DayChange) {
        self.take(change, None);
    }

    fn take(&mut self, change: DayChange, by: Option<ComparedBy>) {
        self.compared += 1;
        self.added += change.added.len() as u64;
        self.removed += change.removed.len() as u64;
        self.changed += change.changed.len() as u64;
        self.keywords_changed += change.keywords_changed;
        if !change.is_empty() {
            self.days.push(ToldDay { change, by });
        }
    }

    /// Counts what is left of so many days when those that were done are taken in.
    pub(super) fn of_days(&mut self, asked: u64) {
        self.not_updated = asked.saturating_sub(self.compared);
    }

    /// Takes in files whose hashes were compared.
    pub(super) fn sampled(&mut self, files: u64) {
        self.sampled += files;
    }

    /// Takes in removed files that the manifest does not ask for any more.
    pub(super) fn not_asked_for(&mut self, files: u64) {
        self.not_asked_for += files;
    }

    /// Takes in what could not be compared.
    pub(super) fn failed(&mut self, failed: IncomparableDay) {
        self.failed.push(failed);
    }

    /// True when something is different.
    pub(super) fn has_drifted(&self) -> bool {
        !self.days.is_empty() || !self.regions.is_empty()
    }

    /// The report of it: `days` were asked for, and `lost` could not be compared.
    pub(super) fn report(
        &self,
        collector: &Collector,
        days: &[Todo],
        lost: Vec<Lost>,
        hosts: Vec<HostStats>,
        exit: Exit,
    ) -> Report {
        let mut by_day: BTreeMap<DayId, Vec<Lost>> = BTreeMap::new();
        for one in lost {
            by_day.entry(one.day.clone()).or_default().push(one);
        }
        collector.fold(&Event::Planned { planned: by_day.len() as u64, already_sealed: 0 });
        let is_of = |change: &DayChange, day: &DayId| change.series == day.series.0 && change.date == day.date;
        let differs = |day: &DayId| self.days.iter().any(|one| is_of(&one.change, day));
        let is_same = |todo: &&Todo| !by_day.contains_key(&todo.id()) && !differs(&todo.id());
        let same = days.iter().filter(is_same).map(|todo| (&todo.series, todo.day.window));
        let same = stretches(same, Rest::AsLocked);
        for (day, lost) in by_day {
            let (files, whole): (Vec<Lost>, Vec<Lost>) = lost.into_iter().partition(|one| one.path.is_some());
            collector.fold(&Event::DayListed { day: day.clone(), files: files.len() as u64, have: 0, bytes: None });
            for Lost { path, failure, .. } in files {
                let (key, end) = (path.clone().unwrap_or_default(), FileEnd::Failed(Box::new(failure)));
                collector.fold(&Event::FileDone { day: day.clone(), key, path, end });
            }
            let error = whole.into_iter().next().map(|one| one.failure);
            collector.fold(&Event::DayDone(DayDone { error, ..DayDone::nothing(day) }));
        }
        collector.fold(&Event::Hosts(hosts));
        let result = if exit == Exit::Complete { RunResult::Complete } else { RunResult::Incomplete };
        let mut report = collector.finish(result, exit.code(), now());
        report.other_days = same;
        let listed = self.days.iter().take(LISTED).map(|day| drifted(&day.change, day.by));
        report.drift = Some(Drift {
            compared: self.compared,
            sampled: self.sampled,
            added: self.added,
            removed: self.removed,
            changed: self.changed,
            keywords_changed: self.keywords_changed,
            by: self.by.unwrap_or_default(),
            days: listed.collect(),
            days_omitted: self.days.len().saturating_sub(LISTED) as u64,
        });
        report
    }

    /// Prints it on standard output.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) fn print(&self, form: UpdateForm) -> Result<()> {
        if form == UpdateForm::Json { stdout::print_json(self) } else { stdout::print(&self.text(form)) }
    }

    fn text(&self, form: UpdateForm) -> String {
        let regions = self
            .regions
            .iter()
            .map(|change| format!("{} {}\n{}", escape(&change.series), change.region, change.text()));
        let days = self.days.iter().map(|ToldDay { change, by }| match form {
            UpdateForm::Days => line_of_day(change, *by),
            UpdateForm::Files | UpdateForm::Json => files_of_day(change, self.dry_run),
        });
        let failed = self.failed.iter().map(|failed| {
            let what = failed.path.as_deref().unwrap_or("the whole day");
            format!("{} {} {}: {}\n", escape(&failed.series), failed.date, escape(what), failed.message)
        });
        regions.chain(days).chain(failed).chain([self.last_line()]).collect()
    }

    fn last_line(&self) -> String {
        let days = human::count(self.compared, "day");
        let verb = if self.dry_run { "compared" } else { "updated" };
        let alone = self.days.iter().filter(|day| day.change.digest.is_some()).count() as u64;
        let what = match (self.has_drifted(), alone) {
            // Some files were not compared, so they may have changed.
            (false, _) if self.by.is_some_and(|by| by.nothing > 0) => "no files added or removed".to_owned(),
            (false, _) => "nothing changed".to_owned(),
            (true, 0) if self.changed == 0 && self.by.is_some_and(|by| !by.says_what_changed()) => {
                format!("{} added, {} removed", self.added, self.removed)
            }
            (true, 0) => format!("{} added, {} removed, {} changed", self.added, self.removed, self.changed),
            (true, _) => format!("{} changed", human::count(alone, "digest")),
        };
        let mut out = format!("{days} {verb}: {what}");
        // Writing to a String cannot fail.
        if !self.regions.is_empty() {
            let _ = write!(out, ", {} with other patches", human::count(self.regions.len() as u64, "region"));
        }
        if self.keywords_changed > 0 {
            let _ = write!(out, ", {} with other keywords and the same data", self.keywords_changed);
        }
        if self.not_asked_for > 0 {
            let _ = write!(
                out,
                "; the manifest no longer asks for {} of the removed ones",
                human::number(self.not_asked_for)
            );
        }
        if self.sampled > 0 {
            let _ = write!(out, "; {} fetched and hashed", human::count(self.sampled, "file"));
        }
        if let Some(by) = self.by.as_ref().and_then(ComparedBy::words) {
            let _ = write!(out, "; {by}");
        }
        if self.not_updated > 0 {
            let _ = write!(
                out,
                "; {} not updated: the lock keeps them as they were, and `sunhaul run` restores replaced files",
                human::count(self.not_updated, "day")
            );
        }
        if !self.failed.is_empty() {
            let _ = write!(out, "; {} could not be compared", self.failed.len());
        }
        out.push('\n');
        out
    }
}

/// A day in figures: `sharp_720s 2015-12-11: 1 added, 0 removed, 0 changed`, and what was replaced below it.
fn line_of_day(day: &DayChange, by: Option<ComparedBy>) -> String {
    let words = if day.digest.is_some() { "another digest".to_owned() } else { drifted(day, by).words() };
    let by = by.and_then(|by| by.words()).map(|by| format!("; {by}")).unwrap_or_default();
    format!("{} {}: {words}{by}\n{}", escape(&day.series), day.date, replaced(day))
}

/// A day with each of its files that differs.
fn files_of_day(day: &DayChange, dry_run: bool) -> String {
    let mut out = format!("{} {}\n", escape(&day.series), day.date);
    // Writing to a String cannot fail.
    for file in &day.added {
        let _ = writeln!(out, "  added    {}{}", escape(name(&file.path, &file.key)), hash(file.sha256));
    }
    for file in &day.removed {
        let _ = writeln!(out, "  removed  {}{}", escape(name(&file.path, &file.key)), hash(file.sha256));
    }
    for file in &day.changed {
        let _ = writeln!(out, "  changed  {}", escape(&file.path));
        let shown = |digest: Option<Digest>, none: &str| digest.map_or(none.to_owned(), |d| d.to_string());
        let _ = writeln!(out, "           old {}", shown(file.old, "absent"));
        let none = if dry_run { "not fetched: its size, key, storage or keywords differ" } else { "absent" };
        let _ = writeln!(out, "           new {}", shown(file.new, none));
    }
    if day.keywords_changed > 0 {
        let _ = writeln!(out, "  {}: keywords changed, data the same", human::count(day.keywords_changed, "file"));
    }
    out.push_str(&replaced(day));
    if let Some([old, new]) = &day.digest {
        let _ = writeln!(out, "  digest   old {old}\n           new {new}");
    }
    out
}

/// How a day differs, in figures.
fn drifted(day: &DayChange, by: Option<ComparedBy>) -> DriftedDay {
    DriftedDay {
        series: day.series.clone(),
        date: day.date,
        added: day.added.len() as u64,
        removed: day.removed.len() as u64,
        changed: day.changed.len() as u64,
        keywords_changed: day.keywords_changed,
        by: by.unwrap_or_default(),
    }
}

/// The records of a day that gave way to those of a preferred series, a line for each series.
fn replaced(day: &DayChange) -> String {
    let line = |(series, records): (&String, &u64)| {
        format!("  {} of {} replaced by definitive ones\n", human::count(*records, "record"), escape(series))
    };
    day.replaced.iter().map(line).collect()
}

/// What to call a file: a listing alone may give no path.
fn name<'a>(path: &'a str, key: &'a str) -> &'a str {
    if path.is_empty() { key } else { path }
}

fn hash(sha256: Option<Digest>) -> String {
    sha256.map(|sha256| format!("\n           {sha256}")).unwrap_or_default()
}
