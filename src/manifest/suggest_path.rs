//! The manifest that was probably meant, where there is none of the name that was typed.
//!
//! What it does not do: read it.

use std::path::{Path, PathBuf};

use super::suggest_word::nearest;
use crate::untrusted::escape;

/// What to do where no manifest is named, or none that is there.
pub(crate) const NAME_ONE: &str = "name a manifest, such as `jobs/quickstart.yaml`; `sunhaul init` writes one";

/// The folder that manifests are usually kept in.
const JOBS: &str = "jobs";
/// So many names of a folder are looked at.
const LOOKED_AT: usize = 1000;

/// What to do about a manifest that is not there.
pub(super) fn hint(path: &Path) -> String {
    match likely(path) {
        Some(near) => format!("did you mean `{}`?", escape(&near.to_string_lossy())),
        None => NAME_ONE.to_owned(),
    }
}

/// The same name with its ending, or among the jobs; else one that is nearly the same.
fn likely(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = if is_yaml(Path::new(name)) { name.to_owned() } else { format!("{name}.yaml") };
    let folder = path.parent().unwrap_or(Path::new(""));
    let folders = [folder.to_owned(), folder.join(JOBS)];
    let same = folders.iter().map(|folder| folder.join(&name)).find(|path| path.is_file());
    same.or_else(|| folders.iter().find_map(|folder| Some(folder.join(near(folder, &name)?))))
}

/// The folder that a file lies in: the current one where its path is a name alone.
#[must_use]
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The manifest of a folder with the nearest name.
fn near(folder: &Path, name: &str) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).take(LOOKED_AT);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_yaml(Path::new(name))).collect();
    // Of two that are as near, always the same one.
    names.sort_unstable();
    let stem = |name: &str| name.rsplit_once('.').map_or(name.len(), |(stem, _)| stem.len());
    let found = nearest(&name[..stem(name)], names.iter().map(|name| &name[..stem(name)]))?.to_owned();
    names.into_iter().find(|name| name[..stem(name)] == found)
}

/// True for a path with the ending of a manifest.
#[must_use]
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_its_folder_or_ending_and_one_mistyped_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("jobs")).unwrap();
        for name in ["jobs/nightly.yaml", "jobs/december.yml", "mine.yaml", "jobs/notes.txt"] {
            std::fs::write(at(name), "").unwrap();
        }
        for (typed, meant) in [
            ("nightly", Some("jobs/nightly.yaml")),
            ("nightly.yaml", Some("jobs/nightly.yaml")),
            ("mine", Some("mine.yaml")),
            ("jobs/nigthly.yaml", Some("jobs/nightly.yaml")),
            ("jobs/december.yaml", Some("jobs/december.yml")),
            ("notes", None),
            ("something/else.yaml", None),
            ("", None),
        ] {
            assert_eq!(likely(&at(typed)), meant.map(at), "{typed}");
        }
    }
}
