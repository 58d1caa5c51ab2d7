//! Where an export goes: all of it or nothing.
//!
//! It is made under another name beside its place, or, for standard output, in a temporary file. Nothing is replaced.

use std::fs::Permissions;
use std::io::{self, BufWriter, ErrorKind, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::archive::STATE;
use crate::cli::problem::CliError;
use crate::cli::{Exit, Result};
use crate::export::Error;
use crate::failure::limit_hint;
use crate::manifest::folder_of;
use crate::untrusted::escape;

/// A place that nothing has taken yet.
#[derive(Debug)]
pub(super) enum ExportTarget {
    /// Standard output.
    Stdout,
    /// A path.
    Path(PathBuf),
}

impl ExportTarget {
    /// What the path on the command line means.
    ///
    /// # Errors
    /// A path that is taken, that has no folder, or that lies in what is the archive's own.
    pub(super) fn new(output: Option<&Path>, root: &Path) -> Result<ExportTarget> {
        let Some(path) = output.filter(|path| *path != Path::new("-")) else { return Ok(ExportTarget::Stdout) };
        let shown = path.to_string_lossy();
        let refused = |why: &str, hint: &str| {
            Err(CliError::new(Exit::Usage, format!("`{}` {why}", escape(&shown))).hint(hint).into())
        };
        if path.symlink_metadata().is_ok() || path.file_name().is_none() {
            return refused("exists already", "name another place with `--output`, or move it away");
        }
        let Ok(folder) = folder_of(path).canonicalize() else {
            return refused("is in a folder that does not exist", "make the folder first");
        };
        if root.canonicalize().is_ok_and(|root| folder.starts_with(root.join(STATE))) {
            return refused("is in the archive's own folder", "name a place outside of `.sunhaul`");
        }
        Ok(ExportTarget::Path(path.to_owned()))
    }

    /// The place whose name goes on with `ending`; none beside standard output.
    ///
    /// # Errors
    /// As [`ExportTarget::new`].
    pub(super) fn beside(&self, ending: &str, root: &Path) -> Result<Option<ExportTarget>> {
        let ExportTarget::Path(path) = self else { return Ok(None) };
        let mut name = path.clone().into_os_string();
        name.push(ending);
        ExportTarget::new(Some(Path::new(&name)), root).map(Some)
    }

    /// Makes a file.
    ///
    /// # Errors
    /// What `content` says, or a place that cannot be written.
    pub(super) fn file<T>(self, content: impl FnOnce(&mut dyn Write) -> std::result::Result<T, Error>) -> Result<T> {
        let path = match self {
            ExportTarget::Stdout => return to_stdout(content),
            ExportTarget::Path(path) => path,
        };
        let failed = |error: io::Error| storage(&path.to_string_lossy(), &error);
        let mut builder = tempfile::Builder::new();
        // Private by default; an export is as readable as any file (the umask holds).
        builder.permissions(Permissions::from_mode(0o666));
        let mut file = builder.tempfile_in(folder_of(&path)).map_err(failed)?;
        // Errors of the file itself do not name it; those of the temporary one would.
        let told = filled(file.as_file_mut(), content, failed)?;
        file.persist_noclobber(&path).map_err(|error| failed(error.error))?;
        Ok(told)
    }

    /// Makes a folder and lets it be filled.
    ///
    /// # Errors
    /// As [`ExportTarget::file`].
    pub(super) fn folder<T>(self, content: impl FnOnce(&Path) -> std::result::Result<T, Error>) -> Result<T> {
        let ExportTarget::Path(path) = self else {
            return Err(CliError::new(Exit::Usage, "standard output is no folder").into());
        };
        let failed = |error: io::Error| storage(&path.to_string_lossy(), &error);
        let mut builder = tempfile::Builder::new();
        builder.permissions(Permissions::from_mode(0o777));
        let made = builder.tempdir_in(folder_of(&path)).map_err(failed)?;
        let told = content(made.path())?;
        let renamed = match renameat_with(CWD, made.path(), CWD, &path, RenameFlags::NOREPLACE) {
            // Not known to this filesystem: at worst an empty folder that came meanwhile is replaced.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => std::fs::rename(made.path(), &path),
            renamed => renamed.map_err(io::Error::from),
        };
        renamed.map_err(failed)?;
        // The folder has its final name now and must not be removed.
        let _ = made.keep();
        Ok(told)
    }
}

fn to_stdout<T>(content: impl FnOnce(&mut dyn Write) -> std::result::Result<T, Error>) -> Result<T> {
    let mut file = tempfile::tempfile().map_err(|error| storage("a temporary file", &error))?;
    let told = filled(&mut file, content, |error| storage("a temporary file", &error))?;
    file.rewind().map_err(|error| storage("a temporary file", &error))?;
    let mut out = io::stdout().lock();
    match io::copy(&mut file, &mut out).and_then(|_| out.flush()) {
        // A reader who went away is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(storage("standard output", &error).into()),
        _ => Ok(told),
    }
}

fn filled<T>(
    file: &mut dyn Write,
    content: impl FnOnce(&mut dyn Write) -> std::result::Result<T, Error>,
    failed: impl FnOnce(io::Error) -> CliError,
) -> Result<T> {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    let told = content(&mut out)?;
    out.flush().map_err(failed)?;
    Ok(told)
}

fn storage(what: &str, error: &io::Error) -> CliError {
    let problem = CliError::new(Exit::Storage, format!("could not write {}: {error}", escape(what)));
    match limit_hint(error) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
