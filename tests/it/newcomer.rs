//! What somebody types who comes from another program, or takes one thing for another: the answer says what was meant.

use serde_json::json;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

#[test]
fn commands_and_options_of_other_programs_are_answered_with_those_of_this_one() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    for (line, told) in [
        ("version", "tip: the command here is `sunhaul --version`"),
        ("download job.yaml", "tip: the command here is `sunhaul run`"),
        ("delete job.yaml", "tip: the command here is `sunhaul forget`"),
        ("run job.yaml --dry-run", "tip: `sunhaul plan` shows what a run would do"),
        ("run job.yaml --force", "tip: `--check` downloads missing files"),
        ("run job.yaml -o there", "tip: `--archive DIR` says where files go"),
        ("help rnu", "hint: did you mean `run`?"),
        ("help recipies", "hint: did you mean `recipes`?"),
        ("explain fits-checksums", "hint: did you mean `fits-checksum`?"),
        ("explain html wrong", "hint: `sunhaul explain` lists them"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let spoken = lab.sunhaul(&words).status(2).stderr_has(told).done();
        assert!(!spoken.stderr.contains("--frozen"), "{}", spoken.stderr);
        assert_eq!(
            spoken.stderr.matches("tip:").count() + spoken.stderr.matches("hint:").count(),
            1,
            "{}",
            spoken.stderr
        );
    }
}

#[test]
fn help_shows_topics_and_commands() {
    let lab = Lab::new();
    lab.sunhaul(&["help"]).stdout_has("Topics of `sunhaul help NAME`:").stdout_has("recipes").done();
    lab.sunhaul(&["help", "jsoc"]).stdout_has("JSOC\n\n").done();
    // A topic and a command of one name.
    let command = "`sunhaul lock --help` shows the options of the command.\n";
    lab.sunhaul(&["help", "lock"]).stdout_has("LOCK\n\n").stdout_has(command).done();
    lab.sunhaul(&["help", "run"]).stdout_has("Usage: sunhaul run").stdout_has("--rebuild").done();
    let recipes = lab.sunhaul(&["help", "recipes"]).stdout_has("").done().stdout;
    for recipe in
        ["Only at night", "newest data each hour", "Another disk", "Another user", "Delete a series", "service up"]
    {
        assert!(recipes.contains(recipe), "{recipe}");
    }
}

#[test]
fn explain_says_what_to_do_about_a_class() {
    let lab = Lab::new();
    let list = lab.sunhaul(&["explain"]).stdout_has("- `fits-checksum`: CHECKSUM or DATASUM").done().stdout;
    assert!(list.contains("- `internal`: "), "{list}");
    let both = lab.sunhaul(&["explain", "html", "held"]).stdout_has("html\n\nA web page").done().stdout;
    assert!(both.contains("\nheld\n\nAnother process") && both.matches("- What to do: ").count() == 2, "{both}");
}

#[test]
fn a_manifest_with_a_usual_mistake_is_told_what_was_meant() {
    let lab = Lab::new();
    let good = Job::at("http://127.0.0.1:9").yaml();
    for (from, to, told) in [
        ("name: lab", "name: lab\nretries: 5", "did you mean `retry`?"),
        ("name: lab", "name: lab\nlayout: \"{file}\"", "`layout` stands under `archive`"),
        ("{ start: 2015-12-11, ", "{start:2015-12-11, ", "put a space behind the `:`, as in `start: 2015-12-11`"),
        (
            "{ name: sharp_720s }",
            "{ name: sharp_720s, harpnum: 377-400 }",
            "write each of them, such as `[377, 378, 379]`",
        ),
        ("{ name: sharp_720s }", "{ name: sharp_cea_70s, cadence: 1h }", "or correct the name of the series"),
        ("{ root: data }", "\n  root: data\n  layout: {series}/{file}", "put it in quotes"),
        ("{ root: data }", "{ root: data, layout: \"{year}/{file}\" }", "write `{date:%Y}`"),
        ("{ root: data }", "{ root: data, layout: \"{date:%YYYY-%MM-%DD}/{file}\" }", "each written once: `%Y-%m-%d`"),
        (
            "  - { name: sharp_720s }",
            "  - name: sharp_720s\n   segments: [Br]",
            "belongs to no entry of the list above it",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        lab.write("job.yaml", good.replacen(from, to, 1));
        lab.sunhaul(&["check", "job.yaml"]).status(2).stderr_has(told).done();
    }
    lab.write("job.yaml", Job::at("http://127.0.0.1:9/HMI/").yaml());
    let warning = "`url` ends in `/HMI`, below which the service has its series: it is probably `http://127.0.0.1:9`";
    lab.sunhaul(&["check", "job.yaml"]).stderr_has(warning).stderr_has("good").done();
}

#[test]
fn a_root_that_is_a_link_to_nowhere_is_told_as_such() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().yaml());
    std::os::unix::fs::symlink("nowhere", lab.path("data")).expect("a link");
    lab.run().status(5).stderr_has("`data`: it is a symbolic link that leads nowhere").done();
}

/// A service with a file of one day that says which keywords its header has, and a job for it that has run.
fn one_file() -> (Server, Lab) {
    let server = Server::start();
    let time = "2015-12-11T18:22:08Z";
    server.file("sharp_720s", Item::new("sharp_720s_20151211_182208", time), fits(1, 20, time));
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).yaml());
    lab.run().done();
    (server, lab)
}

#[test]
fn a_keyword_that_no_file_states_is_named() {
    let (_server, lab) = one_file();
    let export = |keywords: &str| lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords", keywords]);
    let spoken = export("DATE-OBS,HARPNM")
        .stdout_has("recnum,harpnum,segment,checked,absent,reason,DATE-OBS,HARPNM\n")
        .stderr("no file states `HARPNM`: its column is empty\n")
        .done();
    assert_eq!(spoken.stdout.lines().count(), 2);
    export("DATE-OBS").stdout_has("DATE-OBS\n").done();
    export("HARPNM,QUALTY")
        .stdout_has("")
        .stderr("no file states `HARPNM`, `QUALTY`: their columns are empty; did you mean `QUALITY` for `QUALTY`?\n")
        .done();
}

#[test]
fn status_says_that_the_end_of_a_range_is_not_in_it() {
    let (_server, lab) = one_file();
    lab.sunhaul(&["status", "job.yaml"])
        .stdout_has("sharp_720s  2015-12-11..2015-12-12 (not included)  1 of 1 day, 1 file, ")
        .done();
}

#[test]
fn a_plan_expects_the_sizes_that_the_lock_knows_where_a_listing_has_none() {
    let server = Server::start();
    for day in ["2026-01-11", "2026-01-12"] {
        let (name, time) = (format!("sharp_720s_{}_182208", day.replace('-', "")), format!("{day}T18:22:08Z"));
        server.file("sharp_720s", Item::new(&name, &time), fits(1, 20, &time));
    }
    let lab = Lab::new();
    let job =
        |end: &str| lab.write("job.yaml", Job::at(&server.url()).range("2026-01-11", end).more("settle: 1d").yaml());
    let listed = |size: &str| {
        let spoken = lab.sunhaul(&["plan", "job.yaml", "--list"]).stdout_has("").done();
        let rows: Vec<&str> = spoken.stdout.lines().filter(|line| line.starts_with("sharp_720s")).collect();
        assert!(rows.iter().any(|row| row.ends_with(size)), "{size}\n{}", spoken.stdout);
    };
    job("2026-01-12");
    listed("  not told");
    lab.run().done();
    job("2026-01-13");
    listed("  about 5.6 KiB");
    lab.on_a_new_machine();
    listed("  about 11.3 KiB");
}

#[test]
fn adopt_leaves_what_it_does_not_take_to_a_run() {
    let (_server, lab) = one_file();
    std::fs::remove_dir_all(lab.path("data")).expect("an archive");
    let mut broken = fits(1, 20, "2015-12-11T18:22:08Z");
    broken[4000] ^= 1;
    lab.write("mine/sharp_720s_20151211_182208.fits", broken);
    let spoken = lab
        .sunhaul(&["adopt", "job.yaml", "mine", "--report", "report.json"])
        .status(1)
        .stderr_has("lab incomplete: 0 files adopted, 0 B in")
        .stderr_has("fits-checksum: `sharp_720s_20151211_182208.fits` of the folder is left alone: ")
        .stderr_has("hint: move the file away, or let `sunhaul run job.yaml` fetch the one of its source\n")
        .stderr_has("download the rest with: ")
        .done();
    assert!(!spoken.stderr.contains("trying again"), "{}", spoken.stderr);
    assert_eq!(lab.json("report.json")["failures"][0]["attempts"], 0, "no file was asked for");
}

#[test]
fn status_counts_more_failures_than_a_report_lists() {
    let server = Server::start();
    for nth in 0..1_500 {
        let day = if nth < 1_000 { 11 } else { 12 };
        let (name, time) =
            (format!("sharp_720s_{nth}"), format!("2015-12-{day}T00:{:02}:{:02}Z", nth % 1000 / 60, nth % 60));
        server.script_file("sharp_720s", Item::new(&name, &time), [Answer::status(403)]);
    }
    let lab = Lab::new();
    let job = Job::at(&server.url()).range("2015-12-11", "2015-12-13").retry("{ attempts: 1, max_wait: 1s }");
    lab.write("job.yaml", job.yaml());
    let report = lab.report(1);
    assert_eq!(
        (&report["failures_omitted"], &report["days"][0]["failed"]),
        (&500.into(), &json!({ "forbidden": 1_000 }))
    );
    lab.sunhaul(&["status", "job.yaml"])
        .stdout_has("2015-12-11  forbidden: 1,000 files\n")
        .stdout_has("2015-12-12  forbidden: 500 files\n")
        .done();
}
