//! Listings in pages: one page of several seals no day.

use super::believed::second_day;
use super::*;

const OWN: &str = "/data/2015/12/11/";

/// The page of a folder with one file, and these words behind its table.
fn ending(words: &str) -> String {
    let own = page(Form::Apache, OWN, &[Entry::new("x_20151211_0600.fits", 5760)]);
    own.replace("</table>", &format!("</table>{words}"))
}

/// A lab whose second day has this answer, and its one file.
fn lab_of(answer: Answer) -> (Lab, Server) {
    let (lab, server) = second_day("");
    server.script(OWN, [answer]);
    server.script("/data/2015/12/11/x_20151211_0600.fits", [Answer::file(fits(9, 20, "2015-12-11T06:00:00"))]);
    (lab, server)
}

#[test]
fn l_04_a_page_with_links_to_others_by_their_numbers_is_a_part() {
    for words in [
        "<a href=\"?page=2\">2</a>",
        "<b>1</b> <a href='?p=2'>2</a> <a href='?p=3'>3</a>",
        "<a href='/data/2015/12/11/?page=0'>1</a> <a href='?page=1'>2</a>",
        "<a href=\"?start=100\">&raquo;</a>",
        "<a href=\"./?offset=1000&amp;limit=1000\">&gt;</a>",
        "<a href='index.php?C=N&amp;pg=2'>2</a>",
        "<a href='?marker=x_20151211_0600.fits'>&gt;&gt;</a>",
        "<a href='?o=2' aria-label='Next'>&gt;</a>",
        "<button>Next</button>",
        "<p>Page 1 of 3</p>",
        "<p>Showing 1-1 of 1,250 files</p>",
        "<p>1-1 of 1,250</p>",
        "<a href='page2.html'>2</a>",
        "<a href='/data/2015/12/11/index-2.htm'>2</a>",
        "<a href='?from=2'>2</a>",
    ] {
        let (lab, _server) = lab_of(Answer::text("text/html", &ending(words)));
        let report = lab.report(1);
        let (class, message) = failure(&report);
        assert!(class == "listing-malformed" && message.contains("only a part of the folder"), "{words}: {message}");
        assert_eq!(lab.days("data").len(), 2, "{words}");
    }
}

#[test]
fn l_04_a_header_that_names_the_next_page_says_that_this_is_a_part() {
    for value in [
        "<?page=2>; rel=\"next\"",
        "</style.css>; rel=preload, </data/2015/12/11/?cursor=a,b>; title=x; rel=\"last next\"",
    ] {
        let (lab, _server) = lab_of(Answer::text("text/html", &ending("")).header("Link", value));
        let report = lab.report(1);
        assert!(failure(&report).1.contains("only a part of the folder"), "{report:#}");
    }
    let other = "<../12/>; rel=\"next\", <?page=1>; rel=\"first\", <";
    let (lab, _server) = lab_of(Answer::text("text/html", &ending("")).header("Link", other));
    assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 3);
}

#[test]
fn l_04_links_that_count_no_pages_make_no_part_of_a_listing() {
    for words in [
        "<a href='?page=1'>1</a>",
        "<a href='?page=1&amp;sort=name'>Name</a> <a href='?page=1&amp;sort=size'>Size</a>",
        "<a href='?start=0'>1</a> <a href='page.html'>about</a> <a href='../12/page2.html'>2</a> <a href='?from=2015'>2015</a>",
        "<a href='?limit=500'>500 a page</a> <a href='?start=20151212'>next day</a>",
        "<a href='../12/?page=2'>the day after</a> <a href='/?page=7'>7</a>",
        "<a href='README.html'>More</a> <a href='?start=2015'>from 2015</a> <a href='?d=2015-12-12'>next</a>",
        "<p>Results may be incomplete.</p><p>Too many files? Get a tar.</p><p>See page 3 of 12 of the guide.</p>",
        "<p>Page 1 of 1</p><p>Showing 1-1 of 1 files</p><p>Part 1 of 3 of the mission</p>",
    ] {
        let (lab, _server) = lab_of(Answer::text("text/html", &ending(words)));
        assert_eq!(lab.report(0)["totals"]["days"]["sealed"], 3, "{words}");
    }
}
