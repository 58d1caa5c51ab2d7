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
use super::super::storage::offline;
use super::Delivered;
use super::file_name::{is_of_our_format, last_part, names_file, names_processed_file, names_record};
use super::reply::{Row, plain};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::source::read_capped::malformed;
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

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
    delivered: &Delivered,
    base: &Url,
) -> Result<(), Failure> {
    let rows = &delivered.rows;
    let made = Made::of(names, rows);
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
                "the export system cannot tell `{}` and `{}` apart",
                escape(&other.shown()),
                escape(&ordered.shown())
            )));
        }
        let rows = made.rows_of(ordered);
        if rows.iter().all(|made| made.row.warning.is_some()) && file.body == Body::Remote {
            missing += 1;
            one.get_or_insert((ordered, rows.first().and_then(|made| made.row.warning.as_deref())));
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
            // It was not ordered.
            (None, Body::Offline(_)) => {}
            (None, _) => file.body = Body::None,
            // An order of an earlier run may have what has left the disks since.
            (Some(path), Body::Remote | Body::Offline(_)) => {
                let wrong = |why| {
                    let (path, record) = (escape(path), ordered.shown());
                    malformed(&format!("the order's path `{path}` of `{}`, {why}", escape(&record)))
                };
                file.url = on_base(base, path).map_err(wrong)?.0;
                file.body = Body::Remote;
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
    by_record: HashMap<String, Vec<MadeRow<'r>>>,
}

/// A row of an order.
#[derive(Clone, Copy)]
struct MadeRow<'r> {
    row: &'r Row,
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
    fn of(names: &Names, rows: &'r [Row]) -> Made<'r> {
        let like = names.values().next().map(|ordered| Shape::of(&ordered.record)).unwrap_or_default();
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
                "of `{}` the export system has {} ({} in all), and the listing names `{}`: which file it is cannot be told",
                escape(&ordered.shown()),
                all.first().map(|path| format!("`{}`", escape(path))).unwrap_or_default(),
                all.len(),
                escape(listed)
            )))
        }
    }
}

/// Checks that the name of a file is that of the record which the order lists it with. What is not made anew may have the name
/// that it has on disk.
///
/// # Errors
/// `source-refused` for the name of another record's file.
fn is_of_record(ordered: &Ordered, path: &str, rows: &[MadeRow<'_>]) -> Result<(), Failure> {
    let name = last_part(path);
    let is_made =
        rows.iter().any(|made| made.row.path.as_deref() == Some(path) && segment_of(&made.row.named).is_none());
    let is_ours = is_made || (is_of_our_format(name, ordered) && ordered.file.as_deref() != Some(name));
    if !is_ours || names_record(name, ordered) {
        return Ok(());
    }
    Err(refused(&format!(
        "the export system lists `{}` for `{}`, but that is no name of a file of that record: whose bytes it holds cannot be \
         told; the same command orders it again",
        escape(path),
        escape(&ordered.shown())
    )))
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
pub(super) mod tests {
    use chrono::TimeDelta;

    use super::*;

    const RECORD: &str = "hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]";
    const STEM: &str = "hmi.v_sht_2drls.20240919_000000_TAI.";

    /// A row of what is made anew has the record alone, and a file named after it.
    fn listed_row((record, name): &(&str, &str)) -> Row {
        let stem = if record.contains('{') { "" } else { STEM };
        row(record, Some(&format!("/SUM9/D1/S00000/{stem}{name}")))
    }

    fn without_stem(file: &RemoteFile) -> String {
        let name = last_part(file.url.path());
        name.strip_prefix(STEM).unwrap_or(name).to_owned()
    }

    fn row(named: &str, path: Option<&str>) -> Row {
        Row { named: plain(named), path: path.map(str::to_owned), warning: None }
    }

    pub(in super::super) fn ordered(segment: &str, file: Option<&str>) -> Ordered {
        let time = "2024-09-19T00:00:00".parse().unwrap();
        let (segment, file) = (segment.to_owned(), file.map(str::to_owned));
        Ordered {
            record: RECORD.to_owned(),
            recnum: 77,
            time,
            harpnum: None,
            segment,
            file,
            is_available: true,
            time_slack: TimeDelta::seconds(1),
        }
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
        let offline = || Body::Offline("on tape".to_owned());
        for rows in [&[][..], &[None]] {
            assert_eq!(joined(None, offline(), rows), Ok(None));
        }
        assert_eq!(joined(Some("rot.2d"), offline(), &[Some("/SUM9/rot.2d")]), Ok(Some("/SUM9/rot.2d".to_owned())));
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
        let rows: Vec<Row> = rows.iter().map(listed_row).collect();
        join(&mut files, window, &names, &rows, &base).map_err(|failure| failure.message)?;
        Ok(files.each_ref().map(|file| (file.body == Body::Remote).then(|| without_stem(file))))
    }

    #[test]
    fn files_that_are_made_are_told_apart_by_their_names() {
        let both = |one: &str, other: &str| Ok([Some(one.to_owned()), Some(other.to_owned())]);
        let rows = [(RECORD, "err.Br.fits"), (RECORD, "Br.fits")];
        assert_eq!(told_apart(&rows), both("Br.fits", "err.Br.fits"));
        let made = "hmi.V_SHT_2drls_mod[2024.09.19_00:00:00_TAI][JSOC_20260101_001]";
        let rows = [(made, "err.Br.fits"), (made, "Br.fits")];
        assert_eq!(told_apart(&rows), both("Br.fits", "err.Br.fits"), "of a series that a program made");
        let left_out = told_apart(&[(RECORD, "Br.fits")]).unwrap_err();
        assert!(
            left_out
                .contains("left out 1 files that are listed, such as `hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]{err}`"),
            "{left_out}"
        );
        let other = "hmi.v_sht_2drls[2024.09.20_00:00:00_TAI]";
        assert!(told_apart(&[(other, "Br.fits"), (other, "err.Br.fits")]).unwrap_err().contains("left out 2"));
    }

    #[test]
    fn what_a_program_makes_is_known_by_the_file_s_name_or_the_segment_s() {
        let made = "hmi.V_SHT_2drls_mod[2024.09.19_00:00:00_TAI][JSOC_20260101_001]";
        let image = |rows: &[(&str, &str)]| {
            let base: Url = "http://h.example/".parse().unwrap();
            let window = Window::of_day("2024-09-19".parse().unwrap());
            let mut files = [RemoteFile::new("77/image".to_owned(), base.clone(), "/x".to_owned(), window.start)];
            let names = Names::from([("77/image".to_owned(), ordered("image", Some("image_lev1.fits")))]);
            let rows: Vec<Row> = rows.iter().map(listed_row).collect();
            join(&mut files, window, &names, &rows, &base).map_err(|failure| failure.message)?;
            Ok::<_, String>(without_stem(&files[0]))
        };
        for name in ["image.fits", "image_lev1.fits"] {
            assert_eq!(image(&[(made, name)]).as_deref(), Ok(name));
        }
        let both = image(&[(made, "image.fits"), (made, "image_lev1.fits")]).unwrap_err();
        assert!(both.contains("(2 in all)"), "{both}");
        let own = image(&[(RECORD, "image.fits")]).unwrap_err();
        assert!(own.contains("left out 1 files"), "no program made it: {own}");
        assert!(image(&[(made, "spikes.fits")]).unwrap_err().contains("left out 1 files"));
        // As-is files: the row names the segment, and the name is as ours ask for, or that on disk.
        let as_is = format!("{RECORD}{{image}}");
        assert_eq!(image(&[(as_is.as_str(), format!("{STEM}image.fits").as_str())]).as_deref(), Ok("image.fits"));
        assert!(image(&[(as_is.as_str(), "image.fits")]).unwrap_err().contains("which file it is cannot be told"));
    }

    #[test]
    fn a_file_named_after_another_record_is_refused() {
        let other = "hmi.v_sht_2drls.20240920_000000_TAI";
        for record in [RECORD.to_owned(), format!("{RECORD}{{rot}}")] {
            let base: Url = "http://h.example/".parse().unwrap();
            let window = Window::of_day("2024-09-19".parse().unwrap());
            let mut files = [RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start)];
            let names = Names::from([("77/rot".to_owned(), ordered("rot", Some("rot.2d")))]);
            let rows = [row(&record, Some(&format!("/SUM9/D1/S00000/{other}.rot.2d")))];
            let message = join(&mut files, window, &names, &rows, &base).unwrap_err().message;
            assert!(message.contains(&format!("lists `/SUM9/D1/S00000/{other}.rot.2d` for `{RECORD}")), "{message}");
            assert!(message.contains("is no name of a file of that record"), "{message}");
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
