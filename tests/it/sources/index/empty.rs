//! A folder without files of its day: which ones are those of a day that has none.

use super::believed::{days_after, second_day};
use super::*;

const OWN: &str = "/data/2015/12/11/";

fn folder_of(day: u32, hrefs: &[&str]) -> String {
    let entries: Vec<Entry> = hrefs.iter().map(|href| Entry::new(href, 100)).collect();
    page(Form::Nginx, &format!("/data/2015/12/{day}/"), &entries)
}

#[test]
fn l_06_a_folder_that_holds_folders_alone_is_no_empty_day() {
    for (form, hrefs) in [
        (Form::Nginx, &["raw/"][..]),
        (Form::Apache, &["H0000/", "H0100/"]),
        (Form::Lighttpd, &["/data/2015/12/11/level1/"]),
        (Form::Nginx, &["README", "fits/"]),
        (Form::Nginx, &["n20151211_07.fits", "moved/"]),
        (Form::Apache, &["H00", "H01"]),
    ] {
        let entries: Vec<Entry> = hrefs.iter().map(|href| Entry::new(href, 100)).collect();
        let (lab, _server) = second_day(&page(form, OWN, &entries));
        let report = lab.report(1);
        let (class, message) = failure(&report);
        assert_eq!(class, "listing-malformed", "{message}");
        assert!(message.contains("no file fits `files`, and folders are there, such as"), "{message}");
        assert_eq!(lab.days("data").len(), 2, "{hrefs:?}");
    }
}

#[test]
fn l_06_a_note_on_the_pages_of_other_days_says_nothing_against_a_day_without_files() {
    let noted = |page: String, words: &str| page.replace("</body>", &format!("<p>{words}</p></body>"));
    let known = "Please log in to upload files";
    let pages = [noted(folder_of(11, &[]), known), noted(noted(folder_of(12, &[]), "Permission denied"), known)];
    let (lab, server) = days_after(&pages);
    let first = page(Form::Nginx, "/data/2015/12/10/", &[Entry::new("x_20151210_0600.fits", 5760)]);
    server.script("/data/2015/12/10/", [Answer::text("text/html", &noted(first, known))]);
    let report = lab.report(4);
    assert_eq!(report["totals"]["days"]["sealed"], 2, "{report:#}");
    assert!(failure(&report).1.contains("Permission denied"), "{report:#}");
}

#[test]
fn l_06_folders_that_other_days_have_beside_their_files_are_there_on_a_day_without_files_too() {
    let pages = [folder_of(11, &["thumbs/", "run_20151211/"]), folder_of(12, &[".cache/", "@eaDir/", "lost+found/"])];
    let (lab, server) = days_after(&pages);
    let first = ["x_20151210_0600.fits", "thumbs/", "run_20151210/"].map(|href| Entry::new(href, 5760));
    let first = page(Form::Nginx, "/data/2015/12/10/", &first);
    server.script("/data/2015/12/10/", [Answer::text("text/html", &first)]);
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 3);
}

#[test]
fn l_06_the_folder_of_a_month_that_holds_folders_of_days_alone_is_none_of_empty_days() {
    for (hrefs, exit) in [(&["10/", "11/", "12/"][..], 1), (&["docs/"], 0)] {
        let server = serving(&[]);
        let entries: Vec<Entry> = hrefs.iter().map(|href| Entry::new(href, 100)).collect();
        server.script("/data/2015/12/", [Answer::text("text/html", &page(Form::Nginx, "/data/2015/12/", &entries))]);
        let job = job(&server, "path: \"%Y/%m/\", files: \"x_%Y%m%d_%H%M.fits\"").retry("{ attempts: 1 }");
        let report = lab(&job).report(exit);
        assert_eq!(report["totals"]["days"]["sealed"], 1 - exit, "{report:#}");
    }
}

#[test]
fn l_06_a_note_that_the_files_are_out_of_reach_is_no_empty_day() {
    for name in
        ["README_OFFLINE.txt", "MAINTENANCE", "data-unavailable.html", "00_MOVED.txt", "ON_TAPE", "SEE_NEW_SERVER.md"]
    {
        let (lab, _server) = second_day(&folder_of(11, &[name]));
        let report = lab.report(1);
        let (class, message) = failure(&report);
        assert_eq!(class, "listing-malformed", "{message}");
        assert!(message.contains(&format!("a note named `{name}`")), "{message}");
        assert_eq!(lab.days("data").len(), 2, "{name}");
    }
}

/// An empty folder's page with this before its list.
fn saying(day: u32, what: &str) -> String {
    folder_of(day, &[]).replace("<hr><pre>", &format!("{what}<hr><pre>"))
}

#[test]
fn l_06_a_page_without_files_that_says_what_no_page_with_files_says_is_no_empty_day() {
    let wrong = [
        "<p>The files of this day have been moved to the tape library.</p>",
        "<p>On tape</p>",
        "<meta http-equiv=\"refresh\" content=\"0; url=/new/\">",
        "<iframe src=\"/list?day=11\"></iframe>",
        "<script>window.location.href = '/login';</script>",
        "<div id=\"root\"></div><script src=\"/static/app.js\"></script>",
        "<noscript>Please turn on JavaScript to see the files</noscript>",
        "<h2>Maintenance</h2>",
        "<a href=\"/new/\">The files have moved to the new server</a>",
        "<img src=x.png alt=\"These files are on tape\">",
        "<p>24 files, 138240 bytes</p>",
    ];
    let (lab, _server) = days_after(&(11..).zip(wrong).map(|(day, what)| saying(day, what)).collect::<Vec<_>>());
    let report = lab.report(4);
    assert_eq!(report["totals"]["days"]["sealed"], 1, "{report:#}");
    let failures = report["failures"].as_array().expect("failures");
    assert!(failures.iter().all(|failure| failure["class"] == "html"), "{report:#}");

    // What stands there on days with files says nothing of those without; nor does what is said of the folder itself.
    let right = [
        "<p>Solar archive. Contact: sun@h.example, update of 2015-12-11</p><script>if (location.hash) {}</script>",
        "<p>This directory is empty.</p>",
        "<p>0 files, 0 bytes total</p><address>Apache/2.4.57 (Debian) Server at h Port 80</address>",
        "<h2>/data/2015/12/14/</h2>",
        "<p>There are no files in this directory.</p><address>Apache Server at 127.0.0.1 Port 80</address>",
        "<a href=\"/data/2015/\">Zum Ordner des ganzen Jahres</a>",
    ];
    let (lab, server) = days_after(&(11..).zip(right).map(|(day, what)| saying(day, what)).collect::<Vec<_>>());
    let first = page(Form::Nginx, "/data/2015/12/10/", &[Entry::new("x_20151210_0600.fits", 5760)]);
    let known = right[0].replace("2015-12-11", "2015-12-10");
    let first = first.replace("<hr><pre>", &format!("{known}<hr><pre>"));
    server.script("/data/2015/12/10/", [Answer::text("text/html", &first)]);
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 7);
}

/// Pages of empty folders as servers write them under a title of their own, and what becomes of the day.
#[test]
fn l_06_an_empty_folder_is_known_by_what_servers_write_under_a_title_of_ones_own() {
    let sorted = "<a href=\"?C=N;O=D\">Name</a> <a href=\"?C=M;O=A\">Last modified</a> <a href=\"?C=S;O=A\">Size</a>";
    let own = "<title>Solar archive</title><h1>Solar archive</h1>";
    let table = [
        ("Apache, own header", format!("{own}<pre>{sorted}<hr><a href=\"/data/2015/12/\">Parent Directory</a>\n</pre>"), true),
        ("Apache, own header, at the root", format!("{own}<pre>{sorted}<hr></pre>"), true),
        ("Apache, without sorting", format!("{own}<table><tr><th>Name</th><th>Last modified</th><th>Size</th></tr><tr><td><a href=\"/data/2015/12/\">Parent Directory</a></td></tr></table>"), true),
        ("fancyindex, own header", format!("{own}<table id=\"list\"><thead><tr><th><a href=\"?C=N&amp;O=A\">File Name</a>&nbsp;<a href=\"?C=N&amp;O=D\">&nbsp;&darr;&nbsp;</a></th></tr></thead><tbody><tr><td class=\"link\"><a href=\"../\">Parent directory/</a></td><td>-</td></tr></tbody></table></body>"), true),
        ("nginx, sub_filter", format!("<html><head>{own}</head><body><hr><pre><a href=\"../\">../</a>\n</pre><hr></body></html>"), true),
        ("Caddy", "<title>11/</title><h1><a href=\"/\">h</a>/<a href=\"../\">2015</a></h1><table><thead><tr><th><a href=\"./?sort=name&order=desc\">Name</a></th><th><a href=\"./?sort=size&order=asc\">Size</a></th></tr></thead><tbody><tr><td><a href=\"..\"><span class=\"goup\">Up</span></a></td></tr></tbody></table></body></html>".to_owned(), true),
        ("IIS", "<html><head><title>h - /data/2015/12/11/</title></head><body><H1>h - /data/2015/12/11/</H1><hr><pre><A HREF=\"/data/2015/12/\">[Zum Überordner]</A><br><br></pre><hr></body></html>".to_owned(), true),
        ("Python", "<!DOCTYPE HTML><html><head><title>Directory listing for /data/2015/12/11/</title></head><body><h1>Directory listing for /data/2015/12/11/</h1><hr><ul></ul><hr></body></html>".to_owned(), true),
        ("Jetty", "<HTML><HEAD><TITLE>Directory: /data/2015/12/11/</TITLE></HEAD><BODY><H1>Directory: /data/2015/12/11/</H1><TABLE><TR><TD><A HREF=\"/data/2015/12/\">Parent Directory</A></TD></TR></TABLE></BODY></HTML>".to_owned(), true),
        ("Tomcat", "<html><head><title>Directory Listing For [/data/2015/12/11/]</title></head><body><h1>Directory Listing For [/data/2015/12/11/] - <a href=\"/data/2015/12\"><b>Up To [/data/2015/12]</b></a></h1><table></table></body></html>".to_owned(), true),
        ("Go", "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n</pre>\n".to_owned(), true),
        ("h5ai", "<!DOCTYPE html><html><head><title>index - powered by h5ai v0.30.0 (https://larsjung.de/h5ai/)</title></head><body id=\"root\"><div id=\"fallback\"><table><tr><th></th><th><span>Name</span></th><th><span>Last modified</span></th><th><span>Size</span></th></tr><tr><td></td><td><a href=\"..\">Parent Directory</a></td><td></td><td></td></tr></table></div></body></html>".to_owned(), true),
        ("Hyrax", "<html><head><title>OPeNDAP Hyrax: Contents of /data/2015/12/11/</title></head><body><table></table></body></html>".to_owned(), true),
        ("serve-index", "<html><head><title>listing directory /data/2015/12/11/</title></head><body><h1><a href=\"/\">~</a> / <a href=\"/data\">data</a></h1><ul id=\"files\"><li><a href=\"/data/2015/12\" class=\"icon icon-directory\"><span class=\"name\">..</span></a></li></ul></body></html>".to_owned(), true),
        ("Subversion", "<html><head><title>sun - Revision 12: /data/2015/12/11</title></head><body><h2>sun - Revision 12: /data/2015/12/11</h2><ul><li><a href=\"../\">..</a></li></ul></body></html>".to_owned(), true),
        ("a title around the folder", "<title>Solar archive: /data/2015/12/11/ (level 1)</title><table></table></body>".to_owned(), true),
        // Scripts fill these in.
        ("MinIO console", "<!doctype html><html><head><title>MinIO Console</title></head><body><noscript>You need to enable JavaScript to run this app.</noscript><div id=\"root\"></div></body></html>".to_owned(), false),
        ("S3 explorer", "<html><head><title>AWS S3 Explorer</title></head><body><table><thead><tr><th>Object</th><th>Name</th><th>Last Modified</th><th>Size</th></tr></thead><tbody></tbody></table></body></html>".to_owned(), false),
        ("to log in", format!("{own}<form>Name <input name=u></form><a href=\"../\">..</a></body>"), false),
        ("a login with the folder in an address", "<title>Portal ?to=/data/2015/12/11/&amp;x=1</title><a href=\"../\">..</a></body>".to_owned(), false),
    ];
    // One run for all: each empty day waits for its second look.
    let pages = (11..).zip(&table).map(|(day, (_, page, _))| page.replace("2015/12/11", &format!("2015/12/{day}")));
    let pages = (11..).zip(pages).map(|(day, page)| page.replace(">11/<", &format!(">{day}/<")));
    let (lab, _server) = days_after(&pages.collect::<Vec<_>>());
    lab.run().start().done_any();
    let report = lab.json("report.json");
    let mut wrong = Vec::new();
    for (day, (what, _, is_empty)) in (11..).zip(&table) {
        let date = format!("2015-12-{day}");
        let failures = report["failures"].as_array().expect("failures");
        let failed = failures.iter().find(|failure| failure["date"] == *date);
        if failed.is_none_or(|failure| failure["class"] != "html") != *is_empty {
            wrong.push((what, failed));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
