//! Reads the credentials of a source: headers, a login or a token, each bound to that source.
//!
//! Secrets come from variables named `SUNHAUL_...` or from a netrc file, never from the manifest, which lies in git.
//! What it does not do: send them, or read the environment.

use http::HeaderName;
use url::Url;

use super::diagnostic::{Finding, Span};
use super::given::{Environment, Given, Netrc};
use super::model::{Credentials, Login, Series};
use super::raw;
use super::spanned::Typed;
use super::yaml_tree::Wrong;
use super::{host_presets, variable};
use crate::secret::Secret;
use crate::untrusted::escape;

/// What the names of variables with secrets begin with: so no manifest can send away what it should not know of.
const OURS: &str = "SUNHAUL_";

/// Headers that belong to a connection, to the framing of a message, or to sunhaul itself. So does `If-*`.
const NOT_YOURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// True for a key whose value may hold `${SUNHAUL_...}`; `path` is the way to it from the top of the file.
pub(super) fn is_one(path: &[&str]) -> bool {
    matches!(path, [.., "source", _, "headers" | "basic", _] | [.., "source", _, "bearer"])
}

/// Reads the credentials of a source. What is wrong goes to `findings`, and what is right is still given.
pub(super) fn read(given: &Given<'_>, reach: &raw::Reach<'_>, findings: &mut Vec<Finding>) -> Credentials {
    let mut reading = CredentialsReader { environment: given.secrets.map(|_| given.environment), findings };
    let headers = reading.headers(reach.headers);
    let basic = reach.basic.given().map(|(at, basic)| (at, reading.basic(at, basic)));
    let bearer = reach.bearer.given().map(|(at, token)| (at, reading.bearer(at, &token.0)));
    let netrc = reach.netrc.given().filter(|(_, on)| on.0).map(|(at, _)| {
        let first = reach.url.value().and_then(|urls| urls.0.first()).and_then(Typed::value);
        let host = first.and_then(|url| url.0.host_str()).unwrap_or_default();
        (at, reading.netrc(at, host, given.secrets))
    });
    let authorization = headers.iter().find(|(_, name, _)| *name == http::header::AUTHORIZATION);
    let logins = [basic, bearer, netrc].into_iter().flatten().collect::<Vec<_>>();
    let mut ways = authorization.map(|(at, ..)| *at).into_iter().chain(logins.iter().map(|(at, _)| *at));
    if let (Some(first), Some(second)) = (ways.next(), ways.next()) {
        let finding = Finding::new(second, "a second way to log in: a request has one `Authorization`")
            .hint("keep one of `basic`, `bearer`, `netrc` and the header `Authorization`")
            .also(first, "the first");
        reading.findings.push(finding);
    }
    Credentials {
        headers: headers.into_iter().map(|(_, name, value)| (name, value)).collect(),
        login: logins.into_iter().next().and_then(|(_, login)| login),
    }
}

/// What is sent unencrypted over the open net, in one line a host.
pub(super) fn in_the_clear(series: &[Series]) -> Vec<String> {
    let mut hosts: Vec<&str> = series
        .iter()
        .filter_map(|series| series.source.reach())
        .filter(|reach| !reach.credentials.is_empty() && reach.tunnel.is_none())
        .flat_map(|reach| &reach.urls)
        .filter(|url| url.scheme() == "http" && host_presets::is_public(url))
        .filter_map(Url::host_str)
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    let warning =
        |host| format!("the credentials for `{}` go over plain http, where others can read them", escape(host));
    hosts.into_iter().map(warning).collect()
}

struct CredentialsReader<'a> {
    /// Where values are looked up; none when only the names are checked.
    environment: Option<Environment<'a>>,
    findings: &'a mut Vec<Finding>,
}

impl CredentialsReader<'_> {
    fn headers(&mut self, headers: &Typed<raw::Headers>) -> Vec<(Span, HeaderName, Secret)> {
        let mut read: Vec<(Span, HeaderName, Secret)> = Vec::new();
        for (name, value) in headers.value().map_or(&[][..], |headers| &headers.0) {
            let (Some((name_at, name)), Some((at, value))) = (name.given(), value.given()) else { continue };
            let name = match header(&name.0) {
                Ok(name) => name,
                Err(wrong) => {
                    self.findings.push(wrong.at(name_at));
                    continue;
                }
            };
            if let Some((first, ..)) = read.iter().find(|(_, other, _)| *other == name) {
                let finding = Finding::new(name_at, format!("the header `{name}` appears a second time"));
                self.findings.push(finding.hint("keep one of them").also(*first, "first here"));
                continue;
            }
            let value = self.secret(at, &value.0, sendable).unwrap_or_else(Secret::unread);
            read.push((name_at, name, value));
        }
        read
    }

    fn basic(&mut self, at: Span, basic: &raw::Basic) -> Option<Login> {
        let hint = "write `basic: { user: jane, password: \"${SUNHAUL_PASSWORD}\" }`";
        let user = basic.user.required("user", at, hint, self.findings);
        let password = basic.password.required("password", at, hint, self.findings);
        let user = user.and_then(|(at, user)| {
            let name = self.report_wrong(at, variable::replace(&user.0, |name| self.value(name)))?;
            let wrong = Wrong::new("a user name cannot contain `:`").hint("is the password in it, too?");
            self.report_wrong(at, if name.contains(':') { Err(wrong) } else { Ok(name) })
        });
        let password = password.and_then(|(at, password)| self.secret(at, &password.0, |_| Ok(())));
        Some(Login::Basic { user: user?, password: password? })
    }

    fn bearer(&mut self, at: Span, token: &Secret) -> Option<Login> {
        let one_word = |token: &str| {
            let wrong = Wrong::new("a token with a space or a letter beyond ASCII, which cannot be sent");
            let fits = token.bytes().all(|byte| byte.is_ascii_graphic());
            if fits { Ok(()) } else { Err(wrong.hint("without the word `Bearer`, and without spaces around it")) }
        };
        self.secret(at, token, one_word).map(Login::Bearer)
    }

    fn netrc(&mut self, at: Span, host: &str, netrc: Option<Netrc<'_>>) -> Option<Login> {
        // Without a host the URL is wrong, which is told already.
        let Some(netrc) = netrc.filter(|_| !host.is_empty()) else { return Some(Login::Netrc) };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = netrc(host).map_err(|why| Wrong::new(why.message).hint(why.hint)).and_then(|(user, password)| {
            let has_control = password.reveal().is_some_and(|password| password.contains(char::is_control));
            if user.contains(|c: char| c == ':' || c.is_control()) || has_control {
                let wrong = Wrong::new("the login in the netrc file holds a character that cannot be sent");
                return Err(wrong.hint("a user's name has no `:`, and neither part has a control character"));
            }
            Ok(Login::Basic { user, password })
        });
        self.report_wrong(at, found)
    }

    /// A text with its variables put in, when `check` takes it. A text without one is no secret any more.
    fn secret(&mut self, at: Span, text: &Secret, check: impl Fn(&str) -> Result<(), Wrong>) -> Option<Secret> {
        let text = text.reveal().unwrap_or_default();
        let read = || {
            if !text.contains("${") {
                return Err(Wrong::new("a secret written in the manifest, which is kept in git").hint(
                    "write `\"${SUNHAUL_...}\"` and set that variable; treat the secret as lost if it was shared",
                ));
            }
            let value = variable::replace(text, |name| self.value(name))?;
            if self.environment.is_none() {
                return Ok(Secret::unread());
            }
            check(&value).map(|()| Secret::new(&value))
        };
        let read = read();
        self.report_wrong(at, read)
    }

    /// A variable's value; nothing where only its name is looked at.
    fn value(&self, name: &str) -> Result<String, Wrong> {
        if !name.starts_with(OURS) {
            return Err(Wrong::new(format!(
                "`{name}` is no variable for credentials: their names begin with `{OURS}`"
            ))
            .hint(format!("name it `{OURS}...`: a manifest from elsewhere could send away any other")));
        }
        let Some(environment) = self.environment else { return Ok(String::new()) };
        let value = environment(name).ok_or_else(|| variable::unset(name))?;
        if value.is_empty() {
            return Err(Wrong::new(format!("the variable `{name}` is empty"))
                .hint("set it; in CI, is the secret there for this branch?"));
        }
        if value.contains(char::is_control) {
            return Err(Wrong::new(format!("the value of `{name}` holds a line break or another control character"))
                .hint("set it without one"));
        }
        Ok(value)
    }

    /// What is right; what is wrong goes to the findings.
    fn report_wrong<T>(&mut self, at: Span, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.findings.push(wrong.at(at))).ok()
    }
}

/// The name of a header that a manifest may set.
fn header(text: &str) -> Result<HeaderName, Wrong> {
    let name = HeaderName::try_from(text)
        .map_err(|_| Wrong::new("no name of an HTTP header").hint("a name such as `X-Api-Key`"))?;
    if NOT_YOURS.contains(&name.as_str()) || name.as_str().starts_with("if-") {
        return Err(Wrong::new(format!("the header `{name}` is not for a manifest to set"))
            .hint("`headers` is for authentication, such as `X-Api-Key`, `Authorization` or `Cookie`"));
    }
    Ok(name)
}

fn sendable(value: &str) -> Result<(), Wrong> {
    let fits = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && value.trim() == value;
    let wrong = Wrong::new("a value that cannot be part of an HTTP header");
    if fits { Ok(()) } else { Err(wrong.hint("ASCII alone, and no spaces around it")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::given::NoLogin;
    use super::super::{Diagnostics, Manifest, parse};
    use super::*;

    const PLAIN: &str = "version: 1\nname: job\nrange: { start: 2015-12-11, end: 2015-12-14 }\n\
                         series: [{ name: sharp_720s }]\narchive: { root: ../data }\ncontact: jane@example.org\n";

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "SUNHAUL_KEY" | "SECRET" => "abc123",
            "SUNHAUL_EMPTY" => "",
            "SUNHAUL_LINE" => "abc123\r\nX-Evil: 1",
            "SUNHAUL_WIDE" => "abc123é",
            "SUNHAUL_SPACE" => "abc123 d",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn netrc(host: &str) -> Result<(String, Secret), NoLogin> {
        match host {
            "localhost" | "::1" => Ok(("jane".to_owned(), Secret::new("abc123"))),
            "colon" => Ok(("ja:ne".to_owned(), Secret::new("abc123"))),
            _ => Err(NoLogin { message: format!("no login for {host}"), hint: "write one".to_owned() }),
        }
    }

    fn text(credentials: &str) -> String {
        format!("{PLAIN}source: {{ hmi: {{ url: \"http://localhost:8001\", {credentials} }} }}\n")
    }

    fn read(text: &str, secrets: Option<Netrc<'_>>) -> Result<Manifest, Diagnostics> {
        parse::check(Path::new("job.yaml"), text.as_bytes(), &environment, secrets)
    }

    fn given(credentials: &str) -> Credentials {
        let manifest = read(&text(credentials), Some(&netrc)).unwrap_or_else(|wrong| panic!("{wrong}"));
        manifest.series[0].source.credentials().cloned().unwrap_or_default()
    }

    fn basic(user: &str, password: &str) -> Login {
        Login::Basic { user: user.to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn each_way_in_is_read_with_its_variables() {
        let read = given("headers: { X-Api-Key: \"${SUNHAUL_KEY}\", Cookie: \"a=${SUNHAUL_KEY}; b=c\" }");
        let header = |name: &'static str, value| (HeaderName::from_static(name), Secret::new(value));
        assert_eq!(read.headers, [header("x-api-key", "abc123"), header("cookie", "a=abc123; b=c")]);
        assert_eq!(given("basic: { user: jane, password: \"${SUNHAUL_KEY}\" }").login, Some(basic("jane", "abc123")));
        assert_eq!(
            given("basic: { user: \"${SUNHAUL_KEY}\", password: \"${SUNHAUL_WIDE}\" }").login,
            Some(basic("abc123", "abc123é"))
        );
        assert_eq!(given("bearer: \"${SUNHAUL_KEY}\"").login, Some(Login::Bearer(Secret::new("abc123"))));
        assert_eq!(given("netrc: true").login, Some(basic("jane", "abc123")));
        assert!(given("netrc: false").is_empty());
        let v6 = text("netrc: true").replace("localhost", "[::1]");
        assert!(parse::check(Path::new("j"), v6.as_bytes(), &environment, Some(&netrc)).is_ok());
    }

    #[test]
    fn without_secrets_names_are_checked_and_values_are_not_looked_up() {
        let unset = "headers: { X-Api-Key: \"${SUNHAUL_UNSET}\" }, basic: { user: a, password: \"${SUNHAUL_UNSET}\" }";
        let manifest = parse(Path::new("j"), text(unset).as_bytes(), &environment).unwrap_or_else(|e| panic!("{e}"));
        let credentials = manifest.series[0].source.credentials().unwrap();
        assert_eq!(credentials.headers[0].1, Secret::unread());
        assert_eq!(credentials.login, Some(Login::Basic { user: "a".to_owned(), password: Secret::unread() }));
        assert!(parse(Path::new("j"), text("bearer: \"${SECRET}\"").as_bytes(), &environment).is_err());
        assert!(parse(Path::new("j"), text("bearer: abc123").as_bytes(), &environment).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place_and_no_secret_with_it() {
        for (credentials, said) in [
            ("bearer: abc123", "a secret written in the manifest"),
            ("bearer: [abc123]", "expected a single value, found a list"),
            ("bearer: \"${SUNHAUL_UNSET}\"", "the variable `SUNHAUL_UNSET` is not set"),
            ("bearer: \"${SUNHAUL_EMPTY}\"", "the variable `SUNHAUL_EMPTY` is empty"),
            ("bearer: \"${SUNHAUL_LINE}\"", "holds a line break"),
            ("bearer: \"${SUNHAUL_SPACE}\"", "a token with a space"),
            ("bearer: \"${SECRET}\"", "`SECRET` is no variable for credentials"),
            ("bearer: \"${SUNHAUL_KEY\"", "a `${` without its `}`"),
            ("bearer: 123456", "a secret written in the manifest"),
            ("basic: { user: jane, password: abc123 }", "a secret written in the manifest"),
            ("basic: { user: jane, passwort: abc123 }", "unknown key `passwort`"),
            ("basic: \"jane:abc123\"", "expected a mapping (`key: value` lines), found the text `***`"),
            ("basic: { user: \"ja:ne\", password: \"${SUNHAUL_KEY}\" }", "a user name cannot contain `:`"),
            ("headers: \"X-Api-Key: abc123\"", "found the text `***`"),
            ("headers: { X-Api-Key: abc123 }", "a secret written in the manifest"),
            ("headers: { X-Api-Key: \"${SUNHAUL_WIDE}\" }", "cannot be part of an HTTP header"),
            ("headers: { X-Api-Key: \"${SUNHAUL_LINE}\" }", "holds a line break"),
            ("headers: { X-Api-Key: \"abc123\\r\\n${SUNHAUL_KEY}\" }", "a control character"),
            ("headers: { \"X Key\": \"${SUNHAUL_KEY}\" }", "no name of an HTTP header"),
            ("headers: { X-K: \"${SUNHAUL_KEY}\", x-k: \"${SUNHAUL_KEY}\" }", "appears a second time"),
            ("netrc: maybe", "neither `true` nor `false`"),
            ("tokn: abc123", "unknown key `tokn`"),
            ("bearer: %abc123", "`%` cannot begin a value"),
        ] {
            let shown = read(&text(credentials), Some(&netrc)).expect_err(credentials).to_string();
            assert!(shown.contains(said), "{credentials}: {shown}");
            assert!(shown.contains("job.yaml:7:"), "{credentials}: {shown}");
            assert!(!shown.contains("abc123") && !shown.contains("123456"), "{credentials}: {shown}");
        }
        for name in ["Host", "Range", "If-Range", "if-none-match", "From", "user-agent", "Accept-Encoding", "TE"] {
            let shown = read(&text(&format!("headers: {{ {name}: \"${{SUNHAUL_KEY}}\" }}")), None).expect_err(name);
            assert!(shown.to_string().contains("is not for a manifest to set"), "{shown}");
        }
        let elsewhere = |url: &str| text("netrc: true").replace("localhost:8001", url);
        for (url, said) in [("example.org", "no login for example.org"), ("colon", "cannot be sent")] {
            let shown = read(&elsewhere(url), Some(&netrc)).expect_err(url).to_string();
            assert!(shown.contains(said), "{shown}");
        }
        let above = PLAIN.to_owned()
            + "source: { hmi: { url: \"http://localhost\" } }\npassword: abc123\nx: { Api-Key: abc123 }\n";
        let shown = read(&above, None).unwrap_err().to_string();
        assert!(!shown.contains("abc123"), "{shown}");
    }

    #[test]
    fn one_request_has_one_authorization() {
        let ways = [
            "basic: { user: jane, password: \"${SUNHAUL_KEY}\" }",
            "bearer: \"${SUNHAUL_KEY}\"",
            "netrc: true",
            "headers: { authorization: \"${SUNHAUL_KEY}\" }",
        ];
        for first in ways {
            for second in ways.iter().filter(|second| **second != first) {
                let shown = read(&text(&format!("{first}, {second}")), None).unwrap_err().to_string();
                assert!(shown.contains("a second way to log in"), "{shown}");
            }
        }
    }

    #[test]
    fn credentials_are_no_part_of_what_a_day_is_asked_for() {
        let spec = |credentials: &str| {
            let manifest = read(&text(credentials), Some(&netrc)).unwrap();
            manifest.series[0].spec(&crate::day::Day::whole("2015-12-11".parse().unwrap()))
        };
        assert_eq!(spec("bearer: \"${SUNHAUL_KEY}\""), spec("netrc: true"));
        assert_eq!(spec("netrc: false"), spec("netrc: true"));
    }

    #[test]
    fn plain_http_over_the_open_net_is_warned_of() {
        let warnings = |url: &str| {
            let text = text("bearer: \"${SUNHAUL_KEY}\"").replace("http://localhost:8001", url);
            read(&text, None).unwrap().warnings(chrono::DateTime::UNIX_EPOCH)
        };
        assert_eq!(warnings("http://data.example.org").len(), 1);
        assert!(warnings("https://data.example.org").is_empty() && warnings("http://localhost:8001").is_empty());
    }
}
