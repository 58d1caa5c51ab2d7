//! Questions that commands put to sources outside of a run: each tried again as the manifest allows.
//!
//! It downloads nothing into an archive.

use super::Shell;
use crate::day::Day;
use crate::failure::Failure;
use crate::manifest::{Manifest, Series};
use crate::net::Waits;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::source::{Listed, Replica, Replicas};
use crate::untrusted::escape;

/// Lists one day.
///
/// # Errors
/// The last failure, when the attempts are used up.
pub(super) async fn list(
    job: &Manifest,
    series: &Series,
    source: &Replicas,
    day: &Day,
    shell: &Shell,
) -> Result<Listed, Failure> {
    let what = format!("{} {}", escape(&series.id.0), day.date);
    // Without a journal: only a run keeps notes and places orders.
    patiently(job, source, shell, &what, async |replica: &Replica| replica.list(series, day, None).await).await
}

/// Asks until there is an answer or the attempts are used up, at each replica in turn.
///
/// # Errors
/// The last failure.
pub(super) async fn patiently<T>(
    job: &Manifest,
    source: &Replicas,
    shell: &Shell,
    what: &str,
    ask: impl AsyncFn(&Replica) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut waits = Waits::new(job.retry);
    loop {
        let replica = source.current();
        let failure = match ask(replica).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Some(wait) = waits.after(&failure) else {
            if source.leave(replica, &failure) {
                waits = Waits::new(job.retry);
                continue;
            }
            return Err(failure);
        };
        if shell.verbosity > Verbosity::Quiet {
            shell.screen.line(&format!("{what} retry in {}: {failure}", human::span(wait)));
        }
        replica.client().note_retry();
        tokio::time::sleep(wait).await;
    }
}
