//! Files that JSOC's export system makes: days folded into orders, one order at a time, each known again after a restart.
//!
//! An order's number is in the journal of each of its days before it is asked after. An order that was cut off before its
//! number was told is given again word for word, which JSOC knows for the same one. What it does not do: list records.

mod join;
mod order;
mod reply;
mod stretch;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use tokio::sync::{Mutex as Turn, RwLock, RwLockReadGuard, oneshot};
use tokio::time::Instant;
use url::Url;

use super::listing::{Names, Ordered};
use super::query::{OrderSet, Question};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::manifest::Export;
use crate::net::Client;
use crate::source::{Body, Memory, RemoteFile};
use crate::untrusted::escape;
use order::{Counter, Ended, PATIENCE, Placed, TOLD};
use reply::Row;
use stretch::{Stretch, cover, halves, remembered};

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
pub(super) struct Wanted<'a> {
    pub(super) window: Window,
    /// Its files.
    pub(super) files: &'a mut [RemoteFile],
    /// What the export system knows them by.
    pub(super) names: Names,
    /// What JSOC has on disk of them, in bytes, as far as it tells.
    pub(super) size: u64,
    pub(super) memory: &'a Arc<dyn Memory>,
}

/// A day that waits for its files.
struct Waiting {
    window: Window,
    names: Arc<Names>,
    size: u64,
    memory: Arc<dyn Memory>,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Arc<Vec<Row>>, Failure>;

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
        question: &Question<'_>,
        wanted: Wanted<'_>,
        coming: Coming<'_>,
    ) -> Result<(), Failure> {
        let Wanted { window, files, names, size, memory } = wanted;
        let Some(window) = lacking(window, files, question.step(), |file| memory.has(file)) else { return Ok(()) };
        let names = Arc::new(names);
        let mut coming = Some(coming);
        let rows = loop {
            let (answer, mut answered) = oneshot::channel();
            let memory = Arc::clone(memory);
            self.queue().push(Waiting { window, names: Arc::clone(&names), size, memory, answer });
            drop(coming.take());
            let turn = tokio::select! {
                biased;
                answer = &mut answered => match answer {
                    Ok(rows) => break rows?,
                    // Whoever had taken the day along was stopped: it comes again.
                    Err(_) => continue,
                },
                turn = self.turn.lock() => turn,
            };
            // Days that are being listed may be wanted in the same order.
            drop(self.listing.write().await);
            if let Some(failure) = self.given_up.get() {
                let message = format!("nothing more is ordered in this run: {}", failure.message);
                return Err(Failure { message, ..failure.clone() });
            }
            let batch = self.take(window);
            if !batch.is_empty() {
                let rows = self.serve(question, &batch, self.end_of(&batch)).await;
                if let Err(failure) = &rows
                    && failure.class == Class::Pending
                {
                    let _ = self.given_up.set(failure.clone());
                }
                for waiting in batch {
                    // A day that was stopped meanwhile wants nothing any more.
                    let _ = waiting.answer.send(rows.clone());
                }
            }
            drop(turn);
            if let Ok(rows) = answered.try_recv() {
                break rows?;
            }
        };
        join::join(files, window, &names, &rows, &self.counter.base).inspect_err(|_| {
            // What was left out is ordered anew, and not asked after for ever.
            if let Err(failure) = memory.keep("") {
                tracing::warn!(%failure, "an order's number is not forgotten");
            }
        })
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

    /// Gets what the days of a batch want: they lie side by side.
    async fn serve(&self, question: &Question<'_>, batch: &[Waiting], end: Instant) -> Answer {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(Arc::default()) };
        let whole = Window { start: first.window.start, end: last.window.end };
        let kept = batch.iter().filter_map(|waiting| waiting.memory.recall());
        let mut todo = cover(whole, kept.flat_map(|text| remembered(&text)).collect());
        todo.reverse();
        let mut all = Vec::new();
        while let Some(stretch) = todo.pop() {
            match self.settle(question, &stretch, (batch, end)).await? {
                Ended::Done(rows) => {
                    let is_ours = whole.start <= stretch.window.start && stretch.window.end <= whole.end;
                    let names: Vec<_> = batch.iter().map(|waiting| &*waiting.names).collect();
                    if let Some((count, one)) = join::strange(&rows, stretch.window, &names).filter(|_| is_ours) {
                        tracing::warn!(
                            "the export system made {count} files that are not listed, such as `{}`",
                            self.counter.told(one)
                        );
                    }
                    all.extend(rows);
                }
                Ended::TooLarge(words) => {
                    forget(stretch.window, batch)?;
                    let Some((before, after)) = halves(stretch.window) else {
                        let why = format!("no shorter time can be ordered: {words}");
                        return Err(Failure::new(Class::SourceRefused, why));
                    };
                    tracing::info!("an order is cut in two: {words}");
                    todo.extend([after, before].map(|window| Stretch { window, id: None }));
                }
                Ended::Gone(words) => {
                    let why = format!("the export system lost an order, and the same one again: {words}");
                    return Err(Failure::new(Class::SourceRefused, why));
                }
            }
        }
        Ok(Arc::new(all))
    }

    /// One order from wherever it stands to its end. One that is gone is given again, once.
    async fn settle(
        &self,
        question: &Question<'_>,
        stretch: &Stretch,
        (batch, end): (&[Waiting], Instant),
    ) -> Result<Ended, Failure> {
        if let Some(id) = &stretch.id {
            tracing::info!("asking after the order {} of an earlier run", self.counter.told(id));
            match self.follow(id, None, stretch.window, (batch, end)).await? {
                Ended::Gone(words) => {
                    tracing::info!("the order {} is gone ({words}); it is given again", self.counter.told(id));
                }
                ended => return Ok(ended),
            }
        }
        let listed: Vec<&Ordered> = batch.iter().flat_map(|waiting| waiting.names.values()).collect();
        let set = match question.order_set(stretch.window, &listed) {
            OrderSet::Nothing => return Ok(Ended::Done(Vec::new())),
            OrderSet::TooLong => return Ok(Ended::TooLarge("it names too many records".to_owned())),
            OrderSet::Records(set) => set,
        };
        let set = format!("{set}{{{}}}", question.segments.join(","));
        let mut lost = stretch.id.is_some();
        loop {
            keep(&Stretch { id: None, ..stretch.clone() }, batch)?;
            let ended = match self.counter.place(&set, question, end).await? {
                Placed::Ended(ended) => ended,
                Placed::Queued { id, wait } => {
                    keep(&Stretch { window: stretch.window, id: Some(id.clone()) }, batch)?;
                    tracing::info!(target: TOLD, "ordered from JSOC as {}, and waited for: `{}`", self.counter.told(&id), escape(&set));
                    self.follow(&id, Some(wait.unwrap_or_default()), stretch.window, (batch, end)).await?
                }
            };
            match ended {
                Ended::Gone(words) if !lost => {
                    lost = true;
                    tracing::info!("the order is gone ({words}); it is given again");
                }
                ended => return Ok(ended),
            }
        }
    }

    /// Asks after an order. One that is refused after all is forgotten: another run may have more luck with a new one.
    async fn follow(
        &self,
        id: &str,
        wait: Option<Duration>,
        window: Window,
        (batch, end): (&[Waiting], Instant),
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
fn lacking(
    day: Window,
    files: &[RemoteFile],
    step: TimeDelta,
    is_here: impl Fn(&RemoteFile) -> bool,
) -> Option<Window> {
    let of = |file: &&RemoteFile| file.body == Body::Remote;
    let (here, lacking): (Vec<&RemoteFile>, Vec<&RemoteFile>) = files.iter().filter(of).partition(|file| is_here(file));
    let times = || lacking.iter().map(|file| file.time);
    let (first, last) = (times().min()?, times().max()?);
    if here.is_empty() {
        return Some(day);
    }
    Some(Window { start: first, end: last.checked_add_signed(step).unwrap_or(day.end) }.intersect(&day))
}

/// Keeps an order with each day that it is for, durably before anything else is asked.
fn keep(stretch: &Stretch, batch: &[Waiting]) -> Result<(), Failure> {
    for waiting in of(stretch.window, batch) {
        let text = stretch::with(waiting.memory.recall().as_deref(), stretch);
        waiting.memory.keep(&text)?;
    }
    Ok(())
}

fn forget(window: Window, batch: &[Waiting]) -> Result<(), Failure> {
    for waiting in of(window, batch) {
        let text = stretch::without(waiting.memory.recall().as_deref(), window);
        waiting.memory.keep(&text)?;
    }
    Ok(())
}

/// The days that a stretch of time is for.
fn of(window: Window, batch: &[Waiting]) -> impl Iterator<Item = &Waiting> {
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
mod tests {
    use super::super::structure::{Structure, tests::SHARP};
    use super::super::tests::ordered;
    use super::*;
    use crate::day::Day;
    use crate::manifest::Protocol;
    use crate::source::hmi::tests::{client, ok, service};

    #[derive(Default)]
    struct Kept(Mutex<Option<String>>);

    impl Memory for Kept {
        fn recall(&self) -> Option<String> {
            self.0.lock().unwrap().clone()
        }

        fn keep(&self, text: &str) -> Result<(), Failure> {
            *self.0.lock().unwrap() = Some(text.to_owned());
            Ok(())
        }

        fn has(&self, _: &RemoteFile) -> bool {
            false
        }
    }

    fn window(date: &str) -> Window {
        Day::whole(date.parse().unwrap()).window
    }

    #[tokio::test]
    async fn an_order_that_takes_too_long_ends_the_orders_of_the_run_and_is_remembered() {
        let (base, asked) = service(ok(r#"{"status":2,"requestid":"JSOC_1","wait":0}"#)).await;
        let structure = Structure::read(SHARP.as_bytes()).unwrap();
        let series = ordered("hmi.sharp_cea_720s", Protocol::Fits);
        let question = Question::of(&series, &structure).unwrap();
        let export = question.export().unwrap().clone();
        let desk = Desk { patience: Duration::ZERO, ..Desk::new(base.clone(), client(&base), export) };
        let memory: Arc<dyn Memory> = Arc::new(Kept::default());
        // The same day once more, as the next attempt at its listing; and another one.
        for date in ["2011-02-15", "2011-02-15", "2011-02-16"] {
            let window = window(date);
            let mut files = [RemoteFile::new("1/Br".into(), base.clone(), "/x".into(), window.start)];
            let names = Names::new();
            let wanted = Wanted { window, files: &mut files, names, size: 1, memory: &memory };
            let failure = desk.fill(&question, wanted, desk.coming().await).await.unwrap_err();
            assert_eq!((failure.class, failure.class.is_retried()), (Class::Pending, false), "{failure}");
            assert!(failure.message.contains("the order `JSOC_1`: it is not done after 24 hours"), "{failure}");
        }
        assert_eq!(asked.lock().unwrap().len(), 1, "one order, and no other one while it is under way");
        assert!(memory.recall().unwrap().contains("JSOC_1"));
    }

    #[tokio::test]
    async fn a_day_that_is_listed_once_more_is_not_waited_for_anew() {
        let base: Url = "http://127.0.0.1:9/".parse().unwrap();
        let series = ordered("hmi.sharp_cea_720s", Protocol::Fits);
        let structure = Structure::read(SHARP.as_bytes()).unwrap();
        let export = Question::of(&series, &structure).unwrap().export().unwrap().clone();
        let desk = Desk::new(base.clone(), client(&base), export);
        let waiting = |date: &str| Waiting {
            window: window(date),
            names: Arc::default(),
            size: 0,
            memory: Arc::new(Kept::default()),
            answer: oneshot::channel().0,
        };
        let first = desk.end_of(&[waiting("2011-02-15")]);
        assert_eq!(desk.end_of(&[waiting("2011-02-15"), waiting("2011-02-17")]), first);
    }

    #[test]
    fn of_a_day_that_is_looked_at_again_only_the_time_of_what_is_new_is_ordered() {
        let day = Day::whole("2011-02-15".parse().unwrap()).window;
        let file = |key: &str, time: &str| {
            let url = Url::parse("http://h.example/x").unwrap();
            RemoteFile::new(key.to_owned(), url, "/x".to_owned(), format!("2011-02-15T{time}").parse().unwrap())
        };
        let mut files =
            vec![file("1", "00:00:00"), file("2", "12:00:00"), file("3", "12:12:00"), file("4", "23:48:00")];
        let asked = |files: &[RemoteFile], here: &[&str]| {
            let window = lacking(day, files, TimeDelta::seconds(720), |file| here.contains(&file.key.as_str()))?;
            Some(format!("{} {}", window.start.format("%H:%M"), window.end.format("%d %H:%M")))
        };
        assert_eq!(asked(&files, &[]).as_deref(), Some("00:00 16 00:00"));
        assert_eq!(asked(&files, &["1", "4"]).as_deref(), Some("12:00 15 12:24"));
        assert_eq!(asked(&files, &["1", "2", "3"]).as_deref(), Some("23:48 16 00:00"));
        assert_eq!(asked(&files, &["1", "2", "3", "4"]), None);
        files[3].body = Body::None;
        assert_eq!(asked(&files, &["1", "2", "3"]), None, "there is no file to order");
        assert_eq!(asked(&[], &[]), None);
    }
}
