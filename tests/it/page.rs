//! The report as a web page: what `run --report-html` writes, and what a browser makes of it.
//!
//! What the page says of every kind of report, unit tests of `report::html` prove without a browser.

mod browser;
mod in_a_browser;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

/// What a server might say to a browser that reads along.
const EVIL: &str = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

/// A service with a day that is whole, one that is damaged, one that is refused in evil words, and one without an image.
fn service() -> Server {
    let server = Server::start();
    let file = |series: &str, hour: u32, answers: Vec<Answer>| {
        let (name, time) = (format!("{series}_20151211_{hour:02}0000"), format!("2015-12-11T{hour:02}:00:00.000000Z"));
        let answers = answers.into_iter().map(|answer| answer.named(&format!("{name}.fits")));
        server.script_file(series, Item::new(&name, &time), answers);
    };
    let body = |hour: u32| fits(hour + 1, 20 + 80 * hour as usize, &format!("2015-12-11T{hour:02}:00:00.000000Z"));
    let damaged = |hour: u32| {
        let mut body = body(hour);
        let middle = body.len() / 2;
        body[middle] ^= 1;
        Answer::file(body)
    };
    (0..5).for_each(|hour| file("whole", hour, vec![Answer::file(body(hour))]));
    file("damaged", 3, vec![Answer::file(body(3))]);
    file("damaged", 4, vec![damaged(4), damaged(4), damaged(4)]);
    file("damaged", 5, vec![damaged(5), Answer::file(body(5))]);
    let refusal = serde_json::json!({ "detail": EVIL }).to_string().into_bytes();
    file("refused", 6, vec![Answer::status(403).with_body(refusal)]);
    let empty = fitsio_pure::primary::build_primary_header(8, &[]).expect("a header");
    file("empty", 7, vec![Answer::file(fitsio_pure::header::serialize_header(&empty).expect("a header"))]);
    server
}

/// A run over all of it, with its page in `page.html`.
fn run(more: &[&str]) -> (Lab, serde_json::Value) {
    let (server, lab) = (service(), Lab::new());
    let series = ["whole", "damaged", "refused", "empty"].map(|name| format!("{{ name: {name} }}"));
    let series: Vec<&str> = series.iter().map(String::as_str).collect();
    lab.write("job.yaml", Job::at(&server.url()).series(&series).yaml());
    let report = lab.report_with(&[&["--report-html", "page.html"], more].concat(), 1);
    (lab, report)
}

fn page(lab: &Lab) -> String {
    String::from_utf8(lab.read("page.html")).expect("UTF-8")
}

#[test]
fn the_page_of_a_run_has_its_manifest_and_pictures_only_when_they_are_asked_for() {
    let (lab, report) = run(&[]);
    let page = page(&lab);
    assert!(page.contains("name: lab\n") && page.contains(report["run"]["id"].as_str().expect("an id")));
    assert!(!page.contains("<img") && !page.contains("Quick looks"), "pictures are shown");
    assert_eq!(
        report["sizes"].as_array().expect("sizes").iter().map(|size| size["files"].as_u64()).sum::<Option<u64>>(),
        report["totals"]["files"]["fetched"].as_u64()
    );
    let samples = report["timeline"].as_array().expect("samples");
    let last = samples.last().expect("a sample");
    assert_eq!((&last["bytes"], &last["files"]), (&report["hosts"][0]["bytes"], &report["totals"]["files"]["fetched"]));
    assert!(samples.iter().any(|sample| sample["under_way"].as_u64() > Some(0)), "{report:#}");
    assert!(report["waits"].as_array().expect("waits").iter().any(|wait| wait["class"] == "fits-checksum"));
}

#[test]
fn a_quick_look_is_taken_of_each_day_with_a_record_and_its_lack_is_told() {
    let (lab, _) = run(&["--quicklook"]);
    let page = page(&lab);
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 1, "of `whole` alone: `damaged` has no record");
    assert!(page.contains("whole/2015/12/11/whole_20151211_000000.fits"), "the first path");
    assert!(page.contains("no FITS image is in the 1 files that were tried first"), "the lack of one in `empty`");
    let kept: Vec<String> = lab.tree("data/.sunhaul").into_keys().filter(|path| path.contains("png")).collect();
    assert!(kept.is_empty(), "the pictures are on the page alone: {kept:?}");
}

#[test]
fn a_page_that_cannot_be_written_or_shared_is_told_before_any_request() {
    let (server, lab) = (service(), Lab::new());
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.write("other.yaml", Job::at(&server.url()).yaml().replace("name: lab", "name: other"));
    let refused = |args: &[&str], why: &str| {
        lab.sunhaul(&[&["run"], args].concat()).status(2).stderr_has(why).done();
    };
    refused(&["job.yaml", "other.yaml", "--report-html", "p.html"], "`--report-html` takes one job");
    refused(&["job.yaml", "--report-html", "none/p.html"], "name another file with `--report-html`");
    refused(&["job.yaml", "--quicklook"], "--report-html");
    assert!(server.requests().is_empty());
    server.may_be_silent();
}
