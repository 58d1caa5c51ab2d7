//! Orders of ever fewer records: JSOC refuses a whole order for one file that is not on its disks, whatever its listing says,
//! and does not say which one that is (`jsoc_fetch.c:4027-4047`).

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::query::{OrderSet, RecordQuery};
use super::super::storage::offline;
use super::Desk;
use super::order::Ended;
use super::reply::ExportedFile;
use crate::failure::{Class, Failure};
use crate::untrusted::escape;

/// So many orders of a day may be refused since files are not on the disks; what is left then is not ordered in this run. One
/// such record of a thousand takes ten.
const MOST_REFUSED: usize = 64;

/// What the orders of a day brought.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub(super) rows: Vec<ExportedFile>,
    /// Records that no order had, by their numbers.
    pub(super) not_had: BTreeMap<i64, NotHad>,
}

/// Why no order had a record, with JSOC's words about the last order that it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotHad {
    /// An order of it alone is refused.
    Offline(Arc<str>),
    /// Too many orders of its day were refused before.
    NotOrdered(Arc<str>),
}

impl NotHad {
    /// What its file fails with.
    pub(super) fn about(&self, named: &str) -> String {
        match self {
            NotHad::Offline(words) => format!("{} (JSOC says: {words})", offline(named)),
            NotHad::NotOrdered(words) => format!(
                "`{}` is not ordered, since JSOC has refused {MOST_REFUSED} orders of its day for files that are not on its \
                 disks; run this again (JSOC says: {words})",
                escape(named)
            ),
        }
    }
}

/// What is done next about an order of several records that ended.
#[derive(Debug)]
enum Next {
    /// Its records are ordered in two parts.
    Halve,
    /// Its one record is not on the disks: in JSOC's words.
    GiveUp(Arc<str>),
    Fail(Failure),
}

fn next(ended: Ended, records: usize) -> Next {
    let fail = |why: String| Next::Fail(Failure::new(Class::SourceRefused, why));
    match ended {
        Ended::Offline(words) if records <= 1 => Next::GiveUp(words.into()),
        Ended::TooLarge(words) if records <= 1 => fail(format!("no fewer records can be ordered: {words}")),
        Ended::TooLong if records <= 1 => fail("no fewer records can be ordered than one".to_owned()),
        Ended::Gone(words) => fail(format!("the export system lost an order, and the same one again: {words}")),
        Ended::Offline(_) | Ended::TooLarge(_) | Ended::TooLong | Ended::Done(_) => Next::Halve,
    }
}

impl Desk {
    /// Orders the records of an order that was refused, by their numbers: in halves, and in halves of what is refused again.
    ///
    /// # Errors
    /// As [`Desk::order`].
    pub(super) async fn serve_by_record(
        &self,
        question: &RecordQuery<'_>,
        records: Vec<i64>,
        end: Instant,
    ) -> Result<Delivered, Failure> {
        let mut delivered = Delivered::default();
        // All of them together are refused already.
        let mut todo = halves(records);
        let (mut refused, mut said): (usize, Arc<str>) = (0, Arc::default());
        while let Some(part) = todo.pop() {
            if refused >= MOST_REFUSED {
                let not_had = NotHad::NotOrdered(Arc::clone(&said));
                delivered.not_had.extend(part.into_iter().map(|recnum| (recnum, not_had.clone())));
                continue;
            }
            let ended = match question.order_set_of(&part) {
                OrderSet::Nothing => continue,
                OrderSet::TooLong => Ended::TooLong,
                OrderSet::Records(set) => self.order(&set, question, |_| Ok(()), end).await?,
            };
            if let Ended::Done(rows) = ended {
                delivered.rows.extend(rows);
                continue;
            }
            if let Ended::Offline(words) = &ended {
                refused += 1;
                said = words.as_str().into();
            }
            match next(ended, part.len()) {
                Next::Halve => todo.extend(halves(part)),
                Next::GiveUp(words) => {
                    let not_had = NotHad::Offline(words);
                    delivered.not_had.extend(part.into_iter().map(|recnum| (recnum, not_had.clone())));
                }
                Next::Fail(failure) => return Err(failure),
            }
        }
        Ok(delivered)
    }
}

/// The two halves of these records, the later one first; of fewer than two, all of them.
fn halves(mut records: Vec<i64>) -> Vec<Vec<i64>> {
    if records.len() < 2 {
        return vec![records];
    }
    let later = records.split_off(records.len() / 2);
    vec![later, records]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_halved_until_one_record_is_left() {
        let ends: [fn() -> Ended; 4] = [
            || Ended::Offline("offline".to_owned()),
            || Ended::TooLarge("many".to_owned()),
            || Ended::TooLong,
            || Ended::Gone("expired".to_owned()),
        ];
        for (end, of_two, of_one) in [
            (ends[0], "halve", "give up"),
            (ends[1], "halve", "fail"),
            (ends[2], "halve", "fail"),
            (ends[3], "fail", "fail"),
        ] {
            let word = |records| match next(end(), records) {
                Next::Halve => "halve",
                Next::GiveUp(_) => "give up",
                Next::Fail(_) => "fail",
            };
            assert_eq!((word(2), word(1)), (of_two, of_one), "{:?}", end());
        }
    }

    #[test]
    fn what_was_refused_whole_is_not_ordered_whole_again() {
        for (records, parts) in [
            (vec![1, 2, 3], vec![vec![2, 3], vec![1]]),
            (vec![1, 2], vec![vec![2], vec![1]]),
            // The order that was refused may have held its neighbours, too.
            (vec![1], vec![vec![1]]),
            (vec![], vec![vec![]]),
        ] {
            assert_eq!(halves(records.clone()), parts, "{records:?}");
        }
    }
}
