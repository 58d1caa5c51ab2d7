//! When a file that came wrong is asked for again: after 1, 2, 4, 8, 16, 30, 30 ... days, and not in every run.
//!
//! What it does not do: judge what can be mended here (a login, a path, a disk) or passes by itself. Those are asked for
//! in each run.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::downloads::{Failures, MissingFile};
use super::file_paths::FilePaths;
use super::known_bad::KnownBad;
use crate::archive::{self, CorruptDownload, DayWork};
use crate::failure::Failure;
use crate::manifest::Verify;
use crate::run::{RunContext, Todo};
use crate::source::RemoteFile;
use crate::untrusted::{escape, quoted};

/// The longest wait, in days.
const LONGEST: i64 = 30;

/// Takes the files out of `missing` that are not asked for yet, and gives how they fail. A file that the job accepts is
/// asked for: its day may seal without it.
pub(in crate::run) fn put_off(
    run: &RunContext,
    todo: &Todo,
    work: &DayWork,
    accepted: &KnownBad,
    missing: &mut Vec<MissingFile>,
) -> Failures {
    let mut failed = Failures::new();
    let Some(opened) = run.series.get(&todo.series).filter(|_| !run.retry_failed) else { return failed };
    let now = (run.now)();
    missing.retain(|missing| {
        let spoilt = work.spoilt(&missing.file.key).filter(|spoilt| spoilt.class.is_of_bytes());
        let Some(spoilt) = spoilt else { return true };
        let known = missing.path.iter().map(ToString::to_string).chain(spoilt.path.clone());
        let paths = FilePaths::of(opened, todo, work, &missing.file, known);
        let due = due(spoilt);
        // Other checks may let it pass, and so may another size; by a clock that went wrong, the hour might never come.
        let is_another = spoilt.checks != checks(run.manifest.verify) || has_other_size(spoilt, &missing.file);
        if is_another || now >= due || now < spoilt.at || accepted.means(&paths) {
            return true;
        }
        failed.insert(missing.file.key.clone(), (spoilt.path.clone(), told_again(spoilt, due, &run.manifest.path)));
        false
    });
    failed
}

/// A file that failed for good.
pub(in crate::run) struct CorruptFile<'a> {
    pub(in crate::run) file: &'a RemoteFile,
    /// Its path, when known.
    pub(in crate::run) path: Option<&'a str>,
    pub(in crate::run) failure: Failure,
    /// Other files of its host came well.
    pub(in crate::run) host_is_well: bool,
    /// The job takes it for bad at its source, and how it fails may show that.
    pub(in crate::run) is_accepted: bool,
}

/// Notes how a file failed, where only its source can mend it, and adds to its message when it is asked for again.
pub(in crate::run) fn note(
    run: &RunContext,
    work: &DayWork,
    failed: CorruptFile<'_>,
) -> Result<Failure, archive::Error> {
    let CorruptFile { file, path, failure, host_is_well, is_accepted } = failed;
    if !failure.class.is_of_bytes() && !is_accepted {
        return Ok(failure);
    }
    let (at, checks) = ((run.now)(), checks(run.manifest.verify));
    let is_same = |before: &&CorruptDownload| {
        let is_class = before.class == failure.class || (before.class.is_of_bytes() && failure.class.is_of_bytes());
        is_class && before.checks == checks && before.since <= at && !has_other_size(before, file)
    };
    let before = work.spoilt(&file.key).filter(is_same);
    let spoilt = CorruptDownload {
        key: file.key.clone(),
        path: path.map(str::to_owned),
        class: failure.class,
        status: failure.status,
        message: failure.message.clone(),
        checks,
        listed: file.bytes,
        since: before.map_or(at, |before| before.since),
        at,
        times: before.map_or(1, |before| before.times.saturating_add(1)),
        host_was_well: host_is_well,
    };
    if is_accepted {
        // It is asked for in each run.
        work.note_spoilt(spoilt)?;
        return Ok(failure);
    }
    // An update or a repair asks whenever it is called; a plain run may take the day for done as it was.
    let again = put_off_until(due(&spoilt), &run.manifest.path);
    let again = if run.retry_failed { "the same command requests it again" } else { &again };
    let message = format!("{}; {again}", failure.message);
    work.note_spoilt(spoilt)?;
    Ok(Failure { message, ..failure })
}

/// True when the listing tells another size than it did then: the source has another file.
fn has_other_size(spoilt: &CorruptDownload, file: &RemoteFile) -> bool {
    spoilt.listed.zip(file.bytes).is_some_and(|(then, now)| then != now)
}

/// When it is asked for again.
fn due(spoilt: &CorruptDownload) -> DateTime<Utc> {
    let doubled = spoilt.times.saturating_sub(1).min(30);
    let days = (1i64 << doubled).min(LONGEST);
    spoilt.at.checked_add_signed(TimeDelta::days(days)).unwrap_or(spoilt.at)
}

/// The same failure, without an attempt.
fn told_again(spoilt: &CorruptDownload, due: DateTime<Utc>, manifest: &Path) -> Failure {
    let so_far = match spoilt.times {
        0 | 1 => format!("same result on {}", shown(spoilt.at)),
        times => format!("same result {times} times from {} to {}", shown(spoilt.since), shown(spoilt.at)),
    };
    let message = format!("{}; {so_far}; {}", escape(&spoilt.message), put_off_until(due, manifest));
    Failure { status: spoilt.status, attempts: 0, ..Failure::new(spoilt.class, message) }
}

fn put_off_until(due: DateTime<Utc>, manifest: &Path) -> String {
    format!(
        "it will be requested again from {} on; hint: `sunhaul run {} --retry-failed` asks now; where the file is bad at its source, \
         name it under `accept`, and its day is sealed without it",
        shown(due),
        quoted(&manifest.to_string_lossy())
    )
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Which checks a file must pass, in one word.
fn checks(verify: Verify) -> String {
    let named = [(true, "size"), (verify.fits, "fits"), (verify.magic, "magic")];
    named.iter().filter(|(is_made, _)| *is_made).map(|(_, name)| *name).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    fn failed(times: u32) -> CorruptDownload {
        let at = "2026-01-01T12:00:00Z".parse().unwrap();
        CorruptDownload {
            key: "k".into(),
            path: None,
            class: Class::FitsChecksum,
            status: None,
            message: "HDU 0: CHECKSUM is wrong".into(),
            checks: "size+fits".into(),
            listed: None,
            since: at - TimeDelta::days(i64::from(times.min(1000))),
            at,
            times,
            host_was_well: false,
        }
    }

    #[test]
    fn the_wait_doubles_up_to_a_month() {
        let days = |times| (due(&failed(times)) - failed(times).at).num_days();
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, u32::MAX].map(days),
            [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]
        );
        // A journal that was edited by hand.
        assert_eq!(days(0), 1);
        let late = CorruptDownload { at: DateTime::<Utc>::MAX_UTC, ..failed(9) };
        assert_eq!(due(&late), late.at);
    }

    #[test]
    fn it_is_told_since_when_how_often_and_when_it_is_asked_for_again() {
        let told = told_again(&failed(3), due(&failed(3)), Path::new("jobs/a.yaml"));
        assert_eq!((told.class, told.attempts), (Class::FitsChecksum, 0));
        assert_eq!(
            told.message,
            "HDU 0: CHECKSUM is wrong; same result 3 times from 2025-12-29 12:00 UTC to 2026-01-01 12:00 UTC; it will be requested again from 2026-01-05 12:00 UTC on; hint: `sunhaul run jobs/a.yaml --retry-failed` asks now; where the \
             file is bad at its source, name it under `accept`, and its day is sealed without it"
        );
    }
}
