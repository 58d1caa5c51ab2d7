//! `sunhaul verify`: what an archive holds against its records, and `--repair`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, FlockOperation, Mode, flock, mknodat};
use serde_json::Value;

use crate::lab::{Answer, Item, Job, Lab, Server, add_up, fits};

/// Three files of one day, by name and time.
const FILES: [(&str, &str); 3] = [
    ("sharp_720s_20151211_000008", "2015-12-11T00:00:08Z"),
    ("sharp_720s_20151211_120008", "2015-12-11T12:00:08Z"),
    ("sharp_720s_20151211_182208", "2015-12-11T18:22:08Z"),
];
const DAY: &str = "sharp_720s/2015/12/11";
const RECORD: &str = "data/.sunhaul/days/sharp_720s/2015-12-11.jsonl";

/// An archive of the three files, whole, and the service that it came from.
fn whole() -> (Lab, Server) {
    let server = Server::start();
    for (seed, (name, time)) in (1..).zip(FILES) {
        server.file("sharp_720s", Item::new(name, time), fits(seed, 60, time));
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.report(0);
    (lab, server)
}

fn path(index: usize) -> String {
    format!("{DAY}/{}.fits", FILES[index].0)
}

fn place(index: usize) -> String {
    format!("data/{}", path(index))
}

/// How often a file was asked for.
fn asked(server: &Server, index: usize) -> usize {
    server.requests_for(&format!("/HMI/sharp_720s/{}", FILES[index].0)).len()
}

fn flip(lab: &Lab, index: usize) {
    let mut bytes = lab.read(&place(index));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    lab.write(&place(index), bytes);
}

#[track_caller]
fn all_is_right(lab: &Lab) {
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("3 files of 1 day").stdout_has("no problems found").done();
}

/// What is found, as `what path`.
#[track_caller]
fn findings(lab: &Lab, more: &[&str], status: i32) -> Vec<String> {
    let said = lab.sunhaul(&[&["verify", "job.yaml", "--json"], more].concat()).status(status).stdout_has("").chatty();
    let json = said.done().json();
    assert_eq!(json["exit_code"], status, "{json:#}");
    let told = |finding: &Value| {
        format!("{} {}", finding["what"].as_str().expect("a word"), finding["path"].as_str().expect("a path"))
    };
    json["findings"].as_array().expect("findings").iter().map(told).collect()
}

#[test]
fn a_flipped_byte_is_found_repaired_with_one_request_and_gone() {
    let (lab, server) = whole();
    all_is_right(&lab);
    let before = lab.proved("data");
    flip(&lab, 1);
    let flipped = lab.files("data")[&path(1)];
    lab.sunhaul(&["verify", "job.yaml"])
        .status(1)
        .stdout_has(&format!("changed    {}: expected sha256 {}, found sha256 {flipped}", path(1), before[&path(1)]))
        .stdout_has("1 changed")
        .stderr_has("--repair")
        .done();
    lab.sunhaul(&["verify", "job.yaml", "--repair"])
        .stdout_has(&format!("retired    {}", path(1)))
        .stdout_has("1 file retired, 1 fetched, 1 day: repaired")
        .chatty()
        .done();
    assert_eq!([0, 1, 2].map(|index| asked(&server, index)), [1, 2, 1]);
    assert_eq!(lab.proved("data"), before);
    assert_eq!(lab.tree("data/.sunhaul/work/retired").into_values().collect::<Vec<_>>(), [flipped]);
    all_is_right(&lab);
}

#[test]
fn everything_that_can_be_wrong_with_a_file_is_told_and_repaired() {
    let (lab, server) = whole();
    let before = lab.proved("data");
    fs::remove_file(lab.path(&place(0))).expect("a file");
    let cut = lab.read(&place(1));
    lab.write(&place(1), &cut[..cut.len() - 1]);
    lab.write("elsewhere.fits", lab.read(&place(2)));
    fs::remove_file(lab.path(&place(2))).expect("a file");
    symlink(lab.path("elsewhere.fits"), lab.path(&place(2))).expect("a link");
    let found = ["missing", "changed", "changed"];
    let found: Vec<String> = (0..).zip(found).map(|(index, what)| format!("{what} {}", path(index))).collect();
    assert_eq!(findings(&lab, &[], 1), found);
    lab.sunhaul(&["verify", "job.yaml"])
        .status(1)
        .stdout_has(&format!("expected {} bytes, found {}", cut.len(), cut.len() - 1))
        .stdout_has("found a symlink")
        .stdout_has("1 missing, 2 changed")
        .chatty()
        .done();
    assert_eq!(findings(&lab, &["--repair"], 0), found);
    assert_eq!(lab.proved("data"), before);
    assert!(lab.path("elsewhere.fits").exists(), "what a link led to is nobody's business");
    assert_eq!([0, 1, 2].map(|index| asked(&server, index)), [2, 2, 2]);
    all_is_right(&lab);
}

#[test]
fn a_pipe_in_a_files_place_is_changed_and_not_waited_for() {
    let (lab, _server) = whole();
    fs::remove_file(lab.path(&place(0))).expect("a file");
    mknodat(rustix::fs::CWD, lab.path(&place(0)), FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
    assert_eq!(findings(&lab, &[], 1), [format!("changed {}", path(0))]);
    assert_eq!(findings(&lab, &["--repair"], 0), [format!("changed {}", path(0))]);
    all_is_right(&lab);
}

#[test]
fn a_folder_in_a_files_place_stays() {
    let (lab, _server) = whole();
    fs::remove_file(lab.path(&place(0))).expect("a file");
    lab.write(&format!("{}/notes.txt", place(0)), "mine");
    let extra = format!("extra {}/notes.txt", path(0));
    assert_eq!(findings(&lab, &["--repair"], 1), [format!("changed {}", path(0)), extra]);
    assert_eq!(lab.read(&format!("{}/notes.txt", place(0))), b"mine");
}

#[test]
fn a_link_on_the_way_to_files_is_not_followed() {
    let (lab, _server) = whole();
    fs::rename(lab.path("data/sharp_720s"), lab.path("elsewhere")).expect("moved");
    symlink(lab.path("elsewhere"), lab.path("data/sharp_720s")).expect("a link");
    let found = findings(&lab, &[], 1);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.contains(&"extra sharp_720s".to_owned()) && found.contains(&format!("missing {}", path(0))));
}

#[test]
fn extra_files_are_told_and_never_touched() {
    let (lab, server) = whole();
    lab.write("data/notes.txt", "mine");
    // `export --format ro-crate` writes there.
    lab.write("data/ro-crate-metadata.json", "{}");
    lab.write(&format!("data/{DAY}/.hidden"), "mine");
    let extra = ["extra notes.txt".to_owned(), format!("extra {DAY}/.hidden")];
    for name in [".DS_Store", ".nfs000000000123", "._a.fits", "@eaDir/a.fits"] {
        lab.write(&format!("data/{DAY}/{name}"), "a system's");
    }
    assert_eq!(findings(&lab, &[], 0), extra);
    assert_eq!(findings(&lab, &["--strict"], 1), extra);
    lab.sunhaul(&["verify", "job.yaml"])
        .stdout_has(": no problems found\n  2 files that no record names\n  4 files left by a system")
        .chatty()
        .done();
    assert_eq!(findings(&lab, &["--series", "sharp_720s"], 0), [""; 0], "a part of a job tells nothing of the rest");
    assert_eq!(findings(&lab, &["--repair"], 0), extra);
    flip(&lab, 0);
    let said = lab.sunhaul(&["verify", "job.yaml", "--repair"]).stdout_has("extra").stdout_has("repaired");
    said.stderr_has("extra files are left as they are").done();
    assert_eq!((lab.read("data/notes.txt"), asked(&server, 0)), (b"mine".to_vec(), 2));
}

#[test]
fn days_of_a_series_that_the_manifest_has_no_more_are_named_with_the_way_to_take_them_out() {
    let (lab, _server) = whole();
    let manifest = String::from_utf8(lab.read("job.yaml")).expect("text");
    lab.write("job.yaml", manifest.replace("{ name: sharp_720s", "{ name: sharp_720s, as: other"));
    let verify = |more: &[&str]| lab.sunhaul(&[&["verify", "job.yaml"], more].concat());
    verify(&[])
        .stdout_has(
            "of `sharp_720s`, which the manifest no longer has: `sunhaul forget job.yaml --series sharp_720s` takes",
        )
        .done();
    lab.sunhaul(&["plan", "job.yaml"]).stdout_has("of `sharp_720s`, which the manifest no longer has: ").done();
    verify(&["--strict"]).status(1).stdout_has("").chatty().done();
    lab.sunhaul(&["forget", "job.yaml", "--series", "sharp_720s"]).chatty().done();
    verify(&["--strict"]).stdout_has("").chatty().done();
    assert!(lab.days("data").is_empty());
}

#[test]
fn what_other_jobs_and_unfinished_days_name_is_not_extra() {
    let (lab, server) = whole();
    let late = ("m_45s_20151211_000008", "2015-12-11T00:00:08Z");
    server.file("m_45s", Item::new(late.0, late.1), fits(9, 60, late.1));
    server.script_file("m_45s", Item::new("gone", "2015-12-11T12:00:08Z"), [Answer::status(500)]);
    let other = Job::at(&server.url()).series(&["{ name: m_45s }"]).retry("{ attempts: 1 }").yaml();
    lab.write("other.yaml", other.replace("name: lab", "name: other"));
    lab.sunhaul(&["run", "other.yaml"]).status(4).chatty().done();
    assert!(lab.path(&format!("data/m_45s/2015/12/11/{}.fits", late.0)).exists());
    all_is_right(&lab);
    lab.sunhaul(&["verify", "other.yaml"]).stdout_has("1 day not fetched yet").done();
}

#[test]
fn a_damaged_record_is_told_and_its_day_done_again() {
    let (lab, _server) = whole();
    let record = lab.read(RECORD);
    let text = String::from_utf8(record.clone()).expect("UTF-8");
    for damaged in
        [text[..text.len() - 20].to_owned(), text.replace("\"checked\":\"checksum\"", "\"checked\":\"verified\"")]
    {
        lab.write(RECORD, damaged);
        let found = findings(&lab, &[], 1);
        assert_eq!(
            found,
            ["damaged .sunhaul/days/sharp_720s/2015-12-11.jsonl"],
            "nobody can know whether its files are extra"
        );
        assert_eq!(findings(&lab, &["--repair"], 0), found);
        assert_eq!(lab.read(RECORD), record, "the record is what it was");
        all_is_right(&lab);
    }
}

#[test]
fn a_day_that_another_process_holds_is_not_repaired_now() {
    let (lab, server) = whole();
    flip(&lab, 0);
    let journal = "data/.sunhaul/work/journal/sharp_720s/2015-12-11.jsonl";
    lab.write(journal, "");
    let held = File::open(lab.path(journal)).expect("a journal");
    flock(&held, FlockOperation::LockExclusive).expect("a lock");
    lab.sunhaul(&["verify", "job.yaml", "--repair"])
        .status(4)
        .stdout_has("0 files retired, 0 fetched, 1 day: not repaired yet")
        .stderr_has("held")
        .done();
    assert_eq!(asked(&server, 0), 1);
    drop(held);
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).stdout_has("repaired").chatty().done();
    all_is_right(&lab);
}

#[test]
fn quick_looks_at_sizes_and_hashes_what_changed_since() {
    let (lab, _server) = whole();
    let old = |index: usize, age: u64| {
        let file = File::options().write(true).open(lab.path(&place(index))).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("a time");
    };
    flip(&lab, 0);
    old(0, 3600);
    assert_eq!(findings(&lab, &["--quick"], 0), [""; 0], "an old time hides it: that is what quick means");
    assert_eq!(findings(&lab, &[], 1), [format!("changed {}", path(0))]);
    File::options()
        .write(true)
        .open(lab.path(&place(0)))
        .and_then(|file| file.set_modified(SystemTime::now() + Duration::from_mins(1)))
        .expect("a time");
    assert_eq!(findings(&lab, &["--quick"], 1), [format!("changed {}", path(0))]);
    let file = lab.read(&place(1));
    lab.write(&place(1), &file[1..]);
    old(1, 3600);
    assert_eq!(findings(&lab, &["--quick", "--repair"], 0).len(), 2);
    all_is_right(&lab);
}

#[test]
fn files_that_the_service_does_not_list_any_more_stay_where_another_one_is_repaired() {
    for is_locked in [true, false] {
        let (lab, _server) = whole();
        let (before, record) = (lab.proved("data"), lab.read(RECORD));
        // The service lost the last file, and has the others as they were.
        let later = Server::start();
        for (seed, (name, time)) in (1..).zip(FILES).take(2) {
            later.file("sharp_720s", Item::new(name, time), fits(seed, 60, time));
        }
        lab.write("job.yaml", Job::at(&later.url()).yaml());
        if !is_locked {
            lab.forget_the_lock();
        }
        flip(&lab, 1);
        assert_eq!(findings(&lab, &["--repair"], 0), [format!("changed {}", path(1))]);
        assert_eq!((lab.proved("data"), lab.read(RECORD)), (before, record), "locked: {is_locked}");
        assert_eq!([0, 1, 2].map(|index| asked(&later, index)), [0, 1, 0]);
        all_is_right(&lab);
        // One that is wrong itself and not to be had any more is told: the lock, written by now, has it.
        flip(&lab, 2);
        assert_eq!(findings(&lab, &["--repair"], 3), [format!("changed {}", path(2))]);
    }
}

#[test]
fn a_file_that_could_not_be_fetched_again_is_fetched_by_the_next_run() {
    let url = format!("/HMI/sharp_720s/{}", FILES[1].0);
    for (command, is_missing) in [("verify --repair", false), ("verify --repair", true), ("run --check", true)] {
        let (lab, server) = whole();
        let before = lab.proved("data");
        if is_missing {
            fs::remove_file(lab.path(&place(1))).expect("a file");
        } else {
            flip(&lab, 1);
        }
        server.script(&url, [Answer::status(503)]);
        let (name, option) = command.split_once(' ').expect("an option");
        let command = [name, "job.yaml", option];
        lab.sunhaul(&command).status(4).stdout_has("").chatty().done();
        lab.sunhaul(&["plan", "job.yaml"]).stdout_has("not finished, 1 file of its record is missing").done();
        assert_eq!(lab.report(4)["totals"]["files"]["failed"], 1, "{command:?}: the day is not complete yet");
        server.script(&url, [Answer::file(fits(2, 60, FILES[1].1)).named(&format!("{}.fits", FILES[1].0))]);
        let report = lab.report(0);
        assert_eq!((&report["totals"]["files"]["fetched"], &report["totals"]["files"]["have"]), (&1.into(), &2.into()));
        assert_eq!(lab.proved("data"), before, "{command:?}");
        all_is_right(&lab);
        let report = lab.report(0);
        assert_eq!(report["totals"]["days"]["already_sealed"], 1, "{report:#}");
    }
}

#[test]
fn a_repair_that_is_killed_is_finished_by_the_next_run() {
    let (lab, server) = whole();
    let before = lab.proved("data");
    flip(&lab, 1);
    server.script(&format!("/HMI/sharp_720s/{}", FILES[1].0), [Answer::file(fits(2, 60, FILES[1].1)).stall_at(3000)]);
    let repair = lab.sunhaul(&["verify", "job.yaml", "--repair"]).chatty().start();
    lab.until("the changed file is moved away", |lab| !lab.path(&place(1)).exists());
    repair.kill();
    server.script(
        &format!("/HMI/sharp_720s/{}", FILES[1].0),
        [Answer::file(fits(2, 60, FILES[1].1)).named(&format!("{}.fits", FILES[1].0))],
    );
    lab.report(0);
    assert_eq!(lab.proved("data"), before);
    all_is_right(&lab);
}

#[test]
fn a_good_day_is_not_asked_about() {
    let lab = Lab::new();
    let service = lab.serve(&["--embedded", "--log-format", "json"]);
    lab.write("job.yaml", Job::at(service.url()).range("2015-12-11", "2015-12-14").yaml());
    lab.report(0);
    let before = lab.proved("data");
    let gone = before.keys().find(|path| path.contains("2015/12/12")).expect("a file");
    fs::remove_file(lab.path(&format!("data/{gone}"))).expect("a file");
    let said = lab.sunhaul(&["verify", "job.yaml", "--repair", "--json"]).stdout_has("").chatty().done().json();
    let report: Value = serde_json::from_slice(
        &fs::read(lab.path(said["repair"]["report"].as_str().expect("a path"))).expect("a report"),
    )
    .expect("JSON");
    add_up(&report);
    assert_eq!(report["totals"]["days"]["planned"], 1, "{report:#}");
    assert_eq!(report["totals"]["days"]["already_sealed"], 2, "{report:#}");
    assert_eq!(report["totals"]["requests"]["sent"], 2, "one listing, one file: {report:#}");
    assert_eq!(lab.proved("data"), before);
}

#[test]
fn where_no_archive_is_nothing_is_right_and_nothing_is_made() {
    let server = Server::start().expect_silence();
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.sunhaul(&["verify", "job.yaml"]).status(1).stderr_has("no archive at").done();
    assert!(!lab.path("data").exists());
    lab.sunhaul(&["verify", "job.yaml", "--series", "x"]).status(2).stderr_has("no series `x`").done();
}

#[test]
fn verify_writes_nothing() {
    let (lab, _server) = whole();
    fs::remove_file(lab.path(&place(0))).expect("a file");
    let before = lab.tree("data");
    lab.sunhaul(&["verify", "job.yaml"]).status(1).stdout_has("").chatty().done();
    lab.sunhaul(&["verify", "job.yaml", "--quick"]).status(1).stdout_has("").chatty().done();
    assert_eq!(lab.tree("data"), before);
}

#[test]
fn a_changed_file_whose_record_was_lost_is_told_as_the_users_own_with_the_way_out() {
    let (lab, _server) = whole();
    let before = lab.proved("data");
    fs::remove_file(lab.path("data/.sunhaul/days/sharp_720s/2015-12-11.jsonl")).expect("a record");
    lab.run().chatty().done();
    flip(&lab, 1);
    let hint = "move it away yourself, then run this with `--repair`";
    let verify = lab.sunhaul(&["verify", "job.yaml"]).status(1).stdout_has("; it was there before sunhaul");
    assert_eq!(verify.stderr_has(hint).done().stderr.matches("hint:").count(), 1);
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).status(1).stdout_has("not repaired yet").stderr_has(hint).done();
    fs::rename(lab.path(&place(1)), lab.path("mine.fits")).expect("moved away");
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).stdout_has("repaired").chatty().done();
    assert_eq!(lab.proved("data"), before);
    all_is_right(&lab);
}
