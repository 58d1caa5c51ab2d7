//! Regular files opened without waiting: a pipe, a socket or a device in a file's place is an error at once.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Opening a pipe would wait for its other end.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// So many symlinks in a row are a loop, as for the kernel.
const MOST_LINKS: usize = 40;

/// Opens a regular file for reading. Symlinks are followed: it is a file that the user names.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidInput`] when it is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    #[expect(clippy::cast_possible_wrap, reason = "flags are bits")]
    let flags = READ.bits() as i32;
    match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => must_be_regular(file),
        Err(e) if e.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Err(is_no_file(FileType::Socket)),
        Err(e) => Err(e),
    }
}

/// Opens a regular file of a directory for reading; `None` where there is none. A symlink is not followed.
pub(super) fn open_at(dir: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    match fs::openat(dir, name, READ | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => must_be_regular(File::from(file)).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP) => Err(is_no_file(FileType::Symlink)),
        Err(Errno::NXIO) => Err(is_no_file(FileType::Socket)),
        Err(e) => Err(e.into()),
    }
}

/// Passes a regular file on.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for anything else.
pub(crate) fn must_be_regular(file: File) -> io::Result<File> {
    let kind = FileType::from_raw_mode(fs::fstat(&file)?.st_mode);
    if kind == FileType::RegularFile { Ok(file) } else { Err(is_no_file(kind)) }
}

pub(super) fn is_no_file(kind: FileType) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {}, not a regular file", kind_of(kind)))
}

/// What something is, in a word or two.
pub(super) fn kind_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symlink",
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    }
}

/// Where a file that is to be written lies: at the end of the symlinks that `path` may be, whether a file is there yet or
/// not. Replacing a link itself would part it from what its owner keeps there.
///
/// # Errors
/// What the system says; a loop of links.
pub fn link_target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                path = folder.join(target);
            }
            // No link, or nothing there.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => return Ok(path),
            Err(e) => return Err(e),
        }
    }
    Err(Errno::LOOP.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn f_09_what_is_no_regular_file_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::mknodat(fs::CWD, at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("file"), "x").unwrap();
        symlink("file", at("link")).unwrap();
        let dir = OwnedFd::from(File::open(folder.path()).unwrap());
        for (name, why) in [("pipe", "a pipe"), ("socket", "a socket"), (".", "a folder"), ("/dev/null", "a device")] {
            assert!(open_regular(&at(name)).unwrap_err().to_string().contains(why), "{name}");
            assert!(open_at(&dir, name).unwrap_err().to_string().contains(why), "{name}");
        }
        assert!(open_regular(&at("link")).is_ok(), "a file that the user names may be a link");
        assert!(open_at(&dir, "link").unwrap_err().to_string().contains("a symlink"));
        assert!(open_at(&dir, "file").unwrap().is_some() && open_at(&dir, "none").unwrap().is_none());
    }

    #[test]
    fn a_link_is_followed_to_where_its_file_is_or_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("d")).unwrap();
        symlink("d/there", at("dangling")).unwrap();
        symlink("dangling", at("twice")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for name in ["dangling", "twice"] {
            assert_eq!(link_target(&at(name)).unwrap(), at("d/there"), "{name}");
        }
        assert_eq!(link_target(&at("none")).unwrap(), at("none"));
        assert!(link_target(&at("loop")).is_err());
    }
}
