//! Which listed files of a day the archive already has, and whether a run requests them.
//!
//! It does not check that the files exist: it reads their lines in the record or the journal.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::sizes::DaySizes;
use crate::archive::{EarlierLook, FileLine, Reader};
use crate::cli::Result;
use crate::manifest::Series;
use crate::manifest::latency::has_ended;
use crate::plan::{self, PlannedDay, ToDoReason};
use crate::run::{is_as_listed, needs_no_request};
use crate::source::RemoteFile;
use crate::source::jsoc::{KnownFileKey, former_keys};

/// A day's files in the archive.
pub(super) struct Archived {
    by_key: HashMap<String, FileLine>,
    standing: EarlierLook,
    is_final: bool,
}

/// What a run does with a listed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextRequest {
    /// It is not here: it is fetched.
    Fetch,
    /// It is here, and the source is asked whether it has changed.
    AskAbout,
    /// It is here, and nobody is asked.
    Keep,
}

impl Archived {
    /// What a day to do has, at one instant.
    ///
    /// # Errors
    /// When the archive or the lock cannot be read.
    pub(super) fn on_day(
        reader: &Reader,
        series: &Series,
        day: &PlannedDay<'_>,
        locked: &DaySizes,
        now: DateTime<Utc>,
    ) -> Result<Archived> {
        let is_final = has_ended(series, day.day.window, now, series.settle);
        let (id, date) = (day.id, day.day.date);
        let plan::DayStanding::ToDo(reason) = day.standing else {
            return Ok(Archived { by_key: HashMap::new(), standing: EarlierLook::Final, is_final });
        };
        let record = match reason {
            ToDoReason::Provisional | ToDoReason::Stale(_) | ToDoReason::Differs | ToDoReason::Incomplete { .. } => {
                reader.record(id, date)?
            }
            ToDoReason::New | ToDoReason::Started { .. } | ToDoReason::Damaged(_) => None,
        };
        let standing = match (reason, &record) {
            (ToDoReason::Stale(_), Some(record)) => EarlierLook::OtherSpec(record.header.state),
            (ToDoReason::Provisional, _) => EarlierLook::Young,
            (ToDoReason::Started { .. }, _) if !is_final => EarlierLook::Young,
            _ => EarlierLook::Final,
        };
        let mut lines = match reason {
            ToDoReason::Started { .. } => reader.started_files(id, date)?.unwrap_or_default(),
            _ => record.map(|record| record.files).unwrap_or_default(),
        };
        lines.retain(|line| line.absent.is_none() && (*reason != ToDoReason::Differs || locked.has(line)));
        let by_key = lines.into_iter().map(|line| (line.key.clone(), line)).collect();
        Ok(Archived { by_key, standing, is_final })
    }

    /// The same with files under the keys that they are listed by now, where their records have other numbers than before.
    pub(super) fn by_listed_keys(mut self, series: &Series, files: &[RemoteFile]) -> Archived {
        if !series.source.has_fixed_keys() {
            return self;
        }
        let former = former_keys(files, self.by_key.values().map(KnownFileKey::of_line), series.source.scale());
        for (key, old) in former {
            if let Some(line) = self.by_key.remove(&old) {
                self.by_key.insert(key, line);
            }
        }
        self
    }

    /// What a run does with a file that the listing names.
    pub(super) fn next(&self, series: &Series, file: &RemoteFile) -> NextRequest {
        match self.by_key.get(&file.key) {
            Some(line) if is_as_listed(file, line) => {
                let is_sure = needs_no_request(series, file, line, self.standing, self.is_final);
                if is_sure { NextRequest::Keep } else { NextRequest::AskAbout }
            }
            _ => NextRequest::Fetch,
        }
    }
}
