//! The document as a reader of XML has it.

use super::super::calendar::tests::{bare, varied};
use super::*;
use crate::report::model::Drift;

/// The elements of a document, with their attributes.
fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let document = roxmltree::Document::parse(page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    let attributes = |node: roxmltree::Node<'_, '_>| {
        node.attributes().map(|one| (one.name().to_owned(), one.value().to_owned())).collect()
    };
    let all = document.descendants().filter(roxmltree::Node::is_element);
    all.map(|node| (node.tag_name().name().to_owned(), attributes(node))).collect()
}

#[test]
fn a_day_is_a_case_and_a_series_a_suite() {
    insta::assert_snapshot!(document(&varied("")));
}

#[test]
fn the_counts_of_a_suite_are_those_of_its_cases() {
    let page = document(&varied(""));
    let found = elements(&page);
    let suite = found.iter().filter(|(name, _)| name == "testsuite").nth(1).expect("a suite");
    let count = |wanted: &str| suite.1.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    assert_eq!([count("tests"), count("failures"), count("skipped")], [Some("19"), Some("2"), Some("2")]);
    let all = |wanted: &str| found.iter().filter(|(name, _)| name == wanted).count();
    assert_eq!((all("testcase"), all("failure"), all("skipped")), (20, 3, 2));
}

#[test]
fn c_03_foreign_text_adds_no_element_and_no_attribute() {
    let shape = |page: &str| -> Vec<(String, Vec<String>)> {
        elements(page)
            .into_iter()
            .map(|(name, attributes)| (name, attributes.into_iter().map(|(name, _)| name).collect()))
            .collect()
    };
    let plain = shape(&document(&varied("x")));
    for foreign in ["</testcase><failure>", "]]>", "\" type=\"x", "&amp;&#0;", "<!--", "\u{0}\u{1b}\u{fffe}", "a\nb"] {
        assert_eq!(shape(&document(&varied(foreign))), plain, "{foreign:?}");
    }
}

#[test]
fn a_day_that_drifted_is_a_failed_case() {
    let mut report = bare();
    let date = "2015-12-12".parse().unwrap();
    let days = vec![DriftedDay {
        series: "s".into(),
        date,
        added: 1,
        removed: 0,
        changed: 2,
        keywords_changed: 0,
        by: crate::report::model::ComparedBy::default(),
    }];
    report.drift = Some(Drift { days, ..Drift::default() });
    let page = document(&report);
    let told = "<failure type=\"drift\" message=\"upstream differs from the lock: 1 added, 0 removed, 2 changed\">";
    assert!(page.contains(told), "{page}");
}

#[test]
fn times_are_digits_with_a_fraction() {
    assert_eq!([1.5, 0.0004, -3.0, f64::NAN, 1e7].map(seconds), ["1.500", "0.000", "0.000", "0.000", "10000000.000"]);
}
