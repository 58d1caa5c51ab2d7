//! A step of a GitHub job: its summary, its annotations, its outputs.

use std::collections::BTreeMap;

use super::{faulty, job, lab_for, text};
use crate::lab::{Call, Item, Job, Lab, Server, fits};

/// A call as GitHub makes it.
fn step<'a>(lab: &'a Lab, args: &[&str]) -> Call<'a> {
    let path = |name: &str| lab.path(name).to_string_lossy().into_owned();
    lab.sunhaul(args)
        .chatty()
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", &path(""))
        .env("GITHUB_STEP_SUMMARY", &path("step.md"))
        .env("GITHUB_OUTPUT", &path("outputs"))
}

/// The outputs as GitHub reads their file.
fn outputs(lab: &Lab) -> BTreeMap<String, String> {
    let file = text(lab, "outputs");
    let mut lines = file.lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.contains("<<")) {
            found.insert(name.to_owned(), value.to_owned());
        } else {
            let (name, delimiter) = line.split_once("<<").unwrap_or_else(|| panic!("{line}\n{file}"));
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            found.insert(name.to_owned(), value.join("\n"));
        }
    }
    found
}

fn annotations(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("::")).collect()
}

#[test]
fn a_faulty_run_is_understood_from_the_page_of_the_job_alone() {
    let server = faulty();
    let lab = lab_for(&server);
    lab.write("step.md", "what an earlier step said\n");
    let said = step(&lab, &["run", "jobs/job.yaml"]).status(1).done();
    let page = text(&lab, "step.md");
    for part in [
        "what an earlier step said\n## sunhaul: `lab` incomplete (exit 1)\n",
        "| | 3 | 2 | 0 | 1 | 0 | 0 | 0 |",
        "2015-12            =x=\n",
        "`=` sealed, `x` failed\n",
        "| `sharp_720s` | 2015-12-12 | `sharp_720s/2015/12/12/junk.fits` | magic | 2 |",
        "sunhaul run jobs/job.yaml --retry-failed\n```\n",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let told = annotations(&said.stderr);
    assert_eq!(told.len(), 1, "{told:?}");
    let beginning = "::error file=jobs/job.yaml,title=sharp_720s 2015-12-12%3A magic::sharp_720s/2015/12/12/";
    assert!(told[0].starts_with(beginning), "{told:?}");
    let outputs = outputs(&lab);
    let output = |name: &str| outputs.get(name).map(String::as_str);
    assert_eq!(
        [output("exit_code"), output("lock_changed"), output("failed_days")],
        [Some("1"), Some("true"), Some("1")]
    );
    let report = lab.json(output("report").expect("a report"));
    assert_eq!(report["totals"]["days"]["failed"], 1);
    assert_eq!(outputs.len(), 4, "{outputs:?}");
}

#[test]
fn what_is_not_asked_for_is_not_told() {
    let server = faulty();
    let lab = lab_for(&server);
    let said = lab.sunhaul(&["run", "jobs/job.yaml"]).chatty().status(1).done();
    assert!(annotations(&said.stderr).is_empty(), "{}", said.stderr);
    // Where each line is a record of the log, no line is anything else.
    let said = step(&lab, &["run", "jobs/job.yaml", "--log-format", "json"]).status(1).done();
    assert!(said.stderr.lines().all(|line| line.starts_with('{')), "{}", said.stderr);
    assert!(text(&lab, "step.md").contains("incomplete"), "the summary is told all the same");
}

#[test]
fn a_summary_that_is_asked_for_takes_the_step_s_place_and_holds_every_job() {
    let lab = Lab::new();
    for name in ["one", "two"] {
        let job = Job::embedded().series(&[&format!("{{ name: sharp_720s, as: {name} }}")]);
        lab.write(&format!("{name}.yaml"), job.yaml().replace("name: lab", &format!("name: {name}")));
    }
    lab.write("summary.md", "of last night");
    step(&lab, &["run", "one.yaml", "two.yaml", "--summary", "summary.md"]).done();
    let page = text(&lab, "summary.md");
    assert!(
        page.starts_with("## sunhaul: `one` complete\n") && page.contains("\n## sunhaul: `two` complete\n"),
        "{page}"
    );
    assert!(!lab.path("step.md").exists());
    assert_eq!(outputs(&lab)["report"].lines().count(), 2, "a report for each job");
    // The step's own file is added to, also by name.
    let own = lab.path("step.md").to_string_lossy().into_owned();
    lab.write("step.md", "before\n");
    step(&lab, &["run", "one.yaml", "--summary", &own]).done();
    assert!(text(&lab, "step.md").starts_with("before\n## sunhaul: `one` complete\n"));
    step(&lab, &["run", "one.yaml", "--summary", "-"]).stdout_has("## sunhaul: `one` complete").done();
    let told = "`--report-junit` takes one job";
    step(&lab, &["run", "one.yaml", "two.yaml", "--report-junit", "x.xml"]).status(2).stderr_has(told).done();
}

#[test]
fn a_run_that_the_lock_refuses_names_the_days() {
    let server = faulty();
    let lab = lab_for(&server);
    lab.sunhaul(&["run", "jobs/job.yaml", "--range", "2015-12-11..2015-12-12"]).chatty().done();
    let said = step(&lab, &["run", "jobs/job.yaml", "--locked"]).status(3).done();
    let page = text(&lab, "step.md");
    assert!(page.contains("`lab` incomplete (exit 3)\n\n```text\nthe lock does not match the manifest:\n"), "{page}");
    assert!(page.contains("  sharp_720s 2015-12-12 ") && page.contains("hint: "), "{page}");
    let told = annotations(&said.stderr);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("::error title=sunhaul::the lock does not match the manifest:%0A  sharp_720s"),
        "{told:?}"
    );
    let outputs = outputs(&lab);
    assert_eq!((outputs["exit_code"].as_str(), outputs["report"].as_str()), ("3", ""));
}

#[test]
fn drift_is_told_and_no_report_of_it_lies_in_the_archive() {
    let server = faulty();
    let lab = lab_for(&server);
    step(&lab, &["run", "jobs/job.yaml"]).status(1).done();
    let other = Server::start();
    let time = "2015-12-11T20:00:00Z";
    other.file("sharp_720s", Item::new("new", time), fits(9, 60, time));
    let time = "2015-12-13T18:22:08.799999Z";
    other.file("sharp_720s", Item::new("s_13", time), fits(3, 60, time));
    lab.write("jobs/job.yaml", job(&other));
    let before = lab.tree("jobs/data");
    let check = ["update", "jobs/job.yaml", "--dry-run", "--summary", "drift.md", "--report", "drift.json"];
    let said = step(&lab, &check).status(3).stdout_has("compared").done();
    assert_eq!(lab.tree("jobs/data"), before);
    let page = text(&lab, "drift.md");
    for part in [
        "`lab` has drifted from its lock (exit 3)",
        "| `sharp_720s` | 2015-12-11 | 1 | 1 | 0 |",
        "2015-12            ! l\n",
        "sunhaul update jobs/job.yaml --dry-run",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let told = annotations(&said.stderr);
    assert_eq!(
        told,
        ["::error file=jobs/job.yaml,title=sharp_720s 2015-12-11 differs from the lock::1 added, 1 removed, 0 changed"]
    );
    lab.sunhaul(&["report", "drift.json"]).stdout(&page).done();
    let report = lab.json("drift.json");
    crate::lab::add_up(&report);
    let schema = lab.sunhaul(&["schema", "report"]).stdout_has("{").done().json();
    assert!(jsonschema::validator_for(&schema).expect("a schema").is_valid(&report), "{report:#}");
    drop(other);
    step(&lab, &check).status(4).stdout_has("0 days compared").done();
    assert!(
        text(&lab, "drift.md").contains("| `sharp_720s` | 2015-12-11 | the whole day"),
        "days that were not compared"
    );
}

#[test]
fn wrong_manifests_are_annotated_at_their_lines_and_summed_up() {
    let lab = Lab::new();
    lab.write("jobs/one.yaml", Job::embedded().more("segmets: [Br]").yaml());
    let many: Vec<String> = (0..30).map(|n| format!("key{n}: 1\n")).collect();
    lab.write("jobs/two.yaml", Job::embedded().more(&many.concat()).yaml());
    let said = step(&lab, &["check", "jobs/one.yaml"]).status(2).done();
    let line = Job::embedded().yaml().lines().count() + 1;
    let told = annotations(&said.stderr);
    let beginning = format!("::error file=jobs/one.yaml,line={line},col=1,title=manifest::unknown key");
    assert!(told.len() == 1 && told[0].starts_with(&beginning) && told[0].contains("%0Ahint: "), "{told:?}");
    assert!(text(&lab, "step.md").contains(&format!("| `jobs/one.yaml:{line}:1` | ")), "{}", text(&lab, "step.md"));
    for command in [&["check"][..], &["check", "--json"], &["run"]] {
        let said = step(&lab, &[command, &["jobs/two.yaml"]].concat()).status(2).stdout_has("").done();
        let told = annotations(&said.stderr);
        assert!(told.len() == 10 && told[9].contains("title=and 21 more::"), "{told:?}");
    }
    // Another folder than the repository's root.
    let said = step(&lab, &["check", "one.yaml"]).within("jobs").status(2).done();
    assert!(annotations(&said.stderr)[0].starts_with("::error file=jobs/one.yaml,"), "{}", said.stderr);
}

#[test]
fn a_day_that_another_run_holds_is_a_warning() {
    let server = Server::start();
    let time = "2015-12-11T18:22:08.799999Z";
    let slow = crate::lab::Answer::file(fits(1, 60, time)).named("s.fits").stall_at(3000);
    server.script_file("sharp_720s", Item::new("s_11", time), [slow]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).timeouts("{ connect: 5s, stall: 60s }").yaml());
    let first = lab.run().start();
    server.wait_for_pauses(1);
    let said = step(&lab, &["run", "job.yaml", "--report-junit", "junit.xml"]).status(4).done();
    first.kill();
    let told = annotations(&said.stderr);
    assert!(
        told.len() == 1 && told[0].starts_with("::warning file=job.yaml,title=sharp_720s 2015-12-11 is held::"),
        "{told:?}"
    );
    assert!(text(&lab, "junit.xml").contains("<skipped message="), "{}", text(&lab, "junit.xml"));
    let page = text(&lab, "step.md");
    assert!(page.contains("### Held by another process") && page.contains("2015-12            h\n"), "{page}");
}
