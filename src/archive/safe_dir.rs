//! Directories below the root, entered one component at a time and never through a symlink.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::ENTER_ROOT;
use super::file_id::FileId;
use super::regular_file;
use super::{Error, STATE};

/// Where a file is: its directory, relative to the root, and its name there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) directory: &'a str,
    pub(super) name: &'a str,
}

/// The root's directory tree.
#[derive(Debug)]
pub(super) struct Tree {
    path: PathBuf,
    root: Arc<OwnedFd>,
    /// Which directory `.sunhaul` was when it was first entered to write there: none other is taken for it.
    state: OnceLock<FileId>,
    /// Directories already entered. Bounded: emptied when it has grown.
    open: Mutex<HashMap<String, Arc<OwnedFd>>>,
}

/// How many directories are kept open at most.
const OPEN: usize = 64;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Tree {
    pub(super) fn open(path: &Path) -> Result<Tree, Error> {
        let root = fs::open(path, DIRECTORY, Mode::empty()).map_err(|e| Error::storage(ENTER_ROOT, path, e.into()))?;
        Ok(Tree { path: path.to_owned(), root: Arc::new(root), state: OnceLock::new(), open: Mutex::default() })
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// The root, opened once more: a failed write-out is told once to each open descriptor.
    pub(super) fn root_anew(&self) -> Result<OwnedFd, Error> {
        fs::openat(&*self.root, ".", DIRECTORY, Mode::empty())
            .map_err(|e| Error::storage(ENTER_ROOT, &self.path, e.into()))
    }

    /// Refuses to go on where the root, or the `.sunhaul` in it, is not at its path any more: what is written from now on
    /// would not lie where everybody looks for it.
    pub(super) fn must_be_at_its_path(&self) -> Result<(), Error> {
        let id = |stat: &fs::Stat| FileId::of(stat);
        let own = fs::fstat(&*self.root).map(|stat| id(&stat)).ok();
        if own.is_none() || fs::stat(&self.path).map(|stat| id(&stat)).ok() != own {
            return Err(Error::FolderMoved { path: self.path.clone() });
        }
        let state = fs::statat(&*self.root, STATE, AtFlags::SYMLINK_NOFOLLOW).map(|stat| id(&stat)).ok();
        match self.state.get() {
            Some(own) if state != Some(*own) => Err(Error::FolderMoved { path: self.path(STATE) }),
            _ => Ok(()),
        }
    }

    /// True for a directory that may be `.sunhaul`: the one that it was at first.
    fn is_state(&self, fd: &OwnedFd) -> bool {
        fs::fstat(fd).is_ok_and(|stat| {
            let id = FileId::of(&stat);
            *self.state.get_or_init(|| id) == id
        })
    }

    /// Enters a directory below the root, making what is missing.
    pub(super) fn make(&self, relative: &str) -> Result<Arc<OwnedFd>, Error> {
        if let Some(fd) = self.known(relative) {
            return Ok(fd);
        }
        let current = loop {
            // None: a day that ended removed an empty folder on the way, just after it was entered.
            if let Some(current) = self.walk(relative)? {
                break current;
            }
        };
        self.remember(relative, &current);
        Ok(current)
    }

    /// A directory that was entered before and still has its path: somebody may have removed it meanwhile, or moved it, and
    /// what goes into it then would lie elsewhere.
    fn known(&self, relative: &str) -> Option<Arc<OwnedFd>> {
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(relative).map(Arc::clone);
        known.filter(|fd| self.is_still_at(fd, relative))
    }

    fn remember(&self, relative: &str, directory: &Arc<OwnedFd>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN {
            open.clear();
        }
        open.insert(relative.to_owned(), Arc::clone(directory));
    }

    /// True when an open directory is the one of this path.
    pub(super) fn is_still_at(&self, fd: &OwnedFd, relative: &str) -> bool {
        let path = if relative.is_empty() { "." } else { relative };
        let (Ok(own), Ok(named)) = (fs::fstat(fd), fs::statat(&*self.root, path, AtFlags::SYMLINK_NOFOLLOW)) else {
            return false;
        };
        (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino)
    }

    /// `None` when a directory on the way was removed meanwhile.
    fn walk(&self, relative: &str) -> Result<Option<Arc<OwnedFd>>, Error> {
        let mut current = Arc::clone(&self.root);
        let mut walked = String::new();
        for component in relative.split('/').filter(|c| !c.is_empty()) {
            let is_below = !walked.is_empty();
            if is_below {
                walked.push('/');
            }
            walked.push_str(component);
            let next = match enter(&current, OsStr::new(component)) {
                Err(Errno::NOENT) if !is_below && component == STATE && self.state.get().is_some() => {
                    return Err(Error::FolderMoved { path: self.path(STATE) });
                }
                Err(Errno::NOENT) => {
                    match fs::mkdirat(&*current, component, Mode::from_raw_mode(0o777)) {
                        // Another process may have made it in between.
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(Errno::NOENT) if is_below => return Ok(None),
                        Err(e) => return Err(Error::storage("make the directory", self.path(&walked), e.into())),
                    }
                    match enter(&current, OsStr::new(component)) {
                        Err(Errno::NOENT) => return Ok(None),
                        other => other,
                    }
                }
                other => other,
            };
            current = Arc::new(next.map_err(|e| self.not_entered(&walked, e))?);
            if walked == STATE && !self.is_state(&current) {
                return Err(Error::FolderMoved { path: self.path(STATE) });
            }
        }
        Ok(Some(current))
    }

    fn not_entered(&self, relative: &str, e: Errno) -> Error {
        let what = || self.glance(relative).map_or("no folder", regular_file::kind_of);
        let why = match e {
            Errno::LOOP | Errno::NOTDIR => io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("it is {}, and files are not read or written through it", what()),
            ),
            other => other.into(),
        };
        Error::storage("enter the directory", self.path(relative), why)
    }

    /// Enters a directory below the root, making nothing; `None` where none is, or a symlink stands on the way.
    pub(super) fn find(&self, relative: &str) -> Result<Option<OwnedFd>, Error> {
        let mut current = self.root_anew()?;
        for component in relative.split('/').filter(|c| !c.is_empty()) {
            current = match enter(&current, OsStr::new(component)) {
                Ok(next) => next,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(e) => return Err(Error::storage("enter the directory", self.path(relative), e.into())),
            };
        }
        Ok(Some(current))
    }

    /// Enters a directory of the archive's own state, making nothing; `None` where none is.
    ///
    /// # Errors
    /// [`Error::Storage`] where a symlink stands on the way: what it leads to is not the archive's.
    pub(super) fn look(&self, relative: &str) -> Result<Option<OwnedFd>, Error> {
        let mut current = self.root_anew()?;
        let mut walked = String::new();
        for component in relative.split('/').filter(|c| !c.is_empty()) {
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(component);
            current = match enter(&current, OsStr::new(component)) {
                Ok(next) => next,
                Err(Errno::NOENT) => return Ok(None),
                Err(e) => return Err(self.not_entered(&walked, e)),
            };
        }
        Ok(Some(current))
    }

    /// Opens a file of the archive's own state for reading; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is no regular file, or a symlink stands on the way.
    pub(super) fn open_file(&self, relative: &str) -> Result<Option<File>, Error> {
        let (directory, name) = split(relative);
        let dir = match self.known(directory) {
            Some(known) => known,
            None => match self.look(directory)? {
                Some(dir) => {
                    let dir = Arc::new(dir);
                    self.remember(directory, &dir);
                    dir
                }
                None => return Ok(None),
            },
        };
        regular_file::open_at(&dir, name).map_err(|e| Error::storage("read", self.path(relative), e))
    }

    /// The bytes of a file of the archive's own state; `None` where there is none.
    ///
    /// # Errors
    /// As [`Tree::open_file`].
    pub(super) fn read(&self, relative: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut file) = self.open_file(relative)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| Error::storage("read", self.path(relative), e))?;
        Ok(Some(bytes))
    }

    /// What a directory of the archive's own state holds; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Storage`] where a symlink stands on the way.
    pub(super) fn entries(&self, relative: &str) -> Result<Vec<DirEntry>, Error> {
        let Some(dir) = self.look(relative)? else { return Ok(Vec::new()) };
        list(&dir).map_err(|e| Error::storage("look into", self.path(relative), e.into()))
    }

    /// The names in a directory below the root, as far as they are text; none where none is, or a symlink stands on the way.
    pub(super) fn names(&self, relative: &str) -> Result<Vec<String>, Error> {
        let Some(dir) = self.find(relative)? else { return Ok(Vec::new()) };
        let entries = list(&dir).map_err(|e| Error::storage("look into", self.path(relative), e.into()))?;
        Ok(entries.iter().filter_map(|entry| entry.text().map(str::to_owned)).collect())
    }

    /// What stands at a path of the archive's own state; a symlink is not followed. `None` where nothing does.
    fn kind(&self, relative: &str) -> Result<Option<FileType>, Error> {
        let (directory, name) = split(relative);
        let Some(dir) = self.look(directory)? else { return Ok(None) };
        match fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::storage("look at", self.path(relative), e.into())),
        }
    }

    /// True when anything stands there.
    pub(super) fn exists(&self, relative: &str) -> Result<bool, Error> {
        Ok(self.kind(relative)?.is_some())
    }

    /// True when a symlink stands there.
    pub(super) fn is_link(&self, relative: &str) -> Result<bool, Error> {
        Ok(self.kind(relative)? == Some(FileType::Symlink))
    }

    /// Removes an empty directory below the root; one that is not empty stays as it is. True when it is gone.
    pub(super) fn prune(&self, relative: &str) -> bool {
        let (directory, name) = split(relative);
        match self.look(directory) {
            Ok(Some(dir)) => matches!(fs::unlinkat(&dir, name, AtFlags::REMOVEDIR), Ok(()) | Err(Errno::NOENT)),
            other => other.is_ok(),
        }
    }

    /// What stands at a path below the root, by one system call: quick, but symlinks on the way are followed.
    pub(super) fn glance(&self, relative: &str) -> Result<FileType, Errno> {
        fs::statat(&*self.root, relative, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// Writes a small file of our own in one atomic step, replacing what has the name.
    ///
    /// With `durable`, its bytes and its name are on stable storage when this returns.
    pub(super) fn replace(&self, directory: &str, name: &str, bytes: &[u8], durable: bool) -> Result<(), Error> {
        let staged = format!(".{name}.{}", rustix::process::getpid().as_raw_nonzero());
        let staged = Place { directory, name: &staged };
        self.replace_with(staged, Place { directory, name }, durable, |out| out.write_all(bytes))
    }

    /// The same for a file that is long enough to be written in pieces: at `staged` first, then moved to `place`.
    pub(super) fn replace_with(
        &self,
        staged: Place<'_>,
        place: Place<'_>,
        durable: bool,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let shown = || self.path(place.directory).join(place.name);
        let (from, file) = self.create(staged.directory, staged.name)?;
        let dir = self.make(place.directory)?;
        let write = || -> io::Result<()> {
            let mut out = BufWriter::with_capacity(64 * 1024, file);
            content(&mut out)?;
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            if durable {
                file.sync_all()?;
            }
            fs::renameat(&*from, staged.name, &*dir, place.name)?;
            if durable {
                fs::fsync(&*dir)?;
            }
            Ok(())
        };
        write().map_err(|e| {
            // Ours alone, and useless now.
            let _ = fs::unlinkat(&*from, staged.name, AtFlags::empty());
            Error::storage("write", shown(), e)
        })
    }

    /// Creates a file, or empties it. Gives its directory, too.
    fn create(&self, directory: &str, name: &str) -> Result<(Arc<OwnedFd>, File), Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let dir = self.make(directory)?;
            match fs::openat(&*dir, name, flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => return Ok((dir, File::from(file))),
                // Another day that ended has just removed the directory, because it was empty.
                Err(Errno::NOENT) => {}
                Err(e) => return Err(Error::storage("write", self.path(directory).join(name), e.into())),
            }
        }
    }

    /// True when two paths that differ in case or Unicode form alone lead to one entry: the filesystem takes either
    /// spelling for the other. Whether it does shows only in what its directories list: inodes may be made up, or shared by
    /// hard links.
    pub(super) fn is_one_entry(&self, one: &str, other: &str) -> bool {
        let (one, other): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
        let Ok(mut dir) = self.root_anew() else { return false };
        let is_last = |at: usize| at + 1 == one.len();
        for (at, (a, b)) in one.iter().zip(&other).enumerate() {
            if a != b {
                let Ok(entries) = list(&dir) else { return false };
                let is_listed = |name: &str| entries.iter().any(|entry| entry.text() == Some(name));
                if is_listed(a) && is_listed(b) {
                    return false;
                }
            }
            let is_there = |name: &&str| fs::statat(&dir, *name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
            if !is_there(a) || !is_there(b) {
                return false;
            }
            if !is_last(at) {
                let Ok(next) = enter(&dir, OsStr::new(a)) else { return false };
                dir = next;
            }
        }
        one.len() == other.len()
    }

    /// Gives an entry the other spelling of its name. Where that cannot be, it keeps its own, which leads to it as well.
    pub(super) fn respell(&self, from: &str, to: &str) {
        let ((folder, old), (other, new)) = (split(from), split(to));
        if let (Ok(Some(dir)), Ok(Some(to))) = (self.find(folder), self.find(other)) {
            let _ = fs::renameat(&dir, old, &to, new);
        }
    }

    /// Splits a path below the root into its directory, entered, and its name.
    pub(super) fn place<'a>(&self, relative: &'a str) -> Result<(Arc<OwnedFd>, &'a str), Error> {
        let (directory, name) = split(relative);
        Ok((self.make(directory)?, name))
    }

    /// What stands at a path below the root; `None` where nothing does, or a symlink stands on the way.
    pub(super) fn stat(&self, relative: &str) -> Result<Option<fs::Stat>, Error> {
        let (directory, name) = split(relative);
        let Some(dir) = self.find(directory)? else { return Ok(None) };
        match fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::storage("look at", self.path(relative), e.into())),
        }
    }

    /// The length of a regular file below the root; `None` when there is none of that name.
    pub(super) fn length(&self, relative: &str) -> Option<u64> {
        // No directory is made for a question.
        let (directory, name) = split(relative);
        let dir = if let Some(known) = self.known(directory) {
            known
        } else {
            let found = Arc::new(self.find(directory).ok().flatten()?);
            self.remember(directory, &found);
            found
        };
        let stat = fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        length_of(&stat)
    }
}

/// A path below the root as its directory and its name.
pub(super) fn split(relative: &str) -> (&str, &str) {
    relative.rsplit_once('/').unwrap_or(("", relative))
}

/// The length of what is a regular file.
pub(super) fn length_of(stat: &fs::Stat) -> Option<u64> {
    let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_regular.then(|| u64::try_from(stat.st_size).unwrap_or(0))
}

/// One name in a directory.
#[derive(Debug)]
pub(super) struct DirEntry {
    /// The name.
    pub(super) name: OsString,
    /// What it stands for; a symlink is not followed.
    pub(super) kind: FileType,
}

impl DirEntry {
    /// The name, where it is text.
    pub(super) fn text(&self) -> Option<&str> {
        self.name.to_str()
    }

    pub(super) fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }
}

/// What an open directory holds.
pub(super) fn list(dir: &OwnedFd) -> Result<Vec<DirEntry>, Errno> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every filesystem says what it lists.
            FileType::Unknown => match fs::statat(dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                // Removed meanwhile.
                Err(Errno::NOENT) => continue,
                Err(e) => return Err(e),
            },
            known => known,
        };
        entries.push(DirEntry { name: OsString::from_vec(name.to_vec()), kind });
    }
    Ok(entries)
}

/// Opens a directory in an open directory, unless it is a symlink.
pub(super) fn enter(parent: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    fs::openat(parent, name.as_bytes(), DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
}
