//! Names that nobody asked for, beside those that are: what else lies in the folders of a source.
//!
//! A folder with such names alone is either that of a day without files, or another one than was asked for. Names of a
//! form that is known from other days speak for the first.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;

use crate::untrusted::with_numbers_alike;

/// No more forms than these are remembered, nor names of a page looked at.
const MOST: usize = 1_000;

/// How a name may tell its day.
pub(super) const DATES: [&str; 6] = ["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y%j", "%y%m%d", "%d%b%Y"];

/// Fewer texts than these are notes, though their names may hold a time.
const TEXTS: usize = 3;

/// What was seen beside files of their day.
#[derive(Debug, Default)]
pub(super) struct OtherFiles {
    /// The forms of names.
    forms: Mutex<HashSet<String>>,
    /// Titles of pages that name another folder than theirs: a server writes one title for all folders.
    titles: Mutex<HashSet<String>>,
    /// The forms of titles of pages that have files of their day.
    title_forms: Mutex<HashSet<String>>,
    /// The forms of words that would speak of an error, on pages that have files of their day.
    notes: Mutex<HashSet<String>>,
}

impl OtherFiles {
    /// Remembers the names of a folder that has files of this day.
    pub(super) fn learn(&self, names: &[String], date: NaiveDate) {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names.iter().take(MOST) {
            if forms.len() == MOST {
                return;
            }
            forms.insert(form(name, date));
        }
    }

    /// Remembers the title of a page that has files of its day and names another folder.
    pub(super) fn learn_title(&self, title: &str) {
        let mut titles = self.titles.lock().unwrap_or_else(PoisonError::into_inner);
        if titles.len() < MOST {
            titles.insert(title.to_owned());
        }
    }

    /// True when a title names another folder on the page of a folder that has its day's files, so that it says nothing.
    pub(super) fn know_title(&self, title: &str) -> bool {
        self.titles.lock().unwrap_or_else(PoisonError::into_inner).contains(title)
    }

    /// Remembers the form of the title of a page that has files of this day.
    pub(super) fn learn_form(&self, title: &str, date: NaiveDate) {
        let mut forms = self.title_forms.lock().unwrap_or_else(PoisonError::into_inner);
        if forms.len() < MOST {
            forms.insert(form(title, date));
        }
    }

    /// True when a title has the form of that of a page that has its day's files.
    pub(super) fn know_form(&self, title: &str, date: NaiveDate) -> bool {
        let forms = self.title_forms.lock().unwrap_or_else(PoisonError::into_inner);
        forms.contains(&form(title, date))
    }

    /// Remembers words of a page that has files of this day.
    pub(super) fn learn_note(&self, words: &str, date: NaiveDate) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MOST {
            notes.insert(note_form(words, date));
        }
    }

    /// True when the same words stand on a page that has its day's files, so that they say nothing.
    pub(super) fn know_note(&self, words: &str, date: NaiveDate) -> bool {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).contains(&note_form(words, date))
    }

    /// The first of these names whose form is not known.
    pub(super) fn unknown<'n>(&self, names: &'n [String], date: NaiveDate) -> Option<&'n str> {
        let forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().find(|name| !forms.contains(&form(name, date))).map(String::as_str)
    }

    /// True when one of these names, of a folder of this day, has a form that is known.
    pub(super) fn know(&self, names: &[String], date: NaiveDate) -> bool {
        let forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().take(MOST).any(|name| forms.contains(&form(name, date)))
    }
}

/// Those of these names that files of data have, where `files` is the pattern that is asked for: not those of a note, a log, a
/// sum, a thumbnail or a page's own parts.
pub(super) fn data_names(names: &[String], files: &str) -> Vec<String> {
    let due = OtherFile::of(files);
    let is_text = |name: &str| matches!(OtherFile::of(name), OtherFile::Text | OtherFile::Log);
    let is_dated_text = |name: &&String| is_text(name) && has_time(name);
    let has_texts = is_text(files) || names.iter().filter(is_dated_text).count() >= TEXTS;
    let is_data = |name: &&String| match OtherFile::of(name) {
        _ if is_about_the_folder(name) => false,
        _ if ending(name) == ending(files) => true,
        OtherFile::Data => true,
        OtherFile::Picture => due == OtherFile::Picture,
        OtherFile::Text | OtherFile::Log => has_time(name) && has_texts,
        OtherFile::Sum | OtherFile::Page | OtherFile::PageAsset => false,
    };
    names.iter().filter(is_data).cloned().collect()
}

/// These names where all are those of folders, to which links lead without a slash at their end: an hour's, such as `H00`.
pub(super) fn folder_names(names: &[String]) -> Vec<String> {
    let is_folder = |name: &String| {
        let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-'));
        !digits.is_empty() && name.len() <= 12 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if names.iter().all(is_folder) { names.to_vec() } else { Vec::new() }
}

/// Those of these names that a note may have which says why there are no files: those of texts and pages that are no more usual
/// beside files.
pub(super) fn notices(names: &[String]) -> Vec<String> {
    let is_notice = |name: &&String| match OtherFile::of(name) {
        OtherFile::Text | OtherFile::Page => !is_about_the_folder(name) && !has_time(name) && !lists_sums(name),
        OtherFile::Log | OtherFile::Picture | OtherFile::Sum | OtherFile::PageAsset | OtherFile::Data => false,
    };
    names.iter().filter(is_notice).cloned().collect()
}

/// True for what a folder may hold about itself.
fn is_about_the_folder(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let about = ["readme", "index", "header", "footer", "license", "licence", "copying", "copyright", "citation"];
    name.starts_with('.') || about.contains(&name.split('.').next().unwrap_or_default())
}

/// True for `SHA256SUMS`, `md5sum.txt` and the like.
fn lists_sums(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["md5", "sha", "checksum", "manifest"].iter().any(|start| name.starts_with(start))
}

fn ending(name: &str) -> String {
    name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

fn has_time(name: &str) -> bool {
    name.bytes().filter(u8::is_ascii_digit).count() >= 4
}

/// What a file is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherFile {
    Text,
    Log,
    Picture,
    Sum,
    Page,
    PageAsset,
    Data,
}

impl OtherFile {
    fn of(name: &str) -> OtherFile {
        match &*ending(name) {
            "" | "txt" | "md" => OtherFile::Text,
            "log" => OtherFile::Log,
            "png" | "gif" | "jpg" | "jpeg" | "svg" | "webp" => OtherFile::Picture,
            "md5" | "sha1" | "sha256" | "sha512" | "asc" | "sig" => OtherFile::Sum,
            "html" | "htm" => OtherFile::Page,
            "css" | "js" | "ico" => OtherFile::PageAsset,
            _ => OtherFile::Data,
        }
    }
}

/// A name with its day and its numbers left open, so that the same kind of file has the same form on each day.
fn form(name: &str, date: NaiveDate) -> String {
    let mut form = name.to_owned();
    for text in DATES.map(|format| date.format(format).to_string()) {
        form = form.replace(&text, "\0");
    }
    with_numbers_alike(&form)
}

/// The same of words, in which a number that is zero says something else than one that is not.
fn note_form(words: &str, date: NaiveDate) -> String {
    let is_zero = |word: &str| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).parse() == Ok(0);
    let zeros = words.split(' ').filter(|word| is_zero(word)).count();
    format!("{zeros} {}", form(words, date))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_is_known_by_its_form_and_not_from_another_days_folder() {
        let other_files = OtherFiles::default();
        let day = |text: &str| text.parse().unwrap();
        other_files.learn(&names(&["s20151210_000500.fts", "beacon_7.fts", "README"]), day("2015-12-10"));
        for (name, is_known) in [
            ("s20151211_120500.fts", true),
            ("beacon_1234.fts", true),
            ("s20151212_120500.fts", false),
            ("g20151211_0000.dat", false),
        ] {
            assert_eq!(other_files.know(&names(&[name]), day("2015-12-11")), is_known, "{name}");
        }
        assert!(!other_files.know(&[], day("2015-12-11")));
    }

    #[test]
    fn a_note_that_files_are_out_of_reach_is_known_by_its_name() {
        for (name, is_notice) in [
            ("README_OFFLINE.txt", true),
            ("MAINTENANCE", true),
            ("data.moved.html", true),
            ("DOWNTIME.txt", true),
            ("ON_TAPE", true),
            ("SEE_NEW_SERVER.txt", true),
            ("README", false),
            ("readme.txt", false),
            ("index.html", false),
            ("SHA256SUMS", false),
            ("notes_20151211.txt", false),
            ("transfer.log", false),
            ("offline_20151211.fits", false),
        ] {
            assert_eq!(!notices(&names(&[name])).is_empty(), is_notice, "{name}");
        }
    }

    #[test]
    fn names_that_end_in_a_number_and_stand_alone_are_those_of_folders() {
        for (listed, are_folders) in [
            (&["H00", "H01"][..], true),
            (&["00", "01"], true),
            (&["level1"], true),
            (&["H00", "README"], false),
            (&["SHA256SUMS"], false),
            (&["ON_TAPE"], false),
            (&["x_1.txt"], false),
            (&[], false),
        ] {
            assert_eq!(!folder_names(&names(listed)).is_empty(), are_folders, "{listed:?}");
        }
    }

    #[test]
    fn notes_sums_and_thumbnails_are_no_data() {
        let fits = "x_*.fits";
        for (listed, files, data) in [
            (&["README", "SHA256SUMS.txt", "a.md5", ".listing", "index.html", "run.log"][..], fits, &[][..]),
            (&["thumb_20151211.png", "20151211_0000.JPG", "20151211_0100.gif"], fits, &[]),
            (&["proc_20151211.log", "20151211_sha256.sha256", "20151211"], fits, &[]),
            (&["a.fits", "README"], fits, &["a.fits"]),
            (&["g20151211_0000.dat", "a.tar"], fits, &["g20151211_0000.dat", "a.tar"]),
            (&["g2015.txt", "h2015.txt", "i2015.txt", "README"], fits, &["g2015.txt", "h2015.txt", "i2015.txt"]),
            (&["20151211.jpg", "a.fits"], "x_*.png", &["20151211.jpg", "a.fits"]),
            (&["20151211_0000.jp2"], fits, &["20151211_0000.jp2"]),
            (&["README", "SHA256SUMS"], "x_*.txt", &[]),
            (&["README", "x20151211"], "y%Y%m%d*", &["x20151211"]),
            (&["g20151211.txt"], "x_*.txt", &["g20151211.txt"]),
        ] {
            assert_eq!(data_names(&names(listed), files), data, "{listed:?} {files}");
        }
    }
}
