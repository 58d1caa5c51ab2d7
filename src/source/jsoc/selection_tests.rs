//! That what is asked of JSOC, as its server selects, is what the window holds: over random windows, grids and cadences.

use chrono::{NaiveDateTime, TimeDelta};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::query::RecordQuery;
use super::slot::{is_nearest, time};
use super::structure::Structure;
use super::structure::tests::SHARP;
use super::tests::series;
use crate::day::Window;
use crate::manifest::Filters;

/// How many windows are tried.
const TRIALS: u32 = 100_000;

/// Steps of series of JSOC's, in seconds.
const STEPS: [i64; 8] = [720, 45, 12, 24, 96, 3600, 60, 86_400];

/// A series whose slots lie `step` seconds apart, one of them at `epoch` seconds after 1993.
#[derive(Debug, Clone, Copy)]
struct Grid {
    step: i64,
    epoch: i64,
}

fn seconds(at: NaiveDateTime) -> i64 {
    (at - "1993-01-01T00:00:00".parse::<NaiveDateTime>().unwrap()).num_seconds()
}

fn at(seconds: i64) -> NaiveDateTime {
    "1993-01-01T00:00:00".parse::<NaiveDateTime>().unwrap() + TimeDelta::seconds(seconds)
}

impl Grid {
    /// The number of the slot that a time falls to: `CalcSlot` with rounding, as of `ts_eq` keywords
    /// (`drms_keyword_priv.h:35`).
    fn slot(self, time: i64) -> i64 {
        (2 * (time - self.epoch) + self.step).div_euclid(2 * self.step)
    }

    fn time(self, slot: i64) -> i64 {
        self.epoch + slot * self.step
    }

    /// The slots that the server selects for `[START_TAI/SPAN]` or `[START_TAI/SPAN@EVERY]` (`drms_keyword.c:2908-2920`).
    fn selected(self, asked: &str) -> Vec<i64> {
        let (start, rest) = asked.split_once('/').unwrap();
        let (span, every) = rest.split_once('@').map_or((rest, None), |(span, every)| (span, Some(every)));
        let first = self.slot(seconds(time(start).unwrap()));
        let count = (of_span(span) / self.step).max(1);
        let every = every.map_or(1, |every| of_span(every) / self.step);
        (first..first + count).step_by(usize::try_from(every).unwrap()).map(|slot| self.time(slot)).collect()
    }

    /// The slots of a window: with a cadence, those that are nearest to a multiple of it.
    fn due(self, window: Window, cadence: Option<i64>) -> Vec<i64> {
        let inside = |slot: i64| window.contains(at(self.time(slot)));
        let (first, last) = (self.slot(seconds(window.start)) - 2, self.slot(seconds(window.end)) + 2);
        let all: Vec<i64> = match cadence {
            None => (first..=last).collect(),
            Some(cadence) => {
                let (first, last) = (self.time(first).div_euclid(cadence), self.time(last).div_euclid(cadence) + 1);
                (first..=last).map(|multiple| self.slot(multiple * cadence)).collect()
            }
        };
        all.into_iter().filter(|slot| inside(*slot)).map(|slot| self.time(slot)).collect()
    }
}

fn of_span(span: &str) -> i64 {
    let (number, unit) = span.split_at(span.len() - 1);
    let unit = match unit {
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        _ => 1,
    };
    number.parse::<i64>().unwrap() * unit
}

#[test]
fn every_window_gets_the_slots_that_lie_in_it_wherever_the_grid_lies() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    // As their names say.
    let names = STEPS.map(|step| format!("hmi.patch_{step}s"));
    let structures = STEPS.map(|step| {
        let structure = SHARP.replace("\"720.0\"", &format!("\"{step}.000000\""));
        Structure::read(structure.as_bytes()).unwrap()
    });
    for _ in 0..TRIALS {
        let nth = rng.random_range(0..STEPS.len());
        let (step, structure, name) = (STEPS[nth], &structures[nth], names[nth].as_str());
        let grid = Grid { step, epoch: rng.random_range(-step..step) };
        let cadence = rng.random_bool(0.5).then(|| step * rng.random_range(1..8));
        let start = at(rng.random_range(570_000_000..600_000_000));
        let window = Window { start, end: start + TimeDelta::seconds(rng.random_range(1..40 * step)) };
        let cadence_asked = cadence.map(|cadence| std::time::Duration::from_secs(cadence.unsigned_abs()));
        let series = series(name, Filters { cadence: cadence_asked, ..Filters::default() });
        let asked = RecordQuery::of(&series, structure).unwrap().record_set(window);
        let selected = asked.as_deref().map(|asked| {
            let asked = asked.trim_start_matches(name).trim_start_matches("[][").trim_end_matches(']');
            grid.selected(asked)
        });
        let selected = selected.unwrap_or_default();
        let beyond = selected.iter().filter(|slot| !window.contains(at(**slot))).count();
        assert!(cadence.is_some() || beyond <= 4, "{beyond} slots are asked for in vain: {asked:?}, {window:?}");
        let is_kept = |slot: &i64| {
            window.contains(at(*slot)) && cadence.is_none_or(|cadence| is_nearest(at(*slot), cadence, step))
        };
        let kept: Vec<i64> = selected.into_iter().filter(is_kept).collect();
        assert_eq!(kept, grid.due(window, cadence), "seed {seed}: {grid:?}, {cadence:?}, {window:?}, {asked:?}");
    }
}
