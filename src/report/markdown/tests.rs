//! Summaries as a person reads them, and as GitHub's Markdown has them.

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::super::calendar::tests::{bare, day, stretch, varied};
use super::*;
use crate::report::model::{ComparedBy, DriftedDay, Rest};
use crate::run::event::DayState;

#[test]
fn a_section_tells_what_was_got_what_is_missing_and_how_to_go_on() {
    insta::assert_snapshot!(section(&varied("")));
}

#[test]
fn records_that_gave_way_to_definitive_ones_are_counted_over_all_days() {
    let mut report = bare();
    for date in ["2015-12-11", "2015-12-12"] {
        let mut day = day("cea", date, DayState::Provisional, 3);
        day.replaced.insert("hmi.sharp_cea_720s_nrt".to_owned(), 2);
        report.days.push(day);
    }
    let text = section(&report).replace('\\', "");
    assert!(text.contains("4 records of hmi.sharp_cea_720s_nrt replaced by definitive ones"), "{text}");
}

#[test]
fn a_comparison_with_the_lock_tells_the_days_that_differ() {
    let mut report = bare();
    let date = "2015-12-12".parse().unwrap();
    let days = vec![DriftedDay {
        series: "sharp".into(),
        date,
        added: 1,
        removed: 0,
        changed: 2,
        keywords_changed: 3,
        by: ComparedBy::default(),
    }];
    report.drift = Some(Drift {
        compared: 3,
        sampled: 4,
        added: 1,
        removed: 0,
        changed: 2,
        keywords_changed: 3,
        by: ComparedBy { hash: 4, size: 5, keywords: 0, recnum: 0, nothing: 6 },
        days,
        days_omitted: 7,
    });
    report.other_days = vec![stretch("sharp", "2015-12-11", "2015-12-12", Rest::AsLocked)];
    insta::assert_snapshot!(section(&report));
}

/// The markup of a page: every tag, without what is text.
fn markup(page: &str) -> Vec<String> {
    Parser::new_ext(page, Options::all())
        .filter_map(|event| match event {
            Event::Start(Tag::CodeBlock(_)) => Some("block".to_owned()),
            Event::Start(tag) => Some(format!("{tag:?}")),
            Event::InlineHtml(tag) if ["<code>", "</code>"].contains(&&*tag) => None,
            Event::Html(html) | Event::InlineHtml(html) => Some(format!("html {html}")),
            Event::Text(_) | Event::Code(_) | Event::End(_) | Event::SoftBreak => None,
            other => Some(format!("{other:?}")),
        })
        .collect()
}

#[test]
fn c_03_foreign_text_adds_no_markup_anywhere() {
    let plain = markup(&section(&varied("x")));
    assert!(plain.iter().any(|tag| tag.contains("TableRow")), "{plain:?}");
    for foreign in [
        " | a | b |",
        "```\n# x\n```",
        "</code><img src=x onerror=alert(1)>",
        "[x](javascript:y) ![y](http://z)",
        "<!--",
        "\n\n# title\n\n| a |\n|---|\n| b |\n",
        "`|`",
        "\\|\\",
        "\u{1b}[2J\u{202e}\r",
        "@everyone #1 :tada: www.example.org",
    ] {
        let page = section(&varied(foreign));
        assert_eq!(markup(&page), plain, "{foreign:?}\n{page}");
        assert!(!page.chars().any(|c| c != '\n' && crate::untrusted::acts(c)), "{page:?}");
    }
}

#[test]
fn a_section_is_far_below_what_github_takes_and_says_what_it_leaves_out() {
    let mut report = varied("");
    let failure = report.failures[0].clone();
    report.failures = (0..1000)
        .map(|n| {
            let message = format!("{n} {}", "words ".repeat(500));
            ReportFailure { key: Some(format!("{n}")), message, ..failure.clone() }
        })
        .collect();
    report.failures_omitted = 5000;
    for series in 0..200 {
        let id = format!("{}{series}", "long".repeat(20));
        report.other_days.push(stretch(&id, "1996-01-01", "2016-01-01", Rest::AlreadySealed));
        report.days.push(day(&id, "2016-01-01", DayState::Held, 0));
    }
    let page = section(&report);
    assert!(page.len() < 250_000, "{}", page.len());
    assert!(page.contains("5,950 failures are left out here."), "{page}");
    assert!(page.contains("141 further series left out here.") && page.contains("earlier months are left out here."));
    assert!(page.ends_with("```\n\n"), "how to go on stands at its end");
}

#[test]
fn a_line_in_place_of_a_section_names_the_job_and_its_end() {
    assert_eq!(headline(&varied("")), "## sunhaul: `december` incomplete (exit 4)\n");
}
