//! JUnit: a case a day, for Jenkins and GitLab.

use rustix::process::Signal;

use super::{faulty, lab_for, text};
use crate::lab::{Job, Lab, Server};

/// The cases of a document: class, name, how each ended and in which words.
fn cases(page: &str) -> Vec<(String, String, String, String)> {
    let document = roxmltree::Document::parse(page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    let of = |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap_or_default().to_owned();
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    cases
        .map(|case| {
            let end = case.children().find(roxmltree::Node::is_element);
            let (word, message) = match end {
                Some(end) if end.has_tag_name("failure") => (of(end, "type"), of(end, "message")),
                Some(end) => (end.tag_name().name().to_owned(), of(end, "message")),
                None => ("passed".to_owned(), String::new()),
            };
            (of(case, "classname"), of(case, "name"), word, message)
        })
        .collect()
}

#[test]
fn a_day_is_a_case_and_one_that_failed_says_why() {
    let server = faulty();
    let lab = lab_for(&server);
    let run = ["run", "jobs/job.yaml", "--report-junit", "junit.xml"];
    lab.sunhaul(&run).chatty().status(1).done();
    let found = cases(&text(&lab, "junit.xml"));
    let ends: Vec<_> = found.iter().map(|(class, name, end, _)| format!("{class} {name} {end}")).collect();
    let expected = ["2015-12-11 passed", "2015-12-12 magic", "2015-12-13 passed"];
    assert_eq!(ends, expected.map(|end| format!("sharp_720s {end}")));
    let message = &found[1].3;
    assert!(message.starts_with("sharp_720s/2015/12/12/junk.fits magic after 2 attempts: "), "{message}");

    let page = text(&lab, "junit.xml");
    let document = roxmltree::Document::parse(&page).expect("XML");
    let property = |name: &str| {
        let mut all = document.descendants().filter(|node| node.attribute("name") == Some(name));
        all.next().and_then(|node| node.attribute("value")).unwrap_or_default().to_owned()
    };
    assert_eq!([property("days.planned"), property("days.failed"), property("exit_code")], ["3", "1", "1"]);
    assert_eq!((property("manifest_sha256").len(), property("run").len()), (64, 33));
    let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
    let time = |node: roxmltree::Node<'_, '_>| node.attribute("time").and_then(|time| time.parse::<f64>().ok());
    assert!(time(suite) > Some(0.0), "a day takes time\n{page}");

    // The next run asks for nothing that is sealed, and has a case for it all the same.
    lab.sunhaul(&run).chatty().status(1).done();
    let again: Vec<_> = cases(&text(&lab, "junit.xml")).into_iter().map(|(_, _, end, _)| end).collect();
    assert_eq!(again, ["passed", "magic", "passed"]);
}

#[test]
fn a_day_without_an_end_is_a_skipped_case() {
    let server = Server::start();
    server.script("/HMI/sharp_720s", [crate::lab::Answer::text("application/json", "[]  ").stall_at(1)]);
    let lab = lab_for(&server);
    let run = lab.sunhaul(&["run", "jobs/job.yaml", "--report-junit", "junit.xml"]).chatty().status(130).start();
    server.wait_for_pauses(1);
    run.signal(Signal::INT);
    run.done();
    let found = cases(&text(&lab, "junit.xml"));
    assert_eq!(found.len(), 3, "{found:?}");
    for (_, _, end, message) in found {
        assert_eq!((end.as_str(), message.as_str()), ("skipped", "not finished: the same command resumes it"));
    }
}

#[test]
fn a_run_that_is_refused_is_one_failed_case() {
    let server = faulty();
    let lab = lab_for(&server);
    lab.sunhaul(&["run", "jobs/job.yaml", "--range", "2015-12-11..2015-12-12"]).chatty().done();
    let locked = ["run", "jobs/job.yaml", "--locked", "--report-junit", "junit.xml", "--report", "report.json"];
    lab.sunhaul(&locked).status(3).stderr_has("the lock does not match the manifest").done();
    let found = cases(&text(&lab, "junit.xml"));
    assert_eq!(found.len(), 1, "{found:?}");
    let (class, name, end, message) = &found[0];
    assert_eq!((class.as_str(), name.as_str(), end.as_str()), ("lab", "run", "run"));
    assert!(message.contains("the lock does not match the manifest"), "{message}");
    let report = lab.json("report.json");
    assert_eq!((&report["run"]["exit_code"], &report["run"]["result"]), (&3.into(), &"incomplete".into()));
    assert!(report["run"]["error"].as_str().is_some_and(|error| error.contains("2015-12-12")), "{report:#}");
    crate::lab::add_up(&report);
}

#[test]
fn the_built_in_service_gives_a_suite_for_each_series() {
    let lab = Lab::new();
    let series = ["{ name: sharp_720s }", "{ name: hmi.sharp_cea_720s, as: cea, segments: [Br], cadence: 12h }"];
    lab.write("job.yaml", Job::embedded().series(&series).yaml());
    lab.run_with(&["--report-junit", "-"]).stdout_has("<?xml").done();
    lab.run_with(&["--report-junit", "junit.xml"]).done();
    let classes: Vec<_> = cases(&text(&lab, "junit.xml")).into_iter().map(|(class, ..)| class).collect();
    assert_eq!(classes, ["cea", "sharp_720s"]);
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn junitparser_reads_the_same() {
    let server = faulty();
    let lab = lab_for(&server);
    lab.sunhaul(&["run", "jobs/job.yaml", "--report-junit", "junit.xml"]).chatty().status(1).done();
    let script = "import junitparser\n\
                  xml = junitparser.JUnitXml.fromfile('junit.xml')\n\
                  for suite in xml:\n    \
                      print(suite.name, suite.tests, suite.failures, suite.skipped, len(list(suite.properties())))\n    \
                      for case in suite:\n        \
                          print(case.classname, case.name, [type(end).__name__ + ' ' + end.type for end in case.result])\n";
    let python = format!("{}/python", std::env::var("SUNHAUL_TEST_JUNIT").expect("tests/run.sh sets it"));
    let expected = "sharp_720s 3 1 0 18\nsharp_720s 2015-12-11 []\n\
                    sharp_720s 2015-12-12 ['Failure magic']\nsharp_720s 2015-12-13 []\n";
    lab.program(&python, &["-c", script]).stdout(expected).done();
}
