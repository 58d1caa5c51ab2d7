//! Two manifests with one name and one archive: refused where each would undo the other's work, and nowhere else.

use crate::lab::{Item, Job, Lab, Server, fits};

fn server() -> Server {
    let server = Server::start();
    for (seed, day) in [(1, "11"), (2, "12")] {
        let time = format!("2015-12-{day}T18:22:08.799999Z");
        server.file("sharp_720s", Item::new(&format!("f{day}"), &time), fits(seed, 60, &time));
    }
    server
}

fn job(server: &Server) -> Job {
    Job::at(&server.url()).range("2015-12-11", "2015-12-13")
}

/// The same job with other filters, so that its days are others.
fn otherwise(server: &Server) -> String {
    job(server).series(&["{ name: sharp_720s, cadence: 12h }"]).yaml()
}

#[test]
fn a_second_manifest_of_one_job_that_asks_otherwise_is_refused_before_anything_is_asked() {
    let server = server();
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    lab.report(0);
    let (files, asked) = (lab.files("data"), server.requests().len());
    lab.write("elsewhere/mine", "mine");
    lab.write("jobs/copy.yaml", otherwise(&server).replace("root: data", "root: ../data"));
    for command in [
        &["run", "jobs/copy.yaml"][..],
        &["run", "job.yaml", "jobs/copy.yaml"],
        &["plan", "jobs/copy.yaml"],
        &["check", "job.yaml", "jobs/copy.yaml"],
        &["adopt", "jobs/copy.yaml", "elsewhere"],
        &["verify", "jobs/copy.yaml", "--repair"],
        &["forget", "jobs/copy.yaml", "--range", "2015-12-11..2015-12-12"],
        &["forget", "jobs/copy.yaml", "--range", "2015-12-11..2015-12-12", "--delete"],
    ] {
        let said = lab.sunhaul(command).stdout_has("").chatty().start().done_any();
        assert_eq!(said.code, 2, "{command:?}: {said:?}");
        for part in ["copy.yaml`", "job.yaml`", "undo", "as:", "archive.root"] {
            assert!(said.stderr.contains(part), "{command:?}: no {part}: {}", said.stderr);
        }
    }
    lab.sunhaul(&["status", "jobs/copy.yaml"])
        .stderr_has("refuses this job")
        .stderr_has("undo")
        .stdout_has("2015")
        .done();
    assert_eq!((lab.files("data"), server.requests().len()), (files, asked), "nothing is asked, and nothing moves");
    lab.report(0);
}

#[test]
fn a_manifest_that_asks_otherwise_than_the_records_is_refused_where_nothing_tells_who_made_them() {
    let server = server();
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    lab.report(0);
    lab.write("other.yaml", otherwise(&server));
    let (files, asked) = (lab.files("data"), server.requests().len());
    let note = lab.path("data/.sunhaul/jobs/lab.json");
    for damage in ["removed", "emptied", "without its folder"] {
        match damage {
            "removed" => std::fs::remove_file(&note).expect("a note"),
            "emptied" => lab.write("data/.sunhaul/jobs/lab.json", ""),
            _ => std::fs::remove_dir_all(lab.path("data/.sunhaul/jobs")).expect("a folder"),
        }
        lab.write("elsewhere/mine", "mine");
        for command in [&["run", "other.yaml"][..], &["adopt", "other.yaml", "elsewhere"]] {
            let said = lab.sunhaul(command).status(2).stderr_has("sharp_720s 2015-12-11").chatty();
            said.stderr_has("`other.yaml`").stderr_has(".sunhaul/jobs/lab.json`").stderr_has("as:").done();
        }
        assert_eq!((lab.files("data"), server.requests().len()), (files.clone(), asked), "{damage}");
    }
    // The one that made them goes on, and is known again.
    lab.report(0);
    assert_eq!(lab.json("data/.sunhaul/jobs/lab.json")["manifests"], serde_json::json!(["../job.yaml"]));
    lab.sunhaul(&["run", "other.yaml"]).status(2).stderr_has("undo the other's work").done();
    // One that was edited since is known by its lock.
    std::fs::remove_file(lab.path("other.yaml")).expect("a file");
    std::fs::remove_file(&note).expect("a note");
    let lock = lab.read("job.lock");
    lab.forget_the_lock();
    lab.write("job.yaml", otherwise(&server));
    lab.sunhaul(&["run", "job.yaml"]).status(2).stderr_has("`sunhaul lock job.yaml`").chatty().done();
    lab.write("job.lock", lock);
    lab.sunhaul(&["run", "job.yaml"]).chatty().done();
}

#[test]
fn two_new_manifests_of_one_command_that_would_undo_each_other_are_refused_both() {
    let server = server().expect_silence();
    let lab = Lab::new();
    lab.write("a.yaml", job(&server).yaml());
    lab.write("b.yaml", otherwise(&server));
    lab.sunhaul(&["run", "a.yaml", "b.yaml"]).status(2).stderr_has("a.yaml`").stderr_has("b.yaml`").done();
    assert!(lab.tree("data").is_empty());
}

#[test]
fn a_manifest_that_was_moved_copied_as_it_is_or_asks_for_other_days_goes_on() {
    let server = server();
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    lab.report(0);
    // The same text in another place, as in two checkouts of one repository.
    lab.write("checkout/job.yaml", job(&server).yaml().replace("root: data", "root: ../data"));
    lab.sunhaul(&["run", "checkout/job.yaml"]).chatty().done();
    // Other days of the same series.
    lab.write("january.yaml", Job::at(&server.url()).range("2015-12-10", "2015-12-11").yaml());
    lab.sunhaul(&["plan", "january.yaml"]).stdout_has("").chatty().done();
    // Renamed, and changed since.
    std::fs::remove_dir_all(lab.path("checkout")).expect("a folder");
    std::fs::rename(lab.path("job.yaml"), lab.path("renamed.yaml")).expect("a file");
    std::fs::rename(lab.path("job.lock"), lab.path("renamed.lock")).expect("a file");
    lab.write("renamed.yaml", otherwise(&server));
    lab.sunhaul(&["run", "renamed.yaml"]).chatty().done();
    // What has its old name is another job now.
    lab.write("job.yaml", job(&server).yaml().replace("name: lab", "name: other").replace("root: data", "root: other"));
    lab.sunhaul(&["run", "renamed.yaml"]).chatty().done();
    // Nothing of this machine is in what is shared.
    let own = lab.path("").to_string_lossy().into_owned();
    for record in lab.days("data") {
        let text = String::from_utf8(lab.read(&format!("data/.sunhaul/days/{record}.jsonl"))).expect("UTF-8");
        assert!(!text.contains(&own), "{text}");
    }
    let noted = lab.json("data/.sunhaul/jobs/lab.json");
    assert_eq!(noted["manifests"], serde_json::json!(["../renamed.yaml"]), "{noted:#}");
}
