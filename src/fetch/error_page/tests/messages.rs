//! Error messages that are the whole of a body: in JSON, in a `VOTable`, and in plain text.

use super::*;

const NAMES: [&str; 6] = ["a.dat", "a.txt", "a.csv", "a.json", "a", "efz20040301.000010"];

#[test]
fn a_list_of_error_messages_in_json_is_refused() {
    for error in [
        "[{\"error\":\"no\"}]",
        "[{\"error\":{\"code\":500}}]\n",
        "[ {\"errors\":[{\"title\":\"x\"}]} ]",
        "[{\"message\":\"Not found\"}]",
        "[{\"status\":500,\"message\":\"x\"},{\"status\":404,\"message\":\"y\"}]",
        "{\"errors\":[{\"status\":\"500\"}],\"jsonapi\":{\"version\":\"1.0\"},\"meta\":{}}",
        "{\"errors\":[\"no such day\"],\"data\":[]}",
        "{\"errors\":[{\"message\":\"no\"}],\"data\":{}}",
        "{\"error\":\"query failed\",\"rows\":[]}",
        "{\"message\":\"down\",\"statusCode\":500}",
        "{\"error\":\"404 Not Found\"}",
        "{\"message\":\"no\",\"statusCode\":404,\"error\":\"Not Found\"}",
        "{\"Message\":\"An error has occurred.\",\"ExceptionMessage\":\"x\",\"ExceptionType\":\"y\",\"StackTrace\":\"z\"}",
        "{\"error_code\":500,\"error_message\":\"x\"}",
        "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}",
        "{\"code\":\"NotFound\",\"description\":\"no such collection: not found\"}",
        "{\"error\":{\"code\":400},\"request_id\":\"x\",\"url\":\"/a\",\"method\":\"GET\"}",
    ] {
        for name in NAMES {
            assert!(refused(name, "", error.as_bytes()), "{name} {error}");
            assert!(refused(name, "application/json", error.as_bytes()), "{name} {error}");
        }
    }
    for data in [
        "[]",
        "[{}]",
        "[[\"time\",\"error\"],[1,2]]",
        "[{\"error\":0.5},{\"error\":0.6}]",
        "[{\"error\":\"0.5\"}]",
        "[{\"error\":\"none\"}]",
        "{\"error\":\"±0.5 arcsec\",\"description\":\"a position\",\"id\":3}",
        "{\"error\":\"5%\",\"url\":\"/a\"}",
        "{\"errors\":\"none\",\"events\":[]}",
        "{\"error\":{\"mean\":0.1,\"rms\":0.2}}",
        "[{\"error\":\"no\"},{\"flux\":1}]",
        "[{\"timestamp\":\"2015-12-11\",\"message\":\"WARNING: K-index of 5 exceeded\"}]",
        "[{\"message\":\"GPS may fail\"},{\"message\":\"HF radio unavailable\"}]",
        "[{\"product_id\":\"A20F\",\"issue_datetime\":\"2015-12-11\",\"message\":\"ALERT: fail\"}]",
        "[{\"code\":200,\"message\":\"ok\"}]",
        "{\"url\":\"/a\",\"id\":500}",
        "{\"description\":\"errors of the fit\"}",
        "{\"kind\":\"flare\",\"code\":512,\"reason\":\"x\"}",
    ] {
        for name in ["a.json", "a.txt", "a"] {
            assert!(!refused(name, "application/json", data.as_bytes()), "{name} {data}");
        }
    }
}

#[test]
fn a_votable_that_says_that_its_query_failed_is_refused_however_it_is_written() {
    let table = |status: &str| format!("<VOTABLE><RESOURCE type='results'>{status}</RESOURCE></VOTABLE>");
    let rows = "<TR><TD>2015-12-11T00:00:00</TD></TR>\n".repeat(4000);
    for error in [
        "<vo:VOTABLE xmlns:vo='x'><vo:RESOURCE><vo:INFO name=\"QUERY_STATUS\" value=\"ERROR\">no</vo:INFO>",
        &table("<INFO name = \"QUERY_STATUS\" value = \"ERROR\">no</INFO>"),
        &table("<INFO value='ERROR'\n  name='QUERY_STATUS'/>"),
        &table("<INFO ID=\"a\" value =\"error\" name= 'QUERY_STATUS'>a > b</INFO>"),
        &table("<INFO name=\"QUERY_STATUS\" value=\"OK\"/><INFO name=\"QUERY_STATUS\" value=\"ERROR\"/>"),
        &table("<INFO ucd=\"a>b\" name=\"QUERY_STATUS\" value=\"ERROR\"/>"),
        // Of a cone search (SCS 1.03, 2.3).
        "<VOTABLE><INFO ID=\"Error\" name=\"Error\" value=\"no such day\"/></VOTABLE>",
        "<VOTABLE><RESOURCE><PARAM name='Error' datatype='char' arraysize='*' value='no'/></RESOURCE></VOTABLE>",
        // It failed while it wrote the rows (DALI 1.1, 4.4.1).
        &table(&format!("<TABLE>{rows}</TABLE><INFO name='QUERY_STATUS' value='ERROR'>timeout</INFO>")),
    ] {
        for name in ["a.vot", "a.xml", "a.dat", "a"] {
            assert!(refused(name, "application/x-votable+xml", error.as_bytes()), "{name} {error:.300}");
        }
    }
    for data in [
        table("<INFO name=\"QUERY_STATUS\" value=\"OK\"/>"),
        table("<INFO name=\"QUERY_STATUS\" value=\"OVERFLOW\"/>"),
        table("<!-- <INFO name=\"QUERY_STATUS\" value=\"ERROR\"/> --><TABLE/>"),
        table("<INFO name=\"ERROR\" value=\"QUERY_STATUS\"/><TABLE/>"),
        table("<INFO name=\"QUERY_STATUS\" value=\"OK\">value=\"ERROR\"</INFO>"),
        table("<INFO name=\"note\" value=\"QUERY_STATUS value='ERROR'\"/>"),
        table("<TABLE><FIELD name=\"error\"/><PARAM name='error' value='0.5'/><DATA/></TABLE>"),
        table("<INFO name='Error' value='0.1'/><TABLE><DATA/></TABLE>"),
        table("<INFO name='Error' value=''/>"),
        table(&format!("<TABLE>{rows}</TABLE>")),
    ] {
        assert!(!refused("a.vot", "", data.as_bytes()) && !refused("a", "", data.as_bytes()), "{data:.300}");
    }
}

/// What servers, proxies and programs answer with in place of a file.
const MESSAGES: &[&str] = &[
    "404 Not Found",
    "404: Not Found",
    "404 - Not Found\n",
    "Not Found",
    "Error 404: Not Found",
    "HTTP 503 Service Unavailable",
    "HTTP Error 503. The service is unavailable.",
    "error code: 520",
    "error code: 1015",
    "Error 503",
    "500 Internal Server Error\r\n",
    "Internal Server Error",
    "\"Internal Server Error\"",
    "Internal server error.",
    "Service Unavailable",
    "Service temporarily unavailable\n",
    "Service Unavailable\n\nThe server is temporarily unable to service your request due to maintenance downtime.\n",
    "Error establishing a database connection",
    "ERROR: database is locked",
    "sqlite3.OperationalError: database is locked",
    "java.net.ConnectException: Connection refused (Connection refused)",
    "Stale file handle\n",
    "The specified key does not exist.",
    "The service is unavailable.",
    "upstream request timeout",
    "no healthy upstream",
    "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
    "stream timeout",
    "default backend - 404",
    "404 page not found",
    "404 File not found",
    "File not found.\n",
    "No input file specified.",
    "504 Gateway Time-out",
    "Gateway Timeout",
    "Bad Gateway",
    "502 Bad Gateway\nnginx/1.18.0\n",
    "503 Service Unavailable\nNo server is available to handle this request.\n",
    "Too Many Requests",
    "429 Too Many Requests",
    "Rate limit exceeded",
    "Access Denied",
    "Access denied.",
    "403 Forbidden",
    "Forbidden",
    "Unauthorized",
    "401 Unauthorized",
    "520 Web server returned an unknown error",
    "RBAC: access denied",
    "Error: could not connect to the database\n",
    "ERROR: connection refused",
    "Fatal error - unable to open file",
    "Could not connect to MySQL: Too many connections",
    "Database connection failed",
    "Connection timed out",
    "Error {\n    code = 404;\n    message = \"Not Found: no such dataset\";\n};\n",
    "Error {\n  code=500; message=\"x\";\n}",
];

/// What data may look like.
const DATA: &[&str] = &[
    "404",
    "404\n",
    "500 1\n",
    "503 12 7\n",
    "404,Not Found\n",
    "error\n",
    "error,code\n0.5,404\n",
    "error\n0.5\n",
    "Error: 0.5\n",
    "error: none\n",
    "Errors:\n1 2\n3 4\n",
    "timeout\n",
    "404 Not Found 12\n405 Found 13\n406 Found 14\n",
    "mean.error: 0.5",
    "database is locked at 3 of 24 sites",
    "500 samples missing\n",
    "Not found:\na.fits\nb.fits\n",
    "Not found in the archive: 3 files of AIA\n",
    "Gone\n",
    "Locked\n",
    "Conflict\n",
    "No data: the instrument was in maintenance.\n",
    "data are not available for this day\n",
    "Service log\n500 Internal Server Error\n",
    ":Product: Solar Region Summary\n:Issued: 2015 Dec 11 0030 UTC\n# I. Regions with Sunspots\nNone\n",
    "# Prepared by NOAA\n#\n# Missing data: -1.00e+05\n2015 12 11 0000 57367 0 1.5e-06\n",
    "Forbidden line of [Fe XIV] at 5303 A\n",
    "503 Service Unavailable is what it says\n1 2 3\n4 5 6\n7 8 9\n",
];

#[test]
fn a_text_that_is_nothing_but_a_message_of_http_is_refused() {
    for message in MESSAGES {
        for name in NAMES {
            assert!(refused(name, "", message.as_bytes()), "{name} {message}");
            assert!(refused(name, "text/plain; charset=utf-8", message.as_bytes()), "{name} {message}");
        }
        assert!(refused("a.txt", "", &utf16(message, b"\xff\xfe", u16::to_le_bytes)), "{message}");
    }
    for data in DATA {
        for name in ["a.txt", "a.dat", "a.csv", "a"] {
            assert!(!refused(name, "", data.as_bytes()), "{name} {data}");
        }
    }
    for name in ["run.log", "a.md", "a.py", "a.html"] {
        assert!(!refused(name, "", b"404 Not Found"), "{name}");
    }
}
