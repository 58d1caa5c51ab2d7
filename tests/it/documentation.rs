//! The documentation: links resolve, everything a user can name is explained, and blocks of code are right.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use sunhaul::cli::Exit;
use sunhaul::failure::Class;

use crate::lab::{Job, Lab, blocks, pages, recipe};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a topic of `sunhaul help`.
fn topic(name: &str) -> String {
    let path = root().join(format!("src/cli/help/{name}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The targets of the links in a page, without those in blocks of code.
fn links(page: &str) -> Vec<&str> {
    let text = page.split("\n```").step_by(2);
    text.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to).collect()
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn every_link_of_the_documentation_resolves() {
    let mut links_seen = 0;
    for (path, page) in pages() {
        for link in links(&page).into_iter().filter(|link| !link.contains("://")) {
            links_seen += 1;
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let folder = root().join(&path);
            let target = if file.is_empty() { folder } else { folder.parent().expect("a folder").join(file) };
            let text = std::fs::read_to_string(&target).unwrap_or_else(|error| panic!("{path}: `{link}`: {error}"));
            let mut headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
            assert!(heading.is_none_or(|to| headings.any(|line| anchor(line) == to)), "{path}: `{link}`: no heading");
        }
    }
    assert!(links_seen > 50, "{links_seen} links");
}

#[test]
fn readme_links_to_every_topic() {
    let all = pages();
    let (_, readme) = &all[0];
    for (path, _) in all.iter().filter(|(path, _)| path.starts_with("src/")) {
        assert!(links(readme).contains(&path.as_str()), "README has no link to {path}");
    }
}

#[test]
fn every_kind_of_source_has_a_page_that_shows_it() {
    for kind in ["hmi", "jsoc", "medoc", "index", "template", "hapi", "embedded"] {
        let page = topic(kind);
        assert!(blocks(&page).any(|(_, block)| block.contains(&format!("{kind}:"))), "{kind}");
    }
}

#[test]
fn files_that_the_guide_for_contributors_names_exist() {
    let (_, guide) = pages().into_iter().find(|(path, _)| path == "tests/README.md").expect("the guide");
    let named = guide.split('`').skip(1).step_by(2).filter(|word| !word.contains([' ', '*', '\n']));
    let named: Vec<&str> = named
        .filter(|word| ["src/", "tests/", "schemas/", "jobs/", ".ci/"].iter().any(|at| word.starts_with(at)))
        .collect();
    let missing: Vec<&&str> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(named.len() > 25 && missing.is_empty(), "{named:?}: missing {missing:?}");
}

#[test]
fn every_class_of_failure_is_explained_with_its_causes_what_to_do_and_its_exit_code() {
    let page = topic("failures");
    let sections: Vec<(&str, &str)> =
        page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, Class::ALL.iter().map(|class| class.name()).collect::<Vec<_>>(), "in the order of `Class`");
    for (class, (name, text)) in Class::ALL.iter().zip(&sections) {
        assert!(text.contains("- Causes") && text.contains("hat to do:"), "{name}:\n{text}");
        let retried = if class.is_retried() { "yes" } else { "no" };
        let code = Exit::of_class(*class).code();
        assert!(text.contains(&format!("- Retried: {retried}. Exit code: {code}.")), "{name}:\n{text}");
    }
}

#[test]
fn every_exit_code_is_explained() {
    let all =
        [Exit::Complete, Exit::Later, Exit::Incomplete, Exit::Lock, Exit::Storage, Exit::Usage, Exit::Interrupted];
    let expected: BTreeSet<String> = all.iter().map(|exit| exit.code().to_string()).collect();
    let page = topic("exit-codes");
    let explained = page.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    assert_eq!(explained.map(|(code, _)| code.to_owned()).collect::<BTreeSet<_>>(), expected);
}

/// The keys in a schema, at any depth.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                found.extend(properties.keys().cloned());
            }
            map.iter().filter(|(name, _)| *name != "examples").for_each(|(_, value)| keys(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_a_manifest_is_explained() {
    let schema = std::fs::read_to_string(root().join("schemas/job.schema.json")).expect("a schema");
    let mut all = BTreeSet::new();
    keys(&serde_json::from_str(&schema).expect("JSON"), &mut all);
    assert!(all.len() > 50, "{all:?}");
    let topics: String =
        pages().into_iter().filter(|(path, _)| path.starts_with("src/")).map(|(_, page)| page).collect();
    let is_explained = |key: &&String| topics.contains(&format!("`{key}`")) || topics.contains(&format!("`{key}:"));
    let missing: Vec<&String> = all.iter().filter(|key| !is_explained(key)).collect();
    assert!(missing.is_empty(), "no page of `sunhaul help` explains {missing:?}");
}

/// What a block needs to become a whole manifest, besides a source.
const OTHER_KEYS: [(&str, &str); 6] = [
    ("version", "1"),
    ("name", "documented"),
    ("contact", "jane@example.org"),
    ("range", "{ start: 2015-12-11, end: 2015-12-14 }"),
    ("series", "[{ name: hmi.sharp_cea_720s, as: cea }]"),
    ("archive", "{ root: data }"),
];

/// The keys of a manifest that may stand at its top.
fn top_keys() -> BTreeSet<String> {
    let schema = std::fs::read_to_string(root().join("schemas/job.schema.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    schema["properties"].as_object().expect("keys").keys().cloned().collect()
}

/// The keys at the top of a block of YAML.
fn keys_at_the_top(block: &str) -> BTreeSet<String> {
    let keys = block.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-'));
    keys.map(|line| line.split_once(':').map_or(line, |(key, _)| key).to_owned()).collect()
}

#[test]
fn every_part_of_a_manifest_that_is_shown_passes_check() {
    let (lab, allowed) = (Lab::new(), top_keys());
    let mut checked = 0;
    for (path, page) in pages() {
        for (_, block) in blocks(&page).filter(|(language, _)| *language == "yaml") {
            let present = keys_at_the_top(block);
            // Pipelines of CI services are YAML, too.
            if !present.is_subset(&allowed) {
                assert_eq!(path, "src/cli/help/ci.md", "{block}");
                continue;
            }
            let others = OTHER_KEYS.iter().filter(|(key, _)| !present.contains(*key));
            let others: Vec<String> = others.map(|(key, value)| format!("{key}: {value}\n")).collect();
            let source = match path.as_str() {
                _ if present.contains("source") => "",
                "src/cli/help/jsoc.md" => "source: { jsoc: {} }\n",
                _ => "source: { hmi: { url: \"http://localhost:8001\" } }\n",
            };
            lab.write("job.yaml", format!("{}{source}{block}\n", others.concat()));
            lab.sunhaul(&["check", "job.yaml"]).stdout_has("").chatty().done();
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked} parts of manifests");
}

#[test]
#[ignore = "needs python3"]
fn python_compiles_every_block_of_python() {
    let lab = Lab::new();
    let mut compiled = 0;
    for (_, page) in pages() {
        for (_, block) in blocks(&page).filter(|(language, block)| *language == "python" && !block.contains("\nrule "))
        {
            lab.write("block.py", block);
            lab.program("python3", &["-m", "py_compile", "block.py"]).done();
            compiled += 1;
        }
    }
    assert!(compiled >= 4, "{compiled} blocks");
}

#[test]
#[ignore = "needs jq"]
fn the_files_of_an_archive_are_verified_by_other_programs_as_shown() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    lab.report(0);
    let script = format!("cd data && {}", recipe("sh", "tail -qn +2"));
    let verified = lab.program("/bin/bash", &["-euo", "pipefail", "-c", &script]).stdout_has(": OK\n").done().stdout;
    assert_eq!(verified.lines().count(), lab.files("data").len());
}
