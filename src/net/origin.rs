//! Origins: which places a client may talk to, and how a URL is shown without its secrets.
//!
//! What it does not do: resolve names.

use std::fmt;

use url::{Host, Url};

use crate::untrusted::escape;

/// Scheme, host and port: what a secret, a contact and a listing's URLs are bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` URL; `None` for any other.
    pub(super) fn of(url: &Url) -> Option<Origin> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        Some(Origin {
            scheme: url.scheme().to_owned(),
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    /// True when `url` lies on this origin; asked for every request, so it makes no copies.
    pub(super) fn holds(&self, url: &Url) -> bool {
        url.scheme() == self.scheme
            && url.port_or_known_default() == Some(self.port)
            && match (url.host(), &self.host) {
                (Some(Host::Domain(a)), Host::Domain(b)) => a == b,
                (Some(Host::Ipv4(a)), Host::Ipv4(b)) => a == *b,
                (Some(Host::Ipv6(a)), Host::Ipv6(b)) => a == *b,
                _ => false,
            }
    }

    /// True when the host is this machine itself; a proxy is never asked for it.
    pub(super) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => is_localhost(name),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => {
                address.is_loopback() || address.to_ipv4_mapped().is_some_and(|mapped| mapped.is_loopback())
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Parameters of the services' own questions: their values are the manifest's, or ours.
const HARMLESS: &[&str] =
    &["start", "end", "stop", "time.min", "time.max", "meta", "limit", "media", "dataset", "parameters", "op"];

/// A URL for messages: no login, no fragment, and of the query only the values that are known to be harmless.
pub(crate) fn shown(url: &Url) -> String {
    let mut text = format!("{}://", url.scheme());
    if let Some(host) = url.host() {
        text.push_str(&host.to_string());
    }
    if let Some(port) = url.port() {
        text.extend([":", &port.to_string()]);
    }
    text.push_str(url.path());
    if let Some(query) = url.query() {
        let mut separator = "?";
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = if HARMLESS.contains(&key) { value } else { "…" };
            text.extend([separator, key, "=", value]);
            separator = "&";
        }
    }
    escape(&text).into_owned()
}

/// True when `url` lies on the origin of `base` and below its path.
pub(crate) fn is_below(base: &Url, url: &Url) -> bool {
    url.origin() == base.origin() && url.path().starts_with(base.path())
}

/// Parameters whose names hold one of these words, in any case, hold a secret; so do those named `key`, `sig` or `pwd`.
const TELLING: &[&str] =
    &["token", "secret", "passw", "signature", "credential", "session", "auth", "apikey", "api_key", "api-key"];

/// A query without the parameters that hold secrets, for records: they outlive what they opened.
pub(crate) fn without_secrets(query: &str) -> String {
    let is_open = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !matches!(name.as_str(), "key" | "sig" | "pwd") && !TELLING.iter().any(|word| name.contains(word))
    };
    query.split('&').filter(is_open).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn an_origin_holds_its_own_urls_whatever_way_the_port_is_written() {
        let origin = Origin::of(&url("http://h.example/HMI/")).unwrap();
        assert!(origin.holds(&url("http://H.example:80/x?y")));
        assert!(!origin.holds(&url("https://h.example/")));
        assert!(!origin.holds(&url("http://h.example:8080/")));
        assert!(!origin.holds(&url("http://h.example.org/")));
        assert_eq!(Origin::of(&url("file:///etc/passwd")), None);
    }

    #[test]
    fn a_recorded_query_has_no_secret_parameters() {
        assert_eq!(without_secrets("a=1&Token=x&X-Amz-Signature=y&b&key=z&keyword=w"), "a=1&b&keyword=w");
        assert_eq!(without_secrets("api_key=x"), "");
    }

    #[test]
    fn a_shown_url_has_no_login_and_no_unknown_values() {
        let shown = shown(&url("http://me:pw@h.example:81/a?start=2015-12-11T00:00:00Z&token=secret&bare#frag"));
        assert_eq!(shown, "http://h.example:81/a?start=2015-12-11T00:00:00Z&token=…&bare=…");
    }
}
