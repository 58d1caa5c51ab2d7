//! The life of one file: fetched in as many attempts as allowed, then published.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::context::DayContext;
use super::file_paths::FilePaths;
use super::next_step::{FailedFile, NextStep};
use crate::archive::{self, FileLine, RelativePath, Staged};
use crate::day::Scale;
use crate::failure::{Class, Failure};
use crate::fetch::{self, Ask, FetchOutcome};
use crate::manifest::{Retry, SeriesId};
use crate::net::Waits;
use crate::run::blocking::blocking;
use crate::run::budget::{Spent, Ticket};
use crate::run::event::Event;
use crate::source::{Body, RemoteFile, Replica};
use crate::untrusted::escape;

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

/// A file that was given up after all its attempts. What becomes of it depends on how the others of its host fared.
pub(in crate::run) struct GivenUp {
    pub(in crate::run) file: RemoteFile,
    /// Its path, when known.
    pub(in crate::run) path: Option<String>,
    /// Where it is or would be.
    pub(in crate::run) paths: FilePaths,
    /// Why.
    pub(in crate::run) failure: Failure,
}

/// The attempts at a file so far.
struct Attempts {
    /// Those at the replica of now.
    count: u32,
    waits: Waits,
    /// A part was thrown away.
    restarted: bool,
    /// Its path, once it is known.
    path: Option<String>,
    /// A response began to bring it.
    was_there: bool,
}

impl Attempts {
    fn new(retry: Retry, path: Option<&RelativePath>) -> Attempts {
        let path = path.map(ToString::to_string);
        Attempts { count: 0, waits: Waits::new(retry), restarted: false, path, was_there: false }
    }

    /// Takes over what a failed attempt has shown, and gives how it failed.
    fn note(&mut self, failed: FailedAttempt) -> Failure {
        self.restarted |= failed.restarted;
        self.was_there |= failed.was_there;
        if failed.path.is_some() {
            self.path = failed.path;
        }
        let failure = failed.failure.after(self.count);
        if self.was_there { after_it_was_there(failure) } else { failure }
    }

    /// Begins at another replica.
    fn start_over(&mut self, retry: Retry) {
        (self.count, self.waits) = (0, Waits::new(retry));
    }
}

/// An attempt that failed, and what it showed.
struct FailedAttempt {
    failure: Failure,
    /// A part was thrown away.
    restarted: bool,
    /// A response began to bring the file.
    was_there: bool,
    /// The file's path, where it was found out.
    path: Option<String>,
}

impl From<Failure> for FailedAttempt {
    fn from(failure: Failure) -> FailedAttempt {
        FailedAttempt { failure, restarted: false, was_there: false, path: None }
    }
}

impl From<archive::Error> for FailedAttempt {
    fn from(error: archive::Error) -> FailedAttempt {
        Failure::from(error).into()
    }
}

/// How work at a file ended.
pub(in crate::run) enum FileEnded {
    /// It is in the archive.
    Done,
    /// Upstream does not have it.
    Absent(Box<Gone>),
    /// The run was stopped, or its budget spent, before the file had an end.
    Stopped,
    /// It is not in the imported folder, and left for a run to fetch.
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
    /// Fetches and publishes the file, and reports how it went.
    pub(in crate::run) async fn fetch(mut self, file: RemoteFile) -> FileEnded {
        // What the listing's responses made is in no local folder, and costs no request.
        if file.made().is_none() {
            if let Some(import_folder) = self.day.run.import_folder.clone() {
                return self.take_from(import_folder, &file).await;
            }
            if let Some(ended) = self.reserve(&file).await {
                return ended;
            }
        }
        let day = Arc::clone(&self.day);
        let retry = day.run.manifest.retry;
        let mut attempts = Attempts::new(retry, self.path.as_ref());
        loop {
            attempts.count += 1;
            let replica = day.opened.source.current();
            let attempt = tokio::select! {
                attempt = self.attempt(replica, &file, &attempts) => attempt,
                // It may be dropped at any point; publishing may not.
                () = day.run.halt.cancelled() => return FileEnded::Stopped,
            };
            let failure = match attempt {
                Ok(FetchOutcome::File(fetched)) => {
                    let restarted = attempts.restarted || fetched.restarted;
                    return self.publish(&file, *fetched, restarted, server(replica, &file)).await;
                }
                Ok(FetchOutcome::Unchanged) => match self.keep(&file).await {
                    Some(ended) => return ended,
                    // Gone meanwhile: it is fetched after all.
                    None => continue,
                },
                Err(failed) => attempts.note(failed),
            };
            let wait = attempts.waits.after(&failure);
            let mut failed = self.failed_file(&file, &failure, &attempts);
            failed.may_retry = wait.is_some();
            failed.may_fail_over = day.opened.source.may_leave(replica, &failure);
            if failed.next_step() == NextStep::KeepEarlier {
                if let Some(ended) = self.keep_after(&file, &failure).await {
                    return ended;
                }
                failed.has_earlier = false;
            }
            match failed.next_step() {
                NextStep::Retry => {
                    if let Some(ended) = self.wait(&file, failure, wait.unwrap_or_default()).await {
                        return ended;
                    }
                    replica.client().note_retry();
                }
                NextStep::FailOver => {
                    day.opened.source.leave(replica, &failure);
                    attempts.start_over(retry);
                }
                NextStep::Fail => return FileEnded::Failed { path: attempts.path, failure, with: None },
                NextStep::Absent => return self.absent(replica, file, attempts.path, failure).await,
                NextStep::KeepEarlier | NextStep::GiveUp => return self.given_up(file, attempts.path, failure).await,
            }
        }
    }

    /// Reserves the file's share of the budget; the end of the file when there is none left.
    async fn reserve(&mut self, file: &RemoteFile) -> Option<FileEnded> {
        let run = Arc::clone(&self.day.run);
        let size = file.bytes.or(self.kept.as_ref().and_then(|line| line.bytes));
        tokio::select! {
            ticket = run.budget.ticket(size) => match ticket {
                Ok(ticket) => {
                    self.ticket = Some(ticket);
                    None
                }
                Err(spent) => Some(self.refused(spent)),
            },
            () = run.halt.cancelled() => Some(FileEnded::Stopped),
        }
    }

    /// What is known of the file after a failed attempt, but for what may be tried next.
    fn failed_file(&self, file: &RemoteFile, failure: &Failure, attempts: &Attempts) -> FailedFile {
        let DayContext { opened, store, known_bad, is_final, .. } = &*self.day;
        let path = attempts.path.as_deref();
        FailedFile {
            class: failure.class,
            attempts: attempts.count,
            may_retry: false,
            may_fail_over: false,
            is_guessed: opened.series.source.is_guessed(),
            has_lasting_address: opened.series.source.has_lasting_addresses(),
            was_there: attempts.was_there,
            has_earlier: self.kept.is_some(),
            had_before: store.prior(&file.key).is_some(),
            is_accepted: known_bad.means(&self.paths(file, path)),
            is_hopeless: self.is_hopeless(file, path, failure.class),
            is_final: *is_final,
            is_second_look: store.doubted_at().is_some(),
        }
    }

    /// Waits for the next attempt; the end of the file when that would come too late.
    async fn wait(&self, file: &RemoteFile, failure: Failure, wait: Duration) -> Option<FileEnded> {
        let DayContext { run, id, .. } = &*self.day;
        if let Some(spent) = run.budget.too_late(wait) {
            return Some(self.refused(spent));
        }
        let (day, key) = (id.clone(), Some(file.key.clone()));
        run.emit(Event::Retrying { day, key, failure, wait_seconds: wait.as_secs_f64() });
        tokio::select! {
            () = tokio::time::sleep(wait) => None,
            () = run.halt.cancelled() => Some(FileEnded::Stopped),
        }
    }

    /// Keeps the file of an earlier look though it is not to be had today. `None` when it is not there any more.
    async fn keep_after(&mut self, file: &RemoteFile, failure: &Failure) -> Option<FileEnded> {
        tracing::warn!(key = %escape(&file.key), %failure, "the file of an earlier run is kept");
        self.keep(file).await
    }

    /// The end of a file that the source does not have.
    async fn absent(
        &mut self,
        replica: &Replica,
        file: RemoteFile,
        path: Option<String>,
        failure: Failure,
    ) -> FileEnded {
        if let Some(failure) = self.day.lock_view.misses(&file.key, &failure) {
            return FileEnded::Failed { path, failure, with: None };
        }
        match self.absent_line(&file, &failure) {
            Some(line) => {
                let url = self.day.opened.source.on(replica, &file).url.clone();
                FileEnded::Absent(Box::new(Gone { line, url }))
            }
            None => self.given_up(file, path, failure).await,
        }
    }

    /// Leaves the file to another run, since the budget is spent.
    fn refused(&self, spent: Spent) -> FileEnded {
        self.day.run.refuse(spent);
        FileEnded::Stopped
    }

    /// One attempt at a replica.
    async fn attempt(
        &self,
        replica: &Replica,
        file: &RemoteFile,
        so_far: &Attempts,
    ) -> Result<FetchOutcome, FailedAttempt> {
        let DayContext { run, opened, store, lock_view, id, .. } = &*self.day;
        let file = &*opened.source.on(replica, file);
        if let Body::Offline(why) | Body::NotMade(why) = &file.body {
            // Listed as before, it is the file that is here: it cannot be asked whether it changed, nor did it need to.
            if self.kept.is_some() {
                return Ok(FetchOutcome::Unchanged);
            }
            return Err(Failure::new(Class::SourceRefused, why.clone()).into());
        }
        let part = store.part(&file.key)?;
        let copy = file.cards.is_some().then(|| store.part(&format!("{} copy", file.key))).transpose()?;
        let received = |bytes| {
            if let Some(ticket) = &self.ticket {
                ticket.received(bytes);
            }
            run.emit(Event::Received { day: id.clone(), bytes });
        };
        let locked = lock_view.body(file);
        let ask = Ask {
            client: replica.client(),
            file,
            part: &part,
            copy: copy.as_ref(),
            kept: self.kept.as_deref(),
            locked: locked.as_ref(),
            verify: run.manifest.verify,
            identity: run.manifest.identity,
            // In between, a service that is only overloaded has time to recover.
            may_restart: so_far.count == 1 || so_far.count >= run.manifest.retry.attempts,
            received: &received,
        };
        let failed = match fetch::attempt(&ask).await {
            Ok(got) => {
                replica.client().note_answer(&file.url, Ok(()));
                if file.made().is_none() {
                    run.note_well(&file.url);
                }
                return Ok(got);
            }
            // A body that failed its checks may begin with what its server was sent.
            Err(failed) => fetch::FailedFetch { failure: replica.client().veiled(failed.failure), ..failed },
        };
        replica.client().note_answer(&file.url, Err(&failed.failure));
        Err(self.failed_attempt(file, failed, so_far).await)
    }

    /// What a failed attempt has shown. A body that came goes to quarantine.
    async fn failed_attempt(&self, file: &RemoteFile, failed: fetch::FailedFetch, so_far: &Attempts) -> FailedAttempt {
        let fetch::FailedFetch { mut failure, body, name, restarted, was_there, .. } = failed;
        let name = name.filter(|_| file.name.is_none());
        let mut path = name.and_then(|name| self.path_by(file, &name).ok()).map(|path| path.to_string());
        if failure.class == Class::LockMismatch {
            let locked = self.day.lock_view.path(&file.key).map(|path| path.to_string());
            path = locked.or(path).or_else(|| so_far.path.clone());
            failure = not_as_locked(path.as_deref().unwrap_or(&file.key), failure);
        }
        if let Some(body) = body
            && let Err(error) = self.set_aside(body, file, &failure).await
        {
            failure = error;
        }
        FailedAttempt { failure, restarted, was_there, path }
    }

    /// Puts a body that may not have its name into quarantine.
    async fn set_aside(&self, body: Staged, file: &RemoteFile, why: &Failure) -> Result<(), Failure> {
        let class = why.class;
        let (day, key, url, why) = (Arc::clone(&self.day.store), file.key.clone(), file.path.clone(), why.clone());
        blocking(move || day.quarantine(body, &key, &url, &why)).await?;
        self.day.run.emit(Event::Quarantined { day: self.day.id.clone(), key: file.key.clone(), class });
        Ok(())
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
pub(in crate::run) fn as_listed(line: FileLine, file: &RemoteFile, scale: Scale) -> FileLine {
    let source_series = file.source_series.as_deref().map(str::to_owned);
    // What is made of an answer has the question that this one was given to.
    let url = if file.made().is_some() { file.path.clone() } else { line.url };
    let instant = file.instant.map(|instant| scale.label(instant)).or(line.instant);
    FileLine { source_series, listed: file.listed.clone(), url, time: scale.label(file.time), instant, ..line }
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
        cards: None,
        time: scale.label(file.time),
        instant: file.instant.map(|instant| scale.label(instant)),
        key: file.key.clone(),
        url: file.path.clone(),
        storage: file.storage.clone(),
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
