//! Files whose bytes are known and that lie elsewhere than they are due: at an earlier path, or among the retired files of
//! the day. They are read, and get their path without a request.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Seek as _};

use rustix::fs;

use super::{DayWork, Published, digest_of};
use crate::archive::file_id::FileId;
use crate::archive::safe_dir::length_of;
use crate::archive::staged_file::Stamp;
use crate::archive::{Archive, Error, FileLine, RelativePath, Staged, Validators};
use crate::digest::{Digest, Hasher};

/// How much is read at a time.
const PIECE: usize = 256 * 1024;

/// How a file whose bytes are known came to the path that it is due at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacedAs {
    /// From an earlier path of the day.
    Renamed,
    /// From the retired files.
    Restored,
    /// These very bytes had the path already.
    Kept,
}

/// Files of the day that lie elsewhere than they are due.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// The retired files by their length; none before they are listed. One of them may be gone.
    retired: Option<HashMap<u64, Vec<String>>>,
    /// What was read of files at these paths.
    read: HashMap<String, (Stamp, Digest)>,
    /// Paths whose file has got a further name, with the path that this one is.
    renamed: HashMap<String, String>,
    /// Retired names of files that have another name at the path that they are due at.
    spare: Vec<(String, String)>,
    /// Where files went that this go has retired, by their paths.
    displaced: HashMap<String, String>,
    /// Folders that files of ours were moved from.
    pub(super) vacated: BTreeSet<String>,
}

impl DayWork {
    /// True when a file of the length that a line knows lies at its path, or among the retired files.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn may_have(&self, line: &FileLine) -> Result<bool, Error> {
        Ok(line.sha256.is_some() && (self.is_there(line) || self.may_have_retired(line)?))
    }

    /// True when a file of the length that a line knows lies among the retired files.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn may_have_retired(&self, line: &FileLine) -> Result<bool, Error> {
        line.bytes.map_or(Ok(false), |length| Ok(!self.retired_of(length)?.is_empty()))
    }

    /// True when such a file, at its path or retired, has the bytes of the line: it is read.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn has_bytes_of(&self, line: &FileLine) -> Result<bool, Error> {
        Ok(self.find(line, None)?.is_some())
    }

    /// Gives a file that a line knows another path: the one at the line's path, or a retired one. It is read first, and what
    /// is not what the line says is left where it is. One of the user's own is copied. `None` where no such file is found.
    ///
    /// # Errors
    /// As [`DayWork::publish`].
    pub fn place(&self, known: &FileLine, path: &RelativePath) -> Result<Option<PlacedAs>, Error> {
        let Some((from, file, stamp)) = self.find(known, Some(path))? else { return Ok(None) };
        let is_retired = from != known.path;
        // Moved by this very go, out of the way of another file.
        let is_displaced = self.state().elsewhere.displaced.get(&known.path) == Some(&from);
        let is_ours = is_retired || self.state().owned.ours.contains_key(&from);
        let part = self.part(&known.key)?;
        let is_linked = is_ours && part.can_link(&file)?;
        let staged = if is_linked {
            part.other(file, stamp.length())
        } else {
            let Some(copy) = self.copy(known, file)? else { return Ok(None) };
            copy
        };
        let line = FileLine { path: path.to_string(), preexisting: false, ..known.clone() };
        let published = self.publish(staged, path, line)?;
        if published == Published::Kept {
            return Ok(Some(PlacedAs::Kept));
        }
        if is_linked {
            self.note_link(&from, path.as_str(), stamp, is_retired);
        }
        Ok(Some(if is_retired && !is_displaced { PlacedAs::Restored } else { PlacedAs::Renamed }))
    }

    /// Notes that the file at a path has got a further name, and holds what was read of it only if it was not changed since.
    fn note_link(&self, from: &str, to: &str, read: Stamp, is_retired: bool) {
        let mut state = self.state();
        let owned = &mut state.owned;
        let placed = owned.placed.get(to).copied().filter(|placed| placed.has_bytes_of(&read));
        match placed {
            Some(placed) if !is_retired => {
                owned.placed.insert(from.to_owned(), placed);
            }
            Some(_) => {}
            // Read when the day is sealed.
            None => {
                owned.placed.remove(to);
            }
        }
        drop(state);
        let is_gone = !is_retired && matches!(self.archive.tree.stat(from), Ok(None));
        let elsewhere = &mut self.state().elsewhere;
        // It may have stood in the way of this very path.
        let displaced = elsewhere.displaced.get(from).filter(|_| is_gone).cloned();
        match if is_retired { Some(from.to_owned()) } else { displaced } {
            Some(retired) => elsewhere.spare.push((retired, to.to_owned())),
            None => {
                elsewhere.renamed.insert(from.to_owned(), to.to_owned());
            }
        }
    }

    /// Where a file with the bytes of a line lies, other than where it is due, the file, and what it was when it was read.
    fn find(&self, line: &FileLine, due: Option<&RelativePath>) -> Result<Option<(String, File, Stamp)>, Error> {
        let (Some(length), Some(sha256)) = (line.bytes, line.sha256) else { return Ok(None) };
        let before = Some(&line.path).filter(|path| due.is_none_or(|due| due.as_str() != path.as_str()));
        let places = before.cloned().into_iter().chain(self.retired_of(length)?);
        for place in places {
            // Where the file cannot be read, it is fetched.
            let Ok(Some(file)) = self.archive.open_plain(&place) else { continue };
            if let Some(stamp) = self.read_as(&place, &file, length, sha256) {
                return Ok(Some((place, file, stamp)));
            }
        }
        Ok(None)
    }

    /// What a file is, if it has these bytes.
    fn read_as(&self, place: &str, file: &File, length: u64, due: Digest) -> Option<Stamp> {
        fs::fstat(file).ok().filter(|stat| length_of(stat) == Some(length))?;
        self.read_once(place, file).filter(|(_, found)| *found == due).map(|(stamp, _)| stamp)
    }

    /// What a file is, and the digest of its bytes. It is read once as long as it does not change.
    pub(super) fn read_once(&self, place: &str, file: &File) -> Option<(Stamp, Digest)> {
        let stamp = |file: &File| fs::fstat(file).ok().map(|stat| Stamp::of(&stat));
        let before = stamp(file)?;
        let known =
            self.state().elsewhere.read.get(place).filter(|(stamp, _)| *stamp == before).map(|(_, found)| *found);
        let found = match known {
            Some(found) => found,
            None => {
                digest_of(file.try_clone().ok()?, &mut vec![0; PIECE]).ok().filter(|_| stamp(file) == Some(before))?
            }
        };
        self.state().elsewhere.read.insert(place.to_owned(), (before, found));
        Some((before, found))
    }

    /// The digest of a file, as far as it can be read.
    pub(super) fn digest_once(&self, place: &str) -> Option<Digest> {
        let file = self.archive.open_plain(place).ok()??;
        self.read_once(place, &file).map(|(_, found)| found)
    }

    /// A retired file that has the bytes of the one at a path: of equal ones, one is kept.
    pub(super) fn retired_copy(&self, path: &str) -> Result<Option<String>, Error> {
        let Some(length) = self.archive.tree.length(path) else { return Ok(None) };
        for retired in self.retired_of(length)? {
            if self.archive.are_equally_long(path, &retired)?
                && self.digest_once(path).is_some_and(|digest| self.digest_once(&retired) == Some(digest))
            {
                return Ok(Some(retired));
            }
        }
        Ok(None)
    }

    /// A copy of a file, which shares its blocks where the filesystem can; `None` when it came to other bytes.
    fn copy(&self, known: &FileLine, mut file: File) -> Result<Option<Staged>, Error> {
        let failed = |e| Error::storage("read", self.archive.tree.path(&known.path), e);
        let part = self.part(&known.key)?;
        let mut staged = part.unnamed()?.map_or_else(|| part.create(&Validators::default()), Ok)?;
        file.rewind().map_err(failed)?;
        let found = if staged.share_blocks(&file) {
            let mut copied = staged.file().try_clone().map_err(failed)?;
            copied.rewind().map_err(failed)?;
            digest_of(copied, &mut vec![0; PIECE]).map_err(failed)?
        } else {
            let (mut hasher, mut piece) = (Hasher::default(), vec![0; PIECE]);
            loop {
                let count = match file.read(&mut piece) {
                    Ok(0) => break hasher.finish(),
                    Ok(count) => count,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(failed(e)),
                };
                hasher.update(&piece[..count]);
                staged.write(&piece[..count])?;
            }
        };
        if Some(found) != known.sha256 {
            staged.discard()?;
            return Ok(None);
        }
        Ok(Some(staged))
    }

    /// The retired files of the day that have this length.
    fn retired_of(&self, length: u64) -> Result<Vec<String>, Error> {
        if let Some(retired) = &self.state().elsewhere.retired {
            return Ok(retired.get(&length).cloned().unwrap_or_default());
        }
        let folder = Archive::retired(&self.series, self.date);
        let mut retired: HashMap<u64, Vec<String>> = HashMap::new();
        // A link in its place leads to nothing of ours.
        for name in self.archive.tree.names(&folder)? {
            let path = format!("{folder}/{name}");
            if let Some(length) = self.archive.tree.stat(&path)?.as_ref().and_then(length_of) {
                retired.entry(length).or_default().push(path);
            }
        }
        for paths in retired.values_mut() {
            paths.sort_unstable();
        }
        let found = retired.get(&length).cloned().unwrap_or_default();
        self.state().elsewhere.retired = Some(retired);
        Ok(found)
    }

    /// Notes that a file was moved out of a folder.
    pub(super) fn note_vacated(&self, folder: &str) {
        self.state().elsewhere.vacated.insert(folder.to_owned());
    }

    /// Notes that the file at a path went to `retired/`. What was read of it still holds if it was not changed meanwhile.
    pub(super) fn note_retired(&self, path: &str, to: &str) {
        let now = self.archive.tree.stat(to).ok().flatten().map(|stat| Stamp::of(&stat));
        let elsewhere = &mut self.state().elsewhere;
        if let (Some(retired), Some(now)) = (&mut elsewhere.retired, now) {
            let equally_long = retired.entry(now.length()).or_default();
            if let Err(at) = equally_long.binary_search_by(|known| known.as_str().cmp(to)) {
                equally_long.insert(at, to.to_owned());
            }
        }
        let read = elsewhere.read.remove(path);
        if let (Some((before, digest)), Some(now)) = (read, now)
            && now.has_bytes_of(&before)
        {
            elsewhere.read.insert(to.to_owned(), (now, digest));
        }
        elsewhere.displaced.insert(path.to_owned(), to.to_owned());
        let wanted = elsewhere.renamed.remove(path);
        elsewhere.spare.extend(wanted.map(|wanted| (to.to_owned(), wanted)));
    }

    /// Those of these paths of ours that are a further name of a file at a path that the day keeps, with that path: nothing is
    /// lost with them.
    pub(super) fn further_names(
        &self,
        leaving: &BTreeMap<String, Option<Digest>>,
        wanted: &HashSet<&str>,
    ) -> Result<HashMap<String, String>, Error> {
        let tree = &self.archive.tree;
        let mut by_id: HashMap<FileId, Vec<&str>> = HashMap::new();
        for path in leaving.keys() {
            if let Some(stat) = tree.stat(path)?.filter(|stat| stat.st_nlink > 1) {
                by_id.entry(FileId::of(&stat)).or_default().push(path);
            }
        }
        let mut further = HashMap::new();
        for path in wanted.iter().filter(|_| !by_id.is_empty()) {
            let Some(stat) = tree.stat(path)? else { continue };
            let kept = self.state().owned.ours.get(*path).copied().flatten();
            // Numbers of files may be made up: the bytes must be the same as well.
            let names = by_id.get(&FileId::of(&stat)).into_iter().flatten();
            let names = names.filter(|name| kept.is_some() && leaving.get(**name) == Some(&kept));
            further.extend(names.map(|name| ((*name).to_owned(), (*path).to_owned())));
        }
        // Each name may have a number of its own: what this very go has linked is known all the same.
        let linked = self.state().elsewhere.renamed.clone();
        for (path, kept) in linked.into_iter().filter(|(_, kept)| wanted.contains(kept.as_str())) {
            let Some(put) = leaving.get(&path).filter(|_| !further.contains_key(&path)) else { continue };
            if self.is_as_put(&path, *put)? {
                further.insert(path, kept);
            }
        }
        Ok(further)
    }

    /// Removes names in `retired/` of files that have lasting names at the paths that they are due at.
    pub(super) fn drop_spare_names(&self) -> Result<(), Error> {
        let spare = std::mem::take(&mut self.state().elsewhere.spare);
        spare.iter().try_for_each(|(retired, wanted)| self.drop_spare_name(retired, wanted))
    }

    /// Removes a name in `retired/` if the file has another one at this path.
    pub(super) fn drop_spare_name(&self, retired: &str, wanted: &str) -> Result<(), Error> {
        let tree = &self.archive.tree;
        let (Some(one), Some(other)) = (tree.stat(retired)?, tree.stat(wanted)?) else { return Ok(()) };
        let is_one_file = FileId::of(&one) == FileId::of(&other) && one.st_nlink > 1;
        // Each name may have a number of its own.
        let is_copy = || {
            let digest = self.digest_once(retired).filter(|_| length_of(&one) == length_of(&other));
            digest.is_some() && digest == self.digest_once(wanted)
        };
        if is_one_file || is_copy() {
            tree.remove(retired)?;
        } else {
            // It is one more of them, whatever it is.
            self.state().elsewhere.retired = None;
        }
        Ok(())
    }
}
