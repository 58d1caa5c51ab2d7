//! Which key has which path: two keys on one path fail both. And which addresses are those of listed files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use url::Url;

use crate::archive::{RelativePath, folded};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fetch::resource;
use crate::untrusted::escape;

/// The paths of one day, compared as a careless filesystem would: case-folded and in NFC.
#[derive(Debug, Default)]
pub(in crate::run) struct PathClaims {
    keys: HashMap<String, String>,
    /// Where files of the day are by its listing.
    listed: Arc<HashSet<Digest>>,
}

impl PathClaims {
    /// Claims a path for a key. `Err` names the key that has it already.
    pub(in crate::run) fn claim(&mut self, path: &RelativePath, key: &str) -> Result<(), String> {
        match self.keys.entry(folded(path.as_str())) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(key.to_owned());
                Ok(())
            }
            std::collections::hash_map::Entry::Occupied(taken) if taken.get() == key => Ok(()),
            std::collections::hash_map::Entry::Occupied(taken) => Err(taken.get().clone()),
        }
    }

    /// Notes where the files of the day are by its listing, and gives these places.
    pub(in crate::run) fn list<'a>(&mut self, urls: impl Iterator<Item = &'a Url>) -> Arc<HashSet<Digest>> {
        self.listed = Arc::new(urls.map(resource::exact).collect());
        Arc::clone(&self.listed)
    }

    /// How a file fails that was redirected to another file of the day by its listing.
    pub(in crate::run) fn object_to(&self, url: &Url, to: &Url) -> Option<Failure> {
        let place = resource::exact(to);
        let is_other = place != resource::exact(url) && self.listed.contains(&place);
        is_other.then(|| {
            // The query of a signed URL is a secret.
            let (from, to) = (escape(url.path()), escape(to.path()));
            let why = "which is another file of the day by its listing: two files cannot be one";
            Failure::new(Class::Redirect, format!("`{from}` was redirected to `{to}`, {why}"))
        })
    }
}

/// What both keys are told.
pub(in crate::run) fn collision(path: &RelativePath, key: &str, other: &str) -> Failure {
    let (key, other) = (escape(key), escape(other));
    Failure::unasked(
        Class::Collision,
        format!("`{key}` and `{other}` both map to the path `{path}`; choose a layout that separates them"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_may_lead_to_a_place_of_no_other_listed_file() {
        let url = |path: &str| -> Url { format!("http://h{path}").parse().unwrap() };
        let mut claims = PathClaims::default();
        claims.list([url("/a"), url("/b")].iter());
        for (to, is_other) in [("/x/a", false), ("/a", false), ("/%61", false), ("/b", true), ("/%62", true)] {
            assert_eq!(claims.object_to(&url("/a"), &url(to)).is_some(), is_other, "{to}");
        }
    }
}
