//! Files below the root that no day record and no journal names.
//!
//! Every record of the archive counts, whichever job wrote it. What it does not do: touch them. They may be the user's.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use super::ground::{entries, names};
use super::{Archive, Error, STATE};

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
        let hashes = RandomState::new();
        let mut known = HashSet::new();
        let is_whole = each_name(root, |path| {
            known.insert(hashes.hash_one(path));
        })?;
        if !is_whole {
            return Ok(None);
        }
        let mut strays = walk(root, |path| known.contains(&hashes.hash_one(path)))?;
        drop(known);
        if !strays.is_empty() {
            // A run may have named them meanwhile, or moved them on.
            let mut named = HashSet::new();
            each_name(root, |path| {
                if let Ok(at) = strays.binary_search_by(|stray| stray.path.as_str().cmp(path)) {
                    named.insert(at);
                }
            })?;
            let mut at = 0..;
            strays.retain(|stray| {
                let is_named = at.next().is_some_and(|at| named.contains(&at));
                // What is no UTF-8 is not found again under its name.
                let is_there = || stray.path.contains('\u{fffd}') || root.join(&stray.path).symlink_metadata().is_ok();
                !is_named && is_there()
            });
        }
        Ok(Some(strays))
    }
}

/// Every path that a record or journal of the archive names. True when every line of the records could be read: the last
/// one of a journal may be cut, and names nothing then.
fn each_name(root: &Path, mut told: impl FnMut(&str)) -> Result<bool, Error> {
    let mut is_whole = true;
    // In this order: a day that is sealed meanwhile has its record before its journal goes.
    for kind in ["work/journal", "days"] {
        for series in entries(&root.join(STATE).join(kind))? {
            for day in entries(&series)? {
                is_whole &= names(&day, |path, _| told(path))? || kind != "days";
            }
        }
    }
    Ok(is_whole)
}

/// The files below the root that are not known, sorted by path.
fn walk(root: &Path, is_known: impl Fn(&str) -> bool) -> Result<Vec<Stray>, Error> {
    let mut strays = Vec::new();
    let mut folders: Vec<(PathBuf, String)> = vec![(root.to_owned(), String::new())];
    while let Some((folder, below)) = folders.pop() {
        for found in entries(&folder)? {
            let Some(name) = found.file_name() else { continue };
            let path = format!("{below}{}", name.to_string_lossy());
            if path == STATE {
                continue;
            }
            let meta = match found.symlink_metadata() {
                Ok(meta) => meta,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(Error::storage("look at", found, e)),
            };
            if meta.is_dir() {
                folders.push((found, format!("{path}/")));
            } else if !is_known(&path) {
                strays.push(Stray { path, bytes: meta.is_file().then_some(meta.len()) });
            }
        }
    }
    strays.sort_unstable();
    Ok(strays)
}
