//! JSOC: `jsoc_info` as its wiki, its public code and the `drms` client document them.
//!
//! One record has the segments `Br` and `Bp`. What the fake does not do: evaluate conditions beyond those of its tests.

mod info;
mod listing;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use super::contract::{self, How};
use crate::lab::{Answer, Job, Request, Server, fits};
pub(super) use info::Record;

/// The series.
const SERIES: &str = "hmi.sharp_cea_720s";
const INFO: &str = "/cgi-bin/ajax/jsoc_info";

/// The service.
pub(super) struct Fake {
    server: Server,
    state: Arc<Mutex<State>>,
}

/// What the service has, and how it behaves.
struct State {
    how: How,
    records: Vec<Record>,
    /// Raw bytes that stand in a keyword's note.
    note: &'static [u8],
}

impl Fake {
    /// A service with these records.
    fn of(records: Vec<Record>) -> Fake {
        let state = State { how: How::Honest, records, note: b"Total unsigned flux" };
        let state = Arc::new(Mutex::new(state));
        let own = Arc::clone(&state);
        let server = Server::speaking(move |request| answer(request, &own.lock().expect("a lock")));
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

    /// The record sets that were listed.
    fn listed(&self) -> Vec<String> {
        self.asked(INFO, "rs_list", "ds")
    }

    /// A parameter of all requests for an operation.
    fn asked(&self, path: &str, op: &str, parameter: &str) -> Vec<String> {
        let requests = self.server.requests_for(path);
        let of = requests.iter().filter(|request| request.parameter("op").as_deref() == Some(op));
        of.map(|request| request.parameter(parameter).expect("a parameter")).collect()
    }
}

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
        "{ name: hmi.sharp_cea_720s, as: one, segments: [Br], fetch: files }"
    }

    fn unanswerable() -> &'static str {
        "{ name: hmi.sharp_cea_720s, as: one, segments: [Bz], fetch: files }"
    }
}

fn answer(request: &Request, state: &State) -> Option<Answer> {
    match (request.path.as_str(), request.parameter("op").as_deref()) {
        (INFO, Some("series_struct")) => Some(info::structure(request, state)),
        (INFO, Some("rs_list")) => Some(info::list(request, state)),
        (path, None) => file(path, state),
        _ => None,
    }
}

/// The files of records.
fn file(path: &str, state: &State) -> Option<Answer> {
    let record = state.records.iter().find(|record| path.starts_with(&record.folder()))?;
    let seed = u32::try_from(record.recnum).ok()?;
    let segment = if path.ends_with("/Br.fits") { 0 } else { 500 };
    Some(Answer::file(fits(seed + segment, 20, record.time)))
}

/// An answer in JSON, as JSOC gives those of all kinds: with status 200.
fn said(value: &Value) -> Answer {
    Answer::json(value)
}
