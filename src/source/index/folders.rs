//! The folders that a day's files lie in.
//!
//! It does not check that they exist.

use chrono::{NaiveDateTime, TimeDelta, Timelike};
use percent_encoding::percent_decode_str;
use url::Url;

use super::link::below;
use crate::day::Day;
use crate::manifest::Timed;
use crate::manifest::path_pattern::{PathTime, Piece, TimeField};

/// A folder, and what its name tells of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatedFolder {
    /// Relative to the source's base; empty, or with a `/` at its end.
    pub(super) path: String,
    /// What its name tells.
    pub(super) told: PathTime,
}

/// The folders of a day in order, each once: one for each hour or minute where the path holds it.
pub(super) fn of_day(path: Option<&Timed>, day: &Day) -> Vec<DatedFolder> {
    let Some(path) = path else { return vec![DatedFolder { path: String::new(), told: PathTime::default() }] };
    let step = step(path);
    let mut folders: Vec<DatedFolder> = Vec::new();
    let mut at = floor(day.window.start, step);
    while at < day.window.end {
        let mut name = path.fill(at, |_| String::new());
        if !name.ends_with('/') {
            name.push('/');
        }
        if !folders.iter().any(|folder| folder.path == name) {
            folders.push(DatedFolder { path: name, told: path.fields_at(at) });
        }
        at += step;
    }
    folders
}

/// The part of the path that is the same on every day: a folder that lies above all of them.
pub(super) fn above_all(path: Option<&Timed>) -> &str {
    match path.and_then(|path| path.parts().first()) {
        Some(Piece::Text(text)) => text.rfind('/').map_or("", |end| &text[..=end]),
        _ => "",
    }
}

/// True when one folder holds the files of several days.
pub(super) fn is_shared(path: Option<&Timed>) -> bool {
    path.is_none_or(|path| !path.tells_date() && !path.has(TimeField::Hour) && !path.has(TimeField::Minute))
}

/// What the folder of a file tells where `path` makes that folder for another time than `folder`, the listed one: directly below
/// the base, or, as on a further host, wherever it lies.
pub(super) fn of_another_time(path: &Timed, base: &Url, file: &Url, folder: PathTime) -> Option<PathTime> {
    let parts = |text: &str| -> Vec<String> {
        let text = text.rsplit_once('/').map_or("", |(folders, _)| folders);
        text.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
    };
    let depth = path.text().trim_end_matches('/').split('/').count();
    let end = if path.text().ends_with('/') { "/" } else { "" };
    let read = |parts: &[String]| path.read(&format!("{}{end}", parts.join("/")));
    let all = parts(file.path());
    let own = (file.origin() == base.origin()).then(|| below(base, file)).flatten().map(parts).unwrap_or_default();
    let told = [own.get(..depth), all.len().checked_sub(depth).and_then(|at| all.get(at..))];
    let told: Vec<PathTime> = told.into_iter().flatten().filter_map(read).collect();
    let is_another = told.iter().all(|told| folder.and(*told).is_none());
    told.first().copied().filter(|_| is_another)
}

/// How long one folder's files last. That no path changes by the second, the manifest has made sure of.
fn step(path: &Timed) -> TimeDelta {
    if path.has(TimeField::Minute) {
        TimeDelta::minutes(1)
    } else if path.has(TimeField::Hour) {
        TimeDelta::hours(1)
    } else {
        TimeDelta::days(1)
    }
}

fn floor(at: NaiveDateTime, step: TimeDelta) -> NaiveDateTime {
    let since = i64::from(at.num_seconds_from_midnight()) % step.num_seconds();
    at - TimeDelta::seconds(since) - TimeDelta::nanoseconds(i64::from(at.nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, start: &str, end: &str) -> Vec<String> {
        let (start, end): (NaiveDateTime, NaiveDateTime) = (start.parse().unwrap(), end.parse().unwrap());
        let day = Day { date: start.date(), window: crate::day::Window { start, end } };
        of_day(Some(&Timed::path(path).unwrap()), &day).into_iter().map(|folder| folder.path).collect()
    }

    #[test]
    fn a_day_has_a_folder_for_each_hour_that_it_asks_for() {
        let (start, end) = ("2015-12-11T00:00:00", "2015-12-12T00:00:00");
        assert_eq!(paths("%Y/%m/%d", start, end), ["2015/12/11/"]);
        assert_eq!(paths("%Y/%b/", start, end), ["2015/Dec/"]);
        let hours = paths("%Y/%m/%d/H%H00/", start, end);
        assert_eq!((hours.len(), &*hours[0], &*hours[23]), (24, "2015/12/11/H0000/", "2015/12/11/H2300/"));
        assert_eq!(
            paths("%j/%H%M", "2015-12-11T05:58:30.5", "2015-12-11T06:01:00"),
            ["345/0558/", "345/0559/", "345/0600/"]
        );
        assert_eq!(paths("%H/", "2015-12-11T22:30:00", end), ["22/", "23/"]);
        assert_eq!(paths("%Y/%M/", start, end).len(), 60, "each once");
    }

    #[test]
    fn a_folder_of_another_time_is_known_by_the_path() {
        let base: Url = "http://h/data/".parse().unwrap();
        let at: NaiveDateTime = "2015-12-11T00:00:00".parse().unwrap();
        for (path, file, is_another) in [
            ("%Y/%m/%d/", "http://h/data/2015/12/11/a.fits", false),
            ("%Y/%m/%d/", "http://h/data/2015/12/12/a.fits", true),
            ("%Y/%m/%d", "http://h/data/2015/12/12/a.fits", true),
            ("%Y/%m/%d/", "http://h/data/2015/12/%312/a.fits", true),
            ("%Y/%m/%d/", "http://h/data/2015/12/12/sub/a.fits", true),
            ("%Y/%m/%d/", "http://h/data/2015/12/11/sub/a.fits", false),
            ("%Y/%m/%d/", "http://h/data/store/a.fits", false),
            ("%Y/%m/%d/", "http://h/data/store/2015/12/12/a.fits", true),
            ("%Y/%m/%d/", "http://cdn/2015/12/12/a.fits", true),
            ("%Y/%m/%d/", "http://cdn/x/2015/12/11/a.fits", false),
            ("%Y/%m/%d/", "http://cdn/a.fits", false),
            ("%j/", "http://h/data/345/171/a.fits", false),
            ("%j/", "http://h/data/346/a.fits", true),
            ("%Y/%m/", "http://h/data/2015/11/a.fits", true),
            ("%Y/%b/x", "http://h/data/2015/Dec/x/a.fits", false),
            ("all", "http://h/data/all/a.fits", false),
        ] {
            let timed = Timed::path(path).unwrap();
            let found = of_another_time(&timed, &base, &file.parse().unwrap(), timed.fields_at(at));
            assert_eq!(found.is_some(), is_another, "{path} {file}");
        }
    }

    #[test]
    fn what_lies_above_all_days_is_the_path_before_the_first_time() {
        for (path, above) in [("a/b/%Y/x", "a/b/"), ("a/b_%Y", "a/"), ("%Y/a/", ""), ("all/", "all/"), ("all", "")] {
            assert_eq!(above_all(Some(&Timed::path(path).unwrap())), above);
        }
        assert_eq!(above_all(None), "");
        let is_shared = |path: &str| is_shared(Some(&Timed::path(path).unwrap()));
        assert!(super::is_shared(None) && is_shared("%Y/%m/") && !is_shared("%Y/%j/") && !is_shared("%H/"));
    }
}
