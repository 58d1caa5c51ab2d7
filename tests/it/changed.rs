//! Days that are looked at again: what changed upstream under the same key is noticed, what did not is not sent again.

use std::collections::BTreeMap;

use serde_json::Value;
use sunhaul::digest::Digest;

use crate::lab::{Answer, Ending, Item, Job, Lab, Server, fits};

const NAME: &str = "sharp_720s_20260111_182208";
const TIME: &str = "2026-01-11T18:22:08.799999Z";
const FILE: &str = "/HMI/sharp_720s/sharp_720s_20260111_182208";
const PLACE: &str = "sharp_720s/2026/01/11/sharp_720s_20260111_182208.fits";
/// Longer than the day is old, whenever this runs.
const YOUNG: &str = "settle: 3650d";

fn answer(seed: u32) -> Answer {
    Answer::file(fits(seed, 60, TIME)).named(&format!("{NAME}.fits"))
}

fn digest(seed: u32) -> Digest {
    Digest::sha256(&fits(seed, 60, TIME))
}

/// A job over the one day.
fn job(server: &Server) -> Job {
    Job::at(&server.url()).range("2026-01-11", "2026-01-12")
}

/// A service of one file, with these answers for it in turn, and a lab.
fn start(answers: impl IntoIterator<Item = Answer>) -> (Lab, Server) {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), answers);
    (Lab::new(), server)
}

/// A run while the day is young, which leaves it provisional.
#[track_caller]
fn look_while_young(lab: &Lab, server: &Server) -> Value {
    lab.write("job.yaml", job(server).more(YOUNG).yaml());
    let report = lab.report(0);
    assert_eq!(report["totals"]["days"]["provisional"], 1, "{report:#}");
    report
}

/// A run when the day is old, which seals it.
#[track_caller]
fn look_when_old(lab: &Lab, server: &Server) -> Value {
    lab.write("job.yaml", job(server).yaml());
    let report = lab.report(0);
    assert_eq!(report["totals"]["days"]["sealed"], 1, "{report:#}");
    report
}

/// What came of the one file, in words of the report.
fn ends(report: &Value) -> BTreeMap<String, u64> {
    let files = report["totals"]["files"].as_object().expect("figures");
    let counted = files.iter().filter(|(name, _)| *name != "listed");
    counted.map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).filter(|(_, n)| *n > 0).collect()
}

fn only(ends: &[&str]) -> BTreeMap<String, u64> {
    ends.iter().map(|end| ((*end).to_owned(), 1)).collect()
}

fn retired(lab: &Lab) -> Vec<Digest> {
    lab.tree("data/.sunhaul/work/retired").into_values().collect()
}

#[test]
fn a_file_that_did_not_change_is_asked_about_and_not_sent() {
    let strong = answer(1);
    let weak = answer(1).etag(Some("W/\"1\"")).last_modified(None);
    let dated = answer(1).etag(None);
    for (answer, asked) in [
        (strong, ["if-none-match", "if-modified-since"].as_slice()),
        (weak, &["if-none-match"]),
        (dated, &["if-modified-since"]),
    ] {
        let (lab, server) = start([answer]);
        look_while_young(&lab, &server);
        let report = look_when_old(&lab, &server);
        assert_eq!(ends(&report), only(&["have"]), "{report:#}");
        assert_eq!(report["totals"]["bytes"]["fetched"], 0);
        assert_eq!(report["hosts"][0]["status_counts"], serde_json::json!({ "200": 1, "304": 1 }));
        assert_eq!(lab.proved("data")[PLACE], digest(1));
        let requests = server.requests_for(FILE);
        assert_eq!(requests.len(), 2);
        let conditions =
            requests[1].headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("if-"));
        assert_eq!(conditions.collect::<Vec<_>>(), asked);
    }
}

#[test]
fn a_file_that_changed_is_taken_and_the_old_one_retired() {
    let dated = |seed, date| answer(seed).etag(None).last_modified(Some(date));
    let by_date = [dated(1, "Sun, 11 Jan 2026 20:00:00 GMT"), dated(2, "Mon, 12 Jan 2026 20:00:00 GMT")];
    for answers in [[answer(1), answer(2)], by_date] {
        let (lab, server) = start(answers);
        look_while_young(&lab, &server);
        let report = look_while_young(&lab, &server);
        assert_eq!(ends(&report), only(&["fetched", "replaced"]), "{report:#}");
        assert_eq!(lab.proved("data")[PLACE], digest(2));
        assert_eq!(retired(&lab), [digest(1)]);
        assert_eq!(ends(&look_when_old(&lab, &server)), only(&["have"]));
        assert_eq!(lab.proved("data")[PLACE], digest(2));
    }
}

#[test]
fn a_file_that_got_another_name_is_taken_under_it() {
    let renamed = Answer::file(fits(2, 60, TIME)).named("better.fits");
    let (lab, server) = start([answer(1), renamed]);
    look_while_young(&lab, &server);
    look_when_old(&lab, &server);
    assert_eq!(lab.proved("data"), BTreeMap::from([("sharp_720s/2026/01/11/better.fits".to_owned(), digest(2))]));
    assert_eq!(retired(&lab), [digest(1)]);
}

#[test]
fn two_files_that_exchange_their_names_are_both_taken() {
    let named = |seed, name| Answer::file(fits(seed, 60, TIME)).named(name);
    let (lab, server) = start([named(1, "a.fits"), named(3, "b.fits")]);
    let late = ("late", "2026-01-11T23:58:08Z");
    server.script_file("sharp_720s", Item::new(late.0, late.1), [named(2, "b.fits"), named(4, "a.fits")]);
    look_while_young(&lab, &server);
    look_when_old(&lab, &server);
    let at = |name: &str| format!("sharp_720s/2026/01/11/{name}.fits");
    assert_eq!(lab.proved("data"), BTreeMap::from([(at("a"), digest(4)), (at("b"), digest(3))]));
}

#[test]
fn a_name_that_only_the_answer_tells_is_remembered() {
    let odd = || Answer::file(fits(1, 60, TIME)).named("odd.fits");
    let (lab, server) = start([odd()]);
    look_while_young(&lab, &server);
    assert_eq!(ends(&look_when_old(&lab, &server)), only(&["have"]));
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn without_validators_nothing_is_asked() {
    let bare = |seed| answer(seed).etag(None).last_modified(None);
    let (lab, server) = start([bare(1), bare(2)]);
    look_while_young(&lab, &server);
    assert_eq!(ends(&look_when_old(&lab, &server)), only(&["have"]));
    assert_eq!(server.requests_for(FILE).len(), 1);
    assert_eq!(lab.proved("data")[PLACE], digest(1));
}

#[test]
fn a_service_that_knows_no_conditions_sends_nothing_twice_either() {
    let (lab, server) = start([answer(1).unconditional()]);
    look_while_young(&lab, &server);
    let report = look_when_old(&lab, &server);
    assert_eq!((ends(&report), &report["totals"]["bytes"]["fetched"]), (only(&["have"]), &0.into()), "{report:#}");
    assert_eq!(lab.proved("data")[PLACE], digest(1));
}

#[test]
fn the_same_bytes_under_another_tag_are_kept() {
    let (lab, server) = start([answer(1), answer(1).etag(Some("\"other\""))]);
    look_while_young(&lab, &server);
    assert_eq!(ends(&look_when_old(&lab, &server)), only(&["kept"]));
    assert!(retired(&lab).is_empty());
    assert_eq!(lab.day("data", "sharp_720s", "2026-01-11").files[0]["etag"], "\"other\"");
}

#[test]
fn a_file_that_is_listed_and_not_to_be_had_any_more_is_kept() {
    let (lab, server) = start([answer(1), Answer::status(404)]);
    look_while_young(&lab, &server);
    lab.write("job.yaml", job(&server).retry("{ attempts: 1 }").yaml());
    lab.run().stderr_has("is kept").done();
    assert_eq!(ends(&lab.json("report.json")), only(&["have"]));
    assert_eq!(lab.proved("data")[PLACE], digest(1));
}

#[test]
fn a_change_that_does_not_arrive_whole_leaves_what_was_there() {
    let mut damaged = fits(2, 60, TIME);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let damaged = Answer::file(damaged).named(&format!("{NAME}.fits"));
    for (bad, status) in [(damaged, 1), (Answer::status(500), 4), (answer(2).ending(Ending::Cut(9000)), 4)] {
        let (lab, server) = start([answer(1), bad]);
        look_while_young(&lab, &server);
        let report = lab.report(status);
        assert_eq!(report["totals"]["days"]["failed"], 1, "{report:#}");
        assert_eq!(lab.proved("data")[PLACE], digest(1), "the record of before stands, and its file");
    }
}

#[test]
fn r_11_other_bytes_under_the_same_strong_etag_are_taken_once_two_answers_agree() {
    let tagged = |seed, pixels| {
        let body = fits(seed, pixels, TIME);
        Answer::file(body).named(&format!("{NAME}.fits")).etag(Some("\"1\"")).unconditional()
    };
    let (one, other) = (tagged(2, 90), tagged(3, 90));
    let (lab, server) = start([tagged(1, 60), one.clone(), one.clone(), other, one]);
    look_while_young(&lab, &server);
    lab.write("job.yaml", job(&server).more(YOUNG).retry("{ attempts: 1 }").yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "protocol", "{report:#}");
    assert_eq!(server.requests_for(FILE).len(), 4, "asked twice more before it is given up");
    assert_eq!(lab.proved("data")[PLACE], digest(1), "the record of before stands, and its file");
    assert!(retired(&lab).is_empty());

    // The file has grown, and the server has one ETag for all its versions.
    assert_eq!(ends(&look_while_young(&lab, &server)), only(&["fetched", "replaced"]));
    assert_eq!(server.requests_for(FILE).len(), 7);
    assert_eq!(lab.proved("data")[PLACE], Digest::sha256(&fits(2, 90, TIME)));
    assert_eq!(retired(&lab).len(), 1);
}

/// A text that no structure proves, under one strong `ETag` for all its versions.
fn text(body: &[u8]) -> Answer {
    Answer::text("text/plain", "").with_body(body.to_vec()).named("a.txt").etag(Some("\"1\"")).unconditional()
}

const TEXT: &str = "data/sharp_720s/2026/01/11/a.txt";
const ROWS: &[u8] = b"1 2\n3 4\n5 6\n";

#[test]
fn r_11_a_file_that_became_shorter_under_one_strong_etag_is_taken_where_it_is_listed_so() {
    for now in [&ROWS[..8], b""] {
        let server = Server::start();
        let listed = |body: &[u8]| Item::new(NAME, TIME).sized(body.len() as u64);
        server.script_file("sharp_720s", listed(ROWS), [text(ROWS), text(now)]);
        let lab = Lab::new();
        look_while_young(&lab, &server);
        server.list_anew("sharp_720s", listed(now));
        assert_eq!(ends(&look_while_young(&lab, &server)), only(&["fetched", "replaced"]));
        assert_eq!(lab.read(TEXT), now);
        assert_eq!(retired(&lab), [Digest::sha256(ROWS)]);
    }
}

#[test]
fn r_11_what_nothing_proves_to_be_new_under_one_strong_etag_is_refused_and_comes_once_the_file_is_moved_away() {
    for now in [&ROWS[..8], b"", b"Sorry, too many are connected to the database\n"] {
        let (lab, server) = start([text(ROWS), text(now)]);
        look_while_young(&lab, &server);
        lab.write("job.yaml", job(&server).more(YOUNG).retry("{ attempts: 2, max_wait: 1s }").yaml());
        for _ in 0..2 {
            let report = lab.report_with(&["--retry-failed"], if now.is_empty() { 4 } else { 1 });
            let message = report["failures"][0]["message"].as_str().expect("a message");
            assert!(message.contains("move the file away"), "{message}");
            assert_eq!(lab.read(TEXT), ROWS);
        }
        std::fs::rename(lab.path(TEXT), lab.path("a.txt")).expect("a file");
        lab.report_with(&["--retry-failed"], 0);
        assert_eq!(lab.read(TEXT), now);
    }
}

#[test]
fn r_11_a_text_that_goes_on_where_it_ended_before_is_taken_under_one_strong_etag() {
    let longer = [ROWS, b"7 8\n"].concat();
    let (lab, server) = start([text(ROWS), text(&longer)]);
    look_while_young(&lab, &server);
    assert_eq!(ends(&look_while_young(&lab, &server)), only(&["fetched", "replaced"]));
    assert_eq!(lab.read(TEXT), longer);
}

#[test]
fn an_unasked_304_is_no_answer() {
    let (lab, server) = start([Answer::status(304)]);
    lab.write("job.yaml", job(&server).retry("{ attempts: 1 }").yaml());
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "protocol", "{report:#}");
    assert!(lab.files("data").is_empty());
}

#[test]
fn of_a_sealed_day_only_what_is_missing_is_asked_for() {
    let (lab, server) = start([answer(1)]);
    let other = ("sharp_720s_20260111_120000", "2026-01-11T12:00:00Z");
    server.file("sharp_720s", Item::new(other.0, other.1), fits(3, 60, other.1));
    look_when_old(&lab, &server);
    std::fs::remove_file(lab.path(&format!("data/sharp_720s/2026/01/11/{}.fits", other.0))).expect("a file");
    lab.run_with(&["--check"]).done();
    assert_eq!(server.requests_for(FILE).len(), 1);
    assert_eq!(server.requests_for(&format!("/HMI/sharp_720s/{}", other.0)).len(), 2);
    assert_eq!(lab.proved("data").len(), 2);
}

#[test]
fn of_a_sealed_day_that_is_asked_for_otherwise_what_is_here_is_as_final_as_before() {
    let (lab, server) = start([answer(1), answer(2)]);
    look_when_old(&lab, &server);
    lab.write("job.yaml", job(&server).range("2026-01-11T12:00:00", "2026-01-12").yaml());
    lab.forget_the_lock();
    assert_eq!(ends(&lab.report(0)), only(&["have"]));
    assert_eq!(server.requests_for(FILE).len(), 1);
    // Whether upstream has changed is for another command.
    lab.sunhaul(&["update", "job.yaml"]).stdout_has("").chatty().done();
    assert_eq!(lab.proved("data")[PLACE], digest(2));
}

#[test]
fn what_an_interrupted_look_at_a_young_day_got_is_asked_about_again() {
    let (lab, server) = start([answer(1), answer(2)]);
    let late = ("sharp_720s_20260111_235808", "2026-01-11T23:58:08Z");
    let second = || Answer::file(fits(3, 60, late.1)).named(&format!("{}.fits", late.0));
    server.script_file("sharp_720s", Item::new(late.0, late.1), [second().stall_at(10), second()]);
    lab.write("job.yaml", job(&server).more(YOUNG).yaml());
    let run = lab.run().start();
    server.wait_for_pauses(1);
    lab.until("the first file is there", |lab| lab.path(&format!("data/{PLACE}")).exists());
    run.kill();
    lab.write("job.yaml", job(&server).yaml());
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["replaced"], 1, "{report:#}");
    assert_eq!(lab.proved("data")[PLACE], digest(2));
}
