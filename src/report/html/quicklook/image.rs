//! The first image of a FITS file, made small while it is read.
//!
//! Pixels, whole or in tiles of Rice or GZIP, are decoded by `fitsio_pure`, with BZERO, BSCALE, BLANK and quantised
//! floats. It does not read what is too large to hold, and does not open tiles that could become so.

use std::io::Read as _;
use std::path::Path;

use fitsio_pure::bintable::parse_binary_table_columns;
use fitsio_pure::hdu::{Hdu, HduInfo, parse_fits};
use fitsio_pure::header::Card;
use fitsio_pure::image::{image_dimensions, read_image_physical_f32};
use fitsio_pure::value::Value;

use crate::archive::open_regular;
use crate::untrusted::escape;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 160 << 20;

/// The most pixels of an image: that of 4096 by 4096 and half as many again. Decoding takes up to twelve bytes each.
const PIXELS: usize = 24 << 20;

/// The longest GZIP tile that is opened, in bytes, and the most of all tiles of an image. Deflate makes a thousand bytes of
/// one, so that the file's own length bounds nothing.
const GZIP: (u64, u64) = (64 << 10, 32 << 20);

/// The kinds of tiles that are decoded.
const TILES: [&str; 4] = ["RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2"];

/// The longer side of what is made of it, in pixels.
const SIDE: usize = 256;

/// An image made small.
#[derive(Debug, Clone)]
pub(super) struct Small {
    /// Means of blocks of pixels, the first axis fastest; NaN where no pixel has a value.
    pub(super) values: Vec<f32>,
    /// How many along x and y.
    pub(super) size: (usize, usize),
    /// The image's own pixels along x and y.
    pub(super) of: (usize, usize),
    /// BUNIT, safe to show.
    pub(super) unit: Option<String>,
}

/// Reads the first image of a file; of a cube, its first plane.
pub(super) fn first(path: &Path) -> Result<Option<Small>, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
    let mut file = open_regular(path).map_err(unreadable)?;
    let mut bytes = vec![0; 10];
    if file.read_exact(&mut bytes).is_err() || !bytes.starts_with(b"SIMPLE  =") {
        return Ok(None);
    }
    file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("the file is longer than {} MiB", LONGEST >> 20));
    }
    let undecodable = |error: fitsio_pure::Error| format!("it cannot be decoded: {}", escape(&error.to_string()));
    let fits = parse_fits(&bytes).map_err(undecodable)?;
    let image = fits.hdus.into_iter().find_map(|hdu| shape(&hdu).map(|shape| (hdu, shape)));
    let Some((hdu, shape)) = image else { return Ok(None) };
    let pixels = shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side));
    if pixels.is_none_or(|pixels| pixels > PIXELS) {
        return Err(format!("the image has more than {PIXELS} pixels"));
    }
    // FITS knows ASCII alone (4.0, 4.1.2.3), and the library takes TFORM apart by bytes.
    let is_ascii = |card: &Card| !matches!(&card.value, Some(Value::String(text)) if !text.is_ascii());
    if !hdu.cards.iter().all(is_ascii) {
        return Err("its header holds characters that no FITS header may hold".to_owned());
    }
    tiles_are_bounded(&bytes, &hdu)?;
    let values = read_image_physical_f32(&bytes, &hdu).map_err(undecodable)?;
    drop(bytes);
    let of = (shape[0], shape[1]);
    let unit = text(&hdu.cards, "BUNIT").map(|unit| escape(&unit).into_owned());
    let (values, size) = shrink(&values, of);
    Ok(Some(Small { values, size, of, unit }))
}

/// The axes of an HDU that holds an image.
fn shape(hdu: &Hdu) -> Option<Vec<usize>> {
    let shape = image_dimensions(hdu).ok()?;
    (shape.len() >= 2 && shape[..2].iter().all(|side| *side > 1) && !shape.contains(&0)).then_some(shape)
}

/// Refuses tiles that are of another kind, or could become more than is held.
fn tiles_are_bounded(bytes: &[u8], hdu: &Hdu) -> Result<(), String> {
    let HduInfo::CompressedImage { zcmptype, naxis1, naxis2, tfields, .. } = &hdu.info else { return Ok(()) };
    if !TILES.contains(&zcmptype.as_str()) {
        return Err(format!("tiles of {} are not decoded", escape(zcmptype)));
    }
    let columns = parse_binary_table_columns(&hdu.cards, *tfields).map_err(|_| "its table of tiles is broken")?;
    let rows = bytes.get(hdu.data_start..).unwrap_or_default().chunks_exact((*naxis1).max(1)).take(*naxis2);
    let (longest, most) = GZIP;
    let (mut at, mut sum) = (0usize, 0u64);
    for column in columns {
        let name = column.name.as_deref().unwrap_or_default().trim();
        // What a Rice tile cannot hold, such as one without any noise, stands in a column of its own.
        if name == "GZIP_COMPRESSED_DATA" || (name == "COMPRESSED_DATA" && zcmptype.starts_with("GZIP")) {
            for row in rows.clone() {
                let descriptor = row.get(at..).unwrap_or_default().get(..column.byte_width).unwrap_or_default();
                // The first half is the length, of 32 bits or of 64.
                let length =
                    descriptor[..descriptor.len() / 2].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
                sum = sum.saturating_add(length);
                if length > longest || sum > most {
                    return Err("its tiles are in GZIP, and too long to open".to_owned());
                }
            }
        }
        at = at.saturating_add(column.byte_width);
    }
    Ok(())
}

fn text(cards: &[Card], keyword: &str) -> Option<String> {
    cards.iter().filter(|card| card.keyword_str() == keyword).find_map(|card| match &card.value {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    })
}

/// Means of square blocks, so that the longer side fits.
fn shrink(values: &[f32], (width, height): (usize, usize)) -> (Vec<f32>, (usize, usize)) {
    let block = width.max(height).div_ceil(SIDE).max(1);
    let size = (width.div_ceil(block), height.div_ceil(block));
    let mut sums = vec![(0f64, 0u32); size.0 * size.1];
    for (y, row) in values.chunks_exact(width).take(height).enumerate() {
        let small = &mut sums[y / block * size.0..][..size.0];
        for (sum, pixels) in small.iter_mut().zip(row.chunks(block)) {
            for pixel in pixels.iter().filter(|pixel| pixel.is_finite()) {
                *sum = (sum.0 + f64::from(*pixel), sum.1 + 1);
            }
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "a mean of f32 values is within their range")]
    let mean = |(sum, count): (f64, u32)| if count == 0 { f32::NAN } else { (sum / f64::from(count)) as f32 };
    (sums.into_iter().map(mean).collect(), size)
}
