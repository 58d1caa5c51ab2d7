//! What a command may use up: time, bytes and files, over all its jobs. A run that finds its budget spent begins nothing
//! more, brings to an end what is under way, and leaves the rest for the next one.
//!
//! A file has a ticket while it is on its way. One that would not fit waits until it is known what those under way come
//! to. What it does not do: stop anything; `scheduler`, `downloads` and `file_task` ask before they begin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Before the end of the time nothing more is begun, for this share of the time at most.
const GRACE_SHARE: u32 = 10;
/// And for no longer than this.
const GRACE: Duration = Duration::from_mins(1);

/// What may be used up; none is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// How long the command may take.
    pub time: Option<Duration>,
    /// Bytes of files that may come, those of attempts that fail included.
    pub bytes: Option<u64>,
    /// Files that may be fetched.
    pub files: Option<u64>,
}

/// What of a budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Spent {
    /// The time of `--max-time`.
    Time,
    /// The bytes of `--max-bytes`.
    Bytes,
    /// The files of `--max-files`.
    Files,
}

impl Spent {
    /// Its name in reports and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Spent::Time => "time",
            Spent::Bytes => "bytes",
            Spent::Files => "files",
        }
    }

    /// The option that bounds it.
    #[must_use]
    pub fn option(self) -> String {
        format!("--max-{}", self.name())
    }
}

/// The budget of one command, shared by its runs.
#[derive(Debug)]
pub struct Budget {
    caps: Caps,
    /// From when on nothing more is begun, and when all must be over.
    until: Option<(Instant, Instant)>,
    used: Mutex<BudgetUse>,
    /// A ticket was given back.
    freed: Notify,
}

#[derive(Debug, Default)]
struct BudgetUse {
    /// Files fetched.
    files: u64,
    /// Bytes that came for files whose tickets are back.
    bytes: u64,
    /// Tickets that are out.
    out: u64,
    /// Bytes that these will come to, as far as is known.
    due: u64,
    /// The largest file so far: what one of unknown size is taken for. None before the first ticket is back.
    largest: Option<u64>,
    /// Something did not fit. What is smaller and would is not begun either: the end should be one that can be foreseen.
    spent: Option<Spent>,
}

/// Whether a file fits.
enum Fit {
    Yes,
    /// It depends on those that are under way.
    Perhaps,
    No(Spent),
}

/// The right to fetch a file; given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    budget: Arc<Budget>,
    flow: Mutex<FileFlow>,
    is_fetched: bool,
}

/// The bytes of one file.
#[derive(Debug, Clone, Copy)]
struct FileFlow {
    came: u64,
    /// What of `Used::due` is its own.
    due: u64,
}

impl Budget {
    /// A budget whose time runs from `started` on.
    #[must_use]
    pub fn new(caps: Caps, started: Instant) -> Budget {
        let until = caps.time.and_then(|time| {
            let end = started.checked_add(time)?;
            Some((end - GRACE.min(time / GRACE_SHARE), end))
        });
        Budget { caps, until, used: Mutex::default(), freed: Notify::new() }
    }

    /// A budget that nothing bounds.
    #[must_use]
    pub fn unlimited() -> Budget {
        Budget::new(Caps::default(), Instant::now())
    }

    /// When all must be over.
    #[must_use]
    pub fn end(&self) -> Option<Instant> {
        self.until.map(|(_, end)| end)
    }

    /// True when the time is up.
    #[must_use]
    pub fn is_time_up(&self) -> bool {
        self.end().is_some_and(|end| Instant::now() >= end)
    }

    /// Why nothing may be begun at a moment.
    pub(super) fn objection(&self, at: Instant) -> Option<Spent> {
        let used = self.used();
        let is_late = self.until.is_some_and(|(last, _)| at >= last);
        let is_full = |used: u64, cap: Option<u64>| cap.is_some_and(|cap| used >= cap);
        match used.spent {
            Some(spent) => Some(spent),
            None if is_late => Some(Spent::Time),
            None if is_full(used.files, self.caps.files) => Some(Spent::Files),
            None if is_full(used.bytes, self.caps.bytes) => Some(Spent::Bytes),
            None => None,
        }
    }

    /// Why a wait may not be waited out: what comes after it would come too late.
    pub(super) fn too_late(&self, wait: Duration) -> Option<Spent> {
        let (last, _) = self.until?;
        (Instant::now() + wait >= last).then_some(Spent::Time)
    }

    /// A ticket for a file of `bytes`, where the size is known.
    ///
    /// # Errors
    /// What is spent.
    pub(super) async fn ticket(self: &Arc<Budget>, bytes: Option<u64>) -> Result<Ticket, Spent> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Who gives a ticket back from here on is heard.
            freed.as_mut().enable();
            if let Some(spent) = self.until.filter(|(last, _)| Instant::now() >= *last).map(|_| Spent::Time) {
                return Err(spent);
            }
            let due = {
                let mut used = self.used();
                let due = bytes.or(used.largest);
                let fit = match due {
                    // The first file shows how large they are.
                    None if self.caps.bytes.is_some() && used.out > 0 => Fit::Perhaps,
                    due => self.fit(&used, due.unwrap_or_default()),
                };
                let due = due.unwrap_or_default();
                match fit {
                    Fit::Yes => {
                        used.out += 1;
                        used.due = used.due.saturating_add(due);
                        Some(due)
                    }
                    Fit::Perhaps => None,
                    Fit::No(spent) => {
                        used.spent = Some(spent);
                        // All others that wait learn of it.
                        self.freed.notify_waiters();
                        return Err(spent);
                    }
                }
            };
            if let Some(due) = due {
                let budget = Arc::clone(self);
                return Ok(Ticket { budget, flow: Mutex::new(FileFlow { came: 0, due }), is_fetched: false });
            }
            freed.await;
        }
    }

    fn fit(&self, used: &BudgetUse, due: u64) -> Fit {
        if let Some(spent) = used.spent {
            return Fit::No(spent);
        }
        if let Some(cap) = self.caps.files
            && used.files + used.out >= cap
        {
            return if used.files >= cap { Fit::No(Spent::Files) } else { Fit::Perhaps };
        }
        if let Some(cap) = self.caps.bytes
            && used.bytes.saturating_add(used.due).saturating_add(due) > cap
        {
            return match used.out {
                // A file that is larger than the whole is fetched alone: else it would never come.
                0 if used.bytes == 0 => Fit::Yes,
                1.. if used.bytes.saturating_add(due) <= cap => Fit::Perhaps,
                // Those under way may bring less than is due of them, and even nothing.
                1.. if used.bytes == 0 => Fit::Perhaps,
                _ => Fit::No(Spent::Bytes),
            };
        }
        Fit::Yes
    }

    fn used(&self) -> MutexGuard<'_, BudgetUse> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Body bytes of its file came.
    pub(super) fn received(&self, bytes: u64) {
        let mut flow = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
        flow.came += bytes;
        if flow.came > flow.due {
            self.budget.used().due += flow.came - flow.due;
            flow.due = flow.came;
        }
    }

    /// Its file is in the archive.
    pub(super) fn fetched(&mut self) {
        self.is_fetched = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let FileFlow { came, due } = *self.flow.get_mut().unwrap_or_else(PoisonError::into_inner);
        {
            let mut used = self.budget.used();
            used.out -= 1;
            used.due -= due;
            used.bytes += came;
            used.files += u64::from(self.is_fetched);
            used.largest = used.largest.max(Some(came));
        }
        self.budget.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(caps: Caps) -> Arc<Budget> {
        Arc::new(Budget::new(caps, Instant::now()))
    }

    fn bytes(cap: u64) -> Arc<Budget> {
        budget(Caps { bytes: Some(cap), ..Caps::default() })
    }

    async fn fetch(budget: &Arc<Budget>, listed: Option<u64>, bytes: u64) -> Result<(), Spent> {
        let mut ticket = budget.ticket(listed).await?;
        ticket.received(bytes);
        ticket.fetched();
        Ok(())
    }

    #[tokio::test]
    async fn who_does_not_fit_waits_for_those_under_way_and_begins_when_one_of_them_brought_nothing() {
        let budget = budget(Caps { files: Some(2), ..Caps::default() });
        let (mut one, two) = (budget.ticket(None).await.unwrap(), budget.ticket(None).await.unwrap());
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.ticket(None).await.is_ok() }
        });
        one.fetched();
        drop(one);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "the other one may be fetched, too");
        assert_eq!(budget.objection(Instant::now()), None);
        drop(two);
        assert!(waiting.await.unwrap());
        fetch(&budget, None, 1).await.unwrap();
        assert_eq!(budget.objection(Instant::now()), Some(Spent::Files));
        assert_eq!(fetch(&budget, None, 1).await, Err(Spent::Files));
    }

    #[tokio::test]
    async fn a_file_that_would_not_fit_is_not_begun_and_none_after_it() {
        let budget = bytes(100);
        fetch(&budget, Some(60), 60).await.unwrap();
        assert_eq!(fetch(&budget, Some(41), 41).await, Err(Spent::Bytes));
        assert_eq!(fetch(&budget, Some(1), 1).await, Err(Spent::Bytes));
    }

    #[tokio::test]
    async fn a_file_of_unknown_size_is_taken_for_the_largest_so_far() {
        let budget = bytes(100);
        fetch(&budget, None, 30).await.unwrap();
        fetch(&budget, None, 20).await.unwrap();
        fetch(&budget, None, 21).await.unwrap();
        assert_eq!(fetch(&budget, None, 20).await, Err(Spent::Bytes), "71 and 30 are more than 100");
    }

    #[tokio::test]
    async fn a_file_that_is_larger_than_the_whole_is_fetched_alone() {
        let budget = bytes(100);
        let first = budget.ticket(Some(10)).await.unwrap();
        let large = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { fetch(&budget, Some(1000), 1000).await }
        });
        tokio::task::yield_now().await;
        assert!(!large.is_finished());
        drop(first);
        assert_eq!(large.await.unwrap(), Ok(()), "nothing has come, so that it would never fit better");
        assert_eq!(fetch(&budget, Some(1), 1).await, Err(Spent::Bytes));
    }

    #[tokio::test]
    async fn bytes_of_attempts_that_failed_count() {
        let budget = bytes(100);
        let ticket = budget.ticket(Some(10)).await.unwrap();
        ticket.received(70);
        ticket.received(20);
        drop(ticket);
        assert_eq!(fetch(&budget, Some(11), 11).await, Err(Spent::Bytes));
    }

    #[tokio::test]
    async fn before_the_time_is_up_nothing_more_is_begun_or_waited_for() {
        let caps = Caps { time: Some(Duration::from_secs(1000)), ..Caps::default() };
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let budget = Arc::new(Budget::new(caps, now));
        assert_eq!(budget.end(), Some(now + seconds(1000)));
        assert_eq!(budget.too_late(seconds(800)), None);
        assert_eq!(budget.too_late(seconds(941)), Some(Spent::Time), "the last minute is for what is under way");
        assert_eq!(budget.objection(now + seconds(939)), None);
        assert_eq!(budget.objection(now + seconds(940)), Some(Spent::Time));
        assert_eq!(fetch(&budget, None, 1).await, Ok(()));
        let late = Arc::new(Budget::new(caps, now.checked_sub(seconds(940)).unwrap_or(now)));
        assert_eq!(fetch(&late, None, 1).await, Err(Spent::Time));
    }
}
