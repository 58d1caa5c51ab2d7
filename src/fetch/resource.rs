//! Which resource a URL names: the whole of it, but for what only opens the way there.
//!
//! A signed URL is another one at each redirect, though it leads to the same object. The names of its parameters are those of
//! Amazon (S3 and its CDN), Google Cloud Storage, Azure (shared access signatures) and Akamai.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::digest::Digest;

/// Parameters of signatures and of access, in lower case.
const SIGNING: &[&str] = &[
    "signature",
    "expires",
    "awsaccesskeyid",
    "googleaccessid",
    "key-pair-id",
    "policy",
    "token",
    "access_token",
    "hdnea",
    "hdnts",
];

/// What the parameters of signatures begin with.
const SIGNING_PREFIXES: &[&str] = &["x-amz-", "x-goog-"];

/// Parameters of Azure's signatures. They are too short to say anything where no `sig` stands beside them.
const SIGNING_AZURE: &[&str] =
    &["sig", "se", "st", "sp", "sv", "sr", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv"];

/// The SHA-256 of a URL without its fragment. A hash, since a URL may hold a secret.
#[must_use]
pub fn exact(url: &Url) -> Digest {
    Digest::sha256(text(url, url.query()).as_bytes())
}

/// The SHA-256 of a URL without its query and its fragment.
#[must_use]
pub fn without_query(url: &Url) -> Digest {
    Digest::sha256(text(url, None).as_bytes())
}

/// The same as [`exact`] without what signs the URL. Two such URLs may be of two resources where the object is known by its token
/// alone, so that something else must agree as well.
#[must_use]
pub fn unsigned(url: &Url) -> Digest {
    Digest::sha256(text(url, unsigned_query(url).as_deref()).as_bytes())
}

fn text(url: &Url, query: Option<&str>) -> String {
    let (origin, path) = (url.origin().ascii_serialization(), normalised(url.path()));
    query.map_or_else(|| format!("{origin}{path}"), |query| format!("{origin}{path}?{}", normalised(query)))
}

/// Percent-encodings in upper case, and none where the character may stand as it is (RFC 3986, 6.2.2). The parser has seen to
/// the scheme, the host, the port and dot segments.
fn normalised(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(byte) = code.filter(|_| !part.starts_with('+')) else {
            out.push('%');
            out.push_str(part);
            continue;
        };
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&part[..2].to_ascii_uppercase());
        }
        out.push_str(&part[2..]);
    }
    out
}

/// The query without its parameters of signatures; `None` when nothing is left.
fn unsigned_query(url: &Url) -> Option<String> {
    let name = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase()
    };
    let pairs: Vec<&str> = url.query()?.split('&').collect();
    let is_azure = pairs.iter().any(|pair| name(pair) == "sig");
    let is_signing = |pair: &str| {
        let name = name(pair);
        SIGNING.contains(&&*name)
            || SIGNING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || (is_azure && SIGNING_AZURE.contains(&&*name))
    };
    let rest: Vec<&str> = pairs.into_iter().filter(|pair| !is_signing(pair)).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signs_a_url_is_no_part_of_what_it_names_and_all_else_is() {
        for (one, other, is_same) in [
            ("http://h/a", "http://h:80/a", true),
            ("http://h/a", "http://h/a#part", true),
            ("http://h/a/%2d%7e.dat?%76=%2f", "http://H/x/../a/-~%2Edat?v=%2F", true),
            ("http://h/a%2Fb", "http://h/a/b", false),
            ("http://h/%25%", "http://h/%%", false),
            ("http://h/a", "https://h/a", false),
            ("http://h/a", "http://h:81/a", false),
            ("http://h/a", "http://i/a", false),
            ("http://h/a", "http://h/b", false),
            ("http://h/a", "http://h/a?v=2", false),
            ("http://h/a?v=1", "http://h/a?v=2", false),
            ("http://h/a?file=x&v=1", "http://h/a?v=1", false),
            ("http://h/a?st=1", "http://h/a?st=2", false),
            ("http://h/a?versionId=1&X-Amz-Date=1", "http://h/a?versionId=2&X-Amz-Date=1", false),
            ("http://h/a", "http://h/a?X-Amz-Signature=1", true),
            ("http://h/a?X-Amz-Signature=1&X-Amz-Date=1", "http://h/a?X-Amz-Date=2&X-Amz-Signature=2", true),
            ("http://h/a?versionId=1&x-amz-date=1", "http://h/a?versionId=1&X%2DAmz-Date=2", true),
            ("http://h/a?X-Goog-Expires=1", "http://h/a?X-Goog-Expires=2", true),
            ("http://h/a?Expires=1&Signature=a&Key-Pair-Id=k", "http://h/a?Expires=2&Signature=b&Key-Pair-Id=k", true),
            ("http://h/a?sv=1&se=1&sig=a", "http://h/a?sv=2&se=2&sig=b", true),
            ("http://h/a?token=1", "http://h/a?token=2", true),
        ] {
            let [one, other]: [Url; 2] = [one, other].map(|url| url.parse().unwrap());
            assert_eq!(unsigned(&one) == unsigned(&other), is_same, "{one} {other}");
            let (mut one_bare, mut other_bare) = (one.clone(), other.clone());
            one_bare.set_fragment(None);
            other_bare.set_fragment(None);
            let is_spelt_alike = normalised(one_bare.as_str()) == normalised(other_bare.as_str());
            assert_eq!(exact(&one) == exact(&other), is_spelt_alike, "{one} {other}");
        }
    }

    #[test]
    fn a_url_without_a_query_has_one_hash() {
        let url: Url = "http://h.example/a.dat".parse().unwrap();
        assert_eq!((exact(&url), unsigned(&url)), (Digest::sha256(b"http://h.example/a.dat"), exact(&url)));
    }
}
