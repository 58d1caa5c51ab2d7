//! This machine: other processes, signals, clocks, and what was cut, edited or removed between two runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sunhaul::digest::Digest;

use super::SERIES;
use crate::lab::{Answer, Ending, Item, Job, Lab, Server, fits};

const RECORD: &str = "data/.sunhaul/days/sharp_720s/2015-12-11.jsonl";
const JOURNAL: &str = "data/.sunhaul/work/journal/sharp_720s/2015-12-11.jsonl";
const PARTS: &str = "data/.sunhaul/work/partial/sharp_720s/2015-12-11";

/// A file of 2015-12-11 or a later day.
struct File {
    name: String,
    time: String,
    body: Vec<u8>,
}

impl File {
    fn new(nth: u32, date: &str) -> File {
        let time = format!("{date}T00:{nth:02}:08.8Z");
        File { name: format!("f{nth}"), body: fits(nth + 1, 300, &time), time }
    }

    fn answer(&self) -> Answer {
        Answer::file(self.body.clone()).named(&format!("{}.fits", self.name))
    }

    fn url(&self) -> String {
        format!("/HMI/{SERIES}/{}", self.name)
    }

    fn path(&self) -> String {
        format!("{SERIES}/{}/{}.fits", self.time[..10].replace('-', "/"), self.name)
    }
}

/// So many files of one day, and a service and a job for them.
fn day_of(files: u32) -> (Vec<File>, Server, Lab) {
    let files: Vec<File> = (0..files).map(|nth| File::new(nth, "2015-12-11")).collect();
    let server = Server::start();
    for file in &files {
        server.script_file(SERIES, Item::new(&file.name, &file.time), [file.answer()]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    (files, server, lab)
}

/// Every file is there with its bytes, by disk and record.
#[track_caller]
fn are_right(lab: &Lab, files: &[File]) {
    let due: BTreeMap<String, Digest> = files.iter().map(|file| (file.path(), Digest::sha256(&file.body))).collect();
    assert_eq!(lab.proved("data"), due);
}

/// A run that was killed when the first file was there and the second came up to its middle.
fn broken_off() -> (Vec<File>, Server, Lab) {
    let (files, server, lab) = day_of(2);
    let slow = files[1].answer().ending(Ending::Drip(150_000, Duration::from_millis(100)));
    server.script(&files[1].url(), [slow, files[1].answer()]);
    let run = lab.run().start();
    lab.until("the first file is there", |lab| lab.files("data").len() == 1);
    lab.until("a part of the second is", |lab| {
        lab.tree(PARTS).keys().any(|name| {
            let length = std::fs::metadata(lab.path(PARTS).join(name)).map_or(0, |data| data.len());
            length >= 150_000
        })
    });
    run.kill();
    (files, server, lab)
}

#[test]
#[ignore = "needs strace: tests/run.sh installs it"]
fn d_05_a_filesystem_without_locks_is_told_with_what_to_do() {
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let (files, _server, lab) = day_of(1);
        let inject = format!("inject=flock:error={error}");
        let run = [
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=flock",
            "-e",
            &inject,
            env!("CARGO_BIN_EXE_sunhaul"),
            "run",
            "job.yaml",
            "--report",
            "report.json",
        ];
        lab.program("strace", &run).status(5).stderr_has("archive: { lock: none }").done();
        let report = lab.json("report.json");
        assert!(
            report["run"]["error"].as_str().is_some_and(|why| why.contains("no file locks")),
            "{error}: {report:#}"
        );
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
        let job = String::from_utf8(lab.read("job.yaml")).expect("text");
        lab.write("job.yaml", job.replace("root: data", "root: data, lock: none"));
        lab.program("strace", &run).chatty().done();
        are_right(&lab, &files);
    }
}

#[test]
fn d_06_two_processes_do_one_job_without_doing_anything_twice() {
    let server = Server::start();
    let files: Vec<File> = (11..19).map(|day| File::new(day, &format!("2015-12-{day}"))).collect();
    for file in &files {
        // Slow enough that the days of both overlap.
        let slow = file.answer().ending(Ending::Drip(file.body.len() - 20, Duration::from_millis(5)));
        server.script_file(SERIES, Item::new(&file.name, &file.time), [slow]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-19").yaml());
    let run = |report: &str| lab.sunhaul(&["run", "job.yaml", "--report", report]).chatty().start();
    let both = [run("one.json"), run("two.json")];
    for one in both {
        one.done_any();
    }
    let mut sealed = 0;
    for report in ["one.json", "two.json"] {
        let report = lab.json(report);
        let days = &report["totals"]["days"];
        assert_eq!(days["failed"], 0, "{report:#}");
        let code = if days["held"] == 0 { 0 } else { 4 };
        assert_eq!(report["run"]["exit_code"], code, "{report:#}");
        sealed += report["totals"]["files"]["fetched"].as_u64().expect("a figure");
    }
    assert_eq!(sealed, 8, "each day is done by one of them");
    are_right(&lab, &files);
    for file in &files {
        assert_eq!(server.requests_for(&file.url()).len(), 1, "{}", file.name);
    }
    assert_eq!(lab.report(0)["totals"]["days"]["already_sealed"], 8);
}

#[test]
fn d_08_a_second_signal_ends_it_at_once_and_the_same_command_goes_on() {
    for signals in [[Signal::INT, Signal::INT], [Signal::TERM, Signal::TERM], [Signal::INT, Signal::TERM]] {
        let (files, server, lab) = day_of(1);
        server.script(&files[0].url(), [files[0].answer().stall_at(150_000), files[0].answer()]);
        let run = lab.run().status(130).start();
        server.wait_for_pauses(1);
        for signal in signals {
            run.signal(signal);
        }
        run.done();
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
        lab.report(0);
        are_right(&lab, &files);
    }
}

/// What one does to a file of ours between two runs.
type Edit = fn(&str) -> Vec<u8>;

/// Edits of a text that has lines, each with what it is.
const EDITS: [(&str, Edit); 7] = [
    ("empty", |_| Vec::new()),
    ("cut in its first line", |text| text.as_bytes()[..10].to_vec()),
    ("cut in its last line", |text| text.as_bytes()[..text.len() - 10].to_vec()),
    ("without its last line", |text| {
        let cut = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
        text.as_bytes()[..cut].to_vec()
    }),
    ("junk", |_| vec![0xff; 5000]),
    ("junk in between", |text| text.replacen('\n', "\n\u{0}junk\n", 1).into_bytes()),
    ("JSON of something else", |_| b"{\"a\":1}\n[]\n".to_vec()),
];

#[test]
fn d_10_a_record_that_was_cut_or_edited_is_told_and_made_again() {
    let (files, server, lab) = day_of(2);
    lab.report(0);
    let good = String::from_utf8(lab.read(RECORD)).expect("text");
    let mut edits = EDITS.to_vec();
    edits.push(("another hash", |text| {
        let at = text.find("\"sha256\":\"").expect("a hash") + 10;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        [&text[..at], other, &text[at + 1..]].concat().into_bytes()
    }));
    edits.push(("a path that leaves", |text| text.replacen("sharp_720s/2015", "../harp_720s/2015", 1).into_bytes()));
    for (what, edit) in edits {
        lab.write(RECORD, edit(&good));
        let asked = server.requests().len();
        // The header alone is read where it is whole; `--check` reads the rest.
        lab.run_with(&["--check"]).stderr_has("2015-12-11.jsonl").done();
        assert!(server.requests().len() > asked, "{what}: the day is done again");
        // No record said whose the files are, so that they count as the user's.
        let again = String::from_utf8(lab.read(RECORD)).expect("text");
        let digest = |text: &str| text.split_once("\"digest\":\"").expect("a digest").1[..71].to_owned();
        assert_eq!(digest(&again), digest(&good), "{what}: the record names what it did");
        are_right(&lab, &files);
    }
}

#[test]
fn d_10_what_a_newer_version_wrote_is_left_alone_and_told() {
    let is_left = |lab: &Lab, path: &str, from: &str, to: &str| {
        let text = String::from_utf8(lab.read(path)).expect("text");
        assert!(text.contains(from), "{text}");
        lab.write(path, text.replace(from, to));
        let files = lab.files("data");
        lab.run().status(1).stderr_has("newer sunhaul").stderr_has(to).done();
        assert_eq!(lab.read(path), text.replace(from, to).as_bytes());
        assert_eq!(lab.files("data"), files);
    };
    let (_, _server, lab) = day_of(1);
    lab.report(0);
    is_left(&lab, RECORD, "day/1", "day/9");
    let (_, _server, lab) = broken_off();
    is_left(&lab, JOURNAL, "journal/1", "journal/9");
}

#[test]
fn d_10_a_journal_that_was_cut_or_edited_loses_no_file() {
    let mut edits = EDITS.to_vec();
    edits.push(("another boot's name", |text| text.replace("\"boot_id\":\"", "\"boot_id\":\"0").into_bytes()));
    edits.push(("a path that leaves", |text| text.replace("sharp_720s/2015", "../harp_720s/2015").into_bytes()));
    edits.push(("another hash", |text| {
        let at = text.find("\"sha256\":\"").expect("a hash") + 10;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        [&text[..at], other, &text[at + 1..]].concat().into_bytes()
    }));
    edits.push(("without its checks", |text| {
        let plain = |line: &str| line.split(",\"check\":").next().expect("a line").to_owned() + "}\n";
        text.lines().map(plain).collect::<String>().into_bytes()
    }));
    for (what, edit) in edits {
        let (files, server, lab) = broken_off();
        let text = String::from_utf8(lab.read(JOURNAL)).expect("text");
        assert!(text.contains(&files[0].path()), "{text}");
        lab.write(JOURNAL, edit(&text));
        let told = lab.run().done().stderr;
        let report = lab.json("report.json");
        // What a crash may leave is nothing to speak of.
        let is_plain =
            what == "empty" || what.starts_with("cut in") || ["without its last line", "junk"].contains(&what);
        assert!(is_plain || told.contains("damaged or edited"), "{what}: {told}");
        assert!(is_plain || told.contains("2015-12-11.jsonl"), "{what}: {told}");
        are_right(&lab, &files);
        // The file is known by the journal, or fetched again and found to be there.
        let totals = &report["totals"]["files"];
        let count = |of: &str| totals[of].as_u64().expect("a figure");
        assert_eq!(count("have") + count("kept"), 1, "{what}: {report:#}");
        assert_eq!(count("resumed"), 1, "{what}: {report:#}");
        assert!(!server.requests().is_empty() && !lab.path(JOURNAL).exists(), "{what}");
    }
}

#[test]
fn d_10_a_part_that_was_cut_or_edited_gives_no_wrong_file() {
    /// Edits the sidecar, or the part.
    type EditPart = fn(&Lab, &str, &str);
    let edits: [(&str, EditPart); 8] = [
        ("no sidecar", |lab, _, told| std::fs::remove_file(lab.path(told)).expect("removed")),
        ("a cut sidecar", |lab, _, told| lab.write(told, &lab.read(told)[..20])),
        ("a sidecar of a newer version", |lab, _, told| {
            let text = String::from_utf8(lab.read(told)).expect("text");
            lab.write(told, text.replace("part/1", "part/9"));
        }),
        ("a sidecar of another boot", |lab, _, told| {
            let text = String::from_utf8(lab.read(told)).expect("text");
            lab.write(told, text.replace("\"boot_id\":\"", "\"boot_id\":\"0"));
        }),
        ("another ETag", |lab, _, told| {
            let text = String::from_utf8(lab.read(told)).expect("text");
            lab.write(told, text.replace("\"etag\":\"\\\"", "\"etag\":\"\\\"0"));
        }),
        ("a cut part", |lab, part, _| lab.write(part, &lab.read(part)[..100_000])),
        ("a part that is too long", |lab, part, _| lab.write(part, [lab.read(part), vec![0; 200_000]].concat())),
        ("an edited part", |lab, part, _| {
            let mut bytes = lab.read(part);
            bytes[10_000] ^= 1;
            bytes[140_000] ^= 1;
            lab.write(part, bytes);
        }),
    ];
    for (what, edit) in edits {
        let (files, _server, lab) = broken_off();
        let of = |end: &str| {
            let parts = lab.tree(PARTS);
            let name = parts.keys().find(|name| name.ends_with(end)).unwrap_or_else(|| panic!("{what}: {parts:?}"));
            format!("{PARTS}/{name}")
        };
        edit(&lab, &of(".part"), &of(".json"));
        let report = lab.report(0);
        are_right(&lab, &files);
        let resumed = u64::from(what == "a cut part");
        assert_eq!(report["totals"]["files"]["resumed"], resumed, "{what}: {report:#}");
    }
}

#[test]
fn d_10_a_report_that_was_cut_or_edited_stops_nobody() {
    let (files, _server, lab) = day_of(1);
    lab.report(0);
    let reports = lab.tree("data/.sunhaul/runs");
    let (name, _) = reports.first_key_value().expect("a report");
    let report = format!("data/.sunhaul/runs/{name}");
    let good = String::from_utf8(lab.read(&report)).expect("text");
    let mut edits = EDITS.to_vec();
    edits.push(("of a newer version", |text| text.replacen("report/1", "report/9", 1).into_bytes()));
    for (what, edit) in edits {
        // The last few runs are told: here it is the only one.
        for name in lab.tree("data/.sunhaul/runs").keys() {
            std::fs::remove_file(lab.path("data/.sunhaul/runs").join(name)).expect("removed");
        }
        lab.write(&report, edit(&good));
        let status = lab.sunhaul(&["status", "job.yaml"]).stdout_has("sharp_720s").stderr_has(name).done();
        assert!(status.stdout.contains("2015"), "{what}: {}", status.stdout);
        lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("{").chatty().done().json();
        assert_eq!(lab.report(0)["totals"]["days"]["already_sealed"], 1, "{what}");
        are_right(&lab, &files);
    }
}

#[test]
fn d_11_a_done_file_that_is_gone_is_fetched_again_and_an_edited_one_once_a_repair_is_asked_for() {
    let (files, server, lab) = day_of(3);
    lab.report(0);
    let [gone, longer, _] = &files[..] else { panic!("three files") };
    std::fs::remove_file(lab.path("data").join(gone.path())).expect("removed");
    let edited = [&longer.body[..], b"notes of mine"].concat();
    let path = format!("data/{}", longer.path());
    lab.write(&path, &edited);
    assert_eq!(lab.report(0)["totals"]["requests"]["sent"], 0, "a record is trusted");
    let report = lab.report_with(&["--check"], 1);
    assert_eq!(report["totals"]["files"]["fetched"], 1, "{report:#}");
    assert_eq!(report["failures"][0]["class"], "occupied");
    assert_eq!(lab.read(&path), edited, "nobody asked to displace it");
    lab.sunhaul(&["verify", "job.yaml", "--repair"]).stdout_has("").status(0).chatty().done();
    are_right(&lab, &files);
    // What was edited is put aside, not thrown away.
    let retired: Vec<Digest> = lab.tree("data/.sunhaul/work/retired").into_values().collect();
    assert_eq!(retired, [Digest::sha256(&[&longer.body[..], b"notes of mine"].concat())]);
    assert_eq!(server.requests_for(&files[2].url()).len(), 1);
}

#[test]
fn d_11_a_file_of_an_unfinished_day_that_is_gone_is_fetched_again_and_an_edited_one_left_alone() {
    let (files, server, lab) = broken_off();
    let path = format!("data/{}", files[0].path());
    std::fs::remove_file(lab.path(&path)).expect("removed");
    lab.report(0);
    are_right(&lab, &files);
    assert_eq!(server.requests_for(&files[0].url()).len(), 2);

    let (files, _server, lab) = broken_off();
    let path = format!("data/{}", files[0].path());
    lab.write(&path, "notes of mine");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "occupied", "{report:#}");
    assert_eq!(lab.read(&path), b"notes of mine");
    std::fs::remove_file(lab.path(&path)).expect("removed");
    lab.report(0);
    are_right(&lab, &files);
}

/// The year that a run's report says it began in.
fn year(report: &Value) -> &str {
    &report["run"]["started"].as_str().expect("an instant")[..4]
}

#[test]
#[ignore = "needs faketime: tests/run.sh installs it"]
fn n_10_a_clock_that_jumps_within_a_run_neither_hurries_nor_holds_it() {
    for jump in ["+1000d", "-1000d"] {
        let (files, server, lab) = day_of(1);
        let busy = Answer::status(429).header("Retry-After", "1");
        server.script(&files[0].url(), [files[0].answer().stall_at(0), busy, files[0].answer()]);
        lab.write("job.yaml", Job::at(&server.url()).timeouts("{ connect: 1s, stall: 1s }").yaml());
        let begun = Instant::now();
        let run = lab.run().with_clock("+0").start();
        server.wait_for_pauses(1);
        lab.write("clock", jump);
        run.done();
        are_right(&lab, &files);
        assert!(begun.elapsed() < Duration::from_secs(30), "{jump}");
        let asked = server.requests_for(&files[0].url());
        assert_eq!(asked.len(), 3);
        for pair in asked.windows(2) {
            assert!(
                pair[1].at - pair[0].at >= Duration::from_secs(1),
                "{jump}: a stall and a pause take a second each"
            );
        }
        let report = lab.json("report.json");
        let span = |of: &str| report["run"][of].as_str().expect("an instant")[..4].parse::<i32>().expect("a year");
        assert_ne!(span("started"), span("finished"), "the clock did jump: {report:#}");
    }
}

#[test]
#[ignore = "needs faketime: tests/run.sh installs it"]
fn d_13_a_clock_that_runs_backwards_between_runs_undoes_nothing() {
    let (files, server, lab) = day_of(2);
    // By this clock the day goes on: what is there is fetched, and is not final.
    lab.run().with_clock("@2015-12-11 12:00:00").done();
    let report = lab.json("report.json");
    assert_eq!((year(&report), &report["totals"]["days"]["provisional"]), ("2015", &1.into()), "{report:#}");
    are_right(&lab, &files);
    let report = lab.report(0);
    assert_eq!((&report["totals"]["days"]["sealed"], &report["totals"]["files"]["have"]), (&1.into(), &2.into()));
    let record = lab.read(RECORD);
    // By this one it is yet to come.
    lab.run().with_clock("@2015-12-01 00:00:00").done();
    let report = lab.json("report.json");
    assert_eq!((year(&report), &report["totals"]["days"]["already_sealed"]), ("2015", &1.into()), "{report:#}");
    assert_eq!(lab.read(RECORD), record, "what is sealed stays sealed");
    are_right(&lab, &files);
    let asked = server.requests_for(&files[0].url());
    assert!(asked[1..].iter().all(|request| request.header("if-none-match").is_some()), "only whether it changed");
}

#[test]
fn d_02_a_limit_of_the_process_is_a_failure_of_this_machine_with_what_to_do() {
    let (files, _server, lab) = day_of(6);
    let limited = |limit: &str| {
        let _ = std::fs::remove_dir_all(lab.path("data"));
        let program = env!("CARGO_BIN_EXE_sunhaul");
        let command = format!("ulimit {limit} && exec '{program}' run job.yaml --report report.json");
        lab.program("sh", &["-c", &command]).chatty()
    };
    // The report is too large first, then a body.
    limited("-f 1").status(5).stderr_has("File too large").done();
    limited("-f 100").status(5).stderr_has("File too large").stderr_has("`ulimit -f`").done();
    // A run that fetches one file after the other comes through with 29; whether more at once do is a matter of timing.
    for descriptors in 6..28 {
        let spoken = limited(&format!("-n {descriptors}")).status(5).stderr_has("Too many open files").done();
        assert!(spoken.stderr.contains("`ulimit -n 1024`"), "{descriptors}: {}", spoken.stderr);
        assert!(!spoken.stderr.contains("unreachable"), "{descriptors}: {}", spoken.stderr);
    }
    lab.report(0);
    are_right(&lab, &files);
}

#[test]
fn d_02_more_connections_than_descriptors_are_a_failure_of_this_machine() {
    let files: Vec<File> = (0..40).map(|nth| File::new(nth, "2015-12-11")).collect();
    let server = Server::start();
    for file in &files {
        // None ends before its neighbours have begun.
        let slow = file.answer().ending(Ending::Drip(file.body.len() - 100, Duration::from_millis(20)));
        server.script_file(SERIES, Item::new(&file.name, &file.time), [slow]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).limits("{ requests: unlimited, concurrency: 40 }").yaml());
    let command = format!("ulimit -n 50 && exec '{}' run job.yaml --report report.json", env!("CARGO_BIN_EXE_sunhaul"));
    let spoken = lab.program("sh", &["-c", &command]).status(5).stderr_has("Too many open files").done();
    assert!(spoken.stderr.contains("`ulimit -n 1024`"), "{}", spoken.stderr);
    for failure in lab.json("report.json")["failures"].as_array().expect("failures") {
        assert_eq!(failure["class"], "storage", "{failure:#}");
    }
    lab.report(0);
    are_right(&lab, &files);
}
