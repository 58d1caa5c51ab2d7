//! Which bodies are refused as web pages and error messages, and which are data.

mod messages;
mod traces;

use super::*;
use crate::fetch::file_end::Tail;

/// Whether a body is refused, which must not depend on how it is cut.
fn refused(name: &str, content_type: &str, body: &[u8]) -> bool {
    let content_type = Some(content_type).filter(|text| !text.is_empty());
    let verdicts = [1, 2, 5, usize::MAX].map(|piece| {
        let (mut start, mut tail) = (Start::default(), Tail::default());
        let head = &body[..body.len().min(magic::ENOUGH)];
        for bytes in body.chunks(piece.min(body.len().max(1))) {
            start.push(bytes);
            tail.push(head, bytes);
        }
        start.end();
        objection(PageBody { name, content_type, head, start: &start, tail: tail.last() }).is_some()
    });
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{name} {content_type:?}");
    verdicts[0]
}

fn utf16(text: &str, mark: &[u8], encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.iter().copied().chain(text.encode_utf16().flat_map(encode)).collect()
}

#[test]
fn b_12_a_page_is_known_by_its_first_tag_whatever_stands_before_it() {
    let pages = [
        "<!DOCTYPE html><html><body>back at 10:00</body></html>",
        "<!doctype HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">",
        "<html>",
        "<HTML lang=en>",
        "<head><title>503</title></head>",
        "<!-- served by x --><html><body>back</body></html>",
        "<!-- never closed",
        "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"x\"><html xmlns=\"x\">",
        "<?xml version='1.0'?><!-- x --><h:html xmlns:h='x'>",
        "<h1>Service Unavailable</h1>",
        "<center><h1>502 Bad Gateway</h1></center>",
        "<meta http-equiv=\"refresh\" content=\"0; url=/login\">",
        "<script>location=\"/login\"</script>",
        "<br />\n<b>Fatal error</b>: Out of memory",
        "<title>Sign in</title>",
    ];
    for page in pages {
        for name in ["a.dat", "a.txt", "a.csv", "a.cdf", "a.sav", "sharp_720s_20151211_182208", "a.fits"] {
            assert!(refused(name, "", page.as_bytes()), "{name} {page}");
            assert!(refused(name, "application/octet-stream", page.as_bytes()), "{name} {page}");
        }
        for body in [
            ["\u{feff}", page].concat().into_bytes(),
            ["\n".repeat(20_000).as_str(), page].concat().into_bytes(),
            ["\u{feff}\r\n\t ", page].concat().into_bytes(),
            utf16(page, b"\xff\xfe", u16::to_le_bytes),
            utf16(page, b"\xfe\xff", u16::to_be_bytes),
            utf16(page, b"", u16::to_le_bytes),
            utf16(page, b"", u16::to_be_bytes),
            utf16(&["\n ", page].concat(), b"\xff\xfe", u16::to_le_bytes),
        ] {
            assert!(refused("a.dat", "", &body), "{page} {:?}", &body[..8]);
        }
        assert!(!refused("a.html", "text/html", page.as_bytes()), "{page}");
    }
    assert!(refused("a.xml", "", b"<!DOCTYPE html><html>") && refused("a.svg", "", b"<html>"));
}

#[test]
fn b_14_an_error_message_in_xml_or_json_is_no_data() {
    let store = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SlowDown</Code></Error>";
    for name in ["a.dat", "a.txt", "a.csv", "a.xml", "a"] {
        for content_type in ["application/xml", "", "text/plain"] {
            assert!(refused(name, content_type, store.as_bytes()), "{name}");
        }
    }
    assert!(refused("a.dat", "", b"<ows:ExceptionReport xmlns:ows='x'/>"));
    for error in [
        "{\"error\":\"try later\"}",
        "{\"message\":\"Service Unavailable\"}",
        "{\"status\":503}",
        "{\"Error\":{\"Code\":\"x\"}}",
        "{\"errors\":[{\"title\":\"x\"}]}",
        " {\"detail\":\"Not authenticated\"}\n",
    ] {
        for name in ["a.dat", "a.txt", "a.csv", "download", "efz20040301.000010"] {
            assert!(refused(name, "application/json; charset=utf-8", error.as_bytes()), "{name} {error}");
            assert!(refused(name, "text/plain", error.as_bytes()), "{name} {error}");
            assert!(refused(name, "", error.as_bytes()), "{name} {error}");
        }
        for content_type in ["application/problem+json", "application/json", ""] {
            assert!(refused("a.json", content_type, error.as_bytes()), "{error}");
        }
    }
}

#[test]
fn a_content_type_that_contradicts_the_name_counts_for_text_alone() {
    for (name, content_type, body, is_refused) in [
        ("a.dat", "text/html", &b"Service temporarily unavailable\n"[..], true),
        ("a.csv", "Text/HTML ; charset=utf-8", b"1,2,3\n", true),
        ("a.txt", "application/xhtml+xml", b"1,2,3\n", true),
        ("a.dat", "text/html", b"", true),
        ("a.png", "text/html", b"Service temporarily unavailable\n", true),
        ("a.dat", "text/html", b"\x01\x02\x03data", false),
        ("a.fits", "text/html", b"SIMPLE  =                    T", false),
        ("a", "text/html", b"SIMPLE  =                    T", false),
        ("a.cdf", "text/html", b"\xcd\xf3\x00\x01\x00\x00\xff\xff", false),
        ("a.xml", "text/html", b"<?xml version='1.0'?><VOTABLE>", false),
        ("a.html", "text/html", b"Service temporarily unavailable\n", false),
        ("a.dat", "application/json", b"{\"data\":[1,2]}", false),
        ("a.cdf", "application/json", b"{\"data\":[1,2]}", true),
        ("a.csv", "application/json", b"[1,2]", true),
        ("a.txt", "application/json", b"{\"data\":[1,2]}", false),
        ("a.dat", "application/json", b"1,2,3\n", false),
        ("a.dat", "text/plain", b"Service will end in 2030\n", false),
        ("a.dat", "", b"", false),
    ] {
        assert_eq!(refused(name, content_type, body), is_refused, "{name} {content_type} {body:?}");
    }
}

#[test]
fn data_that_looks_like_markup_is_data() {
    for (name, body) in [
        ("a.dat", &b"<1 2 3"[..]),
        ("a.dat", b"<bcd 1"),
        ("a.dat", b"<a"),
        ("a.txt", b"{\"error\":0.5}"),
        ("a.dat", b"<?xml version='1.0'?><table><row/></table>"),
        ("a.xml", b"<!-- a table --><table/>"),
        ("a.xml", b"<error>0.5</error>"),
        ("a.vot", b"<!-- x --><!DOCTYPE VOTABLE SYSTEM 'x' [<!ENTITY a 'b'>]><VOTABLE>"),
        ("a.dat", b"<!-- x --><VOTABLE>"),
        ("a.txt", b"<!-- a --> \n <!-- b -->\n1 2 3\n"),
        ("a.dat", b"<result><errors>0</errors><row>1</row></result>"),
        ("a.dat", b"<?xml version='1.0'?><response><errors /><row>1</row></response>"),
        ("README.md", b"<p align=\"center\">Title</p>\n\n# README\n"),
        ("README.md", b"<!-- x -->\n# README\n"),
        ("a.rst", b"<b>x</b>\n"),
        ("a.php", b"<?php echo 1; ?>"),
        ("a.dat", b"<!DOCTYPE VOTABLE SYSTEM 'html'><VOTABLE>"),
        ("a.dat", b"\0\0\xff\xff<html>"),
    ] {
        assert!(!refused(name, "", body), "{name} {}", String::from_utf8_lossy(body));
    }
    assert!(!refused("a.txt", "application/json", b"{\"error\":0.5,\"status\":1}"));
    for page in ["<!-- a --> \n <!-- b -->back soon", "<!-- a -->"] {
        assert!(refused("a.csv", "", page.as_bytes()) && refused("a.cdf", "", page.as_bytes()), "{page}");
    }
    for page in ["<!-- x --><h1>503", "<!-- x --><h1>503</h1>", "<!-- x -->503</h1>"] {
        assert!(refused("a.txt", "", page.as_bytes()), "{page}");
    }
    assert!(refused("README.md", "", b"<!DOCTYPE html><html>") && refused("a.log", "", b"<html>"));
}

/// Data in JSON with words that errors have too.
const JSON_DATA: &[&str] = &[
    "{\"data\":[1,2]}",
    "{\"message\":\"ok\",\"status\":200,\"data\":[[1,2]]}",
    "{\"HAPI\":\"3.0\",\"status\":{\"code\":1200,\"message\":\"OK\"},\"data\":[[1]]}",
    "{\"error\":0.5,\"status\":1}",
    "{\"error\":null,\"flux\":1}",
    "{\"errors\":[0.1,0.2],\"flux\":[1,2]}",
    "{\"success\":true,\"rows\":[]}",
    "[{\"time_tag\":\"2015-12-11 00:00:00\",\"flux\":1}]",
    "{\"time\":1}\n{\"time\":2}\n",
    "{\"details\":{\"instrument\":\"AIA\"},\"exposure\":2.9}",
    "{\"code\":512,\"name\":\"HMI\"}",
    "{\"message\":\"ok\",\"records\":2}",
    "{\"message\":\"ok\"}",
    "{\"status\":\"ERROR\",\"quality\":3}",
    "{\"error\":{\"code\":1},\"rows\":[[1,2]]}",
    "{\"detail\":\"high\",\"results\":[]}",
    "{\"type\":\"alert\",\"title\":\"GPS\",\"message\":\"Receivers may fail\"}",
    "{\"code\":200,\"message\":\"0 failed\"}",
    "{\"status\":\"ok\",\"message\":\"0 errors\"}",
];

#[test]
fn an_error_message_in_json_is_refused_whatever_is_due() {
    for error in [
        "{\"error\": {\"code\": 404, \"message\": \"no\"}}",
        "{\"status\":500,\"message\":\"Internal Server Error\",\"path\":\"/a\"}",
        "{\"detail\":\"Not found\"}",
        "{\"detail\":[{\"loc\":[\"query\",\"day\"],\"msg\":\"field required\"}]}",
        "{\"success\":false,\"result\":null}",
        "{\"status\":\"error\"}",
        "{\"statusCode\":\"503\"}",
        "{\"HAPI\":\"3.0\",\"status\":{\"code\":1406,\"message\":\"Bad request\"}}",
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}",
        "{\"code\":5,\"message\":\"Not Found\",\"details\":[{\"x\":1}]}",
        "{\"message\":\"Endpoint request timed out\"}",
        "{\"status\":\"fail\",\"message\":\"no\"}",
        "{\"error\":{\"code\":\"NoSuchKey\",\"message\":\"x\"}}",
        "{\"HAPI\":\"3.0\",\"status\":{\"code\":1500,\"message\":\"no\"},\"x_id\":1}",
        "{\"data\":null,\"errors\":[{\"message\":\"no\"}]}",
        "\u{feff}{\"error\":\"no\"}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"error\":\"no\"}",
    ] {
        for name in ["a.dat", "a.txt", "a.csv", "a.cdf", "a.sav", "a.xml", "a", "a.json"] {
            for content_type in ["", "text/plain", "application/octet-stream"] {
                assert!(refused(name, content_type, error.as_bytes()), "{name} {content_type} {error}");
            }
        }
    }
    let trace =
        format!("{{\"status\":500,\"error\":\"Internal Server Error\",\"trace\":\"{}\"}}", "at x.y\\n".repeat(5000));
    assert!(refused("a.dat", "", trace.as_bytes()));
    for data in JSON_DATA {
        for (name, content_type) in [
            ("a.dat", "text/plain"),
            ("a.dat", "application/json"),
            ("a.txt", ""),
            ("a", ""),
            ("a.hdr", "application/json"),
            ("a.meta", ""),
            ("a.json", "application/json"),
        ] {
            assert!(!refused(name, content_type, data.as_bytes()), "{name} {content_type} {data}");
        }
    }
}

#[test]
fn an_error_message_in_xml_is_refused_even_where_xml_is_due() {
    for error in [
        "<soap:Envelope xmlns:soap='x'><soap:Body><soap:Fault><faultcode>x</faultcode></soap:Fault></soap:Body></soap:Envelope>",
        "<?xml version=\"1.0\"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV='x'><SOAP-ENV:Header><a><b/></a></SOAP-ENV:Header><SOAP-ENV:Body><SOAP-ENV:Fault>",
        "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>no</Message></Error>",
        "\u{feff}<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>",
        "<Error>\n  <Message>no</Message></Error>",
        "<ServiceExceptionReport version='1.3.0'><ServiceException>no</ServiceException></ServiceExceptionReport>",
        "<!DOCTYPE ServiceExceptionReport SYSTEM 'x'><ServiceExceptionReport>",
        "<ServiceException>no</ServiceException>",
        "<ows:ExceptionReport xmlns:ows='x'><ows:Exception exceptionCode='x'/></ows:ExceptionReport>",
        "<ErrorResponse xmlns='x'><Error><Type>Sender</Type></Error></ErrorResponse>",
        "<VOTABLE><RESOURCE type='results'><INFO name=\"QUERY_STATUS\" value=\"ERROR\">no</INFO></RESOURCE></VOTABLE>",
    ] {
        for name in ["a.dat", "a.txt", "a.csv", "a.xml", "a.vot", "a.cdf", "a"] {
            for content_type in ["", "text/plain", "text/xml", "application/octet-stream"] {
                assert!(refused(name, content_type, error.as_bytes()), "{name} {content_type} {error}");
            }
        }
    }
    for error in [
        "<Response><Errors><Error/></Errors></Response>",
        "<Fault xmlns='x'><Code/></Fault>",
        "<OAI-PMH><error code='x'/></OAI-PMH>",
    ] {
        assert!(refused("a.dat", "", error.as_bytes()) && !refused("a.xml", "", error.as_bytes()), "{error}");
    }
    for data in [
        "<soap:Envelope xmlns:soap='x'><soap:Body><data/></soap:Body></soap:Envelope>",
        "<Response><Row/></Response>",
        "<VOTABLE><RESOURCE><INFO name=\"QUERY_STATUS\" value=\"OK\"/></RESOURCE></VOTABLE>",
        "<errors>",
    ] {
        assert!(!refused("a.xml", "", data.as_bytes()), "{data}");
        assert!(data == "<errors>" || !refused("a.dat", "", data.as_bytes()), "{data}");
    }
}

#[test]
fn a_page_is_known_behind_a_printed_head_and_by_rare_tags() {
    for page in [
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\n\r\n<html>",
        "HTTP/1.0 404 Not Found\nServer: x\n\nno such file",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>back soon",
        "Content-type: text/html\n\n<html><body>",
        "Status: 500 Internal Server Error\nContent-Type: text/plain\n\nno",
        "<font color=red>no</font>",
        "<p>back soon",
        "<i>back soon</i>",
        "<blockquote>no",
        "<?xml version='1.0'?>\n<center>no</center>",
        "<!-- x -->\r\n<?xml version='1.0'?><p>no</p>",
        "<?php\nmysqli_connect();",
    ] {
        for name in ["a.dat", "a.txt", "a.csv", "a.sav", "a"] {
            assert!(
                refused(name, "", page.as_bytes()) && refused(name, "text/plain", page.as_bytes()),
                "{name} {page}"
            );
        }
        assert!(refused("a.dat", "", &utf16(page, b"\xff\xfe", u16::to_le_bytes)), "{page}");
    }
    for data in [
        "HTTP requests by day\n1,2\n",
        "Station: Kanzelhoehe\nContent: spots\n\n1 2 3\n",
        "a: 1\n",
        "From: a\nSubject: b\nContent-Type: text/plain\nStatus: 500\n\nhello\n",
        "Title: x\nContent-Type: data\nStatus: 404 of 500 samples\n\n1 2 3\n",
        "Status: 404\nContent-Type: image\nBITPIX: 16\n\ndata\n",
    ] {
        assert!(!refused("a.txt", "", data.as_bytes()), "{data}");
    }
}

#[test]
fn a_text_in_which_a_program_wrote_that_it_failed_is_refused() {
    let rows = "time,flux\n2015-12-11T00:00:00,1.5\n".repeat(3000);
    for message in [
        "<br />\n<b>Fatal error</b>:  Out of memory in <b>/x.php</b> on line <b>3</b><br />\n",
        "<br />\n<b>Warning</b>:  mysqli_connect(): refused in <b>/x.php</b> on line <b>3</b><br />",
        "Fatal error: Maximum execution time of 30 seconds exceeded in /var/www/x.php on line 3\n",
        "PHP Fatal error:  Uncaught Error: no in /x.php:3\nStack trace:\n#0 {main}\n  thrown in /x.php on line 3\n",
        "Parse error: syntax error in /x.php on line 3\n",
        "\nWarning: mysqli_connect(): (HY000/2002): Connection refused in /x.php on line 3\n",
        "Warning: mysqli_query(): MySQL server has gone away in x.php on line 3\n",
        "\r\nNotice: Undefined index: day in C:\\www\\x.php on line 12\r\n",
        "Traceback (most recent call last):\n  File \"/x.py\", line 3, in <module>\nKeyError: 'day'\n",
        "% Execution halted at:  $MAIN$              1\n",
        "<html><body>Service Unavailable</body></html>\n",
    ] {
        for name in ["a.csv", "a.txt", "a.dat", "a"] {
            for body in [[rows.as_str(), message].concat(), [message, rows.as_str()].concat()] {
                let is_page_last = message.starts_with("<html") && body.starts_with("<html");
                assert!(is_page_last || refused(name, "text/csv", body.as_bytes()), "{name} {message}");
            }
        }
        assert!(!refused("a.html", "", [rows.as_str(), message].concat().as_bytes()));
    }
    for text in [
        "# Warning: gaps in data on line 3\n1,2\n",
        "Warning: flux is not calibrated\n1,2\n",
        "Notice: rows begin on line 3\n1,2\n",
        "Traceback (most recent call last):\nis what Python prints\n",
        "1,Fatal error: x on line 3\n",
        "Warning: something(): deprecated\n1 2 3\n",
        "a,b\nNotice: call x(): y,1\n",
        "How to read\nWarning: fopen(): failed in /a/b.php on line 3 is harmless\n",
        "1\nWarning: fopen(): failed in /a/b.php on line 3\n2\n",
        "1\nTraceback (most recent call last):\n  File \"x.py\", line 1\nValueError: x\nretry ok\n",
        "1\n% Execution halted at: $MAIN$\nagain\n",
        "a page ends in\n</html>\n",
    ] {
        for name in ["a.txt", "a.csv", "a"] {
            assert!(!refused(name, "", text.as_bytes()), "{name} {text}");
        }
    }
    for text in [
        "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: x\n",
        "% Compiled module: X\n% Execution halted at: $MAIN$\n",
        "% Variable is undefined: X.\n% Execution halted at:  $MAIN$\n",
        "Fatal error: no in /x.php on line 3\n",
        "PHP sends\n<html></html>\n",
    ] {
        for name in ["run.log", "a.py", "a.pro", "a.md", "a.rst", "a.sh", "a.xml"] {
            assert!(!refused(name, "", text.as_bytes()), "{name} {text}");
        }
        assert!(refused("a.csv", "", text.as_bytes()), "{text}");
    }
    let long = [rows.as_str(), "<html><body>", &"<p>no</p>\n".repeat(3000), "</body></html>\n"].concat();
    assert!(refused("a.csv", "", long.as_bytes()));
    assert!(!refused("a.dat", "", b"\x01\x02\0Fatal error: x on line 3"));
}

#[test]
fn a_table_is_no_page_for_the_brackets_around_its_names() {
    for table in [
        "<a>,<b>\n1,2\n",
        "<title>,<p>,<link>\n",
        "<a>;<b>\r\n1;2\r\n",
        "<a>\t<b>\n1\t2\n",
        "<b>, flux\n1, 2\n",
        "<value>\n1\n2\n",
        "<time>,<error>\n1,2\n",
        "<error>,<code>\n1,2\n",
        "<b 1 2\n<b 3 4\n",
        "<a> <b>\n1 2\n",
        "<b> <l> <flux>\n10.5 -3 1e5\n",
    ] {
        for name in ["a.csv", "a.txt", "a.dat"] {
            for content_type in ["text/csv", "text/plain", ""] {
                assert!(!refused(name, content_type, table.as_bytes()), "{name} {content_type} {table}");
            }
        }
    }
    for page in [
        "<html>\t<body>\nback\tsoon\n",
        "<b>, sorry</b>\n",
        "<p>\t<b>\nback soon\n",
        "<b>\n1\n",
        "<p> <b>\nback soon\n",
    ] {
        assert!(refused("a.csv", "text/plain", page.as_bytes()), "{page}");
    }
}

#[test]
fn rows_of_numbers_are_data_though_they_come_as_a_page() {
    for table in [
        "1,2,3\n4,5,6\n7,8,9\n",
        "# a comment\n; and one\ntime,flux\n2015-12-11T00:00:00Z,1.5e-6\n2015-12-11T00:01:00Z,-1\n2015-12-11T00:02:00Z,0\n",
        "2015 12 11  0.5\n2015 12 12  0.6\n2015 12 13  0.7\n",
        "HAR 12 5\nHAR 13 6\nHAR 14 7",
    ] {
        let long = [table.lines().last().unwrap(), "\n"].concat().repeat(9000);
        for name in ["a.dat", "a.txt", "a.csv", "A.ASC", "a.tab", "a.lst"] {
            assert!(!refused(name, "text/html", table.as_bytes()), "{name} {table}");
            assert!(!refused(name, "text/html; charset=iso-8859-1", long.as_bytes()), "{name} {table}");
        }
        for name in ["a", "a.cdf", "a.png", "a.20151211"] {
            assert!(refused(name, "text/html", table.as_bytes()), "{name} {table}");
        }
    }
    for unclear in [
        "0123456789",
        "1,2,3\n",
        "1,2,3\n4,5,6\n",
        "1,2\n3,4,5\n6,7\n",
        "Service down\nsince 10:00\nuntil 12:00\nby 1\n",
        "1 2\n3 4\n5 6\n<p>7 8\n",
        "{\"data\":[1,2]}",
    ] {
        assert!(refused("a.dat", "text/html", unclear.as_bytes()), "{unclear}");
    }
}

#[test]
fn a_text_of_nothing_but_brackets_is_read_in_one_pass() {
    // Each of them is looked at, and none as far as the end of the text.
    let text = [b"<a >".as_slice(), &vec![b'<'; 256 << 10]].concat();
    assert!(!Markup::read(&text).is_votable());
}
