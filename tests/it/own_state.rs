//! What stands in `.sunhaul` and was not put there by a run: symlinks that lead elsewhere, pipes, another day's record.

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::lab::{Item, Job, Lab, Server, fits};

const SERIES: &str = "sharp_720s";
const RECORDS: &str = "data/.sunhaul/days/sharp_720s";
const WORK: &str = "data/.sunhaul/work";

/// Two days, each with a file.
fn server() -> Server {
    let server = Server::start();
    for (seed, day) in [(1, "11"), (2, "12")] {
        let time = format!("2015-12-{day}T18:22:08.799999Z");
        server.file(SERIES, Item::new(&format!("f{day}"), &time), fits(seed, 60, &time));
    }
    server
}

/// An archive of both days.
fn archive(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-13").yaml());
    lab.report(0);
    lab
}

fn pipe(lab: &Lab, at: &str) {
    let path = lab.path(at);
    if path.exists() {
        std::fs::remove_file(&path).expect("a file");
    }
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
}

/// Every command that looks at an archive, or changes it.
fn commands() -> Vec<Vec<&'static str>> {
    let job = "job.yaml";
    vec![
        vec!["plan", job],
        vec!["status", job],
        vec!["status", job, "--checked"],
        vec!["report", job],
        vec!["run", job],
        vec!["run", job, "--check"],
        vec!["update", job],
        vec!["verify", job],
        vec!["verify", job, "--repair"],
        vec!["adopt", job, "elsewhere"],
        vec!["export", job, "--format", "sha256sums"],
        vec!["export", job, "--format", "ro-crate"],
        vec!["export", job, "--format", "csv", "--keywords", "DATE-OBS"],
        vec!["lock", job],
        vec!["clean", job],
    ]
}

#[test]
fn f_09_clean_removes_a_symlink_and_nothing_of_what_it_leads_to() {
    let server = server();
    for place in [
        "staging",
        "partial",
        "journal",
        "partial/sharp_720s",
        "journal/sharp_720s",
        "partial/sharp_720s/2015-12-11",
        "quarantine/sharp_720s/2015-12-11",
        "retired/sharp_720s/2015-12-11",
        "journal/sharp_720s/2015-12-11.jsonl",
        "retired/sharp_720s/2015-12-11/f.fits",
        "staging/x",
    ] {
        let lab = archive(&server);
        lab.write("victim/2015-12-11/thesis", "precious");
        lab.write("victim/2015-12-11.jsonl", "precious");
        let link = lab.path(&format!("{WORK}/{place}"));
        std::fs::create_dir_all(link.parent().expect("a folder")).expect("folders");
        let _ = std::fs::remove_dir(&link);
        symlink(lab.path("victim"), &link).expect("a link");
        let before = lab.tree("victim");
        lab.sunhaul(&["clean", "job.yaml"]).stderr_has("1 file removed").done();
        assert_eq!(lab.tree("victim"), before, "{place}");
        assert!(link.symlink_metadata().is_err(), "{place}: the link is removed itself");
    }
}

#[test]
fn f_09_no_command_reaches_the_state_of_an_archive_through_a_symlink() {
    let server = server();
    for place in ["data/.sunhaul", "data/.sunhaul/work", "data/.sunhaul/days", RECORDS] {
        let lab = archive(&server);
        lab.write("elsewhere/mine", "mine");
        std::fs::rename(lab.path(place), lab.path("moved")).expect("moved");
        symlink(lab.path("moved"), lab.path(place)).expect("a link");
        let before = lab.tree("moved");
        for command in commands() {
            let said = lab.sunhaul(&command).chatty().stdout_has("").start().done_any();
            let is_refused = said.code == 5 && said.stderr.contains("symlink");
            // Not every command looks into each folder; what a plan cannot read it shows.
            let may_pass = place != "data/.sunhaul";
            assert!(is_refused || may_pass, "{place}: {command:?}: {said:?}");
            assert_eq!(lab.tree("moved"), before, "{place}: {command:?}");
        }
    }
}

#[test]
fn f_09_no_command_waits_for_a_pipe_in_place_of_a_file() {
    let server = server();
    for place in [
        format!("{RECORDS}/2015-12-12.jsonl"),
        format!("{WORK}/journal/{SERIES}/2015-12-12.jsonl"),
        format!("{WORK}/partial/{SERIES}/2015-12-12/x.part"),
        "data/.sunhaul/runs/99991231T000000Z-0000000000000000.json".to_owned(),
        "data/.sunhaul/shared".to_owned(),
        "data/sharp_720s/2015/12/12/f12.fits".to_owned(),
    ] {
        let lab = archive(&server);
        lab.write("elsewhere/mine", "mine");
        for command in commands() {
            // A day with a journal and no record is one to go on with.
            let record = lab.path(&format!("{RECORDS}/2015-12-12.jsonl"));
            if place.contains("journal") && record.exists() {
                std::fs::remove_file(record).expect("a record");
            }
            pipe(&lab, &place);
            let said = lab.sunhaul(&command).chatty().stdout_has("").start().done_any();
            assert!(matches!(said.code, 0 | 1 | 5), "{place}: {command:?}: {said:?}");
        }
    }
}

#[test]
fn d_10_a_record_under_another_days_name_is_damaged_and_moves_no_file() {
    let server = server();
    let lab = archive(&server);
    let files = lab.files("data");
    let record = lab.read(&format!("{RECORDS}/2015-12-12.jsonl"));
    let copy = |lab: &Lab| {
        let other = lab.read(&format!("{RECORDS}/2015-12-11.jsonl"));
        lab.write(&format!("{RECORDS}/2015-12-12.jsonl"), other);
    };
    copy(&lab);
    lab.sunhaul(&["verify", "job.yaml"]).status(1).stdout_has("damaged").chatty().done();
    lab.sunhaul(&["export", "job.yaml", "--format", "sha256sums"]).status(1).stderr_has("another day").done();
    lab.sunhaul(&["status", "job.yaml"]).stdout_has("the record of sharp_720s 2015-12-11").done();
    for repair in [vec!["run", "job.yaml"], vec!["verify", "job.yaml", "--repair"]] {
        copy(&lab);
        lab.sunhaul(&repair).stdout_has("").chatty().start().done_any();
        assert_eq!(lab.files("data"), files, "{repair:?}");
        assert_eq!(lab.proved("data").len(), 2);
        assert!(lab.tree(&format!("{WORK}/retired")).is_empty());
        let mended = lab.day("data", SERIES, "2015-12-12");
        assert_eq!(mended.header["date"], "2015-12-12", "{record:?}");
    }
}
