//! A few files of days that are sealed, looked at before a run leaves those days alone.

use chrono::{Days, NaiveDate};

use crate::archive::{Reader, SpotCheck};
use crate::cli::{Result, Shell};
use crate::day::Window;
use crate::manifest::{Manifest, SeriesId};
use crate::report::annotations::{Annotation, Level};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::untrusted::{escape, quoted};

/// Of so many days files are looked at.
const DAYS: u64 = 16;

/// So many of each.
const FILES: usize = 4;

/// Warns where files of sealed days are not there. Nothing is done about it: they may have been deleted on purpose.
///
/// # Errors
/// When the archive cannot be read.
pub(super) fn warn(job: &Manifest, sealed: &[(SeriesId, Window)], shell: &Shell) -> Result<()> {
    let records = Reader::open(&job.archive.root)?;
    let mut found = SpotCheck::default();
    for (series, date) in spread(sealed, DAYS) {
        found.add(records.spot_check(series, date, FILES)?);
    }
    let Some(first) = &found.first_missing else { return Ok(()) };
    let (looked_at, manifest) = (human::count(found.looked_at, "file"), job.path.to_string_lossy());
    let warning = format!(
        "missing or of the wrong length: {} of {looked_at} of the checked files of sealed days, such as `{}`; is a disk not \
         mounted? `sunhaul run {} --check` checks all files and downloads the missing ones",
        found.missing,
        escape(first),
        quoted(&manifest)
    );
    if shell.verbosity > Verbosity::Quiet {
        shell.screen.line(&format!("{} {warning}", shell.screen.paint.care("warning:")));
    }
    let remark = Annotation::new(Level::Warning, "files", warning).about(&shell.ci.named(&job.path));
    shell.ci.annotate([remark], &shell.screen);
    Ok(())
}

/// At most `most` of the days, as far from each other as that goes, with the first and the last of them.
fn spread(sealed: &[(SeriesId, Window)], most: u64) -> Vec<(&SeriesId, NaiveDate)> {
    let all: u64 = sealed.iter().map(|(_, window)| window.day_count()).sum();
    let count = all.min(most);
    let nth = |step: u64| step * all.saturating_sub(1) / count.saturating_sub(1).max(1);
    (0..count).filter_map(|step| day_at(sealed, nth(step))).collect()
}

fn day_at(sealed: &[(SeriesId, Window)], mut nth: u64) -> Option<(&SeriesId, NaiveDate)> {
    for (series, window) in sealed {
        let days = window.day_count();
        if nth < days {
            return Some((series, window.start.date().checked_add_days(Days::new(nth))?));
        }
        nth -= days;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_looked_at_are_spread_over_all_series_and_none_is_taken_twice() {
        let days = |id: &str, first: &str, days: u64| {
            let start = first.parse::<NaiveDate>().unwrap();
            let end = start.checked_add_days(Days::new(days)).unwrap();
            let at_midnight = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN);
            (SeriesId(id.into()), Window { start: at_midnight(start), end: at_midnight(end) })
        };
        let shown = |sealed: &[(SeriesId, Window)], most| -> Vec<String> {
            spread(sealed, most).iter().map(|(id, date)| format!("{id} {date}")).collect()
        };
        let sealed = [days("a", "2015-12-01", 3), days("a", "2015-12-11", 2), days("b", "2000-01-01", 1_000_000)];
        assert_eq!(shown(&sealed[..2], 16).len(), 5);
        assert_eq!(shown(&sealed[..2], 3), ["a 2015-12-01", "a 2015-12-03", "a 2015-12-12"]);
        assert_eq!(shown(&sealed[..1], 1), ["a 2015-12-01"]);
        assert_eq!(shown(&sealed, 3), ["a 2015-12-01", "b 3368-12-11", "b 4737-11-27"]);
        assert!(shown(&[], 16).is_empty());
    }
}
