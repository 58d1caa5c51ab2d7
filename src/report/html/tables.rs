//! The report's lists, as the page's tables and cards show them.
//!
//! Texts from outside are escaped here, and once more as HTML by the template.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::quicklook::{Picture, QuickLook};
use crate::report::human;
use crate::report::model::{Report, ReportDay, ReportFailure, ReportHost, SizeCount};
use crate::run::event::DayState;
use crate::untrusted::escape;

/// A row with a bar.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) name: String,
    /// Where the count stands in the report, as a JSON pointer; empty where there is none.
    pub(super) at: String,
    pub(super) count: u64,
    pub(super) count_shown: String,
    /// A second figure; empty where there is none.
    pub(super) more: String,
    /// The bar's length, 0 to 100.
    pub(super) length: u64,
}

/// Files by size.
pub(super) fn sizes(sizes: &[SizeCount]) -> Vec<Share> {
    let most = sizes.iter().map(|size| size.files).max().unwrap_or_default();
    let row = |(index, size): (usize, &SizeCount)| Share {
        name: match size.at_least {
            0 => "empty".to_owned(),
            least => format!("{} to {}", human::bytes(least), human::bytes(least.saturating_mul(2))),
        },
        at: format!("/sizes/{index}/files"),
        count: size.files,
        count_shown: human::number(size.files),
        more: String::new(),
        length: share(size.files, most),
    };
    sizes.iter().enumerate().map(row).collect()
}

/// What was waited for: pauses that hosts asked for, then waits before another attempt.
pub(super) fn waits(report: &Report) -> Vec<Share> {
    let paused = report.hosts.iter().map(|host| host.paused_seconds);
    let longest = report.waits.iter().map(|wait| wait.seconds).chain(paused).fold(0.0, f64::max);
    let row = |name: String, at: String, count: u64, seconds: f64| Share {
        name,
        at,
        count,
        count_shown: human::number(count),
        more: span(seconds),
        length: share(thousandths(seconds), thousandths(longest)),
    };
    let hosts = report.hosts.iter().enumerate().filter(|(_, host)| host.paused_seconds > 0.0);
    let hosts = hosts.map(|(_, host)| {
        row(format!("{} asked for a pause", escape(&host.host)), String::new(), 0, host.paused_seconds)
    });
    let tries = report.waits.iter().enumerate();
    let tries = tries.map(|(index, wait)| {
        row(format!("another try after {}", wait.class), format!("/waits/{index}/times"), wait.times, wait.seconds)
    });
    hosts.chain(tries).collect()
}

/// One host.
#[derive(Debug)]
pub(super) struct HostCard {
    pub(super) name: String,
    pub(super) preset: String,
    pub(super) limit: String,
    pub(super) index: usize,
    pub(super) peak_connections: u64,
    pub(super) peak_requests_per_second: u64,
    pub(super) requests: u64,
    pub(super) requests_shown: String,
    pub(super) bytes: u64,
    pub(super) bytes_shown: String,
    /// Further facts, each with its name.
    pub(super) facts: Vec<(&'static str, String)>,
}

/// All hosts.
pub(super) fn hosts(hosts: &[ReportHost]) -> Vec<HostCard> {
    let card = |(index, host): (usize, &ReportHost)| {
        let answers = host.status_counts.iter();
        let answers = answers.map(|(status, count)| format!("{} × {}", human::number(*count), escape(status)));
        let mut facts = vec![("Answers", answers.collect::<Vec<_>>().join(", "))];
        facts.push(("Left alone", span(host.paused_seconds)));
        facts.extend(host.agreed_with.as_ref().map(|who| ("Agreed with", escape(who).into_owned())));
        facts.push(("Contact sent", host.contact.as_ref().map_or("none".to_owned(), |who| escape(who).into_owned())));
        if host.tunnel_restarts > 0 {
            facts.push(("Tunnel started again", human::number(host.tunnel_restarts)));
        }
        HostCard {
            name: escape(&host.host).into_owned(),
            preset: escape(&host.preset).into_owned(),
            limit: escape(&host.limit).into_owned(),
            index,
            peak_connections: host.peak_connections,
            peak_requests_per_second: host.peak_requests_per_second,
            requests: host.requests,
            requests_shown: human::number(host.requests),
            bytes: host.bytes,
            bytes_shown: human::bytes(host.bytes),
            facts,
        }
    };
    hosts.iter().enumerate().map(card).collect()
}

/// One failure.
#[derive(Debug)]
pub(super) struct FailureRow {
    pub(super) series: String,
    pub(super) date: String,
    pub(super) what: String,
    pub(super) class: &'static str,
    pub(super) attempts: u32,
    pub(super) status: String,
    pub(super) message: String,
}

/// All failures of the report.
pub(super) fn failures(failures: &[ReportFailure]) -> Vec<FailureRow> {
    let row = |failure: &ReportFailure| FailureRow {
        series: escape(&failure.series).into_owned(),
        date: failure.date.to_string(),
        what: escape(failure.path.as_ref().or(failure.key.as_ref()).map_or("the whole day", String::as_str))
            .into_owned(),
        class: failure.class.name(),
        attempts: failure.attempts,
        status: failure.status.map(|status| status.to_string()).unwrap_or_default(),
        message: crate::untrusted::on_terminal(&failure.message, false).into_owned(),
    };
    failures.iter().map(row).collect()
}

/// One day.
#[derive(Debug)]
pub(super) struct DayTableRow {
    pub(super) series: String,
    pub(super) date: String,
    pub(super) state: &'static str,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) bytes_shown: String,
    pub(super) absent: u64,
    /// The digest's first digits, or why there is none.
    pub(super) digest: String,
}

/// All days of the report.
pub(super) fn days(days: &[ReportDay], failures: &[ReportFailure]) -> Vec<DayTableRow> {
    let row = |day: &ReportDay| DayTableRow {
        series: escape(&day.series).into_owned(),
        date: day.date.to_string(),
        state: match day.state {
            DayState::Sealed => "sealed",
            DayState::Provisional => "provisional",
            DayState::Failed => "failed",
            DayState::Held => "held",
        },
        files: day.files,
        bytes: day.bytes,
        bytes_shown: human::bytes(day.bytes),
        absent: day.absent,
        digest: match (&day.digest, &day.error) {
            (Some(digest), _) => escape(digest.trim_start_matches("sha256:")).chars().take(16).collect(),
            (None, Some(error)) => escape(error).into_owned(),
            (None, None) => {
                match failures.iter().filter(|one| (&one.series, one.date) == (&day.series, day.date)).count() {
                    0 => String::new(),
                    lost => format!("{} missing: see the failures", human::count(lost as u64, "file")),
                }
            }
        },
    };
    days.iter().map(row).collect()
}

/// One quick look.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) title: String,
    pub(super) path: String,
    /// The picture as base64 with its width and height, and what is told of it; or why there is none.
    pub(super) seen: Result<(String, (u32, u32), String), String>,
}

/// All quick looks.
pub(super) fn looks(looks: &[QuickLook]) -> Vec<Looked> {
    let told = |picture: &Picture| {
        let Picture { png, size, of: (width, height), scale: (low, high), unit } = picture;
        let unit = unit.as_ref().map(|unit| format!(" {}", escape(unit))).unwrap_or_default();
        let told = format!("{width} × {height} pixels, black {} to white {}{unit}", figure(*low), figure(*high));
        (BASE64_STANDARD.encode(png), *size, told)
    };
    let row = |look: &QuickLook| Looked {
        title: format!("{} {}", escape(&look.series), look.date),
        path: escape(&look.path).into_owned(),
        seen: look.seen.as_ref().map(told).map_err(|why| escape(why).into_owned()),
    };
    looks.iter().map(row).collect()
}

/// About four figures, as values of pixels are told.
fn figure(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size if (100.0..1e6).contains(&size) => format!("{value:.0}"),
        size if (0.01..100.0).contains(&size) => format!("{value:.2}"),
        _ => format!("{value:.2e}"),
    };
    text.replace('-', "−")
}

fn share(part: u64, of: u64) -> u64 {
    // Never round down to nothing: a value above zero is visible.
    (part * 100).checked_div(of).unwrap_or_default().max(u64::from(part > 0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and is not negative")]
fn thousandths(seconds: f64) -> u64 {
    (seconds * 1000.0).min(1e15) as u64
}

fn span(seconds: f64) -> String {
    human::span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
