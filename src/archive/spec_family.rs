//! Specs of days whose files are the same where their keys are.

use crate::digest::Digest;

/// What the day is asked for now, and the sources of before whose files are the same where their keys are.
#[derive(Debug, Clone)]
pub(super) struct SpecFamily {
    pub(super) spec: Digest,
    pub(super) related: Vec<Digest>,
}

impl SpecFamily {
    /// A spec of which no other source is known to have the same files.
    pub(super) fn alone(spec: Digest) -> SpecFamily {
        SpecFamily { spec, related: Vec::new() }
    }

    /// True when a file that a spec of before named is the same file now, where its key is.
    pub(super) fn has_files_of(&self, before: &Digest) -> bool {
        before.has_first_of(&self.spec) || self.related.iter().any(|source| before.has_first_of(source))
    }
}
