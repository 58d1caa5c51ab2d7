//! One origin that a client may ask, with the host's manners and the way there.
//!
//! It does not follow redirects.

use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio::time::timeout;
use url::Url;

use super::body::seconds;
use super::classify::{self, failure};
use super::host_session::HostSession;
use super::origin::Origin;
use super::transport::Settings;
use super::tunnel::{HostTunnel, TunnelPassage};
use crate::failure::{Class, Failure, limit_hint};
use crate::manifest::Timeouts;

/// An origin and the way there.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) origin: Origin,
    pub(super) host: Arc<HostSession>,
    pub(super) way: OriginRoute,
}

/// How an origin is reached.
#[derive(Debug)]
pub(super) enum OriginRoute {
    /// Over the net.
    Net(reqwest::Client),
    /// Through a gateway.
    Gateway(Arc<HostTunnel>, Settings),
}

/// What a request goes through.
#[derive(Debug)]
pub(super) enum Connector {
    /// The net.
    Net(reqwest::Client),
    /// A tunnel that is up.
    Tunnel(TunnelPassage),
}

impl Door {
    /// Makes the way ready. To be done before the request has its turn, since a tunnel may take long.
    ///
    /// # Errors
    /// `unreachable` or `forbidden` when there is no tunnel, with `ssh`'s own words.
    pub(super) async fn open(&self, url: &Url) -> Result<Connector, Failure> {
        let (tunnel, settings) = match &self.way {
            OriginRoute::Net(http) => return Ok(Connector::Net(http.clone())),
            OriginRoute::Gateway(tunnel, settings) => (tunnel, *settings),
        };
        let passage = tunnel.passage(settings).await;
        let passage = passage.map_err(|trouble| of_this_machine(failure(trouble.class, url, &trouble.why)))?;
        if passage.is_restarted {
            self.host.tunnel_restarted();
        }
        Ok(Connector::Tunnel(passage))
    }
}

impl Connector {
    /// True for a tunnel that is not there any more.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Connector::Tunnel(passage) if passage.has_ended())
    }

    /// One GET: the answer as far as its headers.
    ///
    /// # Errors
    /// A classified [`Failure`].
    pub(super) async fn get(
        &self,
        url: &Url,
        headers: HeaderMap,
        timeouts: Timeouts,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = reqwest::Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers;
        let http = match self {
            Connector::Net(http) => http,
            Connector::Tunnel(passage) => &passage.http,
        };
        // The connection has its own timer; whether one is made cannot be seen from here, so the time for it is added.
        let limit = timeouts.connect + timeouts.stall;
        let mut failed = match timeout(limit, http.execute(request)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => of_this_machine(classify::before_headers(&error, url)),
            Err(_) => failure(Class::Stalled, url, &format!("no answer within {}", seconds(limit))),
        };
        if let Connector::Tunnel(passage) = self
            && let Some(said) = passage.said().await
        {
            failed.message += "; ssh says: ";
            failed.message += &said;
        }
        Err(failed)
    }
}

/// A host is not to blame where this process may open no more files: the lookup of a name, TLS and `ssh` need them too, and
/// say only that they failed.
fn of_this_machine(failed: Failure) -> Failure {
    if failed.class != Class::Unreachable {
        return failed;
    }
    let Err(error) = std::fs::File::open("/") else { return failed };
    match limit_hint(&error) {
        Some(hint) => {
            Failure { class: Class::Storage, message: format!("{} ({error}); hint: {hint}", failed.message), ..failed }
        }
        None => failed,
    }
}
