//! The layout as typed: text with variables, parsed and found unable to leave the root.
//!
//! What it does not do: fill in values. `archive::layout` does.

mod date_in_text;

use std::fmt::{self, Write as _};
use std::ops::Range;

use chrono::format::{Item, StrftimeItems};
use chrono::{NaiveDate, NaiveDateTime};

use super::suggest_word::nearest;
use crate::untrusted::escape;
pub(super) use date_in_text::DateInText;

/// The layout when a manifest gives none.
const DEFAULT: &str = "{series}/{date:%Y/%m/%d}/{file}";

/// A parsed layout such as `{series}/{date:%Y/%m/%d}/{file}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<TemplatePart>,
}

/// A piece of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text that stands for itself; may hold `/`.
    Text(String),
    /// A variable, with its strftime format where it takes one.
    Variable(TemplateVariable),
}

/// What a layout can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateVariable {
    /// The series' id.
    Series,
    /// The day, by strftime.
    Date(String),
    /// The file's own time, by strftime.
    Time(String),
    /// The file's name.
    File,
    /// The record number.
    Recnum,
    /// The active region's number.
    Harpnum,
    /// The slot, as `YYYYmmdd_HHMMSS_TAI`.
    TRec,
    /// The segment's name.
    Segment,
    /// The wavelength in Angstrom.
    Wavelength,
}

/// Why a text is no layout: a message and a hint, and the byte range in the text that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Where in the text.
    pub at: Range<usize>,
}

/// The names of the variables; those that take a strftime format end in `:`.
const NAMES: &[&str] = &["series", "date:", "time:", "file", "recnum", "harpnum", "t_rec", "segment", "wavelength"];

/// What people call parts of a date, and how they are written.
const PARTS_OF_DATES: &[(&str, &str)] = &[
    ("year", "date:%Y"),
    ("yyyy", "date:%Y"),
    ("month", "date:%m"),
    ("mm", "date:%m"),
    ("day", "date:%d"),
    ("dd", "date:%d"),
    ("doy", "date:%j"),
    ("hour", "time:%H"),
    ("minute", "time:%M"),
];

impl TemplateError {
    fn new(at: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> TemplateError {
        TemplateError { message: message.into(), hint: Some(hint.into()), at }
    }
}

impl Template {
    /// Parses a layout and proves what can be proved without values: it is relative, has no `..`, no backslash, no
    /// control character, no component that starts with a dot or a dash, and tells files apart.
    ///
    /// # Errors
    /// The first [`TemplateError`] found.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let whole = 0..text.len();
        if text.is_empty() || text.len() > 500 {
            let example = format!("write for example `{DEFAULT}`");
            return Err(TemplateError::new(whole, "a layout has 1 to 500 characters", example));
        }
        let mut parts = Vec::new();
        let mut at = 0;
        while at < text.len() {
            if text[at..].starts_with('{') {
                let Some(length) = text[at..].find('}') else {
                    return Err(TemplateError::new(
                        at..text.len(),
                        "a `{` without its `}`",
                        "close the variable with `}`",
                    ));
                };
                let inside = at + 1..at + length;
                parts.push(TemplatePart::Variable(variable(text, inside)?));
                at += length + 1;
            } else {
                let end = text[at..].find('{').map_or(text.len(), |length| at + length);
                literal(text, at..end)?;
                parts.push(TemplatePart::Text(text[at..end].to_owned()));
                at = end;
            }
        }
        components(text, &parts)?;
        let template = Template { text: text.to_owned(), parts };
        if !template.tells_records_apart() {
            let message =
                "a layout that gives several records of a day one name: nothing in it tells their times apart";
            let hint = "add `{file}`, `{recnum}`, `{t_rec}` or `{time:%H%M%S}`";
            return Err(TemplateError::new(whole, message, hint));
        }
        Ok(template)
    }

    /// The layout when a manifest gives none.
    ///
    /// Its files never collide: `{file}` holds the record's number where base names repeat.
    #[must_use]
    pub fn default_of_kind() -> Template {
        // Kept in step with DEFAULT by a test.
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let parts = vec![
            TemplatePart::Variable(TemplateVariable::Series),
            text("/"),
            TemplatePart::Variable(TemplateVariable::Date("%Y/%m/%d".to_owned())),
            text("/"),
            TemplatePart::Variable(TemplateVariable::File),
        ];
        Template { text: DEFAULT.to_owned(), parts }
    }

    /// True when the layout holds `{series}`.
    #[must_use]
    pub fn names_series(&self) -> bool {
        self.parts.contains(&TemplatePart::Variable(TemplateVariable::Series))
    }

    /// True when the layout holds `{file}`.
    #[must_use]
    pub fn names_file(&self) -> bool {
        self.parts.contains(&TemplatePart::Variable(TemplateVariable::File))
    }

    fn tells_records_apart(&self) -> bool {
        self.parts.iter().any(|part| match part {
            TemplatePart::Variable(TemplateVariable::File | TemplateVariable::Recnum | TemplateVariable::TRec) => true,
            TemplatePart::Variable(TemplateVariable::Time(format)) => changes_within_a_day(format),
            TemplatePart::Variable(_) | TemplatePart::Text(_) => false,
        })
    }

    /// The layout as typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads what stands between braces.
fn variable(text: &str, inside: Range<usize>) -> Result<TemplateVariable, TemplateError> {
    let content = &text[inside.clone()];
    let (name, format) = match content.split_once(':') {
        Some((name, format)) => (name, Some(format)),
        None => (content, None),
    };
    let plain = match name {
        "date" | "time" => {
            let example = format!("write `{{{name}:%Y/%m/%d}}`");
            let Some(format) = format else {
                return Err(TemplateError::new(inside, format!("`{{{name}}}` needs a format"), example));
            };
            let start = inside.end - format.len();
            strftime(text, start..inside.end, name == "date")?;
            let format = format.to_owned();
            return Ok(if name == "date" { TemplateVariable::Date(format) } else { TemplateVariable::Time(format) });
        }
        "series" => TemplateVariable::Series,
        "file" => TemplateVariable::File,
        "recnum" => TemplateVariable::Recnum,
        "harpnum" => TemplateVariable::Harpnum,
        "t_rec" => TemplateVariable::TRec,
        "segment" => TemplateVariable::Segment,
        "wavelength" => TemplateVariable::Wavelength,
        other => {
            let names = NAMES.iter().map(|name| name.trim_end_matches(':'));
            let of_date = PARTS_OF_DATES.iter().find(|(part, _)| other.eq_ignore_ascii_case(part));
            let hint = match (of_date, nearest(other, names.clone())) {
                (Some((_, written)), _) => format!("write `{{{written}}}`"),
                (None, Some(near)) => format!("did you mean `{{{near}}}`?"),
                (None, None) => format!("known: {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err(TemplateError::new(inside, format!("unknown variable `{{{}}}`", escape(other)), hint));
        }
    };
    match format {
        None => Ok(plain),
        Some(_) => {
            Err(TemplateError::new(inside, format!("`{{{name}}}` takes no format"), format!("write `{{{name}}}`")))
        }
    }
}

/// Checks a strftime format, and that what it gives is safe in a path.
fn strftime(text: &str, at: Range<usize>, of_day: bool) -> Result<(), TemplateError> {
    let format = &text[at.clone()];
    let hint = "write for example `%Y/%m/%d`, or `%H%M%S` in `{time:...}`";
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if format.is_empty() || items.contains(&Item::Error) {
        return Err(TemplateError::new(at, "a date format that strftime does not know", hint));
    }
    if has_repeated_letter(format) {
        let hint = "`%Y` is the year, `%m` the month, `%d` the day, each written once: `%Y-%m-%d`";
        return Err(TemplateError::new(at, "a date format in which a letter is repeated", hint));
    }
    literal(text, at.clone())?;
    for sample in samples() {
        let Some(filled) = fill(&items, sample) else {
            return Err(TemplateError::new(at, "a date format with a time zone; labels have none", hint));
        };
        if of_day && !is_of_a_date(&items, sample.date()) {
            let hint = "use `{time:...}` for the file's own time";
            return Err(TemplateError::new(at, "`{date}` is the day; it has no time of day", hint));
        }
        if filled.contains(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))) {
            let message = format!("a date format that gives `{}`, which is awkward in a path", escape(&filled));
            return Err(TemplateError::new(at, message, hint));
        }
    }
    Ok(())
}

/// True for `%YYYY` and `%MM`, as other programs write dates: strftime would take the letters behind the first for text.
fn has_repeated_letter(format: &str) -> bool {
    format.as_bytes().windows(3).any(|part| part[0] == b'%' && part[1].is_ascii_alphabetic() && part[1] == part[2])
}

/// Times that a format is tried with: one whose every number has one digit, so that padding shows, and others where what
/// is optional is left out or has its full length. They have no offset, as labels have none.
fn samples() -> impl Iterator<Item = NaiveDateTime> {
    let at = |(year, month, day), (hour, minute, second, micros)| {
        NaiveDate::from_ymd_opt(year, month, day)?.and_hms_micro_opt(hour, minute, second, micros)
    };
    [at((2015, 2, 3), (4, 5, 6, 789)), at((2000, 1, 1), (0, 0, 0, 0)), at((1999, 12, 31), (23, 59, 59, 999_999))]
        .into_iter()
        .flatten()
}

/// What a format gives for a time; none where it asks for what no label has.
fn fill(items: &[Item<'_>], at: NaiveDateTime) -> Option<String> {
    let mut filled = String::new();
    write!(filled, "{}", at.format_with_items(items.iter())).is_ok().then_some(filled)
}

/// True when a format can be filled with a date alone.
fn is_of_a_date(items: &[Item<'_>], date: NaiveDate) -> bool {
    write!(String::new(), "{}", date.format_with_items(items.iter())).is_ok()
}

/// Checks text that stands for itself.
fn literal(text: &str, at: Range<usize>) -> Result<(), TemplateError> {
    for (offset, c) in text[at.clone()].char_indices() {
        let place = at.start + offset..at.start + offset + c.len_utf8();
        if c == '}' {
            return Err(TemplateError::new(place, "a `}` without its `{`", "write variables as `{name}`"));
        }
        if c == '\\' {
            return Err(TemplateError::new(place, "a backslash in a layout", "folders are divided by `/`"));
        }
        if !(c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | '+' | '%')) {
            let message = format!("`{}` in a layout", escape(&c.to_string()));
            return Err(TemplateError::new(place, message, "use letters, digits and `. _ - = +`"));
        }
    }
    Ok(())
}

/// Checks the folders and the name that a layout gives. A variable stands for one character here: values are made safe
/// when they are filled in.
fn components(text: &str, parts: &[TemplatePart]) -> Result<(), TemplateError> {
    samples().try_for_each(|sample| components_at(text, parts, sample))
}

fn components_at(text: &str, parts: &[TemplatePart], sample: NaiveDateTime) -> Result<(), TemplateError> {
    let whole = 0..text.len();
    let path: String = parts
        .iter()
        .map(|part| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Variable(TemplateVariable::Date(format) | TemplateVariable::Time(format)) => {
                fill(&StrftimeItems::new(format).collect::<Vec<_>>(), sample).unwrap_or_default()
            }
            TemplatePart::Variable(_) => "x".to_owned(),
        })
        .collect();
    if path.starts_with('/') {
        return Err(TemplateError::new(
            whole,
            "a layout that starts at the root of the disk",
            "take the first `/` away",
        ));
    }
    for component in path.split('/') {
        let (message, hint) = match component {
            "" => ("a layout with an empty folder or file name", "take the `/` at its end, or one of two, away"),
            ".." | "." => ("a layout that can leave the archive", "take the `.` or `..` out"),
            other if other.starts_with(['.', '-']) => {
                ("a layout with a name that begins with a dot or a dash", "begin it with a letter or a variable")
            }
            other if other.ends_with('.') => ("a layout with a name that ends with a dot", "take the dot away"),
            _ => continue,
        };
        return Err(TemplateError::new(whole, message, hint));
    }
    Ok(())
}

/// True when a strftime format gives two times of one day different texts.
fn changes_within_a_day(format: &str) -> bool {
    let at = |hour, minute, second| {
        let time = NaiveDate::from_ymd_opt(2015, 2, 3).and_then(|date| date.and_hms_opt(hour, minute, second));
        time.map(|time| time.format(format).to_string())
    };
    at(1, 2, 3) != at(14, 25, 36)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_layout_is_what_its_text_says() {
        assert_eq!(Template::parse(DEFAULT), Ok(Template::default_of_kind()));
        assert!(Template::default_of_kind().names_series());
    }

    #[test]
    fn layouts_that_stay_inside_and_tell_files_apart_are_taken() {
        for good in [
            "{file}",
            "{date:%Y}/{file}",
            "{series}/{time:%Y-%m-%dT%H%M%S}.fits",
            "{harpnum}/{t_rec}.{segment}.fits",
            "all/{recnum}.{segment}.fits",
            "{date:%Y.%m.%d}/H{time:%H}00/{file}",
        ] {
            assert!(Template::parse(good).is_ok(), "{good}: {:?}", Template::parse(good));
        }
    }

    #[test]
    fn dates_as_other_programs_write_them_are_led_to_strftime() {
        let hint = |text: &str| Template::parse(text).unwrap_err().hint.unwrap_or_default();
        assert_eq!(hint("{year}/{file}"), "write `{date:%Y}`");
        assert_eq!(hint("{MM}/{file}"), "write `{date:%m}`");
        assert_eq!(hint("{fil}"), "did you mean `{file}`?");
        let once = "`%Y` is the year, `%m` the month, `%d` the day, each written once: `%Y-%m-%d`";
        assert_eq!(hint("{date:%YYYY-%MM-%DD}/{file}"), once);
    }

    #[test]
    fn layouts_that_could_leave_the_root_or_mean_nothing_are_refused() {
        for bad in [
            "",
            "/{file}",
            "../{file}",
            "a/../{file}",
            "a/./{file}",
            "a//{file}",
            "{file}/",
            "a\\{file}",
            ".a/{file}",
            "-a/{file}",
            "{date:.%Y}/{file}",
            "{date:%Y/../%m}/{file}",
            "{file",
            "file}",
            "{}",
            "{fil}",
            "{file:%Y}",
            "{date}/{file}",
            "{date:}/{file}",
            "{date:%Q}/{file}",
            "{date:%}/{file}",
            "{date:%H}/{file}",
            "{time:%z}/{file}",
            "{series}",
            "{date:%Y}",
            "{segment}.fits",
            "{series}/{date:%Y}/{segment}.fits",
            "{time:%Y%m%d}.{segment}.fits",
            "a\u{1b}/{file}",
            "{file}\n",
            "{a{file}}",
            "a:{file}",
            "é/{file}",
            "{date:%n}/{file}",
            "{time:%T}.fits",
            "x./{file}",
            "{date:/%Y}/{file}",
            "{date:%F_%-H}/{file}",
            "{date:%-M}/{file}",
            "{date:%.f}/{file}",
            "{date:%3f}/{file}",
            "{date:%0H}/{file}",
            "{date:%-I%P}/{file}",
            "{date:%s}/{file}",
            "{time:%#z}/{file}",
            "{time:%+}/{file}",
            "{time:%.f}/{file}",
            "a{time:%.f}",
            "{time:%H%M%S}{time:%.f}/{file}.",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        assert!(Template::parse(&"a".repeat(600)).is_err());
    }

    #[test]
    fn a_mistyped_variable_is_pointed_at_and_its_neighbour_named() {
        let problem = Template::parse("{series}/{fiel}").unwrap_err();
        assert_eq!(problem.at, 10..14);
        assert_eq!(problem.hint.as_deref(), Some("did you mean `{file}`?"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*|[{}a-z%:./-]*") {
            if let Err(problem) = Template::parse(&text) {
                prop_assert!(text.get(problem.at.clone()).is_some() || text.is_empty());
            }
        }
    }
}
