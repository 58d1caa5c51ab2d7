//! Records that have another number than before, and the same files.
//!
//! Where JSOC computes keywords anew, it clones the record: the new one has a number of its own and points to the storage unit
//! of the one before (`update_sharp_keys.c`). What lies in a slot of a storage unit never changes, so that the unit, the slot
//! and the file's name stand for its bytes; the partition of the disks before them (`/SUM58`) may change.
//!
//! Sizes and bytes are not compared.

use std::collections::{HashMap, HashSet};

use super::values::WITH_HEADERS;
use crate::archive::FileLine;
use crate::day::Scale;
use crate::source::RemoteFile;

/// A file as a day record or a lock knows it.
#[derive(Debug, Clone, Copy)]
pub struct KnownFileKey<'a> {
    /// What identified it when it was listed.
    pub key: &'a str,
    /// Where it was, relative to the source's base.
    pub url: &'a str,
    /// Where it is stored, where its address does not say that.
    pub storage: Option<&'a str>,
    /// The label of its time.
    pub time: &'a str,
}

impl<'a> KnownFileKey<'a> {
    /// What a day record says of a file.
    #[must_use]
    pub fn of_line(line: &'a FileLine) -> KnownFileKey<'a> {
        KnownFileKey { key: &line.key, url: &line.url, storage: line.storage.as_deref(), time: &line.time }
    }

    fn place(&self) -> Option<&'a str> {
        self.storage.or_else(|| place(self.url))
    }
}

/// True where a file is listed in another place than it was: its bytes may be others, under whatever key.
#[must_use]
pub fn is_stored_elsewhere(file: &RemoteFile, known: &KnownFileKey<'_>) -> bool {
    place_of(file).zip(known.place()).is_some_and(|(now, before)| now != before)
}

/// The keys of known files that are listed under other ones now, by these. A file is the same one where the record of the same
/// time has its file in the same slot of the same storage unit, and no other does.
#[must_use]
pub fn former_keys<'a>(
    listed: &[RemoteFile],
    known: impl Iterator<Item = KnownFileKey<'a>>,
    scale: Scale,
) -> HashMap<String, String> {
    if listed.iter().all(|file| place_of(file).is_none()) {
        return HashMap::new();
    }
    let known: Vec<KnownFileKey<'_>> = known.collect();
    let known_keys: HashSet<&str> = known.iter().map(|known| known.key).collect();
    let is_new = |file: &&RemoteFile| file.recnum.is_some() && !known_keys.contains(file.key.as_str());
    let new = alone(listed.iter().filter(is_new).filter_map(|file| Some((place_of(file)?, file))));
    if new.is_empty() {
        return HashMap::new();
    }
    let listed_keys: HashSet<&str> = listed.iter().map(|file| file.key.as_str()).collect();
    let is_unlisted = |known: &&KnownFileKey<'_>| !listed_keys.contains(known.key);
    let former = alone(known.iter().filter(is_unlisted).filter_map(|known| Some((known.place()?, known))));
    let pairs = new.into_iter().filter_map(|(place, file)| Some((file, *former.get(place)?)));
    // A copy with keywords in its header is another file than the one that it was made of, and than one with the keywords of
    // another record: it is made anew.
    let is_as_it_came = |key: &str| !key.ends_with(WITH_HEADERS);
    let parts = |key: &str| key.split('/').count();
    let is_same = |file: &RemoteFile, known: &KnownFileKey<'_>| {
        let are_alike = is_as_it_came(&file.key) && parts(&file.key) == parts(known.key);
        scale.label(file.time) == known.time && are_alike && is_as_it_came(known.key)
    };
    let same = pairs.filter(|(file, known)| is_same(file, known));
    same.map(|(file, known)| (file.key.clone(), known.key.to_owned())).collect()
}

/// Where a listed file is stored.
fn place_of(file: &RemoteFile) -> Option<&str> {
    file.storage.as_deref().or_else(|| place(&file.path))
}

/// The storage unit, the slot and the name in an address such as `/SUM58/D803708321/S00008/Br.fits`; none in any other.
pub(super) fn place(path: &str) -> Option<&str> {
    let (partition, place) = path.strip_prefix("/SUM")?.split_once('/')?;
    let (unit, rest) = place.strip_prefix('D')?.split_once('/')?;
    let (slot, name) = rest.strip_prefix('S')?.split_once('/')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = partition.bytes().all(|byte| byte.is_ascii_digit()) && is_number(unit) && is_number(slot);
    (is_place && !name.is_empty() && !name.contains(['?', '#'])).then_some(place)
}

/// What has a place for itself, by that place.
fn alone<'a, T>(all: impl Iterator<Item = (&'a str, T)>) -> HashMap<&'a str, T> {
    let mut by_place: HashMap<&str, Option<T>> = HashMap::new();
    for (place, one) in all {
        by_place.entry(place).and_modify(|other| *other = None).or_insert(Some(one));
    }
    by_place.into_iter().filter_map(|(place, one)| Some((place, one?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2011-02-15T00:00:00";

    fn file(key: &str, path: &str) -> RemoteFile {
        let url = "http://h.example/".parse().unwrap();
        RemoteFile { recnum: Some(1), ..RemoteFile::new(key.to_owned(), url, path.to_owned(), TIME.parse().unwrap()) }
    }

    /// The pairs of listed and former keys, of files and of what is known of them as `key path` or `key path time`.
    fn pairs(listed: &[(&str, &str)], known: &[(&str, &str, &str)]) -> String {
        let listed: Vec<RemoteFile> = listed.iter().map(|(key, path)| file(key, path)).collect();
        let known = known.iter().map(|(key, url, time)| KnownFileKey { key, url, storage: None, time });
        let mut pairs: Vec<String> =
            former_keys(&listed, known, Scale::Tai).into_iter().map(|(new, old)| format!("{old}>{new}")).collect();
        pairs.sort_unstable();
        pairs.join(" ")
    }

    #[test]
    fn a_file_is_the_same_one_by_its_storage_unit_slot_name_and_time() {
        let at = "2011-02-15T00:00:00_TAI";
        let later = "2011-02-15T00:12:00_TAI";
        let path = "/SUM1/D5/S00008/Br.fits";
        for (url, time, is_same) in [
            (path, at, true),
            ("/SUM22/D5/S00008/Br.fits", at, true),
            ("/SUM1/D6/S00008/Br.fits", at, false),
            ("/SUM1/D5/S00009/Br.fits", at, false),
            ("/SUM1/D5/S00008/Bp.fits", at, false),
            (path, later, false),
            ("/cgi-bin/ajax/jsoc_fetch?ds=x", at, false),
        ] {
            let expected = if is_same { "8/Br>9/Br" } else { "" };
            assert_eq!(pairs(&[("9/Br", path)], &[("8/Br", url, time)]), expected, "{url} {time}");
        }
    }

    #[test]
    fn a_key_that_is_known_or_still_listed_is_no_other_file_s_and_a_shared_place_nobody_s() {
        let at = "2011-02-15T00:00:00_TAI";
        let (one, other) = ("/SUM1/D5/S00008/Br.fits", "/SUM1/D6/S00008/Br.fits");
        assert_eq!(pairs(&[("9/Br", one)], &[("9/Br", other, at), ("8/Br", one, at)]), "");
        assert_eq!(pairs(&[("9/Br", one), ("8/Br", other)], &[("8/Br", one, at)]), "");
        assert_eq!(pairs(&[("9/Br", one), ("10/Br", one)], &[("8/Br", one, at)]), "");
        assert_eq!(pairs(&[("9/Br", one)], &[("8/Br", one, at), ("7/Br", one, at)]), "");
        assert_eq!(
            pairs(&[("9/Br", one), ("10/Br", other)], &[("8/Br", one, at), ("7/Br", other, at)]),
            "7/Br>10/Br 8/Br>9/Br"
        );
    }

    #[test]
    fn a_copy_with_keywords_is_another_file_than_the_one_as_it_came() {
        let (at, path) = ("2011-02-15T00:00:00_TAI", "/SUM1/D5/S00008/Br.fits");
        assert_eq!(pairs(&[("8/Br/headers", path)], &[("8/Br", path, at)]), "");
        assert_eq!(pairs(&[("9/Br", path)], &[("8/Br/headers", path, at)]), "");
        assert_eq!(pairs(&[("9/Br/headers", path)], &[("8/Br/headers", path, at)]), "", "it holds the keywords of 8");
    }

    #[test]
    fn an_order_of_a_file_as_it_is_says_where_that_is_stored() {
        let (at, order, place) = ("2011-02-15T00:00:00_TAI", "/cgi-bin/ajax/jsoc_fetch?ds=x", "D5/S00008/Br.fits");
        let ordered = |storage: Option<&str>| RemoteFile { storage: storage.map(str::to_owned), ..file("9/Br", order) };
        let known = |storage| KnownFileKey { key: "8/Br", url: order, storage, time: at };
        for (now, before, is_same, is_elsewhere) in [
            (Some(place), Some(place), true, false),
            (Some(place), Some("D6/S00008/Br.fits"), false, true),
            (Some(place), None, false, false),
            (None, Some(place), false, false),
        ] {
            let former = former_keys(&[ordered(now)], std::iter::once(known(before)), Scale::Tai);
            assert_eq!(former.contains_key("9/Br"), is_same, "{now:?} {before:?}");
            assert_eq!(is_stored_elsewhere(&ordered(now), &known(before)), is_elsewhere, "{now:?} {before:?}");
        }
    }

    #[test]
    fn only_an_address_within_a_storage_unit_is_a_place() {
        assert_eq!(place("/SUM58/D803708321/S00008/Br.fits"), Some("D803708321/S00008/Br.fits"));
        assert_eq!(place("/SUM/D1/S0/a/b.fits"), Some("D1/S0/a/b.fits"));
        for other in ["/SUM58/D1/S00008/", "/SUM58/D1/Br.fits", "/SUM58/Dx/S1/a", "/SUMS/D1/S1/a", "/D1/S1/a", ""] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
