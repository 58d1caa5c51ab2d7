//! The index of a folder: which files are FITS, and their series and time from header, name or place.
//!
//! What it does not do: read data, or follow links out of the folder.

use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;

use super::Skipped;
use super::beneath::Root;
use crate::failure::Class;
use crate::fits::{FileIdentity, Keywords, name};
use crate::manifest::cadence;
use crate::service::backend::FileFacts;
use crate::service::slot;
use crate::untrusted::escape;

/// One file to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServedFile {
    pub(super) series: String,
    /// The start of exposure, in UTC.
    pub(super) date_obs: NaiveDateTime,
    /// What else its headers and its name tell.
    pub(super) known: FileFacts,
    /// Below the folder, with `/` between its parts.
    pub(super) path: String,
    /// Where it lies below the folder, with the links of `path` followed.
    pub(super) file: PathBuf,
}

/// What is below a folder.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) root: Root,
    /// Sorted by path.
    pub(super) entries: Vec<ServedFile>,
    /// The files that cannot be served, sorted by path.
    pub(super) skipped: Vec<Skipped>,
}

/// Finds every FITS file below `root`, and those that cannot be served.
///
/// # Errors
/// When `root` itself is no readable folder.
pub(super) fn scan(root: &Path) -> io::Result<Scanned> {
    let root = root.canonicalize()?;
    let opened = Root::open(&root)?;
    let mut entries = Vec::new();
    let mut skipped = Vec::new();
    let mut folders = vec![(root.clone(), String::new())];
    while let Some((folder, below)) = folders.pop() {
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if !below.is_empty() => {
                skipped.push(skip(&below, format!("cannot list it: {error}")));
                continue;
            }
            Err(error) => return Err(error),
        };
        for found in listed {
            let found = found?;
            let file_name = found.file_name();
            let Some(file_name) = file_name.to_str() else {
                skipped.push(skip(&format!("{below}{}", file_name.display()), "its name is no UTF-8".to_owned()));
                continue;
            };
            // Hidden things are not data: `.sunhaul` and `.git` live in such folders.
            if file_name.starts_with('.') {
                continue;
            }
            let path = format!("{below}{file_name}");
            if found.file_type()?.is_dir() {
                folders.push((found.path(), format!("{path}/")));
                continue;
            }
            match entry(&root, &opened, &found.path(), &path) {
                Ok(entry) => entries.extend(entry),
                Err(reason) => skipped.push(skip(&path, reason)),
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Scanned { root: opened, entries, skipped })
}

fn skip(path: &str, reason: String) -> Skipped {
    Skipped { path: escape(path).into_owned(), reason }
}

/// The entry of a file; nothing for what is not meant to be FITS.
fn entry(root: &Path, opened: &Root, found: &Path, path: &str) -> Result<Option<ServedFile>, String> {
    let named_fits = name::is_fits(path);
    // A link may lead to another file of the folder, never out of it.
    let below = match found.canonicalize() {
        Ok(file) => file.strip_prefix(root).map(Path::to_owned).map_err(|_| "a link that leads out of the folder")?,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("cannot read it: {error}")),
        Err(_) => PathBuf::new(),
    };
    let file = opened.file(&below).map_err(|error| format!("cannot read it: {error}"))?;
    let Some(file) = file else { return if named_fits { Err("no plain file".to_owned()) } else { Ok(None) } };
    let keywords = match Keywords::read(BufReader::new(file)) {
        Ok(keywords) => keywords,
        Err(fault) if fault.class == Class::Storage => return Err(fault.message),
        // A damaged file with a telling name is served as it is: to find the damage is the reader's part.
        Err(_) if named_fits => Keywords::default(),
        Err(_) => return Ok(None),
    };
    let told = FileIdentity::from_keywords(path, &keywords);
    let date_obs = told.time.ok_or("neither its header (DATE-OBS, T_OBS, T_REC) nor its name contains a time")?;
    let series =
        told.series.or_else(|| root.file_name()?.to_str().and_then(name::series)).unwrap_or("files".to_owned());
    let known = FileFacts {
        recnum: told.recnum,
        harpnum: told.harpnum,
        quality: told.quality,
        t_rec_index: told.t_rec.and_then(|slot| slot::index(slot, cadence::step(&series))),
        segment: told.segment,
        // It is asked for with each listing: files change.
        size: None,
    };
    Ok(Some(ServedFile { series, date_obs, known, path: path.to_owned(), file: below }))
}
