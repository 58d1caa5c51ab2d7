//! A link of a listing: whether it leads to a file of the source, and under which name and key.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::source::url_scope::{LONGEST, UrlScope};

/// A link to something that is no folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkTarget {
    /// What to ask.
    pub(super) url: Url,
    /// Its last part, decoded; what is no UTF-8 stands as U+FFFD, which no pattern takes.
    pub(super) name: String,
}

/// A file's place, as a record keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedLink {
    /// Its path, without a query: relative to the base, or from the root of a further host.
    pub(super) key: String,
    /// Relative to the base with a leading slash, or the whole address on a further host; without secrets.
    pub(super) path: String,
}

/// Where a link leads to from the page at `page`; `None` for a folder (the one above, and the links that sort the page),
/// an anchor, and whatever no file can be fetched from.
pub(super) fn target(page: &Url, href: &str) -> Option<LinkTarget> {
    let href = href.trim();
    if href.len() > LONGEST || href.starts_with(['#', '?']) {
        return None;
    }
    // The URL parser would take a backslash for a slash, and the file for one of another folder.
    let mut url = page.join(&href.replace('\\', "%5C")).ok()?;
    url.set_fragment(None);
    let is_open = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_open || url.as_str().len() > LONGEST {
        return None;
    }
    let last = url.path_segments()?.next_back().filter(|last| !last.is_empty())?;
    let name = percent_decode_str(last).decode_utf8_lossy().into_owned();
    Some(LinkTarget { url, name })
}

/// The name of the folder directly below the one that the page at `page` lists, with a `/` at its end; `None` where the link
/// leads elsewhere or to a file. Those of a system's own are left out.
pub(super) fn subfolder(page: &Url, href: &str) -> Option<String> {
    let target = target_folder(page, href)?;
    let below = below(page, &target).filter(|_| page.path().ends_with('/'))?;
    let name = percent_decode_str(below.split_once('/')?.0).decode_utf8_lossy().into_owned();
    (!name.is_empty() && !name.starts_with(['.', '@']) && name != "lost+found").then(|| name + "/")
}

fn target_folder(page: &Url, href: &str) -> Option<Url> {
    let target = page.join(href.trim()).ok()?;
    (target.origin() == page.origin() && target.path().ends_with('/')).then_some(target)
}

/// The last part of a URL's path, decoded; `None` where it is empty or no text.
pub(in crate::source) fn last_part(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back().filter(|last| !last.is_empty())?;
    percent_decode_str(last).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Where a file lies for a source at `base` with these further hosts; `None` where the source may not go.
pub(super) fn place(base: &Url, hosts: &[String], url: &Url) -> Option<RecordedLink> {
    let places = UrlScope { base, hosts };
    if !places.hold(url) {
        return None;
    }
    let is_own = url.origin() == base.origin();
    let key = if is_own { below(base, url)? } else { url.path() };
    Some(RecordedLink { key: key.to_owned(), path: places.relative_to_base(url) })
}

/// The path of a URL on the base's own origin, relative to the base.
pub(in crate::source) fn below<'u>(base: &Url, url: &'u Url) -> Option<&'u str> {
    url.path().strip_prefix(base.path())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "http://h.example:81/data/";

    fn base() -> Url {
        BASE.parse().unwrap()
    }

    fn split_link(href: &str) -> Option<(String, String)> {
        let target = target(&base().join("2015/").unwrap(), href)?;
        let place = place(&base(), &["cdn.example".into(), "o.example:82".into()], &target.url)?;
        Some((place.key, target.name))
    }

    #[test]
    fn files_are_found_however_a_link_is_written() {
        for (href, key, name) in [
            ("a.fits", "2015/a.fits", "a.fits"),
            ("./a;b+c:d.fits", "2015/a;b+c:d.fits", "a;b+c:d.fits"),
            ("/data/2015/a%20b.fits", "2015/a%20b.fits", "a b.fits"),
            ("http://h.example:81/data/2015/%c3%bc.fits", "2015/%c3%bc.fits", "ü.fits"),
            ("a%2520b.fits?x=1&token=t#frag", "2015/a%2520b.fits", "a%20b.fits"),
            ("a'q%22uo%3ct%3ee.fits", "2015/a'q%22uo%3ct%3ee.fits", "a'q\"uo<t>e.fits"),
            ("..%2f..%2fetc.fits", "2015/..%2f..%2fetc.fits", "../../etc.fits"),
            ("a%5cb.fits", "2015/a%5cb.fits", "a\\b.fits"),
            ("a\\b.fits", "2015/a%5Cb.fits", "a\\b.fits"),
            ("%ff.fits", "2015/%ff.fits", "\u{fffd}.fits"),
            ("//cdn.example/a.fits", "/a.fits", "a.fits"),
            ("http://O.example:82/a.fits", "/a.fits", "a.fits"),
        ] {
            assert_eq!(split_link(href), Some((key.to_owned(), name.to_owned())), "{href}");
        }
    }

    #[test]
    fn l_10_what_is_no_file_of_the_source_is_none() {
        for href in [
            "",
            "?C=N;O=D",
            "?C=N&amp;O=D",
            "#top",
            "../",
            "sub/",
            "/",
            "/data/",
            "mailto:a@b.example",
            "javascript:x()",
            "data:text/html,a.fits",
            "ftp://h.example/data/a.fits",
            "file:///data/a.fits",
            "/other/a.fits",
            "../../a.fits",
            "http://u:p@h.example:81/data/a.fits",
            "http://h.example/data/a.fits",
            "https://h.example:81/data/a.fits",
            "http://evil.example/data/a.fits",
            "//cdn.example:81/a.fits",
            "http://o.example/a.fits",
            "%2e%2e/%2e%2e/a.fits",
            "http://",
        ] {
            assert_eq!(split_link(href), None, "{href}");
        }
        assert_eq!(split_link(&"x".repeat(2_001)), None);
    }

    #[test]
    fn a_record_keeps_no_secret_and_a_further_host_is_named() {
        let at = |url: &str| place(&base(), &["cdn.example".into()], &url.parse().unwrap()).map(|place| place.path);
        assert_eq!(at("http://h.example:81/data/a.fits?v=2&token=t").as_deref(), Some("/a.fits?v=2"));
        assert_eq!(at("https://cdn.example/x/a.fits").as_deref(), Some("https://cdn.example/x/a.fits"));
        let secure = "https://h.example/".parse().unwrap();
        let plain = "http://cdn.example/a.fits".parse().unwrap();
        assert_eq!(place(&secure, &["cdn.example".into()], &plain), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_a_link_says_it_stays_below_the_base(href in "\\PC{0,30}|[./%2eh:a\\\\]{0,30}") {
            if let Some(target) = target(&base(), &href)
                && place(&base(), &[], &target.url).is_some()
            {
                prop_assert!(target.url.as_str().starts_with(BASE), "{}", target.url);
            }
        }
    }
}
