//! The HMI service of the newest kind (v3): one record a time, one segment a record.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::contract::{self, How};
use crate::lab::{Answer, Request, Server, fits};

/// The service.
pub(super) struct Fake {
    server: Server,
    how: Arc<Mutex<How>>,
}

const LISTING: &str = "/HMI/hmi.sharp_720s";

impl contract::Fake for Fake {
    fn with(times: &[&str]) -> Fake {
        let records: Vec<String> = times.iter().map(|time| format!("{time}.000000Z")).collect();
        let how = Arc::new(Mutex::new(How::Honest));
        let now = Arc::clone(&how);
        let server = Server::speaking(move |request| {
            if request.path == LISTING {
                return Some(listing(request, &records, &now.lock().expect("a lock")));
            }
            let recnum = request.path.strip_prefix(LISTING)?.strip_prefix('/')?.strip_suffix("/magnetogram.fits")?;
            let nth: u32 = recnum.parse().ok()?;
            let time = records.get(nth as usize)?;
            Some(Answer::file(fits(nth, 20, time)).named("magnetogram.fits"))
        });
        Fake { server, how }
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        *self.how.lock().expect("a lock") = how;
    }

    fn source(&self) -> String {
        format!("{{ hmi: {{ url: \"{}\" }} }}", self.server.url())
    }

    fn series() -> &'static str {
        "{ name: hmi.sharp_720s, as: one }"
    }

    fn unanswerable() -> &'static str {
        "{ name: hmi.sharp_720s, as: one, segments: [bitmap] }"
    }
}

fn listing(request: &Request, records: &[String], how: &How) -> Answer {
    let label = |name: &str| request.parameter(name).expect("a bound").chars().take(19).collect::<String>();
    let (start, end) = (label("start"), label("end"));
    // The service counts both ends in.
    let is_asked = |time: &str| start.as_str() <= &time[..19] && &time[..19] <= end.as_str();
    let item = |(nth, time): (usize, &String)| {
        json!({ "urls": [format!("http://cluster-r730-1:8001{LISTING}/{nth}/magnetogram.fits")], "date__obs": time,
                "recnum": nth, "quality": 0, "harpnum": 377 })
    };
    let mut items: Vec<Value> = records.iter().enumerate().filter(|(_, time)| is_asked(time)).map(item).collect();
    match how {
        How::Honest => {}
        How::Backwards => items.reverse(),
        How::Twice => items.extend(items.clone()),
        How::Failing => return Answer::status(500),
        How::Cut => {
            let answer = Answer::json(&items.into());
            let half = answer.body().len() / 2;
            return answer.ending(crate::lab::Ending::Cut(half));
        }
        How::Page => return Answer::html(),
        How::Abroad(host) => items.push(json!({
            "urls": [format!("http://{host}{LISTING}/999/magnetogram.fits")], "date__obs": "2015-12-11T06:00:00.0Z",
            "recnum": 999, "quality": 0, "harpnum": 377,
        })),
    }
    Answer::json(&items.into())
}
