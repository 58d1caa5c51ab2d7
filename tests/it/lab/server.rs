//! A scripted HMI service on raw sockets: each path has its answers in turn, and every request is on record.
//!
//! It lists its items as the old service did (v1), with URLs that name the host as the service knows it. A server that
//! was never called fails its test. What it does not do: know HTTP beyond what a client of files needs, so that it can
//! break it on purpose.

mod answer;
mod secure;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Map, Value, json};

pub(crate) use answer::{Answer, Ending, Ranges};
pub(crate) use secure::{Certificate, Speaks, trusted};

use super::PATIENCE;

/// The name that the old service's listings gave its own host: no machine of ours has it, so URLs must be rebased.
const OLD_HOST: &str = "http://cluster-r730-1:8001";

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) at: Instant,
}

impl Request {
    /// A header's value; the name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }
}

/// A file of a series, as listed.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The last part of its URL.
    name: String,
    date_obs: String,
    size: Option<u64>,
    /// What else is told of it, by field.
    facts: Map<String, Value>,
}

impl Item {
    /// An item of the v1 service: `sharp_720s_20151211_182208`, listed at `2015-12-11T18:22:08.799999Z`.
    pub(crate) fn new(name: &str, date_obs: &str) -> Item {
        Item { name: name.to_owned(), date_obs: date_obs.to_owned(), size: None, facts: Map::new() }
    }

    /// Listed with this size in bytes.
    pub(crate) fn sized(self, size: u64) -> Item {
        Item { size: Some(size), ..self }
    }

    /// Listed with these further fields, as `sunhaul serve` has them: an object.
    pub(crate) fn telling(self, facts: &Value) -> Item {
        Item { facts: facts.as_object().expect("an object").clone(), ..self }
    }
}

/// The service; it ends when dropped.
pub(crate) struct Server {
    shared: Arc<Shared>,
    port: u16,
    listener: Option<JoinHandle<()>>,
    front: Option<secure::Front>,
    may_be_silent: AtomicBool,
}

/// What a server says by itself.
type Speech = Box<dyn Fn(&Request) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct Shared {
    speech: OnceLock<Speech>,
    scripts: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    items: Mutex<BTreeMap<String, Vec<Item>>>,
    requests: Mutex<Vec<Request>>,
    /// Paths whose answer stopped in the middle, in order; waited on with `changed`.
    paused: Mutex<Vec<String>>,
    changed: Condvar,
    stopped: AtomicBool,
    connections: Mutex<Vec<Weak<TcpStream>>>,
}

impl Server {
    /// A service with nothing to list.
    pub(crate) fn start() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let for_listener = Arc::clone(&shared);
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_listener.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let stream = Arc::new(stream);
                for_listener.connections.lock().expect("a lock").push(Arc::downgrade(&stream));
                let shared = Arc::clone(&for_listener);
                std::thread::spawn(move || wire::converse(&shared, &stream));
            }
        });
        Server { shared, port, listener: Some(listener), front: None, may_be_silent: AtomicBool::new(false) }
    }

    /// A service of another protocol: what no script answers, `speech` does, or else it is 404.
    pub(crate) fn speaking(speech: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> Server {
        let server = Server::start();
        assert!(server.shared.speech.set(Box::new(speech)).is_ok(), "a server speaks one protocol");
        server
    }

    /// The same behind TLS.
    pub(crate) fn secure(certificate: Certificate, speaks: Speaks) -> Server {
        let mut server = Server::start();
        server.front = Some(secure::Front::before(&server.shared, server.port, certificate, speaks));
        server
    }

    /// Where it listens, such as `http://127.0.0.1:40123`, or `https://localhost:40124`.
    pub(crate) fn url(&self) -> String {
        match &self.front {
            Some(front) => format!("https://localhost:{}", front.port),
            None => self.plain_url(),
        }
    }

    /// Where it listens without TLS.
    pub(crate) fn plain_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lists a file of a series and answers for it; its name on disk is the item's with `.fits`.
    pub(crate) fn file(&self, series: &str, item: Item, body: Vec<u8>) {
        let answer = Answer::file(body).named(&format!("{}.fits", item.name));
        self.script_file(series, item, [answer]);
    }

    /// Lists a file of a series and gives the answers for it in turn; the last one stays.
    pub(crate) fn script_file(&self, series: &str, item: Item, answers: impl IntoIterator<Item = Answer>) {
        self.script(&format!("/HMI/{series}/{}", item.name), answers);
        let mut items = self.shared.items.lock().expect("a lock");
        items.entry(series.to_owned()).or_default().push(item);
    }

    /// Lists a file otherwise than before.
    pub(crate) fn list_anew(&self, series: &str, item: Item) {
        let mut items = self.shared.items.lock().expect("a lock");
        let listed = items.get_mut(series).and_then(|items| items.iter_mut().find(|old| old.name == item.name));
        *listed.expect("it was listed before") = item;
    }

    /// The answers of a path in turn; the last one stays. Goes before what the server would say by itself.
    pub(crate) fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers: VecDeque<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a script needs an answer");
        self.shared.scripts.lock().expect("a lock").insert(path.to_owned(), answers);
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("a lock").clone()
    }

    /// The requests for one path so far.
    pub(crate) fn requests_for(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path == path).collect()
    }

    /// Waits until the answers of these many requests have stopped in the middle (see [`Answer::stall_at`]).
    #[track_caller]
    pub(crate) fn wait_for_pauses(&self, count: usize) {
        let paused = self.shared.paused.lock().expect("a lock");
        let (paused, timeout) =
            self.shared.changed.wait_timeout_while(paused, PATIENCE, |paused| paused.len() < count).expect("a lock");
        assert!(!timeout.timed_out(), "only these answers came to their pause: {paused:?}");
    }

    /// For a test that shows that nothing is asked.
    pub(crate) fn expect_silence(self) -> Server {
        self.may_be_silent();
        self
    }

    /// The same, said of one that is used already.
    pub(crate) fn may_be_silent(&self) {
        self.may_be_silent.store(true, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // Wakes the listener, whose next connection is its last.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        for stream in self.shared.connections.lock().expect("a lock").drain(..).filter_map(|s| s.upgrade()) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
        if !std::thread::panicking() && !self.may_be_silent.load(Ordering::SeqCst) {
            assert!(!self.requests().is_empty(), "the server was never called: the test shows nothing");
        }
    }
}

impl Shared {
    /// What to answer: the script's next, else what it says by itself, else the listing, else 404.
    fn answer(&self, request: &Request) -> Answer {
        if let Some(script) = self.scripts.lock().expect("a lock").get_mut(&request.path) {
            let mut next = script.front().expect("an answer").clone();
            if script.len() > 1 {
                script.pop_front();
            }
            let other = next.by_range.take().filter(|_| request.header("range").is_some());
            return other.map_or(next, |other| *other);
        }
        if let Some(answer) = self.speech.get().and_then(|speech| speech(request)) {
            return answer;
        }
        let items = self.items.lock().expect("a lock");
        match request.path.strip_prefix("/HMI/").and_then(|series| Some((series, items.get(series)?))) {
            Some((series, items)) => Answer::json(&listing(series, items, request)),
            None => Answer::status(404),
        }
    }

    /// Stands still until the server ends or `is_over` says so.
    fn pause(&self, path: &str, is_over: impl Fn() -> bool) {
        self.paused.lock().expect("a lock").push(path.to_owned());
        self.changed.notify_all();
        while !self.stopped.load(Ordering::SeqCst) && !is_over() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// The items from `start` to before `end`, in the shape of v1.
fn listing(series: &str, items: &[Item], request: &Request) -> Value {
    // Labels of one form sort as texts; the seconds are enough.
    let label = |name: &str| request.parameter(name).map(|text| text.chars().take(19).collect::<String>());
    let (start, end) = (label("start"), label("end"));
    let is_asked = |item: &&Item| {
        let at: String = item.date_obs.chars().take(19).collect();
        start.as_ref().is_none_or(|start| *start <= at) && end.as_ref().is_none_or(|end| at < *end)
    };
    items
        .iter()
        .filter(is_asked)
        .map(|item| {
            let mut listed =
                json!({ "url": format!("{OLD_HOST}/HMI/{series}/{}", item.name), "date_obs": item.date_obs });
            listed.as_object_mut().expect("an object").extend(item.facts.clone());
            if let Some(size) = item.size {
                listed["size"] = size.into();
            }
            listed
        })
        .collect()
}
