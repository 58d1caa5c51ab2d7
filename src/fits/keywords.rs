//! The keywords that say what a file is: read from its headers alone.
//!
//! What it does not do: check the file. Data is skipped, and a file that is cut or damaged further on still tells what
//! its first headers say.

use std::io::{Read, Seek, SeekFrom};

use fitsio_pure::value::Value;

use super::header::{Header, value_of};
use super::{BLOCK, CARD, Fault, HEADER_BLOCKS, magic};
use crate::failure::Class;

/// What the headers of a file say; of a keyword in several HDUs the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    /// DATE-OBS as written, such as `2011-02-15T01:58:12.30`.
    pub date_obs: Option<String>,
    /// `T_REC` as written, such as `2011.02.15_02:00:00_TAI`.
    pub t_rec: Option<String>,
    /// HARPNUM, the active region.
    pub harpnum: Option<i64>,
    /// RECNUM, the record's number.
    pub recnum: Option<i64>,
    /// QUALITY, the record's bits.
    pub quality: Option<i64>,
    /// EXTNAME, which may name the segment.
    pub extname: Option<String>,
    /// CTYPE1, the projection of the first axis, such as `CRLN-CEA`.
    pub ctype1: Option<String>,
}

impl Keywords {
    /// Reads all headers of a file from its start, and seeks over its data.
    ///
    /// # Errors
    /// A [`Fault`] when the file does not begin as FITS, its first header has no END, or it cannot be read (`storage`).
    pub fn read(mut file: impl Read + Seek) -> Result<Keywords, Fault> {
        let mut keywords = Keywords::default();
        for hdu in 0.. {
            match keywords.read_header(hdu, &mut file) {
                Ok(Some(skip)) if file.seek(SeekFrom::Current(skip)).is_ok() => {}
                Err(fault) if hdu == 0 || fault.class == Class::Storage => return Err(fault),
                // The end, or damage further on, which `Check` would tell.
                _ => break,
            }
        }
        Ok(keywords)
    }

    /// Reads one header; gives how many bytes of data and fill follow, or nothing where no header begins.
    fn read_header(&mut self, hdu: usize, file: &mut impl Read) -> Result<Option<i64>, Fault> {
        let mut header = Header::default();
        for index in 0..HEADER_BLOCKS {
            let mut block = Vec::with_capacity(BLOCK);
            file.take(BLOCK as u64)
                .read_to_end(&mut block)
                .map_err(|error| Fault { class: Class::Storage, message: format!("cannot read it: {error}") })?;
            if index == 0 && hdu == 0 {
                magic(block.get(..CARD).unwrap_or(&block))?;
            }
            if block.len() < BLOCK || (index == 0 && hdu > 0 && !block.starts_with(b"XTENSION")) {
                break;
            }
            for card in block.as_chunks::<CARD>().0 {
                let end = header.take(card).map_err(|what| Fault::structure(format!("HDU {hdu} has {what}")))?;
                if end {
                    let bytes =
                        header.data_bytes().map_err(|what| Fault::structure(format!("HDU {hdu} has {what}")))?;
                    return Ok(i64::try_from(bytes.next_multiple_of(BLOCK as u64)).ok());
                }
                self.take(card);
            }
        }
        if hdu == 0 { Err(Fault::structure("its first header has no END")) } else { Ok(None) }
    }

    fn take(&mut self, card: &[u8; CARD]) {
        match &card[..8] {
            b"DATE-OBS" | b"DATE_OBS" => text(card, &mut self.date_obs),
            b"T_REC   " => text(card, &mut self.t_rec),
            b"EXTNAME " => text(card, &mut self.extname),
            b"CTYPE1  " => text(card, &mut self.ctype1),
            b"HARPNUM " => integer(card, &mut self.harpnum),
            b"RECNUM  " => integer(card, &mut self.recnum),
            b"QUALITY " => integer(card, &mut self.quality),
            _ => {}
        }
    }
}

fn text(card: &[u8; CARD], kept: &mut Option<String>) {
    if kept.is_none()
        && let Some(Value::String(text)) = value_of(card)
        && !text.trim().is_empty()
    {
        *kept = Some(text.trim().to_owned());
    }
}

fn integer(card: &[u8; CARD], kept: &mut Option<i64>) {
    if kept.is_none()
        && let Some(Value::Integer(value)) = value_of(card)
    {
        *kept = Some(value);
    }
}
