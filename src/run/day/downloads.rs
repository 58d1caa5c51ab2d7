//! The files of one day on their way, as many at once as the host may be asked for.
//!
//! What it does not do: choose them, or seal the day.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::context::DayContext;
use super::file_task::{FileEnded, FileTask, GivenUp, Gone};
use crate::archive::{FileLine, RelativePath};
use crate::failure::{Class, Failure};
use crate::run::repeated_failure::{shows_that_all_differ, with_samples_first};
use crate::source::RemoteFile;
use crate::untrusted::escape;

/// What failed, by key, with the path where it is known.
pub(in crate::run) type Failures = BTreeMap<String, (Option<String>, Failure)>;

/// A file of the day that is to be asked for, with its path where the listing or an earlier look tells it.
pub(in crate::run) struct MissingFile {
    pub(in crate::run) file: RemoteFile,
    pub(in crate::run) path: Option<RelativePath>,
    /// It is there from an earlier look, and asked for only in case that it changed.
    pub(in crate::run) kept: Option<Box<FileLine>>,
}

/// How the files of a day ended that are not in the archive now.
#[derive(Default)]
pub(in crate::run) struct Downloads {
    /// Those that the source does not have.
    pub(in crate::run) absent: Vec<Gone>,
    /// Those that were given up after all attempts.
    pub(in crate::run) given_up: Vec<GivenUp>,
    /// Those that failed for what is known already.
    pub(in crate::run) failed: Failures,
    /// How many are left for another run.
    pub(in crate::run) left: u64,
}

/// Fetches what is missing, as many files at once as the host may be asked for.
pub(in crate::run) async fn fetch(day: &Arc<DayContext>, missing: Vec<MissingFile>) -> Downloads {
    let DayContext { run, id, opened, .. } = &**day;
    let width = opened.width();
    let mut downloads = Downloads::default();
    let missing = if day.lock_view.binds() { with_samples_first(missing) } else { missing };
    let mut waiting = missing.into_iter();
    // How many files are not what the lock says; none once a file came well.
    let mut mismatches = Some(0);
    let mut tasks: JoinSet<(String, FileEnded)> = JoinSet::new();
    loop {
        let is_hopeless = mismatches.is_some_and(shows_that_all_differ);
        while tasks.len() < width && !run.halt.is_cancelled() && !run.is_spent() && !is_hopeless {
            let Some(MissingFile { file, path, kept }) = waiting.next() else { break };
            let task = FileTask { day: Arc::clone(day), path, kept, ticket: None };
            let span = tracing::info_span!("file", key = %escape(&file.key));
            let fetched = async move {
                let key = file.key.clone();
                let ended = AssertUnwindSafe(task.fetch(file)).catch_unwind().await;
                (key, ended.unwrap_or_else(|_| FileEnded::Failed { path: None, failure: panicked(), with: None }))
            };
            tasks.spawn(fetched.instrument(span));
        }
        // When the run is stopped, each of them ends by itself, and what it has published is told.
        match tasks.join_next().await {
            None => break,
            Some(Ok((_, FileEnded::Done))) => mismatches = None,
            Some(Ok((_, FileEnded::Left | FileEnded::Stopped))) => downloads.left += 1,
            Some(Ok((_, FileEnded::Absent(gone)))) => downloads.absent.push(*gone),
            Some(Ok((_, FileEnded::GivenUp(given_up)))) => {
                if given_up.failure.class == Class::Storage {
                    // Every other file would fail on it too.
                    run.halt.cancel();
                }
                downloads.given_up.push(*given_up);
            }
            Some(Ok((key, FileEnded::Failed { path, failure, with }))) => {
                if failure.class == Class::Storage {
                    // Every other file would fail on it too.
                    run.halt.cancel();
                }
                if failure.class == Class::LockMismatch {
                    mismatches = mismatches.map(|count: usize| count + 1);
                }
                if let Some(with) = with {
                    downloads.failed.insert(with, (path.clone(), failure.clone()));
                }
                downloads.failed.insert(key, (path, failure));
            }
            // Nothing cancels it, and a panic was caught: this is a runtime that goes down.
            Some(Err(error)) => tracing::debug!(%error, "a file's task ended early"),
        }
    }
    if mismatches.is_some_and(shows_that_all_differ) && waiting.len() > 0 {
        let left = waiting.len();
        run.note(id, &format!("none of the downloaded files matches the lock; {left} more are not requested"));
    }
    downloads.left += waiting.len() as u64;
    downloads
}

/// A panic is a bug of ours: it ends one day or file, and the others go on.
pub(in crate::run) fn panicked() -> Failure {
    Failure::new(Class::Internal, "internal error: a task panicked; please report the message on standard error")
}
