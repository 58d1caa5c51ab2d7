//! The report in GitHub's Markdown: what a person reads on the page of a pull request or of a CI job.
//!
//! GitHub refuses a step's summary of more than 1 MiB: a section is bounded far below, and says what it leaves out.
//! Foreign text is shown as code only.

mod text;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::advice::{advice, cadence_gaps, doubt, regions, replaced};
use super::calendar::ReportCalendar;
use super::human;
use super::model::{Drift, Report, ReportFailure, ReportHost, RunResult};
use super::terminal::{folded, host};
use crate::failure::Class;
use crate::manifest::Diagnostics;
use crate::run::event::DayState;
use text::{block, message, name};

/// How long a list may become, in bytes.
const LIST: usize = 64 << 10;
/// How many failures are told one by one.
const FAILURES: usize = 50;
/// How many months and series a calendar shows.
const MONTHS: usize = 360;
const SERIES: usize = 60;
/// How many hints are told.
const HINTS: usize = 10;

/// The whole section of one run.
#[must_use]
pub fn section(report: &Report) -> String {
    let mut out = headline(report);
    if let Some(error) = &report.run.error {
        out.push('\n');
        out.push_str(&block(error, "text"));
    }
    totals(&mut out, report);
    for warning in [doubt(report), cadence_gaps(report)].into_iter().flatten() {
        let _ = write!(out, "\n{}.\n", sentence(&warning));
    }
    drift(&mut out, report.drift.as_ref());
    calendar(&mut out, &ReportCalendar::from_report(report));
    let hints = missing(&mut out, report);
    held(&mut out, report);
    hosts(&mut out, &report.hosts);
    if let Some(again) = &report.run.again {
        let words = advice(report, !hints.is_empty());
        let _ = write!(out, "\n### Going on\n\n{}:\n\n{}", sentence(&words), block(again, "sh"));
    }
    out.push('\n');
    out
}

/// The same in a line, where there is no room for more.
#[must_use]
pub fn headline(report: &Report) -> String {
    let drifts = |drift: &Drift| !drift.days.is_empty();
    let word = match report.run.result {
        _ if report.drift.as_ref().is_some_and(drifts) => "has drifted from its lock",
        RunResult::Complete if report.drift.is_some() => "is as locked",
        RunResult::Complete => "complete",
        RunResult::Incomplete => "incomplete",
        RunResult::Interrupted => "interrupted",
        RunResult::Running => "running",
    };
    let code = report.run.exit_code.filter(|code| *code > 0).map(|code| format!(" (exit {code})")).unwrap_or_default();
    format!("## sunhaul: {} {word}{code}\n", name(&report.job.name))
}

/// What is wrong with manifests: there is no run to tell of.
#[must_use]
pub fn manifests(wrong: &[Diagnostics]) -> String {
    let count: usize = wrong.iter().map(Diagnostics::count).sum();
    let mut out = format!("## sunhaul: {} in manifests\n\n", human::count(count as u64, "error"));
    out.push_str("| where | what | hint |\n|---|---|---|\n");
    let all = wrong.iter().flat_map(Diagnostics::list);
    let rows = all.map(|one| {
        let place = match one.line {
            0 => one.path.to_string_lossy().into_owned(),
            line => format!("{}:{line}:{}", one.path.to_string_lossy(), one.column),
        };
        let hint = one.hint.as_deref().map(message).unwrap_or_default();
        format!("| {} | {} | {hint} |\n", name(&place), message(&one.message))
    });
    let told = list(&mut out, rows);
    left_out(&mut out, (count as u64).saturating_sub(told), "error");
    out.push('\n');
    out
}

fn totals(out: &mut String, report: &Report) {
    let (days, files, bytes) = (&report.totals.days, &report.totals.files, &report.totals.bytes);
    if days.planned + days.already_sealed > 0 {
        let counts = [
            ("planned", days.planned),
            ("sealed", days.sealed),
            ("provisional", days.provisional),
            ("failed", days.failed),
            ("held", days.held),
            ("not finished", days.unfinished),
            ("sealed before", days.already_sealed),
        ];
        counted(out, "days", &counts);
    }
    if files.listed > 0 {
        let counts = [
            ("listed", files.listed),
            ("fetched", files.fetched),
            ("adopted", files.adopted),
            ("renamed", files.renamed),
            ("taken back", files.restored),
            ("there already", files.have + files.kept),
            ("absent upstream", files.absent),
            ("missing", files.failed),
            ("not finished", files.unfinished),
        ];
        counted(out, "files", &counts);
    }
    let mut facts = Vec::new();
    if bytes.fetched > 0 {
        facts.push(format!("{} fetched", human::bytes(bytes.fetched)));
    }
    if files.quarantined > 0 {
        facts.push(format!("{} arrived corrupt (see the quarantine)", human::count(files.quarantined, "file")));
    }
    facts.extend(replaced(report).map(|line| message(&line)));
    facts.extend(regions(report));
    if let Some(took) = report.run.finished.and_then(|end| (end - report.run.started).to_std().ok()) {
        facts.push(format!("took {}", human::span(took)));
    }
    let lock = match (report.job.lock_changed, &report.job.lock_sha256) {
        (true, _) => "the lock changed",
        (false, Some(_)) => "the lock is as before",
        (false, None) => "there is no lock",
    };
    facts.push(lock.to_owned());
    let (run, manifest) = (name(&report.run.id), name(&report.job.manifest));
    let _ = write!(out, "\n{}. Run {run} of {manifest}.\n", sentence(&facts.join(", ")));
}

/// A table of one row.
fn counted(out: &mut String, what: &str, counts: &[(&str, u64)]) {
    let cells = |cell: &dyn Fn(&(&str, u64)) -> String| counts.iter().map(cell).collect::<Vec<_>>().join(" | ");
    let heads = cells(&|(head, _)| (*head).to_owned());
    let lines = cells(&|_| "--:".to_owned());
    let numbers = cells(&|(_, count)| human::number(*count));
    let _ = write!(out, "\n| {what} | {heads} |\n|---| {lines} |\n| | {numbers} |\n");
}

fn drift(out: &mut String, drift: Option<&Drift>) {
    let Some(drift) = drift else { return };
    let compared = human::count(drift.compared, "day");
    let sampled = match drift.sampled {
        0 => String::new(),
        files => format!("; {} fetched and hashed", human::count(files, "file")),
    };
    let _ = write!(out, "\n### Drift\n\n{compared} compared with the lock{sampled}.\n");
    if let Some(by) = drift.by.words() {
        let _ = writeln!(out, "{by}.");
    }
    if drift.days.is_empty() {
        let words = if drift.by.nothing > 0 { "No file was added or removed.\n" } else { "Nothing differs.\n" };
        out.push_str(words);
        return;
    }
    out.push_str("\n| series | day | added | removed | changed | keywords alone |\n|---|---|--:|--:|--:|--:|\n");
    let rows = drift.days.iter().map(|day| {
        let [added, removed, changed, alone] =
            [day.added, day.removed, day.changed, day.keywords_changed].map(human::number);
        format!("| {} | {} | {added} | {removed} | {changed} | {alone} |\n", name(&day.series), day.date)
    });
    let told = list(out, rows);
    left_out(out, (drift.days.len() as u64 + drift.days_omitted).saturating_sub(told), "day");
}

fn calendar(out: &mut String, calendar: &ReportCalendar) {
    if calendar.series.is_empty() {
        return;
    }
    out.push_str("\n### Days\n");
    let each = (MONTHS / calendar.series.len().clamp(1, SERIES)).max(1);
    for series in calendar.series.iter().take(SERIES) {
        let months = series.months();
        let skipped = months.len().saturating_sub(each);
        let _ = write!(out, "\n{}\n\n```text\n         1   5    10   15   20   25   30\n", name(&series.id));
        for (year, month, cells) in months.iter().skip(skipped) {
            let signs: String = cells.iter().map(|cell| cell.map_or(' ', super::calendar::Cell::sign)).collect();
            let _ = writeln!(out, "{year:04}-{month:02}  {}", signs.trim_end());
        }
        out.push_str("```\n");
        left_out(out, skipped as u64, "earlier month");
    }
    let further = calendar.series.len().saturating_sub(SERIES) as u64;
    if further > 0 {
        let _ = write!(out, "\n{} further series left out here.\n", human::number(further));
    }
    left_out(out, calendar.omitted, "day");
    let legend = calendar.legend().into_iter().map(|cell| format!("`{}` {}", cell.sign(), cell.word()));
    let _ = write!(out, "\n{}\n", legend.collect::<Vec<_>>().join(", "));
}

/// The table of failures; gives their hints.
fn missing(out: &mut String, report: &Report) -> BTreeSet<String> {
    let mut hints = BTreeSet::new();
    let lost = folded(&report.failures);
    if lost.is_empty() {
        return hints;
    }
    out.push_str("\n### Missing\n\n| series | day | file | class | attempts | why |\n|---|---|---|---|--:|---|\n");
    let mut rows = Vec::new();
    for (failure, days) in lost.iter().take(FAILURES) {
        let (row, hint) = row(failure, *days);
        rows.push(row);
        hints.extend(hint);
    }
    let told = list(out, rows.into_iter());
    let told = lost.iter().take(usize::try_from(told).unwrap_or_default()).map(|(_, days)| days).sum::<u64>();
    left_out(out, (report.failures.len() as u64 + report.failures_omitted).saturating_sub(told), "failure");
    let mismatches = report.failures.iter().filter(|failure| failure.class == Class::LockMismatch).count() as u64;
    if mismatches > 0 {
        let _ = write!(out, "\n{} not what the lock says.\n", are(mismatches, "of these is", "of these are"));
    }
    if !hints.is_empty() {
        out.push('\n');
        for hint in hints.iter().take(HINTS) {
            let _ = writeln!(out, "- {}", message(hint));
        }
    }
    hints
}

fn row(failure: &ReportFailure, days: u64) -> (String, Option<String>) {
    let what = failure.path.as_deref().or(failure.key.as_deref());
    let what = match (what, days) {
        (Some(what), _) => name(what),
        (None, 1) => "the whole day".to_owned(),
        (None, days) => format!("the whole day, and {} more", human::count(days - 1, "day")),
    };
    let ReportFailure { series, date, class, attempts, status, message: told, .. } = failure;
    let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
    // Failures of one kind share their hint: it is told once, below the table.
    let (told, hint) = match told.split_once("; hint: ") {
        Some((told, hint)) => (told, Some(hint.to_owned())),
        None => (told.as_str(), None),
    };
    let row = format!("| {} | {date} | {what} | {class}{status} | {attempts} | {} |\n", name(series), message(told));
    (row, hint)
}

fn held(out: &mut String, report: &Report) {
    let held: Vec<_> = report.days.iter().filter(|day| day.state == DayState::Held).collect();
    if held.is_empty() {
        return;
    }
    let rows = held.iter().map(|day| format!("- {} {}\n", name(&day.series), day.date));
    out.push_str("\n### Held by another process\n\n");
    let told = list(out, rows);
    left_out(out, (held.len() as u64).saturating_sub(told), "day");
}

fn hosts(out: &mut String, hosts: &[ReportHost]) {
    if hosts.is_empty() {
        return;
    }
    out.push_str("\n### Hosts\n\n| host | requests | at once | in a second | limit | received | paused |\n");
    out.push_str("|---|--:|--:|--:|---|--:|--:|\n");
    let rows = hosts.iter().map(|one| {
        let pause = human::span(Duration::try_from_secs_f64(one.paused_seconds).unwrap_or_default());
        format!(
            "| {} | {} | {} | {} | {} | {} | {pause} |\n",
            name(&host(&one.host, &one.preset)),
            human::number(one.requests),
            human::number(one.peak_connections),
            human::number(one.peak_requests_per_second),
            name(&one.limit),
            human::bytes(one.bytes),
        )
    });
    let told = list(out, rows);
    left_out(out, (hosts.len() as u64).saturating_sub(told), "host");
}

/// Adds lines until the list is as long as it may be; gives how many were added.
fn list(out: &mut String, lines: impl Iterator<Item = String>) -> u64 {
    let end = out.len() + LIST;
    let mut told = 0;
    for line in lines {
        if out.len() + line.len() > end {
            break;
        }
        out.push_str(&line);
        told += 1;
    }
    told
}

fn left_out(out: &mut String, count: u64, noun: &str) {
    if count > 0 {
        let _ = write!(out, "\n{} left out here.\n", are(count, &format!("{noun} is"), &format!("{noun}s are")));
    }
}

fn are(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", human::number(count), if count == 1 { one } else { many })
}

/// With a capital at its start.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
