//! Listed files whose bytes are known, by an earlier look at their day, and that lie elsewhere than they are due: at another
//! path, or among the retired files. They get their path without a request.

use std::sync::Arc;

use super::context::DayContext;
use super::downloads::{Failures, MissingFile};
use super::file_task::as_listed;
use super::known_files::is_sealed;
use crate::archive::{DayWork, FileLine, PlacedAs, RelativePath};
use crate::failure::{Class, Failure};
use crate::run::blocking::blocking;
use crate::run::event::{Event, FileEnd};
use crate::source::RemoteFile;

/// A listed file that is known, and how.
pub(in crate::run) struct KnownFile {
    pub(in crate::run) file: RemoteFile,
    /// Where it is due.
    pub(in crate::run) path: RelativePath,
    /// What is known of it, with the path where it was.
    pub(in crate::run) line: FileLine,
}

/// What is left of them to fetch, and what failed.
#[derive(Default)]
pub(in crate::run) struct Unplaced {
    pub(in crate::run) missing: Vec<MissingFile>,
    pub(in crate::run) failed: Failures,
}

/// Makes room for the files where others of the day stand in the way.
///
/// # Errors
/// Those of the archive.
pub(in crate::run) async fn make_room(work: &Arc<DayWork>, files: &[KnownFile]) -> Result<(), Failure> {
    let (work, paths) = (Arc::clone(work), files.iter().map(|file| file.path.clone()).collect::<Vec<RelativePath>>());
    blocking(move || work.make_room(&paths)).await
}

/// Gives the files their paths. Those that are not found with their bytes are to be fetched.
pub(in crate::run) async fn place(day: &DayContext, files: Vec<KnownFile>) -> Unplaced {
    let DayContext { run, opened, todo, store, id, .. } = day;
    let scale = opened.series.source.scale();
    let mut unplaced = Unplaced::default();
    for KnownFile { file, path, line } in files {
        let placed = if run.halt.is_cancelled() {
            Ok(None)
        } else {
            place_one(store, as_listed(line.clone(), &file, scale), &path).await
        };
        match placed {
            Ok(Some(end)) => {
                if !is_sealed(store, &file.key) {
                    run.redirects.remember(todo, &file.url, &line);
                }
                let path = Some(path.to_string());
                run.emit(Event::FileDone { day: id.clone(), key: file.key, path, end });
            }
            Ok(None) => unplaced.missing.push(MissingFile { file, path: Some(path), kept: None }),
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
pub(in crate::run) async fn place_one(
    work: &Arc<DayWork>,
    line: FileLine,
    path: &RelativePath,
) -> Result<Option<FileEnd>, Failure> {
    let (work, path) = (Arc::clone(work), path.clone());
    let bytes = line.bytes.unwrap_or_default();
    let placed = blocking(move || work.place(&line, &path)).await?;
    Ok(placed.map(|placed| match placed {
        PlacedAs::Renamed => FileEnd::Renamed { bytes },
        PlacedAs::Restored => FileEnd::Restored { bytes },
        PlacedAs::Kept => FileEnd::Kept { bytes },
    }))
}
