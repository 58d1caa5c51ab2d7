//! What is known of the files that lie in `retired/`: noted in `work/retired_lines`, so that a query which asks for them again,
//! or a lock which has them, takes them back.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{DayWork, EarlierLook, Prior};
use crate::archive::journal::{JournalFile, Worth};
use crate::archive::record::{FileLine, RecordState, line};
use crate::archive::spec_family::SpecFamily;
use crate::archive::work_folders::RETIRED_LINES;
use crate::archive::{Archive, Error, RelativePath};
use crate::digest::Digest;
use crate::manifest::SeriesId;

/// A file that the day has had, and that may lie in `retired/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredFile {
    /// What a record had of it, with the path where it was.
    pub line: FileLine,
    /// How final the listing was that had it.
    pub state: RecordState,
    /// Another version of it took its place: only a lock that names its bytes asks for it.
    pub is_superseded: bool,
}

/// The same as it is noted.
#[derive(Debug, Serialize, Deserialize)]
struct RetiredNote {
    /// What the day was asked for.
    spec: Digest,
    state: RecordState,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    superseded: bool,
    file: FileLine,
}

/// What a day has had under each key, the latest first.
#[derive(Debug, Default)]
pub(super) struct RetiredFiles(BTreeMap<String, Vec<RetiredFile>>);

impl RetiredFiles {
    /// Adds one that was retired after those before it.
    pub(super) fn add(&mut self, file: RetiredFile) {
        let Some(sha256) = file.line.sha256 else { return };
        let versions = self.0.entry(file.line.key.clone()).or_default();
        versions.retain(|other| other.line.sha256 != Some(sha256));
        versions.insert(0, file);
    }

    /// Where they were.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|file| file.line.path.as_str())
    }

    /// Adds what a journal names and what is not where the journal has it. A version that answered the spec of now is asked for
    /// by its bytes alone: that it was retired may be what the spec asks for.
    pub(super) fn add_named(&mut self, named: JournalFile, is_superseded: bool) {
        let (state, is_superseded) = match named.worth {
            Worth::Nothing => return,
            Worth::This => (RecordState::Sealed, true),
            Worth::Young => (RecordState::Provisional, is_superseded),
            Worth::Other(state) => (state, is_superseded),
        };
        if !named.line.preexisting {
            self.add(RetiredFile { line: named.line, state, is_superseded });
        }
    }
}

impl Archive {
    /// What is noted of the retired files of a day, as far as they are of the source of this spec. A note that is damaged says
    /// as much as can be read.
    pub(super) fn retired_lines(&self, series: &SeriesId, date: NaiveDate, spec: &SpecFamily) -> RetiredFiles {
        let mut files = RetiredFiles::default();
        let Ok(Some(note)) = self.open_plain(&path_of(series, date)) else { return files };
        let lines = BufReader::new(note).split(b'\n').map_while(Result::ok);
        let noted = lines.filter_map(|line| serde_json::from_slice::<RetiredNote>(&line).ok());
        for RetiredNote { state, superseded, file, .. } in noted.filter(|noted| spec.has_files_of(&noted.spec)) {
            if RelativePath::is_one(&file.path) {
                files.add(RetiredFile { line: file, state, is_superseded: superseded });
            }
        }
        files
    }
}

impl DayWork {
    /// What the day has had under a key and may have retired, the latest first.
    pub fn retired_files(&self, key: &str) -> impl Iterator<Item = &RetiredFile> {
        self.retired.0.get(key).into_iter().flatten()
    }

    /// Notes what is known of the files that the day has had, other than these of now: to be called before they are retired.
    pub(super) fn note_retired_lines(&self, now: &[FileLine]) -> Result<(), Error> {
        let now: BTreeMap<&str, Option<Digest>> = now.iter().map(|file| (file.key.as_str(), file.sha256)).collect();
        let was_noted = !self.retired.0.is_empty();
        let mut files = RetiredFiles::default();
        let before = self.retired.0.values().flat_map(|versions| versions.iter().rev().cloned());
        let leaving = self.prior.values().filter(|prior| !prior.line.preexisting).map(RetiredFile::of);
        for mut file in before.chain(leaving) {
            match now.get(file.line.key.as_str()) {
                Some(sha256) if *sha256 == file.line.sha256 => continue,
                Some(_) => file.is_superseded = true,
                None => {}
            }
            files.add(file);
        }
        let versions = files.0.values().flat_map(|versions| versions.iter().rev());
        let noted: Vec<u8> = versions.flat_map(|file| line(&self.noted(file))).collect();
        if noted.is_empty() {
            return if was_noted { self.forget_retired_lines() } else { Ok(()) };
        }
        let folder = Archive::work(RETIRED_LINES, &self.series);
        self.archive.tree.replace(&folder, &format!("{}.jsonl", self.date), &noted, false)
    }

    /// Removes the day's note.
    pub(super) fn forget_retired_lines(&self) -> Result<(), Error> {
        self.archive.tree.remove(&path_of(&self.series, self.date)).map(|_| ())
    }

    fn noted(&self, file: &RetiredFile) -> RetiredNote {
        RetiredNote { spec: self.spec, state: file.state, superseded: file.is_superseded, file: file.line.clone() }
    }
}

impl RetiredFile {
    fn of(prior: &Prior) -> RetiredFile {
        let state = match prior.standing {
            EarlierLook::Final => RecordState::Sealed,
            EarlierLook::Young => RecordState::Provisional,
            EarlierLook::OtherSpec(state) => state,
        };
        RetiredFile { line: prior.line.clone(), state, is_superseded: false }
    }
}

/// Where the note of a day lies.
pub(in crate::archive) fn path_of(series: &SeriesId, date: NaiveDate) -> String {
    format!("{}/{date}.jsonl", Archive::work(RETIRED_LINES, series))
}
