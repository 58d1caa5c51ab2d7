//! `sunhaul adopt`: files that somebody holds already, taken in from any folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Item, Job, Lab, Server, add_up, fits};

/// Four files of one day, by name and time.
const FILES: [(&str, &str); 4] = [
    ("sharp_720s_20151211_000008", "2015-12-11T00:00:08Z"),
    ("sharp_720s_20151211_061008", "2015-12-11T06:10:08Z"),
    ("sharp_720s_20151211_120008", "2015-12-11T12:00:08Z"),
    ("sharp_720s_20151211_182208", "2015-12-11T18:22:08Z"),
];

fn body(index: usize) -> Vec<u8> {
    fits(u32::try_from(index).expect("small") + 1, 60, FILES[index].1)
}

fn place(index: usize) -> String {
    format!("sharp_720s/2015/12/11/{}.fits", FILES[index].0)
}

/// A service of the four files, and a lab with a job for them.
fn start() -> (Lab, Server) {
    let server = Server::start();
    for (index, (name, time)) in FILES.into_iter().enumerate() {
        server.file("sharp_720s", Item::new(name, time), body(index));
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    (lab, server)
}

/// Which files were asked for.
fn asked(server: &Server) -> Vec<usize> {
    let is_asked = |index: &usize| !server.requests_for(&format!("/HMI/sharp_720s/{}", FILES[*index].0)).is_empty();
    (0..FILES.len()).filter(is_asked).collect()
}

/// What `adopt` says it did, and its report, which must add up.
#[track_caller]
fn adopt(lab: &Lab, more: &[&str], status: i32) -> (Value, Value) {
    let words = [&["adopt", "job.yaml", "mine", "--json"], more].concat();
    let json = lab.sunhaul(&words).status(status).stdout_has("").chatty().done().json();
    assert_eq!(json["exit_code"], status, "{json:#}");
    let report = fs::read(lab.path(json["report"].as_str().expect("a path"))).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    add_up(&report);
    (json, report)
}

fn unmatched(json: &Value) -> Vec<&str> {
    json["unmatched"].as_array().expect("a list").iter().map(|path| path.as_str().expect("a path")).collect()
}

#[test]
fn a_tutorials_folder_is_taken_in_and_the_run_fetches_the_rest() {
    let (lab, server) = start();
    lab.write(&format!("mine/{}.fits", FILES[0].0), body(0));
    lab.write(&format!("mine/more/{}", FILES[1].0), body(1));
    let mut broken = body(2);
    broken[4000] ^= 1;
    lab.write(&format!("mine/more/{}.fits", FILES[2].0), &broken);
    lab.write("mine/notes.txt", "mine");
    lab.write("mine/.hidden", "mine");
    lab.write("mine/other_20151211_000008.fits", fits(9, 60, FILES[0].1));
    let before = lab.tree("mine");
    let (json, report) = adopt(&lab, &[], 1);
    assert_eq!((&json["files"]["adopted"], &json["files"]["failed"]), (&2.into(), &1.into()), "{json:#}");
    assert_eq!(json["files"]["unfinished"], 1, "{json:#}");
    assert_eq!(unmatched(&json), ["notes.txt", "other_20151211_000008.fits"], "{json:#}");
    assert_eq!(report["failures"][0]["class"], "fits-checksum", "{report:#}");
    assert_eq!(asked(&server), [0; 0], "no file is asked for");
    assert_eq!(lab.tree("mine"), before, "nothing of the user's is touched");
    assert_eq!(lab.files("data"), BTreeMap::from([0, 1].map(|index| (place(index), Digest::sha256(&body(index))))));
    assert!(lab.days("data").is_empty(), "a day that is not whole is not sealed");
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["have"], &report["totals"]["files"]["fetched"]), (&2.into(), &2.into()));
    assert_eq!(asked(&server), [2, 3]);
    assert_eq!(lab.proved("data").len(), 4);
}

#[test]
fn a_day_that_is_all_there_is_sealed_as_a_run_would_seal_it() {
    let (lab, server) = start();
    lab.run_with(&["--archive", "fetched"]).done();
    let requests = server.requests().len();
    for (index, (name, _)) in FILES.into_iter().enumerate() {
        lab.write(&format!("mine/{name}.fits"), body(index));
    }
    lab.sunhaul(&["adopt", "job.yaml", "mine"]).stderr_has("sealed: 4 files").stderr_has("4 files adopted").done();
    assert_eq!(server.requests().len(), requests + 1, "one listing");
    assert_eq!(lab.proved("data"), lab.files("fetched"));
    let digest = |archive| lab.day(archive, "sharp_720s", "2015-12-11").header["digest"].clone();
    assert_eq!(digest("data"), digest("fetched"));
    lab.sunhaul(&["adopt", "job.yaml", "mine"]).stderr_has("nothing to do").done();
    lab.report(0);
    assert_eq!(server.requests().len(), requests + 1, "nothing more is asked");
}

#[test]
fn what_is_left_is_told_with_the_command_that_fetches_it() {
    let (lab, _server) = start();
    lab.write(&format!("mine/{}.fits", FILES[0].0), body(0));
    lab.write("mine/notes.txt", "mine");
    lab.sunhaul(&["adopt", "job.yaml", "mine", "--archive", "data", "-v"])
        .stderr_has("sharp_720s 2015-12-11 begun: 1 file is there, 3 are to be fetched")
        .stderr_has("download the rest with:")
        .stderr_has("run job.yaml --archive data")
        .stderr_has("1 of 2 files fits nothing that is listed:\n  notes.txt")
        .done();
    let (_, report) = adopt(&lab, &[], 0);
    assert_eq!((&report["totals"]["files"]["have"], &report["run"]["result"]), (&1.into(), &"incomplete".into()));
    let plan = lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("").done().json();
    assert_eq!(plan["days"][0]["state"], "started", "{plan:#}");
}

#[test]
fn files_that_fit_alike_are_taken_only_when_they_are_the_same() {
    let (lab, _server) = start();
    for (folder, index) in [("a", 0), ("b", 0), ("a", 1), ("b", 1)] {
        lab.write(&format!("mine/{folder}/{}.fits", FILES[index].0), body(index));
    }
    lab.write(&format!("mine/b/{}.fits", FILES[1].0), fits(77, 60, FILES[1].1));
    let (json, report) = adopt(&lab, &[], 1);
    assert_eq!((&json["files"]["adopted"], &json["files"]["failed"]), (&1.into(), &1.into()), "{json:#}");
    assert_eq!(report["failures"][0]["class"], "ambiguous", "{report:#}");
    assert_eq!(unmatched(&json).len(), 2, "{json:#}");
    assert_eq!(lab.files("data").into_keys().collect::<Vec<_>>(), [place(0)]);
}

#[test]
fn a_file_of_the_right_name_and_another_time_is_another_file() {
    let (lab, _server) = start();
    lab.write(&format!("mine/{}.fits", FILES[0].0), fits(1, 60, "2015-12-10T00:00:08Z"));
    let (json, _) = adopt(&lab, &[], 0);
    assert_eq!((&json["files"]["adopted"], unmatched(&json).len()), (&0.into(), 1), "{json:#}");
}

#[test]
fn a_name_alone_does_not_make_a_file_that_of_a_day() {
    let server = Server::start();
    let notes = |day: &str| Answer::text("text/plain", &format!("flares of {day}\n")).named("flares.txt");
    for day in ["11", "12"] {
        let item = Item::new(&format!("flares_{day}"), &format!("2015-12-{day}T12:00:00Z"));
        server.script_file("sharp_720s", item, [notes(day)]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml());
    lab.write("mine/flares_11", "flares of 12\n");
    let (json, _) = adopt(&lab, &[], 0);
    assert!(unmatched(&json).contains(&"flares_11"), "{json:#}");
    lab.report(0);
    assert_eq!(lab.read("data/sharp_720s/2015/12/11/flares.txt"), b"flares of 11\n");
}

#[test]
fn a_link_takes_no_room_and_a_copy_stands_alone() {
    for (how, names) in [("--link", 2), ("--copy", 1)] {
        let (lab, _server) = start();
        let mine = format!("mine/{}.fits", FILES[0].0);
        lab.write(&mine, body(0));
        let (json, _) = adopt(&lab, &[how], 0);
        assert_eq!(json["files"]["adopted"], 1, "{json:#}");
        let meta = |path: &str| fs::metadata(lab.path(path)).expect("a file");
        let (held, taken) = (meta(&mine), meta(&format!("data/{}", place(0))));
        assert_eq!((held.ino() == taken.ino(), held.nlink()), (how == "--link", names), "{how}");
        let left = lab.tree("data/.sunhaul/work");
        assert!(left.keys().all(|path| path.starts_with("journal/")), "{left:?}");
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 4);
    }
}

#[test]
#[ignore = "needs strace: tests/run.sh installs it"]
fn a_file_that_can_have_no_further_name_is_copied() {
    // Somebody else's file, one of another mount, one with as many names as it can have: links to the part's folder fail.
    for error in ["EPERM", "EXDEV", "EMLINK"] {
        let (lab, _server) = start();
        let mine = format!("mine/{}.fits", FILES[0].0);
        lab.write(&mine, body(0));
        let folder = lab.path("data/.sunhaul/work/partial/sharp_720s/2015-12-11");
        fs::create_dir_all(&folder).expect("a folder");
        let inject = format!("inject=linkat:error={error}");
        let strace = ["-f", "-qq", "-o", "/dev/null", "-P", folder.to_str().expect("a path"), "-e", &inject];
        let words = [&strace[..], &[env!("CARGO_BIN_EXE_sunhaul"), "adopt", "job.yaml", "mine", "--link"]].concat();
        lab.program("/usr/bin/strace", &words)
            .stderr_has("1 file adopted")
            .stderr_has("1 file could not be linked, and got a copy")
            .done();
        let meta = |path: &str| fs::metadata(lab.path(path)).expect("a file");
        let (held, taken) = (meta(&mine), meta(&format!("data/{}", place(0))));
        assert!(held.ino() != taken.ino() && held.nlink() == 1, "{error}");
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 4);
    }
}

#[test]
fn a_file_at_its_place_is_kept_and_a_users_own_there_is_not_displaced() {
    let (lab, _server) = start();
    lab.write(&format!("data/{}", place(0)), body(0));
    lab.write(&format!("data/{}", place(1)), "my own notes");
    for index in [0, 1] {
        lab.write(&format!("mine/{}.fits", FILES[index].0), body(index));
    }
    let (json, report) = adopt(&lab, &[], 1);
    assert_eq!((&json["files"]["kept"], &json["files"]["adopted"]), (&1.into(), &0.into()), "{json:#}");
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    assert_eq!(lab.read(&format!("data/{}", place(1))), b"my own notes");
}

#[test]
fn files_of_any_name_are_known_by_their_headers() {
    let lab = Lab::new();
    let series = "{ name: SERIES, segments: [magnetogram, bitmap], cadence: 6h }";
    let series = ["hmi.sharp_720s", "hmi.sharp_cea_720s"].map(|name| series.replace("SERIES", name));
    lab.write("job.yaml", Job::embedded().series(&[&series[0], &series[1]]).yaml());
    lab.report(0);
    let whole = lab.proved("data");
    assert!(whole.len() > 8, "{whole:?}");
    for (number, path) in whole.keys().enumerate() {
        lab.write(&format!("mine/{}/{number}.dat", number % 3), lab.read(&format!("data/{path}")));
    }
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    let (json, report) = adopt(&lab, &[], 0);
    assert_eq!(json["files"]["adopted"], whole.len(), "{json:#}");
    assert_eq!(report["totals"]["days"]["sealed"], 2, "{report:#}");
    assert_eq!(lab.proved("data"), whole);
}

#[test]
fn a_file_of_another_series_is_not_taken_for_it_though_record_and_time_are_the_same() {
    let lab = Lab::new();
    let job = |name: &str| Job::embedded().series(&[&format!("{{ name: {name}, segments: [bitmap], cadence: 6h }}")]);
    lab.write("job.yaml", job("hmi.sharp_cea_720s").yaml());
    lab.report(0);
    for (number, path) in lab.proved("data").keys().enumerate() {
        let name = path.rsplit('/').next().expect("a name");
        lab.write(&format!("mine/{name}"), lab.read(&format!("data/{path}")));
        lab.write(&format!("mine/{number}.img"), lab.read(&format!("data/{path}")));
    }
    fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.write("job.yaml", job("hmi.sharp_720s").yaml());
    let (json, _) = adopt(&lab, &[], 0);
    assert_eq!((&json["files"]["adopted"], &json["files"]["listed"]), (&0.into(), &8.into()), "{json:#}");
}

#[test]
fn an_old_archive_of_the_same_layout_is_taken_in_whole() {
    let (lab, server) = start();
    lab.report(0);
    fs::rename(lab.path("data"), lab.path("mine")).expect("moved");
    let requests = server.requests().len();
    let (json, _) = adopt(&lab, &[], 0);
    assert_eq!((&json["files"]["adopted"], unmatched(&json).len()), (&4.into(), 0), "{json:#}");
    assert_eq!(server.requests().len(), requests + 1);
    assert_eq!(lab.proved("data").len(), 4);
}

#[test]
fn links_are_passed_over() {
    let (lab, _server) = start();
    lab.write("elsewhere.fits", body(0));
    fs::create_dir(lab.path("mine")).expect("a folder");
    symlink(lab.path("elsewhere.fits"), lab.path(&format!("mine/{}.fits", FILES[0].0))).expect("a link");
    symlink(lab.path(""), lab.path("mine/round")).expect("a link");
    let (json, _) = adopt(&lab, &[], 0);
    assert_eq!((&json["files"]["adopted"], unmatched(&json).len()), (&0.into(), 2), "{json:#}");
}

#[test]
fn a_folder_that_cannot_be_meant_is_refused_before_anything_is_asked() {
    let server = Server::start().expect_silence();
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.write("data/sharp_720s/x.fits", body(0));
    for (folder, why) in [
        ("nowhere", "no folder that can be read"),
        ("job.yaml", "is no folder"),
        ("data", "part of the archive"),
        ("data/sharp_720s", "part of the archive"),
    ] {
        lab.sunhaul(&["adopt", "job.yaml", folder]).status(2).stderr_has(why).stderr_has("hint:").done();
    }
    lab.sunhaul(&["adopt", "job.yaml", "data", "--link", "--copy"]).status(2).chatty().done();
}

#[test]
fn an_archive_within_the_folder_is_passed_over() {
    let (lab, _server) = start();
    lab.write(&format!("{}.fits", FILES[0].0), body(0));
    lab.write("data/notes.txt", "mine");
    let said = lab.sunhaul(&["adopt", "job.yaml", ".", "-v"]).stderr_has("1 file adopted").done();
    assert!(!said.stderr.contains("notes.txt"), "{}", said.stderr);
}

#[test]
fn a_file_that_is_not_the_one_of_the_lock_is_left_alone() {
    let (lab, _server) = start();
    lab.report(0);
    let (lock, files) = (lab.read("job.lock"), lab.proved("data"));
    fs::remove_dir_all(lab.path("data")).expect("the archive goes");
    let other = fits(77, 60, FILES[0].1);
    lab.write(&format!("mine/{}.fits", FILES[0].0), &other);
    lab.write(&format!("mine/{}.fits", FILES[1].0), body(1));
    for how in ["--link", "--copy"] {
        let (json, report) = adopt(&lab, &[how], 3);
        assert_eq!((&json["files"]["adopted"], &json["files"]["failed"]), (&1.into(), &1.into()));
        let failure = &report["failures"][0];
        let message = failure["message"].as_str().expect("a message");
        assert_eq!(failure["class"], "lock-mismatch");
        assert!(
            message.contains("of the folder is left alone")
                && message.contains("let `sunhaul run job.yaml` fetch the one"),
            "{message}"
        );
        let held = lab.path(&format!("mine/{}.fits", FILES[0].0));
        assert_eq!(
            (fs::read(&held).expect("a file"), fs::metadata(&held).expect("a file").nlink()),
            (other.clone(), 1)
        );
        let tree = lab.tree("data/.sunhaul/work");
        assert!(tree.keys().all(|path| path.starts_with("journal/")), "nothing of it is kept: {tree:?}");
        assert_eq!(lab.read("job.lock"), lock);
        lab.report(0);
        assert_eq!(lab.proved("data"), files);
        fs::remove_dir_all(lab.path("data")).expect("the archive goes");
    }
}
