//! The headers of a FITS file, card by card; data is seeked over.
//!
//! What it does not do: check the file. One that is cut or damaged further on still tells what its first headers say.

use std::io::{Read, Seek, SeekFrom};

use fitsio_pure::value::{Value, parse_value};

use super::header::{HeaderState, value_of};
use super::{BLOCK, CARD, Fault, HEADER_BLOCKS, magic};
use crate::failure::Class;

/// Reads all headers of a file from its start and hands over each keyword with its value. A string that goes on in
/// CONTINUE cards is handed over as one (FITS 4.0, section 4.2.1.2).
///
/// # Errors
/// As [`cards`].
pub(super) fn statements(file: impl Read + Seek, mut take: impl FnMut([u8; 8], &Value)) -> Result<(), Fault> {
    let mut open: Option<([u8; 8], String)> = None;
    cards(file, |card| {
        if let Some((_, text)) = &mut open
            && let Some(more) = continuation(card)
        {
            text.pop();
            text.push_str(&more);
            if more.ends_with('&') {
                return;
            }
        }
        if let Some((keyword, text)) = open.take() {
            take(keyword, &Value::String(text));
        }
        let keyword = *card.first_chunk().unwrap_or(b"        ");
        match value_of(card) {
            Some(Value::String(text)) if text.ends_with('&') => open = Some((keyword, text)),
            Some(value) => take(keyword, &value),
            None => {}
        }
    })?;
    if let Some((keyword, text)) = open {
        take(keyword, &Value::String(text));
    }
    Ok(())
}

/// The part of a string that a CONTINUE card holds. Without blanks before it or a string it is a comment.
fn continuation(card: &[u8; CARD]) -> Option<String> {
    let field = card.strip_prefix(b"CONTINUE  ")?;
    match parse_value(field)? {
        (Value::String(text), _) => Some(text),
        _ => None,
    }
}

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
    let mut header = HeaderState::default();
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
