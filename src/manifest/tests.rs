//! The parser as a whole: what good manifests mean, and what is said of bad ones.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use proptest::prelude::*;

use super::*;

/// An environment with one variable, whose value is no e-mail address and must never be shown.
fn environment(name: &str) -> Option<String> {
    (name == "SUN").then(|| "sunny secret".to_owned())
}

fn read(text: &str) -> Result<Manifest, Diagnostics> {
    parse(Path::new("jobs/job.yaml"), text.as_bytes(), &environment)
}

#[track_caller]
fn good(text: &str) -> Manifest {
    read(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

#[track_caller]
fn bad(text: &str) -> String {
    read(text).expect_err("errors").to_string()
}

const SMALL: &str = "version: 1\nname: job\nsource: { embedded: {} }\nrange: { start: 2015-12-11, end: 2015-12-14 }\n\
                     series: [{ name: sharp_720s }]\narchive: { root: ../data }\n";

fn at(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

#[test]
fn defaults_fill_in_what_a_small_manifest_leaves_out() {
    let manifest = good(SMALL);
    assert_eq!(manifest.name, "job");
    assert_eq!(manifest.contact, None);
    assert_eq!(manifest.archive, ArchiveSpec { root: PathBuf::from("data"), lock: LockMode::Flock });
    assert_eq!(manifest.limits, Limits::default());
    assert_eq!(manifest.retry, Retry { attempts: 6, max_wait: Duration::from_mins(2) });
    assert_eq!(manifest.timeouts.connect, Duration::from_secs(10));
    assert_eq!(manifest.timeouts.stall, Duration::from_secs(30));
    assert_eq!(manifest.series[0].settle, Duration::from_hours(72));
    assert_eq!(manifest.verify, Verify { fits: true, magic: true });
    assert_eq!(manifest.lock, LockSpec { detail: LockDetail::Auto });
    assert_eq!(manifest.identity, Identity::Bytes);
    assert!(manifest.accept.is_empty());
    let [series] = manifest.series.as_slice() else { panic!("one series") };
    assert_eq!((series.id.0.as_str(), series.name.as_str()), ("sharp_720s", "sharp_720s"));
    assert_eq!(*series.source, SourceSpec::Embedded(Embedded { seed: 0 }));
    assert_eq!(series.layout.text(), "{series}/{date:%Y/%m/%d}/{file}");
    assert_eq!(series.filters, Filters::default());
    assert!(manifest.warnings(DateTime::UNIX_EPOCH).is_empty());
}

#[test]
fn files_of_a_month_or_a_year_cannot_be_taken_and_that_is_told() {
    let with = |source: &str| SMALL.replace("{ embedded: {} }", source);
    let index =
        |files: &str| with(&format!("{{ index: {{ url: \"http://h.example/\", path: \"x/\", files: \"{files}\" }} }}"));
    for (text, of) in [
        (index("AeH%y%b.1m"), Some("month")),
        (index("goes_%Y.txt"), Some("year")),
        (with("{ template: { url: \"http://h.example/\", path: \"%Y/%m/x.txt\", cadence: 1d } }"), Some("month")),
        (index("x_%H%M.fits"), None),
    ] {
        let told = bad(&text);
        assert!(told.contains("put it where it stands: `%Y`, `%m` and `%d`"), "{told}");
        match of {
            Some(of) => assert!(told.contains(&format!("a file of a whole {of} cannot be taken")), "{told}"),
            None => assert!(!told.contains("cannot be taken"), "{told}"),
        }
    }
}

#[test]
fn a_pasted_space_that_yaml_does_not_know_is_pointed_at() {
    let told = bad(&SMALL.replace("archive: { root: ../data }", "archive:\n\u{a0} root: ../data"));
    assert!(told.contains("a no-break space (U+00A0), which YAML does not take for a space"), "{told}");
    assert!(told.contains("job.yaml:7:1"), "{told}");
    assert!(!told.contains("unknown key"), "what follows from it is not told: {told}");
}

#[test]
fn every_key_of_the_form_arrives_in_the_model() {
    let manifest = good(include_str!("../../tests/fixtures/manifests/full.yaml"));
    assert_eq!(manifest.contact.as_deref(), Some("jane@example.org"));
    assert_eq!(manifest.archive, ArchiveSpec { root: PathBuf::from("/srv/sun"), lock: LockMode::None });
    assert_eq!(manifest.limits.requests, Some(Rate::PerSecond(200.0 / 60.0)));
    assert_eq!(manifest.limits.bandwidth, Some(Bandwidth::BytesPerSecond(20 << 20)));
    assert_eq!(manifest.limits.concurrency, Some(4));
    assert_eq!(manifest.limits.agreed_with.as_deref(), Some("M. Example, 2026-01-08"));
    assert_eq!(manifest.retry, Retry { attempts: 3, max_wait: Duration::from_mins(1) });
    assert_eq!(manifest.timeouts.stall, Duration::from_secs(40));
    assert_eq!(manifest.series[0].settle, Duration::from_hours(1200));
    assert_eq!(manifest.verify, Verify { fits: true, magic: false });
    assert_eq!(manifest.lock, LockSpec { detail: LockDetail::Day });
    assert_eq!(manifest.identity, Identity::FitsData);
    let [accept] = manifest.accept.as_slice() else { panic!("one entry") };
    assert_eq!((accept.series.0.as_str(), accept.day.to_string().as_str()), ("cea", "2015-12-12"));
    assert_eq!(accept.reason, "truncated at the source, told 2026-01-08");
    assert!(accept.file.matches("cea/377/20151212_000000_TAI.Bt.fits"));
    let [first, second] = manifest.series.as_slice() else { panic!("two series") };
    let SourceSpec::Hmi(hmi) = &*first.source else { panic!("hmi") };
    assert_eq!(hmi.reach.first().as_str(), "http://localhost:8001/base/");
    assert_eq!(hmi.reach.credentials.headers[0].0, "x-api-key");
    assert!(matches!(&hmi.reach.credentials.login, Some(Login::Basic { user, .. }) if user == "jane"));
    assert_eq!(first.range.start, Bound::At(at("2015-12-11T00:00:00")));
    assert_eq!(first.range.end, Bound::At(at("2015-12-13T16:00:00")));
    assert_eq!(second.id.0, "cea");
    assert_eq!(*second.source, SourceSpec::Embedded(Embedded { seed: 7 }));
    assert_eq!(second.range.end, Bound::Today { minus_days: 3 });
    assert_eq!(second.layout.text(), "{series}/{harpnum}/{t_rec}.{segment}.fits");
    assert_eq!(
        second.filters,
        Filters {
            segments: Some(vec!["Br".into(), "Bp".into(), "Bt".into()]),
            harpnum: Some(vec![377, 378]),
            quality: Some(Quality { none_of: 0x10000 }),
            cadence: Some(Duration::from_hours(1)),
            ..Filters::default()
        }
    );
    assert_eq!(manifest.warnings(DateTime::UNIX_EPOCH).len(), 0);
}

#[test]
fn yaml_readings_of_plain_values_do_no_harm() {
    let manifest = good(&SMALL.replace("2015-12-11", "\"2015-12-11\"").replace("name: job", "name: '2015'"));
    assert_eq!(manifest.name, "2015");
    let text = format!("\u{feff}%YAML 1.2\n---\n{}", SMALL.replace('\n', "\r\n"));
    let manifest = good(&text);
    assert_eq!(manifest.series.len(), 1);
    assert_eq!(manifest.sha256, crate::digest::Digest::sha256(text.as_bytes()), "the digest is of the file as it is");
}

#[test]
fn a_value_may_be_named_once_and_used_again() {
    let manifest = good(&SMALL.replace(
        "series: [{ name: sharp_720s }]",
        "series:\n  - { name: a, segments: &s [Br] }\n  - { name: b, segments: *s }",
    ));
    assert_eq!(manifest.series[0].filters, manifest.series[1].filters);
}

#[test]
fn a_layout_without_series_is_a_warning_when_there_are_several() {
    let text = SMALL.replace("{ root: ../data }", "{ root: ../data, layout: \"{date:%Y}/{file}\" }");
    assert!(good(&text).warnings(DateTime::UNIX_EPOCH).is_empty());
    let text = text.replace("[{ name: sharp_720s }]", "[{ name: a }, { name: b }]");
    assert_eq!(good(&text).warnings(DateTime::UNIX_EPOCH).len(), 2);
}

#[test]
fn a_date_in_the_layout_outside_of_braces_is_a_warning() {
    let text = SMALL.replace("{ root: ../data }", "{ root: ../data, layout: \"{series}/%Y/{file}\" }");
    let words =
        "the layout of series `sharp_720s` has `%Y` outside of braces, where it is plain text: write `{date:%Y}`";
    assert_eq!(good(&text).warnings(DateTime::UNIX_EPOCH), [words]);
}

#[test]
fn accepting_a_file_of_a_day_that_is_never_asked_for_is_a_warning() {
    let warnings = |day: &str, range: &str| {
        let accept =
            format!("accept: [{{ series: sharp_720s, day: {day}, file: \"*.fits\", reason: \"truncated\" }}]\n");
        good(&(SMALL.replace("{ start: 2015-12-11, end: 2015-12-14 }", range) + &accept)).warnings(DateTime::UNIX_EPOCH)
    };
    let fixed = "{ start: 2015-12-11T18:00, end: 2015-12-14 }";
    assert!(warnings("2015-12-11", fixed).is_empty() && warnings("2015-12-13", fixed).is_empty());
    let told = warnings("2015-12-10", fixed);
    assert_eq!(told, ["`accept` names `*.fits` of sharp_720s 2015-12-10, a day that is not in the job"]);
    assert_eq!(warnings("2015-12-14", fixed).len(), 1);
    // Nobody knows what `today` will be.
    assert!(warnings("2031-01-01", "{ start: 2015-12-11, end: today }").is_empty());
}

#[test]
fn a_limit_above_a_public_ceiling_is_fine_beside_a_private_host_or_with_an_agreement() {
    let public = "source: { hmi: { url: \"http://jsoc.stanford.edu\" } }\ncontact: a@b";
    let text = SMALL.replace("source: { embedded: {} }", public) + "limits: { concurrency: 4 }\n";
    assert!(bad(&text).contains("`jsoc.stanford.edu` is asked over 1 connection at most"));
    good(&text.replace("concurrency: 4", "concurrency: 1"));
    good(&text.replace("concurrency: 4", "concurrency: 4, agreed_with: \"JSOC, 2026-01-08\""));
    let beside = "[{ name: sharp_720s }, { name: b, source: { embedded: {} } }]";
    good(&text.replace("[{ name: sharp_720s }]", beside));
    let beside = "[{ name: sharp_720s }, { name: b, source: { hmi: { url: \"http://swpc.noaa.gov\" } } }]";
    good(&text.replace("[{ name: sharp_720s }]", beside));
    assert!(
        bad(&text.replace("concurrency: 4", "concurrency: 5").replace("[{ name: sharp_720s }]", beside))
            .contains("noaa")
    );
}

#[test]
fn the_spec_follows_what_is_asked_for_and_nothing_else() {
    let now: DateTime<Utc> = "2016-01-01T00:00:00Z".parse().unwrap();
    let spec = |text: &str| {
        let manifest = good(text);
        let series = &manifest.series[0];
        let day = series.range.resolve(now, series.source.scale()).days().next().unwrap();
        series.spec(&day)
    };
    let hmi = SMALL.replace("embedded: {}", "hmi: { url: \"http://localhost:8001/a\" }");
    let first = spec(&hmi);
    assert_eq!(first, spec(&(hmi.replace("localhost:8001", "10.0.0.1") + "settle: 9d\nlimits: { concurrency: 1 }\n")));
    let accept = "accept: [{ series: sharp_720s, day: 2015-12-11, file: \"*\", reason: \"bad\" }]\n";
    assert_eq!(first, spec(&(hmi.clone() + "lock: { detail: day }\nidentity: fits-data\n" + accept)));
    assert_eq!(first, spec(&hmi.replace("2015-12-14", "2015-12-20")));
    let with_segments =
        |list: &str| spec(&hmi.replace("{ name: sharp_720s }", &format!("{{ name: sharp_720s, segments: {list} }}")));
    assert_eq!(with_segments("[Br, Bp]"), with_segments("[Bp, Br, Bp]"));
    for other in [
        hmi.replace("8001/a", "8001/b"),
        hmi.replace("{ name: sharp_720s }", "{ name: sharp_720s, segments: [Br] }"),
        hmi.replace("{ name: sharp_720s }", "{ name: sharp_720s, cadence: 1h }"),
        hmi.replace("{ name: sharp_720s }", "{ name: sharp_720s, layout: \"{file}\" }"),
        hmi.replace("2015-12-11", "2015-12-11T01:00"),
        hmi.replace("sharp_720s", "other"),
    ] {
        assert_ne!(first, spec(&other), "{other}");
    }
}

/// One fixture for each kind of error; the snapshots are what a user reads.
#[test]
fn each_bad_manifest_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests/bad");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.clone()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() >= 30, "{} fixtures", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/fixtures/manifests/said");
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for name in names {
            let path = folder.join(&name);
            let name = name.to_str().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let Err(diagnostics) = parse(Path::new(name), &bytes, &environment) else { panic!("{name} was taken") };
            explained(Err(diagnostics.clone()));
            let text = diagnostics.to_string();
            assert!(!text.contains("sunny") && !text.contains("topsecret"), "{name} shows a secret: {text}");
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{name} acts on the terminal");
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), text);
        }
    });
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// Whatever is wrong can be shown, and a hint says what to write.
fn explained(read: Result<Manifest, Diagnostics>) {
    let Err(diagnostics) = read else { return };
    for error in diagnostics.list() {
        assert!(error.hint.is_some(), "no hint with `{}`", error.message);
    }
    let _ = diagnostics.to_string();
}

/// A document of so many mappings in each other.
fn stairs(levels: usize) -> String {
    lines((0..levels).map(|level| format!("{}a:", " ".repeat(level))))
}

#[test]
fn hostile_documents_are_refused_before_they_grow() {
    let bomb = (1..12).map(|level| {
        let inner = format!("*a{}", level - 1);
        format!("a{level}: &a{level} [{}]", vec![inner; 10].join(", "))
    });
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", lines(bomb));
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(5000), "*a, ".repeat(5000));
    for (text, said) in [
        (bomb, "aliases"),
        (wide, "aliases"),
        (format!("x: {}1{}", "[".repeat(10_000), "]".repeat(10_000)), "deep"),
        (stairs(1_400), "deep"),
        ((0..20_000).map(|_| "- ").collect(), "deep"),
        ((0..20_000).map(|_| "? ").collect(), "deep"),
        (format!("x: {}", "{a: ".repeat(20_000)), "deep"),
        ("&a ".repeat(20_000), "not YAML"),
        (format!("x: {}", "\"\\u0041".repeat(100_000)), ""),
        (format!("# {}\n{SMALL}", "x".repeat(2 << 20)), "1 MiB"),
        (format!("series: [{}]", "1,".repeat(500_000)), "more than 300000 values"),
        (format!("series: [{}]", "1,".repeat(20_000)), "100 are shown"),
        (lines((0..20_000).map(|n| format!("k{n}: 1"))), "100 are shown"),
    ] {
        let shown = bad(&text);
        assert!(shown.contains(said), "{shown}");
        assert!(shown.len() < 100_000, "{} characters", shown.len());
    }
}

#[test]
fn sixty_four_levels_are_read_and_one_more_is_not() {
    assert!(bad(&stairs(64)).contains("unknown key `a`"));
    assert!(bad(&stairs(65)).contains("nested deeper than 64 levels"));
}

#[test]
fn bytes_that_are_no_text_are_pointed_at() {
    let diagnostics = parse(Path::new("j.yaml"), b"version: 1\nname: \xff\n", &environment).unwrap_err();
    let first = &diagnostics.list()[0];
    assert_eq!((first.line, first.column, first.message.as_str()), (2, 7, "not UTF-8 text"));
}

#[test]
fn files_that_are_not_there_folders_and_huge_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let say = |path: &Path| load(path, &environment).unwrap_err().to_string();
    assert!(say(&folder.path().join("none.yaml")).contains("there is no such file"));
    assert!(say(folder.path()).contains("a folder, not a manifest"));
    let huge = folder.path().join("huge.yaml");
    std::fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    assert!(say(&huge).contains("larger than 1 MiB"));
    assert!(say(&huge.join("job.yaml")).contains("a part of the path is a file"));
    let fine = folder.path().join("fine.yaml");
    std::fs::write(&fine, SMALL).unwrap();
    assert_eq!(load(&fine, &environment).unwrap().archive.root, folder.path().with_file_name("data"));
}

/// What the schema and the reader say of one manifest must agree, as far as the schema can see.
#[test]
fn the_schema_takes_the_good_and_refuses_unknown_keys() {
    let validator = jsonschema::validator_for(&schema::job()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let as_json = |path: PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        serde_saphyr::from_str::<serde_json::Value>(&text).unwrap()
    };
    let full = as_json(folder.join("tests/fixtures/manifests/full.yaml"));
    let errors: Vec<String> = validator.iter_errors(&full).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for name in ["unknown-key", "wrong-types", "version-2", "limits-absurd", "source-two-kinds", "ids", "missing-keys"]
    {
        let json = as_json(folder.join(format!("tests/fixtures/manifests/bad/{name}.yaml")));
        assert!(!validator.is_valid(&json), "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        explained(parse(Path::new("j"), &bytes, &environment));
    }

    #[test]
    fn no_yaml_like_text_makes_the_parser_panic(text in "([a-z]{1,8}|[:\\-\\[\\]{}&*!|>'\"#%@,?\\n ]|  |: |\\- |é|\\t|\u{85}|\u{feff}){0,60}") {
        explained(read(&text));
    }

    #[test]
    fn no_manifest_acts_on_the_terminal_that_its_errors_are_shown_on(
        value in "[\u{1}\u{7}\u{1b}\u{9b}\u{202e}\u{200b}\u{85}\u{feff}a#: {}\"\\\\x1b-]{0,20}",
        key in "(name|source|range|series|archive|limits|\u{1b}\u{202e}|\"\\\\e\"): ",
    ) {
        if let Err(diagnostics) = read(&format!("version: 1\n{key}{value}\n")) {
            for line in diagnostics.to_string().lines() {
                let acts = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}' | '\u{feff}');
                prop_assert!(!line.contains(acts) && !line.contains("##"), "{line:?}");
            }
        }
    }

    /// A good manifest with a piece cut out or exchanged is read or explained, never worse.
    #[test]
    fn no_damaged_manifest_makes_the_parser_panic(from in 0usize..1200, length in 0usize..40, piece in "\\PC{0,6}") {
        let full = include_str!("../../tests/fixtures/manifests/full.yaml");
        let mut text: Vec<char> = full.chars().collect();
        let from = from.min(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, piece.chars());
        let text: String = text.into_iter().collect();
        explained(read(&text));
    }
}
