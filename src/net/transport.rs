//! The HTTP clients underneath, one for each set of settings, with everything clever in them switched off.
//!
//! Redirects, retries and decompression are off: the first two are decided above, and compressed bodies are not wanted.

use std::path::Path;
use std::time::Duration;

use crate::failure::{Class, Failure};

/// What makes two HTTP clients differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    /// The time for a connection, TLS included.
    pub(super) connect: Duration,
    /// True where no proxy may stand between.
    pub(super) is_direct: bool,
    /// Idle connections kept for one host.
    pub(super) idle: usize,
}

/// Builds a client. With a `socket` all its connections are made there, whatever host a URL names; TLS still asks for
/// that host.
///
/// # Errors
/// `unreachable` with the reason when the TLS library cannot be set up.
pub(super) fn build(settings: Settings, socket: Option<&Path>) -> Result<reqwest::Client, Failure> {
    let builder = || {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .tcp_nodelay(true)
            .connect_timeout(settings.connect)
            .pool_max_idle_per_host(settings.idle);
        let builder = if settings.is_direct { builder.no_proxy() } else { builder };
        if let Some(socket) = socket { builder.unix_socket(socket) } else { builder }
    };
    // A machine without a CA bundle can still speak plain http: without roots every https fails by itself, in words.
    builder()
        .build()
        .or_else(|why| {
            tracing::debug!(%why, "no system certificates: https will not work");
            builder().tls_certs_only([]).build()
        })
        .map_err(|why| Failure::new(Class::Unreachable, format!("cannot set up the HTTP client: {why}")))
}
