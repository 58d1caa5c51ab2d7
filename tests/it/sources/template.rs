//! A server whose files have dated paths and no listing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::contract::{self, How};
use crate::lab::{Answer, Ending, Job, Lab, Server, fits};

/// The server.
pub(super) struct Fake {
    server: Server,
    how: Arc<Mutex<How>>,
}

impl contract::Fake for Fake {
    fn with(times: &[&str]) -> Fake {
        let files: BTreeMap<String, Vec<u8>> = (0..)
            .zip(times)
            .map(|(nth, time)| {
                let path = format!("/data/x_{}.fits", time.replace(['-', ':'], "").replace('T', "_"));
                (path, fits(nth, 20, time))
            })
            .collect();
        let how = Arc::new(Mutex::new(How::Honest));
        let now = Arc::clone(&how);
        let server = Server::speaking(move |request| {
            let body = files.get(&request.path)?;
            let half = body.len() / 2;
            Some(match &*now.lock().expect("a lock") {
                How::Failing => Answer::status(500),
                How::Cut => Answer::file(body.clone()).ending(Ending::Cut(half)),
                How::Page => Answer::html(),
                How::Abroad(host) => Answer::status(302).header("Location", &format!("http://{host}{}", request.path)),
                _ => Answer::file(body.clone()),
            })
        });
        Fake { server, how }
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        *self.how.lock().expect("a lock") = how;
    }

    fn source(&self) -> String {
        let url = self.server.url();
        format!("{{ template: {{ url: \"{url}/data/\", path: \"x_%Y%m%d_%H%M%S.fits\", cadence: 12m }} }}")
    }

    fn series() -> &'static str {
        "{ name: x, as: one }"
    }

    fn retry() -> &'static str {
        "{ attempts: 1, max_wait: 1s }"
    }

    fn unanswerable() -> &'static str {
        "{ name: x, as: one, segments: [bitmap] }"
    }
}

/// A job whose files are these, the rest being 404.
fn lab(server: &Server, keys: &str, series: &str) -> Lab {
    let lab = Lab::new();
    let source = format!("{{ template: {{ url: \"{}/data/\", {keys} }} }}", server.url());
    let job = Job::from_source(&source).series(&[series]).retry("{ attempts: 1, max_wait: 1s }");
    lab.write("job.yaml", job.yaml());
    lab
}

fn serve(server: &Server, paths: &[&str]) {
    for (nth, path) in (0..).zip(paths) {
        server.script(path, [Answer::file(fits(nth, 20, "2015-12-11T00:00:00"))]);
    }
}

fn names(lab: &Lab) -> Vec<String> {
    lab.proved("data").into_keys().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_is_not_there_is_absent_and_no_failure() {
    let server = Server::start();
    serve(&server, &["/data/2015/12/11/a_06.fits", "/data/2015/12/11/a_18.fits"]);
    let lab = lab(&server, "path: \"%Y/%m/%d/a_%H.fits\", cadence: 6h", "{ name: x }");
    server.script("/data/2015/12/11/a_12.fits", [Answer::status(410)]);
    let report = lab.report(0);
    assert_eq!(names(&lab), ["a_06.fits", "a_18.fits"]);
    assert_eq!(report["days"][0]["state"], "sealed", "{report:#}");
    let files = lab.day("data", "x", "2015-12-11").files;
    let absent: Vec<_> =
        files.iter().filter_map(|file| Some((file["key"].as_str()?, file.get("absent")?.as_str()?))).collect();
    assert_eq!(absent, [("2015/12/11/a_00.fits", "404"), ("2015/12/11/a_12.fits", "410")]);
    assert_eq!(server.requests().len(), 5, "robots.txt and the files: nothing is listed");
}

#[test]
fn what_is_not_there_is_asked_for_twice_and_a_source_that_has_nothing_at_all_is_doubted() {
    let server = Server::start();
    let lab = Lab::new();
    let source =
        format!("{{ template: {{ url: \"{}/wrong/\", path: \"a_%Y%m%d_%H.fits\", cadence: 12h }} }}", server.url());
    lab.write("job.yaml", Job::from_source(&source).retry("{ attempts: 6, max_wait: 1s }").yaml());
    let said = lab.run().stderr_has("the source has none of 2 files: if that cannot be").done();
    assert!(said.stderr.contains("2 absent upstream"), "{}", said.stderr);
    assert!(said.stderr.contains("`sunhaul run --retry-absent` asks again"), "{}", said.stderr);
    assert_eq!(
        server.requests().len(),
        1 + 2 * 3,
        "robots.txt, and each file twice, then once: {:?}",
        server.requests()
    );
    // One that was missed once is taken.
    let lab = self::lab(&server, "path: \"b_%Y%m%d_%H.fits\", cadence: 12h", "{ name: x }");
    let late = Answer::file(fits(1, 20, "2015-12-11T00:00:00"));
    server.script("/data/b_20151211_00.fits", [Answer::status(404), late]);
    lab.write("job.yaml", String::from_utf8(lab.read("job.yaml")).expect("text").replace("attempts: 1", "attempts: 6"));
    let report = lab.report(0);
    assert_eq!(names(&lab), ["b_20151211_00.fits"]);
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
}

/// The day, older than any test is run, while it is young, or once it is final.
fn of_age(server: &Server, settle: &str) -> String {
    let source =
        format!("{{ template: {{ url: \"{}/data/\", path: \"a_%Y%m%d_%H.fits\", cadence: 12h }} }}", server.url());
    let job = Job::from_source(&source).series(&["{ name: x }"]).retry("{ attempts: 6, max_wait: 1s }");
    job.range("2026-01-11", "2026-01-12").more(settle).yaml()
}

#[test]
fn a_file_of_a_young_day_that_is_not_there_yet_is_no_failure_and_is_taken_when_it_has_come() {
    let server = Server::start();
    let [early, late] = ["/data/a_20260111_00.fits", "/data/a_20260111_12.fits"];
    serve(&server, &[early]);
    let lab = Lab::new();
    lab.write("job.yaml", of_age(&server, "settle: 3650d"));
    for times in 1..=2 {
        let report = lab.report(0);
        assert_eq!(report["days"][0]["state"], "provisional", "{report:#}");
        assert_eq!((&report["totals"]["files"]["absent"], names(&lab).len()), (&1.into(), 1), "{report:#}");
        assert_eq!(server.requests_for(late).len(), times, "once in each look: the next one asks again");
    }
    serve(&server, &[early, late]);
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], &report["days"][0]["absent"]), (&"provisional".into(), &0.into()));
    assert_eq!(names(&lab), ["a_20260111_00.fits", "a_20260111_12.fits"]);
    // What was there is not lost by a 404 of a young day.
    server.script(late, [Answer::status(404)]);
    lab.report(0);
    assert_eq!(names(&lab).len(), 2);
    lab.write("job.yaml", of_age(&server, ""));
    assert_eq!(lab.report(0)["days"][0]["state"], "sealed");
    assert_eq!(names(&lab).len(), 2);
}

#[test]
fn each_value_multiplies_the_files_and_has_its_place_in_the_layout() {
    let server = Server::start();
    let paths = [
        "/data/2015/345/0094/Br.fits",
        "/data/2015/345/0094/Bt.fits",
        "/data/2015/345/0171/Br.fits",
        "/data/2015/345/0171/Bt.fits",
    ];
    serve(&server, &paths);
    let keys = "path: \"%Y/%j/{wavelength:04}/{segment}.fits\", cadence: 1d, each: { wavelength: [171, 94], segment: [Bt, Br] }";
    let lab = lab(&server, keys, "{ name: x, layout: \"{series}/{date:%F}/{wavelength}/{segment}_{file}\" }");
    lab.report(0);
    let kept: Vec<String> = lab.proved("data").into_keys().collect();
    let place = |wavelength, segment| format!("x/2015-12-11/{wavelength}/{segment}_{segment}.fits");
    assert_eq!(kept, [place(171, "Br"), place(171, "Bt"), place(94, "Br"), place(94, "Bt")]);
}

#[test]
fn a_value_that_stands_there_twice_makes_one_file() {
    let server = Server::start();
    serve(&server, &["/data/20151211_171.fits"]);
    let keys = "path: \"%Y%m%d_{wavelength}.fits\", cadence: 1d, each: { wavelength: [171, 171] }";
    let report = lab(&server, keys, "{ name: x }").report(0);
    let day = &report["days"][0];
    assert_eq!((&day["files"], &day["duplicates"]), (&1.into(), &1.into()), "{report:#}");
    assert_eq!(server.requests_for("/data/20151211_171.fits").len(), 1);
}

#[test]
fn a_cadence_thins_from_midnight_and_a_part_of_a_day_is_a_part() {
    let server = Server::start();
    let times = ["0000", "0012", "0100", "0148", "0200", "0300"];
    let paths: Vec<String> = times.iter().map(|time| format!("/data/20151211_{time}.fits")).collect();
    serve(&server, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    let lab = Lab::new();
    let source =
        format!("{{ template: {{ url: \"{}/data/\", path: \"%Y%m%d_%H%M.fits\", cadence: 12m }} }}", server.url());
    let job = Job::from_source(&source).series(&["{ name: x, cadence: 1h }"]);
    lab.write("job.yaml", job.range("2015-12-11T00:30:00Z", "2015-12-11T03:00:00Z").yaml());
    lab.report(0);
    assert_eq!(names(&lab), ["20151211_0100.fits", "20151211_0200.fits"]);
    assert_eq!(server.requests().len(), 3, "{:?}", server.requests());
}

#[test]
fn what_robots_txt_forbids_is_not_asked_for() {
    let server = Server::start();
    server.script("/robots.txt", [Answer::text("text/plain", "User-agent: *\nDisallow: /*_12.fits$\n")]);
    let lab = lab(&server, "path: \"%Y/%m/%d/a_%H.fits\", cadence: 6h", "{ name: x }");
    let report = lab.report(1);
    let failure = &report["failures"][0];
    assert_eq!(failure["class"], "source-refused", "{report:#}");
    let message = failure["message"].as_str().expect("a message");
    assert!(
        message.contains("a_12.fits: programs may not request this") && message.contains("Disallow: /*_12.fits$"),
        "{message}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_replica_and_a_host_that_redirects_lead_to_are_asked_for_their_robots_txt_first() {
    const FILE: &str = "/data/2015/12/11/a_00.fits";
    let forbidden = Answer::text("text/plain", "User-agent: *\nDisallow: /data/\n");
    // Whether the first server goes away or sends elsewhere, the second one's rules hold.
    for is_allowed in [true, false] {
        for goes_away in [true, false] {
            let (first, second) = (Server::start(), Server::start());
            serve(&second, &[FILE]);
            let host = second.plain_url().trim_start_matches("http://").to_owned();
            let (answer, reach) = if goes_away {
                (Answer::status(503), format!("url: [\"{}/data/\", \"{}/data/\"]", first.url(), second.url()))
            } else {
                let to = Answer::status(302).header("Location", &format!("{}{FILE}", second.url()));
                (to, format!("url: \"{}/data/\", hosts: [\"{host}\"]", first.url()))
            };
            first.script(FILE, [answer]);
            if !is_allowed {
                second.script("/robots.txt", [forbidden.clone()]);
            }
            let lab = Lab::new();
            let source = format!("{{ template: {{ {reach}, path: \"%Y/%m/%d/a_%H.fits\", cadence: 1d }} }}");
            lab.write("job.yaml", Job::from_source(&source).series(&["{ name: x }"]).yaml());
            let report = lab.report(i32::from(!is_allowed));
            let asked: Vec<String> = second.requests().into_iter().map(|request| request.path).collect();
            let due: &[&str] = if is_allowed { &["/robots.txt", FILE] } else { &["/robots.txt"] };
            assert_eq!(asked, due, "{report:#}");
            if !is_allowed {
                assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
            }
        }
    }
}

#[test]
fn what_was_absent_is_asked_for_again_by_retry_absent_and_no_sooner() {
    let server = Server::start();
    let [early, late] = ["/data/2015/12/11/a_00.fits", "/data/2015/12/11/a_12.fits"];
    serve(&server, &[early]);
    let lab = lab(&server, "path: \"%Y/%m/%d/a_%H.fits\", cadence: 12h", "{ name: x }");
    lab.report(0);
    serve(&server, &[early, late]);
    let requests = server.requests().len();
    for more in [&[][..], &["--check"], &["--retry-failed"], &["--retry-absent", "--range", "2015-12-11..2015-12-12"]] {
        assert_eq!(server.requests().len(), requests, "a sealed day is not asked for again");
        lab.report_with(more, 0);
    }
    assert_eq!(names(&lab), ["a_00.fits", "a_12.fits"]);
    assert_eq!(server.requests_for(early).len(), 1, "what is here is not asked for");
    // The lock has it now, and a run that is held to it passes.
    lab.report_with(&["--locked"], 0);
    let locked = String::from_utf8(lab.read("job.lock")).expect("UTF-8");
    assert!(locked.contains("\"absent\":0") && locked.contains("a_12.fits"), "{locked}");
    let requests = server.requests().len();
    lab.report_with(&["--retry-absent"], 0);
    assert_eq!(server.requests().len(), requests, "no day lacks a file any more");
    lab.run_with(&["--retry-absent", "--locked"]).status(2).stderr_has("cannot be used with").done();
}

#[test]
fn retry_absent_holds_the_files_that_are_there_to_the_lock() {
    let server = Server::start();
    let [early, late] = ["/data/2015/12/11/a_00.fits", "/data/2015/12/11/a_12.fits"];
    serve(&server, &[early]);
    let lab = lab(&server, "path: \"%Y/%m/%d/a_%H.fits\", cadence: 12h", "{ name: x }");
    lab.report(0);
    // Somebody else's archive, and the same lock; upstream has another file.
    lab.on_a_new_machine();
    lab.report(0);
    std::fs::remove_file(lab.path("data/x/2015/12/11/a_00.fits")).expect("a file");
    server.script(early, [Answer::file(fits(9, 20, "2015-12-11T00:00:00"))]);
    serve(&server, &[late]);
    let report = lab.report_with(&["--retry-absent"], 3);
    assert_eq!(report["failures"][0]["class"], "lock-mismatch", "{report:#}");
}

#[test]
fn a_frozen_run_asks_for_the_files_of_its_lock_alone() {
    let server = Server::start();
    serve(&server, &["/data/2015/12/11/a_06.fits"]);
    let lab = lab(&server, "path: \"%Y/%m/%d/a_%H.fits\", cadence: 6h", "{ name: x }");
    lab.report(0);
    let before = lab.proved("data");
    lab.on_a_new_machine();
    let asked = server.requests().len();
    lab.report_with(&["--frozen"], 0);
    assert_eq!(lab.proved("data"), before);
    assert_eq!(server.requests().len(), asked + 1);
}

#[test]
fn other_cadences_wavelengths_and_segments_of_one_path_ask_for_no_file_that_is_here() {
    let server = Server::speaking(|request| {
        let is_file = request.path.starts_with("/data/2015");
        is_file.then(|| Answer::file(request.path.clone().into_bytes()))
    });
    let lab = Lab::new();
    let of = |cadence: &str, wavelengths: &str, folder: &str| {
        let source = format!(
            "{{ template: {{ url: \"{}/{folder}/\", path: \"%Y%m%d_%H%M_{{wavelength}}.dat\", cadence: {cadence}, \
             each: {{ wavelength: {wavelengths} }} }} }}",
            server.url()
        );
        lab.write("job.yaml", Job::from_source(&source).series(&["{ name: x, as: one }"]).yaml());
    };
    let asked = || server.requests().iter().filter(|request| request.path != "/robots.txt").count();
    of("6h", "[171]", "data");
    lab.report(0);
    assert_eq!(asked(), 4);
    // Fewer, as many, more, and others; what is not asked for any more waits among the retired files.
    for (cadence, wavelengths, files, more) in [
        ("12h", "[171]", 2, 0),
        ("6h", "[171]", 4, 0),
        ("6h", "[171, 193]", 8, 4),
        ("6h", "[193]", 4, 0),
        ("4h", "[171]", 6, 4),
    ] {
        let before = asked();
        of(cadence, wavelengths, "data");
        lab.report(0);
        let there = lab.proved("data");
        assert_eq!((there.len(), asked() - before), (files, more), "{cadence} {wavelengths}: {there:?}");
        lab.sunhaul(&["verify", "job.yaml"]).stdout_has("no problems found").done();
    }
    of("8h", "[171]", "data");
    let words = "cadence 4h to 8h";
    lab.sunhaul(&["plan", "job.yaml"]).stdout_has(words).done();
    // Below another folder a file of the same path is another file.
    of("8h", "[171]", "data/2015");
    let before = asked();
    lab.report(0);
    assert_eq!(asked() - before, 3);
}
