//! GitLab: a code quality report for merge requests.

use std::collections::BTreeSet;

use super::text;
use crate::lab::{Job, Lab};

#[test]
fn wrong_manifests_are_a_code_quality_report() {
    let lab = Lab::new();
    lab.write("jobs/good.yaml", Job::embedded().yaml());
    lab.write("jobs/bad.yaml", Job::embedded().more("segmets: [Br]\nversoin: 2").yaml());
    let check = ["check", "jobs/good.yaml", "jobs/bad.yaml", "--report-codequality", "quality.json"];
    let root = lab.path("").to_string_lossy().into_owned();
    lab.sunhaul(&check).chatty().env("CI_PROJECT_DIR", &root).status(2).done();
    let issues = lab.json("quality.json");
    let issues = issues.as_array().expect("a list");
    let line = Job::embedded().yaml().lines().count() as u64 + 1;
    assert_eq!(issues.len(), 2, "{issues:#?}");
    for (issue, line) in issues.iter().zip(line..) {
        assert_eq!(issue["location"]["path"], "jobs/bad.yaml");
        assert_eq!(issue["location"]["lines"]["begin"], line);
        assert_eq!((&issue["severity"], &issue["check_name"]), (&"major".into(), &"sunhaul/manifest".into()));
        assert!(issue["description"].as_str().is_some_and(|text| text.contains("; hint: ")), "{issue:#}");
    }
    let prints = |issues: &[serde_json::Value]| -> BTreeSet<String> {
        issues.iter().map(|issue| issue["fingerprint"].to_string()).collect()
    };
    let before = prints(issues);
    assert_eq!(before.len(), 2, "each has its own");
    // A line above moves the place, and not what GitLab knows the remark by.
    lab.write("jobs/bad.yaml", format!("# a remark\n{}", text(&lab, "jobs/bad.yaml")));
    lab.sunhaul(&check).chatty().status(2).done();
    let after = lab.json("quality.json");
    assert_eq!(prints(after.as_array().expect("a list")), before);

    lab.sunhaul(&["check", "jobs/good.yaml", "--report-codequality", "-"]).chatty().stdout("[]\n").done();
    let nowhere = ["check", "jobs/good.yaml", "--report-codequality", "no/such.json"];
    lab.sunhaul(&nowhere).status(2).stderr_has("name another file with `--report-codequality`").done();
}
