//! The HMI service served: lists and files over HTTP, from synthetic data or from any folder of FITS files.
//!
//! The protocol is the one of the FLARECAST HMI service, in the three shapes that it had in time. What it does not do:
//! write anything, or answer under names that are not its own.

mod access;
mod answers;
mod delivery;
mod folder;
mod holdings;
mod problem;
mod query;
mod range;
mod routes;
mod slot;
mod synthetic;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

pub use self::access::Access;
pub use self::folder::Skipped;

use self::folder::Folder;
use self::holdings::Holdings;
use self::synthetic::Synthetic;

/// How many series are told of, one a line, when a service starts.
const TOLD: usize = 20;

/// A service that is not listening yet: what it serves, and to whom.
#[derive(Clone)]
pub struct Service {
    holdings: Arc<dyn Holdings>,
    access: Access,
    skipped: Arc<[Skipped]>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("holdings", &self.holdings.about())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// The built-in service: synthetic records, each byte following from `seed`.
    #[must_use]
    pub fn synthetic(seed: u64) -> Service {
        Service { holdings: Arc::new(Synthetic::new(seed)), access: Access::default(), skipped: Arc::new([]) }
    }

    /// The FITS files below `dir`, by series and time from their headers, else from their names. Reads every header
    /// now, so it blocks; files that come later are not listed.
    ///
    /// # Errors
    /// When `dir` is no readable folder.
    pub fn folder(dir: &Path) -> io::Result<Service> {
        let (folder, skipped) = Folder::scan(dir)?;
        Ok(Service { holdings: Arc::new(folder), access: Access::default(), skipped: skipped.into() })
    }

    /// The same service, answering under further names.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Service {
        self.access = access;
        self
    }

    /// The files of a folder that are not served, sorted by path.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What it serves and how to ask for it at `base`, in lines for people. Safe to show.
    #[must_use]
    pub fn about(&self, base: &Url) -> Vec<String> {
        let base = base.as_str().trim_end_matches('/');
        let mut lines = vec![format!("serving {}", self.holdings.about())];
        let all = self.holdings.series();
        for series in all.iter().take(TOLD) {
            let day = series.example.date();
            let next = day.succ_opt().unwrap_or(day);
            let count = series
                .files
                .map_or(String::new(), |files| format!(" ({files} file{})", if files == 1 { "" } else { "s" }));
            let url = format!("{base}/HMI/{}?start={day}T00:00:00Z&end={next}T00:00:00Z", series.name);
            lines.push(format!("  {}{count}: curl '{url}'", series.name));
        }
        if all.len() > TOLD {
            lines.push(format!("  and {} more series", all.len() - TOLD));
        }
        lines.push(format!("try it at {base}/ui/"));
        lines
    }

    /// The routes alone, for a server of one's own; layers can be put around them.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.holdings), self.access.clone())
    }

    /// Listens at `addr` (port 0: any free one) and answers from then on.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(self, addr: SocketAddr) -> io::Result<Running> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let base_url = Url::parse(&format!("http://{addr}/")).map_err(io::Error::other)?;
        // Small answers must not wait for the acknowledgement of the ones before them.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(target: "sunhaul::service", %error, "cannot switch off delays");
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(async {
            // An error means that the sender is gone, which says the same.
            let _ = stopped.await;
        });
        let server = tokio::spawn(server.into_future());
        Ok(Running { service: self, base_url, stop: Some(stop), server: Some(server) })
    }
}

/// Starts the built-in service on `addr`.
///
/// # Errors
/// When the address cannot be had.
pub async fn embedded(seed: u64, addr: SocketAddr) -> io::Result<Running> {
    Service::synthetic(seed).start(addr).await
}

/// Starts a service over the FITS files below `dir` on `addr`.
///
/// # Errors
/// When `dir` is no readable folder, or the address cannot be had.
pub async fn folder(dir: &Path, addr: SocketAddr, access: Access) -> io::Result<Running> {
    let dir = dir.to_owned();
    let service = tokio::task::spawn_blocking(move || Service::folder(&dir)).await.map_err(io::Error::other)??;
    service.with_access(access).start(addr).await
}

/// A service that answers. Dropping it ends it: no new connections, and answers under way are finished beside.
#[derive(Debug)]
pub struct Running {
    service: Service,
    base_url: Url,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Where it listens, such as `http://127.0.0.1:8001/`.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// What it serves and how to ask for it, in lines for people. Safe to show.
    #[must_use]
    pub fn about(&self) -> Vec<String> {
        self.service.about(&self.base_url)
    }

    /// The files of a folder that are not served, sorted by path.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        self.service.skipped()
    }

    /// Ends it and waits until the answers under way are finished.
    ///
    /// # Errors
    /// When the server failed.
    pub async fn stop(mut self) -> io::Result<()> {
        drop(self.stop.take());
        match self.server.take() {
            Some(server) => server.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}
