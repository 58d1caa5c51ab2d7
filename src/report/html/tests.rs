//! The page, without a browser: its policy, its text, its numbers, its size.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};
use serde_json::Value;

use super::quicklook::Picture;
use super::*;
use crate::failure::Class;
use crate::report::model::{ReportDay, ReportFailure, RunSample, SizeCount, Wait};
use crate::run::event::DayState;

/// Whatever a name could do to a page.
const EVIL: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onclick='a' --> &lt; \u{202e}{{ 7 }}";

/// A small report of every kind of row.
fn report() -> Report {
    let mut report: Report =
        serde_json::from_str(include_str!("../../../tests/fuzz/seeds/report/small")).expect("a report");
    report.totals.days.already_sealed = 12;
    report.failures_omitted = 3;
    report.hosts[0].status_counts.insert("503".into(), 4);
    let day = report.days[0].clone();
    for (date, state, bytes) in [("2015-12-12", DayState::Provisional, 7), ("2015-12-13", DayState::Failed, 0)] {
        report.days.push(ReportDay { date: date.parse().unwrap(), state, bytes, digest: None, ..day.clone() });
    }
    let sample =
        |seconds, bytes, under_way, paused| RunSample { seconds, bytes, files: bytes / 100, under_way, paused };
    report.timeline = vec![sample(0.0, 0, 0, 0), sample(1.0, 2048, 4, 0), sample(3.0, 2048, 1, 1)];
    report.sizes = vec![SizeCount { at_least: 0, files: 1 }, SizeCount { at_least: 65_536, files: 469 }];
    report.waits = vec![Wait { class: Class::ServerError, times: 4, seconds: 12.5 }];
    report
}

fn page(report: &Report) -> String {
    render(report, &Besides::default()).expect("a page")
}

fn tokens(page: &str) -> impl Iterator<Item = Token> {
    // So that the script is one text, as a browser takes it.
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(page, emitter).map(|token| match token {
        Ok(token) => token,
        Err(never) => match never {},
    })
}

fn tags(page: &str) -> Vec<StartTag<()>> {
    let tags = tokens(page).filter_map(|token| if let Token::StartTag(tag) = token { Some(tag) } else { None });
    tags.collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn attributes(tag: &StartTag<()>) -> BTreeMap<&str, &str> {
    tag.attributes.iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// Every element that must be closed is, in its order, and nothing is malformed.
#[track_caller]
fn is_well_formed(page: &str) {
    let mut open: Vec<String> = Vec::new();
    for token in tokens(page) {
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name).to_owned();
                // Void elements, and those whose end the standard lets be left out.
                let ends = ["meta", "link", "input", "img", "td", "tr", "li", "th"].contains(&name.as_str());
                if !tag.self_closing && !ends {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                let name = text(&tag.name);
                if !["td", "tr", "th"].contains(&name) {
                    assert_eq!(open.pop().as_deref(), Some(name), "open: {open:?}");
                }
            }
            Token::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// Nothing on the page reaches outside or runs but what its policy names.
#[track_caller]
fn is_closed(page: &str) {
    is_well_formed(page);
    let tags = tags(page);
    for tag in &tags {
        let name = text(&tag.name);
        assert!(!["iframe", "object", "embed", "base", "form", "a", "audio", "video"].contains(&name), "<{name}>");
        for (attribute, value) in attributes(tag) {
            assert!(
                !attribute.starts_with("on") && attribute != "style" && attribute != "srcset",
                "{name} {attribute}"
            );
            let is_address = ["src", "href", "action", "data"].contains(&attribute);
            assert!(!is_address || value.starts_with("data:"), "<{name} {attribute}={value}>");
        }
    }
    let inline = |name: &str| {
        let found: Vec<&str> = page.split(&format!("<{name}>")).skip(1).collect();
        assert_eq!(found.len(), 1, "<{name}>");
        assert_eq!(tags.iter().filter(|tag| text(&tag.name) == name).count(), 1, "<{name}>");
        found[0].split(&format!("</{name}>")).next().expect("its text")
    };
    let policy = tags.iter().map(attributes).find(|all| all.contains_key("http-equiv")).expect("a policy")["content"];
    assert!(policy.starts_with("default-src 'none'; img-src data:; "), "{policy}");
    for (what, name) in [("style-src", "style"), ("script-src", "script")] {
        let source = format!("{what} 'sha256-{}'; ", BASE64_STANDARD.encode(Sha256::digest(inline(name))));
        assert!(policy.contains(&source), "{policy} has no {source}");
    }
    let style = inline("style");
    assert!(!style.contains("url(") && !style.contains("@import"), "the style fetches");
    assert!(!page.contains("unsafe-"), "the policy has a hole");
}

#[test]
fn the_page_asks_for_nothing_outside_and_its_policy_fits_its_script_and_style() {
    is_closed(&page(&report()));
    let mut empty = report();
    (empty.days, empty.failures, empty.hosts) = (Vec::new(), Vec::new(), Vec::new());
    (empty.timeline, empty.sizes, empty.waits) = (Vec::new(), Vec::new(), Vec::new());
    is_closed(&page(&empty));
}

#[test]
fn each_marked_number_is_the_reports() {
    let report = report();
    let json: Value = serde_json::from_slice(&report.to_json().unwrap()).unwrap();
    let page = page(&report);
    let mut seen = Vec::new();
    for tag in tags(&page).iter().filter(|tag| text(&tag.name) == "data") {
        let all = attributes(tag);
        let (at, value) = (all["data-at"], all["value"]);
        assert_eq!(json.pointer(at).unwrap_or_else(|| panic!("{at}")).to_string(), value, "{at}");
        seen.push(at.to_owned());
    }
    for (kind, counts) in json["totals"].as_object().unwrap() {
        for name in counts.as_object().unwrap().keys() {
            assert!(seen.contains(&format!("/totals/{kind}/{name}")), "{kind} {name} is not on the page");
        }
    }
    for at in ["/hosts/0/peak_connections", "/hosts/0/bytes", "/sizes/1/files", "/waits/0/times", "/failures_omitted"] {
        assert!(seen.iter().any(|seen| seen == at), "{at} is not on the page");
    }
    assert!(page.contains("2015-12-11: sealed, 111 files, 14.6 MiB"), "{page}");
}

#[test]
fn c_03_names_that_hold_html_are_shown_as_text() {
    let mut report = report();
    let evil = || EVIL.to_owned();
    (report.run.id, report.run.version, report.job.name, report.job.manifest) = (evil(), evil(), evil(), evil());
    (report.job.manifest_sha256, report.job.lock_sha256) = (evil(), Some(evil()));
    let host = &mut report.hosts[0];
    (host.host, host.preset, host.limit, host.contact) = (evil(), evil(), evil(), Some(evil()));
    (host.agreed_with, host.status_counts) = (Some(evil()), [(evil(), 1)].into());
    for day in &mut report.days {
        (day.series, day.digest, day.error) = (evil(), None, Some(evil()));
    }
    report.days[0].digest = Some(evil());
    let failure = &mut report.failures[0];
    (failure.series, failure.path, failure.message) = (evil(), Some(evil()), evil());
    let shown = |seen| QuickLook { series: evil(), date: report.days[0].date, path: evil(), seen };
    let picture = Picture { png: b"\"><".to_vec(), size: (1, 1), of: (1, 1), scale: (0.0, 1.0), unit: Some(evil()) };
    let looks = [shown(Ok(picture)), shown(Err(evil()))];
    let besides = Besides { manifest: Some(EVIL), looks: Some(&looks), looks_omitted: 1 };
    let page = render(&report, &besides).expect("a page");
    is_closed(&page);
    assert_eq!(tags(&page).iter().filter(|tag| text(&tag.name) == "img").count(), 1, "the quick look alone");
    assert!(!page.contains('\u{202e}'), "a text is turned around");
    let drifted = crate::report::calendar::tests::varied(EVIL);
    is_closed(&render(&drifted, &Besides::default()).expect("a page"));
    let all: String = tokens(&page)
        .filter_map(|token| if let Token::String(text) = token { Some(text) } else { None })
        .map(|shown| text(&shown).to_owned())
        .collect();
    assert!(all.contains("<script>alert(1)</script>") && all.contains("&lt;"), "names are not eaten");
}

#[test]
fn six_thousand_days_and_a_thousand_failures_stay_below_two_megabytes() {
    let mut report = report();
    let (day, failure) = (report.days[0].clone(), report.failures[0].clone());
    let start: chrono::NaiveDate = "2010-05-01".parse().unwrap();
    let dates = |nth| start + chrono::Days::new(nth);
    report.days = (0..6000)
        .map(|nth| ReportDay {
            series: "sharp_cea_720s".into(),
            date: dates(nth),
            bytes: nth * 1_000_003,
            ..day.clone()
        })
        .collect();
    let long = "https://solarb.example.org/HMI/sharp_cea_720s/data: 404 Not Found; ".repeat(4);
    report.failures = (0..1000)
        .map(|nth| ReportFailure {
            date: dates(nth),
            path: Some(format!("sharp_cea_720s/2015/12/11/hmi.sharp_cea_720s.{nth}.20151211_182400_TAI.Br.fits")),
            message: long.clone(),
            ..failure.clone()
        })
        .collect();
    report.timeline = (0..300u32)
        .map(|nth| RunSample {
            seconds: f64::from(nth) * 64.0,
            bytes: u64::from(nth) << 30,
            files: 7,
            under_way: 8,
            paused: 1,
        })
        .collect();
    let page = page(&report);
    is_well_formed(&page);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<tr><td>sharp_cea_720s").count(), 6000);
}

#[test]
fn a_timeline_that_makes_no_sense_makes_no_chart_and_no_panic() {
    let sample = |seconds, bytes| RunSample { seconds, bytes, files: 0, under_way: 0, paused: 0 };
    for odd in
        [vec![], vec![sample(1.0, 1)], vec![sample(2.0, 9), sample(2.0, 1)], vec![sample(5.0, 1), sample(1.0, 2)]]
    {
        assert!(Chart::from_samples(&odd).is_none(), "{odd:?}");
    }
    let back_and_forth = [sample(0.0, 9), sample(4.0, 1), sample(2.0, u64::MAX), sample(1e300, 3)];
    assert!(!Chart::from_samples(&back_and_forth).expect("a chart").rate.contains("NaN"));
}

#[test]
fn the_manifest_is_shown_as_it_is_and_its_absence_told() {
    let shown = render(&report(), &Besides { manifest: Some("name: a\n\tb: \u{1b}[2J<c>\n"), ..Besides::default() });
    assert!(shown.unwrap().contains("name: a\n\tb: \\u{1b}[2J&#60;c&#62;\n</pre>"));
    assert!(page(&report()).contains("Its text is not here"));
}
