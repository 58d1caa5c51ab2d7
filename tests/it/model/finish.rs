//! The end of a trial: everything that stands in the way is put right, and the archive must be as a fresh one is.

use super::step::Command;
use super::view::{Line, View, below};
use super::world::{Manifest, World};

impl World {
    /// Puts everything right and holds the archive against a fresh one of the same manifest.
    pub(super) fn finish(mut self) {
        self.put_right();
        let job = format!("{}.yaml", self.job());
        let first = self.call(Command::Run("--check"));
        self.remove_what_was_left();
        let repaired = self.call(Command::Verify("--repair"));
        let updated = self.call(Command::Update(""));
        let said = format!(
            "run --check: {} {}\nverify --repair: {} {}{}\nupdate: {} {}{}",
            first.code,
            first.stderr,
            repaired.code,
            repaired.stdout,
            repaired.stderr,
            updated.code,
            updated.stdout,
            updated.stderr
        );
        // A day that is repaired is listed again, and held to the lock where the service lists another file or one less.
        let is_held_to_lock = repaired.code == 3 && repaired.stderr.contains("lock-mismatch");
        // A day that was begun and has no record is not repaired: its file was in the way of the check.
        let lacks_days = ["unfinished", "not fetched yet"].iter().any(|words| repaired.stdout.contains(words));
        let is_repaired = repaired.code == 0 || (lacks_days && repaired.code == 1);
        assert!(is_repaired || is_held_to_lock, "everything was put right\n{said}");
        // A run leaves a changed file where it is; the repair does not.
        let is_left = first.code == 1 && first.stderr.contains("occupied");
        assert!(first.code == 0 || is_left, "everything was put right\n{said}");
        assert_eq!(updated.code, 0, "everything was put right\n{said}");
        if lacks_days {
            assert!(is_left, "{said}");
            assert_eq!(self.call(Command::Run("")).code, 0, "{said}");
        }
        let verified = self.call(Command::Verify(""));
        assert_eq!(verified.code, 0, "{}\n{said}", verified.stdout);
        let again = self.call(Command::Run(""));
        assert!(again.code == 0 && again.stderr.contains("nothing to do"), "{}", again.stderr);
        self.lab.sunhaul(&["run", &job, "--archive", "fresh"]).chatty().done();
        let due = View::read(&self.lab.path("fresh"), &std::collections::BTreeMap::new());
        let view = self.view();
        let days: Vec<&(String, String)> = due.states.keys().collect();
        let lines = |view: &View| -> Vec<Line> {
            view.lines
                .iter()
                .filter(|line| days.contains(&&(line.series.clone(), line.date.clone())))
                .cloned()
                .collect()
        };
        assert_eq!(lines(&view), lines(&due), "the archive differs from a fresh one\n{said}");
        for (day, state) in &due.states {
            assert_eq!(view.states.get(day), Some(state), "{day:?}");
        }
    }

    /// A changed file that is no longer requested stays: it is for its owner to remove.
    fn remove_what_was_left(&self) {
        let view = self.view();
        let named = view.named();
        for path in self.damaged_files.iter().filter(|path| !named.contains(path.as_str())) {
            drop(std::fs::remove_file(self.lab.path("data").join(path)));
        }
    }

    /// Makes the service healthy and the manifest plain, and clears away the user's files and what only a person can repair.
    fn put_right(&mut self) {
        self.remove_links(|_| true);
        self.upstream.recover();
        let Manifest { layout, file, .. } = self.manifest;
        self.manifest = Manifest { layout: layout % 2, end: 2, chosen: 0, is_settled: true, detail: 0, file };
        self.write_manifest();
        drop(std::fs::remove_file(self.lab.path(&format!("{}.lock", self.job()))));
        for (day, entry) in self.view().records {
            if entry.digest.is_none() {
                std::fs::remove_file(self.lab.path(&format!("data/.sunhaul/days/{day}.jsonl"))).expect("a pipe");
                self.damaged_records.remove(&day);
            }
        }
        let data = self.lab.path("data");
        for (path, entry) in below(&data) {
            let is_users = self.user_files.remove(&format!("data/{path}")).is_some();
            let is_own = path.starts_with(".sunhaul/");
            if is_users || !is_own && (entry.digest.is_none() || self.unclear.contains(&path)) {
                std::fs::remove_file(data.join(path)).expect("a file");
            }
        }
        self.unclear.clear();
    }
}
