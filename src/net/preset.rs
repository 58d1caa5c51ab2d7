//! Manners: which group a host belongs to, and which limits hold there.
//!
//! What it does not do: keep a pace.

use url::{Host, Url};

use crate::manifest::{Bandwidth, Limits, Rate};

/// The limits that hold for one job at one host group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Effective {
    /// Requests per second.
    pub(super) requests: Rate,
    /// Bytes per second.
    pub(super) bandwidth: Bandwidth,
    /// Requests under way at once.
    pub(super) concurrency: u32,
    /// The preset's name.
    pub(super) preset: &'static str,
    /// Who agreed to more than the preset.
    pub(super) agreed_with: Option<String>,
}

/// The host group of a URL: one pace for all its hosts.
pub(super) fn group_of(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) if is_below(name, "stanford.edu") => "jsoc".into(),
        Some(Host::Domain(name)) if is_below(name, "noaa.gov") => "noaa".into(),
        Some(host) => match url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        },
        None => String::new(),
    }
}

/// The job's limits on top of the host's preset; `None` when they would raise a public one without an agreement.
pub(super) fn effective(url: &Url, embedded: bool, limits: &Limits) -> Option<Effective> {
    let (preset, concurrency, requests) = preset_of(url, embedded);
    let is_public = !matches!(preset, "private" | "embedded");
    let asked = limits.requests.unwrap_or(requests);
    let connections = limits.concurrency.unwrap_or(concurrency).max(1);
    let raises = connections > concurrency
        || match (asked, requests) {
            (Rate::PerSecond(asked), Rate::PerSecond(preset)) => asked > preset,
            (Rate::Unlimited, Rate::PerSecond(_)) => true,
            (_, Rate::Unlimited) => false,
        };
    if is_public && raises && limits.agreed_with.is_none() {
        return None;
    }
    Some(Effective {
        requests: asked,
        bandwidth: limits.bandwidth.unwrap_or(Bandwidth::Unlimited),
        concurrency: connections,
        preset,
        agreed_with: limits.agreed_with.clone(),
    })
}

fn preset_of(url: &Url, embedded: bool) -> (&'static str, u32, Rate) {
    if embedded {
        return ("embedded", 8, Rate::Unlimited);
    }
    match url.host() {
        Some(Host::Domain(name)) if is_below(name, "stanford.edu") => ("jsoc", 1, Rate::PerSecond(2.0)),
        Some(Host::Domain(name)) if is_below(name, "noaa.gov") => ("noaa", 4, Rate::PerSecond(4.0)),
        Some(host) if super::origin::is_private(&host) => ("private", 4, Rate::PerSecond(8.0)),
        _ => ("public", 2, Rate::PerSecond(2.0)),
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.trim_end_matches('.').strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_of_one_operator_share_a_group() {
        assert_eq!(group_of(&url("http://jsoc.stanford.edu/a")), group_of(&url("https://jsoc1.stanford.edu:444/")));
        assert_eq!(group_of(&url("http://notstanford.edu/")), "notstanford.edu:80");
        assert_eq!(group_of(&url("http://localhost:8001/")), "localhost:8001");
    }

    #[test]
    fn a_public_preset_is_raised_only_by_agreement() {
        let mut limits = Limits { requests: Some(Rate::PerSecond(10.0)), ..Limits::default() };
        assert_eq!(effective(&url("http://jsoc.stanford.edu/"), false, &limits), None);
        limits.agreed_with = Some("Art, 2026-01-08".into());
        let raised = effective(&url("http://jsoc.stanford.edu/"), false, &limits).unwrap();
        assert_eq!((raised.requests, raised.concurrency), (Rate::PerSecond(10.0), 1));
        limits.agreed_with = None;
        assert_eq!(effective(&url("http://10.0.0.7/"), false, &limits).unwrap().preset, "private");
    }
}
