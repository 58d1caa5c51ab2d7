//! The keywords of a record as cards for the header of its file.

use std::sync::Arc;

use crate::digest::{Digest, Hasher};
use crate::fits::Card;

/// Cards for the header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderCards {
    /// Those that all files of its record have.
    pub shared: Arc<[Card]>,
    /// Its own.
    pub own: Vec<Card>,
}

impl HeaderCards {
    /// The SHA-256 of all of them.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        self.shared.iter().chain(&self.own).for_each(|card| hasher.update(card));
        hasher.finish()
    }
}
