//! Connections as they come in: sent without delay, and known to the answers that go out by them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

/// A listener on TCP.
#[derive(Debug)]
pub(super) struct Listening(pub(super) TcpListener);

impl Listener for Listening {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (connection, from) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for the acknowledgement of the ones before them.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(target: "sunhaul::service", %error, "cannot switch off delays");
        }
        (connection, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The connection that a request came by.
#[derive(Debug, Clone)]
pub(super) struct Socket(Option<Arc<OwnedFd>>);

impl Connected<IncomingStream<'_, Listening>> for Socket {
    fn connect_info(stream: IncomingStream<'_, Listening>) -> Socket {
        Socket(stream.io().as_fd().try_clone_to_owned().ok().map(Arc::new))
    }
}

impl Socket {
    /// From now on closing it sends RST in place of FIN.
    pub(super) fn reset_on_close(&self) {
        if let Some(socket) = &self.0 {
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }
}
