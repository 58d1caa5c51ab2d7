//! The old tutorial's client against `sunhaul serve`: what worked then works now.

use std::process::Command;

use crate::lab::{Lab, fits, recipe};

#[test]
#[ignore = "needs Python's requests: tests/run.sh installs it"]
fn the_tutorials_client_gets_the_very_files_that_are_served() {
    let lab = Lab::new();
    for (seed, time) in [(1, "2015-12-11T18:22:08.799999Z"), (2, "2015-12-11T18:34:08.799999Z")] {
        let stamp: String = time[11..19].chars().filter(char::is_ascii_digit).collect();
        lab.write(&format!("upstream/sharp_720s_20151211_{stamp}.fits"), fits(seed, 60, time));
    }
    std::fs::create_dir(lab.path("got")).expect("a folder");
    let service = lab.serve(&["upstream"]);
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tutorial/client.py");
    let said = Command::new("python3").arg(client).arg(service.url()).current_dir(lab.path("got")).output();
    let said = said.expect("python3");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(lab.tree("got"), lab.tree("upstream"));
}

#[test]
#[ignore = "needs Python's requests: tests/run.sh installs it"]
fn the_client_says_how_it_is_used() {
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tutorial/client.py");
    for arguments in [&[][..], &["http://localhost:8001", "sharp_720s"]] {
        let said = Command::new("python3").arg(client).args(arguments).output().expect("python3");
        assert_eq!(said.status.code(), Some(2), "{arguments:?}");
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(told.starts_with("usage: client.py BASE") && told.lines().count() == 1, "{told}");
    }
}

#[test]
#[ignore = "needs Python's requests: tests/run.sh installs it"]
fn the_client_that_the_help_shows_gets_the_files_of_a_day() {
    let lab = Lab::new();
    lab.write("upstream/sharp_720s_20151211_182208.fits", fits(1, 60, "2015-12-11T18:22:08.799999Z"));
    std::fs::create_dir(lab.path("got")).expect("a folder");
    let service = lab.serve(&["upstream"]);
    let client = recipe("python", "iter_content").replace("http://localhost:8001", service.url().trim_end_matches('/'));
    let said = Command::new("python3").args(["-c", &client]).current_dir(lab.path("got")).output().expect("python3");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(lab.tree("got"), lab.tree("upstream"));
}
