//! Bodies that failed a check: the last one of each key, with the reason, 1 GiB in all.

use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;
use rustix::fs::{self, AtFlags};
use rustix::io::Errno;
use serde::Serialize;

use super::name::{cut, sanitise};
use super::record::line;
use super::safe_dir::{DirEntry, Tree, length_of, list};
use super::{Archive, Error, Staged, WORK};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::manifest::SeriesId;

/// How many bytes quarantine holds at most.
const ROOM: u64 = 1 << 30;

#[derive(Serialize)]
struct QuarantineReason<'a> {
    key: &'a str,
    url: &'a str,
    class: &'a str,
    message: &'a str,
}

/// Bodies removed at once are so many bytes more than they must be: else each further one would need a look at all others.
const SLACK: u64 = ROOM / 8;

/// The longest part of a file's name that its body's name in quarantine shows, in bytes.
const SHOWN: usize = 100;

/// How many bytes quarantine holds, as far as this process knows: counted once, then added to.
#[derive(Debug, Default)]
pub(super) struct QuarantineUse(Mutex<Option<u64>>);

/// Puts a failed body aside and makes room by removing the oldest ones.
pub(super) fn put(
    archive: &Archive,
    series: &SeriesId,
    date: NaiveDate,
    staged: Staged,
    key: &str,
    url: &str,
    failure: &Failure,
) -> Result<(), Error> {
    let tree = &archive.tree;
    let directory = format!("{}/{date}", Archive::work("quarantine", series));
    let dir = tree.make(&directory)?;
    let tail = url.rsplit('/').next().and_then(sanitise).unwrap_or_default();
    let name = format!("{}-{}", &Digest::sha256(key.as_bytes()).to_string()[..12], cut(&tail, SHOWN));
    let reason = line(&QuarantineReason { key, url, class: failure.class.name(), message: &failure.message });
    let added = staged.length() + reason.len() as u64;
    staged.move_over(&dir, &name)?;
    tree.replace(&directory, &format!("{name}.json"), &reason, false)?;
    let mut used = archive.quarantine.0.lock().unwrap_or_else(PoisonError::into_inner);
    let now = match *used {
        Some(before) => before + added,
        None => bodies(tree)?.iter().map(|body| body.length).sum(),
    };
    *used = Some(if now > ROOM { make_room(tree)? } else { now });
    Ok(())
}

/// One file of quarantine. Sorted, the oldest comes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QuarantinedBody {
    modified: (i64, u64),
    length: u64,
    path: String,
}

/// All files of quarantine.
fn bodies(tree: &Tree) -> Result<Vec<QuarantinedBody>, Error> {
    let mut bodies = Vec::new();
    let root = format!("{WORK}/quarantine");
    for series in tree.entries(&root)?.iter().filter(|entry| entry.is_dir()).filter_map(DirEntry::text) {
        let series = format!("{root}/{series}");
        for day in tree.entries(&series)?.iter().filter(|entry| entry.is_dir()).filter_map(DirEntry::text) {
            let folder = format!("{series}/{day}");
            let Some(dir) = tree.look(&folder)? else { continue };
            let failed = |e: Errno| Error::storage("look into quarantine", tree.path(&folder), e.into());
            for name in list(&dir).map_err(failed)?.iter().filter_map(DirEntry::text) {
                // Another worker may have removed it meanwhile.
                let Ok(stat) = fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                let Some(length) = length_of(&stat) else { continue };
                let modified = (stat.st_mtime, stat.st_mtime_nsec);
                bodies.push(QuarantinedBody { modified, length, path: format!("{folder}/{name}") });
            }
        }
    }
    Ok(bodies)
}

/// Removes the oldest bodies until there is room again; gives what the rest holds.
fn make_room(tree: &Tree) -> Result<u64, Error> {
    let mut bodies = bodies(tree)?;
    bodies.sort_unstable();
    let mut held: u64 = bodies.iter().map(|body| body.length).sum();
    for body in bodies {
        if held <= ROOM - SLACK {
            break;
        }
        if tree.remove(&body.path).is_ok() {
            held -= body.length;
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_bodies_make_room_and_a_link_among_them_stays() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        let day = format!("{WORK}/quarantine/s/2015-12-11");
        tree.make(&day).unwrap();
        let at = |name: &str| folder.path().join(&day).join(name);
        for (nth, name) in ["c", "a", "b"].into_iter().enumerate() {
            let file = std::fs::File::create(at(name)).unwrap();
            // Holes take no room on the disk.
            file.set_len(ROOM / 2).unwrap();
            let modified = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(nth as u64);
            file.set_modified(modified).unwrap();
        }
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        assert_eq!(make_room(&tree).unwrap(), ROOM / 2);
        let names = list(&tree.look(&day).unwrap().unwrap()).unwrap();
        let mut names: Vec<&str> = names.iter().filter_map(DirEntry::text).collect();
        names.sort_unstable();
        assert_eq!(names, ["b", "link"]);
    }
}
