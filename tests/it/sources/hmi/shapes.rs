//! The older shapes of the HMI service, by their documented answers: v1 has one file a record, v2 one a segment. Both tell
//! a file's name in the header of its answer, unquoted.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::super::contract::{self, How};
use super::listing;
use crate::lab::{Answer, Job, Lab, Server, fits};

/// A service of such a shape.
pub(in crate::sources) struct Older<S> {
    server: Server,
    how: Arc<Mutex<How>>,
    shape: PhantomData<S>,
}

/// What tells the shapes apart. A record is one by its number from 0 on, and by its time.
pub(in crate::sources) trait Shape {
    /// The series.
    const NAME: &'static str;
    /// All of it in a manifest.
    const ALL: &'static str;
    /// The same by a filter that it does not tell enough for.
    const UNTOLD: &'static str;
    /// The file of a record: the last part of its address.
    fn file(nth: usize, time: &str) -> String;
    /// The name that its answer tells.
    fn name(nth: usize, time: &str) -> String;
    /// A record in a listing, with the address of its file.
    fn item(nth: usize, time: &str, url: &str) -> Value;
}

pub(in crate::sources) struct First;
pub(in crate::sources) struct Second;

/// The number of the first record of the second shape.
const RECNUM: usize = 1_958_485;

fn digits(time: &str, between: &str) -> String {
    time[..19].replace(['-', ':'], "").replace('T', between)
}

impl Shape for First {
    const NAME: &'static str = "sharp_720s";
    const ALL: &'static str = "{ name: sharp_720s, as: one }";
    const UNTOLD: &'static str = "{ name: sharp_720s, as: one, segments: [Br] }";

    fn file(_: usize, time: &str) -> String {
        format!("sharp_720s_{}", digits(time, "_"))
    }

    fn name(nth: usize, time: &str) -> String {
        format!("{}.fits", First::file(nth, time))
    }

    fn item(_: usize, time: &str, url: &str) -> Value {
        json!({ "url": url, "date_obs": time })
    }
}

impl Shape for Second {
    const NAME: &'static str = "sharp_cea_720s_nrt";
    const ALL: &'static str = "{ name: sharp_cea_720s_nrt, as: one }";
    const UNTOLD: &'static str = "{ name: sharp_cea_720s_nrt, as: one, harpnum: [377] }";

    fn file(nth: usize, time: &str) -> String {
        format!("{}_{}_conf_disambig.fits", RECNUM + nth, digits(time, ""))
    }

    fn name(nth: usize, time: &str) -> String {
        format!("hmi_{}", Second::file(nth, time))
    }

    fn item(nth: usize, time: &str, url: &str) -> Value {
        json!({ "date__obs": time, "download_time": "2016-01-19T03:00:00Z", "exptime": null, "mask_cadence": 1,
                "nbr_update": 0, "quality": 0, "recnum": RECNUM + nth, "recnum_init": RECNUM + nth,
                "series_name": "hmi.sharp_cea_720s_nrt", "t_rec_index": 1_005_480 + nth, "time": time, "type": "image",
                "urls": [url] })
    }
}

impl<S: Shape> contract::Fake for Older<S> {
    fn with(times: &[&str]) -> Older<S> {
        let records: Vec<String> = times.iter().map(|time| format!("{time}.000000Z")).collect();
        let how = Arc::new(Mutex::new(How::Honest));
        let now = Arc::clone(&how);
        let server = Server::speaking(move |request| {
            let below = request.path.strip_prefix("/HMI/")?.strip_prefix(S::NAME)?;
            let Some(file) = below.strip_prefix('/') else {
                let item = |nth: usize, time: &str, host: &str| {
                    S::item(nth, time, &format!("http://{host}/HMI/{}/{}", S::NAME, S::file(nth, time)))
                };
                return below.is_empty().then(|| listing(request, &records, &now.lock().expect("a lock"), item));
            };
            let (nth, time) = records.iter().enumerate().find(|(nth, time)| S::file(*nth, time) == file)?;
            let body = fits(u32::try_from(nth).ok()?, 20, time);
            Some(Answer::file(body).named(&S::name(nth, time)))
        });
        Older { server, how, shape: PhantomData }
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn list(&self, how: How) {
        *self.how.lock().expect("a lock") = how;
    }

    fn source(&self) -> String {
        format!("{{ hmi: {{ url: \"{}\" }} }}", self.server.url())
    }

    fn series() -> &'static str {
        S::ALL
    }

    fn unanswerable() -> &'static str {
        S::UNTOLD
    }
}

/// A run over 2015-12-11 with one record in it, and its line of the day's record.
fn line<S: Shape>() -> (Lab, Older<S>, Value) {
    let service: Older<S> = contract::Fake::with(&["2015-12-11T18:22:08"]);
    let lab = Lab::new();
    let source = contract::Fake::source(&service);
    lab.write("job.yaml", Job::from_source(&source).series(&[S::ALL]).yaml());
    lab.report(0);
    let day = lab.day("data", "one", "2015-12-11");
    assert_eq!((day.files.len(), lab.proved("data").len()), (1, 1));
    let asked = service.server.requests();
    assert_eq!((asked.len(), asked[0].parameter("meta")), (2, None), "{asked:?}");
    let line = day.files[0].clone();
    (lab, service, line)
}

#[test]
fn a_service_of_the_first_shape_is_listed_and_its_files_are_named_by_their_answers() {
    let (lab, _service, line) = line::<First>();
    let path = "/HMI/sharp_720s/sharp_720s_20151211_182208";
    assert_eq!((&line["key"], &line["url"]), (&json!(path), &json!(path)), "at its own place, whatever host is listed");
    assert_eq!(line["path"], "one/2015/12/11/sharp_720s_20151211_182208.fits");
    assert_eq!((line.get("recnum"), &line["time"]), (None, &json!("2015-12-11T18:22:08Z")));
    assert_eq!(
        lab.read("data/one/2015/12/11/sharp_720s_20151211_182208.fits"),
        fits(0, 20, "2015-12-11T18:22:08.000000Z")
    );
}

#[test]
fn a_service_of_the_second_shape_is_listed_by_record_and_segment_and_its_files_are_named_by_their_answers() {
    let (_lab, _service, line) = line::<Second>();
    assert_eq!(line["key"], "1958485/conf_disambig");
    assert_eq!(line["url"], "/HMI/sharp_cea_720s_nrt/1958485_20151211182208_conf_disambig.fits");
    assert_eq!(line["path"], "one/2015/12/11/hmi_1958485_20151211182208_conf_disambig.fits");
    assert_eq!((&line["recnum"], &line["segment"]), (&json!(RECNUM), &json!("conf_disambig")));
}
