//! The same manifest against the same upstream gives the same bytes, records and lock, whichever way it came to them.

use std::collections::BTreeMap;

use sunhaul::digest::Digest;

use crate::lab::{Job, Lab, Running};

/// A lock without days: the instant in it is the same in all archives, so that whole locks can be compared.
const BEGINNING: &str = "{\"lock\":{\"format\":\"lock/1\",\"job\":\"lab\",\"as_of\":\"2026-01-01T00:00:00Z\",\
                         \"detail\":\"files\",\"about\":\"begun by hand\"}}\n";

/// What an archive has come to: the user's files, the day records byte for byte, and the lock.
type Outcome = (BTreeMap<String, Digest>, BTreeMap<String, Digest>, String);

fn lab(service: &Running, limits: &str) -> Lab {
    let lab = Lab::new();
    let series =
        ["{ name: sharp_720s, cadence: 1h }", "{ name: hmi.sharp_cea_720s, as: cea, segments: [Br], cadence: 2h }"];
    let job = Job::at(service.url()).range("2015-12-11", "2015-12-14").series(&series).limits(limits);
    lab.write("job.yaml", job.yaml());
    lab.write("job.lock", BEGINNING);
    lab
}

fn outcome(lab: &Lab) -> Outcome {
    let lock = String::from_utf8(lab.read("job.lock")).expect("text");
    (lab.proved("data"), lab.tree("data/.sunhaul/days"), lock)
}

/// Kills runs whenever six more files are there, until one of them comes to its end by itself. Gives the kills.
fn killed_again_and_again(lab: &Lab) -> u32 {
    let mut kills = 0;
    loop {
        let there = lab.files("data").len();
        let mut run = lab.run().start();
        while !run.has_ended() && lab.files("data").len() < there + 6 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if run.has_ended() {
            run.done();
            return kills;
        }
        run.kill();
        kills += 1;
    }
}

#[test]
fn four_ways_lead_to_the_same_files_records_and_lock() {
    let home = Lab::new();
    let service = home.serve(&["--embedded", "--seed", "7"]);
    let one_at_a_time = "{ requests: unlimited, bandwidth: unlimited, concurrency: 1 }";
    let sixteen = "{ requests: unlimited, bandwidth: unlimited, concurrency: 16 }";
    let four = "{ requests: unlimited, bandwidth: unlimited, concurrency: 4 }";

    let straight = lab(&service, four);
    straight.run().done();
    let expected = outcome(&straight);
    assert!(expected.0.len() > 90 && expected.2.lines().count() > 96, "{}", expected.2);

    for limits in [one_at_a_time, sixteen] {
        let lab = lab(&service, limits);
        lab.run().done();
        assert_eq!(outcome(&lab), expected, "{limits}");
    }

    let killed = lab(&service, "{ requests: unlimited, bandwidth: 4 MiB/s, concurrency: 4 }");
    let kills = killed_again_and_again(&killed);
    assert!(kills >= 3, "only {kills} kills");
    assert_eq!(outcome(&killed), expected, "after {kills} kills");

    let shared = lab(&service, four);
    let both = [(); 2].map(|()| shared.sunhaul(&["run", "job.yaml"]).chatty().start());
    for run in both {
        let code = run.done_any().code;
        assert!(code == 0 || code == 4, "whole, or held by the other one: {code}");
    }
    shared.run().done();
    assert_eq!(outcome(&shared), expected, "two processes on one archive");
}
