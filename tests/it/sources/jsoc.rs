//! JSOC: `jsoc_info` and `jsoc_fetch` as its wiki, its public code and the `drms` client document them.
//!
//! One record has the segments `Br` and `Bp`. What the fake does not do: evaluate conditions beyond those of its tests.

mod cadence;
mod export;
mod headers;
mod info;
mod listing;
mod narrowed;
mod offline;
mod orders;
mod prefer;
mod region_lookup;
mod regions;
mod renumbered;
mod tables;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::contract::{self, How};
use crate::lab::{Answer, Job, PATIENCE, Request, Server};
pub(super) use info::Record;
use orders::Desk;

/// The series.
const SERIES: &str = "hmi.sharp_cea_720s";
/// The near-real-time one.
const NRT: &str = "hmi.sharp_cea_720s_nrt";
/// One of the full disk, which has neither HARPNUM nor `NOAA_ARS`.
const DISKS: &str = "hmi.m_720s";
const INFO: &str = "/cgi-bin/ajax/jsoc_info";
const FETCH: &str = "/cgi-bin/ajax/jsoc_fetch";
const CHECK_ADDRESS: &str = "/cgi-bin/ajax/checkAddress.sh";

/// The service.
pub(super) struct Fake {
    server: Server,
    state: Arc<Mutex<State>>,
}

/// What the service has, and how it behaves.
struct State {
    how: How,
    records: Vec<Record>,
    desk: Desk,
    /// No day is listed before so many are.
    together: usize,
    /// How many days were asked for.
    asked: usize,
    /// A listing says neither how many records there are nor anything of them.
    bare: bool,
    /// The server that lists this series fails.
    broken: Option<&'static str>,
    /// Raw bytes that stand in a keyword's note.
    note: &'static [u8],
    /// What every file on the disks is, when not its own.
    served: Option<Vec<u8>>,
    /// Each segment has a BUNIT of its own, as those of SHARPs have.
    has_units: bool,
    /// They are linked to those of another series.
    has_linked_units: bool,
}

impl Fake {
    /// A service with these records.
    fn of(records: Vec<Record>) -> Fake {
        let state = State {
            how: How::Honest,
            records,
            desk: Desk::default(),
            together: 0,
            asked: 0,
            bare: false,
            broken: None,
            note: b"Total unsigned flux",
            served: None,
            has_units: false,
            has_linked_units: false,
        };
        let state = Arc::new(Mutex::new(state));
        let own = Arc::clone(&state);
        let server = Server::speaking(move |request| {
            meet(request, &own);
            answer(request, &mut own.lock().expect("a lock"))
        });
        Fake { server, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a lock")
    }

    /// A job of this service over 2015-12-11 that asks for one series in this way: keys of YAML in flow style.
    fn job(&self, keys: &str) -> Job {
        let series = format!("{{ name: {SERIES}, as: one{}{keys} }}", if keys.is_empty() { "" } else { ", " });
        Job::from_source(&contract::Fake::source(self)).series(&[&series])
    }

    /// A service with two records of a day, one of them with a bit in QUALITY, and one that has no image.
    pub(super) fn of_a_day() -> Fake {
        Fake::of(vec![
            Record::new(8, "2015-12-11T00:00:00"),
            Record { quality: 0x0001_0000, ..Record::new(9, "2015-12-11T12:12:00") },
            Record { quality: 0x8000_0000, unit: -1, ..Record::new(10, "2015-12-11T18:00:00") },
        ])
    }

    /// The record sets that were listed.
    pub(super) fn listed(&self) -> Vec<String> {
        self.asked(INFO, "rs_list", "ds")
    }

    /// A parameter of all requests for an operation.
    fn asked(&self, path: &str, op: &str, parameter: &str) -> Vec<String> {
        let requests = self.server.requests_for(path);
        let of = requests.iter().filter(|request| request.parameter("op").as_deref() == Some(op));
        of.map(|request| request.parameter(parameter).expect("a parameter")).collect()
    }
}

const FILES: &str = "{ name: hmi.sharp_cea_720s, as: one, segments: [Br], fetch: files }";
const OTHER_FILES: &str = "{ name: hmi.sharp_cea_720s, as: one, segments: [Bz], fetch: files }";

impl contract::Fake for Fake {
    fn with(times: &[&str]) -> Fake {
        Fake::of((1..).zip(times).map(|(recnum, time)| Record::new(recnum, time)).collect())
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        self.state().how = how;
    }

    fn source(&self) -> String {
        format!("{{ jsoc: {{ url: \"{}\" }} }}", self.server.url())
    }

    fn series() -> &'static str {
        FILES
    }

    fn unanswerable() -> &'static str {
        OTHER_FILES
    }
}

/// Keywords besides.
pub(super) struct Keywords;

impl contract::Otherwise for Keywords {
    type Service = Fake;
    const SERIES: &'static str = "{ name: hmi.sharp_cea_720s, as: one, segments: [Br], keywords: [USFLUX] }";
    const UNANSWERABLE: &'static str = "{ name: hmi.sharp_cea_720s, as: one, fetch: keywords, keywords: [USFLX] }";
}

/// The same files, ordered.
pub(super) struct Orders;

impl contract::Otherwise for Orders {
    type Service = Fake;
    const SERIES: &'static str = FILES;
    const UNANSWERABLE: &'static str = OTHER_FILES;

    fn source(service: &Fake) -> String {
        format!("{{ jsoc: {{ url: \"{}\", export: {{ email: {} }} }} }}", service.server.url(), orders::EMAIL)
    }
}

/// The same files as those of a fallback.
pub(super) struct Fallback;

impl contract::Otherwise for Fallback {
    type Service = Fake;
    const SERIES: &'static str =
        "{ prefer: [hmi.sharp_cea_720s_nrt, hmi.sharp_cea_720s], as: one, segments: [Br], fetch: files }";
    const UNANSWERABLE: &'static str =
        "{ prefer: [hmi.sharp_cea_720s_nrt, hmi.sharp_cea_720s], as: one, segments: [Bz], fetch: files }";
}

/// Holds a listing back until the others are asked for.
fn meet(request: &Request, state: &Mutex<State>) {
    if request.parameter("op").as_deref() != Some("rs_list") {
        return;
    }
    state.lock().expect("a lock").asked += 1;
    let begun = Instant::now();
    let is_over = || {
        let state = state.lock().expect("a lock");
        state.asked >= state.together
    };
    while !is_over() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn answer(request: &Request, state: &mut State) -> Option<Answer> {
    match (request.path.as_str(), request.parameter("op").as_deref()) {
        (INFO, Some("series_struct")) => Some(info::structure(request, state)),
        (INFO, Some("rs_list")) => Some(info::list(request, state)),
        (FETCH, Some("exp_request")) => Some(orders::request(request, state)),
        (FETCH, Some("exp_status")) => Some(orders::status(request, state)),
        (CHECK_ADDRESS, None) => Some(orders::check_address(request)),
        (path, None) => file(path, state),
        _ => None,
    }
}

/// The files of records: those on disk, and those that orders were made into.
fn file(path: &str, state: &State) -> Option<Answer> {
    if let Some(file) = state.desk.exported(path, &state.records) {
        return Some(Answer::file(file));
    }
    let record = state.records.iter().find(|record| path.starts_with(&record.folder()))?;
    if let Some(served) = &state.served {
        return Some(Answer::file(served.clone()));
    }
    let segment = if path.ends_with("/Br.fits") { "Br" } else { "Bp" };
    Some(Answer::file(orders::stored(record, segment)))
}

/// An answer in JSON, as JSOC gives those of all kinds: with status 200.
fn said(value: &Value) -> Answer {
    Answer::json(value)
}
