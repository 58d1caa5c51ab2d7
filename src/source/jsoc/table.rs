//! The day's table of keywords: what JSOC's files themselves do not hold.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::query::{QUALITY, RecordQuery};
use super::record::WantedRecord;
use super::response::{RecordColumn as Told, RecordList};
use super::values::{MISSING, NO_IMAGE, NO_KEYWORD, bits};
use crate::failure::{Class, Failure};
use crate::source::keywords::{KeywordColumn, KeywordRow, KeywordTable, cells, has_data};
use crate::source::read_capped::malformed;
use crate::untrusted::escape;

/// Keywords of bits besides QUALITY. JSOC writes `MISSING` for them where they have the highest bit alone, which is an int's
/// missing value to it, and for QUALITY the bits (`jsoc_info.c:3821`).
const OTHER_BITS: [&str; 2] = ["QUAL_S", "QUALLEV1"];

/// How a missing time begins: the start of the Julian dates.
const NO_TIME: &str = "-4712.01.01_";

/// The keywords of the records that are asked for, as an answer tells them.
///
/// # Errors
/// `source-refused` for a keyword that JSOC does not know.
pub(super) fn keyword_table(
    answer: &RecordList,
    question: &RecordQuery<'_>,
    kept: &[WantedRecord],
) -> Result<KeywordTable, Failure> {
    if kept.is_empty() {
        return Ok(KeywordTable::default());
    }
    let columns = columns(answer, question)?;
    let (series, quality) = (question.series.name.as_str(), answer.known(QUALITY));
    let row = |kept: &WantedRecord| KeywordRow {
        // Padded to one length, so that they sort as numbers.
        record: format!("{:020}", kept.recnum),
        time: kept.time,
        instant: kept.instant,
        source_series: None,
        recnum: Some(kept.recnum),
        harpnum: kept.harpnum,
        has_data: quality.and_then(|quality| bits(quality.value(kept.at))).map(|bits| has_data(series, bits)),
        cells: cells(columns.iter().map(|column| value(column, kept.at))),
    };
    let rows = kept.iter().map(row).collect();
    Ok(KeywordTable { columns: columns.iter().map(|column| meaning(column, question)).collect(), rows })
}

/// The columns of the table: those asked for in their order, else all in the series' own.
fn columns<'a>(answer: &'a RecordList, question: &RecordQuery<'_>) -> Result<Vec<&'a Told>, Failure> {
    if let Some(keywords) = &question.series.keywords {
        return keywords.iter().map(|keyword| answer.keyword(keyword)).collect();
    }
    let mut seen = BTreeSet::new();
    let own = answer.keywords().iter().filter(|column| !column.name.0.starts_with('*'));
    let mut columns: Vec<&Told> = own.filter(|column| seen.insert(column.name.0.as_str())).collect();
    if columns.is_empty() {
        return Err(malformed("records without a keyword"));
    }
    columns.sort_by_key(|column| (question.structure.place(&column.name.0), &column.name.0));
    let strange = columns.iter().find(|column| !question.structure.has(&column.name.0));
    if let Some(strange) = strange.filter(|column| column.value(0) == NO_KEYWORD) {
        let why = format!("JSOC says `{NO_KEYWORD}` of the keyword `{}`", escape(&strange.name.0));
        return Err(Failure::new(Class::SourceRefused, why));
    }
    Ok(columns)
}

/// A value as JSOC wrote it, bits as a number; none where it is missing, or the record that a keyword is linked to is not
/// there.
pub(super) fn value(column: &Told, at: usize) -> Option<Cow<'_, str>> {
    let value = column.value(at);
    if value == MISSING && OTHER_BITS.contains(&column.name.0.as_str()) {
        return Some(Cow::Owned(NO_IMAGE.to_string()));
    }
    // DRMS defines NaN as the missing value of floating-point keywords.
    let is_nan = value.trim_start_matches('-').eq_ignore_ascii_case("nan");
    if value == NO_KEYWORD || value == MISSING || value.starts_with(NO_TIME) || is_nan {
        return None;
    }
    let is_hexadecimal = value.starts_with("0x");
    Some(match bits(value).filter(|_| is_hexadecimal) {
        Some(bits) => Cow::Owned(bits.to_string()),
        None => Cow::Borrowed(value),
    })
}

fn meaning(column: &Told, question: &RecordQuery<'_>) -> KeywordColumn {
    let name = column.name.0.clone();
    let known = question.structure.keyword(&name).cloned().unwrap_or_default();
    let told = |text: String| Some(text).filter(|text| !text.trim().is_empty());
    KeywordColumn {
        // As `value` has them.
        missing: Some(String::new()),
        invalid_link: Some(String::new()),
        default: told(known.default),
        kind: told(known.kind),
        unit: told(known.unit),
        note: told(known.note),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_of_bits_a_text_or_missing() {
        for (name, told, due) in [
            ("QUALITY", "0x00020000", Some("131072")),
            ("QUALITY", "0x80000000", Some("2147483648")),
            ("QUALLEV1", "0x00000100", Some("256")),
            ("QUALLEV1", "MISSING", Some("2147483648")),
            ("QUAL_S", "MISSING", Some("2147483648")),
            ("CAMERA", "MISSING", None),
            ("USFLUX", "-nan", None),
            ("T_OBS", "-4712.01.01_11:59:28_TAI", None),
            ("NOAA_ARS", "Invalid KeyLink", None),
            ("NOAA_ARS", "11158,11162", Some("11158,11162")),
        ] {
            let column: Told = serde_json::from_value(serde_json::json!({ "name": name, "values": [told] })).unwrap();
            assert_eq!(value(&column, 0).as_deref(), due, "{name}: {told}");
        }
    }
}
