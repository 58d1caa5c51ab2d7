//! What every source must do, whatever its service: a row for each kind in `tests/it/sources.rs`.
//!
//! `times!` and `answers!` hold for all of them, `lists!` for those that ask their service which files there are. `template`
//! asks nobody for a listing, so it has no rows there: no answer of its service has an order, what is told twice is a value
//! of its own (`template::a_value_that_stands_there_twice_...`), and a day that is empty is one whose files are each
//! missing (`template::what_is_not_there_is_asked_for_twice_...`). Its rows of `answers!` are said of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sunhaul::digest::Digest;
use sunhaul::run::RunOrder;
use sunhaul::run::event::DayState;

use crate::lab::{Job, Lab, Server, carry_out};

/// A service in a test, and how a manifest names it.
pub(super) trait Fake: Sized {
    /// A service that has one file for each of these times, such as `2015-12-11T18:24:00`, by the source's own time key in
    /// its own scale. Asked for a day, it answers what the real one would, borders included.
    fn with(times: &[&str]) -> Self;

    /// The server.
    fn server(&self) -> &Server;

    /// How it lists from now on.
    fn list(&self, how: How);

    /// The source in a manifest, as YAML in flow style.
    fn source(&self) -> String;

    /// The series in a manifest that takes all its files, as YAML in flow style. Its id is `one`.
    fn series() -> &'static str;

    /// How patient its jobs are, as YAML in flow style. What it does not list it may have to find missing, file by file.
    fn retry() -> &'static str {
        "{ attempts: 3, max_wait: 1s }"
    }

    /// A series that asks for what the service cannot tell, or does not have. Its id is `one`. `index`, in
    /// each of its forms, and `template` have no filter but `cadence`: there it is an error of the manifest, where they
    /// refuse, and nobody is asked. `hapi` has none either, and is asked for a dataset that it does not have.
    fn unanswerable() -> &'static str;
}

/// What else a service of the same kind is asked for.
pub(super) trait Otherwise {
    /// The service.
    type Service: Fake;
    /// As [`Fake::series`].
    const SERIES: &'static str;
    /// As [`Fake::unanswerable`].
    const UNANSWERABLE: &'static str;

    /// As [`Fake::source`].
    fn source(service: &Self::Service) -> String {
        service.source()
    }
}

/// A service that is asked otherwise.
pub(super) struct Asked<O: Otherwise>(O::Service);

impl<O: Otherwise> Fake for Asked<O> {
    fn with(times: &[&str]) -> Asked<O> {
        Asked(Fake::with(times))
    }

    fn server(&self) -> &Server {
        self.0.server()
    }

    fn list(&self, how: How) {
        self.0.list(how);
    }

    fn source(&self) -> String {
        O::source(&self.0)
    }

    fn series() -> &'static str {
        O::SERIES
    }

    fn unanswerable() -> &'static str {
        O::UNANSWERABLE
    }
}

/// How a fake lists. One that lists nothing gives its files so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// As documented.
    Honest,
    /// In another order.
    Backwards,
    /// Each file twice.
    Twice,
    /// With status 500.
    Failing,
    /// Broken off in the middle, as a server that dies: with its full length declared, and fewer bytes.
    Cut,
    /// A web page with status 200 where its answer is due, such as that of a login.
    Page,
    /// With a redirect to another path, as an archive that has moved.
    Moved,
    /// With a further file, at this host and port, on the day 2015-12-11.
    Abroad(String),
}

/// Times around the day 2015-12-11: four inside, one on each side.
const AROUND: [&str; 6] = [
    "2015-12-10T23:48:00",
    "2015-12-11T00:00:00",
    "2015-12-11T00:12:00",
    "2015-12-11T12:00:00",
    "2015-12-11T23:48:00",
    "2015-12-12T00:00:00",
];

/// What a run of a job leaves.
struct Ran {
    lab: Lab,
    report: Value,
}

fn job<F: Fake>(fake: &F) -> Job {
    Job::from_source(&fake.source()).series(&[F::series()]).retry(F::retry())
}

fn run(job: &Job, status: i32) -> Ran {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    let report = lab.report(status);
    Ran { lab, report }
}

impl Ran {
    /// The files of records: a table of keywords that its jobs ask for besides is none.
    fn files(&self) -> BTreeMap<String, Digest> {
        let mut files = self.lab.proved("data");
        files.retain(|path, _| !path.contains(".keywords."));
        files
    }

    /// The times in the record of the day, without scale or fraction.
    fn times(&self) -> Vec<String> {
        let record = self.lab.day("data", "one", "2015-12-11");
        // A source that does not list ends up with a line for each file that is not there.
        let there = record.files.iter().filter(|file| file.get("absent").is_none());
        let there = there.filter(|file| file["key"].as_str().is_some_and(|key| !key.starts_with("made:")));
        let times = there.map(|file| file["time"].as_str().expect("a time"));
        let mut times: Vec<String> = times.map(|time| time.chars().take(19).collect()).collect();
        times.sort();
        times
    }

    fn failure(&self) -> (&str, &str) {
        let failure = &self.report["failures"][0];
        (failure["class"].as_str().expect("a class"), failure["message"].as_str().expect("a message"))
    }
}

/// The same day twice: the same files, and no listing at all when its record stands.
pub(super) fn same_twice<F: Fake>() {
    let fake = F::with(&AROUND);
    let (first, second) = (run(&job(&fake), 0), run(&job(&fake), 0));
    assert_eq!(first.files().len(), 4, "{:?}", first.files());
    assert_eq!(first.files(), second.files());
    let digest = |ran: &Ran| ran.report["days"][0]["digest"].clone();
    assert_eq!(digest(&first), digest(&second));
    let asked = fake.server().requests().len();
    first.lab.run().done();
    assert_eq!(fake.server().requests().len(), asked, "a sealed day is not asked for again");
}

/// Half-open at both midnights of the source's own scale; days side by side have each file once.
pub(super) fn half_open<F: Fake>() {
    let fake = F::with(&AROUND);
    let ran = run(&job(&fake), 0);
    assert_eq!(ran.times(), AROUND[1..5]);
    let both = run(&job(&fake).range("2015-12-10", "2015-12-13"), 0);
    assert_eq!(both.files().len(), AROUND.len());
    let count = |of: &str| both.report["totals"]["files"][of].as_u64().expect("a count");
    assert_eq!(count("listed") - count("absent"), both.lab.proved("data").len() as u64);
}

/// What cannot be asked is refused before or by the listing, never passed over.
pub(super) fn refuses<F: Fake>() {
    let fake = F::with(&AROUND);
    let lab = Lab::new();
    lab.write("job.yaml", job(&fake).series(&[F::unanswerable()]).yaml());
    let spoken = lab.run().start().done_any();
    let asked = fake.server().requests();
    if spoken.code == 2 {
        assert!(asked.is_empty(), "what `check` refuses is not asked: {asked:?}");
        assert!(spoken.stderr.contains("= hint:"), "{}", spoken.stderr);
        fake.server().may_be_silent();
        return;
    }
    assert_eq!(spoken.code, 1, "{}", spoken.stderr);
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    let once: BTreeSet<_> = asked.iter().map(|request| (&request.path, &request.query)).collect();
    assert!(once.len() == asked.len() && asked.len() <= 5, "no retry storm: {asked:?}");
}

/// For series of SDO: a day before its launch is refused, and nobody is asked; one on that day is asked for.
pub(super) fn refuses_a_day_before_the_launch<F: Fake>() {
    let fake = F::with(&[]);
    let ran = run(&job(&fake).range("2010-02-09", "2010-02-11"), 1);
    let failures = ran.report["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 2, "{:#}", ran.report);
    for failure in failures {
        assert_eq!(failure["class"], "source-refused", "{failure}");
        let message = failure["message"].as_str().expect("a message");
        assert!(message.contains("SDO, which was launched on 2010-02-11; begin the `range` later"), "{message}");
    }
    assert!(fake.server().requests().is_empty(), "{:?}", fake.server().requests());
    ran.lab.write("job.yaml", job(&fake).range("2010-02-11", "2010-02-12").yaml());
    let plan = ran.lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
    assert_eq!(plan["listing"]["days"][0]["error"], Value::Null, "{plan:#}");
    assert!(!fake.server().requests().is_empty());
}

/// Listings and files go by the pace of the job.
pub(super) fn keeps_pace<F: Fake>() {
    let fake = F::with(&AROUND);
    let ran = run(&job(&fake).limits("{ requests: 20/s, bandwidth: unlimited, concurrency: 2 }"), 0);
    let host = &ran.report["hosts"][0];
    assert!(host["peak_connections"].as_u64().expect("a peak") <= 2, "{host}");
    let at: Vec<_> = fake.server().requests().iter().map(|request| request.at).collect();
    let span = at.iter().max().zip(at.iter().min()).map(|(last, first)| last.duration_since(*first)).expect("requests");
    let least = std::time::Duration::from_millis(50 * (at.len() as u64 - 1) * 8 / 10);
    assert!(span >= least, "{} requests within {span:?}, where 20/s are allowed", at.len());
}

/// The order of the answer is no part of the record.
pub(super) fn order_does_not_matter<F: Fake>() {
    let fake = F::with(&AROUND);
    let first = run(&job(&fake), 0);
    fake.list(How::Backwards);
    let second = run(&job(&fake), 0);
    let digest = |ran: &Ran| ran.report["days"][0]["digest"].clone();
    assert_eq!((first.files().len(), digest(&first)), (4, digest(&second)));
}

/// A file that is listed twice is one file.
pub(super) fn folds_what_is_listed_twice<F: Fake>() {
    let fake = F::with(&AROUND);
    fake.list(How::Twice);
    let ran = run(&job(&fake), 0);
    assert_eq!(ran.files().len(), 4);
    assert_eq!(ran.report["days"][0]["duplicates"], 4, "{:#}", ran.report["days"]);
}

/// A clock that goes on by a second whenever it is asked, long after the days in question.
fn now() -> DateTime<Utc> {
    static ASKED: AtomicI64 = AtomicI64::new(1_480_550_400);
    DateTime::from_timestamp(ASKED.fetch_add(1, Ordering::SeqCst), 0).expect("an instant")
}

/// An empty day is no failure, and is not sealed on the word of one answer: its service is asked the same again.
pub(super) fn looks_at_an_empty_day_twice<F: Fake>() {
    let fake = F::with(&["2015-12-13T12:00:00"]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&fake).yaml());
    // Through the library's door, where the second look need not be half a minute after the first.
    let (order, _) = lab.order(fake.server(), now);
    let series = &order.manifest.series[0];
    let urls = series.source.reach().expect("a service").urls.clone();
    let order = RunOrder { bases: BTreeMap::from([(series.id.clone(), urls)]), ..order };
    let second_look = order.second_look;
    let outcome = carry_out(order);
    assert_eq!(outcome.days, BTreeMap::from([(DayState::Sealed, 1)]), "{outcome:?}");
    assert_eq!(lab.day("data", "one", "2015-12-11").files, Vec::<Value>::new());
    let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for request in fake.server().requests() {
        asked.entry((request.path, request.query)).or_default().push(request.at);
    }
    let is_a_second_look = |at: &Vec<Instant>| at.len() == 2 && at[1].duration_since(at[0]) >= second_look;
    assert!(asked.values().any(is_a_second_look), "{asked:?}");
    assert!(asked.values().all(|at| at.len() == 1 || is_a_second_look(at)), "{asked:?}");
}

/// A service that fails leaves the day undone, and says so.
pub(super) fn tells_a_failing_service<F: Fake>() {
    let fake = F::with(&AROUND);
    fake.list(How::Failing);
    let ran = run(&job(&fake), 4);
    assert_eq!(ran.failure().0, "server-error", "{:#}", ran.report);
    assert!(ran.files().is_empty());
    fake.list(How::Honest);
    ran.lab.run().done();
    assert_eq!(ran.files().len(), 4, "the next run does it");
}

/// Half an answer is none.
pub(super) fn takes_no_half_answer<F: Fake>() {
    let fake = F::with(&AROUND);
    fake.list(How::Cut);
    let lab = Lab::new();
    lab.write("job.yaml", job(&fake).yaml());
    let spoken = lab.run().start().done_any();
    assert!(matches!(spoken.code, 1 | 4), "{}", spoken.stderr);
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    fake.list(How::Honest);
    let ran = Ran { report: lab.report(0), lab };
    assert_eq!(ran.files().len(), 4);
}

/// A web page is no listing and no file, and none of its links are files.
pub(super) fn takes_no_web_page<F: Fake>() {
    let fake = F::with(&AROUND);
    fake.list(How::Page);
    let lab = Lab::new();
    lab.write("job.yaml", job(&fake).yaml());
    let spoken = lab.run().start().done_any();
    assert!(matches!(spoken.code, 1 | 4), "{}", spoken.stderr);
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
}

/// Another path is another resource: what it lists says nothing of this one.
pub(super) fn follows_no_listing_to_another_path<F: Fake>() {
    let fake = F::with(&AROUND);
    fake.list(How::Moved);
    let ran = run(&job(&fake), 1);
    let (class, message) = ran.failure();
    assert!(class == "redirect" && message.contains("/moved/, which is another path"), "{message}");
    assert!(ran.files().is_empty() && ran.lab.days("data").is_empty());
    assert!(fake.server().requests_for("/moved/").is_empty());
    fake.list(How::Honest);
    ran.lab.run().done();
    assert_eq!(ran.files().len(), 4, "the next run does it");
}

/// Nobody is asked whom the manifest does not name.
pub(super) fn stays_on_its_own_origin<F: Fake>() {
    let fake = F::with(&AROUND);
    let other = Server::start().expect_silence();
    fake.list(How::Abroad(other.plain_url().trim_start_matches("http://").to_owned()));
    let lab = Lab::new();
    lab.write("job.yaml", job(&fake).yaml());
    let spoken = lab.run().start().done_any();
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    // Either it is asked for at the source's own place, where it is not, or it is refused, or it is left out.
    assert!(matches!(spoken.code, 0 | 1), "{}", spoken.stderr);
}

/// The part of the contract that holds for every kind.
macro_rules! times {
    ($name:ident, $fake:ty) => {
        mod $name {
            use super::*;

            #[test]
            fn the_same_day_is_the_same_twice() {
                contract::same_twice::<$fake>();
            }

            #[test]
            fn days_are_half_open_at_both_midnights_of_its_own_scale() {
                contract::half_open::<$fake>();
            }

            #[test]
            fn what_it_cannot_be_asked_is_refused() {
                contract::refuses::<$fake>();
            }

            #[test]
            fn its_requests_keep_the_pace() {
                contract::keeps_pace::<$fake>();
            }
        }
    };
}

/// The part that holds for those that list.
macro_rules! lists {
    ($name:ident, $fake:ty) => {
        mod $name {
            use super::*;

            #[test]
            fn the_order_of_its_answer_does_not_matter() {
                contract::order_does_not_matter::<$fake>();
            }

            #[test]
            fn l_01_what_is_listed_twice_is_one_file() {
                contract::folds_what_is_listed_twice::<$fake>();
            }

            #[test]
            fn s_09_a_listing_that_is_redirected_to_another_path_is_none() {
                contract::follows_no_listing_to_another_path::<$fake>();
            }

            #[test]
            fn an_empty_day_is_no_failure_and_is_looked_at_twice() {
                contract::looks_at_an_empty_day_twice::<$fake>();
            }
        }
    };
}

/// The part that holds for every kind when its service does not answer as it should.
macro_rules! answers {
    ($name:ident, $fake:ty) => {
        mod $name {
            use super::*;

            #[test]
            fn a_failing_service_is_told_and_asked_again() {
                contract::tells_a_failing_service::<$fake>();
            }

            #[test]
            fn l_12_half_an_answer_is_none() {
                contract::takes_no_half_answer::<$fake>();
            }

            #[test]
            fn l_07_a_web_page_is_no_answer() {
                contract::takes_no_web_page::<$fake>();
            }

            #[test]
            fn l_10_nobody_is_asked_whom_the_manifest_does_not_name() {
                contract::stays_on_its_own_origin::<$fake>();
            }
        }
    };
}

pub(super) use {answers, lists, times};
