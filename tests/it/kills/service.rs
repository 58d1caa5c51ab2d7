//! The service of the kill tests: slow enough to be killed in the middle of, faulty now and then, and with a log of
//! the bytes that it sent.
//!
//! What it does not do: break HTTP in ways that the lab's scripted server does; here faults come by odds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Result, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::upstream::{Body, Held, Manner, Upstream};

/// Bytes go out in pieces of this size, with a pause after each.
const PIECE: usize = 16 * 1024;

/// How much of an answer may wait in this side's socket.
const BUFFER: usize = 32 * 1024;

/// Body bytes that went out for one request.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// During which run of the program.
    pub(super) run: u32,
    /// The file's path at the service, `?series/day` for a listing, or a path and more words for what no client takes.
    pub(super) what: String,
    /// Of which bytes of the file: the older ones, or those that it holds now.
    pub(super) is_old: bool,
    /// The first one, and the first one after.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The client's end of the connection.
    peer: u16,
    /// The answer was sent to its end.
    pub(super) is_whole: bool,
}

/// The service; it ends when dropped.
pub(super) struct Service {
    shared: Arc<Shared>,
    port: u16,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: Arc<Upstream>,
    /// Where the odds come from; without it nothing goes wrong.
    odds: Option<Mutex<StdRng>>,
    run: AtomicU32,
    /// The client has been stopped: what still goes out is never fetched.
    client_stopped: AtomicBool,
    log: Mutex<Vec<Sent>>,
    /// Files that have become what they are.
    changed: Mutex<BTreeSet<String>>,
    stopped: AtomicBool,
}

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Another status, with this Retry-After.
    Refused(u16, &'static str),
    /// Closed before this share of the bytes.
    Cut(f64),
    /// Reset before this share of the bytes.
    Reset(f64),
}

impl Service {
    /// A service that does everything right, at its own pace.
    pub(super) fn healthy(upstream: &Arc<Upstream>) -> Service {
        Service::start(upstream, None)
    }

    /// A service with faults, the same odds for the same seed.
    pub(super) fn faulty(upstream: &Arc<Upstream>, seed: u64) -> Service {
        Service::start(upstream, Some(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn start(upstream: &Arc<Upstream>, odds: Option<Mutex<StdRng>>) -> Service {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            upstream: Arc::clone(upstream),
            odds,
            run: AtomicU32::new(0),
            client_stopped: AtomicBool::new(false),
            log: Mutex::default(),
            changed: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let for_listener = Arc::clone(&shared);
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if for_listener.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_listener);
                // A client that is killed in the middle is what this service is for.
                std::thread::spawn(move || drop(shared.converse(&stream)));
            }
        });
        Service { shared, port, listener: Some(listener) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What is asked from now on is asked by this run.
    pub(super) fn begin(&self, run: u32) {
        self.shared.run.store(run, Ordering::SeqCst);
        self.shared.client_stopped.store(false, Ordering::SeqCst);
    }

    /// Takes back what waits in the sockets of a client that was stopped and is about to die, and counts nothing more that
    /// goes out to it: it was never fetched. How much that is depends on the kernel and on how busy the machine is, not on
    /// the program.
    pub(super) fn take_back_unread(&self) {
        self.shared.client_stopped.store(true, Ordering::SeqCst);
        let sockets = std::fs::read_to_string("/proc/net/tcp").expect("the sockets of this machine");
        let mut unread: BTreeMap<u16, usize> = BTreeMap::new();
        for line in sockets.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let port = |at: usize| u16::from_str_radix(words[at].rsplit(':').next()?, 16).ok();
            let queue = |at: usize| usize::from_str_radix(words[4].split(':').nth(at)?, 16).ok();
            // What our side has not delivered yet, and what the client's side has not read yet.
            let (peer, waiting) = match (port(1), port(2)) {
                (Some(own), Some(peer)) if own == self.port => (peer, queue(0)),
                (Some(peer), Some(own)) if own == self.port => (peer, queue(1)),
                _ => continue,
            };
            *unread.entry(peer).or_default() += waiting.unwrap_or_default();
        }
        for sent in self.shared.log.lock().expect("a lock").iter_mut().rev() {
            if let Some(unread) = unread.remove(&sent.peer) {
                sent.to = sent.to.saturating_sub(unread).max(sent.from);
            }
        }
    }

    /// What went out so far, in order of the requests.
    pub(super) fn log(&self) -> Vec<Sent> {
        self.shared.log.lock().expect("a lock").clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, whose next connection is its last.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

impl Shared {
    /// Answers one connection's requests until either side ends it.
    fn converse(&self, stream: &TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        // An idle connection of a client that lives longer than its test.
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        rustix::net::sockopt::set_socket_send_buffer_size(stream, BUFFER)?;
        let mut lines = BufReader::new(stream).lines();
        while let Some(first) = lines.next() {
            let first = first?;
            let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut range = (None, None);
            for line in lines.by_ref() {
                let line = line?;
                let Some((name, value)) = line.split_once(": ") else { break };
                match name.to_ascii_lowercase().as_str() {
                    "range" => range.0 = Some(value.to_owned()),
                    "if-range" => range.1 = Some(value.to_owned()),
                    _ => {}
                }
            }
            self.pause_before();
            let goes_on = match target.split_once('?') {
                Some((path, query)) => self.list(stream, path, query)?,
                None => self.give(stream, &target, &range)?,
            };
            if !goes_on {
                return stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    fn odds<T>(&self, healthy: T, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        self.odds.as_ref().map_or(healthy, |odds| draw(&mut odds.lock().expect("a lock")))
    }

    fn pause_before(&self) {
        std::thread::sleep(Duration::from_micros(self.odds(1000, |odds| odds.random_range(0..4000))));
    }

    fn fault(&self) -> Fault {
        self.odds(Fault::None, |odds| match odds.random_range(0..1000) {
            0 => Fault::Refused(503, "1"),
            1..5 => Fault::Refused(503, "0"),
            5..8 => Fault::Refused(429, "0"),
            8..20 => Fault::Cut(odds.random()),
            20..30 => Fault::Reset(odds.random()),
            _ => Fault::None,
        })
    }

    /// How long each piece of a body takes.
    fn pace(&self, length: usize) -> Duration {
        let pieces = u32::try_from(length / PIECE + 1).expect("few pieces");
        self.odds(Duration::from_millis(1), |odds| match odds.random_range(0..100) {
            // So slow that it is kept as a part, however small it is.
            0..4 => Duration::from_millis(odds.random_range(300..600)) / pieces,
            // Slow enough that a client with little of the processor's time keeps up.
            _ => Duration::from_micros(odds.random_range(500..3000)),
        })
    }

    fn list(&self, stream: &TcpStream, path: &str, query: &str) -> Result<bool> {
        let series = path.trim_start_matches("/HMI/");
        let start = query.split('&').find_map(|pair| pair.strip_prefix("start=")).unwrap_or_default();
        let day = &start[..start.len().min(10)];
        let body = self.upstream.listing(series, day).to_string().into_bytes();
        let head = "200 OK\r\nContent-Type: application/json";
        self.send(stream, (format!("?{series}/{day}"), false), head, &body, 0..body.len(), self.fault())
    }

    fn give(&self, stream: &TcpStream, path: &str, (range, if_range): &Range) -> Result<bool> {
        let Some(file) = self.upstream.files.get(path) else {
            return self.send(stream, (path.to_owned(), false), "404 Not Found", &[], 0..0, Fault::None);
        };
        let (body, is_old) = self.bytes_of(path, file);
        let mut fault = self.fault();
        if is_old && matches!(fault, Fault::None) {
            // Nobody gets all of what will be another file.
            fault = Fault::Cut(self.odds(0.5, StdRng::random));
        }
        let Body { bytes: body, etag } = body;
        let asked = range.as_ref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let from = asked.filter(|_| file.is_resumable() && if_range.as_ref() == Some(etag));
        let head = match from {
            Some(from) if from >= body.len() => {
                let head = format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{}", body.len());
                return self.send(stream, (path.to_owned(), is_old), &head, body, 0..0, fault);
            }
            Some(from) => {
                format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", body.len() - 1, body.len())
            }
            None => "200 OK".to_owned(),
        };
        let named = format!("{head}\r\nContent-Disposition: attachment; filename={}", file.file);
        let head = if file.is_resumable() { format!("{named}\r\nETag: {etag}") } else { named };
        // Nothing of the whole is taken where the rest was asked for, but what lies in the socket's buffers.
        let is_dropped = asked.is_some() && from.is_none();
        let what = if is_dropped { format!("{path}, the whole for its rest") } else { path.to_owned() };
        self.send(stream, (what, is_old), &head, body, from.unwrap_or(0)..body.len(), fault)
    }

    /// The bytes that a file has now.
    fn bytes_of<'a>(&self, path: &str, held: &'a Held) -> (&'a Body, bool) {
        let Manner::Changing(before) = &held.manner else { return (&held.body, false) };
        let mut changed = self.changed.lock().expect("a lock");
        if self.odds.is_none() || changed.contains(path) {
            return (&held.body, false);
        }
        // It changes after this answer, or after a later one.
        if self.odds(true, |odds| odds.random_bool(0.6)) {
            changed.insert(path.to_owned());
        }
        (before, true)
    }

    /// False when the connection is to be closed.
    fn send(
        &self,
        mut stream: &TcpStream,
        (what, is_old): (String, bool),
        head: &str,
        body: &[u8],
        range: std::ops::Range<usize>,
        fault: Fault,
    ) -> Result<bool> {
        let run = self.run.load(Ordering::SeqCst);
        if let Fault::Refused(status, after) = fault {
            let head = format!("HTTP/1.1 {status} Later\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            return Ok(true);
        }
        let peer = stream.peer_addr()?.port();
        let nth = {
            let mut log = self.log.lock().expect("a lock");
            log.push(Sent { run, what, is_old, from: range.start, to: range.start, peer, is_whole: false });
            log.len() - 1
        };
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", range.len());
        stream.write_all(head.as_bytes())?;
        let body = &body[range];
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share"
        )]
        let share = |share: f64| (body.len() as f64 * share) as usize;
        let due = match fault {
            Fault::Cut(at) | Fault::Reset(at) => &body[..share(at)],
            _ => body,
        };
        let pace = self.pace(body.len());
        for piece in due.chunks(PIECE) {
            std::thread::sleep(pace);
            stream.write_all(piece)?;
            let mut log = self.log.lock().expect("a lock");
            let is_fetched = !self.client_stopped.load(Ordering::SeqCst) && self.run.load(Ordering::SeqCst) == run;
            log[nth].to += if is_fetched { piece.len() } else { 0 };
        }
        self.log.lock().expect("a lock")[nth].is_whole = due.len() == body.len();
        if let Fault::Reset(_) = fault {
            // With no time to linger, closing resets.
            rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
        }
        Ok(due.len() == body.len())
    }
}

/// The values of `Range` and `If-Range`.
type Range = (Option<String>, Option<String>);
