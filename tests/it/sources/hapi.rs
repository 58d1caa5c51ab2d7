//! A HAPI server: `catalog`, `capabilities`, `info` and `data` with its own status in JSON, for lists of files and for tables.

mod dates;
mod server;

use serde_json::{Value, json};

use super::contract::Fake as _;
use crate::lab::{Answer, Job, Lab, Server, fits};
use server::Last;
pub(super) use server::{Fake, TABLE};

pub(super) const CSV: &str = "one/2015/12/11/path_to_A@0.20151211.csv";

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
