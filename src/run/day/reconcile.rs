//! The third stage of a day: its listing held against the archive, the lock and `accept`. What is left is to be downloaded.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::context::DayContext;
use super::downloads::{Failures, MissingFile};
use super::file_task::as_listed;
use super::known_bad::KnownBad;
use super::known_files::{Earlier, ListingLook, LocalFile, find, is_sealed};
use super::listing::{DayListing, ListedBy, by_source, warn_of_room, without_file};
use super::lock_view::{LockView, Settled};
use super::missing_slots::ListedSlots;
use super::open::OpenDay;
use super::path_collisions::{PathClaims, collision};
use super::preferred::Before;
use super::rename::{self, KnownFile};
use super::renumbered::Renumbered;
use super::{DayProcess, Early, corrupt_backoff, unlisted};
use crate::archive::{FileLine, LeftOut, RelativePath};
use crate::failure::Failure;
use crate::run::blocking::blocking;
use crate::run::event::{Event, FileEnd};
use crate::source::{Body, BySeries, Listed, RemoteFile};

/// A day's listing that is believed.
pub(super) struct Believed {
    pub(super) listing: DayListing,
    /// The records that the day had before.
    pub(super) before: Before,
    pub(super) listed_at: DateTime<Utc>,
}

/// A day whose files are each known to be there, to be absent, to fail, or to be missing.
pub(super) struct Reconciled {
    pub(super) day: Arc<DayContext>,
    /// The files that are to be downloaded.
    pub(super) missing: Vec<MissingFile>,
    pub(super) rest: DayRest,
}

/// What is known of a day besides the files that are to be downloaded.
pub(super) struct DayRest {
    /// The keys of all listed files.
    pub(super) keys: HashSet<String>,
    /// Files that failed without a request.
    pub(super) failed: Failures,
    /// Files that are absent by the lock or by the record that stands.
    pub(super) settled: Vec<FileLine>,
    /// Records of which the source has no file.
    pub(super) without_file: Vec<FileLine>,
    /// What `quality` left out.
    pub(super) left_out: Option<LeftOut>,
    /// The slots that listed files are of.
    pub(super) listed_slots: ListedSlots,
    /// The records of the listing by their series.
    pub(super) by_series: BySeries,
    /// The records that the day had before.
    pub(super) before: Before,
    pub(super) listed_by: ListedBy,
    pub(super) listed_at: DateTime<Utc>,
}

impl DayProcess<'_> {
    /// Holds the listing against what is there, and gives files that lie elsewhere their paths.
    pub(super) async fn reconcile(&mut self, open: OpenDay, believed: Believed) -> Result<Reconciled, Early> {
        let (run, todo) = (self.run, self.todo);
        let OpenDay { series, store, lock_view } = open.clone();
        let Believed { listing, before, listed_at } = believed;
        let DayListing { mut listed, is_final, listed_by, absent, left_out } = listing;
        let lock_view = lock_view.by_listed_keys(&listed.files, series.series.source.scale());
        let renumbered = Renumbered::of(&series, &store, &listed.files);
        if todo.how.recheck && is_final && listed_by == ListedBy::Source {
            unlisted::keep(&series, todo, &store, renumbered.former_keys(), &lock_view, &mut listed).await?;
        }
        let by_series = std::mem::take(&mut listed.by_series);
        let bytes = listed.files.iter().map(|f| f.bytes).sum();
        let keys: HashSet<String> = listed.files.iter().map(|f| f.key.clone()).collect();
        let listed_slots = ListedSlots::of(&listed, series.series.source.scale());
        let Settled { absent: mut settled, failed: refused } = lock_view.settle(&mut listed, &todo.series.0);
        settled.extend(absent);
        let total = (listed.files.len() + settled.len() + refused.len()) as u64;
        let without_file = without_file(&series, todo, &lock_view, &mut listed)?;
        let day = self.context(open, lock_view, is_final);
        let context = Arc::clone(&day);
        let mut sorted = blocking(move || sort(&context, &renumbered, listed)).await?;
        sorted.failed.extend(refused.into_iter().map(|(key, path, failure)| (key, (path, failure))));
        day.known_bad.need(&settled, &day.store);
        let put_off = corrupt_backoff::put_off(run, todo, &day.store, &day.known_bad, &mut sorted.missing);
        sorted.failed.extend(put_off);
        if run.import_folder.is_none() {
            warn_of_room(run, todo, &sorted.missing);
        }
        let id = &day.id;
        run.emit(Event::DayListed { day: id.clone(), files: total, have: sorted.there(), bytes });
        for line in sorted.have {
            run.emit(Event::FileDone { day: id.clone(), key: line.key, path: Some(line.path), end: FileEnd::Have });
        }
        self.report_absent(&settled);
        if !run.halt.is_cancelled() {
            rename::make_room(&day.store, &sorted.known).await?;
        }
        let unplaced = rename::place(&day, sorted.known).await;
        let (mut missing, mut failed) = (sorted.missing, sorted.failed);
        missing.extend(unplaced.missing);
        failed.extend(unplaced.failed);
        let rest = DayRest {
            keys,
            failed,
            settled,
            without_file,
            left_out,
            listed_slots,
            by_series,
            before,
            listed_by,
            listed_at,
        };
        Ok(Reconciled { day, missing, rest })
    }
}

impl DayProcess<'_> {
    /// What the later stages of the day share.
    pub(super) fn context(&self, open: OpenDay, lock_view: Arc<LockView>, is_final: bool) -> Arc<DayContext> {
        Arc::new(DayContext {
            run: Arc::clone(self.run),
            opened: open.series,
            todo: self.todo.clone(),
            id: self.done.day.clone(),
            store: open.store,
            lock_view,
            known_bad: KnownBad::of(&self.run.manifest, &self.done.day),
            claims: Mutex::default(),
            is_final,
        })
    }

    /// Takes what the source says now of the files that are to be downloaded, where the record of the day listed them: they were
    /// damaged here, and may have changed at the source since.
    pub(super) async fn with_files_of_now(&self, mut reconciled: Reconciled) -> Result<Reconciled, Early> {
        let Reconciled { day, missing, rest } = &mut reconciled;
        if rest.listed_by != ListedBy::Record || day.todo.how.spec.is_some() || missing.is_empty() {
            return Ok(reconciled);
        }
        let DayContext { run, opened, todo, store, lock_view, .. } = &**day;
        let open = OpenDay { series: Arc::clone(opened), store: Arc::clone(store), lock_view: Arc::clone(lock_view) };
        let listing = by_source(run, todo, &open, rest.listed_at).await?.ok_or(Early::Stopped)?;
        let mut listed: HashMap<String, RemoteFile> =
            listing.listed.files.into_iter().map(|file| (file.key.clone(), file)).collect();
        for missing in missing {
            // One that is not listed any more is requested where the record has it.
            if let Some(file) = listed.remove(&missing.file.key) {
                missing.file = file;
            }
        }
        Ok(reconciled)
    }
}

/// A listing, sorted.
struct Sorted {
    /// To be fetched, or asked about.
    missing: Vec<MissingFile>,
    /// In place.
    have: Vec<FileLine>,
    /// Elsewhere, and not asked about.
    known: Vec<KnownFile>,
    /// What can have no path.
    failed: Failures,
}

impl Sorted {
    /// How many of the files are in the archive.
    fn there(&self) -> u64 {
        let kept = self.missing.iter().filter(|missing| missing.kept.is_some()).count();
        (self.have.len() + self.known.len() + kept) as u64
    }
}

/// What becomes of a listed file.
#[derive(Debug, PartialEq)]
enum FileAction {
    /// It is in place.
    Have(FileLine),
    /// It lies in place by an earlier look; where that cannot be proved, it is fetched.
    Adopt(FileLine),
    /// It lies elsewhere, and gets its path.
    Rename(FileLine),
    /// It is fetched, or asked about where an earlier look had it.
    Fetch(Option<Box<FileLine>>),
}

/// Decides what becomes of a listed file: by what this go has of it, and by what an earlier one had.
fn action(there: Option<FileLine>, earlier: Option<Earlier>) -> FileAction {
    match (there, earlier) {
        (Some(line), _) => FileAction::Have(line),
        (None, Some(Earlier { line, is_sure: true, is_in_place: true })) => FileAction::Adopt(line),
        (None, Some(Earlier { line, is_sure: true, is_in_place: false })) => FileAction::Rename(line),
        (None, Some(Earlier { line, is_sure: false, .. })) => FileAction::Fetch(Some(Box::new(line))),
        (None, None) => FileAction::Fetch(None),
    }
}

/// Sorts the listed files by what becomes of them. Reads the archive.
fn sort(day: &DayContext, renumbered: &Renumbered, listed: Listed) -> Result<Sorted, Failure> {
    let DayContext { run, opened, todo, store, .. } = day;
    let look = ListingLook { todo, expected: &day.lock_view, renumbered, is_final: day.is_final };
    let mut claims = day.lock_claims();
    // As long as the listing: grown step by step it would hold twice as much.
    let missing = Vec::with_capacity(listed.files.len());
    let mut sorted = Sorted { missing, have: Vec::new(), known: Vec::new(), failed: Failures::new() };
    let mut adopted = Vec::new();
    let places = claims.list(listed.files.iter().filter(|file| file.body == Body::Remote).map(|file| &file.url));
    run.redirects.list(&todo.id(), places);
    for file in listed.files {
        let found = match find(opened, store, &file, look) {
            Ok(found) => found,
            Err(failure) => {
                sorted.failed.insert(file.key, (None, failure));
                continue;
            }
        };
        if let Some(taken) = path_taken(&mut claims, &file, &found) {
            sorted.failed.extend(taken);
            continue;
        }
        let LocalFile { there, path, earlier, .. } = found;
        let action = action(there, earlier);
        if let FileAction::Have(line) | FileAction::Adopt(line) = &action
            && !is_sealed(store, &line.key)
        {
            run.redirects.remember(todo, &file.url, line);
        }
        match (action, path) {
            (FileAction::Have(line), _) => sorted.have.push(line),
            (FileAction::Rename(line), Some(path)) => sorted.known.push(KnownFile { file, path, line }),
            (FileAction::Adopt(line) | FileAction::Rename(line), path) => {
                adopted.push(as_listed(line, &file, opened.series.source.scale()));
                sorted.missing.push(MissingFile { file, path, kept: None });
            }
            (FileAction::Fetch(kept), path) => sorted.missing.push(MissingFile { file, path, kept }),
        }
    }
    let Sorted { missing, have, known, failed } = &mut sorted;
    adopted.retain(|line| !failed.contains_key(&line.key));
    let taken = store.adopt(adopted)?;
    have.extend(taken.iter().filter_map(|key| store.have(key)));
    have.retain(|line| !failed.contains_key(&line.key));
    known.retain(|known| !failed.contains_key(&known.file.key));
    missing.retain(|m| !taken.contains(&m.file.key) && !failed.contains_key(&m.file.key));
    Ok(sorted)
}

/// Claims the path of a file. Where another key has it, both fail.
fn path_taken(
    claims: &mut PathClaims,
    file: &RemoteFile,
    found: &LocalFile,
) -> Option<BTreeMap<String, (Option<String>, Failure)>> {
    let is_sure = found.earlier.as_ref().is_some_and(|earlier| earlier.is_sure);
    // Where only the answer will name the file, its path is a guess that keeps nobody else out.
    let is_known = found.there.is_some() || is_sure || found.is_pinned || file.name.is_some();
    let path: &RelativePath = found.path.as_ref().filter(|_| is_known)?;
    let other = claims.claim(path, &file.key).err()?;
    let failure = (Some(path.to_string()), collision(path, &file.key, &other));
    Some(BTreeMap::from([(other, failure.clone()), (file.key.clone(), failure)]))
}

#[cfg(test)]
mod tests {
    use super::FileAction::{Adopt, Fetch, Have, Rename};
    use super::*;

    fn line(key: &str) -> FileLine {
        serde_json::from_str(&format!(
            r#"{{"series":"s","path":"p","bytes":1,"time":"2015-12-11T00:00:00Z","key":"{key}","url":"/p"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_listed_file_is_had_renamed_or_fetched_by_what_is_known_of_it() {
        let earlier = |is_sure, is_in_place| Some(Earlier { line: line("earlier"), is_in_place, is_sure });
        for (what, there, earlier, expected) in [
            ("of this go", Some(line("now")), None, Have(line("now"))),
            ("of this go and before", Some(line("now")), earlier(true, true), Have(line("now"))),
            ("in place", None, earlier(true, true), Adopt(line("earlier"))),
            ("elsewhere", None, earlier(true, false), Rename(line("earlier"))),
            ("in place, may have changed", None, earlier(false, true), Fetch(Some(Box::new(line("earlier"))))),
            ("elsewhere, may have changed", None, earlier(false, false), Fetch(Some(Box::new(line("earlier"))))),
            ("new", None, None, Fetch(None)),
        ] {
            assert_eq!(action(there, earlier), expected, "{what}");
        }
    }
}
