//! What `verify` found, in figures, in words and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::repair::Repair;
use crate::archive::{AuditFault, AuditFinding, DayRecord, ExpectedFile, FoundInPlace, Stray};
use crate::cli::{Exit, Result, removed_series};
use crate::digest::Digest;
use crate::lock::DayChange;
use crate::manifest::{Manifest, SeriesId};
use crate::plan::Plan;
use crate::report::human;
use crate::untrusted::escape;

/// All that is told.
#[derive(Debug, Serialize)]
pub(super) struct VerifyResult {
    job: String,
    archive: String,
    /// Sizes were compared, and not everything was hashed.
    quick: bool,
    days: DayCounts,
    files: FileCounts,
    findings: Vec<FindingLine>,
    /// Days of series that the manifest no longer has, by series.
    forgotten: BTreeMap<String, u64>,
    #[serde(skip)]
    manifest: PathBuf,
    /// Extra files and such days are wrong.
    strict: bool,
    /// What was done about it, where that was asked for and something was to do.
    pub(super) repair: Option<Repair>,
}

/// Days, by what was done with them.
#[derive(Debug, Serialize)]
struct DayCounts {
    /// Their files were held against their records.
    checked: u64,
    /// Their record cannot be read.
    damaged: u64,
    /// Without a record.
    not_fetched: u64,
    /// The lock has them, and a run or an update left them without a record.
    unfinished: u64,
    /// Of another job, which asks for something else: not looked at.
    refused: u64,
    /// Their record names other files than the lock.
    differ: u64,
}

/// Files, by what they are.
#[derive(Debug, Default, Serialize)]
struct FileCounts {
    /// Named by a record that was read.
    checked: u64,
    /// Their bytes by the records.
    bytes: u64,
    missing: u64,
    changed: u64,
    unreadable: u64,
    /// Named by no record; null where they were not looked for, or a damaged record hides what it names.
    extra: Option<u64>,
    /// Named by no record, and left by a system.
    system: u64,
}

/// One thing that is not right.
#[derive(Debug, Serialize)]
struct FindingLine {
    what: What,
    series: Option<String>,
    date: Option<chrono::NaiveDate>,
    path: String,
    expected: Option<Figures>,
    found: Option<Figures>,
    /// It was there before sunhaul.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    preexisting: bool,
    /// Why it could not be read.
    why: Option<String>,
}

/// What is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Missing,
    Changed,
    Extra,
    Damaged,
    Unreadable,
    Differs,
    Unfinished,
}

/// A file in figures, as far as they are known.
#[derive(Debug, Default, Serialize)]
struct Figures {
    bytes: Option<u64>,
    sha256: Option<String>,
    /// What it is when it is no plain file.
    kind: Option<&'static str>,
}

impl VerifyResult {
    /// Of nothing yet.
    pub(super) fn new(job: &Manifest, plan: &Plan, quick: bool, strict: bool) -> VerifyResult {
        let counts = plan.counts();
        VerifyResult {
            job: job.name.clone(),
            archive: job.archive.root.to_string_lossy().into_owned(),
            quick,
            days: DayCounts {
                checked: 0,
                damaged: 0,
                not_fetched: counts.new + counts.started,
                unfinished: 0,
                refused: counts.refused,
                differ: 0,
            },
            files: FileCounts::default(),
            findings: Vec::new(),
            forgotten: BTreeMap::new(),
            manifest: job.path.clone(),
            strict,
            repair: None,
        }
    }

    /// Takes in a record whose files are looked at.
    pub(super) fn count(&mut self, record: &DayRecord) {
        self.days.checked += 1;
        self.files.checked += record.header.files;
        self.files.bytes += record.header.bytes;
    }

    /// Takes in what is not as the records say.
    pub(super) fn add_findings(&mut self, findings: &[AuditFinding]) {
        for finding in findings {
            let (what, expected, found, why) = match &finding.fault {
                AuditFault::Missing(expected) => (What::Missing, Some(expected), None, None),
                AuditFault::Changed(expected, found) => (What::Changed, Some(expected), Some(of_found(*found)), None),
                AuditFault::Unreadable(why) => (What::Unreadable, None, None, Some(why.clone())),
                AuditFault::Damaged(why) => (What::Damaged, None, None, Some(why.clone())),
            };
            match what {
                What::Missing => self.files.missing += 1,
                What::Changed => self.files.changed += 1,
                What::Unreadable => self.files.unreadable += 1,
                What::Damaged => self.days.damaged += 1,
                What::Extra | What::Differs | What::Unfinished => {}
            }
            self.findings.push(FindingLine {
                what,
                series: Some(finding.series.0.clone()),
                date: Some(finding.date),
                path: finding.path.clone(),
                preexisting: expected.is_some_and(|expected| expected.preexisting),
                expected: expected.map(of_expected),
                found,
                why,
            });
        }
    }

    /// Takes in what a day's record says otherwise than the lock.
    pub(super) fn tell_differing(&mut self, change: &DayChange) {
        self.days.differ += 1;
        let date = Some(change.date);
        let told = |path: &str, locked: Option<Digest>, recorded: Option<Digest>| {
            let of = |sha256: Option<Digest>| Figures { sha256: sha256.map(|d| d.to_string()), ..Figures::default() };
            FindingLine {
                what: What::Differs,
                series: Some(change.series.clone()),
                date,
                path: path.to_owned(),
                expected: Some(of(locked)),
                found: Some(of(recorded)),
                preexisting: false,
                why: None,
            }
        };
        self.findings.extend(change.removed.iter().map(|file| told(&file.path, file.sha256, None)));
        self.findings.extend(change.added.iter().map(|file| told(&file.path, None, file.sha256)));
        self.findings.extend(change.changed.iter().map(|file| told(&file.path, file.old, file.new)));
        if let Some([locked, recorded]) = &change.digest {
            let why = Some(format!("the lock says {}, the record {}", escape(locked), escape(recorded)));
            self.findings.push(FindingLine { why, ..told("the whole day", None, None) });
        }
    }

    /// Takes in a day of the lock that was begun and has no record.
    pub(super) fn add_unfinished(&mut self, series: &SeriesId, date: chrono::NaiveDate) {
        self.days.not_fetched -= 1;
        self.days.unfinished += 1;
        self.findings.push(FindingLine {
            what: What::Unfinished,
            series: Some(series.0.clone()),
            date: Some(date),
            path: String::new(),
            expected: None,
            found: None,
            preexisting: false,
            why: None,
        });
    }

    /// Takes in the files that no record names.
    pub(super) fn tell_extra(&mut self, strays: Option<Vec<Stray>>) {
        let is_known = strays.is_some();
        let (system, strays): (Vec<Stray>, Vec<Stray>) =
            strays.unwrap_or_default().into_iter().partition(|stray| is_left_by_a_system(&stray.path));
        self.files.extra = is_known.then_some(strays.len() as u64);
        self.files.system = system.len() as u64;
        self.findings.extend(strays.into_iter().map(|stray| FindingLine {
            what: What::Extra,
            series: None,
            date: None,
            path: stray.path,
            expected: None,
            found: Some(Figures { bytes: stray.bytes, ..Figures::default() }),
            preexisting: false,
            why: None,
        }));
    }

    /// Takes in the days of series that the manifest no longer has.
    pub(super) fn tell_forgotten(&mut self, days: BTreeMap<SeriesId, u64>) {
        self.forgotten = days.into_iter().map(|(series, days)| (series.0, days)).collect();
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        let left = |what: What| self.findings.iter().any(|told| told.what == what);
        let wrong = |is_wrong: bool, exit: Exit| if is_wrong { exit } else { Exit::Complete };
        let mendable = [What::Missing, What::Changed, What::Damaged, What::Differs];
        let unmended = || wrong(mendable.into_iter().any(left), Exit::Incomplete);
        let mended = self.repair.as_ref().map_or_else(unmended, |repair| repair.exit);
        let is_beside = self.strict && (left(What::Extra) || !self.forgotten.is_empty());
        let is_lacking = is_beside || self.days.unfinished > 0;
        mended.max(wrong(is_lacking, Exit::Incomplete)).max(wrong(left(What::Unreadable), Exit::Storage))
    }

    /// As JSON, with the exit code.
    pub(super) fn to_json(&self) -> Result<serde_json::Value> {
        let mut json = serde_json::to_value(self)?;
        if let Some(object) = json.as_object_mut() {
            object.insert("exit_code".to_owned(), self.exit().code().into());
        }
        Ok(json)
    }

    /// A line for each thing that is not right, and the sum.
    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        for told in &self.findings {
            out.push_str(&told.line());
            out.push('\n');
        }
        let FileCounts { checked, bytes, missing, changed, unreadable, extra, system } = &self.files;
        let counts = [
            (*missing, "missing"),
            (*changed, "changed"),
            (*unreadable, "unreadable"),
            (self.days.differ, if self.days.differ == 1 { "day not as locked" } else { "days not as locked" }),
            (self.days.unfinished, if self.days.unfinished == 1 { "unfinished day" } else { "unfinished days" }),
            (self.days.damaged, if self.days.damaged == 1 { "damaged record" } else { "damaged records" }),
        ];
        let wrong: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", human::number(*count)))
            .collect();
        let looked = if self.quick { "compared by size and time" } else { "hashed" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{}: {} of {}, {} {looked}: {}",
            escape(&self.job),
            human::count(*checked, "file"),
            human::count(self.days.checked, "day"),
            human::bytes(*bytes),
            match (wrong.is_empty(), self.days.checked) {
                (true, 0) => "nothing to check".to_owned(),
                (true, _) => "no problems found".to_owned(),
                (false, _) => wrong.join(", "),
            }
        );
        let extra = extra.unwrap_or_default();
        for (count, why) in [(extra, "that no record names"), (*system, "left by a system, such as `.DS_Store`")] {
            if count > 0 {
                let _ = writeln!(out, "  {} {why}", human::count(count, "file"));
            }
        }
        for (series, days) in &self.forgotten {
            let _ = writeln!(out, "  {}", removed_series::line(&self.manifest, series, *days));
        }
        for (count, why) in [(self.days.not_fetched, "not fetched yet"), (self.days.refused, "of another job")] {
            if count > 0 {
                let _ = writeln!(out, "  {} {why}, and not looked at", human::count(count, "day"));
            }
        }
        out
    }

    /// What was done about it.
    pub(super) fn render_repair(&self) -> String {
        let Some(repair) = &self.repair else { return String::new() };
        let Repair { retired, fetched, days, report, exit } = repair;
        let end = if *exit == Exit::Complete { "repaired" } else { "not repaired yet" };
        let mut out = String::new();
        for path in retired {
            let _ = writeln!(out, "retired    {}", escape(path));
        }
        let _ = writeln!(
            out,
            "{}: {} retired, {} fetched, {}: {end}\n  report: {}",
            escape(&self.job),
            human::count(retired.len() as u64, "file"),
            human::number(*fetched),
            human::count(*days, "day"),
            escape(report)
        );
        out
    }

    /// What to do about it.
    pub(super) fn hints(&self) -> Vec<&'static str> {
        let FileCounts { missing, changed, unreadable, extra, .. } = &self.files;
        let mut hints = Vec::new();
        let is_preexisting = |told: &&FindingLine| told.what == What::Changed && told.preexisting;
        let preexisting = self.findings.iter().filter(is_preexisting).count() as u64;
        if preexisting > 0 {
            hints.push("a file that was there before sunhaul is never moved: move it away yourself, then run this with `--repair`");
        }
        let mendable = missing + changed - preexisting + self.days.damaged + self.days.differ;
        if self.repair.is_none() && mendable > 0 {
            hints.push("`--repair` moves changed files to `.sunhaul/work/retired` and fetches what is not there");
        }
        if self.days.unfinished > 0 {
            hints.push("`sunhaul run` finishes days as the lock has them");
        }
        if self.days.damaged > 0 && extra.is_none() {
            hints.push("extra files are not looked for where a damaged record hides what it names");
        }
        if extra.unwrap_or_default() > 0 {
            hints.push("extra files are left as they are; move them away if they do not belong here");
        }
        if *unreadable > 0 {
            hints.push(
                "files that cannot be read are left alone; check their owner and mode, and the kernel's messages about the disk",
            );
        }
        hints
    }
}

impl FindingLine {
    /// `changed    PATH: expected 576000 bytes, found 575999`
    fn line(&self) -> String {
        let path = escape(&self.path);
        let day = || match (&self.series, self.date) {
            (Some(series), Some(date)) => format!("{} {date}", escape(series)),
            _ => String::new(),
        };
        let bytes = |of: &Option<Figures>| of.as_ref().and_then(|of| of.bytes).unwrap_or_default();
        match self.what {
            What::Missing => format!("missing    {path}: {} of {}", human::bytes(bytes(&self.expected)), day()),
            What::Changed => {
                let of = |of: &Option<Figures>, other: &Option<Figures>| {
                    let (Some(of), Some(other)) = (of, other) else { return String::new() };
                    match (of.kind, &of.sha256, other.sha256.is_some()) {
                        (Some(kind), ..) => kind.to_owned(),
                        (None, Some(sha256), true) => format!("sha256 {sha256}"),
                        _ if other.kind.is_some() => format!("a file of {} bytes", of.bytes.unwrap_or_default()),
                        _ => format!("{} bytes", of.bytes.unwrap_or_default()),
                    }
                };
                let (expected, found) = (of(&self.expected, &self.found), of(&self.found, &self.expected));
                let whose = if self.preexisting { "; it was there before sunhaul" } else { "" };
                format!("changed    {path}: expected {expected}, found {found}{whose}")
            }
            What::Extra => format!("extra      {path}: no record names it"),
            What::Unfinished => format!("unfinished {}: the lock has it, and it has no record", day()),
            What::Differs => {
                let of = |of: &Option<Figures>| {
                    let sha256 = of.as_ref().and_then(|of| of.sha256.as_deref());
                    sha256.map_or_else(|| "no file".to_owned(), |sha256| format!("sha256 {sha256}"))
                };
                if let Some(why) = &self.why {
                    return format!("differs    {path} {}: {why}", day());
                }
                let (locked, recorded) = (of(&self.expected), of(&self.found));
                format!("differs    {path}: the lock says {locked}, the record of {} {recorded}", day())
            }
            What::Damaged => format!("damaged    {path}: {}", self.why.as_deref().unwrap_or_default()),
            What::Unreadable => format!("unreadable {path}: {}", self.why.as_deref().unwrap_or_default()),
        }
    }
}

/// True for what file managers and network filesystems leave in folders.
fn is_left_by_a_system(path: &str) -> bool {
    const NAMES: [&str; 5] = [".DS_Store", "Thumbs.db", "desktop.ini", ".directory", ".localized"];
    const FOLDERS: [&str; 5] = ["@eaDir", "lost+found", ".snapshot", ".Trash-0", ".Spotlight-V100"];
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    NAMES.contains(&name)
        || name.starts_with("._")
        || name.starts_with(".nfs")
        || name.starts_with(".fuse_hidden")
        || folder.split('/').any(|folder| FOLDERS.iter().any(|known| folder.starts_with(known)))
}

fn of_expected(expected: &ExpectedFile) -> Figures {
    Figures { bytes: Some(expected.bytes), sha256: Some(expected.sha256.to_string()), kind: None }
}

fn of_found(found: FoundInPlace) -> Figures {
    match found {
        FoundInPlace::Length(bytes) => Figures { bytes: Some(bytes), ..Figures::default() },
        FoundInPlace::Bytes(sha256) => Figures { sha256: Some(sha256.to_string()), ..Figures::default() },
        FoundInPlace::Other(kind) => Figures { kind: Some(kind), ..Figures::default() },
    }
}
