//! Names and words of a service where a CI system reads along: on the terminal, in logs, in the report.
//!
//! What it does not do: look at GitHub's summaries and outputs; nothing is written for them yet.

use serde_json::Value;

use super::SERIES;
use crate::lab::{Answer, Item, Job, Lab, Server, Spoken, fits};

/// A run in which names, one of a file that fails, and the words of a refusal hold this text; what it said, and its
/// report.
fn told(text: &str, more: &[&str]) -> (Spoken, Value) {
    let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let server = Server::start();
    let time = "2015-12-11T18:22:08.8Z";
    let named = Answer::file(fits(1, 20, time))
        .header("Content-Disposition", &format!("attachment; filename*=UTF-8''{encoded}name.fits"));
    server.script_file(SERIES, Item::new("a", time), [named]);
    let junk = Answer::file(vec![b'x'; 5760])
        .header("Content-Disposition", &format!("attachment; filename*=UTF-8''{encoded}junk.fits"));
    server.script_file(SERIES, Item::new("c", time), [junk]);
    let words = serde_json::json!({ "detail": format!("{text}words") }).to_string();
    let refusal = Answer::raw(format!(
        "HTTP/1.1 400 No\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{words}",
        words.len()
    ));
    server.script_file(SERIES, Item::new("b", time), [refusal]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    // The lab sees to it that no control character is said.
    let spoken = lab.run_with(more).env("GITHUB_ACTIONS", "true").env("CI", "true").status(1).done();
    let report = lab.json("report.json");
    for (nth, word) in [(0, "words"), (1, "junk")] {
        let message = report["failures"][nth]["message"].as_str().expect("a message");
        assert!(message.contains(word), "{message}");
    }
    for (name, text) in [("the report", report.to_string()), ("stderr", spoken.stderr.clone())] {
        assert!(!text.contains("\\u00") && !text.contains('\u{202e}'), "{name}: {text}");
    }
    let schema = lab.sunhaul(&["schema", "report"]).stdout_has("{").done().json();
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(schema.is_valid(&report), "{report:#}");
    (spoken, report)
}

#[test]
fn c_01_no_line_begins_with_a_workflow_command_that_a_service_sent() {
    for command in ["::error::x", "::set-env name=PATH::x", "##[error]x", "::add-mask::a"] {
        for before in ["", "\n", "\r\n", "\u{2028}", "\r"] {
            let (spoken, _) = told(&format!("{before}{command}\n{command} "), &["-v"]);
            for line in spoken.stderr.lines().chain(spoken.stdout.lines()) {
                let line = line.trim_start();
                assert!(!line.starts_with("::") && !line.starts_with("##["), "{line}");
            }
        }
    }
}

#[test]
fn c_03_markdown_and_xml_are_text_in_the_report() {
    for text in ["</testcase><failure>", "]]>", "| a | b |\n|---|\n", "[x](javascript:x)", "`$(x)`", "&amp;\u{fffe}"] {
        told(text, &[]);
    }
}

#[test]
fn c_04_terminal_escapes_do_not_reach_a_terminal_or_a_log() {
    for text in ["\u{1b}[2J", "\u{1b}]0;title\u{7}", "\u{9b}31m", "\u{202e}", "\r\u{8}\u{8}"] {
        told(text, &["-v"]);
        let (spoken, _) = told(text, &["-v", "--log-format", "json"]);
        for line in spoken.stderr.lines().filter(|line| line.starts_with('{')) {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert!(!line.to_string().contains("\\u00"), "{line}");
        }
    }
}
