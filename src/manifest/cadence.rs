//! How far apart the records of a series are, as its name tells, and whether a cadence can be had of them.

use std::time::Duration;

use super::yaml_tree::Wrong;
use crate::untrusted::escape;

/// Seconds from one record to the next where a series' name does not say: most HMI series have this.
const USUAL: u64 = 720;

/// Seconds from one record of a series to the next: `hmi.sharp_cea_720s_nrt` has 720, `hmi.m_45s` has 45.
#[must_use]
pub fn step(series: &str) -> u64 {
    named(series).unwrap_or(USUAL)
}

/// The same, where the name tells it.
#[must_use]
pub fn named(series: &str) -> Option<u64> {
    let seconds = |word: &str| word.strip_suffix('s')?.parse().ok().filter(|step| (1..=86_400).contains(step));
    series.split(['_', '.']).find_map(seconds)
}

/// The same for counting slots: of names such as `mdi.smarp_96m`, too.
#[must_use]
pub fn slots(series: &str) -> u64 {
    let minutes = |word: &str| word.strip_suffix('m')?.parse().ok().filter(|step| (1..=1440).contains(step));
    let in_minutes = || series.split(['_', '.']).find_map(minutes).map(|minutes: u64| minutes * 60);
    named(series).or_else(in_minutes).unwrap_or(USUAL)
}

/// Checks that records of `series` can be had every `asked`.
pub(super) fn check(asked: Duration, series: &str) -> Result<(), Wrong> {
    let (asked, step) = (asked.as_secs(), step(series));
    if asked.is_multiple_of(step) {
        return Ok(());
    }
    let own = match named(series) {
        Some(_) => format!("`{}` has a record every {}", escape(series), text(step)),
        None => format!("a series whose name does not include its cadence has a record every {}", text(step)),
    };
    let below = asked - asked % step;
    let near = match below {
        0 => format!("`{}`", text(step)),
        below => format!("`{}` or `{}`", text(below), text(below + step)),
    };
    let wrong = Wrong::new(format!("{own}, and {} is no multiple of that", text(asked)));
    let or_name =
        if named(series).is_some() { ", or correct the name of the series, which includes its cadence" } else { "" };
    Err(wrong.hint(format!("nothing is interpolated: write a multiple, such as {near}{or_name}")))
}

/// Seconds as a manifest has them, in the largest unit that is whole.
fn text(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    match units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_read_from_the_name() {
        for (name, seconds) in [("hmi.sharp_cea_720s_nrt", 720), ("hmi.M_45s", 45), ("sharp", 720), ("x_0s", 720)] {
            assert_eq!(step(name), seconds, "{name}");
            assert_eq!(slots(name), seconds, "{name}");
        }
        assert_eq!(slots("mdi.smarp_cea_96m"), 5760);
    }

    #[test]
    fn a_cadence_is_a_multiple_of_the_step_or_told_with_its_neighbours() {
        for (series, seconds) in [("sharp_720s", 720), ("sharp_720s", 25_200), ("hmi.m_45s", 3600), ("x", 172_800)] {
            assert_eq!(check(Duration::from_secs(seconds), series), Ok(()), "{series} {seconds}");
        }
        for (series, seconds, said) in [
            ("sharp_720s", 420, "such as `12m`, or correct the name of the series, which includes its cadence"),
            (
                "sharp_720s",
                1080,
                "such as `12m` or `24m`, or correct the name of the series, which includes its cadence",
            ),
            ("hmi.m_45s", 60, "such as `45s` or `90s`, or correct the name of the series, which includes its cadence"),
            ("x", 86_401, "such as `1d` or `1452m`"),
        ] {
            let wrong = check(Duration::from_secs(seconds), series).unwrap_err();
            assert!(wrong.to_do().is_some_and(|hint| hint.ends_with(said)), "{series} {seconds}: {wrong}");
        }
    }
}
