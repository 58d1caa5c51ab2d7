//! A file of this machine as a staged body: linked or copied, and checked as if it had been fetched.
//!
//! What it does not do: change the file, or move it.

use std::fs::File;
use std::io::Seek as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::verify::{BodyClaims, verify_body};
use super::writer::Checks;
use super::{Fetched, LockedBody};
use crate::archive::{Error, PartialFile, Staged, Validators};
use crate::failure::{Class, Failure};
use crate::manifest::{Identity, Verify};
use crate::source::Rounded;

/// How a file of this machine gets into an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// As a copy; where the filesystem can, one that shares its blocks until either is changed.
    Copy,
    /// By a further name for the very same file. Where that cannot be, as a copy.
    Link,
}

/// How much is read at a time.
const PIECE: usize = 256 * 1024;

/// What a file of this machine is taken for.
#[derive(Debug, Clone, Copy)]
pub struct LocalSource<'a> {
    /// Its name in the archive, before the layout.
    pub name: &'a str,
    /// Its length by the listing.
    pub listed: Option<u64>,
    /// What its length may be, by a listing that rounds.
    pub rounded: Option<Rounded>,
    /// What the lock has for it.
    pub locked: Option<&'a LockedBody>,
    /// Which checks it must pass.
    pub verify: Verify,
    /// Whether its data units are hashed too.
    pub identity: Identity,
}

/// Takes a file as a body for the key of `part`; gives how it was taken, too.
///
/// # Errors
/// A [`Failure`]: a check that it did not pass, or `storage`.
pub fn take(
    place: &Path,
    taking: Taking,
    part: &PartialFile,
    wanted: LocalSource<'_>,
) -> Result<(Fetched, Taking), Failure> {
    let taken = try_take(place, taking, part, wanted);
    if taken.is_err() {
        // What was copied so far is nothing to go on from.
        part.discard()?;
    }
    taken
}

fn try_take(
    place: &Path,
    taking: Taking,
    part: &PartialFile,
    LocalSource { name, listed, rounded, locked, verify, identity }: LocalSource<'_>,
) -> Result<(Fetched, Taking), Failure> {
    let mut checks = Checks::new(name.to_owned(), verify, identity);
    let failed = |source| Error::Storage { action: "read", path: place.to_owned(), source };
    let mut file = open(place).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    let mut source = file.try_clone().map_err(failed)?;
    let (staged, taken) = if taking == Taking::Link && part.can_link(&file)? {
        read(&mut source, &mut checks, |_| Ok(())).map_err(|e| e.or(failed))?;
        (part.other(file, before.len()), Taking::Link)
    } else {
        (copy(&mut file, part, &mut checks).map_err(|e| e.or(failed))?, Taking::Copy)
    };
    let after = source.metadata().map_err(failed)?;
    let state = |meta: &std::fs::Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
    if state(&before) != state(&after) || checks.length() != before.len() {
        return Err(Failure::new(Class::Size, "it changed while it was read"));
    }
    let body = verify_body(
        checks,
        &BodyClaims { listed, rounded, locked, is_ended: true, is_vouched_for: true, ..BodyClaims::default() },
    )?;
    let validators = Validators { name: Some(name.to_owned()), ..Validators::default() };
    Ok((
        Fetched { staged, body, origin: None, validators, redirected: None, resumed_bytes: 0, restarted: false },
        taken,
    ))
}

/// Opens a plain file, following no link and waiting for nothing.
fn open(place: &Path) -> std::io::Result<File> {
    #[expect(clippy::cast_possible_wrap, reason = "flags are bits")]
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(place)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no plain file any more")) }
}

/// What ends a copy: the file that is read, or the archive.
enum Broken {
    Source(std::io::Error),
    Archive(Error),
}

impl Broken {
    fn or(self, failed: impl FnOnce(std::io::Error) -> Error) -> Error {
        match self {
            Broken::Source(error) => failed(error),
            Broken::Archive(error) => error,
        }
    }
}

fn copy(file: &mut File, part: &PartialFile, checks: &mut Checks) -> Result<Staged, Broken> {
    let unnamed = part.unnamed().map_err(Broken::Archive)?;
    let staged = unnamed.map_or_else(|| part.create(&Validators::default()), Ok);
    let mut staged = staged.map_err(Broken::Archive)?;
    if staged.share_blocks(file) {
        // What is checked are the bytes that the archive will hold.
        let mut copied = staged.file();
        copied.rewind().map_err(Broken::Source)?;
        read(copied, checks, |_| Ok(()))?;
    } else {
        read(file, checks, |bytes| staged.write(bytes))?;
    }
    Ok(staged)
}

/// Reads a file to its end, or until a check finds it bad.
fn read(
    mut file: impl std::io::Read,
    checks: &mut Checks,
    mut write: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Broken> {
    let mut buffer = vec![0; PIECE];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Broken::Source(e)),
        };
        checks.push(&buffer[..count]);
        write(&buffer[..count]).map_err(Broken::Archive)?;
    }
}
