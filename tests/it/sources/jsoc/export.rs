//! Orders from the export system: folded, cut, remembered, given again.

use serde_json::{Value, json};

use super::orders::{EMAIL, made};
use super::{FETCH, Fake, INFO, Record};
use crate::lab::{Job, Lab, fits};

const THREE: [&str; 3] = ["2015-12-11T00:00:00", "2015-12-12T12:00:00", "2015-12-13T23:48:00"];

pub(super) fn three() -> Fake {
    Fake::of((1..).zip(THREE).map(|(recnum, time)| Record::new(recnum, time)).collect())
}

/// A job over the one day, or over all three, whose files are ordered.
pub(super) fn ordered(fake: &Fake, how: &str, keys: &str, end: &str) -> Job {
    let source = format!("{{ jsoc: {{ url: \"{}\", export: {{ {how} }} }} }}", fake.server.url());
    let series = format!("{{ name: hmi.sharp_cea_720s, as: one, segments: [Br], {keys} }}");
    Job::from_source(&source).series(&[&series]).range("2015-12-11", end)
}

pub(super) fn all_three(fake: &Fake) -> Job {
    ordered(fake, &format!("email: {EMAIL}"), "fetch: files", "2015-12-14")
}

pub(super) fn one(fake: &Fake) -> Job {
    ordered(fake, &format!("email: {EMAIL}"), "fetch: files", "2015-12-12")
}

pub(super) fn lab(job: &Job) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", job.yaml());
    lab
}

pub(super) fn message(report: &Value) -> &str {
    report["failures"][0]["message"].as_str().expect("a message")
}

impl Fake {
    pub(in crate::sources) fn orders(&self) -> Vec<String> {
        self.state().desk.sets().into_iter().map(str::to_owned).collect()
    }

    fn asked_after(&self) -> usize {
        self.asked(FETCH, "exp_status", "requestid").len()
    }

    /// How many times an order was given, whatever became of it.
    pub(in crate::sources) fn given(&self) -> usize {
        self.asked(FETCH, "exp_request", "ds").len()
    }
}

#[test]
fn files_are_ordered_asked_after_and_fetched() {
    let fake = three();
    fake.state().desk.pending = 1;
    let lab = lab(&ordered(&fake, &format!("email: {EMAIL}"), "fetch: both", "2015-12-12"));
    lab.report(0);
    assert_eq!(fake.orders(), ["hmi.sharp_cea_720s[][2015.12.10_23:54:00_TAI/1464m]{Br}"]);
    assert_eq!(fake.asked_after(), 2);
    let asked = |name: &str| fake.asked(FETCH, "exp_request", name).pop().expect("an order");
    assert_eq!((asked("notify"), asked("requester")), (EMAIL.to_owned(), "jane".to_owned()));
    assert_eq!((asked("method"), asked("protocol"), asked("process=n")), ("url".into(), "fits".into(), "0".into()));
    assert_eq!(asked("filenamefmt"), "hmi.sharp_cea_720s.{HARPNUM}.{T_REC:A}.{segment}");
    let path = "one/2015/12/11/hmi.sharp_cea_720s.377.20151211_000000_TAI.Br.fits";
    assert_eq!(lab.read(&format!("data/{path}")), made(&Record::new(1, THREE[0]), "Br"), "not what lies on disk");
    assert_eq!(lab.proved("data").len(), 3, "a file, and the table of keywords");
    let day = lab.day("data", "one", "2015-12-11");
    let line = day.files.iter().find(|file| file["key"] == "1/Br").expect("a line");
    let lasting = "/cgi-bin/ajax/jsoc_fetch?ds=hmi.sharp_cea_720s%5B377%5D%5B2015.12.11_00%3A00%3A00_TAI%5D%7BBr%7D&protocol=fits";
    assert_eq!(line["url"], lasting);
    assert!(!String::from_utf8(lab.read("job.lock")).expect("UTF-8").contains("SUM9"), "no order's place is locked");
    let before = fake.server.requests().len();
    lab.report(0);
    assert_eq!(fake.server.requests().len(), before, "a sealed day is not asked for again");
}

/// The three days are listed at once.
pub(super) fn at_once() -> Fake {
    let fake = three();
    fake.state().together = 3;
    fake
}

const FOLDED: &str = "hmi.sharp_cea_720s[][2015.12.10_23:54:00_TAI/4344m]{Br}";

#[test]
fn days_side_by_side_are_one_order() {
    let fake = at_once();
    let lab = lab(&all_three(&fake));
    lab.report(0);
    assert_eq!((fake.orders(), fake.given()), (vec![FOLDED.to_owned()], 1));
    assert_eq!((lab.proved("data").len(), lab.days("data").len()), (3, 3));
}

#[test]
fn two_series_of_one_person_take_turns() {
    let fake = three();
    fake.state().desk.pending = 1;
    let source = format!("{{ jsoc: {{ url: \"{}\", export: {{ email: {EMAIL} }} }} }}", fake.server.url());
    let job = Job::from_source(&source).series(&[
        "{ name: hmi.sharp_cea_720s, as: one, segments: [Br], fetch: files }",
        "{ name: hmi.sharp_cea_720s, as: two, segments: [Bp], fetch: files }",
    ]);
    let lab = lab(&job);
    lab.report(0);
    assert_eq!((fake.orders().len(), fake.given()), (2, 2), "none was turned away");
    assert_eq!(lab.proved("data").len(), 2);
    assert_eq!(fake.asked(INFO, "rs_list", "key")[0], "*recnum*,*online*,*archive*,*size*,HARPNUM,T_REC,QUALITY");
}

#[test]
fn what_is_too_large_is_cut_in_two_and_again() {
    let fake = at_once();
    fake.state().records.push(Record::new(4, "2015-12-11T18:00:00"));
    fake.state().desk.limit = 1;
    let lab = lab(&all_three(&fake));
    lab.report(0);
    let mut orders = fake.orders();
    orders.sort();
    assert_eq!(
        orders,
        [
            "hmi.sharp_cea_720s[][2015.12.10_23:54:00_TAI/744m]{Br}",
            "hmi.sharp_cea_720s[][2015.12.11_11:54:00_TAI/744m]{Br}",
            "hmi.sharp_cea_720s[][2015.12.11_23:54:00_TAI/1464m]{Br}",
            "hmi.sharp_cea_720s[][2015.12.12_23:54:00_TAI/1464m]{Br}",
        ]
    );
    assert_eq!(lab.proved("data").len(), 4);
    let large = three();
    large.state().desk.limit = 0;
    let lab = self::lab(&one(&large));
    let report = lab.report(1);
    assert!(message(&report).contains("no shorter time can be ordered: JSOC says: Request exceeds"), "{report:#}");
}

#[test]
fn d_07_a_run_that_is_killed_while_an_order_waits_orders_nothing_twice() {
    let fake = at_once();
    fake.state().desk.pending = u32::MAX;
    let lab = lab(&all_three(&fake));
    let running = lab.run().start();
    lab.until("the order is asked after", |_| fake.asked_after() > 0);
    running.kill();
    assert_eq!(fake.orders(), [FOLDED]);
    fake.state().desk.orders[0].pending = 0;
    lab.report(0);
    assert_eq!((fake.orders().len(), fake.given()), (1, 1), "each of its days remembers it");
    assert_eq!(lab.proved("data").len(), 3);
}

#[test]
fn d_07_a_run_that_is_killed_before_an_order_has_a_number_gives_the_same_one() {
    let fake = three();
    fake.state().desk.hangs = true;
    let lab = lab(&one(&fake));
    let running = lab.run().start();
    lab.until("an order is given", |_| fake.given() > 0);
    running.kill();
    lab.report(0);
    assert_eq!((fake.orders().len(), fake.given()), (1, 2), "JSOC knows it again by its words");
}

#[test]
fn what_is_expired_is_ordered_again() {
    let fake = three();
    fake.state().desk.pending = u32::MAX;
    let lab = lab(&one(&fake));
    let running = lab.run().start();
    lab.until("an order is asked after", |_| fake.asked_after() > 0);
    running.kill();
    fake.state().desk.orders[0].is_expired = true;
    fake.state().desk.pending = 0;
    lab.report(0);
    assert_eq!(fake.orders().len(), 2);
    assert_eq!(lab.proved("data").len(), 1);
}

#[test]
fn an_order_that_does_not_show_yet_and_one_that_is_in_the_way_are_waited_for() {
    let fake = three();
    fake.state().desk.unseen = 2;
    fake.state().desk.busy = 1;
    let lab = lab(&one(&fake));
    lab.report(0);
    assert_eq!((fake.given(), fake.orders().len(), fake.asked_after()), (2, 1, 3));
}

#[test]
fn an_order_that_is_refused_for_a_moment_passes_the_second_time() {
    let fake = three();
    fake.state().desk.flaky = 1;
    let lab = lab(&one(&fake));
    lab.report(0);
    assert_eq!((fake.given(), lab.proved("data").len()), (2, 1));
}

#[test]
fn an_address_that_is_not_registered_is_refused_in_jsoc_s_own_words() {
    let fake = three();
    let lab = lab(&ordered(&fake, "email: nobody@example.org", "fetch: files", "2015-12-12"));
    let report = lab.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    let words = "JSOC says: Cannot process your request. email address has been neither validated nor registered";
    assert!(message(&report).contains(words), "{report:#}");
    assert_eq!(fake.given(), 2, "once more, and no storm");
    assert!(lab.days("data").is_empty());
}

#[test]
fn looking_orders_nothing() {
    let fake = three();
    let lab = lab(&one(&fake));
    let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
    assert_eq!(plan["listing"]["days"][0]["files"], 1, "{plan:#}");
    lab.report(0);
    assert_eq!(fake.given(), 1);
    lab.sunhaul(&["update", "job.yaml", "--dry-run"]).stdout_has("").chatty().done();
    assert_eq!(fake.given(), 1);
}

#[test]
fn a_young_day_is_looked_at_again_and_orders_only_what_is_new() {
    let fake = Fake::of(vec![Record::new(1, "2025-12-11T00:00:00")]);
    let lab = lab(&one(&fake).range("2025-12-11", "2025-12-12").more("settle: 3650d"));
    let report = lab.report(0);
    assert_eq!(report["days"][0]["state"], "provisional", "{report:#}");
    let files = |fake: &Fake| fake.server.requests().iter().filter(|request| request.path.starts_with("/SUM9")).count();
    lab.report(0);
    assert_eq!((fake.listed().len(), fake.given(), files(&fake)), (2, 1, 1), "listed again, and nothing else");
    fake.state().records.push(Record::new(4, "2025-12-11T18:00:00"));
    lab.report(0);
    assert_eq!((fake.given(), lab.proved("data").len()), (2, 2));
    assert_eq!(files(&fake), 2, "the file that is there is not fetched again");
    assert_eq!(fake.orders()[1], "hmi.sharp_cea_720s[][2025.12.11_17:54:00_TAI/36m]{Br}");
}

#[test]
fn files_that_are_adopted_are_not_ordered() {
    let fake = three();
    let lab = lab(&one(&fake));
    lab.write("have/hmi.sharp_cea_720s.377.20151211_000000_TAI.Br.fits", fits(1, 20, THREE[0]));
    lab.sunhaul(&["adopt", "job.yaml", "have"]).stdout_has("").chatty().done();
    assert_eq!((lab.proved("data").len(), fake.given()), (1, 0));
}

#[test]
fn files_as_they_are_come_at_once_and_what_is_on_tape_is_refused() {
    let fake = three();
    let quick = format!("email: {EMAIL}, protocol: as-is, method: url_quick");
    let at_once = lab(&ordered(&fake, &quick, "fetch: files", "2015-12-12"));
    at_once.report(0);
    assert_eq!((fake.given(), fake.asked_after(), at_once.proved("data").len()), (1, 0, 1));
    let path = "data/one/2015/12/11/hmi.sharp_cea_720s.377.20151211_000000_TAI.Br.fits";
    assert_eq!(at_once.read(path), fits(1, 20, THREE[0]));
    fake.state().desk.offline = vec![1];
    let from_tape = lab(&one(&fake));
    let report = from_tape.report(1);
    assert!(message(&report).contains("{Br}` is not on JSOC's disks; ask jsoc@sun.stanford.edu"), "{report:#}");
    assert_eq!((fake.given(), fake.orders().len(), &report["failures"][0]["class"]), (3, 0, &json!("source-refused")));
}

#[test]
fn of_several_files_of_a_segment_the_one_that_is_listed_is_fetched() {
    let fake = three();
    fake.state().desk.has_all = true;
    let quick = format!("email: {EMAIL}, protocol: as-is, method: url_quick");
    let job = ordered(&fake, &quick, "fetch: files", "2015-12-12")
        .series(&["{ name: hmi.sharp_cea_720s, as: one, segments: [Br, Bp], fetch: files }"]);
    let lab = lab(&job);
    lab.report(0);
    for (segment, seed) in [("Br", 1), ("Bp", 501)] {
        let path = format!("data/one/2015/12/11/hmi.sharp_cea_720s.377.20151211_000000_TAI.{segment}.fits");
        assert_eq!(lab.read(&path), fits(seed, 20, THREE[0]), "{segment}");
    }
}

#[test]
fn what_an_order_has_no_file_of_is_absent_and_what_it_leaves_out_is_told() {
    let fake = three();
    fake.state().desk.has_none = Some("Br");
    let job = |how: &str| ordered(&fake, &format!("email: {EMAIL}{how}"), "fetch: files", "2015-12-12");
    // What is made anew has no row then, and what is linked to has one without a name.
    let absent = lab(&job(", protocol: as-is, method: url"));
    let report = absent.report(0);
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
    fake.state().desk.has_none = None;
    fake.state().desk.lacks = Some("Br");
    let left_out = lab(&job(""));
    let report = left_out.report(1);
    assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
    let told = "left out 1 of the listed files, such as `hmi.sharp_cea_720s[377][2015.12.11_00:00:00_TAI]{Br}`";
    assert!(message(&report).contains(told), "{report:#}");
    fake.state().desk.lacks = None;
    left_out.report(0);
    assert_eq!(left_out.proved("data").len(), 1);
}

#[test]
fn a_file_that_jsoc_warns_of_fails_alone_and_is_ordered_again() {
    for how in ["", ", protocol: as-is, method: url"] {
        let times = ["2015-12-11T00:00:00", "2015-12-11T12:00:00", "2015-12-11T23:48:00"];
        let fake = Fake::of((1..).zip(times).map(|(recnum, time)| Record::new(recnum, time)).collect());
        fake.state().desk.warned = vec![2];
        let lab = lab(&ordered(&fake, &format!("email: {EMAIL}{how}"), "fetch: files", "2015-12-12"));
        let report = lab.report(1);
        assert_eq!(report["totals"]["files"]["failed"], 1, "{report:#}");
        assert_eq!(report["failures"][0]["class"], "source-refused", "{report:#}");
        let told =
            "did not make `hmi.sharp_cea_720s[377][2015.12.11_12:00:00_TAI]{Br}`, and warns: Cannot read the segment;";
        assert!(message(&report).contains(told), "{report:#}");
        fake.state().desk.warned.clear();
        lab.report(0);
        assert_eq!(lab.proved("data").len(), 3);
        assert_eq!(fake.given(), 2, "the order with the warning is not asked after");
    }
}

#[test]
fn a_record_without_an_image_is_absent_from_an_order_which_leaves_it_out() {
    let fake = three();
    fake.state().records.push(Record { quality: 0x8000_0000, ..Record::new(4, "2015-12-11T06:00:00") });
    let lab = lab(&one(&fake));
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["absent"], 1, "{report:#}");
    assert_eq!((lab.proved("data").len(), lab.days("data").len()), (1, 1));
}

#[test]
fn an_ordered_file_that_is_gone_is_no_absent_file() {
    let fake = three();
    let lab = lab(&one(&fake));
    fake.server.script(
        "/SUM9/D0/S00000/hmi.sharp_cea_720s.377.20151211_000000_TAI.Br.fits",
        [crate::lab::Answer::status(404)],
    );
    let report = lab.report(4);
    assert_eq!(report["failures"][0]["class"], json!("not-found"), "{report:#}");
    assert!(lab.days("data").is_empty(), "the day is not sealed on it");
    fake.state().desk.orders[0].is_expired = true;
    lab.report(0);
    assert_eq!((fake.orders().len(), lab.proved("data").len()), (2, 1));
}

#[test]
fn what_a_program_makes_of_records_is_joined_to_the_records_it_was_made_of() {
    let fake = three();
    let how = format!("email: {EMAIL}, process: \"rebin,method=boxcar,scale=0.5\"");
    let job = ordered(&fake, &how, "fetch: files", "2015-12-12")
        .series(&["{ name: hmi.sharp_cea_720s, as: one, segments: [Br, Bp], fetch: files }"]);
    let lab = lab(&job);
    lab.report(0);
    assert_eq!(fake.asked(FETCH, "exp_request", "process=n"), ["0|rebin,method=boxcar,scale=0.5"]);
    for segment in ["Br", "Bp"] {
        let path = format!("data/one/2015/12/11/hmi.sharp_cea_720s.377.20151211_000000_TAI.{segment}.fits");
        assert_eq!(lab.read(&path), made(&Record::new(1, THREE[0]), segment), "{segment}");
    }
}

#[test]
fn a_request_that_is_too_long_is_refused_once() {
    for path in [INFO, FETCH] {
        for status in [413, 414, 431] {
            let fake = three();
            let lab = lab(&one(&fake));
            fake.server.script(path, [crate::lab::Answer::status(status)]);
            let report = lab.report(1);
            assert_eq!(report["failures"][0]["class"], "source-refused", "{path} {status}: {report:#}");
            assert!(message(&report).contains("the request is too long for it: name fewer"), "{report:#}");
            assert_eq!(fake.server.requests_for(path).len(), 1, "{path} {status}");
        }
    }
}
