//! The files of an order, joined to those of a listing: by record, and by the segment or its file's name.
//!
//! What `as-is` makes is listed with its segment, `RECORD{SEGMENT}` (`jsoc_export_as_is.c:455-459`), and a segment may have
//! several files. What `fits` makes is listed by its record alone, a row for each segment (`jsoc_export_as_fits.c:312,391`):
//! which one it is, its name says, which ends with the name of the segment's file (`exputil.c:112-128`).

use std::collections::{BTreeSet, HashMap};

use url::Url;

use super::super::address::on_base;
use super::super::record::{Names, Ordered};
use super::super::renumbered::place;
use super::super::slot;
use super::super::storage::offline;
use super::by_record::Delivered;
use super::file_name::{is_of_our_format, last_part, names_file, names_processed_file, names_record};
use super::reply::{ExportedFile, plain};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::source::read_capped::malformed;
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

/// Says of each file of a stretch of time where the order has put it.
///
/// What the order has no file of is absent, and what it warns of fails alone; what it does not speak of at all is missing.
///
/// # Errors
/// `source-refused` when files are missing, with JSOC's own words where it warns, when a file has another name than the
/// listing gives it, or when one file stands for two; `listing-malformed` for a path that is none.
pub(super) fn join(
    files: &mut [RemoteFile],
    window: Window,
    names: &Names,
    delivered: &Delivered,
    base: &Url,
) -> Result<(), Failure> {
    let rows = &delivered.rows;
    let made = Made::by_row(names, rows);
    let mut joined: HashMap<String, &Ordered> = HashMap::new();
    let mut of_path: HashMap<&str, &Ordered> = HashMap::new();
    let (mut missing, mut one) = (0u64, None);
    for file in files.iter_mut().filter(|file| file.made().is_none() && window.contains(file.time)) {
        let Some(ordered) = names.get(&file.key) else { continue };
        if let Some(why) = delivered.not_had.get(&ordered.recnum).filter(|_| file.body == Body::Remote) {
            file.body = Body::Offline(why.about(&ordered.shown()));
            continue;
        }
        if let Some(other) = joined.insert(plain(&ordered.shown()), ordered) {
            return Err(refused(&format!(
                "the export system cannot tell `{}` from `{}`",
                escape(&other.shown()),
                escape(&ordered.shown())
            )));
        }
        let rows = made.rows_of(ordered);
        if file.body == Body::Remote && rows.iter().all(|made| made.row.warning.is_some()) {
            if let Some(words) = rows.first().and_then(|made| made.row.warning.as_deref()) {
                file.body = Body::NotMade(not_made(ordered, words));
            } else {
                missing += 1;
                one.get_or_insert(ordered);
            }
            continue;
        }
        // The path in a record stays as it is: the folder of an order is deleted after a week.
        let path = listed_file(ordered, &rows)?;
        if let Some((path, other)) = path.and_then(|path| Some((path, of_path.insert(path, ordered)?))) {
            return Err(refused(&format!(
                "the export system names one file, `{}`, for `{}` and for `{}`",
                escape(path),
                escape(&other.shown()),
                escape(&ordered.shown())
            )));
        }
        match path {
            None => file.body = body_without_path(&file.body, ordered, &rows),
            Some(path) => {
                file.url = delivered_url(path, &file.body, ordered, base)?;
                file.body = Body::Remote;
            }
        }
    }
    let Some(one) = one else { return Ok(()) };
    let words = rows
        .iter()
        .find_map(|row| row.warning.as_deref())
        .map(|words| format!(" (JSOC warns: {})", escape(words)))
        .unwrap_or_default();
    Err(refused(&format!(
        "the export system left out {missing} of the listed files, such as `{}`{words}; the same command orders them again",
        escape(&one.shown())
    )))
}

/// What a file fails with that JSOC warns of in place of making it.
fn not_made(ordered: &Ordered, words: &str) -> String {
    format!(
        "JSOC did not make `{}`, and warns: {}; the same command orders it again",
        escape(&ordered.shown()),
        escape(words)
    )
}

/// What is fetched of a file that an order has no path for.
fn body_without_path(listed: &Body, ordered: &Ordered, rows: &[MadeRow<'_>]) -> Body {
    match listed {
        // It was not ordered.
        Body::Offline(_) => listed.clone(),
        Body::Remote if rows.iter().any(|made| made.row.is_offline) => Body::Offline(offline(&ordered.shown())),
        _ => Body::None,
    }
}

/// Where an order has put a file. An order of an earlier run may have what has left the disks since.
fn delivered_url(path: &str, listed: &Body, ordered: &Ordered, base: &Url) -> Result<Url, Failure> {
    let (shown_path, shown_record) = (escape(path), ordered.shown());
    let record = escape(&shown_record);
    if !matches!(listed, Body::Remote | Body::Offline(_)) {
        return Err(refused(&format!(
            "the listing has no file of `{record}`, but the export system has `{shown_path}`: it is not known which of the two is right"
        )));
    }
    let wrong = |why| malformed(&format!("the order's path `{shown_path}` of `{record}`, {why}"));
    Ok(on_base(base, path).map_err(wrong)?.0)
}

/// The rows of an order by their records.
struct Made<'r> {
    by_record: HashMap<String, Vec<MadeRow<'r>>>,
}

/// A row of an order.
#[derive(Clone, Copy)]
struct MadeRow<'r> {
    row: &'r ExportedFile,
    /// Its file is one that a program made of the record's own.
    is_processed: bool,
}

impl MadeRow<'_> {
    /// True when the name of its file is that of a record's file.
    fn names(self, ordered: &Ordered) -> bool {
        let name = self.row.path.as_deref().map(last_part).unwrap_or_default();
        // A row may name its segment itself, beside the name that our orders ask for.
        let is_told = || segment_of(&self.row.named).is_some() && is_of_our_format(name, ordered);
        names_file(name, ordered) || ((self.is_processed || is_told()) && names_processed_file(name, ordered))
    }
}

impl<'r> Made<'r> {
    fn by_row(names: &Names, rows: &'r [ExportedFile]) -> Made<'r> {
        let like = names.values().next().map(|ordered| RecordForm::of_record(&ordered.record)).unwrap_or_default();
        let mut by_record: HashMap<String, Vec<MadeRow<'_>>> = HashMap::new();
        for row in rows {
            let is_processed = like.is_processed(&row.named);
            by_record.entry(like.record(&row.named)).or_default().push(MadeRow { row, is_processed });
        }
        Made { by_record }
    }

    /// The rows of a record and segment.
    fn rows_of(&self, ordered: &Ordered) -> Vec<MadeRow<'r>> {
        let segment = plain(&ordered.segment);
        let rows = self.by_record.get(&plain(&ordered.record)).map(Vec::as_slice).unwrap_or_default();
        let is_of = |made: &&MadeRow<'_>| match (segment_of(&made.row.named), &made.row.path) {
            (Some(own), _) => own == segment,
            (None, Some(_)) => made.names(ordered),
            (None, None) => true,
        };
        rows.iter().filter(is_of).copied().collect()
    }
}

/// How the records of a series are written.
#[derive(Debug, Default)]
struct RecordForm {
    series: String,
    /// How many prime keys it has.
    keys: usize,
}

impl RecordForm {
    fn of_record(record: &str) -> RecordForm {
        let record = plain(record);
        let series = record.split('[').next().unwrap_or_default().to_owned();
        RecordForm { keys: record.matches('[').count(), series }
    }

    /// True for a row of what a program made of a record.
    fn is_processed(&self, named: &str) -> bool {
        named.split('[').next().and_then(|series| series.strip_suffix("_mod")) == Some(&self.series)
    }

    /// The record of the series that a row is of: what a program made of it is a record of `SERIES_mod`, with the order's
    /// number as a further prime key (`jsoc_export_clone.c:233-237,288`).
    fn record(&self, named: &str) -> String {
        let named = named.split('{').next().unwrap_or_default();
        let Some((_, keys)) = named.split_once('[') else { return named.to_owned() };
        if !self.is_processed(named) {
            return named.to_owned();
        }
        let keys: Vec<&str> = keys.split('[').take(self.keys).collect();
        format!("{}[{}", self.series, keys.join("["))
    }
}

/// The segment that a row names; none where it names its record alone.
fn segment_of(named: &str) -> Option<&str> {
    Some(named.split_once('{')?.1.trim_end_matches('}'))
}

/// The path of the file that is listed, among all that the order has of its record and segment; none where it has no file.
///
/// # Errors
/// `source-refused` where none of them has the listed name, or several have it.
fn listed_file<'r>(ordered: &Ordered, rows: &[MadeRow<'r>]) -> Result<Option<&'r str>, Failure> {
    let paths = |is_asked: &dyn Fn(&MadeRow<'r>) -> bool| -> BTreeSet<&'r str> {
        rows.iter().filter(|made| is_asked(made)).filter_map(|made| made.row.path.as_deref()).collect()
    };
    let all = paths(&|_| true);
    let named = paths(&|made| ordered.file.is_none() || made.names(ordered));
    // When two names end alike, the shorter one is the match: both begin with the same name of the record.
    let is_of_file = |path: &&&str| names_file(last_part(path), ordered);
    let shortest = named.iter().filter(is_of_file).map(|path| last_part(path).len()).min();
    let mut named = named.iter().filter(|path| !is_of_file(path) || Some(last_part(path).len()) == shortest);
    match (named.next(), named.next()) {
        (Some(path), None) => is_of_record(ordered, path, rows).map(|()| Some(*path)),
        _ if all.is_empty() => Ok(None),
        _ => {
            let listed = ordered.file.as_deref().unwrap_or("none of them");
            Err(refused(&format!(
                "of `{}` the export system has {} ({} in all), and the listing names `{}`: it is not known which file that is",
                escape(&ordered.shown()),
                all.first().map(|path| format!("`{}`", escape(path))).unwrap_or_default(),
                all.len(),
                escape(listed)
            )))
        }
    }
}

/// Checks that a file is that of the record which the order lists it with: by its name, or where it is not made anew and has
/// the name that it has on disk, by its storage unit and slot.
///
/// # Errors
/// `source-refused` for another record's file.
fn is_of_record(ordered: &Ordered, path: &str, rows: &[MadeRow<'_>]) -> Result<(), Failure> {
    let name = last_part(path);
    let is_on_disk = rows.iter().any(|made| made.row.path.as_deref() == Some(path) && made.row.is_on_disk);
    let places = place(path).zip(ordered.place.as_deref()).filter(|_| is_on_disk);
    if let Some((_, listed)) = places.filter(|(ordered, listed)| ordered != listed) {
        return Err(refused(&format!(
            "the export system has `{}` for `{}`, but by the listing that file is in `{}`: it is not known which of the two is right; the same command lists and orders it again",
            escape(path),
            escape(&ordered.shown()),
            escape(listed)
        )));
    }
    let is_made =
        rows.iter().any(|made| made.row.path.as_deref() == Some(path) && segment_of(&made.row.named).is_none());
    let is_ours = is_made || (is_of_our_format(name, ordered) && ordered.file.as_deref() != Some(name));
    if !is_ours || names_record(name, ordered) {
        return Ok(());
    }
    Err(refused(&format!(
        "the export system lists `{}` for `{}`, but that is no name of a file of that record: it is not known whose bytes it holds; run again to order it again",
        escape(path),
        escape(&ordered.shown())
    )))
}

fn refused(why: &str) -> Failure {
    Failure::new(Class::SourceRefused, why)
}

/// How many files of an order no day has listed, and one of them. Records outside its stretch of time are ignored, since an
/// order reaches beyond both ends.
pub(super) fn strange<'a>(rows: &'a [ExportedFile], window: Window, names: &[&Names]) -> Option<(usize, &'a str)> {
    let all = || names.iter().flat_map(|names| names.values());
    let like = all().next().map(|ordered| RecordForm::of_record(&ordered.record)).unwrap_or_default();
    let known: BTreeSet<String> = all().map(|ordered| plain(&ordered.record)).collect();
    let is_within = |record: &str| {
        let times = record.split(['[', ']']).filter_map(|key| slot::time(&key.to_ascii_uppercase()));
        times.into_iter().all(|time| window.contains(time))
    };
    let is_strange = |row: &&ExportedFile| {
        let record = like.record(&row.named);
        row.path.is_some() && !known.contains(&record) && is_within(&record)
    };
    let mut strange = rows.iter().filter(is_strange);
    let first = strange.next()?;
    Some((1 + strange.count(), &first.named))
}

#[cfg(test)]
pub(super) mod tests;
