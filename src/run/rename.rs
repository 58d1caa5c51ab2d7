//! Listed files whose bytes are known, by an earlier look at their day, and that lie elsewhere than they are due: at another
//! path, or among the retired files. They get their path without a request.

use std::sync::Arc;

use super::day::blocking;
use super::earlier::is_sealed;
use super::event::{DayId, Event, FileEnd};
use super::file::as_listed;
use super::flight::{Failures, Missing};
use super::{Run, Todo};
use crate::archive::{DayWork, FileLine, Placed, RelativePath};
use crate::failure::{Class, Failure};
use crate::source::RemoteFile;

/// A listed file that is known, and how.
pub(super) struct KnownFile {
    pub(super) file: RemoteFile,
    /// Where it is due.
    pub(super) path: RelativePath,
    /// What is known of it, with the path where it was.
    pub(super) line: FileLine,
}

/// What is left of them to fetch, and what failed.
#[derive(Default)]
pub(super) struct Unplaced {
    pub(super) missing: Vec<Missing>,
    pub(super) failed: Failures,
}

/// Gives the files their paths. Those that are not found with their bytes are to be fetched.
pub(super) async fn place(
    run: &Arc<Run>,
    todo: &Todo,
    (work, id): (&Arc<DayWork>, &DayId),
    files: Vec<KnownFile>,
) -> Unplaced {
    let mut unplaced = Unplaced::default();
    for KnownFile { file, path, line } in files {
        let placed = if run.halt.is_cancelled() {
            Ok(None)
        } else {
            place_one(work, as_listed(line.clone(), &file), &path).await
        };
        match placed {
            Ok(Some(end)) => {
                if !is_sealed(work, &file.key) {
                    run.redirects.remember(todo, &file.url, &line);
                }
                let path = Some(path.to_string());
                run.tell(Event::FileDone { day: id.clone(), key: file.key, path, end });
            }
            Ok(None) => unplaced.missing.push(Missing { file, path: Some(path), kept: None }),
            Err(failure) => {
                if failure.class == Class::Storage {
                    // Every other file would fail on it too.
                    run.halt.cancel();
                }
                unplaced.failed.insert(file.key, (Some(path.to_string()), failure));
            }
        }
    }
    unplaced
}

/// Gives a file its path; `None` where it is not found with its bytes.
pub(super) async fn place_one(
    work: &Arc<DayWork>,
    line: FileLine,
    path: &RelativePath,
) -> Result<Option<FileEnd>, Failure> {
    let (work, path) = (Arc::clone(work), path.clone());
    let bytes = line.bytes.unwrap_or_default();
    let placed = blocking(move || work.place(&line, &path)).await?;
    Ok(placed.map(|placed| match placed {
        Placed::Renamed => FileEnd::Renamed { bytes },
        Placed::Restored => FileEnd::Restored { bytes },
        Placed::Kept => FileEnd::Kept { bytes },
    }))
}
