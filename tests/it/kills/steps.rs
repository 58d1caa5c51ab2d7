//! The program killed right after each single step that changes the file system, for a job of two files.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sunhaul::digest::Digest;

use crate::lab::{Answer, DayRecord, Item, Job, Lab, Server, Steps, fits};

/// A file that is held without a name until it is whole, and one that is a part meanwhile.
const FILES: [(&str, usize, &str); 2] = [
    ("sharp_720s_20260111_182208", 60, "2026-01-11T18:22:08.799999Z"),
    ("sharp_720s_20260111_191808", 800, "2026-01-11T19:18:08.799999Z"),
];

const DAY: &str = "2026-01-11";

fn job(server: &Server) -> Job {
    Job::at(&server.url()).range(DAY, "2026-01-12")
}

fn service() -> Server {
    let server = Server::start();
    for (name, side, date_obs) in FILES {
        server.file("sharp_720s", Item::new(name, date_obs), fits(7, side, date_obs));
    }
    server
}

/// From here on the service gives each file in these forms in turn.
fn give(server: &Server, forms: impl Fn(usize, &str) -> Vec<Vec<u8>>) {
    for (name, side, date_obs) in FILES {
        let answers = forms(side, date_obs).into_iter().map(|body| Answer::file(body).named(&format!("{name}.fits")));
        server.script(&format!("/HMI/sharp_720s/{name}"), answers);
    }
}

/// Paths that may hold these bytes on the way.
type Standing = BTreeSet<(String, Digest)>;

/// What the archive must hold in the end.
struct Due {
    files: BTreeMap<String, Digest>,
    record: DayRecord,
}

impl Due {
    fn of(lab: &Lab) -> Due {
        Due { files: lab.proved("data"), record: lab.day("data", "sharp_720s", DAY) }
    }
}

/// Steps of a run that fetches.
const FETCHING: [&str; 8] = ["openat", "write", "pwrite64", "linkat", "renameat", "renameat2", "unlinkat", "fsync"];

/// Steps of a run that only renames.
const RENAMING: [&str; 7] = ["openat", "write", "linkat", "renameat", "renameat2", "unlinkat", "fsync"];

/// Steps of a run that takes retired files back.
const RESTORING: [&str; 6] = ["openat", "write", "linkat", "renameat", "unlinkat", "fsync"];

/// Kills a run after each of its steps in turn, the run after it after a random one, and lets a third one end. All of these
/// kinds of steps must be among them.
fn sweep(prepare: impl Fn(&Lab), due: &Due, may_stand: &Standing, kinds: &[&str]) {
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut killed_after: BTreeSet<String> = BTreeSet::new();
    loop {
        let lab = Lab::new();
        prepare(&lab);
        let mut steps = Steps::default();
        let killed = lab.stepped(&["run", "job.yaml"], "data").kill_after(|call| killed_after.insert(steps.next(call)));
        let Some(step) = killed.and_then(|mut changes| changes.pop()) else {
            assert_eq!(Due::of(&lab).files, due.files, "a run that only stops now and then");
            break;
        };
        look(&lab, may_stand, &format!("killed after {step:?}"));
        let mut left = rng.random_range(1..=killed_after.len());
        let again = lab.stepped(&["run", "job.yaml"], "data").kill_after(|_| {
            left = left.saturating_sub(1);
            left == 0
        });
        let again = again.and_then(|mut changes| changes.pop());
        let told = format!("seed {seed}, killed after {step:?}, and again after {again:?}");
        look(&lab, may_stand, &told);
        lab.run().done();
        let Due { files, record } = Due::of(&lab);
        assert_eq!((&files, &record), (&due.files, &due.record), "{told}");
        for kind in ["journal", "partial"] {
            let left = lab.tree(&format!("data/.sunhaul/work/{kind}"));
            assert!(left.is_empty(), "{kind} holds {:?}: {told}", left.keys());
        }
    }
    for kind in kinds {
        assert!(killed_after.iter().any(|step| step.starts_with(kind)), "no kill after `{kind}`: {killed_after:?}");
    }
}

/// Whatever has a final name is right, and a record that stands tells the truth.
#[track_caller]
fn look(lab: &Lab, may_stand: &Standing, told: &str) {
    let files = lab.files("data");
    for (path, digest) in &files {
        assert!(may_stand.contains(&(path.clone(), *digest)), "{path} holds wrong bytes: {told}");
    }
    for day in lab.days("data") {
        assert_eq!(day, format!("sharp_720s/{DAY}"), "{told}");
        for file in lab.day("data", "sharp_720s", DAY).files {
            let there = files.get(file["path"].as_str().expect("a path")).map(ToString::to_string);
            assert_eq!(there.as_deref(), file["sha256"].as_str(), "the record names {file}: {told}");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn d_07_a_kill_after_any_step_of_a_fresh_day_is_mended_by_the_next_run() {
    let server = service();
    let prepare = |lab: &Lab| lab.write("job.yaml", job(&server).yaml());
    let lab = Lab::new();
    prepare(&lab);
    lab.run().done();
    let due = Due::of(&lab);
    sweep(prepare, &due, &due.files.clone().into_iter().collect(), &FETCHING);
}

#[test]
#[ignore = "needs strace"]
fn d_07_a_kill_after_any_step_of_a_day_that_is_done_anew_is_mended_by_the_next_run() {
    let server = service();
    let manifest =
        |name| job(&server).yaml().replace("root: data", &format!("root: data, layout: \"{{series}}/{name}.fits\""));
    // One file's hour is the other's minute: what is asked for now belongs where the other file lies.
    let (before, after) = (manifest("{time:%H}"), manifest("{time:%M}"));
    let prepare = |lab: &Lab| {
        lab.write("job.yaml", &before);
        lab.run().done();
        lab.write("job.yaml", &after);
    };
    let lab = Lab::new();
    prepare(&lab);
    let mut may_stand: Standing = lab.files("data").into_iter().collect();
    lab.run().done();
    let due = Due::of(&lab);
    assert!(lab.tree("data/.sunhaul/work/retired").is_empty(), "each file has the other's path");
    may_stand.extend(due.files.clone());
    sweep(prepare, &due, &may_stand, &RENAMING);
}

#[test]
#[ignore = "needs strace"]
fn d_07_a_kill_after_any_step_of_a_day_that_takes_retired_files_back_is_mended_by_the_next_run() {
    let server = service();
    let whole = job(&server).yaml();
    let prepare = |lab: &Lab| {
        for asked in [&whole, &job(&server).range("2026-01-11T19:00:00", "2026-01-12").yaml(), &whole] {
            lab.write("job.yaml", asked);
            if asked != &whole || lab.days("data").is_empty() {
                lab.run().done();
            }
        }
    };
    let lab = Lab::new();
    prepare(&lab);
    let requests = server.requests().len();
    lab.run().done();
    assert_eq!(server.requests().len(), requests + 1, "the listing alone");
    let due = Due::of(&lab);
    assert_eq!(due.files.len(), 2);
    sweep(prepare, &due, &due.files.clone().into_iter().collect(), &RESTORING);
}

#[test]
#[ignore = "needs strace"]
fn d_07_a_kill_after_any_step_of_a_day_whose_bodies_go_to_quarantine_first_is_mended_by_the_next_run() {
    let server = service();
    let prepare = |lab: &Lab| {
        give(&server, |side, date_obs| {
            let good = fits(7, side, date_obs);
            let mut bad = good.clone();
            let last = bad.len() - 2880;
            bad[last] ^= 1;
            vec![bad, good]
        });
        lab.write("job.yaml", job(&server).yaml());
    };
    let lab = Lab::new();
    prepare(&lab);
    lab.run().done();
    assert_eq!(lab.tree("data/.sunhaul/work/quarantine").len(), 4, "two bodies, and the reasons");
    let due = Due::of(&lab);
    sweep(prepare, &due, &due.files.clone().into_iter().collect(), &FETCHING);
}

#[test]
#[ignore = "needs strace"]
fn d_07_a_kill_after_any_step_of_a_provisional_day_that_changed_upstream_is_mended_by_the_next_run() {
    let server = service();
    let prepare = |lab: &Lab| {
        give(&server, |side, date_obs| vec![fits(7, side, date_obs)]);
        lab.write("job.yaml", job(&server).more("settle: 3650d").yaml());
        lab.run().done();
        give(&server, |side, date_obs| vec![fits(8, side, date_obs)]);
    };
    let lab = Lab::new();
    prepare(&lab);
    let mut may_stand: Standing = lab.files("data").into_iter().collect();
    lab.run().done();
    let due = Due::of(&lab);
    assert_eq!(due.record.header["state"], "provisional");
    assert_eq!(lab.tree("data/.sunhaul/work/retired").len(), 2, "both files are displaced");
    may_stand.extend(due.files.clone());
    sweep(prepare, &due, &may_stand, &FETCHING);
}
