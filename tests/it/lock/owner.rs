//! Whose a lock is: of renamed manifests, and of two that would share one.

use super::*;

#[test]
fn a_renamed_manifest_is_told_where_its_lock_is() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    std::fs::rename(lab.path("job.yaml"), lab.path("new.yaml")).expect("a manifest");
    for command in ["run", "plan", "update", "verify"] {
        let call = lab.sunhaul(&[command, "new.yaml"]).status(2);
        call.stderr_has("`new.yaml` has no lock, and `job.lock`, a lock of the job `lab`, has no manifest")
            .stderr_has("`mv job.lock new.lock`")
            .done();
    }
    std::fs::rename(lab.path(LOCK), lab.path("new.lock")).expect("a lock");
    lab.sunhaul(&["run", "new.yaml", "--locked"]).chatty().done();
    // What a kill left of a lock is no lock.
    std::fs::copy(lab.path("new.lock"), lab.path(".sunhaul-abc.lock")).expect("a copy");
    // The lock of a manifest that is there, and of another job, is nobody else's.
    lab.write(
        "other.yaml",
        job(&server).yaml().replace("name: lab", "name: second").replace("root: data", "root: second"),
    );
    lab.sunhaul(&["plan", "other.yaml"]).stdout_has("").done();
}

#[test]
fn two_manifests_that_differ_by_their_ending_alone_are_refused() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    lab.write("job.yml", Job::embedded().yaml());
    for command in ["check", "plan", "run", "lock"] {
        let call = lab.sunhaul(&[command, "job.yml"]).status(2).chatty();
        call.stderr_has("`job.yml` and `job.yaml` would both have the lock `job.lock`").done();
    }
    assert!(!lab.path("data").exists() && !lab.path(LOCK).exists());
}
