//! The fake JSOC and the fake HAPI server before clients that other people wrote: they must get from them what sunhaul gets.
//!
//! `tests/run.sh` puts drms and sunpy into a virtual environment, hapiclient into another, and says where in
//! `SUNHAUL_TEST_SUNPY` and `SUNHAUL_TEST_HAPI`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::contract::Fake as _;
use super::{hapi, jsoc};
use crate::lab::{Job, Lab};

const EMAIL: &str = "jane@example.org";
const SERIES: &str = "hmi.sharp_cea_720s";
const DAY: &str = "data/one/2015/12/11";

/// What a script, below `tests`, prints as its last line.
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn ask(lab: &Lab, environment: &str, script: &str, arguments: &[&str]) -> Value {
    let tools = std::env::var(environment).unwrap_or_else(|_| panic!("{environment}: tests/run.sh sets it"));
    let script = format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR"));
    let folder = lab.path("tmp");
    let call = lab.program(&format!("{tools}/python"), &[&[script.as_str()], arguments].concat());
    let said = call.env("SUNPY_CONFIGDIR", folder.to_str().expect("a path")).chatty().stdout_has("{").done();
    serde_json::from_str(said.stdout.lines().last().expect("a line")).expect("JSON")
}

/// An archive of the fake's day; `export` is how its files are ordered, if they are.
fn archive(jsoc: &jsoc::Fake, export: &str) -> Lab {
    let lab = Lab::new();
    let source = format!("{{ jsoc: {{ url: \"{}\"{export} }} }}", jsoc.server().url());
    let series = format!("{{ name: {SERIES}, as: one, segments: [Br, Bp] }}");
    lab.write("job.yaml", Job::from_source(&source).series(&[&series]).yaml());
    lab.report(0);
    lab
}

fn ordered(jsoc: &jsoc::Fake) -> Lab {
    archive(jsoc, &format!(", export: {{ email: {EMAIL} }}"))
}

/// The FITS files of a folder, by their names.
fn files(lab: &Lab, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(lab.path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let fits = names.filter(|name| !name.contains(".keywords."));
    fits.map(|name| (name.clone(), lab.read(&format!("{folder}/{name}")))).collect()
}

/// The rows of a table in CSV, by the names of its columns.
fn rows(table: &[u8]) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(table).deserialize().map(|row| row.expect("a row")).collect()
}

/// Whether a cell of a table is what a client has, which reads numbers, and knows nothing of some.
#[track_caller]
fn assert_same(cell: &str, theirs: &Value, what: &str) {
    let is_same = match theirs {
        Value::Null => cell.is_empty(),
        Value::Number(number) => cell.parse().ok() == number.as_f64(),
        other => other.as_str() == Some(cell),
    };
    assert!(is_same, "{what}: {cell:?} and {theirs}");
}

/// The paths of the segments of each record that sunhaul lists, by the record's number; what JSOC says where there is none.
fn paths(lab: &Lab) -> BTreeMap<i64, BTreeMap<String, Value>> {
    let mut all: BTreeMap<i64, BTreeMap<String, Value>> = BTreeMap::new();
    for file in lab.day("data", "one", "2015-12-11").files {
        if let (Some(recnum), Some(segment)) = (file["recnum"].as_i64(), file["segment"].as_str()) {
            let path = if file["absent"].is_null() { file["url"].clone() } else { json!("NoDataDirectory") };
            all.entry(recnum).or_default().insert(segment.to_owned(), path);
        }
    }
    all
}

#[test]
#[ignore = "needs drms, which tests/run.sh installs"]
fn drms_gets_the_records_keywords_and_files_that_sunhaul_gets() {
    let jsoc = jsoc::Fake::of_a_day();
    let direct = archive(&jsoc, "");
    let records = jsoc.listed().remove(0);
    let at_once = archive(&jsoc, &format!(", export: {{ email: {EMAIL}, protocol: as-is, method: url_quick }}"));
    let made = ordered(&jsoc);
    let keywords = "*recnum*,HARPNUM,T_REC,NOAA_ARS,QUALITY,USFLUX,CRVAL1";
    let lab = Lab::new();
    let (url, set, folder) = (jsoc.server().url(), jsoc.orders().remove(0), lab.path("got"));
    let arguments = [&url, EMAIL, &records, keywords, "Br,Bp", &set, folder.to_str().expect("a path")];
    let got = ask(&lab, "SUNHAUL_TEST_SUNPY", "sunpy/ask_drms.py", &arguments);

    assert_eq!((&got["prime_keys"], &got["segments"]), (&json!(["HARPNUM", "T_REC"]), &json!(["Br", "Bp"])));
    let theirs: BTreeMap<i64, &Value> = got["rows"].as_object().expect("rows").values().map(numbered).collect();
    let ours = rows(&direct.read(&format!("{DAY}/{SERIES}.20151211.keywords.csv")));
    assert_eq!(ours.len(), theirs.len(), "{got:#}");
    for row in ours {
        let theirs = theirs[&row["recnum"].parse::<i64>().expect("a number")];
        for key in keywords.split(',').skip(1) {
            assert_same(&row[key], &theirs[key], key);
        }
    }
    for (recnum, paths) in paths(&direct) {
        assert_eq!(theirs[&recnum]["segments"], json!(paths), "{recnum}");
    }

    assert_eq!(files(&lab, "got/as-is"), files(&at_once, DAY));
    assert_eq!(files(&lab, "got/fits"), files(&made, DAY));
    assert_eq!(files(&made, DAY).len(), 4);
    assert_eq!((&got["first"], &got["nothing"]), (&json!(1), &json!(0)));
    assert_eq!(jsoc.orders().len(), 1, "drms writes an order as sunhaul does, so that it is the same one");
}

fn numbered(row: &Value) -> (i64, &Value) {
    (row["*recnum*"].as_i64().expect("a number"), row)
}

#[test]
#[ignore = "needs sunpy, which tests/run.sh installs"]
fn fido_finds_the_records_and_fetches_the_files_that_sunhaul_does() {
    let jsoc = jsoc::Fake::of_a_day();
    let (direct, made, lab) = (archive(&jsoc, ""), ordered(&jsoc), Lab::new());
    let (url, folder) = (jsoc.server().url(), lab.path("got"));
    let (start, end, folder) = ("2015-12-11T00:00:00", "2015-12-11T23:48:00", folder.to_str().expect("a path"));
    let got = ask(&lab, "SUNHAUL_TEST_SUNPY", "sunpy/ask_fido.py", &[&url, EMAIL, SERIES, start, end, "Br,Bp", folder]);
    let ours = rows(&direct.read(&format!("{DAY}/{SERIES}.20151211.keywords.csv")));
    let paths = paths(&direct);
    let due: Vec<Value> = ours
        .iter()
        .map(|row| {
            let paths = &paths[&row["recnum"].parse().expect("a number")];
            json!({ "HARPNUM": row["HARPNUM"], "T_REC": row["T_REC"], "Br": paths["Br"], "Bp": paths["Bp"] })
        })
        .collect();
    assert_eq!(got["rows"], json!(due));
    assert_eq!((&got["fetched"], &got["errors"]), (&json!(4), &json!([])));
    assert_eq!(files(&lab, "got"), files(&made, DAY));
}

#[test]
#[ignore = "needs hapiclient, which tests/run.sh installs"]
fn hapiclient_gets_the_table_that_sunhaul_gets() {
    for version in ["2.1", "3.2"] {
        let server =
            hapi::Fake::of_version(version, &["2015-12-11T00:00:00", "2015-12-11T12:00:00", "2015-12-12T00:00:00"]);
        let lab = server.lab(hapi::TABLE, "");
        lab.report(0);
        let url = format!("{}/hapi", server.server().url());
        let (start, stop) = ("2015-12-11T00:00:00Z", "2015-12-12T00:00:00Z");
        let got = ask(&lab, "SUNHAUL_TEST_HAPI", "hapi/ask_hapiclient.py", &[&url, hapi::TABLE, "Bx,B", start, stop]);
        assert_eq!((&got["names"], &got["HAPI"]), (&json!(["Time", "Bx", "B"]), &json!(version)));
        let table = lab.read(&format!("data/{}", hapi::CSV));
        let ours: Vec<csv::StringRecord> =
            csv::Reader::from_reader(&table[..]).records().map(|row| row.expect("a row")).collect();
        let theirs = got["rows"].as_array().expect("rows");
        assert_eq!((ours.len(), theirs.len()), (2, 2), "{got:#}");
        for (row, theirs) in ours.iter().zip(theirs) {
            for (nth, cell) in row.iter().enumerate() {
                assert_same(cell, &theirs[nth], version);
            }
            assert_eq!(theirs.as_array().map(Vec::len), Some(row.len()));
        }
    }
}
