//! The life of one day: taken, listed, fetched, sealed.

mod context;
pub(super) mod corrupt_backoff;
pub(super) mod downloads;
pub(super) mod file_task;
pub(super) mod known_bad;
pub(super) mod known_files;
pub(super) mod listing;
pub(super) mod lock_view;
pub(super) mod narrowed;
pub(super) mod path_collisions;
pub(super) mod preferred;
pub(super) mod rename;
pub(super) mod renumbered;
pub(super) mod seal;
pub(super) mod unlisted;

use std::collections::{BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;

use super::event::{DayDone, DayState, Event, FileEnd};
use super::{How, OpenedSeries, Run, Todo};
use crate::archive::{self, DayRecord, DayWork, FileLine, State, Trust, Values, render};
use crate::failure::{Class, Failure};
use crate::manifest::{Series, Template};
use crate::source::{Body, Listed, MADE, RemoteFile};
use context::DayContext;
use downloads::{Downloads, Failures, Missing, panicked};
use file_task::as_listed;
use known_bad::KnownBad;
use known_files::{Earlier, Found, Look, find, is_sealed};
use listing::{
    DayListing, Lacking, day_listing, is_final_without_files, lost_its_files, must_keep_preferred, seen_doubted_before,
    seen_empty_before, vanished, warn_of_room, way_out, without_file,
};
use lock_view::{LockView, Settled};
use path_collisions::{Claims, collision};
use preferred::Before;
use rename::KnownFile;
use seal::{SealedBy, seal};

/// How work at a day ended.
pub(super) enum Ended {
    /// For this run.
    Done(Box<DayDone>, BTreeSet<Class>),
    /// Its listing was empty: it is looked at again.
    Again,
    /// The run was stopped before the day had an end; the next run goes on from there.
    Stopped,
}

/// How far work at a day went.
enum Went {
    /// To its end.
    Through,
    Again,
    Stopped,
}

pub(super) async fn work(run: &Arc<Run>, todo: &Todo) -> Ended {
    let mut done = DayDone::nothing(todo.id());
    let mut classes = BTreeSet::new();
    let work = AssertUnwindSafe(try_work(run, todo, &mut done, &mut classes)).catch_unwind();
    match work.await.unwrap_or_else(|_| Err(panicked())) {
        Ok(Went::Through) => {}
        Ok(Went::Again) => return Ended::Again,
        Ok(Went::Stopped) => return Ended::Stopped,
        Err(failure) => {
            if failure.class == Class::Storage {
                // Every other file would fail on it too.
                run.halt.cancel();
            }
            classes.insert(failure.class);
            done.error = Some(failure);
        }
    }
    Ended::Done(Box::new(done), classes)
}

async fn try_work(
    run: &Arc<Run>,
    todo: &Todo,
    done: &mut DayDone,
    classes: &mut BTreeSet<Class>,
) -> Result<Went, Failure> {
    let Some(opened) = run.series.get(&todo.series) else {
        return Err(Failure::new(Class::SourceRefused, format!("no source is open for `{}`", todo.series)));
    };
    let day_work: Arc<DayWork> = match take(run, todo).await? {
        archive::Opened::Work(work) => Arc::from(work),
        archive::Opened::Held => {
            done.state = DayState::Held;
            return Err(Failure::unasked(Class::Held, "another process is working on this day; run again later"));
        }
        archive::Opened::Done(record) => {
            tell_record(done, &record);
            return Ok(Went::Through);
        }
    };
    run.tell(Event::DayBegun(done.day.clone()));
    (done.files, done.bytes) = day_work.in_place();
    let expected = Arc::new(LockView::of(run.locked.as_ref(), todo)?);
    let listed_at = (run.now)();
    let listing = day_listing(run, opened, todo, (&day_work, &expected), (&done.day, listed_at)).await?;
    let Some(DayListing { mut listed, is_final, is_asked, absent: known_absent, left_out }) = listing else {
        return Ok(Went::Stopped);
    };
    done.outside_day = listed.outside_day;
    done.duplicates = listed.duplicates;
    done.without_record = listed.without_record;
    if !is_final {
        day_work.note_young()?;
    }
    if !is_asked {
        // No service has answered that may be wrong today.
    } else if !listed.files.is_empty() {
        day_work.note_listed()?;
    } else if (is_final || day_work.had_files()) && !seen_empty_before(run, &day_work, listed_at)? {
        // Final, or about to retire what an earlier listing had: neither happens on the word of one answer.
        run.tell(Event::Note(format!(
            "{} {}: the listing is empty; checking again in {} s",
            todo.series,
            todo.day.date,
            run.second_look.as_secs()
        )));
        return Ok(Went::Again);
    } else if listed.left_out == 0 && lost_its_files(opened, todo, &day_work) {
        return Err(vanished(&way_out(run, todo, &day_work, expected.binds())));
    }
    let before = Before::of(opened, todo, &day_work)?;
    must_keep_preferred(opened, &before, &listed, || way_out(run, todo, &day_work, expected.binds()))?;
    let expected = expected.by_listed_keys(&listed, opened.series.source.scale());
    let former = renumbered::take_over(opened, todo, &day_work, &expected, &listed)?;
    if todo.how.recheck && is_final && is_asked {
        unlisted::keep(opened, todo, (&day_work, &former), &expected, &mut listed).await?;
    }
    let by_series = std::mem::take(&mut listed.by_series);
    let bytes = listed.files.iter().map(|f| f.bytes).sum();
    let keys: HashSet<String> = listed.files.iter().map(|f| f.key.clone()).collect();
    let Settled { absent: mut settled, failed: refused } = expected.settle(&mut listed, &todo.series.0);
    settled.extend(known_absent);
    let total = (listed.files.len() + settled.len() + refused.len()) as u64;
    let without_file = without_file(opened, todo, &expected, &mut listed)?;
    let mut claims = Claims::default();
    let look = Look { todo, expected: &expected, is_final };
    let Sorted { mut missing, have, known, mut failed } = sort(run, opened, (&day_work, &mut claims), listed, look)?;
    failed.extend(refused.into_iter().map(|(key, path, failure)| (key, (path, failure))));
    let known_bad = KnownBad::of(&run.manifest, &done.day);
    known_bad.need(&settled);
    failed.extend(corrupt_backoff::put_off(run, todo, &day_work, &known_bad, &mut missing));
    if run.shelf.is_none() {
        warn_of_room(run, todo, &missing);
    }
    let there = have.len() + known.len() + missing.iter().filter(|m| m.kept.is_some()).count();
    run.tell(Event::DayListed { day: done.day.clone(), files: total, have: there as u64, bytes });
    for line in have {
        run.tell(Event::FileDone { day: done.day.clone(), key: line.key, path: Some(line.path), end: FileEnd::Have });
    }
    for line in &settled {
        let (key, path) = (line.key.clone(), Some(line.path.clone()));
        run.tell(Event::FileDone { day: done.day.clone(), key, path, end: FileEnd::Absent });
    }
    let unplaced = rename::place(run, todo, (&day_work, &done.day), known).await;
    missing.extend(unplaced.missing);
    failed.extend(unplaced.failed);
    let day = Arc::new(DayContext {
        run: Arc::clone(run),
        opened: Arc::clone(opened),
        todo: todo.clone(),
        id: done.day.clone(),
        store: Arc::clone(&day_work),
        lock_view: Arc::clone(&expected),
        known_bad,
        claims: Mutex::new(claims),
        is_final,
    });
    let Downloads { absent: gone, given_up, failed: more, left } = downloads::fetch(&day, missing).await;
    failed.extend(more);
    let lacking = Lacking {
        without_file: without_file.len(),
        gone: gone.len(),
        has_files: day_work.has_any(keys.iter().map(String::as_str).filter(|key| !key.starts_with(MADE))),
        host_is_well: gone.iter().all(|gone| run.is_well(&gone.url)),
    };
    let mut absent: Vec<FileLine> = without_file;
    absent.extend(gone.into_iter().map(|gone| gone.line));
    for given_up in given_up {
        match day.absent_as_accepted(&given_up) {
            Ok(line) => absent.push(line),
            Err(failure) => {
                failed.insert(given_up.file.key, (given_up.path, failure));
            }
        }
    }
    let is_through = failed.is_empty() && left == 0 && !run.halt.is_cancelled();
    // Where none of its files has come, and none that came was bad, they may still be late.
    let has_come = absent.iter().any(|line| line.reason.is_some()) || day_work.has_any(keys.iter().map(String::as_str));
    let lacks_all = !absent.is_empty() && !has_come;
    let may_come = is_final && is_asked && lacks_all && !is_final_without_files(opened, todo, listed_at);
    if is_through && may_come {
        day_work.note_young()?;
    }
    let is_final = is_final && !may_come;
    if is_through && is_final && is_asked && lacking.is_doubtful() && !seen_doubted_before(run, &day_work, listed_at)? {
        run.tell(Event::DayAgain(done.day.clone()));
        let what =
            if lacking.has_files { "and nothing else came from its host" } else { "and the day has no other file" };
        let files = if absent.len() == 1 { "1 file is".to_owned() } else { format!("{} files are", absent.len()) };
        run.tell(Event::Note(format!(
            "{} {}: {files} absent upstream, {what}; asking again in {} s",
            todo.series,
            todo.day.date,
            run.second_look.as_secs()
        )));
        return Ok(Went::Again);
    }
    for line in &absent {
        let (key, path) = (line.key.clone(), Some(line.path.clone()));
        run.tell(Event::FileDone { day: done.day.clone(), key, path, end: FileEnd::Absent });
    }
    settled.extend(absent);
    // Only now: the first of two keys on one path, or at one place, may have been at it when the second was told.
    let is_crossed = |class: Class| matches!(class, Class::Collision | Class::Redirect);
    let crossed = failed.iter().filter(|(_, (_, failure))| is_crossed(failure.class));
    let crossed: Vec<String> = crossed.map(|(key, _)| key.clone()).collect();
    if !crossed.is_empty() && !run.halt.is_cancelled() {
        let work = Arc::clone(&day_work);
        blocking(move || work.take_back(crossed.iter().map(String::as_str))).await?;
    }
    (done.files, done.bytes) = day_work.in_place();
    done.absent = settled.len() as u64;
    for (key, (path, failure)) in &failed {
        classes.insert(failure.class);
        run.tell(Event::FileDone {
            day: done.day.clone(),
            key: key.clone(),
            path: path.clone(),
            end: FileEnd::Failed(Box::new(failure.clone())),
        });
    }
    if run.halt.is_cancelled() && failed.is_empty() {
        return Ok(Went::Stopped);
    }
    if left > 0 && failed.is_empty() {
        run.tell(Event::DayLeft { day: done.day.clone(), files: done.files, left });
        return Ok(Went::Stopped);
    }
    if !run.halt.is_cancelled() && run.shelf.is_none() {
        day.known_bad.tell_idle(run, &day_work, &keys, !failed.is_empty());
    }
    if !failed.is_empty() {
        done.error = failed.values().find(|(_, f)| f.class == Class::HostGivenUp).map(|(_, f)| f.clone());
        return Ok(Went::Through);
    }
    if let Some(failure) = expected.objects_to(|| day_work.digest(&keys), &settled) {
        return Err(failure);
    }
    // Sealing needs the memory.
    drop((day, expected));
    let state = if is_final { State::Sealed } else { State::Provisional };
    done.replaced = before.replaced(&opened.series, &by_series);
    let by = SealedBy { keys, absent: settled, left_out, state, records: by_series.records, replaced: &done.replaced };
    let record = seal(run, opened, todo, day_work, by).await?;
    tell_record(done, &record);
    Ok(Went::Through)
}

pub(super) async fn take(run: &Run, todo: &Todo) -> Result<archive::Opened, Failure> {
    let (archive, job, todo) = (Arc::clone(&run.archive), run.manifest.name.clone(), todo.clone());
    let trust = match todo.how {
        How { afresh: true, .. } => Trust::Nothing,
        How { recheck: true, .. } => Trust::Files,
        How { .. } => Trust::All,
    };
    blocking(move || archive.take(&todo.series, todo.day.date, todo.spec, &job, trust)).await
}

fn tell_record(done: &mut DayDone, record: &DayRecord) {
    done.state = match record.header.state {
        State::Sealed => DayState::Sealed,
        State::Provisional => DayState::Provisional,
    };
    done.files = record.header.files;
    done.bytes = record.header.bytes;
    done.absent = record.header.absent;
    done.accepted = record.files.iter().filter(|file| file.reason.is_some()).count() as u64;
    done.records = record.header.records.clone().unwrap_or_default();
    done.digest = record.header.digest.strip_prefix("sha256:").and_then(|d| d.parse().ok());
}

/// A listing, sorted.
struct Sorted {
    /// To be fetched, or asked about.
    missing: Vec<Missing>,
    /// In place.
    have: Vec<FileLine>,
    /// Elsewhere, and not asked about.
    known: Vec<KnownFile>,
    /// What can have no path.
    failed: Failures,
}

fn sort(
    run: &Run,
    opened: &OpenedSeries,
    (work, claims): (&DayWork, &mut Claims),
    listed: Listed,
    look: Look<'_>,
) -> Result<Sorted, Failure> {
    let mut failed = Failures::new();
    let (mut have, mut known) = (Vec::new(), Vec::new());
    // As long as the listing: grown step by step it would hold twice as much.
    let mut missing = Vec::with_capacity(listed.files.len());
    let mut adopted = Vec::new();
    let places = claims.list(listed.files.iter().filter(|file| file.body == Body::Remote).map(|file| &file.url));
    run.redirects.list(&look.todo.id(), places);
    for file in listed.files {
        let Found { there, path, earlier, is_pinned } = match find(opened, work, &file, look) {
            Ok(found) => found,
            Err(failure) => {
                failed.insert(file.key, (None, failure));
                continue;
            }
        };
        let is_sure = earlier.as_ref().is_some_and(|earlier| earlier.is_sure);
        // Where only the answer will name the file, its path is a guess that keeps nobody else out.
        let is_known = there.is_some() || is_sure || is_pinned || file.name.is_some();
        if let Some(path) = path.as_ref().filter(|_| is_known)
            && let Err(other) = claims.claim(path, &file.key)
        {
            let failure = collision(path, &file.key, &other);
            failed.insert(other, (Some(path.to_string()), failure.clone()));
            failed.insert(file.key, (Some(path.to_string()), failure));
            continue;
        }
        let in_place = earlier.as_ref().filter(|earlier| is_sure && earlier.is_in_place).map(|earlier| &earlier.line);
        if let Some(line) = there.as_ref().or(in_place).filter(|line| !is_sealed(work, &line.key)) {
            run.redirects.remember(look.todo, &file.url, line);
        }
        if let Some(line) = there {
            have.push(line);
            continue;
        }
        match (earlier, path) {
            (Some(Earlier { line, is_in_place: false, is_sure: true }), Some(path)) => {
                known.push(KnownFile { file, path, line });
            }
            (Some(Earlier { line, is_sure: true, .. }), path) => {
                adopted.push(as_listed(line, &file));
                missing.push(Missing { file, path, kept: None });
            }
            (earlier, path) => {
                missing.push(Missing { file, path, kept: earlier.map(|earlier| Box::new(earlier.line)) });
            }
        }
    }
    adopted.retain(|line| !failed.contains_key(&line.key));
    let taken = work.adopt(adopted)?;
    have.extend(taken.iter().filter_map(|key| work.have(key)));
    have.retain(|line| !failed.contains_key(&line.key));
    known.retain(|known| !failed.contains_key(&known.file.key));
    missing.retain(|m| !taken.contains(&m.file.key) && !failed.contains_key(&m.file.key));
    Ok(Sorted { missing, have, known, failed })
}

/// The path of a file of this name, by the series' layout.
///
/// # Errors
/// Where the layout makes no path of it.
pub(crate) fn path_of(
    series: &Series,
    todo: &Todo,
    file: &RemoteFile,
    name: &str,
) -> Result<archive::RelativePath, Failure> {
    let values = values(series, todo, file, name);
    match render(&series.layout, &values) {
        // What is of all records of a day has no value of any one of them; and no file of a record has no segment.
        Err(failure) if file.body != Body::Remote => render(&Template::default_of_kind(), &values).map_err(|_| failure),
        path => path,
    }
}

/// What a layout's variables stand for, for a file of this name.
pub(super) fn values<'a>(series: &'a Series, todo: &Todo, file: &'a RemoteFile, name: &'a str) -> Values<'a> {
    Values {
        series: &series.id.0,
        date: todo.day.date,
        time: file.time,
        file: name,
        recnum: file.recnum,
        harpnum: file.harpnum,
        t_rec: file.t_rec,
        segment: file.segment.as_deref(),
        wavelength: file.wavelength,
    }
}

/// Runs file work on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, archive::Error> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(Failure::new(Class::Internal, format!("a thread of this program died: {error}"))),
    }
}
