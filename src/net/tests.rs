//! The client against a server that answers by script, over real loopback sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::*;
use crate::manifest::{Bandwidth, Rate};

/// What an impatient client waits; a patient one waits so long that a busy machine makes no difference.
const STALL: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(20);

/// One thing a scripted server does with a request.
#[derive(Debug, Clone)]
enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends nothing more, and keeps the connection open.
    Hang,
    /// Sends one byte every so often, for ever.
    Drip(Duration),
    /// Ends the connection in good order.
    Close,
    /// Ends it by a reset.
    Reset,
}

fn send(text: &str) -> Act {
    Act::Send(text.replace('\n', "\r\n").into_bytes())
}

/// A server that answers each request by what `script` says of its path and its number.
struct Server {
    base: Url,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(script: impl Fn(&str, usize) -> Vec<Act> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, accepted, script) = (Arc::clone(&requests), Arc::clone(&connections), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(socket, Arc::clone(&seen), Arc::clone(&script)));
            }
        });
        Server { base: format!("http://{address}/").parse().unwrap(), requests, connections }
    }

    fn url(&self, path: &str) -> Url {
        self.base.join(path).unwrap()
    }

    fn client(&self) -> (Net, Client) {
        let net = Net::new();
        let client = net.client(&self.base, policy()).unwrap();
        (net, client)
    }
}

async fn serve(
    mut socket: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    script: Arc<impl Fn(&str, usize) -> Vec<Act>>,
) -> std::io::Result<()> {
    let mut input = Vec::new();
    loop {
        while !input.windows(4).any(|end| end == b"\r\n\r\n") {
            if socket.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8(std::mem::take(&mut input)).unwrap();
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let nth = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len()
        };
        for act in script(&path, nth) {
            match act {
                Act::Send(bytes) => socket.write_all(&bytes).await?,
                Act::Hang => std::future::pending().await,
                Act::Drip(every) => loop {
                    socket.write_all(b"x").await?;
                    tokio::time::sleep(every).await;
                },
                Act::Close => return socket.shutdown().await,
                Act::Reset => return socket.set_zero_linger(),
            }
        }
    }
}

fn policy() -> Policy {
    Policy {
        job: "job".into(),
        run: "run".into(),
        contact: Some("jane@example.org".into()),
        limits: Limits { requests: Some(Rate::Unlimited), ..Limits::default() },
        timeouts: Timeouts { connect: PATIENCE, stall: PATIENCE },
        retry: Retry { attempts: 2, max_wait: Duration::from_millis(300) },
        way: HostAccess::Direct,
    }
}

fn impatient() -> Policy {
    Policy { timeouts: Timeouts { connect: STALL, stall: STALL }, ..policy() }
}

/// Reads a whole body.
async fn read(client: &Client, url: &Url) -> Result<Vec<u8>, Failure> {
    let mut response = client.get(url, HeaderMap::new()).await?;
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// What comes of one GET when the server does `acts`.
async fn outcome(acts: Vec<Act>, policy: Policy) -> Result<Vec<u8>, Failure> {
    let server = Server::start(move |_, _| acts.clone()).await;
    let client = Net::new().client(&server.base, policy).unwrap();
    tokio::time::timeout(PATIENCE, read(&client, &server.url("x"))).await.expect("a hang beyond the limits set")
}

#[tokio::test]
async fn a_plain_answer_arrives_whole_and_the_request_says_who_asks() {
    let server = Server::start(|_, _| vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsun")]).await;
    let (net, client) = server.client();
    let mut own = HeaderMap::new();
    own.insert("if-range", "\"tag\"".parse().unwrap());
    let mut response = client.get(&server.url("a?b=c"), own).await.unwrap();
    assert_eq!((response.status.as_u16(), response.content_length()), (200, Some(3)));
    assert_eq!(response.headers["content-length"], "3");
    assert_eq!(response.chunk().await.unwrap().unwrap(), "sun");
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(response.chunk().await.unwrap(), None);
    let request = server.requests.lock().unwrap()[0].to_lowercase();
    for header in [
        "get /a?b=c http/1.1\r\n",
        "user-agent: sunhaul/0.1.0 (+https://github.com/sunhaul/sunhaul; job job; run run)\r\n",
        "from: jane@example.org\r\n",
        "accept-encoding: identity\r\n",
        "if-range: \"tag\"\r\n",
    ] {
        assert!(request.contains(header), "{header} in {request}");
    }
    client.note_retry();
    let stats = &net.hosts()[0];
    assert_eq!((stats.requests, stats.retried, stats.bytes, stats.peak_connections), (1, 1, 3, 1));
    assert_eq!(stats.status_counts, BTreeMap::from([(200, 1)]));
    assert_eq!((stats.preset.as_str(), stats.limit.as_str()), ("private", "unlimited, 4 connections"));
}

#[tokio::test]
async fn each_fault_of_framing_or_connection_has_its_class() {
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n";
    let many = "h: x\n".repeat(200);
    let large = format!("HTTP/1.1 200 OK\nContent-Length: 0\nbig: {}\n\n", "x".repeat(300_000));
    for (id, acts, want) in [
        ("B-01", vec![send("HTTP/1.1 200 OK\nContent-Length: 9\n\nsun"), Act::Close], Class::Truncated),
        ("B-02", vec![send(&format!("{chunked}\n3\nsun\n")), Act::Close], Class::Truncated),
        ("B-02 bad size line", vec![send(&format!("{chunked}\nzz\nsun\n"))], Class::Protocol),
        ("B-07", vec![send("HTTP/1.1 200 OK\nContent-Length: 3\nContent-Length: 4\n\nsun")], Class::Protocol),
        ("B-08", vec![send(&format!("{chunked}Content-Length: 3\n\n3\nsun\n0\n\n"))], Class::Protocol),
        ("B-09 negative", vec![send("HTTP/1.1 200 OK\nContent-Length: -1\n\n")], Class::Protocol),
        ("B-09 overflow", vec![send("HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n\n")], Class::Protocol),
        ("B-10", vec![send("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 3\n\nsun")], Class::Protocol),
        ("B-17", vec![send("HTTP/1.1 200 OK\nContent-Length: 999\n\n"), Act::Drip(STALL / 3)], Class::Stalled),
        ("B-17 in the headers", vec![send("HTTP/1.1 200 OK\na: "), Act::Drip(STALL / 3)], Class::Stalled),
        ("B-18 before headers", vec![Act::Hang], Class::Stalled),
        ("B-18 mid-header", vec![send("HTTP/1.1 200 OK\nConte"), Act::Hang], Class::Stalled),
        ("B-18 at 0 bytes", vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\n"), Act::Hang], Class::Stalled),
        ("B-18 at the last byte", vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsu"), Act::Hang], Class::Stalled),
        ("N-01", vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsu"), Act::Reset], Class::Truncated),
        ("N-01 before headers", vec![Act::Reset], Class::Unreachable),
        ("N-02", vec![Act::Close], Class::Unreachable),
        ("N-12 many", vec![send(&format!("HTTP/1.1 200 OK\n{many}Content-Length: 0\n\n"))], Class::Protocol),
        ("N-12 large", vec![send(&large)], Class::Protocol),
        ("no HTTP", vec![send("SSH-2.0-OpenSSH_9.6\n")], Class::Protocol),
        ("206 unasked", vec![send("HTTP/1.1 206 OK\nContent-Length: 0\n\n")], Class::Protocol),
        ("304 unasked", vec![send("HTTP/1.1 304 Not Modified\n\n")], Class::Protocol),
        ("S-20", vec![send("HTTP/1.1 204 No Content\n\n")], Class::UnexpectedStatus),
        ("416 unasked", vec![send("HTTP/1.1 416 No\nContent-Length: 0\n\n")], Class::UnexpectedStatus),
    ] {
        let policy = if want == Class::Stalled { impatient() } else { policy() };
        let failure = outcome(acts, policy).await.expect_err(id);
        assert_eq!(failure.class, want, "{id}: {failure}");
        assert!(failure.message.contains("/x"), "{id}: {failure}");
    }
}

#[tokio::test]
async fn b_19_b_20_trailers_and_early_answers_do_no_harm() {
    let early = "HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 3\n\nsun";
    assert_eq!(outcome(vec![send(early)], policy()).await.unwrap(), b"sun");
    let trailers = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nsun\n0\nx-sum: 7\n\n";
    assert_eq!(outcome(vec![send(trailers)], policy()).await.unwrap(), b"sun");
    let until_close = vec![send("HTTP/1.1 200 OK\nConnection: close\n\nsun"), Act::Close];
    assert_eq!(outcome(until_close, policy()).await.unwrap(), b"sun");
}

#[tokio::test]
async fn only_a_body_that_ends_with_its_connection_is_not_framed() {
    for (headers, want) in [("Content-Length: 3\n", true), ("Transfer-Encoding: chunked\n", true), ("", false)] {
        let server = Server::start(move |_, _| vec![send(&format!("HTTP/1.1 200 OK\n{headers}\n"))]).await;
        let (_, client) = server.client();
        let response = client.get(&server.url("x"), HeaderMap::new()).await.unwrap();
        assert_eq!(response.is_framed(), want, "{headers}");
    }
}

#[tokio::test]
async fn a_condition_allows_a_304_whose_length_is_that_of_the_file_and_no_other_answer_more() {
    let server = Server::start(|path, _| match path {
        "/same" => vec![send("HTTP/1.1 304 Not Modified\nETag: \"a\"\nContent-Length: 9\n\n")],
        _ => vec![send("HTTP/1.1 206 Part\nContent-Length: 3\n\nsun")],
    })
    .await;
    let (net, client) = server.client();
    for header in ["if-none-match", "if-modified-since"] {
        let condition = || HeaderMap::from_iter([(header.parse().unwrap(), "\"a\"".parse().unwrap())]);
        let mut response = client.get(&server.url("same"), condition()).await.unwrap();
        assert_eq!((response.status.as_u16(), response.content_length()), (304, Some(0)));
        assert_eq!(response.chunk().await.unwrap(), None);
        let failure = client.get(&server.url("part"), condition()).await.unwrap_err();
        assert_eq!(failure.class, Class::Protocol, "{failure}");
    }
    assert_eq!(net.hosts()[0].status_counts[&304], 2);
}

#[tokio::test]
async fn a_broken_body_stays_broken() {
    let server = Server::start(|_, _| vec![send("HTTP/1.1 200 OK\nContent-Length: 9\n\nsun"), Act::Close]).await;
    let (_, client) = server.client();
    let mut response = client.get(&server.url("x"), HeaderMap::new()).await.unwrap();
    while response.chunk().await.is_ok_and(|bytes| bytes.is_some()) {}
    assert_eq!(response.chunk().await.unwrap_err().class, Class::Truncated);
}

#[tokio::test]
async fn n_04_a_refused_connection_names_the_innermost_reason() {
    let base: Url = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap()
    };
    let client = Net::new().client(&base, policy()).unwrap();
    let failure = read(&client, &base.join("x?token=secret").unwrap()).await.unwrap_err();
    assert_eq!(failure.class, Class::Unreachable);
    assert!(failure.message.contains("Connection refused"), "{failure}");
    assert!(!failure.message.contains("secret"), "{failure}");
}

#[tokio::test]
async fn redirects_are_followed_within_the_origin_each_by_its_own_turn() {
    let server = Server::start(|path, _| match path {
        "/start" => vec![send("HTTP/1.1 302 Found\nLocation: /next\nContent-Length: 0\n\n")],
        "/next" => vec![send("HTTP/1.1 308 Moved\nLocation: end?q\nContent-Length: 0\n\n")],
        "/away" => vec![send("HTTP/1.1 302 Found\nLocation: http://10.0.0.1/\nContent-Length: 0\n\n")],
        "/none" => vec![send("HTTP/1.1 301 Moved\nContent-Length: 0\n\n")],
        _ => vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsun")],
    })
    .await;
    let (net, client) = server.client();
    let response = client.get(&server.url("start"), HeaderMap::new()).await.unwrap();
    assert_eq!(response.url, server.url("end?q"));
    assert_eq!(net.hosts()[0].requests, 3);
    for path in ["away", "none"] {
        let failure = client.get(&server.url(path), HeaderMap::new()).await.unwrap_err();
        assert_eq!((failure.class, failure.status.is_some()), (Class::Redirect, true), "{failure}");
    }
    let foreign = "http://127.0.0.2/x".parse().unwrap();
    assert_eq!(client.get(&foreign, HeaderMap::new()).await.unwrap_err().class, Class::Redirect);
}

#[tokio::test]
async fn a_hop_to_a_further_host_of_the_same_group_waits_for_no_second_slot() {
    // Both schemes of one port are one group, which has one slot here; nobody speaks TLS at it.
    let server = Server::start(|path, _| {
        vec![send(&format!("HTTP/1.1 302 Found\nLocation: https:/{path}\nContent-Length: 0\n\n"))]
    })
    .await;
    let address = server.base.authority().to_owned();
    let mut policy = Policy { timeouts: Timeouts { connect: Duration::from_secs(1), stall: PATIENCE }, ..policy() };
    policy.limits.concurrency = Some(1);
    let client = Net::new().to(&server.base, policy, None, std::slice::from_ref(&address)).unwrap();
    let asked = tokio::time::timeout(PATIENCE, read(&client, &server.url(&address))).await;
    let failure = asked.expect("it waits for itself").unwrap_err();
    assert_eq!(failure.class, Class::Unreachable);
    assert!(failure.message.starts_with(&format!("https://{address}/: cannot connect")), "{failure}");
}

#[tokio::test]
async fn a_refusal_brings_the_server_s_own_words() {
    let body = r#"{"title":"Bad Request","detail":"no such date"}"#;
    let answer = format!("HTTP/1.1 400 Bad Request\nContent-Length: {}\n\n{body}", body.len());
    let failure = outcome(vec![send(&answer)], policy()).await.unwrap_err();
    assert_eq!((failure.class, failure.status), (Class::SourceRefused, Some(400)));
    assert!(failure.message.ends_with(": no such date"), "{failure}");
}

#[tokio::test]
async fn a_throttle_pauses_every_worker_for_as_long_as_it_asks() {
    let server = Server::start(|path, _| match path {
        "/slow" => vec![send("HTTP/1.1 429 Slow\nRetry-After: 1\nContent-Length: 0\n\n")],
        _ => vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsun")],
    })
    .await;
    let net = Net::new();
    let patient = Policy { retry: Retry { attempts: 2, max_wait: Duration::from_secs(2) }, ..policy() };
    let client = net.client(&server.base, patient.clone()).unwrap();
    let other = net.client(&server.base, patient).unwrap();
    let before = std::time::Instant::now();
    let failure = read(&client, &server.url("slow")).await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(1)));
    read(&other, &server.url("x")).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
    let stats = &net.hosts()[0];
    assert_eq!(stats.throttled, 1);
    assert!((0.99..=1.0).contains(&stats.paused_seconds), "{}", stats.paused_seconds);
}

#[tokio::test]
async fn a_wait_longer_than_max_wait_ends_the_work_of_this_run_and_of_the_next_while_it_lasts() {
    let server = Server::start(|_, _| vec![send("HTTP/1.1 429 Slow\nRetry-After: 5\nContent-Length: 0\n\n")]).await;
    let (net, client) = server.client();
    let first = read(&client, &server.url("slow")).await.unwrap_err();
    assert_eq!((first.class, first.status), (Class::HostGivenUp, Some(429)), "{first}");
    assert_eq!(read(&client, &server.url("x")).await.unwrap_err().class, Class::HostGivenUp);
    let second = net.next_run();
    let refused = read(&second.client(&server.base, policy()).unwrap(), &server.url("x")).await.unwrap_err();
    assert_eq!(refused.class, Class::HostGivenUp);
    assert!(refused.message.contains("(5 s)"), "{refused}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn after_twenty_failures_in_a_row_nothing_is_sent_any_more() {
    let server = Server::start(|_, _| vec![send("HTTP/1.1 500 Oh\nContent-Length: 0\n\n")]).await;
    let (net, client) = server.client();
    for _ in 0..20 {
        assert_eq!(read(&client, &server.url("x")).await.unwrap_err().class, Class::ServerError);
    }
    let failure = read(&client, &server.url("x")).await.unwrap_err();
    assert_eq!(failure.class, Class::HostGivenUp);
    assert!(failure.message.contains("/x: 500"), "{failure}");
    assert_eq!((net.hosts()[0].requests, server.requests.lock().unwrap().len()), (20, 20));
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_there_are_slots() {
    let server = Server::start(|_, _| vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsun")]).await;
    let net = Net::new();
    let mut policy = policy();
    policy.limits.concurrency = Some(2);
    let client = net.client(&server.base, policy).unwrap();
    assert_eq!(client.concurrency(), 2);
    let first = client.get(&server.url("1"), HeaderMap::new()).await.unwrap();
    let _second = client.get(&server.url("2"), HeaderMap::new()).await.unwrap();
    let third = tokio::spawn({
        let (client, url) = (client.clone(), server.url("3"));
        async move { read(&client, &url).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(net.hosts()[0].requests, 2);
    drop(first);
    assert_eq!(third.await.unwrap().unwrap(), b"sun");
    assert_eq!(net.hosts()[0].peak_connections, 2);
}

#[tokio::test]
async fn bandwidth_holds_over_real_sockets() {
    let server =
        Server::start(|_, _| vec![send("HTTP/1.1 200 OK\nContent-Length: 300000\n\n"), Act::Send(vec![7; 300_000])])
            .await;
    let mut policy = policy();
    policy.limits.bandwidth = Some(Bandwidth::BytesPerSecond(500_000));
    let client = Net::new().client(&server.base, policy).unwrap();
    let before = std::time::Instant::now();
    assert_eq!(read(&client, &server.url("x")).await.unwrap().len(), 300_000);
    let took = before.elapsed().as_secs_f64();
    assert!(took >= 0.54, "300 kB at 500 kB/s took {took} s");
}

#[test]
fn limits_above_a_public_preset_come_down_to_it_and_other_schemes_are_refused() {
    let net = Net::new();
    net.client(&"http://jsoc.stanford.edu/".parse().unwrap(), policy()).unwrap();
    assert_eq!((net.hosts()[0].host.as_str(), net.hosts()[0].limit.as_str()), ("jsoc", "2/s, 1 connection"));
    let refused = net.client(&"ftp://h.example/".parse().unwrap(), policy()).unwrap_err();
    assert!(refused.message.contains("http"));
}

#[tokio::test]
async fn kept_connections_are_used_again() {
    let server = Server::start(|_, _| vec![send("HTTP/1.1 200 OK\nContent-Length: 3\n\nsun")]).await;
    let (_, client) = server.client();
    for _ in 0..200 {
        read(&client, &server.url("x")).await.unwrap();
    }
    let connections = server.connections.load(Ordering::Relaxed);
    assert!(connections <= 10, "{connections} connections for requests one after the other");
}

#[tokio::test]
async fn n_05_a_tls_handshake_that_fails_or_stalls_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        for nth in 0.. {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            if nth == 0 {
                let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
            silent.push(socket);
        }
    });
    let base: Url = format!("https://127.0.0.1:{port}/").parse().unwrap();
    let client = Net::new().client(&base, policy()).unwrap();
    let no_tls = read(&client, &base).await.unwrap_err();
    assert_eq!(no_tls.class, Class::Unreachable);
    assert!(no_tls.message.contains("corrupt message"), "{no_tls}");
    let client = Net::new().client(&base, impatient()).unwrap();
    let stalled = read(&client, &base).await.unwrap_err();
    assert_eq!(stalled.class, Class::Unreachable);
    assert!(stalled.message.contains("no connection within the time allowed"), "{stalled}");
}
