//! The one door to the network: origins, manners, redirects, retries.
//!
//! No request leaves any other way, so none leaves without its host's pace. What it does not do: know what a
//! listing or a file is.

mod body;
mod bucket;
mod classify;
mod client;
mod clock;
mod group;
mod host;
mod identity;
mod keys;
mod origin;
mod pace;
#[cfg(test)]
mod politeness;
mod redirect;
mod refusal;
mod retry;
pub mod retry_after;
mod stats;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

pub use body::Response;
pub use client::Client;
pub use retry::Waits;
pub use stats::HostStats;

use crate::failure::{Class, Failure};
use crate::manifest::manners::{self, Effective};
use crate::manifest::{Limits, Manifest, Retry, SourceSpec, Timeouts, Way};
use clock::{Clock, RuntimeClock};
use group::Group;
use host::Host;
use keys::Keys;
use origin::Origin;
pub(crate) use origin::{shown, without_secrets};
use transport::Settings;

/// All hosts this process talks to. Manners are shared by every job, since limits belong to the operator's host group;
/// figures are those of one run.
#[derive(Debug, Clone)]
pub struct Net {
    shared: Arc<Shared>,
    /// As this run sees them, by group.
    hosts: Arc<Mutex<BTreeMap<String, Arc<Host>>>>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    groups: Mutex<BTreeMap<String, Arc<Group>>>,
    transports: Mutex<HashMap<Settings, reqwest::Client>>,
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
    pub way: Way,
}

impl Policy {
    /// How a job's run talks to one of its sources.
    #[must_use]
    pub fn of(job: &Manifest, source: &SourceSpec, run: &str) -> Policy {
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
    /// No host known yet.
    #[must_use]
    pub fn new() -> Net {
        let clock = Arc::new(RuntimeClock::start());
        let shared = Arc::new(Shared { clock, groups: Mutex::default(), transports: Mutex::default() });
        Net { shared, hosts: Arc::default() }
    }

    /// A client for the source at `base`. Hosts with the same group share one pace, whatever job asks: of two jobs'
    /// limits the stricter holds.
    ///
    /// # Errors
    /// A [`Failure`] when the HTTP client cannot be built, or `base` or the contact cannot be used.
    pub fn client(&self, base: &Url, policy: Policy) -> Result<Client, Failure> {
        let origin = Origin::of(base).ok_or_else(|| {
            Failure::new(Class::SourceRefused, format!("{}: a source needs an http or https URL", shown(base)))
        })?;
        let limits = manners::effective(base, policy.way, &policy.limits);
        let identity = identity::headers(&policy.job, &policy.run, policy.contact.as_deref())?;
        let settings = Settings {
            connect: policy.timeouts.connect,
            is_direct: origin.is_loopback(),
            idle: limits.concurrency as usize,
        };
        Ok(Client {
            http: self.transport(settings)?,
            host: self.host(manners::group_of(base), &limits, policy.contact),
            keys: Arc::new(Keys::none(origin.clone())),
            origins: Arc::new([origin]),
            identity,
            timeouts: policy.timeouts,
            max_wait: policy.retry.max_wait,
            base: base.clone(),
        })
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

    fn host(&self, name: String, limits: &Effective, contact: Option<String>) -> Arc<Host> {
        let group = self.group(&name, limits);
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&name) {
            host.join(limits, contact);
            return Arc::clone(host);
        }
        let host = Arc::new(Host::new(name.clone(), group, limits, contact));
        hosts.insert(name, Arc::clone(&host));
        host
    }

    fn group(&self, name: &str, limits: &Effective) -> Arc<Group> {
        let mut groups = self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(name) {
            group.join(limits);
            return Arc::clone(group);
        }
        let group = Arc::new(Group::new(Arc::clone(&self.shared.clock), limits));
        groups.insert(name.to_owned(), Arc::clone(&group));
        group
    }

    fn transport(&self, settings: Settings) -> Result<reqwest::Client, Failure> {
        let mut transports = self.shared.transports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = transports.get(&settings) {
            return Ok(transport.clone());
        }
        let transport = transport::build(settings)?;
        transports.insert(settings, transport.clone());
        Ok(transport)
    }
}

impl Default for Net {
    fn default() -> Net {
        Net::new()
    }
}
