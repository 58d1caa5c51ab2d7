//! Dates that are typed outside of braces: they are taken as they stand, and are most likely not meant so.

use chrono::format::{Item, StrftimeItems};

use super::{Template, TemplatePart, fill, is_of_a_date, samples};

/// A strftime field outside of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manifest) struct DateInText<'a> {
    /// As it stands there: `%Y`.
    pub(in crate::manifest) field: &'a str,
    /// The variable that takes it: `date` or `time`.
    pub(in crate::manifest) variable: &'static str,
}

impl Template {
    /// The first date as strftime writes it, such as `%Y`, in text that stands for itself.
    #[must_use]
    pub(in crate::manifest) fn date_in_text(&self) -> Option<DateInText<'_>> {
        let texts = self.parts.iter().filter_map(|part| match part {
            TemplatePart::Text(text) => Some(text.as_str()),
            TemplatePart::Variable(_) => None,
        });
        texts.flat_map(|text| text.match_indices('%').map(|(at, _)| &text[at..])).find_map(|text| {
            let field = text.get(..2).filter(|field| field.ends_with(|c: char| c.is_ascii_alphabetic()))?;
            let items: Vec<Item<'_>> = StrftimeItems::new(field).collect();
            let of_day = samples().all(|sample| is_of_a_date(&items, sample.date()));
            let of_time = samples().all(|sample| fill(&items, sample).is_some());
            let variable = if of_day { "date" } else { "time" };
            (of_time && !items.contains(&Item::Error)).then_some(DateInText { field, variable })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_outside_of_braces_is_found_with_the_variable_that_takes_it() {
        for (layout, found) in [
            ("{series}/%Y/%m/{file}", Some(("%Y", "date"))),
            ("a/{date:%Y}%j/{file}", Some(("%j", "date"))),
            ("{date:%Y}/H%H00/{file}", Some(("%H", "time"))),
            ("{series}/%20x/%/{file}", None),
            ("{series}/100%/{date:%Y/%m/%d}/{time:%H%M%S}.fits", None),
            ("%E/%Q/%z/{file}", None),
        ] {
            let template = Template::parse(layout).unwrap();
            let told = template.date_in_text().map(|DateInText { field, variable }| (field, variable));
            assert_eq!(told, found, "{layout}");
        }
    }
}
