//! What two versions of a file have in common when the one was only written again: the digests of headers and data.

use serde_json::{Value, json};
use sunhaul::digest::Digest;

use crate::lab::{Answer, Item, Job, Lab, Server, fits, restamped};

const NAME: &str = "sharp_720s_20151211_182208";
const TIME: &str = "2015-12-11T18:22:08.799999Z";

/// The line of the one file that a run over these answers records.
#[track_caller]
fn line(answers: impl IntoIterator<Item = Answer>, more: &str) -> Value {
    let server = Server::start();
    server.script_file("sharp_720s", Item::new(NAME, TIME), answers);
    let lab = Lab::new();
    lab.write("job.yaml", Job::at(&server.url()).more(more).yaml());
    lab.report(0);
    lab.proved("data");
    lab.day("data", "sharp_720s", "2015-12-11").files.remove(0)
}

fn answer(body: &[u8]) -> Answer {
    Answer::file(body.to_vec()).named(&format!("{NAME}.fits"))
}

/// The data unit of a file of one HDU, whose header fills one block.
fn data(file: &[u8]) -> String {
    Digest::sha256(&file[2880..]).to_string()
}

#[test]
fn a_restamped_file_has_another_hash_and_the_same_data() {
    const BY_DATA: &str = "identity: fits-data";
    let file = fits(1, 60, TIME);
    let again = restamped(&file, "exported again");
    let (first, second) = (line([answer(&file)], BY_DATA), line([answer(&again)], BY_DATA));
    assert_ne!(first["sha256"], second["sha256"]);
    assert_eq!(first["data"], json!([data(&file)]));
    assert_eq!((&second["data"], &second["header"]), (&first["data"], &first["header"]));
    assert_eq!(second["checked"], "checksum");
    let other = line([answer(&fits(2, 60, TIME))], BY_DATA);
    assert_ne!(other["data"], first["data"]);
    assert_ne!(other["header"], first["header"], "its RECNUM is another");
    assert_eq!(line([answer(&file)], "").get("data"), None, "only where it is asked for");
}

#[test]
fn a_file_that_came_in_two_pieces_has_the_digests_of_the_whole() {
    let file = fits(1, 1024, TIME);
    let line = line([answer(&file).ending(crate::lab::Ending::Cut(1_500_001)), answer(&file)], "identity: fits-data");
    assert_eq!(line["data"], json!([data(&file)]));
}

#[test]
fn what_is_no_fits_file_has_no_data() {
    let notes = Answer::text("text/plain", "two lines\nof notes\n").named("notes.txt");
    assert_eq!(line([notes], "identity: fits-data").get("data"), None);
}
