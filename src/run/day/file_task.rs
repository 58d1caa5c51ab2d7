//! The life of one file: fetched in as many attempts as allowed, then published.

use std::sync::{Arc, PoisonError};

use url::Url;

use super::context::DayContext;
use super::known_bad::GivenUp;
use super::known_files::is_sealed;
use super::path_collisions::collision;
use super::rename::place_one;
use super::{blocking, path_of};
use crate::archive::{FileLine, Published, RelativePath, Staged};
use crate::day::Scale;
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fetch::{self, Ask, Fetched, Got, resource};
use crate::manifest::SeriesId;
use crate::net::Waits;
use crate::run::budget::{Spent, Ticket};
use crate::run::event::{Event, FileEnd};
use crate::run::redirects;
use crate::run::redirects::{PlaceTaken, Reached};

use crate::source::{Body, RemoteFile, Replica};
use crate::untrusted::escape;

/// So often is a file of a final day asked for that may never have been, whatever the job's `retry`: a server may err once.
/// Of a young day the next look asks again.
const GUESSES: u32 = 2;

/// The task of one file.
pub(in crate::run) struct FileTask {
    pub(in crate::run) day: Arc<DayContext>,
    /// Its path, when the listing or an earlier look told it.
    pub(in crate::run) path: Option<RelativePath>,
    /// It is there from an earlier look, and asked for only in case that it changed.
    pub(in crate::run) kept: Option<Box<FileLine>>,
    /// What it may use of the budget, while it is asked for.
    pub(in crate::run) ticket: Option<Ticket>,
}

/// A file that upstream does not have.
pub(in crate::run) struct Gone {
    /// What a record says of it.
    pub(in crate::run) line: FileLine,
    /// Where it was asked for last.
    pub(in crate::run) url: Url,
}

/// What the attempts at a file have shown so far.
#[derive(Default)]
struct Shown {
    /// A part was thrown away.
    restarted: bool,
    /// Its path, once it is known.
    path: Option<String>,
    /// An answer began to bring it.
    was_there: bool,
}

/// How work at a file ended.
pub(in crate::run) enum FileEnded {
    /// It is in the archive.
    Done,
    /// Upstream does not have it.
    Absent(Box<Gone>),
    /// The run was stopped, or its budget spent, before the file had an end.
    Stopped,
    /// It is not on the shelf, and left for a run to fetch.
    Left,
    /// Given up after all attempts.
    GivenUp(Box<GivenUp>),
    /// Failed for what is known already.
    Failed {
        /// Its path, when known.
        path: Option<String>,
        /// Why.
        failure: Failure,
        /// Another key that fails with it.
        with: Option<String>,
    },
}

impl FileTask {
    /// Fetches and publishes the file, telling how it went.
    pub(in crate::run) async fn fetch(mut self, file: RemoteFile) -> FileEnded {
        // What the listing's answers made is on no shelf.
        if let Some(shelf) = self.day.run.shelf.clone().filter(|_| file.made().is_none()) {
            return self.take_from(shelf, &file).await;
        }
        let day = Arc::clone(&self.day);
        let (run, opened) = (&day.run, &day.opened);
        // What is made of the listing is asked of nobody.
        if file.made().is_none() {
            let size = file.bytes.or(self.kept.as_ref().and_then(|line| line.bytes));
            self.ticket = tokio::select! {
                ticket = run.budget.ticket(size) => match ticket {
                    Ok(ticket) => Some(ticket),
                    Err(spent) => return self.refused(spent),
                },
                () = run.halt.cancelled() => return FileEnded::Stopped,
            };
        }
        let mut waits = Waits::new(self.day.run.manifest.retry);
        let mut attempts = 0;
        let mut shown = Shown { path: self.path.as_ref().map(ToString::to_string), ..Shown::default() };
        loop {
            attempts += 1;
            let replica = opened.source.current();
            let attempt = tokio::select! {
                attempt = self.attempt(replica, &file, attempts, &mut shown) => attempt,
                // It may be dropped at any point; publishing may not.
                () = self.day.run.halt.cancelled() => return FileEnded::Stopped,
            };
            let failure = match attempt {
                Ok(Got::File(fetched)) => {
                    return self.publish(&file, *fetched, shown.restarted, server(replica, &file)).await;
                }
                Ok(Got::Unchanged) => match self.keep(&file).await {
                    Some(ended) => return ended,
                    // Gone meanwhile: it is fetched after all.
                    None => continue,
                },
                Err(failure) => failure.after(attempts),
            };
            let path = shown.path.clone();
            let failure = if shown.was_there { after_it_was_there(failure) } else { failure };
            let is_guessed = opened.series.source.is_guessed();
            // The second look at a day asks once more anyway.
            let guesses = if self.day.is_final && self.day.store.doubted_at().is_none() { GUESSES } else { 1 };
            let is_answered = failure.class == Class::NotFound && is_guessed && !shown.was_there && attempts >= guesses;
            let is_hopeless = is_answered || self.is_hopeless(&file, path.as_deref(), failure.class);
            if let Some(wait) = waits.after(&failure).filter(|_| !is_hopeless) {
                if let Some(spent) = run.budget.too_late(wait) {
                    return self.refused(spent);
                }
                self.day.run.tell(Event::Retrying {
                    day: self.day.id.clone(),
                    key: Some(file.key.clone()),
                    failure,
                    wait_seconds: wait.as_secs_f64(),
                });
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.day.run.halt.cancelled() => return FileEnded::Stopped,
                }
                replica.client().note_retry();
                continue;
            }
            if failure.class == Class::LockMismatch {
                return FileEnded::Failed { path, failure, with: None };
            }
            if opened.source.leave(replica, &failure) {
                (waits, attempts) = (Waits::new(self.day.run.manifest.retry), 0);
                continue;
            }
            if failure.class == Class::NotFound
                && let Some(line) = &self.kept
            {
                // Listed, and not to be had: nothing says that what is here is wrong.
                tracing::warn!(key = %escape(&line.key), %failure, "the file of before is kept");
                if let Some(ended) = self.keep(&file).await {
                    return ended;
                }
            }
            // A file that an earlier record had does not become absent by a 404 of today.
            // Nor does one whose address may not be the one of tomorrow: it may have been moved meanwhile.
            // Nor one that is listed on a young day. One that is only guessed may not be there yet: the next look asks again.
            let is_told = (self.day.is_final || is_guessed) && opened.series.source.has_lasting_addresses();
            let is_accepted = self.day.known_bad.means(&self.paths(&file, path.as_deref()));
            // Nor one that a server began to send: by that, its 404 is wrong.
            let is_new = self.day.store.prior(&file.key).is_none() && !shown.was_there;
            let gone = failure.class == Class::NotFound && is_told && is_new && !is_accepted;
            if gone && let Some(failure) = self.day.lock_view.misses(&file.key, &failure) {
                return FileEnded::Failed { path, failure, with: None };
            }
            if gone && let Some(line) = self.absent_line(&file, &failure) {
                let url = opened.source.on(replica, &file).url.clone();
                return FileEnded::Absent(Box::new(Gone { line, url }));
            }
            return self.given_up(file, path, failure).await;
        }
    }

    /// Leaves the file to another run, since the budget is spent.
    fn refused(&self, spent: Spent) -> FileEnded {
        self.day.run.refuse(spent);
        FileEnded::Stopped
    }

    /// Keeps the file of before. `None` when it is not there any more.
    pub(in crate::run) async fn keep(&mut self, file: &RemoteFile) -> Option<FileEnded> {
        let line = as_listed(*self.kept.take()?, file);
        // Where only the answer names a file, one that is here has its name by its earlier path.
        let path = self.path.clone().or_else(|| RelativePath::from_record(&line.path))?;
        if let Some(crossed) = self.claim(&path, &line.key) {
            return Some(crossed);
        }
        let kept = if line.path == path.as_str() && self.day.store.is_there(&line) {
            self.day.store.adopt(vec![line.clone()]).map_err(Into::into).map(|_| Some(FileEnd::Have))
        } else {
            place_one(&self.day.store, line.clone(), &path).await
        };
        let end = match kept {
            Ok(end) => end?,
            Err(failure) => return Some(FileEnded::Failed { path: Some(path.to_string()), failure, with: None }),
        };
        if !is_sealed(&self.day.store, &line.key) {
            self.day.run.redirects.remember(&self.day.todo, &file.url, &line);
        }
        let path = Some(path.to_string());
        self.day.run.tell(Event::FileDone { day: self.day.id.clone(), key: line.key, path, end });
        Some(FileEnded::Done)
    }

    /// Claims a path for a key; the end of both when another one has it.
    fn claim(&self, path: &RelativePath, key: &str) -> Option<FileEnded> {
        let claimed = self.day.claims.lock().unwrap_or_else(PoisonError::into_inner).claim(path, key);
        let other = claimed.err()?;
        Some(FileEnded::Failed {
            path: Some(path.to_string()),
            failure: collision(path, key, &other),
            with: Some(other),
        })
    }

    /// Claims the place that redirects led to; the end of the file when that is another one's.
    async fn claim_place(&self, file: &RemoteFile, path: &RelativePath, to: &Url, sha256: Digest) -> Option<FileEnded> {
        if self.day.lock_view.has(&file.key, sha256) || redirects::names_its_bytes(to, sha256) {
            return None;
        }
        self.day.run.redirects.look_around(&self.day.run.archive, &self.day.opened, &self.day.id).await;
        let listed = self.day.claims.lock().unwrap_or_else(PoisonError::into_inner).object_to(&file.url, to);
        let taken = listed.map(|failure| PlaceTaken { failure, with: None }).or_else(|| {
            let (todo, key, listed) = (self.day.todo.clone(), file.key.clone(), file.url.clone());
            self.day
                .run
                .redirects
                .reach(Reached { todo, key, listed, to: Some(to.clone()), was_here: false }, to, sha256)
                .err()
        });
        let PlaceTaken { failure, with } = taken?;
        Some(FileEnded::Failed { path: Some(path.to_string()), failure, with })
    }

    /// One attempt, which adds to what was shown before.
    async fn attempt(&self, replica: &Replica, file: &RemoteFile, nth: u32, shown: &mut Shown) -> Result<Got, Failure> {
        let file = &*self.day.opened.source.on(replica, file);
        if let Body::Offline(why) = &file.body {
            return Err(Failure::new(Class::SourceRefused, why.clone()));
        }
        let part = self.day.store.part(&file.key)?;
        let copy = file.cards.is_some().then(|| self.day.store.part(&format!("{} copy", file.key))).transpose()?;
        let received = |bytes| {
            if let Some(ticket) = &self.ticket {
                ticket.received(bytes);
            }
            self.day.run.tell(Event::Received { day: self.day.id.clone(), bytes });
        };
        let locked = self.day.lock_view.body(file);
        let ask = Ask {
            client: replica.client(),
            file,
            part: &part,
            copy: copy.as_ref(),
            kept: self.kept.as_deref(),
            locked: locked.as_ref(),
            verify: self.day.run.manifest.verify,
            identity: self.day.run.manifest.identity,
            // In between, a service that is only overloaded has time to recover.
            may_restart: nth == 1 || nth >= self.day.run.manifest.retry.attempts,
            received: &received,
        };
        let failed = match fetch::attempt(&ask).await {
            Ok(got) => {
                shown.restarted |= matches!(&got, Got::File(fetched) if fetched.restarted);
                replica.client().note_answer(&file.url, Ok(()));
                if file.made().is_none() {
                    self.day.run.note_well(&file.url);
                }
                return Ok(got);
            }
            // A body that failed its checks may begin with what its server was sent.
            Err(failed) => fetch::Failed { failure: replica.client().veiled(failed.failure), ..failed },
        };
        replica.client().note_answer(&file.url, Err(&failed.failure));
        shown.restarted |= failed.restarted;
        shown.was_there |= failed.was_there;
        if let (None, Some(name)) = (&file.name, &failed.name) {
            shown.path = self.path_by(file, name).ok().map(|path| path.to_string());
        }
        let failure = if failed.failure.class == Class::LockMismatch {
            shown.path = self.day.lock_view.path(&file.key).map(|path| path.to_string()).or(shown.path.take());
            not_as_locked(shown.path.as_deref().unwrap_or(&file.key), failed.failure)
        } else {
            failed.failure
        };
        if let Some(body) = failed.body {
            self.set_aside(body, file, &failure).await?;
        }
        Err(failure)
    }

    /// Puts a body that may not have its name into quarantine.
    async fn set_aside(&self, body: Staged, file: &RemoteFile, why: &Failure) -> Result<(), Failure> {
        let class = why.class;
        let (day, key, url, why) = (Arc::clone(&self.day.store), file.key.clone(), file.path.clone(), why.clone());
        blocking(move || day.quarantine(body, &key, &url, &why)).await?;
        self.day.run.tell(Event::Quarantined { day: self.day.id.clone(), key: file.key.clone(), class });
        Ok(())
    }

    pub(in crate::run) async fn publish(
        mut self,
        file: &RemoteFile,
        fetched: Fetched,
        restarted: bool,
        from: Option<Arc<str>>,
    ) -> FileEnded {
        let given_up = |path: Option<String>, failure: Failure| FileEnded::Failed { path, failure, with: None };
        // What an earlier look told is only a guess where the answer names the file.
        let told = self.path.clone().filter(|_| file.name.is_some() || self.day.run.shelf.is_some());
        let path =
            match self.day.lock_view.path(&file.key).or(told).map_or_else(|| self.path_by_answer(file, &fetched), Ok) {
                Ok(path) => path,
                Err(failure) => return given_up(None, failure),
            };
        if let Some(crossed) = self.claim(&path, &file.key) {
            return crossed;
        }
        if let Some(to) = &fetched.redirected
            && let Some(crossed) = self.claim_place(file, &path, to, fetched.body.sha256).await
        {
            return crossed;
        }
        let line = self.line(file, &path, &fetched);
        let restamped = self.day.lock_view.is_restamped(&line);
        let (bytes, resumed_bytes) = (fetched.body.bytes, fetched.resumed_bytes);
        let (day, at) = (Arc::clone(&self.day.store), path.clone());
        let publish = move || day.publish(fetched.staged, &at, line);
        // FileTask this small is done before another thread is awake.
        let is_quick = bytes <= fetch::SMALL && !self.day.store.may_wait();
        let published = if is_quick { publish().map_err(Into::into) } else { blocking(publish).await };
        let end = match published {
            Ok(Published::Kept) => FileEnd::Kept { bytes },
            Ok(_) if self.day.run.shelf.is_some() => FileEnd::Adopted { bytes },
            Ok(how) => {
                let replaced = how == Published::Replaced;
                FileEnd::Fetched { bytes, resumed_bytes, restarted, replaced, restamped, from }
            }
            Err(failure) => return given_up(Some(path.to_string()), failure),
        };
        if let Some(ticket) = &mut self.ticket {
            ticket.fetched();
        }
        self.day.run.tell(Event::FileDone {
            day: self.day.id.clone(),
            key: file.key.clone(),
            path: Some(path.to_string()),
            end,
        });
        FileEnded::Done
    }

    fn path_by_answer(&self, file: &RemoteFile, fetched: &Fetched) -> Result<RelativePath, Failure> {
        let name = fetch::name_of(file, fetched.validators.name.as_deref());
        self.path_by(file, &name)
    }

    pub(in crate::run) fn path_by(&self, file: &RemoteFile, name: &str) -> Result<RelativePath, Failure> {
        path_of(&self.day.opened.series, &self.day.todo, file, name)
    }

    /// Where redirects led to, unless that place can hold no other file.
    fn place_of(fetched: &Fetched) -> Option<Digest> {
        let to = fetched.redirected.as_ref()?;
        (!redirects::names_its_bytes(to, fetched.body.sha256)).then(|| resource::without_query(to))
    }

    pub(in crate::run) fn line(&self, file: &RemoteFile, path: &RelativePath, fetched: &Fetched) -> FileLine {
        FileLine {
            bytes: Some(fetched.body.bytes),
            sha256: Some(fetched.body.sha256),
            origin: fetched.origin,
            checked: Some(fetched.body.checked.to_owned()),
            header: fetched.body.digests.as_ref().map(|digests| digests.header),
            data: fetched.body.digests.as_ref().map(|digests| digests.data.clone()),
            etag: fetched.validators.etag.clone(),
            last_modified: fetched.validators.last_modified.clone(),
            redirected: Self::place_of(fetched),
            ..self.bare_line(file, path)
        }
    }

    fn absent_line(&self, file: &RemoteFile, failure: &Failure) -> Option<FileLine> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => self.path_by(file, &fetch::name_of(file, None)).ok()?,
        };
        let why = failure.status.map_or_else(|| "404".to_owned(), |status| status.to_string());
        Some(FileLine { absent: Some(why), ..self.bare_line(file, &path) })
    }

    /// What a record says of a file whatever became of it.
    pub(in crate::run) fn bare_line(&self, file: &RemoteFile, path: &RelativePath) -> FileLine {
        line_of(&self.day.id.series, self.day.opened.series.source.scale(), file, path)
    }
}

/// The same failure. A 404 of a file that was there a moment ago is more likely a fault of the server.
fn after_it_was_there(failure: Failure) -> Failure {
    if failure.class != Class::NotFound {
        return failure;
    }
    let message = format!("{}, but it has sent a part of it before; run again later", failure.message);
    Failure { message, ..failure }
}

/// A file that came, and not as the lock has it.
fn not_as_locked(path: &str, failure: Failure) -> Failure {
    let (path, why) = (escape(path), failure.message);
    let message = format!("`{path}` came as {why}; `sunhaul update` moves the lock if upstream is right");
    Failure { message, ..failure }
}

/// Who served a file; none for one that was made of a listing.
fn server(replica: &Replica, file: &RemoteFile) -> Option<Arc<str>> {
    file.made().is_none().then(|| Arc::clone(replica.name()))
}

/// The line of a file that is here, with what the listing says of it now.
pub(in crate::run) fn as_listed(line: FileLine, file: &RemoteFile) -> FileLine {
    let source_series = file.source_series.as_deref().map(str::to_owned);
    FileLine { source_series, listed: file.listed.clone(), ..line }
}

/// What a record says of a file whatever became of it.
pub(in crate::run) fn line_of(series: &SeriesId, scale: Scale, file: &RemoteFile, path: &RelativePath) -> FileLine {
    FileLine {
        series: series.0.clone(),
        preexisting: false,
        path: path.to_string(),
        bytes: None,
        sha256: None,
        origin: None,
        time: scale.label(file.time),
        instant: file.instant.map(|instant| scale.label(instant)),
        key: file.key.clone(),
        url: file.path.clone(),
        source_series: file.source_series.as_deref().map(str::to_owned),
        recnum: file.recnum,
        harpnum: file.harpnum,
        segment: file.segment.clone(),
        checked: None,
        absent: None,
        reason: None,
        header: None,
        data: None,
        listed: file.listed.clone(),
        etag: None,
        last_modified: None,
        redirected: None,
    }
}
