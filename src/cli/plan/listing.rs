//! `plan --list`: what the sources have for the days to do, and what fetching it takes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::archived::{Archived, NextRequest};
use super::consequences::DaysFromRecords;
use super::hosts::{HostLoad, HostLoads};
use super::sizes::{DaySizes, FileSize, LockedSizes};
use crate::archive::{Archive, Reader};
use crate::cli::clock::{now, run_id};
use crate::cli::query_retry;
use crate::cli::sources::Sources;
use crate::cli::table::{Side, TextTable};
use crate::cli::{Exit, Result, Shell};
use crate::failure::{Class, Failure};
use crate::lock::LockWithRecords;
use crate::manifest::{Manifest, Series, SeriesId};
use crate::net::{Net, shown};
use crate::plan::{Plan, PlannedDay};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::source::{Body, Listed, RemoteFile, Replicas};
use crate::untrusted::escape;

/// What the days to do hold.
#[derive(Debug, Serialize)]
pub(super) struct PlanListing {
    days: Vec<ListedDay>,
    hosts: Vec<HostLoad>,
    /// Free bytes where the archive is or will be.
    free_bytes: u64,
    #[serde(skip)]
    failed: BTreeSet<Class>,
}

/// One day, as its source lists it now.
#[derive(Debug, Serialize)]
struct ListedDay {
    series: String,
    date: NaiveDate,
    files: u64,
    /// Bytes of the files whose size the listing gives; null when it gives none.
    bytes: Option<u64>,
    /// How many files these are.
    files_with_size: u64,
    /// How many of its files the archive has, as far as the listing tells.
    files_here: u64,
    /// Bytes of those that are to be fetched, by the listing or the lock; null where neither tells any.
    fetch_bytes: Option<u64>,
    /// Bytes of all its files, those taken from the lock that the listing does not give: those of the file itself, else the
    /// mean of the series' files; null where neither tells.
    expected_bytes: Option<u64>,
    outside_day: u64,
    duplicates: u64,
    /// Slots of the cadence.
    cadence_slots: u64,
    /// Those of them that have no record.
    without_record: u64,
    /// The addresses of its first and its last file by key, without secrets.
    first: Option<String>,
    last: Option<String>,
    /// Why it could not be listed.
    error: Option<String>,
}

/// A listed file, and what a run does with it.
struct ListedFile<'l> {
    remote: &'l RemoteFile,
    size: FileSize,
    next: NextRequest,
}

impl ListedFile<'_> {
    /// True where a run asks its host for it.
    fn is_requested(&self) -> bool {
        self.remote.body == Body::Remote && self.next != NextRequest::Keep
    }

    /// The bytes of the answer, as far as they are known: none of a file that has not changed.
    fn answer_bytes(&self) -> Option<u64> {
        if self.next == NextRequest::Fetch { self.size.bytes() } else { Some(0) }
    }
}

/// Asks the sources of a plan's days, but for those that a run does from their records.
///
/// # Errors
/// When a source cannot be opened, or the disk cannot be asked. A day that cannot be listed is told, and is no error.
pub(super) async fn ask(
    job: &Manifest,
    plan: &Plan,
    from_records: &DaysFromRecords,
    lock: Option<&LockWithRecords>,
    net: &Net,
    shell: &Shell,
) -> Result<PlanListing> {
    let mut sources = Sources::default();
    let with_days = plan.series.iter().filter(|series| series.counts.planned > 0);
    let wanted: BTreeSet<&SeriesId> = with_days.map(|series| &series.id).collect();
    let bases = sources.bases(job, |id| wanted.contains(id)).await?;
    let at = now();
    let run = run_id(at);
    let mut listing = PlanListing {
        days: Vec::new(),
        hosts: Vec::new(),
        free_bytes: free(&job.archive.root)?,
        failed: BTreeSet::new(),
    };
    let mut loads = HostLoads::new(&job.limits);
    let reader = Reader::open(&job.archive.root)?;
    let to_list = plan.counts().planned - from_records.count() as u64;
    for series in &job.series {
        let Some(bases) = bases.get(&series.id) else { continue };
        let source = Replicas::open(net, job, series, bases, &run)?;
        let is_listed = |day: &PlannedDay<'_>| *day.id == series.id && !from_records.has(day.series, day.day.date);
        let days: Vec<PlannedDay<'_>> = plan.to_do().filter(is_listed).collect();
        let mut listed = listing.days.len();
        let responses = stream::iter(days.iter().map(|day| query_retry::list(job, series, &source, &day.day, shell)))
            .buffered(source.current().client().concurrency().max(1))
            .inspect(|_| {
                listed += 1;
                show(listed, to_list, shell);
            });
        let responses: Vec<Result<Listed, Failure>> = responses.collect().await;
        let base = source.current().client().base();
        let sizes = LockedSizes::for_series(lock, &series.id);
        for (day, response) in days.iter().zip(responses) {
            // An empty day has no bytes, and that is known.
            let none = response.as_ref().is_ok_and(|listed| listed.files.is_empty()).then_some(0);
            loads.add(&series.source, base, base, 1, none);
            listing.days.push(match response {
                Ok(listed) => {
                    let locked = sizes.of_day(day.day.date)?;
                    let archived = Archived::on_day(&reader, series, day, &locked, at)?;
                    let files = next_requests(series, &listed, &locked, archived);
                    for file in files.iter().filter(|file| file.is_requested()) {
                        loads.add(&series.source, base, &file.remote.url, 1, file.answer_bytes());
                    }
                    listed_day(day, &listed, &files)
                }
                Err(failure) => {
                    listing.failed.insert(failure.class);
                    unlisted_day(day, failure)
                }
            });
        }
    }
    sources.close().await;
    shell.screen.without_bars(|| ());
    listing.hosts = loads.finish();
    Ok(listing)
}

/// The files of a listed day, each with what a run does with it.
fn next_requests<'l>(
    series: &Series,
    listed: &'l Listed,
    locked: &DaySizes,
    archived: Archived,
) -> Vec<ListedFile<'l>> {
    let archived = archived.by_listed_keys(series, &listed.files);
    let files = listed.files.iter().filter(|file| file.body != Body::None);
    files
        .map(|remote| ListedFile { remote, size: locked.of_file(remote), next: archived.next(series, remote) })
        .collect()
}

/// A day that could not be listed.
fn unlisted_day(day: &PlannedDay<'_>, failure: Failure) -> ListedDay {
    let empty = listed_day(day, &Listed::default(), &[]);
    ListedDay { bytes: None, fetch_bytes: None, expected_bytes: None, error: Some(failure.message), ..empty }
}

/// Shows on a terminal how many days are listed.
fn show(listed: usize, all: u64, shell: &Shell) {
    if shell.verbosity > Verbosity::Quiet {
        let text = format!("listed {listed} of {}", human::count(all, "day"));
        shell.screen.draw(|size| vec![text.chars().take(size.columns.saturating_sub(1)).collect()]);
    }
}

fn listed_day(day: &PlannedDay<'_>, listed: &Listed, files: &[ListedFile<'_>]) -> ListedDay {
    let mut named =
        listed.files.iter().filter(|file| file.body == Body::Remote).map(|file| escape(&shown(&file.url)).into_owned());
    let first = named.next();
    let told: Vec<u64> = files.iter().filter_map(|file| file.size.listed()).collect();
    let missing: Vec<&ListedFile<'_>> = files.iter().filter(|file| file.next == NextRequest::Fetch).collect();
    let missing_bytes: Vec<u64> = missing.iter().filter_map(|file| file.size.bytes()).collect();
    // An empty day has no bytes, and that is known.
    let is_told = !told.is_empty() || listed.files.is_empty();
    ListedDay {
        series: day.id.to_string(),
        date: day.day.date,
        files: files.len() as u64,
        bytes: is_told.then(|| told.iter().sum()),
        files_with_size: told.len() as u64,
        files_here: (files.len() - missing.len()) as u64,
        fetch_bytes: (missing.is_empty() || !missing_bytes.is_empty()).then(|| missing_bytes.iter().sum()),
        expected_bytes: files.iter().map(|file| file.size.bytes()).sum(),
        outside_day: listed.outside_day,
        duplicates: listed.duplicates,
        cadence_slots: listed.cadence_slots,
        without_record: listed.without_record,
        last: named.next_back().or_else(|| first.clone()),
        first,
        error: None,
    }
}

/// Free bytes where the root is, or at the nearest folder above that exists: planning makes no folder.
fn free(root: &Path) -> Result<u64> {
    let here = PathBuf::from(".");
    let above = root.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    let folder = above.map(Path::to_path_buf).find(|folder| folder.exists()).unwrap_or(here);
    Ok(Archive::free_bytes(&folder)?)
}

impl PlanListing {
    /// How the command ends: as the worst listing.
    pub(super) fn exit(&self) -> Exit {
        self.failed.iter().map(|class| Exit::of_class(*class)).max().unwrap_or(Exit::Complete)
    }

    /// The first and the last file of each series: whether these are the files that were meant, a person sees.
    fn ends(&self) -> String {
        let mut out = String::new();
        for days in self.days.chunk_by(|a, b| a.series == b.series) {
            let (first, last) =
                (days.iter().find_map(|day| day.first.as_ref()), days.iter().rev().find_map(|day| day.last.as_ref()));
            let id = escape(&days[0].series);
            // Writing to a String cannot fail.
            let _ = match (first, last) {
                (Some(first), Some(last)) if first != last => {
                    writeln!(out, "{id}: from {first}\n{}to {last}", " ".repeat(id.width() + 4))
                }
                (Some(only), _) => writeln!(out, "{id}: {only}"),
                _ => continue,
            };
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    /// What is listed, as text.
    pub(super) fn render(&self) -> String {
        let columns = ["days listed", "files", "here already", "size"].map(|name| (name, Side::Right));
        let mut table =
            TextTable::new(&[&[("series", Side::Left)], columns.as_slice()].concat()).without_zeros(&["here already"]);
        let mut series: Vec<&str> = self.days.iter().map(|day| day.series.as_str()).collect();
        series.dedup();
        for id in series {
            let days: Vec<&ListedDay> =
                self.days.iter().filter(|day| day.series == id && day.error.is_none()).collect();
            let sum = |of: fn(&ListedDay) -> u64| days.iter().map(|day| of(day)).sum::<u64>();
            let (files, sized, bytes) =
                (sum(|day| day.files), sum(|day| day.files_with_size), sum(|day| day.bytes.unwrap_or_default()));
            let expected: Option<u64> = days.iter().map(|day| day.expected_bytes).sum();
            let size = match (sized, expected) {
                _ if sized == files => human::bytes(bytes),
                (_, Some(expected)) => format!("about {}", human::bytes(expected)),
                (0, None) => "not told".to_owned(),
                (_, None) => format!("over {}", human::bytes(bytes)),
            };
            let counts = [days.len() as u64, files, sum(|day| day.files_here)].map(human::number);
            table.row(std::iter::once(escape(id).into_owned()).chain(counts).chain([size]));
        }
        let mut out = format!("\n{}\n", table.render());
        out.push_str(&self.ends());
        let failed = self.days.iter().filter(|day| day.error.is_some()).count();
        // Without any listing nothing can be estimated.
        let hosts = self.hosts.iter().filter(|_| failed < self.days.len());
        let rest = if failed > 0 { ", without the days that were not listed" } else { "" };
        // Writing to a String cannot fail.
        for host in hosts {
            let _ = writeln!(out, "{}{rest}", host.line());
        }
        let _ = writeln!(out, "free on the archive's filesystem: {}", human::bytes(self.free_bytes));
        let needed: u64 = self.days.iter().filter_map(|day| day.fetch_bytes).sum();
        if needed > self.free_bytes {
            let _ = writeln!(out, "not enough: {} more", human::bytes(needed - self.free_bytes));
        }
        for day in &self.days {
            if let Some(error) = &day.error {
                let _ = writeln!(out, "not listed: {} {}: {error}", escape(&day.series), day.date);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::hosts;
    use super::*;

    fn day(date: &str, files: u64, files_with_size: u64) -> ListedDay {
        ListedDay {
            series: "sharp_720s".into(),
            date: date.parse().unwrap(),
            files,
            bytes: (files_with_size > 0).then_some(files_with_size * 576_000),
            files_with_size,
            files_here: 0,
            fetch_bytes: (files_with_size > 0).then_some(files_with_size * 576_000),
            expected_bytes: (files_with_size == files).then_some(files * 576_000),
            outside_day: 0,
            duplicates: 0,
            cadence_slots: 0,
            without_record: 0,
            first: None,
            last: None,
            error: None,
        }
    }

    #[test]
    fn sizes_that_are_not_told_are_not_made_up_and_a_day_that_failed_is_named() {
        let mut failed = day("2015-12-13", 0, 0);
        failed.error = Some("http://localhost:8001/HMI: refused".into());
        let listing = PlanListing {
            days: vec![day("2015-12-11", 5, 5), day("2015-12-12", 27, 20), failed],
            hosts: vec![hosts::tests::some()],
            free_bytes: 5 << 30,
            failed: [Class::Unreachable].into(),
        };
        insta::assert_snapshot!(listing.render());
        assert_eq!(listing.exit(), Exit::Later);
    }

    #[test]
    fn a_size_is_as_sure_as_what_tells_it() {
        let size = |days: &[(u64, u64, Option<u64>)]| {
            let shown = |(nth, (files, sized, expected)): (usize, &(u64, u64, Option<u64>))| {
                let date = format!("2015-12-{}", 11 + nth);
                ListedDay { expected_bytes: *expected, ..day(&date, *files, *sized) }
            };
            let days = days.iter().enumerate().map(shown).collect();
            let text = PlanListing { days, hosts: Vec::new(), free_bytes: 5 << 30, failed: BTreeSet::new() }.render();
            let row = text.lines().find(|line| line.starts_with("sharp_720s")).unwrap_or_default();
            row.split_once("  ").map(|(_, rest)| rest.rsplit("  ").next().unwrap_or_default().trim().to_owned())
        };
        for (days, shown) in [
            (&[(2, 2, Some(1_152_000))][..], "1.1 MiB"),
            (&[(0, 0, Some(0))], "0 B"),
            (&[(2, 0, Some(1 << 20)), (2, 2, Some(1 << 20))], "about 2.0 MiB"),
            (&[(2, 0, Some(1 << 20)), (2, 0, None)], "not told"),
            (&[(2, 2, Some(1_152_000)), (2, 0, None)], "over 1.1 MiB"),
        ] {
            assert_eq!(size(days).as_deref(), Some(shown));
        }
    }
}
