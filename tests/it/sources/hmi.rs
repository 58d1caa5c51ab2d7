//! The HMI service of the newest kind (v3): one record a time, one segment a record. Older kinds are in `shapes`.

pub(super) mod shapes;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::contract::{self, How};
use crate::lab::{Answer, Item, Job, Lab, Request, Server, fits};

/// The service.
pub(super) struct Fake {
    server: Server,
    how: Arc<Mutex<How>>,
}

const LISTING: &str = "/HMI/hmi.sharp_720s";

impl contract::Fake for Fake {
    fn with(times: &[&str]) -> Fake {
        let records: Vec<String> = times.iter().map(|time| format!("{time}.000000Z")).collect();
        let how = Arc::new(Mutex::new(How::Honest));
        let now = Arc::clone(&how);
        let server = Server::speaking(move |request| {
            if request.path == LISTING {
                return Some(listing(request, &records, &now.lock().expect("a lock"), item));
            }
            if let Some(recnums) = request.path.strip_prefix("/HMI/hmi.sharp_720s/meta/") {
                return Some(meta(recnums, &records));
            }
            let recnum = request.path.strip_prefix(LISTING)?.strip_prefix('/')?.strip_suffix("/magnetogram.fits")?;
            let nth: u32 = recnum.parse().ok()?;
            let time = records.get(nth as usize)?;
            Some(Answer::file(fits(nth, 20, time)).named("magnetogram.fits"))
        });
        Fake { server, how }
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        *self.how.lock().expect("a lock") = how;
    }

    fn source(&self) -> String {
        format!("{{ hmi: {{ url: \"{}\" }} }}", self.server.url())
    }

    fn series() -> &'static str {
        "{ name: hmi.sharp_720s, as: one }"
    }

    fn unanswerable() -> &'static str {
        "{ name: hmi.sharp_720s, as: one, segments: [bitmap] }"
    }
}

/// Keywords besides.
pub(super) struct Keywords;

impl contract::Otherwise for Keywords {
    type Service = Fake;
    const SERIES: &'static str = "{ name: hmi.sharp_720s, as: one, fetch: both, keywords: [cmask] }";
    const UNANSWERABLE: &'static str = "{ name: hmi.sharp_720s, as: one, fetch: keywords, keywords: [cmsk] }";
}

/// A record with its file, which is listed at this host.
fn item(nth: usize, time: &str, host: &str) -> Value {
    json!({ "urls": [format!("http://{host}{LISTING}/{nth}/magnetogram.fits")], "date__obs": time,
            "recnum": nth, "quality": 0, "harpnum": 377 })
}

/// The listing of a service of any kind, whose items are made of a number, a time and the host of the file.
fn listing(request: &Request, records: &[String], how: &How, item: impl Fn(usize, &str, &str) -> Value) -> Answer {
    let label = |name: &str| request.parameter(name).expect("a bound").chars().take(19).collect::<String>();
    let (start, end) = (label("start"), label("end"));
    // The service counts both ends in.
    let is_asked = |time: &str| start.as_str() <= &time[..19] && &time[..19] <= end.as_str();
    let asked = records.iter().enumerate().filter(|(_, time)| is_asked(time));
    let mut items: Vec<Value> = asked.map(|(nth, time)| item(nth, time, "cluster-r730-1:8001")).collect();
    match how {
        How::Honest => {}
        How::Backwards => items.reverse(),
        How::Twice => items.extend(items.clone()),
        How::Failing => return Answer::status(500),
        How::Cut => {
            let answer = Answer::json(&items.into());
            let half = answer.body().len() / 2;
            return answer.ending(crate::lab::Ending::Cut(half));
        }
        How::Page => return Answer::html(),
        How::Moved => return Answer::moved(),
        How::Abroad(host) => items.push(item(999, "2015-12-11T06:00:00.000000Z", host)),
    }
    Answer::json(&items.into())
}

/// The route for keywords, as documented: an object by record number.
fn meta(recnums: &str, records: &[String]) -> Answer {
    let entry = |recnum: &str| {
        let nth: usize = recnum.parse().expect("a number");
        let time = records.get(nth)?;
        let area = if nth == 2 { Value::Null } else { json!(3507.3125) };
        let meta = json!({ "area": area, "cmask": 6423 + nth, "noaa_ars": "11158,11162" });
        let entry =
            json!({ "date__obs": time, "harpnum": 6167, "meta": meta, "quality": 0, "t_rec_index": 1, "urls": [] });
        Some((recnum.to_owned(), entry))
    };
    Answer::json(&Value::Object(recnums.split(',').filter_map(entry).collect()))
}

const TIMES: [&str; 4] = ["2015-12-11T00:00:00", "2015-12-11T00:12:00", "2015-12-11T12:00:00", "2015-12-12T00:00:00"];

#[test]
fn a_day_before_the_launch_of_sdo_is_refused_and_nobody_is_asked() {
    contract::refuses_a_day_before_the_launch::<Fake>();
}

#[test]
fn a_day_before_the_launch_is_an_empty_one_of_the_built_in_service() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2010-02-09", "2010-02-10").yaml());
    let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
    let day = &plan["listing"]["days"][0];
    assert_eq!((&day["files"], &day["error"]), (&0.into(), &Value::Null), "{plan:#}");
}

fn lab(service: &Fake, series: &str) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", Job::from_source(&contract::Fake::source(service)).series(&[series]).yaml());
    lab
}

#[test]
fn keywords_come_as_a_table_a_day_with_a_sidecar() {
    let service: Fake = contract::Fake::with(&TIMES);
    let lab = lab(&service, "{ name: hmi.sharp_720s, as: one, fetch: keywords, keywords: [area, cmask, noaa_ars] }");
    lab.report(0);
    let files = lab.proved("data");
    let folder = "one/2015/12/11/hmi.sharp_720s.20151211.keywords";
    assert_eq!(files.into_keys().collect::<Vec<_>>(), [format!("{folder}.csv"), format!("{folder}.json")]);
    let csv = String::from_utf8(lab.read(&format!("data/{folder}.csv"))).expect("text");
    assert_eq!(
        csv,
        "time,scale,recnum,harpnum,has_data,area,cmask,noaa_ars\n\
         2015-12-11T00:00:00,UTC,0,377,true,3507.3125,6423,\"11158,11162\"\n\
         2015-12-11T00:12:00,UTC,1,377,true,3507.3125,6424,\"11158,11162\"\n\
         2015-12-11T12:00:00,UTC,2,377,true,,6425,\"11158,11162\"\n"
    );
    let sidecar = lab.json(&format!("data/{folder}.json"));
    let columns: Vec<_> = sidecar["columns"].as_array().expect("columns").iter().collect();
    let told: Vec<_> = columns.iter().map(|c| format!("{}:{}", c["name"], c["type"]).replace('"', "")).collect();
    assert_eq!(
        told,
        [
            "time:time",
            "scale:string",
            "recnum:longlong",
            "harpnum:int",
            "has_data:boolean",
            "area:double",
            "cmask:longlong",
            "noaa_ars:string"
        ]
    );
    let asked = service.server.requests();
    assert_eq!(asked.len(), 2, "several records a request: {asked:?}");
    assert_eq!(asked[1].parameter("fields").as_deref(), Some("area,cmask,noaa_ars"));
    lab.run().done();
    assert_eq!(service.server.requests().len(), 2, "a sealed day is not asked for again");
    lab.run_with(&["--locked"]).done();
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

#[test]
fn both_gives_the_files_and_the_table() {
    let service: Fake = contract::Fake::with(&TIMES);
    let lab = lab(&service, "{ name: hmi.sharp_720s, as: one, fetch: both, keywords: [cmask] }");
    let report = lab.report(0);
    assert_eq!(lab.proved("data").len(), 5);
    assert_eq!(report["totals"]["files"]["fetched"], 5);
    assert_eq!(report["days"][0]["served"].as_object().expect("hosts").values().next(), Some(&json!(3)));
}

#[test]
fn a_table_is_made_again_from_the_lock_alone_and_held_to_it() {
    let service: Fake = contract::Fake::with(&TIMES);
    let lab = lab(&service, "{ name: hmi.sharp_720s, as: one, fetch: both, keywords: [cmask] }");
    lab.report(0);
    let before = lab.proved("data");
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.run_with(&["--frozen"]).done();
    assert_eq!(lab.proved("data"), before);
}

#[test]
fn a_table_that_changed_upstream_is_drift() {
    let service: Fake = contract::Fake::with(&TIMES);
    let lab = lab(&service, "{ name: hmi.sharp_720s, as: one, fetch: keywords, keywords: [cmask] }");
    lab.report(0);
    let other =
        json!({ "0": { "meta": { "cmask": 1 } }, "1": { "meta": { "cmask": 2 } }, "2": { "meta": { "cmask": 3 } } });
    service.server.script("/HMI/hmi.sharp_720s/meta/0,1,2", [Answer::json(&other)]);
    let drift = lab
        .sunhaul(&["update", "job.yaml", "--dry-run", "--files"])
        .status(3)
        .stdout_has("keywords.csv")
        .chatty()
        .done();
    assert!(!drift.stdout.contains("keywords.json"), "its meaning is the same: {}", drift.stdout);
    lab.sunhaul(&["update", "job.yaml"]).stdout_has("keywords.csv").chatty().done();
    let csv = lab.read("data/one/2015/12/11/hmi.sharp_720s.20151211.keywords.csv");
    assert!(String::from_utf8_lossy(&csv).ends_with("2015-12-11T12:00:00,UTC,2,377,true,3\n"));
}

#[test]
fn a_keyword_that_no_record_has_is_refused_with_its_neighbour() {
    let service: Fake = contract::Fake::with(&TIMES);
    let lab = lab(&service, "{ name: hmi.sharp_720s, as: one, fetch: keywords, keywords: [cmsk] }");
    let report = lab.report(1);
    let message = report["failures"][0]["message"].as_str().expect("a message");
    assert!(message.contains("has the keyword `cmsk`"), "{message}");
    assert!(message.contains("did you mean `cmask`?"), "{message}");
    assert_eq!(service.server.requests().len(), 2, "no retry storm");
}

#[test]
fn the_oldest_service_has_no_keywords_and_says_so() {
    let server = Server::start();
    server.file("sharp_720s", Item::new("sharp_720s_20151211_182208", "2015-12-11T18:22:08.799999Z"), fits(1, 20, "x"));
    let lab = Lab::new();
    let series = ["{ name: sharp_720s, fetch: keywords, keywords: [cmask] }"];
    lab.write("job.yaml", Job::at(&server.url()).series(&series).yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_answer_that_leaves_a_record_out_makes_no_table() {
    let service: Fake = contract::Fake::with(&TIMES);
    service
        .server
        .script("/HMI/hmi.sharp_720s/meta/0,1,2", [Answer::json(&json!({ "0": { "meta": { "cmask": 1 } } }))]);
    let lab = lab(&service, "{ name: hmi.sharp_720s, as: one, fetch: keywords, keywords: [cmask] }");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "listing-malformed", "{report:#}");
    assert!(lab.files("data").is_empty());
}

/// A v3 answer over the day: a record without a file, and one with a file where `file` says so.
fn without_files(file: bool) -> Server {
    Server::speaking(move |request| {
        let item = |recnum: u32, urls: &[&str]| {
            json!({ "date__obs": format!("2015-12-11T0{recnum}:00:00.0Z"), "recnum": recnum, "harpnum": 377,
                    "quality": 0, "t_rec_index": 1_005_486, "urls": urls })
        };
        match request.path.as_str() {
            LISTING if file => {
                let url = "http://cluster-r730-1:8001/HMI/hmi.sharp_720s/8/Br.fits";
                Some(Answer::json(&json!([item(7, &[]), item(8, &[url])])))
            }
            LISTING => Some(Answer::json(&json!([item(7, &[])]))),
            "/HMI/hmi.sharp_720s/8/Br.fits" => Some(Answer::file(fits(8, 20, "x"))),
            _ => None,
        }
    })
}

#[test]
fn l_15_a_record_without_a_file_has_its_line_and_is_counted() {
    let service = without_files(true);
    let lab = Lab::new();
    let job = Job::at(&service.url()).series(&["{ name: hmi.sharp_720s, as: one }"]);
    lab.write("job.yaml", job.yaml());
    let report = lab.report(0);
    let counts = &report["totals"]["files"];
    assert_eq!((&counts["listed"], &counts["fetched"], &counts["absent"]), (&json!(2), &json!(1), &json!(1)));
    let day = lab.day("data", "one", "2015-12-11");
    let line = day.files.iter().find(|file| file["key"] == "7").expect("a line");
    assert_eq!((&line["absent"], &line["recnum"]), (&json!("no-file"), &json!(7)));
    assert_eq!((&line["path"], &line["url"]), (&json!("one/2015/12/11/7.fits"), &json!(LISTING)));
    let asked = service.requests().len();
    lab.run().done();
    assert_eq!(service.requests().len(), asked, "a sealed day is not asked for again");
}

#[test]
fn l_15_a_day_of_records_without_files_is_no_empty_day_whatever_the_layout() {
    let service = without_files(false);
    let lab = Lab::new();
    let job = Job::at(&service.url()).series(&["{ name: hmi.sharp_720s, as: one }"]);
    lab.write(
        "job.yaml",
        job.yaml().replace("root: data", "root: data, layout: \"{series}/{date:%F}/{segment}/{file}\""),
    );
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
    assert_eq!(service.requests().len(), 2, "as an empty day it is looked at twice");
    assert_eq!(lab.day("data", "one", "2015-12-11").files.len(), 1);
}

#[test]
fn a_service_without_the_route_for_keywords_says_so_and_is_asked_there_once() {
    let item = |day: &str| {
        json!({ "date__obs": format!("{day}T01:10:08.7Z"), "recnum": 1_958_485, "series_name": "hmi.sharp_cea_720s_nrt",
                "t_rec_index": 1_010_166, "urls": [format!("http://c/HMI/sharp_cea_720s_nrt/1958485_{}_Br.fits", &day[..4])] })
    };
    let service = Server::speaking(move |request| {
        let start = request.parameter("start")?;
        (request.path == "/HMI/sharp_cea_720s_nrt").then(|| Answer::json(&json!([item(&start[..10])])))
    });
    let lab = Lab::new();
    let series = ["{ name: sharp_cea_720s_nrt, as: one, fetch: keywords, keywords: [area] }"];
    let job = Job::at(&service.url()).series(&series).range("2015-12-11", "2015-12-14");
    lab.write("job.yaml", job.limits("{ requests: unlimited, bandwidth: unlimited, concurrency: 1 }").yaml());
    let report = lab.report(1);
    let failures = report["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 3, "{report:#}");
    for failure in failures {
        let message = failure["message"].as_str().expect("a message");
        assert_eq!(failure["class"], "source-refused");
        assert!(message.contains("has no route for keywords") && message.contains("`fetch: files`"), "{message}");
    }
    let asked = service.requests().into_iter().filter(|request| request.path.contains("/meta/")).count();
    assert_eq!(asked, 1, "one question for three days");
}
