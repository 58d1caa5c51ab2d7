//! Debian's own nginx, Apache and lighttpd over a folder of files: all of them, verified.
//!
//! What it does not do: know how they write their listings. That is the point.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Job, Lab, PATIENCE, fits};

/// A web server over the folder `www` of a lab; it ends when dropped.
struct Web {
    child: Child,
    url: String,
}

impl Web {
    /// Starts a program with a configuration, in which `PORT` and `LAB` stand for those.
    fn start(lab: &Lab, program: &str, arguments: &[&str], configuration: &str) -> Web {
        // Free a moment ago: none of the three can be told to choose one itself.
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let folder = lab.path("");
        let folder = folder.to_str().expect("a plain path").trim_end_matches('/');
        lab.write("web/conf", configuration.replace("PORT", &port.to_string()).replace("LAB", folder));
        let log = std::fs::File::create(lab.path("web/log")).expect("a log");
        let child = Command::new(program)
            .args(arguments.iter().map(|argument| argument.replace("LAB", folder)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        let mut web = Web { child, url: format!("http://127.0.0.1:{port}") };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = || String::from_utf8_lossy(&lab.read("web/log")).into_owned();
            assert!(web.child.try_wait().expect("a child").is_none(), "{program} ended: {}", log());
            assert!(Instant::now() < until, "{program} does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
        web
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Two days with hourly folders, some missing, names that need care, and what is no file of the series.
fn fill(lab: &Lab) -> usize {
    let mut count = 0;
    for day in ["11", "12"] {
        for hour in [0u32, 5, 23] {
            let folder = format!("www/data/2015/12/{day}/H{hour:02}00");
            for minute in [0u32, 12, 48] {
                let body = fits(hour * 60 + minute, 20 + minute as usize, "2015-12-11T00:00:00");
                lab.write(&format!("{folder}/a b&c+'d;%20 {hour:02}{minute:02}_é.fits"), body);
                count += 1;
            }
            lab.write(&format!("{folder}/README"), "no file of the series");
            std::fs::create_dir_all(lab.path(&format!("{folder}/x 0000_é.fits"))).expect("a folder with a file's name");
        }
    }
    count
}

fn every_file_is_listed_fetched_and_verified(web: &Web, lab: &Lab, count: usize) {
    let source =
        format!("{{ index: {{ url: \"{}/data/\", path: \"%Y/%m/%d/H%H00\", files: \"*%H%M_?.fits\" }} }}", web.url);
    lab.write("job.yaml", Job::from_source(&source).series(&["{ name: x }"]).range("2015-12-11", "2015-12-13").yaml());
    let report = lab.report(0);
    assert_eq!(report["totals"]["files"]["fetched"], count, "{report:#}");
    let kept: Vec<_> = lab.proved("data").into_iter().map(|(path, digest)| (last(&path), digest)).collect();
    let there = lab.tree("www").into_iter().map(|(path, digest)| (last(&path), digest));
    let there: Vec<_> = there.filter(|(name, _)| name != "README").collect();
    assert_eq!(kept, there, "the same names with the same bytes");
    lab.sunhaul(&["verify", "job.yaml"]).stdout_has("").chatty().done();
}

fn last(path: &str) -> String {
    Path::new(path).file_name().and_then(|name| name.to_str()).expect("a name").to_owned()
}

#[test]
#[ignore = "needs nginx"]
fn nginx_s_own_listings_are_read() {
    let lab = Lab::new();
    let count = fill(&lab);
    let configuration = "daemon off; master_process off; pid LAB/web/pid; error_log stderr; events {}\n\
        http { access_log off; client_body_temp_path LAB/web/body; proxy_temp_path LAB/web/proxy; fastcgi_temp_path LAB/web/fastcgi;\n\
        uwsgi_temp_path LAB/web/uwsgi; scgi_temp_path LAB/web/scgi;\n\
        server { listen 127.0.0.1:PORT; root LAB/www; autoindex on; } }\n";
    let web =
        Web::start(&lab, "/usr/sbin/nginx", &["-p", "LAB/web", "-e", "stderr", "-c", "LAB/web/conf"], configuration);
    every_file_is_listed_fetched_and_verified(&web, &lab, count);
}

/// Its configuration, with how it is to write its listings.
fn apache(options: &str) -> String {
    let load = |name: &str| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so");
    let modules = ["mpm_event", "authz_core", "autoindex", "dir"].map(load).join("\n");
    format!(
        "ServerRoot LAB/web\nServerName localhost\nPidFile LAB/web/pid\nErrorLog LAB/web/errors\nListen 127.0.0.1:PORT\n{modules}\n\
         DocumentRoot LAB/www\n<Directory LAB/www>\nOptions +Indexes\nRequire all granted\n{options}\n</Directory>\n"
    )
}

#[test]
#[ignore = "needs apache2"]
fn apache_s_own_listings_are_read_plain_fancy_and_as_tables() {
    for options in
        ["", "IndexOptions FancyIndexing", "IndexOptions FancyIndexing HTMLTable VersionSort", "IndexOptions XHTML"]
    {
        let lab = Lab::new();
        let count = fill(&lab);
        let web = Web::start(&lab, "/usr/sbin/apache2", &["-X", "-f", "LAB/web/conf"], &apache(options));
        every_file_is_listed_fetched_and_verified(&web, &lab, count);
    }
}

#[test]
#[ignore = "needs lighttpd"]
fn lighttpd_s_own_listings_are_read() {
    let lab = Lab::new();
    let count = fill(&lab);
    let configuration = "server.document-root = \"LAB/www\"\nserver.port = PORT\nserver.bind = \"127.0.0.1\"\n\
        server.modules = (\"mod_dirlisting\")\ndir-listing.activate = \"enable\"\n";
    let web = Web::start(&lab, "/usr/sbin/lighttpd", &["-D", "-f", "LAB/web/conf"], configuration);
    every_file_is_listed_fetched_and_verified(&web, &lab, count);
}
