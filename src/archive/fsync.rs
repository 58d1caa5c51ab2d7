//! What has to be true before a record may call a file safe: its bytes and its name are on stable storage.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;

use rustix::fs;

use super::Error;
use super::safe_dir::Tree;

/// Names this boot of this host: what was written under another one may not have reached the disk.
pub(super) fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| boot_id_text(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")))
}

/// Without one, a name that no other process has, not even one of the same number in another container: nothing
/// unsealed is trusted across processes then, which is right, and only slower.
fn boot_id_text(boot_id: std::io::Result<String>) -> String {
    let id = boot_id.ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    id.unwrap_or_else(|| format!("unknown-{:032x}", rand::random::<u128>()))
}

/// Bodies of at least this many bytes begin their way to the disk at once.
const WORTH_IT: u64 = 128 * 1024;

/// Asks the kernel to begin writing out bytes just written, without waiting: the sync that seals the day then finds
/// little left to do.
///
/// "Not needed" is what Linux takes as the word for it. A refusal changes nothing but the time.
pub(super) fn begin_writing_out(file: &std::fs::File, from: u64, length: u64) {
    if length >= WORTH_IT {
        let length = std::num::NonZeroU64::new(length);
        let _ = fs::fadvise(file, from, length, fs::Advice::DontNeed);
    }
}

/// Filesystems on which one `syncfs` puts data and names of all files in place.
const WHOLE: [u64; 4] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0x0102_1994, // tmpfs
];

/// Puts the files at `paths` and their directories on stable storage, and the directory `days` of the records.
///
/// A failure is final for these files: the kernel may have dropped their pages, and a second sync would answer yes.
/// So `root` is a descriptor of the day's own: one shared with other days would tell only the first that asks.
pub(super) fn settle<'a>(
    tree: &Tree,
    root: &OwnedFd,
    paths: impl Iterator<Item = &'a str>,
    days: &str,
) -> Result<(), Error> {
    if settle_whole(tree, root)? {
        return Ok(());
    }
    let mut last: Option<(String, Arc<OwnedFd>)> = None;
    for path in paths {
        let (dir, name) = tree.place(path)?;
        let flags = fs::OFlags::RDONLY | fs::OFlags::NOFOLLOW | fs::OFlags::NONBLOCK | fs::OFlags::CLOEXEC;
        let file = fs::openat(&*dir, name, flags, fs::Mode::empty()).map_err(|e| failed(&tree.path(path), e))?;
        fs::fsync(file.as_fd()).map_err(|e| failed(&tree.path(path), e))?;
        let directory = path.rsplit_once('/').map_or("", |(d, _)| d);
        if last.as_ref().is_none_or(|(d, _)| d != directory) {
            settle_directories(tree, last.take().map(|(d, _)| d).as_deref())?;
            last = Some((directory.to_owned(), dir));
        }
    }
    settle_directories(tree, last.map(|(d, _)| d).as_deref())?;
    settle_directories(tree, Some(days))
}

/// Puts on stable storage that the files at `paths` moved to the directory `to`.
pub(super) fn settle_moves<'a>(
    tree: &Tree,
    root: &OwnedFd,
    paths: impl Iterator<Item = &'a str>,
    to: &str,
) -> Result<(), Error> {
    if settle_whole(tree, root)? {
        return Ok(());
    }
    // First where they are, so that at no time they are nowhere.
    settle_directories(tree, Some(to))?;
    let from: BTreeSet<&str> = paths.map(|path| path.rsplit_once('/').map_or("", |(d, _)| d)).collect();
    from.into_iter().try_for_each(|directory| settle_directories(tree, Some(directory)))
}

/// Puts the whole filesystem on stable storage where one call does; false where it does not.
fn settle_whole(tree: &Tree, root: &OwnedFd) -> Result<bool, Error> {
    let kind = fs::fstatfs(root).map_err(|e| failed(&tree.path(""), e))?.f_type;
    // Sign and width of the type differ between platforms.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a magic number of 32 bits")]
    let kind = u64::from(kind as u32);
    if !WHOLE.contains(&kind) {
        return Ok(false);
    }
    fs::syncfs(root).map_err(|e| failed(&tree.path(""), e))?;
    Ok(true)
}

fn failed(path: &Path, e: rustix::io::Errno) -> Error {
    Error::storage("put on stable storage", path, e.into())
}

/// A new file is found again only when its directory, and each one above it, knows its entry.
fn settle_directories(tree: &Tree, directory: Option<&str>) -> Result<(), Error> {
    let Some(mut directory) = directory else { return Ok(()) };
    loop {
        let dir = tree.make(directory)?;
        fs::fsync(dir.as_fd()).map_err(|e| failed(&tree.path(directory), e))?;
        match directory.rsplit_once('/') {
            Some((parent, _)) => directory = parent,
            None if directory.is_empty() => return Ok(()),
            None => directory = "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_told_no_boot_has_a_name_of_its_own() {
        assert_eq!(boot_id_text(Ok("0b0b\n".into())), "0b0b");
        let nothing = || boot_id_text(Err(std::io::ErrorKind::NotFound.into()));
        assert_ne!(nothing(), nothing());
        assert_ne!(boot_id_text(Ok("\n".into())), boot_id_text(Ok(String::new())));
        assert!(nothing().starts_with("unknown-"));
    }
}
