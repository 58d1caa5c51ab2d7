//! What the listing of a day that failed said of records that are not there: each gap of a region has a reason of its own.

use serde::{Deserialize, Serialize};

use super::{LeftOut, RecordState};

/// A journal keeps so many slots; of more, none.
const MOST: usize = 5_000;

/// What is not there of a day that was listed, and failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingSlotReasons {
    /// How final its listing was.
    pub state: RecordState,
    /// What filters left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The slots of regions whose files are not there; none where they are more than are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Vec<MissingSlot>>,
}

/// A slot of a region that has no file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MissingSlot {
    /// The region's number.
    pub harpnum: i64,
    /// The time of its record, in the scale of the source.
    pub time: String,
    /// Why.
    pub why: MissingWhy,
}

/// Why a slot has no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingWhy {
    /// The source has the record, and no file of it.
    NoFile,
    /// The job accepts that it is bad at its source.
    Accepted,
    /// The source has the file where it cannot be fetched from.
    Offline,
    /// It could not be fetched.
    Failed,
}

impl MissingSlotReasons {
    /// What is kept of these slots.
    #[must_use]
    pub fn new(state: RecordState, left_out: Option<LeftOut>, mut slots: Vec<MissingSlot>) -> MissingSlotReasons {
        slots.sort_unstable();
        slots.dedup();
        let slots = (slots.len() <= MOST).then_some(slots);
        MissingSlotReasons { state, left_out, slots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_kept_once_each_and_read_back_and_too_many_are_not_kept() {
        let slot = |nth: usize| MissingSlot { harpnum: 377, time: format!("{nth:05}"), why: MissingWhy::Offline };
        let missing = MissingSlotReasons::new(RecordState::Sealed, None, vec![slot(2), slot(1), slot(2)]);
        assert_eq!(missing.slots, Some(vec![slot(1), slot(2)]));
        let json = serde_json::to_string(&missing).unwrap();
        assert!(json.contains(r#"{"harpnum":377,"time":"00001","why":"offline"}"#), "{json}");
        assert_eq!(serde_json::from_str::<MissingSlotReasons>(&json).unwrap(), missing);
        let many = MissingSlotReasons::new(RecordState::Sealed, None, (0..=MOST).map(slot).collect());
        assert_eq!(many.slots, None);
    }
}
