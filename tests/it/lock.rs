//! The job's lock: what every file must be, honoured, added to, and held to the letter.

mod detail;
mod instant;
mod owner;
mod writer_lock;
mod written;

use fitsio_pure::value::Value as Card;
use serde_json::{Value, json};
use sunhaul::digest::Digest;

use crate::lab::{Answer, Item, Job, Lab, Server, fits, restamped, with_keyword};

const LOCK: &str = "job.lock";

/// The line of an accepted file that does not say why.
const ABSENT: &str = r#"{"path":"x/y.fits","time":"2015-12-11T20:00:00Z","key":"y","url":"/y","absent":"accepted"}"#;

/// One file of the old service: its name and its time.
const FILES: [(&str, &str); 3] = [
    ("sharp_720s_20151211_182208", "2015-12-11T18:22:08.799999Z"),
    ("sharp_720s_20151212_001008", "2015-12-12T00:10:08.799999Z"),
    ("sharp_720s_20151212_002208", "2015-12-12T00:22:08.799999Z"),
];

/// The old service with these files, each from its seed.
fn service(seeds: [u32; 3]) -> Server {
    let server = Server::start();
    for ((name, time), seed) in FILES.into_iter().zip(seeds) {
        server.file("sharp_720s", Item::new(name, time), fits(seed, 60, time));
    }
    server
}

/// Two days of the service, whose lock is written by a first run.
fn locked_lab(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job(server).yaml());
    lab.report(0);
    lab
}

fn job(server: &Server) -> Job {
    Job::at(&server.url()).range("2015-12-11", "2015-12-13")
}

/// A lock's lines without its header, which holds the instant.
fn rest(lock: &[u8]) -> String {
    let text = String::from_utf8(lock.to_vec()).expect("text");
    text.split_once('\n').expect("lines").1.to_owned()
}

fn lines(lab: &Lab) -> Vec<Value> {
    let text = String::from_utf8(lab.read(LOCK)).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn a_run_writes_the_lock_that_its_schema_describes_and_a_second_one_leaves_it_as_it_is() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let report = lab.json("report.json");
    assert_eq!(report["job"]["lock_changed"], true);
    let lock = lab.read(LOCK);
    assert_eq!(report["job"]["lock_sha256"], Digest::sha256(&lock).to_string());

    let lines = lines(&lab);
    let schema: Value = lab.sunhaul(&["schema", "lock"]).stdout_has("{").done().json();
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for line in &lines {
        assert!(schema.is_valid(line), "{line}");
    }
    assert_eq!(lines.len(), 1 + 2 + 3, "a header, two days, three files");
    assert_eq!((&lines[0]["lock"]["format"], &lines[0]["lock"]["job"]), (&"lock/1".into(), &"lab".into()));
    let day = lab.day("data", "sharp_720s", "2015-12-11");
    for key in ["series", "date", "window", "spec", "state", "files", "bytes", "digest"] {
        assert_eq!(lines[1]["day"][key], day.header[key], "{key}");
    }
    assert_eq!(lines[2]["sha256"], day.files[0]["sha256"]);
    assert_eq!(lines[2]["url"], "/HMI/sharp_720s/sharp_720s_20151211_182208");
    let text = String::from_utf8(lock.clone()).expect("text");
    assert!(!text.contains("etag") && !text.contains("127.0.0.1"), "nothing that passes, and no host");

    assert_eq!(lab.report(0)["job"]["lock_changed"], false);
    assert_eq!(lab.read(LOCK), lock);
}

#[test]
fn a_new_day_is_only_added_lines() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).range("2015-12-11", "2015-12-12").yaml());
    lab.report(0);
    let before = lab.read(LOCK);
    lab.write("job.yaml", job(&server).yaml());
    lab.report(0);
    assert!(lab.read(LOCK).starts_with(&before), "the older lines are as they were");
    assert_eq!(lines(&lab).len(), 6);
}

#[test]
fn a_frozen_run_makes_the_same_archive_without_a_listing() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (files, lock) = (lab.proved("data"), lab.read(LOCK));
    let record = lab.day("data", "sharp_720s", "2015-12-12");
    lab.on_a_new_machine();
    let before = server.requests().len();
    lab.run_with(&["--frozen"]).done();
    let asked = server.requests().split_off(before);
    assert_eq!(asked.len(), 3, "each file once, and no listing: {asked:?}");
    assert!(asked.iter().all(|request| request.path != "/HMI/sharp_720s"));
    assert_eq!(lab.proved("data"), files);
    assert_eq!(lab.day("data", "sharp_720s", "2015-12-12"), record);
    assert_eq!(lab.read(LOCK), lock);
}

#[test]
fn a_file_that_is_not_the_lock_s_goes_to_quarantine_and_its_day_fails_with_exit_3() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let lock = lab.read(LOCK);
    lab.on_a_new_machine();
    let other = service([1, 2, 4]);
    lab.write("job.yaml", job(&other).yaml());
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        lab.run_with(flags).status(3).stderr_has("sharp_720s_20151212_002208.fits").stderr_has("sunhaul update").done();
        let report = lab.json("report.json");
        assert_eq!(report["failures"][0]["class"], "lock-mismatch");
        assert_eq!((&report["totals"]["days"]["failed"], &report["totals"]["files"]["failed"]), (&1.into(), &1.into()));
        assert_eq!(report["totals"]["files"]["quarantined"], 1);
        assert_eq!(report["job"]["lock_changed"], false);
        assert_eq!(lab.read(LOCK), lock, "the lock stays");
        assert_eq!(lab.days("data"), ["sharp_720s/2015-12-11"], "the other day is sealed");
        assert!(lab.tree("data").keys().any(|path| path.contains("work/quarantine") && path.contains("002208")));
        assert!(!lab.path("data/sharp_720s/2015/12/12/sharp_720s_20151212_002208.fits").exists());
    }
}

#[test]
fn files_that_came_or_went_upstream_fail_the_day_by_name() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    lab.on_a_new_machine();
    let other = Server::start();
    let (name, time) = FILES[1];
    other.file("sharp_720s", Item::new(name, time), fits(2, 60, time));
    let new = "2015-12-12T00:34:08.799999Z";
    other.file("sharp_720s", Item::new("sharp_720s_20151212_003408", new), fits(5, 60, new));
    let (name, time) = FILES[0];
    other.file("sharp_720s", Item::new(name, time), fits(1, 60, time));
    lab.write("job.yaml", job(&other).yaml());
    lab.run_with(&["--locked"])
        .status(3)
        .stderr_has("the lock has this file, but the source does not list it any more")
        .stderr_has("the source lists this file, but the lock does not have it")
        .done();
    let report = lab.json("report.json");
    crate::lab::add_up(&report);
    assert_eq!(report["totals"]["files"]["failed"], 2);
    assert!(other.requests_for("/HMI/sharp_720s/sharp_720s_20151212_003408").is_empty(), "it is not even fetched");
}

#[test]
fn locked_and_frozen_refuse_days_that_the_lock_does_not_fit_before_anything_is_asked() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (lock, asked) = (lab.read(LOCK), server.requests().len());
    let cases = [
        (job(&server).range("2015-12-11", "2015-12-14"), "sharp_720s 2015-12-13 is not in the lock"),
        (
            job(&server).series(&["{ name: sharp_720s, as: other }"]),
            "sharp_720s 2015-12-12 is in the lock, and the manifest no longer",
        ),
        (
            job(&server).series(&["{ name: sharp_720s, layout: \"{series}/{date:%Y%m%d}/{file}\" }"]),
            "sharp_720s 2015-12-11 was locked with a different query",
        ),
    ];
    for (job, why) in cases {
        lab.write("job.yaml", job.yaml());
        for flag in ["--locked", "--frozen"] {
            lab.run_with(&[flag]).status(3).stderr_has(why).stderr_has("hint:").done();
        }
        assert_eq!((lab.read(LOCK), server.requests().len()), (lock.clone(), asked));
    }
    lab.write("job.yaml", job(&server).yaml());
    std::fs::remove_file(lab.path(LOCK)).expect("the lock goes");
    lab.run_with(&["--locked"]).status(3).stderr_has("lock `job.lock` does not exist").done();
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_locked_run_with_everything_there_asks_nobody() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let asked = server.requests().len();
    lab.run_with(&["--locked"]).done();
    assert_eq!(server.requests().len(), asked);
    assert_eq!(lab.json("report.json")["totals"]["days"]["already_sealed"], 2);
}

#[test]
fn an_archive_that_differs_from_the_lock_is_brought_back_to_it() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (lock, files) = (lab.read(LOCK), lab.proved("data"));
    // Another archive of the same job, made when upstream was otherwise.
    let other = service([1, 2, 4]);
    lab.write("other/job.yaml", job(&other).yaml());
    lab.run().within("other").done();
    std::fs::rename(lab.path("data"), lab.path("aside")).expect("away");
    std::fs::rename(lab.path("other/data"), lab.path("data")).expect("in its place");
    lab.sunhaul(&["plan", "job.yaml"]).stdout_has("differs: its files are not those of the lock").done();
    lab.sunhaul(&["verify", "job.yaml"])
        .status(1)
        .chatty()
        .stdout_has("differs    sharp_720s/2015/12/12/sharp_720s_20151212_002208.fits: the lock says sha256")
        .done();
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["fetched"], &report["totals"]["files"]["replaced"]), (&1.into(), &1.into()));
    assert_eq!((lab.read(LOCK), lab.proved("data")), (lock, files));
    assert!(lab.tree("data").keys().any(|path| path.contains("work/retired")), "what was displaced is kept");
}

#[test]
fn new_only_leaves_out_what_the_lock_holds_and_adds_the_rest() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).range("2015-12-11", "2015-12-12").yaml());
    lab.report(0);
    let before = lab.read(LOCK);
    lab.on_a_new_machine();
    lab.write("job.yaml", job(&server).yaml());
    lab.run_with(&["--new-only"]).done();
    let report = lab.json("report.json");
    assert_eq!(report["totals"]["files"]["fetched"], 2, "only the new day's");
    assert_eq!(report["totals"]["days"]["already_sealed"], 1);
    assert_eq!(report["job"]["lock_changed"], true);
    assert_eq!(lab.days("data"), ["sharp_720s/2015-12-12"]);
    assert!(lab.read(LOCK).starts_with(&before));
    lab.run_with(&["--new-only"]).done();
    assert_eq!(lab.json("report.json")["job"]["lock_changed"], false);
}

#[test]
fn a_lock_that_cannot_be_believed_ends_the_command_with_2_and_nothing_is_written() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let good = String::from_utf8(lab.read(LOCK)).expect("text");
    let asked = server.requests().len();
    let rows: Vec<&str> = good.lines().collect();
    let at = good.find("sha256:").expect("a digest") + "sha256:".len();
    let digit = if good[at..].starts_with('0') { "1" } else { "0" };
    let other_digest = format!("{}{digit}{}", &good[..at], &good[at + 1..]);
    let cases = [
        (good[..good.len() - 9].to_owned(), 6, "the lock is cut short in this line"),
        (
            [rows[0], rows[3], rows[4], rows[5], rows[1], rows[2], ""].join("\n"),
            5,
            "sharp_720s 2015-12-11 is out of order",
        ),
        (good.replace("\"job\":\"lab\"", "\"job\":\"other\""), 1, "it is the lock of the job `other`, not of `lab`"),
        (good.replace("lock/1", "lock/9"), 1, "it is written as `lock/9`"),
        (good.replacen("{\"day\"", "<<<<<<< HEAD\n{\"day\"", 1), 2, "this line is part of a merge conflict"),
        (good.replace("\"path\":\"sharp", "\"path\":\"../sharp"), 3, "the path `../sharp"),
        (
            good.replacen("\"absent\":0", "\"absent\":1", 1).replacen(
                "\n{\"day\":{\"series\":\"sharp_720s\",\"date\":\"2015-12-12\"",
                &format!("\n{ABSENT}\n{{\"day\":{{\"series\":\"sharp_720s\",\"date\":\"2015-12-12\""),
                1,
            ),
            4,
            "accepted, and no reason, or the reverse",
        ),
        (other_digest, 2, "sharp_720s 2015-12-11: its digest does not match"),
    ];
    for (bad, line, why) in cases {
        lab.write(LOCK, &bad);
        for command in [
            &["run", "job.yaml"][..],
            &["run", "job.yaml", "--frozen"],
            &["update", "job.yaml"],
            &["plan", "job.yaml"],
            &["lock", "job.yaml"],
        ] {
            lab.sunhaul(command)
                .status(2)
                .stderr_has(why)
                .stderr_has(&format!("{LOCK}:{line}:"))
                .stderr_has("hint:")
                .done();
        }
        assert_eq!(lab.read(LOCK), bad.as_bytes(), "{why}");
    }
    assert_eq!(server.requests().len(), asked, "nobody was asked");
}

#[test]
fn a_run_that_fails_in_part_locks_what_it_sealed() {
    let server = Server::start();
    let (name, time) = FILES[0];
    server.file("sharp_720s", Item::new(name, time), fits(1, 60, time));
    let (name, time) = FILES[1];
    server.script_file("sharp_720s", Item::new(name, time), [Answer::status(500)]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    let report = lab.report(4);
    assert_eq!(report["job"]["lock_changed"], true);
    let days: Vec<Value> = lines(&lab).into_iter().filter(|line| line["day"].is_object()).collect();
    assert_eq!(days.len(), 1);
    assert_eq!(days[0]["day"]["date"], "2015-12-11");
}

#[test]
fn with_identity_fits_data_a_file_that_was_only_written_again_is_the_same_file() {
    let (name, time) = FILES[0];
    let original = fits(1, 60, time);
    let of = |body: Vec<u8>| {
        let server = Server::start();
        server.file("sharp_720s", Item::new(name, time), body);
        server
    };
    let yaml = |server: &Server| Job::at(&server.url()).more("identity: fits-data").yaml();
    let lab = Lab::new();
    let server = of(original.clone());
    lab.write("job.yaml", yaml(&server));
    lab.report(0);
    let lock = lab.read(LOCK);
    assert_eq!(lines(&lab)[2]["data"].as_array().expect("a digest of each HDU").len(), 1);

    // Exported again: another comment in the header, another hash, the same image.
    lab.on_a_new_machine();
    let exported = restamped(&original, "exported again");
    assert_ne!(exported, original);
    let again = of(exported.clone());
    lab.write("job.yaml", yaml(&again));
    for flags in [&["--locked"][..], &["--frozen"], &[]] {
        lab.run_with(flags).done();
        let report = lab.json("report.json");
        assert_eq!(
            (&report["totals"]["files"]["restamped"], &report["job"]["lock_changed"]),
            (&1.into(), &false.into())
        );
        assert_eq!(lab.read(LOCK), lock, "the row stays");
        assert_eq!(lab.proved("data").into_values().collect::<Vec<_>>(), [Digest::sha256(&exported)]);
        lab.run_with(flags).done();
        assert_eq!(lab.json("report.json")["totals"]["days"]["already_sealed"], 1, "and it is not fetched again");
        lab.on_a_new_machine();
    }
    lab.sunhaul(&["update", "job.yaml", "--dry-run", "--sample", "100%"]).stdout_has("nothing changed").done();

    // Other data, and another card over the same data.
    for (keyword, value) in [
        ("BUNIT", Card::String("Tesla".into())),
        ("BSCALE", Card::Float(2.0)),
        ("CRVAL1", Card::Float(99.99)),
        ("DATE-OBS", Card::String("2019-01-01T00:00:00".into())),
    ] {
        let other = of(with_keyword(&original, keyword, value));
        lab.write("job.yaml", yaml(&other));
        lab.run_with(&["--frozen"]).status(3).done();
    }
    let other = of(fits(9, 60, time));
    lab.write("job.yaml", yaml(&other));
    lab.run().status(3).done();
    // By bytes, the export is another file.
    lab.write("job.yaml", Job::at(&again.url()).yaml());
    lab.run().status(3).done();
}

/// The service with these answers for the last file.
fn service_with(answers: &[Answer]) -> Server {
    let server = Server::start();
    for ((name, time), seed) in FILES.into_iter().zip([1, 2]) {
        server.file("sharp_720s", Item::new(name, time), fits(seed, 60, time));
    }
    let (name, time) = FILES[2];
    server.script_file("sharp_720s", Item::new(name, time), answers.iter().cloned());
    server
}

/// The last file as it is, and with its last block cut off.
fn whole_and_cut() -> [Answer; 2] {
    let (name, time) = FILES[2];
    let whole = fits(3, 60, time);
    let cut = whole[..whole.len() - 2880].to_vec();
    [whole, cut].map(|body| Answer::file(body).named(&format!("{name}.fits")))
}

const ACCEPT: &str = "accept: [{ series: sharp_720s, day: 2015-12-12, file: \"*_002208.fits\", reason: cut }]";

#[test]
fn a_locked_file_is_not_done_without_when_upstream_has_it_no_more() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let lock = lab.read(LOCK);
    let [_, cut] = whole_and_cut();
    for (answer, more) in [(Answer::status(404), ""), (cut, ACCEPT)] {
        let other = service_with(&[answer]);
        lab.write("job.yaml", job(&other).more(more).yaml());
        for flags in [&[][..], &["--locked"], &["--frozen"]] {
            lab.on_a_new_machine();
            let report = lab.report_with(flags, 3);
            assert_eq!(report["failures"][0]["class"], "lock-mismatch", "{report:#}");
            assert_eq!(report["totals"]["days"]["failed"], 1);
            assert_eq!((lab.read(LOCK), lab.days("data")), (lock.clone(), vec!["sharp_720s/2015-12-11".to_owned()]));
        }
    }
    // It is what the update is for.
    let other = service_with(&whole_and_cut()[1..]);
    lab.write("job.yaml", job(&other).more(ACCEPT).yaml());
    // Of what is there from before, nothing would be asked of the host in time to show that it is well.
    lab.on_a_new_machine();
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("new absent").done();
    lab.run_with(&["--locked"]).done();
    assert_eq!(lab.json("report.json")["totals"]["days"]["already_sealed"], 2);
}

#[test]
fn a_file_that_the_lock_has_as_accepted_is_not_asked_for_whatever_the_manifest_accepts() {
    let [whole, cut] = whole_and_cut();
    let server = service_with(&[cut]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).more(ACCEPT).yaml());
    lab.report(0);
    let (lock, record) = (lab.read(LOCK), lab.day("data", "sharp_720s", "2015-12-12"));
    let other = service_with(&[whole]);
    for more in [ACCEPT, ""] {
        lab.write("job.yaml", job(&other).more(more).yaml());
        for flags in [&[][..], &["--locked"], &["--frozen"]] {
            lab.on_a_new_machine();
            let told = lab.run_with(flags).done().stderr;
            assert!(!told.contains("`accept`"), "the entry is in use: {told}");
            assert_eq!(lab.day("data", "sharp_720s", "2015-12-12"), record);
            assert_eq!(lab.read(LOCK), lock);
        }
    }
    assert!(other.requests_for(&format!("/HMI/sharp_720s/{}", FILES[2].0)).is_empty());
    lab.sunhaul(&["update", "job.yaml"]).chatty().stdout_has("old absent").done();
    assert_eq!(lab.proved("data").len(), 3);
}

#[test]
fn a_file_of_an_unfinished_day_goes_to_the_path_of_a_lock_that_came_in_between() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let (lock, files) = (lab.read(LOCK), lab.proved("data"));
    lab.on_a_new_machine();
    lab.forget_the_lock();
    // The service calls a file otherwise, and the day is not finished.
    let (name, time) = FILES[1];
    let other = service_with(&[Answer::status(500)]);
    other.script(&format!("/HMI/sharp_720s/{name}"), [Answer::file(fits(2, 60, time)).named("other.fits")]);
    lab.write("job.yaml", job(&other).yaml());
    lab.report(4);
    lab.write(LOCK, &lock);
    lab.write("job.yaml", job(&server).yaml());
    lab.report(0);
    assert_eq!((lab.proved("data"), lab.read(LOCK)), (files, lock));
}

#[test]
fn two_files_under_one_key_are_no_day_of_a_lock() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    lab.on_a_new_machine();
    let lock = String::from_utf8(lab.read(LOCK)).expect("text");
    let key = |name: &str| format!("\"key\":\"/HMI/sharp_720s/{name}\"");
    lab.write(LOCK, lock.replace(&key(FILES[2].0), &key(FILES[1].0)));
    lab.run_with(&["--frozen"]).status(3).stderr_has("two files of this day under one key").done();
    assert_eq!(lab.days("data"), ["sharp_720s/2015-12-11"]);
}
