//! Redirects, followed by hand: each hop is checked before anything is sent to it.
//!
//! What it does not do: send.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::origin::shown;
use crate::failure::{Class, Failure};
use crate::manifest::manners::is_public;
use crate::untrusted::escape;

/// How many redirects one request follows at most.
const HOPS: usize = 10;

/// True for the statuses that name another place for the same thing.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where the redirects of one request have led so far.
#[derive(Debug)]
pub(super) struct Route {
    visited: Vec<Url>,
    /// The place to ask now.
    pub(super) url: Url,
}

impl Route {
    /// Starts at `url`.
    pub(super) fn new(url: Url) -> Route {
        Route { visited: Vec::new(), url }
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
        let door = leads(&self.url, &target, door).map_err(|why| refuse(format!("to {}, {why}", shown(&target))))?;
        if target == self.url || self.visited.contains(&target) {
            return Err(refuse(format!("to {}, where it came from: a loop", shown(&target))));
        }
        self.visited.push(std::mem::replace(&mut self.url, target));
        Ok(door)
    }
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
        let origin = Origin::of(url).unwrap();
        move |url| origin.holds(url).then_some(())
    }

    fn follow(from: &str, location: &[u8]) -> Result<String, String> {
        let from: Url = from.parse().unwrap();
        let door = only(&from);
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, http::HeaderValue::from_bytes(location).unwrap());
        let mut route = Route::new(from);
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
        let mut route = Route::new(start);
        let hop = |route: &mut Route, to: String| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, to.parse().unwrap());
            route.follow(StatusCode::FOUND, &headers, &door)
        };
        for nth in 1..=HOPS {
            hop(&mut route, format!("/?{nth}")).unwrap();
        }
        assert!(hop(&mut route, "/?11".into()).unwrap_err().message.contains("more than 10 times"));
        let mut route = Route::new("http://h.example/0".parse().unwrap());
        hop(&mut route, "/1".into()).unwrap();
        assert!(hop(&mut route, "/0".into()).unwrap_err().message.contains("a loop"));
    }
}
