//! The clock and chance: the only place that asks for either.

use chrono::{DateTime, SubsecRound as _, Utc};

/// The current instant, in whole milliseconds: what reports show.
#[expect(clippy::disallowed_methods, reason = "this is the place that the clock lives in")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// A new run's id: its UTC time and 64 random bits.
pub(super) fn run_id(started: DateTime<Utc>) -> String {
    format!("{}-{:016x}", started.format("%Y%m%dT%H%M%SZ"), rand::random::<u64>())
}

/// What stands before and after a value that somebody else may have chosen: nobody can guess it.
pub(super) fn delimiter() -> String {
    format!("sunhaul-{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_sorts_by_time_and_does_not_repeat() {
        let started = "2015-12-11T18:22:08.5Z".parse().unwrap();
        let (one, other) = (run_id(started), run_id(started));
        assert!(one.starts_with("20151211T182208Z-"), "{one}");
        assert_eq!(one.len(), "20151211T182208Z-0123456789abcdef".len());
        assert_ne!(one, other);
    }
}
