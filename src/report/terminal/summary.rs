//! The last words of a run: what was got, from whom and how, what is missing, and how to go on.
//!
//! It does not count; it reads the report.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::{Paint, Verbosity, messages};
use crate::report::advice::{advice, cadence_gaps, doubt, regions, replaced};
use crate::report::human;
use crate::report::model::{Report, ReportFailure, ReportHost, RunResult};
use crate::untrusted::escape;

/// How many failures are named; the report has the others.
const NAMED: usize = 5;

/// What the last words are made from.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    /// The finished report.
    pub report: &'a Report,
    /// The archive's root.
    pub root: &'a Path,
    /// What became of the lock, in a line; safe to show.
    pub lock: Option<&'a str>,
    /// The lock may not be moved: a provisional day that is as it says is left out like a sealed one.
    pub is_held: bool,
    /// The files of sealed days were looked at.
    pub is_checked: bool,
    /// Where the report is.
    pub saved: &'a Path,
    /// The command that goes on from here.
    pub again: &'a str,
}

/// The last words, ready to print; `None` when there is nothing that a quiet user wants to hear.
#[must_use]
pub fn summary(what: &Summary<'_>, verbosity: Verbosity, paint: Paint) -> Option<String> {
    let report = what.report;
    let complete = report.run.result == RunResult::Complete;
    if complete && verbosity == Verbosity::Quiet {
        return None;
    }
    let mut out = headline(what, paint);
    // Writing to a String cannot fail.
    if report.totals.days.planned > 0 {
        let _ = write!(out, "\n  {}", days(report, what.is_held));
    }
    let files = files(report);
    if !files.is_empty() {
        let _ = write!(out, "\n  {files}");
    }
    for line in replaced(report).chain(regions(report)) {
        let _ = write!(out, "\n  {line}");
    }
    for host in &report.hosts {
        let _ = write!(out, "\n  {}", asked(host));
    }
    if let Some(lock) = what.lock {
        let _ = write!(out, "\n  lock: {lock}");
    }
    for (name, path) in [("archive", what.root), ("report", what.saved)] {
        let _ = write!(out, "\n  {name}: {}", messages::safe(&path.to_string_lossy()));
    }
    let lost = folded(&report.failures);
    if !lost.is_empty() {
        let _ = write!(out, "\n{}{}", paint.strong("missing:"), missing_lines(&lost, report.failures_omitted));
    }
    // Failures of one kind share their hint: each is shown once.
    let hint =
        |(failure, _): &(&ReportFailure, u64)| messages::why(failure.class, failure.attempts, &failure.message).1;
    let hints: BTreeSet<_> = lost.iter().filter_map(hint).collect();
    for hint in hints.iter().take(NAMED) {
        let _ = write!(out, "\n{} {hint}", paint.strong("hint:"));
    }
    if let Some(command) = explanation(&report.failures) {
        let _ = write!(out, "\nfor more information, run: {command}");
    }
    for warning in [doubt(report), cadence_gaps(report)].into_iter().flatten() {
        let _ = write!(out, "\n{} {warning}", paint.care("warning:"));
    }
    if !complete {
        let advice = advice(report, !hints.is_empty());
        let _ = write!(out, "\n{} {}", paint.strong(&format!("{advice}:")), messages::safe(what.again));
    }
    Some(out)
}

/// The first failures, a line each, and how many more there are.
fn missing_lines(lost: &[(&ReportFailure, u64)], omitted: u64) -> String {
    let mut out = String::new();
    for (failure, days) in lost.iter().take(NAMED) {
        let what = failure.path.as_deref().or(failure.key.as_deref());
        let what = match days {
            1 => escape(what.unwrap_or("the whole day")).into_owned(),
            2 => "and 1 more day".to_owned(),
            days => format!("and {} more days", human::number(days - 1)),
        };
        let (why, _) = messages::why(failure.class, failure.attempts, &failure.message);
        let _ = write!(out, "\n  {} {} {what}: {why}", escape(&failure.series), failure.date);
    }
    let more = lost.iter().skip(NAMED).map(|(_, days)| days).sum::<u64>() + omitted;
    if more > 0 {
        let _ = write!(out, "\n  and {} more in the report", human::number(more));
    }
    out
}

/// The command that explains the classes of the failures.
fn explanation(failures: &[ReportFailure]) -> Option<String> {
    let classes: BTreeSet<&str> = failures.iter().map(|failure| failure.class.name()).collect();
    let classes: Vec<&str> = classes.into_iter().take(NAMED).collect();
    (!classes.is_empty()).then(|| format!("sunhaul explain {}", classes.join(" ")))
}

/// The failures, each with how many days it stands for: days that failed whole and for one reason are told once.
pub(in crate::report) fn folded(failures: &[ReportFailure]) -> Vec<(&ReportFailure, u64)> {
    let mut folded: Vec<(&ReportFailure, u64)> = Vec::new();
    let mut told: HashMap<_, usize> = HashMap::new();
    for failure in failures {
        let why = messages::sameness(&failure.series, failure.class, &failure.message);
        match told.get(&why) {
            Some(&at) if failure.key.is_none() => folded[at].1 += 1,
            _ => {
                if failure.key.is_none() {
                    told.insert(why, folded.len());
                }
                folded.push((failure, 1));
            }
        }
    }
    folded
}

/// `december complete: 30 files fetched, 16.5 MiB in 1.4 s`
fn headline(what: &Summary<'_>, paint: Paint) -> String {
    let Summary { report, is_held, is_checked, .. } = *what;
    let word = match report.run.result {
        RunResult::Complete => paint.good("complete"),
        RunResult::Interrupted => paint.care("interrupted"),
        RunResult::Incomplete => paint.bad("incomplete"),
        RunResult::Running => paint.care("running"),
    };
    let (days, totals, job) = (&report.totals.days, &report.totals, escape(&report.job.name));
    if days.planned == 0 && report.run.result == RunResult::Complete {
        let how = if is_held { "as the lock says" } else { "sealed" };
        let whose = if days.already_sealed == 1 { "its" } else { "their" };
        let files = if is_checked { "are there" } else { "were not checked (--check does that)" };
        return format!("{job} {word}: nothing to do, {} {how}; {whose} files {files}", all(days.already_sealed));
    }
    let files = &totals.files;
    let (count, bytes, how) = if report.run.is_adoption {
        (files.adopted, totals.bytes.adopted, "adopted")
    } else {
        (files.fetched, totals.bytes.fetched, "fetched")
    };
    let took = report.run.finished.unwrap_or(report.run.started) - report.run.started;
    let moved =
        [(files.renamed, "renamed"), (files.restored, "taken back")].into_iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = moved.map(|(count, how)| format!("{} {how}", human::count(count, "file"))).collect();
    parts.push(format!("{} {how}", human::count(count, "file")));
    format!(
        "{job} {word}: {}, {} in {}",
        parts.join(", "),
        human::bytes(bytes),
        human::span(took.to_std().unwrap_or_default()),
    )
}

/// `the only day is`, `all 12 days are`.
fn all(days: u64) -> String {
    if days == 1 { "the only day is".to_owned() } else { format!("all {} are", human::count(days, "day")) }
}

/// `6 days planned: 4 sealed, 1 provisional, 1 failed; 12 were sealed before`
fn days(report: &Report, is_held: bool) -> String {
    let days = &report.totals.days;
    let ended = [
        (days.sealed, "sealed"),
        (days.provisional, "provisional"),
        (days.failed, "failed"),
        (days.held, "held by another process"),
        (days.unfinished, "not finished"),
    ];
    let mut out = format!("{} planned", human::count(days.planned, "day"));
    let parts: Vec<String> = listed(&ended);
    if !parts.is_empty() {
        out = format!("{out}: {}", parts.join(", "));
    }
    if days.already_sealed > 0 {
        let how = if is_held { "as the lock says" } else { "sealed before" };
        out = format!("{out}; {} {how}", human::number(days.already_sealed));
    }
    out
}

/// `30 files listed: 24 fetched (2 resumed), 6 there already, 1 absent upstream`
fn files(report: &Report) -> String {
    let files = &report.totals.files;
    let within = listed(&[
        (files.resumed, "resumed"),
        (files.restarted, "restarted"),
        (files.replaced, "in place of others"),
        (files.restamped, "restamped"),
    ]);
    let fetched = if within.is_empty() { "fetched".to_owned() } else { format!("fetched ({})", within.join(", ")) };
    let parts = listed(&[
        (files.fetched, fetched.as_str()),
        (files.adopted, "adopted"),
        (files.renamed, "renamed"),
        (files.restored, "taken back"),
        (files.have, "there already"),
        (files.kept, "kept"),
        (files.absent, "absent upstream"),
        (files.failed, "missing"),
        (files.unfinished, "not finished"),
    ]);
    if parts.is_empty() {
        return String::new();
    }
    // A file that was refused may have arrived intact later, so it is not one of the parts.
    let wrong = match files.quarantined {
        0 => String::new(),
        1 => "; 1 was refused and is in quarantine".to_owned(),
        wrong => format!("; {} were refused and are in quarantine", human::number(wrong)),
    };
    format!("{} listed: {}{wrong}", human::count(files.listed, "file"), parts.join(", "))
}

fn listed(counts: &[(u64, &str)]) -> Vec<String> {
    counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", human::number(*count)))
        .collect()
}

/// `from localhost:8001: 36 requests, at most 8 in a second and 4 at once (private: 8/s, 4 connections), paused 12 s`
fn asked(host: &ReportHost) -> String {
    // The built-in service is its own preset.
    let preset = if host.preset == "embedded" { String::new() } else { format!("{}: ", host.preset) };
    let mut out = format!(
        "from {}: {}, at most {} in a second and {} at once ({preset}{})",
        messages::host(&host.host, &host.preset),
        human::count(host.requests, "request"),
        human::number(host.peak_requests_per_second),
        human::number(host.peak_connections),
        host.limit,
    );
    if host.paused_seconds > 0.0 {
        let pause = Duration::try_from_secs_f64(host.paused_seconds).unwrap_or_default();
        let _ = write!(out, ", paused {}", human::span(pause));
    }
    if host.tunnel_restarts > 0 {
        let _ = write!(out, ", tunnel started again {}", human::count(host.tunnel_restarts, "time"));
    }
    if let Some(agreed) = &host.agreed_with {
        let _ = write!(out, ", agreed with {}", escape(agreed));
    }
    out
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::failure::{self, Class};
    use crate::manifest::SeriesId;
    use crate::net::HostStats;
    use crate::report::Collector;
    use crate::report::model::ReportJob;
    use crate::run::event::{DayDone, DayId, DayState, Event, FileEnd};

    fn collector(events: &[Event]) -> Collector {
        let job = ReportJob {
            name: "december".into(),
            manifest: "jobs/december.yaml".into(),
            manifest_sha256: String::new(),
            lock_sha256: None,
            lock_changed: false,
        };
        let started = "2015-12-14T00:00:00Z".parse().unwrap();
        let collector = Collector::new("20151214T000000Z-00000000000000aa".into(), started, job);
        for event in events {
            collector.fold(event);
        }
        collector
    }

    fn words(collector: &Collector, result: RunResult, code: u8, verbosity: Verbosity) -> Option<String> {
        let report = collector.finish(result, code, "2015-12-14T00:01:05Z".parse().unwrap());
        let (root, saved) =
            (Path::new("/data"), Path::new("/data/.sunhaul/runs/20151214T000000Z-00000000000000aa.json"));
        summary(
            &Summary {
                report: &report,
                root,
                lock: None,
                is_held: false,
                is_checked: false,
                saved,
                again: "sunhaul run jobs/december.yaml",
            },
            verbosity,
            Paint(false),
        )
    }

    fn day() -> DayId {
        DayId { series: SeriesId("sharp_720s".into()), date: "2015-12-11".parse().unwrap() }
    }

    #[test]
    fn an_incomplete_run_says_what_is_missing_and_how_to_go_on() {
        let mut events = vec![
            Event::Planned { planned: 2, already_sealed: 4 },
            Event::DayListed { day: day(), files: 9, have: 0, bytes: None },
        ];
        for number in 0..7 {
            let failure = failure::Failure {
                attempts: 6,
                ..failure::Failure::new(Class::FitsChecksum, "HDU 1: DATASUM does not match")
            };
            let path = (number > 0).then(|| format!("sharp_720s/2015/12/11/{number}.fits"));
            events.push(Event::FileDone {
                day: day(),
                key: number.to_string(),
                path,
                end: FileEnd::Failed(Box::new(failure)),
            });
        }
        events.push(Event::FileDone {
            day: day(),
            key: "x".into(),
            path: None,
            end: FileEnd::Fetched {
                bytes: 2 << 20,
                resumed_bytes: 0,
                restarted: false,
                replaced: false,
                restamped: false,
                from: None,
            },
        });
        let (state, files, bytes) = (DayState::Failed, 1, 2 << 20);
        events.push(Event::DayDone(DayDone { state, files, bytes, ..DayDone::nothing(day()) }));
        events.push(Event::Hosts(vec![HostStats {
            host: "localhost:8001".into(),
            preset: "private".into(),
            limit: "8/s, 4 connections".into(),
            requests: 44,
            peak_connections: 4,
            peak_requests_per_second: 8,
            paused_seconds: 12.0,
            tunnel_restarts: 2,
            ..HostStats::default()
        }]));
        let collector = collector(&events);
        let text = words(&collector, RunResult::Incomplete, 1, Verbosity::Quiet).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_hint_that_many_failures_share_is_told_once_and_the_command_after_it() {
        let lost = |number: usize| {
            let full = format!("could not write `{number}.fits`: no storage space; hint: free some space");
            let failure = failure::Failure::new(Class::Storage, full);
            Event::FileDone { day: day(), key: number.to_string(), path: None, end: FileEnd::Failed(Box::new(failure)) }
        };
        let collector = collector(&(0..7).map(lost).collect::<Vec<_>>());
        let text = words(&collector, RunResult::Incomplete, 5, Verbosity::Quiet).unwrap();
        assert_eq!(text.matches("free some space").count(), 1, "{text}");
        let end = "\n  and 2 more in the report\nhint: free some space\nfor more information, run: sunhaul explain storage\n\
             then continue with: sunhaul run jobs/december.yaml";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_rerun_of_a_whole_job_says_that_there_was_nothing_to_do() {
        let collector = collector(&[Event::Planned { planned: 0, already_sealed: 6 }]);
        let text = words(&collector, RunResult::Complete, 0, Verbosity::Normal).unwrap();
        insta::assert_snapshot!(text);
        assert_eq!(words(&collector, RunResult::Complete, 0, Verbosity::Quiet), None);
    }

    #[test]
    fn an_interrupted_run_tells_the_command_that_goes_on() {
        let collector = collector(&[
            Event::Planned { planned: 2, already_sealed: 0 },
            Event::DayListed { day: day(), files: 9, have: 1, bytes: None },
            Event::FileDone { day: day(), key: "x".into(), path: None, end: FileEnd::Have },
        ]);
        let text = words(&collector, RunResult::Interrupted, 130, Verbosity::Normal).unwrap();
        assert!(text.ends_with("continue with: sunhaul run jobs/december.yaml"), "{text}");
        assert!(text.contains("2 days planned: 2 not finished"), "{text}");
        assert!(text.contains("9 files listed: 1 there already, 8 not finished"), "{text}");
        assert!(!text.contains("missing"), "{text}");
    }
}
