//! The HMI service served: lists and files over HTTP, from synthetic data or from any folder of FITS files.
//!
//! The protocol is the one of the FLARECAST HMI service, in the three shapes that it had in time. What it does not do:
//! write anything, or answer under names that are not its own.

mod answers;
mod backend;
mod browse;
mod connections;
mod fault_injection;
mod file_response;
mod folder;
mod host_header_guard;
mod listener;
mod log;
mod problem;
mod query;
mod range;
mod routes;
mod slot;
mod synthetic;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::{Host, Url};

pub use self::folder::Skipped;
pub use self::log::Log;
pub use crate::service::fault_injection::Faults;
pub use crate::service::host_header_guard::Access;

use self::folder::ServedFolder;
use self::synthetic::Synthetic;
use crate::service::backend::Holdings;

/// How many series are told of, one a line, when a service starts.
const TOLD: usize = 20;

/// A service that is not listening yet: what it serves, and to whom.
#[derive(Clone)]
pub struct Service {
    holdings: Arc<dyn Holdings>,
    access: Access,
    skipped: Arc<[Skipped]>,
    faults: Option<Arc<Faults>>,
    log: Option<Log>,
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
        Service::over(Synthetic::new(seed), Vec::new())
    }

    /// The FITS files below `dir`, by series and time from their headers, else from their names. Reads every header
    /// now, so it blocks; files that come later are not listed.
    ///
    /// # Errors
    /// When `dir` is no readable folder.
    pub fn folder(dir: &Path) -> io::Result<Service> {
        let (folder, skipped) = ServedFolder::scan(dir)?;
        Ok(Service::over(folder, skipped))
    }

    fn over(holdings: impl Holdings + 'static, skipped: Vec<Skipped>) -> Service {
        Service {
            holdings: Arc::new(holdings),
            access: Access::default(),
            skipped: skipped.into(),
            faults: None,
            log: None,
        }
    }

    /// The same service, doing wrong on purpose.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Service {
        self.faults = Some(Arc::new(faults));
        self
    }

    /// The same service, telling each request.
    #[must_use]
    pub fn with_log(mut self, log: Log) -> Service {
        self.log = Some(log);
        self
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
        let mut base = base.clone();
        // An address that means all of this machine's is none to ask at.
        let here: Option<IpAddr> = match base.host() {
            Some(Host::Ipv4(Ipv4Addr::UNSPECIFIED)) => Some(Ipv4Addr::LOCALHOST.into()),
            Some(Host::Ipv6(Ipv6Addr::UNSPECIFIED)) => Some(Ipv6Addr::LOCALHOST.into()),
            _ => None,
        };
        if let Some(here) = here {
            // It fails for URLs without a host alone, and this one has one.
            let _ = base.set_ip_host(here);
        }
        let base = base.as_str().trim_end_matches('/');
        let mut lines = vec![format!("serving {}", self.holdings.about())];
        let all = self.holdings.series();
        for series in all.iter().take(TOLD) {
            let day = series.example.date();
            let next = day.succ_opt().unwrap_or(day);
            let count = series.files.map_or(String::new(), |files| format!(" ({})", backend::count(files)));
            let url = format!("{base}/HMI/{}?start={day}T00:00:00Z&end={next}T00:00:00Z", series.name);
            lines.push(format!("  {}{count}: curl '{url}'", series.name));
        }
        if all.len() > TOLD {
            lines.push(format!("  and {} more series", all.len() - TOLD));
        }
        lines.extend(self.faults.as_ref().map(ToString::to_string));
        lines.push(format!("series and days are listed at {base}/browse/"));
        lines.push(format!("try it at {base}/ui/"));
        if let Some(public) = &self.access.public_url {
            lines.push(format!("clients that come by {public} get URLs that begin with it"));
        }
        lines
    }

    /// True when there is nothing to list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holdings.series().is_empty()
    }

    /// The routes alone, for a server of one's own; layers can be put around them.
    pub fn router(&self) -> Router {
        let router = routes::router(Arc::clone(&self.holdings), self.access.clone(), self.faults.clone());
        match &self.log {
            Some(log) => log::with_log(router, Arc::clone(log)),
            None => router,
        }
    }

    /// Listens at `addr` (port 0: any free one) and answers from then on.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(self, addr: SocketAddr) -> io::Result<Running> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let base_url = Url::parse(&format!("http://{addr}/")).map_err(io::Error::other)?;
        let stop = CancellationToken::new();
        let server = listener::serve(listener, self.router(), self.faults.is_some(), stop.clone());
        let server = tokio::spawn(server);
        Ok(Running { service: self, base_url, stop: stop.drop_guard(), server: Some(server) })
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

/// A service that answers. Dropping it ends it: no new connections, and answers under way have a few seconds to be
/// finished beside.
#[derive(Debug)]
pub struct Running {
    service: Service,
    base_url: Url,
    stop: DropGuard,
    server: Option<JoinHandle<()>>,
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

    /// Ends it and waits until the answers under way are finished, for a few seconds at most.
    ///
    /// # Errors
    /// When the server failed.
    pub async fn stop(mut self) -> io::Result<()> {
        drop(self.stop);
        match self.server.take() {
            Some(server) => server.await.map_err(io::Error::other),
            None => Ok(()),
        }
    }
}
