//! The manifests under `jobs/`: each is checked and planned through the program, and there is one for every kind of source.

use std::path::{Path, PathBuf};

use crate::lab::Lab;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs")
}

fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of examples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.sort();
    assert!(paths.len() >= 8, "{paths:?}");
    paths
}

#[test]
fn each_example_is_checked_and_planned_without_a_socket() {
    for path in examples() {
        let lab = Lab::new();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        lab.write(&format!("jobs/{name}"), std::fs::read(&path).expect("an example"));
        let job = format!("jobs/{name}");
        lab.sunhaul(&["check", &job]).stdout_has("").chatty().done();
        let plan = lab.sunhaul(&["plan", &job, "--json"]).stdout_has("").chatty().done().json();
        assert_ne!(plan["days"].as_array().map(Vec::len), Some(0), "{name} asks for nothing");
    }
}

#[test]
fn every_kind_of_source_has_an_example() {
    let all: String = examples().iter().map(|path| std::fs::read_to_string(path).expect("an example")).collect();
    for kind in ["hmi", "jsoc", "medoc", "index", "template", "hapi", "embedded"] {
        assert!(all.contains(&format!("{kind}:")), "no example of `{kind}`");
    }
}
