//! The lock moved on purpose, and the check whether upstream has drifted from it.

use serde_json::Value;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const LOCK: &str = "job.lock";

/// A service with one file a day for three days, each from its seed; a seed of 0 leaves the file out.
fn service(seeds: [u32; 3]) -> Server {
    let server = Server::start();
    for (day, seed) in (11..).zip(seeds).filter(|(_, seed)| *seed > 0) {
        add(&server, day, "182208", seed);
    }
    server
}

fn add(server: &Server, day: u32, time: &str, seed: u32) {
    let [hour, minute, second] = [0, 2, 4].map(|at| &time[at..at + 2]);
    let date_obs = format!("2015-12-{day}T{hour}:{minute}:{second}.799999Z");
    server.file("sharp_720s", Item::new(&name(day, time), &date_obs), fits(seed, 60, &date_obs));
}

fn name(day: u32, time: &str) -> String {
    format!("sharp_720s_201512{day}_{time}")
}

fn job(server: &Server) -> String {
    Job::at(&server.url()).range("2015-12-11", "2015-12-14").yaml()
}

fn locked_lab(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job(server));
    lab.report(0);
    lab
}

fn lock(lab: &Lab) -> Vec<String> {
    String::from_utf8(lab.read(LOCK)).expect("text").lines().map(str::to_owned).collect()
}

fn update(lab: &Lab, args: &[&str], status: i32) -> Value {
    let all = [&["update", "job.yaml", "--json"], args].concat();
    lab.sunhaul(&all).status(status).chatty().stdout_has("{").done().json()
}

#[test]
fn an_update_moves_only_the_days_asked_for_and_names_old_and_new_hashes() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (before, files) = (lock(&lab), lab.proved("data"));
    let other = service([5, 6, 7]);
    lab.write("job.yaml", job(&other));
    let told = update(&lab, &["--range", "2015-12-12..2015-12-13"], 0);
    let path = "sharp_720s/2015/12/12/sharp_720s_20151212_182208.fits";
    let now = lab.proved("data");
    let expected = serde_json::json!([{
        "series": "sharp_720s", "date": "2015-12-12", "added": [], "removed": [],
        "changed": [{
            "path": path, "key": "/HMI/sharp_720s/sharp_720s_20151212_182208",
            "old": files[path].to_string(), "new": now[path].to_string(),
        }],
        "keywords_changed": 0,
    }]);
    assert_eq!(told["days"], expected);
    let after = lock(&lab);
    let moved: Vec<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(moved, [3, 4], "that day's lines, and no others");
    assert!(lab.tree("data").keys().any(|path| path.contains("work/retired") && path.contains("20151212_182208")));
    assert_eq!(other.requests_for("/HMI/sharp_720s").len(), 1, "one listing");
    lab.run_with(&["--locked"]).done();
}

#[test]
fn files_that_came_and_went_are_named() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let other = service([1, 2, 0]);
    add(&other, 13, "200000", 9);
    add(&other, 12, "200000", 8);
    lab.write("job.yaml", job(&other));
    let told = update(&lab, &[], 0);
    assert_eq!((&told["added"], &told["removed"], &told["changed"]), (&2.into(), &1.into(), &0.into()));
    assert_eq!(told["days"][1]["removed"][0]["path"], "sharp_720s/2015/12/13/sharp_720s_20151213_182208.fits");
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout("3 days updated: nothing changed\n").done();
}

#[test]
fn a_file_without_validators_is_fetched_again_to_know_it() {
    let bare = |seed: u32| {
        let server = Server::start();
        let time = "2015-12-11T18:22:08.799999Z";
        let answer = Answer::file(fits(seed, 60, time)).etag(None).last_modified(None);
        server.script_file("sharp_720s", Item::new(&name(11, "182208"), time), [answer]);
        server
    };
    let lab = Lab::new();
    let one_day = |server: &Server| Job::at(&server.url()).yaml();
    let server = bare(1);
    lab.write("job.yaml", one_day(&server));
    lab.report(0);
    let server = bare(2);
    lab.write("job.yaml", one_day(&server));
    assert_eq!(update(&lab, &[], 0)["changed"], 1);
    assert_eq!(server.requests().len(), 2, "a listing and the file");
}

#[test]
fn a_dry_run_tells_drift_and_touches_nothing() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (before, tree) = (lab.read(LOCK), lab.tree("data"));
    let same = update(&lab, &["--dry-run"], 0);
    assert_eq!((&same["compared"], &same["days"]), (&3.into(), &serde_json::json!([])));

    let other = service([1, 0, 7]);
    add(&other, 11, "200000", 9);
    lab.write("job.yaml", job(&other));
    let told = update(&lab, &["--dry-run"], 3);
    assert_eq!((&told["added"], &told["removed"], &told["changed"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!(told["days"][0]["added"][0]["key"], "/HMI/sharp_720s/sharp_720s_20151211_200000");
    assert_eq!(told["days"][1]["removed"][0]["path"], "sharp_720s/2015/12/12/sharp_720s_20151212_182208.fits");
    assert_eq!(other.requests().len(), 3, "three listings and no body");

    let told = update(&lab, &["--dry-run", "--sample", "100%"], 3);
    assert_eq!((&told["changed"], &told["sampled"]), (&1.into(), &2.into()));
    assert!(told["days"][2]["changed"][0]["new"].is_string());
    assert_eq!(told["by"], serde_json::json!({ "hash": 2, "size": 0, "keywords": 0, "recnum": 0, "nothing": 0 }));
    let dry = |more: &[&str]| lab.sunhaul(&[&["update", "job.yaml", "--dry-run"], more].concat()).status(3);
    dry(&["--files"]).stdout_has("removed  sharp_720s/2015/12/12").stdout_has("added    sharp_720s/2015/12/11/").done();
    // Nothing that is listed tells whether the two files of both sides changed.
    dry(&[])
        .stdout(
            "sharp_720s 2015-12-11: 1 added, 0 removed; 1 file: 1 not compared\n\
             sharp_720s 2015-12-12: 0 added, 1 removed, 0 changed\n\
             3 days compared: 1 added, 1 removed; 2 files: 2 not compared\n",
        )
        .done();
    assert_eq!((lab.read(LOCK), lab.tree("data")), (before, tree));
}

#[test]
fn a_dry_run_says_by_what_it_compared_and_nothing_of_what_it_did_not() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let dry = |more: &[&str]| lab.sunhaul(&[&["update", "job.yaml", "--dry-run"], more].concat()).chatty();
    dry(&[]).stdout("3 days compared: no files added or removed; 3 files: 3 not compared\n").done();
    let sampled = "3 days compared: nothing changed; 3 files fetched and hashed; 3 files: compared 3 by hash\n";
    dry(&["--sample", "100%"]).stdout(sampled).done();
}

#[test]
fn a_dry_run_and_the_update_agree_where_an_absent_file_is_not_listed_any_more() {
    let (gone, time) = (name(11, "200000"), "2015-12-11T20:00:00.799999Z");
    let server = service([1, 2, 3]);
    server.script_file("sharp_720s", Item::new(&gone, time), [Answer::status(404)]);
    let lab = locked_lab(&server);
    assert_eq!(update(&lab, &["--dry-run"], 0)["removed"], 0);
    let later = service([1, 2, 3]);
    lab.write("job.yaml", job(&later));
    let told = update(&lab, &["--dry-run"], 3);
    assert_eq!(told["days"][0]["removed"][0]["key"], format!("/HMI/sharp_720s/{gone}"), "{told:#}");
    assert_eq!(update(&lab, &[], 0)["removed"], 1);
    assert_eq!(update(&lab, &["--dry-run"], 0)["removed"], 0);
}

#[test]
fn a_service_that_does_not_answer_is_no_drift() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let before = lab.read(LOCK);
    drop(server);
    let told = update(&lab, &["--dry-run"], 4);
    assert_eq!((&told["compared"], told["failed"].as_array().expect("days").len()), (&0.into(), 3));
    assert_eq!(told["failed"][0]["class"], "unreachable");
    let told = "0 days updated: nothing changed; 3 days not updated: the lock keeps them as they were, and \
                `sunhaul run` restores replaced files\n";
    lab.sunhaul(&["update", "job.yaml"]).status(4).chatty().stdout(told).done();
    assert_eq!(lab.read(LOCK), before);
}

#[test]
fn a_day_that_an_update_left_half_done_is_restored_as_locked_and_nobody_is_asked() {
    let server = service([1, 2, 3]);
    add(&server, 11, "200000", 4);
    let lab = locked_lab(&server);
    let (before, locked) = (lab.proved("data"), lab.read(LOCK));
    // One file of the day changed, and another one cannot be had.
    let later = service([5, 2, 3]);
    let failing = Item::new(&name(11, "200000"), "2015-12-11T20:00:00.799999Z");
    later.script_file("sharp_720s", failing, [Answer::status(403)]);
    lab.write("job.yaml", job(&later));
    let told = update(&lab, &[], 1);
    assert_eq!((lab.days("data").len(), lab.read(LOCK)), (2, locked), "{told:#}");
    let words = "unfinished sharp_720s 2015-12-11: the lock has it, and it has no record\n";
    lab.sunhaul(&["verify", "job.yaml"]).status(1).stdout_has(words).stderr_has("`sunhaul run` finishes days").done();
    lab.sunhaul(&["verify", "job.yaml"]).status(1).chatty().stdout_has("hashed: 1 unfinished day\n").done();
    lab.sunhaul(&["verify", "job.yaml", "--range", "2015-12-12.."]).stdout_has("no problems found").done();
    let asked = later.requests().len();
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["restored"], later.requests().len()), (&1.into(), asked), "{report:#}");
    assert_eq!(lab.proved("data"), before);
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").done();
    // What came of the later version is not lost: it is taken back with the lock that has it.
    add(&later, 11, "200000", 4);
    update(&lab, &[], 0);
    assert_ne!(lab.proved("data"), before);
    lab.run_with(&["--frozen"]).done();
}

#[test]
fn a_lock_that_is_checked_out_restores_its_days_without_a_request() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (before, locked) = (lab.proved("data"), lab.read(LOCK));
    let later = service([5, 6, 7]);
    lab.write("job.yaml", job(&later));
    update(&lab, &[], 0);
    let (after, moved) = (lab.proved("data"), lab.read(LOCK));
    for (lock, files) in [(&locked, &before), (&moved, &after), (&locked, &before)] {
        let asked = later.requests().len();
        lab.write(LOCK, lock);
        lab.report(0);
        assert_eq!((&lab.proved("data"), later.requests().len()), (files, asked));
    }
}

#[test]
fn what_cannot_be_updated_is_told() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server));
    lab.sunhaul(&["update", "job.yaml"]).status(2).stderr_has("there is no lock `job.lock`").done();
    lab.report(0);
    for (args, why) in [
        (&["--range", "2016-01-01..2016-01-02"][..], "the lock has none of these days"),
        (&["--series", "sharp_72s"], "did you mean `sharp_720s`?"),
        (&["--sample", "5%"], "--dry-run"),
        (&["--dry-run", "--sample", "0%"], "this is not a share"),
        (&["--dry-run", "--sample", "lots"], "this is not a share"),
    ] {
        lab.sunhaul(&[&["update", "job.yaml"], args].concat()).status(2).stderr_has(why).done();
    }
}

#[test]
fn days_that_could_not_be_updated_are_not_counted_as_updated() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let before = lock(&lab);
    let other = service([5, 0, 7]);
    let time = "2015-12-12T18:22:08.799999Z";
    other.script_file("sharp_720s", Item::new(&name(12, "182208"), time), [Answer::status(500)]);
    lab.write("job.yaml", job(&other));
    let told = update(&lab, &[], 4);
    assert_eq!((&told["compared"], &told["not_updated"], &told["changed"]), (&2.into(), &1.into(), &2.into()));
    assert_eq!(lock(&lab)[3..5], before[3..5], "the lock keeps what it has of the day");
}

#[test]
fn a_file_that_comes_wrong_is_asked_for_by_each_update_and_by_no_run() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let other = service([1, 0, 3]);
    let time = "2015-12-12T18:22:08.799999Z";
    let mut body = fits(5, 60, time);
    body[4000] ^= 1;
    other.file("sharp_720s", Item::new(&name(12, "182208"), time), body);
    lab.write("job.yaml", job(&other));
    for times in 1..3 {
        let spoken = lab.sunhaul(&["update", "job.yaml"]).status(1).chatty().stdout_has("1 day not updated").done();
        assert!(spoken.stderr.contains("; the same command requests it again"), "{}", spoken.stderr);
        assert!(!spoken.stderr.contains("--retry-failed"), "{}", spoken.stderr);
        assert_eq!(other.requests_for("/HMI/sharp_720s/sharp_720s_20151212_182208").len(), 3 * times, "its attempts");
    }
    // The day is as the lock says: for a run there is nothing to do.
    lab.report(0);
    assert_eq!(other.requests_for("/HMI/sharp_720s/sharp_720s_20151212_182208").len(), 6);
}

#[test]
fn an_update_of_a_lock_of_days_alone_tells_the_digests() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    let days_alone = |server: &Server| format!("{}lock: {{ detail: day }}\n", job(server));
    lab.write("job.yaml", days_alone(&server));
    lab.report(0);
    let other = service([1, 5, 3]);
    lab.write("job.yaml", days_alone(&other));
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("3 days updated: 1 digest changed\n").done();
}

#[test]
fn a_file_that_an_unfinished_repair_held_is_asked_for_again_like_any_other() {
    let server = service([1, 2, 3]);
    add(&server, 12, "200000", 4);
    let lab = locked_lab(&server);
    let (kept, damaged) = (name(12, "182208"), name(12, "200000"));
    // Upstream has another second file: what was damaged cannot be repaired, and the day stays unfinished.
    let replace = |file: &str, time: &str, seed| {
        let body = fits(seed, 60, time);
        server.script(&format!("/HMI/sharp_720s/{file}"), [Answer::file(body).named(&format!("{file}.fits"))]);
    };
    replace(&damaged, "2015-12-12T20:00:00.799999Z", 5);
    lab.write(&format!("data/sharp_720s/2015/12/12/{damaged}.fits"), "damaged");
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).status(3).chatty().stdout_has("not repaired yet").done();
    // Then the first one changes too, and stays as long as it was.
    replace(&kept, "2015-12-12T18:22:08.799999Z", 6);
    update(&lab, &[], 0);
    let due = [(&kept, "2015-12-12T18:22:08.799999Z", 6), (&damaged, "2015-12-12T20:00:00.799999Z", 5)];
    for (file, time, seed) in due {
        let body = lab.read(&format!("data/sharp_720s/2015/12/12/{file}.fits"));
        assert!(body == fits(seed, 60, time), "{file} is of today");
    }
    lab.run_with(&["--frozen", "--archive", "fresh"]).done();
}

#[test]
fn a_file_that_is_not_listed_any_more_and_not_as_locked_is_asked_for_nowhere() {
    let server = service([1, 2, 3]);
    add(&server, 12, "200000", 4);
    let lab = locked_lab(&server);
    // Another archive of the job has moved the lock to a second version.
    let later = service([1, 2, 3]);
    add(&later, 12, "200000", 5);
    lab.write("job.yaml", job(&later));
    lab.sunhaul(&["update", "job.yaml", "--archive", "another"]).stdout_has("1 changed").chatty().done();
    // Then the file is gone from the listing.
    let gone = service([1, 2, 3]);
    lab.write("job.yaml", job(&gone));
    lab.run().status(3).done();
    let report = lab.json("report.json");
    assert_eq!(report["failures"][0]["class"], "lock-mismatch", "{report:#}");
    assert!(gone.requests().iter().all(|request| request.path != "/"), "what is not listed has no address");
    let kept = format!("data/sharp_720s/2015/12/12/{}.fits", name(12, "200000"));
    assert!(lab.read(&kept) == fits(4, 60, "2015-12-12T20:00:00.799999Z"), "what was here stays");
}
