//! The files as `sha256sum` prints them: `sha256sum -c` in the archive's root checks them.
//!
//! What it does not do: escape. A path of a record holds neither line breaks nor backslashes.

use std::io::Write;

use super::{Dataset, Error, present};

/// Writes a line `<sha256>  <path>` for each file, each path once.
///
/// # Errors
/// A damaged record, or an output that cannot be written.
pub fn write(dataset: &Dataset<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let mut once = dataset.once();
    for read in dataset.read() {
        let read = read?;
        for (file, is) in present(&read.record).filter(|(file, _)| once.is_new(&file.path)) {
            writeln!(out, "{}  {}", is.sha256, file.path).map_err(|e| Error::storage("write", "the export", e))?;
        }
    }
    Ok(())
}
