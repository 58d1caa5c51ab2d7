//! Which hosts share one group, and so one pace: all names and addresses of one server, and all servers of one operator.
//!
//! A public host is known by its operator's name and by its addresses, whatever the scheme and the port; this machine by
//! the port; any other host by name or address, with the port.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use url::{Host, Url};

use super::clock::Clock;
use super::host_limits::Group;
use super::origin::is_localhost;
use crate::manifest::Tunnel;
use crate::manifest::host_presets;
use crate::manifest::host_presets::Effective;

/// How long the lookup of a name may take.
const LOOKUP: Duration = Duration::from_secs(2);

/// The addresses of a name, empty for one that has none; `None` when the resolver is too slow.
pub(super) type Lookup = fn(&str) -> Option<Vec<IpAddr>>;

/// The host groups of a process.
#[derive(Debug)]
pub(super) struct HostGroups {
    clock: Arc<dyn Clock>,
    lookup: Lookup,
    /// It was too slow once, and is not waited for again: hosts are then known by their names alone.
    resolver_is_slow: bool,
    known: Vec<KnownGroup>,
    /// Indices into `known`, by the host's name in reports.
    by_host: HashMap<String, usize>,
}

/// A group, and what its hosts are known by.
#[derive(Debug)]
struct KnownGroup {
    keys: BTreeSet<String>,
    /// Named hosts whose addresses are not looked up yet: while there is one group there is nothing to compare them with.
    unresolved: Vec<Url>,
    group: Arc<Group>,
}

impl HostGroups {
    /// No group yet.
    pub(super) fn new(clock: Arc<dyn Clock>, lookup: Lookup) -> HostGroups {
        HostGroups { clock, lookup, resolver_is_slow: false, known: Vec::new(), by_host: HashMap::new() }
    }

    /// The group of the host in `url`, which holds the strictest limits of all its hosts, so `limits` too.
    ///
    /// Blocks for up to two seconds where a name must be looked up.
    pub(super) fn group(&mut self, url: &Url, tunnel: Option<&Tunnel>, limits: &Effective) -> Arc<Group> {
        let host = host_presets::group_of(url, tunnel);
        let index = match self.by_host.get(&host) {
            Some(index) => *index,
            None => self.add(url, tunnel, limits),
        };
        self.by_host.insert(host, index);
        let group = &self.known[index].group;
        group.join(limits);
        Arc::clone(group)
    }

    /// Adds a host to the group that it belongs to, or as the first host of a new one; gives the group's index.
    fn add(&mut self, url: &Url, tunnel: Option<&Tunnel>, limits: &Effective) -> usize {
        // A name behind a gateway may be another host than the same name here.
        let mut unresolved: Vec<Url> = tunnel.is_none().then(|| url.clone()).into_iter().collect();
        let mut keys = BTreeSet::from([key_of_name(url, tunnel)]);
        let mut found = self.position(&keys);
        if found.is_none() && tunnel.is_none() && !self.known.is_empty() {
            keys.extend(self.keys_of_addresses(std::mem::take(&mut unresolved)));
            for index in 0..self.known.len() {
                let others = std::mem::take(&mut self.known[index].unresolved);
                let others = self.keys_of_addresses(others);
                self.known[index].keys.extend(others);
            }
            found = self.position(&keys);
        }
        if let Some(index) = found {
            self.known[index].keys.append(&mut keys);
            self.known[index].unresolved.append(&mut unresolved);
            return index;
        }
        self.known.push(KnownGroup { keys, unresolved, group: Arc::new(Group::new(Arc::clone(&self.clock), limits)) });
        self.known.len() - 1
    }

    fn position(&self, keys: &BTreeSet<String>) -> Option<usize> {
        self.known.iter().position(|known| !known.keys.is_disjoint(keys))
    }

    /// What named hosts are known by besides their names.
    fn keys_of_addresses(&mut self, hosts: Vec<Url>) -> Vec<String> {
        let mut keys = Vec::new();
        for url in hosts {
            let Some(Host::Domain(name)) = url.host() else { continue };
            if self.resolver_is_slow || is_localhost(name) {
                continue;
            }
            let addresses = (self.lookup)(name);
            self.resolver_is_slow = addresses.is_none();
            keys.extend(addresses.unwrap_or_default().into_iter().map(|address| key_of_address(&url, address)));
        }
        keys
    }
}

/// What a host is known by without a lookup.
fn key_of_name(url: &Url, tunnel: Option<&Tunnel>) -> String {
    match url.host() {
        _ if tunnel.is_some() => host_presets::group_of(url, tunnel),
        Some(Host::Ipv4(address)) => key_of_address(url, address.into()),
        Some(Host::Ipv6(address)) => key_of_address(url, address.into()),
        Some(Host::Domain(name)) if is_localhost(name) => key_of_address(url, IpAddr::from([127, 0, 0, 1])),
        _ => host_presets::operator_of(url).unwrap_or_else(|| host_presets::group_of(url, None)),
    }
}

fn key_of_address(url: &Url, address: IpAddr) -> String {
    let address = address.to_canonical();
    let port = url.port_or_known_default().unwrap_or_default();
    if is_this_machine(address) {
        format!("this machine:{port}")
    } else if host_presets::is_public_address(address) {
        address.to_string()
    } else {
        format!("{address} {port}")
    }
}

/// True for an address of one of this machine's interfaces: only those can be bound to.
fn is_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

/// Asks the system's resolver, which may be slow and cannot be stopped: this waits for [`LOOKUP`] only.
pub(super) fn look_up(name: &str) -> Option<Vec<IpAddr>> {
    let (send, receive) = mpsc::channel();
    let name = name.to_owned();
    let lookup = std::thread::Builder::new().spawn(move || {
        let addresses = (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect());
        // If the lookup took too long, nobody waits for its result any more.
        let _ = send.send(addresses.unwrap_or_default());
    });
    match lookup {
        Err(_) => Some(Vec::new()),
        Ok(_) => match receive.recv_timeout(LOOKUP) {
            Err(RecvTimeoutError::Timeout) => None,
            answer => Some(answer.unwrap_or_default()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::fake::FakeClock;
    use super::*;
    use crate::manifest::{Bandwidth, Rate};

    fn limits(concurrency: u32) -> Effective {
        let requests = Rate::PerSecond(f64::from(concurrency));
        Effective { requests, bandwidth: Bandwidth::Unlimited, concurrency, preset: "private", agreed_with: None }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a resolver may be slow")]
    fn addresses(name: &str) -> Option<Vec<IpAddr>> {
        let all: &[[u8; 4]] = match name {
            "a.example.org" => &[[203, 0, 113, 1], [203, 0, 113, 2]],
            "www.example.org" | "mirror.example.com" => &[[203, 0, 113, 3]],
            "mirror.example.net" => &[[203, 0, 113, 2]],
            "inside.example.edu" | "nas" => &[[10, 0, 0, 7]],
            "myself" => &[[127, 0, 1, 1]],
            _ => &[],
        };
        Some(all.iter().map(|address| IpAddr::from(*address)).collect())
    }

    fn groups(lookup: Lookup, urls: &[&str]) -> Vec<Arc<Group>> {
        let mut groups = HostGroups::new(Arc::new(FakeClock::default()), lookup);
        urls.iter().map(|url| groups.group(&url.parse().unwrap(), None, &limits(4))).collect()
    }

    #[test]
    fn the_names_and_addresses_of_one_operator_are_one_group() {
        for (one, other, expected) in [
            ("http://127.0.0.1:81/", "http://localhost:81/", true),
            ("http://127.0.0.1:81/", "http://LocalHost.:81/", true),
            ("http://127.0.0.1:81/", "http://me:pw@127.0.0.2:81/", true),
            ("http://127.0.0.1:81/", "http://[::1]:81/", true),
            ("http://127.0.0.1:81/", "http://[::ffff:127.0.0.1]:81/", true),
            ("http://127.0.0.1:81/", "http://2130706434:81/", true),
            ("http://0.0.0.0:81/", "https://x.localhost:81/", true),
            ("http://myself:81/", "http://localhost:81/", true),
            ("http://127.0.0.1:81/", "http://127.0.0.1:82/", false),
            ("http://nas:81/", "http://10.0.0.7:81/", true),
            ("http://nas:81/", "http://[::ffff:10.0.0.7]:81/", true),
            ("http://nas:81/", "http://inside.example.edu:81/", true),
            ("http://nas:81/", "http://10.0.0.7:82/", false),
            ("http://a.example.org/", "https://a.example.org/", true),
            ("http://a.example.org/", "http://A.EXAMPLE.ORG.:8080/", true),
            ("http://a.example.org/", "http://www.example.org:8080/", true),
            ("http://a.example.org/", "https://mirror.example.net/", true),
            ("http://a.example.org/", "https://203.0.113.1:8443/", true),
            ("http://203.0.113.2/", "http://a.example.org/", true),
            ("http://[::ffff:203.0.113.2]/", "http://203.0.113.2/", true),
            ("http://a.example.org/", "http://b.example.net/", false),
            ("http://jsoc.stanford.edu/", "https://jsoc1.stanford.edu/", true),
        ] {
            let both = groups(addresses, &[one, other]);
            assert_eq!(Arc::ptr_eq(&both[0], &both[1]), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_host_that_joined_by_its_name_is_known_by_its_addresses_too() {
        let all =
            groups(addresses, &["http://a.example.org/", "http://www.example.org/", "http://mirror.example.com/"]);
        assert!(all.iter().all(|group| Arc::ptr_eq(group, &all[0])));
    }

    #[test]
    fn of_the_limits_of_its_hosts_the_strictest_hold_for_a_group() {
        let mut groups = HostGroups::new(Arc::new(FakeClock::default()), addresses);
        let mut limit =
            |url: &str, concurrency| groups.group(&url.parse().unwrap(), None, &limits(concurrency)).limit();
        assert_eq!(limit("http://localhost:81/", 4), "4/s, 4 connections");
        assert_eq!(limit("http://127.0.0.1:81/", 2), "2/s, 2 connections");
        assert_eq!(limit("http://[::1]:81/", 8), "2/s, 2 connections");
        assert_eq!(limit("http://localhost:81/", 4), "2/s, 2 connections");
    }

    #[test]
    fn nothing_is_looked_up_for_the_hosts_of_one_operator() {
        let lookup = |name: &str| panic!("{name} was looked up");
        groups(lookup, &["http://a.example.org/", "https://a.example.org/x", "https://b.example.org/"]);
    }

    #[test]
    fn a_resolver_that_was_too_slow_once_is_not_asked_again() {
        let lookup = |name: &str| match name {
            "b.example.net" => None,
            name => panic!("{name} was looked up"),
        };
        let all = groups(lookup, &["http://a.example.org/", "http://b.example.net/", "http://c.example.com/"]);
        assert!(!Arc::ptr_eq(&all[0], &all[1]) && !Arc::ptr_eq(&all[1], &all[2]));
    }
}
