//! The pace of one host group: requests per second, bytes per second, and pauses that hold for everyone.
//!
//! It does not count connections, and does not decide how long a pause is.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::bandwidth::Bucket;
use super::clock::Clock;
use crate::manifest::{Bandwidth, Rate};

/// Lets requests and bytes of one host group through, at its pace and in their order.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    /// One waiter at a time stands before the limiter; the others queue here, first come, first served.
    turnstile: tokio::sync::Mutex<()>,
    state: Mutex<LimiterState>,
}

#[derive(Debug)]
struct LimiterState {
    rate: Rate,
    limiter: Option<Limiter>,
    bandwidth: Bandwidth,
    bucket: Bucket,
    paused_until: Duration,
    paused: Duration,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Injected, NoOpMiddleware<Duration>>;

/// Our clock in the form that governor asks for.
#[derive(Debug, Clone)]
struct Injected(Arc<dyn Clock>);

impl GovernorClock for Injected {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now()
    }
}

enum Step {
    Go(Duration),
    Wait(Duration),
}

impl Pace {
    /// A pace with these limits, not paused.
    pub(super) fn new(clock: Arc<dyn Clock>, rate: Rate, bandwidth: Bandwidth) -> Pace {
        let limiter = limiter(&clock, rate);
        let state = LimiterState {
            rate,
            limiter,
            bandwidth,
            bucket: Bucket::default(),
            paused_until: Duration::ZERO,
            paused: Duration::ZERO,
        };
        Pace { clock, turnstile: tokio::sync::Mutex::new(()), state: Mutex::new(state) }
    }

    /// Takes the stricter of what holds and what is asked, each by itself.
    pub(super) fn tighten(&self, rate: Rate, bandwidth: Bandwidth) {
        let mut state = self.state();
        if is_stricter(rate, state.rate) {
            state.rate = rate;
            state.limiter = limiter(&self.clock, rate);
            // A new limiter starts full: its first turn may fall on a request just sent under the old one.
            if let Some(limiter) = &state.limiter {
                while limiter.check().is_ok() {}
            }
        }
        match (bandwidth, state.bandwidth) {
            (Bandwidth::BytesPerSecond(_), Bandwidth::Unlimited) => state.bandwidth = bandwidth,
            (Bandwidth::BytesPerSecond(new), Bandwidth::BytesPerSecond(old)) if new < old => {
                state.bandwidth = bandwidth;
            }
            _ => {}
        }
    }

    /// The limits in force.
    pub(super) fn limits(&self) -> (Rate, Bandwidth) {
        let state = self.state();
        (state.rate, state.bandwidth)
    }

    /// Waits until one request may be sent, and says when that is.
    ///
    /// A pause that begins while a request waits holds it too: the pause is looked at in the very step that lets go.
    pub(super) async fn turn(&self) -> Duration {
        if let Some(now) = self.open_road() {
            return now;
        }
        let _turn = self.turnstile.lock().await;
        loop {
            match self.step() {
                Step::Go(now) => return now,
                Step::Wait(until) => self.clock.sleep_until(until).await,
            }
        }
    }

    /// Waits until `bytes` more may be handed on.
    pub(super) async fn bytes(&self, bytes: usize) {
        let until = {
            let mut state = self.state();
            let Bandwidth::BytesPerSecond(rate) = state.bandwidth else { return };
            let now = self.clock.now();
            let until = state.bucket.charge(now, bytes, rate);
            if until <= now {
                return;
            }
            until
        };
        self.clock.sleep_until(until).await;
    }

    /// No request leaves for `wait` from now. A pause that ends later stays as it is.
    pub(super) fn pause(&self, wait: Duration) {
        let mut state = self.state();
        let now = self.clock.now();
        let until = now.saturating_add(wait);
        if until > state.paused_until {
            let from = state.paused_until.max(now);
            state.paused = state.paused.saturating_add(until.saturating_sub(from));
            state.paused_until = until;
        }
    }

    /// How long the present pause still holds.
    pub(super) fn pause_left(&self) -> Duration {
        self.state().paused_until.saturating_sub(self.clock.now())
    }

    /// How long pauses held up to now.
    pub(super) fn paused(&self) -> Duration {
        let state = self.state();
        state.paused.saturating_sub(state.paused_until.saturating_sub(self.clock.now()))
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The short way for hosts without a rate: no limiter, no queue.
    fn open_road(&self) -> Option<Duration> {
        let state = self.state();
        let now = self.clock.now();
        (state.limiter.is_none() && state.paused_until <= now).then_some(now)
    }

    fn step(&self) -> Step {
        let state = self.state();
        let now = self.clock.now();
        if state.paused_until > now {
            return Step::Wait(state.paused_until);
        }
        match state.limiter.as_ref().map(Limiter::check) {
            None | Some(Ok(())) => Step::Go(now),
            Some(Err(not_until)) => Step::Wait(not_until.earliest_possible()),
        }
    }
}

/// True when `new` lets less through than `old`.
fn is_stricter(new: Rate, old: Rate) -> bool {
    match (new, old) {
        (Rate::PerSecond(new), Rate::PerSecond(old)) => new < old,
        (Rate::PerSecond(_), Rate::Unlimited) => true,
        (Rate::Unlimited, _) => false,
    }
}

/// A limiter that keeps the rate in every window of one second, wherever the window is laid.
///
/// Slow rates go one by one. Fast ones come in small bursts, since timers are too coarse for single requests; what the
/// burst may add is taken off the refill, so that both together stay within the rate.
fn limiter(clock: &Arc<dyn Clock>, rate: Rate) -> Option<Limiter> {
    let Rate::PerSecond(rate) = rate else { return None };
    // A rate above a million a second never holds anything back, and one below one a day never lets anything go.
    let rate = rate.clamp(1.0 / 86_400.0, 1_000_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rate was clamped just above")]
    let extra = (rate / 64.0) as u32;
    // Rounded up: a period cut short by half a nanosecond would let one too many into a window.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a day of nanoseconds")]
    let period = Duration::from_nanos((1e9 / (rate - f64::from(extra))).ceil() as u64);
    let burst = NonZeroU32::MIN.saturating_add(extra);
    let quota = Quota::with_period(period)?.allow_burst(burst);
    Some(RateLimiter::direct_with_clock(quota, Injected(Arc::clone(clock))))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::future::join_all;

    use super::super::clock::fake::FakeClock;
    use super::*;

    fn pace(clock: &FakeClock, rate: f64) -> Pace {
        Pace::new(Arc::new(clock.clone()), Rate::PerSecond(rate), Bandwidth::Unlimited)
    }

    #[test]
    fn a_pause_holds_requests_that_waited_for_their_turn_already() {
        let clock = FakeClock::default();
        let pace = pace(&clock, 1.0);
        let sent = RefCell::new(Vec::new());
        clock.run(async {
            let workers = join_all((0..3).map(|_| async {
                let at = pace.turn().await;
                sent.borrow_mut().push(at.as_secs());
            }));
            let host = async {
                clock.sleep_until(Duration::from_millis(500)).await;
                pace.pause(Duration::from_millis(9_500));
            };
            futures_util::join!(workers, host)
        });
        assert_eq!(sent.into_inner(), [0, 10, 11]);
        assert_eq!(pace.paused(), Duration::from_millis(9_500));
    }

    #[test]
    fn a_shorter_pause_does_not_cut_a_longer_one_and_counts_once() {
        let clock = FakeClock::default();
        let pace = Pace::new(Arc::new(clock.clone()), Rate::Unlimited, Bandwidth::Unlimited);
        pace.pause(Duration::from_secs(8));
        pace.pause(Duration::from_secs(2));
        assert_eq!(pace.paused(), Duration::ZERO, "nothing has passed yet");
        assert_eq!(pace.pause_left(), Duration::from_secs(8));
        let at = clock.run(pace.turn());
        assert_eq!(at, Duration::from_secs(8));
        assert_eq!(pace.paused(), Duration::from_secs(8));
        assert_eq!(pace.pause_left(), Duration::ZERO);
    }

    #[test]
    fn the_stricter_of_two_jobs_rates_holds() {
        let clock = FakeClock::default();
        let pace = pace(&clock, 8.0);
        assert_eq!(clock.run(pace.turn()), Duration::ZERO);
        pace.tighten(Rate::PerSecond(2.0), Bandwidth::BytesPerSecond(5));
        pace.tighten(Rate::PerSecond(4.0), Bandwidth::Unlimited);
        assert_eq!(pace.limits(), (Rate::PerSecond(2.0), Bandwidth::BytesPerSecond(5)));
        assert_eq!(clock.run(pace.turn()), Duration::from_millis(500));
    }
}
