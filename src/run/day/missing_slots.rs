//! Which slots of regions a day lacks that failed, and why: kept in its journal for `status --by harpnum`.

use std::collections::HashMap;

use super::downloads::Failures;
use crate::archive::{AbsentReason, FileLine, LeftOut, MissingSlot, MissingSlotReasons, MissingWhy, RecordState};
use crate::day::Scale;
use crate::source::{Body, Listed};

/// The slots that the files of a listing are of, by key.
#[derive(Default)]
pub(in crate::run) struct ListedSlots(HashMap<String, ListedSlot>);

struct ListedSlot {
    harpnum: i64,
    time: String,
    is_offline: bool,
}

impl ListedSlots {
    /// Those of regions.
    pub(in crate::run) fn of(listed: &Listed, scale: Scale) -> ListedSlots {
        let slots = listed.files.iter().filter_map(|file| {
            let (harpnum, time) = (file.harpnum?, scale.label(file.time));
            Some((file.key.clone(), ListedSlot { harpnum, time, is_offline: matches!(file.body, Body::Offline(_)) }))
        });
        ListedSlots(slots.collect())
    }

    /// What the day lacks where these files failed and those are absent.
    pub(in crate::run) fn missing(
        &self,
        failed: &Failures,
        absent: &[FileLine],
        state: RecordState,
        left_out: Option<LeftOut>,
    ) -> MissingSlotReasons {
        let failed = failed.keys().filter_map(|key| {
            let ListedSlot { harpnum, time, is_offline } = self.0.get(key)?;
            let why = if *is_offline { MissingWhy::Offline } else { MissingWhy::Failed };
            Some(MissingSlot { harpnum: *harpnum, time: time.clone(), why })
        });
        let absent = absent.iter().filter_map(|line| {
            let is_accepted = line.absent == Some(AbsentReason::Accepted);
            let why = if is_accepted { MissingWhy::Accepted } else { MissingWhy::NoFile };
            Some(MissingSlot { harpnum: line.harpnum?, time: line.time.clone(), why })
        });
        MissingSlotReasons::new(state, left_out, failed.chain(absent).collect())
    }

    /// True where no file is of a region.
    pub(in crate::run) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
