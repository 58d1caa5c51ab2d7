//! Damage that somebody does to an archive, and what is known of it afterwards.

use std::os::unix::fs::MetadataExt as _;

use super::view::{self, Line, View};
use super::world::World;
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// How many steps a planted link stays.
const STAYS: usize = 4;

/// Folders that a link takes the place of.
const LINKED_FOLDERS: [&str; 8] = [
    ".sunhaul/work/staging",
    ".sunhaul/work/partial/a",
    ".sunhaul/work/quarantine/a",
    ".sunhaul/work/retired",
    ".sunhaul/work/retired/a",
    ".sunhaul/work/journal/b",
    ".sunhaul/work",
    "a",
];

impl World {
    /// What a folder holds moves out of the archive, together with a file of the user's, and a link leads there.
    pub(super) fn link(&mut self, view: &View, nth: usize) {
        let folder = LINKED_FOLDERS[nth % LINKED_FOLDERS.len()];
        let at = self.lab.path("data").join(folder);
        let Some(parent) = at.parent() else { return };
        let is_linked = at.ancestors().any(std::path::Path::is_symlink);
        if is_linked || at.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
            return;
        }
        self.made += 1;
        let outside = format!("outside/{}", self.made);
        self.lab.write(&format!("{outside}/2025-12-11/precious"), "precious");
        self.lab.write(&format!("{outside}/precious"), "precious");
        if at.exists() {
            self.unclear.extend(view.mentioned.iter().cloned());
            std::fs::rename(&at, self.lab.path(&format!("{outside}/was-here"))).expect("a folder that moves");
        }
        std::fs::create_dir_all(parent).expect("folders");
        std::os::unix::fs::symlink(self.lab.path(&outside), &at).expect("a link");
        self.links.push((at, STAYS));
        self.took_away(view, &format!("{folder}/"), &outside);
    }

    /// Links go after some steps.
    pub(super) fn age_links(&mut self) {
        for (_, left) in &mut self.links {
            *left = left.saturating_sub(1);
        }
        self.remove_links(|left| left == 0);
    }

    /// Links go.
    pub(super) fn remove_links(&mut self, is_over: impl Fn(usize) -> bool) {
        self.links.retain(|(path, left)| {
            if is_over(*left) && path.is_symlink() {
                std::fs::remove_file(path).expect("a link");
            }
            !is_over(*left)
        });
    }

    /// True while a link stands in place of a folder.
    pub(super) fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    pub(super) fn damage(&mut self, view: &View, file: usize, how: usize) {
        let named: Vec<&str> = view.named().into_iter().collect();
        let Some(path) = named.get(file % named.len().max(1)) else { return };
        let at = self.lab.path("data").join(path);
        if !at.symlink_metadata().is_ok_and(|meta| meta.is_file())
            || self.user_files.contains_key(&format!("data/{path}"))
        {
            return;
        }
        let mut bytes = std::fs::read(&at).expect("a file");
        // A file may have further names, which are the user's.
        std::fs::remove_file(&at).expect("a file");
        match how % 4 {
            0 if !bytes.is_empty() => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&at, bytes).expect("a damaged file");
            }
            1 => std::fs::write(&at, &bytes[..bytes.len() / 2]).expect("a cut file"),
            2 => pipe(&at),
            _ => {}
        }
        self.damaged_files.insert((*path).to_owned());
    }

    /// The user edits a file in its place, or puts one of his own there.
    pub(super) fn own(&mut self, view: &View, file: usize, how: usize) {
        let named: Vec<&str> = view.named().into_iter().collect();
        let Some(path) = named.get(file % named.len().max(1)) else { return };
        let (at, own) = (self.lab.path("data").join(path), format!("data/{path}"));
        let is_whole = |line: &&Line| line.path == *path && line.digest == view.files.get(*path).and_then(|f| f.digest);
        let is_linked = at.ancestors().any(std::path::Path::is_symlink);
        if is_linked || self.user_files.contains_key(&own) || !view.lines.iter().any(|line| is_whole(&line)) {
            return;
        }
        let length = at.metadata().expect("a file").len();
        // A file may have further names, which are the user's.
        if how.is_multiple_of(2) || at.metadata().expect("a file").nlink() > 1 {
            std::fs::remove_file(&at).expect("a file");
        }
        self.made += 1;
        let mut text = format!("own {}", self.made).into_bytes();
        if how % 4 < 2 {
            text.resize(usize::try_from(length).expect("a length"), b'.');
        }
        std::fs::write(&at, text).expect("a file of the user's");
        self.user_files.insert(own.clone(), view::entry(&at).expect("a file"));
        self.in_place.insert(own);
        self.damaged_files.insert((*path).to_owned());
    }

    pub(super) fn damage_record(&mut self, view: &View, record: usize, how: usize) {
        let Some((day, entry)) = view.records.iter().nth(record % view.records.len().max(1)) else { return };
        let at = self.lab.path(&format!("data/.sunhaul/days/{day}.jsonl"));
        if entry.digest.is_none() || at.ancestors().any(std::path::Path::is_symlink) {
            return;
        }
        self.forget_owners(view, day);
        let bytes = std::fs::read(&at).expect("a record");
        std::fs::remove_file(&at).expect("a record");
        match how % 3 {
            0 => {}
            1 => std::fs::write(&at, &bytes[..bytes.len() * (how % 11) / 11]).expect("a cut record"),
            _ => pipe(&at),
        }
        if let Some(now) = view::entry(&at) {
            self.damaged_records.insert(day.clone(), now.digest);
        }
    }

    pub(super) fn copy_record(&mut self, view: &View, from: usize, to: usize) {
        let nth = |nth: usize| view.records.iter().nth(nth % view.records.len().max(1));
        let (Some((from, source)), Some((to, target))) = (nth(from), nth(to)) else { return };
        let path = |day: &str| self.lab.path(&format!("data/.sunhaul/days/{day}.jsonl"));
        // A copy that is copied back is the day's own record, if an older one: nothing is damaged by it.
        let is_same = from == to || source.digest == target.digest || self.damaged_records.contains_key(from);
        if is_same || source.digest.is_none() || target.digest.is_none() || self.has_links() {
            return;
        }
        std::fs::copy(path(from), path(to)).expect("a copied record");
        // Until it is mended, the copy claims the files of the first day, too.
        self.forget_owners(view, from);
        self.forget_owners(view, to);
        self.damaged_records.insert(to.clone(), source.digest);
    }

    /// Nobody can say any more whose the files of a day are.
    fn forget_owners(&mut self, view: &View, day: &str) {
        let lines = view.lines.iter().filter(|line| format!("{}/{}", line.series, line.date) == day);
        self.unclear.extend(lines.map(|line| line.path.clone()));
        self.unclear.extend(view.mentioned.iter().cloned());
    }
}

fn pipe(at: &std::path::Path) {
    mknodat(CWD, at, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
}
