//! The report as a web page of one file, for a person: it works from a mail attachment, without
//! a network, without JavaScript.
//!
//! `page.html` is the page, `page.css` its looks, `page.js` what sorts, filters and points. The page's own policy
//! allows no other script, style or address. Nothing is counted here; every figure is the report's.

mod calendar;
mod chart;
mod head;
pub mod quicklook;
mod tables;
#[cfg(test)]
mod tests;

use askama::Template;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use super::model::Report;
use crate::untrusted::{Untrusted, escape, on_terminal};
use calendar::{SeriesMonths, Sign};
use chart::Chart;
use head::{Card, Count, RunVerdict};
use quicklook::QuickLook;
use tables::{DayTableRow, FailureRow, HostCard, Looked, Share};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a page shows that the report does not hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Besides<'a> {
    /// The manifest, when it is there and its hash is the report's.
    pub manifest: Option<&'a str>,
    /// The quick looks, when they were asked for.
    pub looks: Option<&'a [QuickLook]>,
    /// Days whose quick look is left out, since a page holds only so many.
    pub looks_omitted: usize,
}

/// Makes the page.
///
/// # Errors
/// Never for a whole template; the signature is askama's.
pub fn render(report: &Report, besides: &Besides<'_>) -> askama::Result<String> {
    let Besides { manifest, looks, looks_omitted } = *besides;
    let (calendars, legend) = calendar::calendars(report);
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        style_hash: hash(STYLE),
        script_hash: hash(SCRIPT),
        title: head::title(report),
        facts: head::facts(report),
        verdict: RunVerdict::for_report(report),
        cards: head::cards(&report.totals),
        error: report.run.error.as_deref().map(|why| on_terminal(why, false).into_owned()),
        again: report.run.again.as_deref().map(|words| on_terminal(words, false).into_owned()),
        calendars,
        legend,
        drift: report.drift.as_ref().map(head::drift),
        chart: Chart::from_samples(&report.timeline),
        waits: tables::waits(report),
        sizes: tables::sizes(&report.sizes),
        hosts: tables::hosts(&report.hosts),
        failures: tables::failures(&report.failures),
        failures_omitted: report.failures_omitted,
        days: tables::days(&report.days, &report.failures),
        looks: looks.map(tables::looks),
        looks_omitted,
        manifest: manifest.map(|text| on_terminal(text, false).into_owned()),
        manifest_sha256: escape(&report.job.manifest_sha256),
        version: escape(&report.run.version),
    };
    page.render()
}

/// The SHA-256 of an inline style or script, as a policy names it.
fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text))
}

/// Everything on the page, in its order.
#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    style_hash: String,
    script_hash: String,
    title: String,
    facts: Vec<(&'static str, String)>,
    verdict: RunVerdict,
    cards: [Card; 4],
    error: Option<String>,
    again: Option<String>,
    calendars: Vec<SeriesMonths>,
    legend: Vec<Sign>,
    drift: Option<Vec<Count>>,
    chart: Option<Chart>,
    waits: Vec<Share>,
    sizes: Vec<Share>,
    hosts: Vec<HostCard>,
    failures: Vec<FailureRow>,
    failures_omitted: u64,
    days: Vec<DayTableRow>,
    looks: Option<Vec<Looked>>,
    looks_omitted: usize,
    manifest: Option<String>,
    manifest_sha256: Untrusted<'a>,
    version: Untrusted<'a>,
}
