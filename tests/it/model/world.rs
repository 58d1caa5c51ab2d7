//! An archive, its jobs and its user: what steps do to them, and what is known of whose a file is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sunhaul::digest::Digest;

use super::step::{Command, Edit, Interference, Step};
use super::upstream::{DAYS, SERIES, Service, Upstream};
use super::view::{Entry, View, below, entry};
use crate::lab::{Call, Job, Lab, Server, Spoken, add_up};

const LAYOUTS: [&str; 6] = [
    "{series}/{date:%Y/%m/%d}/{file}",
    "{series}/{date:%Y/%d/%m}/{file}",
    "{date:%Y%m%d}/{series}_{file}",
    "{series}/{date:%d}/{file}",
    "{series}/{file}",
    "all/{file}",
];

/// Layouts that keep every file of the service apart.
const APART: usize = 4;

/// Ends of the range. One that lies within a day leaves files of it out.
const ENDS: [&str; 6] =
    ["2025-12-12", "2025-12-13", "2025-12-14", "2025-12-15", "2025-12-13T12:00:00", "2025-12-14T09:00:00"];
const CHOSEN: [&[usize]; 5] = [&[0, 1], &[0, 1], &[0], &[1], &[0, 2]];
const DETAILS: [&str; 3] = ["auto", "files", "day"];

/// What the manifest says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manifest {
    pub(super) layout: usize,
    pub(super) end: usize,
    pub(super) chosen: usize,
    pub(super) is_settled: bool,
    pub(super) detail: usize,
    /// Which file name it has.
    pub(super) file: bool,
}

/// An archive under test.
pub(super) struct World {
    pub(super) lab: Lab,
    pub(super) upstream: Upstream,
    server: Server,
    pub(super) manifest: Manifest,
    /// Files of the user's, by path in the lab, as they must stay.
    pub(super) user_files: BTreeMap<String, Entry>,
    /// Those of them that lie where a record has a file of the archive: only `verify --repair` may move them.
    pub(super) in_place: BTreeSet<String>,
    /// Paths in the archive of which nobody can say whose they are since a record or journal was damaged.
    pub(super) unclear: BTreeSet<String>,
    /// Paths in the archive whose file was damaged, and may differ from its record.
    pub(super) damaged_files: BTreeSet<String>,
    /// Records that were damaged, with the digest of what they hold since then; `None` for no file.
    pub(super) damaged_records: BTreeMap<String, Option<Digest>>,
    /// The names that each day's records have had.
    pub(super) recorded_names: BTreeMap<(String, String), BTreeSet<String>>,
    /// A repair, or a check of what is there, has been asked for: it keeps files that are no longer listed.
    pub(super) was_repaired: bool,
    /// Links in place of folders, and how many steps each has left.
    pub(super) links: Vec<(PathBuf, usize)>,
    /// How many names were made up.
    pub(super) made: usize,
}

impl World {
    pub(super) fn new() -> World {
        let upstream = Upstream::new();
        let server = upstream.serve();
        let manifest = Manifest { layout: 0, end: 2, chosen: 0, is_settled: true, detail: 0, file: false };
        let world = World {
            lab: Lab::new(),
            upstream,
            server,
            manifest,
            user_files: BTreeMap::new(),
            in_place: BTreeSet::new(),
            unclear: BTreeSet::new(),
            damaged_files: BTreeSet::new(),
            damaged_records: BTreeMap::new(),
            recorded_names: BTreeMap::new(),
            was_repaired: false,
            links: Vec::new(),
            made: 0,
        };
        std::fs::create_dir_all(world.lab.path("collected")).expect("a folder");
        let other = Manifest { chosen: usize::MAX, end: 2, ..manifest };
        world.lab.write("other.yaml", world.yaml(&other));
        world.write_manifest();
        world
    }

    /// The manifest's file name without its ending.
    pub(super) fn job(&self) -> &'static str {
        if self.manifest.file { "moved" } else { "job" }
    }

    /// The series of the job.
    pub(super) fn chosen(&self) -> Vec<&'static str> {
        CHOSEN[self.manifest.chosen].iter().map(|nth| SERIES[*nth]).collect()
    }

    /// The end of the range.
    pub(super) fn end(&self) -> &'static str {
        ENDS[self.manifest.end]
    }

    /// True when nothing of the manifest or the service keeps a run from its end.
    pub(super) fn is_plain(&self) -> bool {
        let Manifest { layout, chosen, .. } = self.manifest;
        // A 404 that nothing else confirms is looked at again by a later run.
        let is_healthy = self.upstream.service() == Service::Healthy && !self.upstream.has_gone();
        layout < APART && !CHOSEN[chosen].contains(&2) && is_healthy
    }

    fn yaml(&self, manifest: &Manifest) -> String {
        let chosen = CHOSEN.get(manifest.chosen).copied().unwrap_or(&[2]);
        let series: Vec<String> = chosen.iter().map(|nth| format!("{{ name: {} }}", SERIES[*nth])).collect();
        let series: Vec<&str> = series.iter().map(String::as_str).collect();
        let name = match manifest {
            Manifest { chosen: usize::MAX, .. } => "other",
            _ => "lab",
        };
        let settle = if manifest.is_settled { "1d" } else { "3660d" };
        let yaml = Job::at(&self.server.url()).range(DAYS[0], ENDS[manifest.end]).series(&series);
        let yaml = yaml.retry("{ attempts: 2, max_wait: 1s }").timeouts("{ connect: 5s, stall: 5s }");
        let yaml = yaml
            .more(&format!("settle: {settle}"))
            .more("verify: [size]")
            .more(&format!("lock: {{ detail: {} }}", DETAILS[manifest.detail]))
            .yaml();
        let archive = format!("archive: {{ root: data, layout: \"{}\" }}", LAYOUTS[manifest.layout]);
        yaml.replace("name: lab", &format!("name: {name}")).replace("archive: { root: data }", &archive)
    }

    pub(super) fn write_manifest(&self) {
        self.lab.write(&format!("{}.yaml", self.job()), self.yaml(&self.manifest));
    }

    /// The archive as it lies there now.
    pub(super) fn view(&self) -> View {
        View::read(&self.lab.path("data"), &self.damaged_records)
    }

    /// Carries out a step, and gives what was called and said.
    pub(super) fn carry_out(&mut self, step: Step) -> Vec<(Command, Option<Spoken>)> {
        self.age_links();
        let mut said = Vec::new();
        match step {
            Step::Call(command) => said.push((command, Some(self.call(command)))),
            Step::Killed(command, after) => said.push((command, self.call_and_kill(command, after))),
            Step::RootMoved(command, after) => said.push((command, Some(self.call_while_root_moves(command, after)))),
            Step::Pair(first, second, pause) => {
                // Each writes its own report.
                let one = self.command(first, "one.json").start();
                std::thread::sleep(Duration::from_millis(pause));
                let two = self.command(second, "two.json").start();
                said.push((first, Some(one.done_any())));
                said.push((second, Some(two.done_any())));
            }
            Step::Edit(edit) => self.edit(edit),
            Step::Interference(what) => self.interfere(what),
            Step::Change(file, is_same_length) => drop(self.upstream.change(file, is_same_length)),
            Step::Gone(file) => drop(self.upstream.toggle_gone(file)),
            Step::Listed(file) => drop(self.upstream.toggle_listed(file)),
            Step::Service(service) => self.upstream.set_service(service),
        }
        said
    }

    fn command(&self, command: Command, report: &str) -> Call<'_> {
        let yaml = format!("{}.yaml", self.job());
        let args: Vec<&str> = match command {
            Command::Run(flag) => vec!["run", &yaml, "--report", report, flag],
            Command::RunOther => vec!["run", "other.yaml", "--report", report],
            Command::Update(flag) => vec!["update", &yaml, flag],
            Command::Verify(flag) => vec!["verify", &yaml, flag],
            Command::Adopt(flag) => vec!["adopt", &yaml, "collected", flag],
            Command::Clean => vec!["clean", &yaml],
            Command::Lock => vec!["lock", &yaml],
            Command::Status => vec!["status", &yaml],
            Command::Export => vec!["export", &yaml, "--format", "sha256sums"],
        };
        let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
        self.lab.sunhaul(&args).chatty().stdout_has("")
    }

    /// Calls the program, which must end by itself with an exit code that it knows.
    pub(super) fn call(&self, command: Command) -> Spoken {
        drop(std::fs::remove_file(self.lab.path("report.json")));
        let spoken = self.command(command, "report.json").start().done_any();
        assert!((0..=5).contains(&spoken.code), "exit code {}: {}", spoken.code, spoken.stderr);
        if matches!(command, Command::Run(_) | Command::RunOther) && self.lab.path("report.json").exists() {
            let report = self.lab.json("report.json");
            assert_eq!(report["run"]["exit_code"], spoken.code, "{report:#}");
            if report["run"]["error"].is_null() {
                add_up(&report);
            }
        }
        spoken
    }

    fn call_and_kill(&self, command: Command, after: u64) -> Option<Spoken> {
        let mut running = self.command(command, "report.json").start();
        if running.ends_before(Instant::now() + Duration::from_millis(after)) {
            return Some(running.done_any());
        }
        let said = running.stderr_so_far();
        assert!(!said.contains("panicked"), "{said}");
        running.kill();
        None
    }

    /// What a command makes in a root that is not there belongs to nobody, and goes when the root is put back.
    fn call_while_root_moves(&self, command: Command, after: u64) -> Spoken {
        let [data, aside] = ["data", "aside"].map(|name| self.lab.path(name));
        let running = self.command(command, "report.json").start();
        std::thread::sleep(Duration::from_millis(after));
        let is_moved = std::fs::rename(&data, &aside).is_ok();
        let spoken = running.done_any();
        if is_moved {
            drop(std::fs::remove_dir_all(&data));
            std::fs::rename(&aside, &data).expect("the root comes back");
        }
        spoken
    }

    fn edit(&mut self, edit: Edit) {
        let before = self.job();
        match edit {
            Edit::Layout(nth) => self.manifest.layout = nth % LAYOUTS.len(),
            Edit::Days(nth) => self.manifest.end = nth % ENDS.len(),
            Edit::Series(nth) => self.manifest.chosen = nth % CHOSEN.len(),
            Edit::Settled(is_settled) => self.manifest.is_settled = is_settled,
            Edit::Detail(nth) => self.manifest.detail = nth % DETAILS.len(),
            Edit::Moved => {
                self.manifest.file = !self.manifest.file;
                for ending in ["yaml", "lock"] {
                    let from = self.lab.path(&format!("{before}.{ending}"));
                    drop(std::fs::rename(from, self.lab.path(&format!("{}.{ending}", self.job()))));
                }
            }
        }
        self.write_manifest();
    }

    /// What the user does is only done where it is his to do: no record or journal names the path.
    fn interfere(&mut self, what: Interference) {
        let view = self.view();
        match what {
            Interference::Plant { file, is_equal } => self.plant(&view, file, is_equal),
            Interference::PlantForeign(nth) => {
                let path = format!("data/{}/notes-{nth}.txt", ["a", "b/2025", "mine", "a/2025/12/11"][nth % 4]);
                self.keep(&path, format!("notes {nth}").as_bytes());
            }
            Interference::Link(nth) => self.link(&view, nth),
            Interference::Damage { file, how } => self.damage(&view, file, how),
            Interference::Own { file, how } => self.own(&view, file, how),
            Interference::Record { record, how } => self.damage_record(&view, record, how),
            Interference::CopyRecord { from, to } => self.copy_record(&view, from, to),
            Interference::CutJournal(nth) => {
                let journals = below(&self.lab.path("data/.sunhaul/work/journal"));
                let Some((name, entry)) = journals.iter().nth(nth % journals.len().max(1)) else { return };
                if entry.digest.is_some() {
                    self.unclear.extend(view.mentioned.iter().cloned());
                    let path = self.lab.path("data/.sunhaul/work/journal").join(name);
                    let bytes = std::fs::read(&path).expect("a journal");
                    std::fs::write(&path, &bytes[..bytes.len() * (nth % 7) / 7]).expect("a journal");
                }
            }
            Interference::ForgetLock => {
                drop(std::fs::remove_file(self.lab.path(&format!("{}.lock", self.job()))));
            }
            Interference::Collect { file, is_right } => {
                let files = self.upstream.files();
                let (series, date, name, mut body) = files[file % files.len()].clone();
                if !is_right {
                    body[0] = b'?';
                }
                self.made += 1;
                let folder =
                    if file % 2 == 0 { format!("{series}/{}", date.replace('-', "/")) } else { self.made.to_string() };
                self.keep(&format!("collected/{folder}/{name}"), &body);
            }
            Interference::MoveFolder(nth) => {
                let top = ["a", "b", "c", "all"][nth % 4];
                let from = self.lab.path("data").join(top);
                if from.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                    self.made += 1;
                    let to = format!("data/moved-{}", self.made);
                    std::fs::rename(&from, self.lab.path(&to)).expect("a folder that moves");
                    self.took_away(&view, &format!("{top}/"), &to);
                }
            }
        }
    }

    /// Writes a file of the user's, unless something is there.
    fn keep(&mut self, path: &str, bytes: &[u8]) {
        let at = self.lab.path(path);
        let has_room = at
            .ancestors()
            .skip(1)
            .take_while(|above| *above != self.lab.path(""))
            .all(|above| above.symlink_metadata().map_or(true, |meta| meta.is_dir()));
        if has_room && at.symlink_metadata().is_err() {
            self.lab.write(path, bytes);
            self.user_files.insert(path.to_owned(), entry(&at).expect("a file"));
        }
    }

    fn plant(&mut self, view: &View, file: usize, is_equal: bool) {
        let files = self.upstream.files();
        let (series, date, name, mut body) = files[file % files.len()].clone();
        if !is_equal {
            body[0] = b'!';
        }
        let (year, month, day) = (&date[..4], &date[5..7], &date[8..]);
        let path = match self.manifest.layout {
            0 => format!("{series}/{year}/{month}/{day}/{name}"),
            1 => format!("{series}/{year}/{day}/{month}/{name}"),
            2 => format!("{year}{month}{day}/{series}_{name}"),
            3 => format!("{series}/{day}/{name}"),
            4 => format!("{series}/{name}"),
            _ => format!("all/{name}"),
        };
        if !view.named().contains(path.as_str()) && !view.mentioned.contains(&path) && !self.unclear.contains(&path) {
            self.keep(&format!("data/{path}"), &body);
        }
    }

    /// Files went with their folder to another one, which is the user's.
    pub(super) fn took_away(&mut self, view: &View, from: &str, to: &str) {
        self.damaged_files.extend(view.files.keys().filter(|path| path.starts_with(from)).cloned());
        let moved: Vec<String> =
            self.user_files.keys().filter(|path| path.starts_with(&format!("data/{from}"))).cloned().collect();
        for path in moved {
            self.user_files.remove(&path);
        }
        for (path, entry) in below(&self.lab.path(to)) {
            self.user_files.insert(format!("{to}/{path}"), entry);
        }
    }
}
