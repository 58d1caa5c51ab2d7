//! A run in the forms that CI services and people read, as it ends and later from its saved report.

mod gitlab;
mod junit;
mod later;
mod step;
mod unwritable;

use crate::lab::{Answer, Item, Job, Lab, Server, fits};

/// A service of three days: the second has a damaged file beside a whole one.
fn faulty() -> Server {
    let server = Server::start();
    for (day, seed) in [(11, 1), (12, 2), (13, 3)] {
        let time = format!("2015-12-{day}T18:22:08.799999Z");
        server.file("sharp_720s", Item::new(&format!("s_{day}"), &time), fits(seed, 60, &time));
    }
    let junk = Answer::file(vec![b'x'; 5760]).named("junk.fits");
    server.script_file("sharp_720s", Item::new("junk", "2015-12-12T19:00:00Z"), [junk]);
    server
}

fn job(server: &Server) -> String {
    Job::at(&server.url()).range("2015-12-11", "2015-12-14").retry("{ attempts: 2, max_wait: 1s }").yaml()
}

/// A lab with a job over them.
fn lab_for(server: &Server) -> Lab {
    let lab = Lab::new();
    lab.write("jobs/job.yaml", job(server));
    lab
}

fn text(lab: &Lab, path: &str) -> String {
    String::from_utf8(lab.read(path)).expect("UTF-8")
}
