//! The bars as a pure function: what goes on now, and the size of the terminal, become lines that fit.
//!
//! They stay small where a terminal is large: short lines, and no more than half of its height. A terminal that is made
//! narrower folds what is wider, and one that is made lower scrolls; what leaves the screen so can never be taken away.
//! It does not write them; `screen` does.

use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use super::width::{cut, left, right};
use crate::report::human;

/// How many columns and rows a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// What stands between two columns.
const GAP: &str = "  ";
/// A line that a terminal of half the usual width shows whole; only names and remarks make one longer.
const SHORT: usize = 39;
/// The narrowest and the widest bar that says anything, with its brackets.
const BAR: (usize, usize) = (7, 40);
/// A remark that is cut to less says nothing.
const REMARK: usize = 6;
/// What stands for the files of a day that has no listing yet.
const LISTING: &str = "listing";
/// No more hosts than these have a line of their own.
const PAUSES: usize = 2;

/// What goes on now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    /// The days in flight.
    pub(super) days: Vec<DayBar>,
    /// Hosts that asked for a pause, and how long it still lasts.
    pub(super) pauses: Vec<(String, Duration)>,
    /// The whole run.
    pub(super) total: RunTotal,
}

/// One day in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DayBar {
    /// The series; safe to show.
    pub(super) series: String,
    pub(super) date: String,
    /// How many files its listing has; none before it is there.
    pub(super) listed: Option<u64>,
    pub(super) done: u64,
    /// What else there is to say of it.
    pub(super) remark: String,
}

/// The whole run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct RunTotal {
    pub(super) days: u64,
    pub(super) of_days: u64,
    /// From 0 to 1.
    pub(super) share: f64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) resumed: u64,
    pub(super) lost: u64,
    /// Bytes per second.
    pub(super) rate: u64,
    pub(super) elapsed: Duration,
    /// None while it would be a guess.
    pub(super) left: Option<Duration>,
}

impl Bars {
    /// The lines, those of the whole run last.
    pub(super) fn lines(&self, size: TerminalSize) -> Vec<String> {
        // The last column stays free: terminals differ in what they do when it is written to.
        let width = size.columns.saturating_sub(1);
        let height = (size.rows / 2).max(1);
        let total = self.total.lines(width, height);
        let room = height - total.len();
        let pauses = self.pauses.iter().take(PAUSES.min(room));
        let pauses: Vec<String> = pauses.map(|(host, left)| pause(host, *left, width)).collect();
        let mut lines = self.days(width, room - pauses.len());
        lines.extend(pauses);
        lines.extend(total);
        lines
    }

    /// At most `room` lines for the days; those that have nothing yet are left out first.
    fn days(&self, width: usize, room: usize) -> Vec<String> {
        let hidden = if self.days.len() > room { self.days.len() - room.saturating_sub(1) } else { 0 };
        let mut shown: Vec<(usize, &DayBar)> = self.days.iter().enumerate().collect();
        shown.sort_by_key(|(place, day)| (day.listed.is_none(), day.done == 0, *place));
        shown.truncate(self.days.len() - hidden);
        shown.sort_by_key(|(place, _)| *place);
        let shown: Vec<&DayBar> = shown.into_iter().map(|(_, day)| day).collect();
        let columns = BarColumns::fit(&shown, width);
        let mut lines: Vec<String> = shown.iter().map(|day| columns.line(day)).collect();
        if hidden > 0 && room > 0 {
            let more = if shown.is_empty() { "" } else { "more " };
            let days = if hidden == 1 { "day" } else { "days" };
            lines.push(cut(&format!("and {} {more}{days}", human::number(hidden as u64)), width));
        }
        lines
    }
}

fn pause(host: &str, left: Duration, width: usize) -> String {
    cut(&format!("{host} asked to wait: {} left", human::wait(left)), width)
}

/// The columns that all days share, so that they stand below each other. A width of 0 leaves a column out.
struct BarColumns {
    name: usize,
    bar: usize,
    files: usize,
    width: usize,
}

impl BarColumns {
    fn fit(days: &[&DayBar], width: usize) -> BarColumns {
        let widest = |text: &dyn Fn(&DayBar) -> String| days.iter().map(|day| text(day).width()).max().unwrap_or(0);
        let (name, date) = (widest(&|day| format!("{} {}", day.series, day.date)), widest(&|day| day.date.clone()));
        // As wide as the longest word there, so that the column stays where it is.
        let files = widest(&DayBar::files).max(LISTING.width());
        let gap = GAP.width();
        if date + gap + files > width {
            return BarColumns { name: name.min(width), bar: 0, files: 0, width };
        }
        let name = name.min(width - gap - files);
        let taken = name + gap + files + gap;
        let bar = (width / 2).max(SHORT).saturating_sub(taken).clamp(BAR.0, BAR.1);
        let bar = if taken + bar > width { 0 } else { bar };
        BarColumns { name, bar, files, width }
    }

    fn line(&self, day: &DayBar) -> String {
        let mut cells = vec![left(&day.name(self.name), self.name)];
        if self.bar > 0 {
            cells.push(day.bar(self.bar));
        }
        if self.files > 0 {
            cells.push(right(&day.files(), self.files));
        }
        let told = cells.join(GAP);
        let room = self.width.saturating_sub(told.width() + GAP.width());
        if day.remark.is_empty() || room < REMARK {
            return told.trim_end().to_owned();
        }
        format!("{told}{GAP}{}", cut(&day.remark, room))
    }
}

impl DayBar {
    /// Series and date within `width`: the series is cut before the date is.
    fn name(&self, width: usize) -> String {
        let full = format!("{} {}", self.series, self.date);
        if full.width() <= width {
            return full;
        }
        match width.checked_sub(self.date.width() + 1) {
            Some(series) if series > 1 => format!("{} {}", cut(&self.series, series), self.date),
            _ => cut(&self.date, width),
        }
    }

    fn files(&self) -> String {
        match self.listed {
            Some(listed) => format!("{}/{}", human::number(self.done), human::number(listed)),
            None => LISTING.to_owned(),
        }
    }

    /// `[=====>    ]`, with its brackets `width` wide.
    fn bar(&self, width: usize) -> String {
        let inner = width.saturating_sub(2);
        let filled = match self.listed {
            Some(listed) if listed > 0 => {
                let part = u128::from(self.done.min(listed)) * inner as u128 / u128::from(listed);
                usize::try_from(part).unwrap_or(inner)
            }
            _ => 0,
        };
        let mut bar = "=".repeat(filled);
        if filled > 0 && filled < inner {
            bar.pop();
            bar.push('>');
        }
        format!("[{bar:<inner$}]")
    }
}

impl RunTotal {
    /// Two lines, or one where there is no room for a day beside them.
    fn lines(&self, width: usize, height: usize) -> Vec<String> {
        let left = match self.left {
            Some(left) => format!("{} left", human::wait(left)),
            None => format!("{} so far", human::wait(self.elapsed)),
        };
        let told = |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", human::number(count)));
        // Each with its rank when there is no room for all.
        let run = [
            (8, Some("total".to_owned())),
            (2, Some(format!("{:>3}%", percent(self.share)))),
            (1, Some(format!("{}/{}", human::number(self.days), human::count(self.of_days, "day")))),
            (0, Some(left)),
        ];
        let files = [
            (4, Some(human::count(self.files, "file"))),
            (6, Some(human::bytes(self.bytes))),
            (5, Some(human::rate(self.rate))),
            (7, told(self.resumed, "resumed")),
            (3, told(self.lost, "missing")),
        ];
        if height > 2 {
            vec![fitted(run, width), fitted(files, width)]
        } else {
            vec![fitted(run.into_iter().chain(files), width)]
        }
    }
}

/// The parts in their order, as far as there is room by their rank.
fn fitted(parts: impl IntoIterator<Item = (usize, Option<String>)>, width: usize) -> String {
    let parts = parts.into_iter().enumerate();
    let mut ranked: Vec<_> = parts.filter_map(|(place, (rank, text))| Some((rank, place, text?))).collect();
    ranked.sort_unstable();
    let mut free = width + GAP.width();
    ranked.retain(|(_, _, text)| {
        let needed = text.width() + GAP.width();
        let fits = needed <= free;
        free -= if fits { needed } else { 0 };
        fits
    });
    ranked.sort_unstable_by_key(|(_, place, _)| *place);
    ranked.into_iter().map(|(_, _, text)| text).collect::<Vec<_>>().join(GAP)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 1")]
fn percent(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 100.0) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(series: &str, date: u32, listed: Option<u64>, done: u64, remark: &str) -> DayBar {
        let date = format!("2015-12-{date:02}");
        DayBar { series: series.into(), date, listed, done, remark: remark.into() }
    }

    fn bars() -> Bars {
        Bars {
            days: vec![
                day("cea", 11, Some(111), 111, ""),
                day("cea", 12, Some(1_440), 37, "retry in 12 s (server-error), 1 missing"),
                day("cea", 13, None, 0, ""),
                day("sharp_720s", 11, Some(23), 1, ""),
                day("sharp_720s", 12, Some(24), 0, "2 resumed"),
                day("太陽", 12, Some(1), 0, ""),
            ],
            pauses: vec![("localhost:8001".into(), Duration::from_secs(31))],
            total: RunTotal {
                days: 2,
                of_days: 6,
                share: 0.384,
                files: 149,
                bytes: 85_824_000,
                resumed: 2,
                lost: 1,
                rate: 512_000,
                elapsed: Duration::from_secs(75),
                left: Some(Duration::from_secs(80)),
            },
        }
    }

    fn drawn(columns: usize, rows: usize) -> String {
        bars().lines(TerminalSize { columns, rows }).join("\n")
    }

    #[test]
    fn eighty_columns_show_everything() {
        insta::assert_snapshot!(drawn(80, 24));
    }

    #[test]
    fn sixty_columns_show_the_same_with_shorter_remarks() {
        insta::assert_snapshot!(drawn(60, 24));
    }

    #[test]
    fn forty_columns_and_ten_rows_show_some_days_and_count_the_others() {
        insta::assert_snapshot!(drawn(40, 10));
    }

    #[test]
    fn twenty_columns_and_five_rows_show_what_matters_most() {
        insta::assert_snapshot!(drawn(20, 5));
    }

    #[test]
    fn a_day_that_waits_for_its_listing_makes_room_for_one_that_goes_on() {
        let mut bars = bars();
        bars.pauses.clear();
        let text = bars.lines(TerminalSize { columns: 80, rows: 12 }).join("\n");
        assert!(!text.contains("cea 2015-12-13") && text.contains("sharp_720s 2015-12-11"), "{text}");
        assert!(text.contains("and 3 more days"), "{text}");
    }

    proptest! {
        #[test]
        fn no_line_is_as_wide_as_the_terminal_and_half_of_its_height_is_enough(
            (columns, rows) in (0usize..130, 0usize..40),
            series in prop::collection::vec(r"[a-z_太陽é👩🏽]{1,30}", 0..20),
            listed in prop::option::of(0u64..2_000_000),
            (done, bytes) in (0u64..2_000_000, any::<u64>()),
            remark in r"\PC{0,40}",
            host in r"\PC{0,60}",
        ) {
            let day = |series: String| DayBar {
                series, date: "2015-12-11".into(), listed, done, remark: remark.clone(),
            };
            let days = series.into_iter().map(day).collect();
            let pauses = vec![(host, Duration::from_secs(bytes % 1000)); 3];
            let total = RunTotal { files: done, bytes, rate: bytes, resumed: done, lost: done, ..RunTotal::default() };
            let lines = Bars { days, pauses, total }.lines(TerminalSize { columns, rows });
            prop_assert!(lines.len() <= (rows / 2).max(1));
            for line in lines {
                prop_assert!(line.width() <= columns.saturating_sub(1), "{line:?}");
            }
        }
    }
}
