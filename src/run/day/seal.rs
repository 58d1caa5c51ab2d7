//! The end of a day that has all its files: its record.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::preferred;
use crate::archive::{DayRecord, DayWork, FileLine, LeftOut, RecordBasis, RecordState, SealAs};
use crate::failure::{Class, Failure};
use crate::run::blocking::blocking;
use crate::run::{OpenedSeries, RunContext, Todo};

/// What a day is sealed with.
pub(in crate::run) struct SealedBy<'a> {
    /// The keys of its files.
    pub(in crate::run) keys: HashSet<String>,
    /// What is listed and not there.
    pub(in crate::run) absent: Vec<FileLine>,
    /// What `quality` left out.
    pub(in crate::run) left_out: Option<LeftOut>,
    /// How final it is.
    pub(in crate::run) state: RecordState,
    /// Its records by their series, where the job prefers one of several.
    pub(in crate::run) records: BTreeMap<String, u64>,
    /// Records that gave way to those of a preferred series.
    pub(in crate::run) replaced: &'a BTreeMap<String, u64>,
}

/// Seals a day: its files durable, its record named.
///
/// # Errors
/// Those of the archive.
pub(in crate::run) async fn seal(
    run: &RunContext,
    opened: &OpenedSeries,
    todo: &Todo,
    work: Arc<DayWork>,
    by: SealedBy<'_>,
) -> Result<DayRecord, Failure> {
    let scale = opened.series.source.scale();
    let lasting = RecordBasis {
        job: run.manifest.name.clone(),
        series: opened.series.id.0.clone(),
        date: todo.day.date,
        scale,
        window: [scale.label(todo.day.window.start), scale.label(todo.day.window.end)],
        spec: todo.spec,
        state: by.state,
        records: Some(by.records).filter(|records| !records.is_empty()),
        left_out: by.left_out,
    };
    let Some(work) = Arc::into_inner(work) else {
        return Err(Failure::new(Class::Record, "a file of this day is still being worked on; run again"));
    };
    let id = todo.id();
    let (record, retired) = blocking(move || work.seal(SealAs { lasting, absent: by.absent }, &by.keys)).await?;
    if let Some(note) = preferred::retired(by.replaced, retired) {
        run.note(&id, &note);
    }
    Ok(record)
}
