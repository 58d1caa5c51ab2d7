//! An archive as it lies on the disk, read without the program's own code.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::DayRecord;

/// A file, or what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) inode: u64,
    /// `None` for what is no regular file.
    pub(super) digest: Option<Digest>,
}

/// What lies at a path now; `None` for nothing. A symbolic link is not followed.
pub(super) fn entry(path: &Path) -> Option<Entry> {
    let meta = path.symlink_metadata().ok()?;
    let digest = meta.is_file().then(|| Digest::sha256(&std::fs::read(path).expect("a readable file")));
    Some(Entry { inode: meta.ino(), digest })
}

/// All that is below a folder but its folders, by path. Links are not followed.
pub(super) fn below(top: &Path) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = item.expect("an entry").path();
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                folders.push(path);
            } else if let Some(entry) = entry(&path) {
                let name = path.strip_prefix(top).expect("below").to_str().expect("UTF-8").to_owned();
                found.insert(name, entry);
            }
        }
    }
    found
}

/// One line of a sound record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) series: String,
    pub(super) date: String,
    pub(super) path: String,
    /// The file's name at the service.
    pub(super) name: String,
    /// `None` when absent.
    pub(super) digest: Option<Digest>,
}

/// What a sound record says of its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// `sealed` or `provisional`.
    pub(super) state: String,
    /// The job that made it.
    pub(super) job: String,
    /// The times that were asked for: the first one, and the first one after.
    pub(super) window: [String; 2],
}

/// An archive.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The user's side: all but `.sunhaul`.
    pub(super) files: BTreeMap<String, Entry>,
    /// The records, as `series/date`, with their bytes' digests.
    pub(super) records: BTreeMap<String, Entry>,
    /// Days whose record is sound.
    pub(super) states: BTreeMap<(String, String), Header>,
    /// The lines of all sound records.
    pub(super) lines: Vec<Line>,
    /// Paths that a journal, or a record that is known to be damaged, speaks of.
    pub(super) mentioned: BTreeSet<String>,
}

impl View {
    /// Reads the archive at `root`. Records whose bytes have one of these digests are known to be damaged.
    pub(super) fn read(root: &Path, damaged: &BTreeMap<String, Option<Digest>>) -> View {
        let mut view = View::default();
        for (path, entry) in below(root) {
            let Some(own) = path.strip_prefix(".sunhaul/") else {
                view.files.insert(path, entry);
                continue;
            };
            if let Some(day) = own.strip_prefix("days/").and_then(|name| name.strip_suffix(".jsonl")) {
                let is_damaged = damaged.get(day).is_some_and(|digest| *digest == entry.digest);
                if entry.digest.is_some() {
                    let bytes = std::fs::read(root.join(&path)).expect("a record");
                    if is_damaged {
                        view.mentioned.extend(paths(&bytes));
                    } else {
                        view.take(day, &bytes);
                    }
                }
                view.records.insert(day.to_owned(), entry);
            } else if own.starts_with("work/journal/") && entry.digest.is_some() {
                view.mentioned.extend(paths(&std::fs::read(root.join(&path)).expect("a journal")));
            }
        }
        view
    }

    fn take(&mut self, day: &str, bytes: &[u8]) {
        let (series, date) = day.split_once('/').expect("series/date");
        let record = DayRecord::read(bytes);
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("{day}: {key}")).to_owned();
        assert_eq!(
            (text(&record.header, "series"), text(&record.header, "date")),
            (series.to_owned(), date.to_owned())
        );
        let window = [0, 1].map(|end| record.header["window"][end].as_str().expect("a time").to_owned());
        let header = Header { state: text(&record.header, "state"), job: text(&record.header, "job"), window };
        self.states.insert((series.to_owned(), date.to_owned()), header);
        for line in &record.files {
            let key = text(line, "key");
            self.lines.push(Line {
                series: series.to_owned(),
                date: date.to_owned(),
                path: text(line, "path"),
                name: key.rsplit('/').next().expect("a name").to_owned(),
                digest: line.get("sha256").map(|hash| hash.as_str().expect("a hash").parse().expect("a hash")),
            });
        }
    }

    /// The paths that sound records name as files.
    pub(super) fn named(&self) -> BTreeSet<&str> {
        self.lines.iter().filter(|line| line.digest.is_some()).map(|line| line.path.as_str()).collect()
    }
}

/// The paths that lines of JSON speak of, however broken.
fn paths(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let after = text.split("\"path\":\"").skip(1);
    after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}
