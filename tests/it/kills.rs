//! D-07: the program killed with no warning at any moment, against a service that changes and fails, and run again
//! until it is done. What it leaves is right at each death, and at the end it is what an unbroken run makes.
//!
//! `tests/run.sh --kills N` runs the long form.

mod service;
mod steps;
mod trial;
mod upstream;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use trial::{Tally, Trial, unbroken};
use upstream::Upstream;

/// How many kills a plain test run takes.
const KILLS: u64 = 300;

/// Archives under fire at a time: each waits for its service more than it works.
const WORKERS: usize = 4;

/// A number from the environment: `tests/run.sh` sets it.
#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the program's")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn d_07_a_run_that_is_killed_at_any_moment_and_again_ends_as_an_unbroken_one() {
    let asked = setting("SUNHAUL_KILLS");
    let kills = asked.unwrap_or(KILLS);
    let seed = setting("SUNHAUL_KILLS_SEED").unwrap_or_else(rand::random);
    println!("seed {seed}: SUNHAUL_KILLS_SEED sets it");
    let upstream = Arc::new(Upstream::new(seed));
    let unbroken = unbroken(&upstream);
    let begun = Instant::now();
    let tally = Mutex::new(Tally::default());
    let failed = AtomicBool::new(false);
    let work = |worker: usize| {
        for nth in 0.. {
            if failed.load(Ordering::SeqCst) || tally.lock().expect("a lock").kills >= kills {
                return;
            }
            let seed = seed.wrapping_add((nth * WORKERS + worker) as u64);
            let trial = Trial::new(&upstream, &unbroken, seed);
            // The others need not go on when one archive is wrong.
            let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trial.live()));
            let lived = lived.unwrap_or_else(|panic| {
                failed.store(true, Ordering::SeqCst);
                std::panic::resume_unwind(panic)
            });
            let mut tally = tally.lock().expect("a lock");
            tally.add(lived);
            if asked.is_some() {
                let line = format!("{:.0} s: {}\n", begun.elapsed().as_secs_f64(), told(&tally));
                drop(std::io::stderr().write_all(line.as_bytes()));
            }
        }
    };
    std::thread::scope(|scope| {
        let work = &work;
        for worker in 0..WORKERS {
            scope.spawn(move || work(worker));
        }
    });
    let tally = tally.into_inner().expect("a lock");
    println!("{}, differences: 0, in {:.0} s", told(&tally), begun.elapsed().as_secs_f64());
    // How much one break costs is the kernel's as well: a service counts as sent what waits there for a busy client.
    assert!(tally.twice * 5 <= tally.sent, "more than a fifth was sent again");
    assert!(tally.with_parts > 0, "no kill hit a body on its way: the test shows little");
}

fn told(tally: &Tally) -> String {
    let Tally { archives, runs, kills, in_a_day, with_parts, sent, twice, worst, mute_twice } = tally;
    let mib = |bytes: &u64| bytes >> 20;
    format!(
        "{kills} kills ({in_a_day} within a day's work, {with_parts} leaving parts), {} reruns, {archives} archives done, {} MiB sent, {} MiB of them again (at most {} KiB after \
         one break), {} MiB again of files without a validator",
        runs - archives,
        mib(sent),
        mib(twice),
        worst >> 10,
        mib(mute_twice)
    )
}
