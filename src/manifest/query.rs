//! What a series asks of each of its days, and in words how that differs from what it asked before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::units::span;
use super::{Condition, Fetch, Filters, Headers, Series};
use crate::day::{Scale, Window};
use crate::digest::Digest;
use crate::untrusted::escape;

/// What a series asks of each of its days, but for the day's window.
///
/// Source kind and base path, series, filters and layout are in it; host, limits, retry, settle and verify are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The digest of the source and its series: where it differs, no file of an earlier record is the same file.
    source: Digest,
    /// Sorted: another order of the same segments asks for the same files.
    segments: Option<Vec<String>>,
    harpnum: Option<Vec<i64>>,
    /// The bits that may not be set.
    quality: Option<u64>,
    /// In seconds.
    cadence: Option<u64>,
    layout: String,
    /// What else is asked, by the names of the keys.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    besides: Map<String, Value>,
    /// What the source itself chooses among its files. It is in `source` as well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    chosen: Option<Chosen>,
}

/// What a source chooses among its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Chosen {
    /// The digest of the source and its series but for the choice: where it is the same, so is a file of the same key.
    among: Digest,
    /// The choice, by the names of the keys.
    by: Map<String, Value>,
}

impl Query {
    /// What a series asks now.
    #[must_use]
    pub fn of(series: &Series) -> Query {
        let source = json!(["source/1", series.source.kind(), series.source.identity(), series.name]);
        let Filters { segments, harpnum, quality, cadence, .. } = &series.filters;
        let segments = segments.clone().map(|mut segments| {
            segments.sort_unstable();
            segments
        });
        Query {
            source: Digest::sha256(source.to_string().as_bytes()),
            segments,
            harpnum: harpnum.clone(),
            quality: quality.map(|quality| quality.none_of),
            cadence: cadence.map(|cadence| cadence.as_secs()),
            layout: series.layout.text().to_owned(),
            besides: besides(series),
            chosen: chosen(series),
        }
    }

    /// The queries of before whose files are the same as those of this one where their keys are, though their sources differ:
    /// the first halves of the specs.
    #[must_use]
    pub fn related_sources(&self, before: &[Query]) -> Vec<Digest> {
        let among = |query: &Query| query.chosen.as_ref().map(|chosen| chosen.among);
        let related = before.iter().filter(|before| before.source != self.source && among(before).is_some());
        let related = related.filter(|before| among(before) == among(self));
        related.map(|before| before.source).collect()
    }

    /// True when a file of one key is the same file in both.
    #[must_use]
    pub fn has_files_of(&self, before: &Query) -> bool {
        self.source == before.source || !self.related_sources(std::slice::from_ref(before)).is_empty()
    }

    /// The digest of this query for a day with this window: a day record answers exactly it.
    ///
    /// Values are written as canonical JSON in a fixed order. The first half stands for the source and its series alone.
    #[must_use]
    pub fn spec(&self, window: Window, scale: Scale) -> Digest {
        let mut asked = vec![
            json!("spec/1"),
            json!(self.segments),
            json!(self.harpnum),
            json!(self.quality),
            json!(self.cadence),
            json!(self.layout),
            json!(scale.label(window.start)),
            json!(scale.label(window.end)),
        ];
        // What is not asked is not written, so that a new key leaves the records of before as they are.
        if !self.besides.is_empty() {
            asked.push(json!(self.besides));
        }
        Digest::of_halves(&self.source, &Digest::sha256(json!(asked).to_string().as_bytes()))
    }

    /// The layout as typed.
    #[must_use]
    pub fn layout(&self) -> &str {
        &self.layout
    }

    /// True when every file that this query asks for is one that `before` asked for, and the filters that differ are among
    /// those that a day record can tell of each file: segments, active regions, cadence and layout.
    #[must_use]
    pub fn narrows(&self, before: &Query) -> bool {
        let is_coarser = match (before.cadence, self.cadence) {
            (before, now) if before == now => true,
            (None, Some(_)) => true,
            (Some(before), Some(now)) => now.is_multiple_of(before),
            (_, None) => false,
        };
        (self.source, self.quality, &self.besides) == (before.source, before.quality, &before.besides)
            && is_within(self.segments.as_deref(), before.segments.as_deref())
            && is_within(self.harpnum.as_deref(), before.harpnum.as_deref())
            && is_coarser
    }

    /// True when the same records are asked for as by `before`, whatever their segments and paths.
    #[must_use]
    pub fn has_records_of(&self, before: &Query) -> bool {
        (&self.harpnum, self.quality, self.cadence, &self.besides)
            == (&before.harpnum, before.quality, before.cadence, &before.besides)
    }

    /// True when another cadence is asked for than by `before`.
    #[must_use]
    pub fn has_other_cadence(&self, before: &Query) -> bool {
        self.cadence != before.cadence
    }

    /// How this query differs from that of before, a phrase for each key.
    #[must_use]
    pub fn changes_since(&self, before: &Query) -> Vec<String> {
        let mut changes = Vec::new();
        changes.extend(change_of_list("segments", before.segments.as_deref(), self.segments.as_deref()));
        changes.extend(change_of_list("harpnum", before.harpnum.as_deref(), self.harpnum.as_deref()));
        if self.quality != before.quality {
            let shown = |mask: Option<u64>| mask.map_or_else(|| "any".to_owned(), |mask| format!("{mask:#x}"));
            changes.push(format!("quality {} to {}", shown(before.quality), shown(self.quality)));
        }
        if self.cadence != before.cadence {
            let shown = |cadence: Option<u64>| cadence.map_or_else(|| "none".to_owned(), span);
            changes.push(format!("cadence {} to {}", shown(before.cadence), shown(self.cadence)));
        }
        if self.layout != before.layout {
            changes.push(format!("layout `{}` to `{}`", escape(&before.layout), escape(&self.layout)));
        }
        if let (Some(now), Some(before)) = (&self.chosen, &before.chosen) {
            changes.extend(changes_of_values(&before.by, &now.by));
        }
        changes.extend(changes_of_values(&before.besides, &self.besides));
        changes
    }
}

/// What else a series asks of its source, by the names of the keys.
fn besides(series: &Series) -> Map<String, Value> {
    let Filters { noaa, wavelength, conditions, raw, .. } = &series.filters;
    let conditions = conditions.iter().map(|(keyword, condition)| match condition {
        Condition::Is(value) => json!([keyword, value]),
        Condition::Within(least, most) => json!([keyword, least, most]),
        Condition::NoneOf(mask) => json!([keyword, mask]),
    });
    let conditions: Vec<Value> = conditions.collect();
    let fetch = match series.fetch {
        Fetch::Files => None,
        Fetch::Keywords => Some("keywords"),
        Fetch::Both => Some("both"),
    };
    let all = [
        ("noaa", json!(noaa)),
        ("wavelength", json!(wavelength)),
        ("where", if conditions.is_empty() { json!(raw) } else { json!(conditions) }),
        ("fetch", json!(fetch)),
        ("headers", json!((series.headers == Headers::Embed).then_some("embed"))),
        ("keywords", json!(series.keywords.as_ref().filter(|_| fetch.is_some()))),
        ("fallbacks", json!(Some(&series.fallbacks).filter(|fallbacks| !fallbacks.is_empty()))),
    ];
    all.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn chosen(series: &Series) -> Option<Chosen> {
    let identity = series.source.files_identity()?;
    let among = json!(["files/1", series.source.kind(), identity, series.name]);
    Some(Chosen { among: Digest::sha256(among.to_string().as_bytes()), by: series.source.choice() })
}

/// True when one list asks for nothing that the other does not ask for; no list asks for everything.
fn is_within<T: PartialEq>(list: Option<&[T]>, other: Option<&[T]>) -> bool {
    match (list, other) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(list), Some(other)) => list.iter().all(|one| other.contains(one)),
    }
}

fn change_of_list<T: PartialEq + ToString>(key: &str, before: Option<&[T]>, now: Option<&[T]>) -> Option<String> {
    let shown =
        |list: &[&T]| list.iter().map(|one| escape(&one.to_string()).into_owned()).collect::<Vec<_>>().join(", ");
    let all = |list: &[T]| shown(&list.iter().collect::<Vec<_>>());
    match (before, now) {
        (before, now) if before == now => None,
        (None, Some(now)) => Some(format!("{key}: only {}", all(now))),
        (_, None) => Some(format!("{key}: all of them")),
        (Some(before), Some(now)) => {
            let gone: Vec<&T> = before.iter().filter(|one| !now.contains(one)).collect();
            let new: Vec<&T> = now.iter().filter(|one| !before.contains(one)).collect();
            let gone = (!gone.is_empty()).then(|| format!("{} no longer requested", shown(&gone)));
            let new = (!new.is_empty()).then(|| format!("{} asked for as well", shown(&new)));
            let parts: Vec<String> = gone.into_iter().chain(new).collect();
            Some(if parts.is_empty() {
                format!("{key}: in another order")
            } else {
                format!("{key}: {}", parts.join(", "))
            })
        }
    }
}

fn changes_of_values(before: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
    let pairs = keys.into_iter().map(|key| (key, before.get(key), now.get(key)));
    pairs.filter(|(_, was, is)| was != is).map(|(key, was, is)| change_of_value(key, was, is)).collect()
}

fn change_of_value(key: &str, before: Option<&Value>, now: Option<&Value>) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => escape(text).into_owned(),
        value => escape(&value.to_string()).into_owned(),
    };
    match (before, now) {
        (Some(before), Some(now)) => format!("{key} {} to {}", shown(before), shown(now)),
        (None, Some(now)) => format!("{key} {}", shown(now)),
        (_, None) => format!("no {key}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::parse;

    /// The query of a series of the built-in service that has these further keys.
    fn query(keys: &str) -> Query {
        let text = format!(
            "version: 1\nname: job\nsource: {{ embedded: {{}} }}\nrange: {{ start: 2015-12-11, end: 2015-12-12 }}\n\
             series:\n  - {{ name: hmi.sharp_720s{keys} }}\narchive: {{ root: data }}\n"
        );
        Query::of(&parse(Path::new("job.yaml"), text.as_bytes(), &|_| None).unwrap().series[0])
    }

    #[test]
    fn what_changed_is_told_key_by_key() {
        for (before, now, said) in [
            ("", "", ""),
            (", segments: [Bp, Br]", ", segments: [Br, Bp]", ""),
            (", segments: [Bp, Br, Bt]", ", segments: [Bp, Br]", "segments: Bt no longer requested"),
            (", segments: [Bp]", ", segments: [Br]", "segments: Bp no longer requested, Br asked for as well"),
            ("", ", segments: [Bp, Br]", "segments: only Bp, Br"),
            (", harpnum: [377]", "", "harpnum: all of them"),
            (", cadence: 1h", ", cadence: 2h", "cadence 1h to 2h"),
            ("", ", cadence: 12m, quality: good", "quality any to 0xffff0000; cadence none to 12m"),
            (", quality: { none_of: 0x400 }", ", quality: good", "quality 0x400 to 0xffff0000"),
            (
                "",
                ", layout: \"{series}/{date:%F}/{file}\"",
                "layout `{series}/{date:%Y/%m/%d}/{file}` to `{series}/{date:%F}/{file}`",
            ),
        ] {
            assert_eq!(query(now).changes_since(&query(before)).join("; "), said, "{before} to {now}");
        }
    }

    #[test]
    fn a_query_is_narrower_where_it_asks_for_nothing_new() {
        for (before, now, is_narrower) in [
            ("", "", true),
            ("", ", segments: [Bp], harpnum: [377], cadence: 1h, layout: \"{series}/{date:%F}/{file}\"", true),
            (", segments: [Bp, Br]", ", segments: [Br]", true),
            (", segments: [Bp]", ", segments: [Br]", false),
            (", segments: [Bp]", "", false),
            (", harpnum: [377]", ", harpnum: [377, 378]", false),
            (", cadence: 1h", ", cadence: 2h", true),
            (", cadence: 2h", ", cadence: 3h", false),
            (", cadence: 2h", ", cadence: 1h", false),
            (", cadence: 2h", "", false),
            ("", ", quality: good", false),
            (", quality: good", "", false),
        ] {
            assert_eq!(query(now).narrows(&query(before)), is_narrower, "{before} to {now}");
        }
    }

    #[test]
    fn what_a_source_chooses_among_its_files_does_not_make_them_others() {
        let of = |source: &str| {
            let text = format!(
                "version: 1\nname: job\ncontact: a@example.org\nsource: {{ {source} }}\n\
                 range: {{ start: 2015-12-11, end: 2015-12-12 }}\nseries: [{{ name: x }}]\narchive: {{ root: data }}\n"
            );
            Query::of(&parse(Path::new("job.yaml"), text.as_bytes(), &|_| None).unwrap().series[0])
        };
        let template = |folder: &str, path: &str, cadence: &str| {
            of(&format!("template: {{ url: \"http://h.example/{folder}/\", path: \"{path}\", cadence: {cadence} }}"))
        };
        let index = |folder: &str, files: &str, more: &str| {
            of(&format!("index: {{ url: \"http://h.example/{folder}/\", path: \"%Y%m%d\", files: \"{files}\"{more} }}"))
        };
        let hourly = || template("a", "%Y%m%d_%H", "1h");
        for (before, now, has_its_files, said) in [
            (hourly(), hourly(), true, ""),
            (hourly(), template("a", "%Y%m%d_%H", "2h"), true, "cadence 1h to 2h"),
            (hourly(), template("b", "%Y%m%d_%H", "1h"), false, ""),
            (hourly(), template("a", "%Y%m%d/%H", "1h"), false, ""),
            (hourly(), index("a", "*", ""), false, ""),
            (index("a", "a_*", ""), index("a", "*", ""), true, "files a_* to *"),
            (index("a", "a_*", ""), index("a", "a_*", ", pick: newest"), false, ""),
            (index("a", "a_*", ""), index("b", "*", ""), false, ""),
        ] {
            assert_eq!(now.has_files_of(&before), has_its_files, "{before:?} {now:?}");
            if has_its_files {
                assert_eq!(now.changes_since(&before).join("; "), said);
            }
        }
    }

    #[test]
    fn a_query_reads_back_as_it_was_written_and_has_the_same_spec() {
        let query = query(", segments: [Bp], quality: good, cadence: 1h");
        let read: Query = serde_json::from_str(&serde_json::to_string(&query).unwrap()).unwrap();
        assert_eq!(read, query);
        let window = Window::of_day("2015-12-11".parse().unwrap());
        assert_eq!(read.spec(window, Scale::Utc), query.spec(window, Scale::Utc));
    }
}
