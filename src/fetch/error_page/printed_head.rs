//! The head of an HTTP answer that a script or a proxy printed into the body.

/// The fields of an answer that a CGI script may print, in lower case, besides those that begin with `x-`. With others, such
/// as those of mail, a text is one of its own.
const FIELDS: [&str; 20] = [
    "accept-ranges",
    "allow",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "pragma",
    "server",
    "set-cookie",
    "status",
    "transfer-encoding",
    "vary",
];

/// A body with a printed head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Printed<'a> {
    /// The status that the head states.
    pub(super) status: Option<u16>,
    /// What stands behind the head.
    pub(super) body: &'a [u8],
}

/// Reads the head that a text begins with: a status line and header fields, or the fields that a CGI script prints.
pub(super) fn read(text: &[u8]) -> Option<Printed<'_>> {
    let (mut status, mut is_head, mut rest) = (None, false, text);
    let is_answer = text.starts_with(b"HTTP/");
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = str::from_utf8(&rest[..end]).ok()?.trim_end_matches('\r');
        let behind = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            return is_head.then_some(Printed { status, body: behind });
        }
        if rest.len() == text.len() && line.starts_with("HTTP/") {
            status = Some(line.split(' ').nth(1)?.parse().ok()?);
            is_head = true;
        } else {
            let (name, value) = line.split_once(':')?;
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if name.is_empty() || !name.bytes().all(is_name) {
                return None;
            }
            let name = name.to_ascii_lowercase();
            if !is_answer && !name.starts_with("x-") && !FIELDS.contains(&name.as_str()) {
                return None;
            }
            if name == "status" {
                status = value.trim().get(..3).and_then(|code| code.parse().ok()).or(status);
            }
            is_head |= name == "content-type" && value.contains('/');
        }
        if behind.is_empty() {
            return is_head.then_some(Printed { status, body: behind });
        }
        rest = behind;
    }
}
