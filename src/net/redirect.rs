//! Redirects, followed by hand: each hop is checked before anything is sent to it.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use url::Url;

use super::origin::shown;
use crate::failure::{Class, Failure};
use crate::manifest::host_presets::is_public;
use crate::untrusted::escape;

/// How many redirects one request follows at most.
const HOPS: usize = 10;

/// True for the statuses that name another place for the same thing.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where the redirects of one request may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To whatever a door is open to: a file is known by its checks.
    Anywhere,
    /// To the same path and question, by another scheme or host or with a slash at its end: a listing of another path lists
    /// something else, and nothing in it shows that.
    SamePath,
}

/// Where the redirects of one request have led so far.
#[derive(Debug)]
pub(super) struct Route {
    visited: Vec<Url>,
    leads: Leads,
    /// The place to ask now.
    pub(super) url: Url,
}

impl Route {
    /// Starts at `url`.
    pub(super) fn new(url: Url, leads: Leads) -> Route {
        Route { visited: Vec::new(), leads, url }
    }

    /// What was asked for.
    fn asked(&self) -> &Url {
        self.visited.first().unwrap_or(&self.url)
    }

    /// A failure of the place that the redirects have led to: where that has another name than what was asked for, its 404
    /// says nothing of that.
    pub(super) fn not_found_elsewhere(&self, failure: Failure) -> Failure {
        let name = |url: &Url| url.path().rsplit('/').next().map(str::to_owned);
        if failure.class != Class::NotFound || name(self.asked()) == name(&self.url) {
            return failure;
        }
        let why = "but was redirected there, which says nothing about the requested file";
        let message = format!("{}: asked for {}, {why}; {}", shown(&self.url), shown(self.asked()), failure.message);
        Failure { class: Class::Redirect, message, ..failure }
    }

    /// Goes on to the place that `headers` name, when there is a door to it and it was not seen before; gives the door.
    ///
    /// # Errors
    /// Class `redirect`, with the target and the reason.
    pub(super) fn follow<D>(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        door: impl Fn(&Url) -> Option<D>,
    ) -> Result<D, Failure> {
        let refuse = |why: String| Failure {
            status: Some(status.as_u16()),
            ..Failure::new(Class::Redirect, format!("{}: redirected ({}) {why}", shown(&self.url), status.as_u16()))
        };
        if self.visited.len() == HOPS {
            return Err(refuse(format!("more than {HOPS} times")));
        }
        let target = target(&self.url, headers).map_err(refuse)?;
        if self.leads == Leads::SamePath && !is_same_listing(self.asked(), &target) {
            let what = if has_same_path(self.asked(), &target) { "has another query" } else { "is another path" };
            let why = "and so lists something else; if it has moved there, write that address";
            return Err(refuse(format!("to {}, which {what}, {why}", shown(&target))));
        }
        let door = leads(&self.url, &target, door).map_err(|why| refuse(format!("to {}, {why}", shown(&target))))?;
        if target == self.url || self.visited.contains(&target) {
            return Err(refuse(format!("back to {}: a loop", shown(&target))));
        }
        self.visited.push(std::mem::replace(&mut self.url, target));
        Ok(door)
    }
}

/// True when two URLs have the same path but for a slash at its end, and the same query, however they are encoded.
fn is_same_listing(one: &Url, other: &Url) -> bool {
    has_same_path(one, other) && one.query_pairs().eq(other.query_pairs())
}

fn has_same_path(one: &Url, other: &Url) -> bool {
    let path = |url: &Url| percent_decode_str(url.path().trim_end_matches('/')).collect::<Vec<u8>>();
    path(one) == path(other)
}

/// The place that a `Location` names, relative to `from`.
fn target(from: &Url, headers: &HeaderMap) -> Result<Url, String> {
    let mut all = headers.get_all(LOCATION).iter();
    let location = all.next().ok_or("without saying where to")?;
    if all.next().is_some_and(|second| second != location) {
        return Err("to two places at once".into());
    }
    let bytes = location.as_bytes();
    let lossy = || String::from_utf8_lossy(bytes).into_owned();
    if bytes.is_empty() {
        return Err("without saying where to".into());
    }
    // The URL parser drops tabs and newlines and turns backslashes: what it would read is not what was sent.
    if bytes.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'\\') {
        return Err(format!("to `{}`, which is no URL", escape(&lossy())));
    }
    let mut target = from.join(&lossy()).map_err(|why| format!("to `{}`: {why}", escape(&lossy())))?;
    target.set_fragment(None);
    Ok(target)
}

/// The door that this hop leads to, or why it is refused.
fn leads<D>(from: &Url, target: &Url, door: impl Fn(&Url) -> Option<D>) -> Result<D, &'static str> {
    if !matches!(target.scheme(), "http" | "https") {
        return Err("which is neither http nor https");
    }
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err("from https to plain http");
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("with a login in it");
    }
    door(target).ok_or(if is_public(target) {
        "which is not the source's own host; name that host in the source's `hosts` if it is right"
    } else {
        "a private address that is not the source's"
    })
}

#[cfg(test)]
mod tests {
    use super::super::origin::Origin;
    use super::*;

    /// A door to the origin of `url` alone.
    fn only(url: &Url) -> impl Fn(&Url) -> Option<()> + use<> {
        let origin = Origin::from_url(url).unwrap();
        move |url| origin.holds(url).then_some(())
    }

    fn follow(from: &str, location: &[u8]) -> Result<String, String> {
        let from: Url = from.parse().unwrap();
        let door = only(&from);
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, http::HeaderValue::from_bytes(location).unwrap());
        let mut route = Route::new(from, Leads::Anywhere);
        match route.follow(StatusCode::FOUND, &headers, door) {
            Ok(()) => Ok(route.url.to_string()),
            Err(failure) => {
                assert_eq!(failure.class, Class::Redirect);
                Err(failure.message)
            }
        }
    }

    #[test]
    fn s_10_relative_targets_are_followed_and_broken_ones_refused() {
        assert_eq!(follow("http://h.example/a/b?x=1", b"../c#d").unwrap(), "http://h.example/c");
        assert_eq!(follow("http://h.example/a", b"//h.example:80/d").unwrap(), "http://h.example/d");
        for broken in [&b""[..], b"/caf\xc3\xa9", b"/a b", b"/a\\b", b"http://", b"/a\tb"] {
            assert!(follow("http://h.example/a", broken).is_err(), "{broken:?}");
        }
        assert!(follow("http://h.example/a", b"/a").unwrap_err().contains("a loop"));
    }

    #[test]
    fn s_06_s_07_s_08_hops_that_leave_the_source_are_refused_and_named() {
        for (target, why) in [
            ("https://h.example/", "not the source's own host"),
            ("http://other.example/x?key=secret", "not the source's own host"),
            ("http://127.0.0.1/x", "private address"),
            ("http://2130706433/", "private address"),
            ("http://169.254.169.254/latest", "private address"),
            ("http://[::ffff:10.0.0.1]/", "private address"),
            ("http://0x7f.1/", "private address"),
            ("http://h.example:8080/", "not the source's own host"),
            ("file:///etc/passwd", "neither http"),
            ("data:text/html,hi", "neither http"),
            ("ftp://h.example/a", "neither http"),
            ("http://u:pw@h.example/a", "login"),
        ] {
            let message = follow("http://h.example/a", target.as_bytes()).unwrap_err();
            assert!(message.contains(why), "{target}: {message}");
            assert!(!message.contains("secret") && !message.contains("pw"), "{message}");
        }
        assert!(follow("https://h.example/a", b"http://h.example/b").unwrap_err().contains("plain http"));
    }

    #[test]
    fn s_02_s_03_s_04_loops_and_endless_chains_end() {
        let start: Url = "http://h.example/0".parse().unwrap();
        let door = only(&start);
        let mut route = Route::new(start, Leads::Anywhere);
        let hop = |route: &mut Route, to: String| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, to.parse().unwrap());
            route.follow(StatusCode::FOUND, &headers, &door)
        };
        for nth in 1..=HOPS {
            hop(&mut route, format!("/?{nth}")).unwrap();
        }
        assert!(hop(&mut route, "/?11".into()).unwrap_err().message.contains("more than 10 times"));
        let mut route = Route::new("http://h.example/0".parse().unwrap(), Leads::Anywhere);
        hop(&mut route, "/1".into()).unwrap();
        assert!(hop(&mut route, "/0".into()).unwrap_err().message.contains("a loop"));
    }

    #[test]
    fn s_09_a_listing_is_that_of_its_own_path_by_whatever_scheme_or_host() {
        let asked = "http://h.example/data/2012/a%20b?start=2012-06-01T00:00:00Z";
        let leads = |to: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, to.parse().unwrap());
            let mut route = Route::new(asked.parse().unwrap(), Leads::SamePath);
            route.follow(StatusCode::FOUND, &headers, |_| Some(())).map_err(|failure| failure.message)
        };
        for same in [
            "https://h.example/data/2012/a%20b?start=2012-06-01T00:00:00Z",
            "http://www.h.example/data/2012/a%20b?start=2012-06-01T00:00:00Z",
            "/data/2012/a%20b/?start=2012-06-01T00%3A00%3A00Z",
            "/data/2012/%61%20b/?start=2012-06-01T00:00:00Z",
        ] {
            assert_eq!(leads(same), Ok(()), "{same}");
        }
        for (other, what) in [
            ("/data/2012/", "is another path"),
            ("/data/?start=2012-06-01T00:00:00Z", "is another path"),
            ("/login?next=/data/2012/a%20b", "is another path"),
            ("/data/2012/a%20b", "has another query"),
            ("/data/2012/a%20b/index.html?start=2012-06-01T00:00:00Z", "is another path"),
            ("/new/data/2012/a%20b?start=2012-06-01T00:00:00Z", "is another path"),
            ("/data/2012/a%20b?start=2013-06-01T00:00:00Z", "has another query"),
        ] {
            let why = leads(other).unwrap_err();
            assert!(why.contains(&format!("which {what}, and so lists something else")), "{other}: {why}");
        }
    }

    #[test]
    fn a_404_of_another_place_says_nothing_of_what_was_asked_for() {
        let class = |to: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, to.parse().unwrap());
            let mut route = Route::new("http://h.example/2012/a.fits".parse().unwrap(), Leads::Anywhere);
            route.follow(StatusCode::FOUND, &headers, |_| Some(())).unwrap();
            route.not_found_elsewhere(Failure::new(Class::NotFound, "404")).class
        };
        assert_eq!(class("https://cdn.example/x/a.fits?signature=x"), Class::NotFound);
        assert_eq!(["/maintenance.html", "/", "/2012/b.fits"].map(class), [Class::Redirect; 3]);
    }
}
