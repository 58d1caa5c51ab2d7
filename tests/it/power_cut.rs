//! D-09: the power is cut. What a record calls sealed is on stable storage, and what was under way is done anew.

mod disk;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sunhaul::digest::Digest;

use crate::lab::{Answer, DayRecord, Item, Job, Lab, Server, Steps, Syscall, fits};
use disk::Kept;

const SERIES: &str = "sharp_720s";

/// Small files on both days, and a large one on the second.
const FILES: [(&str, usize, &str); 6] = [
    ("sharp_720s_20151211_182208", 60, "2015-12-11T18:22:08.799999Z"),
    ("sharp_720s_20151211_221808", 65, "2015-12-11T22:18:08.799999Z"),
    ("sharp_720s_20151212_010208", 70, "2015-12-12T01:02:08.799999Z"),
    ("sharp_720s_20151212_021808", 75, "2015-12-12T02:18:08.799999Z"),
    ("sharp_720s_20151212_182208", 80, "2015-12-12T18:22:08.799999Z"),
    ("sharp_720s_20151212_220108", 800, "2015-12-12T22:01:08.799999Z"),
];

fn service() -> Server {
    let server = Server::start();
    for (name, side, date_obs) in FILES {
        server.file(SERIES, Item::new(name, date_obs), fits(7, side, date_obs));
    }
    server
}

fn job(server: &Server) -> String {
    Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml()
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
        (day.clone(), said_by(lab.day(archive, series, date)))
    };
    Proved { files: lab.proved(archive), records: lab.days(archive).into_iter().map(record).collect() }
}

/// A record without its word on whose the files are, and what depends on it: a power cut can take the journal that knew.
fn said_by(mut record: DayRecord) -> DayRecord {
    for key in ["body", "check"] {
        record.header.as_object_mut().expect("a header").remove(key);
    }
    for file in &mut record.files {
        file.as_object_mut().expect("a line").remove("preexisting");
    }
    record
}

/// Cuts the power after each step of a run in turn, kills the run after it at a random one, and lets a third run end.
fn sweep(prepare: impl Fn(&Lab)) {
    let due = {
        let lab = Lab::new();
        prepare(&lab);
        lab.run().done();
        proved(&lab, "data")
    };
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cut_after: BTreeSet<String> = BTreeSet::new();
    let mut torn = 0;
    loop {
        let lab = Lab::new();
        prepare(&lab);
        disk::make(&lab);
        let kept = match rng.random_range(0..5) {
            0 => Kept::Synced,
            1 => Kept::Names,
            2 => Kept::Zeros,
            _ => Kept::Some(rng.random()),
        };
        let mut steps = Steps::default();
        let Some(changes) = disk::cut(&lab, kept, |call| cut_after.insert(steps.next(call))) else { break };
        let mut left = rng.random_range(1..60);
        disk::start_again(&lab, |_| {
            left -= 1;
            left == 0
        });
        let told = format!("seed {seed}, cut after {:?}, {kept:?}", changes.last());
        look(&lab, &changes, &due, &told);
        assert_eq!(proved(&lab, "ended"), due, "{told}");
        torn += lab.files("left").values().filter(|digest| !due.files.values().any(|due| due == *digest)).count();
    }
    assert!(torn > 0, "{} cuts lost nothing: the test shows little", cut_after.len());
}

/// What a power cut left: records tell the truth, and those that were there for good are still there.
#[track_caller]
fn look(lab: &Lab, changes: &[Syscall], due: &Proved, told: &str) {
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
        if is_synced {
            let date = named.arguments.rsplit('"').nth(1).and_then(|name| name.strip_suffix(".jsonl")).expect("a date");
            assert_eq!(said_by(lab.day("left", SERIES, date)), due.records[&format!("{SERIES}/{date}")], "{told}");
        }
    }
}

#[test]
#[ignore = "needs strace and the right to mount"]
fn d_09_a_power_cut_after_any_step_of_fresh_days_is_mended_by_the_next_run() {
    let server = service();
    sweep(|lab| lab.write("job.yaml", job(&server)));
}

#[test]
#[ignore = "needs strace and the right to mount"]
fn d_09_a_power_cut_after_any_step_of_days_that_are_done_anew_is_mended_by_the_next_run() {
    let server = service();
    let manifest = |end, name| {
        let job = Job::at(&server.url()).range("2015-12-11", end).yaml();
        job.replace("root: data", &format!("root: data, layout: \"{{series}}/{{date:%d}}/{name}.fits\""))
    };
    // One file's hour is another's minute: what is asked for now belongs where the other file lies. The day
    // after is new.
    let before = manifest("2015-12-12", "{time:%H}");
    let after = manifest("2015-12-13", "{time:%M}");
    sweep(|lab| {
        lab.write("job.yaml", &before);
        lab.run().done();
        lab.write("job.yaml", &after);
    });
}

#[test]
#[ignore = "needs the right to mount"]
fn d_09_what_was_under_way_at_another_boot_is_not_trusted() {
    let server = Server::start();
    let [kept, lost, large] = [FILES[2], FILES[3], FILES[5]];
    for (name, side, date_obs) in [kept, lost, large] {
        let answer = Answer::file(fits(7, side, date_obs)).named(&format!("{name}.fits"));
        let stalled = answer.clone().stall_at(1_100_000);
        let answers = if name == large.0 { vec![stalled, answer] } else { vec![answer] };
        server.script_file(SERIES, Item::new(name, date_obs), answers);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-12", "2015-12-13").yaml());
    let run = lab.run().start();
    server.wait_for_pauses(1);
    lab.until("two files are there", |lab| lab.files("data").len() == 2);
    lab.until("a part is there", |lab| {
        lab.tree("data/.sunhaul/work/partial").keys().any(|name| name.contains(".part"))
    });
    run.kill();
    // A write that was lost, by its length unseen.
    let path = format!("data/{SERIES}/2015/12/12/{}.fits", lost.0);
    lab.write(&path, vec![0; lab.read(&path).len()]);

    lab.write("boot_id", disk::OTHER_BOOT);
    let script = "mount --bind boot_id /proc/sys/kernel/random/boot_id && exec \"$0\" run job.yaml";
    lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script, env!("CARGO_BIN_EXE_sunhaul")])
        .chatty()
        .done();
    let asked = |name: &str| server.requests_for(&format!("/HMI/{SERIES}/{name}"));
    assert_eq!(asked(kept.0).len(), 1, "what is there with its bytes is kept");
    assert_eq!(asked(lost.0).len(), 2, "what is not is fetched again");
    let large = asked(large.0);
    assert!(large.len() == 2 && large.iter().all(|request| request.header("range").is_none()), "{large:?}");
    lab.proved("data");
    assert_eq!(lab.files("data").len(), 3);
}
