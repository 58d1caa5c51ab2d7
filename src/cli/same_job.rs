//! Two manifests that make one job of one archive and ask for different things: refused before anything is asked, since
//! each would undo the other's work.
//!
//! A manifest that was moved or renamed is no second one: its old path is gone, or holds another job.

use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};

use super::problem::CliError;
use super::{Exit, Result, environment};
use crate::archive::{Archive, Reader};
use crate::day::{Day, Window};
use crate::lock::{self, Lock};
use crate::manifest::{self, Manifest, SeriesId};
use crate::untrusted::escape;

/// Refuses jobs of one command line that would undo each other, and one that would undo what another manifest did.
///
/// # Errors
/// A usage error that names both manifests; [`crate::archive::Error`] when the archive cannot be read.
pub(super) fn must_not_undo(jobs: &[Manifest], now: DateTime<Utc>) -> Result<()> {
    must_agree_among(jobs, now)?;
    for job in jobs {
        rivals(job, &Reader::open(&job.archive.root)?, now)?;
    }
    Ok(())
}

/// Refuses jobs of one command line that would undo each other, whatever their archives hold.
///
/// # Errors
/// A usage error that names both manifests.
pub(super) fn must_agree_among(jobs: &[Manifest], now: DateTime<Utc>) -> Result<()> {
    for (nth, job) in jobs.iter().enumerate() {
        for other in jobs[..nth].iter().filter(|other| is_same_job(job, other)) {
            must_agree(job, other, now)?;
        }
    }
    Ok(())
}

/// The same for one job, which from here on is known to be made by its manifest.
///
/// # Errors
/// As [`must_not_undo`]; when the archive cannot be written.
pub(super) fn claim(job: &Manifest, archive: &Archive, now: DateTime<Utc>) -> Result<()> {
    let records = Reader::open(&job.archive.root)?;
    let mut makers = rivals(job, &records, now)?;
    let Some(own) = relative(&job.path, &job.archive.root) else { return Ok(()) };
    if !makers.contains(&own) {
        makers.push(own);
    }
    if Some(&makers) != records.makers(&job.name)?.as_ref() {
        archive.note_makers(&job.name, makers)?;
    }
    Ok(())
}

/// The other manifests that still make this job here, by their noted paths: all of them ask for the same.
fn rivals(job: &Manifest, records: &Reader, now: DateTime<Utc>) -> Result<Vec<String>> {
    let Some(mut makers) = records.makers(&job.name)? else {
        must_have_made(job, records)?;
        return Ok(Vec::new());
    };
    let mut undone = Ok(());
    makers.retain(|maker| {
        let path = job.archive.root.join(maker);
        if is_one_file(&path, &job.path) {
            return true;
        }
        // A manifest that is missing, or that now belongs to another job, was moved or renamed.
        let is_file = path.metadata().is_ok_and(|meta| meta.is_file());
        let other = is_file.then(|| manifest::load(&path, &environment::variable).ok()).flatten();
        let Some(other) = other.filter(|other| is_same_job(job, other)) else { return false };
        if undone.is_ok() {
            undone = must_agree(job, &other, now);
        }
        true
    });
    undone.map(|()| makers)
}

/// Refuses a manifest where nothing tells which one made the job, and a record of it answers another question than this
/// one's: the manifest was edited, or is another one, and would undo what that did. Its own lock tells that it made the
/// record.
fn must_have_made(job: &Manifest, records: &Reader) -> Result<()> {
    let lock = Lock::read(&lock::path_of(&job.path), &job.name).ok().flatten();
    for series in &job.series {
        let scale = series.source.scale();
        // The plan and the run's report show what cannot be read.
        let Ok(dates) = records.recorded(&series.id) else { continue };
        for date in dates {
            let Ok(Some(header)) = records.header(&series.id, date) else { continue };
            let asked = Window::from_labels(&header.window, scale).map(|window| series.spec(&Day { date, window }));
            let is_locked =
                || lock.as_ref().and_then(|lock| lock.day(&series.id, date)).is_some_and(|row| row.spec == header.spec);
            if header.job != job.name || asked == Some(header.spec) || is_locked() {
                continue;
            }
            let note = Archive::makers_path(&job.archive.root, &job.name);
            let [own, root, note] = [&job.path, &job.archive.root, &note].map(|path| shown(path));
            let message = format!(
                "the archive `{root}` has a record of {} {date} that the job `{}` made, and `{own}` requests something else of that day: it would undo what another manifest did, or an earlier version of this one, and which \
                 is not known, since `{note}` is missing or damaged",
                escape(&series.id.0),
                job.name
            );
            let hint = format!(
                "where another manifest made it, run that one first, and give this one another `archive.root`, or another \
                 `name` and its series other ids with `as:`; where this one did, `sunhaul lock {own}` says so"
            );
            return Err(CliError::new(Exit::Usage, message).hint(hint).into());
        }
    }
    Ok(())
}

fn is_one_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn is_same_job(one: &Manifest, other: &Manifest) -> bool {
    let is_one_root = || {
        let (one, other) = (&one.archive.root, &other.archive.root);
        one == other || is_one_file(one, other)
    };
    one.name == other.name && !is_one_file(&one.path, &other.path) && is_one_root()
}

fn must_agree(job: &Manifest, other: &Manifest, now: DateTime<Utc>) -> Result<()> {
    let Some((series, date)) = difference(job, other, now) else { return Ok(()) };
    let [own, others, root] = [&job.path, &other.path, &job.archive.root].map(|path| shown(path));
    let message = format!(
        "`{own}` and `{others}` are both the job `{}` in the archive `{root}`, and request different things of {} {date}: \
         each would undo the other's work",
        job.name,
        escape(&series.0)
    );
    let hint = "give one of them another `archive.root`, or another `name` and its series other ids with `as:`; remove \
                the one that is not wanted any more";
    Err(CliError::new(Exit::Usage, message).hint(hint).into())
}

/// A path as somebody in this folder would write it.
fn shown(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let short = here.ok().and_then(|here| whole.strip_prefix(here).ok().map(Path::to_owned));
    escape(&short.unwrap_or(whole).to_string_lossy()).into_owned()
}

/// A day that both manifests ask for, and not alike. Days differ by their manifests' texts, and by how the ends of the ranges
/// cut them: a day at each end and one between stand for all.
fn difference(one: &Manifest, other: &Manifest, now: DateTime<Utc>) -> Option<(SeriesId, NaiveDate)> {
    for series in &one.series {
        let Some(twin) = other.series.iter().find(|twin| twin.id == series.id) else { continue };
        let windows = [series, twin].map(|series| series.range.resolve(now, series.source.scale()));
        let both = windows[0].intersect(&windows[1]);
        let last = both.end - chrono::TimeDelta::nanoseconds(1);
        let dates = both.days().take(2).map(|day| day.date).chain((!both.is_empty()).then_some(last.date()));
        for date in dates {
            let day = |window: &Window| Day { date, window: Window::of_day(date).intersect(window) };
            if series.spec(&day(&windows[0])) != twin.spec(&day(&windows[1])) {
                return Some((series.id.clone(), date));
            }
        }
    }
    None
}

/// A manifest's path as seen from the root; `None` of what is no file, such as a pipe.
fn relative(manifest: &Path, root: &Path) -> Option<String> {
    let (manifest, root) = (manifest.canonicalize().ok()?, root.canonicalize().ok()?);
    if !manifest.is_file() {
        return None;
    }
    let shared = manifest.components().zip(root.components()).take_while(|(a, b)| a == b).count();
    let up = root.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(manifest.components().skip(shared)).collect();
    path.into_os_string().into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_noted_as_seen_from_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["jobs", "data/sun"] {
            std::fs::create_dir_all(at(path)).unwrap();
        }
        std::fs::write(at("jobs/a.yaml"), "").unwrap();
        std::fs::write(at("data/sun/a.yaml"), "").unwrap();
        assert_eq!(relative(&at("jobs/a.yaml"), &at("data/sun")).as_deref(), Some("../../jobs/a.yaml"));
        assert_eq!(relative(&at("data/sun/a.yaml"), &at("data/sun")).as_deref(), Some("a.yaml"));
        assert_eq!(relative(&at("jobs/none.yaml"), &at("data/sun")), None);
        assert_eq!(relative(Path::new("/dev/null"), &at("data/sun")), None);
    }
}
