//! The stretches of time that orders are for: what days remember of them, what is left, and how one is cut in two.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::day::Window;

/// No stretch is cut into shorter ones: one slot of most series.
pub(super) const SHORTEST: TimeDelta = TimeDelta::minutes(12);
/// The same where an order names each record: in 12 minutes, AIA has more than it can name.
pub(super) const SHORTEST_NAMED: TimeDelta = TimeDelta::minutes(1);

/// A stretch of time that is, or is to be, one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrderRange {
    pub(super) window: Window,
    /// The order's number; none where it was never told, or is to be given yet.
    pub(super) id: Option<String>,
}

/// What a day keeps of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptOrder {
    from: NaiveDateTime,
    to: NaiveDateTime,
    id: Option<String>,
}

/// The orders that a day remembers.
pub(super) fn remembered(text: &str) -> Vec<OrderRange> {
    let kept: Vec<KeptOrder> = serde_json::from_str(text).unwrap_or_default();
    let stretch = |KeptOrder { from, to, id }: KeptOrder| OrderRange { window: Window { start: from, end: to }, id };
    kept.into_iter().map(stretch).filter(|stretch| !stretch.window.is_empty()).collect()
}

/// The text that a day keeps of its orders, with one more; another of the same stretch is replaced.
pub(super) fn with(text: Option<&str>, stretch: &OrderRange) -> String {
    let mut all = text.map(remembered).unwrap_or_default();
    all.retain(|other| other.window != stretch.window);
    all.push(stretch.clone());
    written(&all)
}

/// The same without what is remembered of a stretch.
pub(super) fn without(text: Option<&str>, window: Window) -> String {
    let mut all = text.map(remembered).unwrap_or_default();
    all.retain(|other| other.window != window);
    written(&all)
}

fn written(all: &[OrderRange]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let kept =
        |OrderRange { window, id }: &OrderRange| KeptOrder { from: window.start, to: window.end, id: id.clone() };
    // Plain strings always serialise.
    serde_json::to_string(&all.iter().map(kept).collect::<Vec<_>>()).unwrap_or_default()
}

/// A whole stretch of time as orders: those that are remembered, and new ones for what lies between them.
pub(super) fn cover(whole: Window, remembered: Vec<OrderRange>) -> Vec<OrderRange> {
    let mut by_start: BTreeMap<NaiveDateTime, OrderRange> = BTreeMap::new();
    for stretch in remembered {
        // Of two that begin together, as one that was cut in two leaves them, the shorter is the later one.
        let longer = by_start.get(&stretch.window.start).is_some_and(|other| other.window.end < stretch.window.end);
        if !longer {
            by_start.insert(stretch.window.start, stretch);
        }
    }
    let mut all = Vec::new();
    let mut at = whole.start;
    let fresh = |start, end| OrderRange { window: Window { start, end }, id: None };
    for stretch in by_start.into_values() {
        let Window { start, end } = stretch.window;
        let is_passed = end <= at || start >= whole.end;
        // An order that starts within another would deliver files twice.
        let overlaps = start < at && at > whole.start;
        if is_passed || overlaps {
            continue;
        }
        if start > at {
            all.push(fresh(at, start));
        }
        all.push(stretch);
        at = end;
    }
    if at < whole.end {
        all.push(fresh(at, whole.end));
    }
    all
}

/// A stretch in two: between days where it has several, else in its middle. None when a half were shorter than `shortest`.
pub(super) fn halves(window: Window, shortest: TimeDelta) -> Option<(Window, Window)> {
    let span = window.end - window.start;
    let middle = window.start + span / 2;
    let midnight = Window::of_day(middle.date());
    let near = [midnight.start, midnight.end].into_iter().min_by_key(|at| (*at - middle).abs());
    let cut = match near.filter(|at| window.start < *at && *at < window.end) {
        Some(between) => between,
        None if span >= shortest * 2 => {
            let seconds = span.num_seconds() / 2;
            window.start + TimeDelta::seconds(seconds - seconds % shortest.num_seconds())
        }
        None => return None,
    };
    Some((Window { start: window.start, end: cut }, Window { start: cut, end: window.end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str) -> Window {
        Window { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    fn days(first: u32, last: u32) -> Window {
        window(&format!("2011-02-{first:02}T00:00:00"), &format!("2011-02-{last:02}T00:00:00"))
    }

    fn order(window: Window, id: Option<&str>) -> OrderRange {
        OrderRange { window, id: id.map(str::to_owned) }
    }

    #[test]
    fn what_is_kept_is_what_is_remembered() {
        let first = order(days(14, 16), Some("JSOC_1"));
        let text = with(None, &order(days(14, 16), None));
        assert_eq!(remembered(&text), [order(days(14, 16), None)]);
        let text = with(Some(&text), &first);
        let second = order(days(16, 17), None);
        let text = with(Some(&text), &second);
        assert_eq!(remembered(&text), [first, second]);
        assert_eq!(remembered(&without(Some(&text), days(14, 16))).len(), 1);
        assert_eq!(without(Some(&with(None, &order(days(14, 16), None))), days(14, 16)), "");
        for other in ["", "JSOC_1", "[1]", r#"[{"from":"x"}]"#] {
            assert_eq!(remembered(other), [], "{other}");
        }
    }

    #[test]
    fn what_is_remembered_is_not_ordered_again() {
        assert_eq!(cover(days(14, 16), Vec::new()), [order(days(14, 16), None)]);
        let one = order(days(15, 16), Some("JSOC_1"));
        let all = cover(days(14, 18), vec![one.clone(), one.clone()]);
        assert_eq!(all, [order(days(14, 15), None), one, order(days(16, 18), None)]);
        // An order for more days than are left to do.
        let wide = order(days(12, 16), Some("JSOC_2"));
        assert_eq!(cover(days(15, 17), vec![wide.clone()]), [wide, order(days(16, 17), None)]);
        // An order that was cut in two.
        let (half, whole) = (order(days(14, 15), Some("JSOC_4")), order(days(14, 16), None));
        assert_eq!(cover(days(14, 16), vec![whole, half.clone()]), [half, order(days(15, 16), None)]);
        let elsewhere = order(days(20, 21), Some("JSOC_3"));
        assert_eq!(cover(days(14, 15), vec![elsewhere]), [order(days(14, 15), None)]);
    }

    #[test]
    fn what_is_too_large_is_cut_between_days_and_then_within() {
        assert_eq!(halves(days(14, 18), SHORTEST), Some((days(14, 16), days(16, 18))));
        assert_eq!(halves(days(14, 17), SHORTEST), Some((days(14, 15), days(15, 17))));
        let noon = "2011-02-14T12:00:00";
        let (day, half) = (days(14, 15), window("2011-02-14T00:00:00", noon));
        assert_eq!(halves(day, SHORTEST), Some((half, window(noon, "2011-02-15T00:00:00"))));
        let short = window("2011-02-14T00:00:00", "2011-02-14T00:36:00");
        let cut = "2011-02-14T00:12:00";
        assert_eq!(
            halves(short, SHORTEST),
            Some((window("2011-02-14T00:00:00", cut), window(cut, "2011-02-14T00:36:00")))
        );
        assert_eq!(halves(window("2011-02-14T00:00:00", "2011-02-14T00:12:00"), SHORTEST), None);
        assert!(halves(window("2011-02-14T00:00:00", "2011-02-14T00:12:00"), SHORTEST_NAMED).is_some());
    }

    proptest::proptest! {
        #[test]
        fn orders_cover_a_stretch_without_gap_or_overlap(
            start in 0i64..20, length in 1i64..20, kept in proptest::collection::vec((0i64..40, 1i64..20), 0..6)
        ) {
            let at = |day: i64| days(1, 2).start + TimeDelta::days(day);
            let whole = Window { start: at(start), end: at(start + length) };
            let kept = kept.iter().map(|(start, length)| order(Window { start: at(*start), end: at(start + length) }, Some("J")));
            let all = cover(whole, kept.collect());
            proptest::prop_assert!(all[0].window.start <= whole.start && all[all.len() - 1].window.end >= whole.end);
            for pair in all.windows(2) {
                proptest::prop_assert_eq!(pair[0].window.end, pair[1].window.start);
            }
        }
    }
}
