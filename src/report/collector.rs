//! Folds the events of a run into its report.
//!
//! Its memory follows the days that the run touched, and the files of those in flight. What it does not do: read a
//! clock or write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::model::{
    Day, DayTotals, Failure, FileTotals, Format, Host, Job, Report, RequestTotals, Run, RunResult, Totals,
};
use super::timeline::{Sizes, Timeline, Waits};
use crate::failure;
use crate::failure::Class;
use crate::net::HostStats;
use crate::run::event::{DayDone, DayId, DayState, Event, FileEnd, Observer};

/// How many failures a report lists.
const LISTED_FAILURES: usize = 1000;

/// Takes in the events of one run over one job and gives its report at any time.
#[derive(Debug)]
pub struct Collector {
    run: Run,
    job: Job,
    facts: Mutex<Facts>,
}

/// What the events told so far.
#[derive(Debug, Default)]
struct Facts {
    totals: Totals,
    hosts: Vec<HostStats>,
    days: BTreeMap<DayId, Day>,
    failures: BTreeMap<(DayId, Option<String>), Failure>,
    failures_omitted: u64,
    classes: BTreeSet<Class>,
    open: HashMap<DayId, Open>,
    timeline: Timeline,
    sizes: Sizes,
    waits: Waits,
}

/// The files of a day in flight.
#[derive(Debug, Default)]
struct Open {
    /// How each ended. It is told anew when two keys turn out to want one path: each file has one end in the report.
    ends: HashMap<String, FileEnd>,
    /// Keys with a body in quarantine.
    quarantined: BTreeSet<String>,
    /// Files by the host that served them.
    served: BTreeMap<Arc<str>, u64>,
}

/// What is left undone at the end of a run: all that an exit code depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// The classes of everything that is missing.
    pub classes: BTreeSet<Class>,
    /// Days with something missing.
    pub failed: u64,
    /// Days that another process holds.
    pub held: u64,
    /// Days that were planned and never ended.
    pub unfinished: u64,
}

impl Collector {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(run_id: String, started: DateTime<Utc>, job: Job) -> Collector {
        let run = Run {
            id: run_id,
            started,
            finished: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            result: RunResult::Running,
            exit_code: None,
        };
        Collector { run, job, facts: Mutex::default() }
    }

    /// Takes in one event.
    pub fn fold(&self, event: &Event) {
        self.facts().fold(event);
    }

    /// Takes in how the hosts stand `at` after the first day was begun, with at most so many requests `under_way` at once
    /// since the look before; the `last` look is kept in any case.
    pub fn look(&self, at: Duration, hosts: &[HostStats], under_way: u64, last: bool) {
        let facts = &mut *self.facts();
        let FileTotals { fetched, adopted, kept, .. } = facts.totals.files;
        facts.timeline.look(at, hosts, under_way, fetched + adopted + kept, last);
    }

    /// The report as it stands, still `running`.
    #[must_use]
    pub fn snapshot(&self) -> Report {
        let facts = self.facts();
        let asked = facts.hosts.iter().filter(|host| host.requests > 0);
        Report {
            sunhaul: Format::V1,
            run: self.run.clone(),
            job: self.job.clone(),
            totals: facts.totals(),
            hosts: asked.map(Host::from).collect(),
            days: facts.days.values().cloned().collect(),
            failures: facts.failures.values().cloned().collect(),
            failures_omitted: facts.failures_omitted,
            timeline: facts.timeline.samples().to_vec(),
            sizes: facts.sizes.counts(),
            waits: facts.waits.sums(),
        }
    }

    /// The report of a run that has ended.
    #[must_use]
    pub fn finish(&self, result: RunResult, exit_code: u8, at: DateTime<Utc>) -> Report {
        let mut report = self.snapshot();
        report.run.result = result;
        report.run.exit_code = Some(exit_code);
        report.run.finished = Some(at);
        report
    }

    /// What is left undone.
    #[must_use]
    pub fn ends(&self) -> Ends {
        let facts = self.facts();
        let DayTotals { failed, held, unfinished, .. } = facts.totals().days;
        Ends { classes: facts.classes.clone(), failed, held, unfinished }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        // Counters stay true whatever panicked beside them.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Collector {
    fn on(&self, event: Event) {
        self.fold(&event);
    }
}

impl Facts {
    fn fold(&mut self, event: &Event) {
        match event {
            Event::Planned { planned, already_sealed } => {
                self.totals.days.planned += planned;
                self.totals.days.already_sealed += already_sealed;
            }
            Event::DayListed { day, files, .. } => {
                self.totals.files.listed += files;
                self.open(day).ends.reserve(usize::try_from(*files).unwrap_or_default());
            }
            Event::FileDone { day, key, path, end } => {
                if let Some(before) = self.open(day).ends.insert(key.clone(), end.clone()) {
                    self.count(&before, u64::saturating_sub);
                }
                self.count(end, u64::saturating_add);
                if let FileEnd::Fetched { from: Some(host), .. } = end {
                    *self.open(day).served.entry(Arc::clone(host)).or_default() += 1;
                }
                if let FileEnd::Failed(failure) = end {
                    self.missing(day, Some(key), path.as_deref(), failure);
                }
            }
            Event::Quarantined { day, key, .. } => {
                // One body a file is kept, however often it came damaged.
                let is_first = self.open(day).quarantined.insert(key.clone());
                self.totals.files.quarantined += u64::from(is_first);
            }
            Event::DayDone(done) => self.day(done),
            Event::DayLeft { day, .. } => {
                self.open.remove(day);
            }
            Event::Hosts(hosts) => self.hosts.clone_from(hosts),
            Event::Retrying { failure, wait_seconds, .. } => self.waits.count(failure.class, *wait_seconds),
            Event::DayBegun(_) | Event::Received { .. } | Event::Note(_) => {}
        }
    }

    /// Counts the end of a file; with subtraction, takes the count back.
    fn count(&mut self, end: &FileEnd, add: fn(u64, u64) -> u64) {
        self.totals.count(end, add);
        if let FileEnd::Fetched { bytes, .. } | FileEnd::Kept { bytes } | FileEnd::Adopted { bytes } = end {
            self.sizes.count(*bytes, add);
        }
    }

    fn open(&mut self, day: &DayId) -> &mut Open {
        self.open.entry(day.clone()).or_default()
    }

    /// The sums, with what has no end yet.
    fn totals(&self) -> Totals {
        let Totals { days, files, bytes, .. } = self.totals.clone();
        let sum = |of: fn(&HostStats) -> u64| self.hosts.iter().map(of).sum();
        let requests = RequestTotals {
            sent: sum(|host| host.requests),
            retried: sum(|host| host.retried),
            throttled: sum(|host| host.throttled),
        };
        let ended_days = days.sealed + days.provisional + days.failed + days.held;
        let ended_files = files.have + files.fetched + files.adopted + files.kept + files.absent + files.failed;
        Totals {
            days: DayTotals { unfinished: days.planned.saturating_sub(ended_days), ..days },
            files: FileTotals { unfinished: files.listed.saturating_sub(ended_files), ..files },
            bytes,
            requests,
        }
    }

    fn day(&mut self, done: &DayDone) {
        let Open { served, .. } = self.open.remove(&done.day).unwrap_or_default();
        let days = &mut self.totals.days;
        *match done.state {
            DayState::Sealed => &mut days.sealed,
            DayState::Provisional => &mut days.provisional,
            DayState::Failed => &mut days.failed,
            DayState::Held => &mut days.held,
        } += 1;
        // A held day lacks nothing that anyone knows of: it is told, and is no failure.
        if let (DayState::Failed, Some(failure)) = (done.state, &done.error) {
            self.missing(&done.day, None, None, failure);
        }
        let day = Day {
            series: done.day.series.to_string(),
            date: done.day.date,
            state: done.state,
            files: done.files,
            bytes: done.bytes,
            absent: done.absent,
            accepted: done.accepted,
            digest: done.digest.map(|digest| format!("sha256:{digest}")),
            outside_day: done.outside_day,
            duplicates: done.duplicates,
            error: done.error.as_ref().map(|failure| failure.message.clone()),
            served: served.into_iter().map(|(host, files)| (host.to_string(), files)).collect(),
        };
        self.days.insert(done.day.clone(), day);
    }

    fn missing(&mut self, day: &DayId, key: Option<&String>, path: Option<&str>, failure: &failure::Failure) {
        self.classes.insert(failure.class);
        if self.failures.len() >= LISTED_FAILURES {
            self.failures_omitted += 1;
            return;
        }
        let entry = Failure {
            series: day.series.to_string(),
            date: day.date,
            key: key.cloned(),
            path: path.map(str::to_owned),
            class: failure.class,
            attempts: failure.attempts,
            status: failure.status,
            message: failure.message.clone(),
        };
        self.failures.insert((day.clone(), key.cloned()), entry);
    }
}

impl Totals {
    fn count(&mut self, end: &FileEnd, add: fn(u64, u64) -> u64) {
        let Totals { files, bytes, .. } = self;
        let step = |sum: &mut u64, by| *sum = add(*sum, by);
        match end {
            FileEnd::Fetched { bytes: length, resumed_bytes, restarted, replaced, restamped, from: _ } => {
                step(&mut files.fetched, 1);
                step(&mut files.resumed, u64::from(*resumed_bytes > 0));
                step(&mut files.restarted, u64::from(*restarted));
                step(&mut files.replaced, u64::from(*replaced));
                step(&mut files.restamped, u64::from(*restamped));
                step(&mut bytes.resumed, *resumed_bytes);
                step(&mut bytes.fetched, length.saturating_sub(*resumed_bytes));
            }
            FileEnd::Kept { bytes: length } => {
                step(&mut files.kept, 1);
                step(&mut bytes.kept, *length);
            }
            FileEnd::Adopted { bytes: length } => {
                step(&mut files.adopted, 1);
                step(&mut bytes.adopted, *length);
            }
            FileEnd::Have => step(&mut files.have, 1),
            FileEnd::Absent => step(&mut files.absent, 1),
            FileEnd::Failed(_) => step(&mut files.failed, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::manifest::SeriesId;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(date: &str) -> DayId {
        DayId { series: SeriesId("sharp_720s".into()), date: date.parse().unwrap() }
    }

    fn job() -> Job {
        Job {
            name: "december".into(),
            manifest: "jobs/december.yaml".into(),
            manifest_sha256: Digest::of(b"december").to_string(),
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
            digest: sealed.then(|| Digest::of(date.as_bytes())),
            outside_day: 1,
            duplicates: 0,
            error,
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

    #[test]
    fn a_scripted_run_becomes_the_promised_report() {
        let collector = collector();
        let checksum = failure::Failure {
            attempts: 6,
            ..failure::Failure::new(Class::FitsChecksum, "/HMI/c: DATASUM of HDU 1 does not match its bytes")
        };
        let refused = failure::Failure { status: Some(503), ..failure::Failure::new(Class::ServerError, "/HMI: 503") };
        let events = [
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
        ];
        for event in events {
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
        let fetched = FileEnd::Fetched {
            bytes: 70,
            resumed_bytes: 9,
            restarted: true,
            replaced: true,
            restamped: false,
            from: None,
        };
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
}
