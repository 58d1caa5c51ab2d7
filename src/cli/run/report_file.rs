//! `--report FILE`: the report where the user wants it.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::follow::Saved;
use crate::cli::problem::Problem;
use crate::cli::{Exit, Result, stdout};
use crate::untrusted::escape;

/// Where a report goes besides the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReportFile {
    /// Standard output, once, at the end.
    Stdout,
    /// A pipe or a device: once, at the end.
    Stream(PathBuf),
    /// A file: replaced in one step, again and again.
    File(PathBuf),
}

impl ReportFile {
    /// What the path on the command line means.
    pub(super) fn new(path: &Path) -> ReportFile {
        let stream = || path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if path == Path::new("-") {
            ReportFile::Stdout
        } else if stream() {
            ReportFile::Stream(path.to_owned())
        } else {
            ReportFile::File(path.to_owned())
        }
    }

    /// Writes the report, if this is the time for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, bytes: &[u8], when: Saved) -> Result<()> {
        let told = |path: &Path, error: io::Error| {
            let path = path.to_string_lossy();
            Problem::new(Exit::Storage, format!("could not write the report `{}`: {error}", escape(&path)))
                .hint("name another file with `--report`")
        };
        match (self, when) {
            (ReportFile::Stdout, Saved::AtTheEnd) => stdout::print(&String::from_utf8_lossy(bytes)),
            (ReportFile::Stream(path), Saved::AtTheEnd) => {
                let file = std::fs::OpenOptions::new().write(true).open(path);
                Ok(file.and_then(|mut file| file.write_all(bytes)).map_err(|error| told(path, error))?)
            }
            (ReportFile::Stdout | ReportFile::Stream(_), Saved::Meanwhile) => Ok(()),
            (ReportFile::File(path), _) => Ok(replace(path, bytes).map_err(|error| told(path, error))?),
        }
    }
}

/// Puts a whole file in the place of the old one: a reader never sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist"));
    }
    // A temporary file is private by default; a report is as readable as any file (the umask holds).
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let file = ReportFile::new(&path);
        file.write(b"one, and longer", Saved::Meanwhile).unwrap();
        file.write(b"two", Saved::AtTheEnd).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = ReportFile::new(&folder.path().join("no/report.json")).write(b"", Saved::AtTheEnd).unwrap_err();
        assert!(error.to_string().contains("could not write the report `"), "{error}");
    }

    #[test]
    fn a_device_is_written_to_and_never_replaced() {
        let file = ReportFile::new(Path::new("/dev/null"));
        assert_eq!(file, ReportFile::Stream("/dev/null".into()));
        file.write(b"x", Saved::AtTheEnd).unwrap();
        assert_eq!(ReportFile::new(Path::new("-")), ReportFile::Stdout);
    }
}
