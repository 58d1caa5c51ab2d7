//! The routes: listings, keywords, files, and the page from which a query can be tried.
//!
//! What it does not do: bind an address. The router is a value that more layers can be put around.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use chrono::TimeDelta;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::answers::{self, FileItem, ListingBody, MetaItem, RecordItem};
use super::backend::{AnswerVersion, Holdings};
use super::browse::{self, there_are, unknown_series};
use super::fault_injection::{Faults, rehearse};
use super::file_response;
use super::host_header_guard::{Access, Base, guard};
use super::problem::HttpProblem;
use super::query::{self, KeywordRequest};
use crate::day::Window;
use crate::untrusted::escape;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "HMI Service",
        description = "Lists and serves solar image files by series and time. [What there is](../browse/), by series and \
            day. Start with `GET /HMI/{series}`.",
    ),
    paths(list, keywords, file),
    components(schemas(FileItem, RecordItem, MetaItem, HttpProblem)),
    tags((name = "HMI", description = "Series of the Helioseismic and Magnetic Imager, or of the folder that is served")),
)]
struct Description;

/// The path at which keywords are asked for, as the description has it.
const KEYWORDS: &str = "/HMI/{series}/meta/{recnums}";

type Shared = State<Arc<dyn Holdings>>;

/// The whole service over its holdings.
pub(super) fn router(holdings: Arc<dyn Holdings>, access: Access, faults: Option<Arc<Faults>>) -> Router {
    // The page asks beside itself, so that it also works below a proxy's path.
    let ui = SwaggerUi::new("/ui").config(Config::from("../openapi.json"));
    let description = Arc::new(description(&*holdings));
    let mut files = get(file);
    if let Some(faults) = faults {
        files = files.layer(middleware::from_fn_with_state(faults, rehearse));
    }
    Router::new()
        .route("/", get(|Extension(Base(base)): Extension<Base>| async move { Redirect::temporary(&(base + "/ui/")) }))
        .route(
            "/openapi.json",
            get(|Extension(Base(base)): Extension<Base>| async move { described(&description, &base) }),
        )
        .route("/browse", get(browse::all_series))
        .route("/browse/", get(browse::all_series))
        .route("/browse/{series}", get(browse::days))
        .route("/HMI", get(no_series))
        .route("/HMI/", get(no_series))
        .route("/HMI/{series}", get(list))
        .route("/HMI/{series}/meta/{recnums}", get(keywords))
        .route("/HMI/{series}/{*path}", files)
        .with_state(holdings)
        .merge(ui)
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .layer(middleware::from_fn_with_state(Arc::new(access), guard))
        .layer(middleware::from_fn(log))
}

/// The description of the service, with examples that these very holdings answer.
fn description(holdings: &dyn Holdings) -> Value {
    let mut openapi = Description::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut openapi.info.version);
    let mut description = json!(openapi);
    let known = holdings.series();
    let with_fields = known.iter().find(|known| holdings.fields(&known.name).is_some());
    if with_fields.is_none()
        && let Some(paths) = description["paths"].as_object_mut()
    {
        paths.remove(KEYWORDS);
    }
    let plain = known.iter().find(|known| known.shape == AnswerVersion::V1).or(known.first());
    let paths = description["paths"].as_object_mut().into_iter().flatten();
    for (path, what) in paths {
        let Some(example) = (if path == KEYWORDS { with_fields } else { plain }) else { continue };
        let day = example.example.date();
        let next = day.succ_opt().unwrap_or(day);
        let at = Window { start: example.example, end: example.example + TimeDelta::seconds(1) };
        let first = holdings.list(&example.name, at).unwrap_or_default().into_iter().next();
        for parameter in what["get"]["parameters"].as_array_mut().into_iter().flatten() {
            let fitting = match parameter["name"].as_str() {
                Some("series") => json!(example.name),
                Some("start") => json!(format!("{day}T00:00:00Z")),
                Some("end") => json!(format!("{next}T00:00:00Z")),
                Some("path") => json!(first.as_ref().and_then(|item| item.paths.first())),
                Some("recnums") => {
                    json!(first.as_ref().and_then(|item| item.record.as_ref()).map(|record| record.recnum.to_string()))
                }
                _ => continue,
            };
            parameter["example"] = fitting;
        }
    }
    description
}

/// The description, for one who came by `base`.
fn described(description: &Value, base: &str) -> Json<Value> {
    let mut description = description.clone();
    description["servers"] = json!([{ "url": base }]);
    Json(description)
}

async fn nothing_here(uri: Uri) -> HttpProblem {
    let path = escape(uri.path());
    HttpProblem::not_found(format!(
        "there is no `{path}` here; `/browse/` lists the series, and `/ui/` explains how to request them"
    ))
}

/// A listing is asked for by its series.
async fn no_series(State(holdings): Shared) -> HttpProblem {
    HttpProblem::not_found(format!("give a series, as in `/HMI/SERIES?start=...&end=...`; {}", there_are(&*holdings)))
}

async fn only_get() -> HttpProblem {
    HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, "this service only answers GET and HEAD")
}

/// One line for each request, and the headers that every answer has.
async fn log(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = match percent_decode_str(uri.path()).decode_utf8() {
        Ok(_) => next.run(request).await,
        Err(_) => HttpProblem::bad_request("the path is no UTF-8 text").into_response(),
    };
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    tracing::info!(
        target: "sunhaul::service",
        %method,
        uri = %escape(&uri.to_string()),
        status = response.status().as_u16(),
        micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

/// Lists the files of a series whose start of exposure lies in a window.
#[utoipa::path(
    get, path = "/HMI/{series}", tag = "HMI",
    params(
        ("series" = String, Path, description = "The series"),
        ("start" = String, Query, description = "The first instant of the window, UTC"),
        ("end" = String, Query, description = "The first instant after it; at most 31 days later"),
        ("meta" = Option<bool>, Query, description = "True: with the keywords, where the series has records that have any", example = false),
    ),
    responses(
        (status = 200, description = "The files, sorted by time; their URLs begin with the host that was asked", body = ListingBody),
        (status = 400, description = "No such date, or no such window", body = HttpProblem, content_type = "application/problem+json"),
        (status = 404, description = "No such series", body = HttpProblem, content_type = "application/problem+json"),
    ),
)]
async fn list(
    State(holdings): Shared,
    Extension(Base(base)): Extension<Base>,
    Path(series): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Json<ListingBody>, HttpProblem> {
    let Some(shape) = holdings.shape(&series) else {
        return Err(unknown_series(&*holdings, &series));
    };
    let query = query::read(raw.as_deref().unwrap_or_default())?;
    let listed = spawn_blocking(move || {
        let items = holdings.list(&series, query.window)?;
        Some(answers::listing(&base, &series, shape, items, query.meta))
    });
    let answer = listed.await.map_err(|error| HttpProblem::internal(&error))?;
    answer.map(Json).ok_or_else(|| HttpProblem::not_found("there is no such series"))
}

/// Gives keywords of records.
#[utoipa::path(
    get, path = "/HMI/{series}/meta/{recnums}", tag = "HMI",
    params(
        ("series" = String, Path, description = "A series with records"),
        ("recnums" = String, Path, description = "Record numbers as a listing has them, with commas between"),
        ("fields" = Option<String>, Query, description = "Keywords, with commas between them; without it, all", example = "area,cmask"),
    ),
    responses(
        (status = 200, description = "The keywords, by record number", body = BTreeMap<String, MetaItem>),
        (status = 400, description = "No number, or a field that the series does not have", body = HttpProblem, content_type = "application/problem+json"),
        (status = 404, description = "No such series, or no such record", body = HttpProblem, content_type = "application/problem+json"),
    ),
)]
async fn keywords(
    State(holdings): Shared,
    Path((series, recnums)): Path<(String, String)>,
    RawQuery(raw): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, HttpProblem> {
    let Some(known) = holdings.fields(&series) else {
        // A folder has no records, but may well have files below a folder `meta`.
        let path = format!("meta/{recnums}");
        return file(State(holdings), Path((series, path)), method, headers).await.map(IntoResponse::into_response);
    };
    let KeywordRequest { recnums, fields } = query::keywords(&recnums, raw.as_deref().unwrap_or_default(), known)?;
    let (name, asked) = (series.clone(), recnums.clone());
    let found = spawn_blocking(move || holdings.records(&name, &asked)).await;
    let answer = answers::keywords(found.map_err(|error| HttpProblem::internal(&error))?, &fields);
    match recnums.iter().find(|recnum| !answer.contains_key(&recnum.to_string())) {
        Some(missing) => Err(HttpProblem::not_found(format!("`{}` has no record {missing}", escape(&series)))),
        None => Ok(Json(answer).into_response()),
    }
}

/// Gives one file, whole or in part.
#[utoipa::path(
    get, path = "/HMI/{series}/{path}", tag = "HMI",
    params(
        ("series" = String, Path, description = "The series"),
        ("path" = String, Path, description = "The file, as a listing names it"),
        ("Range" = Option<String>, Header, description = "One range of bytes", example = "bytes=0-2879"),
        ("If-Range" = Option<String>, Header, description = "The range is only wanted of a file with this ETag"),
    ),
    responses(
        (status = 200, description = "The file", content_type = "application/fits"),
        (status = 206, description = "The part asked for", content_type = "application/fits"),
        (status = 404, description = "No such file", body = HttpProblem, content_type = "application/problem+json"),
        (status = 416, description = "The file is shorter than that", body = HttpProblem, content_type = "application/problem+json"),
    ),
)]
async fn file(
    State(holdings): Shared,
    Path((series, path)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<file_response::Delivery, HttpProblem> {
    let (asked, shown) = (Arc::clone(&holdings), (series.clone(), path.clone()));
    let opened = spawn_blocking(move || {
        let served = asked.open(&series, &path)?;
        served.map(|served| file_response::prepare(served, &method, &headers)).transpose()
    });
    match opened.await.map_err(|error| HttpProblem::internal(&error))? {
        Ok(Some(delivery)) => Ok(delivery),
        Ok(None) if holdings.shape(&shown.0).is_some() => {
            Err(HttpProblem::not_found(format!("`{}` has no file `{}`", escape(&shown.0), escape(&shown.1))))
        }
        Ok(None) => Err(unknown_series(&*holdings, &shown.0)),
        Err(error) => Err(HttpProblem::internal(&error)),
    }
}
