//! Bad input: a clear error, its exit code, and nothing written.

use crate::lab::{Item, Job, Lab, Server, fits};

/// Each wrong manifest with what the error must speak of.
fn wrong() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = Job::at("http://127.0.0.1:9").yaml();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to).into_bytes()
    };
    let bomb: String = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        let below = format!("*a{},", level - 1).repeat(10);
        text + &format!("a{level}: &a{level} [{below}]\n")
    });
    vec![
        ("an empty file", Vec::new(), "job.yaml"),
        ("no YAML", b"version: [1\nname: }{".to_vec(), "job.yaml"),
        ("a cadence between the records", with("{ name: sharp_720s }", "{ name: sharp_720s, cadence: 7m }"), "`12m`"),
        ("no UTF-8", b"version: 1\nname: \xff\xfe\n".to_vec(), "job.yaml"),
        ("an unknown key", with("name: lab", "name: lab\ncolour: red"), "colour"),
        ("a duplicate key", with("name: lab", "name: lab\nname: other"), "name"),
        ("a wrong type", with("version: 1", "version: [1]"), "version"),
        ("yes for a value that is no text", with("version: 1", "version: yes"), "version"),
        ("a date that is none", with("2015-12-12", "2015-02-30"), "2015-02-30"),
        ("an end before the start", with("2015-12-12", "2015-12-01"), "end"),
        ("an empty range", with("2015-12-12", "2015-12-11"), "range"),
        ("a clock in a range", with("2015-12-12", "now-3d"), "today"),
        ("no series", with("series:\n  - { name: sharp_720s }\n", "series: []\n"), "series"),
        ("a series twice", with("  - { name: sharp_720s }\n", "  - { name: s }\n  - { name: s }\n"), "as"),
        ("a layout up", with("root: data", "root: data, layout: \"../{file}\""), ".."),
        ("an absolute layout", with("root: data", "root: data, layout: \"/tmp/{file}\""), "layout"),
        ("a layout of one name", with("root: data", "root: data, layout: \"{series}/x.fits\""), "layout"),
        ("a URL without a host", with("http://127.0.0.1:9", "http://"), "url"),
        ("another scheme", with("http://127.0.0.1:9", "ftp://127.0.0.1/"), "ftp"),
        ("a negative rate", with("requests: unlimited", "requests: -4/s"), "requests"),
        ("no connections", with("concurrency: 4", "concurrency: 0"), "concurrency"),
        ("a limit above its ceiling", with("http://127.0.0.1:9", "http://jsoc.stanford.edu"), "agreed_with"),
        ("an unset variable", with("root: data", "root: \"${NOT_SET_HERE}\""), "NOT_SET_HERE"),
        ("an alias bomb", bomb.into_bytes(), "job.yaml"),
        ("a file of 2 MiB", with("name: lab", &format!("name: lab # {}", "x".repeat(2 << 20))), "job.yaml"),
    ]
}

#[test]
fn a_wrong_manifest_is_an_error_of_its_own_and_nothing_is_written() {
    for (what, manifest, word) in wrong() {
        let lab = Lab::new();
        lab.write("job.yaml", &manifest);
        let before = lab.tree("");
        for command in ["check", "plan", "run"] {
            let spoken = lab.sunhaul(&[command, "job.yaml"]).status(2).stderr_has("job.yaml").stderr_has(word).done();
            assert!(spoken.stderr.contains("error"), "{what}, {command}:\n{}", spoken.stderr);
        }
        assert_eq!(lab.tree(""), before, "{what}: something was written");
        assert!(!lab.path("data").exists(), "{what}: the archive was begun");
    }
}

#[test]
fn a_good_manifest_passes_and_writes_nothing() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at("http://127.0.0.1:9").yaml());
    let before = lab.tree("");
    lab.sunhaul(&["check", "job.yaml"]).stdout_has("").chatty().done();
    lab.sunhaul(&["plan", "job.yaml"]).stdout_has("sharp_720s").chatty().done();
    assert_eq!(lab.tree(""), before);
    assert!(!lab.path("data").exists());
}

#[test]
fn every_error_of_a_file_is_shown_at_once_with_its_place() {
    let lab = Lab::new();
    let text =
        Job::at("ftp://127.0.0.1/").yaml().replace("2015-12-12", "2015-02-30").replace("lab", "lab\ncolour: red");
    lab.write("job.yaml", text);
    let shown = lab.sunhaul(&["check", "job.yaml"]).status(2).chatty().done().stderr;
    for (line, word) in [(3, "colour"), (4, "ftp"), (5, "2015-02-30")] {
        assert!(shown.contains(&format!("job.yaml:{line}:")), "line {line}:\n{shown}");
        assert!(shown.contains(word), "{word}:\n{shown}");
    }
}

#[test]
fn no_file_and_an_unknown_word_are_usage() {
    let lab = Lab::new();
    lab.sunhaul(&["check", "absent.yaml"]).status(2).stderr_has("absent.yaml").done();
    lab.sunhaul(&["run", "absent.yaml"]).status(2).stderr_has("absent.yaml").done();
    lab.sunhaul(&["fetch"]).status(2).stderr_has("fetch").done();
    lab.sunhaul(&["run"]).status(2).stderr_has("JOB").done();
    lab.sunhaul(&["run", "--no-such-flag"]).status(2).stderr_has("--no-such-flag").done();
}

#[test]
fn a_wrong_flag_is_told_with_what_it_can_be() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at("http://127.0.0.1:9").yaml());
    for (flags, hint) in [
        (["--series", "shrap_720s"], "hint: did you mean `sharp_720s`?"),
        (["--series", ""], "hint: it has: sharp_720s"),
        (["--range", "2015-12-11"], "hint: write `2015-12-11..2015-12-14`"),
        (["--range", "2015-02-30.."], "hint: the last day of that month is 2015-02-28"),
        (["--range", "2014-01-01..2014-01-02"], "hint: sharp_720s has 2015-12-11T00:00:00Z"),
        (["--log-format", "xml"], "[possible values: text, json]"),
        (["--color", "mauve"], "[possible values: auto, always, never]"),
    ] {
        for command in ["plan", "run"] {
            lab.sunhaul(&[&[command, "job.yaml"][..], &flags].concat()).status(2).stderr_has(hint).done();
        }
    }
    lab.sunhaul(&["check", "tmp"]).status(2).stderr_has("a folder, not a manifest").stderr_has("hint: ").done();
    assert!(!lab.path("data").exists());
}

#[test]
fn a_hostile_manifest_costs_little() {
    let begun = std::time::Instant::now();
    let lab = Lab::new();
    for (_, manifest, _) in wrong().into_iter().filter(|(what, _, _)| what.contains("bomb") || what.contains("MiB")) {
        lab.write("job.yaml", manifest);
        lab.sunhaul(&["check", "job.yaml"]).status(2).chatty().done();
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn a_file_in_the_archives_place_is_told_with_what_to_do_and_stays() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    lab.write("data", "in the way");
    for command in ["check", "plan", "run", "status"] {
        let call = lab.sunhaul(&[command, "job.yaml"]).status(2);
        call.stderr_has("job.yaml:7:18").stderr_has("this is a file, not a folder").stderr_has("hint: ").done();
    }
    let call = lab.sunhaul(&["run", "job.yaml", "--archive", "job.yaml"]).status(2);
    call.stderr_has("--archive").stderr_has("hint: name a folder").done();
    assert_eq!(lab.read("data"), b"in the way");
}

#[test]
fn marks_and_line_ends_of_other_editors_do_no_harm() {
    let lab = Lab::new();
    let text = format!("\u{feff}{}", Job::embedded().yaml().replace('\n', "\r\n"));
    lab.write("job.yaml", text);
    lab.sunhaul(&["check", "job.yaml"]).stderr_has("good").done();
    lab.report(0);
}

#[test]
fn a_root_that_cannot_be_written_to_is_a_storage_failure() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    // Nobody can make folders here, not even the superuser.
    lab.sunhaul(&["run", "job.yaml", "--archive", "/proc/data"]).status(5).stderr_has("/proc/data").done();
}

#[test]
#[ignore = "needs a mount namespace: tests/run.sh says when it can be had"]
fn d_01_a_full_disk_is_a_storage_failure_and_leaves_nothing_half() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    std::fs::create_dir(lab.path("data")).expect("a folder");
    let script = "mount -t tmpfs -o size=256k none data && \"$0\" run job.yaml; code=$?; \
                  find data -path data/.sunhaul -prune -o -type f -print; exit $code";
    let program = env!("CARGO_BIN_EXE_sunhaul");
    let unshared = lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script, program]);
    let spoken = unshared.status(5).stdout_has("").stderr_has("space").done();
    assert!(!spoken.stdout.lines().any(|path| path.contains(".part")), "{}", spoken.stdout);
}

#[test]
#[ignore = "needs a mount namespace: tests/run.sh says when it can be had"]
fn d_01_a_full_disk_is_foreseen_for_a_file_that_cannot_fit() {
    let server = Server::start();
    let time = "2015-12-11T18:22:08.799999Z";
    server.file("sharp_720s", Item::new("sharp_720s_20151211_182208", time), fits(1, 1500, time));
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    std::fs::create_dir(lab.path("data")).expect("a folder");
    let script =
        "mount -t tmpfs -o size=2m none data && \"$0\" run job.yaml; code=$?; df --output=used data; exit $code";
    let program = env!("CARGO_BIN_EXE_sunhaul");
    let unshared = lab.program("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", script, program]);
    let spoken = unshared.status(5).stdout_has("Used").stderr_has("bytes, but only").done();
    let used: u64 = spoken.stdout.split_whitespace().last().expect("a figure").parse().expect("a number");
    assert!(used < 200, "{used} KiB were written all the same");
}
