//! The fourth stage of a day: what it lacks when each of its files has had its turn, and whether it may be sealed.

use std::sync::Arc;

use url::Url;

use super::downloads::{Downloads, Failures};
use super::file_task::{GivenUp, Gone};
use super::listing::{ListedBy, is_final_without_files};
use super::reconcile::DayRest;
use super::second_look::{Lacking, seen_doubted_before};
use super::{DayProcess, Early};
use crate::archive::{DayWork, FileLine, RecordState};
use crate::failure::{Class, Failure};
use crate::run::blocking::{blocking, on_day};
use crate::run::day::context::DayContext;
use crate::run::event::{Event, FileEnd};
use crate::source::MADE;

/// How the files of a day ended.
pub(super) struct DayOutcome {
    /// Files that failed, by key.
    pub(super) failed: Failures,
    /// Files that the day is sealed without.
    pub(super) absent: Vec<FileLine>,
    /// Files that are left to another run.
    pub(super) left: u64,
    /// The day can be sealed for good.
    pub(super) is_final: bool,
}

impl DayProcess<'_> {
    /// Weighs what is missing after the downloads. [`Early::Again`] where it may as well be a server that lost its storage for
    /// a moment.
    pub(super) async fn outcome(
        &self,
        day: &DayContext,
        rest: &mut DayRest,
        downloads: Downloads,
    ) -> Result<DayOutcome, Early> {
        let Downloads { absent: gone, given_up, failed: more, left } = downloads;
        let mut failed = std::mem::take(&mut rest.failed);
        failed.extend(more);
        let mut missing = Missing::default();
        let mut absent = std::mem::take(&mut rest.without_file);
        let without_file = absent.len();
        for Gone { line, url } in gone {
            missing.urls.push(url);
            absent.push(line);
        }
        for given_up in given_up {
            match day.absent_as_accepted(&given_up) {
                Ok(line) => {
                    missing.note_accepted(day, &given_up);
                    absent.push(line);
                }
                Err(failure) => {
                    failed.insert(given_up.file.key, (given_up.path, failure));
                }
            }
        }
        let lacking = missing.lacking(day, rest, without_file);
        let is_through = failed.is_empty() && left == 0 && !self.run.halt.is_cancelled();
        let may_come = !missing.has_bad && may_come(day, rest, &absent);
        if is_through && may_come {
            on_day(&day.store, DayWork::note_young).await?;
        }
        let is_final = day.is_final && !may_come;
        let is_asked = rest.listed_by == ListedBy::Source;
        let is_doubted = is_through && is_final && is_asked && lacking.is_doubtful();
        if is_doubted && !seen_doubted_before(self.run, &day.store, rest.listed_at).await? {
            self.note_second_look(day, lacking, absent.len());
            return Err(Early::Again);
        }
        self.report_absent(&absent);
        let absent = std::mem::take(&mut rest.settled).into_iter().chain(absent).collect();
        Ok(DayOutcome { failed, absent, left, is_final })
    }

    fn note_second_look(&self, day: &DayContext, lacking: Lacking, absent: usize) {
        self.run.emit(Event::DayAgain(day.id.clone()));
        let what =
            if lacking.has_files { "and nothing else arrived from its host" } else { "and the day has no other file" };
        let files = if absent == 1 { "1 file is".to_owned() } else { format!("{absent} files are") };
        let again = self.run.second_look.as_secs();
        self.run.note(&day.id, &format!("{files} absent upstream, {what}; asking again in {again} s"));
    }

    /// Reports files as absent.
    pub(super) fn report_absent(&self, lines: &[FileLine]) {
        for line in lines {
            let (key, path) = (line.key.clone(), Some(line.path.clone()));
            self.run.emit(Event::FileDone { day: self.done.day.clone(), key, path, end: FileEnd::Absent });
        }
    }

    /// Takes files that crossed another one out of the archive, and reports all that failed.
    pub(super) async fn report_failed(&mut self, day: &DayContext, outcome: &DayOutcome) -> Result<(), Failure> {
        // Only now: the first of two keys on one path, or at one place, may have been at it when the second was found.
        let is_crossed = |class: Class| matches!(class, Class::Collision | Class::Redirect);
        let crossed = outcome.failed.iter().filter(|(_, (_, failure))| is_crossed(failure.class));
        let crossed: Vec<String> = crossed.map(|(key, _)| key.clone()).collect();
        if !crossed.is_empty() && !self.run.halt.is_cancelled() {
            let store = Arc::clone(&day.store);
            blocking(move || store.take_back(crossed.iter().map(String::as_str))).await?;
        }
        self.note_files_in_place(&day.store).await?;
        self.done.absent = outcome.absent.len() as u64;
        for (key, (path, failure)) in &outcome.failed {
            self.classes.insert(failure.class);
            self.run.emit(Event::FileDone {
                day: day.id.clone(),
                key: key.clone(),
                path: path.clone(),
                end: FileEnd::Failed(Box::new(failure.clone())),
            });
        }
        Ok(())
    }

    /// Ends a day that may not be sealed: files failed, are left to another run, or are not those of the lock.
    pub(super) async fn must_be_whole(
        &mut self,
        day: &DayContext,
        rest: &DayRest,
        outcome: &DayOutcome,
    ) -> Result<(), Early> {
        let DayOutcome { failed, left, .. } = outcome;
        let is_halted = self.run.halt.is_cancelled();
        if failed.is_empty() && is_halted {
            return Err(Early::Stopped);
        }
        if failed.is_empty() && *left > 0 {
            self.run.emit(Event::DayLeft { day: day.id.clone(), files: self.done.files, left: *left });
            return Err(Early::Stopped);
        }
        if !is_halted && self.run.import_folder.is_none() {
            day.known_bad.tell_outdated(self.run, &day.store, &rest.keys, !failed.is_empty());
        }
        if !failed.is_empty() {
            if !rest.listed_slots.is_empty() {
                let state = if outcome.is_final { RecordState::Sealed } else { RecordState::Provisional };
                let missing = rest.listed_slots.missing(failed, &outcome.absent, state, rest.left_out.clone());
                on_day(&day.store, move |store| store.note_missing(missing)).await?;
            }
            let given_up = failed.values().find(|(_, failure)| failure.class == Class::HostGivenUp);
            self.done.error = given_up.map(|(_, failure)| failure.clone());
            return Err(Early::Done);
        }
        let objection = day.lock_view.objects_to(|| day.store.digest(&rest.keys), &outcome.absent);
        objection.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

/// What the day lacks of its listed files, for whatever reason.
#[derive(Default)]
struct Missing {
    /// Where files were requested that the source does not have, those that the job accepts as missing among them.
    urls: Vec<Url>,
    /// A file came, was bad, and the job accepts that.
    has_bad: bool,
}

impl Missing {
    fn note_accepted(&mut self, day: &DayContext, given_up: &GivenUp) {
        if given_up.failure.class == Class::NotFound {
            self.urls.push(day.opened.on_current(&given_up.file).url.clone());
        } else {
            self.has_bad = true;
        }
    }

    fn lacking(&self, day: &DayContext, rest: &DayRest, without_file: usize) -> Lacking {
        let own = rest.keys.iter().map(String::as_str).filter(|key| !key.starts_with(MADE));
        Lacking {
            without_file,
            gone: self.urls.len(),
            has_files: day.store.has_any(own),
            host_is_well: self.urls.iter().all(|url| day.run.is_well(url)),
        }
    }
}

/// True where none of the day's files has come: they may still be late.
fn may_come(day: &DayContext, rest: &DayRest, absent: &[FileLine]) -> bool {
    let lacks_all = !absent.is_empty() && !day.store.has_any(rest.keys.iter().map(String::as_str));
    let is_late = || !is_final_without_files(&day.opened, &day.todo, rest.listed_at);
    day.is_final && rest.listed_by == ListedBy::Source && lacks_all && is_late()
}
