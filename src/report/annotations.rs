//! Annotations as GitHub reads them from a job's output: `::error file=jobs/x.yaml,line=3,title=...::message`.
//!
//! Source: the documented workflow commands, and their escapes as GitHub's own toolkit writes them: `%`, CR and LF in a
//! message, and `:` and `,` too in a property. It does not print; `cli` does, where GitHub reads along.

use std::collections::HashMap;
use std::fmt;
use std::fmt::Write as _;

use chrono::NaiveDate;

use super::human;
use super::model::{Report, ReportDay, ReportFailure};
use super::terminal::{folded, safe, why};
use crate::manifest::Diagnostics;
use crate::run::event::DayState;
use crate::untrusted::{acts, escape};

/// GitHub shows so many of each kind for a step.
const SHOWN: usize = 10;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something may be.
    Warning,
}

/// One remark, at a place of a file where there is one. Its `Display` is the one line that GitHub reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How much it matters.
    pub level: Level,
    /// The file, below the repository's root.
    pub file: Option<String>,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What it is about, in a few words.
    pub title: String,
    /// What is to be said; may have several lines.
    pub message: String,
}

impl Annotation {
    /// A remark about no place.
    #[must_use]
    pub fn new(level: Level, title: impl Into<String>, message: impl Into<String>) -> Annotation {
        Annotation { level, file: None, place: None, title: title.into(), message: message.into() }
    }

    /// The same about a file.
    #[must_use]
    pub fn about(mut self, file: &str) -> Annotation {
        self.file = Some(file.to_owned());
        self
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "::{word} ")?;
        if let Some(file) = &self.file {
            write!(f, "file={},", property(file))?;
        }
        if let Some((line, column)) = self.place {
            write!(f, "line={line},col={column},")?;
        }
        write!(f, "title={}::{}", property(&self.title), data(&self.message))
    }
}

/// What is wrong with manifests; `named` gives a path below the repository's root.
#[must_use]
pub fn of_manifests(wrong: &[Diagnostics], named: impl Fn(&std::path::Path) -> String) -> Vec<Annotation> {
    let count: usize = wrong.iter().map(Diagnostics::count).sum();
    let all = wrong.iter().flat_map(Diagnostics::list).map(|one| {
        let hint = one.hint.as_deref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let mut annotation = Annotation::new(Level::Error, "manifest", format!("{}{hint}", one.message));
        annotation.file = Some(named(&one.path));
        annotation.place = (one.line > 0).then_some((one.line, one.column));
        annotation
    });
    bounded(all, count)
}

/// The days of a run that failed, that drifted from the lock, and that another process holds; `manifest` is the path
/// below the repository's root.
#[must_use]
pub fn of_run(report: &Report, manifest: &str) -> Vec<Annotation> {
    let state = |wanted: DayState| report.days.iter().filter(move |day| day.state == wanted);
    let told = told_days(&report.failures);
    let failures: Vec<Annotation> = state(DayState::Failed)
        .filter_map(|day| of_day(day, told.get(&(day.series.as_str(), day.date))))
        .map(|annotation| annotation.about(manifest))
        .collect();
    let count = failures.len();
    let mut all = bounded(failures.into_iter(), count);
    if let Some(drift) = report.drift.as_ref().filter(|drift| !drift.days.is_empty()) {
        let drifted = drift.days.iter().map(|day| {
            let title = format!("{} {} differs from the lock", escape(&day.series), day.date);
            Annotation::new(Level::Error, title, day.words()).about(manifest)
        });
        let count = drift.days.len() as u64 + drift.days_omitted;
        all.extend(bounded(drifted, usize::try_from(count).unwrap_or(usize::MAX)));
        all.truncate(SHOWN);
    }
    let held_days = state(DayState::Held).map(|day| {
        let why = day.error.as_deref().map_or_else(|| "another process has it".to_owned(), safe);
        Annotation::new(Level::Warning, format!("{} {} is held", escape(&day.series), day.date), why).about(manifest)
    });
    all.extend(bounded(held_days, state(DayState::Held).count()));
    all
}

/// What is told of one day that failed: its first failure, how many it has, and for how many days that one stands; none
/// for a day that failed whole for the reason of an earlier one.
type Told<'a> = (&'a ReportFailure, usize, u64);

fn told_days(failures: &[ReportFailure]) -> HashMap<(&str, NaiveDate), Told<'_>> {
    let mut all: HashMap<(&str, NaiveDate), Told<'_>> = HashMap::new();
    for failure in failures {
        all.entry((failure.series.as_str(), failure.date)).or_insert((failure, 0, 0)).1 += 1;
    }
    for (failure, days) in folded(failures) {
        if let Some(told) = all.get_mut(&(failure.series.as_str(), failure.date)) {
            told.2 = told.2.max(days);
        }
    }
    all
}

fn of_day(day: &ReportDay, told: Option<&Told<'_>>) -> Option<Annotation> {
    let series = escape(&day.series);
    let Some((first, failures, days)) = told else {
        let why = day.error.as_deref().map_or_else(|| "files of it are missing".to_owned(), safe);
        return Some(Annotation::new(Level::Error, format!("{series} {}: failed", day.date), why));
    };
    let others = match days {
        0 => return None,
        1 => String::new(),
        days => format!(" and {}", human::count(days - 1, "further day")),
    };
    let what = first.path.as_deref().or(first.key.as_deref()).map(|what| format!("{} ", escape(what)));
    let (told, hint) = why(first.class, first.attempts, &first.message);
    let more = match failures - 1 {
        0 => String::new(),
        more => format!("\nand {}", human::count(more as u64, "further failure")),
    };
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let title = format!("{series} {}{others}: {}", day.date, first.class);
    Some(Annotation::new(Level::Error, title, format!("{}{told}{more}{hint}", what.unwrap_or_default())))
}

/// As many as GitHub shows; the last of them says how many there are besides.
fn bounded(all: impl Iterator<Item = Annotation>, count: usize) -> Vec<Annotation> {
    let mut kept: Vec<Annotation> = all.take(SHOWN).collect();
    if count > SHOWN
        && let Some(last) = kept.last_mut()
    {
        let more = human::number((count + 1 - SHOWN) as u64);
        let (level, file) = (last.level, last.file.take());
        *last = Annotation::new(level, format!("and {more} more"), "GitHub shows ten of them; the log has all");
        last.file = file;
    }
    kept
}

/// What follows the second `::`.
fn data(text: &str) -> String {
    escaped(text, |c| matches!(c, '%' | '\r' | '\n'))
}

/// The value of a property.
fn property(text: &str) -> String {
    escaped(text, |c| matches!(c, '%' | '\r' | '\n' | ':' | ','))
}

/// Writes out in percents what GitHub takes for its own, and in our way what acts on a terminal. An older form of
/// commands, `##[error]`, is read anywhere in a line: no text may hold its beginning.
fn escaped(text: &str, is_special: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_special(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else if acts(c) || (c == '#' && out.ends_with('#')) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::calendar::tests::{bare, day};
    use super::*;

    /// The command in a line as GitHub's runner reads it: word, properties, message.
    fn read(line: &str) -> (String, Vec<(String, String)>, String) {
        let (head, message) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")).expect("a command");
        let (word, properties) = head.split_once(' ').expect("properties");
        let undo = |text: &str| {
            let pairs = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
            pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        };
        let pairs = properties.split(',').map(|pair| pair.split_once('=').expect("a value"));
        (word.to_owned(), pairs.map(|(key, value)| (key.to_owned(), undo(value))).collect(), undo(message))
    }

    fn hostile() -> Annotation {
        let mut annotation = Annotation::new(Level::Error, "a,line=9::b\n::error::c", "x\r\n::set-env name=A::b %0A");
        annotation.file = Some("jobs/a,b::c.yaml".into());
        annotation.place = Some((3, 7));
        annotation
    }

    #[test]
    fn c_01_no_text_is_a_command_or_a_property_of_one() {
        let line = hostile().to_string();
        assert_eq!(line.lines().count(), 1);
        assert_eq!(
            line,
            "::error file=jobs/a%2Cb%3A%3Ac.yaml,line=3,col=7,title=a%2Cline=9%3A%3Ab%0A%3A%3Aerror%3A%3Ac\
             ::x%0D%0A::set-env name=A::b %250A"
        );
        let (word, properties, message) = read(&line);
        assert_eq!((word.as_str(), properties.len()), ("error", 4));
        assert_eq!(properties[3].1, "a,line=9::b\n::error::c");
        assert_eq!(message, "x\r\n::set-env name=A::b %0A");
    }

    #[test]
    fn c_01_the_older_form_of_commands_is_in_no_line() {
        let annotation = Annotation::new(Level::Warning, "##[add-mask]x", "a ###[error]\u{1b}[2J");
        assert_eq!(annotation.to_string(), "::warning title=#\\u{23}[add-mask]x::a #\\u{23}#[error]\\u{1b}[2J");
    }

    #[test]
    fn github_shows_ten_of_a_kind_and_the_last_says_how_many_more() {
        let mut report = bare();
        report.days = (1..=15).map(|n| day("s", &format!("2015-12-{n:02}"), DayState::Failed, 0)).collect();
        report.totals.days.failed = 15;
        report.days.push(day("s", "2015-12-20", DayState::Held, 0));
        report.totals.days.held = 1;
        let all = of_run(&report, "jobs/s.yaml");
        assert_eq!(all.len(), 11);
        assert_eq!((all[8].title.as_str(), all[9].title.as_str()), ("s 2015-12-09: failed", "and 6 more"));
        assert_eq!((all[10].level, all[10].file.as_deref()), (Level::Warning, Some("jobs/s.yaml")));
    }

    #[test]
    fn days_that_failed_whole_for_one_reason_are_told_once() {
        let mut report = bare();
        let dates: Vec<String> = (1..=30).map(|n| format!("2015-11-{n:02}")).collect();
        report.days = dates.iter().map(|date| day("s", date, DayState::Failed, 0)).collect();
        let failure = |date: &String| ReportFailure {
            series: "s".into(),
            date: date.parse().unwrap(),
            key: None,
            path: None,
            class: crate::failure::Class::Unreachable,
            attempts: 1,
            status: None,
            message: format!("http://localhost:1/?day={date}: refused; hint: is it up?"),
        };
        report.failures = dates.iter().map(failure).collect();
        let told: Vec<String> = of_run(&report, "s.yaml").iter().map(ToString::to_string).collect();
        let expected = "::error file=s.yaml,title=s 2015-11-01 and 29 further days%3A unreachable\
                        ::unreachable: http://localhost:1/?day=2015-11-01: refused%0Ahint: is it up?";
        assert_eq!(told, [expected]);
    }

    proptest! {
        #[test]
        fn c_01_any_text_reads_back_in_its_own_place(text in "[ -~]{0,40}|[%:,\r\n#=0AaD]{0,30}|\\PC{0,20}") {
            let mut annotation = Annotation::new(Level::Error, text.clone(), text.clone());
            annotation.file = Some(text.clone());
            let line = annotation.to_string();
            prop_assert!(!line.contains(['\n', '\r']) && !line.contains("##"), "{}", line);
            let (word, properties, message) = read(&line);
            let keys: Vec<&str> = properties.iter().map(|(key, _)| key.as_str()).collect();
            prop_assert_eq!((word.as_str(), keys), ("error", vec!["file", "title"]));
            if !text.chars().any(acts) && !text.contains("##") {
                prop_assert_eq!(&message, &text);
                prop_assert_eq!(&properties[0].1, &text);
            }
        }
    }
}
