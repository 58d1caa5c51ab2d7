//! The fake server.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::lab::{Answer, Ending, Job, Lab, Request, Server, fits};
use crate::sources::contract::{self, How};

/// The dataset whose data are tables; those of `images` are files.
pub(in crate::sources) const TABLE: &str = "path/to/A@0";

/// The server.
pub(in crate::sources) struct Fake {
    pub(super) server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    /// Times such as `2015-12-11T18:24:00`.
    pub(super) times: Vec<String>,
    pub(super) how: How,
    pub(super) version: &'static str,
    /// Longer ranges than these seconds are too much.
    pub(super) most: i64,
    /// The last dates of the dataset.
    pub(super) dates: (&'static str, &'static str),
    /// Questions for a time after the last date are refused.
    pub(super) is_strict: bool,
    /// What `data` answers in any case: a status of HTTP, and one of HAPI.
    pub(super) says: Option<(u16, i64)>,
    /// How an answer with rows ends.
    pub(super) last: Last,
    /// An image's address in a row, with `{host}` for this one and `{nth}` for its number; else a name below `/pub/`.
    pub(super) address: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// With its length told first.
    Whole,
    /// In chunks, and as if it were whole, within a row.
    CutChunks,
    /// The same with its length told first, as by a proxy that held what came before the server failed.
    CutLength,
    /// With the connection.
    Close,
    /// Without a line break behind the last row.
    NoBreak,
    /// As if it were whole, within a row's last cell, where there are several rows.
    CutLong,
}

impl Fake {
    pub(super) fn new(times: &[&str]) -> Fake {
        let state = State {
            times: times.iter().map(|time| (*time).to_owned()).collect(),
            how: How::Honest,
            version: "3.2",
            most: i64::MAX,
            dates: ("2010-01-01Z", "2030-01-01T00:00:00Z"),
            is_strict: false,
            says: None,
            last: Last::Whole,
            address: None,
        };
        let state = Arc::new(Mutex::new(state));
        let now = Arc::clone(&state);
        let server = Server::speaking(move |request| answer(request, &now.lock().expect("a lock")));
        Fake { server, state }
    }

    /// The same in an older version.
    pub(in crate::sources) fn of_version(version: &'static str, times: &[&str]) -> Fake {
        let fake = Fake::new(times);
        fake.change(|state| state.version = version);
        fake
    }

    /// One row a minute on 2015-12-11.
    pub(super) fn minutely() -> Fake {
        let times: Vec<String> =
            (0..1440).map(|nth| format!("2015-12-11T{:02}:{:02}:00", nth / 60, nth % 60)).collect();
        Fake::new(&times.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("a lock"));
    }

    /// A job of this dataset and these parameters, in YAML.
    pub(in crate::sources) fn lab(&self, dataset: &str, parameters: &str) -> Lab {
        let lab = Lab::new();
        let source = format!("{{ hapi: {{ url: \"{}/hapi\"{parameters} }} }}", self.server.url());
        let series = format!("{{ name: {dataset}, as: one }}");
        lab.write(
            "job.yaml",
            Job::from_source(&source).series(&[&series]).retry("{ attempts: 2, max_wait: 1s }").yaml(),
        );
        lab
    }

    pub(super) fn asked(&self, endpoint: &str) -> Vec<Request> {
        self.server.requests_for(&format!("/hapi/{endpoint}"))
    }
}

impl contract::Fake for Fake {
    fn with(times: &[&str]) -> Fake {
        Fake::new(times)
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        self.change(|state| state.how = how);
    }

    fn source(&self) -> String {
        format!("{{ hapi: {{ url: \"{}/hapi\" }} }}", self.server.url())
    }

    fn series() -> &'static str {
        "{ name: images, as: one }"
    }

    fn unanswerable() -> &'static str {
        "{ name: none, as: one }"
    }
}

/// An answer of HAPI's own, with the status of HTTP that goes with it.
fn status(http: u16, code: i64) -> Answer {
    let body =
        json!({ "HAPI": "3.2", "status": { "code": code, "message": format!("HAPI error {code}: its own words") } });
    Answer::status(http).saying(&body.to_string())
}

fn answer(request: &Request, state: &State) -> Option<Answer> {
    // Its folder may lie under any other one, and the images beside it.
    let Some((above, endpoint)) = request.path.split_once("/hapi/") else {
        // Its number is the last one in its address.
        let address = format!("{}?{}", request.path, request.query);
        let nth = address.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty())?.parse().ok()?;
        return Some(Answer::file(fits(nth, 20, "an image")));
    };
    let own = |new: &str, old: &str| request.parameter(if state.version.starts_with('2') { old } else { new });
    let ok = |more: Value| {
        let mut answer = json!({ "HAPI": state.version, "status": { "code": 1200, "message": "OK" } });
        answer.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Answer::json(&answer)
    };
    // Questions that the version does not know are refused, as they must be.
    let known: &[&str] = match (state.version.starts_with('2'), endpoint) {
        (false, "data") => &["dataset", "start", "stop", "parameters", "format"],
        (true, "data") => &["id", "time.min", "time.max", "parameters", "format"],
        (false, _) => &["dataset"],
        (true, _) => &["id"],
    };
    if url::form_urlencoded::parse(request.query.as_bytes()).any(|(name, _)| !known.contains(&&*name)) {
        return Some(status(400, 1401));
    }
    match (endpoint, &state.how) {
        (_, How::Page) => return Some(Answer::html()),
        (_, How::Moved) => return Some(Answer::moved()),
        ("data", How::Failing) => return Some(status(500, 1500)),
        _ => {}
    }
    let time = json!({ "name": "Time", "type": "isotime", "units": "UTC", "fill": null, "length": 20 });
    let is_images = match own("dataset", "id").as_deref() {
        Some("images") => true,
        Some(TABLE) => false,
        None if endpoint == "catalog" => {
            return Some(ok(json!({ "catalog": [{ "id": "images" }, { "id": TABLE }] })));
        }
        None if endpoint == "capabilities" => return Some(ok(json!({ "outputFormats": ["csv"] }))),
        _ => return Some(status(404, 1406)),
    };
    let parameters = if is_images {
        json!([time,
            { "name": "image", "type": "string", "length": 64, "units": null, "fill": null,
              "stringType": { "uri": { "mediaType": "image/fits", "base": format!("http://{}{above}/pub/", request.header("host")?) } } },
            { "name": "cadence", "type": "double", "units": "s", "fill": "-1" }])
    } else {
        json!([time, { "name": "Bx", "type": "double", "units": "nT", "fill": "-1e31" },
            { "name": "B", "type": "double", "units": "nT", "fill": "-1e31", "size": [3] }])
    };
    if endpoint == "info" {
        let (start, stop) = state.dates;
        return Some(ok(json!({ "startDate": start, "stopDate": stop, "parameters": parameters })));
    }
    (endpoint == "data").then(|| data(request, state, is_images, &own))
}

fn data(request: &Request, state: &State, is_images: bool, own: &dyn Fn(&str, &str) -> Option<String>) -> Answer {
    if let Some((http, code)) = state.says {
        return status(http, code);
    }
    let (start, stop) = (own("start", "time.min").expect("a start"), own("stop", "time.max").expect("a stop"));
    let at = |label: &str| label.trim_end_matches('Z').parse::<chrono::NaiveDateTime>().expect("a time");
    if state.is_strict && at(&stop) > at(state.dates.1) {
        return status(400, 1405);
    }
    if (at(&stop) - at(&start)).num_seconds() > state.most {
        return status(400, 1408);
    }
    let asked = request.parameter("parameters");
    // Section 3.6.12 of HAPI 3.2: an option without a name is an error of the user's.
    if asked.as_deref() == Some("") {
        return status(400, 1400);
    }
    let has = |name: &str| asked.as_deref().is_none_or(|list| list.split(',').any(|one| one == name));
    let row = |(nth, time): (usize, &String)| {
        let own = request.header("host").expect("a host");
        let address = state.address.as_deref().unwrap_or("image{nth}.fits");
        let address = address.replace("{host}", own).replace("{nth}", &nth.to_string());
        let cells = if is_images {
            [("image", address), ("cadence", "45".to_owned())]
        } else {
            [("Bx", format!("{nth}.5")), ("B", "1,2,3".to_owned())]
        };
        let cells = cells.into_iter().filter(|(name, _)| has(name)).map(|(_, cell)| cell);
        (time.clone(), [format!("{time}Z")].into_iter().chain(cells).collect::<Vec<_>>().join(","))
    };
    let rows = state.times.iter().enumerate().map(row);
    let mut rows: Vec<String> =
        rows.filter(|(time, _)| at(&start) <= at(time) && at(time) < at(&stop)).map(|(_, row)| row).collect();
    match &state.how {
        How::Backwards => rows.reverse(),
        How::Twice => rows.extend(rows.clone()),
        How::Abroad(host) => rows.push(format!("2015-12-11T06:00:00Z,http://{host}/pub/image999.fits")),
        _ => {}
    }
    if rows.is_empty() {
        return status(200, 1201);
    }
    let text: String = rows.iter().flat_map(|row| [row.as_str(), "\n"]).collect();
    let answer = Answer::text("text/csv", &text);
    match (state.last, &state.how) {
        (_, How::Cut) => answer.ending(Ending::Cut(text.len() / 2)),
        (Last::CutLength, _) => answer.saying(&text[..text.len() - 5]),
        (Last::CutChunks, _) => answer.saying(&text[..text.len() - 5]).chunked(),
        (Last::Close, _) => answer.until_close(),
        (Last::NoBreak, _) => answer.saying(text.trim_end()),
        (Last::CutLong, _) if rows.len() > 1 => answer.saying(&text[..text.len() - 2]).chunked(),
        (Last::Whole | Last::CutLong, _) => answer,
    }
}
