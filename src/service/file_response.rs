//! One file as an HTTP answer: its headers, the part asked for, and its bytes in large pieces.
//!
//! What it does not do: hold a file of the disk. Of each body on its way at most two pieces are in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::task::{JoinHandle, spawn_blocking};

use super::backend::{FileContent, OpenedFile};
use super::problem::HttpProblem;
use super::range::{RequestedRange, wanted};

/// How much is read at a time: large enough that the hand-over between threads costs little.
const PIECE: usize = 256 * 1024;

/// What is to be sent. The first piece has been read where the file was opened, so a small file takes one hand-over.
#[derive(Debug)]
pub(super) struct Delivery {
    status: StatusCode,
    headers: HeaderMap,
    first: Bytes,
    /// The rest: the file stands where it goes on, with so many bytes still to send.
    rest: Option<(File, u64)>,
}

/// Decides what to send of a file, and reads the first piece. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn prepare(served: OpenedFile, method: &Method, asked: &HeaderMap) -> io::Result<Delivery> {
    let modified = httpdate::fmt_http_date(served.modified);
    let (status, part) = part(&served, &modified, method, asked);
    let mut headers = HeaderMap::new();
    let mut set = |name: header::HeaderName, value: &str| {
        // None of these texts can be no header value: names are made safe, the others are numbers.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &served.etag);
    set(header::LAST_MODIFIED, &modified);
    set(header::ACCEPT_RANGES, "bytes");
    match status {
        StatusCode::RANGE_NOT_SATISFIABLE => set(header::CONTENT_RANGE, &format!("bytes */{}", served.length)),
        StatusCode::PARTIAL_CONTENT => {
            set(header::CONTENT_RANGE, &format!("bytes {}-{}/{}", part.start, part.end - 1, served.length));
        }
        _ => {}
    }
    if status.is_success() {
        set(header::CONTENT_TYPE, "application/fits");
        set(header::CONTENT_LENGTH, &(part.end - part.start).to_string());
        // Unquoted on purpose: the tutorial's client takes all that follows `filename=` for the name.
        set(header::CONTENT_DISPOSITION, &format!("attachment; filename={}", safe_name(&served.name)));
    }
    let (first, rest) =
        if status.is_success() && method != Method::HEAD { begin(served.content, part)? } else { (Bytes::new(), None) };
    Ok(Delivery { status, headers, first, rest })
}

/// The status of the answer, and which bytes it holds.
fn part(served: &OpenedFile, modified: &str, method: &Method, asked: &HeaderMap) -> (StatusCode, Range<u64>) {
    let whole = 0..served.length;
    let text = |name: header::HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    if is_known(served, modified, asked) {
        return (StatusCode::NOT_MODIFIED, 0..0);
    }
    let Some(range) = text(header::RANGE).filter(|_| method == Method::GET) else {
        return (StatusCode::OK, whole);
    };
    // A validator that is not exactly the file's own means that the reader has other bytes: it gets all of these.
    if asked.contains_key(header::IF_RANGE)
        && text(header::IF_RANGE).is_none_or(|seen| seen != served.etag && seen != modified)
    {
        return (StatusCode::OK, whole);
    }
    match wanted(range, served.length) {
        RequestedRange::Whole => (StatusCode::OK, whole),
        RequestedRange::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        RequestedRange::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    }
}

/// True when the reader has these very bytes, as far as its conditions tell (RFC 9110, 13.1.2, 13.1.3, 13.2.2).
fn is_known(served: &OpenedFile, modified: &str, asked: &HeaderMap) -> bool {
    if asked.contains_key(header::IF_NONE_MATCH) {
        // Whether a tag is weak is of no matter here, and with tags the date says nothing more.
        let lines = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
        return tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == served.etag);
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let since = asked.get(header::IF_MODIFIED_SINCE).and_then(|value| date(value.to_str().ok()?));
    // Both in whole seconds, as the reader was told.
    since.zip(date(modified)).is_some_and(|(since, modified)| modified <= since)
}

/// A name that stands in a header without quotes and is a plain file name on any disk.
fn safe_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-+".contains(c) { c } else { '_' };
    let name: String = name.chars().map(safe).collect();
    match name.chars().next() {
        Some('.' | '-') => format!("_{name}"),
        Some(_) => name,
        None => "file.fits".to_owned(),
    }
}

/// The first piece of a part, and what is left of it.
fn begin(content: FileContent, part: Range<u64>) -> io::Result<(Bytes, Option<(File, u64)>)> {
    match content {
        FileContent::Held(bytes) => {
            let end = usize::try_from(part.end).unwrap_or(usize::MAX).min(bytes.len());
            let start = usize::try_from(part.start).unwrap_or(usize::MAX).min(end);
            Ok((bytes.slice(start..end), None))
        }
        FileContent::File(mut file) => {
            if part.start > 0 {
                file.seek(SeekFrom::Start(part.start))?;
            }
            let (first, left) = read_piece(&file, part.end - part.start)?;
            Ok((first, (left > 0).then_some((file, left))))
        }
    }
}

/// Reads the next piece of `left` bytes; gives it with what is left then.
fn read_piece(file: &File, left: u64) -> io::Result<(Bytes, u64)> {
    let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
    let mut piece = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut piece)?;
    if piece.len() < length {
        // The connection is then broken off, which is the one way to tell the reader.
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut while it was sent"));
    }
    Ok((Bytes::from(piece), left - length as u64))
}

type Ahead = JoinHandle<io::Result<(Bytes, Option<(File, u64)>)>>;

/// Reads a piece on a thread that may block.
fn read_ahead(file: File, left: u64) -> Ahead {
    spawn_blocking(move || {
        let (piece, left) = read_piece(&file, left)?;
        Ok((piece, (left > 0).then_some((file, left))))
    })
}

/// The pieces in order; while one is sent the next is read.
fn pieces(first: Bytes, file: File, left: u64) -> impl Stream<Item = io::Result<Bytes>> {
    let rest = stream::try_unfold(Some(read_ahead(file, left)), |ahead: Option<Ahead>| async move {
        let Some(ahead) = ahead else {
            return Ok(None);
        };
        let (piece, rest) = ahead.await.map_err(io::Error::other)??;
        Ok(Some((piece, rest.map(|(file, left)| read_ahead(file, left)))))
    });
    stream::once(async move { Ok(first) }).chain(rest)
}

impl IntoResponse for Delivery {
    fn into_response(self) -> Response {
        if self.status == StatusCode::RANGE_NOT_SATISFIABLE {
            let detail = "the range is beyond the end of the file; Content-Range has its length";
            let mut response = HttpProblem::new(self.status, detail).into_response();
            response.headers_mut().extend(self.headers);
            return response;
        }
        let body = match self.rest {
            Some((file, left)) => Body::from_stream(pieces(self.first, file, left)),
            None => Body::from(self.first),
        };
        (self.status, self.headers, body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrinks_on_its_way_is_an_error_and_never_a_short_answer() {
        let mut file = tempfile::tempfile().expect("a file");
        io::Write::write_all(&mut file, &[7; 10]).expect("to write");
        file.rewind().expect("to rewind");
        assert!(read_piece(&file, 20).is_err());
    }

    #[test]
    fn names_are_safe_without_quotes() {
        assert_eq!(
            safe_name("hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits"),
            "hmi.sharp_cea_720s.377.20110215_020000_TAI.Br.fits"
        );
        assert_eq!(safe_name("a b;\"c\".fits"), "a_b__c_.fits");
        assert_eq!(safe_name(".hidden"), "_.hidden");
        assert_eq!(safe_name("é\r\nX: y"), "___X__y");
        assert_eq!(safe_name(""), "file.fits");
    }
}
