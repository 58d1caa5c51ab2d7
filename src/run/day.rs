//! The life of one day: taken, listed, fetched, sealed.

use std::collections::{BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;

use super::accept::{Accepted, Judge};
use super::asked_again;
use super::claims::{Claims, collision};
use super::event::{DayDone, DayState, Event, FileEnd};
use super::file::as_listed;
use super::flight::{Failures, Flight, Landed, Missing, died};
use super::listing::{
    Lacking, is_final, is_final_without_files, list, lost_its_files, must_keep_preferred, seen_doubted_before,
    seen_empty_before, vanished, warn_of_room, way_out, without_file,
};
use super::locked::{Expected, Settled};
use super::preferred::Before;
use super::seal::{SealedBy, seal};
use super::{How, Opened, Run, Todo, renumbered, unlisted};
use crate::archive::{self, DayRecord, DayWork, FileLine, Prior, Standing, State, Trust, Values, render};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fetch::condition;
use crate::manifest::{Series, Template};
use crate::source::{Body, Listed, MADE, RemoteFile};

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
    match work.await.unwrap_or_else(|_| Err(died())) {
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
            return Err(Failure::new(Class::Held, "another process is working on this day; run again later"));
        }
        archive::Opened::Done(record) => {
            tell_record(done, &record);
            return Ok(Went::Through);
        }
    };
    run.tell(Event::DayBegun(done.day.clone()));
    (done.files, done.bytes) = day_work.in_place();
    let expected = Arc::new(Expected::of(run.locked.as_ref(), todo)?);
    let listed_at = (run.now)();
    let frozen = expected.listing(opened.source.current().client().base(), &opened.series.source)?;
    let is_frozen = frozen.is_some();
    let (mut listed, is_final) = match frozen {
        Some(frozen) => frozen,
        None => match list(run, opened, todo, (&day_work, &expected), &done.day).await? {
            Some(listed) => {
                let is_final = is_final(opened, todo, &listed, listed_at);
                (listed, is_final)
            }
            None => return Ok(Went::Stopped),
        },
    };
    done.outside_day = listed.outside_day;
    done.duplicates = listed.duplicates;
    done.without_record = listed.without_record;
    let left_out = listed.left_out_by_quality.take();
    if !is_final {
        day_work.note_young()?;
    }
    if is_frozen {
        // The lock is no answer of a service that may be wrong today.
    } else if !listed.files.is_empty() {
        day_work.note_listed()?;
    } else if (is_final || day_work.had_files()) && !seen_empty_before(run, &day_work, listed_at)? {
        // Final, or about to retire what an earlier listing had: neither happens on the word of one answer.
        run.tell(Event::Note(format!(
            "{} {}: the listing is empty; it is asked for again in {} s",
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
    if todo.how.recheck && is_final && !is_frozen {
        unlisted::keep(opened, todo, (&day_work, &former), &expected, &mut listed).await?;
    }
    let by_series = std::mem::take(&mut listed.by_series);
    let bytes = listed.files.iter().map(|f| f.bytes).sum();
    let keys: HashSet<String> = listed.files.iter().map(|f| f.key.clone()).collect();
    let Settled { absent: mut settled, failed: refused } = expected.settle(&mut listed, &todo.series.0);
    let total = (listed.files.len() + settled.len() + refused.len()) as u64;
    let without_file = without_file(opened, todo, &expected, &mut listed)?;
    let claims = Arc::new(Mutex::new(Claims::default()));
    let look = Look { todo, expected: &expected, is_final };
    let (mut missing, have, mut failed) = sort(run, opened, (&day_work, &claims), listed, look)?;
    failed.extend(refused.into_iter().map(|(key, path, failure)| (key, (path, failure))));
    let accepted = Arc::new(Accepted::of(&run.manifest, &done.day));
    accepted.need(&settled);
    failed.extend(asked_again::put_off(run, todo, &day_work, &accepted, &mut missing));
    if run.shelf.is_none() {
        warn_of_room(run, todo, &missing);
    }
    let there = have.len() + missing.iter().filter(|m| m.kept.is_some()).count();
    run.tell(Event::DayListed { day: done.day.clone(), files: total, have: there as u64, bytes });
    for line in have {
        run.tell(Event::FileDone { day: done.day.clone(), key: line.key, path: Some(line.path), end: FileEnd::Have });
    }
    for line in &settled {
        let (key, path) = (line.key.clone(), Some(line.path.clone()));
        run.tell(Event::FileDone { day: done.day.clone(), key, path, end: FileEnd::Absent });
    }
    let id = &done.day;
    let flight = Flight { day: &day_work, claims: &claims, expected: &expected, accepted: &accepted, id, is_final };
    let Landed { absent: gone, given_up, failed: more, left } = flight.fetch(run, todo, missing).await;
    failed.extend(more);
    let judge = Judge { run, opened, todo, day: &day_work, expected: &expected, accepted: &accepted };
    let lacking = Lacking {
        without_file: without_file.len(),
        gone: gone.len(),
        has_files: day_work.has_any(keys.iter().map(String::as_str).filter(|key| !key.starts_with(MADE))),
        host_is_well: gone.iter().all(|gone| run.is_well(&gone.url)),
    };
    let mut absent: Vec<FileLine> = without_file;
    absent.extend(gone.into_iter().map(|gone| gone.line));
    for given_up in given_up {
        match judge.end(&given_up) {
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
    let may_come = is_final && !is_frozen && lacks_all && !is_final_without_files(opened, todo, listed_at);
    if is_through && may_come {
        day_work.note_young()?;
    }
    let is_final = is_final && !may_come;
    if is_through && is_final && !is_frozen && lacking.is_doubtful() && !seen_doubted_before(run, &day_work, listed_at)?
    {
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
        accepted.tell_idle(run, &day_work, &keys, !failed.is_empty());
    }
    if !failed.is_empty() {
        done.error = failed.values().find(|(_, f)| f.class == Class::HostGivenUp).map(|(_, f)| f.clone());
        return Ok(Went::Through);
    }
    if let Some(failure) = expected.objects_to(|| day_work.digest(&keys), &settled) {
        return Err(failure);
    }
    // Sealing needs the memory.
    drop((claims, expected));
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

/// Sorts a listing into what is there, what is to be fetched, and what can have no path.
fn sort(
    run: &Run,
    opened: &Opened,
    (work, claims): (&DayWork, &Mutex<Claims>),
    listed: Listed,
    look: Look<'_>,
) -> Result<(Vec<Missing>, Vec<FileLine>, Failures), Failure> {
    let mut claims = claims.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = Failures::new();
    let mut have = Vec::new();
    // As long as the listing: grown step by step it would hold twice as much.
    let mut missing = Vec::with_capacity(listed.files.len());
    let mut adopted = Vec::new();
    claims.list(listed.files.iter().filter(|file| file.body == Body::Remote).map(|file| &file.url));
    for file in listed.files {
        let Found { there, path, prior, is_sure, is_pinned } = match find(opened, work, &file, look) {
            Ok(found) => found,
            Err(failure) => {
                failed.insert(file.key, (None, failure));
                continue;
            }
        };
        let (sure, kept) = if is_sure { (prior, None) } else { (None, prior) };
        // Where only the answer will name the file, its path is a guess that keeps nobody else out.
        let is_known = there.is_some() || sure.is_some() || is_pinned || file.name.is_some();
        if let Some(path) = path.as_ref().filter(|_| is_known)
            && let Err(other) = claims.claim(path, &file.key)
        {
            let failure = collision(path, &file.key, &other);
            failed.insert(other, (Some(path.to_string()), failure.clone()));
            failed.insert(file.key, (Some(path.to_string()), failure));
            continue;
        }
        let here = there.as_ref().or(sure.map(|prior| &prior.line));
        if let Some(line) = here.filter(|line| !is_sealed(work, &line.key)) {
            run.redirects.remember(look.todo, &file.url, line);
        }
        if let Some(line) = there {
            have.push(line);
            continue;
        }
        adopted.extend(sure.map(|prior| as_listed(prior.line.clone(), &file)));
        let kept = kept.map(|prior| Box::new(prior.line.clone()));
        missing.push(Missing { file, path, kept });
    }
    adopted.retain(|line| !failed.contains_key(&line.key));
    let taken = work.adopt(adopted)?;
    have.extend(taken.iter().filter_map(|key| work.have(key)));
    have.retain(|line| !failed.contains_key(&line.key));
    missing.retain(|m| !taken.contains(&m.file.key) && !failed.contains_key(&m.file.key));
    Ok((missing, have, failed))
}

/// How a listing is looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    todo: &'a Todo,
    expected: &'a Expected,
    /// The day is sealed by it, if all goes well.
    is_final: bool,
}

/// What is here of a listed file.
struct Found<'a> {
    /// This go has it already.
    there: Option<FileLine>,
    /// Its path, as far as that is known.
    path: Option<archive::RelativePath>,
    /// An earlier look had it, and it is there.
    prior: Option<&'a Prior>,
    /// Nothing is asked about that one.
    is_sure: bool,
    /// The lock says where it is.
    is_pinned: bool,
}

fn find<'a>(
    opened: &Opened,
    work: &'a DayWork,
    file: &RemoteFile,
    Look { todo, expected, is_final }: Look<'_>,
) -> Result<Found<'a>, Failure> {
    let pinned = expected.path(&file.key);
    let is_due = |path: &str| pinned.as_ref().is_none_or(|pinned| pinned.as_str() == path);
    let made = file.made().map(|bytes| Digest::of(bytes));
    let is_made = |line: &FileLine| made.is_none() || line.sha256 == made;
    let is_as_listed = |line: &FileLine| file.may_have(line.bytes);
    let there = work.have(&file.key).filter(|line| {
        expected.allows(line) && is_due(&line.path) && is_made(line) && (line.absent.is_some() || is_as_listed(line))
    });
    let is_pinned = pinned.is_some();
    let path = match &there {
        Some(line) => archive::RelativePath::from_record(&line.path),
        None if is_pinned => pinned,
        None => known_path(opened, todo, file, work.prior(&file.key))?,
    };
    let prior = work.prior(&file.key).filter(|prior| {
        there.is_none()
            && path.as_ref().is_some_and(|path| prior.line.path == path.as_str())
            && is_as_listed(&prior.line)
            && expected.allows(&prior.line)
            && is_made(&prior.line)
            && work.is_there(&prior.line)
    });
    let is_fixed = opened.series.source.has_fixed_keys();
    let is_sure = prior.is_some_and(|prior| {
        // The last look at a day asks about each file, whatever the listing says.
        let is_same = !is_final && prior.standing == Standing::Young && file.is_version_of(&prior.line);
        let is_known = prior.standing == Standing::Final || is_fixed || is_same;
        !todo.how.afresh && (is_known || !condition::can_be_asked(&prior.line))
    });
    Ok(Found { there, path, prior, is_sure, is_pinned })
}

/// True for a file of the sealed record that stands.
pub(super) fn is_sealed(work: &DayWork, key: &str) -> bool {
    work.prior(key).is_some_and(|prior| prior.standing == Standing::Final)
}

/// True when nothing will be asked about a listed file, since it is here.
pub(super) fn has(opened: &Opened, work: &DayWork, file: &RemoteFile, (todo, expected): (&Todo, &Expected)) -> bool {
    let look = Look { todo, expected, is_final: true };
    find(opened, work, file, look).is_ok_and(|found| found.there.is_some() || found.is_sure)
}

/// The file's path, as far as it can be known without asking for the file.
fn known_path(
    opened: &Opened,
    todo: &Todo,
    file: &RemoteFile,
    prior: Option<&Prior>,
) -> Result<Option<archive::RelativePath>, Failure> {
    match (&file.name, prior) {
        // The same layout gave it.
        (None, Some(Prior { line, standing: Standing::Final | Standing::Young })) => {
            Ok(archive::RelativePath::from_record(&line.path))
        }
        (_, prior) => {
            let name = known_name(file, prior.map(|prior| &prior.line));
            name.map(|name| path_of(&opened.series, todo, file, &name)).transpose()
        }
    }
}

/// The file's name, as far as it can be known without asking for the file.
///
/// Where only the answer's header gives it, an earlier path of the same key tells it, if that ends in the URL's own
/// last part: a layout cannot have made that up.
fn known_name(file: &RemoteFile, prior: Option<&FileLine>) -> Option<String> {
    if file.name.is_some() {
        return file.name.clone();
    }
    let name = prior?.path.rsplit('/').next()?;
    let last = file.url.path_segments()?.next_back()?;
    let stem = |text: &str| text.rsplit_once('.').map_or(text, |(stem, _)| stem).to_owned();
    (name == last || stem(name) == last || name == stem(last)).then(|| name.to_owned())
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
    let values = Values {
        series: &series.id.0,
        date: todo.day.date,
        time: file.time,
        file: name,
        recnum: file.recnum,
        harpnum: file.harpnum,
        t_rec: file.t_rec,
        segment: file.segment.as_deref(),
        wavelength: file.wavelength,
    };
    match render(&series.layout, &values) {
        // What is of all records of a day has no value of any one of them; and no file of a record has no segment.
        Err(failure) if file.body != Body::Remote => render(&Template::default_of_kind(), &values).map_err(|_| failure),
        path => path,
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
