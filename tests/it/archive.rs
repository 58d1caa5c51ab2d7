//! What an archive holds besides what a run puts there: the user's own files, damaged ones, other jobs', other specs'.

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";
const PLACE: &str = "data/sharp_720s/2015/12/11/sharp_720s_20151211_182208.fits";
const RECORD: &str = "data/.sunhaul/days/sharp_720s/2015-12-11.jsonl";

fn body() -> Vec<u8> {
    fits(1, 60, TIME)
}

fn server() -> Server {
    let server = Server::start();
    server.file("sharp_720s", Item::new(NAME, TIME), body());
    server
}

fn lab_for(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab
}

#[test]
fn a_users_own_file_is_never_displaced() {
    let server = server();
    let lab = lab_for(&server);
    lab.write(PLACE, "my own notes");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    assert_eq!(lab.read(PLACE), b"my own notes");
    assert!(lab.days("data").is_empty());
}

#[test]
fn a_file_with_the_same_bytes_is_kept() {
    let server = server();
    let lab = lab_for(&server);
    lab.write(PLACE, body());
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["kept"], 1, "{report:#}");
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn a_record_is_trusted_until_check_looks_at_the_files() {
    let server = server();
    let lab = lab_for(&server);
    lab.report(0);
    std::fs::remove_file(lab.path(PLACE)).expect("a file");
    assert_eq!(lab.report(0)["totals"]["files"]["fetched"], 0, "a run trusts the record");
    lab.run_with(&["--check"]).done();
    assert_eq!(lab.json("report.json")["totals"]["files"]["fetched"], 1);
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn d_10_a_cut_record_is_found_and_the_day_is_sealed_again_without_a_new_file() {
    let server = server();
    let lab = lab_for(&server);
    lab.report(0);
    let record = lab.read(RECORD);
    lab.write(RECORD, &record[..record.len() - 20]);
    let placed = std::fs::metadata(lab.path(PLACE)).and_then(|file| file.modified()).expect("a time");
    lab.run().stderr_has("2015-12-11.jsonl").done();
    let report = lab.json("report.json");
    assert_eq!(report["totals"]["files"]["kept"], 1, "{report:#}");
    assert_eq!(lab.read(RECORD), record, "the record is what it was");
    assert_eq!(std::fs::metadata(lab.path(PLACE)).and_then(|file| file.modified()).expect("a time"), placed);
}

#[test]
fn d_10_a_record_edited_by_hand_is_found_and_the_day_is_sealed_again() {
    let server = server();
    let lab = lab_for(&server);
    lab.report(0);
    let record = lab.read(RECORD);
    let text = String::from_utf8(record.clone()).expect("UTF-8");
    // Each edit keeps every length; planning reads the header, and `--check` the lines too.
    for (from, to, flags) in [
        ("\"files\":1,", "\"files\":2,", &[][..]),
        ("2015-12-12T00", "2015-12-12T01", &[][..]),
        ("\"checked\":\"checksum\"", "\"checked\":\"verified\"", &["--check"][..]),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        lab.write(RECORD, text.replace(from, to));
        lab.run_with(flags).stderr_has("2015-12-11.jsonl").done();
        assert_eq!(lab.read(RECORD), record, "{from}: the record is what it was");
    }
}

#[test]
fn another_job_on_the_same_days_is_an_error_that_says_what_to_do() {
    let server = server();
    let lab = lab_for(&server);
    lab.report(0);
    let record = lab.read(RECORD);
    let other = Job::at(&server.url()).yaml().replace("name: lab", "name: other");
    lab.forget_the_lock();
    lab.write("job.yaml", other.replace("archive: { root: data }", "archive: { root: data, layout: \"x/{file}\" }"));
    lab.run().status(2).stderr_has("as:").stderr_has("`lab`").done();
    assert_eq!(lab.read(RECORD), record);
    lab.sunhaul(&["plan", "job.yaml"]).status(2).stdout_has("refused").stdout_has("belongs to the job `lab`").done();
    let status = lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("").done().json();
    let month = &status["series"][0]["months"][0];
    assert_eq!((&month["refused"], &month["stale"], &month["files"]), (&1.into(), &0.into(), &0.into()), "{status:#}");
    assert_eq!(status["series"][0]["refused"][0]["job"], "lab");
}

#[test]
fn another_job_that_asks_for_the_same_shares_the_days() {
    let server = server();
    let lab = lab_for(&server);
    lab.report(0);
    lab.forget_the_lock();
    lab.write("job.yaml", Job::at(&server.url()).yaml().replace("name: lab", "name: other"));
    assert_eq!(lab.report(0)["totals"]["days"]["already_sealed"], 1);
}

/// A job of the built-in service with these segments.
fn segments(segments: &str) -> String {
    Job::embedded().series(&[&format!("{{ name: hmi.sharp_cea_720s, segments: [{segments}], cadence: 6h }}")]).yaml()
}

#[test]
fn other_segments_make_days_stale_and_only_what_is_missing_is_fetched() {
    let lab = Lab::new();
    lab.write("job.yaml", segments("Br, Bp"));
    lab.report(0);
    let before = lab.proved("data");
    let of = |segment: &str| {
        let files = before.keys().filter(|path| path.contains(segment));
        files.cloned().collect::<Vec<String>>()
    };
    let (kept, dropped) = (of("Br"), of("Bp"));
    assert!(!kept.is_empty() && kept.len() == dropped.len() && kept.len() * 2 == before.len(), "{before:?}");

    lab.write("job.yaml", segments("Br, Bt"));
    let plan = lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("stale").done();
    assert!(plan.json().is_object() || plan.json().is_array());
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["fetched"], dropped.len(), "{report:#}");
    assert_eq!(report["totals"]["files"]["have"], kept.len());
    let after = lab.proved("data");
    assert!(kept.iter().all(|path| after.get(path) == before.get(path)));
    assert!(!after.keys().any(|path| path.contains("Bp")) && after.keys().any(|path| path.contains("Bt")));
    let retired: Vec<_> = lab.tree("data/.sunhaul/work/retired").into_values().collect();
    assert!(dropped.iter().all(|path| retired.contains(&before[path])), "what is no longer requested is retired");

    lab.sunhaul(&["clean", "job.yaml"]).stdout_has("").chatty().done();
    assert_eq!(lab.proved("data"), after, "clean leaves the archive alone");
    assert!(lab.tree("data/.sunhaul/work").is_empty(), "and empties the work");
}

#[test]
fn more_unfinished_days_than_files_may_be_open_are_cleaned() {
    let lab = Lab::new();
    lab.write("job.yaml", segments("Br"));
    for day in 0..300 {
        let date = chrono::NaiveDate::from_ymd_opt(2015, 1, 1).expect("a date") + chrono::Days::new(day);
        lab.write(&format!("data/.sunhaul/work/journal/s/{date}.jsonl"), "");
        lab.write(&format!("data/.sunhaul/work/partial/s/{date}/x.part"), "x");
    }
    let command = format!("ulimit -n 64 && exec '{}' clean job.yaml", env!("CARGO_BIN_EXE_sunhaul"));
    lab.program("sh", &["-c", &command]).chatty().done();
    assert!(lab.tree("data/.sunhaul/work").is_empty());
}

#[test]
fn a_check_finds_files_that_are_gone_or_cut_and_fetches_these_alone() {
    let lab = Lab::new();
    lab.write("job.yaml", segments("Br, Bp"));
    lab.report(0);
    let (files, days) = (lab.proved("data"), lab.tree("data/.sunhaul/days"));
    let mut paths = files.keys();
    let (gone, cut) = (paths.next().expect("a file").clone(), paths.next().expect("another").clone());
    std::fs::remove_file(lab.path("data").join(&gone)).expect("removed");
    let whole = lab.read(&format!("data/{cut}"));
    lab.write(&format!("data/{cut}"), &whole[..whole.len() / 2]);
    assert_eq!(lab.report(0)["totals"]["files"]["fetched"], 0, "records are trusted");
    lab.run_with(&["--check"]).done();
    let report = lab.json("report.json");
    assert_eq!(report["totals"]["files"]["fetched"], 2, "{report:#}");
    assert_eq!((lab.proved("data"), lab.tree("data/.sunhaul/days")), (files, days));
    assert!(lab.tree("data/.sunhaul/work/retired").keys().any(|path| cut.ends_with(path.rsplit('/').next().unwrap())));
}

#[test]
fn what_a_killed_run_fetched_for_another_question_goes_when_the_manifest_is_put_back() {
    let server = server();
    let lab = Lab::new();
    let manifest = Job::at(&server.url()).range("2015-12-11T12:00:00", "2015-12-12").yaml();
    lab.write("job.yaml", &manifest);
    lab.report(0);
    let (files, days) = (lab.proved("data"), lab.tree("data/.sunhaul/days"));

    // Two more are listed by now. The one that was here is renamed.
    let (new, large) = (("new", "2015-12-11T20:00:00Z"), ("large", "2015-12-11T21:00:00Z"));
    server.file("sharp_720s", Item::new(new.0, new.1), fits(2, 20, new.1));
    let answer = Answer::file(fits(3, 800, large.1)).named("large.fits").stall_at(1_500_000);
    server.script_file("sharp_720s", Item::new(large.0, large.1), [answer]);
    let whole = manifest.replace("2015-12-11T12:00:00", "2015-12-11");
    lab.write("job.yaml", whole.replace("root: data", "root: data, layout: \"{series}/other/{file}\""));
    for kills in 1..=2 {
        let run = lab.run().start();
        server.wait_for_pauses(kills);
        lab.until("the file is there", |lab| lab.files("data").keys().any(|path| path.ends_with("/other/new.fits")));
        run.kill();
    }
    assert_eq!(lab.tree("data/.sunhaul/days"), days, "the record stands");
    assert_eq!(lab.files("data").len(), 3);

    lab.write("job.yaml", &manifest);
    let asked = server.requests().len();
    lab.run().stderr_has("nothing to do").stderr_has("went to `work/retired`").done();
    assert_eq!(server.requests().len(), asked);
    assert_eq!((lab.proved("data"), lab.tree("data/.sunhaul/days")), (files, days));
    let work: Vec<String> =
        lab.tree("data/.sunhaul/work").into_keys().filter(|path| !path.starts_with("staging/")).collect();
    assert_eq!(work, ["retired/sharp_720s/2015-12-11/new.fits"]);
    lab.run().stderr_has("nothing to do").done();
}

/// Two series that list the same file, over these ranges, under one path.
fn on_shared_ground(server: &Server, ranges: [&str; 2]) -> String {
    let one = |name: &str, range: &str| {
        format!(
            "{{ name: {name}, layout: \"{{date:%Y/%m/%d}}/{{file}}\", range: {{ start: {range}, end: 2015-12-12 }} }}"
        )
    };
    Job::at(&server.url()).series(&[&one("one", ranges[0]), &one("two", ranges[1])]).yaml()
}

#[test]
fn a_file_that_two_series_share_is_retired_with_the_last_of_them() {
    let server = Server::start();
    for series in ["one", "two"] {
        server.file(series, Item::new(NAME, TIME), body());
        server.file(series, Item::new("late", "2015-12-11T23:00:00Z"), fits(2, 60, TIME));
    }
    let lab = Lab::new();
    lab.write("job.yaml", on_shared_ground(&server, ["2015-12-11", "2015-12-11"]));
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 2, "both series name both files");
    let path = format!("2015/12/11/{NAME}.fits");
    lab.write("job.yaml", on_shared_ground(&server, ["2015-12-11T20:00:00", "2015-12-11"]));
    lab.report(0);
    assert!(lab.proved("data").contains_key(&path), "the other series still names it");
    lab.write("job.yaml", on_shared_ground(&server, ["2015-12-11T20:00:00", "2015-12-11T20:00:00"]));
    lab.report(0);
    assert_eq!(lab.proved("data").into_keys().collect::<Vec<_>>(), ["2015/12/11/late.fits"]);
}

#[test]
fn a_file_that_two_series_share_is_not_displaced_for_one_of_them() {
    let server = Server::start();
    let changed = Answer::file(fits(2, 60, TIME)).named(&format!("{NAME}.fits"));
    server.script_file("one", Item::new(NAME, TIME), [Answer::file(body()).named(&format!("{NAME}.fits")), changed]);
    server.file("two", Item::new(NAME, TIME), body());
    let lab = Lab::new();
    lab.write("job.yaml", on_shared_ground(&server, ["2015-12-11", "2015-12-11"]));
    lab.report(0);
    let files = lab.proved("data");
    let update = lab.sunhaul(&["update", "job.yaml"]).status(1).stdout_has("").chatty();
    update.stderr_has("collision").stderr_has("two 2015-12-11").done();
    assert_eq!(lab.proved("data"), files);
}

#[test]
fn a_users_file_at_a_path_that_a_killed_run_only_meant_to_use_is_theirs() {
    let server = server();
    let late = ("late", "2015-12-11T23:00:00Z");
    server.script_file("sharp_720s", Item::new(late.0, late.1), [Answer::status(403)]);
    let lab = lab_for(&server);
    lab.report(1);
    // As if it had been killed just before the name was given.
    lab.write(PLACE, vec![b'x'; body().len()]);
    let report = lab.report(1);
    let classes: Vec<_> = report["failures"].as_array().expect("failures").iter().map(|f| &f["class"]).collect();
    assert!(classes.contains(&&"occupied".into()), "{report:#}");
    assert_eq!(lab.read(PLACE), vec![b'x'; body().len()]);
    lab.write(PLACE, body());
    assert_eq!(lab.report(1)["totals"]["files"]["failed"], 1);
}

#[test]
fn a_run_leaves_no_folders_in_the_work_and_no_litter_among_the_records() {
    let server = server();
    let lab = lab_for(&server);
    lab.report(0);
    for kind in std::fs::read_dir(lab.path("data/.sunhaul/work")).expect("the work") {
        let kind = kind.expect("an entry").path();
        assert_eq!(std::fs::read_dir(&kind).expect("a folder").count(), 0, "{}", kind.display());
    }
    assert_eq!(lab.tree("data/.sunhaul/days").into_keys().collect::<Vec<_>>(), ["sharp_720s/2015-12-11.jsonl"]);
}
