//! Filesystems that do not do what a file needs, each mounted in a namespace of the test's own.

use super::SERIES;
use crate::lab::{Item, Job, Lab, Server, Spoken, fits};

/// A service with a small file and one that is too large to be small, and a job for them.
fn lab() -> (Server, Lab) {
    let server = Server::start().expect_silence();
    for (name, side) in [("small", 60), ("large", 1024)] {
        let time = "2015-12-11T18:22:08.8Z";
        server.file(SERIES, Item::new(name, time), fits(1, side, time));
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    (server, lab)
}

/// A run behind these mounts, which ends with 5; without them it goes on to its end.
#[track_caller]
fn run_behind(lab: &Lab, mounts: &str, report: &str, hint: &str) -> Spoken {
    let script = format!("{mounts} && exec \"$0\" run job.yaml --report {report}");
    let program = env!("CARGO_BIN_EXE_sunhaul");
    let unshared = lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", &script, program]);
    unshared.status(5).stdout_has("").stderr_has(hint).done()
}

#[test]
#[ignore = "needs a mount namespace: tests/run.sh says when it can be had"]
fn d_04_a_rename_across_devices_is_told_with_what_to_do() {
    // The work on another disk than the files, and the other way round: the first shows before anything is asked.
    for (place, is_foreseen) in [("data/.sunhaul/work", true), ("data/sharp_720s", false)] {
        let (server, lab) = lab();
        let mounts = format!("mkdir -p {place} && mount -t tmpfs none {place}");
        run_behind(&lab, &mounts, "report.json", "one filesystem");
        let report = lab.json("report.json");
        let failures = report["failures"].as_array().expect("failures");
        assert_eq!((failures.is_empty(), server.requests().is_empty()), (is_foreseen, is_foreseen), "{report:#}");
        assert!(failures.iter().all(|f| f["class"] == "storage"), "{report:#}");
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 2);
    }
}

#[test]
#[ignore = "needs a mount namespace: tests/run.sh says when it can be had"]
fn d_12_a_read_only_root_is_told_before_anything_is_asked() {
    let (server, lab) = lab();
    std::fs::create_dir(lab.path("data")).expect("a folder");
    let mounts = "mount --bind data data && mount -o remount,ro,bind data";
    run_behind(&lab, mounts, "report.json", "mount it writable");
    assert!(server.requests().is_empty(), "nothing is fetched that cannot be kept");
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 2);
    // All of it is there: only the report of the run has no place.
    run_behind(&lab, mounts, "report.json", "mount it writable");
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
#[ignore = "needs a mount namespace: tests/run.sh says when it can be had"]
fn d_12_beside_a_manifest_that_is_read_only_only_a_lock_that_changes_is_missed() {
    let (server, lab) = lab();
    let job = Job::at(&server.url()).retry("{ attempts: 1 }");
    let write = |job: &Job| lab.write("jobs/job.yaml", job.yaml().replace("root: data", "root: ../data"));
    let run = |flags: &str| {
        let mounts = "mount --bind jobs jobs && mount -o remount,ro,bind jobs";
        let script = format!("{mounts} && exec \"$0\" run jobs/job.yaml {flags}");
        let program = env!("CARGO_BIN_EXE_sunhaul");
        lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", &script, program])
    };
    write(&job);
    run("").status(5).stderr_has("put both into a writable folder").done();
    assert!(server.requests().is_empty() && lab.tree("data").is_empty(), "it is told before anything is asked");
    lab.sunhaul(&["run", "jobs/job.yaml"]).chatty().done();
    for flags in ["", "--check", "--locked"] {
        run(flags).stderr_has("nothing to do").done();
    }
    // A file that is gone is a day to do; so is a day more.
    std::fs::remove_file(lab.path("data/sharp_720s/2015/12/11/small.fits")).expect("a file");
    run("--check").status(5).stderr_has("put both into a writable folder").done();
    write(&job.range("2015-12-11", "2015-12-13"));
    run("").status(5).stderr_has("put both into a writable folder").done();
    assert_eq!(lab.days("data").len(), 1);
}
