//! Files of a sealed day that is mended, and that the service does not list any more: those that are right stay.
//!
//! What it does not do: keep a file that is wrong or missing. That one is as the service has it today.

use std::collections::HashSet;
use std::sync::Arc;

use super::lock_view::LockView;
use crate::archive::{DayWork, EarlierLook, FileLine};
use crate::failure::Failure;
use crate::run::blocking::blocking;
use crate::run::{OpenedSeries, Todo};
use crate::source::{Listed, RemoteFile};

/// Adds to a listing what the sealed record of the day has besides, as far as it lies there as recorded, and what the lock
/// knows as absent. Nothing of that is asked for. What is listed under another key than before is none of it.
pub(in crate::run) async fn keep(
    opened: &OpenedSeries,
    todo: &Todo,
    work: &Arc<DayWork>,
    former: &HashSet<String>,
    expected: &LockView,
    listed: &mut Listed,
) -> Result<(), Failure> {
    let keys: HashSet<&str> = listed.files.iter().map(|file| file.key.as_str()).collect();
    let scale = opened.series.source.scale();
    // What another series has now is not kept beside it.
    let is_replaced = |line: &FileLine| {
        let slot = scale.read(line.instant.as_ref().unwrap_or(&line.time));
        let now = slot.and_then(|slot| listed.by_series.slots.get(&slot));
        now.is_some_and(|now| line.source_series.as_deref() != Some(&**now))
    };
    let unlisted: Vec<FileLine> = work
        .priors()
        .filter(|prior| prior.standing == EarlierLook::Final)
        .map(|prior| &prior.line)
        // Of other bytes than the lock's nothing is right.
        .filter(|line| !keys.contains(line.key.as_str()) && !former.contains(&line.key) && expected.allows(line))
        .filter(|line| !is_replaced(line))
        .cloned()
        .collect();
    let day = Arc::clone(work);
    let mut kept = blocking(move || day.as_recorded(unlisted)).await?;
    kept.extend(expected.absent(&todo.series.0).filter(|line| !keys.contains(line.key.as_str())));
    let base = opened.source.current().client().base();
    let files = kept.into_iter().filter_map(|line| {
        let time = scale.read(&line.time)?;
        Some(RemoteFile {
            source_series: line.source_series.map(Arc::from),
            recnum: line.recnum,
            harpnum: line.harpnum,
            segment: line.segment,
            // Nobody asks for it.
            ..RemoteFile::new(line.key, base.clone(), line.url, time)
        })
    });
    let files: Vec<RemoteFile> = files.collect();
    let is_listed: HashSet<_> = listed.files.iter().filter_map(record_of).collect();
    let more: HashSet<_> = files.iter().filter_map(record_of).filter(|record| !is_listed.contains(record)).collect();
    for (series, _) in more {
        *listed.by_series.records.entry(series.to_string()).or_default() += 1;
    }
    listed.files.extend(files);
    Ok(())
}

/// The series and the number of a file's record, where the job prefers one of several series.
fn record_of(file: &RemoteFile) -> Option<(Arc<str>, i64)> {
    file.source_series.clone().zip(file.recnum)
}
