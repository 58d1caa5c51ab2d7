//! Where a listed URL leads: onto the source's own base, or to a host that the manifest names. Nowhere else.
//!
//! It never moves a URL to another host: only the HMI service does not know its own name.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::failure::{Class, Failure};
use crate::manifest::is_on_one_of;
use crate::net::{is_below, without_secrets};
use crate::untrusted::escape;

/// What the way to a file beside the base begins with.
pub(super) const UP: &str = "../";

/// Longer URLs are no file's address.
pub(super) const LONGEST: usize = 2_000;

/// The places of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct UrlScope<'a> {
    /// Its own, whose path ends in `/`.
    pub(super) base: &'a Url,
    /// Further hosts, each with its port where that is not the usual one.
    pub(super) hosts: &'a [String],
}

/// A listed URL that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScopedUrl {
    /// What to ask.
    pub(super) url: Url,
    /// What a record keeps, without secrets, as [`UrlScope::relative_to_base`] has it.
    pub(super) path: String,
    /// The same without a host: on a further one the path there, and the query.
    pub(super) key: String,
}

impl UrlScope<'_> {
    /// Reads a listed URL. On the base's own host, `http` and `https` at their usual ports mean the base's.
    ///
    /// # Errors
    /// `listing-malformed` for what is no URL or could lead astray, `source-refused` for a host that is not named.
    pub(super) fn resolve(&self, listed: &str) -> Result<ScopedUrl, Failure> {
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
        let path = self.relative_to_base(&url);
        let key = path.strip_prefix(&url.origin().ascii_serialization()).unwrap_or(&path).to_owned();
        Ok(ScopedUrl { url, path, key })
    }

    /// What a record keeps of a URL that may be asked for, with the query but without secrets: the path below the base with
    /// a leading slash, the way from the base for what lies beside it on its origin (`../pub/a.fits`), else the whole URL.
    pub(super) fn relative_to_base(&self, url: &Url) -> String {
        let is_own = url.origin() == self.base.origin();
        let below = url.path().strip_prefix(self.base.path()).filter(|_| is_own).map(|below| format!("/{below}"));
        let beside = || is_own.then(|| way(self.base, url)).flatten();
        let whole = || format!("{}{}", url.origin().ascii_serialization(), url.path());
        below.or_else(beside).unwrap_or_else(whole) + &open_query(url)
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

/// The way from a base to what lies beside it on its origin, without the query; none where no such way leads there.
fn way(base: &Url, url: &Url) -> Option<String> {
    let mut there = url.clone();
    there.set_query(None);
    let way = base.make_relative(&there).filter(|way| way.starts_with(UP))?;
    (base.join(&way).ok()? == there).then_some(way)
}

/// Where a recorded address of a source's own leads from its base: below it, or beside it on the same origin where it
/// begins with `../`. None for what leads anywhere else.
pub(crate) fn from_base(base: &Url, recorded: &str) -> Option<Url> {
    let (path, query) = recorded.split_once('?').map_or((recorded, None), |(path, query)| (path, Some(query)));
    let mut url = if path.starts_with(UP) {
        base.join(path).ok().filter(|url| url.origin() == base.origin())?
    } else {
        let mut url = base.clone();
        url.set_path(&format!("{}{}", base.path(), path.strip_prefix('/')?));
        Some(url).filter(|url| is_below(base, url))?
    };
    url.set_query(query);
    Some(url)
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
        let places = UrlScope { base: &base, hosts: &hosts };
        let place = places.resolve(listed).map_err(|failure| failure.class)?;
        Ok((place.url.into(), place.path, place.key))
    }

    #[test]
    fn l_10_a_listed_url_lies_on_the_base_or_on_a_host_that_is_named() {
        let is = |url: &str, path: &str, key: &str| Ok((url.to_owned(), path.to_owned(), key.to_owned()));
        let base = "https://h.example/hapi/";
        assert_eq!(on(base, "https://h.example/hapi/x?y=1"), is("https://h.example/hapi/x?y=1", "/x?y=1", "/x?y=1"));
        let beside = "https://h.example/pub/x";
        assert_eq!(on(base, beside), is(beside, "../pub/x", "../pub/x"));
        assert_eq!(
            on(base, "http://h.example/pub/x"),
            is(beside, "../pub/x", "../pub/x"),
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
        let signed = "https://h.example/pub/x?v=1&token=t";
        assert_eq!(on(base, signed), is(signed, "../pub/x?v=1", "../pub/x?v=1"));
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
            if let Ok(place) = (UrlScope { base: &base, hosts: &hosts }).resolve(&format!("http://{host}{tail}")) {
                let own = place.url.origin() == base.origin();
                prop_assert!(own || place.url.host_str() == Some("data.example.org"), "{}", place.url);
                prop_assert!(place.url.username().is_empty() && place.url.password().is_none());
            }
        }
    }

    #[test]
    fn what_is_recorded_leads_back_on_the_base_s_own_origin_or_nowhere() {
        let base: Url = "http://h.example:81/a/hapi/".parse().unwrap();
        let of = |recorded: &str| from_base(&base, recorded).map(String::from);
        for (recorded, leads) in [
            ("/x/y?z=1", "http://h.example:81/a/hapi/x/y?z=1"),
            ("//evil.example/x", "http://h.example:81/a/hapi//evil.example/x"),
            ("../pub/x?z=1", "http://h.example:81/a/pub/x?z=1"),
            ("../../pub/x", "http://h.example:81/pub/x"),
            ("../../../../../etc/x", "http://h.example:81/etc/x"),
            ("..///evil.example/x", "http://h.example:81/a///evil.example/x"),
        ] {
            assert_eq!(of(recorded).as_deref(), Some(leads), "{recorded}");
        }
        for leaving in ["/../x", "/%2e%2e/x", "x", "", "..", "http://evil.example/x", "./x"] {
            assert_eq!(of(leaving), None, "{leaving}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_kept_address_leads_back_to_the_file_and_holds_no_host(
            tail in "[a-c/:.%2?=&]{0,24}", base in prop::sample::select(&["/", "/p/", "/a/hapi/", "/a/b/c/"][..]),
        ) {
            let base: Url = format!("http://h.example:81{base}").parse().unwrap();
            let places = UrlScope { base: &base, hosts: &[] };
            if let Ok(place) = places.resolve(&format!("http://h.example:81/{tail}")) {
                prop_assert!(place.path.starts_with('/') || place.path.starts_with(UP), "{}", place.path);
                prop_assert_eq!(&place.key, &place.path);
                let mut back = from_base(&base, &place.path).unwrap();
                prop_assert_eq!(back.path(), place.url.path());
                back.set_query(place.url.query());
                prop_assert_eq!(back, place.url);
            }
        }
    }
}
