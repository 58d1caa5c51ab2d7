//! Files below the root that no day record and no journal names.
//!
//! Every record of the archive counts, whichever job wrote it. What it does not do: touch them. They may be the user's.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;

use super::layout::folded;
use super::safe_dir::{Tree, enter, length_of, list};
use super::shared_paths::{days, names};
use super::{Archive, Error, STATE};

/// RO-Crate wants its metadata in the root of what it describes: `export` writes it there.
const CATALOGUE: &str = "ro-crate-metadata.json";

/// A file that nothing names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    /// Its path below the root; what is no UTF-8 in it is replaced.
    pub path: String,
    /// Its length; none when it is no plain file.
    pub bytes: Option<u64>,
}

impl Archive {
    /// Finds what nothing names, sorted by path. Links are not followed; a link is a stray itself. `None` when it cannot
    /// be known: a day record is damaged, so that not all names can be read.
    ///
    /// Names are held as 64 bits each: among a million of them, the odds that a stray goes unseen for it are below one in a
    /// million million.
    ///
    /// # Errors
    /// [`Error::Storage`] when a folder, a record or a journal cannot be read.
    pub fn strays(root: &Path) -> Result<Option<Vec<Stray>>, Error> {
        let tree = Tree::open(root)?;
        let hashes = RandomState::new();
        let mut known = HashSet::new();
        let is_whole = each_name(&tree, |path| {
            known.insert(hashes.hash_one(path));
        })?;
        if !is_whole {
            return Ok(None);
        }
        let mut strays = walk(&tree, |path| known.contains(&hashes.hash_one(path)))?;
        drop(known);
        if !strays.is_empty() {
            // A run may have named them meanwhile, or moved them on.
            let mut named = HashSet::new();
            let by_fold: HashMap<String, usize> =
                strays.iter().enumerate().map(|(at, stray)| (folded(&stray.path), at)).collect();
            each_name(&tree, |path| {
                let Some((at, stray)) = by_fold.get(&folded(path)).and_then(|at| Some((*at, strays.get(*at)?))) else {
                    return;
                };
                // Where case does not count, a file may have another spelling on the disk than in its record.
                if stray.path == path || tree.is_one_entry(&stray.path, path) {
                    named.insert(at);
                }
            })?;
            let mut at = 0..;
            strays.retain(|stray| {
                let is_named = at.next().is_some_and(|at| named.contains(&at));
                // What is no UTF-8 is not found again under its name.
                let is_there = || stray.path.contains('\u{fffd}') || tree.exists(&stray.path).unwrap_or(false);
                !is_named && is_there()
            });
        }
        Ok(Some(strays))
    }
}

/// Every path that a record or journal of the archive names. True when every line of the records could be read: the last
/// one of a journal may be cut, and names nothing then.
fn each_name(tree: &Tree, mut told: impl FnMut(&str)) -> Result<bool, Error> {
    let mut is_whole = true;
    // In this order: a day that is sealed meanwhile has its record before its journal goes.
    for kind in ["work/journal", "days"] {
        for (series, day) in days(tree, kind)? {
            let relative = format!("{STATE}/{kind}/{series}/{day}");
            is_whole &= names(tree, &relative, |path, _| told(path))? || kind != "days";
        }
    }
    Ok(is_whole)
}

/// The files below the root that are not known, sorted by path.
fn walk(tree: &Tree, is_known: impl Fn(&str) -> bool) -> Result<Vec<Stray>, Error> {
    let mut strays = Vec::new();
    let mut folders: Vec<(Arc<OwnedFd>, OsString, String)> =
        vec![(Arc::new(tree.root_anew()?), OsString::from("."), String::new())];
    while let Some((parent, name, below)) = folders.pop() {
        let failed = |e: Errno| Error::storage("look into", tree.path(&below), e.into());
        let folder = match enter(&parent, &name) {
            Ok(folder) => Arc::new(folder),
            // Removed meanwhile, or no folder any more.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            Err(e) => return Err(failed(e)),
        };
        for entry in list(&folder).map_err(failed)? {
            let path = format!("{below}{}", entry.name.to_string_lossy());
            if path == STATE {
                continue;
            }
            if entry.is_dir() {
                folders.push((Arc::clone(&folder), entry.name, format!("{path}/")));
            } else if path != CATALOGUE && !is_known(&path) {
                let stat = match fs::statat(&*folder, entry.name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => stat,
                    Err(Errno::NOENT) => continue,
                    Err(e) => return Err(Error::storage("look at", tree.path(&path), e.into())),
                };
                strays.push(Stray { path, bytes: length_of(&stat) });
            }
        }
    }
    strays.sort_unstable();
    Ok(strays)
}
