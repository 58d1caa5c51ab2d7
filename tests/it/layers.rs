//! Imports go one way: reads every path of `src` that starts at the crate's root and fails on an import from a layer above.
//!
//! What it does not do: look at code that only tests compile, or at what a file says in comments and texts.

mod imports;
mod siblings;

use std::collections::BTreeSet;
use std::path::Path;

use imports::{Import, imports_in};

pub(crate) use imports::rust_files;
use siblings::circles_in;

/// The folders, lowest layer first. A folder may use every folder in a lower layer.
const LAYERS: &[&[&str]] = &[
    &["day", "digest", "untrusted", "secret", "failure"],
    &["manifest"],
    &["net", "archive", "plan", "fits"],
    &["source", "fetch", "lock"],
    &["run"],
    &["report", "export", "service"],
    &["cli"],
];

/// Imports between two folders of one layer that are meant, each with its reason. They must not form a cycle.
const SAME_LAYER: &[(&str, &str, &str)] = &[
    ("plan", "archive", "a plan is made from the records that the archive holds"),
    ("fetch", "source", "what is fetched is a file that a source listed"),
];

/// Why an import is wrong, or nothing.
fn objection(import: &Import) -> Option<String> {
    let layer = |folder: &str| LAYERS.iter().position(|folders| folders.contains(&folder));
    let Import { from, to, line, file } = import;
    let here = format!("{}:{line}", file.display());
    let Some(below) = layer(to) else {
        return Some(format!("{here}: `crate::{to}` names no folder of the source tree"));
    };
    let Some(above) = layer(from) else {
        return Some(format!("{here}: `{from}` is not a folder of the source tree"));
    };
    if from == to || below < above {
        return None;
    }
    if below > above {
        return Some(format!("{here}: `{from}` uses `{to}`, which is in a layer above it"));
    }
    if SAME_LAYER.iter().any(|(a, b, _)| a == from && b == to) {
        return None;
    }
    Some(format!("{here}: `{from}` and `{to}` are in one layer, and no reason is written down for this import"))
}

#[test]
fn imports_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let objections: Vec<String> = imports_in(&src).iter().filter_map(objection).collect();
    assert!(objections.is_empty(), "imports from a layer above:\n{}", objections.join("\n"));
}

#[test]
fn the_folders_are_those_that_the_crate_declares() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let known: BTreeSet<&str> = LAYERS.iter().copied().flatten().copied().collect();
    let unknown: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .filter(|module| !known.contains(module))
        .collect();
    assert!(unknown.is_empty(), "modules without a layer: {unknown:?}");
}

#[test]
fn imports_within_a_layer_form_no_cycle() {
    let mut reached: BTreeSet<(&str, &str)> = SAME_LAYER.iter().map(|(from, to, _)| (*from, *to)).collect();
    loop {
        let longer: Vec<_> = reached
            .iter()
            .flat_map(|(a, b)| reached.iter().filter(move |(c, _)| b == c).map(move |(_, d)| (*a, *d)))
            .filter(|pair| !reached.contains(pair))
            .collect();
        if longer.is_empty() {
            break;
        }
        reached.extend(longer);
    }
    assert!(reached.iter().all(|(from, to)| from != to), "a cycle: {reached:?}");
    assert!(SAME_LAYER.iter().all(|(_, _, reason)| !reason.is_empty()));
}

#[test]
fn files_of_one_folder_form_no_circles() {
    let circles = circles_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn a_circle_is_found_however_it_is_closed() {
    let circle = |files: &[(&str, &str)]| {
        let tree = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(tree.path().join("net/host")).expect("folders");
        for (file, text) in files {
            std::fs::write(tree.path().join(file), text).expect("a file");
        }
        circles_in(tree.path())
    };
    let names = |names: &[&str]| vec![("net".to_owned(), names.iter().map(ToString::to_string).collect::<Vec<_>>())];
    let one = ("net/client.rs", "use super::robots::Robots;");
    for other in [
        "use super::client::Client;",
        "use crate::net::{client::{self, Client}, redirect};",
        "fn f() { super::client::f() }",
    ] {
        assert_eq!(circle(&[one, ("net/robots.rs", other)]), names(&["client", "robots"]), "{other}");
    }
    let through = [one, ("net/robots.rs", "use super::host::Host;"), ("net/host.rs", "mod session;")];
    let below = ("net/host/session.rs", "use super::super::client;");
    assert_eq!(circle(&[&through[..], &[below]].concat()), names(&["client", "host", "robots"]));
    for other in [
        "",
        "use super::Client;",
        "#[cfg(test)] mod tests { use super::super::client::Client; }",
        "// super::client::f()",
    ] {
        assert!(circle(&[one, ("net/robots.rs", other)]).is_empty(), "{other}");
    }
}

/// Imports of a made-up source tree with one file.
fn planted(path: &str, text: &str) -> Vec<String> {
    let tree = tempfile::tempdir().expect("a folder");
    let file = tree.path().join(path);
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("folders");
    std::fs::write(&file, text).expect("a file");
    imports_in(tree.path()).iter().filter_map(objection).collect()
}

#[test]
fn an_import_from_above_is_found_however_it_is_written() {
    for text in [
        "use crate::cli::Exit;",
        "use crate::{day::Day, cli};",
        "use crate::{\n    day::{Day, Window},\n    cli::{self, Exit},\n};",
        "fn f() -> crate::cli::Exit { todo!() }",
        "use super::super::cli::Exit;",
        "mod inner { use super::super::super::cli; }",
        "#[cfg(test)] mod tests { fn f() {} } use crate::cli;",
        "#[cfg(test)] mod tests; const BRACE: char = '}'; use crate::cli;",
        "/* a /* nested */ comment */ pub(crate) use crate :: cli as shell;",
        "fn f<'a>(x: &'a str) -> &'a str { crate::cli::shout(x, r#\"quote \" inside\"#) }",
    ] {
        let found = planted("net/rate_limiter.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("`net` uses `cli`"), "{text}: {found:?}");
    }
}

#[test]
fn an_import_from_above_is_found_in_a_folder_of_one_file() {
    for path in ["fits.rs", "fits/mod.rs"] {
        let found = planted(path, "use super::run::event::Event;");
        assert_eq!(found.len(), 1, "{path}: {found:?}");
    }
}

#[test]
fn an_import_within_a_layer_needs_a_written_reason() {
    let found = planted("net/client.rs", "use crate::archive::Archive;");
    assert!(found.len() == 1 && found[0].contains("one layer"), "{found:?}");
    assert!(planted("plan.rs", "use crate::archive::record;").is_empty());
}

#[test]
fn comments_texts_and_tests_are_no_imports() {
    let text = r##"
//! See [`crate::cli`].
/// As [`crate::run`] does.
use crate::manifest::Limits; // not crate::cli
const HINT: &str = "use crate::cli; \" still crate::cli";
const RAW: &str = r#"crate::cli"#;
pub(crate) fn letter() -> char { '"' }
pub(in crate::net) fn own() {}
#[cfg(test)]
#[expect(dead_code, reason = "shown")]
mod tests { use crate::run::event; fn f() { let _ = "}"; } }
#[cfg(test)]
use crate::cli;
"##;
    assert!(planted("net/mod.rs", text).is_empty(), "{:?}", planted("net/mod.rs", text));
    assert!(planted("net/tests.rs", "#![cfg(test)]\nuse crate::cli;").is_empty());
}

#[test]
fn a_file_that_only_tests_compile_is_left_out() {
    let tree = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(tree.path().join("net")).expect("a folder");
    std::fs::write(tree.path().join("net/mod.rs"), "#[cfg(test)]\nmod tests;\n").expect("a file");
    std::fs::write(tree.path().join("net/tests.rs"), "use crate::cli;").expect("a file");
    assert!(imports_in(tree.path()).is_empty());
}
