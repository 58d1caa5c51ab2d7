//! URLs that follow from the time: nothing is listed, and what is not there answers 404 when it is fetched.
//!
//! It does not ask whether a file exists.

use std::sync::Arc;

use chrono::{NaiveDateTime, TimeDelta};
use url::Url;

use super::index::link::{below, last_part};
use super::{Listed, Listing, Memory, RemoteFile, Source};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::{Series, Timetable};
use crate::net::{Client, shown};

/// A timetable of files below one base.
#[derive(Debug)]
pub struct TemplateSource {
    spec: Timetable,
    base: Url,
    client: Client,
}

impl TemplateSource {
    /// The files that `spec` tells below `base`, whose path ends in `/`.
    #[must_use]
    pub fn new(spec: Timetable, base: Url, client: Client) -> TemplateSource {
        TemplateSource { spec, base, client }
    }

    async fn ask(&self, series: &Series, day: &Day) -> Result<Listed, Failure> {
        let listed = self.listed(series, day)?;
        let urls: Vec<&Url> = listed.files.iter().map(|file| &file.url).collect();
        self.client.permit(&urls).await?;
        Ok(listed)
    }

    /// The day's files: each time of the timetable, for each wavelength and each segment.
    fn listed(&self, series: &Series, day: &Day) -> Result<Listed, Failure> {
        let Timetable { wavelength, segment, .. } = &self.spec;
        let wavelengths: Vec<Option<i64>> = or_none(wavelength.iter().copied());
        let segments: Vec<Option<&str>> = or_none(segment.iter().map(String::as_str));
        let mut files = Vec::new();
        let mut left_out = 0;
        for (time, is_kept) in self.times(series, day) {
            if !is_kept {
                left_out += (wavelengths.len() * segments.len()) as u64;
                continue;
            }
            for wavelength in &wavelengths {
                for segment in &segments {
                    files.push(self.file(time, *wavelength, *segment)?);
                }
            }
        }
        Listed { files, left_out, ..Listed::default() }.folded()
    }

    /// The times within the day's window, and whether the series' own cadence keeps each.
    fn times(&self, series: &Series, day: &Day) -> impl Iterator<Item = (NaiveDateTime, bool)> {
        let asked = series.filters.cadence.map(|asked| asked.as_secs());
        let midnight = day.date.and_time(chrono::NaiveTime::MIN);
        let window = day.window;
        let step = usize::try_from(self.spec.cadence.as_secs()).unwrap_or(usize::MAX).max(1);
        (0..86_400u32).step_by(step).filter_map(move |seconds| {
            let time = midnight + TimeDelta::seconds(i64::from(seconds));
            let is_kept = asked.is_none_or(|asked| u64::from(seconds).is_multiple_of(asked));
            window.contains(time).then_some((time, is_kept))
        })
    }

    fn file(&self, time: NaiveDateTime, wavelength: Option<i64>, segment: Option<&str>) -> Result<RemoteFile, Failure> {
        let path = self.spec.path.fill(time, |value| match value {
            "wavelength" => wavelength.map(|wavelength| wavelength.to_string()).unwrap_or_default(),
            _ => segment.unwrap_or_default().to_owned(),
        });
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        let refused =
            |why: &str| Failure::new(Class::SourceRefused, format!("`path` of the template {why}: {}", shown(&url)));
        let key = below(&self.base, &url).ok_or_else(|| refused("leads out of the source"))?.to_owned();
        let name = last_part(&url).ok_or_else(|| refused("names no file"))?;
        let path = format!("/{key}");
        let segment = segment.map(str::to_owned);
        Ok(RemoteFile { name: Some(name), segment, wavelength, ..RemoteFile::new(key, url, path, time) })
    }
}

/// The values, or once none.
fn or_none<T>(values: impl Iterator<Item = T>) -> Vec<Option<T>> {
    let values: Vec<Option<T>> = values.map(Some).collect();
    if values.is_empty() { vec![None] } else { values }
}

impl Source for TemplateSource {
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, _: Option<&'a Arc<dyn Memory>>) -> Listing<'a> {
        Box::pin(self.ask(series, day))
    }
}
