//! What can go wrong, with a name each (`faults/ids.txt`): the right bytes, a retry that ends in them, or a classified
//! failure with nothing under a final name.
//!
//! Here is what the families share: a job whose files all meet one fault, each once from its first byte on and once
//! where a part lies on disk from an earlier run. What it does not do: kill, fill or crash; others do.

mod body;
mod ci;
mod containers;
mod error_messages;
mod ids;
mod listing;
mod local;
mod mounted;
mod names;
mod network;
mod range;
mod status;

use std::collections::BTreeMap;

use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Ending, Item, Job, Lab, Request, Server, fits};

/// Classes of files that are asked for again after days.
const CAME_WRONG: [&str; 5] = ["fits-structure", "fits-checksum", "magic", "size", "too-long"];

/// What a service does to an honest answer.
type Fault = fn(Answer) -> Answer;

const SERIES: &str = "sharp_720s";
/// The day whose files have a part on disk already.
const BEGUN: &str = "2015-12-11";
/// The day whose files have not been asked for yet.
const FRESH: &str = "2015-12-12";
/// How many bytes of a begun file lie on disk.
const KEPT: usize = 150_000;
/// Where the rest of a begun file is asked from: 64 KiB earlier, to compare.
const FROM: usize = KEPT - 64 * 1024;

/// A file of the job.
struct File {
    /// Which fault it meets, for messages.
    what: &'static str,
    fault: Fault,
    is_begun: bool,
    /// The last part of its URL.
    name: String,
    /// What it holds in the end.
    body: Vec<u8>,
    /// The answer that breaks off: what a part is made of.
    broken: Answer,
}

impl File {
    fn honest(&self) -> Answer {
        Answer::file(self.body.clone()).named(&format!("{}.fits", self.name))
    }

    fn url(&self) -> String {
        format!("/HMI/{SERIES}/{}", self.name)
    }

    fn date(&self) -> &'static str {
        if self.is_begun { BEGUN } else { FRESH }
    }

    /// Its path below the root.
    fn path(&self) -> String {
        format!("{SERIES}/{}/{}.fits", self.date().replace('-', "/"), self.name)
    }
}

/// A job whose files meet faults: for each fault a begun file and a fresh one.
struct Trial {
    lab: Lab,
    server: Server,
    files: Vec<File>,
    /// A second is long enough to wait; else a busy machine has five.
    is_hasty: bool,
}

/// A part of every begun file lies on disk, and nothing else.
fn trial(faults: &[(&'static str, Fault)]) -> Trial {
    trial_after(faults, |file| file.ending(Ending::Cut(KEPT)))
}

/// The same after another answer that broke off.
fn trial_after(faults: &[(&'static str, Fault)], first: Fault) -> Trial {
    trial_at(Server::start(), faults, first)
}

/// The same at another kind of server.
fn trial_at(server: Server, faults: &[(&'static str, Fault)], first: Fault) -> Trial {
    let lab = Lab::new();
    lab.trust_the_root();
    let mut files = Vec::new();
    for (nth, (what, fault)) in (0..).zip(faults) {
        for (is_begun, date) in [(true, BEGUN), (false, FRESH)] {
            let time = format!("{date}T00:{nth:02}:08.799999Z");
            let body = fits(nth * 2 + u32::from(is_begun) + 1, 300, &time);
            let name = format!("f{nth:02}{}", if is_begun { "_begun" } else { "" });
            let mut file = File { what, fault: *fault, is_begun, name, body, broken: Answer::status(500) };
            file.broken = first(file.honest());
            server.script_file(SERIES, Item::new(&file.name, &time), [file.broken.clone()]);
            files.push(file);
        }
    }
    let trial = Trial { lab, server, files, is_hasty: false };
    trial.write_job(1);
    trial.lab.run_with(&["--range", "2015-12-11..2015-12-12"]).status(4).done();
    let parts = trial.lab.tree("data/.sunhaul/work/partial");
    assert_eq!(parts.len(), 2 * faults.len(), "a part of each begun file, and what is known of it: {parts:?}");
    trial.nothing_has_a_name();
    trial
}

impl Trial {
    /// A job over both days with so many attempts.
    fn write_job(&self, attempts: u32) {
        let job = Job::at(&self.server.url())
            .range(BEGUN, "2015-12-13")
            .limits("{ requests: unlimited, concurrency: 32 }")
            .retry(&format!("{{ attempts: {attempts}, max_wait: 1s }}"))
            .timeouts(if self.is_hasty { "{ connect: 1s, stall: 1s }" } else { "{ connect: 5s, stall: 5s }" });
        self.lab.write("job.yaml", job.yaml());
    }

    /// Scripts the answers for each file.
    fn script(&self, answers: impl Fn(&File) -> Vec<Answer>) {
        for file in &self.files {
            self.server.script(&file.url(), answers(file));
        }
    }

    /// Every file is there with its right bytes, by the disk and by the records.
    #[track_caller]
    fn is_right(&self) {
        let expected: BTreeMap<String, Digest> =
            self.files.iter().map(|file| (file.path(), Digest::sha256(&file.body))).collect();
        assert_eq!(self.lab.proved("data"), expected);
    }

    /// Nothing has a final name, and no journal promises a file.
    #[track_caller]
    fn nothing_has_a_name(&self) {
        assert!(self.lab.files("data").is_empty() && self.lab.days("data").is_empty(), "something has a final name");
        for journal in self.lab.tree("data/.sunhaul/work/journal").keys() {
            let text = self.lab.read(&format!("data/.sunhaul/work/journal/{journal}"));
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains("{\"file\":"), "a journal promises a file:\n{text}");
        }
    }

    /// With every file met by its answers in turn, the run ends in the right bytes.
    #[track_caller]
    fn ends_well(self, answers: impl Fn(&File) -> Vec<Answer>) -> Ended {
        self.script(answers);
        self.write_job(4);
        let before = self.server.requests().len();
        let told = self.lab.run().env("SUNHAUL_LOG", "sunhaul=info").done().stderr;
        let report = self.lab.json("report.json");
        self.is_right();
        assert_eq!(report["totals"]["files"]["fetched"], self.files.len(), "{report:#}");
        assert_eq!(report["totals"]["days"]["sealed"], 2, "{report:#}");
        assert_eq!(report["failures"], serde_json::json!([]));
        let requests = self.server.requests().split_off(before);
        Ended { report, told, requests, trial: self }
    }

    /// With one attempt each, every file fails as told; then the service is well, and the same command does the rest. What
    /// came wrong is asked for now because the command says so.
    #[track_caller]
    fn ends_badly(self, status: i32, class: impl Fn(&File) -> &'static str) -> Ended {
        self.script(|file| vec![(file.fault)(file.honest())]);
        self.write_job(1);
        let before = self.server.requests().len();
        let told = self.lab.run().status(status).done().stderr;
        let report = self.lab.json("report.json");
        let requests = self.server.requests().split_off(before);
        let failures = report["failures"].as_array().expect("failures");
        assert_eq!(failures.len(), self.files.len(), "{report:#}");
        for file in &self.files {
            let failure = failures.iter().find(|failure| failure["key"] == file.url()).expect("a failure of each");
            assert_eq!(failure["class"], class(file), "{}, begun: {}: {failure:#}", file.what, file.is_begun);
            assert_eq!((&failure["series"], &failure["date"]), (&SERIES.into(), &file.date().into()), "{failure:#}");
            assert_eq!(failure["attempts"], 1, "{failure:#}");
        }
        assert_eq!(report["totals"]["days"]["failed"], 2, "{report:#}");
        assert_eq!(report["totals"]["files"]["failed"], failures.len(), "{report:#}");
        self.nothing_has_a_name();
        self.script(|file| vec![file.honest()]);
        let came_wrong = self.files.iter().any(|file| CAME_WRONG.contains(&class(file)));
        self.lab.report_with(if came_wrong { &["--retry-failed"] } else { &[] }, 0);
        self.is_right();
        Ended { report, told, requests, trial: self }
    }
}

/// What came of a trial: all of the run that met the faults.
struct Ended {
    report: Value,
    /// On stderr.
    told: String,
    requests: Vec<Request>,
    trial: Trial,
}

impl Ended {
    /// A figure of the report's totals, such as `files/restarted`.
    #[track_caller]
    fn total(&self, of: &str) -> u64 {
        self.report.pointer(&format!("/totals/{of}")).and_then(Value::as_u64).expect("a figure")
    }

    /// What the report counts is what the server saw.
    #[track_caller]
    fn every_request_is_counted(self) -> Ended {
        assert_eq!(self.total("requests/sent"), self.requests.len() as u64, "{:#}", self.report);
        self
    }

    /// The requests for one file, in order.
    fn requests_for(&self, file: &File) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.path == file.url()).collect()
    }
}

/// Each fault once, then an honest answer: every file ends in its right bytes.
#[track_caller]
fn recovers(faults: &[(&'static str, Fault)]) -> Ended {
    let ended = trial(faults).ends_well(|file| vec![(file.fault)(file.honest()), file.honest()]);
    ended.every_request_is_counted()
}

/// The same for faults that keep one waiting.
#[track_caller]
fn recovers_in_time(faults: &[(&'static str, Fault)]) -> Ended {
    let trial = Trial { is_hasty: true, ..trial(faults) };
    trial.ends_well(|file| vec![(file.fault)(file.honest()), file.honest()]).every_request_is_counted()
}

/// A fault that is met at each try, and the bytes are right all the same. The connection may be of no more use, which
/// whoever takes it next may learn too late.
#[track_caller]
fn is_seen_through(faults: &[(&'static str, Fault)]) -> Ended {
    trial(faults).ends_well(|file| vec![(file.fault)(file.honest())])
}

/// A fault that does no harm at all: right bytes at once.
#[track_caller]
fn is_harmless(faults: &[(&'static str, Fault)]) -> Ended {
    let ended = is_seen_through(faults);
    assert_eq!(ended.total("requests/retried"), 0, "{:#}", ended.report);
    ended
}

/// Each fault for ever: every file fails with this class, the run with this exit code.
#[track_caller]
fn fails(faults: &[(&'static str, Fault)], status: i32, class: &'static str) -> Ended {
    let trial = Trial { is_hasty: class == "stalled", ..trial(faults) };
    trial.ends_badly(status, |_| class)
}

/// The same where a fresh file and a begun one fail in two ways.
#[track_caller]
fn fails_in_two_ways(faults: &[(&'static str, Fault)], status: i32, fresh: &'static str, begun: &'static str) -> Ended {
    trial(faults).ends_badly(status, |file| if file.is_begun { begun } else { fresh })
}
