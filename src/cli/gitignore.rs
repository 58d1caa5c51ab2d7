//! The archive's root in `.gitignore`: data are no part of a repository.
//!
//! It does not run git: a rule of another form that covers the root already is not understood, and one more does no
//! harm.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Component, Path, PathBuf};

/// A rule, and the file that it belongs in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GitignoreRule {
    /// The rule.
    pub(super) rule: String,
    /// The file.
    pub(super) file: PathBuf,
}

/// Adds a rule for `root` to the `.gitignore` of the work tree that `folder` is in, or to the one in `folder` where there
/// is no work tree. None is added where there is neither, where the root lies elsewhere, and where one is there.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn add(folder: &Path, root: &Path) -> io::Result<Option<GitignoreRule>> {
    let Some(lacking) = lacking(folder, root)? else { return Ok(None) };
    let GitignoreRule { rule, file } = &lacking;
    let before = text_of(file)?;
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut out = OpenOptions::new().append(true).create(true).open(file)?;
    out.write_all(format!("{gap}{rule}\n").as_bytes())?;
    Ok(Some(lacking))
}

/// The rule for `root` that [`add`] would add.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn lacking(folder: &Path, root: &Path) -> io::Result<Option<GitignoreRule>> {
    let folder = plain(&std::path::absolute(folder)?);
    let root = plain(&std::path::absolute(root)?);
    let Some(top) = top_of(&folder) else { return Ok(None) };
    let Some(rule) = root.strip_prefix(&top).ok().and_then(rule) else { return Ok(None) };
    let file = top.join(".gitignore");
    Ok((!is_covered(&text_of(&file)?, &rule)).then_some(GitignoreRule { rule, file }))
}

fn text_of(file: &Path) -> io::Result<String> {
    match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        text => text,
    }
}

/// The work tree's top, or a folder that has rules all the same.
fn top_of(folder: &Path) -> Option<PathBuf> {
    let top = folder.ancestors().find(|part| part.join(".git").exists());
    top.or_else(|| folder.ancestors().take(2).find(|part| part.join(".gitignore").is_file())).map(Path::to_owned)
}

/// The path without `.` and `..`.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// `/data/sharp/`, each sign that means something to git marked as meaning itself. None for the top itself, and for a
/// path that no line can hold.
fn rule(below: &Path) -> Option<String> {
    let text = below.to_str().filter(|text| !text.is_empty() && !text.chars().any(char::is_control))?;
    let mut rule = String::from("/");
    for c in text.chars() {
        if "\\*?[]#! ".contains(c) {
            rule.push('\\');
        }
        rule.push(c);
    }
    Some(rule + "/")
}

/// True where a line names the path, or a folder above it.
fn is_covered(rules: &str, rule: &str) -> bool {
    let path = rule.trim_matches('/');
    let above = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
    let above: Vec<&str> = above.collect();
    rules.lines().map(str::trim).any(|line| {
        let named = line.trim_end_matches("/*").trim_matches('/');
        // Without a slash before its end a rule holds at any depth, and so at the top.
        above.contains(&named)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_added_once_and_only_where_git_would_see_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let (top, jobs) = (folder.path(), folder.path().join("jobs"));
        std::fs::create_dir(&jobs).unwrap();
        let add = |root: &str| add(&jobs, &jobs.join(root)).unwrap().map(|added| added.rule);
        assert_eq!(add("../data/a"), None, "there is no repository");
        std::fs::create_dir(top.join(".git")).unwrap();
        assert_eq!(add("../data/a").as_deref(), Some("/data/a/"));
        assert_eq!(add("../data/a"), None);
        assert_eq!(add("../data/a b#1").as_deref(), Some("/data/a\\ b\\#1/"));
        assert_eq!(add("../../elsewhere"), None);
        assert_eq!(add(".."), None, "the repository itself");
        std::fs::write(top.join(".gitignore"), "target\n/data").unwrap();
        assert_eq!(add("../data/b"), None, "all of `data` is left out already");
        assert_eq!(add("../database").as_deref(), Some("/database/"));
        assert_eq!(std::fs::read_to_string(top.join(".gitignore")).unwrap(), "target\n/data\n/database/\n");
    }

    #[test]
    fn rules_without_a_repository_are_added_to_where_some_are() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = folder.path().join("jobs");
        std::fs::create_dir(&jobs).unwrap();
        std::fs::write(folder.path().join(".gitignore"), "").unwrap();
        assert_eq!(add(&jobs, &jobs.join("../data")).unwrap().unwrap().rule, "/data/");
    }
}
