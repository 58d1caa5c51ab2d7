//! `plan --list`: what the sources have for the days to do, and what fetching it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;
use url::Url;

use super::sizes::{LockedSizes, Size};
use crate::archive::Archive;
use crate::cli::asking;
use crate::cli::clock::{now, run_id};
use crate::cli::sources::Sources;
use crate::cli::table::{Side, Table};
use crate::cli::{Exit, Result, Shell};
use crate::failure::Class;
use crate::lock::Held;
use crate::manifest::manners::{self, Effective};
use crate::manifest::{Bandwidth, Manifest, Rate, SeriesId, SourceSpec, Way};
use crate::net::{Net, shown};
use crate::plan::{Plan, PlannedDay};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::source::{Body, Listed, Replicas};
use crate::untrusted::escape;

/// What the days to do hold.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    days: Vec<ListedDay>,
    hosts: Vec<Effort>,
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
    /// Bytes of all its files, those taken from the lock that the listing does not give: those of the file itself, else the
    /// mean of the series' files; null where neither tells.
    expected_bytes: Option<u64>,
    outside_day: u64,
    duplicates: u64,
    /// Instants of the cadence that have no record near them.
    without_record: u64,
    /// The addresses of its first and its last file by key, without secrets.
    first: Option<String>,
    last: Option<String>,
    /// Why it could not be listed.
    error: Option<String>,
}

/// What a run asks of one host group.
#[derive(Debug, Serialize)]
struct Effort {
    host: String,
    /// Listings and files.
    requests: u64,
    /// Null when neither a listing nor the lock gives a size.
    bytes: Option<u64>,
    /// The limits in force, in words.
    limit: String,
    /// The least time that the limits allow; null when they limit nothing, or the sizes that they limit are not told.
    seconds: Option<f64>,
    /// Only the bytes are limited, and neither a listing nor the lock tells any.
    #[serde(skip)]
    is_unknown: bool,
}

/// Asks the sources of a plan's days.
///
/// # Errors
/// When a source cannot be opened, or the disk cannot be asked. A day that cannot be listed is told, and is no error.
pub(super) async fn ask(job: &Manifest, plan: &Plan, lock: Option<&Held>, net: &Net, shell: &Shell) -> Result<Listing> {
    let mut sources = Sources::default();
    let with_days = plan.series.iter().filter(|series| series.counts.planned > 0);
    let wanted: BTreeSet<&SeriesId> = with_days.map(|series| &series.id).collect();
    let bases = sources.bases(job, |id| wanted.contains(id)).await?;
    let run = run_id(now());
    let mut listing =
        Listing { days: Vec::new(), hosts: Vec::new(), free_bytes: free(&job.archive.root)?, failed: BTreeSet::new() };
    let mut efforts = Efforts { job, by_group: BTreeMap::new() };
    for series in &job.series {
        let Some(bases) = bases.get(&series.id) else { continue };
        let source = Replicas::open(net, job, series, bases, &run)?;
        let days: Vec<PlannedDay<'_>> = plan.to_do().filter(|day| *day.id == series.id).collect();
        let asked = days.iter().map(|day| asking::list(job, series, &source, &day.day, shell));
        let mut answered = listing.days.len();
        let tell = |_: &_| {
            answered += 1;
            show(answered, plan.counts().planned, shell);
        };
        let answers = stream::iter(asked).buffered(source.current().client().concurrency().max(1)).inspect(tell);
        let answers: Vec<_> = answers.collect().await;
        let base = source.current().client().base();
        let sizes = LockedSizes::of(lock, &series.id);
        for (day, answer) in days.iter().zip(answers) {
            // An empty day has no bytes, and that is known.
            let none = answer.as_ref().is_ok_and(|listed| listed.files.is_empty()).then_some(0);
            efforts.add(&series.source, base, base, none);
            let listed = match answer {
                Ok(listed) => {
                    let locked = sizes.of_day(day.day.date)?;
                    for file in listed.files.iter().filter(|file| file.body == Body::Remote) {
                        efforts.add(&series.source, base, &file.url, locked.of(file).bytes());
                    }
                    let files = listed.files.iter().filter(|file| file.body != Body::None);
                    let sizes: Vec<Size> = files.map(|file| locked.of(file)).collect();
                    listed_day(day, &listed, &sizes)
                }
                Err(failure) => {
                    listing.failed.insert(failure.class);
                    let unlisted = listed_day(day, &Listed::default(), &[]);
                    ListedDay { bytes: None, expected_bytes: None, error: Some(failure.message), ..unlisted }
                }
            };
            listing.days.push(listed);
        }
    }
    sources.close().await;
    shell.screen.without_bars(|| ());
    listing.hosts = efforts.by_group.into_iter().map(|(host, effort)| Effort::new(host, effort)).collect();
    Ok(listing)
}

/// Shows how far the asking is, on a terminal.
fn show(answered: usize, all: u64, shell: &Shell) {
    if shell.verbosity > Verbosity::Quiet {
        let text = format!("listed {answered} of {}", human::count(all, "day"));
        shell.screen.draw(|size| vec![text.chars().take(size.columns.saturating_sub(1)).collect()]);
    }
}

/// What a run asks of each host group: requests, bytes where they are told, and the limits.
struct Efforts<'a> {
    job: &'a Manifest,
    by_group: BTreeMap<String, (u64, Option<u64>, Effective)>,
}

impl Efforts<'_> {
    /// One more request to `url`, which a source at `base` has led to.
    fn add(&mut self, source: &SourceSpec, base: &Url, url: &Url, bytes: Option<u64>) {
        let reach = source.reach();
        let is_elsewhere = url.origin() != base.origin() && reach.is_some_and(|reach| reach.leads_to(url));
        let (url, way) = if is_elsewhere { (url, Way::Direct) } else { (base, source.way()) };
        let tunnel = reach.and_then(|reach| reach.tunnel.as_ref()).filter(|_| !is_elsewhere);
        let group = if way == Way::Embedded { "embedded".to_owned() } else { manners::group_of(url, tunnel) };
        let new = || (0, None, manners::effective(url, way, &self.job.limits));
        let (requests, known, _) = self.by_group.entry(group).or_insert_with(new);
        *requests += 1;
        *known = [*known, bytes].into_iter().flatten().reduce(u64::saturating_add);
    }
}

fn listed_day(day: &PlannedDay<'_>, listed: &Listed, sizes: &[Size]) -> ListedDay {
    let mut named =
        listed.files.iter().filter(|file| file.body == Body::Remote).map(|file| escape(&shown(&file.url)).into_owned());
    let first = named.next();
    let told: Vec<u64> = sizes.iter().filter_map(Size::listed).collect();
    // An empty day has no bytes, and that is known.
    let is_told = !told.is_empty() || listed.files.is_empty();
    ListedDay {
        series: day.id.to_string(),
        date: day.day.date,
        files: sizes.len() as u64,
        bytes: is_told.then(|| told.iter().sum()),
        files_with_size: told.len() as u64,
        expected_bytes: sizes.iter().map(Size::bytes).sum(),
        outside_day: listed.outside_day,
        duplicates: listed.duplicates,
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

impl Effort {
    fn new(host: String, (requests, bytes, limits): (u64, Option<u64>, Effective)) -> Effort {
        let by_requests = match limits.requests {
            Rate::Unlimited => None,
            #[expect(clippy::cast_precision_loss, reason = "an estimate of seconds")]
            Rate::PerSecond(rate) => Some(requests as f64 / rate),
        };
        let by_bytes = match limits.bandwidth {
            Bandwidth::Unlimited => None,
            #[expect(clippy::cast_precision_loss, reason = "an estimate of seconds")]
            Bandwidth::BytesPerSecond(rate) => bytes.map(|bytes| bytes as f64 / rate as f64),
        };
        let seconds = [by_requests, by_bytes].into_iter().flatten().reduce(f64::max);
        let mut words = match limits.requests {
            Rate::Unlimited => "unlimited".to_owned(),
            Rate::PerSecond(rate) => format!("{rate}/s"),
        };
        // Writing to a String cannot fail.
        let _ = write!(words, ", {}", human::count(u64::from(limits.concurrency), "connection"));
        if let Bandwidth::BytesPerSecond(rate) = limits.bandwidth {
            let _ = write!(words, ", {}", human::rate(rate));
        }
        let is_unknown = seconds.is_none() && limits.bandwidth != Bandwidth::Unlimited;
        // The built-in service is its own preset.
        let preset = if limits.preset == host { String::new() } else { format!("{}: ", limits.preset) };
        Effort { host, requests, bytes, limit: format!("{preset}{words}"), seconds, is_unknown }
    }
}

impl Listing {
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
        let columns = [("days listed", Side::Right), ("files", Side::Right), ("size", Side::Right)];
        let mut table = Table::new(&[&[("series", Side::Left)], columns.as_slice()].concat());
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
            table.row([escape(id).into_owned(), human::number(days.len() as u64), human::number(files), size]);
        }
        let mut out = format!("\n{}\n", table.render());
        out.push_str(&self.ends());
        let failed = self.days.iter().filter(|day| day.error.is_some()).count();
        // Without any listing nothing can be estimated.
        let hosts = self.hosts.iter().filter(|_| failed < self.days.len());
        let rest = if failed > 0 { ", without the days that were not listed" } else { "" };
        // Writing to a String cannot fail.
        for host in hosts {
            let time = host.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let time = match time {
                Some(time) => format!("at least {}", human::span(time)),
                None if host.is_unknown => "time unknown since no sizes are told".to_owned(),
                None => "as fast as it can".to_owned(),
            };
            let requests = human::count(host.requests, "request");
            let _ = writeln!(out, "{}: about {requests}, {time} ({}){rest}", escape(&host.host), host.limit);
        }
        let _ = writeln!(out, "free where the archive is: {}", human::bytes(self.free_bytes));
        let needed: u64 = self.days.iter().filter_map(|day| day.expected_bytes.or(day.bytes)).sum();
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
    use super::*;

    fn day(date: &str, files: u64, files_with_size: u64) -> ListedDay {
        ListedDay {
            series: "sharp_720s".into(),
            date: date.parse().unwrap(),
            files,
            bytes: (files_with_size > 0).then_some(files_with_size * 576_000),
            files_with_size,
            expected_bytes: (files_with_size == files).then_some(files * 576_000),
            outside_day: 0,
            duplicates: 0,
            without_record: 0,
            first: None,
            last: None,
            error: None,
        }
    }

    fn limits(requests: Rate, bandwidth: Bandwidth) -> Effective {
        Effective { requests, bandwidth, concurrency: 4, preset: "private", agreed_with: None }
    }

    #[test]
    fn the_slower_of_the_limits_gives_the_time() {
        let seconds = |requests, bandwidth| {
            Effort::new("h".into(), (80, Some(100 << 20), limits(requests, bandwidth))).seconds.map(f64::round)
        };
        assert_eq!(seconds(Rate::PerSecond(8.0), Bandwidth::Unlimited), Some(10.0));
        assert_eq!(seconds(Rate::PerSecond(8.0), Bandwidth::BytesPerSecond(5 << 20)), Some(20.0));
        assert_eq!(seconds(Rate::Unlimited, Bandwidth::Unlimited), None);
        let untold = Effort::new("h".into(), (80, None, limits(Rate::Unlimited, Bandwidth::BytesPerSecond(5 << 20))));
        assert_eq!((untold.seconds, untold.is_unknown), (None, true));
    }

    #[test]
    fn sizes_that_are_not_told_are_not_made_up_and_a_day_that_failed_is_named() {
        let mut failed = day("2015-12-13", 0, 0);
        failed.error = Some("http://localhost:8001/HMI: refused".into());
        let effort = (33, Some(9), limits(Rate::PerSecond(8.0), Bandwidth::BytesPerSecond(20 << 20)));
        let listing = Listing {
            days: vec![day("2015-12-11", 5, 5), day("2015-12-12", 27, 20), failed],
            hosts: vec![Effort::new("localhost:8001".into(), effort)],
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
            let text = Listing { days, hosts: Vec::new(), free_bytes: 5 << 30, failed: BTreeSet::new() }.render();
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
