//! Days that are not final yet: what each look at them costs.

use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::lab::{Answer, Job, Lab, Request, Server, fits};

const NAMES: [&str; 2] = ["x_20260111_000000.fits", "x_20260111_120000.fits"];

/// A folder of two files; what stands beside each can be changed.
struct Folder {
    server: Server,
    rows: Arc<Mutex<[String; 2]>>,
}

impl Folder {
    fn new(rows: [&str; 2]) -> Folder {
        let rows = Arc::new(Mutex::new(rows.map(str::to_owned)));
        let shown = Arc::clone(&rows);
        let server = Server::speaking(move |request| answer(request, &shown.lock().expect("a lock")));
        Folder { server, rows }
    }

    fn lists(&self, nth: usize, row: &str) {
        row.clone_into(&mut self.rows.lock().expect("a lock")[nth]);
    }

    fn job(&self, lab: &Lab, settle: &str) {
        let url = self.server.url();
        let source =
            format!("{{ index: {{ url: \"{url}/data/\", path: \"%Y%m%d/\", files: \"x_%Y%m%d_%H%M%S.fits\" }} }}");
        let job = Job::from_source(&source).series(&["{ name: x }"]).range("2026-01-11", "2026-01-12");
        lab.write("job.yaml", job.more(&format!("settle: {settle}")).yaml());
    }

    /// Runs the job; gives how many requests of listings and of files it took, without the one for `robots.txt`.
    fn run(&self, lab: &Lab) -> [usize; 2] {
        let before = self.server.requests().len();
        lab.report(0);
        let asked = self.server.requests().split_off(before);
        let count = |end: &str| asked.iter().filter(|request| request.path.ends_with(end)).count();
        [count("/"), count(".fits")]
    }
}

fn answer(request: &Request, rows: &[String; 2]) -> Option<Answer> {
    let row = |(name, row): (&&str, &String)| format!("<a href=\"{name}\">{name}</a>   {row}\n");
    if request.path == "/data/20260111/" {
        let rows: String = NAMES.iter().zip(rows).map(row).collect();
        let page = format!(
            "<html><head><title>Index of /data/20260111/</title></head><body><h1>Index of /data/20260111/</h1><hr><pre>\
             <a href=\"../\">../</a>\n{rows}</pre><hr></body></html>"
        );
        return Some(Answer::text("text/html", &page));
    }
    let nth = NAMES.iter().position(|name| request.path.ends_with(name))?;
    let seed = u32::try_from(nth).expect("small");
    Some(Answer::file(fits(seed, 20, "2026-01-11T00:00:00")))
}

#[test]
fn a_look_at_a_folder_asks_about_the_files_alone_of_which_it_lists_another_date_or_size_and_the_last_one_about_all() {
    let folder = Folder::new(["11-Jan-2026 00:10   5760", "11-Jan-2026 12:10   5760"]);
    let lab = Lab::new();
    folder.job(&lab, "3650d");
    assert_eq!(folder.run(&lab), [1, 2]);
    assert_eq!(folder.run(&lab), [1, 0], "nothing has moved");
    folder.lists(1, "11-Jan-2026 12:11   5760");
    assert_eq!(folder.run(&lab), [1, 1], "one file has another date");
    assert_eq!(folder.run(&lab), [1, 0]);
    std::fs::remove_file(lab.path("data").join(lab.files("data").keys().next().expect("a file"))).expect("a file");
    assert_eq!(folder.run(&lab), [1, 1], "one file is not here any more");

    folder.job(&lab, "1d");
    assert_eq!(folder.run(&lab), [1, 2], "the day is sealed by what the files themselves say");
    let day = lab.day("data", "x", "2026-01-11");
    assert_eq!(day.header["state"], "sealed");
    assert!(day.files.iter().all(|line| line.get("listed").is_none()), "{:?}", day.files);
    assert_eq!(folder.run(&lab), [0, 0]);
}

#[test]
fn a_look_at_a_folder_that_tells_no_time_of_day_asks_about_each_file() {
    let folder = Folder::new(["5760", "11-Jan-2026   5760"]);
    let lab = Lab::new();
    folder.job(&lab, "3650d");
    assert_eq!([folder.run(&lab), folder.run(&lab)], [[1, 2], [1, 2]]);
}

#[test]
fn a_look_at_records_that_have_a_number_asks_about_none_until_the_last() {
    let record = |recnum: u32| {
        let url = format!("http://cluster-r730-1:8001/HMI/hmi.sharp_720s/{recnum}/Br.fits");
        json!({ "urls": [url], "date__obs": "2026-01-11T12:00:00.000Z", "recnum": recnum, "harpnum": 377 })
    };
    let server = Server::start();
    let file = || Answer::file(fits(1, 20, "2026-01-11T12:00:00"));
    for recnum in [12, 13] {
        server.script(&format!("/HMI/hmi.sharp_720s/{recnum}/Br.fits"), [file()]);
    }
    let lab = Lab::new();
    let ask = |settle: &str| {
        let job = Job::at(&server.url()).series(&["{ name: hmi.sharp_720s }"]).range("2026-01-11", "2026-01-12");
        lab.write("job.yaml", job.more(&format!("settle: {settle}")).yaml());
    };
    let run = |listed: u32| {
        server.script("/HMI/hmi.sharp_720s", [Answer::json(&json!([record(listed)]))]);
        let before = server.requests().len();
        lab.report(0);
        server.requests().split_off(before).iter().filter(|request| request.path.ends_with("/Br.fits")).count()
    };
    ask("3650d");
    assert_eq!([run(12), run(12), run(13), run(13)], [1, 0, 1, 0]);
    ask("1d");
    assert_eq!(run(13), 1);
}

#[test]
fn a_plan_counts_what_a_run_will_ask_for_and_not_what_is_here() {
    let folder = Folder::new(["11-Jan-2026 00:10   5760", "11-Jan-2026 12:10   5760"]);
    let lab = Lab::new();
    folder.job(&lab, "3650d");
    let planned = |here: u64, requests: u64, bytes: u64| {
        let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
        let (day, host) = (&plan["listing"]["days"][0], &plan["listing"]["hosts"][0]);
        assert_eq!([&day["files"], &day["files_here"], &host["requests"]], [2, here, requests], "{plan:#}");
        assert_eq!([&day["expected_bytes"], &day["fetch_bytes"], &host["bytes"]], [11_520, bytes, bytes], "{plan:#}");
    };
    planned(0, 3, 11_520);
    assert_eq!(folder.run(&lab), [1, 2]);
    let plan = || lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
    let idle = plan();
    assert_eq!(
        [&idle["listing"]["days"][0]["files_here"], &idle["listing"]["hosts"][0]["requests"]],
        [2, 1],
        "{idle:#}"
    );
    folder.lists(1, "11-Jan-2026 12:11   5760");
    planned(2, 2, 0);
    folder.lists(1, "11-Jan-2026 12:11   8640");
    let plan = plan();
    assert_eq!(
        [&plan["listing"]["days"][0]["files_here"], &plan["listing"]["days"][0]["fetch_bytes"]],
        [1, 8640],
        "{plan:#}"
    );
    let shown = lab.sunhaul(&["plan", "job.yaml", "--list"]).stdout_has("here already").chatty().done();
    assert!(shown.stdout.contains("about 2 requests"), "{}", shown.stdout);
}

#[test]
fn a_plan_tells_what_the_next_run_takes_by_the_days_in_the_lock() {
    let folder = Folder::new(["11-Jan-2026 00:10   5760", "11-Jan-2026 12:10   5760"]);
    let lab = Lab::new();
    folder.job(&lab, "1d");
    let requests = || folder.server.requests().len();
    let before = requests();
    lab.sunhaul(&["plan", "job.yaml"]).stdout_has("the lock does not say what the 1 day to do have").done();
    assert_eq!(requests(), before, "nobody is asked");
    folder.run(&lab);
    let longer = String::from_utf8(lab.read("job.yaml")).expect("text").replace("2026-01-12", "2026-01-15");
    lab.write("job.yaml", longer);
    let before = requests();
    let shown =
        lab.sunhaul(&["plan", "job.yaml"]).stdout_has("by the lock, 3 days take about 6 files (33.8 KiB)").done();
    assert!(shown.stdout.contains(": about 9 requests, as fast as it can (private: unlimited, "), "{}", shown.stdout);
    let estimate = lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("").done().json()["estimate"].clone();
    assert_eq!([&estimate["days"], &estimate["files"], &estimate["bytes"]], [3, 6, 34_560], "{estimate:#}");
    assert_eq!(requests(), before, "nobody is asked");
}
