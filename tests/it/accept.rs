//! Files that the job takes for bad at their source: their day seals without them, and no other failure is excused.

use serde_json::{Value, json};

use crate::lab::{Answer, Ending, Item, Job, Lab, Server, add_up, agree_with_the_tree, fits};

const SERIES: &str = "sharp_720s";
const REASON: &str = "truncated at the source, told 2026-01-08";

fn name(hour: u32) -> String {
    format!("sharp_720s_20260111_{hour:02}0000")
}

fn url(hour: u32) -> String {
    format!("/HMI/{SERIES}/{}", name(hour))
}

fn path(hour: u32) -> String {
    format!("{SERIES}/2026/01/11/{}.fits", name(hour))
}

fn item(hour: u32) -> Item {
    Item::new(&name(hour), &format!("2026-01-11T{hour:02}:00:00.000000Z"))
}

fn honest(hour: u32) -> Answer {
    Answer::file(fits(hour + 1, 60, &format!("2026-01-11T{hour:02}:00:00.000000Z")))
        .named(&format!("{}.fits", name(hour)))
}

/// The same with its last block cut off.
fn truncated(hour: u32) -> Answer {
    let mut body = honest(hour).body();
    body.truncate(body.len() - 2880);
    Answer::file(body).named(&format!("{}.fits", name(hour)))
}

/// A service with one good file at hour 0 and these answers for the one at hour 1.
fn service(answers: impl IntoIterator<Item = Answer>) -> Server {
    let server = Server::start();
    server.script_file(SERIES, item(0), [honest(0)]);
    server.script_file(SERIES, item(1), answers);
    server
}

fn job(server: &Server, file: &str, more: &str) -> String {
    let accept =
        format!("accept:\n  - {{ series: {SERIES}, day: 2026-01-11, file: \"{file}\", reason: \"{REASON}\" }}\n{more}");
    Job::at(&server.url()).range("2026-01-11", "2026-01-12").more(&accept).yaml()
}

fn lab_for(server: &Server, file: &str) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job(server, file, ""));
    lab
}

/// The line of the file at hour 1.
#[track_caller]
fn line(lab: &Lab) -> Value {
    let record = lab.day("data", SERIES, "2026-01-11");
    record.files.into_iter().find(|file| file["key"] == url(1)).expect("a line of the file")
}

/// The day sealed without the file at hour 1, and says why.
#[track_caller]
fn is_sealed_without(lab: &Lab, report: &Value) {
    let day = &report["days"][0];
    assert_eq!((&day["state"], &day["files"]), (&json!("sealed"), &json!(1)), "{report:#}");
    assert_eq!((&day["absent"], &day["accepted"]), (&json!(1), &json!(1)), "{report:#}");
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
    assert_eq!(report["failures"], json!([]), "{report:#}");
    let line = line(lab);
    assert_eq!((&line["absent"], &line["reason"]), (&json!("accepted"), &json!(REASON)), "{line:#}");
    assert!(line.get("sha256").is_none() && line.get("bytes").is_none(), "{line:#}");
    assert_eq!(lab.day("data", SERIES, "2026-01-11").header["absent"], 1);
    assert_eq!(lab.proved("data").len(), 1);
    agree_with_the_tree(report, lab, "data");
}

#[test]
fn a_file_that_is_bad_at_its_source_seals_as_absent_with_its_reason() {
    let server = service([truncated(1)]);
    let lab = lab_for(&server, "*_010000.fits");
    let report = lab.report(0);
    is_sealed_without(&lab, &report);
    assert_eq!(line(&lab)["path"], path(1), "the answer told its name");
    assert_eq!(server.requests_for(&url(1)).len(), 1, "one look is enough");
    let requests = server.requests().len();
    let report = lab.report(0);
    assert_eq!(report["totals"]["days"]["already_sealed"], 1);
    assert_eq!(server.requests().len(), requests, "a sealed day is not looked at again");
}

#[test]
fn every_failure_for_good_is_accepted_after_its_attempts() {
    for (answer, attempts) in [(Answer::status(404), 3), (Answer::status(403), 1), (Answer::status(400), 1)] {
        let server = service([answer]);
        // No answer names the file: it goes by its URL.
        let lab = lab_for(&server, &format!("{SERIES}/2026/01/*/{}*", name(1)));
        let report = lab.report(0);
        is_sealed_without(&lab, &report);
        assert_eq!(server.requests_for(&url(1)).len(), attempts, "{report:#}");
    }
}

#[test]
fn a_failure_that_may_pass_is_not_excused() {
    for answer in [
        Answer::status(500),
        Answer::status(429),
        honest(1).ending(Ending::NoHeaders),
        Answer::html(),
        honest(1).ending(Ending::Cut(3000)),
    ] {
        let server = service([answer]);
        let lab = lab_for(&server, "*");
        let report = lab.report(4);
        assert_eq!(report["days"][0]["state"], "failed", "{report:#}");
        assert!(lab.days("data").is_empty());
    }
}

#[test]
fn where_every_file_of_a_host_fails_it_may_be_the_host_and_no_file_is_excused() {
    let error = || Answer::file(b"{\"error\": \"the storage is not mounted\"}".to_vec()).named("x.fits");
    for (answer, status) in [
        (error(), 1),
        (Answer::status(403), 1),
        (Answer::status(302).header("Location", "https://status.example/"), 1),
        (Answer::html(), 4),
        (Answer::status(503), 4),
        (honest(0).ending(Ending::Cut(100)), 4),
    ] {
        let server = Server::start();
        server.script_file(SERIES, item(0), [answer.clone(), answer.clone(), answer.clone(), honest(0)]);
        server.script_file(SERIES, item(1), [answer.clone(), answer.clone(), answer, honest(1)]);
        let lab = lab_for(&server, "*");
        let report = lab.report(status);
        assert_eq!(report["days"][0]["state"], "failed", "{report:#}");
        let message = report["failures"][0]["message"].as_str().expect("a message");
        assert!(message.contains("`accept`"), "why it is not excused is told: {message}");
        assert!(lab.days("data").is_empty());
        // Each of them once: an answer that is of no use is not asked for again where the job knows of it.
        for _ in 0..3 {
            lab.run().start().done_any();
        }
        assert_eq!(lab.proved("data").len(), 2, "the host is well again");
    }
}

#[test]
fn a_file_alone_of_its_day_is_excused_once_others_of_its_host_come() {
    let server = service([truncated(1)]);
    server.script(&url(0), [Answer::status(503)]);
    let lab = lab_for(&server, "*_010000.fits");
    let report = lab.report(1);
    let failures = report["failures"].as_array().expect("failures");
    let bad = failures.iter().find(|failure| failure["key"] == url(1)).expect("a failure");
    assert_eq!(bad["class"], "fits-structure", "{report:#}");
    assert!(bad["message"].as_str().expect("a message").contains("the host itself may be failing"), "{report:#}");
    server.script(&url(0), [honest(0)]);
    let report = lab.report(0);
    is_sealed_without(&lab, &report);
}

#[test]
fn another_file_that_fails_is_not_excused() {
    let server = service([truncated(1)]);
    let lab = lab_for(&server, "*_000000.fits");
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "fits-structure", "{report:#}");
    // Another day's or series' entry means nothing here.
    for (from, to) in [("day: 2026-01-11", "day: 2026-01-12"), ("series: sharp_720s, day", "series: b, day")] {
        let yaml = job(&server, "*", "")
            .replace(from, to)
            .replace("- { name: sharp_720s }", "- { name: sharp_720s }\n  - { name: b }");
        let lab = Lab::new();
        lab.write("job.yaml", yaml);
        lab.run_with(&["--series", SERIES]).status(1).done();
    }
}

#[test]
fn a_file_that_comes_well_after_all_is_taken_and_the_entry_told() {
    let server = service([honest(1)]);
    let lab = lab_for(&server, "*_010000.fits");
    let told = "sharp_720s 2026-01-11: `accept` of `*_010000.fits` no longer matches a failing file; remove the entry";
    lab.run().stderr_has(told).done();
    let report = lab.json("report.json");
    add_up(&report);
    assert_eq!((&report["days"][0]["files"], &report["days"][0]["accepted"]), (&json!(2), &json!(0)));
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn an_entry_that_matches_no_file_is_told() {
    let server = service([honest(1)]);
    let lab = lab_for(&server, "*.Bt.fits");
    lab.run().stderr_has("`accept` of `*.Bt.fits` matches no listed file").done();
    let server = service([truncated(1)]);
    let lab = lab_for(&server, "*_010000.fits");
    let told = lab.run().done().stderr;
    assert!(!told.contains("`accept`"), "an entry that is needed is not told: {told}");
}

/// The job with a layout.
fn laid_out(server: &Server, file: &str, layout: &str) -> String {
    job(server, file, "").replace("root: data", &format!("root: data, layout: \"{layout}\""))
}

const FLAT: &str = "{series}/{date:%Y%m%d}_{file}";

#[test]
fn an_entry_means_its_file_by_its_path_of_before_and_is_told_the_one_of_now() {
    let now = format!("{SERIES}/20260111_{}.fits", name(1));
    // By path, and by the name in it.
    for file in [path(1), format!("{}.fits", name(1))] {
        let server = service([truncated(1)]);
        let lab = lab_for(&server, &file);
        is_sealed_without(&lab, &lab.report(0));
        lab.write("job.yaml", laid_out(&server, &file, FLAT));
        let told = format!("`accept` of `{file}` names a path of an earlier layout; write `{now}` there");
        lab.run().stderr_has(&told).done();
        is_sealed_without(&lab, &lab.json("report.json"));
        assert_eq!(line(&lab)["path"], *now);
        assert_eq!(server.requests_for(&url(1)).len(), 1, "it is not asked for again");
        lab.write("job.yaml", laid_out(&server, &now, FLAT));
        lab.run().stderr_has("nothing to do").done();
        // Where nothing is known of that layout, as in a new archive.
        for (file, status) in [(&now, 0), (&file, 1)] {
            let other = Lab::new();
            other.write("job.yaml", laid_out(&server, file, FLAT));
            let report = other.report(status);
            let told = format!("`accept` of `{file}` does not match it; if it should, write `{now}` there");
            let message = report["failures"][0]["message"].as_str().unwrap_or_default();
            assert_eq!(message.contains(&told), status == 1, "{report:#}");
        }
    }
}

#[test]
fn an_accepted_file_that_is_asked_for_again_alone_stays_accepted() {
    // As before, and without a name in the answer.
    for again in [truncated(1), Answer::status(404)] {
        let server = service([truncated(1), again]);
        let lab = lab_for(&server, &path(1));
        is_sealed_without(&lab, &lab.report(0));
        lab.write("job.yaml", laid_out(&server, &path(1), FLAT));
        is_sealed_without(&lab, &lab.report(0));
        is_sealed_without(&lab, &lab.report_with(&["--retry-absent"], 0));
        assert!(server.requests_for(&url(1)).len() > 1);
    }
}

#[test]
fn an_entry_that_is_added_after_the_failure_seals_the_day_at_once() {
    let server = service([truncated(1)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2026-01-11", "2026-01-12").yaml());
    lab.report(1);
    lab.report(1);
    assert_eq!(server.requests_for(&url(1)).len(), 3, "what came wrong is not asked for in the next run");
    lab.write("job.yaml", job(&server, "*_010000.fits", ""));
    let report = lab.report(0);
    is_sealed_without(&lab, &report);
}

#[test]
fn a_good_file_of_an_earlier_look_is_not_given_up_for_a_bad_one() {
    let server = service([honest(1), truncated(1)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2026-01-11", "2026-01-12").more("settle: 3650d").yaml());
    lab.report(0);
    let before = lab.proved("data");
    lab.write("job.yaml", job(&server, "*_010000.fits", "settle: 3650d\n"));
    let report = lab.report(0);
    assert_eq!((&report["days"][0]["files"], &report["days"][0]["absent"]), (&json!(2), &json!(0)), "{report:#}");
    assert_eq!(lab.proved("data"), before);
}

#[test]
fn a_young_day_stays_provisional_without_the_file_and_takes_it_when_it_is_well() {
    let server = service([Answer::status(404), Answer::status(404), Answer::status(404), honest(1)]);
    let lab = Lab::new();
    let file = format!("{}*", name(1));
    lab.write("job.yaml", job(&server, &file, "settle: 3650d\n"));
    let report = lab.report(0);
    let day = &report["days"][0];
    assert_eq!((&day["state"], &day["accepted"]), (&json!("provisional"), &json!(1)), "{report:#}");
    lab.write("job.yaml", job(&server, &file, ""));
    let report = lab.report(0);
    let day = &report["days"][0];
    assert_eq!((&day["state"], &day["files"], &day["absent"]), (&json!("sealed"), &json!(2), &json!(0)), "{report:#}");
}
