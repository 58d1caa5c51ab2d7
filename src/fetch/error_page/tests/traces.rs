//! Texts that break off in the trace or the message of a program.

use super::*;

const JAVA: &str = "java.lang.NullPointerException: no rows\n\tat gov.nasa.Store.read(Store.java:12)\n\
                    \tat java.base/java.lang.Thread.run(Thread.java:829)\n";

/// Texts that only look like a trace.
const TEXTS: &[&str] = &[
    "time,error\n1,2\n",
    "Größe–Error\n1,2\n",
    "°\u{3000}Exception: x\n\u{e9}",
    "look at a.b(c)\n",
    "we met\n  at noon (UTC)\n",
    "events\n at 12:30 (S12W30)\n at 13:10 (N02E11)\n",
    "gaps are\n  at a.dat (2 rows)\n",
    "2015-12-11 java.lang.NullPointerException: x\n",
    "1\n\tat a.B.c(B.java:1)\n2\n",
    "flare at 12:30 line 3.\n",
    "the gap begins in the table at /data/a.txt line 3.\n",
    "see region 12 at page 4, line 3.\n",
    "2,x,died at a.pl line 3.\n1,2,3\n",
    "lines at 5303 and line 6374.\n",
    "1,2\nSQLSTATE is a code\n",
    "2015-12-11 10:00:00 query failed: SQLSTATE[HY000] gone away\n",
    "SQLSTATE[HY000] x\n1,2\n3,4\n",
    "1,ERROR 2006 (HY000)\n",
];

#[test]
fn a_text_that_breaks_off_in_the_trace_of_a_program_is_refused() {
    let rows = "time,flux\n2015-12-11T00:00:00,1.5\n".repeat(100);
    let long = ["java.lang.StackOverflowError\n", &"\tat a.B.c(B.java:1)\n".repeat(1024)].concat();
    for message in [
        JAVA,
        "Exception in thread \"main\" java.io.IOException: x\n\tat a.B.c(B.java:1)\nCaused by: a.X: y\n\tat a.B.d(B.java:2)\n\t... 12 more\n",
        "org.apache.jasper.JasperException: a\nmessage of two lines\n\tat a.B.c(Native Method)\n",
        "Caused by: java.sql.SQLException: no\n\tat a.B.c(Unknown Source)\n",
        "System.Data.SqlClient.SqlException (0x80131904): Timeout expired.\r\n   at System.Data.A.B(String x) in c:\\a.cs:line 3\r\n",
        "TypeError: x is undefined\n    at Object.<anonymous> (/app/x.js:3:9)\n    at node:internal/main:1:2\n",
        &long,
        "Can't locate object method \"x\" via package \"Y\" at /srv/x.pl line 12.\n",
        "DBD::mysql::st execute failed: gone away at get.cgi line 3, <FH> line 12.\n",
        "Died at x.pl line 3.\n\tmain::f(1) called at x.pl line 9\n",
        "[Fri Dec 11 2015] x.cgi: Out of memory! at /x.cgi line 3.\n",
        "BEGIN failed--compilation aborted at (eval 12) line 3.\n",
        "Out of memory at /usr/bin/getdata line 3.\n",
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\n",
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nrequests.exceptions.ConnectTimeout: x\n",
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nsocket.timeout: timed out\n",
        "Traceback (most recent call last):\n  File \"x.py\", line 1\nsqlalchemy.exc.OperationalError: (x)\n[SQL: SELECT 1]\n(Background on this error at: https://sqlalche.me/e/14/e3q8)\n",
        "SQLSTATE[HY000] [2002] Connection refused\n",
        "PDOException: SQLSTATE[42S02]: Base table or view not found: 1146\n",
        "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away",
        "ERROR 2006 (HY000): MySQL server has gone away\n",
        "ORA-01034: ORACLE not available\nProcess ID: 0\n",
        "ERROR: canceling statement (SQLSTATE 57014)\n",
    ] {
        for name in ["a.csv", "a.txt", "a.dat", "a"] {
            for before in [rows.as_str(), ""] {
                let body = [before, message].concat();
                assert!(refused(name, "text/csv", body.as_bytes()), "{name} {before:.40} {message:.300}");
            }
        }
    }
    for message in
        [JAVA, "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 1\n", "SQLSTATE[HY000]: x\n"]
    {
        let body = [rows.as_str(), "2015-12-11T00:03:00,1.", message].concat();
        assert!(refused("a.csv", "", body.as_bytes()), "in the middle of a row: {message}");
    }
    let with_log = ["log\n", JAVA, "retry ok\n"].concat();
    for harmless in TEXTS.iter().copied().chain([with_log.as_str()]) {
        for name in ["a.txt", "a.csv", "a"] {
            assert!(!refused(name, "", harmless.as_bytes()) || harmless.starts_with("SQLSTATE["), "{name} {harmless}");
        }
    }
    for name in ["run.log", "a.py", "a.java", "a.md", "a.xml"] {
        assert!(!refused(name, "", [rows.as_str(), JAVA].concat().as_bytes()), "{name}");
    }
}
