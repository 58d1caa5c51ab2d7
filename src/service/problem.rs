//! Errors as the service tells them: `application/problem+json` of RFC 9457.
//!
//! What it does not do: tell of the machine. No path of the disk is in them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What went wrong with a request, and what to ask instead.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(super) struct HttpProblem {
    /// The status in words.
    #[schema(example = "Bad Request")]
    title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong with this very request, and what to do.
    #[schema(example = "`start` is `2015-02-30`, which is no date: write it as 2015-12-11T00:00:00Z")]
    detail: String,
}

impl HttpProblem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> HttpProblem {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        HttpProblem { title, status: status.as_u16(), detail: detail.into() }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> HttpProblem {
        HttpProblem::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> HttpProblem {
        HttpProblem::new(StatusCode::NOT_FOUND, detail)
    }

    /// A fault of the service's own; the reason goes to its log.
    pub(super) fn internal(reason: &dyn std::fmt::Display) -> HttpProblem {
        tracing::error!(target: "sunhaul::service", %reason, "cannot answer");
        HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "the service could not read or make this; its log says why")
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
