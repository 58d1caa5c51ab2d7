//! From the manifest as typed to the manifest as resolved: defaults filled in, keys checked against each other.
//!
//! What it does not do: read the environment or the clock. Variables come through a function, and the ends of a range
//! that follow the clock are left to the planner.

mod range;
pub(super) mod source;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::accept;
use super::credentials;
use super::diagnostic::{Finding, Span};
use super::given::Given;
use super::latency;
use super::limits;
use super::model::{
    ArchiveSpec, Condition, Fetch, Filters, Headers, Identity, LockDetail, LockMode, LockSpec, Manifest, Quality,
    Regions, Retry, Series, SeriesId, SourceSpec, Timeouts, Verify,
};
use super::name_rules;
use super::path_uniqueness;
use super::prefer;
use super::raw;
use super::root::{in_the_way, tidied};
use super::spanned::Typed;
use super::template::Template;
use super::variable;
use super::yaml_tree::{Node, NodeValue};
use crate::digest::Digest;
use crate::untrusted::escape;
use source::Source;

/// Turns a form into a manifest; what is wrong goes to `findings`, and then there is none.
pub(super) fn resolve(given: &Given<'_>, job: &raw::Job, findings: &mut Vec<Finding>) -> Option<Manifest> {
    let mut resolver = Resolver { given, findings, sources: Vec::new() };
    let manifest = resolver.job(job);
    resolver.stray_variables(given.root, &mut Vec::new());
    manifest.filter(|_| findings.is_empty())
}

struct Resolver<'a> {
    given: &'a Given<'a>,
    findings: &'a mut Vec<Finding>,
    /// The sources of the series so far, with where they are named.
    sources: Vec<(Span, Arc<SourceSpec>)>,
}

impl Resolver<'_> {
    fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn job(&mut self, job: &raw::Job) -> Option<Manifest> {
        let root = self.given.root.span;
        job.version.required("version", root, "write `version: 1`", self.findings);
        let name =
            job.name.required("name", root, "give the job a name, such as `name: sharp-december-2015`", self.findings);
        let archive = job.archive.required(
            "archive",
            root,
            "write for example `archive: { root: ../data/sharp }`",
            self.findings,
        );
        let series =
            job.series.required("series", root, "write for example `series: [{ name: sharp_720s }]`", self.findings);

        let source = job.source.given().and_then(|(at, source)| source::read(self.given, source, at, self.findings));
        let contact = self.contact(&job.contact);
        let (archive, layout) = archive.map(|(at, archive)| self.archive(archive, at)).unwrap_or_default();
        let defaults = Defaults { job, source: source.as_ref(), layout: &layout };
        let mut resolved = Vec::new();
        if let Some((at, list)) = series {
            if list.is_empty() {
                self.note(Finding::new(at, "a job without a series").hint("name at least one series to fetch"));
            }
            for series in list {
                let Some((at, series)) = series.given() else { continue };
                resolved.extend(self.series(series, at, &defaults));
            }
            self.unique_ids(list);
        }
        self.public_archives_want_a_contact(job);
        let limits = limits::read(job.limits.value(), &self.sources, self.findings);
        let accept = accept::read(job, self.findings);
        let verify = verify(job.verify.value());
        let identity = self.identity(job, verify);
        Some(Manifest {
            path: self.given.path.to_owned(),
            sha256: Digest::sha256(self.given.bytes),
            name: name?.1.0.clone(),
            contact,
            archive: archive?,
            limits,
            retry: retry(job.retry.value()),
            timeouts: timeouts(job.timeouts.value()),
            verify,
            lock: LockSpec { detail: detail(job.lock.value().and_then(|lock| lock.detail.value())) },
            identity,
            accept,
            series: resolved,
        })
    }

    fn public_archives_want_a_contact(&mut self, job: &raw::Job) {
        let public_host = |spec: &SourceSpec| limits::places(spec).into_iter().find(|place| place.is_public);
        let mut public = self.sources.iter().filter_map(|(at, spec)| Some((*at, public_host(spec)?.host)));
        if let Some((at, host)) = public.next().filter(|_| job.contact.is_missing()) {
            let message = format!("`{host}` is a public archive, and the job has no `contact`");
            self.note(Finding::new(at, message).hint("write `contact: you@example.org`: it is sent as `From`"));
        }
    }

    /// What is not read as FITS has no data to compare.
    fn identity(&mut self, job: &raw::Job, verify: Verify) -> Identity {
        let Some((at, raw::Identity::FitsData)) = job.identity.given() else { return Identity::Bytes };
        if let Some((checks, _)) = job.verify.given().filter(|_| !verify.fits) {
            let finding = Finding::new(at, "the data of FITS files that are not read as such")
                .hint("add `fits` to `verify`, or write `identity: bytes`")
                .also(checks, "without `fits`");
            self.note(finding);
        }
        Identity::FitsData
    }

    fn contact(&mut self, contact: &Typed<raw::Text>) -> Option<String> {
        let (at, text) = contact.given()?;
        let contact = self.expanded(&text.0, at)?;
        match name_rules::contact(&contact) {
            Ok(contact) => Some(contact),
            Err(wrong) => {
                self.note(wrong.at(at));
                None
            }
        }
    }

    /// The archive, and the layout that it gives to every series.
    fn archive(&mut self, archive: &raw::Archive, at: Span) -> (Option<ArchiveSpec>, Option<Template>) {
        let layout = self.layout(&archive.layout);
        let lock = match archive.lock.value() {
            Some(raw::Lock::None) => LockMode::None,
            Some(raw::Lock::Flock) | None => LockMode::Flock,
        };
        let root = archive.root.required("root", at, "write for example `root: ../data/sharp`", self.findings);
        let root = root.and_then(|(at, text)| self.root(&text.0, at));
        (root.map(|root| ArchiveSpec { root, lock }), layout)
    }

    fn root(&mut self, text: &str, at: Span) -> Option<PathBuf> {
        let path = self.expanded(text, at)?;
        if path.is_empty() || path.contains(char::is_control) {
            self.note(Finding::new(at, "no folder: empty, or with control characters"));
            return None;
        }
        if path.starts_with('~') {
            self.note(Finding::new(at, "`~` is not replaced here").hint("write `${HOME}/...`"));
            return None;
        }
        let folder = self.given.path.parent().unwrap_or(Path::new(""));
        let root = tidied(folder, Path::new(&path));
        if let Some(file) = in_the_way(&root) {
            // The path may hold the value of a variable, which is never shown.
            let what = if file == root { "this is a file, not a folder" } else { "a part of this path is a file" };
            self.note(Finding::new(at, what).hint("name a folder, or move the file away"));
            return None;
        }
        Some(root)
    }

    /// Replaces `${NAME}`.
    fn expanded(&mut self, text: &str, at: Span) -> Option<String> {
        match variable::expand(text, self.given.environment) {
            Ok(text) => Some(text),
            Err(wrong) => {
                self.note(wrong.at(at));
                None
            }
        }
    }

    fn layout(&mut self, layout: &Typed<raw::Text>) -> Option<Template> {
        let (at, text) = layout.given()?;
        match Template::parse(&text.0) {
            Ok(template) => Some(template),
            Err(problem) => {
                // Inside quotes the text may be escaped; only where it is not do its bytes lie in the file as they are.
                let inside = self.given.text.get(at.start..at.end).and_then(|typed| typed.find(text.0.as_str()));
                let place = inside.map_or(at, |offset| Span {
                    start: at.start + offset + problem.at.start,
                    end: at.start + offset + problem.at.end,
                });
                self.note(Finding { at: Some(place), message: problem.message, hint: problem.hint, also: None });
                None
            }
        }
    }

    fn series(&mut self, series: &raw::Series, at: Span, defaults: &Defaults<'_>) -> Option<Series> {
        let names = prefer::read(series, at, self.findings);
        let own = series.source.given().and_then(|(at, source)| source::read(self.given, source, at, self.findings));
        if series.source.is_missing() && defaults.job.source.is_missing() {
            let finding = Finding::new(at, "a series without a source");
            self.note(
                finding.hint(
                    "write `source:` at the top of the file or in the series, such as `source: { embedded: {} }`",
                ),
            );
        }
        let source = own.as_ref().or(if series.source.is_missing() { defaults.source } else { None });
        if let Some(source) = source {
            self.sources.push((source.at, Arc::clone(&source.spec)));
        }
        let dates = if series.range.is_missing() { &defaults.job.range } else { &series.range };
        if dates.is_missing() {
            let hint = "write `range: { start: 2015-12-11, end: 2015-12-14 }` at the top of the file or in the series";
            self.note(Finding::new(at, "a series without a range").hint(hint));
        }
        let dates = self.dates(dates, series, source);
        let own_layout = self.layout(&series.layout);
        let filters = self.filters(series);
        let prefer::PreferredNames { first: name, fallbacks } = names?;
        if let Some(source) = source {
            source::refuse(&source.spec, series, &name, self.findings);
            prefer::refuse(&source.spec, series, self.findings);
        }
        let spec = Arc::clone(&source?.spec);
        if name.starts_with("hmi.") && matches!(&*spec, SourceSpec::Jsoc(_)) {
            self.must_have_five_digits(series.noaa.value().map(Vec::as_slice).unwrap_or_default());
        }
        let layout = own_layout.or_else(|| defaults.layout.clone()).unwrap_or_else(Template::default_of_kind);
        if let Err(wrong) = path_uniqueness::names(&spec, &layout) {
            self.note(wrong.at(series.layout.given().map_or(at, |(at, _)| at)));
        }
        let settle = defaults.job.settle.value().map_or_else(|| latency::of(&spec, &name), |settle| settle.0);
        let fetch = fetch(series.fetch.value(), &spec);
        let dates = dates?;
        Some(Series {
            id: SeriesId(series.id.value().map_or_else(|| name.clone(), |id| id.0.clone())),
            name,
            fallbacks,
            source: spec,
            range: dates.range,
            regions: Regions { passage: dates.passage, known: Vec::new() },
            layout,
            filters,
            fetch,
            headers: match series.headers.value() {
                Some(raw::HeadersForm::Embed) => Headers::Embed,
                Some(raw::HeadersForm::AsIs) | None => Headers::AsIs,
            },
            keywords: self.listed(&series.keywords, |keyword| keyword.0.clone()),
            settle,
        })
    }

    fn filters(&mut self, series: &raw::Series) -> Filters {
        let mut conditions = Vec::new();
        let mut raw = None;
        match series.conditions.given() {
            Some((_, raw::Conditions::Raw(text))) => raw = Some(text.clone()),
            Some((at, raw::Conditions::ByKeyword(list))) => {
                if list.is_empty() {
                    self.note(Finding::new(at, "no condition at all").hint("name a keyword, or remove the key"));
                }
                for (keyword, condition) in list {
                    let (Some((at, keyword)), Some(condition)) = (keyword.given(), condition.value()) else { continue };
                    if conditions.iter().any(|(known, _)| *known == keyword.0) {
                        let finding = Finding::new(at, format!("the keyword `{}` appears twice", keyword.0));
                        self.note(finding.hint("keep one of them, or write both as one text `[? ... ?]`"));
                    }
                    conditions.push((keyword.0.clone(), by_keyword(condition)));
                }
            }
            None => {}
        }
        Filters {
            segments: self.listed(&series.segments, |segment| segment.0.clone()),
            harpnum: self.listed(&series.harpnum, |number| number.0),
            noaa: self.listed(&series.noaa, |number| number.0),
            wavelength: self.listed(&series.wavelength, |number| number.0),
            quality: series.quality.value().and_then(|quality| match quality {
                raw::Quality::Good => Some(Quality::GOOD),
                raw::Quality::Any => None,
                raw::Quality::NoneOf(mask) => Some(Quality { none_of: *mask }),
            }),
            cadence: series.cadence.value().map(|cadence| cadence.0),
            conditions,
            raw,
        }
    }

    /// The entries of a filter, without repeats. An empty list would ask for nothing at all.
    fn listed<F, T: PartialEq>(&mut self, list: &Typed<Vec<Typed<F>>>, read: impl Fn(&F) -> T) -> Option<Vec<T>> {
        list.must_ask(self.findings);
        list.value()?;
        let mut out = Vec::new();
        for item in list.values().map(read) {
            if !out.contains(&item) {
                out.push(item);
            }
        }
        Some(out)
    }

    /// Ids are folder names: unique, and on some disks the case of letters does not count.
    fn unique_ids(&mut self, list: &[Typed<raw::Series>]) {
        let mut seen: HashMap<String, Span> = HashMap::new();
        for (_, series) in list.iter().filter_map(Typed::given) {
            let own = series.id.given().map(|(at, id)| (at, &id.0));
            // A wrong `as:` is told already; the name does not stand in for it.
            let name = series.source_name().filter(|_| series.id.is_missing()).map(|(at, name)| (at, &name.0));
            let Some((at, id)) = own.or(name) else { continue };
            if let Some(first) = seen.get(&id.to_lowercase()) {
                let finding = Finding::new(at, format!("the series `{}` appears a second time", escape(id)))
                    .hint("give one of them an id of its own: `as: another-name`")
                    .also(*first, "first here");
                self.note(finding);
                continue;
            }
            if name.is_some()
                && let Err(wrong) = name_rules::component(id)
            {
                self.note(wrong.at(at).hint("give it an id that can be a folder's name: `as: ...`"));
            }
            seen.insert(id.to_lowercase(), at);
        }
    }

    /// `${` works under few keys only; elsewhere it would be taken for text and surprise.
    fn stray_variables(&mut self, node: &Node, path: &mut Vec<String>) {
        match &node.value {
            NodeValue::Map(entries) => {
                for (key, child) in entries {
                    path.push(key.text().unwrap_or_default().to_owned());
                    self.stray_variables(key, &mut Vec::new());
                    self.stray_variables(child, path);
                    path.pop();
                }
            }
            NodeValue::List(items) => {
                path.push("[]".to_owned());
                for item in items {
                    self.stray_variables(item, path);
                }
                path.pop();
            }
            _ if node.text().is_some_and(|text| text.contains("${")) => {
                let keys: Vec<&str> = path.iter().map(String::as_str).collect();
                if !matches!(keys.as_slice(), ["contact"] | ["archive", "root"]) && !credentials::is_one(&keys) {
                    let finding = Finding::new(node.span, "`${...}` is not replaced here");
                    self.note(finding.hint("it works in `contact`, `archive.root` and credentials only"));
                }
            }
            _ => {}
        }
    }
}

/// What a series takes over from the top of the file.
struct Defaults<'a> {
    job: &'a raw::Job,
    source: Option<&'a Source>,
    layout: &'a Option<Template>,
}

fn by_keyword(condition: &raw::Condition) -> Condition {
    match condition {
        raw::Condition::Is(value) => Condition::Is(value.clone()),
        raw::Condition::Within(least, most) => Condition::Within(least.clone(), most.clone()),
        raw::Condition::NoneOf(mask) => Condition::NoneOf(*mask),
    }
}

fn fetch(fetch: Option<&raw::Fetch>, spec: &SourceSpec) -> Fetch {
    match fetch {
        None => source::fetch(spec),
        Some(raw::Fetch::Files) => Fetch::Files,
        Some(raw::Fetch::Keywords) => Fetch::Keywords,
        Some(raw::Fetch::Both) => Fetch::Both,
    }
}

fn retry(retry: Option<&raw::Retry>) -> Retry {
    let default = Retry::default();
    Retry {
        attempts: retry.and_then(|retry| retry.attempts.value()).map_or(default.attempts, |attempts| attempts.0),
        max_wait: retry.and_then(|retry| retry.max_wait.value()).map_or(default.max_wait, |wait| wait.0),
    }
}

fn timeouts(timeouts: Option<&raw::Timeouts>) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        connect: timeouts.and_then(|timeouts| timeouts.connect.value()).map_or(default.connect, |time| time.0),
        stall: timeouts.and_then(|timeouts| timeouts.stall.value()).map_or(default.stall, |time| time.0),
    }
}

fn verify(checks: Option<&Vec<Typed<raw::Check>>>) -> Verify {
    let Some(checks) = checks else { return Verify::default() };
    let has = |check| checks.iter().any(|given| given.value() == Some(&check));
    Verify { fits: has(raw::Check::Fits), magic: has(raw::Check::Magic) }
}

fn detail(detail: Option<&raw::Detail>) -> LockDetail {
    match detail {
        Some(raw::Detail::Files) => LockDetail::Files,
        Some(raw::Detail::Day) => LockDetail::Day,
        Some(raw::Detail::Auto) | None => LockDetail::Auto,
    }
}
