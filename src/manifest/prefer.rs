//! `prefer`: several series of one JSOC in order of preference, in place of `name`.
//!
//! What it does not do: choose records; `source::jsoc` does.

use super::diagnostic::{Finding, Span};
use super::model::{Jsoc, SourceSpec};
use super::name_rules;
use super::raw;
use super::spanned::Typed;
use super::yaml_tree::Wrong;
use crate::untrusted::escape;

/// The keyword whose numbers differ between definitive and near-real-time series.
const HARPNUM: &str = "HARPNUM";

/// The series that a source is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PreferredNames {
    /// The only one, or the preferred one.
    pub(super) first: String,
    /// Where it has no record, these are asked, in this order.
    pub(super) fallbacks: Vec<String>,
}

impl raw::Series {
    /// The source's name that stands for the series where it has no id: its only or its preferred one, with its place.
    pub(super) fn source_name(&self) -> Option<(Span, &raw::SeriesName)> {
        let preferred = || self.prefer.value()?.first()?.given();
        self.name.given().or_else(preferred)
    }
}

/// Reads `name` or `prefer` of the series at `at`; what is wrong goes to `findings`.
pub(super) fn read(series: &raw::Series, at: Span, findings: &mut Vec<Finding>) -> Option<PreferredNames> {
    let Typed::Given(list_at, list) = &series.prefer else {
        if !series.prefer.is_missing() {
            return None;
        }
        let hint = "write `name: sharp_720s`, the source's name for the series";
        let (_, name) = series.name.required("name", at, hint, findings)?;
        return Some(PreferredNames { first: name.0.clone(), fallbacks: Vec::new() });
    };
    if let Some((name_at, _)) = series.name.given() {
        let finding = Finding::new(*list_at, "`prefer` beside `name`").also(name_at, "the name");
        findings.push(finding.hint("remove `name`: `prefer` names every series; `as` sets the id"));
    }
    if list.len() < 2 {
        let finding = Finding::new(*list_at, "`prefer` names fewer than two series");
        findings.push(finding.hint("name the preferred series and those to fall back on, or write `name`"));
        return None;
    }
    let mut seen: Vec<(Span, &str)> = Vec::new();
    for (at, name) in list.iter().filter_map(Typed::given) {
        if let Some((first, _)) = seen.iter().find(|(_, known)| known.eq_ignore_ascii_case(&name.0)) {
            let finding = Finding::new(at, format!("`{}` is named twice", escape(&name.0))).also(*first, "first here");
            findings.push(finding.hint("keep one of them"));
        } else if let Err(wrong) = jsoc_name(&name.0) {
            findings.push(wrong.at(at));
        }
        seen.push((at, &name.0));
    }
    let mut names = list.iter().map(|name| name.value().map(|name| name.0.clone()));
    let first = names.next()??;
    Some(PreferredNames { first, fallbacks: names.collect::<Option<_>>()? })
}

/// Checks that a name is one of a JSOC series: a namespace, a dot and a name.
fn jsoc_name(text: &str) -> Result<(), Wrong> {
    let is_identifier = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_plain && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    };
    let is_one = text.split_once('.').is_some_and(|(space, name)| is_identifier(space) && is_identifier(name));
    if is_one && name_rules::remote_name(text).is_ok() {
        return Ok(());
    }
    let wrong = Wrong::new(format!("`{}` is not the name of a JSOC series", escape(text)));
    Err(wrong.hint("write its full name, such as `hmi.sharp_cea_720s`"))
}

/// Notes what cannot be combined with `prefer`.
pub(super) fn refuse(spec: &SourceSpec, series: &raw::Series, findings: &mut Vec<Finding>) {
    let Some((at, _)) = series.prefer.given() else { return };
    let SourceSpec::Jsoc(Jsoc { export, .. }) = spec else {
        let finding = Finding::new(at, format!("`prefer` cannot be asked of `{}`", spec.kind()));
        findings.push(finding.hint("only `jsoc` has `prefer`; write `name`"));
        return;
    };
    if export.is_some() {
        let finding = Finding::new(at, "`prefer` cannot be combined with `export`: an order is for one series");
        findings.push(finding.hint("leave `export` out, or write a series with `name` for each"));
    }
    let by_keyword = match series.conditions.given() {
        Some((at, raw::Conditions::ByKeyword(list))) => {
            list.iter().filter_map(|(keyword, _)| keyword.value()).any(|keyword| keyword.0 == HARPNUM).then_some(at)
        }
        _ => None,
    };
    if let Some(at) = series.harpnum.given().map(|(at, _)| at).or(by_keyword) {
        let why =
            "regions cannot be named by HARPNUM beside `prefer`: definitive and nrt series number them differently";
        findings.push(Finding::new(at, why).hint("use `noaa`, or leave it out"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Manifest, parse};

    const GOOD: &str = "prefer: [hmi.sharp_cea_720s, hmi.sharp_cea_720s_nrt]";

    fn read(source: &str, series: &str) -> Result<Manifest, String> {
        let text = format!(
            "version: 1\nname: j\ncontact: a@example.org\nsource: {source}\n\
             range: {{ start: 2015-12-11, end: 2015-12-12 }}\nseries: [{{ {series} }}]\narchive: {{ root: data }}\n"
        );
        parse(Path::new("j.yaml"), text.as_bytes(), &|_| None).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_first_series_gives_the_id_and_the_latency() {
        let job = read("{ jsoc: {} }", GOOD).unwrap();
        let series = &job.series[0];
        assert_eq!((series.id.0.as_str(), series.name.as_str()), ("hmi.sharp_cea_720s", "hmi.sharp_cea_720s"));
        assert_eq!(series.fallbacks, ["hmi.sharp_cea_720s_nrt"]);
        assert_eq!(series.settle.as_secs(), 45 * 86_400);
        let named = read("{ jsoc: {} }", &format!("{GOOD}, as: cea")).unwrap();
        assert_eq!(named.series[0].id.0, "cea");
    }

    #[test]
    fn the_spec_of_a_series_without_fallbacks_is_what_it_was() {
        let spec = |series: &str| {
            let series = &read("{ jsoc: {} }", series).unwrap().series[0];
            series.spec(&crate::day::Day::whole("2015-12-11".parse().unwrap())).to_string()
        };
        let (plain, preferred) = (spec("name: hmi.sharp_cea_720s"), spec(GOOD));
        assert_ne!(plain, preferred);
        assert_eq!(plain[..32], preferred[..32], "files of the preferred series stay the same files");
        assert_ne!(preferred, spec("prefer: [hmi.sharp_cea_720s, hmi.sharp_720s_nrt], as: hmi.sharp_cea_720s"));
    }

    #[test]
    fn wrong_values_are_refused_with_what_to_do() {
        let jsoc = "{ jsoc: {} }";
        let export = "{ jsoc: { export: { email: a@example.org } } }";
        for (source, series, told) in [
            (jsoc, "prefer: []", "names fewer than two series"),
            (jsoc, "prefer: [hmi.sharp_cea_720s]", "or write `name`"),
            (jsoc, "prefer: [hmi.a, hmi.b, HMI.A]", "`HMI.A` is named twice"),
            (jsoc, "name: hmi.a, prefer: [hmi.a, hmi.b]", "remove `name`"),
            (
                jsoc,
                "prefer: [hmi.sharp_cea_720s, sharp_cea_720s_nrt]",
                "`sharp_cea_720s_nrt` is not the name of a JSOC",
            ),
            (jsoc, "prefer: [hmi.a, hmi.b.c]", "write its full name, such as `hmi.sharp_cea_720s`"),
            (jsoc, "prefer: hmi.sharp_cea_720s", "list"),
            (jsoc, "as: one", "the key `name` is missing"),
            ("{ medoc: {} }", GOOD, "`prefer` cannot be asked of `medoc`"),
            ("{ embedded: {} }", GOOD, "only `jsoc` has `prefer`"),
            (export, GOOD, "cannot be combined with `export`"),
            (jsoc, &format!("{GOOD}, harpnum: [377]"), "number them differently"),
            (jsoc, &format!("{GOOD}, where: {{ HARPNUM: 377 }}"), "use `noaa`"),
            (jsoc, &format!("{GOOD}, cadence: 7m"), "`12m`"),
        ] {
            let wrong = read(source, series).unwrap_err();
            assert!(wrong.contains(told), "{series}:\n{wrong}");
        }
    }
}
