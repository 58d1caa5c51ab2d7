//! That two files of a day never get one name: what must tell them apart stands in a path, a name or the layout.
//!
//! Known for the kinds whose names the manifest gives, `index` and `template`. What it does not do: look at names that a
//! server gives; those that collide are told by the run.

use std::time::Duration;

use chrono::NaiveDate;

use super::model::SourceSpec;
use super::path_pattern::{Piece, TimeField, Timed};
use super::template::{Template, TemplatePart, TemplateVariable};
use super::yaml_tree::Wrong;

/// The fields of a day's time with their letters, and how many seconds each lasts.
const FIELDS: [(TimeField, &str, u64); 3] =
    [(TimeField::Hour, "%H", 3600), (TimeField::Minute, "%M", 60), (TimeField::Second, "%S", 1)];

/// What to do about patterns that do not tell the date. Those of files of a month or a year cannot.
pub(super) fn date_hint(patterns: &[Option<&Timed>]) -> String {
    let has = |field: TimeField| patterns.iter().flatten().any(|pattern| pattern.has(field));
    let has_year = has(TimeField::Year) || has(TimeField::YearOfCentury);
    let has_month = has(TimeField::Month) || has(TimeField::MonthName);
    let put_in = "put it where it stands: `%Y`, `%m` and `%d`, or `%Y` and `%j`";
    let is_within_a_day = has(TimeField::Day) || has(TimeField::Hour) || has(TimeField::Minute);
    let of = match (has_year, has_month) {
        _ if is_within_a_day => return put_in.to_owned(),
        (true, true) => "month",
        (true, false) => "year",
        (false, _) => return put_in.to_owned(),
    };
    format!("{put_in}; a file of a whole {of} cannot be taken: each belongs to one day")
}

/// Checks that two times of a template never make one path.
pub(super) fn times(path: &Timed, cadence: Duration) -> Result<(), Wrong> {
    if !path.tells_date() {
        return Err(Wrong::new("the path does not contain the date").hint(date_hint(&[Some(path)])));
    }
    for (field, letter) in needed(cadence) {
        if !path.has(field) {
            let message = format!("several times of this cadence make one path: `{letter}` does not occur in it");
            return Err(Wrong::new(message).hint("add it, or write a longer `cadence`"));
        }
    }
    Ok(())
}

/// Checks that two files of a day never get one path in the archive, as far as the manifest can tell.
pub(super) fn names(spec: &SourceSpec, layout: &Template) -> Result<(), Wrong> {
    let (folders, name, fields, values) = match spec {
        SourceSpec::Template(template) => {
            let path = template.path.parts();
            let (folders, name) = split(path);
            let many = [("wavelength", template.wavelength.len() > 1), ("segment", template.segment.len() > 1)];
            let values = many.into_iter().filter(|(_, is_many)| *is_many).map(|(name, _)| name).collect();
            (folders, name, lasting(template.cadence).collect::<Vec<_>>(), values)
        }
        // What a wildcard stands for may tell more than is asked for.
        SourceSpec::Index(index) if !index.files.parts().iter().any(|p| matches!(p, Piece::Any | Piece::One)) => {
            let folders = index.path.as_ref().map(|path| path.parts().to_vec()).unwrap_or_default();
            let fields = FIELDS.into_iter().filter(|(field, ..)| folders.contains(&Piece::Time(*field))).collect();
            (folders, index.files.parts().to_vec(), fields, Vec::new())
        }
        _ => return Ok(()),
    };
    let is_named = layout.parts().contains(&TemplatePart::Variable(TemplateVariable::File));
    let stands = |piece: &dyn Fn(&Piece) -> bool| is_named && name.iter().any(piece);
    for (field, letter, seconds) in fields {
        if !stands(&|piece| *piece == Piece::Time(field)) && !layout_has(layout, seconds) {
            let place = if folders.contains(&Piece::Time(field)) { "in the folders alone" } else { "in no name" };
            let message = format!("several files of a day get one path: `{letter}` stands {place}");
            return Err(Wrong::new(message)
                .hint("write for example `layout: \"{series}/{date:%Y/%m/%d}/{time:%H%M%S}_{file}\"`"));
        }
    }
    for value in values {
        let variable = if value == "wavelength" { TemplateVariable::Wavelength } else { TemplateVariable::Segment };
        let is_it = |piece: &Piece| matches!(piece, Piece::Value { name, .. } if name == value);
        if !stands(&is_it) && !layout.parts().contains(&TemplatePart::Variable(variable)) {
            let message = format!("several files of a time get one path: `{{{value}}}` occurs only in the folders");
            let hint = format!("write for example `layout: \"{{series}}/{{date:%Y/%m/%d}}/{{{value}}}/{{file}}\"`");
            return Err(Wrong::new(message).hint(hint));
        }
    }
    Ok(())
}

/// The fields that times of this cadence differ in, with their letters.
pub(super) fn needed(cadence: Duration) -> impl Iterator<Item = (TimeField, &'static str)> {
    lasting(cadence).map(|(field, letter, _)| (field, letter))
}

fn lasting(cadence: Duration) -> impl Iterator<Item = (TimeField, &'static str, u64)> {
    let seconds = cadence.as_secs();
    let above = [86_400, 3600, 60];
    FIELDS.into_iter().zip(above).filter(move |(_, above)| !seconds.is_multiple_of(*above)).map(|(field, _)| field)
}

/// The pieces of a path before and after its last `/`.
fn split(path: &[Piece]) -> (Vec<Piece>, Vec<Piece>) {
    let (mut folders, mut name) = (Vec::new(), Vec::new());
    for piece in path {
        match piece {
            Piece::Text(text) if text.contains('/') => {
                let (before, after) = text.rsplit_once('/').unwrap_or_default();
                folders.append(&mut name);
                folders.push(Piece::Text(before.to_owned()));
                name.push(Piece::Text(after.to_owned()));
            }
            other => name.push(other.clone()),
        }
    }
    (folders, name)
}

/// True when the layout writes two times otherwise that are so many seconds apart.
fn layout_has(layout: &Template, seconds: u64) -> bool {
    let at = |seconds: u64| {
        let midnight = NaiveDate::default().and_time(chrono::NaiveTime::MIN);
        midnight + chrono::TimeDelta::seconds(i64::try_from(seconds).unwrap_or_default())
    };
    layout.parts().iter().any(|part| match part {
        TemplatePart::Variable(TemplateVariable::Time(format)) => {
            at(0).format(format).to_string() != at(seconds).format(format).to_string()
        }
        _ => false,
    })
}
