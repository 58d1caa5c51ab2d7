//! The files of an order, joined to those of a listing: by record and segment, and by the file's name where a segment has
//! several files.

use std::collections::{BTreeSet, HashMap};

use url::Url;

use super::super::address::on_base;
use super::super::listing::{Names, Ordered};
use super::reply::{Row, plain};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::source::read::malformed;
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

/// Says of each file of a stretch of time where the order has put it.
///
/// What the order has no file of is absent; what it does not speak of at all is missing.
///
/// # Errors
/// `source-refused` when files are missing, or when it cannot be told which of several files is the listed one;
/// `listing-malformed` for a path that is none.
pub(super) fn join(
    files: &mut [RemoteFile],
    window: Window,
    names: &Names,
    rows: &[Row],
    base: &Url,
) -> Result<(), Failure> {
    let mut by_name: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in rows {
        by_name.entry(row.named.as_str()).or_default().push(row);
    }
    let mut joined: HashMap<String, &str> = HashMap::new();
    let (mut missing, mut one) = (0u64, None);
    for file in files.iter_mut().filter(|file| file.made().is_none() && window.contains(file.time)) {
        let Some(ordered) = names.get(&file.key) else { continue };
        let name = plain(&ordered.record);
        let rows = by_name.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        if let Some(other) = joined.insert(name, &ordered.record) {
            return Err(refused(&format!(
                "the export system cannot tell `{}` and `{}` apart",
                escape(other),
                escape(&ordered.record)
            )));
        }
        if rows.is_empty() && file.body == Body::Remote {
            missing += 1;
            one.get_or_insert(&ordered.record);
            continue;
        }
        // What a record keeps stays as it is: where an order lies is gone in a week.
        match (listed_file(ordered, rows)?, &file.body) {
            (None, _) => file.body = Body::None,
            (Some(path), Body::Remote) => {
                let wrong = |why| {
                    let (path, record) = (escape(path), escape(&ordered.record));
                    malformed(&format!("the order's path `{path}` of `{record}`, {why}"))
                };
                file.url = on_base(base, path).map_err(wrong)?.0;
            }
            (Some(path), _) => {
                let (path, record) = (escape(path), escape(&ordered.record));
                return Err(refused(&format!(
                    "the listing has no file of `{record}`, but the export system has `{path}`: which of the two is right \
                     cannot be told"
                )));
            }
        }
    }
    let Some(one) = one else { return Ok(()) };
    Err(refused(&format!(
        "the export system left out {missing} files that are listed, such as `{}`; the same command orders them again",
        escape(one)
    )))
}

/// The path of the file that is listed, among all that the order has of its record and segment; none where it has no file.
///
/// # Errors
/// `source-refused` where it has several, and not just one has the listed name.
fn listed_file<'r>(ordered: &Ordered, rows: &[&'r Row]) -> Result<Option<&'r str>, Failure> {
    let mut paths: BTreeSet<&str> = rows.iter().filter_map(|row| row.path.as_deref()).collect();
    let count = paths.len();
    if count > 1 {
        paths.retain(|path| path.rsplit('/').next() == ordered.file.as_deref());
    }
    match (paths.len(), paths.first()) {
        (1, path) => Ok(path.copied()),
        _ if count == 0 => Ok(None),
        _ => {
            let listed = ordered.file.as_deref().unwrap_or("none of them");
            Err(refused(&format!(
                "a record has several files: the export system has {count} of `{}`, and the listing names `{}`",
                escape(&ordered.record),
                escape(listed)
            )))
        }
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(Class::SourceRefused, why)
}

/// How many files of an order no day has listed, and one of them.
pub(super) fn strange<'a>(rows: &'a [Row], names: &[&Names]) -> Option<(usize, &'a str)> {
    let known: BTreeSet<String> =
        names.iter().flat_map(|names| names.values()).map(|ordered| plain(&ordered.record)).collect();
    let mut strange = rows.iter().filter(|row| row.path.is_some() && !known.contains(&row.named));
    let first = strange.next()?;
    Some((1 + strange.count(), &first.named))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "hmi.v_sht_2drls[2024.09.19_00:00:00_TAI]{rot}";

    fn row(path: Option<&str>) -> Row {
        Row { named: plain(RECORD), path: path.map(str::to_owned) }
    }

    /// What becomes of a file that the listing knows as `listed` when the order has these paths of its record and segment.
    fn joined(listed: Option<&str>, body: Body, paths: &[Option<&str>]) -> Result<Option<String>, String> {
        let base: Url = "http://h.example/".parse().unwrap();
        let window = Window::of_day("2024-09-19".parse().unwrap());
        let file = RemoteFile::new("77/rot".to_owned(), base.clone(), "/x".to_owned(), window.start);
        let mut files = [RemoteFile { body, ..file }];
        let ordered = Ordered { record: RECORD.to_owned(), file: listed.map(str::to_owned) };
        let rows: Vec<Row> = paths.iter().map(|path| row(*path)).collect();
        let names = Names::from([("77/rot".to_owned(), ordered)]);
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
            assert!(message.contains("several files") && message.contains("3 of `hmi.v_sht_2drls"), "{message}");
        }
        // Two of that name, in two folders.
        let twice = [Some("/SUM1/D1/S0/rot.2d"), Some("/SUM1/D2/S0/rot.2d")];
        assert!(joined(Some("rot.2d"), Body::Remote, &twice).unwrap_err().contains("several files"));
        // The same row twice is one file; and the export system gives its one file a name of its own.
        assert_eq!(joined(None, Body::Remote, &[all[1], all[1], None]), there("/SUM1/D1/S0/rot.2d"));
        assert_eq!(
            joined(Some("rot.2d"), Body::Remote, &[Some("/SUM9/D5/S0/a.rot.2d")]),
            there("/SUM9/D5/S0/a.rot.2d")
        );
    }

    #[test]
    fn what_the_order_has_no_file_of_is_absent_and_what_contradicts_the_listing_fails() {
        assert_eq!(joined(Some("rot.2d"), Body::Remote, &[None]), Ok(None));
        assert_eq!(joined(None, Body::None, &[None]), Ok(None));
        assert_eq!(joined(None, Body::None, &[]), Ok(None));
        assert!(joined(Some("rot.2d"), Body::Remote, &[]).unwrap_err().contains("left out 1 files"));
        assert!(joined(None, Body::None, &[Some("/SUM1/x")]).unwrap_err().contains("the listing has no file"));
    }
}
