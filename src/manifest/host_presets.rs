//! How politely a host is treated when nobody agreed to more: the presets, host groups, and what a manifest may change.
//!
//! Pure data. What it does not do: keep anyone waiting; `net` does.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use super::model::{Bandwidth, HostAccess, Limits, Rate, Tunnel};

/// What a host is asked at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// `jsoc`, `noaa`, `public`, `private` or `embedded`.
    pub name: &'static str,
    /// Connections at once.
    pub connections: u32,
    /// Requests per time.
    pub requests: Rate,
}

/// JSOC asked its users for one connection, and has blocked addresses that took more.
const JSOC: Preset = Preset { name: "jsoc", connections: 1, requests: Rate::PerSecond(2.0) };
const NOAA: Preset = Preset { name: "noaa", connections: 4, requests: Rate::PerSecond(4.0) };
const PUBLIC: Preset = Preset { name: "public", connections: 2, requests: Rate::PerSecond(2.0) };
const PRIVATE: Preset = Preset { name: "private", connections: 4, requests: Rate::PerSecond(8.0) };
pub(super) const EMBEDDED: Preset = Preset { name: "embedded", connections: 8, requests: Rate::Unlimited };

/// The preset of the host in `url`, by the way to it.
#[must_use]
pub fn preset_of(url: &Url, way: HostAccess) -> Preset {
    match way {
        HostAccess::Embedded => return EMBEDDED,
        HostAccess::Tunnel => return PRIVATE,
        HostAccess::Direct if !is_public(url) => return PRIVATE,
        HostAccess::Direct => {}
    }
    match preset_operator(url) {
        Some("jsoc") => JSOC,
        Some("noaa") => NOAA,
        _ => PUBLIC,
    }
}

/// The host as a report names it: `jsoc`, `noaa`, `medoc`, else the host with its port.
///
/// Behind a gateway a name may be another machine's than here, or than behind another gateway: the gateway is named, too.
#[must_use]
pub fn group_of(url: &Url, tunnel: Option<&Tunnel>) -> String {
    let name = match (preset_operator(url), url.port_or_known_default()) {
        (Some(operator), _) => operator.to_owned(),
        (None, Some(port)) => format!("{}:{port}", host_of(url)),
        (None, None) => host_of(url),
    };
    match tunnel {
        Some(tunnel) => format!("{name} via {}", tunnel.gateway()),
        None => name,
    }
}

/// The operator of a public host, whose limits hold for all its hosts together: `jsoc`, `noaa`, `medoc`, else the name that
/// it has registered, such as `nasa.gov`. `None` for a host that is not public.
#[must_use]
pub fn operator_of(url: &Url) -> Option<String> {
    let operator = || preset_operator(url).map_or_else(|| registered_name(&host_of(url)).to_owned(), str::to_owned);
    is_public(url).then(operator)
}

/// The operators whose hosts are known here.
fn preset_operator(url: &Url) -> Option<&'static str> {
    let host = host_of(url);
    let under = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if under("stanford.edu") {
        Some("jsoc")
    } else if under("noaa.gov") {
        Some("noaa")
    } else if under("ias.u-psud.fr") || under("universite-paris-saclay.fr") || host.starts_with("idoc-medoc.") {
        Some("medoc")
    } else {
        None
    }
}

/// Second labels below which a country registers names, such as `ac` in `ac.uk`.
const SECOND_LEVEL: [&str; 15] =
    ["ac", "asso", "co", "com", "csic", "edu", "go", "gob", "gouv", "gov", "govt", "net", "or", "org", "res"];

/// The part of a host's name that its operator has registered: the last two labels, or three below a second level of a
/// country. An address is its own.
///
/// The whole Public Suffix List would add 0.8 MB to the program. Where this rule differs, hosts of two operators share one
/// pace, which is slower but does no harm.
fn registered_name(host: &str) -> &str {
    if host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok() {
        return host;
    }
    let mut labels = host.rsplit('.');
    let (last, second) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
    let count = if last.len() == 2 && SECOND_LEVEL.contains(&second) { 3 } else { 2 };
    let start = host.rmatch_indices('.').nth(count - 1).map_or(0, |(dot, _)| dot + 1);
    &host[start..]
}

/// True when the host is on the open net: no loopback, private or link-local address, and no name of a local network.
#[must_use]
pub fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public_address(address.into()),
        Some(Host::Ipv6(address)) => is_public_address(address.into()),
        Some(Host::Domain(_)) => {
            let host = host_of(url);
            host.contains('.')
                && ![".localhost", ".local", ".internal", ".lan"].iter().any(|suffix| host.ends_with(suffix))
        }
        None => false,
    }
}

/// True for an address of the open net.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

/// The host in lower case; a name may end in a dot, which means nothing here.
fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

/// What holds for one host of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// Requests per time.
    pub requests: Rate,
    /// Bytes per second.
    pub bandwidth: Bandwidth,
    /// Connections at once.
    pub concurrency: u32,
    /// The preset's name.
    pub preset: &'static str,
    /// Who agreed to more than the preset, when the manifest goes above it on a public host.
    pub agreed_with: Option<String>,
}

/// Applies a manifest's limits to the host in `url`.
///
/// On a public host they lower the preset, and raise it only with `agreed_with`; elsewhere they replace it.
#[must_use]
pub fn effective(url: &Url, way: HostAccess, limits: &Limits) -> Effective {
    let preset = preset_of(url, way);
    let raises = exceeds(&preset, limits);
    let is_public = way == HostAccess::Direct && is_public(url);
    let capped = is_public && limits.agreed_with.is_none();
    let requests = limits.requests.unwrap_or(preset.requests);
    let concurrency = limits.concurrency.unwrap_or(preset.connections);
    Effective {
        requests: if capped { lower(requests, preset.requests) } else { requests },
        bandwidth: limits.bandwidth.unwrap_or(Bandwidth::Unlimited),
        concurrency: if capped { concurrency.min(preset.connections) } else { concurrency },
        preset: preset.name,
        agreed_with: limits.agreed_with.clone().filter(|_| raises && is_public),
    }
}

/// True when the limits ask for more than the preset gives.
#[must_use]
pub fn exceeds(preset: &Preset, limits: &Limits) -> bool {
    limits.requests.is_some_and(|rate| is_above(rate, preset.requests))
        || limits.concurrency.is_some_and(|count| count > preset.connections)
}

/// True when `rate` is more than `ceiling`.
#[must_use]
pub fn is_above(rate: Rate, ceiling: Rate) -> bool {
    match (rate, ceiling) {
        (_, Rate::Unlimited) => false,
        (Rate::Unlimited, Rate::PerSecond(_)) => true,
        (Rate::PerSecond(rate), Rate::PerSecond(ceiling)) => rate > ceiling,
    }
}

fn lower(a: Rate, b: Rate) -> Rate {
    if is_above(a, b) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_fall_under_their_presets() {
        for (host, name, group) in [
            ("http://jsoc.stanford.edu/", "jsoc", "jsoc"),
            ("http://JSOC1.Stanford.EDU./", "jsoc", "jsoc"),
            ("https://data.ngdc.noaa.gov/", "noaa", "noaa"),
            ("https://idoc-medoc.ias.u-psud.fr/", "public", "medoc"),
            ("https://idoc-medoc-test.ias.universite-paris-saclay.fr/", "public", "medoc"),
            ("https://notstanford.edu/", "public", "notstanford.edu:443"),
            ("http://stanford.edu.example.org/", "public", "stanford.edu.example.org:80"),
            ("http://8.8.8.8:81/", "public", "8.8.8.8:81"),
            ("http://localhost:8001/", "private", "localhost:8001"),
            ("http://cluster-r730-1:8001/", "private", "cluster-r730-1:8001"),
            ("http://nas.local/", "private", "nas.local:80"),
            ("http://127.1:9/", "private", "127.0.0.1:9"),
            ("http://10.0.0.1/", "private", "10.0.0.1:80"),
            ("http://169.254.1.1/", "private", "169.254.1.1:80"),
            ("http://[::1]:8001/", "private", "[::1]:8001"),
            ("http://[::ffff:10.0.0.1]/", "private", "[::ffff:a00:1]:80"),
            ("http://[fd00::1]/", "private", "[fd00::1]:80"),
            ("http://[2001:db8::1]/", "public", "[2001:db8::1]:80"),
        ] {
            assert_eq!(preset_of(&url(host), HostAccess::Direct).name, name, "{host}");
            assert_eq!(group_of(&url(host), None), group, "{host}");
        }
        assert_eq!(preset_of(&url("http://127.0.0.1:1/"), HostAccess::Embedded), EMBEDDED);
    }

    #[test]
    fn a_public_host_has_the_operator_that_registered_its_name() {
        for (host, operator) in [
            ("http://jsoc1.stanford.edu/", Some("jsoc")),
            ("https://www.sidc.be/", Some("sidc.be")),
            ("http://sidc.be:8080/", Some("sidc.be")),
            ("https://CDAWeb.gsfc.NASA.gov./hapi/", Some("nasa.gov")),
            ("https://notstanford.edu/", Some("notstanford.edu")),
            ("http://stanford.edu.example.org/", Some("example.org")),
            ("https://www.ukssdc.ac.uk/", Some("ukssdc.ac.uk")),
            ("https://solar.nro.nao.ac.jp/", Some("nao.ac.jp")),
            ("https://ac.uk/", Some("ac.uk")),
            ("http://8.8.8.8:81/", Some("8.8.8.8")),
            ("http://[2001:db8::1]/", Some("[2001:db8::1]")),
            ("http://nas.local/", None),
            ("http://localhost:81/", None),
            ("http://10.0.0.1/", None),
        ] {
            assert_eq!(operator_of(&url(host)).as_deref(), operator, "{host}");
        }
    }

    #[test]
    fn a_name_behind_a_gateway_is_a_group_of_its_own_whoever_logs_in() {
        let of = |ssh: &str, port, jump: Option<&str>| {
            let tunnel = Tunnel { ssh: ssh.into(), port, jump: jump.map(str::to_owned), identity: None };
            group_of(&url("http://cluster-r730-1:8001/"), Some(&tunnel))
        };
        assert_eq!(of("gateway.example.org", None, None), "cluster-r730-1:8001 via gateway.example.org");
        assert_eq!(of("jane@gateway.example.org", None, None), of("john@gateway.example.org", None, None));
        assert_eq!(of("gw", Some(2222), None), "cluster-r730-1:8001 via gw:2222");
        assert_eq!(of("gw", None, Some("jane@a,b:22")), "cluster-r730-1:8001 via a,b:22,gw");
    }

    #[test]
    fn a_public_preset_is_lowered_freely_and_raised_only_by_agreement() {
        let jsoc = url("http://jsoc.stanford.edu/");
        let mut limits = Limits { requests: Some(Rate::PerSecond(1.0)), concurrency: Some(5), ..Limits::default() };
        let held = effective(&jsoc, HostAccess::Direct, &limits);
        assert_eq!((held.requests, held.concurrency, held.agreed_with), (Rate::PerSecond(1.0), 1, None));
        limits.agreed_with = Some("JSOC, 2026-01-08".into());
        let agreed = effective(&jsoc, HostAccess::Direct, &limits);
        assert_eq!((agreed.requests, agreed.concurrency), (Rate::PerSecond(1.0), 5));
        assert_eq!(agreed.agreed_with.as_deref(), Some("JSOC, 2026-01-08"));
    }

    #[test]
    fn a_private_preset_is_replaced() {
        let limits = Limits { requests: Some(Rate::Unlimited), concurrency: Some(64), ..Limits::default() };
        let held = effective(&url("http://localhost:8001/"), HostAccess::Direct, &limits);
        assert_eq!((held.requests, held.concurrency, held.preset), (Rate::Unlimited, 64, "private"));
        let plain = effective(&url("http://localhost:8001/"), HostAccess::Direct, &Limits::default());
        assert_eq!((plain.requests, plain.concurrency), (Rate::PerSecond(8.0), 4));
        assert_eq!(plain.bandwidth, Bandwidth::Unlimited);
    }
}
