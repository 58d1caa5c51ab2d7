//! Each kind of source: its keys resolved, and what can be asked of it.
//!
//! What it does not do: talk to any of them. That a filter cannot be applied is said here, before anything is asked.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::manifest::cadence;
use crate::manifest::credentials;
use crate::manifest::diagnostic::{Finding, Span};
use crate::manifest::given::Given;
use crate::manifest::model::{
    Embedded, Export, Fetch, Hapi, Hmi, Index, Jsoc, Medoc, Method, Protocol, Reach, SourceSpec, Timetable, Tunnel,
};
use crate::manifest::name_rules;
use crate::manifest::path_pattern::{TimeField, Timed};
use crate::manifest::path_uniqueness;
use crate::manifest::raw;
use crate::manifest::root::tidied;
use crate::manifest::units;
use crate::manifest::yaml_tree::Wrong;

/// Where JSOC is.
const JSOC: &str = "http://jsoc.stanford.edu/";
/// Where MEDOC is.
const MEDOC: &str = "https://idoc-medoc.ias.u-psud.fr/";
/// The cadences that MEDOC keeps, in seconds, with its word for each: `ALLOWED_CADENCE_DICT` of its client, pySitools2.
pub(crate) const MEDOC_CADENCES: [(u64, &str); 11] = [
    (12, "12 sec"),
    (60, "1 min"),
    (120, "2 min"),
    (600, "10 min"),
    (720, "12 min"),
    (1800, "30 min"),
    (3600, "1 h"),
    (7200, "2 h"),
    (21_600, "6 h"),
    (43_200, "12 h"),
    (86_400, "1 day"),
];

/// Those of them that records of one instrument have: HMI's come every 12 minutes, AIA's every 12 seconds.
fn medoc_cadences(series: &str) -> Vec<u64> {
    let all = MEDOC_CADENCES.into_iter().map(|(seconds, _)| seconds);
    all.filter(|seconds| if is_aia(series) { *seconds != 720 } else { seconds.is_multiple_of(720) }).collect()
}

/// True for the series of AIA.
pub(crate) fn is_aia(series: &str) -> bool {
    series.starts_with("aia.")
}

/// How many files of a day a template may tell.
const MOST: u64 = 1_000_000;

/// A source with the place of its kind.
pub(in crate::manifest) struct Source {
    pub(in crate::manifest) spec: Arc<SourceSpec>,
    pub(in crate::manifest) at: Span,
}

/// Resolves a source; what is wrong goes to `findings`.
pub(in crate::manifest) fn read(
    given: &Given<'_>,
    source: &raw::Source,
    at: Span,
    findings: &mut Vec<Finding>,
) -> Option<Source> {
    let mut reading = SourceReader { given, findings };
    let spec = match source {
        raw::Source::Hmi(hmi) => {
            let reach = reading.reach(&hmi.reach(), at, None, "write `hmi: { url: \"http://localhost:8001\" }`")?;
            SourceSpec::Hmi(Hmi { reach: reach.0 })
        }
        raw::Source::Jsoc(jsoc) => {
            let reach = reading.reach(&jsoc.reach(), at, Some(JSOC), "");
            let export = jsoc.export.given().map(|(at, export)| reading.export(export, at));
            if matches!(export, Some(None)) {
                return None;
            }
            SourceSpec::Jsoc(Jsoc { reach: reach?.0, export: export.flatten() })
        }
        raw::Source::Medoc(medoc) => {
            let reach = reading.reach(&medoc.reach(), at, Some(MEDOC), "")?;
            let dataset = medoc.dataset.value().map(|name| name.0.clone());
            SourceSpec::Medoc(Medoc { reach: reach.0, dataset })
        }
        raw::Source::Index(index) => SourceSpec::Index(reading.index(index, at)?),
        raw::Source::Template(template) => SourceSpec::Template(reading.template(template, at)?),
        raw::Source::Hapi(hapi) => {
            let hint = "write `hapi: { url: \"https://cdaweb.gsfc.nasa.gov/hapi\" }`";
            let reach = reading.reach(&hapi.reach(), at, None, hint)?;
            hapi.parameters.must_ask(reading.findings);
            let parameters =
                hapi.parameters.value().map(|_| hapi.parameters.values().map(|name| name.0.clone()).collect());
            SourceSpec::Hapi(Hapi { reach: reach.0, parameters })
        }
        raw::Source::Embedded(embedded) => {
            let seed = embedded.seed.value().map_or(Embedded::default().seed, |seed| seed.0);
            return Some(Source { spec: Arc::new(SourceSpec::Embedded(Embedded { seed })), at });
        }
    };
    let at = reach_of(source).and_then(|reach| reach.url.given()).map_or(at, |(at, _)| at);
    Some(Source { spec: Arc::new(spec), at })
}

fn reach_of(source: &raw::Source) -> Option<raw::Reach<'_>> {
    match source {
        raw::Source::Hmi(hmi) => Some(hmi.reach()),
        raw::Source::Jsoc(jsoc) => Some(jsoc.reach()),
        raw::Source::Medoc(medoc) => Some(medoc.reach()),
        raw::Source::Index(index) => Some(index.reach()),
        raw::Source::Template(template) => Some(template.reach()),
        raw::Source::Hapi(hapi) => Some(hapi.reach()),
        raw::Source::Embedded(_) => None,
    }
}

struct SourceReader<'a> {
    given: &'a Given<'a>,
    findings: &'a mut Vec<Finding>,
}

impl SourceReader<'_> {
    fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// How a source is reached, and the place of its address.
    fn reach(&mut self, reach: &raw::Reach<'_>, at: Span, default: Option<&str>, hint: &str) -> Option<(Reach, Span)> {
        let credentials = credentials::read(self.given, reach, self.findings);
        let tunnel = reach.tunnel.given().and_then(|(at, tunnel)| self.tunnel(tunnel, at));
        let hosts: Vec<String> = reach.hosts.values().map(|host| host.0.clone()).collect();
        reach.hosts.must_ask(self.findings);
        let urls = match (reach.url.given(), default) {
            (None, Some(default)) if reach.url.is_missing() => (at, vec![Url::parse(default).ok()?]),
            (None, None) if reach.url.is_missing() => {
                self.note(Finding::new(at, "the key `url` is missing").hint(hint));
                return None;
            }
            (None, _) => return None,
            (Some((at, urls)), _) => {
                if urls.0.is_empty() {
                    self.note(
                        Finding::new(at, "an empty list: there is no server to ask").hint("name at least one URL"),
                    );
                    return None;
                }
                if urls.0.len() > 16 {
                    self.note(Finding::new(at, "more than 16 replicas").hint("name those that are near"));
                }
                let all: Option<Vec<Url>> = urls.0.iter().map(|url| url.value().map(|url| url.0.clone())).collect();
                (at, self.distinct(all?, at))
            }
        };
        if !reach.tunnel.is_missing() && tunnel.is_none() {
            return None;
        }
        Some((Reach { urls: urls.1, hosts, tunnel, credentials }, urls.0))
    }

    fn distinct(&mut self, urls: Vec<Url>, at: Span) -> Vec<Url> {
        let mut seen: Vec<Url> = Vec::with_capacity(urls.len());
        for url in urls {
            if seen.contains(&url) {
                self.note(Finding::new(at, format!("`{url}` appears twice")).hint("keep one of them"));
            } else {
                seen.push(url);
            }
        }
        seen
    }

    fn tunnel(&mut self, tunnel: &raw::Tunnel, at: Span) -> Option<Tunnel> {
        let ssh = tunnel.ssh.required("ssh", at, "write for example `ssh: jane@gateway.example.org`", self.findings);
        let mut destination = |given: Option<(Span, &raw::Text)>, takes_list: bool| {
            let (at, text) = given?;
            match name_rules::destination(&text.0, takes_list) {
                Ok(text) => Some(text),
                Err(wrong) => {
                    self.findings.push(wrong.at(at));
                    None
                }
            }
        };
        let ssh = destination(ssh, false);
        let jump = destination(tunnel.jump.given(), true);
        if jump.is_none() && !tunnel.jump.is_missing() {
            return None;
        }
        let folder = self.given.path.parent().unwrap_or(std::path::Path::new(""));
        let identity = match tunnel.identity.given() {
            None if tunnel.identity.is_missing() => None,
            None => return None,
            Some((at, text)) if text.0.is_empty() || text.0.starts_with('-') => {
                self.note(
                    Finding::new(at, "no file: empty, or it begins with a dash").hint("name the private key's file"),
                );
                return None;
            }
            // `ssh` itself knows where home is.
            Some((_, text)) if text.0.starts_with("~/") => Some(text.0.clone().into()),
            Some((_, text)) => Some(tidied(folder, std::path::Path::new(&text.0))),
        };
        Some(Tunnel { ssh: ssh?, port: tunnel.port.value().map(|port| port.0), jump, identity })
    }

    fn export(&mut self, export: &raw::Export, at: Span) -> Option<Export> {
        let hint = "write `email: you@example.org`, an address that is registered with JSOC";
        let email = export.email.required("email", at, hint, self.findings);
        let process = match export.process.given() {
            Some((at, text)) if text.0.is_empty() || text.0.len() > 1000 || !text.0.is_ascii() => {
                let finding = Finding::new(at, "no order to the export system: 1 to 1,000 characters of ASCII");
                self.note(finding.hint("such as `n=0`, or leave the key out"));
                return None;
            }
            Some((_, text)) => Some(text.0.clone()),
            None => None,
        };
        let protocol = match export.protocol.value() {
            Some(raw::Protocol::AsIs) => Protocol::AsIs,
            Some(raw::Protocol::Fits) | None => Protocol::Fits,
        };
        let method = match export.method.value() {
            Some(raw::Method::UrlQuick) => Method::UrlQuick,
            Some(raw::Method::Url) | None => Method::Url,
        };
        Some(Export { email: email?.1.0.clone(), protocol, method, process })
    }

    fn index(&mut self, index: &raw::Index, at: Span) -> Option<Index> {
        let hint = "write for example `url: https://jsoc1.stanford.edu/data/aia/synoptic/`";
        let reach = self.reach(&index.reach(), at, None, hint);
        let files =
            index.files.required("files", at, "write for example `files: \"AIA%Y%m%d_%H%M_0171.fits\"`", self.findings);
        if index.path.value().is_none() && !index.path.is_missing() {
            return None;
        }
        let (files_at, files) = files?;
        let path = index.path.value().map(|path| path.0.clone());
        if !tell_date(&[Some(&files.0), path.as_ref()]) {
            let finding = Finding::new(files_at, "`path` and `files` do not contain a file's date");
            self.note(finding.hint(path_uniqueness::date_hint(&[Some(&files.0), path.as_ref()])));
            return None;
        }
        if let Some((at, path)) = index.path.given()
            && (path.0.has(TimeField::Second) || path.0.has(TimeField::Fraction))
        {
            let finding = Finding::new(at, "a folder for each second: a day would take 86,400 listings");
            self.note(finding.hint("a path changes by the minute at most; write seconds into `files`"));
            return None;
        }
        let newest = matches!(index.pick.value(), Some(raw::Pick::Newest));
        Some(Index { reach: reach?.0, path, files: files.0.clone(), newest })
    }

    fn template(&mut self, template: &raw::Template, at: Span) -> Option<Timetable> {
        let hint = "write for example `url: https://jsoc1.stanford.edu/data/aia/synoptic/`";
        let reach = self.reach(&template.reach(), at, None, hint);
        let hint = "write for example `path: \"%Y/%m/%d/H%H00/AIA%Y%m%d_%H%M_0171.fits\"`";
        let path = template.path.required("path", at, hint, self.findings);
        let cadence = template.cadence.required("cadence", at, "write for example `cadence: 2m`", self.findings);
        let each = template.each.value();
        let wavelength: Vec<i64> = each.iter().flat_map(|each| each.wavelength.values()).map(|one| one.0).collect();
        let segment: Vec<String> =
            each.iter().flat_map(|each| each.segment.values()).map(|name| name.0.clone()).collect();
        let ((path_at, path), (cadence_at, cadence)) = (path?, cadence?);
        let cadence = cadence.0;
        if let Err(wrong) = divides_a_day(cadence.as_secs()) {
            self.note(wrong.at(cadence_at));
            return None;
        }
        if path.0.text().ends_with('/') {
            self.note(Finding::new(path_at, "a folder, where a file's path is due").hint("add the file's name"));
            return None;
        }
        let files = (86_400 / cadence.as_secs().max(1)) * (wavelength.len().max(1) * segment.len().max(1)) as u64;
        if files > MOST {
            let finding = Finding::new(cadence_at, format!("{files} files a day; there can be {MOST}"));
            self.note(finding.hint("write a longer cadence, or several series"));
            return None;
        }
        if let Err(wrong) = path_uniqueness::times(&path.0, cadence) {
            self.note(wrong.at(path_at));
            return None;
        }
        for (name, is_given) in [("wavelength", !wavelength.is_empty()), ("segment", !segment.is_empty())] {
            let stands = path.0.values().any(|value| value == name);
            if stands != is_given {
                let (what, hint) = if stands {
                    (format!("`{{{name}}}` has no values"), format!("write `each: {{ {name}: [...] }}`"))
                } else {
                    (format!("`each` varies `{name}`, which does not occur in the path"), format!("write `{{{name}}}`"))
                };
                self.note(Finding::new(path_at, what).hint(hint));
                return None;
            }
        }
        Some(Timetable { reach: reach?.0, path: path.0.clone(), cadence, wavelength, segment })
    }
}

/// What is kept of each record by default.
pub(in crate::manifest) fn fetch(spec: &SourceSpec) -> Fetch {
    match spec {
        SourceSpec::Jsoc(_) => Fetch::Both,
        _ => Fetch::Files,
    }
}

/// Notes each key of a series that its source's kind has no answer to.
pub(in crate::manifest) fn refuse(spec: &SourceSpec, series: &raw::Series, name: &str, findings: &mut Vec<Finding>) {
    use SourceSpec as S;
    let kind = spec.kind();
    let mut needs = |at: Option<Span>, key: &str, is_known: bool, hint: &str| {
        if let Some(at) = at.filter(|_| !is_known) {
            let finding = Finding::new(at, format!("`{key}` cannot be asked of `{kind}`"));
            findings.push(finding.hint(hint));
        }
    };
    let records = matches!(spec, S::Hmi(_) | S::Embedded(_) | S::Jsoc(_) | S::Medoc(_));
    let take_out = "leave it out";
    let by_name = match spec {
        S::Index(_) => "say it in `files`, by the files' names",
        S::Template(_) => "say it in the template: `each` varies it",
        S::Hapi(_) => "`parameters` lists those that are requested",
        _ => take_out,
    };
    needs(series.segments.given().map(|(at, _)| at), "segments", records, by_name);
    needs(series.harpnum.given().map(|(at, _)| at), "harpnum", records, by_name);
    needs(series.wavelength.given().map(|(at, _)| at), "wavelength", records, by_name);
    let quality = matches!(spec, S::Hmi(_) | S::Embedded(_) | S::Jsoc(_));
    needs(series.quality.given().map(|(at, _)| at), "quality", quality, take_out);
    let jsoc = matches!(spec, S::Jsoc(_));
    needs(series.noaa.given().map(|(at, _)| at), "noaa", jsoc, "name the regions by `harpnum`, or ask `jsoc`");
    needs(series.conditions.given().map(|(at, _)| at), "where", jsoc, "ask `jsoc`, or leave it out");
    needs(series.cadence.given().map(|(at, _)| at), "cadence", !matches!(spec, S::Hapi(_)), take_out);
    let keywords = jsoc || matches!(spec, S::Hmi(_) | S::Embedded(_));
    let wants = series.fetch.given().filter(|(_, fetch)| **fetch != raw::Fetch::Files).map(|(at, _)| at);
    needs(wants, "fetch", keywords, "keywords come from `jsoc`, and from `hmi` of the newest kind");
    needs(series.keywords.given().map(|(at, _)| at), "keywords", keywords, "leave it out");
    needs(series.headers.given().map(|(at, _)| at), "headers", jsoc, "leave it out: files are kept as they come");
    refuse_headers(spec, series, findings);
    if let Some((at, asked)) = series.cadence.given()
        && let Err(wrong) = cadence_of(spec, asked.0, name)
    {
        findings.push(wrong.at(at));
    }
    // A name that can be no id either is told there.
    if !matches!(spec, S::Hapi(_))
        && (series.id.value().is_some() || name_rules::component(name).is_ok())
        && let Some((at, _)) = series.name.given()
        && let Err(wrong) = name_rules::remote_name(name)
    {
        findings.push(wrong.at(at));
    }
    if let (Some(at), true) = (wants, keywords && !jsoc && series.keywords.is_missing()) {
        let finding = Finding::new(at, "keywords are requested, but none is named");
        findings.push(finding.hint("name them: `keywords: [area, cmask]`"));
    }
    if let (Some((at, _)), Some(raw::Fetch::Files)) = (series.keywords.given(), series.fetch.value()) {
        let finding = Finding::new(at, "keywords, where only files are fetched");
        findings.push(finding.hint("write `fetch: both`, or leave the list out"));
    }
}

/// Notes where keywords are to go into the headers of files that have them, or that there are none of.
fn refuse_headers(spec: &SourceSpec, series: &raw::Series, findings: &mut Vec<Finding>) {
    let Some((at, raw::HeadersForm::Embed)) = series.headers.given() else { return };
    let is_ordered = matches!(spec, SourceSpec::Jsoc(jsoc) if jsoc.export.is_some());
    let (what, hint) = if is_ordered {
        let what = "keywords for headers, where JSOC's export system makes the files";
        (what, "leave it out: with `protocol: fits`, the default, files have all keywords in their headers")
    } else if matches!(series.fetch.value(), Some(raw::Fetch::Keywords)) {
        ("keywords for headers, where no files are fetched", "write `fetch: both` or `fetch: files`, or leave it out")
    } else {
        return;
    };
    findings.push(Finding::new(at, what).hint(hint));
}

/// Checks that records can be had as far apart as asked.
fn cadence_of(spec: &SourceSpec, asked: Duration, series: &str) -> Result<(), Wrong> {
    match spec {
        SourceSpec::Medoc(_) => {
            let kept = medoc_cadences(series);
            if kept.contains(&asked.as_secs()) {
                return Ok(());
            }
            let kept: Vec<String> = kept.into_iter().map(units::span).collect();
            Err(Wrong::new("MEDOC does not offer this cadence").hint(format!("it keeps {}", kept.join(", "))))
        }
        SourceSpec::Template(template) => {
            let own = template.cadence.as_secs();
            if asked.as_secs().is_multiple_of(own) {
                return divides_a_day(asked.as_secs());
            }
            let wrong = Wrong::new(format!("no multiple of the template's own cadence, {own} s"));
            Err(wrong.hint("nothing is interpolated: write a multiple of it"))
        }
        // JSOC has series of every kind, and says by itself what it does not have.
        SourceSpec::Jsoc(_) if cadence::named(series).is_none() => Ok(()),
        SourceSpec::Index(index) => index_cadence(index, asked.as_secs().max(1)),
        SourceSpec::Hapi(_) => Ok(()),
        SourceSpec::Hmi(_) | SourceSpec::Embedded(_) | SourceSpec::Jsoc(_) => cadence::check(asked, series),
    }
}

/// Checks that an index' names tell the times that a cadence chooses among. Which there are shows only there.
fn index_cadence(index: &Index, asked: u64) -> Result<(), Wrong> {
    divides_a_day(asked)?;
    for (field, letter) in path_uniqueness::needed(Duration::from_secs(asked)) {
        if !index.files.has(field) && !index.path.as_ref().is_some_and(|path| path.has(field)) {
            let wrong =
                Wrong::new(format!("the names do not contain it: `{letter}` occurs neither in `path` nor in `files`"));
            return Err(wrong.hint("add it where they contain it, or remove the key"));
        }
    }
    Ok(())
}

/// Checks that times so many seconds apart are the same on every day.
fn divides_a_day(seconds: u64) -> Result<(), Wrong> {
    if 86_400u64.is_multiple_of(seconds.max(1)) {
        return Ok(());
    }
    let wrong = Wrong::new("the cadence must divide a day evenly, or times would shift from day to day");
    Err(wrong.hint("such as `2m`, `12m`, `1h` or `1d`"))
}

/// True when patterns together tell the whole date.
fn tell_date(patterns: &[Option<&Timed>]) -> bool {
    let has = |field: TimeField| patterns.iter().flatten().any(|pattern| pattern.has(field));
    let has_month = has(TimeField::Month) || has(TimeField::MonthName);
    (has(TimeField::Year) || has(TimeField::YearOfCentury))
        && (has(TimeField::DayOfYear) || (has_month && has(TimeField::Day)))
}
