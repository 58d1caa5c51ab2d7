//! What a run asks of each host: requests, bytes where they are known, and the least time that the limits allow.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use crate::manifest::host_presets;
use crate::manifest::host_presets::Effective;
use crate::manifest::{Bandwidth, HostAccess, Limits, Rate, SourceSpec};
use crate::report::human;
use crate::untrusted::escape;

/// What a run asks of one host group.
#[derive(Debug, Serialize)]
pub(super) struct HostLoad {
    host: String,
    /// Listings and files.
    requests: u64,
    /// Null when nothing gives a size.
    bytes: Option<u64>,
    /// The limits in force, in words.
    limit: String,
    /// The least time that the limits allow; null when they limit nothing, or the sizes that they limit are not known.
    seconds: Option<f64>,
    /// Only the bytes are limited, and nothing tells any.
    #[serde(skip)]
    is_unknown: bool,
}

/// Sums what a run asks, by host group.
pub(super) struct HostLoads<'a> {
    limits: &'a Limits,
    by_group: BTreeMap<String, HostSum>,
}

struct HostSum {
    requests: u64,
    bytes: Option<u64>,
    limits: Effective,
}

impl<'a> HostLoads<'a> {
    /// Nothing yet, of a job with these limits.
    pub(super) fn new(limits: &'a Limits) -> HostLoads<'a> {
        HostLoads { limits, by_group: BTreeMap::new() }
    }

    /// So many more requests to the host of `url`, which a source at `base` has led to, and the bytes of all their answers.
    pub(super) fn add(&mut self, source: &SourceSpec, base: &Url, url: &Url, requests: u64, bytes: Option<u64>) {
        let reach = source.reach();
        let is_elsewhere = url.origin() != base.origin() && reach.is_some_and(|reach| reach.leads_to(url));
        let (url, way) = if is_elsewhere { (url, HostAccess::Direct) } else { (base, source.way()) };
        let tunnel = reach.and_then(|reach| reach.tunnel.as_ref()).filter(|_| !is_elsewhere);
        let group =
            if way == HostAccess::Embedded { "embedded".to_owned() } else { host_presets::group_of(url, tunnel) };
        let new = || HostSum { requests: 0, bytes: None, limits: host_presets::effective(url, way, self.limits) };
        let sum = self.by_group.entry(group).or_insert_with(new);
        sum.requests += requests;
        sum.bytes = [sum.bytes, bytes].into_iter().flatten().reduce(u64::saturating_add);
    }

    /// By host.
    pub(super) fn finish(self) -> Vec<HostLoad> {
        self.by_group.into_iter().map(|(host, sum)| HostLoad::new(host, &sum)).collect()
    }
}

impl HostLoad {
    fn new(host: String, sum: &HostSum) -> HostLoad {
        let HostSum { requests, bytes, limits } = sum;
        let by_requests = match limits.requests {
            Rate::Unlimited => None,
            #[expect(clippy::cast_precision_loss, reason = "an estimate of seconds")]
            Rate::PerSecond(rate) => Some(*requests as f64 / rate),
        };
        let by_bytes = match limits.bandwidth {
            Bandwidth::Unlimited => None,
            #[expect(clippy::cast_precision_loss, reason = "an estimate of seconds")]
            Bandwidth::BytesPerSecond(rate) => bytes.map(|bytes| bytes as f64 / rate as f64),
        };
        let seconds = [by_requests, by_bytes].into_iter().flatten().reduce(f64::max);
        let mut words = match limits.requests {
            Rate::Unlimited => "unlimited".to_owned(),
            Rate::PerSecond(rate) => format!("{rate}/s"),
        };
        // Writing to a String cannot fail.
        let _ = write!(words, ", {}", human::count(u64::from(limits.concurrency), "connection"));
        if let Bandwidth::BytesPerSecond(rate) = limits.bandwidth {
            let _ = write!(words, ", {}", human::rate(rate));
        }
        let is_unknown = seconds.is_none() && limits.bandwidth != Bandwidth::Unlimited;
        // The built-in service is its own preset.
        let preset = if limits.preset == host { String::new() } else { format!("{}: ", limits.preset) };
        HostLoad { host, requests: *requests, bytes: *bytes, limit: format!("{preset}{words}"), seconds, is_unknown }
    }

    /// As a line: `localhost:8001: about 33 requests, at least 4 s (private: 8/s, 4 connections)`.
    pub(super) fn line(&self) -> String {
        let time = match self.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(time) => format!("at least {}", human::span(time)),
            None if self.is_unknown => "time unknown because no sizes are listed".to_owned(),
            None => "as fast as it can".to_owned(),
        };
        let requests = human::count(self.requests, "request");
        format!("{}: about {requests}, {time} ({})", escape(&self.host), self.limit)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 33 requests to a private server, for 9 bytes.
    pub(in crate::cli::plan) fn some() -> HostLoad {
        load(33, Some(9), Rate::PerSecond(8.0), Bandwidth::BytesPerSecond(20 << 20))
    }

    fn load(requests: u64, bytes: Option<u64>, rate: Rate, bandwidth: Bandwidth) -> HostLoad {
        let limits = Effective { requests: rate, bandwidth, concurrency: 4, preset: "private", agreed_with: None };
        HostLoad::new("localhost:8001".into(), &HostSum { requests, bytes, limits })
    }

    #[test]
    fn the_slower_of_the_limits_gives_the_time() {
        let seconds = |rate, bandwidth| load(80, Some(100 << 20), rate, bandwidth).seconds.map(f64::round);
        assert_eq!(seconds(Rate::PerSecond(8.0), Bandwidth::Unlimited), Some(10.0));
        assert_eq!(seconds(Rate::PerSecond(8.0), Bandwidth::BytesPerSecond(5 << 20)), Some(20.0));
        assert_eq!(seconds(Rate::Unlimited, Bandwidth::Unlimited), None);
        let untold = load(80, None, Rate::Unlimited, Bandwidth::BytesPerSecond(5 << 20));
        assert_eq!((untold.seconds, untold.is_unknown), (None, true));
    }
}
