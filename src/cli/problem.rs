//! What makes a command fail: a message, a hint, an exit code.
//!
//! It does not decide what a run's failures mean; `exit` does.

use super::halt::Halted;
use super::{Exit, Shell};
use crate::archive;
use crate::failure::{Failure, limit_hint};
use crate::lock;
use crate::manifest::suggest_word;
use crate::report::annotations::{Annotation, Level};

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct CliError {
    /// How the process ends.
    pub(super) exit: Exit,
    /// What failed, on what, and why; safe to show.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

impl CliError {
    /// An error without a hint. `message` must be safe to show.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> CliError {
        CliError { exit, message: message.into(), hint: None }
    }

    /// Adds what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hint = Some(hint.into());
        self
    }
}

/// A usage error for a name that is none of the `known` ones: it names the one that was probably meant, else says what to do
/// instead. `message` must be safe to show.
pub(super) fn unknown_name<'a>(
    message: String,
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
    instead: &str,
) -> CliError {
    let near = suggest_word::nearest(typed, known).map(|near| format!("did you mean `{near}`?"));
    CliError::new(Exit::Usage, message).hint(near.unwrap_or_else(|| instead.to_owned()))
}

/// Tells an error on standard error, and gives the exit code that it makes.
pub(super) fn report(error: &anyhow::Error, shell: &Shell) -> Exit {
    let (exit, message, hint) = explain(error);
    let screen = &shell.screen;
    let whole = hint.as_deref().map_or_else(|| message.clone(), |hint| format!("{message}\nhint: {hint}"));
    if let Some(diagnostics) = error.downcast_ref::<lock::Error>().and_then(lock::Error::beside_its_line) {
        screen.line(diagnostics.render(screen.paint.0).trim_end());
    } else {
        screen.error(&message);
        if let Some(hint) = hint {
            screen.line(&format!("{} {hint}", screen.paint.strong("hint:")));
        }
    }
    shell.ci.annotate([Annotation::new(Level::Error, "sunhaul", whole)], screen);
    exit
}

/// The exit code, the message and the hint of any error.
pub(super) fn explain(error: &anyhow::Error) -> (Exit, String, Option<String>) {
    let mut contexts = Vec::new();
    for cause in error.chain() {
        // Our own errors name their cause in their message: what lies below is not said twice.
        contexts.push(cause.to_string());
        if let Some(problem) = cause.downcast_ref::<CliError>() {
            return (problem.exit, contexts.join(": "), problem.hint.clone());
        }
        if let Some(halted) = cause.downcast_ref::<Halted>() {
            let exit = match halted {
                Halted::Interrupted => Exit::Interrupted,
                Halted::TimeUp => Exit::Later,
            };
            return (exit, contexts.join(": "), None);
        }
        if let Some(error) = cause.downcast_ref::<lock::Error>() {
            let (what, hint) = parted(&contexts.join(": "));
            return match error {
                lock::Error::Line { .. } => (Exit::Usage, what, hint),
                lock::Error::Held { .. } => (Exit::Later, what, hint),
                lock::Error::Record(error) => (Exit::of_class(error.class()), what, hint),
                lock::Error::NoLocks { .. } => (Exit::Storage, what, hint),
                lock::Error::Storage { source, .. } => (Exit::Storage, what, limit_hint(source).map(str::to_owned)),
            };
        }
        if let Some(hint) = cause.downcast_ref::<std::io::Error>().and_then(limit_hint) {
            return (Exit::Storage, contexts.join(": "), Some(hint.to_owned()));
        }
        let class = cause
            .downcast_ref::<archive::Error>()
            .map(archive::Error::class)
            .or_else(|| cause.downcast_ref::<Failure>().map(|failure| failure.class));
        if let Some(class) = class {
            let (what, hint) = parted(&contexts.join(": "));
            return (Exit::of_class(class), what, hint);
        }
    }
    (Exit::Incomplete, contexts.join(": "), None)
}

/// Messages of the lower floors carry their hint at the end; here it gets its own line.
fn parted(message: &str) -> (String, Option<String>) {
    match message.split_once("; hint: ") {
        Some((what, hint)) => (what.to_owned(), Some(hint.to_owned())),
        None => (message.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn an_error_of_any_floor_gets_its_code_and_its_hint() {
        let problem = CliError::new(Exit::Usage, "no such series `x`").hint("see `sunhaul plan`");
        let (exit, message, hint) = explain(&anyhow::Error::new(problem).context("job december"));
        assert_eq!((exit, hint.as_deref()), (Exit::Usage, Some("see `sunhaul plan`")));
        assert_eq!(message, "job december: no such series `x`");

        let failure = Failure::new(Class::Unreachable, "http://localhost:1/: refused; hint: is it up?");
        let (exit, message, hint) = explain(&failure.into());
        assert_eq!((exit.code(), message.as_str()), (4, "http://localhost:1/: refused"));
        assert_eq!(hint.as_deref(), Some("is it up?"));

        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let full = archive::Error::storage("write", "a.fits", full);
        let (exit, message, hint) = explain(&full.into());
        assert_eq!((exit, message.as_str()), (Exit::Storage, "could not write `a.fits`: no storage space"));
        assert_eq!(hint.as_deref(), Some("free some space and run the same command again"));

        let occupied = archive::Error::Occupied { path: "a".into() };
        assert_eq!(explain(&occupied.into()).0, Exit::Incomplete);
    }
}
