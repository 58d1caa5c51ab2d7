//! The list of faults, walked: each has a test that bears its id, or a line in `sunhaul help limits` that says why not.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// One fault a line: its id and what it is.
const IDS: &str = include_str!("ids.txt");

/// The ids, such as `B-01`.
fn ids() -> Vec<&'static str> {
    IDS.lines().map(|line| line.split_once(' ').expect("an id and what it is").0).collect()
}

/// The ids that stand in a test's name: `b_01` for `B-01`.
fn named(test: &str) -> BTreeSet<String> {
    let words: Vec<&str> = test.split(['_', ':']).collect();
    let is_family = |word: &str| word.len() == 1 && "bcdflnrs".contains(word);
    let is_number = |word: &str| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    let pairs = words.windows(2).filter(|pair| is_family(pair[0]) && is_number(pair[1]));
    pairs.map(|pair| format!("{}-{}", pair[0].to_uppercase(), pair[1])).collect()
}

/// The ids that this binary's tests bear.
fn tested() -> BTreeSet<String> {
    let own = std::env::current_exe().expect("this binary");
    let listed = Command::new(own).args(["--list", "--include-ignored"]).output().expect("a list");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    listed.lines().filter_map(|line| line.strip_suffix(": test")).flat_map(named).collect()
}

/// The page of the limits.
fn limits() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help/limits.md");
    std::fs::read_to_string(page).expect("UTF-8")
}

#[test]
fn every_fault_has_a_test_that_bears_its_id_or_a_reason_in_the_limits() {
    let (tested, limits) = (tested(), limits());
    assert!(tested.contains("B-01") && tested.contains("D-12"), "the list of tests is not read: {tested:?}");
    let neither: Vec<&str> = ids().into_iter().filter(|id| !tested.contains(*id) && !limits.contains(id)).collect();
    assert!(neither.is_empty(), "faults with neither a test nor a reason in src/cli/help/limits.md: {neither:?}");
    let strange: Vec<&String> = tested.iter().filter(|id| !ids().contains(&id.as_str())).collect();
    assert!(strange.is_empty(), "tests of faults that are not on the list: {strange:?}");
}

#[test]
fn an_id_is_read_from_a_name_wherever_it_stands_whole() {
    let of = |name| named(name).into_iter().collect::<Vec<_>>();
    assert_eq!(of("faults::body::b_01_a_body"), ["B-01"]);
    assert_eq!(of("torture::d_01_d_02_d_03_every_step"), ["D-01", "D-02", "D-03"]);
    assert!(of("faults::body::b_011_x").is_empty() && of("a::web_01_x").is_empty() && of("a::b_1").is_empty());
}
