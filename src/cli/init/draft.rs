//! What a new manifest is to say, as far as it is known, and what it takes for each kind of source.

mod text;

use std::path::{Path, PathBuf};

use super::Args;
use crate::manifest::{self, Diagnostic, Manifest, is_yaml};
pub(super) use text::manifest_text;

/// The kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum SourceKind {
    /// The HMI service, or `sunhaul serve`.
    Hmi,
    /// JSOC at Stanford.
    Jsoc,
    /// MEDOC in France.
    Medoc,
    /// Directory listings of a web server.
    Index,
    /// URLs that follow from the time.
    Template,
    /// A HAPI server.
    Hapi,
    /// The built-in service with synthetic data: no network.
    Embedded,
}

impl SourceKind {
    /// All of them, with what each is.
    pub(super) const ALL: [(SourceKind, &str); 7] = [
        (SourceKind::Embedded, "the built-in service with synthetic data: no network, good to try things"),
        (SourceKind::Hmi, "the HMI service (FLARECAST), or `sunhaul serve`"),
        (SourceKind::Jsoc, "JSOC at Stanford: everything of SDO"),
        (SourceKind::Medoc, "MEDOC at IAS in France: records of SDO"),
        (SourceKind::Index, "directory listings of a web server"),
        (SourceKind::Template, "URLs that follow from the time"),
        (SourceKind::Hapi, "a HAPI 3 server: time series"),
    ];

    /// Its key in a manifest.
    pub(super) fn name(self) -> &'static str {
        match self {
            SourceKind::Hmi => "hmi",
            SourceKind::Jsoc => "jsoc",
            SourceKind::Medoc => "medoc",
            SourceKind::Index => "index",
            SourceKind::Template => "template",
            SourceKind::Hapi => "hapi",
            SourceKind::Embedded => "embedded",
        }
    }

    /// True where the manifest must say the address.
    pub(super) fn needs_url(self) -> bool {
        matches!(self, SourceKind::Hmi | SourceKind::Index | SourceKind::Template | SourceKind::Hapi)
    }

    /// The address that most have.
    pub(super) fn usual_url(self) -> Option<&'static str> {
        match self {
            SourceKind::Hmi => Some("http://localhost:8001"),
            SourceKind::Hapi => Some("https://cdaweb.gsfc.nasa.gov/hapi"),
            _ => None,
        }
    }

    /// The series that most begin with.
    pub(super) fn usual_series(self) -> Option<&'static str> {
        match self {
            SourceKind::Hmi | SourceKind::Embedded => Some("sharp_720s"),
            SourceKind::Jsoc | SourceKind::Medoc => Some("hmi.sharp_cea_720s"),
            SourceKind::Index | SourceKind::Template | SourceKind::Hapi => None,
        }
    }
}

/// A manifest in the making; what is not known yet is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// The job's name.
    pub(super) name: Option<String>,
    /// Where the manifest goes, when a path was named.
    pub(super) path: Option<PathBuf>,
    pub(super) kind: Option<SourceKind>,
    pub(super) url: Option<String>,
    pub(super) series: Vec<String>,
    pub(super) segments: Vec<String>,
    pub(super) cadence: Option<String>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) contact: Option<String>,
    pub(super) root: Option<String>,
    pub(super) layout: Option<String>,
}

impl Draft {
    /// What the command line says. `NAME` may be a path.
    pub(super) fn new(args: &Args) -> Draft {
        let path = args.name.as_deref().filter(|name| name.contains('/') || is_yaml(Path::new(name)));
        let path =
            path.map(|name| if is_yaml(Path::new(name)) { name.into() } else { PathBuf::from(format!("{name}.yaml")) });
        let stem = path.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
        Draft {
            name: stem.or_else(|| args.name.clone()),
            path,
            kind: args.source,
            url: args.url.clone(),
            series: args.series.clone(),
            segments: args.segments.clone(),
            cadence: args.cadence.clone(),
            start: args.start.clone(),
            end: args.end.clone(),
            contact: args.contact.clone(),
            root: args.root.clone(),
            layout: args.layout.clone(),
        }
    }

    /// The options without which there is no manifest.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let Some(kind) = self.kind else { return vec!["--source"] };
        let needed = [
            ("--url", self.url.is_none() && kind.needs_url() && kind.usual_url().is_none()),
            ("--series", self.series.is_empty() && kind.usual_series().is_none()),
            ("--start", self.start.is_none()),
            ("--end", self.end.is_none()),
        ];
        needed.into_iter().filter(|(_, is_missing)| *is_missing).map(|(option, _)| option).collect()
    }

    /// The same with the usual answer to what was left open and has one.
    pub(super) fn completed(mut self) -> Draft {
        if let Some(kind) = self.kind {
            if self.url.is_none() && kind.needs_url() {
                self.url = kind.usual_url().map(str::to_owned);
            }
            if self.series.is_empty() {
                self.series.extend(kind.usual_series().map(str::to_owned));
            }
            if kind == SourceKind::Embedded && self.start.is_none() && self.end.is_none() {
                (self.start, self.end) = (Some("2015-12-11".to_owned()), Some("2015-12-14".to_owned()));
            }
        }
        self.name = self.name.or_else(|| self.series.first().cloned());
        self.root = Some(self.root.clone().unwrap_or_else(|| self.usual_root()));
        self
    }

    /// Where the manifest goes: among the others where there is a folder of jobs.
    pub(super) fn place(&self) -> PathBuf {
        let file = || format!("{}.yaml", self.name.as_deref().unwrap_or("job"));
        match &self.path {
            Some(path) => path.clone(),
            None if Path::new(JOBS).is_dir() => Path::new(JOBS).join(file()),
            None => file().into(),
        }
    }

    /// Where the archive is, unless said otherwise: `data` beside the folder of jobs, or beside the manifest.
    pub(super) fn usual_root(&self) -> String {
        let path = self.place();
        let folder = path.parent().and_then(Path::file_name);
        let up = if folder.is_some_and(|folder| folder == JOBS) { "../" } else { "" };
        format!("{up}data/{}", self.name.as_deref().unwrap_or("job"))
    }

    /// What is wrong with the manifest so far, if anything is. What is not known yet is taken to be right, and so is what no
    /// answer can change.
    pub(super) fn objection(&self) -> Option<Diagnostic> {
        let filled = Draft {
            name: Some(self.name.clone().unwrap_or_else(|| "job".to_owned())),
            kind: Some(self.kind.unwrap_or(SourceKind::Embedded)),
            url: self.url.clone().or_else(|| Some("http://localhost:8001".to_owned())),
            series: if self.series.is_empty() { vec!["series".to_owned()] } else { self.series.clone() },
            start: self.start.clone().or_else(|| Some("1996-01-01".to_owned())),
            end: self.end.clone().or_else(|| Some("2199-01-01".to_owned())),
            contact: self.contact.clone().or_else(|| Some("jane@example.org".to_owned())),
            root: self.root.clone().or_else(|| Some("data".to_owned())),
            path: self.path.clone(),
            segments: Vec::new(),
            cadence: None,
            layout: None,
        };
        filled.parsed().err().and_then(|wrong| wrong.list().first().cloned())
    }

    /// The manifest that would be written, as `check` sees it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn parsed(&self) -> Result<Manifest, manifest::Diagnostics> {
        let text = manifest_text(self, None);
        manifest::parse(&self.place(), text.as_bytes(), &crate::cli::environment::variable)
    }
}

/// The folder that manifests are kept in.
const JOBS: &str = "jobs";
