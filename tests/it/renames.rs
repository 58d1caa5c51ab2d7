//! A changed layout renames: files whose bytes are known get their new paths, and nothing is asked for them.

use std::collections::BTreeMap;

use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const DAYS: [&str; 2] = ["2015-12-11", "2015-12-12"];
const HOURS: [u32; 3] = [2, 10, 18];
const FLAT: &str = "{series}/{date:%Y%m%d}_{file}";
const BY_DAY: &str = "{series}/{date:%Y/%m/%d}/{file}";

/// A service of some files a day.
fn service() -> Server {
    let server = Server::start();
    for (day, seed) in DAYS.into_iter().zip([10, 20]) {
        for hour in HOURS {
            let time = format!("{day}T{hour:02}:22:08Z");
            server.file("sharp_720s", Item::new(&name(day, hour), &time), fits(seed + hour, 20, &time));
        }
    }
    server
}

fn name(day: &str, hour: u32) -> String {
    format!("sharp_720s_{}_{hour:02}2208", day.replace('-', ""))
}

fn job(server: &Server) -> Job {
    Job::at(&server.url()).range(DAYS[0], "2015-12-13")
}

fn laid_out(job: &Job, layout: &str) -> String {
    job.yaml().replace("root: data", &format!("root: data, layout: \"{layout}\""))
}

/// How often files were asked for.
fn asked(server: &Server) -> usize {
    server.requests().iter().filter(|request| request.path.contains("sharp_720s/")).count()
}

fn files(report: &Value) -> BTreeMap<String, u64> {
    let files = report["totals"]["files"].as_object().expect("figures");
    files.iter().map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).filter(|(_, n)| *n > 0).collect()
}

fn only(end: &str, count: u64) -> BTreeMap<String, u64> {
    [("listed", count), (end, count)].map(|(name, count)| (name.to_owned(), count)).into()
}

fn retired(lab: &Lab) -> Vec<String> {
    lab.tree("data/.sunhaul/work/retired").into_keys().collect()
}

/// Digests by the last part of a path.
fn by_name(files: &BTreeMap<String, Digest>) -> BTreeMap<String, Digest> {
    let name = |path: &str| {
        let last = path.rsplit('/').next().expect("a name");
        last[last.find("sharp_720s_").expect("the name")..].to_owned()
    };
    files.iter().map(|(path, digest)| (name(path), *digest)).collect()
}

#[test]
fn a_changed_layout_renames_and_asks_for_no_file() {
    let (server, lab) = (service(), Lab::new());
    lab.write("job.yaml", laid_out(&job(&server), BY_DAY));
    lab.report(0);
    let before = lab.proved("data");
    assert_eq!((before.len(), asked(&server)), (6, 6));
    for layout in [FLAT, BY_DAY, "{series}/{time:%H}/{date:%Y%m%d}_{file}"] {
        let sealed = lab.proved("data");
        lab.write("job.yaml", laid_out(&job(&server), layout));
        lab.run().stderr_has("6 files renamed, 0 files fetched").stderr_has("6 files listed: 6 renamed").done();
        let report = lab.json("report.json");
        assert_eq!(files(&report), only("renamed", 6), "{report:#}");
        let now = lab.proved("data");
        assert!(now.keys().all(|path| !sealed.contains_key(path)), "{now:?}");
        assert_eq!(by_name(&now), by_name(&before));
        assert_eq!(asked(&server), 6, "no file is asked for again");
        assert!(retired(&lab).is_empty(), "{:?}", retired(&lab));
        let lock = String::from_utf8(lab.read("job.lock")).expect("text");
        assert!(now.keys().all(|path| lock.contains(&format!("\"path\":\"{path}\""))), "{lock}");
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
        lab.run().stderr_has("nothing to do").done();
        // What an answer said of a file is still known.
        assert!(lab.day("data", "sharp_720s", DAYS[0]).files.iter().all(|file| file.get("etag").is_some()));
        assert!(lab.day("data", "sharp_720s", DAYS[0]).files.iter().all(|file| file.get("preexisting").is_none()));
    }
}

#[test]
fn a_changed_cadence_and_layout_rename_what_stays_and_retire_the_rest() {
    let lab = Lab::new();
    let job = |cadence, layout| {
        laid_out(&Job::embedded().series(&[&format!("{{ name: sharp_720s, cadence: {cadence} }}")]), layout)
    };
    lab.write("job.yaml", job("6h", BY_DAY));
    let all = files(&lab.report(0))["fetched"];
    lab.write("job.yaml", job("12h", FLAT));
    let report = lab.report(0);
    let stays = files(&report)["renamed"];
    assert_eq!(files(&report), only("renamed", stays), "{report:#}");
    assert!((1..all).contains(&stays), "{stays} of {all}");
    assert_eq!(lab.proved("data").len() as u64, stays);
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
}

#[test]
fn files_that_exchange_their_paths_do_so_without_a_request() {
    let server = Server::start();
    for (seed, time) in [(1, "2015-12-11T18:22:08Z"), (2, "2015-12-11T22:18:08Z")] {
        let name = name("2015-12-11", seed);
        server.file("sharp_720s", Item::new(&name, time), fits(seed, 20, time));
    }
    let lab = Lab::new();
    let job = |name: &str| laid_out(&Job::at(&server.url()), &format!("{{series}}/{{time:{name}}}.fits"));
    lab.write("job.yaml", job("%H"));
    lab.report(0);
    let before = lab.proved("data");
    lab.write("job.yaml", job("%M"));
    let report = lab.report(0);
    let count = |end: &str| report["totals"]["files"][end].as_u64().expect("a count");
    assert_eq!((count("renamed") + count("restored"), count("fetched")), (2, 0), "{report:#}");
    let (now, paths) = (lab.proved("data"), ["sharp_720s/18.fits", "sharp_720s/22.fits"]);
    assert_eq!((now[paths[0]], now[paths[1]]), (before[paths[1]], before[paths[0]]));
    assert!(retired(&lab).is_empty(), "{:?}", retired(&lab));
    assert_eq!(asked(&server), 2);
}

#[test]
fn a_file_of_the_users_at_a_new_path_is_in_the_way_and_stays() {
    let (server, lab) = (service(), Lab::new());
    lab.write("job.yaml", laid_out(&job(&server), BY_DAY));
    lab.report(0);
    let before = lab.proved("data");
    let own = format!("data/sharp_720s/20151211_{}.fits", name(DAYS[0], 10));
    lab.write(&own, "my notes");
    lab.write("job.yaml", laid_out(&job(&server), FLAT));
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    assert_eq!(lab.read(&own), b"my notes");
    for (path, digest) in before.iter().filter(|(path, _)| path.contains("/11/")) {
        assert_eq!(lab.files("data").get(path), Some(digest), "the day is as it was");
    }
    std::fs::remove_file(lab.path(&own)).expect("a file");
    lab.report(0);
    assert_eq!((by_name(&lab.proved("data")), asked(&server)), (by_name(&before), 6));
    assert!(retired(&lab).is_empty());
}

#[test]
fn what_was_damaged_at_its_old_path_is_fetched_and_not_renamed() {
    let (server, lab) = (service(), Lab::new());
    lab.write("job.yaml", laid_out(&job(&server), BY_DAY));
    lab.report(0);
    let before = lab.proved("data");
    let damaged = format!("data/sharp_720s/2015/12/11/{}.fits", name(DAYS[0], 10));
    let mut bytes = lab.read(&damaged);
    bytes[40] ^= 1;
    lab.write(&damaged, &bytes);
    lab.write("job.yaml", laid_out(&job(&server), FLAT));
    lab.run().stderr_has("it was changed since then, and stays").done();
    let report = lab.json("report.json");
    assert_eq!((files(&report)["renamed"], files(&report)["fetched"]), (5, 1), "{report:#}");
    assert_eq!(lab.read(&damaged), bytes);
    std::fs::remove_file(lab.path(&damaged)).expect("a file");
    assert_eq!(by_name(&lab.proved("data")), by_name(&before));
}

#[test]
fn files_of_a_day_that_is_not_final_are_asked_about_and_renamed() {
    let time = "2026-01-11T18:22:08Z";
    let answer = |seed| Answer::file(fits(seed, 20, time)).named(&format!("{}.fits", name("2026-01-11", 18)));
    for changes in [false, true] {
        let server = Server::start();
        let answers = [answer(1), answer(if changes { 2 } else { 1 })];
        server.script_file("sharp_720s", Item::new(&name("2026-01-11", 18), time), answers);
        let lab = Lab::new();
        let young = Job::at(&server.url()).range("2026-01-11", "2026-01-12").more("settle: 3650d");
        lab.write("job.yaml", laid_out(&young, BY_DAY));
        lab.report(0);
        lab.write("job.yaml", laid_out(&young, FLAT));
        let report = lab.report(0);
        assert_eq!(files(&report), only(if changes { "fetched" } else { "renamed" }, 1), "{report:#}");
        assert_eq!(asked(&server), 2);
        let now = lab.proved("data").into_values().collect::<Vec<_>>();
        assert_eq!(now, [Digest::sha256(&fits(if changes { 2 } else { 1 }, 20, time))]);
        assert_eq!(retired(&lab).len(), usize::from(changes));
    }
}

#[test]
fn a_users_own_file_is_copied_to_the_new_path_and_stays_at_the_old_one() {
    let (server, lab) = (service(), Lab::new());
    let (path, seed) = (format!("data/sharp_720s/2015/12/11/{}.fits", name(DAYS[0], 10)), 20);
    lab.write(&path, fits(seed, 20, &format!("{}T10:22:08Z", DAYS[0])));
    lab.write("job.yaml", laid_out(&job(&server), BY_DAY));
    assert_eq!(files(&lab.report(0))["kept"], 1);
    lab.write("job.yaml", laid_out(&job(&server), FLAT));
    let report = lab.report(0);
    assert_eq!(files(&report), only("renamed", 6), "{report:#}");
    let old = lab.read(&path);
    let new = format!("data/sharp_720s/20151211_{}.fits", name(DAYS[0], 10));
    assert_eq!(lab.read(&new), old);
    // The user's later changes are the user's alone.
    lab.write(&path, "mine");
    assert_eq!(lab.read(&new), old);
}

#[test]
fn a_file_that_was_damaged_before_its_layout_changed_is_fetched_as_its_source_lists_it_now() {
    let (server, lab) = (service(), Lab::new());
    let (name, time) = (name(DAYS[0], HOURS[1]), format!("{}T{:02}:22:08Z", DAYS[0], HOURS[1]));
    let listed = |bytes: &[u8]| Item::new(&name, &time).sized(bytes.len() as u64);
    let (first, later) = (fits(10 + HOURS[1], 20, &time), fits(99, 40, &time));
    server.list_anew("sharp_720s", listed(&first));
    lab.write("job.yaml", laid_out(&job(&server), BY_DAY));
    lab.report(0);
    let path = format!("data/sharp_720s/2015/12/11/{name}.fits");
    let mut damaged = lab.read(&path);
    damaged[100] ^= 1;
    lab.write(&path, damaged);
    server.list_anew("sharp_720s", listed(&later));
    server.script(&format!("/HMI/sharp_720s/{name}"), [Answer::file(later.clone()).named(&format!("{name}.fits"))]);
    lab.forget_the_lock();
    lab.write("job.yaml", laid_out(&job(&server), FLAT));
    let asked_before = asked(&server);
    let report = lab.report(0);
    assert_eq!((asked(&server) - asked_before, &files(&report)["fetched"]), (1, &1), "{report:#}");
    assert_eq!(by_name(&lab.files("data"))[&format!("{name}.fits")], Digest::sha256(&later), "{report:#}");
    lab.run().stderr_has("nothing to do").done();
}
