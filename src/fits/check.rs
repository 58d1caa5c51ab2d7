//! The check of a file in one pass, while its bytes stream by on their way to the disk.
//!
//! What it does not do: hold the data. It keeps one header block, two sums and, where they are asked for, digests, whatever
//! the file's size.

use super::checksum::{OnesComplementSum, add, same};
use super::digests::{Digesting, Digests};
use super::header::{HeaderState, StatedSum};
use super::{BLOCK, CARD, Fault, FitsProof, HEADER_BLOCKS, KEEP, magic, one_line};
use crate::failure::Class;

/// How many bytes that begin no extension are shown.
const SHOWN: usize = 16;

/// A check under way: [`push`](FitsCheck::push) every byte in order, then [`finish`](FitsCheck::finish).
#[derive(Debug, Default)]
pub struct FitsCheck {
    /// Bytes taken in.
    at: u64,
    /// The HDU being read; the primary one is 0.
    hdu: usize,
    /// Where it begins.
    start: u64,
    reading: CheckState,
    /// The bytes of a header block that is not whole yet.
    block: Vec<u8>,
    blocks: u64,
    header: HeaderState,
    header_sum: OnesComplementSum,
    data_sum: OnesComplementSum,
    /// The digests, where they are asked for.
    digesting: Option<Digesting>,
    /// HDUs whose stated sums were right.
    proved: usize,
    /// HDUs with data that state none.
    unproved: usize,
    /// The first fault; it stays.
    fault: Option<Fault>,
}

#[derive(Debug, Default)]
enum CheckState {
    #[default]
    Header,
    /// Data and its fill: so many bytes are still to come.
    Data { left: u64 },
}

impl FitsCheck {
    /// A check of a file from its first byte.
    #[must_use]
    pub fn new() -> FitsCheck {
        FitsCheck::default()
    }

    /// The same, which takes the digests of headers and data besides.
    #[must_use]
    pub fn with_digests() -> FitsCheck {
        FitsCheck { digesting: Some(Digesting::default()), ..FitsCheck::default() }
    }

    /// Takes in the next bytes, in pieces of any length.
    ///
    /// # Errors
    /// A [`Fault`] as soon as the bytes so far show one. It stays: every later call gives the same.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.take(bytes).inspect_err(|fault| self.fault = Some(fault.clone()))
    }

    /// The end of the file: what it proved.
    ///
    /// # Errors
    /// The [`Fault`] found before, or the one that the end shows: a file that is cut, or has bytes behind its last HDU.
    pub fn finish(self) -> Result<FitsProof, Fault> {
        self.finish_with_digests().map(|(proof, _)| proof)
    }

    /// The same, with the digests of headers and data. `None` where they were not asked for, or the file has more HDUs than
    /// any file of an archive.
    ///
    /// # Errors
    /// As [`finish`](FitsCheck::finish).
    pub fn finish_with_digests(self) -> Result<(FitsProof, Option<Digests>), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.reading {
            CheckState::Data { left } => Err(self.cut_data(left)),
            CheckState::Header if self.hdu == 0 && self.blocks == 0 && self.block.len() < CARD => {
                magic(&self.block)?;
                Err(self.cut_header())
            }
            CheckState::Header if self.blocks == 0 && self.block.is_empty() => {
                let all = self.proved > 0 && self.unproved == 0;
                let proof = if all { FitsProof::Checksum } else { FitsProof::Structure };
                Ok((proof, self.digesting.and_then(Digesting::finish)))
            }
            CheckState::Header if self.hdu > 0 && self.blocks == 0 && !begins_extension(&self.block) => {
                Err(self.junk())
            }
            CheckState::Header => Err(self.cut_header()),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let taken = match self.reading {
                CheckState::Header => self.take_header(bytes)?,
                CheckState::Data { left } => self.take_data(left, bytes)?,
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Takes in header bytes up to the end of the block; gives back how many.
    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let take = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..take]);
        self.at += take as u64;
        if self.blocks == 0 {
            // Judged once all that is shown is there, so that the verdict reads the same however the bytes were cut.
            if self.hdu > 0 && self.block.len() >= SHOWN && !begins_extension(&self.block) {
                return Err(self.junk());
            }
            if self.hdu == 0 && self.block.len() >= CARD {
                magic(&self.block[..CARD])?;
            }
        }
        if self.block.len() == BLOCK {
            self.take_block()?;
        }
        Ok(take)
    }

    /// Reads a whole header block; at END the data follows.
    fn take_block(&mut self) -> Result<(), Fault> {
        self.blocks += 1;
        self.header_sum.push(&self.block);
        let (cards, _) = self.block.as_chunks::<CARD>();
        let mut end = false;
        for card in cards {
            end = self.header.take(card).map_err(|what| self.structure(format!("its header has {what}")))?;
            if let Some(digesting) = &mut self.digesting {
                digesting.card(card);
            }
            if end {
                break;
            }
        }
        self.block.clear();
        if end {
            let bytes = self.header.data_bytes().map_err(|what| self.structure(format!("its header has {what}")))?;
            self.reading = CheckState::Data { left: bytes.next_multiple_of(BLOCK as u64) };
            if bytes == 0 {
                self.close(false)?;
            }
        } else if self.blocks == HEADER_BLOCKS {
            return Err(self.structure(format!("its header has no END within {HEADER_BLOCKS} blocks")));
        }
        Ok(())
    }

    /// Takes in data bytes up to the end of the HDU; gives back how many.
    fn take_data(&mut self, left: u64, bytes: &[u8]) -> Result<usize, Fault> {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if self.header.checksum || self.header.datasum.is_some() {
            self.data_sum.push(&bytes[..take]);
        }
        if let Some(digesting) = &mut self.digesting {
            digesting.data(&bytes[..take]);
        }
        self.at += take as u64;
        let left = left - take as u64;
        self.reading = CheckState::Data { left };
        if left == 0 {
            self.close(true)?;
        }
        Ok(take)
    }

    /// The HDU is whole: its sums must be as stated. The next one may begin.
    fn close(&mut self, has_data: bool) -> Result<(), Fault> {
        let data = self.data_sum.value();
        match self.header.datasum {
            Some(StatedSum::Sum(stated)) if !same(stated, data) => {
                return Err(self.checksum(format!("DATASUM states {stated}, its data sums to {data}")));
            }
            Some(StatedSum::Unreadable) => return Err(self.checksum("DATASUM states no sum")),
            _ => {}
        }
        let whole = add(self.header_sum.value(), data);
        if self.header.checksum && !same(whole, 0) {
            return Err(self.checksum(format!("CHECKSUM is wrong: its bytes sum to {whole:#010x}, not to zero")));
        }
        if self.header.checksum || self.header.datasum.is_some() {
            self.proved += 1;
        } else if has_data {
            self.unproved += 1;
        }
        if let Some(digesting) = &mut self.digesting {
            digesting.close();
        }
        self.hdu += 1;
        self.start = self.at;
        self.reading = CheckState::Header;
        self.blocks = 0;
        self.header = HeaderState::default();
        self.header_sum = OnesComplementSum::default();
        self.data_sum = OnesComplementSum::default();
        Ok(())
    }

    fn place(&self) -> String {
        format!("HDU {} (from byte {})", self.hdu, self.start)
    }

    fn structure(&self, what: impl AsRef<str>) -> Fault {
        Fault::structure(format!("{}: {}", self.place(), what.as_ref()))
    }

    fn checksum(&self, what: impl AsRef<str>) -> Fault {
        // Some archives edit headers and leave the sums as they were; other readers only warn of that.
        let message = format!("{}: {}; if its sums alone are stale, {KEEP}", self.place(), what.as_ref());
        Fault { class: Class::FitsChecksum, message }
    }

    /// The file ends `left` bytes before the end of the block that its data end in.
    fn cut_data(&self, left: u64) -> Fault {
        let data = self.header.data_bytes().unwrap_or_default();
        let (at, end) = (self.at, self.at + left);
        if left <= data.next_multiple_of(BLOCK as u64) - data {
            return self.structure(format!(
                "its data are whole, but their last block is not filled up: the file ends at byte {at}, the block at byte \
                 {end}; {KEEP}"
            ));
        }
        self.structure(format!("the file is truncated: it ends at byte {at}, its data should end at byte {end}"))
    }

    fn cut_header(&self) -> Fault {
        self.structure(format!("the file is truncated: it ends at byte {}, within a header that has no END", self.at))
    }

    fn junk(&self) -> Fault {
        let shown = self.block.get(..SHOWN).unwrap_or(&self.block);
        Fault::structure(format!(
            "bytes follow the last HDU, from byte {} on, that begin no extension: `{}`",
            self.start,
            one_line(&String::from_utf8_lossy(shown))
        ))
    }
}

/// True when these first bytes of an HDU can be those of an extension.
fn begins_extension(start: &[u8]) -> bool {
    let length = start.len().min(8);
    start[..length] == b"XTENSION"[..length]
}
