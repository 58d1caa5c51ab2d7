//! Values to greys, robust against a few wild ones, and the greys to a PNG.

use super::Picture;
use super::image::Small;

/// Makes the picture of an image.
pub(super) fn picture(image: &Small) -> Result<Picture, String> {
    let Small { values, size: (width, height), of, unit } = image;
    let Some((low, high)) = scale(values) else { return Err("no pixel of the image has a value".to_owned()) };
    let has_blanks = values.iter().any(|value| value.is_nan());
    let mut pixels = Vec::with_capacity(values.len() * 2);
    // FITS begins with the lowest row, PNG with the highest.
    for value in values.chunks_exact(*width).rev().flatten() {
        pixels.push(grey(*value, low, high));
        if has_blanks {
            pixels.push(if value.is_nan() { 0 } else { u8::MAX });
        }
    }
    let pixels_of = |length: usize| u32::try_from(length).map_err(|_| "the image is too wide".to_owned());
    let size = (pixels_of(*width)?, pixels_of(*height)?);
    let colour = if has_blanks { png::ColorType::GrayscaleAlpha } else { png::ColorType::Grayscale };
    let png = encode(&pixels, size, colour).map_err(|error| format!("the picture cannot be made: {error}"))?;
    Ok(Picture { png, size, of: *of, scale: (low.into(), high.into()), unit: unit.clone() })
}

/// What is black and what is white: the 1st and the 99th percentile. `None` when no pixel has a value.
fn scale(values: &[f32]) -> Option<(f32, f32)> {
    let mut known: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    known.sort_by(f32::total_cmp);
    let last = known.len().checked_sub(1)?;
    Some((known[last / 100], known[last - last / 100]))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 255")]
fn grey(value: f32, low: f32, high: f32) -> u8 {
    if value.is_nan() {
        return 0;
    }
    let (value, low, high) = (f64::from(value), f64::from(low), f64::from(high));
    // An image of one value has no bright or dark pixels.
    let share = if high > low { (value - low) / (high - low) } else { 0.5 };
    (share.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn encode(pixels: &[u8], (width, height): (u32, u32), colour: png::ColorType) -> Result<Vec<u8>, png::EncodingError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(out)
}
