//! Pictures of images whose pixels are known, and of files that are none.

use std::io::Cursor;

use fitsio_pure::compress::{CompressPixel, TileCompression, compress_image_hdu};
use fitsio_pure::header::{Card, serialize_header};
use fitsio_pure::image::{ImageData, build_image_hdu, serialize_image};
use fitsio_pure::primary::build_primary_header;
use fitsio_pure::value::Value;
use proptest::prelude::*;

use super::{Picture, in_turn, picture};
use crate::fits::BLOCK;

/// Writes a file and looks at it.
fn look(bytes: &[u8]) -> Result<Option<Picture>, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("a written file");
    picture(file.path())
}

/// The greys of a picture from the top row down, and whether each pixel is seen.
fn greys(picture: &Picture) -> Vec<(u8, bool)> {
    let mut reader = png::Decoder::new(Cursor::new(&picture.png)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a frame");
    assert_eq!((info.width, info.height), picture.size);
    match info.color_type {
        png::ColorType::Grayscale => pixels.iter().map(|grey| (*grey, true)).collect(),
        png::ColorType::GrayscaleAlpha => pixels.chunks(2).map(|pixel| (pixel[0], pixel[1] == 255)).collect(),
        other => panic!("{other:?}"),
    }
}

fn shades(picture: &Picture) -> Vec<u8> {
    greys(picture).into_iter().map(|(grey, _)| grey).collect()
}

/// An image in the primary HDU, with further keywords.
fn plain(size: (usize, usize), bitpix: i64, pixels: &ImageData, keywords: &[(&str, Value)]) -> Vec<u8> {
    let mut cards = build_primary_header(bitpix, &[size.0, size.1]).expect("a header");
    cards.extend(keywords.iter().map(|(name, value)| Card::new(name, value.clone()).expect("a card")));
    let mut file = serialize_header(&cards).expect("a header");
    file.extend(serialize_image(pixels));
    file.resize(file.len().next_multiple_of(BLOCK), 0);
    file
}

/// An empty primary HDU, then the image in tiles.
fn tiled<T: CompressPixel>(size: (usize, usize), pixels: &[T], how: &TileCompression, keywords: &[Card]) -> Vec<u8> {
    let mut file = serialize_header(&build_primary_header(16, &[]).expect("a header")).expect("a header");
    file.extend(compress_image_hdu(&[size.0, size.1], pixels, how, keywords).expect("tiles"));
    file.resize(file.len().next_multiple_of(BLOCK), 0);
    file
}

#[test]
fn the_file_that_shows_most_comes_first_and_then_the_paths_order() {
    let paths = ["a/x.Br_err.fits", "b/x.Bt.fits", "b/x.magnetogram.fits", "a/y.Magnetogram.fits", "c", "d"];
    let turn = ["a/y.Magnetogram.fits", "b/x.magnetogram.fits", "a/x.Br_err.fits", "b/x.Bt.fits"];
    assert_eq!(in_turn(paths), turn);
    assert_eq!(in_turn(paths.into_iter().rev()), turn, "in whatever order they came");
    assert_eq!(in_turn(["193/AIA_0193.fits", "171/AIA_0171.fits"])[0], "171/AIA_0171.fits");
}

#[test]
fn the_first_row_of_a_fits_image_is_at_the_bottom() {
    let file = plain((2, 2), 16, &ImageData::I16(vec![0, 10, 20, 30]), &[]);
    let seen = look(&file).unwrap().expect("an image");
    assert_eq!(shades(&seen), [170, 255, 0, 85]);
    assert_eq!((seen.size, seen.of, seen.scale), ((2, 2), (2, 2), (0.0, 30.0)));
}

#[test]
fn scaled_integers_floats_and_rice_tiles_give_the_same_picture() {
    let wanted: Vec<f32> = (0..60 * 40u16).map(|n| f32::from(n % 61) * 2.0 - 100.0).collect();
    let scaled: Vec<i32> = (0..60 * 40).map(|n| n % 61).collect();
    let keywords =
        [("BSCALE", Value::Float(2.0)), ("BZERO", Value::Float(-100.0)), ("BUNIT", Value::String("Mx".into()))];
    let cards: Vec<Card> = keywords.iter().map(|(name, value)| Card::new(name, value.clone()).unwrap()).collect();
    let size = (60, 40);
    let floats = look(&plain(size, -32, &ImageData::F32(wanted.clone()), &keywords[2..])).unwrap().expect("an image");
    assert_eq!(floats.unit.as_deref(), Some("Mx"));
    let whole = look(&plain(size, 32, &ImageData::I32(scaled.clone()), &keywords)).unwrap();
    let rice = look(&tiled(size, &scaled, &TileCompression::rice(), &cards)).unwrap();
    assert_eq!((whole.as_ref(), rice.as_ref()), (Some(&floats), Some(&floats)));
    let narrow: Vec<i16> = scaled.iter().map(|n| i16::try_from(*n).unwrap()).collect();
    assert_eq!(look(&tiled(size, &narrow, &TileCompression::rice(), &cards)).unwrap().as_ref(), Some(&floats));
    let gzip = look(&tiled(size, &scaled, &TileCompression::gzip(), &cards)).unwrap();
    assert_eq!(gzip.as_ref(), Some(&floats));
    // Quantised floats are nearly the same.
    let quantised = look(&tiled(size, &wanted, &TileCompression::rice(), &[])).unwrap().expect("an image");
    let apart = shades(&quantised).iter().zip(shades(&floats)).map(|(a, b)| a.abs_diff(b)).max();
    assert!(apart < Some(8), "{apart:?}");
}

#[test]
fn a_large_image_is_made_small_by_means_and_a_cube_shows_its_first_plane() {
    let (width, height) = (1000, 300);
    let pixels: Vec<f64> = (0..width * height).map(|n| if n % width < 500 { 1.0 } else { 3.0 }).collect();
    let seen = look(&plain((width, height), -64, &ImageData::F64(pixels), &[])).unwrap().expect("an image");
    assert_eq!((seen.size, seen.of), ((250, 75), (1000, 300)));
    assert_eq!(shades(&seen)[..250], [vec![0; 125], vec![255; 125]].concat());
    let mut cube = serialize_header(&build_primary_header(8, &[2, 2, 2]).unwrap()).unwrap();
    cube.extend([0, 255, 255, 0, 9, 9, 9, 9]);
    cube.resize(2 * BLOCK, 0);
    assert_eq!(shades(&look(&cube).unwrap().expect("an image")), [255, 0, 0, 255]);
}

#[test]
fn wild_pixels_do_not_darken_the_rest_and_blank_ones_are_not_seen() {
    let mut pixels: Vec<f32> = (0..100 * 100u16).map(|n| f32::from(n % 100)).collect();
    (pixels[0], pixels[1], pixels[2], pixels[3]) = (1e30, -1e30, f32::NAN, f32::INFINITY);
    let seen = look(&plain((100, 100), -32, &ImageData::F32(pixels), &[])).unwrap().expect("an image");
    assert!(seen.scale.0 >= 0.0 && seen.scale.1 <= 99.0, "{:?}", seen.scale);
    let bottom = &greys(&seen)[100 * 99..];
    assert_eq!(bottom[..4], [(255, true), (0, true), (0, false), (0, false)]);

    let blank = [("BLANK", Value::Integer(-32768))];
    let seen = look(&plain((2, 2), 16, &ImageData::I16(vec![-32768, 1, 2, 3]), &blank)).unwrap().expect("an image");
    assert_eq!(greys(&seen)[2], (0, false));
    assert_eq!(seen.scale, (1.0, 3.0));
    let flat = look(&plain((2, 2), 16, &ImageData::I16(vec![5; 4]), &[])).unwrap().expect("an image");
    assert_eq!(shades(&flat), [128; 4]);
}

#[test]
fn what_is_no_image_is_passed_over_and_what_cannot_be_shown_is_told() {
    assert_eq!(look(b""), Ok(None));
    assert_eq!(look(b"date,flux\n2015-12-11,1e-6\n"), Ok(None));
    let empty = serialize_header(&build_primary_header(16, &[]).unwrap()).unwrap();
    assert_eq!(look(&empty), Ok(None), "no axes");
    assert_eq!(look(&build_row()), Ok(None), "one row is no image");
    let told = |bytes: &[u8]| look(bytes).unwrap_err();
    assert_eq!(told(&plain((2, 2), -32, &ImageData::F32(vec![f32::NAN; 4]), &[])), "no pixel of the image has a value");
    let huge = serialize_header(&build_primary_header(8, &[1 << 20, 1 << 20]).unwrap()).unwrap();
    assert!(told(&huge).contains("cannot be decoded"), "{}", told(&huge));
    let zeros = vec![0i32; 16];
    let long = TileCompression::gzip().tile_rows(4000).gzip_level(1);
    let noise: Vec<i32> = (0..4000 * 50).map(|n: i32| n.wrapping_mul(n) ^ (n << 13)).collect();
    assert!(told(&tiled((50, 4000), &noise, &long, &[])).contains("too long to open"));
    let mut tiles = tiled((4, 4), &zeros, &TileCompression::rice(), &[]);
    let text = String::from_utf8_lossy(&tiles).into_owned();
    let (mut other, kind) = (tiles.clone(), text.find("'RICE_1").expect("a card"));
    other[kind + 1..kind + 5].copy_from_slice(b"PLIO");
    assert!(told(&other).contains("PLIO_1 are not decoded"));
    let mut letters = tiles.clone();
    let format = text.find("TFORM1").expect("a card") + 13;
    letters[format] = 0xc3;
    assert!(told(&letters).contains("no FITS header may hold"), "{}", told(&letters));
    for (card, value) in [("ZNAXIS1 =", "         1048576"), ("ZNAXIS2 =", "         1048576")] {
        let at = text.find(card).expect("a card") + 14;
        tiles[at..at + value.len()].copy_from_slice(value.as_bytes());
    }
    assert!(told(&tiles).contains("more than"), "{}", told(&tiles));
}

/// One row of pixels.
fn build_row() -> Vec<u8> {
    let cards = build_primary_header(8, &[9, 1]).expect("a header");
    let mut file = serialize_header(&cards).expect("a header");
    file.resize(2 * BLOCK, 1);
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_file_gives_a_picture_or_a_reason(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(), cuts in any::<bool>(),
    ) {
        let pixels: Vec<i32> = (0..900).map(|n| (n * n) % 977).collect();
        let image = build_image_hdu(32, &[30, 30], &ImageData::I32(pixels.clone())).unwrap();
        for mut file in [tiled((30, 30), &pixels, &TileCompression::rice(), &[]), image] {
            let at = at.index(file.len());
            file[at] = byte;
            if cuts {
                file.truncate(cut.index(file.len()) + 1);
            }
            let _ = look(&file);
        }
    }
}
