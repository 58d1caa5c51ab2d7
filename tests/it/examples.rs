//! The manifests under `jobs/`: each is checked, planned and held against the schema, and says by itself what it does.

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
fn each_example_holds_the_schema_and_names_it() {
    let schema: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder().join("../schemas/job.schema.json")).expect("the schema"))
            .expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for path in examples() {
        let text = std::fs::read_to_string(&path).expect("an example");
        assert!(text.starts_with("# yaml-language-server: $schema=../schemas/job.schema.json\n#\n# "), "{path:?}");
        let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| format!("{} {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{path:?}: {errors:#?}");
    }
}

#[test]
fn every_kind_of_source_has_an_example() {
    let all: String = examples().iter().map(|path| std::fs::read_to_string(path).expect("an example")).collect();
    for kind in ["hmi", "jsoc", "medoc", "index", "template", "hapi", "embedded"] {
        assert!(all.contains(&format!("{kind}:")), "no example of `{kind}`");
    }
}
