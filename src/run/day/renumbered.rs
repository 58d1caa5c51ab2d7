//! Files of a day that the archive has under the numbers that their records had before.
//!
//! What it does not do: ask for anything. A file that is not here as it came is fetched like a new one.

use std::collections::{HashMap, HashSet};

use super::file_task::as_listed;
use super::lock_view::LockView;
use super::path_of;
use crate::archive::{DayWork, FileLine, RelativePath};
use crate::failure::Failure;
use crate::run::{OpenedSeries, Todo};
use crate::source::jsoc::{Known, former_keys};
use crate::source::{Listed, RemoteFile};

/// Takes over the files that are at the paths which they have by the listing. Gives the keys of before of all that are listed
/// under other ones.
pub(in crate::run) fn take_over(
    opened: &OpenedSeries,
    todo: &Todo,
    work: &DayWork,
    expected: &LockView,
    listed: &Listed,
) -> Result<HashSet<String>, Failure> {
    let is_known = |key: &str| work.have(key).is_some() || work.prior(key).is_some();
    if !opened.series.source.has_fixed_keys() || listed.files.iter().all(|file| is_known(&file.key)) {
        return Ok(HashSet::new());
    }
    let lines: HashMap<String, FileLine> = work.lines().into_iter().map(|line| (line.key.clone(), line)).collect();
    let known = lines.values().map(|line| Known { key: &line.key, url: &line.url, time: &line.time });
    let former = former_keys(&listed.files, known, opened.series.source.scale());
    let due = |file: &RemoteFile| -> Option<RelativePath> {
        let by_name = || path_of(&opened.series, todo, file, file.name.as_deref()?).ok();
        expected.path(&file.key).or_else(by_name)
    };
    let renamed = listed.files.iter().filter_map(|file| {
        let line = lines.get(former.get(&file.key)?)?;
        let is_in_place = due(file).is_some_and(|path| path.as_str() == line.path);
        is_in_place.then(|| FileLine {
            key: file.key.clone(),
            url: file.path.clone(),
            recnum: file.recnum,
            ..as_listed(line.clone(), file)
        })
    });
    work.adopt(renamed.collect())?;
    Ok(former.into_values().collect())
}
