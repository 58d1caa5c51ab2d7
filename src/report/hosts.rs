//! What a run asked of each host, as plain text: to be pasted into a mail to whoever runs the archive.
//!
//! What came of the requests is left out: it is nothing to the archive's operator.

use std::fmt::Write as _;
use std::time::Duration;

use super::human;
use super::model::{Report, ReportHost};
use super::terminal::host;
use crate::untrusted::escape;

/// The text, a block for each host.
#[must_use]
pub fn table(report: &Report) -> String {
    let run = &report.run;
    let ended = run.finished.map_or("still running".to_owned(), |at| at.format("%F %T").to_string());
    let agent =
        if run.user_agent.is_empty() { "not in this report".into() } else { escape(&run.user_agent).into_owned() };
    let mut out = String::new();
    let head = [
        ("job", escape(&report.job.name).into_owned()),
        ("run", escape(&run.id).into_owned()),
        ("began (UTC)", run.started.format("%F %T").to_string()),
        ("ended (UTC)", ended),
        ("User-Agent", agent),
    ];
    rows(&mut out, &head);
    if report.hosts.is_empty() {
        out.push_str("\nNo host was asked.\n");
    }
    for one in &report.hosts {
        out.push('\n');
        rows(&mut out, &facts(one));
    }
    out
}

fn facts(one: &ReportHost) -> Vec<(&'static str, String)> {
    let statuses =
        one.status_counts.iter().map(|(status, count)| format!("{}: {}", escape(status), human::number(*count)));
    let statuses: Vec<String> = statuses.collect();
    let paused = Duration::try_from_secs_f64(one.paused_seconds).unwrap_or_default();
    let none = || "-".to_owned();
    let mut facts = vec![
        ("host", host(&one.host, &one.preset)),
        ("contact (From)", one.contact.as_deref().map_or_else(none, |contact| escape(contact).into_owned())),
        ("requests", human::number(one.requests)),
        ("at most at once", human::number(one.peak_connections)),
        ("at most in 1 s", human::number(one.peak_requests_per_second)),
        ("limit", format!("{} ({})", escape(&one.limit), escape(&one.preset))),
        ("received", format!("{} ({} bytes)", human::bytes(one.bytes), human::number(one.bytes))),
        ("answers", if statuses.is_empty() { none() } else { statuses.join(", ") }),
        ("paused as asked", human::span(paused)),
    ];
    if let Some(agreed) = &one.agreed_with {
        facts.push(("agreed with", escape(agreed).into_owned()));
    }
    facts
}

fn rows(out: &mut String, facts: &[(&str, String)]) {
    for (name, value) in facts {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<16} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::tests::bare;
    use super::*;

    #[test]
    fn an_operator_reads_what_was_asked_by_whom_and_how() {
        let mut report = bare();
        report.run.user_agent = crate::net::user_agent("december", "20151214T000000Z-00000000000000aa");
        report.hosts[0].preset = "public".into();
        report.hosts[0].host = "archive.example.org".into();
        report.hosts[0].contact = Some("jane@example.org".into());
        report.hosts[0].agreed_with = Some("J. Doe, 2026-01-08".into());
        insta::assert_snapshot!(table(&report));
    }

    #[test]
    fn c_04_a_host_that_names_itself_with_escapes_is_shown_plainly() {
        let mut report = bare();
        report.hosts[0].host = "a\u{1b}[2J\nUser-Agent: x".into();
        report.hosts[0].preset = "public\u{202e}".into();
        report.hosts[0].status_counts = [("2\u{7}00".to_owned(), 1)].into();
        let text = table(&report);
        assert!(!text.chars().any(|c| c != '\n' && crate::untrusted::acts(c)), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("User-Agent")).count(), 1);
    }
}
