//! Bytes so far of one file, and the validators they were read under.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Error;
use super::durable::{begin_writing_out, boot_id};
use super::record::line;
use super::tree::Tree;
use crate::digest::Digest;

/// What an answer said of the bytes it sent; what a resumed answer must agree with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag` as sent, weak or strong.
    pub etag: Option<String>,
    /// The Last-Modified as sent.
    pub last_modified: Option<String>,
    /// The Date as sent: says whether Last-Modified was old enough to be strong.
    pub date: Option<String>,
    /// The whole length in bytes.
    pub total: Option<u64>,
    /// The file name that the answer gave.
    pub name: Option<String>,
}

/// The sidecar of a part.
#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    format: String,
    boot_id: String,
    key: String,
    validators: Validators,
}

const FORMAT: &str = "part/1";

/// After so many bytes the kernel is asked to begin writing them out.
const WRITE_OUT: usize = 4 << 20;

/// A sidecar is far shorter; what is longer is none.
const LONGEST_SIDECAR: u64 = 64 * 1024;

/// Where the part of a key is.
#[derive(Debug, Clone)]
pub struct Part {
    dir: Arc<OwnedFd>,
    path: PathBuf,
    stem: String,
    key: String,
}

/// An open part: bytes are added in order, each at its own place. Two processes that hold one part against the rules
/// then write the same bytes to the same places.
#[derive(Debug)]
pub struct PartWriter {
    file: File,
    length: u64,
    /// Up to here the kernel was asked to begin writing out.
    begun: u64,
    part: Part,
}

impl Part {
    pub(super) fn at(tree: &Tree, directory: &str, key: &str) -> Result<Part, Error> {
        // Keys are foreign text of any length: their digest is a name.
        let stem = Digest::of(key.as_bytes()).to_string()[..32].to_owned();
        Ok(Part {
            dir: tree.make(directory)?,
            path: tree.path(directory).join(format!("{stem}.part")),
            stem,
            key: key.to_owned(),
        })
    }

    fn name(&self) -> String {
        format!("{}.part", self.stem)
    }

    fn sidecar(&self) -> String {
        format!("{}.json", self.stem)
    }

    /// The part's path, for messages and for reading it again.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is there from before: its validators and its length in bytes. `None` when there is nothing to trust:
    /// no part, a broken sidecar, or bytes written under another boot.
    #[must_use]
    pub fn left(&self) -> Option<(Validators, u64)> {
        let length = std::fs::symlink_metadata(&self.path).ok().filter(std::fs::Metadata::is_file)?.len();
        let sidecar = self.path.with_file_name(self.sidecar());
        if length == 0 || std::fs::metadata(&sidecar).ok()?.len() > LONGEST_SIDECAR {
            return None;
        }
        let told: Sidecar = serde_json::from_slice(&std::fs::read(sidecar).ok()?).ok()?;
        let trusted = told.format == FORMAT && told.boot_id == boot_id() && told.key == self.key;
        trusted.then_some((told.validators, length))
    }

    /// Begins anew under these validators.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn create(&self, validators: &Validators) -> Result<PartWriter, Error> {
        self.discard()?;
        // The sidecar first: a part without one is never trusted.
        let sidecar = Sidecar {
            format: FORMAT.to_owned(),
            boot_id: boot_id().to_owned(),
            key: self.key.clone(),
            validators: validators.clone(),
        };
        let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |name: String| fs::openat(&*self.dir, name, new, Mode::from_raw_mode(0o666)).map(File::from);
        let failed = |e: std::io::Error| Error::storage("begin the part", &self.path, e);
        open(self.sidecar()).map_err(|e| failed(e.into()))?.write_all(&line(&sidecar)).map_err(failed)?;
        let file = open(self.name()).map_err(|e| failed(e.into()))?;
        Ok(PartWriter { file, length: 0, begun: 0, part: self.clone() })
    }

    /// Goes on after the first `length` bytes.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn append(&self, length: u64) -> Result<PartWriter, Error> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&*self.dir, self.name(), flags, Mode::empty())
            .map_err(|e| Error::storage("go on with the part", &self.path, e.into()))?;
        Ok(PartWriter { file: File::from(file), length, begun: length, part: self.clone() })
    }

    /// Removes part and sidecar.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn discard(&self) -> Result<(), Error> {
        for name in [self.name(), self.sidecar()] {
            match fs::unlinkat(&*self.dir, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => return Err(Error::storage("remove the part", &self.path, e.into())),
            }
        }
        Ok(())
    }

    pub(super) fn forget_sidecar(&self) {
        // Litter at worst: a sidecar without a part is never trusted, and the day's folder goes when it is sealed.
        let _ = fs::unlinkat(&*self.dir, self.sidecar(), AtFlags::empty());
    }

    /// Moves the part to another name, replacing what has it.
    pub(super) fn move_over(&self, dir: &OwnedFd, name: &str) -> Result<(), Error> {
        fs::renameat(&*self.dir, self.name(), dir, name)
            .map_err(|e| Error::storage("move the part", &self.path, e.into()))?;
        self.forget_sidecar();
        Ok(())
    }
}

impl PartWriter {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, self.length).map_err(|e| Error::storage("write", &self.part.path, e))?;
        self.length += bytes.len() as u64;
        if self.length - self.begun >= WRITE_OUT as u64 {
            begin_writing_out(&self.file, self.begun, WRITE_OUT);
            self.begun += WRITE_OUT as u64;
        }
        Ok(())
    }

    /// The part it writes.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The open file, positioned anywhere.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the part a name that nothing has. False when its own name has come to mean other bytes than were written
    /// here: without locks, another process may work on the same key.
    pub(super) fn rename(&self, dir: &OwnedFd, name: &str) -> std::io::Result<bool> {
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
