//! Keywords that a user names, read from a file's headers alone.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Seek};
use std::str::FromStr;

use fitsio_pure::value::Value as Parsed;

use super::Fault;
use super::all_headers::statements;

/// The name of a keyword: 1 to 8 of `A-Z`, `0-9`, `_` and `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeywordName([u8; 8]);

impl FromStr for KeywordName {
    type Err = String;

    fn from_str(text: &str) -> Result<KeywordName, String> {
        if !is_name(text) {
            let shown = crate::untrusted::escape(text);
            let upper = Some(text.to_ascii_uppercase()).filter(|upper| is_name(upper));
            let hint = upper.map_or_else(
                || "1 to 8 of A-Z, 0-9, `_` and `-`, such as NOAA_AR".to_owned(),
                |upper| format!("did you mean `{upper}`?"),
            );
            return Err(format!("`{shown}` is no FITS keyword\nhint: {hint}"));
        }
        let mut name = [b' '; 8];
        name[..text.len()].copy_from_slice(text.as_bytes());
        Ok(KeywordName(name))
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=8).contains(&text.len()) && text.bytes().all(is_plain)
}

impl fmt::Display for KeywordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(String::from_utf8_lossy(&self.0).trim_end())
    }
}

/// What a card states.
#[derive(Debug, Clone, PartialEq)]
pub enum KeywordValue {
    /// `T` or `F`.
    Logical(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text without the blanks at its end, which mean nothing in FITS; whatever bytes the card holds, each as one character.
    /// Complex numbers are text too.
    Text(String),
}

/// The values of the named keywords, in their order: of each the first that any HDU states.
///
/// A compressed image keeps its keywords in the header of an extension. An undefined or blank value counts as none.
///
/// # Errors
/// A [`Fault`] when the file does not begin as FITS, its first header has no END, or it cannot be read (`storage`).
pub fn values(file: impl Read + Seek, names: &[KeywordName]) -> Result<Vec<Option<KeywordValue>>, Fault> {
    let mut found = vec![None; names.len()];
    statements(file, |keyword, stated| {
        for (name, found) in names.iter().zip(&mut found) {
            if found.is_none() && keyword == name.0 {
                *found = value(stated.clone());
            }
        }
    })?;
    Ok(found)
}

/// The keywords that a file's headers give a value.
///
/// # Errors
/// As [`values`].
pub fn stated_keywords(file: impl Read + Seek) -> Result<BTreeSet<String>, Fault> {
    let mut names = BTreeSet::new();
    statements(file, |keyword, stated| {
        if value(stated.clone()).is_some() {
            names.insert(String::from_utf8_lossy(&keyword).trim_end().to_owned());
        }
    })?;
    Ok(names)
}

fn value(parsed: Parsed) -> Option<KeywordValue> {
    Some(match parsed {
        Parsed::Logical(value) => KeywordValue::Logical(value),
        Parsed::Integer(value) => KeywordValue::Integer(value),
        Parsed::Float(value) => KeywordValue::Float(value),
        Parsed::String(text) if text.trim().is_empty() => return None,
        Parsed::String(text) => KeywordValue::Text(text.trim_end().to_owned()),
        Parsed::ComplexInt(re, im) => KeywordValue::Text(format!("({re}, {im})")),
        Parsed::ComplexFloat(re, im) => KeywordValue::Text(format!("({re:?}, {im:?})")),
        Parsed::Undefined => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::fits::BLOCK;

    /// A header with these cards.
    fn header(cards: &[&str]) -> Vec<u8> {
        let mut bytes: Vec<u8> = cards.iter().flat_map(|card| format!("{card:<80}").into_bytes()).collect();
        bytes.extend_from_slice(format!("{:<80}", "END").as_bytes());
        bytes.resize(bytes.len().next_multiple_of(BLOCK), b' ');
        bytes
    }

    fn names(names: &[&str]) -> Vec<KeywordName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn each_value_is_the_first_that_any_header_states() {
        let mut file = header(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", "NOAA_AR =", "A       = 'one '"]);
        file.extend(header(&[
            "XTENSION= 'IMAGE   '",
            "BITPIX  = 8",
            "NAXIS   = 1",
            "NAXIS1  = 5",
            "PCOUNT  = 0",
            "GCOUNT  = 1",
            "NOAA_AR = 11158",
            "A       = 'two'",
            "CDELT1  = 3.0D-02 / degree",
            "FLAG    = F",
            "NOAA_ARS= '11158,11159'",
            "BIG     = 9223372036854775808 / no i64",
            "HUGE    = 1E400",
            "FINE    = 0.12345678901234567890",
            "ENOUGH  = 000.12345678901234567",
        ]));
        // Data that is not read: it would be no header.
        file.extend([0; BLOCK]);
        file.extend(header(&["XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "LATE    = -7"]));
        let asked =
            names(&["NOAA_AR", "A", "CDELT1", "FLAG", "LATE", "NOAA", "NOAA_ARS", "BIG", "HUGE", "FINE", "ENOUGH"]);
        let text = |text: &str| Some(KeywordValue::Text(text.to_owned()));
        let expected = [
            Some(KeywordValue::Integer(11158)),
            text("one"),
            Some(KeywordValue::Float(0.03)),
            Some(KeywordValue::Logical(false)),
            Some(KeywordValue::Integer(-7)),
            None,
            text("11158,11159"),
            text("9223372036854775808"),
            text("1E400"),
            text("0.12345678901234567890"),
            Some(KeywordValue::Float(0.123_456_789_012_345_67)),
        ];
        assert_eq!(values(Cursor::new(&file), &asked).unwrap(), expected);
        assert!(values(Cursor::new(b"<html>"), &asked).is_err());
    }

    #[test]
    fn a_string_that_goes_on_in_continue_cards_is_one() {
        for (cards, expected) in [
            (&["A       = 'solo_L2_fits.&'", "CONTINUE  'gz'"][..], "solo_L2_fits.gz"),
            (
                &["A       = 'one &' / first", "CONTINUE  'it''s&'", "CONTINUE  ' two  &'", "CONTINUE   '' / last"],
                "one it's two",
            ),
            (&["A       = 'R&D&'", "CONTINUE  'x&y'"], "R&Dx&y"),
            (&["A       = '&'", "CONTINUE  'x'"], "x"),
            // Without a card that continues it, the `&` is the string's own.
            (&["A       = 'R&'"], "R&"),
            (&["A       = 'R&'", "B       = 1", "CONTINUE  'x'"], "R&"),
            (&["A       = 'R&'", "CONTINUE  no string"], "R&"),
            (&["A       = 'R&'", "CONTINUE= 'x'"], "R&"),
            (&["A       = 'R'", "CONTINUE  'x'"], "R"),
            (&["A       = 'R&'", "CONTINUE  'x&'", "B       = 1"], "Rx&"),
            (&["A       = '  ##[x]'"], "  ##[x]"),
        ] {
            let mut all = vec!["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"];
            all.extend(cards);
            let mut file = header(&all);
            file.extend(header(&["XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "A       = 'later'"]));
            let found = values(Cursor::new(&file), &names(&["A"])).unwrap();
            assert_eq!(found, [Some(KeywordValue::Text(expected.to_owned()))], "{cards:?}");
        }
    }

    /// Counts the bytes that are read.
    struct Counted(Cursor<Vec<u8>>, usize);

    impl Read for Counted {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let read = self.0.read(into)?;
            self.1 += read;
            Ok(read)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn no_data_is_read() {
        let axis = format!("NAXIS1  = {}", 100 * BLOCK);
        let mut file = header(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1", &axis]);
        file.extend(vec![0; 100 * BLOCK]);
        file.extend(header(&["XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "LATE    = 1"]));
        let mut file = Counted(Cursor::new(file), 0);
        assert_eq!(values(&mut file, &names(&["LATE"])).unwrap(), [Some(KeywordValue::Integer(1))]);
        assert_eq!(file.1, 2 * BLOCK);
    }

    #[test]
    fn a_name_that_no_card_can_have_is_refused() {
        for bad in ["", "harpnum", "NINELONGX", "A B", "A=", "É"] {
            assert!(bad.parse::<KeywordName>().unwrap_err().contains("hint: "), "{bad}");
        }
        assert_eq!("T_REC".parse::<KeywordName>().unwrap().to_string(), "T_REC");
    }
}
