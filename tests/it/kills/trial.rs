//! One archive under fire: its job run, killed, looked at and run again until it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;

use super::service::{Sent, Service};
use super::upstream::{DAYS, END, SERIES, Upstream};
use crate::lab::{DayRecord, Job, Lab};

/// What an unbroken run makes of the same upstream.
pub(super) struct Unbroken {
    /// The records' bytes, by series and date.
    records: BTreeMap<String, Vec<u8>>,
    /// How long it took.
    pub(super) took: Duration,
}

/// What happened, over one archive or many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) archives: u64,
    pub(super) runs: u64,
    pub(super) kills: u64,
    /// Kills in the middle of a day, and of those the ones that left parts.
    pub(super) in_a_day: u64,
    pub(super) with_parts: u64,
    /// Of files with a validator: sent in all, and sent though they had been sent before.
    pub(super) sent: u64,
    pub(super) twice: u64,
    /// The most that one break of one stream cost.
    pub(super) worst: u64,
    /// Of files without a validator, which start over by right.
    pub(super) mute_twice: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Tally) {
        self.archives += other.archives;
        self.runs += other.runs;
        self.kills += other.kills;
        self.in_a_day += other.in_a_day;
        self.with_parts += other.with_parts;
        self.sent += other.sent;
        self.twice += other.twice;
        self.worst = self.worst.max(other.worst);
        self.mute_twice += other.mute_twice;
    }
}

fn lab_for(service: &Service) -> Lab {
    let lab = Lab::new();
    let series = SERIES.map(|name| format!("{{ name: {name} }}"));
    let job = Job::at(&service.url())
        .range(DAYS[0], END)
        .series(&series.each_ref().map(String::as_str))
        .limits("{ requests: unlimited, bandwidth: unlimited, concurrency: 6 }")
        .retry("{ attempts: 20, max_wait: 1s }");
    lab.write("job.yaml", job.yaml());
    lab
}

fn records(lab: &Lab) -> BTreeMap<String, Vec<u8>> {
    let days = lab.tree("data/.sunhaul/days").into_keys();
    days.map(|day| (day.clone(), lab.read(&format!("data/.sunhaul/days/{day}")))).collect()
}

/// Runs the job once, against a service that does everything right.
pub(super) fn unbroken(upstream: &Arc<Upstream>) -> Unbroken {
    let service = Service::healthy(upstream);
    let lab = lab_for(&service);
    let begun = Instant::now();
    lab.run().done();
    let took = begun.elapsed();
    assert_eq!(lab.proved("data"), upstream.tree(), "an unbroken run");
    Unbroken { records: records(&lab), took }
}

/// An archive under fire, and what it is measured by.
pub(super) struct Trial<'a> {
    upstream: &'a Arc<Upstream>,
    unbroken: &'a Unbroken,
    seed: u64,
    lab: Lab,
    service: Service,
}

impl<'a> Trial<'a> {
    pub(super) fn new(upstream: &'a Arc<Upstream>, unbroken: &'a Unbroken, seed: u64) -> Trial<'a> {
        let service = Service::faulty(upstream, seed);
        Trial { upstream, unbroken, seed, lab: lab_for(&service), service }
    }

    /// Runs, kills and runs again until the job is done; looks at the archive each time.
    pub(super) fn live(self) -> Tally {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut tally = Tally { archives: 1, ..Tally::default() };
        let mut sealed = BTreeSet::new();
        loop {
            let run = u32::try_from(tally.runs).expect("few runs");
            self.service.begin(run);
            let moment = Instant::now() + self.unbroken.took.mul_f64(rng.random_range(0.0..1.2));
            let mut program = self.lab.run().start();
            let is_done = program.ends_before(moment);
            tally.runs += 1;
            if is_done {
                program.done();
            } else {
                let said = program.stderr_so_far();
                program.signal(Signal::STOP);
                self.service.take_back_unread();
                program.kill();
                assert!(!said.contains("panicked"), "{said}");
                tally.kills += 1;
                let left = |kind: &str| u64::from(!self.lab.tree(&format!("data/.sunhaul/work/{kind}")).is_empty());
                tally.in_a_day += left("journal");
                tally.with_parts += left("partial");
            }
            let asked_again: Vec<Sent> = self.service.log().into_iter().filter(|sent| sent.run == run).collect();
            let touched: BTreeSet<String> = asked_again.iter().map(|sent| self.day_of(&sent.what)).collect();
            assert!(touched.is_disjoint(&sealed), "sealed {sealed:?}, asked again {touched:?}");
            sealed = self.look(is_done);
            if is_done {
                break;
            }
        }
        let asked = self.service.log();
        self.lab.run().stderr_has("nothing to do").done();
        assert_eq!(self.service.log().len(), asked.len(), "a job that is done asks for nothing");
        weigh(self.upstream, &asked, &mut tally);
        tally
    }

    /// The day that a request was for, as `series/date`.
    fn day_of(&self, what: &str) -> String {
        if let Some(day) = what.strip_prefix('?') {
            return day.to_owned();
        }
        let path = what.split(',').next().expect("a path");
        self.upstream.files.get(path).map(|held| format!("{}/{}", held.series, held.day)).expect("a file")
    }

    /// What holds whenever the program is dead: final names hold right bytes, and records hold what they say. Gives the
    /// sealed days.
    fn look(&self, is_done: bool) -> BTreeSet<String> {
        let right: BTreeMap<String, &[u8]> =
            self.upstream.files.values().map(|held| (held.path(), held.body.bytes.as_slice())).collect();
        let mut there = BTreeSet::new();
        for path in files_below(&self.lab.path("data")) {
            let bytes = self.lab.read(&format!("data/{path}"));
            let due = right.get(&path).unwrap_or_else(|| panic!("{path} is nobody's name"));
            assert!(bytes == *due, "{path} holds {} bytes, and they are not the {} right ones", bytes.len(), due.len());
            there.insert(path);
        }
        let records = records(&self.lab);
        for (name, bytes) in &records {
            let due = self.unbroken.records.get(name).unwrap_or_else(|| panic!("{name} is nobody's record"));
            assert!(bytes == due, "{name} differs from that of an unbroken run:\n{}", String::from_utf8_lossy(bytes));
            for file in DayRecord::read(bytes).files {
                assert!(
                    there.contains(file["path"].as_str().expect("a path")),
                    "{name} names {file}, which is not there"
                );
            }
        }
        for report in self.lab.tree("data/.sunhaul/runs").into_keys() {
            assert!(Path::new(&report).extension().is_some_and(|e| e == "json"), "{report} is nobody's report");
            self.lab.json(&format!("data/.sunhaul/runs/{report}"));
        }
        if is_done {
            assert_eq!(records.len(), self.unbroken.records.len(), "every day is sealed");
            assert_eq!(there.len(), right.len(), "every file is there");
        }
        records.into_keys().map(|name| name.trim_end_matches(".jsonl").to_owned()).collect()
    }
}

/// The user's files below the archive's root.
fn files_below(root: &Path) -> Vec<String> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        // A run that was killed at once has not even made the root.
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path == root.join(".sunhaul") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(root).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    files
}

/// Adds up what was sent, and what of it had been sent before.
fn weigh(upstream: &Upstream, log: &[Sent], tally: &mut Tally) {
    let mut before: BTreeMap<(&str, bool), (usize, &Sent)> = BTreeMap::new();
    for sent in log {
        let Some(held) = upstream.files.get(&sent.what) else { continue };
        let (seen, last) = before.get(&(sent.what.as_str(), sent.is_old)).copied().unwrap_or((0, sent));
        let twice = seen.min(sent.to).saturating_sub(sent.from);
        before.insert((&sent.what, sent.is_old), (seen.max(sent.to), sent));
        if !held.is_resumable() {
            tally.mute_twice += twice as u64;
            continue;
        }
        tally.sent += (sent.to - sent.from) as u64;
        tally.twice += twice as u64;
        tally.worst = tally.worst.max(twice as u64);
        assert!(twice == 0 || !last.is_whole || last.run != sent.run, "no break between {last:?} and {sent:?}");
    }
}
