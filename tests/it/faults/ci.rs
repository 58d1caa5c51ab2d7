//! Names and words of a service where a CI system reads along: on the terminal, in logs, in the report, in a step's summary
//! and outputs, in JUnit.

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

use super::SERIES;
use crate::lab::{Answer, Item, Job, Lab, Server, Spoken, fits};

/// What a run said and wrote.
struct Told {
    spoken: Spoken,
    summary: String,
    junit: String,
}

/// A run in which names, one of a file that fails, and the words of a refusal hold this text.
fn told(text: &str, more: &[&str]) -> Told {
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
    let forms = ["--report-junit", "junit.xml", "--summary", "summary.md"];
    // The lab sees to it that no control character is said.
    let spoken =
        lab.run_with(&[&forms[..], more].concat()).env("GITHUB_ACTIONS", "true").env("CI", "true").status(1).done();
    let report = lab.json("report.json");
    for (nth, word) in [(0, "words"), (1, "junk")] {
        let message = report["failures"][nth]["message"].as_str().expect("a message");
        assert!(message.contains(word), "{message}");
    }
    let [summary, junit] = ["summary.md", "junit.xml"].map(|path| String::from_utf8(lab.read(path)).expect("UTF-8"));
    let all = [
        ("the report", report.to_string()),
        ("stderr", spoken.stderr.clone()),
        ("the summary", summary.clone()),
        ("JUnit", junit.clone()),
    ];
    for (name, text) in all {
        assert!(!text.contains("\\u00") && !text.contains('\u{202e}') && !text.contains('\u{1b}'), "{name}: {text}");
    }
    let schema = lab.sunhaul(&["schema", "report"]).stdout_has("{").done().json();
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(schema.is_valid(&report), "{report:#}");
    Told { spoken, summary, junit }
}

#[test]
fn c_01_no_line_begins_with_a_workflow_command_that_a_service_sent() {
    for command in ["::error::x", "::set-env name=PATH::x", "##[error]x", "::add-mask::a", "a,line=9::x"] {
        for before in ["", "\n", "\r\n", "\u{2028}", "\r"] {
            let Told { spoken, .. } = told(&format!("{before}{command}\n{command} "), &["-v"]);
            let lines = spoken.stderr.lines().chain(spoken.stdout.lines()).map(str::trim_start);
            let (commands, others): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("::"));
            // The one of the day that failed is our own, and has no property but our own.
            assert_eq!(commands.len(), 1, "{commands:?}");
            let (head, _) = commands[0][2..].split_once("::").expect("a message");
            let properties: Vec<&str> =
                head.split([' ', ',']).filter_map(|part| part.split_once('=')).map(|p| p.0).collect();
            assert_eq!((head.split(' ').next(), properties), (Some("error"), vec!["file", "title"]), "{commands:?}");
            assert!(
                others.iter().all(|line| !line.starts_with("##[")) && !spoken.stderr.contains("##["),
                "{}",
                spoken.stderr
            );
        }
    }
}

#[test]
fn c_02_no_path_ends_its_value_and_begins_an_output_of_its_own() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    let mut delimiters = Vec::new();
    for _ in 0..2 {
        lab.write("outputs", "");
        let archive = "a\nEOF\nexit_code=9\nreport<<EOF";
        let run = lab.sunhaul(&["run", "job.yaml", "--archive", archive]).chatty();
        run.env("GITHUB_OUTPUT", "outputs").env("GITHUB_ACTIONS", "true").done();
        let text = String::from_utf8(lab.read("outputs")).expect("UTF-8");
        let (head, rest) = text.split_once("report<<").expect("a report");
        assert_eq!(head, "exit_code=0\nlock_changed=true\nfailed_days=0\n");
        let (delimiter, value) = rest.split_once('\n').expect("lines");
        let value = value.strip_suffix(&format!("\n{delimiter}\n")).expect("an end");
        assert!(value.starts_with(&format!("{archive}/.sunhaul/runs/")) && !value.contains(delimiter), "{text}");
        assert!(delimiter.len() > 32, "{delimiter}");
        delimiters.push(delimiter.to_owned());
        std::fs::remove_file(lab.path("job.lock")).expect("a lock");
        std::fs::remove_dir_all(lab.path("a\nEOF\nexit_code=9\nreport<<EOF")).expect("an archive");
    }
    assert_ne!(delimiters[0], delimiters[1]);
}

/// The markup of a summary, without what is text.
fn markup(page: &str) -> Vec<String> {
    Parser::new_ext(page, Options::all())
        .filter_map(|event| match event {
            Event::Start(Tag::CodeBlock(_)) => Some("block".to_owned()),
            Event::InlineHtml(tag) if ["<code>", "</code>"].contains(&&*tag) => None,
            Event::Text(_) | Event::Code(_) | Event::End(_) | Event::SoftBreak => None,
            other => Some(format!("{other:?}")),
        })
        .collect()
}

/// The elements of a document and the names of their attributes.
fn shape(page: &str) -> Vec<(String, Vec<String>)> {
    let document = roxmltree::Document::parse(page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    let elements = document.descendants().filter(roxmltree::Node::is_element);
    elements
        .map(|node| {
            let names = node.attributes().map(|attribute| attribute.name().to_owned()).collect();
            (node.tag_name().name().to_owned(), names)
        })
        .collect()
}

#[test]
fn c_03_markdown_and_xml_are_text_in_the_report_the_summary_and_junit() {
    let plain = told("x", &[]);
    let (markdown, xml) = (markup(&plain.summary), shape(&plain.junit));
    assert!(markdown.iter().any(|tag| tag.contains("TableCell")) && xml.iter().any(|(name, _)| name == "failure"));
    for text in [
        "</testcase><failure>",
        "]]>",
        "| a | b |\n|---|\n",
        "[x](javascript:x)",
        "`$(x)`",
        "&amp;\u{fffe}",
        "</code><img src=x onerror=y>",
        "```\n# x\n",
        "@user www.example.org",
    ] {
        let told = told(text, &[]);
        assert_eq!(markup(&told.summary), markdown, "{text:?}\n{}", told.summary);
        assert_eq!(shape(&told.junit), xml, "{text:?}\n{}", told.junit);
    }
}

#[test]
fn c_04_terminal_escapes_do_not_reach_a_terminal_a_log_or_a_report() {
    for text in ["\u{1b}[2J", "\u{1b}]0;title\u{7}", "\u{9b}31m", "\u{202e}", "\r\u{8}\u{8}"] {
        told(text, &["-v"]);
        let Told { spoken, .. } = told(text, &["-v", "--log-format", "json"]);
        for line in spoken.stderr.lines().filter(|line| line.starts_with('{')) {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert!(!line.to_string().contains("\\u00"), "{line}");
        }
    }
}
