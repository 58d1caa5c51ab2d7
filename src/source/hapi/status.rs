//! HAPI's own status: a code and words in a JSON object, whatever the status of HTTP.
//!
//! HAPI 3.1, "Status Codes". A range is not cut here, though one of the codes asks for it.

use serde::Deserialize;
use url::Url;

use crate::failure::{Class, Failure};
use crate::net::shown;
use crate::untrusted::escape;

/// A status, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct HapiStatus {
    pub(super) code: i64,
    #[serde(default)]
    pub(super) message: String,
}

/// What a status means for a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// 1200.
    Ok,
    /// 1201: there are no data in the range.
    NoData,
    /// 1405: the range is beyond the dataset's.
    Outside,
    /// 1408: too much at once.
    TooMuch,
    /// Anything else.
    Refused,
}

/// The status that an answer states; `None` where it is no such object.
pub(super) fn read_status(answer: &[u8]) -> Option<HapiStatus> {
    #[derive(Deserialize)]
    struct StatusBody {
        status: HapiStatus,
    }
    serde_json::from_slice(answer).ok().map(|answer: StatusBody| answer.status)
}

impl HapiStatus {
    pub(super) fn meaning(&self) -> Meaning {
        match self.code {
            1200 => Meaning::Ok,
            1201 => Meaning::NoData,
            1405 => Meaning::Outside,
            1408 => Meaning::TooMuch,
            _ => Meaning::Refused,
        }
    }

    /// What a refused question is told: 14xx is its own fault, 15xx the server's.
    pub(super) fn failure(&self, url: &Url, http: Option<u16>) -> Failure {
        let HapiStatus { code, message } = self;
        let (class, why) = match code {
            1400..=1499 => (Class::SourceRefused, "the server refuses the question"),
            1500..=1599 => (Class::ServerError, "the server failed"),
            _ => (Class::UnexpectedStatus, "a status that HAPI does not have"),
        };
        let message = format!("{}: HAPI {code}: {why}: {}", shown(url), escape(message));
        Failure { status: http, ..Failure::new(class, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_an_object_and_has_its_class() {
        let url: Url = "https://h.example/hapi/data?start=2015Z".parse().unwrap();
        let class = |code| HapiStatus { code, message: "no".into() }.failure(&url, Some(400)).class;
        assert_eq!([1400, 1406, 1499].map(class), [Class::SourceRefused; 3]);
        assert_eq!([1500, 1501].map(class), [Class::ServerError; 2]);
        assert_eq!(class(1600), Class::UnexpectedStatus);
        let told =
            read_status(br#"{"HAPI":"3.1","status":{"code":1408,"message":"HAPI error 1408: too much"}}"#).unwrap();
        assert_eq!((told.meaning(), told.code), (Meaning::TooMuch, 1408));
        assert_eq!(read_status(b"2015-12-11T00:00:00Z,1\n"), None);
        assert_eq!(read_status(b"{\"status\":404}"), None);
    }
}
