//! `sunhaul export`: what the records say in other programs' forms, all of it or nothing, and nothing asked of a source.
//!
//! Somebody else's tools judge it in `tools`.

mod tools;

use std::os::unix::fs::MetadataExt as _;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

const RECORD: &str = "data/.sunhaul/days/sharp_720s/2015-12-11.jsonl";
const FIRST: &str = "sharp_720s/2015/12/11/sharp_720s_20151211_182208.fits";
const FORMATS: [&str; 4] = ["sha256sums", "bagit", "ro-crate", "csv"];

/// A day of three files, one of them absent upstream, fetched from a service that is asked no more.
fn fetched() -> (Lab, Server) {
    let server = Server::start();
    for (seed, time) in [(1, "18:22:08"), (2, "18:34:08")] {
        let name = format!("sharp_720s_20151211_{}", time.replace(':', ""));
        let time = format!("2015-12-11T{time}.799999Z");
        server.file("sharp_720s", Item::new(&name, &time), fits(seed, 60, &time));
    }
    let lacking = Item::new("sharp_720s_20151211_190000", "2015-12-11T19:00:00.000000Z");
    server.script_file("sharp_720s", lacking, [Answer::status(404)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).more("contact: jane@example.org").yaml());
    lab.report(0);
    (lab, server)
}

/// What an export of the lab's job says on standard output.
fn exported(lab: &Lab, arguments: &[&str]) -> String {
    let all = [&["export", "job.yaml", "--format"], arguments].concat();
    lab.sunhaul(&all).stdout_has("").done().stdout
}

fn to_bag<'a>(lab: &'a Lab, arguments: &[&str]) -> crate::lab::Call<'a> {
    lab.sunhaul(&[&["export", "job.yaml", "--format", "bagit", "--output", "bag"], arguments].concat())
}

/// The text of a file of the bag.
fn text(lab: &Lab, path: &str) -> String {
    String::from_utf8(lab.read(path)).expect("UTF-8")
}

#[test]
fn sha256sum_checks_what_sha256sums_says() {
    let (lab, _server) = fetched();
    lab.sunhaul(&["export", "job.yaml", "--format", "sha256sums", "--output", "sums"]).stderr("sums: 1 day\n").done();
    assert_eq!(text(&lab, "sums"), exported(&lab, &["sha256sums"]));
    let check = || lab.program("sha256sum", &["-c", "--strict", "../sums"]).within("data");
    check().stdout_has(&format!("{FIRST}: OK\n")).done();
    lab.write(&format!("data/{FIRST}"), "changed");
    check().status(1).stdout_has(&format!("{FIRST}: FAILED\n")).chatty().done();
}

#[test]
fn no_format_asks_the_source_or_needs_its_secrets_or_tells_them() {
    let server = Server::start();
    let time = "2015-12-11T18:22:08.799999Z";
    server.file("sharp_720s", Item::new("sharp_720s_20151211_182208", time), fits(1, 60, time));
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).credentials("bearer: \"${SUNHAUL_TOKEN}\"").yaml());
    lab.run().env("SUNHAUL_TOKEN", "t0ken-of-jane").done();
    let asked = server.requests().len();
    for format in FORMATS {
        let arguments = ["export", "job.yaml", "--format", format, "--output", format];
        lab.sunhaul(&arguments).env("SUNHAUL_TOKEN", "t0ken-of-jane").chatty().done();
        lab.sunhaul(&["export", "job.yaml", "--format", format, "--output", &format!("{format}-2")]).chatty().done();
    }
    to_bag(&lab, &["--no-data"]).chatty().done();
    assert_eq!(server.requests().len(), asked);
    for (path, _) in lab.tree("") {
        assert!(!String::from_utf8_lossy(&lab.read(&path)).contains("t0ken-of-jane"), "{path}");
    }
}

#[test]
fn days_without_a_record_are_told_and_what_there_is_is_written() {
    let (lab, server) = fetched();
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-14").yaml());
    let call = lab.sunhaul(&["export", "job.yaml", "--format", "sha256sums"]);
    let told = "incomplete: 2 of 3 days not in it: sharp_720s 2015-12-12 (new), sharp_720s 2015-12-13 (new)\n\
                hint: `sunhaul run job.yaml` does the days that are missing\n";
    let said = call.status(1).stderr(told).stdout_has(FIRST).done();
    assert_eq!(said.stdout.lines().count(), 2);
    // The selection is complete.
    exported(&lab, &["sha256sums", "--range", "..2015-12-12"]);
    // A record that answers another question is none of this job's.
    lab.write("job.yaml", Job::at(&server.url()).series(&["{ name: sharp_720s, cadence: 24m }"]).yaml());
    let none = "no day of `lab` has a record that answers the manifest";
    lab.sunhaul(&["export", "job.yaml", "--format", "csv"]).status(1).stderr_has(none).done();
    // Days to come are nobody's fault.
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2099-01-01").yaml());
    lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--range", "2098-01-01.."])
        .status(2)
        .stderr_has("the job has no days in the range `2098-01-01..`")
        .done();
}

#[test]
fn a_provisional_day_is_exported_and_told() {
    let lab = Lab::new();
    let series = "{ name: sharp_720s, cadence: 12h }";
    let job = Job::embedded().range("today-2d", "today-1d").series(&[series]).more("settle: 10d");
    lab.write("job.yaml", job.yaml());
    lab.report(0);
    let told = "sums: 1 day\n1 day of it may still change: provisional\n";
    lab.sunhaul(&["export", "job.yaml", "--format", "sha256sums", "--output", "sums"]).stderr_has(told).done();
    lab.sunhaul(&["export", "job.yaml", "--format", "sha256sums", "--output", "more", "-q"]).done();
}

#[test]
fn nothing_is_written_of_a_job_without_records_or_with_a_damaged_one() {
    let (lab, _server) = fetched();
    let whole = text(&lab, RECORD);
    let before = lab.tree("");
    for (damaged, hint) in [
        // Found by its head, and only by its lines.
        (whole[..whole.len() - 5].to_owned(), "`sunhaul run`"),
        (whole.replacen("\"checked\":\"checksum\"", "\"checked\":\"checksun\"", 1), "`sunhaul run --check`"),
    ] {
        lab.write(RECORD, damaged);
        for format in FORMATS {
            let call = lab.sunhaul(&["export", "job.yaml", "--format", format, "--output", "out"]);
            call.status(1).stderr_has("2015-12-11.jsonl").stderr_has(hint).done();
        }
        lab.sunhaul(&["export", "job.yaml", "--format", "csv"]).status(1).stderr_has("2015-12-11.jsonl").done();
    }
    lab.write(RECORD, &whole);
    for format in FORMATS {
        let call = lab.sunhaul(&["export", "job.yaml", "--format", format, "--output", "out", "--archive", "none"]);
        call.status(1).stderr_has("no day of `lab` has a record").stderr_has("hint: `sunhaul run job.yaml`").done();
    }
    assert_eq!(lab.tree(""), before, "nothing is left behind");
}

#[test]
fn what_is_there_is_not_replaced_and_wrong_options_are_usage() {
    let (lab, _server) = fetched();
    lab.write("taken", "mine");
    let before = lab.tree("");
    for (arguments, why, hint) in [
        (&["csv", "--output", "taken"][..], "`taken` exists already", "hint: name another place"),
        (&["bagit", "--output", "data"], "`data` exists already", "hint: name another place"),
        (&["csv", "--output", "no/such"], "a folder that does not exist", "hint: make the folder"),
        (&["csv", "--output", "data/.sunhaul/x"], "the archive's own folder", "outside of `.sunhaul`"),
        (&["bagit"], "a bag is a folder", "hint: name a new one with `--output DIR`"),
        (&["csv", "--by", "HARPNUM", "--output", "-"], "many tables", "hint: name a new folder"),
        (&["csv", "--keywords", "harpnum"], "`harpnum` is no FITS keyword", "hint: did you mean `HARPNUM`?"),
        (&["csv", "--keywords", "NOAA AR"], "`NOAA AR` is no FITS keyword", "hint: 1 to 8 of A-Z"),
        (&["csv", "--keywords", "HARPNUM,,X"], "`` is no FITS keyword", "hint: "),
        (&["ro-crate", "--keywords", "HARPNUM"], "what a table has", "`--format csv`"),
        (&["csv", "--copy"], "come into a bag", "`--format bagit`"),
        (&["bagit", "--output", "b", "--copy", "--no-data"], "cannot be used with", ""),
        (&["csv", "--series", "cea"], "no series `cea`", "hint: "),
        (&["zip"], "invalid value", "ro-crate"),
    ] {
        let all = [&["export", "job.yaml", "--format"], arguments].concat();
        lab.sunhaul(&all).status(2).stderr_has(why).stderr_has(hint).done();
    }
    assert_eq!(lab.tree(""), before);
}

#[test]
fn a_bag_holds_links_or_copies_and_what_they_were_made_from() {
    let (lab, _server) = fetched();
    to_bag(&lab, &[]).stderr_has("bag: 2 files, ").done();
    let inode = |path: &str| std::fs::metadata(lab.path(path)).expect("a file").ino();
    assert_eq!(inode(&format!("bag/data/{FIRST}")), inode(&format!("data/{FIRST}")));
    assert_eq!(lab.tree("bag/data"), lab.files("data"));
    assert_eq!(lab.read("bag/sunhaul/job.yaml"), lab.read("job.yaml"));
    assert_eq!(lab.read("bag/sunhaul/job.lock"), lab.read("job.lock"));
    assert_eq!(lab.read("bag/sunhaul/days/sharp_720s/2015-12-11.jsonl"), lab.read(RECORD));
    assert!(!lab.path("bag/fetch.txt").exists());
    let info = text(&lab, "bag/bag-info.txt");
    for line in ["External-Identifier: lab\n", "Contact-Email: jane@example.org\n", "Payload-Oxum: ", "Bagging-Date: "]
    {
        assert!(info.contains(line), "{info}");
    }
    for (path, digest) in lab.tree("bag") {
        let list = if path.starts_with("data/") { "manifest" } else { "tagmanifest" };
        let line = format!("{digest}  {path}\n");
        let is_told = text(&lab, &format!("bag/{list}-sha256.txt")).contains(&line);
        assert!(is_told || path == "tagmanifest-sha256.txt", "{list} lacks {line}");
    }
    let copied = lab.sunhaul(&["export", "job.yaml", "--format", "bagit", "--output", "copy", "--copy"]);
    copied.chatty().done();
    assert_eq!(lab.tree("copy/data"), lab.files("data"));
    assert_ne!(inode(&format!("copy/data/{FIRST}")), inode(&format!("data/{FIRST}")));
}

#[test]
fn a_file_that_is_not_in_the_archive_is_named_in_fetch_txt_and_one_of_another_size_is_an_error() {
    let (lab, server) = fetched();
    lab.write(&format!("data/{FIRST}"), "short");
    let before = lab.tree("");
    to_bag(&lab, &[]).status(1).stderr_has(FIRST).stderr_has("has 5 bytes").stderr_has("`sunhaul verify JOB`").done();
    assert_eq!(lab.tree(""), before, "nothing is left behind");
    std::fs::remove_file(lab.path(&format!("data/{FIRST}"))).expect("a file");
    to_bag(&lab, &[]).stderr_has("1 file of the bag to be fetched").stderr_has("only this machine reaches").done();
    let size = fits(1, 60, "2015-12-11T18:22:08.799999Z").len();
    let line = format!("{}/HMI/sharp_720s/sharp_720s_20151211_182208 {size} data/{FIRST}\n", server.url());
    assert_eq!(text(&lab, "bag/fetch.txt"), line);
    assert_eq!(text(&lab, "bag/manifest-sha256.txt").lines().count(), 2);
    std::fs::remove_dir_all(lab.path("bag")).expect("a folder");
    to_bag(&lab, &["--no-data"]).chatty().done();
    assert_eq!(text(&lab, "bag/fetch.txt").lines().count(), 2);
    assert!(lab.tree("bag/data").is_empty() && lab.path("bag/data").is_dir());
}

#[test]
fn the_built_in_service_has_no_address_that_lasts() {
    let lab = Lab::new();
    lab.write("job.yaml", Job::embedded().series(&["{ name: sharp_720s, cadence: 12h }"]).yaml());
    lab.report(0);
    to_bag(&lab, &["--no-data"]).status(1).stderr_has("no address that lasts").stderr_has("--check").done();
    to_bag(&lab, &[]).chatty().done();
}

#[test]
fn a_file_that_days_share_is_in_a_bag_once() {
    let server = Server::start();
    let body = fits(1, 60, "2015-12-11T18:22:08.799999Z");
    for day in ["11", "12"] {
        let item = Item::new(&format!("sharp_720s_201512{day}_182208"), &format!("2015-12-{day}T18:22:08.799999Z"));
        server.script_file("sharp_720s", item, [Answer::file(body.clone()).named("same.fits")]);
    }
    let lab = Lab::new();
    let series = "{ name: sharp_720s, layout: \"{file}\" }";
    lab.write("job.yaml", Job::at(&server.url()).range("2015-12-11", "2015-12-13").series(&[series]).yaml());
    lab.report(0);
    to_bag(&lab, &[]).stderr_has("bag: 1 file, ").done();
    assert_eq!(text(&lab, "bag/manifest-sha256.txt").lines().count(), 1);
    assert_eq!(exported(&lab, &["csv"]).lines().count(), 3, "the table has a row for each day");
}

#[test]
fn a_table_has_every_file_and_hostile_headers_make_neither_cells_nor_formulas() {
    let server = Server::start();
    let time = "2015-12-11T18:22:08.799999Z";
    let card = format!("{:<80}", "OBJECT  = '=1+1,\"\u{7}'");
    let mut body = fits(1, 60, time);
    let at = body.windows(8).position(|word| word == b"QUALITY ").expect("a card");
    body[at..at + 80].copy_from_slice(card.as_bytes());
    server.file("sharp_720s", Item::new("sharp_720s_20151211_182208", time), body);
    let lacking = Item::new("sharp_720s_20151211_190000", "2015-12-11T19:00:00.000000Z");
    server.script_file("sharp_720s", lacking, [Answer::status(404)]);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).more("verify: [size]").yaml());
    lab.report(0);
    let call = lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords", "OBJECT,BITPIX,NONE,OBJECT"]);
    let table = call.stdout_has("").stderr("no file states `NONE`: its column is empty\n").done().stdout;
    let lines: Vec<&str> = table.split('\n').collect();
    let [head, row, absent, ""] = lines[..] else { panic!("{table}") };
    assert_eq!(
        head,
        "\"series\",date,time,path,bytes,sha256,recnum,harpnum,segment,checked,absent,reason,OBJECT,BITPIX,NONE"
    );
    assert!(row.starts_with(&format!("sharp_720s,2015-12-11,{time},{FIRST},")), "{row}");
    assert!(row.ends_with(",\"'=1+1,\"\"\\u{7}\",16,"), "{row}");
    assert!(absent.ends_with(",,,,,,,404,,,,"), "{absent}");
    for (asked, said) in [
        ("DATE_OBS", "no file states `DATE_OBS`: its column is empty; did you mean `DATE-OBS`?\n"),
        (
            "NONE,OBJEKT,BITPX",
            "no file states `NONE`, `OBJEKT`, `BITPX`: their columns are empty; did you mean `OBJECT` for `OBJEKT`, \
             `BITPIX` for `BITPX`?\n",
        ),
    ] {
        let call = lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords", asked]);
        call.stdout_has(FIRST).stderr(said).done();
    }
    std::fs::remove_file(lab.path(&format!("data/{FIRST}"))).expect("a file");
    let call = lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--keywords", "OBJECT"]);
    call.status(1).stdout_has(FIRST).stderr_has("1 file without keywords").stderr_has(FIRST).done();
}

#[test]
fn there_is_one_table_for_each_value_and_one_for_the_rest() {
    let (lab, _server) = fetched();
    lab.sunhaul(&["export", "job.yaml", "--format", "csv", "--by", "RECNUM", "--output", "by"])
        .stderr_has("by: 3 files of 1 day in 3 tables")
        .done();
    let tables: Vec<String> = lab.tree("by").into_keys().collect();
    assert_eq!(tables, ["1.csv", "2.csv", "without-RECNUM.csv"]);
    let first = text(&lab, "by/1.csv");
    assert!(first.starts_with("\"series\",date,") && first.lines().count() == 2 && first.contains(FIRST), "{first}");
}

#[test]
fn a_crate_names_files_runs_manifest_lock_source_and_dates() {
    let (lab, server) = fetched();
    let crate_ = exported(&lab, &["ro-crate"]);
    let metadata: serde_json::Value = serde_json::from_str(&crate_).expect("JSON");
    let graph = metadata["@graph"].as_array().expect("a list");
    let entity = |id: &str| graph.iter().find(|entity| entity["@id"] == id).unwrap_or_else(|| panic!("{id}: {crate_}"));
    let root = entity("./");
    assert_eq!(root["temporalCoverage"], "2015-12-11T00:00:00Z/2015-12-12T00:00:00Z");
    assert_eq!(root["hasPart"].as_array().map(Vec::len), Some(4), "two files, the manifest, the lock");
    assert_eq!(entity(root["isBasedOn"]["@id"].as_str().expect("an id"))["@id"], format!("{}/", server.url()));
    let file = entity(FIRST);
    assert_eq!(file["sha256"], lab.files("data")[FIRST].to_string());
    assert_eq!(file["encodingFormat"], "application/fits");
    let report = lab.json("report.json");
    let run = entity(&format!("#run-{}", report["run"]["id"].as_str().expect("an id")));
    assert_eq!((&run["@type"], &run["result"]["@id"]), (&"CreateAction".into(), &"./".into()));
    let [manifest, lock] = [0, 1].map(|at| entity(run["object"][at]["@id"].as_str().expect("an id")));
    assert_eq!((&manifest["sha256"], &manifest["name"]), (&report["job"]["manifest_sha256"], &"job.yaml".into()));
    assert_eq!((&lock["sha256"], &lock["name"]), (&report["job"]["lock_sha256"], &"job.lock".into()));
    assert_eq!(entity(run["instrument"]["@id"].as_str().expect("an id"))["softwareVersion"], report["run"]["version"]);
}
