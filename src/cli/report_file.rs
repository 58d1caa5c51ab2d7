//! `--report FILE` and the like: a report where the user wants it.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::fs::{Access, access};
use tempfile::NamedTempFile;

use super::ci::open_unwaiting;
use super::problem::CliError;
use super::{Exit, Result, stdout};
use crate::archive::link_target;
use crate::manifest::folder_of;
use crate::untrusted::escape;

/// When a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// While the run goes on.
    Meanwhile,
    /// When it has ended.
    AtTheEnd,
}

/// Where a report goes besides the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportFile {
    place: ReportTarget,
    /// The option that named it.
    option: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ReportTarget {
    /// Standard output, once, at the end.
    Stdout,
    /// A pipe or a device: once, at the end.
    Stream(PathBuf),
    /// A file: replaced in one step, again and again.
    File(PathBuf),
}

impl ReportFile {
    /// What the path on the command line, given with this option, means. Whether it can be written is found out now,
    /// before any work.
    ///
    /// # Errors
    /// A usage error when the path names no file; a storage error when this user or disk cannot have one there.
    pub(super) fn new(path: &Path, option: &'static str) -> Result<ReportFile> {
        Ok(ReportFile {
            place: ReportTarget::locate(path).map_err(|(exit, why)| not_writable(path, option, exit, &why))?,
            option,
        })
    }

    /// Writes the report, if this is the time for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, bytes: &[u8], when: Saved) -> Result<()> {
        let storage =
            |path: &Path, error: io::Error| not_writable(path, self.option, Exit::Storage, &error.to_string());
        match (&self.place, when) {
            (ReportTarget::Stdout, Saved::AtTheEnd) => stdout::print(&String::from_utf8_lossy(bytes)),
            (ReportTarget::Stream(path), Saved::AtTheEnd) => {
                let file = open_unwaiting(OpenOptions::new().write(true), path);
                Ok(file.and_then(|mut file| file.write_all(bytes)).map_err(|error| storage(path, error))?)
            }
            (ReportTarget::Stdout | ReportTarget::Stream(_), Saved::Meanwhile) => Ok(()),
            (ReportTarget::File(path), _) => Ok(replace(path, bytes).map_err(|error| storage(path, error))?),
        }
    }
}

impl ReportTarget {
    fn locate(path: &Path) -> Result<ReportTarget, (Exit, String)> {
        if path == Path::new("-") {
            return Ok(ReportTarget::Stdout);
        }
        let metadata = path.metadata();
        if path.file_name().is_none() || metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            return Err((Exit::Usage, "it is a folder".to_owned()));
        }
        if metadata.is_ok_and(|metadata| !metadata.is_file()) {
            // A pipe would wait for its reader if it were opened.
            access(path, Access::WRITE_OK).map_err(|error| (Exit::Storage, io::Error::from(error).to_string()))?;
            return Ok(ReportTarget::Stream(path.to_owned()));
        }
        if !folder_of(path).is_dir() {
            return Err((Exit::Usage, "its folder does not exist".to_owned()));
        }
        beside(path).map_err(|error| (Exit::Storage, error.to_string()))?;
        Ok(ReportTarget::File(path.to_owned()))
    }
}

fn not_writable(path: &Path, option: &str, exit: Exit, why: &str) -> CliError {
    let path = path.to_string_lossy();
    CliError::new(exit, format!("could not write the report `{}`: {why}", escape(&path)))
        .hint(format!("name another file with `{option}`"))
}

/// Held while a temporary file stands beside the report.
static WRITING: Mutex<()> = Mutex::new(());

/// Waits until no temporary file stands beside the report, and lets none come: for a process that leaves at once. A disk
/// that does not answer is not waited for.
pub(super) fn settled() -> Option<MutexGuard<'static, ()>> {
    for _ in 0..200 {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    None
}

/// A temporary file in the report's folder, gone when dropped. It is private by default; a report is as readable as any
/// file (the umask holds).
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder_of(path));
    // The error's own text names the temporary file, which means nothing to the user.
    file.map_err(|error| error.kind().into())
}

/// Puts a whole file in the place of the old one: a reader never sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    // A link is the user's: what it leads to is replaced.
    let path = link_target(path)?;
    let mut file = beside(&path)?;
    file.write_all(bytes)?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let file = ReportFile::new(&path, "--report").unwrap();
        file.write(b"one, and longer", Saved::Meanwhile).unwrap();
        file.write(b"two", Saved::AtTheEnd).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = file.write(b"three", Saved::AtTheEnd).unwrap_err();
        assert!(error.to_string().contains("could not write the report `"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of the attempt");
    }

    #[test]
    fn who_leaves_at_once_waits_for_the_report_under_way() {
        static IS_WRITTEN: AtomicBool = AtomicBool::new(false);
        let writing = WRITING.lock().unwrap();
        let leaving = std::thread::spawn(|| {
            let _settled = settled();
            IS_WRITTEN.load(Ordering::SeqCst)
        });
        // Long enough for a process that does not wait to be gone.
        std::thread::sleep(Duration::from_millis(50));
        IS_WRITTEN.store(true, Ordering::SeqCst);
        drop(writing);
        assert!(leaving.join().unwrap());
    }

    #[test]
    fn a_link_stays_one_and_what_it_leads_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("there")).unwrap();
        std::os::unix::fs::symlink("there/report.json", at("link")).unwrap();
        let file = ReportFile::new(&at("link"), "--report").unwrap();
        for text in ["one", "two"] {
            file.write(text.as_bytes(), Saved::AtTheEnd).unwrap();
            assert!(at("link").is_symlink());
            assert_eq!(std::fs::read_to_string(at("there/report.json")).unwrap(), text);
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_told_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let file = ReportFile::new(&path, "--report").unwrap();
        file.write(b"x", Saved::Meanwhile).unwrap();
        let error = file.write(b"x", Saved::AtTheEnd).unwrap_err();
        assert!(error.to_string().contains("no process reads from this pipe"), "{error}");
        let reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        file.write(b"x", Saved::AtTheEnd).unwrap();
        drop(reader);
    }

    #[test]
    fn a_device_is_written_to_and_never_replaced() {
        let file = ReportFile::new(Path::new("/dev/null"), "--report").unwrap();
        assert_eq!(file.place, ReportTarget::Stream("/dev/null".into()));
        file.write(b"x", Saved::AtTheEnd).unwrap();
        assert_eq!(ReportFile::new(Path::new("-"), "--report").unwrap().place, ReportTarget::Stdout);
    }
}
