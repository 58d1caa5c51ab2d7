//! The main job, end to end: a manifest becomes a verified archive, and a second run has nothing to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

/// The three files of the old service that the tests list, over two days.
const TIMES: [&str; 3] = ["2015-12-11T18:22:08.799999Z", "2015-12-11T23:58:08.799999Z", "2015-12-12T00:10:08.799999Z"];

/// Their names, as the old service made them.
fn name(time: &str) -> String {
    let digits: String = time[..19].chars().filter(char::is_ascii_digit).collect();
    format!("sharp_720s_{}_{}", &digits[..8], &digits[8..])
}

fn old_service() -> Server {
    let server = Server::start();
    for (seed, time) in (1..).zip(TIMES) {
        server.file("sharp_720s", Item::new(&name(time), time), fits(seed, 60, time));
    }
    server
}

#[test]
fn the_quickstart_runs_and_a_second_run_fetches_nothing() {
    let lab = Lab::new();
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/quickstart.yaml");
    lab.write("job.yaml", std::fs::read(quickstart).expect("jobs/quickstart.yaml"));
    let run = || {
        lab.sunhaul(&["run", "job.yaml", "--archive", "data", "--report", "report.json"]).chatty().done();
        lab.json("report.json")
    };
    let first = run();
    let files = lab.proved("data");
    assert_eq!(first["run"]["exit_code"], 0);
    assert_eq!(first["totals"]["days"]["planned"], 6, "three days of two series");
    assert_eq!(first["totals"]["days"]["sealed"], 6);
    assert_eq!(first["totals"]["files"]["fetched"], files.len());
    assert!(files.len() >= 6, "{files:?}");
    let records = lab.tree("data/.sunhaul/days");
    let second = run();
    assert_eq!(second["totals"]["days"]["already_sealed"], 6);
    assert_eq!(second["totals"]["days"]["planned"], 0);
    assert_eq!(second["totals"]["files"]["fetched"], 0);
    assert_eq!(second["totals"]["requests"]["sent"], 0);
    assert_eq!(lab.proved("data"), files);
    assert_eq!(lab.tree("data/.sunhaul/days"), records);
    assert_eq!(lab.tree("data/.sunhaul/runs").len(), 2, "one report a run");
}

#[test]
fn a_run_writes_files_records_and_a_report_as_promised() {
    let lab = Lab::new();
    let server = old_service();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml());
    let report = lab.report(0);

    let paths: Vec<String> = lab.proved("data").into_keys().collect();
    let expected = [
        "sharp_720s/2015/12/11/sharp_720s_20151211_182208.fits",
        "sharp_720s/2015/12/11/sharp_720s_20151211_235808.fits",
        "sharp_720s/2015/12/12/sharp_720s_20151212_001008.fits",
    ];
    assert_eq!(paths, expected);

    let day = lab.day("data", "sharp_720s", "2015-12-11");
    assert_eq!((&day.header["state"], &day.header["scale"]), (&"sealed".into(), &"UTC".into()));
    assert_eq!((&day.header["job"], &day.header["series"]), (&"lab".into(), &"sharp_720s".into()));
    let file = &day.files[0];
    assert_eq!(file["time"], TIMES[0]);
    assert_eq!(file["checked"], "checksum");
    assert_eq!(file["url"], "/HMI/sharp_720s/sharp_720s_20151211_182208");
    assert_eq!(file["bytes"], fits(1, 60, TIMES[0]).len());
    assert!(file["etag"].is_string() && file["last_modified"].is_string(), "{file}");
    assert_eq!(
        std::fs::read_to_string(lab.path("data/.sunhaul/days/sharp_720s/2015-12-11.jsonl"))
            .expect("a record")
            .find("{\"day\":{\"format\":\"day/1\",\"job\":\"lab\",\"series\":\"sharp_720s\",\"date\":\"2015-12-11\","),
        Some(0),
        "keys always in one order"
    );

    assert_eq!(report["totals"]["files"]["fetched"], 3);
    assert_eq!(report["totals"]["bytes"]["fetched"], 3 * fits(1, 60, TIMES[0]).len());
    assert_eq!(report["days"][0]["digest"], day.header["digest"]);
    assert_eq!(report["days"].as_array().expect("days").len(), 2);
    assert_eq!(report["failures"], serde_json::json!([]));
    let schema: serde_json::Value = lab.sunhaul(&["schema", "report"]).stdout_has("{").done().json();
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(schema.is_valid(&report), "{:?}", schema.iter_errors(&report).map(|e| e.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_request_says_who_asks_and_for_what_and_stays_on_the_manifests_host() {
    let lab = Lab::new();
    let server = old_service();
    let job = Job::at(&server.url()).range("2015-12-11", "2015-12-13").more("contact: jane@example.org");
    lab.write("job.yaml", job.yaml());
    let report = lab.report(0);
    let requests = server.requests();
    assert_eq!(requests.len(), 5, "two listings and three files, though the listing named another host");
    assert_eq!(report["totals"]["requests"]["sent"], 5);
    for request in &requests {
        let agent = request.header("user-agent").expect("a User-Agent");
        let id = report["run"]["id"].as_str().expect("an id");
        assert!(agent.starts_with("sunhaul/") && agent.contains("job lab") && agent.contains(id), "{agent}");
        assert_eq!(request.header("from"), Some("jane@example.org"));
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        assert_eq!(request.method, "GET");
    }
}

#[test]
fn what_the_listing_holds_beyond_its_day_or_twice_is_counted_and_dropped() {
    let lab = Lab::new();
    let server = old_service();
    let item = |time: &str| serde_json::json!({ "url": format!("http://old/HMI/sharp_720s/{}", name(time)), "date_obs": time });
    let listed = serde_json::json!([item(TIMES[2]), item(TIMES[1]), item(TIMES[0]), item(TIMES[1])]);
    server.script("/HMI/sharp_720s", [Answer::json(&listed)]);
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    let report = lab.report(0);
    assert_eq!(report["days"][0]["outside_day"], 1);
    assert_eq!(report["days"][0]["duplicates"], 1);
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn two_runs_of_two_archives_give_the_same_bytes_and_digests() {
    let lab = Lab::new();
    let server = old_service();
    let job = Job::at(&server.url()).range("2015-12-11", "2015-12-13");
    lab.write("job.yaml", job.yaml());
    lab.report(0);
    let alone = job.limits("{ concurrency: 1, requests: unlimited }").yaml().replace("root: data", "root: other");
    lab.write("job.yaml", alone);
    lab.report(0);
    assert_eq!(lab.proved("data"), lab.proved("other"));
    assert_eq!(lab.tree("data/.sunhaul/days"), lab.tree("other/.sunhaul/days"));
}

#[test]
fn a_young_day_is_fetched_and_stays_provisional() {
    let lab = Lab::new();
    let server = old_service();
    // Longer than the day is old, whenever this runs.
    lab.write("job.yaml", Job::at(&server.url()).more("settle: 3650d").yaml().replace("2015-12", "2026-01"));
    let item = Item::new("young", "2026-01-11T18:22:08Z");
    server.file("sharp_720s", item, fits(1, 60, "2026-01-11T18:22:08"));
    let report = lab.report(0);
    assert_eq!(report["totals"]["days"]["provisional"], 1);
    assert_eq!(lab.day("data", "sharp_720s", "2026-01-11").header["state"], "provisional");
    let asked = server.requests().len();
    assert_eq!(lab.report(0)["totals"]["files"]["fetched"], 0);
    assert_eq!(server.requests().len(), asked + 2, "it is listed again, and its file is asked about");
}

/// The real files of `data/README.md` beside the repository, or nothing.
fn real_files() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/data/sharp"));
    found.into_iter().find(|folder| folder.is_dir())
}

/// A job of the real files, served from `folder`.
fn real_job(url: &str) -> String {
    Job::at(url).range("2011-02-15", "2011-02-16").series(&["{ name: hmi.sharp_cea_720s }"]).yaml()
}

#[test]
fn seven_real_segments_arrive_and_pass_their_checksums() {
    let Some(real) = real_files() else {
        println!("skipped: no real files beside the repository");
        return;
    };
    let lab = Lab::new();
    let service = lab.serve(&[real.to_str().expect("UTF-8")]);
    lab.write("job.yaml", real_job(service.url()));
    lab.report(0);
    let bodies = |digests: std::collections::BTreeMap<String, sunhaul::digest::Digest>| {
        digests.into_values().collect::<BTreeSet<_>>()
    };
    let served = std::fs::read_dir(&real)
        .expect("a folder")
        .map(|entry| sunhaul::digest::Digest::sha256(&std::fs::read(entry.expect("an entry").path()).expect("a file")));
    assert_eq!(bodies(lab.proved("data")), served.collect());
    let checked: Vec<_> = lab
        .days("data")
        .iter()
        .filter_map(|day| day.split_once('/'))
        .flat_map(|(series, date)| lab.day("data", series, date).files)
        .map(|file| file["checked"].clone())
        .collect();
    assert_eq!(checked, vec!["checksum"; 7]);
}

#[test]
fn a_flipped_bit_in_a_real_file_puts_that_file_alone_into_quarantine() {
    let Some(real) = real_files() else {
        println!("skipped: no real files beside the repository");
        return;
    };
    let lab = Lab::new();
    for entry in std::fs::read_dir(&real).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mut bytes = std::fs::read(&path).expect("a file");
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        if name.contains(".Br.") {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        lab.write(&format!("upstream/{name}"), bytes);
    }
    let service = lab.serve(&["upstream"]);
    let job = real_job(service.url()).replace("attempts: 3", "attempts: 2");
    lab.write("job.yaml", job);
    let report = lab.report(1);
    let failures = report["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["class"], "fits-checksum");
    assert_eq!(failures[0]["attempts"], 2);
    assert!(failures[0]["key"].as_str().expect("a key").contains("Br"), "{failures:?}");
    assert_eq!(report["totals"]["files"]["failed"], 1);
    assert_eq!(lab.files("data").len(), 6);
    assert!(!lab.tree("data/.sunhaul/work/quarantine").is_empty());
    assert!(lab.days("data").is_empty(), "the day is not sealed");
}
