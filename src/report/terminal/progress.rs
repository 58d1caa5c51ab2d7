//! Follows a run on the screen: bars that a tick redraws, or a plain line for each day that ends.
//!
//! Events only change counters and, rarely, write a line, so that they return quickly. The end of the run is printed by
//! `summary`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;

use super::bars::{Bars, DayBar, RunTotal};
use super::rate::{Meter, RateWork};
use super::{Screen, Verbosity, messages};
use crate::failure::{Class, Failure};
use crate::net::HostStats;
use crate::report::human;
use crate::run::event::{DayDone, DayId, DayState, Event, FileEnd, Observer};
use crate::untrusted::escape;

/// How many lost files are named as they are lost, and how many notes are told; the report has the others of the first.
const NAMED: u64 = 20;
/// A wait of at least this is shown, in seconds.
const LONG_WAIT: f64 = 2.0;
/// A tick that comes this long after the one before draws nothing.
const LATE: Duration = Duration::from_secs(1);
/// A paused host is told again after this much more pause, in seconds.
const PAUSE_STEP: f64 = 30.0;
/// Without bars, a line says how far the run is once nothing else was said for so long.
const SILENCE: Duration = Duration::from_secs(30);

/// What a person sees of a run that goes on.
#[derive(Debug)]
pub struct Progress {
    screen: Arc<Screen>,
    verbosity: Verbosity,
    state: Mutex<ProgressState>,
}

#[derive(Debug, Default)]
struct ProgressState {
    planned: u64,
    ended: u64,
    files: u64,
    bytes: u64,
    resumed: u64,
    lost: u64,
    /// A file was lost to this machine's storage.
    is_full: bool,
    notes: u64,
    days: BTreeMap<DayId, DayProgress>,
    work: RateWork,
    meter: Meter,
    /// Since the run's start, as the last tick told it.
    elapsed: Duration,
    /// When the last line was written.
    last_line: Duration,
    /// Bytes per second, over the last seconds.
    rate: u64,
    /// How long each host had been paused when its pause was told last.
    paused: BTreeMap<String, f64>,
    /// The first day of each reason for which days failed whole.
    failed: HashMap<(String, Class, String), NaiveDate>,
}

/// A day in flight.
#[derive(Debug, Default)]
struct DayProgress {
    listed: Option<u64>,
    done: u64,
    resumed: u64,
    lost: u64,
    /// Until when the last attempt that failed is waited out, and why.
    waiting: Option<(Duration, Class)>,
}

impl DayProgress {
    /// How much of the day is done, from 0 to 1.
    fn share(&self) -> f64 {
        match self.listed {
            Some(listed) if listed > 0 => ratio(self.done, listed).min(1.0),
            _ => 0.0,
        }
    }

    fn remark(&self, elapsed: Duration) -> String {
        let waiting = self.waiting.filter(|(until, _)| *until > elapsed);
        let waiting =
            waiting.map(|(until, why)| format!("retry in {} ({why})", human::wait(until.saturating_sub(elapsed))));
        let told = |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", human::number(count)));
        let parts = [waiting, told(self.lost, "missing"), told(self.resumed, "resumed")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Progress {
    /// Follows one run on `screen`.
    #[must_use]
    pub fn new(screen: Arc<Screen>, verbosity: Verbosity) -> Progress {
        Progress { screen, verbosity, state: Mutex::default() }
    }

    /// Takes in one event.
    pub fn on_event(&self, event: &Event) {
        let mut state = self.state();
        if let Some(line) = state.fold(event, self) {
            state.last_line = state.elapsed;
            drop(state);
            self.screen.line(&line);
        }
    }

    /// Redraws the bars, `elapsed` after the run's start. Where there are none, it says which of the hosts asked for a pause,
    /// or, after a while without a line, how far the run is.
    pub fn tick(&self, elapsed: Duration, hosts: &[HostStats]) {
        let mut state = self.state();
        // After a while without ticks the process may just have been stopped and resumed. The screen learns of that
        // by a signal, which may be later than this tick.
        let is_late = elapsed.saturating_sub(state.elapsed) > LATE;
        state.elapsed = elapsed;
        let bytes = state.bytes;
        state.rate = state.meter.rate(elapsed, bytes);
        if self.verbosity == Verbosity::Quiet || (is_late && self.screen.has_bars()) {
            return;
        }
        if !self.screen.has_bars() {
            if let Some(line) = state.pauses(hosts).or_else(|| state.progress()) {
                state.last_line = elapsed;
                self.screen.line(&line);
            }
        } else if state.planned > 0 {
            let bars = state.bars(hosts);
            self.screen.draw(|size| bars.lines(size));
        }
    }

    /// Takes the bars away.
    pub fn close(&self) {
        self.screen.without_bars(|| ());
    }

    fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn on(&self, event: Event) {
        self.on_event(&event);
    }
}

impl ProgressState {
    /// Counts an event, and gives the line that it is worth.
    fn fold(&mut self, event: &Event, progress: &Progress) -> Option<String> {
        let Progress { verbosity, screen, .. } = progress;
        let (verbosity, paint) = (*verbosity, screen.paint);
        let is_verbose = verbosity >= Verbosity::Verbose;
        match event {
            Event::Planned { planned, .. } => self.planned += planned,
            Event::DayBegun(day) => {
                self.days.entry(day.clone()).or_default();
            }
            Event::DayListed { day, files, have, .. } => self.note_listed(day, *files, *have),
            Event::Received { day, bytes } => self.note_received(day, *bytes),
            Event::FileDone { day, key, end, .. } => {
                let failure = self.note_file(day, end).filter(|failure| self.is_news(failure))?;
                return (verbosity > Verbosity::Quiet).then(|| messages::file_failed(day, key, failure, paint));
            }
            Event::Retrying { day, failure, wait_seconds, .. } => {
                self.note_wait(day, failure, *wait_seconds);
                return is_verbose.then(|| messages::retrying(day, failure, *wait_seconds));
            }
            Event::Quarantined { day, key, class } => {
                return is_verbose.then(|| format!("{} quarantined {}: {class}", messages::day(day), escape(key)));
            }
            Event::DayDone(done) => return self.end_day(done, progress),
            Event::DayAgain(day) => {
                self.days.remove(day);
            }
            Event::DayReopened { day, taken, .. } => {
                self.lost += taken.len() as u64;
                return (verbosity > Verbosity::Quiet).then(|| messages::day_reopened(day, taken, paint));
            }
            Event::DayLeft { day, files, left } => {
                self.days.remove(day);
                return (verbosity > Verbosity::Quiet).then(|| messages::day_left(day, *files, *left, paint));
            }
            // Ticks have newer figures.
            Event::Hosts(_) => {}
            Event::Note(note) => return self.note_line(note, verbosity),
        }
        None
    }

    fn note_listed(&mut self, day: &DayId, files: u64, have: u64) {
        self.work.listed(files.saturating_sub(have));
        let row = self.days.entry(day.clone()).or_default();
        row.listed = Some(files);
        row.waiting = None;
    }

    fn note_received(&mut self, day: &DayId, bytes: u64) {
        self.bytes += bytes;
        // The most frequent event by far: no name is copied for it.
        if let Some(row) = self.days.get_mut(day) {
            row.waiting = None;
        }
    }

    /// Counts a file that has ended, and gives its failure.
    fn note_file<'a>(&mut self, day: &DayId, end: &'a FileEnd) -> Option<&'a Failure> {
        // Files that were already here transfer no bytes: neither their number nor their bytes count.
        let took_time = !matches!(end, FileEnd::Have | FileEnd::Renamed { .. } | FileEnd::Restored { .. });
        self.files += u64::from(took_time);
        self.work.done(took_time);
        let row = self.days.entry(day.clone()).or_default();
        row.done += 1;
        row.waiting = None;
        match end {
            FileEnd::Fetched { resumed_bytes: 1.., .. } => {
                self.resumed += 1;
                row.resumed += 1;
                None
            }
            FileEnd::Failed(failure) => {
                self.lost += 1;
                row.lost += 1;
                Some(failure)
            }
            _ => None,
        }
    }

    /// True when a failure is worth a line: a full disk fails every file alike, and one line is enough.
    fn is_news(&mut self, failure: &Failure) -> bool {
        let is_news = failure.class != Class::Storage || !std::mem::replace(&mut self.is_full, true);
        is_news && self.lost <= NAMED
    }

    fn note_wait(&mut self, day: &DayId, failure: &Failure, wait_seconds: f64) {
        if wait_seconds >= LONG_WAIT {
            let wait = Duration::try_from_secs_f64(wait_seconds).unwrap_or_default();
            let row = self.days.entry(day.clone()).or_default();
            row.waiting = Some((self.elapsed.saturating_add(wait), failure.class));
        }
    }

    /// Counts a day that has ended, and gives its line.
    fn end_day(&mut self, done: &DayDone, progress: &Progress) -> Option<String> {
        self.ended += 1;
        let row = self.days.remove(&done.day).unwrap_or_default();
        if row.listed.is_none() {
            self.work.listed(0);
        }
        let is_failed = matches!(done.state, DayState::Failed | DayState::Held);
        // With bars, days that succeed need no line.
        let is_in_bars = progress.screen.has_bars() && !is_failed;
        let shown_from = if is_in_bars { Verbosity::Verbose } else { Verbosity::Normal };
        let files = messages::DayFiles { lost: row.lost, resumed: row.resumed };
        let done = self.folded(done);
        (progress.verbosity >= shown_from)
            .then(|| messages::day_done(&done, files, self.ended, self.planned, progress.screen.paint))
    }

    /// The line of a note; after the first few a single line that there are more.
    fn note_line(&mut self, note: &str, verbosity: Verbosity) -> Option<String> {
        self.notes += 1;
        match (verbosity, self.notes) {
            (Verbosity::Normal, NAMED) => Some("note: there are more notes; `-v` shows all of them".to_owned()),
            (Verbosity::Quiet, _) | (Verbosity::Normal, NAMED..) => None,
            _ => Some(format!("note: {}", messages::safe(note))),
        }
    }

    /// The end of a day, its reason shortened where another day failed for the same one.
    fn folded<'a>(&mut self, done: &'a DayDone) -> Cow<'a, DayDone> {
        let (DayState::Failed, Some(failure)) = (done.state, &done.error) else { return Cow::Borrowed(done) };
        let (series, class, why) = messages::sameness(&done.day.series.0, failure.class, &failure.message);
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
        for host in hosts.iter().filter(|host| host.pause_left_seconds >= LONG_WAIT) {
            let before = self.paused.get(&host.host);
            if before.is_none_or(|before| host.paused_seconds >= before + PAUSE_STEP) {
                self.paused.insert(host.host.clone(), host.paused_seconds);
                told.push(messages::pause(host));
            }
        }
        (!told.is_empty()).then(|| told.join("\n"))
    }

    /// How far the run is, where nothing was written for a while.
    fn progress(&self) -> Option<String> {
        let is_silent = self.elapsed.saturating_sub(self.last_line) >= SILENCE;
        (is_silent && self.planned > 0).then(|| {
            let waiting = self.days.values().filter_map(|row| row.waiting).filter(|(until, _)| *until > self.elapsed);
            let next = waiting.min_by_key(|(until, _)| *until);
            let next = next.map(|(until, class)| (until.saturating_sub(self.elapsed), class));
            messages::progress(&self.total(), next)
        })
    }

    fn total(&self) -> RunTotal {
        let share = ratio(self.ended, self.planned)
            + self.days.values().map(DayProgress::share).sum::<f64>() / ratio(self.planned, 1);
        RunTotal {
            days: self.ended,
            of_days: self.planned,
            share: share.min(1.0),
            files: self.files,
            bytes: self.bytes,
            resumed: self.resumed,
            lost: self.lost,
            rate: self.rate,
            elapsed: self.elapsed,
            left: self.work.left(self.elapsed, self.planned),
        }
    }

    fn bars(&self, hosts: &[HostStats]) -> Bars {
        let total = self.total();
        let days = self.days.iter().map(|(day, row)| DayBar {
            series: escape(&day.series.0).into_owned(),
            date: day.date.to_string(),
            listed: row.listed,
            done: row.done,
            remark: row.remark(self.elapsed),
        });
        let pauses = hosts.iter().filter(|host| host.pause_left_seconds >= LONG_WAIT);
        Bars {
            days: days.collect(),
            pauses: pauses.map(|host| (messages::host(&host.host, &host.preset), messages::pause_left(host))).collect(),
            total,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a bar needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
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

    /// Four days: files that fail, days that end in every way, a file that is resumed.
    fn events() -> Vec<Event> {
        let file_done = |date: &str, key: &str, end| {
            let (day, key) = (day(date), key.to_owned());
            Event::FileDone { day, key, path: None, end }
        };
        let day_done = |date: &str, state| {
            let (files, bytes, absent, outside_day) = (5, 2_880_000, 1, 2);
            Event::DayDone(DayDone { state, files, bytes, absent, outside_day, ..DayDone::nothing(day(date)) })
        };
        let throttled = Failure { attempts: 2, ..Failure::new(Class::Throttled, "http://localhost:8001/a: 429") };
        let web_page = "http://localhost:8001/b: a web page\u{1b}[2J; hint: is it up?";
        let lost = Failure { attempts: 6, ..Failure::new(Class::Html, web_page) };
        let full = Failure::new(Class::Storage, "could not write `c`: no storage space; hint: free some");
        let full = || FileEnd::Failed(Box::new(full.clone()));
        let resumed = FileEnd::Fetched {
            bytes: 9,
            resumed_bytes: 4,
            restarted: false,
            replaced: false,
            restamped: false,
            from: None,
        };
        vec![
            Event::Planned { planned: 3, already_sealed: 1 },
            Event::DayBegun(day("2015-12-11")),
            Event::DayListed { day: day("2015-12-11"), files: 6, have: 0, bytes: None },
            Event::Retrying { day: day("2015-12-11"), key: None, failure: throttled, wait_seconds: 12.0 },
            Event::Received { day: day("2015-12-11"), bytes: 10 },
            Event::Quarantined { day: day("2015-12-11"), key: "b\n".into(), class: Class::Html },
            file_done("2015-12-11", "b\n", FileEnd::Failed(Box::new(lost))),
            day_done("2015-12-11", DayState::Failed),
            day_done("2015-12-12", DayState::Sealed),
            file_done("2015-12-13", "c", full()),
            file_done("2015-12-13", "d", full()),
            day_done("2015-12-13", DayState::Held),
            file_done("2015-12-14", "c", resumed),
            day_done("2015-12-14", DayState::Sealed),
            Event::Note("two days are young".into()),
        ]
    }

    fn output_of(verbosity: Verbosity) -> String {
        let paper = Paper::default();
        let screen = Arc::new(Screen::new(Box::new(paper.clone()), Mode::Lines, Paint(false)));
        let progress = Progress::new(screen, verbosity);
        let pause = |seconds, paused_seconds, pause_left_seconds| {
            let host = "localhost:8001".to_owned();
            let host = HostStats { host, paused_seconds, pause_left_seconds, ..HostStats::default() };
            progress.tick(Duration::from_secs(seconds), &[host]);
        };
        pause(1, 0.0, 39.8);
        // The same pause, and another one so soon that it is not worth a line.
        pause(2, 1.0, 38.8);
        pause(31, 28.0, 12.0);
        pause(60, 40.0, 20.0);
        for event in events() {
            progress.on(event);
        }
        progress.close();
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_lines_tell_each_day_and_nothing_acts_on_the_terminal() {
        insta::assert_snapshot!(output_of(Verbosity::Normal));
    }

    #[test]
    fn without_bars_a_line_after_each_half_minute_of_silence_says_how_far_the_run_is() {
        let paper = Paper::default();
        let screen = Arc::new(Screen::new(Box::new(paper.clone()), Mode::Lines, Paint(false)));
        let progress = Progress::new(screen, Verbosity::Normal);
        let tick = |seconds| progress.tick(Duration::from_secs(seconds), &[]);
        // Before the plan there is nothing to say.
        tick(31);
        progress.on(Event::Planned { planned: 60, already_sealed: 0 });
        progress.on(Event::DayListed { day: day("2015-12-11"), files: 6, have: 0, bytes: None });
        progress.on(Event::Received { day: day("2015-12-11"), bytes: 1 << 20 });
        tick(32);
        tick(61);
        let passing = Failure::new(Class::Unreachable, "no answer");
        progress.on(Event::Retrying { day: day("2015-12-11"), key: None, failure: passing, wait_seconds: 40.0 });
        tick(62);
        tick(92);
        // The end of a day is a line of its own.
        let ended = DayDone { state: DayState::Sealed, files: 6, ..DayDone::nothing(day("2015-12-11")) };
        progress.on(Event::DayDone(ended));
        tick(121);
        tick(122);
        let lines = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(lines, @"
        0 of 60 days, 0 files, 1.0 MiB, 1.0 MiB/s
        0 of 60 days, 0 files, 1.0 MiB, 0 B/s, retry in 39 s (unreachable)
        0 of 60 days, 0 files, 1.0 MiB, 0 B/s, retry in 9 s (unreachable)
        sharp_720s 2015-12-11 sealed: 6 files, 0 B (1 of 60 days)
        1 of 60 days, 0 files, 1.0 MiB, 0 B/s
        ");
    }

    #[test]
    fn verbose_tells_each_retry_and_quiet_tells_nothing() {
        let more = output_of(Verbosity::Verbose);
        assert!(more.contains(
            "sharp_720s 2015-12-11 retry in 12 s: throttled after 2 attempts: http://localhost:8001/a: 429\n"
        ));
        assert!(more.contains("quarantined b\\u{a}: html"));
        assert_eq!(output_of(Verbosity::Quiet), "");
    }
}
