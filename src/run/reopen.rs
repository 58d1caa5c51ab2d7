//! Days that ended before it turned out that a file of theirs is at the place of another one: they are reopened.

use std::collections::{BTreeMap, BTreeSet};

use super::blocking::blocking;
use super::day::open::take;
use super::event::{DayId, DayState, Event, TakenBack};
use super::redirects::Misplaced;
use super::{How, RunContext, Todo};
use crate::archive::{FileLine, Opened, RecordState};
use crate::failure::{Class, Failure};
use crate::untrusted::escape;

/// Reopens the days that ended before another file was redirected to the place of theirs. Gives how they had ended. A day in
/// work has no end yet, and is left to a later call.
pub(super) async fn reopen_days(run: &RunContext, in_work: &BTreeSet<DayId>) -> Vec<DayState> {
    let mut ended = Vec::new();
    for (id, files) in run.redirects.misplaced(in_work) {
        let Some(todo) = files.values().next().map(|misplaced| misplaced.file.todo.clone()) else { continue };
        match reopen(run, todo, files).await {
            Ok(state) => ended.extend(state),
            Err(failure) => run.emit(Event::Note(format!(
                "{} {}: a file was redirected to the place of another one, and could not be taken back: {}",
                escape(&id.series.0),
                id.date,
                failure.message
            ))),
        }
    }
    ended
}

/// Takes files of a day back, and gives how the day had ended; none where it has none of them.
async fn reopen(run: &RunContext, todo: Todo, files: BTreeMap<String, Misplaced>) -> Result<Option<DayState>, Failure> {
    let todo = Todo { how: How { recheck: true, ..todo.how }, ..todo };
    let Opened::Work(work) = take(run, &todo).await? else {
        return Err(Failure::new(Class::Held, "another process is working on this day"));
    };
    let state = match work.record().map(|record| record.header.state) {
        Some(RecordState::Sealed) => DayState::Sealed,
        Some(RecordState::Provisional) => DayState::Provisional,
        None => DayState::Failed,
    };
    let keys: Vec<String> = files.keys().cloned().collect();
    let (work, taken) = blocking(move || work.reopen(&keys).map(|taken| (work, taken))).await?;
    if taken.is_empty() {
        return Ok(None);
    }
    let of_line = |line: FileLine| {
        let Misplaced { file, failure } = files.get(&line.key)?.clone();
        Some(TakenBack { key: line.key, path: line.path, was_here: file.was_here, failure })
    };
    let taken = taken.into_iter().filter_map(of_line).collect();
    let (files, bytes) = work.in_place();
    run.emit(Event::DayReopened { day: todo.id(), files, bytes, taken });
    Ok(Some(state))
}
