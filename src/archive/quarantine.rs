//! Bodies that failed a check: the last one of each key, with the reason, 1 GiB in all.

use std::path::PathBuf;
use std::time::SystemTime;

use chrono::NaiveDate;
use serde::Serialize;

use super::name::sanitise;
use super::record::line;
use super::tree::Tree;
use super::{Archive, Error, STATE, Staged};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::manifest::SeriesId;

/// How many bytes quarantine holds at most.
const ROOM: u64 = 1 << 30;

#[derive(Serialize)]
struct Reason<'a> {
    key: &'a str,
    url: &'a str,
    class: &'a str,
    message: &'a str,
}

/// Puts a failed body aside and makes room by removing the oldest ones.
pub(super) fn put(
    tree: &Tree,
    series: &SeriesId,
    date: NaiveDate,
    staged: Staged,
    (key, url): (&str, &str),
    failure: &Failure,
) -> Result<(), Error> {
    let directory = format!("{}/{date}", Archive::work("quarantine", series));
    let dir = tree.make(&directory)?;
    let tail = url.rsplit('/').next().and_then(sanitise).unwrap_or_default();
    let tail: String = tail.chars().take(100).collect();
    let name = format!("{}-{tail}", &Digest::of(key.as_bytes()).to_string()[..12]);
    staged.move_over(&dir, &name)?;
    let reason = Reason { key, url, class: failure.class.name(), message: &failure.message };
    tree.replace(&directory, &format!("{name}.json"), &line(&reason), false)?;
    make_room(&tree.path(&format!("{STATE}/work/quarantine")))
}

/// Removes the oldest bodies until the rest fits.
fn make_room(root: &std::path::Path) -> Result<(), Error> {
    let mut bodies: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |e| Error::storage("look into quarantine", &folder, e);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Another worker may have removed it meanwhile.
            let Ok(meta) = entry.path().symlink_metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else if meta.is_file() {
                bodies.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len(), entry.path()));
            }
        }
    }
    let mut held: u64 = bodies.iter().map(|(_, length, _)| length).sum();
    bodies.sort();
    for (_, length, path) in bodies {
        if held <= ROOM {
            break;
        }
        if std::fs::remove_file(&path).is_ok() {
            held -= length;
        }
    }
    Ok(())
}
