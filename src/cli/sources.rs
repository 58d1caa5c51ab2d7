//! Where the sources of jobs listen; the built-in service is started where a series asks for it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use url::Url;

use super::problem::CliError;
use super::{Exit, Result};
use crate::manifest::{Manifest, SeriesId, SourceSpec};
use crate::service::{self, Running};

/// How long the built-in service may take for the answers under way.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The built-in services of this process, by seed: jobs that ask for the same data share one.
#[derive(Debug, Default)]
pub(super) struct Sources {
    running: BTreeMap<u64, Running>,
}

impl Sources {
    /// Where each of these series is asked: its source's replicas.
    ///
    /// # Errors
    /// When the built-in service cannot be started.
    pub(super) async fn bases(
        &mut self,
        job: &Manifest,
        wanted: impl Fn(&SeriesId) -> bool,
    ) -> Result<BTreeMap<SeriesId, Vec<Url>>> {
        let mut bases = BTreeMap::new();
        for series in job.series.iter().filter(|series| wanted(&series.id)) {
            let replicas = match (&*series.source, series.source.reach()) {
                (_, Some(reach)) => reach.urls.clone(),
                (SourceSpec::Embedded(embedded), None) => vec![self.embedded(embedded.seed).await?],
                (_, None) => Vec::new(),
            };
            bases.insert(series.id.clone(), replicas);
        }
        Ok(bases)
    }

    /// Ends the built-in services, so that none is cut off in the middle of an answer.
    pub(super) async fn close(self) {
        for running in self.running.into_values() {
            match tokio::time::timeout(LAST_ANSWERS, running.stop()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!("the built-in service failed: {error}"),
                Err(_) => tracing::debug!("the built-in service had answers under way"),
            }
        }
    }

    async fn embedded(&mut self, seed: u64) -> Result<Url> {
        if let Some(running) = self.running.get(&seed) {
            return Ok(running.base_url().clone());
        }
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = service::embedded(seed, any_port)
            .await
            .map_err(|error| CliError::new(Exit::Later, format!("could not start the built-in service: {error}")))?;
        let base = running.base_url().clone();
        self.running.insert(seed, running);
        Ok(base)
    }
}
