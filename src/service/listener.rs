//! Connections as they come in: accepted while there is room, given a time for each request, and ended with the service.

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connections::{Connection, Connections, NotedBody, limit};

/// How long a client may take for the head of a request, and leave a connection without one.
const HEADERS: Duration = Duration::from_secs(30);

/// How long answers may go on when the service ends.
const GRACE: Duration = Duration::from_secs(3);

/// How long to wait when no connection can be accepted for want of descriptors or memory.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Answers connections until `stop` is cancelled; answers under way then have [`GRACE`] to be finished.
pub(super) async fn serve(listener: TcpListener, router: Router, shares_sockets: bool, stop: CancellationToken) {
    let connections = Connections::new(limit());
    let mut conversations = JoinSet::new();
    for number in 0.. {
        while conversations.try_join_next().is_some() {}
        let admitted = async {
            let stream = accept(&listener, &connections).await;
            (stream, connections.admit(number).await)
        };
        let (stream, connection) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            admitted = admitted => admitted,
        };
        let socket = Socket::of(&stream, shares_sockets);
        conversations.spawn(converse(stream, router.clone(), socket, Arc::new(connection), stop.clone()));
    }
    drop(listener);
    connections.close_waiting();
    let finished = tokio::time::timeout(GRACE, async { while conversations.join_next().await.is_some() {} });
    if finished.await.is_err() {
        conversations.shutdown().await;
    }
}

/// The next connection.
async fn accept(listener: &TcpListener, connections: &Connections) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers must not wait for the acknowledgement of the ones before them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(target: "sunhaul::service", %error, "cannot switch off delays");
                }
                return stream;
            }
            // The client went away before it was accepted.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                tracing::warn!(target: "sunhaul::service", %error, "cannot accept a connection");
                connections.shed();
                tokio::time::sleep(NO_ROOM).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    router: Router,
    socket: Socket,
    connection: Arc<Connection>,
    stop: CancellationToken,
) {
    let close = connection.close.clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answering = connection.asked();
        request.extensions_mut().insert(ConnectInfo(socket.clone()));
        let answer = router.call(request);
        async move { answer.await.map(|answer| answer.map(|body| NotedBody::new(body, answering))) }
    });
    let mut http = http1::Builder::new();
    let http = http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let mut conversation = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = close.cancelled() => return,
        () = stop.cancelled() => {
            conversation.as_mut().graceful_shutdown();
            tokio::select! {
                ended = conversation => ended,
                () = close.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(target: "sunhaul::service", %error, "a connection broke off");
    }
}

/// The connection that a request came by, where faults need it.
#[derive(Debug, Clone)]
pub(super) struct Socket(Option<Arc<OwnedFd>>);

impl Socket {
    fn of(stream: &TcpStream, is_shared: bool) -> Socket {
        let shared = is_shared.then(|| stream.as_fd().try_clone_to_owned());
        Socket(shared.and_then(Result::ok).map(Arc::new))
    }

    /// From now on closing it sends RST in place of FIN.
    pub(super) fn reset_on_close(&self) {
        if let Some(socket) = &self.0 {
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }
}
