//! Files that JSOC's export system makes: days folded into orders, one order at a time, each known again after a restart.
//!
//! An order's number is in the journal of each of its days before it is asked after. An order that was cut off before
//! its number was told is given again word for word, which JSOC knows for the same one.

mod by_record;
mod file_name;
mod join;
mod order;
mod reply;
mod stretch;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use tokio::sync::{Mutex as Turn, RwLock, RwLockReadGuard, oneshot};
use tokio::time::Instant;
use url::Url;

use super::query::{OrderSet, RecordQuery};
use super::record::{Names, Ordered};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::manifest::Export;
use crate::net::Client;
use crate::source::{Body, Memory, RemoteFile};
use crate::untrusted::escape;
use by_record::Delivered;
use order::{Counter, Ended, OrderPlaced, PATIENCE, TOLD, no};
use stretch::{OrderRange, SHORTEST, SHORTEST_NAMED, cover, halves, remembered};

/// Days are folded into one order as long as JSOC has no more than this on disk of them: 20 GB.
const FOLD: u64 = 20_000_000_000;

/// Who may order now, by JSOC and e-mail address: JSOC takes one order of a person at a time, whichever series or job it is
/// for.
static TURNS: LazyLock<Mutex<Turns>> = LazyLock::new(Mutex::default);

type Turns = HashMap<(String, String), Weak<Turn<()>>>;

/// Where the days of one series meet to order.
pub(super) struct Desk {
    counter: Counter,
    turn: Arc<Turn<()>>,
    /// Held by days that are being listed, so that those which come together order together.
    listing: RwLock<()>,
    queue: Mutex<Vec<Waiting>>,
    /// How long the orders of a day are waited for.
    patience: Duration,
    /// Since when that is so, by the days' starts: not anew with each attempt at a listing.
    since: Mutex<HashMap<NaiveDateTime, Instant>>,
    /// Why nothing more is ordered in this run: as long as an order is not done, JSOC takes no other one.
    given_up: OnceLock<Failure>,
}

/// A day being listed.
pub(super) type Coming<'a> = RwLockReadGuard<'a, ()>;

/// What a day wants.
pub(super) struct DayOrder<'a> {
    pub(super) window: Window,
    /// Its files.
    pub(super) files: &'a mut [RemoteFile],
    /// What the export system knows them by.
    pub(super) names: Names,
    /// What JSOC has on disk of them, in bytes, as far as it tells.
    pub(super) size: u64,
    /// The times of records that no order may have.
    pub(super) not_orderable: BTreeSet<NaiveDateTime>,
    pub(super) memory: &'a Arc<dyn Memory>,
}

/// A day that waits for its files.
struct Waiting {
    window: Window,
    names: Arc<Names>,
    size: u64,
    not_orderable: Arc<BTreeSet<NaiveDateTime>>,
    /// The records whose files are not here, by their times and numbers.
    due: Arc<BTreeSet<(NaiveDateTime, i64)>>,
    memory: Arc<dyn Memory>,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Arc<Delivered>, Failure>;

/// What came of the orders of days that were ordered together.
enum OrderServed {
    Delivered(Arc<Delivered>),
    /// JSOC refuses one of them, since files are not on its disks.
    Offline(Failure),
}

impl OrderServed {
    fn answer(self) -> Answer {
        match self {
            OrderServed::Delivered(delivered) => Ok(delivered),
            OrderServed::Offline(failure) => Err(failure),
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("counter", &self.counter).finish_non_exhaustive()
    }
}

impl Desk {
    pub(super) fn new(base: Url, client: Client, export: Export) -> Desk {
        let turn = turn(&base, &export.email);
        let counter = Counter { base, client, export };
        Desk {
            counter,
            turn,
            listing: RwLock::new(()),
            queue: Mutex::default(),
            patience: PATIENCE,
            since: Mutex::default(),
            given_up: OnceLock::new(),
        }
    }

    /// To be held while a day is listed.
    pub(super) async fn coming(&self) -> Coming<'_> {
        self.listing.read().await
    }

    /// Gets the files of a day made, and says where each of them is.
    ///
    /// # Errors
    /// `source-refused` with JSOC's own words, `pending` where it takes too long, `storage` when an order's number
    /// cannot be kept.
    pub(super) async fn fill(
        &self,
        question: &RecordQuery<'_>,
        wanted: DayOrder<'_>,
        coming: Coming<'_>,
    ) -> Result<(), Failure> {
        let DayOrder { window, files, names, size, not_orderable, memory } = wanted;
        let here = memory.here(files);
        let Some(window) = lacking(window, files, question.step(), &here) else { return Ok(()) };
        let due = files.iter().filter(|file| file.body == Body::Remote && !here.contains(&file.key));
        let due = due.filter_map(|file| names.get(&file.key)).map(|ordered| (ordered.time, ordered.recnum)).collect();
        let (names, not_orderable, due) = (Arc::new(names), Arc::new(not_orderable), Arc::new(due));
        let mut coming = Some(coming);
        let delivered = loop {
            let (answer, mut answered) = oneshot::channel();
            let (names, memory) = (Arc::clone(&names), Arc::clone(memory));
            let (not_orderable, due) = (Arc::clone(&not_orderable), Arc::clone(&due));
            self.queue().push(Waiting { window, names, size, not_orderable, due, memory, answer });
            drop(coming.take());
            let turn = tokio::select! {
                biased;
                answer = &mut answered => match answer {
                    Ok(delivered) => break delivered?,
                    // The task that was to order this day was stopped: the day is queued again.
                    Err(_) => continue,
                },
                turn = self.turn.lock() => turn,
            };
            // Days that are still being listed may go into the same order.
            drop(self.listing.write().await);
            if let Some(failure) = self.given_up.get() {
                let message = format!("nothing more is ordered in this run: {}", failure.message);
                return Err(Failure { message, ..failure.clone() });
            }
            let batch = self.take(window);
            if !batch.is_empty() {
                let answers = self.serve_each(question, &batch, self.end_of(&batch)).await;
                for (waiting, delivered) in batch.into_iter().zip(answers) {
                    // A day that was stopped in the meantime needs nothing any more.
                    let _ = waiting.answer.send(delivered);
                }
            }
            drop(turn);
            if let Ok(delivered) = answered.try_recv() {
                break delivered?;
            }
        };
        // Files that are here are not ordered again where records are ordered by number.
        let mut wanted = (*names).clone();
        wanted.retain(|key, _| !here.contains(key));
        let joined = join::join(files, window, &wanted, &delivered, &self.counter.base);
        // Files that the order left out are ordered again, instead of asking about them for ever.
        if (joined.is_err() || files.iter().any(|file| matches!(file.body, Body::NotMade(_))))
            && let Err(failure) = memory.keep("")
        {
            tracing::warn!(%failure, "an order's number is not forgotten");
        }
        joined
    }

    /// Takes a day from the queue, with those that lie next to it.
    fn take(&self, window: Window) -> Vec<Waiting> {
        let mut queue = self.queue();
        queue.retain(|waiting| !waiting.answer.is_closed());
        queue.sort_by_key(|waiting| (waiting.window.start, waiting.window.end));
        let Some(own) = queue.iter().position(|waiting| waiting.window == window) else { return Vec::new() };
        let (mut first, mut last, mut size) = (own, own, queue[own].size);
        let touches = |one: usize, next: usize| queue[one].window.end == queue[next].window.start;
        let fits = |size: u64, more: usize| size.saturating_add(queue[more].size) <= FOLD;
        while first > 0 && touches(first - 1, first) && fits(size, first - 1) {
            first -= 1;
            size += queue[first].size;
        }
        while last + 1 < queue.len() && touches(last, last + 1) && fits(size, last + 1) {
            last += 1;
            size += queue[last].size;
        }
        queue.drain(first..=last).collect()
    }

    /// Until when the days of a batch are waited for.
    fn end_of(&self, batch: &[Waiting]) -> Instant {
        let now = Instant::now();
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = batch.iter().map(|waiting| *since.entry(waiting.window.start).or_insert(now)).min();
        begun.unwrap_or(now) + self.patience
    }

    /// Gets what each day of a batch wants. Where JSOC refuses to order them together since files are not on its disks, each
    /// is ordered alone: which day they are of, it does not say.
    async fn serve_each(&self, question: &RecordQuery<'_>, batch: &[Waiting], end: Instant) -> Vec<Answer> {
        let together = self.serve(question, batch, end).await;
        let is_split = matches!(&together, Ok(OrderServed::Offline(_))) && batch.len() > 1;
        if !is_split {
            let answer = together.and_then(OrderServed::answer);
            self.note_pending(&answer);
            return vec![answer; batch.len()];
        }
        let mut answers = Vec::with_capacity(batch.len());
        for day in batch.chunks(1) {
            let answer = match self.given_up.get() {
                Some(failure) => Err(failure.clone()),
                None => self.serve(question, day, end).await.and_then(OrderServed::answer),
            };
            self.note_pending(&answer);
            answers.push(answer);
        }
        answers
    }

    /// Ends the orders of the run with one that takes too long.
    fn note_pending(&self, answer: &Answer) {
        if let Err(failure) = answer
            && failure.class == Class::Pending
        {
            let _ = self.given_up.set(failure.clone());
        }
    }

    /// Gets what the days of a batch want: they lie side by side.
    async fn serve(&self, question: &RecordQuery<'_>, batch: &[Waiting], end: Instant) -> Result<OrderServed, Failure> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(OrderServed::Delivered(Arc::default()));
        };
        let whole = Window { start: first.window.start, end: last.window.end };
        let kept = batch.iter().filter_map(|waiting| waiting.memory.recall());
        let mut todo = cover(whole, kept.flat_map(|text| remembered(&text)).collect());
        todo.reverse();
        let mut all = Delivered::default();
        while let Some(stretch) = todo.pop() {
            match self.settle(question, &stretch, batch, end).await? {
                Ended::Done(rows) => {
                    let is_ours = whole.start <= stretch.window.start && stretch.window.end <= whole.end;
                    let names: Vec<_> = batch.iter().map(|waiting| &*waiting.names).collect();
                    if let Some((count, one)) = join::strange(&rows, stretch.window, &names).filter(|_| is_ours) {
                        tracing::warn!(
                            "the export system made {count} files that are not listed, such as `{}`",
                            self.counter.redact(one)
                        );
                    }
                    all.rows.extend(rows);
                }
                Ended::TooLarge(words) => todo.extend(cut(stretch.window, SHORTEST, &words, batch)?),
                Ended::TooLong => {
                    todo.extend(cut(stretch.window, SHORTEST_NAMED, "it names too many records", batch)?);
                }
                Ended::Offline(words) => {
                    forget(stretch.window, batch)?;
                    if batch.len() > 1 {
                        return Ok(OrderServed::Offline(no(&words)));
                    }
                    tracing::info!("records are ordered by their numbers: JSOC says: {words}");
                    let Delivered { rows, not_had } =
                        self.serve_by_record(question, due(stretch.window, batch), end).await?;
                    all.rows.extend(rows);
                    all.not_had.extend(not_had);
                }
                Ended::Gone(words) => {
                    let why = format!("the export system lost an order, and the same one again: {words}");
                    return Err(Failure::new(Class::SourceRefused, why));
                }
            }
        }
        Ok(OrderServed::Delivered(Arc::new(all)))
    }

    /// One order from wherever it stands to its end. One that is gone is given again, once.
    async fn settle(
        &self,
        question: &RecordQuery<'_>,
        stretch: &OrderRange,
        batch: &[Waiting],
        end: Instant,
    ) -> Result<Ended, Failure> {
        if let Some(id) = &stretch.id {
            tracing::info!("asking after the order {} of an earlier run", self.counter.redact(id));
            match self.follow(id, None, stretch.window, batch, end).await? {
                Ended::Gone(words) => {
                    tracing::info!(
                        "the order {} no longer exists ({words}); ordering it again",
                        self.counter.redact(id)
                    );
                }
                ended => return Ok(ended),
            }
        }
        let listed: Vec<&Ordered> = batch.iter().flat_map(|waiting| waiting.names.values()).collect();
        let not_orderable = batch.iter().flat_map(|waiting| waiting.not_orderable.iter().copied()).collect();
        let set = match question.order_set(stretch.window, &listed, &not_orderable) {
            OrderSet::Nothing => return Ok(Ended::Done(Vec::new())),
            OrderSet::TooLong => return Ok(Ended::TooLong),
            OrderSet::Records(set) => set,
        };
        let kept = |id| keep(&OrderRange { window: stretch.window, id }, batch);
        let ended = self.order(&set, question, kept, end).await;
        if matches!(&ended, Err(failure) if failure.class == Class::SourceRefused) {
            forget(stretch.window, batch)?;
        }
        match ended? {
            // It is placed again once; an order of an earlier run has been placed again by now.
            Ended::Gone(_) if stretch.id.is_none() => self.order(&set, question, kept, end).await,
            ended => Ok(ended),
        }
    }

    /// Gives an order for a record set, and asks after it until it has an end. `keep` is told of its number before.
    ///
    /// # Errors
    /// As [`Counter::place`] and [`Counter::follow`], and what `keep` says.
    async fn order(
        &self,
        set: &str,
        question: &RecordQuery<'_>,
        keep: impl Fn(Option<String>) -> Result<(), Failure>,
        end: Instant,
    ) -> Result<Ended, Failure> {
        let set = format!("{set}{{{}}}", question.segments.join(","));
        keep(None)?;
        match self.counter.place(&set, question, end).await? {
            OrderPlaced::Ended(ended) => Ok(ended),
            OrderPlaced::Queued { id, wait } => {
                keep(Some(id.clone()))?;
                tracing::info!(target: TOLD, "ordered from JSOC as {}, and waited for: `{}`", self.counter.redact(&id), escape(&set));
                self.counter.follow(&id, Some(wait.unwrap_or_default()), end).await
            }
        }
    }

    /// Asks after an order. One that is refused after all is forgotten: another run may have more luck with a new one.
    async fn follow(
        &self,
        id: &str,
        wait: Option<Duration>,
        window: Window,
        batch: &[Waiting],
        end: Instant,
    ) -> Result<Ended, Failure> {
        let ended = self.counter.follow(id, wait, end).await;
        if matches!(&ended, Err(failure) if failure.class == Class::SourceRefused) {
            forget(window, batch)?;
        }
        ended
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a day must be ordered: all of it, or, when it is looked at again, the time of what is not here. None when
/// everything is.
fn lacking(day: Window, files: &[RemoteFile], step: TimeDelta, is_here: &HashSet<String>) -> Option<Window> {
    let of = |file: &&RemoteFile| file.body == Body::Remote;
    let (here, lacking): (Vec<&RemoteFile>, Vec<&RemoteFile>) =
        files.iter().filter(of).partition(|file| is_here.contains(&file.key));
    let times = || lacking.iter().map(|file| file.time);
    let (first, last) = (times().min()?, times().max()?);
    if here.is_empty() {
        return Some(day);
    }
    Some(Window { start: first, end: last.checked_add_signed(step).unwrap_or(day.end) }.intersect(&day))
}

/// Keeps an order with each day that it is for, durably before anything else is asked.
fn keep(stretch: &OrderRange, batch: &[Waiting]) -> Result<(), Failure> {
    for waiting in waiting_in(stretch.window, batch) {
        let text = stretch::with(waiting.memory.recall().as_deref(), stretch);
        waiting.memory.keep(&text)?;
    }
    Ok(())
}

/// The halves of a stretch whose order is more than JSOC takes, the later one first.
///
/// # Errors
/// `source-refused` with JSOC's own words where none can be shorter.
fn cut(window: Window, shortest: TimeDelta, words: &str, batch: &[Waiting]) -> Result<[OrderRange; 2], Failure> {
    forget(window, batch)?;
    let Some((before, after)) = halves(window, shortest) else {
        let why = format!("no shorter time can be ordered: {words}");
        return Err(Failure::new(Class::SourceRefused, why));
    };
    tracing::info!("an order is cut in two: {words}");
    Ok([after, before].map(|window| OrderRange { window, id: None }))
}

fn forget(window: Window, batch: &[Waiting]) -> Result<(), Failure> {
    for waiting in waiting_in(window, batch) {
        let text = stretch::without(waiting.memory.recall().as_deref(), window);
        waiting.memory.keep(&text)?;
    }
    Ok(())
}

/// The numbers of the records of a stretch of time whose files are not here, in the order of their times.
fn due(window: Window, batch: &[Waiting]) -> Vec<i64> {
    let due = waiting_in(window, batch).flat_map(|waiting| waiting.due.iter());
    due.filter(|(time, _)| window.contains(*time)).map(|(_, recnum)| *recnum).collect()
}

/// The days that a stretch of time is for.
fn waiting_in(window: Window, batch: &[Waiting]) -> impl Iterator<Item = &Waiting> {
    batch.iter().filter(move |waiting| !waiting.window.intersect(&window).is_empty())
}

fn turn(base: &Url, email: &str) -> Arc<Turn<()>> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    let of = (base.origin().ascii_serialization(), email.to_owned());
    let known = turns.get(&of).and_then(Weak::upgrade);
    known.unwrap_or_else(|| {
        let turn = Arc::new(Turn::new(()));
        turns.insert(of, Arc::downgrade(&turn));
        turn
    })
}

#[cfg(test)]
mod tests;
