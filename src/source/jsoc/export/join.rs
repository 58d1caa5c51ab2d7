//! The files of an order, joined to those of a listing.

use std::collections::{BTreeMap, HashMap};

use url::Url;

use super::super::address::on_base;
use super::reply::{Row, plain};
use crate::day::Window;
use crate::failure::{Class, Failure};
use crate::source::read::malformed;
use crate::source::{Body, RemoteFile};
use crate::untrusted::escape;

/// Says of each file of a stretch of time where the order has put it. `names` are what the export system calls the files, by key.
///
/// What the order has no file of is absent; what it does not speak of at all is missing.
///
/// # Errors
/// `source-refused` when files are missing, `listing-malformed` for a path that is none.
pub(super) fn join(
    files: &mut [RemoteFile],
    window: Window,
    names: &BTreeMap<String, String>,
    rows: &[Row],
    base: &Url,
) -> Result<(), Failure> {
    let rows: HashMap<&str, &Row> = rows.iter().map(|row| (row.named.as_str(), row)).collect();
    let (mut missing, mut one) = (0u64, None);
    let is_due = |file: &&mut RemoteFile| file.body == Body::Remote && window.contains(file.time);
    for file in files.iter_mut().filter(is_due) {
        let Some(name) = names.get(&file.key) else { continue };
        match rows.get(plain(name).as_str()) {
            None => {
                missing += 1;
                one.get_or_insert(name);
            }
            Some(Row { path: None, .. }) => file.body = Body::None,
            // What a record keeps stays as it is: where an order lies is gone in a week.
            Some(Row { path: Some(path), .. }) => {
                let told =
                    |why| malformed(&format!("the order's path `{}` of `{}`, {why}", escape(path), escape(name)));
                file.url = on_base(base, path).map_err(told)?.0;
            }
        }
    }
    let Some(one) = one else { return Ok(()) };
    let why = format!(
        "the export system left out {missing} files that are listed, such as `{}`; the same command orders them again",
        escape(one)
    );
    Err(Failure::new(Class::SourceRefused, why))
}

/// How many files of an order no day has listed, and one of them.
pub(super) fn strange<'a>(rows: &'a [Row], names: &[&BTreeMap<String, String>]) -> Option<(usize, &'a str)> {
    let known: std::collections::HashSet<String> =
        names.iter().flat_map(|names| names.values()).map(|name| plain(name)).collect();
    let mut strange = rows.iter().filter(|row| row.path.is_some() && !known.contains(&row.named));
    let first = strange.next()?;
    Some((1 + strange.count(), &first.named))
}
