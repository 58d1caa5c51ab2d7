//! The files of an order, joined to those of a listing: by record, and by the segment or its file's name.
//!
//! What `as-is` makes is listed with its segment, `RECORD{SEGMENT}` (`jsoc_export_as_is.c:455-459`), and a segment may have
//! several files. What `fits` makes is listed by its record alone, a row for each segment (`jsoc_export_as_fits.c:312,391`):
//! which one it is, its name says, which ends with the name of the segment's file (`exputil.c:112-128`).

use std::collections::{BTreeSet, HashMap};

use url::Url;

use super::super::address::on_base;
use super::super::listing::{Names, Ordered};
use super::super::slot;
use super::reply::{Row, plain};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::source::read_capped::malformed;
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

/// The server cuts names in a buffer of 128 bytes (`exputil.c`).
const LONGEST_NAME: usize = 127;

/// Says of each file of a stretch of time where the order has put it.
///
/// What the order has no file of is absent; what it does not speak of at all is missing.
///
/// # Errors
/// `source-refused` when files are missing, with JSOC's own words where it warns, when a file has another name than the
/// listing gives it, or when one file stands for two; `listing-malformed` for a path that is none.
pub(super) fn join(
    files: &mut [RemoteFile],
    window: Window,
    names: &Names,
    rows: &[Row],
    base: &Url,
) -> Result<(), Failure> {
    let made = Made::of(names, rows);
    let mut joined: HashMap<String, &Ordered> = HashMap::new();
    let mut of_path: HashMap<&str, &Ordered> = HashMap::new();
    let (mut missing, mut one) = (0u64, None);
    for file in files.iter_mut().filter(|file| file.made().is_none() && window.contains(file.time)) {
        let Some(ordered) = names.get(&file.key) else { continue };
        if let Some(other) = joined.insert(plain(&ordered.shown()), ordered) {
            return Err(refused(&format!(
                "the export system cannot tell `{}` and `{}` apart",
                escape(&other.shown()),
                escape(&ordered.shown())
            )));
        }
        let rows = made.rows_of(ordered);
        if rows.iter().all(|row| row.warning.is_some()) && file.body == Body::Remote {
            missing += 1;
            one.get_or_insert((ordered, rows.first().and_then(|row| row.warning.as_deref())));
            continue;
        }
        // What a record keeps stays as it is: where an order lies is gone in a week.
        let path = listed_file(ordered, &rows)?;
        if let Some((path, other)) = path.and_then(|path| Some((path, of_path.insert(path, ordered)?))) {
            return Err(refused(&format!(
                "the export system names one file, `{}`, for `{}` and for `{}`",
                escape(path),
                escape(&other.shown()),
                escape(&ordered.shown())
            )));
        }
        match (path, &file.body) {
            (None, _) => file.body = Body::None,
            (Some(path), Body::Remote) => {
                let wrong = |why| {
                    let (path, record) = (escape(path), ordered.shown());
                    malformed(&format!("the order's path `{path}` of `{}`, {why}", escape(&record)))
                };
                file.url = on_base(base, path).map_err(wrong)?.0;
            }
            (Some(path), _) => {
                let (path, record) = (escape(path), ordered.shown());
                return Err(refused(&format!(
                    "the listing has no file of `{}`, but the export system has `{path}`: which of the two is right \
                     cannot be told",
                    escape(&record)
                )));
            }
        }
    }
    let Some((one, warning)) = one else { return Ok(()) };
    let words = warning.or_else(|| rows.iter().find_map(|row| row.warning.as_deref()));
    let words = words.map(|words| format!(" (JSOC warns: {})", escape(words))).unwrap_or_default();
    Err(refused(&format!(
        "the export system left out {missing} files that are listed, such as `{}`{words}; the same command orders them \
         again",
        escape(&one.shown())
    )))
}

/// The rows of an order by their records.
struct Made<'r> {
    by_record: HashMap<String, Vec<&'r Row>>,
}

impl<'r> Made<'r> {
    fn of(names: &Names, rows: &'r [Row]) -> Made<'r> {
        let like = names.values().next().map(|ordered| Shape::of(&ordered.record)).unwrap_or_default();
        let mut by_record: HashMap<String, Vec<&Row>> = HashMap::new();
        for row in rows {
            by_record.entry(like.record(&row.named)).or_default().push(row);
        }
        Made { by_record }
    }

    /// The rows of a record and segment.
    fn rows_of(&self, ordered: &Ordered) -> Vec<&'r Row> {
        let segment = plain(&ordered.segment);
        let rows = self.by_record.get(&plain(&ordered.record)).map(Vec::as_slice).unwrap_or_default();
        let is_of = |row: &&&Row| match (segment_of(&row.named), &row.path) {
            (Some(own), _) => own == segment,
            (None, Some(path)) => names_file(last_part(path), ordered),
            (None, None) => true,
        };
        rows.iter().filter(is_of).copied().collect()
    }
}

/// How the records of a series are written.
#[derive(Debug, Default)]
struct Shape {
    series: String,
    /// How many prime keys it has.
    keys: usize,
}

impl Shape {
    fn of(record: &str) -> Shape {
        let record = plain(record);
        let series = record.split('[').next().unwrap_or_default().to_owned();
        Shape { keys: record.matches('[').count(), series }
    }

    /// The record of the series that a row is of: what a program made of it is a record of `SERIES_mod`, with the order's
    /// number as a further prime key (`jsoc_export_clone.c:233-237,288`).
    fn record(&self, named: &str) -> String {
        let named = named.split('{').next().unwrap_or_default();
        let Some((series, keys)) = named.split_once('[') else { return named.to_owned() };
        if series.strip_suffix("_mod") != Some(&self.series) {
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

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// True when the name of an exported file ends with that of the segment's own file, or with the segment where that is not
/// known. A name that was cut may end within it.
fn names_file(name: &str, ordered: &Ordered) -> bool {
    let ends_with = |end: &str| name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    let names_segment = || {
        let segment = &ordered.segment;
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        ends_with(segment) || stem == segment || stem.ends_with(&format!(".{segment}"))
    };
    let is_whole = ordered.file.as_ref().map_or_else(names_segment, |file| ends_with(file));
    let end = ordered.file.as_ref().unwrap_or(&ordered.segment);
    let is_cut = || {
        let starts = end.char_indices().skip(1).map(|(at, _)| &end[..at]);
        name.len() >= LONGEST_NAME && starts.into_iter().any(ends_with)
    };
    is_whole || is_cut()
}

/// The path of the file that is listed, among all that the order has of its record and segment; none where it has no file.
///
/// # Errors
/// `source-refused` where none of them has the listed name, or several have it.
fn listed_file<'r>(ordered: &Ordered, rows: &[&'r Row]) -> Result<Option<&'r str>, Failure> {
    let all: BTreeSet<&str> = rows.iter().filter_map(|row| row.path.as_deref()).collect();
    let is_listed = |path: &&str| ordered.file.is_none() || names_file(last_part(path), ordered);
    let named: Vec<&str> = all.iter().copied().filter(is_listed).collect();
    // When two names end alike, the shorter one is the match: both begin with the same name of the record.
    let shortest = named.iter().map(|path| last_part(path).len()).min();
    let mut named = named.into_iter().filter(|path| Some(last_part(path).len()) == shortest);
    match (named.next(), named.next()) {
        (Some(path), None) => Ok(Some(path)),
        _ if all.is_empty() => Ok(None),
        _ => {
            let listed = ordered.file.as_deref().unwrap_or("none of them");
            Err(refused(&format!(
                "of `{}` the export system has {} ({} in all), and the listing names `{}`: which file it is cannot be told",
                escape(&ordered.shown()),
                all.first().map(|path| format!("`{}`", escape(path))).unwrap_or_default(),
                all.len(),
                escape(listed)
            )))
        }
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(Class::SourceRefused, why)
}

/// How many files of an order no day has listed, and one of them. Records outside its stretch of time are ignored, since an
/// order reaches beyond both ends.
pub(super) fn strange<'a>(rows: &'a [Row], window: Window, names: &[&Names]) -> Option<(usize, &'a str)> {
    let all = || names.iter().flat_map(|names| names.values());
    let like = all().next().map(|ordered| Shape::of(&ordered.record)).unwrap_or_default();
    let known: BTreeSet<String> = all().map(|ordered| plain(&ordered.record)).collect();
    let is_within = |record: &str| {
        let times = record.split(['[', ']']).filter_map(|key| slot::time(&key.to_ascii_uppercase()));
        times.into_iter().all(|time| window.contains(time))
    };
    let is_strange = |row: &&Row| {
        let record = like.record(&row.named);
        row.path.is_some() && !known.contains(&record) && is_within(&record)
    };
    let mut strange = rows.iter().filter(is_strange);
    let first = strange.next()?;
    Some((1 + strange.count(), &first.named))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]";

    fn row(named: &str, path: Option<&str>) -> Row {
        Row { named: plain(named), path: path.map(str::to_owned), warning: None }
    }

    fn ordered(segment: &str, file: Option<&str>) -> Ordered {
        let time = "2024-09-19T00:00:00".parse().unwrap();
        let (segment, file) = (segment.to_owned(), file.map(str::to_owned));
        Ordered { record: RECORD.to_owned(), recnum: 77, time, harpnum: None, segment, file }
    }

    /// What becomes of a file that the listing knows as `listed` when the order has these paths of its record and segment.
    fn joined(listed: Option<&str>, body: Body, paths: &[Option<&str>]) -> Result<Option<String>, String> {
        let base: Url = "http://h.example/".parse().unwrap();
        let window = Window::of_day("2024-09-19".parse().unwrap());
        let file = RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start);
        let mut files = [RemoteFile { body, ..file }];
        let rows: Vec<Row> = paths.iter().map(|path| row(&format!("{RECORD}{{rot}}"), *path)).collect();
        let names = Names::from([("77/rot".to_owned(), ordered("rot", listed))]);
        join(&mut files, window, &names, &rows, &base).map_err(|failure| failure.message)?;
        Ok((files[0].body == Body::Remote).then(|| files[0].url.path().to_owned()))
    }

    #[test]
    fn of_several_files_of_a_record_the_listed_one_is_taken_or_none() {
        let all = [Some("/SUM1/D1/S0/err.2d"), Some("/SUM1/D1/S0/rot.2d"), Some("/SUM1/D1/S0/splittings.out")];
        let there = |path: &str| Ok(Some(path.to_owned()));
        assert_eq!(joined(Some("rot.2d"), Body::Remote, &all), there("/SUM1/D1/S0/rot.2d"));
        let mut back = all;
        back.reverse();
        assert_eq!(joined(Some("rot.2d"), Body::Remote, &back), there("/SUM1/D1/S0/rot.2d"));
        for listed in [Some("other.2d"), None] {
            let message = joined(listed, Body::Remote, &all).unwrap_err();
            let count = if listed.is_some() { "(3 in all), and the listing names `other.2d`" } else { "(3 in all)" };
            assert!(message.contains("of `hmi.v_sht_2drls") && message.contains(count), "{message}");
        }
        // Two of that name, in two folders.
        let twice = [Some("/SUM1/D1/S0/rot.2d"), Some("/SUM1/D2/S0/rot.2d")];
        assert!(joined(Some("rot.2d"), Body::Remote, &twice).unwrap_err().contains("(2 in all)"));
        // The same row twice is one file; and the export system gives its one file a name of its own.
        assert_eq!(joined(None, Body::Remote, &[all[1], all[1], None]), there("/SUM1/D1/S0/rot.2d"));
        assert_eq!(
            joined(Some("rot.2d"), Body::Remote, &[Some("/SUM9/D5/S0/a.rot.2d")]),
            there("/SUM9/D5/S0/a.rot.2d")
        );
    }

    #[test]
    fn a_row_that_names_the_file_of_another_segment_is_refused() {
        let message = joined(Some("rot.2d"), Body::Remote, &[Some("/SUM1/D1/S0/err.2d")]).unwrap_err();
        assert!(message.contains("has `/SUM1/D1/S0/err.2d`") && message.contains("names `rot.2d`"), "{message}");
        let message =
            told_apart(&[(&format!("{RECORD}{{Br}}"), "err.Br.fits"), (&format!("{RECORD}{{err}}"), "err.Br.fits")])
                .unwrap_err();
        assert!(message.contains("names one file, `/SUM9/D1/S00000/err.Br.fits`, for"), "{message}");
    }

    #[test]
    fn what_the_order_has_no_file_of_is_absent_and_what_contradicts_the_listing_fails() {
        assert_eq!(joined(Some("rot.2d"), Body::Remote, &[None]), Ok(None));
        assert_eq!(joined(None, Body::None, &[None]), Ok(None));
        assert_eq!(joined(None, Body::None, &[]), Ok(None));
        assert!(joined(Some("rot.2d"), Body::Remote, &[]).unwrap_err().contains("left out 1 files"));
        assert!(joined(None, Body::None, &[Some("/SUM1/x")]).unwrap_err().contains("the listing has no file"));
    }

    /// Where an order of protocol fits has put the files `Br` and `err`, by the names of these rows.
    fn told_apart(rows: &[(&str, &str)]) -> Result<[Option<String>; 2], String> {
        let base: Url = "http://h.example/".parse().unwrap();
        let window = Window::of_day("2024-09-19".parse().unwrap());
        let file = |key: &str| RemoteFile::new(key.to_owned(), base.clone(), "/x".to_owned(), window.start);
        let mut files = [file("77/Br"), file("77/err")];
        let names = Names::from([
            ("77/Br".to_owned(), ordered("Br", Some("Br.fits"))),
            ("77/err".to_owned(), ordered("err", Some("err.Br.fits"))),
        ]);
        let rows: Vec<Row> =
            rows.iter().map(|(record, name)| row(record, Some(&format!("/SUM9/D1/S00000/{name}")))).collect();
        join(&mut files, window, &names, &rows, &base).map_err(|failure| failure.message)?;
        let name = |file: &RemoteFile| last_part(file.url.path()).to_owned();
        Ok(files.each_ref().map(|file| (file.body == Body::Remote).then(|| name(file))))
    }

    #[test]
    fn files_that_are_made_are_told_apart_by_their_names() {
        let both = |one: &str, other: &str| Ok([Some(one.to_owned()), Some(other.to_owned())]);
        let rows = [(RECORD, "a.b.err.Br.fits"), (RECORD, "a.b.Br.fits")];
        assert_eq!(told_apart(&rows), both("a.b.Br.fits", "a.b.err.Br.fits"));
        let made = "hmi.V_SHT_2drls_mod[2024.09.19_00:00:00_TAI][JSOC_20260101_001]";
        let rows = [(made, "m.err.Br.fits"), (made, "m.Br.fits")];
        assert_eq!(told_apart(&rows), both("m.Br.fits", "m.err.Br.fits"), "of a series that a program made");
        let left_out = told_apart(&[(RECORD, "a.Br.fits")]).unwrap_err();
        assert!(
            left_out
                .contains("left out 1 files that are listed, such as `hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]{err}`"),
            "{left_out}"
        );
        let other = "hmi.v_sht_2drls[2024.09.20_00:00:00_TAI]";
        assert!(told_apart(&[(other, "a.Br.fits"), (other, "a.err.Br.fits")]).unwrap_err().contains("left out 2"));
    }

    #[test]
    fn a_name_says_which_segment_it_belongs_to_even_when_it_was_cut() {
        let long = "x".repeat(LONGEST_NAME - 3);
        for (name, file, segment, is_it) in [
            ("s.377.20110215_000000_TAI.Br.fits", Some("Br.fits"), "Br", true),
            ("s.377.20110215_000000_TAI.Br_err.fits", Some("Br.fits"), "Br", false),
            ("s.377.xBr.fits", Some("Br.fits"), "Br", false),
            ("Br.fits", Some("Br.fits"), "Br", true),
            ("s.1.V.fits", Some("V.fits"), "Dopplergram", true),
            // On tape alone: the file's name is not listed.
            ("s.1.Br.fits", None, "Br", true),
            ("s.1.Br", None, "Br", true),
            ("s.1.Bp.fits", None, "Br", false),
            (&format!("{long}.Br"), Some("Br.fits"), "Br", true),
            (&format!("{long}.Bp"), Some("Br.fits"), "Br", false),
            ("s.1.Br", Some("Br.fits"), "Br", false),
        ] {
            assert_eq!(names_file(name, &ordered(segment, file)), is_it, "{name} {file:?}");
        }
    }

    #[test]
    fn a_warning_in_place_of_a_file_is_reported_and_files_outside_the_time_are_ignored() {
        let base: Url = "http://h.example/".parse().unwrap();
        let window = Window::of_day("2024-09-19".parse().unwrap());
        let mut files = [RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start)];
        let names = Names::from([("77/rot".to_owned(), ordered("rot", Some("rot.2d")))]);
        let warns = Row { warning: Some("No such file".to_owned()), ..row(RECORD, None) };
        let message = join(&mut files, window, &names, &[warns], &base).unwrap_err().message;
        assert!(message.contains("(JSOC warns: No such file)"), "{message}");
        let at = |time: &str| row(&format!("hmi.v_sht_2drls[{time}]"), Some("/SUM9/x.rot.2d"));
        let rows = [at("2024.09.19_00:00:00_TAI"), at("2024.09.18_23:48:00_TAI"), at("2024.09.19_12:00:00_TAI")];
        let strange = strange(&rows, window, &[&names]);
        assert_eq!(strange, Some((1, "hmi.v_sht_2drls[2024.09.19_12:00:00_tai]")));
    }
}
