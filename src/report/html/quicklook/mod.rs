//! Quick looks: one small grey-scale picture of a day's FITS images, so that a person sees that the data are the Sun.
//!
//! An image is not turned: its first row is at the bottom, as FITS has it.

mod grey;
mod image;
#[cfg(test)]
mod tests;

use std::path::Path;

use chrono::NaiveDate;

/// How many pictures a page holds at most.
pub const PICTURES: usize = 100;

/// How many files of a day are tried until one has an image.
pub const TRIED: usize = 4;

/// Parts of names that are looked for first, in this order: a face of the Sun says more than a map of errors.
const TELLING: [&str; 6] = ["magnetogram", "continuum", "0171", "171", ".br.", "image"];

/// The quick look of one day of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct QuickLook {
    /// The series' id.
    pub series: String,
    /// The date.
    pub date: NaiveDate,
    /// The file below the archive's root.
    pub path: String,
    /// Its picture, or why there is none.
    pub seen: Result<Picture, String>,
}

/// A picture of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// A PNG, grey, with an alpha channel where pixels have no value.
    pub png: Vec<u8>,
    /// Its pixels along x and y: at most 256 each.
    pub size: (u32, u32),
    /// The image's pixels along x and y.
    pub of: (usize, usize),
    /// What is black and what is white: the 1st and the 99th percentile of the picture's values, in the image's unit.
    pub scale: (f64, f64),
    /// The unit, safe to show; none when the file says none.
    pub unit: Option<String>,
}

/// The files of a day in the order in which they are tried: the telling ones first, each kind by its path.
#[must_use]
pub fn in_turn<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let rank = |path: &str| {
        let name = path.to_ascii_lowercase();
        TELLING.iter().position(|part| name.contains(part)).unwrap_or(TELLING.len())
    };
    let mut paths: Vec<&str> = paths.into_iter().collect();
    paths.sort_by_key(|path| (rank(path), *path));
    paths.truncate(TRIED);
    paths
}

/// Makes the picture of a file's first image; `None` when the file is no FITS file or has no image.
///
/// # Errors
/// Why the image is not shown, as a text that is safe to show.
pub fn picture(file: &Path) -> Result<Option<Picture>, String> {
    image::first(file)?.map(|image| grey::picture(&image)).transpose()
}
