//! What of a listing is believed: its folder, its times, its sizes, its links.

use super::*;

#[test]
fn l_03_two_digits_of_a_year_are_read_in_the_century_of_the_day() {
    let server =
        serving(&[("/data/1957/dr570704.dat", 1), ("/data/1957/dr570705.dat", 2), ("/data/1957/dr570706.dat", 3)]);
    let lab = lab(&job(&server, "path: \"%Y\", files: \"dr%y%m%d.dat\"").range("1957-07-04", "1957-07-06"));
    lab.report(0);
    assert_eq!(names(&lab), ["dr570704.dat", "dr570705.dat"]);
    assert_eq!(lab.day("data", "x", "1957-07-05").files[0]["time"], "1957-07-05T00:00:00Z");
}

#[test]
fn l_03_a_folder_with_files_of_other_days_alone_is_no_empty_day() {
    let server = serving(&[("/data/2015/12/11/a_20151112.fits", 1), ("/data/2015/12/11/a_20151011.fits", 2)]);
    let report = lab(&job(&server, "path: \"%Y/%m/%d\", files: \"a_%Y%m%d.fits\"")).report(1);
    let (class, message) = failure(&report);
    assert_eq!(class, "listing-malformed", "{message}");
    assert!(message.contains("all that is listed (2) lies outside of 2015-12-11, such as at 2015-10-11T00:00:00"));
}

/// A job over a day whose folder's page is this one; each folder has one file, of other bytes.
fn linking(page: &str) -> (Lab, Server) {
    let server = serving(&[("/data/2015/12/11/a.fits", 1), ("/data/2015/12/12/a.fits", 2), ("/data/store/a.fits", 3)]);
    server.script("/data/2015/12/11/", [Answer::text("text/html", page)]);
    let job = job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\"").retry("{ attempts: 2, max_wait: 1s }");
    (lab(&job), server)
}

#[test]
fn l_03_links_into_the_folder_of_another_day_bring_none_of_its_files() {
    let folder = "/data/2015/12/11/";
    let own = page(Form::Nginx, folder, &[Entry::new("a.fits", 5760)]);
    let based = |base: &str| own.replace("<head>", &format!("<head><base href=\"{base}\">"));
    for wrong in [
        page(Form::Nginx, folder, &[Entry::new("../12/a.fits", 5760)]),
        page(Form::Apache, folder, &[Entry::new("/data/2015/12/12/a.fits", 5760)]),
        based("/data/2015/12/12/"),
        based("../%312/"),
    ] {
        let (lab, _server) = linking(&wrong);
        let report = lab.report(1);
        let (class, message) = failure(&report);
        assert_eq!(class, "listing-malformed", "{message}");
        assert!(
            message.contains("all that is listed (1) lies outside of 2015-12-11, such as at 2015-12-12"),
            "{message}"
        );
        assert!(lab.files("data").is_empty());
    }
    for (right, key) in [
        (page(Form::Nginx, folder, &[Entry::new("../11/a.fits", 5760)]), "2015/12/11/a.fits"),
        (based("/data/store/"), "store/a.fits"),
        // One that leads there beside the day's own is left out.
        (
            page(Form::Nginx, folder, &[Entry::new("a.fits", 5760), Entry::new("../12/a.fits", 5760)]),
            "2015/12/11/a.fits",
        ),
    ] {
        let (lab, _server) = linking(&right);
        lab.report(0);
        let files = lab.day("data", "x", "2015-12-11").files;
        let keys: Vec<_> = files.iter().map(|file| file["key"].as_str().expect("a key")).collect();
        assert_eq!(keys, [key]);
    }
}

/// Three days, of which the second one's folder answers with this page.
pub(super) fn second_day(page: &str) -> (Lab, Server) {
    let server = serving(&[
        ("/data/2015/12/10/x_20151210_0600.fits", 1),
        ("/data/2015/12/10/n20151210_07.fits", 2),
        ("/data/2015/12/12/x_20151212_0600.fits", 3),
        ("/data/2015/12/12/n20151212_07.fits", 4),
    ]);
    server.script("/data/2015/12/11/", [Answer::text("text/html", page)]);
    let job = job(&server, "path: \"%Y/%m/%d/\", files: \"x_%Y%m%d_%H%M.fits\"").range("2015-12-10", "2015-12-13");
    (lab(&job.retry("{ attempts: 4, max_wait: 1s }")), server)
}

#[test]
fn l_03_the_listing_of_another_folder_seals_no_day() {
    let (own, other) = ("/data/2015/12/11/", "/data/2015/12/12/");
    let files = |names: &[&str]| names.iter().map(|name| Entry::new(name, 5760)).collect::<Vec<_>>();
    for (form, folder, entries, says) in [
        (Form::Nginx, other, files(&["x_20151212_0000.fits"]), "all that is listed (1) lies outside of 2015-12-11"),
        (
            Form::Apache,
            own,
            files(&["x_20151212_0000.fits", "x_20151210_2359.fits"]),
            "all that is listed (2) lies outside",
        ),
        (Form::Lighttpd, other, files(&[]), "the listing of another folder: it is titled `Index of /data/2015/12/12/`"),
        (Form::Apache, "/data/", files(&["2015/"]), "the listing of another folder: it is titled `Index of /data`"),
        (Form::Nginx, own, files(&["g20151211_0000.dat"]), "no name fits `files`; 1 other is there, such as `g2015"),
        (Form::Nginx, own, files(&["n20151212_07.fits"]), "no name fits `files`; 1 other is there, such as `n2015"),
        (Form::Apache, own, files(&["a.fits", "README"]), "no name fits `files`; 1 other is there, such as `a.fits`"),
    ] {
        let (lab, _server) = second_day(&page(form, folder, &entries));
        let report = lab.report(1);
        let (class, message) = failure(&report);
        assert_eq!(class, "listing-malformed", "{message}");
        assert!(message.contains(says), "{message}");
        assert_eq!(lab.days("data").len(), 2, "{message}");
    }
}

#[test]
fn l_03_a_folder_that_has_what_lies_there_on_other_days_too_is_that_of_a_day_without_files() {
    let own = "/data/2015/12/11/";
    for entries in [&["n20151211_07.fits"][..], &["README", "SHA256SUMS.txt"], &[]] {
        let entries: Vec<Entry> = entries.iter().map(|name| Entry::new(name, 5760)).collect();
        let (lab, _server) = second_day(&page(Form::Nginx, own, &entries));
        let report = lab.report(0);
        assert_eq!(report["totals"]["days"]["sealed"], 3, "{report:#}");
        assert_eq!(names(&lab), ["x_20151210_0600.fits", "x_20151212_0600.fits"]);
    }
}

/// A job over 2015-12-10, which has a file, and the days after it, whose folders answer with these pages.
pub(super) fn days_after(pages: &[String]) -> (Lab, Server) {
    let server = serving(&[("/data/2015/12/10/x_20151210_0600.fits", 1)]);
    for (day, page) in (11..).zip(pages) {
        server.script(&format!("/data/2015/12/{day}/"), [Answer::text("text/html", page)]);
    }
    let job = job(&server, "path: \"%Y/%m/%d/\", files: \"x_%Y%m%d_%H%M.fits\"");
    let job = job.range("2015-12-10", &format!("2015-12-{}", 11 + pages.len()));
    (lab(&job.retry("{ attempts: 4, max_wait: 1s }")), server)
}

/// An empty folder's page with this title.
fn titled(title: &str) -> String {
    page(Form::Nginx, "/TITLE/", &[]).replace("Index of /TITLE/", title)
}

#[test]
fn l_03_an_empty_folder_is_known_by_a_title_with_more_words_or_one_that_all_folders_have() {
    let right = [
        "Index of /data/2015/12/11/ - My Archive",
        "Index of /data/2015/12/12 on h.example",
        "Index of /",
        "Directory Listing For [/data/2015/12/14/]",
        "Index of /mnt/sun/20151215",
    ];
    let (lab, _server) = days_after(&right.map(titled));
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 6);

    let wrong = ["Index of /data/2015/12/12/ - My Archive", "Index of /data on h.example", "Index of /pub/"];
    let (lab, server) = days_after(&wrong.map(titled));
    let report = lab.report(1);
    assert_eq!(report["totals"]["days"]["failed"], 3, "{report:#}");
    assert_eq!(failure(&report).0, "listing-malformed");

    // A title that the folder of another day has beside its files says nothing.
    let first = page(Form::Nginx, "/pub/", &[Entry::new("x_20151210_0600.fits", 5760)]);
    server.script("/data/2015/12/10/", [Answer::text("text/html", &first)]);
    lab.on_a_new_machine();
    assert_eq!(lab.report(1)["totals"]["days"]["failed"], 2);
}

#[test]
fn l_03_an_empty_day_may_have_a_note_a_log_or_a_thumbnail() {
    let names = ["README", "thumb_20151212.png", "20151213.log", "a_20151214.sha256", "notes_20151215.txt"];
    let folders = (11..).zip(names).map(|(day, name)| {
        let folder = format!("/data/2015/12/{day}/");
        page(Form::Nginx, &folder, &[Entry::new(name, 100)])
    });
    let (lab, _server) = days_after(&folders.collect::<Vec<_>>());
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 6);
}

#[test]
fn l_03_a_page_to_log_in_or_of_an_error_is_no_empty_day() {
    let empty = page(Form::Nginx, "/data/2015/12/11/", &[]);
    let saying = |words: &str| empty.replace("<hr><pre>", &format!("{words}<hr><pre>"));
    for wrong in [
        "<title>Sign in</title><h1>Sign in</h1><form><input name=u></form><a href=\"../\">..</a></body>".to_owned(),
        "<title>Archive</title><a href=\"/\">Home</a> <a href=\"../\">..</a><p>Sorry</p></body>".to_owned(),
        "<title>Index of /data/2015/12/11/</title><body><h1>404 Not Found</h1></body>".to_owned(),
        saying("Warning: opendir(/d): failed to open dir: Stale file handle in /w/index.php on line 12"),
        saying("<p>Permission denied</p>"),
        saying("<form><input type=password></form>"),
    ] {
        let (lab, _server) = second_day(&wrong);
        let report = lab.report(4);
        assert_eq!(failure(&report).0, "html", "{report:#}");
        assert_eq!(lab.days("data").len(), 2, "{wrong}");
    }
}

#[test]
fn l_03_an_empty_folder_is_known_by_a_title_of_its_own_or_that_of_other_days() {
    let up = "<a href=\"/data/2015/12/\">[To Parent Directory]</a><pre></pre>";
    for title in ["h.example - /data/2015/12/11/", "11", "The archive of 2015-12-11", "<em>Index of</em>"] {
        let (lab, server) = second_day(&format!("<title>{title}</title>{up}"));
        let first = page(Form::Nginx, "/TITLE/", &[Entry::new("x_20151210_0600.fits", 5760)]);
        let first = first.replace("Index of /TITLE/", "The archive of 2015-12-10");
        server.script("/data/2015/12/10/", [Answer::text("text/html", &first)]);
        let is_known = !title.starts_with('<');
        assert_eq!(lab.report(if is_known { 0 } else { 4 })["totals"]["days"]["sealed"], if is_known { 3 } else { 2 });
    }
}

#[test]
fn l_03_a_part_of_a_listing_seals_no_day() {
    let own = page(Form::Apache, "/data/2015/12/11/", &[Entry::new("x_20151211_0600.fits", 5760)]);
    let ending = |words: &str| own.replace("</table>", &format!("</table>{words}"));
    let failed = "<br />\n<b>Fatal error</b>:  Out of memory in <b>/w/index.php</b> on line <b>12</b><br />\n";
    for (wrong, class, exit) in [
        (ending(failed), "html", 4),
        (own.replace("   <tr><th colspan=\"5\"><hr></th></tr>\n</table>\n</body></html>\n", failed), "html", 4),
        (ending("<p>Listing truncated: too many files</p>"), "listing-malformed", 1),
        (ending("<a href=\"?page=2\">Next page</a>"), "listing-malformed", 1),
        (own.replace("<title>", "<link rel=\"next\" href=\"?page=2\"><title>"), "listing-malformed", 1),
    ] {
        let (lab, server) = second_day(&wrong);
        server.script("/data/2015/12/11/x_20151211_0600.fits", [Answer::file(fits(9, 20, "2015-12-11T06:00:00"))]);
        let report = lab.report(exit);
        let (told, message) = failure(&report);
        assert!(told == class && (class == "html" || message.contains("`template`")), "{message}");
        assert_eq!(lab.days("data").len(), 2, "{wrong}");
    }
    let (lab, server) = second_day(&ending("<a rel=next href=\"../12/\">Next</a>"));
    server.script("/data/2015/12/11/x_20151211_0600.fits", [Answer::file(fits(9, 20, "2015-12-11T06:00:00"))]);
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 3);
}

#[test]
fn a_size_that_no_rounding_makes_the_listed_one_is_another_file() {
    for form in [Form::Apache, Form::Lighttpd, Form::Nginx] {
        for (listed, exit) in [(5760, 0), (1_500_000, 1), (2_000_000, 1), (900, 1)] {
            let server = serving(&[("/data/2015/12/11/a.fits", 1)]);
            let listing = page(form, "/data/2015/12/11/", &[Entry::new("a.fits", listed)]);
            server.script("/data/2015/12/11/", [Answer::text("text/html", &listing)]);
            let job = job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\"").retry("{ attempts: 2, max_wait: 1s }");
            let lab = lab(&job);
            let report = lab.report(exit);
            let sizes =
                report["failures"].as_array().expect("failures").iter().filter(|failure| failure["class"] == "size");
            assert_eq!(sizes.count(), usize::try_from(exit).expect("small"), "{form:?} {listed}: {report:#}");
            assert_eq!(lab.files("data").is_empty(), exit == 1);
        }
    }
}

#[test]
fn l_10_links_are_relative_to_what_the_page_says() {
    let server = Server::start();
    let folder = "/data/2015/12/11/";
    let listing = page(Form::Nginx, folder, &[Entry::new("a.fits", 5760)]);
    let with_base =
        |base: &str| Answer::text("text/html", &listing.replace("<head>", &format!("<head><base href=\"{base}\">")));
    server.script(folder, [with_base("/data/store/")]);
    server.script("/data/store/a.fits", [Answer::file(fits(1, 20, "2015-12-11T00:00:00"))]);
    let to_store = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
    to_store.report(0);
    assert_eq!(to_store.day("data", "x", "2015-12-11").files[0]["key"], "store/a.fits");

    server.script(folder, [with_base("http://h.example/")]);
    let report = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\"")).report(1);
    assert_eq!(failure(&report).0, "source-refused", "{report:#}");
}

#[test]
fn sizes_are_known_where_the_server_tells_them_to_the_byte() {
    for (form, bytes) in
        [(Form::Nginx, Value::from(2 * 5760)), (Form::Apache, Value::Null), (Form::Lighttpd, Value::Null)]
    {
        let server = in_form(form, &[("/data/2015/12/11/a.fits", 1), ("/data/2015/12/11/b.fits", 2)]);
        let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
        let plan = lab.sunhaul(&["plan", "job.yaml", "--list", "--json"]).stdout_has("").chatty().done().json();
        let day = &plan["listing"]["days"][0];
        assert_eq!((&day["files"], &day["bytes"]), (&2.into(), &bytes), "{form:?} {day}");
    }
}

#[test]
fn l_09_a_file_of_another_size_than_listed_is_no_file() {
    let server = serving(&[("/data/2015/12/11/a.fits", 1)]);
    let body = fits(1, 20, "2015-12-11T00:00:00");
    let longer = [body, vec![0; 2880]].concat();
    server.script("/data/2015/12/11/a.fits", [Answer::file(longer)]);
    let lab = lab(&job(&server, "path: \"%Y/%m/%d/\", files: \"?.fits\""));
    lab.run().start().done_any();
    assert!(names(&lab).is_empty());
    assert!(lab.files("data").is_empty());
}
