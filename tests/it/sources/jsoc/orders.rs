//! The fake's `jsoc_fetch`: orders, and how they fare.

use serde_json::{Value, json};

use super::info::{self, Record, SEGMENTS};
use super::{State, said};
use crate::lab::{Answer, Ending, Request};

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
    /// This segment has no file.
    pub(super) has_none: Option<&'static str>,
    /// Of each record and segment, an order at once has the files of all segments, as of those whose protocol is `generic`.
    pub(super) has_all: bool,
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
    /// Files are made anew, and not linked to.
    fn is_made(&self) -> bool {
        self.same[3].as_deref() == Some("fits")
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
            has_none: None,
            has_all: false,
        }
    }
}

impl Desk {
    /// The record that an exported file was made of, and a number that tells its segment.
    pub(super) fn exported<'a>(&self, path: &str, records: &'a [Record]) -> Option<(u32, &'a Record)> {
        let (number, file) = path.strip_prefix("/SUM9/D")?.split_once("/S00000/")?;
        let order = self.orders.get(number.parse::<usize>().ok()?).filter(|order| !order.is_expired)?;
        let (_, segments) = order.set.split_once('{')?;
        let segment = SEGMENTS
            .iter()
            .find(|segment| segments.contains(**segment) && file.ends_with(&format!(".{segment}.fits")))?;
        let record = records.iter().find(|record| record.file(segment) == file)?;
        Some((u32::try_from(record.recnum).ok()? + if *segment == "Br" { 0 } else { 500 }, record))
    }

    /// The record sets that were ordered.
    pub(super) fn sets(&self) -> Vec<&str> {
        self.orders.iter().map(|order| order.set.as_str()).collect()
    }
}

fn refused(status: u32, error: &str) -> Answer {
    said(&json!({ "status": status, "requestid": "VOID", "wait": 999_999, "error": error }))
}

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

pub(super) fn request(request: &Request, state: &mut State) -> Answer {
    let of = |name: &str| request.parameter(name);
    let set = of("ds").expect("a record set");
    let (records, segments) = set.split_once('{').expect("segments");
    let records = match info::select(&with_images(records), &state.records) {
        Ok(records) => records,
        Err(error) => return refused(4, &error),
    };
    let desk = &mut state.desk;
    if of("notify").as_deref() != Some(EMAIL) {
        return refused(4, "E-mail address nobody@example.org is not registered with JSOC");
    }
    if desk.flaky > 0 {
        desk.flaky -= 1;
        return refused(4, "Cant save new export-request hash.");
    }
    // `jsoc_fetch.c:4027-4047,4406-4413`.
    if records.iter().any(Record::is_on_tape) {
        let error = "One or more data files are offline; please send a request for help to jsoc@sun.stanford.edu";
        return said(&json!({ "status": 25, "error": error }));
    }
    let is_quick = of("method").as_deref() == Some("url_quick") && of("protocol").as_deref() == Some("as-is");
    if is_quick && records.iter().all(|record| record.instead.is_none()) {
        let segments: Vec<&str> = segments.trim_end_matches('}').split(',').collect();
        let rows = |record: &Record, segment: &str| {
            let files = if desk.has_all { SEGMENTS.to_vec() } else { vec![segment] };
            let row =
                |file| json!({ "record": format!("{}{{{segment}}}", record.query()), "filename": record.path(file) });
            files.into_iter().map(row).collect::<Vec<Value>>()
        };
        let rows_of = |record| segments.iter().flat_map(move |segment| rows(record, segment));
        let data: Vec<Value> = records.iter().flat_map(rows_of).collect();
        return said(&json!({ "status": 0, "requestid": "", "dir": "", "wait": 0, "count": data.len(), "data": data }));
    }
    // The same order within a day is the same one.
    let same = ["ds", "filenamefmt", "process=n", "protocol", "method"].map(of).to_vec();
    if let Some(nth) = desk.orders.iter().position(|order| order.same == same && !order.is_expired) {
        return said(&json!({ "status": 2, "requestid": number(nth), "wait": 0 }));
    }
    if desk.busy > 0 || desk.orders.iter().any(|order| order.pending > 0 && !order.is_expired) {
        desk.busy = desk.busy.saturating_sub(1);
        let error = format!(
            "User {EMAIL} has 1 pending export requests (JSOC_20151213_9); please wait until at least one completes"
        );
        return said(&json!({ "status": 7, "error": error }));
    }
    if records.len() > desk.limit {
        return refused(3, "Request exceeds max byte limit of 100000MB");
    }
    let (pending, unseen) = (desk.pending, desk.unseen);
    desk.orders.push(Order { set, same, pending, unseen, is_expired: false });
    let answer = json!({ "status": 2, "requestid": number(desk.orders.len() - 1), "method": "url", "wait": 0, "rcount": records.len(), "size": 1 });
    if std::mem::take(&mut desk.hangs) { said(&answer).ending(Ending::Silence) } else { said(&answer) }
}

pub(super) fn status(request: &Request, state: &mut State) -> Answer {
    let id = request.parameter("requestid").expect("an order's number");
    let desk = &mut state.desk;
    let nth = (0..desk.orders.len()).find(|nth| number(*nth) == id);
    let Some((nth, order)) = nth.map(|nth| (nth, &mut desk.orders[nth])) else {
        return said(&json!({ "status": 6, "error": format!("Cant locate export request: jsoc.export[{id}]") }));
    };
    if order.is_expired {
        return said(
            &json!({ "status": 5, "requestid": id, "wait": 999_999, "error": "Request was completed but is now deleted, 7 day limit exceeded" }),
        );
    }
    if order.unseen > 0 {
        order.unseen -= 1;
        return said(&json!({ "status": 6, "error": format!("Cant locate export request: jsoc.export[{id}]") }));
    }
    if order.pending > 0 {
        order.pending = if order.pending == u32::MAX { u32::MAX } else { order.pending - 1 };
        return said(&json!({ "status": 1, "requestid": id, "method": "url", "wait": -3, "rcount": 1, "size": 1 }));
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
        let filename = if desk.has_none == Some(segment) { "NoDataFile".to_owned() } else { record.file(segment) };
        data.push(json!({ "record": order.record(&named, &id), "filename": filename }));
    }
    said(&json!({
        "status": 0, "requestid": id, "method": "url", "protocol": "fits", "dir": format!("/SUM9/D{nth}/S00000"), "wait": 0,
        "count": data.len(), "size": 1, "data": data,
    }))
}
