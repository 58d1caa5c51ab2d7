//! What the job accepts of one day: the files that it takes for bad at their source, and which of its entries are out of
//! date.
//!
//! What it does not do: excuse a failure that may pass. Such a file may be well, and comes with the next run.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;

use super::context::DayContext;
use super::corrupt_backoff;
use super::corrupt_backoff::Failed;
use super::file_task::{FileEnded, FileTask, line_of};
use crate::archive::{ACCEPTED, DayWork, FileLine, RelativePath, Spoilt};
use crate::failure::{Class, Failure, Remedy};
use crate::fetch;
use crate::manifest::{Accept, Manifest};
use crate::run::Run;
use crate::run::event::{DayId, Event};
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

/// The entries of one day.
#[derive(Debug)]
pub(in crate::run) struct KnownBad(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    accept: Accept,
    /// A file that it means failed in this run, for whatever reason, or is absent by the lock.
    is_needed: AtomicBool,
}

impl KnownBad {
    /// The entries for a day.
    pub(in crate::run) fn of(manifest: &Manifest, day: &DayId) -> KnownBad {
        let own = manifest.accept.iter().filter(|accept| accept.series == day.series && accept.day == day.date);
        KnownBad(own.map(|accept| Entry { accept: accept.clone(), is_needed: AtomicBool::new(false) }).collect())
    }

    /// True when an entry means one of these paths.
    pub(in crate::run) fn means(&self, paths: &[String]) -> bool {
        self.0.iter().any(|entry| entry.means(paths))
    }

    /// Notes the entries that mean files which the lock has as absent: those are not even asked for.
    pub(in crate::run) fn need(&self, absent: &[FileLine]) {
        for line in absent {
            let paths = [line.path.clone()];
            let meant = self.0.iter().filter(|entry| entry.means(&paths));
            meant.for_each(|entry| entry.is_needed.store(true, Ordering::Relaxed));
        }
    }

    /// Why the file at one of these paths, which failed, may be missing: as the first entry that means it says.
    fn reason(&self, paths: &[String]) -> Option<&str> {
        let meant = || self.0.iter().filter(|entry| entry.means(paths));
        meant().for_each(|entry| entry.is_needed.store(true, Ordering::Relaxed));
        meant().next().map(|entry| entry.accept.reason.as_str())
    }

    /// Tells the entries that mean no failure any more, once every file of the day has its end. `listed` are the keys of
    /// the day's files; with failures among them, a file's path may not be known.
    pub(in crate::run) fn tell_idle(&self, run: &Run, work: &DayWork, listed: &HashSet<String>, has_failures: bool) {
        let idle: Vec<&Entry> = self.0.iter().filter(|entry| !entry.is_needed.load(Ordering::Relaxed)).collect();
        if idle.is_empty() {
            return;
        }
        let here: Vec<String> = listed.iter().filter_map(|key| work.have(key)).map(|line| line.path).collect();
        for Entry { accept: Accept { series, day, file, .. }, .. } in idle {
            let what = if here.iter().any(|path| file.matches(path)) {
                "no longer matches a failing file; remove the entry"
            } else if !has_failures {
                "matches no listed file; correct or remove the entry"
            } else {
                continue;
            };
            let file = file.to_string();
            run.tell(Event::Note(format!("{series} {day}: `accept` of `{}` {what}", escape(&file))));
        }
    }
}

impl Entry {
    fn means(&self, paths: &[String]) -> bool {
        paths.iter().any(|path| self.accept.file.matches(path))
    }
}

/// A file that was given up after all its attempts. What becomes of it depends on how the others of its host fared.
pub(in crate::run) struct GivenUp {
    pub(in crate::run) file: RemoteFile,
    /// Its path, when known.
    pub(in crate::run) path: Option<String>,
    /// Where it is or would be.
    pub(in crate::run) paths: Vec<String>,
    /// Why.
    pub(in crate::run) failure: Failure,
}

impl DayContext {
    /// The line of a file that is absent, as the job accepts.
    ///
    /// # Errors
    /// Why it is missing all the same: it is not accepted, it may be the host that fails, or the lock has it.
    pub(in crate::run) fn absent_as_accepted(&self, given_up: &GivenUp) -> Result<FileLine, Failure> {
        let GivenUp { file, path, paths, failure } = given_up;
        // What the listing says of a file is no failure of the host that would have it.
        let is_listed_so = matches!(file.body, Body::Offline(_));
        let host_is_well = is_listed_so || self.run.is_well(&self.opened.on_current(file).url);
        let noted = |failure: Failure, is_accepted: bool| {
            let failed = Failed { file, path: path.as_deref(), failure, host_is_well, is_accepted };
            corrupt_backoff::note(&self.run, &self.store, failed).unwrap_or_else(Failure::from)
        };
        let Some(reason) = self.known_bad.reason(paths) else { return Err(noted(failure.clone(), false)) };
        let proof = proof(failure.class, host_is_well, self.store.spoilt(&file.key), (self.run.now)().date_naive());
        if let Some(why_not) = proof.why_not() {
            let message = format!("{}; {why_not}", failure.message);
            return Err(noted(Failure { message, ..failure.clone() }, is_about_the_file(failure.class)));
        }
        self.accepted_line(file, paths, reason, failure)
    }

    /// The line of a file that the job accepts as missing; a failure where the lock has it.
    fn accepted_line(
        &self,
        file: &RemoteFile,
        paths: &[String],
        reason: &str,
        failure: &Failure,
    ) -> Result<FileLine, Failure> {
        if let Some(failure) = self.lock_view.misses(&file.key, failure) {
            return Err(failure);
        }
        let path = paths.first().and_then(|path| RelativePath::from_record(path)).ok_or_else(|| failure.clone())?;
        tracing::info!(key = %escape(&file.key), class = %failure.class, %failure, "absent, as the job accepts");
        let line = line_of(&self.todo.series, self.opened.series.source.scale(), file, &path);
        Ok(FileLine { absent: Some(ACCEPTED.to_owned()), reason: Some(reason.to_owned()), ..line })
    }
}

/// What a failure shows of a file that the job takes for bad at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// That it is.
    Bad,
    /// Nothing: it may be the host that fails, since none of its files came well.
    Alone,
    /// Nothing yet: a connection may break off on any day.
    Once,
    /// Nothing: it may pass.
    Passing,
}

impl Proof {
    fn why_not(self) -> Option<&'static str> {
        match self {
            Proof::Bad => None,
            Proof::Alone => Some(
                "`accept` names this file, but no file of its host came well in this run, so it may be the host that \
                 fails: `accept` counts once others come, or when this happens on another day too",
            ),
            Proof::Once => Some(
                "`accept` names this file, and counts once its body breaks off on another day too, while others come",
            ),
            Proof::Passing => Some("`accept` does not excuse it, since it may pass"),
        }
    }
}

/// What a failure of today shows, given how the file failed `before`.
fn proof(class: Class, host_is_well: bool, before: Option<&Spoilt>, today: NaiveDate) -> Proof {
    let before = before.filter(|before| before.class == class);
    let is_repeated = before.is_some_and(|before| before.since.date_naive() < today);
    let host_was_well = host_is_well || before.is_some_and(|before| before.host_was_well);
    match class {
        // A day of nothing else is looked at once more, accepted or not.
        Class::NotFound => Proof::Bad,
        Class::Truncated if host_is_well && is_repeated => Proof::Bad,
        Class::Truncated => Proof::Once,
        class if !is_about_the_file(class) => Proof::Passing,
        _ if host_was_well || is_repeated => Proof::Bad,
        _ => Proof::Alone,
    }
}

/// True for what may be wrong with a file at its source. What is wrong with the network, with the service as a whole or
/// with this machine is no file's fault.
fn is_about_the_file(class: Class) -> bool {
    match class {
        Class::Forbidden
        | Class::NotFound
        | Class::UnexpectedStatus
        | Class::Redirect
        | Class::SourceRefused
        | Class::Protocol
        | Class::Truncated
        | Class::TooLong
        | Class::Size
        | Class::Magic
        | Class::FitsStructure
        | Class::FitsChecksum
        | Class::FileStructure => true,
        Class::Unreachable
        | Class::Stalled
        | Class::Throttled
        | Class::ServerError
        | Class::Pending
        | Class::HostGivenUp
        // A page of maintenance, as a rule.
        | Class::Html
        | Class::ListingMalformed
        | Class::ListingTooLarge
        | Class::Vanished
        | Class::LockMismatch
        | Class::Collision
        | Class::Occupied
        | Class::Ambiguous
        | Class::UnsafePath
        | Class::Record
        | Class::Storage
        | Class::Held
        | Class::Internal => false,
    }
}

impl FileTask {
    /// True when no further attempt is due: the thing itself is wrong, as the job knows already.
    pub(in crate::run) fn is_hopeless(&self, file: &RemoteFile, named: Option<&str>, class: Class) -> bool {
        class.remedy() == Remedy::None && is_about_the_file(class) && self.day.known_bad.means(&self.paths(file, named))
    }

    /// The end of a file that was given up. One that is here from an earlier look is kept where its source fails it.
    pub(in crate::run) async fn given_up(
        &mut self,
        file: RemoteFile,
        named: Option<String>,
        failure: Failure,
    ) -> FileEnded {
        let paths = self.paths(&file, named.as_deref());
        let is_excusable = is_about_the_file(failure.class) && self.day.known_bad.reason(&paths).is_some();
        if is_excusable && let Some(ended) = self.keep(&file).await {
            return ended;
        }
        FileEnded::GivenUp(Box::new(GivenUp { file, path: named, paths, failure }))
    }

    /// Where the file is or would be: by its name, if it is known, and by its URL.
    pub(in crate::run) fn paths(&self, file: &RemoteFile, named: Option<&str>) -> Vec<String> {
        let by_url = self.path_by(file, &fetch::name_of(file, None)).ok().map(|path| path.to_string());
        named.map(str::to_owned).into_iter().chain(by_url).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Class::{
        FitsChecksum, FitsStructure, Forbidden, Html, Magic, NotFound, Redirect, ServerError, Truncated,
    };
    use super::Proof::{Alone, Bad, Once, Passing};
    use super::*;

    #[test]
    fn only_what_cannot_pass_shows_that_a_file_is_bad_at_its_source() {
        let noted = |class: Class, on: &str, host_was_well: bool| Spoilt {
            key: "k".into(),
            path: None,
            class,
            status: None,
            message: String::new(),
            checks: "size".into(),
            listed: None,
            since: format!("2026-01-{on}T12:00:00Z").parse().unwrap(),
            at: format!("2026-01-{on}T13:00:00Z").parse().unwrap(),
            times: 1,
            host_was_well,
        };
        for (class, host_is_well, before, due) in [
            (FitsChecksum, true, None, Bad),
            (FitsChecksum, false, None, Alone),
            (FitsChecksum, false, Some(noted(FitsChecksum, "02", true)), Bad),
            (FitsChecksum, false, Some(noted(FitsChecksum, "02", false)), Alone),
            (FitsChecksum, false, Some(noted(FitsChecksum, "01", false)), Bad),
            (FitsChecksum, false, Some(noted(FitsStructure, "01", true)), Alone),
            (Magic, false, None, Alone),
            (Forbidden, true, None, Bad),
            (Forbidden, false, None, Alone),
            (Redirect, false, None, Alone),
            (Truncated, true, None, Once),
            (Truncated, false, None, Once),
            (Truncated, true, Some(noted(Truncated, "02", true)), Once),
            (Truncated, true, Some(noted(Truncated, "01", false)), Bad),
            (Truncated, false, Some(noted(Truncated, "01", true)), Once),
            (NotFound, false, None, Bad),
            (Html, true, Some(noted(Html, "01", true)), Passing),
            (ServerError, true, Some(noted(ServerError, "01", true)), Passing),
        ] {
            let before = before.as_ref();
            let shown = proof(class, host_is_well, before, "2026-01-02".parse().unwrap());
            assert_eq!(shown, due, "{class}, {host_is_well}, {before:?}");
        }
    }

    #[test]
    fn no_class_that_may_pass_excuses_a_file() {
        for class in Class::ALL.iter().copied().filter(|class| class.remedy() == Remedy::Later) {
            let is_proved_otherwise = matches!(class, NotFound | Truncated);
            assert_eq!(is_about_the_file(class), is_proved_otherwise, "{class}");
        }
    }
}
