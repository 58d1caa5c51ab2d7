//! Bytes so far of one file, and the validators they were read under.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Error;
use super::fsync::boot_id;
use super::record::line;
use super::regular_file::{must_be_regular, open_at};
use super::remove::remove_at;
use super::safe_dir::Tree;
use super::staged_file::{Staged, link};
use crate::digest::Digest;

/// What an answer said of the bytes it sent; what a resumed answer must agree with. Each value is at most 1 kB and holds no
/// secret.
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
    /// The Content-Type as sent.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The Content-Encoding as sent: of a file that is stored compressed.
    #[serde(default)]
    pub content_encoding: Option<String>,
    /// The SHA-256 of where the answer came from after redirects: scheme, host, port, path and query, without the signature
    /// of a signed URL. Validators are those of one resource, and another one may use the same. A hash, since an address may
    /// hold a secret.
    #[serde(default)]
    pub resource: Option<Digest>,
    /// Further headers that tell one body from another, such as `Repr-Digest`, by their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub further: BTreeMap<String, String>,
}

/// The sidecar of a part.
#[derive(Debug, Serialize, Deserialize)]
struct PartSidecar {
    format: String,
    boot_id: String,
    key: String,
    validators: Validators,
    /// How long the part was when a request for its rest last brought nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_at: Option<u64>,
}

const FORMAT: &str = "part/1";

/// A sidecar is far shorter; what is longer is none.
const LONGEST_SIDECAR: u64 = 64 * 1024;

/// Where the part of a key is.
#[derive(Debug, Clone)]
pub struct PartialFile {
    pub(super) dir: Arc<OwnedFd>,
    path: PathBuf,
    stem: String,
    key: String,
}

impl PartialFile {
    pub(super) fn at(tree: &Tree, directory: &str, key: &str) -> Result<PartialFile, Error> {
        // Keys are foreign text of any length: their digest is a name.
        let stem = Digest::sha256(key.as_bytes()).to_string()[..32].to_owned();
        Ok(PartialFile {
            dir: tree.make(directory)?,
            path: tree.path(directory).join(format!("{stem}.part")),
            stem,
            key: key.to_owned(),
        })
    }

    pub(super) fn name(&self) -> String {
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
        self.read().map(|(sidecar, length)| (sidecar.validators, length))
    }

    fn read(&self) -> Option<(PartSidecar, u64)> {
        let length = open_at(&self.dir, &self.name()).ok()??.metadata().ok()?.len();
        let file = open_at(&self.dir, &self.sidecar()).ok()??;
        if length == 0 || file.metadata().ok()?.len() > LONGEST_SIDECAR {
            return None;
        }
        let mut text = Vec::new();
        file.take(LONGEST_SIDECAR).read_to_end(&mut text).ok()?;
        let sidecar: PartSidecar = serde_json::from_slice(&text).ok()?;
        let is_trusted = sidecar.format == FORMAT && sidecar.boot_id == boot_id() && sidecar.key == self.key;
        is_trusted.then_some((sidecar, length))
    }

    /// Begins anew under these validators.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn create(&self, validators: &Validators) -> Result<Staged, Error> {
        self.prepare(validators)?;
        let file = self.new_file(self.name())?;
        Ok(Staged::at(self.clone(), file, 0, true))
    }

    /// Begins a body that has no name, and so leaves nothing behind when it is dropped. `None` where this filesystem
    /// has no such files.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn unnamed(&self) -> Result<Option<Staged>, Error> {
        if !can_name_open_files() {
            return Ok(None);
        }
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        match fs::openat(&*self.dir, ".", flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => Ok(Some(Staged::at(self.clone(), File::from(file), 0, false))),
            Err(Errno::NOTSUP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::storage("begin a file", &self.path, e.into())),
        }
    }

    /// A whole body that lies elsewhere, under a name of its own, and is not written to: it gets one more name.
    #[must_use]
    pub fn other(&self, file: File, length: u64) -> Staged {
        Staged::at(self.clone(), file, length, false)
    }

    /// True when an open file can get one more name beside this part. It is tried: a file of another filesystem or mount,
    /// one of somebody else, or one with as many names as it can have, gets none.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn can_link(&self, file: &File) -> Result<bool, Error> {
        self.discard()?;
        let is_linked = can_name_open_files() && link(file, &self.dir, &self.name()).is_ok();
        if is_linked {
            self.discard()?;
        }
        Ok(is_linked)
    }

    /// Makes way for new bytes under these validators. The sidecar comes first: a part without one is never trusted.
    pub(super) fn prepare(&self, validators: &Validators) -> Result<(), Error> {
        self.discard()?;
        let sidecar = PartSidecar {
            format: FORMAT.to_owned(),
            boot_id: boot_id().to_owned(),
            key: self.key.clone(),
            validators: validators.clone(),
            refused_at: None,
        };
        let written = self.new_file(self.sidecar())?.write_all(&line(&sidecar));
        written.map_err(|e| Error::storage("begin the part", &self.path, e))
    }

    /// Notes that a request for the rest brought nothing. True when the one before it, of this run or of an earlier one,
    /// brought nothing either.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_refusal(&self) -> Result<bool, Error> {
        let Some((sidecar, length)) = self.read() else { return Ok(false) };
        if sidecar.refused_at == Some(length) {
            return Ok(true);
        }
        self.replace_sidecar(&PartSidecar { refused_at: Some(length), ..sidecar })?;
        Ok(false)
    }

    /// Puts another sidecar in place of the one that is there: a kill leaves one of the two.
    fn replace_sidecar(&self, sidecar: &PartSidecar) -> Result<(), Error> {
        let failed = |e| Error::storage("write beside the part", &self.path, e);
        let staged = format!("{}.new", self.stem);
        // One that a crash left.
        remove_at(&self.dir, OsStr::new(&staged)).map_err(|e| failed(e.into()))?;
        self.new_file(staged.clone())?.write_all(&line(sidecar)).map_err(failed)?;
        fs::renameat(&*self.dir, staged, &*self.dir, self.sidecar()).map_err(|e| failed(e.into()))
    }

    fn new_file(&self, name: String) -> Result<File, Error> {
        let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&*self.dir, name, new, Mode::from_raw_mode(0o666));
        file.map(File::from).map_err(|e| Error::storage("begin the part", &self.path, e.into()))
    }

    /// Goes on after the first `length` bytes, which these validators are of, too.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn append(&self, length: u64, validators: &Validators) -> Result<Staged, Error> {
        if let Some((sidecar, _)) = self.read().filter(|(sidecar, _)| sidecar.validators != *validators) {
            self.replace_sidecar(&PartSidecar { validators: validators.clone(), refused_at: None, ..sidecar })?;
        }
        let failed = |e| Error::storage("go on with the part", &self.path, e);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&*self.dir, self.name(), flags, Mode::empty()).map_err(|e| failed(e.into()))?;
        Ok(Staged::at(self.clone(), must_be_regular(File::from(file)).map_err(failed)?, length, true))
    }

    /// Removes part and sidecar.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn discard(&self) -> Result<(), Error> {
        for name in [self.name(), self.sidecar()] {
            remove_at(&self.dir, OsStr::new(&name))
                .map_err(|e| Error::storage("remove the part", &self.path, e.into()))?;
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

/// An open file without a name gets one through `/proc`, which a bare chroot may lack.
fn can_name_open_files() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| Path::new("/proc/self/fd").is_dir())
}
