//! Error messages in JSON.

use serde_json::{Map, Value};

/// Members by which an object says that it is an error message, in lower case.
const ERRORS: [&str; 7] = ["error", "errors", "fault", "exception", "error_description", "errormessage", "errorcode"];

/// Members with which an object says so unless it holds rows of data besides.
const MESSAGES: [&str; 4] = ["message", "msg", "detail", "details"];

/// Members that hold a status of HTTP, or one of HAPI.
const STATUSES: [&str; 4] = ["status", "code", "statuscode", "status_code"];

/// Members that say whether the request was granted.
const SUCCESSES: [&str; 2] = ["success", "ok"];

/// True for an object that says of itself that it is an error message.
pub(super) fn is_error(text: &[u8]) -> bool {
    let Ok(Value::Object(members)) = serde_json::from_slice(text) else { return false };
    let has =
        |is_so: fn(&str, &Value) -> bool| members.iter().any(|(name, value)| is_so(&name.to_ascii_lowercase(), value));
    has(is_error_member) || (!has_rows(&members) && (has(is_message) || has(is_status)))
}

fn is_error_member(name: &str, value: &Value) -> bool {
    ERRORS.contains(&name) && is_told(value)
}

fn is_message(name: &str, value: &Value) -> bool {
    MESSAGES.contains(&name) && is_told(value)
}

fn is_status(name: &str, value: &Value) -> bool {
    (STATUSES.contains(&name) && is_failure(value)) || (SUCCESSES.contains(&name) && *value == Value::Bool(false))
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

fn is_failure(status: &Value) -> bool {
    let is_failing = |status: u64| matches!(status, 400..600 | 1400..1600);
    match status {
        Value::Number(number) => number.as_u64().is_some_and(is_failing),
        Value::String(text) => {
            text.parse().is_ok_and(is_failing)
                || ["error", "fail", "failed", "failure"].contains(&text.to_ascii_lowercase().as_str())
        }
        Value::Object(members) => members.get("code").is_some_and(is_failure),
        _ => false,
    }
}

/// True where a member that is no message holds an array of values.
fn has_rows(members: &Map<String, Value>) -> bool {
    members.iter().any(|(name, value)| {
        let is_data = |value: &Value| value.is_number() || value.is_array() || value.is_object();
        !MESSAGES.contains(&name.to_ascii_lowercase().as_str())
            && value.as_array().is_some_and(|values| values.iter().any(is_data))
    })
}
