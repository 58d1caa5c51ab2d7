//! The limits of a job: within what is polite to each host of its sources, unless somebody there agreed to more.
//!
//! What it does not do: hold anybody to them; `net` does.

use std::sync::Arc;

use url::Url;

use super::diagnostic::{Finding, Span};
use super::model::{HostAccess, Limits, SourceSpec};
use super::{host_presets, raw};
use crate::untrusted::escape;

/// Resolves the limits; one above what every host of the job's sources allows goes to `findings`.
pub(super) fn read(
    form: Option<&raw::Limits>,
    sources: &[(Span, Arc<SourceSpec>)],
    findings: &mut Vec<Finding>,
) -> Limits {
    let Some(form) = form else { return Limits::default() };
    let limits = Limits {
        requests: form.requests.value().map(|rate| rate.0),
        bandwidth: form.bandwidth.value().map(|bandwidth| bandwidth.0),
        concurrency: form.concurrency.value().map(|count| count.0),
        agreed_with: form.agreed_with.value().map(|text| text.0.clone()),
    };
    if let Some((at, text)) = form.agreed_with.given()
        && text.0.trim().is_empty()
    {
        findings.push(
            Finding::new(at, "`agreed_with` is empty").hint("say with whom, and when: `agreed_with: \"name, date\"`"),
        );
    }
    let all: Vec<SourceHost> = sources.iter().flat_map(|(_, spec)| places(spec)).collect();
    let presets: Vec<_> =
        all.iter().filter(|place| place.is_public).map(|place| (place.host.as_str(), place.preset)).collect();
    // A private host beside a public one may use the limit; the public one keeps its preset then.
    if !form.agreed_with.is_missing() || presets.is_empty() || presets.len() < all.len() {
        return limits;
    }
    let allowed = |of: &dyn Fn(&host_presets::Preset) -> String| {
        let mut lines: Vec<String> =
            presets.iter().map(|(host, preset)| format!("`{host}` is asked {} at most", of(preset))).collect();
        lines.sort();
        lines.dedup();
        lines.join(", ")
    };
    let hint = "lower it, or ask its operator first and write `agreed_with: \"name, date\"` beside it";
    if let Some((at, rate)) = form.requests.given()
        && presets.iter().all(|(_, preset)| host_presets::is_above(rate.0, preset.requests))
    {
        let ceiling = allowed(&|preset| format!("{} requests", preset.requests));
        findings.push(Finding::new(at, format!("above what is polite: {ceiling}")).hint(hint));
    }
    if let Some((at, count)) = form.concurrency.given()
        && presets.iter().all(|(_, preset)| count.0 > preset.connections)
    {
        let ceiling = allowed(&|preset| match preset.connections {
            1 => "over 1 connection".to_owned(),
            more => format!("over {more} connections"),
        });
        findings.push(Finding::new(at, format!("above what is polite: {ceiling}")).hint(hint));
    }
    limits
}

/// A host of a source, as manners know it.
pub(super) struct SourceHost {
    pub(super) host: String,
    pub(super) is_public: bool,
    preset: host_presets::Preset,
}

/// Every host of a source.
pub(super) fn places(spec: &SourceSpec) -> Vec<SourceHost> {
    let Some(reach) = spec.reach() else {
        return vec![SourceHost { host: "embedded".to_owned(), is_public: false, preset: host_presets::EMBEDDED }];
    };
    let others = reach.hosts.iter().filter_map(|host| Url::parse(&format!("https://{host}/")).ok());
    let place = |url: Url| {
        // The gateway reaches the source's own host; others are reached over the net.
        let way = if reach.urls.contains(&url) { reach.way() } else { HostAccess::Direct };
        SourceHost {
            host: escape(url.host_str().unwrap_or_default()).into_owned(),
            is_public: way == HostAccess::Direct && host_presets::is_public(&url),
            preset: host_presets::preset_of(&url, way),
        }
    };
    reach.urls.iter().cloned().chain(others).map(place).collect()
}
