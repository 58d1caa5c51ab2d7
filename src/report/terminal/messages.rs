//! The sentences told while a run goes on: one function an event.
//!
//! It does not decide which of them are shown; `progress` does.

use std::time::Duration;

use super::bars::RunTotal;
use crate::failure::{Class, Failure, without_address};
use crate::net::HostStats;
use crate::report::human;
use crate::report::terminal::Paint;
use crate::run::event::{DayDone, DayId, DayState, TakenBack};
use crate::untrusted::escape;

/// A day as it is named everywhere: `sharp_720s 2015-12-11`.
pub(super) fn day(day: &DayId) -> String {
    format!("{} {}", escape(&day.series.0), day.date)
}

/// What became of a day's files, beside what its record says.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayFiles {
    /// Given up.
    pub(super) lost: u64,
    /// Fetched from where an earlier try had stopped.
    pub(super) resumed: u64,
}

/// The end of a day: `sharp_720s 2015-12-11 sealed: 5 files, 2.7 MiB (3 of 6 days)`.
pub(super) fn day_done(done: &DayDone, files: DayFiles, ended: u64, planned: u64, paint: Paint) -> String {
    let state = match done.state {
        DayState::Sealed => paint.good("sealed"),
        DayState::Provisional => paint.care("provisional"),
        DayState::Failed => paint.bad("failed"),
        DayState::Held => paint.care("held"),
    };
    let mut facts = Vec::new();
    match (&done.error, done.state) {
        (Some(failure), DayState::Held) => facts.push(safe(&failure.message)),
        (Some(failure), _) => facts.push(reason(failure)),
        (None, DayState::Held) => facts.push("another process has it".to_owned()),
        (None, DayState::Failed) => facts.push(format!("{} missing", human::count(files.lost, "file"))),
        (None, _) => facts.push(format!("{}, {}", human::count(done.files, "file"), human::bytes(done.bytes))),
    }
    if files.resumed > 0 {
        facts.push(format!("{} resumed", human::number(files.resumed)));
    }
    if done.absent > 0 {
        facts.push(format!("{} absent upstream", human::number(done.absent)));
    }
    if done.outside_day > 0 {
        facts.push(format!("{} listed outside the day", human::number(done.outside_day)));
    }
    if done.duplicates > 0 {
        facts.push(format!("{} listed twice", human::number(done.duplicates)));
    }
    if done.without_record > 0 {
        facts.push(format!("{} have no record", human::of(done.without_record, done.cadence_slots, "slot")));
    }
    format!("{} {state}: {} ({ended} of {})", day(&done.day), facts.join(", "), human::count(planned, "day"))
}

/// A day that lacks files after all: `sharp_720s 2015-12-11 failed: 1 file taken back: redirect: MESSAGE`.
pub(super) fn day_reopened(id: &DayId, taken: &[TakenBack], paint: Paint) -> String {
    let why = taken.first().map(|first| reason(&first.failure)).unwrap_or_default();
    let count = human::count(taken.len() as u64, "file");
    format!("{} {}: {count} taken back: {why}", day(id), paint.bad("failed"))
}

/// A day that the imported folder does not have all of: `sharp_720s 2015-12-11 begun: 3 files are there, 21 are to be fetched`.
pub(super) fn day_left(id: &DayId, files: u64, left: u64, paint: Paint) -> String {
    let (are, to_be) = (if files == 1 { "is" } else { "are" }, if left == 1 { "is" } else { "are" });
    format!(
        "{} {}: {} {are} there, {} {to_be} to be fetched",
        day(id),
        paint.care("begun"),
        human::count(files, "file"),
        human::number(left)
    )
}

/// An attempt that failed: `sharp_720s 2015-12-11 retry in 1.2 s: throttled: MESSAGE`.
pub(super) fn retrying(id: &DayId, failure: &Failure, wait_seconds: f64) -> String {
    let wait = Duration::try_from_secs_f64(wait_seconds).unwrap_or_default();
    format!("{} retry in {}: {}", day(id), human::span(wait), reason(failure))
}

/// A file given up.
pub(super) fn file_failed(id: &DayId, key: &str, failure: &Failure, paint: Paint) -> String {
    format!("{} {} {}: {}", day(id), paint.bad("missing"), escape(key), reason(failure))
}

/// Days that fail whole for one reason have the same of this: their messages differ in the URL, which names the day.
pub(super) fn sameness<'a>(series: &'a str, class: Class, message: &'a str) -> (&'a str, Class, &'a str) {
    (series, class, without_address(message))
}

/// A host as it is named everywhere: the built-in service has another port in each run.
pub(in crate::report) fn host(name: &str, preset: &str) -> String {
    if preset == "embedded" { "embedded".to_owned() } else { escape(name).into_owned() }
}

/// How long a host's pause still lasts.
pub(super) fn pause_left(host: &HostStats) -> Duration {
    Duration::try_from_secs_f64(host.pause_left_seconds).unwrap_or_default()
}

/// A host that asked for a pause: `localhost:8001 asked to wait 40 s`.
pub(super) fn pause(stats: &HostStats) -> String {
    let so_far = Duration::try_from_secs_f64(stats.paused_seconds.floor()).unwrap_or_default();
    let so_far = if so_far.is_zero() { String::new() } else { format!(" ({} waited before)", human::wait(so_far)) };
    format!("{} asked to wait {}{so_far}", host(&stats.host, &stats.preset), human::wait(pause_left(stats)))
}

/// How far a run is: `3 of 60 days, 1,204 files, 2.7 GiB, 1.2 MiB/s, 12 min 05 s left`; and how soon the next of the attempts
/// that failed is repeated.
pub(super) fn progress(total: &RunTotal, next: Option<(Duration, Class)>) -> String {
    let mut facts = vec![
        format!("{} of {}", human::number(total.days), human::count(total.of_days, "day")),
        human::count(total.files, "file"),
        human::bytes(total.bytes),
        human::rate(total.rate),
    ];
    if total.lost > 0 {
        facts.push(format!("{} missing", human::number(total.lost)));
    }
    facts.extend(total.left.map(|left| format!("{} left", human::span(left))));
    facts.extend(next.map(|(wait, class)| format!("retry in {} ({class})", human::wait(wait))));
    facts.join(", ")
}

/// Class, attempts and message of a failure, without its hint.
fn reason(failure: &Failure) -> String {
    why(failure.class, failure.attempts, &failure.message).0
}

/// Class, attempts and message: `throttled after 6 attempts: MESSAGE`; and apart from it the hint, which many failures
/// share.
pub(in crate::report) fn why(class: Class, attempts: u32, message: &str) -> (String, Option<String>) {
    let attempts = if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() };
    let (message, hint) = match message.split_once("; hint: ") {
        Some((message, hint)) => (message, Some(safe(hint))),
        None => (message, None),
    };
    (format!("{class}{attempts}: {}", safe(message)), hint)
}

/// A message of our own. It was made safe where it was made; a second look costs little and holds if that was
/// forgotten. Word by word, since `escape` cuts one foreign text short and a message may be longer.
pub(in crate::report) fn safe(message: &str) -> String {
    message.split(' ').map(escape).collect::<Vec<_>>().join(" ")
}
