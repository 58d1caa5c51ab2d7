//! The one door to the network: origins, manners, redirects, retries, tunnels.
//!
//! No request leaves any other way, so none leaves without its host's pace.

mod answer_check;
mod auth;
mod bandwidth;
mod body;
mod classify;
mod client;
mod clock;
mod content_range;
mod endpoint;
mod error_body;
mod host_groups;
mod host_limits;
mod host_session;
mod origin;
#[cfg(test)]
mod politeness;
mod rate_limiter;
mod redirect;
mod retry;
pub mod retry_after;
mod robots;
mod stats;
#[cfg(test)]
mod tests;
mod transport;
pub mod tunnel;
mod user_agent;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

pub use answer_check::IsStored;
pub use body::Response;
pub use client::{Client, RefusedRequest};
pub use content_range::ContentRange;
pub use retry::Waits;
pub use stats::HostStats;
pub use user_agent::user_agent;

use crate::failure::{Class, Failure};
use crate::manifest::host_presets;
use crate::manifest::host_presets::Effective;
use crate::manifest::{HostAccess, Limits, Manifest, Retry, SourceSpec, Timeouts, Tunnel as Gateway};
use auth::Keys;
use clock::RuntimeClock;
use endpoint::Door;
use host_groups::HostGroups;
use host_session::HostSession;
use origin::Origin;
pub(crate) use origin::{is_below, secret_names, shown, without_secrets};
use transport::Settings;
use tunnel::{HostTunnel, Ssh};

/// All hosts this process talks to. Manners are shared by every job, since limits belong to the operator's host group;
/// figures are those of one run.
#[derive(Debug, Clone)]
pub struct Net {
    shared: Arc<SharedNet>,
    /// As this run sees them, by group.
    hosts: Arc<Mutex<BTreeMap<String, Arc<HostSession>>>>,
}

#[derive(Debug)]
struct SharedNet {
    groups: Mutex<HostGroups>,
    transports: Mutex<HashMap<Settings, reqwest::Client>>,
    /// How tunnels are made; none where there are none.
    ssh: Option<Ssh>,
    /// By the gateway and the host behind it.
    tunnels: Mutex<BTreeMap<(Gateway, String), Arc<HostTunnel>>>,
}

/// What a client needs to know of its job.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The job's name, for the User-Agent.
    pub job: String,
    /// The run's id, for the User-Agent.
    pub run: String,
    /// Sent as `From` to source origins.
    pub contact: Option<String>,
    /// The manifest's limits.
    pub limits: Limits,
    /// The manifest's timeouts.
    pub timeouts: Timeouts,
    /// The manifest's retry: how long a host's own wait is honoured at most.
    pub retry: Retry,
    /// The way to the source, which decides on its preset.
    pub way: HostAccess,
}

impl Policy {
    /// How a job's run talks to one of its sources.
    fn policy_of_job(job: &Manifest, source: &SourceSpec, run: &str) -> Policy {
        Policy {
            job: job.name.clone(),
            run: run.to_owned(),
            contact: job.contact.clone(),
            limits: job.limits.clone(),
            timeouts: job.timeouts,
            retry: job.retry,
            way: source.way(),
        }
    }
}

impl Net {
    /// No host known yet, and no way through a gateway.
    #[must_use]
    pub fn new() -> Net {
        Net::with(None)
    }

    /// No host known yet; tunnels are made by this `ssh`.
    #[must_use]
    pub fn with_ssh(ssh: Ssh) -> Net {
        Net::with(Some(ssh))
    }

    fn with(ssh: Option<Ssh>) -> Net {
        let shared = SharedNet {
            groups: Mutex::new(HostGroups::new(Arc::new(RuntimeClock::start()), host_groups::look_up)),
            transports: Mutex::default(),
            ssh,
            tunnels: Mutex::default(),
        };
        Net { shared: Arc::new(shared), hosts: Arc::default() }
    }

    /// A client for a job's source at `base`, one of its replicas: with its keys, its gateway, and doors to the further
    /// hosts that it may lead to.
    ///
    /// # Errors
    /// A [`Failure`] when the HTTP client cannot be built, or the manifest's contact, secrets or tunnel cannot be used.
    pub fn open(&self, job: &Manifest, source: &SourceSpec, base: &Url, run: &str) -> Result<Client, Failure> {
        let policy = Policy::policy_of_job(job, source, run);
        let tunnel = source.reach().and_then(|reach| reach.tunnel.as_ref());
        let hosts = source.reach().map_or(&[][..], |reach| &reach.hosts);
        let client = self.to(base, policy, tunnel, hosts)?.with_credentials(source.credentials())?;
        Ok(if source.obeys_robots() { client.within_robots() } else { client })
    }

    /// A client for the source at `base` and nothing else. Hosts with the same group share one pace, whatever job asks: of
    /// two jobs' limits the stricter holds.
    ///
    /// # Errors
    /// A [`Failure`] when the HTTP client cannot be built, or `base` or the contact cannot be used.
    pub fn client(&self, base: &Url, policy: Policy) -> Result<Client, Failure> {
        self.to(base, policy, None, &[])
    }

    fn to(&self, base: &Url, policy: Policy, tunnel: Option<&Gateway>, hosts: &[String]) -> Result<Client, Failure> {
        let Policy { job, run, contact, limits, timeouts, retry, way } = policy;
        let identity = user_agent::headers(&job, &run, contact.as_deref())?;
        let door = |url: &Url, way: HostAccess, tunnel: Option<&Gateway>, contact: Option<String>| {
            let origin = Origin::from_url(url).ok_or_else(|| {
                Failure::new(Class::SourceRefused, format!("{}: a source needs an http or https URL", shown(url)))
            })?;
            let limits = host_presets::effective(url, way, &limits);
            let settings = Settings {
                connect: timeouts.connect,
                is_direct: origin.is_loopback() || tunnel.is_some(),
                idle: limits.concurrency as usize,
            };
            let way = match tunnel {
                Some(gateway) => endpoint::OriginRoute::Gateway(self.tunnel(gateway, url)?, settings),
                None => endpoint::OriginRoute::Net(self.transport(settings)?),
            };
            Ok(Door { origin, host: self.host(url, tunnel, &limits, contact, retry.max_wait), way })
        };
        let own = door(base, way, tunnel, contact)?;
        let places = hosts.iter().flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}/")));
        let places = places.filter_map(|place| Url::parse(&place).ok());
        let others =
            places.map(|place| door(&place, HostAccess::Direct, None, None)).collect::<Result<_, Failure>>()?;
        Ok(Client {
            keys: Arc::new(Keys::none(own.origin.clone())),
            own: Arc::new(own),
            others,
            identity,
            timeouts,
            base: base.clone(),
            robots: None,
        })
    }

    /// Ends what was started to reach hosts, and waits until it is gone.
    pub async fn close(&self) {
        let tunnels = std::mem::take(&mut *self.shared.tunnels.lock().unwrap_or_else(PoisonError::into_inner));
        futures_util::future::join_all(tunnels.values().map(|tunnel| tunnel.close())).await;
    }

    /// The same network for another run: the manners stay, the figures begin anew.
    #[must_use]
    pub fn next_run(&self) -> Net {
        Net { shared: Arc::clone(&self.shared), hosts: Arc::default() }
    }

    /// What each host group saw of this run so far, sorted by name.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostStats> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().map(|host| host.stats()).collect()
    }

    /// The most requests under way at once since this was last asked, each host group's own summed up. For one asker.
    #[must_use]
    pub fn take_peak(&self) -> u64 {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().map(|host| host.take_peak()).sum()
    }

    /// The host in `url` as this run sees it, at the pace of its group.
    fn host(
        &self,
        url: &Url,
        tunnel: Option<&Gateway>,
        limits: &Effective,
        contact: Option<String>,
        max_wait: Duration,
    ) -> Arc<HostSession> {
        let name = host_presets::group_of(url, tunnel);
        let group = self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner).group(url, tunnel, limits);
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&name) {
            host.join(limits, contact);
            return Arc::clone(host);
        }
        let host = Arc::new(HostSession::new(name.clone(), group, limits, contact, max_wait));
        hosts.insert(name, Arc::clone(&host));
        host
    }

    fn transport(&self, settings: Settings) -> Result<reqwest::Client, Failure> {
        let mut transports = self.shared.transports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = transports.get(&settings) {
            return Ok(transport.clone());
        }
        let transport = transport::build(settings, None)?;
        transports.insert(settings, transport.clone());
        Ok(transport)
    }

    /// The tunnel through a gateway to the host of `url`: one for all who go there.
    fn tunnel(&self, gateway: &Gateway, url: &Url) -> Result<Arc<HostTunnel>, Failure> {
        let refused = |why: &str| Failure::new(Class::SourceRefused, format!("{}: {why}", shown(url)));
        let ssh = self.shared.ssh.as_ref().ok_or_else(|| refused("there is no way through a gateway here"))?;
        let new = HostTunnel::new(gateway.clone(), url, ssh.clone()).map_err(|trouble| refused(&trouble.why))?;
        let mut tunnels = self.shared.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
        let tunnel = tunnels.entry((gateway.clone(), new.target().to_owned())).or_insert_with(|| Arc::new(new));
        Ok(Arc::clone(tunnel))
    }
}

impl Default for Net {
    fn default() -> Net {
        Net::new()
    }
}
