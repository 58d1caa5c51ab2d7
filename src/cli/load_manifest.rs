//! Manifests as commands want them: read, checked, and with the command line's archive.

use std::path::{Path, PathBuf};

use super::clock::now;
use super::{Shell, environment, netrc, regions};
use crate::manifest::{self, Diagnostics, Manifest};
use crate::report::annotations::{Annotation, Level};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::untrusted::escape;

/// Whether a command talks to the sources. One that does not needs no secrets: CI checks manifests without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// A secret that is not to be had is an error.
    Needed,
    /// Secrets are not looked up.
    NotNeeded,
}

/// Reads every manifest: those that are right, and what is wrong with the others.
pub(super) fn load_each(paths: &[PathBuf], secrets: Secrets) -> (Vec<Manifest>, Vec<Diagnostics>) {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        let loaded = match secrets {
            Secrets::Needed => manifest::load_with_secrets(path, &environment::variable, &netrc::login),
            Secrets::NotNeeded => manifest::load(path, &environment::variable),
        };
        match loaded {
            Ok(job) => good.push(job),
            Err(diagnostics) => wrong.push(diagnostics),
        }
    }
    (good, wrong)
}

/// Shows what is wrong, underlined; of several manifests, so many in all, also how many are.
pub(super) fn show(wrong: &[Diagnostics], all: usize, shell: &Shell) {
    for (number, diagnostics) in wrong.iter().enumerate() {
        let gap = if number > 0 { "\n" } else { "" };
        shell.screen.line(&format!("{gap}{}", diagnostics.render(shell.screen.paint.0).trim_end()));
    }
    if all > 1 && !wrong.is_empty() {
        let errors = human::count(wrong.iter().map(|one| one.count() as u64).sum(), "error");
        let are = if wrong.len() == 1 { "is" } else { "are" };
        shell.screen.error(&format!("{} of {all} manifests {are} wrong, {errors} in all", wrong.len()));
    }
}

/// Shows what is allowed in a manifest and yet probably not meant.
pub(super) fn warn(job: &Manifest, shell: &Shell) {
    let warnings = job.warnings(now());
    if shell.verbosity > Verbosity::Quiet {
        let path = job.path.to_string_lossy();
        for warning in &warnings {
            let word = shell.screen.paint.care("warning:");
            shell.screen.line(&format!("{word} {}: {warning}", escape(&path)));
        }
    }
    let remarks = warnings.into_iter().map(|warning| Annotation::new(Level::Warning, "manifest", warning));
    shell.ci.annotate(remarks.map(|remark| remark.about(&shell.ci.named(&job.path))), &shell.screen);
}

/// Shows what is worth knowing of a job before it runs.
pub(super) fn note(job: &Manifest, shell: &Shell) {
    if shell.verbosity > Verbosity::Quiet {
        let path = job.path.to_string_lossy();
        for note in job.notes(now()) {
            shell.screen.line(&format!("note: {}: {note}", escape(&path)));
        }
    }
}

/// Reads every manifest, or shows what is wrong with any of them and gives nothing.
///
/// `archive` takes the place of the manifests' own root.
pub(super) fn load_all(
    paths: &[PathBuf],
    secrets: Secrets,
    archive: Option<&Path>,
    shell: &Shell,
) -> Option<Vec<Manifest>> {
    let (mut jobs, wrong) = load_each(paths, secrets);
    if !wrong.is_empty() {
        show(&wrong, paths.len(), shell);
        shell.ci.manifests(&wrong, &shell.screen);
        return None;
    }
    for job in &mut jobs {
        regions::recall(job);
        warn(job, shell);
        if let Some(root) = archive {
            root.clone_into(&mut job.archive.root);
        }
    }
    Some(jobs)
}

/// A manifest that was right a moment ago, with its secrets. It is not warned of again.
pub(super) fn load_with_secrets(job: &Manifest, shell: &Shell) -> Option<Manifest> {
    let (good, wrong) = load_each(std::slice::from_ref(&job.path), Secrets::Needed);
    show(&wrong, 1, shell);
    let mut again = good.into_iter().next()?;
    regions::recall(&mut again);
    again.archive.root.clone_from(&job.archive.root);
    Some(again)
}

/// As [`load_all`], for one manifest.
pub(super) fn load(path: &Path, secrets: Secrets, archive: Option<&Path>, shell: &Shell) -> Option<Manifest> {
    load_all(&[path.to_owned()], secrets, archive, shell)?.pop()
}
