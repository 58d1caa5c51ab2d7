//! What one header says of its HDU's length and sums, card by card as they come.
//!
//! What it does not do: keep the other cards. Cards are parsed by `fitsio_pure`; only the lengths are worked out here,
//! in arithmetic that no header can overflow.

use std::collections::BTreeMap;

use fitsio_pure::header::{Card, parse_card};
use fitsio_pure::value::Value;

use super::CARD;

/// The axes that the FITS standard allows.
const AXES: i64 = 999;

/// What DATASUM states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatedSum {
    /// The sum of the data.
    Sum(u32),
    /// Something that is no sum: no data can match it.
    Unreadable,
}

/// A header in the making. Of a repeated keyword the first counts, as in other readers.
#[derive(Debug, Default)]
pub(super) struct HeaderState {
    bitpix: Option<i64>,
    naxis: Option<i64>,
    axes: BTreeMap<u16, i64>,
    pcount: Option<i64>,
    gcount: Option<i64>,
    groups: Option<bool>,
    extension: bool,
    /// The sum of the data, when one is stated.
    pub(super) datasum: Option<StatedSum>,
    /// True when the header states the sum of its whole HDU.
    pub(super) checksum: bool,
}

/// Parses a card; one that does not parse counts as a card without a value. A number that no float holds is text.
pub(super) fn value_of(card: &[u8; CARD]) -> Option<Value> {
    let value = parse_card(card).ok().and_then(|card: Card| card.value)?;
    let Value::Float(number) = value else { return Some(value) };
    let field = String::from_utf8_lossy(&card[10..]);
    let text = field.split('/').next().unwrap_or_default().trim();
    Some(if is_held(number, text) { value } else { Value::String(text.to_owned()) })
}

/// True when a float has as many digits as a number's text, and its size.
fn is_held(number: f64, text: &str) -> bool {
    const DIGITS: usize = 17;
    let mantissa = text.split(['E', 'e', 'D', 'd']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    number.is_finite() && digits.count() <= DIGITS
}

impl HeaderState {
    /// Takes in the next card; true when it is END.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn take(&mut self, card: &[u8; CARD]) -> Result<bool, String> {
        let keyword = &card[..8];
        match keyword {
            b"END     " => return Ok(true),
            b"XTENSION" => self.extension = true,
            b"BITPIX  " => integer("BITPIX", card, &mut self.bitpix)?,
            b"NAXIS   " => integer("NAXIS", card, &mut self.naxis)?,
            b"PCOUNT  " => integer("PCOUNT", card, &mut self.pcount)?,
            b"GCOUNT  " => integer("GCOUNT", card, &mut self.gcount)?,
            b"GROUPS  " => self.groups = self.groups.or(Some(value_of(card) == Some(Value::Logical(true)))),
            b"DATASUM " => self.datasum = self.datasum.or_else(|| datasum(card)),
            _ if keyword.starts_with(b"NAXIS") => self.axis(card)?,
            _ if nearly_checksum(keyword) => self.checksum |= !is_blank(value_of(card).as_ref()),
            _ if !keyword.iter().all(|byte| (b' '..=b'~').contains(byte)) => {
                return Err("a card whose keyword is not text".to_owned());
            }
            _ => {}
        }
        Ok(false)
    }

    /// Takes in NAXIS1, NAXIS2 and so on; a keyword that only looks alike is let be.
    fn axis(&mut self, card: &[u8; CARD]) -> Result<(), String> {
        let digits = card[5..8].trim_ascii_end();
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u16>().ok());
        if let Some(number) = number.filter(|number| *number > 0 && digits[0] != b'0') {
            let mut length = self.axes.get(&number).copied();
            integer(&format!("NAXIS{number}"), card, &mut length)?;
            self.axes.extend(length.map(|length| (number, length)));
        }
        Ok(())
    }

    /// The length of the data in bytes, without the fill of its last block.
    ///
    /// # Errors
    /// What is missing or impossible, in words.
    pub(super) fn data_bytes(&self) -> Result<u64, String> {
        let bitpix = self.bitpix.ok_or("no BITPIX")?;
        if ![8, 16, 32, 64, -32, -64].contains(&bitpix) {
            return Err(format!("BITPIX = {bitpix}, which FITS does not know"));
        }
        let naxis = self.naxis.ok_or("no NAXIS")?;
        if !(0..=AXES).contains(&naxis) {
            return Err(format!("NAXIS = {naxis}, which is not in 0..={AXES}"));
        }
        let mut lengths = Vec::new();
        for number in 1..=u16::try_from(naxis).unwrap_or_default() {
            let length = *self.axes.get(&number).ok_or_else(|| format!("no NAXIS{number}"))?;
            lengths.push(u64::try_from(length).map_err(|_| format!("NAXIS{number} = {length}"))?);
        }
        if lengths.is_empty() {
            return Ok(0);
        }
        // Random groups: the first axis is 0 and means nothing; PCOUNT and GCOUNT count as in an extension.
        let groups = !self.extension && self.groups == Some(true) && lengths[0] == 0;
        let counted = groups || self.extension;
        let (parameters, repeats) = if counted { (self.pcount.unwrap_or(0), self.gcount.unwrap_or(1)) } else { (0, 1) };
        let parameters = u64::try_from(parameters).map_err(|_| format!("PCOUNT = {parameters}"))?;
        let repeats = u64::try_from(repeats).map_err(|_| format!("GCOUNT = {repeats}"))?;
        let mut axes = lengths[usize::from(groups)..].iter();
        axes.try_fold(1u64, |product, length| product.checked_mul(*length))
            .and_then(|values| values.checked_add(parameters))
            .and_then(|values| values.checked_mul(repeats))
            .and_then(|values| values.checked_mul(bitpix.unsigned_abs() / 8))
            // Seeking, and adding the fill, must not overflow either.
            .filter(|bytes| i64::try_from(*bytes).is_ok_and(|bytes| bytes < i64::MAX / 2))
            .ok_or_else(|| "its axes multiply to more than any file holds".to_owned())
    }
}

/// Keeps the first integer that a keyword states.
fn integer(name: &str, card: &[u8; CARD], kept: &mut Option<i64>) -> Result<(), String> {
    if kept.is_none() {
        match value_of(card) {
            Some(Value::Integer(value)) => *kept = Some(value),
            _ => return Err(format!("{name} states no integer")),
        }
    }
    Ok(())
}

/// What a DATASUM card states; nothing when its value is blank, which means "not known".
fn datasum(card: &[u8; CARD]) -> Option<StatedSum> {
    let value = value_of(card);
    if is_blank(value.as_ref()) {
        return None;
    }
    let sum = match value {
        Some(Value::String(text)) => text.trim().parse::<u32>().ok(),
        Some(Value::Integer(value)) => u32::try_from(value).ok(),
        _ => None,
    };
    Some(sum.map_or(StatedSum::Unreadable, StatedSum::Sum))
}

/// True for a value that is stated to be unknown.
fn is_blank(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Undefined) => true,
        _ => false,
    }
}

/// True for CHECKSUM, and for it with one bit flipped: else that one flip would switch the check off that finds it.
fn nearly_checksum(keyword: &[u8]) -> bool {
    let flipped: u32 = keyword.iter().zip(b"CHECKSUM").map(|(a, b)| (a ^ b).count_ones()).sum();
    flipped <= 1
}
