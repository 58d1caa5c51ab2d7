//! Which files of a day came wrong in earlier goes: noted in the journal, so that a kill forgets nothing and `clean` does.

use super::DayWork;
use crate::archive::Error;
use crate::archive::journal::{CorruptDownload, JournalEntry};

impl DayWork {
    /// How a file failed in the last go that asked for it as this one does.
    #[must_use]
    pub fn spoilt(&self, key: &str) -> Option<&CorruptDownload> {
        self.spoilt.get(key)
    }

    /// Notes how a file failed, for the next go.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn note_spoilt(&self, spoilt: CorruptDownload) -> Result<(), Error> {
        self.journal.append(&[JournalEntry::Spoilt(Box::new(spoilt))])
    }
}
