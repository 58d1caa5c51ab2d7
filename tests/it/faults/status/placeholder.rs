//! One placeholder that stands in for several files.

use sunhaul::digest::Digest;

use super::redirect::{classes, pair};
use super::*;

/// A service with one file on each of three days, each redirected to its own of these places.
fn redirected(places: [&str; 3]) -> Server {
    let server = service(places.map(|place| vec![to(302, place)]));
    script_placeholders(&server, &places);
    server
}

/// Puts one body at each of these places.
fn script_placeholders(server: &Server, places: &[&str]) {
    for place in places {
        server.script(&path_of(place), [Answer::file(b"no data for this time".to_vec())]);
    }
}

/// The path that is asked for at a place.
fn path_of(place: &str) -> String {
    let url: url::Url = format!("http://h{place}").parse().expect("a URL");
    url.path().to_owned()
}

#[test]
fn files_of_several_days_that_are_redirected_to_one_place_fail_in_every_run() {
    for places in [
        ["/maintenance.dat"; 3],
        ["/p.dat", "/%70.dat", "/x/../p%2Edat"],
        ["/none.dat?ref=1", "/none.dat?ref=2", "/none.dat?ref=3"],
    ] {
        let server = redirected(places);
        let lab = lab_for(&server, 3, "{ attempts: 1 }");
        for _ in 0..5 {
            let report = lab.report(1);
            assert_eq!(classes(&report), ["redirect"; 3], "{report:#}");
            assert!(lab.files("data").is_empty() && lab.days("data").is_empty(), "{places:?}");
            let totals = &report["totals"];
            assert_eq!((&totals["days"]["sealed"], &totals["days"]["failed"]), (&0.into(), &3.into()), "{report:#}");
            assert_eq!((&totals["files"]["fetched"], &totals["files"]["failed"]), (&0.into(), &3.into()), "{report:#}");
            assert_eq!(report["days"][0]["state"], "failed", "{report:#}");
            let copies = lab.tree("data/.sunhaul/work/retired").len();
            assert!(copies <= 3, "{copies}: one for each day at most, however many runs there are");
        }
        for day in 11..14 {
            server.script(&url(day), [honest(day)]);
        }
        lab.report(0);
        assert_eq!((lab.proved("data").len(), lab.days("data").len()), (3, 3));
    }
}

#[test]
fn a_day_whose_file_turns_out_to_be_a_placeholder_keeps_its_other_files() {
    let server = pair(vec![to(302, "/placeholder")], vec![Answer::file(b"of two".to_vec())]);
    server.script_file(SERIES, Item::new("three", "2015-12-12T06:00:00Z"), vec![to(302, "/placeholder")]);
    let lab = lab_for(&server, 2, "{ attempts: 1 }");
    let report = lab.report(1);
    assert_eq!(classes(&report), ["redirect"; 2], "{report:#}");
    assert_eq!((lab.files("data").len(), lab.days("data").len()), (1, 0));
    server.script(&format!("/HMI/{SERIES}/one"), [Answer::file(b"of one".to_vec())]);
    server.script(&format!("/HMI/{SERIES}/three"), [Answer::file(b"of three".to_vec())]);
    let report = lab.report(0);
    assert_eq!((&report["totals"]["files"]["have"], &report["totals"]["files"]["fetched"]), (&1.into(), &2.into()));
    assert_eq!(lab.proved("data").len(), 3);
}

#[test]
fn files_of_a_day_that_are_redirected_to_one_place_by_other_spellings_or_queries_fail() {
    for (one, two) in [
        ("/placeholder", "/%70laceholder"),
        ("/placeholder", "/x/%2e%2E/placeholder"),
        ("/placeholder?ref=one", "/placeholder?ref=two"),
    ] {
        let server = pair(vec![to(302, one)], vec![to(302, two)]);
        script_placeholders(&server, &[one, two]);
        let lab = lab_for(&server, 1, "{ attempts: 1 }");
        let report = lab.report(1);
        assert_eq!(classes(&report), ["redirect", "redirect"], "{one} {two} {report:#}");
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    }
}

#[test]
fn files_that_are_redirected_each_to_its_own_place_are_taken() {
    for places in [
        ["/blobs/ab12cd", "/blobs/cd34ef", "/blobs/ef56ab"],
        ["/mirror/1/on", "/mirror/2/on", "/mirror/3/on"],
        ["/blob?sig=1&key=a", "/blob?sig=2&key=b", "/blob?sig=3&key=c"],
    ] {
        let server = service(places.map(|place| vec![to(302, place)]));
        // Those of one path answer in turn.
        for place in places {
            let days = (11..).zip(places).filter(|(_, other)| path_of(other) == path_of(place));
            server.script(&path_of(place), days.map(|(day, _)| honest(day)));
        }
        let lab = lab_for(&server, 3, "{ attempts: 1 }");
        lab.report(0);
        assert_eq!((lab.proved("data").len(), lab.days("data").len()), (3, 3), "{places:?}");
    }
}

#[test]
fn files_of_several_runs_that_are_redirected_to_one_place_are_not_all_sealed() {
    for place in ["/maintenance.dat", "/none.dat?ref=1"] {
        let server = redirected([place; 3]);
        let lab = lab_for(&server, 3, "{ attempts: 1 }");
        // The first one comes alone, and cannot be known for what it is.
        lab.run_with(&["--max-files", "1"]).status(4).done();
        for _ in 0..2 {
            let report = lab.report(1);
            assert_eq!(classes(&report), ["redirect"; 2], "{report:#}");
            assert!(report["failures"].to_string().contains("`sunhaul update` requests it again"), "{report:#}");
            assert_eq!((lab.files("data").len(), lab.days("data").len()), (1, 1), "what is sealed stays");
        }
        for day in 11..14 {
            server.script(&url(day), [honest(day)]);
        }
        lab.report(0);
        lab.sunhaul(&["update", "job.yaml"]).stdout_has("1 added, 1 removed").chatty().done();
        let now: Vec<Digest> = lab.proved("data").into_values().collect();
        assert!(!now.contains(&Digest::sha256(b"no data for this time")), "{place}");
    }
}

#[test]
fn files_that_the_lock_has_and_a_store_that_names_them_by_their_bytes_may_share_a_place() {
    let stored = format!("/objects/SHA256E-s21--{}.dat", Digest::sha256(b"no data for this time"));
    let server = redirected([&stored; 3]);
    let lab = lab_for(&server, 3, "{ attempts: 1 }");
    lab.report(0);
    assert_eq!((lab.proved("data").len(), lab.days("data").len()), (3, 3));
    let elsewhere = redirected(["/same.dat"; 3]);
    lab.write(
        "job.yaml",
        String::from_utf8(lab.read("job.yaml")).expect("text").replace(&server.url(), &elsewhere.url()),
    );
    lab.run_with(&["--locked", "--archive", "again"]).done();
    assert_eq!(lab.days("again").len(), 3);
    lab.sunhaul(&["update", "job.yaml", "--archive", "again"]).stdout_has("nothing changed").chatty().done();
    assert_eq!(lab.days("again").len(), 3, "an update takes no sealed day down");
}
