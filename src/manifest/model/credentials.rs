//! Headers, a login or a token of a source.

use http::HeaderName;

use crate::secret::Secret;

/// What a source is shown to let us in: for its own origin, and for no other place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// Headers by name, each once.
    pub headers: Vec<(HeaderName, Secret)>,
    /// What goes out as `Authorization`.
    pub login: Option<Login>,
}

impl Credentials {
    /// True when the source lets everybody in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.login.is_none()
    }
}

/// What goes out as `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A user and a password.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
    /// A user and a password that a netrc file has, when it is read.
    Netrc,
}
