//! The kinds of sources as resolved, and what each kind says of itself.
//!
//! What it does not do: list anything; `source` does.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::super::path_pattern::Timed;
use super::super::time_span::span;
use super::Credentials;
use crate::day::Scale;
use crate::untrusted::escape;

/// A kind of source and how to reach it. One variant a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// The HMI service (FLARECAST), or `sunhaul serve`.
    Hmi(Hmi),
    /// JSOC at Stanford.
    Jsoc(Jsoc),
    /// MEDOC at IAS.
    Medoc(Medoc),
    /// Directory listings under dated paths.
    Index(Index),
    /// URLs that follow from the time.
    Template(Timetable),
    /// A HAPI 3 server.
    Hapi(Hapi),
    /// The built-in HMI service on a loopback port, with synthetic data.
    Embedded(Embedded),
}

/// How a source on a network is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Replicas of one thing, at least one. Each has a scheme, host, port and a path that ends in `/`; no query, no
    /// fragment, no userinfo.
    pub urls: Vec<Url>,
    /// Further hosts that links and redirects may lead to, each with its port where that is not the usual one.
    pub hosts: Vec<String>,
    /// The gateway to go through.
    pub tunnel: Option<Tunnel>,
    /// What opens its door; never part of the spec.
    pub credentials: Credentials,
}

impl Reach {
    /// The first replica.
    ///
    /// # Panics
    /// Never: a manifest without one is refused.
    #[must_use]
    pub fn first(&self) -> &Url {
        &self.urls[0]
    }

    /// The way to it.
    #[must_use]
    pub fn way(&self) -> HostAccess {
        if self.tunnel.is_some() { HostAccess::Tunnel } else { HostAccess::Direct }
    }

    /// True when `url` lies on one of the further hosts.
    #[must_use]
    pub fn leads_to(&self, url: &Url) -> bool {
        is_on_one_of(&self.hosts, url)
    }

    /// Where a file is that does not lie below the base, as a record keeps it: on one of the further hosts, or elsewhere on
    /// the source's own. None for what a record keeps relative to the base, and for what leads anywhere else.
    #[must_use]
    pub fn elsewhere(&self, recorded: &str) -> Option<Url> {
        let url = Url::parse(recorded).ok()?;
        let is_ours = self.leads_to(&url) || self.urls.iter().any(|own| own.origin() == url.origin());
        (is_ours && url.username().is_empty() && url.password().is_none()).then_some(url)
    }
}

/// True when `url` lies on one of these hosts: at the port that is named there, else at the usual one of its scheme,
/// `http` or `https`.
#[must_use]
pub fn is_on_one_of(hosts: &[String], url: &Url) -> bool {
    let is_on = |named: &String| {
        let (host, port) = match named.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (named.as_str(), None),
        };
        let is_there = if port.is_some() { url.port_or_known_default() == port } else { url.port().is_none() };
        is_there && url.host_str() == Some(host)
    };
    matches!(url.scheme(), "http" | "https") && hosts.iter().any(is_on)
}

/// The way to a host, as far as manners ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostAccess {
    /// Over the net.
    Direct,
    /// Through a gateway of the user's own.
    Tunnel,
    /// Into this very process.
    Embedded,
}

/// An SSH gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tunnel {
    /// `host` or `user@host`; neither begins with a dash.
    pub ssh: String,
    /// Its port.
    pub port: Option<u16>,
    /// A host to jump over, as `ssh -J` takes it.
    pub jump: Option<String>,
    /// The file of the private key.
    pub identity: Option<PathBuf>,
}

impl Tunnel {
    /// The hosts on the way, without the users that log in there: `bastion,gateway.example.org:2222`.
    #[must_use]
    pub fn gateway(&self) -> String {
        let without_user = |hop: &str| hop.rsplit('@').next().unwrap_or(hop).to_owned();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let last = format!("{}{port}", without_user(&self.ssh));
        let jumps = self.jump.iter().flat_map(|jump| jump.split(',')).map(without_user);
        jumps.chain([last]).collect::<Vec<_>>().join(",")
    }
}

/// The HMI service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hmi {
    /// Where it is.
    pub reach: Reach,
}

/// JSOC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jsoc {
    /// Where it is.
    pub reach: Reach,
    /// Files are ordered from the export system.
    pub export: Option<Export>,
}

/// An order to JSOC's export system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The registered address.
    pub email: String,
    /// The files' form.
    pub protocol: Protocol,
    /// How they are made ready.
    pub method: Method,
    /// What is to be done with the data, in JSOC's words.
    pub process: Option<String>,
}

/// The form of exported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Self-contained FITS files.
    Fits,
    /// Those on disk.
    AsIs,
}

impl Protocol {
    /// JSOC's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Fits => "fits",
            Protocol::AsIs => "as-is",
        }
    }
}

/// How exported files are made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By the queue.
    Url,
    /// At once, where that is possible.
    UrlQuick,
}

impl Method {
    /// JSOC's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Method::Url => "url",
            Method::UrlQuick => "url_quick",
        }
    }
}

/// MEDOC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medoc {
    /// Where it is.
    pub reach: Reach,
    /// The `SITools2` dataset; by the series' name when there is none.
    pub dataset: Option<String>,
}

/// Directory listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The folder that the paths are below.
    pub reach: Reach,
    /// The folders of a day; the folder itself when there is none.
    pub path: Option<Timed>,
    /// The files' names. Together with `path` they tell the date.
    pub files: Timed,
    /// Of names that differ by wildcards alone, the newest only.
    pub newest: bool,
}

/// URLs that follow from the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// The folder that the paths are below.
    pub reach: Reach,
    /// The path of a file. It tells the date, and each value of `each` stands in it.
    pub path: Timed,
    /// How far apart the times are, from 00:00 of each day; in whole seconds, and a day is a multiple of it.
    pub cadence: Duration,
    /// Wavelengths that multiply the files; none when `{wavelength}` does not stand in the path.
    pub wavelength: Vec<i64>,
    /// Segments that multiply the files.
    pub segment: Vec<String>,
}

/// A HAPI 3 server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hapi {
    /// Its HAPI folder.
    pub reach: Reach,
    /// Only these parameters.
    pub parameters: Option<Vec<String>>,
}

/// The built-in HMI service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Embedded {
    /// What the synthetic data are made from.
    pub seed: u64,
}

impl SourceSpec {
    /// The kind's name: the one key under `source:`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            SourceSpec::Hmi(_) => "hmi",
            SourceSpec::Jsoc(_) => "jsoc",
            SourceSpec::Medoc(_) => "medoc",
            SourceSpec::Index(_) => "index",
            SourceSpec::Template(_) => "template",
            SourceSpec::Hapi(_) => "hapi",
            SourceSpec::Embedded(_) => "embedded",
        }
    }

    /// How it is reached; none for the built-in one.
    #[must_use]
    pub fn reach(&self) -> Option<&Reach> {
        match self {
            SourceSpec::Hmi(Hmi { reach })
            | SourceSpec::Jsoc(Jsoc { reach, .. })
            | SourceSpec::Medoc(Medoc { reach, .. })
            | SourceSpec::Index(Index { reach, .. })
            | SourceSpec::Template(Timetable { reach, .. })
            | SourceSpec::Hapi(Hapi { reach, .. }) => Some(reach),
            SourceSpec::Embedded(_) => None,
        }
    }

    /// The way to it, as far as manners ask.
    #[must_use]
    pub fn way(&self) -> HostAccess {
        self.reach().map_or(HostAccess::Embedded, Reach::way)
    }

    /// What opens the source's door; none for one that lets everybody in.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.reach().map(|reach| &reach.credentials).filter(|credentials| !credentials.is_empty())
    }

    /// The scale that the source's days are in.
    #[must_use]
    pub fn scale(&self) -> Scale {
        match self {
            SourceSpec::Jsoc(_) => Scale::Tai,
            _ => Scale::Utc,
        }
    }

    /// True when the address of a file today is the address of it next year: what a lock says of it is enough to fetch it.
    /// JSOC moves files between its disks and its tapes, and what it makes to order is gone after a while.
    #[must_use]
    pub fn has_lasting_addresses(&self) -> bool {
        !matches!(self, SourceSpec::Jsoc(_))
    }

    /// What is wrong with the base of an HMI service that ends where its series begin: it would be asked for `/HMI/HMI/...`.
    pub(in crate::manifest) fn base_below_its_series(&self) -> Option<String> {
        let SourceSpec::Hmi(_) = self else { return None };
        let url = self.reach()?.first();
        let base = url.as_str().trim_end_matches('/').strip_suffix("/HMI")?;
        Some(format!("`url` ends in `/HMI`, below which the service has its series: it is probably `{}`", escape(base)))
    }

    /// True when a key stands for one file for good, since what is made anew has another one. JSOC never changes a record:
    /// it adds another, with a number of its own.
    #[must_use]
    pub fn has_fixed_keys(&self) -> bool {
        matches!(self, SourceSpec::Jsoc(_))
    }

    /// True when the files of a day are not listed but guessed: that one is not there is an answer like any other.
    #[must_use]
    pub fn is_guessed(&self) -> bool {
        matches!(self, SourceSpec::Template(_))
    }

    /// True for a kind that asks any web server for what it finds there, as a crawler does, and so obeys `robots.txt`. The
    /// others ask services that are made for programs.
    #[must_use]
    pub fn obeys_robots(&self) -> bool {
        matches!(self, SourceSpec::Index(_) | SourceSpec::Template(_))
    }

    /// What enters the spec of a day: the base path and what shapes the data, never a host. Of replicas the first one's
    /// path stands for all.
    #[must_use]
    pub fn identity(&self) -> String {
        let path = self.reach().map_or("/", |reach| reach.first().path());
        match self {
            SourceSpec::Hmi(_) => path.to_owned(),
            SourceSpec::Jsoc(Jsoc { export, .. }) => match export {
                None => path.to_owned(),
                Some(Export { protocol, process, .. }) => {
                    format!("{path}?{}&{}", protocol.word(), process.as_deref().unwrap_or_default())
                }
            },
            SourceSpec::Medoc(Medoc { dataset, .. }) => format!("{path}?{}", dataset.as_deref().unwrap_or_default()),
            SourceSpec::Index(Index { path: folder, files, newest, .. }) => {
                let folder = folder.as_ref().map_or("", Timed::text);
                format!("{path}{folder}?{files}{}", if *newest { "&newest" } else { "" })
            }
            SourceSpec::Template(Timetable { path: file, cadence, wavelength, segment, .. }) => {
                format!("{path}{file}?{}&{wavelength:?}&{segment:?}", cadence.as_secs())
            }
            SourceSpec::Hapi(Hapi { parameters, .. }) => {
                format!("{path}?{}", parameters.as_deref().unwrap_or_default().join(","))
            }
            SourceSpec::Embedded(embedded) => format!("/?seed={}", embedded.seed),
        }
    }

    /// The same without what only chooses among the files, where the source itself has such keys: a file of one key is the same
    /// file, whichever of them are asked for.
    #[must_use]
    pub fn files_identity(&self) -> Option<String> {
        let path = self.reach()?.first().path();
        match self {
            SourceSpec::Index(Index { path: folder, newest: false, .. }) => {
                Some(format!("{path}{}", folder.as_ref().map_or("", Timed::text)))
            }
            SourceSpec::Template(Timetable { path: file, .. }) => Some(format!("{path}{}", file.text())),
            _ => None,
        }
    }

    /// What chooses among these files, by the names of the keys.
    #[must_use]
    pub fn choice(&self) -> Map<String, Value> {
        let choice = match self {
            SourceSpec::Index(Index { files, .. }) => vec![("files", json!(files.text()))],
            SourceSpec::Template(Timetable { cadence, wavelength, segment, .. }) => {
                vec![
                    ("cadence", json!(span(cadence.as_secs()))),
                    ("wavelength", json!(wavelength)),
                    ("segment", json!(segment)),
                ]
            }
            _ => Vec::new(),
        };
        choice.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn reach(hosts: &[&str]) -> Reach {
        Reach {
            urls: vec![url("https://h.example/p/")],
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            tunnel: None,
            credentials: Credentials::default(),
        }
    }

    #[test]
    fn a_further_host_is_met_at_its_port_under_both_schemes_and_nowhere_else() {
        let reach = reach(&["data.example.org", "odd.example.org:8080", "plain.example.org:80", "[::1]", "[::2]:81"]);
        for allowed in [
            "http://data.example.org/x",
            "https://DATA.example.org:443/x",
            "http://odd.example.org:8080/",
            "https://odd.example.org:8080/",
            "http://plain.example.org/",
            "https://plain.example.org:80/",
            "http://[::1]/",
            "https://[0:0::2]:81/",
        ] {
            assert!(reach.leads_to(&url(allowed)), "{allowed}");
        }
        for refused in [
            "https://h.example/p/",
            "http://data.example.org:8080/",
            "https://data.example.org:80/",
            "http://a.data.example.org/",
            "http://data.example.org.evil.example/",
            "http://odd.example.org/",
            "https://plain.example.org/",
            "ftp://data.example.org/",
            "http://[::2]/",
            "http://[::1]:81/",
        ] {
            assert!(!reach.leads_to(&url(refused)), "{refused}");
        }
    }

    #[test]
    fn a_record_s_address_elsewhere_is_one_on_a_named_host_or_beside_the_base() {
        let reach = reach(&["data.example.org"]);
        let of = |recorded: &str| reach.elsewhere(recorded).map(String::from);
        for ours in ["https://data.example.org/a?b", "https://h.example/beside/p"] {
            assert_eq!(of(ours).as_deref(), Some(ours));
        }
        for other in [
            "/a",
            "a",
            "",
            "//data.example.org/a",
            "https://u:p@data.example.org/a",
            "http://other.example/a",
            "http://h.example/p/a",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
