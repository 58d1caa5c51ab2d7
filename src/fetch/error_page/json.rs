//! Error messages in JSON.

use serde_json::{Map, Value};

/// Members by which an object says that it is an error message, in lower case.
const ERRORS: [&str; 11] = [
    "error",
    "errors",
    "fault",
    "exception",
    "error_description",
    "errormessage",
    "errorcode",
    "error_message",
    "error_msg",
    "error_code",
    "exceptionmessage",
];

/// What such members hold where there is no error, in lower case.
const NOTHINGS: [&str; 6] = ["", "-", "none", "null", "ok", "false"];

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

/// What stands beside an error that a member of [`ERRORS`] states.
const BESIDES: [&str; 20] = [
    "__type",
    "apiversion",
    "correlationid",
    "description",
    "documentation_url",
    "exceptiontype",
    "host",
    "id",
    "jsonapi",
    "links",
    "messagedetail",
    "meta",
    "method",
    "reason",
    "request",
    "stack",
    "stacktrace",
    "traceid",
    "uri",
    "url",
];

/// Words by which a text says that something failed, in lower case.
pub(super) const FAILURES: [&str; 31] = [
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

type Members = Map<String, Value>;

/// True for an object that says of itself that it is an error message, and holds nothing else; and for a list of such.
pub(super) fn is_error(text: &[u8]) -> bool {
    match serde_json::from_slice(text) {
        Ok(Value::Object(members)) => {
            let members = lower_case(&members);
            is_stated(&members) || reads_as_failure(&members)
        }
        Ok(Value::Array(values)) => {
            let objects: Option<Vec<Members>> = values.iter().map(|value| value.as_object().map(lower_case)).collect();
            objects.is_some_and(|objects| match &objects[..] {
                [] => false,
                // What has a time may be a bulletin.
                [object] => is_stated(object) || (!object.contains_key("timestamp") && reads_as_failure(object)),
                objects => objects.iter().all(is_stated),
            })
        }
        _ => false,
    }
}

/// The members that hold something, by their names in lower case.
fn lower_case(members: &Members) -> Members {
    let stated = members.iter().filter(|(_, value)| !value.is_null());
    stated.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

/// True for an object that states an error, beside empty lists of data at most.
fn is_stated(members: &Members) -> bool {
    if members.contains_key("hapi") && any(members, &["status"], is_failure) {
        return true;
    }
    let is_filled = |value: &Value| match value {
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let filled = members.iter().filter(|(_, value)| is_filled(value));
    let filled: Members = filled.map(|(name, value)| (name.clone(), value.clone())).collect();
    let is_besides = |name: &str| is_member_of_message(name) || BESIDES.contains(&name);
    (filled.keys().all(|name| is_besides(name)) && (any(&filled, &ERRORS, is_told) || names_failure(&filled)))
        || (filled.keys().all(|name| is_member_of_message(name)) && states_failure(&filled))
}

fn is_member_of_message(name: &str) -> bool {
    [&ERRORS[..], &TEXTS, &STATUSES, &SUCCESSES, &SUBJECTS, &OTHERS].iter().any(|names| names.contains(&name))
}

/// True for a code or a type that is a word of failure, such as `NotFound` (OGC API) or `ThrottlingException` (AWS), with an explanation.
fn names_failure(members: &Members) -> bool {
    let is_failing = |name: &Value| {
        let name = name.as_str().unwrap_or_default().to_ascii_lowercase();
        let is_word = !name.contains(char::is_whitespace);
        is_word && (name.ends_with("exception") || FAILURES.iter().any(|words| name.contains(&words.replace(' ', ""))))
    };
    any(members, &["message", "description"], is_told)
        && ["code", "__type"].iter().filter_map(|name| members.get(*name)).any(is_failing)
}

fn any(members: &Members, names: &[&str], is_so: fn(&Value) -> bool) -> bool {
    names.iter().filter_map(|name| members.get(*name)).any(is_so)
}

/// True for what holds words, or a code.
fn is_told(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            !NOTHINGS.contains(&text.as_str()) && !is_uncertainty(&text)
        }
        Value::Object(members) => members.iter().any(|(name, value)| name == "code" || is_told(value)),
        Value::Array(values) => values.iter().any(|value| value.is_object() || is_told(value)),
        Value::Bool(is_so) => *is_so,
        Value::Null | Value::Number(_) => false,
    }
}

/// True for an error that is one of measurement, such as `±0.5 arcsec`: a number, and no status.
fn is_uncertainty(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    let number = first.trim_matches(|c: char| !c.is_ascii_alphanumeric()).parse::<f64>();
    number.is_ok_and(|number| !(400.0..600.0).contains(&number))
}

fn states_failure(members: &Members) -> bool {
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
fn reads_as_failure(members: &Members) -> bool {
    members.keys().all(|name| is_member_of_message(name))
        && !any(members, &SUBJECTS, |_| true)
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
