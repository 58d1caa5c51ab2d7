//! D-09: the power is cut. What a record calls sealed is on stable storage, and what was under way is done anew.

mod disk;

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sunhaul::digest::Digest;

use crate::lab::{DayRecord, Item, Job, Lab, Server, Steps, Syscall, fits};
use disk::Kept;

const SERIES: &str = "sharp_720s";

/// Two days: a small file on the first, a small and a large one on the second.
fn service() -> Server {
    let server = Server::start();
    for (name, side, date_obs) in [
        ("sharp_720s_20151211_182208", 60, "2015-12-11T18:22:08.799999Z"),
        ("sharp_720s_20151212_182208", 60, "2015-12-12T18:22:08.799999Z"),
        ("sharp_720s_20151212_221808", 800, "2015-12-12T22:18:08.799999Z"),
    ] {
        server.file(SERIES, Item::new(name, date_obs), fits(7, side, date_obs));
    }
    server
}

/// An archive's files and records, proved.
#[derive(Debug, PartialEq)]
struct Proved {
    files: BTreeMap<String, Digest>,
    records: BTreeMap<String, DayRecord>,
}

fn proved(lab: &Lab, archive: &str) -> Proved {
    let record = |day: String| {
        let (series, date) = day.split_once('/').expect("series/date");
        let record = lab.day(archive, series, date);
        (day, record)
    };
    Proved { files: lab.proved(archive), records: lab.days(archive).into_iter().map(record).collect() }
}

/// Cuts the power after each step of a run in turn, and lets the run after it end.
fn sweep(kept: impl Fn(&mut StdRng) -> Kept, prepare: impl Fn(&Lab), due: &Proved) {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cut_after: BTreeSet<String> = BTreeSet::new();
    loop {
        let lab = Lab::new();
        prepare(&lab);
        disk::make(&lab);
        let mut steps = Steps::default();
        let kept = kept(&mut rng);
        let Some(changes) = disk::cut(&lab, kept, |call| cut_after.insert(steps.next(call))) else { break };
        let told = format!("cut after {:?}, {kept:?}", changes.last());
        disk::start_again(&lab, &told);
        look(&lab, &changes, &told);
        assert_eq!(proved(&lab, "ended"), *due, "{told}");
    }
    println!("cut after each of {} steps", cut_after.len());
}

/// What a power cut left: records tell the truth, and those that were there for good are still there.
#[track_caller]
fn look(lab: &Lab, changes: &[Syscall], told: &str) {
    let files = lab.files("left");
    for day in lab.days("left") {
        let (series, date) = day.split_once('/').expect("series/date");
        for file in lab.day("left", series, date).files {
            let there = files.get(file["path"].as_str().expect("a path")).map(ToString::to_string);
            assert_eq!(there.as_deref(), file["sha256"].as_str(), "the record names {file}: {told}");
        }
    }
    for named in changes.iter().filter(|call| call.is("renameat", ".sunhaul/days/")) {
        let is_synced = changes.iter().any(|call| call.began > named.ended && call.is("fsync", ".sunhaul/days/"));
        let day = named.arguments.rsplit('"').nth(1).expect("a name");
        assert!(!is_synced || lab.path(&format!("left/.sunhaul/days/{SERIES}/{day}")).exists(), "{day}: {told}");
    }
}

#[test]
#[ignore = "needs strace and the right to mount"]
fn d_09_a_power_cut_after_any_step_is_mended_by_the_next_run() {
    let server = service();
    let manifest = Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml();
    let prepare = |lab: &Lab| lab.write("job.yaml", manifest.replace("root: data", "root: disk/data"));
    let lab = Lab::new();
    lab.write("job.yaml", &manifest);
    lab.run().done();
    let due = proved(&lab, "data");
    let kept = |rng: &mut StdRng| match rng.random_range(0..4) {
        0 => Kept::Synced,
        1 => Kept::Names,
        2 => Kept::Zeros,
        _ => Kept::Some(rng.random()),
    };
    sweep(kept, prepare, &due);
}
