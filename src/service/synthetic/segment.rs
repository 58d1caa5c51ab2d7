//! One segment of one record as a FITS file: the archive's own form, with right sums.
//!
//! Images are Rice-compressed in an extension behind an empty primary HDU; `bitmap` is a plain primary image. What it
//! does not do: write FITS by hand; `fitsio_pure` does.

use fitsio_pure::checksum::stamp_checksum;
use fitsio_pure::compress::{TileCompression, compress_image_hdu};
use fitsio_pure::header::{Card, header_byte_len, parse_header_blocks, serialize_header};
use fitsio_pure::image::serialize_image_i16;
use fitsio_pure::primary::build_primary_header;
use fitsio_pure::value::Value;

use super::chance;
use super::field::{MagneticField, Vector};
use super::region::Sky;
use super::series::{SyntheticFile, SyntheticSeries};
use crate::fits::BLOCK;
use crate::service::slot::GridSlot;

/// The bytes of a file.
pub(super) fn write(sky: Sky, series: &SyntheticSeries, file: &SyntheticFile) -> fitsio_pure::Result<Vec<u8>> {
    let field = MagneticField::new(sky, file.slot, file.region);
    let (width, height) = field.size;
    let what = [sky.seed, u64::from(series.cea), file.recnum.cast_unsigned()];
    let salt = chance(&what.into_iter().chain(file.segment.bytes().map(u64::from)).collect::<Vec<_>>());
    let values = field.pixels().zip(0u64..).map(|(vector, index)| pixel(file.segment, vector, chance(&[salt, index])));
    let keywords = keywords(sky, series, file, (width, height))?;
    if file.segment == "bitmap" {
        let pixels: Vec<i16> = values.map(|value| i16::try_from(value).unwrap_or(0)).collect();
        let mut cards = build_primary_header(16, &[width, height])?;
        cards.extend(keywords);
        return hdu(&cards, &serialize_image_i16(&pixels));
    }
    let pixels: Vec<i32> = values.collect();
    let mut bytes = hdu(&build_primary_header(16, &[])?, &[])?;
    let image = compress_image_hdu(&[width, height], &pixels, &TileCompression::rice(), &keywords)?;
    let mut cards = parse_header_blocks(&image)?;
    cards.retain(|card| !card.is_end());
    bytes.extend(hdu(&cards, &image[header_byte_len(&image)?..])?);
    Ok(bytes)
}

/// An HDU; one with data states both sums, as in the archive.
fn hdu(cards: &[Card], data: &[u8]) -> fitsio_pure::Result<Vec<u8>> {
    if data.is_empty() {
        return serialize_header(cards);
    }
    let mut bytes = serialize_header(&stamp_checksum(cards, data))?;
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    Ok(bytes)
}

/// What a segment says of a pixel, in its own unit; `luck` is the pixel's noise.
fn pixel(segment: &str, field: Vector, luck: u64) -> i32 {
    // Two dice make noise that thins out to both sides: -255 to 255.
    let dice = i64::try_from((luck & 0xff) + ((luck >> 8) & 0xff)).unwrap_or(0) - 255;
    let strength = field.strength();
    let value = match segment {
        "Br" => field.up + dice * 4,
        "Bp" => field.west + dice * 8,
        "Bt" => dice * 8 - field.north,
        "magnetogram" => field.up * 9 / 10 + field.west / 5 + dice * 3,
        "field" => strength + dice.abs() * 8,
        "Br_err" | "Bp_err" | "Bt_err" => 2500 + dice.abs() * 8 + strength / 50,
        "continuum" => 52_000 + dice * 4 - (strength / 6).min(40_000),
        "Dopplergram" => field.west / 400 + dice / 2 + 300,
        "vlos_mag" => field.north / 400 + dice / 2 + 300,
        "conf_disambig" if strength > 40_000 => 90,
        "conf_disambig" if strength > 20_000 => 60,
        "conf_disambig" => 50,
        "bitmap" if strength > 30_000 => 34,
        "bitmap" if strength > 8_000 => 33,
        _ => 1,
    };
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn keywords(
    sky: Sky,
    series: &SyntheticSeries,
    file: &SyntheticFile,
    size: (usize, usize),
) -> fitsio_pure::Result<Vec<Card>> {
    let text = |text: &str| Value::String(text.to_owned());
    let slot = |slot: GridSlot| Value::String(slot.t_rec().format("%Y.%m.%d_%H:%M:%S_TAI").to_string());
    // FITS counts pixels from 1; the middle of n pixels is at (n + 1) / 2.
    let middle = |pixels: usize| Value::Float(f64::midpoint(f64::from(u16::try_from(pixels).unwrap_or(0)), 1.0));
    let (scale, unit) = match file.segment {
        "continuum" => (1.0, "DN/s"),
        "Dopplergram" | "vlos_mag" => (1.0, "m/s"),
        "bitmap" | "conf_disambig" => (1.0, ""),
        _ => (0.01, "Mx/cm^2"),
    };
    let (projection, step, cell) = if series.cea {
        (["CRLN-CEA", "CRLT-CEA"], 0.03, "degree")
    } else {
        (["HPLN-TAN", "HPLT-TAN"], 0.504_311, "arcsec")
    };
    let wcs = if series.cea { "Carrington Heliographic" } else { "Helioprojective-cartesian" };
    let mut cards = vec![
        ("EXTNAME", text(file.segment)),
        ("DATE-OBS", Value::String(file.slot.date_obs().format("%Y-%m-%dT%H:%M:%S%.3f").to_string())),
        ("T_REC", slot(file.slot)),
        ("TRECEPOC", text("1993.01.01_00:00:00_TAI")),
        ("TRECSTEP", Value::Float(720.0)),
        ("TRECUNIT", text("secs")),
        ("CADENCE", Value::Float(720.0)),
        ("TELESCOP", text("SDO/HMI")),
        ("INSTRUME", text("HMI_SIDE1")),
        ("WAVELNTH", Value::Float(6173.0)),
        ("HARPNUM", Value::Integer(file.region.harpnum)),
        ("NOAA_AR", Value::Integer(11_000 + file.region.ordinal)),
        ("RECNUM", Value::Integer(file.recnum)),
        ("QUALITY", Value::Integer(sky.quality(file.slot))),
        ("CTYPE1", text(projection[0])),
        ("CTYPE2", text(projection[1])),
        ("CRPIX1", middle(size.0)),
        ("CRPIX2", middle(size.1)),
        ("CRVAL1", Value::Float(0.0)),
        ("CRVAL2", Value::Float(0.0)),
        ("CDELT1", Value::Float(step)),
        ("CDELT2", Value::Float(step)),
        ("CUNIT1", text(cell)),
        ("CUNIT2", text(cell)),
        ("WCSNAME", text(wcs)),
        ("BUNIT", text(unit)),
        ("ORIGIN", text("sunhaul, synthetic")),
        ("CONTENT", Value::String(format!("SYNTHETIC {} OF SEED {}, NO OBSERVATION", file.segment, sky.seed))),
    ];
    if scale < 1.0 {
        cards.extend([("BSCALE", Value::Float(scale)), ("BZERO", Value::Float(0.0))]);
    }
    cards.into_iter().map(|(keyword, value)| Card::new(keyword, value)).collect()
}
