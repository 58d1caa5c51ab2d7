//! How long after a day its data comes, or comes anew: by the data, whichever service has it.
//!
//! What it does not do: look at the clock, or at what a service says of its own data.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::model::{Bound, Manifest, Series, SourceSpec};
use super::units::span;
use crate::day::Window;

const DAY: u64 = 24 * 60 * 60;

/// Nrt series, and all of which nothing better is known.
pub(crate) const USUAL: Duration = Duration::from_secs(3 * DAY);
/// Definitive series of HMI and MDI come about five weeks after the observation, and JSOC's others are made again for about
/// as long.
const DEFINITIVE: Duration = Duration::from_secs(45 * DAY);
/// Synoptic images of AIA are made "approximately 7 days after `T_OBS`", says their page.
const SYNOPTIC: Duration = Duration::from_secs(14 * DAY);

/// How old a day's end must be at least before a day with no file at all counts as final. What is late beyond the usual is
/// late as a whole: reprocessing, a move, an outage.
pub(crate) const WITHOUT_FILES: Duration = Duration::from_secs(90 * DAY);

/// How old a day's end must be for its data to be complete.
pub(super) fn of(spec: &SourceSpec, series: &str) -> Duration {
    let place = place(spec).to_ascii_lowercase();
    match spec {
        SourceSpec::Embedded(_) => USUAL,
        _ if place.contains("aia/synoptic") && place.contains("nrt") => USUAL,
        _ if place.contains("aia/synoptic") => SYNOPTIC,
        _ => by_name(series, matches!(spec, SourceSpec::Jsoc(_))),
    }
}

/// The same by the name of the series, and whether JSOC has it.
pub(crate) fn by_name(series: &str, is_of_jsoc: bool) -> Duration {
    let name = series.to_ascii_lowercase();
    let begins = |names: &[&str]| names.iter().any(|start| name.starts_with(start));
    if name.ends_with("_nrt") {
        USUAL
    } else if begins(&["aia.synoptic", "aia_synoptic"]) {
        SYNOPTIC
    } else if is_of_jsoc || begins(&["hmi.", "mdi.", "aia.lev1", "sharp_"]) {
        DEFINITIVE
    } else {
        USUAL
    }
}

/// True when a window of a series had ended so long before an instant.
pub(crate) fn has_ended(series: &Series, window: Window, at: DateTime<Utc>, before: Duration) -> bool {
    let end = (window.end - series.source.scale().ahead_of_utc()).and_utc();
    let before = chrono::TimeDelta::from_std(before).unwrap_or(chrono::TimeDelta::MAX);
    at.signed_duration_since(end) >= before
}

/// Where the files of an `index` or a `template` lie.
fn place(spec: &SourceSpec) -> String {
    let path = match spec {
        SourceSpec::Index(index) => index.path.as_ref().map_or("", |path| path.text()),
        SourceSpec::Template(template) => template.path.text(),
        _ => return String::new(),
    };
    let base = spec.reach().and_then(|reach| reach.urls.first()).map_or("", |url| url.path());
    format!("{base}{path}")
}

/// What of a job will never be complete, each in one line.
pub(super) fn warnings(job: &Manifest, now: DateTime<Utc>) -> impl Iterator<Item = String> + '_ {
    job.series.iter().filter_map(move |series| sealed_early(series, now))
}

/// A `settle` that is shorter than the data takes to come.
fn sealed_early(series: &Series, now: DateTime<Utc>) -> Option<String> {
    let latency = of(&series.source, &series.name);
    // Of the rest it is not known when it comes.
    let is_known = latency > USUAL;
    let end = series.range.resolve(now, series.source.scale()).end;
    // A range that is still to come is younger than any.
    let has_young = now.naive_utc().signed_duration_since(end).to_std().unwrap_or_default() < latency;
    (is_known && has_young && series.settle < latency).then(|| {
        format!(
            "`settle` is {}, but the data of `{}` is complete after {} only: days may be sealed before their files come; \
             leave `settle` out",
            shown(series.settle),
            series.id,
            shown(latency)
        )
    })
}

/// Which series reach into days that are not final yet or have not begun, each in one line: usual for a job that follows the
/// clock.
pub(super) fn notes(job: &Manifest, now: DateTime<Utc>) -> impl Iterator<Item = String> + '_ {
    job.series.iter().filter_map(move |series| match series.range.end {
        Bound::Today { minus_days } => young(series, minus_days),
        Bound::At(end) => still_to_come(series, end, now),
    })
}

fn young(series: &Series, minus_days: i32) -> Option<String> {
    let age = Duration::from_secs(u64::try_from(minus_days).unwrap_or(0) * DAY);
    (age < series.settle).then(|| {
        format!(
            "the range of `{}` ends at `{}`, and its days are final after {}: younger ones stay provisional, and each run checks them again",
            series.id,
            today(minus_days),
            shown(series.settle)
        )
    })
}

fn still_to_come(series: &Series, end: NaiveDateTime, now: DateTime<Utc>) -> Option<String> {
    (series.range.resolve(now, series.source.scale()).end < end).then(|| {
        format!(
            "the range of `{}` ends on {}, which is in the future: each run includes the days that have started, and those younger than \
             {} stay provisional",
            series.id,
            end.date(),
            shown(series.settle)
        )
    })
}

fn today(minus_days: i32) -> String {
    match minus_days {
        0 => "today".to_owned(),
        ..0 => format!("today+{}d", -minus_days),
        1.. => format!("today-{minus_days}d"),
    }
}

fn shown(time: Duration) -> String {
    span(time.as_secs())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::{DateTime, Utc};

    use super::super::{Manifest, parse};

    fn now() -> DateTime<Utc> {
        "2024-06-01T00:00:00Z".parse().unwrap()
    }

    const RANGE: &str = "range: { start: 2015-12-11, end: 2015-12-12 }";

    fn good(text: &str) -> Manifest {
        parse(Path::new("j.yaml"), text.as_bytes(), &|_| None).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// A job of one series of one source.
    fn job(source: &str, name: &str) -> String {
        format!(
            "version: 1\nname: j\ncontact: a@example.org\nsource: {source}\n{RANGE}\nseries: [{{ name: {name} }}]\n\
             archive: {{ root: data }}\n"
        )
    }

    #[test]
    fn the_latency_is_that_of_the_data_whichever_service_has_it() {
        let hmi = "{ hmi: { url: \"http://localhost:8001\" } }";
        let medoc = "{ medoc: {} }";
        let jsoc = "{ jsoc: {} }";
        let index = "{ index: { url: \"https://h.example/a/\", files: \"f_%Y%m%d.fits\" } }";
        let synoptic =
            "{ template: { url: \"https://h.example/data/aia/synoptic/\", path: \"%Y%m%d%H.fits\", cadence: 1h } }";
        let nrt = synoptic.replace("synoptic/", "synoptic/nrt/");
        let embedded = "{ embedded: {} }";
        for (source, name, days) in [
            (hmi, "sharp_720s", 45),
            (hmi, "hmi.sharp_cea_720s", 45),
            (hmi, "sharp_cea_720s_nrt", 3),
            (medoc, "hmi.sharp_cea_720s", 45),
            (medoc, "aia.lev1", 45),
            (medoc, "hmi.sharp_720s_nrt", 3),
            (jsoc, "mdi.fd_m_96m_lev182", 45),
            (jsoc, "iris.lev1", 45),
            (jsoc, "aia.lev1_nrt", 3),
            (index, "hmi.m_720s", 45),
            (index, "goes", 3),
            (synoptic, "images", 14),
            (&nrt, "images", 3),
            (index, "aia.synoptic", 14),
            (embedded, "sharp_720s", 3),
        ] {
            let job = good(&job(source, name));
            assert_eq!(job.series[0].settle.as_secs(), days * 86_400, "{source} {name}");
            assert!(job.warnings(now()).is_empty(), "{:?}", job.warnings(now()));
        }
    }

    #[test]
    fn days_that_are_sealed_too_early_are_a_warning_and_young_ones_a_note() {
        let told = |range: &str, more: &str| {
            let job = good(&(job("{ medoc: {} }", "hmi.sharp_cea_720s").replace(RANGE, range) + more));
            (job.warnings(now()).join("\n"), job.notes(now()).join("\n"))
        };
        let (fixed, rolling) =
            ("range: { start: 2010-05-01, end: 2015-01-01 }", "range: { start: 2010-05-01, end: today-44d }");
        assert_eq!(told(fixed, ""), (String::new(), String::new()));
        assert_eq!(told("range: { start: 2010-05-01, end: today-45d }", ""), (String::new(), String::new()));
        let (warnings, notes) = told(rolling, "");
        assert!(
            warnings.is_empty() && notes.contains("ends at `today-44d`, and its days are final after 45d"),
            "{notes}"
        );
        let (warnings, notes) = told(rolling, "settle: 36h\n");
        assert!(warnings.contains("`settle` is 36h, but") && notes.is_empty(), "{warnings} {notes}");
        assert_eq!(told(fixed, "settle: 36h\n"), (String::new(), String::new()), "all of it is old");
        let (young, coming) =
            ("range: { start: 2010-05-01, end: 2024-05-01 }", "range: { start: 2010-05-01, end: 2025-01-01 }");
        for range in [young, coming] {
            assert!(told(range, "settle: 36h\n").0.contains("`settle` is 36h, but"), "{range}");
        }
        let (warnings, notes) = told("range: { start: today-5d, end: today+1d }", "");
        assert!(warnings.is_empty() && notes.contains("ends at `today+1d`"), "{warnings} {notes}");
    }
}
