//! Exports before somebody else's tools, and the recipes of `sunhaul help export` as they stand there.
//!
//! `tests/run.sh` puts the tools into a virtual environment and says where in `SUNHAUL_TEST_TOOLS`.

use crate::lab::{Call, Job, Lab, recipe};

use super::{exported, fetched, to_bag};

/// Where the tools are.
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn tools() -> String {
    std::env::var("SUNHAUL_TEST_TOOLS").expect("SUNHAUL_TEST_TOOLS: tests/run.sh sets it")
}

/// A call of one of the tools.
fn tool<'a>(lab: &'a Lab, name: &str, arguments: &[&str]) -> Call<'a> {
    program(lab, &format!("{}/{name}", tools()), arguments)
}

/// A call of any program, with `sunhaul` and the tools on its path.
fn program<'a>(lab: &'a Lab, name: &str, arguments: &[&str]) -> Call<'a> {
    let sunhaul = std::path::Path::new(env!("CARGO_BIN_EXE_sunhaul")).parent().expect("a folder");
    let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", sunhaul.display(), tools());
    lab.program(name, arguments).env("PATH", &path).chatty().stdout_has("")
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
fn bagit_py_finds_a_bag_valid_until_a_byte_changes() {
    let (lab, _server) = fetched();
    to_bag(&lab, &["--copy"]).chatty().done();
    tool(&lab, "bagit.py", &["--validate", "bag"]).stderr_has("bag is valid").done();
    let path = format!("bag/data/{}", super::FIRST);
    let mut bytes = lab.read(&path);
    bytes[3000] ^= 1;
    lab.write(&path, bytes);
    tool(&lab, "bagit.py", &["--validate", "bag"]).status(1).stderr_has("bag is invalid").done();
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
fn a_bag_without_data_is_valid_once_its_fetch_txt_was_followed() {
    let (lab, _server) = fetched();
    to_bag(&lab, &["--no-data"]).chatty().done();
    tool(&lab, "bagit.py", &["--validate", "bag"]).status(1).done();
    let follow = "import os, urllib.request\n\
                  for line in open('bag/fetch.txt'):\n    \
                      url, _, path = line.rstrip('\\n').split(' ', 2)\n    \
                      os.makedirs(os.path.dirname('bag/' + path), exist_ok=True)\n    \
                      urllib.request.urlretrieve(url, 'bag/' + path)\n";
    tool(&lab, "python", &["-c", follow]).done();
    tool(&lab, "bagit.py", &["--validate", "bag"]).stderr_has("bag is valid").done();
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
fn roc_validator_finds_a_crate_to_break_no_rule_but_those_that_only_its_author_can_keep() {
    let (lab, _server) = fetched();
    lab.write("data/ro-crate-metadata.json", exported(&lab, &["ro-crate"]));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/export/crate.py");
    let said = tool(&lab, "python", &[script, "data"])
        .stdout_has("by sunhaul ")
        .stdout_has(" of job.yaml and job.lock\n")
        .done();
    let broken = said.stdout.lines().filter(|line| line.starts_with("REQUIRED") || line.starts_with("RECOMMENDED"));
    // Nobody named an author or a publisher, and a hash leads nowhere.
    let is_known = |line: &&str| ["`author`", "`publisher`", "ni:///sha-256;"].iter().any(|known| line.contains(known));
    let broken: Vec<&str> = broken.filter(|line| !is_known(line)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    // A file that is named and not there is found: the validator looks.
    std::fs::remove_file(lab.path(&format!("data/{}", super::FIRST))).expect("a file");
    tool(&lab, "python", &[script, "data"]).stdout_has("REQUIRED The RO-Crate does not include").done();
}

/// The archive that the recipes are about, smaller: `jobs/quickstart.yaml` and `data/quickstart`.
fn quickstart() -> Lab {
    let lab = Lab::new();
    let job = Job::embedded().range("2015-12-11", "2015-12-14").series(&[
        "{ name: sharp_720s, cadence: 12h }",
        "{ name: hmi.sharp_cea_720s, as: cea, segments: [Br, Bt], cadence: 12h }",
    ]);
    lab.write("jobs/quickstart.yaml", job.yaml().replace("root: data", "root: ../data/quickstart"));
    lab
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
fn the_commands_and_the_recipes_for_pandas_and_duckdb_run_as_they_stand_in_the_help() {
    let lab = quickstart();
    lab.sunhaul(&["run", "jobs/quickstart.yaml"]).chatty().done();
    program(&lab, "bash", &["-euo", "pipefail", "-c", &recipe("sh", "> catalogue.csv")]).stdout("").done();
    tool(&lab, "bagit.py", &["--validate", "quickstart-bag"]).done();
    assert!(lab.tree("regions").len() > 1 && lab.path("data/quickstart/ro-crate-metadata.json").exists());
    let table = String::from_utf8(lab.read("catalogue.csv")).expect("UTF-8");
    let regions = table.lines().filter(|line| line.contains(",Br,")).count();
    assert!(regions > 0, "{table}");

    let said = tool(&lab, "python", &["-c", &recipe("python", "import pandas")]).done().stdout;
    let told: usize = said.lines().filter_map(|line| line.split_whitespace().last()?.parse::<usize>().ok()).sum();
    let good = table.lines().filter(|line| line.contains(",Br,") && line.ends_with(",0")).count();
    assert_eq!(told, good, "{said}{table}");

    let queries = recipe("sql", "read_json");
    let run = "import duckdb, sys\n\
               for query in sys.argv[1].split(';'):\n    \
                   if query.strip(): print(duckdb.sql(query).fetchall())\n";
    let said = tool(&lab, "python", &["-c", run, &queries]).done().stdout;
    let files = |series: &str| table.lines().filter(|line| line.starts_with(series)).count();
    for (series, files) in [("cea", files("cea,")), ("sharp_720s", files("sharp_720s,"))] {
        assert!(said.contains(&format!("('{series}', {files}, ")), "{said}");
    }
    assert_eq!(said.lines().count(), 2, "one answer for each query: {said}");
    assert!(!said.contains("[]"), "{said}");
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
fn the_recipe_for_tables_of_hapi_reads_fill_values_as_missing_ones() {
    let lab = Lab::new();
    let place = "data/hapi/ace-mfi/2015/12/11/AC_H0_MFI.20151211";
    lab.write(
        &format!("{place}.csv"),
        "Time,Magnitude,Quality\n2015-12-11T00:00:00Z,5.1,0\n2015-12-11T00:00:16Z,-1e31,1\n",
    );
    let parameters =
        r#"[{"name":"Time","fill":null},{"name":"Magnitude","fill":"-1.0E31"},{"name":"Quality","fill":null}]"#;
    lab.write(&format!("{place}.json"), format!("{{\"parameters\":{parameters}}}"));
    let script = format!(
        "{}\nprint(table.Magnitude.isna().sum(), len(table), table.Time.dtype.kind)\n",
        recipe("python", "def day")
    );
    tool(&lab, "python", &["-c", &script]).stdout("1 2 M\n").done();
}

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
fn the_recipe_for_snakemake_runs_as_it_stands_in_the_help() {
    let lab = quickstart();
    lab.write("Snakefile", recipe("python", "rule "));
    tool(&lab, "snakemake", &["--cores", "2"]).done();
    let counts = lab.tree("counts");
    assert_eq!(counts.into_keys().collect::<Vec<_>>(), ["2015-12-11.txt", "2015-12-12.txt", "2015-12-13.txt"]);
    let files = lab.day("data/quickstart", "sharp_720s", "2015-12-12").files.len();
    assert_eq!(String::from_utf8_lossy(&lab.read("counts/2015-12-12.txt")).trim(), files.to_string());
    tool(&lab, "snakemake", &["--cores", "2"]).stderr_has("Nothing to be done").done();
}
