//! What Chromium makes of the page: nothing is refused, the numbers are the report's, it sorts, filters, points and fits.

use serde_json::{Value, json};

use super::browser::Browser;
use super::run;

/// All texts of a column of a table, from the top down, without the rows that are filtered out.
fn column(table: &str, nth: usize) -> String {
    format!(
        "[...document.querySelectorAll('#{table} tbody tr:not([hidden])')].map(row => row.cells[{nth}].textContent.trim())"
    )
}

fn field(rows: &Value, name: &str) -> Vec<String> {
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned)).collect()
}

#[test]
#[ignore = "needs chromium"]
fn the_page_runs_without_an_error_asks_for_nothing_and_its_numbers_are_the_reports() {
    let (lab, report) = run(&["--quicklook"]);
    let browser = Browser::start(&lab);
    browser.open("page.html", 1280, "light");
    assert_eq!(browser.console(), [Value::Null; 0], "the console");
    assert_eq!(browser.value("document.title"), "lab: incomplete", "a name was run");
    let asked = browser.value(
        "performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith('data:'))",
    );
    assert_eq!(asked, json!([]), "addresses");

    let numbers = browser
        .value("[...document.querySelectorAll('data')].map(data => [data.dataset.at, data.value, data.textContent])");
    for number in numbers.as_array().expect("numbers") {
        let at = number[0].as_str().expect("a pointer");
        assert_eq!(report.pointer(at).map(Value::to_string).as_deref(), number[1].as_str(), "{at}");
        let is_plain =
            report.pointer(at).and_then(Value::as_u64).is_some_and(|value| value < 1000) && !at.contains("bytes");
        assert!(!is_plain || number[1] == number[2], "{at} is shown as {}", number[2]);
    }
    assert!(numbers.as_array().map(Vec::len) > Some(30), "{numbers}");

    for (nth, name) in [(0, "series"), (1, "date"), (2, "state"), (3, "files")] {
        assert_eq!(browser.texts(&column("days", nth)), field(&report["days"], name), "{name}");
    }
    for (nth, name) in [(0, "series"), (1, "date"), (3, "class"), (4, "attempts"), (6, "message")] {
        assert_eq!(browser.texts(&column("failures", nth)), field(&report["failures"], name), "{name}");
    }
    let days = browser.value("document.querySelectorAll('.month [data-told]').length");
    assert_eq!(days, report["days"].as_array().expect("days").len(), "days of the calendars");
    let pictures = browser.value(
        "[...document.images].map(image => [image.naturalWidth > 0, image.naturalWidth <= 256, image.alt.length > 9])",
    );
    assert_eq!(pictures, json!([[true, true, true]]));
}

#[test]
#[ignore = "needs chromium"]
fn the_failures_sort_and_filter_and_without_javascript_they_are_all_there() {
    let (lab, report) = run(&[]);
    let browser = Browser::start(&lab);
    browser.open("page.html", 1280, "light");
    let by = |class: &str| browser.texts(&column("failures", if class == "class" { 3 } else { 4 }));
    let mut classes = field(&report["failures"], "class");
    assert!(classes.len() > 1, "{report:#}");
    classes.sort();
    browser.click("#failures th:nth-child(4) button");
    assert_eq!(by("class"), classes);
    browser.click("#failures th:nth-child(4) button");
    classes.reverse();
    assert_eq!(by("class"), classes);
    assert_eq!(browser.value("document.querySelector('#failures th:nth-child(4)').ariaSort"), "descending");
    browser.click("#failures th:nth-child(5) button");
    let attempts: Vec<u64> = by("attempts").iter().map(|text| text.parse().expect("a number")).collect();
    assert!(attempts.is_sorted(), "{attempts:?}");

    browser.type_into("[data-for=failures] input", "403 Refused");
    assert_eq!(by("class"), ["forbidden"], "rows that hold both words");
    let shown = browser.value("document.querySelector('[data-for=failures] output').textContent");
    assert_eq!(shown, format!("1 of {} shown", classes.len()));

    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open("page.html", 1280, "light");
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": false }));
    assert_eq!(browser.value("document.querySelectorAll('th button, .month [tabindex]').length"), 0, "it is off");
    assert_eq!(by("class"), field(&report["failures"], "class"));
    assert_eq!(browser.value("document.querySelector('.tools').checkVisibility()"), false, "no dead filter");
    assert_eq!(browser.value("document.querySelector('.month [title]').title.startsWith('2015-12-11: ')"), true);
}

#[test]
#[ignore = "needs chromium"]
fn a_day_tells_itself_to_the_pointer_and_to_the_keys() {
    let (lab, _) = run(&[]);
    let browser = Browser::start(&lab);
    browser.open("page.html", 1280, "light");
    let tip = || browser.value("(tip => tip.hidden ? '' : tip.textContent)(document.getElementById('tip'))");
    assert_eq!(tip(), "");
    browser.click(".months [data-told].s4");
    assert!(tip().as_str().is_some_and(|told| told.starts_with("2015-12-11: sealed, ")), "{}", tip());
    browser.type_into(".months [data-told].s4", "\u{e00c}");
    assert_eq!(tip(), "", "the escape key");
    // Each series is one stop of the tab key.
    let stops = browser.value(
        "[...document.querySelectorAll('.months')].map(months => months.querySelectorAll('[tabindex=\"0\"]').length)",
    );
    assert_eq!(stops, json!([1, 1, 1, 1]));
    browser.type_into(".months [data-told].f", "\u{e014}");
    assert!(tip().as_str().is_some_and(|told| told.contains(": failed, ")), "{}", tip());
}

#[test]
#[ignore = "needs chromium"]
fn a_phone_needs_no_sideways_scrolling_and_the_dark_is_dark() {
    let (lab, _) = run(&["--quicklook"]);
    let browser = Browser::start(&lab);
    let mut backs = Vec::new();
    for (width, scheme) in [(360, "light"), (360, "dark"), (1280, "dark")] {
        browser.open("page.html", width, scheme);
        let sides = browser.value("[innerWidth, document.documentElement.scrollWidth <= innerWidth]");
        assert_eq!(sides, json!([width, true]), "{scheme}");
        let cut = "[...document.querySelectorAll('h1, h2, h3, dd, .card, figure, .months table')].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))";
        assert_eq!(browser.value(cut), json!([]), "what sticks out at {width}");
        backs.push(browser.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"));
    }
    assert!(backs[0].as_u64() > Some(200) && backs[1].as_u64() < Some(60) && backs[2] == backs[1], "{backs:?}");
    assert_eq!(browser.console(), [Value::Null; 0], "the console");
}
