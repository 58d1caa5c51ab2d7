//! A hermetic lab: a folder of its own, the real program in a clean environment, and a scripted service.
//!
//! Each call of the program has its status, stdout and stderr checked. What it does not do: know what a run should
//! have done; the tests say that.

mod call;
mod fits;
mod gateway;
mod gzip;
mod job;
mod order;
mod server;
mod sums;
pub(crate) mod terminal;
mod trace;
mod trials;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use sunhaul::digest::Digest;

pub(crate) use call::{Call, Running, Spoken};
pub(crate) use fits::{fits, restamped, with_keyword};
pub(crate) use gateway::{FAR_NAME, Gateway, SSH_CONFIG, descendants, is_alive};
pub(crate) use gzip::gzip;
pub(crate) use job::Job;
pub(crate) use order::carry_out;
pub(crate) use server::{Answer, Certificate, Ending, Item, Ranges, Request, Server, Speaks};
pub(crate) use sums::{add_up, agree_with_the_tree};
pub(crate) use trace::{Steps, Syscall};

/// How long anything in a lab may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A folder that one test has for itself; gone when the test is over.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// An empty one.
    pub(crate) fn new() -> Lab {
        let folder = tempfile::Builder::new().prefix("sunhaul-lab-").tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("tmp")).expect("a folder for temporary files");
        Lab { folder }
    }

    /// A path in the lab.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, relative: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, contents).expect("a written file");
    }

    /// From here on the program trusts certificates of the lab's root, and no others.
    pub(crate) fn trust_the_root(&self) {
        self.write(call::TRUSTED, server::trusted());
    }

    /// Leaves what a new machine would have: no archive `data`, and no note that there was one.
    pub(crate) fn on_a_new_machine(&self) {
        std::fs::remove_dir_all(self.path("data")).expect("an archive");
        std::fs::remove_dir_all(self.path("home/.local")).expect("notes of archives");
    }

    /// A file's bytes.
    #[track_caller]
    pub(crate) fn read(&self, relative: &str) -> Vec<u8> {
        std::fs::read(self.path(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
    }

    /// A file's JSON.
    #[track_caller]
    pub(crate) fn json(&self, relative: &str) -> Value {
        serde_json::from_slice(&self.read(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
    }

    /// A call of the program: nothing happens until `done` or `start`.
    pub(crate) fn sunhaul<'a>(&'a self, args: &[&str]) -> Call<'a> {
        Call::new(self, args)
    }

    /// A call of another program in the same environment.
    pub(crate) fn program<'a>(&'a self, program: &str, args: &[&str]) -> Call<'a> {
        Call::of(self, program, args)
    }

    /// `run job.yaml` with its report in `report.json`.
    pub(crate) fn run(&self) -> Call<'_> {
        self.run_with(&[])
    }

    /// The same with further arguments.
    pub(crate) fn run_with(&self, more: &[&str]) -> Call<'_> {
        self.sunhaul(&[&["run", "job.yaml", "--report", "report.json"], more].concat()).chatty()
    }

    /// Runs `job.yaml`, expects an exit code and gives the report, which must say the same code.
    #[track_caller]
    pub(crate) fn report(&self, status: i32) -> Value {
        self.report_with(&[], status)
    }

    /// The same with further arguments.
    #[track_caller]
    pub(crate) fn report_with(&self, more: &[&str], status: i32) -> Value {
        self.run_with(more).status(status).done();
        let report = self.json("report.json");
        assert_eq!(report["run"]["exit_code"], status, "{report:#}");
        add_up(&report);
        report
    }

    /// Removes the lock of `job.yaml`: nothing binds the next run.
    pub(crate) fn forget_the_lock(&self) {
        std::fs::remove_file(self.path("job.lock")).expect("a lock");
    }

    /// The program as a service on a free port; waits until it says where it listens.
    #[track_caller]
    pub(crate) fn serve(&self, args: &[&str]) -> Running {
        let mut all = vec!["serve", "--port", "0"];
        all.extend(args);
        let mut service = self.sunhaul(&all).start();
        service.wait_for_url();
        service
    }

    /// Every file below a folder with its SHA-256, by path; an absent folder has none.
    pub(crate) fn tree(&self, relative: &str) -> BTreeMap<String, Digest> {
        fn walk(folder: &Path, top: &Path, found: &mut BTreeMap<String, Digest>) {
            let Ok(entries) = std::fs::read_dir(folder) else { return };
            for entry in entries {
                let path = entry.expect("an entry").path();
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, top, found);
                } else {
                    let name = path.strip_prefix(top).expect("below").to_string_lossy().into_owned();
                    // A file may go while a run is under way.
                    found.insert(name, Digest::sha256(&std::fs::read(&path).unwrap_or_default()));
                }
            }
        }
        let top = self.path(relative);
        let mut found = BTreeMap::new();
        walk(&top, &top, &mut found);
        found
    }

    /// The user's files of an archive with their SHA-256: all but `.sunhaul`.
    pub(crate) fn files(&self, archive: &str) -> BTreeMap<String, Digest> {
        let mut tree = self.tree(archive);
        tree.retain(|path, _| !path.starts_with(".sunhaul/"));
        tree
    }

    /// The record of a day, checked against its own figures.
    #[track_caller]
    pub(crate) fn day(&self, archive: &str, series: &str, date: &str) -> DayRecord {
        DayRecord::read(&self.read(&format!("{archive}/.sunhaul/days/{series}/{date}.jsonl")))
    }

    /// The days that an archive has records of, as `series/date`.
    pub(crate) fn days(&self, archive: &str) -> Vec<String> {
        let records = self.tree(&format!("{archive}/.sunhaul/days"));
        records.into_keys().map(|path| path.trim_end_matches(".jsonl").to_owned()).collect()
    }

    /// An archive's files, proved by its records alone: each is named by a record and has its hash, and none lacks.
    #[track_caller]
    pub(crate) fn proved(&self, archive: &str) -> BTreeMap<String, Digest> {
        let mut named = BTreeMap::new();
        for day in self.days(archive) {
            let (series, date) = day.split_once('/').expect("series/date");
            for file in self.day(archive, series, date).files.iter().filter(|file| file.get("absent").is_none()) {
                let digest = file["sha256"].as_str().expect("a hash").parse().expect("a hash");
                named.insert(file["path"].as_str().expect("a path").to_owned(), digest);
            }
        }
        assert_eq!(named, self.files(archive), "the records and the files differ");
        named
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Lab) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A day record as any reader of the format sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DayRecord {
    /// What stands under `day` in the first line.
    pub(crate) header: Value,
    /// The other lines.
    pub(crate) files: Vec<Value>,
}

impl DayRecord {
    /// Reads a record and proves what it says of itself: its length, its order, its digest.
    #[track_caller]
    pub(crate) fn read(bytes: &[u8]) -> DayRecord {
        let text = std::str::from_utf8(bytes).expect("a record in UTF-8");
        let (first, body) = text.split_once('\n').expect("a header line");
        let mut header: Value = serde_json::from_str(first).expect("a header in JSON");
        let header = header["day"].take();
        assert_eq!(header["format"], "day/1");
        assert_eq!(header["body"], body.len(), "the length of the body");
        let files: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).expect("a line in JSON")).collect();
        let present: Vec<(&str, &str)> = files
            .iter()
            .filter(|file| file.get("absent").is_none())
            .map(|file| (file["sha256"].as_str().expect("a hash"), file["path"].as_str().expect("a path")))
            .collect();
        assert!(present.is_sorted_by_key(|(_, path)| path.as_bytes()), "the lines are sorted by path");
        assert_eq!(header["files"], present.len(), "the number of files");
        let lines: String = present.iter().flat_map(|(sha256, path)| [*sha256, "  ", *path, "\n"]).collect();
        assert_eq!(header["digest"], format!("sha256:{}", Digest::sha256(lines.as_bytes())), "the digest");
        DayRecord { header, files }
    }
}

/// The pages of the documentation, by their paths in the repository: README, tests/README.md, and the topics of
/// `sunhaul help`.
pub(crate) fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let topics = std::fs::read_dir(root.join("src/cli/help")).expect("the folder of topics");
    let topics = topics.map(|topic| topic.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut topics: Vec<String> =
        topics.filter(|name| Path::new(name).extension().is_some_and(|end| end == "md")).collect();
    topics.sort();
    let topics = topics.into_iter().map(|name| format!("src/cli/help/{name}"));
    let paths = ["README.md", "tests/README.md"].map(str::to_owned).into_iter().chain(topics);
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("UTF-8");
    paths.map(|path| (path.clone(), read(&path))).collect()
}

/// The blocks of code of a page, each with its language.
pub(crate) fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

/// A block of the documentation, by its language and a word in it.
pub(crate) fn recipe(language: &str, word: &str) -> String {
    let pages = pages();
    let mut found = pages.iter().flat_map(|(_, page)| blocks(page)).filter(|(spoken, _)| *spoken == language);
    let found = found.find(|(_, block)| block.contains(word));
    found.unwrap_or_else(|| panic!("no page has a {language} block with {word}")).1.to_owned()
}
