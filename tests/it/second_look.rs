//! Days whose listing is empty, through the library's door: no program, a clock and a second look of the test's own.
//!
//! What it does not do: wait for half a minute, as the program does between two looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sunhaul::archive::{Archive, Opened, RecordState, Trust};
use sunhaul::failure::Class;
use sunhaul::manifest::{self, Manifest};
use sunhaul::run::event::{DayState, Event};
use sunhaul::run::{Backlog, How, RunOrder, RunOutcome, Todo};
use tokio_util::sync::CancellationToken;

use crate::lab::{Answer, Item, Job, Lab, Server, carry_out, fits};

const LISTING: &str = "/HMI/sharp_720s";
const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";

/// A clock that goes on by a second whenever it is asked, from 2016-06-01 on.
fn now() -> DateTime<Utc> {
    static ASKED: AtomicI64 = AtomicI64::new(1_464_739_200);
    DateTime::from_timestamp(ASKED.fetch_add(1, Ordering::SeqCst), 0).expect("an instant")
}

/// The same from 2016-03-01 on, 80 days after the end of the day.
fn within_ninety_days() -> DateTime<Utc> {
    static ASKED: AtomicI64 = AtomicI64::new(1_456_790_400);
    DateTime::from_timestamp(ASKED.fetch_add(1, Ordering::SeqCst), 0).expect("an instant")
}

fn manifest(lab: &Lab) -> Manifest {
    manifest::load(&lab.path("job.yaml"), &|_| None).unwrap_or_else(|e| panic!("{}", e.render(false)))
}

fn todo(job: &Manifest) -> Todo {
    let series = &job.series[0];
    let day = series.range.resolve(now(), series.source.scale()).days().next().expect("a day");
    Todo { series: job.series[0].id.clone(), spec: job.series[0].spec(&day), day, how: How::default() }
}

fn archive(job: &Manifest) -> Arc<Archive> {
    Arc::new(Archive::open(&job.archive.root, job.archive.lock).expect("an archive"))
}

/// One run over the one day, which must end.
fn run(lab: &Lab, server: &Server) -> (RunOutcome, Vec<Event>) {
    run_until(lab, server, &CancellationToken::new(), Duration::from_millis(20))
}

/// The same for a day whose record is not to be trusted.
fn check(lab: &Lab, server: &Server) -> (RunOutcome, Vec<Event>) {
    run_with(lab, server, &CancellationToken::new(), Duration::from_millis(20), true)
}

fn run_until(lab: &Lab, server: &Server, stop: &CancellationToken, second_look: Duration) -> (RunOutcome, Vec<Event>) {
    run_with(lab, server, stop, second_look, false)
}

fn run_with(
    lab: &Lab,
    server: &Server,
    stop: &CancellationToken,
    second_look: Duration,
    recheck: bool,
) -> (RunOutcome, Vec<Event>) {
    let (order, told) = lab.order(server, now);
    let mut days = Backlog::default();
    order.days.windows().for_each(|(series, window)| days.push(series, window, How { recheck, ..How::default() }));
    (carry_out(RunOrder { days, stop: stop.clone(), second_look, ..order }), told.events())
}

/// One run within 90 days of the day's end.
fn run_early(lab: &Lab, server: &Server) -> BTreeMap<DayState, u64> {
    let (order, _) = lab.order(server, within_ninety_days);
    carry_out(RunOrder { second_look: Duration::from_millis(20), ..order }).days
}

fn lab_for(server: &Server, more: &str) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).more(more).yaml());
    lab
}

fn empty() -> Answer {
    Answer::json(&json!([]))
}

fn full() -> Answer {
    Answer::json(&json!([{ "url": format!("http://cluster-r730-1:8001/HMI/sharp_720s/{NAME}"), "date_obs": TIME }]))
}

fn service(listings: impl IntoIterator<Item = Answer>) -> Server {
    let server = Server::start();
    server.file("sharp_720s", Item::new(NAME, TIME), fits(1, 60, TIME));
    server.script(LISTING, listings);
    server
}

#[test]
fn an_empty_day_seals_by_its_second_look_and_no_sooner() {
    let server = service([empty()]);
    let lab = lab_for(&server, "");
    let (outcome, events) = run(&lab, &server);
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(server.requests_for(LISTING).len(), 2);
    assert_eq!(lab.day("data", "sharp_720s", "2015-12-11").header["state"], "sealed");
    let listed = events.iter().filter(|event| matches!(event, Event::DayListed { .. })).count();
    assert_eq!(listed, 1, "it is counted once");
}

#[test]
fn a_day_without_a_record_may_still_be_late_for_ninety_days() {
    let server = service([empty()]);
    let lab = lab_for(&server, "");
    assert_eq!(run_early(&lab, &server), BTreeMap::from([(DayState::Provisional, 1)]));
    assert_eq!(run_early(&lab, &server), BTreeMap::from([(DayState::Provisional, 1)]), "it is asked for again");
    server.script(LISTING, [full()]);
    assert_eq!(
        run_early(&lab, &server),
        BTreeMap::from([(DayState::Sealed, 1)]),
        "with files it is final after 45 days"
    );
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn a_day_of_nothing_but_404_may_still_be_late_for_ninety_days() {
    let server = Server::start();
    let lab = guessed(&server);
    assert_eq!(run_early(&lab, &server), BTreeMap::from([(DayState::Provisional, 1)]));
    assert_eq!(lab.day("data", "x", "2015-12-11").header["state"], "provisional");
    server.script("/20151211/a_00.fits", [Answer::file(fits(1, 60, TIME))]);
    assert_eq!(run_early(&lab, &server), BTreeMap::from([(DayState::Sealed, 1)]), "one of two has come");
    assert_eq!(lab.day("data", "x", "2015-12-11").header["absent"], 1);
}

#[test]
fn a_day_whose_records_the_filters_leave_out_is_not_late() {
    let url = "http://cluster-r730-1:8001/HMI/hmi.sharp_720s/12/Br.fits";
    let record = json!([{ "urls": [url], "date__obs": TIME, "recnum": 12, "harpnum": 377 }]);
    let server = Server::start();
    server.script("/HMI/hmi.sharp_720s", [Answer::json(&record)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).series(&["{ name: hmi.sharp_720s, harpnum: [378] }"]).yaml());
    assert_eq!(run_early(&lab, &server), BTreeMap::from([(DayState::Sealed, 1)]));
}

#[test]
fn a_second_look_that_finds_files_fetches_them() {
    let server = service([empty(), full()]);
    let lab = lab_for(&server, "");
    assert!(run(&lab, &server).0.is_complete());
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn an_empty_look_by_a_clock_far_ahead_is_no_reason_to_wait_for_that_hour() {
    let server = service([empty()]);
    let lab = lab_for(&server, "");
    let job = manifest(&lab);
    let todo = todo(&job);
    match archive(&job).take(&todo.series, todo.day.date, todo.spec, &job.name, Trust::All).expect("a day") {
        Opened::Work(work) => work.note_empty("2100-01-01T00:00:00Z".parse().expect("an instant")).expect("a note"),
        other => panic!("{other:?}"),
    }
    assert!(run(&lab, &server).0.is_complete());
    assert_eq!(server.requests_for(LISTING).len(), 2);
}

#[test]
fn a_stop_between_two_looks_ends_the_run_and_seals_nothing() {
    let server = service([empty()]);
    let lab = lab_for(&server, "");
    let stop = CancellationToken::new();
    let (outcome, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            lab.until("the first look is taken", |_| !server.requests_for(LISTING).is_empty());
            stop.cancel();
        });
        run_until(&lab, &server, &stop, Duration::from_hours(1))
    });
    assert!(outcome.interrupted && !outcome.is_complete(), "{outcome:?}");
    assert_eq!((server.requests_for(LISTING).len(), lab.days("data").len()), (1, 0));
}

#[test]
fn a_young_day_does_not_lose_its_files_to_one_empty_answer() {
    let server = service([full(), empty(), full()]);
    let lab = lab_for(&server, "settle: 300d");
    let (outcome, _) = run(&lab, &server);
    assert_eq!(outcome.days, BTreeMap::from([(DayState::Provisional, 1)]));
    let before = lab.files("data");
    assert_eq!(before.len(), 1);
    assert!(run(&lab, &server).0.is_complete());
    assert_eq!(lab.proved("data"), before);
    let record =
        Archive::record(&lab.path("data"), &manifest(&lab).series[0].id, "2015-12-11".parse().expect("a date"));
    assert_eq!(record.expect("a record").expect("a day").header.state, RecordState::Provisional);
    let asked = server.requests_for(&format!("{LISTING}/{NAME}"));
    assert_eq!((asked.len(), asked[1].header("if-none-match").is_some()), (2, true), "nothing is fetched twice");
}

#[test]
fn a_provisional_day_is_listed_again_and_sealed_once_it_is_old() {
    let server = service([full()]);
    let lab = lab_for(&server, "settle: 300d");
    run(&lab, &server);
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    let (outcome, events) = run(&lab, &server);
    assert_eq!(outcome.days, BTreeMap::from([(DayState::Sealed, 1)]));
    assert!(events.iter().any(|event| matches!(event, Event::DayListed { have: 1, files: 1, .. })), "{events:?}");
    assert_eq!(lab.proved("data").len(), 1);
}

/// What became of a day whose listing is empty though it has files: a failure that says what to do.
#[track_caller]
fn vanished((outcome, events): (RunOutcome, Vec<Event>), what_to_do: &str) {
    assert_eq!(outcome.classes, BTreeSet::from([Class::Vanished]), "{events:?}");
    let told = events.into_iter().find_map(|event| match event {
        Event::DayDone(done) => done.error,
        _ => None,
    });
    let told = told.expect("a reason");
    assert!(told.message.contains(what_to_do), "{told}");
}

#[test]
fn a_sealed_day_does_not_lose_its_files_to_an_upstream_that_lists_nothing_any_more() {
    let server = service([full(), empty()]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11T12:00:00", "2015-12-12").yaml());
    run(&lab, &server);
    let (files, days) = (lab.proved("data"), lab.tree("data/.sunhaul/days"));
    vanished(check(&lab, &server), "2015-12-11.jsonl");
    assert_eq!((lab.proved("data"), lab.tree("data/.sunhaul/days")), (files.clone(), days.clone()));
    assert_eq!(server.requests_for(LISTING).len(), 3, "it was looked at twice");
    // Asked for something else, it is the same.
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-12").yaml());
    vanished(run(&lab, &server), "2015-12-11.jsonl");
    assert_eq!((lab.proved("data"), lab.tree("data/.sunhaul/days")), (files, days));
    assert!(lab.tree("data/.sunhaul/work/retired").is_empty());
    // Unless it is no more asked for them.
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-11T12:00:00").yaml());
    assert!(run(&lab, &server).0.is_complete());
    assert!(lab.proved("data").is_empty());
}

#[test]
fn a_day_that_lost_its_files_upstream_is_sealed_as_empty_once_its_record_is_removed() {
    let server = service([full(), empty()]);
    let lab = lab_for(&server, "");
    run(&lab, &server);
    let files = lab.proved("data");
    vanished(check(&lab, &server), "remove");
    std::fs::remove_file(lab.path("data/.sunhaul/days/sharp_720s/2015-12-11.jsonl")).expect("a record");
    assert!(run(&lab, &server).0.is_complete());
    assert_eq!(lab.day("data", "sharp_720s", "2015-12-11").header["files"], 0);
    assert_eq!(lab.files("data"), files, "the files stay");
}

#[test]
fn a_young_day_does_not_lose_its_files_to_two_empty_answers_either() {
    let server = service([full(), empty()]);
    let lab = lab_for(&server, "settle: 300d");
    run(&lab, &server);
    let files = lab.proved("data");
    vanished(run(&lab, &server), "remove");
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    vanished(run(&lab, &server), "remove");
    assert_eq!(lab.proved("data"), files);
}

#[test]
fn an_unfinished_day_does_not_lose_its_files_to_empty_answers() {
    let missing = "sharp_720s_20151211_190000";
    let two = json!([
        { "url": format!("http://cluster-r730-1:8001/HMI/sharp_720s/{NAME}"), "date_obs": TIME },
        { "url": format!("http://cluster-r730-1:8001/HMI/sharp_720s/{missing}"), "date_obs": "2015-12-11T19:00:00Z" },
    ]);
    let server = service([Answer::json(&two), empty()]);
    server.script(&format!("{LISTING}/{missing}"), [Answer::status(403)]);
    let lab = lab_for(&server, "");
    assert!(!run(&lab, &server).0.is_complete());
    let files = lab.files("data");
    assert_eq!(files.len(), 1);
    vanished(run(&lab, &server), "sunhaul clean");
    assert_eq!(lab.files("data"), files);
}

#[test]
fn a_day_whose_files_the_filters_leave_out_is_empty_and_they_are_retired() {
    let record = json!([{
        "urls": ["http://cluster-r730-1:8001/HMI/hmi.sharp_720s/12/Br.fits"],
        "date__obs": TIME, "recnum": 12, "harpnum": 377,
    }]);
    let server = Server::start();
    server.script("/HMI/hmi.sharp_720s", [Answer::json(&record)]);
    server.script("/HMI/hmi.sharp_720s/12/Br.fits", [Answer::file(fits(1, 60, TIME))]);
    let lab = Lab::new();
    let job = |more: &str| Job::at(&server.url()).series(&[&format!("{{ name: hmi.sharp_720s{more} }}")]).yaml();
    lab.write("job.yaml", job(""));
    assert!(run(&lab, &server).0.is_complete());
    assert_eq!(lab.proved("data").len(), 1);
    lab.write("job.yaml", job(", harpnum: [378]"));
    assert!(run(&lab, &server).0.is_complete());
    assert!(lab.proved("data").is_empty(), "the service still lists it: it is this job that does not ask for it");
    assert_eq!(lab.tree("data/.sunhaul/work/retired").len(), 1);
}

/// A job whose files are `/20151211/a_00.fits` and `a_12.fits` of 2015-12-11.
fn guessed(server: &Server) -> Lab {
    let lab = Lab::new();
    let source = format!("{{ template: {{ url: \"{}/\", path: \"%Y%m%d/a_%H.fits\", cadence: 12h }} }}", server.url());
    lab.write("job.yaml", Job::from_source(&source).series(&["{ name: x }"]).yaml());
    lab
}

fn note_of(events: &[Event]) -> Option<&str> {
    events.iter().find_map(|event| match event {
        Event::Note(note) => Some(note.as_str()),
        _ => None,
    })
}

#[test]
fn s_17_a_day_of_nothing_but_404_seals_by_its_second_look_and_no_sooner() {
    let server = Server::start();
    let lab = guessed(&server);
    let (outcome, events) = run(&lab, &server);
    assert!(outcome.is_complete(), "{outcome:?}");
    let note = note_of(&events).expect("a note");
    assert!(note.contains("2 files are absent upstream, and the day has no other file; asking again in 0 s"), "{note}");
    assert_eq!(server.requests_for("/20151211/a_00.fits").len(), 3, "twice in the first look, once in the second");
    assert_eq!(lab.day("data", "x", "2015-12-11").header["absent"], 2);
}

/// A service that has its two files only when they are requested for the third time.
fn there_by_the_second_look() -> Server {
    let server = Server::start();
    for (seed, path) in [(1, "/20151211/a_00.fits"), (2, "/20151211/a_12.fits")] {
        let there = Answer::file(fits(seed, 60, TIME));
        server.script(path, [Answer::status(404), Answer::status(404), there]);
    }
    server
}

#[test]
fn s_17_files_that_come_by_the_second_look_are_fetched() {
    let server = there_by_the_second_look();
    let lab = guessed(&server);
    let (outcome, _) = run(&lab, &server);
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(lab.proved("data").len(), 2);
    assert_eq!(lab.day("data", "x", "2015-12-11").header["absent"], 0);
}

#[test]
fn s_17_files_that_the_job_accepts_as_missing_get_a_second_look_as_well() {
    let server = there_by_the_second_look();
    let lab = guessed(&server);
    let job = String::from_utf8(lab.read("job.yaml")).expect("text");
    lab.write("job.yaml", format!("{job}accept: [{{ series: x, day: 2015-12-11, file: \"a_*\", reason: \"bad\" }}]\n"));
    let (outcome, events) = run(&lab, &server);
    assert!(outcome.is_complete(), "{outcome:?}");
    assert!(note_of(&events).is_some_and(|note| note.contains("2 files are absent upstream")), "{events:?}");
    assert_eq!((lab.proved("data").len(), &lab.day("data", "x", "2015-12-11").header["absent"]), (2, &json!(0)));
}

#[test]
fn s_17_what_is_left_of_a_day_is_doubted_where_its_host_gives_nothing_in_a_run() {
    let server = Server::start();
    server.script("/20151211/a_00.fits", [Answer::file(fits(1, 60, TIME))]);
    server.script("/20151211/a_12.fits", [Answer::status(403)]);
    let lab = guessed(&server);
    assert!(!run(&lab, &server).0.is_complete());
    // The rest of the day, in another run.
    let late = Answer::file(fits(2, 60, TIME));
    server.script("/20151211/a_12.fits", [Answer::status(404), Answer::status(404), late]);
    let (outcome, events) = run(&lab, &server);
    assert!(outcome.is_complete(), "{outcome:?}");
    assert!(note_of(&events).is_some_and(|note| note.contains("and nothing else arrived from its host")), "{events:?}");
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn a_file_that_is_absent_among_others_needs_no_second_look() {
    let server = Server::start();
    server.script("/20151211/a_00.fits", [Answer::file(fits(1, 60, TIME))]);
    let lab = guessed(&server);
    let (outcome, events) = run(&lab, &server);
    assert!(outcome.is_complete() && note_of(&events).is_none(), "{outcome:?} {events:?}");
    assert_eq!(server.requests_for("/20151211/a_12.fits").len(), 2);
}

#[test]
fn l_15_a_day_of_records_without_a_file_seals_by_its_second_look() {
    let record = |urls: serde_json::Value| Answer::json(&json!([{ "urls": urls, "date__obs": TIME, "recnum": 12 }]));
    let url = "http://cluster-r730-1:8001/HMI/hmi.sharp_720s/12/Br.fits";
    let server = Server::start();
    server.script("/HMI/hmi.sharp_720s", [record(json!([])), record(json!([url]))]);
    server.script("/HMI/hmi.sharp_720s/12/Br.fits", [Answer::file(fits(1, 60, TIME))]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).series(&["{ name: hmi.sharp_720s }"]).yaml());
    assert!(run(&lab, &server).0.is_complete());
    assert_eq!(lab.proved("data").len(), 1, "they had gone for a moment");
}
