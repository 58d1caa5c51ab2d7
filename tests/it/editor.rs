//! The schema of manifests before an independent validator, as editors use it: check-jsonschema.
//!
//! `tests/run.sh` puts it into a virtual environment and says where in `SUNHAUL_TEST_SCHEMAS`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lab::Lab;

/// A file of the repository.
fn file(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn manifests(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(file(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| path.to_str().expect("a path").to_owned())
        .collect();
    paths.sort();
    paths
}

/// The names of the files that the validator rejects.
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn rejected(files: &[String]) -> BTreeSet<String> {
    let tools = std::env::var("SUNHAUL_TEST_SCHEMAS").expect("SUNHAUL_TEST_SCHEMAS: tests/run.sh sets it");
    let (lab, schema) = (Lab::new(), file("schemas/job.schema.json"));
    let schema = schema.to_str().expect("a path");
    let mut arguments = vec!["--output-format", "json", "--schemafile", schema];
    arguments.extend(files.iter().map(String::as_str));
    let program = format!("{tools}/check-jsonschema");
    let said = lab.program(&program, &arguments).stdout_has("").chatty().start().done_any();
    let said: Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", said.stdout, said.stderr));
    let names = ["errors", "parse_errors"].iter().flat_map(|kind| said[kind].as_array().into_iter().flatten());
    names.map(|error| stem(error["filename"].as_str().expect("a name"))).collect()
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned()
}

#[test]
#[ignore = "needs check-jsonschema, which tests/run.sh installs"]
fn what_the_parser_takes_the_schema_takes() {
    let mut good = manifests("jobs");
    good.extend(manifests("tests/fixtures/manifests"));
    assert!(good.len() >= 9, "{good:?}");
    assert_eq!(rejected(&good), BTreeSet::new());
}

/// Every fixture of this folder is rejected by the parser, which a unit test shows with its words.
#[test]
#[ignore = "needs check-jsonschema, which tests/run.sh installs"]
fn what_the_parser_rejects_the_schema_rejects_as_far_as_it_has_words() {
    let mut bad = manifests("tests/fixtures/manifests/bad");
    // It unfolds aliases without end, and would be at these for hours.
    bad.retain(|path| !matches!(stem(path).as_str(), "alias-bomb" | "alias-in-its-own-anchor"));
    let rejected = rejected(&bad);
    assert!(rejected.len() >= 30, "{} of {}", rejected.len(), bad.len());
    let taken: BTreeSet<String> = bad.iter().map(|path| stem(path)).filter(|name| !rejected.contains(name)).collect();
    let list = include_str!("../fixtures/manifests/beyond-the-schema.txt");
    let beyond = list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next());
    assert_eq!(taken, beyond.map(str::to_owned).collect());
}
