//! Web pages that show which series there are, and on which days each has something, with links to the listings.
//!
//! Plain HTML: nothing in it runs. One page has the series, or the days of one year.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::Datelike as _;
use percent_encoding::utf8_percent_encode;
use tokio::task::spawn_blocking;

use super::answers::IN_PATH;
use super::backend::{DayCount, Holdings};
use super::host_header_guard::Base;
use super::problem::HttpProblem;
use crate::untrusted::escape;

/// So many series are on the page at most.
const SHOWN: usize = 1000;

/// How many series an error names at most.
const NAMED: usize = 50;

/// The page's policy: text alone.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'");

#[derive(Template)]
#[template(
    ext = "html",
    source = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>Series</title></head>
<body>
<h1>Series</h1>
<p>{{ about }}. <a href=\"{{ base }}/ui/\">Try the API</a></p>
<ul>
{%- for series in series %}
<li><a href=\"{{ base }}/browse/{{ series.link }}\">{{ series.name }}</a>{{ series.files }}</li>
{%- endfor %}
</ul>
{%- if more > 0 %}
<p>and {{ more }} more</p>
{%- endif %}
</body>
</html>
"
)]
struct SeriesPage {
    base: String,
    about: String,
    series: Vec<SeriesLine>,
    more: usize,
}

struct SeriesLine {
    name: String,
    /// The name as it stands in a path.
    link: String,
    /// How many files it has, where they can be counted.
    files: String,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>{{ name }} in {{ year }}</title></head>
<body>
<h1>{{ name }} in {{ year }}</h1>
<p><a href=\"{{ base }}/browse/\">All series</a></p>
<p>{% for other in years %}<a href=\"{{ base }}/browse/{{ link }}?year={{ other }}\">{{ other }}</a> {% endfor %}</p>
<ul>
{%- for day in days %}
<li><a href=\"{{ base }}/HMI/{{ link }}?start={{ day.start }}&amp;end={{ day.end }}\">{{ day.start }}</a>: {{ day.items }}</li>
{%- else %}
<li>nothing</li>
{%- endfor %}
</ul>
</body>
</html>
"
)]
struct DaysPage {
    base: String,
    name: String,
    link: String,
    year: i32,
    years: Vec<i32>,
    days: Vec<BrowsedDay>,
}

struct BrowsedDay {
    start: String,
    end: String,
    items: usize,
}

impl BrowsedDay {
    fn of(day: &DayCount) -> BrowsedDay {
        let end = day.date.succ_opt().unwrap_or(day.date);
        BrowsedDay { start: day.date.to_string(), end: end.to_string(), items: day.items }
    }
}

/// The page of all series.
pub(super) async fn all_series(
    State(holdings): State<Arc<dyn Holdings>>,
    Extension(Base(base)): Extension<Base>,
) -> Response {
    let all = holdings.series();
    let line = |known: &super::backend::SeriesName| SeriesLine {
        name: escape(&known.name).into_owned(),
        link: utf8_percent_encode(&known.name, IN_PATH).to_string(),
        files: known.files.map_or(String::new(), |files| format!(": {}", super::backend::count(files))),
    };
    page(&SeriesPage {
        base,
        about: holdings.about(),
        series: all.iter().take(SHOWN).map(line).collect(),
        more: all.len().saturating_sub(SHOWN),
    })
}

/// The page of a series: the days of one year.
pub(super) async fn days(
    State(holdings): State<Arc<dyn Holdings>>,
    Extension(Base(base)): Extension<Base>,
    Path(series): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Response, HttpProblem> {
    let known = holdings.series().into_iter().find(|known| known.name == series);
    let Some(known) = known else { return Err(unknown_series(&*holdings, &series)) };
    let year = year(raw.as_deref().unwrap_or_default())?.unwrap_or_else(|| known.example.year());
    let found = spawn_blocking(move || {
        let name = known.name;
        DaysPage {
            base,
            link: utf8_percent_encode(&name, IN_PATH).to_string(),
            year,
            years: holdings.years(&name),
            days: holdings.days(&name, year).iter().map(BrowsedDay::of).collect(),
            name: escape(&name).into_owned(),
        }
    });
    Ok(page(&found.await.map_err(|error| HttpProblem::internal(&error))?))
}

/// The year that is asked for, if one is.
fn year(raw: &str) -> Result<Option<i32>, HttpProblem> {
    let mut year = None;
    for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
        if name != "year" {
            return Err(HttpProblem::bad_request(format!("unknown parameter `{}`: there is `year`", escape(&name))));
        }
        let known = value.parse().ok().filter(|year| (1..=9999).contains(year));
        let wrong = || HttpProblem::bad_request(format!("`year` is `{}`: write it as 2015", escape(&value)));
        year = Some(known.ok_or_else(wrong)?);
    }
    Ok(year)
}

fn page(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(text)).into_response(),
        Err(error) => HttpProblem::internal(&error).into_response(),
    }
}

pub(super) fn unknown_series(holdings: &dyn Holdings, series: &str) -> HttpProblem {
    HttpProblem::not_found(format!("there is no series `{}` here; {}", escape(series), there_are(holdings)))
}

/// Which series there are.
pub(super) fn there_are(holdings: &dyn Holdings) -> String {
    let all = holdings.series();
    let mut known: Vec<String> = all.iter().take(NAMED).map(|known| format!("`{}`", known.name)).collect();
    match all.len() {
        0 => known.push("none".to_owned()),
        count if count > NAMED => known.push(format!("and {} more", count - NAMED)),
        _ => {}
    }
    format!("there are: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_read_strictly() {
        for (raw, due) in [
            ("", Ok(None)),
            ("year=2015", Ok(Some(2015))),
            ("year=0", Err(())),
            ("year=x", Err(())),
            ("year=99999", Err(())),
            ("month=2", Err(())),
        ] {
            assert_eq!(year(raw).map_err(|_| ()), due, "{raw}");
        }
    }
}
