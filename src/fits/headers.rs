//! The headers of a FITS file, card by card; data is seeked over.
//!
//! What it does not do: check the file. One that is cut or damaged further on still tells what its first headers say.

use std::io::{Read, Seek, SeekFrom};

use super::header::Header;
use super::{BLOCK, CARD, Fault, HEADER_BLOCKS, magic};
use crate::failure::Class;

/// Reads all headers of a file from its start and hands over each card but END.
///
/// # Errors
/// A [`Fault`] when the file does not begin as FITS, its first header has no END, or it cannot be read (`storage`).
pub(super) fn cards(mut file: impl Read + Seek, mut take: impl FnMut(&[u8; CARD])) -> Result<(), Fault> {
    for hdu in 0.. {
        match read_header(hdu, &mut file, &mut take) {
            Ok(Some(skip)) if file.seek(SeekFrom::Current(skip)).is_ok() => {}
            Err(fault) if hdu == 0 || fault.class == Class::Storage => return Err(fault),
            // The end, or damage further on, which `Check` would tell.
            _ => break,
        }
    }
    Ok(())
}

/// Reads one header; gives how many bytes of data and fill follow, or nothing where no header begins.
fn read_header(hdu: usize, file: &mut impl Read, take: &mut impl FnMut(&[u8; CARD])) -> Result<Option<i64>, Fault> {
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
                let bytes = header.data_bytes().map_err(|what| Fault::structure(format!("HDU {hdu} has {what}")))?;
                return Ok(i64::try_from(bytes.next_multiple_of(BLOCK as u64)).ok());
            }
            take(card);
        }
    }
    if hdu == 0 { Err(Fault::structure("its first header has no END")) } else { Ok(None) }
}
