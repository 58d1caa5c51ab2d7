//! Directory listings in the forms of three servers: files below dated folders, each listed by its name.

mod believed;
mod empty;
mod paged;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::autoindex::{Entry, Form, page};
use super::contract::{self, How};
use crate::lab::{Answer, Ending, Job, Lab, Request, Server, fits};

/// A server that lists its folders.
pub(super) struct Fake<F> {
    server: Server,
    how: Arc<Mutex<How>>,
    form: PhantomData<F>,
}

/// Its form.
pub(super) trait Written {
    const FORM: Form;
}

pub(super) struct Apache;
pub(super) struct Nginx;
pub(super) struct Lighttpd;

impl Written for Apache {
    const FORM: Form = Form::Apache;
}

impl Written for Nginx {
    const FORM: Form = Form::Nginx;
}

impl Written for Lighttpd {
    const FORM: Form = Form::Lighttpd;
}

/// The bodies of files by their paths.
type Tree = BTreeMap<String, Vec<u8>>;

impl<F: Written> contract::Fake for Fake<F> {
    fn with(times: &[&str]) -> Fake<F> {
        let mut tree = Tree::new();
        for (nth, time) in (0..).zip(times) {
            let name = format!("x_{}.fits", time.replace(['-', ':'], "").replace('T', "_"));
            let (date, hour) = time.split_once('T').expect("a time");
            let body = fits(nth, 20, time);
            // Many an archive keeps the end of a day in its folder too.
            if hour == "00:00:00" {
                let date: chrono::NaiveDate = date.parse().expect("a date");
                let before = date.pred_opt().expect("a day before").format("%Y/%m/%d");
                tree.insert(format!("/data/{before}/{name}"), body.clone());
            }
            tree.insert(format!("/data/{}/{name}", date.replace('-', "/")), body);
        }
        let how = Arc::new(Mutex::new(How::Honest));
        let now = Arc::clone(&how);
        let server = Server::speaking(move |request| answer(&tree, request, F::FORM, &now.lock().expect("a lock")));
        Fake { server, how, form: PhantomData }
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        *self.how.lock().expect("a lock") = how;
    }

    fn source(&self) -> String {
        format!(
            "{{ index: {{ url: \"{}/data/\", path: \"%Y/%m/%d/\", files: \"x_%Y%m%d_%H%M%S.fits\" }} }}",
            self.server.url()
        )
    }

    fn series() -> &'static str {
        "{ name: x, as: one }"
    }

    fn unanswerable() -> &'static str {
        "{ name: x, as: one, segments: [bitmap] }"
    }
}

/// What is directly in a folder.
fn entries(tree: &Tree, folder: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (path, body) in tree.range(folder.to_owned()..) {
        let Some(below) = path.strip_prefix(folder) else { break };
        let href = below.split_once('/').map_or(below.to_owned(), |(sub, _)| format!("{sub}/"));
        if entries.last().is_none_or(|last| last.href != href) {
            entries.push(Entry { href, bytes: body.len() as u64 });
        }
    }
    entries
}

fn answer(tree: &Tree, request: &Request, form: Form, how: &How) -> Option<Answer> {
    if let Some(body) = tree.get(&request.path) {
        return Some(Answer::file(body.clone()));
    }
    let mut entries = entries(tree, &request.path);
    if !request.path.ends_with('/') || entries.is_empty() {
        return None;
    }
    match how {
        How::Honest | How::Cut => {}
        How::Backwards => entries.reverse(),
        How::Twice => entries.extend(entries.clone()),
        How::Failing => return Some(Answer::status(500)),
        How::Page => return Some(Answer::html()),
        How::Moved => return Some(Answer::moved()),
        How::Abroad(host) => entries.push(Entry::new(&format!("http://{host}/data/x_20151211_060000.fits"), 5760)),
    }
    let answer = Answer::text("text/html", &page(form, &request.path, &entries));
    let half = answer.body().len() / 2;
    Some(if *how == How::Cut { answer.ending(Ending::Cut(half)) } else { answer })
}

/// A server that lists these files in nginx's form.
fn serving(files: &[(&str, u32)]) -> Server {
    in_form(Form::Nginx, files)
}

fn in_form(form: Form, files: &[(&str, u32)]) -> Server {
    let body = |seed: &u32| fits(*seed, 20, "2015-12-11T00:00:00");
    let tree: Tree = files.iter().map(|(path, seed)| ((*path).to_owned(), body(seed))).collect();
    Server::speaking(move |request| answer(&tree, request, form, &How::Honest))
}

fn job(server: &Server, keys: &str) -> Job {
    Job::from_source(&format!("{{ index: {{ url: \"{}/data/\", {keys} }} }}", server.url())).series(&["{ name: x }"])
}

fn lab(job: &Job) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    lab
}

fn names(lab: &Lab) -> Vec<String> {
    lab.proved("data").into_keys().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

fn failure(report: &Value) -> (&str, &str) {
    let failure = &report["failures"][0];
    (failure["class"].as_str().expect("a class"), failure["message"].as_str().expect("a message"))
}

#[test]
fn folders_by_the_hour_are_each_asked_for_and_one_that_is_missing_is_empty() {
    let server = serving(&[
        ("/data/2015/12/11/H0000/a_0000.fits", 1),
        ("/data/2015/12/11/H0000/a_0012.fits", 2),
        ("/data/2015/12/11/H0000/a_0100.fits", 3), // of another hour than its folder
        ("/data/2015/12/11/H2300/a_2348.fits", 4),
        ("/data/2015/12/12/H0000/a_0000.fits", 5),
    ]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/H%H00\", files: \"a_%H%M.fits\""));
    let report = lab.report(0);
    assert_eq!(names(&lab), ["a_0000.fits", "a_0012.fits", "a_2348.fits"]);
    assert_eq!(report["days"][0]["outside_day"], 1, "{report:#}");
    let folders = server.requests().into_iter().filter(|request| request.path.ends_with('/')).count();
    assert_eq!(folders, 24 + 22, "those that are missing twice, since others are there");
    let times = lab.day("data", "x", "2015-12-11").files.into_iter().map(|file| file["time"].clone());
    assert_eq!(times.collect::<Vec<_>>(), ["2015-12-11T00:00:00Z", "2015-12-11T00:12:00Z", "2015-12-11T23:48:00Z"]);
}

#[test]
fn a_folder_that_was_missed_once_does_not_seal_its_day_short() {
    let paths: Vec<String> = (0..24).map(|hour| format!("/data/2015/12/11/H{hour:02}00/a_{hour:02}00.fits")).collect();
    let files: Vec<(&str, u32)> = paths.iter().map(String::as_str).zip(1..).collect();
    let server = serving(&files);
    let missed = "/data/2015/12/11/H0500/";
    let there = Answer::text("text/html", &page(Form::Nginx, missed, &[Entry::new("a_0500.fits", 5760)]));
    server.script(missed, [Answer::status(404), there]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/H%H00\", files: \"a_%H%M.fits\""));
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["state"], names(&lab).len()), (&"sealed".into(), 24), "{report:#}");
    assert_eq!(server.requests().iter().filter(|request| request.path.ends_with('/')).count(), 24 + 1);
    assert_eq!(report["totals"]["requests"]["retried"], 1, "{report:#}");
}

#[test]
fn of_versions_the_newest_is_taken_and_a_newer_one_is_drift() {
    let folder = "/data/2015/12/";
    let files = [("v1-0-2", 1), ("v1-0-10", 2), ("v1-0-9", 3)];
    let all: Vec<(String, u32)> =
        files.iter().map(|(version, seed)| (format!("{folder}sci_d20151211_{version}.fits"), *seed)).collect();
    let all: Vec<(&str, u32)> = all.iter().map(|(path, seed)| (path.as_str(), *seed)).collect();
    let server = serving(&all);
    let lab = lab(&job(&server, "path: \"%Y/%m/\", files: \"sci_d%Y%m%d_v*.fits\", pick: newest"));
    lab.report(0);
    assert_eq!(names(&lab), ["sci_d20151211_v1-0-10.fits"]);
    lab.sunhaul(&["update", "job.yaml", "--dry-run"]).stdout_has("").chatty().done();

    let newer = fits(4, 20, "2015-12-11T00:00:00");
    let mut entries: Vec<Entry> = all.iter().map(|(path, _)| Entry::new(&path[folder.len()..], 5760)).collect();
    entries.push(Entry::new("sci_d20151211_v1-1-0.fits", newer.len() as u64));
    server.script(folder, [Answer::text("text/html", &page(Form::Nginx, folder, &entries))]);
    server.script(&format!("{folder}sci_d20151211_v1-1-0.fits"), [Answer::file(newer)]);
    lab.sunhaul(&["update", "job.yaml", "--dry-run", "--files"]).status(3).stdout_has("v1-1-0").chatty().done();
    lab.sunhaul(&["update", "job.yaml"]).stdout_has("").chatty().done();
    lab.run().done();
    assert_eq!(names(&lab), ["sci_d20151211_v1-1-0.fits"], "the older one has left the archive");
}

#[test]
fn l_01_two_files_that_would_be_taken_for_one_fail_the_day() {
    let (one, other) = (serving(&[("/x/a.fits", 1)]).expect_silence(), serving(&[("/x/a.fits", 2)]).expect_silence());
    let at = |server: &Server| server.plain_url().trim_start_matches("http://").to_owned();
    let on = |server: &Server| Entry::new(&format!("{}/x/a.fits", server.plain_url()), 5760);
    let by_query = ["a.fits?part=1", "a.fits?part=2"].map(|href| Entry::new(href, 5760)).to_vec();
    let by_size = [5760, 8640].map(|bytes| Entry { href: "a.fits".to_owned(), bytes }).to_vec();
    for (entries, class, says) in [
        (vec![on(&one), on(&other)], "source-refused", "have the same path on two hosts"),
        (by_query, "source-refused", "differ by their query alone"),
        (by_size, "listing-malformed", "is listed twice, with 5760 and with 8640 bytes"),
    ] {
        let (server, folder) = (serving(&[("/data/2015/12/11/a.fits", 1)]), "/data/2015/12/11/");
        server.script(folder, [Answer::text("text/html", &page(Form::Nginx, folder, &entries))]);
        let hosts = format!("hosts: [\"{}\", \"{}\"]", at(&one), at(&other));
        let lab = lab(&job(&server, &format!("path: \"%Y/%m/%d/\", files: \"?.fits\", {hosts}")));
        let report = lab.report(1);
        let (told, message) = failure(&report);
        assert!(told == class && message.contains(says), "{message}");
        assert!(lab.days("data").is_empty() && lab.files("data").is_empty());
    }
}

#[test]
fn of_two_files_of_one_name_none_is_the_newest() {
    let server = serving(&[("/data/2015/12/11/x_v1.fits", 1), ("/data/b/x_v1.fits", 2)]);
    let (folder, hrefs) = ("/data/2015/12/11/", ["x_v1.fits", "/data/b/x_v1.fits"]);
    server.script(
        folder,
        [Answer::text("text/html", &page(Form::Nginx, folder, &hrefs.map(|href| Entry::new(href, 5760))))],
    );
    let report = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"x_v*.fits\", pick: newest")).report(1);
    assert!(failure(&report).1.contains("are listed as one file, so they cannot be told apart"), "{report:#}");
}

#[test]
fn f_01_names_are_decoded_and_lead_nowhere() {
    let server = Server::start();
    let folder = "/data/2015/12/11/";
    let files = ["a%20b.fits", "a&b.fits", "a%2520b.fits", "./a;b+c:d.fits", "%C3%BC.fits"];
    let traps = [
        "..%2f..%2fetc.fits",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc.fits",
        "..%5cetc.fits",
        "a%00.fits",
        "a%5cb.fits",
        "a\\c.fits",
        "a%1b[2J.fits",
        "%ff.fits",
        "../../../../etc.fits",
        "http://u:p@127.0.0.1/a.fits",
        "javascript:a.fits",
        "#a.fits",
        "?C=a.fits",
        "sub.fits/",
        "//evil.example/a.fits",
    ];
    let entries: Vec<Entry> = files.iter().chain(&traps).map(|href| Entry::new(href, 5760)).collect();
    server.script(folder, [Answer::text("text/html", &page(Form::Apache, folder, &entries))]);
    for (nth, href) in (0..).zip(files) {
        let body = fits(nth, 20, "2015-12-11T00:00:00");
        server.script(&format!("{folder}{}", href.trim_start_matches("./")), [Answer::file(body)]);
    }
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"*.fits\""));
    lab.run()
        .stderr_has("7 files are left out, since their names hold a slash, a backslash, a control character or what is no UTF-8, such as `../../etc.fits`")
        .done();
    assert_eq!(names(&lab), ["a b.fits", "a%20b.fits", "a&b.fits", "a;b+c_d.fits", "ü.fits"]);
    assert_eq!(server.requests().len(), 2 + files.len(), "{:?}", server.requests());
}

#[test]
fn names_that_do_not_fit_are_told_where_none_does() {
    let server = serving(&[("/data/2015/12/a_20151211.fits", 1), ("/data/2015/12/b_20151211.fits", 2)]);
    let lab = lab(&job(&server, "path: \"%Y/%m/\", files: \"x_%Y%m%d.fits\""));
    let said = lab.run().stderr_has("no name fits `files`; 2 others are there, such as `a_20151211.fits`").done();
    assert!(said.stderr.contains("the source has no file of 1 day: if that cannot be"), "{}", said.stderr);
}

#[test]
fn the_rules_of_robots_txt_are_obeyed_and_named() {
    let server = serving(&[("/data/2015/12/11/a.fits", 1), ("/data/2015/12/11/b.fits", 2)]);
    let rules =
        "User-agent: *\nDisallow: /data/\n\nUser-agent: sunhaul\nAllow: /data/2015/12/11/$\nDisallow: /data/2015/\n";
    server.script("/robots.txt", [Answer::text("text/plain", rules)]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\"").range("2015-12-10", "2015-12-12"));
    let report = lab.report(1);
    let messages: Vec<&str> = report["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .inspect(|failure| assert_eq!(failure["class"], "source-refused"))
        .map(|failure| failure["message"].as_str().expect("a message"))
        .collect();
    assert!(
        messages.iter().all(|message| message.contains("/robots.txt says `Disallow: /data/2015/`")),
        "{messages:?}"
    );
    assert!(
        messages[0].contains("/data/2015/12/10/: ") && messages[1].contains("/data/2015/12/11/a.fits: "),
        "{messages:?}"
    );
    let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/robots.txt", "/data/2015/12/11/"], "asked once, and nothing that is forbidden");
}

#[test]
fn without_word_of_robots_txt_nothing_is_asked() {
    let server = serving(&[("/data/2015/12/11/a.fits", 1)]);
    server.script("/robots.txt", [Answer::status(500)]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
    let report = lab.report(4);
    assert_eq!(failure(&report).0, "server-error");
    assert!(server.requests().iter().all(|request| request.path == "/robots.txt"));
    server.script("/robots.txt", [Answer::status(403)]);
    lab.run().done();
    assert_eq!(names(&lab), ["a.fits"], "a server that does not show any has none");
}

#[test]
fn an_address_with_nothing_behind_it_is_no_empty_day() {
    let server = Server::start();
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
    let report = lab.report(1);
    let (class, message) = failure(&report);
    assert!(class == "source-refused" && message.contains("is the address right"), "{message}");
    assert_eq!(server.requests().len(), 3, "robots.txt, the day, the folder above all");
}

#[test]
fn a_page_that_breaks_off_where_its_connection_ends_is_none() {
    let server = serving(&[("/data/2015/12/11/a.fits", 1), ("/data/2015/12/11/b.fits", 2)]);
    let entries = [Entry::new("a.fits", 5760), Entry::new("b.fits", 5760)];
    let page = page(Form::Nginx, "/data/2015/12/11/", &entries);
    let cut = &page[..page.find("<a href=\"b").expect("a link")];
    server.script("/data/2015/12/11/", [Answer::text("text/html", cut).until_close()]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
    let report = lab.report(4);
    assert_eq!(failure(&report).0, "truncated");
    assert!(lab.days("data").is_empty());
}

#[test]
fn only_the_times_of_the_cadence_are_taken() {
    let times = ["0000", "0012", "0100", "0130", "0200"];
    let paths: Vec<String> = times.iter().map(|time| format!("/data/a_20151211_{time}.fits")).collect();
    let files: Vec<(&str, u32)> = paths.iter().map(String::as_str).zip(1..).collect();
    let server = serving(&files);
    let job = job(&server, "files: \"a_%Y%m%d_%H%M.fits\"").series(&["{ name: x, cadence: 1h }"]);
    let lab = lab(&job);
    lab.report(0);
    assert_eq!(names(&lab), ["a_20151211_0000.fits", "a_20151211_0100.fits", "a_20151211_0200.fits"]);
}

/// A job of `cadence: 1h` over files at these times of the day.
fn hourly(times: &[String]) -> (Lab, Server) {
    let paths: Vec<String> = times.iter().map(|time| format!("/data/a_20151211_{time}.fits")).collect();
    let files: Vec<(&str, u32)> = paths.iter().map(String::as_str).zip(1..).collect();
    let server = serving(&files);
    let job = job(&server, "files: \"a_%Y%m%d_%H%M.fits\"").series(&["{ name: x, cadence: 1h }"]);
    (lab(&job), server)
}

#[test]
fn a_cadence_that_takes_none_of_many_files_is_refused_with_their_times() {
    let times: Vec<String> = (0..24).map(|hour| format!("{hour:02}07")).collect();
    let (lab, _server) = hourly(&times);
    let report = lab.report(1);
    let (class, message) = failure(&report);
    assert_eq!(class, "source-refused", "{report:#}");
    let told = "the cadence of 3600 s takes none of the 24 files of this day, the first of which are of 00:07:00, \
                01:07:00, 02:07:00";
    assert!(message.contains(told) && message.contains("write a `cadence` that the source has"), "{message}");
    assert!(lab.days("data").is_empty());
    // One file at the full hour, and the source has the cadence.
    let times = [&times[..], &["2300".to_owned()]].concat();
    let (lab, _server) = hourly(&times);
    lab.report(0);
    assert_eq!(names(&lab), ["a_20151211_2300.fits"]);
}

#[test]
fn days_that_share_a_folder_share_its_page() {
    let paths: Vec<String> = (1..=20).map(|day| format!("/data/2015/12/a_201512{day:02}.fits")).collect();
    let files: Vec<(&str, u32)> = paths.iter().map(String::as_str).zip(1..).collect();
    let server = serving(&files);
    let lab = lab(&job(&server, "path: \"%Y/%m/\", files: \"a_%Y%m%d.fits\"").range("2015-12-05", "2015-12-15"));
    let report = lab.report(0);
    assert_eq!(names(&lab).len(), 10);
    assert_eq!(server.requests_for("/data/2015/12/").len(), 1);
    let outside = report["days"].as_array().expect("days").iter().map(|day| day["outside_day"].clone());
    assert!(outside.into_iter().all(|count| count == 0), "the other days' files are where they belong");
}

#[test]
fn l_10_files_that_all_lie_elsewhere_are_told_and_not_asked_for() {
    let other = Server::start().expect_silence();
    let server = Server::start();
    let entries = [Entry::new(&format!("{}/data/a.fits", other.url()), 5760)];
    server.script("/data/2015/12/11/", [Answer::text("text/html", &page(Form::Apache, "/data/2015/12/11/", &entries))]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
    let report = lab.report(1);
    let (class, message) = failure(&report);
    assert!(class == "source-refused" && message.contains("`hosts`"), "{message}");
    assert!(other.requests().is_empty());
}

#[test]
fn files_on_a_host_that_is_named_are_fetched_under_its_own_rules() {
    let other = Server::start();
    other.script("/store/a.fits", [Answer::file(fits(1, 20, "2015-12-11T00:00:00"))]);
    let server = Server::start();
    let entries = [Entry::new(&format!("{}/store/a.fits", other.url()), 5760)];
    server.script("/data/2015/12/11/", [Answer::text("text/html", &page(Form::Nginx, "/data/2015/12/11/", &entries))]);
    let host = other.url().replace("http://", "");
    let keys = format!("path: \"%Y/%m/%d/\", files: \"?.fits\", hosts: [\"{host}\"]");
    let lab = lab(&job(&server, &keys));
    lab.report(0);
    assert_eq!(names(&lab), ["a.fits"]);
    let paths = |server: &Server| server.requests().into_iter().map(|request| request.path).collect::<Vec<_>>();
    assert_eq!(paths(&other), ["/robots.txt", "/store/a.fits"]);
    let record = lab.day("data", "x", "2015-12-11");
    assert_eq!(record.files[0]["url"], format!("{}/store/a.fits", other.url()));

    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.report_with(&["--frozen"], 0);
    lab.forget_the_lock();
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    other.script("/robots.txt", [Answer::text("text/plain", "User-agent: *\nDisallow: /store/\n")]);
    let report = lab.report(1);
    assert!(failure(&report).1.contains("says `Disallow: /store/`"), "{report:#}");
}

#[test]
fn a_file_that_a_rounded_size_shows_to_be_shorter_now_is_taken_though_its_etag_is_the_same() {
    let (before, now) = (b"1 2\n".repeat(9_000), b"1 2\n".repeat(3_000));
    let folder = "/data/2026/01/11/";
    let server = Server::start();
    let lists = |body: &[u8]| {
        let entries = [Entry::new("a.txt", body.len() as u64)];
        server.script(folder, [Answer::text("text/html", &page(Form::Apache, folder, &entries))]);
    };
    let text =
        |body: &[u8]| Answer::text("text/plain", "").with_body(body.to_vec()).etag(Some("\"1\"")).unconditional();
    server.script(&format!("{folder}a.txt"), [text(&before), text(&now)]);
    lists(&before);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"*.txt\"")
        .range("2026-01-11", "2026-01-12")
        .more("settle: 3650d"));
    lab.report(0);
    lists(&now);
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["replaced"], 1, "{report:#}");
    assert!(lab.read("data/x/2026/01/11/a.txt") == now, "the bytes of now");
}

#[test]
fn another_pattern_of_names_in_one_folder_asks_for_no_file_that_is_here() {
    let folder = "/data/2015/12/11";
    let paths: Vec<String> =
        ["a_00.fits", "a_12.fits", "b_00.fits"].iter().map(|name| format!("{folder}/{name}")).collect();
    let files: Vec<(&str, u32)> = paths.iter().map(String::as_str).zip(1..).collect();
    let server = serving(&files);
    let lab = Lab::new();
    let asked = || server.requests().iter().filter(|request| request.path.contains(".fits")).count();
    for (pattern, names, requests) in
        [("*_%H.fits", 3, 3), ("a_%H.fits", 2, 3), ("?_%H.fits", 3, 3), ("b_%H.fits", 1, 3)]
    {
        lab.write("job.yaml", job(&server, &format!("path: \"%Y/%m/%d\", files: \"{pattern}\"")).yaml());
        lab.report(0);
        assert_eq!((self::names(&lab).len(), asked()), (names, requests), "{pattern}");
    }
}
