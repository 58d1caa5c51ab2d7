//! Origins: which places a client may talk to, and how a URL is shown without its secrets.

use std::fmt;

use percent_encoding::percent_decode_str;
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
    pub(super) fn from_url(url: &Url) -> Option<Origin> {
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

/// True for the names of this machine that no resolver is asked for (RFC 6761, 6.3).
pub(super) fn is_localhost(name: &str) -> bool {
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

/// A parameter holds a secret when one of these is a word of its name: `X-Amz-Signature`, `accessToken`.
const TELLING: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "signature",
    "credential",
    "credentials",
    "session",
    "auth",
    "oauth",
    "authorization",
    // Words that are often run together.
    "accesskey",
    "accesstoken",
    "apikey",
    "authkey",
    "authtoken",
    "jsessionid",
    "phpsessid",
    "sessid",
    "sessionid",
];

/// So it does when these are two words of its name, one after the other.
const TELLING_PAIRS: &[[&str; 2]] = &[["api", "key"], ["access", "key"]];

/// And where this is the whole name: within others they mean much else.
const TELLING_ALONE: &[&str] = &["key", "sig", "pwd"];

/// A query without the parameters that hold secrets, for records: they outlive what they opened.
pub(crate) fn without_secrets(query: &str) -> String {
    query.split('&').filter(|pair| !is_telling(name_of(pair))).collect::<Vec<_>>().join("&")
}

/// The names of the parameters that [`without_secrets`] takes out.
pub(crate) fn secret_names(url: &Url) -> impl Iterator<Item = &str> {
    url.query().unwrap_or_default().split('&').map(name_of).filter(|name| is_telling(name))
}

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

/// True for the name of a parameter that holds a secret, as far as a name tells.
fn is_telling(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let words = words(&name);
    TELLING_ALONE.contains(&name.to_lowercase().as_str())
        || words.iter().any(|word| TELLING.contains(&word.as_str()))
        || words.windows(2).any(|two| TELLING_PAIRS.iter().any(|pair| two == pair))
}

/// The words of a name in lower case: it is cut at all that is no letter, and before each capital that begins a word.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let is_small = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(|c| c.is_lowercase());
        if letter.is_uppercase() && (is_small(at.checked_sub(1)) || is_small(Some(at + 1))) {
            words.push(String::new());
        }
        match words.last_mut() {
            Some(word) if letter.is_alphabetic() => word.extend(letter.to_lowercase()),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn an_origin_holds_its_own_urls_whatever_way_the_port_is_written() {
        let origin = Origin::from_url(&url("http://h.example/HMI/")).unwrap();
        assert!(origin.holds(&url("http://H.example:80/x?y")));
        assert!(!origin.holds(&url("https://h.example/")));
        assert!(!origin.holds(&url("http://h.example:8080/")));
        assert!(!origin.holds(&url("http://h.example.org/")));
        assert_eq!(Origin::from_url(&url("file:///etc/passwd")), None);
    }

    #[test]
    fn a_recorded_query_has_no_secret_parameters() {
        assert_eq!(without_secrets("a=1&Token=x&X-Amz-Signature=y&b&key=z&keyword=w"), "a=1&b&keyword=w");
        assert_eq!(without_secrets("api_key=x"), "");
    }

    #[test]
    fn a_secret_is_known_by_whole_words_of_its_parameter_s_name() {
        for secret in [
            "key",
            "KEY",
            "sig",
            "token",
            "TOKEN",
            "accessToken",
            "X-Amz-Security-Token",
            "X-Goog-Signature",
            "AWSAccessKeyId",
            "apiKey",
            "APIKey",
            "api-key",
            "apikey",
            "sessionID",
            "session_id2",
            "to%6ben",
            "auth",
        ] {
            assert!(is_telling(secret), "{secret}");
        }
        for open in
            ["author", "authors", "authority", "keyword", "sort_key", "tokenizer", "obsession", "design", "id", ""]
        {
            assert!(!is_telling(open), "{open}");
        }
    }

    #[test]
    fn a_shown_url_has_no_login_and_no_unknown_values() {
        let shown = shown(&url("http://me:pw@h.example:81/a?start=2015-12-11T00:00:00Z&token=secret&bare#frag"));
        assert_eq!(shown, "http://h.example:81/a?start=2015-12-11T00:00:00Z&token=…&bare=…");
    }
}
