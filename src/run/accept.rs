//! What the job accepts of one day: the files that it takes for bad at their source, and which of its entries are out of
//! date.
//!
//! What it does not do: excuse a failure that may pass. Such a file may be well, and comes with the next run.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Run;
use super::event::{DayId, Event, FileEnd};
use super::file::{Ended, Work};
use crate::archive::{ACCEPTED, DayWork, FileLine, RelativePath};
use crate::failure::{Class, Failure, Remedy};
use crate::fetch;
use crate::manifest::{Accept, Manifest};
use crate::source::RemoteFile;
use crate::untrusted::escape;

/// The entries of one day.
#[derive(Debug)]
pub(super) struct Accepted(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    accept: Accept,
    /// A file that it means failed in this run, for whatever reason, or is absent by the lock.
    is_needed: AtomicBool,
}

impl Accepted {
    /// The entries for a day.
    pub(super) fn of(manifest: &Manifest, day: &DayId) -> Accepted {
        let own = manifest.accept.iter().filter(|accept| accept.series == day.series && accept.day == day.date);
        Accepted(own.map(|accept| Entry { accept: accept.clone(), is_needed: AtomicBool::new(false) }).collect())
    }

    /// True when an entry means one of these paths.
    pub(super) fn means(&self, paths: &[String]) -> bool {
        self.0.iter().any(|entry| entry.means(paths))
    }

    /// Notes the entries that mean files which the lock has as absent: those are not even asked for.
    pub(super) fn need(&self, absent: &[FileLine]) {
        for line in absent {
            let paths = [line.path.clone()];
            let meant = self.0.iter().filter(|entry| entry.means(&paths));
            meant.for_each(|entry| entry.is_needed.store(true, Ordering::Relaxed));
        }
    }

    /// Why the file at one of these paths, which failed, may be missing.
    fn excuse(&self, paths: &[String], class: Class) -> Option<&str> {
        let meant = || self.0.iter().filter(|entry| entry.means(paths));
        meant().for_each(|entry| entry.is_needed.store(true, Ordering::Relaxed));
        meant().next().filter(|_| is_about_the_file(class)).map(|entry| entry.accept.reason.as_str())
    }

    /// Tells the entries that mean no failure any more, once every file of the day has its end. `listed` are the keys of
    /// the day's files; with failures among them, a file's path may not be known.
    pub(super) fn tell_idle(&self, run: &Run, work: &DayWork, listed: &HashSet<String>, has_failures: bool) {
        let idle: Vec<&Entry> = self.0.iter().filter(|entry| !entry.is_needed.load(Ordering::Relaxed)).collect();
        if idle.is_empty() {
            return;
        }
        let here: Vec<String> = listed.iter().filter_map(|key| work.have(key)).map(|line| line.path).collect();
        for Entry { accept: Accept { series, day, file, .. }, .. } in idle {
            let what = if here.iter().any(|path| file.matches(path)) {
                "matches nothing that fails any more: take the entry out"
            } else if !has_failures {
                "matches no file that is listed: correct the entry, or take it out"
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
        | Class::Html
        | Class::Magic
        | Class::FitsStructure
        | Class::FitsChecksum => true,
        Class::Unreachable
        | Class::Stalled
        | Class::Throttled
        | Class::ServerError
        | Class::Pending
        | Class::HostGivenUp
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

impl Work {
    /// True when no further attempt is due: the thing itself is wrong, as the job knows already.
    pub(super) fn is_hopeless(&self, file: &RemoteFile, named: Option<&str>, class: Class) -> bool {
        class.remedy() == Remedy::None && is_about_the_file(class) && self.accepted.means(&self.paths(file, named))
    }

    /// The end of a file that failed for good, as the job accepts. One that is here from an earlier look is kept, and one
    /// that the lock has is none to do without.
    pub(super) fn excused(&mut self, file: &RemoteFile, named: Option<&str>, failure: &Failure) -> Option<Ended> {
        let paths = self.paths(file, named);
        let reason = self.accepted.excuse(&paths, failure.class)?.to_owned();
        tracing::info!(key = %escape(&file.key), class = %failure.class, %failure, "absent, as the job accepts");
        if let Some(ended) = self.keep() {
            return Some(ended);
        }
        let path = RelativePath::from_record(paths.first()?)?;
        if let Some(failure) = self.expected.misses(&file.key, failure) {
            return Some(Ended::Failed { path: Some(path.to_string()), failure, with: None });
        }
        let absent = Some(ACCEPTED.to_owned());
        let line = FileLine { absent, reason: Some(reason), ..self.bare_line(file, &path) };
        self.run.tell(Event::FileDone {
            day: self.id.clone(),
            key: line.key.clone(),
            path: Some(line.path.clone()),
            end: FileEnd::Absent,
        });
        Some(Ended::Absent(Box::new(line)))
    }

    /// Where the file is or would be: by its name, if it is known, and by its URL.
    fn paths(&self, file: &RemoteFile, named: Option<&str>) -> Vec<String> {
        let by_url = self.path_by(file, &fetch::name_of(file, None)).ok().map(|path| path.to_string());
        named.map(str::to_owned).into_iter().chain(by_url).collect()
    }
}
