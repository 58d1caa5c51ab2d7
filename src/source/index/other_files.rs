//! Names that nobody asked for, beside those that are: what else lies in the folders of a source.
//!
//! A folder with such names alone is either that of a day without files, or another one than was asked for. Names of a form
//! that is known from other days speak for the first. What it does not do: ask for anything.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;

/// No more forms than these are remembered, nor names of a page looked at.
const MOST: usize = 1_000;

/// How a name may tell its day.
const DATES: [&str; 6] = ["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y%j", "%y%m%d", "%d%b%Y"];

/// The forms of names that were seen beside files of their day.
#[derive(Debug, Default)]
pub(super) struct OtherFiles(Mutex<HashSet<String>>);

impl OtherFiles {
    /// Remembers the names of a folder that has files of this day.
    pub(super) fn learn(&self, names: &[String], date: NaiveDate) {
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names.iter().take(MOST) {
            if forms.len() == MOST {
                return;
            }
            forms.insert(form(name, date));
        }
    }

    /// True when one of these names, of a folder of this day, has a form that is known.
    pub(super) fn know(&self, names: &[String], date: NaiveDate) -> bool {
        let forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().take(MOST).any(|name| forms.contains(&form(name, date)))
    }
}

/// True for names that files of data have: not those of a note, a sum or a page's own parts.
pub(super) fn is_data(name: &str, files: &str) -> bool {
    const NOTES: [&str; 14] =
        ["", "txt", "md", "html", "htm", "css", "js", "png", "gif", "ico", "md5", "sha1", "sha256", "sha512"];
    let ending = |name: &str| name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let (own, is_hidden) = (ending(name), name.starts_with('.'));
    let has_time = name.bytes().filter(u8::is_ascii_digit).count() >= 4;
    !is_hidden && (own == ending(files) || has_time || !NOTES.contains(&own.as_str()))
}

/// A name with its day and its numbers left open, so that the same kind of file has the same form on each day.
fn form(name: &str, date: NaiveDate) -> String {
    let mut form = name.to_owned();
    for text in DATES.map(|format| date.format(format).to_string()) {
        form = form.replace(&text, "\0");
    }
    let mut out = String::with_capacity(form.len());
    for c in form.chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            other => out.push(other),
        }
    }
    out
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
    fn notes_and_sums_are_no_data() {
        for (name, expected) in [
            ("README", false),
            ("SHA256SUMS.txt", false),
            ("a.md5", false),
            (".listing", false),
            ("g20151211_0000.dat", true),
            ("g20151211.txt", true),
            ("a.fits", true),
            ("a.tar", true),
        ] {
            assert_eq!(is_data(name, "x_*.fits"), expected, "{name}");
        }
    }
}
