//! Files of a local folder that are taken in place of a download, for `sunhaul adopt`.

pub(super) mod file;
pub(super) mod index;
