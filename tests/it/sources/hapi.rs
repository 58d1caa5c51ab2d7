//! A HAPI server: `capabilities`, `info` and `data` with its own status in JSON, for lists of files and for tables.

mod dates;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::contract::{self, Fake as _, How};
use crate::lab::{Answer, Ending, Job, Lab, Request, Server, fits};

/// The server.
pub(super) struct Fake {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
struct State {
    /// Times such as `2015-12-11T18:24:00`.
    times: Vec<String>,
    how: How,
    version: &'static str,
    /// Longer ranges than these seconds are too much.
    most: i64,
    /// The last dates of the dataset.
    dates: (&'static str, &'static str),
    /// Questions for a time after the last date are refused.
    is_strict: bool,
    /// What `data` answers in any case: a status of HTTP, and one of HAPI.
    says: Option<(u16, i64)>,
    /// How an answer with rows ends.
    last: Last,
    /// An image's address in a row, with `{host}` for this one and `{nth}` for its number; else a name below `/pub/`.
    address: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
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
    fn new(times: &[&str]) -> Fake {
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

    /// One row a minute on 2015-12-11.
    fn minutely() -> Fake {
        let times: Vec<String> =
            (0..1440).map(|nth| format!("2015-12-11T{:02}:{:02}:00", nth / 60, nth % 60)).collect();
        Fake::new(&times.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("a lock"));
    }

    /// A job of this dataset and these parameters, in YAML.
    fn lab(&self, dataset: &str, parameters: &str) -> Lab {
        let lab = Lab::new();
        let source = format!("{{ hapi: {{ url: \"{}/hapi\"{parameters} }} }}", self.server.url());
        let series = format!("{{ name: {dataset}, as: one }}");
        lab.write(
            "job.yaml",
            Job::from_source(&source).series(&[&series]).retry("{ attempts: 2, max_wait: 1s }").yaml(),
        );
        lab
    }

    fn asked(&self, endpoint: &str) -> Vec<Request> {
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
        Some("path/to/A@0") => false,
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

const TABLE: &str = "path/to/A@0";
const CSV: &str = "one/2015/12/11/path_to_A@0.20151211.csv";

fn table(lab: &Lab) -> String {
    String::from_utf8(lab.read(&format!("data/{CSV}"))).expect("UTF-8")
}

fn message(report: &Value) -> &str {
    report["failures"][0]["message"].as_str().expect("a message")
}

#[test]
fn a_dataset_s_data_are_one_table_a_day_with_what_it_means_beside_it() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T12:00:00", "2015-12-12T12:00:00"]);
    let lab = fake.lab(TABLE, "");
    let report = lab.report(0);
    assert_eq!(report["days"][0]["files"], 2, "{:#}", report["days"]);
    assert_eq!(table(&lab), "Time,Bx,B[0],B[1],B[2]\n2015-12-11T00:00:00Z,0.5,1,2,3\n2015-12-11T12:00:00Z,1.5,1,2,3\n");
    let info = lab.read(&format!("data/{}", CSV.replace(".csv", ".json")));
    let info: Value = serde_json::from_slice(&info).expect("JSON");
    assert_eq!(info["parameters"][2]["units"], "nT");
    let asked = fake.asked("data");
    assert_eq!(asked[0].parameter("dataset").as_deref(), Some(TABLE));
    assert_eq!((fake.asked("capabilities").len(), fake.asked("info").len(), asked.len()), (1, 1, 1));
}

#[test]
fn what_a_dataset_is_is_asked_once_for_many_days() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-12T00:00:00", "2015-12-13T00:00:00"]);
    let lab = Lab::new();
    let job = Job::from_source(&fake.source()).series(&["{ name: images, as: one }"]).range("2015-12-11", "2015-12-14");
    lab.write("job.yaml", job.yaml());
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 3);
    assert_eq!((fake.asked("capabilities").len(), fake.asked("info").len(), fake.asked("data").len()), (1, 1, 3));
}

#[test]
fn only_the_parameters_asked_for_come_in_the_server_s_order() {
    let fake = Fake::new(&["2015-12-11T00:00:00"]);
    let lab = fake.lab(TABLE, ", parameters: [B]");
    lab.report(0);
    assert_eq!(table(&lab), "Time,B[0],B[1],B[2]\n2015-12-11T00:00:00Z,1,2,3\n");
    let both = Fake::new(&["2015-12-11T00:00:00"]);
    both.lab(TABLE, ", parameters: [B, Bx]").report(0);
    assert_eq!(both.asked("data")[0].parameter("parameters").as_deref(), Some("Bx,B"));
}

#[test]
fn a_server_before_version_3_is_asked_in_its_own_names() {
    let fake = Fake::new(&["2015-12-11T00:00:00"]);
    fake.change(|state| state.version = "2.1");
    let lab = fake.lab(TABLE, "");
    lab.report(0);
    assert_eq!(fake.asked("data")[0].parameter("time.min").as_deref(), Some("2015-12-11T00:00:00Z"));
}

#[test]
fn lists_of_addresses_become_files_by_their_names() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T12:00:00"]);
    let lab = fake.lab("images", "");
    lab.report(0);
    let names: Vec<String> = lab.proved("data").into_keys().collect();
    assert_eq!(names, ["one/2015/12/11/image0.fits", "one/2015/12/11/image1.fits"]);
    let record = lab.day("data", "one", "2015-12-11");
    assert_eq!(
        (&record.files[0]["key"], &record.files[0]["url"]),
        (&json!("../pub/image0.fits"), &json!("../pub/image0.fits"))
    );
    assert_eq!(fake.asked("data")[0].parameter("parameters").as_deref(), Some("image"), "the others are not needed");
}

#[test]
fn files_beside_the_hapi_folder_are_fetched_by_the_lock_alone() {
    let fake = Fake::new(&["2015-12-11T00:00:00"]);
    let lab = fake.lab("images", "");
    lab.report(0);
    let asked = fake.server.requests().len();
    lab.sunhaul(&["run", "job.yaml", "--frozen", "--archive", "again"]).chatty().done();
    assert_eq!(lab.proved("again"), lab.proved("data"));
    assert_eq!(fake.server.requests().len(), asked + 1, "no list is asked for");
}

#[test]
fn files_on_a_further_host_are_fetched_where_the_manifest_names_it_and_refused_where_not() {
    let files = Server::start();
    files.script("/pub/image0.fits", [Answer::file(fits(0, 20, "an image"))]);
    let host = files.plain_url().trim_start_matches("http://").to_owned();
    let fake = Fake::new(&["2015-12-11T00:00:00"]);
    fake.change(|state| state.address = Some(format!("http://{host}/pub/image{{nth}}.fits")));
    let report = fake.lab("images", "").report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(message(&report).contains(&format!("write `hosts: [\"{host}\"]`")), "{report:#}");
    assert!(files.requests().is_empty());
    let lab = fake.lab("images", &format!(", hosts: [\"{host}\"]"));
    lab.report(0);
    assert_eq!((lab.proved("data").len(), files.requests().len()), (1, 1));
}

#[test]
fn files_that_differ_by_their_queries_are_each_a_file() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T12:00:00"]);
    fake.change(|state| state.address = Some("http://{host}/get.fits?author=a{nth}".to_owned()));
    let lab = fake.lab("images", "");
    let report = lab.report(0);
    assert_eq!((lab.proved("data").len(), &report["days"][0]["duplicates"]), (2, &0.into()), "{report:#}");
    let asked = fake.server.requests().len();
    lab.sunhaul(&["run", "job.yaml", "--frozen", "--archive", "again"]).chatty().done();
    assert_eq!(lab.proved("again"), lab.proved("data"));
    assert_eq!(fake.server.requests().len(), asked + 2);
}

#[test]
fn files_that_differ_by_what_looks_like_a_secret_alone_are_refused() {
    let fake = Fake::new(&["2015-12-11T00:00:00", "2015-12-11T12:00:00"]);
    fake.change(|state| state.address = Some("http://{host}/get?key=img{nth}.fits".to_owned()));
    let lab = fake.lab("images", "");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(message(&report).contains("differ by `key` alone, which looks like a secret"), "{report:#}");
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
}

#[test]
fn no_data_in_a_day_is_an_empty_day() {
    for says in [(200, 1201), (204, 1201)] {
        let fake = Fake::new(&[]);
        fake.change(|state| state.says = Some(says));
        let lab = fake.lab(TABLE, "");
        let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done();
        let day = &plan.json()["listing"]["days"][0];
        assert_eq!((&day["files"], &day["error"]), (&0.into(), &Value::Null), "{says:?}");
    }
}

#[test]
fn too_much_at_once_is_asked_for_in_pieces_and_comes_to_the_same_bytes() {
    let whole = Fake::minutely();
    let lab = whole.lab(TABLE, "");
    lab.report(0);
    let (once, proved) = (table(&lab), lab.proved("data"));
    assert_eq!(once.lines().count(), 1441);
    for (most, pieces, refused) in [(43_200, 2, 1), (10_000, 16, 4), (977, 128, 7)] {
        let fake = Fake::minutely();
        fake.change(|state| state.most = most);
        let lab = fake.lab(TABLE, "");
        lab.report(0);
        assert_eq!((table(&lab), lab.proved("data")), (once.clone(), proved.clone()), "{most}");
        assert_eq!(fake.asked("data").len(), pieces + refused, "each length is refused once");
    }
}

#[test]
fn a_server_that_finds_everything_too_much_is_left_alone() {
    let fake = Fake::minutely();
    fake.change(|state| state.most = -1);
    let report = fake.lab(TABLE, "").report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(
        message(&report).contains("HAPI 1408") && message(&report).contains("name fewer `parameters`"),
        "{report:#}"
    );
    assert!(fake.asked("data").len() <= 20, "{}", fake.asked("data").len());
}

#[test]
fn a_question_that_is_refused_is_told_in_the_server_s_words_and_asked_once() {
    for (http, code) in [(400, 1402), (404, 1406), (404, 1407), (200, 1400), (400, 1405), (400, 1411)] {
        let fake = Fake::minutely();
        fake.change(|state| state.says = Some((http, code)));
        let report = fake.lab(TABLE, "").report(1);
        assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
        assert!(message(&report).contains(&format!("HAPI {code}")), "{report:#}");
        assert!(message(&report).contains("its own words"), "{report:#}");
        assert_eq!(fake.asked("data").len(), 1, "no retry storm");
    }
}

#[test]
fn an_address_that_is_no_hapi_server_s_is_told_and_asked_once_for_many_days() {
    let fake = Fake::minutely();
    let lab = Lab::new();
    let source = format!("{{ hapi: {{ url: \"{}/wrong\" }} }}", fake.server.url());
    lab.write("job.yaml", Job::from_source(&source).series(&[Fake::series()]).range("2015-12-01", "2015-12-11").yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(message(&report).contains("is `url` the folder of a HAPI server"), "{report:#}");
    assert_eq!(fake.server.requests().len(), 1);
}

#[test]
fn json_where_csv_is_due_is_no_empty_day() {
    let fake = Fake::minutely();
    fake.change(|state| state.says = Some((200, 1200)));
    let lab = fake.lab(TABLE, "");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "listing-malformed", "{report:#}");
    assert!(message(&report).contains("the server ignores `format=csv`"), "{report:#}");
    assert!(lab.days("data").is_empty());
}

#[test]
fn a_server_that_fails_is_asked_again_whatever_http_says() {
    for (http, code) in [(500, 1500), (500, 1501), (200, 1500)] {
        let fake = Fake::minutely();
        fake.change(|state| state.says = Some((http, code)));
        let report = fake.lab(TABLE, "").report(4);
        assert_eq!(report["failures"][0]["class"], "server-error", "{report:#}");
        assert_eq!(fake.asked("data").len(), 2);
    }
}

#[test]
fn a_parameter_that_is_not_there_is_refused_before_data_are_asked_for() {
    let fake = Fake::minutely();
    let report = fake.lab(TABLE, ", parameters: [By]").report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(message(&report).contains("no parameter `By`, but Time, Bx, B"), "{report:#}");
    assert!(fake.asked("data").is_empty());
}

#[test]
fn a_last_row_without_a_line_break_is_taken_when_the_server_says_the_same_of_it_alone() {
    let fake = Fake::minutely();
    fake.change(|state| state.last = Last::NoBreak);
    let lab = fake.lab(TABLE, "");
    lab.report(0);
    assert_eq!(table(&lab).lines().count(), 1441);
    assert!(table(&lab).ends_with("2015-12-11T23:59:00Z,1439.5,1,2,3\n"));
    let asked = fake.asked("data");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].parameter("start").as_deref(), Some("2015-12-11T23:59:00Z"));

    let images = Fake::new(&["2015-12-11T06:00:00", "2015-12-11T12:00:00"]);
    images.change(|state| state.last = Last::NoBreak);
    let lab = images.lab("images", "");
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn a_table_that_may_be_cut_is_never_taken() {
    for last in [Last::CutChunks, Last::CutLength, Last::CutLong, Last::Close] {
        let fake = Fake::minutely();
        fake.change(|state| state.last = last);
        let lab = fake.lab(TABLE, "");
        let report = lab.report(4);
        assert_eq!(report["failures"][0]["class"], "truncated", "{report:#}");
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
        fake.change(|state| state.last = Last::Whole);
        lab.report(0);
        assert_eq!(table(&lab).lines().count(), 1441);
    }
    let images = Fake::new(&["2015-12-11T06:00:00", "2015-12-11T12:00:00"]);
    images.change(|state| state.last = Last::CutLong);
    assert_eq!(
        images.lab("images", "").report(4)["failures"][0]["class"],
        "truncated",
        "4 of 45 looks like a whole cell"
    );
}
