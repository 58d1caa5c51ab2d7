//! Names that a server gives: data, until the layout has made them paths. And what may lie where a path leads.

use std::os::unix::fs::{FileTypeExt, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use super::SERIES;
use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const DAY: &str = "data/sharp_720s/2015/12/11/";

/// A run over one day whose files have these values of Content-Disposition. What it says is checked by the lab: no
/// control character reaches a terminal.
fn delivered(dispositions: &[&str], layout: Option<&str>) -> (Lab, Server, Value) {
    let server = Server::start();
    for (nth, disposition) in (0..).zip(dispositions) {
        let time = format!("2015-12-11T00:{nth:02}:08.8Z");
        let answer = Answer::file(fits(nth + 1, 20, &time)).header("Content-Disposition", disposition);
        server.script_file(SERIES, Item::new(&format!("u{nth:02}"), &time), [answer]);
    }
    let lab = Lab::new();
    let mut job = Job::at(&server.url()).retry("{ attempts: 1 }").yaml();
    if let Some(layout) = layout {
        job = job.replace("root: data", &format!("root: data, layout: \"{layout}\""));
    }
    lab.write("job.yaml", job);
    lab.run().start().done_any();
    let report = lab.json("report.json");
    is_tame(&lab, &report);
    (lab, server, report)
}

/// No path leaves the archive, hides, acts or looks like an option, on disk or in what the run wrote down.
#[track_caller]
fn is_tame(lab: &Lab, report: &Value) {
    let own_state = ["data/.sunhaul/", "home/.local/state/sunhaul/archives/"];
    for path in lab.tree("").keys().filter(|path| !own_state.iter().any(|own| path.starts_with(own))) {
        let is_ours = ["job.lock", "job.yaml", "report.json"].contains(&path.as_str());
        assert!(is_ours || path.starts_with("data/"), "{path:?} lies outside the archive");
        for part in path.split('/') {
            assert!(!part.starts_with(['.', '-', ' ']) && !part.ends_with(['.', ' ']) && part.len() <= 255, "{path:?}");
            assert!(!part.contains('\\') && !part.chars().any(acts), "{path:?}");
        }
    }
    let mut written = report.to_string();
    for name in lab.tree("data/.sunhaul").keys() {
        assert!(!name.chars().any(acts), "{name:?}");
        if name.contains(".json") {
            written.push_str(&String::from_utf8_lossy(&lab.read(&format!("data/.sunhaul/{name}"))));
        }
    }
    // In JSON a control character stands as `\u001b`.
    assert!(!written.contains("\\u00") && !written.chars().any(|c| acts(c) && c != '\n'), "{written}");
}

/// What moves a cursor, hides, or turns text around.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The names of the files of the day, in order.
fn names(lab: &Lab) -> Vec<String> {
    lab.tree(DAY.trim_end_matches('/')).into_keys().collect()
}

#[test]
fn f_01_a_name_that_climbs_is_one_name_or_none() {
    let climbing = [
        "attachment; filename=../../../../../evil01.fits",
        "attachment; filename=\"../../evil02.fits\"",
        "attachment; filename=/etc/evil03.fits",
        "attachment; filename=..\\..\\evil04.fits",
        "attachment; filename=C:\\evil05.fits",
        "attachment; filename=\\\\host\\share\\evil06.fits",
        "attachment; filename*=UTF-8''evil07%00.fits",
        "attachment; filename=%2e%2e%2fevil08.fits",
        "attachment; filename*=UTF-8''%2e%2e%2fevil09.fits",
        "attachment; filename*=UTF-8''%c0%ae%c0%ae%c0%afevil10.fits",
        "attachment; filename*=UTF-8''..%5c..%5cevil11.fits",
        "attachment; filename=evil12.fits; ../../evil12.fits",
        "attachment; filename=\"evil13.fits/\"",
        "attachment; filename=\"sub/evil14.fits\"",
        "attachment; filename=..",
        "attachment; filename=/",
    ];
    let (lab, _server, report) = delivered(&climbing, None);
    let there = names(&lab);
    assert_eq!((there.len(), &report["failures"]), (climbing.len(), &serde_json::json!([])), "{there:?}");
    assert_eq!(lab.files("data").len(), there.len(), "all of them in the day's own folder");
    for name in ["evil03.fits", "evil05.fits", "evil06.fits", "evil09.fits", "evil11.fits", "evil14.fits"] {
        assert!(there.contains(&name.to_owned()), "of a path, the last component: {there:?}");
    }
    for name in ["u12", "u14", "u15"] {
        assert!(there.contains(&name.to_owned()), "a path that ends in nothing is no name: {there:?}");
    }
}

#[test]
fn f_01_a_listed_url_that_climbs_is_refused_with_the_listing() {
    for url in
        ["http://x/HMI/../../etc/passwd", "http://x/HMI/%2e%2e/x", "file:///etc/passwd", "http://x/HMI/a%2f..%2fb"]
    {
        let server = Server::start();
        server.script(
            "/HMI/sharp_720s",
            [Answer::json(&serde_json::json!([
                { "url": url, "date_obs": "2015-12-11T18:22:08.8Z" }
            ]))],
        );
        let lab = Lab::new();
        lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
        let report = lab.report(1);
        assert_eq!(report["failures"][0]["class"], "listing-malformed", "{report:#}");
        assert_eq!(server.requests().len(), 1, "nothing is asked for");
    }
}

#[test]
fn f_02_the_extended_name_goes_before_the_plain_one_when_it_can_be_read() {
    let (lab, _server, report) = delivered(
        &[
            "attachment; filename=plain1.fits; filename*=UTF-8''st%C3%A4r1.fits",
            "attachment; filename*=UTF-8''star2.fits; filename=plain2.fits",
            "attachment; filename=plain3.fits; filename*=UTF-16''star3.fits",
            "attachment; filename=plain4.fits; filename*=UTF-8''%ff.fits",
            "attachment; filename=\"quo;ted\\\"5.fits\"; filename*=",
            "attachment; filename=plain6.fits; filename*=ISO-8859-1''st%E4r6.fits",
        ],
        None,
    );
    assert_eq!(report["run"]["exit_code"], 0, "{report:#}");
    assert_eq!(names(&lab), ["plain3.fits", "plain4.fits", "quo;ted_5.fits", "star2.fits", "stär1.fits", "stär6.fits"]);
    lab.proved("data");
}

#[test]
fn f_03_a_name_that_acts_on_a_terminal_is_made_harmless_everywhere() {
    let (lab, _server, report) = delivered(
        &[
            "attachment; filename*=UTF-8''esc%1b[2J1.fits",
            "attachment; filename*=UTF-8''osc%1b]0;title%07_2.fits",
            "attachment; filename*=UTF-8''bel%07_3.fits",
            "attachment; filename*=UTF-8''bidi%E2%80%AEstif.4.fits",
            "attachment; filename*=UTF-8''line%0afeed%0d5.fits",
            "attachment; filename*=UTF-8''c1%C2%9b2J6.fits",
            "attachment; filename*=UTF-8''zero%E2%80%8bwidth7.fits",
            "attachment; filename=\"del\u{7f}8.fits\"",
        ],
        None,
    );
    assert_eq!(names(&lab).len() + report["failures"].as_array().expect("failures").len(), 8, "{report:#}");
    // What a service says of itself is no safer.
    let server = Server::start();
    let words = "{\"detail\":\"no\\u001b[2J\\u0007\\u202e\\n::error::such day\"}";
    server.script(
        "/HMI/sharp_720s",
        [Answer::raw(format!(
            "HTTP/1.1 400 Bad\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{words}",
            words.len()
        ))],
    );
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    let report = lab.report(1);
    is_tame(&lab, &report);
    assert!(report.to_string().contains("such day"), "{report:#}");
}

#[test]
fn f_04_reserved_and_endless_names_are_made_safe_or_refused() {
    let longest = format!("attachment; filename={}.fits", "x".repeat(250));
    let too_long = format!("attachment; filename={}.fits", "y".repeat(251));
    let far_too_long = format!("attachment; filename={}.fits", "z".repeat(10_000));
    let (lab, _server, report) = delivered(
        &[
            "attachment; filename=CON",
            "attachment; filename=nul.fits",
            "attachment; filename=\"COM1 .fits\"",
            "attachment; filename=\"dot1.fits.\"",
            "attachment; filename=\"space2.fits \"",
            "attachment; filename=\"what?*<>|3.fits\"",
            &longest,
            &too_long,
            &far_too_long,
        ],
        None,
    );
    let refused = report["failures"].as_array().expect("failures");
    assert_eq!(refused.iter().map(|f| &f["class"]).collect::<Vec<_>>(), ["unsafe-path"], "{report:#}");
    let there = names(&lab);
    assert_eq!(there.len(), 8, "{there:?}");
    assert!(
        there.contains(&"u08".to_owned()),
        "a name of more than 1 kB is none, and the URL's last part is: {there:?}"
    );
    for device in ["CON", "nul.fits", "COM1 .fits"] {
        assert!(!there.contains(&device.to_owned()), "{there:?}");
    }
    // A root so deep that no path in it could be named.
    let deep = vec!["d".repeat(200); 25].join("/");
    lab.run_with(&["--archive", &deep]).status(5).stderr_has("name too long").done();
}

/// Both fail and name each other, and the day is not sealed.
#[track_caller]
fn collide(one: &str, other: &str) {
    let dispositions = [one, other].map(|name| format!("attachment; filename*=UTF-8''{name}"));
    let (lab, _server, report) = delivered(&[&dispositions[0], &dispositions[1]], None);
    let failures = report["failures"].as_array().expect("failures");
    assert_eq!(failures.iter().map(|f| &f["class"]).collect::<Vec<_>>(), ["collision", "collision"], "{report:#}");
    for failure in failures {
        let message = failure["message"].as_str().expect("a message");
        assert!(message.contains("u00") && message.contains("u01"), "{message}");
    }
    assert_eq!(report["run"]["exit_code"], 1);
    assert!(lab.days("data").is_empty());
}

#[test]
fn f_05_names_equal_but_for_case_or_unicode_form_fail_both() {
    collide("Same.fits", "same.FITS");
    collide("caf%C3%A9.fits", "cafe%CC%81.fits");
    collide("STRA%C3%84.fits", "stra%C3%A4.fits");
}

#[test]
fn f_06_two_files_of_one_name_fail_both_until_they_have_two() {
    collide("same.fits", "same.fits");
    let names = ["attachment; filename=same.fits"; 2];
    let (lab, server, _) = delivered(&names, None);
    // Another run may try again, and says so again.
    let report = lab.report(1);
    for (failure, key) in report["failures"].as_array().expect("failures").iter().zip(["u00", "u01"]) {
        assert_eq!((&failure["class"], &failure["key"]), (&"collision".into(), &format!("/HMI/{SERIES}/{key}").into()));
    }
    assert!(lab.files("data").is_empty(), "a name that two keys hold is nobody's");
    let mended = Answer::file(fits(2, 20, "2015-12-11T00:01:08.8Z")).named("other.fits");
    server.script(&format!("/HMI/{SERIES}/u01"), [mended]);
    lab.report(0);
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn f_07_the_name_of_the_archives_own_state_is_a_file_like_any_other() {
    let (lab, _server, report) = delivered(
        &[
            "attachment; filename=.sunhaul",
            "attachment; filename=.sunhaul/days/sharp_720s/2015-12-11.jsonl",
            "attachment; filename=.SUNHAUL/work",
        ],
        // Straight into the root, where the state lies.
        Some("{file}"),
    );
    // The first and the third differ but for what makes them safe.
    assert!(report["run"]["exit_code"] == 0, "{report:#}");
    assert_eq!(lab.proved("data").len(), 3);
    assert!(lab.path("data/.sunhaul").is_dir());
}

#[test]
fn f_08_a_leading_dash_or_dot_does_not_stay() {
    let (lab, _server, report) = delivered(
        &[
            "attachment; filename=-rf",
            "attachment; filename=--output=x.fits",
            "attachment; filename=.hidden.fits",
            "attachment; filename=\" -x.fits\"",
        ],
        None,
    );
    assert_eq!(report["run"]["exit_code"], 0, "{report:#}");
    assert_eq!(names(&lab).len(), 4);
    lab.proved("data");
}

/// Lays something where a path of the archive leads, runs, and says how that ended: nothing is written through it.
#[track_caller]
fn in_the_way(place: &str, lay: impl Fn(&Lab, &std::path::Path), status: i32, class: &str) {
    // Some of it is seen before anything is asked.
    let server = Server::start().expect_silence();
    server.file(SERIES, Item::new("a", "2015-12-11T18:22:08.8Z"), fits(1, 20, "2015-12-11T18:22:08.8Z"));
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    lab.write("outside/notes", "mine");
    let path = lab.path(place);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    lay(&lab, &path);
    let before = std::fs::symlink_metadata(&path).expect("laid").file_type();
    let report = lab.report(status);
    if status != 0 {
        // Where records cannot be looked for, no day is begun.
        let told = report["run"]["error"].as_str().is_some_and(|error| error.contains("it is a symlink"));
        assert!(report["failures"][0]["class"] == class || told, "{place}: {report:#}");
        // A link in place of a series' folder is not read as one.
        assert!(!lab.days("data").iter().any(|day| day.contains('/')), "{place}");
    }
    let after = std::fs::symlink_metadata(&path).expect("still there").file_type();
    assert_eq!(before.is_symlink(), after.is_symlink(), "{place}");
    assert_eq!((before.is_fifo(), before.is_char_device()), (after.is_fifo(), after.is_char_device()), "{place}");
    let outside = lab.tree("outside");
    assert_eq!(outside.len(), 1, "{place}: {outside:?}");
    assert_eq!(lab.read("outside/notes"), b"mine", "{place}");
}

#[test]
fn f_09_nothing_is_written_through_a_symlink_a_fifo_or_a_device() {
    let target = format!("{DAY}a.fits");
    let to = |there: &'static str| move |lab: &Lab, at: &std::path::Path| symlink(lab.path(there), at).expect("a link");
    let fifo = |_: &Lab, at: &std::path::Path| {
        mknodat(CWD, at, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("a FIFO");
    };
    in_the_way(&target, to("outside/notes"), 1, "occupied");
    in_the_way(&target, to("outside/nothing"), 1, "occupied");
    in_the_way(&target, fifo, 1, "occupied");
    in_the_way(&target, |_, at| std::fs::create_dir(at).expect("a folder"), 1, "occupied");
    if rustix::process::geteuid().is_root() {
        let null = rustix::fs::makedev(1, 3);
        let device = |_: &Lab, at: &std::path::Path| {
            mknodat(CWD, at, FileType::CharacterDevice, Mode::from_raw_mode(0o666), null).expect("a device");
        };
        in_the_way(&target, device, 1, "occupied");
    }
    for parent in [
        "data/sharp_720s",
        "data/sharp_720s/2015/12",
        "data/.sunhaul/work/partial/sharp_720s",
        "data/.sunhaul/days/sharp_720s",
    ] {
        in_the_way(parent, to("outside"), 5, "storage");
    }
    in_the_way("data/sharp_720s/2015/12", fifo, 5, "storage");
}
