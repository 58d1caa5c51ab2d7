//! An archive that is missing where it was, as when its disk is not mounted, is no new job; and a few files of sealed days are
//! looked at in every run.

use crate::lab::{Item, Job, Lab, Server, fits};

/// A job of one day with one file, run once.
fn job() -> (Server, Lab) {
    let server = Server::start();
    server.file("sharp_720s", Item::new("sharp_182208", "2015-12-11T18:22:08Z"), fits(1, 20, "2015-12-11T18:22:08Z"));
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-12").yaml());
    lab.report(0);
    (server, lab)
}

#[test]
fn an_archive_that_is_missing_or_empty_ends_the_commands_that_would_fetch_it_again() {
    let (server, lab) = job();
    let asked = server.requests().len();
    std::fs::rename(lab.path("data"), lab.path("away")).expect("a moved archive");
    let told = "the archive of the job `lab` is not in";
    let way_out = "mount it; if it was moved, say where with `archive.root` or `--archive DIR`; if it was deleted, `sunhaul run \
                   job.yaml --rebuild` fetches it again";
    for _ in ["absent", "empty"] {
        for flags in [&[][..], &["--check"], &["--retry-absent"], &["--range", "2015-12-11.."]] {
            lab.run_with(flags).status(5).stderr_has(told).stderr_has(way_out).done();
        }
        for command in ["plan", "status"] {
            let warning = format!("warning: `sunhaul run` refuses this job: {told}");
            lab.sunhaul(&[command, "job.yaml"]).stdout_has("").stderr_has(&warning).stderr_has(way_out).done();
        }
        lab.sunhaul(&["update", "job.yaml"]).status(5).stderr_has(told).chatty().done();
        lab.sunhaul(&["verify", "job.yaml"]).status(5).stderr_has(told).chatty().done();
        std::fs::create_dir_all(lab.path("data")).expect("a mount point");
    }
    assert_eq!(server.requests().len(), asked, "nobody is asked");
    assert!(lab.files("data").is_empty(), "nothing is made on the disk below");

    // Both ways out.
    lab.run_with(&["--archive", "away"]).stderr_has("nothing to do").done();
    lab.run_with(&["--rebuild"]).stderr_has("1 file fetched").done();
    lab.run().stderr_has("nothing to do").done();
}

#[test]
fn a_new_machine_a_deleted_lock_and_a_run_held_to_the_lock_need_no_word() {
    let (_server, lab) = job();
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    for flag in ["--new-only", "--locked", "--frozen"] {
        lab.run_with(&[flag]).chatty().done();
        std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    }
    lab.run().env("XDG_STATE_HOME", lab.path("elsewhere").to_str().expect("text")).stderr_has("1 file fetched").done();
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    std::fs::remove_file(lab.path("job.lock")).expect("a lock");
    lab.run().stderr_has("1 file fetched").done();
    // Without a home nothing can be noted, and nothing is missed.
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.run().env("HOME", "").stderr_has("1 file fetched").done();
}

#[test]
fn a_run_over_sealed_days_says_that_files_were_not_looked_at_and_warns_where_some_of_a_few_are_missing() {
    let (server, lab) = job();
    lab.run().stderr_has("its files were not checked (--check does that)").done();
    lab.run_with(&["--check"]).stderr_has("nothing to do, the only day is sealed; its files are there").done();
    let path = lab.files("data").keys().next().expect("a file").clone();
    std::fs::remove_file(lab.path("data").join(&path)).expect("a file");
    let asked = server.requests().len();
    let warning = format!(
        "warning: missing or of the wrong length: 1 of 1 file of the checked files of sealed days, such as `{path}`; is a disk not \
         mounted? `sunhaul run job.yaml --check` checks all files and downloads the missing ones"
    );
    lab.run().stderr_has(&warning).stderr_has("nothing to do").done();
    assert_eq!(server.requests().len(), asked);
    lab.run_with(&["--check"]).stderr_has("1 file fetched").done();
    let spoken = lab.run().stderr_has("nothing to do").done();
    assert!(!spoken.stderr.contains("warning"), "{}", spoken.stderr);
}
