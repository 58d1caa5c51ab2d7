//! Circles of imports between the files of one folder, read from the tokens of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::imports::{Token, is_cfg_test, modules, rust_files, skip_attributes, skip_item, test_modules, tokens};

/// A module by its names from the crate's root.
type Module = Vec<String>;

/// The circles of a tree: for each folder the sets of files, or folders, that import each other.
pub(super) fn circles_in(src: &Path) -> Vec<(String, Vec<String>)> {
    let files = rust_files(src);
    let of_tests: BTreeSet<_> = files.iter().flat_map(|file| test_modules(src, file)).collect();
    let files: Vec<_> = files.iter().filter(|file| !of_tests.contains(*file)).collect();
    let known: BTreeSet<Module> = files.iter().map(|file| modules(file)).filter(|module| !module.is_empty()).collect();
    let mut uses: BTreeMap<Module, BTreeSet<(String, String)>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(src.join(file)).expect("UTF-8");
        let from = modules(file);
        for path in paths_in(&tokens(&text), &from) {
            let Some(to) = (1..=path.len()).rev().map(|end| &path[..end]).find(|path| known.contains(*path)) else {
                continue;
            };
            let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            // A parent and its child are no siblings.
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                uses.entry(from[..common].to_vec()).or_default().insert((one.clone(), other.clone()));
            }
        }
    }
    uses.remove(&Module::new());
    let circles = uses.into_iter().flat_map(|(folder, uses)| {
        let folder = folder.join("/");
        circles(uses).into_iter().map(move |circle| (folder.clone(), circle))
    });
    circles.collect()
}

/// The sets of names that reach each other.
fn circles(mut reached: BTreeSet<(String, String)>) -> BTreeSet<Vec<String>> {
    loop {
        let further = |(a, b): &(String, String)| {
            let next = reached.iter().filter(|(c, _)| c == b).map(|(_, d)| (a.clone(), d.clone()));
            next.collect::<Vec<_>>()
        };
        let longer: BTreeSet<_> = reached.iter().flat_map(further).filter(|pair| !reached.contains(pair)).collect();
        if longer.is_empty() {
            break;
        }
        reached.extend(longer);
    }
    let in_circles = reached.iter().filter(|(a, b)| a == b).map(|(a, _)| a);
    let is_mutual =
        |a: &String, b: &String| reached.contains(&(a.clone(), b.clone())) && reached.contains(&(b.clone(), a.clone()));
    let names: BTreeSet<&String> = in_circles.collect();
    names.iter().map(|a| names.iter().filter(|b| is_mutual(a, b)).map(|b| (*b).clone()).collect()).collect()
}

/// The paths from the crate's root that a file names, outside of tests.
fn paths_in(tokens: &[Token], module: &[String]) -> Vec<Module> {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_cfg_test(tokens, at) {
            at = skip_item(tokens, skip_attributes(tokens, at));
            continue;
        }
        // Only the first word of a path counts.
        if matches!(word(at), "crate" | "super" | "self") && (at == 0 || word(at - 1) != "::") && word(at + 1) == "::" {
            let mut base = if word(at) == "crate" { Module::new() } else { module.to_vec() };
            let supers = (at..).step_by(2).take_while(|at| word(*at) == "super").count();
            base.truncate(base.len().saturating_sub(supers));
            add_paths(tokens, at + 2 * supers.max(1), &base, &mut found);
        }
        at += 1;
    }
    found
}

/// Adds the paths of a tree of imports such as `a::{b::c, d}` that begins at a token, and gives the token after it.
fn add_paths(tokens: &[Token], mut at: usize, base: &[String], found: &mut Vec<Module>) -> usize {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut path = base.to_vec();
    loop {
        match word(at) {
            "{" => {
                at += 1;
                while at < tokens.len() && word(at) != "}" {
                    at = if word(at) == "," { at + 1 } else { add_paths(tokens, at, &path, found) };
                }
                return at + 1;
            }
            name => path.push(name.to_owned()),
        }
        at += 1;
        if word(at) != "::" {
            break;
        }
        at += 1;
    }
    found.push(path);
    // `as NAME` belongs to it.
    if word(at) == "as" { at + 2 } else { at }
}
