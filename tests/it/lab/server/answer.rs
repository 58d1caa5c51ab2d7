//! What a scripted server answers, and how it breaks its word.

use std::sync::Arc;
use std::time::Duration;

use sunhaul::digest::Digest;

/// An answer: honest unless told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Arc<Vec<u8>>,
    pub(super) framing: Framing,
    /// Goes out before the head.
    pub(super) lead: Vec<u8>,
    /// Goes out after what is sent of the body; in chunks, as trailers.
    pub(super) tail: Vec<u8>,
    pub(super) ending: Ending,
    pub(super) ranges: Ranges,
    /// A request for a range is given this one in its place.
    pub(super) by_range: Option<Box<Answer>>,
    /// A client that has the file gets 304.
    pub(super) is_conditional: bool,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

/// How the body's length is told.
#[derive(Debug, Clone)]
pub(super) enum Framing {
    /// Content-Length, as it is.
    Length,
    /// These very header lines instead.
    Declared(Vec<(String, String)>),
    /// Not at all: the connection's end is the body's.
    UntilClose,
    /// In chunks.
    Chunked,
    /// The body is all that is sent: head, body and whatever else, as it stands.
    Raw,
}

/// How an answer ends. Offsets count the body bytes of this one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All is sent.
    Whole,
    /// All is sent, and the connection is closed though nothing said that it would be.
    Closed,
    /// The connection is closed before this byte.
    Cut(usize),
    /// The connection is reset before this byte.
    Reset(usize),
    /// Over HTTP/2 alone: the stream is reset with `NO_ERROR` before this byte, without `END_STREAM`.
    Abandoned(usize),
    /// Nothing more comes from this byte on, or from the last one, and the connection stays open.
    Stall(usize),
    /// From this byte on, or the last, a single one comes every so often.
    Drip(usize, Duration),
    /// Closed before the headers.
    NoHeaders,
    /// Open, and not even headers come.
    Silence,
    /// After the body, the same again for ever.
    Endless,
}

/// How a request for a part is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// As asked, when `If-Range` fits.
    Honest,
    /// With the whole and 200, and without `Accept-Ranges`.
    Ignored,
    /// With 206 and this `Content-Range`, `None` for none; the bytes are those asked for.
    Claimed(Option<String>),
    /// With 206, the bytes from so much later (or earlier) than asked, and a `Content-Range` that says so.
    Shifted(i64),
    /// With 416 and this `Content-Range`.
    Refused(Option<String>),
    /// As asked, whatever `If-Range` says.
    Unconditional,
    /// As asked, with the right `Content-Range`, but under status 200.
    Sliced,
    /// With 206 and only so many of the bytes asked for, and a `Content-Range` that says so.
    Short(usize),
}

impl Answer {
    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: Arc::new(body),
            framing: Framing::Length,
            lead: Vec::new(),
            tail: Vec::new(),
            ending: Ending::Whole,
            ranges: Ranges::Honest,
            by_range: None,
            is_conditional: true,
            etag: None,
            last_modified: None,
        }
    }

    /// A file: 200, with a strong `ETag` of its bytes, `Last-Modified`, and on request parts, or 304.
    pub(crate) fn file(body: Vec<u8>) -> Answer {
        let etag = format!("\"{}\"", Digest::sha256(&body));
        let mut answer = Answer::new(200, "application/fits", body);
        answer.etag = Some(etag);
        answer.last_modified = Some("Fri, 11 Dec 2015 20:00:00 GMT".to_owned());
        answer
    }

    /// A JSON document.
    pub(crate) fn json(value: &serde_json::Value) -> Answer {
        Answer::text("application/json", &value.to_string())
    }

    /// The word that what is asked for has moved to `/moved/`, where something else is.
    pub(crate) fn moved() -> Answer {
        Answer::status(301).header("Location", "/moved/")
    }

    /// A web page with status 200, as a login page or a proxy's error comes.
    pub(crate) fn html() -> Answer {
        Answer::text("text/html", "<!DOCTYPE html>\n<html><body><h1>Please log in</h1></body></html>\n")
    }

    /// Any text with status 200.
    pub(crate) fn text(content_type: &str, text: &str) -> Answer {
        Answer::new(200, content_type, text.as_bytes().to_vec())
    }

    /// A bare status.
    pub(crate) fn status(status: u16) -> Answer {
        Answer::new(status, "application/problem+json", format!("{{\"status\":{status}}}").into_bytes())
    }

    /// Another body.
    pub(crate) fn saying(mut self, body: &str) -> Answer {
        self.body = Arc::new(body.as_bytes().to_vec());
        self
    }

    /// These very bytes, head and all.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Answer {
        Answer { framing: Framing::Raw, ranges: Ranges::Ignored, ..Answer::new(200, "", bytes.into()) }
    }

    /// The whole body.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.body.to_vec()
    }

    /// Another body under the same headers.
    pub(crate) fn with_body(mut self, body: Vec<u8>) -> Answer {
        self.body = Arc::new(body);
        self
    }

    /// Bytes before the head, such as an early answer.
    pub(crate) fn lead(mut self, bytes: &str) -> Answer {
        self.lead = bytes.as_bytes().to_vec();
        self
    }

    /// Bytes after what is sent of the body; in chunks, lines of trailers.
    pub(crate) fn tail(mut self, bytes: &str) -> Answer {
        self.tail = bytes.as_bytes().to_vec();
        self
    }

    /// A further header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another `Content-Type`.
    pub(crate) fn called(mut self, content_type: &str) -> Answer {
        self.headers.retain(|(name, _)| name != "Content-Type");
        self.header("Content-Type", content_type)
    }

    /// The file's name, told unquoted as the old service did.
    pub(crate) fn named(self, name: &str) -> Answer {
        self.header("Content-Disposition", &format!("attachment; filename={name}"))
    }

    /// Another `ETag`; `None` for none.
    pub(crate) fn etag(mut self, etag: Option<&str>) -> Answer {
        self.etag = etag.map(str::to_owned);
        self
    }

    /// Another `Last-Modified`; `None` for none.
    pub(crate) fn last_modified(mut self, date: Option<&str>) -> Answer {
        self.last_modified = date.map(str::to_owned);
        self
    }

    /// Quite another answer to requests for a part.
    pub(crate) fn answering_ranges_by(self, other: Answer) -> Answer {
        Answer { by_range: Some(Box::new(other)), ..self }
    }

    /// Another way to answer requests for a part.
    pub(crate) fn ranges(mut self, ranges: Ranges) -> Answer {
        self.ranges = ranges;
        self
    }

    /// The whole file whatever conditions are asked.
    pub(crate) fn unconditional(mut self) -> Answer {
        self.is_conditional = false;
        self
    }

    /// Another end.
    pub(crate) fn ending(mut self, ending: Ending) -> Answer {
        self.ending = ending;
        self
    }

    /// Nothing more from this body byte on, and the connection stays open.
    pub(crate) fn stall_at(self, byte: usize) -> Answer {
        self.ending(Ending::Stall(byte))
    }

    /// These header lines in place of an honest `Content-Length`.
    pub(crate) fn framed_as(mut self, lines: &[(&str, &str)]) -> Answer {
        self.framing = Framing::Declared(lines.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        self
    }

    /// No length: the body ends with the connection.
    pub(crate) fn until_close(mut self) -> Answer {
        self.framing = Framing::UntilClose;
        self
    }

    /// In chunks; a cut one lacks its terminator.
    pub(crate) fn chunked(mut self) -> Answer {
        self.framing = Framing::Chunked;
        self
    }
}
