//! Whose a lock is: refuses two manifests that share one, and finds the one that a renamed manifest left behind.

use std::path::{Path, PathBuf};

use super::problem::CliError;
use super::{Exit, Result};
use crate::lock;
use crate::manifest::{Manifest, folder_of};
use crate::untrusted::escape;

/// No more files of a folder than these are looked at.
const MOST: usize = 10_000;

/// Refuses a manifest beside one whose name differs in its ending alone: both would have the same lock.
///
/// # Errors
/// A usage error that names both.
pub(super) fn must_not_share(job: &Manifest) -> Result<()> {
    let other = match job.path.extension().and_then(|ending| ending.to_str()) {
        Some("yaml") => "yml",
        Some("yml") => "yaml",
        _ => return Ok(()),
    };
    let other = job.path.with_extension(other);
    if !other.is_file() {
        return Ok(());
    }
    let [own, other, lock] = [&job.path, &other, &lock::path_of(&job.path)].map(|path| shown(path));
    let message = format!("`{own}` and `{other}` would both have the lock `{lock}`");
    Err(CliError::new(Exit::Usage, message).hint("rename one of them, or remove the one that is not used").into())
}

/// Refuses a job whose lock may be another manifest's, or may have been left behind by a rename.
///
/// # Errors
/// A usage error that says what to do.
pub(super) fn must_be_clear(job: &Manifest) -> Result<()> {
    must_not_share(job)?;
    if lock::path_of(&job.path).exists() { Ok(()) } else { must_not_be_left_behind(job) }
}

/// Refuses a job without a lock where a lock of this job lies beside the manifest and its own manifest is gone: the manifest
/// was renamed, and a new lock would forget what the files must be.
///
/// # Errors
/// A usage error that says how to move the lock.
fn must_not_be_left_behind(job: &Manifest) -> Result<()> {
    let own = lock::path_of(&job.path);
    let Some(left) = left_behind(&job.path, &job.name, &own) else { return Ok(()) };
    let [manifest, own, left] = [&job.path, &own, &left].map(|path| shown(path));
    let message = format!("`{manifest}` has no lock, and `{left}`, a lock of the job `{}`, has no manifest", job.name);
    let hint = format!(
        "if the manifest was renamed, rename its lock as well: `mv {left} {own}` (`git mv` in git); if that lock is of no use any \
         more, remove it"
    );
    Err(CliError::new(Exit::Usage, message).hint(hint).into())
}

/// The first lock by name that lies beside the manifest, is of this job and has no manifest of its own.
fn left_behind(manifest: &Path, job: &str, own: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder_of(manifest))
        .ok()?
        .take(MOST)
        .flatten()
        .map(|entry| manifest.with_file_name(entry.file_name()));
    // What a kill left of a lock that was being written has a hidden name.
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_left = |path: &PathBuf| {
        !is_hidden(path)
            && path.extension().is_some_and(|ending| ending == "lock")
            && path.file_name() != own.file_name()
            && !["yaml", "yml"].iter().any(|ending| path.with_extension(ending).exists())
            && lock::job_of(path).as_deref() == Some(job)
    };
    files.filter(is_left).min()
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}
