//! The keywords of a record as cards of a FITS header, named and typed as JSOC's own export does it.
//!
//! Source: `base/export/libs/exportDRMS/fitsexport.c` and `reserved.h` of `lm-jps/drms`. What is otherwise: a value that is
//! missing has no card (JSOC writes one without a value, `fitsexport.c:613-616`), and times keep the fraction that the listing
//! has, where JSOC writes three digits (`fitsexport.c:154`).

use std::sync::Arc;

use super::query::RecordQuery;
use super::response::{RecordColumn, RecordList};
use super::table;
use crate::fits::{self, Card, CardValue};
use crate::source::HeaderCards;

/// Keywords that JSOC exports to no header, since the file itself has them (`reserved.h`), and RECNUM, which is written anew.
const NOT_EXPORTED: [&str; 10] =
    ["SIMPLE", "EXTEND", "BZERO", "BSCALE", "BLANK", "BITPIX", "NAXIS", "END", "RECNUM", "PRIMEKEYSTRING"];

/// Stems of keywords that have a value where it is missing (`fitsexport.c:952-1037`).
const WITH_DEFAULT: [(&str, &str); 6] =
    [("CRPIX", "0.0"), ("CRVAL", "0.0"), ("CDELT", "1.0"), ("CROTA", "0.0"), ("CRDER", "0.0"), ("CSYER", "0.0")];

/// The keywords of an answer that go into headers.
pub(super) struct HeaderKeywords<'a> {
    question: &'a RecordQuery<'a>,
    keywords: Vec<HeaderKeyword<'a>>,
}

/// A keyword, and how a header has it.
struct HeaderKeyword<'a> {
    column: &'a RecordColumn,
    name: String,
    kind: CardType,
    /// The number of the segment whose own it is.
    segment: Option<usize>,
}

/// What a value is in a header (`fitsexport.c:170-197`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CardType {
    Number,
    Text,
    Time,
}

impl<'a> HeaderKeywords<'a> {
    /// The keywords of the series, in its own order.
    pub(super) fn of(question: &'a RecordQuery<'a>, answer: &'a RecordList) -> HeaderKeywords<'a> {
        let structure = question.structure;
        let mut columns: Vec<&RecordColumn> =
            answer.keywords().iter().filter(|column| structure.has(&column.name.0)).collect();
        columns.sort_by_key(|column| (structure.place(&column.name.0), &column.name.0));
        columns.dedup_by(|later, first| later.name == first.name);
        let keyword = |column: &'a RecordColumn| {
            let known = structure.keyword(&column.name.0)?;
            let segment = known.segment_of(&column.name.0);
            // A name that FITS does not allow is a segment's keyword with the segment's number.
            let by_name = || structure.numbered_segment(&column.name.0).filter(|_| !is_valid(&column.name.0));
            let segment = segment.or_else(by_name);
            let name = fits_name(&column.name.0, &known.note, segment.is_some())?;
            let kind = match known.kind.as_str() {
                "string" => CardType::Text,
                "time" => CardType::Time,
                _ => CardType::Number,
            };
            Some(HeaderKeyword { column, name, kind, segment })
        };
        HeaderKeywords { question, keywords: columns.into_iter().filter_map(keyword).collect() }
    }

    /// The cards that all files of a record have.
    pub(super) fn shared(&self, at: usize) -> Arc<[Card]> {
        self.keywords.iter().filter(|keyword| keyword.segment.is_none()).flat_map(|keyword| keyword.cards(at)).collect()
    }

    /// The cards of one file: those of its segment, and what identifies it (`fitsexport.c:2537-2620`).
    pub(super) fn of_file(&self, shared: &Arc<[Card]>, at: usize, recnum: i64, segment: &str) -> HeaderCards {
        let structure = self.question.structure;
        let nth = structure.segments.iter().position(|name| name == segment);
        let is_own = |keyword: &&HeaderKeyword<'_>| keyword.segment.is_some() && keyword.segment == nth;
        let mut own: Vec<Card> = self.keywords.iter().filter(is_own).flat_map(|keyword| keyword.cards(at)).collect();
        let id = format!("{}:{recnum}:{segment}", self.question.series.name);
        own.extend(fits::cards("RECNUM", CardValue::Number(&recnum.to_string())));
        own.extend(fits::cards("DRMS_ID", CardValue::Text(&id)));
        own.extend(fits::cards("PRIMARYK", CardValue::Text(&structure.prime.join(", "))));
        HeaderCards { shared: Arc::clone(shared), own }
    }
}

impl HeaderKeyword<'_> {
    fn cards(&self, at: usize) -> Vec<Card> {
        let value = table::value(self.column, at);
        match (value.as_deref(), self.kind) {
            (Some(text), CardType::Number) => fits::cards(&self.name, CardValue::Number(text)),
            (Some(text), CardType::Text) => fits::cards(&self.name, CardValue::Text(text)),
            // `Z` is not of the standard (`fitsexport.c:156-160`).
            (Some(text), CardType::Time) => fits::cards(&self.name, CardValue::Text(text.trim_end_matches('Z'))),
            (None, CardType::Number) => {
                let stem = self.name.trim_end_matches(|c: char| c.is_ascii_digit());
                let default = WITH_DEFAULT.iter().find(|(known, _)| *known == stem && self.name.len() > stem.len());
                default.map_or_else(Vec::new, |(_, value)| fits::cards(&self.name, CardValue::Number(value)))
            }
            (None, _) => Vec::new(),
        }
    }
}

/// The name of a keyword in a header (`fitsexport.c:2898-3000`): what its note says in brackets, its own, or what is left of it;
/// none of one that is not exported.
fn fits_name(name: &str, note: &str, is_per_segment: bool) -> Option<String> {
    let told = note.strip_prefix('[').and_then(|note| note.split_once(']')).map(|(told, _)| told);
    let told = told.map(|told| told.split(':').next().unwrap_or_default().to_owned()).filter(|told| is_valid(told));
    let own = Some(name.to_ascii_uppercase()).filter(|own| is_valid(own));
    // The name of a segment's own keyword, without the number.
    let base = if is_per_segment { name.rsplit_once('_').map_or(name, |(base, _)| base) } else { name };
    // As the notes of all such keywords say: `DATE__OBS` is DATE-OBS.
    let with_dash =
        || Some(base.to_ascii_uppercase().replace("__", "-")).filter(|dashed| base.contains("__") && is_valid(dashed));
    let rest = || {
        let letters: String = base.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        Some(letters.to_ascii_uppercase()).filter(|letters| is_valid(letters))
    };
    let name = told.or(own).or_else(with_dash).or_else(rest)?;
    let is_axis = name.strip_prefix("NAXIS").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    (!is_axis && !NOT_EXPORTED.contains(&name.as_str())).then_some(name)
}

/// True for a keyword that FITS allows (`FitsKeyNameValidationStatus`, `fitsexport.c:1118`).
fn is_valid(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=8).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_have_the_names_that_jsoc_exports_them_by() {
        for (name, note, is_per_segment, due) in [
            ("DATE__OBS", "[DATE-OBS] Observation date", false, Some("DATE-OBS")),
            ("DATE__OBS", "", false, Some("DATE-OBS")),
            ("T_REC", "[T_REC] Slot time", false, Some("T_REC")),
            ("BUNIT_000", "", true, Some("BUNIT")),
            ("DATAMEAN_003", "", true, Some("DATAMEAN")),
            ("CRVAL1", "[not valid!] x", false, Some("CRVAL1")),
            ("LONGNAME_OF", "", false, Some("LONGNAME")),
            ("usflux", "", false, Some("USFLUX")),
            ("BZERO", "", false, None),
            ("NAXIS1", "", false, None),
            ("RECNUM", "", false, None),
        ] {
            assert_eq!(fits_name(name, note, is_per_segment).as_deref(), due, "{name} {note}");
        }
    }

    #[test]
    fn a_value_has_its_type_and_a_missing_one_of_the_grid_its_default() {
        let cards = |name: &str, kind, value: &str| {
            let column: RecordColumn =
                serde_json::from_value(serde_json::json!({ "name": name, "values": [value] })).unwrap();
            let keyword = HeaderKeyword { column: &column, name: name.to_owned(), kind, segment: None };
            let cards = keyword.cards(0);
            cards.iter().map(|card| String::from_utf8_lossy(card).trim_end().to_owned()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(cards("DATE-OBS", CardType::Time, "2011-02-15T01:58:12.30Z"), "DATE-OBS= '2011-02-15T01:58:12.30'");
        assert_eq!(cards("T_REC", CardType::Time, "2011.02.15_02:00:00_TAI"), "T_REC   = '2011.02.15_02:00:00_TAI'");
        assert_eq!(cards("QUALITY", CardType::Number, "0x00020000"), "QUALITY =               131072");
        assert_eq!(cards("CDELT1", CardType::Number, "nan"), "CDELT1  =                  1.0");
        assert_eq!(cards("CRVAL2", CardType::Number, "MISSING"), "CRVAL2  =                  0.0");
        assert_eq!(cards("USFLUX", CardType::Number, "MISSING") + &cards("CAMERA", CardType::Text, "MISSING"), "");
    }
}
