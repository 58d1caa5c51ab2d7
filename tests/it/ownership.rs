//! Whose a file of the archive is: the user's own, one that several days name, one that layouts fight over.

mod letter_case;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::lab::{Answer, Job, Lab, Server};

/// A service of `.dat` files whose body is this text, which a test may change, after the end of their path.
struct Upstream {
    server: Server,
    text: Arc<Mutex<String>>,
}

/// True for the path of a file, and not for what else a client asks for.
fn is_data(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "dat")
}

impl Upstream {
    /// Bodies end with so many characters of their path.
    fn new(own: usize) -> Upstream {
        let text = Arc::new(Mutex::new("first ".repeat(20)));
        let shared = Arc::clone(&text);
        let server = Server::speaking(move |request| {
            let path = request.path.split('?').next().expect("a path");
            let text = shared.lock().expect("a lock");
            let body = format!("{text}{}", &path[path.len().saturating_sub(own)..]);
            is_data(path).then(|| Answer::file(body.into_bytes()))
        });
        Upstream { server, text }
    }

    fn changes(&self) {
        *self.text.lock().expect("a lock") = "second ".repeat(20);
    }

    /// A job over the days of a range, with a file every twelve hours.
    fn job(&self, range: (&str, &str), layout: &str) -> String {
        let url = self.server.url();
        let source = format!("{{ template: {{ url: \"{url}\", path: \"%Y%m%d/f%H.dat\", cadence: 12h }} }}");
        let job = Job::from_source(&source).series(&["{ name: s }"]).range(range.0, range.1).more("verify: [size]");
        job.yaml().replace("root: data", &format!("root: data, layout: \"{layout}\""))
    }
}

const BY_DAY: &str = "{series}/{date:%F}/{file}";

/// What lies in `retired/`.
fn retired(lab: &Lab) -> Vec<String> {
    lab.tree("data/.sunhaul/work/retired").into_keys().collect()
}

#[test]
fn a_users_own_file_is_kept_and_never_moved_or_deleted_whatever_comes() {
    // What would take the file away from its place.
    let young = ("2015-12-11", "2015-12-12");
    for (what, status) in
        [("another layout", 0), ("upstream changed", 1), ("edited, then repaired", 1), ("a damaged record", 1)]
    {
        let upstream = Upstream::new(7);
        let lab = Lab::new();
        let job = upstream.job(young, BY_DAY) + "settle: 3650d\n";
        lab.write("job.yaml", job.replace("2015-12", "2026-01"));
        let own = "data/s/2026-01-11/f00.dat";
        let body = format!("{}f00.dat", "first ".repeat(20));
        lab.write(own, &body);
        std::fs::hard_link(lab.path(own), lab.path("tmp/mine")).expect("another name of it");
        assert_eq!(lab.report(0)["totals"]["files"]["kept"], 1);
        match what {
            "another layout" => {
                let other = upstream.job(young, "{series}/{date:%Y/%j}/{file}") + "settle: 3650d\n";
                lab.write("job.yaml", other.replace("2015-12", "2026-01"));
            }
            "upstream changed" => upstream.changes(),
            "edited, then repaired" => lab.write(own, "my notes"),
            _ => {
                let record = "data/.sunhaul/days/s/2026-01-11.jsonl";
                let whole = lab.read(record);
                lab.write(record, &whole[..whole.len() - 30]);
                upstream.changes();
            }
        }
        let before = lab.read(own);
        lab.forget_the_lock();
        if what == "edited, then repaired" {
            lab.sunhaul(&["verify", "job.yaml", "--repair"]).status(1).stdout_has("").chatty().done();
        }
        let report = lab.report(status);
        if status == 1 {
            assert_eq!(report["failures"][0]["class"], "occupied", "{what}: {report:#}");
        }
        lab.sunhaul(&["clean", "job.yaml"]).chatty().done();
        assert_eq!(lab.read(own), before, "{what}");
        assert_eq!(lab.path(own).metadata().expect("a file").len(), before.len() as u64);
        assert!(retired(&lab).is_empty(), "{what}");
    }
}

#[test]
fn layouts_that_trade_the_paths_of_two_days_move_no_file_that_a_day_names() {
    for own in [0, 16] {
        let upstream = Upstream::new(own);
        let lab = Lab::new();
        let range = ("2016-01-01", "2016-02-03");
        lab.write("job.yaml", upstream.job(range, "{series}/{date:%Y/%m/%d}/{file}"));
        lab.report(0);
        lab.forget_the_lock();
        lab.write("job.yaml", upstream.job(range, "{series}/{date:%Y/%d/%m}/{file}"));
        // With bytes of their own, two days want each other's paths, and neither gives way.
        let report = lab.report(i32::from(own > 0));
        let crossed = report["failures"].as_array().expect("failures").iter().all(|one| one["class"] == "collision");
        assert!(crossed, "{report:#}");
        let extra = lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().start().done_any().stdout;
        assert!(!extra.contains("missing") && !extra.contains("changed"), "{extra}");
    }
}

#[test]
fn a_file_that_days_in_progress_share_goes_when_the_last_of_them_lets_go() {
    for _ in 0..5 {
        let upstream = Upstream::new(7);
        let lab = Lab::new();
        let range = ("2015-12-01", "2015-12-05");
        lab.write("job.yaml", upstream.job(range, "{series}/{file}"));
        lab.report(0);
        assert_eq!(lab.files("data").len(), 2, "four days share two files");
        lab.forget_the_lock();
        lab.write("job.yaml", upstream.job(range, BY_DAY));
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 8, "no file is left that no day names");
    }
}

/// Renames a folder when so many files were asked for.
fn renaming(from: PathBuf, to: PathBuf, at: usize) -> Server {
    let asked = AtomicUsize::new(0);
    Server::speaking(move |request| {
        let path = request.path.clone();
        let is_file = is_data(&path);
        if is_file && asked.fetch_add(1, Ordering::SeqCst) + 1 == at {
            std::fs::rename(&from, &to).expect("a folder");
        }
        is_file.then(|| Answer::file(path.repeat(10).into_bytes()))
    })
}

#[test]
fn a_folder_that_is_moved_in_the_middle_of_a_run_is_no_part_of_what_is_sealed() {
    for at in [2, 5, 8] {
        let lab = Lab::new();
        let server = renaming(lab.path("data/s"), lab.path("data/mine"), at);
        let source = format!("{{ template: {{ url: \"{}\", path: \"%Y%m%d/f%H.dat\", cadence: 3h }} }}", server.url());
        let limits = "{ requests: unlimited, bandwidth: unlimited, concurrency: 1 }";
        let job = Job::from_source(&source).series(&["{ name: s }"]).limits(limits).more("verify: [size]");
        lab.write("job.yaml", job.yaml());
        let report = lab.report(4);
        assert_eq!(report["failures"][0]["class"], "held", "{report:#}");
        assert!(lab.days("data").is_empty(), "nothing is sealed that is not where the record says");
        let moved = lab.tree("data/mine");
        assert!(!moved.is_empty());
        lab.report(0);
        assert_eq!(lab.day("data", "s", "2015-12-11").files.len(), 8);
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("extra").chatty().done();
        assert_eq!(lab.tree("data/mine"), moved, "what was moved stays as it is");
    }
}

#[test]
fn a_root_that_is_moved_in_the_middle_of_a_run_seals_nothing_and_goes_on_when_it_is_put_back() {
    for (from, to) in [("up/data", "up/moved"), ("up/data/.sunhaul", "up/data/state"), ("up", "aside")] {
        for at in [2, 8] {
            let lab = Lab::new();
            let server = renaming(lab.path(from), lab.path(to), at);
            let url = server.url();
            let source = format!("{{ template: {{ url: \"{url}\", path: \"%Y%m%d/f%H.dat\", cadence: 3h }} }}");
            let limits = "{ requests: unlimited, bandwidth: unlimited, concurrency: 1 }";
            let job = Job::from_source(&source).series(&["{ name: s }"]).limits(limits).more("verify: [size]");
            lab.write("job.yaml", job.yaml().replace("root: data", "root: up/data"));
            lab.run().status(4).stderr_has("is not the folder any more").stderr_has("put it back").chatty().done();
            let name = if to == "aside" { "aside/data" } else { "up/moved" };
            let here = if to.ends_with("state") { "up/data" } else { name };
            assert!(lab.days(here).is_empty(), "{from} {at}: nothing is sealed");
            assert!(!lab.path(from).exists(), "{from} {at}: nothing is made in its place");
            let before = server.requests().len();
            std::fs::rename(lab.path(to), lab.path(from)).expect("put back");
            lab.run().chatty().done();
            assert_eq!(lab.day("up/data", "s", "2015-12-11").files.len(), 8);
            assert!(server.requests().len() < before + 8, "{from} {at}: what was fetched counts");
            lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").chatty().done();
        }
    }
}

#[test]
fn a_users_own_file_in_place_of_a_provisional_one_stays_whatever_comes() {
    for (what, is_edited) in [("replaced", false), ("edited", true)] {
        for command in [&["run", "job.yaml"][..], &["run", "job.yaml", "--check"], &["update", "job.yaml"]] {
            let upstream = Upstream::new(7);
            let lab = Lab::new();
            let young = upstream.job(("2026-01-11", "2026-01-12"), BY_DAY) + "settle: 3650d\n";
            lab.write("job.yaml", &young);
            lab.report(0);
            upstream.changes();
            let own = "data/s/2026-01-11/f00.dat";
            let text = "my notes ".repeat(if is_edited { 15 } else { 1 });
            if !is_edited {
                std::fs::remove_file(lab.path(own)).expect("a file");
            }
            lab.write(own, &text);
            for settle in ["settle: 3650d\n", "settle: 0d\n"] {
                lab.write("job.yaml", young.replace("settle: 3650d\n", settle));
                lab.sunhaul(command).status(1).stderr_has("occupied").stdout_has("").chatty().done();
            }
            // Another layout asks for it elsewhere.
            lab.forget_the_lock();
            lab.write("job.yaml", upstream.job(("2026-01-11", "2026-01-12"), "{series}/{date:%Y/%j}/{file}"));
            lab.sunhaul(&["run", "job.yaml"]).stderr_has("and stays").chatty().done();
            lab.sunhaul(&["clean", "job.yaml"]).chatty().done();
            assert_eq!(lab.read(own), text.as_bytes(), "{what}, {command:?}");
        }
    }
}

#[test]
fn f_04_a_file_with_a_name_of_the_longest_kind_changes_at_each_look() {
    let version = Arc::new(AtomicUsize::new(0));
    let current = Arc::clone(&version);
    let server = Server::speaking(move |request| {
        let body = format!("version {}", current.load(Ordering::SeqCst));
        is_data(&request.path).then(|| Answer::file(body.into_bytes()))
    });
    let lab = Lab::new();
    let name = format!("%Y%m%d{}.dat", "x".repeat(255 - 8 - 4));
    let source = format!("{{ template: {{ url: \"{}\", path: \"{name}\", cadence: 1d }} }}", server.url());
    let job = Job::from_source(&source).series(&["{ name: s }"]).range("2026-01-11", "2026-01-12");
    lab.write("job.yaml", job.more("verify: [size]").more("settle: 3650d").yaml());
    for looks in 0..4 {
        version.store(looks, Ordering::SeqCst);
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 1);
        assert_eq!(retired(&lab).len(), looks);
    }
}
