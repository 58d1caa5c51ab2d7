//! What becomes of a file that was given up after all its attempts: it is missing, or absent as the job accepts.

use super::context::DayContext;
use super::corrupt_backoff::{self, CorruptFile};
use super::file_paths::{FilePaths, absent_line};
use super::file_task::{FileEnded, FileTask, GivenUp, line_of};
use super::known_bad::{FailureProof, is_about_the_file, proof};
use crate::archive::{AbsentReason, FileLine, RelativePath};
use crate::failure::{Class, Failure, Remedy};
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

impl DayContext {
    /// The line of a file that is absent, as the job accepts.
    ///
    /// # Errors
    /// Why it is missing all the same: it is not accepted, it may be the host that fails, or the lock has it.
    pub(in crate::run) fn absent_as_accepted(&self, given_up: &GivenUp) -> Result<FileLine, Failure> {
        let GivenUp { file, path, paths, failure } = given_up;
        // What the listing says of a file is no failure of the host that would have it.
        let is_listed_so = matches!(file.body, Body::Offline(_) | Body::NotMade(_));
        let host_is_well = is_listed_so || self.run.is_well(&self.opened.on_current(file).url);
        let noted = |failure: Failure, is_accepted: bool| {
            let failed = CorruptFile { file, path: path.as_deref(), failure, host_is_well, is_accepted };
            corrupt_backoff::note(&self.run, &self.store, failed).unwrap_or_else(Failure::from)
        };
        let Some(reason) = self.known_bad.reason(paths) else {
            let hint = self.known_bad.hint_for(paths).filter(|_| is_about_the_file(failure.class));
            let message = hint.map_or_else(|| failure.message.clone(), |hint| format!("{}; {hint}", failure.message));
            return Err(noted(Failure { message, ..failure.clone() }, false));
        };
        let was_accepted = absent_line(&self.store, &file.key).is_some_and(|line| line.reason.is_some());
        let today = (self.run.now)().date_naive();
        // What was shown before need not be shown again.
        let proof = match proof(failure.class, host_is_well, self.store.spoilt(&file.key), today) {
            FailureProof::Alone | FailureProof::Once if was_accepted => FailureProof::Bad,
            proof => proof,
        };
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
        paths: &FilePaths,
        reason: &str,
        failure: &Failure,
    ) -> Result<FileLine, Failure> {
        if let Some(failure) = self.lock_view.misses(&file.key, failure) {
            return Err(failure);
        }
        let path = paths.now.first().and_then(|path| RelativePath::from_record(path)).ok_or_else(|| failure.clone())?;
        tracing::info!(key = %escape(&file.key), class = %failure.class, %failure, "absent, as the job accepts");
        let line = line_of(&self.todo.series, self.opened.series.source.scale(), file, &path);
        Ok(FileLine { absent: Some(AbsentReason::Accepted), reason: Some(reason.to_owned()), ..line })
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

    /// Where the file is or would be.
    pub(in crate::run) fn paths(&self, file: &RemoteFile, named: Option<&str>) -> FilePaths {
        let DayContext { opened, todo, store, .. } = &*self.day;
        FilePaths::of(opened, todo, store, file, named.map(str::to_owned))
    }
}
