//! The text of a new manifest: what is asked for, and beside it what might be, as comments.
//!
//! A comment that is a sentence begins with `# `; a line that only needs its mark taken away, with `#`. What it does not
//! do: check the answers; the parser does.

use super::{Draft, SourceKind};
use crate::manifest::latency;
use crate::manifest::units::span;

/// The manifest's text. `schema` is where editors find its schema.
pub(in crate::cli::init) fn manifest_text(draft: &Draft, schema: Option<&str>) -> String {
    let kind = draft.kind.unwrap_or(SourceKind::Embedded);
    let value = |value: &Option<String>| scalar(value.as_deref().unwrap_or_default());
    let schema = match schema {
        Some(schema) => format!("# yaml-language-server: $schema={schema}\n"),
        None => String::new(),
    };
    let contact = match &draft.contact {
        Some(contact) => format!("contact: {}\n", scalar(contact)),
        None => "#contact: you@example.org\n".to_owned(),
    };
    let series: Vec<String> =
        draft.series.iter().map(|name| format!("  - name: {}\n{}", scalar(name), filters(kind, draft))).collect();
    format!(
        "{schema}version: 1\n\
         # The job: part of every record, and of what the service is told of who asks.\n\
         name: {name}\n\
         # Sent as `From`, so that the service's operator can write to you. Public archives want it.\n\
         {contact}\n\
         {source}\n\
         # {days}\n\
         # The end is not in the range. `today` is the start of the current day, `today-3d` is also understood.\n\
         range: {{ start: {start}, end: {end} }}\n\n\
         series:\n{series}\n\
         archive:\n  \
           # Relative to the folder of this file.\n  \
           root: {root}\n  \
           # Where each file goes below it. `sunhaul help manifest` names the variables.\n  \
           {layout}\n\n\
         # Less than what is polite anyway: by default a host's preset holds.\n\
         {limits}\n\
         # A day whose end is younger than this is fetched and stays provisional: each run looks at it again.\n\
         #settle: {settle}\n\
         # How often, and how long, a request is tried again.\n\
         #retry: {{ attempts: 6, max_wait: 2m }}\n\
         # How long a silent service is waited for.\n\
         #timeouts: {{ connect: 10s, stall: 30s }}\n",
        name = value(&draft.name),
        source = source(kind, draft.url.as_deref()),
        days = days(kind),
        start = value(&draft.start),
        end = value(&draft.end),
        series = series.join("\n"),
        root = value(&draft.root),
        layout = match &draft.layout {
            Some(layout) => format!("layout: {}", scalar(layout)),
            None => "#layout: \"{series}/{date:%Y/%m/%d}/{file}\"".to_owned(),
        },
        settle = settle(kind, &draft.series),
        limits = match kind {
            SourceKind::Jsoc => "#limits: { requests: 1/s }",
            _ => "#limits: { requests: 1/s, bandwidth: 20 MiB/s, concurrency: 1 }",
        },
    )
}

/// The longest that its series have by default: what one writes here is for all of them.
fn settle(kind: SourceKind, series: &[String]) -> String {
    let of = |name: &String| match kind {
        SourceKind::Embedded => latency::USUAL,
        _ => latency::by_name(name, kind == SourceKind::Jsoc),
    };
    let longest = series.iter().map(of).max().unwrap_or(latency::USUAL);
    span(longest.as_secs())
}

/// What a day is, in the scale of the source.
fn days(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Jsoc => "Days of T_REC in TAI, as JSOC labels its records.",
        SourceKind::Hmi | SourceKind::Medoc | SourceKind::Embedded => "Days of DATE-OBS in UTC.",
        SourceKind::Index | SourceKind::Template | SourceKind::Hapi => "Days in UTC, by the times in names or data.",
    }
}

fn source(kind: SourceKind, url: Option<&str>) -> String {
    let url = url.map(scalar).unwrap_or_default();
    let given = |kind: &str| match url.as_str() {
        "" => format!("  {kind}: {{}}\n"),
        url => format!("  {kind}:\n    url: {url}\n"),
    };
    let networked = "    # An SSH gateway to go through; the host in `url` is looked up on its far side.\n    \
                     #tunnel: { ssh: gateway.example.org }\n    \
                     # What opens its door. The secret itself never stands here.\n    \
                     #bearer: \"${SUNHAUL_TOKEN}\"\n";
    let source = match kind {
        SourceKind::Embedded => "  # The service that is built into sunhaul, with synthetic data: no network.\n  \
                           embedded: {}\n"
            .to_owned(),
        SourceKind::Hmi => format!(
            "  hmi:\n    \
               # As you reach it: the service itself, or a port mapping. A list names replicas.\n    \
               url: {url}\n{networked}"
        ),
        SourceKind::Jsoc => format!(
            "  # Files as they are on JSOC's disks, with a table of their keywords a day. To order files that hold their\n  \
             # keywords: `jsoc: {{ export: {{ email: you@example.org }} }}`, with an address that is registered there.\n{}",
            given("jsoc")
        ),
        SourceKind::Medoc => given("medoc"),
        SourceKind::Index => format!(
            "  index:\n    \
               # The folder that all dated paths lie under.\n    \
               url: {url}\n    \
               # EDIT: the folders of a day below it, and the names of its files. `%Y%m%d` and the like stand for the\n    \
               # time, `*` and `?` for anything.\n    \
               path: \"%Y/%m/%d/\"\n    \
               files: \"*.fits\"\n    \
               # Of names that differ by `*` and `?` alone, the newest version.\n    \
               #pick: newest\n{networked}"
        ),
        SourceKind::Template => format!(
            "  template:\n    \
               # The folder that all dated paths lie under.\n    \
               url: {url}\n    \
               # EDIT: the path of a file below it, and how far apart the files are.\n    \
               path: \"%Y/%m/%d/%Y%m%d_%H%M.fits\"\n    \
               cadence: 1h\n    \
               # For several files of each time: `each: {{ wavelength: [171, 193] }}`, and `{{wavelength:04}}` in `path`.\n{networked}"
        ),
        SourceKind::Hapi => format!(
            "  hapi:\n    \
               # The server's HAPI folder; the name of a series is a dataset's id.\n    \
               url: {url}\n    \
               # Only these parameters; the time comes always.\n    \
               #parameters: [Magnitude]\n{networked}"
        ),
    };
    format!("source:\n{source}")
}

/// What of a series may be left out: what is asked for, and what might be, as comments.
fn filters(kind: SourceKind, draft: &Draft) -> String {
    let (comment, segments, cadence) = match kind {
        SourceKind::Hmi | SourceKind::Embedded | SourceKind::Jsoc => (
            "Only these segments, and only records whose slot is a multiple of this.",
            Some("[Br, Bp, Bt]"),
            Some("1h"),
        ),
        SourceKind::Medoc => (
            "Only these segments, and records of one of MEDOC's cadences: 12m, 1h, 2h, 6h, 12h or 1d.",
            Some("[Br, Bp, Bt]"),
            Some("6h"),
        ),
        SourceKind::Template => ("Of the source's times only the multiples of this.", None, Some("2h")),
        SourceKind::Index | SourceKind::Hapi => ("", None, None),
    };
    let names: Vec<String> = draft.segments.iter().map(|name| scalar(name)).collect();
    let names = (!names.is_empty()).then(|| format!("[{}]", names.join(", ")));
    let lines = [
        (!comment.is_empty()).then(|| format!("# {comment}")),
        filter("segments", names, segments),
        filter("cadence", draft.cadence.as_deref().map(scalar), cadence),
        (kind == SourceKind::Jsoc).then(|| {
            "# Only these active regions, by HARP number.\n    \
             #harpnum: [377]\n    \
             # Only records with data and of good quality (QUALITY below 65536), and whose keywords match.\n    \
             #quality: good\n    \
             #where: { LON_FWT: \"-70..70\" }"
                .to_owned()
        }),
    ];
    lines.into_iter().flatten().flat_map(|line| ["    ".to_owned(), line, "\n".to_owned()]).collect()
}

/// The line of a filter: as it is asked for, else as it might be.
fn filter(key: &str, asked: Option<String>, example: Option<&str>) -> Option<String> {
    let example = || example.map(|example| format!("#{key}: {example}"));
    asked.map(|value| format!("{key}: {value}")).or_else(example)
}

/// A text as YAML: as it is where that is plain, else in quotes.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/@-".contains(c))
        // `yes`, `null`, `0x1` or `1e3` would be no texts.
        && text.contains(|c: char| "./@-_".contains(c))
        && text.parse::<f64>().is_err();
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(kind: SourceKind) -> Draft {
        Draft {
            kind: Some(kind),
            name: Some("sharp-december".into()),
            url: kind.needs_url().then(|| "http://localhost:8001/data/".into()),
            series: vec![kind.usual_series().unwrap_or("AC_H0_MFI").into()],
            start: Some("2015-12-11".into()),
            end: Some("2015-12-14".into()),
            contact: matches!(kind, SourceKind::Jsoc | SourceKind::Medoc).then(|| "jane@example.org".into()),
            root: Some("../data/sharp".into()),
            ..Draft::default()
        }
    }

    fn check(text: &str) {
        let parsed = crate::manifest::parse("job.yaml".as_ref(), text.as_bytes(), &|_| None);
        assert!(parsed.is_ok(), "{}\n{text}", parsed.unwrap_err());
    }

    #[test]
    fn each_kind_is_written_so_that_it_passes_the_check() {
        let texts = SourceKind::ALL.map(|(kind, _)| manifest_text(&draft(kind), None));
        for text in &texts {
            check(text);
        }
        insta::assert_snapshot!(texts.join("\n────────\n\n"));
    }

    #[test]
    fn what_stands_there_as_a_comment_passes_the_check_too_when_its_mark_is_taken_away() {
        for (kind, _) in SourceKind::ALL {
            let text = manifest_text(&draft(kind), None);
            let is_off = |line: &str| line.trim_start().starts_with('#') && !line.trim_start().starts_with("# ");
            let uncommented: Vec<String> = text
                .lines()
                .filter(|line| !(line.starts_with("#contact") && draft(kind).contact.is_some()))
                .map(|line| if is_off(line) { line.replacen('#', "", 1) } else { line.to_owned() })
                .collect();
            assert!(text.lines().filter(|line| is_off(line)).count() >= 4, "{text}");
            check(&uncommented.join("\n"));
        }
    }

    #[test]
    fn filters_and_a_layout_that_are_asked_for_stand_in_place_of_their_comments() {
        for (kind, segments, cadence) in [
            (SourceKind::Jsoc, &["Br", "Bp"][..], "2h"),
            (SourceKind::Embedded, &["Br"], "12m"),
            (SourceKind::Medoc, &["Br"], "6h"),
            (SourceKind::Template, &[], "3h"),
        ] {
            let segments: Vec<String> = segments.iter().map(|name| (*name).to_owned()).collect();
            let layout = "{series}/{date:%F}_{file}".to_owned();
            let asked = Draft { segments, cadence: Some(cadence.into()), layout: Some(layout.clone()), ..draft(kind) };
            let text = manifest_text(&asked, None);
            check(&text);
            let job = crate::manifest::parse("job.yaml".as_ref(), text.as_bytes(), &|_| None).unwrap();
            let filters = &job.series[0].filters;
            assert_eq!(filters.segments.clone().unwrap_or_default(), asked.segments, "{text}");
            assert_eq!(filters.cadence.map(|cadence| span(cadence.as_secs())).as_deref(), Some(cadence), "{text}");
            assert_eq!(job.series[0].layout.text(), layout, "{text}");
            for key in ["#cadence", "#layout"] {
                assert!(!text.contains(key), "{text}");
            }
        }
    }

    #[test]
    fn texts_that_yaml_would_take_for_something_else_are_quoted() {
        for text in ["yes", "null", "1", "1e3", "0x10", "a: b", "#x", "- a", "", "${ROOT}/data", "a\nb", "2015"] {
            assert!(scalar(text).starts_with('"'), "{text}");
        }
        for text in ["2015-12-11", "today-3d", "../data/x", "jane@example.org", "hmi.sharp_cea_720s"] {
            assert_eq!(scalar(text), text);
        }
    }
}
