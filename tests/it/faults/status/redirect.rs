//! Redirects: which are followed, and which end a file.

use super::*;

#[test]
fn s_01_redirects_on_the_same_host_are_followed_in_one_attempt() {
    let ended = trial(&[
        ("301", |_| to(301, "?Signature=moved")),
        ("302", |_| to(302, "?Signature=found")),
        ("303", |_| to(303, "?Signature=other")),
        ("307", |_| to(307, "?Signature=moved")),
        ("308", |_| to(308, "?Signature=moved")),
    ])
    .ends_well(|file| vec![(file.fault)(file.honest()), file.honest()]);
    assert_eq!(ended.total("requests/retried"), 0, "{:#}", ended.report);
    for file in &ended.trial.files {
        let asked = ended.requests_for(file);
        assert_eq!(asked.len(), 2, "{}: {asked:#?}", file.what);
        assert_eq!(asked[1].header("range").is_some(), file.is_begun, "the same is asked of the new place");
        assert_eq!(asked[1].method, "GET");
    }
}

#[test]
fn s_02_a_redirect_to_itself_or_in_a_ring_is_ended() {
    let ended = fails(&[("to itself", |_| to(302, "?")), ("in a ring", |_| to(302, "?a"))], 1, "redirect");
    assert!(ended.requests.len() <= 2 + 3 * 4, "{:#?}", ended.requests);
    // Not tried again, though the job allows it.
    assert_eq!(refused(vec![to(302, "?a")])["attempts"], 1);
}

#[test]
fn s_03_a_ping_pong_with_a_changing_query_is_ended() {
    let server = service([(0..40).map(|n| to(302, &format!("?n={n}"))).collect()]);
    let lab = lab_for(&server, 1, "{ attempts: 3, max_wait: 1s }");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "redirect", "{report:#}");
    assert_eq!(server.requests_for(&url(11)).len(), 11, "the first place and ten more");
}

#[test]
fn s_04_ten_hops_are_followed_and_no_more() {
    for (hops, status) in [(10, 0), (11, 1)] {
        let server = service([vec![to(302, "/hop/1")]]);
        for hop in 1..=hops {
            let next = if hop == hops { honest(11) } else { to(302, &format!("/hop/{}", hop + 1)) };
            server.script(&format!("/hop/{hop}"), [next]);
        }
        let lab = lab_for(&server, 1, "{ attempts: 1 }");
        let report = lab.report(status);
        let message = report["failures"][0]["message"].as_str().unwrap_or_default();
        assert_eq!(message.contains("more than 10 times"), status == 1, "{report:#}");
        assert_eq!(report["totals"]["requests"]["sent"], 12, "a listing, the file, and ten hops");
    }
}

/// A redirect there is refused, and whoever listens there hears nothing.
#[track_caller]
fn goes_nowhere(location: &str, why: &str) {
    let failure = refused(vec![to(302, location)]);
    assert_eq!((&failure["class"], &failure["attempts"]), (&"redirect".into(), &1.into()), "{failure:#}");
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains(why) && !message.contains("s3cret"), "{message}");
}

#[test]
fn s_05_a_redirect_to_another_host_is_not_followed_and_takes_nothing_along() {
    let foreign = Server::start().expect_silence();
    // Another port is another host.
    goes_nowhere(&format!("{}/stolen?key=s3cret", foreign.url()), "is not the source's");
    assert!(foreign.requests().is_empty());
    goes_nowhere("http://elsewhere.example/stolen?key=s3cret", "not the source's own host");
    goes_nowhere("//elsewhere.example/stolen", "not the source's own host");
    goes_nowhere("http://me:s3cret@elsewhere.example/", "login");
}

#[test]
fn s_07_a_redirect_to_another_scheme_is_not_followed() {
    let lab = Lab::new();
    lab.write("secret", "s3cret");
    for location in
        [&format!("file://{}", lab.path("secret").display()), "ftp://127.0.0.1/x", "data:text/plain,x", "gopher://x/1"]
    {
        goes_nowhere(location, "neither http nor https");
    }
}

#[test]
fn s_08_a_redirect_to_an_address_that_the_manifest_does_not_name_is_not_followed() {
    for location in [
        "http://127.0.0.2/",
        "http://localhost/",
        "http://[::1]/",
        "http://2130706434/",
        "http://0x7f.2/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://192.168.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
    ] {
        goes_nowhere(location, "private address");
    }
}

#[test]
fn s_09_a_redirect_to_a_login_page_is_no_file() {
    let server = service([vec![to(302, "/login?next=x")]]);
    server.script("/login", [Answer::html()]);
    let lab = lab_for(&server, 1, "{ attempts: 1 }");
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["class"], "html", "{report:#}");
    assert!(lab.files("data").is_empty());
    server.script(&url(11), [honest(11)]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 1);
}

/// A service with two files on one day, each with its answers in turn; `/placeholder` is there for every file.
pub(super) fn pair(one: Vec<Answer>, two: Vec<Answer>) -> Server {
    let server = Server::start();
    for (name, hour, answers) in [("one", 6, one), ("two", 18, two)] {
        server.script_file(SERIES, Item::new(name, &format!("2015-12-11T{hour:02}:00:00Z")), answers);
    }
    server.script("/placeholder", [Answer::file(b"no data for this time".to_vec())]);
    server
}

/// The classes of a run's failures.
pub(super) fn classes(report: &Value) -> Vec<&str> {
    report["failures"].as_array().expect("failures").iter().filter_map(|failure| failure["class"].as_str()).collect()
}

#[test]
fn s_09_files_of_a_day_that_are_redirected_to_one_place_fail_in_every_run() {
    let placeholder = || to(302, "/placeholder");
    let server = pair(vec![placeholder()], vec![placeholder()]);
    let lab = lab_for(&server, 1, "{ attempts: 1 }");
    for _ in 0..2 {
        let report = lab.report(1);
        assert_eq!(classes(&report), ["redirect", "redirect"], "{report:#}");
        assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
    }

    // The first of them was here already when the second was redirected.
    let server = pair(vec![placeholder()], vec![Answer::status(500), placeholder()]);
    let lab = lab_for(&server, 1, "{ attempts: 1 }");
    lab.report(4);
    assert_eq!(lab.files("data").len(), 1);
    let report = lab.report(1);
    assert_eq!(classes(&report), ["redirect", "redirect"], "{report:#}");
    assert!(lab.files("data").is_empty() && lab.days("data").is_empty());
}

#[test]
fn s_09_a_file_that_is_redirected_to_another_of_its_day_fails_alone() {
    let other = || Answer::file(b"of two".to_vec());
    let server = pair(vec![to(302, &format!("/HMI/{SERIES}/two"))], vec![other()]);
    let lab = lab_for(&server, 1, "{ attempts: 1 }");
    for _ in 0..2 {
        let report = lab.report(1);
        assert_eq!(classes(&report), ["redirect"], "{report:#}");
        assert_eq!(lab.files("data").len(), 1, "the other one is at its own place");
    }
    server.script(&format!("/HMI/{SERIES}/one"), [Answer::file(b"of one".to_vec())]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn s_09_a_file_that_is_redirected_to_another_days_own_file_fails_in_every_order() {
    for (redirected, own) in [("2015-12-11", "2015-12-12"), ("2015-12-12", "2015-12-11")] {
        for (end, is_sealed_before) in [("2015-12-13", false), ("2015-12-13", true)] {
            let server = Server::start();
            let item = |name: &str, day: &str| Item::new(name, &format!("{day}T10:00:00Z"));
            server.script_file(SERIES, item("one", redirected), [to(302, &format!("/HMI/{SERIES}/two"))]);
            server.file(SERIES, item("two", own), fits(1, 20, own));
            let lab = Lab::new();
            lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", end).retry("{ attempts: 1 }").yaml());
            if is_sealed_before {
                let days = format!("{own}..{}", if own == "2015-12-11" { "2015-12-12" } else { "2015-12-13" });
                lab.report_with(&["--range", &days], 0);
            }
            for _ in 0..2 {
                let report = lab.report(1);
                assert_eq!(classes(&report), ["redirect"], "{redirected}, before: {is_sealed_before}: {report:#}");
                assert_eq!(lab.files("data").len(), 1, "{redirected}, before: {is_sealed_before}");
                assert_eq!(lab.days("data").len(), 1, "{redirected}, before: {is_sealed_before}");
            }
        }
    }
}

#[test]
fn s_10_a_location_is_relative_or_whole_and_nothing_else() {
    for (location, place) in
        [("./../x/../../elsewhere", "/elsewhere"), ("?a=b#c", "/HMI/sharp_720s/on_11"), ("x", "/HMI/sharp_720s/x")]
    {
        let server = service([vec![to(302, location), honest(11)]]);
        if place != url(11) {
            server.script(place, [honest(11)]);
        }
        let lab = lab_for(&server, 1, "{ attempts: 1 }");
        lab.report(0);
        assert_eq!(server.requests().last().expect("a request").path, place, "{location}");
    }
    for location in ["", " ", "/caf\u{e9}", "/a b", "/a\\b", "http://", "http://[", "/a\tb", "/a\u{1}b"] {
        let failure = refused(vec![to(302, location)]);
        let class = failure["class"].as_str().expect("a class");
        assert!(["redirect", "protocol"].contains(&class), "{location:?}: {failure:#}");
    }
    assert_eq!(refused(vec![Answer::status(302)])["class"], "redirect");
    assert_eq!(refused(vec![to(302, "/a").header("Location", "/b")])["class"], "redirect");
    // What would break a header apart stays encoded, and so is one odd path.
    let server = service([vec![to(302, "/x%0d%0aX-Evil:%20y")]]);
    server.script("/x%0d%0aX-Evil:%20y", [honest(11)]);
    let lab = lab_for(&server, 1, "{ attempts: 1 }");
    lab.report(0);
    assert!(server.requests().iter().all(|request| request.header("x-evil").is_none()));
}
