//! What a journal tells of an earlier go at the same day: its lines folded.
//!
//! What it does not do: look at the files. Whether they are there is for `day::take` to see.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::line_checksum::Chain;
use super::{CorruptDownload, FORMAT, JournalEntry};
use crate::archive::spec_family::SpecFamily;
use crate::archive::{Error, FileLine, MissingSlotReasons, RecordState, RelativePath};
use crate::digest::Digest;
use crate::manifest::SeriesId;

/// What is left of an earlier go.
#[derive(Debug, Default)]
pub(in crate::archive) struct Replay {
    /// Files that lines name and no later line took back.
    pub(in crate::archive) files: Vec<JournalFile>,
    /// Files that lines named until they were retired.
    pub(in crate::archive) retired: Vec<JournalFile>,
    /// Further paths that are ours to displace, with the digest of what each is known to hold.
    pub(in crate::archive) ours: BTreeMap<String, Option<Digest>>,
    /// When the listing was last found empty, by a look for the same spec that no fuller one followed.
    pub(in crate::archive) empty_at: Option<DateTime<Utc>>,
    /// When files were last not to be had, by a look for the same spec that nothing confirmed.
    pub(in crate::archive) doubted_at: Option<DateTime<Utc>>,
    /// Files that came wrong when they were last asked for as they are now, by key.
    pub(in crate::archive) spoilt: BTreeMap<String, CorruptDownload>,
    /// What the day lacked when it was last listed for the same spec, where it failed.
    pub(in crate::archive) missing: Option<MissingSlotReasons>,
    /// What the source kept, for the same spec.
    pub(in crate::archive) remembered: Option<String>,
    /// The machine went down, or lines are lost: writes of that time may be lost too.
    pub(in crate::archive) crashed: bool,
    /// It is the journal of another day, and says nothing of this one.
    pub(super) is_others: bool,
    /// How many bytes of the journal can be read, and the checks of their lines.
    pub(super) whole: usize,
    pub(super) chain: Chain,
}

/// One file that a journal names.
#[derive(Debug)]
pub(in crate::archive) struct JournalFile {
    pub(in crate::archive) line: FileLine,
    pub(in crate::archive) worth: Worth,
    pub(in crate::archive) how: JournalledAs,
    /// Written under this boot of this host: what was written then reads back now.
    pub(in crate::archive) same_boot: bool,
}

/// What a line is worth to this go, if its file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Worth {
    /// It answers this spec.
    This,
    /// It answers this spec, by a listing that was not final.
    Young,
    /// It answers another spec of the same source, by a listing that was final or not.
    Other(RecordState),
    /// Nothing: another source has another file under the same key, or a sync failed. The path may be ours.
    Nothing,
}

/// How a file came to stand in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum JournalledAs {
    /// It was about to get its name; whether it did is not known.
    Meant,
    /// It got its name from us.
    Published,
    /// It had its name already.
    Found,
}

/// The folding of lines.
#[derive(Default)]
struct Fold {
    files: BTreeMap<String, JournalFile>,
    /// Which key a path was given to last.
    holders: BTreeMap<String, String>,
    /// What a key had before it moved on, or before a sync failed.
    left: Vec<JournalFile>,
    retired: Vec<JournalFile>,
}

/// Who reads a journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplayFor<'a> {
    /// What the day is asked for.
    pub(super) spec: &'a SpecFamily,
    /// Which job asks.
    pub(super) job: &'a str,
    /// Of which day the journal is to be; any, where this is not known.
    pub(super) day: Option<(&'a SeriesId, NaiveDate)>,
}

impl ReplayFor<'_> {
    /// True when an entry is of another day: the journal was copied or moved to where it lies.
    fn is_strange(&self, entry: &JournalEntry) -> bool {
        let Some((own, day)) = self.day else { return false };
        match entry {
            JournalEntry::Journal { series, date, .. } => {
                series.as_ref().is_some_and(|series| *series != own.0) || date.is_some_and(|date| date != day)
            }
            _ => false,
        }
    }
}

/// Folds a journal's lines.
pub(super) fn replay(text: &[u8], asked_now: ReplayFor<'_>, boot_id: &str, path: &Path) -> Result<Replay, Error> {
    let mut replaying = Replaying::new(asked_now, boot_id, path);
    for (index, raw) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        // The last write was cut: by a kill, which loses nothing else.
        if !raw.ends_with(b"\n") {
            break;
        }
        let number = index + 1;
        let entry = match read(&mut replaying.replay.chain, raw) {
            Ok(entry) => entry,
            Err(why) => {
                if let Some(format) = newer(raw) {
                    return Err(Error::Newer { path: path.to_owned(), format });
                }
                tracing::warn!(
                    journal = %path.display(), line = number,
                    "{why}: this line and those after it are ignored; their files are fetched again"
                );
                replaying.replay.crashed = true;
                break;
            }
        };
        if asked_now.is_strange(&entry) {
            tracing::warn!(journal = %path.display(), line = number, "the journal is of another day: it is not believed");
            return Ok(Replay { is_others: true, ..Replay::default() });
        }
        replaying.take(entry, number)?;
        replaying.replay.whole += raw.len();
    }
    replaying.finish()
}

/// The folding of a journal, line by line.
struct Replaying<'a> {
    asked_now: ReplayFor<'a>,
    boot_id: &'a str,
    path: &'a Path,
    replay: Replay,
    fold: Fold,
    /// The head that the lines being read follow.
    head: LastHead,
    /// Why the day is not this job's to go on with.
    refused: Option<Error>,
}

/// What the last head says of the lines that follow it.
struct LastHead {
    worth: Worth,
    /// It asked for the same.
    is_same: bool,
    same_boot: bool,
    /// Another job, which requested for something else.
    other_job: Option<String>,
}

impl<'a> Replaying<'a> {
    fn new(asked_now: ReplayFor<'a>, boot_id: &'a str, path: &'a Path) -> Replaying<'a> {
        let head = LastHead { worth: Worth::Nothing, is_same: false, same_boot: true, other_job: None };
        let (replay, fold) = (Replay::default(), Fold::default());
        Replaying { asked_now, boot_id, path, replay, fold, head, refused: None }
    }

    fn take(&mut self, entry: JournalEntry, number: usize) -> Result<(), Error> {
        let (replay, fold, is_same) = (&mut self.replay, &mut self.fold, self.head.is_same);
        match entry {
            JournalEntry::Journal { format, boot_id, spec, job, young, .. } => {
                if format != FORMAT {
                    let format = crate::untrusted::escape(&format).into_owned();
                    return Err(Error::Newer { path: self.path.to_owned(), format });
                }
                self.begin(boot_id == self.boot_id, spec, job, young);
            }
            JournalEntry::File(line) => self.take_file(*line, JournalledAs::Meant, number),
            JournalEntry::Kept(line) => self.take_file(*line, JournalledAs::Found, number),
            JournalEntry::Spoilt(spoilt) => {
                if is_same {
                    replay.spoilt.insert(spoilt.key.clone(), *spoilt);
                }
            }
            JournalEntry::Published { keys } => fold.publish(&keys),
            JournalEntry::Void { key } => fold.forget(&key),
            JournalEntry::Retire { path, sha256 } => {
                if RelativePath::from_record(&path).is_some() {
                    replay.ours.insert(path, sha256);
                }
            }
            JournalEntry::Retired { path } => {
                replay.ours.remove(&path);
                fold.leave(&path);
            }
            JournalEntry::Crashed {} => replay.crashed = true,
            JournalEntry::Unsynced {} => fold.distrust(),
            JournalEntry::Doubted { at } => replay.doubted_at = is_same.then_some(at),
            JournalEntry::Empty { at } => replay.empty_at = is_same.then_some(at),
            JournalEntry::Listed {} => replay.empty_at = None,
            JournalEntry::Remembered { text } => {
                replay.remembered = Some(text).filter(|text| is_same && !text.is_empty());
            }
            JournalEntry::Missing(missing) => replay.missing = Some(*missing).filter(|_| is_same),
            JournalEntry::Cleaned {} => {
                self.refused = None;
                replay.spoilt.clear();
                replay.forget_listings();
            }
        }
        Ok(())
    }

    fn begin(&mut self, same_boot: bool, spec: Digest, job: String, young: bool) {
        let asked_now = self.asked_now;
        let is_same = spec == asked_now.spec.spec;
        let other_job = (!is_same && !job.is_empty() && job != asked_now.job).then_some(job);
        let listed = if young { RecordState::Provisional } else { RecordState::Sealed };
        let worth = match () {
            () if is_same && young => Worth::Young,
            () if is_same => Worth::This,
            () if other_job.is_none() && asked_now.spec.has_files_of(&spec) => Worth::Other(listed),
            // Under the same key another source has another file.
            () => Worth::Nothing,
        };
        self.replay.crashed |= !same_boot;
        if !is_same {
            self.replay.forget_listings();
        }
        self.head = LastHead { worth, is_same, same_boot, other_job };
    }

    fn take_file(&mut self, line: FileLine, how: JournalledAs, number: usize) {
        self.replay.spoilt.remove(&line.key);
        if let Some(other_job) = &self.head.other_job {
            self.refused.get_or_insert_with(|| Error::record(self.path, number, of_another_job(other_job)));
        }
        let LastHead { worth, same_boot, .. } = self.head;
        self.fold.name(JournalFile { line, worth, how, same_boot });
    }

    fn finish(self) -> Result<Replay, Error> {
        let Replaying { mut replay, fold, refused, .. } = self;
        if let Some(refused) = refused {
            return Err(refused);
        }
        replay.retired = fold.retired;
        replay.files = fold.left;
        replay.files.extend(fold.files.into_values());
        Ok(replay)
    }
}

impl Replay {
    /// Forgets what earlier listings showed: they answered another query, or are not to be believed any more.
    fn forget_listings(&mut self) {
        (self.empty_at, self.doubted_at, self.remembered, self.missing) = (None, None, None, None);
    }
}

/// Why the files of a job that asked otherwise are not gone on with.
fn of_another_job(job: &str) -> String {
    format!(
        "the job `{}` began this day and requested something else under this id; give the series another id with `as:`, or \
         the job another root; or run that job to its end, or `sunhaul clean`",
        crate::untrusted::escape(job)
    )
}

/// The entry of the next line, or why there is none.
fn read(chain: &mut Chain, line: &[u8]) -> Result<JournalEntry, &'static str> {
    let before = chain.clone();
    let object = chain.object(line).ok_or("the journal was damaged or edited")?;
    serde_json::from_slice(&object).map_err(|_| {
        *chain = before;
        "the journal has a line that this version does not know"
    })
}

/// What a head calls its format, when that is not ours: another version may check its lines otherwise.
fn newer(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        journal: HeadLine,
    }
    #[derive(Deserialize)]
    struct HeadLine {
        format: String,
    }
    let Line { journal: HeadLine { format } } = serde_json::from_slice(line).ok()?;
    (format != FORMAT).then(|| crate::untrusted::escape(&format).into_owned())
}

/// The spec and the job of the last go.
pub(super) fn asked_last(text: &[u8]) -> Option<(Digest, String)> {
    let mut chain = Chain::default();
    let entries = text.split_inclusive(|byte| *byte == b'\n').map_while(|line| read(&mut chain, line).ok());
    let asked = entries.filter_map(|entry| match entry {
        JournalEntry::Journal { spec, job, .. } => Some((spec, job)),
        _ => None,
    });
    asked.last()
}

impl Fold {
    fn name(&mut self, named: JournalFile) {
        let (key, path) = (named.line.key.clone(), named.line.path.clone());
        if RelativePath::from_record(&path).is_none() {
            return;
        }
        // A later line on the same path has displaced what an earlier one put there, under whatever key.
        if let Some(other) = self.holders.insert(path.clone(), key.clone()).filter(|other| *other != key) {
            self.files.remove(&other);
        }
        if let Some(earlier) = self.files.insert(key, named)
            && earlier.line.path != path
        {
            self.holders.remove(&earlier.line.path);
            self.left.push(JournalFile { worth: Worth::Nothing, ..earlier });
        }
    }

    /// Notes that files got their names from us.
    fn publish(&mut self, keys: &[String]) {
        for key in keys {
            if let Some(named) = self.files.get_mut(key) {
                named.how = JournalledAs::Published;
            }
        }
    }

    /// Takes back what a line named.
    fn forget(&mut self, key: &str) {
        if let Some(named) = self.files.remove(key) {
            self.holders.remove(&named.line.path);
        }
    }

    /// What stood at `path` stands there no more.
    fn leave(&mut self, path: &str) {
        if let Some(key) = self.holders.remove(path) {
            self.retired.extend(self.files.remove(&key));
        }
        self.left.retain(|named| named.line.path != path);
    }

    fn distrust(&mut self) {
        self.holders.clear();
        let files = std::mem::take(&mut self.files).into_values();
        self.left.extend(files.map(|named| JournalFile { worth: Worth::Nothing, ..named }));
    }
}
