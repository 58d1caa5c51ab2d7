//! A file's size as a directory listing tells it, to the byte or rounded.
//!
//! nginx and some others tell bytes; Apache, lighttpd, Jetty and Caddy round, each in its own way: up, down or to the nearest
//! digit, in units of 1000 or 1024. What it does not do: find out which server it is. A rounded size stands for all that any
//! of them may write so.

use crate::source::Rounded;

/// What is between two cells of a table, in the text beside a link.
pub(super) const CELL: char = '\t';

/// A size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// To the byte.
    Bytes(u64),
    /// To the last digit of a larger unit.
    About(Rounded),
}

/// Reads the size in the text beside a link; `None` where there is none, or where a number may be something else.
pub(super) fn told(text: &str) -> Option<Size> {
    let words: Vec<&str> = text.split_whitespace().collect();
    with_unit(&words).or_else(|| after_time(&words)).or_else(|| in_cell(text))
}

/// The first number with a unit: `2.0M`, `1953 KB`, `2,000,000 bytes`.
fn with_unit(words: &[&str]) -> Option<Size> {
    words.iter().enumerate().find_map(|(at, word)| {
        let end = word.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(word.len());
        let (number, unit) = word.split_at(end);
        let unit = if unit.is_empty() { words.get(at + 1).copied().unwrap_or_default() } else { unit };
        size(number, exponent(unit)?)
    })
}

/// The third word of `27-Nov-2026 01:39  5760`, as nginx writes it, and Apache for a small file: `2026-11-27 01:39  576`, where
/// a description may follow.
fn after_time(words: &[&str]) -> Option<Size> {
    let [date, time, number, rest @ ..] = words else { return None };
    let is_like = |word: &str, form: &str| {
        word.len() == form.len()
            && word.bytes().zip(form.bytes()).all(|(byte, of)| match of {
                b'0' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_alphabetic(),
                other => byte == other,
            })
    };
    let is_nginx = is_like(date, "00-aaa-0000") && rest.is_empty();
    let is_known = (is_nginx || is_like(date, "0000-00-00")) && is_like(time, "00:00");
    is_known.then(|| size(number, 0)).flatten()
}

/// The one cell that is a number and no more, where another one holds a time.
fn in_cell(text: &str) -> Option<Size> {
    let cells = || text.split(CELL).map(str::trim);
    let mut sizes = cells().filter_map(|cell| size(cell, 0));
    let (Some(size), None) = (sizes.next(), sizes.next()) else { return None };
    cells().any(|cell| cell.contains(':')).then_some(size)
}

/// Which power of its base a unit is.
fn exponent(unit: &str) -> Option<u32> {
    match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => Some(0),
        "k" | "kb" | "kib" => Some(1),
        "m" | "mb" | "mib" => Some(2),
        "g" | "gb" | "gib" => Some(3),
        "t" | "tb" | "tib" => Some(4),
        _ => None,
    }
}

/// A number of such units: of bytes to the byte, unless it has a fraction.
fn size(number: &str, exponent: u32) -> Option<Size> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = without_commas(whole)?;
    if whole.is_empty() || whole.len() > 15 || decimals.len() > 3 || !is_digits(&whole) || !is_digits(decimals) {
        return None;
    }
    if exponent == 0 && decimals.is_empty() {
        return whole.parse().ok().map(Size::Bytes);
    }
    // In steps of the last digit. A server that rounds down shows less than there is, but by less than a step; one that
    // rounds up shows more.
    let steps: u128 = format!("{whole}{decimals}").parse().ok()?;
    let in_unit = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
    let least = steps.checked_sub(1).map_or(0, |below| below * 1000_u128.pow(exponent) / in_unit + 1);
    let most = ((steps + 1) * 1024_u128.pow(exponent)).div_ceil(in_unit) - 1;
    let (least, most) = (u64::try_from(least).ok()?, u64::try_from(most).unwrap_or(u64::MAX));
    Some(Size::About(Rounded { least, most }))
}

/// `2,000,000` as `2000000`; `None` where commas do not part thousands.
fn without_commas(number: &str) -> Option<String> {
    let mut groups = number.split(',');
    let first = groups.next()?;
    let is_right = groups.clone().all(|group| group.len() == 3) && (groups.next().is_none() || first.len() <= 3);
    is_right.then(|| number.replace(',', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_in_every_form_that_servers_write() {
        let bytes = |bytes| Some(Size::Bytes(bytes));
        let about = |least, most| Some(Size::About(Rounded { least, most }));
        for (text, expected) in [
            // nginx.
            ("   27-Nov-2026 01:39            28800000\r\n", bytes(28_800_000)),
            ("   27-Nov-2026 01:39                 27M\n", about(26_000_001, 29_360_127)),
            ("   27-Nov-2026 01:39                   -\n", None),
            ("  11-Dec-2015 10:00   2,000,000\n", bytes(2_000_000)),
            ("  27-Nov-2026 01:39 1 2", None),
            // Apache, plain and as a table.
            ("  2026-11-27 01:39  2.0M  \n", about(1_900_001, 2_202_009)),
            ("  2026-11-27 01:39  576   a description\n", bytes(576)),
            ("  2026-11-27 01:39  0\n", bytes(0)),
            ("  2026-11-27 01:39  1.9K  Holds 20M of notes\n", about(1_801, 2_047)),
            ("\t2026-11-27 01:39  \t5.6K\t\u{a0}", about(5_501, 5_836)),
            ("\t2026-11-27 01:39  \t980 \t\u{a0}", bytes(980)),
            ("\t2026-11-27 01:39  \t  - \t\u{a0}", None),
            // lighttpd.
            ("\t2026-Nov-27 01:39:11\t1.9M\tapplication/octet-stream", about(1_800_001, 2_097_151)),
            ("\t2026-Nov-27 01:39:11\t0.1K\ttext/plain", about(1, 204)),
            // Jetty, and one of before.
            ("\tNov 27, 2026 1:39:11 AM\u{a0}\t2,000,000 bytes\u{a0}", bytes(2_000_000)),
            ("\t5760 bytes\u{a0}\tNov 27, 2026 1:39:11 AM", bytes(5_760)),
            // Caddy, and others.
            ("\t\t1.9 MiB\t11/27/2026 01:39:11 AM +00:00", about(1_800_001, 2_097_151)),
            ("\t1953 KB\t2026-11-27 01:39", about(1_952_001, 2_000_895)),
            ("\t2000.0K", about(1_999_901, 2_048_102)),
            ("\t9.9G", about(9_800_000_001, 10_737_418_239)),
            ("\t0K", about(0, 1_023)),
            // What may be anything.
            (" 7", None),
            ("\t644\t12\t2026-11-27 01:39", None),
            ("\t12", None),
            ("", None),
            ("\t1,23 kB", None),
            ("\t1.2.3M", None),
            (" (1.5 times)", None),
        ] {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }

    #[test]
    fn whatever_a_server_rounds_lies_within_what_it_writes() {
        for (unit, base) in [("K", 1000_u64), ("K", 1024), ("M", 1000), ("M", 1024), ("G", 1000), ("G", 1024)] {
            let power = base.pow(exponent(unit).unwrap());
            for bytes in (0..2000).map(|nth| nth * power / 190 + nth % 7) {
                let tenths = |rounding: u64| (bytes * 10 + rounding) / power;
                for tenths in [tenths(0), tenths(power / 2), tenths(power - 1)] {
                    let text = format!("\t{}.{}{unit}", tenths / 10, tenths % 10);
                    let Some(Size::About(rounded)) = told(&text) else { panic!("{text}") };
                    assert!(rounded.holds(bytes), "{bytes} as {text}");
                }
            }
        }
    }
}
