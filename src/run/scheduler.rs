//! Days in flight: begins them in order, a bounded number at a time, and takes second looks at empty ones. Begins none
//! when the budget is spent, and halts the run when its time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::Instrument as _;

use super::budget::Spent;
use super::day::{self, DayEnd};
use super::event::{DayDone, DayId, Event};
use super::repeated_failure::NextDayToStart;
use super::todo::SamplePlace;
use super::{Backlog, RunContext, RunOutcome, Todo, reopen};
use crate::failure::Failure;
use crate::net::Net;
use crate::untrusted::escape;

/// How often the hosts' figures are told.
const TELL_HOSTS: Duration = Duration::from_secs(5);

/// So many days are failed one by one when their source is given up. Of more, which may be millions, a run says how many
/// there are, and they stay unfinished.
const FAILED_UNBEGUN: u64 = 1000;

pub(super) async fn run(run: &Arc<RunContext>, mut waiting: Backlog, in_flight: usize, net: &Net) -> RunOutcome {
    let mut outcome = RunOutcome::default();
    let mut unbegun = 0;
    // Days whose first listing was empty, by when they are looked at again.
    let mut again: BTreeMap<(Instant, DayId), Todo> = BTreeMap::new();
    let mut flying: JoinSet<(Todo, DayEnd)> = JoinSet::new();
    // Days that were begun and have no end yet.
    let mut in_work: BTreeSet<DayId> = BTreeSet::new();
    let mut tick = interval(TELL_HOSTS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while flying.len() < in_flight && !run.halt.is_cancelled() {
            let now = Instant::now();
            // A second look that would come too late is not waited for.
            let begins = if waiting.is_empty() { again.first_key_value().map(|((at, _), _)| *at) } else { Some(now) };
            if let Some(spent) = begins.and_then(|at| run.budget.objection(at.max(now))) {
                run.refuse(spent);
                break;
            }
            let due = again.first_key_value().is_some_and(|((at, _), _)| *at <= now);
            let begun = if due { again.pop_first().map(|(_, todo)| todo) } else { next(run, &mut waiting) };
            let Some(todo) = begun else { break };
            let given_up = |series| run.series.get(series).and_then(|opened| opened.given_up());
            if let Some(why) = given_up(&todo.series) {
                unbegun += 1;
                if unbegun <= FAILED_UNBEGUN {
                    let message = format!("not begun: {}", why.message);
                    end(run, &mut outcome, failed(&todo, Failure { message, attempts: 0, ..why }));
                } else {
                    let is_alike = |other: Failure| other.message == why.message;
                    let alike = run.series.keys().filter(|series| given_up(series).is_some_and(is_alike));
                    let more = 1 + alike.map(|series| waiting.take_out(series)).sum::<u64>();
                    run.emit(Event::Note(format!("{more} more days were not started: {}", why.message)));
                }
                continue;
            }
            let span = tracing::info_span!("day", series = %escape(&todo.series.0), date = %todo.day.date);
            let run = Arc::clone(run);
            in_work.insert(todo.id());
            flying.spawn(
                async move {
                    let begun = Instant::now();
                    let mut ended = day::process_day(&run, &todo).await;
                    if let DayEnd::Done(done, _) = &mut ended {
                        done.took = begun.elapsed();
                    }
                    (todo, ended)
                }
                .instrument(span),
            );
        }
        let is_over = run.halt.is_cancelled() || run.is_spent();
        if flying.is_empty() && (is_over || (waiting.is_empty() && again.is_empty())) {
            break;
        }
        let next_look = again.first_key_value().map(|((at, _), _)| *at);
        let time_up = run.budget.end();
        tokio::select! {
            Some(done) = flying.join_next() => match done {
                Ok((todo, DayEnd::Again)) => {
                    if let Some(opened) = run.series.get(&todo.series) {
                        opened.repeated_failure.note_answered();
                    }
                    again.insert((Instant::now() + run.second_look, todo.id()), todo);
                }
                // It comes again with the next run.
                Ok((todo, DayEnd::Stopped)) => {
                    in_work.remove(&todo.id());
                }
                Ok((todo, DayEnd::Done(done, classes))) => {
                    in_work.remove(&todo.id());
                    if let Some(opened) = run.series.get(&todo.series) {
                        opened.repeated_failure.note(&done, &classes);
                    }
                    outcome.classes.extend(classes);
                    end(run, &mut outcome, *done);
                    reopen::reopen_days(run, &in_work).await.into_iter().for_each(|ended| outcome.reopened(ended));
                }
                // Nothing cancels it, and a panic was caught: this is a runtime that goes down.
                Err(error) => tracing::debug!(%error, "a day's task ended early"),
            },
            () = run.halt.cancelled(), if !run.halt.is_cancelled() => {}
            () = sleep_until(next_look.unwrap_or_else(Instant::now)),
                // A run that is over begins nothing: an instant that has passed would be told for ever.
                if next_look.is_some() && flying.len() < in_flight && !is_over => {}
            () = sleep_until(time_up.unwrap_or_else(Instant::now)), if time_up.is_some() && !run.halt.is_cancelled() => {
                run.refuse(Spent::Time);
                run.halt.cancel();
            }
            _ = tick.tick() => run.emit(Event::Hosts(net.hosts())),
        }
    }
    reopen::reopen_days(run, &in_work).await.into_iter().for_each(|ended| outcome.reopened(ended));
    outcome
}

/// The day to begin: as a rule the first one of those that wait, and none while samples of its series are under way.
fn next(run: &RunContext, waiting: &mut Backlog) -> Option<Todo> {
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

fn failed(todo: &Todo, failure: Failure) -> DayDone {
    DayDone { error: Some(failure), ..DayDone::nothing(todo.id()) }
}

fn end(run: &RunContext, outcome: &mut RunOutcome, done: DayDone) {
    *outcome.days.entry(done.state).or_default() += 1;
    outcome.classes.extend(done.error.as_ref().map(|e| e.class));
    run.emit(Event::DayDone(done));
}
