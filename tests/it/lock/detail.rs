//! Locks of days alone.

use super::*;

#[test]
fn detail_day_keeps_days_alone_and_a_frozen_run_needs_records() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).more("lock: { detail: day }").yaml());
    lab.run().stderr_has("days alone").done();
    assert_eq!(lines(&lab).len(), 3);
    assert_eq!(lines(&lab)[0]["lock"]["detail"], "day");
    let files = lab.proved("data");
    std::fs::rename(lab.path("data"), lab.path("old")).expect("away");
    lab.run_with(&["--frozen"])
        .status(2)
        .stderr_has("no record at hand names the files of")
        .stderr_has("--records DIR")
        .done();
    lab.run_with(&["--frozen", "--records", "old/.sunhaul/days"]).done();
    assert_eq!(lab.proved("data"), files);

    std::fs::remove_dir_all(lab.path("data")).expect("the archive goes");
    let other = service([1, 2, 4]);
    lab.write("job.yaml", job(&other).more("lock: { detail: day }").yaml());
    lab.run_with(&["--locked"]).status(3).stderr_has("have the digest").done();
    assert_eq!(lab.days("data"), ["sharp_720s/2015-12-11"]);
}

#[test]
fn a_lock_of_days_alone_holds_which_files_are_absent() {
    let item = |name: &str| json!({ "url": format!("http://h/HMI/s/{name}"), "date_obs": "2015-12-11T10:00:00Z" });
    let server = Server::start();
    for (seed, name) in [(1, "a"), (2, "b")] {
        server.script(&format!("/HMI/s/{name}"), [Answer::file(fits(seed, 60, "2015-12-11T10:00:00Z"))]);
    }
    let lists = |names: &[&str]| {
        let items: Vec<Value> = names.iter().map(|name| item(name)).collect();
        server.script("/HMI/s", [Answer::json(&items.into())]);
    };
    let lab = Lab::new();
    let job = Job::at(&server.url()).series(&["{ name: s }"]).retry("{ attempts: 1 }");
    lab.write("job.yaml", job.clone().more("lock: { detail: day }").yaml());
    lists(&["a", "b", "gone"]);
    lab.report(0);
    let row = lines(&lab).pop().expect("a day");
    assert_eq!(row["day"]["absent_digest"], format!("sha256:{}", Digest::sha256(b"/HMI/s/gone\n")), "{row:#}");
    lab.report_with(&["--locked"], 0);
    let anew = |names: &[&str], status| {
        std::fs::remove_dir_all(lab.path("data")).expect("an archive");
        lists(names);
        lab.report_with(&["--locked"], status)
    };
    anew(&["a", "b", "gone"], 0);
    for (names, says) in [
        (
            &["a", "b", "gone", "gone2"][..],
            "2 files of the day are absent upstream, such as `/HMI/s/gone`, where the lock has 1 as absent",
        ),
        (&["a", "b"], "0 files of the day are absent upstream, where the lock has 1 as absent"),
        (
            &["a", "b", "gone2"],
            "1 file of the day is absent upstream, such as `/HMI/s/gone2`, where the lock has 1 as absent, and now others are",
        ),
    ] {
        let report = anew(names, 3);
        let failure = &report["failures"][0];
        assert_eq!(failure["class"], "lock-mismatch", "{report:#}");
        assert!(failure["message"].as_str().expect("a message").contains(says), "{failure}");
        assert!(lab.days("data").is_empty());
    }
    // A record that another job of the same archive sealed otherwise is found to differ.
    let lock = lab.read("job.lock");
    lab.forget_the_lock();
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    lab.report(0);
    lab.write("job.lock", lock);
    let plan = lab.sunhaul(&["plan", "job.yaml", "--json"]).stdout_has("differs").chatty().done().json();
    assert_eq!(plan["days"][0]["state"], "differs", "{plan:#}");
    // The lock of an earlier version, which holds their number alone.
    let text = String::from_utf8(lab.read("job.lock")).expect("UTF-8");
    let (before, after) = text.split_once(",\"absent_digest\":").expect("a digest");
    lab.write("job.lock", format!("{before}{}", &after[after.find('}').expect("an end")..]));
    anew(&["a", "b", "gone2"], 0);
    anew(&["a", "b"], 3);
}
