//! The lock as it is written: from records, in how much detail, and where.

use super::{LOCK, job, lines, locked_lab, rest, service};
use crate::lab::{Job, Lab};

#[test]
fn the_lock_command_writes_what_the_records_say() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let lock = lab.read(LOCK);
    std::fs::remove_file(lab.path(LOCK)).expect("the lock goes");
    lab.sunhaul(&["lock", "job.yaml"]).stdout("job.lock, 2 days, 3 files (changed)\n").done();
    assert_eq!(rest(&lock), rest(&lab.read(LOCK)), "only the instant differs");
    lab.sunhaul(&["lock", "job.yaml"]).stdout("job.lock, 2 days, 3 files (as before)\n").done();
}

#[test]
fn a_lock_of_more_than_50_000_files_holds_days_alone_and_says_so() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at("http://localhost:1").yaml());
    let job = sunhaul::manifest::load(&lab.path("job.yaml"), &|_| None).expect("a job");
    let day = sunhaul::day::Day::whole("2015-12-11".parse().expect("a date"));
    let lasting = |spec| sunhaul::archive::RecordBasis {
        job: job.name.clone(),
        series: job.series[0].id.0.clone(),
        date: day.date,
        scale: sunhaul::day::Scale::Utc,
        window: ["2015-12-11T00:00:00Z".to_owned(), "2015-12-12T00:00:00Z".to_owned()],
        spec,
        state: sunhaul::archive::RecordState::Sealed,
        records: None,
        left_out: None,
    };
    let file = |number: u64| sunhaul::archive::FileLine {
        preexisting: false,
        series: job.series[0].id.0.clone(),
        path: format!("sharp_720s/{number:06}.fits"),
        bytes: Some(number),
        sha256: Some(sunhaul::digest::Digest::sha256(&number.to_be_bytes())),
        time: "2015-12-11T18:22:08Z".to_owned(),
        key: number.to_string(),
        url: format!("/HMI/{number}"),
        source_series: None,
        recnum: None,
        harpnum: None,
        segment: None,
        checked: Some(sunhaul::archive::Checked::Checksum),
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
    let record = |files: u64| {
        let record =
            sunhaul::archive::DayRecord::new(lasting(job.series[0].spec(&day)), (0..files).map(file).collect());
        lab.write("data/.sunhaul/days/sharp_720s/2015-12-11.jsonl", record.to_bytes());
    };
    record(50_000);
    lab.sunhaul(&["lock", "job.yaml"]).stdout("job.lock, 1 day, 50,000 files (changed)\n").done();
    assert_eq!(lines(&lab).len(), 2 + 50_000);
    record(50_001);
    lab.sunhaul(&["lock", "job.yaml"]).stdout("job.lock, 1 day, 50,001 files, days alone (changed)\n").done();
    assert_eq!(lines(&lab).len(), 2);
    lab.write("job.yaml", Job::at("http://localhost:1").more("lock: { detail: files }").yaml());
    lab.sunhaul(&["lock", "job.yaml"]).stdout("job.lock, 1 day, 50,001 files (changed)\n").done();
    assert_eq!(lines(&lab).len(), 2 + 50_001);
}

#[test]
fn a_lock_behind_a_link_is_written_where_it_is_and_what_a_kill_left_beside_it_goes() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).range("2015-12-11", "2015-12-12").yaml());
    lab.report(0);
    std::fs::create_dir(lab.path("locks")).expect("a folder");
    std::fs::rename(lab.path(LOCK), lab.path("locks/real.lock")).expect("elsewhere");
    std::os::unix::fs::symlink("locks/real.lock", lab.path(LOCK)).expect("a link");
    // A file of the user's, and what a writer leaves that is killed.
    let left = || {
        lab.write("locks/.real.lock.new", "mine");
        lab.write("locks/.sunhaul-0123456789abcdef.lock", "half");
        let mark = "sunhaul removes this file when it has written the lock beside it\n";
        lab.write("locks/.real.lock.flock", format!("{mark}.sunhaul-0123456789abcdef.lock"));
    };
    lab.write("job.yaml", job(&server).yaml());
    for is_changed in [true, false] {
        left();
        assert_eq!(lab.report(0)["job"]["lock_changed"], is_changed);
        assert!(lab.path(LOCK).is_symlink());
        assert_eq!(lab.tree("locks").into_keys().collect::<Vec<_>>(), [".real.lock.new", "real.lock"]);
        assert_eq!(lab.read("locks/.real.lock.new"), b"mine");
    }
}

#[test]
fn records_that_are_pipes_are_not_waited_for() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).more("lock: { detail: day }").yaml());
    lab.report(0);
    lab.on_a_new_machine();
    std::fs::create_dir_all(lab.path("days/sharp_720s")).expect("folders");
    let pipe = lab.path("days/sharp_720s/2015-12-11.jsonl");
    rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).expect("a pipe");
    lab.run_with(&["--frozen", "--records", "days"]).status(2).stderr_has("no record at hand names the files").done();
}

#[test]
fn a_record_that_is_damaged_in_its_lines_is_not_locked_until_it_is_done_again() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let lock = lab.read(LOCK);
    lab.forget_the_lock();
    let record = "data/.sunhaul/days/sharp_720s/2015-12-12.jsonl";
    let text = String::from_utf8(lab.read(record)).expect("text");
    lab.write(record, text.replacen("\"checked\"", "\"chicked\"", 1));
    for command in [&["run", "job.yaml"][..], &["lock", "job.yaml"]] {
        lab.sunhaul(command).status(1).stderr_has("`sunhaul run --check` does the day again").done();
        assert!(!lab.path(LOCK).exists());
    }
    lab.run_with(&["--check"]).done();
    assert_eq!(rest(&lab.read(LOCK)), rest(&lock));
}

/// A lock with other ends of its lines.
fn with_crlf(lock: &[u8]) -> Vec<u8> {
    String::from_utf8(lock.to_vec()).expect("text").replace('\n', "\r\n").into_bytes()
}

#[test]
fn a_lock_keeps_the_ends_of_its_lines_and_a_mixed_one_gets_plain_ones() {
    let server = service([1, 2, 3]);
    let (one_day, both) = (job(&server).range("2015-12-11", "2015-12-12").yaml(), job(&server).yaml());
    let lab = Lab::new();
    lab.write("job.yaml", &one_day);
    lab.report(0);
    let first = lab.read(LOCK);
    lab.write("job.yaml", &both);
    lab.report(0);
    let second = lab.read(LOCK);
    let mixed = String::from_utf8(first.clone()).expect("text").replacen('\n', "\r\n", 1).into_bytes();
    let marked = |lock: &[u8]| [b"\xef\xbb\xbf", lock].concat();
    for (before, after) in [
        (first.clone(), second.clone()),
        (with_crlf(&first), with_crlf(&second)),
        (marked(&first), second.clone()),
        (marked(&with_crlf(&first)), with_crlf(&second)),
        (mixed, second.clone()),
    ] {
        lab.write(LOCK, &before);
        lab.write("job.yaml", &one_day);
        lab.on_a_new_machine();
        for more in [&[][..], &["--locked"], &["--frozen"]] {
            lab.run_with(more).done();
            assert_eq!(lab.read(LOCK), before, "what needs no change gets none");
        }
        lab.sunhaul(&["lock", "job.yaml"]).stdout_has("as before").done();
        assert_eq!(lab.read(LOCK), before);
        lab.write("job.yaml", &both);
        assert_eq!(lab.report(0)["job"]["lock_changed"], true);
        assert!(lab.read(LOCK) == after, "{}", String::from_utf8_lossy(&lab.read(LOCK)));
        lab.on_a_new_machine();
        lab.run_with(&["--frozen"]).done();
    }
}

#[test]
fn a_lock_behind_a_link_to_nothing_is_begun_there_or_refused_with_the_link_kept() {
    let server = service([1, 2, 3]);
    let lab = Lab::new();
    lab.write("job.yaml", job(&server).yaml());
    std::os::unix::fs::symlink("locks/real.lock", lab.path(LOCK)).expect("a link");
    let asked = server.requests().len();
    let refused = |command: &[&str]| {
        lab.sunhaul(command).status(5).stderr_has("is a link to `locks/real.lock`, whose folder does not exist").done();
        assert!(lab.path(LOCK).is_symlink() && !lab.path("locks").exists(), "{command:?}");
    };
    refused(&["run", "job.yaml"]);
    assert_eq!(server.requests().len(), asked, "nobody was asked");
    std::fs::create_dir(lab.path("locks")).expect("a folder");
    assert_eq!(lab.report(0)["job"]["lock_changed"], true);
    assert!(lab.path(LOCK).is_symlink());
    assert_eq!(lab.tree("locks").into_keys().collect::<Vec<_>>(), ["real.lock"]);
    std::fs::remove_dir_all(lab.path("locks")).expect("a folder");
    refused(&["lock", "job.yaml"]);
}

#[test]
fn f_09_what_is_no_file_in_the_place_of_the_lock_is_an_error_at_once_and_stays() {
    let server = service([1, 2, 3]);
    let lab = locked_lab(&server);
    let place = lab.path(LOCK);
    let asked = server.requests().len();
    for what in ["a pipe", "a folder", "a device"] {
        std::fs::remove_file(&place).expect("the one before");
        match what {
            "a pipe" => {
                let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
                rustix::fs::mknodat(rustix::fs::CWD, &place, kind, mode, 0).expect("a pipe");
            }
            "a folder" => std::fs::create_dir(&place).expect("a folder"),
            _ => std::os::unix::fs::symlink("/dev/zero", &place).expect("a link"),
        }
        for command in [
            &["run", "job.yaml"][..],
            &["run", "job.yaml", "--frozen"],
            &["plan", "job.yaml"],
            &["update", "job.yaml"],
            &["lock", "job.yaml"],
            &["verify", "job.yaml"],
            &["adopt", "job.yaml", "data"],
        ] {
            let why = format!("could not read the lock `{LOCK}`: it is {what}, not a regular file");
            lab.sunhaul(command).status(5).stderr_has(&why).stdout_has("").done();
        }
        assert!(place.symlink_metadata().is_ok_and(|meta| !meta.is_file()), "{what}");
        if what == "a folder" {
            std::fs::remove_dir(&place).expect("a folder");
            std::fs::write(&place, "").expect("a file");
        }
    }
    assert_eq!(server.requests().len(), asked, "nobody was asked");
}
