//! The clock that pauses and rates are measured by, injected so that a test can hold it.
//!
//! Sockets are not timed by it; they use the runtime's own timers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

/// A wait for an instant.
pub(super) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time since some fixed start, and waits for later instants of it.
pub(super) trait Clock: fmt::Debug + Send + Sync {
    /// The time since the clock's start; never runs backwards.
    fn now(&self) -> Duration;

    /// The calendar's time, for dates in headers where the answer has none of its own.
    fn wall(&self) -> SystemTime;

    /// Ends once `now` has reached `at`.
    fn sleep_until(&self, at: Duration) -> Sleep;
}

/// The clock of the runtime.
#[derive(Debug)]
pub(super) struct RuntimeClock {
    start: tokio::time::Instant,
}

impl RuntimeClock {
    /// Starts at zero.
    pub(super) fn start() -> RuntimeClock {
        RuntimeClock { start: tokio::time::Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        match self.start.checked_add(at) {
            Some(at) => Box::pin(tokio::time::sleep_until(at)),
            // A host may ask for a wait beyond all calendars.
            None => Box::pin(std::future::pending()),
        }
    }
}

#[cfg(test)]
pub(super) mod fake {
    //! A clock that stands still until everything that could run has run, then jumps to the next instant waited for.

    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Wake, Waker};

    use super::{Clock, Duration, Future, Pin, Sleep, SystemTime};

    #[derive(Debug, Default)]
    struct SharedClock {
        now: Duration,
        waiting: Vec<(Duration, Waker)>,
    }

    /// A clock in a test's hand.
    #[derive(Debug, Clone, Default)]
    pub(in crate::net) struct FakeClock(Arc<Mutex<SharedClock>>);

    impl Clock for FakeClock {
        fn now(&self) -> Duration {
            self.0.lock().unwrap().now
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + self.now()
        }

        fn sleep_until(&self, at: Duration) -> Sleep {
            let shared = Arc::clone(&self.0);
            Box::pin(std::future::poll_fn(move |cx| {
                let mut shared = shared.lock().unwrap();
                if shared.now >= at {
                    return Poll::Ready(());
                }
                shared.waiting.push((at, cx.waker().clone()));
                Poll::Pending
            }))
        }
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl FakeClock {
        /// Runs `work` to its end, moving time only when nothing else can happen.
        pub(in crate::net) fn run<F: Future>(&self, work: F) -> F::Output {
            let mut work: Pin<Box<F>> = Box::pin(work);
            let woken = Arc::new(Woken(AtomicBool::new(true)));
            let waker = Waker::from(Arc::clone(&woken));
            loop {
                if woken.0.swap(false, Ordering::Relaxed) {
                    if let Poll::Ready(out) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return out;
                    }
                } else {
                    self.jump();
                }
            }
        }

        fn jump(&self) {
            let mut shared = self.0.lock().unwrap();
            let next = shared.waiting.iter().map(|(at, _)| *at).min().expect("nothing runs and nothing waits");
            shared.now = shared.now.max(next);
            let due: Vec<_> = shared.waiting.extract_if(.., |(at, _)| *at <= next).collect();
            drop(shared);
            for (_, waker) in due {
                waker.wake();
            }
        }
    }
}
