//! The archive's root: from the text of a manifest to a path.
//!
//! What it does not do: make a folder, or look into one.

use std::path::{Path, PathBuf};

/// The file that stands where a folder is due: at the path itself or above it.
pub(super) fn in_the_way(path: &Path) -> Option<&Path> {
    let found = path.ancestors().find_map(|part| Some((part, part.metadata().ok()?)));
    found.filter(|(_, metadata)| !metadata.is_dir()).map(|(part, _)| part)
}

/// Joins a path to the manifest's folder and takes `folder/..` away, unless the folder is a link: then `..` leads
/// elsewhere.
pub(super) fn tidied(folder: &Path, path: &Path) -> PathBuf {
    let mut rest = path;
    let mut base = folder.to_owned();
    while let Ok(shorter) = rest.strip_prefix("..") {
        let is_plain = matches!(base.components().next_back(), Some(std::path::Component::Normal(_)));
        if !is_plain || base.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
            break;
        }
        base.pop();
        rest = shorter;
    }
    base.join(rest)
}
