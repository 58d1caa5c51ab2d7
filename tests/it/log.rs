//! `--log-format json`: every line of standard error is a record that a machine can read, by the ids of the report.

use serde_json::{Value, json};

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const NAME: &str = "a_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";
/// What would clear a terminal, end a line, and pass for a record of its own.
const HOSTILE: &str = "\u{1b}[2J\r\n{\"level\":\"ERROR\"}\u{202e}\u{7}";

/// A series of one whole file, one whose file is damaged, and one that the service refuses in hostile words.
fn service() -> Server {
    let server = Server::start();
    let file = || Answer::file(fits(1, 60, TIME)).named(&format!("{NAME}.fits"));
    server.script_file("whole", Item::new(NAME, TIME), [Answer::status(500), file()]);
    let mut damaged = fits(1, 60, TIME);
    damaged[9000] ^= 1;
    server.script_file("broken", Item::new(NAME, TIME), [Answer::file(damaged).named(&format!("{NAME}.fits"))]);
    server.script("/HMI/refused", [Answer::status(404).saying(&json!({ "detail": HOSTILE }).to_string())]);
    server
}

fn lab_for(server: &Server) -> Lab {
    let lab = Lab::new();
    let series = ["{ name: whole }", "{ name: broken }", "{ name: refused }"];
    lab.write("job.yaml", Job::at(&server.url()).series(&series).yaml());
    lab
}

/// The records of a run, and its report.
#[track_caller]
fn records(lab: &Lab, filter: Option<&str>) -> (Vec<Value>, Value) {
    let call = lab.run_with(&["--log-format", "json"]).status(1);
    let call = if let Some(filter) = filter { call.env("SUNHAUL_LOG", filter) } else { call };
    let said = call.done().stderr;
    let record = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    (said.lines().map(record).collect(), lab.json("report.json"))
}

/// The records that have these values.
fn with<'a>(records: &'a [Value], values: &[(&str, &str)]) -> Vec<&'a Value> {
    records.iter().filter(|record| values.iter().all(|(name, value)| record[*name] == *value)).collect()
}

#[test]
fn each_day_and_lost_file_has_its_record_with_the_ids_of_the_report() {
    let server = service();
    let lab = lab_for(&server);
    let (records, report) = records(&lab, None);
    let told: Vec<&Value> = records.iter().filter(|record| record["target"] == "sunhaul::told").collect();
    assert!(told.iter().all(|record| record["run"] == report["run"]["id"] && record["job"] == "lab"), "{told:#?}");

    for day in report["days"].as_array().expect("days") {
        let series = day["series"].as_str().expect("a series");
        let state = day["state"].as_str().expect("a state");
        let level = if state == "sealed" { "INFO" } else { "ERROR" };
        let found = with(&records, &[("level", level), ("series", series), ("date", "2015-12-11"), ("state", state)]);
        assert_eq!(found.len(), 1, "{series}\n{records:#?}");
        assert_eq!((&found[0]["files"], &found[0]["bytes"]), (&day["files"], &day["bytes"]));
    }
    let class = |series| with(&records, &[("series", series), ("state", "failed")])[0]["class"].clone();
    assert_eq!((class("refused"), class("broken")), (json!("source-refused"), json!("fits-checksum")));

    let failure = &report["failures"][0];
    let key = failure["key"].as_str().expect("a key");
    let path = failure["path"].as_str().expect("a path");
    let lost = with(&records, &[("level", "WARN"), ("series", "broken"), ("key", key), ("path", path)]);
    assert_eq!(lost.len(), 1, "{records:#?}");
    assert_eq!((&lost[0]["class"], &lost[0]["attempts"]), (&failure["class"], &failure["attempts"]));
    assert_eq!(lost[0]["message"], failure["message"]);

    let key = format!("/HMI/whole/{NAME}");
    let retries = with(&records, &[("level", "WARN"), ("class", "server-error"), ("key", &key)]);
    assert_eq!(retries.len(), 1, "{records:#?}");
    assert_eq!((&retries[0]["attempts"], &retries[0]["status"]), (&json!(1), &json!(500)));
    let spans = json!([
        { "name": "run", "run": report["run"]["id"], "job": "lab" },
        { "name": "day", "series": "whole", "date": "2015-12-11" },
        { "name": "file", "key": key },
    ]);
    assert_eq!(retries[0]["spans"], spans);

    let ended = with(&records, &[("result", "incomplete")]);
    assert_eq!((ended.len(), &ended[0]["exit_code"], &ended[0]["days_failed"]), (1, &json!(1), &json!(2)));
}

#[test]
fn a_filter_says_what_is_logged() {
    let server = service();
    let levels = |filter| {
        let mut levels: Vec<String> =
            records(&lab_for(&server), Some(filter)).0.iter().map(|record| record["level"].to_string()).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    };
    assert_eq!(levels("error"), ["\"ERROR\""]);
    assert_eq!(levels("sunhaul::told=warn"), ["\"ERROR\"", "\"WARN\""]);
    assert!(levels("sunhaul::told=debug").contains(&"\"DEBUG\"".to_owned()));
    assert!(levels("sunhaul::net=debug").contains(&"\"INFO\"".to_owned()), "what is told stays");
}

#[test]
fn nothing_that_a_server_says_acts_on_who_reads_the_log() {
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(map) => map.values().for_each(|item| texts(item, found)),
            _ => {}
        }
    }
    let server = service();
    let mut found = Vec::new();
    for record in records(&lab_for(&server), Some("sunhaul=trace")).0 {
        texts(&record, &mut found);
    }
    assert!(found.iter().any(|text| text.contains("\\u{1b}[2J")), "the hostile words are told, escaped: {found:#?}");
    for text in found {
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn quiet_leaves_out_what_went_well() {
    let server = service();
    let lab = lab_for(&server);
    let said = lab.run_with(&["--log-format", "json", "--quiet"]).status(1).done().stderr;
    assert!(said.contains("\"level\":\"ERROR\"") && !said.contains("\"level\":\"INFO\""), "{said}");
}
