//! Listed URLs: checked, moved onto the source's own base, and read for what they name.
//!
//! The host in them is not trusted: the service names itself as it knows itself, not as we reach it; a host that the
//! manifest names beside it is another matter.

use url::{Position, Url};

use crate::manifest::Reach;
use crate::net::without_secrets;
use crate::source::url_scope::check;

/// Where the service's own paths begin.
const ROOT: &str = "/HMI/";

/// A listed URL on the source's base, or on one of its further hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// What to ask.
    pub(super) url: Url,
    /// What a record keeps, without secrets: path and query relative to the base, with a leading slash; the whole URL
    /// where that is on a further host.
    pub(super) path: String,
    /// Where the path begins in `path`.
    start: usize,
}

/// A record's file, as v2 and v3 name it in their URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordFile {
    /// The record's number.
    pub(super) recnum: i64,
    /// The segment.
    pub(super) segment: String,
    /// The name to give the file, when the URL's own would not do.
    pub(super) name: Option<String>,
}

impl Address {
    /// Moves a listed URL onto `base`, whose path ends in `/`, unless it lies on a further host that `reach` names.
    ///
    /// # Errors
    /// What is wrong with the URL, in a few words.
    pub(super) fn on(base: &Url, reach: Option<&Reach>, listed: &str) -> Result<Address, &'static str> {
        check(listed)?;
        let mut parsed = Url::parse(listed).map_err(|_| "which is no URL")?;
        let open = without_secrets(parsed.query().unwrap_or_default());
        if parsed.origin() != base.origin() && reach.is_some_and(|reach| reach.leads_to(&parsed)) {
            if base.scheme() == "https" && parsed.scheme() == "http" {
                return Err("which leaves https for plain http");
            }
            parsed.set_fragment(None);
            let mut kept = parsed.clone();
            kept.set_query(Some(open.as_str()).filter(|query| !query.is_empty()));
            let start = kept[..Position::BeforePath].len();
            return Ok(Address { path: kept.into(), url: parsed, start });
        }
        let path = parsed.path();
        let below = match path.strip_prefix(base.path()) {
            Some(below) => below,
            None if path.starts_with(ROOT) => &path[1..],
            None => return Err("which is not below the service's path"),
        };
        let mut url = base.clone();
        url.set_path(&format!("{}{below}", base.path()));
        url.set_query(parsed.query());
        let query = if open.is_empty() { open } else { format!("?{open}") };
        Ok(Address { path: format!("/{below}{query}"), url, start: 0 })
    }

    /// The path, and the query where one is left: what is kept without the host.
    pub(super) fn on_host(&self) -> &str {
        &self.path[self.start..]
    }

    /// The path alone.
    pub(super) fn bare_path(&self) -> &str {
        self.on_host().split('?').next().unwrap_or_default()
    }

    /// The record and segment that the URL names; `None` when it names none.
    ///
    /// v3: `.../<recnum>/<segment>.fits`; v2: `.../<recnum>_<time>_<segment>.fits`, where a segment may hold `_`.
    pub(super) fn named(&self) -> Option<RecordFile> {
        let mut parts = self.bare_path().rsplit('/');
        let file = parts.next()?.strip_suffix(".fits")?;
        if let Some(recnum) = parts.next().and_then(number) {
            let segment = segment(file)?;
            return Some(RecordFile { recnum, name: Some(format!("{recnum}.{segment}.fits")), segment });
        }
        let mut words = file.splitn(3, '_');
        let recnum = number(words.next()?)?;
        number(words.next()?)?;
        Some(RecordFile { recnum, segment: segment(words.next()?)?, name: None })
    }
}

fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A segment's name as it may stand in a path.
pub(in crate::source) fn segment(text: &str) -> Option<String> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.+".contains(&byte));
    is_plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on(base: &str, listed: &str) -> Result<(String, String), &'static str> {
        Address::on(&base.parse().unwrap(), None, listed).map(|address| (address.url.into(), address.path))
    }

    #[test]
    fn l_10_the_listed_host_gives_way_to_the_source_s_own() {
        let v1 = "http://cluster-r730-1:8001/HMI/sharp_720s/sharp_720s_20151211_182208";
        let path = "/HMI/sharp_720s/sharp_720s_20151211_182208";
        assert_eq!(
            on("http://localhost:8001/", v1).unwrap(),
            (format!("http://localhost:8001{path}"), path.to_owned())
        );
        assert_eq!(on("https://h.example/p/", v1).unwrap(), (format!("https://h.example/p{path}"), path.to_owned()));
        let prefixed = format!("http://x/p{path}?a=b#c");
        assert_eq!(
            on("https://h.example/p/", &prefixed).unwrap(),
            (format!("https://h.example/p{path}?a=b"), format!("{path}?a=b"))
        );
        let signed = on("https://h.example/", &format!("http://x{path}?sig=abc")).unwrap();
        assert_eq!(
            signed,
            (format!("https://h.example{path}?sig=abc"), path.to_owned()),
            "asked with it, kept without"
        );
        assert!(on("https://h.example/p/", "http://x/other/y").is_err());
    }

    #[test]
    fn a_listed_url_on_a_further_host_stays_there_and_is_kept_whole_without_its_secrets() {
        let base: Url = "http://localhost:8001/".parse().unwrap();
        let reach = Reach {
            urls: vec![base.clone()],
            hosts: vec!["data.example.org".into(), "localhost:8001".into()],
            tunnel: None,
            credentials: crate::manifest::Credentials::default(),
        };
        let on = |listed: &str| Address::on(&base, Some(&reach), listed).unwrap();
        let there = on("https://data.example.org/store/7/Br.fits?sig=abc&v=2#top");
        assert_eq!(there.url.as_str(), "https://data.example.org/store/7/Br.fits?sig=abc&v=2");
        assert_eq!(there.path, "https://data.example.org/store/7/Br.fits?v=2");
        assert_eq!((there.bare_path(), there.named().unwrap().recnum), ("/store/7/Br.fits", 7));
        assert_eq!(on("https://data.example.org/a?sig=abc").path, "https://data.example.org/a");
        assert_eq!(on("http://localhost:8001/HMI/a").path, "/HMI/a", "the source's own host stays its base");
        assert_eq!(on("http://cluster-r730-1:8001/HMI/a").url.as_str(), "http://localhost:8001/HMI/a");
        assert!(Address::on(&base, Some(&reach), "https://u:p@data.example.org/a").is_err());
        let secure: Url = "https://api.example.org/".parse().unwrap();
        assert!(Address::on(&secure, Some(&reach), "http://data.example.org/a").is_err());
    }

    #[test]
    fn f_01_urls_that_could_lead_astray_are_refused() {
        for listed in [
            "file:///etc/passwd",
            "/HMI/x",
            "http:/HMI/x",
            "http://u:p@h/HMI/x",
            "http://h/HMI/../x",
            "http://h/HMI/%2e%2E/x",
            "http://h/HMI/.%2e/x",
            "http://h/HMI/./x",
            "http://h/HMI/a%2fb",
            "http://h/HMI/a\\b",
            "http://h/HMI/a%5cb",
            "http://h/HMI/a\nb",
            "http://h/HMI/a%00b",
            "http://",
        ] {
            assert!(on("http://h/", listed).is_err(), "{listed:?}");
        }
        assert!(on("http://h/", &format!("http://h/HMI/{}", "x".repeat(2_000))).is_err());
    }

    #[test]
    fn records_and_segments_are_read_from_both_forms() {
        let named =
            |path: &str| Address::on(&"http://h/".parse().unwrap(), None, &format!("http://h{path}")).unwrap().named();
        let is = |recnum, segment: &str, name: Option<&str>| {
            Some(RecordFile { recnum, segment: segment.into(), name: name.map(str::to_owned) })
        };
        assert_eq!(
            named("/HMI/hmi.sharp_720s/5605571/magnetogram.fits"),
            is(5_605_571, "magnetogram", Some("5605571.magnetogram.fits"))
        );
        assert_eq!(named("/HMI/sharp_cea_720s_nrt/1958485_20160119011008_Br.fits"), is(1_958_485, "Br", None));
        assert_eq!(named("/HMI/s/1_20160119011008_conf_disambig.fits"), is(1, "conf_disambig", None));
        for path in ["/HMI/s/x.fits", "/HMI/s/1_2.fits", "/HMI/s/1/.fits", "/HMI/s/1/a%20b.fits", "/HMI/s/-1/a.fits"] {
            assert_eq!(named(path), None, "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_listed_stays_below_the_base(tail in "\\PC{0,40}", prefix in any::<bool>()) {
            let base: Url = "http://h.example:81/p/".parse().unwrap();
            let listed = format!("http://x{}{tail}", if prefix { "/HMI/" } else { "" });
            if let Ok(address) = Address::on(&base, None, &listed) {
                prop_assert_eq!(address.url.origin(), base.origin());
                prop_assert!(address.url.path().starts_with("/p/"), "{}", address.url);
                prop_assert!(address.url.username().is_empty());
            }
        }
    }
}
