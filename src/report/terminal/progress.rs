//! Follows a run on the screen: bars that a tick redraws, or a plain line for each day that ends.
//!
//! Events only change counters and, rarely, write a line, so that they return quickly. What it does not do: tell the
//! end of the run; `summary` does.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::meter::{Meter, left};
use super::{Screen, Verbosity, lines};
use crate::failure::{Class, Failure};
use crate::net::HostStats;
use crate::report::human;
use crate::run::event::{DayDone, DayId, DayState, Event, FileEnd, Observer};
use crate::untrusted::escape;

/// How many days have a line of their own; a screen is not higher.
const ROWS: usize = 12;
/// How many lost files are named as they are lost; the report has the others.
const NAMED: u64 = 20;
/// A wait of at least this is shown, in seconds.
const LONG_WAIT: f64 = 2.0;
/// A paused host is told again after this much more pause, in seconds.
const PAUSE_STEP: f64 = 30.0;
/// What the bar of the whole run counts: thousandths.
const WHOLE: u64 = 1000;

/// What a person sees of a run that goes on.
#[derive(Debug)]
pub struct Progress {
    screen: Arc<Screen>,
    verbosity: Verbosity,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    planned: u64,
    ended: u64,
    files: u64,
    bytes: u64,
    lost: u64,
    days: BTreeMap<DayId, Row>,
    paused: BTreeMap<String, f64>,
    meter: Meter,
    total: Option<ProgressBar>,
    /// The first day of each reason for which days failed whole.
    failed: HashMap<(String, Class, String), NaiveDate>,
    /// The longest name of a row so far, in characters.
    widest: usize,
}

/// A day in flight.
#[derive(Debug, Default)]
struct Row {
    bar: Option<ProgressBar>,
    listed: Option<u64>,
    done: u64,
    bytes: u64,
    lost: u64,
    waiting: Option<String>,
}

impl Row {
    /// How much of the day is done, from 0 to 1.
    fn share(&self) -> f64 {
        match self.listed {
            Some(listed) if listed > 0 => ratio(self.done, listed).min(1.0),
            _ => 0.0,
        }
    }

    fn text(&self) -> String {
        let files = match self.listed {
            Some(listed) => format!("{}/{} files", human::number(self.done), human::number(listed)),
            None => "listing".to_owned(),
        };
        let waiting = self.waiting.as_ref().map(|wait| format!("  {wait}")).unwrap_or_default();
        format!("{files}  {}{waiting}", human::bytes(self.bytes))
    }
}

impl Progress {
    /// Follows one run on `screen`.
    #[must_use]
    pub fn new(screen: Arc<Screen>, verbosity: Verbosity) -> Progress {
        Progress { screen, verbosity, state: Mutex::default() }
    }

    /// Takes in one event.
    pub fn tell(&self, event: &Event) {
        if let Some(line) = self.state().fold(event, self) {
            self.screen.line(&line);
        }
    }

    /// Redraws the bars, `elapsed` after the run's start. Does nothing where there are none.
    pub fn tick(&self, elapsed: Duration) {
        let Some(bars) = self.bars() else { return };
        self.state().draw(bars, elapsed);
    }

    /// Takes the bars away.
    pub fn close(&self) {
        let mut state = self.state();
        for row in std::mem::take(&mut state.days).into_values() {
            row.bar.iter().for_each(ProgressBar::finish_and_clear);
        }
        state.total.iter().for_each(ProgressBar::finish_and_clear);
        if let Some(bars) = self.bars() {
            let _ = bars.clear();
        }
    }

    /// The bars, where they are wanted.
    fn bars(&self) -> Option<&MultiProgress> {
        self.screen.bars().filter(|_| self.verbosity > Verbosity::Quiet)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn on(&self, event: Event) {
        self.tell(&event);
    }
}

impl State {
    /// Counts an event, and gives the line that it is worth.
    fn fold(&mut self, event: &Event, progress: &Progress) -> Option<String> {
        let verbosity = progress.verbosity;
        let paint = progress.screen.paint;
        match event {
            Event::Planned { planned, .. } => self.planned += planned,
            Event::DayBegun(day) => {
                self.days.entry(day.clone()).or_default();
            }
            Event::DayListed { day, files, .. } => {
                let row = self.days.entry(day.clone()).or_default();
                row.listed = Some(*files);
                row.waiting = None;
            }
            Event::Received { day, bytes } => {
                self.bytes += bytes;
                // The most frequent event by far: no name is copied for it.
                if let Some(row) = self.days.get_mut(day) {
                    row.bytes += bytes;
                    row.waiting = None;
                }
            }
            Event::FileDone { day, key, end, .. } => {
                self.files += 1;
                let row = self.days.entry(day.clone()).or_default();
                row.done += 1;
                row.waiting = None;
                if let FileEnd::Failed(failure) = end {
                    self.lost += 1;
                    row.lost += 1;
                    return (self.lost <= NAMED && verbosity > Verbosity::Quiet)
                        .then(|| lines::file_failed(day, key, failure, paint));
                }
            }
            Event::Retrying { day, failure, wait_seconds, .. } => {
                if *wait_seconds >= LONG_WAIT {
                    let wait = Duration::try_from_secs_f64(*wait_seconds).unwrap_or_default();
                    self.days.entry(day.clone()).or_default().waiting =
                        Some(format!("waiting {}: {}", human::span(wait), failure.class));
                }
                return (verbosity >= Verbosity::Verbose).then(|| lines::retrying(day, failure, *wait_seconds));
            }
            Event::Quarantined { day, key, class } => {
                return (verbosity >= Verbosity::Verbose)
                    .then(|| format!("{} quarantined {}: {class}", lines::day(day), escape(key)));
            }
            Event::DayDone(done) => {
                self.ended += 1;
                let row = self.days.remove(&done.day).unwrap_or_default();
                row.bar.iter().for_each(ProgressBar::finish_and_clear);
                let amiss = matches!(done.state, DayState::Failed | DayState::Held);
                // Bars show the days that go well.
                let shown = progress.bars().is_some() && !amiss;
                let told = if shown { Verbosity::Verbose } else { Verbosity::Normal };
                let done = self.folded(done);
                return (verbosity >= told)
                    .then(|| lines::day_done(&done, row.lost, (self.ended, self.planned), paint));
            }
            Event::Hosts(hosts) => {
                let told = self.pauses(hosts);
                return told.filter(|_| verbosity > Verbosity::Quiet);
            }
            Event::Note(note) => return (verbosity > Verbosity::Quiet).then(|| format!("note: {}", lines::safe(note))),
        }
        None
    }

    /// The end of a day, its reason shortened where another day failed for the same one.
    fn folded<'a>(&mut self, done: &'a DayDone) -> Cow<'a, DayDone> {
        let (DayState::Failed, Some(failure)) = (done.state, &done.error) else { return Cow::Borrowed(done) };
        let (series, class, why) = lines::sameness(&done.day.series.0, failure.class, &failure.message);
        let first = *self.failed.entry((series.to_owned(), class, why.to_owned())).or_insert(done.day.date);
        if first == done.day.date {
            return Cow::Borrowed(done);
        }
        let failure = Failure { message: format!("as {first}"), ..failure.clone() };
        Cow::Owned(DayDone { error: Some(failure), ..done.clone() })
    }

    /// The hosts that asked for (more of) a pause since this was told last.
    fn pauses(&mut self, hosts: &[HostStats]) -> Option<String> {
        let mut told = Vec::new();
        for host in hosts {
            let before = self.paused.entry(host.host.clone()).or_default();
            let due = if *before > 0.0 { *before + PAUSE_STEP } else { LONG_WAIT };
            if host.paused_seconds >= due {
                *before = host.paused_seconds;
                let pause = Duration::try_from_secs_f64(host.paused_seconds).unwrap_or_default();
                told.push(format!("{} asked for a pause: {} so far", escape(&host.host), human::span(pause)));
            }
        }
        (!told.is_empty()).then(|| told.join("\n"))
    }

    fn draw(&mut self, bars: &MultiProgress, elapsed: Duration) {
        if self.planned == 0 {
            return;
        }
        let total = self
            .total
            .get_or_insert_with(|| bars.add(ProgressBar::new(WHOLE).with_style(style("{prefix} {bar:20} {wide_msg}"))));
        let mut shown = self.days.values().filter(|row| row.bar.is_some()).count();
        self.widest = self.days.keys().map(|day| lines::day(day).chars().count()).fold(self.widest, usize::max);
        let name = |name: &str| format!("{name:<width$}", width = self.widest);
        total.set_prefix(name("total"));
        for (day, row) in &mut self.days {
            if row.bar.is_none() && shown < ROWS {
                shown += 1;
                let bar = ProgressBar::new(WHOLE).with_style(style("{prefix} {bar:20} {wide_msg}"));
                row.bar = Some(bars.insert_before(total, bar));
            }
            if let Some(bar) = &row.bar {
                bar.set_prefix(name(&lines::day(day)));
                bar.set_position(thousandths(row.share()));
                bar.set_message(row.text());
            }
        }
        let share = (ratio(self.ended, self.planned)
            + self.days.values().map(Row::share).sum::<f64>() / ratio(self.planned, 1))
        .min(1.0);
        let rate = self.meter.rate(elapsed, self.bytes);
        let left = match left(elapsed, share) {
            Some(left) => format!("{} left", human::span(left)),
            None => human::span(elapsed),
        };
        total.set_position(thousandths(share));
        total.set_message(format!(
            "{}/{}  {left}  {}  {}  {}",
            human::number(self.ended),
            human::count(self.planned, "day"),
            human::rate(rate),
            human::bytes(self.bytes),
            human::count(self.files, "file"),
        ));
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

#[expect(clippy::cast_precision_loss, reason = "a share of a bar needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 1")]
fn thousandths(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SeriesId;
    use crate::report::terminal::{Mode, Paint};

    /// What was written to a screen.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn day(date: &str) -> DayId {
        DayId { series: SeriesId("sharp_720s".into()), date: date.parse().unwrap() }
    }

    fn told(verbosity: Verbosity) -> String {
        let paper = Paper::default();
        let screen = Arc::new(Screen::new(Box::new(paper.clone()), Mode::Lines, Paint(false)));
        let progress = Progress::new(screen, verbosity);
        let throttled = Failure { attempts: 2, ..Failure::new(Class::Throttled, "http://localhost:8001/a: 429") };
        let lost = Failure { attempts: 6, ..Failure::new(Class::Html, "http://localhost:8001/b: a web page\u{1b}[2J") };
        let done = |date: &str, state, error| {
            Event::DayDone(DayDone {
                day: day(date),
                state,
                files: 5,
                bytes: 2_880_000,
                absent: 1,
                digest: None,
                outside_day: 2,
                duplicates: 0,
                error,
            })
        };
        let host = |paused_seconds| HostStats { host: "localhost:8001".into(), paused_seconds, ..HostStats::default() };
        for event in [
            Event::Planned { planned: 3, already_sealed: 1 },
            Event::DayBegun(day("2015-12-11")),
            Event::DayListed { day: day("2015-12-11"), files: 6, have: 0, bytes: None },
            Event::Retrying { day: day("2015-12-11"), key: None, failure: throttled, wait_seconds: 12.0 },
            Event::Hosts(vec![host(3.0)]),
            Event::Hosts(vec![host(12.0)]),
            Event::Received { day: day("2015-12-11"), bytes: 10 },
            Event::Quarantined { day: day("2015-12-11"), key: "b\n".into(), class: Class::Html },
            Event::FileDone { day: day("2015-12-11"), key: "b\n".into(), path: None, end: FileEnd::Failed(lost) },
            done("2015-12-11", DayState::Failed, None),
            done("2015-12-12", DayState::Sealed, None),
            done("2015-12-13", DayState::Held, None),
            Event::Note("two days are young".into()),
        ] {
            progress.on(event);
        }
        progress.tick(Duration::from_secs(3));
        progress.close();
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_lines_tell_each_day_and_nothing_acts_on_the_terminal() {
        insta::assert_snapshot!(told(Verbosity::Normal));
    }

    #[test]
    fn verbose_tells_each_retry_and_quiet_tells_nothing() {
        let more = told(Verbosity::Verbose);
        assert!(more.contains(
            "sharp_720s 2015-12-11 retry in 12 s: throttled after 2 attempts: http://localhost:8001/a: 429\n"
        ));
        assert!(more.contains("quarantined b\\u{a}: html"));
        assert_eq!(told(Verbosity::Quiet), "");
    }
}
