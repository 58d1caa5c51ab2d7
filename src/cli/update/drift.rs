//! The drift check: locked days are listed again and compared; nothing is moved, and no archive is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use futures_util::{StreamExt as _, stream};

use super::output::{IncomparableDay, Lost, UpdateForm, UpdateResult};
use super::regions::RegionChange;
use crate::archive::open_regular;
use crate::cli::clock::{now, run_id};
use crate::cli::job_lock::Locking;
use crate::cli::problem::CliError;
use crate::cli::report_file::Saved;
use crate::cli::run::{ReportFiles, about, again};
use crate::cli::signals::Signals;
use crate::cli::sources::Sources;
use crate::cli::{Exit, Result, Shell, query_retry};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fetch;
use crate::fetch::probe;
use crate::lock::{self, ChangedFile, DayChange, LockWithRecords, LockedFile, Replaced};
use crate::manifest::{Identity, Manifest, Series, SeriesId};
use crate::net::Net;
use crate::report::model::{ComparedBy, ReportRun};
use crate::report::{Collector, Report};
use crate::run::event::DayId;
use crate::run::{Before, Todo, passes_filters, path_of};
use crate::source::jsoc::{KnownFileKey, former_keys, is_stored_elsewhere};
use crate::source::{KEYWORDS_TABLE, RemoteFile, Replica, Replicas};

/// Which files are fetched and hashed besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct DriftSample {
    /// The share of all files, up to 1.
    pub(super) share: f64,
    /// The same seed takes the same files.
    pub(super) seed: u64,
}

impl DriftSample {
    /// True for the files that are taken: by their key alone, so that a day more or less changes nothing.
    fn takes(self, series: &SeriesId, key: &str) -> bool {
        let digest = Digest::sha256(format!("{}\n{series}\n{key}", self.seed).as_bytes());
        let drawn = digest.bytes().iter().take(4).fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
        f64::from(drawn) < self.share * 4_294_967_296.0
    }
}

/// What is compared, and where that is told.
pub(super) struct DriftCheck<'a> {
    pub(super) job: &'a Manifest,
    pub(super) days: &'a [Todo],
    pub(super) sample: Option<DriftSample>,
    pub(super) form: UpdateForm,
    pub(super) files: &'a ReportFiles,
}

/// What every day of one series is asked with.
struct SeriesQuery<'a> {
    job: &'a Manifest,
    series: &'a Series,
    source: Replicas,
    held: &'a LockWithRecords,
    sample: Option<DriftSample>,
    shell: &'a Shell,
}

/// What came of one day.
struct Compared {
    change: Option<DayChange>,
    by: ComparedBy,
    sampled: u64,
    /// Locked files that the manifest does not ask for any more.
    not_asked_for: u64,
    failed: Vec<(Option<String>, Failure)>,
}

/// Compares days with the lock; exit 3 when upstream has drifted.
///
/// # Errors
/// When a source cannot be opened, the lock does not say which files a day has, or a report cannot be written.
pub(super) async fn run(
    check: &DriftCheck<'_>,
    locking: &Locking,
    regions: Vec<RegionChange>,
    net: Net,
    shell: &Shell,
) -> Result<Exit> {
    let Some(held) = locking.held() else { return Ok(Exit::Usage) };
    for todo in check.days {
        if !held.knows(&todo.series, todo.day.date)? {
            let message = format!(
                "the lock holds days alone, and no record names the files of {} {}",
                todo.series, todo.day.date
            );
            let hint = "compare where the archive is, or lock with `lock: { detail: files }`";
            return Err(CliError::new(Exit::Usage, message).hint(hint).into());
        }
    }
    let mut signals = Signals::catch()?;
    let mut told = UpdateResult::of(check.job, true).with_regions(regions);
    let started = now();
    let run = run_id(started);
    let compared = tokio::select! {
        lost = compare(check, &net, &run, held, shell, &mut told) => Some(lost),
        () = signals.next() => None,
    };
    let hosts = net.hosts();
    net.close().await;
    let Some(lost) = compared else { return Ok(Exit::Interrupted) };
    let lost = lost?;
    told.print(check.form)?;
    let drifted = if told.has_drifted() { Exit::Lock } else { Exit::Complete };
    let exit = lost.iter().map(|lost| Exit::of_class(lost.failure.class)).fold(drifted, Exit::max);

    let collector = Collector::new(run, started, about(check.job, Some(held.lock().sha256().to_string())));
    let report = told.report(&collector, check.days, lost, hosts, exit);
    let report = Report {
        run: ReportRun { again: (exit != Exit::Complete).then(|| again(&shell.words)), ..report.run },
        ..report
    };
    shell.ci.ran(&report, None, &shell.screen);
    check.files.write(&report, &report.to_json()?, Saved::AtTheEnd)?;
    check.files.write_bare_page(&report)?;
    Ok(exit)
}

async fn compare(
    check: &DriftCheck<'_>,
    net: &Net,
    run: &str,
    held: &LockWithRecords,
    shell: &Shell,
    told: &mut UpdateResult,
) -> Result<Vec<Lost>> {
    let DriftCheck { job, days, sample, .. } = *check;
    let mut sources = Sources::default();
    let wanted: BTreeSet<&SeriesId> = days.iter().map(|todo| &todo.series).collect();
    let bases = sources.bases(job, |id| wanted.contains(id)).await?;
    let mut lost = Vec::new();
    for series in &job.series {
        let Some(bases) = bases.get(&series.id) else { continue };
        let source = Replicas::open(net, job, series, bases, run)?;
        let width = source.current().client().concurrency().max(1);
        let asked = SeriesQuery { job, series, source, held, sample, shell };
        let days: Vec<&Todo> = days.iter().filter(|todo| todo.series == series.id).collect();
        let mut answers = stream::iter(days.iter().map(|todo| asked.day(todo))).buffered(width);
        let mut index = 0;
        while let Some(compared) = answers.next().await {
            let date = days.get(index).map(|todo| todo.day.date).unwrap_or_default();
            index += 1;
            let Compared { change, by, sampled, not_asked_for, failed } = compared;
            told.sampled(sampled);
            told.not_asked_for(not_asked_for);
            if let Some(change) = change {
                told.add_compared(change, by);
            }
            for (path, failure) in failed {
                let class = failure.class.name();
                let day = DayId { series: series.id.clone(), date };
                told.failed(IncomparableDay {
                    series: series.id.0.clone(),
                    date,
                    path: path.clone(),
                    class,
                    message: failure.message.clone(),
                });
                lost.push(Lost { day, path, failure });
            }
        }
    }
    sources.close().await;
    Ok(lost)
}

impl SeriesQuery<'_> {
    async fn day(&self, todo: &Todo) -> Compared {
        let mut compared =
            Compared { change: None, by: ComparedBy::default(), sampled: 0, not_asked_for: 0, failed: Vec::new() };
        match self.compare(todo, &mut compared).await {
            Ok(change) => compared.change = Some(change),
            Err(failure) => compared.failed.push((None, failure)),
        }
        compared
    }

    async fn compare(&self, todo: &Todo, compared: &mut Compared) -> std::result::Result<DayChange, Failure> {
        let SeriesQuery { job, series, .. } = self;
        let listed = query_retry::list(job, series, &self.source, &todo.day, self.shell).await?;
        let locked = self.held.files(&series.id, todo.day.date);
        let locked = locked.map_err(|error| Failure::new(Class::Storage, error.to_string()))?.unwrap_or_default();
        let scale = series.source.scale();
        let times: Vec<(String, &str)> = listed
            .files
            .iter()
            .filter_map(|file| Some((scale.label(file.time), file.source_series.as_deref()?)))
            .collect();
        let mut replaced =
            lock::replaced(&locked, &times.iter().map(|(time, series)| (time.as_str(), *series)).collect());
        if replaced.is_empty() && !series.fallbacks.is_empty() {
            replaced = Before::of_table(&self.locked_table(&locked).await).replaced(series, &listed.by_series);
        }
        let mut locked: BTreeMap<String, LockedFile> =
            locked.into_iter().map(|file| (file.key.clone(), file)).collect();
        let known = locked.values().map(known);
        let former = former_keys(&listed.files, known, series.source.scale());
        let mut change = DayChange { replaced, ..DayChange::of(&series.id, todo.day.date) };
        for file in &listed.files {
            match locked.remove(former.get(&file.key).unwrap_or(&file.key)) {
                None => {
                    let path = path_of(series, todo, file, &fetch::name_of(file, None)).ok();
                    let path = path.map(|path| path.to_string()).unwrap_or_default();
                    change.added.push(ChangedFile { path, key: file.key.clone(), sha256: None });
                }
                // Only a run finds out which listed files upstream does not have.
                Some(before) if before.absent.is_some() => {}
                Some(before) => match self.file(&before, file, compared).await {
                    Ok(None) => change.keywords_changed += u64::from(before.is_renumbered(file.recnum)),
                    Ok(Some(replaced)) => change.changed.push(replaced),
                    Err(failure) => compared.failed.push((Some(before.path), failure)),
                },
            }
        }
        let is_asked_for = |file: &&LockedFile| {
            let in_window = scale.read(&file.time).is_none_or(|time| todo.day.window.contains(time));
            in_window && passes_filters(series, file.segment.as_ref(), file.harpnum).unwrap_or(true)
        };
        compared.not_asked_for += locked.values().filter(|file| !is_asked_for(file)).count() as u64;
        // This includes an absent file: the lock would lose its line.
        change.removed.extend(locked.into_values().map(ChangedFile::from));
        Ok(change.with_replaced())
    }

    /// The table of keywords that is locked, where the archive has it: nothing else says of which series its records are.
    async fn locked_table(&self, locked: &[LockedFile]) -> Vec<u8> {
        let Some(line) = locked.iter().find(|line| line.key == KEYWORDS_TABLE) else { return Vec::new() };
        let (path, due) = (self.job.archive.root.join(&line.path), line.sha256);
        let read = move || {
            let mut bytes = Vec::new();
            open_regular(&path).ok()?.read_to_end(&mut bytes).ok()?;
            (Some(Digest::sha256(&bytes)) == due).then_some(bytes)
        };
        tokio::task::spawn_blocking(read).await.ok().flatten().unwrap_or_default()
    }

    /// How a file differs from the locked one, as far as it is looked at.
    async fn file(
        &self,
        before: &LockedFile,
        file: &RemoteFile,
        compared: &mut Compared,
    ) -> std::result::Result<Option<Replaced>, Failure> {
        let (path, key, old) = (before.path.clone(), before.key.clone(), before.sha256);
        // Files that a source generates from its responses are in memory, and cost nothing to compare.
        let is_sampled = self.sample.is_some_and(|sample| sample.takes(&self.series.id, &file.key));
        if is_sampled || file.made().is_some() {
            let (verify, identity) = (self.job.verify, self.job.identity);
            let look = async |replica: &Replica| {
                probe::look(replica.client(), &self.source.on(replica, file), verify, identity).await
            };
            let seen = query_retry::patiently(self.job, &self.source, self.shell, &path, look).await?;
            compared.sampled += u64::from(is_sampled);
            compared.by.hash += 1;
            let is_same = before.sha256 == Some(seen.sha256)
                || (identity == Identity::FitsData && before.has_digests(file.recnum, seen.digests.as_ref()));
            return Ok((!is_same).then_some(Replaced { path, key, old, new: Some(seen.sha256) }));
        }
        let other_header = before.cards.zip(file.cards.as_ref()).map(|(before, now)| before != now.digest());
        let is_record = file.recnum.is_some() && before.recnum.is_some();
        match (file.bytes, other_header, is_record) {
            (Some(_), ..) => compared.by.size += 1,
            (None, Some(_), _) => compared.by.keywords += 1,
            // The keywords that its header was made from are no longer known.
            (None, None, true) if file.cards.is_none() => compared.by.recnum += 1,
            (None, None, _) => compared.by.nothing += 1,
        }
        let other_size = file.bytes.is_some_and(|bytes| Some(bytes) != before.bytes);
        let differs = other_size || other_header == Some(true) || is_stored_elsewhere(file, &known(before));
        Ok(differs.then_some(Replaced { path, key, old, new: None }))
    }
}

fn known(file: &LockedFile) -> KnownFileKey<'_> {
    KnownFileKey { key: &file.key, url: &file.url, storage: file.storage.as_deref(), time: &file.time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_its_seed_s_and_about_its_share() {
        let series = SeriesId("sharp".into());
        let of = |share, seed| {
            let sample = DriftSample { share, seed };
            (0..10_000).filter(|n| sample.takes(&series, &format!("/HMI/{n}"))).collect::<Vec<_>>()
        };
        assert_eq!(of(0.05, 7), of(0.05, 7));
        assert_ne!(of(0.05, 7), of(0.05, 8));
        assert!((350..650).contains(&of(0.05, 7).len()), "{}", of(0.05, 7).len());
        assert_eq!(of(1.0, 7).len(), 10_000);
    }
}
