//! TLS before a scripted server: certificates made here, good and bad, and HTTP/1.1 or HTTP/2 behind them.
//!
//! What it does not do: answer. The answers are those of the scripts, and over HTTP/1.1 the plain server gives them.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

use super::wire::{fields, part};
use super::{Answer, Ending, Request, Shared};

/// Who the server says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// `localhost`, by the lab's root.
    Good,
    /// The same, until 2016.
    Expired,
    /// Another host, by the lab's root.
    OtherHost,
    /// `localhost`, by itself.
    SelfSigned,
}

/// What is spoken within TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    /// A cut is an `RST_STREAM` there, a reset a `GOAWAY` that ends the connection at once, a close one in good order.
    Http2,
}

/// The lab's root: its issuer, and its certificate for those who trust it.
fn root() -> &'static (Issuer<'static, KeyPair>, String) {
    static ROOT: OnceLock<(Issuer<'static, KeyPair>, String)> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the lab's root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        (Issuer::new(params, key), certificate.pem())
    })
}

/// The root's certificate, as a file of trusted ones holds it.
pub(crate) fn trusted() -> &'static str {
    &root().1
}

fn config(certificate: Certificate, speaks: Speaks) -> ServerConfig {
    let host = if certificate == Certificate::OtherHost { "elsewhere.example" } else { "localhost" };
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    if certificate == Certificate::Expired {
        params.not_before = date_time_ymd(2015, 1, 1);
        params.not_after = date_time_ymd(2016, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let signed = match certificate {
        Certificate::SelfSigned => params.self_signed(&key),
        _ => params.signed_by(&key, &root().0),
    };
    let chain = vec![CertificateDer::from(signed.expect("a certificate").der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a usable certificate");
    config.alpn_protocols = vec![if speaks == Speaks::Http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    config
}

/// A listener for TLS; it ends when dropped.
pub(super) struct Front {
    pub(super) port: u16,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Front {
    /// Stands before the plain server on `port`.
    pub(super) fn before(shared: &Arc<Shared>, port: u16, certificate: Certificate, speaks: Speaks) -> Front {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let tls = TlsAcceptor::from(Arc::new(config(certificate, speaks)));
        let shared = Arc::clone(shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    // A client that does not trust us goes away, which is what many tests are about.
                    let Ok(mut stream) = tls.accept(stream).await else { return };
                    if speaks == Speaks::Http2 {
                        drop(converse(&shared, stream).await);
                    } else if let Ok(mut plain) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        drop(tokio::io::copy_bidirectional(&mut stream, &mut plain).await);
                    }
                });
            }
        });
        Front { port: own, runtime: Some(runtime) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How a connection is ended with `GOAWAY`.
enum Away {
    AtOnce,
    InGoodOrder,
}

async fn converse(shared: &Arc<Shared>, stream: TlsStream<TcpStream>) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    let (tell, mut told) = unbounded_channel();
    loop {
        tokio::select! {
            asked = connection.accept() => {
                let Some(asked) = asked else { return Ok(()) };
                let (request, respond) = asked?;
                tokio::spawn(answer(Arc::clone(shared), request, respond, tell.clone()));
            }
            Some(away) = told.recv() => match away {
                Away::AtOnce => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
                Away::InGoodOrder => connection.graceful_shutdown(),
            }
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: http::Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    tell: UnboundedSender<Away>,
) -> Result<(), h2::Error> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        at: Instant::now(),
    };
    shared.requests.lock().expect("a lock").push(request.clone());
    let answer: Answer = shared.answer(&request);
    if answer.ending == Ending::NoHeaders {
        respond.send_reset(Reason::REFUSED_STREAM);
        return Ok(());
    }
    let part = part(&request, &answer);
    let mut response = http::Response::builder().status(part.status);
    for (name, value) in fields(&answer, &part) {
        response = response.header(name, value);
    }
    let mut stream = respond.send_response(response.body(()).expect("a head"), false)?;
    let body = Bytes::copy_from_slice(&answer.body[part.range.clone()]);
    match answer.ending {
        Ending::Whole => stream.send_data(body, true),
        Ending::Closed => {
            drop(tell.send(Away::InGoodOrder));
            stream.send_data(body, true)
        }
        Ending::Cut(at) | Ending::Reset(at) | Ending::Abandoned(at) => {
            stream.send_data(body.slice(..at.min(body.len())), false)?;
            // The connection's own task sends it meanwhile.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            match answer.ending {
                Ending::Cut(_) => stream.send_reset(Reason::INTERNAL_ERROR),
                Ending::Abandoned(_) => stream.send_reset(Reason::NO_ERROR),
                _ => drop(tell.send(Away::AtOnce)),
            }
            Ok(())
        }
        other => panic!("{other:?} is not spoken over HTTP/2"),
    }
}
