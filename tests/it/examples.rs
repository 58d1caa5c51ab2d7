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

/// A lock that says when the region was seen that a range follows: else JSOC would be asked.
const LOCK_OF_A_REGION: &str = r#"{"lock":{"format":"lock/1","job":"ar11158","as_of":"2026-01-01T00:00:00Z","detail":"files","about":""}}
{"region":{"series":"cea","name":"hmi.sharp_cea_720s","noaa":11158,"harpnum":377,"window":["2011-02-10T22:00:00_TAI","2011-02-21T10:12:00_TAI"]}}
"#;

#[test]
fn each_example_is_checked_and_planned_without_a_socket() {
    for path in examples() {
        let lab = Lab::new();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        lab.write(&format!("jobs/{name}"), std::fs::read(&path).expect("an example"));
        let job = format!("jobs/{name}");
        if name == "ar11158.yaml" {
            lab.write("jobs/ar11158.lock", LOCK_OF_A_REGION);
        }
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
