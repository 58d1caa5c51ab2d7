//! The page that `sunhaul status` prints.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Status;
use super::calendar::{self, CellSpan, DayCell};
use super::coverage::{DayFact, SeriesStatus};
use super::failed::FailedDay;
use super::runs::PastRun;
use crate::report::human;
use crate::report::terminal::Paint;
use crate::untrusted::escape;

/// How many gaps, thin days and bad records are shown of each series; `--json` has them all.
const SHOWN: usize = 10;

/// The page, for a terminal of so many columns.
pub(super) fn render(status: &Status, by: Option<CellSpan>, columns: usize, paint: Paint) -> String {
    let mut out = format!("{} in {}\n", escape(&status.job), escape(&status.archive));
    let mut seen = BTreeSet::<DayCell>::new();
    for series in &status.series {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n{}  {}\n", paint.strong(&escape(&series.series)), describe_series(series));
        if !series.days.range.is_empty() {
            let (calendar, cells) = calendar::render(&series.days, by, columns, paint);
            seen.extend(cells);
            out.push_str(&calendar);
        }
        if let Some(records) = records(series) {
            let _ = writeln!(out, "{records}");
        }
        if let Some(checked) = checked(series) {
            let _ = writeln!(out, "{checked}");
        }
    }
    if !seen.is_empty() {
        out.push('\n');
        out.push_str(&calendar::legend(&seen, columns, paint));
    }
    for series in &status.series {
        lists(&mut out, series);
    }
    list(&mut out, "last runs; --json has their ids", status.runs.iter().map(PastRun::line));
    out
}

/// `2015-12-11..2015-12-14 (not included)  3 of 3 days, 71 files, 9.0 MiB, 2 absent upstream`
fn describe_series(series: &SeriesStatus) -> String {
    let range = series.days.range;
    let Some(last) = range.last_date() else { return "none of its days has started yet".to_owned() };
    let end = last.succ_opt().unwrap_or(last);
    let within = series.days.facts.iter().filter(|fact| !range.day(fact.date).window.is_empty());
    let kept = series.days.facts.len() - within.clone().count();
    let done = within.filter(|fact| matches!(fact.state, DayFact::Sealed | DayFact::Provisional));
    let mut out = format!(
        "{}..{end} (not included)  {} of {}, {}, {}",
        range.start.date(),
        human::number(done.count() as u64),
        human::count(range.day_count(), "day"),
        human::count(series.files, "file"),
        human::bytes(series.bytes)
    );
    if series.absent > 0 {
        let _ = write!(out, ", {} absent upstream", human::number(series.absent));
    }
    if kept > 0 {
        let _ = write!(out, ", {} outside of the range included", human::count(kept as u64, "day"));
    }
    out
}

/// `records: 118 of hmi.sharp_cea_720s, 2 of hmi.sharp_cea_720s_nrt`
fn records(series: &SeriesStatus) -> Option<String> {
    let each = series.records.iter().map(|(name, count)| format!("{} of {}", human::number(*count), escape(name)));
    let all: Vec<String> = each.collect();
    (!all.is_empty()).then(|| format!("records: {}", all.join(", ")))
}

/// `checked by checksum 640, structure 8`
fn checked(series: &SeriesStatus) -> Option<String> {
    let Some(checked) = &series.checked else {
        return (series.files > 0).then(|| "checked: see --checked, which reads every line of the records".to_owned());
    };
    let ways: Vec<String> =
        checked.iter().map(|(how, files)| format!("{} {}", escape(how), human::number(*files))).collect();
    (!ways.is_empty()).then(|| format!("checked by {}", ways.join(", ")))
}

fn lists(out: &mut String, series: &SeriesStatus) {
    let id = escape(&series.series);
    let gaps = series.gaps.iter().map(|gap| format!("{}..{}  {}", gap.start, gap.end, human::count(gap.days, "day")));
    list(out, &format!("gaps of {id} (the end not included)"), gaps);
    let failed = series.failed.iter().map(FailedDay::line);
    list(out, &format!("days of {id} that failed when they were tried last"), failed);
    let started = series
        .started
        .iter()
        .map(|day| format!("{}  {} so far, {}", day.date, human::count(day.files, "file"), human::bytes(day.bytes)));
    list(out, &format!("days of {id} that were started and are not finished"), started);
    let refused = series.refused.iter().map(|refused| {
        let (days, job) = (&refused.days, escape(&refused.job));
        let count = human::count(days.days, "day");
        format!("{}..{}  {count} of `{job}`, which requests something else", days.start, days.end)
    });
    let apart = "(the end not included); `as: ...` or another root keeps them apart";
    list(out, &format!("days of {id} that belong to another job {apart}"), refused);
    let thin = series.thin.iter().map(|day| {
        let (files, median) = (human::count(day.files, "file"), human::number(day.median));
        format!("{}  {files}, its neighbours have about {median}", day.date)
    });
    list(out, &format!("thin days of {id}"), thin);
    let unreadable = series.unreadable.iter().map(|bad| escape(bad).into_owned());
    list(out, &format!("records of {id} that cannot be used"), unreadable);
}

fn list(out: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(SHOWN);
    for (number, line) in lines.take(SHOWN).enumerate() {
        let title = if number == 0 { format!("\n{title}\n") } else { String::new() };
        let _ = writeln!(out, "{title}  {line}");
    }
    if more > 0 {
        let _ = writeln!(out, "  and {} more: see --json", human::number(more as u64));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::archive::{Error, RecordState, Started};
    use crate::cli::status::coverage;
    use crate::day::Day;
    use crate::digest::Digest;
    use crate::failure::Class;

    fn status() -> Status {
        let (spec, other) = (Digest::sha256(b"spec"), Digest::sha256(b"other"));
        let mut facts = Vec::new();
        for date in ("2015-12-25".parse::<chrono::NaiveDate>().unwrap()).iter_days().take(12) {
            let text = date.to_string();
            let header = match text.as_str() {
                "2015-12-27" | "2015-12-28" | "2015-12-31" => Ok(None),
                "2015-12-25" | "2015-12-26" => {
                    Ok(Some(coverage::header(&text, "other", RecordState::Sealed, other, 10)))
                }
                "2015-12-29" => Err(Error::record(std::path::Path::new("days/s/2015-12-29.jsonl"), 1, "it is cut")),
                "2016-01-02" => Ok(Some(coverage::header(&text, "december", RecordState::Sealed, other, 10))),
                "2016-01-03" => Ok(Some(coverage::header(&text, "december", RecordState::Sealed, spec, 4))),
                "2016-01-05" => Ok(Some(coverage::header(&text, "december", RecordState::Provisional, spec, 10))),
                _ => Ok(Some(coverage::header(&text, "december", RecordState::Sealed, spec, 10))),
            };
            let started = || Ok((text == "2015-12-31").then_some(Started { job: None, files: 3, bytes: 1_728_000 }));
            facts.push(coverage::fact("december", &Day::whole(date), spec, header, started).unwrap());
        }
        let failed = |date: &str, error: Option<&str>, classes: &[(Class, u64)]| {
            let (date, classes) = (date.parse().unwrap(), classes.iter().copied().collect::<BTreeMap<_, _>>());
            let error_class = error.and(classes.keys().next().copied());
            (
                date,
                FailedDay {
                    date,
                    run: "20160106T000000Z-00000000000000aa".into(),
                    error: error.map(Into::into),
                    error_class,
                    classes,
                },
            )
        };
        let failed = BTreeMap::from([
            failed("2015-12-28", Some("GET http://localhost/: 503"), &[(Class::ServerError, 1)]),
            failed("2015-12-31", None, &[(Class::FitsChecksum, 2), (Class::Size, 1)]),
            // It has been repaired since.
            failed("2016-01-04", None, &[]),
        ]);
        let at = |date: &str| date.parse::<chrono::NaiveDate>().unwrap().and_time(chrono::NaiveTime::MIN);
        let range = crate::day::Window { start: at("2015-12-25"), end: at("2016-01-06") };
        let mut series = coverage::of_series("sharp_720s", range, facts, failed);
        series.absent = 2;
        series.checked = Some([("checksum".to_owned(), 1040), ("structure".to_owned(), 4)].into());
        Status {
            job: "december".into(),
            archive: "/data".into(),
            series: vec![series],
            runs: vec![PastRun {
                id: "20160106T000000Z-00000000000000aa".into(),
                started: "2016-01-06T00:00:00Z".parse().unwrap(),
                seconds: Some(4.25),
                result: crate::report::model::RunResult::Incomplete,
                exit_code: Some(4),
                ended_by: Some(crate::run::budget::Spent::Time),
                sealed: 3,
                provisional: 1,
                failed: 0,
                files: 40,
                bytes: 23_040_000,
            }],
        }
    }

    #[test]
    fn the_page_shows_a_calendar_gaps_failures_thin_days_and_runs() {
        insta::assert_snapshot!(render(&status(), None, 80, Paint(false)));
    }

    #[test]
    fn json_has_every_day_and_what_the_page_is_made_of() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&status()).unwrap());
    }
}
