//! The files of a day among the links of its folders.
//!
//! Everything here is a pure function of pages.

use chrono::NaiveDateTime;
use url::Url;

use super::folders::{is_shared, of_another_time as of_another_folder};
use super::link::{RecordedLink, below, place, subfolder, target};
use super::newest::natural;
use super::other_files::{OtherFiles, data_names, folder_names, notices};
use super::page::{FolderPage, Kind, Link, Titled, ends_in_folder, has_folder, is_of_listing, names_a_listing, titled};
use super::size::ListedSize;
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::path_pattern::PathTime;
use crate::manifest::{Index as Spec, Series};
use crate::net::shown;
use crate::source::cadence_gap::OffCadence;
use crate::source::{BORDER, Listed, RemoteFile, fold, of_another_time, one_key_for_two, read_capped};
use crate::untrusted::escape;

/// Fewer files than these do not show that a source lacks a cadence.
const ENOUGH: u64 = 10;

/// A day's files in the making, fed page by page.
#[derive(Debug)]
pub(super) struct DayFileSet<'a> {
    spec: &'a Spec,
    base: &'a Url,
    day: &'a Day,
    /// In seconds.
    cadence: Option<u32>,
    files: Vec<NewestCandidate>,
    /// Files outside the day, counted; it holds nothing else.
    outside: Listed,
    off_cadence: OffCadence,
    other_files: &'a OtherFiles,
    /// Files of other days, in a folder that is theirs as well.
    beside: u64,
    /// Files of the page with names that do not fit its folder and the day: how many, and the first time of them.
    strayed: Option<(u64, NaiveDateTime)>,
    /// Files on hosts that nobody named: how many, and the first one's.
    foreign: Option<(u64, String)>,
    /// Names of files that nobody asked for, by the pages without others.
    strange: Vec<String>,
    /// Files whose names hold what no path may, and would fit without: how many, and the first one's.
    unwritable: Option<(u64, String)>,
}

/// A file that may be the newest of its kind, or not.
#[derive(Debug)]
struct NewestCandidate {
    file: RemoteFile,
    name: String,
    /// What names that differ by wildcards alone have in common.
    told: PathTime,
}

impl<'a> DayFileSet<'a> {
    /// Nothing yet of `day`, below `base`.
    pub(super) fn new(
        spec: &'a Spec,
        base: &'a Url,
        series: &'a Series,
        day: &'a Day,
        other_files: &'a OtherFiles,
    ) -> DayFileSet<'a> {
        let cadence = series.filters.cadence.map(|asked| u32::try_from(asked.as_secs()).unwrap_or(u32::MAX));
        let (files, off_cadence) = (Vec::new(), OffCadence::of("files"));
        DayFileSet {
            spec,
            base,
            day,
            cadence,
            files,
            outside: Listed::default(),
            off_cadence,
            other_files,
            beside: 0,
            strayed: None,
            foreign: None,
            strange: Vec::new(),
            unwritable: None,
        }
    }

    /// Takes the files of a page, which came from `url` and is that of a folder whose name tells `folder`.
    ///
    /// # Errors
    /// `html` for a web page that is no listing, `source-refused` for a listing in another form, `listing-malformed` for what
    /// is no page or the listing of another folder, `truncated` for one that breaks off, `listing-too-large`.
    pub(super) fn take(&mut self, url: &Url, page: &FolderPage, folder: PathTime) -> Result<(), Failure> {
        let before = self.seen();
        self.strayed = None;
        let strange_before = self.strange.len();
        // A page may set the base of its relative links.
        let from = page.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or_else(|| url.clone());
        for link in &page.links {
            self.consider(&from, link, folder);
        }
        let strange = self.strange.split_off(strange_before);
        let fails = |class, why: String| Err(Failure::new(class, format!("{}: {why}", shown(url))));
        if let Some(other) = page.other.filter(|_| self.seen() == before) {
            let to_do =
                "where the names of files follow from their times, `template` makes their addresses without a listing";
            return fails(Class::SourceRefused, format!("{}, which `index` does not read; {to_do}", other.name()));
        }
        if !page.is_html {
            return fails(Class::ListingMalformed, "expected an HTML directory listing".to_owned());
        }
        if let Some(words) = page.says(Kind::Failed) {
            let why =
                format!("the program that lists this folder failed, so files may be missing: `{}`", escape(words));
            return fails(Class::Html, why);
        }
        if self.seen() == before {
            self.object_to_empty(url, page).map_err(|failure| read_capped::about(shown(url), failure))?;
        }
        if !page.is_whole {
            return fails(Class::Truncated, "the directory listing breaks off".to_owned());
        }
        if let Some(sign) = page.says(Kind::Part).or_else(|| page.next_page(url, self.day.date)) {
            let to_do = "where the names of files follow from their times, `template` makes their addresses without a \
                         listing; or ask who runs the server to list whole folders";
            let why = format!("only a part of the folder is listed, by `{}`: {to_do}", escape(sign));
            return fails(Class::ListingMalformed, why);
        }
        if page.is_too_long {
            return fails(Class::ListingTooLarge, "the directory listing has more than a million links".to_owned());
        }
        let seen = self.seen() - before;
        self.object_to_folder(url, page, seen, &strange).map_err(|failure| read_capped::about(shown(url), failure))?;
        if seen == 0 {
            self.object_to_contents(url, page, &strange).map_err(|failure| read_capped::about(shown(url), failure))?;
            self.strange.extend(strange);
        } else {
            self.other_files.learn(&strange, self.day.date);
            self.other_files.learn(&subfolders(url, page), self.day.date);
            self.other_files.learn_form(&page.title, self.day.date);
            let away = page.sentences.iter().map(|link| &link.text);
            for words in page.errors().chain(page.texts.iter().chain(away).map(String::as_str)) {
                self.other_files.learn_note(words, self.day.date);
            }
            if titled(&page.title, below(self.base, url).unwrap_or_default(), self.day.date) != Titled::Due {
                self.other_files.learn_title(&page.title);
            }
        }
        Ok(())
    }

    /// What shows that a page without a file that is asked for is no listing: nothing says that it is one, or it is the page of
    /// an error. A link to the folder above, which pages to log in have too, says it of no page without entries, unless the
    /// page of another day's files has such a title.
    fn object_to_empty(&self, url: &Url, page: &FolderPage) -> Result<(), Failure> {
        let may_lead_up = || page.links_below(url) || self.other_files.know_form(&page.title, self.day.date);
        let (title, path) = (&page.title, url.path());
        let names_folder = page.says_listing || ends_in_folder(title, path) || has_folder(title, path);
        let title = escape(&page.title);
        if let Some(words) = self.unknown_words(url, page).next() {
            let why = format!(
                "a web page without files, titled `{title}`, that says `{}`, which no page with files of another day says",
                escape(words)
            );
            return Err(Failure::new(Class::Html, why));
        }
        let is_listing = names_folder || page.is_laid_out(url) || (page.leads_up && may_lead_up());
        if !is_listing {
            let why = format!("a web page that lists no folder, titled `{title}`: does the server list this one?");
            return Err(Failure::new(Class::Html, why));
        }
        Ok(())
    }

    /// What a page says that no plain listing says, nor the page of another day that has files.
    fn unknown_words<'p>(&'p self, url: &'p Url, page: &'p FolderPage) -> impl Iterator<Item = &'p str> {
        let texts = page.texts.iter().map(String::as_str);
        let is_own = move |text: &&str| {
            !(text.eq_ignore_ascii_case(&page.title) || names_a_listing(text) || is_of_listing(text, url.as_str()))
        };
        // One to a folder above may say so in any language.
        let leads_away = |href: &str| url.join(href).is_ok_and(|target| !url.path().starts_with(target.path()));
        let away = page.sentences.iter().filter(move |link| leads_away(&link.href)).map(|link| link.text.as_str());
        let all = page.errors().chain(texts.filter(is_own)).chain(away);
        all.filter(|words| !self.other_files.know_note(words, self.day.date))
    }

    /// What shows that a page is the listing of another folder, though it came for this one: a rewritten address, a link on
    /// the server that is wrong, or a cache. `seen` of its links had a name that is asked for, `strange` ones not.
    fn object_to_folder(&self, url: &Url, page: &FolderPage, seen: u64, strange: &[String]) -> Result<(), Failure> {
        if let Some((count, far)) = self.strayed.filter(|(count, _)| *count == seen) {
            return Err(of_another_time(count, self.day, far));
        }
        if seen > 0 {
            return Ok(());
        }
        let says = titled(&page.title, below(self.base, url).unwrap_or_default(), self.day.date);
        // A folder that holds nothing may be any one that is titled like all others.
        let is_another = says == Titled::Other || (says == Titled::Root && page.links_below(url));
        if is_another && !self.other_files.know_title(&page.title) {
            let title = escape(&page.title);
            return Err(read_capped::malformed(&format!("the listing of another folder: it is titled `{title}`")));
        }
        if is_shared(self.spec.path.as_ref()) {
            return Ok(());
        }
        let data = data_names(strange, self.spec.files.text());
        let Some(first) = data.first().filter(|_| !self.other_files.know(&data, self.day.date)) else { return Ok(()) };
        Err(read_capped::malformed(&format!(
            "no name fits `files`; {}, such as `{}`, and none of another day shows that files like it lie there \
             besides: is it the listing of this day, and are `path` and `files` right? A job over days that have both kinds \
             takes a day without the one for what it is",
            others(data.len()),
            escape(first)
        )))
    }

    /// What shows that the files of a folder without any are elsewhere: folders, into which they may have been moved, or a note
    /// that says so. Where folders of other days have the same beside their files, it says nothing.
    fn object_to_contents(&self, url: &Url, page: &FolderPage, strange: &[String]) -> Result<(), Failure> {
        let mut folders = subfolders(url, page);
        folders.extend(folder_names(strange));
        if is_shared(self.spec.path.as_ref()) {
            // The folder of several days may have no file of the series, and others for documents or previews.
            folders.retain(|name| name.trim_end_matches('/').bytes().all(|byte| byte.is_ascii_digit()));
        }
        let notices = notices(strange);
        let unknown = |names| self.other_files.unknown(names, self.day.date).map(|name| escape(name).into_owned());
        let why = if let Some(name) = unknown(&folders) {
            format!(
                "no file fits `files`, and folders are there, such as `{name}`: if the files of the day lie in them, `path` must \
                 name them"
            )
        } else if let Some(name) = unknown(&notices) {
            format!("no file fits `files`, and a note named `{name}` is there: the files of the day may be elsewhere")
        } else {
            return Ok(());
        };
        let to_do = "a job over days that have files beside the same takes a day without files for what it is";
        Err(read_capped::malformed(&format!("{why}; {to_do}")))
    }

    /// How many links had a name that is asked for.
    fn seen(&self) -> u64 {
        let foreign = self.foreign.as_ref().map_or(0, |(count, _)| *count);
        self.files.len() as u64 + self.outside.outside_day + self.off_cadence.count() + self.beside + foreign
    }

    fn consider(&mut self, page: &Url, link: &Link, folder: PathTime) {
        let Some(target) = target(page, &link.href) else { return };
        let Some(named) = self.spec.files.read(&target.name) else {
            // Such names are a trap or a mistake; a warning says that there are some.
            let plain = target
                .name
                .replace(|c: char| c.is_control() || matches!(c, '/' | '\\' | char::REPLACEMENT_CHARACTER), "_");
            if plain != target.name && self.spec.files.read(&plain).is_some() {
                self.unwritable.get_or_insert((0, target.name)).0 += 1;
            } else {
                self.strange.push(target.name);
            }
            return;
        };
        let Some(RecordedLink { key, path }) = place(self.base, &self.spec.reach.hosts, &target.url) else {
            let host = || target.url.host_str().unwrap_or_default().to_owned();
            self.foreign.get_or_insert_with(|| (0, host())).0 += 1;
            return;
        };
        // A name that contradicts its folder is of another time than the folder, and so is one without a date that lies in
        // another day's.
        let has_date = named.time(self.day.date).is_some();
        let folders = self.spec.path.as_ref().filter(|_| !has_date);
        let elsewhere = folders.and_then(|path| of_another_folder(path, self.base, &target.url, folder));
        let told = folder.and(named).filter(|_| elsewhere.is_none());
        let told = told.and_then(|told| Some((told, told.time(self.day.date)?)));
        let Some((told, time)) = told.filter(|(_, time)| self.day.window.contains(*time)) else {
            let is_due =
                is_shared(self.spec.path.as_ref()) && told.is_some_and(|(_, time)| time.date() != self.day.date);
            if is_due {
                self.beside += 1;
            } else {
                let stated = elsewhere.unwrap_or_default().or(named).or(folder);
                let time = told.map(|(_, time)| time).or_else(|| stated.time(self.day.date));
                let time = time.unwrap_or(self.day.window.start);
                // The job may not request the other part of the day.
                if told.is_none_or(|(_, time)| time.date() != self.day.date) {
                    let (count, first) = self.strayed.unwrap_or((0, time));
                    self.strayed = Some((count + 1, first.min(time)));
                }
                self.outside.note_outside(time, self.day, BORDER);
            }
            return;
        };
        let seconds = chrono::Timelike::num_seconds_from_midnight(&time);
        if self.cadence.is_some_and(|cadence| !seconds.is_multiple_of(cadence)) {
            self.off_cadence.note(seconds.into(), time);
            return;
        }
        let name = Some(target.name.clone());
        let (bytes, rounded) = match link.size {
            Some(ListedSize::Bytes(bytes)) => (Some(bytes), None),
            Some(ListedSize::About(rounded)) => (None, Some(rounded)),
            None => (None, None),
        };
        let listed = link.version.as_deref().map(str::to_owned);
        let file = RemoteFile { name, bytes, listed, rounded, ..RemoteFile::new(key, target.url, path, time) };
        self.files.push(NewestCandidate { file, name: target.name, told });
    }

    /// The listing: sorted by key, each once, and of versions the newest where that is asked. What else there is to tell of
    /// it may repeat what the server was sent.
    ///
    /// # Errors
    /// `source-refused` when all files lie where the source may not go, or beside the cadence's times.
    pub(super) fn listed(self) -> Result<(Listed, Vec<String>), Failure> {
        let is_bare = self.seen() == 0;
        let DayFileSet { mut files, outside, off_cadence, foreign, strange, unwritable, .. } = self;
        let strange = strange.first().filter(|_| is_bare).map(|name| {
            let (base, name, others) = (shown(self.base), escape(name), others(strange.len()));
            format!("{base}: {}: no name fits `files`; {others}, such as `{name}`", self.day.date)
        });
        let mut remarks = Vec::from_iter(strange);
        if let Some((count, name)) = unwritable {
            let (base, name) = (shown(self.base), escape(&name).into_owned());
            remarks.push(format!(
                "{base}: {}: {count} files are left out, since their names hold a slash, a backslash, a control character or \
                 what is no UTF-8, such as `{name}`",
                self.day.date
            ));
        }
        if let Some(cadence) = self.cadence.filter(|cadence| files.is_empty() && has_times(self.day, *cadence)) {
            off_cadence
                .must_be_a_gap(cadence.into(), "00:00", ENOUGH)
                .map_err(|failure| read_capped::about(shown(self.base), failure))?;
        }
        let mut left_out = off_cadence.count();
        if let Some((count, host)) = foreign {
            let base = shown(self.base);
            if files.is_empty() {
                let message = format!(
                    "{base}: all files of this listing ({count}) are elsewhere, such as on `{}`; if that is right, name it in \
                     `hosts`, or a `url` above it",
                    escape(&host)
                );
                return Err(Failure::new(Class::SourceRefused, message));
            }
            remarks
                .push(format!("{base}: {count} links to files elsewhere are left out, such as on `{}`", escape(&host)));
        }
        // Before versions are chosen: of two files that are taken for one, one would be lost.
        let duplicates = fold(&mut files, |one| &one.file)?;
        if self.spec.newest {
            left_out += keep_newest(&mut files)?;
        }
        let files = files.into_iter().map(|candidate| candidate.file).collect();
        Ok((Listed { files, duplicates, left_out, ..outside }, remarks))
    }
}

/// The folders that a page, which came from `url`, has links to.
fn subfolders(url: &Url, page: &FolderPage) -> Vec<String> {
    page.links.iter().filter_map(|link| subfolder(url, &link.href)).collect()
}

/// True when a day has times that are multiples of so many seconds: a part of a day may have none.
fn has_times(day: &Day, cadence: u32) -> bool {
    let midnight = day.date.and_time(chrono::NaiveTime::MIN);
    let mut times = (0..86_400u32).step_by(usize::try_from(cadence).unwrap_or(usize::MAX).max(1));
    times.any(|seconds| day.window.contains(midnight + chrono::TimeDelta::seconds(seconds.into())))
}

/// Keeps the newest of the files that differ by wildcards alone, sorted by key; gives how many were older.
///
/// # Errors
/// `source-refused` where two have one name: nothing says which is newer.
fn keep_newest(files: &mut Vec<NewestCandidate>) -> Result<u64, Failure> {
    let before = files.len();
    files.sort_unstable_by(|a, b| {
        let order = a.told.cmp(&b.told).then_with(|| natural(&b.name, &a.name));
        order.then_with(|| a.file.key.cmp(&b.file.key))
    });
    if let Some([a, b]) = files.array_windows().find(|[a, b]| a.told == b.told && a.name == b.name) {
        return Err(one_key_for_two(&a.file, &b.file));
    }
    files.dedup_by(|older, newest| older.told == newest.told);
    files.sort_unstable_by(|a, b| a.file.key.cmp(&b.file.key));
    Ok((before - files.len()) as u64)
}

/// `1 other is there`, `3 others are there`.
fn others(count: usize) -> String {
    if count == 1 { "1 other is there".to_owned() } else { format!("{count} others are there") }
}
