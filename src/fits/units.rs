//! The SHA-256 of each data unit of a file, while its bytes stream by: what two versions of a file have in common when only
//! their headers differ.
//!
//! What it does not do: know where a data unit begins; the check does.

use crate::digest::{Digest, Hasher};

/// So many HDUs are told apart; a file with more is no file of an archive, and would only fill memory and records.
const MOST: usize = 1000;

/// The digests in the making, by the HDU's number.
#[derive(Debug, Default)]
pub(super) struct Units {
    whole: Vec<Digest>,
    open: Hasher,
}

impl Units {
    /// Takes in the next bytes of the data unit, its fill included.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.open.update(bytes);
    }

    /// The HDU is whole; the next one may begin.
    pub(super) fn close(&mut self) {
        let unit = std::mem::take(&mut self.open).finish();
        if self.whole.len() <= MOST {
            self.whole.push(unit);
        }
    }

    /// The digests of all HDUs; `None` where there are too many.
    pub(super) fn finish(self) -> Option<Vec<Digest>> {
        Some(self.whole).filter(|units| units.len() <= MOST)
    }
}
