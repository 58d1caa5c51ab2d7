//! Why a slot of a region has no file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a slot is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The filter `quality` leaves its record out.
    Quality,
    /// The source has the record and no file of it.
    NoFile,
    /// The job accepts that it is bad at its source.
    Accepted,
    /// The source lists no such record.
    Absent,
    /// The source does not list it, and may not have made it yet.
    Provisional,
    /// The source has its file where it cannot be fetched from, as on tape.
    Offline,
    /// Its file could not be fetched, or its day could not be listed.
    Failed,
    /// Its day has no usable record yet.
    NotFetched,
    /// The range of this series does not have it.
    OutsideRange,
    /// The records do not tell.
    NotKnown,
    /// The filters of the job leave its record out, or the source has none.
    NotRequested,
}

impl GapReason {
    /// Each, in their order.
    pub const ALL: [GapReason; 11] = [
        GapReason::Quality,
        GapReason::NoFile,
        GapReason::Accepted,
        GapReason::Absent,
        GapReason::Provisional,
        GapReason::Offline,
        GapReason::Failed,
        GapReason::NotFetched,
        GapReason::OutsideRange,
        GapReason::NotKnown,
        GapReason::NotRequested,
    ];

    /// Its name in text and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GapReason::Quality => "quality",
            GapReason::NoFile => "no file",
            GapReason::Accepted => "accepted",
            GapReason::Absent => "absent",
            GapReason::Provisional => "provisional",
            GapReason::Offline => "offline",
            GapReason::Failed => "failed",
            GapReason::NotFetched => "not fetched",
            GapReason::OutsideRange => "outside range",
            GapReason::NotKnown => "not known",
            GapReason::NotRequested => "not requested",
        }
    }

    /// What it says of a slot.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            GapReason::Quality => "left out by `quality`",
            GapReason::NoFile => "the source has the record, and no file of it",
            GapReason::Accepted => "bad at its source, and accepted by the job",
            GapReason::Absent => "the source has no such record",
            GapReason::Provisional => "not listed yet; the day is not final",
            GapReason::Offline => "the source has the file only where it cannot be fetched, as on tape",
            GapReason::Failed => "its file could not be fetched, or its day not be listed, when it was last tried",
            GapReason::NotFetched => "on a day that has no usable record yet",
            GapReason::OutsideRange => "not in the range of this series",
            GapReason::NotKnown => "the records do not say why",
            GapReason::NotRequested => "left out by the filters of the job, or the source has no such record",
        }
    }
}
