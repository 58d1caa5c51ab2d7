//! The layout filled in: the one place where names become paths.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use chrono::{NaiveDate, NaiveDateTime};
use unicode_normalization::UnicodeNormalization as _;

use super::name::{self, sanitise};
use crate::failure::{Class, Failure};
use crate::manifest::Template;
use crate::manifest::template::{TemplatePart, TemplateVariable};
use crate::untrusted::escape;

/// A path below the root that is safe to write to: components joined by `/`, none empty, none that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(String);

impl RelativePath {
    /// As text, with `/` between components.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a path from a record, after the same checks that a layout's result passes; `None` when it fails them.
    #[must_use]
    pub fn from_record(text: &str) -> Option<RelativePath> {
        RelativePath::is_one(text).then(|| RelativePath(text.to_owned()))
    }

    /// True for a text that passes those checks.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        is_safe(text)
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a layout's variables stand for, for one file.
#[derive(Debug, Clone, Default)]
pub struct LayoutValues<'a> {
    /// The series' id.
    pub series: &'a str,
    /// The day.
    pub date: NaiveDate,
    /// The file's own time.
    pub time: NaiveDateTime,
    /// The file's name as the source or the server gave it.
    pub file: &'a str,
    /// The record's number.
    pub recnum: Option<i64>,
    /// The active region.
    pub harpnum: Option<i64>,
    /// The slot.
    pub t_rec: Option<NaiveDateTime>,
    /// The segment.
    pub segment: Option<&'a str>,
    /// The wavelength in Angstrom.
    pub wavelength: Option<i64>,
}

/// The longest path below the root, in bytes: leaves room for a root of the same length within Linux's `PATH_MAX`.
const LONGEST: usize = 2000;

/// Fills in a layout.
///
/// # Errors
/// `unsafe-path` when a variable has no value for this file, or the result is no safe path.
pub fn render(layout: &Template, values: &LayoutValues<'_>) -> Result<RelativePath, Failure> {
    let mut path = String::new();
    for part in layout.parts() {
        match part {
            TemplatePart::Text(text) => path.push_str(text),
            TemplatePart::Variable(variable) => path.push_str(&value(variable, values)?),
        }
    }
    if is_safe(&path) {
        return Ok(RelativePath(path));
    }
    Err(Failure::new(
        Class::UnsafePath,
        format!(
            "the layout `{layout}` makes `{}` of the name `{}`, which is no safe path; choose another layout",
            escape(&path),
            escape(values.file)
        ),
    ))
}

/// Stands for a name that is looked for.
const MARK: &str = "0name0to0find0";

/// The name that a layout has made this path of; `None` where it cannot have, or holds no name.
#[must_use]
pub fn name_in(layout: &Template, values: &LayoutValues<'_>, path: &str) -> Option<String> {
    let with = |name: &str| render(layout, &LayoutValues { file: name, ..values.clone() }).ok();
    let marked = with(MARK)?;
    let texts: Vec<&str> = marked.as_str().split(MARK).collect();
    // Where the name stands several times, it is as long each time.
    let times = texts.len() - 1;
    let length = path.len().checked_sub(texts.iter().map(|text| text.len()).sum())?.checked_div(times)?;
    let start = texts.first()?.len();
    let name = path.get(start..start + length)?;
    with(name).filter(|made| made.as_str() == path).map(|_| name.to_owned())
}

fn value(variable: &TemplateVariable, values: &LayoutValues<'_>) -> Result<String, Failure> {
    let missing = |name: &str| {
        Failure::new(
            Class::UnsafePath,
            format!("`{}` has no value for `{{{name}}}` of the layout; choose another layout", escape(values.file)),
        )
    };
    let component = |text: &str| {
        sanitise(text)
            .ok_or_else(|| Failure::new(Class::UnsafePath, format!("the name `{}` cannot name a file", escape(text))))
    };
    Ok(match variable {
        TemplateVariable::Series => values.series.to_owned(),
        TemplateVariable::Date(format) => written(format, values.date.format(format))?,
        TemplateVariable::Time(format) => written(format, values.time.format(format))?,
        TemplateVariable::File => component(values.file)?,
        TemplateVariable::Recnum => values.recnum.ok_or_else(|| missing("recnum"))?.to_string(),
        TemplateVariable::Harpnum => values.harpnum.ok_or_else(|| missing("harpnum"))?.to_string(),
        TemplateVariable::TRec => values.t_rec.ok_or_else(|| missing("t_rec"))?.format("%Y%m%d_%H%M%S_TAI").to_string(),
        TemplateVariable::Segment => component(values.segment.ok_or_else(|| missing("segment"))?)?,
        TemplateVariable::Wavelength => values.wavelength.ok_or_else(|| missing("wavelength"))?.to_string(),
    })
}

/// A date or a time in a format that the manifest was checked for.
fn written(format: &str, filled: impl fmt::Display) -> Result<String, Failure> {
    let mut text = String::new();
    // To a string it would panic where the format asks for what there is not.
    write!(text, "{filled}").map_err(|_| {
        Failure::new(Class::UnsafePath, format!("the format `{}` of the layout cannot be filled in", escape(format)))
    })?;
    Ok(text)
}

/// True when no two days can get one path of this layout: it begins with the series' own folder and holds the whole
/// date.
#[must_use]
pub fn keeps_days_apart(layout: &Template) -> bool {
    let [TemplatePart::Variable(TemplateVariable::Series), TemplatePart::Text(text), rest @ ..] = layout.parts() else {
        return false;
    };
    let is_whole = |format: &str| {
        let has = |code: &str| format.contains(code);
        has("%F") || (has("%Y") && (has("%j") || (has("%m") && has("%d"))))
    };
    text.starts_with('/')
        && rest
            .iter()
            .any(|part| matches!(part, TemplatePart::Variable(TemplateVariable::Date(format)) if is_whole(format)))
}

/// True when a layout could give this path to a file of the day, whatever the file is called.
#[must_use]
pub(super) fn can_give(layout: &Template, series: &str, date: NaiveDate, path: &str) -> bool {
    let pieces = layout.parts().iter().map(|part| match part {
        TemplatePart::Text(text) => Some(text.clone()),
        TemplatePart::Variable(TemplateVariable::Series) => Some(series.to_owned()),
        TemplatePart::Variable(TemplateVariable::Date(format)) => written(format, date.format(format)).ok(),
        TemplatePart::Variable(_) => None,
    });
    // Each fixed text in its order, and anything where a variable stands: what a text may begin at.
    let mut starts: BTreeSet<usize> = [0].into();
    for piece in pieces {
        starts = match piece {
            Some(text) => {
                let ends = starts.into_iter().filter(|at| path[*at..].starts_with(&text)).map(|at| at + text.len());
                ends.collect()
            }
            None => match starts.first().copied() {
                Some(first) => {
                    let ends = path.char_indices().map(|(at, _)| at).chain([path.len()]);
                    ends.filter(|at| *at > first).collect()
                }
                None => starts,
            },
        };
    }
    starts.contains(&path.len())
}

/// True for a relative path whose components are all safe as they stand.
fn is_safe(path: &str) -> bool {
    path.len() <= LONGEST && path.split('/').all(name::is_safe)
}

/// What two paths share when a filesystem may take them for one: case folded, in NFC.
#[must_use]
pub fn folded(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_equal_but_for_case_or_unicode_form_fold_to_one() {
        assert_eq!(folded("A/e\u{301}.fits"), folded("a/\u{e9}.FITS"));
        assert_ne!(folded("a.fits"), folded("b.fits"));
    }

    #[test]
    fn a_path_tells_the_name_that_a_layout_made_it_of() {
        let values = LayoutValues {
            series: "s",
            date: NaiveDate::from_ymd_opt(2015, 12, 11).unwrap(),
            ..LayoutValues::default()
        };
        for (layout, path, name) in [
            ("{series}/{date:%F}/{file}", "s/2015-12-11/a.fits", Some("a.fits")),
            ("{series}/{date:%F}_{file}.old", "s/2015-12-11_a.fits.old", Some("a.fits")),
            ("{series}/{file}/{file}", "s/a/a", Some("a")),
            ("{file}/{date:%F}_{file}/{file}.old", "é.fits/2015-12-11_é.fits/é.fits.old", Some("é.fits")),
            ("{series}/{file}/{file}", "s/a/b", None),
            ("{series}/{file}/{file}", "s/a/bc", None),
            ("{series}/{file}/{file}", "s/", None),
            ("{series}/{date:%F}/{file}", "s/2015-12-12/a.fits", None),
            ("{series}/{date:%F}/{file}", "s/2015-12-11/", None),
            ("{series}/{date:%F}/{file}", "s/2015-12-11/b/a.fits", None),
            ("{series}/{time:%H%M%S}.fits", "s/000000.fits", None),
            ("{series}/{recnum}_{file}", "s/1_a.fits", None),
        ] {
            let found = name_in(&Template::parse(layout).unwrap(), &values, path);
            assert_eq!(found.as_deref(), name, "{layout} {path}");
        }
    }

    #[test]
    fn a_layout_keeps_days_apart_by_series_and_whole_date() {
        let apart = |layout: &str| keeps_days_apart(&Template::parse(layout).unwrap());
        assert!(keeps_days_apart(&Template::default_of_kind()));
        assert!(apart("{series}/{date:%F}/{file}") && apart("{series}/all/{date:%Y%j}_{file}"));
        for shared in [
            "{file}",
            "{date:%Y/%m/%d}/{file}",
            "{series}/{file}",
            "{series}/{date:%Y/%m}/{file}",
            "{series}{date:%F}/{file}",
            "x/{series}/{date:%F}/{file}",
            "{series}/{time:%F}/{file}",
        ] {
            assert!(!apart(shared), "{shared}");
        }
    }

    #[test]
    fn a_layout_can_give_the_paths_of_its_own_days_and_no_others() {
        let can = |layout: &str, date: &str, path: &str| {
            can_give(&Template::parse(layout).unwrap(), "s", date.parse().unwrap(), path)
        };
        let own = "{series}/{date:%Y/%m/%d}/{file}";
        assert!(can(own, "2016-01-02", "s/2016/01/02/f.fits") && !can(own, "2016-02-01", "s/2016/01/02/f.fits"));
        assert!(can("{series}/{date:%Y/%d/%m}/{file}", "2016-02-01", "s/2016/01/02/f.fits"));
        assert!(!can(own, "2016-01-02", "t/2016/01/02/f.fits") && !can(own, "2016-01-02", "s/2016/01/02/"));
        assert!(can("{file}_{date:%F}.dat", "2016-01-02", "a_2016-01-02_2016-01-02.dat"));
        assert!(!can("{file}_{date:%F}.dat", "2016-01-02", "a_2016-01-02.data"));
    }

    #[test]
    fn only_safe_relative_paths_are_taken_from_records() {
        assert!(RelativePath::from_record("sharp/2015/a.fits").is_some());
        for path in ["", "/a", "a//b", "../a", "a/..", ".sunhaul/days/x", "a\\b", "a/-b", "a\nb"] {
            assert_eq!(RelativePath::from_record(path), None, "{path:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_format_that_a_manifest_may_have_makes_the_layout_panic(
            format in "(%[-_0#]?[.:36]?[A-Za-z%]|[-_./a]){1,4}", is_date: bool, seconds in -2_000_000_000i64..4_000_000_000,
            micros in proptest::prop_oneof![proptest::strategy::Just(0u32), 0u32..1_000_000],
        ) {
            let text = format!("{{series}}/{{{}:{format}}}/{{file}}", if is_date { "date" } else { "time" });
            if let Ok(layout) = Template::parse(&text) {
                let time = chrono::DateTime::from_timestamp(seconds, micros * 1000).unwrap().naive_utc();
                let values = LayoutValues { series: "s", date: time.date(), time, file: "a.fits", ..LayoutValues::default() };
                if let Err(failure) = render(&layout, &values) {
                    proptest::prop_assert!(failure.message.contains("which is no safe path"), "{}: {}", text, failure);
                }
            }
        }
    }
}
