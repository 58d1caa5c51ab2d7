//! Images of AIA: one dataset for all, no item listings, tile-compressed files.
//!
//! As `sitools2/clients/sdo_data.py` of pySitools2 asks for them, `scan_segment` and `get_file`: `;segment=` where segments are
//! named, then `;compress=rice`.

use serde_json::{Value, json};

use crate::lab::{Answer, Job, Lab, Request, Server, fits};

const DATASET: &str = "/webs_IAS_SDO_AIA_dataset";

/// The seconds of the day at which there are images.
const TIMES: [&str; 2] = ["00:00:11.350", "00:01:11.350"];

fn row(recnum: usize, time: &str) -> Value {
    json!({
        "get": format!("http://HOST/sdo/aia.lev1/{recnum}"), "recnum": recnum, "sunum": 77, "series_name": "aia.lev1",
        "date__obs": format!("2015-12-11T{time}"), "wavelnth": 171, "ias_location": "/SUM01/D77", "exptime": 2.0,
        "t_rec_index": 0, "ias_path": format!("http://HOST/SUM01/D77/{recnum}"),
    })
}

fn answer(request: &Request) -> Option<Answer> {
    let host = request.header("host").unwrap_or_default();
    let rows: Vec<Value> = (1..).zip(TIMES).map(|(recnum, time)| row(recnum, time)).collect();
    if let Some(what) = request.path.strip_prefix(DATASET) {
        let body = match what {
            "/count" => json!({ "success": true, "total": rows.len() }),
            "/records" => json!({ "success": true, "total": rows.len(), "data": rows }),
            _ => return None,
        };
        let answer = Answer::json(&body);
        let text = String::from_utf8(answer.body()).expect("UTF-8").replace("HOST", host);
        return Some(answer.saying(&text));
    }
    let parts: Vec<&str> = request.path.strip_prefix("/sdo/aia.lev1/")?.split(';').collect();
    let (recnum, seed) = match parts[..] {
        [recnum, "compress=rice" | "segment=image_lev1", ..] => (recnum, 0),
        [recnum, "segment=spikes", "compress=rice"] => (recnum, 500),
        _ => return None,
    };
    Some(Answer::file(fits(recnum.parse::<u32>().ok()? + seed, 20, "image")))
}

/// A day of one wavelength every minute, with these segments; and the paths that were asked for.
fn fetched(keys: &str) -> (Lab, Vec<String>) {
    let server = Server::speaking(answer);
    let series = format!("{{ name: aia.lev1, as: one, wavelength: [171], cadence: 1m{keys} }}");
    let lab = Lab::new();
    let source = format!("{{ medoc: {{ url: \"{}\" }} }}", server.url());
    lab.write("job.yaml", Job::from_source(&source).series(&[&series]).yaml());
    lab.report(0);
    let asked = server.requests_for(&format!("{DATASET}/count"));
    assert_eq!(asked[0].parameter("p[2]").as_deref(), Some("LISTBOXMULTIPLE|wavelnth|171"));
    assert_eq!(asked[0].parameter("p[3]").as_deref(), Some("CADENCE|mask_cadence|1 min"));
    let mut paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    paths.retain(|path| !path.starts_with(DATASET));
    paths.sort();
    (lab, paths)
}

#[test]
fn an_image_is_fetched_tile_compressed_by_the_address_of_its_record() {
    let (lab, asked) = fetched("");
    assert_eq!(asked, ["/sdo/aia.lev1/1;compress=rice", "/sdo/aia.lev1/2;compress=rice"]);
    for nth in [1, 2] {
        let file = lab.read(&format!("data/one/2015/12/11/aia.lev1.{nth}.image_lev1.fits"));
        assert_eq!(file, fits(nth, 20, "image"));
    }
}

#[test]
fn segments_that_are_named_are_fetched_each_by_its_name() {
    let (lab, asked) = fetched(", segments: [image_lev1, spikes]");
    let due = [1, 2]
        .map(|nth| ["image_lev1", "spikes"].map(|name| format!("/sdo/aia.lev1/{nth};segment={name};compress=rice")));
    assert_eq!(asked, due.concat());
    for (name, seed) in [("image_lev1", 0), ("spikes", 500)] {
        let file = lab.read(&format!("data/one/2015/12/11/aia.lev1.2.{name}.fits"));
        assert_eq!(file, fits(2 + seed, 20, "image"), "{name}");
    }
}
