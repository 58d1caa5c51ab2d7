//! A line for each request that was answered: who asks what, and what came of it.
//!
//! What it does not do: wait for a body to be gone; that an answer began well is all that it says.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::RANGE;
use axum::middleware::{Next, from_fn};

use crate::untrusted::escape;

/// Takes a line. Called from many tasks at once; must return quickly.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// The same routes, each request told.
pub(super) fn with_log(router: Router, log: Log) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let log = Arc::clone(&log);
        async move {
            let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
            let range = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
            let range = range.map_or_else(String::new, |range| format!(" {}", escape(range)));
            let asked = format!("{} {}{range}", escape(request.method().as_str()), escape(&path));
            let response = next.run(request).await;
            log(&format!("{asked}: {}", response.status().as_u16()));
            response
        }
    }))
}
