//! Where a listed URL leads: onto the source's own base, or to a host that the manifest names. Nowhere else.
//!
//! What it does not do: move a URL to another host. Only the HMI service does not know its own name.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::failure::{Class, Failure};
use crate::manifest::is_on_one_of;
use crate::net::without_secrets;
use crate::untrusted::escape;

/// Longer URLs are no file's address.
const LONGEST: usize = 2_000;

/// The places of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// Its own, whose path ends in `/`.
    pub(super) base: &'a Url,
    /// Further hosts, each with its port where that is not the usual one.
    pub(super) hosts: &'a [String],
}

/// A listed URL that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What to ask.
    pub(super) url: Url,
    /// What a record keeps, without secrets: below the base path and query with a leading slash, else the whole URL.
    pub(super) path: String,
    /// The path on its host, and the query without secrets.
    pub(super) on_host: String,
}

impl Places<'_> {
    /// Reads a listed URL. On the base's own host, `http` and `https` at their usual ports mean the base's.
    ///
    /// # Errors
    /// `listing-malformed` for what is no URL or could lead astray, `source-refused` for a host that is not named.
    pub(super) fn resolve(&self, listed: &str) -> Result<Place, Failure> {
        let refuse = |class, why: &str| Failure::new(class, format!("`{}`, {why}", escape(listed)));
        check(listed).map_err(|why| refuse(Class::ListingMalformed, why))?;
        let mut url = Url::parse(listed).map_err(|_| refuse(Class::ListingMalformed, "which is no URL"))?;
        url.set_fragment(None);
        if url.host() == self.base.host() && url.port().is_none() && self.base.port().is_none() {
            // Both are web schemes, so this cannot fail.
            let _ = url.set_scheme(self.base.scheme());
        }
        if !self.hold(&url) {
            let host = escape(&host_of(&url)).into_owned();
            let why = if host_of(&url) == host_of(self.base) || is_on_one_of(self.hosts, &url) {
                "which leaves https for plain http".to_owned()
            } else {
                format!(
                    "which is not on the source's own host; if it is right, write `hosts: [\"{host}\"]` at the source"
                )
            };
            return Err(refuse(Class::SourceRefused, &why));
        }
        let on_host = format!("{}{}", url.path(), open_query(&url));
        Ok(Place { path: self.kept(&url), url, on_host })
    }

    /// What a record keeps of a URL that may be asked for, as [`Place::path`] has it.
    pub(super) fn kept(&self, url: &Url) -> String {
        let query = open_query(url);
        match url.path().strip_prefix(self.base.path()).filter(|_| url.origin() == self.base.origin()) {
            Some(below) => format!("/{below}{query}"),
            None => format!("{}{}{query}", url.origin().ascii_serialization(), url.path()),
        }
    }

    /// True when a URL may be asked for.
    pub(super) fn hold(&self, url: &Url) -> bool {
        if url.origin() == self.base.origin() {
            return true;
        }
        let is_web = matches!((self.base.scheme(), url.scheme()), (_, "https") | ("http", "http"));
        is_web && is_on_one_of(self.hosts, url)
    }
}

/// The query without secrets, with its `?`; nothing where none is left.
fn open_query(url: &Url) -> String {
    let query = without_secrets(url.query().unwrap_or_default());
    if query.is_empty() { query } else { format!("?{query}") }
}

/// What a record keeps of a question: its path and query below the base.
pub(super) fn question(base: &Url, asked: &Url) -> String {
    let path = asked.path().strip_prefix(base.path()).unwrap_or_default();
    let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("/{path}{query}")
}

/// The host with its port where that is not the usual one, as a manifest names it.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Looks at the text as it was sent: a URL parser mends and resolves what must rather be refused.
pub(super) fn check(listed: &str) -> Result<(), &'static str> {
    if listed.len() > LONGEST {
        return Err("which is longer than 2,000 bytes");
    }
    if listed.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err("which holds a space, a backslash or a control character");
    }
    let after = |scheme: &str| listed.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).map(str::len);
    let scheme = after("http://").or_else(|| after("https://")).ok_or("which is neither http nor https")?;
    let rest = &listed[scheme..];
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if host.contains('@') {
        return Err("which holds a login");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    for part in path.split('/') {
        let decoded: Vec<u8> = percent_decode_str(part).collect();
        if matches!(decoded.as_slice(), b".." | b".") {
            return Err("which climbs out of its folder");
        }
        if decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0..=31 | 127)) {
            return Err("which hides a slash, a backslash or a control character");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOSTS: [&str; 2] = ["data.example.org", "other.example:8443"];

    fn on(base: &str, listed: &str) -> Result<(String, String, String), Class> {
        let (base, hosts) = (base.parse().unwrap(), HOSTS.map(str::to_owned));
        let places = Places { base: &base, hosts: &hosts };
        let place = places.resolve(listed).map_err(|failure| failure.class)?;
        Ok((place.url.into(), place.path, place.on_host))
    }

    #[test]
    fn l_10_a_listed_url_lies_on_the_base_or_on_a_host_that_is_named() {
        let is = |url: &str, path: &str, on_host: &str| Ok((url.to_owned(), path.to_owned(), on_host.to_owned()));
        let base = "https://h.example/hapi/";
        assert_eq!(
            on(base, "https://h.example/hapi/x?y=1"),
            is("https://h.example/hapi/x?y=1", "/x?y=1", "/hapi/x?y=1")
        );
        let beside = "https://h.example/pub/x";
        assert_eq!(on(base, beside), is(beside, beside, "/pub/x"));
        assert_eq!(
            on(base, "http://h.example/pub/x"),
            is(beside, beside, "/pub/x"),
            "the same host, by the base's scheme"
        );
        assert_eq!(on("http://h.example/", "https://h.example/x"), is("http://h.example/x", "/x", "/x"));
        let named = "https://data.example.org/x";
        assert_eq!(on(base, named), is(named, named, "/x"));
        let port = "https://other.example:8443/x";
        assert_eq!(on(base, port), is(port, port, "/x"));
        for foreign in [
            "https://evil.example/x",
            "https://other.example/x",
            "https://h.example:8443/x",
            "http://h.example:8080/x",
            "http://data.example.org/x",
            "https://h.example.evil.example/x",
        ] {
            assert_eq!(on(base, foreign), Err(Class::SourceRefused), "{foreign}");
        }
        assert_eq!(on("http://h.example/", "http://data.example.org/x").map(|it| it.2), Ok("/x".to_owned()));
        for wrong in
            ["s3://h.example/x", "/x", "https://me:pw@h.example/x", "https://h.example/a/../x", "https://h.example/a b"]
        {
            assert_eq!(on(base, wrong), Err(Class::ListingMalformed), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_listed_stays_where_the_manifest_allows(tail in "\\PC{0,40}", host in "(h|data|evil)\\.example(\\.org)?(:81)?") {
            let (base, hosts) = ("http://h.example:81/p/".parse().unwrap(), HOSTS.map(str::to_owned));
            if let Ok(place) = (Places { base: &base, hosts: &hosts }).resolve(&format!("http://{host}{tail}")) {
                let own = place.url.origin() == base.origin();
                prop_assert!(own || place.url.host_str() == Some("data.example.org"), "{}", place.url);
                prop_assert!(place.url.username().is_empty() && place.url.password().is_none());
            }
        }
    }
}
