//! Questions that commands put to sources outside of a run: each tried again as the manifest allows.
//!
//! What it does not do: fetch a body into an archive.

use std::future::Future;

use super::Shell;
use crate::day::Day;
use crate::failure::Failure;
use crate::manifest::{Manifest, Series};
use crate::net::{Client, Waits};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::source::{Listed, Source};
use crate::untrusted::escape;

/// Lists one day.
///
/// # Errors
/// The last failure, when the attempts are used up.
pub(super) async fn list(
    job: &Manifest,
    series: &Series,
    source: &dyn Source,
    client: &Client,
    day: &Day,
    shell: &Shell,
) -> Result<Listed, Failure> {
    let what = format!("{} {}", escape(&series.id.0), day.date);
    patiently(job, client, shell, &what, || source.list(series, day)).await
}

/// Asks until there is an answer or the attempts are used up.
///
/// # Errors
/// The last failure.
pub(super) async fn patiently<T, F: Future<Output = Result<T, Failure>>>(
    job: &Manifest,
    client: &Client,
    shell: &Shell,
    what: &str,
    ask: impl Fn() -> F,
) -> Result<T, Failure> {
    let mut waits = Waits::new(job.retry);
    loop {
        let failure = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Some(wait) = waits.after(&failure) else { return Err(failure) };
        if shell.verbosity > Verbosity::Quiet {
            shell.screen.line(&format!("{what} retry in {}: {failure}", human::span(wait)));
        }
        client.note_retry();
        tokio::time::sleep(wait).await;
    }
}
