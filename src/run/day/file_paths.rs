//! Where a file of a day is or would be: by the layout of now, and by those that its series had before.

use std::collections::BTreeSet;

use super::{path_of, values};
use crate::archive::{DayWork, FileLine, name_in, render};
use crate::fetch;
use crate::run::{OpenedSeries, Todo};
use crate::source::RemoteFile;

/// Where a file is or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::run) struct FilePaths {
    /// By its name, as far as that is known, and by its URL.
    pub(in crate::run) now: Vec<String>,
    /// The same by the layouts that its series had before, and where the record that stands has it as absent.
    pub(in crate::run) before: Vec<String>,
}

impl FilePaths {
    /// The paths of a file, the known ones of which are `known`.
    pub(in crate::run) fn of(
        opened: &OpenedSeries,
        todo: &Todo,
        work: &DayWork,
        file: &RemoteFile,
        known: impl IntoIterator<Item = String>,
    ) -> FilePaths {
        let OpenedSeries { series, layouts, .. } = opened;
        let mut now: Vec<String> = known.into_iter().collect();
        let mut before: Vec<String> = absent_line(work, &file.key).map(|line| line.path.clone()).into_iter().collect();
        let (by_url, unnamed) = (fetch::name_of(file, None), values(series, todo, file, ""));
        let told = now.iter().chain(&before);
        let told = told.flat_map(|path| layouts.iter().filter_map(|layout| name_in(layout, &unnamed, path)));
        let names: BTreeSet<String> = told.chain([by_url.clone()]).collect();
        for layout in layouts.iter().filter(|layout| layout.text() != series.layout.text()) {
            let paths = names.iter().filter_map(|name| render(layout, &values(series, todo, file, name)).ok());
            before.extend(paths.map(|path| path.to_string()));
        }
        now.extend(path_of(series, todo, file, &by_url).ok().map(|path| path.to_string()));
        FilePaths { now, before }
    }

    /// The paths of a file that is not asked for, since it is absent.
    pub(in crate::run) fn of_absent(work: &DayWork, line: &FileLine) -> FilePaths {
        let before = absent_line(work, &line.key).map(|before| before.path.clone());
        FilePaths { now: vec![line.path.clone()], before: before.into_iter().collect() }
    }
}

/// What the record that stands says of a file that is absent.
pub(in crate::run) fn absent_line<'w>(work: &'w DayWork, key: &str) -> Option<&'w FileLine> {
    work.record()?.files.iter().find(|line| line.absent.is_some() && line.key == key)
}
