//! What `jsoc_fetch` answers: how an order stands, and where its files are.
//!
//! Source: `AjaxJsocConnect` of JSOC's wiki, and `jsoc_fetch` of its public code.

use std::time::Duration;

use serde::Deserialize;

use super::super::response::{Loose, said};
use super::super::text::parse;
use crate::failure::Failure;
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// An answer to `exp_request` or `exp_status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExportReply {
    status: Option<Loose>,
    requestid: Loose,
    reqid: Loose,
    wait: Loose,
    error: Loose,
    dir: Loose,
    data: Option<Vec<FileBody>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FileBody {
    record: Loose,
    filename: Loose,
}

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Its files are made.
    Done(Vec<ExportedFile>),
    /// It waits, or is worked on.
    Pending {
        /// Its number, where one is told.
        id: Option<String>,
        /// How long JSOC expects it to take.
        wait: Option<Duration>,
    },
    /// It asks for more than one order may.
    TooLarge(String),
    /// It is refused; sometimes it would not be a moment later.
    Refused(String),
    /// It is refused until somebody at JSOC has put its files on disk again.
    Offline(String),
    /// It was done, and its files are gone.
    Expired,
    /// JSOC does not know it, or does not yet.
    Unknown(String),
    /// Another order of the same person, or too many from the same place, are under way.
    Busy(String),
}

impl Reply {
    /// The same, with what JSOC says in other words.
    pub(super) fn in_words(self, other: impl FnOnce(String) -> String) -> Reply {
        match self {
            Reply::TooLarge(words) => Reply::TooLarge(other(words)),
            Reply::Refused(words) => Reply::Refused(other(words)),
            Reply::Offline(words) => Reply::Offline(other(words)),
            Reply::Unknown(words) => Reply::Unknown(other(words)),
            Reply::Busy(words) => Reply::Busy(other(words)),
            Reply::Done(_) | Reply::Pending { .. } | Reply::Expired => self,
        }
    }
}

/// A file of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExportedFile {
    /// What it is: `hmi.sharp_cea_720s[377][2011.02.15_00:00:00_TAI]{Br}`, in lower case and without spaces; of what
    /// `fits` makes, the record alone.
    pub(super) named: String,
    /// Its path below JSOC's root; none where there is no file.
    pub(super) path: Option<String>,
    /// It is a path on JSOC's disks, and none in the order's own folder.
    pub(super) is_on_disk: bool,
    /// Its storage unit is not on the disks.
    pub(super) is_offline: bool,
    /// JSOC's warning in place of a file.
    pub(super) warning: Option<String>,
}

impl Reply {
    /// Reads an answer.
    ///
    /// # Errors
    /// `html` and `listing-malformed` for what is none.
    pub(super) fn read(answer: &[u8]) -> Result<Reply, Failure> {
        let ExportReply { status, requestid, reqid, wait, error, dir, data } = parse(answer)?;
        let status = status.ok_or_else(|| malformed("an order's answer without a status"))?;
        let code = status.whole();
        let words = || match error.0.trim() {
            "" => format!("status {}, and no word of why", escape(&status.0)),
            words => said(words),
        };
        Ok(match code {
            Some(0) => Reply::Done(rows(&dir.0, data)?),
            // 12 is what JSOC's own tests order.
            Some(1 | 2 | 12) => {
                let id = Some(requestid.0).filter(|id| !id.is_empty()).unwrap_or(reqid.0);
                Reply::Pending { id: number(id)?, wait: seconds(&wait) }
            }
            Some(3) => Reply::TooLarge(words()),
            // `jsoc_fetch.c:3601` has the same status for what is too much as for what is wrong.
            Some(4) if words().contains(TOO_MANY) => Reply::TooLarge(words()),
            Some(4) if words().contains(NO_RECORD) => Reply::Unknown(words()),
            Some(4) => Reply::Refused(words()),
            Some(5) => Reply::Expired,
            Some(6) => Reply::Unknown(words()),
            Some(7) => Reply::Busy(words()),
            // `EXPORT_REQUEST_STATUS_INTERVENTION` of `jsoc_fetch.c:61`.
            Some(25) => Reply::Offline(words()),
            _ => return Err(malformed(&format!("an order's status `{}`: {}", escape(&status.0), words()))),
        })
    }
}

/// An order's number, such as `JSOC_20140325_334`; none for `VOID` or an empty one.
fn number(id: String) -> Result<Option<String>, Failure> {
    if id.is_empty() || id == "VOID" {
        return Ok(None);
    }
    let is_plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_plain {
        return Ok(Some(id));
    }
    Err(malformed(&format!("`{}` is no number of an order", escape(&id))))
}

/// JSOC's guess; when an order takes longer, it is below zero, and says nothing.
fn seconds(wait: &Loose) -> Option<Duration> {
    let seconds: f64 = wait.0.trim().parse().ok()?;
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds.min(1e6)).ok()).flatten()
}

/// Part of the refusal of an order with too many records.
const TOO_MANY: &str = "too many records in one request";

/// What `jsoc_fetch.c:4602-4625` says of an order that is in neither of its two series, as long as the order is not stored.
/// Older servers have a status of its own for it, 6.
const NO_RECORD: &str = "export DRMS record for ID";

/// What stands for a file whose storage unit is not on the disks.
const NO_DIRECTORY: &str = "NoDataDirectory";

/// Begins a row that has a warning in place of a file.
const WARNING: &str = "warning=";

fn rows(dir: &str, data: Option<Vec<FileBody>>) -> Result<Vec<ExportedFile>, Failure> {
    let data = data.ok_or_else(|| malformed("an order that is done, without `data`"))?;
    let row = |FileBody { record, filename }: FileBody| {
        let warning = [&record.0, &filename.0].into_iter().find_map(|text| text.trim().strip_prefix(WARNING)).map(said);
        let is_on_disk = filename.0.starts_with('/');
        let path = match filename.0.as_str() {
            _ if warning.is_some() => None,
            "NoDataFile" | NO_DIRECTORY | "" => None,
            path if is_on_disk => Some(path.to_owned()),
            name => Some(format!("{}/{name}", dir.trim_end_matches('/'))),
        };
        let is_offline = warning.is_none() && filename.0 == NO_DIRECTORY;
        ExportedFile { named: plain(&record.0), path, is_on_disk, is_offline, warning }
    };
    Ok(data.into_iter().map(row).collect())
}

/// A record set as two of one record are the same.
pub(super) fn plain(record: &str) -> String {
    record.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    fn read(answer: &str) -> Reply {
        Reply::read(answer.as_bytes()).unwrap()
    }

    #[test]
    fn the_documented_answers_are_read() {
        let queued = r#"{"status":2,"requestid":"JSOC_20140325_334","method":"url","protocol":"FITS,compress Rice","wait":10,"rcount":4241,"size":64080}"#;
        let id = || Some("JSOC_20140325_334".to_owned());
        assert_eq!(read(queued), Reply::Pending { id: id(), wait: Some(Duration::from_secs(10)) });
        let late = queued.replace("10,", "-25,").replace("\"status\":2", "\"status\":\"1\"");
        assert_eq!(read(&late), Reply::Pending { id: id(), wait: None });
        let large = r#"{"requestid":"VOID","status":3,"error":"Request exceeds max byte limit of 100000MB"}"#;
        assert_eq!(read(large), Reply::TooLarge("Request exceeds max byte limit of 100000MB".into()));
        assert_eq!(read(r#"{"status":5,"requestid":"JSOC_1","wait":999999}"#), Reply::Expired);
        assert_eq!(read(r#"{"status":4}"#), Reply::Refused("status 4, and no word of why".into()));
        assert!(matches!(read(r#"{"status":6,"error":"Cant locate export request: x"}"#), Reply::Unknown(_)));
        let not_stored = r#"{"status":4,"error":"invalid export DRMS record for ID `%s`JSOC_20140325_334"}"#;
        assert!(matches!(read(not_stored), Reply::Unknown(_)));
        let many = r#"{"status":4,"error":"90000 is too many records in one request."}"#;
        assert!(matches!(read(many), Reply::TooLarge(_)));
        let offline = r#"{"status":25,"error":"One or more data files are offline"}"#;
        assert_eq!(read(offline), Reply::Offline("One or more data files are offline".into()));
        let busy = r#"{"status":7,"error":"User X has 1 pending export requests (JSOC_1); please wait"}"#;
        assert!(matches!(read(busy), Reply::Busy(words) if words.starts_with("User X has 1")));
    }

    #[test]
    fn files_lie_in_the_order_s_folder_or_where_they_were() {
        let done = r#"{"status":0,"requestid":"JSOC_1","dir":"/SUM9/D5/S00000","count":2,"data":[
            {"record":"hmi.M_45s[2011.02.15_00:00:00_TAI][2]{magnetogram}","filename":"a.fits"},
            {"record":"hmi.M_45s[x]{magnetogram}","filename":"NoDataFile"},
            {"record":"hmi.M_45s[y]{magnetogram}","filename":"NoDataDirectory"}]}"#;
        let row = |named: &str, path: Option<&str>| ExportedFile {
            named: named.into(),
            path: path.map(str::to_owned),
            is_on_disk: false,
            is_offline: false,
            warning: None,
        };
        assert_eq!(
            read(done),
            Reply::Done(vec![
                row("hmi.m_45s[2011.02.15_00:00:00_tai][2]{magnetogram}", Some("/SUM9/D5/S00000/a.fits")),
                row("hmi.m_45s[x]{magnetogram}", None),
                ExportedFile { is_offline: true, ..row("hmi.m_45s[y]{magnetogram}", None) },
            ])
        );
        let quick = r#"{"status":0,"requestid":"","dir":"","data":[{"record":"a[1]{ Br }","filename":"/SUM1/D1/S00000/Br.fits"}]}"#;
        assert_eq!(
            read(quick),
            Reply::Done(vec![ExportedFile { is_on_disk: true, ..row("a[1]{br}", Some("/SUM1/D1/S00000/Br.fits")) }])
        );
    }

    #[test]
    fn a_row_with_a_warning_has_no_file() {
        let done = r#"{"status":0,"dir":"/SUM9/D5/S00000","data":[{"record":"hmi.M_45s[1]","filename":"warning=No  data"},
            {"record":"warning=Cannot export Rice","filename":""}]}"#;
        let Reply::Done(rows) = read(done) else { panic!("it is done") };
        let words = |row: &ExportedFile| (row.path.clone(), row.warning.clone());
        assert_eq!(words(&rows[0]), (None, Some("No data".into())));
        assert_eq!(words(&rows[1]), (None, Some("Cannot export Rice".into())));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for answer in [
            r#"{"requestid":"JSOC_1"}"#,
            r#"{"status":9}"#,
            r#"{"status":"soon"}"#,
            r#"{"status":0,"requestid":"JSOC_1"}"#,
            r#"{"status":2,"requestid":"../x"}"#,
            r#"{"status":2,"requestid":"a b"}"#,
        ] {
            assert_eq!(Reply::read(answer.as_bytes()).unwrap_err().class, Class::ListingMalformed, "{answer}");
        }
        assert_eq!(Reply::read(b"<html>").unwrap_err().class, Class::Html);
        assert_eq!(seconds(&Loose("1e300".into())), Some(Duration::from_secs(1_000_000)));
        assert_eq!(seconds(&Loose("nan".into())), None);
    }
}
