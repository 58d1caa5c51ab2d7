//! The columns of an answer that files are made of.

use super::filters::RecordFilterFacts;
use super::query::{HARPNUM, QUALITY, RecordQuery, WAVELNTH};
use super::response::{RecordColumn, RecordList};
use super::slot;
use super::storage::{NO_SEGMENT, Storage, StoragePath, found};
use super::values::{NO_IMAGE, NO_KEYWORD, bits, whole};
use crate::failure::{Class, Failure};
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// The columns that files are made of.
pub(super) struct FileColumns<'a> {
    recnum: &'a RecordColumn,
    time: &'a RecordColumn,
    harpnum: Option<&'a RecordColumn>,
    wavelength: Option<&'a RecordColumn>,
    online: Option<&'a RecordColumn>,
    archive: Option<&'a RecordColumn>,
    quality: Option<&'a RecordColumn>,
    prime: Vec<&'a RecordColumn>,
    pub(super) segments: Vec<SegmentPaths<'a>>,
}

/// The paths of a segment's files.
pub(super) struct SegmentPaths<'a> {
    pub(super) name: &'a str,
    pub(super) paths: &'a RecordColumn,
    /// Its files are of a record of another series.
    pub(super) is_linked: bool,
}

impl<'a> FileColumns<'a> {
    pub(super) fn of(answer: &'a RecordList, question: &RecordQuery<'a>) -> Result<FileColumns<'a>, Failure> {
        let structure = question.structure;
        let prime: Vec<&RecordColumn> =
            structure.prime.iter().map(|key| answer.keyword(key)).collect::<Result<_, _>>()?;
        let online = answer.known("*online*");
        let has_no_unit = |at: usize| online.is_some_and(|online| online.value(at) == "NA");
        let segment = |name: &&'a str| {
            let paths = answer.segment(name)?;
            // A record without a storage unit of its own has files of another record.
            let is_linked = question.structure.linked.iter().any(|linked| linked == name)
                || (0..paths.len()).any(|at| has_no_unit(at) && paths.value(at).starts_with('/'));
            Ok(SegmentPaths { name, paths, is_linked })
        };
        let segments: Vec<SegmentPaths<'_>> = question.segments.iter().map(segment).collect::<Result<_, Failure>>()?;
        let unknown = |what: &str, name: &str, word: &str| {
            let why =
                format!("JSOC says `{word}` of the {what} `{}` of `{}`", escape(name), escape(&question.series.name));
            Failure::new(Class::SourceRefused, why)
        };
        if let Some((key, _)) = structure.prime.iter().zip(&prime).find(|(_, column)| column.value(0) == NO_KEYWORD) {
            return Err(unknown("keyword", key, NO_KEYWORD));
        }
        if let Some(segment) = segments.iter().find(|segment| segment.paths.value(0) == NO_SEGMENT) {
            return Err(unknown("segment", segment.name, NO_SEGMENT));
        }
        Ok(FileColumns {
            recnum: answer.keyword("*recnum*")?,
            time: answer.keyword(&structure.time)?,
            harpnum: answer.known(HARPNUM),
            wavelength: answer.known(WAVELNTH),
            online,
            archive: answer.known("*archive*"),
            quality: answer.known(QUALITY),
            prime,
            segments,
        })
    }

    /// What a record is chosen by.
    pub(super) fn facts(&self, question: &RecordQuery<'_>, at: usize) -> Result<RecordFilterFacts, Failure> {
        let of = |what: &str, value: &str| malformed(&format!("record {at}: {what} is `{}`", escape(value)));
        let recnum = self.recnum.value(at);
        let recnum = recnum.trim().parse().map_err(|_| of("`*recnum*`", recnum))?;
        let text = self.time.value(at);
        let time = slot::time(text).ok_or_else(|| of(&format!("`{}`", question.structure.time), text))?;
        let number = |column: Option<&RecordColumn>| column.and_then(|column| whole(column.value(at)));
        Ok(RecordFilterFacts { at, recnum, time, harpnum: number(self.harpnum), wavelength: number(self.wavelength) })
    }

    /// What is told of where the files of a record are stored.
    pub(super) fn storage(&self, at: usize, is_linked: bool) -> Storage<'a> {
        let value = |column: Option<&'a RecordColumn>| column.map_or("", |column| column.value(at));
        let quality = bits(value(self.quality));
        Storage {
            online: value(self.online),
            archive: value(self.archive),
            is_linked,
            has_image: quality.is_none_or(|bits| bits & NO_IMAGE == 0),
        }
    }

    /// True when an order can have a record: none of its files is offline or gone.
    pub(super) fn can_be_ordered(&self, at: usize) -> bool {
        let is_there = |segment: &SegmentPaths<'_>| {
            let storage = self.storage(at, segment.is_linked);
            let found = found(segment.paths.value(at), storage);
            // An order leaves out the records that have no image (`jsoc_fetch.c:3485-3528`).
            !storage.has_image || found.is_ok_and(StoragePath::can_be_ordered)
        };
        self.segments.iter().all(is_there)
    }

    /// The record as it is asked for alone, where JSOC does not tell it.
    pub(super) fn query(&self, question: &RecordQuery<'_>, at: usize) -> String {
        let keys: String = self.prime.iter().flat_map(|column| ["[", column.value(at), "]"]).collect();
        format!("{}{keys}", question.series.name)
    }

    /// JSOC's own name of a record's files, without the segment: `hmi.sharp_cea_720s.377.20110215_020000_TAI`.
    pub(super) fn stem(&self, question: &RecordQuery<'_>, at: usize) -> String {
        let mut stem = question.series.name.clone();
        for (key, column) in question.structure.prime.iter().zip(&self.prime) {
            let value = column.value(at);
            let is_time = question.structure.is_time(key);
            stem.push('.');
            stem.push_str(&if is_time { slot::stamp(value) } else { value.to_owned() });
        }
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "._+-".contains(c) { c } else { '_' }).collect()
    }
}
