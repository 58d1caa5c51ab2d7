//! Values as JSOC writes them, and what it writes where there is none.

/// What stands where a value is not known.
pub(super) const MISSING: &str = "MISSING";
/// What stands where a linked keyword leads nowhere, or where there is no such keyword.
pub(super) const NO_KEYWORD: &str = "Invalid KeyLink";

/// The bit of QUALITY that says that there is no image.
pub(super) const NO_IMAGE: u32 = 0x8000_0000;

/// Ends what identifies a file with keywords in its header.
pub(super) const WITH_HEADERS: &str = "/headers";

/// A number that a keyword tells: `377`, or `6173.0`.
pub(super) fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        let is_whole = number.fract() == 0.0 && number.abs() <= 1e9;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 1e9")]
        is_whole.then_some(number as i64)
    })
}

/// QUALITY as the 32 bits that it is, however it is printed: `0x80000000`, `-2147483648`, `0`.
pub(super) fn bits(quality: &str) -> Option<u32> {
    let quality = quality.trim();
    match quality.strip_prefix("0x").or_else(|| quality.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => quality.parse::<u32>().ok().or_else(|| quality.parse::<i32>().ok().map(i32::cast_unsigned)),
    }
}
