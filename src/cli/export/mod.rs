//! `sunhaul export`: proof and catalogue that need no sunhaul.
//!
//! It reads day records, for a bag and for keywords also the files. It makes no requests.

mod place;
mod provenance;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::clock::now;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::options::ArchiveArg;
use super::problem::CliError;
use super::selection::SelectionArgs;
use super::{Exit, Result, Shell, load_manifest, plan_job};
use crate::day::Window;
use crate::export::bagit::{self, Payload};
use crate::export::csv::{Catalogued, Unstated};
use crate::export::{Dataset, Error, csv, keyword_table, ro_crate, sha256sums};
use crate::fits::KeywordName;
use crate::manifest::{SeriesId, SourceSpec};
use crate::plan::{DayStanding, EqualDays, Plan, ToDoReason};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::untrusted::escape;
use place::ExportTarget;

/// How many missing days are named.
const SHOWN: usize = 5;

/// Export checksums and a catalogue that can be used without sunhaul.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Export checksums and a catalogue that can be used without sunhaul.\n\n\
        It exports what the day records of the job say, sealed and provisional, and makes no requests.\n\n  \
        sha256sums  what `sha256sum -c` reads in the archive's root\n  \
        bagit       a BagIt 1.0 bag: files as hard links, their hashes, manifest, lock and day records\n  \
        ro-crate    RO-Crate 1.1 metadata of the archive: save it there as `ro-crate-metadata.json`\n  \
        csv         a table of all files, with keywords of their FITS headers if requested; or, with \
        --keywords-table, one of all records, with the keywords that their service gave\n\n\
        A day without a record that matches the manifest is left out and reported; the exit code is then 1, and the rest \
        is written. Days that have not begun are not counted. If a record is damaged or the output exists already, \
        nothing is written.\n\n\
        In the table a number stays a number. A text that a spreadsheet would take for a formula has a `'` before it, \
        a path `./`. Paths are relative to the archive's root. Lines end in LF. The files of a bag are those of the archive: \
        use --copy to change one and not the other.",
    after_help = "Examples:\n  \
        sunhaul export jobs/december.yaml --format sha256sums | (cd data && sha256sum -c --quiet)\n  \
        sunhaul export jobs/december.yaml --format bagit --output december-bag\n  \
        sunhaul export jobs/december.yaml --format ro-crate --output data/ro-crate-metadata.json\n  \
        sunhaul export jobs/december.yaml --format csv --by HARPNUM --output regions\n  \
        sunhaul export jobs/flare-features-jsoc.yaml --format csv --keywords-table --output keywords.csv"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// What to write.
    #[arg(long, value_name = "FORMAT")]
    format: ExportFormat,
    /// Where to write it: a file or, for a bag and with --by, a folder; neither may exist yet. Without it, and with `-`,
    /// standard output.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// csv: add a column for each of these FITS keywords, separated by commas, with the first value in any header of
    /// the file.
    #[arg(long, value_name = "KEYWORDS", value_delimiter = ',')]
    keywords: Vec<KeywordName>,
    /// csv: one table for each value of this keyword, and one for the files without a value.
    #[arg(long, value_name = "KEYWORD")]
    by: Option<KeywordName>,
    /// csv: the tables of keywords of all days as one, with a row a record, `series` before the columns of the days. Beside an
    /// --output, `-metadata.json` behind its name (CSV on the Web) says what type and unit each column has.
    #[arg(long, conflicts_with_all = ["keywords", "by"])]
    keywords_table: bool,
    /// With --keywords-table: how missing numbers are written, such as NaN. Default: an empty cell.
    #[arg(long, value_name = "TEXT", requires = "keywords_table", default_value = "", hide_default_value = true)]
    missing: String,
    /// bagit: copy the files. Links need no space, but must stay on one filesystem.
    #[arg(long, conflicts_with = "no_data")]
    copy: bool,
    /// bagit: do not put files into the bag; its `fetch.txt` lists them.
    #[arg(long)]
    no_data: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    archive: ArchiveArg,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Lines of `sha256sum`.
    Sha256sums,
    /// A bag.
    Bagit,
    /// Metadata of a crate.
    RoCrate,
    /// A table.
    Csv,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    fits_together(args)?;
    let archive = args.archive.archive.as_deref();
    let Some(job) = load_manifest::load(&args.job, Secrets::NotNeeded, archive, shell) else { return Ok(Exit::Usage) };
    let place = ExportTarget::new(args.output.as_deref(), &job.archive.root)?;
    let plan = plan_job::plan(&job, &args.selection, &Locking::looked_at(&job)?, now())?;
    let damaged = plan.days_that(|standing| matches!(standing, DayStanding::ToDo(ToDoReason::Damaged(_)))).next();
    if let Some(DayStanding::ToDo(ToDoReason::Damaged(why))) = damaged.map(|day| day.standing) {
        return Err(CliError::new(Exit::Incomplete, why).hint("nothing was written").into());
    }
    let dataset = Dataset::of(&job, &plan);
    let missing = NotExported::of(&plan);
    if dataset.day_count() == 0 {
        let message = format!("no day of `{}` has a record that answers the manifest", job.name);
        return Err(CliError::new(Exit::Incomplete, message).hint(missing.hint(args)).into());
    }
    let told = write(args, &dataset, place).map_err(explained)?;
    for note in told.notes {
        shell.screen.line(&note);
    }
    if let Some(done) = told.done.filter(|_| shell.verbosity > Verbosity::Quiet) {
        shell.screen.line(&done);
    }
    let provisional = plan.counts().provisional;
    if provisional > 0 && shell.verbosity > Verbosity::Quiet {
        shell.screen.line(&format!("{} of it may still change: provisional", human::count(provisional, "day")));
    }
    if missing.days == 0 {
        return Ok(told.exit);
    }
    shell.screen.line(&missing.line(dataset.day_count()));
    shell.screen.line(&format!("{} {}", shell.screen.paint.strong("hint:"), missing.hint(args)));
    Ok(Exit::Incomplete)
}

/// Which options go with which format.
fn fits_together(args: &Args) -> Result<()> {
    let wrong = |message: &str, hint: &str| Err(CliError::new(Exit::Usage, message).hint(hint).into());
    let is_stdout = args.output.as_deref().is_none_or(|path| path == Path::new("-"));
    if args.format != ExportFormat::Csv && (!args.keywords.is_empty() || args.by.is_some() || args.keywords_table) {
        return wrong(
            "`--keywords`, `--keywords-table` and `--by` say what a table has",
            "use them with `--format csv`",
        );
    }
    if args.format != ExportFormat::Bagit && (args.copy || args.no_data) {
        return wrong("`--copy` and `--no-data` say how files come into a bag", "use them with `--format bagit`");
    }
    if args.format == ExportFormat::Bagit && is_stdout {
        return wrong("a bag is a folder", "name a new one with `--output DIR`");
    }
    if args.by.is_some() && is_stdout {
        return wrong("`--by` writes many tables", "name a new folder for them with `--output DIR`");
    }
    Ok(())
}

/// The result of an export.
#[derive(Debug, Default)]
struct ExportResult {
    /// Lines that a user must see.
    notes: Vec<String>,
    /// What was written.
    done: Option<String>,
    exit: Exit,
}

impl ExportResult {
    /// This was written, and there is nothing to know about it.
    fn of(what: String) -> ExportResult {
        ExportResult { done: Some(what), ..ExportResult::default() }
    }
}

fn write(args: &Args, dataset: &Dataset<'_>, place: ExportTarget) -> Result<ExportResult> {
    let lock = Some(crate::lock::path_of(&dataset.job.path)).filter(|path| path.is_file());
    let shown = args.output.as_ref().filter(|path| **path != Path::new("-")).map(|path| path.to_string_lossy());
    let written = match args.format {
        ExportFormat::Sha256sums => {
            place.file(|out| sha256sums::write(dataset, out))?;
            ExportResult::of(days(dataset))
        }
        ExportFormat::Bagit => write_bag(args, dataset, lock.as_deref(), place)?,
        ExportFormat::RoCrate => write_crate(dataset, lock.as_deref(), place)?,
        ExportFormat::Csv if args.keywords_table => {
            let name = shown.as_ref().map_or("", |shown| shown.rsplit('/').next().unwrap_or_default());
            write_keyword_table(args, dataset, name, place)?
        }
        ExportFormat::Csv => write_catalogue(args, dataset, place)?,
    };
    let done = shown.zip(written.done).map(|(path, what)| format!("{}: {what}", escape(&path)));
    Ok(ExportResult { done, ..written })
}

fn days(dataset: &Dataset<'_>) -> String {
    human::count(dataset.day_count(), "day")
}

fn write_bag(args: &Args, dataset: &Dataset<'_>, lock: Option<&Path>, place: ExportTarget) -> Result<ExportResult> {
    let payload = match (args.copy, args.no_data) {
        (_, true) => Payload::Named,
        (true, _) => Payload::Copied,
        _ => Payload::Linked,
    };
    let order = bagit::BagOrder { payload, lock, date: now().date_naive() };
    let bagged = place.folder(|folder| bagit::write(dataset, order, folder))?;
    let (files, bytes) = (human::count(bagged.files, "file"), human::bytes(bagged.bytes));
    let mut result = ExportResult::of(format!("{files}, {bytes} of {}", days(dataset)));
    if bagged.to_fetch > 0 {
        let is_only_here = dataset.job.series.iter().any(|series| is_loopback(&series.source));
        let only_here = if is_only_here { ", at an address that only this machine reaches" } else { "" };
        let count = human::count(bagged.to_fetch, "file");
        result.notes.push(format!("{count} of the bag to be fetched as `fetch.txt` says{only_here}"));
    }
    Ok(result)
}

fn write_crate(dataset: &Dataset<'_>, lock: Option<&Path>, place: ExportTarget) -> Result<ExportResult> {
    let runs = provenance::runs(dataset);
    let origin = ro_crate::CrateOrigin { runs: &runs, lock, date: now().date_naive() };
    let by_day = place.file(|out| ro_crate::write(dataset, origin, out))?;
    let note = by_day.then(|| "so many files: the crate names the day records, which name them".to_owned());
    Ok(ExportResult { notes: note.into_iter().collect(), ..ExportResult::of(days(dataset)) })
}

/// Writes the table of records; `name` is its file's.
fn write_keyword_table(args: &Args, dataset: &Dataset<'_>, name: &str, place: ExportTarget) -> Result<ExportResult> {
    let columns = keyword_table::TableColumns::from_dataset(dataset, &args.missing)?;
    let metadata = place.beside("-metadata.json", &dataset.job.archive.root)?;
    let written = place.file(|out| columns.write(dataset, out))?;
    if let Some(place) = metadata {
        place.file(|out| columns.write_metadata(name, out))?;
    }
    let (records, days) = (human::count(written.rows, "record"), human::count(written.days, "day"));
    Ok(ExportResult::of(format!("{records} of {days}")))
}

/// Writes the table of files, or one for each value of a keyword.
fn write_catalogue(args: &Args, dataset: &Dataset<'_>, place: ExportTarget) -> Result<ExportResult> {
    let mut keywords: Vec<KeywordName> = Vec::new();
    for keyword in args.by.iter().chain(&args.keywords) {
        if !keywords.contains(keyword) {
            keywords.push(*keyword);
        }
    }
    let catalogued = match args.by {
        Some(by) => place.folder(|folder| csv::write_by(dataset, &keywords, by, folder))?,
        None => place.file(|out| csv::write(dataset, &keywords, out))?,
    };
    let tables = match catalogued.tables {
        0 => String::new(),
        tables => format!(" in {}", human::count(tables, "table")),
    };
    let done = Some(format!("{} of {}{tables}", human::count(catalogued.files, "file"), days(dataset)));
    let mut result = ExportResult { done, ..unread(&catalogued) };
    result.notes.extend(unstated(&catalogued));
    Ok(result)
}

/// Files whose keywords could not be read.
fn unread(catalogued: &Catalogued) -> ExportResult {
    let Some(first) = &catalogued.first_unread else { return ExportResult::default() };
    let count = human::count(catalogued.unread, "file");
    let note = format!("{count} without keywords, since the headers could not be read, such as {first}");
    ExportResult { notes: vec![note], done: None, exit: Exit::Incomplete }
}

/// Keywords whose columns are empty.
fn unstated(catalogued: &Catalogued) -> Option<String> {
    let names: Vec<String> = catalogued.unstated.iter().map(|unstated| format!("`{}`", unstated.keyword)).collect();
    let (column, is) = if names.len() == 1 { ("its column", "is") } else { ("their columns", "are") };
    let is_empty = names.is_empty() || catalogued.files == 0;
    let meant = meant(&catalogued.unstated).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    (!is_empty).then(|| format!("no file states {}: {column} {is} empty{meant}", names.join(", ")))
}

/// The keywords that were most likely meant.
fn meant(unstated: &[Unstated]) -> Option<String> {
    let near = |unstated: &Unstated| Some((unstated.keyword, escape(unstated.nearest.as_deref()?).into_owned()));
    let near: Vec<String> = match unstated {
        [one] => near(one).map(|(_, meant)| format!("`{meant}`")).into_iter().collect(),
        all => all.iter().filter_map(near).map(|(keyword, meant)| format!("`{meant}` for `{keyword}`")).collect(),
    };
    (!near.is_empty()).then(|| near.join(", "))
}

fn is_loopback(source: &SourceSpec) -> bool {
    let Some(reach) = source.reach() else { return false };
    match reach.first().host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Days that the job asks for and that are in no export.
#[derive(Debug, Default)]
struct NotExported {
    /// How many.
    days: u64,
    /// The first ones, each with the reason, safe to show.
    named: Vec<String>,
    /// One of them at least is for a run to do.
    can_be_done: bool,
}

impl NotExported {
    fn of(plan: &Plan) -> NotExported {
        let now = now().naive_utc();
        let mut missing = NotExported::default();
        for series in &plan.series {
            let reached = now + series.scale.ahead_of_utc();
            for EqualDays { window, standing, .. } in &series.days {
                if let DayStanding::ToDo(reason) = standing
                    && *reason != ToDoReason::Provisional
                {
                    // Days that have not begun yet are not missing.
                    let begun = Window { end: window.end.min(reached), ..*window };
                    missing.add(&series.id, begun, reason.state());
                }
            }
        }
        missing.can_be_done = missing.days > 0;
        for series in &plan.series {
            let refused = series.days.iter().filter(|days| matches!(days.standing, DayStanding::Refused { .. }));
            refused.for_each(|days| missing.add(&series.id, days.window, "refused"));
        }
        missing
    }

    fn add(&mut self, series: &SeriesId, window: Window, why: &str) {
        self.days += window.day_count();
        let named = window.days().take(SHOWN.saturating_sub(self.named.len()));
        self.named.extend(named.map(|day| format!("{} {} ({why})", escape(&series.0), day.date)));
    }

    fn line(&self, there: u64) -> String {
        let more = self.days.saturating_sub(self.named.len() as u64);
        let more = if more > 0 { format!(" and {} more", human::number(more)) } else { String::new() };
        let (missing, all) = (human::number(self.days), human::count(self.days + there, "day"));
        format!("incomplete: {missing} of {all} not in it: {}{more}", self.named.join(", "))
    }

    fn hint(&self, args: &Args) -> String {
        let job = args.job.to_string_lossy();
        let command = if self.can_be_done { "run" } else { "plan" };
        let what = if self.can_be_done { "does the days that are missing" } else { "says why" };
        format!("`sunhaul {command} {}` {what}", escape(&job))
    }
}

/// Gives an error of the export its exit code and what to do.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let error = match error.downcast::<Error>() {
        Ok(Error::Archive(error)) => return error.into(),
        Ok(error) => error,
        Err(other) => return other,
    };
    let (exit, hint) = match &error {
        Error::Archive(_) => return error.into(),
        Error::Differs { .. } => {
            (Exit::Incomplete, "`sunhaul verify JOB` reports everything that differs; nothing was written")
        }
        Error::NoLink { .. } => {
            (Exit::Storage, "`--copy` copies the files; or name an output on the archive's own filesystem")
        }
        Error::NoAddress { .. } => (Exit::Incomplete, "`sunhaul run JOB --check` fetches what is missing"),
        Error::Astray { .. } => (Exit::Incomplete, "does the manifest name the source that the day was fetched from?"),
        Error::NoKeywords => (Exit::Usage, "`fetch: keywords` or `fetch: both` in the manifest makes them"),
        Error::TooManyTables { .. } => (Exit::Usage, "choose a keyword that many files share, such as HARPNUM"),
        Error::Changed { .. } => (Exit::Later, "run the same command again"),
    };
    CliError::new(exit, error.to_string()).hint(hint).into()
}
