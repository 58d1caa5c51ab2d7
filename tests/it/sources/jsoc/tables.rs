//! Tables of keywords: texts that are more than one word, for programs that read CSV.

use super::{Fake, Record};
use crate::lab::Lab;

const DAY: &str = "data/one/2015/12/11/hmi.sharp_cea_720s.20151211.keywords.csv";
const EXPORT: [&str; 7] = ["export", "job.yaml", "--format", "csv", "--keywords-table", "--output", "all.csv"];

/// A text such as HISTORY has them.
const LINES: &str = "first, \"one\"\nsecond\n\nfourth";

/// A day of two records, the second of which has a text of several lines.
fn with_lines() -> Lab {
    let fake = Fake::of(vec![
        Record { noaa: "one line", ..Record::new(8, "2015-12-11T00:00:00") },
        Record { noaa: LINES, ..Record::new(9, "2015-12-11T12:12:00") },
    ]);
    let lab = Lab::new();
    lab.write("job.yaml", fake.job("fetch: keywords, keywords: [NOAA_ARS, USFLUX]").yaml());
    lab.report(0);
    lab
}

#[test]
fn a_text_of_several_lines_is_one_quoted_cell() {
    let lab = with_lines();
    let rows = "2015-12-11T00:00:00,TAI,8,377,true,one line,8.5e+21\n\
                2015-12-11T12:12:00,TAI,9,377,true,\"first, \"\"one\"\"\nsecond\n\nfourth\",9.5e+21\n";
    let day = format!("time,scale,recnum,harpnum,has_data,NOAA_ARS,USFLUX\n{rows}");
    assert_eq!(String::from_utf8(lab.read(DAY)).expect("UTF-8"), day);
    lab.sunhaul(&EXPORT).stderr("all.csv: 2 records of 1 day\n").done();
    let all = format!("\"series\",{}", day.replace("\n2015", "\none,2015"));
    assert_eq!(String::from_utf8(lab.read("all.csv")).expect("UTF-8"), all);
}

/// How many texts a table has by each program, asked without any option, and the last one: all must have the same.
const TEXTS: &str = "import sys, pandas, duckdb, polars\n\
                     def texts(path):\n\
                     \x20   yield list(pandas.read_csv(path).NOAA_ARS.astype(str))\n\
                     \x20   rows = duckdb.sql(f\"select NOAA_ARS from '{path}' order by time\").fetchall()\n\
                     \x20   yield [str(row[0]) for row in rows]\n\
                     \x20   yield [str(text) for text in polars.read_csv(path)['NOAA_ARS']]\n\
                     for path in sys.argv[1:]:\n\
                     \x20   all = list(texts(path))\n\
                     \x20   assert all[0] == all[1] == all[2], all\n\
                     \x20   print(len(all[0]), repr(all[0][-1]))\n";

#[test]
#[ignore = "needs the Python tools that tests/run.sh installs"]
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn a_text_of_several_lines_is_one_cell_to_pandas_duckdb_and_polars() {
    let tools = std::env::var("SUNHAUL_TEST_TOOLS").expect("SUNHAUL_TEST_TOOLS: tests/run.sh sets it");
    let lab = with_lines();
    lab.sunhaul(&EXPORT).stderr_has("2 records").done();
    // The same after as many rows as DuckDB looks at, and more.
    let all = String::from_utf8(lab.read("all.csv")).expect("UTF-8");
    let (head, rows) = all.split_once('\n').expect("a head");
    let (first, second) = rows.split_once('\n').expect("two rows");
    lab.write("late.csv", format!("{head}\n{}{second}", format!("{first}\n").repeat(30_000)));
    let said = lab.program(&format!("{tools}/python"), &["-c", TEXTS, DAY, "all.csv", "late.csv"]);
    let text = "'first, \"one\"\\nsecond\\n\\nfourth'";
    said.chatty().stdout(&format!("2 {text}\n2 {text}\n30001 {text}\n")).done();
}
