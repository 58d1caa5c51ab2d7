//! MEDOC: `SITools2` records, counted, then in pages of 300, numbers as text; a folder's items as JSON.

mod aia;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::contract::{self, Fake as _, How};
use crate::lab::{Answer, Job, Lab, Request, Server, fits};

const DATASET: &str = "/webs_IAS_SDO_HMI_dataset";

/// The service.
pub(super) struct Fake {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
struct State {
    rows: Vec<Value>,
    items: Vec<&'static str>,
    how: How,
    pages: Pages,
    mask: Mask,
}

/// Which records the service keeps for a cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mask {
    /// Those whose slot is a multiple of it.
    Honest,
    /// All: it passes over the question.
    Ignored,
    /// Those whose slot is the one after a multiple.
    Late,
}

/// How the service pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pages {
    /// As documented.
    Honest,
    /// Every page is the first one.
    Looping,
    /// From the second page on each begins a row early.
    Overlapping,
    /// From the second page on each lacks its first row.
    Losing,
    /// As one whose database fails within the second page: it ends after a few rows, as if it were whole.
    Breaking,
    /// Another record comes between the count and the first page.
    Growing,
}

impl Fake {
    fn serving(rows: Vec<Value>, items: &[&'static str]) -> Fake {
        let state = State { rows, items: items.to_vec(), how: How::Honest, pages: Pages::Honest, mask: Mask::Honest };
        let state = Arc::new(Mutex::new(state));
        let now = Arc::clone(&state);
        let server = Server::speaking(move |request| answer(request, &now.lock().expect("a lock")));
        Fake { server, state }
    }

    fn paging(self, pages: Pages) -> Fake {
        self.state.lock().expect("a lock").pages = pages;
        self
    }

    fn masking(self, mask: Mask) -> Fake {
        self.state.lock().expect("a lock").mask = mask;
        self
    }

    fn lab(&self, series: &str, more: &str) -> Lab {
        let lab = Lab::new();
        let job = Job::from_source(&self.source()).series(&[series]).retry("{ attempts: 2, max_wait: 1s }").more(more);
        lab.write("job.yaml", job.yaml());
        lab
    }

    /// The queries of the questions to `records`, in order.
    fn questions(&self, path: &str) -> Vec<Request> {
        self.server.requests_for(&format!("{DATASET}/{path}"))
    }
}

/// A row of a record, as the service writes it.
fn row(recnum: usize, time: &str) -> Value {
    json!({
        "uri": format!("{DATASET}/{recnum};hmi.sharp_720s"),
        "get": format!("http://HOST/sdo/hmi.sharp_720s/{recnum}"),
        "recnum": recnum.to_string(), "sunum": "77", "series_name": "hmi.sharp_720s",
        "date__obs": format!("{time}.000"), "wavelnth": "6173.0", "ias_location": "/SUM01/D77", "exptime": "0.0",
        "t_rec_index": (1_005_480 + recnum).to_string(), "ias_path": format!("HOST/SUM01/D77/{recnum}"),
        "harpnum": (370 + recnum % 2).to_string(),
    })
}

/// So many records within 2015-12-11.
fn many(count: usize) -> Vec<Value> {
    let time = |nth: usize| format!("2015-12-11T{:02}:{:02}:{:02}", nth / 3600, nth / 60 % 60, nth % 60);
    (0..count).map(|nth| row(nth + 1, &time(nth))).collect()
}

impl contract::Fake for Fake {
    fn with(times: &[&str]) -> Fake {
        Fake::serving((1..).zip(times).map(|(recnum, time)| row(recnum, time)).collect(), &["magnetogram.fits"])
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        self.state.lock().expect("a lock").how = how;
    }

    fn source(&self) -> String {
        format!("{{ medoc: {{ url: \"{}\" }} }}", self.server.url())
    }

    fn series() -> &'static str {
        "{ name: hmi.sharp_720s, as: one }"
    }

    fn unanswerable() -> &'static str {
        "{ name: hmi.sharp_720s, as: one, segments: [bitmap] }"
    }
}

/// What the service answers; `HOST` in its rows is the one it is asked at.
fn answer(request: &Request, state: &State) -> Option<Answer> {
    let host = request.header("host").unwrap_or_default();
    if let Some(what) = request.path.strip_prefix(DATASET).and_then(|path| path.strip_prefix('/')) {
        let rows = asked(request, state);
        let body = match (what, &state.how) {
            ("count" | "records", How::Page) => return Some(Answer::html()),
            ("count" | "records", How::Moved) => return Some(Answer::moved()),
            ("count" | "records", How::Failing) => return Some(off()),
            ("count", _) => {
                json!({ "success": true, "total": rows.len() - usize::from(state.pages == Pages::Growing) })
            }
            ("records", _) => page(request, state, &rows),
            _ => return None,
        };
        let answer = Answer::json(&body);
        let text = String::from_utf8(answer.body()).expect("UTF-8").replace("HOST", host);
        let answer = answer.saying(&text);
        return Some(match state.how {
            How::Cut if what == "records" => answer.ending(crate::lab::Ending::Cut(text.len() / 2)),
            _ => answer,
        });
    }
    if request.path.starts_with("/SUM01/") {
        let items: Vec<Value> = state.items.iter().map(|name| json!({ "name": name, "leaf": "true" })).collect();
        return (request.parameter("media").as_deref() == Some("json"))
            .then(|| Answer::json(&json!({ "items": items })));
    }
    let file = request.path.strip_prefix("/sdo/")?;
    let (name, record) = file.split('/').next_back().zip(file.split('/').nth(1))?;
    let nth = record.parse().ok()?;
    let is_there = state.items.contains(&name);
    is_there.then(|| Answer::file(fits(nth, 20, &format!("{record} {name}"))).named(name))
}

/// A database that is off: a page with status 500.
fn off() -> Answer {
    let page = "<html><body><h1>Internal Server Error (500) - Datasource not activated</h1></body></html>";
    Answer::status(500).saying(page)
}

/// The rows that the conditions leave, in the order asked for.
fn asked(request: &Request, state: &State) -> Vec<Value> {
    let conditions: Vec<String> = (0..9).filter_map(|nth| request.parameter(&format!("p[{nth}]"))).collect();
    let of = |operation: &str, column: &str| {
        let begin = format!("{operation}|{column}|");
        conditions.iter().find_map(|condition| condition.strip_prefix(&begin).map(str::to_owned))
    };
    let range = of("DATE_BETWEEN", "date__obs").expect("a range");
    let (from, to) = range.split_once('|').expect("two ends");
    assert_eq!(of("LISTBOXMULTIPLE", "series_name").as_deref(), Some("hmi.sharp_720s"));
    let every = of("CADENCE", "mask_cadence").map_or(1, |word| if word == "1 h" { 5 } else { 1 });
    let keeps = |row: &&Value| {
        let index: i64 = row["t_rec_index"].as_str().and_then(|index| index.parse().ok()).expect("an index");
        match state.mask {
            Mask::Honest => index % every == 0,
            Mask::Ignored => true,
            Mask::Late => index % every == 1 % every,
        }
    };
    // Both ends count.
    let is_asked = |row: &&Value| {
        let time = row["date__obs"].as_str().expect("a time");
        from <= time && time <= to
    };
    let mut rows: Vec<Value> = state.rows.iter().filter(is_asked).filter(keeps).cloned().collect();
    match &state.how {
        How::Backwards => rows.reverse(),
        How::Twice => rows.extend(rows.clone()),
        How::Abroad(host) => {
            let mut foreign = row(999, "2015-12-11T06:00:00");
            foreign["get"] = json!(format!("http://{host}/sdo/hmi.sharp_720s/999"));
            foreign["ias_path"] = json!(format!("{host}/SUM01/D77/999"));
            rows.push(foreign);
        }
        _ => {}
    }
    rows
}

fn page(request: &Request, state: &State, rows: &[Value]) -> Value {
    let number = |name: &str| request.parameter(name).and_then(|text| text.parse::<usize>().ok()).expect("a number");
    let (start, limit) = (number("start"), number("limit"));
    assert_eq!(limit, 300, "the service's clients ask for 300");
    let late = usize::from(start > 0);
    let (from, count) = match state.pages {
        Pages::Honest | Pages::Growing => (start, limit),
        Pages::Looping => (0, limit),
        Pages::Overlapping => (start - late, limit),
        Pages::Losing => (start + late, limit),
        Pages::Breaking => (start, if start > 0 { 20 } else { limit }),
    };
    let data: Vec<&Value> = rows.iter().skip(from).take(count).collect();
    json!({ "success": true, "total": rows.len(), "count": data.len(), "offset": start, "data": data })
}

const ONE: &str = "{ name: hmi.sharp_720s, as: one }";
const BR: &str = "{ name: hmi.sharp_720s, as: one, segments: [Br] }";

#[test]
fn a_day_before_the_launch_of_sdo_is_refused_and_nobody_is_asked() {
    contract::refuses_a_day_before_the_launch::<Fake>();
}

#[test]
fn records_over_several_pages_are_all_there() {
    let fake = Fake::serving(many(601), &["Br.fits", "Bp.fits"]);
    let lab = fake.lab(BR, "");
    let report = lab.report(0);
    assert_eq!(report["days"][0]["files"], 601, "{:#}", report["days"]);
    let starts: Vec<_> = fake.questions("records").iter().filter_map(|page| page.parameter("start")).collect();
    assert_eq!((fake.questions("count").len(), starts), (1, ["0", "300", "600"].map(str::to_owned).to_vec()));
    let items = fake.server.requests().iter().filter(|request| request.path.starts_with("/SUM01/")).count();
    assert_eq!(items, 1, "segments that are named need the items of one record alone");
    assert!(lab.files("data").contains_key("one/2015/12/11/hmi.sharp_720s.601.Br.fits"));
}

/// The day fails with its pages, twice, and nothing is kept; once they are right, it is done.
#[track_caller]
fn pages_fail(fake: &Fake, says: &str) {
    let lab = fake.lab(BR, "");
    let report = lab.report(1);
    let failure = &report["failures"][0];
    assert_eq!(failure["class"], "listing-malformed", "{report:#}");
    assert!(failure["message"].as_str().expect("a message").contains(says), "{report:#}");
    assert_eq!(fake.questions("count").len(), 2, "it is asked again");
    assert!(fake.server.requests().len() <= 8, "{}", fake.server.requests().len());
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    fake.state.lock().expect("a lock").pages = Pages::Honest;
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 601);
}

#[test]
fn l_04_a_page_that_lacks_a_row_is_told_and_the_day_is_not_sealed_short() {
    pages_fail(&Fake::serving(many(601), &["Br.fits"]).paging(Pages::Losing), "where 1 of 601 are due");
}

#[test]
fn l_04_a_page_that_ends_with_its_database_is_told() {
    pages_fail(&Fake::serving(many(601), &["Br.fits"]).paging(Pages::Breaking), "the page from row 300 has 20 rows");
}

#[test]
fn l_04_a_page_that_repeats_a_row_has_lost_another() {
    pages_fail(&Fake::serving(many(601), &["Br.fits"]).paging(Pages::Overlapping), "row 301 is record 300 again");
}

#[test]
fn l_05_pages_that_loop_end_at_once() {
    pages_fail(&Fake::serving(many(601), &["Br.fits"]).paging(Pages::Looping), "row 301 is record 1 again");
}

#[test]
fn l_14_a_count_that_its_pages_deny_is_told() {
    pages_fail(
        &Fake::serving(many(601), &["Br.fits"]).paging(Pages::Growing),
        "there are 601 records, but 600 were counted",
    );
}

#[test]
fn l_06_a_count_of_none_asks_for_no_page() {
    let fake = Fake::serving(Vec::new(), &[]);
    let lab = fake.lab(ONE, "");
    lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("\"files\": 0").chatty().done();
    assert_eq!((fake.questions("count").len(), fake.questions("records").len()), (1, 0));
}

#[test]
fn l_07_a_page_of_html_is_a_service_that_is_not_well() {
    let fake = Fake::serving(many(3), &["Br.fits"]);
    fake.list(How::Page);
    let report = fake.lab(ONE, "").report(4);
    assert_eq!(report["failures"][0]["class"], "html", "{report:#}");
}

#[test]
fn l_15_rows_without_a_location_are_absent_and_sealed_so() {
    let mut rows = many(3);
    rows[1]["ias_location"] = json!("");
    rows[2].as_object_mut().expect("a row").remove("ias_location");
    let fake = Fake::serving(rows, &["Br.fits", "Bp.fits"]);
    let lab = fake.lab(ONE, "");
    let report = lab.report(0);
    let day = &report["days"][0];
    assert_eq!((&day["state"], &day["files"], &day["absent"]), (&"sealed".into(), &2.into(), &2.into()), "{report:#}");
    let record = lab.day("data", "one", "2015-12-11");
    let keys: Vec<&str> = record.files.iter().filter_map(|file| file["key"].as_str()).collect();
    assert_eq!(keys, ["1/Bp", "1/Br", "2", "3"]);
    assert_eq!(record.files[2]["absent"], "no-file");
    assert_eq!(record.files[2]["path"], "one/2015/12/11/hmi.sharp_720s.2.fits");
}

/// Where the items of a record are listed.
fn folder(recnum: usize) -> String {
    format!("/SUM01/D77/{recnum}/")
}

/// How the lines of the day's record end: by key, `absent` or nothing.
fn ends(lab: &Lab) -> Vec<(String, String)> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let files = lab.day("data", "one", "2015-12-11").files;
    let mut ends: Vec<_> = files.iter().map(|file| (text(file.get("key")), text(file.get("absent")))).collect();
    ends.sort();
    ends
}

#[test]
fn a_record_whose_folder_is_not_there_has_no_files_and_the_day_has_all_others() {
    let fake = Fake::serving(many(4), &["Br.fits"]);
    fake.server.script(&folder(2), [Answer::status(404)]);
    let lab = fake.lab(ONE, "");
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], lab.proved("data").len()), (&"sealed".into(), 3), "{report:#}");
    let is = |key: &str, absent: &str| (key.to_owned(), absent.to_owned());
    assert_eq!(ends(&lab), [is("1/Br", ""), is("2", "no-file"), is("3/Br", ""), is("4/Br", "")]);
    assert_eq!(fake.server.requests_for(&folder(2)).len(), 2, "it is asked for a second time");
    assert_eq!(fake.server.requests_for(&folder(1)).len(), 1);
}

#[test]
fn a_folder_that_was_missed_once_is_there() {
    let fake = Fake::serving(many(2), &["Br.fits"]);
    let items = Answer::json(&json!({ "items": [{ "name": "Br.fits" }] }));
    fake.server.script(&folder(2), [Answer::status(404), items]);
    let lab = fake.lab(ONE, "");
    let report = lab.report(0);
    assert_eq!((lab.proved("data").len(), &report["days"][0]["absent"]), (2, &0.into()), "{report:#}");
}

#[test]
fn a_segment_that_the_first_record_lacks_is_looked_for_in_the_middle_and_the_last() {
    let fake = Fake::serving(many(5), &["Br.fits", "Bp.fits"]);
    for lacking in [Answer::json(&json!({ "items": [{ "name": "Bp.fits" }] })), Answer::status(404)] {
        fake.server.script(&folder(1), [lacking]);
        let lab = fake.lab(BR, "");
        let report = lab.report(0);
        assert_eq!((&report["days"][0]["state"], lab.proved("data").len()), (&"sealed".into(), 4), "{report:#}");
        assert_eq!(ends(&lab)[0], ("1/Br".to_owned(), "no-file".to_owned()), "it is known to have none");
    }
    let asked = [1, 2, 3, 4, 5].map(|recnum| fake.server.requests_for(&folder(recnum)).len());
    assert_eq!(asked, [1 + 2, 0, 2, 0, 2], "three records in each run, and what was not there twice");
}

#[test]
fn a_segment_that_none_of_three_records_has_is_refused_with_what_they_have() {
    let fake = Fake::serving(many(5), &["Br.fits", "Bp.fits"]);
    fake.server.script(&folder(1), [Answer::json(&json!({ "items": [{ "name": "Bt.fits" }] }))]);
    let lab = fake.lab("{ name: hmi.sharp_720s, as: one, segments: [Bq] }", "");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    let message = report["failures"][0]["message"].as_str().expect("a message");
    assert!(message.contains("no file of segment `Bq`: 3 records of the day have Bp, Br, Bt"), "{message}");
    let items = fake.server.requests().iter().filter(|request| request.path.starts_with("/SUM01/")).count();
    assert_eq!(items, 3, "and no more");
}

const HOURLY: &str = "{ name: hmi.sharp_720s, as: one, segments: [Br], cadence: 1h }";

#[test]
fn a_cadence_is_asked_for_by_its_word_and_looked_at_in_each_row() {
    for mask in [Mask::Honest, Mask::Ignored] {
        let fake = Fake::serving(many(10), &["Br.fits"]).masking(mask);
        let lab = fake.lab(HOURLY, "");
        let report = lab.report(0);
        assert_eq!(report["days"][0]["files"], 2, "{mask:?} {report:#}");
        assert_eq!(ends(&lab), [("10/Br".into(), String::new()), ("5/Br".into(), String::new())], "{mask:?}");
        let asked = fake.questions("count");
        assert_eq!(asked[0].parameter("p[2]").as_deref(), Some("CADENCE|mask_cadence|1 h"));
    }
}

#[test]
fn a_cadence_that_the_service_takes_from_another_time_on_is_refused() {
    let fake = Fake::serving(many(20), &["Br.fits"]).masking(Mask::Late);
    let lab = fake.lab(HOURLY, "");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    let message = report["failures"][0]["message"].as_str().expect("a message");
    let told = "the cadence of 3600 s takes none of the 4 records of this day, the first of which are of 00:12:00, \
                01:12:00, 02:12:00";
    assert!(message.contains(told) && message.contains(&format!("{DATASET}/records")), "{message}");
    assert!(lab.days("data").is_empty());
}

#[test]
fn active_regions_are_chosen_before_their_items_are_asked_for() {
    let fake = Fake::serving(many(4), &["Br.fits"]);
    let report = fake.lab("{ name: hmi.sharp_720s, as: one, harpnum: [371] }", "").report(0);
    assert_eq!(report["days"][0]["files"], 2);
    let items = fake.server.requests().iter().filter(|request| request.path.starts_with("/SUM01/")).count();
    assert_eq!(items, 2);
}

#[test]
fn a_database_that_is_off_is_told_in_its_own_words() {
    let fake = Fake::serving(many(1), &["Br.fits"]);
    fake.list(How::Failing);
    let report = fake.lab(ONE, "").report(4);
    let failure = &report["failures"][0];
    assert_eq!(failure["class"], "server-error", "{report:#}");
    assert!(failure["message"].as_str().expect("a message").contains("its database is off for now"), "{report:#}");
}

#[test]
fn a_dataset_that_is_not_there_is_refused_at_once() {
    let fake = Fake::serving(many(1), &["Br.fits"]);
    let lab = Lab::new();
    let source = format!("{{ medoc: {{ url: \"{}\", dataset: webs_none }} }}", fake.server.url());
    lab.write("job.yaml", Job::from_source(&source).series(&[ONE]).yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert!(report["failures"][0]["message"].as_str().expect("a message").contains("`webs_none`"), "{report:#}");
    assert_eq!(fake.server.requests().len(), 1, "no retry storm");
}
