//! Where redirects led to in this run. Two files that were redirected to one place are one file: a placeholder, the newest one,
//! a login page.
//!
//! The same goes for a file that was redirected to where another day's file is by its own listing.
//!
//! The second one may come when the day of the first is sealed already. That day is reopened: its record is taken down, and the
//! file taken back. Days that an earlier run sealed stay as they are, since some stores keep equal files as one: only the new
//! file fails.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Days;
use url::Url;

use super::blocking::blocking;
use super::event::DayId;
use super::file_address::address;
use super::{OpenedSeries, Todo};
use crate::archive::{self, Archive, FileLine, Reader, RecordState};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fetch::resource;
use crate::untrusted::escape;

/// No more places are remembered at once, in some 500 bytes each. Beyond that the earlier ones are forgotten: a placeholder
/// stands in for files that are asked for one after another.
const MOST: usize = 50_000;

/// No more places of listed files are remembered at once, in some 50 bytes each. Beyond that whole days are forgotten, the earliest
/// first.
const MOST_LISTED: usize = 100_000;

/// The days around a file's own whose records are looked at: a placeholder stands in for some days in a row.
const AROUND: u64 = 7;

/// The places that redirects led to in a run.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    places: Mutex<RedirectPlaces>,
    /// The days whose records were read for the places of their files. Locked meanwhile: no file may pass before what they
    /// hold is known.
    looked_at: tokio::sync::Mutex<BTreeSet<DayId>>,
}

#[derive(Debug, Default)]
struct RedirectPlaces {
    reached: HashMap<Digest, Arc<Reached>>,
    /// The places of files of sealed days.
    sealed: HashMap<Digest, SealedFile>,
    /// Where the files of days are by their own listings, or by the records of sealed days.
    listed: BTreeMap<DayId, Arc<HashSet<Digest>>>,
    /// How many places these are.
    listed_count: usize,
    /// Files at the place of another one, of days that may have been sealed before that was known.
    misplaced: BTreeMap<DayId, BTreeMap<String, Misplaced>>,
}

/// A file of a sealed day.
#[derive(Debug)]
struct SealedFile {
    day: DayId,
    key: String,
}

/// A file that was redirected.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) todo: Todo,
    pub(super) key: String,
    /// Its address by the listing.
    pub(super) listed: Url,
    /// Where it was redirected to, if that was in this run.
    pub(super) to: Option<Url>,
    /// It was here already when its day was begun.
    pub(super) was_here: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Misplaced {
    pub(super) file: Arc<Reached>,
    pub(super) failure: Failure,
}

/// The place that redirects led to is another file's.
#[derive(Debug)]
pub(super) struct PlaceTaken {
    /// How the file fails.
    pub(super) failure: Failure,
    /// Another key of its day that fails with it.
    pub(super) with: Option<String>,
}

impl Redirects {
    /// Notes where redirects led to for a file that came just now.
    pub(super) fn reach(&self, file: Reached, to: &Url, sha256: Digest) -> Result<(), PlaceTaken> {
        // With two queries of one path the bytes must be the same as well: a query may be all that names the object.
        let places = [resource::exact(to), of_body(resource::without_query(to), sha256)];
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = known.day_that_lists(&file, to) {
            return Err(PlaceTaken { failure: file.failure_as_listed(to, &day), with: None });
        }
        let file = Arc::new(file);
        let Some(first) = known.enter(&file, &places) else {
            let sealed = known.sealed.get(&places[1]).filter(|sealed| sealed.day != file.todo.id());
            return sealed.map_or(Ok(()), |SealedFile { day, key }| {
                let again = "; if the file of that day is the wrong one, `sunhaul update` requests it again";
                Err(PlaceTaken { failure: file.failure(Some(to), key, day, again), with: None })
            });
        };
        let failure = file.failure_beside(Some(to), &first);
        if first.todo.id() == file.todo.id() {
            return Err(PlaceTaken { failure, with: Some(first.key.clone()) });
        }
        known.misplace(&first, failure.clone());
        Err(PlaceTaken { failure, with: None })
    }

    /// Notes where an earlier go, or an earlier look, was redirected to for a file that is here.
    pub(super) fn remember(&self, todo: &Todo, listed: &Url, line: &FileLine) {
        let (Some(place), Some(sha256)) = (line.redirected, line.sha256) else { return };
        let (todo, key, listed) = (todo.clone(), line.key.clone(), listed.clone());
        let file = Arc::new(Reached { todo, key, listed, to: None, was_here: true });
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = known.enter(&file, &[of_body(place, sha256)]) {
            let failure = file.failure_beside(None, &first);
            known.misplace(&first, failure.clone());
            known.misplace(&file, failure);
        }
    }

    /// Notes where the files of a day are by its listing. Files of other days that were redirected to one of these places are
    /// misplaced.
    pub(super) fn list(&self, day: &DayId, places: Arc<HashSet<Digest>>) {
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = known.reached.iter().filter(|(place, file)| places.contains(*place) && file.todo.id() != *day);
        let reached: Vec<Arc<Reached>> = reached.map(|(_, file)| Arc::clone(file)).collect();
        known.list(day, places);
        for file in reached {
            if let Some(to) = &file.to
                && let Some(other) = known.day_that_lists(&file, to)
            {
                known.misplace(&file, file.failure_as_listed(to, &other));
            }
        }
    }

    /// Reads the records of the sealed days around one whose file was redirected, each once in a run.
    pub(super) async fn look_around(&self, archive: &Arc<Archive>, opened: &Arc<OpenedSeries>, day: &DayId) {
        let mut looked_at = self.looked_at.lock().await;
        let around = (1..=AROUND).map(Days::new);
        let dates = around.flat_map(|far| [day.date.checked_sub_days(far), day.date.checked_add_days(far)]);
        let days = dates.flatten().map(|date| DayId { series: day.series.clone(), date });
        let new: Vec<DayId> = days.filter(|day| looked_at.insert(day.clone())).collect();
        if new.is_empty() {
            return;
        }
        let (archive, opened) = (Arc::clone(archive), Arc::clone(opened));
        // A record that cannot be read is told where its day is done.
        let Ok(found) = blocking(move || sealed_days(&archive, &opened, new)).await else { return };
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for SealedDay { day, redirected, listed } in found {
            known.sealed.extend(redirected);
            known.list(&day, Arc::new(listed));
        }
    }

    /// Takes out the misplaced files of days that are not in work.
    pub(super) fn misplaced(&self, in_work: &BTreeSet<DayId>) -> BTreeMap<DayId, BTreeMap<String, Misplaced>> {
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, out) = std::mem::take(&mut known.misplaced).into_iter().partition(|(id, _)| in_work.contains(id));
        known.misplaced = kept;
        out
    }
}

impl RedirectPlaces {
    /// Enters a file at these places, and gives another one that was at one of them before.
    fn enter(&mut self, file: &Arc<Reached>, places: &[Digest]) -> Option<Arc<Reached>> {
        if self.reached.len() >= MOST {
            self.reached.clear();
        }
        let mut first = None;
        for place in places {
            let known = self.reached.entry(*place).or_insert_with(|| Arc::clone(file));
            first = first.or_else(|| (!known.is_same_file(file)).then(|| Arc::clone(known)));
        }
        first
    }

    fn list(&mut self, day: &DayId, places: Arc<HashSet<Digest>>) {
        // Of days without files there may be millions.
        if places.is_empty() {
            return;
        }
        self.listed_count += places.len();
        let before = self.listed.insert(day.clone(), places);
        self.listed_count -= before.map_or(0, |places| places.len());
        while self.listed.len() > 1 && self.listed_count > MOST_LISTED {
            let forgotten = self.listed.pop_first();
            self.listed_count -= forgotten.map_or(0, |(_, places)| places.len());
        }
    }

    /// The other day that has a file of its own where a file was redirected to. A series whose source is a mirror has the same
    /// file there.
    fn day_that_lists(&self, file: &Reached, to: &Url) -> Option<DayId> {
        let place = resource::exact(to);
        let is_mirrored = |day: &DayId| day.series != file.todo.series && last_part(&file.listed) == last_part(to);
        let is_other = |day: &DayId| *day != file.todo.id() && !is_mirrored(day);
        if place == resource::exact(&file.listed) {
            return None;
        }
        self.listed.iter().find(|(day, places)| places.contains(&place) && is_other(day)).map(|(day, _)| day.clone())
    }

    fn misplace(&mut self, file: &Arc<Reached>, failure: Failure) {
        let files = self.misplaced.entry(file.todo.id()).or_default();
        files.entry(file.key.clone()).or_insert_with(|| Misplaced { file: Arc::clone(file), failure });
    }
}

/// What the record of a sealed day says of where its files are.
struct SealedDay {
    day: DayId,
    /// The files that were redirected, by their places.
    redirected: HashMap<Digest, SealedFile>,
    /// Where all of them are by the day's listing.
    listed: HashSet<Digest>,
}

/// Those of these days that are sealed.
fn sealed_days(archive: &Archive, opened: &OpenedSeries, days: Vec<DayId>) -> Result<Vec<SealedDay>, archive::Error> {
    let records = Reader::open(archive.root())?;
    let (base, source) = (opened.source.current().client().base(), &opened.series.source);
    let mut sealed = Vec::new();
    for day in days {
        let record = records.record(&day.series, day.date).ok().flatten();
        let Some(record) = record.filter(|record| record.header.state == RecordState::Sealed) else { continue };
        let has_bytes = |line: &&FileLine| line.sha256.is_some();
        let address = |line: &FileLine| address(base, source, &line.url);
        let listed =
            record.files.iter().filter(has_bytes).filter_map(address).map(|url| resource::exact(&url)).collect();
        let file = |line: FileLine| {
            Some((of_body(line.redirected?, line.sha256?), SealedFile { day: day.clone(), key: line.key }))
        };
        let redirected = record.files.into_iter().filter_map(file).collect();
        sealed.push(SealedDay { day, redirected, listed });
    }
    Ok(sealed)
}

/// The last part of an address's path.
fn last_part(url: &Url) -> Option<&str> {
    url.path().rsplit('/').next()
}

/// True for the address of a store that names files by what they hold: equal files have one place there.
pub(super) fn names_its_bytes(to: &Url, sha256: Digest) -> bool {
    to.path().to_ascii_lowercase().contains(&sha256.to_string())
}

/// A place that two files cannot both have with the same bytes.
fn of_body(place: Digest, sha256: Digest) -> Digest {
    Digest::of_halves(&place, &sha256)
}

impl Reached {
    /// True for one listed file: asked for again, listed twice, or by a series whose source is a mirror.
    fn is_same_file(&self, other: &Reached) -> bool {
        let is_mirrored =
            || self.todo.series != other.todo.series && last_part(&self.listed) == last_part(&other.listed);
        let is_asked_again = || self.todo.id() == other.todo.id() && self.key == other.key;
        is_asked_again() || resource::exact(&self.listed) == resource::exact(&other.listed) || is_mirrored()
    }

    fn failure_as_listed(&self, to: &Url, day: &DayId) -> Failure {
        // The query of a signed URL is a secret.
        let (from, to) = (escape(self.listed.path()), escape(to.path()));
        let why = format!("which is a file of {} {} by its listing", escape(&day.series.0), day.date);
        Failure::new(Class::Redirect, format!("`{from}` was redirected to `{to}`, {why}: two files cannot be one"))
    }

    fn failure_beside(&self, to: Option<&Url>, first: &Reached) -> Failure {
        self.failure(to, &first.key, &first.todo.id(), "")
    }

    fn failure(&self, to: Option<&Url>, other: &str, day: &DayId, hint: &str) -> Failure {
        // The query of a signed URL is a secret.
        let to = to.map_or_else(|| "the place".to_owned(), |to| format!("`{}`", escape(to.path())));
        Failure::new(
            Class::Redirect,
            format!(
                "`{}` was redirected to {to}, where `{}` of {} {} was redirected to as well: two files cannot be one{hint}",
                escape(self.listed.path()),
                escape(other),
                escape(&day.series.0),
                day.date,
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::{Day, Window};
    use crate::manifest::SeriesId;
    use crate::run::How;

    /// A file of a series and a day of December 2015 by its listed path, where it was redirected to, and what came.
    type File<'a> = (&'a str, u32, &'a str, &'a str, &'a str);

    fn reach(redirects: &Redirects, (series, day, listed, to, sent): File<'_>) -> Result<(), PlaceTaken> {
        let url = |path: &str| -> Url { format!("http://h{path}").parse().unwrap() };
        let start = chrono::NaiveDate::from_ymd_opt(2015, 12, day).unwrap().and_time(chrono::NaiveTime::MIN);
        let day = Day { date: start.date(), window: Window { start, end: start + chrono::TimeDelta::days(1) } };
        let todo = Todo { series: SeriesId(series.to_owned()), day, spec: Digest::sha256(b""), how: How::default() };
        let file = Reached { todo, key: listed.to_owned(), listed: url(listed), to: Some(url(to)), was_here: false };
        redirects.reach(file, &url(to), Digest::sha256(sent.as_bytes()))
    }

    #[test]
    fn a_place_is_one_file_s() {
        let (own, with) = (Ok(()), |key: &str| Err(Some(key.to_owned())));
        for (what, first, second, expected) in [
            ("two places", ("s", 1, "/a", "/x/a", "1"), ("s", 1, "/b", "/x/b", "1"), own.clone()),
            ("one place", ("s", 1, "/a", "/x", "1"), ("s", 1, "/b", "/x", "1"), with("/a")),
            ("one that says the time", ("s", 1, "/a", "/x", "1"), ("s", 1, "/b", "/x", "2"), with("/a")),
            ("one on another day", ("s", 1, "/a", "/x", "1"), ("s", 2, "/b", "/x", "1"), Err(None)),
            ("one for two series", ("s", 1, "/a", "/x", "1"), ("t", 1, "/b", "/x", "1"), Err(None)),
            ("a mirror", ("s", 1, "/m/a", "/x", "1"), ("t", 1, "/n/a", "/x", "1"), own.clone()),
            ("other folders", ("s", 1, "/m/a", "/x", "1"), ("s", 1, "/n/a", "/x", "1"), with("/m/a")),
            ("asked again", ("s", 1, "/a", "/x", "1"), ("s", 1, "/a", "/x", "1"), own.clone()),
            ("another spelling", ("s", 1, "/a", "/p.dat", "1"), ("s", 1, "/b", "/%70.dat", "2"), with("/a")),
            ("queries of one body", ("s", 1, "/a", "/x?f=a", "1"), ("s", 1, "/b", "/x?f=b", "1"), with("/a")),
            ("queries of two bodies", ("s", 1, "/a", "/x?f=a", "1"), ("s", 1, "/b", "/x?f=b", "2"), own.clone()),
            ("two tokens", ("s", 1, "/a", "/x?token=1", "1"), ("s", 2, "/b", "/x?token=2", "2"), own.clone()),
        ] {
            let redirects = Redirects::default();
            assert!(reach(&redirects, first).is_ok(), "{what}");
            let found = reach(&redirects, second).map_err(|taken| {
                assert_eq!(taken.failure.class, Class::Redirect);
                taken.with
            });
            assert_eq!(found, expected, "{what}");
            let misplaced: Vec<_> = redirects.misplaced(&BTreeSet::new()).into_keys().map(|id| id.series.0).collect();
            assert_eq!(misplaced.len(), usize::from(expected == Err(None)), "{what}: {misplaced:?}");
        }
    }

    #[test]
    fn beyond_the_most_places_whole_days_are_forgotten_and_days_without_files_take_no_room() {
        let day = |nth: u32| DayId {
            series: SeriesId("s".to_owned()),
            date: chrono::NaiveDate::from_ymd_opt(2015, 12, nth).unwrap(),
        };
        let places = |nth: u32| (0..40_000u32).map(|n| Digest::sha256(format!("{nth}/{n}").as_bytes())).collect();
        let mut known = RedirectPlaces::default();
        for (nth, files) in [(1, true), (2, true), (2, true), (3, false), (4, true)] {
            known.list(&day(nth), Arc::new(if files { places(nth) } else { HashSet::new() }));
            assert_eq!(known.listed_count, known.listed.values().map(|places| places.len()).sum::<usize>());
        }
        assert_eq!(known.listed.into_keys().collect::<Vec<_>>(), [day(2), day(4)]);
    }
}
