//! The questions about a day: how many records, and which ones from a row on.

use chrono::{NaiveDateTime, Timelike as _};
use url::Url;

use super::PAGE;
use crate::day::{Day, Window};
use crate::manifest::{MEDOC_CADENCES, Series, is_aia};

/// The dataset of AIA, and that of the series of HMI.
const AIA: &str = "webs_IAS_SDO_AIA_dataset";
const HMI: &str = "webs_IAS_SDO_HMI_dataset";

/// The columns that are asked for, as the service's own clients ask for them; it passes over those it does not have.
const COLUMNS: &str =
    "\"get, recnum, sunum, series_name, date__obs, wavelnth, ias_location, exptime, t_rec_index, ias_path, harpnum\"";

/// By time, and records of one time by their number: without an order, the rows of two pages may overlap.
const ORDER: &str = r#"{"ordersList":[{"field":"date__obs","direction":"ASC"},{"field":"recnum","direction":"ASC"}]}"#;

/// What is asked of a dataset about a day.
#[derive(Debug)]
pub(super) struct DatasetQuery {
    /// The dataset's folder.
    folder: Url,
    dataset: String,
    /// `p[0]`, `p[1]` and so on.
    conditions: Vec<String>,
}

impl DatasetQuery {
    pub(super) fn for_day(base: &Url, dataset: Option<&str>, series: &Series, day: &Day) -> DatasetQuery {
        let by_name = if is_aia(&series.name) { AIA } else { HMI };
        let dataset = dataset.unwrap_or(by_name).to_owned();
        let mut folder = base.clone();
        if let Ok(mut path) = folder.path_segments_mut() {
            path.pop_if_empty().push(&dataset);
        }
        let Window { start, end } = day.window;
        let mut conditions = vec![
            format!("DATE_BETWEEN|date__obs|{}|{}", label(start), label(ceiled(end))),
            format!("LISTBOXMULTIPLE|series_name|{}", series.name),
        ];
        if let Some(wavelengths) = &series.filters.wavelength {
            let all: Vec<String> = wavelengths.iter().map(ToString::to_string).collect();
            conditions.push(format!("LISTBOXMULTIPLE|wavelnth|{}", all.join("|")));
        }
        // The manifest was checked for this.
        let asked = series.filters.cadence.map(|cadence| cadence.as_secs());
        let word = MEDOC_CADENCES.iter().find(|(seconds, _)| Some(*seconds) == asked);
        conditions.extend(word.map(|(_, word)| format!("CADENCE|mask_cadence|{word}")));
        DatasetQuery { folder, dataset, conditions }
    }

    /// The dataset.
    pub(super) fn dataset(&self) -> &str {
        &self.dataset
    }

    /// `{dataset}/count?media=json&p[0]=..`
    pub(super) fn count(&self) -> Url {
        self.url("count", &[])
    }

    /// `{dataset}/records?media=json&start=..&limit=300&p[0]=..`
    pub(super) fn page(&self, start: u64) -> Url {
        self.url("records", &[("start", start.to_string()), ("limit", PAGE.to_string())])
    }

    fn url(&self, what: &str, paging: &[(&str, String)]) -> Url {
        let mut url = self.folder.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(what);
        }
        let mut query = url.query_pairs_mut();
        query.append_pair("media", "json").extend_pairs(paging);
        for (nth, condition) in self.conditions.iter().enumerate() {
            query.append_pair(&format!("p[{nth}]"), condition);
        }
        query.append_pair("colModel", COLUMNS).append_pair("sort", ORDER);
        drop(query);
        url
    }
}

/// A label as the service takes it, down to the millisecond.
fn label(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

/// The next whole millisecond: the question may be wider than the window, never narrower.
fn ceiled(at: NaiveDateTime) -> NaiveDateTime {
    let beyond = at.nanosecond() % 1_000_000;
    if beyond == 0 { at } else { at + chrono::TimeDelta::nanoseconds(i64::from(1_000_000 - beyond)) }
}
