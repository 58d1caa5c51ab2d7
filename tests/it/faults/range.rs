//! Answers to a request for the rest of a file that do not fit what lies here. Each meets a part of this very run and
//! one that an earlier run left.

use std::time::{Duration, SystemTime};

use super::{Ended, FROM, Fault, File, KEPT, SERIES, Trial, trial, trial_after};
use crate::lab::{Answer, Ending, Item, Job, Lab, Ranges, Server, fits};

/// Every file breaks off once and meets its fault where it is gone on with; then the service is honest.
#[track_caller]
fn goes_on(trial: Trial) -> Ended {
    let ended = trial.ends_well(|file| {
        let mut answers = vec![(file.fault)(file.honest()), file.honest()];
        if !file.is_begun {
            answers.insert(0, file.broken.clone());
        }
        answers
    });
    ended.every_request_is_counted()
}

/// The parts are thrown away, which is told and is no error: one more request each, for the whole file.
#[track_caller]
fn starts_over(faults: &[(&'static str, Fault)]) -> Ended {
    is_over(goes_on(trial(faults)))
}

#[track_caller]
fn is_over(ended: Ended) -> Ended {
    let files = ended.trial.files.len() as u64;
    assert_eq!(ended.total("files/restarted"), files, "{:#}", ended.report);
    assert_eq!(ended.total("files/resumed"), 0, "{:#}", ended.report);
    assert_eq!(ended.total("requests/retried"), files / 2, "only for what broke off: {:#}", ended.report);
    assert_eq!(ended.told.matches("restarted from zero").count() as u64, files, "{}", ended.told);
    for file in &ended.trial.files {
        let asked = ended.requests_for(file);
        let whole = asked.last().expect("a request");
        let is_one = asked.len() == 1 + usize::from(!file.is_begun);
        assert_eq!(whole.header("range").is_some(), is_one, "{}: {asked:#?}", file.what);
    }
    ended
}

/// The parts are gone on with: no byte before them is asked for again.
#[track_caller]
fn is_resumed(ended: Ended) -> Ended {
    let files = ended.trial.files.len() as u64;
    assert_eq!(ended.total("files/resumed"), files, "{:#}", ended.report);
    assert_eq!(ended.total("files/restarted"), 0, "{:#}", ended.report);
    for file in &ended.trial.files {
        let asked = ended.requests_for(file);
        let rest = &asked[usize::from(!file.is_begun)..];
        assert!(!rest.is_empty() && rest.iter().all(|request| request.header("range").is_some()), "{asked:#?}");
    }
    ended
}

/// `bytes FROM-(END)/TOTAL` with the total that is told.
fn claimed(file: Answer, total: &str) -> Answer {
    let last = file.body().len() - 1;
    file.ranges(Ranges::Claimed(Some(format!("bytes {FROM}-{last}/{total}"))))
}

#[test]
fn an_honest_answer_is_gone_on_with() {
    let ended = is_resumed(goes_on(trial(&[("none", |file| file)])));
    for file in &ended.trial.files {
        let asked = ended.requests_for(file);
        let rest = asked.last().expect("a request");
        assert_eq!(rest.header("range"), Some(format!("bytes={FROM}-").as_str()));
        assert!(rest.header("if-range").is_some_and(|etag| etag.starts_with('"')), "{rest:?}");
    }
    assert_eq!(ended.total("bytes/resumed"), 2 * KEPT as u64, "{:#}", ended.report);
}

#[test]
fn r_01_a_part_from_later_on_is_not_put_after_what_lies_here() {
    starts_over(&[
        ("a block later", |file| file.ranges(Ranges::Shifted(2880))),
        ("at the part's end", |file| file.ranges(Ranges::Shifted(64 * 1024))),
    ]);
}

#[test]
fn r_02_a_part_from_earlier_on_is_not_put_after_what_lies_here() {
    starts_over(&[("a block earlier", |file| file.ranges(Ranges::Shifted(-2880)))]);
}

#[test]
fn r_03_the_whole_as_206_is_not_put_after_what_lies_here() {
    starts_over(&[("from the start", |file| file.ranges(Ranges::Shifted(-1_000_000)))]);
}

#[test]
fn r_03_a_part_under_status_200_is_never_taken_for_the_whole() {
    starts_over(&[
        ("the part that was asked for", |file| file.ranges(Ranges::Sliced)),
        ("what is no valid HTTP", |file| file.header("X Y", "z")),
        ("no part at all", |file| file.ranges(Ranges::Ignored).header("Content-Range", "bytes */201600")),
    ]);
    // Nor where no part was asked for, whatever kind of file it is.
    let server = Server::start();
    let names = ["a.txt", "b.csv", "c.cdf", "d.sav", "e.fits.fz"];
    for (nth, name) in (0..).zip(names) {
        let body = b"1 2 3\n".repeat(100);
        let part = format!("bytes 0-{}/9999", body.len() - 1);
        let answer = Answer::text("text/plain", "").with_body(body).named(name).header("Content-Range", &part);
        server.script_file(SERIES, Item::new(name, &format!("2015-12-11T00:{nth:02}:08.8Z")), [answer]);
    }
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).retry("{ attempts: 1 }").yaml());
    let report = lab.report(1);
    let classes: Vec<_> = report["failures"].as_array().expect("failures").iter().map(|f| &f["class"]).collect();
    assert_eq!(classes, ["protocol"; 5], "{report:#}");
    assert!(lab.files("data").is_empty());
}

#[test]
fn r_03_a_200_with_a_content_range_of_all_bytes_is_the_whole() {
    let server = Server::start();
    let answer = |chunked: bool| {
        let answer = Answer::text("text/plain", "all of it").named("a.txt").header("Content-Range", "bytes 0-8/9");
        if chunked { answer.chunked() } else { answer }
    };
    server.script_file(
        SERIES,
        Item::new("a", "2015-12-11T00:00:08.8Z"),
        [answer(true).ending(Ending::Cut(5)), answer(false)],
    );
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.report(0);
    assert_eq!(lab.read(&format!("data/{SERIES}/2015/12/11/a.txt")), b"all of it");
}

#[test]
fn r_04_a_part_that_does_not_say_which_is_none() {
    starts_over(&[
        ("nothing", |file| file.ranges(Ranges::Claimed(None))),
        ("no numbers", |file| file.ranges(Ranges::Claimed(Some("bytes a-b/c".to_owned())))),
        ("another unit", |file| file.ranges(Ranges::Claimed(Some("items 0-9/10".to_owned())))),
    ]);
}

#[test]
fn r_05_several_ranges_are_not_the_one_that_was_asked_for() {
    starts_over(&[("two parts", |file| {
        let (body, etag) = (file.body(), format!("\"{}\"", sunhaul::digest::Digest::sha256(&file.body())));
        let (total, last) = (body.len(), body.len() - 1);
        let mut parts = format!("--x\r\nContent-Range: bytes 0-9/{total}\r\n\r\n").into_bytes();
        parts.extend_from_slice(&body[..10]);
        parts.extend_from_slice(format!("\r\n--x\r\nContent-Range: bytes {FROM}-{last}/{total}\r\n\r\n").as_bytes());
        parts.extend_from_slice(&body[FROM..]);
        parts.extend_from_slice(b"\r\n--x--\r\n");
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Range: bytes {FROM}-{last}/{total}\r\n\
             Content-Type: Multipart/Byteranges; boundary=x\r\nContent-Length: {}\r\n\r\n",
            parts.len()
        );
        Answer::raw([head.into_bytes(), parts].concat())
    })]);
}

#[test]
fn r_06_another_total_is_another_file() {
    starts_over(&[
        ("more", |file| {
            let more = (file.body().len() + 2880).to_string();
            claimed(file, &more)
        }),
        ("less than what lies here", |file| file.ranges(Ranges::Claimed(Some(format!("bytes {FROM}-99999/100000"))))),
        ("untold", |file| claimed(file, "*")),
    ]);
}

#[test]
fn r_07_the_whole_though_nothing_changed_starts_over_and_is_no_error() {
    let ended = starts_over(&[("200", |file| file.ranges(Ranges::Ignored))]);
    assert_eq!(ended.told.matches("the service does not resume").count(), 2, "{}", ended.told);
}

/// Upstream has other files now, as long as before.
fn change(trial: &mut Trial) {
    for (nth, file) in (100..).zip(&mut trial.files) {
        file.body = fits(nth, 300, &format!("{}T12:00:08.799999Z", file.date()));
    }
}

#[test]
fn r_08_a_file_that_changed_is_fetched_whole_and_told_as_changed() {
    let mut trial = trial(&[("none", |file| file)]);
    change(&mut trial);
    let ended = is_over(goes_on(trial));
    assert_eq!(ended.told.matches("the file changed").count(), 2, "{}", ended.told);
}

#[test]
fn r_09_a_weak_etag_is_not_used_to_resume() {
    const WEAK: Fault = |file| file.etag(Some("W/\"1\"")).ending(Ending::Cut(KEPT));
    let ended = goes_on(trial_after(&[("none", |file| file)], WEAK));
    assert!(ended.requests.iter().all(|request| request.header("range").is_none()), "{:#?}", ended.requests);
    assert_eq!((ended.total("files/resumed"), ended.total("files/restarted")), (0, 0), "{:#}", ended.report);
}

#[test]
fn r_10_an_etag_that_differs_each_time_starts_over() {
    starts_over(&[
        ("on a 200", |file| file.etag(Some("\"another\""))),
        ("on a 206 whatever was asked", |file| file.etag(Some("\"another\"")).ranges(Ranges::Unconditional)),
    ]);
}

#[test]
fn r_08_a_rest_whose_headers_differ_in_any_way_is_of_another_file() {
    starts_over(&[
        ("no ETag", |file| file.ranges(Ranges::Unconditional).etag(None)),
        ("another Last-Modified", |file| file.last_modified(Some("Sat, 12 Dec 2015 20:00:00 GMT"))),
        ("no Last-Modified", |file| file.last_modified(None)),
        ("a Content-Type more", |file| file.header("Content-Type", "text/plain")),
        ("a Content-Encoding", |file| file.header("Content-Encoding", "identity")),
        ("a second ETag", |file| file.header("ETag", "\"another\"")),
        ("another name", |file| Answer::file(file.body()).named("x.fits")),
    ]);
    // Before there was none, and a date was asked by.
    let dated: Fault = |file| file.etag(None).last_modified(Some(OLD));
    let added = trial_after(&[("an ETag for the first time", |file| file.last_modified(Some(OLD)))], |file| {
        file.etag(None).last_modified(Some(OLD)).ending(Ending::Cut(KEPT))
    });
    is_over(goes_on(added));
    let changed = trial_after(
        &[("another date", |file| {
            file.etag(None).last_modified(Some("Sat, 12 Dec 2015 20:00:00 GMT")).ranges(Ranges::Unconditional)
        })],
        |file| file.etag(None).last_modified(Some(OLD)).ending(Ending::Cut(KEPT)),
    );
    is_over(goes_on(changed));
    let same = trial_after(&[("the same date", dated)], |file| {
        file.etag(None).last_modified(Some(OLD)).ending(Ending::Cut(KEPT))
    });
    is_resumed(goes_on(same));
}

#[test]
fn r_11_the_same_etag_over_other_bytes_never_gives_a_mixed_file() {
    const SAME: Fault = |file| file.etag(Some("\"same\""));
    let mut changed = trial_after(&[("none", SAME)], |file| SAME(file).ending(Ending::Cut(KEPT)));
    change(&mut changed);
    is_over(goes_on(changed));
    // Changed only before what is compared: the file's own checksum finds it.
    let changed = trial_after(&[("none", SAME)], |file| {
        let mut body = file.body();
        body[5000] ^= 1;
        SAME(file.with_body(body)).ending(Ending::Cut(KEPT))
    });
    let ended = goes_on(changed);
    assert_eq!(ended.total("files/quarantined"), 2, "{:#}", ended.report);
}

/// Older than any run.
const OLD: &str = "Fri, 11 Dec 2015 20:00:00 GMT";

#[test]
fn r_12_a_date_is_used_to_resume_only_where_it_is_old_enough() {
    /// Changed so many seconds before it is sent, and without an `ETag`.
    fn dated(file: Answer, age: u64) -> Answer {
        let date = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(age));
        file.etag(None).last_modified(Some(&date)).ending(Ending::Cut(KEPT))
    }
    let young = goes_on(trial_after(&[("none", |file| file)], |file| dated(file, 10)));
    assert!(young.requests.iter().all(|request| request.header("range").is_none()), "{:#?}", young.requests);
    let old = trial_after(&[("none", |file| file.etag(None).last_modified(Some(OLD)))], |file| {
        file.etag(None).last_modified(Some(OLD)).ending(Ending::Cut(KEPT))
    });
    let old = is_resumed(goes_on(old));
    let asked: Vec<_> = old.requests.iter().filter_map(|request| request.header("if-range")).collect();
    assert_eq!(asked, [OLD, OLD]);
}

/// All bytes of the file came, and nothing said that they are all.
fn endless(file: Answer) -> Answer {
    let all = file.body().len();
    file.chunked().ending(Ending::Cut(all))
}

const ALL: Fault = |file| {
    let total = file.body().len();
    file.ranges(Ranges::Refused(Some(format!("bytes */{total}"))))
};

#[test]
fn r_13_nothing_after_what_lies_here_makes_it_whole_only_if_it_passes_the_checks() {
    is_resumed(goes_on(trial_after(&[("416, as long", ALL)], endless)));
    let flipped = trial_after(&[("416, as long", ALL)], |file| {
        let mut body = file.body();
        body[170_000] ^= 1;
        endless(file.with_body(body))
    });
    is_over(goes_on(flipped));
}

#[test]
fn r_14_less_upstream_than_lies_here_starts_over() {
    starts_over(&[
        ("416, shorter", |file| file.ranges(Ranges::Refused(Some("bytes */100000".to_owned())))),
        ("416, of nothing", |file| file.ranges(Ranges::Refused(Some("bytes */0".to_owned())))),
    ]);
}

#[test]
fn r_15_a_416_that_says_nothing_starts_over() {
    starts_over(&[
        ("416, bare", |file| file.ranges(Ranges::Refused(None))),
        ("416, bare, in gzip", |file| file.ranges(Ranges::Refused(None)).header("Content-Encoding", "gzip")),
    ]);
}

#[test]
fn r_16_a_part_of_a_compressed_variant_is_no_part_of_the_file() {
    starts_over(&[("gzip", |file| file.header("Content-Encoding", "gzip"))]);
}

#[test]
fn r_17_what_accept_ranges_says_is_tried_and_not_believed() {
    is_resumed(goes_on(trial(&[("none, and it does", |file| file.header("Accept-Ranges", "none"))])));
    starts_over(&[("bytes, and it does not", |file| file.ranges(Ranges::Ignored).header("Accept-Ranges", "bytes"))]);
}

#[test]
fn r_18_a_part_that_is_all_of_the_file_is_gone_on_with_to_its_end() {
    is_resumed(goes_on(trial_after(&[("none", |file| file)], endless)));
}

#[test]
fn r_19_a_part_shorter_than_asked_for_is_gone_on_with_unless_it_is_no_help() {
    let ended = goes_on(trial(&[("more than is compared", |file| file.ranges(Ranges::Short(80_000)))]));
    is_resumed(ended);
    starts_over(&[("less than is compared", |file| file.ranges(Ranges::Short(1000)))]);
}

/// Ways to refuse each request for a part by what elsewhere passes, while the whole file would come.
const REFUSALS: [(&str, Fault); 6] = [
    ("503", |file| file.answering_ranges_by(Answer::status(503))),
    ("429", |file| file.answering_ranges_by(Answer::status(429))),
    ("503 with a wait", |file| file.answering_ranges_by(Answer::status(503).header("Retry-After", "1"))),
    ("a reset connection", |file| {
        let rest = file.clone().ending(Ending::Reset(0));
        file.answering_ranges_by(rest)
    }),
    ("no answer", |file| file.answering_ranges_by(Answer::file(Vec::new()).ending(Ending::NoHeaders))),
    ("a rest that ends before it brings a byte", |file| {
        let rest = file.clone().ending(Ending::Cut(1000));
        file.answering_ranges_by(rest)
    }),
];

/// The answers for a file that meets its fault at each request for its rest.
fn always(file: &File) -> Vec<Answer> {
    begun_with(file, &[(file.fault)(file.honest())])
}

/// The answers for a file once it is begun.
fn begun_with(file: &File, answers: &[Answer]) -> Vec<Answer> {
    let broken = (!file.is_begun).then(|| file.broken.clone());
    broken.into_iter().chain(answers.iter().cloned()).collect()
}

#[test]
fn a_file_whose_rest_is_refused_at_each_attempt_comes_whole_at_the_last_one() {
    for refusal in REFUSALS {
        let ended = trial(&[refusal]).ends_well(always);
        assert_eq!(ended.total("files/restarted"), 2, "{}: {:#}", refusal.0, ended.report);
        for file in &ended.trial.files {
            let has_range: Vec<_> = ended.requests_for(file).iter().map(|r| r.header("range").is_some()).collect();
            let expected = [file.is_begun, true, true, true, false];
            assert_eq!(has_range, expected, "{}, begun: {}", file.what, file.is_begun);
        }
    }
}

#[test]
fn a_rest_that_is_redirected_where_no_file_is_does_not_keep_the_whole_from_coming() {
    for refusal in [
        ("elsewhere", (|file| file.answering_ranges_by(to("http://elsewhere.example/login"))) as Fault),
        ("in a ring", |file| file.answering_ranges_by(to("/ring"))),
        ("to a login page", |file| file.answering_ranges_by(to("/login"))),
    ] {
        let trial = trial(&[refusal]);
        trial.server.script("/ring", [to("/ring")]);
        trial.server.script("/login", [Answer::html()]);
        is_over(trial.ends_well(always));
    }
}

fn to(location: &str) -> Answer {
    Answer::status(302).header("Location", location)
}

#[test]
fn a_rest_that_is_refused_in_two_runs_of_one_attempt_does_not_keep_the_whole_from_coming() {
    for (_, refusal) in REFUSALS {
        let trial = trial(&[("in each run", refusal)]);
        trial.script(always);
        trial.write_job(1);
        trial.lab.report(4);
        trial.nothing_has_a_name();
        trial.lab.report(4);
        trial.lab.report(0);
        trial.is_right();
    }
}

#[test]
fn a_part_outlasts_a_service_that_is_overloaded_for_a_whole_run_and_is_gone_on_with() {
    for overload in [Answer::status(503), Answer::status(429), Answer::file(Vec::new()).ending(Ending::NoHeaders)] {
        let trial = trial(&[("none", |file| file)]);
        trial.script(|_| vec![overload.clone()]);
        trial.write_job(3);
        trial.lab.report(4);
        let ended = trial.ends_well(|file| begun_with(file, &[overload.clone(), overload.clone(), file.honest()]));
        assert_eq!((ended.total("files/resumed"), ended.total("files/restarted")), (2, 0), "{:#}", ended.report);
    }
}
