//! Spans of time as a manifest has them.

/// A span of whole seconds as one would type it, in the largest unit that is whole: `1d`, `6h`, `12m`, `45s`.
pub(crate) fn span(seconds: u64) -> String {
    match [(86_400, 'd'), (3600, 'h'), (60, 'm')].iter().find(|(unit, _)| seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_stand_in_their_largest_unit() {
        assert_eq!([86_400, 345_600, 129_600, 21_600, 720, 45].map(span), ["1d", "4d", "36h", "6h", "12m", "45s"]);
    }
}
