//! `sunhaul serve` over a folder: filters work by what files tell of themselves, and what cannot be served is told.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lab::{Job, Lab, PATIENCE, Running, fits};

/// Files as JSOC names them: two regions, three segments, two slots.
fn upstream(lab: &Lab) {
    let slots = [("182400", "2015-12-11T18:22:08.80"), ("190000", "2015-12-11T18:58:08.80")];
    for (seed, (slot, time)) in (1..).zip(slots) {
        for harpnum in [377, 378] {
            for segment in ["Br", "Bp", "bitmap"] {
                let name = format!("hmi.sharp_cea_720s.{harpnum}.20151211_{slot}_TAI.{segment}.fits");
                lab.write(&format!("upstream/{name}"), fits(seed, 10, time));
            }
        }
    }
}

/// What a run over the folder fetches, for a series with these filters.
fn fetched(lab: &Lab, url: &str, filters: &str) -> Vec<String> {
    let series = format!("{{ name: hmi.sharp_cea_720s, as: cea, layout: \"{{file}}\", {filters} }}");
    lab.write("job.yaml", Job::at(url).series(&[&series]).yaml());
    lab.report(0);
    lab.files("data").into_keys().map(|path| path["hmi.sharp_cea_720s.".len()..].to_owned()).collect()
}

#[test]
fn a_folders_files_are_filtered_by_what_their_names_and_headers_tell() {
    let lab = Lab::new();
    upstream(&lab);
    let service = lab.serve(&["upstream"]);
    let whole = fetched(&lab, service.url(), "");
    assert_eq!(whole.len(), 12, "{whole:?}");
    for (filters, kept) in [
        (
            "segments: [bitmap], cadence: 1h",
            vec!["377.20151211_190000_TAI.bitmap.fits", "378.20151211_190000_TAI.bitmap.fits"],
        ),
        (
            "segments: [Br, Bp], harpnum: [377], cadence: 1h",
            vec!["377.20151211_190000_TAI.Bp.fits", "377.20151211_190000_TAI.Br.fits"],
        ),
        (
            "segments: [Br], harpnum: [378], quality: { none_of: 0x400 }",
            vec!["378.20151211_182400_TAI.Br.fits", "378.20151211_190000_TAI.Br.fits"],
        ),
    ] {
        assert_eq!(fetched(&lab, service.url(), filters), kept, "{filters}");
    }
    let record = lab.day("data", "cea", "2015-12-11");
    assert_eq!((&record.files[0]["harpnum"], &record.files[0]["segment"]), (&378.into(), &"Br".into()));
}

#[test]
fn a_folders_files_are_listed_with_their_sizes_as_they_are_now() {
    let lab = Lab::new();
    upstream(&lab);
    let service = lab.serve(&["upstream"]);
    lab.write("job.yaml", Job::at(service.url()).series(&["{ name: hmi.sharp_cea_720s, as: cea }"]).yaml());
    let listed = || {
        let plan = lab.sunhaul(&["plan", "--list", "--json", "job.yaml"]).stdout_has("bytes").chatty().done().json();
        plan["listing"]["days"][0]["bytes"].as_u64().unwrap_or_else(|| panic!("{plan:#}"))
    };
    let one = fits(1, 10, "2015-12-11T18:22:08.80").len() as u64;
    assert_eq!(listed(), 12 * one);
    let longer = fits(1, 90, "2015-12-11T18:22:08.80");
    lab.write("upstream/hmi.sharp_cea_720s.377.20151211_182400_TAI.Br.fits", &longer);
    assert_eq!(listed(), 11 * one + longer.len() as u64);
    lab.report(0);
    assert_eq!(lab.day("data", "cea", "2015-12-11").header["bytes"], 11 * one + longer.len() as u64);
}

#[test]
fn a_filter_that_a_file_gives_no_answer_to_is_refused_with_its_name() {
    let lab = Lab::new();
    let name = "sharp_720s_20151211_182208.fits";
    lab.write(&format!("upstream/{name}"), fits(1, 10, "2015-12-11T18:22:08.799999Z"));
    let service = lab.serve(&["upstream"]);
    for (filter, what) in [("segments: [Br]", "the segment"), ("harpnum: [377]", "the HARPNUM")] {
        lab.write("job.yaml", Job::at(service.url()).series(&[&format!("{{ name: sharp_720s, {filter} }}")]).yaml());
        let why = format!("does not state {what} of `/HMI/sharp_720s/{name}`");
        lab.run().status(1).stderr_has("source-refused").stderr_has(&why).stderr_has("`hmi.sharp_720s`").done();
    }
    // Its QUALITY is in the header.
    lab.write("job.yaml", Job::at(service.url()).series(&["{ name: sharp_720s, quality: { none_of: 1 } }"]).yaml());
    lab.report(0);
}

#[test]
fn what_cannot_be_served_is_usage_with_a_hint() {
    let lab = Lab::new();
    lab.write("a.fits", fits(1, 10, "2015-12-11T18:22:08.799999Z"));
    for (arguments, why, hint) in [
        (&["nowhere"][..], "there is no such folder", "hint: name a folder of FITS files"),
        (&["a.fits"], "it is a file", "hint: name the folder"),
        (&["a.fits/x"], "it is a file, or is inside one", "hint: name the folder"),
        (&["--embedded", "--host", "no such host"], "is no address of this machine", "hint: such as"),
        (&["--embedded", "--host", "192.0.2.1"], "does not have that address", "hint: `--host` takes"),
        (&["--embedded", "--public-url", "x"], "it is no web address", "hint: write for example"),
        (&["--embedded", "--public-url", "http://x/?y"], "it holds a `?` or `#` part", "hint: write for example"),
        (&["tmp", "--seed", "3"], "`--seed` means nothing for a folder", "hint: leave it out"),
    ] {
        let all = [&["serve", "--port", "0"], arguments].concat();
        lab.sunhaul(&all).status(2).stderr_has(why).stderr_has(hint).done();
    }
    let call = lab.sunhaul(&["serve", "--embedded", "--public-url", "https://jane:secret@x/"]);
    let spoken = call.status(2).stderr_has("it holds a login").done();
    assert!(!spoken.stderr.contains("secret"), "{}", spoken.stderr);
}

#[test]
fn a_port_in_use_is_told_and_may_be_free_later() {
    let lab = Lab::new();
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("an address").port().to_string();
    let call = lab.sunhaul(&["serve", "--embedded", "--port", &port]).status(4);
    call.stderr_has("the address is already in use").stderr_has("hint: take another `--port`").done();
}

#[test]
fn an_empty_folder_is_served_with_a_warning_and_one_file_is_one_file() {
    let lab = Lab::new();
    let service = lab.serve(&["tmp"]);
    let said = service.stderr_so_far();
    assert!(said.contains("warning: there is no FITS file to serve below `tmp`"), "{said}");
    lab.write("one/sharp_720s_20151211_182208.fits", fits(1, 10, "2015-12-11T18:22:08.799999Z"));
    let service = lab.serve(&["one"]);
    lab.until("what is served is told", |_| service.stderr_so_far().contains("try it at"));
    let said = service.stderr_so_far();
    assert!(said.contains("serving 1 file of 1 series\n  sharp_720s (1 file): curl '"), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_service_tells_each_request_and_a_quiet_one_none() {
    let lab = Lab::new();
    lab.write("fits/sharp_720s_20151211_182208.fits", fits(1, 20, "2015-12-11T18:22:08.799999Z"));
    for (flags, due) in [(&[][..], true), (&["-q"], false)] {
        let service = lab.serve(&[&["fits"], flags].concat());
        lab.write("job.yaml", Job::at(service.url()).yaml());
        let _ = std::fs::remove_dir_all(lab.path("data"));
        let _ = std::fs::remove_dir_all(lab.path("home"));
        lab.run().done();
        let told = service.stderr_so_far();
        assert_eq!(
            told.contains("GET /HMI/sharp_720s?start=2015-12-11T00:00:00Z&end=2015-12-12T00:00:00Z: 200\n"),
            due,
            "{told}"
        );
        assert_eq!(told.contains("GET /HMI/sharp_720s/sharp_720s_20151211_182208.fits: 200\n"), due, "{told}");
    }
}

/// Connections that send the start of a request and nothing more.
fn half_requests(address: &str, count: usize) -> Vec<TcpStream> {
    let half = || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        // One that was closed for another may be gone already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: loc");
        stream
    };
    (0..count).map(|_| half()).collect()
}

/// The answer to one request on a connection of its own.
fn asked(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn address(service: &Running) -> String {
    service.url().trim_start_matches("http://").trim_end_matches('/').to_owned()
}

#[test]
fn connections_that_are_not_used_keep_nobody_out_and_no_end_from_coming() {
    let lab = Lab::new();
    let name = "sharp_720s_20151211_182208.fits";
    // More than the buffers of a connection hold: who does not read it keeps its answer under way.
    lab.write(&format!("fits/{name}"), fits(1, 3000, "2015-12-11T18:22:08.8Z"));
    let serve = format!("ulimit -n 64 && exec '{}' serve fits --port 0", env!("CARGO_BIN_EXE_sunhaul"));
    let mut service = lab.program("sh", &["-c", &serve]).chatty().start();
    service.wait_for_url();
    let address = address(&service);
    let file = format!("/HMI/sharp_720s/{name}");
    let mut unread = TcpStream::connect(&address).expect("a connection");
    write!(unread, "GET {file} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let half = half_requests(&address, 70);
    for _ in 0..3 {
        assert!(asked(&address, &file).starts_with("HTTP/1.1 200 OK"), "{}", service.stderr_so_far());
    }
    service.signal(Signal::TERM);
    assert!(service.ends_before(Instant::now() + Duration::from_secs(20)), "it waits for who does not read");
    drop((half, unread));
    service.done_any();
}

#[test]
fn f_09_nothing_is_served_through_a_symlink_that_took_the_place_of_a_file_or_a_folder() {
    let lab = Lab::new();
    let name = "sharp_720s_20151211_182208.fits";
    for folder in ["fits", "fits/sub", "outside"] {
        lab.write(&format!("{folder}/{name}"), fits(1, 10, "2015-12-11T18:22:08.8Z"));
    }
    // The folder that the user names may be a link.
    std::os::unix::fs::symlink(lab.path("fits"), lab.path("link")).expect("a link");
    let service = lab.serve(&["link"]);
    let address = address(&service);
    let paths = [format!("/HMI/sharp_720s/{name}"), format!("/HMI/sharp_720s/sub/{name}")];
    for path in &paths {
        assert!(asked(&address, path).starts_with("HTTP/1.1 200 OK"), "{path}");
    }
    std::fs::remove_dir_all(lab.path("fits/sub")).expect("a folder");
    std::os::unix::fs::symlink(lab.path("outside"), lab.path("fits/sub")).expect("a link");
    std::fs::remove_file(lab.path(&format!("fits/{name}"))).expect("a file");
    std::os::unix::fs::symlink(lab.path(&format!("outside/{name}")), lab.path(&format!("fits/{name}")))
        .expect("a link");
    for path in &paths {
        assert!(asked(&address, path).starts_with("HTTP/1.1 404 Not Found"), "{path}");
    }
    let listed = asked(&address, "/HMI/sharp_720s?start=2015-12-11&end=2015-12-12");
    assert!(!listed.contains("size"), "nor is its size told: {listed}");
}
