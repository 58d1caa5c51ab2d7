//! Why a server refuses a question, in its own words.
//!
//! Error bodies are not trusted: they are cut and escaped.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::body::Response;
use crate::untrusted::escape;

/// How much of a refusal is read.
const READ: usize = 8 * 1024;

/// True when an answer brings its reason in a form made for it.
pub(super) fn is_told(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"))
}

/// The start of a refusal's body.
pub(super) async fn body(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    // Use what arrived before the error.
    while body.len() < READ
        && let Ok(Some(bytes)) = response.chunk().await
    {
        body.extend_from_slice(&bytes[..bytes.len().min(READ - body.len())]);
    }
    body
}

/// The `detail` of a problem document or the like, else the start of the text; `None` when there is nothing to show.
/// `veil` takes the secrets out before the text is cut, so that no half of one is left.
pub(super) fn words(body: &[u8], veil: impl Fn(String) -> String) -> Option<String> {
    let told = serde_json::from_slice::<Value>(body).ok().and_then(|problem| {
        ["detail", "message", "error", "title"].iter().find_map(|key| Some(problem.get(key)?.as_str()?.to_owned()))
    });
    let text = told.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text = veil(text.split_whitespace().collect::<Vec<_>>().join(" "));
    (!text.is_empty()).then(|| escape(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_s_detail_is_taken_before_its_text() {
        let problem =
            br#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Wrong type, expected 'date'"}"#;
        assert_eq!(words(problem, |text| text).unwrap(), "Wrong type, expected 'date'");
        assert_eq!(words(b"<html>\n  \x1b[2Jno</html>", |text| text).unwrap(), "<html> \\u{1b}[2Jno</html>");
        assert_eq!(words(b"  \n", |text| text), None);
        assert!(words(&[b'x'; 5000], |text| text).unwrap().len() < 310);
    }
}
