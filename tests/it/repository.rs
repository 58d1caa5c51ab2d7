//! What holds for every file: its first line, its length, and what lies at the top of the repository.
//!
//! What it does not do: read imports; `layers` does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::layers::rust_files;

/// A file holds one idea; more lines than these are more than one.
const LONGEST: usize = 500;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the product and of its tests.
fn all_files() -> Vec<PathBuf> {
    ["src", "tests"]
        .iter()
        .flat_map(|tree| rust_files(&repository().join(tree)).into_iter().map(move |file| Path::new(tree).join(file)))
        .collect()
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let silent: Vec<PathBuf> = all_files()
        .into_iter()
        .filter(|file| !std::fs::read_to_string(repository().join(file)).expect("UTF-8").starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "files that do not open with `//! `: {silent:?}");
}

#[test]
fn no_file_holds_more_than_one_idea() {
    let long: Vec<(PathBuf, usize)> = all_files()
        .into_iter()
        .map(|file| {
            let lines = std::fs::read_to_string(repository().join(&file)).expect("UTF-8").lines().count();
            (file, lines)
        })
        .filter(|(_, lines)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "files over {LONGEST} lines: {long:?}");
}

#[test]
fn the_top_level_is_the_owners() {
    // `safe.directory`: a checkout often belongs to another user than the one who tests.
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--full-name"])
        .current_dir(repository())
        .output()
        .expect("git");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let files = String::from_utf8(listed.stdout).expect("UTF-8 names");
    let top: BTreeSet<&str> = files
        .split('\0')
        .filter(|f| !f.is_empty())
        .map(|f| f.split_once('/').map_or(f, |(folder, _)| folder))
        .collect();
    assert!(top.contains("src") && top.contains("Cargo.toml"), "git lists another tree: {top:?}");
    let fixed = ["Cargo.toml", "Cargo.lock", "src", "jobs", "schemas", "tests", "README.md"];
    let strange: Vec<&&str> = top
        .iter()
        .filter(|entry| !fixed.contains(entry) && !entry.starts_with('.') && !entry.starts_with("LICENSE-"))
        .collect();
    assert!(strange.is_empty(), "the owner fixed the top level; these are not in it: {strange:?}");
}

#[test]
fn the_readme_is_short() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("UTF-8");
    let lines = readme.lines().count();
    assert!(lines <= 250, "README.md has {lines} lines; move what is not for a first look to src/cli/help");
}
