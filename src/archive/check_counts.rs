//! How the files of day records were checked, counted without reading the lines for anything else.
//!
//! What it does not do: prove the records; whoever reads their lines does.

use std::collections::BTreeMap;
use std::num::NonZero;

use chrono::NaiveDate;

/// What stands before the word in a line. Within a string of JSON it would have backslashes.
const BEFORE: &str = ",\"checked\":\"";

/// The words of the lines of each day's record, counted on all cores.
pub(super) fn count(days: &[NaiveDate], record: impl Fn(NaiveDate) -> Option<Vec<u8>> + Sync) -> BTreeMap<String, u64> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let count = |days: &[NaiveDate]| {
        let mut counts = BTreeMap::new();
        for day in days {
            add(&mut counts, &String::from_utf8_lossy(&record(*day).unwrap_or_default()));
        }
        counts
    };
    let shares = days.chunks(days.len().div_ceil(cores).max(1));
    std::thread::scope(|scope| {
        let count = &count;
        let start = |share| {
            let counter = std::thread::Builder::new().spawn_scoped(scope, move || count(share));
            // Where no thread is to be had, this one counts.
            counter.map_err(|_| count(share))
        };
        let counters: Vec<_> = shares.map(start).collect();
        let mut counts = BTreeMap::new();
        for counter in counters {
            let share = counter.map_or_else(Some, |counter| counter.join().ok());
            for (how, files) in share.into_iter().flatten() {
                *counts.entry(how).or_default() += files;
            }
        }
        counts
    })
}

fn add(counts: &mut BTreeMap<String, u64>, record: &str) {
    for rest in record.split(BEFORE).skip(1) {
        let how = rest.split('"').next().unwrap_or_default();
        match counts.get_mut(how) {
            Some(files) => *files += 1,
            None => {
                counts.insert(how.to_owned(), 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_and_none_that_a_text_holds() {
        let record = concat!(
            "{\"day\":{}}\n",
            "{\"path\":\"a\",\"checked\":\"checksum\"}\n",
            "{\"path\":\"b\",\"checked\":\"size\",\"etag\":\"x\"}\n",
            "{\"path\":\"c\",\"absent\":\"404\"}\n",
            "{\"path\":\"d\",\"reason\":\"no ,\\\"checked\\\":\\\"magic\\\"\",\"checked\":\"checksum\"}\n",
        );
        let mut counts = BTreeMap::new();
        add(&mut counts, record);
        assert_eq!(counts, [("checksum".to_owned(), 2), ("size".to_owned(), 1)].into());
    }
}
