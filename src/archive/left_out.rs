//! Records of a day that a filter left out, as its record keeps them: so that a gap in the records of a region has its reason.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::day::{Scale, SlotSpan};

/// A header line stays below 64 KiB. A day of 20 regions that lacks every other slot has 32 KiB of them.
const MOST_BYTES: usize = 40 * 1024;

/// Records that a filter left out. Only of sources that list them all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Those that `quality` left out, by HARP number: times in the record's scale, each a slot, or the first and the last of
    /// slots in a row with a `/` between them.
    pub quality: BTreeMap<i64, Vec<String>>,
}

impl LeftOut {
    /// What `quality` left out, by HARP number. `None` where it is more than a record keeps.
    #[must_use]
    pub fn by_quality(spans: &BTreeMap<i64, Vec<SlotSpan>>, scale: Scale) -> Option<LeftOut> {
        let text = |[first, last]: &SlotSpan| {
            let first_label = scale.label(*first);
            if first == last { first_label } else { format!("{first_label}/{}", scale.label(*last)) }
        };
        let texts = |spans: &Vec<SlotSpan>| spans.iter().map(text).collect();
        let quality: BTreeMap<i64, Vec<String>> =
            spans.iter().map(|(harpnum, spans)| (*harpnum, texts(spans))).collect();
        let bytes = quality.values().map(|texts| 16 + texts.iter().map(|text| text.len() + 3).sum::<usize>());
        (bytes.sum::<usize>() <= MOST_BYTES).then_some(LeftOut { quality })
    }

    /// The slots that `quality` left out, by HARP number. A text that is no time is passed over.
    pub fn spans(&self, scale: Scale) -> impl Iterator<Item = (i64, SlotSpan)> {
        let span = move |text: &String| {
            let (first, last) = text.split_once('/').unwrap_or((text, text));
            Some([scale.read(first)?, scale.read(last)?])
        };
        self.quality.iter().flat_map(move |(harpnum, texts)| texts.iter().filter_map(span).map(|span| (*harpnum, span)))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDateTime, TimeDelta};

    use super::*;

    fn at(minutes: i64) -> NaiveDateTime {
        "2011-02-15T00:00:00".parse::<NaiveDateTime>().unwrap() + TimeDelta::minutes(minutes)
    }

    #[test]
    fn slots_read_back_as_they_were_kept() {
        let spans = BTreeMap::from([(377, vec![[at(0), at(0)], [at(24), at(48)]]), (378, vec![[at(12), at(12)]])]);
        let left_out = LeftOut::by_quality(&spans, Scale::Tai).unwrap();
        let json = serde_json::to_string(&left_out).unwrap();
        assert_eq!(
            json,
            "{\"quality\":{\"377\":[\"2011-02-15T00:00:00_TAI\",\"2011-02-15T00:24:00_TAI/2011-02-15T00:48:00_TAI\"],\
             \"378\":[\"2011-02-15T00:12:00_TAI\"]}}"
        );
        let read: LeftOut = serde_json::from_str(&json).unwrap();
        assert_eq!(read, left_out);
        let all: Vec<(i64, SlotSpan)> = read.spans(Scale::Tai).collect();
        assert_eq!(all, [(377, [at(0), at(0)]), (377, [at(24), at(48)]), (378, [at(12), at(12)])]);
        assert_eq!(read.spans(Scale::Utc).count(), 0);
    }

    #[test]
    fn more_than_a_header_can_hold_is_not_kept() {
        let every_other: Vec<SlotSpan> = (0..60).map(|nth| [at(24 * nth), at(24 * nth)]).collect();
        let regions = |count: i64| (0..count).map(|harpnum| (harpnum, every_other.clone())).collect();
        assert!(LeftOut::by_quality(&regions(20), Scale::Tai).is_some());
        assert!(LeftOut::by_quality(&regions(40), Scale::Tai).is_none());
    }
}
