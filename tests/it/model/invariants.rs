//! What must hold of an archive after every step, whatever the step was.

use std::collections::BTreeSet;

use super::step::{Command, Step};
use super::upstream::hour;
use super::view::{Line, View, entry};
use super::world::World;
use crate::lab::Spoken;

impl World {
    /// Looks at the archive, and forgets damage that is mended.
    pub(super) fn check(&mut self, step: Step, said: &[(Command, Option<Spoken>)]) {
        let view = self.view();
        self.forget_what_was_repaired(said);
        self.damaged_records.retain(|day, digest| view.records.get(day).is_some_and(|now| now.digest == *digest));
        let repairs = [Command::Verify("--repair"), Command::Run("--check")];
        self.was_repaired |= said.iter().any(|(command, _)| repairs.contains(command));
        self.users_files_are_as_they_were();
        self.records_are_true(&view);
        self.every_file_has_an_owner(&view);
        self.commands_agree(&view, step, said);
    }

    /// `verify --repair` moves what differs from its record out of the way, whoever changed it.
    fn forget_what_was_repaired(&mut self, said: &[(Command, Option<Spoken>)]) {
        if said.iter().any(|(command, _)| *command == Command::Verify("--repair")) {
            for path in std::mem::take(&mut self.in_place) {
                let is_there = entry(&self.lab.path(&path)).as_ref() == self.user_files.get(&path);
                if is_there {
                    self.in_place.insert(path);
                } else {
                    self.user_files.remove(&path);
                }
            }
        }
    }

    fn users_files_are_as_they_were(&self) {
        for (path, due) in &self.user_files {
            // A link in the way hides a file, and does not remove it.
            let at = self.lab.path(path);
            if at.ancestors().any(std::path::Path::is_symlink) {
                continue;
            }
            let now = entry(&at);
            assert_eq!(now.as_ref(), Some(due), "the user's file {path} is not what it was");
        }
    }

    fn records_are_true(&mut self, view: &View) {
        let history = self.upstream.history();
        let mut mended = BTreeSet::new();
        for line in &view.lines {
            let day = (line.series.clone(), line.date.clone());
            let key = (line.series.clone(), line.date.clone(), line.name.clone());
            let Some(due) = line.digest else {
                assert!(history.gone.contains(&key), "{key:?} is recorded as absent, and was never gone");
                continue;
            };
            let versions = history.versions.get(&key).unwrap_or_else(|| panic!("{key:?} was never served"));
            assert!(versions.contains(&due), "{key:?} is recorded with bytes that were never served");
            assert!(history.listings.contains_key(&day), "{day:?} was never listed");
            let there = view.files.get(&line.path).and_then(|file| file.digest);
            if there == Some(due) {
                mended.insert(line.path.clone());
            } else {
                assert!(
                    self.damaged_files.contains(&line.path),
                    "{day:?} names {}, which is not so on the disk",
                    line.path
                );
            }
        }
        let is_still_named: BTreeSet<&str> = view.named();
        let wrong = |path: &String| {
            let lines = view.lines.iter().filter(|line| line.path == *path);
            lines
                .into_iter()
                .any(|line| line.digest.is_some() && view.files.get(path).and_then(|f| f.digest) != line.digest)
        };
        let is_named = |path: &String| is_still_named.contains(path.as_str());
        self.unclear.extend(self.damaged_files.iter().filter(|path| !is_named(path)).cloned());
        self.damaged_files.retain(|path| is_named(path) && wrong(path));
        for (day, state) in &view.states {
            let lines = view.lines.iter().filter(|line| (&line.series, &line.date) == (&day.0, &day.1));
            let names: BTreeSet<String> = lines.map(|line| line.name.clone()).collect();
            let is_asked_for = |name: &String| is_within(&state.window, &day.1, name);
            let mut listings = history.listings[day].iter();
            let was_listed = listings.any(|listed| listed.iter().filter(|name| is_asked_for(name)).eq(names.iter()));
            let recorded = self.recorded_names.entry(day.clone()).or_default();
            // What a repair finds intact stays beside what is listed now.
            let is_kept_beside = |listed: &BTreeSet<String>| {
                listed.iter().filter(|name| is_asked_for(name)).all(|name| names.contains(name))
                    && names.iter().all(|name| listed.contains(name) || recorded.contains(name))
            };
            let is_repaired = self.was_repaired && history.listings[day].iter().any(is_kept_beside);
            assert!(was_listed || is_repaired, "{day:?} is {state:?} with {names:?}, which was never listed");
            recorded.extend(names);
        }
    }

    fn every_file_has_an_owner(&self, view: &View) {
        let named = view.named();
        for path in view.files.keys() {
            let is_owned = named.contains(path.as_str())
                || view.mentioned.contains(path)
                || self.unclear.contains(path)
                || self.user_files.contains_key(&format!("data/{path}"))
                // The user's links.
                || self.lab.path("data").join(path).is_symlink();
            assert!(is_owned, "{path} is named by no record and no journal, and is not the user's");
        }
    }

    /// Where nothing stands in the way, a command must do what it is for.
    fn commands_agree(&self, view: &View, step: Step, said: &[(Command, Option<Spoken>)]) {
        let Step::Call(command) = step else { return };
        let Some((_, Some(spoken))) = said.first() else { return };
        let chosen = self.chosen();
        let has_damage = !self.damaged_files.is_empty() || !self.damaged_records.is_empty() || self.has_links();
        let has_guests = self.user_files.keys().any(|path| path.starts_with("data/")) || !self.unclear.is_empty();
        match command {
            Command::Verify("") if spoken.code == 0 && !spoken.stdout.contains("not looked at") => {
                // Days of another job, or beyond the range, are that job's to verify, or nobody's.
                let is_own = |line: &Line| {
                    let day = view.states.get(&(line.series.clone(), line.date.clone()));
                    let is_chosen = chosen.contains(&line.series.as_str()) && line.date.as_str() < self.end();
                    is_chosen && day.is_some_and(|day| day.job == "lab")
                };
                let is_wrong = |line: &&Line| is_own(line) && self.damaged_files.contains(&line.path);
                let wrong = view.lines.iter().find(is_wrong);
                assert!(wrong.is_none(), "`verify` is content with {wrong:?}\n{}", spoken.stdout);
            }
            Command::Export => exported_lines_are_those_of_records(view, &spoken.stdout),
            // A lock may hold it to what the service had before.
            Command::Run("") if !has_damage && !has_guests && self.is_plain() => {
                assert!(matches!(spoken.code, 0 | 3), "exit code {}\n{}", spoken.code, spoken.stderr);
            }
            _ => {}
        }
    }
}

/// What `export` prints is what sound records say.
fn exported_lines_are_those_of_records(view: &View, stdout: &str) {
    for printed in stdout.lines() {
        let (digest, path) = printed.split_once("  ").expect("a digest and a path");
        let is_recorded = |line: &&Line| line.path == path && line.digest.is_some_and(|due| due.to_string() == digest);
        assert!(view.lines.iter().any(|line| is_recorded(&line)), "no record says what `export` does: {printed}");
    }
}

/// True when a file of a day lies between these times.
fn is_within([start, end]: &[String; 2], date: &str, name: &str) -> bool {
    let time = format!("{date}T{:02}:00:00", hour(name));
    start[..19] <= *time && *time < end[..19]
}
