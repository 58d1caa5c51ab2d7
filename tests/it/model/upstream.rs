//! The service of the model: series whose files come, change and go, and everything that it ever served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Ending, Request, Server};

/// The series of the service.
pub(super) const SERIES: [&str; 3] = ["a", "b", "c"];

/// The days that have files.
pub(super) const DAYS: [&str; 4] = ["2025-12-11", "2025-12-12", "2025-12-13", "2025-12-14"];

/// What a day has: names with their hour. `cal` is the same file on every day until it changes.
const NAMES: [(&str, u8); 5] = [("cal", 0), ("f06", 6), ("f12", 12), ("f18", 18), ("late", 23)];

/// The hour of a name.
pub(super) fn hour(name: &str) -> u8 {
    NAMES.into_iter().find(|(known, _)| *known == name).expect("a name of the service").1
}

/// What is wrong with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Everything is answered.
    Healthy,
    /// Every body ends halfway.
    CutsBodies,
    /// 503 to everything.
    Unavailable,
    /// A web page with status 200 in place of files.
    PageForFile,
    /// A web page with status 200 in place of listings.
    PageForListing,
    /// Every second body is cut once, and what remains is sent when it is asked for.
    CutsOnce,
}

/// One file of one day.
#[derive(Debug, Clone)]
struct Held {
    hour: u8,
    /// All versions; the last one is served.
    versions: Vec<Vec<u8>>,
    is_listed: bool,
    /// Answered with 404.
    is_gone: bool,
}

/// What the service ever said, which is all that an archive may hold.
#[derive(Debug, Default, Clone)]
pub(super) struct History {
    /// The digests of each file, by series, date and name.
    pub(super) versions: BTreeMap<(String, String, String), BTreeSet<Digest>>,
    /// The names of each listing, by series and date.
    pub(super) listings: BTreeMap<(String, String), BTreeSet<BTreeSet<String>>>,
    /// Files that were ever gone.
    pub(super) gone: BTreeSet<(String, String, String)>,
}

#[derive(Debug)]
struct State {
    files: BTreeMap<(String, String, String), Held>,
    service: Service,
    served: usize,
    history: History,
}

/// The service; shared with the threads of its server.
#[derive(Debug, Clone)]
pub(super) struct Upstream(Arc<Mutex<State>>);

impl Upstream {
    /// A healthy service.
    pub(super) fn new() -> Upstream {
        let mut files = BTreeMap::new();
        for series in SERIES {
            for date in DAYS {
                for (name, hour) in NAMES {
                    let body = match name {
                        "cal" => format!("calibration of {series}\n").repeat(40),
                        // So long that a broken transfer leaves a partial file.
                        "f12" if date == DAYS[0] => format!("{series} {date} {name}\n").repeat(80_000),
                        _ => format!("{series} {date} {name}\n").repeat(30),
                    };
                    let held =
                        Held { hour, versions: vec![body.into_bytes()], is_listed: name != "late", is_gone: false };
                    files.insert((series.to_owned(), date.to_owned(), name.to_owned()), held);
                }
            }
        }
        let state = State { files, service: Service::Healthy, served: 0, history: History::default() };
        let upstream = Upstream(Arc::new(Mutex::new(state)));
        upstream.lock().note();
        upstream
    }

    /// A server that speaks for it.
    pub(super) fn serve(&self) -> Server {
        let upstream = self.clone();
        let server = Server::speaking(move |request| upstream.answer(request));
        server.may_be_silent();
        server
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("a lock")
    }

    /// What it ever said.
    pub(super) fn history(&self) -> History {
        self.lock().history.clone()
    }

    pub(super) fn service(&self) -> Service {
        self.lock().service
    }

    pub(super) fn set_service(&self, service: Service) {
        self.lock().service = service;
    }

    /// The `nth` file gets other bytes; of the same length, or longer.
    pub(super) fn change(&self, nth: usize, is_same_length: bool) -> String {
        self.touch(nth, |held| {
            let mut body = held.versions.last().expect("a version").clone();
            let version = u8::try_from(held.versions.len() % 26).expect("a letter");
            body[0] = b'A' + version;
            if !is_same_length {
                body.extend(std::iter::repeat_n(b'+', held.versions.len()));
            }
            held.versions.push(body);
        })
    }

    /// The `nth` file is answered with 404 from now on, or no more.
    pub(super) fn toggle_gone(&self, nth: usize) -> String {
        self.touch(nth, |held| held.is_gone = !held.is_gone)
    }

    /// True while a file is answered with 404.
    pub(super) fn has_gone(&self) -> bool {
        self.lock().files.values().any(|held| held.is_gone)
    }

    /// It is healthy: everything that is listed can be had.
    pub(super) fn recover(&self) {
        let mut state = self.lock();
        state.service = Service::Healthy;
        state.files.values_mut().for_each(|held| held.is_gone = false);
    }

    /// The `nth` file leaves the listing, or comes back.
    pub(super) fn toggle_listed(&self, nth: usize) -> String {
        self.touch(nth, |held| held.is_listed = !held.is_listed)
    }

    fn touch(&self, nth: usize, change: impl FnOnce(&mut Held)) -> String {
        let mut state = self.lock();
        let nth = nth % state.files.len();
        let (key, held) = state.files.iter_mut().nth(nth).expect("a file");
        let shown = format!("{} {} {}", key.0, key.1, key.2);
        change(held);
        state.note();
        shown
    }

    /// Every file as it is now: series, date, name and bytes.
    pub(super) fn files(&self) -> Vec<(String, String, String, Vec<u8>)> {
        let state = self.lock();
        let now = |((series, date, name), held): (&(String, String, String), &Held)| {
            (series.clone(), date.clone(), name.clone(), held.versions.last().expect("a version").clone())
        };
        state.files.iter().map(now).collect()
    }

    fn answer(&self, request: &Request) -> Option<Answer> {
        let mut state = self.lock();
        if state.service == Service::Unavailable {
            return Some(Answer::status(503).header("Retry-After", "0"));
        }
        let mut parts = request.path.strip_prefix("/HMI/")?.split('/');
        let series = parts.next()?;
        match parts.next() {
            None if state.service == Service::PageForListing => Some(Answer::html()),
            None => Some(state.list(series, request)),
            Some(_) if state.service == Service::PageForFile => Some(Answer::html()),
            Some(date) => Some(state.give(&(series.to_owned(), date.to_owned(), parts.next()?.to_owned()), request)),
        }
    }
}

impl State {
    /// Remembers what can be seen from now on.
    fn note(&mut self) {
        for (key, held) in &self.files {
            let digests = held.versions.iter().map(|body| Digest::sha256(body));
            self.history.versions.entry(key.clone()).or_default().extend(digests);
            if held.is_gone {
                self.history.gone.insert(key.clone());
            }
        }
        for series in SERIES {
            for date in DAYS {
                let day = (series.to_owned(), date.to_owned());
                let names = self.files.iter().filter(|((s, d, _), held)| s == series && d == date && held.is_listed);
                let names = names.map(|((_, _, name), _)| name.clone()).collect();
                self.history.listings.entry(day).or_default().insert(names);
            }
        }
    }

    fn list(&self, series: &str, request: &Request) -> Answer {
        let label = |name: &str| request.parameter(name).unwrap_or_default().chars().take(19).collect::<String>();
        let (start, end) = (label("start"), label("end"));
        let items = self.files.iter().filter(|((s, ..), held)| s == series && held.is_listed);
        let items = items.filter_map(|((series, date, name), held)| {
            let time = format!("{date}T{:02}:00:00", held.hour);
            let is_asked = start <= time && time < end;
            is_asked.then(
                || json!({ "url": format!("http://old/HMI/{series}/{date}/{name}"), "date_obs": format!("{time}Z") }),
            )
        });
        Answer::json(&items.collect())
    }

    fn give(&mut self, key: &(String, String, String), request: &Request) -> Answer {
        let Some(held) = self.files.get(key).filter(|held| !held.is_gone) else { return Answer::status(404) };
        let body = held.versions.last().expect("a version").clone();
        let half = body.len() / 2;
        self.served += 1;
        match self.service {
            Service::CutsBodies => Answer::file(body).ending(Ending::Cut(half)),
            Service::CutsOnce if self.served.is_multiple_of(2) && request.header("range").is_none() => {
                Answer::file(body).ending(Ending::Cut(half))
            }
            _ => Answer::file(body),
        }
    }
}
