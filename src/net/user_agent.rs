//! Who asks: the `User-Agent` and the `From` of every request.

use http::header::{ACCEPT_ENCODING, FROM, USER_AGENT};
use http::{HeaderMap, HeaderValue};

use crate::failure::{Class, Failure};

/// The headers of every request to a source's own origin.
///
/// # Errors
/// `protocol` when the contact cannot stand in a header.
pub(super) fn headers(job: &str, run: &str, contact: Option<&str>) -> Result<HeaderMap, Failure> {
    let agent = user_agent(job, run);
    let unsendable = |what: &str| Failure::new(Class::Protocol, format!("{what} cannot be sent in an HTTP header"));
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(USER_AGENT, HeaderValue::try_from(agent).map_err(|_| unsendable("the job's name"))?);
    // Bytes are hashed and resumed as they are: a compressed variant would be another file.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(contact) = contact {
        headers.insert(FROM, HeaderValue::from_bytes(contact.as_bytes()).map_err(|_| unsendable("`contact`"))?);
    }
    Ok(headers)
}

/// The `User-Agent` of every request of a run.
#[must_use]
pub fn user_agent(job: &str, run: &str) -> String {
    format!(
        "sunhaul/{} (+https://github.com/sunhaul/sunhaul; job {}; run {})",
        env!("CARGO_PKG_VERSION"),
        word(job),
        word(run)
    )
}

/// A name as it may stand within a comment of a `User-Agent`.
fn word(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.:+".contains(c) { c } else { '_' };
    text.chars().take(100).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_comment_or_the_header() {
        let headers = headers("a) evil\r\nX: y", "2026-01-08T10:00:00Z-ab12", Some("jane@example.org")).unwrap();
        let agent = headers[USER_AGENT].to_str().unwrap();
        assert!(agent.ends_with("; job a__evil__X:_y; run 2026-01-08T10:00:00Z-ab12)"), "{agent}");
        assert_eq!(headers[FROM], "jane@example.org");
        assert!(super::headers("j", "r", Some("a\r\nb")).is_err());
    }
}
