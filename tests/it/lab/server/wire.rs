//! The bytes of a conversation: requests read, answers written, sockets ended as scripted.

use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Framing;
use super::{Answer, Ending, Ranges, Request, Shared};

/// Pieces are small, so that an end at any byte is an end at that byte.
const PIECE: usize = 64 * 1024;

/// Answers one connection's requests until either side ends it.
pub(super) fn converse(shared: &Shared, stream: &Arc<TcpStream>) {
    stream.set_nodelay(true).expect("a socket");
    let mut reader = BufReader::new(&**stream);
    while let Ok(Some(request)) = read_request(&mut reader) {
        shared.requests.lock().expect("a lock").push(request.clone());
        let answer = shared.answer(&request);
        // A client that goes away in the middle is none of the server's business.
        if !matches!(send(shared, &request, &answer, stream), Ok(Then::GoOn)) {
            return;
        }
    }
}

/// The next request; nothing at the connection's end.
fn read_request(reader: &mut impl BufRead) -> Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let at = Instant::now();
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(ErrorKind::InvalidData.into());
    };
    // A proxy is told the whole URL; its host is of no interest here.
    let target = target.strip_prefix("http://").map_or(target, |rest| &rest[rest.find('/').unwrap_or(rest.len())..]);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse().map_err(|_| ErrorKind::InvalidData)?;
        }
        headers.push((name, value));
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers, at }))
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
}

fn send(shared: &Shared, request: &Request, answer: &Answer, mut stream: &TcpStream) -> Result<Then> {
    let is_gone = || client_is_gone(stream);
    stream.write_all(&answer.lead)?;
    match answer.ending {
        Ending::NoHeaders => return Ok(Then::Close),
        Ending::Silence => {
            shared.pause(&request.path, is_gone);
            return Ok(Then::Close);
        }
        _ => {}
    }
    let part = part(request, answer);
    let body = &answer.body[part.range.clone()];
    if !matches!(answer.framing, Framing::Raw) {
        stream.write_all(head(answer, &part).as_bytes())?;
    }
    if request.method == "HEAD" || part.status == 304 {
        return Ok(Then::GoOn);
    }
    let chunked = matches!(answer.framing, Framing::Chunked);
    let sent = match answer.ending {
        Ending::Cut(at) | Ending::Reset(at) => &body[..at.min(body.len())],
        // Whoever had all of it would not wait.
        Ending::Stall(at) | Ending::Drip(at, _) => &body[..at.min(body.len().saturating_sub(1))],
        _ => body,
    };
    write_body(stream, sent, chunked)?;
    match answer.ending {
        Ending::Whole | Ending::Closed if chunked => {
            stream.write_all(&[b"0\r\n", answer.tail.as_slice(), b"\r\n"].concat())?;
        }
        _ => stream.write_all(&answer.tail)?,
    }
    match answer.ending {
        Ending::Whole | Ending::NoHeaders | Ending::Silence => {}
        Ending::Closed | Ending::Cut(_) => return Ok(Then::Close),
        Ending::Abandoned(_) => panic!("it is spoken over HTTP/2 alone"),
        Ending::Reset(_) => {
            // With no time to linger, closing resets.
            rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
            return Ok(Then::Close);
        }
        Ending::Stall(_) => {
            shared.pause(&request.path, is_gone);
            return Ok(Then::Close);
        }
        Ending::Drip(_, every) => {
            for byte in &body[sent.len()..] {
                write_body(stream, &[*byte], chunked)?;
                std::thread::sleep(every);
            }
            return Ok(Then::Close);
        }
        Ending::Endless => loop {
            write_body(stream, body, chunked)?;
        },
    }
    let is_kept = matches!(answer.framing, Framing::Length | Framing::Chunked | Framing::Raw);
    Ok(if is_kept { Then::GoOn } else { Then::Close })
}

/// The status line and the headers.
fn head(answer: &Answer, part: &Part) -> String {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", part.status);
    let framing = match &answer.framing {
        // It has no body whatever it says; a length would be the file's.
        _ if part.status == 304 => Vec::new(),
        Framing::Length => vec![("Content-Length".to_owned(), part.range.len().to_string())],
        Framing::Declared(lines) => lines.clone(),
        Framing::UntilClose => vec![("Connection".to_owned(), "close".to_owned())],
        Framing::Chunked => vec![("Transfer-Encoding".to_owned(), "chunked".to_owned())],
        Framing::Raw => Vec::new(),
    };
    for (name, value) in fields(answer, part).iter().chain(&framing) {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head
}

/// The headers but for those that tell the length.
pub(super) fn fields(answer: &Answer, part: &Part) -> Vec<(String, String)> {
    let mut fields = vec![("Date".to_owned(), httpdate::fmt_http_date(now()))];
    fields.extend(answer.headers.iter().cloned());
    for (name, value) in
        [("ETag", &answer.etag), ("Last-Modified", &answer.last_modified), ("Content-Range", &part.content_range)]
    {
        fields.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    let tells_ranges = answer.headers.iter().any(|(name, _)| name == "Accept-Ranges");
    if answer.etag.is_some() && answer.ranges != Ranges::Ignored && !tells_ranges {
        fields.push(("Accept-Ranges".to_owned(), "bytes".to_owned()));
    }
    fields
}

fn write_body(mut stream: &TcpStream, body: &[u8], chunked: bool) -> Result<()> {
    for piece in body.chunks(PIECE) {
        if chunked {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
        }
        stream.write_all(piece)?;
        if chunked {
            stream.write_all(b"\r\n")?;
        }
    }
    Ok(())
}

/// True when the other side has closed: a stalled answer need not wait for the server's end then.
fn client_is_gone(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket");
    match peeked {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// What of the body goes out.
pub(super) struct Part {
    pub(super) status: u16,
    pub(super) range: Range<usize>,
    pub(super) content_range: Option<String>,
}

/// What of the body answers the request.
pub(super) fn part(request: &Request, answer: &Answer) -> Part {
    let total = answer.body.len();
    if answer.status == 200 && answer.is_conditional && is_known(request, answer) {
        return Part { status: 304, range: 0..0, content_range: None };
    }
    let whole = Part { status: answer.status, range: 0..total, content_range: None };
    if answer.status != 200 || answer.ranges == Ranges::Ignored {
        return whole;
    }
    let Some(asked) = request.header("range").and_then(|value| asked_range(value, total)) else { return whole };
    let condition = request.header("if-range");
    let is_current = condition.is_none_or(|condition| {
        // A weak ETag never fits.
        let etag = answer.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        Some(condition) == etag || Some(condition) == answer.last_modified.as_deref()
    });
    if !is_current && answer.ranges == Ranges::Honest {
        return whole;
    }
    let says = |range: &Range<usize>| format!("bytes {}-{}/{total}", range.start, range.end.saturating_sub(1));
    match &answer.ranges {
        Ranges::Refused(content_range) => Part { status: 416, range: 0..0, content_range: content_range.clone() },
        _ if asked.start >= total => Part { status: 416, range: 0..0, content_range: Some(format!("bytes */{total}")) },
        Ranges::Claimed(claimed) => Part { status: 206, range: asked, content_range: claimed.clone() },
        Ranges::Shifted(by) => {
            let start = asked.start.saturating_add_signed(isize::try_from(*by).expect("a small shift")).min(total);
            let range = start..asked.end;
            Part { status: 206, content_range: Some(says(&range)), range }
        }
        Ranges::Short(bytes) => {
            let range = asked.start..asked.end.min(asked.start + bytes);
            Part { status: 206, content_range: Some(says(&range)), range }
        }
        Ranges::Sliced => Part { status: 200, content_range: Some(says(&asked)), range: asked },
        Ranges::Honest | Ranges::Ignored | Ranges::Unconditional => {
            Part { status: 206, content_range: Some(says(&asked)), range: asked }
        }
    }
}

/// True when the client's conditions tell that it has these bytes.
fn is_known(request: &Request, answer: &Answer) -> bool {
    let bare = |etag: &str| etag.trim_start_matches("W/").to_owned();
    match (request.header("if-none-match"), request.header("if-modified-since")) {
        (Some(tag), _) => answer.etag.as_deref().is_some_and(|etag| bare(etag) == bare(tag)),
        (None, Some(date)) => answer.last_modified.as_deref() == Some(date),
        (None, None) => false,
    }
}

/// `bytes=5-`, `bytes=5-9` or `bytes=-5`; nothing for what is no single range.
fn asked_range(value: &str, total: usize) -> Option<Range<usize>> {
    let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        return Some(total.saturating_sub(to.parse().ok()?)..total);
    }
    let end = if to.is_empty() { total } else { to.parse::<usize>().ok()?.checked_add(1)?.min(total) };
    Some(from.parse().ok()?..end)
}

/// The server has a clock of its own: a date is part of its answers.
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
