//! Limits of this process: what is too much ends in an error with a hint, not in a signal, a panic or a wait for ever.

use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::problem::CliError;
use super::{Exit, Result};
use crate::failure::limit_hint;

/// How many descriptors a runtime opens before it runs anything: for epoll, its wake-up, and a socket pair for signals.
const RUNTIME_DESCRIPTORS: usize = 8;

/// Lets a write beyond `ulimit -f` fail with an error. By itself the system ends the process without a word.
///
/// Where that cannot be arranged, nothing else is worse for it.
pub(super) fn catch_large_files() {
    let built = must_open(RUNTIME_DESCRIPTORS).and_then(|()| Builder::new_current_thread().enable_io().build());
    let caught = built.and_then(|runtime| {
        let _within = runtime.enter();
        // The handler stays installed when the runtime is gone.
        signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))
    });
    if let Err(error) = caught {
        tracing::debug!(%error, "a write beyond `ulimit -f` ends the program");
    }
}

/// A runtime for the commands that talk to someone.
///
/// Beside its workers it needs one thread for file work: without that it would wait for ever, so what the system gives is
/// tried first.
///
/// # Errors
/// When the system does not give two threads, or too few descriptors.
pub(super) fn runtime() -> Result<Runtime> {
    must_open(RUNTIME_DESCRIPTORS).map_err(|error| no_threads(&error))?;
    let wanted = std::thread::available_parallelism().map_or(1, usize::from);
    let before = threads();
    let (had, refused) = threads_to_be_had(wanted + 1);
    until_gone(before);
    let workers = had.saturating_sub(1);
    if let (0, Some(error)) = (workers, refused) {
        return Err(no_threads(&error));
    }
    let built = Builder::new_multi_thread()
        .worker_threads(workers.max(1))
        // The first thread for file work stays: where there can be no second one, it does all of it.
        .thread_keep_alive(Duration::from_hours(10_000))
        .enable_all()
        .build();
    let runtime = built.map_err(|error| no_threads(&error))?;
    drop(runtime.spawn_blocking(|| {}));
    Ok(runtime)
}

fn no_threads(error: &io::Error) -> anyhow::Error {
    let hint = limit_hint(error).unwrap_or("raise the limit on processes (`ulimit -u`), or close other programs");
    CliError::new(Exit::Storage, format!("could not start threads: {error}")).hint(hint).into()
}

/// The threads of this process; none where `/proc` is not mounted.
fn threads() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}

/// Waits until there are no more threads than `before`. One that was joined still counts against `ulimit -u` until the
/// kernel has released it, and a runtime that finds no room panics.
fn until_gone(before: Option<usize>) {
    for _ in 0..1000 {
        if threads() <= before {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Checks that this process may open so many more files. Where tokio gets none for its signals, it panics.
fn must_open(count: usize) -> io::Result<()> {
    (0..count).map(|_| File::open("/")).collect::<io::Result<Vec<File>>>().map(drop)
}

/// How many threads the system gives beside this one, up to `wanted`, and why not more.
fn threads_to_be_had(wanted: usize) -> (usize, Option<io::Error>) {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // All of them exist at once: none ends before the last one was tried.
        let closed = gate.lock();
        let wait = || drop(gate.lock());
        let refused = (0..wanted).find_map(|had| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, wait);
            Some((had, thread.err()?))
        });
        drop(closed);
        refused.map_or((wanted, None), |(had, error)| (had, Some(error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_that_the_system_gives_are_counted_and_gone_again() {
        for _ in 0..100 {
            assert!(matches!(threads_to_be_had(8), (8, None)));
        }
    }
}
