//! The first and last dates of a dataset: days before, around and after them.

use serde_json::json;

use super::{Fake, TABLE, message, table};
use crate::lab::{Job, Lab};
use crate::sources::contract::Fake as _;

/// The dates of a dataset that ends within the day.
const NOON: (&str, &str) = ("2010-01-01Z", "2015-12-11T12:00:00Z");

#[test]
fn a_range_beyond_the_dataset_s_is_refused_with_its_dates() {
    for dates in [("2010-001Z", "2015-12-10T12:00:00Z"), ("2015-12-12Z", "2030-01-01Z")] {
        let fake = Fake::minutely();
        fake.change(|state| state.dates = dates);
        let report = fake.lab(TABLE, "").report(1);
        assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
        let told = format!("has data from {} to {}, as the server says", dates.0, dates.1);
        assert!(message(&report).contains(&told), "{report:#}");
        assert!(fake.asked("data").is_empty());
    }
}

#[test]
fn the_day_in_which_a_dataset_ends_is_looked_at_again_until_it_goes_beyond() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T12:00:00"]);
    fake.change(|state| state.dates = NOON);
    let lab = fake.lab(TABLE, "");
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], table(&lab).lines().count()), (&json!("provisional"), 3), "{report:#}");
    lab.run().stderr_has("if the dataset is complete, end its `range` a second after that").done();
    assert_eq!(fake.asked("data").len(), 2);
    fake.change(|state| {
        state.times.push("2015-12-11T18:00:00".to_owned());
        state.dates.1 = "2015-12-12T06:00:00Z";
    });
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], table(&lab).lines().count()), (&json!("sealed"), 4), "{report:#}");
}

#[test]
fn a_dataset_that_ended_for_good_is_sealed_where_the_range_ends_with_it() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T12:00:00"]);
    fake.change(|state| state.dates = NOON);
    let lab = Lab::new();
    let job = Job::from_source(&fake.source()).series(&[Fake::series()]);
    lab.write("job.yaml", job.range("2015-12-11", "2015-12-11T12:00:01").yaml());
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], lab.proved("data").len()), (&json!("sealed"), 2), "{report:#}");
}

#[test]
fn a_server_that_takes_no_time_after_the_last_date_is_asked_up_to_it() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T11:59:00"]);
    fake.change(|state| (state.dates, state.is_strict) = (NOON, true));
    let lab = fake.lab(TABLE, "");
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], table(&lab).lines().count()), (&json!("provisional"), 3), "{report:#}");
    let stops: Vec<_> = fake.asked("data").iter().filter_map(|asked| asked.parameter("stop")).collect();
    assert_eq!(stops, ["2015-12-12T00:00:00Z", NOON.1]);
}

#[test]
fn days_that_a_late_dataset_does_not_have_yet_are_no_failure() {
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    let ago = |days: i64| today - chrono::TimeDelta::days(days);
    let times = [5, 4, 3].map(|days| format!("{}T06:00:00", ago(days)));
    let fake = Fake::new(&times.each_ref().map(String::as_str));
    fake.change(|state| state.dates.1 = format!("{}T12:00:00Z", ago(3)).leak());
    let lab = Lab::new();
    let job = Job::from_source(&fake.source()).series(&[Fake::series()]);
    lab.write("job.yaml", job.range("today-5d", "today").yaml());
    let report = lab.report(0);
    let days: Vec<_> =
        report["days"].as_array().expect("days").iter().map(|day| (&day["state"], &day["files"])).collect();
    let (sealed, provisional) = (&json!("sealed"), &json!("provisional"));
    let (one, none) = (&json!(1), &json!(0));
    let due = [(sealed, one), (sealed, one), (provisional, one), (provisional, none), (provisional, none)];
    assert_eq!(days, due, "{report:#}");
    assert_eq!(fake.asked("data").len(), 3, "what is not there yet is not asked for");
    // It goes on, and so does the job.
    fake.change(|state| {
        state.times.push(format!("{}T06:00:00", ago(2)));
        state.dates.1 = format!("{}T12:00:00Z", ago(2)).leak();
    });
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 4);
}

#[test]
fn a_dataset_that_begins_within_the_day_is_asked_from_its_first_date_on() {
    let fake = Fake::minutely();
    fake.change(|state| state.dates = ("2015-12-11T12:00Z", "2030-01-01Z"));
    let lab = fake.lab(TABLE, "");
    lab.report(0);
    assert_eq!(fake.asked("data")[0].parameter("start").as_deref(), Some("2015-12-11T12:00:00Z"));
    assert_eq!(table(&lab).lines().count(), 721);
}

#[test]
fn a_late_dataset_that_ends_at_a_midnight_has_nothing_of_the_next_day_yet() {
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    let stop = format!("{}T00:00:00Z", today - chrono::TimeDelta::days(3));
    let fake = Fake::new(&[]);
    fake.change(|state| (state.dates.1, state.is_strict) = (stop.leak(), true));
    let lab = Lab::new();
    lab.write("job.yaml", Job::from_source(&fake.source()).series(&[Fake::series()]).range("today-3d", "today").yaml());
    let report = lab.report(0);
    assert_eq!(report["totals"]["days"]["provisional"], 3, "{report:#}");
}
