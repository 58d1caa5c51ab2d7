//! The report as JUnit XML, in the form that Jenkins and GitLab take: a suite a series, a case a day.
//!
//! There is no standard of it; this keeps to the schema of Jenkins' xUnit plugin (`junit-10.xsd`). A day that another
//! process holds, and one without an end, is a skipped case. It does not name every file of a day that failed.

mod xml;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::NaiveDate;

use super::calendar::{Cell, ReportCalendar};
use super::human;
use super::model::{DriftedDay, Report, ReportDay, ReportFailure};
use super::terminal::{safe, why};
use crate::untrusted::escape;

/// How many failures of one day are told.
const TOLD: usize = 20;

/// What a report says of one day besides its cell.
#[derive(Default)]
struct CaseFacts<'a> {
    day: Option<&'a ReportDay>,
    drifted: Option<&'a DriftedDay>,
    failures: Vec<&'a ReportFailure>,
}

/// How a case ended.
enum CaseEnd {
    Passed,
    Skipped(String),
    Failed { class: String, message: String, all: String },
}

/// One case.
struct Case {
    name: String,
    seconds: Option<f64>,
    end: CaseEnd,
}

/// The document, a line break at its end.
#[must_use]
pub fn document(report: &Report) -> String {
    let mut suites: Vec<(String, Vec<Case>)> = Vec::new();
    if let Some(error) = &report.run.error {
        let all = error.lines().map(safe).collect::<Vec<_>>().join("\n");
        let message = all.lines().next().unwrap_or_default().to_owned();
        let end = CaseEnd::Failed { class: "run".to_owned(), message, all };
        let name = escape(&report.job.name).into_owned();
        suites.push((name, vec![Case { name: "run".to_owned(), seconds: None, end }]));
    }
    let facts = facts(report);
    for series in ReportCalendar::from_report(report).series {
        let case = |(date, cell): (&NaiveDate, &Cell)| {
            let nothing = CaseFacts::default();
            case(*date, *cell, facts.get(&(series.id.as_str(), *date)).unwrap_or(&nothing))
        };
        suites.push((escape(&series.id).into_owned(), series.days.iter().map(case).collect()));
    }
    write(report, &suites)
}

fn facts(report: &Report) -> BTreeMap<(&str, NaiveDate), CaseFacts<'_>> {
    let mut facts: BTreeMap<(&str, NaiveDate), CaseFacts<'_>> = BTreeMap::new();
    for day in &report.days {
        facts.entry((&day.series, day.date)).or_default().day = Some(day);
    }
    for failure in &report.failures {
        facts.entry((&failure.series, failure.date)).or_default().failures.push(failure);
    }
    for day in report.drift.iter().flat_map(|drift| &drift.days) {
        facts.entry((&day.series, day.date)).or_default().drifted = Some(day);
    }
    facts
}

fn case(date: NaiveDate, cell: Cell, facts: &CaseFacts<'_>) -> Case {
    let end = match cell {
        Cell::Sealed | Cell::Before | Cell::Provisional | Cell::Absent | Cell::AsLocked => CaseEnd::Passed,
        Cell::Held => {
            let why = facts.day.and_then(|day| day.error.as_deref()).unwrap_or("another process has it");
            CaseEnd::Skipped(safe(why))
        }
        Cell::Missing => CaseEnd::Skipped("not finished: the same command resumes it".to_owned()),
        Cell::Drifted => drifted(facts.drifted),
        Cell::Failed => failed(facts),
    };
    Case { name: date.to_string(), seconds: facts.day.and_then(|day| day.seconds), end }
}

fn drifted(day: Option<&DriftedDay>) -> CaseEnd {
    let message = format!("upstream differs from the lock: {}", day.map(DriftedDay::words).unwrap_or_default());
    CaseEnd::Failed { class: "drift".to_owned(), all: message.clone(), message }
}

fn failed(facts: &CaseFacts<'_>) -> CaseEnd {
    let Some(first) = facts.failures.first() else {
        let why = facts.day.and_then(|day| day.error.as_deref()).unwrap_or("files of it are missing");
        return CaseEnd::Failed { class: "failed".to_owned(), message: safe(why), all: safe(why) };
    };
    let tell = |failure: &&ReportFailure| {
        let what = failure
            .path
            .as_deref()
            .or(failure.key.as_deref())
            .map_or_else(String::new, |what| format!("{} ", escape(what)));
        let (told, hint) = why(failure.class, failure.attempts, &failure.message);
        let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{what}{told}{hint}")
    };
    let mut all: Vec<String> = facts.failures.iter().take(TOLD).map(tell).collect();
    let more = facts.failures.len().saturating_sub(TOLD) as u64;
    if more > 0 {
        all.push(format!("and {} more in the report", human::number(more)));
    }
    let message = all[0].lines().next().unwrap_or_default();
    let message = match facts.failures.len() {
        1 => message.to_owned(),
        count => format!("{message} (and {} more)", count - 1),
    };
    CaseEnd::Failed { class: first.class.name().to_owned(), message, all: all.join("\n") }
}

/// Writing to a String cannot fail.
fn write(report: &Report, suites: &[(String, Vec<Case>)]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let all = || suites.iter().flat_map(|(_, cases)| cases);
    let took = report.run.finished.and_then(|end| (end - report.run.started).to_std().ok()).unwrap_or_default();
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{}\">",
        xml::text(&escape(&report.job.name)),
        all().count(),
        all().filter(|case| matches!(case.end, CaseEnd::Failed { .. })).count(),
        seconds(took.as_secs_f64()),
    );
    for (index, (name, cases)) in suites.iter().enumerate() {
        let count = |wanted: fn(&CaseEnd) -> bool| cases.iter().filter(|case| wanted(&case.end)).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" id=\"{index}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" \
             timestamp=\"{}\" time=\"{}\" file=\"{}\">",
            xml::text(name),
            cases.len(),
            count(|end| matches!(end, CaseEnd::Failed { .. })),
            count(|end| matches!(end, CaseEnd::Skipped(_))),
            // In UTC: the older readers of the form take no zone.
            report.run.started.format("%Y-%m-%dT%H:%M:%S"),
            seconds(cases.iter().filter_map(|case| case.seconds).sum()),
            xml::text(&escape(&report.job.manifest)),
        );
        properties(&mut out, report);
        for one in cases {
            write_case(&mut out, name, one);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn write_case(out: &mut String, series: &str, case: &Case) {
    let time = case.seconds.map(|took| format!(" time=\"{}\"", seconds(took))).unwrap_or_default();
    let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\"{time}", xml::text(series), xml::text(&case.name));
    let _ = match &case.end {
        CaseEnd::Passed => writeln!(out, "/>"),
        CaseEnd::Skipped(why) => writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", xml::text(why)),
        CaseEnd::Failed { class, message, all } => writeln!(
            out,
            ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
            xml::text(class),
            xml::text(message),
            xml::text(all)
        ),
    };
}

fn properties(out: &mut String, report: &Report) {
    let (days, files, bytes) = (&report.totals.days, &report.totals.files, &report.totals.bytes);
    let texts = [
        ("run", escape(&report.run.id).into_owned()),
        ("version", escape(&report.run.version).into_owned()),
        ("manifest_sha256", escape(&report.job.manifest_sha256).into_owned()),
        ("lock_sha256", escape(report.job.lock_sha256.as_deref().unwrap_or_default()).into_owned()),
        ("lock_changed", report.job.lock_changed.to_string()),
        ("exit_code", report.run.exit_code.map(|code| code.to_string()).unwrap_or_default()),
    ];
    let counts = [
        ("days.planned", days.planned),
        ("days.sealed", days.sealed),
        ("days.already_sealed", days.already_sealed),
        ("days.provisional", days.provisional),
        ("days.failed", days.failed),
        ("days.held", days.held),
        ("days.unfinished", days.unfinished),
        ("files.listed", files.listed),
        ("files.fetched", files.fetched),
        ("files.failed", files.failed),
        ("bytes.fetched", bytes.fetched),
        ("requests.sent", report.totals.requests.sent),
    ];
    let counts = counts.into_iter().map(|(name, count)| (name, count.to_string()));
    out.push_str("    <properties>\n");
    for (name, value) in texts.into_iter().chain(counts) {
        let _ = writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", xml::text(&value));
    }
    out.push_str("    </properties>\n");
}

/// Seconds as the schema has them: digits and a fraction, never an exponent or a sign.
fn seconds(seconds: f64) -> String {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    format!("{}.{:03}", span.as_secs(), span.subsec_millis())
}

#[cfg(test)]
mod tests;
