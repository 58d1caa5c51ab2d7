//! The first stage of a day: its lock in the archive, what is there already, and what the job's lock says of it.

use std::sync::Arc;

use super::lock_view::LockView;
use super::{DayProcess, Early};
use crate::archive::{self, DayRecord, DayWork, RecordState, Trust};
use crate::failure::{Class, Failure};
use crate::run::blocking::blocking;
use crate::run::event::{DayState, Event};
use crate::run::{How, OpenedSeries, RunContext, Todo};

/// A day that this process holds.
#[derive(Clone)]
pub(in crate::run) struct OpenDay {
    pub(in crate::run) series: Arc<OpenedSeries>,
    /// The day in the archive.
    pub(in crate::run) store: Arc<DayWork>,
    /// What the lock says of its files.
    pub(in crate::run) lock_view: Arc<LockView>,
}

/// Takes a day in the archive.
///
/// # Errors
/// Those of [`archive::Archive::take`].
pub(in crate::run) async fn take(run: &RunContext, todo: &Todo) -> Result<archive::Opened, Failure> {
    let (archive, job, todo) = (Arc::clone(&run.archive), run.manifest.name.clone(), todo.clone());
    let trust = match todo.how {
        How { afresh: true, .. } => Trust::Nothing,
        How { recheck: true, .. } => Trust::Files,
        How { .. } => Trust::All,
    };
    blocking(move || archive.take(&todo.series, todo.day.date, todo.spec, &job, trust)).await
}

impl DayProcess<'_> {
    /// Opens the day; [`Early::Done`] where a record seals it.
    pub(super) async fn open(&mut self) -> Result<OpenDay, Early> {
        let (run, todo) = (self.run, self.todo);
        let Some(series) = run.series.get(&todo.series).map(Arc::clone) else {
            let why = format!("no source is open for `{}`", todo.series);
            return Err(Failure::new(Class::SourceRefused, why).into());
        };
        let store: Arc<DayWork> = match take(run, todo).await? {
            archive::Opened::Work(work) => Arc::from(work),
            archive::Opened::Held => {
                self.done.state = DayState::Held;
                let why = "another process is working on this day; run again later";
                return Err(Failure::unasked(Class::Held, why).into());
            }
            archive::Opened::Done(record) => {
                self.note_record(&record);
                return Err(Early::Done);
            }
        };
        run.emit(Event::DayBegun(self.done.day.clone()));
        self.note_files_in_place(&store).await?;
        let (shared, asked) = (Arc::clone(run), todo.clone());
        let lock_view = blocking(move || LockView::of(shared.locked.as_ref(), &asked)).await?;
        Ok(OpenDay { series, store, lock_view: Arc::new(lock_view) })
    }

    /// Counts what is there of the day, for the report.
    pub(super) async fn note_files_in_place(&mut self, store: &Arc<DayWork>) -> Result<(), Failure> {
        let store = Arc::clone(store);
        (self.done.files, self.done.bytes) = blocking(move || Ok::<_, Failure>(store.in_place())).await?;
        Ok(())
    }

    /// Takes over what a record says of the day.
    pub(super) fn note_record(&mut self, record: &DayRecord) {
        let done = &mut self.done;
        done.state = match record.header.state {
            RecordState::Sealed => DayState::Sealed,
            RecordState::Provisional => DayState::Provisional,
        };
        done.files = record.header.files;
        done.bytes = record.header.bytes;
        done.absent = record.header.absent;
        done.accepted = record.files.iter().filter(|file| file.reason.is_some()).count() as u64;
        done.records = record.header.records.clone().unwrap_or_default();
        done.digest = Some(record.header.digest.0);
    }
}
