//! Faults on purpose: what a service can do wrong with a file, to rehearse one's own manifest against.
//!
//! Which request meets which fault follows from the seed, the file's path and how often it was asked for, and from
//! nothing else. What it does not do: touch listings.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::sleep;

use super::listener::Socket;
use super::problem::HttpProblem;
use crate::digest::Digest;
use crate::untrusted::escape;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InjectedFault {
    Truncate,
    Stall,
    Reset,
    Throttle,
    Corrupt,
    WrongLength,
    Html,
    Changed,
}

/// Every kind: its name in a SPEC, and what it does.
const KINDS: [(&str, InjectedFault, &str); 8] = [
    ("truncate", InjectedFault::Truncate, "the connection ends within the body"),
    ("stall", InjectedFault::Stall, "no more bytes come after some"),
    ("reset", InjectedFault::Reset, "the connection is reset within the body"),
    ("throttle", InjectedFault::Throttle, "429 with Retry-After: 1"),
    ("corrupt", InjectedFault::Corrupt, "one bit of the body is flipped"),
    ("wrong-length", InjectedFault::WrongLength, "the body is cut, and Content-Length agrees with it"),
    ("html", InjectedFault::Html, "a web page with status 200"),
    ("changed", InjectedFault::Changed, "the whole file under another ETag, whatever range was requested"),
];

/// One file meets at most so many faults in a row: attempts are bounded, so a run must be able to end.
const IN_A_ROW: u8 = 3;

/// How long a stalled answer is held open.
const STALLED: Duration = Duration::from_mins(10);

/// After so long the bytes before a break have left.
const FLUSHED: Duration = Duration::from_millis(20);

/// Which faults happen, how often, and to whom they have happened.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    odds: Vec<(&'static str, InjectedFault, f64)>,
    met: Mutex<HashMap<String, Met>>,
}

/// What a file has met so far.
#[derive(Debug, Default)]
struct Met {
    asked: u64,
    in_a_row: u8,
}

impl Faults {
    /// Reads a SPEC: `truncate=0.2,stall=0.05`, each a probability; at most one fault befalls an answer.
    ///
    /// # Errors
    /// What is wrong with it, in words that are safe to show.
    pub fn parse(spec: &str, seed: u64) -> Result<Faults, String> {
        let mut odds: Vec<(&'static str, InjectedFault, f64)> = Vec::new();
        for part in spec.split(',').map(str::trim) {
            let (name, odd) = part.split_once('=').ok_or_else(|| format!("`{}` is no FAULT=ODDS", escape(part)))?;
            let kind = KINDS.iter().find(|(known, ..)| *known == name.trim());
            let Some((name, fault, _)) = kind else {
                return Err(format!("there is no fault `{}`", escape(name.trim())));
            };
            if odds.iter().any(|(_, known, _)| known == fault) {
                return Err(format!("`{name}` appears twice"));
            }
            match odd.trim().parse::<f64>() {
                Ok(odd) if (0.0..=1.0).contains(&odd) => odds.push((name, *fault, odd)),
                _ => return Err(format!("`{name}={}`: a probability is a number from 0 to 1", escape(odd.trim()))),
            }
        }
        if odds.iter().map(|(.., odd)| odd).sum::<f64>() > 1.0 + f64::EPSILON {
            return Err("the probabilities add up to more than 1".to_owned());
        }
        Ok(Faults { seed, odds, met: Mutex::default() })
    }

    /// The kinds of fault with what they do, one a line.
    #[must_use]
    pub fn kinds() -> String {
        KINDS.map(|(name, _, does)| format!("  {name:<13} {does}\n")).concat()
    }

    /// What befalls the next answer for `path`, and a number that says where in the body.
    fn draw(&self, path: &str) -> Option<(&'static str, InjectedFault, u64)> {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let met = met.entry(path.to_owned()).or_default();
        met.asked += 1;
        let dice = Digest::sha256(format!("{} {} {path}", self.seed, met.asked).as_bytes()).to_string();
        let number = |from: usize| u64::from_str_radix(&dice[from..from + 13], 16).unwrap_or_default();
        // Thirteen digits are 52 bits, which a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "52 bits")]
        let mut at = number(0) as f64 / (1_u64 << 52) as f64;
        let fault = self.odds.iter().find(|(.., odd)| {
            at -= odd;
            at < 0.0
        });
        let fault = fault.filter(|_| met.in_a_row < IN_A_ROW);
        met.in_a_row = if fault.is_some() { met.in_a_row + 1 } else { 0 };
        fault.map(|(name, fault, _)| (*name, *fault, number(13)))
    }
}

/// For people: the odds, the seed and the bound.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let odds: Vec<String> = self.odds.iter().map(|(name, _, odd)| format!("{name} {odd}")).collect();
        write!(f, "faults by seed {}: {}; at most {IN_A_ROW} in a row on one file", self.seed, odds.join(", "))
    }
}

/// Spoils the answers that the dice say.
pub(super) async fn rehearse(State(faults): State<Arc<Faults>>, mut request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    let Some((name, fault, dice)) = faults.draw(&path) else {
        return next.run(request).await;
    };
    tracing::info!(target: "sunhaul::service", fault = name, path = %escape(&path), "fault");
    let socket = request.extensions().get::<ConnectInfo<Socket>>().map(|info| info.0.clone());
    match fault {
        InjectedFault::Throttle => {
            let mut response = HttpProblem::new(StatusCode::TOO_MANY_REQUESTS, "a rehearsed fault").into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        InjectedFault::Html => {
            let page = "<!DOCTYPE html><html><body><h1>Service temporarily unavailable</h1></body></html>\n";
            return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        }
        InjectedFault::Changed => {
            request.headers_mut().remove(header::RANGE);
            request.headers_mut().remove(header::IF_RANGE);
            let mut response = next.run(request).await;
            if let Ok(etag) = HeaderValue::from_str(&format!("\"rehearsed-{dice:013x}\"")) {
                response.headers_mut().insert(header::ETAG, etag);
            }
            return response;
        }
        _ => {}
    }
    let response = next.run(request).await;
    let length =
        response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if response.status().is_success() && length > 0 => spoil(response, fault, dice % length, socket),
        _ => response,
    }
}

/// The same answer with a body that goes wrong at byte `at`.
fn spoil(response: Response, fault: InjectedFault, at: u64, socket: Option<Socket>) -> Response {
    let (mut parts, body) = response.into_parts();
    let pieces = body.into_data_stream();
    let broken = || io::Error::other("a rehearsed fault");
    let body = match fault {
        InjectedFault::Corrupt => Body::from_stream(flipped(pieces, at)),
        InjectedFault::WrongLength => {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(at));
            Body::from_stream(cut(pieces, at))
        }
        _ => {
            let end = async move {
                sleep(if fault == InjectedFault::Stall { STALLED } else { FLUSHED }).await;
                if let Some(socket) = socket.filter(|_| fault == InjectedFault::Reset) {
                    socket.reset_on_close();
                }
                Err(axum::Error::new(broken()))
            };
            Body::from_stream(cut(pieces, at).chain(stream::once(end)))
        }
    };
    Response::from_parts(parts, body)
}

/// The first `left` bytes.
fn cut<E>(pieces: impl Stream<Item = Result<Bytes, E>>, mut left: u64) -> impl Stream<Item = Result<Bytes, E>> {
    pieces.map(move |piece| {
        piece.map(|mut bytes| {
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= bytes.len() as u64;
            bytes
        })
    })
}

/// The same bytes with one bit of byte `at` flipped.
fn flipped<E>(pieces: impl Stream<Item = Result<Bytes, E>>, at: u64) -> impl Stream<Item = Result<Bytes, E>> {
    let mut passed = 0;
    pieces.map(move |piece| {
        piece.map(|bytes| {
            let within = usize::try_from(at.wrapping_sub(passed)).unwrap_or(usize::MAX);
            passed += bytes.len() as u64;
            if within >= bytes.len() {
                return bytes;
            }
            let mut bytes = bytes.to_vec();
            bytes[within] ^= 1 << (at % 8);
            bytes.into()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_read_and_what_is_wrong_with_one_is_told() {
        let faults = Faults::parse("truncate=0.2, wrong-length=0.05", 7).unwrap();
        assert_eq!(
            faults.to_string(),
            "faults by seed 7: truncate 0.2, wrong-length 0.05; at most 3 in a row on one file"
        );
        let wrong = |spec| Faults::parse(spec, 0).unwrap_err();
        assert_eq!(wrong("trunkate=0.2"), "there is no fault `trunkate`");
        assert_eq!(wrong("stall"), "`stall` is no FAULT=ODDS");
        assert_eq!(wrong("stall=2"), "`stall=2`: a probability is a number from 0 to 1");
        assert_eq!(wrong("stall=NaN"), "`stall=NaN`: a probability is a number from 0 to 1");
        assert_eq!(wrong("stall=.1,stall=.1"), "`stall` appears twice");
        assert_eq!(wrong("stall=0.6,reset=0.6"), "the probabilities add up to more than 1");
    }

    #[test]
    fn faults_follow_from_the_seed_come_as_often_as_asked_and_never_four_in_a_row() {
        let drawn = |spec: &str, seed, count: u32| {
            let faults = Faults::parse(spec, seed).unwrap();
            (0..count).map(|n| faults.draw(&format!("/{}", n % 100))).collect::<Vec<_>>()
        };
        let one = drawn("truncate=0.1,html=0.2", 7, 10_000);
        assert_eq!(one, drawn("truncate=0.1,html=0.2", 7, 10_000));
        assert_ne!(one, drawn("truncate=0.1,html=0.2", 8, 10_000));
        let of = |kind| one.iter().flatten().filter(|(_, fault, _)| *fault == kind).count();
        assert!((850..1150).contains(&of(InjectedFault::Truncate)), "{}", of(InjectedFault::Truncate));
        assert!((1700..2300).contains(&of(InjectedFault::Html)), "{}", of(InjectedFault::Html));
        let always = drawn("stall=1", 7, 1000);
        assert_eq!(always.iter().flatten().count(), 800, "of ten requests for each of 100 files, 1-3, 5-7 and 9-10");
    }
}
