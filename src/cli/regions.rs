//! The active regions that jobs follow: taken from the lock, or looked up at the source, once a command.
//!
//! It does not write the lock; a run does, with what the job knows then.

use super::clock::{now, run_id};
use super::halt::Halted;
use super::job_lock::Locking;
use super::problem::CliError;
use super::query_retry;
use super::signals::Signals;
use super::sources::Sources;
use super::{Exit, Result, Shell};
use crate::failure::{Class, Failure};
use crate::lock::{self, Lock};
use crate::manifest::{Manifest, Region, RegionNumber, Series};
use crate::net::Net;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::source::{Replica, Replicas};
use crate::untrusted::escape;

/// Takes what the lock says of the regions of a job. Of a lock that cannot be read, nothing: what needs it says why.
pub(super) fn recall(job: &mut Manifest) {
    if job.series.iter().all(|series| series.region_numbers().is_empty()) {
        return;
    }
    let Ok(Some(lock)) = Lock::read(&lock::path_of(&job.path), &job.name) else { return };
    for series in &mut job.series {
        series.learn(lock::regions_of(lock.regions(), series));
    }
}

/// True when the days of a job are not known before its source was asked.
pub(super) fn lacks_dates(job: &Manifest) -> bool {
    job.series.iter().any(|series| !series.unknown_of_range().is_empty())
}

/// Refuses a job whose lock may not move, and does not say when the regions of a range were seen.
///
/// # Errors
/// A [`CliError`] with exit code 3.
pub(super) fn must_be_locked(job: &Manifest, locking: &Locking) -> Result<()> {
    let unknown = job.series.iter().find_map(|series| Some((series, *series.unknown_of_range().first()?)));
    let Some((series, number)) = unknown.filter(|_| !locking.may_move()) else { return Ok(()) };
    let message = format!("the range of `{}` follows {number}, of which the lock says nothing", escape(&series.id.0));
    let hint = "`sunhaul run` without `--locked` and `--frozen` looks it up";
    Err(CliError::new(Exit::Lock, message).hint(hint).into())
}

/// Looks up regions: of each series those that `wanted` names. The job knows them then.
///
/// # Errors
/// The source's last failure; `source-refused` where its records are not those of patches, though the range follows one.
pub(super) async fn look_up(
    job: &mut Manifest,
    wanted: impl Fn(&Series) -> Vec<RegionNumber>,
    net: &Net,
    sources: &mut Sources,
    shell: &Shell,
) -> Result<()> {
    for nth in 0..job.series.len() {
        let series = &job.series[nth];
        let numbers = wanted(series);
        if numbers.is_empty() {
            continue;
        }
        let found = ask(job, series, &numbers, net, sources, shell).await?;
        let number = series.regions_of_range().next();
        match (found, number) {
            (Some(found), _) => job.series[nth].learn(found),
            (None, Some(number)) => return Err(no_patches(series, number).into()),
            // The query then compares the NOAA numbers of each record.
            (None, None) => {}
        }
    }
    Ok(())
}

async fn ask(
    job: &Manifest,
    series: &Series,
    numbers: &[RegionNumber],
    net: &Net,
    sources: &mut Sources,
    shell: &Shell,
) -> Result<Option<Vec<Region>>> {
    let bases = sources.bases(job, |id| *id == series.id).await?;
    let bases = bases.into_values().next().unwrap_or_default();
    let source = Replicas::open(net, job, series, &bases, &run_id(now()))?;
    let with_windows = series.regions_of_range().next().is_some();
    let what = format!("{} {}", escape(&series.id.0), named(numbers));
    let ask = async |replica: &Replica| replica.regions(series, numbers, with_windows).await;
    Ok(query_retry::patiently(job, &source, shell, &what, ask).await?)
}

fn no_patches(series: &Series, number: RegionNumber) -> Failure {
    let why = format!(
        "the range of `{}` follows {number}, and `{}` has no HARPNUM among its prime keys; hint: write `start` and `end`",
        escape(&series.id.0),
        escape(&series.name)
    );
    Failure::new(Class::SourceRefused, why)
}

/// The same for a command that has no other way to hear of a signal.
///
/// # Errors
/// As [`look_up`]; [`Halted`] when a signal ends it.
pub(super) async fn look_up_until_signal(
    job: &mut Manifest,
    wanted: impl Fn(&Series) -> Vec<RegionNumber>,
    net: &Net,
    shell: &Shell,
) -> Result<()> {
    if job.series.iter().all(|series| wanted(series).is_empty()) {
        return Ok(());
    }
    let mut sources = Sources::default();
    let mut signals = Signals::catch()?;
    let found = tokio::select! {
        found = look_up(job, wanted, net, &mut sources, shell) => found,
        () = signals.next() => Err(Halted::Interrupted.into()),
    };
    sources.close().await;
    found
}

/// Refuses series of whose regions the source has no patch at all, and warns where it lacks those of some.
///
/// # Errors
/// `source-refused`.
pub(super) fn must_have_patches(job: &Manifest, is_wanted: impl Fn(&Series) -> bool, shell: &Shell) -> Result<()> {
    for series in job.series.iter().filter(|series| is_wanted(series)) {
        let (are_all, lacking) = series.without_patch();
        if lacking.is_empty() {
            continue;
        }
        let text = without_patch(series, &lacking);
        if are_all {
            let why = format!("{text}; hint: check the number. A new region gets its patches later: run again then");
            return Err(Failure::new(Class::SourceRefused, why).into());
        }
        if shell.verbosity > Verbosity::Quiet {
            let word = shell.screen.paint.care("warning:");
            shell.screen.line(&format!("{word} {text}; `sunhaul update` asks again"));
        }
    }
    Ok(())
}

/// `NOAA 12345: no HARP in hmi.sharp_cea_720s`.
pub(super) fn without_patch(series: &Series, numbers: &[RegionNumber]) -> String {
    let are_harps = numbers.iter().all(|number| matches!(number, RegionNumber::Harp(_)));
    let what = if are_harps { "record" } else { "HARP" };
    format!("{}: no {what} in {}", named(numbers), escape(&series.name))
}

fn named(numbers: &[RegionNumber]) -> String {
    match numbers {
        [one] => one.to_string(),
        [first, .., last] if numbers.len() > 5 => {
            format!("{first} to {last} ({})", human::count(numbers.len() as u64, "region"))
        }
        some => some.iter().map(RegionNumber::to_string).collect::<Vec<_>>().join(", "),
    }
}
