//! Compressed streams, decoded as they come: gzip, bzip2 and xz. What comes out is checked, and thrown away.

use std::io::{Error, ErrorKind, Result, Write};
use std::mem;

use bzip2::{Decompress, Status as BzipStatus};
use flate2::write::GzDecoder;
use lzma_rust2::{Action, Status as XzStatus, XzStream};

use super::magic;

/// How many bytes come out at a time, at most.
const PIECE: usize = 32 * 1024;

/// How much memory an xz stream may take, in KiB: four times what the highest preset needs.
const XZ_MEMORY: u32 = 256 * 1024;

/// How many bytes that are no zeros may stand behind a bzip2 stream: some writers add a line end.
const BZIP2_REST: usize = 2;

/// A format of compressed streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Bzip2,
    Xz,
}

impl Compression {
    /// The format of a file with this name that begins so.
    pub(super) fn detect(name: &str, start: &[u8]) -> Option<Compression> {
        if begins_as_gzip(start) || (magic::is_gzip(name) && start.starts_with(magic::GZIP)) {
            Some(Compression::Gzip)
        } else if begins_as_bzip2(start) {
            Some(Compression::Bzip2)
        } else {
            // Blocks with more than one filter before LZMA2 cannot be decoded in pieces yet (XZ 1.2.1, 3.1.2).
            let is_readable = start.get(13).is_none_or(|flags| flags & 0b11 < 2);
            (start.starts_with(magic::XZ) && is_readable).then_some(Compression::Xz)
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
        }
    }

    /// The name of what is in a file of this name.
    pub(super) fn name_within(self, name: &str) -> &str {
        let endings: &[&str] = match self {
            Compression::Gzip => &["gz", "tgz"],
            Compression::Bzip2 => &["bz2", "tbz", "tbz2"],
            Compression::Xz => &["xz", "txz"],
        };
        let is_own = endings.contains(&magic::extension(name).as_str());
        name.rsplit_once('.').filter(|_| is_own).map_or(name, |(within, _)| within)
    }
}

/// True for the first bytes of a gzip stream (RFC 1952, 2.3): two alone do not make it one under a name that does not say so.
fn begins_as_gzip(start: &[u8]) -> bool {
    let is = |at: usize, is_right: fn(u8) -> bool| start.get(at).copied().is_none_or(is_right);
    start.starts_with(b"\x1f\x8b\x08")
        && is(3, |flags| flags & 0b1110_0000 == 0)
        && is(8, |effort| matches!(effort, 0 | 2 | 4))
        && is(9, |system| system <= 13 || system == 255)
}

/// True for a bzip2 stream: its level, then the mark of a block or of the stream's end.
fn begins_as_bzip2(start: &[u8]) -> bool {
    let Some(rest) = start.strip_prefix(b"BZh") else { return false };
    let (Some(b'1'..=b'9'), Some(mark)) = (rest.first(), rest.get(1..)) else { return false };
    let mark = &mark[..mark.len().min(6)];
    b"1AY&SY".starts_with(mark) || b"\x17\x72\x45\x38\x50\x90".starts_with(mark)
}

/// What one step of a decoder brought.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// How many bytes of the input it took.
    pub(super) taken: usize,
    /// What came out.
    pub(super) bytes: Vec<u8>,
}

/// Decodes a file of one stream or several, one after another.
pub(super) enum Decoder {
    Gzip(Gzip),
    Bzip2(Bzip2),
    Xz(Box<XzStream>),
}

impl Decoder {
    pub(super) fn new(format: Compression) -> Decoder {
        match format {
            Compression::Gzip => {
                Decoder::Gzip(Gzip { member: Box::new(GzDecoder::new(Vec::new())), is_padding: false })
            }
            Compression::Bzip2 => Decoder::Bzip2(Bzip2::Stream(Decompress::new(false))),
            Compression::Xz => Decoder::Xz(Box::new(XzStream::new_mem_limit(true, XZ_MEMORY))),
        }
    }

    /// Decodes some of the next bytes. There may be more to come out when all are taken, until nothing does.
    ///
    /// # Errors
    /// `Unsupported` and `OutOfMemory` for what cannot be decoded here; others for streams that are damaged.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded> {
        match self {
            Decoder::Gzip(gzip) => gzip.decode(bytes),
            Decoder::Bzip2(bzip2) => bzip2.decode(bytes),
            Decoder::Xz(stream) => process(stream, bytes, Action::Run).map(|(decoded, _)| decoded),
        }
    }

    /// The end of the file: what comes out last.
    ///
    /// # Errors
    /// For a file that is cut.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Decoder::Gzip(Gzip { is_padding: true, .. }) | Decoder::Bzip2(Bzip2::Between | Bzip2::Behind(_)) => {
                Ok(Vec::new())
            }
            Decoder::Gzip(Gzip { member, .. }) => member.finish(),
            Decoder::Bzip2(Bzip2::Stream(_)) => Err(Error::new(ErrorKind::UnexpectedEof, "its end is missing")),
            Decoder::Xz(mut stream) => match process(&mut stream, &[], Action::Finish)? {
                (Decoded { bytes, .. }, XzStatus::StreamEnd) => Ok(bytes),
                _ => Err(Error::new(ErrorKind::UnexpectedEof, "its end is missing")),
            },
        }
    }
}

pub(super) struct Gzip {
    member: Box<GzDecoder<Vec<u8>>>,
    /// Zeros stand behind the last member, as tapes leave them; gzip(1) ignores them, too.
    is_padding: bool,
}

impl Gzip {
    fn decode(&mut self, bytes: &[u8]) -> Result<Decoded> {
        let Some(first) = bytes.first() else { return Ok(Decoded::default()) };
        if self.is_padding {
            let is_zeros = bytes.iter().all(|byte| *byte == 0);
            return if is_zeros { Ok(Decoded { taken: bytes.len(), bytes: Vec::new() }) } else { Err(bytes_follow()) };
        }
        let taken = self.member.write(bytes)?;
        if taken > 0 {
            return Ok(Decoded { taken, bytes: mem::take(self.member.get_mut()) });
        }
        // The member has ended.
        if !matches!(*first, 0 | 0x1f) {
            return Err(bytes_follow());
        }
        self.is_padding = *first == 0;
        let ended = mem::replace(&mut self.member, Box::new(GzDecoder::new(Vec::new())));
        ended.finish().map(|bytes| Decoded { taken: 0, bytes })
    }
}

pub(super) enum Bzip2 {
    Stream(Decompress),
    /// A stream has ended, and another one may follow.
    Between,
    /// Other bytes follow the last stream; so many of them are no zeros.
    Behind(usize),
}

impl Bzip2 {
    fn decode(&mut self, bytes: &[u8]) -> Result<Decoded> {
        if let (Bzip2::Between, Some(first)) = (&self, bytes.first()) {
            *self = if *first == b'B' { Bzip2::Stream(Decompress::new(false)) } else { Bzip2::Behind(0) };
        }
        match self {
            Bzip2::Stream(stream) => {
                let (before, mut piece) = (stream.total_in(), Vec::with_capacity(PIECE));
                let status = stream.decompress_vec(bytes, &mut piece);
                let taken = usize::try_from(stream.total_in() - before).unwrap_or(bytes.len());
                if status.map_err(|error| Error::new(ErrorKind::InvalidData, error))? == BzipStatus::StreamEnd {
                    *self = Bzip2::Between;
                }
                Ok(Decoded { taken, bytes: piece })
            }
            Bzip2::Between => Ok(Decoded::default()),
            Bzip2::Behind(others) => {
                *others += bytes.iter().filter(|byte| **byte != 0).count();
                if *others > BZIP2_REST {
                    return Err(bytes_follow());
                }
                Ok(Decoded { taken: bytes.len(), bytes: Vec::new() })
            }
        }
    }
}

fn bytes_follow() -> Error {
    Error::new(ErrorKind::InvalidData, "other bytes follow its end")
}

fn process(stream: &mut XzStream, bytes: &[u8], action: Action) -> Result<(Decoded, XzStatus)> {
    let mut piece = vec![0; PIECE];
    let result = stream.process(bytes, &mut piece, action)?;
    piece.truncate(result.bytes_produced);
    Ok((Decoded { taken: result.bytes_consumed, bytes: piece }, result.status))
}
