//! What the job accepts of one day: the files that it takes for bad at their source, and which of its entries are out of
//! date.
//!
//! What it does not do: excuse a failure that may pass. Such a file may be well, and comes with the next run.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;

use super::file_paths::FilePaths;
use crate::archive::{CorruptDownload, DayWork, FileLine};
use crate::failure::Class;
use crate::manifest::{Accept, Manifest};
use crate::run::RunContext;
use crate::run::event::{DayId, Event};
use crate::untrusted::escape;

/// The entries of one day.
#[derive(Debug)]
pub(in crate::run) struct KnownBad(Vec<AcceptEntry>);

#[derive(Debug)]
struct AcceptEntry {
    accept: Accept,
    /// A file that it means failed in this run, for whatever reason, or is absent by the lock.
    is_needed: AtomicBool,
    /// The path now of a file that it means by an earlier layout alone.
    moved_to: OnceLock<String>,
}

impl KnownBad {
    /// The entries for a day.
    pub(in crate::run) fn of(manifest: &Manifest, day: &DayId) -> KnownBad {
        let own = manifest.accept.iter().filter(|accept| accept.series == day.series && accept.day == day.date);
        KnownBad(own.map(AcceptEntry::of).collect())
    }

    /// True when an entry means one of these paths.
    pub(in crate::run) fn means(&self, paths: &FilePaths) -> bool {
        self.0.iter().any(|entry| entry.means(paths))
    }

    /// Notes the entries that mean files which the lock, or the record that stands, has as absent: those are not even asked for.
    pub(in crate::run) fn need(&self, absent: &[FileLine], work: &DayWork) {
        if self.0.is_empty() {
            return;
        }
        for line in absent {
            self.reason(&FilePaths::of_absent(work, line));
        }
    }

    /// Why the file at one of these paths, which failed, may be missing: as the first entry that means it says.
    pub(super) fn reason(&self, paths: &FilePaths) -> Option<&str> {
        let meant = || self.0.iter().filter(|entry| entry.means(paths));
        for entry in meant() {
            entry.is_needed.store(true, Ordering::Relaxed);
            if let Some(path) = paths.now.first().filter(|_| !entry.means_any(&paths.now)) {
                entry.moved_to.get_or_init(|| path.clone());
            }
        }
        meant().next().map(|entry| entry.accept.reason.as_str())
    }

    /// What to write for a file that no entry means, where one that means no file may be about it.
    pub(super) fn hint_for(&self, paths: &FilePaths) -> Option<String> {
        let idle = self.0.iter().find(|entry| !entry.is_needed.load(Ordering::Relaxed))?;
        let file = idle.accept.file.to_string();
        let path = escape(paths.now.first()?).into_owned();
        Some(format!("`accept` of `{}` does not match it; if it should, write `{path}` there", escape(&file)))
    }

    /// Tells the entries that mean no failure any more, or a path of before, once every file of the day has its end. `listed`
    /// are the keys of the day's files; with failures among them, a file's path may not be known.
    pub(in crate::run) fn tell_outdated(
        &self,
        run: &RunContext,
        work: &DayWork,
        listed: &HashSet<String>,
        has_failures: bool,
    ) {
        for AcceptEntry { accept: Accept { series, day, file, .. }, moved_to, .. } in &self.0 {
            let Some(path) = moved_to.get() else { continue };
            let file = file.to_string();
            run.emit(Event::Note(format!(
                "{series} {day}: `accept` of `{}` names a path of an earlier layout; write `{}` there",
                escape(&file),
                escape(path)
            )));
        }
        let idle: Vec<&AcceptEntry> = self.0.iter().filter(|entry| !entry.is_needed.load(Ordering::Relaxed)).collect();
        if idle.is_empty() {
            return;
        }
        let here: Vec<String> = listed.iter().filter_map(|key| work.have(key)).map(|line| line.path).collect();
        for AcceptEntry { accept: Accept { series, day, file, .. }, .. } in idle {
            let what = if here.iter().any(|path| file.matches(path)) {
                "no longer matches a failing file; remove the entry"
            } else if !has_failures {
                "matches no listed file; correct or remove the entry"
            } else {
                continue;
            };
            let file = file.to_string();
            run.emit(Event::Note(format!("{series} {day}: `accept` of `{}` {what}", escape(&file))));
        }
    }
}

impl AcceptEntry {
    fn of(accept: &Accept) -> AcceptEntry {
        AcceptEntry { accept: accept.clone(), is_needed: AtomicBool::new(false), moved_to: OnceLock::new() }
    }

    fn means(&self, paths: &FilePaths) -> bool {
        self.means_any(&paths.now) || self.means_any(&paths.before)
    }

    fn means_any(&self, paths: &[String]) -> bool {
        paths.iter().any(|path| self.accept.file.matches(path))
    }
}

/// What a failure shows of a file that the job takes for bad at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureProof {
    /// That it is.
    Bad,
    /// Nothing: it may be the host that fails, since none of its files came well.
    Alone,
    /// Nothing yet: a connection may break off on any day.
    Once,
    /// Nothing: it may pass.
    Passing,
}

impl FailureProof {
    pub(super) fn why_not(self) -> Option<&'static str> {
        match self {
            FailureProof::Bad => None,
            FailureProof::Alone => Some(
                "`accept` names this file, but no file of its host arrived intact in this run, so the host itself may be failing: `accept` counts once others come, or when this happens on another day too",
            ),
            FailureProof::Once => Some(
                "`accept` names this file, and counts once its body breaks off on another day too, while others come",
            ),
            FailureProof::Passing => Some("`accept` does not apply, because the problem may pass"),
        }
    }
}

/// What a failure of today shows, given how the file failed `before`.
pub(super) fn proof(
    class: Class,
    host_is_well: bool,
    before: Option<&CorruptDownload>,
    today: NaiveDate,
) -> FailureProof {
    let before = before.filter(|before| before.class == class);
    let is_repeated = before.is_some_and(|before| before.since.date_naive() < today);
    let host_was_well = host_is_well || before.is_some_and(|before| before.host_was_well);
    match class {
        // A day of nothing else is looked at once more, accepted or not.
        Class::NotFound => FailureProof::Bad,
        Class::Truncated if host_is_well && is_repeated => FailureProof::Bad,
        Class::Truncated => FailureProof::Once,
        class if !is_about_the_file(class) => FailureProof::Passing,
        _ if host_was_well || is_repeated => FailureProof::Bad,
        _ => FailureProof::Alone,
    }
}

/// True for what may be wrong with a file at its source. What is wrong with the network, with the service as a whole or
/// with this machine is no file's fault.
pub(super) fn is_about_the_file(class: Class) -> bool {
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

#[cfg(test)]
mod tests {
    use super::Class::{
        FitsChecksum, FitsStructure, Forbidden, Html, Magic, NotFound, Redirect, ServerError, Truncated,
    };
    use super::FailureProof::{Alone, Bad, Once, Passing};
    use super::*;
    use crate::failure::Remedy;

    #[test]
    fn only_what_cannot_pass_shows_that_a_file_is_bad_at_its_source() {
        let noted = |class: Class, on: &str, host_was_well: bool| CorruptDownload {
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
