//! RO-Crate 1.1 metadata: `ro-crate-metadata.json` makes the archive's root a crate.
//!
//! It names each file, the runs that made them, the manifest and the lock that the runs went by, and the source. What it
//! does not do: put them there. The manifest and the lock lie elsewhere; each is named by its hash (RFC 6920).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Dataset, Error, address, present};
use crate::archive::{Archive, STATE};
use crate::day::Scale;
use crate::digest::{Digest, Hasher};
use crate::manifest::SourceSpec;
use crate::untrusted::in_json;

/// With more files than these, the crate names the day records, which name them.
const MOST: u64 = 10_000;

/// A run that made some of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrateRun {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended; none when it died.
    pub finished: Option<DateTime<Utc>>,
    /// How it ended, in a word.
    pub result: String,
    /// The version of sunhaul.
    pub version: String,
    /// The manifest's file name.
    pub manifest: String,
    /// What it went by.
    pub manifest_sha256: Digest,
    /// The lock, if there was one.
    pub lock_sha256: Option<Digest>,
}

/// What a crate tells besides the files.
#[derive(Debug, Clone, Copy)]
pub struct CrateOrigin<'a> {
    /// The runs that made the files, in order.
    pub runs: &'a [CrateRun],
    /// The job's lock, where it has one.
    pub lock: Option<&'a Path>,
    /// The day it is made on.
    pub date: NaiveDate,
}

/// Writes the crate's metadata. True when it names day records in place of files.
///
/// # Errors
/// A damaged record, or something that cannot be read or written.
pub fn write(dataset: &Dataset<'_>, origin: CrateOrigin<'_>, out: &mut dyn Write) -> Result<bool, Error> {
    let job = dataset.job;
    let by_day = files(dataset)? > MOST;
    let (mut parts, told) = if by_day { day_records(dataset)? } else { data_files(dataset)? };
    let mut about = About::default();
    let manifest = about.paper(&job.sha256, &file_name(&job.path), "application/yaml");
    let lock = origin.lock.map(|path| about.lock(path)).transpose()?;
    let sources: Vec<Value> = dataset.days().map(|chosen| about.source(&chosen.series.source)).collect();
    let runs: Vec<Value> = origin.runs.iter().map(|run| about.run(run)).collect();
    let About { papers, others } = about;
    parts.extend(papers.into_values());
    let mut root = root_entity(dataset, &told, by_day, origin.date);
    root["hasPart"] = parts.iter().map(reference).collect();
    root["isBasedOn"] = one_or_many(sources);
    root["subjectOf"] = one_or_many([Some(manifest), lock].into_iter().flatten().collect());
    if !runs.is_empty() {
        root["mentions"] = one_or_many(runs);
    }
    let head = [descriptor(), root, license()];
    let graph: Vec<Value> = head.into_iter().chain(parts).chain(others.into_values()).collect();
    let metadata = json!({
        // The version of schema.org that the context is made of has no `sha256` yet.
        "@context": ["https://w3id.org/ro/crate/1.1/context", { "sha256": "https://schema.org/sha256" }],
        "@graph": graph,
    });
    let text = serde_json::to_string_pretty(&metadata).map_err(|e| Error::storage("write", "the export", e.into()))?;
    writeln!(out, "{}", in_json(&text)).map_err(|e| Error::storage("write", "the export", e))?;
    Ok(by_day)
}

/// The archive's root, without what it consists of and refers to.
fn root_entity(dataset: &Dataset<'_>, totals: &CrateTotals, by_day: bool, date: NaiveDate) -> Value {
    let (first, end) = dataset.days().fold((NaiveDateTime::MAX, NaiveDateTime::MIN), |(first, end), chosen| {
        (first.min(chosen.day.window.start), end.max(chosen.day.window.end))
    });
    let coverage = [first, end].map(|at| labelled(dataset, at)).join("/");
    let mut ids: Vec<&str> = dataset.days().map(|chosen| chosen.series.id.0.as_str()).collect();
    ids.dedup();
    let (files, bytes, ids) = (totals.files, totals.bytes, ids.join(", "));
    let proof = if by_day {
        "Each day record names its files with size and SHA-256."
    } else {
        "Each has its size and SHA-256."
    };
    json!({
        "@id": "./",
        "@type": "Dataset",
        "name": dataset.job.name,
        "description": format!("{files} files, {bytes} bytes, of {ids}, fetched and checked by sunhaul. {proof}"),
        "datePublished": date,
        "license": { "@id": "#license" },
        "temporalCoverage": coverage,
    })
}

/// What makes the file the metadata of a crate.
fn descriptor() -> Value {
    json!({
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": { "@id": "./" },
        "conformsTo": { "@id": "https://w3id.org/ro/crate/1.1" },
    })
}

/// A manifest knows no license, and a wrong one would do harm.
fn license() -> Value {
    json!({
        "@id": "#license",
        "@type": "CreativeWork",
        "name": "Terms of the provider",
        "description": "No license is stated here. The data are their provider's, and its terms hold.",
    })
}

/// How much there is.
#[derive(Debug, Default)]
struct CrateTotals {
    files: u64,
    bytes: u64,
}

/// How many files the records name.
fn files(dataset: &Dataset<'_>) -> Result<u64, Error> {
    dataset.days().try_fold(0, |sum, chosen| {
        let header = Archive::header(dataset.root(), &chosen.series.id, chosen.day.date)?;
        Ok(sum + header.map_or(0, |header| header.files))
    })
}

fn data_files(dataset: &Dataset<'_>) -> Result<(Vec<Value>, CrateTotals), Error> {
    let (mut parts, mut told, mut once) = (Vec::new(), CrateTotals::default(), dataset.once());
    for read in dataset.read() {
        let read = read?;
        for (file, is) in present(&read.record).filter(|(file, _)| once.is_new(&file.path)) {
            told.files += 1;
            told.bytes += is.bytes;
            let mut part = json!({
                "@id": address_of(&file.path),
                "@type": "File",
                "name": file.path.rsplit('/').next(),
                "contentSize": is.bytes.to_string(),
                "sha256": is.sha256,
            });
            if let Some(format) = encoding_format(&file.path) {
                part["encodingFormat"] = format.into();
            }
            parts.push(part);
        }
    }
    Ok((parts, told))
}

fn day_records(dataset: &Dataset<'_>) -> Result<(Vec<Value>, CrateTotals), Error> {
    let (mut parts, mut told) = (Vec::new(), CrateTotals::default());
    for read in dataset.read() {
        let read = read?;
        let header = &read.record.header;
        told.files += header.files;
        told.bytes += header.bytes;
        parts.push(json!({
            "@id": address_of(&format!("{STATE}/days/{}/{}.jsonl", read.series.id, header.date)),
            "@type": "File",
            "name": format!("{} {}", read.series.id, header.date),
            "description": format!("The record of {} files, {} bytes.", header.files, header.bytes),
            "contentSize": read.bytes.len().to_string(),
            "sha256": Digest::sha256(&read.bytes),
            "encodingFormat": "application/x-ndjson",
        }));
    }
    Ok((parts, told))
}

/// What is told of manifests and locks, sources, programs and runs; each once.
#[derive(Debug, Default)]
struct About {
    papers: BTreeMap<String, Value>,
    others: BTreeMap<String, Value>,
}

impl About {
    /// Adds a manifest or a lock, and gives the reference to it.
    fn paper(&mut self, sha256: &Digest, name: &str, format: &str) -> Value {
        let id = format!("ni:///sha-256;{}", URL_SAFE_NO_PAD.encode(sha256.bytes()));
        let paper = json!({
            "@id": id, "@type": "File", "name": name, "encodingFormat": format, "sha256": sha256,
        });
        add(&mut self.papers, paper)
    }

    fn lock(&mut self, path: &Path) -> Result<Value, Error> {
        struct Hash(Hasher);
        impl Write for Hash {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut hash = Hash(Hasher::default());
        File::open(path)
            .and_then(|mut file| io::copy(&mut file, &mut hash))
            .map_err(|e| Error::storage("read", path, e))?;
        Ok(self.paper(&hash.0.finish(), &file_name(path), "application/x-ndjson"))
    }

    fn source(&mut self, source: &SourceSpec) -> Value {
        let source = match (address::base(source), source) {
            (Some(base), _) => json!({
                "@id": base.as_str(), "@type": "WebAPI", "name": format!("{} at {base}", source.kind()), "url": base.as_str(),
            }),
            (None, _) => json!({
                "@id": format!("#{}{}", source.kind(), utf8_percent_encode(&source.identity(), &UNSAFE)),
                "@type": "WebAPI",
                "name": format!("the service built into sunhaul: synthetic data, {}", source.identity()),
            }),
        };
        add(&mut self.others, source)
    }

    fn run(&mut self, run: &CrateRun) -> Value {
        let instrument = add(
            &mut self.others,
            json!({
                "@id": format!("#sunhaul-{}", utf8_percent_encode(&run.version, &UNSAFE)),
                "@type": "SoftwareApplication",
                "name": "sunhaul",
                "softwareVersion": run.version,
                "url": "https://github.com/sunhaul/sunhaul",
            }),
        );
        let mut object = vec![self.paper(&run.manifest_sha256, &run.manifest, "application/yaml")];
        object.extend(run.lock_sha256.map(|sha256| {
            let name = crate::lock::path_of(Path::new(&run.manifest));
            self.paper(&sha256, &name.to_string_lossy(), "application/x-ndjson")
        }));
        let status = if run.result == "complete" { "CompletedActionStatus" } else { "FailedActionStatus" };
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut action = json!({
            "@id": format!("#run-{}", utf8_percent_encode(&run.id, &UNSAFE)),
            "@type": "CreateAction",
            "name": format!("sunhaul run {}", run.id),
            "description": format!("The run ended as {}.", run.result),
            "actionStatus": { "@id": format!("http://schema.org/{status}") },
            "startTime": instant(run.started),
            "instrument": instrument,
            "object": one_or_many(object),
            "result": { "@id": "./" },
        });
        if let Some(finished) = run.finished {
            action["endTime"] = instant(finished).into();
        }
        add(&mut self.others, action)
    }
}

/// Adds an entity that is not there yet, and gives the reference to it.
fn add(to: &mut BTreeMap<String, Value>, entity: Value) -> Value {
    let reference = reference(&entity);
    to.entry(entity["@id"].as_str().unwrap_or_default().to_owned()).or_insert(entity);
    reference
}

fn reference(entity: &Value) -> Value {
    json!({ "@id": entity["@id"] })
}

/// Without repeats, in order; a single one stands alone, as RO-Crate wants it.
fn one_or_many(references: Vec<Value>) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for reference in references {
        if !kept.contains(&reference) {
            kept.push(reference);
        }
    }
    if kept.len() == 1 { kept.swap_remove(0) } else { kept.into() }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// An instant of the data, in ISO 8601: a label of another scale than UTC says no zone.
fn labelled(dataset: &Dataset<'_>, at: NaiveDateTime) -> String {
    let is_utc = dataset.days().all(|chosen| chosen.series.source.scale() == Scale::Utc);
    format!("{}{}", at.format("%FT%T%.f"), if is_utc { "Z" } else { "" })
}

/// What cannot stand in a relative URI as it is.
const UNSAFE: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

fn address_of(path: &str) -> String {
    utf8_percent_encode(path, &UNSAFE).to_string()
}

/// The media type of a file by its name's ending.
fn encoding_format(path: &str) -> Option<&'static str> {
    let extension = path.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match extension.as_str() {
        "fits" | "fts" | "fit" => "application/fits",
        "jp2" => "image/jp2",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{DayRecord, FileLine, RecordBasis, RecordState};
    use crate::day::Day;
    use crate::manifest::Series;
    use crate::plan::{Counts, DayStanding, Done, EqualDays, Plan, PlannedSeries};

    fn file(number: u64) -> FileLine {
        FileLine {
            preexisting: false,
            series: "sharp_720s".into(),
            path: format!("{number}.fits"),
            bytes: Some(1),
            sha256: Some(Digest::sha256(&number.to_be_bytes())),
            time: String::new(),
            key: number.to_string(),
            url: String::new(),
            source_series: None,
            recnum: None,
            harpnum: None,
            segment: None,
            checked: None,
            absent: None,
            reason: None,
            header: None,
            data: None,
            listed: None,
            etag: None,
            last_modified: None,
            redirected: None,
            instant: None,
            origin: None,
            cards: None,
            storage: None,
        }
    }

    fn basis(series: &Series, day: &Day) -> RecordBasis {
        RecordBasis {
            job: "december".into(),
            series: "sharp_720s".into(),
            date: day.date,
            scale: Scale::Utc,
            window: [String::new(), String::new()],
            spec: series.spec(day),
            state: RecordState::Sealed,
            records: None,
            left_out: None,
        }
    }

    fn sealed_plan(series: &Series, day: &Day) -> Plan {
        let done = Done { job: "december".into(), elsewhere: false, lacks_files: false };
        Plan {
            job: "december".into(),
            series: vec![PlannedSeries {
                series: 0,
                id: series.id.clone(),
                source: "embedded",
                scale: Scale::Utc,
                range: day.window,
                regions: Vec::new(),
                counts: Counts { done: 1, ..Counts::default() },
                days: vec![EqualDays { window: day.window, standing: DayStanding::Done(done), spec: None }],
                kept: 0,
            }],
            unpinned: Vec::new(),
        }
    }

    #[test]
    fn with_very_many_files_the_crate_names_the_day_records() {
        let folder = tempfile::tempdir().unwrap();
        let text = "version: 1\nname: december\nsource: { embedded: {} }\n\
                    range: { start: 2015-12-11, end: 2015-12-12 }\nseries: [{ name: sharp_720s }]\n\
                    archive: { root: data }\n";
        let path = folder.path().join("job.yaml");
        let job = crate::manifest::parse(&path, text.as_bytes(), &|_| None).unwrap();
        let series = &job.series[0];
        let day = Day::whole("2015-12-11".parse().unwrap());
        let plan = sealed_plan(series, &day);
        let record = Archive::record_path(&job.archive.root, &series.id, day.date);
        std::fs::create_dir_all(record.parent().unwrap()).unwrap();
        for (files, by_day) in [(MOST, false), (MOST + 1, true)] {
            let bytes = DayRecord::new(basis(series, &day), (0..files).map(file).collect()).to_bytes();
            std::fs::write(&record, &bytes).unwrap();
            let dataset = Dataset::of(&job, &plan);
            let mut out = Vec::new();
            let origin = CrateOrigin { runs: &[], lock: None, date: day.date };
            assert_eq!(write(&dataset, origin, &mut out).unwrap(), by_day);
            let metadata: Value = serde_json::from_slice(&out).unwrap();
            let graph = metadata["@graph"].as_array().unwrap();
            let of_record = graph.iter().find(|entity| entity["@id"] == ".sunhaul/days/sharp_720s/2015-12-11.jsonl");
            assert_eq!(
                of_record.map(|entity| entity["sha256"] == Digest::sha256(&bytes).to_string()),
                by_day.then_some(true)
            );
            assert_eq!(graph.len() > 10_000, !by_day);
        }
    }

    #[test]
    fn a_path_is_an_address_and_a_hash_is_a_name() {
        assert_eq!(address_of("a b/é%.fits"), "a%20b/%C3%A9%25.fits");
        let mut about = About::default();
        let reference = about.paper(&Digest::sha256(b"Hello World!"), "x.yaml", "application/yaml");
        // The example of RFC 6920.
        assert_eq!(reference["@id"], "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk");
    }
}
