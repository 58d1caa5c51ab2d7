//! Gzip streams that are as long as what is in them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A gzip stream of these bytes.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
