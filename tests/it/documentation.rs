//! The documentation: links resolve, everything a user can name is explained, and blocks of code are right.

use std::path::Path;

use sunhaul::failure::Class;

use crate::lab::pages;

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
            let mut headings = text.lines().filter_map(|line| Some(line.trim_start_matches('#').strip_prefix(' ')?));
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
        let code = sunhaul::cli::Exit::of_class(*class).code();
        assert!(text.contains(&format!("- Retried: {retried}. Exit code: {code}.")), "{name}:\n{text}");
    }
}
