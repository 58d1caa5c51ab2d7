//! Archives that this user has had on this machine: one that is missing where it was is a disk that is not mounted, and no
//! new job.
//!
//! Each is noted in a file of its own below `$XDG_STATE_HOME/sunhaul/archives`, or `~/.local/state`. The notes are no part of
//! an archive: without them everything works, and a missing archive is made anew without a question.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::gitignore::plain;
use super::problem::CliError;
use super::{Exit, Result, environment};
use crate::archive::Reader;
use crate::digest::Digest;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::untrusted::{escape, quoted};

const FORMAT: &str = "known-archive/1";

/// What is noted of an archive.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ArchiveMark {
    format: String,
    job: String,
    root: PathBuf,
}

/// Notes that the job's archive is there. A note that cannot be written is left out.
pub(super) fn note(job: &Manifest) {
    let Some(state) = environment::state_folder() else { return };
    let Some(known) = mark_of(job) else { return };
    if let Err(error) = write(&state, &known) {
        tracing::debug!(%error, "the archive is not noted");
    }
}

/// Refuses a job whose archive is missing where this machine has had it, and whose lock has days.
///
/// # Errors
/// One with exit code 5 that says how to go on; [`crate::archive::Error`] when the root cannot be looked at.
pub(super) fn must_be_there(job: &Manifest, lock: Option<&Lock>) -> Result<()> {
    if lock.is_none_or(Lock::is_empty) || Reader::open(&job.archive.root)?.has_state()? || !is_noted(job) {
        return Ok(());
    }
    let [root, manifest] = [&job.archive.root, &job.path].map(|path| path.to_string_lossy());
    let message = format!(
        "the archive of the job `{}` is not in `{}`, where this machine had it before, and the lock lists its files",
        job.name,
        escape(&root)
    );
    let hint = format!(
        "if it is on a disk that is not mounted, mount it; if it was moved, say where with `archive.root` or `--archive DIR`; if \
         it was deleted, `sunhaul run {} --rebuild` fetches it again",
        quoted(&manifest)
    );
    Err(CliError::new(Exit::Storage, message).hint(hint).into())
}

fn is_noted(job: &Manifest) -> bool {
    let (Some(state), Some(known)) = (environment::state_folder(), mark_of(job)) else { return false };
    let text = std::fs::read(state.join(name_of(&known))).unwrap_or_default();
    serde_json::from_slice::<ArchiveMark>(&text).is_ok_and(|noted| noted == known)
}

/// What would be noted of a job's archive.
fn mark_of(job: &Manifest) -> Option<ArchiveMark> {
    let root = plain(&std::path::absolute(&job.archive.root).ok()?);
    Some(ArchiveMark { format: FORMAT.to_owned(), job: job.name.clone(), root })
}

fn name_of(known: &ArchiveMark) -> String {
    let name =
        Digest::sha256([known.job.as_bytes(), b"\0", known.root.as_os_str().as_encoded_bytes()].concat().as_slice());
    format!("{name}.json")
}

fn write(state: &Path, known: &ArchiveMark) -> std::io::Result<()> {
    let path = state.join(name_of(known));
    let text = serde_json::to_vec(known)?;
    if std::fs::read(&path).is_ok_and(|noted| noted == text) {
        return Ok(());
    }
    std::fs::create_dir_all(state)?;
    std::fs::write(path, text)
}
