//! What JSOC says of where a file is: on its disks, on tape alone, or nowhere.

use super::values::MISSING;
use crate::untrusted::escape;

/// What stands for a segment that the series does not have.
pub(super) const NO_SEGMENT: &str = "InvalidSegName";

/// What a path says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoragePath<'a> {
    /// It lies here.
    File(&'a str),
    /// It lies on tape alone.
    Offline,
    /// It was there, and is neither on the disks nor on tape.
    Gone,
    /// There is none.
    Nothing,
}

impl StoragePath<'_> {
    /// True for a file that an order can have. One order with any other is refused (`jsoc_fetch.c:4027-4047`).
    pub(super) fn can_be_ordered(self) -> bool {
        !matches!(self, StoragePath::Offline | StoragePath::Gone)
    }
}

/// Where a record's files are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// `Y` or `N`: its storage unit is on the disks. `NA` when it has none of its own.
    pub(super) online: &'a str,
    /// `N`: its storage unit is on no tape either.
    pub(super) archive: &'a str,
    /// Its segment's files are of a record of another series, in that one's storage unit.
    pub(super) is_linked: bool,
    /// As its QUALITY has it.
    pub(super) has_image: bool,
}

/// What JSOC says of a file: a path, or a word in its place (`jsoc_info.c:3667-3742,4220-4230`).
pub(super) fn found<'a>(path: &'a str, storage: Storage<'_>) -> Result<StoragePath<'a>, &'static str> {
    let is_gone = storage.online == "N" && storage.archive == "N";
    match path {
        // The folder alone: the record names no file of the segment.
        _ if path.starts_with('/') && path.ends_with('/') => Ok(StoragePath::Nothing),
        // JSOC gives a path even for files that are no longer on its disks.
        _ if path.starts_with('/') && storage.online != "N" => Ok(StoragePath::File(path)),
        "NoDataFile" | "BadSegLink" | MISSING => Ok(StoragePath::Nothing),
        // Whether the other record's storage unit was removed for good, this answer does not tell.
        "NoDataDirectory" | "" if storage.is_linked && storage.has_image => Ok(StoragePath::Offline),
        _ if is_gone && (path.starts_with('/') || matches!(path, "NoDataDirectory" | "")) => Ok(StoragePath::Gone),
        _ if path.starts_with('/') => Ok(StoragePath::Offline),
        "NoDataDirectory" | "" if storage.online == "N" => Ok(StoragePath::Offline),
        // Where the record has no storage unit of its own, as one whose files are another record's, nothing but its QUALITY
        // says that there is none.
        "NoDataDirectory" | "" if storage.has_image => Ok(StoragePath::Offline),
        "NoDataDirectory" | "" => Ok(StoragePath::Nothing),
        NO_SEGMENT => Err("which no such series has"),
        _ => Err("which is no path"),
    }
}

/// What a file that is not on JSOC's disks fails with.
pub(super) fn offline(named: &str) -> String {
    format!("`{}` is not on JSOC's disks; ask jsoc@sun.stanford.edu to put it there, and run this again", escape(named))
}

/// What a file fails with that is there, of a record that cannot be ordered for another file.
pub(super) fn beside_offline(named: &str) -> String {
    format!(
        "`{}` cannot be ordered, since another file of its record is not on JSOC's disks; ask jsoc@sun.stanford.edu to put \
         that there, or name fewer segments, and run this again",
        escape(named)
    )
}

#[cfg(test)]
mod tests {
    use super::super::values::NO_KEYWORD;
    use super::*;

    #[test]
    fn l_15_a_path_says_whether_there_is_a_file_and_where() {
        let path = "/SUM58/D803708321/S00008/Br.fits";
        let own = |online, archive| Storage { online, archive, is_linked: false, has_image: true };
        for (path, storage, what) in [
            (path, own("Y", "Y"), StoragePath::File(path)),
            (path, own("", ""), StoragePath::File(path)),
            (path, own("N", "Y"), StoragePath::Offline),
            (path, own("N", "N"), StoragePath::Gone),
            ("NoDataFile", own("Y", "Y"), StoragePath::Nothing),
            ("NoDataDirectory", own("N", "Y"), StoragePath::Offline),
            ("NoDataDirectory", own("N", "Pending"), StoragePath::Offline),
            ("NoDataDirectory", own("N", NO_KEYWORD), StoragePath::Offline),
            ("NoDataDirectory", own("N", "N"), StoragePath::Gone),
            ("", own("N", ""), StoragePath::Offline),
            ("NoDataDirectory", own("NA", "NA"), StoragePath::Offline),
            ("NoDataDirectory", own(NO_KEYWORD, NO_KEYWORD), StoragePath::Offline),
            ("NoDataDirectory", own("", ""), StoragePath::Offline),
            ("NoDataDirectory", Storage { has_image: false, ..own("NA", "NA") }, StoragePath::Nothing),
            ("", Storage { has_image: false, ..own(NO_KEYWORD, NO_KEYWORD) }, StoragePath::Nothing),
            ("BadSegLink", own("Y", "Y"), StoragePath::Nothing),
            ("/SUM58/D803708321/S00008/", own("Y", "Y"), StoragePath::Nothing),
        ] {
            assert_eq!(found(path, storage), Ok(what), "{path} {storage:?}");
        }
        for path in ["InvalidSegName", "http://evil.example/SUM1/x", "SUM58/x", "../x"] {
            assert!(found(path, own("Y", "Y")).is_err(), "{path}");
        }
    }

    #[test]
    fn a_linked_file_that_is_not_on_the_disks_is_no_absent_one_unless_there_is_no_image() {
        let path = "/SUM58/D803708321/S00008/image_lev1.fits";
        let linked = |has_image| Storage { online: "NA", archive: "NA", is_linked: true, has_image };
        for (path, storage, what) in [
            (path, linked(true), StoragePath::File(path)),
            ("NoDataDirectory", linked(true), StoragePath::Offline),
            ("NoDataDirectory", linked(false), StoragePath::Nothing),
            ("BadSegLink", linked(true), StoragePath::Nothing),
            ("NoDataFile", linked(true), StoragePath::Nothing),
        ] {
            assert_eq!(found(path, storage), Ok(what), "{path} {storage:?}");
        }
    }
}
