//! A file's size as a directory listing tells it, to the byte or rounded.
//!
//! nginx and some others tell bytes; Apache, lighttpd, Jetty and Caddy round, each in its own way: up, down or to the
//! nearest digit, in units of 1000 or 1024. Which server it is, is not asked: a rounded size stands for all that any of
//! them may write so.

use crate::source::Rounded;

/// What is between two cells of a table, in the text beside a link.
pub(super) const CELL: char = '\t';

/// A size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListedSize {
    /// To the byte.
    Bytes(u64),
    /// To the last digit of a larger unit.
    About(Rounded),
}

/// What may part thousands and no columns.
const PARTS: [char; 5] = ['\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}'];

/// Reads the size in the text beside a link; `None` where there is none, or where a number may be something else.
pub(super) fn read_size(text: &str) -> Option<ListedSize> {
    let text = with_commas(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let found: Vec<(usize, ListedSize)> =
        (0..words.len()).filter_map(|at| with_unit(&words[at..]).map(|found| (at, found.size))).collect();
    let Some(&(at, size)) = found.first() else { return after_time(&words).or_else(|| in_cell(&text)) };
    if has_two_columns(&text) {
        return None;
    }
    // A description may follow the size, and may have sizes in it, too.
    let follows_time = at > 0 && words[at - 1].contains(':');
    (follows_time || (found.len() == 1 && after_time(&words).is_none())).then_some(size)
}

/// A number with a unit.
struct WithUnit {
    size: ListedSize,
    /// The unit is one letter, which may stand for something else.
    is_letter: bool,
    /// How many words it takes.
    words: usize,
}

/// The number with a unit that these words start with: `2.0M`, `1953 KB`, `2,000,000 bytes`.
fn with_unit(words: &[&str]) -> Option<WithUnit> {
    let word = words.first()?;
    let end = word.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(word.len());
    let (number, unit) = word.split_at(end);
    let (unit, words) = if unit.is_empty() { (*words.get(1)?, 2) } else { (unit, 1) };
    let size = size(number, exponent(unit)?)?;
    Some(WithUnit { size, is_letter: unit.len() == 1, words })
}

/// True where two cells of a row may be its size: both have a unit, or one is a letter and the other a number alone.
fn has_two_columns(text: &str) -> bool {
    let (mut units, mut letters, mut numbers) = (0, 0, 0);
    for cell in text.split(CELL) {
        let words: Vec<&str> = cell.split_whitespace().collect();
        match with_unit(&words) {
            Some(found) if found.words == words.len() => {
                units += 1;
                letters += usize::from(found.is_letter);
            }
            _ => numbers += usize::from(bare(cell.trim()).is_some()),
        }
    }
    units > 1 || (letters > 0 && numbers > 0)
}

/// The third word of `27-Nov-2026 01:39  5760`, as nginx writes it, and Apache for a small file: `2026-11-27 01:39  576`, where
/// a description may follow.
fn after_time(words: &[&str]) -> Option<ListedSize> {
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
    is_known.then(|| bare(number)).flatten()
}

/// The one cell that is a number and no more, where another one holds a time.
fn in_cell(text: &str) -> Option<ListedSize> {
    let cells = || text.split(CELL).map(str::trim);
    let mut sizes = cells().filter_map(bare);
    let (Some(size), None) = (sizes.next(), sizes.next()) else { return None };
    cells().any(|cell| cell.contains(':')).then_some(size)
}

/// Which power of its base a unit is. No server writes megabytes as `m`: those are minutes.
fn exponent(unit: &str) -> Option<u32> {
    match unit {
        "M" => return Some(2),
        "G" => return Some(3),
        "T" => return Some(4),
        _ => {}
    }
    match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => Some(0),
        "k" | "kb" | "kib" => Some(1),
        "mb" | "mib" => Some(2),
        "gb" | "gib" => Some(3),
        "tb" | "tib" => Some(4),
        _ => None,
    }
}

/// A number of bytes without a unit, where a point is no sign of thousands.
fn bare(number: &str) -> Option<ListedSize> {
    (!number.contains('.')).then(|| bytes(number, ',')).flatten()
}

fn bytes(number: &str, part: char) -> Option<ListedSize> {
    let digits = without_parts(number, part)?;
    let is_number = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok().map(ListedSize::Bytes)).flatten()
}

/// A number of such units: of bytes to the byte, unless it has a fraction.
fn size(number: &str, exponent: u32) -> Option<ListedSize> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if exponent == 0 && decimals.is_empty() {
        return bytes(whole, ',');
    }
    // No byte has thousandths: these are thousands in German, unless all numbers have as many decimals.
    if exponent == 0 && decimals.len() >= 3 {
        return (!whole.starts_with('0') && decimals != "000").then(|| bytes(number, '.')).flatten();
    }
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = without_parts(whole, ',')?;
    if whole.is_empty() || whole.len() > 15 || decimals.len() > 3 || !is_digits(&whole) || !is_digits(decimals) {
        return None;
    }
    // In steps of the last digit. A server that rounds down shows less than there is, but by less than a step; one that
    // rounds up shows more.
    let steps: u128 = format!("{whole}{decimals}").parse().ok()?;
    let in_unit = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
    let least = steps.checked_sub(1).map_or(0, |below| below * 1000_u128.pow(exponent) / in_unit + 1);
    let most = ((steps + 1) * 1024_u128.pow(exponent)).div_ceil(in_unit) - 1;
    let (least, most) = (u64::try_from(least).ok()?, u64::try_from(most).unwrap_or(u64::MAX));
    Some(ListedSize::About(Rounded { least, most }))
}

/// `2,000,000` as `2000000`; `None` where such signs do not part thousands.
fn without_parts(number: &str, part: char) -> Option<String> {
    is_parted(number, part).then(|| number.replace(part, ""))
}

/// True for a number of one group, or of groups of three digits behind a first one of no more.
fn is_parted(number: &str, part: char) -> bool {
    let (first, rest) = number.split_once(part).unwrap_or((number, ""));
    rest.is_empty() != number.contains(part)
        && (rest.is_empty() || (first.len() <= 3 && rest.split(part).all(|group| group.len() == 3)))
}

/// The text with commas where no-break spaces or apostrophes part thousands. A plain space may part columns as well, so that
/// there is no telling what it is: such a number is made none.
fn with_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_part = (c == ' ' || PARTS.contains(&c))
            && out.rsplit(char::is_whitespace).next().is_some_and(is_start_of_number)
            && starts_with_group(&text[at + c.len_utf8()..]);
        out.push(match c {
            ' ' if is_part => '_',
            _ if is_part => ',',
            _ => c,
        });
    }
    out
}

fn is_start_of_number(text: &str) -> bool {
    let mut groups = text.split([',', '_']);
    let is_digits =
        |group: &str| !group.is_empty() && group.len() <= 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    groups.next().is_some_and(is_digits) && groups.all(|group| group.len() == 3 && is_digits(group))
}

fn starts_with_group(text: &str) -> bool {
    text.bytes().take_while(u8::is_ascii_digit).count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_in_every_form_that_servers_write() {
        let bytes = |bytes| Some(ListedSize::Bytes(bytes));
        let about = |least, most| Some(ListedSize::About(Rounded { least, most }));
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
            // Jetty in other languages.
            ("\t11.12.2015 10:00:00\u{a0}\t1.777 bytes\u{a0}", bytes(1_777)),
            ("\t11.12.2015 10:00:00\u{a0}\t2.001.777 bytes\u{a0}", bytes(2_001_777)),
            ("\t11 déc. 2015 à 10:00:00\u{a0}\t1\u{202f}777 bytes\u{a0}", bytes(1_777)),
            ("\t11 déc. 2015 10:00:00\u{a0}\t2\u{a0}001\u{a0}777\u{a0}bytes", bytes(2_001_777)),
            ("\t11.12.2015, 10:00:00\u{a0}\t1’777 bytes", bytes(1_777)),
            ("\t10:00\u{a0}777 bytes", bytes(777)),
            ("\t2015\u{a0}777 B", bytes(777)),
            ("\t980.0 B", about(980, 980)),
            ("\t980.000 B", None),
            ("\t0.512 B", None),
            ("\t10:00\t1 777 bytes", None),
            ("\t10:00\t12\t777 bytes", bytes(777)),
            // Another column beside the size, or a description.
            ("\t12 m\t1777", None),
            ("\t12 m\t1777 B", bytes(1_777)),
            ("\t5 m ago\t1777 B", bytes(1_777)),
            ("   11 Dec 2015 10:00   1777 B   12 m cadence\n", bytes(1_777)),
            ("\t500 G\t1777 B", None),
            ("\t10:00\t500 G\t1777", None),
            ("\t644\t1.9 MB\t10:00", about(1_800_001, 2_097_151)),
            ("\t2026-11-27 01:39\t1.9K\tHolds 20M of notes", about(1_801, 2_047)),
            ("  2026-11-27 01:39  576   Holds 20M of notes\n", None),
            ("\t10:00\t1.5", None),
            // What may be anything.
            (" 7", None),
            ("\t644\t12\t2026-11-27 01:39", None),
            ("\t12", None),
            ("", None),
            ("\t1,23 kB", None),
            ("\t1.2.3M", None),
            (" (1.5 times)", None),
        ] {
            assert_eq!(read_size(text), expected, "{text:?}");
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
                    let Some(ListedSize::About(rounded)) = read_size(&text) else { panic!("{text}") };
                    assert!(rounded.holds(bytes), "{bytes} as {text}");
                }
            }
        }
    }
}
