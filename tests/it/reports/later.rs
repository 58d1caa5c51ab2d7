//! `sunhaul report`: the same forms, made of a saved report.

use super::{faulty, job, lab_for, text};
use crate::lab::{Job, Lab};

#[test]
fn a_report_made_later_has_the_bytes_that_the_run_wrote() {
    let server = faulty();
    let lab = lab_for(&server);
    let files = ["--report", "report.json", "--report-junit", "junit.xml", "--summary", "summary.md"];
    let files = [&files[..], &["--report-html", "page.html"]].concat();
    lab.sunhaul(&[&["run", "jobs/job.yaml"], &files[..]].concat()).chatty().status(1).done();
    let id = lab.json("report.json")["run"]["id"].as_str().expect("an id").to_owned();
    for run in [
        &["report.json"][..],
        &["jobs/job.yaml"],
        &["latest", "--job", "jobs/job.yaml"],
        &["latest", "--archive", "jobs/data"],
        &[&id, "--archive", "jobs/data"],
        &[&id[..20], "--job", "jobs/job.yaml"],
    ] {
        let forms =
            [("json", "report.json"), ("junit", "junit.xml"), ("markdown", "summary.md"), ("html", "page.html")];
        for (format, file) in forms {
            let args = [&["report"], run, &["--format", format]].concat();
            lab.sunhaul(&args).stdout(&text(&lab, file)).done();
        }
    }
    lab.sunhaul(&["report", "report.json", "--output", "again.md"]).done();
    assert_eq!(text(&lab, "again.md"), text(&lab, "summary.md"));
}

#[test]
fn an_operator_is_told_what_was_asked_of_the_host() {
    let server = faulty();
    let lab = Lab::new();
    lab.write("job.yaml", format!("{}contact: jane@example.org\n", job(&server)));
    lab.run().status(1).done();
    let told = lab.sunhaul(&["report", "report.json", "--hosts"]).stdout_has("host").done().stdout;
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}\n{told}")).trim().to_owned()
    };
    let requests = server.requests();
    assert_eq!(value("requests"), requests.len().to_string());
    assert_eq!(value("User-Agent"), requests[0].header("user-agent").expect("an agent"));
    assert_eq!(value("contact (From)"), requests[0].header("from").expect("a contact"));
    assert_eq!(value("host  "), server.url().trim_start_matches("http://"));
    assert_eq!(value("answers"), format!("200: {}", requests.len()));
    assert!(told.lines().all(|line| line.len() < 140), "{told}");
}

#[test]
fn the_last_run_of_a_job_is_not_that_of_another_job_in_the_same_archive() {
    let lab = Lab::new();
    let more = Job::embedded().series(&["{ name: sharp_720s, as: more }"]).yaml().replace("name: lab", "name: more");
    lab.write("job.yaml", Job::embedded().yaml());
    lab.write("more.yaml", more);
    lab.run().done();
    lab.sunhaul(&["run", "more.yaml"]).chatty().done();
    lab.sunhaul(&["report", "job.yaml"]).stdout_has("## sunhaul: `lab` complete").done();
    lab.sunhaul(&["report", "more.yaml"]).stdout_has("## sunhaul: `more` complete").done();
    lab.sunhaul(&["report", "2", "--archive", "data"]).status(2).stderr_has("2 runs begin with `2`").done();
}

#[test]
fn what_is_no_report_is_told_with_what_to_do() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    lab.write("cut.json", "{\"sunhaul\":\"report/1\",");
    lab.write("newer.json", "{\"sunhaul\":\"report/2\\u001b[2J\"}");
    for (args, why) in [
        (&["none.json"][..], "no archive to look for a run of that id"),
        (&["no/such.json"], "could not read the report `no/such.json`"),
        (&["cut.json"], "it is no report of this version"),
        (&["newer.json"], "unknown variant `report/2\\u{1b}[2J`"),
        (&["latest", "--archive", "data"], "there is no report of a run in `data/.sunhaul/runs`"),
        (&["job.yaml"], "there is no report of a run"),
        (&["2015", "--job", "job.yaml"], "there is no report of a run `2015`"),
        (&["nojob.yaml"], "nojob.yaml"),
    ] {
        let args = [&["report"], args].concat();
        lab.sunhaul(&args).status(2).stderr_has(why).done();
    }
}
