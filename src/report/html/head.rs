//! The head of the page: how the run ended, of what it is, and the sums.
//!
//! It does not choose an exit code; it says what the report's means.

use crate::report::advice::{doubt, is_left_to_a_run};
use crate::report::human;
use crate::report::model::{Drift, Report, RunResult, Totals};
use crate::untrusted::escape;

/// How the run ended, in words.
#[derive(Debug)]
pub(super) struct RunVerdict {
    /// The report's word; also the class of its colour.
    pub(super) word: &'static str,
    /// What that means.
    pub(super) sentence: &'static str,
}

impl RunVerdict {
    pub(super) fn for_report(report: &Report) -> RunVerdict {
        let word = match report.run.result {
            RunResult::Running => "running",
            RunResult::Complete => "complete",
            RunResult::Incomplete => "incomplete",
            RunResult::Interrupted => "interrupted",
        };
        let sentence = match (report.run.result, report.run.exit_code) {
            (RunResult::Running, _) => "The run went on when this was written, or died without a word.",
            _ if report.drift.as_ref().is_some_and(|drift| !drift.days.is_empty()) => {
                "Upstream is not as the lock says any more."
            }
            (RunResult::Complete, _) if report.drift.is_some() => "Upstream is as the lock says.",
            (RunResult::Complete, _) if doubt(report).is_some() => {
                "The source has nothing that matches. If that cannot be, check what the manifest requests."
            }
            (RunResult::Complete, _) => "Every requested day is there, and every file of it was checked.",
            (RunResult::Interrupted, _) => "It was interrupted. The same command resumes it.",
            (_, Some(0)) => "What there was to take in is there; a run fetches the rest.",
            _ if is_left_to_a_run(report) => {
                "Files of the folder were not taken in. A run fetches them from their source."
            }
            (_, Some(3)) => "Files or days are not those that the lock names.",
            (_, Some(4)) => "Something is missing for a temporary reason. Run the same command again later.",
            (_, Some(5)) => "This machine's storage failed. Make room or mend it, then run the same command again.",
            _ => "Something is missing, and a retry will not help by itself. The failures below say why.",
        };
        RunVerdict { word, sentence }
    }
}

/// The page's title.
pub(super) fn title(report: &Report) -> String {
    escape(&report.job.name).into_owned()
}

/// What the run is, each fact with its name.
pub(super) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let Report { run, job, .. } = report;
    let instant = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let took = run.finished.and_then(|end| (end - run.started).to_std().ok());
    let mut facts = vec![("Run", escape(&run.id).into_owned()), ("Started", instant(run.started))];
    facts.extend(run.finished.map(|end| ("Finished", instant(end))));
    facts.extend(took.map(|took| ("Took", human::span(took))));
    facts.extend(run.exit_code.map(|code| ("Exit code", code.to_string())));
    facts.push(("Manifest", escape(&job.manifest).into_owned()));
    facts.push(("SHA-256", escape(&job.manifest_sha256).into_owned()));
    if let Some(lock) = &job.lock_sha256 {
        facts
            .push(("Lock", format!("{}{}", escape(lock), if job.lock_changed { ", changed by this run" } else { "" })));
    }
    facts.push(("sunhaul", escape(&run.version).into_owned()));
    facts
}

/// A figure of the report.
#[derive(Debug)]
pub(super) struct Count {
    /// What it counts.
    pub(super) name: &'static str,
    /// Where it stands in the report, as a JSON pointer.
    pub(super) at: String,
    /// The raw number.
    pub(super) value: u64,
    /// As a person reads it.
    pub(super) shown: String,
}

/// What `update --dry-run` found.
pub(super) fn drift(drift: &Drift) -> Vec<Count> {
    let Drift { compared, sampled, added, removed, changed, keywords_changed, by, days: _, days_omitted } = drift;
    let counts = [
        ("days compared", "compared", compared),
        ("files fetched to compare", "sampled", sampled),
        ("files added", "added", added),
        ("files removed", "removed", removed),
        ("files changed", "changed", changed),
        ("files with other keywords alone", "keywords_changed", keywords_changed),
        ("files compared by hash", "by/hash", &by.hash),
        ("files compared by size", "by/size", &by.size),
        ("files compared by record number", "by/recnum", &by.recnum),
        ("files not compared", "by/nothing", &by.nothing),
        ("days not listed", "days_omitted", days_omitted),
    ];
    let count = |(name, of, value): (&'static str, &str, &u64)| Count {
        name,
        at: format!("/drift/{of}"),
        value: *value,
        shown: human::number(*value),
    };
    counts.into_iter().map(count).collect()
}

/// Figures of one kind.
#[derive(Debug)]
pub(super) struct Card {
    /// What they count.
    pub(super) title: &'static str,
    /// The figure that matters most, and its name.
    pub(super) first: Count,
    /// The others.
    pub(super) rest: Vec<Count>,
    /// Those that are zero.
    pub(super) zero: Vec<Count>,
}

impl Card {
    fn new(title: &'static str, of: &str, counts: &[(&'static str, u64)], show: fn(u64) -> String) -> Card {
        let count = |&(name, value): &(&'static str, u64)| {
            let at = format!("/totals/{of}/{}", name.replace(' ', "_"));
            Count { name, at, value, shown: show(value) }
        };
        let (zero, rest) = counts[1..].iter().map(count).partition(|count| count.value == 0);
        Card { title, first: count(&counts[0]), rest, zero }
    }
}

/// All sums of a report.
pub(super) fn cards(totals: &Totals) -> [Card; 4] {
    let Totals { days, files, bytes, requests } = totals;
    let number = human::number as fn(u64) -> String;
    [
        Card::new(
            "Days",
            "days",
            &[
                ("sealed", days.sealed),
                ("planned", days.planned),
                ("provisional", days.provisional),
                ("failed", days.failed),
                ("held", days.held),
                ("unfinished", days.unfinished),
                ("already sealed", days.already_sealed),
            ],
            number,
        ),
        Card::new(
            "Files",
            "files",
            &[
                ("fetched", files.fetched),
                ("listed", files.listed),
                ("have", files.have),
                ("renamed", files.renamed),
                ("restored", files.restored),
                ("adopted", files.adopted),
                ("kept", files.kept),
                ("absent", files.absent),
                ("failed", files.failed),
                ("unfinished", files.unfinished),
                ("resumed", files.resumed),
                ("restarted", files.restarted),
                ("replaced", files.replaced),
                ("restamped", files.restamped),
                ("quarantined", files.quarantined),
            ],
            number,
        ),
        Card::new(
            "Bytes",
            "bytes",
            &[("fetched", bytes.fetched), ("resumed", bytes.resumed), ("adopted", bytes.adopted), ("kept", bytes.kept)],
            human::bytes,
        ),
        Card::new(
            "Requests",
            "requests",
            &[("sent", requests.sent), ("retried", requests.retried), ("throttled", requests.throttled)],
            number,
        ),
    ]
}
