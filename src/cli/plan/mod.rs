//! `sunhaul plan`: what there is to do, and with `--list` what it will take.
//!
//! Without `--list` it opens no socket and starts no process, unless a range follows a region that the lock does not know.

mod archived;
mod consequences;
mod days;
mod estimate;
mod hosts;
mod listing;
mod sizes;

use std::fmt::Write as _;
use std::path::PathBuf;

use consequences::{DaysFromRecords, StaleDays};

use super::clock::now;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::options::{ArchiveArg, SshArg};
use super::selection::SelectionArgs;
use super::signals::Signals;
use super::table::{Side, TextTable};
use super::{
    Exit, Result, Shell, known_archive, limits, load_manifest, plan_job, regions, removed_series, same_job, stdout,
};
use crate::day::Window;
use crate::manifest::{Manifest, Region, Series};
use crate::net::Net;
use crate::plan::{Outlook, Plan, PlannedSeries};
use crate::report::human;
use crate::untrusted::escape;

/// Columns that are left out where no series has such a day.
const RARE: [&str; 7] = ["new", "started", "provisional", "stale", "damaged", "differs", "refused"];

/// As many days that cannot be done are shown.
const NAMED: usize = 20;

/// Show what a run would do.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show what a run would do.\n\n\
        Reads only the manifest, its lock, and the archive's day records and journals. It makes no request, unless a \
        range follows active regions that the lock does not have; then it asks the source for those. A day is `new` \
        without a record, `started` if a run began it and did not finish, `provisional` if it was too recent to be \
        final, `stale` if the manifest now asks for something else, `damaged` if its record cannot be read, \
        `differs` if its files are not those in the lock, `refused` if it belongs to another job that asks for \
        something else, and `done` if it is sealed. For stale days it shows which keys of the manifest differ, and \
        what happens to their files. More than 20 days to do are counted by month, or by year if there are many months. Requests, bytes and time are estimated from the days in the lock.\n\n\
        With --list the days to do are listed at their sources, within the limits of the hosts, and it shows files, \
        bytes, requests, free disk space and time. Files that the archive already has are not counted.",
    after_help = "Examples:\n  sunhaul plan jobs/quickstart.yaml\n  sunhaul plan jobs/december.yaml --list\n  \
        sunhaul plan jobs/nightly.yaml --range today-7d.. --json | jq '.days[].state'"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// List the days to do at their sources.
    #[arg(long)]
    list: bool,
    /// Show each day to do, however many there are.
    #[arg(long, conflicts_with = "json")]
    days: bool,
    /// Print the plan as JSON, including the days that are done.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    archive: ArchiveArg,
    #[command(flatten)]
    ssh: SshArg,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let secrets = if args.list { Secrets::Needed } else { Secrets::NotNeeded };
    let archive = args.archive.archive.as_deref();
    let Some(job) = load_manifest::load(&args.job, secrets, archive, shell) else { return Ok(Exit::Usage) };
    load_manifest::note(&job, shell);
    let Some(job) = with_regions(job, args, shell)? else { return Ok(Exit::Usage) };
    same_job::must_not_undo(std::slice::from_ref(&job), now())?;
    let locking = Locking::looked_at(&job)?;
    let plan = plan_job::plan(&job, &args.selection, &locking, now())?;
    if let Err(error) = known_archive::must_be_there(&job, locking.lock()) {
        shell.warn_of_refusal(&error);
    }
    let StaleDays { consequences, from_records } = consequences::stale_days(&job, &plan)?;
    let (mut listing, mut estimate) = (None, None);
    if args.list {
        let net = args.ssh.net();
        let asked = listed(&job, &plan, &from_records, &locking, &net, shell);
        listing = limits::runtime()?.block_on(asked)?;
        if listing.is_none() {
            return Ok(Exit::Interrupted);
        }
    } else {
        estimate = estimate::estimate(&job, &plan, &from_records, locking.lock())?;
    }
    if args.json {
        let root = job.archive.root.to_string_lossy();
        let outlook = Outlook {
            consequences: serde_json::to_value(consequences)?,
            estimate: serde_json::to_value(estimate)?,
            listing: serde_json::to_value(&listing)?,
        };
        stdout::print_json(&plan.to_json(&root, outlook))?;
    } else {
        stdout::print(&series_of(&plan, &job.archive.root.to_string_lossy()))?;
        if args.days { days::print_each(&plan) } else { stdout::print(&days::shown(&plan)) }?;
        let mut text = refused_days(&plan);
        for (series, days) in removed_series::days(&job)? {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{}", removed_series::line(&job.path, &series.0, days));
        }
        text.extend(consequences.map(|consequences| consequences.render()));
        text.extend(estimate.map(|estimate| estimate.render()));
        // With nothing to do there is nothing to list, and the plan says so already.
        if let Some(listing) = listing.as_ref().filter(|_| plan.counts().planned > 0) {
            text.push_str(&listing.render());
        }
        stdout::print(&text)?;
    }
    let listed = listing.map_or(Exit::Complete, |listing| listing.exit());
    Ok(if plan.counts().refused == 0 { listed } else { Exit::Usage })
}

/// The job with the regions that it needs to know: those of its ranges, and with `--list` those of its filters.
fn with_regions(job: Manifest, args: &Args, shell: &Shell) -> Result<Option<Manifest>> {
    let lacks_dates = regions::lacks_dates(&job);
    // Secrets are read only when a source will be contacted.
    let secret = if lacks_dates && !args.list { load_manifest::load_with_secrets(&job, shell) } else { Some(job) };
    let Some(mut job) = secret else { return Ok(None) };
    let wanted = if args.list { Series::unknown_regions } else { Series::unknown_of_range };
    if job.series.iter().any(|series| !wanted(series).is_empty()) {
        limits::runtime()?.block_on(async {
            let net = args.ssh.net();
            let found = regions::look_up_until_signal(&mut job, wanted, &net, shell).await;
            net.close().await;
            found
        })?;
    }
    regions::must_have_patches(&job, |_| true, shell)?;
    Ok(Some(job))
}

/// What the sources have; none when a signal ends the asking.
async fn listed(
    job: &Manifest,
    plan: &Plan,
    from_records: &DaysFromRecords,
    locking: &Locking,
    net: &Net,
    shell: &Shell,
) -> Result<Option<listing::PlanListing>> {
    let mut signals = Signals::catch()?;
    let listing = tokio::select! {
        listing = listing::ask(job, plan, from_records, locking.held(), net, shell) => listing.map(Some),
        () = signals.next() => {
            shell.screen.without_bars(|| ());
            Ok(None)
        }
    };
    net.close().await;
    listing
}

/// The series of a plan, with counts of their days.
fn series_of(plan: &Plan, root: &str) -> String {
    let mut out = format!("{} in {}\n\n", escape(&plan.job), escape(root));
    out.push_str(&series_table(plan));
    for series in &plan.series {
        out.push_str(&region_lines(series));
    }
    for series in plan.series.iter().filter(|series| series.kept > 0) {
        let (id, days) = (escape(&series.id.0), human::count(series.kept, "day"));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n{id}: {days} outside of the range, from before, which `sunhaul forget` takes out");
    }
    out
}

/// A row for each series, with its days by what becomes of them.
fn series_table(plan: &Plan) -> String {
    let names = ["days", "to do", "new", "started", "provisional", "stale", "damaged", "differs", "refused", "done"];
    let head: Vec<_> = [("series", Side::Left), ("from", Side::Left), ("to (not included)", Side::Left)]
        .into_iter()
        .chain(names.map(|name| (name, Side::Right)))
        .collect();
    let mut table = TextTable::new(&head).without_zeros(&RARE);
    for series in &plan.series {
        let counts = series.counts;
        let ends = series.selected().map(|end| label(series.scale, end));
        let days = counts.planned + counts.done + counts.refused;
        let to_do = [counts.new, counts.started, counts.provisional, counts.stale, counts.damaged, counts.differs];
        let numbers = [days, counts.planned].into_iter().chain(to_do).chain([counts.refused, counts.done]);
        let cells = std::iter::once(escape(&series.id.0).into_owned()).chain(ends);
        table.row(cells.chain(numbers.map(human::number)));
    }
    table.render()
}

/// The regions of a series with their patches, a line each.
fn region_lines(series: &PlannedSeries) -> String {
    if series.regions.is_empty() {
        return String::new();
    }
    let line = |region: &Region| format!("  {}: {}\n", region.number, patches(region, series.scale));
    let lines: String = series.regions.iter().map(line).collect();
    format!("\nregions of {}:\n{lines}", escape(&series.id.0))
}

/// The days that cannot be done, with their remedy.
fn refused_days(plan: &Plan) -> String {
    let refused = plan.counts().refused;
    if refused == 0 {
        return String::new();
    }
    let mut out = "\ncannot be done:\n".to_owned();
    // All have the same remedy: it is shown once.
    let mut remedy = None;
    for day in plan.refused().take(NAMED) {
        let text = day.to_string();
        let what = text.split_once("; ").map_or(text.as_str(), |(what, to_do)| {
            remedy = Some(to_do.to_owned());
            what
        });
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {what}");
    }
    let more = refused.saturating_sub(NAMED as u64);
    if more > 0 {
        let _ = writeln!(out, "  and {} more", human::number(more));
    }
    if let Some(remedy) = remedy {
        let _ = writeln!(out, "hint: {remedy}");
    }
    out
}

/// `HARP 377 from 2011-02-10T21:48:00_TAI to 2011-02-19T00:00:00_TAI`.
fn patches(region: &Region, scale: crate::day::Scale) -> String {
    if region.patches.is_empty() {
        return "no HARP".to_owned();
    }
    let patches = region.patches.iter().map(|patch| match patch.window {
        None => format!("HARP {}", patch.harpnum),
        Some(Window { start, end }) => {
            format!("HARP {} from {} to {}", patch.harpnum, label(scale, start), label(scale, end))
        }
    });
    patches.collect::<Vec<_>>().join(", ")
}

/// A label as short as it can be: a date alone for the start of a day.
fn label(scale: crate::day::Scale, at: chrono::NaiveDateTime) -> String {
    if at.time() == chrono::NaiveTime::MIN { format!("{} {scale}", at.date()) } else { scale.label(at) }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use chrono::NaiveDate;

    use super::*;
    use crate::digest::Digest;
    use crate::manifest::SeriesId;
    use crate::plan::{DayRecords, DayStatus, DaySummary, Finality, Selection};

    /// Records by date.
    struct Paper(BTreeMap<&'static str, DayStatus>);

    impl DayRecords for Paper {
        type Error = std::convert::Infallible;

        fn noted(&self, _: &SeriesId) -> std::result::Result<BTreeSet<NaiveDate>, Self::Error> {
            Ok(self.0.keys().map(|date| date.parse().unwrap()).collect())
        }

        fn known(&self, _: &SeriesId, date: NaiveDate) -> std::result::Result<DayStatus, Self::Error> {
            Ok(self.0.get(date.to_string().as_str()).cloned().unwrap_or(DayStatus::Missing))
        }
    }

    fn job(end: &str) -> Manifest {
        let text = format!(
            "version: 1\nname: december\nsource: {{ embedded: {{}} }}\nrange: {{ start: 2015-12-11, end: {end} }}\n\
             series:\n  - name: sharp_720s\narchive: {{ root: ../data }}\n"
        );
        crate::manifest::parse(Path::new("jobs/december.yaml"), text.as_bytes(), &|_| None).unwrap()
    }

    fn render(plan: &Plan, root: &str) -> String {
        series_of(plan, root) + &days::shown(plan) + &refused_days(plan)
    }

    fn planned(end: &str, records: BTreeMap<&'static str, DayStatus>) -> Plan {
        let now = "2016-01-10T12:00:00Z".parse().unwrap();
        crate::plan::plan(&job(end), &Paper(records), now, &Selection::default(), None).unwrap()
    }

    fn known(job: &str, spec: Digest) -> DayStatus {
        let state = Finality::Sealed;
        DayStatus::Known(DaySummary {
            spec,
            window: Window::of_day(NaiveDate::MIN),
            state,
            job: job.into(),
            files: 5,
            bytes: 9,
            absent: 0,
            digest: crate::digest::PrefixedDigest(Digest::sha256(b"")),
            missing: 0,
        })
    }

    #[test]
    fn few_days_are_shown_each_with_its_reason() {
        let series = &job("2015-12-16").series[0];
        let spec = series.spec(&crate::day::Day::whole("2015-12-11".parse().unwrap()));
        let records = BTreeMap::from([
            ("2015-12-11", known("december", spec)),
            ("2015-12-12", known("december", Digest::sha256(b"before"))),
            ("2015-12-13", DayStatus::Unreadable("days/sharp_720s/2015-12-13.jsonl: cut short".into())),
            ("2015-12-14", known("other", Digest::sha256(b"before"))),
        ]);
        insta::assert_snapshot!(render(&planned("2015-12-15T06:00:00Z", records), "../data"));
    }

    #[test]
    fn a_day_that_was_started_shows_how_much_of_it_is_there() {
        let text =
            render(&planned("2015-12-12", BTreeMap::from([("2015-12-11", DayStatus::Started { files: 7 })])), "d");
        assert!(text.contains("sharp_720s 2015-12-11  started: not finished, 7 files are there\n"), "{text}");
    }

    #[test]
    fn with_nothing_to_do_it_says_just_that() {
        let spec = job("2015-12-12").series[0].spec(&crate::day::Day::whole("2015-12-11".parse().unwrap()));
        let text = render(&planned("2015-12-12", BTreeMap::from([("2015-12-11", known("december", spec))])), "d");
        assert!(text.ends_with("\nnothing to do: the only day is sealed\n"), "{text}");
    }

    #[test]
    fn many_days_are_counted_by_month_by_year_or_not_at_all() {
        let months = render(&planned("2016-01-10", BTreeMap::new()), "../data");
        let rows =
            "\nseries      to do in  days  new\nsharp_720s  2015-12     21   21\nsharp_720s  2016-01      9    9\n";
        assert!(months.contains(rows), "{months}");
        let line = "\nto do: 30 days, from sharp_720s 2015-12-11 to sharp_720s 2016-01-09; --days shows each\n";
        assert!(months.ends_with(line), "{months}");
    }
}
