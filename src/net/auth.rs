//! The keys of one origin: put on requests to it, on no others, and taken out of whatever comes back.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::origin::Origin;
use crate::failure::{Class, Failure};
use crate::manifest::{Credentials, Login};
use crate::secret::{Secret, VEIL};
use crate::untrusted::escape;

/// Shorter secrets, and shorter pieces of them, are not looked for in messages: they would be found everywhere.
pub(super) const TELLING: usize = 4;
pub(super) const TELLING_PIECE: usize = 6;

/// Headers bound to the one origin they may be sent to.
#[derive(Debug)]
pub(super) struct Keys {
    origin: Origin,
    headers: HeaderMap,
    /// The secrets in all their forms.
    words: Vec<Secret>,
}

impl Keys {
    /// No key at all.
    pub(super) fn none(origin: Origin) -> Keys {
        Keys { origin, headers: HeaderMap::new(), words: Vec::new() }
    }

    /// The keys that `credentials` make.
    ///
    /// # Errors
    /// `source-refused` when a secret was not read, or cannot be sent.
    pub(super) fn new(origin: Origin, credentials: &Credentials) -> Result<Keys, Failure> {
        let mut keys = Keys::none(origin);
        for (name, secret) in &credentials.headers {
            let value = keys.known(secret)?;
            keys.headers.insert(name, sensitive(value)?);
        }
        let authorization = match &credentials.login {
            None => return Ok(keys),
            Some(Login::Basic { user, password }) => {
                let pair = STANDARD.encode(format!("{user}:{}", keys.known(password)?));
                keys.known(&Secret::new(&pair))?;
                format!("Basic {pair}")
            }
            Some(Login::Bearer(token)) => format!("Bearer {}", keys.known(token)?),
            Some(Login::Netrc) => return Err(refused("the login in the netrc file was not read")),
        };
        keys.headers.insert(AUTHORIZATION, sensitive(&authorization)?);
        Ok(keys)
    }

    /// Puts the keys among the headers of a request to `url`, when that is the place they are for.
    pub(super) fn attach(&self, url: &Url, headers: &mut HeaderMap) {
        if self.origin.holds(url) {
            headers.extend(self.headers.clone());
        }
    }

    /// What to do when the server wants a login.
    pub(super) fn advice(&self) -> &'static str {
        if self.headers.is_empty() {
            "; hint: give the source `headers`, `basic`, `bearer` or `netrc`"
        } else {
            "; hint: are the source's credentials still right?"
        }
    }

    /// A text without the secrets: a server may repeat what it was sent.
    pub(super) fn veiled(&self, text: String) -> String {
        self.words.iter().filter_map(Secret::reveal).fold(text, |text, word| {
            let Some(first) = find(&text, word) else { return text };
            let (mut out, mut rest, mut found) = (String::new(), text.as_str(), Some(first));
            while let Some(range) = found {
                out.push_str(&rest[..range.start]);
                out.push_str(VEIL);
                rest = &rest[range.end..];
                found = find(rest, word);
            }
            out + rest
        })
    }

    /// True when a text holds one of the secrets of at least `shortest` bytes: it may come back as a part of a URL or of an
    /// encoded file name.
    pub(super) fn are_in(&self, text: &str, shortest: usize) -> bool {
        let known = self.words.iter().filter_map(Secret::reveal).filter(|word| word.len() >= shortest);
        known.into_iter().any(|word| find(text, word).is_some())
    }

    /// A secret's value, remembered to be veiled.
    fn known<'a>(&mut self, secret: &'a Secret) -> Result<&'a str, Failure> {
        let value = secret.reveal().ok_or_else(|| refused("a secret was not read"))?;
        // In a header such as `Token abc` the secret is one of the words; each may be repeated alone.
        let pieces = value.split([' ', '=', ';']).filter(|piece| piece.len() >= TELLING_PIECE);
        let words = std::iter::once(value).filter(|word| word.len() >= TELLING).chain(pieces);
        // And as a message shows it.
        self.words.extend(words.flat_map(|word| [Secret::new(word), Secret::new(&escape(word))]));
        self.words.sort_by_key(|word| std::cmp::Reverse(word.reveal().map_or(0, str::len)));
        Ok(value)
    }
}

/// Where a secret, or what is left of it where the text was cut, first stands in a text.
fn find(text: &str, word: &str) -> Option<Range<usize>> {
    text.char_indices().find_map(|(start, c)| {
        if let Some(length) = length_at(&text[start..], word) {
            return Some(start..start + length);
        }
        let after = start + c.len_utf8();
        let ends = word.char_indices().skip(1).filter(|(at, _)| c == '…' && word.len() - at >= TELLING);
        ends.map(|(at, _)| &word[at..]).find_map(|end| Some(after..after + length_at(&text[after..], end)?))
    })
}

/// How many bytes at the start of a text are a secret: in whatever case, percent-encoded as in a URL, with the backslashes
/// of JSON, or its first bytes alone where the text was cut.
fn length_at(text: &str, word: &str) -> Option<usize> {
    let mut rest = text.as_bytes();
    for (nth, wanted) in word.bytes().enumerate() {
        if nth >= TELLING && rest.starts_with("…".as_bytes()) {
            break;
        }
        let is_wanted = |byte: u8| byte.eq_ignore_ascii_case(&wanted);
        rest = match rest {
            [byte, after @ ..] if is_wanted(*byte) => after,
            [b'\\', byte, after @ ..] if is_wanted(*byte) => after,
            [b'%', high, low, after @ ..] if hex(*high, *low).is_some_and(is_wanted) => after,
            _ => return None,
        };
    }
    Some(text.len() - rest.len())
}

/// The byte of two hexadecimal digits.
fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn sensitive(value: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(value).map_err(|_| refused("a secret cannot be part of an HTTP header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn refused(why: &str) -> Failure {
    Failure::new(Class::SourceRefused, format!("the credentials of the source cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn keys(credentials: &Credentials) -> Keys {
        Keys::new(Origin::from_url(&url("https://h.example/p/")).unwrap(), credentials).unwrap()
    }

    fn headers_for(keys: &Keys, to: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        keys.attach(&url(to), &mut headers);
        headers
    }

    fn basic() -> Credentials {
        Credentials {
            headers: vec![("x-api-key".parse().unwrap(), Secret::new("Key abc123"))],
            login: Some(Login::Basic { user: "jane".into(), password: Secret::new("hunter2") }),
        }
    }

    #[test]
    fn s_05_s_06_keys_go_to_their_own_origin_alone() {
        let keys = keys(&basic());
        let sent = headers_for(&keys, "https://h.example/x");
        assert_eq!(sent["x-api-key"], "Key abc123");
        assert_eq!(sent["authorization"], "Basic amFuZTpodW50ZXIy");
        assert!(sent.values().all(HeaderValue::is_sensitive));
        assert_eq!(headers_for(&keys, "https://H.example:443/x").len(), 2);
        for other in ["http://h.example/", "https://h.example:8443/", "https://a.h.example/", "https://h.example.org/"]
        {
            assert!(headers_for(&keys, other).is_empty(), "{other}");
        }
        let token = Credentials { headers: Vec::new(), login: Some(Login::Bearer(Secret::new("t0ken"))) };
        assert_eq!(
            headers_for(&Keys::new(keys.origin, &token).unwrap(), "https://h.example/")["authorization"],
            "Bearer t0ken"
        );
    }

    #[test]
    fn what_a_server_repeats_of_a_secret_is_veiled() {
        let keys = keys(&basic());
        let said = "no key abc123 or `Key abc123`, no jane with hunter2, no amFuZTpodW50ZXIy".to_owned();
        assert_eq!(keys.veiled(said), "no *** or `***`, no jane with ***, no ***");
        for (said, shown) in [
            ("/%61bc%3123.fits or ABC123", "/***.fits or ***"),
            ("abc123abc123 abc12", "****** abc12"),
            ("cut: abc1… and abc…", "cut: ***… and abc…"),
            ("cut: …c123 and …123, …nter… and …nte…", "cut: …*** and …123, …***… and …nte…"),
            ("%6", "%6"),
        ] {
            assert_eq!(keys.veiled(said.to_owned()), shown);
        }
        let odd = Credentials { headers: Vec::new(), login: Some(Login::Bearer(Secret::new("é/##[\"t"))) };
        let odd = Keys::new(keys.origin.clone(), &odd).unwrap();
        for said in ["é/##[\"t", "%C3%a9%2F%23%23%5B%22t", "é\\/##[\\\"t", &escape("é/##[\"t")] {
            assert_eq!(odd.veiled(format!("é {said} é")), "é *** é");
        }
        assert!(!format!("{keys:?}").contains("hunter2") && !format!("{keys:?}").contains("abc123"));
    }

    #[test]
    fn a_secret_is_found_however_a_url_writes_it() {
        let keys = keys(&basic());
        for text in ["\"abc123\"", "/ABC123.fits", "/%61bc%3123.fits", "x-hunter2-y", "amFuZTpodW50ZXIy"] {
            assert!(keys.are_in(text, 4), "{text}");
        }
        assert!(keys.are_in("hunter2", 7) && !keys.are_in("hunter2", 8));
        assert!(!keys.are_in("abc12", 4) && !keys.are_in("jane", 4) && !keys.are_in("", 4));
        assert!(!Keys::none(keys.origin).are_in("anything", 0));
    }

    #[test]
    fn secrets_that_nobody_read_are_not_sent_as_nothing() {
        let unread = Credentials { headers: vec![("x".parse().unwrap(), Secret::unread())], login: None };
        let netrc = Credentials { headers: Vec::new(), login: Some(Login::Netrc) };
        for credentials in [unread, netrc] {
            let origin = Origin::from_url(&url("https://h.example/")).unwrap();
            let failure = Keys::new(origin, &credentials).unwrap_err();
            assert_eq!(failure.class, Class::SourceRefused, "{failure}");
        }
    }
}
