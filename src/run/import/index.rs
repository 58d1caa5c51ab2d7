//! A folder of files that somebody holds already, indexed: which of them a listed file is.
//!
//! Its memory follows the folder, a few hundred bytes a file. What it does not do: check the files, or take them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::{NaiveDateTime, TimeDelta};

use crate::digest::{Digest, Hasher};
use crate::fetch::local_copy::Taking;
use crate::fits::{FileIdentity, Keywords, name};
use crate::source::RemoteFile;

/// How far the times of a file and of its listing may lie apart: a slot is named after its exposure's middle, or begin.
const NEAR: TimeDelta = TimeDelta::minutes(2);

/// A folder of files.
#[derive(Debug)]
pub struct ImportFolder {
    /// How they are taken.
    pub taking: Taking,
    /// How many were taken otherwise.
    otherwise: AtomicU64,
    files: Vec<FolderFile>,
    named: HashMap<String, Vec<usize>>,
    records: HashMap<(i64, String), Vec<usize>>,
    slots: HashMap<(i64, NaiveDateTime, String), Vec<usize>>,
}

/// One file of a folder.
#[derive(Debug)]
struct FolderFile {
    /// Below the folder, with `/` between its parts; what is no UTF-8 is replaced.
    path: String,
    place: PathBuf,
    bytes: u64,
    identity: FileIdentity,
    /// A listed file was found to be this one.
    is_matched: AtomicBool,
}

/// What the series of a listed file is called, and what the other series of the job are: by name and by id.
#[derive(Debug, Clone)]
pub(in crate::run) struct SeriesNames {
    pub(in crate::run) own: Vec<String>,
    pub(in crate::run) others: Vec<String>,
}

impl SeriesNames {
    /// True for patches: their series differ in projection.
    fn has_projection(&self) -> bool {
        self.own.iter().any(|name| bare(name).starts_with("sharp_"))
    }
}

/// A series without its instrument: the HMI service has `sharp_720s` for `hmi.sharp_720s`.
fn bare(series: &str) -> &str {
    series.rsplit('.').next().unwrap_or(series)
}

/// Which file of a folder a listed one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) enum Match {
    /// None.
    Nothing,
    /// This one. Others may hold the same bytes.
    One {
        /// Below the folder.
        path: String,
        /// On this machine.
        place: PathBuf,
    },
    /// Several that differ, by their paths below the folder.
    Several(Vec<String>),
}

impl ImportFolder {
    /// With no files on it.
    #[must_use]
    pub fn empty(taking: Taking) -> ImportFolder {
        ImportFolder {
            taking,
            otherwise: AtomicU64::new(0),
            files: Vec::new(),
            named: HashMap::new(),
            records: HashMap::new(),
            slots: HashMap::new(),
        }
    }

    /// Looks through a folder and all below it, but for what is hidden and for `archive`. No link is followed.
    ///
    /// # Errors
    /// When the folder, or one below it, cannot be read.
    pub fn scan(folder: &Path, archive: &Path, taking: Taking) -> io::Result<ImportFolder> {
        let archive = archive.canonicalize().ok();
        let folder = folder.canonicalize()?;
        // The folder's own name may be the series.
        let own = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut import_folder = ImportFolder::empty(taking);
        let mut folders = vec![(folder, String::new())];
        while let Some((folder, below)) = folders.pop() {
            for found in std::fs::read_dir(&folder)? {
                let found = found?;
                let (place, name) = (found.path(), found.file_name());
                let path = format!("{below}{}", name.to_string_lossy());
                if name.as_encoded_bytes().starts_with(b".") || archive.as_ref() == Some(&place) {
                    continue;
                }
                if found.file_type()?.is_dir() {
                    folders.push((place, format!("{path}/")));
                } else {
                    let held = FolderFile::at(place, path, &own);
                    import_folder.files.push(held);
                }
            }
        }
        import_folder.files.sort_by(|a, b| a.path.cmp(&b.path));
        import_folder.index();
        Ok(import_folder)
    }

    fn index(&mut self) {
        for (at, held) in self.files.iter().enumerate() {
            let name = held.path.rsplit('/').next().unwrap_or_default();
            self.named.entry(name.to_owned()).or_default().push(at);
            let FileIdentity { recnum, harpnum, t_rec, .. } = &held.identity;
            for segment in held.segments() {
                if let Some(recnum) = recnum {
                    self.records.entry((*recnum, segment.to_owned())).or_default().push(at);
                }
                if let (Some(harpnum), Some(t_rec)) = (harpnum, t_rec) {
                    self.slots.entry((*harpnum, *t_rec, segment.to_owned())).or_default().push(at);
                }
            }
        }
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Notes how one of them was taken.
    pub(in crate::run) fn note_taken(&self, how: Taking) {
        self.otherwise.fetch_add(u64::from(how != self.taking), Ordering::Relaxed);
    }

    /// How many were copied though links were asked for: they could have no further name.
    #[must_use]
    pub fn copied_instead(&self) -> u64 {
        self.otherwise.load(Ordering::Relaxed)
    }

    /// The paths below the folder that no listed file was found to be, sorted.
    pub fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter(|held| !held.is_matched.load(Ordering::Relaxed)).map(|held| held.path.as_str())
    }

    /// Which file a listed one is, whose path in the archive would be `path`. The best witness counts: the whole path, the
    /// source's name, the path's last part, then what headers and names tell of record and segment. A file that contradicts
    /// the listing in series, size, record, region, segment or time is none.
    ///
    /// # Errors
    /// When files that fit alike cannot be read to compare them.
    pub(in crate::run) fn find(&self, file: &RemoteFile, series: &SeriesNames, path: &str) -> io::Result<Match> {
        let by_name = |name: &str| self.named.get(name).map(Vec::as_slice).unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let due = name_due(file);
        let own = if file.name.is_some() { String::new() } else { file.last_part() };
        let is_at = |at: &&usize| {
            let held = &self.files[**at].path;
            held.strip_suffix(path).is_some_and(|above| above.is_empty() || above.ends_with('/'))
        };
        let whole: Vec<usize> = by_name(last).iter().filter(is_at).copied().collect();
        let record = file.recnum.zip(file.segment.clone()).and_then(|record| self.records.get(&record));
        let slot = file.harpnum.zip(file.t_rec).zip(file.segment.clone());
        let slot = slot.and_then(|((harpnum, t_rec), segment)| self.slots.get(&(harpnum, t_rec, segment)));
        // Region, slot and segment are the same in several series.
        let is_of_series = |at: &&usize| self.files[**at].is_surely_of(series);
        let slot: Vec<usize> = slot.into_iter().flatten().filter(is_of_series).copied().collect();
        let record = record.map(Vec::as_slice).unwrap_or_default();
        // A name alone, such as `magnetogram.fits`, may be that of a file of every record.
        let named = |name: &str| -> Vec<usize> {
            by_name(name).iter().filter(|at| self.files[**at].tells_its_time_or_record()).copied().collect()
        };
        for witness in [&whole, &named(&due), &named(&own), &named(last), record, &slot] {
            let fitting: Vec<&FolderFile> =
                witness.iter().map(|at| &self.files[*at]).filter(|held| held.may_be(file, series)).collect();
            if let [first, others @ ..] = fitting.as_slice() {
                if differing(first, others)? {
                    return Ok(Match::Several(fitting.iter().map(|held| held.path.clone()).collect()));
                }
                for held in &fitting {
                    held.is_matched.store(true, Ordering::Relaxed);
                }
                return Ok(Match::One { path: first.path.clone(), place: first.place.clone() });
            }
        }
        Ok(Match::Nothing)
    }
}

/// The name that a file is published under when no answer tells it: the listing's, else the URL's last part, which the
/// HMI service gives the ending of FITS where it has none.
pub(in crate::run) fn name_due(file: &RemoteFile) -> String {
    let named = file.name.clone().unwrap_or_else(|| file.last_part());
    if file.name.is_some() || named.contains('.') { named } else { format!("{named}.fits") }
}

impl FolderFile {
    /// What lies at a place. What cannot be opened, or is no plain file, has no bytes and fits nothing.
    fn at(place: PathBuf, path: String, folder: &str) -> FolderFile {
        let meta = place.symlink_metadata().ok().filter(std::fs::Metadata::is_file);
        let keywords = meta.as_ref().and_then(|_| File::open(&place).ok());
        let keywords = keywords.and_then(|file| Keywords::read(BufReader::new(file)).ok()).unwrap_or_default();
        let mut identity = FileIdentity::from_keywords(&path, &keywords);
        // Below the folder there may be none that could be the series.
        identity.series = identity.series.or_else(|| name::series(folder));
        FolderFile {
            path,
            place,
            bytes: meta.map_or(0, |meta| meta.len()),
            identity,
            is_matched: AtomicBool::new(false),
        }
    }

    /// The segments that it may be, by its name and by its header: people give files names of their own.
    fn segments(&self) -> impl Iterator<Item = &str> {
        let FileIdentity { segment, extension, .. } = &self.identity;
        let other = extension.as_deref().filter(|own| segment.as_deref() != Some(own));
        segment.as_deref().into_iter().chain(other)
    }

    /// True when its path names one of these series.
    fn names_one_of(&self, series: &[String]) -> bool {
        let told = self.identity.series.as_deref();
        told.is_some_and(|told| series.iter().any(|name| bare(name) == bare(told)))
    }

    /// True when its path or its projection says that it is of this series.
    fn is_surely_of(&self, series: &SeriesNames) -> bool {
        self.names_one_of(&series.own) || (series.has_projection() && self.identity.is_cea.is_some())
    }

    /// True when its path says that it is of another series of the job, or its projection is that of another one.
    fn is_of_another(&self, series: &SeriesNames) -> bool {
        let due = series.own.iter().any(|name| name.contains("_cea_"));
        let is_projected = |is_cea| series.has_projection() && is_cea != due;
        (self.names_one_of(&series.others) && !self.names_one_of(&series.own))
            || self.identity.is_cea.is_some_and(is_projected)
    }

    /// True when its header or its name says of which time or record it is, so that it can contradict a listing.
    fn tells_its_time_or_record(&self) -> bool {
        let FileIdentity { recnum, time, t_rec, .. } = &self.identity;
        recnum.is_some() || time.is_some() || t_rec.is_some()
    }

    /// True when nothing that is known of it contradicts the listing.
    fn may_be(&self, file: &RemoteFile, series: &SeriesNames) -> bool {
        fn agree<T: PartialEq>(told: Option<&T>, listed: Option<&T>) -> bool {
            told.zip(listed).is_none_or(|(told, listed)| told == listed)
        }
        let FileIdentity { recnum, harpnum, time, .. } = &self.identity;
        let is_named = |segment: &String| self.segments().any(|own| own == segment);
        self.bytes > 0
            && !self.is_of_another(series)
            && file.bytes.is_none_or(|bytes| bytes == self.bytes)
            && agree(recnum.as_ref(), file.recnum.as_ref())
            && agree(harpnum.as_ref(), file.harpnum.as_ref())
            && (self.segments().next().is_none() || file.segment.as_ref().is_none_or(is_named))
            && time.is_none_or(|time| (time - file.time).abs() <= NEAR)
    }
}

/// True when any of the others holds other bytes than the first.
fn differing(first: &FolderFile, others: &[&FolderFile]) -> io::Result<bool> {
    if others.is_empty() {
        return Ok(false);
    }
    if others.iter().any(|other| other.bytes != first.bytes) {
        return Ok(true);
    }
    let digest = digest_of(&first.place)?;
    for other in others {
        if digest_of(&other.place)? != digest {
            return Ok(true);
        }
    }
    Ok(false)
}

fn digest_of(place: &Path) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(place)?);
    loop {
        let piece = io::BufRead::fill_buf(&mut reader)?;
        if piece.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(piece);
        let length = piece.len();
        io::BufRead::consume(&mut reader, length);
    }
}
