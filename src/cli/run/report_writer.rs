//! Follows a run: folds its events, keeps its report fresh on disk, draws the bars.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::reports::ReportFiles;
use crate::archive::Archive;
use crate::cli::Result;
use crate::cli::report_file::Saved;
use crate::net::Net;
use crate::report::terminal::Progress;
use crate::report::{Collector, Log, Report};
use crate::run::event::{Event, Observer};

/// How often the report is written, at most.
const SAVE: Duration = Duration::from_secs(5);
/// How often the bars are drawn, and the hosts are looked at for the report.
const DRAW: Duration = Duration::from_millis(200);

/// All that is told of one run.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) collector: Collector,
    pub(super) progress: Progress,
    /// In place of the progress, where a machine reads along.
    pub(super) log: Option<Log>,
    pub(super) archive: Arc<Archive>,
    pub(super) net: Net,
    pub(super) run: String,
    /// Where the report goes besides the archive.
    pub(super) files: ReportFiles,
}

impl Observer for Follower {
    fn on(&self, event: Event) {
        self.collector.fold(&event);
        match &self.log {
            Some(log) => log.on(event),
            None => self.progress.on_event(&event),
        }
    }
}

impl Follower {
    /// Draws and saves until the run has ended.
    pub(super) async fn follow(self: Arc<Self>, ended: CancellationToken) {
        let started = Instant::now();
        let (mut save, mut draw) = (interval(SAVE), interval(DRAW));
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        draw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first report is written before the run begins.
        save.reset();
        let mut was_saved = true;
        loop {
            tokio::select! {
                () = ended.cancelled() => return self.look(started.elapsed(), true),
                _ = draw.tick() => {
                    self.look(started.elapsed(), false);
                    self.progress.tick(started.elapsed(), &self.net.hosts());
                }
                _ = save.tick() => {
                    let saved = self.save(self.collector.snapshot(), Saved::Meanwhile).await;
                    // If it still cannot be written at the end, the run fails then.
                    if let Err(error) = &saved && was_saved {
                        tracing::warn!("the report cannot be written for now: {error}");
                    }
                    was_saved = saved.is_ok();
                }
            }
        }
    }

    fn look(&self, at: Duration, last: bool) {
        self.collector.look(at, &self.net.hosts(), self.net.take_peak(), last);
    }

    /// Writes the report into the archive, and where else it was asked for.
    ///
    /// # Errors
    /// When either cannot be written.
    pub(super) async fn save(self: &Arc<Self>, report: Report, when: Saved) -> Result<()> {
        let this = self.clone();
        let write = move || {
            let bytes = report.to_json()?;
            let archived = this.archive.write_run_report(&this.run, &bytes);
            // Both are written even if one fails: they may be on different disks.
            this.files.write(&report, &bytes, when)?;
            archived?;
            Ok(())
        };
        tokio::task::spawn_blocking(write).await?
    }
}
