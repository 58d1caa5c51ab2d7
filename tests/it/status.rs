//! `sunhaul status`: the calendar of what is there, on a terminal and elsewhere, and the same facts as JSON.

use serde_json::{Value, json};

use sunhaul::archive::{Archive, DayRecord, FileLine, RecordBasis, RecordState};
use sunhaul::day::Scale;
use sunhaul::digest::Digest;
use sunhaul::manifest;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const SERIES: &str = "sharp_720s";

fn put(server: &Server, day: u32, answers: impl IntoIterator<Item = Answer>) {
    let (name, time) = (format!("sharp_720s_201512{day:02}_120000"), format!("2015-12-{day:02}T12:00:00.000000Z"));
    server.script_file(SERIES, Item::new(&name, &time), answers);
}

fn whole(day: u32) -> Answer {
    Answer::file(fits(1, 60, &format!("2015-12-{day:02}T12:00:00.000000Z"))).named(&format!("{day}.fits"))
}

/// A job over five days: sealed, failed, with a file that is absent, and two of which a budget left one.
fn five_days() -> (Server, Lab) {
    let server = Server::start();
    put(&server, 11, [whole(11)]);
    put(&server, 12, [Answer::status(403)]);
    put(&server, 13, [Answer::status(404)]);
    put(&server, 14, [whole(14)]);
    put(&server, 15, [whole(15)]);
    let lab = Lab::new();
    let limits = "{ requests: unlimited, bandwidth: unlimited, concurrency: 1 }";
    let job = Job::at(&server.url()).range("2015-12-11", "2015-12-16").limits(limits);
    lab.write("job.yaml", job.retry("{ attempts: 1, max_wait: 1s }").yaml());
    lab.run_with(&["--range", "..2015-12-14"]).status(1).done();
    lab.run_with(&["--range", "2015-12-14..", "--max-files", "1"]).status(4).done();
    (server, lab)
}

#[test]
fn the_calendar_tells_sealed_failed_absent_and_missing_days_apart() {
    let (_server, lab) = five_days();
    let said = lab.sunhaul(&["status", "job.yaml"]).stdout_has("checked by checksum 2").done().stdout;
    let row = said.lines().find(|line| line.starts_with("2015-12")).expect("a month");
    // Either of the last two days may be the one that the budget left, begun or not.
    let cells = ["=/", "/=", "=.", ".="].map(|two| format!("2015-12            =xo{two} "));
    assert!(cells.iter().any(|cells| row.starts_with(cells.as_str())), "{said}");
    for told in
        ["= sealed", "o absent upstream", "x failed", "2015-12-12  forbidden: 1 file", "(exit 4, --max-files spent)"]
    {
        assert!(said.contains(told), "{told}\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn json_has_each_day_and_how_its_files_were_checked() {
    let (_server, lab) = five_days();
    let status = lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("").done().json();
    let series = &status["series"][0];
    assert_eq!(series["checked"], json!({ "checksum": 2 }));
    assert_eq!((&series["files"], &series["absent"]), (&json!(2), &json!(1)));
    let told: Vec<&str> =
        series["days"].as_array().expect("days").iter().map(|day| day["state"].as_str().expect("a word")).collect();
    assert_eq!(told[..3], ["sealed", "failed", "sealed"]);
    assert_eq!(
        series["days"][2],
        json!({ "date": "2015-12-13", "state": "sealed", "files": 0, "bytes": 0, "absent": 1, "thin": false })
    );
    assert_eq!(series["failed"][0]["classes"], json!({ "forbidden": 1 }));
    assert_eq!(series["months"][0]["failed"], 1);
    assert_eq!(status["runs"][0]["ended_by"], "files");
}

#[test]
fn a_day_that_came_after_all_has_not_failed_any_more() {
    let (server, lab) = five_days();
    put(&server, 12, [whole(12)]);
    lab.run().done();
    let status = lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("").done().json();
    assert_eq!(status["series"][0]["failed"], json!([]));
    assert_eq!(status["series"][0]["gaps"], json!([]));
    lab.sunhaul(&["status", "job.yaml"]).stdout_has("2015-12            ==o==  ").done();
}

#[test]
fn colours_are_for_who_asks_and_columns_for_who_has_them() {
    let (_server, lab) = five_days();
    let shown = |columns: &str| {
        let call = lab.sunhaul(&["status", "job.yaml"]).env("COLUMNS", columns).env("TERM", "dumb");
        call.stdout_has("").done().stdout
    };
    assert!(shown("20").contains("2015-12-07      =xo"), "{}", shown("20"));
    assert_eq!(shown("0"), shown("80"), "no width at all is none that is told");
    let page =
        |args: &[&str], name: &str, value: &str| lab.sunhaul(args).env("TERM", "xterm").env(name, value).page(60);
    let plain = page(&["status", "job.yaml", "--color", "never"], "NO_COLOR", "");
    let painted = page(&["status", "job.yaml"], "NO_COLOR", "");
    assert!(painted.contains("\u{1b}[32m=\u{1b}[0m\u{1b}[31mx\u{1b}[0m"), "{painted:?}");
    assert!(!plain.contains('\u{1b}') && plain.contains("=xo"), "{plain:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let bare = page(&["status", "job.yaml"], name, value);
        assert_eq!(bare, plain, "{name}={value}");
    }
}

#[test]
fn many_days_are_shown_by_the_week_and_as_asked() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2010-05-01", "2016-05-01").yaml());
    lab.sunhaul(&["status", "job.yaml"]).stdout_has("\n2010                   ....").stdout_has(". missing").done();
    lab.sunhaul(&["status", "job.yaml", "--by", "month"]).stdout_has("JFMAMJJASOND").done();
    let days = lab.sunhaul(&["status", "job.yaml", "--by", "day"]).stdout_has("2010-05  ....").done().stdout;
    assert_eq!(days.lines().filter(|line| line.starts_with("20")).count(), 72, "{days}");
    lab.sunhaul(&["status", "job.yaml", "--by", "hour"]).status(2).stderr_has("invalid value 'hour'").done();
}

#[test]
fn a_job_that_has_not_begun_and_one_without_an_archive_are_told() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2150-01-01", "2150-02-01").yaml());
    lab.sunhaul(&["status", "job.yaml"]).stdout_has("none of its days has started yet").done();
}

#[test]
fn a_reader_who_goes_away_is_no_failure() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("1950-05-01", "2016-05-01").yaml());
    let sunhaul = env!("CARGO_BIN_EXE_sunhaul");
    let line = format!("{sunhaul} status job.yaml --by day | head -1; echo ${{PIPESTATUS[0]}}");
    let said = lab.program("/bin/bash", &["-c", &line]).stdout_has("lab in ").done().stdout;
    assert_eq!(said.lines().last(), Some("0"), "{said}");
}

#[test]
fn six_thousand_days_are_told_without_reading_more_than_the_records() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().range("2000-01-01", "2016-06-05").yaml());
    records(&lab);
    let status: Value = lab.sunhaul(&["status", "job.yaml", "--json"]).stdout_has("").done().json();
    assert_eq!(status["series"][0]["files"], 6000);
    assert_eq!(status["series"][0]["checked"], json!({ "structure": 6000 }));
}

/// A record of one file for each day of `job.yaml`, as a run would write it.
fn records(lab: &Lab) {
    let job = manifest::load(&lab.path("job.yaml"), &|_| None).expect("a manifest");
    let series = &job.series[0];
    let range = series.range.labels(chrono::DateTime::UNIX_EPOCH, Scale::Utc);
    for day in range.days() {
        let line = FileLine {
            preexisting: false,
            series: series.id.0.clone(),
            path: format!("sharp_720s/{}.fits", day.date),
            bytes: Some(576_000),
            sha256: Some(Digest::sha256(day.date.to_string().as_bytes())),
            time: format!("{}T12:00:00Z", day.date),
            key: day.date.to_string(),
            url: format!("/HMI/sharp_720s/{}", day.date),
            source_series: None,
            recnum: None,
            harpnum: None,
            segment: None,
            checked: Some(sunhaul::archive::Checked::Structure),
            absent: None,
            reason: None,
            header: None,
            data: None,
            listed: None,
            etag: None,
            last_modified: None,
            redirected: None,
            instant: None,
            origin: None,
            cards: None,
            storage: None,
        };
        let lasting = RecordBasis {
            job: job.name.clone(),
            series: series.id.0.clone(),
            date: day.date,
            scale: Scale::Utc,
            window: [Scale::Utc.label(day.window.start), Scale::Utc.label(day.window.end)],
            spec: series.spec(&day),
            state: RecordState::Sealed,
            records: None,
            left_out: None,
        };
        let path = Archive::record_path(&job.archive.root, &series.id, day.date);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, DayRecord::new(lasting, vec![line]).to_bytes()).expect("a record");
    }
}
