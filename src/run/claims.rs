//! Which key has which path, and which place of the network: two keys on one path, or of one body, fail both.

use std::collections::{HashMap, HashSet};

use url::Url;

use crate::archive::{FileLine, RelativePath, folded};
use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::fetch::resource;
use crate::untrusted::escape;

/// The paths of one day, compared as a careless filesystem would: case-folded and in NFC.
#[derive(Debug, Default)]
pub(super) struct Claims {
    keys: HashMap<String, String>,
    /// Where files of the day are by its listing.
    listed: HashSet<Digest>,
    /// Where redirects led to, and whom.
    reached: HashMap<Digest, Reached>,
}

/// Whom redirects led to a place.
#[derive(Debug, Clone)]
struct Reached {
    key: String,
    /// Where its redirects began.
    from: Digest,
}

/// A file that redirects led to another place than its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redirected<'a> {
    /// The file's key.
    pub(super) key: &'a str,
    /// Where it is by the listing.
    pub(super) url: &'a Url,
    /// Where redirects led to.
    pub(super) to: &'a Url,
    /// What came from there.
    pub(super) sha256: Digest,
}

/// The place that redirects led to is another file's.
#[derive(Debug)]
pub(super) struct PlaceTaken {
    /// How the file fails.
    pub(super) failure: Failure,
    /// Another key that fails with it: one that is no more at its own place.
    pub(super) with: Option<String>,
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

    /// Notes where the files of the day are by its listing.
    pub(super) fn list<'a>(&mut self, urls: impl Iterator<Item = &'a Url>) {
        self.listed = urls.map(resource::exact).collect();
    }

    /// Notes where an earlier go, or an earlier look, was led to for a file that is here.
    pub(super) fn remember(&mut self, url: &Url, line: &FileLine) {
        if let (Some(place), Some(sha256)) = (line.redirected, line.sha256) {
            let reached = Reached { key: line.key.clone(), from: resource::exact(url) };
            self.reached.entry(of_body(place, sha256)).or_insert(reached);
        }
    }

    /// Claims the place that redirects led to. Two files of a day that are led to one place are one file: a placeholder, the
    /// newest one, a login page. Where the same URL is listed twice, it may be so.
    pub(super) fn reach(&mut self, redirected: &Redirected<'_>) -> Result<(), PlaceTaken> {
        let (from, to) = (resource::exact(redirected.url), resource::exact(redirected.to));
        if to != from && self.listed.contains(&to) {
            return Err(PlaceTaken {
                failure: redirected.failure("which is another file of the day by its listing"),
                with: None,
            });
        }
        // By two signed URLs of one path the bytes must be the same as well: a token may be all that names the object.
        for place in [to, of_body(resource::unsigned(redirected.to), redirected.sha256)] {
            let reached = || Reached { key: redirected.key.to_owned(), from };
            let first = self.reached.entry(place).or_insert_with(reached);
            if first.key != redirected.key && first.from != from {
                let why = format!("where `{}` was redirected to as well", escape(&first.key));
                return Err(PlaceTaken { failure: redirected.failure(&why), with: Some(first.key.clone()) });
            }
        }
        Ok(())
    }
}

/// A place that two files cannot both have with the same bytes.
fn of_body(place: Digest, sha256: Digest) -> Digest {
    Digest::of_halves(&place, &sha256)
}

impl Redirected<'_> {
    fn failure(&self, why: &str) -> Failure {
        // The query of a signed URL is a secret.
        let (from, to) = (escape(self.url.path()), escape(self.to.path()));
        let message = format!("`{from}` was redirected to `{to}`, {why}: two files of a day cannot be one");
        Failure::new(Class::Redirect, message)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_of_one_file_unless_its_url_was_listed_twice() {
        let body = |text: &str| Digest::of(text.as_bytes());
        let url = |path: &str| -> Url { format!("http://h{path}").parse().unwrap() };
        for (what, first, second, expected) in [
            ("two places", ("/a", "/x/a", "1"), ("/b", "/x/b", "1"), Ok(())),
            ("one place", ("/a", "/x", "1"), ("/b", "/x", "1"), Err(Some("/a".to_owned()))),
            ("one place, which says the time", ("/a", "/x", "1"), ("/b", "/x", "2"), Err(Some("/a".to_owned()))),
            ("the second by the listing", ("/a", "/x/a", "1"), ("/b", "/a", "1"), Err(None)),
            ("its own", ("/a", "/x/a", "1"), ("/b", "/b", "1"), Ok(())),
            ("one listed URL", ("/a", "/x", "1"), ("/a", "/x", "1"), Ok(())),
            ("two queries", ("/a", "/x?f=a", "1"), ("/b", "/x?f=b", "1"), Ok(())),
            (
                "two signatures",
                ("/a", "/x?Signature=1", "1"),
                ("/b", "/x?Signature=2", "1"),
                Err(Some("/a".to_owned())),
            ),
            ("two tokens of two objects", ("/a", "/x?token=1", "1"), ("/b", "/x?token=2", "2"), Ok(())),
        ] {
            let mut claims = Claims::default();
            claims.list([url("/a"), url("/b")].iter());
            let mut reach = |key: &str, (from, to, sent): (&str, &str, &str)| {
                claims.reach(&Redirected { key, url: &url(from), to: &url(to), sha256: body(sent) })
            };
            assert!(reach("/a", first).is_ok(), "{what}");
            let second_key = if first.0 == second.0 { "again" } else { second.0 };
            let found = reach(second_key, second).map_err(|crossed| {
                assert_eq!(crossed.failure.class, Class::Redirect);
                crossed.with
            });
            assert_eq!(found, expected, "{what}");
        }
    }
}
