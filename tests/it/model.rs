//! A model of the archive: random steps by the program, its user, its service and its machine, and what must hold after
//! each of them.
//!
//! `tests/run.sh --model SECONDS` runs the long form. A failure prints the seed, and the fewest steps that still fail.

mod damage;
mod finish;
mod invariants;
mod step;
mod upstream;
mod view;
mod world;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use step::Step;
use world::World;

/// How long a plain test run goes on.
const SECONDS: u64 = 60;

/// Where a plain test run begins, so that it does the same each time; the long form draws another seed.
const SEED: u64 = 1;

/// Steps that one archive goes through.
const STEPS: usize = 25;

/// Archives at a time: each waits for processes more than it works.
const WORKERS: u64 = 4;

/// How long a failure is made smaller.
const SHRINKING: Duration = Duration::from_mins(3);

/// A number from the environment: `tests/run.sh` sets it.
#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the program's")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn steps(seed: u64) -> Vec<Step> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..STEPS).map(|_| Step::draw(&mut rng)).collect()
}

/// One archive: the steps, then everything is put right, and must be as a fresh archive is.
fn run_trial(steps: &[Step]) {
    let mut world = World::new();
    for (nth, step) in steps.iter().enumerate() {
        let lived = catch_unwind(AssertUnwindSafe(|| {
            let said = world.carry_out(*step);
            world.check(*step, &said);
        }));
        if let Err(panic) = lived {
            let shown = panic_text(&*panic);
            panic!("after step {nth}, {step:?}: {shown}");
        }
    }
    world.finish();
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Leaves out steps as long as it still fails, and gives what is left with its message.
fn shrink(mut steps: Vec<Step>, mut message: String) -> (Vec<Step>, String) {
    let begun = Instant::now();
    let mut nth = 0;
    while nth < steps.len() && begun.elapsed() < SHRINKING {
        let mut fewer = steps.clone();
        fewer.remove(nth);
        match catch_unwind(AssertUnwindSafe(|| run_trial(&fewer))) {
            Err(panic) => {
                message = panic_text(&*panic);
                steps = fewer;
            }
            Ok(()) => nth += 1,
        }
    }
    (steps, message)
}

/// What a trial panics with is caught and shown once, when it is small; other tests' panics are shown as ever.
fn keep_quiet_on(threads: &'static str) {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(threads) {
            shown(panic);
        }
    }));
}

#[test]
fn an_archive_keeps_its_promises_whatever_happens_to_it() {
    const THREAD: &str = "model of an archive";
    let asked = setting("SUNHAUL_MODEL_SECONDS");
    let drawn = || if asked.is_some() { rand::random() } else { SEED };
    let first = setting("SUNHAUL_MODEL_SEED").unwrap_or_else(drawn);
    let end = Instant::now() + Duration::from_secs(asked.unwrap_or(SECONDS));
    println!("seed {first}: SUNHAUL_MODEL_SEED sets it");
    keep_quiet_on(THREAD);
    let (next, done, failure) = (AtomicU64::new(0), AtomicU64::new(0), OnceLock::new());
    let work = || {
        while Instant::now() < end && failure.get().is_none() {
            let seed = first.wrapping_add(next.fetch_add(1, Ordering::SeqCst));
            let steps = steps(seed);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run_trial(&steps))) {
                let (steps, message) = shrink(steps, panic_text(&*panic));
                drop(failure.set(format!("seed {seed}: {message}\nthe steps: {steps:#?}")));
            }
            let done = done.fetch_add(1, Ordering::SeqCst) + 1;
            if asked.is_some() && done.is_multiple_of(100) {
                drop(writeln!(std::io::stderr(), "{done} archives, seed {seed}"));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            std::thread::Builder::new().name(THREAD.to_owned()).spawn_scoped(scope, work).expect("a thread");
        }
    });
    if let Some(failure) = failure.get() {
        panic!("{failure}");
    }
    println!("{} archives of {STEPS} steps each, no violation", done.load(Ordering::SeqCst));
}
