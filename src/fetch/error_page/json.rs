//! Error messages in JSON.

use serde_json::{Map, Value};

/// Members by which an object says that it is an error message, in lower case.
const ERRORS: [&str; 7] = ["error", "errors", "fault", "exception", "error_description", "errormessage", "errorcode"];

/// Members that hold the text of a message.
const TEXTS: [&str; 4] = ["message", "msg", "detail", "details"];

/// Members that hold a status of HTTP, or one of HAPI.
const STATUSES: [&str; 4] = ["status", "code", "statuscode", "status_code"];

/// Members that say whether the request was granted.
const SUCCESSES: [&str; 2] = ["success", "ok"];

/// Members that say what the text is about.
const SUBJECTS: [&str; 2] = ["type", "title"];

/// What else an error message is made of. An object with any other member holds data.
const OTHERS: [&str; 7] = ["path", "timestamp", "requestid", "request_id", "trace", "instance", "hapi"];

/// Words by which a text says that something failed, in lower case.
const FAILURES: [&str; 31] = [
    "error",
    "fail",
    "not found",
    "not exist",
    "no such",
    "unavailable",
    "unauthor",
    "not author",
    "not authen",
    "forbidden",
    "denied",
    "not allowed",
    "not supported",
    "timed out",
    "timeout",
    "time-out",
    "try again",
    "try later",
    "invalid",
    "bad request",
    "bad gateway",
    "too many",
    "exceeded",
    "expired",
    "missing",
    "required",
    "unable to",
    "could not",
    "cannot",
    "maintenance",
    "refused",
];

/// The longest text that is a message and no bulletin, in bytes.
const LONGEST_TEXT: usize = 300;

/// True for an object that says of itself that it is an error message, and holds nothing else.
pub(super) fn is_error(text: &[u8]) -> bool {
    let Ok(Value::Object(members)) = serde_json::from_slice(text) else { return false };
    let stated = members.into_iter().filter(|(_, value)| !value.is_null());
    let members: Map<String, Value> = stated.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    if members.contains_key("hapi") && any(&members, &["status"], is_failure) {
        return true;
    }
    let kinds = [&ERRORS[..], &TEXTS, &STATUSES, &SUCCESSES, &SUBJECTS, &OTHERS];
    let is_known = |name: &String| kinds.iter().any(|names| names.contains(&name.as_str()));
    members.keys().all(is_known)
        && (any(&members, &ERRORS, is_told) || states_failure(&members) || reads_as_failure(&members))
}

fn any(members: &Map<String, Value>, names: &[&str], is_so: fn(&Value) -> bool) -> bool {
    names.iter().filter_map(|name| members.get(*name)).any(is_so)
}

/// True for what holds words.
fn is_told(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Array(values) => values.iter().any(|value| value.is_string() || value.is_object()),
        Value::Bool(is_so) => *is_so,
        Value::Null | Value::Number(_) => false,
    }
}

fn states_failure(members: &Map<String, Value>) -> bool {
    let is_explained = members.len() == 1 || any(members, &TEXTS, is_told);
    any(members, &STATUSES, is_failure)
        || any(members, &SUCCESSES, |value| *value == Value::Bool(false))
        || (is_explained && any(members, &["status"], is_failing_word))
}

fn is_failure(status: &Value) -> bool {
    match status {
        Value::Number(number) => number.as_u64().is_some_and(|status| matches!(status, 400..600)),
        Value::String(text) => text.parse().is_ok_and(|status: u64| matches!(status, 400..600)),
        Value::Object(members) => {
            let code = members.get("code").and_then(Value::as_u64);
            code.is_some_and(|code| matches!(code, 400..600 | 1400..1600))
        }
        _ => false,
    }
}

fn is_failing_word(status: &Value) -> bool {
    let words = ["error", "fail", "failed", "failure"];
    status.as_str().is_some_and(|text| words.contains(&text.to_ascii_lowercase().as_str()))
}

/// True for a text that tells of a failure, where no status says otherwise.
fn reads_as_failure(members: &Map<String, Value>) -> bool {
    !any(members, &SUBJECTS, |_| true)
        && !any(members, &STATUSES, is_success)
        && !any(members, &SUCCESSES, |value| *value == Value::Bool(true))
        && any(members, &TEXTS, is_failing_text)
}

fn is_success(status: &Value) -> bool {
    match status {
        Value::Number(number) => number.as_u64().is_some_and(|status| matches!(status, 0 | 200..400)),
        Value::String(text) => ["ok", "success"].contains(&text.to_ascii_lowercase().as_str()),
        _ => false,
    }
}

fn is_failing_text(text: &Value) -> bool {
    match text {
        Value::String(text) => {
            let lower = text.to_ascii_lowercase();
            text.len() <= LONGEST_TEXT && FAILURES.iter().any(|words| lower.contains(words))
        }
        // The fields of a request that were not understood.
        Value::Array(values) => values.iter().any(|value| value.get("msg").is_some_and(Value::is_string)),
        _ => false,
    }
}
