//! Which key wants which path: two keys on one path fail both.

use std::collections::HashMap;

use crate::archive::{RelativePath, folded};
use crate::failure::{Class, Failure};
use crate::untrusted::escape;

/// The paths of one day, compared as a careless filesystem would: case-folded and in NFC.
#[derive(Debug, Default)]
pub(super) struct Claims {
    keys: HashMap<String, String>,
}

impl Claims {
    /// Claims a path for a key. `Err` names the key that has it already.
    pub(super) fn claim(&mut self, path: &RelativePath, key: &str) -> Result<(), String> {
        match self.keys.entry(folded(path.as_str())) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(key.to_owned());
                Ok(())
            }
            std::collections::hash_map::Entry::Occupied(taken) if taken.get() == key => Ok(()),
            std::collections::hash_map::Entry::Occupied(taken) => Err(taken.get().clone()),
        }
    }
}

/// What both keys are told.
pub(super) fn collision(path: &RelativePath, key: &str, other: &str) -> Failure {
    let (key, other) = (escape(key), escape(other));
    Failure::new(
        Class::Collision,
        format!("`{key}` and `{other}` both want the path `{path}`; choose a layout that tells them apart"),
    )
}
