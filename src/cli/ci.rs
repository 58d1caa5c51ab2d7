//! What a CI service is told besides: annotations, the summary of a step, the outputs for later steps.
//!
//! Of all this, nothing changes how a command ends: where a summary or the outputs cannot be written, that is a
//! warning.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::{Exit, clock, output_guard, stdout};
use crate::manifest::Diagnostics;
use crate::report::annotations::{self, Annotation};
use crate::report::github_output::Outputs;
use crate::report::terminal::Screen;
use crate::report::{Report, markdown};
use crate::untrusted::escape;

/// GitHub refuses the summary of a step that is longer than 1 MiB, whole.
const SUMMARY: u64 = 1_000_000;

/// What the environment says of the CI service around this process, if there is one.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// GitHub reads along on standard error.
    pub(super) annotates: bool,
    /// The repository's root.
    pub(super) workspace: Option<PathBuf>,
    /// Where the outputs go.
    pub(super) output: Option<PathBuf>,
    /// Where the summary of the step goes.
    pub(super) summary: Option<PathBuf>,
}

/// The CI service around this process, and what it is told.
#[derive(Debug, Default)]
pub(super) struct Ci {
    around: Around,
    /// Where else it was asked to go: that file is made anew by the first section.
    asked: Mutex<Option<SummaryRequest>>,
    /// What there is to put out, where the command has outputs.
    outputs: Mutex<Option<Outputs>>,
}

/// A summary that was asked for.
#[derive(Debug)]
struct SummaryRequest {
    path: PathBuf,
    is_begun: bool,
}

impl Ci {
    /// Nothing is told yet.
    pub(super) fn new(around: Around) -> Ci {
        Ci { around, ..Ci::default() }
    }

    /// From here on the command has outputs, and its summary goes to `summary`, where that is given.
    pub(super) fn begin(&self, summary: Option<&Path>) {
        *lock(&self.outputs) = Some(Outputs::default());
        let path = summary.filter(|path| self.around.summary.as_deref() != Some(path));
        *lock(&self.asked) = path.map(|path| SummaryRequest { path: path.to_owned(), is_begun: false });
    }

    /// A path as the service names the files of the repository.
    pub(super) fn named(&self, path: &Path) -> String {
        let below = self.around.workspace.as_deref().and_then(|root| {
            let path = std::path::absolute(path).ok()?;
            path.strip_prefix(root).ok().map(Path::to_owned)
        });
        let path = below.as_deref().unwrap_or(path);
        path.strip_prefix(".").unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Tells remarks.
    pub(super) fn annotate(&self, annotations: impl IntoIterator<Item = Annotation>, screen: &Screen) {
        if self.around.annotates {
            for annotation in annotations {
                screen.write(format!("{annotation}\n").as_bytes());
            }
        }
    }

    /// Tells what is wrong with manifests.
    pub(super) fn manifests(&self, wrong: &[Diagnostics], screen: &Screen) {
        if !wrong.is_empty() {
            self.annotate(annotations::of_manifests(wrong, |path| self.named(path)), screen);
            self.summarise(&markdown::manifests(wrong), "", screen);
        }
    }

    /// Tells a run that has ended; `saved` is where its report lies.
    pub(super) fn ran(&self, report: &Report, saved: Option<&Path>, screen: &Screen) {
        if let Some(outputs) = lock(&self.outputs).as_mut() {
            outputs.add(report, saved.map(Path::to_string_lossy).as_deref());
        }
        let manifest = self.named(Path::new(&report.job.manifest));
        self.annotate(annotations::of_run(report, &manifest), screen);
        self.summarise(&markdown::section(report), &markdown::headline(report), screen);
    }

    /// Puts out what later steps may ask.
    pub(super) fn ended(&self, exit: Exit, screen: &Screen) {
        let (Some(path), Some(outputs)) = (&self.around.output, lock(&self.outputs).take()) else { return };
        let lines = outputs.lines(exit.code(), &clock::delimiter());
        let written = append(path).and_then(|mut file| file.write_all(lines.as_bytes()));
        warn(written, "outputs", path, screen);
    }

    fn summarise(&self, section: &str, short: &str, screen: &Screen) {
        if let Some(asked) = lock(&self.asked).as_mut() {
            warn(asked.add(section), "summary", &asked.path, screen);
        } else if let Some(path) = &self.around.summary {
            warn(add_to_step(path, section, short), "summary", path, screen);
        }
    }
}

impl SummaryRequest {
    fn add(&mut self, section: &str) -> io::Result<()> {
        if self.path == Path::new("-") {
            return stdout::print(section).map_err(io::Error::other);
        }
        let mut file = append(&self.path)?;
        if !self.is_begun && file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        self.is_begun = true;
        file.write_all(section.as_bytes())
    }
}

fn add_to_step(path: &Path, section: &str, short: &str) -> io::Result<()> {
    let mut file = append(path)?;
    let length = file.metadata()?.len();
    let fits = |text: &str| length + text.len() as u64 <= SUMMARY;
    match [section, short].into_iter().find(|text| fits(text)) {
        Some(text) => file.write_all(text.as_bytes()),
        None => Err(io::Error::other("it is as long as GitHub takes one")),
    }
}

fn append(path: &Path) -> io::Result<File> {
    if let Some(what) = output_guard::kind(path) {
        return Err(io::Error::other(format!("this is {what}")));
    }
    open_unwaiting(OpenOptions::new().append(true).create(true), path)
}

/// Opens what may be a pipe for writing. One that no process reads is an error, and nothing to wait for.
pub(super) fn open_unwaiting(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let file = file.map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::NXIO.raw_os_error() => io::Error::other("no process reads from this pipe"),
        _ => error,
    })?;
    // Wait for a slow reader.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn warn(written: io::Result<()>, what: &str, path: &Path, screen: &Screen) {
    if let Err(error) = written {
        let (word, path) = (screen.paint.care("warning:"), path.to_string_lossy());
        screen.line(&format!("{word} the {what} could not be written to `{}`: {error}", escape(&path)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_below_the_repository_s_root() {
        let ci = Ci::new(Around { workspace: Some("/work/repo".into()), ..Around::default() });
        assert_eq!(ci.named(Path::new("/work/repo/jobs/a.yaml")), "jobs/a.yaml");
        assert_eq!(ci.named(Path::new("/elsewhere/a.yaml")), "/elsewhere/a.yaml");
        assert_eq!(Ci::default().named(Path::new("./jobs/a.yaml")), "jobs/a.yaml");
    }

    #[test]
    fn a_summary_of_a_step_stays_below_what_github_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        let almost = "x".repeat(999_990);
        add_to_step(&path, &almost, "").unwrap();
        add_to_step(&path, "a long section", "short").unwrap();
        assert!(add_to_step(&path, "a long section", "as long").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{almost}short"));
    }
}
