//! How a file gets its path in the archive: as it came, or as an earlier look has it.

use std::sync::Arc;

use url::Url;

use super::file_task::{FileEnded, FileTask, as_listed, line_of};
use super::known_files::is_sealed;
use super::path_collisions::collision;
use super::path_of;
use super::rename::place_one;
use crate::archive::{AbsentReason, FileLine, Published, RelativePath};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::fetch::{self, Fetched, resource};
use crate::run::blocking::{blocking, on_day};
use crate::run::event::{Event, FileEnd};
use crate::run::redirects::{self, PlaceTaken, Reached};
use crate::source::{HeaderCards, RemoteFile};

impl FileTask {
    /// Keeps the file of before. `None` when it is not there any more.
    pub(in crate::run) async fn keep(&mut self, file: &RemoteFile) -> Option<FileEnded> {
        let line = as_listed(*self.kept.take()?, file, self.day.opened.series.source.scale());
        // Where only the answer names a file, one that is here has its name by its earlier path.
        let path = self.path.clone().or_else(|| RelativePath::from_record(&line.path))?;
        if let Some(crossed) = self.claim(&path, &line.key) {
            return Some(crossed);
        }
        let end = match self.keep_or_place(&line, &path).await {
            Ok(end) => end?,
            Err(failure) => return Some(FileEnded::Failed { path: Some(path.to_string()), failure, with: None }),
        };
        if !is_sealed(&self.day.store, &line.key) {
            self.day.run.redirects.remember(&self.day.todo, &file.url, &line);
        }
        let path = Some(path.to_string());
        self.day.run.emit(Event::FileDone { day: self.day.id.clone(), key: line.key, path, end });
        Some(FileEnded::Done)
    }

    /// Takes over a file that lies at its path, or gives it the path. `None` when it is not there any more.
    async fn keep_or_place(&self, line: &FileLine, path: &RelativePath) -> Result<Option<FileEnd>, Failure> {
        if line.path == path.as_str() {
            let lines = vec![line.clone()];
            let taken = on_day(&self.day.store, |store| store.adopt(lines)).await?;
            if !taken.is_empty() {
                return Ok(Some(FileEnd::Have));
            }
        }
        place_one(&self.day.store, line.clone(), path).await
    }

    /// Claims a path for a key; the end of both when another one has it.
    fn claim(&self, path: &RelativePath, key: &str) -> Option<FileEnded> {
        let claimed = self.day.lock_claims().claim(path, key);
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
        let listed = self.day.lock_claims().object_to(&file.url, to);
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

    pub(in crate::run) async fn publish(
        mut self,
        file: &RemoteFile,
        fetched: Fetched,
        restarted: bool,
        from: Option<Arc<str>>,
    ) -> FileEnded {
        let given_up = |path: Option<String>, failure: Failure| FileEnded::Failed { path, failure, with: None };
        // What an earlier look told is only a guess where the answer names the file.
        let told = self.path.clone().filter(|_| file.name.is_some() || self.day.run.import_folder.is_some());
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
        // A file this small is written before another thread wakes up.
        let is_quick = bytes <= fetch::SMALL && !self.day.store.may_wait();
        let published = if is_quick { publish().map_err(Into::into) } else { blocking(publish).await };
        let end = match published {
            Ok(Published::Kept) => FileEnd::Kept { bytes },
            Ok(_) if self.day.run.import_folder.is_some() => FileEnd::Adopted { bytes },
            Ok(how) => {
                let replaced = how == Published::Replaced;
                FileEnd::Fetched { bytes, resumed_bytes, restarted, replaced, restamped, from }
            }
            Err(failure) => return given_up(Some(path.to_string()), failure),
        };
        if let Some(ticket) = &mut self.ticket {
            ticket.fetched();
        }
        self.day.run.emit(Event::FileDone {
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
            cards: fetched.origin.and(file.cards.as_ref()).map(HeaderCards::digest),
            checked: Some(fetched.body.checked),
            header: fetched.body.digests.as_ref().map(|digests| digests.header),
            data: fetched.body.digests.as_ref().map(|digests| digests.data.clone()),
            etag: fetched.validators.etag.clone(),
            last_modified: fetched.validators.last_modified.clone(),
            redirected: Self::place_of(fetched),
            ..self.bare_line(file, path)
        }
    }

    pub(super) fn absent_line(&self, file: &RemoteFile, failure: &Failure) -> Option<FileLine> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => self.path_by(file, &fetch::name_of(file, None)).ok()?,
        };
        let absent = Some(AbsentReason::Status(failure.status.unwrap_or(404)));
        Some(FileLine { absent, ..self.bare_line(file, &path) })
    }

    /// What a record says of a file whatever became of it.
    pub(in crate::run) fn bare_line(&self, file: &RemoteFile, path: &RelativePath) -> FileLine {
        line_of(&self.day.id.series, self.day.opened.series.source.scale(), file, path)
    }
}
