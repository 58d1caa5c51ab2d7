//! What earlier looks at a day, and its lock, know of a listed file: whether it is here, and where.

use std::collections::BTreeSet;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::lock_view::LockView;
use super::renumbered::Renumbered;
use super::{path_of, values};
use crate::archive::{
    DayWork, EarlierLook, FileLine, LayoutValues, Prior, RecordState, RelativePath, RetiredFile, name_in, render,
};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::fetch;
use crate::fetch::conditional_get;
use crate::manifest::{Series, Template};
use crate::run::{OpenedSeries, Todo};
use crate::source::RemoteFile;
use crate::source::jsoc::{KnownFileKey, is_stored_elsewhere};

/// How a listing is looked at.
#[derive(Clone, Copy)]
pub(in crate::run) struct ListingLook<'a> {
    pub(in crate::run) todo: &'a Todo,
    pub(in crate::run) expected: &'a LockView,
    /// Files that are listed under other keys than before.
    pub(in crate::run) renumbered: &'a Renumbered,
    /// The day is sealed by it, if all goes well.
    pub(in crate::run) is_final: bool,
}

/// What is here of a listed file.
pub(in crate::run) struct LocalFile {
    /// This go has it already.
    pub(in crate::run) there: Option<FileLine>,
    /// Its path, as far as that is known.
    pub(in crate::run) path: Option<RelativePath>,
    /// It is known besides, and may lie somewhere.
    pub(in crate::run) earlier: Option<Earlier>,
    /// The lock says where it is.
    pub(in crate::run) is_pinned: bool,
}

/// A file that an earlier look had, or that the lock has.
pub(in crate::run) struct Earlier {
    /// With the path where it was.
    pub(in crate::run) line: FileLine,
    /// That is the path which it is due at, and a file of its length is there. Else one is elsewhere.
    pub(in crate::run) is_in_place: bool,
    /// Nothing is asked about it.
    pub(in crate::run) is_sure: bool,
}

pub(in crate::run) fn find(
    opened: &OpenedSeries,
    work: &DayWork,
    file: &RemoteFile,
    look: ListingLook<'_>,
) -> Result<LocalFile, Failure> {
    let ListingLook { todo, expected, .. } = look;
    let pinned = expected.path(&file.key);
    let is_due = |path: &str| pinned.as_ref().is_none_or(|pinned| pinned.as_str() == path);
    let there = work.have(&file.key).filter(|line| {
        expected.allows(line)
            && is_due(&line.path)
            && is_same_version(file, line, expected)
            && (line.absent.is_some() || file.may_have(line.bytes))
    });
    let is_pinned = pinned.is_some();
    let path = match &there {
        Some(line) => RelativePath::from_record(&line.path),
        None if is_pinned => pinned,
        None => known_path(opened, todo, file, work)?,
    };
    let earlier = match (&there, &path) {
        (None, Some(due)) => match recorded(opened, work, file, due, look)? {
            None => retired(opened, work, file, look)?,
            some => some,
        },
        _ => None,
    };
    Ok(LocalFile { there, path, earlier, is_pinned })
}

/// True where a file that is known is the one which the listing names, by all that the listing says besides its length.
fn is_same_version(file: &RemoteFile, line: &FileLine, expected: &LockView) -> bool {
    let is_locked = || line.sha256.is_some_and(|sha256| expected.has(&file.key, sha256));
    is_as_made(file, line) && (is_locked() || is_as_stored(file, line))
}

/// True for what the listing's answers made of a file, and of any other one.
fn is_as_made(file: &RemoteFile, line: &FileLine) -> bool {
    file.made().is_none_or(|bytes| line.sha256 == Some(Digest::sha256(bytes)))
}

/// True unless the listing has the file in another place than before, or other keywords for its header.
fn is_as_stored(file: &RemoteFile, line: &FileLine) -> bool {
    let cards = file.cards.as_ref().filter(|_| line.cards.is_some());
    cards.is_none_or(|cards| line.cards == Some(cards.digest()))
        && !is_stored_elsewhere(file, &KnownFileKey::of_line(line))
}

/// The file by an earlier look, in place or elsewhere.
fn recorded(
    opened: &OpenedSeries,
    work: &DayWork,
    file: &RemoteFile,
    due: &RelativePath,
    look: ListingLook<'_>,
) -> Result<Option<Earlier>, Failure> {
    let renumbered = || Some((look.renumbered.line(&file.key)?, None));
    let prior = work.prior(&file.key).map(|Prior { line, standing }| (line, Some(*standing)));
    let Some((line, standing)) = prior.or_else(renumbered) else { return Ok(None) };
    if !(is_made_alike(file, line) && is_same_version(file, line, look.expected) && look.expected.allows(line)) {
        return Ok(None);
    }
    let is_in_place = line.path == due.as_str() && work.is_there(line);
    if !(is_in_place || work.may_have(line)?) {
        return Ok(None);
    }
    // The same place stands for the same bytes, whatever the number of the record.
    let is_sure = standing.is_none_or(|standing| {
        !look.todo.how.afresh && needs_no_request(&opened.series, file, line, standing, look.is_final)
    });
    Ok(Some(Earlier { line: line.clone(), is_in_place, is_sure }))
}

/// The file as the day had it before, by what is known of retired ones. What the lock names by its bytes is taken back whatever
/// the listing says of it.
fn retired(
    opened: &OpenedSeries,
    work: &DayWork,
    file: &RemoteFile,
    look: ListingLook<'_>,
) -> Result<Option<Earlier>, Failure> {
    // A note may have been edited: where addresses last, what it says of a key has that of the listed file.
    let is_of_file = |line: &FileLine| !opened.series.source.has_lasting_addresses() || line.url == file.path;
    for RetiredFile { line, state, is_superseded } in
        work.retired_files(&file.key).filter(|retired| is_of_file(&retired.line))
    {
        let is_locked = line.sha256.is_some_and(|sha256| look.expected.has(&file.key, sha256));
        let is_due = !is_superseded && is_as_listed(file, line) && look.expected.allows(line);
        if !(is_locked || is_due) || !work.may_have_retired(line)? {
            continue;
        }
        let standing = EarlierLook::OtherSpec(*state);
        let is_sure = !look.todo.how.afresh
            && (is_locked || needs_no_request(&opened.series, file, line, standing, look.is_final));
        return Ok(Some(Earlier { line: line.clone(), is_in_place: false, is_sure }));
    }
    Ok(None)
}

/// True when a file that is known is what the listing names: of its length, and as it is made. A copy with keywords in its header
/// is another file.
#[must_use]
pub fn is_as_listed(file: &RemoteFile, line: &FileLine) -> bool {
    is_made_alike(file, line) && is_as_made(file, line) && is_as_stored(file, line)
}

fn is_made_alike(file: &RemoteFile, line: &FileLine) -> bool {
    line.origin.is_some() == file.cards.is_some() && file.may_have(line.bytes)
}

/// True when nothing is asked about a file that an earlier look at the day had, by how that look stands and by whether this
/// one can be the last.
#[must_use]
pub fn needs_no_request(
    series: &Series,
    file: &RemoteFile,
    line: &FileLine,
    standing: EarlierLook,
    is_final: bool,
) -> bool {
    let is_other_version = line.listed.is_some() && file.listed.is_some() && !file.is_version_of(line);
    let was_final = match standing {
        EarlierLook::Final => true,
        EarlierLook::OtherSpec(RecordState::Sealed) => !is_other_version,
        EarlierLook::OtherSpec(RecordState::Provisional) | EarlierLook::Young => false,
    };
    // The last look at a day asks about each file, whatever the listing says.
    let is_known = was_final || series.source.has_fixed_keys() || (!is_final && file.is_version_of(line));
    is_known || !conditional_get::can_be_asked(line)
}

/// True for a file of the sealed record that stands.
pub(in crate::run) fn is_sealed(work: &DayWork, key: &str) -> bool {
    work.prior(key).is_some_and(|prior| prior.standing == EarlierLook::Final)
}

/// True when nothing will be asked about a listed file, since it is here.
pub(in crate::run) fn has(opened: &OpenedSeries, work: &DayWork, file: &RemoteFile, look: ListingLook<'_>) -> bool {
    let Ok(found) = find(opened, work, file, look) else { return false };
    let has_bytes = |line: &FileLine| reading(|| work.has_bytes_of(line)).unwrap_or(false);
    let is_here = |earlier: Earlier| earlier.is_sure && (earlier.is_in_place || has_bytes(&earlier.line));
    found.there.is_some() || found.earlier.is_some_and(is_here)
}

/// Reads files where other tasks need not wait for it.
fn reading<T>(read: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(read),
        _ => read(),
    }
}

/// The file's path, as far as it can be known without asking for the file.
pub(in crate::run) fn known_path(
    opened: &OpenedSeries,
    todo: &Todo,
    file: &RemoteFile,
    work: &DayWork,
) -> Result<Option<RelativePath>, Failure> {
    let prior = work.prior(&file.key);
    match (&file.name, prior) {
        // The same layout gave it, for the same time.
        (None, Some(Prior { line, standing: EarlierLook::Final | EarlierLook::Young }))
            if opened.series.source.scale().read(&line.time) == Some(file.time) =>
        {
            Ok(RelativePath::from_record(&line.path))
        }
        // Whatever its name is.
        (None, _) if !opened.series.layout.names_file() => {
            path_of(&opened.series, todo, file, &fetch::name_of(file, None)).map(Some)
        }
        _ => {
            let retired = || work.retired_files(&file.key).next().map(|retired| &retired.line);
            let name = known_name(opened, todo, file, prior.map(|prior| &prior.line).or_else(retired));
            // What the layout lacks of this file, no name gives it: that is told before the file is asked for.
            let guess = fetch::name_of(file, None);
            let path = path_of(&opened.series, todo, file, name.as_deref().unwrap_or(&guess))?;
            Ok(name.map(|_| path))
        }
    }
}

/// The file's name, as far as it can be known without asking for the file.
///
/// Where only the answer's header gives it, an earlier path of the same key tells it, if the layouts that were used can have
/// made that of one name alone: or of several, of which one is the URL's own last part.
pub(in crate::run) fn known_name(
    opened: &OpenedSeries,
    todo: &Todo,
    file: &RemoteFile,
    prior: Option<&FileLine>,
) -> Option<String> {
    if file.name.is_some() {
        return file.name.clone();
    }
    let values = values(&opened.series, todo, file, "");
    let last = file.url.path_segments()?.next_back()?;
    name_by_layouts(&opened.layouts, &values, prior?.path.as_str(), last)
}

/// The name of a file whose URL ends in `last`, by the path that one of these layouts gave it. A layout without `{file}` may have
/// given it too, and then it tells no name.
fn name_by_layouts(layouts: &[Template], values: &LayoutValues<'_>, path: &str, last: &str) -> Option<String> {
    let is_nameless =
        |layout: &Template| !layout.names_file() && render(layout, values).is_ok_and(|made| made.as_str() == path);
    if layouts.iter().any(is_nameless) {
        return None;
    }
    let stem = |text: &str| text.rsplit_once('.').map_or(text, |(stem, _)| stem).to_owned();
    let is_url_s = |name: &str| name == last || stem(name) == last || name == stem(last);
    let mut names: BTreeSet<String> = layouts.iter().filter_map(|layout| name_in(layout, values, path)).collect();
    if names.len() > 1 { names.into_iter().find(|name| is_url_s(name)) } else { names.pop_first() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_a_name_only_where_no_layout_without_names_can_have_made_it() {
        let values = LayoutValues { series: "s", segment: Some("Br"), recnum: Some(7), ..LayoutValues::default() };
        for (layouts, path, name) in [
            (&["{series}/{file}"][..], "s/7.Br.fits", Some("7.Br.fits")),
            (&["{series}/{recnum}/{segment}.fits", "{series}/{recnum}/{file}"], "s/7/Br.fits", None),
            (&["{series}/{recnum}/{segment}.fits", "{series}/{recnum}/{file}"], "s/7/7.Br.fits", Some("7.Br.fits")),
            (&["{series}/{file}", "{series}/{recnum}{file}"], "s/7Br.fits", Some("Br.fits")),
            (&["{series}/{file}", "{series}/{recnum}{file}"], "s/7x.fits", None),
            (&["{series}/{file}"], "elsewhere/Br.fits", None),
            (&[], "s/Br.fits", None),
        ] {
            let templates: Vec<Template> = layouts.iter().map(|layout| Template::parse(layout).unwrap()).collect();
            let found = name_by_layouts(&templates, &values, path, "Br.fits");
            assert_eq!(found.as_deref(), name, "{layouts:?} {path}");
        }
    }
}
