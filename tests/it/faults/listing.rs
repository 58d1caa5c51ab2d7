//! Listings that are none, lie, or change: no day is sealed on the word of one.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::SERIES;
use crate::lab::{Answer, Ending, Job, Lab, Server, fits};

const LISTING: &str = "/HMI/sharp_720s";
/// How the newer service names the same data.
const NEWER: &str = "hmi.sharp_720s";

/// An item of the old service, as it lists it.
fn item(name: &str, time: &str) -> Value {
    json!({ "url": format!("http://cluster-r730-1:8001/HMI/{SERIES}/{name}"), "date_obs": time })
}

/// A service with files of these names, whatever it lists.
fn service(names: &[&str]) -> Server {
    let server = Server::start();
    for (nth, name) in (1..).zip(names) {
        let body = fits(nth, 20, "2015-12-11T18:22:08.8Z");
        server.script(&format!("/HMI/{SERIES}/{name}"), [Answer::file(body).named(&format!("{name}.fits"))]);
    }
    server
}

/// A job of 2015-12-11, with this many attempts and further lines.
fn lab_for(server: &Server, attempts: u32, more: &str) -> Lab {
    let lab = Lab::new();
    let job = Job::at(&server.url()).retry(&format!("{{ attempts: {attempts}, max_wait: 1s }}")).more(more);
    lab.write("job.yaml", job.yaml());
    lab
}

/// A run over a day of which this is listed; every file of it is there afterwards.
#[track_caller]
fn listed(items: &Value, names: &[&str]) -> (Lab, Server, Value) {
    let server = service(names);
    server.script(LISTING, [Answer::json(items)]);
    let lab = lab_for(&server, 1, "");
    let report = lab.report(0);
    let there: Vec<String> = lab.proved("data").into_keys().collect();
    let mut due: Vec<String> = names.iter().map(|name| format!("{SERIES}/2015/12/11/{name}.fits")).collect();
    due.sort();
    assert_eq!(there, due);
    (lab, server, report)
}

/// The day fails by its listing, which is asked for as often as the class allows; once it is right, the day is done.
#[track_caller]
fn fails(answer: &Answer, status: i32, class: &str, asked: usize) -> String {
    let server = service(&["a"]);
    server.script(LISTING, [answer.clone()]);
    let lab = lab_for(&server, 2, "");
    let report = lab.report(status);
    let failures = report["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 1, "{report:#}");
    assert_eq!((&failures[0]["class"], &failures[0]["key"]), (&class.into(), &Value::Null), "{report:#}");
    assert_eq!(report["days"][0]["state"], "failed", "{report:#}");
    assert_eq!(server.requests_for(LISTING).len(), asked);
    assert_eq!(server.requests().len(), asked, "no file is asked for");
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    server.script(LISTING, [Answer::json(&json!([item("a", "2015-12-11T18:22:08.8Z")]))]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
    failures[0]["message"].as_str().expect("a message").to_owned()
}

/// The same item, and how long the file is said to be.
fn sized(name: &str, time: &str, size: impl Into<Value>) -> Value {
    let mut item = item(name, time);
    item["size"] = size.into();
    item
}

#[test]
fn l_01_items_listed_twice_are_fetched_once_and_counted() {
    let a = item("a", "2015-12-11T18:22:08.8Z");
    let (_lab, server, report) = listed(&json!([a, item("b", "2015-12-11T18:34:08.8Z"), a, a]), &["a", "b"]);
    assert_eq!(report["days"][0]["duplicates"], 2, "{report:#}");
    assert_eq!(report["totals"]["files"]["listed"], 2);
    assert_eq!(server.requests().len(), 3, "a listing and two files");
}

#[test]
fn l_02_the_order_of_a_listing_changes_nothing() {
    let times = ["2015-12-11T00:10:08.8Z", "2015-12-11T12:10:08.8Z", "2015-12-11T23:10:08.8Z"];
    let (a, b, c) = (item("a", times[0]), item("b", times[1]), item("c", times[2]));
    let (sorted, ..) = listed(&json!([a, b, c]), &["a", "b", "c"]);
    let (mixed, ..) = listed(&json!([c, a, b]), &["a", "b", "c"]);
    let record = |lab: &Lab| lab.day("data", SERIES, "2015-12-11");
    assert_eq!(record(&sorted).header["digest"], record(&mixed).header["digest"]);
    assert_eq!(record(&sorted).files.len(), record(&mixed).files.len());
}

#[test]
fn l_03_items_of_another_day_are_dropped_and_a_time_without_its_zone_is_refused() {
    let (_lab, _server, report) = listed(
        &json!([
            item("before", "2015-12-10T23:59:59.999999Z"),
            item("first", "2015-12-11T00:00:00Z"),
            item("last", "2015-12-11T23:59:59.999999Z"),
            item("after", "2015-12-12T00:00:00Z"),
            item("long_ago", "1993-01-01T00:00:00Z"),
        ]),
        &["first", "last"],
    );
    assert_eq!(report["days"][0]["outside_day"], 3, "{report:#}");
    for time in ["2015-12-11T18:22:08", "2015-12-11T18:22:08+02:00", "2015.12.11_18:22:08_TAI", "yesterday", ""] {
        let message = fails(&Answer::json(&json!([item("a", time)])), 1, "listing-malformed", 2);
        assert!(message.contains("date_obs"), "{message}");
    }
}

#[test]
fn l_06_an_empty_day_is_not_sealed_by_one_look() {
    let server = service(&["a"]);
    server.script(LISTING, [Answer::json(&json!([]))]);
    let lab = lab_for(&server, 1, "");
    let run = lab.run().status(130).start();
    lab.until("it waits for the second look", |_| run.stderr_so_far().contains("checking again in 30 s"));
    run.signal(Signal::INT);
    run.done();
    assert!(lab.days("data").is_empty());
    assert_eq!(server.requests_for(LISTING).len(), 1);
    // That it was empty once says nothing against files.
    server.script(LISTING, [Answer::json(&json!([item("a", "2015-12-11T18:22:08.8Z")]))]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn l_07_a_web_page_is_no_listing() {
    let message = fails(&Answer::html(), 4, "html", 2);
    assert!(message.contains("web page"), "{message}");
    fails(&Answer::html().header("Content-Type", "application/json"), 4, "html", 2);
}

#[test]
fn l_08_a_listing_over_the_cap_is_not_read_to_its_end() {
    let item = format!("{},", item("a", "2015-12-11T18:22:08.8Z")).repeat(10_000);
    let told = Answer::text("application/json", "[").framed_as(&[("Content-Length", "70000000")]);
    fails(&told.ending(Ending::Stall(1)), 1, "listing-too-large", 1);
    let endless = Answer::text("application/json", &item).chunked().ending(Ending::Endless);
    fails(&endless, 1, "listing-too-large", 1);
}

#[test]
fn l_09_a_file_of_another_size_than_the_listing_says_gets_no_name() {
    let time = "2015-12-11T18:22:08.8Z";
    let body = fits(1, 20, time);
    let right = body.len();
    let whole = || Answer::file(body.clone()).named("a.fits");
    for answer in [whole(), whole().chunked(), whole().until_close()] {
        for wrong in [right - 2880, right + 2880, 0, 1 << 50] {
            let server = Server::start();
            server.script(&format!("/HMI/{SERIES}/a"), [answer.clone()]);
            server.script(LISTING, [Answer::json(&json!([sized("a", time, wrong)]))]);
            let lab = lab_for(&server, 1, "");
            let (code, report) = (lab.run().start().done_any().code, lab.json("report.json"));
            let class = report["failures"][0]["class"].as_str().expect("a class");
            // Without a length of its own, a body is cut or too long by the listing's word.
            let is_told = ["size", "truncated", "too-long"].contains(&class);
            assert!(is_told && (code == 1 || class == "truncated"), "{wrong}, exit {code}: {report:#}");
            assert!(lab.files("data").is_empty() && lab.days("data").is_empty(), "{wrong}");
            // Once the listing tells another size, the file is not put off.
            server.script(LISTING, [Answer::json(&json!([sized("a", time, right)]))]);
            lab.run().done();
            assert_eq!(lab.proved("data").len(), 1);
        }
    }
    let server = service(&["a"]);
    server.script(LISTING, [Answer::json(&json!([sized("a", time, right - 1)]))]);
    let failure = &lab_for(&server, 2, "").report(1)["failures"][0];
    assert_eq!((&failure["class"], &failure["attempts"]), (&"size".into(), &2.into()), "{failure:#}");
    for no_size in [json!(-1), json!("576000"), json!(1.5)] {
        fails(&Answer::json(&json!([sized("a", time, no_size)])), 1, "listing-malformed", 2);
    }
}

#[test]
fn l_09_d_01_sizes_beyond_what_is_free_are_told_before_anything_is_fetched() {
    let time = "2015-12-11T18:22:08.8Z";
    let server = service(&["a"]);
    server.script(LISTING, [Answer::json(&json!([sized("a", time, 1_u64 << 60)]))]);
    let lab = lab_for(&server, 1, "");
    let told = lab.run().status(1).stderr_has("2015-12-11: 1152921504606846976 bytes are listed").done();
    assert!(told.stderr.contains("free in `data`"), "{}", told.stderr);
    let plan = lab.sunhaul(&["plan", "--list", "job.yaml"]).stdout_has("1.0 EiB").stdout_has("not enough").chatty();
    plan.done();
}

#[test]
fn l_10_a_foreign_hosts_url_is_asked_for_on_the_sources_own_host() {
    let foreign = Server::start().expect_silence();
    let (name, time) = ("a", "2015-12-11T18:22:08.8Z");
    let url = format!("{}/HMI/{SERIES}/{name}", foreign.url());
    let (_lab, server, _report) = listed(&json!([{ "url": url, "date_obs": time }]), &[name]);
    assert_eq!(server.requests().len(), 2);
    assert!(foreign.requests().is_empty());
    // However foreign its path is.
    let server = service(&[]);
    let url = format!("{}/elsewhere/{name}", foreign.url());
    server.script(LISTING, [Answer::json(&json!([{ "url": url, "date_obs": time }]))]);
    server.script("/elsewhere/a", [Answer::file(fits(1, 20, time))]);
    let lab = lab_for(&server, 1, "");
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
    assert!(foreign.requests().is_empty());
}

/// A day that is young for a month, and a time in it.
fn young() -> (String, String, String) {
    let day = |ago: u64| {
        let then = SystemTime::now() - Duration::from_secs(ago * 86_400);
        DateTime::<Utc>::from(then).format("%Y-%m-%d").to_string()
    };
    (day(5), day(4), format!("{}T18:22:08.8Z", day(5)))
}

/// A lab with a job of a day that is listed anew by each run.
fn lab_for_young(server: &Server) -> Lab {
    let (from, to, _) = young();
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range(&from, &to).retry("{ attempts: 1 }").more("settle: 30d").yaml());
    lab
}

#[test]
fn l_11_a_record_with_a_new_url_each_time_is_still_the_same() {
    let with_token = |token: &str| {
        let url = format!("http://h/HMI/{SERIES}/a?token={token}");
        Answer::json(&json!([{ "url": url, "date_obs": young().2 }]))
    };
    let server = service(&["a"]);
    server.script(LISTING, [with_token("one"), with_token("two")]);
    let lab = lab_for_young(&server);
    assert_eq!(lab.report(0)["totals"]["days"]["provisional"], 1);
    let before = lab.proved("data");
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["have"], &report["totals"]["files"]["fetched"]), (&1.into(), &0.into()));
    assert_eq!(lab.proved("data"), before);
    let asked = server.requests_for(&format!("/HMI/{SERIES}/a"));
    assert!(asked[1..].iter().all(|request| request.header("if-none-match").is_some()), "only whether it changed");
}

#[test]
fn l_12_a_listing_that_is_cut_is_none() {
    let whole = json!([item("a", "2015-12-11T18:22:08.8Z")]).to_string();
    for cut in [1, whole.len() / 2, whole.len() - 1] {
        let message = fails(&Answer::text("application/json", &whole[..cut]), 1, "listing-malformed", 2);
        assert!(message.contains("byte"), "the place is told: {message}");
    }
    fails(&Answer::text("application/json", ""), 1, "listing-malformed", 2);
    // Cut by the connection, which is told as such.
    fails(&Answer::text("application/json", &whole).ending(Ending::Cut(20)), 4, "truncated", 2);
}

#[test]
fn l_13_deep_json_is_no_listing() {
    fails(&Answer::text("application/json", &"[".repeat(1_000_000)), 1, "listing-malformed", 2);
    let deep = format!("[{{\"meta\":{}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    fails(&Answer::text("application/json", &deep), 1, "listing-malformed", 2);
    fails(&Answer::text("application/json", "{\"error\": \"no\"}"), 1, "listing-malformed", 2);
}

#[test]
fn l_14_what_is_there_is_what_was_listed_last_however_the_count_differs() {
    let server = service(&["a", "b", "c"]);
    let lab = lab_for_young(&server);
    let time = young().2;
    for names in [&["a", "b"][..], &["a"], &["a", "b", "c"]] {
        let items: Vec<Value> = names.iter().map(|name| item(name, &time)).collect();
        server.script(LISTING, [Answer::json(&Value::from(items))]);
        let report = lab.report(0);
        assert_eq!(report["totals"]["files"]["listed"], names.len(), "{report:#}");
        let there: Vec<String> = lab.proved("data").into_keys().collect();
        let ends: Vec<String> = names.iter().map(|name| format!("/{name}.fits")).collect();
        assert!(
            there.len() == ends.len() && there.iter().zip(&ends).all(|(path, end)| path.ends_with(end)),
            "{there:?}"
        );
    }
    // What an unfinished day has of an earlier listing does not get into its record.
    let server = service(&["a", "c"]);
    server.script(
        LISTING,
        [
            Answer::json(&json!([item("a", "2015-12-11T18:22:08.8Z"), item("b", "2015-12-11T18:34:08.8Z")])),
            Answer::json(&json!([item("c", "2015-12-11T18:46:08.8Z")])),
        ],
    );
    server.script(&format!("/HMI/{SERIES}/b"), [Answer::status(500)]);
    let lab = lab_for(&server, 1, "");
    lab.report(4);
    lab.report(0);
    let there: Vec<String> = lab.proved("data").into_keys().collect();
    assert_eq!(there, ["sharp_720s/2015/12/11/c.fits"]);
}

#[test]
fn l_15_a_record_without_a_file_is_absent_and_no_failure() {
    let record = |recnum: u32, urls: Value| json!({ "recnum": recnum, "harpnum": 377, "date__obs": "2015-12-11T18:22:08.8Z", "urls": urls });
    let server = Server::start();
    let path = format!("/HMI/{NEWER}/2/magnetogram.fits");
    server.script(
        &format!("/HMI/{NEWER}"),
        [Answer::json(&json!([record(1, json!([])), record(2, json!([format!("http://h{path}")])),]))],
    );
    server.script(&path, [Answer::file(fits(1, 20, "2015-12-11T18:22:08.8Z"))]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).series(&[&format!("{{ name: {NEWER} }}")]).yaml());
    let files = &lab.report(0)["totals"]["files"];
    let count = |how: &str| files[how].as_u64().expect("a number");
    assert_eq!((count("listed"), count("fetched"), count("absent")), (2, 1, 1), "{files:#}");
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn l_16_a_record_within_a_leap_second_has_its_day_and_its_slot() {
    let server = service(&["leap", "next"]);
    server.script(
        LISTING,
        [Answer::json(&json!([item("leap", "2016-12-31T23:59:60.5Z"), item("next", "2017-01-01T00:00:00Z"),]))],
    );
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2016-12-31", "2017-01-02").yaml());
    lab.report(0);
    let of = |date: &str| lab.day("data", SERIES, date).files.iter().map(|f| f["path"].clone()).collect::<Vec<_>>();
    assert_eq!(of("2016-12-31"), ["sharp_720s/2016/12/31/leap.fits"]);
    assert_eq!(of("2017-01-01"), ["sharp_720s/2017/01/01/next.fits"]);
    lab.proved("data");
}
