//! `--report-html FILE` and `--quicklook`: the page, written when the run has ended.
//!
//! A run never fails because of a picture: the page says why there is none.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::archive::Archive;
use crate::cli::Result;
use crate::cli::report_file::{ReportFile, Saved};
use crate::digest::Digest;
use crate::manifest::SeriesId;
use crate::report::Report;
use crate::report::html::quicklook::{self, QuickLook};
use crate::report::html::{self, Besides};
use crate::report::model::ReportDay;
use crate::untrusted::escape;

/// The longest manifest that a page holds, in bytes.
const MANIFEST: u64 = 256 << 10;

/// The page that was asked for.
#[derive(Debug, Clone)]
pub(super) struct HtmlReport {
    pub(super) file: ReportFile,
    pub(super) quicklook: bool,
}

/// Quick looks, and how many days are left out.
type Looks = (Vec<QuickLook>, usize);

impl HtmlReport {
    /// Writes the page.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, report: &Report, looks: Option<Looks>) -> Result<()> {
        let (looks, looks_omitted) = looks.map_or((None, 0), |(looks, omitted)| (Some(looks), omitted));
        let manifest = manifest(report);
        let besides = Besides { manifest: manifest.as_deref(), looks: looks.as_deref(), looks_omitted };
        self.file.write(html::render(report, &besides)?.as_bytes(), Saved::AtTheEnd)
    }

    /// A look at each day that has a record with files, or at as many as a page holds, spread evenly; none when nobody
    /// asked for them.
    pub(super) async fn looks(&self, report: &Report, root: &Path, stop: &CancellationToken) -> Option<Looks> {
        if !self.quicklook {
            return None;
        }
        let days: Vec<&ReportDay> = report.days.iter().filter(|day| day.digest.is_some() && day.files > 0).collect();
        let shown = days.len().min(quicklook::PICTURES);
        let mut looks = Vec::with_capacity(shown);
        for nth in 0..shown {
            if stop.is_cancelled() {
                break;
            }
            looks.push(look(days[nth * days.len() / shown], root).await);
        }
        let omitted = days.len() - looks.len();
        Some((looks, omitted))
    }
}

/// The text of the manifest that was run, when it is still there and the same.
pub(in crate::cli) fn manifest(report: &Report) -> Option<String> {
    let path = Path::new(&report.job.manifest);
    let is_small = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MANIFEST);
    let text = is_small.then(|| std::fs::read_to_string(path).ok()).flatten()?;
    (Digest::sha256(text.as_bytes()).to_string() == report.job.manifest_sha256).then_some(text)
}

async fn look(day: &ReportDay, root: &Path) -> QuickLook {
    let (id, date, root) = (SeriesId(day.series.clone()), day.date, root.to_owned());
    // One at a time: an image takes up to 300 MB, and its file up to 160 MB. A decoder that panics loses only the picture.
    let seen = tokio::task::spawn_blocking(move || first(&id, date, &root)).await;
    let (path, seen) = seen.unwrap_or_else(|_| (String::new(), Err("the decoder failed".to_owned())));
    QuickLook { series: day.series.clone(), date, path, seen }
}

/// The picture of the day's first file with an image, in the turn of [`quicklook::in_turn`].
fn first(series: &SeriesId, date: chrono::NaiveDate, root: &Path) -> (String, Result<quicklook::Picture, String>) {
    let record = match Archive::record(root, series, date) {
        Ok(Some(record)) => record,
        Ok(None) => return (String::new(), Err("the day's record does not exist any more".to_owned())),
        Err(error) => return (String::new(), Err(escape(&error.to_string()).into_owned())),
    };
    let present = record.files.iter().filter(|file| file.sha256.is_some()).map(|file| file.path.as_str());
    let paths = quicklook::in_turn(present);
    for path in &paths {
        match quicklook::picture(&root.join(path)) {
            Ok(None) => {}
            Ok(Some(picture)) => return ((*path).to_owned(), Ok(picture)),
            Err(why) => return ((*path).to_owned(), Err(why)),
        }
    }
    let tried = paths.first().copied().unwrap_or_default().to_owned();
    (tried, Err(format!("no FITS image is in the {} files that were tried first", paths.len())))
}
