//! Days at once: starts them in order, a bounded number at a time, and takes second looks at empty ones. Starts none
//! when the budget is spent, and halts the run when its time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::Instrument as _;

use super::budget::Spent;
use super::day::{self, DayEnd};
use super::day_queue::SamplePlace;
use super::event::{DayDone, DayId, Event};
use super::repeated_failure::NextDayToStart;
use super::{Backlog, RunContext, RunOutcome, Todo, reopen};
use crate::failure::Failure;
use crate::manifest::SeriesId;
use crate::net::Net;
use crate::untrusted::escape;

/// How often the hosts' figures are reported.
const REPORT_HOSTS: Duration = Duration::from_secs(5);

/// How many days run at once at least, so that small ones keep every connection busy, and at most, so that memory stays small.
/// Between the two it is the number of connections.
const DAYS_AT_ONCE: RangeInclusive<usize> = 4..=16;

/// So many days are failed one by one when their source is given up. Of more, which may be millions, a run says how many
/// there are, and they stay unfinished.
const FAILED_UNSTARTED: u64 = 1000;

/// Runs all days. `connections` is the most that a host of the job has.
pub(super) async fn run(run: &Arc<RunContext>, waiting: Backlog, connections: usize, net: &Net) -> RunOutcome {
    let mut days = Scheduler::new(run, waiting, connections.clamp(*DAYS_AT_ONCE.start(), *DAYS_AT_ONCE.end()));
    let mut tick = interval(REPORT_HOSTS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        days.start();
        if days.is_finished() {
            break;
        }
        let (next_look, may_look, time_up) = (days.next_look(), days.may_look_again(), run.budget.end());
        tokio::select! {
            Some(ended) = days.running.join_next() => match ended {
                Ok((todo, end)) => days.note_end(todo, end).await,
                // Nothing cancels it, and a panic was caught: this is a runtime that goes down.
                Err(error) => tracing::debug!(%error, "a day's task ended early"),
            },
            () = run.halt.cancelled(), if !run.halt.is_cancelled() => {}
            () = sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() && may_look => {}
            () = sleep_until(time_up.unwrap_or_else(Instant::now)), if time_up.is_some() && !run.halt.is_cancelled() => {
                run.refuse(Spent::Time);
                run.halt.cancel();
            }
            _ = tick.tick() => run.emit(Event::Hosts(net.hosts())),
        }
    }
    days.reopen().await;
    days.outcome
}

/// The days of a run by what is to become of them.
struct Scheduler<'a> {
    run: &'a Arc<RunContext>,
    days_at_once: usize,
    waiting: Backlog,
    /// Days whose first listing was empty, by when they are looked at again.
    again: BTreeMap<(Instant, DayId), Todo>,
    running: JoinSet<(Todo, DayEnd)>,
    /// Days that were started and have no end yet, those of `again` among them.
    unfinished: BTreeSet<DayId>,
    /// How many days were failed without being started.
    not_started: u64,
    outcome: RunOutcome,
}

impl<'a> Scheduler<'a> {
    fn new(run: &'a Arc<RunContext>, waiting: Backlog, days_at_once: usize) -> Scheduler<'a> {
        Scheduler {
            run,
            days_at_once,
            waiting,
            again: BTreeMap::new(),
            running: JoinSet::new(),
            unfinished: BTreeSet::new(),
            not_started: 0,
            outcome: RunOutcome::default(),
        }
    }

    /// Starts as many days as may run at once, unless the budget is spent.
    fn start(&mut self) {
        while self.running.len() < self.days_at_once && !self.run.halt.is_cancelled() {
            let now = Instant::now();
            // A second look that would come too late is not waited for.
            let starts_at = if self.waiting.is_empty() { self.next_look() } else { Some(now) };
            if let Some(spent) = starts_at.and_then(|at| self.run.budget.objection(at.max(now))) {
                self.run.refuse(spent);
                break;
            }
            let Some(todo) = self.next(now) else { break };
            match self.given_up(&todo.series) {
                Some(why) => self.fail_without_start(&todo, &why),
                None => self.spawn(todo),
            }
        }
    }

    /// The day to start: one whose second look is due, else one of those that wait.
    fn next(&mut self, now: Instant) -> Option<Todo> {
        let is_due = self.next_look().is_some_and(|at| at <= now);
        if is_due { self.again.pop_first().map(|(_, todo)| todo) } else { next_waiting(self.run, &mut self.waiting) }
    }

    fn next_look(&self) -> Option<Instant> {
        self.again.first_key_value().map(|((at, _), _)| *at)
    }

    /// True when a second look may be started as soon as it is due. A run that is over starts none: waiting for an instant
    /// that has passed would never end.
    fn may_look_again(&self) -> bool {
        self.running.len() < self.days_at_once && !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.run.halt.is_cancelled() || self.run.is_spent()
    }

    fn is_finished(&self) -> bool {
        let has_none_left = self.waiting.is_empty() && self.again.is_empty();
        self.running.is_empty() && (self.is_over() || has_none_left)
    }

    /// Why no more days of a series are started, where its source was given up.
    fn given_up(&self, series: &SeriesId) -> Option<Failure> {
        self.run.series.get(series).and_then(|opened| opened.given_up())
    }

    /// Fails a day whose source was given up. Beyond the first [`FAILED_UNSTARTED`] the days that wait for the same reason are counted alone.
    fn fail_without_start(&mut self, todo: &Todo, why: &Failure) {
        self.not_started += 1;
        if self.not_started <= FAILED_UNSTARTED {
            let failure = Failure { message: format!("not begun: {}", why.message), attempts: 0, ..why.clone() };
            self.end(DayDone { error: Some(failure), ..DayDone::nothing(todo.id()) });
            return;
        }
        let is_alike = |other: Failure| other.message == why.message;
        let alike = self.run.series.keys().filter(|series| self.given_up(series).is_some_and(is_alike));
        let alike: Vec<&SeriesId> = alike.collect();
        let more = 1 + alike.into_iter().map(|series| self.waiting.take_out(series)).sum::<u64>();
        self.run.emit(Event::Note(format!("{more} more days were not started: {}", why.message)));
    }

    fn spawn(&mut self, todo: Todo) {
        let span = tracing::info_span!("day", series = %escape(&todo.series.0), date = %todo.day.date);
        let run = Arc::clone(self.run);
        self.unfinished.insert(todo.id());
        let process = async move {
            let started = Instant::now();
            let mut end = day::process_day(&run, &todo).await;
            if let DayEnd::Done(done, _) = &mut end {
                done.took = started.elapsed();
            }
            (todo, end)
        };
        self.running.spawn(process.instrument(span));
    }

    /// Notes how a day that was started ended.
    async fn note_end(&mut self, todo: Todo, end: DayEnd) {
        let opened = self.run.series.get(&todo.series);
        match end {
            DayEnd::Again => {
                if let Some(opened) = opened {
                    opened.repeated_failure.note_answered();
                }
                self.again.insert((Instant::now() + self.run.second_look, todo.id()), todo);
            }
            // It comes again with the next run.
            DayEnd::Stopped => {
                self.unfinished.remove(&todo.id());
            }
            DayEnd::Done(done, classes) => {
                self.unfinished.remove(&todo.id());
                if let Some(opened) = opened {
                    opened.repeated_failure.note(&done, &classes);
                }
                self.outcome.classes.extend(classes);
                self.end(*done);
                self.reopen().await;
            }
        }
    }

    /// Counts a day that has ended, and reports it.
    fn end(&mut self, done: DayDone) {
        *self.outcome.days.entry(done.state).or_default() += 1;
        self.outcome.classes.extend(done.error.as_ref().map(|error| error.class));
        self.run.emit(Event::DayDone(done));
    }

    /// Reopens the days that lost a file to another one.
    async fn reopen(&mut self) {
        for reopened in reopen::reopen_days(self.run, &self.unfinished).await {
            self.outcome.reopened(reopened);
        }
    }
}

/// The day to start of those that wait: as a rule the first one, and none while samples of its series are under way.
fn next_waiting(run: &RunContext, waiting: &mut Backlog) -> Option<Todo> {
    let opened = waiting.first_series().and_then(|series| run.series.get(series));
    match opened.map(|opened| (opened, opened.repeated_failure.next())) {
        None | Some((_, NextDayToStart::Day(SamplePlace::FIRST))) => waiting.pop_first(&run.manifest),
        Some((opened, NextDayToStart::Day(place))) => {
            let todo = waiting.take(&run.manifest, &opened.series.id, place)?;
            opened.repeated_failure.note_sample(todo.day.date);
            Some(todo)
        }
        Some((_, NextDayToStart::Wait)) => None,
    }
}
