//! Ending a day: its files durable, its record named, and what it no longer asks for out of the way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::OwnedFd;

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;

use super::{DayWork, days};
use crate::archive::file_id::FileId;
use crate::archive::fsync::{settle, settle_moves};
use crate::archive::journal::JournalEntry;
use crate::archive::layout::folded;
use crate::archive::record::{DayRecord, FileLine, RecordBasis, RecordState};
use crate::archive::safe_dir::{Place, length_of, split};
use crate::archive::shared_paths::Ground;
use crate::archive::staged_file::Stamp;
use crate::archive::{Archive, Error};
use crate::digest::Digest;
use crate::untrusted::escape;

/// How a day is sealed.
#[derive(Debug, Clone)]
pub struct SealAs {
    /// The record, but for its files.
    pub lasting: RecordBasis,
    /// What is listed and not there: the lines with `absent`.
    pub absent: Vec<FileLine>,
}

/// What becomes of the files of a day that is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    /// They stay in `work/retired` until the next `clean`.
    Kept,
    /// They are deleted, and what was retired of the day before is as well.
    Deleted,
}

impl DayWork {
    /// Ends the day: `keys` are its files; their data and names reach stable storage, then the record gets its name,
    /// then the journal goes. What the day no longer asks for is retired, unless another day names it too; the number
    /// of those files comes with the record.
    ///
    /// # Errors
    /// [`Error::FolderMoved`], [`Error::Moved`] and [`Error::Changed`] when a file is not there, or not as it was put;
    /// [`Error::Storage`], and then nothing of this go is trusted by the next one.
    pub fn seal(self, seal: SealAs, keys: &HashSet<String>) -> Result<(DayRecord, u64), Error> {
        let have = std::mem::take(&mut self.state().have);
        // Grown step by step it would hold twice as much.
        let mut files: Vec<FileLine> = Vec::with_capacity(have.len() + seal.absent.len());
        files.extend(have.into_values().filter(|f| keys.contains(&f.key)));
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.must_be_in_place(&files, seal.lasting.state)?;
        if let Err(error) =
            settle(&self.archive.tree, &self.root, files.iter().map(|f| f.path.as_str()), &days(&self.series))
        {
            // On a disk that takes no more lines: no journal is as good, and only forgets whose the files are.
            self.journal.append(&[JournalEntry::Unsynced {}]).or_else(|_| self.journal.remove())?;
            return Err(error);
        }
        let wanted: HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
        self.note_retired_lines(&files)?;
        let retired = self.let_go(&wanted, false)?;
        self.drop_spare_names()?;
        {
            let owned = &self.state().owned;
            for file in &mut files {
                file.preexisting = !owned.ours.contains_key(&file.path);
            }
        }
        files.extend(seal.absent);
        let record = DayRecord::new(seal.lasting, files);
        // Written beside the day's parts: what a kill leaves there goes with them.
        let staged = format!("record.{}", rustix::process::getpid().as_raw_nonzero());
        let (days, name) = (days(&self.series), format!("{}.jsonl", self.date));
        self.archive.tree.replace_with(
            Place { directory: &self.parts(), name: &staged },
            Place { directory: &days, name: &name },
            true,
            |out| record.write(out),
        )?;
        self.forget_parts();
        self.journal.remove()?;
        Ok((record, retired))
    }

    /// Takes the day out of the archive: its files are retired, unless another day names them, and its record goes. Gives how
    /// many files were retired.
    ///
    /// # Errors
    /// [`Error::Storage`]; the day can be forgotten again then.
    pub fn forget(self, retired: Retired) -> Result<u64, Error> {
        self.note_retired_lines(&[])?;
        let count = self.let_go(&HashSet::new(), false)?;
        // A record that names none of our files stands until now.
        self.withdraw()?;
        if retired == Retired::Deleted {
            self.archive.tree.remove(&Archive::retired(&self.series, self.date))?;
            self.forget_retired_lines()?;
        }
        self.forget_parts();
        self.journal.remove()?;
        Ok(count)
    }

    /// Takes back the files of keys that are nobody's: two keys want one path. What a record names stays.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn take_back<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        for key in keys {
            let Some(line) = self.state().have.remove(key) else { continue };
            let is_standing = !self.state().withdrawn;
            let is_recorded = |record: &DayRecord| record.files.iter().any(|f| f.path == line.path);
            if is_standing && self.before.as_ref().is_some_and(is_recorded) {
                continue;
            }
            let ours = self.state().owned.ours.get(&line.path).copied();
            let retire = ours.map(|sha256| JournalEntry::Retire { path: line.path.clone(), sha256 });
            let entries: Vec<JournalEntry> =
                retire.into_iter().chain([JournalEntry::Void { key: key.to_owned() }]).collect();
            let mut ground = self.archive.ground()?;
            self.journal.append(&entries)?;
            if let Some(known) = ours {
                self.retire_all(&BTreeMap::from([(line.path, known)]), &HashMap::new(), ground.as_mut())?;
            }
        }
        Ok(())
    }

    /// Takes files back whatever names them: the record that stands is taken down first. Gives the lines of those that were
    /// there.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn reopen(&self, keys: &[String]) -> Result<Vec<FileLine>, Error> {
        let recorded = keys.iter().filter(|key| self.have(key).is_none()).filter_map(|key| self.prior(key));
        self.adopt(recorded.map(|prior| prior.line.clone()).collect())?;
        let there: Vec<FileLine> = keys.iter().filter_map(|key| self.have(key)).collect();
        if !there.is_empty() {
            self.withdraw()?;
            self.take_back(there.iter().map(|line| line.key.as_str()))?;
        }
        Ok(there)
    }

    /// Ends a day that its record answers already: a kill came before the journal went, or the day was asked for otherwise
    /// in between. What the journal alone names is retired.
    pub(super) fn put_away(self, record: DayRecord) -> Result<DayRecord, Error> {
        let named: HashSet<&str> = record.files.iter().map(|file| file.path.as_str()).collect();
        let retired = self.let_go(&named, true)?;
        if retired > 0 {
            tracing::warn!(
                series = %self.series, date = %self.date, retired,
                "files that an unfinished run left, and that the day's record does not name, went to `work/retired`"
            );
        }
        self.forget_parts();
        self.journal.remove()?;
        Ok(record)
    }

    /// Refuses to name files in a record that are not where it would say: looked up from the root, for a folder may have been
    /// moved or replaced since a file got its name there. What is sealed is read, but for files that are as this go has put
    /// them: it is final, and says of each file what lies there now. A provisional day is looked at again, and is not read
    /// at each look.
    fn must_be_in_place(&self, files: &[FileLine], state: RecordState) -> Result<(), Error> {
        let tree = &self.archive.tree;
        tree.must_be_at_its_path()?;
        let mut folder: Option<(&str, Option<OwnedFd>)> = None;
        let mut astray: Vec<&FileLine> = Vec::new();
        let mut changed: Option<&FileLine> = None;
        for file in files {
            let (directory, name) = split(&file.path);
            if folder.as_ref().is_none_or(|(known, _)| *known != directory) {
                folder = Some((directory, tree.find(directory)?));
            }
            let dir = folder.as_ref().and_then(|(_, dir)| dir.as_ref());
            let stat = dir.and_then(|dir| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok());
            let Some((stat, length)) = stat.and_then(|stat| Some((stat, length_of(&stat)?))) else {
                astray.push(file);
                continue;
            };
            let placed = self.state().owned.placed.get(&file.path).copied();
            let is_read = match placed {
                // Not every filesystem keeps the numbers and times of its files: the bytes decide.
                Some(placed) => placed != Stamp::of(&stat),
                None => state == RecordState::Sealed,
            };
            let is_same = Some(length) == file.bytes && (!is_read || self.archive.hash(&file.path)? == file.sha256);
            if !is_same {
                changed.get_or_insert(file);
            }
        }
        if let Some(first) = astray.first() {
            let entries: Vec<JournalEntry> =
                astray.iter().map(|file| JournalEntry::Void { key: file.key.clone() }).collect();
            self.journal.append(&entries)?;
            return Err(Error::Moved { path: first.path.clone() });
        }
        changed.map_or(Ok(()), |file| Err(Error::Changed { path: file.path.clone() }))
    }

    /// Retires our files at other paths than these, and gives up what else the day named there. The record that stands is
    /// taken down before, unless it names none of them.
    fn let_go(&self, wanted: &HashSet<&str>, names_none: bool) -> Result<u64, Error> {
        let mut ground = self.archive.ground()?;
        self.respell(wanted)?;
        let mut given_up: Vec<String> = Vec::new();
        if let Some(ground) = &ground {
            self.take_over_shared(ground, wanted)?;
            given_up.extend(self.state().owned.found.keys().filter(|path| !wanted.contains(path.as_str())).cloned());
        }
        let leaving = self.leaving(wanted);
        if leaving.is_empty() && given_up.is_empty() {
            return Ok(0);
        }
        let further = self.further_names(&leaving, wanted)?;
        // From here on an interrupted go is finished by the next one.
        let retire = leaving.iter().map(|(path, sha256)| JournalEntry::Retire { path: path.clone(), sha256: *sha256 });
        let entries: Vec<JournalEntry> = retire.collect();
        self.journal.append(&entries)?;
        if !names_none {
            self.withdraw()?;
        }
        // Else another day would leave its file to this one, which names it no more.
        let entries: Vec<JournalEntry> =
            given_up.iter().map(|path| JournalEntry::Retired { path: path.clone() }).collect();
        self.journal.append(&entries)?;
        self.state().owned.found.retain(|path, _| wanted.contains(path.as_str()));
        let retired = self.retire_all(&leaving, &further, ground.as_mut())?;
        if retired > 0 || !further.is_empty() {
            // Else a power cut could bring them back beside a record that does not name them.
            let to = Archive::retired(&self.series, self.date);
            settle_moves(&self.archive.tree, &self.root, leaving.keys().map(String::as_str), &to)?;
        }
        Ok(retired)
    }

    /// Takes files that this day only found for ours: those that another day has left to it, and those that another day has put
    /// at a wanted path with the same bytes.
    fn take_over_shared(&self, ground: &Ground<'_>, wanted: &HashSet<&str>) -> Result<(), Error> {
        let found = self.state().owned.found.clone();
        let (released, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(path, _)| ground.is_released(path));
        let shared: Vec<String> =
            found.iter().map(|(path, _)| path.clone()).filter(|path| wanted.contains(path.as_str())).collect();
        let owners = if shared.is_empty() {
            HashMap::new()
        } else {
            ground.owners(&self.archive, &self.series, self.date, &shared)?
        };
        let is_put = |(path, sha256): &(String, Option<Digest>)| {
            let mut owners = owners.get(path).into_iter().flatten();
            owners.any(|owner| !owner.is_found && owner.sha256 == *sha256)
        };
        let owned = &mut self.state().owned;
        for (path, sha256) in released.into_iter().chain(found.into_iter().filter(is_put)) {
            owned.is_ours(&path, sha256);
        }
        Ok(())
    }

    /// Our files at other paths than these, each with what is known of its bytes.
    fn leaving(&self, wanted: &HashSet<&str>) -> BTreeMap<String, Option<Digest>> {
        let owned = &self.state().owned;
        let others = owned.ours.iter().filter(|(path, _)| !wanted.contains(path.as_str()));
        others.map(|(path, known)| (path.clone(), *known)).collect()
    }

    /// Takes a file of ours that lies at a wanted path under another spelling for what it is: where the filesystem takes one
    /// name for the other, moving one away would take both.
    fn respell(&self, wanted: &HashSet<&str>) -> Result<(), Error> {
        let tree = &self.archive.tree;
        let leaving = self.leaving(wanted);
        if leaving.is_empty() {
            return Ok(());
        }
        let by_fold: HashMap<String, &str> = wanted.iter().map(|path| (folded(path), *path)).collect();
        let mut by_id: HashMap<FileId, &str> = HashMap::new();
        for path in wanted {
            by_id.extend(tree.stat(path)?.map(|stat| (FileId::of(&stat), *path)));
        }
        for (path, known) in &leaving {
            let by_name = by_fold.get(&folded(path)).filter(|wanted| tree.is_one_entry(path, wanted));
            // A file with one name alone that is found under two: by rules of spelling that are the filesystem's own.
            let alone = tree.stat(path)?.filter(|stat| stat.st_nlink == 1);
            let by_id = alone.and_then(|stat| by_id.get(&FileId::of(&stat)));
            let Some(wanted) = by_name.or(by_id) else { continue };
            tree.respell(path, wanted);
            let owned = &mut self.state().owned;
            owned.ours.remove(path);
            owned.is_ours(wanted, *known);
        }
        Ok(())
    }

    /// Retires the files at these paths that no other day names and that hold what is known of them. One that others only
    /// found is left to them, and one that was changed since to whoever changed it. Of a file that has a further name, with
    /// its path, the name alone goes. Gives how many files were retired.
    fn retire_all(
        &self,
        files: &BTreeMap<String, Option<Digest>>,
        further: &HashMap<String, String>,
        mut ground: Option<&mut Ground<'_>>,
    ) -> Result<u64, Error> {
        let others = match &ground {
            Some(ground) => {
                let paths: Vec<String> = files.keys().cloned().collect();
                ground.owners(&self.archive, &self.series, self.date, &paths)?
            }
            None => HashMap::new(),
        };
        let mut retired = 0;
        for (path, known) in files {
            let Some(owners) = others.get(path) else {
                if let Some(kept) = further.get(path) {
                    // Moved first: it may have been replaced in this moment, and what is the user's is not removed.
                    if let Some(moved) = self.move_away(path, None, ground.as_deref_mut())? {
                        self.drop_spare_name(&moved, kept)?;
                    }
                } else if self.is_as_put(path, *known)? {
                    retired += u64::from(self.retire(path, ground.as_deref_mut())?);
                } else {
                    self.leave(path, ground.as_deref_mut())?;
                }
                continue;
            };
            if let Some(ground) = ground.as_deref_mut().filter(|_| owners.iter().all(|owner| owner.is_found)) {
                ground.release(&self.archive, path)?;
            }
            self.state().owned.ours.remove(path);
            self.journal.append(&[JournalEntry::Retired { path: path.clone() }])?;
        }
        Ok(retired)
    }

    /// Moves a file of ours out of the way, to `retired/`. Its absence is fine, and what is no plain file stays.
    pub(super) fn retire(&self, path: &str, ground: Option<&mut Ground<'_>>) -> Result<bool, Error> {
        let copy = self.retired_copy(path)?;
        let moved = self.move_away(path, copy.as_deref(), ground)?;
        if let Some(to) = &moved {
            self.note_retired(path, to);
        }
        Ok(moved.is_some())
    }

    /// The same, in place of a copy of it there; gives where it lies now.
    fn move_away(
        &self,
        path: &str,
        copy: Option<&str>,
        ground: Option<&mut Ground<'_>>,
    ) -> Result<Option<String>, Error> {
        if let Some(ground) = ground {
            ground.retired(&self.archive, path)?;
        }
        let is_plain = self.archive.tree.length(path).is_some();
        let moved = if is_plain { self.archive.set_aside(&self.series, self.date, path, copy)? } else { None };
        if moved.is_some() {
            self.note_vacated(split(path).0);
        }
        self.state().owned.ours.remove(path);
        self.journal.append(&[JournalEntry::Retired { path: path.to_owned() }])?;
        Ok(moved)
    }

    /// Leaves a file where it is that was changed since we put it there: it is no longer ours.
    fn leave(&self, path: &str, ground: Option<&mut Ground<'_>>) -> Result<(), Error> {
        if let Some(ground) = ground {
            ground.retired(&self.archive, path)?;
        }
        tracing::warn!(
            series = %self.series, date = %self.date, path = %escape(path),
            "the file is no longer requested; it was changed since then, and stays"
        );
        self.state().owned.ours.remove(path);
        self.journal.append(&[JournalEntry::Retired { path: path.to_owned() }])
    }

    /// Takes the old record down, once: it no longer vouches for what is about to move. What it knew goes to the
    /// journal, under its own spec. Where days share ground, it is held.
    pub(in crate::archive) fn withdraw(&self) -> Result<(), Error> {
        // Held until it is down: nobody displaces a file of a record that stands.
        let mut state = self.state();
        let Some(record) = self.before.as_ref().filter(|_| !state.withdrawn) else { return Ok(()) };
        let (known, elsewhere): (Vec<FileLine>, Vec<FileLine>) = {
            let have = &state.have;
            let paths: HashSet<&str> = have.values().map(|line| line.path.as_str()).collect();
            // A line of now says more of its path.
            let files = record.files.iter().filter(|f| f.sha256.is_some() && !paths.contains(f.path.as_str()));
            files.cloned().partition(|f| !have.contains_key(&f.key))
        };
        let is_young = record.header.state == RecordState::Provisional;
        let mut entries = vec![self.journal.head(record.header.spec, &self.job, is_young)];
        let (found, ours): (Vec<FileLine>, Vec<FileLine>) = known.into_iter().partition(|file| file.preexisting);
        entries.extend(JournalEntry::published(ours));
        entries.extend(found.into_iter().map(|file| JournalEntry::Kept(Box::new(file))));
        entries.push(self.journal.head(self.spec, &self.job, state.young));
        // A line of now says more of its key; what lies where the record had it is still ours.
        let ours = elsewhere.into_iter().filter(|file| !file.preexisting);
        entries.extend(ours.map(|file| JournalEntry::Retire { path: file.path, sha256: file.sha256 }));
        self.journal.append(&entries)?;
        // A power cut must not take both.
        self.journal.sync()?;
        let (days, name) = (days(&self.series), format!("{}.jsonl", self.date));
        match fs::unlinkat(&*self.archive.tree.make(&days)?, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(Error::storage("replace", self.archive.tree.path(&days).join(&name), e.into())),
        }
        state.withdrawn = true;
        Ok(())
    }

    /// Parts of a sealed day are of no use to anyone.
    fn forget_parts(&self) {
        // What stays behind is removed by `clean`.
        let _ = self.archive.tree.remove(&self.parts());
    }
}

impl Drop for DayWork {
    fn drop(&mut self) {
        self.remove_vacated_folders();
        self.archive.sweep(&self.series, self.date);
    }
}
