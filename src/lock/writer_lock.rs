//! Only one process at a time writes a lock. A file beside the lock, which exists only while it is written, is locked for
//! this.
//!
//! Neither the manifest nor the lock itself can be locked for this: `flock job.yaml sunhaul run job.yaml` is how a cron job
//! keeps to one run at a time, and the lock is replaced whenever it changes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Error;
use crate::archive::{self, LockWait, NotLocked};

/// The first line of a file of ours: no other file is written to, or removed.
const MARK: &[u8] = b"sunhaul removes this file when it has written the lock beside it\n";

/// What the names of files begin with that are about to become locks.
pub(super) const STAGED: &str = ".sunhaul-";

/// So much of the lock's name stands in the file's: the whole must be a name too.
const LONGEST: usize = 200;

/// The exclusive right to write a lock, until it is dropped.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: File,
    path: PathBuf,
    is_ours: bool,
}

impl WriterLock {
    /// Waits until no other process writes the lock. What a killed writer left beside the lock is removed.
    ///
    /// # Errors
    /// [`Error::Held`] when the wait ends first, [`Error::NoLocks`], [`Error::Storage`].
    pub(super) fn wait(lock: &Path, lock_wait: &dyn LockWait) -> Result<WriterLock, Error> {
        let path = path_of(lock);
        let failed = |e| Error::storage("open", &path, e);
        loop {
            let (file, is_new) = open(&path).map_err(failed)?;
            archive::lock(&file, &path, lock_wait).map_err(|error| not_locked(lock, &path, error))?;
            if !is_at(&file, &path).map_err(failed)? {
                // The writer before us has removed it: a lock on a file without a name locks nobody out.
                continue;
            }
            let mut writer_lock = WriterLock { file, path, is_ours: is_new };
            if is_new {
                writer_lock.file.write_all(MARK).map_err(|e| Error::storage("write", &writer_lock.path, e))?;
            } else {
                writer_lock.clear_up().map_err(|e| Error::storage("read", &writer_lock.path, e))?;
            }
            return Ok(writer_lock);
        }
    }

    /// Removes what a killed writer left beside a lock that has not to be written now.
    pub(super) fn clear(lock: &Path) {
        if path_of(lock).exists() {
            drop(WriterLock::wait(lock, &Never));
        }
    }

    /// Notes which file is about to become the lock, so that the next writer finds it when this process is killed.
    pub(super) fn note(&mut self, staged: &Path) -> std::io::Result<()> {
        let name = staged.file_name().filter(|_| self.is_ours);
        name.map_or(Ok(()), |name| self.file.write_all(name.as_bytes()))
    }

    /// Removes the file that a killed writer had noted; ours are those files alone that begin as they should.
    fn clear_up(&mut self) -> std::io::Result<()> {
        let mut text = Vec::new();
        // A user's own file may have any length.
        (&self.file).take(4096).read_to_end(&mut text)?;
        let Some(staged) = text.strip_prefix(MARK) else { return Ok(()) };
        self.is_ours = true;
        self.file.set_len(MARK.len() as u64)?;
        if staged.starts_with(STAGED.as_bytes()) && !staged.contains(&b'/') {
            let _ = std::fs::remove_file(self.path.with_file_name(OsString::from_vec(staged.to_vec())));
        }
        Ok(())
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Takes a lock that is free, and waits for none.
#[derive(Debug)]
struct Never;

impl LockWait for Never {
    fn is_over(&self) -> bool {
        true
    }

    fn waits_for(&self, _: &archive::HeldLock) {}
}

/// The file that is locked while a lock is written, such as `.x.lock.flock`.
fn path_of(lock: &Path) -> PathBuf {
    let name = lock.file_name().unwrap_or_default().as_bytes();
    let name = &name[..name.len().min(LONGEST)];
    lock.with_file_name(OsString::from_vec([b".", name, b".flock"].concat()))
}

/// Opens the file, and makes it where it is missing; true when it was. It is opened for writing, since NFS locks no other.
fn open(path: &Path) -> std::io::Result<(File, bool)> {
    #[expect(clippy::cast_possible_wrap, reason = "flags are bits")]
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let mut options = File::options();
    options.read(true).append(true).custom_flags(flags);
    loop {
        match options.clone().create_new(true).open(path) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, true)),
        }
        match options.open(path) {
            // Removed just now.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            // A killed process of another user has left it.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return read_only(path),
            opened => return archive::must_be_regular(opened?).map(|file| (file, false)),
        }
    }
}

fn read_only(path: &Path) -> std::io::Result<(File, bool)> {
    archive::open_regular(path).map(|file| (file, false))
}

/// True when a path still leads to an open file.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let own = file.metadata()?;
    match path.symlink_metadata() {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn not_locked(lock: &Path, path: &Path, error: NotLocked) -> Error {
    match error {
        NotLocked::Held(by) => Error::Held { path: lock.to_owned(), by },
        NotLocked::System(e @ (Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS | Errno::INVAL | Errno::BADF)) => {
            Error::NoLocks { path: path.to_owned(), source: e.into() }
        }
        NotLocked::System(e) => Error::storage("lock", path, e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::NoLimit;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_turn_leaves_nothing_behind_and_clears_up_what_a_killed_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("x.lock");
        drop(WriterLock::wait(&lock, &NoLimit).unwrap());
        assert_eq!(names(folder.path()), [""; 0]);
        let staged = folder.path().join(".sunhaul-staged");
        let mut killed = WriterLock::wait(&lock, &NoLimit).unwrap();
        std::fs::write(&staged, "half").unwrap();
        killed.note(&staged).unwrap();
        killed.is_ours = false;
        drop(killed);
        assert_eq!(names(folder.path()).len(), 2);
        WriterLock::clear(&lock);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_file_of_the_user_s_by_that_name_is_neither_changed_nor_removed() {
        for text in ["", "mine", "sunhaul removes this file"] {
            let folder = tempfile::tempdir().unwrap();
            let lock = folder.path().join("x.lock");
            let path = path_of(&lock);
            std::fs::write(&path, text).unwrap();
            let mut writer_lock = WriterLock::wait(&lock, &NoLimit).unwrap();
            writer_lock.note(&folder.path().join("other")).unwrap();
            drop(writer_lock);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn one_turn_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("x.lock");
        let writer_lock = WriterLock::wait(&lock, &NoLimit).unwrap();
        let refused = WriterLock::wait(&lock, &Never).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(&format!("process {}", std::process::id())) && text.contains(".x.lock.flock"), "{text}");
        drop(writer_lock);
        drop(WriterLock::wait(&lock, &Never).unwrap());
    }

    #[test]
    fn the_name_is_one_however_long_the_lock_s_is() {
        let of = |name: &str| path_of(Path::new(name));
        assert_eq!(of("jobs/x.lock"), PathBuf::from("jobs/.x.lock.flock"));
        assert_eq!(of(&"x".repeat(250)).as_os_str().len(), LONGEST + 7);
    }
}
