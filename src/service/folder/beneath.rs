//! Files below the served folder, opened one component at a time and never through a symlink, so that what is put in a
//! file's or a folder's place later leads nowhere else.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The served folder. It stays the same one, whatever takes its name.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    /// Opens the folder at `path`, which may itself be a link.
    ///
    /// # Errors
    /// When it is no readable folder.
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        Ok(Root(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// Opens a plain file below the folder; `None` where there is none, or a symlink stands on the way.
    ///
    /// # Errors
    /// When what is there cannot be opened.
    pub(super) fn file(&self, below: &Path) -> io::Result<Option<File>> {
        match self.descend(below) {
            Ok(file) => {
                let file = File::from(file);
                Ok(file.metadata()?.is_file().then_some(file))
            }
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn descend(&self, below: &Path) -> Result<OwnedFd, Errno> {
        let mut components = below.components().peekable();
        let mut folder: Option<OwnedFd> = None;
        while let Some(component) = components.next() {
            let Component::Normal(name) = component else { return Err(Errno::NOENT) };
            // A pipe that nobody writes to must not keep the answer waiting.
            let kind = if components.peek().is_some() { FOLDER } else { OFlags::NONBLOCK | OFlags::CLOEXEC };
            let opened = openat(folder.as_ref().unwrap_or(&self.0), name, kind | OFlags::NOFOLLOW, Mode::empty())?;
            folder = Some(opened);
        }
        folder.ok_or(Errno::NOENT)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn f_09_nothing_is_opened_through_a_symlink_or_above_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/file"), "data").unwrap();
        symlink(outside.path(), dir.path().join("a/out")).unwrap();
        symlink(outside.path().join("secret"), dir.path().join("a/link")).unwrap();
        symlink(dir.path().join("a"), dir.path().join("within")).unwrap();
        rustix::fs::mknodat(CWD, dir.path().join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let link = outside.path().join("served");
        symlink(dir.path(), &link).unwrap();
        let root = Root::open(&link).unwrap();
        let is_file = |below: &str| root.file(Path::new(below)).unwrap().is_some();
        assert!(is_file("a/b/file"));
        for below in [
            "a/out/secret",
            "a/link",
            "within/b/file",
            "../x",
            "/etc/hostname",
            "a/b",
            "a/b/file/x",
            "none",
            "pipe",
            "",
        ] {
            assert!(!is_file(below), "{below}");
        }
        // Another folder under its name is another folder.
        std::fs::remove_file(&link).unwrap();
        symlink(outside.path(), &link).unwrap();
        assert!(is_file("a/b/file") && !is_file("secret"));
    }
}
