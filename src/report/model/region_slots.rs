//! How complete an active region is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::gap_reason::GapReason;

/// The slots of one active region in one series: `expected` is the sum of `had` and of all in `lacking`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionSlots {
    /// The series' id.
    pub series: String,
    /// The region's number in this series.
    pub harpnum: i64,
    /// Its first slot in any of the job's series that number regions alike, in this series' scale.
    pub first: String,
    /// Its last one.
    pub last: String,
    /// Seconds from one slot of this series to the next.
    pub step_seconds: i64,
    /// Slots from the first to the last.
    pub expected: u64,
    /// Of these, those that the archive has.
    pub had: u64,
    /// How many are not there, by the reason: `quality`, `no-file`, `accepted`, `absent`, `provisional`, `offline`, `failed`,
    /// `not-fetched`, `outside-range`, `not-known` or `not-requested`.
    pub lacking: BTreeMap<GapReason, u64>,
}
