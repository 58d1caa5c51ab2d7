//! Where body bytes go: hashed, checked and written in one pass.

use std::time::Instant;

use bytes::Bytes;

use super::content::{ContentCheck, FormatProof};
use super::error_page::{self, PageBody, Start};
use super::file_end::Tail;
use super::stated_digest::{StatedDigest, StatedDigests};
use super::{SLOW, file_end, magic, stated_length};
use crate::archive::{Checked, Staged};
use crate::digest::{Digest, Hasher};
use crate::failure::{Class, Failure};
use crate::fits;
use crate::manifest::{Identity, Verify};

/// The checks of one body, fed in order.
pub(super) struct Checks {
    hasher: Hasher,
    stated: StatedDigests,
    content: ContentCheck,
    head: Vec<u8>,
    start: Start,
    tail: Tail,
    name: String,
    verify: Verify,
    length: u64,
    fault: Option<Failure>,
}

impl Checks {
    pub(super) fn new(name: String, verify: Verify, identity: Identity) -> Checks {
        let content = ContentCheck::new(&name, verify, identity);
        let (hasher, head, start, tail) = (Hasher::default(), Vec::new(), Start::default(), Tail::default());
        Checks {
            hasher,
            stated: StatedDigests::default(),
            content,
            head,
            start,
            tail,
            name,
            verify,
            length: 0,
            fault: None,
        }
    }

    /// The same, for a body whose answer states these digests; before any of its bytes.
    pub(super) fn held_to(self, stated: Vec<StatedDigest>) -> Checks {
        Checks { stated: StatedDigests::to(stated), ..self }
    }

    /// Takes in the next bytes. A fault found early is kept for the end, since the bytes are worth quarantine.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.stated.push(bytes);
        self.length += bytes.len() as u64;
        stated_length::extend(&mut self.head, bytes);
        self.start.push(bytes);
        self.tail.push(&self.head, bytes);
        if self.fault.is_none()
            && let Err(fault) = self.content.push(bytes)
        {
            self.fault = Some(self.failed(fault.class, &fault.message));
        }
    }

    fn failed(&self, class: Class, why: &str) -> Failure {
        Failure::new(class, format!("`{}`: {why}", crate::untrusted::escape(&self.name)))
    }

    /// True when the body is known to be bad and the rest need not come.
    pub(super) fn is_bad(&self) -> bool {
        self.fault.is_some()
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its first bytes.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// What was proved, once all bytes are in, of a body with this Content-Type. For [`super::verify::verify_body`] alone.
    pub(super) fn finish(mut self, content_type: Option<&str>) -> Result<Proved, Failure> {
        self.start.end();
        let (name, head, start, tail) = (self.name.as_str(), self.head.as_slice(), &self.start, self.tail.last());
        let body = PageBody { name, content_type, head, start, tail };
        if let Some(why) = error_page::objection(body) {
            return Err(self.failed(Class::Html, why));
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let Checks { hasher, stated, content, head, tail, name, verify, length, .. } = self;
        let failed =
            |class: Class, why: &str| Failure::new(class, format!("`{}`: {why}", crate::untrusted::escape(&name)));
        let (proof, digests) = content.finish().map_err(|fault| failed(fault.class, &fault.message))?;
        let begins_right = if verify.magic { magic::agrees(&name, &head) } else { None };
        if begins_right == Some(false) {
            return Err(failed(Class::Magic, "its first bytes are not those of its type"));
        }
        let is_cut = || {
            let end = file_end::objection(&name, &head, &tail, length).map(str::to_owned);
            stated_length::objection(&head, length).or(end)
        };
        if let Some(why) = verify.magic.then(is_cut).flatten() {
            return Err(failed(Class::FileStructure, &why));
        }
        let checked = match proof {
            FormatProof::Checksum => Checked::Checksum,
            FormatProof::Structure => Checked::Structure,
            FormatProof::None if begins_right.is_some() => Checked::Magic,
            FormatProof::None => Checked::Size,
        };
        let sha256 = hasher.finish();
        Ok(Proved { sha256, bytes: length, checked, digests, digest_objection: stated.objection(sha256) })
    }
}

/// What the checks say of a body that passed them.
pub(super) struct Proved {
    pub(super) sha256: Digest,
    pub(super) bytes: u64,
    pub(super) checked: Checked,
    /// The digests of a FITS file, where they count.
    pub(super) digests: Option<fits::Digests>,
    /// How it contradicts the digests that its answer states.
    pub(super) digest_objection: Option<String>,
}

/// A body being written, with its checks.
pub(super) struct Sink {
    pub(super) staged: Staged,
    pub(super) checks: Checks,
}

impl Sink {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.checks.push(bytes);
        self.staged.write(bytes).map_err(Into::into)
    }
}

/// A sink that works on a blocking thread while the next bytes arrive.
pub(super) struct Pipe {
    state: WriterState,
    batch: Vec<Bytes>,
    batched: usize,
    flushed: Instant,
}

enum WriterState {
    Idle(Box<Sink>),
    Busy(tokio::task::JoinHandle<Result<Box<Sink>, Failure>>),
    Broken,
}

/// How many bytes go to the blocking thread at a time, at most: enough that the hop costs little. One batch is being
/// written while the next one comes. A kill loses both, besides what the HTTP library has read ahead: on a busy machine
/// that is three pieces of up to 408 KiB, so that a batch must not be as large as a piece may be.
const BATCH: usize = 128 * 1024;

impl Pipe {
    pub(super) fn new(sink: Sink) -> Pipe {
        Pipe { state: WriterState::Idle(Box::new(sink)), batch: Vec::new(), batched: 0, flushed: Instant::now() }
    }

    /// Takes the next bytes; gives false when the body is known to be bad and the rest need not come.
    pub(super) async fn push(&mut self, mut bytes: Bytes) -> Result<bool, Failure> {
        loop {
            let piece = bytes.split_to(bytes.len().min(BATCH - self.batched));
            self.batched += piece.len();
            self.batch.push(piece);
            // A slow body is put down piece by piece all the same, so that a kill loses little.
            if self.batched < BATCH && self.flushed.elapsed() < SLOW {
                return Ok(true);
            }
            if !self.flush().await? {
                return Ok(false);
            }
            if bytes.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Hands what is batched to the blocking thread, once that has done the last batch.
    pub(super) async fn flush(&mut self) -> Result<bool, Failure> {
        let mut sink = self.idle().await?;
        let good = !sink.checks.is_bad();
        let batch = std::mem::take(&mut self.batch);
        self.batched = 0;
        self.flushed = Instant::now();
        self.state = WriterState::Busy(tokio::task::spawn_blocking(move || {
            for bytes in batch {
                sink.push(&bytes)?;
            }
            Ok(sink)
        }));
        Ok(good)
    }

    async fn idle(&mut self) -> Result<Box<Sink>, Failure> {
        match std::mem::replace(&mut self.state, WriterState::Broken) {
            WriterState::Idle(sink) => Ok(sink),
            WriterState::Busy(work) => {
                work.await.map_err(|e| Failure::new(Class::Storage, format!("a writer died: {e}")))?
            }
            WriterState::Broken => Err(Failure::new(Class::Storage, "the writer of this file has failed already")),
        }
    }

    /// Writes what is left and gives the sink back.
    pub(super) async fn close(mut self) -> Result<Sink, Failure> {
        if !self.batch.is_empty() {
            self.flush().await?;
        }
        self.idle().await.map(|sink| *sink)
    }
}
