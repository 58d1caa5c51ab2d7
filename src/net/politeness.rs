//! Politeness proved: an hour under a clock that a test holds, a million requests, and no second with one too many.
//!
//! It makes no requests. `tests/it/politeness.rs` compares with what a server saw.

#![expect(clippy::cast_precision_loss, reason = "counts of an hour are far from the limits of a double")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;

use super::clock::Clock as _;
use super::clock::fake::FakeClock;
use super::rate_limiter::Pace;
use super::stats::Tally;
use crate::manifest::{Bandwidth, Rate};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn paced(clock: &FakeClock, rate: f64) -> Pace {
    Pace::new(Arc::new(clock.clone()), Rate::PerSecond(rate), Bandwidth::Unlimited)
}

/// What passed in the second before each instant, told in order: the most in any window of one second.
#[derive(Default)]
struct FullestSecond {
    within: VecDeque<(Duration, u64)>,
    sum: u64,
    most: u64,
    total: u64,
}

impl FullestSecond {
    fn add(&mut self, at: Duration, amount: u64) {
        while let Some((first, gone)) = self.within.front().copied().filter(|(first, _)| at >= *first + SECOND) {
            assert!(first <= at, "told in order");
            self.within.pop_front();
            self.sum -= gone;
        }
        self.within.push_back((at, amount));
        self.sum += amount;
        self.total += amount;
        self.most = self.most.max(self.sum);
    }
}

/// Lets `workers` send for `time`; the nth request takes `service(n)`.
fn sends(
    clock: &FakeClock,
    pace: &Pace,
    workers: usize,
    time: Duration,
    service: impl Fn(u64) -> Duration,
    mut told: impl FnMut(Duration),
) {
    let told: &RefCell<&mut dyn FnMut(Duration)> = &RefCell::new(&mut told);
    let sent = &Cell::new(0);
    let service = &service;
    clock.run(join_all((0..workers).map(|_| async move {
        loop {
            let at = pace.turn().await;
            if at >= time {
                break;
            }
            told.borrow_mut()(at);
            sent.set(sent.get() + 1);
            clock.sleep_until(at + service(sent.get())).await;
        }
    })));
}

/// Some time up to `most`, another for each number.
fn some(number: u64, most: Duration) -> Duration {
    most.mul_f64(f64::from(u32::try_from(number.wrapping_mul(2_654_435_761) % 1_000).unwrap()) / 1_000.0)
}

#[test]
fn over_an_hour_and_a_million_requests_no_second_holds_more_than_the_limit_and_the_rate_is_reached() {
    let mut most = 0;
    for rate in [0.5, 1.0, 2.0, 2.5, 4.0, 7.0, 8.0, 64.0, 284.0] {
        let clock = FakeClock::default();
        let pace = paced(&clock, rate);
        let (mut seen, mut tally) = (FullestSecond::default(), Tally::default());
        sends(
            &clock,
            &pace,
            4,
            HOUR,
            |nth| some(nth, Duration::from_millis(12)),
            |at| {
                seen.add(at, 1);
                tally.sent(at);
            },
        );
        assert!(seen.most as f64 <= rate.ceil(), "{rate}/s: {} in one second", seen.most);
        assert_eq!((tally.requests, tally.peak_per_second), (seen.total, seen.most), "what the report tells");
        let reached = seen.total as f64 / HOUR.as_secs_f64();
        assert!(reached >= rate * 0.98 && reached <= rate * 1.001, "{reached}/s of {rate}/s");
        most = most.max(seen.total);
    }
    assert!(most >= 1_000_000, "{most} requests");
}

#[test]
fn s_11_over_an_hour_of_pauses_no_worker_sends_within_one_and_the_rate_is_reached_between_them() {
    let clock = FakeClock::default();
    let (rate, workers) = (8.0, 4);
    let pace = paced(&clock, rate);
    let (mut seen, mut pauses) = (FullestSecond::default(), Vec::new());
    let (mut next, mut closed) = (Duration::from_secs(20), Duration::ZERO);
    sends(
        &clock,
        &pace,
        workers,
        HOUR,
        |nth| some(nth, Duration::from_millis(300)),
        |at| {
            seen.add(at, 1);
            assert!(!pauses.iter().any(|(from, to)| at > *from && at < *to), "sent at {at:?} within a pause");
            // One worker hears the complaint; the others only see that nothing goes.
            if at >= next {
                let wait = Duration::from_secs(1) + some(seen.total, Duration::from_secs(20));
                pace.pause(wait);
                pauses.push((at, at + wait));
                (next, closed) = (at + wait + Duration::from_secs(25), closed + wait);
            }
        },
    );
    assert!(pauses.len() > 80, "{} pauses", pauses.len());
    assert!(seen.most <= 8, "{} in one second", seen.most);
    let open = HOUR.saturating_sub(closed).as_secs_f64();
    let reached = seen.total as f64 / open;
    assert!(reached >= rate * 0.98 && reached <= rate * 1.01, "{reached}/s of {rate}/s");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_second_holds_more_than_any_limit(
        rate in 0.3f64..300.0, workers in 1usize..9, service in 0u64..700, pauses in any::<bool>(),
    ) {
        let clock = FakeClock::default();
        let pace = paced(&clock, rate);
        if pauses {
            pace.pause(Duration::from_secs(3));
        }
        let (mut seen, mut first) = (FullestSecond::default(), None);
        sends(&clock, &pace, workers, Duration::from_secs(40), |_| Duration::from_millis(service), |at| {
            first = first.or(Some(at));
            seen.add(at, 1);
        });
        prop_assert!(seen.most as f64 <= rate.ceil());
        prop_assert!(!pauses || first >= Some(Duration::from_secs(3)));
    }
}

#[test]
fn over_an_hour_and_a_million_pieces_no_second_holds_more_bytes_than_the_limit_and_the_rate_is_reached() {
    const RATE: u64 = 10 << 20;
    const LARGEST: u64 = 64 << 10;
    let clock = FakeClock::default();
    let pace = Pace::new(Arc::new(clock.clone()), Rate::Unlimited, Bandwidth::BytesPerSecond(RATE));
    let (seen, pieces) = (RefCell::new(FullestSecond::default()), Cell::new(0_u64));
    clock.run(join_all((0..4).map(|_| async {
        while clock.now() < HOUR {
            pieces.set(pieces.get() + 1);
            let bytes = 1 + pieces.get().wrapping_mul(2_654_435_761) % LARGEST;
            pace.bytes(usize::try_from(bytes).unwrap()).await;
            seen.borrow_mut().add(clock.now(), bytes);
            // Now and then nobody has anything to send: what is saved up meanwhile may follow at once, and no more.
            if pieces.get() % 10_000 < 4 {
                clock.sleep_until(clock.now() + Duration::from_millis(40)).await;
            }
        }
    })));
    let seen = seen.into_inner();
    assert!(pieces.get() >= 1_000_000, "{} pieces", pieces.get());
    // A piece counts at the moment that it is paid for: the first of a second was paid for before it.
    assert!(seen.most <= RATE + LARGEST, "{} bytes in one second", seen.most);
    let reached = seen.total as f64 / clock.now().as_secs_f64();
    assert!(reached >= RATE as f64 * 0.98 && reached <= RATE as f64, "{reached} of {RATE} bytes/s");
}
