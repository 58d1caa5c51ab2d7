//! `sunhaul init`: a manifest that passes the check, from options or from a dialogue, and nothing is ever replaced.

use std::fs;

use crate::lab::terminal::Terminal;
use crate::lab::{Job, Lab, Server};

fn text(lab: &Lab, path: &str) -> String {
    String::from_utf8(lab.read(path)).expect("text")
}

#[test]
fn a_manifest_of_each_kind_passes_the_check_and_can_be_planned() {
    let url = "http://localhost:8001/data/";
    let kinds: [(&str, &[&str]); 7] = [
        ("embedded", &[]),
        ("hmi", &["--start", "2015-12-11", "--end", "2015-12-14"]),
        ("jsoc", &["--start", "2011-02-15", "--end", "today-3d", "--contact", "jane@example.org"]),
        ("medoc", &["--start", "2016-01-01", "--end", "2016-01-08", "--contact", "jane@example.org"]),
        ("index", &["--start", "2015-12-11", "--end", "2015-12-14", "--url", url, "--series", "goes"]),
        ("template", &["--start", "2015-12-11", "--end", "2015-12-14", "--url", url, "--series", "aia"]),
        ("hapi", &["--start", "2015-12-11", "--end", "2015-12-14", "--url", url, "--series", "AC_H0_MFI"]),
    ];
    let lab = Lab::new();
    for (kind, more) in kinds {
        let call = lab.sunhaul(&[&["init", kind, "--source", kind], more].concat());
        let (wrote, next) =
            (format!("wrote {kind}.yaml\n"), format!("then run: sunhaul plan {kind}.yaml && sunhaul run"));
        call.stderr_has(&wrote).stderr_has(&next).done();
        let path = format!("{kind}.yaml");
        lab.sunhaul(&["check", &path]).stderr_has("good, 1 series").done();
        lab.sunhaul(&["plan", &path, "--quiet"]).stdout_has(kind).done();
    }
}

#[test]
fn what_is_written_can_be_run_at_once() {
    let lab = Lab::new();
    fs::create_dir(lab.path("jobs")).expect("a folder");
    lab.sunhaul(&["init", "try", "--source", "embedded", "--end", "2015-12-12", "--start", "2015-12-11"])
        .chatty()
        .done();
    lab.sunhaul(&["run", "jobs/try.yaml"]).stderr_has("try complete").done();
    assert!(lab.path("data/try/.sunhaul").is_dir(), "beside the folder of jobs");
}

#[test]
fn it_goes_among_the_jobs_or_where_it_is_told_and_replaces_nothing() {
    let lab = Lab::new();
    let init = |name: &str| lab.sunhaul(&["init", name, "--source", "embedded"]);
    init("one").stderr_has("wrote one.yaml").done();
    assert!(text(&lab, "one.yaml").contains("\n  root: data/one\n"));
    fs::create_dir(lab.path("jobs")).expect("a folder");
    init("one").stderr_has("wrote jobs/one.yaml").done();
    assert!(text(&lab, "jobs/one.yaml").contains("\n  root: ../data/one\n"));
    init("jobs/two.yml").stderr_has("wrote jobs/two.yml").done();
    assert!(text(&lab, "jobs/two.yml").contains("\nname: \"two\"\n"));
    lab.write("jobs/mine.yaml", "mine");
    init("mine").status(2).stderr_has("`jobs/mine.yaml` already exists; it was not overwritten").done();
    assert_eq!(text(&lab, "jobs/mine.yaml"), "mine");
    std::os::unix::fs::symlink("nowhere.yaml", lab.path("jobs/link.yaml")).expect("a link");
    init("link").status(2).stderr_has("already exists").done();
    init("nowhere/three").status(2).stderr_has("its folder does not exist").done();
}

#[test]
fn without_a_terminal_what_is_missing_is_told_and_nothing_is_written() {
    let lab = Lab::new();
    for (args, told) in [
        (&["init"][..], "error: `--source` is missing"),
        (&["init", "--source", "hmi"], "error: `--start`, `--end` are missing"),
        (&["init", "--source", "index"], "error: `--url`, `--series`, `--start`, `--end` are missing"),
        (
            &["init", "--source", "jsoc", "--start", "2011-02-15", "--end", "2011-02-16"],
            "error: `--contact` is missing",
        ),
        (&["init", "--source", "embedded", "--url", "http://localhost/"], "the source `embedded` has no URL"),
        (&["init", "--source", "france"], "invalid value 'france'"),
        (
            &["init", "--source", "embedded", "--start", "2015-12-11", "--end", "2015-12-10"],
            "the manifest would be invalid",
        ),
        (&["init", "../x y", "--source", "embedded"], "`x y` holds ` `"),
        (&["init", "--source", "embedded", "--contact", "nobody"], "the manifest would be invalid"),
        (&["init", "--source", "hmi", "--url", "ftp://x", "--start", "today-3d", "--end", "today"], "http"),
    ] {
        lab.sunhaul(args).status(2).stderr_has(told).done();
    }
    assert_eq!(lab.tree("").len(), 0, "{:?}", lab.tree(""));
}

#[test]
fn segments_a_cadence_and_a_layout_are_written_for_the_kinds_that_have_them() {
    let lab = Lab::new();
    let filters = ["--segments", "Br,Bp", "--cadence", "1h", "--layout", "{series}/{date:%Y%m%d}_{file}"];
    let range = ["--start", "2011-02-15", "--end", "2011-02-16"];
    let jsoc = ["init", "field", "--source", "jsoc", "--contact", "jane@example.org"];
    lab.sunhaul(&[&jsoc[..], &range, &filters].concat()).stderr_has("wrote field.yaml").done();
    let field = text(&lab, "field.yaml");
    for line in ["    segments: [\"Br\", \"Bp\"]", "    cadence: \"1h\"", "  layout: \"{series}/{date:%Y%m%d}_{file}\""]
    {
        assert!(field.contains(&format!("\n{line}\n")), "{line}\n{field}");
    }
    lab.sunhaul(&["check", "field.yaml"]).stderr_has("good, 1 series").done();
    let index = ["init", "--source", "index", "--url", "http://localhost:8001/data/", "--series", "goes"];
    for (wrong, said) in [
        (["--segments", "Br"], "`segments` cannot be asked of `index`"),
        (["--cadence", "7m"], "cadence"),
        (["--layout", "{series}/{day}"], "layout"),
    ] {
        let call = lab.sunhaul(&[&index[..], &range, &wrong].concat()).status(2);
        call.stderr_has("the manifest would be invalid").stderr_has(said).done();
    }
    assert!(!lab.path("goes.yaml").exists());
}

#[test]
fn the_archive_is_kept_out_of_git_once() {
    let lab = Lab::new();
    fs::create_dir_all(lab.path("repo/.git")).expect("folders");
    fs::create_dir_all(lab.path("repo/jobs")).expect("folders");
    let init = |args: &[&str]| lab.sunhaul(&[&["init", "--source", "embedded"], args].concat()).within("repo");
    let told = format!("added /data/one/ to {}", lab.path("repo/.gitignore").display());
    init(&["one"]).stderr_has(&told).done();
    init(&["again", "--root", "../data/one"]).stderr_has("wrote jobs/again.yaml").done();
    init(&["outside", "--root", "../../data"]).stderr_has("wrote").done();
    assert_eq!(text(&lab, "repo/.gitignore"), "/data/one/\n");
}

#[test]
fn nothing_is_asked_of_the_source() {
    let server = Server::start().expect_silence();
    let lab = Lab::new();
    let (source, range) = (["init", "--source", "hmi", "--url"], ["--start", "2015-12-11", "--end", "2015-12-14"]);
    lab.sunhaul(&[&source[..], &[&server.url()], &range].concat()).stderr_has("wrote sharp_720s.yaml").done();
    assert!(server.requests().is_empty());
}

#[test]
fn at_a_terminal_it_asks_until_the_answers_make_a_manifest() {
    let lab = Lab::new();
    fs::create_dir(lab.path("jobs")).expect("a folder");
    let (mut terminal, theirs) = Terminal::open(100, 40);
    let mut child = lab.sunhaul(&["init"]).at_terminal(theirs);
    for (question, answer) in [
        ("the kind of source [embedded]: ", "jsok"),
        ("`jsok` is no kind of source; did you mean `jsoc`?", "jsoc"),
        ("series, by the source's names [hmi.sharp_cea_720s]: ", "hmi.M_720s, hmi.sharp_cea_720s"),
        ("first day, such as 2015-12-11 or today-60d [today-60d]: ", "11.12.2015"),
        ("is no date; write a date such as 2015-12-11", "2015-12-11"),
        ("the day after the last one: ", "2015-12-11"),
        ("the day after the last one: ", "2015-12-14"),
        ("which public archives want to know: ", "jane"),
        ("which public archives want to know: ", "jane@example.org"),
        ("the job's name [hmi.M_720s]: ", "flares"),
        ("the archive's folder, from the manifest's [../data/flares]: ", ""),
    ] {
        let is_asked = |lines: &[String]| {
            let end = lines.iter().rev().take(2).cloned().collect::<Vec<_>>().join("\n");
            end.contains(question.trim_end()) && end.starts_with(|c: char| c != ' ')
        };
        terminal.until_news(is_asked);
        terminal.answer(answer);
    }
    terminal.until(|lines| lines.iter().any(|line| line.starts_with("wrote jobs/flares.yaml")));
    assert!(child.wait().expect("an end").success());
    let text = text(&lab, "jobs/flares.yaml");
    for line in ["contact: jane@example.org", "range: { start: 2015-12-11, end: 2015-12-14 }", "  - name: hmi.M_720s"] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
    }
    lab.sunhaul(&["check", "jobs/flares.yaml"]).stderr_has("good, 2 series").done();
}

#[test]
fn answers_that_end_too_early_write_nothing() {
    let lab = Lab::new();
    let (mut terminal, theirs) = Terminal::open(80, 24);
    let mut child = lab.sunhaul(&["init", "--source", "jsoc"]).at_terminal(theirs);
    terminal.until(|lines| lines.iter().any(|line| line.starts_with("series, by the source's names")));
    // The end of a file, as it is typed.
    terminal.answer("\u{4}");
    terminal.answer("\u{4}");
    terminal.until(|lines| lines.iter().any(|line| line.contains("nothing was written")));
    assert_eq!(child.wait().expect("an end").code(), Some(2));
    assert_eq!(lab.tree("").len(), 0);
}

#[test]
fn a_first_run_in_a_git_repository_says_which_line_leaves_its_archive_out() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    fs::create_dir(lab.path(".git")).expect("a folder");
    lab.run().stderr_has("does not ignore it: add the line `/data/` to `").done();
    let said = lab.run().done().stderr;
    assert!(!said.contains("git repository"), "once is enough: {said}");
    lab.on_a_new_machine();
    lab.write(".gitignore", "/data/\n");
    let said = lab.run().done().stderr;
    assert!(!said.contains("git repository"), "{said}");
}
