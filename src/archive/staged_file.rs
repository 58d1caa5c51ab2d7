//! A body on its way to its name: a file that has none yet while it is small and quick, else a part.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{self, AtFlags, RenameFlags};
use rustix::io::Errno;

use super::file_id::FileId;
use super::fsync::begin_writing_out;
use super::{Error, PartialFile, Validators};

/// After so many bytes the kernel is asked to begin writing them out.
const WRITE_OUT: u64 = 4 << 20;

/// How much is compared at a time.
const PIECE: usize = 64 * 1024;

/// Which file stood at a path, and when it last changed. Renaming a folder above it does not count as a change, but a new
/// mode or a further name does: another stamp says that the bytes are to be read, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    id: FileId,
    length: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// How long the file was.
    pub(super) fn length(&self) -> u64 {
        u64::try_from(self.length).unwrap_or(0)
    }

    /// True when it is that of the same file with the same bytes: it may have got another name.
    pub(super) fn has_bytes_of(&self, other: &Stamp) -> bool {
        (self.id, self.length, self.modified) == (other.id, other.length, other.modified)
    }

    pub(super) fn of(stat: &fs::Stat) -> Stamp {
        #[expect(clippy::unnecessary_cast, clippy::cast_possible_wrap, reason = "the types differ between platforms")]
        let time = |seconds, nanos| (seconds as i64, nanos as i64);
        Stamp {
            id: FileId::of(stat),
            length: stat.st_size,
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// An open body: bytes are added in order, each at its own place. What is published is what was written here, whoever
/// has the part's name meanwhile; two processes that hold one part against the rules write the same bytes to the same
/// places.
#[derive(Debug)]
pub struct Staged {
    file: File,
    length: u64,
    /// Up to here the kernel was asked to begin writing out.
    begun: u64,
    part: PartialFile,
    /// It has the part's name; else it has none, and is gone when it is dropped.
    is_named: bool,
}

impl Staged {
    pub(super) fn at(part: PartialFile, file: File, length: u64, is_named: bool) -> Staged {
        Staged { file, length, begun: length, part, is_named }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, self.length).map_err(|e| Error::storage("write", self.part.path(), e))?;
        self.length += bytes.len() as u64;
        if self.length - self.begun >= WRITE_OUT {
            self.write_out();
        }
        Ok(())
    }

    /// Takes the bytes of another file by sharing its blocks. False where the filesystem cannot: then nothing is changed.
    pub fn share_blocks(&mut self, other: &File) -> bool {
        let is_shared = fs::ioctl_ficlone(&self.file, other).is_ok();
        if is_shared {
            self.length = self.file.metadata().map_or(0, |meta| meta.len());
        }
        is_shared
    }

    fn write_out(&mut self) {
        begin_writing_out(&self.file, self.begun, self.length - self.begun);
        self.begun = self.length;
    }

    /// Gives a body without a name that of its part, so that a later attempt can go on from here.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn keep(&mut self, validators: &Validators) -> Result<(), Error> {
        if !self.is_named {
            self.part.prepare(validators)?;
            link(&self.file, &self.part.dir, &self.part.name())
                .map_err(|e| Error::storage("keep the part", self.part.path(), e.into()))?;
            self.is_named = true;
        }
        Ok(())
    }

    /// True when it lies under its part's name.
    #[cfg(test)]
    pub(crate) fn is_part(&self) -> bool {
        self.is_named
    }

    /// The open file, positioned anywhere.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Which file it is, and when it last changed.
    pub(super) fn stamp(&self) -> std::io::Result<Stamp> {
        Ok(Stamp::of(&fs::fstat(&self.file)?))
    }

    /// Throws the bytes away.
    pub(super) fn discard(&self) -> Result<(), Error> {
        if self.is_named { self.part.discard() } else { Ok(()) }
    }

    /// Gives the body a name that nothing has. False when its part's name has come to mean other bytes than were written
    /// here: without locks, another process may work on the same key.
    pub(super) fn publish(&mut self, dir: &OwnedFd, name: &str) -> std::io::Result<bool> {
        self.write_out();
        if !self.is_named {
            link(&self.file, dir, name)?;
            return Ok(true);
        }
        if !self.is_at(&self.part.dir, &self.part.name())? {
            return Ok(false);
        }
        match fs::renameat_with(&*self.part.dir, self.part.name(), dir, name, RenameFlags::NOREPLACE) {
            // A filesystem without NOREPLACE: a link never replaces either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::linkat(&*self.part.dir, self.part.name(), dir, name, AtFlags::empty())?;
                fs::unlinkat(&*self.part.dir, self.part.name(), AtFlags::empty())?;
            }
            other => other?,
        }
        if !self.is_at(dir, name)? {
            // Exchanged in this very moment: no unproved bytes keep a final name.
            fs::renameat(dir, name, &*self.part.dir, self.part.name())?;
            return Ok(false);
        }
        self.part.forget_sidecar();
        Ok(true)
    }

    /// Gives the body a name, replacing what has it.
    pub(super) fn move_over(mut self, dir: &OwnedFd, name: &str) -> Result<(), Error> {
        self.keep(&Validators::default())?;
        self.part.move_over(dir, name)
    }

    /// True when a file holds what is left of these bytes when the machine goes down before they are on the disk: no more
    /// than them, each of them right or never written.
    pub(super) fn may_have_left(&self, found: &File) -> std::io::Result<bool> {
        let length = found.metadata()?.len();
        if length > self.length {
            return Ok(false);
        }
        let (mut left, mut due) = (vec![0; PIECE], vec![0; PIECE]);
        let mut at = 0;
        while at < length {
            let piece = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
            found.read_exact_at(&mut left[..piece], at)?;
            self.file.read_exact_at(&mut due[..piece], at)?;
            if left[..piece].iter().zip(&due[..piece]).any(|(left, due)| left != due && *left != 0) {
                return Ok(false);
            }
            at += piece as u64;
        }
        Ok(true)
    }

    /// True when the name stands for the file written here, with the bytes written here and no others.
    fn is_at(&self, dir: &OwnedFd, name: &str) -> std::io::Result<bool> {
        let own = fs::fstat(&self.file)?;
        match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)
                && u64::try_from(own.st_size).is_ok_and(|size| size == self.length)),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

/// Gives an open file one more name, in one directory operation: a link never replaces.
pub(super) fn link(file: &File, dir: &OwnedFd, name: &str) -> Result<(), Errno> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::linkat(fs::CWD, open, dir, name, AtFlags::SYMLINK_FOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_a_file_that_may_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let stamp = |name: &str| Stamp::of(&fs::stat(at(name)).unwrap());
        std::fs::create_dir(at("d")).unwrap();
        std::fs::write(at("d/a"), "one").unwrap();
        std::fs::write(at("d/b"), "one").unwrap();
        let before = stamp("d/a");
        assert_ne!(stamp("d/b"), before);
        std::fs::rename(at("d"), at("e")).unwrap();
        assert_eq!(stamp("e/a"), before);
        // Seen on each change: the clock of a filesystem is coarse, so that it is moved by hand here.
        let old = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(at("e/a")).unwrap().set_modified(old).unwrap();
        assert_ne!(stamp("e/a"), before);
        let before = stamp("e/b");
        std::fs::write(at("e/b"), "longer").unwrap();
        assert_ne!(stamp("e/b"), before);
    }
}
