//! A listed file taken from the imported folder in place of its source: found, checked, published as a fetched one is.

use std::path::Path;
use std::sync::Arc;

use super::index::{ImportFolder, Match, SeriesNames, name_due};
use crate::failure::{Class, Failure};
use crate::fetch::Fetched;
use crate::fetch::local_copy;
use crate::fetch::local_copy::{LocalSource, Taking};
use crate::run::day::file_task::{FileEnded, FileTask};
use crate::source::RemoteFile;
use crate::untrusted::{escape, quoted};

impl FileTask {
    /// Takes the file from the imported folder, if it is there.
    pub(in crate::run) async fn take_from(self, held: Arc<ImportFolder>, file: &RemoteFile) -> FileEnded {
        // What is here from an earlier look is asked about by a run, and displaced by nobody's copy.
        // Nor is a copy with further keywords made of it: a run makes that of what JSOC has.
        if self.kept.is_some() || file.cards.is_some() {
            return FileEnded::Left;
        }
        let name = name_due(file);
        let path = match self.path.clone().map_or_else(|| self.path_by(file, &name), Ok) {
            Ok(path) => path,
            Err(failure) => return FileEnded::Failed { path: None, failure, with: None },
        };
        let series = self.names();
        let (verify, identity) = (self.day.run.manifest.verify, self.day.run.manifest.identity);
        let locked = self.day.lock_view.body(file);
        let (day, wanted, at) = (Arc::clone(&self.day.store), file.clone(), path.to_string());
        let (folder, run) = (Arc::clone(&held), Arc::clone(&self.day.run));
        let take = move || -> Result<Option<(Fetched, Taking)>, Failure> {
            match held.find(&wanted, &series, &at) {
                Err(error) => {
                    Err(Failure::unasked(Class::Storage, format!("cannot compare files of the folder: {error}")))
                }
                Ok(Match::Nothing) => Ok(None),
                Ok(Match::Several(paths)) => Err(several(&paths, &run.manifest.path)),
                Ok(Match::One { path, place }) => {
                    let part = day.part(&wanted.key)?;
                    let (listed, rounded, locked) = (wanted.bytes, wanted.rounded, locked.as_ref());
                    let due = LocalSource { name: &name, listed, rounded, locked, verify, identity };
                    match local_copy::take(&place, held.taking, &part, due) {
                        Ok((fetched, how)) => Ok(Some((fetched, how))),
                        Err(why) => Err(not_importable(&path, &why, &run.manifest.path)),
                    }
                }
            }
        };
        let taken = tokio::task::spawn_blocking(take).await;
        match taken.unwrap_or_else(|e| {
            Err(Failure::new(
                Class::Internal,
                format!("internal error: a thread panicked: {e}; please report this message"),
            ))
        }) {
            Ok(Some((fetched, how))) => {
                folder.note_taken(how);
                self.publish(file, fetched, false, None).await
            }
            Ok(None) => FileEnded::Left,
            Err(failure) => FileEnded::Failed { path: Some(path.to_string()), failure, with: None },
        }
    }

    fn names(&self) -> SeriesNames {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for series in &self.day.run.manifest.series {
            let names = if series.id == self.day.id.series { &mut own } else { &mut others };
            names.extend([series.name.clone(), series.id.0.clone()]);
            names.extend(series.fallbacks.iter().cloned());
        }
        SeriesNames { own, others }
    }
}

/// What becomes of files that fit alike and differ.
fn several(paths: &[String], manifest: &Path) -> Failure {
    let shown: Vec<String> = paths.iter().take(3).map(|path| format!("`{}`", escape(path))).collect();
    let more = if paths.len() > shown.len() { " and others" } else { "" };
    let message = format!(
        "{}{more} of the folder fit it alike and differ, so none is taken; hint: move away all but one, or let \
         `{}` fetch it",
        shown.join(", "),
        run_of(manifest)
    );
    Failure::unasked(Class::Ambiguous, message)
}

/// Why a file of the folder is not taken.
fn not_importable(path: &str, why: &Failure, manifest: &Path) -> Failure {
    let message = format!("`{}` of the folder is left alone: {}", escape(path), why.message);
    match why.class {
        Class::Storage => Failure::unasked(Class::Storage, message),
        class => {
            // A page in a file's place says nothing of how its service is now.
            let class = if class == Class::Html { Class::Magic } else { class };
            let hint = format!("move the file away, or let `{}` fetch the one of its source", run_of(manifest));
            Failure::unasked(class, format!("{message}; hint: {hint}"))
        }
    }
}

/// The command that fetches what a folder does not give.
fn run_of(manifest: &Path) -> String {
    format!("sunhaul run {}", quoted(&manifest.to_string_lossy()))
}
