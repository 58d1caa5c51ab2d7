//! Directories below the root, entered one component at a time and never through a symlink.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::Error;

/// The root's directory tree.
#[derive(Debug)]
pub(super) struct Tree {
    path: PathBuf,
    root: Arc<OwnedFd>,
    /// Directories already entered. Bounded: emptied when it has grown.
    open: Mutex<HashMap<String, Arc<OwnedFd>>>,
}

/// How many directories are kept open at most.
const OPEN: usize = 64;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Tree {
    pub(super) fn open(path: &Path) -> Result<Tree, Error> {
        let root = fs::open(path, DIRECTORY, Mode::empty())
            .map_err(|e| Error::storage("enter the archive's root", path, e.into()))?;
        Ok(Tree { path: path.to_owned(), root: Arc::new(root), open: Mutex::default() })
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// The root, opened once more: a failed write-out is told once to each open descriptor.
    pub(super) fn root_anew(&self) -> Result<OwnedFd, Error> {
        fs::openat(&*self.root, ".", DIRECTORY, Mode::empty())
            .map_err(|e| Error::storage("enter the archive's root", &self.path, e.into()))
    }

    /// Enters a directory below the root, making what is missing.
    pub(super) fn make(&self, relative: &str) -> Result<Arc<OwnedFd>, Error> {
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(relative).map(Arc::clone);
        // A directory that somebody removed meanwhile has no links left, and takes no files.
        if let Some(fd) = known.filter(|fd| fs::fstat(fd).is_ok_and(|stat| stat.st_nlink > 0)) {
            return Ok(fd);
        }
        let current = loop {
            // None: a day that ended removed an empty folder on the way, just after it was entered.
            if let Some(current) = self.walk(relative)? {
                break current;
            }
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN {
            open.clear();
        }
        open.insert(relative.to_owned(), Arc::clone(&current));
        Ok(current)
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
            let next = match self.enter(&current, component) {
                Err(Errno::NOENT) => {
                    match fs::mkdirat(&*current, component, Mode::from_raw_mode(0o777)) {
                        // Another process may have made it in between.
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(Errno::NOENT) if is_below => return Ok(None),
                        Err(e) => return Err(Error::storage("make the directory", self.path(&walked), e.into())),
                    }
                    match self.enter(&current, component) {
                        Err(Errno::NOENT) => return Ok(None),
                        other => other,
                    }
                }
                other => other,
            };
            current = Arc::new(next.map_err(|e| {
                let why = match e {
                    Errno::LOOP | Errno::NOTDIR => std::io::Error::new(
                        std::io::ErrorKind::NotADirectory,
                        "it is a symlink or no directory, and files are not written through it",
                    ),
                    other => other.into(),
                };
                Error::storage("enter the directory", self.path(&walked), why)
            })?);
        }
        Ok(Some(current))
    }

    /// Enters a directory below the root, making nothing; `None` where none is, or a symlink stands on the way.
    pub(super) fn find(&self, relative: &str) -> Result<Option<OwnedFd>, Error> {
        let mut current = self.root_anew()?;
        for component in relative.split('/').filter(|c| !c.is_empty()) {
            current = match self.enter(&current, component) {
                Ok(next) => next,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(e) => return Err(Error::storage("enter the directory", self.path(relative), e.into())),
            };
        }
        Ok(Some(current))
    }

    /// Removes an empty directory below the root. One that is not empty, or not there, stays as it is.
    pub(super) fn prune(&self, relative: &str) {
        let _ = fs::unlinkat(&*self.root, relative, AtFlags::REMOVEDIR);
    }

    #[expect(clippy::unused_self, reason = "reads as a step of the walk")]
    fn enter(&self, parent: &OwnedFd, component: &str) -> Result<OwnedFd, Errno> {
        fs::openat(parent, component, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
    }

    /// Writes a small file of our own in one atomic step, replacing what has the name.
    ///
    /// With `durable`, its bytes and its name are on stable storage when this returns.
    pub(super) fn replace(&self, directory: &str, name: &str, bytes: &[u8], durable: bool) -> Result<(), Error> {
        let staged = format!(".{name}.{}", rustix::process::getpid().as_raw_nonzero());
        self.replace_with((directory, &staged), (directory, name), durable, |out| out.write_all(bytes))
    }

    /// The same for a file that is long enough to be written in pieces: at `staged` first, then moved to `place`, each a
    /// directory and a name.
    pub(super) fn replace_with(
        &self,
        (staging, staged): (&str, &str),
        (directory, name): (&str, &str),
        durable: bool,
        content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let (from, dir) = (self.make(staging)?, self.make(directory)?);
        let shown = || self.path(directory).join(name);
        let write = || -> std::io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = std::fs::File::from(fs::openat(&*from, staged, flags, Mode::from_raw_mode(0o666))?);
            let mut out = BufWriter::with_capacity(64 * 1024, file);
            content(&mut out)?;
            let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            if durable {
                file.sync_all()?;
            }
            fs::renameat(&*from, staged, &*dir, name)?;
            if durable {
                fs::fsync(&*dir)?;
            }
            Ok(())
        };
        write().map_err(|e| {
            // Ours alone, and useless now.
            let _ = fs::unlinkat(&*from, staged, AtFlags::empty());
            Error::storage("write", shown(), e)
        })
    }

    /// Splits a path below the root into its directory, entered, and its name.
    pub(super) fn place<'a>(&self, relative: &'a str) -> Result<(Arc<OwnedFd>, &'a str), Error> {
        let (directory, name) = relative.rsplit_once('/').unwrap_or(("", relative));
        Ok((self.make(directory)?, name))
    }

    /// The length of a regular file below the root; `None` when there is none of that name.
    pub(super) fn length(&self, relative: &str) -> Option<u64> {
        // No directory is made for a question.
        let stat = fs::statat(&*self.root, relative, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let regular = fs::FileType::from_raw_mode(stat.st_mode) == fs::FileType::RegularFile;
        regular.then(|| u64::try_from(stat.st_size).unwrap_or(0))
    }
}
