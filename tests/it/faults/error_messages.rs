//! Bodies with status 200 that are an error message in place of a file, or break off in one.

use super::body::one_file;
use crate::lab::Answer;

/// The job ends as a service that is down, and nothing stays.
fn is_refused(name: &str, content_type: &str, body: &str) {
    let (lab, _server) = one_file(name, Answer::file(body.as_bytes().to_vec()).called(content_type));
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["class"], "html", "{name} {body}: {report:#}");
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty(), "{name} {body}");
}

fn is_taken(name: &str, content_type: &str, body: &str) {
    let (lab, _server) = one_file(name, Answer::file(body.as_bytes().to_vec()).called(content_type));
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1, "{name} {body}");
}

#[test]
fn b_12_a_body_that_is_nothing_but_an_error_message_is_no_file() {
    for (name, content_type, body) in [
        ("a.json", "application/json", "[{\"error\":\"no such day\"}]"),
        ("a.json", "application/json", "{\"errors\":[{\"title\":\"x\"}],\"meta\":{\"page\":1}}"),
        (
            "a.vot",
            "application/xml",
            "<vo:VOTABLE><vo:INFO value = 'ERROR' name=\"QUERY_STATUS\">no</vo:INFO></vo:VOTABLE>",
        ),
        ("a.txt", "text/plain", "404 Not Found"),
        ("a.dat", "application/octet-stream", "error code: 520"),
        ("a", "text/plain", "upstream request timeout"),
        ("a.csv", "text/csv", "Internal Server Error\n"),
    ] {
        is_refused(name, content_type, body);
    }
    for (name, content_type, body) in [
        ("a.json", "application/json", "[{\"time\":\"2015-12-11\",\"error\":0.5}]"),
        ("a.vot", "application/xml", "<VOTABLE><INFO name='QUERY_STATUS' value='OK'/><TABLE/></VOTABLE>"),
        ("a.csv", "text/csv", "error,code\n0.5,404\n"),
        ("a.txt", "text/plain", "404\n"),
    ] {
        is_taken(name, content_type, body);
    }
}

#[test]
fn b_14_a_text_that_breaks_off_in_the_trace_of_a_program_is_no_file() {
    let rows = "time,flux\n2015-12-11T00:00:00,1.5\n";
    for message in [
        "java.io.IOException: gone\n\tat a.B.c(B.java:1)\n",
        "Can't call method \"x\" on an undefined value at /srv/get.pl line 3.\n",
        "2015-12-11T00:01Traceback (most recent call last):\n  File \"x.py\", line 1\nsocket.timeout: timed out\n",
        "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away\n",
    ] {
        is_refused("a.csv", "text/csv", &[rows, message].concat());
    }
    is_taken("run.log", "text/plain", "java.io.IOException: gone\n\tat a.B.c(B.java:1)\n");
}
