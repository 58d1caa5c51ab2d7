//! What every report must fulfil: each expected day, file and request is in one count, and the counts add up.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Lab;

/// The sums of a report, which need nothing but the report.
#[track_caller]
pub(crate) fn add_up(report: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is no count\n{report:#}"));
    let sum = |of: &Value, names: &[&str]| names.iter().map(|name| number(&of[*name])).sum::<u64>();
    let list = |name: &str| report[name].as_array().expect("a list");
    let totals = &report["totals"];

    let states = ["sealed", "provisional", "failed", "held"];
    let days = sum(&totals["days"], &states) + number(&totals["days"]["unfinished"]);
    assert_eq!(number(&totals["days"]["planned"]), days, "planned days\n{report:#}");
    for state in states {
        let listed = list("days").iter().filter(|day| day["state"] == state).count() as u64;
        assert_eq!(number(&totals["days"][state]), listed, "{state} days\n{report:#}");
    }
    let names: BTreeSet<String> = list("days").iter().map(|day| format!("{} {}", day["series"], day["date"])).collect();
    assert_eq!(names.len(), list("days").len(), "each day once\n{report:#}");

    let ends = ["have", "renamed", "restored", "fetched", "adopted", "kept", "absent", "failed", "unfinished"];
    let files = sum(&totals["files"], &ends);
    assert_eq!(number(&totals["files"]["listed"]), files, "listed files\n{report:#}");
    for part in ["resumed", "restarted", "replaced", "restamped"] {
        assert!(number(&totals["files"][part]) <= number(&totals["files"]["fetched"]), "{part}\n{report:#}");
    }

    let failed: Vec<&Value> = list("days").iter().filter(|day| day["state"] == "failed").collect();
    let whole = failed.iter().filter(|day| !day["error"].is_null()).count() as u64;
    let told = list("failures").len() as u64 + number(&report["failures_omitted"]);
    assert_eq!(told, number(&totals["files"]["failed"]) + whole, "failures\n{report:#}");
    for day in failed.iter().filter(|_| report["failures_omitted"] == 0) {
        let is_of_it = |failure: &&Value| failure["series"] == day["series"] && failure["date"] == day["date"];
        assert!(list("failures").iter().any(|failure| is_of_it(&failure)), "{day} failed for no reason\n{report:#}");
    }

    let over_hosts = |name: &str| list("hosts").iter().map(|host| number(&host[name])).sum::<u64>();
    assert_eq!(number(&totals["requests"]["sent"]), over_hosts("requests"), "requests\n{report:#}");
    for host in list("hosts") {
        let answered: u64 = host["status_counts"].as_object().expect("counts").values().map(number).sum();
        assert!(answered <= number(&host["requests"]), "answers\n{report:#}");
        for peak in ["peak_connections", "peak_requests_per_second"] {
            assert!((1..=number(&host["requests"])).contains(&number(&host[peak])), "{peak}\n{report:#}");
        }
    }
}

/// A report against the archive that it speaks of, when the run left no day unfinished or held: the files of its days,
/// and of the days that it did not touch, are all that there are.
#[track_caller]
pub(crate) fn agree_with_the_tree(report: &Value, lab: &Lab, archive: &str) {
    let days = report["days"].as_array().expect("days");
    let of_days: u64 = days.iter().map(|day| day["files"].as_u64().expect("a count")).sum();
    let bytes_of_days: u64 = days.iter().map(|day| day["bytes"].as_u64().expect("a count")).sum();
    let records = lab.days(archive).into_iter().map(|day| {
        let (series, date) = day.split_once('/').expect("series/date");
        (series.to_owned(), date.to_owned(), lab.day(archive, series, date).header)
    });
    let untouched: Vec<Value> = records
        .filter(|(series, date, _)| !days.iter().any(|day| day["series"] == **series && day["date"] == **date))
        .map(|(_, _, header)| header)
        .collect();
    let sum = |name: &str| untouched.iter().map(|header| header[name].as_u64().expect("a count")).sum::<u64>();
    let there = lab.files(archive);
    let bytes = |path: &String| std::fs::metadata(lab.path(archive).join(path)).expect("a file").len();
    assert_eq!(of_days + sum("files"), there.len() as u64, "files\n{report:#}\n{there:#?}");
    assert_eq!(bytes_of_days + sum("bytes"), there.keys().map(bytes).sum::<u64>(), "bytes\n{report:#}");
}
