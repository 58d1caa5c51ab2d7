//! The pieces that a window of data is requested in, and how they become shorter.

use chrono::{NaiveDateTime, TimeDelta};

use crate::day::Window;

/// The most pieces that a day is requested in.
const MOST_PIECES: i64 = 4096;

/// The pieces of a window that are still to be requested.
#[derive(Debug)]
pub(super) struct Pieces {
    whole: TimeDelta,
    /// The last one first.
    waiting: Vec<Window>,
    /// Longer ones are cut in halves.
    longest: TimeDelta,
    /// Requests end here at the latest.
    latest: NaiveDateTime,
}

/// A piece of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) window: Window,
    /// What is requested of it: a server may refuse a time after its last date.
    pub(super) request: Window,
}

impl Pieces {
    /// The window in one piece.
    pub(super) fn of(window: Window) -> Pieces {
        let whole = window.end - window.start;
        Pieces { whole, waiting: vec![window], longest: whole, latest: window.end }
    }

    /// The next piece, in the order of time.
    pub(super) fn next(&mut self) -> Option<Piece> {
        while let Some(window) = self.waiting.pop() {
            let span = window.end - window.start;
            let end = window.end.min(self.latest);
            if span > self.longest {
                let middle = window.start + span / 2;
                self.waiting.extend([Window { start: middle, ..window }, Window { end: middle, ..window }]);
            } else if end > window.start {
                return Some(Piece { window, request: Window { end, ..window } });
            }
        }
        None
    }

    /// Requests a piece again, and it and all later ones up to this time at the latest.
    pub(super) fn retry_until(&mut self, latest: NaiveDateTime, piece: Piece) {
        self.latest = latest;
        self.waiting.push(piece.window);
    }

    /// Requests a piece again in halves, and later ones no longer than those. False where it is too short, or the window would be in
    /// too many pieces.
    pub(super) fn retry_in_halves(&mut self, piece: Piece) -> bool {
        let span = piece.window.end - piece.window.start;
        self.longest = span / 2 + TimeDelta::nanoseconds(1);
        self.waiting.push(piece.window);
        span.num_seconds() >= 2 && self.whole.num_seconds() <= self.longest.num_seconds() * MOST_PIECES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> NaiveDateTime {
        format!("2011-02-15T{time}").parse().unwrap()
    }

    fn window(start: &str, end: &str) -> Window {
        Window { start: at(start), end: at(end) }
    }

    #[test]
    fn a_piece_that_is_too_large_comes_in_halves_and_so_do_later_ones() {
        let mut pieces = Pieces::of(window("00:00:00", "08:00:00"));
        let whole = pieces.next().unwrap();
        assert!(pieces.retry_in_halves(whole));
        let first = pieces.next().unwrap();
        assert_eq!(first.request.start, at("00:00:00"));
        assert!(pieces.retry_in_halves(first));
        let mut ends: Vec<Window> = std::iter::from_fn(|| pieces.next()).map(|piece| piece.request).collect();
        assert_eq!(ends.len(), 4);
        assert!(ends.array_windows().all(|[one, next]| one.end == next.start));
        assert_eq!((ends.remove(0).start, ends.pop().unwrap().end), (at("00:00:00"), at("08:00:00")));
    }

    #[test]
    fn requests_end_where_the_data_end_and_pieces_after_that_are_none() {
        let mut pieces = Pieces::of(window("00:00:00", "08:00:00"));
        let whole = pieces.next().unwrap();
        pieces.retry_until(at("03:00:00"), whole);
        let due = Piece { request: window("00:00:00", "03:00:00"), ..whole };
        assert_eq!(pieces.next(), Some(due));
        assert!(pieces.retry_in_halves(due));
        assert_eq!(pieces.next().map(|piece| piece.request.end), Some(at("03:00:00")));
        assert_eq!(pieces.next(), None);
    }

    #[test]
    fn a_second_is_not_halved() {
        let mut pieces = Pieces::of(window("00:00:00", "00:00:01"));
        let piece = pieces.next().unwrap();
        assert!(!pieces.retry_in_halves(piece));
    }
}
