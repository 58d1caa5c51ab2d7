//! Days that have not begun: they are not asked for, whatever the end of a range is.

use chrono::{Days, NaiveDate, Utc};

use crate::lab::{Job, Lab};

#[expect(clippy::disallowed_methods, reason = "the program reads the same clock")]
fn today() -> NaiveDate {
    Utc::now().date_naive()
}

#[test]
fn a_range_with_an_end_in_the_far_future_has_the_days_that_have_begun() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("today-2d", "2199-01-01").yaml());
    lab.sunhaul(&["check", "job.yaml"])
        .stderr_has("the range of `sharp_720s` ends on 2199-01-01, which is in the future: each run includes the days that have started")
        .done();
    let before = today();
    let plan = lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("").chatty().done().json();
    let dates: Vec<&str> =
        plan["days"].as_array().expect("days").iter().filter_map(|day| day["date"].as_str()).collect();
    let due = |today: NaiveDate| (0..3).rev().map(|back| (today - Days::new(back)).to_string()).collect::<Vec<_>>();
    // Midnight may have passed meanwhile.
    assert!(dates == due(before) || dates == due(today()), "{dates:?}");
}

#[test]
fn the_current_day_is_fetched_as_far_as_it_has_come_and_stays_provisional() {
    for end in ["today+1d", "now"] {
        let lab = Lab::new();
        lab.write("job.yaml", Job::embedded().range("today", end).yaml());
        let report = lab.report(0);
        assert_eq!(
            (&report["totals"]["days"]["planned"], &report["totals"]["days"]["provisional"]),
            (&1.into(), &1.into())
        );
    }
}

#[test]
fn a_range_that_has_not_begun_has_nothing_to_do() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2198-01-01", "2199-01-01").yaml());
    assert_eq!(lab.report(0)["totals"]["days"]["planned"], 0);
    lab.sunhaul(&["status", "job.yaml"]).stdout_has("none of its days has started yet").done();
    lab.write("job.yaml", Job::embedded().range("today-2d", "today-1d").yaml().replace("today-1d", "today-3d"));
    lab.sunhaul(&["plan", "job.yaml"]).status(2).chatty().done();
}
