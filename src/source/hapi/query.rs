//! The questions, in the names of the server's version.
//!
//! HAPI 3 asks for `dataset`, `start` and `stop`; what was before it knows `id`, `time.min` and `time.max` alone.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::info::Parameter;
use crate::day::{Scale, Window};
use crate::failure::Failure;
use crate::source::read_capped;
use crate::untrusted::escape;

/// What stands in a value as it is.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a server's parameters are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParameterNames {
    dataset: &'static str,
    start: &'static str,
    stop: &'static str,
}

/// `{base}capabilities`
pub(super) fn capabilities(base: &Url) -> Url {
    endpoint(base, "capabilities", "")
}

/// Parameters by name, as one value. The time comes always, and is named where it is all that is asked for.
pub(super) fn list(chosen: &[Parameter]) -> String {
    let said = if chosen.len() > 1 { &chosen[1..] } else { chosen };
    let names: Vec<String> = said.iter().map(|one| encoded(&one.name)).collect();
    names.join(",")
}

impl ParameterNames {
    /// Those of the server whose `capabilities` this is.
    ///
    /// # Errors
    /// `listing-malformed` where it tells no version.
    pub(super) fn from_capabilities(capabilities: &[u8]) -> Result<ParameterNames, Failure> {
        #[derive(Deserialize)]
        struct Capabilities {
            #[serde(rename = "HAPI")]
            version: String,
        }
        let told: Capabilities =
            serde_json::from_slice(capabilities).map_err(|error| read_capped::no_json(capabilities, &error))?;
        let major = told.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        match major {
            Some(3..) => Ok(ParameterNames { dataset: "dataset", start: "start", stop: "stop" }),
            Some(1 | 2) => Ok(ParameterNames { dataset: "id", start: "time.min", stop: "time.max" }),
            _ => Err(read_capped::malformed(&format!("`HAPI` is `{}`, which is no version", escape(&told.version)))),
        }
    }

    /// `{base}info?dataset=..`
    pub(super) fn info(self, base: &Url, id: &str) -> Url {
        endpoint(base, "info", &format!("{}={}", self.dataset, encoded(id)))
    }

    /// `{base}data?dataset=..&start=..&stop=..&parameters=..&format=csv`
    pub(super) fn data(self, base: &Url, id: &str, window: &Window, parameters: Option<&str>) -> Url {
        let (start, stop) = (Scale::Utc.label(window.start), Scale::Utc.label(window.end));
        let parameters = parameters.map(|list| format!("&parameters={list}")).unwrap_or_default();
        let dataset = encoded(id);
        endpoint(
            base,
            "data",
            &format!("{}={dataset}&{}={start}&{}={stop}{parameters}&format=csv", self.dataset, self.start, self.stop),
        )
    }
}

fn endpoint(base: &Url, name: &str, query: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(name);
    }
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    url
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, VALUE).to_string()
}
