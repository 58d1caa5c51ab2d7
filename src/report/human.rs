//! Numbers as a person reads them: bytes, rates, spans of time, counts.
//!
//! Numbers in a report are raw and do not come from here.

use std::time::Duration;

/// Bytes in binary units with three figures or so: `12 B`, `1.5 KiB`, `20 MiB`, `1.25 TiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut unit = 0;
    // In tenths of the unit, in whole numbers: floating point would lose the last bytes of a large count.
    let mut divisor = 1024u128;
    let tenths = |divisor: u128| (u128::from(count) * 10 + divisor / 2) / divisor;
    while tenths(divisor) >= 10_240 && unit + 1 < UNITS.len() {
        divisor *= 1024;
        unit += 1;
    }
    let tenths = tenths(divisor);
    if tenths >= 100 && (tenths % 10 == 0 || tenths >= 1000) {
        format!("{} {}", (tenths + 5) / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// Bytes per second.
#[must_use]
pub fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// A span of time: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A wait that is counted down: as [`span`], in whole seconds that are not over yet.
#[must_use]
pub fn wait(wait: Duration) -> String {
    match wait.as_secs_f64().ceil() {
        seconds @ ..60.0 => format!("{seconds:.0} s"),
        seconds => span(Duration::try_from_secs_f64(seconds).unwrap_or(wait)),
    }
}

/// A part of a count with its noun: `12 of 24 slots`.
#[must_use]
pub fn of(part: u64, all: u64, noun: &str) -> String {
    format!("{} of {}", number(part), count(all.max(part), noun))
}

/// A count with its noun, in the plural where it is due, thousands set apart: `1 file`, `12,345 files`.
#[must_use]
pub fn count(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count))
}

/// A number with its thousands set apart: `12,345`.
#[must_use]
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_about_three_figures() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024 + 512, "10.5 KiB"),
            (20 << 20, "20 MiB"),
            (2_880_000, "2.7 MiB"),
            (576_000, "563 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (5 << 40, "5.0 TiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text, "{count}");
        }
        assert_eq!(rate(20 << 20), "20 MiB/s");
    }

    #[test]
    fn spans_name_their_two_largest_units() {
        let cases =
            [(0.42, "0.4 s"), (59.9, "59 s"), (185.0, "3 min 05 s"), (7620.0, "2 h 07 min"), (273_600.0, "3 d 04 h")];
        for (seconds, text) in cases {
            assert_eq!(span(Duration::from_secs_f64(seconds)), text);
        }
        let waits = [(0.0, "0 s"), (0.1, "1 s"), (39.8, "40 s"), (59.2, "1 min 00 s")];
        for (seconds, text) in waits {
            assert_eq!(wait(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(0, "day"), "0 days");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(1_234_567, "file"), "1,234,567 files");
        assert_eq!(number(999), "999");
    }
}
