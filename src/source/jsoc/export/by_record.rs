//! Orders of ever fewer records: JSOC refuses a whole order for one file that is not on its disks, whatever its listing says,
//! and does not say which one that is (`jsoc_fetch.c:4027-4047`).

use std::collections::BTreeMap;

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

/// Why no order had a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotHad {
    /// An order of it alone is refused.
    Offline,
    /// Too many orders of its day were refused before.
    NotOrdered,
}

impl NotHad {
    /// What its file fails with.
    pub(super) fn about(self, named: &str) -> String {
        match self {
            NotHad::Offline => offline(named),
            NotHad::NotOrdered => format!(
                "`{}` is not ordered, since JSOC has refused {MOST_REFUSED} orders of its day for files that are not on its \
                 disks; run this again",
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
    /// Its one record is not on the disks.
    GiveUp,
    Fail(Failure),
}

fn next(ended: Ended, records: usize) -> Next {
    let fail = |why: String| Next::Fail(Failure::new(Class::SourceRefused, why));
    match ended {
        Ended::Offline(_) if records <= 1 => Next::GiveUp,
        Ended::TooLarge(words) if records <= 1 => fail(format!("no fewer records can be ordered: {words}")),
        Ended::TooLong if records <= 1 => fail("no fewer records can be ordered than one".to_owned()),
        Ended::Gone(words) => fail(format!("the export system lost an order, and the same one again: {words}")),
        Ended::Offline(_) | Ended::TooLarge(_) | Ended::TooLong | Ended::Done(_) => Next::Halve,
    }
}

impl Desk {
    /// Orders these records by their numbers, in halves of what is refused.
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
        let (mut todo, mut refused) = (vec![records], 0);
        while let Some(mut part) = todo.pop() {
            if refused >= MOST_REFUSED {
                delivered.not_had.extend(part.into_iter().map(|recnum| (recnum, NotHad::NotOrdered)));
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
            refused += usize::from(matches!(ended, Ended::Offline(_)));
            match next(ended, part.len()) {
                Next::Halve => {
                    let later = part.split_off(part.len() / 2);
                    todo.extend([later, part]);
                }
                Next::GiveUp => delivered.not_had.extend(part.into_iter().map(|recnum| (recnum, NotHad::Offline))),
                Next::Fail(failure) => return Err(failure),
            }
        }
        Ok(delivered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_halved_until_one_record_is_left() {
        let failure = || Failure::new(Class::SourceRefused, "offline");
        let ends: [fn(Failure) -> Ended; 4] = [
            Ended::Offline,
            |_| Ended::TooLarge("many".to_owned()),
            |_| Ended::TooLong,
            |_| Ended::Gone("expired".to_owned()),
        ];
        for (end, of_two, of_one) in [
            (ends[0], "halve", "give up"),
            (ends[1], "halve", "fail"),
            (ends[2], "halve", "fail"),
            (ends[3], "fail", "fail"),
        ] {
            let word = |records| match next(end(failure()), records) {
                Next::Halve => "halve",
                Next::GiveUp => "give up",
                Next::Fail(_) => "fail",
            };
            assert_eq!((word(2), word(1)), (of_two, of_one), "{:?}", end(failure()));
        }
    }
}
