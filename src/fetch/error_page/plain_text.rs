//! Bodies that are a message of HTTP or of a gateway in plain text, and nothing else.

use http::StatusCode;

use super::json::FAILURES;

/// The longest body that is a message, in bytes.
const LONGEST: usize = 2048;

/// How many lines may stand behind the one with the status: an explanation, the name of the server, the id of a request.
const LINES_BEHIND: usize = 5;

/// What may stand before a status or a message, in lower case.
const LABELS: [&str; 6] = ["http/1.1", "http", "error", "fatal", "status", "code"];

/// Messages besides the reason phrases of HTTP, in lower case.
const MESSAGES: [&str; 46] = [
    "404 page not found",
    "access denied",
    "access is denied",
    "bad upstream",
    "connection closed",
    "connection refused",
    "connection reset by peer",
    "connection timed out",
    "database connection failed",
    "database is locked",
    "database error",
    "default backend - 404",
    "disk quota exceeded",
    "dns resolution failure",
    "error establishing a database connection",
    "fault filter abort",
    "file does not exist",
    "file not found",
    "input/output error",
    "internal error",
    "invalid request",
    "no healthy upstream",
    "no input file specified",
    "no such file or directory",
    "object not found",
    "page not found",
    "permission denied",
    "proxy error",
    "rate limit exceeded",
    "rate limited",
    "rbac: access denied",
    "request timed out",
    "server error",
    "server too busy",
    "service is temporarily unavailable",
    "service is unavailable",
    "service temporarily unavailable",
    "site under maintenance",
    "sorry, too many clients already",
    "specified key does not exist",
    "stale file handle",
    "stream timeout",
    "temporarily unavailable",
    "too many connections",
    "under maintenance",
    "upstream request timeout",
];

/// What messages begin with that go on with a cause or a place.
const BEGINNINGS: [&str; 4] = [
    "could not connect to ",
    "unable to connect to ",
    "upstream connect error or disconnect/reset before headers",
    "an invalid response was received from the upstream server",
];

/// True for a whole body that is a message of a failure.
pub(super) fn is_message(text: &[u8]) -> bool {
    let Some(text) = str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST) else { return false };
    // JSON that is one string is a message as well.
    let text = text.trim().trim_matches('"');
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (Some(first), rest) = (lines.next().map(normal), lines.collect::<Vec<&str>>()) else { return false };
    if rest.is_empty() {
        return is_dap(text) || is_single_message(&first);
    }
    let is_prose = |line: &&str| line.trim_start().starts_with(char::is_alphabetic);
    let is_headed = states_status(unlabelled(&first)) || is_reason(&first);
    is_dap(text) || (is_headed && rest.len() <= LINES_BEHIND && rest.iter().all(is_prose))
}

/// In lower case, with single blanks, and without the full stop.
fn normal(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").to_ascii_lowercase().replace("time-out", "timeout").trim_end_matches(['.', '!']).to_owned()
}

/// The error response of DAP 2.0, as servers of `OPeNDAP` and ERDDAP send it.
fn is_dap(text: &str) -> bool {
    let members = text.strip_prefix("Error").and_then(|text| text.trim_start().strip_prefix('{'));
    members.is_some_and(|members| {
        ["code", "message"].iter().any(|name| members.trim_start().strip_prefix(name).is_some_and(is_assigned))
    })
}

fn is_assigned(text: &str) -> bool {
    text.trim_start().starts_with('=')
}

fn is_single_message(line: &str) -> bool {
    let rest = unlabelled(line);
    let label = &line[..line.len() - rest.len()];
    let is_error = ["error", "fatal"].iter().any(|word| label.contains(word));
    // A number alone is data.
    let is_code = (is_error || label.contains("http")) && is_code(rest);
    let is_explained = is_error && FAILURES.iter().any(|words| rest.contains(words));
    is_code
        || is_explained
        || is_thrown(line)
        || states_status(rest)
        || is_message_of(rest, is_reason)
        || is_message_of(line, is_reason)
}

/// True for the one line of an exception: `java.net.ConnectException: Connection refused`.
fn is_thrown(line: &str) -> bool {
    let Some((class, cause)) = line.split_once(": ") else { return false };
    let is_class =
        class.contains('.') && class.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(&byte));
    is_class && (class.ends_with("exception") || class.ends_with("error")) && cause.contains(char::is_alphabetic)
}

/// A status of HTTP, or one of the numbers that Cloudflare gives its errors.
fn is_code(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse().is_ok_and(|code| matches!(code, 400..600 | 1000..1200))
}

/// True for a status with its reason.
fn states_status(line: &str) -> bool {
    let Some((code, reason)) = line.split_at_checked(3) else { return false };
    let Some(status) = code.parse().ok().filter(|code| matches!(code, 400..600)) else { return false };
    let Some(reason) = reason.strip_prefix(is_separator).map(|rest| rest.trim_start_matches(is_separator)) else {
        return false;
    };
    // Cloudflare's own.
    let is_unknown = |reason: &str| matches!(status, 520..=530) && reason.starts_with("web server ");
    is_unknown(reason) || is_message_of(reason, |reason| phrase(status).is_some_and(|phrase| phrase == reason))
}

/// True for a text that is a message, or begins with one that a cause or a place follows.
fn is_message_of(text: &str, is_reason: impl Fn(&str) -> bool) -> bool {
    let text = text.strip_prefix("the ").unwrap_or(text);
    let head = text.split([':', '.', '(', ';']).next().unwrap_or(text).split(" - ").next().unwrap_or(text).trim_end();
    let is_one = |text: &str| is_reason(text) || MESSAGES.contains(&text);
    is_one(text) || is_one(head) || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// True for a reason phrase that says enough without its number: single words such as `Gone` do not.
fn is_reason(text: &str) -> bool {
    let is_clear = text.contains(' ') || matches!(text, "forbidden" | "unauthorized");
    is_clear && (400..600).filter_map(phrase).any(|phrase| phrase == text)
}

fn phrase(status: u16) -> Option<String> {
    StatusCode::from_u16(status).ok()?.canonical_reason().map(str::to_ascii_lowercase)
}

/// The line without the labels before its message.
fn unlabelled(line: &str) -> &str {
    let mut rest = line;
    while let Some(behind) = LABELS.iter().find_map(|label| rest.strip_prefix(label)?.strip_prefix(is_separator)) {
        rest = behind.trim_start_matches(is_separator);
    }
    rest
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | ':' | '-' | '–' | '.' | '#')
}
