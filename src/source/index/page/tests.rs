//! Tables of pages and what is read of them.

use proptest::prelude::*;

use super::*;

fn date() -> chrono::NaiveDate {
    "2015-12-11".parse().unwrap()
}

fn hrefs(page: &FolderPage) -> Vec<&str> {
    page.links.iter().map(|link| link.href.as_str()).collect()
}

#[test]
fn links_are_read_however_they_are_written() {
    let page = read(
        b"<!DOCTYPE html><A HREF=a.fits>a</A><a class='x' href='b&amp;c.fits'>b</a><a href = \"d&#x27;e.fits\" href=no>\
          <a name=f><!-- <a href=g> --><script>var s = '<a href=\"h\">';</script><style>a{}</style><a href=''>i</a>\
          <a\nhref=\n\"j%20k\">j",
    );
    assert_eq!(hrefs(&page), ["a.fits", "b&c.fits", "d'e.fits", "j%20k"]);
    assert!(page.is_html && !page.is_whole && !page.says_listing);
}

#[test]
fn a_page_is_a_listing_when_it_says_so() {
    for html in [
        "<title>Index of /data</title>",
        "<h1>\n Index of /data</h1>",
        "<h1>Directory listing for /x/</h1>",
        "<h2>Index of <em>/data</em></h2>",
        "<title>index - powered by h5ai v0.30.0</title>",
        "<title>Directory: /2012/06/01/</title>",
        "<title>/2012/06/01/</title>",
        "<h1>listing directory /2012/06/01</h1>",
        "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n<a href=\"README.txt\">README.txt</a>\n\
         <a href=\"a%20b/\">a b/</a>\n</pre>\n",
        "<pre>\n</pre>\n",
    ] {
        assert!(read(html.as_bytes()).says_listing, "{html}");
    }
    for html in [
        "<h1>Please log in</h1><a href=\"/\">Home</a>",
        "<title>Reindex of x</title>",
        "<p>Index of </p>",
        "<title>Directory: staff</title>",
        "<title>/</title>",
        "<pre>We are back at 10:00</pre>",
        "<pre><a href=\"/status\">the state of our service</a></pre>",
        "<pre><a href=a.txt>a.txt</a></pre><p>Please log in</p>",
        "<a href=a.txt>a.txt</a>",
        "<pre>\n<a href=\"README.txt\">README.txt</a>\n",
        "",
        "{}",
    ] {
        assert!(!read(html.as_bytes()).says_listing, "{html}");
    }
    for html in ["<a href=../>up</a>", "<a href=\"/data/\"> Parent Directory</a>", "<a href=\"/data/\">..</a>"] {
        let page = read(html.as_bytes());
        assert!(page.leads_up && !page.says_listing, "{html}");
    }
    assert_eq!(read(b"<title> Log in </title><h1>Welcome</h1>").title, "Log in");
    assert!(!read(b"[{\"name\":\"a\"}]").is_html && !read(b"").is_html);
}

#[test]
fn a_title_with_another_path_is_that_of_another_folder() {
    for (title, expected) in [
        ("Index of /2015/12/11", Titled::Due),
        ("Index of /2015/12/11/", Titled::Due),
        ("Index of /data/sdo/2015/12/11/", Titled::Due),
        ("Index of /12/11", Titled::Due),
        ("Directory listing for /2015/12/11/", Titled::Due),
        ("Directory: /2015/12/11/", Titled::Due),
        ("/2015/12/11/", Titled::Due),
        ("Index of the archive", Titled::Due),
        ("Files", Titled::Due),
        ("", Titled::Due),
        ("Index of /2015/12/11/ - My Archive", Titled::Due),
        ("Index of /2015/12/11 on h.example", Titled::Due),
        ("Index of /data/2015/12/11: my archive", Titled::Due),
        ("Index of FTP/HTTP mirror /2015/12/11/", Titled::Due),
        ("Directory Listing For [/data/2015/12/11/]", Titled::Due),
        ("Directory Listing For [/data/2015/12/11/] - Up To [/data]", Titled::Due),
        ("Directory listing for \"/2015/12/11\"", Titled::Due),
        ("Index of /mnt/sun/20151211", Titled::Due),
        ("Index of /mnt/sun/data 2015-12-11", Titled::Due),
        ("Directory Listing For [/data/2015/12/12/]", Titled::Other),
        ("Directory Listing For [/]", Titled::Root),
        ("Index of /mnt/sun/20151212", Titled::Other),
        ("Index of /mnt/sun/201512110", Titled::Other),
        ("Index of /2015/12/12 as of 2015-12-11", Titled::Other),
        ("Index of /2015/12/12", Titled::Other),
        ("Index of /2015/12", Titled::Other),
        ("Index of /2015/12/12/ - My Archive", Titled::Other),
        ("Index of /2015/12/12 on h.example/11", Titled::Other),
        ("Index of /", Titled::Root),
        ("Index of / on h.example", Titled::Root),
        ("Directory: /2014/12/11/", Titled::Other),
        ("/2015/12/12/", Titled::Other),
    ] {
        assert_eq!(titled(title, "2015/12/11/", date()), expected, "{title}");
    }
    for (title, folder, expected) in [
        ("Index of /mnt/sun/20151211/euv", "2015/12/11/euv/", Titled::Due),
        ("Index of /mnt/sun/20151211/mag", "2015/12/11/euv/", Titled::Other),
        ("Index of /mnt/sun/20151211/H01", "2015/12/11/H00/", Titled::Other),
        ("Index of /mnt/20151211_01", "20151211_00/", Titled::Other),
        ("Index of /mnt/2015/345", "d20151211/", Titled::Due),
        ("Index of /mnt/20151211", "2015/", Titled::Other),
    ] {
        assert_eq!(titled(title, folder, date()), expected, "{title} {folder}");
    }
    assert_eq!(titled("Index of /x", "", date()), Titled::Due);
    assert_eq!(titled("Index of /a b/", "a%20b/", date()), Titled::Due);
    assert_eq!(titled("Index of /a(1)", "a(1)/", date()), Titled::Due);
}

#[test]
fn a_title_may_end_in_the_name_of_its_folder() {
    for (title, is_so) in [
        ("h.example - /data/2015/12/11/", true),
        ("127.0.0.1:8080/data/2015/12/11", true),
        ("11", true),
        ("111", false),
        ("h.example - /data/2015/12/12/", false),
        ("", false),
    ] {
        assert_eq!(ends_in_folder(title, "/data/2015/12/11/"), is_so, "{title}");
    }
    assert!(!ends_in_folder("Sign in", "/"));
}

#[test]
fn a_title_may_have_its_folder_within_it() {
    for (title, path, is_so) in [
        ("Solar archive: /data/2015/12/11/ (level 1)", "/data/2015/12/11/", true),
        ("h.example/data/2015/12/11 (level 1)", "/data/2015/12/11/", false),
        ("Portal ?to=/data/2015/12/11/&x", "/data/2015/12/11/", false),
        ("All of /data/2015/12/111", "/data/2015/12/11/", false),
        ("All of /data", "/data/", false),
        ("Anything", "/", false),
    ] {
        assert_eq!(has_folder(title, path), is_so, "{title}");
    }
}

#[test]
fn a_link_to_the_next_page_leads_to_the_rest_of_the_same_folder() {
    let url: Url = "http://h.example/2015/12/11/".parse().unwrap();
    for (html, next) in [
        ("<a href='?page=2'>Next page</a>", Some("?page=2")),
        ("<a href='/2015/12/11/?page=2'>next &raquo;</a>", Some("/2015/12/11/?page=2")),
        ("<a rel='nofollow Next' href='?marker=b'>More...</a>", Some("?marker=b")),
        ("<a rel=next href='page/2/'>2</a>", Some("page/2/")),
        ("<link href='?page=2' rel=next>", Some("?page=2")),
        ("<a href='../12/'>Next</a><link rel=next href='/2015/12/12/'>", None),
        ("<a rel=next href='?page=2'", None),
        ("<a href='?C=N;O=D'>Name</a><a href='?C=M&amp;O=A'>Last modified</a>", None),
        ("<a href='?o=2' title='Next page'>&gt;</a>", Some("?o=2")),
        ("<a href='?o=2' aria-label=Next>&gt;</a>", Some("?o=2")),
        ("<a href='?o=2'><img src='/next.gif' alt=Next></a>", Some("?o=2")),
        ("<a href='?o=2'><button>Next</button></a>", Some("?o=2")),
        ("<a href='?d=2015-12-11&amp;o=100'>Next</a>", Some("?d=2015-12-11&o=100")),
        ("<a href='?o=2'>Load more</a>", Some("?o=2")),
        ("<a href='?start=2000'>&gt;</a>", Some("?start=2000")),
        ("<a href='?d=2015-12-12'>next</a><a rel=next href='?20151212&amp;day=20151212'>2</a>", None),
        ("<a href='?start=2015'>from 2015</a>", None),
        ("<a href='README.html'>More</a>", None),
        ("<a href='../12/' title=Next><img alt=Next></a><a href='../12/'><button>Next</button></a>", None),
        ("<img alt=Next><a href='a.fits' title='a.fits'><img alt='[   ]'>a.fits</a>", None),
        ("<a href='#more'>More</a>", None),
        ("<link rel=stylesheet href='?next.css'>", None),
    ] {
        assert_eq!(read(html.as_bytes()).next_page(&url, date()), next, "{html}");
    }
}

#[test]
fn the_words_of_a_page_say_that_it_failed() {
    for (html, kind) in [
        ("<h1>404 Not Found</h1>", Kind::Error),
        ("<form><input name=u><input type=password></form>", Kind::Error),
        ("<meta http-equiv=Refresh content='0; url=/login'>", Kind::Error),
        ("<iframe src=/list></iframe>", Kind::Error),
        ("<script src=app.js></script>", Kind::Error),
        ("<script>top.location.href = '/login'</script>", Kind::Error),
        (
            "<pre><a href=a>a</a> 4\n<br />\n<b>Fatal error</b>: no in <b>/x.php</b> on line <b>12</b><br />",
            Kind::Failed,
        ),
        ("<h1>Index of /</h1>Warning: scandir(): Stale file handle in /x.php on line 12<hr>", Kind::Failed),
        ("<button type=button>Next <b>&raquo;</b></button>", Kind::Part),
        ("<pre></pre><p>Listing truncated: too many files</p>", Kind::Part),
    ] {
        assert!(read(html.as_bytes()).says(kind).is_some(), "{html}");
    }
    for html in [
        "<script>s = 'permission denied'</script><style>/* access denied */</style>",
        "<table><tr><td><a href=a>a</a><td>4<td>why a permission denied</table>",
        "<a href=a>404 Not Found</a><!-- permission denied -->",
        "<button disabled>Next</button><button aria-disabled=true>Next page</button><button>Search</button>",
    ] {
        assert_eq!(read(html.as_bytes()).objections, [], "{html}");
    }
}

#[test]
fn what_a_page_says_in_words_of_its_own_is_kept_once() {
    let page = read(
        b"<h1>Index of <b>/data/</b></h1><table><tr><th>Name<th>Size</tr><tr><td><a href=a>log in</a><td>4 kB</table>\
          <p>Please log in</p><p>Please\n log in</p><script>why('no')</script><!-- no --><p>Permission denied</p>",
    );
    assert_eq!(page.texts, ["Index of /data/", "Please log in", "Permission denied"]);
}

#[test]
fn the_base_of_a_page_is_its_first_one() {
    let base = |html: &str| read(html.as_bytes()).base;
    assert_eq!(base("<head><base target=x href='/other/'><base href='/no/'></head>").as_deref(), Some("/other/"));
    assert_eq!(base("<base><a href=a>a</a>"), None);
}

#[test]
fn a_listing_in_another_form_is_known_for_what_it_is() {
    for (text, other) in [
        (
            "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Contents/>",
            Other::Bucket,
        ),
        ("<?xml version='1.0'?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>", Other::Bucket),
        ("\u{feff}<?xml version=\"1.0\"?><EnumerationResults ServiceEndpoint=\"https://x/\"><Blobs />", Other::Azure),
        (
            "<catalog xmlns=\"http://www.unidata.ucar.edu/namespaces/thredds/InvCatalog/v1.0\" name=\"S\">",
            Other::Thredds,
        ),
        ("<html><head><title>Catalog https://t.example.net/thredds/catalog/S/catalog.html</title>", Other::Thredds),
        (
            "<html><head><title>OPeNDAP Hyrax: Contents of /d/2012</title></head><body><h1>Contents of /d</h1>",
            Other::Opendap,
        ),
        ("<D:multistatus xmlns:D=\"DAV:\"></D:multistatus>", Other::WebDav),
        ("[{\"name\":\"a\",\"type\":\"file\"}]", Other::Json),
    ] {
        assert_eq!(read(text.as_bytes()).other, Some(other), "{text}");
    }
    for text in ["<html><catalog></catalog>", "<title>Index of /thredds/x</title>", "plain", ""] {
        assert_eq!(read(text.as_bytes()).other, None, "{text}");
    }
}

#[test]
fn a_page_is_whole_when_its_list_ends() {
    for (html, is_whole) in [
        ("<pre><a href=a>a</a>\n</pre>", true),
        ("<table></table><ul><li><a href=a>a</a></ul>", true),
        ("<table></table><a href=a>a</a>", false),
        ("<pre><a href=a>a</a>\n<a href=\"b", false),
        ("<body></body>", true),
        ("<body>", false),
    ] {
        assert_eq!(read(html.as_bytes()).is_whole, is_whole, "{html}");
    }
}

#[test]
fn a_size_stands_beside_its_link_or_in_the_cells_of_its_row() {
    let bytes = |html: &str| match read(html.as_bytes()).links.last().and_then(|link| link.size) {
        Some(ListedSize::Bytes(bytes)) => Some(bytes),
        _ => None,
    };
    for html in [
        "<pre><a href=a>a</a>   27-Nov-2026 01:39            576\n</pre>",
        "<img src=x> <a href=a>a</a>   2026-11-27 01:39  576  a text\n<hr></pre>",
        "<tr><td><a href=a>a</a></td><td>2026-11-27 01:39</td><td align=right>576 </td><td>&nbsp;</td></tr>",
        "<tr><td><a href=a><svg><path/></svg><span class=name>a</span></a></td><td><div>576 B</div></td><td><time>x</time>",
    ] {
        assert_eq!(bytes(html), Some(576), "{html}");
    }
    assert_eq!(bytes("<tr><td><a href=a>a</a></td></tr><tr><td>2026-11-27 01:39</td><td>576</td></tr>"), None);
    assert_eq!(bytes("<ul><li><a href=a>a</a></li></ul><p>576 bytes</p>"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_page_is_read(html in "(<a href=|<pre>|</a>|[<>\"'&/ a;#]){0,30}|.{0,100}") {
        let _ = read(html.as_bytes());
    }
}
