//! Under which names the service may be asked: the guard against DNS rebinding.
//!
//! A page in a browser can make a name of its own resolve to this machine; the Host header then still says that name.
//! What it does not do: authenticate anyone.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::Url;

use super::problem::HttpProblem;
use crate::untrusted::escape;

/// The names beside loopback under which the service answers.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The address or name given as `--host`. For an unspecified one (`0.0.0.0`, `::`) every literal address is
    /// accepted: only names can be rebound.
    pub host: Option<String>,
    /// Where clients see the service when a proxy stands before it (`--public-url`).
    pub public_url: Option<Url>,
}

/// The base that a listing's URLs begin with: the client's own, without a slash at the end.
#[derive(Debug, Clone)]
pub(super) struct Base(pub(super) String);

impl Access {
    /// The base for a request under this authority, or `None` when it may not be asked so.
    fn base(&self, authority: &str) -> Option<Base> {
        let asked = Url::parse(&format!("http://{authority}/")).ok()?;
        let plain = asked.username().is_empty() && asked.password().is_none() && asked.path() == "/";
        let host = asked.host_str().filter(|_| plain && asked.query().is_none() && asked.fragment().is_none())?;
        if let Some(public) = &self.public_url
            && public.host_str() == Some(host)
            && asked.port().is_none_or(|port| Some(port) == public.port_or_known_default())
        {
            return Some(Base(public.as_str().trim_end_matches('/').to_owned()));
        }
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let address = bare(host).parse::<IpAddr>().ok();
        let bound = self.host.as_deref().map(bare);
        let known = host == "localhost"
            || address.is_some_and(|address| address.is_loopback())
            || bound.as_deref() == Some(bare(host).as_str())
            || address.is_some() && bound.is_some_and(|b| b.parse().is_ok_and(|b: IpAddr| b.is_unspecified()));
        known.then(|| Base(asked.as_str().trim_end_matches('/').to_owned()))
    }

    /// The authority of a request: the one in its target, else its one Host header.
    fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, HttpProblem> {
        if let Some(authority) = uri.authority() {
            return Ok(authority.as_str());
        }
        let mut hosts = headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().map_err(|_| HttpProblem::bad_request("the Host header is no text")),
            (None, _) => Err(HttpProblem::bad_request("the request has no Host header")),
            (Some(_), Some(_)) => Err(HttpProblem::bad_request("the request has more than one Host header")),
        }
    }
}

/// Lets a request in when its host is one of the service's own, and tells the rest which base it came by.
pub(super) async fn guard(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let base = Access::authority(request.uri(), request.headers()).and_then(|authority| {
        access.base(authority).ok_or_else(|| {
            let detail = format!(
                "this service does not answer as `{}`: ask it as localhost, or start it with `--public-url`",
                escape(authority)
            );
            HttpProblem::new(StatusCode::MISDIRECTED_REQUEST, detail)
        })
    });
    match base {
        Ok(base) => {
            request.extensions_mut().insert(base);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(access: &Access, authority: &str) -> Option<String> {
        access.base(authority).map(|base| base.0)
    }

    #[test]
    fn loopback_is_known_by_all_its_names() {
        let access = Access::default();
        for (authority, expected) in [
            ("localhost:8001", "http://localhost:8001"),
            ("LOCALHOST", "http://localhost"),
            ("127.0.0.1:9", "http://127.0.0.1:9"),
            ("127.8.9.10:9", "http://127.8.9.10:9"),
            ("[::1]:8001", "http://[::1]:8001"),
        ] {
            assert_eq!(base(&access, authority).as_deref(), Some(expected), "{authority}");
        }
    }

    #[test]
    fn other_names_and_tricks_are_refused() {
        let access = Access { host: Some("192.168.1.5".into()), ..Access::default() };
        for authority in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "user@localhost",
            "localhost/x",
            "localhost?x",
            "localhost#",
            "10.0.0.1",
            "",
            "a b",
        ] {
            assert_eq!(base(&access, authority), None, "{authority}");
        }
        assert_eq!(base(&access, "192.168.1.5:8001").as_deref(), Some("http://192.168.1.5:8001"));
    }

    #[test]
    fn an_unspecified_address_takes_literal_addresses_but_no_names() {
        let access = Access { host: Some("0.0.0.0".into()), ..Access::default() };
        assert_eq!(base(&access, "10.0.0.1:80").as_deref(), Some("http://10.0.0.1"));
        assert_eq!(base(&access, "evil.example"), None);
    }

    #[test]
    fn behind_a_proxy_urls_begin_with_the_public_url() {
        let public_url = Some(Url::parse("https://sun.example.org/hmi/").expect("a URL"));
        let access = Access { public_url, ..Access::default() };
        assert_eq!(base(&access, "sun.example.org").as_deref(), Some("https://sun.example.org/hmi"));
        assert_eq!(base(&access, "sun.example.org:443").as_deref(), Some("https://sun.example.org/hmi"));
        assert_eq!(base(&access, "sun.example.org:444"), None);
    }
}
