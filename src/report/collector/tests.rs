//! The collector before scripted events.

use super::*;
use crate::digest::Digest;
use crate::manifest::SeriesId;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(date: &str) -> DayId {
    DayId { series: SeriesId("sharp_720s".into()), date: date.parse().unwrap() }
}

fn job() -> ReportJob {
    ReportJob {
        name: "december".into(),
        manifest: "jobs/december.yaml".into(),
        manifest_sha256: Digest::sha256(b"december").to_string(),
        lock_sha256: None,
        lock_changed: false,
    }
}

fn counted(name: &str, requests: u64) -> HostStats {
    HostStats {
        host: name.into(),
        preset: "private".into(),
        limit: "8/s, 4 connections".into(),
        contact: Some("jane@example.org".into()),
        peak_connections: 4,
        peak_requests_per_second: 8,
        requests,
        retried: requests / 10,
        bytes: 1000 * requests,
        status_counts: [(200, requests.saturating_sub(1)), (503, 1)].into(),
        paused_seconds: 2.5,
        ..HostStats::default()
    }
}

fn done(date: &str, state: DayState, error: Option<failure::Failure>) -> Event {
    let sealed = matches!(state, DayState::Sealed | DayState::Provisional);
    Event::DayDone(DayDone {
        day: day(date),
        state,
        files: 2,
        bytes: 900,
        absent: 0,
        accepted: 0,
        records: BTreeMap::new(),
        replaced: BTreeMap::new(),
        digest: sealed.then(|| Digest::sha256(date.as_bytes())),
        outside_day: 1,
        duplicates: 0,
        cadence_slots: 0,
        without_record: 0,
        error,
        took: Duration::from_millis(1500),
    })
}

fn file(date: &str, key: &str, end: FileEnd) -> Event {
    Event::FileDone { day: day(date), key: key.into(), path: Some(format!("sharp_720s/{key}.fits")), end }
}

fn collector() -> Collector {
    Collector::new("20151214T000000Z-00000000000000aa".into(), at("2015-12-14T00:00:00Z"), job())
}

fn valid(report: &Report) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_slice(&report.to_json().unwrap()).unwrap();
    let schema = jsonschema::validator_for(&Report::schema()).unwrap();
    let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    value
}

/// Five days of a run, with files and days that end in every way.
fn scripted_events() -> Vec<Event> {
    let checksum = failure::Failure {
        attempts: 6,
        ..failure::Failure::new(Class::FitsChecksum, "/HMI/c: DATASUM of HDU 1 does not match its bytes")
    };
    let refused = failure::Failure { status: Some(503), ..failure::Failure::new(Class::ServerError, "/HMI: 503") };
    vec![
        Event::Planned { planned: 5, already_sealed: 7 },
        Event::DayBegun(day("2015-12-11")),
        Event::DayListed { day: day("2015-12-11"), files: 4, have: 1, bytes: None },
        Event::Received { day: day("2015-12-11"), bytes: 500 },
        file("2015-12-11", "a", FileEnd::Have),
        file("2015-12-11", "b", FileEnd::Kept { bytes: 400 }),
        Event::Retrying {
            day: day("2015-12-11"),
            key: Some("d".into()),
            failure: failure::Failure::new(Class::Stalled, "silent"),
            wait_seconds: 1.0,
        },
        file(
            "2015-12-11",
            "d",
            FileEnd::Fetched {
                bytes: 500,
                resumed_bytes: 100,
                restarted: false,
                replaced: true,
                restamped: false,
                from: None,
            },
        ),
        file("2015-12-11", "e", FileEnd::Absent),
        done("2015-12-11", DayState::Sealed, None),
        Event::DayListed { day: day("2015-12-12"), files: 3, have: 0, bytes: None },
        Event::Quarantined { day: day("2015-12-12"), key: "c".into(), class: Class::FitsChecksum },
        Event::Quarantined { day: day("2015-12-12"), key: "c".into(), class: Class::FitsChecksum },
        file("2015-12-12", "c", FileEnd::Failed(Box::new(checksum))),
        file(
            "2015-12-12",
            "f",
            FileEnd::Fetched {
                bytes: 70,
                resumed_bytes: 0,
                restarted: true,
                replaced: false,
                restamped: false,
                from: None,
            },
        ),
        done("2015-12-12", DayState::Failed, None),
        done("2015-12-13", DayState::Provisional, None),
        done("2015-12-10", DayState::Failed, Some(refused)),
        done("2015-12-09", DayState::Held, Some(failure::Failure::new(Class::Held, "another process has it"))),
        Event::Hosts(vec![counted("localhost:8001", 24), counted("localhost:9", 0)]),
        Event::Note("one".into()),
    ]
}

#[test]
fn a_scripted_run_becomes_the_promised_report() {
    let collector = collector();
    for event in scripted_events() {
        collector.on(event);
    }
    let ends = collector.ends();
    assert_eq!(ends.classes, [Class::ServerError, Class::FitsChecksum].into());
    assert_eq!((ends.failed, ends.held, ends.unfinished), (2, 1, 0));
    valid(&collector.snapshot());
    let report = collector.finish(RunResult::Incomplete, 1, at("2015-12-14T00:01:00.250Z"));
    valid(&report);
    insta::assert_snapshot!(String::from_utf8(report.to_json().unwrap()).unwrap());
}

#[test]
fn a_file_that_ends_twice_is_counted_by_its_last_end() {
    let collector = collector();
    let fetched =
        FileEnd::Fetched { bytes: 70, resumed_bytes: 9, restarted: true, replaced: true, restamped: false, from: None };
    let failed = FileEnd::Failed(Box::new(failure::Failure::new(Class::Collision, "both want it")));
    collector.on(Event::DayListed { day: day("2015-12-11"), files: 2, have: 0, bytes: None });
    for (key, end) in [("a", fetched), ("b", failed.clone()), ("a", failed)] {
        collector.on(file("2015-12-11", key, end));
    }
    let totals = collector.snapshot().totals;
    assert_eq!(totals.files, FileTotals { listed: 2, failed: 2, ..FileTotals::default() });
    assert_eq!(totals.bytes, crate::report::model::ByteTotals::default());
}

#[test]
fn a_running_report_is_valid_and_lists_no_more_than_a_thousand_failures() {
    let collector = collector();
    collector.on(Event::Planned { planned: 2, already_sealed: 0 });
    for number in 0..1002 {
        let failure = failure::Failure::new(Class::NotFound, "404");
        collector.on(file("2015-12-11", &format!("{number:04}"), FileEnd::Failed(Box::new(failure))));
    }
    let value = valid(&collector.snapshot());
    assert_eq!(value["run"]["result"], "running");
    assert_eq!(value["run"]["exit_code"], serde_json::Value::Null);
    assert_eq!(value["failures"].as_array().map(Vec::len), Some(1000));
    assert_eq!(value["failures_omitted"], 2);
    assert_eq!(value["totals"]["files"]["failed"], 1002);
    assert_eq!(collector.ends().unfinished, 2);
}

#[test]
fn the_schema_refuses_a_report_with_a_field_too_many_or_too_few() {
    let schema = jsonschema::validator_for(&Report::schema()).unwrap();
    let mut value = valid(&collector().snapshot());
    value["job"]["colour"] = "red".into();
    assert!(!schema.is_valid(&value));
    let mut value = valid(&collector().snapshot());
    value["run"].as_object_mut().unwrap().remove("finished");
    assert!(!schema.is_valid(&value));
}
