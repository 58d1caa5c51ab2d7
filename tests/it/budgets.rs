//! Budgets: a run ends before its time, bytes or files are used up, and the next one goes on with nothing fetched twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use sunhaul::digest::Digest;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

/// A lock without days: the instant in it is the same in all archives, so that whole locks can be compared.
const BEGINNING: &str = "{\"lock\":{\"format\":\"lock/1\",\"job\":\"lab\",\"as_of\":\"2026-01-01T00:00:00Z\",\
                         \"detail\":\"files\",\"about\":\"begun by hand\"}}\n";
const DAYS: [&str; 3] = ["11", "12", "13"];
const HOURS: [&str; 4] = ["00", "06", "12", "18"];

/// A service with four files a day on three days.
fn service() -> Server {
    let server = Server::start();
    for (day, hour) in all() {
        let (name, time) = item(day, hour);
        server.file("sharp_720s", Item::new(&name, &time), fits(1, 60, &time));
    }
    server
}

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    DAYS.into_iter().flat_map(|day| HOURS.map(|hour| (day, hour)))
}

fn item(day: &str, hour: &str) -> (String, String) {
    (format!("sharp_720s_201512{day}_{hour}0000"), format!("2015-12-{day}T{hour}:00:00.000000Z"))
}

fn lab_for(server: &Server, concurrency: u32) -> Lab {
    let limits = format!("{{ requests: unlimited, bandwidth: unlimited, concurrency: {concurrency} }}");
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-14").limits(&limits).yaml());
    lab.write("job.lock", BEGINNING);
    lab
}

/// How often each file was asked for.
fn asked(server: &Server) -> Vec<usize> {
    all().map(|(day, hour)| server.requests_for(&format!("/HMI/sharp_720s/{}", item(day, hour).0)).len()).collect()
}

/// The user's files, the day records byte for byte, and the lock.
fn outcome(lab: &Lab) -> (BTreeMap<String, Digest>, BTreeMap<String, Digest>, String) {
    let lock = String::from_utf8(lab.read("job.lock")).expect("text");
    (lab.proved("data"), lab.tree("data/.sunhaul/days"), lock)
}

fn fetched(report: &Value) -> u64 {
    report["totals"]["files"]["fetched"].as_u64().expect("a count")
}

#[test]
fn max_files_ends_the_run_in_good_order_and_the_same_command_goes_on() {
    let server = service();
    let lab = lab_for(&server, 1);
    let told = lab
        .run_with(&["--max-files", "5"])
        .status(4)
        .stderr_has("note: --max-files: limit reached: no new downloads will start; running ones will finish")
        .stderr_has("lab incomplete: 5 files fetched")
        .stderr_has("the budget (`--max-files`) is used up; continue with: ")
        .done();
    assert!(told.stderr.ends_with(" run job.yaml --report report.json --max-files 5\n"), "{}", told.stderr);
    let report = lab.json("report.json");
    assert_eq!(report["run"]["result"], "incomplete");
    assert_eq!(report["run"]["ended_by"], "files");
    assert_eq!((fetched(&report), asked(&server).iter().sum::<usize>()), (5, 5));
    assert_eq!(report["failures"], json!([]), "what is left is nobody's failure");

    let report = lab.report_with(&["--max-files", "7"], 0);
    assert_eq!(fetched(&report), 7);
    assert_eq!(report["run"]["ended_by"], Value::Null, "spent to the last file, with nothing left to do");
    assert_eq!(asked(&server), [1; 12]);
}

#[test]
fn small_budgets_again_and_again_come_to_what_one_unbroken_run_makes() {
    let server = service();
    let straight = lab_for(&server, 4);
    straight.report(0);
    let expected = outcome(&straight);
    let one = fits(1, 60, &item("11", "00").1).len();
    // The sizes are not listed: that of the first file tells.
    for (budget, concurrency, most) in [
        (["--max-files", "1"], 4, 1),
        (["--max-files", "3"], 4, 3),
        (["--max-files", "5"], 2, 5),
        (["--max-bytes", &format!("{one}B")], 1, 1),
        (["--max-bytes", &format!("{}B", 3 * one - 1)], 1, 2),
        (["--max-bytes", &format!("{}B", 5 * one)], 4, 5),
        (["--max-bytes", "1B"], 1, 1),
        (["--max-bytes", "1B"], 4, 1),
    ] {
        let server = service();
        let lab = lab_for(&server, concurrency);
        let mut runs = 0;
        loop {
            runs += 1;
            assert!(runs <= 20, "{budget:?} goes round in circles");
            let code = lab.run_with(&budget).start().done_any().code;
            let report = lab.json("report.json");
            let (took, by) = (fetched(&report), report["run"]["ended_by"].clone());
            assert!(took <= most, "{budget:?}: {took} files");
            if code == 0 {
                assert_eq!(by, Value::Null);
                break;
            }
            assert_eq!((code, by.as_str(), report["failures"].clone()), (4, Some(&budget[0][6..]), json!([])));
            assert!(took > 0, "{budget:?} brought nothing");
        }
        assert_eq!(runs, 12u64.div_ceil(most), "{budget:?}");
        assert_eq!(outcome(&lab), expected, "{budget:?}");
        assert_eq!(asked(&server), [1; 12], "{budget:?}");
    }
}

#[test]
fn one_budget_is_for_all_jobs_of_a_command() {
    let server = service();
    let lab = lab_for(&server, 4);
    let job = Job::at(&server.url()).range("2015-12-11", "2015-12-12");
    lab.write("first.yaml", job.yaml().replace("name: lab", "name: first").replace("root: data", "root: first"));
    lab.write("last.yaml", job.yaml().replace("name: lab", "name: last").replace("root: data", "root: last"));
    let jobs = ["run", "first.yaml", "last.yaml", "--max-files"];
    lab.sunhaul(&[&jobs[..], &["6"]].concat())
        .status(4)
        .stderr_has("first complete: 4 files fetched")
        .stderr_has("last incomplete: 2 files fetched")
        .done();
    lab.sunhaul(&[&jobs[..], &["1"]].concat())
        .status(4)
        .stderr_has("first complete: nothing to do")
        .stderr_has("last incomplete: 1 file fetched")
        .done();
}

#[test]
fn what_is_not_whole_when_the_time_is_up_is_kept_as_a_part() {
    let large = fits(2, 1024, "2015-12-11T18:00:00.000000Z");
    let answer = || Answer::file(large.clone()).named("large.fits");
    let server = Server::start();
    let times = ["2015-12-11T06:00:00.000000Z", "2015-12-11T18:00:00.000000Z"];
    server.file("sharp_720s", Item::new("small", times[0]), fits(1, 60, times[0]));
    server.script_file("sharp_720s", Item::new("large", times[1]), [answer().stall_at(1_500_000), answer()]);
    let lab = Lab::new();
    // A stalled answer is waited for far longer than the budget has.
    lab.write("job.yaml", Job::at(&server.url()).timeouts("{ connect: 60s, stall: 60s }").yaml());
    let begun = Instant::now();
    let report = lab.report_with(&["--max-time", "2s"], 4);
    assert!(begun.elapsed() < Duration::from_secs(30), "it waited for what stalled: {:?}", begun.elapsed());
    assert_eq!((report["run"]["ended_by"].as_str(), fetched(&report)), (Some("time"), 1));
    assert_eq!((&report["totals"]["days"]["unfinished"], &report["failures"]), (&json!(1), &json!([])));

    let report = lab.report_with(&["--max-time", "50m"], 0);
    assert_eq!((&report["totals"]["files"]["resumed"], &report["totals"]["files"]["have"]), (&json!(1), &json!(1)));
    lab.proved("data");
}

#[test]
fn no_wait_goes_on_longer_than_there_is_time() {
    let busy = || Answer::status(503).header("Retry-After", "60");
    let patience = "{ attempts: 9, max_wait: 60s }";
    for (path, is_listing) in [("/HMI/sharp_720s", true), ("/HMI/sharp_720s/sharp_720s_20151211_000000", false)] {
        let server = service();
        server.script(path, [busy()]);
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).retry(patience).yaml());
        let begun = Instant::now();
        let report = lab.report_with(&["--max-time", "10s"], 4);
        // The other files wait as the host asked for; the one that failed does not come to its next try.
        let most = if is_listing { 8 } else { 30 };
        assert!(begun.elapsed() < Duration::from_secs(most), "{path}: {:?}", begun.elapsed());
        assert_eq!(report["run"]["ended_by"], "time", "{path}");
        assert_eq!(report["failures"], json!([]), "{path}: what may come yet is no failure");
        assert_eq!(server.requests_for(path).len(), 1);
    }
}

#[test]
fn a_second_look_that_would_come_too_late_is_left_to_the_next_run() {
    let server = service();
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-20", "2015-12-21").yaml());
    let begun = Instant::now();
    let report = lab.report_with(&["--max-time", "25s"], 4);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(report["run"]["ended_by"], "time");
}

#[test]
fn a_budget_that_is_none_is_told() {
    let lab = Lab::new();
    for (wrong, told) in [
        (["--max-time", "50"], "a duration without a unit\nhint: add a unit: `50s`, `50m`"),
        (["--max-bytes", "20"], "`20` is no number of bytes\nhint: write a number and B, kB, MB"),
        (["--max-files", "0"], "no number of files\nhint: write 1 or more"),
    ] {
        lab.run_with(&wrong).status(2).stderr_has(told).done();
    }
}

/// Copies a folder as a CI cache brings it back: other inodes, and every time the same wrong one.
fn restore(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            restore(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
            let file = File::options().write(true).open(&to).expect("the copy");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).expect("a time");
        }
    }
}

#[test]
fn an_archive_out_of_a_cache_is_trusted_whatever_its_times_say() {
    let server = service();
    let lab = lab_for(&server, 4);
    lab.report_with(&["--max-files", "7"], 4);
    fs::rename(lab.path("data"), lab.path("cache")).expect("another name");
    restore(&lab.path("cache"), &lab.path("data"));
    let report = lab.report(0);
    assert_eq!(fetched(&report), 5);
    assert_eq!(asked(&server), [1; 12]);

    let before = outcome(&lab);
    fs::rename(lab.path("data"), lab.path("again")).expect("another name");
    restore(&lab.path("again"), &lab.path("data"));
    lab.run().stderr_has("nothing to do, all 3 days are sealed").done();
    lab.run_with(&["--check"]).stderr_has("nothing to do, all 3 days are sealed").done();
    assert_eq!(outcome(&lab), before);
    assert_eq!(asked(&server), [1; 12]);
}
