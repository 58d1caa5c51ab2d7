//! A manifest as it was given: its bytes, and where variables and logins are looked up.

use std::path::Path;

use super::yaml_tree::Node;
use crate::secret::Secret;

/// Looks up a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Looks up the user and the password of a host in a netrc file.
pub type Netrc<'a> = &'a dyn Fn(&str) -> Result<(String, Secret), NoLogin>;

/// Why a netrc file gives no login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLogin {
    /// What is wrong; safe to show.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What reading a manifest needs besides its keys.
pub(super) struct Given<'a> {
    /// The manifest's path.
    pub(super) path: &'a Path,
    /// The file's bytes.
    pub(super) bytes: &'a [u8],
    /// Its text.
    pub(super) text: &'a str,
    /// The same as a tree.
    pub(super) root: &'a Node,
    /// Looks up a variable of the environment.
    pub(super) environment: Environment<'a>,
    /// Looks up logins; none when no secret is wanted at all.
    pub(super) secrets: Option<Netrc<'a>>,
}
