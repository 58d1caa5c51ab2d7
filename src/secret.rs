//! A secret: text that is sent to one origin and shown to nobody.
//!
//! What it does not do: decide where it may be sent. `net` does.

use std::fmt;
use std::sync::Arc;

/// What stands where a secret would.
pub const VEIL: &str = "***";

/// A password, token or key. Its `Debug` and `Display` show `***`, and it cannot be serialised.
///
/// A manifest that is only checked knows that there is a secret, and not which: that one is unread.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Option<Arc<str>>);

impl Secret {
    /// A secret whose value is known.
    #[must_use]
    pub fn new(value: &str) -> Secret {
        Secret(Some(value.into()))
    }

    /// One whose value nobody has looked up.
    #[must_use]
    pub fn unread() -> Secret {
        Secret(None)
    }

    /// The value, to be sent: never for a message.
    #[must_use]
    pub fn reveal(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VEIL)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VEIL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_to_nobody() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {secret:#?} {:?}", Some(&secret)), "*** *** *** Some(***)");
        assert_eq!(secret.reveal(), Some("hunter2"));
        assert_eq!(Secret::unread().reveal(), None);
    }
}
