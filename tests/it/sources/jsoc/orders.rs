//! The fake's `jsoc_fetch`: orders, and how they fare.

use fitsio_pure::value::Value as CardValue;
use serde_json::{Value, json};

use super::info::{self, Record, SEGMENTS};
use super::{State, said};
use crate::lab::{Answer, Ending, Request, fits, with_keyword};

/// The address that is registered.
pub(super) const EMAIL: &str = "jane@example.org";

/// The desk that takes orders.
pub(super) struct Desk {
    /// In the order of their numbers.
    pub(super) orders: Vec<Order>,
    /// For so many questions an order is pending; `u32::MAX` is for ever.
    pub(super) pending: u32,
    /// For so many questions before, it is not known yet.
    pub(super) unseen: u32,
    /// So many orders are refused since another one is under way.
    pub(super) busy: u32,
    /// So many orders are refused for no reason.
    pub(super) flaky: u32,
    /// The most records of an order.
    pub(super) limit: usize,
    /// The answer to the next order never comes.
    pub(super) hangs: bool,
    /// This segment is left out of what is made.
    pub(super) lacks: Option<&'static str>,
    /// These records have a warning in place of a file.
    pub(super) warned: Vec<i64>,
    /// This segment has no file.
    pub(super) has_none: Option<&'static str>,
    /// Of each record and segment, an order at once has the files of all segments, as of those whose protocol is `generic`.
    pub(super) has_all: bool,
    /// The files of these records have left the disks since they were listed.
    pub(super) offline: Vec<i64>,
    /// What is made is listed with the record of another one.
    pub(super) swaps: bool,
}

/// One order.
pub(super) struct Order {
    /// The record set with its segments.
    pub(super) set: String,
    /// The parameters that make it the same one.
    same: Vec<Option<String>>,
    pub(super) pending: u32,
    unseen: u32,
    pub(super) is_expired: bool,
}

impl Order {
    fn protocol(&self) -> String {
        self.same[3].clone().unwrap_or_default()
    }

    fn method(&self) -> String {
        self.same[4].clone().unwrap_or_default()
    }

    /// Files are made anew, and not linked to.
    fn is_made(&self) -> bool {
        self.protocol() == "fits"
    }

    /// As a record is named in the order: one that a program made is of another series, with the order's number as a further
    /// prime key (`jsoc_export_clone.c:233-237`).
    fn record(&self, named: &str, id: &str) -> String {
        if self.same[2].as_deref() == Some("0") {
            return named.to_owned();
        }
        let (record, segment) = named.split_at(named.find('{').unwrap_or(named.len()));
        format!("{}[{id}]{segment}", record.replacen('[', "_mod[", 1))
    }
}

impl Default for Desk {
    fn default() -> Desk {
        Desk {
            orders: Vec::new(),
            pending: 0,
            unseen: 0,
            busy: 0,
            flaky: 0,
            limit: usize::MAX,
            hangs: false,
            lacks: None,
            warned: Vec::new(),
            has_none: None,
            has_all: false,
            offline: Vec::new(),
            swaps: false,
        }
    }
}

impl Desk {
    /// An exported file: the one on disk, unless it was made anew.
    pub(super) fn exported(&self, path: &str, records: &[Record]) -> Option<Vec<u8>> {
        let (number, file) = path.strip_prefix("/SUM9/D")?.split_once("/S00000/")?;
        let order = self.orders.get(number.parse::<usize>().ok()?).filter(|order| !order.is_expired)?;
        let (_, segments) = order.set.split_once('{')?;
        let segment = SEGMENTS
            .iter()
            .find(|segment| segments.contains(**segment) && file.ends_with(&format!(".{segment}.fits")))?;
        let record = records.iter().find(|record| record.file(segment) == file)?;
        Some(if order.is_made() { made(record, segment) } else { stored(record, segment) })
    }

    /// The record sets that were ordered.
    pub(super) fn sets(&self) -> Vec<&str> {
        self.orders.iter().map(|order| order.set.as_str()).collect()
    }
}

/// The file of a segment as it lies on the disks, in the record's storage unit.
pub(super) fn stored(record: &Record, segment: &str) -> Vec<u8> {
    of_unit(0, record, segment)
}

/// The same as `protocol=fits` makes it anew: with the keywords that the record has then, of which these stand for all
/// (`drms_segment_export.c`, `fitsexport.c:10-24`).
pub(super) fn made(record: &Record, segment: &str) -> Vec<u8> {
    let plain = of_unit(1000, record, segment);
    let numbered = with_keyword(&plain, "RECNUM", CardValue::Integer(record.recnum));
    let flux = record.text("USFLUX").parse().expect("a number");
    with_keyword(&numbered, "USFLUX", CardValue::Float(flux))
}

fn of_unit(first: u32, record: &Record, segment: &str) -> Vec<u8> {
    let unit = u32::try_from(record.unit).expect("a storage unit");
    fits(first + unit + if segment == "Br" { 0 } else { 500 }, 20, record.time)
}

/// `jsoc_fetch.c:457-458`.
fn refused(status: u32, error: &str) -> Answer {
    said(&json!({ "status": status, "error": error }))
}

/// `checkAddress.py:155,204,249-251`.
pub(super) fn check_address(request: &Request) -> Answer {
    // drms encodes it twice, and the program decodes it again.
    let address = request.parameter("address").map(|address| address.replace("%40", "@"));
    let (status, words) = match address.as_deref() {
        Some(EMAIL) => (2, "Email address is valid and registered."),
        _ => (4, UNREGISTERED),
    };
    said(&json!({ "status": status, "msg": words, "user_id": if status == 2 { 7 } else { -1 } }))
}

const UNREGISTERED: &str = "email address has been neither validated nor registered";

fn number(nth: usize) -> String {
    format!("JSOC_20151213_{nth:03}")
}

/// The record set that is exported for one that is ordered: without the records that have no image, unless it has a
/// condition on QUALITY of its own (`jsoc_fetch.c:3485-3528`).
fn with_images(set: &str) -> String {
    let is_conditioned =
        set.split_once("[?").is_some_and(|(_, condition)| condition.to_ascii_lowercase().contains("quality"));
    if is_conditioned { set.to_owned() } else { format!("{set}[? drms.image_exists(quality) ?]") }
}

/// In the order of `jsoc_fetch.c:3131-4424`.
pub(super) fn request(request: &Request, state: &mut State) -> Answer {
    let of = |name: &str| request.parameter(name);
    let desk = &mut state.desk;
    if of("notify").as_deref() != Some(EMAIL) {
        return refused(4, &format!("Cannot process your request. {UNREGISTERED}"));
    }
    if desk.busy > 0 || desk.orders.iter().any(|order| order.pending > 0 && !order.is_expired) {
        desk.busy = desk.busy.saturating_sub(1);
        let error = format!(
            "User {EMAIL} has 1 pending export requests (JSOC_20151213_9); please wait until at least one request has \
             completed before submitting a new one."
        );
        return refused(7, &error);
    }
    let set = of("ds").expect("a record set");
    let (records, segments) = set.split_once('{').expect("segments");
    let segments = segments.trim_end_matches('}');
    let records = match info::select(&with_images(records), &state.records) {
        Ok(records) => records,
        Err(error) => return refused(4, &error),
    };
    // The same order within a day is the same one: one of the same records, however they are written.
    let recnums = records.iter().map(|record| format!("#{}", record.recnum)).collect::<Vec<_>>().join(",");
    let mut same = vec![Some(format!("{recnums}{segments}"))];
    same.extend(["filenamefmt", "process=n", "protocol", "method"].map(of));
    let (method, protocol) = (of("method").unwrap_or_default(), of("protocol").unwrap_or_default());
    let queued = |nth: usize| {
        json!({ "status": 2, "requestid": number(nth), "method": method, "protocol": protocol, "wait": 0,
            "rcount": records.len(), "size": 1 })
    };
    if let Some(nth) = desk.orders.iter().position(|order| order.same == same && !order.is_expired) {
        return said(&queued(nth));
    }
    if records.len() > desk.limit {
        return said(&json!({ "requestid": "VOID", "method": method, "protocol": protocol, "wait": 0, "status": 3,
            "count": records.len(), "size": 1, "error": "Request exceeds max byte limit of 100000MB" }));
    }
    if method == "url_quick" && protocol == "as-is" && records.iter().all(|record| record.instead.is_none()) {
        let data = at_once(desk, &records, segments);
        return said(&json!({ "rcount": records.len(), "count": data.len(), "size": 1, "dir": "", "data": data,
            "requestid": "", "method": method, "protocol": protocol, "wait": 0, "status": 0 }));
    }
    if desk.flaky > 0 {
        desk.flaky -= 1;
        return refused(4, "Cant save new export-request hash.");
    }
    if records.iter().any(|record| record.is_on_tape() || desk.offline.contains(&record.recnum)) {
        let error = "One or more data files are offline; please send a request for help to jsoc@sun.stanford.edu and we will \
                     place the requested data online, and then you may try again; JSOC_20151213_9";
        return refused(25, error);
    }
    let answer = said(&queued(desk.orders.len()));
    let (pending, unseen) = (desk.pending, desk.unseen);
    desk.orders.push(Order { set, same, pending, unseen, is_expired: false });
    if std::mem::take(&mut desk.hangs) { answer.ending(Ending::Silence) } else { answer }
}

/// The files on disk, `quick_export_rs` of `jsoc_fetch.c:235`.
fn at_once(desk: &Desk, records: &[Record], segments: &str) -> Vec<Value> {
    let rows = |record: &Record, segment: &str| {
        let files = if desk.has_all { SEGMENTS.to_vec() } else { vec![segment] };
        let row = |file| json!({ "record": format!("{}{{{segment}}}", record.query()), "filename": record.path(file) });
        files.into_iter().map(row).collect::<Vec<Value>>()
    };
    records.iter().flat_map(|record| segments.split(',').flat_map(move |segment| rows(record, segment))).collect()
}

pub(super) fn status(request: &Request, state: &mut State) -> Answer {
    let id = request.parameter("requestid").expect("an order's number");
    let desk = &mut state.desk;
    // `jsoc_fetch.c:4617`, whose words for the number have no place for it.
    let unknown = || refused(4, &format!("invalid export DRMS record for ID `%s`{id}"));
    let nth = (0..desk.orders.len()).find(|nth| number(*nth) == id);
    let Some((nth, order)) = nth.map(|nth| (nth, &mut desk.orders[nth])) else { return unknown() };
    let (method, protocol) = (order.method(), order.protocol());
    let about = |status: u32, wait: i64| {
        json!({ "status": status, "requestid": id, "method": method, "protocol": protocol, "wait": wait, "rcount": 1,
            "size": 1 })
    };
    if order.is_expired {
        let mut answer = about(5, 999_999);
        answer["error"] = "Request was completed but is now deleted, 7 day limit exceeded".into();
        answer["contact"] = "jsoc_help@jsoc.stanford.edu".into();
        return said(&answer);
    }
    if order.unseen > 0 {
        order.unseen -= 1;
        return unknown();
    }
    if order.pending > 0 {
        order.pending = if order.pending == u32::MAX { u32::MAX } else { order.pending - 1 };
        return said(&about(1, -3));
    }
    let (records, segments) = order.set.split_once('{').expect("segments");
    let records = info::select(&with_images(records), &state.records).expect("records");
    let mut data = Vec::new();
    for (record, segment) in records
        .iter()
        .flat_map(|record| segments.trim_end_matches('}').split(',').map(move |segment| (record, segment)))
    {
        let is_made = order.is_made();
        // `jsoc_export_as_fits.c:312,391`: the record alone, and no row where there is no file.
        if desk.lacks == Some(segment) || (is_made && desk.has_none == Some(segment)) {
            continue;
        }
        // `jsoc_export_as_is.c:455-459`.
        let named = if is_made { record.query() } else { format!("{}{{{segment}}}", record.query()) };
        let filename = match record.recnum {
            _ if desk.has_none == Some(segment) => "NoDataFile".to_owned(),
            recnum if desk.warned.contains(&recnum) => "warning=Cannot read the segment".to_owned(),
            _ => record.file(segment),
        };
        data.push(json!({ "record": order.record(&named, &id), "filename": filename }));
    }
    if desk.swaps {
        let names: Vec<Value> = data.iter().rev().map(|row| row["filename"].clone()).collect();
        data.iter_mut().zip(names).for_each(|(row, name)| row["filename"] = name);
    }
    // What `jsoc_export_make_index.c:256-259` makes of the lines of a list: all of them texts.
    let dir = format!("/SUM9/D{nth}/S00000");
    let keywords = if order.is_made() { "**IN FITS FILES**".to_owned() } else { format!("{dir}/{id}.keywords.txt") };
    said(&json!({
        "version": "1", "requestid": id, "method": method, "protocol": protocol, "wait": "0",
        "count": data.len().to_string(), "size": "1", "status": "0", "dir": dir, "keywords": keywords, "data": data,
    }))
}
