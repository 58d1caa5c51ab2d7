//! What is known of files that a day no longer asks for, and that lie in `retired/`: noted beside them, so that a query which
//! asks for them again takes them back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead as _, BufReader};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{DayWork, Prior, Standing};
use crate::archive::record::{FileLine, State, line};
use crate::archive::{Archive, Error, RelativePath};
use crate::digest::Digest;
use crate::manifest::SeriesId;

/// The note's name. No file of a source has one that begins with a dot.
pub(in crate::archive) const NOTE: &str = ".lines.jsonl";

/// One file.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    /// What the day was asked for.
    spec: Digest,
    /// How final the listing was that had it.
    state: State,
    file: FileLine,
}

impl Archive {
    /// What is known of the retired files of a day, by key, as far as they are of the source of this spec. A note that is
    /// damaged says as much as can be read.
    pub(super) fn retired_lines(&self, series: &SeriesId, date: NaiveDate, spec: Digest) -> BTreeMap<String, Prior> {
        let note = self.open_plain(&format!("{}/{NOTE}", Archive::retired(series, date)));
        let Ok(Some(note)) = note else { return BTreeMap::new() };
        let lines = BufReader::new(note).split(b'\n').map_while(Result::ok);
        let noted = lines.filter_map(|line| serde_json::from_slice::<Noted>(&line).ok());
        let noted = noted.filter(|noted| {
            let is_whole = noted.file.sha256.is_some() && RelativePath::is_one(&noted.file.path);
            is_whole && noted.spec.has_first_of(&spec)
        });
        let prior = |Noted { state, file, .. }| Prior { line: file, standing: Standing::OtherSpec(state) };
        noted.map(|noted| (noted.file.key.clone(), prior(noted))).collect()
    }
}

impl DayWork {
    /// What an earlier query had under a key that the last one did not ask for.
    #[must_use]
    pub fn retired_line(&self, key: &str) -> Option<&Prior> {
        self.retired.get(key)
    }

    /// Notes what is known of the files that the day no longer asks for: to be called before they are retired.
    pub(super) fn note_retired_lines(&self, keys: &HashSet<String>) -> Result<(), Error> {
        let is_leaving = |prior: &&Prior| {
            let is_ours = self.lock_owned().ours.contains_key(&prior.line.path);
            is_ours && !keys.contains(&prior.line.key) && self.is_there(&prior.line)
        };
        let leaving: Vec<&Prior> = self.prior.values().filter(is_leaving).collect();
        let is_wanted_again = self.retired.keys().any(|key| keys.contains(key));
        if leaving.is_empty() && !is_wanted_again {
            return Ok(());
        }
        let now: BTreeSet<&str> = leaving.iter().map(|prior| prior.line.key.as_str()).collect();
        let before = self.retired.values().filter(|prior| {
            let key = prior.line.key.as_str();
            !keys.contains(key) && !now.contains(key)
        });
        let noted: Vec<u8> = before.chain(leaving).flat_map(|prior| line(&self.noted(prior))).collect();
        let folder = Archive::retired(&self.series, self.date);
        if noted.is_empty() {
            self.archive.tree.remove(&format!("{folder}/{NOTE}"))?;
            return Ok(());
        }
        self.archive.tree.replace(&folder, NOTE, &noted, false)
    }

    fn noted(&self, prior: &Prior) -> Noted {
        let state = match prior.standing {
            Standing::Final => State::Sealed,
            Standing::Young => State::Provisional,
            Standing::OtherSpec(state) => state,
        };
        Noted { spec: self.spec, state, file: prior.line.clone() }
    }
}
